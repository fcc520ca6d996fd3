/*
 * score.c - what an agent answered, and the scores that need no one else: equality, a
 * JSON schema, an expression.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdarg.h>
#include <stdio.h>

#include "chart/expr.h"
#include "eval/eval_priv.h"
#include "state/message.h"
#include "tools/tools.h"

#define SHOWN_BYTES 150                      /* of a value in a reason */

void
eval_score_fail(struct eval_score *out, const char *format, ...)
{
	struct err e;
	va_list ap;

	va_start(ap, format);
	err_vset(&e, ERR_INVALID, format, ap);       /* cut at a whole character */
	va_end(ap);
	out->score = 0;
	snprintf(out->why, sizeof out->why, "%.*s", FMT(str_cut(str_of(e.text),
	    sizeof out->why - 1)));
}

/* JSON of v, cut. */
static struct str
shown(struct buf *b, struct val v)
{
	if (v.kind == VAL_UNDEFINED)
		buf_lit(b, "nothing");
	else
		val_add_json(b, v);
	return str_cut(buf_str(b), SHOWN_BYTES);
}

/* ---- the output --------------------------------------------------------------------- */

/* UNDEF: there is no AI message. */
static struct val
last_answer(struct val state)
{
	struct val messages = state.kind == VAL_OBJECT ? val_get(state, S("messages")) : VAL_UNDEF;

	for (size_t i = messages.kind == VAL_ARRAY ? val_count(messages) : 0; i > 0; i--)
		if (message_type(val_at(messages, i - 1)) == MSG_AI)
			return message_text(val_at(messages, i - 1));
	return VAL_UNDEF;
}

/* The value of a text that is a JSON object or array; else the text. */
static struct val
decoded(struct val text)
{
	struct str s = text.kind == VAL_STRING ? str_trim(val_str(text)) : STR_NONE;
	struct val v;
	struct err e;

	if (s.n == 0 || (s.p[0] != '{' && s.p[0] != '[') || json_text_to_val(s, &v, &e) != OK)
		return val_ref(text);
	return v;
}

static int
lookup(void *ctx, struct str name, struct val *out)
{
	(void)ctx;
	(void)name;
	*out = VAL_UNDEF;
	return ERR_NOTFOUND;                 /* eval_read has refused other names */
}

int
eval_evaluate(const struct expr *x, const struct eval_scope *scope, struct val *out,
    struct err *e)
{
	const struct expr_scope names = { .lookup = lookup, .slots = scope->v };

	*out = VAL_UNDEF;
	return expr_eval(x, &names, out, e);
}

int
eval_output(const struct eval *v, struct eval_scope *scope, struct val channels,
    struct err *e)
{
	struct val out = VAL_UNDEF;
	int rc = OK;

	if (v->output != NULL) {
		rc = eval_evaluate(v->output, scope, &out, e);
	} else {
		out = last_answer(scope->v[EVAL_STATE]);
		if (out.kind == VAL_UNDEFINED)
			out = val_ref(channels);
	}
	if (out.kind == VAL_UNDEFINED)
		out = VAL_NIL;
	if (rc == OK && val_bytes(out) > LIMIT_EVAL_OUTPUT_BYTES)
		rc = err_set(e, ERR_TOOBIG, "the output has %zu bytes, more than %d",
		    val_bytes(out), LIMIT_EVAL_OUTPUT_BYTES);
	if (rc != OK) {
		val_drop(out);
		out = VAL_NIL;
	}
	scope->text = out;
	scope->v[EVAL_OUTPUT] = decoded(out);
	return rc;
}

/* ---- equality ------------------------------------------------------------------------- */

static bool
same_text(const struct eval_scorer *s, struct str got, struct str want)
{
	if (s->exact.trim) {
		got = str_trim(got);
		want = str_trim(want);
	}
	if (s->exact.contains)
		return (s->exact.ignore_case ? str_contains_nocase : str_contains)(got, want);
	return (s->exact.ignore_case ? str_eq_nocase : str_eq)(got, want);
}

static bool
fits(const struct eval_scorer *s, const struct eval_scope *scope, struct val want)
{
	if (want.kind == VAL_STRING && scope->text.kind == VAL_STRING)
		return same_text(s, val_str(scope->text), val_str(want));
	return val_equal(scope->v[EVAL_OUTPUT], want);
}

/* With `contains` a list is of texts that all occur. */
static void
score_exact(const struct eval_scorer *s, const struct eval_scope *scope,
    struct eval_score *out)
{
	struct val want = scope->v[EVAL_EXPECTED];
	bool list = s->exact.contains && want.kind == VAL_ARRAY &&
	    scope->text.kind == VAL_STRING, ok = true;
	struct buf a = BUF(LIMIT_STATE_BYTES), b = BUF(LIMIT_STATE_BYTES);
	struct str wanted, got;

	for (size_t i = 0; list && ok && i < val_count(want); i++) {
		ok = fits(s, scope, val_at(want, i));
		if (!ok)
			want = val_at(want, i);
	}
	if (!list)
		ok = fits(s, scope, want);
	out->score = ok;
	wanted = ok ? STR_NONE : shown(&a, want);
	got = ok ? STR_NONE : shown(&b, scope->text);
	if (!ok)
		eval_score_fail(out, "expected %.*s, got %.*s", FMT(wanted), FMT(got));
	buf_release(&a);
	buf_release(&b);
}

/* ---- a schema, an expression ------------------------------------------------------------- */

static void
score_schema(const struct eval_scorer *s, const struct eval_scope *scope,
    struct eval_score *out)
{
	struct buf json = BUF(LIMIT_STATE_BYTES);
	struct json_doc d = { 0 };
	struct err e = { 0 };

	val_add_json(&json, scope->v[EVAL_OUTPUT]);
	if (json_parse(&d, buf_str(&json), &e) == OK &&
	    tools_check_value(s->schema.root, d.root, &e) == OK)
		out->score = 1;
	else
		eval_score_fail(out, "%s", e.text);
	json_release(&d);
	buf_release(&json);
}

static void
score_expression(const struct eval_scorer *s, const struct eval_scope *scope,
    struct eval_score *out)
{
	struct buf b = BUF(LIMIT_STATE_BYTES);
	struct str got;
	struct val v;
	struct err e = { 0 };

	if (eval_evaluate(s->expression, scope, &v, &e) != OK)
		eval_score_fail(out, "%s", e.text);
	else if (v.kind == VAL_BOOL)
		out->score = v.u.b;
	else if (val_is_number(v) && val_number(v) >= 0 && val_number(v) <= 1)
		out->score = val_number(v);
	else {
		got = shown(&b, v);
		eval_score_fail(out, "expected true, false or a number from 0 to 1, got %.*s",
		    FMT(got));
	}
	val_drop(v);
	buf_release(&b);
}

static void (*const scores[EVAL_KINDS])(const struct eval_scorer *s,
    const struct eval_scope *scope, struct eval_score *out) = {
	[EVAL_EXACT] = score_exact, [EVAL_SCHEMA] = score_schema,
	[EVAL_EXPRESSION] = score_expression,
};

void
eval_score(const struct eval_scorer *s, const struct eval_scope *scope,
    struct eval_score *out)
{
	*out = (struct eval_score){ 0 };
	scores[s->kind](s, scope, out);
}
