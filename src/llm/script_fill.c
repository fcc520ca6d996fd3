/*
 * script_fill.c - arguments that a script takes from the last tool result.
 *
 *   {{result}}        all of it
 *   {{result.id}}     a member; {{result.0.id}} of the first of an array
 *
 * A string that is nothing but one such place becomes the value itself, of
 * whatever kind; inside a longer string it becomes its text (a string as it is,
 * everything else as JSON).  Only strings are looked at, at any depth.
 *
 * SPDX-License-Identifier: MIT
 */
#include "llm/script_priv.h"

#include "base/limits.h"

#define OPEN  "{{"
#define CLOSE "}}"

/* Cuts the next place off *rest: the text before it, and what stands between
 * the braces.  False: there is none (before is all).  ERR_INVALID in *rc: it
 * does not end, or is not a place. */
static bool
next_place(struct str *rest, struct str *before, struct str *place, int *rc)
{
	size_t from = 0, to;

	while (from < rest->n && !str_starts(str_sub(*rest, from, 2), S(OPEN)))
		from++;
	*before = str_sub(*rest, 0, from);
	if (from == rest->n)
		return false;
	for (to = from + 2; to < rest->n; to++)
		if (str_starts(str_sub(*rest, to, 2), S(CLOSE)))
			break;
	*place = str_sub(*rest, from + 2, to - from - 2);
	if (to == rest->n || (!str_eq(*place, S("result")) &&
	    !str_starts(*place, S("result."))) || str_ends(*place, S("."))) {
		*rc = ERR_INVALID;
		return false;
	}
	*rest = str_sub(*rest, to + 2, rest->n);
	return true;
}

static int
check_text(struct str text, bool allowed, bool *any, struct err *e)
{
	struct str rest = text, before, place;
	int rc = OK;

	while (next_place(&rest, &before, &place, &rc)) {
		*any = true;
		if (!allowed)
			return err_set(e, ERR_INVALID, "{{%.*s}} needs a rule for "
			    "\"role\":\"tool\"", FMT(place));
	}
	return rc == OK ? OK : err_set(e, rc, "expected {{result}} or "
	    "{{result.MEMBER}}, got \"%.*s\"", FMT(str_sub(rest, 0, 64)));
}

int
script_fill_check(jnode n, bool allowed, bool *any, struct err *e)
{
	struct json_iter it = json_each(n);
	int rc = OK;

	if (json_is_string(n))
		return check_text(json_str(n), allowed, any, e);
	while (rc == OK && json_next(&it))
		rc = script_fill_check(it.value, allowed, any, e);
	return rc;
}

/* ---- filling ---------------------------------------------------------------- */

static int
find_value(struct str place, jnode result, jnode *out, struct err *e)
{
	struct str rest = place, part;
	int64_t i;

	str_next(&rest, '.', &part);         /* "result" */
	*out = result;
	while (*out != NULL && rest.n > 0 && str_next(&rest, '.', &part)) {
		if (json_is_array(*out))
			*out = str_to_i64(part, &i) && i >= 0 ?
			    json_at(*out, (size_t)i) : NULL;
		else
			*out = json_get(*out, part);
	}
	if (*out == NULL)
		return err_set(e, ERR_INVALID, "the script wants {{%.*s}}, and the last "
		    "tool result has no such value", FMT(place));
	return OK;
}

static int
fill_text(struct buf *out, struct str text, jnode result, struct err *e)
{
	struct buf all = BUF(LIMIT_LLM_BODY_BYTES);
	struct str rest = text, before, place;
	jnode value;
	int rc = OK;

	while (rc == OK && next_place(&rest, &before, &place, &rc)) {
		rc = find_value(place, result, &value, e);
		if (rc == OK && place.n + 4 == text.n) {
			json_add_node(out, value);
			return OK;
		}
		buf_add(&all, before);
		if (json_is_string(value))
			buf_add(&all, json_str(value));
		else
			json_add_node(&all, value);
	}
	buf_add(&all, rest);
	if (rc == OK)
		json_add_str(out, buf_str(&all));
	out->failed |= all.failed;
	buf_release(&all);
	return rc;
}

static int
fill_node(struct buf *out, jnode n, jnode result, struct err *e)
{
	struct json_iter it = json_each(n);
	bool object = json_is_object(n);
	int rc = OK;

	if (json_is_string(n))
		return fill_text(out, json_str(n), result, e);
	if (!object && !json_is_array(n)) {
		json_add_node(out, n);
		return OK;
	}
	buf_add(out, object ? S("{") : S("["));
	while (rc == OK && json_next(&it)) {
		json_add_comma(out);
		if (object)
			json_add_fmt(out, "%p:", it.key);
		rc = fill_node(out, it.value, result, e);
	}
	buf_add(out, object ? S("}") : S("]"));
	return rc;
}

static int
fill_call(struct script_call *c, jnode result, struct arena *a, struct err *e)
{
	struct buf out = BUF(LIMIT_LLM_BODY_BYTES);
	struct json_doc args = { 0 };
	int rc = json_parse(&args, c->args_json, e);

	if (rc == OK)
		rc = fill_node(&out, args.root, result, e);
	if (rc == OK && out.failed)
		rc = err_set(e, ERR_TOOBIG, "the script's arguments: larger than %d "
		    "bytes", LIMIT_LLM_BODY_BYTES);
	if (rc == OK)
		c->args_json = arena_str(a, buf_str(&out));
	json_release(&args);
	buf_release(&out);
	return rc;
}

void
script_fill(struct script_turn *t, struct str last, struct arena *a)
{
	struct script_call *calls = arena_zero(a, (t->calls_n + 1) * sizeof *calls);
	struct json_doc result = { 0 };
	struct err e = { 0 };
	int rc = calls == NULL ? err_set(&e, ERR_TOOBIG, "the script is too large") : OK;

	if (rc == OK && json_parse(&result, last, NULL) != OK)
		rc = err_set(&e, ERR_INVALID, "the script wants a value of the last "
		    "tool result, which is not JSON");
	for (size_t i = 0; rc == OK && i < t->calls_n; i++) {
		calls[i] = t->calls[i];
		rc = fill_call(&calls[i], result.root, a, &e);
	}
	if (rc == OK)
		t->calls = calls;
	else
		*t = (struct script_turn){ .status = 400, .ttft_ms = t->ttft_ms,
		    .token_ms = t->token_ms,
		    .reply = arena_str(a, str_of(e.text)) };
	json_release(&result);
}
