/*
 * blocked.c - what waits, and for what.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work/listing.h"
#include "work/work_priv.h"

/* What keeps an item from being worked on; the ids are in w->scratch, as JSON
 * strings with commas. */
struct blockers {
	int64_t found[LIMIT_WORK_DEPS];
	size_t found_n;
	int64_t from[LIMIT_WORK_TREE_DEPTH]; /* the item, then held ancestors */
	size_t from_n;
};

static void
blocker_note(struct work *w, struct blockers *b, const struct query *q)
{
	for (size_t i = 0; i < b->found_n; i++) {
		if (b->found[i] == query_i64(q, 0))
			return;
	}
	if (b->found_n == COUNT(b->found))
		return;
	b->found[b->found_n++] = query_i64(q, 0);
	json_add_comma(&w->scratch);
	json_add_str(&w->scratch, query_borrow(q, 1));
}

static void
ancestor_note(struct blockers *b, int64_t seq)
{
	for (size_t i = 0; i < b->from_n; i++) {
		if (b->from[i] == seq)
			return;
	}
	if (b->from_n < COUNT(b->from))
		b->from[b->from_n++] = seq;
}

/* Open ones of its own are noted; *own: there are some. */
static int
blockers_own(struct work *w, struct blockers *b, int64_t seq, bool *own)
{
	struct query q = query_of(&w->db, SQL_BLOCKERS, db_i64(seq));
	int rc;

	*own = false;
	while ((rc = query_row(&q)) == OK) {
		*own = true;
		blocker_note(w, b, &q);
	}
	return work_rows_end(w, &q, rc);
}

static int
parents_held(struct work *w, struct blockers *b, int64_t seq)
{
	struct query q = query_of(&w->db, SQL_PARENTS_HELD, db_i64(seq));
	int rc;

	while ((rc = query_row(&q)) == OK)
		ancestor_note(b, query_i64(&q, 0));
	return work_rows_end(w, &q, rc);
}

/* Upwards, until on each way there is somebody with blockers of its own. */
static int
blockers_find(struct work *w, struct blockers *b, int64_t seq)
{
	int rc = OK;

	buf_clear(&w->scratch);
	b->found_n = 0;
	b->from_n = 1;
	b->from[0] = seq;
	for (size_t i = 0; rc == OK && i < b->from_n; i++) {
		bool own;

		rc = blockers_own(w, b, b->from[i], &own);
		if (rc == OK && (i == 0 || !own))
			rc = parents_held(w, b, b->from[i]);
	}
	return rc;
}

static int
blocked_add(struct work *w, struct listing *l, int64_t seq, struct str body)
{
	struct buf *out = w->call->data;
	struct blockers b;
	int rc = blockers_find(w, &b, seq);

	(void)l;
	json_add_comma(out);
	if (rc == OK)
		rc = body_add(w, body, true, out);
	buf_cut(out, out->n - 1);
	json_add_fmt(out, ",'blocked_by_count':%lld,'blocked_by':[%-.*s]}",
	    (long long)b.found_n, FMT(buf_str(&w->scratch)));
	return rc;
}

int
op_blocked(struct work *w, struct work_call *c)
{
	struct listing l = listing_of(c, 0);
	int rc = filter_take(w, &l.f);

	l.f.states = BLOCKED_STATES;
	l.add = blocked_add;
	return rc == OK ? listing_answer(w, &l) : rc;
}
