/*
 * base_val_lazy.c - values that keep their text: they are what the eager ones
 * are, whatever is done with them, and are not decoded without need.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/skim.h"

/* ---- random documents ------------------------------------------------------ */

static uint64_t seed;

static unsigned
below(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)((seed >> 11) % n);
}

static const char *const keys[] = { "a", "b", "id", "", "type", "\xc3\xa4", "a{b",
	"x]", "long key with blanks" };
static const char *const key_texts[] = { "a", "b", "id", "", "type", "\xc3\xa4",
	"a{b", "x]", "long key with blanks", "\\u0061", "i\\u0064" };

static void
random_blanks(struct buf *b)
{
	static const char *const blanks[] = { "", "", "", " ", "\n", "\t ", "\r\n" };

	buf_add(b, str_of(blanks[below(COUNT(blanks))]));
}

static void
random_scalar(struct buf *b)
{
	static const char *const texts[] = { "null", "true", "false", "0", "-0", "17",
		"-9223372036854775808", "18446744073709551615", "1.0", "-2.5e3", "1E-400",
		"9007199254740993", "123456789012345678901234567890", "\"\"", "\"{\"",
		"\"]}\\\\\"", "\"\\\"id\\\":\\\"no\\\"\"", "\"\\u00e4\\n\"",
		"\"\\ud83d\\ude00\"", "\"\xe2\x80\xa8\"",
		"\"a string that is longer than one block of sixty-four bytes, "
		"with a \\\\\\\" in it\"" };

	buf_add(b, str_of(texts[below(COUNT(texts))]));
}

static void
random_json(struct buf *b, unsigned levels)
{
	unsigned kind = levels == 0 ? 2 : below(4), n = below(below(8) == 0 ? 40 : 5);

	random_blanks(b);
	if (kind >= 2) {
		random_scalar(b);
	} else {
		buf_add_char(b, kind == 0 ? '[' : '{');
		for (unsigned i = 0; i < n; i++) {
			if (i > 0)
				buf_add_char(b, ',');
			random_blanks(b);
			if (kind == 1)
				buf_add_fmt(b, "\"%s\":", key_texts[below(COUNT(key_texts))]);
			random_json(b, levels - 1);
		}
		random_blanks(b);
		buf_add_char(b, kind == 0 ? ']' : '}');
	}
	random_blanks(b);
}

/* ---- the same by every look ------------------------------------------------ */

static void check_same(struct val a, struct val b);

static void
check_members(struct val a, struct val b)
{
	for (size_t i = 0; i < COUNT(keys); i++) {
		struct str key = str_of(keys[i]), peeked;
		bool there = val_peek_str(b, key, &peeked);

		CHECK(val_has(a, key) == val_has(b, key));
		CHECK(val_get(a, key).kind == val_get(b, key).kind);
		if (there)
			CHECK(str_eq(peeked, val_str(val_get(a, key))));
		else
			CHECK(peeked.n == 0);
	}
	for (size_t i = 0; i < val_count(a); i++) {
		CHECK(str_eq(val_key(a, i), val_key(b, i)));
		check_same(val_member(a, i), val_member(b, i));
	}
}

static void
check_same(struct val a, struct val b)
{
	CHECK_INT(a.kind, b.kind);
	CHECK(val_depth(a) >= val_depth(b));         /* a key stood twice */
	CHECK(val_equal(a, b) && val_equal(b, a));
	CHECK_INT(val_count(a), val_count(b));
	if (a.kind == VAL_OBJECT)
		check_members(a, b);
	for (size_t i = 0; a.kind == VAL_ARRAY && i <= val_count(a); i++)
		check_same(val_at(a, i), val_at(b, i));
}

/* As text and back. */
static void
check_written(struct val want, struct val v)
{
	struct buf b = BUF(MB);
	struct val back;
	struct err e;

	val_add_json(&b, v);
	CHECK(!b.failed);
	CHECK(memchr(b.p, '\n', b.n) == NULL);       /* fits into a line of a stream */
	CHECK_RC(json_text_to_val(buf_str(&b), &back, &e), OK);
	CHECK(val_equal(want, back));
	val_drop(back);
	buf_release(&b);
}

static struct val
eager_of(struct str text)
{
	struct val v;
	struct err e = { 0 };

	if (json_text_to_val(text, &v, &e) != OK)
		test_fail(__FILE__, __LINE__, "%.*s: %s", FMT(text), e.text);
	return v;
}

static struct val
lazy_of(struct str text)
{
	struct val v;
	struct err e = { 0 };

	if (val_json(&v, text, &e) != OK)
		test_fail(__FILE__, __LINE__, "%.*s: %s", FMT(text), e.text);
	return v;
}

static struct val
trusted_of(struct val v)
{
	struct buf b = BUF(MB);
	struct val out;

	val_add_json(&b, v);
	out = val_json_trusted(buf_str(&b));
	buf_release(&b);
	return out;
}

TEST(lazy_documents_are_the_eager_ones)
{
	struct buf b = BUF(MB);

	for (seed = 1; seed < (uint64_t)test_rounds(3000) << 20;
	    seed = (seed >> 20 << 20) + (1 << 20) + 1) {
		uint64_t number = seed;
		struct val eager, lazy, trusted;

		buf_clear(&b);
		random_json(&b, 5);
		eager = eager_of(buf_str(&b));
		lazy = lazy_of(buf_str(&b));
		check_written(eager, lazy);
		trusted = trusted_of(eager);
		check_written(eager, trusted);
		CHECK(val_equal(lazy, trusted));
		check_same(eager, lazy);
		check_same(eager, trusted);
		check_written(eager, lazy);
		val_drop(eager), val_drop(lazy), val_drop(trusted);
		seed = number;
	}
	buf_release(&b);
}

/* One random change, the same for all that are changed with the same seed. */
static struct val
change(struct val v, unsigned levels)
{
	struct str key = str_of(keys[below(COUNT(keys))]);
	size_t n = val_count(v), at = below(100);
	struct val part;

	if (v.kind == VAL_ARRAY && n > 0 && levels > 0) {
		part = change(val_ref(val_at(v, at % n)), levels - 1);
		return val_set_at_take(v, at % n, part);
	}
	if (v.kind == VAL_OBJECT && n > 0 && levels > 0) {
		struct str old = val_key(v, at % n);
		struct val name = val_string(old);

		part = change(val_ref(val_member(v, at % n)), levels - 1);
		v = val_set_key_take(v, name, part);
		val_drop(name);
		return v;
	}
	if (v.kind == VAL_ARRAY)
		return val_push_take(v, val_int((int64_t)at));
	if (v.kind == VAL_OBJECT)
		return at % 2 == 0 ? val_unset_take(v, key) :
		    val_set_take(v, key, val_string(key));
	val_drop(v);
	return val_int((int64_t)at);
}

TEST(lazy_documents_change_as_eager_ones)
{
	struct buf b = BUF(MB);

	for (uint64_t number = 1; number < 3000; number++) {
		struct val eager, lazy, eager_old, lazy_old;
		struct str text;

		seed = number * 0x9e3779b97f4a7c15;
		buf_clear(&b);
		random_json(&b, 4);
		eager = eager_of(buf_str(&b));
		lazy = lazy_of(buf_str(&b));
		eager_old = number % 3 == 0 ? VAL_UNDEF : val_ref(eager);
		lazy_old = number % 3 == 0 ? VAL_UNDEF : val_ref(lazy);
		text = val_json_text(lazy_old);
		for (int i = 0; i < 4; i++) {
			uint64_t same = seed;

			eager = change(eager, (unsigned)i);
			seed = same;
			lazy = change(lazy, (unsigned)i);
			CHECK(val_equal(eager, lazy));
			check_written(eager, lazy);
		}
		/* The old one is as it was, and has its text. */
		CHECK(val_equal(eager_old, lazy_old));
		CHECK(val_json_text(lazy_old).p == text.p);
		val_drop(eager), val_drop(lazy), val_drop(eager_old), val_drop(lazy_old);
	}
	buf_release(&b);
}

/* ---- what is kept ---------------------------------------------------------- */

TEST(lazy_value_keeps_its_text_without_blanks)
{
	struct val v = lazy_of(S(" { \"a\" : [ 1 , 2.50 ],\n \"b c\":\"x  y\\\" }\" }\n")), w;

	CHECK_STR(val_json_text(v), "{\"a\":[1,2.50],\"b c\":\"x  y\\\" }\"}");
	CHECK_STR(val_json_text(val_get(v, S("a"))), "[1,2.50]");
	CHECK(val_json_text(val_get(v, S("b c"))).p == NULL);
	w = val_set_take(val_ref(v), S("z"), VAL_NIL);
	CHECK(val_json_text(w).p == NULL);
	CHECK(val_json_text(v).p != NULL);
	CHECK_STR(val_json_text(val_get(w, S("a"))), "[1,2.50]");
	val_drop(v);
	CHECK_STR(val_json_text(val_get(w, S("a"))), "[1,2.50]");
	val_drop(w);
}

TEST(lazy_span_shares_the_text_of_its_source)
{
	struct val source = val_string(S("[{\"id\":\"a\",\"n\":[1]},[],\"s\",7,{\"id\":\"b\"}]"));
	struct val list = val_json_spans(source, val_str(source)), one;
	struct str id;

	CHECK_INT(val_count(list), 5);
	CHECK_STR(val_json_text(val_at(list, 0)), "{\"id\":\"a\",\"n\":[1]}");
	CHECK(val_json_text(val_at(list, 0)).p == val_str(source).p + 1);
	CHECK_INT(val_depth(val_at(list, 0)), 2);
	CHECK_INT(val_depth(list), 3);
	CHECK(val_peek_str(val_at(list, 4), S("id"), &id));
	CHECK(id.p > val_str(source).p && id.p < val_str(source).p + val_str(source).n);
	CHECK(!val_peek_str(val_at(list, 0), S("n"), &id));
	CHECK(!val_peek_str(val_at(list, 2), S("id"), &id));
	one = val_json_span(source, str_sub(val_str(source), 1, 18));
	CHECK(val_equal(one, val_at(list, 0)));
	val_drop(source);
	val_drop(list);
	CHECK_INT(val_at(val_get(one, S("n")), 0).u.i, 1);       /* the source lives */
	val_drop(one);
}

TEST(lazy_part_of_a_large_document_can_be_kept_alone)
{
	struct buf b = BUF(64 * KB);
	struct val whole, part, own;

	buf_lit(&b, "{\"keep\":{\"a\":[1,2]},\"pad\":\"");
	for (int i = 0; i < 1000; i++)
		buf_lit(&b, "0123456789");
	buf_lit(&b, "\"}");
	whole = lazy_of(buf_str(&b));
	part = val_get(whole, S("keep"));
	own = val_detach(val_ref(part));
	CHECK(val_equal(own, part));
	CHECK_INT(val_depth(own), val_depth(part));
	CHECK(val_json_text(own).p != val_json_text(part).p);
	whole = val_detach(whole);               /* all of it: no copy */
	CHECK(val_json_text(part).p == val_json_text(val_get(whole, S("keep"))).p);
	val_drop(whole);
	CHECK_STR(val_json_text(own), "{\"a\":[1,2]}");
	val_drop(own);
	buf_release(&b);
}

/* Goal: the size is that of the text, and looking does not change it, so that
 * what a container counted when the part came stays right when it goes. */
TEST(lazy_size_is_that_of_the_text)
{
	struct val v = lazy_of(S("{\"a\":[1,2,3,4,5,6,7,8,9,10,11,12,13]}"));
	struct val box = val_set_take(val_object_empty(), S("v"), val_ref(v));
	size_t size = val_bytes(v), boxed = val_bytes(box);

	CHECK(size >= val_json_text(v).n && size < val_json_text(v).n + 100);
	CHECK_INT(val_count(val_get(v, S("a"))), 13);
	CHECK_INT(val_bytes(v), size);
	box = val_set_take(box, S("v"), val_ref(v));
	CHECK_INT(val_bytes(box), boxed);
	box = val_unset_take(box, S("v"));
	CHECK(val_bytes(box) < boxed - size);
	val_drop(v), val_drop(box);
}

TEST(lazy_reading_refuses_what_json_parse_refuses)
{
	static const char *const rows[][2] = {
		{ "", "empty" }, { "{", "" }, { "{\"a\":}", "line 1, column 6" },
		{ "[1,]", "" }, { "[1] 2", "" }, { "{\"a\" 1}", "" }, { "[01]", "" },
		{ "[\"\\ud800\"]", "" }, { "[\"\xff\"]", "" }, { "[\"\t\"]", "" },
		{ "[1e999]", "" }, { "\"x", "" }, { "nul", "" },
	};
	struct buf deep = BUF(KB);
	struct err e;
	struct val v;

	for (size_t i = 0; i < COUNT(rows); i++) {
		CHECK_RC(val_json(&v, str_of(rows[i][0]), &e), ERR_SYNTAX);
		CHECK(str_contains(str_of(e.text), str_of(rows[i][1])));
		CHECK_INT(v.kind, VAL_UNDEFINED);
	}
	for (int i = 0; i < LIMIT_JSON_DEPTH; i++)
		buf_add_char(&deep, '[');
	for (int i = 0; i < LIMIT_JSON_DEPTH; i++)
		buf_add_char(&deep, ']');
	v = lazy_of(buf_str(&deep));
	CHECK_INT(val_depth(v), LIMIT_JSON_DEPTH);
	val_drop(v);
	v = val_json_trusted(buf_str(&deep));
	CHECK_INT(val_depth(v), LIMIT_JSON_DEPTH);
	val_drop(v);
	buf_add_char(&deep, ']');
	deep.p[0] = '[';
	CHECK_RC(val_json(&v, buf_str(&deep), &e), ERR_SYNTAX);
	buf_release(&deep);
}

/* A file can be damaged: what was ours then reads as less, and nothing else. */
TEST(lazy_damaged_text_of_ours_is_survived)
{
	struct str whole = S("{\"a\":[1,{\"b\":\"\\u00e4\"}],\"c\":tru,\"d\":\"x\\\"\",\"e\":-,\"f\":{}}");
	struct buf b = BUF(KB);

	for (size_t n = 0; n <= whole.n; n++)
		for (int flip = 0; flip < 2; flip++) {
			struct str cut = str_sub(whole, 0, n);
			struct val source = val_string(cut), v, list;
			struct str id;

			if (flip == 1 && n > 0)
				((char *)(uintptr_t)val_str(source).p)[n / 2] = '"';
			v = val_json_trusted(val_str(source));
			list = val_json_spans(source, val_str(source));
			(void)val_peek_str(v, S("d"), &id);
			(void)val_has(val_at(val_get(v, S("a")), 1), S("b"));
			(void)val_get(v, S("f"));
			buf_clear(&b);
			val_add_json(&b, list);
			val_drop(v), val_drop(list), val_drop(source);
		}
	buf_release(&b);
}

/* ---- skim ------------------------------------------------------------------ */

static unsigned
plain_depth(struct str s, size_t *n)
{
	unsigned level = 0, deepest = 0;
	bool inside = false;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '\\')
			i += i + 1 < s.n && (s.p[i + 1] == '"' || s.p[i + 1] == '\\');
		else if (c == '"')
			inside = !inside;
		else if (!inside && (c == '{' || c == '['))
			deepest = ++level > deepest ? level : deepest;
		else if (!inside && (c == '}' || c == ']') && --level == 0) {
			*n = i + 1;
			return deepest;
		}
	}
	return 0;
}

/* Goal: strings, escapes and brackets on the edges of blocks. */
TEST(skim_finds_the_end_at_any_offset)
{
	static const char parts[] = "\\\"[]{}x,\\\\\"\"\\";
	char text[200];

	for (uint64_t number = 1; number < 30000; number++) {
		size_t n = 1, want_n = 0;
		unsigned depth = 0, want;
		const char *end;

		seed = number * 0x9e3779b97f4a7c15;
		text[0] = '[';
		for (size_t plain = below(130); n < plain; n++)
			text[n] = 'x';
		while (n < sizeof text)
			text[n++] = parts[below(sizeof parts - 1)];
		want = plain_depth((struct str){ text, n }, &want_n);
		end = skim_container(text, text + n, &depth);
		CHECK((end == NULL) == (want == 0));
		if (end != NULL)
			CHECK(end == text + want_n && depth == want);
	}
}
