/*
 * agui.h - between the files of POST /agui/{assistant_id}: the request (agui_input.c),
 * questions and answers (agui_resume.c), the run and its stream (agui.c), events
 * (agui_tell.h).  docs/agui.md tells users what is mapped to what.
 *
 * Thread: the call's shard.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef API_AGUI_H
#define API_AGUI_H

#include "api/agui_tell.h"
#include "api/door.h"

/* A request, and the thread it is about, as it was found. */
struct agui_in {
	struct str thread, run;              /* as the client names them; in the body */
	struct uuid thread_id;
	bool subagents;                      /* the client says that it speaks 1.0, which
	                                        has them */
	bool fresh;                          /* there is no such thread yet */
	bool stopped;                        /* its last run stopped: at a question, at a
	                                        breakpoint, or by a cancel */
	struct arena arena;                  /* of what was found */
	struct json_doc values;              /* its state; root NULL: it has none */
	struct store_interrupt *open;        /* questions that wait */
	struct uuid *questions;              /* their ids */
	bool *answered;                      /* which of them have an entry */
	size_t open_n;
	struct json_doc ask;                 /* {"input"} or {"command"}, and "metadata" */
};

/* Reads c's body and fills ask.  ERR_AGAIN: as door_find.  ERR_INVALID, ERR_NOTFOUND,
 * ERR_CONFLICT (it waits for answers).  Release x in any case; ask needs it. */
/* The thread that a threadId names. */
struct uuid agui_thread(const struct call *c, struct str name);
int  agui_read(struct call *c, struct agui_in *x, struct door_ask *ask);
void agui_in_release(struct agui_in *x);

/* ---- questions (agui_resume.c) ---------------------------------------------------- */

#define AGUI_BREAKPOINT "breakpoint"         /* the id of one; it has none of its own */

/* The value of `resume` in the command that answers: {id: answer}, from the body's
 * `resume`; true: there is something to answer.  A failure is left in c->in: one that
 * waits has no entry, or an entry answers none. */
bool agui_read_resume(struct call *c, struct agui_in *x, struct buf *b);
/* The interrupts of an outcome, without brackets: of [{id, value}].  values: the state,
 * for the calls that are asked about. */
void agui_add_interrupts(struct buf *b, struct str interrupts_json, jnode values);
void agui_add_breakpoint(struct buf *b);

#endif
