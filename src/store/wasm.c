/*
 * wasm.c - WebAssembly modules by owner, name and number, and images of agents; see wasm.h.
 *
 * Bytes of a module are one row under their hash, shared by all owners; an owner reads them only
 * through a release of its own.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "store/store_priv.h"
#include "store/wasm.h"

/* ---- releases ------------------------------------------------------------------ */

struct version {
	int64_t number;
	struct str hash;
	bool current, in_image;
};

/* Of one name, rising. */
static int
versions_read(struct store *st, owner_t owner, struct str name, struct version **out,
    size_t *n)
{
	struct query q = query_of(&st->w, SQL_WASM_OF, db_i64(owner), db_text(name));
	size_t cap = 0;
	int rc;

	*out = NULL;
	*n = 0;
	for (rc = query_row(&q); rc == OK; rc = rc == OK ? query_row(&q) : rc)
		if (arena_grow(&st->scratch, *out, *n, cap))
			(*out)[(*n)++] = (struct version){ query_i64(&q, 0),
			    query_str(&q, 1, &st->scratch), query_i64(&q, 2) != 0,
			    query_i64(&q, 3) != 0 };
		else
			rc = ERR_TOOBIG;
	query_end(&q);
	return rc == ERR_NOTFOUND ? OK : rc;
}

static int
version_drop(struct store *st, owner_t owner, struct str name, const struct version *v)
{
	int rc = db_run(&st->w, SQL_WASM_DELETE, db_i64(owner), db_text(name),
	    db_i64(v->number));

	return rc == OK ? db_run(&st->w, SQL_WASM_BYTES_DELETE, db_blob(v->hash)) : rc;
}

static bool
is_used(const struct store_wasm_put *x, int64_t number)
{
	for (size_t i = 0; i < x->used_n; i++)
		if (x->used[i] == number)
			return true;
	return false;
}

/* After a put: deletes old releases that are not used. */
static int
versions_trim(struct store *st, struct store_wasm_put *x)
{
	struct version *at;
	size_t n;
	int rc = versions_read(st, x->cmd.owner, x->x.name, &at, &n);

	x->kept_n = 0;
	x->kept = rc == OK ? arena_alloc(x->cmd.arena, n * sizeof *x->kept) : NULL;
	if (x->kept == NULL)
		return rc == OK ? ERR_TOOBIG : rc;
	for (size_t i = 0; rc == OK && i < n; i++)
		if (i + LIMIT_WASM_VERSIONS >= n || at[i].current || at[i].in_image ||
		    is_used(x, at[i].number))
			x->kept[x->kept_n++] = at[i].number;
		else
			rc = version_drop(st, x->cmd.owner, x->x.name, &at[i]);
	return rc;
}

static int
totals_check(struct store *st, struct store_cmd *c)
{
	struct query q = query_of(&st->w, SQL_WASM_TOTALS, db_i64(c->owner));
	int rc = query_row(&q);

	if (rc == OK && query_i64(&q, 0) > LIMIT_WASM_MODULES)
		rc = err_set(&c->err, ERR_LIMIT, "there are %d modules, the most that one "
		    "owner may have: delete one first", LIMIT_WASM_MODULES);
	else if (rc == OK && query_i64(&q, 1) > LIMIT_WASM_OWNER_BYTES)
		rc = err_set(&c->err, ERR_LIMIT, "the owner's modules with their versions would "
		    "take %lld bytes; %d is the limit: delete one first",
		    (long long)query_i64(&q, 1), LIMIT_WASM_OWNER_BYTES);
	query_end(&q);
	return rc;
}

static int
wasm_put(struct store *st, struct store_cmd *c)
{
	struct store_wasm_put *x = (struct store_wasm_put *)c;
	int64_t last = 0;
	int rc;

	assert(x->x.name.n > 0 && x->x.hash.n == STORE_HASH && x->bytes.n > 0);
	rc = query_one_i64(query_of(&st->w, SQL_WASM_LAST, db_i64(c->owner),
	    db_text(x->x.name)), &last);
	x->x.number = last + 1;
	if (rc == OK)
		rc = db_run(&st->w, SQL_WASM_BYTES_PUT, db_blob(x->x.hash),
		    db_blob(x->bytes));
	if (rc == OK)
		rc = db_run(&st->w, SQL_WASM_INSERT, db_i64(c->owner), db_text(x->x.name),
		    db_i64(x->x.number), db_blob(x->x.hash), db_json(x->x.policy_json),
		    db_i64((int64_t)x->bytes.n), db_i64(x->x.created));
	if (rc == OK && x->x.current)
		rc = db_run(&st->w, SQL_WASM_CURRENT, db_i64(c->owner), db_text(x->x.name),
		    db_i64(x->x.number));
	if (rc == OK)
		rc = versions_trim(st, x);
	return rc == OK ? totals_check(st, c) : rc;
}
/* Bytes of the same hash are of several. */
static void
wasm_locks(const struct store_cmd *c, struct lock_set *l)
{
	(void)c;
	lock_number(l, LOCK_WASM, 0);
}
const struct op store_op_wasm_put = { .run = wasm_put, .locks = wasm_locks,
    .texts = OP_TEXTS(OP_TEXT(wasm_put, bytes), OP_TEXT(wasm_put, x.policy_json)) };

static int
release_missing(struct store_cmd *c, struct str name, int64_t number)
{
	if (number == 0)
		return err_set(&c->err, ERR_NOTFOUND, "no module '%.*s'", FMT(name));
	return err_set(&c->err, ERR_NOTFOUND, "module '%.*s' has no version %lld", FMT(name),
	    (long long)number);
}

static int
wasm_current(struct store *st, struct store_cmd *c)
{
	const struct store_wasm_current *x = (struct store_wasm_current *)c;
	int rc = query_any(query_of(&st->w, SQL_WASM_HAS, db_i64(c->owner), db_text(x->name),
	    db_i64(x->number)));

	if (rc == ERR_NOTFOUND)
		return release_missing(c, x->name, x->number);
	return rc == OK ? db_run(&st->w, SQL_WASM_CURRENT, db_i64(c->owner),
	    db_text(x->name), db_i64(x->number)) : rc;
}
const struct op store_op_wasm_current = { .run = wasm_current,
    .locks = wasm_locks };

/* May it go?  alone: no other one of its name stays. */
static int
version_check(struct store_cmd *c, struct str name, const struct version *v, bool alone)
{
	if (v->in_image)
		return err_set(&c->err, ERR_CONFLICT, "version %lld of module '%.*s' is needed: "
		    "an agent has its state saved with it", (long long)v->number, FMT(name));
	if (v->current && !alone)
		return err_set(&c->err, ERR_CONFLICT, "version %lld of module '%.*s' is the "
		    "current one: make another one current first", (long long)v->number,
		    FMT(name));
	return OK;
}

static int
wasm_delete(struct store *st, struct store_cmd *c)
{
	const struct store_wasm_delete *x = (struct store_wasm_delete *)c;
	struct version *at;
	size_t n, gone = 0;
	int rc = versions_read(st, c->owner, x->name, &at, &n);

	for (size_t i = 0; rc == OK && i < n; i++)
		if (x->number == 0 || at[i].number == x->number)
			rc = version_check(c, x->name, &at[i], x->number == 0 || n == 1);
	for (size_t i = 0; rc == OK && i < n; i++) {
		if (x->number != 0 && at[i].number != x->number)
			continue;
		rc = version_drop(st, c->owner, x->name, &at[i]);
		gone++;
	}
	return rc == OK && gone == 0 ? release_missing(c, x->name, x->number) : rc;
}
const struct op store_op_wasm_delete = { .run = wasm_delete,
    .locks = wasm_locks };

/* ---- images -------------------------------------------------------------------- */

int
wasm_image_drop(struct store *st, owner_t owner, const struct uuid *agent)
{
	return db_run(&st->w, SQL_WASM_IMAGE_DELETE, db_i64(owner), db_uuid(agent));
}

static int
image_put(struct store *st, const struct store_wasm_save *x)
{
	if (x->body.n == 0)
		return wasm_image_drop(st, x->cmd.owner, &x->agent);
	return db_run(&st->w, SQL_WASM_IMAGE_PUT, db_i64(x->cmd.owner), db_uuid(&x->agent),
	    db_text(x->name), db_i64(x->number), db_blob(x->body), db_i64(x->now));
}

static int
wasm_save(struct store *st, struct store_cmd *c)
{
	struct store_wasm_save *x = (struct store_wasm_save *)c;
	int rc = query_any(query_of(&st->w, SQL_MAILER_HAS, db_i64(c->owner),
	    db_uuid(&x->agent)));

	if (rc == ERR_NOTFOUND)
		return err_set(&c->err, rc, "the agent was deleted");
	if (!x->keeps && x->body.n > LIMIT_WASM_IMAGE_BYTES)
		return err_set(&c->err, ERR_TOOBIG, "the agent's state has %zu bytes; %d is the "
		    "limit", x->body.n, LIMIT_WASM_IMAGE_BYTES);
	if (rc == OK && !x->keeps)
		rc = image_put(st, x);
	if (rc == OK && x->taken_n > 0)
		rc = mails_taken(st, c->owner, x->taken, x->taken_n, x->now);
	return rc == OK ? mails_put(st, c->owner, c->node, x->mails, x->mails_n) : rc;
}

static size_t
wasm_save_bytes(const struct store_cmd *c)
{
	const struct store_wasm_save *x = (const void *)c;

	return (x->keeps ? 0 : x->body.n) + mails_bytes(x->mails, x->mails_n) +
	    8 * x->taken_n;
}
OP_LOCK(wasm_save, lock_uuid(l, LOCK_AGENT, &x->agent))
const struct op store_op_wasm_save = { .run = wasm_save, .bytes = wasm_save_bytes,
    .locks = wasm_save_locks, .fenced = true };

/* ---- reads ---------------------------------------------------------------------- */

/* The last column is a bool. */
#define C(member) DB_COLUMN(struct store_wasm_release, member)
static const struct db_column release_columns[] = { C(owner), C(name), C(number), C(hash),
    C(policy_json), C(size), C(created) };
#undef C
static const struct db_record release_record = DB_RECORD(release_columns);

int
store_wasm_each(struct store_reader *r, void (*each)(void *ctx,
    const struct store_wasm_release *x), void *ctx)
{
	struct query q = query_of(reader_db(r), SQL_WASM_EACH);
	struct arena row = ARENA(2 * LIMIT_WASM_POLICY_BYTES);
	int rc;

	for (rc = query_row(&q); rc == OK; rc = rc == OK ? query_row(&q) : rc) {
		struct store_wasm_release x = { 0 };

		rc = query_read(&q, &release_record, &x, &row);
		x.current = query_i64(&q, release_record.n) != 0;
		if (rc == OK)
			each(ctx, &x);
		arena_clear(&row);
	}
	query_end(&q);
	arena_release(&row);
	return rc == ERR_NOTFOUND ? OK : rc;
}

static int
one_text(struct query q, struct arena *a, struct str *out)
{
	int rc = query_row(&q);

	*out = rc == OK ? query_str(&q, 0, a) : STR_NONE;
	query_end(&q);
	return rc == OK && out->p == NULL ? ERR_TOOBIG : rc;
}

int
store_wasm_bytes(struct store_reader *r, owner_t o, struct str name, int64_t number,
    struct arena *a, struct str *out)
{
	return one_text(query_of(reader_db(r), SQL_WASM_BYTES_OF, db_i64(o), db_text(name),
	    db_i64(number)), a, out);
}

#define C(member) DB_COLUMN(struct store_wasm_image, member)
static const struct db_column image_columns[] = { C(name), C(number), C(body), C(updated) };
#undef C
static const struct db_record image_record = DB_RECORD(image_columns);

int
store_wasm_image(struct store_reader *r, owner_t o, const struct uuid *agent,
    struct arena *a, struct store_wasm_image *out)
{
	return query_one(query_of(reader_db(r), SQL_WASM_IMAGE_OF, db_i64(o), db_uuid(agent)),
	    &image_record, out, a);
}
