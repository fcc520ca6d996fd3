/*
 * wasm_host_engine.c - frames in, frames out.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "harness/test.h"
#include "unit/wasm_host_fix.h"
#include "wasm/host/engine.h"
#include "wasm/host/memory.h"

/* The first letter of a message says what the guest does with it. */
static const char guest[] =
    "(module"
    " (import \"cohort\" \"log\" (func $log (param i32 i32 i32)))"
    " (import \"cohort\" \"send\" (func $send (param i32 i32) (result i32)))"
    " (import \"cohort\" \"reply\" (func $reply (param i32 i32) (result i32)))"
    " (import \"cohort\" \"store_get\" (func $get (param i32 i32 i32 i32) (result i32)))"
    " (memory (export \"memory\") 2 4)"
    " (data (i32.const 3000) \"{}\")"
    " (global $calls (mut i32) (i32.const 0))"
    " (func (export \"alloc\") (param i32) (result i32) (i32.const 1024))"
    " (func (export \"handle_message\") (param $p i32) (param $n i32) (result i32) (local $c i32)"
    "  (global.set $calls (i32.add (global.get $calls) (i32.const 1)))"
    "  (local.set $c (i32.load8_u (local.get $p)))"
    "  (call $log (i32.const 1) (local.get $p) (local.get $n))"
    "  (if (i32.eq (local.get $c) (i32.const 0x65)) (then (loop $l (br $l))))"                 /* e */
    "  (if (i32.eq (local.get $c) (i32.const 0x75)) (then unreachable))"                       /* u */
    "  (if (i32.eq (local.get $c) (i32.const 0x73))"                                           /* s */
    "   (then (drop (call $send (i32.add (local.get $p) (i32.const 1)) (i32.sub (local.get $n) (i32.const 1))))"
    "         (drop (call $reply (i32.const 3000) (i32.const 2)))))"
    "  (if (i32.eq (local.get $c) (i32.const 0x67))"                                           /* g */
    "   (then (return (i32.add (i32.load8_u (i32.const 2000))"
    "    (call $get (local.get $p) (local.get $n) (i32.const 2000) (i32.const 100))))))"
    "  (if (i32.eq (local.get $c) (i32.const 0x6d))"                                           /* m */
    "   (then (i32.store8 (i32.const 5000) (i32.load8_u offset=1 (local.get $p)))))"
    "  (global.get $calls)))";

struct sent { struct wasm_frame f; char body[2048]; size_t n; };

static struct sent out[64];
static size_t out_n, out_bytes;
static struct buf saved;

static void
put(void *arg, const struct wasm_frame *f, const struct str *parts, size_t n)
{
	struct sent *s = &out[out_n];

	(void)arg;
	CHECK(out_n < COUNT(out) && f->zero == 0);
	s->f = *f;
	s->n = 0;
	for (size_t i = 0; i < n; i++) {
		if (f->type == WASM_SAVED_FRAME)
			buf_add(&saved, parts[i]);
		CHECK(parts[i].n <= 256 * KB);
		if (s->n + parts[i].n <= sizeof s->body) {
			memcpy(s->body + s->n, parts[i].p, parts[i].n);
			s->n += parts[i].n;
		}
		out_bytes += parts[i].n;
	}
	out_n++;
}

static void
setup(void)
{
	struct engine_options o = { .memory_max = 64 * MB, .instances_max = 100, .put = put };
	struct err e;

	CHECK_RC(engine_setup(&o, &e), OK);
	CHECK_RC(engine_load(FIX_HASH, fix_object(guest, "tcc"), &e), OK);
	saved = BUF(64 * MB);
}

static int
frame(enum wasm_frame_type type, uint32_t agent, int32_t a, uint64_t call, struct str body)
{
	struct wasm_frame f = { .n = (uint32_t)body.n, .type = (uint16_t)type, .agent = agent, .a = a, .call = call };
	struct err e;

	out_n = 0;
	return engine_frame(&f, body, &e);
}

static int
start(uint32_t agent, uint32_t restore)
{
	struct wasm_start_frame s = {
		.allow = UINT32_MAX, .pages_max = 4, .depth_max = 100, .fuel = 1000000, .cpu_us = 1000000,
		.host_calls_max = 10, .message_max = 1000, .restore = restore,
	};

	return frame(WASM_START_FRAME, agent, 0, 0, (struct str){ (const char *)&s, sizeof s });
}

static int
call(uint32_t agent, uint64_t number, struct str text)
{
	return frame(WASM_CALL_FRAME, agent, 0, number, text);
}

/* Frame i that came out. */
static void
check_out(size_t i, enum wasm_frame_type type, uint32_t agent, int32_t a, uint64_t number)
{
	CHECK(i < out_n);
	CHECK_INT(out[i].f.type, type);
	CHECK_INT(out[i].f.agent, agent);
	CHECK_INT(out[i].f.a, a);
	CHECK_INT(out[i].f.call, number);
}

static struct str
body_of(size_t i)
{
	return (struct str){ out[i].body, out[i].n };
}

TEST(wasm_engine_calls)
{
	struct wasm_cost_frame cost;

	setup();
	CHECK_RC(start(7, 0), OK);
	check_out(0, WASM_STARTED_FRAME, 7, 0, 0);
	CHECK_RC(call(7, 1, S("hello")), OK);
	check_out(0, WASM_LOG_FRAME, 7, 1, 1);
	CHECK_STR(body_of(0), "hello");
	check_out(1, WASM_DONE_FRAME, 7, 1, 1);
	CHECK(out_n == 2 && out[1].n == sizeof cost);
	memcpy(&cost, out[1].body, sizeof cost);
	CHECK(cost.fuel > 0 && cost.fuel < 200 && cost.pages == 2 && cost.host_calls == 1);
	CHECK_RC(call(7, 2, S("s{\"to\":1}")), OK);
	check_out(1, WASM_SEND_FRAME, 7, 0, 2);
	CHECK_STR(body_of(1), "{\"to\":1}");
	check_out(2, WASM_REPLY_FRAME, 7, 0, 2);
	check_out(3, WASM_DONE_FRAME, 7, 2, 2);
	CHECK_RC(frame(WASM_STOP_FRAME, 7, 0, 0, STR_NONE), OK);
	check_out(0, WASM_GONE_FRAME, 7, 0, 0);
	CHECK_INT(engine_instances(), 0);
	/* The server may not know yet that one is gone. */
	CHECK_RC(frame(WASM_STOP_FRAME, 7, 0, 0, STR_NONE), OK);
	check_out(0, WASM_GONE_FRAME, 7, 0, 0);
	CHECK(account_used() == 0);
}

/* Goal: who traps is gone, with a reason; others do not notice; the number is free. */
TEST(wasm_engine_traps)
{
	struct wasm_cost_frame cost;

	setup();
	CHECK_RC(start(0, 0), OK);
	CHECK_RC(start(1, 0), OK);
	CHECK_RC(call(0, 1, S("x")), OK);
	CHECK_RC(call(1, 1, S("endless")), OK);
	check_out(1, WASM_TRAPPED_FRAME, 1, WASM_TRAP_FUEL, 1);
	CHECK_STR(str_sub(body_of(1), sizeof cost, 100), "out of fuel");
	memcpy(&cost, out[1].body, sizeof cost);
	CHECK(cost.fuel >= 1000000 && cost.cpu_ns > 0);
	CHECK_RC(start(1, 0), OK);
	check_out(0, WASM_STARTED_FRAME, 1, 0, 0);
	CHECK_RC(call(1, 1, S("u")), OK);
	check_out(1, WASM_TRAPPED_FRAME, 1, WASM_TRAP_UNREACHABLE, 1);
	CHECK_RC(call(0, 2, S("x")), OK);
	check_out(1, WASM_DONE_FRAME, 0, 2, 2);
	CHECK_INT(engine_instances(), 1);
}

/* Goal: asking the server takes nothing from others; answers come in any order. */
TEST(wasm_engine_asks)
{
	setup();
	for (uint32_t i = 0; i < 3; i++)
		CHECK_RC(start(i, 0), OK);
	CHECK_RC(call(0, 1, S("get0")), OK);
	check_out(1, WASM_ASK_FRAME, 0, WASM_STORE_GET, 1);
	CHECK(out_n == 2 && out[1].f.b == 4);
	CHECK_STR(body_of(1), "get0");
	CHECK_RC(call(1, 1, S("get1")), OK);
	CHECK_RC(call(2, 1, S("x")), OK);
	check_out(1, WASM_DONE_FRAME, 2, 1, 1);
	CHECK_RC(frame(WASM_ANSWER_FRAME, 1, 0, 1, S("0123456789")), OK);
	check_out(0, WASM_DONE_FRAME, 1, 10, 1);
	/* A call that waits is thrown away, and says nothing more. */
	CHECK_RC(frame(WASM_STOP_FRAME, 0, 0, 0, STR_NONE), OK);
	check_out(0, WASM_GONE_FRAME, 0, 0, 0);
	CHECK(out_n == 1);
	CHECK_RC(call(1, 2, S("get1")), OK);
	CHECK_RC(frame(WASM_ANSWER_FRAME, 1, -1, 2, STR_NONE), OK);
	check_out(0, WASM_DONE_FRAME, 1, '0' - 1, 2);
}

/* Goal: more calls than may wait at once are told so, and go on. */
TEST(wasm_engine_too_many_wait)
{
	struct engine_options o = { .memory_max = 1024 * MB, .instances_max = 1000, .put = put };
	struct err e;

	CHECK_RC(engine_setup(&o, &e), OK);
	CHECK_RC(engine_load(FIX_HASH, fix_object(guest, "tcc"), &e), OK);
	for (uint32_t i = 0; i <= LIMIT_WASM_PARKED; i++) {
		CHECK_RC(start(i, 0), OK);
		CHECK_RC(call(i, 1, S("g")), OK);
		if (i < LIMIT_WASM_PARKED)
			check_out(1, WASM_ASK_FRAME, i, WASM_STORE_GET, 1);
	}
	check_out(1, WASM_DONE_FRAME, LIMIT_WASM_PARKED, -5, 1);
	for (uint32_t i = 0; i < LIMIT_WASM_PARKED; i++) {
		CHECK_RC(frame(WASM_ANSWER_FRAME, i, 0, 1, S("abc")), OK);
		check_out(0, WASM_DONE_FRAME, i, 3, 1);
		CHECK_RC(frame(WASM_STOP_FRAME, i, 0, 0, STR_NONE), OK);
	}
}

/* Goal: an instance goes on elsewhere where it was, state in parts. */
TEST(wasm_engine_saves_and_restores)
{
	struct str rest;

	setup();
	CHECK_RC(start(3, 0), OK);
	CHECK_RC(call(3, 1, S("mZ")), OK);
	CHECK_RC(call(3, 2, S("x")), OK);
	CHECK_RC(frame(WASM_SAVE_FRAME, 3, 0, 0, STR_NONE), OK);
	check_out(0, WASM_SAVED_FRAME, 3, 1, 0);
	CHECK(out[0].f.b == 0 && saved.n > 100);
	CHECK_RC(frame(WASM_STOP_FRAME, 3, 0, 0, STR_NONE), OK);
	rest = buf_str(&saved);
	CHECK_RC(frame(WASM_RESTORE_FRAME, 4, 0, 0, str_sub(rest, 0, 50)), OK);
	CHECK_RC(frame(WASM_RESTORE_FRAME, 4, 1, 0, str_sub(rest, 50, rest.n)), OK);
	CHECK_RC(start(4, 1), OK);
	check_out(0, WASM_STARTED_FRAME, 4, 0, 0);
	CHECK_RC(call(4, 1, S("x")), OK);
	check_out(1, WASM_DONE_FRAME, 4, 3, 1);

	CHECK_RC(frame(WASM_RESTORE_FRAME, 5, 1, 0, str_sub(rest, 0, 50)), OK);
	CHECK_RC(start(5, 1), OK);
	check_out(0, WASM_TRAPPED_FRAME, 5, WASM_TRAP_OTHER, 0);
	CHECK(str_contains(body_of(0), S("cannot be restored: it is cut off")));
	CHECK_INT(engine_instances(), 1);
}

/* Goal: what no server says ends the process. */
TEST(wasm_engine_refuses_nonsense)
{
	setup();
	CHECK_RC(frame(WASM_READY_FRAME, 0, 0, 0, STR_NONE), ERR_INVALID);
	CHECK_RC(frame((enum wasm_frame_type)99, 0, 0, 0, STR_NONE), ERR_INVALID);
	CHECK_RC(call(0, 1, S("x")), ERR_INVALID);
	CHECK_RC(call(100, 1, S("x")), ERR_INVALID);
	CHECK_RC(frame(WASM_START_FRAME, 0, 0, 0, S("short")), ERR_INVALID);
	CHECK_RC(frame(WASM_ANSWER_FRAME, 0, 0, 1, S("x")), ERR_INVALID);
	CHECK_RC(frame(WASM_SAVE_FRAME, 0, 0, 0, STR_NONE), ERR_INVALID);
	CHECK_RC(start(1, 1), ERR_INVALID);
	CHECK_RC(start(2, 0), OK);
	CHECK_RC(start(2, 0), ERR_INVALID);
	CHECK_RC(call(2, 0, S("x")), ERR_INVALID);
	CHECK_RC(call(2, 1, S("g")), OK);
	CHECK_RC(call(2, 2, S("x")), ERR_INVALID);
	CHECK_RC(frame(WASM_SAVE_FRAME, 2, 0, 0, STR_NONE), ERR_INVALID);
	CHECK_RC(frame(WASM_ANSWER_FRAME, 2, 0, 2, S("x")), ERR_INVALID);
	CHECK_RC(frame(WASM_RESTORE_FRAME, 2, 0, 0, S("x")), ERR_INVALID);
}
