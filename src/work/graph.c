/*
 * graph.c - edges, and who is held by them.
 *
 * Two counters on each item say why it is held: `blockers`, its own `blocks`
 * edges whose target is not closed, and `held_parents`, its parents that are
 * held.  A change of one item changes the counters of its direct neighbours;
 * where by that an item becomes held or free, its children follow.  All
 * changes of one operation go the same way, so an item turns at most once and
 * the work is the size of what changed.
 *
 * The counters do not look at the item's own status: a closed epic that is
 * held still holds its children.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/mem.h"
#include "work/graph.h"

/* Items whose counters change; in the arena, walked from the front. */
struct hold {
	int64_t seq;
	int blockers, parents;
};

struct holds {
	struct hold *list;
	size_t n, cap;
};

static int
holds_add(struct work *w, struct holds *h, int64_t seq, int blockers, int parents)
{
	if (!arena_grow(&w->a, h->list, h->n, h->cap))
		return work_fail(w, ERR_LIMIT, "too many items depend on this one");
	h->list[h->n++] = (struct hold){ seq, blockers, parents };
	return OK;
}

/* Those that have an edge of this type to `target`. */
static int
holds_add_all(struct work *w, struct holds *h, int64_t target,
    enum dep_type type, int by)
{
	int rc;
	struct query q = query_of(&w->db, SQL_EDGES_TO, db_i64(target),
	    db_i64((int64_t)type));

	while ((rc = query_row(&q)) == OK) {
		rc = type == DEP_BLOCKS ?
		    holds_add(w, h, query_i64(&q, 0), by, 0) :
		    holds_add(w, h, query_i64(&q, 0), 0, by);
		if (rc != OK)
			break;
	}
	return work_rows_end(w, &q, rc);
}

static int
hold_write(struct work *w, int64_t seq, int64_t state, int64_t blockers,
    int64_t parents)
{
	return work_exec(w, SQL_HOLD_SET, db_i64(state), db_i64(blockers),
	    db_i64(parents), db_i64(seq));
}

/* Changes one item's counters and notes its children if it turned. */
static int
hold_apply(struct work *w, struct holds *h, const struct hold *x)
{
	int64_t state = 0, blockers = 0, parents = 0, now;
	struct str id = STR_NONE;
	struct query q = query_of(&w->db, SQL_HOLD_GET, db_i64(x->seq));
	int rc = query_row(&q);

	if (rc == OK) {
		state = query_i64(&q, 0);
		blockers = query_i64(&q, 1) + x->blockers;
		parents = query_i64(&q, 2) + x->parents;
		id = query_str(&q, 3, &w->a);
	}
	query_end(&q);
	if (rc != OK)
		return work_fail_db(w, rc);
	if (state < 0 || state >= STATES || x->seq <= 0 || id.n == 0)
		return work_fail(w, ERR_IO, "item %lld is damaged: its state is %lld",
		    (long long)x->seq, (long long)state);
	now = (state & ~INT64_C(1)) | (blockers > 0 || parents > 0);
	rc = hold_write(w, x->seq, now, blockers, parents);
	if (rc != OK || now == state)
		return rc;
	w->t.counts[state]--;
	w->t.counts[now]++;
	if (now == STATE_READY)
		rc = event_add(w, x->seq, id, EVENT_unblocked, STR_NONE, STR_NONE,
		    true);
	if (rc == OK)
		rc = holds_add_all(w, h, x->seq, DEP_PARENT_CHILD,
		    now > state ? 1 : -1);
	return rc;
}

static int
holds_run(struct work *w, struct holds *h)
{
	int rc = OK;

	for (size_t i = 0; rc == OK && i < h->n; i++) {
		struct hold x = h->list[i];

		rc = hold_apply(w, h, &x);
	}
	return rc;
}

int
graph_closed(struct work *w, int64_t item, bool closed)
{
	struct holds h = { 0 };
	int rc = holds_add_all(w, &h, item, DEP_BLOCKS, closed ? -1 : 1);

	return rc == OK ? holds_run(w, &h) : rc;
}

/* ---- edges ----------------------------------------------------------------------- */

int
edge_weight(struct work *w, int64_t target, enum dep_type type, int *blockers,
    int *parents)
{
	int64_t state;
	int rc;

	*blockers = *parents = 0;
	rc = query_one_i64(query_of(&w->db, SQL_HOLD_GET, db_i64(target)), &state);
	if (rc != OK)
		return work_fail_db(w, rc);
	if (type == DEP_BLOCKS)
		*blockers = state < 2 * STATUS_CLOSED;
	if (type == DEP_PARENT_CHILD)
		*parents = (int)(state & 1);
	return OK;
}

int
edge_put(struct work *w, int64_t item, int64_t target, enum dep_type type)
{
	int rc = db_run(&w->db, SQL_EDGE_PUT, db_i64(item), db_i64(target),
	    db_i64((int64_t)type));

	assert(item > 0 && target > 0 && type < DEP_TYPES);
	if (rc == ERR_CONFLICT)
		return work_fail(w, rc, "there is a dependency between the two already");
	if (rc != OK)
		return work_fail_db(w, rc);
	graph_note(w, item, target, type, true);
	return OK;
}

int
edge_add(struct work *w, int64_t item, int64_t target, enum dep_type type)
{
	struct holds h = { 0 };
	int blockers, parents;
	int rc = edge_weight(w, target, type, &blockers, &parents);

	if (rc == OK)
		rc = edge_put(w, item, target, type);
	if (rc == OK && (blockers > 0 || parents > 0))
		rc = holds_add(w, &h, item, blockers, parents);
	return rc == OK ? holds_run(w, &h) : rc;
}

int
edge_remove(struct work *w, int64_t item, int64_t target)
{
	struct holds h = { 0 };
	enum dep_type type = DEP_BLOCKS;
	int blockers, parents, rc;
	struct query q = query_of(&w->db, SQL_EDGE_GET, db_i64(item),
	    db_i64(target));

	rc = query_row(&q);
	if (rc == OK)
		type = (enum dep_type)query_i64(&q, 0);
	query_end(&q);
	if (rc == OK)
		rc = edge_weight(w, target, type, &blockers, &parents);
	if (rc == OK) {
		rc = db_run(&w->db, SQL_EDGE_TAKE, db_i64(item),
		    db_i64(target));
	}
	if (rc != OK)
		return rc == ERR_NOTFOUND ?
		    work_fail(w, rc, "there is no such dependency") : work_fail_db(w, rc);
	graph_note(w, item, target, type, false);
	if (blockers > 0 || parents > 0)
		rc = holds_add(w, &h, item, -blockers, -parents);
	return rc == OK ? holds_run(w, &h) : rc;
}
