/*
 * ws_priv.h - from bytes to messages of a WebSocket client.
 *
 * Pure: no sockets, no clock.  How the bytes were cut into reads changes
 * nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NET_WS_PRIV_H
#define NET_WS_PRIV_H

#include "base/buf.h"

struct ws_frame;

struct ws_limits {
	size_t message;                      /* bytes of one */
	unsigned frames;                     /* of one message */
	unsigned controls;                   /* a second; ws.c's */
};

enum ws_got {
	WS_GOT_NOTHING,                      /* it needs more bytes */
	WS_GOT_TEXT,                         /* in *message */
	WS_GOT_PING, WS_GOT_PONG,            /* with ws_read_payload */
	WS_GOT_CLOSE,                        /* code; ws_read_payload: the reason */
	WS_GOT_BAD                           /* code and why; there is no more */
};

struct ws_read {
	const struct ws_limits *limits;
	struct buf *message;                 /* the caller's: the message under way */
	struct ws_frame *frame;              /* NULL: between two, nothing is held */
	const char *at, *end;                /* bytes that wslay has not seen */
	size_t held;                         /* bytes that it has and did not give */
	uint64_t left;                       /* of the payload under way */
	bool inside;                         /* of a frame whose head is known */
	bool fin, ended;
	uint8_t opcode;                      /* of that frame */
	bool open;                           /* a message has begun */
	unsigned frames;                     /* of it */
	unsigned code;                       /* enum ws_code, or the client's */
	const char *why;
};

void ws_read_init(struct ws_read *w, const struct ws_limits *limits, struct buf *message);
void ws_read_release(struct ws_read *w);     /* not *message */
/* What is to be read next, after the last was read to its end or w->ended. */
void ws_read_give(struct ws_read *w, const char *at, size_t n);
/* After WS_GOT_TEXT the caller empties *message. */
enum ws_got ws_read_next(struct ws_read *w);
/* Of the control frame that the last call gave. */
struct str ws_read_payload(const struct ws_read *w);

#endif
