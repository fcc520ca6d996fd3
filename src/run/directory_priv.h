/*
 * directory_priv.h - which shard a run and a thread live on.
 *
 * The only structure of this room that shards share; locked, touched once a
 * request.  A thread is pinned while any of its runs is under way or waits;
 * all of its runs then live on the shard that pinned it first.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_DIRECTORY_PRIV_H
#define RUN_DIRECTORY_PRIV_H

#include "base/id.h"
#include "store/store.h"

struct runs;
struct directory;
struct home;

/* A run's entry, embedded in the run.  Written by directory_enter only. */
struct place {
	struct uuid run_id, thread_id;
	owner_t owner;
	struct runs *home;
	struct home *thread;         /* NULL: a stateless run has none */
	struct place *next;          /* of the thread */
	bool waits;                  /* for a worker: it is shown as pending */
};

struct directory *directory_new(void);
void directory_free(struct directory *d);

/* Enters p (ids and owner are set): its home is the thread's, or `here` when
 * the thread has none yet.  Returns the home. */
struct runs *directory_enter(struct directory *d, struct place *p, bool stateless,
    struct runs *here);
void directory_leave(struct directory *d, struct place *p);

/* Keeps a thread at home without a run.  Returns its home. */
struct runs *directory_pin(struct directory *d, const struct uuid *thread_id,
    struct runs *here);
/* The same, unless `elsewhere` (NULL: nothing is) says under the lock that it is: false. */
bool directory_pin_unless(struct directory *d, const struct uuid *thread_id, struct runs *here,
    bool (*elsewhere)(void *ctx, const struct uuid *thread_id), void *ctx);
void directory_unpin(struct directory *d, const struct uuid *thread_id);

/* NULL: nobody has it, or it is another owner's, or of another thread
 * (thread_id zero: any). */
struct runs *directory_find(struct directory *d, owner_t owner,
    const struct uuid *thread_id, const struct uuid *run_id);
bool directory_has(struct directory *d, const struct uuid *run_id);   /* of any owner */
bool directory_runs_any(struct directory *d, const struct uuid *thread_id);  /* the same of
                                              a thread's runs */
/* The run, if it is under way and the owner's, waits for a worker: it is shown as pending. */
void directory_set_waits(struct directory *d, struct place *p, bool waits);
bool directory_waits(struct directory *d, owner_t owner, const struct uuid *run_id);
/* That run of the thread; zero: none. */
struct uuid directory_waiting(struct directory *d, owner_t owner, const struct uuid *thread_id);
/* Ids of a thread's runs that are the owner's; free() them. */
struct uuid *directory_runs(struct directory *d, owner_t owner,
    const struct uuid *thread_id, size_t *n);
struct runs *directory_thread(struct directory *d, const struct uuid *thread_id);

#endif
