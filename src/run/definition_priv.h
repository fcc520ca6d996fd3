/*
 * definition_priv.h - which definition of an agent a run goes by.
 *
 * A run that begins goes by the current one, and so does the thread when it has
 * ended.  What is under way or waits for a person goes on with the one that it
 * began with: its run's row has the hash, and the store the text.
 *
 * Threads: the shard's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_DEFINITION_PRIV_H
#define RUN_DEFINITION_PRIV_H

#include "agent/agent.h"
#include "run/run.h"

#define DEFINITIONS_OLD 8                    /* that a shard keeps compiled */

/* An agent in a set that is held; zeroed: none. */
struct definition { struct agents *set; const struct agent *agent; };

/* ERR_INVALID: there is no agent of that id. */
int  definition_current(struct definition *out, const struct runs *rs, struct str id,
    struct err *e);
/* The one of that hash (empty: the current one).  ERR_INVALID: it cannot be read any
 * more; ERR_IO. */
int  definition_of_hash(struct definition *out, struct runs *rs, struct str id,
    struct str hash, struct err *e);
/* Would a run without input go on with what a run before it has begun? */
bool definition_goes_on(const struct store_thread *t);
/* For such a run: the definition of the run before. */
int  definition_of_thread(struct definition *out, struct runs *rs, owner_t owner,
    const struct store_thread *t, struct str id, struct err *e);
struct definition definition_hold(const struct definition *d);
void definition_drop(struct definition *d);

/* Earlier ones, compiled. */
struct definitions {
	struct agents *at[DEFINITIONS_OLD];  /* each read from a text */
	size_t next;                         /* to be replaced */
};
void definitions_release(struct definitions *x);

#endif
