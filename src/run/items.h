/*
 * items.h - store items on their way into and out of the store.
 *
 * The API and the tasks of agents write and search items by the same commands
 * (store.h); items_submit fills in what the server's settings say where a caller
 * says nothing, so both see the same.
 *
 * Threads: as struct runs.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_ITEMS_H
#define RUN_ITEMS_H

#include "run/run.h"
#include "store/items.h"

/* What the settings store.* say.  Texts outlive the shards. */
struct items_rules {
	msec ttl;                            /* of items without one; 0: they do not end */
	bool refresh;                        /* reads move an item's end */
	struct str fields_json;              /* what items are found by; empty: all of
	                                        their values */
	struct str embed;                    /* the model of their vectors; empty: none */
	int64_t dims;                        /* of these */
};

/* Before the shards run. */
void runs_shared_set_items(struct runs_shared *sh, const struct items_rules *rules);
const struct items_rules *runs_items(const struct runs *rs);

/* Once, before the first command: the embedding model, if there is one.  ERR_INVALID. */
int items_open(struct runs *rs, struct err *e);

/* As store_submit, of any command on items.  Of a put, ttl ITEM_TTL_DEFAULT and paths_json.p NULL
 * are replaced by what the rules say.  With an embedding model, puts and queries are
 * embedded first: they come back with ERR_BUSY or ERR_CLOSED when it fails, and
 * nothing was written.  c->err has words, if a code is returned that the model is the
 * cause of. */
int items_submit(struct runs *rs, struct store_cmd *c);

/* An agent has read these: their ttl begins anew, if the rules say so.  Nobody waits
 * for it. */
void items_touch(struct runs *rs, owner_t owner, const struct store_item *items, size_t n);

#endif
