/*
 * args.c - the part of JSON Schema that our tools use: type (one word or
 * several), properties, required, enum, additionalProperties, items, minimum,
 * maximum; description is for the model.
 *
 * args_schema_valid refuses other keywords: they would not be checked.  The
 * errors of args_check are read by a model, which then tries again: they name
 * the argument, what was expected and what came.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tools/tools_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"

#define WORDS_MAX 400                        /* of a list in an error */

static const struct {
	struct str name;
	const char *with_article;
} types[] = {
	{ S("object"),  "an object" },  { S("array"),   "an array" },
	{ S("string"),  "a string" },   { S("integer"), "an integer" },
	{ S("number"),  "a number" },   { S("boolean"), "a boolean" },
	{ S("null"),    "null" },
};

/* ---- is it a schema? ------------------------------------------------------- */

static bool
is_type(jnode v)
{
	for (size_t i = 0; json_is_string(v) && i < COUNT(types); i++)
		if (str_eq(json_str(v), types[i].name))
			return true;
	return false;
}

/* A list, not empty, of what `is` says. */
static bool
is_list(jnode v, bool (*is)(jnode v))
{
	struct json_iter it = json_each(v);
	bool ok = json_is_array(v) && json_count(v) > 0;

	while (ok && json_next(&it))
		ok = is(it.value);
	return ok;
}

static bool
is_types(jnode v)
{
	return is_type(v) || is_list(v, is_type);
}

static bool
is_names(jnode v)
{
	return is_list(v, json_is_string) || (json_is_array(v) && json_count(v) == 0);
}

static bool
is_values(jnode v)
{
	return json_is_array(v) && json_count(v) > 0;
}

static const struct {
	struct str keyword;
	bool (*is)(jnode v);
	const char *expected;
} keywords[] = {
	{ S("type"), is_types, "a type or a list of types" },
	{ S("properties"), json_is_object, "an object" },
	{ S("required"), is_names, "a list of names" },
	{ S("enum"), is_values, "a list of values" },
	{ S("additionalProperties"), json_is_bool, "a boolean" },
	{ S("items"), json_is_object, "a schema" },
	{ S("minimum"), json_is_number, "a number" },
	{ S("maximum"), json_is_number, "a number" },
	{ S("description"), json_is_string, "a string" },
};

static int
keyword_valid(struct str key, jnode v, struct err *e)
{
	struct json_iter it = json_each(v);
	size_t i = 0;
	int rc = OK;

	while (i < COUNT(keywords) && !str_eq(key, keywords[i].keyword))
		i++;
	if (i == COUNT(keywords))
		return err_set(e, ERR_INVALID, "%.*s: a keyword that is not checked; leave "
		    "it out", FMT(key));
	if (!keywords[i].is(v))
		return err_set(e, ERR_INVALID, "%.*s: expected %s", FMT(key),
		    keywords[i].expected);
	if (str_eq(key, S("items")))
		return args_schema_valid(v, e);
	while (str_eq(key, S("properties")) && rc == OK && json_next(&it))
		rc = args_schema_valid(it.value, e);
	return rc;
}

int
args_schema_valid(jnode schema, struct err *e)
{
	struct json_iter it = json_each(schema);
	int rc = OK;

	if (!json_is_object(schema))
		return err_set(e, ERR_INVALID, "a schema is an object");
	while (rc == OK && json_next(&it))
		rc = keyword_valid(json_str(it.key), it.value, e);
	return rc;
}

/* ---- does a value agree? ---------------------------------------------------- */

/* Where we are: "value.items.0"; empty at the top. */
struct place {
	const char *all, *one;               /* "arguments", "argument" */
	char name[LIMIT_NAME_BYTES];
	size_t n;
};

static int check(jnode schema, jnode v, struct place *at, struct err *e);

static int
check_below(jnode schema, jnode v, struct place *at, struct str key, struct err *e)
{
	size_t before = at->n, room = sizeof at->name - 1 - at->n;
	int rc;

	if (before > 0 && room > 0)
		at->name[at->n++] = '.';
	room = sizeof at->name - 1 - at->n;
	key = str_sub(key, 0, room);
	memcpy(at->name + at->n, key.p, key.n);
	at->n += key.n;
	at->name[at->n] = '\0';
	rc = check(schema, v, at, e);
	at->n = before;
	at->name[before] = '\0';
	return rc;
}

static int
wrong(const struct place *at, struct err *e, struct str expected, struct str got)
{
	if (at->n == 0)
		return err_set(e, ERR_INVALID, "%s: expected %.*s, got %.*s", at->all,
		    FMT(expected), FMT(got));
	return err_set(e, ERR_INVALID, "%s \"%s\": expected %.*s, got %.*s", at->one,
	    at->name, FMT(expected), FMT(got));
}

static bool
type_fits(struct str type, jnode v)
{
	if (str_eq(type, S("object")))
		return json_is_object(v);
	if (str_eq(type, S("array")))
		return json_is_array(v);
	if (str_eq(type, S("string")))
		return json_is_string(v);
	if (str_eq(type, S("boolean")))
		return json_is_bool(v);
	if (str_eq(type, S("null")))
		return json_is_null(v);
	if (!json_is_number(v))
		return false;
	return str_eq(type, S("number")) || json_is_int(v) ||
	    json_number(v) == floor(json_number(v));
}

static const char *
with_article(struct str type)
{
	size_t i = 0;

	while (i + 1 < COUNT(types) && !str_eq(type, types[i].name))
		i++;
	return types[i].with_article;
}

static int
check_type(jnode type, jnode v, const struct place *at, struct err *e)
{
	struct json_iter it = json_each(type);
	struct buf words = BUF(WORDS_MAX);
	int rc = OK;

	if (type == NULL || (json_is_string(type) && type_fits(json_str(type), v)))
		return OK;
	if (json_is_string(type))
		buf_add(&words, str_of(with_article(json_str(type))));
	while (json_next(&it)) {
		if (type_fits(json_str(it.value), v))
			break;
		if (words.n > 0)
			buf_lit(&words, " or ");
		buf_add(&words, str_of(with_article(json_str(it.value))));
		if (it.left == 0)
			rc = ERR_INVALID;
	}
	if (json_is_string(type) || rc != OK)
		rc = wrong(at, e, buf_str(&words), str_of(
		    json_is_number(v) && str_eq(json_str(type), S("integer")) ?
		    "a fraction" : json_kind(v)));
	buf_release(&words);
	return rc;
}

static int
check_enum(jnode list, jnode v, const struct place *at, struct err *e)
{
	struct json_iter it = json_each(list);
	struct buf words = BUF(WORDS_MAX), value = BUF(MB), got = BUF(MB);
	bool found = list == NULL;
	int rc = OK;

	json_add_node(&got, v);
	buf_lit(&words, "one of");
	while (!found && json_next(&it)) {
		buf_clear(&value);
		json_add_node(&value, it.value);
		found = str_eq(buf_str(&value), buf_str(&got));
		buf_lit(&words, " ");
		buf_add(&words, buf_str(&value));
	}
	if (!found)
		rc = wrong(at, e, buf_str(&words), str_cut(buf_str(&got), WORDS_MAX / 4));
	buf_release(&words);
	buf_release(&value);
	buf_release(&got);
	return rc;
}

static int
check_bounds(jnode schema, jnode v, const struct place *at, struct err *e)
{
	jnode low = json_get(schema, S("minimum")), high = json_get(schema, S("maximum"));
	char expected[64], got[32];

	if (!json_is_number(v) || ((low == NULL || json_number(v) >= json_number(low)) &&
	    (high == NULL || json_number(v) <= json_number(high))))
		return OK;
	if (low != NULL && high != NULL)
		snprintf(expected, sizeof expected, "%g to %g", json_number(low),
		    json_number(high));
	else
		snprintf(expected, sizeof expected, "at %s %g", low != NULL ? "least" :
		    "most", json_number(low != NULL ? low : high));
	snprintf(got, sizeof got, "%g", json_number(v));
	return wrong(at, e, str_of(expected), str_of(got));
}

/* A member nobody asked for: the nearest name, or all of them. */
static int
unknown(jnode properties, struct str key, const struct place *at, struct err *e)
{
	struct json_iter it = json_each(properties);
	struct buf words = BUF(WORDS_MAX);
	struct str_near near = { .word = key };
	const char *dot = at->n > 0 ? "." : "";
	int rc;

	while (json_next(&it)) {
		str_near_try(&near, json_str(it.key).p);
		buf_add_fmt(&words, "%s\"%.*s\"", words.n > 0 ? ", " : "",
		    FMT(json_str(it.key)));
	}
	if (near.best != NULL)
		rc = err_near(e, ERR_INVALID, near.best, "\"",
		    "%s \"%s%s%.*s\": unknown", at->one, at->name, dot, FMT(key));
	else
		rc = err_set(e, ERR_INVALID, "%s \"%s%s%.*s\": unknown; %s%.*s",
		    at->one, at->name, dot, FMT(key), words.n > 0 ? "known: " : "there are none",
		    FMT(buf_str(&words)));
	buf_release(&words);
	return rc;
}

/* Models like to send null for what they leave out. */
static bool
left_out(jnode schema, struct str key, jnode value)
{
	struct json_iter it = json_each(json_get(schema, S("required")));

	while (json_next(&it))
		if (str_eq(json_str(it.value), key))
			return false;
	return json_is_null(value);
}

static int
check_members(jnode schema, jnode v, struct place *at, struct err *e)
{
	jnode properties = json_get(schema, S("properties"));
	jnode additional = json_get(schema, S("additionalProperties"));
	struct json_iter names = json_each(json_get(schema, S("required")));
	struct json_iter it = json_each(v);
	int rc = OK;

	while (json_next(&names)) {
		struct str name = json_str(names.value);

		if (json_get(v, name) == NULL)
			return err_set(e, ERR_INVALID, "%s \"%s%s%.*s\": missing",
			    at->one, at->name, at->n > 0 ? "." : "", FMT(name));
	}
	while (rc == OK && json_next(&it)) {
		struct str key = json_str(it.key);
		jnode below = json_get(properties, key);

		if (below != NULL && !left_out(schema, key, it.value))
			rc = check_below(below, it.value, at, key, e);
		else if (below == NULL && additional != NULL && !json_bool(additional))
			rc = unknown(properties, key, at, e);
	}
	return rc;
}

static int
check_items(jnode schema, jnode v, struct place *at, struct err *e)
{
	jnode below = json_get(schema, S("items"));
	struct json_iter it = json_each(v);
	int rc = OK;

	for (int i = 0; below != NULL && rc == OK && json_next(&it); i++) {
		char index[16];

		snprintf(index, sizeof index, "%d", i);
		rc = check_below(below, it.value, at, str_of(index), e);
	}
	return rc;
}

/* Goes as deep as the schema does. */
static int
check(jnode schema, jnode v, struct place *at, struct err *e)
{
	int rc = check_type(json_get(schema, S("type")), v, at, e);

	if (rc == OK)
		rc = check_enum(json_get(schema, S("enum")), v, at, e);
	if (rc == OK)
		rc = check_bounds(schema, v, at, e);
	if (rc == OK && json_is_object(v))
		rc = check_members(schema, v, at, e);
	if (rc == OK && json_is_array(v))
		rc = check_items(schema, v, at, e);
	return rc;
}

int
args_check(jnode schema, jnode args, struct err *e)
{
	struct place at = { .all = "arguments", .one = "argument" };

	return check(schema, args, &at, e);
}

int
tools_check_schema(jnode schema, struct err *e)
{
	return args_schema_valid(schema, e);
}

int
tools_check_value(jnode schema, jnode value, struct err *e)
{
	struct place at = { .all = "the value", .one = "member" };

	return args_schema_valid(schema, NULL) != OK ? OK : check(schema, value, &at, e);
}
