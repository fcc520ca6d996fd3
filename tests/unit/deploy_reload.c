/*
 * deploy_reload.c - an old and a new version side by side: a split and its judgement, and a
 * parallel reload.
 *
 * SPDX-License-Identifier: MIT
 */
#include "deploy_fix.h"

#include <pthread.h>

/* ---- side by side ----------------------------------------------------------------------------- */

/* n messages, shared out as the split says; the new version's fail, or take so long. */
static int
traffic(struct fix *f, int n, int bad_percent, nsec took)
{
	struct wasm_release *old, *to;
	int gone = 0, bad = 0;

	CHECK_RC(wasm_desk_find(f->desk[0], 7, S("a"), &old, &f->e), OK);
	for (int i = 0; i < n; i++) {
		struct wasm_desk *k = f->desk[i % DESKS];

		if (wasm_desk_split(k, old, &to)) {
			gone++;
			bad += bad_percent;
			wasm_desk_report(k, to, bad < 100, took);
			bad %= 100;
			wasm_release_drop(to);
		} else {
			wasm_desk_report(k, old, true, 200 * 1000);
		}
	}
	wasm_release_drop(old);
	return gone;
}

static void
split_open(struct fix *f, int64_t calls)
{
	fix_open(f);
	CHECK_RC(put(f, 7, "a", "1"), OK);
	CHECK_RC(put_how(f, 7, "a", "2", (struct wasm_reload){ .strategy = WASM_SPLIT,
	    .percent = 10, .calls = calls }), OK);
	turns(f);
	CHECK_INT(current(f, 7, "a"), 1);
	CHECK(last(f, 0).strategy == WASM_SPLIT && last(f, 1).to == 2);
}

/* Goal: exactly the share goes to the new version; a good one takes over, also in the store. */
TEST(deploy_split_good)
{
	struct fix f;

	split_open(&f, 50);
	SHOWS(&f, 7, "a", "a@1: 1 2 [split]");
	CHECK_INT(traffic(&f, 100, 0, 200 * 1000), 10);
	CHECK_RC(put(&f, 7, "a", "3"), ERR_CONFLICT);
	CHECK_INT(traffic(&f, 395, 4, 200 * 1000), 39);
	turns(&f);
	CHECK_INT(current(&f, 7, "a"), 1);
	CHECK_INT(traffic(&f, 5, 0, 200 * 1000), 1);
	turns(&f);
	CHECK_INT(current(&f, 7, "a"), 2);
	CHECK(last(&f, 0).from == 1 && last(&f, 0).to == 2);
	CHECK_INT(last(&f, 1).strategy, WASM_GRACEFUL);
	SHOWS(&f, 7, "a", "a@2: 1 2 promoted: version 2 after 50 messages, 2.0 % errors");
	CHECK_INT(traffic(&f, 100, 0, 1), 0);
	fix_restart(&f);
	world.cached = true;
	CHECK_INT(current(&f, 7, "a"), 2);
	fix_close(&f);
}

/* Goal: one that fails goes by itself, before it has had its share; the old one never left. */
TEST(deploy_split_errors)
{
	struct fix f;

	split_open(&f, 1000);
	CHECK_INT(traffic(&f, 190, 50, 200 * 1000), 19);
	CHECK_INT(current(&f, 7, "a"), 1);
	SHOWS(&f, 7, "a", "[split]");        /* too few to be judged */
	traffic(&f, 10, 100, 200 * 1000);
	turns(&f);
	SHOWS(&f, 7, "a", "a@1: 1 2 rolled_back: 50.0 % errors of 20 messages, the limit is 5.0 %");
	CHECK(last(&f, 0).from == 2 && last(&f, 0).to == 1);
	CHECK_INT(traffic(&f, 100, 0, 1), 0);
	fix_restart(&f);
	world.cached = true;
	CHECK_INT(current(&f, 7, "a"), 1);
	fix_close(&f);
}

/* Goal: one that is slow goes; one that is not slower than the factor stays. */
TEST(deploy_split_slow)
{
	struct fix f;

	split_open(&f, 30);
	traffic(&f, 300, 0, 9000 * 1000);
	turns(&f);
	SHOWS(&f, 7, "a", "a@1: 1 2 rolled_back: p83 9.");
	CHECK_RC(put_how(&f, 7, "a", "3", (struct wasm_reload){ .strategy = WASM_SPLIT,
	    .percent = 50, .calls = 30, .p99_factor = 10 }), OK);
	turns(&f);
	traffic(&f, 60, 0, 9000 * 1000);
	turns(&f);
	SHOWS(&f, 7, "a", "a@3: 1 2 3 promoted: version 3 after 30 messages, 0.0 % errors");
	fix_close(&f);
}

/* Goal: without traffic the time decides; a rollback ends it at once. */
TEST(deploy_split_time)
{
	struct fix f;

	fix_open(&f);
	CHECK_RC(put(&f, 7, "a", "1"), OK);
	CHECK_RC(put_how(&f, 7, "a", "2", (struct wasm_reload){ .strategy = WASM_SPLIT,
	    .percent = 10, .wait = 20 }), OK);
	traffic(&f, 30, 100, 1);             /* three at most: on a busy machine it is over */
	UNTIL(&f, current(&f, 7, "a") == 2);
	SHOWS(&f, 7, "a", "messages (too few to judge)");
	CHECK_RC(put_how(&f, 7, "a", "3", (struct wasm_reload){ .strategy = WASM_SPLIT,
	    .percent = 50 }), OK);
	CHECK_RC(back(&f, 7, "a", 0), OK);
	CHECK_INT(answer.number, 2);
	turns(&f);
	SHOWS(&f, 7, "a", "a@2: 1 2 3 rolled_back: asked for");
	CHECK_INT(traffic(&f, 100, 0, 1), 0);
	fix_close(&f);
}

static int
parallel(struct fix *f, const char *bytes)
{
	return put_how(f, 7, "a", bytes, (struct wasm_reload){ .strategy = WASM_PARALLEL });
}

/* Goal: all take over at once when all are ready; if one is not, none does. */
TEST(deploy_parallel)
{
	struct fix f;

	fix_open(&f);
	CHECK_RC(put(&f, 7, "a", "1"), OK);
	CHECK_RC(parallel(&f, "2"), OK);
	turns(&f);
	CHECK_INT(current(&f, 7, "a"), 2);
	for (int i = 0; i < DESKS; i++)
		CHECK(last(&f, i).switched && last(&f, i).rc == OK && last(&f, i).to == 2);
	f.ready = ERR_INVALID;
	CHECK_RC(parallel(&f, "3"), OK);
	turns(&f);
	CHECK_INT(current(&f, 7, "a"), 2);
	for (int i = 0; i < DESKS; i++)
		CHECK(last(&f, i).switched && last(&f, i).rc == ERR_INVALID);
	SHOWS(&f, 7, "a", "a@2: 1 2 3 rolled_back: version 3 could not be started for all");
	f.mute = true;
	CHECK_RC(parallel(&f, "4"), OK);
	turns(&f);
	SHOWS(&f, 7, "a", "[parallel]");
	fix_close(&f);                       /* in the middle of it */
}

/* ---- threads --------------------------------------------------------------------------------- */

static struct hammer { struct fix *f; _Atomic bool over; uint64_t split, found; } hammer;

/* What a busy shard asks of its desk. */
static void *
hammer_run(void *arg)
{
	struct fix *f = hammer.f;
	struct wasm_release *r, *to;
	struct err e;

	(void)arg;
	while (!atomic_load(&hammer.over)) {
		if (wasm_desk_find(f->desk[1], 7, S("a"), &r, &e) != OK)
			continue;
		hammer.found++;
		if (wasm_desk_split(f->desk[1], r, &to)) {
			wasm_desk_report(f->desk[1], to, true, 1000);
			wasm_release_drop(to);
			hammer.split++;
		}
		code_drop(wasm_release_code(r));
		wasm_desk_report(f->desk[1], r, true, 1000);
		wasm_release_drop(r);
	}
	return NULL;
}

/* Goal: one shard's messages go on while another changes the module: nothing is lost, and
 * each split ends by them. */
TEST(deploy_while_messages_flow)
{
	struct wasm_reload split = { .strategy = WASM_SPLIT, .percent = 50, .calls = 50 };
	struct fix f;
	pthread_t thread;

	fix_open(&f);
	CHECK_RC(put(&f, 7, "a", "1"), OK);
	hammer.f = &f;
	CHECK(pthread_create(&thread, NULL, hammer_run, NULL) == 0);
	for (char b[] = "2"; b[0] <= '6'; b[0]++) {
		CHECK_RC(put_how(&f, 7, "a", b, split), OK);
		UNTIL(&f, current(&f, 7, "a") == b[0] - '0');
	}
	CHECK_RC(put(&f, 7, "a", "7"), OK);
	CHECK_RC(back(&f, 7, "a", 0), OK);
	atomic_store(&hammer.over, true);
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK(hammer.split >= 250 && hammer.found > hammer.split);
	turns(&f);
	SHOWS(&f, 7, "a", "a@6: 5 6 7 rolled_back: version 6 after 7, asked for");
	fix_close(&f);
}
