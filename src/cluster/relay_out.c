/*
 * relay_out.c - requests of our clients that another node serves.
 *
 *             first bytes of an answer
 *   ASKED ---------------------------> ANSWERED ------> (ended)
 *     |  ^                                 |
 *     |  +--- moved: to the next node      +-- cut: the client's connection is reset
 *     +-- cut, or refused: 503
 *
 * The request is kept while it may have to be sent again: until the first bytes of an
 * answer.  Of an upgraded connection the client's bytes follow; while they wait for
 * credit, the client is not read.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cluster/relay_priv.h"

#include <assert.h>
#include <string.h>

#include "base/account.h"
#include "base/log.h"

static void
check_out(const struct passage *s)
{
	assert(s->opener && (s->tunnel != NULL) == (s->whole == NULL) && s->out_at <= s->out.n);
}

/* Gives the request's bytes back; those that are not sent stay. */
static void
drop_sent(struct passage *s)
{
	if (s->out_at < s->out.n)
		return;
	buf_release(&s->out);
	s->out_at = 0;
	account_give(&account_bodies, s->charged);
	s->charged = 0;
}

static void
out_free(struct passage *s)
{
	account_give(&account_bodies, s->charged);
	passage_free(s);
}

/* Sends what there is credit for. */
static void
pump(struct passage *s)
{
	while (s->credit > 0 && s->out_at < s->out.n) {
		struct str piece = str_sub(buf_str(&s->out), s->out_at,
		    s->credit < PIECE_MAX ? s->credit : PIECE_MAX);

		passage_send(s, FRAME_BYTES, 0, 0, piece);
		s->out_at += piece.n;
		s->credit -= piece.n;
	}
	if (s->answered)
		drop_sent(s);
	if (s->eof && s->out_at == s->out.n) {
		s->eof = false;
		passage_send(s, FRAME_EOF, 0, 0, STR_NONE);
	}
	if (s->tunnel != NULL && s->held != (s->opened && s->out.n > 0)) {
		s->held = !s->held;
		http_tunnel_hold(s->tunnel, s->held);
	}
}

/* ---- from the client ---------------------------------------------------------------- */

static void
client_bytes(void *ctx, struct str bytes)
{
	struct passage *s = ctx;

	check_out(s);
	buf_add(&s->out, bytes);
	pump(s);
}

static void
client_eof(void *ctx)
{
	struct passage *s = ctx;

	s->eof = true;
	pump(s);
}

static void
client_took(void *ctx)
{
	struct passage *s = ctx;

	s->asked = false;
	passage_owe(s, 0, 1);
}

static void
client_gone(void *ctx)
{
	struct passage *s = ctx;

	passage_send(s, FRAME_ABORT, 0, 0, STR_NONE);
	out_free(s);
}

static const struct http_tunnel_ops client_ops = {
	.bytes = client_bytes, .eof = client_eof, .empty = client_took, .gone = client_gone,
};

/* ---- from the other node -------------------------------------------------------------- */

static void
whole_end(struct passage *s, bool all)
{
	s->whole(s->whole_ctx, all && !s->answer.failed ? buf_str(&s->answer) : STR_NONE);
	out_free(s);
}

static void
whole_bytes(struct passage *s, struct str bytes)
{
	s->answered = true;
	buf_add(&s->answer, bytes);
	pump(s);
	passage_owe(s, bytes.n, LIMIT_RELAY_WINDOW_BYTES / 4);
}

void
out_cut(struct passage *s)
{
	check_out(s);
	if (s->whole != NULL) {
		whole_end(s, false);
		return;
	}
	if (s->answered)
		http_tunnel_abort(s->tunnel);
	else
		http_tunnel_reply(s->tunnel, 503, s->error_type, buf_str(&s->lines),
		    s->error);
	out_free(s);
}

static void
on_beat(struct wheel_timer *t)
{
	struct passage *s = CONTAINER_OF(t, struct passage, beat);

	check_out(s);
	http_tunnel_write(s->tunnel, (struct str){ s->beat_text, s->beat_n });
	shard_timer_set(s->link->rl->shard, t, s->beat_every);
}

/* The other node has no more to say for now.  The beats are no bytes of its own: it is
 * owed nothing for them. */
static void
answer_idle(struct passage *s, const struct frame *f)
{
	if (s->tunnel == NULL || !s->answered || f->payload.n > sizeof s->beat_text ||
	    f->value == 0 || f->value > LIMIT_RELAY_BEAT_MS)
		return;
	memcpy(s->beat_text, f->payload.p, f->payload.n);
	s->beat_n = f->payload.n;
	s->beat_every = (msec)f->value;
	s->beat.fire = on_beat;
	on_beat(&s->beat);
}

static void
answer_bytes(struct passage *s, struct str bytes)
{
	shard_timer_cancel(s->link->rl->shard, &s->beat);
	if (!s->answered) {
		s->answered = true;
		buf_release(&s->lines);
		free(s->peer);
		s->peer = NULL;
		if (str_starts(bytes, S("HTTP/1.1 101"))) {
			s->opened = true;
			http_tunnel_open(s->tunnel);
		}
		pump(s);
	}
	http_tunnel_write(s->tunnel, bytes);
	s->owed += bytes.n;
	if (s->owed >= LIMIT_RELAY_WINDOW_BYTES / 4 && !s->asked) {
		s->asked = true;
		http_tunnel_when_empty(s->tunnel);
	}
}

/* All of an answer.  A client whose request is not read to its end cannot send another. */
static void
answer_end(struct passage *s, enum http_port_end how)
{
	if (!s->answered || how == HTTP_PORT_RESET) {
		out_cut(s);
		return;
	}
	if (s->whole != NULL) {
		whole_end(s, true);
		return;
	}
	http_tunnel_end(s->tunnel, how == HTTP_PORT_KEEPS && s->out_at == s->out.n);
	out_free(s);
}

/* The bus may be up here and there and yet not join the two: servers of NATS that have lost
 * each other, a node whose loop stands still. */
static bool
is_silent(struct relay *rl, int64_t node)
{
	const struct link *l = link_find(rl, node, 0);

	if (l != NULL && l->shards > 0)
		l = link_find(rl, node, rl->id % l->shards);
	return l != NULL && l->silent;
}

bool
relay_reaches(struct relay *rl, int64_t node)
{
	const struct relay_bus *bus = &rl->all->bus;

	relay_look(rl);
	return !rl->stopped && rl->up && rl->node != 0 && node != rl->node && node > 0 &&
	    bus->alive(bus->ctx, node) && !is_silent(rl, node);
}

static void
send_request(struct passage *s, struct link *l)
{
	struct str pieces[2];

	s->id = ++l->rl->last_id;
	passage_add(s, l);
	pieces[0] = (struct str){ s->peer, strlen(s->peer) + 1 };
	pieces[1] = str_sub(buf_str(&s->out), 0, HTTP_PORT_AHEAD / 2);
	link_send(l, (struct frame){ .kind = FRAME_OPEN, .opener = true, .arg = s->hops,
	    .id = s->id }, pieces, COUNT(pieces));
	s->number = l->sent;
	s->out_at = pieces[1].n;
	s->credit = HTTP_PORT_AHEAD - pieces[1].n;
	pump(s);
}

static void
follow(struct passage *s, int64_t node)
{
	struct relay *rl = s->link->rl;
	struct link *l = NULL;

	log_debug("cluster", "relay_moved", "from=%lld to=%lld", (long long)s->link->node,
	    (long long)node);
	passage_leave(s);
	if (!s->answered && ++s->hops < LIMIT_RELAY_HOPS && relay_reaches(rl, node))
		l = link_for(rl, node);
	if (l != NULL && !l->broken)
		send_request(s, l);
	else
		out_cut(s);
}

void
out_again(struct passage *s)
{
	struct link *l = s->link;

	check_out(s);
	passage_leave(s);
	if (!s->answered && !l->broken)
		send_request(s, l);
	else
		out_cut(s);
}

void
out_frame(struct passage *s, const struct frame *f)
{
	check_out(s);
	switch (f->kind) {
	case FRAME_BYTES:
		(s->whole != NULL ? whole_bytes : answer_bytes)(s, f->payload);
		if (f->arg != 0)
			answer_end(s, (enum http_port_end)(f->arg - 1));
		break;
	case FRAME_IDLE:
		answer_idle(s, f);
		break;
	case FRAME_CREDIT:
		s->credit += (size_t)f->value;
		pump(s);
		break;
	case FRAME_END:
		answer_end(s, (enum http_port_end)f->arg);
		break;
	case FRAME_ABORT:
		out_cut(s);
		break;
	case FRAME_MOVED:
		follow(s, (int64_t)f->value);
		break;
	default:
		break;
	}
}

/* ---- beginning ------------------------------------------------------------------------- */

/* Is it one of these names, with commas between? */
static bool
is_named(struct str names, struct str name)
{
	struct str one;

	while (str_next(&names, ',', &one))
		if (str_eq_nocase(one, name))
			return true;
	return false;
}

/* The body comes whole, whatever way it came to us. */
static void
add_request(struct buf *b, const struct http_req *r, const struct relay_ask_for *q)
{
	buf_add_fmt(b, "%.*s %.*s HTTP/1.%d\r\n", FMT(r->method), FMT(q->path),
	    r->http10 ? 0 : 1);
	for (size_t i = 0; i < r->headers_n; i++) {
		const struct http_header *h = &r->headers[i];

		if (is_named(S("content-length,transfer-encoding,expect,trailer"), h->name) ||
		    is_named(q->drops, h->name))
			continue;
		buf_add(b, h->name);
		buf_lit(b, ": ");
		buf_add(b, h->value);
		buf_lit(b, "\r\n");
	}
	buf_add(b, q->lines);
	if (q->body.n > 0 || http_header(r, S("content-length")).n > 0)
		buf_add_fmt(b, "Content-Length: %zu\r\n", q->body.n);
	buf_lit(b, "\r\n");
	buf_add(b, q->body);
}

/* With the request, for one that can be reached; NULL: it cannot. */
static struct passage *
passage_new(struct relay *rl, const struct http_req *r, const struct relay_ask_for *q,
    struct link **l)
{
	char client[HTTP_PORT_CLIENT];
	struct passage *s;

	if (r->through != NULL || !relay_reaches(rl, q->node))
		return NULL;
	*l = link_for(rl, q->node);
	if (*l == NULL || (*l)->broken)
		return NULL;
	s = mem_new(struct passage);
	s->opener = true;
	s->out = BUF(2 * (size_t)LIMIT_HTTP_BODY_BYTES);
	s->lines = BUF(64 * KB);
	s->error = q->error;
	s->error_type = q->error_type;
	add_request(&s->out, r, q);
	buf_add(&s->lines, q->error_lines);
	s->peer = mem_cstr((struct str){ client, http_port_client(r, client) });
	if (!account_take(&account_bodies, s->out.cap)) {
		passage_discard(s);
		return NULL;
	}
	s->charged = s->out.cap;
	return s;
}

bool
relay_request(struct relay *rl, struct http_req *r, const struct relay_ask_for *q)
{
	struct link *l;
	struct passage *s = passage_new(rl, r, q, &l);

	if (s == NULL)
		return false;
	s->guard = q->guard;
	if (s->guard != NULL)
		s->guard->passage = s;
	s->tunnel = http_tunnel_begin(r, &client_ops, s);
	atomic_fetch_add_explicit(&rl->sent, 1, memory_order_relaxed);
	send_request(s, l);
	return true;
}

void
relay_cut(struct relay_guard *g)
{
	struct passage *s = g->passage;

	check_out(s);
	passage_send(s, FRAME_ABORT, 0, 0, STR_NONE);
	out_cut(s);
}

size_t
relay_others(struct relay *rl, int64_t *nodes, size_t max)
{
	const struct relay_bus *bus = &rl->all->bus;

	relay_look(rl);
	return rl->stopped || !rl->up || rl->node == 0 ? 0 : bus->others(bus->ctx, nodes, max);
}

bool
relay_ask(struct relay *rl, const struct http_req *r, const struct relay_ask_for *q, size_t max,
    void (*answered)(void *ctx, struct str answer), void *ctx)
{
	struct link *l;
	struct passage *s = passage_new(rl, r, q, &l);

	if (s == NULL)
		return false;
	s->answer = BUF(max);
	s->whole = answered;
	s->whole_ctx = ctx;
	atomic_fetch_add_explicit(&rl->sent, 1, memory_order_relaxed);
	send_request(s, l);
	return true;
}
