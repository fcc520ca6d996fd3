/*
 * args.c - the arguments of an operation: checked against its row, and read.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work/operation.h"

const char *const work_status_names[] = {
	"open", "in_progress", "blocked", "deferred", "closed", NULL
};
const char *const work_type_names[] = {
	"bug", "feature", "task", "epic", "chore", NULL
};
const char *const work_dep_names[] = {
	"blocks", "related", "parent-child", "discovered-from", NULL
};

static const char *const *
words_of(enum arg_kind kind)
{
	switch (kind) {
	case ARG_STATUS: return work_status_names;
	case ARG_TYPE:   return work_type_names;
	case ARG_DEP:    return work_dep_names;
	default:         return NULL;
	}
}

static int
texts_check(const struct arg *arg, jnode args, struct err *e)
{
	struct json_iter it;
	jnode array;
	size_t i = 0;
	int rc = json_get_array(args, arg->name, arg->name, &array, e);

	if (rc == OK && json_count(array) > (size_t)arg->min)
		return err_set(e, ERR_TOOBIG, "%s: at most %lld entries, got %zu",
		    arg->name, (long long)arg->min, json_count(array));
	it = json_each(array);
	for (; rc == OK && json_next(&it); i++) {
		struct str s = json_str(it.value);

		if (!json_is_string(it.value) || s.n == 0)
			return err_set(e, ERR_INVALID, "%s[%zu]: expected a string "
			    "that is not empty, got %s", arg->name, i,
			    s.n == 0 && json_is_string(it.value) ? "an empty one" :
			    json_kind(it.value));
		if (s.n > (size_t)arg->max)
			return err_set(e, ERR_TOOBIG, "%s[%zu]: at most %lld bytes, "
			    "got %zu", arg->name, i, (long long)arg->max, s.n);
	}
	return rc;
}

static int
arg_check(const struct arg *arg, jnode args, struct err *e)
{
	struct str s;
	int64_t n;
	bool b;
	int word;

	switch (arg->kind) {
	case ARG_TEXT:
		return json_get_str(args, arg->name, arg->name, STR_NONE,
		    (size_t)arg->max, &s, e);
	case ARG_INT:
		return json_get_int(args, arg->name, arg->name, arg->min, arg->min,
		    arg->max, &n, e);
	case ARG_BOOL:
		return json_get_bool(args, arg->name, arg->name, false, &b, e);
	case ARG_TEXTS:
		return texts_check(arg, args, e);
	case ARG_STATUS: case ARG_TYPE: case ARG_DEP:
		return json_get_enum(args, arg->name, arg->name,
		    words_of(arg->kind), 0, &word, e);
	case ARG_ARRAY:
		return json_get_array(args, arg->name, arg->name, &args, e);
	}
	return OK;
}

static int
unknown_arg(const struct operation *op, struct str key, struct err *e)
{
	struct str_near near = { .word = key };

	for (const struct arg *a = op->args; a->name != NULL; a++)
		str_near_try(&near, a->name);
	return err_near(e, ERR_INVALID, near.best, "\"", "%s: \"%.*s\" is not an argument of it",
	    op->name, FMT(key));
}

static const struct arg *
arg_find(const struct operation *op, struct str key)
{
	for (const struct arg *a = op->args; a->name != NULL; a++) {
		if (str_eq(str_of(a->name), key))
			return a;
	}
	return NULL;
}

int
work_args_check(const struct operation *op, jnode args, struct err *e)
{
	struct json_iter it = json_each(args);
	int rc = OK;

	if (args != NULL && !json_is_object(args))
		return err_set(e, ERR_INVALID, "args: expected an object, got %s",
		    json_kind(args));
	while (rc == OK && json_next(&it)) {
		const struct arg *a = arg_find(op, json_str(it.key));

		rc = a == NULL ? unknown_arg(op, json_str(it.key), e) :
		    arg_check(a, args, e);
	}
	for (const struct arg *a = op->args; rc == OK && a->name != NULL; a++) {
		if (a->required && json_is_null(json_get(args, str_of(a->name))))
			rc = err_set(e, ERR_INVALID, "%s: \"%s\" is missing",
			    op->name, a->name);
	}
	return rc;
}

jnode
arg_node(const struct work_call *c, const char *name)
{
	jnode n = c->args == NULL ? NULL : json_get(c->args, str_of(name));

	return json_is_null(n) ? NULL : n;
}

bool
arg_given(const struct work_call *c, const char *name)
{
	return arg_node(c, name) != NULL;
}

struct str
arg_text(const struct work_call *c, const char *name)
{
	jnode n = arg_node(c, name);

	return n == NULL ? STR_NONE : json_str(n);
}

int64_t
arg_int(const struct work_call *c, const char *name, int64_t fallback)
{
	jnode n = arg_node(c, name);

	return n == NULL ? fallback : json_int(n);
}

bool
arg_bool(const struct work_call *c, const char *name)
{
	return json_bool(arg_node(c, name));
}

int
arg_word(const struct work_call *c, const char *name, const char *const *words,
    int fallback)
{
	jnode n = arg_node(c, name);

	for (int i = 0; n != NULL && words[i] != NULL; i++) {
		if (str_eq(json_str(n), str_of(words[i])))
			return i;
	}
	return fallback;
}
