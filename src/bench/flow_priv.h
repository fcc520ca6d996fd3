/*
 * flow_priv.h - what the files of the agent flow share.
 *
 *   flow.c       virtual users: one request after the other, times, counts
 *   flow_ops.c   the twelve requests and the checks of their answers
 *   flow_run.c   options, how many users when, the report
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_FLOW_PRIV_H
#define BENCH_FLOW_PRIV_H

#include "base/id.h"
#include "base/json.h"
#include "bench/flow.h"
#include "bench/load.h"
#include "bench/points.h"

#define FLOW_OPS        12
#define FLOW_ANSWER_MAX (16 * MB)
#define FLOW_STAGES_MAX 64

struct flow;
struct vu;

enum { NEEDS_ASSISTANT = 1, NEEDS_THREAD = 2 };

struct flow_op {
	const char *name;                    /* k6's tag "operation" */
	struct str method;
	void (*build)(struct vu *v, struct buf *path, struct buf *body);
	/* ERR_INVALID with a message if the answer is wrong. */
	int (*check)(struct vu *v, struct str answer, struct err *e);
	int status, or_status;
	unsigned needs;
	bool model, stream;                  /* asks the model; streams its words */
};

extern const struct flow_op flow_ops[FLOW_OPS];

struct flow_stats {
	struct hist times;
	uint64_t errors;
};

struct flow_stage {
	msec ms;
	int64_t target;
};

struct vu {
	struct flow *f;
	int64_t index, round;
	struct lean_conn *conn;
	bool busy, measured, flow_ok;
	size_t op;
	nsec sent, flow_began, first_words;
	uint64_t bytes_in, bytes_out;        /* of this flow */
	char assistant[UUID_TEXT + 1], thread[UUID_TEXT + 1];
	struct buf path, body, answer;
	struct wheel_timer pause;
};

struct flow {
	const struct flow_options *o;
	struct load load;
	char run[9];                         /* of this run, in names and keys */

	struct flow_stage stage[FLOW_STAGES_MAX];
	size_t stages_n;
	struct vu *vus;
	int64_t vus_max, target_vus, busy;
	struct wheel_timer tick;
	nsec began, measure_at;
	bool measuring, stopping;

	struct flow_stats op[FLOW_OPS], all;
	struct hist flows, first_words;
	uint64_t flows_ok, flows_failed, flows_warm, started;
	uint64_t model_calls, deltas, bytes_in, bytes_out;
	struct err sample;                   /* the first error */
	struct points *points;
};

/* flow.c */
void vu_start(struct vu *v);                 /* one flow, then the next, ... */
void vu_init(struct vu *v, struct flow *f, int64_t index);
void vu_release(struct vu *v);
bool flow_wants(const struct flow *f, int64_t index);    /* another flow? */

/* flow_run.c: users at a moment of the schedule; the schedule's length. */
int  flow_stages_parse(const char *text, struct flow_stage *out, size_t *n,
    struct err *e);
int64_t flow_users_at(const struct flow_stage *s, size_t n, msec t);
msec flow_stages_length(const struct flow_stage *s, size_t n);

#endif
