/*
 * sse_read.h - events of a text/event-stream as they arrive (WHATWG HTML section
 * 9.2.6).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NET_SSE_READ_H
#define NET_SSE_READ_H

#include "base/buf.h"

struct sse_read {
	/* An event with data; id: the last one that was told.  False: stop. */
	bool (*event)(void *ctx, struct str type, struct str data, struct str id);
	void *ctx;
	struct buf line, type, data, id;
	int64_t retry_ms;                    /* the last `retry`; -1: none */
	bool begun, skip_lf, has_data, failed;
};

/* max: bytes of a line and of an event. */
void sse_read_init(struct sse_read *r, size_t max,
    bool (*event)(void *ctx, struct str type, struct str data, struct str id), void *ctx);
void sse_read_release(struct sse_read *r);
/* False: an event was too large, or the hook said stop; then it must not be fed
 * again. */
bool sse_read_feed(struct sse_read *r, struct str bytes);

#endif
