/*
 * trace_priv.h - what a run tells of itself to a collector of traces (trace/trace.h): the
 * run, its steps, their tasks, the calls of models and tools.
 *
 * Without a tracer each function returns at once.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_TRACE_PRIV_H
#define RUN_TRACE_PRIV_H

#include "run/core_priv.h"
#include "trace/trace.h"

struct job;
struct job_task;
struct run;
struct runs;

/* A step under way. */
struct trace_step {
	struct trace_step *next;
	uint64_t span, parent;
	int number;
	nsec began;
	char ns[];                           /* NUL-ended */
};

/* A call of a tool under way. */
struct trace_tool {
	struct trace_tool *next;
	uint64_t span;
	nsec began;
	char *id, *name, *input;             /* input: NULL, or what it is given */
	bool claimed;                        /* an MCP request went out for it */
};

/* Of a job. */
struct job_trace {
	struct trace_at at;                  /* the run's span */
	uint64_t parent;                     /* around it; 0: none */
	struct trace_step *steps;
	bool on;
	bool leaves;                         /* what is under way goes on elsewhere, or in
	                                        another attempt: it is not over */
};

/* Of a call of a model. */
struct model_trace {
	uint64_t span;                       /* 0: none under way */
	nsec began, first;                   /* first: of its answer; 0: none yet */
	double temperature;
	int64_t max_tokens;
	char *asked;                         /* the model's name as it was asked; NULL */
	char *input;                         /* the conversation; NULL */
	char parent[TRACE_PARENT_SIZE + 1];  /* goes out with it */
};

/* kwargs: of the run's row. */
void job_trace_begin(struct job *j, struct str kwargs_json);
void job_trace_end(struct run *run, enum run_status status, struct str error_json);
void job_trace_release(struct job *j);
void job_trace_checkpoint(struct job *j, const struct core_checkpoint *c);

void task_trace_begin(struct job_task *t);
/* It is over.  type: empty, or why it failed. */
void task_trace_end(struct job_task *t, struct str type, struct str message);
void task_trace_release(struct job_task *t);
/* The task's span, for what goes out; "" without a tracer.  tool: of a tool call by
 * this name, if there is one. */
struct str task_trace_parent(struct job_task *t, struct str tool,
    char out[TRACE_PARENT_SIZE + 1]);
/* The run's own. */
struct str job_trace_parent(const struct job *j, char out[TRACE_PARENT_SIZE + 1]);

void tool_trace(struct job_task *t, enum task_tool_event what, struct str call_id,
    struct str name, struct val payload);

/* q gets the traceparent. */
void model_trace_begin(struct job_task *t, struct model_trace *m, struct llm_request *q);
void model_trace_first(struct model_trace *m);       /* its answer begins */
void model_trace_end(struct job_task *t, struct model_trace *m, int rc,
    const struct llm_answer *a, const char *event, const struct err *e);
/* Nobody hears its end. */
void model_trace_cut(struct job_task *t, struct model_trace *m);
/* A call that has no answer of its own (host.c): asked with hooks that end its span. */
struct llm_call *model_trace_alone(struct job_task *t, const struct llm_request *q,
    const struct llm_hooks *h, struct err *e);
void model_trace_stop(struct job_task *t, const struct llm_call *c);

/* trace_content.c: in the form of the GenAI conventions. */
char *trace_messages_in(const struct llm_request *q);
void trace_message_out(struct buf *b, struct str message_json);

#endif
