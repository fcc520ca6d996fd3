/*
 * at.h - a place in a distributed trace (W3C Trace Context, level 1): which trace, which
 * span of it, and whether the trace is recorded.
 *
 * Pure.  A place of zeros is none.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TRACE_AT_H
#define TRACE_AT_H

#include "base/buf.h"
#include "base/id.h"

struct trace_at {
	struct uuid trace;                   /* zero: none */
	uint64_t span;                       /* zero: the trace has none yet */
	bool sampled;                        /* its spans are recorded */
};

#define TRACE_PARENT_SIZE 55                 /* 00-32 digits-16 digits-01 */

/* A header `traceparent` of any version; false: it is none, or its ids are zero. */
bool trace_at_parse(struct str s, struct trace_at *out);
/* The same as version 00; nothing for a place of zeros. */
void trace_at_write(char out[TRACE_PARENT_SIZE + 1], const struct trace_at *at);
void trace_at_add(struct buf *b, const struct trace_at *at);

/* The id of a span that every attempt, and every node, makes alike: of what has this id,
 * and its part.  Never zero. */
uint64_t trace_span_of(const struct uuid *id, struct str part, int64_t number);
uint64_t trace_span_random(void);

/* Is a trace of this id within the ratio (0 to 1)?  All nodes say the same. */
bool trace_in_ratio(const struct uuid *trace, double ratio);

#endif
