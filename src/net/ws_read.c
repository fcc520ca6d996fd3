/*
 * ws_read.c - frames of a WebSocket client, put together.
 *
 * wslay reads the frames: heads, lengths, masks.  What a frame may be where it
 * stands, and how much, is decided here.
 *
 * A context of wslay is 4 KB, and most sockets are between two frames: a struct
 * ws_frame is there from a frame's begin until one has ended and wslay holds none
 * of the next.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/ws_priv.h"

#include <assert.h>
#include <string.h>
#include <wslay/wslay.h>

#include "base/check.h"
#include "base/mem.h"
#include "net/ws.h"

struct ws_frame {
	struct wslay_frame_context *wslay;
	size_t control_n;
	char control[125];                   /* payload of a control frame */
};

void
ws_read_init(struct ws_read *w, const struct ws_limits *limits, struct buf *message)
{
	*w = (struct ws_read){ .limits = limits, .message = message };
}

static void
drop_frame(struct ws_read *w)
{
	if (w->frame == NULL)
		return;
	wslay_frame_context_free(w->frame->wslay);
	free(w->frame);
	w->frame = NULL;
}

void
ws_read_release(struct ws_read *w)
{
	drop_frame(w);
}

void
ws_read_give(struct ws_read *w, const char *at, size_t n)
{
	assert(w->at == w->end || w->ended);
	w->at = at;
	w->end = n == 0 ? at : at + n;
}

static enum ws_got
bad(struct ws_read *w, unsigned code, const char *why)
{
	w->ended = true;
	w->code = code;
	w->why = why;
	return WS_GOT_BAD;
}

/* ---- wslay --------------------------------------------------------------------- */

static ssize_t
give_bytes(uint8_t *to, size_t n, int flags, void *ctx)
{
	struct ws_read *w = ctx;
	size_t left = (size_t)(w->end - w->at);

	(void)flags;
	if (left == 0)
		return -1;                   /* not yet */
	n = n < left ? n : left;
	memcpy(to, w->at, n);
	w->at += n;
	w->held += n;
	return (ssize_t)n;
}

static void
make_frame(struct ws_read *w)
{
	static const struct wslay_frame_callbacks calls = { .recv_callback = give_bytes };
	int rc;

	w->frame = mem_new(struct ws_frame);
	rc = wslay_frame_context_init(&w->frame->wslay, &calls, w);
	assert(rc == 0);                     /* it fails without memory only */
	w->held = 0;
}

/* Bytes of a frame before its payload (RFC 6455 section 5.2). */
static size_t
head_size(const struct wslay_frame_iocb *f)
{
	size_t length = f->payload_length <= 125 ? 0 : f->payload_length <= UINT16_MAX ? 2 : 8;

	return 2 + length + (f->mask ? 4 : 0);
}

/* ---- frames -------------------------------------------------------------------- */

static enum ws_got
begin_data(struct ws_read *w, uint64_t n)
{
	if (w->opcode == WSLAY_BINARY_FRAME)
		return bad(w, WS_UNSUPPORTED, "binary messages are not supported; send text");
	if (w->open != (w->opcode == WSLAY_CONTINUATION_FRAME))
		return bad(w, WS_PROTOCOL, w->open ? "a message inside another" :
		    "a continuation of no message");
	w->open = true;
	if (++w->frames > w->limits->frames)
		return bad(w, WS_POLICY, "too many frames in one message");
	if (n > w->limits->message - w->message->n)
		return bad(w, WS_TOO_BIG, "the message is too long");
	return WS_GOT_NOTHING;
}

static enum ws_got
begin_frame(struct ws_read *w, const struct wslay_frame_iocb *f)
{
	w->inside = true;
	w->left = f->payload_length;
	w->opcode = f->opcode;
	w->fin = f->fin;
	w->held -= head_size(f);
	if (!f->mask)
		return bad(w, WS_PROTOCOL, "a frame without a mask");
	if (f->rsv != 0)
		return bad(w, WS_PROTOCOL, "a reserved bit; no extension was negotiated");
	switch (f->opcode) {
	case WSLAY_CONTINUATION_FRAME:
	case WSLAY_TEXT_FRAME:
	case WSLAY_BINARY_FRAME:
		return begin_data(w, f->payload_length);
	case WSLAY_PING:
	case WSLAY_PONG:
	case WSLAY_CONNECTION_CLOSE:
		w->frame->control_n = 0;
		return WS_GOT_NOTHING;       /* wslay has seen that it is short */
	default:
		return bad(w, WS_PROTOCOL, "a reserved opcode");
	}
}

static void
add_payload(struct ws_read *w, const struct wslay_frame_iocb *f)
{
	struct ws_frame *x = w->frame;

	w->left -= f->data_length;
	w->held -= f->data_length;
	if (!wslay_is_ctrl_frame(w->opcode)) {
		buf_add(w->message, (struct str){ (const char *)f->data, f->data_length });
		assert(!w->message->failed);
	} else if (f->data_length > 0) {
		assert(x->control_n + f->data_length <= sizeof x->control);
		memcpy(x->control + x->control_n, f->data, f->data_length);
		x->control_n += f->data_length;
	}
}

/* What an endpoint may send (section 7.4, and IANA's registry). */
static bool
is_close_code(unsigned code)
{
	return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
	    (code >= 3000 && code <= 4999);
}

struct str
ws_read_payload(const struct ws_read *w)
{
	struct str all = { w->frame->control, w->frame->control_n };

	return w->opcode == WSLAY_CONNECTION_CLOSE ? str_sub(all, 2, all.n) : all;
}

static enum ws_got
end_close(struct ws_read *w)
{
	const uint8_t *p = (const uint8_t *)w->frame->control;
	size_t n = w->frame->control_n;

	if (n == 1)
		return bad(w, WS_PROTOCOL, "a close code of one byte");
	w->code = WS_NO_CODE;
	if (n >= 2)
		w->code = (unsigned)p[0] << 8 | p[1];
	if (n >= 2 && !is_close_code(w->code))
		return bad(w, WS_PROTOCOL, "a close code that may not be sent");
	if (!str_is_utf8(ws_read_payload(w)))
		return bad(w, WS_NOT_UTF8, "a reason that is not UTF-8");
	w->ended = true;
	return WS_GOT_CLOSE;
}

static enum ws_got
end_frame(struct ws_read *w)
{
	w->inside = false;
	switch (w->opcode) {
	case WSLAY_PING:
		return WS_GOT_PING;
	case WSLAY_PONG:
		return WS_GOT_PONG;
	case WSLAY_CONNECTION_CLOSE:
		return end_close(w);
	default:
		break;
	}
	if (!w->fin)
		return WS_GOT_NOTHING;
	w->open = false;
	w->frames = 0;
	return str_is_utf8(buf_str(w->message)) ? WS_GOT_TEXT :
	    bad(w, WS_NOT_UTF8, "the message is not UTF-8");
}

/* One piece of a frame. */
static enum ws_got
take_piece(struct ws_read *w, const struct wslay_frame_iocb *f)
{
	enum ws_got got = w->inside ? WS_GOT_NOTHING : begin_frame(w, f);

	if (got != WS_GOT_NOTHING)
		return got;
	add_payload(w, f);
	return w->left == 0 ? end_frame(w) : WS_GOT_NOTHING;
}

enum ws_got
ws_read_next(struct ws_read *w)
{
	enum ws_got got = WS_GOT_NOTHING;

	while (got == WS_GOT_NOTHING && !w->ended) {
		struct wslay_frame_iocb f;
		ssize_t n;

		if (w->frame == NULL && w->at == w->end)
			break;
		if (w->frame == NULL)
			make_frame(w);
		n = wslay_frame_recv(w->frame->wslay, &f);
		if (n == WSLAY_ERR_WANT_READ)
			break;
		got = n < 0 ? bad(w, WS_PROTOCOL, "a malformed frame") : take_piece(w, &f);
	}
	if (got == WS_GOT_NOTHING && (w->ended || (!w->inside && w->held == 0)))
		drop_frame(w);
	return got;
}
