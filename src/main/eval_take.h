/*
 * eval_take.h - what a case of a dataset takes of a transcript: its input, the answers of
 * people, what models replied.
 *
 * Pure.  Values given out are owned by the caller.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_EVAL_TAKE_H
#define MAIN_EVAL_TAKE_H

#include "agent/agent.h"
#include "base/buf.h"
#include "base/val.h"

/* A run that had an input, and those that went on with it after its questions. */
struct eval_taken {
	struct val *at;                      /* entries */
	size_t n;
	struct str first, last;              /* ids of runs */
};

/* The one with this run; run empty: the last that ended well.  Entries are those of a
 * thread, in order; they are put in another order.  ERR_NOTFOUND, ERR_INVALID: why it
 * cannot be a case. */
int  eval_take_run(struct val *entries, size_t n, struct str run, struct eval_taken *out,
    struct err *e);

/* Words to tell the user, a line each, are appended to notes. */

/* before: the values of the thread when it began, or UNDEF; a: the agent, NULL: not known. */
int  eval_take_input(const struct eval_taken *t, struct val before, const struct agent *a,
    struct val *out, struct buf *notes, struct err *e);
/* A list; UNDEF: nobody was asked. */
int  eval_take_answers(const struct eval_taken *t, struct val *out, struct err *e);
int  eval_take_replies(const struct eval_taken *t, struct val *out, struct buf *notes,
    struct err *e);
/* The checkpoint of the root: the first, the last. */
struct str eval_take_checkpoint(const struct eval_taken *t, bool last);
/* What a run was told beside its input, which a case has no place for. */
void eval_take_note_config(const struct eval_taken *t, struct buf *notes);

#endif
