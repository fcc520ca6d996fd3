/*
 * export.c - items as lines, sorted by id, in pages.  With `whole` it is one page
 * of any size, so that all lines are of one moment.
 *
 * A line is the item's body with its comments, numbered from 1, since the numbers
 * of our rows mean nothing elsewhere.  Leases are left out.  Deleted items are
 * included, unless the arguments say otherwise or name a status.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work/exchange/import_priv.h"
#include "work/exchange/record_priv.h"

int
record_text(struct work *w, struct query q, struct str *out)
{
	int rc = query_row(&q);

	*out = rc == OK ? query_str(&q, 0, &w->a) : STR_NONE;
	query_end(&q);
	return rc == OK || rc == ERR_NOTFOUND ? OK : work_fail_db(w, rc);
}

int
record_row(struct work *w, struct str id, int64_t *seq)
{
	int rc = id_seq(w, id, seq);

	if (rc == ERR_NOTFOUND)
		*seq = 0;
	return rc == ERR_NOTFOUND ? OK : rc;
}

static int
comments_load(struct work *w, struct record *r)
{
	struct query q;
	size_t max = (size_t)r->it.comments;
	int rc;

	r->comments = arena_alloc(&w->a, (max + 1) * sizeof *r->comments);
	if (r->comments == NULL)
		return work_fail(w, ERR_TOOBIG, "too many comments");
	q = query_of(&w->db, SQL_COMMENTS_OF, db_i64(r->it.seq));
	while ((rc = query_row(&q)) == OK && r->comments_n < max)
		r->comments[r->comments_n++] = (struct comment){
			.author = query_str(&q, 1, &w->a),
			.text = query_str(&q, 2, &w->a),
			.created_at = query_str(&q, 3, &w->a) };
	query_end(&q);
	record_comments_sort(r->comments, &r->comments_n);
	return rc == OK || rc == ERR_NOTFOUND ? OK : work_fail_db(w, rc);
}

/* A tombstone says when and by whom; for our own deletions the audit knows. */
static int
tombstone_load(struct work *w, struct item *it)
{
	struct buf b = BUF(8 * KB);
	struct str by;
	int rc = record_text(w, query_of(&w->db, SQL_DELETED_BY, db_i64(it->seq),
	    db_i64(EVENT_deleted)), &by);

	if (rc != OK)
		return rc;
	json_add_fmt(&b, "'deleted_at':%.*s", FMT(it->updated_at));
	if (by.n > 0)
		json_add_fmt(&b, ",'deleted_by':%.*s", FMT(by));
	it->extra = work_text_keep(w, &b);
	return OK;
}

int
record_load(struct work *w, int64_t seq, struct record *r)
{
	int rc;

	*r = (struct record){ 0 };
	rc = item_load(w, seq, &r->it);
	if (rc == OK && r->it.comments > 0)
		rc = comments_load(w, r);
	if (rc == OK && r->it.status == STATUS_TOMBSTONE && r->it.extra.n == 0)
		rc = tombstone_load(w, &r->it);
	return rc;
}

/* The line of the row under q: its body, if that is all. */
static int
line_add(struct work *w, const struct query *q, struct buf *b)
{
	struct record r;
	int rc;

	if (query_i64(q, 4) == 0 && query_i64(q, 5) == 0 &&
	    query_i64(q, 2) < 2 * STATUS_TOMBSTONE) {
		buf_add(b, query_borrow(q, 3));
		return OK;
	}
	rc = record_load(w, query_i64(q, 0), &r);
	if (rc == OK)
		record_encode(b, &r);
	return rc;
}

static struct query
export_query(struct work *w, const struct work_call *c)
{
	bool all = arg_given(c, "tombstones") ? arg_bool(c, "tombstones") :
	    !arg_given(c, "status");

	return query_of(&w->db, SQL_EXPORT, db_i64(w->t.seq),
	    db_text(arg_text(c, "after")),
	    db_i64(all ? STATES : 2 * STATUS_TOMBSTONE),
	    db_i64(arg_word(c, "status", work_status_names, -1)));
}

int
op_export(struct work *w, struct work_call *c)
{
	struct query q = export_query(w, c);
	int64_t left = arg_int(c, "limit", 0);
	size_t begin = c->data->n;
	struct str last = STR_NONE;
	bool full = false, whole = arg_bool(c, "whole");
	int rc;

	if (left == 0)
		left = LIMIT_WORK_ROWS;
	buf_lit(c->data, "{\"lines\":[");
	while ((rc = query_row(&q)) == OK) {
		full = left-- == 0 || (!whole && c->data->n - begin >
		    LIMIT_WORK_PAGE_BYTES);
		if (full)
			break;
		json_add_comma(c->data);
		rc = line_add(w, &q, c->data);
		if (rc != OK)
			break;
		last = query_str(&q, 1, &w->a);
	}
	query_end(&q);
	if (full)
		json_add_fmt(c->data, "],'next':%.*s}", FMT(last));
	else
		buf_lit(c->data, "],\"next\":null}");
	return rc == OK || rc == ERR_NOTFOUND ? OK :
	    w->call->err.text[0] != '\0' ? rc : work_fail_db(w, rc);
}
