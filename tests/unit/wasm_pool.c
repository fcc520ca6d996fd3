/*
 * wasm_pool.c - host processes, with a fake one: calls, checkpoints, generations, moves,
 * the quarantine, lost and wedged processes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wasm_pool_fix.h"

#include <sched.h>
#include <signal.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"

static int
pid_of(const struct guest *g)
{
	return (int)strtol(g->text, NULL, 10);
}

static const char *
count_of(const struct guest *g)
{
	const char *colon = strchr(g->text, ':');

	return colon != NULL ? colon + 1 : "";
}

static void
start_one(struct guest *g, int64_t owner, struct wasm_code *code)
{
	fix_start(g, owner, code);
	UNTIL(g->started == 1);
	CHECK_RC(g->started_rc, OK);
	CHECK(wasm_instance_live(g->i));
}

static void
call_one(struct guest *g, const char *message)
{
	int before = g->done;

	fix_call(g, message);
	UNTIL(g->done == before + 1);
}

TEST(wasm_pool_starts_no_process_before_an_instance)
{
	struct guest g = { 0 };

	fix_open(NULL);
	CHECK(fix_stats().hosts == 0);
	fix_start(&g, 1, fix_code("echo"));
	CHECK(g.started == 0 && !wasm_instance_live(g.i));
	CHECK_RC(wasm_instance_call(g.i, S("early")), ERR_CONFLICT);
	UNTIL(g.started == 1);
	CHECK(fix_stats().hosts == 1 && fix_stats().instances == 1 && fix_stats().waiting == 0);
	wasm_instance_free(g.i);
	fix_close();
}

TEST(wasm_pool_says_which_program_is_missing)
{
	struct wasm_pool_options o = { .host_program = "/nowhere/cohort-wasm-host" };
	struct shard *s;
	struct wasm_pool *p;
	struct err e;

	CHECK_RC(shard_new(&s, 0, &e), OK);
	CHECK_RC(wasm_pool_new(&p, s, &o, &e), ERR_NOTFOUND);
	CHECK(strstr(e.text, "/nowhere/cohort-wasm-host") != NULL);
	shard_free(s);
}

TEST(wasm_pool_calls_one_at_a_time_and_says_what_they_cost)
{
	struct guest g = { 0 };

	fix_open(NULL);
	start_one(&g, 1, fix_code("echo"));
	fix_call(&g, "one");
	CHECK_RC(wasm_instance_call(g.i, S("two")), ERR_CONFLICT);
	CHECK_RC(wasm_instance_save(g.i), ERR_CONFLICT);
	UNTIL(g.done == 1);
	CHECK(strcmp(count_of(&g), "1") == 0 && g.replies == 1 && g.result == 0);
	CHECK(g.cost.fuel == 10 && g.cost.cpu == 1000 && g.cost.pages == 1);
	call_one(&g, "two");
	CHECK(strcmp(count_of(&g), "2") == 0);
	CHECK(fix_stats().calls == 2 && fix_stats().fuel == 20);
	wasm_instance_free(g.i);
	fix_close();
}

TEST(wasm_pool_messages_have_a_limit)
{
	char *text = mem_zero(LIMIT_WASM_MESSAGE_BYTES + 1);
	struct guest g = { 0 };

	fix_open(NULL);
	start_one(&g, 1, fix_code("echo"));
	CHECK_RC(wasm_instance_call(g.i, (struct str){ text, LIMIT_WASM_MESSAGE_BYTES + 1 }),
	    ERR_TOOBIG);
	CHECK_RC(wasm_instance_call(g.i, (struct str){ text, LIMIT_WASM_MESSAGE_BYTES }), OK);
	UNTIL(g.done == 1);
	free(text);
	wasm_instance_free(g.i);
	fix_close();
}

TEST(wasm_pool_hands_on_what_a_guest_asks)
{
	struct guest g = { 0 }, other = { 0 };

	fix_open(NULL);
	start_one(&g, 1, fix_code("echo"));
	start_one(&other, 1, fix_code("echo"));
	fix_call(&g, "ask");
	UNTIL(g.asks == 1);
	call_one(&other, "meanwhile");
	CHECK(g.done == 0);
	wasm_instance_answer(g.i, -1, S("nothing"));
	UNTIL(g.done == 1);
	CHECK(strcmp(g.text, "nothing") == 0 && g.result == -1);
	wasm_instance_free(g.i);
	wasm_instance_free(other.i);
	fix_close();
}

TEST(wasm_pool_saves_and_restores)
{
	struct wasm_code *code = fix_code("echo");
	struct guest g = { 0 };

	fix_open(NULL);
	start_one(&g, 1, code);
	call_one(&g, "one");
	call_one(&g, "two");
	CHECK_RC(wasm_instance_save(g.i), OK);
	UNTIL(g.saved == 1);
	CHECK(g.saved_rc == OK && g.image_n == 8);
	wasm_instance_free(g.i);
	start_one(&g, 1, code);
	call_one(&g, "three");
	CHECK(strcmp(count_of(&g), "3") == 0);
	wasm_instance_free(g.i);
	fix_close();
}

TEST(wasm_pool_instance_may_be_freed_at_any_time)
{
	struct wasm_code *code = fix_code("echo");
	struct guest g[6] = { { 0 } };

	fix_open(NULL);
	fix_start(&g[0], 1, code);
	wasm_instance_free(g[0].i);                  /* before its process */
	for (int k = 1; k < 6; k++)
		start_one(&g[k], 1, code);
	fix_call(&g[1], "call");
	wasm_instance_free(g[1].i);                  /* in a call */
	fix_call(&g[2], "ask");
	UNTIL(g[2].asks == 1);
	wasm_instance_free(g[2].i);                  /* in a host call */
	CHECK_RC(wasm_instance_save(g[3].i), OK);
	wasm_instance_free(g[3].i);
	fix_start(&g[1], 1, code);
	wasm_instance_free(g[1].i);                  /* while it starts */
	call_one(&g[4], "lives");
	wasm_instance_free(g[4].i);
	UNTIL(fix_stats().instances == 1);
	call_one(&g[5], "lives");
	CHECK(g[1].done == 0 && g[2].done == 0 && g[3].saved == 0 && g[0].started == 0);
	wasm_instance_free(g[5].i);
	fix_close();
}

TEST(wasm_pool_may_be_freed_with_calls_under_way)
{
	struct guest a = { 0 }, b = { 0 }, c = { 0 };
	struct wasm_code *code = fix_code("echo");

	fix_open(NULL);
	start_one(&a, 1, code);
	start_one(&b, 1, code);
	fix_call(&a, "call");
	fix_start(&c, 1, fix_code("echo"));
	wasm_instance_free(b.i);
	wasm_pool_free(fix_pool);
	wasm_instance_free(a.i);
	wasm_instance_free(c.i);
	shard_free(fix_shard);
	CHECK(a.done == 0 && a.trapped == 0);
}

/* Generations. */

TEST(wasm_pool_new_code_gets_a_process_and_idle_instances_move_there)
{
	struct wasm_code *one = fix_code("echo"), *two = fix_code("echo");
	struct guest a[100] = { { 0 } }, b = { 0 };
	int pid;

	fix_open(NULL);
	for (int k = 0; k < 100; k++)
		fix_start(&a[k], 1, one);
	UNTIL(a[99].started == 1);
	for (int k = 0; k < 100; k++)
		call_one(&a[k], "one");
	pid = pid_of(&a[0]);
	start_one(&b, 1, two);
	call_one(&b, "one");
	CHECK(pid_of(&b) != pid);
	UNTIL(fix_stats().moved == 100);
	UNTIL(fix_stats().hosts == 1);
	for (int k = 0; k < 100; k++) {
		call_one(&a[k], "two");
		CHECK(pid_of(&a[k]) == pid_of(&b) && strcmp(count_of(&a[k]), "2") == 0);
		wasm_instance_free(a[k].i);
	}
	wasm_instance_free(b.i);
	fix_close();
}

static uint64_t
done_by(const struct guest *g, size_t n)
{
	uint64_t sum = 0;

	for (size_t k = 0; k < n; k++)
		sum += (uint64_t)g[k].done;
	return sum;
}

static bool stop_calls;

static void
call_again(struct guest *g)
{
	char want[32];

	snprintf(want, sizeof want, "%d", g->done);
	CHECK(strcmp(count_of(g), want) == 0);
	if (!stop_calls)
		CHECK_RC(wasm_instance_call(g->i, S("again")), OK);
}

/* Under load: each call is done once, in order, by an instance that remembers the others. */
TEST(wasm_pool_moves_under_load_keep_every_call)
{
	struct wasm_code *code = fix_code("echo"), *more[8];
	struct guest a[50] = { { 0 } }, b[8] = { { 0 } };

	fix_open(NULL);
	for (int k = 0; k < 50; k++) {
		a[k].then = call_again;
		start_one(&a[k], 1, code);
		fix_call(&a[k], "first");
	}
	for (int k = 0; k < 8; k++) {
		uint64_t moved = fix_stats().moved;

		more[k] = fix_code("echo");
		if (k % 2 == 0) {
			fix_start(&b[k], 1, more[k]);
			UNTIL(b[k].started == 1);
		} else {
			wasm_pool_replace(fix_pool, code, more[k]);
			code = more[k];
		}
		UNTIL(fix_stats().moved >= moved + 50);
	}
	stop_calls = true;
	UNTIL(fix_stats().hosts == 1);
	UNTIL(fix_stats().calls == done_by(a, 50));
	for (int k = 0; k < 50; k++) {
		CHECK(a[k].trapped == 0 && a[k].done > 8);
		wasm_instance_free(a[k].i);
	}
	for (int k = 0; k < 8; k += 2)
		wasm_instance_free(b[k].i);
	fix_close();
}

TEST(wasm_pool_better_object_takes_over)
{
	struct wasm_code *tcc = fix_code("echo"), *gcc = fix_code("echo");
	struct guest g = { 0 };
	int pid;

	fix_open(NULL);
	start_one(&g, 1, tcc);
	call_one(&g, "one");
	pid = pid_of(&g);
	wasm_pool_replace(fix_pool, tcc, gcc);
	UNTIL(fix_stats().moved == 1);
	call_one(&g, "two");
	CHECK(pid_of(&g) != pid && strcmp(count_of(&g), "2") == 0);
	UNTIL(fix_stats().hosts == 1);
	wasm_instance_free(g.i);
	fix_close();
}

/* What is asked of an instance while it moves is done where it arrives. */
TEST(wasm_pool_calls_and_saves_wait_for_a_move)
{
	struct wasm_code *code = fix_code("echo");
	struct guest a = { 0 }, b = { 0 }, c = { 0 };
	int old;

	fix_open(NULL);
	start_one(&a, 1, code);
	start_one(&b, 1, code);
	call_one(&a, "one");
	call_one(&b, "one");
	old = pid_of(&a);
	fix_start(&c, 1, fix_code("echo"));
	UNTIL(c.started == 1);
	fix_call(&a, "two");
	CHECK_RC(wasm_instance_call(a.i, S("three")), ERR_CONFLICT);
	CHECK_RC(wasm_instance_save(b.i), OK);
	CHECK_RC(wasm_instance_call(b.i, S("two")), ERR_CONFLICT);
	UNTIL(a.done == 2 && b.saved == 1 && fix_stats().moved == 2);
	CHECK(pid_of(&a) != old && strcmp(count_of(&a), "2") == 0);
	CHECK(b.image_n == 8 && b.image[0] == 1);
	wasm_instance_free(a.i);
	wasm_instance_free(b.i);
	wasm_instance_free(c.i);
	fix_close();
}

TEST(wasm_pool_owners_are_spread_over_processes)
{
	struct wasm_code *code = fix_code("echo");
	struct guest g[20] = { { 0 } };
	int first = 0, others = 0;

	fix_open(NULL);
	for (int k = 0; k < 20; k++) {
		start_one(&g[k], k, code);
		call_one(&g[k], "x");
		if (k == 0)
			first = pid_of(&g[0]);
		others += pid_of(&g[k]) != first;
	}
	CHECK(fix_stats().hosts == WASM_GROUPS && others > 0 && others < 20);
	for (int k = 0; k < 20; k++)
		wasm_instance_free(g[k].i);
	fix_close();
}

TEST(wasm_pool_has_no_more_groups_than_the_process_may_have)
{
	struct wasm_pool_options o = { .hosts_max = 1 };
	struct wasm_code *code = fix_code("echo");
	struct guest g[20] = { { 0 } };

	fix_open(&o);
	fix_start(&g[1], 1, code);           /* the other group's; freed before it has a process */
	wasm_instance_free(g[1].i);
	g[1] = (struct guest){ 0 };
	for (int k = 0; k < 20; k++)
		start_one(&g[k], k, code);
	CHECK(fix_stats().hosts == 1);
	for (int k = 0; k < 20; k++)
		wasm_instance_free(g[k].i);
	fix_close();
}

TEST(wasm_pool_ten_thousand_instances_answer)
{
	struct wasm_code *code = fix_code("echo");
	struct guest *g = mem_zero(LIMIT_WASM_INSTANCES * sizeof *g), more = { 0 };
	struct wasm_instance_options o = { .owner = 1, .code = code };
	static const struct wasm_hooks none;
	struct err e;

	fix_open(NULL);
	for (int k = 0; k < LIMIT_WASM_INSTANCES; k++)
		fix_start(&g[k], 1, code);
	CHECK_RC(wasm_instance_new(&more.i, fix_pool, &o, &none, NULL, &e), ERR_LIMIT);
	UNTIL(fix_stats().waiting == 0 && g[LIMIT_WASM_INSTANCES - 1].started == 1);
	for (int k = 0; k < LIMIT_WASM_INSTANCES; k++)
		fix_call(&g[k], "x");
	UNTIL(done_by(g, LIMIT_WASM_INSTANCES) == LIMIT_WASM_INSTANCES);
	wasm_pool_replace(fix_pool, code, fix_code("echo"));
	UNTIL(fix_stats().moved == LIMIT_WASM_INSTANCES);
	for (int k = 0; k < LIMIT_WASM_INSTANCES; k++)
		wasm_instance_free(g[k].i);
	free(g);
	fix_close();
}

/* The end of processes. */

TEST(wasm_pool_lost_process_tells_each_instance_once)
{
	struct wasm_code *code = fix_code("echo");
	struct guest g[300] = { { 0 } };

	fix_open(NULL);
	for (int k = 0; k < 300; k++)
		start_one(&g[k], 1, code);
	fix_call(&g[7], "x");
	CHECK_RC(wasm_instance_save(g[8].i), OK);
	fix_call(&g[9], "die");
	UNTIL(fix_stats().lost == 300);
	UNTIL(g[299].trapped == 1 && g[0].trapped == 1);
	for (int k = 0; k < 300; k++) {
		CHECK(g[k].trapped == 1 && g[k].why == WASM_TRAP_OTHER);
		CHECK(strstr(g[k].text, "signal 9") != NULL);
		CHECK(!wasm_instance_live(g[k].i));
		CHECK_RC(wasm_instance_call(g[k].i, S("x")), ERR_CLOSED);
		wasm_instance_free(g[k].i);
	}
	CHECK(g[7].done == 1);                       /* it had answered before */
	start_one(&g[0], 1, code);
	call_one(&g[0], "x");
	wasm_instance_free(g[0].i);
	fix_close();
}

static void
wedge(const char *way)
{
	struct guest g = { 0 };

	fix_open(NULL);
	start_one(&g, 1, fix_code("echo"));
	fix_call(&g, way);
	UNTIL(g.trapped == 1);
	CHECK(strstr(g.text, "it sent nothing for") != NULL);
	wasm_instance_free(g.i);
	fix_close();
}

TEST(wasm_pool_process_that_waits_is_killed)
{
	wedge("hang");
}

TEST(wasm_pool_process_that_spins_is_killed)
{
	wedge("spin");
}

TEST(wasm_pool_module_that_cannot_be_loaded_is_told_and_others_live)
{
	struct guest bad = { 0 }, good = { 0 };

	fix_open(NULL);
	fix_start(&bad, 1, fix_code("broken"));
	fix_start(&good, 1, fix_code("echo"));
	UNTIL(bad.started == 1 && good.started == 1);
	CHECK_RC(bad.started_rc, ERR_IO);
	CHECK(strstr(bad.text, "cannot open object broken") != NULL);
	CHECK_RC(good.started_rc, OK);
	wasm_instance_free(bad.i);
	wasm_instance_free(good.i);
	fix_close();
}

TEST(wasm_pool_process_that_cannot_start_is_told)
{
	static const char *const ways[] = { "dies", "early", "old" };

	for (size_t k = 0; k < COUNT(ways); k++) {
		struct guest g = { 0 };

		fix_open(NULL);
		fix_start(&g, 1, fix_code(ways[k]));
		UNTIL(g.started == 1);
		CHECK(g.started_rc < 0);
		wasm_instance_free(g.i);
		fix_close();
	}
}

/* The quarantine. */

TEST(wasm_pool_offenders_start_in_the_quarantine)
{
	struct wasm_code *code = fix_code("echo");
	struct guest g = { 0 }, other = { 0 };
	int usual;

	fix_open(NULL);
	start_one(&other, 1, code);
	call_one(&other, "x");
	usual = pid_of(&other);
	for (int k = 0; k < LIMIT_WASM_OFFENCES; k++) {
		start_one(&g, 1, code);
		fix_call(&g, "fuel");
		UNTIL(g.trapped == 1);
		CHECK(g.why == WASM_TRAP_FUEL && !wasm_instance_live(g.i));
		wasm_instance_free(g.i);
		CHECK(fix_stats().quarantined == 0);
	}
	start_one(&g, 1, code);
	call_one(&g, "x");
	CHECK(pid_of(&g) != usual && fix_stats().quarantined == 1);
	CHECK(sched_getscheduler(pid_of(&g)) >= 0);
	CHECK(fix_stats().traps[WASM_TRAP_FUEL] == LIMIT_WASM_OFFENCES);
	wasm_instance_free(g.i);
	wasm_instance_free(other.i);
	fix_close();
}

/* A process that does not read: its queue is bounded, and others go on. */
TEST(wasm_pool_full_queue_refuses_calls)
{
	char *text = mem_zero(LIMIT_WASM_MESSAGE_BYTES);
	struct wasm_code *code = fix_code("echo");
	struct guest g[40] = { { 0 } }, other = { 0 };
	int rc = OK, n = 0, k = 1;

	fix_open(NULL);
	for (int i = 0; i < 40; i++)
		start_one(&g[i], 1, code);
	for (int64_t owner = 2; fix_stats().hosts == 1; owner++) {
		wasm_instance_free(other.i);
		start_one(&other, owner, code);
	}
	fix_call(&g[0], "hang");
	for (; k < 40 && rc == OK; k++) {
		rc = wasm_instance_call(g[k].i, (struct str){ text, LIMIT_WASM_MESSAGE_BYTES });
		n += rc == OK;
	}
	CHECK_RC(rc, ERR_BUSY);
	CHECK(n * (int64_t)LIMIT_WASM_MESSAGE_BYTES <= LIMIT_WASM_RING_BYTES +
	    LIMIT_WASM_QUEUE_BYTES + LIMIT_WASM_MESSAGE_BYTES);
	call_one(&other, "x");
	UNTIL(g[0].trapped == 1 && g[39].trapped == 1);
	for (int i = 0; i < 40; i++)
		wasm_instance_free(g[i].i);
	wasm_instance_free(other.i);
	free(text);
	fix_close();
}
