/*
 * truncate.c - all that an owner has of some kinds goes: for tests, which begin anew.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/store_priv.h"

#define AT_ONCE 128                          /* objects of one transaction */

/* ERR_NOTFOUND: there is none. */
static int
thread_drop_any(struct store *st, struct store_truncate *x)
{
	struct store_thread t;
	int64_t budget = ERASE_NOW;
	int rc = query_one(query_of(&st->w, SQL_THREAD_ANY_OF, db_i64(x->cmd.owner)),
	    &store_thread_record, &t, &st->scratch);

	if (rc == OK)
		rc = threads_hold_idle(st, &x->cmd, t.seq);
	if (rc == OK)
		rc = threads_drop(st, x->cmd.owner, &t, &budget);
	if (rc == OK)
		x->gone[x->gone_n++] = t.id;
	return rc;
}

static int
assistant_drop_any(struct store *st, struct store_truncate *x)
{
	int64_t seq = 0;
	int rc = query_one_i64(query_of(&st->w, SQL_ASSISTANT_ANY_OF,
	    db_i64(x->cmd.owner)), &seq);

	return rc == OK ? assistants_drop(st, seq, x->cmd.owner) : rc;
}

static int
item_drop_any(struct store *st, struct store_truncate *x)
{
	return items_drop_any(st, x->cmd.owner);
}

static int
truncate_some(struct store *st, struct store_cmd *c)
{
	static int (*const drops[])(struct store *st, struct store_truncate *x) = {
		[TRUNCATE_THREADS] = thread_drop_any,
		[TRUNCATE_ASSISTANTS] = assistant_drop_any,
		[TRUNCATE_ITEMS] = item_drop_any,
	};
	struct store_truncate *x = (struct store_truncate *)c;
	int rc = OK;

	x->gone_n = 0;
	x->gone = arena_alloc(c->arena, AT_ONCE * sizeof *x->gone);
	if (x->gone == NULL)
		return ERR_TOOBIG;
	for (int i = 0; rc == OK && i < AT_ONCE; i++) {
		rc = drops[x->what](st, x);
		arena_clear(&st->scratch);
	}
	x->more = rc == OK || rc == ERR_AGAIN;
	return rc == ERR_NOTFOUND || rc == ERR_AGAIN ? OK : rc;
}
OP_LOCK(truncate, lock_number(l, LOCK_ITEMS, x->cmd.owner))
const struct op store_op_truncate = { .run = truncate_some,
    .locks = truncate_locks };
