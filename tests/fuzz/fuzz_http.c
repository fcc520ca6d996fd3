/*
 * fuzz_http.c - requests from anyone: refused or read, and the same however
 * the bytes were cut into reads.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "net/http_priv.h"

static void
write_request(struct buf *out, const struct request *q)
{
	const struct http_req *r = &q->r;
	struct str v;

	assert(r->path.n > 0 && str_is_utf8(r->path));
	assert(memchr(r->path.p, '\0', r->path.n) == NULL);
	assert(r->headers_n <= LIMIT_HTTP_HEADER_COUNT);
	buf_add_fmt(out, "%.*s %.*s ? %.*s\n", FMT(r->method), FMT(r->path), FMT(r->query));
	for (size_t i = 0; i < r->headers_n; i++)
		buf_add_fmt(out, "%.*s: %.*s\n", FMT(r->headers[i].name),
		    FMT(r->headers[i].value));
	buf_add(out, r->body);
	if (http_query(&((struct request *)(uintptr_t)q)->r, S("q"), 0, &v))
		assert(str_is_utf8(v));
}

/* Reads all requests, `step` bytes a read, and writes down what they say. */
static void
read_all(const uint8_t *data, size_t n, size_t step, struct buf *out)
{
	struct http_parse p;
	struct request q;
	size_t at = 0;
	enum parse_result result = PARSE_MORE;

	http_request_init(&q);
	http_parse_begin(&p, &q);
	while (at < n && result != PARSE_REFUSED) {
		size_t size = step < n - at ? step : n - at;
		char *copy = malloc(size);
		const char *from = copy, *end = copy + size;

		assert(copy != NULL);
		memcpy(copy, data + at, size);
		while (from < end && result != PARSE_REFUSED) {
			result = http_parse_feed(&p, &from, end);
			if (result == PARSE_HEAD && !http_parse_allow(&p, 1000))
				result = PARSE_REFUSED;
			if (result == PARSE_DONE) {
				write_request(out, &q);
				http_request_clear(&q);
				http_parse_begin(&p, &q);
			}
		}
		free(copy);
		at += size;
	}
	if (result == PARSE_REFUSED) {
		assert(p.status >= 400 && p.why != NULL);
		buf_lit(out, "refused");
	}
	http_request_release(&q);
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
