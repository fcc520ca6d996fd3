/*
 * params.c - query parameters, and lists of words wherever they come from.
 *
 * Arrays come as SDKs send them: repeated (`a=x&a=y`), JSON-encoded
 * (`a=["x","y"]`), or as one bare word.  Booleans are 1/0, true/false and
 * yes/no in any case.  An empty value counts as absent.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"

#include <stdarg.h>
#include <stdio.h>

#define LIST_MAX   64                        /* values of one parameter, empty ones too */
#define SHOWN_MAX  64                        /* bytes of a wrong value we repeat */

struct str
param_shown(struct str s)
{
	return str_cut(s, SHOWN_MAX);
}

/* The next non-empty value, from the *at-th on; false: none is left.
 * SDKs send `stream_mode=` for what they leave out. */
static bool
next_value(struct call *c, const char *name, size_t *at, struct str *out)
{
	while (*at <= LIST_MAX && http_query(c->r, str_of(name), *at, out)) {
		(*at)++;
		if (out->n > 0)
			return true;
	}
	return false;
}

struct str
param_str(struct call *c, const char *name)
{
	struct str s;
	size_t at = 0;

	return next_value(c, name, &at, &s) ? s : STR_NONE;
}

void
param_bool(struct call *c, const char *name, bool *out)
{
	static const char *const words[] = { "0", "1", "false", "true", "no", "yes" };
	struct str s = param_str(c, name);
	size_t i = 0;

	while (s.n > 0 && i < COUNT(words) && !str_eq_nocase(s, str_of(words[i])))
		i++;
	if (i == COUNT(words))
		fields_fail(c->in, name, ERR_INVALID,
		    "expected true or false, got \"%.*s\"", FMT(param_shown(s)));
	else if (s.n > 0)
		*out = i % 2 == 1;
}

void
param_int(struct call *c, const char *name, int64_t min, int64_t max, int64_t *out)
{
	struct str s = param_str(c, name);
	int64_t v;

	if (s.n == 0)
		return;
	if (str_to_i64(s, &v) && v >= min && v <= max)
		*out = v;
	else
		fields_fail(c->in, name, ERR_INVALID,
		    "expected a whole number from %lld to %lld, got \"%.*s\"",
		    (long long)min, (long long)max, FMT(param_shown(s)));
}

void
param_word(struct call *c, const char *name, const char *const *words, int *out)
{
	struct str s = param_str(c, name);

	if (s.n > 0)
		*out = words_index(c, name, words, s);
}

void
param_id(struct call *c, const char *name, struct uuid *out)
{
	struct str s = param_str(c, name);

	if (s.n > 0)
		call_parse_id(c, name, s, out);
}

int
words_index(struct call *c, const char *name, const char *const *words, struct str s)
{
	struct buf list = BUF(512);

	for (int i = 0; words[i] != NULL; i++) {
		if (str_eq(s, str_of(words[i]))) {
			buf_release(&list);
			return i;
		}
		if (i > 0)
			buf_add(&list, words[i + 1] == NULL ? S(" or ") : S(", "));
		buf_add(&list, str_of(words[i]));
	}
	fields_fail(c->in, name, ERR_INVALID, "expected one of %.*s, got \"%.*s\"",
	    FMT(buf_str(&list)), FMT(param_shown(s)));
	buf_release(&list);
	return -1;
}

void
words_fail(struct call *c, const char *name, size_t i, const char *format, ...)
{
	char words[sizeof c->err.text], place[64];
	va_list ap;

	va_start(ap, format);
	vsnprintf(words, sizeof words, format, ap);
	va_end(ap);
	snprintf(place, sizeof place, "%s[%zu]", name, i);
	fields_fail(c->in, place, ERR_INVALID, "%s", words);
}

struct words
words_read(struct call *c, const char *name, jnode array, size_t max)
{
	struct json_iter it = json_each(array);
	struct str *at;
	size_t n = 0;

	if (!json_is_null(array) && !json_is_array(array))
		fields_fail(c->in, name, ERR_INVALID,
		    "expected an array of strings, got %s", json_kind(array));
	if (json_count(array) > max)
		fields_fail(c->in, name, ERR_INVALID, "more than %zu values", max);
	if (c->in->rc != OK || json_count(array) == 0)
		return (struct words){ NULL, 0 };
	at = arena_zero(&c->r->arena, json_count(array) * sizeof *at);
	for (; at != NULL && json_next(&it); n++) {
		if (!json_is_string(it.value))
			words_fail(c, name, n, "expected a string, got %s",
			    json_kind(it.value));
		at[n] = arena_str(&c->r->arena, json_str(it.value));
	}
	if (c->r->arena.failed)
		fields_fail(c->in, name, ERR_TOOBIG, "too large");
	return c->in->rc == OK ? (struct words){ at, n } : (struct words){ NULL, 0 };
}

static struct words
list_from_json(struct call *c, const char *name, struct str text)
{
	struct words list = { NULL, 0 };
	struct json_doc doc;
	struct err why;

	if (json_parse(&doc, text, &why) == OK)
		list = words_read(c, name, doc.root, LIST_MAX);
	else
		fields_fail(c->in, name, ERR_INVALID, "%s", why.text);
	json_release(&doc);
	return list;
}

struct words
param_list(struct call *c, const char *name)
{
	struct str s, found[LIST_MAX], *copy;
	size_t at = 0, n = 0;

	while (next_value(c, name, &at, &s)) {
		if (at > LIST_MAX) {
			fields_fail(c->in, name, ERR_INVALID, "more than %d values",
			    LIST_MAX);
			return (struct words){ NULL, 0 };
		}
		found[n++] = s;
	}
	if (n == 0)
		return (struct words){ NULL, 0 };
	if (n == 1 && found[0].p[0] == '[')
		return list_from_json(c, name, found[0]);
	copy = arena_alloc(&c->r->arena, n * sizeof *copy);
	for (size_t i = 0; copy != NULL && i < n; i++)
		copy[i] = found[i];
	return (struct words){ copy, copy != NULL ? n : 0 };
}
