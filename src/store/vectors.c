/*
 * vectors.c - store items by how near their vectors are to one: exactly, not by an
 * index that guesses.
 *
 * A row of `vector` has all vectors of an item, by its number (ITEM_KEY).  A search under
 * a prefix of few items reads theirs.  Any other takes all of its owner's from a
 * *matrix*, which the reader thread keeps in memory and which follows the table:
 *
 *   - new rows have higher numbers than all before, so those past the last one known
 *     are read first, in the search's own transaction;
 *   - an item that was replaced or deleted stays in the matrix.  Its number belongs to
 *     nobody any more, so it is found, looked up and passed over; when a fourth of
 *     the matrix is such, it is read anew.
 *
 * All matrices together have an account (LIMIT_VECTORS_BYTES); those not asked for
 * longest go.  An owner whose vectors do not fit is searched on disk, row by row.
 *
 * The nearest are looked up one by one until the page is full, so prefix and filter
 * are tested on those alone.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "base/account.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/near_priv.h"
#include "store/store_priv.h"

#define NARROW 2048
#define BLOCK  512                           /* rows between two looks at the clock */
#define SPARE  256                           /* nearest taken beyond those asked for */

struct matrix {
	struct matrix *next;                 /* asked for before it */
	owner_t owner;
	size_t dims;
	int64_t last;                        /* highest number that was read */
	int64_t items;                       /* that were read */
	float *rows;                         /* n vectors */
	int64_t *seq;                        /* whose each is */
	size_t n, cap;
};

/* ---- the matrices ---------------------------------------------------------------- */

static size_t
matrix_bytes(size_t rows, size_t dims)
{
	return rows * (dims * sizeof(float) + sizeof(int64_t));
}

static void
matrix_free(struct matrix *m)
{
	account_give(&account_vectors, matrix_bytes(m->cap, m->dims));
	free(m->rows);
	free(m->seq);
	free(m);
}

void
vectors_close(struct store *st)
{
	while (st->matrices != NULL) {
		struct matrix *m = st->matrices;

		st->matrices = m->next;
		matrix_free(m);
	}
}

/* Takes it off the list; NULL: there is none. */
static struct matrix *
matrix_take(struct store *st, owner_t owner, size_t dims)
{
	struct matrix **at = &st->matrices, *m;

	while (*at != NULL && ((*at)->owner != owner || (*at)->dims != dims))
		at = &(*at)->next;
	m = *at;
	if (m != NULL)
		*at = m->next;
	return m;
}

/* The one that was not asked for longest goes.  False: there is none. */
static bool
matrix_drop_last(struct store *st)
{
	struct matrix **at = &st->matrices;

	if (*at == NULL)
		return false;
	while ((*at)->next != NULL)
		at = &(*at)->next;
	matrix_free(*at);
	*at = NULL;
	return true;
}

static int
matrix_reserve(struct store *st, struct matrix *m, size_t rows)
{
	size_t more;

	if (rows <= m->cap)
		return OK;
	more = matrix_bytes(rows - m->cap, m->dims);
	while (!account_take(&account_vectors, more))
		if (!matrix_drop_last(st))
			return ERR_LIMIT;
	m->rows = mem_resize(m->rows, rows * m->dims * sizeof *m->rows);
	m->seq = mem_resize(m->seq, rows * sizeof *m->seq);
	m->cap = rows;
	return OK;
}

static int
matrix_add(struct store *st, struct matrix *m, int64_t key, struct str body)
{
	size_t n = body.n / (m->dims * sizeof(float));
	int rc = m->n + n <= m->cap ? OK :
	    matrix_reserve(st, m, m->n + n + m->cap / 8 + BLOCK);

	if (rc != OK)
		return rc;
	memcpy(m->rows + m->n * m->dims, body.p, n * m->dims * sizeof(float));
	for (size_t i = 0; i < n; i++)
		m->seq[m->n + i] = ITEM_SEQ(key);
	m->n += n;
	m->items++;
	m->last = key;
	return OK;
}

/* Reads what came since.  ERR_LIMIT: it does not fit. */
static int
matrix_follow(struct finder *f, struct store *st, struct matrix *m)
{
	struct query q = query_of(f->db, SQL_VECTOR_FROM, db_i64(m->last),
	    db_i64(ITEM_KEY(m->owner + 1, 0)));
	int rc;

	for (rc = query_row(&q); rc == OK; rc = query_row(&q)) {
		rc = matrix_add(st, m, query_i64(&q, 0), query_borrow(&q, 1));
		if (rc == OK && m->items % BLOCK == 0 && !db_go_on(f->db->on))
			rc = f->db->on->pace_rc;
		if (rc != OK)
			break;
	}
	query_end(&q);
	return rc == ERR_NOTFOUND ? OK : rc;
}

/* The owner's, as the table is now; *out NULL: on disk only.  A search that is cut
 * here leaves what it has read to the next. */
static int
matrix_get(struct finder *f, struct store *st, size_t dims, struct matrix **out)
{
	owner_t owner = f->x->cmd.owner;
	struct matrix *m = matrix_take(st, owner, dims);
	int64_t live = 0;
	int rc = query_one_i64(query_of(f->db, SQL_ITEM_VECTORS, db_i64(owner)), &live);

	*out = NULL;
	if (m != NULL && m->items > live + live / 3 + BLOCK) {
		matrix_free(m);
		m = NULL;
	}
	if (m == NULL) {
		m = mem_new(struct matrix);
		*m = (struct matrix){ .owner = owner, .dims = dims,
		    .last = ITEM_KEY(owner, 0) };
	}
	if (rc == OK || rc == ERR_NOTFOUND)
		rc = matrix_reserve(st, m, (size_t)live);
	if (rc == OK)
		rc = matrix_follow(f, st, m);
	if (rc == ERR_LIMIT) {
		matrix_free(m);
		return OK;
	}
	m->next = st->matrices;
	st->matrices = m;
	*out = rc == OK ? m : NULL;
	return rc;
}

/* ---- what is near ------------------------------------------------------------------- */

static int
nears_of_matrix(struct finder *f, const struct matrix *m, const float *q, struct nears *l)
{
	float score[BLOCK];

	for (size_t i = 0; i < m->n; i += BLOCK) {
		size_t n = m->n - i < BLOCK ? m->n - i : BLOCK;

		near_dots(q, m->rows + i * m->dims, n, m->dims, score);
		for (size_t k = 0; k < n; k++)
			nears_add(l, m->seq[i + k], score[k]);
		if (!db_go_on(f->db->on))
			return f->db->on->pace_rc;
	}
	return OK;
}

/* A row's vectors. */
static void
nears_of_row(const float *q, size_t dims, int64_t seq, struct str body, struct nears *l)
{
	const float *v = (const float *)(const void *)body.p;
	float score;

	for (size_t i = 0; i < body.n / (dims * sizeof *v); i++) {
		near_dots(q, v + i * dims, 1, dims, &score);
		nears_add(l, seq, score);
	}
}

static int
nears_of_disk(struct finder *f, const float *q, size_t dims, struct nears *l)
{
	owner_t owner = f->x->cmd.owner;
	struct query row = query_of(f->db, SQL_VECTOR_FROM, db_i64(ITEM_KEY(owner, 0)),
	    db_i64(ITEM_KEY(owner + 1, 0)));
	size_t n = 0;
	int rc;

	for (rc = query_row(&row); rc == OK; rc = query_row(&row)) {
		nears_of_row(q, dims, ITEM_SEQ(query_i64(&row, 0)), query_borrow(&row, 1), l);
		if (++n % BLOCK == 0 && !db_go_on(f->db->on)) {
			rc = f->db->on->pace_rc;
			break;
		}
	}
	query_end(&row);
	return rc == ERR_NOTFOUND ? OK : rc;
}

static int
nears_of_places(struct finder *f, const struct places *p, const float *q, size_t dims,
    struct nears *l)
{
	int rc = OK;

	for (size_t i = 0; rc == OK && i < p->n; i++) {
		struct query row = query_of(f->db, SQL_VECTOR_AT,
		    db_i64(ITEM_KEY(f->x->cmd.owner, p->at[i])));

		rc = query_row(&row);
		if (rc == OK)
			nears_of_row(q, dims, p->at[i], query_borrow(&row, 0), l);
		if (rc == ERR_NOTFOUND)
			rc = OK;
		query_end(&row);
	}
	return rc;
}

static int
nears_load(struct finder *f, struct store *st, const float *q, size_t dims, struct nears *l)
{
	struct places p = { 0 };
	struct matrix *m = NULL;
	int rc = f->x->ns.n == 0 ? ERR_AGAIN : places_load(f, &p, NARROW);

	if (rc == OK)
		rc = nears_of_places(f, &p, q, dims, l);
	else if (rc == ERR_AGAIN) {
		rc = matrix_get(f, st, dims, &m);
		if (rc == OK)
			rc = m != NULL ? nears_of_matrix(f, m, q, l) :
			    nears_of_disk(f, q, dims, l);
	}
	free(p.at);
	return rc;
}

/* Few of the nearest are passed over, as a rule.  Where more are, by a filter or
 * because they were replaced, all are taken in order, from the first not yet tried. */
int
vectors_find(struct finder *f, struct store *st)
{
	size_t dims = f->x->vector.n / sizeof(float), tried = 0;
	const float *q = (const float *)(const void *)f->x->vector.p;
	struct nears l = { 0 };
	int rc;

	assert(dims > 0);
	nears_begin(&l, (size_t)(f->skip + f->left) + SPARE);
	for (;;) {
		rc = nears_load(f, st, q, dims, &l);
		nears_end(&l);
		for (; rc == OK && f->left > 0 && tried < l.n; tried++)
			rc = finder_try(f, l.at[tried].seq, (double)l.at[tried].score);
		if (rc != OK || f->left == 0 || !l.cut)
			break;
		nears_begin(&l, SIZE_MAX / 2);
	}
	free(l.at);
	return rc;
}

/* ---- which model they are of ------------------------------------------------------------ */

static int
index_set(struct store *st, struct str embed, int64_t dims)
{
	int rc = db_run(&st->w, SQL_VECTOR_INDEX_DROP);

	return rc != OK ? rc : db_run(&st->w, SQL_VECTOR_INDEX_SET, db_text(embed),
	    db_i64(dims));
}

static int
vector_index(struct store *st, struct store_cmd *c)
{
	struct store_vector_index *x = (struct store_vector_index *)c;
	struct query q = query_of(&st->w, SQL_VECTOR_INDEX);
	int rc = query_row(&q);
	int64_t dims = rc == OK ? query_i64(&q, 1) : 0;
	struct str embed = rc == OK ? query_str(&q, 0, c->arena) : STR_NONE;

	query_end(&q);
	if (rc != OK && rc != ERR_NOTFOUND)
		return rc;
	if (rc == OK && dims == x->dims && str_eq(embed, x->embed))
		return OK;
	if (rc == OK && !x->drop) {
		rc = query_any(query_of(&st->w, SQL_VECTOR_ANY));
		if (rc == OK)
			return err_set(&c->err, ERR_CONFLICT, "the store has vectors of %.*s "
			    "with %lld dims, and store.index.embed is %.*s with %lld: set these "
			    "back, or store.index.reset to drop the vectors", FMT(embed),
			    (long long)dims, FMT(x->embed), (long long)x->dims);
	}
	if (rc == OK && x->drop)
		rc = db_run(&st->w, SQL_VECTOR_DROP);
	if (rc == OK && x->drop)
		rc = db_run(&st->w, SQL_ITEM_VECTORS_DROP);
	return rc == OK || rc == ERR_NOTFOUND ? index_set(st, x->embed, x->dims) : rc;
}

static int
vector_index_count(struct store *st, struct store_cmd *c)
{
	struct store_vector_index *x = (struct store_vector_index *)c;
	int rc = vector_index(st, c);

	x->without = 0;
	return rc != OK ? rc : query_one_i64(query_of(&st->w, SQL_ITEM_WITHOUT), &x->without);
}
const struct op store_op_vector_index = { .run = vector_index_count };

int
store_vectors_are(struct store *st, struct shard *s, struct str embed, int64_t dims,
    bool drop, struct err *e)
{
	struct arena a = ARENA(4 * KB);
	struct store_vector_index x = { .cmd = { .op = STORE_VECTOR_INDEX, .arena = &a },
	    .embed = embed, .dims = dims, .drop = drop };
	int rc = store_submit(st, s, &x.cmd, true);

	while (x.cmd.under_way)
		shard_turn(s);
	if (rc == OK && x.cmd.rc != OK)
		rc = err_set(e, x.cmd.rc, "%s", x.cmd.err.text);
	if (rc == OK && x.without > 0)
		log_warn("store", "items_without_vectors", "n=%lld put_with=\"index: false, or "
		    "before store.index.embed was set: put these again\"", (long long)x.without);
	arena_release(&a);
	return rc;
}
