/*
 * expr_value.c - operations on values for the language: bounds and an order.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chart/expr_priv.h"

struct val
val_of_text(struct str s)
{
	return s.n > 0 ? val_string(s) : VAL_UNDEF;
}

struct str
val_text(struct val v)
{
	return v.kind == VAL_STRING ? val_str(v) : STR_NONE;
}

int
val_check(struct val v, size_t max_bytes)
{
	return val_depth(v) <= LIMIT_JSON_DEPTH && val_bytes(v) <= max_bytes ? OK :
	    ERR_TOOBIG;
}

/* undefined < null < booleans < numbers < strings < arrays < objects. */
int
val_order(struct val a, struct val b)
{
	int ka = a.kind == VAL_DOUBLE ? VAL_INT : (int)a.kind;
	int kb = b.kind == VAL_DOUBLE ? VAL_INT : (int)b.kind;
	size_t n;

	if (ka != kb)
		return ka < kb ? -1 : 1;
	switch (a.kind) {
	case VAL_BOOL:
		return a.u.b - b.u.b;
	case VAL_INT: case VAL_DOUBLE:
		if (a.kind == VAL_INT && b.kind == VAL_INT)
			return (a.u.i > b.u.i) - (a.u.i < b.u.i);
		return (val_number(a) > val_number(b)) - (val_number(a) < val_number(b));
	case VAL_STRING:
		return str_cmp(val_str(a), val_str(b));
	case VAL_ARRAY:
		n = val_count(a) < val_count(b) ? val_count(a) : val_count(b);
		for (size_t i = 0; i < n; i++) {
			int order = val_order(val_at(a, i), val_at(b, i));

			if (order != 0)
				return order;
		}
		return (val_count(a) > val_count(b)) - (val_count(a) < val_count(b));
	default:
		return 0;
	}
}
