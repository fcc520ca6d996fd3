/*
 * look.c - the operations that only read.
 *
 * SPDX-License-Identifier: MIT
 */
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
	buf_lit(c->data, "{\"id\":");
	json_add_str(c->data, it.id);
	buf_add_char(c->data, '}');
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
	json_add_key(b, "dependency_type");
	json_add_str(b, str_of(work_dep_names[type]));
	buf_add_char(b, '}');
	return OK;
}

/* Both directions: the statement gives (other end, type). */
static int
neighbours_add(struct work *w, enum sql edges, const char *key, int64_t seq,
    struct buf *b)
{
	struct query q = query_of(&w->db, edges);
	bool first = true;
	int rc;

	bind_i64(&q, seq);
	while ((rc = query_row(&q)) == OK) {
		if (first)
			json_add_key(b, key);
		buf_add_char(b, first ? '[' : ',');
		first = false;
		rc = neighbour_add(w, col_i64(&q, 0), (enum dep_type)col_i64(&q, 1),
		    b);
		if (rc != OK)
			break;
	}
	if (!first)
		buf_add_char(b, ']');
	query_end(&q);
	return rc == ERR_NOTFOUND ? OK : rc;
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

/* ---- ready ---------------------------------------------------------------------------------- */

/* One priority's ready items, oldest first. */
static int
ready_of(struct work *w, struct work_call *c, int priority, int64_t *left,
    bool *first)
{
	struct query q = query_of(&w->db, SQL_READY);
	int rc;

	bind_i64(&q, w->t.seq);
	bind_i64(&q, priority);
	bind_str(&q, arg_text(c, "assignee"));
	while (*left > 0 && (rc = query_row(&q)) == OK) {
		if (!*first)
			buf_add_char(c->data, ',');
		buf_add(c->data, col_borrow(&q, 0));
		*first = false;
		--*left;
	}
	query_end(&q);
	return *left == 0 || rc == ERR_NOTFOUND ? OK : fail_db(w, rc);
}

int
op_ready(struct work *w, struct work_call *c)
{
	int64_t left = arg_int(c, "limit", LIMIT_WORK_READY_ROWS);
	int64_t only = arg_int(c, "priority", -1);
	bool first = true;
	int rc = OK;

	if (left == 0)
		left = LIMIT_WORK_ROWS;
	buf_add_char(c->data, '[');
	for (int p = 0; rc == OK && left > 0 && p <= PRIORITY_MAX; p++) {
		if (only < 0 || only == p)
			rc = ready_of(w, c, p, &left, &first);
	}
	buf_add_char(c->data, ']');
	return rc;
}
