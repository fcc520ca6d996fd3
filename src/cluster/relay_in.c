/*
 * relay_in.c - requests of other nodes' clients that we serve.
 *
 * A request comes in as a connection that is a port.  What its answer is given beyond its
 * credit waits in the connection, under the rules for slow readers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cluster/relay_priv.h"

#include <assert.h>
#include <string.h>

#include "base/log.h"
#include "net/http.h"

#define FRAME_PARTS 16                       /* pieces of one frame */

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

/* One frame of them, after `skip` bytes; how many bytes it has. */
static size_t
send_some(struct passage *s, const struct str *pieces, size_t n, size_t skip)
{
	struct str some[FRAME_PARTS];
	size_t parts = 0, bytes = 0, max = s->credit < PIECE_MAX ? s->credit : PIECE_MAX;

	for (size_t i = 0; i < n && parts < FRAME_PARTS && bytes < max; i++) {
		struct str piece = str_sub(pieces[i], skip, max - bytes);

		skip -= skip < pieces[i].n ? skip : pieces[i].n;
		if (piece.n > 0)
			some[parts++] = piece;
		bytes += piece.n;
	}
	if (bytes > 0)
		link_send(s->link, (struct frame){ .kind = FRAME_BYTES, .id = s->id }, some,
		    parts);
	s->credit -= bytes;
	return bytes;
}

/* All that there is credit for: what is left waits for more of it. */
static size_t
answer_write(void *ctx, const struct str *pieces, size_t n)
{
	struct passage *s = ctx;
	size_t all = total(pieces, n), taken = 0;

	if (s->moved)
		return all;                  /* the other node tells what it was */
	while (taken < all && s->credit > 0)
		taken += send_some(s, pieces, n, taken);
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

	if (!s->moved)
		passage_send(s, how == HTTP_PORT_RESET ? FRAME_ABORT : FRAME_END, how, 0,
		    STR_NONE);
	passage_free(s);
}

static void
answer_idle(void *ctx, struct str beat, msec every)
{
	struct passage *s = ctx;

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
