/*
 * loose.c - dependencies on items that are not there.
 *
 * An import leaves such a dependency in the body and a row in work_loose.  It
 * becomes an edge when an item of that id is made, imported or renamed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work/graph.h"
#include "work/row.h"

int
work_seqs_read(struct work *w, struct query q, struct arena *a, int64_t **list,
    size_t *n)
{
	size_t cap = 0;
	int rc;

	*list = NULL;
	*n = 0;
	while ((rc = query_row(&q)) == OK) {
		if (!arena_grow(a, *list, *n, cap))
			break;
		(*list)[(*n)++] = query_i64(&q, 0);
	}
	query_end(&q);
	if (rc == OK)
		return work_fail(w, ERR_TOOBIG, "too many dependencies");
	return rc == ERR_NOTFOUND ? OK : work_fail_db(w, rc);
}

static int
waiting_read(struct work *w, struct str id, int64_t **list, size_t *n)
{
	return work_seqs_read(w, query_of(&w->db, SQL_LOOSE_TO, db_i64(w->t.seq),
	    db_str(id)), &w->a, list, n);
}

/* The waiting item's dependency on `id`; NULL: it has none any more. */
static int
waiting_load(struct work *w, int64_t seq, struct str id, struct item *it,
    const struct dep **out)
{
	int rc = item_load(w, seq, it);

	*out = NULL;
	for (size_t i = 0; rc == OK && i < it->deps_n; i++) {
		if (str_eq(it->deps[i].id, id))
			*out = &it->deps[i];
	}
	return rc;
}

/* waiting -> it -> target: does target lead back to waiting? */
static int
loose_cycle_check(struct work *w, const struct item *waiting, const struct item *it,
    const int64_t *targets)
{
	int rc = OK;

	for (size_t i = 0; rc == OK && i < it->deps_n; i++) {
		if (!edge_can_cycle(it->deps[i].type))
			continue;
		if (targets[i] == waiting->seq)
			return work_fail(w, ERR_CONFLICT, "cannot add dependency: would "
			    "create a cycle (%.*s -> %.*s -> %.*s)", FMT(it->id),
			    FMT(waiting->id), FMT(it->id));
		rc = cycle_check(w, waiting->seq, targets[i], it->deps[i].type);
	}
	return rc;
}

int
loose_allows(struct work *w, const struct item *it, const int64_t *targets)
{
	int64_t *list;
	size_t n;
	int rc = waiting_read(w, it->id, &list, &n);

	for (size_t i = 0; rc == OK && i < n && it->deps_n > 0; i++) {
		const struct dep *d;
		struct item waiting;

		rc = waiting_load(w, list[i], it->id, &waiting, &d);
		if (rc == OK && d != NULL && edge_can_cycle(d->type))
			rc = loose_cycle_check(w, &waiting, it, targets);
	}
	return rc;
}

/* The item was renamed to the id that it waited for. */
static int
self_drop(struct work *w, struct item *it)
{
	struct item was = *it;
	int rc = item_drop_dep(w, it, it->id);

	return rc == OK ? item_save(w, it, &was) : rc;
}

int
loose_take(struct work *w, struct str id, int64_t seq)
{
	int64_t *list;
	size_t n;
	int rc = waiting_read(w, id, &list, &n);

	if (rc != OK || n == 0)
		return rc;
	for (size_t i = 0; rc == OK && i < n; i++) {
		const struct dep *d;
		struct item waiting;

		rc = waiting_load(w, list[i], id, &waiting, &d);
		if (rc != OK || d == NULL)
			continue;
		if (list[i] == seq) {
			rc = self_drop(w, &waiting);
			continue;
		}
		rc = cycle_check(w, list[i], seq, d->type);
		if (rc == OK)
			rc = edge_add(w, list[i], seq, d->type);
	}
	if (rc != OK)
		return rc;
	return work_exec(w, SQL_LOOSE_TAKE, db_i64(w->t.seq), db_str(id));
}
