/*
 * chart_expr.c - the expression language, row by row.
 *
 * A row is an expression and its value as JSON, or `!` and a part of the
 * error.  `undefined` stands for itself.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "chart/expr.h"

static const char context[] =
    "{\"n\":3,\"f\":2.5,\"s\":\"text\",\"yes\":true,\"no\":false,\"nil\":null,"
    "\"list\":[3,1,2],\"o\":{\"a\":1,\"b\":{\"c\":[10,20]},\"x y\":5},"
    "\"people\":[{\"name\":\"ann\",\"age\":30},{\"name\":\"bob\",\"age\":25}],"
    "\"u\":\"h\\u00e9llo\",\"event\":{\"name\":\"go\",\"data\":{\"v\":7}},\"empty\":[]}";

static struct val data;

static int
lookup(void *ctx, struct str name, struct val *out)
{
	(void)ctx;
	if (!val_has(data, name))
		return ERR_NOTFOUND;
	*out = val_get(data, name);
	return OK;
}

static bool
in_state(void *ctx, struct str id)
{
	(void)ctx;
	return str_eq(id, S("s1"));
}

static const struct expr_scope scope = { .lookup = lookup, .in_state = in_state };

static void
load(void)
{
	struct err e;

	CHECK_RC(json_text_to_val(str_of(context), &data, &e), OK);
}

/* The value as JSON, or "!" and the error. */
static void
evaluate(const char *text, struct buf *out)
{
	struct err e = { 0 };
	struct expr *x;
	struct val v;
	int rc = expr_parse(&x, str_of(text), &e);

	buf_clear(out);
	if (rc == OK) {
		rc = expr_eval(x, &scope, &v, &e);
		expr_free(x);
	}
	if (rc != OK) {
		buf_add_char(out, '!');
		buf_add(out, str_of(e.text));
		return;
	}
	if (v.kind == VAL_UNDEFINED)
		buf_lit(out, "undefined");
	else
		val_add_json(out, v);
	val_drop(v);
}

struct row {
	const char *text, *want;
};

static void
check_rows(const struct row *rows, size_t n)
{
	struct buf out = BUF(1 * MB);

	load();
	for (size_t i = 0; i < n; i++) {
		bool error = rows[i].want[0] == '!';
		struct str got;

		evaluate(rows[i].text, &out);
		got = buf_str(&out);
		if (error ? got.n == 0 || got.p[0] != '!' ||
		    !str_contains(got, str_of(rows[i].want + 1)) :
		    !str_eq(got, str_of(rows[i].want)))
			test_fail(__FILE__, __LINE__, "%s\n   got  %.*s\n   want %s",
			    rows[i].text, FMT(got), rows[i].want);
	}
	buf_release(&out);
	val_drop(data);
}

TEST(expr_literals_and_names)
{
	static const struct row rows[] = {
		{ "1", "1" }, { "-1", "-1" }, { "1.5", "1.5" }, { ".5", "0.5" }, { "5.", "5" },
		{ "1e3", "1000" }, { "1E-2", "0.01" }, { "0x1F", "31" }, { "true", "true" },
		{ "false", "false" }, { "null", "null" }, { "undefined", "undefined" },
		{ "'a'", "\"a\"" }, { "\"a\"", "\"a\"" }, { "'it\\'s'", "\"it's\"" },
		{ "'a\\nb'", "\"a\\nb\"" }, { "'\\u00e9'", "\"\xc3\xa9\"" },
		{ "'\\x41'", "\"A\"" }, { "'\\u{1F600}'", "\"\xf0\x9f\x98\x80\"" },
		{ "'\\ud83d\\ude00'", "\"\xf0\x9f\x98\x80\"" },
		{ "[]", "[]" }, { "[1, 'a', [2]]", "[1,\"a\",[2]]" }, { "[1,2,]", "[1,2]" },
		{ "{}", "{}" }, { "{a: 1, 'b c': 2}", "{\"a\":1,\"b c\":2}" },
		{ "{n}", "{\"n\":3}" }, { "{['k' + 1]: 2}", "{\"k1\":2}" }, { "{1: 2}", "{\"1\":2}" },
		{ "n", "3" }, { "s", "\"text\"" }, { "nil", "null" }, { "(n)", "3" },
		{ "  n // three\n", "3" }, { "/* a */ n", "3" },
		{ "9007199254740993", "9007199254740993" },
		{ "missing", "!'missing' is not declared" },
		{ "return", "!column 1: 'return' is not part of the language" },
		{ "\"foo", "!column 1: string is not closed" },
		{ "foo.bar.baz", "!'foo' is not declared" }, { "", "!expected a value, got the end" },
		{ "1 +", "!column 4: expected a value" }, { "1 2", "!column 3: expected the end" },
		{ "'a' b", "!expected the end" }, { "[1", "!expected ',' or ']'" },
		{ "{a}", "!'a' is not declared" }, { "{a:", "!expected a value" },
		{ "012", "!octal" }, { "1abc", "!malformed number" }, { "1.2.3", "!malformed number" },
		{ "0x", "!malformed number" }, { "'\\u12'", "!malformed escape" },
		{ "'\\ud800'", "!malformed escape" }, { "#", "!unexpected character '#'" },
		{ "function(x) {}", "!'function' is not part" }, { "new Foo()", "!'new' is not" },
		{ "x => 1", "!expected the end, got '=>'" }, { "n = 3", "!expected the end" },
		{ "n++", "!expected the end" }, { "a b", "!expected the end" },
		{ "/* open", "!comment is not closed" }, { "[...list]", "!use concat or merge" },
	};

	check_rows(rows, COUNT(rows));
}

TEST(expr_operators)
{
	static const struct row rows[] = {
		{ "1 + 2 * 3", "7" }, { "(1 + 2) * 3", "9" }, { "7 - 2 - 1", "4" },
		{ "7 / 2", "3.5" }, { "8 / 2", "4" }, { "7 % 3", "1" }, { "-7 % 3", "-1" },
		{ "7.5 % 2", "1.5" }, { "n + f", "5.5" }, { "-n", "-3" }, { "+n", "3" },
		{ "- -n", "3" }, { "'a' + 'b'", "\"ab\"" }, { "'a' + 1", "\"a1\"" },
		{ "1 + 'a'", "\"1a\"" }, { "'' + true", "\"true\"" }, { "'' + 1.5", "\"1.5\"" },
		{ "[1] + [2, 3]", "[1,2,3]" }, { "list + list", "[3,1,2,3,1,2]" },
		{ "9223372036854775807 + 1", "9223372036854776000.0" },
		{ "1 / 0", "!division by zero" }, { "1 % 0", "!division by zero" },
		{ "1e308 * 10", "!not a finite number" }, { "1 + null", "!arithmetic wants" },
		{ "1 + undefined", "!arithmetic wants two numbers, got a number and undefined" },
		{ "'a' + null", "!arithmetic wants" }, { "'a' - 1", "!arithmetic wants" },
		{ "'3' * 2", "!arithmetic wants" }, { "true + 1", "!arithmetic wants" },
		{ "-s", "!'-' wants a number, got a string" },
		{ "1 == 1.0", "true" }, { "1 == '1'", "false" }, { "1 === 1", "true" },
		{ "1 != 2", "true" }, { "1 !== 1", "false" }, { "null == undefined", "true" },
		{ "null === undefined", "false" }, { "null == 0", "false" },
		{ "0 == false", "false" }, { "'' == 0", "false" }, { "[1] == [1]", "true" },
		{ "{a: 1} == {a: 1}", "true" }, { "{a: 1} == {a: 2}", "false" },
		{ "[1, [2]] === [1, [2]]", "true" },
		{ "1 < 2", "true" }, { "2 <= 2", "true" }, { "3 > 2.5", "true" },
		{ "2 >= 3", "false" }, { "'a' < 'b'", "true" }, { "'B' < 'a'", "true" },
		{ "1 < '2'", "!cannot compare a number with a string" },
		{ "undefined < 3", "!cannot compare undefined" }, { "null > 1", "!cannot compare null" },
		{ "true && 'x'", "\"x\"" }, { "0 && boom", "0" }, { "0 || 'd'", "\"d\"" },
		{ "1 || boom", "1" }, { "!0", "true" }, { "!!s", "true" }, { "![]", "false" },
		{ "nil ?? 5", "5" }, { "0 ?? 5", "0" }, { "nil ?? undefined ?? 1", "1" },
		{ "yes ? 1 : 2", "1" }, { "no ? 1 : yes ? 2 : 3", "2" }, { "no ? boom : 1", "1" },
		{ "yes ? .5:1", "0.5" }, { "yes?.5:1", "0.5" },
		{ "'a' in o", "true" }, { "'z' in o", "false" }, { "1 in list", "true" },
		{ "9 in list", "false" }, { "'a' in 5", "!'in' wants" },
		{ "typeof n", "\"number\"" }, { "typeof s", "\"string\"" },
		{ "typeof missing", "\"undefined\"" }, { "typeof nil", "\"null\"" },
		{ "typeof list", "\"array\"" }, { "typeof o", "\"object\"" },
		{ "typeof yes === 'boolean'", "true" }, { "typeof o.zz", "\"undefined\"" },
		{ "list instanceof Array", "true" }, { "o instanceof Array", "false" },
		{ "s instanceof String", "!instanceof knows" },
		{ "5 | 2", "7" }, { "6 & 3", "2" }, { "6 ^ 3", "5" }, { "no | yes", "true" },
		{ "1.5 | 1", "!whole numbers" }, { "1 + 2 == 3 && 2 < 3", "true" },
		{ "1 | 2 == 2", "!whole numbers" }, { "2 + 3 + 'a'", "\"5a\"" },
	};

	check_rows(rows, COUNT(rows));
}

TEST(expr_members_and_templates)
{
	static const struct row rows[] = {
		{ "o.a", "1" }, { "o['a']", "1" }, { "o['x y']", "5" }, { "o.b.c[1]", "20" },
		{ "o.zz", "undefined" }, { "o.zz.a", "!cannot read 'a' of undefined" },
		{ "nil.a", "!cannot read 'a' of null" }, { "o.zz?.a", "undefined" },
		{ "nil?.a.b", "!cannot read 'b' of undefined" }, { "nil?.[0]", "undefined" },
		{ "list[0]", "3" }, { "list[9]", "undefined" }, { "list[-1]", "undefined" },
		{ "list[n - 1]", "2" }, { "list.length", "3" }, { "s.length", "4" },
		{ "u.length", "5" }, { "u[1]", "\"\xc3\xa9\"" }, { "s[9]", "undefined" },
		{ "n.a", "undefined" }, { "n[0]", "!cannot index a number" },
		{ "list['a']", "undefined" }, { "[1,2][1]", "2" }, { "{a: {b: 2}}.a.b", "2" },
		{ "people[0].name", "\"ann\"" }, { "event.data.v", "7" },
		{ "o.", "!expected a name after '.'" }, { "o[", "!expected a value" },
		{ "`plain`", "\"plain\"" }, { "`${n}`", "\"3\"" }, { "`a${n}b${s}c`", "\"a3btextc\"" },
		{ "`${n + 1}${`x${n}`}`", "\"4x3\"" }, { "`${o}`", "\"{\\\"a\\\":1,\\\"b\\\":"
		    "{\\\"c\\\":[10,20]},\\\"x y\\\":5}\"" },
		{ "`\\${n}`", "\"${n}\"" }, { "`$n`", "\"$n\"" }, { "`a\\nb`", "\"a\\nb\"" },
		{ "`${nil}`", "\"null\"" }, { "`${o.zz}`", "!undefined in a template" },
		{ "`${`", "!not closed" }, { "`${}`", "!expected a value" }, { "`${n`", "!expected '}'" }, { "`abc", "!not closed" },
		{ "In('s1')", "true" }, { "In('s2')", "false" }, { "In('s1') && !In('s2')", "true" },
		{ "In()", "!In takes 1 argument" }, { "In(5)", "!In wants a state's id" },
	};

	check_rows(rows, COUNT(rows));
}

TEST(expr_functions)
{
	static const struct row rows[] = {
		{ "len(list)", "3" }, { "len(u)", "5" }, { "len(o)", "3" }, { "len(5)", "!len wants" },
		{ "keys(o)", "[\"a\",\"b\",\"x y\"]" }, { "values({a: 1, b: 2})", "[1,2]" },
		{ "entries({a: 1})", "[[\"a\",1]]" }, { "has(o, 'a')", "true" },
		{ "get(o, 'b.c.1')", "20" }, { "get(o, 'b.q.1')", "undefined" },
		{ "get(o, 'b.q', 7)", "7" }, { "concat([1], 2, [3])", "[1,2,3]" },
		{ "concat('a', 'b')", "\"ab\"" }, { "[].concat(list, [4])", "[3,1,2,4]" },
		{ "slice(list, 1)", "[1,2]" }, { "slice(list, -1)", "[2]" },
		{ "slice(list, 0, 2)", "[3,1]" }, { "slice(u, 1, 3)", "\"\xc3\xa9l\"" },
		{ "slice(u, 3, 1)", "\"\"" }, { "first(list)", "3" }, { "last(list)", "2" },
		{ "first(empty)", "undefined" }, { "last(empty)", "undefined" },
		{ "map(list, x => x * 2)", "[6,2,4]" }, { "list.map((x) => x + n)", "[6,4,5]" },
		{ "filter(list, x => x > 1)", "[3,2]" }, { "any(list, x => x == 2)", "true" },
		{ "all(list, x => x > 0)", "true" }, { "all(empty, x => boom)", "true" },
		{ "any([0, '', null])", "false" }, { "some(list, x => x > 5)", "false" },
		{ "every(list, x => x > 1)", "false" }, { "find(people, p => p.age < 30).name", "\"bob\"" },
		{ "find(list, x => x > 9)", "undefined" }, { "count(list, x => x > 1)", "2" },
		{ "people.map(p => p.name).join(', ')", "\"ann, bob\"" },
		{ "map(list, x => map(list, y => x * y)[0])", "[9,3,6]" },
		{ "map(list, x => {v: x, n})[0]", "{\"v\":3,\"n\":3}" },
		{ "sort(list)", "[1,2,3]" }, { "sort(people, p => p.age)[0].name", "\"bob\"" },
		{ "sort(['b', 'a', 1])", "[1,\"a\",\"b\"]" }, { "reverse(list)", "[2,1,3]" },
		{ "unique([1, 2, 1, '1'])", "[1,2,\"1\"]" }, { "flatten([1, [2, [3]]])", "[1,2,[3]]" },
		{ "range(3)", "[0,1,2]" }, { "range(2, 4)", "[2,3]" }, { "range(-1)", "[]" },
		{ "sum(list)", "6" }, { "sum(people, p => p.age)", "55" }, { "sum([0.5, 1])", "1.5" },
		{ "sum(['a'])", "!sum wants numbers" }, { "min(2, 1, 3)", "1" }, { "max(list)", "3" },
		{ "max('a', 'b')", "\"b\"" }, { "min(1, 'a')", "!one kind" }, { "min([])", "undefined" },
		{ "groupBy(list, x => x > 1)", "{\"true\":[3,2],\"false\":[1]}" },
		{ "startsWith(s, 'te')", "true" }, { "s.endsWith('xt')", "true" },
		{ "contains(s, 'ex')", "true" }, { "includes(list, 2)", "true" },
		{ "contains(list, '2')", "false" }, { "indexOf(u, 'l')", "2" },
		{ "indexOf(list, 2)", "2" }, { "indexOf(s, 'q')", "-1" },
		{ "split('a,b,,c', ',')", "[\"a\",\"b\",\"\",\"c\"]" }, { "split('ab', '')", "[\"a\",\"b\"]" },
		{ "join([1, null, 'a'], '-')", "\"1--a\"" }, { "join([1, 2])", "\"1,2\"" },
		{ "lower('AbC')", "\"abc\"" }, { "'AbC'.toUpperCase()", "\"ABC\"" },
		{ "trim('  a ')", "\"a\"" }, { "replace('aXbX', 'X', '-')", "\"a-b-\"" },
		{ "replace('a', '', '-')", "\"a\"" }, { "repeat('ab', 3)", "\"ababab\"" },
		{ "repeat('a', -1)", "!repeat wants" }, { "padStart('7', 3, '0')", "\"007\"" },
		{ "padEnd('7', 3)", "\"7  \"" }, { "number('42')", "42" }, { "number(' 1.5 ')", "1.5" },
		{ "number('x')", "!cannot make a number" }, { "number('x', 0)", "0" },
		{ "number(true)", "1" }, { "number(nil)", "!cannot make a number of null" },
		{ "string(1.5)", "\"1.5\"" }, { "string(list)", "\"[3,1,2]\"" }, { "bool('')", "false" },
		{ "json({a: 1})", "\"{\\\"a\\\":1}\"" }, { "parse('[1,{\"a\":2}]')", "[1,{\"a\":2}]" },
		{ "parse('{')", "!parse:" }, { "parse('{', 1)", "1" }, { "abs(-3)", "3" },
		{ "floor(2.7)", "2" }, { "ceil(2.1)", "3" }, { "round(2.5)", "3" }, { "round(-2.5)", "-2" },
		{ "round(2.345, 2)", "2.35" }, { "round(7)", "7" }, { "coalesce(nil, undefined, 5)", "5" },
		{ "coalesce(nil)", "null" }, { "coalesce(nil, 'a' + 1)", "\"a1\"" },
		{ "number('x', 'a' + 1)", "\"a1\"" }, { "get({}, 'k', 'a' + 1)", "\"a1\"" }, { "merge({a: 1, b: 1}, nil, {b: 2})", "{\"a\":1,\"b\":2}" },
		{ "pick(o, 'a', 'q')", "{\"a\":1}" }, { "omit(o, 'b', 'x y')", "{\"a\":1}" },
		{ "pow(2, 10)", "1024" }, { "Math.pow(n, 2)", "9" }, { "sqrt(9)", "3" },
		{ "sqrt(-1)", "!not a finite number" }, { "Math.floor(2.5)", "2" },
		{ "nope(1)", "!no function 'nope'" }, { "mapp(list, x => x)", "!did you mean 'map'?" },
		{ "len()", "!len takes 1 argument, got 0" }, { "slice(list)", "!takes 2 to 3 arguments, got 1" },
		{ "map(list)", "!map takes 2 arguments, got 1" }, { "map(list, 1)", "!map wants a lambda" },
		{ "map(5, x => x)", "!map wants an array, got a number" },
		{ "filter(list, x => x.a.b)", "!cannot read 'b' of undefined" },
		{ "upper(5)", "!upper wants a string, got a number" }, { "list()", "!no function 'list'" },
		{ "o.a()", "!no function 'a'" }, { "(n)(1)", "!values cannot be called" },
		{ "map(list, return => 1)", "!expected a name" },
	};

	check_rows(rows, COUNT(rows));
}

/* What bounds an expression: nesting, chains, steps, bytes. */
TEST(expr_is_bounded)
{
	static const struct row rows[] = {
		{ "range(200000)", "!more than 100000 steps" },
		{ "range(0, 9223372036854775807)", "!more than 100000 steps" },
		{ "range(-9223372036854775807, 9223372036854775807)", "!more than" },
		{ "map(range(1000), x => range(1000))", "!more than" },
		{ "sort(map(range(40000), x => -x))", "!more than 100000 steps" },
		{ "repeat('x', 90000000)", "!more than 100000 steps" },
		{ "repeat(repeat('x', 90000), 1000)", "!more than 8388608 bytes" },
		{ "map(range(20), x => repeat(repeat('x', 1000), 1000))", "!more than" },
		{ "len(map(range(300), x => range(100)))", "300" },
		{ "unique(range(5000))", "!more than 100000 steps" },
		{ "padStart('', 100001)", "!padding wants" },
	};
	struct buf text = BUF(1 * MB), out = BUF(1 * MB);

	check_rows(rows, COUNT(rows));
	for (int i = 0; i < 65; i++)
		buf_add_char(&text, '(');
	buf_lit(&text, "1");
	load();
	evaluate(text.p, &out);
	CHECK(str_contains(buf_str(&out), S("nested deeper than 64")));
	buf_clear(&text);
	for (int i = 0; i < 100; i++)
		buf_lit(&text, "!");
	buf_lit(&text, "1");
	evaluate(text.p, &out);
	CHECK(str_contains(buf_str(&out), S("nested deeper than 64")));
	buf_clear(&text);
	buf_lit(&text, "1");
	for (int i = 0; i < 1000; i++)
		buf_lit(&text, "+1");
	evaluate(text.p, &out);
	CHECK_STR(buf_str(&out), "1001");
	for (int i = 0; i < 1000; i++)
		buf_lit(&text, "+1");
	evaluate(text.p, &out);
	CHECK(str_contains(buf_str(&out), S("too deep")));
	buf_clear(&text);
	for (int i = 0; i < LIMIT_EXPR_BYTES; i++)
		buf_lit(&text, " ");
	buf_lit(&text, "1");
	evaluate(text.p, &out);
	CHECK(str_contains(buf_str(&out), S("longer than")));
	buf_release(&text);
	buf_release(&out);
	val_drop(data);
}

/* ---- templates, places, binding ------------------------------------------ */

TEST(expr_template_text_is_plain_outside_its_holes)
{
	struct expr *x;
	struct err e;
	struct val v;

	load();
	CHECK_RC(expr_parse_template(&x, S("Hi ${s}, `you` have \\n ${n + 1} \\${x}."), &e), OK);
	CHECK_RC(expr_eval(x, &scope, &v, &e), OK);
	CHECK_STR(val_str(v), "Hi text, `you` have \\n 4 ${x}.");
	val_drop(v);
	expr_free(x);
	CHECK_RC(expr_parse_template(&x, S("a ${n"), &e), ERR_SYNTAX);
	CHECK_RC(expr_parse_template(&x, S(""), &e), OK);
	CHECK_RC(expr_eval(x, &scope, &v, &e), OK);
	CHECK_STR(val_str(v), "");
	val_drop(v);
	expr_free(x);
	val_drop(data);
}

/* place, new value, whole root afterwards or "!error"; the root is unchanged
 * after an error. */
TEST(expr_store_changes_one_place)
{
	static const struct { const char *place, *value, *want; } rows[] = {
		{ "o", "5", "5" }, { "o.a", "2", "{\"a\":2,\"b\":{\"c\":[10,20]},\"x y\":5}" },
		{ "o.b.c[0]", "'z'", "{\"a\":1,\"b\":{\"c\":[\"z\",20]},\"x y\":5}" },
		{ "o.b.c[2]", "30", "{\"a\":1,\"b\":{\"c\":[10,20,30]},\"x y\":5}" },
		{ "o['new']", "[1]", "{\"a\":1,\"b\":{\"c\":[10,20]},\"x y\":5,\"new\":[1]}" },
		{ "o['x' + ' y']", "6", "{\"a\":1,\"b\":{\"c\":[10,20]},\"x y\":6}" },
		{ "o.b.c[3]", "1", "!index 3 is outside the array of 2" },
		{ "o.b.c[-1]", "1", "!index -1 is outside" },
		{ "o.q.r", "1", "!cannot set 'r' of undefined" },
		{ "o.a.r", "1", "!cannot set 'r' of a number" },
		{ "o[missing]", "1", "!'missing' is not declared" },
		{ "o[1.5]", "1", "!cannot index with a number" },
		{ "o.b", "o", "{\"a\":1,\"b\":{\"a\":1,\"b\":{\"c\":[10,20]},\"x y\":5},\"x y\":5}" },
	};
	struct buf out = BUF(4096);

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct expr *place, *value;
		struct str root;
		struct val v, changed, before;
		struct err e;
		int rc;

		load();
		CHECK_RC(expr_parse(&place, str_of(rows[i].place), &e), OK);
		CHECK_RC(expr_parse(&value, str_of(rows[i].value), &e), OK);
		CHECK(expr_is_location(place, &root));
		CHECK_STR(root, "o");
		CHECK_RC(expr_eval(value, &scope, &v, &e), OK);
		before = val_get(data, S("o"));
		rc = expr_store(place, &scope, val_ref(before), v, &changed, &e);
		buf_clear(&out);
		if (rc != OK) {
			CHECK(val_equal(changed, before));
			buf_add_char(&out, '!');
			buf_add(&out, str_of(e.text));
		} else {
			val_add_json(&out, changed);
		}
		if (rows[i].want[0] == '!' ? !str_contains(buf_str(&out), str_of(rows[i].want + 1)) :
		    !str_eq(buf_str(&out), str_of(rows[i].want)))
			test_fail(__FILE__, __LINE__, "%s: got %.*s, want %s", rows[i].place,
			    FMT(buf_str(&out)), rows[i].want);
		val_drop(changed);
		expr_free(place);
		expr_free(value);
		val_drop(data);
	}
	buf_release(&out);
}

TEST(expr_only_places_can_be_assigned_to)
{
	static const char *const not_places[] = { "1", "a + b", "f", "len(a)", "a?.b", "(a).b(1)",
		"[a]", "'a'", "true" };
	struct expr *x;
	struct str root;
	struct err e;

	for (size_t i = 0; i < COUNT(not_places); i++) {
		if (expr_parse(&x, str_of(not_places[i]), &e) != OK)
			continue;
		CHECK(expr_is_location(x, &root) == (strcmp(not_places[i], "f") == 0));
		expr_free(x);
	}
	CHECK(expr_is_name(S("a1")) && expr_is_name(S("$_")) && !expr_is_name(S("1a")) &&
	    !expr_is_name(S("return")) && !expr_is_name(S("")) && !expr_is_name(S("'x'")));
}

static int
slot_of(void *ctx, struct str name, bool of_data)
{
	(void)ctx, (void)of_data;
	return str_eq(name, S("a")) ? 0 : str_eq(name, S("b")) ? 1 : -1;
}

static int
event_field(void *ctx, enum expr_field field, struct val *out)
{
	(void)ctx;
	*out = field == FIELD_NAME ? val_string(S("go")) : VAL_UNDEF;
	return OK;
}

/* Goal: bound names read their slots, an undeclared slot is an error but has
 * a type, and `data.x` and `_event.x` reach the same places. */
TEST(expr_bind_reads_slots_and_event_fields)
{
	static const struct row rows[] = {
		{ "a + 1", "6" }, { "data.a + 1", "6" }, { "b", "!'b' is not declared" },
		{ "typeof b", "\"undefined\"" }, { "_event.name", "\"go\"" },
		{ "event.name + a", "\"go5\"" }, { "_event.data", "undefined" },
		{ "map([1], a => a)", "[1]" }, { "c", "!'c' is not declared" },
	};
	struct val slots[2] = { val_int(5), VAL_UNDEF };
	uint64_t declared = 1;
	struct expr_scope bound = { .slots = slots, .declared = &declared,
		.event_field = event_field };

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf out = BUF(4096);
		struct expr *x;
		struct err e;
		struct val v;
		int rc;

		CHECK_RC(expr_parse(&x, str_of(rows[i].text), &e), OK);
		expr_bind(x, slot_of, NULL);
		rc = expr_eval(x, &bound, &v, &e);
		if (rc != OK)
			buf_add_fmt(&out, "!%s", e.text);
		else if (v.kind == VAL_UNDEFINED)
			buf_lit(&out, "undefined");
		else
			val_add_json(&out, v);
		if (rows[i].want[0] == '!' ? !str_contains(buf_str(&out), str_of(rows[i].want + 1)) :
		    !str_eq(buf_str(&out), str_of(rows[i].want)))
			test_fail(__FILE__, __LINE__, "%s: got %.*s, want %s", rows[i].text,
			    FMT(buf_str(&out)), rows[i].want);
		val_drop(v);
		expr_free(x);
		buf_release(&out);
	}
}

/* Goal: a look at the end of a long thread decodes what it looks at, and no other
 * message of it. */
TEST(expr_decodes_only_what_it_looks_at)
{
	static const char *const texts[] = { "last(messages).tool_calls",
		"len(messages)", "messages[98].id", "len(last(messages).tool_calls) > 0" };
	struct val source, list;
	struct buf text = BUF(64 * KB), out = BUF(KB);

	buf_add_char(&text, '[');
	for (int i = 0; i < 100; i++)
		buf_add_fmt(&text, "%s{\"id\":\"m%d\",\"tool_calls\":[{\"id\":\"c%d\",\"args\":{}}]}",
		    i > 0 ? "," : "", i, i);
	buf_add_char(&text, ']');
	source = val_string(buf_str(&text));
	list = val_json_spans(source, val_str(source));
	data = val_set_take(val_object_empty(), S("messages"), list);
	for (size_t i = 0; i < COUNT(texts); i++)
		evaluate(texts[i], &out);
	CHECK_STR(buf_str(&out), "true");
	evaluate(texts[0], &out);
	CHECK_STR(buf_str(&out), "[{\"id\":\"c99\",\"args\":{}}]");
	for (size_t i = 0; i < 100; i++)
		CHECK(val_is_decoded(val_at(list, i)) == (i >= 98));
	CHECK(!val_is_decoded(val_at(val_get(val_at(list, 99), S("tool_calls")), 0)));
	val_drop(data), val_drop(source);
	buf_release(&text), buf_release(&out);
}
