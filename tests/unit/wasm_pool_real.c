/*
 * wasm_pool_real.c - the pool with the real host process and modules that are built:
 * thousands of instances, a process that is killed, moves from tcc's object to gcc's.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wasm_pool_fix.h"

#include <limits.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"

/* Replies with two counts of its calls, one in memory, one in a global, and what the store
 * last said. */
#define COUNT_1 6
#define COUNT_2 18
#define VALUE   30
static const char counter[] =
    "(module"
    " (import \"cohort\" \"reply\" (func $reply (param i32 i32) (result i32)))"
    " (import \"cohort\" \"store_get\" (func $get (param i32 i32 i32 i32) (result i32)))"
    " (memory (export \"memory\") 1)"
    " (global $calls (mut i32) (i32.const 0))"
    " (data (i32.const 0) \"{\\22a\\22:\\2200000\\22,\\22b\\22:\\2200000\\22,\\22v\\22:\\22        \\22}\")"
    " (data (i32.const 512) \"key\")"
    " (func $put (param $at i32) (param $v i32)"                 /* five digits */
    "  (local $i i32)"
    "  (local.set $i (i32.const 4))"
    "  (loop $l"
    "   (i32.store8 (i32.add (local.get $at) (local.get $i))"
    "    (i32.add (i32.const 48) (i32.rem_u (local.get $v) (i32.const 10))))"
    "   (local.set $v (i32.div_u (local.get $v) (i32.const 10)))"
    "   (br_if $l (i32.ge_s (local.tee $i (i32.sub (local.get $i) (i32.const 1))) (i32.const 0)))))"
    " (func (export \"alloc\") (param i32) (result i32) (i32.const 1024))"
    " (func (export \"handle_message\") (param $p i32) (param $n i32) (result i32)"
    "  (local $c i32)"
    "  (local.set $c (i32.load8_u (local.get $p)))"
    "  (if (i32.eq (local.get $c) (i32.const 108)) (then (loop $l (br $l))))"       /* l */
    "  (if (i32.eq (local.get $c) (i32.const 117)) (then (unreachable)))"           /* u */
    "  (if (i32.eq (local.get $c) (i32.const 97))"                                  /* a */
    "   (then (drop (call $get (i32.const 512) (i32.const 3) (i32.const 30) (i32.const 8)))))"
    "  (global.set $calls (i32.add (global.get $calls) (i32.const 1)))"
    "  (i32.store (i32.const 256) (i32.add (i32.load (i32.const 256)) (i32.const 1)))"
    "  (call $put (i32.const 6) (i32.load (i32.const 256)))"
    "  (call $put (i32.const 18) (global.get $calls))"
    "  (call $reply (i32.const 0) (i32.const 40))))";

static char cache[PATH_MAX];

static void
open_real(void)
{
	static char program[PATH_MAX], self[PATH_MAX - 32], here[PATH_MAX - 32];
	struct wasm_pool_options o = { .host_program = program };
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

	CHECK(n > 0);
	*strrchr(self, '/') = '\0';
	snprintf(program, sizeof program, "%s/cohort-wasm-host", self);
	CHECK(getcwd(here, sizeof here) != NULL);
	snprintf(cache, sizeof cache, "%s/cache", here);
	fix_open(&o);
}

static void
on_built(struct wasm_build *b, int rc, struct wasm_code *code, const struct err *e)
{
	if (rc != OK)
		test_fail(__FILE__, __LINE__, "%s", e->text);
	*(struct wasm_code **)b->build_data = code;
}

static struct wasm_code *
build(const char *wat, enum wasm_compiler compiler)
{
	struct buf bytes = BUF(MB);
	struct wasm_code *code = NULL;
	struct wasm_build b = { .compiler = compiler, .done = on_built, .build_data = &code };
	struct err e;

	if (wasm_text_read(cache, str_of(wat), &bytes, &e) != OK)
		test_fail(__FILE__, __LINE__, "%s", e.text);
	b.bytes = buf_str(&bytes);
	wasm_build_start(fix_shard, cache, &b);
	UNTIL(code != NULL);
	buf_release(&bytes);
	return code;
}

static uint32_t
counted(const struct guest *g)
{
	unsigned long n = strtoul(g->text + COUNT_1, NULL, 10);

	CHECK(strtoul(g->text + COUNT_2, NULL, 10) == n);
	return (uint32_t)n;
}

static void
start_one(struct guest *g, struct wasm_code *code)
{
	fix_start(g, 1, code);
	UNTIL(g->started == 1);
	if (g->started_rc != OK)
		test_fail(__FILE__, __LINE__, "%s", g->text);
}

static void
call_one(struct guest *g, const char *message)
{
	int before = g->done;

	fix_call(g, message);
	UNTIL(g->done == before + 1);
}

static uint64_t
done_by(const struct guest *g, size_t n)
{
	uint64_t sum = 0;

	for (size_t k = 0; k < n; k++)
		sum += (uint64_t)g[k].done;
	return sum;
}

static size_t
started_of(const struct guest *g, size_t n)
{
	size_t sum = 0;

	for (size_t k = 0; k < n; k++) {
		if (g[k].started_rc != OK)
			test_fail(__FILE__, __LINE__, "%s", g[k].text);
		sum += g[k].started == 1;
	}
	return sum;
}

static size_t
told_of(const struct guest *g, size_t n)
{
	size_t sum = 0;

	for (size_t k = 0; k < n; k++)
		sum += g[k].trapped > 0;
	return sum;
}

TEST(wasm_real_guest_answers_asks_traps_and_is_stopped)
{
	struct wasm_code *code;
	struct guest g = { 0 };

	open_real();
	code = build(counter, WASM_TCC);
	start_one(&g, code);
	call_one(&g, "x");
	call_one(&g, "x");
	CHECK(counted(&g) == 2 && g.cost.fuel > 0 && g.cost.pages == 1);
	fix_call(&g, "a");
	UNTIL(g.asks == 1);
	wasm_instance_answer(g.i, 0, S("value"));
	UNTIL(g.done == 3);
	CHECK(counted(&g) == 3 && memcmp(g.text + VALUE, "value", 5) == 0);
	fix_call(&g, "u");
	UNTIL(g.trapped == 1);
	CHECK(g.why == WASM_TRAP_UNREACHABLE);
	wasm_instance_free(g.i);
	g.limits = (struct wasm_limits){ .fuel = 1000000, .cpu_us = LIMIT_WASM_CPU_MAX_US };
	start_one(&g, code);
	fix_call(&g, "l");
	UNTIL(g.trapped == 1);
	CHECK(g.why == WASM_TRAP_FUEL && g.cost.fuel <= 1000000);
	wasm_instance_free(g.i);
	CHECK(fix_stats().lost == 0);
	wasm_code_drop(code);
	fix_close();
}

TEST(wasm_real_state_is_restored_after_the_process_was_killed)
{
	struct wasm_code *code;
	struct guest g = { 0 };

	open_real();
	code = build(counter, WASM_TCC);
	start_one(&g, code);
	for (int k = 0; k < 5; k++)
		call_one(&g, "x");
	CHECK_RC(wasm_instance_save(g.i), OK);
	UNTIL(g.saved == 1);
	CHECK_RC(g.saved_rc, OK);
	CHECK(g.image_n > 0 && g.image_n < sizeof g.image);
	CHECK(kill(fix_host(0), SIGKILL) == 0);
	UNTIL(g.trapped == 1);
	wasm_instance_free(g.i);
	start_one(&g, code);
	call_one(&g, "x");
	CHECK(counted(&g) == 6);
	wasm_instance_free(g.i);
	wasm_code_drop(code);
	fix_close();
}

TEST(wasm_real_ten_thousand_instances_answer_and_are_told_of_a_kill)
{
	static struct guest g[LIMIT_WASM_INSTANCES];
	struct wasm_code *code;
	size_t n = LIMIT_WASM_INSTANCES, answered = 0;

	open_real();
	code = build(counter, WASM_TCC);
	for (size_t k = 0; k < n; k++)
		fix_start(&g[k], 1, code);
	UNTIL(started_of(g, n) == n);
	for (int round = 1; round <= 2; round++) {
		for (size_t k = 0; k < n; k++)
			fix_call(&g[k], "x");
		UNTIL(done_by(g, n) == n * (size_t)round);
	}
	for (size_t k = 0; k < n; k++)
		CHECK(counted(&g[k]) == 2);
	for (size_t k = 0; k < n; k++)
		fix_call(&g[k], "x");
	UNTIL(done_by(g, n) > 2 * n);
	CHECK(kill(fix_host(0), SIGKILL) == 0);
	UNTIL(fix_stats().lost == n);
	UNTIL(told_of(g, n) == n);
	for (size_t k = 0; k < n; k++) {
		CHECK(g[k].trapped == 1 && g[k].why == WASM_TRAP_OTHER && g[k].done <= 3);
		answered += g[k].done == 3;
		wasm_instance_free(g[k].i);
	}
	CHECK(answered > 0);
	start_one(&g[0], code);
	call_one(&g[0], "x");
	CHECK(counted(&g[0]) == 1);
	wasm_instance_free(g[0].i);
	wasm_code_drop(code);
	fix_close();
}

static bool stop_calls;

static void
call_again(struct guest *g)
{
	CHECK(counted(g) == (uint32_t)g->done);
	if (!stop_calls)
		CHECK_RC(wasm_instance_call(g->i, S("x")), OK);
}

/* gcc's object takes over under load: no call is lost, none is done twice, none in an
 * instance that has forgotten the others. */
TEST(wasm_real_moves_to_a_better_object_under_load_keep_every_call)
{
	static struct guest g[200];
	struct wasm_code *tcc, *gcc;
	size_t n = COUNT(g);

	open_real();
	tcc = build(counter, WASM_TCC);
	for (size_t k = 0; k < n; k++) {
		g[k].then = call_again;
		fix_start(&g[k], 1, tcc);
	}
	UNTIL(started_of(g, n) == n);
	for (size_t k = 0; k < n; k++)
		fix_call(&g[k], "x");
	gcc = build(counter, WASM_GCC);
	CHECK(done_by(g, n) > n);
	wasm_pool_replace(fix_pool, tcc, gcc);
	UNTIL(fix_stats().moved == n);
	UNTIL(fix_stats().hosts == 1);
	stop_calls = true;
	UNTIL(fix_stats().calls == done_by(g, n));
	for (size_t k = 0; k < n; k++) {
		CHECK(g[k].trapped == 0 && counted(&g[k]) == (uint32_t)g[k].done);
		wasm_instance_free(g[k].i);
	}
	wasm_code_drop(tcc);
	wasm_code_drop(gcc);
	fix_close();
}

/* Mappings and numbers come back: far more instances than a process has places for. */
TEST(wasm_real_instances_come_and_go_without_end)
{
	static struct guest g[500];
	struct wasm_code *code;

	open_real();
	code = build(counter, WASM_TCC);
	for (int round = 0; round < 60; round++) {
		for (size_t k = 0; k < COUNT(g); k++)
			fix_start(&g[k], 1, code);
		UNTIL(started_of(g, COUNT(g)) == COUNT(g));
		fix_call(&g[round], "x");
		UNTIL(g[round].done == 1);
		CHECK(counted(&g[round]) == 1);
		for (size_t k = 0; k < COUNT(g); k++)
			wasm_instance_free(g[k].i);
		memset(g, 0, sizeof g);
	}
	CHECK(fix_stats().hosts == 1 && fix_stats().lost == 0);
	wasm_code_drop(code);
	fix_close();
}
