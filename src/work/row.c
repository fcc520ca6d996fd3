/*
 * row.c - items as rows: found by id, read, and written with everything that
 * is derived from them (columns, labels, counts).
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdio.h>

#include "work/row.h"

#define CANDIDATES 5                         /* shown for an ambiguous id */
#define NEAR_SCAN  2000                      /* ids looked at for a near one */

/* ---- reading ------------------------------------------------------------------- */

/* ITEM_COLUMNS of the row under q. */
static int
item_read(struct work *w, const struct query *q, struct item *out)
{
	struct json_doc doc;
	struct err e;
	int rc;

	memset(out, 0, sizeof *out);
	rc = json_parse(&doc, query_borrow(q, 8), &e);
	if (rc == OK)
		rc = item_decode(out, doc.root, true, &w->a, &e);
	if (rc == OK && (query_i64(q, 0) <= 0 || !id_is_valid(out->id)))
		rc = err_set(&e, ERR_INVALID, "its id or its number is none");
	json_release(&doc);
	if (rc != OK)
		return work_fail(w, ERR_IO, "item %lld is damaged: %s",
		    (long long)query_i64(q, 0), e.text);
	out->seq = query_i64(q, 0);
	out->created = query_i64(q, 2);
	out->blockers = query_i64(q, 3);
	out->held_parents = query_i64(q, 4);
	out->comments = query_i64(q, 5);
	out->children = query_i64(q, 6);
	return OK;
}

int
item_load(struct work *w, int64_t seq, struct item *out)
{
	struct query q = query_of(&w->db, SQL_ITEM_AT, db_i64(seq));
	int rc = query_row(&q);

	rc = rc == OK ? item_read(w, &q, out) : work_fail_db(w, rc);
	query_end(&q);
	return rc;
}

/* ---- finding ------------------------------------------------------------------- */

static int
seq_by(struct work *w, enum sql what, struct str id, int64_t *seq)
{
	int rc = query_one_i64(query_of(&w->db, what, db_i64(w->t.seq),
	    db_str(id)), seq);

	if (rc == OK && *seq <= 0)
		return work_fail(w, ERR_IO, "item %lld is damaged: its number is none",
		    (long long)*seq);
	return rc == OK || rc == ERR_NOTFOUND ? rc : work_fail_db(w, rc);
}

int
item_seq_exact(struct work *w, struct str id, int64_t *seq)
{
	return seq_by(w, SQL_ITEM_SEQ, id, seq);
}

int
id_seq(struct work *w, struct str id, int64_t *seq)
{
	return seq_by(w, SQL_ID_SEQ, id, seq);
}

struct str
id_full(struct work *w, struct str id)
{
	struct str prefix = arena_fmt(&w->a, "%.*s-", FMT(w->t.prefix));

	return str_starts(id, prefix) ? id :
	    arena_fmt(&w->a, "%.*s%.*s", FMT(prefix), FMT(id));
}

/* May it be the beginning of a hash?  Not a number, which is always whole, nor a
 * child's; a write needs LIMIT_WORK_PARTIAL_BYTES of the hash, without prefix. */
static bool
begins_hash(struct str id, struct str full, bool writes)
{
	bool number = true;
	struct str hash = full;

	for (ptrdiff_t dash; (dash = str_index(hash, '-')) >= 0; )
		hash = str_sub(hash, (size_t)dash + 1, hash.n);
	for (size_t i = 0; i < hash.n; i++) {
		if (hash.p[i] == '.')
			return false;
		number = number && hash.p[i] >= '0' && hash.p[i] <= '9';
	}
	return !number && (!writes ||
	    (id.n == hash.n && hash.n >= LIMIT_WORK_PARTIAL_BYTES));
}

/* The one hash that begins with `low`.  For a write a deleted item counts too:
 * deleting the same prefix twice must not reach another item. */
static int
seq_partial(struct work *w, struct str id, struct str low, bool writes,
    int64_t *seq)
{
	struct str high = arena_fmt(&w->a, "%.*s\x7f", FMT(low));
	char names[256] = "";
	size_t n = 0, at = 0;
	bool gone = false;
	int rc;
	struct query q = query_of(&w->db, SQL_ITEM_HASHES, db_i64(w->t.seq),
	    db_str(low), db_str(high),
	    db_i64(writes ? STATES : 2 * STATUS_TOMBSTONE),
	    db_i64(CANDIDATES + 1));

	while ((rc = query_row(&q)) == OK) {
		struct str found = query_borrow(&q, 1);

		gone = query_i64(&q, 2) >= 2 * STATUS_TOMBSTONE;
		*seq = query_i64(&q, 0);
		if (n++ < CANDIDATES && at + found.n + 16 < sizeof names)
			at += (size_t)snprintf(names + at, sizeof names - at,
			    "%s%.*s%s", at > 0 ? ", " : "", FMT(found),
			    gone ? " (deleted)" : "");
	}
	query_end(&q);
	if (rc != ERR_NOTFOUND)
		return work_fail_db(w, rc);
	if (n > 1)
		return work_fail(w, ERR_CONFLICT, "\"%.*s\" is ambiguous: %s%s", FMT(id),
		    names, n > CANDIDATES ? ", ..." : "");
	return n == 1 && !gone ? OK : ERR_NOTFOUND;
}

/* ERR_NOTFOUND, with the nearest id that exists. */
static int
not_found(struct work *w, struct str id)
{
	struct str full = id_full(w, id);
	unsigned best = 3;
	const char *near = NULL;
	struct query q = query_of(&w->db, SQL_ITEM_RANGE, db_i64(w->t.seq),
	    db_str(S("")), db_str(S("\x7f")), db_i64(NEAR_SCAN));

	while (full.n < 64 && query_row(&q) == OK) {
		unsigned d = str_distance(full, query_borrow(&q, 1), best - 1);

		if (d < best) {
			best = d;
			near = query_str(&q, 1, &w->a).p;
		}
	}
	query_end(&q);
	return err_near(&w->call->err, ERR_NOTFOUND, near, "", "issue %.*s not found",
	    FMT(id));
}

/* Of a deleted item's body: the new id, if it was renamed. */
static int
gone_words(struct work *w, struct str id, int64_t seq)
{
	struct json_doc doc = { 0 };
	struct str to = STR_NONE;
	struct err e;
	struct query q = query_of(&w->db, SQL_ITEM_BODY, db_i64(seq));

	if (query_row(&q) == OK && json_parse(&doc, query_borrow(&q, 0), &e) == OK)
		to = json_str(json_get(doc.root, S("renamed_to")));
	if (to.n > 0)
		work_fail(w, ERR_NOTFOUND, "issue %.*s not found: it is %.*s now",
		    FMT(id), FMT(to));
	else
		work_fail(w, ERR_NOTFOUND, "issue %.*s not found: it was deleted",
		    FMT(id));
	json_release(&doc);
	query_end(&q);
	return ERR_NOTFOUND;
}

/* *gone: an item with exactly this id was deleted; the error says so. */
static int
seq_whole(struct work *w, struct str id, int64_t *seq, bool *gone)
{
	int rc = item_seq_exact(w, id, seq);
	int64_t was;

	if (rc != ERR_NOTFOUND)
		return rc;
	rc = id_seq(w, id, &was);
	*gone = rc == OK;
	return rc == OK ? gone_words(w, id, was) : rc;
}

int
item_seq(struct work *w, struct str id, int64_t *seq)
{
	bool writes = work_call_writes(w), gone = false;
	struct str full;
	int rc = seq_whole(w, id, seq, &gone);

	if (rc == ERR_NOTFOUND && !gone && id.n > 0 && str_is_utf8(id)) {
		full = id_full(w, id);
		rc = seq_whole(w, full, seq, &gone);
		if (rc == ERR_NOTFOUND && !gone && begins_hash(id, full, writes))
			rc = seq_partial(w, id, full, writes, seq);
	}
	return rc == ERR_NOTFOUND && !gone ? not_found(w, id) : rc;
}

int
item_find(struct work *w, struct str id, struct item *out)
{
	int64_t seq;
	int rc = item_seq(w, id, &seq);

	return rc == OK ? item_load(w, seq, out) : rc;
}

int
comments_add(struct work *w, int64_t seq, struct str id, struct buf *out)
{
	int rc;
	struct query q = query_of(&w->db, SQL_COMMENTS_OF, db_i64(seq));

	buf_add_char(out, '[');
	while ((rc = query_row(&q)) == OK) {
		json_add_comma(out);
		comment_encode(out, query_i64(&q, 0), id, query_borrow(&q, 1),
		    query_borrow(&q, 2), query_borrow(&q, 3));
	}
	buf_add_char(out, ']');
	return work_rows_end(w, &q, rc);
}

int
item_add(struct work *w, int64_t seq, bool targets, struct buf *out)
{
	struct query q = query_of(&w->db, SQL_ITEM_BODY, db_i64(seq));
	int rc = query_row(&q);

	rc = rc == OK ? body_add(w, query_borrow(&q, 0), targets, out) :
	    work_fail_db(w, rc);
	query_end(&q);
	return rc;
}

/* ---- writing ------------------------------------------------------------------- */

static int
item_state(const struct item *it)
{
	return 2 * (int)it->status + item_held(it);
}

static struct db_value
lease_value(const struct item *it)
{
	return it->lease_holder.p == NULL ? db_null() : db_i64(it->lease_until);
}

static int
row_insert(struct work *w, struct item *it, struct str body)
{
	return query_insert(query_of(&w->db, SQL_ITEM_INSERT, db_i64(w->t.seq),
	    db_str(it->id), db_i64(item_state(it)), db_i64(it->priority),
	    db_i64(it->created), db_i64((int64_t)it->type), db_str(it->assignee),
	    db_i64(it->blockers), db_i64(it->held_parents),
	    db_i64(it->comments), db_i64(it->children), lease_value(it),
	    db_str(body)), &it->seq);
}

static int
row_update(struct work *w, const struct item *it, struct str body)
{
	return db_run(&w->db, SQL_ITEM_UPDATE, db_str(it->id),
	    db_i64(item_state(it)), db_i64(it->priority), db_i64(it->created),
	    db_i64((int64_t)it->type), db_str(it->assignee),
	    db_i64(it->comments), db_i64(it->children), lease_value(it),
	    db_str(body), db_i64(it->seq));
}

static int
label_row(struct work *w, enum sql what, struct str label, int64_t item)
{
	return db_run(&w->db, what, db_i64(w->t.seq), db_str(label),
	    db_i64(item));
}

/* Both lists are sorted: one walk finds what went and what came. */
static int
labels_save(struct work *w, const struct item *it, const struct item *was)
{
	size_t n = was == NULL ? 0 : was->labels_n, i = 0, j = 0;
	int rc = OK;

	while (rc == OK && (i < n || j < it->labels_n)) {
		int order = i == n ? 1 : j == it->labels_n ? -1 :
		    str_cmp(was->labels[i], it->labels[j]);

		if (order < 0)
			rc = label_row(w, SQL_LABEL_TAKE, was->labels[i], it->seq);
		else if (order > 0)
			rc = label_row(w, SQL_LABEL_PUT, it->labels[j], it->seq);
		i += order <= 0;
		j += order >= 0;
	}
	return rc;
}

int64_t
item_lead(const struct item *it)
{
	msec closed;

	if (it->status != STATUS_CLOSED || it->closed_at.p == NULL ||
	    !clock_read_iso(it->closed_at, &closed) || closed < it->created)
		return 0;
	return closed - it->created;
}

int
item_save(struct work *w, struct item *it, const struct item *was)
{
	int rc;

	assert((it->seq == 0) == (was == NULL));
	buf_clear(&w->scratch);
	deps_sort(it->deps, it->deps_n);
	item_encode(&w->scratch, it, STR_NONE);
	if (w->scratch.failed || w->scratch.n > LIMIT_WORK_ITEM_BYTES)
		return work_fail(w, ERR_TOOBIG, "the item is larger than %d bytes",
		    LIMIT_WORK_ITEM_BYTES);
	rc = was == NULL ? row_insert(w, it, buf_str(&w->scratch)) :
	    row_update(w, it, buf_str(&w->scratch));
	if (rc == OK && (it->labels_n > 0 || (was != NULL && was->labels_n > 0)))
		rc = labels_save(w, it, was);
	if (rc != OK)
		return work_fail_db(w, rc);
	w->t.counts[item_state(it)]++;
	w->t.lead_change += item_lead(it);
	if (was != NULL) {
		w->t.counts[item_state(was)]--;
		w->t.lead_change -= item_lead(was);
	}
	return OK;
}

struct str
work_now_text(struct work *w)
{
	char *p = arena_alloc(&w->a, CLOCK_ISO_SIZE);

	if (p == NULL)
		return STR_NONE;
	clock_write_iso(p, w->call->now);
	return (struct str){ p, CLOCK_ISO_SIZE };
}

void
item_touch(struct work *w, struct item *it)
{
	char *p = arena_alloc(&w->a, CLOCK_ISO_SIZE);
	msec was, now = w->call->now;

	if (p == NULL)
		return;                      /* the operation fails of it */
	if (clock_read_iso(it->updated_at, &was) && was > now) {
		if (was >= WORK_TIME_MAX_MS)
			return;
		now = was + 1;
	}
	clock_write_iso(p, now);
	it->updated_at = (struct str){ p, CLOCK_ISO_SIZE };
}

void
item_set_status(struct work *w, struct item *it, enum status to)
{
	assert(to <= STATUS_TOMBSTONE);
	it->status = to;
	if (to == STATUS_CLOSED || to == STATUS_TOMBSTONE)
		it->closed_at = it->closed_at.p != NULL ? it->closed_at :
		    work_now_text(w);
	else
		it->closed_at = STR_NONE;
	if (to != STATUS_IN_PROGRESS) {
		it->lease_holder = STR_NONE;
		it->lease_until = 0;
	}
}

int
item_drop_dep(struct work *w, struct item *it, struct str target)
{
	struct dep *deps = arena_alloc(&w->a, (it->deps_n + 1) * sizeof *deps);
	size_t n = 0;

	if (deps == NULL)
		return work_fail(w, ERR_TOOBIG, "too many dependencies");
	for (size_t i = 0; i < it->deps_n; i++) {
		if (!str_eq(it->deps[i].id, target))
			deps[n++] = it->deps[i];
	}
	it->deps = deps;
	it->deps_n = n;
	return OK;
}
