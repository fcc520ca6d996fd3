/*
 * fuzz_json.c - any bytes as JSON: what is accepted is written again, read
 * again, and is the same, by way of the tree and by way of engine values, eager
 * and lazy.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/json.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
check_same(struct str text, struct val want)
{
	struct buf again = BUF(64 * MB);
	struct val v;

	assert(json_text_to_val(text, &v, NULL) == OK);
	assert(val_equal(v, want));
	val_add_json(&again, v);
	assert(!again.failed && str_is_utf8(buf_str(&again)));
	val_drop(v);
	buf_release(&again);
}

/* Every level is looked at. */
static size_t
walk(struct val v)
{
	size_t n = 1;

	for (size_t i = 0; i < val_count(v); i++)
		n += walk(v.kind == VAL_ARRAY ? val_at(v, i) : val_member(v, i));
	return n;
}

/* A lazy value is the eager one, before and after it was decoded. */
static void
lazily(struct str text, bool good, struct val want)
{
	struct buf out = BUF(64 * MB);
	struct err e = { 0 };
	struct val v, own;

	assert((val_json(&v, text, &e) == OK) == good);
	assert(good || e.text[0] != '\0');
	own = val_json_trusted(val_json_text(v));
	if (good) {
		assert(val_depth(v) == val_depth(want));
		val_add_json(&out, v);
		check_same(buf_str(&out), want);
		assert(val_equal(v, want) && walk(v) == walk(want));
		assert(v.kind < VAL_ARRAY || val_json_text(v).p == NULL ||
		    val_equal(own, want));
	}
	val_drop(v);
	val_drop(own);
	own = val_json_trusted(text);        /* whatever it is */
	walk(own);
	val_drop(own);
	buf_release(&out);
}

static void
round_trip(struct str text)
{
	struct buf out = BUF(64 * MB);
	struct json_doc d;
	struct err e;
	struct val v;

	if (json_parse(&d, text, &e) == OK) {
		assert(str_is_utf8(text));
		assert(json_to_val(d.root, &v, &e) == OK);
		json_add_node(&out, d.root);
		check_same(buf_str(&out), v);
		buf_clear(&out);
		val_add_json(&out, v);
		check_same(buf_str(&out), v);
		/* Arrays are compared element by element: a filter is small. */
		if (text.n <= 8 * KB)
			assert(json_contains(d.root, d.root, NULL));
		lazily(text, true, v);
		val_drop(v);
	} else {
		assert(e.text[0] != '\0');
		lazily(text, false, VAL_UNDEF);
	}
	json_release(&d);
	buf_release(&out);
}

static void
escapes(struct str text)
{
	struct buf out = BUF(64 * MB), back = BUF(64 * MB);

	json_add_escaped(&out, text);
	assert(json_unescape(buf_str(&out), &back) == OK);
	assert(str_is_utf8(buf_str(&back)));
	assert(!str_is_utf8(text) || str_eq(text, buf_str(&back)));
	buf_clear(&back);
	if (json_unescape(text, &back) != OK)
		assert(back.n == 0);
	buf_release(&out);
	buf_release(&back);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str text = { (const char *)data, n };

	round_trip(text);
	escapes(text);
	return 0;
}
