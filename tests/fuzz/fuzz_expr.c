/*
 * fuzz_expr.c - any text as an expression and as a template: parsed, bound,
 * evaluated, stored to.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/json.h"
#include "chart/expr.h"

static struct val data;

static int
lookup(void *ctx, struct str name, struct val *out)
{
	(void)ctx;
	*out = val_get(data, name);
	return val_has(data, name) ? OK : ERR_NOTFOUND;
}

static int
event_field(void *ctx, enum expr_field field, struct val *out)
{
	(void)ctx, (void)field;
	*out = val_ref(data);
	return OK;
}

static int
slot_of(void *ctx, struct str name, bool of_data)
{
	(void)ctx, (void)of_data;
	return str_eq(name, S("x")) ? 0 : str_eq(name, S("y")) ? 1 : -1;
}

static void
run(struct expr *x)
{
	struct val slots[2] = { data, VAL_UNDEF }, v, changed;
	uint64_t declared = 1;
	size_t work = 0;
	struct expr_scope scope = { .lookup = lookup, .slots = slots, .declared = &declared,
		.event_field = event_field, .work = &work };
	struct str root;
	struct err e;
	bool yes;

	for (int bound = 0; bound < 2; bound++) {
		if (expr_eval(x, &scope, &v, &e) == OK && expr_is_location(x, &root)) {
			(void)expr_store(x, &scope, val_ref(data), val_ref(v), &changed, &e);
			val_drop(changed);
		}
		val_drop(v);
		(void)expr_eval_bool(x, &scope, &yes, &e);
		expr_bind(x, slot_of, NULL);
	}
	expr_free(x);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct str text = { (const char *)bytes, n };
	struct expr *x;
	struct err e;

	if (json_text_to_val(S("{\"n\":3,\"s\":\"text\",\"list\":[3,1,[2]],\"o\":{\"a\":1}}"), &data,
	    &e) != OK)
		return 0;
	if (expr_parse(&x, text, &e) == OK)
		run(x);
	if (expr_parse_template(&x, text, &e) == OK)
		run(x);
	val_drop(data);
	return 0;
}
