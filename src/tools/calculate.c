/*
 * calculate.c - arithmetic for models, by the expression language: it is pure and
 * bounded, so nothing that a model writes can take long or reach anything.
 *
 * Its value is a number, a list of numbers, or true or false.  Names are those of
 * functions, and pi and e.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tools/tools_priv.h"

#include <math.h>

#include "base/buf.h"
#include "base/limits.h"
#include "chart/expr.h"

static int
lookup(void *ctx, struct str name, struct val *out)
{
	(void)ctx;
	if (str_eq(name, S("pi")) || str_eq(name, S("PI")))
		*out = val_double(3.14159265358979323846);
	else if (str_eq(name, S("e")) || str_eq(name, S("E")))
		*out = val_double(2.71828182845904523536);
	else
		return ERR_NOTFOUND;
	return OK;
}

static bool
is_answer(struct val v, unsigned depth)
{
	if (v.kind == VAL_ARRAY && depth > 0) {
		for (size_t i = 0; i < val_count(v); i++)
			if (!is_answer(val_at(v, i), depth - 1))
				return false;
		return true;
	}
	return (val_is_number(v) && isfinite(val_number(v))) || v.kind == VAL_BOOL;
}

static int
evaluate(struct str text, struct val *out, struct err *e)
{
	const struct expr_scope scope = { .lookup = lookup };
	struct expr *x;
	int rc = expr_parse(&x, text, e);

	*out = VAL_UNDEF;
	if (rc != OK)
		return rc;
	if (expr_asks_states(x))
		rc = err_set(e, ERR_INVALID, "In() and visits() are not for arithmetic");
	if (rc == OK)
		rc = expr_eval(x, &scope, out, e);
	expr_free(x);
	if (rc == OK && !is_answer(*out, 3))
		rc = err_set(e, ERR_INVALID, "the value is not a number");
	return rc;
}

static int
start(struct tool_call *c)
{
	struct str text = json_str(json_get(tool_args(c), S("expression")));
	struct buf b = BUF(LIMIT_TOOL_RESULT_BYTES);
	struct val v;
	struct err e = { 0 };

	if (evaluate(text, &v, &e) != OK) {
		tool_refuse(c, "calculate: %s. Write numbers, + - * / %%, parentheses, and "
		    "functions as in round(sqrt(2), 3), pow(2, 10), max(1, 2), sum([1, 2])",
		    e.text);
	} else {
		val_add_json(&b, v);
		tool_reply(c, b.failed ? S("the value is too large") : buf_str(&b));
	}
	val_drop(v);
	buf_release(&b);
	return OK;
}

const struct tool tool_calculate = {
	.name = "calculate",
	.description = "Evaluates an arithmetic expression and returns its value. Operators: + - * "
	    "/ %, comparisons, parentheses; functions: abs, ceil, floor, max, min, pow, round, "
	    "sqrt, sum; pi and e.",
	.parameters_json = "{\"type\":\"object\",\"properties\":{\"expression\":"
	    "{\"type\":\"string\",\"description\":\"as in (3 + 4) * sqrt(2)\"}},"
	    "\"required\":[\"expression\"],\"additionalProperties\":false}",
	.idempotent = true, .start = start, .group = "calculate",
};
