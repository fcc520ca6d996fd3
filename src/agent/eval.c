/*
 * eval.c - what a field's value is, in a scope.
 *
 * A compiled agent is shared by the shards, so its constants are copied, never
 * counted up.
 *
 * SPDX-License-Identifier: MIT
 */
#include "agent/agent.h"

#include "base/limits.h"
#include "chart/expr.h"

/* ---- constants ----------------------------------------------------------------- */

struct str
agent_name(const struct agent_value *v)
{
	return v->form == VALUE_CONST && v->constant.kind == VAL_STRING ?
	    val_str(v->constant) : STR_NONE;
}

bool
agent_bool(const struct agent_value *v, bool fallback)
{
	return v->form == VALUE_CONST && v->constant.kind == VAL_BOOL ? v->constant.u.b :
	    fallback;
}

int64_t
agent_int(const struct agent_value *v, int64_t fallback)
{
	return v->form == VALUE_CONST && v->constant.kind == VAL_INT ? v->constant.u.i :
	    fallback;
}

/* ---- the scope ------------------------------------------------------------------- */

void
agent_scope_changed(const struct agent_scope *s)
{
	val_drop(s->slots[SLOT_DATA]);
	s->slots[SLOT_DATA] = VAL_UNDEF;
}

static void
make_data(const struct agent_scope *s)
{
	struct val data = val_object_empty();

	for (size_t i = 0; i < s->agent->channels_n; i++)
		if (s->slots[SLOT_CHANNEL + i].kind != VAL_UNDEFINED)
			data = val_set_take(data, s->agent->channels[i].name,
			    val_ref(s->slots[SLOT_CHANNEL + i]));
	s->slots[SLOT_DATA] = data;
}

/* ---- evaluation -------------------------------------------------------------------- */

static int eval_value(const struct agent_value *v, const struct expr_scope *x,
    struct val *out, struct err *e);

/* Recursion is bounded by LIMIT_AGENT_DEPTH. */
static int
eval_parts(const struct agent_value *v, const struct expr_scope *x, struct val *out,
    struct err *e)
{
	struct val whole = v->form == VALUE_LIST ? val_array_empty() : val_object_empty();
	struct val part;
	int rc = OK;

	for (size_t i = 0; i < v->n && rc == OK; i++) {
		rc = eval_value(&v->items[i], x, &part, e);
		if (rc != OK)
			break;
		if (v->form == VALUE_LIST)
			whole = val_push_take(whole, part);
		else
			whole = val_set_take(whole, v->keys[i], part);
	}
	if (rc == OK && val_check(whole, LIMIT_EXPR_BYTES_OUT) != OK)
		rc = err_set(e, ERR_LIMIT, "the value is nested too deep or too large");
	if (rc != OK) {
		val_drop(whole);
		whole = VAL_UNDEF;
	}
	*out = whole;
	return rc;
}

static int
eval_value(const struct agent_value *v, const struct expr_scope *x, struct val *out,
    struct err *e)
{
	*out = VAL_NIL;
	if (v->form == VALUE_NONE)
		return OK;
	if (v->form == VALUE_EXPR)
		return expr_eval(v->x, x, out, e);
	if (v->form == VALUE_CONST) {
		*out = val_copy(v->constant);
		return OK;
	}
	return eval_parts(v, x, out, e);
}

static struct expr_scope
expr_scope_of(const struct agent_value *v, const struct agent_scope *s)
{
	if (v->reads_data && s->slots[SLOT_DATA].kind == VAL_UNDEFINED)
		make_data(s);
	return (struct expr_scope){ .slots = s->slots, .work = s->work };
}

int
agent_eval(const struct agent_value *v, const struct agent_scope *s, struct val *out,
    struct err *e)
{
	struct expr_scope x = expr_scope_of(v, s);

	return eval_value(v, &x, out, e);
}

int
agent_eval_bool(const struct agent_value *v, const struct agent_scope *s, bool *out,
    struct err *e)
{
	struct expr_scope x;
	struct val made;
	int rc;

	if (v->form == VALUE_NONE || v->form == VALUE_CONST) {
		*out = v->form == VALUE_NONE || val_truthy(v->constant);
		return OK;
	}
	x = expr_scope_of(v, s);
	if (v->form == VALUE_EXPR)
		return expr_eval_bool(v->x, &x, out, e);
	rc = eval_value(v, &x, &made, e);
	*out = rc == OK && val_truthy(made);
	val_drop(made);
	return rc;
}
