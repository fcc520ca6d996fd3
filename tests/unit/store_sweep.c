/*
 * store_sweep.c - threads that end by themselves.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store_fix.h"

static struct store_thread_create
lasting(unsigned n, msec ttl)
{
	struct store_thread_create c = thread_new(n);

	c.t.created = c.t.updated = 100;
	c.t.ttl.ms = ttl;
	return c;
}

static void
make(struct fix *f, owner_t owner, unsigned n, msec ttl)
{
	struct store_thread_create c = lasting(n, ttl);

	CHECK_RC(fix_do(f, &c, STORE_THREAD_CREATE, owner), OK);
	CHECK_INT(c.t.expires, ttl == 0 ? 0 : 100 + ttl);
}

static struct store_sweep
sweep(struct fix *f, msec now, int64_t limit)
{
	struct store_sweep x = { .now = now, .limit = limit };

	CHECK_RC(fix_do(f, &x, STORE_THREAD_SWEEP, 0), OK);
	return x;
}

static bool
there(struct fix *f, owner_t owner, unsigned n)
{
	struct uuid id = id_of(ID_THREAD, n);
	struct store_thread t;

	return store_thread_get(f->r, owner, &id, &f->a, &t) == OK;
}

/* Goal: what is over goes, of every owner, the oldest first and as many as were asked
 * for; what is not over or has no ttl stays. */
CONTRACT(threads_go_when_their_time_is_over)
{
	struct store_sweep x;

	make(f, 7, 1, 50);
	make(f, 8, 2, 40);
	make(f, 7, 3, 60);
	make(f, 7, 4, 0);
	x = sweep(f, 139, 10);
	CHECK(x.removed == 0 && !x.more && x.gone_n == 0);
	x = sweep(f, 150, 1);
	CHECK(x.removed == 1 && x.more && !there(f, 8, 2) && there(f, 7, 1));
	CHECK(x.gone_n == 1 && uuid_eq(&x.gone[0], &(struct uuid[]){ id_of(ID_THREAD, 2) }[0]));
	x = sweep(f, 150, 10);
	CHECK(x.removed == 1 && !x.more && !there(f, 7, 1) && there(f, 7, 3));
	x = sweep(f, 1000, 10);
	CHECK(x.removed == 1 && !there(f, 7, 3) && there(f, 7, 4));
}

/* Goal: a thread with a run under way does not go, however late it is; when the run
 * has ended it does. */
CONTRACT(busy_threads_stay)
{
	struct store_run run;

	make(f, 7, 1, 50);
	run = start_run(f, 7, 1, 1);
	CHECK_INT(sweep(f, 1000, 10).removed, 0);
	CHECK(there(f, 7, 1));
	CHECK_RC(finish_run(f, 7, &run, NULL, 0), OK);
	CHECK_INT(sweep(f, 1000, 10).removed, 1);
	CHECK(!there(f, 7, 1));
}
