/*
 * view.h - a thread's state as clients see it: LangGraph's ThreadState, in JSON.
 *
 *   values             every channel that is not private and has a value
 *   next, tasks        what comes next, with errors, interrupts, results
 *   metadata           of the run that made it, and of the checkpoint
 *   checkpoint, parent_checkpoint, created_at, interrupts
 *
 * Of the newest checkpoint the writes of tasks that have ended already count, and
 * those come next no more; of one that was asked for by its id they do not.
 *
 * Threads: the shard's whose reader it is.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_VIEW_H
#define RUN_VIEW_H

#include "agent/agent.h"
#include "store/store.h"

/* The members of a state; a bit each. */
enum {
	VIEW_VALUES = 1, VIEW_NEXT = 2, VIEW_TASKS = 4, VIEW_METADATA = 8,
	VIEW_CREATED = 16, VIEW_CHECKPOINT = 32, VIEW_PARENT = 64,
	VIEW_INTERRUPTS = 128, VIEW_ALL = 255
};
extern const char *const view_names[];       /* by bit; NULL-ended */

struct view {
	struct uuid thread_id;
	const struct agent *agent;           /* of the state's namespace; NULL: not
	                                        known, then all channels are shown */
	unsigned members;
	const struct str *channels;          /* only these; n 0: all */
	size_t channels_n;
	bool newest;                         /* no checkpoint was named */
	bool subgraphs;                      /* with the states of tasks' agents */
	/* to look into these; unused without `subgraphs` */
	struct store_reader *reader;
	owner_t owner;
	int64_t thread_seq;
	struct arena *arena;
};

/* A comma first, where one is due.  ERR_IO, ERR_TOOBIG: of a sub-agent's state. */
int  view_add_state(struct buf *b, const struct view *v, const struct store_state *s);
/* There is no such checkpoint: what JS answers.  id zero: none was named.  Without
 * a comma. */
void view_add_nothing(struct buf *b, const struct view *v, struct str ns,
    const struct uuid *id);
/* {"messages":[...],...}; newest: with the writes of tasks that have ended. */
void view_add_values(struct buf *b, const struct agent *a, const struct store_state *s,
    bool newest);
/* The values of a hosted graph, an object, where they are more than its channels show;
 * else empty. */
struct str view_overlay(const struct agent *a, const struct store_state *s);
/* {task id: [{id, value}]} of every task that comes next, of a thread object. */
void view_add_interrupts(struct buf *b, const struct store_state *s);
/* What a task wrote, by channel, private ones too.  False: nothing. */
bool view_add_result(struct buf *b, const struct store_state *s, const struct uuid *task);
/* The member `metadata` of a state. */
void view_add_metadata(struct buf *b, const struct uuid *thread_id,
    const struct store_checkpoint *c);
/* {id, value, response_schema?}; members without braces. */
void view_add_interrupt(struct buf *b, const struct store_interrupt *i);

#endif
