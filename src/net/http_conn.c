/*
 * http_conn.c - one connection.
 *
 *             bytes           head           complete         answered
 *   idle ----------> head --------> body ------------> serving -------+
 *    ^  \______________\______________\____________________^          |
 *    |                                                                v
 *    +------------------------- sent, kept ------------------------ flush
 *                                                                     |
 *                  closed <--- linger <--- sent, not kept ------------+
 *
 * An upgrade makes socket of serving: bytes go to ws.c then, and its close frame is the
 * answer's end.  A tunnel (http_tunnel.c) makes tunnel of it.
 *
 * The hook `head` may answer before the body has come: then a small one is
 * read over (skipping) and the connection is kept, any other ends in linger.
 *
 * Where the wire has a handshake, opening comes before idle.
 *
 * A state is a row: what bytes, an end of input and a deadline mean in it.
 * Requests are answered in order: while one is served, what else arrives is
 * kept, and past KEPT_MAX the socket is not read.
 *
 * The end of input while a plain answer is awaited is a client that will send
 * no more and still reads; for a streamed answer it is a client that left.
 *
 * Deadlines move with every request, the wheel's timer does not: it is set
 * when a deadline comes closer, and looks again when it fires early.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/http_priv.h"
#include "base/log.h"
#include "base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

struct conn_state {
	const char *name;
	bool feeds;                          /* bytes belong to a request */
	size_t limit;                        /* offset of its msec in the limits */
	void (*bytes)(struct http_conn *c, const char *at, size_t n);
	void (*eof)(struct http_conn *c);
	void (*timeout)(struct http_conn *c);
};

static void feed_bytes(struct http_conn *c, const char *at, size_t n);
static void keep_bytes(struct http_conn *c, const char *at, size_t n);
static void drop_bytes(struct http_conn *c, const char *at, size_t n);
static void socket_bytes(struct http_conn *c, const char *at, size_t n);
static void tunnel_bytes(struct http_conn *c, const char *at, size_t n);
static void tunnel_eof(struct http_conn *c);
static void serving_eof(struct http_conn *c);
static void note_eof(struct http_conn *c);
static void request_timeout(struct http_conn *c);
static void resume_reading(struct http_conn *c);

#define MOVED_BYTES (16 * KB)
#define GAP_COUNTS  (10000 * NS_PER_MS)

static const char no_room[] = "too many bodies are being read; try again";

#define LIMIT(field) offsetof(struct http_limits, field)
#define NO_LIMIT SIZE_MAX

static const struct conn_state
idle = { "idle", true, LIMIT(idle), feed_bytes, http_conn_drop, http_conn_drop },
head = { "head", true, LIMIT(header), feed_bytes, http_conn_lost, request_timeout },
body = { "body", true, LIMIT(body), feed_bytes, http_conn_lost, request_timeout },
skipping = { "skipping", true, LIMIT(body), feed_bytes, http_conn_drop, http_conn_drop },
serving = { "serving", false, NO_LIMIT, keep_bytes, serving_eof, http_conn_write_timeout },
socket_open = { "socket", false, NO_LIMIT, socket_bytes, serving_eof, http_conn_write_timeout },
tunnel = { "tunnel", false, NO_LIMIT, tunnel_bytes, tunnel_eof, http_conn_write_timeout },
flush = { "flush", false, LIMIT(idle), keep_bytes, note_eof, http_conn_write_timeout },
linger = { "linger", false, LIMIT(linger), drop_bytes, http_conn_drop, http_conn_drop },
opening = { "opening", false, LIMIT(handshake), drop_bytes, http_conn_drop, http_tls_slow },
closed = { "closed", false, NO_LIMIT, drop_bytes, note_eof, note_eof };

static void
check_conn(const struct http_conn *c)
{
	CHECK_MARK(c, CONN_MARK);
	assert(c->req == NULL || (c->req->r.conn == c && c->state != &closed));
	assert(c->state == &closed || c->writing <= c->out.bytes);
	assert(!c->closed || c->state == &closed);
}

/* Deadlines. */

void
http_conn_deadline(struct http_conn *c, msec ms)
{
	c->deadline = shard_now(c->l->shard) + ms * NS_PER_MS;
	if (wheel_armed(&c->timer) && c->armed_at <= c->deadline)
		return;
	c->armed_at = c->deadline;
	shard_timer_set(c->l->shard, &c->timer, ms);
}

void
http_conn_limit(struct http_conn *c)
{
	msec ms;

	if (c->state->limit == NO_LIMIT) {
		c->deadline = NEVER;
		return;
	}
	memcpy(&ms, (const char *)&c->l->hs->limits + c->state->limit, sizeof ms);
	http_conn_deadline(c, ms);
}

static void
leave(struct http_conn *c)
{
	if (c->state == &idle)
		http_listener_busy(c->l, c);
	else if (c->state == &opening)
		http_listener_opened(c->l, c);
}

static void
become(struct http_conn *c, const struct conn_state *state)
{
	check_conn(c);
	assert(c->state != &closed);
	leave(c);
	c->state = state;
	http_conn_limit(c);
	if (state == &idle)
		http_listener_idle(c->l, c);
}

static void
on_deadline(struct wheel_timer *t)
{
	struct http_conn *c = CONTAINER_OF(t, struct http_conn, timer);
	nsec left = c->deadline == NEVER ? NEVER : c->deadline - shard_now(c->l->shard);

	check_conn(c);
	if (left == NEVER)
		return;
	if (left <= 0) {
		c->state->timeout(c);
		return;
	}
	c->armed_at = c->deadline;
	shard_timer_set(c->l->shard, &c->timer, (left + NS_PER_MS - 1) / NS_PER_MS);
}

/* The end of a connection. */

static void
conn_close(struct http_conn *c, bool reset)
{
	if (c->state == &closed)
		return;
	leave(c);
	c->state = &closed;
	c->deadline = NEVER;
	shard_timer_cancel(c->l->shard, &c->timer);
	c->wire->close(c, reset);
	/* It writes no more, only calls back. */
	http_out_release(&c->out);
	http_room_give_kept(c);
}

static void
conn_free(struct http_conn *c)
{
	assert(c->out.n == 0 && c->kept_charged == 0);
	CHECK_END(c);
	free(c);
}

void
http_conn_closed(struct http_conn *c)
{
	check_conn(c);
	c->closed = true;
	http_listener_conn_closed(c->l, c);
	if (c->turn.next == NULL)
		conn_free(c);                /* else conn_turn does */
}

/* Nobody is told. */
static void
conn_end(struct http_conn *c, bool reset)
{
	struct request *q = c->req;

	check_conn(c);
	c->req = NULL;
	conn_close(c, reset);
	if (q != NULL)
		http_request_end(q);
}

void
http_conn_drop(struct http_conn *c)
{
	conn_end(c, false);
}

void
http_conn_reset(struct http_conn *c)
{
	conn_end(c, true);
}

void
http_conn_lost(struct http_conn *c)
{
	struct request *q = c->req;
	bool owned = c->state == &serving || c->state == &socket_open || c->state == &tunnel;

	check_conn(c);
	c->req = NULL;
	/* A stream that is cut must not look like one that has ended. */
	conn_close(c, c->out.bytes > 0 ||
	    (q != NULL && q->r.streaming && !q->answered));
	if (q == NULL)
		return;
	q->r.conn = NULL;
	if (!owned || q->answered) {
		http_request_end(q);
	} else if (q->r.gone != NULL && !q->gone_told) {
		q->gone_told = true;
		q->r.gone(&q->r);
	}
}

void
http_conn_cut(struct http_conn *c, const char *why)
{
	log_info("net", "slow_reader_cut", "peer=%s queued=%zu reason=%s", c->peer,
	    c->out.bytes, why);
	http_conn_lost(c);
}

bool
http_conn_is_closed(const struct http_conn *c)
{
	return c->state == &closed;
}

void
http_conn_fail(struct http_conn *c)
{
	c->failed = true;
	http_conn_schedule(c);
}

bool
http_conn_is_idle(const struct http_conn *c)
{
	return c->state == &idle && c->kept.n == 0;
}

void
http_conn_drain(struct http_conn *c)
{
	msec ms = c->l->hs->limits.linger / 2;

	if ((http_conn_is_idle(c) && !http_listener_hands_over(c->l, c)) || c->state == &opening)
		http_conn_drop(c);
	else if ((c->state == &head || c->state == &body || c->state == &skipping) &&
	    c->deadline > shard_now(c->l->shard) + ms * NS_PER_MS)
		http_conn_deadline(c, ms);
}

/* Ends our sending side and reads on, so that the client can read the answer:
 * closing with unread bytes in the socket would reset the connection. */
static void
conn_linger(struct http_conn *c)
{
	if (c->eof || !c->wire->shut(c)) {
		http_conn_drop(c);
		return;
	}
	become(c, &linger);
	http_room_give_kept(c);
	resume_reading(c);
}

/* The kernel has everything: on to the next request, or the end. */
void
http_conn_sent(struct http_conn *c)
{
	struct request *q = c->req;
	bool ends, unread;

	if (q == NULL || !q->answered || c->out.bytes > 0 || c->failed)
		return;
	ends = q->close || (c->l->draining && !http_listener_hands_over(c->l, c));
	unread = q->close && (q->refused || q->r.status == 101 || c->skips ||
	    c->kept.n > 0 || c->stopped);
	c->req = NULL;
	become(c, &idle);
	http_request_end(q);
	if (c->state == &closed)
		return;
	if (http_conn_is_port(c)) {
		c->port.how = ends ? HTTP_PORT_ENDS : HTTP_PORT_KEEPS;
		http_conn_drop(c);
		return;
	}
	if (ends && unread) {
		conn_linger(c);
		return;
	}
	if (ends) {
		http_conn_drop(c);
		return;
	}
	if (c->skips) {
		http_parse_skip(&c->parse);
		become(c, &skipping);
	}
	if (!c->feeding && (c->kept.n > 0 || c->eof))
		http_conn_schedule(c);
}

void
http_conn_answering(struct http_conn *c)
{
	c->req->answered = true;
	c->req->flush = NULL;
	c->held = false;
	become(c, &flush);
	http_conn_sent(c);
	if (c->req != NULL)
		http_request_drop_parts(c->req);
}

void
http_conn_upgrade(struct http_conn *c)
{
	assert(c->state == &serving && c->req != NULL);
	become(c, &socket_open);
}

void
http_conn_tunnel(struct http_conn *c)
{
	assert(c->state == &serving && c->req != NULL);
	become(c, &tunnel);
	if (c->eof)
		http_conn_schedule(c);
}

void
http_conn_hold(struct http_conn *c, bool held)
{
	assert(c->state == &socket_open || c->state == &tunnel);
	if (c->held == held)
		return;
	c->held = held;
	if (!held) {
		http_conn_schedule(c);
	} else if (!c->stopped) {
		c->stopped = true;
		c->wire->read(c, false);
	}
}

/* Receiving. */

static void
start_request(struct http_conn *c)
{
	struct request *q = http_listener_request(c->l);

	q->r.conn = c;
	q->r.shard = c->l->shard;
	q->r.started = shard_now(c->l->shard);
	memcpy(q->peer, c->peer, sizeof q->peer);
	q->r.peer = str_of(q->peer);
	q->r.secure = c->secure;
	if (c->certified)
		q->r.cert = memcpy(q->cert, c->cert, sizeof q->cert);
	q->r.through = http_conn_is_port(c) ? c->port.ctx : NULL;
	c->req = q;
	http_parse_begin(&c->parse, q);
}

static void
refuse(struct http_conn *c, int status, const char *why)
{
	become(c, &serving);
	c->skips = false;
	http_refuse(c, status, str_of(why));
}

/* Shows the head.  False: it was answered, and the request may be gone. */
static bool
ask_head(struct http_conn *c, bool coming, size_t *body_max)
{
	const struct http_hooks *hooks = &c->l->hs->hooks;
	struct request *q = c->req;
	bool keeps = q->r.keep_alive;

	http_forwarded(c);
	become(c, &serving);
	c->skips = coming && http_parse_can_skip(&c->parse);
	if (coming && !c->skips) {
		q->r.keep_alive = false;
		q->refused = true;           /* if it is answered now */
	}
	*body_max = hooks->head(hooks->ctx, &q->r);
	if (c->req != q || q->answered)
		return false;
	c->skips = false;
	q->refused = false;
	q->r.keep_alive = keeps;
	return true;
}

/* The head is known and a body follows: is it wanted? */
static void
begin_body(struct http_conn *c, bool more)
{
	static const char proceed[] = "HTTP/1.1 100 Continue\r\n\r\n";
	size_t body_max;

	if (!ask_head(c, true, &body_max))
		return;
	if (!http_parse_allow(&c->parse, body_max)) {
		refuse(c, c->parse.status, c->parse.why);
		return;
	}
	become(c, &body);
	c->read_at = c->moved_at = shard_now(c->l->shard);
	c->spent = 0;
	c->moved_n = 0;
	if (c->req->expects && !more) {
		http_conn_send(c, &(struct piece){ proceed, sizeof proceed - 1, NULL }, 1);
		c->req->bytes_out = 0;
	}
}

static void
dispatch(struct http_conn *c)
{
	const struct http_hooks *hooks = &c->l->hs->hooks;
	size_t body_max;

	if (!http_room_for_request(c)) {
		refuse(c, 503, no_room);
		return;
	}
	if (c->state != &body && !ask_head(c, false, &body_max))
		return;
	become(c, &serving);
	hooks->handle(hooks->ctx, &c->req->r);
}

/* The end of a request, or of a body that was read over. */
static void
feed_done(struct http_conn *c)
{
	if (c->state != &skipping) {
		dispatch(c);
		return;
	}
	c->skips = false;
	become(c, &idle);
}

static void
note_moved(struct http_conn *c)
{
	size_t n = c->req->body.n;

	if (n >= c->moved_n && n - c->moved_n < MOVED_BYTES)
		return;
	c->moved_n = n;
	c->moved_at = shard_now(c->l->shard);
}

/* More of a body is here.  A pause counts as GAP_COUNTS at most: then it is the
 * other deadline's, and the process itself may have been asleep. */
static void
body_came(struct http_conn *c)
{
	const struct http_limits *l = &c->l->hs->limits;
	nsec now = shard_now(c->l->shard), gap = now - c->read_at;
	size_t n = c->req->body.n;

	c->spent += gap < GAP_COUNTS ? gap : GAP_COUNTS;
	c->read_at = now;
	note_moved(c);
	http_conn_limit(c);
	if (c->spent / NS_PER_MS > l->body_slow +
	    (msec)(n * 1000 / l->body_rate))
		refuse(c, 408, "the body came too slowly");
}

bool
http_conn_shed_body(struct http_conn *c, nsec since)
{
	bool message = c->state == &socket_open && c->req->body.n > 0;

	if ((c->state != &body && !message) || c->feeding || c->moved_at > since)
		return false;
	if (message)
		ws_conn_shed(c);
	else
		refuse(c, 503, no_room);
	return true;
}

/* The parser wants more than there is. */
static void
feed_ended(struct http_conn *c)
{
	if (c->state == &skipping)
		return;
	if (c->state == &idle && c->parse.state != IN_BREAKS)
		become(c, &head);
	if (!http_room_for_request(c))
		refuse(c, 503, no_room);
	else if (c->state == &body)
		body_came(c);
}

static void
conn_feed(struct http_conn *c, const char *at, const char *end)
{
	assert(!c->feeding);
	c->feeding = true;
	while (at < end && c->state->feeds && !c->failed) {
		if (c->req == NULL && c->state != &skipping)
			start_request(c);
		switch (http_parse_feed(&c->parse, &at, end)) {
		case PARSE_HEAD:
			begin_body(c, at < end);
			break;
		case PARSE_DONE:
			feed_done(c);
			break;
		case PARSE_REFUSED:
			refuse(c, c->parse.status, c->parse.why);
			break;
		case PARSE_MORE:
			feed_ended(c);
			break;
		}
	}
	c->feeding = false;
	if (at < end && !c->state->feeds)
		c->state->bytes(c, at, (size_t)(end - at));
}

static void
feed_bytes(struct http_conn *c, const char *at, size_t n)
{
	if (c->kept.n > 0)
		keep_bytes(c, at, n);        /* conn_turn feeds them in order */
	else
		conn_feed(c, at, at + n);
}

static void
keep_bytes(struct http_conn *c, const char *at, size_t n)
{
	buf_add(&c->kept, (struct str){ at, n });
	assert(!c->kept.failed);
	http_room_for_kept(c);
	if (c->kept.n >= KEPT_MAX && !c->stopped) {
		c->stopped = true;
		c->wire->read(c, false);
	}
}

static void
socket_bytes(struct http_conn *c, const char *at, size_t n)
{
	size_t taken = 0;

	if (c->req->body.n == 0) {
		c->moved_n = 0;
		c->moved_at = shard_now(c->l->shard);
	}
	c->feeding = true;
	if (!c->held && c->kept.n == 0)
		taken = ws_conn_bytes(c, at, n);
	c->feeding = false;
	if (c->state != &socket_open)
		return;
	note_moved(c);
	if (taken < n)
		keep_bytes(c, at + taken, n - taken);
}

static void
tunnel_bytes(struct http_conn *c, const char *at, size_t n)
{
	size_t taken = c->kept.n == 0 ? http_tunnel_bytes(c, at, n) : 0;

	if (taken < n)
		keep_bytes(c, at + taken, n - taken);
}

static void
drop_bytes(struct http_conn *c, const char *at, size_t n)
{
	(void)c, (void)at, (void)n;
}

static void
note_eof(struct http_conn *c)
{
	c->eof = true;
}

static void
serving_eof(struct http_conn *c)
{
	c->eof = true;
	if (c->req->r.streaming || c->req->left_by_eof)
		http_conn_lost(c);
}

static void
tunnel_eof(struct http_conn *c)
{
	c->eof = true;
	http_tunnel_eof(c);
}

static void
request_timeout(struct http_conn *c)
{
	refuse(c, 408, c->state == &head ? "the headers took too long" :
	    "the body took too long");
}

void
http_conn_bytes(struct http_conn *c, const char *at, size_t n)
{
	check_conn(c);
	if (c->state != &closed)
		c->state->bytes(c, at, n);
}

void
http_conn_eof(struct http_conn *c)
{
	check_conn(c);
	if (c->state == &closed)
		return;
	if (c->kept.n == 0)
		c->state->eof(c);
	else
		c->eof = true;
}

static void
resume_reading(struct http_conn *c)
{
	if (!c->stopped || c->held || c->kept.n >= KEPT_MAX || c->eof)
		return;
	c->stopped = false;
	c->wire->read(c, true);
}

/* What came while it was held, and what wslay has read ahead. */
static void
feed_socket(struct http_conn *c)
{
	struct buf kept = c->kept;

	if (c->held)
		return;
	c->kept = BUF(kept.max);
	socket_bytes(c, kept.p, kept.n);
	buf_release(&kept);
	http_room_for_kept(c);
	if (c->state == &socket_open && !c->held && c->eof)
		serving_eof(c);
}

/* What came before the tunnel was open, or while it was held. */
static void
feed_tunnel(struct http_conn *c)
{
	size_t taken = http_tunnel_bytes(c, c->kept.p, c->kept.n);

	if (taken > 0) {
		buf_release(&c->kept);
		http_room_for_kept(c);
	}
	if (c->state == &tunnel && c->eof && c->kept.n == 0)
		http_tunnel_eof(c);
}

/* Requests that were read ahead. */
static void
feed_kept(struct http_conn *c)
{
	struct buf kept = c->kept;

	if (!c->state->feeds)
		return;
	if (kept.n > 0) {
		c->kept = BUF(kept.max);
		http_room_for_kept(c);
		conn_feed(c, kept.p, kept.p + kept.n);
		buf_release(&kept);
	}
	if (c->state->feeds && c->kept.n == 0 && c->eof)
		c->state->eof(c);
}

/* All that was sent has left. */
static void
tell_empty(struct http_conn *c)
{
	struct request *q = c->req;
	void (*empty)(void *ctx);

	if (q == NULL || q->empty == NULL || q->answered || c->failed || c->out.bytes > 0)
		return;
	empty = q->empty;
	q->empty = NULL;
	empty(q->empty_ctx);
}

/* Once at the end of a turn in which something was queued or failed. */
static void
conn_turn(struct shard_job *job)
{
	struct http_conn *c = CONTAINER_OF(job, struct http_conn, turn);

	check_conn(c);
	if (c->closed) {
		conn_free(c);
		return;
	}
	if (c->state == &closed)
		return;
	if (c->req != NULL && c->req->flush != NULL && !c->failed)
		c->req->flush(c);
	http_conn_flush(c);
	if (c->failed) {
		http_conn_lost(c);
		return;
	}
	http_conn_sent(c);
	tell_empty(c);
	if (c->state == &socket_open)
		feed_socket(c);
	else if (c->state == &tunnel)
		feed_tunnel(c);
	else
		feed_kept(c);
	if (c->state != &closed)
		resume_reading(c);
}

void
http_conn_schedule(struct http_conn *c)
{
	shard_at_turn_end(c->l->shard, &c->turn);
}

/* Begin. */

void
http_conn_opened(struct http_conn *c)
{
	assert(c->state == &opening);
	become(c, &idle);
}

struct http_conn *
http_conn_new(struct http_listener *l, const struct wire *wire)
{
	struct http_conn *c = mem_new(struct http_conn);

	c->mark = CONN_MARK;
	c->wire = wire;
	c->l = l;
	c->turn.run = conn_turn;
	c->timer.fire = on_deadline;
	c->kept = BUF(KEPT_MAX + READ_SIZE);
	c->out.waits = true;
	list_append(&l->conns, &c->all);
	c->state = wire->opens ? &opening : &idle;
	if (wire->opens)
		http_listener_opening(l, c);
	else
		http_listener_idle(l, c);
	http_conn_limit(c);
	return c;
}
