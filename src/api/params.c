/*
 * params.c - see params.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/params.h"

#include <assert.h>
#include <stdio.h>

#include "api/fields.h"
#include "base/limits.h"
#include "run/run.h"

#define LIST_MAX   64                        /* values of one parameter, empty ones too */
#define SHOWN_MAX  64                        /* bytes of a wrong value we repeat */

struct str
shown(struct str s)
{
	size_t n = 0;

	while (n < s.n) {
		size_t step = str_utf8_step(str_sub(s, n, s.n));

		step = step > 0 ? step : 1;
		if (n + step > SHOWN_MAX)
			break;
		n += step;
	}
	return str_sub(s, 0, n);
}

bool
parse_bool(struct str s, bool *out)
{
	static const struct { struct str word; bool value; } words[] = {
		{ { "1", 1 }, true },    { { "0", 1 }, false },
		{ { "true", 4 }, true }, { { "false", 5 }, false },
		{ { "yes", 3 }, true },  { { "no", 2 }, false },
	};

	for (size_t i = 0; i < COUNT(words); i++) {
		if (str_eq_nocase(s, words[i].word)) {
			*out = words[i].value;
			return true;
		}
	}
	return false;
}

/* The next non-empty value, from the *at-th on; false: none is left.
 * SDKs send `stream_mode=` for what they leave out. */
static bool
next_value(struct http_req *r, const char *name, size_t *at, struct str *out)
{
	while (*at <= LIST_MAX && http_query(r, str_of(name), *at, out)) {
		(*at)++;
		if (out->n > 0)
			return true;
	}
	return false;
}

struct str
param_str(struct http_req *r, const char *name)
{
	struct str s;
	size_t at = 0;

	return next_value(r, name, &at, &s) ? s : STR_NONE;
}

int
param_bool(struct http_req *r, const char *name, bool fallback, bool *out,
    struct err *e)
{
	struct str s = param_str(r, name);

	*out = fallback;
	if (s.n == 0 || parse_bool(s, out))
		return OK;
	return err_set(e, ERR_INVALID, "%s: expected true or false, got \"%.*s\"",
	    name, FMT(shown(s)));
}

int
param_int(struct http_req *r, const char *name, int64_t fallback,
    int64_t min, int64_t max, int64_t *out, struct err *e)
{
	struct str s = param_str(r, name);

	*out = fallback;
	if (s.n == 0)
		return OK;
	if (str_to_i64(s, out) && *out >= min && *out <= max)
		return OK;
	return err_set(e, ERR_INVALID,
	    "%s: expected a whole number from %lld to %lld, got \"%.*s\"", name,
	    (long long)min, (long long)max, FMT(shown(s)));
}

static int
list_from_json(struct http_req *r, const char *name, struct str text,
    struct str **out, size_t *n, struct err *e)
{
	struct json_doc doc;
	struct json_iter it;
	struct err why;
	int rc;

	rc = json_parse(&doc, text, &why);
	if (rc < 0) {
		rc = err_set(e, ERR_INVALID, "%s: %s", name, why.text);
		goto done;
	}
	*n = json_count(doc.root);
	if (*n > LIST_MAX) {
		rc = err_set(e, ERR_INVALID, "%s: more than %d values", name,
		    LIST_MAX);
		goto done;
	}
	*out = arena_zero(&r->arena, (*n + 1) * sizeof **out);
	*n = 0;
	it = json_each(doc.root);
	while (rc == OK && json_next(&it)) {
		if (json_is_string(it.value))
			(*out)[(*n)++] = arena_str(&r->arena, json_str(it.value));
		else
			rc = err_set(e, ERR_INVALID,
			    "%s: expected an array of strings, got %s in it",
			    name, json_kind(it.value));
	}
done:
	json_release(&doc);
	return rc;
}

int
param_list(struct http_req *r, const char *name, struct str **out,
    size_t *n, struct err *e)
{
	struct str s, found[LIST_MAX];
	size_t at = 0;

	*out = NULL;
	*n = 0;
	while (next_value(r, name, &at, &s)) {
		if (at > LIST_MAX)
			return err_set(e, ERR_INVALID, "%s: more than %d values",
			    name, LIST_MAX);
		found[(*n)++] = s;
	}
	if (*n == 0)
		return OK;
	if (*n == 1 && found[0].n > 0 && found[0].p[0] == '[')
		return list_from_json(r, name, found[0], out, n, e);
	*out = arena_alloc(&r->arena, *n * sizeof **out);
	for (size_t i = 0; i < *n; i++)
		(*out)[i] = found[i];
	return OK;
}

int
word_index(const char *const *words, struct str s)
{
	for (int i = 0; words[i] != NULL; i++) {
		if (str_eq(s, str_of(words[i])))
			return i;
	}
	return -1;
}

int
word_error(struct err *e, const char *name, const char *const *words,
    struct str s)
{
	struct buf list = BUF(512);

	for (size_t i = 0; words[i] != NULL; i++) {
		if (i > 0)
			buf_add(&list, words[i + 1] == NULL ? S(" or ") : S(", "));
		buf_add(&list, str_of(words[i]));
	}
	err_set(e, ERR_INVALID, "%s: expected one of %.*s, got \"%.*s\"", name,
	    FMT(buf_str(&list)), FMT(shown(s)));
	buf_release(&list);
	return ERR_INVALID;
}

/* ---- stream modes -------------------------------------------------------- */

static const char *const mode_words[] = {
	"values", "updates", "messages-tuple", "messages", NULL
};

static void
mode_name(struct buf *json, struct str word)
{
	if (!str_ends(buf_str(json), S("[")))
		buf_lit(json, ",");
	json_add_str(json, word);
}

/* One word more; a repeated one counts once.  at: in an array, or -1. */
static int
mode_add(struct str word, int at, unsigned *modes, struct buf *json,
    struct err *e)
{
	int i = word_index(mode_words, word);
	char path[32] = "stream_mode";
	int rc;

	if (str_eq(word, S("custom"))) {     /* accepted; see fields.c */
		mode_name(json, word);
		return OK;
	}
	if (i < 0) {
		rc = field_check_word("stream_mode", FIELD_RUN, word, e);
		if (rc < 0)
			return rc;
		if (at >= 0)
			snprintf(path, sizeof path, "stream_mode[%d]", at);
		return word_error(e, path, mode_words, word);
	}
	if (*modes & 1u << i)
		return OK;
	mode_name(json, word);
	*modes |= 1u << i;
	return OK;
}

int
modes_parse(const struct str *words, size_t n, unsigned *modes,
    struct buf *json, struct err *e)
{
	int rc = OK;

	*modes = 0;
	buf_lit(json, "[");
	if (n == 0)
		rc = mode_add(S("values"), -1, modes, json, e);
	for (size_t i = 0; rc == OK && i < n; i++)
		rc = mode_add(words[i], n > 1 ? (int)i : -1, modes, json, e);
	buf_lit(json, "]");
	return rc;
}

int
modes_parse_json(jnode n, unsigned *modes, struct buf *json, struct err *e)
{
	struct str words[LIST_MAX];
	struct json_iter it;
	size_t count = 0;

	if (json_is_string(n)) {
		words[count++] = json_str(n);
		return modes_parse(words, count, modes, json, e);
	}
	if (!json_is_null(n) && !json_is_array(n))
		return err_set(e, ERR_INVALID,
		    "stream_mode: expected a string or an array of them, got %s",
		    json_kind(n));
	it = json_each(n);
	while (json_next(&it)) {
		if (count == LIST_MAX)
			return err_set(e, ERR_INVALID,
			    "stream_mode: more than %d values", LIST_MAX);
		if (!json_is_string(it.value))
			return err_set(e, ERR_INVALID,
			    "stream_mode[%zu]: expected a string, got %s", count,
			    json_kind(it.value));
		words[count++] = json_str(it.value);
	}
	return modes_parse(words, count, modes, json, e);
}

/* ---- headers ------------------------------------------------------------- */

int
last_event_id(const struct http_req *r, int64_t absent, int64_t *id, struct err *e)
{
	struct str s = http_header(r, S("last-event-id"));

	*id = absent;
	if (s.n == 0 || (str_to_i64(s, id) && *id >= -1))
		return OK;
	*id = -1;
	if (str_eq(s, S("-")))
		return OK;
	return err_set(e, ERR_SYNTAX, "Last-Event-ID: expected the id of an event "
	    "(a number), or -1 for all, got \"%.*s\"", FMT(shown(s)));
}

void
header_add_text(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		buf_add_char(b, s.p[i] > 0x20 && s.p[i] < 0x7f && s.p[i] != '"' &&
		    s.p[i] != '\\' ? s.p[i] : '?');
}

static bool
header_is_shown(struct str name)
{
	static const struct str hidden[] = {
		{ "x-api-key", 9 }, { "x-tenant-id", 11 }, { "x-service-key", 13 },
	};

	if (str_eq_nocase(name, S("user-agent")))
		return true;
	if (name.n < 3 || !str_eq_nocase(str_sub(name, 0, 2), S("x-")))
		return false;
	for (size_t i = 0; i < COUNT(hidden); i++) {
		if (str_eq_nocase(name, hidden[i]))
			return false;
	}
	return true;
}

/* Header bytes are Latin-1 unless they happen to be UTF-8 (RFC 9110 5.5). */
static void
add_header_text(struct buf *b, struct str s)
{
	struct buf utf8 = BUF(2 * (size_t)LIMIT_HTTP_HEADER_BYTES);

	if (str_is_utf8(s)) {
		json_add_str(b, s);
		return;
	}
	for (size_t i = 0; i < s.n; i++)
		buf_add_utf8(&utf8, (unsigned char)s.p[i]);
	json_add_str(b, buf_str(&utf8));
	buf_release(&utf8);
}

static bool
header_comes_again(const struct http_req *r, size_t at)
{
	for (size_t i = at + 1; i < r->headers_n; i++) {
		if (str_eq_nocase(r->headers[i].name, r->headers[at].name))
			return true;
	}
	return false;
}

void
headers_add_json(struct buf *b, const struct http_req *r)
{
	size_t n = 0;

	buf_lit(b, "{");
	for (size_t i = 0; i < r->headers_n; i++) {
		struct str name = r->headers[i].name;

		if (!header_is_shown(name) || header_comes_again(r, i))
			continue;
		buf_add(b, n++ > 0 ? S(",\"") : S("\""));
		/* A header's name is a token: nothing to escape. */
		for (size_t j = 0; j < name.n; j++)
			buf_add_char(b, name.p[j] >= 'A' && name.p[j] <= 'Z' ?
			    (char)(name.p[j] + 32) : name.p[j]);
		buf_lit(b, "\":");
		add_header_text(b, r->headers[i].value);
	}
	buf_lit(b, "}");
}
