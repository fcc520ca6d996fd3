/*
 * fuzz_ws.c - bytes of a WebSocket client: text that is UTF-8 and within the limits,
 * or a reason to close, and the same however they were cut into reads.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "net/http_priv.h"

static const struct ws_limits small = { .message = 3000, .frames = 50 };

static void
write_got(struct buf *out, const struct ws_read *w, enum ws_got got)
{
	buf_add_fmt(out, "%d:", (int)got);
	switch (got) {
	case WS_GOT_TEXT:
		assert(w->message->n <= small.message);
		assert(str_is_utf8(buf_str(w->message)));
		buf_add(out, buf_str(w->message));
		break;
	case WS_GOT_BAD:
		assert(w->ended && w->code >= 1002 && w->code <= 1009 && w->why != NULL);
		buf_add_fmt(out, "%u %s", w->code, w->why);
		break;
	default:
		assert(ws_read_payload(w).n <= 125);
		buf_add(out, ws_read_payload(w));
		break;
	}
}

static void
read_all(const uint8_t *data, size_t n, size_t step, struct buf *out)
{
	struct buf message = BUF(small.message);
	struct ws_read w;

	ws_read_init(&w, &small, &message);
	for (size_t at = 0; at < n && !w.ended; at += step) {
		size_t size = step < n - at ? step : n - at;
		char *copy = malloc(size);
		enum ws_got got;

		assert(copy != NULL);
		memcpy(copy, data + at, size);
		ws_read_give(&w, copy, size);
		while ((got = ws_read_next(&w)) != WS_GOT_NOTHING) {
			write_got(out, &w, got);
			if (got == WS_GOT_TEXT)
				buf_clear(&message);
		}
		assert(w.ended || w.at == w.end);
		free(copy);
	}
	ws_read_release(&w);
	buf_release(&message);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const size_t steps[] = { 1, 7 };
	struct buf whole = BUF(64 * MB);

	read_all(data, n, READ_SIZE, &whole);
	for (size_t i = 0; i < COUNT(steps); i++) {
		struct buf cut = BUF(64 * MB);

		read_all(data, n, steps[i], &cut);
		assert(str_eq(buf_str(&whole), buf_str(&cut)));
		buf_release(&cut);
	}
	buf_release(&whole);
	return 0;
}
