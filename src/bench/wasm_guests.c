/*
 * wasm_guests.c - the guests that are measured, and their work in C.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/wasm_priv.h"

#include "base/mem.h"

#define BYTES   65536                        /* that are hashed; of numbers that are sorted */
#define NUMBERS (BYTES / 4)

/* As guests are compiled, also in a build for debugging. */
#if defined(__GNUC__) && !defined(__clang__)
#define OPTIMIZED __attribute__((noinline, optimize("O2")))
#else
#define OPTIMIZED __attribute__((noinline))
#endif

const char wasm_text_small[] =
    "(module (memory (export \"memory\") 1) (global $n (mut i32) (i32.const 0))"
    "(func (export \"alloc\") (param i32) (result i32) (i32.const 1024))"
    "(func (export \"handle_message\") (param $p i32) (param $l i32) (result i32)"
    " (global.set $n (i32.add (global.get $n) (i32.const 1)))"
    " (i32.store (i32.add (i32.const 4) (i32.shl (i32.and (global.get $n) (i32.const 127))"
    "  (i32.const 2))) (i32.add (local.get $l) (global.get $n)))"
    " (global.get $n)))";

const char wasm_text_work[] =
    "(module (memory (export \"memory\") 2) (global $n (mut i32) (i32.const 0))"
    "(func (export \"alloc\") (param i32) (result i32) (i32.const 1024))"
    "(func $fill (local $i i32) (local $x i32)"
    " (local.set $x (i32.const 42))"
    " (loop $each"
    "  (local.set $x (i32.add (i32.mul (local.get $x) (i32.const 1664525)) (i32.const 1013904223)))"
    "  (i32.store offset=65536 (i32.shl (local.get $i) (i32.const 2)) (local.get $x))"
    "  (local.set $i (i32.add (local.get $i) (i32.const 1)))"
    "  (br_if $each (i32.lt_u (local.get $i) (i32.const 16384)))))"
    "(func $hash (param $rounds i32) (result i32) (local $i i32) (local $h i64)"
    " (call $fill) (local.set $h (i64.const 0xcbf29ce484222325))"
    " (loop $again"
    "  (local.set $i (i32.const 0))"
    "  (loop $each"
    "   (local.set $h (i64.mul (i64.xor (local.get $h)"
    "    (i64.load8_u offset=65536 (local.get $i))) (i64.const 0x100000001b3)))"
    "   (local.set $i (i32.add (local.get $i) (i32.const 1)))"
    "   (br_if $each (i32.lt_u (local.get $i) (i32.const 65536))))"
    "  (local.set $rounds (i32.sub (local.get $rounds) (i32.const 1)))"
    "  (br_if $again (local.get $rounds)))"
    " (i32.wrap_i64 (i64.shr_u (local.get $h) (i64.const 32))))"
    "(func $sort (param $n i32) (result i32)"
    " (local $gap i32) (local $i i32) (local $j i32) (local $v i32)"
    " (call $fill) (local.set $gap (i32.shr_u (local.get $n) (i32.const 1)))"
    " (loop $gaps"
    "  (local.set $i (local.get $gap))"
    "  (loop $each"
    "   (local.set $v (i32.load offset=65536 (i32.shl (local.get $i) (i32.const 2))))"
    "   (local.set $j (local.get $i))"
    "   (block $placed (loop $move"
    "    (br_if $placed (i32.lt_u (local.get $j) (local.get $gap)))"
    "    (br_if $placed (i32.le_u (i32.load offset=65536"
    "     (i32.shl (i32.sub (local.get $j) (local.get $gap)) (i32.const 2))) (local.get $v)))"
    "    (i32.store offset=65536 (i32.shl (local.get $j) (i32.const 2)) (i32.load offset=65536"
    "     (i32.shl (i32.sub (local.get $j) (local.get $gap)) (i32.const 2))))"
    "    (local.set $j (i32.sub (local.get $j) (local.get $gap)))"
    "    (br $move)))"
    "   (i32.store offset=65536 (i32.shl (local.get $j) (i32.const 2)) (local.get $v))"
    "   (local.set $i (i32.add (local.get $i) (i32.const 1)))"
    "   (br_if $each (i32.lt_u (local.get $i) (local.get $n))))"
    "  (local.set $gap (i32.shr_u (local.get $gap) (i32.const 1)))"
    "  (br_if $gaps (local.get $gap)))"
    " (i32.load offset=65536 (i32.shl (i32.shr_u (local.get $n) (i32.const 1)) (i32.const 2))))"
    "(func $grow (result i32)"
    " (loop $again (br_if $again (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))"
    " (memory.size))"
    "(func $all (result i32)"
    " (memory.fill (i32.const 2048) (i32.const 1)"
    "  (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 2048)))"
    " (memory.size))"
    "(func (export \"handle_message\") (param $p i32) (param $l i32) (result i32)"
    " (local $what i32) (local $n i32)"
    " (local.set $what (i32.load8_u (local.get $p)))"
    " (local.set $n (i32.load offset=1 align=1 (local.get $p)))"
    " (if (i32.eq (local.get $what) (i32.const 104)) (then (return (call $hash (local.get $n)))))"
    " (if (i32.eq (local.get $what) (i32.const 115)) (then (return (call $sort (local.get $n)))))"
    " (if (i32.eq (local.get $what) (i32.const 103)) (then (return (call $grow))))"
    " (if (i32.eq (local.get $what) (i32.const 102)) (then (return (call $all))))"
    " (if (i32.eq (local.get $what) (i32.const 108)) (then (loop $ever"
    "  (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const 1))) (br $ever))))"
    " (i32.const 0)))";

static union { uint32_t number[NUMBERS]; uint8_t byte[BYTES]; } native;

static void
native_fill(void)
{
	uint32_t x = 42;

	for (uint32_t i = 0; i < NUMBERS; i++)
		native.number[i] = x = x * 1664525 + 1013904223;
}

OPTIMIZED uint32_t
wasm_native_hash(uint32_t rounds)
{
	uint64_t h = 0xcbf29ce484222325;

	native_fill();
	for (; rounds > 0; rounds--)
		for (uint32_t i = 0; i < BYTES; i++)
			h = (h ^ native.byte[i]) * 0x100000001b3;
	return (uint32_t)(h >> 32);
}

OPTIMIZED uint32_t
wasm_native_sort(uint32_t n)
{
	uint32_t *a = native.number;

	native_fill();
	for (uint32_t gap = n / 2; gap > 0; gap /= 2)
		for (uint32_t i = gap; i < n; i++) {
			uint32_t v = a[i], j = i;

			for (; j >= gap && a[j - gap] > v; j -= gap)
				a[j] = a[j - gap];
			a[j] = v;
		}
	return a[n / 2];
}
