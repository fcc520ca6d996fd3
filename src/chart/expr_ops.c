/*
 * expr_ops.c - what the operators do with two values.
 *
 * Whole numbers stay whole until they overflow; then, and for fractions, it
 * is double arithmetic, and a result that is not finite is an error.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chart/expr_priv.h"

#include <math.h>

static bool
is_container(struct val v)
{
	return v.kind == VAL_ARRAY || v.kind == VAL_OBJECT;
}

static struct val
int_arith(enum op op, int64_t a, int64_t b)
{
	int64_t r;

	if (op == X_ADD && !__builtin_add_overflow(a, b, &r))
		return val_int(r);
	if (op == X_SUB && !__builtin_sub_overflow(a, b, &r))
		return val_int(r);
	if (op == X_MUL && !__builtin_mul_overflow(a, b, &r))
		return val_int(r);
	if (op == X_MOD)
		return val_int(b == -1 ? 0 : a % b);
	if (op == X_DIV && b != -1 && a % b == 0)
		return val_int(a / b);
	return op == X_ADD ? val_double((double)a + (double)b) :
	    op == X_SUB ? val_double((double)a - (double)b) :
	    op == X_MUL ? val_double((double)a * (double)b) :
	    val_double((double)a / (double)b);
}

static int
arith(struct eval *ev, const struct node *n, struct val a, struct val b,
    struct ref *out)
{
	double x = val_number(a), y = val_number(b), r;

	if (!val_is_number(a) || !val_is_number(b))
		return eval_fail(ev, n, "arithmetic wants two numbers, got %s and %s",
		    val_kind_name(a), val_kind_name(b));
	if ((n->op == X_DIV || n->op == X_MOD) && y == 0)
		return eval_fail(ev, n, "division by zero");
	out->own = OWN_MINE;
	if (a.kind == VAL_INT && b.kind == VAL_INT) {
		out->v = int_arith((enum op)n->op, a.u.i, b.u.i);
		return OK;
	}
	r = n->op == X_ADD ? x + y : n->op == X_SUB ? x - y : n->op == X_MUL ? x * y :
	    n->op == X_DIV ? x / y : fmod(x, y);
	if (!isfinite(r))
		return eval_fail(ev, n, "the result is not a finite number");
	out->v = val_double(r);
	return OK;
}

static bool
joins_string(struct val v)
{
	return v.kind == VAL_STRING || val_is_number(v) || v.kind == VAL_BOOL;
}

/* Strings join with strings, numbers and booleans; arrays with arrays. */
static int
add(struct eval *ev, const struct node *n, struct ref a, struct ref b, struct ref *out)
{
	struct buf text = BUF(LIMIT_EXPR_BYTES_OUT);
	int rc;

	if (a.v.kind == VAL_ARRAY && b.v.kind == VAL_ARRAY) {
		size_t count = val_count(b.v);
		struct val sum;

		rc = eval_bytes(ev, 32 + 16 * (val_count(a.v) + count));
		if (rc == OK)
			rc = eval_steps(ev, val_count(a.v) + count);
		if (rc != OK)
			return rc;
		sum = val_ref(a.v);
		for (size_t i = 0; i < count; i++)
			sum = val_push_take(sum, val_ref(val_at(b.v, i)));
		*out = ref_mine(sum);
		return OK;
	}
	if ((a.v.kind != VAL_STRING && b.v.kind != VAL_STRING) ||
	    !joins_string(a.v) || !joins_string(b.v))
		return arith(ev, n, a.v, b.v, out);
	val_add_text(&text, a.v);
	val_add_text(&text, b.v);
	rc = eval_bytes(ev, text.failed ? LIMIT_EXPR_BYTES_OUT + 1 : text.n);
	if (rc == OK)
		*out = ref_mine(val_string(buf_str(&text)));
	buf_release(&text);
	return rc;
}

static int
compare(struct eval *ev, const struct node *n, struct val a, struct val b, bool *out)
{
	int order;

	if (a.kind == VAL_INT && b.kind == VAL_INT) {
		order = (a.u.i > b.u.i) - (a.u.i < b.u.i);
	} else if (val_is_number(a) && val_is_number(b)) {
		double x = val_number(a), y = val_number(b);

		order = (x > y) - (x < y);
	} else if (a.kind == VAL_STRING && b.kind == VAL_STRING) {
		int rc = eval_look(ev, val_str(a).n);

		if (rc != OK)
			return rc;
		order = str_cmp(val_str(a), val_str(b));
	} else {
		return eval_fail(ev, n, "cannot compare %s with %s", val_kind_name(a),
		    val_kind_name(b));
	}
	*out = n->op == X_LT ? order < 0 : n->op == X_LE ? order <= 0 :
	    n->op == X_GT ? order > 0 : order >= 0;
	return OK;
}

static int
equal(struct eval *ev, const struct node *n, struct val a, struct val b, bool *out)
{
	bool strict = n->op == X_SEQ || n->op == X_SNE;

	*out = true;
	if (!strict && val_is_nothing(a) && val_is_nothing(b))
		return OK;
	return eval_equal(ev, a, b, out);
}

/* Containers and strings of different lengths are not compared further. */
int
eval_equal(struct eval *ev, struct val a, struct val b, bool *out)
{
	size_t n;
	int rc = OK;

	*out = false;
	if (a.kind == VAL_STRING && b.kind == VAL_STRING) {
		if (val_str(a).n != val_str(b).n)
			return OK;
		rc = eval_look(ev, val_str(a).n);
	} else if (is_container(a) && a.kind == b.kind) {
		if (val_count(a) != val_count(b))
			return OK;
		n = val_bytes(a) < val_bytes(b) ? val_bytes(a) : val_bytes(b);
		rc = eval_steps(ev, n / 32);
	}
	if (rc == OK)
		*out = val_equal(a, b);
	return rc;
}

static int
bits(struct eval *ev, const struct node *n, struct val a, struct val b, struct ref *out)
{
	bool bools = a.kind == VAL_BOOL && b.kind == VAL_BOOL;
	int64_t x, y, r;

	if (!bools && (a.kind != VAL_INT || b.kind != VAL_INT))
		return eval_fail(ev, n, "bit operators want two whole numbers, got %s and %s",
		    val_kind_name(a), val_kind_name(b));
	x = bools ? a.u.b : a.u.i;
	y = bools ? b.u.b : b.u.i;
	r = n->op == X_BITOR ? x | y : n->op == X_BITXOR ? x ^ y : x & y;
	*out = ref_mine(bools ? val_bool(r != 0) : val_int(r));
	return OK;
}

static int
member_of(struct eval *ev, const struct node *n, struct val key, struct val v, bool *out)
{
	if (v.kind == VAL_OBJECT && key.kind == VAL_STRING) {
		*out = val_has(v, val_str(key));
		return eval_look(ev, val_str(key).n);
	}
	if (v.kind == VAL_ARRAY) {
		size_t count = val_count(v);
		int rc = eval_steps(ev, count);

		*out = false;
		for (size_t i = 0; i < count && !*out && rc == OK; i++)
			rc = eval_equal(ev, val_at(v, i), key, out);
		return rc;
	}
	return eval_fail(ev, n, "'in' wants a string and an object, or an array; got %s in %s",
	    val_kind_name(key), val_kind_name(v));
}

/* Only Array and Object, which documents written for JavaScript use. */
int
eval_instance_of(struct eval *ev, const struct node *n, struct val v, bool *out)
{
	const struct node *right = &ev->x->nodes[n->b];
	struct str name = right->op == X_NAME ? val_str(right->k) : STR_NONE;

	if (str_eq(name, S("Array")))
		*out = v.kind == VAL_ARRAY;
	else if (str_eq(name, S("Object")))
		*out = is_container(v);
	else
		return eval_fail(ev, n, "instanceof knows Array and Object");
	return OK;
}

int
eval_operator(struct eval *ev, const struct node *n, struct ref a, struct ref b,
    struct ref *out)
{
	bool truth = false;
	int rc;

	switch ((enum op)n->op) {
	case X_ADD:
		if (a.v.kind != VAL_INT || b.v.kind != VAL_INT)
			return add(ev, n, a, b, out);
		return arith(ev, n, a.v, b.v, out);
	case X_SUB: case X_MUL: case X_DIV: case X_MOD:
		return arith(ev, n, a.v, b.v, out);
	case X_BITOR: case X_BITXOR: case X_BITAND:
		return bits(ev, n, a.v, b.v, out);
	case X_LT: case X_LE: case X_GT: case X_GE:
		rc = compare(ev, n, a.v, b.v, &truth);
		break;
	case X_IN:
		rc = member_of(ev, n, a.v, b.v, &truth);
		break;
	default:
		rc = equal(ev, n, a.v, b.v, &truth);
		truth = truth == (n->op == X_EQ || n->op == X_SEQ);
		break;
	}
	*out = ref_mine(val_bool(truth));
	return rc;
}
