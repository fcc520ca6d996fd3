/*
 * find_threads.c - searching and counting threads.
 *
 * Candidates come from one index: those of the rarest leaf of the metadata
 * (facets.c), those of a status, or all of an owner, in order of creation; or all of
 * an owner in the order of their changes, if that is asked for and the page is expected
 * sooner that way than by sorting the others.  In the order that is asked for they
 * end with the page.  The total is kept by counters where one index says all
 * (tally.c); else it is known only if the candidates came to their end.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/store_priv.h"

struct seek {
	struct db *db;
	struct store_thread_search *x;
	int64_t rows;                        /* left to look at; 0: any number */
	struct wanted want;
	struct wanted_values values;
	struct facets facets;
	bool compares;                       /* the index does not say all */
	bool in_order;                       /* candidates come as asked */
	bool counted;                        /* total is known already */
	bool more;                           /* one matched behind the page */
	struct hit *hits;                    /* all matches, or only the page's */
	size_t n, cap;
};

/* ---- counts ---------------------------------------------------------------- */

static int
count_get(struct seek *s, int64_t what, int64_t *out)
{
	int rc;

	*out = 0;
	rc = query_one_i64(query_of(s->db, SQL_COUNT_GET,
	    db_i64(s->x->cmd.owner), db_i64(what)), out);
	return rc == ERR_NOTFOUND ? OK : rc;
}

/* -1: of all. */
static int
count_of_status(struct seek *s, int status, int64_t *out)
{
	int64_t n = 0;
	int rc = OK;

	if (status >= 0)
		return count_get(s, TALLY_STATUS(status), out);
	*out = 0;
	for (int i = 0; rc == OK && thread_status_names[i] != NULL; i++) {
		rc = count_get(s, TALLY_STATUS(i), &n);
		*out += n;
	}
	return rc;
}

/* The rarest of the leaves that are wanted. */
static int
rarest_leaf(struct seek *s, int64_t *hash, int64_t *count)
{
	int rc = OK;

	*count = INT64_MAX;
	for (size_t i = 0; rc == OK && i < s->facets.n; i++) {
		int64_t n;

		rc = count_get(s, s->facets.hash[i], &n);
		if (rc == OK && n < *count) {
			*count = n;
			*hash = s->facets.hash[i];
		}
	}
	return rc;
}

/* ---- candidates ------------------------------------------------------------ */

static bool
page_full(const struct seek *s)
{
	return s->in_order && (s->counted ? (int64_t)s->n >= s->x->page.limit : s->more);
}

static int
matches(struct seek *s, const struct query *q, bool *yes)
{
	int rc = OK;

	*yes = s->x->status < 0 || query_i64(q, 1) == s->x->status;
	if (*yes && s->compares)
		rc = wanted_test(&s->want, query_borrow(q, 5), yes);
	return rc == OK && *yes ? wanted_values_test(&s->values, query_i64(q, 0),
	    query_i64(q, 7), yes) : rc;
}

/* at: how many matched before it. */
static int
candidate(struct seek *s, const struct query *q, int64_t *at)
{
	static const int column_of[] = { [STORE_SORT_CREATED] = 2,
	    [STORE_SORT_UPDATED] = 3, [STORE_SORT_STATUS] = 1, [STORE_SORT_ID] = 2,
	    [STORE_SORT_STATE_UPDATED] = 6 };
	const struct store_thread_search *x = s->x;
	bool yes;
	int rc = matches(s, q, &yes);

	if (s->rows > 0 && --s->rows == 0)
		return ERR_AGAIN;
	if (rc != OK || !yes)
		return rc;
	++*at;
	if (s->in_order && (*at <= x->page.offset || (int64_t)s->n >= x->page.limit)) {
		s->more = *at > x->page.offset && x->page.limit > 0;
		return OK;
	}
	mem_grow(s->hits, s->n, s->cap);
	s->hits[s->n++] = (struct hit){ .seq = query_i64(q, 0), .id = query_uuid(q, 4),
	    .number = query_i64(q, column_of[x->page.sort]) };
	return OK;
}

static int
candidates(struct seek *s, struct query q, int64_t *at)
{
	int rc = OK;

	while (rc == OK && !page_full(s)) {
		rc = query_row(&q);
		if (rc == OK)
			rc = candidate(s, &q, at);
	}
	query_end(&q);
	return rc == ERR_NOTFOUND ? OK : rc;
}

static int
by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct uuid));
}

/* Each once, however often it was named. */
static int
by_ids(struct seek *s, int64_t *at)
{
	struct uuid *ids = s->x->ids;
	int rc = OK;

	s->in_order = s->counted = false;
	qsort(ids, s->x->ids_n, sizeof *ids, by_bytes);
	for (size_t i = 0; rc == OK && i < s->x->ids_n; i++) {
		struct query q;

		if (i > 0 && uuid_eq(&ids[i], &ids[i - 1]))
			continue;
		q = query_of(s->db, SQL_THREADS_OF_ID, db_i64(s->x->cmd.owner),
		    db_uuid(&ids[i]));
		rc = query_row(&q);
		if (rc == OK)
			rc = candidate(s, &q, at);
		query_end(&q);
		rc = rc == ERR_NOTFOUND ? OK : rc;
	}
	return rc;
}

static int
by_status(struct seek *s, int64_t count, int64_t *at)
{
	struct db_value owner = db_i64(s->x->cmd.owner);
	bool up = s->x->page.ascending;

	s->counted = !s->compares && wanted_is_open(&s->values.want);
	s->x->total = count;
	if (s->x->status < 0)
		return candidates(s, query_of(s->db, up ? SQL_THREADS_OLD :
		    SQL_THREADS_NEW, owner), at);
	return candidates(s, query_of(s->db, up ? SQL_THREADS_OF_STATUS_OLD :
	    SQL_THREADS_OF_STATUS_NEW, owner, db_i64(s->x->status)), at);
}

/* A thread that has the leaf has what is wanted. */
static bool
leaf_is_all(const struct seek *s)
{
	return s->facets.n == 1 && !s->facets.coarse && !s->facets.large &&
	    !wanted_is_guarded(&s->want);
}

static int
by_leaf(struct seek *s, int64_t hash, int64_t count, int64_t large, int64_t *at)
{
	enum sql text = s->x->page.ascending ? SQL_THREADS_OF_FACET_OLD :
	    SQL_THREADS_OF_FACET_NEW;
	struct db_value owner = db_i64(s->x->cmd.owner);
	bool alone = leaf_is_all(s);
	int rc;

	s->counted = alone && large == 0 && s->x->status < 0 &&
	    wanted_is_open(&s->values.want);
	s->x->total = count;
	s->compares = !alone;
	if (large > 0)
		s->in_order = false;
	rc = candidates(s, query_of(s->db, text, owner, db_i64(hash)), at);
	s->compares = true;
	if (rc == OK && large > 0)
		rc = candidates(s, query_of(s->db, text, owner,
		    db_i64(FACET_LARGE)), at);
	return rc;
}

/* What the counters say of a search. */
struct expected {
	int64_t all, of_status, of_leaf, large, hash;
	bool leaf;                           /* fewer than of the status */
};

static int
expect(struct seek *s, struct expected *e)
{
	int rc;

	*e = (struct expected){ 0 };
	rc = count_of_status(s, s->x->status, &e->of_status);
	if (rc == OK)
		rc = count_of_status(s, -1, &e->all);
	if (rc == OK && s->facets.n > 0)
		rc = rarest_leaf(s, &e->hash, &e->of_leaf);
	if (rc == OK && s->facets.n > 0)
		rc = count_get(s, FACET_LARGE, &e->large);
	e->leaf = s->facets.n > 0 && e->of_leaf + e->large <= e->of_status;
	return rc;
}

/* Is the page found sooner by going through all in the order that is asked for, than by
 * sorting all candidates?  If one of k matches, it takes k rows to find one. */
static bool
order_is_nearer(const struct seek *s, const struct expected *e)
{
	int64_t few = e->leaf ? e->of_leaf + e->large : e->of_status;
	int64_t page = s->x->page.offset + s->x->page.limit + 1;

	return s->x->page.limit > 0 && few > 0 &&
	    (double)page * (double)e->all / (double)few < (double)few;
}

static int
by_order(struct seek *s, const struct expected *e, int64_t *at)
{
	static const enum sql texts[][2] = {
		[STORE_SORT_UPDATED] = { SQL_THREADS_UPDATED_NEW, SQL_THREADS_UPDATED_OLD },
		[STORE_SORT_STATE_UPDATED] = { SQL_THREADS_STATE_NEW, SQL_THREADS_STATE_OLD },
	};
	bool open = wanted_is_open(&s->values.want);

	s->in_order = true;
	s->counted = open && (!s->compares || (leaf_is_all(s) && e->large == 0 &&
	    s->x->status < 0));
	s->x->total = s->compares ? e->of_leaf : e->of_status;
	return candidates(s, query_of(s->db, texts[s->x->page.sort][s->x->page.ascending],
	    db_i64(s->x->cmd.owner)), at);
}

static int
seek(struct seek *s)
{
	enum store_sort sort = s->x->page.sort;
	bool by_change = sort == STORE_SORT_UPDATED || sort == STORE_SORT_STATE_UPDATED;
	struct expected e;
	int64_t at = 0;
	int rc;

	if (s->x->ids_n > 0) {
		rc = by_ids(s, &at);
	} else {
		rc = expect(s, &e);
		if (rc == OK && by_change && order_is_nearer(s, &e))
			rc = by_order(s, &e, &at);
		else if (rc == OK && e.leaf)
			rc = by_leaf(s, e.hash, e.of_leaf, e.large, &at);
		else if (rc == OK)
			rc = by_status(s, e.of_status, &at);
	}
	if (!s->counted)
		s->x->total = page_full(s) ? -1 : at;
	return rc;
}

/* ---- the page -------------------------------------------------------------- */

/* Statuses in the order of their names. */
static int
status_rank(int64_t status)
{
	static const int rank[] = { [THREAD_BUSY] = 0, [THREAD_ERROR] = 1,
	    [THREAD_IDLE] = 2, [THREAD_INTERRUPTED] = 3 };

	assert(status >= 0 && (size_t)status < COUNT(rank));
	return rank[status];
}

static int
state_load(struct seek *s, struct store_thread_found *f)
{
	struct arena *a = s->x->cmd.arena;
	struct query q = query_of(s->db, SQL_CHECKPOINT_LATEST, db_i64(f->t.seq),
	    db_i64(s->x->cmd.owner));
	int rc = query_row(&q);

	f->has_state = rc == OK;
	if (rc == OK)
		rc = checkpoint_read(s->db, &q, f->t.seq, a, &f->state.c);
	query_end(&q);
	if (rc == OK)
		rc = states_fill(s->db, f->t.seq, &(struct store_state *){ &f->state }, 1,
		    STATE_CHANNELS | STATE_TASKS, a);
	return rc == ERR_NOTFOUND ? OK : rc;
}

static int
thread_load(struct seek *s, int64_t seq)
{
	struct store_thread_search *x = s->x;
	struct store_thread_found *f = &x->found[x->found_n++];
	int rc;

	memset(f, 0, sizeof *f);
	rc = query_one(query_of(s->db, SQL_THREAD_AT, db_i64(seq),
	    db_i64(x->cmd.owner)), &store_thread_record, &f->t, x->cmd.arena);
	return rc == OK && x->states && f->t.checkpoint != 0 ?
	    state_load(s, f) : rc;
}

static int
page_load(struct seek *s)
{
	struct store_thread_search *x = s->x;
	size_t from = s->in_order ? 0 : hits_start(x->page.offset, s->n);
	int rc = OK;

	if (x->page.sort == STORE_SORT_STATUS)
		for (size_t i = 0; i < s->n; i++)
			s->hits[i].number = status_rank(s->hits[i].number);
	if (!s->in_order)
		hits_sort(s->hits, s->n, x->page.sort, x->page.ascending);
	for (size_t i = from; rc == OK && i < s->n &&
	    (int64_t)x->found_n < x->page.limit; i++)
		rc = thread_load(s, s->hits[i].seq);
	if (rc == ERR_TOOBIG)
		err_set(&x->cmd.err, rc, "the threads' values are too large for one "
		    "answer; ask for fewer, or for other fields by select");
	return rc;
}

static int
thread_search(struct store *st, struct store_cmd *c)
{
	struct store_thread_search *x = (struct store_thread_search *)c;
	struct seek s = { .db = slow_db(st, c), .x = x,
	    .in_order = x->page.sort == STORE_SORT_CREATED };
	int rc;

	assert(x->page.limit >= 0 && x->page.limit <= LIMIT_PAGE_ROWS && x->page.offset >= 0);
	s.rows = s.db == &st->quick ? READ_SHORT_ROWS : 0;
	x->total = 0;
	x->found_n = 0;
	x->found = arena_alloc(c->arena, ((size_t)x->page.limit + 1) * sizeof *x->found);
	rc = wanted_init(&s.want, x->metadata_json, c->guard, s.db, &c->err);
	if (rc == OK)
		rc = wanted_values_init(&s.values, x->values_json, s.db, &c->err);
	s.compares = !wanted_is_open(&s.want);
	if (rc == OK && s.compares)
		facets_wanted(&s.want, &s.facets);
	if (rc == OK)
		rc = arena_rc(c->arena);
	if (rc == OK)
		rc = seek(&s);
	if (rc == OK)
		rc = page_load(&s);
	x->more = x->total < 0 || x->page.offset + (int64_t)x->found_n < x->total;
	wanted_release(&s.want);
	wanted_values_release(&s.values);
	free(s.hits);
	return rc;
}
const struct op store_op_thread_search = { .run = thread_search, .lane = OP_READ_SHORT };
