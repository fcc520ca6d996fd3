/*
 * cases.c - a dataset: cases as JSON lines.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "base/fields.h"
#include "base/map.h"
#include "base/mem.h"
#include "eval/eval.h"

#define CASES_MEMORY ((size_t)LIMIT_EVAL_DATASET_BYTES)

/* ---- one line ----------------------------------------------------------------------- */

static void
check_kind(struct fields *f, const char *key, jnode n, bool (*is)(jnode n),
    const char *expected)
{
	if (!json_is_null(n) && !is(n))
		fields_fail(f, key, ERR_INVALID, "expected %s, got %s", expected, json_kind(n));
}

static bool
is_input(jnode n)
{
	return json_is_string(n) || json_is_object(n);
}

static bool
is_words(jnode n)
{
	bool ok = json_is_array(n);

	for (struct json_iter it = json_each(n); ok && json_next(&it);)
		ok = json_is_string(it.value);
	return ok;
}

static int
read_line(struct eval_case *c, struct arena *a, jnode root, struct err *e)
{
	struct str id = STR_NONE;
	struct fields f;
	jnode input, replies;

	fields_open(&f, root, "the case", e);
	fields_need_str(&f, "id", LIMIT_NAME_BYTES, "a text that no other case has", &id);
	input = fields_any(&f, "input");
	if (json_is_null(input))
		fields_fail(&f, "input", ERR_INVALID, "expected a user's text, or an object of "
		    "channels");
	check_kind(&f, "input", input, is_input, "a user's text, or an object of channels");
	c->has_expected = !json_is_null(fields_any(&f, "expected"));
	replies = fields_any(&f, "replies");
	c->has_replies = !json_is_null(replies);
	check_kind(&f, "replies", replies, json_is_array, "a list");
	check_kind(&f, "answers", fields_any(&f, "answers"), json_is_array, "a list");
	check_kind(&f, "tags", fields_any(&f, "tags"), is_words, "a list of strings");
	c->id = arena_str(a, id);
	return fields_end(&f);
}

static int
add_line(struct eval_cases *out, struct str line, unsigned nth, struct err *e)
{
	struct eval_case c = { .json = line, .line = nth };
	struct json_doc d = { 0 };
	int rc = OK;

	if (line.n > LIMIT_EVAL_CASE_BYTES)
		return err_set(e, ERR_TOOBIG, "%zu bytes, more than %d", line.n,
		    LIMIT_EVAL_CASE_BYTES);
	if (out->n == LIMIT_EVAL_CASES)
		return err_set(e, ERR_LIMIT, "more than %d cases", LIMIT_EVAL_CASES);
	rc = json_parse(&d, line, e);
	if (rc == OK)
		rc = read_line(&c, &out->arena, d.root, e);
	json_release(&d);
	if (rc != OK)
		return rc;
	mem_grow(out->at, out->n, out->cap);
	out->at[out->n++] = c;
	return OK;
}

/* ---- all lines ------------------------------------------------------------------------ */

static uint64_t
hash_id(const void *key)
{
	return str_hash_keyed(*(const struct str *)key);
}

static bool
same_id(const void *value, const void *key)
{
	return str_eq(((const struct eval_case *)value)->id, *(const struct str *)key);
}

static const void *
id_of(const void *value)
{
	return &((const struct eval_case *)value)->id;
}

static int
check_ids(const struct eval_cases *c, struct str file, struct err *e)
{
	struct map ids;
	int rc = OK;

	map_init(&ids, hash_id, same_id, id_of);
	for (size_t i = 0; i < c->n && rc == OK; i++) {
		const struct eval_case *before = map_put(&ids, &c->at[i]);

		if (before != NULL)
			rc = err_set(e, ERR_INVALID, "%.*s:%u: id: '%.*s' is the id of line %u",
			    FMT(file), c->at[i].line, FMT(str_cut(before->id, 100)),
			    before->line);
	}
	map_release(&ids);
	return rc;
}

int
eval_cases_read(struct eval_cases *out, struct str text, struct str file, struct err *e)
{
	struct str line;
	struct err why = { 0 };
	int rc = OK;

	*out = (struct eval_cases){ .arena = ARENA(CASES_MEMORY) };
	for (unsigned nth = 1; rc == OK && str_next(&text, '\n', &line); nth++) {
		line = str_trim(line);
		if (line.n > 0)
			rc = add_line(out, line, nth, &why);
		if (rc != OK)
			err_set(e, rc, "%.*s:%u: %s", FMT(file), nth, json_words(why.text));
	}
	if (rc == OK && out->n == 0)
		rc = err_set(e, ERR_INVALID, "%.*s: it has no cases", FMT(file));
	if (rc == OK)
		rc = check_ids(out, file, e);
	return rc;
}

void
eval_cases_release(struct eval_cases *c)
{
	free(c->at);
	arena_release(&c->arena);
	*c = (struct eval_cases){ 0 };
}

int
eval_cases_check(const struct eval_cases *c, const struct eval *v, struct str file,
    struct err *e)
{
	const struct eval_scorer *exact = NULL;

	for (size_t i = 0; i < v->scorers_n && exact == NULL; i++)
		if (v->scorer[i].kind == EVAL_EXACT)
			exact = &v->scorer[i];
	for (size_t i = 0; i < c->n && exact != NULL; i++)
		if (!c->at[i].has_expected)
			return err_set(e, ERR_INVALID, "%.*s:%u: expected: missing, and the scorer "
			    "'%.*s' compares with it", FMT(file), c->at[i].line, FMT(exact->name));
	return OK;
}

int
eval_cases_check_remote(const struct eval_cases *c, struct str file, struct err *e)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->at[i].has_replies)
			return err_set(e, ERR_INVALID, "%.*s:%u: replies: a server's model answers; "
			    "run it without --url", FMT(file), c->at[i].line);
	return OK;
}

bool
eval_case_has_tag(const struct eval_case *c, struct str tag)
{
	struct json_doc d = { 0 };
	bool has = false;

	if (json_parse(&d, c->json, NULL) == OK)
		for (struct json_iter it = json_each(json_get(d.root, S("tags")));
		    !has && json_next(&it);)
			has = str_eq(json_str(it.value), tag);
	json_release(&d);
	return has;
}

/* ---- values ----------------------------------------------------------------------------- */

int
eval_given_read(struct eval_given *out, const struct eval_case *c, struct err *e)
{
	struct val v;
	int rc = val_json(&v, c->json, e);

	*out = (struct eval_given){ 0 };
	if (rc != OK)
		return rc;
	out->input = val_ref(val_get(v, S("input")));
	out->expected = val_ref(val_get(v, S("expected")));
	out->replies = val_ref(val_get(v, S("replies")));
	out->answers = val_ref(val_get(v, S("answers")));
	val_drop(v);
	return OK;
}

void
eval_given_release(struct eval_given *g)
{
	val_drop(g->input);
	val_drop(g->expected);
	val_drop(g->replies);
	val_drop(g->answers);
	*g = (struct eval_given){ 0 };
}

struct val
eval_input(struct val input)
{
	struct val message;

	if (input.kind != VAL_STRING)
		return val_ref(input);
	message = val_set_take(val_object_empty(), S("role"), val_string(S("user")));
	message = val_set_take(message, S("content"), val_ref(input));
	return val_set_take(val_object_empty(), S("messages"),
	    val_push_take(val_array_empty(), message));
}
