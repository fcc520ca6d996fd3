/*
 * store_hooks.c - webhooks: each end of a run leaves one message, which its thread waits
 * for if it is temporary.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store_fix.h"

#include "store/hook.h"

static void
see(void *ctx, owner_t owner, int64_t thread_seq, const struct uuid *thread)
{
	(void)ctx;
	(void)owner;
	(void)thread_seq;
	(void)thread;
}

static struct store_run_create
begin(struct fix *f, unsigned run, msec held, enum multitask how, const char *url)
{
	struct store_run_create c = run_new(1, run);

	c.create_thread = c.temporary = true;
	c.run.held = held;
	c.run.multitask = how;
	c.webhook = str_of(url);
	CHECK_RC(fix_do(f, &c, STORE_RUN_CREATE, 7), OK);
	return c;
}

/* The messages for one receiver. */
static size_t
messages(struct fix *f, const char *receiver, struct store_hook **out)
{
	size_t n;

	CHECK_RC(store_hooks_due(f->r, str_of(receiver), INT64_MAX, 10, &f->a, out, &n), OK);
	return n;
}

static bool
is_there(struct fix *f)
{
	struct uuid id = id_of(ID_THREAD, 1);
	struct store_thread t;

	return store_thread_get(f->r, 7, &id, &f->a, &t) == OK;
}

static void
deliver(struct fix *f, const struct store_hook *h)
{
	struct store_hook_set x = { .seq = h->seq, .thread_seq = h->thread_seq, .over = true };

	CHECK_RC(fix_do(f, &x, STORE_HOOK_SET, 7), OK);
}

static void
end(struct fix *f, const struct store_run *run, bool rollback)
{
	struct store_run_end e = { .run_seq = run->seq, .thread_seq = run->thread_seq,
	    .status = RUN_ERROR, .thread_status = THREAD_ERROR, .error_json = S("{\"a\":1}"),
	    .rollback = rollback, .now = 450 };

	CHECK_RC(fix_do(f, &e, STORE_RUN_END, 7), OK);
}

static void
cancel(struct fix *f, const struct store_run *run, bool rollback)
{
	struct store_run_cancel x = { .run_id = run->id, .rollback = rollback, .now = 450 };

	CHECK_RC(fix_do(f, &x, STORE_RUN_CANCEL, 7), OK);
}

/* The server stops and starts; then the run begins once more, if it may. */
static void
fail_attempt(struct fix *f, const struct store_run *run)
{
	struct store_run_claim c = { .thread_seq = run->thread_seq, .now = 450 };

	CHECK_RC(store_recover(f->st, f->shard, 450, see, NULL, &f->e), OK);
	(void)fix_do(f, &c, STORE_RUN_CLAIM, 7);
}

/* Goal: however a run ends, its webhook gets one message with how it ended; and a
 * temporary thread is there until that is delivered. */
TEST(each_end_of_a_run_leaves_one_message)
{
	enum { ENDED, ROLLED_BACK, CANCELLED, CANCELLED_ROLLED_BACK, GIVEN_UP, WAYS };
	static const enum run_status status[WAYS] = { RUN_ERROR, RUN_INTERRUPTED,
	    RUN_INTERRUPTED, RUN_INTERRUPTED, RUN_ERROR };

	for (int way = 0; way < WAYS; way++) {
		bool pending = way == CANCELLED || way == CANCELLED_ROLLED_BACK;
		bool rollback = way == ROLLED_BACK || way == CANCELLED_ROLLED_BACK;
		struct store_hook *h;
		struct store_run run;
		struct fix f;

		fix_open(&f, "sqlite");
		run = begin(&f, 1, pending ? 500 : 0, MULTITASK_ENQUEUE,
		    "https://A.example/x").run;
		CHECK_INT(messages(&f, "https://a.example", &h), 0);
		for (int i = 0; way == GIVEN_UP && i < LIMIT_RUN_ATTEMPTS; i++)
			fail_attempt(&f, &run);
		if (pending)
			cancel(&f, &run, rollback);
		else if (way != GIVEN_UP)
			end(&f, &run, rollback);
		CHECK_INT(messages(&f, "https://a.example", &h), 1);
		CHECK(h->of_run && uuid_eq(&h->run.id, &run.id));
		CHECK_INT(h->run.status, status[way]);
		CHECK(h->rolled_back == rollback && (h->started == 0) == pending);
		CHECK(is_there(&f));
		deliver(&f, h);
		CHECK_INT(messages(&f, "https://a.example", &h), 0);
		CHECK(!is_there(&f));
		fix_close(&f);
	}
}

/* Goal: a run whose place another takes is told, too; one without a webhook is not. */
TEST(a_displaced_run_leaves_a_message)
{
	struct store_hook *h;
	struct store_run next;
	struct fix f;

	fix_open(&f, "sqlite");
	(void)begin(&f, 1, 500, MULTITASK_ENQUEUE, "https://a.example/");
	next = begin(&f, 2, 0, MULTITASK_INTERRUPT, "").run;
	CHECK_INT(messages(&f, "https://a.example", &h), 1);
	CHECK_INT(h->run.status, RUN_INTERRUPTED);
	end(&f, &next, false);
	CHECK_INT(count_rows(&f, "hook"), 1);
	CHECK(is_there(&f));
	deliver(&f, h);
	CHECK(!is_there(&f));
	fix_close(&f);
}
