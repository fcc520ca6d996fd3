/*
 * tally.c - counters of threads, by owner and status and by owner and leaf of
 * metadata.  Searches take their totals from here.
 *
 * A batch's changes are summed in memory and written once before its commit:
 * most cancel out (a thread gets busy and idle again).  Triggers instead made
 * every statement keep a statement journal.  A batch that is run again starts
 * from zero.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "store/store_priv.h"

void
tally_clear(struct tally *t)
{
	while (t->n > 0)
		t->slot[t->at[--t->n]] = (struct tally_slot){ 0 };
}

static int
slot_write(struct db *db, const struct tally_slot *s)
{
	struct db_value owner = db_i64(s->owner), what = db_i64(s->what);
	int rc = db_run(db, SQL_COUNT_ADD, owner, what, db_i64(s->change));

	if (rc == OK && s->change < 0)
		rc = db_run(db, SQL_COUNT_ERASE, owner, what);
	return rc;
}

static int
by_key(const void *a, const void *b, void *tally)
{
	const struct tally *t = tally;
	const struct tally_slot *x = &t->slot[*(const uint16_t *)a];
	const struct tally_slot *y = &t->slot[*(const uint16_t *)b];

	return x->owner != y->owner ? (x->owner > y->owner) - (x->owner < y->owner) :
	    (x->what > y->what) - (x->what < y->what);
}

/* In one order, in which other nodes lock these rows too. */
int
tally_write(struct store *st)
{
	struct tally *t = &st->tally;
	int rc = OK;

	rc = payers_write(st);
	qsort_r(t->at, t->n, sizeof *t->at, by_key, t);
	for (size_t i = 0; rc == OK && i < t->n; i++)
		if (t->slot[t->at[i]].change != 0)
			rc = slot_write(&st->w, &t->slot[t->at[i]]);
	tally_clear(t);
	return rc;
}

int
tally_add(struct store *st, owner_t owner, int64_t what, int64_t change)
{
	struct tally *t = &st->tally;
	size_t at = ((uint64_t)what * 31 + (uint64_t)owner) % COUNT(t->slot);
	int rc = OK;

	assert(owner >= 0 && t->n < TALLY_FULL);
	while (t->slot[at].used && (t->slot[at].owner != owner ||
	    t->slot[at].what != what))
		at = (at + 1) % COUNT(t->slot);
	if (!t->slot[at].used)
		t->at[t->n++] = (uint16_t)at;
	t->slot[at] = (struct tally_slot){ true, owner, what,
	    t->slot[at].change + change };
	if (t->n >= TALLY_FULL)
		rc = tally_write(st);
	return rc;
}

int64_t
tally_pending(const struct store *st, owner_t owner, int64_t what)
{
	const struct tally *t = &st->tally;

	for (size_t i = 0; i < t->n; i++) {
		const struct tally_slot *s = &t->slot[t->at[i]];

		if (s->owner == owner && s->what == what)
			return s->change;
	}
	return 0;
}

int
tally_move(struct store *st, owner_t owner, enum thread_status from,
    enum thread_status to)
{
	int rc;

	if (from == to)
		return OK;
	rc = tally_add(st, owner, TALLY_STATUS(from), -1);
	return rc == OK ? tally_add(st, owner, TALLY_STATUS(to), 1) : rc;
}
