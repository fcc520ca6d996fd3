/*
 * trace.h - spans, and how they reach a collector: OTLP over HTTP, as JSON.
 *
 * What a shard did becomes records of a fixed size in a ring of its own; text is made of
 * them when they leave, at most LIMIT_TRACE_BATCH at once, one request a shard at a time.
 * Nobody waits for that: what finds the ring full is dropped and counted.  A collector
 * that says 429, 502, 503 or 504, or cannot be reached, is asked again after a pause that
 * grows, or the one that it names.
 *
 *   what            begins and ends with        span id
 *   HTTP request    the request                 random
 *   run             made, its last commit       of the run's id
 *   step            its tasks, its checkpoint   of the run's id, namespace and number
 *   task            its attempt                 of the task's id
 *   model, tool     the call                    random
 *
 * Ids that are made of other ids are the same after a crash: what an attempt that was cut
 * off has exported has its parents when the next one ends.
 *
 * Threads: a struct tracer belongs to its shard; stats are read by any.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TRACE_TRACE_H
#define TRACE_TRACE_H

#include "net/client.h"
#include "trace/at.h"

struct tracing;                              /* one a process */
struct tracer;                               /* one a shard */
struct trace_span;

struct tracing_options {
	struct str url;                      /* where batches are posted */
	struct str headers;                  /* "name=value,name=value", values percent-
	                                        encoded as in OTEL_EXPORTER_OTLP_HEADERS */
	struct str service;                  /* service.name */
	struct str instance;                 /* service.instance.id */
	double sample;                       /* of traces that begin here, 0 to 1 */
	bool content;                        /* what models and tools are told and say */
};

/* ERR_INVALID: the headers, or the URL. */
int  tracing_new(struct tracing **out, const struct tracing_options *o, struct err *e);
void tracing_free(struct tracing *t);
/* The number of this node among others; any thread; 0: none. */
void tracing_set_node(struct tracing *t, int64_t node);
/* The headers as lines "name: value\r\n".  ERR_INVALID. */
int  tracing_add_headers(struct str list, struct buf *out, struct err *e);
/* The checks of settings. */
int  tracing_check_headers(struct str list, struct err *e);
int  tracing_check_url(struct str url, struct err *e);

struct tracer *tracer_new(struct tracing *t, struct shard *s, struct client *c);
/* Sends what is there; done when it is sent, or at_most later. */
void tracer_drain(struct tracer *t, msec at_most, void (*done)(void *ctx), void *ctx);
void tracer_free(struct tracer *t);          /* NULL: nothing */

/* May be asked of NULL: false. */
bool tracer_keeps_content(const struct tracer *t);
/* Makes *at a place in a trace: that of the header, or a new trace with this id. */
void tracer_begin(const struct tracer *t, struct trace_at *at, struct str traceparent,
    const struct uuid *id);

/* As OTLP numbers them. */
enum trace_kind { TRACE_INTERNAL = 1, TRACE_SERVER = 2, TRACE_CLIENT = 3 };

/* A span that is over.  parent: its trace, and the span around it (zero: none).  NULL: it
 * is not recorded, by the trace's choice or for want of room; the functions below take
 * that.  Good until the next one. */
struct trace_span *trace_add(struct tracer *t, const struct trace_at *parent, uint64_t id,
    enum trace_kind kind, struct str name, nsec start, nsec end);
/* key: a literal.  What does not fit is left out. */
void trace_text(struct trace_span *s, const char *key, struct str value);
void trace_int(struct trace_span *s, const char *key, int64_t value);
void trace_real(struct trace_span *s, const char *key, double value);
/* A list of one text. */
void trace_texts(struct trace_span *s, const char *key, struct str value);
/* What was told and said; only if the tracer keeps content. */
void trace_content(struct trace_span *s, const char *key, struct str value);
/* It failed: error.type, and words. */
void trace_failed(struct trace_span *s, struct str type, struct str message);

nsec trace_now(void);                        /* Unix time */

struct trace_stats {
	uint64_t exported, dropped, rejected, failed;
	uint64_t waiting;                    /* now */
};
void trace_stats(struct trace_stats *out);   /* of the process; any thread */

#endif
