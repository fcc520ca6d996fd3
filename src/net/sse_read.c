/*
 * sse_read.c - see sse_read.h.  Lines end with CR LF, LF or CR; what is not ended
 * by an empty line is no event.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/sse_read.h"

#include <string.h>

void
sse_read_init(struct sse_read *r, size_t max,
    bool (*event)(void *ctx, struct str type, struct str data, struct str id), void *ctx)
{
	*r = (struct sse_read){ .event = event, .ctx = ctx, .line = BUF(max),
		.type = BUF(max), .data = BUF(max), .id = BUF(max), .retry_ms = -1 };
}

void
sse_read_release(struct sse_read *r)
{
	buf_release(&r->line);
	buf_release(&r->type);
	buf_release(&r->data);
	buf_release(&r->id);
}

static void
field(struct sse_read *r, struct str name, struct str value)
{
	if (str_eq(name, S("data"))) {
		if (r->has_data)
			buf_add_char(&r->data, '\n');
		buf_add(&r->data, value);
		r->has_data = true;
	} else if (str_eq(name, S("event"))) {
		buf_clear(&r->type);
		buf_add(&r->type, value);
	} else if (str_eq(name, S("id")) && memchr(value.p, 0, value.n) == NULL) {
		buf_clear(&r->id);
		buf_add(&r->id, value);
	} else if (str_eq(name, S("retry"))) {
		(void)str_to_i64(value, &r->retry_ms);
	}
}

/* False: the hook said stop. */
static bool
take_line(struct sse_read *r, struct str line)
{
	ptrdiff_t colon = str_index(line, ':');
	bool go_on = true;

	if (line.n > 0) {
		struct str value = colon < 0 ? S("") :
		    str_sub(line, (size_t)colon + 1, line.n);

		if (str_starts(value, S(" ")))
			value = str_sub(value, 1, value.n);
		if (colon != 0)
			field(r, colon < 0 ? line : str_sub(line, 0, (size_t)colon), value);
		return true;
	}
	if (r->has_data)
		go_on = r->event(r->ctx, r->type.n > 0 ? buf_str(&r->type) : S("message"),
		    buf_str(&r->data), buf_str(&r->id));
	buf_clear(&r->type);
	buf_clear(&r->data);
	r->has_data = false;
	return go_on;
}

bool
sse_read_feed(struct sse_read *r, struct str bytes)
{
	if (!r->begun && str_starts(bytes, S("\xef\xbb\xbf")))
		bytes = str_sub(bytes, 3, bytes.n);
	r->begun = r->begun || bytes.n > 0;
	for (size_t i = 0, from = 0; i <= bytes.n && !r->failed; i++) {
		bool ends = i < bytes.n && (bytes.p[i] == '\n' || bytes.p[i] == '\r');

		if (!ends && i < bytes.n)
			continue;
		if (ends && bytes.p[i] == '\n' && r->skip_lf && i == from) {
			r->skip_lf = false;          /* the second half of CR LF */
			from = i + 1;
			continue;
		}
		if (i > from) {
			buf_add(&r->line, str_sub(bytes, from, i - from));
			r->skip_lf = false;
		}
		if (!ends)
			break;
		r->skip_lf = bytes.p[i] == '\r';
		r->failed = !take_line(r, buf_str(&r->line)) || r->line.failed || r->data.failed;
		buf_clear(&r->line);
		from = i + 1;
	}
	r->failed = r->failed || r->line.failed;
	return !r->failed;
}
