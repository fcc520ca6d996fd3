/*
 * answer.c - may this be the answer to that question?
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "base/json.h"
#include "task/task_priv.h"

/* ---- by type -------------------------------------------------------------------- */

static bool
is_option(struct val options, struct val v)
{
	for (size_t i = 0; i < val_count(options); i++)
		if (val_equal(val_at(options, i), v))
			return true;
	return false;
}

static int
refuse(struct err *e, const char *want, struct val got)
{
	struct buf b = BUF(KB);

	val_add_json(&b, got);
	err_set(e, ERR_INVALID, "the answer: expected %s, got %.*s", want,
	    FMT(b.failed ? S("something long") : str_cut(buf_str(&b), 100)));
	buf_release(&b);
	return ERR_INVALID;
}

static int
check_option(struct val options, struct val v, const char *what, struct err *e)
{
	struct buf b = BUF(2 * KB);

	if (is_option(options, v))
		return OK;
	buf_add_fmt(&b, "%s of ", what);
	val_add_json(&b, options);
	buf_add_char(&b, '\0');
	refuse(e, b.failed ? what : b.p, v);
	buf_release(&b);
	return ERR_INVALID;
}

static int
check_options(struct val options, struct val v, struct err *e)
{
	int rc = v.kind == VAL_ARRAY ? OK : refuse(e, "a list of options", v);

	for (size_t i = 0; rc == OK && i < val_count(v); i++) {
		rc = check_option(options, val_at(v, i), "some", e);
		for (size_t k = 0; rc == OK && k < i; k++)
			if (val_equal(val_at(v, i), val_at(v, k)))
				rc = refuse(e, "each option once", v);
	}
	return rc;
}

static int
check_number(struct val question, struct val v, struct err *e)
{
	struct val min = val_get(question, S("min")), max = val_get(question, S("max"));
	char want[96] = "a number";

	if (val_is_number(min) && val_is_number(max))
		snprintf(want, sizeof want, "a number from %.15g to %.15g", val_number(min),
		    val_number(max));
	else if (val_is_number(min))
		snprintf(want, sizeof want, "a number from %.15g", val_number(min));
	else if (val_is_number(max))
		snprintf(want, sizeof want, "a number up to %.15g", val_number(max));
	if (!val_is_number(v) || (val_is_number(min) && val_number(v) < val_number(min)) ||
	    (val_is_number(max) && val_number(v) > val_number(max)))
		return refuse(e, want, v);
	return OK;
}

/* A day, or a moment. */
static int
check_date(struct val v, struct err *e)
{
	char text[24];
	struct str s = v.kind == VAL_STRING ? val_str(v) : STR_NONE;
	msec at;

	if (s.n == 10) {
		snprintf(text, sizeof text, "%.*sT00:00:00Z", FMT(s));
		s = str_of(text);
	}
	return clock_read_iso(s, &at) ? OK : refuse(e, "a date as in 2026-11-21 or "
	    "2026-11-21T09:30:00Z", v);
}

static int
check_form(struct val question, struct val v, struct err *e)
{
	struct buf schema = BUF(LIMIT_STATE_BYTES), value = BUF(LIMIT_STATE_BYTES);
	struct json_doc s = { 0 }, d = { 0 };
	struct err why = { 0 };
	int rc = v.kind == VAL_OBJECT ? OK : refuse(e, "an object", v);

	if (rc == OK) {
		val_add_json(&schema, val_get(question, S("schema")));
		val_add_json(&value, v);
		if (!schema.failed && !value.failed &&
		    json_parse(&s, buf_str(&schema), NULL) == OK &&
		    json_parse(&d, buf_str(&value), NULL) == OK)
			rc = tools_check_value(s.root, d.root, &why);
		if (rc != OK)
			err_set(e, ERR_INVALID, "the answer: %s", why.text);
	}
	json_release(&s);
	json_release(&d);
	buf_release(&schema);
	buf_release(&value);
	return rc == OK ? OK : ERR_INVALID;
}

static int
type_of(struct val question)
{
	struct val type = question.kind == VAL_OBJECT ? val_get(question, S("type")) :
	    VAL_UNDEF;

	if (type.kind != VAL_STRING || val_get(question, S("prompt")).kind == VAL_UNDEFINED)
		return -1;
	for (int i = 0; ask_types[i] != NULL; i++)
		if (str_eq(val_str(type), str_of(ask_types[i])))
			return i;
	return -1;
}

/* ---- the door -------------------------------------------------------------------- */

bool
answer_is_timeout(struct val answer)
{
	return answer.kind == VAL_OBJECT && val_count(answer) == 1 &&
	    str_eq(val_key(answer, 0), S(TASK_TIMEOUT_KEY));
}

int
task_answer_check(struct val question, struct val answer, struct err *e)
{
	struct val options = question.kind == VAL_OBJECT ? val_get(question, S("options")) :
	    VAL_UNDEF;

	if (answer_is_timeout(answer))
		return OK;
	switch (type_of(question)) {
	case ASK_TEXT:
		return answer.kind == VAL_STRING ? OK : refuse(e, "a string", answer);
	case ASK_SELECT:
		return check_option(options, answer, "one", e);
	case ASK_MULTI_SELECT:
		return check_options(options, answer, e);
	case ASK_CONFIRM:
		return answer.kind == VAL_BOOL ? OK : refuse(e, "true or false", answer);
	case ASK_NUMBER:
		return check_number(question, answer, e);
	case ASK_DATE:
		return check_date(answer, e);
	case ASK_FORM:
		return check_form(question, answer, e);
	default:
		return review_answer_check(question, answer, e);
	}
}
