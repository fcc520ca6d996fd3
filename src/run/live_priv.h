/*
 * live_priv.h - the decision core of one running run.  Pure: it takes events
 * and calls effects; it never touches a socket, a file or a clock.
 *
 * A run goes in supersteps.  One node (a chart state with an invoke) runs at
 * a time; when its work is done, its messages are reduced into the list, the
 * chart decides what is next, a checkpoint says so, and what was written is
 * shown.  Effects come in that order:
 *
 *   checkpoint, wrote, then invoke or end          (after every superstep)
 *   checkpoint x 2, wrote, then invoke or end      (at the start with input)
 *
 * After `end` no effect follows.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_LIVE_PRIV_H
#define RUN_LIVE_PRIV_H

#include "chart/chart.h"
#include "run/graph_priv.h"
#include "run/message.h"
#include "store/store.h"

/* Checkpoint seq, step and so on of where a thread stands. */
struct live_checkpoint {
	struct uuid id;
	int step;
	enum checkpoint_source source;
	struct str next;                     /* node, "__start__", or empty */
	struct uuid task_id;
	size_t keep;                         /* entries the step left untouched */
	bool with_chart;                     /* a run can go on from here */
};

/* Why a run failed, as clients are told. */
struct live_error {
	struct str name, message;            /* "RateLimitError", words */
	bool of_node;                        /* the node failed, not the run */
};

struct live_effects {
	void (*checkpoint)(void *ctx, const struct live_checkpoint *c);
	/* New messages are in the list: entries [keep, n).  node empty: input. */
	void (*wrote)(void *ctx, struct str node, const struct message_list *writes,
	    size_t keep);
	void (*invoke)(void *ctx, enum node_kind kind);
	void (*end)(void *ctx, const struct live_error *error);  /* NULL: success */
};

struct live {
	const struct live_effects *fx;
	void *ctx;
	const struct chart *chart;
	struct session *session;
	struct message_list list;            /* the thread's messages, as they are */
	bool written;                        /* the list's channel was ever written */
	int step;                            /* of the latest checkpoint */
	int64_t steps, limit;                /* supersteps begun; recursion_limit */
	int64_t free;                        /* those that do not count */
	struct uuid task_id;                 /* of the node that runs, or has failed */
	unsigned state;                      /* and its chart state */
	bool running;                        /* a node's invoke is under way */
	bool over;
	/* what the chart asked for in this macrostep */
	bool asked;
	enum node_kind kind;
	char *invokeid;
	uint32_t serial;                     /* of that invoke */
};

void live_init(struct live *lv, const struct live_effects *fx, void *ctx,
    const struct chart *chart, int64_t limit);
void live_release(struct live *lv);

/* The node that runs; its name. */
struct str live_node(const struct live *lv);

/* Starts from the input; lv->list holds the messages before it.  last_step:
 * of the thread's latest checkpoint, -2 when there is none. */
void live_start(struct live *lv, const struct message_list *input, struct str id,
    int last_step);
/* Goes on from a checkpoint with a chart snapshot; lv->steps: those that the
 * run has begun and finished before. */
void live_resume(struct live *lv, struct str id, struct str snapshot, int step,
    const struct uuid *task_id);
/* The chart as it stands, for a checkpoint. */
void live_save(const struct live *lv, struct buf *out);

/* The node that runs is done and wrote this; data: what done.invoke carries
 * (taken). */
void live_done(struct live *lv, const struct message_list *writes, struct val data);
/* It failed: the chart may know what to do about `event`, else the run ends. */
void live_failed(struct live *lv, struct str event, const struct live_error *error);
/* Stopped from outside: no more effects. */
void live_stop(struct live *lv);

/* Does the list have a message of this id? */
bool live_has_id(const struct live *lv, struct str id);

#endif
