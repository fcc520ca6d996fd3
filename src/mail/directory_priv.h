/*
 * directory_priv.h - the inside of the directory, for its own files:
 *
 *     directory.c       entries, ids, names, addresses
 *     directory_pool.c  capabilities
 *
 * Locks: ids lie in ID_PARTS parts, and what an owner has (names, capabilities) in one of
 * BOOK_PARTS, each with a lock.  A thread that holds the lock of a part of ids may take that of
 * a part of books, never the other way round.  An entry changes, and goes, under both; so either
 * is enough to look at it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIL_DIRECTORY_PRIV_H
#define MAIL_DIRECTORY_PRIV_H

#include "base/map.h"
#include "mail/directory.h"

#define LOADS 16                             /* powers of two of letters waiting */

/* Agents that can do one thing: NAME, of any version, or NAME:VERSION. */
struct pool {
	struct str key;                      /* NAME or NAME:VERSION; behind the struct */
	size_t name_n;                       /* of the key: NAME */
	struct pool *versions;               /* of NAME: those with a version, oldest first */
	struct pool *newer;                  /* the next in that list */
	struct list in;                      /* the book's pools */
	size_t members, live;                /* who says it; and who is in `by_load` */
	uint32_t busy;                       /* a bit for each of by_load that is not empty */
	struct list by_load[LOADS];
};

/* A member's link. */
struct provider {
	struct list in;                      /* by_load of pool; in none while it is not live */
	struct pool *pool;
	struct entry *entry;
};

/* What an owner has. */
struct book {
	mail_owner owner;
	struct map names, pools;             /* of entries; of pools by key */
	struct list named;                   /* entries, the newest first: for near matches */
	struct list all_pools;
};

struct id_key { struct uuid id; uint64_t hash; };

struct entry {
	struct id_key key;
	mail_owner owner;
	struct mail_ref ref;
	enum mail_state state;
	uint8_t load;                        /* index of by_load */
	struct str name;                     /* behind the struct, NUL-ended; or empty */
	struct list named;
	size_t providers_n;
	struct provider providers[];         /* two for NAME:VERSION, one for NAME */
};

/* Under the book's lock, but for the first. */
int  capabilities_check(const struct mail_entry *x, size_t *providers_n, struct err *e);
void providers_join(struct book *b, struct entry *x, const struct mail_entry *from);
void providers_leave(struct book *b, struct entry *x);
/* Before and after its state or load changes. */
void providers_unplace(struct entry *x);
void providers_place(struct entry *x);
/* NAME[:VERSION] or what stands in for it; NULL: none that can do it now. */
struct pool *pool_find(const struct book *b, struct str key);
struct entry *pool_next(struct pool *pool);  /* of the least loaded in turn */

void pools_init(struct map *m);

#endif
