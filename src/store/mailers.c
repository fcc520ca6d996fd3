/*
 * mailers.c - agents that live on: what it takes to make them again after a start.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "store/mail.h"
#include "store/store_priv.h"

static struct db_value
optional(struct str s)
{
	return s.n == 0 ? db_null() : db_str(s);
}

/* As what a sandboxed agent saves (wasm.c). */
static void
mailer_locks(const struct store_cmd *c, struct lock_set *l)
{
	lock_uuid(l, LOCK_AGENT, c->op == STORE_MAILER_PUT ?
	    &((const struct store_mailer_put *)c)->m.id : c->op == STORE_MAILER_SET ?
	    &((const struct store_mailer_set *)c)->id : &((const struct store_mailer_delete *)c)->id);
}

/* Another node's becomes this one's, with what waits for it. */
int
mailer_follow(struct store *st, owner_t owner, const struct uuid *id, int64_t us)
{
	int rc = db_run(&st->w, SQL_MAILER_MOVE, db_i64(owner), db_uuid(id), db_i64(us));

	return rc != OK ? rc : db_run(&st->w, SQL_LETTERS_FOLLOW, db_i64(owner), db_uuid(id),
	    db_i64(us));
}

static int
mailer_put(struct store *st, struct store_cmd *c)
{
	const struct store_mailer_put *x = (struct store_mailer_put *)c;
	const struct store_mailer *m = &x->m;
	int rc;

	assert(!uuid_is_zero(&m->id) && m->kind.n > 0);
	rc = db_run(&st->w, SQL_MAILER_INSERT, db_i64(c->owner), db_uuid(&m->id),
	    optional(m->name), db_str(m->kind), optional(m->graph_id),
	    db_json(m->spec_json), db_i64(m->state), optional(m->error),
	    db_i64(m->restarts), db_i64(m->created), db_i64(m->updated), db_i64(c->node));
	if (rc == OK && x->follow)
		return mailer_follow(st, c->owner, &m->id, c->node);
	if (rc == OK && db_changes(&st->w) == 0)
		rc = err_set(&c->err, ERR_CONFLICT, m->name.n == 0 ? "there is an agent of "
		    "this id" : "there is an agent of this id, or of the name '%.*s'",
		    FMT(m->name));
	return rc;
}
const struct op store_op_mailer_put = { .run = mailer_put,
    .texts = OP_TEXTS(OP_TEXT(mailer_put, m.spec_json), OP_TEXT(mailer_put, m.error)),
    .locks = mailer_locks, .fenced = true };

static int
mailer_set(struct store *st, struct store_cmd *c)
{
	const struct store_mailer_set *x = (struct store_mailer_set *)c;
	int rc = db_run(&st->w, SQL_MAILER_SET, db_i64(x->state), optional(x->error),
	    db_i64(x->restarts), db_i64(x->now), db_i64(c->owner), db_uuid(&x->id),
	    db_i64(c->node));

	return rc == OK && db_changes(&st->w) == 0 ? ERR_NOTFOUND : rc;
}
const struct op store_op_mailer_set = { .run = mailer_set,
    .texts = OP_TEXTS(OP_TEXT(mailer_set, error)), .locks = mailer_locks, .fenced = true };

static int
mailer_delete(struct store *st, struct store_cmd *c)
{
	const struct store_mailer_delete *x = (struct store_mailer_delete *)c;
	int rc = db_run(&st->w, SQL_MAILER_DELETE, db_i64(c->owner), db_uuid(&x->id),
	    db_i64(c->node));

	return rc == OK && db_changes(&st->w) > 0 ? wasm_image_drop(st, c->owner, &x->id) : rc;
}
const struct op store_op_mailer_delete = { .run = mailer_delete, .locks = mailer_locks,
    .fenced = true };

int
mailer_drop(struct store *st, owner_t owner, const struct uuid *thread)
{
	return db_run(&st->w, SQL_MAILER_OF_THREAD, db_i64(owner), db_uuid(thread));
}

#define C(member) DB_COLUMN(struct store_mailer, member)
static const struct db_column mailer_columns[] = {
	C(owner), C(id), C(name), C(kind), C(graph_id), C(spec_json), C(state),
	C(error), C(restarts), C(created), C(updated), C(node),
};
#undef C
static const struct db_record mailer_record = DB_RECORD(mailer_columns);

int
store_mailers_each(struct store_reader *r, void (*each)(void *ctx,
    const struct store_mailer *m), void *ctx)
{
	struct query q = query_of(reader_db(r), SQL_MAILERS);
	struct arena row = ARENA(LIMIT_STATE_BYTES);
	struct store_mailer m;
	int rc;

	for (rc = query_row(&q); rc == OK; rc = rc == OK ? query_row(&q) : rc) {
		rc = query_read(&q, &mailer_record, &m, &row);
		if (rc == OK)
			each(ctx, &m);
		arena_clear(&row);
	}
	query_end(&q);
	arena_release(&row);
	return rc == ERR_NOTFOUND ? OK : rc;
}

int
mailer_rows_read(struct query *q, struct arena *a, struct store_mailer **out, size_t *n)
{
	int rc;

	*out = query_all(q, &mailer_record, sizeof **out, a, n, &rc);
	return rc;
}

int
store_mailer_get(struct store_reader *r, owner_t o, struct str id_or_name, struct arena *a,
    struct store_mailer *out)
{
	struct uuid id;

	if (uuid_parse(id_or_name, &id))
		return query_one(query_of(reader_db(r), SQL_MAILER_BY_ID, db_i64(o), db_uuid(&id)),
		    &mailer_record, out, a);
	return query_one(query_of(reader_db(r), SQL_MAILER_BY_NAME, db_i64(o),
	    db_str(id_or_name)), &mailer_record, out, a);
}
