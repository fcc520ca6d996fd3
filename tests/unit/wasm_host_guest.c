/*
 * wasm_host_guest.c - instances of real modules: calls, host calls, limits.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "base/limits.h"
#include "harness/test.h"
#include "unit/wasm_host_fix.h"
#include "wasm/host/memory.h"

/* Each import as an export of the same name, so a test calls it with any arguments. */
static const char imports[] =
    "(module"
    " (import \"cohort\" \"log\" (func $log (param i32 i32 i32)))"
    " (import \"cohort\" \"now_ms\" (func $now (result i64)))"
    " (import \"cohort\" \"send\" (func $send (param i32 i32) (result i32)))"
    " (import \"cohort\" \"reply\" (func $reply (param i32 i32) (result i32)))"
    " (import \"cohort\" \"store_get\" (func $get (param i32 i32 i32 i32) (result i32)))"
    " (import \"cohort\" \"store_put\" (func $put (param i32 i32 i32 i32) (result i32)))"
    " (import \"cohort\" \"tool_call\" (func $tool (param i32 i32 i32 i32 i32 i32) (result i32)))"
    " (memory (export \"memory\") 1 4)"
    " (data (i32.const 16) \"key\")"
    " (data (i32.const 32) \"{\\22a\\22:[1]} x\")"
    " (data (i32.const 65533) \"{ }\")"
    " (func (export \"log\") (param i32 i32 i32) (call $log (local.get 0) (local.get 1) (local.get 2)))"
    " (func (export \"now_ms\") (result i64) (call $now))"
    " (func (export \"send\") (param i32 i32) (result i32) (call $send (local.get 0) (local.get 1)))"
    " (func (export \"reply\") (param i32 i32) (result i32) (call $reply (local.get 0) (local.get 1)))"
    " (func (export \"store_get\") (param i32 i32 i32 i32) (result i32)"
    "  (call $get (local.get 0) (local.get 1) (local.get 2) (local.get 3)))"
    " (func (export \"store_put\") (param i32 i32 i32 i32) (result i32)"
    "  (call $put (local.get 0) (local.get 1) (local.get 2) (local.get 3)))"
    " (func (export \"tool_call\") (param i32 i32 i32 i32 i32 i32) (result i32)"
    "  (call $tool (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5)))"
    " (func (export \"flood\") (param i32) (loop $l (drop (call $now))"
    "  (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))"
    " (func $down (export \"down\") (param i32) (result i64)"
    "  (if (result i64) (local.get 0)"
    "   (then (i64.add (call $now) (call $down (i32.sub (local.get 0) (i32.const 1)))))"
    "   (else (i64.const 0))))"
    " (func (export \"same\") (result i32) (local i64) (local.set 0 (call $now))"
    "  (loop $l (drop (call $now)) (br_if $l (i32.const 0))) (i64.eq (local.get 0) (call $now)))"
    " (func (export \"load\") (param i32) (result i32) (i32.load (local.get 0)))"
    " (func (export \"far\") (param i32) (result i64) (i64.load offset=0xffffffff (local.get 0)))"
    " (func (export \"store\") (param i32 i32) (i32.store (local.get 0) (local.get 1)))"
    " (func (export \"grow\") (param i32) (result i32) (memory.grow (local.get 0)))"
    " (func (export \"endless\") (loop $l (br $l)))"
    " (func (export \"trap\") unreachable))";

#define MINUS(n) ((uint32_t)-(n))
#define END 65536u

static struct guest *
guest(void)
{
	fix_guests(64 * MB);
	return fix_started(fix_load(imports, "tcc"));
}

/* Goal: whatever pointer and length a guest gives, nothing outside of its memory is read or
 * written, and it hears that they were bad. */
TEST(wasm_host_calls_check_every_pointer)
{
	static const struct { uint64_t at, n; } bad[] = {
		{ END, 1 }, { END - 3, 4 }, { 0xffffffff, 1 }, { 0xffffffff, 0xffffffff }, { 0, END + 1 },
		{ 16, 0xfffffff0 }, { 0x80000000, 0x80000000 }, { END + 1, 0 },
	};
	struct guest *g = guest();
	uint64_t r;

	for (size_t i = 0; i < COUNT(bad); i++) {
		uint64_t at = bad[i].at, n = bad[i].n;

		CHECK(INVOKE(g, "send", &r, at, n) == GUEST_DONE && r == MINUS(3));
		CHECK(INVOKE(g, "reply", &r, at, n) == GUEST_DONE && r == MINUS(3));
		CHECK(INVOKE(g, "log", NULL, 1, at, n) == GUEST_DONE);
		CHECK(INVOKE(g, "store_get", &r, at, n, 64, 8) == GUEST_DONE && r == MINUS(3));
		CHECK(INVOKE(g, "store_get", &r, 16, 3, at, n) == GUEST_DONE && r == MINUS(3));
		CHECK(INVOKE(g, "store_put", &r, at, n, 16, 3) == GUEST_DONE && r == MINUS(3));
		CHECK(INVOKE(g, "store_put", &r, 16, 3, at, n) == GUEST_DONE && r == MINUS(3));
		CHECK(INVOKE(g, "tool_call", &r, at, n, 16, 3, 64, 8) == GUEST_DONE && r == MINUS(3));
		CHECK(INVOKE(g, "tool_call", &r, 16, 3, at, n, 64, 8) == GUEST_DONE && r == MINUS(3));
		CHECK(INVOKE(g, "tool_call", &r, 16, 3, 16, 3, at, n) == GUEST_DONE && r == MINUS(3));
	}
	CHECK(strstr(fix_said, "send") == NULL && strstr(fix_said, "ask") == NULL);
	CHECK(strstr(fix_said, "log 2 log: the text is not in the memory\n") != NULL);
	fix_said[0] = '\0';
	CHECK(INVOKE(g, "send", &r, END - 3, 3) == GUEST_DONE && r == 0);
	CHECK_STR(str_of(fix_said), "send { }\n");
	guest_free(g);
}

/* Goal: an answer goes where the guest said, no further, and its whole length is told. */
TEST(wasm_host_answers)
{
	struct guest *g = guest();
	uint64_t r;

	CHECK(INVOKE(g, "store_get", NULL, 16, 3, END - 4, 4) == GUEST_WAITS);
	CHECK_STR(str_of(fix_said), "ask 4 key \n");
	CHECK(guest_waits(g));
	CHECK(guest_answer(g, 0, S("0123456789")) == GUEST_DONE);
	CHECK(INVOKE(g, "load", &r, END - 4) == GUEST_DONE && r == 0x33323130);
	/* The result of store_get is in the slots of the call that waited. */
	CHECK(INVOKE(g, "store_put", NULL, 16, 3, END - 3, 3) == GUEST_WAITS);
	CHECK(guest_answer(g, -5, STR_NONE) == GUEST_DONE);
	CHECK(INVOKE(g, "tool_call", NULL, 16, 3, 17, 1, 100, 4) == GUEST_WAITS);
	CHECK(guest_answer(g, -6, S("no")) == GUEST_DONE);
	CHECK(INVOKE(g, "load", &r, 100) == GUEST_DONE && r == 0x6f6e);
	CHECK(strstr(fix_said, "ask 5 key 123\nask 6 key e\n") != NULL);
	guest_free(g);
}

/* Goal: guests that wait do not hold up others; one that is freed while it waits is gone. */
TEST(wasm_host_guests_wait_beside_each_other)
{
	struct guest *a = guest(), *b = fix_started(guest_object(a)), *c = fix_started(guest_object(a));
	uint64_t r;

	CHECK(INVOKE(a, "store_get", NULL, 16, 3, 200, 4) == GUEST_WAITS);
	CHECK(INVOKE(b, "store_get", NULL, 16, 3, 200, 4) == GUEST_WAITS);
	CHECK(INVOKE(c, "load", &r, 16) == GUEST_DONE);
	CHECK(guest_answer(a, 0, S("aaaa")) == GUEST_DONE);
	CHECK(INVOKE(a, "load", &r, 200) == GUEST_DONE && r == 0x61616161);
	CHECK(INVOKE(c, "load", &r, 200) == GUEST_DONE && r == 0);
	guest_free(b);
	CHECK(INVOKE(c, "trap", NULL) == GUEST_TRAPPED && guest_trap(c) == WASM_TRAP_UNREACHABLE);
	guest_free(c);
	guest_free(a);
	CHECK(account_used() == 0);
}

TEST(wasm_host_capability_that_was_not_given)
{
	struct guest *g = guest();
	struct guest_limits few = fix_limits();
	uint64_t r;

	few.allow = 1u << WASM_LOG;
	guest_limit(g, &few);
	CHECK(INVOKE(g, "send", &r, 16, 3) == GUEST_DONE && r == MINUS(2));
	CHECK(INVOKE(g, "store_get", &r, 16, 3, 64, 4) == GUEST_DONE && r == MINUS(2));
	CHECK(INVOKE(g, "tool_call", &r, 16, 3, 16, 3, 64, 4) == GUEST_DONE && r == MINUS(2));
	CHECK(INVOKE(g, "log", NULL, 9, 16, 3) == GUEST_DONE);
	CHECK_STR(str_of(fix_said), "log 3 key\n");
	guest_free(g);
}

/* Goal: what leaves is an object of JSON; the guest hears at once if it is not. */
TEST(wasm_host_only_json_leaves)
{
	struct guest *g = guest();
	uint64_t r;

	CHECK(INVOKE(g, "reply", &r, 32, 9) == GUEST_DONE && r == 0);
	CHECK(INVOKE(g, "reply", &r, 32, 10) == GUEST_DONE && r == 0);
	for (uint64_t n = 0; n < 12; n++)
		if (n != 9 && n != 10)
			CHECK(INVOKE(g, "reply", &r, 32, n) == GUEST_DONE && r == MINUS(3));
	CHECK(INVOKE(g, "send", &r, 16, 3) == GUEST_DONE && r == MINUS(3));
	CHECK_STR(str_of(fix_said), "reply {\"a\":[1]}\nreply {\"a\":[1]} \n");
	guest_free(g);
}

TEST(wasm_host_sizes_and_floods)
{
	struct guest *g = guest();
	struct guest_limits few = fix_limits();
	uint64_t r;

	few.host_calls = 10;
	few.message_bytes = 9;
	guest_limit(g, &few);
	CHECK(INVOKE(g, "send", &r, 32, 9) == GUEST_DONE && r == 0);
	CHECK(INVOKE(g, "send", &r, 32, 10) == GUEST_DONE && r == MINUS(4));
	few.message_bytes = 2;
	guest_limit(g, &few);
	CHECK(INVOKE(g, "store_put", &r, 16, 3, 16, 3) == GUEST_DONE && r == MINUS(4));
	CHECK(INVOKE(g, "store_get", &r, 0, LIMIT_WASM_KEY_BYTES + 1, 16, 3) == GUEST_DONE && r == MINUS(4));
	CHECK(INVOKE(g, "flood", NULL, 10) == GUEST_DONE);
	CHECK(INVOKE(g, "flood", NULL, 11) == GUEST_TRAPPED && guest_trap(g) == WASM_TRAP_HOST_CALLS);
	guest_free(g);
}

TEST(wasm_host_now_is_fixed_in_a_call)
{
	struct guest *g = guest();
	uint64_t r;

	for (int i = 0; i < 100; i++)
		CHECK(INVOKE(g, "same", &r) == GUEST_DONE && r == 1);
	CHECK(INVOKE(g, "now_ms", &r) == GUEST_DONE && r > 1700000000000);
	guest_free(g);
}

/* Goal: each way to go wrong ends the call with its own reason, whichever compiler made it. */
TEST(wasm_host_traps_have_reasons)
{
	static const char *const compilers[] = { "tcc", "gcc" };

	fix_guests(64 * MB);
	for (size_t i = 0; i < COUNT(compilers); i++) {
		struct guest *g = fix_started(fix_load(imports, compilers[i]));
		struct guest_limits few = fix_limits();
		struct guest_cost cost;

		CHECK(INVOKE(g, "load", NULL, END - 3) == GUEST_TRAPPED && guest_trap(g) == WASM_TRAP_MEMORY);
		CHECK(INVOKE(g, "far", NULL, 0xffffffff) == GUEST_TRAPPED && guest_trap(g) == WASM_TRAP_MEMORY);
		CHECK(INVOKE(g, "far", NULL, 1) == GUEST_TRAPPED && guest_trap(g) == WASM_TRAP_MEMORY);
		CHECK(INVOKE(g, "trap", NULL) == GUEST_TRAPPED && guest_trap(g) == WASM_TRAP_UNREACHABLE);
		CHECK(INVOKE(g, "down", NULL, 100000) == GUEST_TRAPPED && guest_trap(g) == WASM_TRAP_DEPTH);
		few.fuel = 1000000;
		guest_limit(g, &few);
		CHECK(INVOKE(g, "endless", NULL) == GUEST_TRAPPED && guest_trap(g) == WASM_TRAP_FUEL);
		guest_cost(g, &cost);
		CHECK(cost.fuel >= 1000000 && cost.fuel < 1001000);
		few.fuel = INT64_MAX;
		few.cpu = 5 * NS_PER_MS;
		guest_limit(g, &few);
		CHECK(INVOKE(g, "endless", NULL) == GUEST_TRAPPED && guest_trap(g) == WASM_TRAP_TIME);
		guest_cost(g, &cost);
		CHECK(cost.cpu >= few.cpu);
		guest_free(g);
	}
	CHECK(account_used() == 0);
}

/* Goal: a host call at the end of the stack is refused before it could run over. */
TEST(wasm_host_call_without_stack)
{
	struct guest *g = guest();
	struct guest_limits deep = fix_limits();
	uint64_t r;

	deep.depth = UINT32_MAX;
	deep.host_calls = UINT32_MAX;
	guest_limit(g, &deep);
	CHECK(INVOKE(g, "down", NULL, 0x7fffffff) == GUEST_TRAPPED && guest_trap(g) == WASM_TRAP_DEPTH);
	CHECK(INVOKE(g, "load", &r, 16) == GUEST_DONE);
	guest_free(g);
}

/* Goal: growth is charged by the page; growth over a limit is denied and not charged, and the
 * guest goes on. */
TEST(wasm_host_growth_is_denied)
{
	struct guest *g = guest(), *other;
	struct guest_limits few = fix_limits();
	struct guest_cost cost;
	uint64_t r;

	CHECK(INVOKE(g, "grow", &r, 1) == GUEST_DONE && r == 1);
	guest_cost(g, &cost);
	CHECK(cost.fuel > 64 && cost.fuel < 70);
	CHECK(INVOKE(g, "store", NULL, END, 7) == GUEST_DONE);
	CHECK(INVOKE(g, "grow", &r, MINUS(1)) == GUEST_DONE && r == UINT32_MAX);
	guest_cost(g, &cost);
	CHECK(cost.fuel > 0 && cost.fuel < 6);
	CHECK(INVOKE(g, "grow", &r, 3) == GUEST_DONE && r == UINT32_MAX);
	CHECK(INVOKE(g, "grow", &r, 65535) == GUEST_DONE && r == UINT32_MAX);
	CHECK(INVOKE(g, "load", &r, END) == GUEST_DONE && r == 7);
	few.pages = 3;
	other = guest_new(guest_object(g), &few, NULL);
	CHECK(guest_start(other) == GUEST_DONE);
	CHECK(INVOKE(other, "grow", &r, 2) == GUEST_DONE && r == 1);
	CHECK(INVOKE(other, "grow", &r, 1) == GUEST_DONE && r == UINT32_MAX);
	guest_free(other);
	guest_free(g);
}

/* Goal: the same for a table, by the entry. */
TEST(wasm_host_growth_of_a_table)
{
	struct guest_cost cost;
	struct guest *g;
	uint64_t r;

	fix_guests(64 * MB);
	g = fix_started(fix_load("(module (table $t 1 20 funcref)"
	    " (func (export \"grow\") (param i32) (result i32)"
	    "  (table.grow $t (ref.null func) (local.get 0))))", "tcc"));
	CHECK(INVOKE(g, "grow", &r, 19) == GUEST_DONE && r == 1);
	guest_cost(g, &cost);
	CHECK(cost.fuel > 19 && cost.fuel < 26);
	CHECK(INVOKE(g, "grow", &r, MINUS(1)) == GUEST_DONE && r == UINT32_MAX);
	guest_cost(g, &cost);
	CHECK(cost.fuel > 0 && cost.fuel < 7);
	guest_free(g);
}

/* Goal: all guests together have no more than the process's total. */
TEST(wasm_host_total_memory)
{
	struct guest *g[5];
	struct guest_limits usual = fix_limits();
	struct object *o;
	uint64_t r;

	fix_guests(5 * MEMORY_PAGE);
	o = fix_load(imports, "tcc");
	for (size_t i = 0; i < 4; i++)
		g[i] = fix_started(o);
	CHECK(INVOKE(g[0], "grow", &r, 2) == GUEST_DONE && r == UINT32_MAX);
	CHECK(INVOKE(g[0], "grow", &r, 1) == GUEST_DONE && r == 1);
	g[4] = guest_new(o, &usual, NULL);
	CHECK(guest_start(g[4]) == GUEST_TRAPPED && guest_trap(g[4]) == WASM_TRAP_HOST_MEMORY);
	guest_free(g[4]);
	usual.pages = 0;
	g[4] = guest_new(o, &usual, NULL);
	CHECK(guest_start(g[4]) == GUEST_TRAPPED && guest_trap(g[4]) == WASM_TRAP_MEMORY_START);
	for (size_t i = 0; i < 5; i++)
		guest_free(g[i]);
	CHECK(account_used() == 0);
}

/* A guest by the book: the message's first byte chooses what alloc answers. */
static const char mail[] =
    "(module"
    " (import \"cohort\" \"store_get\" (func $get (param i32 i32 i32 i32) (result i32)))"
    " (import \"cohort\" \"send\" (func $send (param i32 i32) (result i32)))"
    " (memory (export \"memory\") 1)"
    " (global $seen (mut i32) (i32.const 0))"
    " (func (export \"alloc\") (param i32) (result i32)"
    "  (i32.store (i32.const 8) (call $get (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1)))"
    "  (i32.store (i32.const 12) (call $send (i32.const 0) (i32.const 1)))"
    "  (if (i32.eq (local.get 0) (i32.const 1)) (then (return (i32.const 0))))"
    "  (if (i32.eq (local.get 0) (i32.const 2)) (then (return (i32.const 65535))))"
    "  (if (i32.eq (local.get 0) (i32.const 3)) (then (return (i32.const -1))))"
    "  (i32.const 64))"
    " (func (export \"handle_message\") (param i32 i32) (result i32)"
    "  (global.set $seen (i32.add (global.get $seen) (i32.const 1)))"
    "  (i32.add (i32.mul (global.get $seen) (i32.const 1000))"
    "   (i32.sub (i32.load8_u (local.get 0)) (i32.add (i32.load (i32.const 8)) (i32.load (i32.const 12)))))))";

/* Goal: where alloc says a message goes is checked; in alloc there is nobody to ask. */
TEST(wasm_host_messages)
{
	struct object *o;
	struct guest *g;

	fix_guests(64 * MB);
	o = fix_load(mail, "tcc");
	g = fix_started(o);
	CHECK(guest_call(g, S("")) == GUEST_DONE);
	CHECK(guest_call(g, S("abcd")) == GUEST_DONE);
	CHECK_INT(guest_result(g), 2000 + 'a' + 5 + 5);
	CHECK_STR(str_of(fix_said), "");
	CHECK(guest_call(g, S("x")) == GUEST_TRAPPED && guest_trap(g) == WASM_TRAP_ANSWER);
	guest_free(g);
	g = fix_started(o);
	CHECK(guest_call(g, S("xy")) == GUEST_TRAPPED && guest_trap(g) == WASM_TRAP_ANSWER);
	CHECK(guest_call(g, S("xyz")) == GUEST_TRAPPED && guest_trap(g) == WASM_TRAP_ANSWER);
	guest_free(g);
}

/* Goal: start functions have the limits of a call. */
TEST(wasm_host_start_is_limited)
{
	static const char *const endless =
	    "(module (memory 1) (func $f (loop $l (br $l))) (start $f))";
	static const char *const large = "(module (memory 17))";
	static const char *const bad = "(module (memory 1) (func $f unreachable) (start $f))";
	struct guest_limits few = fix_limits();
	struct guest *g;

	fix_guests(64 * MB);
	few.cpu = 3 * NS_PER_MS;
	few.fuel = INT64_MAX;
	g = guest_new(fix_load(endless, "tcc"), &few, NULL);
	CHECK(guest_start(g) == GUEST_TRAPPED && guest_trap(g) == WASM_TRAP_TIME);
	guest_free(g);
	few.fuel = 10000;
	g = guest_new(fix_load(endless, "gcc"), &few, NULL);
	CHECK(guest_start(g) == GUEST_TRAPPED && guest_trap(g) == WASM_TRAP_FUEL);
	guest_free(g);
	g = guest_new(fix_load(large, "tcc"), &few, NULL);
	CHECK(guest_start(g) == GUEST_TRAPPED && guest_trap(g) == WASM_TRAP_MEMORY_START);
	guest_free(g);
	g = guest_new(fix_load(bad, "tcc"), &few, NULL);
	CHECK(guest_start(g) == GUEST_TRAPPED && guest_trap(g) == WASM_TRAP_UNREACHABLE);
	guest_free(g);
	CHECK(account_used() == 0);
}

/* Goal: however many instances come and go, the process stays as it is. */
TEST(wasm_host_instances_come_and_go)
{
	struct object *o;

	fix_guests(64 * MB);
	o = fix_load(imports, "tcc");
	for (int i = 0; i < 100000; i++) {
		struct guest *g = fix_started(o);

		if (i % 100 == 0)
			CHECK(INVOKE(g, "store", NULL, 4096, 1) == GUEST_DONE);
		guest_free(g);
	}
	CHECK(account_used() == 0);
}
