/*
 * items.h - store items: JSON objects under a namespace and a key.
 *
 * As all of store.h: a point read and commands.  An item may end by itself; what it is
 * found by, its words and vectors, is written in the transaction that writes it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_ITEMS_H
#define STORE_ITEMS_H

#include "base/json.h"
#include "store/store.h"

struct store_item {
	struct str ns;                       /* labels joined by '.' */
	struct str key, value_json;
	msec created, updated;
	msec ttl;                            /* 0: it does not end */
#define ITEM_TTL_DEFAULT (-1)                /* what the server's settings say: run/items.h */
	msec expires;                        /* out: when it does */
	int64_t seq;                         /* out: number of its last change */
	bool has_score;                      /* out, of searches with a query */
	double score;
};
/* Would a read at `now` that refreshes move the item's end? */
bool store_item_refreshes(const struct store_item *i, msec now);
/* Is it a path to parts of a value (item_paths.c)?  ERR_INVALID. */
int  item_path_check(struct str path, struct err *e);
/* The parts of a value at these paths (an array; NULL: all of it), null ones left out;
 * max at most, and how many. */
size_t item_parts(jnode value, jnode paths, jnode *out, size_t max);

/* Results live in the arena.  ERR_NOTFOUND: there is none, or its time was over. */
int store_item_get(struct store_reader *r, owner_t o, struct str ns, struct str key,
    msec now, struct arena *a, struct store_item *out);

/* Does a value pass a filter, as one of a search?  ERR_INVALID, ERR_SYNTAX, ERR_TOOBIG:
 * it is none. */
int item_filter_test(struct str filter_json, struct str value_json, bool *yes,
    struct err *e);

/* ---- commands ------------------------------------------------------------------ */

struct store_item_put {
	struct store_cmd cmd;
	struct store_item item;
	struct str paths_json;               /* what it is found by; p NULL: its value */
	struct str vectors;                  /* float32 of length 1, one after another */
};

struct store_item_delete {
	struct store_cmd cmd;
	struct str ns, key;                  /* OK also when absent */
};

/* They live as long again from now; those that were replaced meanwhile stay. */
struct store_item_refresh {
	struct store_cmd cmd;
	const struct store_item *items;
	size_t items_n;
	msec now;
};

/* ns is a prefix (whole labels; empty: all).  Past LIMIT_SCAN_MS it ends with
 * what it has found, and truncated is set.  filter_json: {} or {"k": v}, where v is a
 * value, an object whose members are filters of the members, or operators:
 * {"$eq"|"$ne"|"$gt"|"$gte"|"$lt"|"$lte": v}.  query: words that must all occur; empty:
 * none.  vector: what the items' vectors are to be near to, float32 of length 1; query
 * is not looked at then.  The best first; without either, newest change first. */
struct store_item_search {
	struct store_cmd cmd;
	struct str ns, filter_json, query, vector;
	int64_t limit, offset;
	msec now;
	struct store_item *items;            /* out */
	size_t items_n;
	bool truncated;
};

/* Which model's vectors the store has from now on.  ERR_CONFLICT: it has others.
 * drop: these go. */
struct store_vector_index {
	struct store_cmd cmd;
	struct str embed;
	int64_t dims;
	bool drop;
	int64_t without;                     /* out: items that have no vector */
};

/* The same before the first request: takes turns of s, which has no thread yet. */
int store_vectors_are(struct store *st, struct shard *s, struct str embed, int64_t dims,
    bool drop, struct err *e);

/* Namespaces that have items, in order: labels with NUL between them.  prefix, suffix:
 * in the same form, a label `*` is any; empty: all.  max_depth: only the first labels,
 * each beginning once; 0: all of them. */
struct store_namespace_list {
	struct store_cmd cmd;
	struct str prefix, suffix;
	int64_t max_depth, limit, offset;
	msec now;
	struct str *paths;                   /* out */
	size_t paths_n;
	bool truncated;                      /* LIMIT_SCAN_MS were over */
};

#endif
