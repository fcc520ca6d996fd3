/*
 * store_held.c - runs that begin later, and threads that live as long as their runs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store_fix.h"

static void
see(void *ctx, owner_t owner, int64_t thread_seq, const struct uuid *thread)
{
	(void)owner;
	(void)thread_seq;
	(void)thread;
	++*(int *)ctx;
}

static struct store_run_create
create(struct fix *f, unsigned run, msec created, msec held, enum multitask how)
{
	struct store_run_create c = run_new(1, run);

	c.create_thread = true;
	c.run.created = created;
	c.run.held = held;
	c.run.multitask = how;
	CHECK_RC(fix_do(f, &c, STORE_RUN_CREATE, 7), OK);
	return c;
}

static int
claim(struct fix *f, const struct store_run *run, msec now, struct store_run_claim *out)
{
	*out = (struct store_run_claim){ .thread_seq = run->thread_seq, .now = now };
	return fix_do(f, out, STORE_RUN_CLAIM, 7);
}

static size_t
due_at(struct fix *f, msec now)
{
	struct store_due *list;
	size_t n = 0;

	CHECK_RC(store_due_get(f->r, now, 10, &f->a, &list, &n), OK);
	for (size_t i = 0; i < n; i++)
		CHECK(list[i].what == DUE_HELD);
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
run_now(struct fix *f, const struct store_run *run)
{
	struct store_run r;

	CHECK_RC(store_run_get(f->r, 7, &run->id, &f->a, &r), OK);
	return r;
}

static enum thread_status
thread_now(struct fix *f, const struct store_run *run)
{
	struct store_thread t;

	CHECK_RC(store_thread_get(f->r, 7, &run->thread_id, &f->a, &t), OK);
	return t.status;
}

/* Goal: a held run is taken once, at its time and not before; a restart neither
 * takes it nor forgets it. */
TEST(held_run_is_taken_once_at_its_time)
{
	struct store_run_claim c;
	struct store_run_create x;
	struct fix f;
	int seen = 0;

	fix_open(&f, "sqlite");
	x = create(&f, 1, 500, 500, MULTITASK_ENQUEUE);
	CHECK_INT(x.run.status, RUN_PENDING);
	CHECK_INT(thread_now(&f, &x.run), THREAD_BUSY);
	CHECK_INT(due_next(&f), 500);
	CHECK_INT(due_at(&f, 499), 0);
	CHECK_RC(claim(&f, &x.run, 499, &c), ERR_NOTFOUND);
	fix_reopen(&f);
	CHECK_RC(store_recover(f.st, f.shard, 100, see, &seen, &f.e), OK);
	CHECK_INT(seen, 0);
	CHECK_INT(due_at(&f, 500), 1);
	CHECK_RC(claim(&f, &x.run, 500, &c), OK);
	CHECK(c.taken && !c.woken && uuid_eq(&c.run.id, &x.run.id));
	CHECK_INT(c.run.attempt, 1);
	CHECK(due_next(&f) == INT64_MAX);
	CHECK_RC(claim(&f, &x.run, 500, &c), ERR_NOTFOUND);
	/* Cut off after that it is a run as any other, also if the clock was set back. */
	fix_reopen(&f);
	CHECK_RC(store_recover(f.st, f.shard, 100, see, &seen, &f.e), OK);
	CHECK_INT(seen, 1);
	CHECK_RC(claim(&f, &x.run, 100, &c), OK);
	CHECK_INT(c.run.attempt, 2);
	fix_close(&f);
}

/* Goal: nobody waits for a held run, and it takes its place by its time. */
TEST(held_run_keeps_nobody_waiting)
{
	struct store_run_create held, first, second, third;
	struct store_run_claim c;
	struct store_run_end e;
	struct fix f;

	fix_open(&f, "sqlite");
	held = create(&f, 1, 500, 500, MULTITASK_ENQUEUE);
	first = create(&f, 2, 400, 0, MULTITASK_ENQUEUE);
	CHECK_INT(first.run.status, RUN_RUNNING);
	second = create(&f, 3, 450, 0, MULTITASK_ENQUEUE);
	third = create(&f, 4, 600, 0, MULTITASK_ENQUEUE);
	CHECK_INT(second.run.status, RUN_PENDING);
	/* Its time comes while another runs: it waits behind that one. */
	CHECK_RC(claim(&f, &held.run, 700, &c), OK);
	CHECK(!c.taken);
	CHECK(due_next(&f) == INT64_MAX);
	const struct store_run *order[] = { &first.run, &second.run, &held.run, &third.run };
	for (size_t i = 0; i < COUNT(order); i++) {
		CHECK_INT(run_now(&f, order[i]).status, RUN_RUNNING);
		e = (struct store_run_end){ .run_seq = order[i]->seq,
		    .thread_seq = order[i]->thread_seq, .status = RUN_SUCCESS,
		    .thread_status = THREAD_IDLE, .now = 800 };
		CHECK_RC(fix_do(&f, &e, STORE_RUN_END, 7), OK);
		CHECK(e.has_next == (i < 3));
	}
	CHECK_INT(thread_now(&f, &held.run), THREAD_IDLE);
	fix_close(&f);
}

/* Goal: a thread is busy while a run of it is held, whatever ends meanwhile; when
 * that one is cancelled it shows what waits. */
TEST(held_run_keeps_its_thread_busy)
{
	struct store_run_create held, other;
	struct store_run_cancel x;
	struct fix f;

	fix_open(&f, "sqlite");
	held = create(&f, 1, 500, 500, MULTITASK_ENQUEUE);
	other = create(&f, 2, 400, 0, MULTITASK_ENQUEUE);
	CHECK_RC(finish_run(&f, 7, &other.run, NULL, 0), OK);
	CHECK_INT(thread_now(&f, &held.run), THREAD_BUSY);
	x = (struct store_run_cancel){ .run_id = held.run.id, .reason = S("api"), .now = 450 };
	CHECK_RC(fix_do(&f, &x, STORE_RUN_CANCEL, 7), OK);
	CHECK_INT(run_now(&f, &held.run).status, RUN_INTERRUPTED);
	CHECK_INT(thread_now(&f, &held.run), THREAD_IDLE);
	CHECK(due_next(&f) == INT64_MAX);
	fix_close(&f);
}

/* Goal: a held run that took the place of others does not take that of runs which
 * came after it. */
TEST(held_run_displaces_only_what_was_there)
{
	struct store_run_create first, held, second;
	struct fix f;
	int seen = 0;

	fix_open(&f, "sqlite");
	first = create(&f, 1, 100, 0, MULTITASK_ENQUEUE);
	held = create(&f, 2, 500, 500, MULTITASK_INTERRUPT);
	CHECK(held.has_busy && uuid_eq(&held.busy_run_id, &first.run.id));
	CHECK_RC(finish_run(&f, 7, &first.run, NULL, 0), OK);
	second = create(&f, 3, 200, 0, MULTITASK_ENQUEUE);
	CHECK_INT(second.run.status, RUN_RUNNING);
	fix_reopen(&f);
	CHECK_RC(store_recover(f.st, f.shard, 300, see, &seen, &f.e), OK);
	CHECK_INT(run_now(&f, &second.run).status, RUN_PENDING);
	CHECK_INT(run_now(&f, &held.run).status, RUN_PENDING);
	/* One that comes now ends it, too. */
	second = create(&f, 4, 400, 0, MULTITASK_ROLLBACK);
	CHECK_INT(second.run.status, RUN_RUNNING);
	CHECK(due_next(&f) == INT64_MAX);
	fix_close(&f);
}

/* Goal: a temporary thread goes with the last of its runs, however that ends. */
TEST(temporary_thread_goes_with_its_runs)
{
	struct store_thread t;
	struct store_run_create c;
	struct store_run_cancel x;
	struct store_run_end e;
	struct fix f;

	for (int how = 0; how < 3; how++) {
		fix_open(&f, "sqlite");
		c = run_new(1, 1);
		c.create_thread = c.temporary = true;
		c.run.held = how == 1 ? 500 : 0;
		CHECK_RC(fix_do(&f, &c, STORE_RUN_CREATE, 7), OK);
		CHECK_RC(store_thread_get(f.r, 7, &c.run.thread_id, &f.a, &t), OK);
		x = (struct store_run_cancel){ .run_id = c.run.id, .now = 450 };
		e = (struct store_run_end){ .run_seq = c.run.seq,
		    .thread_seq = c.run.thread_seq, .status = RUN_SUCCESS,
		    .thread_status = THREAD_IDLE, .rollback = how == 2, .now = 450 };
		if (how == 1)
			CHECK_RC(fix_do(&f, &x, STORE_RUN_CANCEL, 7), OK);
		else
			CHECK_RC(fix_do(&f, &e, STORE_RUN_END, 7), OK);
		CHECK_RC(store_thread_get(f.r, 7, &c.run.thread_id, &f.a, &t), ERR_NOTFOUND);
		CHECK_RC(store_run_get(f.r, 7, &c.run.id, &f.a, &c.run), ERR_NOTFOUND);
		fix_close(&f);
	}
}
