/*
 * storage.c - what a thread holds, by table.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/store_priv.h"

static int
part_add(struct store_storage *x, const char *table, struct query q)
{
	struct store_storage_part *p = &x->parts[x->parts_n];
	int rc = query_row(&q);

	if (rc == OK) {
		p->table = table;
		p->rows = query_i64(&q, 0);
		p->bytes = query_i64(&q, 1);
		x->parts_n++;
	}
	query_end(&q);
	return rc;
}

static int
lists_size(struct db *db, int64_t thread, struct store_storage *x)
{
	struct store_storage_part *p = &x->parts[x->parts_n++];
	struct thread_lists l;
	int rc = thread_lists_read(db, thread, INT64_MAX, &l, x->cmd.arena);

	*p = (struct store_storage_part){ "entry", 0, 0 };
	for (size_t i = 0; rc == OK && i < l.n; i++) {
		struct query q = query_of(db, SQL_SIZE_ENTRY,
		    db_i64(l.at[i] << LIST_BITS), db_i64((l.at[i] + 1) << LIST_BITS));

		rc = query_row(&q);
		if (rc == OK) {
			p->rows += query_i64(&q, 0);
			p->bytes += query_i64(&q, 1);
		}
		query_end(&q);
	}
	return rc;
}

static int
storage(struct store *st, struct store_cmd *c)
{
	static const struct { const char *table; enum sql text; } parts[] = {
		{ "checkpoint", SQL_SIZE_CHECKPOINT }, { "channel", SQL_SIZE_CHANNEL },
		{ "task_write", SQL_SIZE_WRITE }, { "interrupt", SQL_SIZE_INTERRUPT },
		{ "record", SQL_SIZE_RECORD }, { "wait", SQL_SIZE_WAIT },
		{ "run", SQL_SIZE_RUN }, { "stream", SQL_SIZE_STREAM },
		{ "event", SQL_SIZE_EVENT }, { "transcript", SQL_SIZE_TRANSCRIPT },
	};
	struct store_storage *x = (struct store_storage *)c;
	struct store_thread t;
	struct db *db = slow_db(st, c);
	int rc = query_one(query_of(db, SQL_THREAD_GET, db_uuid(&x->thread_id),
	    db_i64(c->owner)), &store_thread_record, &t, c->arena);

	_Static_assert(COUNT(parts) < STORE_PARTS, "and the lists");
	x->parts_n = 0;
	for (size_t i = 0; rc == OK && i < COUNT(parts); i++)
		rc = part_add(x, parts[i].table, query_of(db, parts[i].text,
		    db_i64(t.seq)));
	return rc == OK ? lists_size(db, t.seq, x) : rc;
}
const struct op store_op_storage = { .run = storage, .lane = OP_READ };
