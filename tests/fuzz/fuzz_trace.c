/*
 * fuzz_trace.c - any bytes as a traceparent, as the setting otel.headers, as an address and
 * as a collector's answer: a place that is read is written as it was, and a list that is
 * accepted makes whole header lines.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "trace/trace_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str s = { (const char *)data, n };
	struct buf why = BUF(KB);
	char text[TRACE_PARENT_SIZE + 1];
	struct trace_at at, again;
	struct err e;

	if (trace_at_parse(s, &at)) {
		assert(at.span != 0 && !uuid_is_zero(&at.trace));
		trace_at_write(text, &at);
		assert(trace_at_parse(str_of(text), &again));
		assert(memcmp(&at.trace, &again.trace, sizeof at.trace) == 0);
		assert(at.span == again.span && at.sampled == again.sampled);
	}
	if (tracing_check_headers(s, &e) == OK)
		assert(memchr(data, '\n', n) == NULL || n == 0 || memchr(data, '=', n) != NULL);
	if (tracing_check_url(s, &e) == OK)
		assert(memchr(data, '\r', n) == NULL && memchr(data, '\n', n) == NULL);
	otlp_rejected(s, &why);
	assert(why.n <= 200);
	buf_release(&why);
	return 0;
}
