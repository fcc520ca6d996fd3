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

int
arg_kind(struct eval *ev, const struct call *c, size_t i, enum val_kind kind,
    const char *what)
{
	if (i < c->n && c->args[i].v.kind == kind)
		return OK;
	return eval_fail(ev, c->node, "%s wants %s, got %s",
	    expr_function_at(c->node->slot)->name, what,
	    i < c->n ? val_kind_name(c->args[i].v) : "nothing");
}

int
arg_str(struct eval *ev, const struct call *c, size_t i, struct str *out)
{
	int rc = arg_kind(ev, c, i, VAL_STRING, "a string");

	if (rc == OK)
		*out = val_str(c->args[i].v);
	return rc;
}

int
arg_integer(struct eval *ev, const struct call *c, size_t i, int64_t fallback, int64_t *out)
{
	*out = fallback;
	if (i >= c->n)
		return OK;
	int rc = arg_kind(ev, c, i, VAL_INT, "a whole number");
	if (rc == OK)
		*out = c->args[i].v.u.i;
	return rc;
}

static int
arg_number(struct eval *ev, const struct call *c, size_t i, double *out)
{
	*out = 0;
	if (i < c->n && val_is_number(c->args[i].v)) {
		*out = val_number(c->args[i].v);
		return OK;
	}
	return arg_kind(ev, c, i, VAL_DOUBLE, "a number");
}

/* Finishes a string that was put together: charges and takes the buffer. */
int
give_text(struct eval *ev, struct buf *b, struct ref *out)
{
	int rc = eval_bytes(ev, b->failed ? LIMIT_EXPR_BYTES_OUT + 1 : b->n);

	if (rc == OK)
		*out = ref_mine(val_string(buf_str(b)));
	buf_release(b);
	return rc;
}

/* An argument as the result. */
int
give_share(struct eval *ev, struct ref r, struct ref *out)
{
	int rc = r.own == OWN_CONST ? eval_bytes(ev, val_bytes(r.v)) : OK;

	if (rc == OK)
		*out = ref_mine(ref_share(r));
	return rc;
}

static int
give_str(struct eval *ev, struct str s, struct ref *out)
{
	int rc = eval_bytes(ev, s.n + 32);

	if (rc == OK)
		*out = ref_mine(val_string(s));
	return rc;
}

/* ---- characters ---------------------------------------------------------- */

static bool
starts_char(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

/* How many of eight bytes begin a character: all but 10xxxxxx. */
static size_t
starts_of(const char *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof w);
	w = (w & ~w << 1 & UINT64_C(0x8080808080808080)) >> 7;
	return 8 - (size_t)(w * UINT64_C(0x0101010101010101) >> 56);
}

size_t
text_count(struct str s)
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
text_offset(struct str s, size_t at)
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

static ptrdiff_t
text_find(struct str s, struct str what)
{
	const char *at = what.n == 0 ? s.p : s.n == 0 ? NULL :
	    memmem(s.p, s.n, what.p, what.n);

	return what.n == 0 ? 0 : at == NULL ? -1 : at - s.p;
}

/* ---- strings ------------------------------------------------------------- */

static int
fn_starts_with(struct eval *ev, const struct call *c, struct ref *out)
{
	struct str s, part;
	int rc = arg_str(ev, c, 0, &s);

	if (rc == OK)
		rc = arg_str(ev, c, 1, &part);
	if (rc == OK)
		*out = ref_mine(val_bool(str_starts(s, part)));
	return rc;
}

static int
fn_ends_with(struct eval *ev, const struct call *c, struct ref *out)
{
	struct str s, part;
	int rc = arg_str(ev, c, 0, &s);

	if (rc == OK)
		rc = arg_str(ev, c, 1, &part);
	if (rc == OK)
		*out = ref_mine(val_bool(str_ends(s, part)));
	return rc;
}

static int
fn_split(struct eval *ev, const struct call *c, struct ref *out)
{
	struct str s, sep;
	struct val list;
	int rc = arg_str(ev, c, 0, &s);

	if (rc == OK)
		rc = arg_str(ev, c, 1, &sep);
	if (rc == OK)
		rc = eval_bytes(ev, s.n);
	if (rc != OK)
		return rc;
	list = val_array_empty();
	while (rc == OK) {
		/* An empty separator parts the characters. */
		size_t second = sep.n > 0 ? 0 : text_offset(s, 1);
		ptrdiff_t at = sep.n > 0 ? text_find(s, sep) :
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
	if (rc != OK)
		val_drop(list);
	*out = ref_mine(list);
	return rc;
}

static int
fn_join(struct eval *ev, const struct call *c, struct ref *out)
{
	struct buf b = BUF(LIMIT_EXPR_BYTES_OUT);
	struct str sep = S(",");
	int rc = arg_kind(ev, c, 0, VAL_ARRAY, "an array");

	if (rc == OK && c->n > 1)
		rc = arg_str(ev, c, 1, &sep);
	if (rc == OK)
		rc = eval_steps(ev, val_count(c->args[0].v));
	if (rc != OK)
		return rc;
	for (size_t i = 0; i < val_count(c->args[0].v) && !b.failed; i++) {
		struct val v = val_at(c->args[0].v, i);

		if (i > 0)
			buf_add(&b, sep);
		if (v.kind != VAL_NULL && v.kind != VAL_UNDEFINED)
			val_add_text(&b, v);
	}
	return give_text(ev, &b, out);
}

/* ASCII letters only: full Unicode case needs tables and depends on language. */
static int
change_case(struct eval *ev, const struct call *c, char first, char last, struct ref *out)
{
	struct buf b = BUF(LIMIT_EXPR_BYTES_OUT);
	struct str s;
	int rc = arg_str(ev, c, 0, &s);

	if (rc != OK)
		return rc;
	buf_add(&b, s);
	for (size_t i = 0; i < b.n; i++)
		if (b.p[i] >= first && b.p[i] <= last)
			b.p[i] = (char)(b.p[i] ^ 0x20);
	return give_text(ev, &b, out);
}

static int
fn_lower(struct eval *ev, const struct call *c, struct ref *out)
{
	return change_case(ev, c, 'A', 'Z', out);
}

static int
fn_upper(struct eval *ev, const struct call *c, struct ref *out)
{
	return change_case(ev, c, 'a', 'z', out);
}

static int
fn_trim(struct eval *ev, const struct call *c, struct ref *out)
{
	struct str s;
	int rc = arg_str(ev, c, 0, &s);

	return rc == OK ? give_str(ev, str_trim(s), out) : rc;
}

/* replace(text, what, with): every occurrence, literally. */
static int
fn_replace(struct eval *ev, const struct call *c, struct ref *out)
{
	struct buf b = BUF(LIMIT_EXPR_BYTES_OUT);
	struct str s, what, with;
	ptrdiff_t at;
	size_t found = 0;
	int rc = arg_str(ev, c, 0, &s);

	if (rc == OK)
		rc = arg_str(ev, c, 1, &what);
	if (rc == OK)
		rc = arg_str(ev, c, 2, &with);
	if (rc != OK)
		return rc;
	at = what.n > 0 ? text_find(s, what) : -1;
	for (; at >= 0 && !b.failed && rc == OK; found++) {
		rc = eval_steps(ev, found % 4 == 0);
		buf_add(&b, str_sub(s, 0, (size_t)at));
		buf_add(&b, with);
		s = str_sub(s, (size_t)at + what.n, SIZE_MAX);
		at = text_find(s, what);
	}
	buf_add(&b, s);
	if (rc == OK)
		return give_text(ev, &b, out);
	buf_release(&b);
	return rc;
}

static int
fn_repeat(struct eval *ev, const struct call *c, struct ref *out)
{
	struct buf b = BUF(LIMIT_EXPR_BYTES_OUT);
	struct str s;
	int64_t n;
	int rc = arg_str(ev, c, 0, &s);

	if (rc == OK)
		rc = arg_integer(ev, c, 1, 0, &n);
	if (rc == OK && n < 0)
		rc = eval_fail(ev, c->node, "repeat wants a count, got %lld", (long long)n);
	if (rc == OK && s.n > 0)
		rc = eval_steps(ev, n > LIMIT_EXPR_STEPS ? LIMIT_EXPR_STEPS : (size_t)n);
	if (rc != OK)
		return rc;
	for (int64_t i = 0; i < n && s.n > 0 && !b.failed; i++)
		buf_add(&b, s);
	return give_text(ev, &b, out);
}

/* pad(text, width, fill): fill on the left; padEnd: on the right. */
static int
pad(struct eval *ev, const struct call *c, bool left, struct ref *out)
{
	struct buf b = BUF(LIMIT_EXPR_BYTES_OUT);
	struct str s, fill = S(" ");
	int64_t width;
	size_t n;
	int rc = arg_str(ev, c, 0, &s);

	if (rc == OK)
		rc = arg_integer(ev, c, 1, 0, &width);
	if (rc == OK && c->n > 2)
		rc = arg_str(ev, c, 2, &fill);
	if (rc == OK && (width < 0 || width > LIMIT_EXPR_STEPS || text_count(fill) != 1))
		rc = eval_fail(ev, c->node, "padding wants a width and one character");
	if (rc == OK)
		rc = eval_steps(ev, (size_t)width);
	if (rc != OK)
		return rc;
	n = text_count(s);
	if (!left)
		buf_add(&b, s);
	for (; n < (size_t)width; n++)
		buf_add(&b, fill);
	if (left)
		buf_add(&b, s);
	return give_text(ev, &b, out);
}

static int
fn_pad_start(struct eval *ev, const struct call *c, struct ref *out)
{
	return pad(ev, c, true, out);
}

static int
fn_pad_end(struct eval *ev, const struct call *c, struct ref *out)
{
	return pad(ev, c, false, out);
}

/* ---- conversions --------------------------------------------------------- */

/* number(x, otherwise): text that is no number gives `otherwise`, or fails. */
static int
fn_number(struct eval *ev, const struct call *c, struct ref *out)
{
	struct val v = c->args[0].v;
	int64_t i;
	double d;

	if (val_is_number(v)) {
		*out = ref_mine(v);
		return OK;
	}
	if (v.kind == VAL_BOOL) {
		*out = ref_mine(val_int(v.u.b));
		return OK;
	}
	if (v.kind == VAL_STRING && str_to_i64(str_trim(val_str(v)), &i)) {
		*out = ref_mine(val_int(i));
		return OK;
	}
	if (v.kind == VAL_STRING && str_to_double(str_trim(val_str(v)), &d)) {
		*out = ref_mine(val_double(d));
		return OK;
	}
	if (c->n > 1) {
		return give_share(ev, c->args[1], out);
	}
	return eval_fail(ev, c->node, "number: cannot make a number of %s",
	    v.kind == VAL_STRING ? "this string" : val_kind_name(v));
}

static int
fn_string(struct eval *ev, const struct call *c, struct ref *out)
{
	struct buf b = BUF(LIMIT_EXPR_BYTES_OUT);

	val_add_text(&b, c->args[0].v);
	return give_text(ev, &b, out);
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
	return give_text(ev, &b, out);
}

/* parse(text, otherwise): the value of JSON text. */
static int
fn_parse(struct eval *ev, const struct call *c, struct ref *out)
{
	struct str text;
	struct err why;
	struct val v;
	int rc = arg_str(ev, c, 0, &text);

	if (rc == OK)
		rc = eval_bytes(ev, 2 * text.n);
	if (rc != OK)
		return rc;
	if (json_text_to_val(text, &v, &why) == OK) {
		*out = ref_mine(v);
		return OK;
	}
	if (c->n > 1) {
		return give_share(ev, c->args[1], out);
	}
	return eval_fail(ev, c->node, "parse: %s", why.text);
}

/* ---- numbers ------------------------------------------------------------- */

static int
fn_abs(struct eval *ev, const struct call *c, struct ref *out)
{
	double d;
	int rc = arg_number(ev, c, 0, &d);
	struct val v = c->args[0].v;

	if (rc == OK && v.kind == VAL_INT && v.u.i != INT64_MIN)
		*out = ref_mine(val_int(v.u.i < 0 ? -v.u.i : v.u.i));
	else if (rc == OK)
		*out = ref_mine(val_double(fabs(d)));
	return rc;
}

static int
rounded(struct eval *ev, const struct call *c, double (*fn)(double), struct ref *out)
{
	double d;
	int rc = arg_number(ev, c, 0, &d);

	if (rc == OK)
		*out = ref_mine(c->args[0].v.kind == VAL_INT ? c->args[0].v :
		    val_double(fn(d)));
	return rc;
}

static int
fn_floor(struct eval *ev, const struct call *c, struct ref *out)
{
	return rounded(ev, c, floor, out);
}

static int
fn_ceil(struct eval *ev, const struct call *c, struct ref *out)
{
	return rounded(ev, c, ceil, out);
}

/* round(x) to a whole number, halves up as in JavaScript; round(x, digits). */
static int
fn_round(struct eval *ev, const struct call *c, struct ref *out)
{
	int64_t digits;
	double d, scale, r;
	int rc = arg_number(ev, c, 0, &d);

	if (rc == OK)
		rc = arg_integer(ev, c, 1, 0, &digits);
	if (rc == OK && (digits < 0 || digits > 15))
		rc = eval_fail(ev, c->node, "round wants 0 to 15 digits");
	if (rc != OK)
		return rc;
	scale = pow(10, (double)digits);
	r = floor(d * scale + 0.5) / scale;
	*out = ref_mine(c->args[0].v.kind == VAL_INT || !isfinite(r) ? c->args[0].v :
	    val_double(r));
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
	double base, exponent;
	int rc = arg_number(ev, c, 0, &base);

	if (rc == OK)
		rc = arg_number(ev, c, 1, &exponent);
	return rc == OK ? give_number(ev, c, pow(base, exponent), out) : rc;
}

static int
fn_sqrt(struct eval *ev, const struct call *c, struct ref *out)
{
	double d;
	int rc = arg_number(ev, c, 0, &d);

	return rc == OK ? give_number(ev, c, sqrt(d), out) : rc;
}

/* min and max of the arguments, or of one array. */
static int
extreme(struct eval *ev, const struct call *c, int sign, struct ref *out)
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
		if (i == 0 || val_order(v, best) * sign > 0)
			best = v;
	}
	if (rc == OK)
		rc = eval_bytes(ev, val_bytes(best));
	if (rc == OK)
		*out = ref_mine(val_copy(best));
	return rc;
}

static int
fn_min(struct eval *ev, const struct call *c, struct ref *out)
{
	return extreme(ev, c, -1, out);
}

static int
fn_max(struct eval *ev, const struct call *c, struct ref *out)
{
	return extreme(ev, c, 1, out);
}

/* ---- the table ----------------------------------------------------------- */

static int
fn_coalesce(struct eval *ev, const struct call *c, struct ref *out)
{
	size_t i = 0;

	while (i < c->n && val_is_nothing(c->args[i].v))
		i++;
	if (i < c->n)
		return give_share(ev, c->args[i], out);
	*out = ref_mine(VAL_NIL);
	return OK;
}

/* Two names of one function are two rows: JavaScript's, which authors and
 * models know, and the short one. */
static const struct expr_function functions[] = {
	{ "abs", 1, 1, LAMBDA_NEVER, fn_abs },
	{ "all", 1, 2, LAMBDA_MAYBE, fn_all },
	{ "any", 1, 2, LAMBDA_MAYBE, fn_any },
	{ "bool", 1, 1, LAMBDA_NEVER, fn_bool },
	{ "ceil", 1, 1, LAMBDA_NEVER, fn_ceil },
	{ "coalesce", 1, 0, LAMBDA_NEVER, fn_coalesce },
	{ "concat", 1, 0, LAMBDA_NEVER, fn_concat },
	{ "contains", 2, 2, LAMBDA_NEVER, fn_contains },
	{ "count", 1, 2, LAMBDA_MAYBE, fn_count },
	{ "endsWith", 2, 2, LAMBDA_NEVER, fn_ends_with },
	{ "entries", 1, 1, LAMBDA_NEVER, fn_entries },
	{ "every", 1, 2, LAMBDA_MAYBE, fn_all },
	{ "filter", 2, 2, LAMBDA_ALWAYS, fn_filter },
	{ "find", 2, 2, LAMBDA_ALWAYS, fn_find },
	{ "first", 1, 1, LAMBDA_NEVER, fn_first },
	{ "flatten", 1, 1, LAMBDA_NEVER, fn_flatten },
	{ "floor", 1, 1, LAMBDA_NEVER, fn_floor },
	{ "get", 2, 3, LAMBDA_NEVER, fn_get },
	{ "groupBy", 2, 2, LAMBDA_ALWAYS, fn_group_by },
	{ "has", 2, 2, LAMBDA_NEVER, fn_has },
	{ "includes", 2, 2, LAMBDA_NEVER, fn_contains },
	{ "indexOf", 2, 2, LAMBDA_NEVER, fn_index_of },
	{ "join", 1, 2, LAMBDA_NEVER, fn_join },
	{ "json", 1, 1, LAMBDA_NEVER, fn_json },
	{ "keys", 1, 1, LAMBDA_NEVER, fn_keys },
	{ "last", 1, 1, LAMBDA_NEVER, fn_last },
	{ "len", 1, 1, LAMBDA_NEVER, fn_len },
	{ "lower", 1, 1, LAMBDA_NEVER, fn_lower },
	{ "map", 2, 2, LAMBDA_ALWAYS, fn_map },
	{ "max", 1, 0, LAMBDA_NEVER, fn_max },
	{ "merge", 1, 0, LAMBDA_NEVER, fn_merge },
	{ "min", 1, 0, LAMBDA_NEVER, fn_min },
	{ "number", 1, 2, LAMBDA_NEVER, fn_number },
	{ "omit", 2, 0, LAMBDA_NEVER, fn_omit },
	{ "padEnd", 2, 3, LAMBDA_NEVER, fn_pad_end },
	{ "padStart", 2, 3, LAMBDA_NEVER, fn_pad_start },
	{ "parse", 1, 2, LAMBDA_NEVER, fn_parse },
	{ "pick", 2, 0, LAMBDA_NEVER, fn_pick },
	{ "pow", 2, 2, LAMBDA_NEVER, fn_pow },
	{ "range", 1, 2, LAMBDA_NEVER, fn_range },
	{ "repeat", 2, 2, LAMBDA_NEVER, fn_repeat },
	{ "replace", 3, 3, LAMBDA_NEVER, fn_replace },
	{ "reverse", 1, 1, LAMBDA_NEVER, fn_reverse },
	{ "round", 1, 2, LAMBDA_NEVER, fn_round },
	{ "slice", 2, 3, LAMBDA_NEVER, fn_slice },
	{ "some", 1, 2, LAMBDA_MAYBE, fn_any },
	{ "sort", 1, 2, LAMBDA_MAYBE, fn_sort },
	{ "split", 2, 2, LAMBDA_NEVER, fn_split },
	{ "sqrt", 1, 1, LAMBDA_NEVER, fn_sqrt },
	{ "startsWith", 2, 2, LAMBDA_NEVER, fn_starts_with },
	{ "string", 1, 1, LAMBDA_NEVER, fn_string },
	{ "sum", 1, 2, LAMBDA_MAYBE, fn_sum },
	{ "toLowerCase", 1, 1, LAMBDA_NEVER, fn_lower },
	{ "toUpperCase", 1, 1, LAMBDA_NEVER, fn_upper },
	{ "trim", 1, 1, LAMBDA_NEVER, fn_trim },
	{ "unique", 1, 1, LAMBDA_NEVER, fn_unique },
	{ "upper", 1, 1, LAMBDA_NEVER, fn_upper },
	{ "values", 1, 1, LAMBDA_NEVER, fn_values },
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
	const char *best = NULL;
	unsigned nearest = 3;

	for (size_t i = 0; i < COUNT(functions); i++) {
		unsigned d = str_distance(name, str_of(functions[i].name), 2);

		if (d < nearest) {
			nearest = d;
			best = functions[i].name;
		}
	}
	return best;
}
