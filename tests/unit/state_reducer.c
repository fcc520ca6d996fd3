/*
 * state_reducer.c - how writes change values, and lists of messages above all.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "state/message.h"
#include "state/reducer.h"

static struct val
json_of(const char *text)
{
	struct val v;
	struct err e = { 0 };

	if (val_json(&v, str_of(text), &e) != OK)
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

/* old: JSON or "" for none.  want: JSON, or the beginning of an error. */
static void
check(enum reducer r, const char *old, const char *write, const char *want, size_t keep,
    int line)
{
	struct val value = old[0] != '\0' ? json_of(old) : VAL_UNDEF;
	struct val w = json_of(write), before = val_ref(value);
	struct err e = { 0 };
	size_t kept = 77;

	if (reduce(r, S("x"), &value, w, 0, &kept, &e) == OK) {
		check_json(value, want, line);
		if (kept != keep)
			test_fail(__FILE__, line, "keeps %zu, not %zu", kept, keep);
	} else {
		if (!str_starts(str_of(e.text), str_of(want)))
			test_fail(__FILE__, line, "%s", e.text);
		CHECK(value.kind == before.kind && val_equal(value, before) && kept == 77);
	}
	val_drop(value), val_drop(w), val_drop(before);
}

#define R(r, old, write, want, keep) check(REDUCE_##r, old, write, want, keep, __LINE__)

/* What the store would refuse is refused here, with words. */
TEST(a_list_has_a_limit)
{
	struct val list = val_array_empty(), before;
	struct err e = { 0 };
	size_t keep = 0;

	for (int i = 0; i < LIMIT_MESSAGES; i++)
		list = val_push_take(list, val_int(i));
	before = val_ref(list);
	CHECK_INT(reduce(REDUCE_APPEND, S("x"), &list, val_int(1), 0, &keep, &e), ERR_LIMIT);
	CHECK_STR(str_of(e.text), "x: more than 10000 entries");
	CHECK(val_equal(list, before));
	val_drop(list), val_drop(before);
}

TEST(reducers_of_plain_values)
{
	R(LAST, "", "{\"a\":1}", "{\"a\":1}", 0);
	R(LAST, "5", "null", "null", 0);
	R(APPEND, "", "[1,[2]]", "[1,[2]]", 0);
	R(APPEND, "[1,2]", "[3,4]", "[1,2,3,4]", 2);
	R(APPEND, "[1,2]", "\"x\"", "[1,2,\"x\"]", 2);
	R(APPEND, "[1,2]", "[]", "[1,2]", 2);
	R(APPEND, "7", "[1]", "x: expected an array to append to, got a number", 0);
	R(MERGE, "", "{\"a\":{\"b\":1}}", "{\"a\":{\"b\":1}}", 0);
	R(MERGE, "{\"a\":{\"b\":1},\"c\":2}", "{\"a\":{\"d\":3},\"e\":4}",
	    "{\"a\":{\"d\":3},\"c\":2,\"e\":4}", 0);
	R(MERGE, "{}", "[1]", "x: expected an object to merge, got an array", 0);
	R(MERGE, "[1]", "{}", "x: expected an object to merge into, got an array", 0);
	R(SUM, "", "5", "5", 0);
	R(SUM, "2", "0.5", "2.5", 0);
	R(SUM, "9223372036854775807", "1", "9223372036854776000.0", 0);
	R(SUM, "null", "1", "1", 0);
	R(SUM, "1e308", "1e308", "x: the sum is not a finite number", 0);
	R(SUM, "1", "\"2\"", "x: expected a number, got a string", 0);
	R(SUM, "\"1\"", "2", "x: expected a number to reduce into, got a string", 0);
	R(MIN, "3", "2.5", "2.5", 0);
	R(MIN, "2", "3", "2", 0);
	R(MAX, "3", "2.5", "3", 0);
	R(MAX, "", "-1", "-1", 0);
	R(MAX, "1", "[]", "x: expected a number, got an array", 0);
}

TEST(reducers_are_bypassed_by_an_overwrite)
{
	R(APPEND, "[1,2]", "{\"__overwrite__\":[3]}", "[3]", 0);
	R(SUM, "5", "{\"__overwrite__\":\"zero\"}", "\"zero\"", 0);
	R(LAST, "5", "{\"type\":\"__overwrite__\",\"value\":1}", "1", 0);
	R(LAST, "5", "{\"__overwrite\\u005f_\":1}", "1", 0);
	R(MERGE, "{\"a\":1}", "{\"__overwrite__\":1,\"b\":2}",
	    "{\"a\":1,\"__overwrite__\":1,\"b\":2}", 0);
}

TEST(reducer_names_are_in_order)
{
	CHECK(strcmp(reducer_names[REDUCE_LAST], "last") == 0);
	CHECK(strcmp(reducer_names[REDUCE_MESSAGES], "messages") == 0);
	CHECK(strcmp(reducer_names[REDUCE_MAX], "max") == 0);
	CHECK(reducer_names[REDUCE_MAX + 1] == NULL);
}

/* ---- add_messages ---------------------------------------------------------- */

#define M(id, text) "{\"role\":\"user\",\"content\":\"" text "\",\"id\":\"" id "\"}"
#define GONE(id) "{\"type\":\"remove\",\"id\":\"" id "\"}"

static struct val
stored(const char *json)
{
	struct val in = json_of(json), out;
	struct err e = { 0 };

	if (messages_from(in, "messages", &out, NULL, &e) != OK)
		test_fail(__FILE__, __LINE__, "%s: %s", json, e.text);
	val_drop(in);
	return out;
}

/* ids and first letters of contents: "a:x b:y " */
static void
add_list(struct buf *b, struct val list)
{
	for (size_t i = 0; i < val_count(list); i++) {
		struct val m = val_at(list, i);

		buf_add_fmt(b, "%.*s:%.1s ", FMT(message_id(m)),
		    val_str(val_get(m, S("content"))).p);
	}
}

static void
check_reduced(const char *left, const char *right, const char *expected, size_t keep)
{
	struct val list = stored(left), write = json_of(right);
	struct buf got = BUF(1024);
	struct err e = { 0 };
	size_t kept;

	if (reduce(REDUCE_MESSAGES, S("messages"), &list, write, 0, &kept, &e) != OK)
		test_fail(__FILE__, __LINE__, "%s + %s: %s", left, right, e.text);
	add_list(&got, list);
	CHECK_STR(buf_str(&got), expected);
	CHECK_INT(kept, keep);
	buf_release(&got);
	val_drop(list), val_drop(write);
}

TEST(messages_are_appended_replaced_and_removed)
{
	const char *ab = "[" M("a", "1") "," M("b", "2") "]";

	check_reduced("[]", ab, "a:1 b:2 ", 0);
	check_reduced(ab, "[" M("c", "3") "]", "a:1 b:2 c:3 ", 2);
	check_reduced(ab, M("c", "3"), "a:1 b:2 c:3 ", 2);
	check_reduced(ab, "[" M("b", "9") "]", "a:1 b:9 ", 1);
	check_reduced(ab, "[" M("c", "3") "," M("a", "9") "]", "a:9 b:2 c:3 ", 0);
	check_reduced(ab, "[" M("c", "3") "," M("c", "4") "]", "a:1 b:2 c:4 ", 2);
	check_reduced(ab, "[" GONE("a") "]", "b:2 ", 0);
	check_reduced(ab, "[" GONE("b") "," M("c", "3") "]", "a:1 c:3 ", 1);
	check_reduced(ab, "[" M("c", "3") "," GONE("c") "]", "a:1 b:2 ", 2);
	/* removed and sent again: it keeps its place */
	check_reduced(ab, "[" GONE("a") "," M("a", "9") "]", "a:9 b:2 ", 0);
	check_reduced(ab, "[" GONE("__remove_all__") "," M("z", "0") "]", "z:0 ", 0);
	check_reduced(ab, "[" M("c", "3") "," GONE("__remove_all__") "]", "", 0);
	check_reduced(ab, "{\"__overwrite__\":[" M("c", "3") "]}", "c:3 ", 0);
	check_reduced(ab, "[]", "a:1 b:2 ", 2);
}

/* Goal: an id that stands in a content, a tool call or another id is not the
 * message's. */
TEST(messages_ids_are_not_found_where_they_only_stand)
{
	const char *list = "[{\"role\":\"user\",\"id\":\"a\",\"content\":[{\"id\":\"b\"}]},"
	    "{\"role\":\"ai\",\"id\":\"ab\",\"content\":[],"
	    "\"tool_calls\":[{\"id\":\"b\",\"name\":\"f\",\"args\":{}}]},"
	    "{\"role\":\"user\",\"id\":\"b\",\"content\":[]}]";
	struct val left = stored(list), write = json_of("[" M("b", "9") "]");
	struct err e;
	size_t keep;

	CHECK_RC(reduce(REDUCE_MESSAGES, S("m"), &left, write, 0, &keep, &e), OK);
	CHECK_INT(keep, 2);
	CHECK_INT(val_count(left), 3);
	CHECK(val_json_text(val_at(left, 0)).p != NULL);
	val_drop(left), val_drop(write);
	left = stored(list);
	left = val_set_at_take(left, 2, val_int(0));
	write = json_of("[" M("b", "9") "," M("c", "1") "]");
	CHECK_RC(reduce(REDUCE_MESSAGES, S("m"), &left, write, 0, &keep, &e), OK);
	CHECK_INT(keep, 3);
	CHECK_INT(val_count(left), 5);
	val_drop(left), val_drop(write);
}

TEST(messages_remove_of_what_is_not_there_is_refused)
{
	struct val list = stored("[" M("a", "1") "]"), old = val_ref(list);
	struct val write = json_of("[" M("b", "2") "," GONE("zzz") "]");
	struct err e;
	size_t keep;

	CHECK_RC(reduce(REDUCE_MESSAGES, S("messages"), &list, write, 0, &keep, &e), ERR_INVALID);
	CHECK_STR(str_of(e.text), "Attempting to delete a message with an ID that doesn't "
	    "exist ('zzz')");
	CHECK(list.u.h == old.u.h);              /* as it was */
	val_drop(list), val_drop(old), val_drop(write);
}

TEST(messages_stored_form_is_taken_at_its_word_but_looked_at)
{
	struct val list = VAL_UNDEF, write = json_of("[{\"id\":\"a\"}]");
	struct err e;

	CHECK_RC(reduce(REDUCE_MESSAGES, S("m"), &list, write, REDUCE_STORED, NULL, &e),
	    ERR_INVALID);
	CHECK(str_starts(str_of(e.text), S("m[0]: expected a stored message")));
	val_drop(write);
	write = stored("[" M("a", "1") "]");
	CHECK_RC(reduce(REDUCE_MESSAGES, S("m"), &list, write, REDUCE_STORED, NULL, &e), OK);
	CHECK(val_at(list, 0).u.h == val_at(write, 0).u.h);      /* the same, not a copy */
	val_drop(list), val_drop(write);
}

/* Goal: a long import does not compare everything with everything, and gives
 * the same list. */
TEST(messages_of_a_long_import_are_found_by_table)
{
	struct val l = val_array_empty(), r = val_array_empty(), tenth = val_array_empty();
	struct err e;
	size_t keep;

	for (int i = 0; i < 2 * LIMIT_MESSAGES - 2000; i++) {
		struct buf b = BUF(200);
		struct val m;

		buf_add_fmt(&b, "{\"content\":\"%c\",\"id\":\"m%d\",\"type\":\"human\"}",
		    i % 2 == 0 ? 'l' : 'r', i % 4 == 1 ? i - 1 : i);
		m = val_json_trusted(buf_str(&b));
		if (i % 2 == 0)
			l = val_push_take(l, m);
		else
			r = val_push_take(r, m);
		if (i % 2 == 1 && i < 1800)          /* 900: half of them replace */
			tenth = val_push_take(tenth, val_ref(m));
		buf_release(&b);
	}
	CHECK_INT(val_count(l), 9000);
	CHECK_RC(reduce(REDUCE_MESSAGES, S("m"), &l, r, REDUCE_STORED, &keep, &e), ERR_LIMIT);
	CHECK_INT(val_count(l), 9000);
	CHECK_RC(reduce(REDUCE_MESSAGES, S("m"), &l, tenth, REDUCE_STORED, &keep, &e), OK);
	CHECK_INT(val_count(l), 9450);
	CHECK_INT(keep, 0);
	CHECK_STR(val_json_text(val_at(l, 2)),
	    "{\"content\":\"r\",\"id\":\"m4\",\"type\":\"human\"}");
	CHECK_STR(message_id(val_at(l, 9000)), "m3");
	val_drop(l), val_drop(r), val_drop(tenth);
}

/* ---- against a plain model ------------------------------------------------- */

static uint64_t seed;

static unsigned
below(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)((seed >> 11) % n);
}

#define MODEL_MAX 400

/* add_messages as the reference writes it. */
struct model {
	struct { int id, letter; bool gone; } at[MODEL_MAX];
	size_t n;
};

static bool
model_write(struct model *m, int id, int letter)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->at[i].id == id) {
			m->at[i].gone = letter == 0;
			if (letter != 0)
				m->at[i].letter = letter;
			return true;
		}
	if (letter == 0)
		return false;
	m->at[m->n].id = id;
	m->at[m->n].letter = letter;
	m->at[m->n++].gone = false;
	return true;
}

static void
model_end(struct model *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n; i++)
		if (!m->at[i].gone)
			m->at[n++] = m->at[i];
	m->n = n;
}

/* A list in several pieces of memory, as one that was loaded and grew. */
static struct val
loaded(struct val list)
{
	size_t n = val_count(list), cut = n > 0 ? below((unsigned)n + 1) : 0;
	struct val out = val_array_empty();

	for (size_t from = 0; from < n; from = cut, cut = n) {
		struct buf b = BUF(MB);
		struct val source, part;

		buf_add_char(&b, '[');
		for (size_t i = from; i < cut; i++) {
			if (i > from)
				buf_add_char(&b, ',');
			val_add_json(&b, val_at(list, i));
		}
		buf_add_char(&b, ']');
		source = val_string(buf_str(&b));
		part = val_json_spans(source, val_str(source));
		for (size_t i = 0; i < val_count(part); i++)
			out = val_push_take(out, val_ref(val_at(part, i)));
		val_drop(part), val_drop(source);
		buf_release(&b);
	}
	val_drop(list);
	return out;
}

static void
random_write(struct buf *b, struct model *m, bool *good)
{
	unsigned n = below(10) == 0 ? 30 : below(4) + 1;

	buf_add_char(b, '[');
	for (unsigned i = 0; i < n; i++) {
		int id = (int)below(60), letter = 'A' + (int)below(26);

		if (i > 0)
			buf_add_char(b, ',');
		if (below(60) == 0) {
			buf_lit(b, GONE("__remove_all__"));
			m->n = 0;
			*good = true;        /* what came before does not count */
		} else if (below(4) == 0) {
			buf_add_fmt(b, GONE("id-%d"), id);
			*good &= model_write(m, id, 0);
		} else {
			buf_add_fmt(b, "{\"role\":\"user\",\"content\":\"%c \\\"id\\\":\\\"id-%d\\\"\","
			    "\"x\":[{\"id\":\"id-%d\"}],\"id\":\"id-%d\"}", letter, id + 1, id + 2, id);
			model_write(m, id, letter);
		}
	}
	buf_add_char(b, ']');
}

static size_t
same_front(struct val a, struct val b)
{
	size_t i = 0;

	while (i < val_count(a) && i < val_count(b) && val_equal(val_at(a, i), val_at(b, i)))
		i++;
	return i;
}

static void
check_model(struct val list, const struct model *m)
{
	CHECK_INT(val_count(list), m->n);
	for (size_t i = 0; i < m->n; i++) {
		char id[20];

		snprintf(id, sizeof id, "id-%d", m->at[i].id);
		CHECK_STR(message_id(val_at(list, i)), id);
		CHECK_INT(val_str(val_get(val_at(list, i), S("content"))).p[0], m->at[i].letter);
	}
}

TEST(messages_are_reduced_as_the_model_reduces_them)
{
	for (uint64_t number = 1; number < 400; number++) {
		struct val list = val_array_empty();
		struct model model = { .n = 0 };

		seed = number * 0x9e3779b97f4a7c15;
		for (int step = 0; step < 12; step++) {
			struct buf b = BUF(MB);
			struct model next = model;
			struct val write, old;
			struct err e = { 0 };
			bool good = true;
			size_t keep = 0;
			int rc;

			random_write(&b, &next, &good);
			write = json_of(b.p);
			if (below(2) == 0)
				list = loaded(list);
			old = val_ref(list);
			rc = reduce(REDUCE_MESSAGES, S("m"), &list, write, 0, &keep, &e);
			CHECK_INT(rc, good ? OK : ERR_INVALID);
			if (rc == OK) {
				model_end(&next);
				model = next;
				CHECK(keep <= same_front(old, list));
				CHECK(keep == val_count(old) || keep < val_count(old));
			}
			check_model(list, &model);
			val_drop(write), val_drop(old);
			buf_release(&b);
		}
		val_drop(list);
	}
}
