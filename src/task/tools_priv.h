/*
 * tools_priv.h - the calls of an ai message: tools.c runs them, review.c lets a
 * person decide first.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TASK_TOOLS_PRIV_H
#define TASK_TOOLS_PRIV_H

#include "task/task_priv.h"

struct slot {
	struct task_call *call;              /* under way */
	struct task_use *use;                /* the same, with a policy */
	char *id, *name, *args;
	size_t at;                           /* in the message's list */
	char *problem;                       /* NULL: the call is valid */
	char *decision;                      /* what a person said instead; or NULL */
	bool decision_ok;
	struct val result;                   /* its message; UNDEF: not yet */
};

struct tools_piece {
	struct piece p;
	struct slot *slots;                  /* the valid calls, then the others */
	size_t n, valid, open;
	size_t waiting;                      /* for a person */
	bool records;                        /* every result: the piece may wait */
	struct val message;                  /* the ai message; UNDEF: there is none */
	struct val edited;                   /* as a person has changed it; or UNDEF */
};

/* May the calls be made?  False: the piece waits for decisions, or has failed.
 * With decisions: what they say of each call is in its slot. */
bool review_passes(struct tools_piece *w);

#endif
