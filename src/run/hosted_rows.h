/*
 * hosted_rows.h - what a worker's saver says, as rows, and back.
 *
 * Bodies of POST /tasks/{id}/saver: `put` and `writes` become changes of the store, beside
 * each saver's checkpoint one that clients see (its `view`); `get` and `list` are answered
 * from rows.
 *
 * A list of objects in a view (messages) is stored as a list that keeps the equal entries
 * at its front: what the last put of a namespace had is remembered as hashes, so that a step
 * of a long thread writes what it adds.
 *
 * Threads: the shard's whose reader it is.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_HOSTED_ROWS_H
#define RUN_HOSTED_ROWS_H

#include "base/json.h"
#include "run/changes_priv.h"
#include "store/saver.h"

/* Lists as the newest put of each namespace left them. */
struct hosted_list { char *channel; uint64_t *hashes; size_t n; };
struct hosted_place {
	char *ns;
	struct uuid at;                      /* the checkpoint */
	bool input;                          /* it has the input, which is taken next */
	struct hosted_list *lists;
	size_t lists_n, lists_cap;
};
struct hosted_lists {
	struct hosted_place *places;
	size_t n, cap;
};
void hosted_lists_release(struct hosted_lists *l);
/* The checkpoint that was put last in a namespace; false: none was. */
bool hosted_lists_at(const struct hosted_lists *l, struct str ns, struct uuid *at);
/* What was put is not stored: it is read again. */
void hosted_lists_forget(struct hosted_lists *l);

struct hosted_from {
	struct store_reader *reader;
	owner_t owner;
	int64_t thread_seq;
	msec now;
};

/* Which question, which answer: "get", "list", "put", "writes".  -1 with e: none. */
enum hosted_op { HOSTED_GET, HOSTED_LIST, HOSTED_PUT, HOSTED_WRITES };
int  hosted_op(jnode body, struct err *e);

/* put and writes: texts are copied into x.  lists NULL: without what clients see.
 * ERR_INVALID with the path. */
int  hosted_rows_take(struct changes *x, const struct hosted_from *from,
    struct hosted_lists *lists, jnode body, struct err *e);
/* The members of the answer.  found: set to the checkpoint's id if
 * there is one; NULL: nobody asks. */
int  hosted_rows_get(const struct hosted_from *from, jnode body, struct buf *members,
    struct uuid *found, struct err *e);
/* c: zeroed; texts live in the arena.  When it has come back: the members. */
int  hosted_list_read(struct store_saver_list *c, const struct hosted_from *from,
    struct arena *a, jnode body, struct err *e);
void hosted_list_write(const struct store_saver_list *c, struct buf *members);

#endif
