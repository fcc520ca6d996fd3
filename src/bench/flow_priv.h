/*
 * flow_priv.h - the twelve operations of an agent's life, for the flow itself and
 * for scenarios that name them.
 *
 *   flow_ops.c     requests, and the checks of their answers
 *   flow_model.c   what a real model took of a flow's time, and what it cost
 *   flow_run.c     the flow as a plan: options, how many users when, thresholds
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_FLOW_PRIV_H
#define BENCH_FLOW_PRIV_H

#include "base/id.h"
#include "base/json.h"
#include "bench/flow.h"

#define FLOW_OPS        12

/* What a model took, where the server tells it (a transcript, its counts of tokens). */
struct flow_account {
	struct hist model, server;           /* of a run: in the model; all the rest */
	uint64_t runs, untold;
	int64_t tokens_in, tokens_out, streamed;     /* streamed: of the streams alone */
	double stream_s;                     /* from first words to ends */
	double cost;                         /* USD */
};

/* Of all lives of a run. */
struct flow_setup {
	const char *graph, *model;           /* model NULL: the agent's own */
	const char *response;                /* what the model says; NULL: any words */
	const char *run;                     /* of this run, in names and keys */
	bool sdk_store;                      /* store requests in the form of the SDKs */
	struct flow_account *account;        /* NULL: nobody asks what the model took */
};

/* One user's: ids are empty until they are made. */
struct flow_life {
	const struct flow_setup *setup;
	int64_t user, round;
	char assistant[UUID_TEXT + 1], thread[UUID_TEXT + 1];
	uint64_t deltas;                     /* of the last stream */
	nsec runs_took, stream_took;         /* its runs on the thread; from the first words
	                                        of its stream to the end */
	bool counted;                        /* not of a warm-up */
};

enum { NEEDS_ASSISTANT = 1, NEEDS_THREAD = 2, NEEDS_ACCOUNT = 4 };

struct flow_op {
	const char *name;                    /* k6's tag "operation" */
	struct str method;
	void (*build)(const struct flow_life *v, struct buf *path, struct buf *body);
	/* ERR_INVALID with a message if the answer is wrong; NULL: any is right. */
	int (*check)(struct flow_life *v, struct str answer, struct err *e);
	int status, or_status;
	unsigned needs;
	bool model, stream;                  /* asks the model; streams its words */
};

extern const struct flow_op flow_ops[FLOW_OPS];
/* Reads what the model took of the runs on the thread. */
extern const struct flow_op flow_op_times, flow_op_usage;

/* Are the ids there that it needs? */
bool flow_can(const struct flow_life *v, const struct flow_op *op);

#endif
