/*
 * look.c - the operations that only read.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work/row.h"
#include "work/work_priv.h"

int
op_ping(struct work *w, struct work_call *c)
{
	(void)w;
	buf_lit(c->data, "{\"message\":\"pong\",\"version\":\"" COHORT_VERSION "\"}");
	return OK;
}

int
op_resolve(struct work *w, struct work_call *c)
{
	struct item it;
	int rc = item_find(w, arg_text(c, "id"), &it);

	if (rc != OK)
		return rc;
	json_add_fmt(c->data, "{'id':%.*s}", FMT(it.id));
	return OK;
}

/* ---- show --------------------------------------------------------------------------------- */

/* The item at the other end of an edge, whole, and what the edge is. */
static int
neighbour_add(struct work *w, int64_t seq, enum dep_type type, struct buf *b)
{
	int rc = item_add(w, seq, false, b);

	if (rc != OK)
		return rc;
	buf_cut(b, b->n - 1);
	json_add_fmt(b, ",'dependency_type':%s}", work_dep_names[type]);
	return OK;
}

/* Both directions: the statement gives (other end, type). */
static int
neighbours_add(struct work *w, enum sql edges, const char *key, int64_t seq,
    struct buf *b)
{
	bool first = true;
	int rc;
	struct query q = query_of(&w->db, edges, db_i64(seq));

	while ((rc = query_row(&q)) == OK) {
		if (first)
			json_add_key(b, key);
		buf_add_char(b, first ? '[' : ',');
		first = false;
		rc = neighbour_add(w, query_i64(&q, 0), (enum dep_type)query_i64(&q, 1),
		    b);
		if (rc != OK)
			break;
	}
	if (!first)
		buf_add_char(b, ']');
	return work_rows_end(w, &q, rc);
}

int
op_show(struct work *w, struct work_call *c)
{
	struct item it;
	int rc = item_find(w, arg_text(c, "id"), &it);

	if (rc != OK)
		return rc;
	buf_add_char(c->data, '{');
	item_add_fields(c->data, &it);
	rc = neighbours_add(w, SQL_SHOW_TARGETS, "dependencies", it.seq, c->data);
	item_add_edges(c->data, &it, "dependency_records");
	if (rc == OK)
		rc = neighbours_add(w, SQL_SHOW_SOURCES, "dependents", it.seq,
		    c->data);
	lease_add(c->data, &it);
	if (rc == OK && it.comments > 0) {
		json_add_key(c->data, "comments");
		rc = comments_add(w, it.seq, it.id, c->data);
	}
	buf_add_char(c->data, '}');
	return rc;
}

/* ---- stats ---------------------------------------------------------------------------------- */

/* Items of a status, held or not. */
static int64_t
with_status(const int64_t *counts, enum status s)
{
	return counts[2 * s] + counts[2 * s + 1];
}

static void
stats_add(struct buf *b, const int64_t *n, int64_t lead_ms)
{
	int64_t closed = with_status(n, STATUS_CLOSED), total = 0, blocked = 0;

	for (int s = 0; s < 2 * STATUS_TOMBSTONE; s++) {
		total += n[s];
		blocked += (BLOCKED_STATES >> s & 1) != 0 ? n[s] : 0;
	}
	json_add_fmt(b, "{'total_issues':%lld,'open_issues':%lld,"
	    "'in_progress_issues':%lld,'deferred_issues':%lld,'closed_issues':%lld,"
	    "'blocked_issues':%lld,'ready_issues':%lld,'average_lead_time_hours':",
	    (long long)total, (long long)with_status(n, STATUS_OPEN),
	    (long long)with_status(n, STATUS_IN_PROGRESS),
	    (long long)with_status(n, STATUS_DEFERRED), (long long)closed,
	    (long long)blocked, (long long)n[STATE_READY]);
	json_add_double(b, closed == 0 ? 0 :
	    (double)lead_ms / (double)closed / 3600000.0);
	buf_add_char(b, '}');
}

int
op_stats(struct work *w, struct work_call *c)
{
	int64_t counts[STATES] = { 0 }, lead = 0;
	int rc;
	struct query q = query_of(&w->db, SQL_STATS, db_i64(w->t.seq));

	while ((rc = query_row(&q)) == OK) {
		int64_t state = query_null(&q, 0) ? STATES : query_i64(&q, 0);

		lead = query_i64(&q, 2);
		if (state >= 0 && state < STATES)
			counts[state] = query_i64(&q, 1);
	}
	query_end(&q);
	if (rc != ERR_NOTFOUND)
		return work_fail_db(w, rc);
	stats_add(c->data, counts, lead);
	return OK;
}

/* ---- labels, comments, events --------------------------------------------- */

int
op_label_list(struct work *w, struct work_call *c)
{
	struct item it;
	int rc = item_find(w, arg_text(c, "id"), &it);

	if (rc != OK)
		return rc;
	buf_add_char(c->data, '[');
	for (size_t i = 0; i < it.labels_n; i++) {
		json_add_comma(c->data);
		json_add_str(c->data, it.labels[i]);
	}
	buf_add_char(c->data, ']');
	return OK;
}

int
op_label_list_all(struct work *w, struct work_call *c)
{
	int rc;
	struct query q = query_of(&w->db, SQL_LABELS_ALL, db_i64(w->t.seq));

	buf_add_char(c->data, '[');
	while ((rc = query_row(&q)) == OK)
		json_add_fmt(c->data, ",{'label':%.*s,'count':%lld}",
		    FMT(query_borrow(&q, 0)), (long long)query_i64(&q, 1));
	buf_add_char(c->data, ']');
	return work_rows_end(w, &q, rc);
}

int
op_comment_list(struct work *w, struct work_call *c)
{
	struct item it;
	int rc = item_find(w, arg_text(c, "id"), &it);

	return rc == OK ? comments_add(w, it.seq, it.id, c->data) : rc;
}

/* Also of an item that was deleted, by its whole id. */
static int
seq_ever(struct work *w, struct str id, int64_t *seq)
{
	int rc = id_seq(w, id, seq);

	if (rc == ERR_NOTFOUND)
		rc = id_seq(w, id_full(w, id), seq);
	return rc == ERR_NOTFOUND ? item_seq(w, id, seq) : rc;
}

/* The events after a number or, without one, the last ones; the newest last. */
int
op_history(struct work *w, struct work_call *c)
{
	bool one = arg_given(c, "id"), after = arg_given(c, "after");
	int64_t limit = arg_int(c, "limit", 0), item = 0;
	int64_t rows = 0;
	struct db_value v[4] = { { .kind = DB_END } };
	size_t n = 0;
	struct query q;
	int rc = one ? seq_ever(w, arg_text(c, "id"), &item) : OK;

	if (rc != OK)
		return rc;
	if (one)
		v[n++] = db_i64(item);
	if (after)
		v[n++] = db_i64(arg_int(c, "after", 0));
	if (!one)
		v[n++] = db_i64(w->t.seq);
	v[n++] = db_i64(limit == 0 ? LIMIT_WORK_ROWS + 1 : limit);
	q = query_open(&w->db, one && after ? SQL_ITEM_EVENTS_AFTER :
	    one ? SQL_ITEM_EVENTS_LAST : after ? SQL_EVENTS_AFTER :
	    SQL_EVENTS_LAST, v);
	buf_add_char(c->data, '[');
	while ((rc = query_row(&q)) == OK) {
		rows++;
		json_add_comma(c->data);
		event_encode(c->data, &q);
	}
	buf_add_char(c->data, ']');
	query_end(&q);
	if (rc == ERR_NOTFOUND && limit == 0 && rows > LIMIT_WORK_ROWS)
		return work_fail(w, ERR_LIMIT, "more than %d events: ask for them with a "
		    "limit, and \"after\" the last", LIMIT_WORK_ROWS);
	return rc == ERR_NOTFOUND ? OK : work_fail_db(w, rc);
}
