/*
 * admin.c - the tracker as a whole: what it is, and its ids under another
 * prefix.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work/work_priv.h"

/* ---- info ------------------------------------------------------------------------------- */

/* events: the number of the last one, which in a file of its own is how many
 * there are. */
int
op_info(struct work *w, struct work_call *c)
{
	struct query q = query_of(&w->db, SQL_COUNTS);
	const char *file = sqlite3_db_filename(w->db.h, "main");
	int64_t items = 0, gone = 0;
	int rc;

	bind_i64(&q, w->t.seq);
	while ((rc = query_row(&q)) == OK)
		*(col_i64(&q, 0) < 2 * STATUS_TOMBSTONE ? &items : &gone) +=
		    col_i64(&q, 1);
	query_end(&q);
	if (rc != ERR_NOTFOUND)
		return fail_db(w, rc);
	buf_lit(c->data, "{\"prefix\":");
	json_add_str(c->data, w->t.prefix);
	number_add(c->data, "items", items);
	number_add(c->data, "deleted", gone);
	number_add(c->data, "events", work_event_last(w, w->t.seq));
	json_add_key(c->data, "version");
	json_add_str(c->data, S(COHORT_VERSION));
	number_add(c->data, "schema", work_migrations_n);
	json_add_key(c->data, "database");
	json_add_str(c->data, file == NULL ? S("") : str_of(file));
	buf_add_char(c->data, '}');
	return OK;
}

/* ---- rename_prefix ------------------------------------------------------------------------- */

struct row {
	int64_t seq;
	struct str id;
	bool deleted;                        /* renamed too, but nobody is told */
};

struct renaming {
	struct work *w;
	struct str from, to;                 /* prefixes */
	struct row *rows;
	size_t n;
	struct arena all;                    /* rows; w->a is one item's */
};

/* Is it one of the old prefix's ids?  That ends at the last '-'. */
static bool
is_ours(const struct renaming *r, struct str id)
{
	return id.n > r->from.n + 1 && str_starts(id, r->from) &&
	    id.p[r->from.n] == '-' &&
	    str_index(str_sub(id, r->from.n + 1, id.n), '-') < 0;
}

static struct str
id_after(const struct renaming *r, struct str id)
{
	return arena_fmt(&r->w->a, "%.*s%.*s", FMT(r->to),
	    FMT(str_sub(id, r->from.n, id.n)));
}

/* Tombstones count. */
static int
is_there(struct work *w, struct str id, bool *yes)
{
	int64_t seq;
	int rc = id_seq(w, id, &seq);

	*yes = rc == OK;
	return rc == ERR_NOTFOUND ? OK : rc;
}

static int
rows_read(struct renaming *r)
{
	struct query q = query_of(&r->w->db, SQL_ITEMS_ALL);
	size_t cap = 0;
	int rc;

	bind_i64(&q, r->w->t.seq);
	while ((rc = query_row(&q)) == OK) {
		if (!arena_grow(&r->all, r->rows, r->n, cap))
			break;
		r->rows[r->n++] = (struct row){ col_i64(&q, 0),
			col_str(&q, 1, &r->all),
			col_i64(&q, 2) / 2 == STATUS_TOMBSTONE };
	}
	query_end(&q);
	if (rc == OK || r->all.failed)
		return fail(r->w, ERR_LIMIT, "rename_prefix: too many items");
	return rc == ERR_NOTFOUND ? OK : fail_db(r->w, rc);
}

/* Every new id must be free and short enough, before anything is written. */
static int
ids_check(struct renaming *r, int64_t *renamed)
{
	int rc = OK;

	*renamed = 0;
	for (size_t i = 0; rc == OK && i < r->n; i++) {
		struct str id;
		bool taken;

		if (!is_ours(r, r->rows[i].id))
			continue;
		arena_clear(&r->w->a);
		id = id_after(r, r->rows[i].id);
		if (id.n > LIMIT_WORK_ID_BYTES)
			return fail(r->w, ERR_TOOBIG, "%.*s: the id would be longer "
			    "than %d bytes", FMT(id), LIMIT_WORK_ID_BYTES);
		rc = is_there(r->w, id, &taken);
		if (rc == OK && taken)
			return fail(r->w, ERR_CONFLICT, "there is an issue %.*s "
			    "already", FMT(id));
		*renamed += !r->rows[i].deleted;
	}
	return rc;
}

/* An id in a text, if it is an item's: before it was renamed, or after. */
static int
mention_renamed(void *ctx, struct str id, struct buf *out)
{
	const struct renaming *r = ctx;
	struct str after;
	bool there;
	int rc;

	if (!is_ours(r, id))
		return OK;
	after = id_after(r, id);
	rc = is_there(r->w, id, &there);
	if (rc == OK && !there)
		rc = is_there(r->w, after, &there);
	if (rc == OK && there)
		buf_add(out, after);
	return rc;
}

static bool
deps_rename(const struct renaming *r, struct item *it)
{
	struct dep *deps = arena_alloc(&r->w->a, (it->deps_n + 1) * sizeof *deps);
	bool changed = false;

	if (deps == NULL)
		return false;
	for (size_t i = 0; i < it->deps_n; i++) {
		deps[i] = it->deps[i];
		if (!is_ours(r, deps[i].id))
			continue;
		deps[i].id = id_after(r, deps[i].id);
		changed = true;
	}
	it->deps = deps;
	return changed;
}

static struct str
id_json(struct work *w, struct str id)
{
	return arena_fmt(&w->a, "{\"id\":\"%.*s\"}", FMT(id));
}

static int
item_rename(struct renaming *r, int64_t seq)
{
	struct mention m = { .put = mention_renamed, .ctx = r };
	struct work *w = r->w;
	struct item it, was;
	bool texts, other;
	int rc = item_load(w, seq, &it);

	if (rc != OK)
		return rc;
	was = it;
	if (is_ours(r, it.id))
		it.id = id_after(r, it.id);
	other = deps_rename(r, &it);
	rc = mentions_rewrite(w, &it, &m, true, &texts);
	if (rc != OK || (it.id.p == was.id.p && !other && !texts))
		return rc;
	it.updated_at = now_text(w);
	rc = item_save(w, &it, &was);
	if (rc == OK && it.id.p != was.id.p)
		rc = event_add(w, seq, it.id, EVENT_renamed, id_json(w, was.id),
		    id_json(w, it.id), false);
	else if (rc == OK)
		rc = event_add(w, seq, it.id, EVENT_updated, STR_NONE,
		    arena_str(&w->a, buf_str(&w->scratch)), false);
	return rc;
}

static int
prefix_write(struct work *w, struct str prefix)
{
	struct query q = query_of(&w->db, SQL_TRACKER_PREFIX);
	int rc;

	bind_str(&q, prefix);
	bind_i64(&q, w->t.seq);
	rc = query_run(&q);
	return rc == OK ? OK : fail_db(w, rc);
}

static int
items_rename(struct renaming *r)
{
	int rc = OK;

	for (size_t i = 0; rc == OK && i < r->n; i++) {
		arena_clear(&r->w->a);
		rc = call_tick(r->w, i, r->n);
		if (rc != OK)
			break;
		rc = item_rename(r, r->rows[i].seq);
	}
	return rc == OK ? prefix_write(r->w, r->to) : rc;
}

static void
renamed_add(const struct renaming *r, int64_t renamed, struct buf *b)
{
	int shown = 0;

	buf_lit(b, "{\"old_prefix\":");
	json_add_str(b, r->from);
	json_add_key(b, "new_prefix");
	json_add_str(b, r->to);
	number_add(b, "renamed", renamed);
	json_add_key(b, "issues");
	buf_add_char(b, '[');
	for (size_t i = 0; i < r->n && shown < LIMIT_WORK_IDS; i++) {
		if (!is_ours(r, r->rows[i].id) || r->rows[i].deleted)
			continue;
		buf_add(b, shown++ == 0 ? S("{\"old\":") : S(",{\"old\":"));
		json_add_str(b, r->rows[i].id);
		json_add_key(b, "new");
		json_add_str(b, id_after(r, r->rows[i].id));
		buf_add_char(b, '}');
	}
	buf_lit(b, "]}");
}

static int
prefix_take(struct work *w, struct str *to)
{
	int rc;

	*to = arg_text(w->call, "prefix");
	while (to->n > 0 && to->p[to->n - 1] == '-')
		to->n--;
	rc = prefix_check(*to, &w->call->err);
	if (rc != OK)
		return rc;
	if (str_eq(*to, w->t.prefix))
		return fail(w, ERR_INVALID, "new prefix is the same as current "
		    "prefix: %.*s", FMT(*to));
	return OK;
}

int
op_rename_prefix(struct work *w, struct work_call *c)
{
	struct renaming r = { .w = w, .from = w->t.prefix,
		.all = ARENA(LIMIT_WORK_MEMORY_BYTES) };
	struct arena mine = w->a;
	int64_t renamed = 0;
	int rc = prefix_take(w, &r.to);

	if (rc != OK)
		return rc;
	w->a = ARENA(LIMIT_WORK_MEMORY_BYTES);
	rc = rows_read(&r);
	if (rc == OK)
		rc = ids_check(&r, &renamed);
	if (rc == OK && !arg_bool(c, "dry_run"))
		rc = items_rename(&r);
	if (rc == OK)
		renamed_add(&r, renamed, c->data);
	arena_release(&w->a);
	w->a = mine;
	if (rc == OK && !arg_bool(c, "dry_run"))
		w->t.prefix = arena_str(&w->a, r.to);
	arena_release(&r.all);
	return rc;
}
