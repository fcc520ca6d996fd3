/*
 * store_waits.c - parked runs, and questions with a time limit.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store_fix.h"

struct seen { int n; };

static void
see(void *ctx, owner_t owner, int64_t thread_seq, const struct uuid *thread)
{
	(void)owner;
	(void)thread_seq;
	(void)thread;
	((struct seen *)ctx)->n++;
}

static size_t
due_at(struct fix *f, msec now)
{
	struct store_due *list;
	size_t n = 0;

	CHECK_RC(store_due_get(f->r, now, 10, &f->a, &list, &n), OK);
	return n;
}

static msec
due_next(struct fix *f)
{
	msec due = 0;

	CHECK_RC(store_due_next(f->r, &due), OK);
	return due;
}

static struct store_run
parked_run(struct fix *f, msec due)
{
	struct store_run_create c = run_new(1, 1);
	struct store_run_save s = { .park = PARK_SET, .due = due };

	c.create_thread = true;
	CHECK_RC(fix_do(f, &c, STORE_RUN_CREATE, 7), OK);
	s.run_seq = c.run.seq;
	s.thread_seq = c.run.thread_seq;
	CHECK_RC(fix_do(f, &s, STORE_RUN_SAVE, 7), OK);
	return c.run;
}

static int
claim(struct fix *f, const struct store_run *run, bool wake, struct store_run_claim *out)
{
	*out = (struct store_run_claim){ .thread_seq = run->thread_seq, .wake = wake,
	    .now = 9 };
	return fix_do(f, out, STORE_RUN_CLAIM, 7);
}

static struct store_run
run_now(struct fix *f, const struct store_run *run)
{
	struct store_run r;

	CHECK_RC(store_run_get(f->r, 7, &run->id, &f->a, &r), OK);
	return r;
}

/* Goal: a parked run is running, is due once, and is taken up by one; that is no
 * attempt.  Cut off after that, it is. */
TEST(parked_run_is_taken_up_once)
{
	struct store_run_claim c;
	struct seen s = { 0 };
	struct store_run run;
	struct fix f;

	fix_open(&f, "sqlite");
	run = parked_run(&f, 500);
	CHECK_INT(due_next(&f), 500);
	CHECK_INT(due_at(&f, 499), 0);
	fix_reopen(&f);
	CHECK_RC(store_recover(f.st, f.shard, 100, see, &s, &f.e), OK);
	CHECK_INT(s.n, 0);
	CHECK_INT(run_now(&f, &run).status, RUN_RUNNING);
	CHECK_INT(due_at(&f, 500), 1);
	CHECK_RC(claim(&f, &run, false, &c), ERR_NOTFOUND);
	CHECK_RC(claim(&f, &run, true, &c), OK);
	CHECK(c.woken && uuid_eq(&c.run.id, &run.id));
	CHECK_INT(c.run.attempt, 1);
	CHECK_INT(due_at(&f, 500), 0);
	CHECK(due_next(&f) == INT64_MAX);
	CHECK_RC(claim(&f, &run, true, &c), ERR_NOTFOUND);
	fix_reopen(&f);
	CHECK_RC(store_recover(f.st, f.shard, 100, see, &s, &f.e), OK);
	CHECK_INT(s.n, 1);
	CHECK_INT(run_now(&f, &run).attempt, 2);
	fix_close(&f);
}

/* Goal: attempts count from the last time that it was parked. */
TEST(parked_run_has_all_its_attempts)
{
	struct store_run_save s = { .park = PARK_SET, .due = 500 };
	struct store_run_claim c;
	struct seen seen = { 0 };
	struct store_run run;
	struct fix f;

	fix_open(&f, "sqlite");
	run = parked_run(&f, 500);
	s.run_seq = run.seq;
	s.thread_seq = run.thread_seq;
	for (int round = 0; round < LIMIT_RUN_ATTEMPTS; round++) {
		CHECK_RC(claim(&f, &run, true, &c), OK);
		for (int i = 2; i <= LIMIT_RUN_ATTEMPTS; i++) {
			fix_reopen(&f);
			CHECK_RC(store_recover(f.st, f.shard, 100, see, &seen, &f.e), OK);
			CHECK_INT(run_now(&f, &run).attempt, i);
			CHECK_RC(claim(&f, &run, false, &c), OK);
		}
		CHECK_RC(fix_do(&f, &s, STORE_RUN_SAVE, 7), OK);
		CHECK_INT(run_now(&f, &run).attempt, 1);
		CHECK_INT(run_now(&f, &run).status, RUN_RUNNING);
	}
	fix_close(&f);
}

/* Goal: a parked run goes on in memory if its row is taken back, and its end takes
 * the row along. */
TEST(parked_run_that_goes_on)
{
	struct store_run_save s = { .park = PARK_CLEAR };
	struct store_run_end e = { .status = RUN_SUCCESS, .unpark = true };
	struct store_run run;
	struct fix f;

	fix_open(&f, "sqlite");
	run = parked_run(&f, 500);
	s.run_seq = e.run_seq = run.seq;
	s.thread_seq = e.thread_seq = run.thread_seq;
	CHECK_RC(fix_do(&f, &s, STORE_RUN_SAVE, 7), OK);
	CHECK_INT(due_at(&f, 500), 0);
	s.park = PARK_SET;
	s.due = 700;
	CHECK_RC(fix_do(&f, &s, STORE_RUN_SAVE, 7), OK);
	CHECK_INT(due_next(&f), 700);
	CHECK_RC(fix_do(&f, &e, STORE_RUN_END, 7), OK);
	CHECK(due_next(&f) == INT64_MAX);
	fix_close(&f);
}

/* Goal: a run that is to take a parked one's place gets it after a crash. */
TEST(parked_run_is_displaced_after_a_crash)
{
	struct store_run_create by = run_new(1, 2);
	struct seen s = { 0 };
	struct store_run run;
	struct fix f;

	fix_open(&f, "sqlite");
	run = parked_run(&f, 500);
	by.run.multitask = MULTITASK_INTERRUPT;
	CHECK_RC(fix_do(&f, &by, STORE_RUN_CREATE, 7), OK);
	CHECK(by.has_busy && uuid_eq(&by.busy_run_id, &run.id));
	fix_reopen(&f);
	CHECK_RC(store_recover(f.st, f.shard, 100, see, &s, &f.e), OK);
	CHECK_INT(s.n, 1);
	CHECK_INT(run_now(&f, &run).status, RUN_INTERRUPTED);
	CHECK(due_next(&f) == INT64_MAX);
	fix_close(&f);
}
