/*
 * run_hosted_fix.h - a stand-in worker, which says what langgraph says, for tests of runs whose
 * graph is in one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef UNIT_RUN_HOSTED_FIX_H
#define UNIT_RUN_HOSTED_FIX_H

#include "run_fix.h"

#define GRAPH "{\"hosted\":{\"id\":\"g\",\"build\":\"b1\"}}"
#define ALL (MODE_VALUES | MODE_UPDATES | MODE_MESSAGES_TUPLE | MODE_TASKS)
/* Checkpoints and tasks of a run of two steps: __start__, then node a. */
#define C0 "1f1e540b-1445-6870-bfff-44e8c1bca521"
#define C1 "1f1e540b-1454-62d0-8000-38663c777928"
#define C2 "1f1e540b-1476-65b0-8001-65bb9142371f"
#define TA "8bcb3ce7-18d3-5825-aa13-2395b88ca5f7"
#define M_HI "{\"type\":\"human\",\"content\":\"hi\",\"id\":\"h1\"}"
#define M_AI "{\"type\":\"ai\",\"content\":\"a b\",\"id\":\"m1\",\"tool_calls\":[]}"
#define META "{\"langgraph_node\":\"a\",\"langgraph_step\":1,\"langgraph_checkpoint_ns\":" \
	"\"a:" TA "\",\"tags\":[\"mine\"],\"ls_provider\":\"p\",\"ls_model_name\":\"m\"}"

struct hand {
	struct desk *d;
	struct uuid worker_id, task_id;
	char token[64];
	char task[65536];                    /* the task as it came */
	int64_t n;                           /* of its events */
	bool done;
	int rc;
	char out[65536];
};

void hand_register(struct hand *h, struct desk *d);
void hand_take(struct hand *h);              /* a task */
void hand_leave(struct hand *h);             /* it goes */
void hand_change(struct hand *h);            /* it goes, and another takes the task */
/* The answer, with the words of an error behind it, is in h->out. */
int  hand_call(struct hand *h, enum worker_verb verb, const char *body);

/* An event of the graph; ns: labels as JSON. */
void say(struct hand *h, const char *ns, const char *mode, const char *data);
void put(struct hand *h, const char *id, const char *parent, int step, const char *source,
    const char *values);
void write_of(struct hand *h, const char *id, const char *task, const char *more);
/* A run of two steps: its input, up to the beginning of node a; what that streams; its end. */
void say_input(struct hand *h);
void say_tokens(struct hand *h);
void say_result(struct hand *h);

int  run_g(struct ear *x, struct fix *f, unsigned thread, unsigned modes);
/* A server with one worker, which has taken a run of thread 1. */
void begin_g(struct fix *f, struct hand *h, struct ear *x, const char *medium, unsigned modes);
void end_g(struct hand *h, struct ear *x);   /* with success */

#endif
