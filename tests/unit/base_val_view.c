/*
 * base_val_view.c - objects that are read from something else: what is asked for, what is
 * kept, and what happens to a copy when the something goes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "harness/test.h"
#include "base/val.h"

struct thing { int64_t n; size_t asked, whole; };

static bool inner_member(const void *of, struct str key, struct val *out);
static struct val inner_whole(const void *of);
static const struct val_view_type inner = { inner_member, inner_whole };

static bool
inner_member(const void *of, struct str key, struct val *out)
{
	const struct thing *t = of;

	*out = str_eq(key, S("n")) ? val_int(t->n) : VAL_UNDEF;
	return true;
}

static struct val
inner_whole(const void *of)
{
	return val_set_take(val_object_empty(), S("n"), val_int(((const struct thing *)of)->n));
}

static bool
member(const void *of, struct str key, struct val *out)
{
	struct thing *t = (struct thing *)of;

	t->asked++;
	if (str_eq(key, S("list")))
		return false;
	*out = str_eq(key, S("inner")) ? val_view(&inner, of) :
	    str_eq(key, S("name")) ? val_string(S("thing")) : VAL_UNDEF;
	return true;
}

static struct val
whole(const void *of)
{
	struct thing *t = (struct thing *)of;
	char text[80];

	t->whole++;
	snprintf(text, sizeof text, "{\"name\":\"thing\",\"inner\":{\"n\":%d},\"list\":[1]}", (int)t->n);
	return val_json_trusted(str_of(text));
}

static const struct val_view_type type = { member, whole };

static void
check_json(struct val v, const char *expected)
{
	struct buf b = BUF(1000);

	val_add_json(&b, v);
	CHECK(str_eq(buf_str(&b), str_of(expected)));
	buf_release(&b);
}

#define WHOLE "{\"name\":\"thing\",\"inner\":{\"n\":7},\"list\":[1]}"

TEST(view_asks_for_a_member_once)
{
	struct thing t = { .n = 7 };
	struct val v = val_view(&type, &t), inside;

	for (int i = 0; i < 3; i++) {
		CHECK_STR(val_str(val_get(v, S("name"))), "thing");
		inside = val_get(v, S("inner"));
		CHECK(val_get(inside, S("n")).u.i == 7);
		CHECK(val_get(v, S("nothing")).kind == VAL_UNDEFINED);
	}
	CHECK_INT(t.asked, 3);
	CHECK_INT(t.whole, 0);
	val_view_end(v);
	CHECK_INT(t.whole, 0);
}

TEST(view_is_made_whole_when_members_do_not_tell)
{
	struct thing t = { .n = 7 };
	struct val v = val_view(&type, &t);

	CHECK_INT(val_count(val_get(v, S("list"))), 1);
	CHECK_INT(t.whole, 1);
	CHECK_STR(val_str(val_get(v, S("name"))), "thing");
	CHECK_INT(val_count(v), 3);
	check_json(v, WHOLE);
	CHECK_INT(t.whole, 1);
	val_view_end(v);
}

TEST(view_has_more_members_than_it_keeps)
{
	struct thing t = { .n = 7 };
	struct val v = val_view(&type, &t);
	char name[16];

	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof name, "m%d", i);
		CHECK(val_get(v, str_of(name)).kind == VAL_UNDEFINED);
	}
	CHECK(val_get(v, S("a name that is longer than what is kept")).kind == VAL_UNDEFINED);
	CHECK_INT(t.whole, 1);
	val_view_end(v);
}

/* Goal: nobody reads the thing after the end; what was kept is what it was. */
TEST(view_that_others_keep_outlives_its_thing)
{
	struct thing t = { .n = 7 };
	struct val v = val_view(&type, &t), kept = val_ref(v), inside, alone;

	inside = val_ref(val_get(v, S("inner")));
	val_view_end(v);
	alone = val_view(&type, &t);
	v = val_ref(val_get(alone, S("inner")));
	val_view_end(alone);
	t = (struct thing){ .n = 99 };
	check_json(kept, WHOLE);
	check_json(inside, "{\"n\":7}");
	check_json(v, "{\"n\":7}");
	CHECK(val_get(v, S("n")).u.i == 7);
	CHECK_INT(t.whole, 0);
	val_drop(kept);
	val_drop(inside);
	val_drop(v);
}

TEST(view_counts_and_compares_as_the_object_that_it_is)
{
	struct thing t = { .n = 7 }, other = { .n = 8 };
	struct val v = val_view(&type, &t), w = val_view(&type, &other), same, list;

	CHECK(!val_equal(v, w));
	val_view_end(w);
	w = val_view(&type, &t);
	CHECK(val_equal(v, w));
	same = val_json_trusted(S(WHOLE));
	CHECK(val_equal(v, same));
	list = val_push_take(val_array_empty(), val_ref(v));
	CHECK_INT(val_depth(list), 3);
	CHECK(val_bytes(list) > strlen(WHOLE));
	val_drop(list);
	val_drop(same);
	val_view_end(v);
	val_view_end(w);
}
