/*
 * sse.h - Server-Sent Events (WHATWG HTML section 9.2) to one client.
 *
 * Blocks are encoded once and shared: a block is reference counted bytes of
 * one or more whole frames.  A writer tries the socket first; what does not
 * fit waits in the connection's queue, and is charged to account_output, once
 * however many wait for it.  A client that was up to date, or has read a
 * LIMIT_SSE_QUEUE_BYTES since the last turn, may have everything of one turn
 * waiting and LIMIT_SSE_QUEUE_BYTES beyond it; past that it is cut (it resumes
 * by Last-Event-ID).  `: heartbeat` goes out strictly
 * every LIMIT_SSE_HEARTBEAT_MS.  Writes of one loop turn leave in one write.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NET_SSE_H
#define NET_SSE_H

#include <stdatomic.h>
#include "net/http.h"

struct sse_block {
	atomic_uint refs;
	atomic_uint charged;                 /* bytes of account_output */
	uint32_t n;
	uint32_t size;                       /* sse.c's */
	char bytes[];
};

/* One reference; bytes are to be written by the caller, before it is shared. */
struct sse_block *sse_block_alloc(size_t n);
struct sse_block *sse_block_new(struct str bytes);
struct sse_block *sse_block_join(const struct str *parts, size_t n);
/* Whoever lets it wait says so: it is in the account until it is freed. */
void sse_block_charge(struct sse_block *b);
struct sse_block *sse_block_ref(struct sse_block *b);
void sse_block_drop(struct sse_block *b);    /* any thread */

struct sse;

/* Starts the answer: text/event-stream, no-cache, X-Accel-Buffering: no, and
 * `extra` header lines.  gone(ctx) runs once if the client leaves or is cut,
 * never from inside sse_begin or sse_send; after it neither the sse nor r
 * may be used. */
struct sse *sse_begin(struct http_req *r, struct str extra,
    void (*gone)(void *ctx), void *ctx);
/* Heartbeats end with their line: some clients take the blank line behind a comment
 * for an event without data.  After sse_begin, at once. */
void sse_beat_bare(struct sse *s);
/* For a stream that may be open for days: the request's arena, body and user go, its
 * path and headers stay. */
void sse_trim(struct sse *s);
void sse_send(struct sse *s, struct sse_block *b);       /* takes no reference */
/* Bytes that the kernel has not taken yet. */
size_t sse_queued(const struct sse *s);
/* empty(ctx of sse_begin) runs once, at the end of a turn, when nothing is queued: of
 * this turn, if nothing is now.  Not after gone, sse_end or sse_abort. */
void sse_when_empty(struct sse *s, void (*empty)(void *ctx));
void sse_end(struct sse *s);                 /* orderly; gone is not called */
/* What was sent goes to the kernel, then the connection is reset: the client
 * is to come back, not to believe that this was all.  gone is not called. */
void sse_abort(struct sse *s);

/* Appends one frame to b: `event: name\ndata: ...\n[id: N\n]\n`.  data must be
 * one line.  id < 0: no id line. */
void sse_add_frame(struct buf *b, struct str name, struct str data, int64_t id);

#endif
