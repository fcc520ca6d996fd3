/*
 * ws.c - a WebSocket on a connection of the HTTP server.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/http_priv.h"
#include "base/log.h"

#include <assert.h>
#include <openssl/evp.h>
#include <string.h>

#define CONTROL_MAX 125                      /* payload of a control frame */
#define KEY_TEXT    24                       /* base64 of 16 bytes */
#define FIN         0x80

enum opcode { TEXT = 1, CLOSE = 8, PING = 9, PONG = 10 };

/* ---- the handshake (RFC 6455 section 4.2) ---------------------------------------- */

/* The nth of the tokens of all headers of that name. */
static bool
nth_token(const struct http_req *r, struct str name, size_t nth, struct str *token)
{
	for (size_t i = 0; i < r->headers_n; i++) {
		struct str rest = r->headers[i].value;

		if (!str_eq_nocase(r->headers[i].name, name))
			continue;
		while (str_next(&rest, ',', token)) {
			*token = str_trim(*token);
			if (token->n > 0 && nth-- == 0)
				return true;
		}
	}
	return false;
}

static bool
has_token(const struct http_req *r, struct str name, struct str wanted)
{
	struct str token;

	for (size_t i = 0; nth_token(r, name, i, &token); i++)
		if (str_eq_nocase(token, wanted))
			return true;
	return false;
}

static bool
is_key(struct str s)
{
	if (s.n != KEY_TEXT || !str_ends(s, S("==")))
		return false;
	for (size_t i = 0; i < KEY_TEXT - 2; i++) {
		char ch = s.p[i], low = (char)(ch | 0x20);

		if (!(low >= 'a' && low <= 'z') && !(ch >= '0' && ch <= '9') &&
		    ch != '+' && ch != '/')
			return false;
	}
	return true;
}

/* The value of the only header of this name; STR_NONE: there are none, or several. */
static struct str
only(const struct http_req *r, struct str name)
{
	struct str value = STR_NONE;
	unsigned n = 0;

	for (size_t i = 0; i < r->headers_n; i++)
		if (str_eq_nocase(r->headers[i].name, name)) {
			value = r->headers[i].value;
			n++;
		}
	return n == 1 ? value : STR_NONE;
}

int
ws_check(const struct http_req *r, struct err *e)
{
	if (!has_token(r, S("Upgrade"), S("websocket"))) {
		err_set(e, ERR_INVALID, "a WebSocket: expected the header Upgrade: websocket");
		return 426;
	}
	if (!str_eq(r->method, S("GET")) || r->http10) {
		err_set(e, ERR_INVALID, "a WebSocket begins with GET in HTTP/1.1");
		return 400;
	}
	if (!has_token(r, S("Connection"), S("upgrade"))) {
		err_set(e, ERR_INVALID, "Upgrade: expected Connection: Upgrade beside it");
		return 400;
	}
	if (!str_eq(only(r, S("Sec-WebSocket-Version")), S("13"))) {
		err_set(e, ERR_INVALID, "Sec-WebSocket-Version: expected 13, once");
		return 426;
	}
	if (!is_key(only(r, S("Sec-WebSocket-Key")))) {
		err_set(e, ERR_INVALID, "Sec-WebSocket-Key: expected 16 bytes in base64, once");
		return 400;
	}
	return 0;
}

bool
ws_offered(const struct http_req *r, size_t nth, struct str *protocol)
{
	return nth_token(r, S("Sec-WebSocket-Protocol"), nth, protocol);
}

static void
add_accept(struct buf *b, struct str key)
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	char text[KEY_TEXT + sizeof guid];
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned char out[32];               /* base64 of 20 bytes, and NUL */
	int ok;

	memcpy(text, key.p, KEY_TEXT);
	memcpy(text + KEY_TEXT, guid, sizeof guid - 1);
	ok = EVP_Digest(text, KEY_TEXT + sizeof guid - 1, hash, NULL, EVP_sha1(), NULL);
	assert(ok == 1);
	EVP_EncodeBlock(out, hash, 20);
	buf_add(b, str_of((const char *)out));
}

/* ---- frames to the client ---------------------------------------------------------- */

/* A server's frames have no mask, so a head is its first byte and a length: shared
 * blocks need no copy through wslay. */
static size_t
write_head(char out[10], enum opcode opcode, size_t n)
{
	size_t wide = n <= 125 ? 0 : n <= UINT16_MAX ? 2 : 8;

	out[0] = (char)(FIN | (int)opcode);
	out[1] = (char)(wide == 0 ? n : wide == 2 ? 126 : 127);
	for (size_t i = 0; i < wide; i++)
		out[2 + i] = (char)((uint64_t)n >> (8 * (wide - 1 - i)) & 255);
	return 2 + wide;
}

static struct sse_block *
make_frame(enum opcode opcode, struct str payload)
{
	char head[10];
	struct str parts[] = { { head, write_head(head, opcode, payload.n) }, payload };

	return sse_block_join(parts, COUNT(parts));
}

struct sse_block *
ws_frame_block(struct str text)
{
	return make_frame(TEXT, text);
}

/* Of a head of ours and the payload behind it. */
static size_t
frame_size(const char *head)
{
	const uint8_t *p = (const uint8_t *)head;
	size_t wide = p[1] <= 125 ? 0 : p[1] == 126 ? 2 : 8, n = 0;

	for (size_t i = 0; i < wide; i++)
		n = n << 8 | p[2 + i];
	return 2 + wide + (wide == 0 ? p[1] : n);
}

size_t
ws_block_frames(const struct sse_block *b)
{
	size_t at = 0, n = 0;

	for (; at < b->n; n++)
		at += frame_size(b->bytes + at);
	assert(at == b->n);
	return n;
}

void
ws_add_frame(struct buf *b, struct str text)
{
	char head[10];

	buf_add(b, (struct str){ head, write_head(head, TEXT, text.n) });
	buf_add(b, text);
}

static struct ws *
ws_of(struct http_req *r)
{
	return &request_of(r)->ws;
}

/* True from ws_begin to its end, or until it was told gone. */
static void
check_ws(const struct ws *w)
{
	assert(w != NULL && w->r != NULL && w == ws_of(w->r));
	assert(w->r->streaming && !request_of(w->r)->answered);
	assert(w->on != NULL && w->beat.fire != NULL);
}

static void
update_hold(struct ws *w)
{
	if (w->r->conn != NULL && !w->r->conn->failed)
		http_conn_hold(w->r->conn, w->full || w->held);
}

void
ws_send_block(struct ws *w, struct sse_block *b)
{
	struct http_conn *c = w->r->conn;

	check_ws(w);
	if (c == NULL || c->failed)
		return;
	http_turn_push(c, &w->turn, b);
	if (!w->full && http_turn_queued(c, &w->turn) > c->l->hs->limits.ws_unread) {
		w->full = true;
		update_hold(w);
	}
}

static void
send_frame(struct ws *w, enum opcode opcode, struct str payload)
{
	struct sse_block *b = make_frame(opcode, payload);

	ws_send_block(w, b);
	sse_block_drop(b);
}

void
ws_send_text(struct ws *w, struct str text)
{
	send_frame(w, TEXT, text);
}

size_t
ws_queued(const struct ws *w)
{
	check_ws(w);
	return w->r->conn == NULL ? 0 : http_turn_queued(w->r->conn, &w->turn);
}

void
ws_when_empty(struct ws *w, void (*empty)(void *ctx))
{
	check_ws(w);
	http_turn_when_empty(request_of(w->r), empty, w->ctx);
}

void
ws_hold(struct ws *w, bool held)
{
	check_ws(w);
	w->held = held;
	update_hold(w);
}

static void
ws_flush(struct http_conn *c)
{
	struct ws *w = &c->req->ws;

	check_ws(w);
	http_turn_flush(c, &w->turn, false);
	if (w->full && c->out.bytes == 0) {
		w->full = false;
		update_hold(w);
	}
}

/* ---- the end ------------------------------------------------------------------------- */

static void
stop(struct ws *w)
{
	shard_timer_cancel(w->r->shard, &w->beat);
	http_out_release(&w->turn.out);
	ws_read_release(&w->read);
}

static void
ws_gone(struct http_req *r)
{
	struct ws *w = ws_of(r);

	check_ws(w);
	stop(w);
	w->on->gone(w->ctx, WS_LOST);
	http_stream_end(r);
}

static void
finish(struct ws *w, void (*end)(struct http_req *r))
{
	struct http_req *r = w->r;

	check_ws(w);
	if (r->conn != NULL && !r->conn->failed)
		ws_flush(r->conn);
	stop(w);
	r->gone = NULL;
	request_of(r)->flush = NULL;
	end(r);
}

/* As much of s as a close frame has room for; whole characters. */
static struct str
fit_reason(struct str s)
{
	size_t n = 0, step;

	while ((step = str_utf8_step(str_sub(s, n, s.n))) > 0 && n + step <= CONTROL_MAX - 2)
		n += step;
	return str_sub(s, 0, n);
}

void
ws_close(struct ws *w, unsigned code, struct str reason)
{
	char payload[CONTROL_MAX];
	size_t n = 0;

	assert(code >= WS_NORMAL && code <= 4999 && code != WS_LOST);
	reason = fit_reason(reason);
	if (code != WS_NO_CODE) {
		payload[0] = (char)(code >> 8);
		payload[1] = (char)(code & 255);
		if (reason.n > 0)
			memcpy(payload + 2, reason.p, reason.n);
		n = 2 + reason.n;
	}
	send_frame(w, CLOSE, (struct str){ payload, n });
	finish(w, http_stream_end);
}

void
ws_abort(struct ws *w)
{
	finish(w, http_stream_abort);
}

/* The client broke a rule, or closes.  gone is called first: it may still use the
 * request. */
static void
tell_and_close(struct ws *w, unsigned code, struct str reason)
{
	w->on->gone(w->ctx, code);
	ws_close(w, code, reason);
}

/* ---- from the client ------------------------------------------------------------------ */

/* Too many in this second? */
static bool
count_control(struct ws *w)
{
	nsec now = shard_now(w->r->shard);

	if (now - w->second >= NS_PER_S) {
		w->second = now;
		w->controls = 0;
	}
	return ++w->controls > w->read.limits->controls;
}

static void
on_control(struct ws *w, enum ws_got got)
{
	if (count_control(w))
		tell_and_close(w, WS_POLICY, S("too many pings and pongs"));
	else if (got == WS_GOT_PING)
		send_frame(w, PONG, ws_read_payload(&w->read));
}

static void
on_text(struct ws *w)
{
	struct request *q = request_of(w->r);
	struct buf text = q->body;

	q->body = BUF(text.max);
	http_request_give_back(q);
	w->on->message(w->ctx, buf_str(&text));
	buf_release(&text);
}

void
ws_conn_shed(struct http_conn *c)
{
	tell_and_close(&c->req->ws, WS_AGAIN, S("too many messages are being read; try again"));
}

/* False: there is nothing more. */
static bool
take_next(struct ws *w, struct http_conn *c)
{
	enum ws_got got = ws_read_next(&w->read);

	if (!http_room_for_request(c)) {
		ws_conn_shed(c);
		return false;
	}
	switch (got) {
	case WS_GOT_NOTHING:
		return false;
	case WS_GOT_TEXT:
		on_text(w);
		break;
	case WS_GOT_PING:
	case WS_GOT_PONG:
		on_control(w, got);
		break;
	case WS_GOT_CLOSE:
		tell_and_close(w, w->read.code, STR_NONE);
		break;
	case WS_GOT_BAD:
		tell_and_close(w, w->read.code, str_of(w->read.why));
		break;
	}
	return true;
}

size_t
ws_conn_bytes(struct http_conn *c, const char *at, size_t n)
{
	struct request *q = c->req;
	struct ws *w = &q->ws;
	size_t left;

	check_ws(w);
	assert(!c->held);
	if (n > 0)
		w->asked = false;
	ws_read_give(&w->read, at, n);
	while (take_next(w, c) && c->req == q && !q->answered && !c->failed && !c->held)
		;
	if (c->req != q || q->answered)
		return n;
	left = (size_t)(w->read.end - w->read.at);
	w->read.at = w->read.end = NULL;
	return n - left;
}

static void
on_beat(struct wheel_timer *t)
{
	static struct sse_block ping = {
		.refs = 1, .charged = 2, .n = 2, .bytes = { (char)(FIN | PING), 0 },
	};
	struct ws *w = CONTAINER_OF(t, struct ws, beat);
	struct http_conn *c = w->r->conn;

	check_ws(w);
	if (c == NULL || c->failed)
		return;
	if (w->asked && !c->held) {
		log_info("net", "socket_silent", "peer=%s", c->peer);
		http_conn_fail(c);
		return;
	}
	w->asked = true;
	ws_send_block(w, &ping);
	shard_timer_set(w->r->shard, &w->beat, c->l->hs->limits.ws_ping);
}

/* ---- the begin -------------------------------------------------------------------------- */

static void
send_head(struct http_req *r, struct str protocol, struct str extra)
{
	struct buf b = BUF(LIMIT_HTTP_HEADER_BYTES);

	buf_lit(&b, "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ");
	add_accept(&b, only(r, S("Sec-WebSocket-Key")));
	buf_lit(&b, "\r\n");
	if (protocol.n > 0) {
		buf_lit(&b, "Sec-WebSocket-Protocol: ");
		buf_add(&b, protocol);
		buf_lit(&b, "\r\n");
	}
	buf_add(&b, extra);
	assert(!b.failed);
	http_upgrade(r, buf_str(&b));
	buf_release(&b);
}

struct ws *
ws_begin(struct http_req *r, struct str protocol, struct str extra,
    const struct ws_events *on, void *ctx)
{
	struct request *q = request_of(r);
	struct ws *w = &q->ws;

	http_request_fit(q);
	*w = (struct ws){ .r = r, .on = on, .ctx = ctx, .beat.fire = on_beat };
	send_head(r, protocol, extra);
	http_on_gone(r, ws_gone);
	if (r->conn == NULL)
		return w;
	ws_read_init(&w->read, &r->conn->l->hs->limits.ws, &q->body);
	q->flush = ws_flush;
	w->second = shard_now(r->shard);
	shard_timer_set(r->shard, &w->beat, r->conn->l->hs->limits.ws_ping);
	return w;
}
