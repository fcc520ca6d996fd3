/*
 * work_cost.c - what an operation costs does not grow with the tracker.
 *
 * Counted in steps of SQLite's machine, so that the answer is the same on every
 * machine and under every load.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work_fix.h"

#include <stdio.h>

#include "store/sqlite_priv.h"

static int64_t
steps_taken(struct fix *f)
{
	int64_t n = 0;

	for (int i = 0; i < work_sql.n; i++) {
		if (f->w->db.stmt[i] != NULL)
			n += sqlite3_stmt_status((sqlite3_stmt *)f->w->db.stmt[i],
			    SQLITE_STMTSTATUS_VM_STEP, 1);
	}
	return n;
}

static const struct probe { const char *operation, *args; } probes[] = {
	{ "create", "{'title':'one more','priority':1}" },
	{ "ready", "{'limit':10}" },
	{ "list", "{'limit':50}" },
	{ "list", "{'status':'open','limit':50}" },
	{ "stats", "{}" },
	{ "show", "{'id':'t-7'}" },
	{ "update", "{'id':'t-7','priority':3}" },
	{ "blocked", "{'limit':10}" },
	{ "claim", "{'ready':true}" },
	{ "close", "{'id':'t-9'}" },
	{ "reopen", "{'id':'t-9'}" },
	{ "dep_add", "{'from_id':'t-11','to_id':'t-12'}" },
	{ "dep_remove", "{'from_id':'t-11','to_id':'t-12'}" },
};

static void
measure(struct fix *f, int64_t *steps)
{
	for (size_t i = 0; i < COUNT(probes); i++) {
		steps_taken(f);
		fix_ok(f, probes[i].operation, "%s", probes[i].args);
		steps[i] = steps_taken(f);
	}
}

static void
fill(struct fix *f, int from, int to)
{
	fix_fill(f, true);
	for (int i = from; i < to; i++)
		fix_ok(f, "create", "{'title':'item %d','id':'t-%d','priority':%d%s}",
		    i, i, i % 5, i % 10 == 3 ? ",'dependencies':['t-1']" : "");
	fix_fill(f, false);
}

/* 10 of the seed's defects. */
TEST(work_cost_is_flat)
{
	int64_t small[COUNT(probes)], large[COUNT(probes)];
	struct fix f;

	fix_open(&f);
	fill(&f, 0, 200);
	measure(&f, small);
	fill(&f, 200, 4000);
	measure(&f, large);
	for (size_t i = 0; i < COUNT(probes); i++) {
		if (large[i] > small[i] + small[i] / 3 + 20)
			test_fail(__FILE__, __LINE__, "%s %s: %lld steps with 200 "
			    "items, %lld with 4000", probes[i].operation,
			    probes[i].args, (long long)small[i], (long long)large[i]);
	}
	fix_close(&f);
}
