/*
 * channels.h - the state of one namespace: named values, each with a reducer,
 * and what changed since it was last stored.
 *
 * The life of a step:
 *   channels_apply ...          every write of the step's tasks, in order
 *   channels_end_step           ephemeral channels without a write become empty
 *   channels_change ...         what to store
 *   channels_settle             from here on changes are counted anew
 *
 * A task's view is a clone to which its own writes are put.  Values are shared,
 * not copied.
 *
 * Pure.  Threads: as val.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STATE_CHANNELS_H
#define STATE_CHANNELS_H

#include "state/reducer.h"

/* What an agent declares; outlives every struct channels made of it, and may be
 * shared by shards: initial is copied, not counted up. */
struct channel {
	struct str name;
	enum reducer reducer;
	bool ephemeral;                      /* empty after a step without a write */
	bool input, output;                  /* may a client write it, does a parent get
	                                        it; for others to ask */
	bool private;                        /* not shown by values, updates, state */
	struct val initial;                  /* the value before the first write; or UNDEF */
	struct val schema;                   /* JSON Schema, or UNDEF; for others */
};

#define CHANNEL_NONE (-1)

struct channels;

struct channels *channels_new(const struct channel *defs, size_t n);
/* The same values and a life of its own: nothing changed, no step under way. */
struct channels *channels_clone(const struct channels *cs);
void channels_free(struct channels *cs);     /* NULL: nothing */

size_t channels_count(const struct channels *cs);
const struct channel *channels_def(const struct channels *cs, size_t i);
int channels_find(const struct channels *cs, struct str name);   /* or CHANNEL_NONE */

/* Borrowed until the next change; UNDEF: never written, or empty. */
struct val channels_get(const struct channels *cs, size_t i);

/* Objects of all that have a value: every one of them, for expressions; or those
 * that are not private, for clients.  New references. */
struct val channels_data(const struct channels *cs);
struct val channels_values(const struct channels *cs);
/* The latter as JSON. */
void channels_values_add_json(struct buf *b, const struct channels *cs);

/* A value as it is stored (taken); UNDEF: stored as empty.  No change. */
void channels_load(struct channels *cs, size_t i, struct val v);

/* One write of the step under way; borrowed.  known: reducer.h.  After an error
 * nothing changed.  ERR_CONFLICT: the second write of this step to a `last` or
 * an ephemeral channel, the second overwrite of any (LangGraph's
 * InvalidUpdateError; e->text has its words); the others as reduce(). */
int channels_apply(struct channels *cs, size_t i, struct val write, unsigned known,
    struct err *e);
/* The same for one writer who may write a channel many times: a task in its own
 * view, an input, a command's update.  Never ERR_CONFLICT. */
int channels_put(struct channels *cs, size_t i, struct val write, unsigned known,
    struct err *e);
void channels_end_step(struct channels *cs);
/* Of writes that are no step (a client's, beside what comes next): the step may
 * write the same channels again; nothing becomes empty. */
void channels_end_writes(struct channels *cs);
/* As if all of it had changed: it is stored whole, whatever was before. */
void channels_touch(struct channels *cs);

/* What changed since channels_settle, by number: begin with *at = 0, false at
 * the end. */
struct channel_change {
	size_t index;
	struct val value;                    /* borrowed; UNDEF: it became empty */
	size_t keep;                         /* of a list: entries at the front that are
	                                        stored already */
};
bool channels_change(const struct channels *cs, size_t *at, struct channel_change *c);
void channels_settle(struct channels *cs);

#endif
