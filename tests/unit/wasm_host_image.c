/*
 * wasm_host_image.c - what is saved of a guest is all of it, whichever compiler made it, and
 * bytes from outside do no harm.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "base/limits.h"
#include "harness/test.h"
#include "unit/wasm_host_fix.h"
#include "wasm/host/memory.h"

/* All kinds of state: memory that grows, globals of each type, a table that changes and
 * grows, segments that are dropped. */
static const char everything[] =
    "(module"
    " (memory (export \"memory\") 1 8)"
    " (data (i32.const 1000) \"from the module\")"
    " (data $late \"late\")"
    " (global $a (mut i32) (i32.const 1)) (global $b (mut i64) (i64.const 2))"
    " (global $c (mut f32) (f32.const 3)) (global $d (mut f64) (f64.const 4))"
    " (table $t 4 20 funcref)"
    " (elem (i32.const 0) $one $two)"
    " (elem $spare func $two $one)"
    " (type $f (func (result i32)))"
    " (func $one (result i32) (i32.const 1))"
    " (func $two (result i32) (i32.add (global.get $a) (i32.const 200)))"
    " (func (export \"ask\") (param i32) (result i32) (call_indirect (type $f) (local.get 0)))"
    " (func (export \"change\") (param i32)"
    "  (global.set $a (local.get 0)) (global.set $b (i64.const -7))"
    "  (global.set $c (f32.const nan:0x200001)) (global.set $d (f64.const -0.0))"
    "  (i32.store (i32.const 4) (local.get 0)) (i32.store8 (i32.const 1000) (i32.const 0))"
    "  (drop (memory.grow (i32.const 2))) (i32.store (i32.const 196604) (local.get 0))"
    "  (drop (table.grow $t (ref.null func) (i32.const 3)))"
    "  (table.init $t $spare (i32.const 4) (i32.const 0) (i32.const 2))"
    "  (table.set $t (i32.const 0) (ref.null func)) (elem.drop $spare) (data.drop $late))"
    " (func (export \"init\") (memory.init $late (i32.const 0) (i32.const 0) (i32.const 4)))"
    " (func (export \"elems\") (table.init $t $spare (i32.const 0) (i32.const 0) (i32.const 1)))"
    " (func (export \"load\") (param i32) (result i32) (i32.load (local.get 0)))"
    " (func (export \"b\") (result i64) (global.get $b)) (func (export \"c\") (result f32) (global.get $c))"
    " (func (export \"d\") (result f64) (global.get $d)))";

static struct guest *
restored(struct object *o, const struct buf *image)
{
	struct guest_limits given = fix_limits();
	struct guest *g = guest_new(o, &given, NULL);
	struct err e;

	if (guest_restore(g, buf_str(image), &e) != OK)
		test_fail(__FILE__, __LINE__, "%s", e.text);
	return g;
}

static void
check_same(struct guest *a, struct guest *b)
{
	uint32_t pages[2];
	const uint8_t *memory[2] = { guest_memory(a, &pages[0]), guest_memory(b, &pages[1]) };
	struct buf image[2] = { BUF(MB), BUF(MB) };
	struct err e;

	CHECK(pages[0] == pages[1]);
	CHECK(memcmp(memory[0], memory[1], pages[0] * MEMORY_PAGE) == 0);
	CHECK_RC(guest_save(a, &image[0], &e), OK);
	CHECK_RC(guest_save(b, &image[1], &e), OK);
	CHECK(str_eq(buf_str(&image[0]), buf_str(&image[1])));
	buf_release(&image[0]);
	buf_release(&image[1]);
}

static void
check_changed(struct guest *g)
{
	uint64_t r;

	CHECK(INVOKE(g, "load", &r, 4) == GUEST_DONE && r == 77);
	CHECK(INVOKE(g, "load", &r, 196604) == GUEST_DONE && r == 77);
	CHECK(INVOKE(g, "b", &r) == GUEST_DONE && r == (uint64_t)-7);
	CHECK(INVOKE(g, "c", &r) == GUEST_DONE && (uint32_t)r == 0x7fa00001);
	CHECK(INVOKE(g, "d", &r) == GUEST_DONE && r == 0x8000000000000000);
	CHECK(INVOKE(g, "ask", &r, 1) == GUEST_DONE && r == 277);
	CHECK(INVOKE(g, "ask", &r, 4) == GUEST_DONE && r == 277);
	CHECK(INVOKE(g, "ask", &r, 5) == GUEST_DONE && r == 1);
	CHECK(INVOKE(g, "ask", NULL, 0) == GUEST_TRAPPED && guest_trap(g) == WASM_TRAP_CALL_INDIRECT);
	CHECK(INVOKE(g, "ask", NULL, 6) == GUEST_TRAPPED && guest_trap(g) == WASM_TRAP_CALL_INDIRECT);
	CHECK(INVOKE(g, "ask", NULL, 7) == GUEST_TRAPPED && guest_trap(g) == WASM_TRAP_CALL_INDIRECT);
	CHECK(INVOKE(g, "init", NULL) == GUEST_TRAPPED);
	CHECK(INVOKE(g, "elems", NULL) == GUEST_TRAPPED);
}

/* Goal: saved by one compiler's object and restored by another's, a guest is the same to the
 * byte, and behaves so. */
TEST(wasm_image_is_the_whole_state)
{
	struct object *o[2];
	struct err e;

	fix_guests(64 * MB);
	o[0] = fix_load(everything, "tcc");
	o[1] = fix_load(everything, "gcc");
	for (size_t i = 0; i < 4; i++) {
		struct guest *g = fix_started(o[i & 1]), *copy;
		struct buf image = BUF(MB);

		CHECK(INVOKE(g, "change", NULL, 77) == GUEST_DONE);
		CHECK_RC(guest_save(g, &image, &e), OK);
		CHECK(image.n < 2000);
		copy = restored(o[i >> 1], &image);
		check_same(g, copy);
		check_changed(copy);
		check_changed(g);
		buf_release(&image);
		guest_free(copy);
		guest_free(g);
	}
}

/* Goal: an instance that nobody called is next to nothing. */
TEST(wasm_image_of_a_fresh_instance)
{
	struct object *o;
	struct guest *g, *copy;
	struct buf image = BUF(MB);
	struct err e;
	uint64_t r;

	fix_guests(64 * MB);
	o = fix_load(everything, "tcc");
	g = fix_started(o);
	CHECK_RC(guest_save(g, &image, &e), OK);
	CHECK(image.n < 200);
	copy = restored(o, &image);
	check_same(g, copy);
	CHECK(INVOKE(copy, "ask", &r, 0) == GUEST_DONE && r == 1);
	CHECK(INVOKE(copy, "init", NULL) == GUEST_DONE);
	guest_free(copy);
	guest_free(g);
	buf_release(&image);
}

/* Goal: a start function does not run into what is restored, whatever the time is then. */
TEST(wasm_image_of_a_module_with_a_start)
{
	static const char text[] =
	    "(module (import \"cohort\" \"now_ms\" (func $now (result i64)))"
	    " (memory (export \"memory\") 2)"
	    " (data (i32.const 70000) \"data\")"
	    " (func $f (i64.store (i32.const 0) (call $now)) (i32.store (i32.const 70000) (i32.const 0)))"
	    " (start $f)"
	    " (func (export \"clear\") (i64.store (i32.const 0) (i64.const 0)))"
	    " (func (export \"load\") (param i32) (result i32) (i32.load (local.get 0))))";
	struct object *o;
	struct guest *g, *copy;
	struct buf image = BUF(MB);
	struct err e;
	uint64_t r;

	fix_guests(64 * MB);
	o = fix_load(text, "tcc");
	g = fix_started(o);
	CHECK(INVOKE(g, "clear", NULL) == GUEST_DONE);
	CHECK_RC(guest_save(g, &image, &e), OK);
	copy = restored(o, &image);
	check_same(g, copy);
	CHECK(INVOKE(copy, "load", &r, 0) == GUEST_DONE && r == 0);
	CHECK(INVOKE(copy, "load", &r, 70000) == GUEST_DONE && r == 0);
	guest_free(copy);
	guest_free(g);
	buf_release(&image);
}

/* Goal: a start function that takes another way at a restore has limits there, too. */
TEST(wasm_image_start_is_limited_at_a_restore)
{
	static const char text[] =
	    "(module (import \"cohort\" \"now_ms\" (func $now (result i64)))"
	    " (memory (export \"memory\") 1)"
	    " (func $f (if (i64.gt_s (call $now) (i64.const 0x100000000)) (then (loop $l (br $l)))))"
	    " (start $f))";
	struct guest_limits given = fix_limits();
	struct object *o;
	struct guest *g;
	struct buf image = BUF(MB);
	struct err e;

	fix_guests(64 * MB);
	o = fix_load(text, "tcc");
	given.allow = 0;                     /* what now_ms says then is less */
	g = guest_new(o, &given, NULL);
	CHECK(guest_start(g) == GUEST_DONE);
	CHECK_RC(guest_save(g, &image, &e), OK);
	guest_free(g);
	given.allow = UINT32_MAX;
	given.fuel = INT64_MAX;
	given.cpu = 2 * NS_PER_MS;
	g = guest_new(o, &given, NULL);
	CHECK_RC(guest_restore(g, buf_str(&image), &e), ERR_INVALID);
	CHECK(str_contains(str_of(e.text), S("does not start within its limits")));
	guest_free(g);
	buf_release(&image);
}

/* Goal: an image that is cut off anywhere, or is of another module, is refused with words. */
TEST(wasm_image_cut_off_is_refused)
{
	struct guest_limits given = fix_limits();
	struct object *o;
	struct guest *g;
	struct buf image = BUF(MB);
	struct err e;

	fix_guests(64 * MB);
	o = fix_load(everything, "tcc");
	g = fix_started(o);
	CHECK(INVOKE(g, "change", NULL, 77) == GUEST_DONE);
	CHECK_RC(guest_save(g, &image, &e), OK);
	guest_free(g);
	for (size_t n = 0; n < image.n; n++) {
		g = guest_new(o, &given, NULL);
		CHECK_RC(guest_restore(g, str_sub(buf_str(&image), 0, n), &e), ERR_INVALID);
		guest_free(g);
	}
	o->hash[0] ^= 1;
	g = guest_new(o, &given, NULL);
	CHECK_RC(guest_restore(g, buf_str(&image), &e), ERR_INVALID);
	CHECK(str_contains(str_of(e.text), S("of another module")));
	guest_free(g);
	CHECK(account_used() <= 3 * MEMORY_PAGE + 1024);
	buf_release(&image);
}

/* Goal: whatever bytes are restored, the process is whole, and so is the guest, or it is
 * refused. */
TEST(wasm_image_with_any_byte_wrong)
{
	struct guest_limits given = fix_limits();
	struct object *o;
	struct guest *g;
	struct buf image = BUF(MB);
	struct err e;
	int taken = 0;

	fix_guests(64 * MB);
	o = fix_load(everything, "tcc");
	g = fix_started(o);
	CHECK(INVOKE(g, "change", NULL, 77) == GUEST_DONE);
	CHECK_RC(guest_save(g, &image, &e), OK);
	guest_free(g);
	for (size_t at = 0; at < image.n; at++) {
		static const uint8_t flips[] = { 1, 0x80, 0xff };

		for (size_t i = 0; i < COUNT(flips); i++) {
			image.p[at] ^= flips[i];
			g = guest_new(o, &given, NULL);
			if (guest_restore(g, buf_str(&image), &e) == OK) {
				taken++;
				for (uint64_t k = 0; k < 8; k++)
					INVOKE(g, "ask", NULL, k);
			}
			guest_free(g);
			image.p[at] ^= flips[i];
		}
	}
	CHECK(taken > 0);
	buf_release(&image);
}

/* Goal: a state that only the process has no room for is not called bad. */
TEST(wasm_image_without_room_is_not_wrong)
{
	struct guest_limits given = fix_limits();
	struct object *o;
	struct guest *g;
	struct buf image = BUF(MB);
	struct err e;
	size_t rest;

	fix_guests(64 * MB);
	o = fix_load(everything, "tcc");
	g = fix_started(o);
	CHECK(INVOKE(g, "change", NULL, 77) == GUEST_DONE);
	CHECK_RC(guest_save(g, &image, &e), OK);
	guest_free(g);
	/* Room for a fresh instance, but not for what it grew to; and then for neither. */
	rest = 64 * MB - account_used();
	for (size_t pages = 2; pages-- > 0; ) {
		size_t held = rest - pages * MEMORY_PAGE - 1024;

		CHECK(account_take(held));
		g = guest_new(o, &given, NULL);
		CHECK_RC(guest_restore(g, buf_str(&image), &e), ERR_LIMIT);
		guest_free(g);
		account_give(held);
	}
	buf_release(&image);
}

/* Goal: more than the limits of now is not restored. */
TEST(wasm_image_over_the_limits)
{
	struct guest_limits few = fix_limits();
	struct object *o;
	struct guest *g;
	struct buf image = BUF(MB), small = BUF(100);
	struct err e;

	fix_guests(64 * MB);
	o = fix_load(everything, "tcc");
	g = fix_started(o);
	CHECK(INVOKE(g, "change", NULL, 77) == GUEST_DONE);
	CHECK_RC(guest_save(g, &small, &e), ERR_TOOBIG);
	CHECK_RC(guest_save(g, &image, &e), OK);
	guest_free(g);
	few.pages = 2;
	g = guest_new(o, &few, NULL);
	CHECK_RC(guest_restore(g, buf_str(&image), &e), ERR_INVALID);
	CHECK(str_contains(str_of(e.text), S("more memory than it may have")));
	guest_free(g);
	buf_release(&image);
	buf_release(&small);
}
