/*
 * trace_priv.h - what the files of this room share: trace.c records, otlp.c writes and
 * reads the protocol, send.c posts.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TRACE_TRACE_PRIV_H
#define TRACE_TRACE_PRIV_H

#include <stdatomic.h>

#include "base/limits.h"
#include "base/log.h"
#include "trace/trace.h"

#define SPAN_ATTRS    20
#define SPAN_TEXT     768                    /* of all its texts */
#define SPAN_CONTENTS 2

struct trace_attr {
	const char *key;
	enum { ATTR_TEXT, ATTR_TEXTS, ATTR_INT, ATTR_REAL } kind;
	union {
		struct { uint16_t at, n; } text;
		int64_t number;
		double real;
	} u;
};

struct trace_span {
	struct tracer *tracer;
	struct trace_at at;                  /* span: its own */
	uint64_t parent;
	enum trace_kind kind;
	nsec start, end;
	bool failed;
	uint16_t name_n, message_at, message_n;
	unsigned attrs_n, contents_n;
	size_t text_n;
	struct trace_attr attrs[SPAN_ATTRS];
	struct { const char *key; char *text; size_t n; } contents[SPAN_CONTENTS];
	char text[SPAN_TEXT];                /* its name first */
};

struct tracing {
	struct buf url, headers, service, instance;
	double sample;
	bool content;
	_Atomic int64_t node;
	atomic_ullong exported, dropped, rejected, failed, waiting;
};

struct tracer {
	struct tracing *of;
	struct shard *shard;
	struct client *client;
	struct trace_span *ring;             /* LIMIT_TRACE_SPANS */
	size_t first, n;
	size_t content;                      /* bytes of contents in it */
	struct shard_job job;                /* a batch is full */
	struct wheel_timer timer;            /* what is there leaves; or is tried again */
	struct wheel_timer deadline;         /* of draining */
	struct client_call *call;            /* under way; NULL: none */
	struct buf body;                     /* of it, or to be tried again; n 0: none */
	struct buf answer;
	size_t batch;                        /* spans in body */
	unsigned tries;
	struct log_spell spell;
	bool draining;
	void (*drained)(void *ctx);
	void *drained_ctx;
};

/* otlp.c: the first spans of the ring as a request; *n of them. */
void otlp_write(struct buf *b, const struct tracer *t, size_t *n);
/* How many of a request were refused, and why (borrowed from d). */
uint64_t otlp_rejected(struct str answer, struct buf *why);
/* send.c: there is one more. */
void send_look(struct tracer *t);
/* trace.c: the first n leave the ring. */
void ring_drop(struct tracer *t, size_t n);

#endif
