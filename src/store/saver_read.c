/*
 * saver_read.c - reading what savers of worker graphs put: one checkpoint inline on a
 * shard, lists on the reader thread.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdlib.h>

#include "store/saver.h"
#include "store/store_priv.h"

/* ---- writes -------------------------------------------------------------------- */

static int
by_order(const void *a, const void *b)
{
	const struct store_saver_write *x = a, *y = b;
	int order = str_cmp(x->path, y->path);

	if (order == 0)
		order = str_cmp(x->task, y->task);
	return order != 0 ? order : (x->idx > y->idx) - (x->idx < y->idx);
}

#define C(member) DB_COLUMN(struct store_saver_write, member)
static const struct db_column write_columns[] = { C(task), C(path), C(idx), C(channel),
    C(value.type), C(value.body) };
#undef C
static const struct db_record write_record = DB_RECORD(write_columns);

/* Of the runs that wrote at one place (task, idx): below 0 the last one counts.  At others
 * only the first one wrote. */
static void
writes_settle(struct store_saver_found *f)
{
	const struct store_saver_write *last = &f->writes[f->writes_n - 1];

	if (f->writes_n < 2 || last->idx != last[-1].idx || !str_eq(last->task, last[-1].task))
		return;
	f->writes[f->writes_n - 2] = *last;
	f->writes_n--;
}

static int
writes_read(struct db *db, int64_t thread, struct store_saver_found *f, struct arena *a)
{
	struct query q = query_of(db, SQL_SAVER_WRITES, db_i64(thread), db_str(f->ns),
	    db_str(f->id));
	size_t cap = 0;
	int rc;

	for (rc = query_row(&q); rc == OK; rc = rc == OK ? query_row(&q) : rc) {
		struct store_saver_write *w;

		if (!arena_grow(a, f->writes, f->writes_n, cap)) {
			rc = ERR_TOOBIG;
			break;
		}
		w = &f->writes[f->writes_n++];
		w->ns = f->ns;
		w->id = f->id;
		rc = query_read(&q, &write_record, w, a);
		writes_settle(f);
	}
	query_end(&q);
	if (f->writes_n > 1)
		qsort(f->writes, f->writes_n, sizeof *f->writes, by_order);
	return rc == ERR_NOTFOUND ? OK : rc;
}

/* ---- channels ------------------------------------------------------------------- */

/* from: the checkpoint that wrote it; empty: this one. */
static int
blob_read(struct db *db, int64_t thread, const struct store_saver_found *f, struct str from,
    struct store_saver_found_blob *b, struct arena *a)
{
	struct query q = query_of(db, SQL_SAVER_BLOB, db_i64(thread), db_str(f->ns),
	    db_str(from.n == 0 ? f->id : from), db_str(b->channel));
	int rc = query_row(&q);

	if (rc == OK) {
		b->value.type = query_str(&q, 0, a);
		b->value.body = query_str(&q, 1, a);
	}
	query_end(&q);
	return rc == ERR_NOTFOUND ? ERR_IO : rc;     /* the checkpoint names it */
}

/* map: {channel: [version, from]}, or [version] without a value. */
static int
blobs_read(struct db *db, int64_t thread, struct store_saver_found *f, jnode map,
    struct arena *a)
{
	struct json_iter it = json_each(map);
	struct buf version = BUF(8 * LIMIT_SAVER_ID_BYTES);
	int rc = OK;

	f->blobs = arena_alloc(a, (it.left + 1) * sizeof *f->blobs);
	if (f->blobs == NULL)
		return ERR_TOOBIG;
	while (rc == OK && json_next(&it)) {
		struct store_saver_found_blob *b = &f->blobs[f->blobs_n];

		if (json_count(it.value) != 2)
			continue;
		buf_clear(&version);
		json_add_node(&version, json_at(it.value, 0));
		b->channel = arena_str(a, json_str(it.key));
		b->version_json = arena_str(a, buf_str(&version));
		f->blobs_n++;
		rc = blob_read(db, thread, f, json_str(json_at(it.value, 1)), b, a);
	}
	if (version.failed)
		rc = ERR_IO;
	buf_release(&version);
	return rc;
}

/* ---- a checkpoint --------------------------------------------------------------- */

#define C(member) DB_COLUMN(struct store_saver_found, member)
static const struct db_column found_columns[] = { C(seq), C(ns), C(id), C(parent),
    C(checkpoint.type), C(checkpoint.body), C(metadata.type), C(metadata.body) };
#undef C
static const struct db_record found_record = DB_RECORD(found_columns);
enum { FOUND_CHANNELS = 8, FOUND_THREAD };

/* The row of a SAVER_COLUMNS query, and what belongs to it. */
static int
found_read(struct db *db, const struct query *q, struct store_saver_found *f,
    struct arena *a)
{
	int64_t thread = query_i64(q, FOUND_THREAD);
	struct json_doc map = { 0 };
	int rc = query_read(q, &found_record, f, a);

	if (rc == OK && json_parse(&map, query_borrow(q, FOUND_CHANNELS), NULL) != OK)
		rc = ERR_IO;                 /* damaged */
	if (rc == OK)
		rc = blobs_read(db, thread, f, map.root, a);
	json_release(&map);
	if (rc == OK)
		rc = writes_read(db, thread, f, a);
	return rc == OK ? arena_rc(a) : rc;
}

int
store_saver_get(struct store_reader *r, owner_t o, int64_t thread_seq, struct str ns,
    struct str id, struct arena *a, struct store_saver_found *out)
{
	struct db *db = reader_db(r);
	struct query q = id.n == 0 ? query_of(db, SQL_SAVER_HEAD, db_i64(thread_seq),
	    db_i64(o), db_text(ns)) : query_of(db, SQL_SAVER_FIND, db_i64(thread_seq),
	    db_i64(o), db_text(ns), db_str(id));
	int rc = query_row(&q);

	*out = (struct store_saver_found){ .seq = 0 };
	if (rc == OK)
		rc = found_read(db, &q, out, a);
	query_end(&q);
	return rc;
}

int
store_saver_began(struct store_reader *r, owner_t o, int64_t thread_seq, int64_t run_seq,
    bool *began)
{
	int64_t yes = 0;
	int rc = query_one_i64(query_of(reader_db(r), SQL_SAVER_BEGAN, db_i64(thread_seq),
	    db_i64(o), db_i64(run_seq)), &yes);

	*began = yes != 0;
	return rc == ERR_NOTFOUND ? OK : rc;
}

/* ---- lists ---------------------------------------------------------------------- */

struct listing {
	struct db *db;
	struct store_saver_list *x;
	struct json_doc filter;
	size_t cap, start;                   /* of found; bytes of the arena at first */
	int64_t looked;
	bool is_quick;
};

/* Each member of the filter is one of the metadata, with an equal value. */
static bool
metadata_has(const struct listing *l, const struct query *row)
{
	struct json_iter it = json_each(l->filter.root);
	struct json_doc d;
	bool yes;

	if (it.left == 0)
		return true;
	yes = str_eq(query_borrow(row, 6), S("json")) &&
	    json_parse(&d, query_borrow(row, 7), NULL) == OK;
	if (!yes)
		return false;
	while (yes && json_next(&it)) {
		jnode have = json_get(d.root, json_str(it.key));

		yes = have != NULL && json_equal(have, it.value);
	}
	json_release(&d);
	return yes;
}

/* May another one follow those that are found?  A page ends between two ids. */
static bool
page_is_full(const struct listing *l, struct str id)
{
	const struct store_saver_list *x = l->x;
	size_t bytes = x->cmd.arena->used - l->start;

	return x->found_n > 0 && !str_eq(x->found[x->found_n - 1].id, id) &&
	    (x->found_n >= LIMIT_SAVER_PAGE || bytes >= LIMIT_SAVER_PAGE_BYTES);
}

static int
list_add(struct listing *l, const struct query *row, struct str name)
{
	struct store_saver_list *x = l->x;
	struct store_saver_found *f;

	if (page_is_full(l, query_borrow(row, 2))) {
		x->more = true;
		return ERR_NOTFOUND;         /* that was all */
	}
	if (!arena_grow(x->cmd.arena, x->found, x->found_n, l->cap))
		return ERR_TOOBIG;
	f = &x->found[x->found_n++];
	*f = (struct store_saver_found){ .thread = name.n == 0 ? name :
	    arena_str(x->cmd.arena, name) };
	return found_read(l->db, row, f, x->cmd.arena);
}

static int
list_row(struct listing *l, const struct query *q)
{
	struct query row = query_of(l->db, SQL_SAVER_AT, db_i64(query_i64(q, 0)));
	int rc = query_row(&row);

	if (rc == OK && metadata_has(l, &row))
		rc = list_add(l, &row, query_borrow(q, 2));
	query_end(&row);
	return rc;
}

static struct query
list_query(const struct listing *l)
{
	const struct store_saver_list *x = l->x;
	enum sql text = x->thread_seq == 0 ? SQL_SAVER_LIST_NAMED :
	    x->any_ns ? SQL_SAVER_LIST : SQL_SAVER_LIST_NS;

	return query_of(l->db, text, db_i64(x->thread_seq), db_i64(x->cmd.owner),
	    x->any_ns ? db_null() : db_text(x->ns),
	    x->before.n == 0 ? db_blob(S("\xff")) : db_str(x->before),
	    x->id.n == 0 ? db_null() : db_str(x->id));
}

static int
list_read(struct listing *l)
{
	struct store_saver_list *x = l->x;
	struct query q = list_query(l);
	int rc = OK;

	while (rc == OK && (x->limit < 0 || (int64_t)x->found_n < x->limit)) {
		if (++l->looked > READ_SHORT_ROWS && l->is_quick)
			rc = ERR_AGAIN;
		else
			rc = query_row(&q);
		if (rc == OK)
			rc = list_row(l, &q);
	}
	query_end(&q);
	return rc == ERR_NOTFOUND ? OK : rc;
}

static int
saver_list(struct store *st, struct store_cmd *c)
{
	struct store_saver_list *x = (struct store_saver_list *)c;
	struct listing l = { .db = slow_db(st, c), .x = x, .start = c->arena->used };
	int rc = OK;

	l.is_quick = l.db == &st->quick;
	x->found = NULL;
	x->found_n = 0;
	x->more = false;
	if (x->filter_json.n > 0)
		rc = json_parse(&l.filter, x->filter_json, &c->err);
	if (rc == OK && l.filter.root != NULL && !json_is_object(l.filter.root))
		rc = err_set(&c->err, ERR_INVALID, "filter: expected an object, got %s",
		    json_kind(l.filter.root));
	if (rc == OK)
		rc = list_read(&l);
	json_release(&l.filter);
	return rc;
}
const struct op store_op_saver_list = { .run = saver_list, .lane = OP_READ_SHORT,
    .texts = OP_TEXTS(OP_TEXT(saver_list, filter_json)) };
