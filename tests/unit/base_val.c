/*
 * base_val.c - engine values: sharing, change in place, equality, JSON.
 *
 * Leaks and uses after free are the sanitizer build's to find: every test
 * drops what it made.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "base/json.h"
#include "base/val.h"

#include <math.h>

static struct val
of(const char *text)
{
	struct err e = { 0 };
	struct val v;

	if (json_text_to_val(str_of(text), &v, &e) != OK)
		test_fail(__FILE__, __LINE__, "%s: %s", text, e.text);
	return v;
}

static void
check_json(struct val v, const char *want, int line)
{
	struct buf b = BUF(MB);

	val_add_json(&b, v);
	if (b.failed || !str_eq(buf_str(&b), str_of(want)))
		test_fail(__FILE__, line, "got %.*s, not %s", FMT(buf_str(&b)), want);
	buf_release(&b);
}

#define CHECK_JSON(v, want) check_json((v), (want), __LINE__)

TEST(val_is_sixteen_bytes)
{
	CHECK_INT(sizeof(struct val), 16);
}

TEST(val_json_round_trip)
{
	static const char *const texts[] = { "null", "true", "0", "-1",
		"9223372036854775807", "-9223372036854775808", "1.5", "\"\"", "[]", "{}",
		"[1,[2,[3]],{\"a\":null}]", "{\"b\":1,\"a\":2,\"c\":{\"d\":[]}}",
		"\"\\u0000\\n\\\"\\\\ \xe2\x80\xa8 \xf0\x9f\x98\x80\"" };

	for (size_t i = 0; i < COUNT(texts); i++) {
		struct val v = of(texts[i]);

		CHECK_JSON(v, texts[i]);
		val_drop(v);
	}
}

TEST(val_numbers_are_one_kind)
{
	CHECK_INT(val_double(3).kind, VAL_INT);
	CHECK_INT(val_double(0x1p53).kind, VAL_INT);
	CHECK_INT(val_double(0x1p54).kind, VAL_DOUBLE);
	CHECK_INT(val_double(0.5).kind, VAL_DOUBLE);
	CHECK(val_equal(val_int(3), val_double(3.0)));
	/* 2^53 + 1 has no double: rounding must not make them equal. */
	CHECK(!val_equal(val_int(INT64_C(18014398509481985)), val_double(0x1p54)));
	CHECK(val_equal(val_int(INT64_C(18014398509481984)), val_double(0x1p54)));
	CHECK(!val_equal(val_int(INT64_MAX), val_double(0x1p63)));
	CHECK(!val_equal(val_double((double)NAN), val_double((double)NAN)));
	CHECK(!val_equal(val_int(1), val_bool(true)));
	CHECK(isnan(val_number(VAL_NIL)));
	CHECK_JSON(val_double((double)NAN), "null");
	CHECK_JSON(val_double(-INFINITY), "null");
	CHECK_JSON(val_double(-0.0), "0");
	CHECK_JSON(val_double(0.1), "0.1");
}

TEST(val_truth_is_javascripts)
{
	struct val empty = val_string(S("")), zero = val_string(S("0"));
	struct val array = val_array_empty(), object = val_object_empty();

	CHECK(!val_truthy(VAL_UNDEF) && !val_truthy(VAL_NIL) && !val_truthy(val_int(0)));
	CHECK(!val_truthy(val_double((double)NAN)) && !val_truthy(empty));
	CHECK(val_truthy(zero) && val_truthy(array) && val_truthy(object));
	CHECK(val_truthy(val_double(0.1)) && val_truthy(val_bool(true)));
	val_drop(empty), val_drop(zero), val_drop(array), val_drop(object);
}

TEST(val_change_leaves_shared_copies_alone)
{
	struct val a = of("{\"x\":[1,2],\"y\":\"s\"}"), b = val_ref(a), list;

	a = val_set_take(a, S("y"), val_int(5));
	CHECK(a.u.o != b.u.o);
	CHECK_JSON(a, "{\"x\":[1,2],\"y\":5}");
	CHECK_JSON(b, "{\"x\":[1,2],\"y\":\"s\"}");
	CHECK(val_get(a, S("x")).u.a == val_get(b, S("x")).u.a);         /* shared */

	list = val_push_take(val_ref(val_get(b, S("x"))), val_int(3));
	CHECK_JSON(list, "[1,2,3]");
	CHECK_JSON(b, "{\"x\":[1,2],\"y\":\"s\"}");
	a = val_set_take(a, S("x"), list);
	a = val_unset_take(a, S("y"));
	CHECK_JSON(a, "{\"x\":[1,2,3]}");
	val_drop(a);
	CHECK_JSON(b, "{\"x\":[1,2],\"y\":\"s\"}");
	b = val_unset_take(b, S("none"));
	val_drop(b);
}

TEST(val_sole_owner_changes_in_place)
{
	struct val v = of("[1,2,3,4]"), o = of("{\"a\":1}");
	struct val_array *array = v.u.a;
	struct val_object *object = o.u.o;

	v = val_set_at_take(v, 2, val_string(S("x")));
	CHECK(v.u.a == array);
	o = val_set_take(o, S("a"), val_ref(v));
	CHECK(o.u.o == object);
	v = val_set_at_take(v, 0, VAL_NIL);  /* now shared with o */
	CHECK(v.u.a != array);
	CHECK_JSON(o, "{\"a\":[1,2,\"x\",4]}");
	CHECK_JSON(v, "[null,2,\"x\",4]");
	v = val_set_at_take(v, 4, val_bool(true));       /* the end: a push */
	CHECK_INT(val_count(v), 5);
	val_drop(v);
	val_drop(o);
}

/* A changed copy holds its own references to the parts both have. */
TEST(val_parts_outlive_either_copy)
{
	struct val a = of("[[1],{\"x\":[2]},\"s\"]"), b = val_ref(a), o, p;

	b = val_push_take(b, VAL_NIL);
	val_drop(a);
	CHECK_JSON(b, "[[1],{\"x\":[2]},\"s\",null]");
	CHECK_INT(val_count(val_at(b, 0)), 1);
	o = val_ref(val_at(b, 1));
	val_drop(b);
	p = val_set_take(val_ref(o), S("y"), VAL_NIL);
	val_drop(o);
	CHECK_JSON(p, "{\"x\":[2],\"y\":null}");
	val_drop(p);
}

TEST(val_objects_keep_order_and_find_members)
{
	struct val o = val_object_empty(), copy;
	struct buf key = BUF(20);

	for (int i = 0; i < 1000; i++) {
		buf_clear(&key);
		buf_add_fmt(&key, "key-%d", i);
		o = val_set_take(o, buf_str(&key), val_int(i));
	}
	copy = val_ref(o);
	for (int i = 0; i < 1000; i += 2) {
		buf_clear(&key);
		buf_add_fmt(&key, "key-%d", i);
		o = val_unset_take(o, buf_str(&key));
	}
	CHECK_INT(val_count(o), 500);
	CHECK_INT(val_count(copy), 1000);
	for (int i = 0; i < 1000; i++) {
		buf_clear(&key);
		buf_add_fmt(&key, "key-%d", i);
		CHECK(val_has(o, buf_str(&key)) == (i % 2 == 1));
		CHECK(val_get(copy, buf_str(&key)).u.i == i);
	}
	CHECK_STR(val_key(o, 0), "key-1");
	CHECK_STR(val_key(o, 499), "key-999");
	CHECK_INT(val_member(o, 1).u.i, 3);
	CHECK(val_get(o, S("missing")).kind == VAL_UNDEFINED);
	CHECK(val_get(val_int(1), S("x")).kind == VAL_UNDEFINED);
	val_drop(o), val_drop(copy);
	buf_release(&key);
}

TEST(val_keys_can_be_shared)
{
	struct val key = val_string(S("name")), same = val_string(S("name"));
	struct val o = val_set_key_take(val_object_empty(), key, val_int(1));

	CHECK_INT(val_get_key(o, key).u.i, 1);
	CHECK_INT(val_get_key(o, same).u.i, 1);
	o = val_set_key_take(o, same, val_int(2));
	CHECK_INT(val_count(o), 1);
	CHECK_INT(val_get(o, S("name")).u.i, 2);
	val_drop(key), val_drop(same), val_drop(o);
}

TEST(val_equality_is_deep)
{
	static const struct { const char *a, *b; bool same; } cases[] = {
		{ "{\"a\":1,\"b\":[true]}", "{\"b\":[true],\"a\":1.0}", true },
		{ "{\"a\":1}", "{\"a\":1,\"b\":2}", false },
		{ "{\"a\":1}", "{\"b\":1}", false },
		{ "[1,2]", "[2,1]", false },
		{ "[]", "{}", false },
		{ "\"1\"", "1", false },
		{ "null", "null", true },
		{ "\"a\\u0000b\"", "\"a\\u0000c\"", false },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct val a = of(cases[i].a), b = of(cases[i].b);

		CHECK(val_equal(a, b) == cases[i].same);
		CHECK(val_equal(b, a) == cases[i].same);
		CHECK(val_equal(a, a));
		val_drop(a), val_drop(b);
	}
	CHECK(!val_equal(VAL_UNDEF, VAL_NIL));
}

TEST(val_undefined_in_json)
{
	struct val o = val_object_empty(), a = val_array_empty();

	o = val_set_take(o, S("gone"), VAL_UNDEF);
	o = val_set_take(o, S("here"), VAL_NIL);
	a = val_push_take(a, VAL_UNDEF);
	CHECK_JSON(o, "{\"here\":null}");
	CHECK_JSON(a, "[null]");
	val_drop(o), val_drop(a);
}

/* A chart can nest without end; freeing must not use the C stack for it. */
TEST(val_deep_nesting_is_freed_and_not_written)
{
	struct val v = val_int(1), w = val_int(1);
	struct buf b = BUF(64 * MB);

	for (int i = 0; i < 300000; i++) {
		v = val_push_take(val_array_empty(), v);
		w = val_set_take(val_object_empty(), S("w"), w);
	}
	CHECK(val_depth(v) > VAL_DEPTH_MAX);
	CHECK(!val_equal(v, w));
	val_add_json(&b, v);
	CHECK(b.failed);
	buf_release(&b);
	val_drop(v), val_drop(w);
}

/* Twice itself 60 times over: a size that no memory has, known at once. */
TEST(val_bytes_count_shared_parts_again)
{
	struct val v = val_string(S("0123456789")), small = of("{\"a\":[1,2,3]}");
	size_t before = val_bytes(small);
	struct buf b = BUF(64 * KB);

	for (int i = 0; i < 60; i++) {
		struct val pair = val_push_take(val_array_empty(), val_ref(v));

		v = val_push_take(pair, v);
	}
	CHECK(val_bytes(v) > (size_t)1 << 60);
	CHECK_INT(val_depth(v), 60);
	val_add_json(&b, v);
	CHECK(b.failed);                     /* stopped by the cap */
	small = val_set_take(small, S("b"), val_string(S("text")));
	CHECK(val_bytes(small) > before + 4);
	small = val_unset_take(small, S("b"));
	CHECK_INT(val_bytes(small), before);
	val_drop(v), val_drop(small);
	buf_release(&b);
}
