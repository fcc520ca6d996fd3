/*
 * worker_priv.h - what a worker says while it works on a node (worker_said.c).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TASK_WORKER_PRIV_H
#define TASK_WORKER_PRIV_H

#include "task/task_priv.h"

struct llm_piece;

/* The answer of a model that the worker passes on, one after the other. */
struct worker_said {
	char *id;                            /* as the worker has it; NULL: none is open */
	char *given;                         /* as clients see it */
	void *stream;
	struct buf text;                     /* so far, plain */
	bool deltas;                         /* somebody reads them */
};

/* [message, metadata?] of mode `messages`: a chunk, or a whole message.  False: it is no
 * such. */
bool said_hear(struct worker_said *s, struct piece *p, struct val data);
/* Nothing more is said.  output: of the node, whose message of that id is the whole one;
 * UNDEF: it has failed. */
void said_end(struct worker_said *s, struct piece *p, struct val output);
void said_release(struct worker_said *s);

/* ---- worker_offer.c ------------------------------------------------------------ */

/* A step of llm_prepare: what the tools are that the file does not describe. */
bool worker_prepare(struct llm_piece *w);
void worker_await_stop(struct llm_piece *w); /* what it waits for; more than once */
/* What the file does not say, as the worker has registered it. */
void worker_spec_fill(const struct piece *p, struct llm_tool_spec *spec, struct arena *a);

#endif
