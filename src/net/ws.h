/*
 * ws.h - the server's side of WebSockets (RFC 6455), text messages only.
 *
 * A handler checks the request (ws_check) and makes a socket of it (ws_begin)
 * instead of answering.  wslay takes frames apart; frames to the client are
 * blocks as those of sse.h, encoded once and shared, and the same rules hold
 * for readers that fall behind.  Extensions are not negotiated.
 *
 * Pings are answered, and one is sent every LIMIT_WS_PING_MS: a client that
 * has sent nothing since the last one is gone.  A client that breaks the
 * protocol or a limit (LIMIT_WS_*) hears why in a close frame:
 *   1002  frames against RFC 6455        1008  too many frames
 *   1003  a binary message               1009  a message that is too long
 *   1007  text that is not UTF-8         1013  no room to read it; try again
 * While more than LIMIT_WS_UNREAD_BYTES are queued, its messages are not read.
 *
 * Threads: a socket belongs to its request's shard.  Nothing here calls out
 * from inside a call of this header.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NET_WS_H
#define NET_WS_H

#include "net/sse.h"

struct ws;

enum ws_code {
	WS_NORMAL = 1000, WS_GOING_AWAY = 1001, WS_PROTOCOL = 1002, WS_UNSUPPORTED = 1003,
	WS_NO_CODE = 1005, WS_LOST = 1006,   /* never on the wire */
	WS_NOT_UTF8 = 1007, WS_POLICY = 1008, WS_TOO_BIG = 1009, WS_FAILED = 1011,
	WS_RESTART = 1012, WS_AGAIN = 1013
};

struct ws_events {
	/* Text, UTF-8; borrowed until it returns. */
	void (*message)(void *ctx, struct str text);
	/* The last call, unless ws_close or ws_abort was called; neither the
	 * socket nor its request may be used after it.  code: what the client sent
	 * (WS_NO_CODE: a close frame without one), what it was sent for breaking a
	 * rule, or WS_LOST. */
	void (*gone)(void *ctx, unsigned code);
};

/* 0, or the status to refuse the request with, and why in e: 426 (with
 * WS_UPGRADE_LINES) when it does not ask for a WebSocket of version 13, 400 when it
 * does so badly. */
int  ws_check(const struct http_req *r, struct err *e);
#define WS_UPGRADE_LINES \
	S("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n")

/* The nth (0..) subprotocol that the client offers; false when there is no nth. */
bool ws_offered(const struct http_req *r, size_t nth, struct str *protocol);

/* r passed ws_check.  Its arena, body and user are gone, for a socket may be open for
 * days; path and headers stay.  protocol: one that was offered, or STR_NONE.  extra: whole
 * header lines, or STR_NONE.  on is not copied. */
struct ws *ws_begin(struct http_req *r, struct str protocol, struct str extra,
    const struct ws_events *on, void *ctx);

/* A message as one frame. */
struct sse_block *ws_frame_block(struct str text);
size_t ws_block_frames(const struct sse_block *b);       /* how many it has */
void ws_add_frame(struct buf *b, struct str text);
void ws_send_block(struct ws *w, struct sse_block *b);   /* whole frames; takes no
                                                reference */
void ws_send_text(struct ws *w, struct str text);

/* Bytes that the kernel has not taken yet. */
size_t ws_queued(const struct ws *w);
/* As sse_when_empty, with the ctx of ws_begin. */
void ws_when_empty(struct ws *w, void (*empty)(void *ctx));
/* No more messages until it is let go; what the client sends stays with it.  A
 * message that is being given is the last one. */
void ws_hold(struct ws *w, bool held);

/* Sends what is queued and a close frame, and ends; gone is not called.  reason:
 * UTF-8, of which 123 bytes are sent. */
void ws_close(struct ws *w, unsigned code, struct str reason);
/* Resets the connection.  gone is not called. */
void ws_abort(struct ws *w);

#endif
