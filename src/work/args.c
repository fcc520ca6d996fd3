/*
 * args.c - the arguments of an operation: checked against its row, and read.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work/row.h"

const char *const work_status_names[] = {
	"open", "in_progress", "blocked", "deferred", "closed", NULL
};
const char *const work_type_names[] = {
	"bug", "feature", "task", "epic", "chore", NULL
};
const char *const work_dep_names[] = {
	"blocks", "related", "parent-child", "discovered-from", "relates-to", NULL
};

/* ---- checked against the row -------------------------------------------------- */

int
work_word(const char *const *words, struct str s)
{
	for (int i = 0; words[i] != NULL; i++) {
		if (str_eq(s, str_of(words[i])))
			return i;
	}
	return -1;
}

int
work_word_read(const char *const *words, struct str s, const char *what, int *out,
    struct err *e)
{
	struct buf list = BUF(300);
	int rc;

	*out = work_word(words, s);
	if (*out >= 0)
		return OK;
	for (size_t i = 0; words[i] != NULL; i++)
		buf_add_fmt(&list, "%s%s", i == 0 ? "" : words[i + 1] == NULL ? " or " :
		    ", ", words[i]);
	rc = err_set(e, ERR_INVALID, "%s: expected %.*s, got \"%.*s\"", what,
	    FMT(buf_str(&list)), FMT(str_sub(s, 0, 40)));
	buf_release(&list);
	return rc;
}

/* The set of the words, a bit each; 0 with "all"; ~0: one of them is unknown. */
static unsigned
words_read(struct str list, const char *const *words)
{
	unsigned set = 0;
	bool all = false;
	struct str part;

	while (str_next(&list, ',', &part)) {
		int i;

		part = str_trim(part);
		i = work_word(words, part);
		if (i >= 0)
			set |= 1u << i;
		else if (str_eq(part, S("all")))
			all = true;
		else
			return ~0u;
	}
	return all ? 0 : set;
}

static int
words_check(const struct work_arg *arg, jnode args, struct err *e)
{
	jnode n = json_get(args, str_of(arg->name));
	int word;

	if (json_is_string(n) && words_read(json_str(n), arg->words) != ~0u)
		return OK;
	return json_get_enum(args, arg->name, arg->name, arg->words, 0, &word, e);
}

static bool
time_read(struct str s, msec now, msec *out)
{
	bool days = str_ends(s, S("d"));
	char date[] = "2026-11-21T00:00:00Z";
	int64_t n;
	nsec age;

	if (days && str_to_i64(str_sub(s, 0, s.n - 1), &n)) {
		*out = now - n * 86400000;
		return n >= 0 && n < 1000000;
	}
	if (clock_parse(s, 0, &age)) {
		*out = now - age / NS_PER_MS;
		return true;
	}
	if (s.n != strlen("2026-11-21"))
		return clock_read_iso(s, out);
	memcpy(date, s.p, s.n);
	return clock_read_iso(str_of(date), out);
}

static int
time_check(const struct work_arg *arg, jnode args, struct err *e)
{
	struct str s = STR_NONE;
	msec at;
	int rc = json_get_str(args, arg->name, arg->name, STR_NONE,
	    (size_t)arg->max, &s, e);

	if (rc != OK || s.p == NULL || time_read(s, 0, &at))
		return rc;
	return err_set(e, ERR_INVALID, "%s: expected a time as 2026-11-21T08:30:00Z, a "
	    "date or an age such as 36h or 30d, got \"%.*s\"", arg->name, FMT(s));
}

static int
texts_check(const struct work_arg *arg, jnode args, struct err *e)
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
arg_check(const struct work_arg *arg, jnode args, struct err *e)
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
	case ARG_WORD:
		return json_get_enum(args, arg->name, arg->name, arg->words, 0,
		    &word, e);
	case ARG_WORDS:
		return words_check(arg, args, e);
	case ARG_TIME:
		return time_check(arg, args, e);
	case ARG_ARRAY:
		return json_get_array(args, arg->name, arg->name, &args, e);
	}
	return OK;
}

static int
unknown_arg(const struct operation *op, struct str key, struct err *e)
{
	struct str_near near = { .word = key };

	for (const struct work_arg *a = op->args; a->name != NULL; a++)
		str_near_try(&near, a->name);
	return err_near(e, ERR_INVALID, near.best, "\"", "%s: unknown argument \"%.*s\"",
	    op->name, FMT(key));
}

const struct work_arg *
work_arg_find(const struct work_arg *args, struct str name)
{
	for (const struct work_arg *a = args; a->name != NULL; a++) {
		if (str_eq(str_of(a->name), name))
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
		const struct work_arg *a = work_arg_find(op->args, json_str(it.key));

		rc = a == NULL ? unknown_arg(op, json_str(it.key), e) :
		    arg_check(a, args, e);
	}
	for (const struct work_arg *a = op->args; rc == OK && a->name != NULL; a++) {
		if (a->required && json_is_null(json_get(args, str_of(a->name))))
			rc = err_set(e, ERR_INVALID, "%s: \"%s\" is missing",
			    op->name, a->name);
	}
	return rc;
}

/* ---- read ----------------------------------------------------------------------- */

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

	return n == NULL ? fallback : work_word(words, json_str(n));
}

unsigned
arg_words(const struct work_call *c, const char *name, const char *const *words)
{
	return words_read(arg_text(c, name), words);
}

msec
arg_time(const struct work_call *c, const char *name)
{
	msec at = INT64_MIN;

	if (arg_given(c, name))
		time_read(arg_text(c, name), c->now, &at);
	return at;
}
