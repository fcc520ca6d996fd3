/*
 * hosted.c - graphs that workers registered (saver.h), of nobody.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/saver.h"
#include "store/store_priv.h"

static int
hosted_put(struct store *st, struct store_cmd *c)
{
	const struct store_hosted *h = &((struct store_hosted_put *)c)->h;

	return db_run(&st->w, SQL_HOSTED_PUT, db_text(h->graph_id), db_text(h->key),
	    db_json(h->body), db_blob(h->hash), db_i64(h->updated));
}
const struct op store_op_hosted_put = { .run = hosted_put,
    .texts = OP_TEXTS(OP_TEXT(hosted_put, h.graph_id), OP_TEXT(hosted_put, h.key),
    OP_TEXT(hosted_put, h.body), OP_TEXT(hosted_put, h.hash)) };

static int
hosted_delete(struct store *st, struct store_cmd *c)
{
	struct str id = ((struct store_hosted_delete *)c)->graph_id;
	int rc = db_run(&st->w, SQL_HOSTED_DELETE, db_text(id));

	if (rc == OK && db_changes(&st->w) == 0)
		rc = err_set(&c->err, ERR_NOTFOUND, "no worker has registered graph %.*s",
		    FMT(id));
	return rc;
}
const struct op store_op_hosted_delete = { .run = hosted_delete,
    .texts = OP_TEXTS(OP_TEXT(hosted_delete, graph_id)) };

#define C(member) DB_COLUMN(struct store_hosted, member)
static const struct db_column columns[] = { C(graph_id), C(key), C(body), C(hash),
    C(updated) };
#undef C
static const struct db_record record = DB_RECORD(columns);

int
store_hosted_all(struct store_reader *r, struct arena *a, struct store_hosted **out,
    size_t *n)
{
	struct query q = query_of(reader_db(r), SQL_HOSTED_ALL);
	size_t cap = 0;
	int rc;

	*out = NULL;
	*n = 0;
	for (rc = query_row(&q); rc == OK; rc = rc == OK ? query_row(&q) : rc)
		rc = arena_grow(a, *out, *n, cap) ?
		    query_read(&q, &record, &(*out)[(*n)++], a) : ERR_TOOBIG;
	query_end(&q);
	return rc == ERR_NOTFOUND ? OK : rc;
}
