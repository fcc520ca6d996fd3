/*
 * facets.c - the search index of threads: the leaves of their metadata.
 *
 * A leaf is a scalar with the path to it (keys, and that it is in an array);
 * its hash is one row of `facet`.  An object that contains another (PostgreSQL's
 * @>) has all its leaves, so a search looks at the threads of its rarest leaf.  An object of more than FACETS_MAX leaves, or
 * with an object of more members in it, has one row of its own instead, and
 * every search looks at it.
 *
 * A search for several leaves compares what it finds.  A search for one leaf does
 * not, unless the leaf is coarse: other objects have it too.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "store/guard.h"
#include "store/store_priv.h"

#define FNV_BASIS 0xcbf29ce484222325u
#define FNV_PRIME 0x100000001b3u

/* ---- hashing: hashes are stored in files, so the function never changes ---- */

static uint64_t
mix(uint64_t h, char tag, const void *p, size_t n)
{
	const unsigned char *b = p;

	h = (h ^ (unsigned char)tag) * FNV_PRIME;
	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * FNV_PRIME;
	return (h ^ n) * FNV_PRIME;
}

static int64_t
finish(uint64_t h)
{
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdu;
	h ^= h >> 33;
	/* The lowest numbers are FACET_LARGE and those of statuses. */
	return h < 16 ? (int64_t)h + 16 : (int64_t)h;
}

static uint64_t
scalar_hash(uint64_t path, jnode n)
{
	if (json_is_string(n))
		return mix(path, 's', json_str(n).p, json_str(n).n);
	if (json_is_number(n)) {
		double d = json_number(n) + 0.0;     /* no -0 */

		return mix(path, 'd', &d, sizeof d);
	}
	if (json_is_bool(n))
		return mix(path, json_bool(n) ? 't' : 'f', NULL, 0);
	return mix(path, 'n', NULL, 0);
}

/* From 2^53 on several whole numbers are one double. */
static bool
is_inexact(jnode n)
{
	return json_is_number(n) && fabs(json_number(n)) >= 0x1p53;
}

static void
leaves_add(struct facets *f, uint64_t path, jnode n)
{
	bool array = json_is_array(n);
	struct json_iter it;

	if (!json_is_object(n) && !array) {
		f->coarse |= is_inexact(n);
		if (f->n == FACETS_MAX)
			f->large = true;
		else
			f->hash[f->n++] = finish(scalar_hash(path, n));
		return;
	}
	f->coarse |= json_count(n) == 0;
	f->large |= !array && json_count(n) > FACETS_MAX;
	for (it = json_each(n); !f->large && json_next(&it); ) {
		struct str key = array ? STR_NONE : json_str(it.key);

		if (array)
			leaves_add(f, mix(path, 'a', NULL, 0), it.value);
		else if (json_get(n, key) == it.value)       /* the last of equals */
			leaves_add(f, mix(path, 'k', key.p, key.n), it.value);
	}
}

static int
by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

void
facets_of(jnode metadata, struct facets *f)
{
	size_t n = 0;

	f->n = 0;
	f->large = f->coarse = false;
	leaves_add(f, FNV_BASIS, metadata);
	qsort(f->hash, f->n, sizeof *f->hash, by_value);
	for (size_t i = 0; i < f->n; i++)
		if (n == 0 || f->hash[i] != f->hash[n - 1])
			f->hash[n++] = f->hash[i];
	f->n = n;
}

/* The rows of a stored object: one if it is large. */
static void
facets_stored(struct str json, struct facets *f)
{
	struct json_doc d = { 0 };

	*f = (struct facets){ 0 };
	if (json.n <= 2)
		return;
	if (json_parse(&d, json, NULL) == OK)
		facets_of(d.root, f);
	else
		f->large = true;
	if (f->large) {
		f->hash[0] = FACET_LARGE;
		f->n = 1;
	}
	json_release(&d);
}

/* ---- rows ----------------------------------------------------------------- */

static bool
has(const struct facets *f, int64_t hash)
{
	return bsearch(&hash, f->hash, f->n, sizeof hash, by_value) != NULL;
}

static int
facet_run(struct db *db, enum sql text, const struct thread_key *k, int64_t hash)
{
	return db_run(db, text, db_i64(k->owner), db_i64(hash),
	    db_i64(k->created), db_i64(k->seq));
}

static int
facet_change(struct store *st, const struct thread_key *k, int64_t hash, int change)
{
	int rc = facet_run(&st->w, change > 0 ? SQL_FACET_INSERT :
	    SQL_FACET_DELETE, k, hash);

	/* Threads buried before version 3 of a file have no facets.  A server, where the
	 * question would be a wait, has none so old. */
	if (rc == OK && (db_is_server(&st->w) || db_changes(&st->w) > 0))
		rc = tally_add(st, k->owner, hash, change);
	return rc;
}

int
facets_change(struct store *st, const struct thread_key *k, struct str before,
    struct str after)
{
	struct facets old, new;
	int rc = OK;

	if (str_eq(before, after))
		return OK;
	facets_stored(before, &old);
	facets_stored(after, &new);
	for (size_t i = 0; rc == OK && i < old.n; i++)
		if (!has(&new, old.hash[i]))
			rc = facet_change(st, k, old.hash[i], -1);
	for (size_t i = 0; rc == OK && i < new.n; i++)
		if (!has(&old, new.hash[i]))
			rc = facet_change(st, k, new.hash[i], 1);
	return rc;
}

/* Without the counters. */
int
facets_insert(struct db *db, const struct thread_key *k, struct str json)
{
	struct facets f;
	int rc = OK;

	facets_stored(json, &f);
	for (size_t i = 0; rc == OK && i < f.n; i++)
		rc = facet_run(db, SQL_FACET_INSERT, k, f.hash[i]);
	return rc;
}

void
facets_wanted(const struct wanted *w, struct facets *f)
{
	struct buf needed = BUF(LIMIT_METADATA_BYTES), all = BUF(2 * LIMIT_METADATA_BYTES);
	struct json_doc guard = { 0 }, both = { 0 };

	if (wanted_is_guarded(w)) {
		guard_add_needed(&needed, w->guard.root);
		if (json_parse(&guard, buf_str(&needed), NULL) == OK)
			json_add_merged(&all, w->doc.root, guard.root);
		if (!all.failed)
			json_parse(&both, buf_str(&all), NULL);
	}
	facets_of(both.root != NULL ? both.root : w->doc.root, f);
	json_release(&guard);
	json_release(&both);
	buf_release(&needed);
	buf_release(&all);
}
