/*
 * expr_func.c - the functions of the language, one row each.
 *
 * All are pure and total.  Positions and lengths in strings count characters
 * (code points).  Work is charged by element (eval_steps), memory by what is
 * made (eval_bytes).  Functions over lists are in expr_list.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chart/expr_func_priv.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

/* ---- arguments ----------------------------------------------------------- */

/* The kinds of arguments, by their letter in a row's `args`. */
static const struct arg_kind {
	char letter;
	const char *what;
	unsigned kinds;              /* 1 << enum val_kind */
} arg_kinds[] = {
	{ 's', "a string", 1u << VAL_STRING },
	{ 'a', "an array", 1u << VAL_ARRAY },
	{ 'o', "an object", 1u << VAL_OBJECT },
	{ 'i', "a whole number", 1u << VAL_INT },
	{ 'n', "a number", 1u << VAL_INT | 1u << VAL_DOUBLE },
};

int
call_check(struct eval *ev, const struct call *c, size_t i, char letter)
{
	for (size_t k = 0; k < COUNT(arg_kinds); k++)
		if (arg_kinds[k].letter == letter &&
		    (arg_kinds[k].kinds >> c->args[i].v.kind & 1) == 0)
			return eval_fail(ev, c->node, "%s wants %s, got %s", c->f->name,
			    arg_kinds[k].what, val_kind_name(c->args[i].v));
	return OK;
}

int
expr_function_call(struct eval *ev, const struct call *c, struct ref *out)
{
	const char *letter = c->f->args;
	int rc = OK;

	for (size_t i = 0; i < c->n && rc == OK; i++) {
		letter += *letter == '?';
		rc = call_check(ev, c, i, *letter);
		letter += letter[1] != '*';
	}
	return rc == OK ? c->f->fn(ev, c, out) : rc;
}

struct expr_arity
expr_function_arity(const struct expr_function *f)
{
	struct expr_arity a = { 0 };
	bool optional = false;

	for (const char *p = f->args; *p != '\0'; p++) {
		if (*p == '?') {
			optional = true;
		} else if (*p == '*') {
			a.max = EXPR_ARGS;
		} else {
			a.min += !optional;
			a.max++;
			a.takes_lambda = *p == 'f';
			a.wants_lambda = *p == 'f' && !optional;
		}
	}
	return a;
}

/* Argument i, a string; the fallback if it is omitted. */
static struct str
call_str(const struct call *c, size_t i, struct str fallback)
{
	return i < c->n ? val_str(c->args[i].v) : fallback;
}

int64_t
call_int(const struct call *c, size_t i, int64_t fallback)
{
	return i < c->n ? c->args[i].v.u.i : fallback;
}

int
call_give_text(struct eval *ev, struct buf *b, int rc, struct ref *out)
{
	if (rc == OK)
		rc = eval_bytes(ev, b->failed ? LIMIT_EXPR_BYTES_OUT + 1 : b->n);
	if (rc == OK)
		*out = ref_mine(val_string(buf_str(b)));
	buf_release(b);
	return rc;
}

int
call_give_list(struct val list, int rc, struct ref *out)
{
	if (rc == OK)
		*out = ref_mine(list);
	else
		val_drop(list);
	return rc;
}

int
call_give_share(struct eval *ev, struct ref r, struct ref *out)
{
	int rc = r.own == OWN_CONST ? eval_bytes(ev, val_bytes(r.v)) : OK;

	if (rc == OK)
		*out = ref_mine(ref_share(r));
	return rc;
}

/* ---- characters ---------------------------------------------------------- */

static bool
starts_char(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

/* The number of characters that start in eight bytes: all but 10xxxxxx. */
static size_t
starts_of(const char *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof w);
	w = (w & ~w << 1 & UINT64_C(0x8080808080808080)) >> 7;
	return 8 - (size_t)(w * UINT64_C(0x0101010101010101) >> 56);
}

size_t
expr_text_count(struct str s)
{
	size_t n = 0, i = 0;

	for (; i + 8 <= s.n; i += 8)
		n += starts_of(s.p + i);
	for (; i < s.n; i++)
		n += starts_char(s.p[i]);
	return n;
}

/* The byte where character `at` begins; s.n past the end. */
size_t
expr_text_offset(struct str s, size_t at)
{
	size_t i = 0;

	for (; i + 8 <= s.n && at >= 8; i += 8)
		at -= starts_of(s.p + i);
	for (; i < s.n; i++) {
		if (!starts_char(s.p[i]))
			continue;
		if (at-- == 0)
			return i;
	}
	return s.n;
}

ptrdiff_t
expr_text_find(struct str s, struct str what)
{
	const char *at = what.n == 0 ? s.p : s.n == 0 ? NULL :
	    memmem(s.p, s.n, what.p, what.n);

	return what.n == 0 ? 0 : at == NULL ? -1 : at - s.p;
}

/* ---- strings ------------------------------------------------------------- */

static int
fn_affix(struct eval *ev, const struct call *c, struct ref *out)
{
	struct str s = val_str(c->args[0].v), part = val_str(c->args[1].v);

	(void)ev;
	*out = ref_mine(val_bool(c->f->how == AT_START ? str_starts(s, part) :
	    str_ends(s, part)));
	return OK;
}

static int
fn_split(struct eval *ev, const struct call *c, struct ref *out)
{
	struct str s = val_str(c->args[0].v), sep = val_str(c->args[1].v);
	struct val list = val_array_empty();
	int rc = eval_bytes(ev, s.n);

	while (rc == OK) {
		/* An empty separator separates the characters. */
		size_t second = sep.n > 0 ? 0 : expr_text_offset(s, 1);
		ptrdiff_t at = sep.n > 0 ? expr_text_find(s, sep) :
		    second < s.n ? (ptrdiff_t)second : -1;

		if (sep.n == 0 && s.n == 0)
			break;
		list = val_push_take(list, val_string(at < 0 ? s : str_sub(s, 0, (size_t)at)));
		rc = eval_steps(ev, 1);
		if (rc == OK)
			rc = eval_bytes(ev, 48);
		if (at < 0)
			break;
		s = str_sub(s, (size_t)at + sep.n, SIZE_MAX);
	}
	return call_give_list(list, rc, out);
}

static int
fn_join(struct eval *ev, const struct call *c, struct ref *out)
{
	struct buf b = BUF(LIMIT_EXPR_BYTES_OUT);
	struct val list = c->args[0].v;
	int rc = eval_steps(ev, val_count(list));

	for (size_t i = 0; rc == OK && i < val_count(list) && !b.failed; i++) {
		if (i > 0)
			buf_add(&b, call_str(c, 1, S(",")));
		if (!val_is_nothing(val_at(list, i)))
			val_add_text(&b, val_at(list, i));
	}
	return call_give_text(ev, &b, rc, out);
}

/* ASCII letters only: full Unicode case needs tables and depends on language. */
static int
fn_case(struct eval *ev, const struct call *c, struct ref *out)
{
	char first = c->f->how == CASE_LOWER ? 'A' : 'a';
	struct buf b = BUF(LIMIT_EXPR_BYTES_OUT);

	buf_add(&b, val_str(c->args[0].v));
	for (size_t i = 0; i < b.n; i++)
		if (b.p[i] >= first && b.p[i] <= first + 25)
			b.p[i] = (char)(b.p[i] ^ 0x20);
	return call_give_text(ev, &b, OK, out);
}

static int
fn_trim(struct eval *ev, const struct call *c, struct ref *out)
{
	struct str s = str_trim(val_str(c->args[0].v));
	int rc = eval_bytes(ev, s.n + 32);

	if (rc == OK)
		*out = ref_mine(val_string(s));
	return rc;
}

/* replace(text, what, with): every occurrence, literally. */
static int
fn_replace(struct eval *ev, const struct call *c, struct ref *out)
{
	struct buf b = BUF(LIMIT_EXPR_BYTES_OUT);
	struct str s = val_str(c->args[0].v), what = val_str(c->args[1].v);
	ptrdiff_t at = what.n > 0 ? expr_text_find(s, what) : -1;
	int rc = OK;

	for (size_t found = 0; at >= 0 && !b.failed && rc == OK; found++) {
		rc = eval_steps(ev, found % 4 == 0);
		buf_add(&b, str_sub(s, 0, (size_t)at));
		buf_add(&b, val_str(c->args[2].v));
		s = str_sub(s, (size_t)at + what.n, SIZE_MAX);
		at = expr_text_find(s, what);
	}
	buf_add(&b, s);
	return call_give_text(ev, &b, rc, out);
}

static int
fn_repeat(struct eval *ev, const struct call *c, struct ref *out)
{
	struct buf b = BUF(LIMIT_EXPR_BYTES_OUT);
	struct str s = val_str(c->args[0].v);
	int64_t n = c->args[1].v.u.i;
	int rc = OK;

	if (n < 0)
		return eval_fail(ev, c->node, "repeat wants a count, got %lld", (long long)n);
	if (s.n > 0)
		rc = eval_steps(ev, n > LIMIT_EXPR_STEPS ? LIMIT_EXPR_STEPS : (size_t)n);
	for (int64_t i = 0; rc == OK && i < n && s.n > 0 && !b.failed; i++)
		buf_add(&b, s);
	return call_give_text(ev, &b, rc, out);
}

/* padStart(text, width, fill): fill on the left; padEnd: on the right. */
static int
fn_pad(struct eval *ev, const struct call *c, struct ref *out)
{
	struct buf b = BUF(LIMIT_EXPR_BYTES_OUT);
	struct str s = val_str(c->args[0].v), fill = call_str(c, 2, S(" "));
	int64_t width = c->args[1].v.u.i;
	int rc;

	if (width < 0 || width > LIMIT_EXPR_STEPS || expr_text_count(fill) != 1)
		return eval_fail(ev, c->node, "padding wants a width and one character");
	rc = eval_steps(ev, (size_t)width);
	if (c->f->how == AT_END)
		buf_add(&b, s);
	for (size_t n = expr_text_count(s); rc == OK && n < (size_t)width; n++)
		buf_add(&b, fill);
	if (c->f->how == AT_START)
		buf_add(&b, s);
	return call_give_text(ev, &b, rc, out);
}

/* ---- conversions --------------------------------------------------------- */

/* number(x, otherwise): a string that is not a number gives `otherwise`, or fails. */
static int
fn_number(struct eval *ev, const struct call *c, struct ref *out)
{
	struct val v = c->args[0].v;
	struct str s = v.kind == VAL_STRING ? str_trim(val_str(v)) : STR_NONE;
	int64_t i;
	double d;

	if (v.kind == VAL_BOOL)
		v = val_int(v.u.b);
	else if (str_to_i64(s, &i))
		v = val_int(i);
	else if (str_to_double(s, &d))
		v = val_double(d);
	if (val_is_number(v)) {
		*out = ref_mine(v);
		return OK;
	}
	if (c->n > 1)
		return call_give_share(ev, c->args[1], out);
	return eval_fail(ev, c->node, "number: cannot make a number of %s",
	    v.kind == VAL_STRING ? "this string" : val_kind_name(v));
}

static int
fn_string(struct eval *ev, const struct call *c, struct ref *out)
{
	struct buf b = BUF(LIMIT_EXPR_BYTES_OUT);

	val_add_text(&b, c->args[0].v);
	return call_give_text(ev, &b, OK, out);
}

static int
fn_bool(struct eval *ev, const struct call *c, struct ref *out)
{
	(void)ev;
	*out = ref_mine(val_bool(val_truthy(c->args[0].v)));
	return OK;
}

static int
fn_json(struct eval *ev, const struct call *c, struct ref *out)
{
	struct buf b = BUF(LIMIT_EXPR_BYTES_OUT);

	if (c->args[0].v.kind == VAL_UNDEFINED)
		buf_lit(&b, "null");
	else
		val_add_json(&b, c->args[0].v);
	return call_give_text(ev, &b, OK, out);
}

/* parse(text, otherwise): the value of JSON text. */
static int
fn_parse(struct eval *ev, const struct call *c, struct ref *out)
{
	struct str text = val_str(c->args[0].v);
	struct err why;
	struct val v;
	int rc = eval_bytes(ev, 2 * text.n);

	if (rc != OK)
		return rc;
	if (json_text_to_val(text, &v, &why) == OK) {
		*out = ref_mine(v);
		return OK;
	}
	if (c->n > 1)
		return call_give_share(ev, c->args[1], out);
	return eval_fail(ev, c->node, "parse: %s", why.text);
}

/* ---- numbers ------------------------------------------------------------- */

static int
fn_abs(struct eval *ev, const struct call *c, struct ref *out)
{
	struct val v = c->args[0].v;

	(void)ev;
	*out = ref_mine(v.kind == VAL_INT && v.u.i != INT64_MIN ?
	    val_int(v.u.i < 0 ? -v.u.i : v.u.i) : val_double(fabs(val_number(v))));
	return OK;
}

/* floor, ceil, and round(x, digits): halves up as in JavaScript. */
static int
fn_round(struct eval *ev, const struct call *c, struct ref *out)
{
	struct val v = c->args[0].v;
	int64_t digits = call_int(c, 1, 0);
	double d = val_number(v), scale;

	if (digits < 0 || digits > 15)
		return eval_fail(ev, c->node, "round wants 0 to 15 digits");
	scale = pow(10, (double)digits);
	d = c->f->how == ROUND_DOWN ? floor(d) : c->f->how == ROUND_UP ? ceil(d) :
	    floor(d * scale + 0.5) / scale;
	*out = ref_mine(v.kind == VAL_INT || !isfinite(d) ? v : val_double(d));
	return OK;
}

static int
give_number(struct eval *ev, const struct call *c, double d, struct ref *out)
{
	if (!isfinite(d))
		return eval_fail(ev, c->node, "the result is not a finite number");
	*out = ref_mine(val_double(d));
	return OK;
}

static int
fn_pow(struct eval *ev, const struct call *c, struct ref *out)
{
	return give_number(ev, c, pow(val_number(c->args[0].v),
	    val_number(c->args[1].v)), out);
}

static int
fn_sqrt(struct eval *ev, const struct call *c, struct ref *out)
{
	return give_number(ev, c, sqrt(val_number(c->args[0].v)), out);
}

/* min and max of the arguments, or of one array. */
static int
fn_extreme(struct eval *ev, const struct call *c, struct ref *out)
{
	bool array = c->n == 1 && c->args[0].v.kind == VAL_ARRAY;
	size_t n = array ? val_count(c->args[0].v) : c->n;
	struct val best = VAL_UNDEF;
	int rc = eval_steps(ev, n);

	for (size_t i = 0; i < n && rc == OK; i++) {
		struct val v = array ? val_at(c->args[0].v, i) : c->args[i].v;

		if (v.kind == VAL_STRING)
			rc = eval_look(ev, val_str(v).n);
		if (!val_is_number(v) && v.kind != VAL_STRING)
			return eval_fail(ev, c->node, "min and max want numbers or strings, "
			    "got %s", val_kind_name(v));
		if (i > 0 && (v.kind == VAL_STRING) != (best.kind == VAL_STRING))
			return eval_fail(ev, c->node, "min and max want values of one kind");
		if (i == 0 || val_order(v, best) * c->f->how > 0)
			best = v;
	}
	if (rc == OK)
		rc = eval_bytes(ev, val_bytes(best));
	if (rc == OK)
		*out = ref_mine(val_copy(best));
	return rc;
}

/* ---- the table ----------------------------------------------------------- */

static int
fn_coalesce(struct eval *ev, const struct call *c, struct ref *out)
{
	size_t i = 0;

	while (i < c->n && val_is_nothing(c->args[i].v))
		i++;
	if (i < c->n)
		return call_give_share(ev, c->args[i], out);
	*out = ref_mine(VAL_NIL);
	return OK;
}

/* Some functions have two names: JavaScript's and a short one. */
static const struct expr_function functions[] = {
	{ "abs", "n", fn_abs, 0 },
	{ "all", "a?f", expr_fn_search, SEARCH_ALL },
	{ "any", "a?f", expr_fn_search, SEARCH_ANY },
	{ "bool", ".", fn_bool, 0 },
	{ "ceil", "n", fn_round, ROUND_UP },
	{ "coalesce", ".*", fn_coalesce, 0 },
	{ "concat", ".*", expr_fn_concat, 0 },
	{ "contains", "..", expr_fn_index_of, INDEX_IS_THERE },
	{ "count", "a?f", expr_fn_search, SEARCH_COUNT },
	{ "endsWith", "ss", fn_affix, AT_END },
	{ "entries", "o", expr_fn_parts, PART_BOTH },
	{ "every", "a?f", expr_fn_search, SEARCH_ALL },
	{ "filter", "af", expr_fn_filter, 0 },
	{ "find", "af", expr_fn_search, SEARCH_FIND },
	{ "first", "a", expr_fn_end, AT_START },
	{ "flatten", "a", expr_fn_flatten, 0 },
	{ "floor", "n", fn_round, ROUND_DOWN },
	{ "get", ".s?.", expr_fn_get, 0 },
	{ "groupBy", "af", expr_fn_group_by, 0 },
	{ "has", "os", expr_fn_has, 0 },
	{ "includes", "..", expr_fn_index_of, INDEX_IS_THERE },
	{ "indexOf", "..", expr_fn_index_of, INDEX_WHERE },
	{ "join", "a?s", fn_join, 0 },
	{ "json", ".", fn_json, 0 },
	{ "keys", "o", expr_fn_parts, PART_KEY },
	{ "last", "a", expr_fn_end, AT_END },
	{ "len", ".", expr_fn_len, 0 },
	{ "lower", "s", fn_case, CASE_LOWER },
	{ "map", "af", expr_fn_map, 0 },
	{ "max", ".*", fn_extreme, 1 },
	{ "merge", ".*", expr_fn_merge, 0 },
	{ "min", ".*", fn_extreme, -1 },
	{ "number", ".?.", fn_number, 0 },
	{ "omit", "os*", expr_fn_keep_keys, KEEP_OTHERS },
	{ "padEnd", "si?s", fn_pad, AT_END },
	{ "padStart", "si?s", fn_pad, AT_START },
	{ "parse", "s?.", fn_parse, 0 },
	{ "pick", "os*", expr_fn_keep_keys, KEEP_NAMED },
	{ "pow", "nn", fn_pow, 0 },
	{ "range", "i?i", expr_fn_range, 0 },
	{ "repeat", "si", fn_repeat, 0 },
	{ "replace", "sss", fn_replace, 0 },
	{ "reverse", "a", expr_fn_reverse, 0 },
	{ "round", "n?i", fn_round, ROUND_NEAREST },
	{ "slice", ".i?i", expr_fn_slice, 0 },
	{ "some", "a?f", expr_fn_search, SEARCH_ANY },
	{ "sort", "a?f", expr_fn_sort, 0 },
	{ "split", "ss", fn_split, 0 },
	{ "sqrt", "n", fn_sqrt, 0 },
	{ "startsWith", "ss", fn_affix, AT_START },
	{ "string", ".", fn_string, 0 },
	{ "sum", "a?f", expr_fn_sum, 0 },
	{ "toLowerCase", "s", fn_case, CASE_LOWER },
	{ "toUpperCase", "s", fn_case, CASE_UPPER },
	{ "trim", "s", fn_trim, 0 },
	{ "unique", "a", expr_fn_unique, 0 },
	{ "upper", "s", fn_case, CASE_UPPER },
	{ "values", "o", expr_fn_parts, PART_VALUE },
};

int
expr_function_find(struct str name)
{
	for (size_t i = 0; i < COUNT(functions); i++)
		if (str_eq(name, str_of(functions[i].name)))
			return (int)i;
	return -1;
}

const struct expr_function *
expr_function_at(int index)
{
	assert(index >= 0 && (size_t)index < COUNT(functions));
	return &functions[index];
}

const char *
expr_function_near(struct str name)
{
	struct str_near near = { .word = name };

	for (size_t i = 0; i < COUNT(functions); i++)
		str_near_try(&near, functions[i].name);
	return near.best;
}
