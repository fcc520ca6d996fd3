/*
 * fuzz_work_record.c - a line of an export from anyone: refused, or read such
 * that what is written of it reads the same again, and its members are found
 * without reading it; and merged with itself.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdint.h>

#include "work/exchange/exchange.h"
#include "work/exchange/record_priv.h"

/* What a merge gives is at rest: merged with itself nothing changes.  (The text
 * itself may have several lines of one id, which are merged or moved.) */
static void
check_merge(struct str text)
{
	struct buf out = BUF(16 * MB), again = BUF(16 * MB), notes = BUF(16 * MB);
	struct str merged;
	struct merge_count n;
	struct err e;

	if (exchange_merge(S(""), text, text, &out, &notes, &n, &e) == OK) {
		merged = buf_str(&out);
		assert(exchange_merge(S(""), merged, merged, &again, &notes, &n, &e) == OK);
		assert(n.clashes == 0 && n.moved == 0);
		assert(str_eq(buf_str(&again), merged));
	}
	buf_release(&out);
	buf_release(&again);
	buf_release(&notes);
}

/* Members are found without reading JSON: all of them, and never past the end. */
static void
check_members(struct str text, bool whole)
{
	struct buf again = BUF(16 * MB);
	struct str key, value;
	size_t at = 0;

	buf_add_char(&again, '{');
	while (body_next(text, &at, &key, &value)) {
		assert(value.p + value.n <= text.p + text.n);
		body_member_add(&again, key, value);
	}
	buf_add_char(&again, '}');
	assert(!whole || str_eq(buf_str(&again), text));
	buf_release(&again);
}

static void
check_line(struct str text)
{
	struct arena a = ARENA(64 * MB);
	struct buf first = BUF(16 * MB), second = BUF(16 * MB);
	struct json_doc docs[2] = { 0 };
	struct record r;
	struct err e;

	if (json_parse(&docs[0], text, &e) == OK &&
	    record_decode(&r, docs[0].root, &a, &e) == OK) {
		record_encode(&first, &r);
		assert(json_parse(&docs[1], buf_str(&first), &e) == OK);
		assert(record_decode(&r, docs[1].root, &a, &e) == OK);
		record_encode(&second, &r);
		check_members(buf_str(&first), true);
		assert(str_eq(buf_str(&first), buf_str(&second)));
	}
	json_release(&docs[0]);
	json_release(&docs[1]);
	buf_release(&first);
	buf_release(&second);
	arena_release(&a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str text = { (const char *)data, n };

	check_members(text, false);
	check_line(text);
	check_merge(text);
	return 0;
}
