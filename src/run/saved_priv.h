/*
 * saved_priv.h - a thread's rows as the core takes them (struct core_saved).
 *
 * Threads: the shard's whose reader it is.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_SAVED_PRIV_H
#define RUN_SAVED_PRIV_H

#include "run/core_priv.h"
#include "store/items.h"

#define LOAD_ARENA (8 * (size_t)LIMIT_STATE_BYTES)

struct saved_from {
	struct store_reader *reader;
	owner_t owner;
	int64_t thread_seq;
	bool records;                        /* with the journals of its tasks */
	bool last;                           /* with the nodes that wrote it */
};

/* id zero: the head.  OK with *out NULL: there is none.  ERR_IO, ERR_TOOBIG. */
int  saved_load(const struct saved_from *l, struct str ns, const struct uuid *id,
    struct core_saved **out);
/* Everything that waits, as interrupts of a struct without a checkpoint. */
int  saved_load_waiting(const struct saved_from *l, struct core_saved **out);
void saved_free(struct core_saved *saved);         /* NULL: nothing */

/* A channel's value; the caller drops it. */
struct val saved_channel(const struct store_channel *c);
/* {namespace, key, value, created_at, updated_at}; likewise. */
struct val saved_item(const struct store_item *i);

#endif
