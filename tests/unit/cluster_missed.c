/*
 * cluster_missed.c - which runs of a node are in nobody's memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cluster/missed.h"

#include "base/limits.h"
#include "harness/test.h"

#define MANY   20000
#define PIECE  LIMIT_NODE_RUNS
#define MS(n)  ((nsec)(n) * NS_PER_MS)

/* A store and a memory: runs 1 to MANY, each on the thread of its number. */
struct world {
	bool missed[MANY + 1], taken[MANY + 1];
	struct missed m;
	nsec now;
};

/* One comparison with the next piece; how many were found lost. */
static size_t
piece(struct world *w, int64_t *after)
{
	static struct store_lost seen[PIECE], lost[PIECE];
	int64_t last = *after + PIECE < MANY ? *after + PIECE : INT64_MAX;
	size_t n = 0, found;

	for (int64_t i = *after + 1; i <= *after + PIECE && i <= MANY; i++)
		if (w->missed[i])
			seen[n++] = (struct store_lost){ i, i };
	found = missed_look(&w->m, *after, last, seen, n, w->now, lost);
	for (size_t i = 0; i < found; i++) {
		CHECK(w->missed[lost[i].run_seq] && !w->taken[lost[i].run_seq]);
		w->taken[lost[i].run_seq] = true;
		w->missed[lost[i].run_seq] = false;
	}
	CHECK(w->m.n <= LIMIT_NODE_MISSED);
	*after = last == INT64_MAX ? 0 : last;
	return found;
}

static size_t
sweep(struct world *w)
{
	int64_t after = 0;
	size_t found = 0;

	do
		found += piece(w, &after);
	while (after != 0);
	return found;
}

/* Goal: of any number of runs that are missed all are found, those that came late too; in
 * memory that does not grow with them. */
TEST(missed_runs_are_all_found)
{
	static struct world w;
	size_t found = 0;

	for (int64_t i = 1; i <= MANY; i++)
		w.missed[i] = true;
	CHECK_INT(sweep(&w), 0);
	CHECK_INT(w.m.n, LIMIT_NODE_MISSED);
	for (unsigned i = 0; i < 4 && found < MANY; i++) {
		w.now += MS(MISSED_MS);
		found += sweep(&w);
	}
	CHECK_INT(found, MANY);
	CHECK(w.m.n == 0 && w.m.at == NULL);
}

/* Goal: a run that is late is not lost: one that is there when it is looked for again is
 * forgotten, and its time begins anew. */
TEST(missed_runs_that_come_are_forgotten)
{
	static struct world w;

	w.missed[7] = w.missed[8] = w.missed[1500] = true;
	CHECK_INT(sweep(&w), 0);
	w.now += MS(MISSED_MS - 1);
	CHECK_INT(sweep(&w), 0);
	w.missed[8] = false;
	CHECK_INT(sweep(&w), 0);
	CHECK_INT(w.m.n, 2);
	w.missed[8] = true;
	CHECK_INT(sweep(&w), 0);
	w.now += MS(1);
	CHECK_INT(sweep(&w), 2);
	CHECK(w.taken[7] && w.taken[1500] && !w.taken[8]);
	w.now += MS(MISSED_MS - 1);
	CHECK_INT(sweep(&w), 1);
	CHECK(w.taken[8]);
}

/* Goal: another run of the same thread is another one. */
TEST(missed_run_is_not_the_next_one_of_its_thread)
{
	struct store_lost first = { 1, 5 }, next = { 1, 6 }, out[1];
	struct missed m = { 0 };

	CHECK_INT(missed_look(&m, 0, INT64_MAX, &first, 1, 0, out), 0);
	CHECK_INT(missed_look(&m, 0, INT64_MAX, &next, 1, MS(MISSED_MS), out), 0);
	CHECK_INT(missed_look(&m, 0, INT64_MAX, &next, 1, MS(2 * MISSED_MS), out), 1);
	CHECK_INT(out[0].run_seq, 6);
	missed_clear(&m);
}
