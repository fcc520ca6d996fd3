/*
 * option.c - see option.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/option.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"

static int
wrong(const struct bench_option *o, const char *value, const char *want, struct err *e)
{
	return err_set(e, ERR_INVALID, "--%s: expected %s, got \"%s\"", o->name, want,
	    value != NULL ? value : "");
}

bool
bench_ms_parse(struct str text, msec *out)
{
	static const struct { const char *unit; msec ms; } units[] = {
		{ "", 1 }, { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 },
	};
	size_t digits = 0;
	double n;

	while (digits < text.n && (text.p[digits] == '.' ||
	    (text.p[digits] >= '0' && text.p[digits] <= '9')))
		digits++;
	if (!str_to_double(str_sub(text, 0, digits), &n) || n > 1e9)
		return false;
	for (size_t i = 0; i < COUNT(units); i++) {
		if (!str_eq(str_sub(text, digits, text.n), str_of(units[i].unit)))
			continue;
		*out = (msec)(n * (double)units[i].ms);
		return true;
	}
	return false;
}

static int
set_flag(const struct bench_option *o, void *field, const char *value, struct err *e)
{
	static const struct { const char *word; bool is; } words[] = {
		{ "true", true }, { "1", true }, { "yes", true },
		{ "false", false }, { "0", false }, { "no", false },
	};

	for (size_t i = 0; i < COUNT(words); i++) {
		if (value != NULL && strcmp(value, words[i].word) != 0)
			continue;
		*(bool *)field = words[i].is;    /* no value at all: the first */
		return OK;
	}
	return wrong(o, value, "true or false", e);
}

static int
set_int(const struct bench_option *o, void *field, const char *value, struct err *e)
{
	bool ranged = o->min != 0 || o->max != 0;
	int64_t n, min = ranged ? o->min : 0, max = ranged ? o->max : INT64_MAX;

	if (value == NULL || !str_to_i64(str_of(value), &n))
		return wrong(o, value, "a number", e);
	if (n < min || n > max)
		return err_set(e, ERR_INVALID, "--%s: %lld is not within %lld and %lld",
		    o->name, (long long)n, (long long)min, (long long)max);
	*(int64_t *)field = n;
	return OK;
}

static int
set_ms(const struct bench_option *o, void *field, const char *value, struct err *e)
{
	if (value == NULL || !bench_ms_parse(str_of(value), field))
		return wrong(o, value, "a time like 250, 250ms, 10s or 2m", e);
	return OK;
}

static int
set_text(const struct bench_option *o, void *field, const char *value, struct err *e)
{
	if (value == NULL)
		return wrong(o, value, o->value != NULL ? o->value : "a text", e);
	*(const char **)field = value;
	return OK;
}

static int
option_set(const struct bench_option *o, void *into, const char *value, struct err *e)
{
	static int (*const setters[])(const struct bench_option *, void *, const char *,
	    struct err *) = {
		[BENCH_FLAG] = set_flag, [BENCH_INT] = set_int, [BENCH_MS] = set_ms,
		[BENCH_TEXT] = set_text,
	};

	return setters[o->kind](o, (char *)into + o->at, value, e);
}

int
bench_options_init(struct bench_options t, void *into, struct err *e)
{
	for (size_t i = 0; i < t.n; i++) {
		const struct bench_option *o = &t.row[i];
		const char *value = o->env != NULL ? getenv(o->env) : NULL;
		int rc = OK;

		if (value == NULL || value[0] == '\0')
			value = o->fallback;
		if (value != NULL)
			rc = option_set(o, into, value, e);
		if (rc != OK)
			return rc;
	}
	return OK;
}

int
bench_option_set(struct bench_options t, void *into, struct str name,
    const char *value, struct err *e)
{
	const char *near = NULL;

	for (size_t i = 0; i < t.n; i++) {
		if (str_eq(name, str_of(t.row[i].name)))
			return option_set(&t.row[i], into, value, e);
		if (str_distance(name, str_of(t.row[i].name), 2) <= 2)
			near = t.row[i].name;
	}
	return err_set(e, ERR_NOTFOUND, "--%.*s: no such option%s%s%s", FMT(name),
	    near != NULL ? "; did you mean --" : "", near != NULL ? near : "",
	    near != NULL ? "?" : "");
}

static bool
is_flag(struct bench_options t, struct str name)
{
	for (size_t i = 0; i < t.n; i++)
		if (str_eq(name, str_of(t.row[i].name)))
			return t.row[i].kind == BENCH_FLAG;
	return false;
}

int
bench_options_parse(struct bench_options t, void *into, int argc, char *const *argv,
    struct err *e)
{
	int rc = OK;

	for (int i = 0; rc == OK && i < argc; i++) {
		struct str name = str_of(argv[i]);
		const char *value = NULL;
		ptrdiff_t equals;

		if (!str_starts(name, S("--")))
			return err_set(e, ERR_INVALID, "%s: not an option", argv[i]);
		name = str_sub(name, 2, name.n);
		equals = str_index(name, '=');
		if (equals >= 0) {
			value = name.p + equals + 1;
			name.n = (size_t)equals;
		} else if (!is_flag(t, name) && i + 1 < argc) {
			value = argv[++i];
		}
		rc = bench_option_set(t, into, name, value, e);
	}
	return rc;
}

void
bench_options_help(struct bench_options t, struct buf *out)
{
	for (size_t i = 0; i < t.n; i++) {
		const struct bench_option *o = &t.row[i];
		struct buf left = BUF(128);

		buf_add_fmt(&left, "  --%s%s%s", o->name, o->value != NULL ? " " : "",
		    o->value != NULL ? o->value : "");
		buf_add_fmt(out, "%-28s %s", left.p, o->help);
		if (o->fallback != NULL && o->fallback[0] != '\0' && o->kind != BENCH_FLAG)
			buf_add_fmt(out, " [%s]", o->fallback);
		if (o->env != NULL)
			buf_add_fmt(out, " (%s)", o->env);
		buf_add_char(out, '\n');
		buf_release(&left);
	}
}

static void
value_add_json(const struct bench_option *o, const void *field, struct buf *out)
{
	switch (o->kind) {
	case BENCH_FLAG:
		buf_add(out, *(const bool *)field ? S("true") : S("false"));
		break;
	case BENCH_INT:
	case BENCH_MS:
		buf_add_i64(out, *(const int64_t *)field);
		break;
	case BENCH_TEXT:
		if (*(const char *const *)field == NULL)
			buf_lit(out, "null");
		else
			json_add_str(out, str_of(*(const char *const *)field));
		break;
	}
}

void
bench_options_add_json(struct bench_options t, const void *from, struct buf *out)
{
	buf_add_char(out, '{');
	for (size_t i = 0; i < t.n; i++) {
		buf_add_fmt(out, "%s\"%s\":", i > 0 ? "," : "", t.row[i].name);
		value_add_json(&t.row[i], (const char *)from + t.row[i].at, out);
	}
	buf_add_char(out, '}');
}
