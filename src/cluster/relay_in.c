/*
 * relay_in.c - requests of other nodes' clients that we serve.
 *
 * A request comes in as a connection that is a port.  What its answer is given beyond its
 * credit waits in the connection, under the rules for slow readers.  What is sent in a turn
 * goes in one frame, and the last one says that it is: a client that has the whole answer is
 * done with this request, also for the limits of its node (auth.h).
 *
 * SPDX-License-Identifier: MIT
 */
#include "cluster/relay_priv.h"

#include <assert.h>
#include <string.h>

#include "base/log.h"
#include "net/http.h"

static void
check_in(const struct passage *s)
{
	assert(!s->opener && s->port != NULL);
}

/* ---- from the port ------------------------------------------------------------------- */

static size_t
total(const struct str *pieces, size_t n)
{
	size_t bytes = 0;

	for (size_t i = 0; i < n; i++)
		bytes += pieces[i].n;
	return bytes;
}

/* arg: of the frame. */
static void
flush(struct passage *s, unsigned arg)
{
	list_remove(&s->pending);
	if (s->pend.n > 0)
		passage_send(s, FRAME_BYTES, arg, 0, buf_str(&s->pend));
	buf_release(&s->pend);
}

void
in_flush(struct shard_job *job)
{
	struct relay *rl = CONTAINER_OF(job, struct relay, flush);
	struct list *next;

	for (struct list *i = rl->pending.next; i != &rl->pending; i = next) {
		struct passage *s = CONTAINER_OF(i, struct passage, pending);

		next = i->next;
		if (!http_port_ends(s->port))        /* else answer_closed comes, in this turn */
			flush(s, 0);
	}
}

/* Keeps some of a piece for the turn's end; how many bytes. */
static size_t
keep_some(struct passage *s, struct str piece)
{
	struct relay *rl = s->link->rl;
	size_t room;

	if (s->pend.n == PIECE_MAX)
		flush(s, 0);
	if (!list_joined(&s->pending)) {
		s->pend = BUF(PIECE_MAX);
		list_append(&rl->pending, &s->pending);
		shard_at_turn_end(rl->shard, &rl->flush);
	}
	room = PIECE_MAX - s->pend.n;
	piece = str_sub(piece, 0, room < s->credit ? room : s->credit);
	buf_add(&s->pend, piece);
	s->credit -= piece.n;
	return piece.n;
}

/* All that there is credit for: what is left waits for more of it. */
static size_t
answer_write(void *ctx, const struct str *pieces, size_t n)
{
	struct passage *s = ctx;
	size_t taken = 0, done;

	if (s->moved)
		return total(pieces, n);     /* the other node tells what it was */
	for (size_t i = 0; i < n && s->credit > 0; i++)
		for (size_t at = 0; at < pieces[i].n && s->credit > 0; taken += done, at += done)
			done = keep_some(s, str_sub(pieces[i], at, pieces[i].n));
	return taken;
}

static void
answer_paused(void *ctx, bool paused)
{
	struct passage *s = ctx;

	s->paused = paused;
	if (!paused)
		passage_owe(s, 0, 1);
}

static void
answer_closed(void *ctx, enum http_port_end how)
{
	struct passage *s = ctx;

	flush(s, how == HTTP_PORT_RESET ? 0 : 1 + (unsigned)how);
	if (!s->moved)
		passage_send(s, how == HTTP_PORT_RESET ? FRAME_ABORT : FRAME_END, how, 0,
		    STR_NONE);
	passage_free(s);
}

static void
answer_idle(void *ctx, struct str beat, msec every)
{
	struct passage *s = ctx;

	flush(s, 0);
	if (!s->moved)
		passage_send(s, FRAME_IDLE, 0, (uint64_t)every, beat);
}

static const struct http_port_ops answer_ops = {
	.write = answer_write, .paused = answer_paused, .idle = answer_idle,
	.closed = answer_closed,
};

/* ---- from the other node ---------------------------------------------------------------- */

void
in_cut(struct passage *s)
{
	check_in(s);
	http_port_drop(s->port);
	passage_free(s);
}

/* The client's.  What is read at once is given credit for; while the port does not read,
 * it has room for what was given credit before (HTTP_PORT_AHEAD). */
static void
client_bytes(struct passage *s, struct str bytes)
{
	s->owed += bytes.n;
	http_port_bytes(s->port, bytes);
	if (!s->paused)
		passage_owe(s, 0, HTTP_PORT_AHEAD / 4);
}

static void
refuse(struct link *l, const struct frame *f, const char *why)
{
	log_warn("cluster", "relay_refused", "node=%lld reason=%s", (long long)l->node, why);
	link_send(l, (struct frame){ .kind = FRAME_ABORT, .id = f->id }, NULL, 0);
}

void
in_open(struct link *l, const struct frame *f)
{
	struct relay *rl = l->rl;
	const char *end = f->payload.n == 0 ? NULL : memchr(f->payload.p, '\0', f->payload.n);
	struct passage *s;
	size_t peer;

	if (passage_find(l, f->id, false) != NULL) {
		log_warn("cluster", "relay_frame", "node=%lld error=a request of the same id "
		    "is under way", (long long)l->node);
		return;
	}
	if (end == NULL || !f->opener) {
		refuse(l, f, "a malformed request");
		return;
	}
	if (rl->served_n >= LIMIT_RELAY_STREAMS) {
		refuse(l, f, "too many requests of other nodes");
		return;
	}
	peer = (size_t)(end - f->payload.p);
	s = mem_new(struct passage);
	s->id = f->id;
	s->hops = f->arg;
	s->credit = LIMIT_RELAY_WINDOW_BYTES;
	s->port = http_port_open(rl->all->hs, rl->shard, str_sub(f->payload, 0, peer),
	    &answer_ops, s);
	if (s->port == NULL) {
		passage_discard(s);
		refuse(l, f, "the server stops");
		return;
	}
	atomic_fetch_add_explicit(&rl->served, 1, memory_order_relaxed);
	passage_add(s, l);
	client_bytes(s, str_sub(f->payload, peer + 1, f->payload.n));
}

void
in_frame(struct passage *s, const struct frame *f)
{
	check_in(s);
	switch (f->kind) {
	case FRAME_BYTES:
		client_bytes(s, f->payload);
		break;
	case FRAME_CREDIT:
		s->credit += (size_t)f->value;
		http_port_writable(s->port);
		break;
	case FRAME_EOF:
		http_port_eof(s->port);
		break;
	case FRAME_ABORT:
		in_cut(s);
		break;
	default:
		break;
	}
}

bool
relay_moves(const struct http_req *r, int64_t node)
{
	const struct passage *s = r->through;

	if (r->conn == NULL)
		return false;
	check_in(s);
	return s->hops + 1 < LIMIT_RELAY_HOPS && s->link->node != node;
}

void
relay_moved(struct relay *rl, struct http_req *r, int64_t node)
{
	struct passage *s = r->through;

	(void)rl;
	assert(s != NULL);
	if (r->conn != NULL) {
		check_in(s);
		passage_send(s, FRAME_MOVED, 0, (uint64_t)node, STR_NONE);
		s->moved = true;
	}
	http_reply(r, 421, STR_NONE, STR_NONE, STR_NONE);
}
