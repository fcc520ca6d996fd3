/*
 * flags.c - see flags.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/flags.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"

/* ---- rows ------------------------------------------------------------------- */

static const struct flag *
find_in(const struct flag *f, struct str name, char letter)
{
	for (; f != NULL && f->name != NULL; f++) {
		if (letter != 0 ? f->letter == letter : str_eq(str_of(f->name), name))
			return f;
	}
	return NULL;
}

/* The command's own flags come first: `export -s` is not the global one. */
static const struct flag *
flag_find(const struct flag_line *l, struct str name, char letter)
{
	const struct flag *f = find_in(l->own, name, letter);

	return f != NULL ? f : find_in(l->common, name, letter);
}

static void
try_names(struct str_near *near, const struct flag *f)
{
	for (; f != NULL && f->name != NULL; f++)
		str_near_try(near, f->name);
}

static bool
has_letters(const struct flag *f)
{
	while (f != NULL && f->name != NULL && f->letter == 0)
		f++;
	return f != NULL && f->name != NULL;
}

/* It may have been meant as a text. */
static const char *
text_hint(const struct flag_line *l)
{
	return l->texts ? "; what begins with a dash and is no flag goes after --" : "";
}

static int
unknown_letter(const struct flag_line *l, char letter, struct err *e)
{
	if (has_letters(l->own) || has_letters(l->common))
		return err_set(e, ERR_INVALID, "unknown shorthand flag: -%c%s", letter,
		    text_hint(l));
	return err_set(e, ERR_INVALID, "unknown shorthand flag: -%c; flags are written "
	    "out, as in --%s", letter, l->own != NULL ? l->own->name : "help");
}

static int
unknown(const struct flag_line *l, struct str name, struct err *e)
{
	struct str_near near = { .word = name };

	try_names(&near, l->own);
	try_names(&near, l->common);
	return err_near(e, ERR_INVALID, near.best, "--", "unknown flag: --%.*s%s",
	    FMT(name), near.best == NULL ? text_hint(l) : "");
}

/* ---- a line ------------------------------------------------------------------ */

int
line_init(struct flag_line *l, int argc, char **argv, struct arena *a, struct err *e)
{
	size_t letters = 1;

	*l = (struct flag_line){ .argc = argc, .argv = argv };
	for (int i = 0; i < argc; i++)
		letters += argv[i][0] == '-' ? strlen(argv[i]) : 0;
	l->given = arena_alloc(a, letters * sizeof *l->given);
	l->operand = arena_alloc(a, ((size_t)argc + 1) * sizeof *l->operand);
	return a->failed ? err_set(e, ERR_TOOBIG, "the command line is too long") : OK;
}

static int
give(struct flag_line *l, const struct flag *f, struct str value, struct err *e)
{
	bool on;

	if (f->kind == FLAG_SWITCH && !flag_switch(value, &on))
		return err_set(e, ERR_INVALID, "--%s takes true or false, not \"%.*s\"",
		    f->name, FMT(value));
	if (f->state == FLAG_REFUSED)
		return err_set(e, ERR_INVALID, "--%s: %s", f->name, f->help);
	l->given[l->given_n++] = (struct flag_given){ f, value };
	return OK;
}

/* The value is the next argument, but for switches. */
static int
give_next(struct flag_line *l, const struct flag *f, struct err *e)
{
	if (f->kind == FLAG_SWITCH)
		return give(l, f, S("true"), e);
	if (l->at == l->argc)
		return err_set(e, ERR_INVALID, "flag needs an argument: --%s %s",
		    f->name, f->value != NULL ? f->value : "TEXT");
	return give(l, f, str_of(l->argv[l->at++]), e);
}

/* --name, --name=value */
static int
read_long(struct flag_line *l, struct str name, struct err *e)
{
	ptrdiff_t eq = str_index(name, '=');
	struct str value = STR_NONE;
	const struct flag *f;

	if (eq >= 0) {
		value = str_sub(name, (size_t)eq + 1, name.n);
		name.n = (size_t)eq;
	}
	f = flag_find(l, name, 0);
	if (f == NULL)
		return unknown(l, name, e);
	return eq >= 0 ? give(l, f, value, e) : give_next(l, f, e);
}

/* -p1, -p=1, -p 1, -fq */
static int
read_short(struct flag_line *l, struct str s, struct err *e)
{
	while (s.n > 0) {
		const struct flag *f = flag_find(l, STR_NONE, s.p[0]);
		struct str rest = str_sub(s, 1, s.n);
		int rc;

		if (f == NULL)
			return unknown_letter(l, s.p[0], e);
		if (rest.n > 0 && rest.p[0] == '=')
			return give(l, f, str_sub(rest, 1, rest.n), e);
		if (rest.n > 0 && f->kind != FLAG_SWITCH)
			return give(l, f, rest, e);
		rc = give_next(l, f, e);
		if (rc < 0 || f->kind != FLAG_SWITCH)
			return rc;
		s = rest;
	}
	return OK;
}

/* No flag's name has a blank: `--json is wrong` is a title, and so is `-v shows
 * nothing` where no flag is -v. */
bool
line_at_flag(const struct flag_line *l)
{
	const char *arg = l->at < l->argc ? l->argv[l->at] : "";
	size_t n = strcspn(arg, "= \t\n");

	if (arg[0] != '-' || arg[1] == '\0')
		return false;
	return arg[n] == '\0' || arg[n] == '=' ||
	    (arg[1] != '-' && flag_find(l, STR_NONE, arg[1]) != NULL);
}

int
line_read_flag(struct flag_line *l, struct err *e)
{
	struct str arg = str_of(l->argv[l->at]);

	assert(l->at < l->argc && arg.n > 1 && arg.p[0] == '-');
	l->at++;
	if (arg.p[1] == '-')
		return read_long(l, str_sub(arg, 2, arg.n), e);
	return read_short(l, str_sub(arg, 1, arg.n), e);
}

int
line_read_rest(struct flag_line *l, struct err *e)
{
	bool ended = false;
	int rc = OK;

	while (rc == OK && l->at < l->argc) {
		if (!ended && strcmp(l->argv[l->at], "--") == 0) {
			ended = true;
			l->at++;
		} else if (!ended && line_at_flag(l)) {
			rc = line_read_flag(l, e);
		} else {
			l->operand[l->operands_n++] = str_of(l->argv[l->at++]);
		}
	}
	return rc;
}

int
line_check_operands(const struct flag_line *l, const struct flag_command *c,
    struct err *e)
{
	if ((int)l->operands_n < c->min)
		return err_set(e, ERR_INVALID, "%s needs %s", c->name, c->operands);
	if (c->max >= 0 && (int)l->operands_n > c->max)
		return err_set(e, ERR_INVALID, "unexpected \"%.*s\"%s",
		    FMT(l->operand[c->max]), c->max == 0 ? "" :
		    "; a text with blanks needs quotes");
	return OK;
}

int
line_parse(struct flag_line *l, const struct flag_command *c, int argc, char **argv,
    struct arena *a, struct err *e)
{
	int rc = line_init(l, argc, argv, a, e);

	l->own = c->own;
	l->common = c->common;
	l->texts = c->max != 0;
	if (rc == OK)
		rc = line_read_rest(l, e);
	return rc == OK ? line_check_operands(l, c, e) : rc;
}

struct str
line_text(const struct flag_line *l, const char *flag)
{
	for (size_t i = l->given_n; i-- > 0; ) {
		if (strcmp(l->given[i].flag->name, flag) == 0)
			return l->given[i].value;
	}
	return STR_NONE;
}

bool
line_has(const struct flag_line *l, const char *flag)
{
	for (size_t i = l->given_n; i-- > 0; ) {
		const struct flag_given *g = &l->given[i];
		bool on = true;

		if (strcmp(g->flag->name, flag) != 0)
			continue;
		if (g->flag->kind == FLAG_SWITCH)
			flag_switch(g->value, &on);
		return on;
	}
	return false;
}

/* ---- values -------------------------------------------------------------------- */

bool
flag_switch(struct str s, bool *on)
{
	static const char *const words[] = { "true", "yes", "t", "1", "false", "no",
		"f", "0" };

	for (size_t i = 0; i < COUNT(words); i++) {
		if (str_eq_nocase(s, str_of(words[i]))) {
			*on = i < COUNT(words) / 2;
			return true;
		}
	}
	return false;
}

static int
wrong(const char *origin, struct str text, struct err *e, const char *want)
{
	return err_set(e, ERR_INVALID, "%s: expected %s, got \"%.*s\"", origin, want,
	    FMT(text));
}

static int
check_words(const struct flag *f, struct str text, const char *origin, struct err *e)
{
	char list[200];
	size_t n = 0;

	for (size_t i = 0; f->words[i] != NULL; i++) {
		if (str_eq(text, str_of(f->words[i])))
			return OK;
		n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", i == 0 ? "" :
		    f->words[i + 1] == NULL ? " or " : ", ", f->words[i]);
		assert(n < sizeof list);
	}
	return wrong(origin, text, e, list);
}

static int
check_int(const struct flag *f, struct str text, const char *origin, struct err *e)
{
	int64_t v, max = f->min == 0 && f->max == 0 ? INT64_MAX : f->max;
	char want[120];

	if (str_to_i64(text, &v) && v >= f->min && v <= max)
		return OK;
	snprintf(want, sizeof want, "a whole number from %lld to %lld%s%s",
	    (long long)f->min, (long long)max, f->unit != NULL ? " " : "",
	    f->unit != NULL ? f->unit : "");
	return wrong(origin, text, e, want);
}

int
flag_check(const struct flag *f, struct str text, const char *origin, struct err *e)
{
	nsec t;
	bool on;

	switch (f->kind) {
	case FLAG_SWITCH:
		return flag_switch(text, &on) ? OK :
		    wrong(origin, text, e, "true or false");
	case FLAG_INT:
		return check_int(f, text, origin, e);
	case FLAG_MS:
		return clock_parse(text, NS_PER_MS, &t) ? OK :
		    wrong(origin, text, e, "a time like 250, 250ms, 10s or 2m");
	default:
		return f->words != NULL ? check_words(f, text, origin, e) : OK;
	}
}

int
line_check_values(const struct flag_line *l, struct err *e)
{
	char origin[80];
	int rc = OK;

	for (size_t i = 0; rc == OK && i < l->given_n; i++) {
		snprintf(origin, sizeof origin, "--%s", l->given[i].flag->name);
		rc = flag_check(l->given[i].flag, l->given[i].value, origin, e);
	}
	return rc;
}

/* text ends with a NUL. */
static int
store(const struct flag *f, void *into, struct str text, struct err *e)
{
	void *field = (char *)into + f->at;
	char origin[80];
	nsec t = 0;
	int rc;

	snprintf(origin, sizeof origin, "--%s", f->name);
	rc = flag_check(f, text, origin, e);
	if (rc < 0)
		return rc;
	switch (f->kind) {
	case FLAG_SWITCH:
		flag_switch(text, field);
		return OK;
	case FLAG_INT:
		str_to_i64(text, field);
		return OK;
	case FLAG_MS:
		clock_parse(text, NS_PER_MS, &t);
		*(msec *)field = t / NS_PER_MS;
		return OK;
	default:
		*(const char **)field = text.p;
		return OK;
	}
}

int
flags_default(const struct flag *t, void *into, struct err *e)
{
	int rc = OK;

	for (; rc == OK && t->name != NULL; t++) {
		const char *value = t->env != NULL ? getenv(t->env) : NULL;

		if (value == NULL || value[0] == '\0')
			value = t->fallback;
		if (value != NULL)
			rc = store(t, into, str_of(value), e);
	}
	return rc;
}

int
flags_fill(const struct flag *t, void *into, int argc, char **argv, struct err *e)
{
	const struct flag_command c = { .own = t };
	struct arena a = ARENA(LINE_BYTES);
	struct flag_line l;
	int rc = line_parse(&l, &c, argc, argv, &a, e);

	if (rc == OK)
		rc = flags_store(t, &l, into, e);
	arena_release(&a);
	return rc;
}

bool
flags_has(const struct flag *t, const struct flag *f)
{
	for (; t != NULL && t->name != NULL; t++)
		if (t == f)
			return true;
	return false;
}

int
flags_store(const struct flag *t, const struct flag_line *l, void *into, struct err *e)
{
	int rc = OK;

	for (size_t i = 0; rc == OK && i < l->given_n; i++)
		if (flags_has(t, l->given[i].flag))
			rc = store(l->given[i].flag, into, l->given[i].value, e);
	return rc;
}

void
flags_add_json(const struct flag *t, const void *from, struct buf *out)
{
	buf_add_char(out, '{');
	for (size_t i = 0; t[i].name != NULL; i++) {
		const void *field = (const char *)from + t[i].at;

		buf_add_fmt(out, "%s\"%s\":", i > 0 ? "," : "", t[i].name);
		if (t[i].kind == FLAG_SWITCH)
			buf_add(out, *(const bool *)field ? S("true") : S("false"));
		else if (t[i].kind != FLAG_TEXT)
			buf_add_i64(out, *(const int64_t *)field);
		else if (*(const char *const *)field == NULL)
			buf_lit(out, "null");
		else
			json_add_str(out, str_of(*(const char *const *)field));
	}
	buf_add_char(out, '}');
}

bool
flag_differs(const struct flag *f, const void *in)
{
	const void *field = (const char *)in + f->at;
	const char *text;
	int64_t number = 0;
	nsec t = 0;

	if (f->kind == FLAG_SWITCH)
		return *(const bool *)field;
	if (f->kind == FLAG_TEXT) {
		text = *(const char *const *)field;
		return text != NULL && (f->fallback == NULL || strcmp(text, f->fallback) != 0);
	}
	if (f->kind == FLAG_MS && clock_parse(str_of(f->fallback), NS_PER_MS, &t))
		number = t / NS_PER_MS;
	else
		str_to_i64(str_of(f->fallback), &number);
	return *(const int64_t *)field != number;
}
