/*
 * items.c - store items: written, read, kept alive, and gone when their time is over.
 *
 * Each put gives an item a new number, the owner's highest; numbers are not given twice
 * (item_total has the last one), so what is noted by number (words, vectors, what a
 * reader keeps in memory) never comes to mean another item.
 *
 * What belongs to an item changes with it, in one transaction: its words, its vectors,
 * the count of its namespace and its owner's.
 *
 * An item whose time is over is found by nobody from that moment on; its row goes in a
 * sweep.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "store/store_priv.h"

#define SWEPT_AT_ONCE 128
/* A read that would add less than this part of its ttl to an item's time writes
 * nothing. */
#define REFRESH_PART  64

/* ---- what hangs on an item ------------------------------------------------------ */

struct totals { int64_t seq, items, vectors, bytes; };     /* bytes: of values */

static int
totals_read(struct store *st, owner_t owner, struct totals *t)
{
	struct query q = query_of(&st->w, SQL_ITEM_TOTAL, db_i64(owner));
	int rc = query_row(&q);

	*t = (struct totals){ 0 };
	if (rc == OK)
		*t = (struct totals){ query_i64(&q, 0), query_i64(&q, 1), query_i64(&q, 2),
		    query_i64(&q, 3) };
	query_end(&q);
	return rc == ERR_NOTFOUND ? OK : rc;
}

static int
totals_write(struct store *st, owner_t owner, const struct totals *t)
{
	return db_run(&st->w, SQL_ITEM_TOTAL_SET, db_i64(owner), db_i64(t->seq),
	    db_i64(t->items), db_i64(t->vectors), db_i64(t->bytes));
}

void
namespace_path(struct buf *b, struct str ns)
{
	buf_clear(b);
	buf_add(b, ns);
	for (size_t i = 0; i < b->n; i++)
		if (b->p[i] == '.')
			b->p[i] = '\0';
}

static int
namespace_count(struct store *st, owner_t owner, struct str ns, int change, bool mortal)
{
	struct str path;
	int rc;

	namespace_path(&st->map, ns);
	path = buf_str(&st->map);
	rc = db_run(&st->w, SQL_NAMESPACE_COUNT, db_i64(owner), db_blob(path),
	    db_i64(change), db_i64(mortal ? change : 0));
	return rc != OK || change > 0 ? rc :
	    db_run(&st->w, SQL_NAMESPACE_DROP, db_i64(owner), db_blob(path));
}

/* ---- removing -------------------------------------------------------------------- */

/* A row that is to go; its texts are in st->scratch. */
struct old_item {
	owner_t owner;
	int64_t seq;
	struct str ns, paths, value;
	msec created;
	bool mortal, over;                   /* it has an end; that is past */
};

static int
item_erase(struct store *st, const struct old_item *o, struct totals *t)
{
	int rc = words_change(st, SQL_WORD_ERASE, o->owner, o->seq, o->value, o->paths);

	if (rc == OK)
		rc = db_run(&st->w, SQL_VECTOR_ERASE, db_i64(ITEM_KEY(o->owner, o->seq)));
	if (rc == OK) {
		t->vectors -= db_changes(&st->w);
		rc = db_run(&st->w, SQL_ITEM_ERASE, db_i64(o->owner), db_i64(o->seq));
	}
	if (rc == OK)
		rc = namespace_count(st, o->owner, o->ns, -1, o->mortal);
	t->items--;
	t->bytes -= (int64_t)o->value.n;
	return rc;
}

/* The one that q finds: owner, seq, ns, paths, value, created, expires.  ERR_NOTFOUND. */
static int
old_read(struct store *st, struct query q, msec now, struct old_item *o)
{
	int rc = query_row(&q);

	if (rc == OK) {
		*o = (struct old_item){ .owner = query_i64(&q, 0), .seq = query_i64(&q, 1),
		    .ns = query_str(&q, 2, &st->scratch),
		    .paths = query_str(&q, 3, &st->scratch),
		    .value = query_str(&q, 4, &st->scratch), .created = query_i64(&q, 5),
		    .mortal = !query_null(&q, 6),
		    .over = !query_null(&q, 6) && query_i64(&q, 6) <= now };
		rc = arena_rc(&st->scratch);
	}
	query_end(&q);
	return rc;
}

static int
old_drop(struct store *st, const struct old_item *o)
{
	struct totals t;
	int rc = totals_read(st, o->owner, &t);

	if (rc == OK)
		rc = item_erase(st, o, &t);
	return rc == OK ? totals_write(st, o->owner, &t) : rc;
}

static int
item_old(struct store *st, owner_t owner, struct str ns, struct str key, msec now,
    struct old_item *o)
{
	return old_read(st, query_of(&st->w, SQL_ITEM_OLD, db_i64(owner), db_text(ns),
	    db_text(key)), now, o);
}

static int
item_delete(struct store *st, struct store_cmd *c)
{
	struct store_item_delete *x = (struct store_item_delete *)c;
	struct old_item o;
	int rc;

	arena_clear(&st->scratch);
	rc = item_old(st, c->owner, x->ns, x->key, 0, &o);
	if (rc == OK)
		rc = old_drop(st, &o);
	return rc == ERR_NOTFOUND ? OK : rc;
}
OP_LOCK(item_delete, lock_number(l, LOCK_ITEMS, x->cmd.owner))
const struct op store_op_item_delete = { .run = item_delete,
    .locks = item_delete_locks };

int
items_drop_any(struct store *st, owner_t owner)
{
	struct old_item o;
	int rc = old_read(st, query_of(&st->w, SQL_ITEM_ANY_OF, db_i64(owner)), 0, &o);

	return rc == OK ? old_drop(st, &o) : rc;
}

/* Those whose time was over first. */
static int
item_sweep(struct store *st, struct store_cmd *c)
{
	struct store_sweep *x = (struct store_sweep *)c;
	int64_t most = x->limit < SWEPT_AT_ONCE ? x->limit : SWEPT_AT_ONCE;
	int rc = OK;

	assert(x->limit > 0);
	x->gone_n = 0;
	for (x->removed = 0; rc == OK && x->removed < most; x->removed += rc == OK) {
		struct old_item o;

		arena_clear(&st->scratch);
		rc = old_read(st, query_of(&st->w, SQL_ITEM_EXPIRED, db_i64(x->now)), x->now,
		    &o);
		if (rc == OK)
			rc = store_lock_try(st, LOCK_ITEMS, o.owner);
		/* Until it was ours its owner may have put another in its place. */
		if (rc == OK && st->pg)
			rc = old_read(st, query_of(&st->w, SQL_ITEM_EXPIRED, db_i64(x->now)),
			    x->now, &o);
		if (rc == OK)
			rc = old_drop(st, &o);
	}
	x->more = rc == OK || rc == ERR_AGAIN;
	return rc == ERR_NOTFOUND || rc == ERR_AGAIN ? OK : rc;
}
const struct op store_op_item_sweep = { .run = item_sweep };

/* ---- putting --------------------------------------------------------------------- */

static int
item_insert(struct store *st, const struct store_item_put *x, msec created, int64_t seq)
{
	const struct store_item *it = &x->item;
	owner_t owner = x->cmd.owner;
	bool mortal = it->ttl > 0;
	int rc = db_run(&st->w, SQL_ITEM_INSERT, db_i64(owner), db_i64(seq),
	    db_text(it->ns), db_text(it->key), db_i64(created), db_i64(it->updated),
	    mortal ? db_i64(it->ttl) : db_null(),
	    mortal ? db_i64(it->updated + it->ttl) : db_null(), db_str(x->paths_json),
	    db_json(it->value_json));

	if (rc == OK)
		rc = namespace_count(st, owner, it->ns, 1, mortal);
	if (rc == OK)
		rc = words_change(st, SQL_WORD_INSERT, owner, seq, it->value_json,
		    x->paths_json);
	if (rc == OK && x->vectors.n > 0)
		rc = db_run(&st->w, SQL_VECTOR_INSERT, db_i64(ITEM_KEY(owner, seq)),
		    db_blob(x->vectors));
	return rc;
}

static int
item_put(struct store *st, struct store_cmd *c)
{
	struct store_item_put *x = (struct store_item_put *)c;
	struct old_item o;
	struct totals t;
	bool had;
	int rc;

	if (x->item.ns.n > LIMIT_ITEM_NAMESPACE_BYTES)
		return err_set(&c->err, ERR_INVALID, "namespace: its labels with the dots "
		    "between them have %zu bytes, at most %d are stored", x->item.ns.n,
		    LIMIT_ITEM_NAMESPACE_BYTES);
	arena_clear(&st->scratch);
	rc = item_old(st, c->owner, x->item.ns, x->item.key, x->item.updated, &o);
	had = rc == OK;
	if (had || rc == ERR_NOTFOUND)
		rc = totals_read(st, c->owner, &t);
	if (rc == OK && (t.seq + 1 >= ITEM_SEQS || c->owner >= ITEM_OWNERS))
		return err_set(&c->err, ERR_LIMIT, "the numbers of items are used up");
	if (rc == OK)
		rc = quota_allows(c, QUOTA_STORE_ITEMS, t.items, had ? 0 : 1);
	if (rc == OK)
		rc = quota_allows(c, QUOTA_STORE_BYTES, t.bytes, (int64_t)x->item.value_json.n -
		    (had ? (int64_t)o.value.n : 0));
	if (rc == OK && had)
		rc = item_erase(st, &o, &t);
	if (rc == OK)
		rc = item_insert(st, x, had && !o.over ? o.created : x->item.created,
		    t.seq + 1);
	if (rc != OK)
		return rc;
	t.seq++;
	t.items++;
	t.bytes += (int64_t)x->item.value_json.n;
	t.vectors += x->vectors.n > 0;
	return totals_write(st, c->owner, &t);
}
OP_LOCK(item_put, lock_number(l, LOCK_ITEMS, x->cmd.owner))
const struct op store_op_item_put = { .run = item_put,
    .texts = OP_TEXTS(OP_TEXT(item_put, item.ns), OP_TEXT(item_put, item.key),
    OP_TEXT(item_put, item.value_json), OP_TEXT(item_put, vectors)),
    .locks = item_put_locks };

/* ---- reading ---------------------------------------------------------------------- */

int
store_item_get(struct store_reader *r, owner_t o, struct str ns, struct str key,
    msec now, struct arena *a, struct store_item *out)
{
	struct query q = query_of(&r->db, SQL_ITEM_GET, db_i64(o), db_text(ns),
	    db_text(key), db_i64(now));
	int rc = query_row(&q);

	if (rc == OK) {
		*out = (struct store_item){
			.ns = arena_str(a, ns),
			.key = arena_str(a, key),
			.value_json = query_str(&q, 0, a),
			.created = query_i64(&q, 1),
			.updated = query_i64(&q, 2),
			.seq = query_i64(&q, 3),
			.ttl = query_i64(&q, 4),
			.expires = query_i64(&q, 5),
		};
		rc = arena_rc(a);
	}
	query_end(&q);
	return rc;
}

bool
store_item_refreshes(const struct store_item *i, msec now)
{
	return i->ttl > 0 && now + i->ttl - i->expires > i->ttl / REFRESH_PART;
}

static int
item_refresh(struct store *st, struct store_cmd *c)
{
	struct store_item_refresh *x = (struct store_item_refresh *)c;
	int rc = OK;

	for (size_t i = 0; rc == OK && i < x->items_n; i++)
		if (store_item_refreshes(&x->items[i], x->now))
			rc = db_run(&st->w, SQL_ITEM_REFRESH, db_i64(c->owner),
			    db_i64(x->items[i].seq), db_i64(x->now));
	return rc;
}
OP_LOCK(item_refresh, lock_number(l, LOCK_ITEMS, x->cmd.owner))
const struct op store_op_item_refresh = { .run = item_refresh,
    .locks = item_refresh_locks };
