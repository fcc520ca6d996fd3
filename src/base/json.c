/*
 * json.c - reading: parsing, access, and fields checked for people.
 *
 * yyjson keeps a document as one flat array of 16-byte values in text order;
 * a container knows where its next sibling begins.  Depth is checked on that
 * array, so nothing here recurses on unchecked input.  A text of a few
 * megabytes of brackets would make an array many times its size: large texts
 * are counted before they are parsed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/json.h"
#include "base/json_priv.h"
#include "base/limits.h"

#include <assert.h>
#include <math.h>
#include <string.h>
#include <yyjson.h>

#define COUNT_FROM (64 * KB)                 /* smaller texts are just parsed */

/* ---- parsing --------------------------------------------------------------- */

static int
too_deep(struct err *e)
{
	return err_set(e, ERR_TOOBIG, "nested deeper than %d levels",
	    LIMIT_JSON_DEPTH);
}

/* Refuses a large text by its brackets and commas; everything else about it
 * is the parser's to judge. */
static int
count_values(struct str s, struct err *e)
{
	int depth = 0, values = 1;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '"') {
			const char *close = json_string_end(s.p + i + 1, s.p + s.n);

			if (close == NULL)
				break;       /* the parser will say what is wrong */
			i = (size_t)(close - s.p);
		} else if (c == '[' || c == '{') {
			depth++;
			values++;
		} else if (c == ']' || c == '}') {
			depth--;
		} else if (c == ',' || c == ':') {
			values++;
		}
		if (depth > LIMIT_JSON_DEPTH)
			return too_deep(e);
		if (values > LIMIT_JSON_VALUES)
			return err_set(e, ERR_TOOBIG, "more than %d values",
			    LIMIT_JSON_VALUES);
	}
	return OK;
}

static bool
is_container(jnode n)
{
	return yyjson_is_ctn(n);
}

/* Walks the flat array with a stack of the ends of open containers. */
static bool
deeper_than_limit(jnode root)
{
	jnode ends[LIMIT_JSON_DEPTH], end = unsafe_yyjson_get_next(root);
	unsigned depth = 0;

	for (jnode at = root; at < end; at++) {
		while (depth > 0 && at == ends[depth - 1])
			depth--;
		if (!is_container(at))
			continue;
		if (depth == LIMIT_JSON_DEPTH)
			return true;
		ends[depth++] = unsafe_yyjson_get_next(at);
	}
	return false;
}

struct position { size_t line, column; };    /* in characters, from 1 */

static struct position
position_of(struct str text, size_t offset)
{
	struct position p = { 1, 1 };

	for (size_t i = 0; i < offset && i < text.n; i++) {
		if (text.p[i] == '\n') {
			p.line++;
			p.column = 1;
		} else if (((unsigned char)text.p[i] & 0xc0) != 0x80) {
			p.column++;
		}
	}
	return p;
}

static int
syntax_error(struct str text, const yyjson_read_err *error, struct err *e)
{
	struct position p = position_of(text, error->pos);
	const char *words = error->msg;

	if (error->code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
		return err_set(e, ERR_TOOBIG, "no memory for this document");
	if (text.n == 0)
		words = "empty, expected a value";
	return err_set(e, ERR_SYNTAX, "line %zu, column %zu: %s", p.line, p.column,
	    words);
}

/* A short text has no long string.  The parser decodes strings where they
 * stand in its copy of the text, which tells where this one stood. */
static int
check_strings(const struct json_doc *d, struct str text, struct err *e)
{
	jnode end = unsafe_yyjson_get_next(d->root);
	struct position p;

	if (text.n <= LIMIT_JSON_STRING_BYTES)
		return OK;
	for (jnode at = d->root; at < end; at++) {
		if (!yyjson_is_str(at) || yyjson_get_len(at) <= LIMIT_JSON_STRING_BYTES)
			continue;
		p = position_of(text, (size_t)(yyjson_get_str(at) - d->doc->str_pool));
		return err_set(e, ERR_TOOBIG, "line %zu, column %zu: a string of %zu "
		    "bytes; expected at most %d", p.line, p.column,
		    yyjson_get_len(at), LIMIT_JSON_STRING_BYTES);
	}
	return OK;
}

int
json_parse(struct json_doc *d, struct str text, struct err *e)
{
	yyjson_read_err error = { 0 };
	int rc;

	*d = (struct json_doc){ NULL, NULL };
	if (text.n > COUNT_FROM) {
		rc = count_values(text, e);
		if (rc < 0)
			return rc;
	}
	/* Not in place: the flag is not set, so the text is only read. */
	d->doc = yyjson_read_opts((char *)(uintptr_t)text.p, text.n,
	    YYJSON_READ_NOFLAG, NULL, &error);
	if (d->doc == NULL)
		return syntax_error(text, &error, e);
	d->root = yyjson_doc_get_root(d->doc);
	rc = deeper_than_limit(d->root) ? too_deep(e) : check_strings(d, text, e);
	if (rc < 0)
		json_release(d);
	return rc;
}

void
json_release(struct json_doc *d)
{
	yyjson_doc_free(d->doc);
	*d = (struct json_doc){ NULL, NULL };
}

const char *
json_words(const char *text)
{
	static const char first[] = "line 1, ";

	return strncmp(text, first, sizeof first - 1) == 0 ?
	    text + sizeof first - 1 : text;
}

int
json_check(struct str text, struct err *e)
{
	struct json_doc d;
	int rc = json_parse(&d, text, e);

	json_release(&d);
	return rc;
}

/* ---- kinds ----------------------------------------------------------------- */

bool
json_is_object(jnode n)
{
	return yyjson_is_obj(n);
}

bool
json_is_array(jnode n)
{
	return yyjson_is_arr(n);
}

bool
json_is_string(jnode n)
{
	return yyjson_is_str(n);
}

bool
json_is_null(jnode n)
{
	return n == NULL || yyjson_is_null(n);
}

bool
json_is_bool(jnode n)
{
	return yyjson_is_bool(n);
}

bool
json_is_int(jnode n)
{
	return yyjson_is_sint(n) ||
	    (yyjson_is_uint(n) && yyjson_get_uint(n) <= INT64_MAX);
}

bool
json_is_number(jnode n)
{
	return yyjson_is_num(n);
}

bool
json_bool(jnode n)
{
	return yyjson_is_true(n);
}

int64_t
json_int(jnode n)
{
	return json_is_int(n) ? yyjson_get_sint(n) : 0;
}

double
json_number(jnode n)
{
	if (yyjson_is_uint(n))
		return (double)yyjson_get_uint(n);
	if (yyjson_is_sint(n))
		return (double)yyjson_get_sint(n);
	return yyjson_get_real(n);
}

struct str
json_str(jnode n)
{
	return (struct str){ yyjson_get_str(n), yyjson_get_len(n) * json_is_string(n) };
}

const char *
json_kind(jnode n)
{
	switch (yyjson_get_type(n)) {
	case YYJSON_TYPE_NULL:
		return "null";
	case YYJSON_TYPE_BOOL:
		return "a boolean";
	case YYJSON_TYPE_NUM:
		return "a number";
	case YYJSON_TYPE_STR:
		return "a string";
	case YYJSON_TYPE_ARR:
		return "an array";
	case YYJSON_TYPE_OBJ:
		return "an object";
	default:
		return "nothing";
	}
}

/* ---- containers ------------------------------------------------------------ */

/* All of it is looked at: of two equal keys the last one counts. */
jnode
json_get(jnode object, struct str key)
{
	jnode found = NULL, at;

	if (!json_is_object(object) || yyjson_get_len(object) == 0)
		return NULL;
	at = unsafe_yyjson_get_first(object);
	for (size_t left = yyjson_get_len(object); left > 0; left--) {
		if (unsafe_yyjson_equals_strn(at, key.p, key.n))
			found = at + 1;
		at = unsafe_yyjson_get_next(at + 1);
	}
	return found;
}

size_t
json_count(jnode n)
{
	return is_container(n) ? yyjson_get_len(n) : 0;
}

jnode
json_at(jnode array, size_t i)
{
	return yyjson_arr_get(array, i);
}

struct json_iter
json_each(jnode container)
{
	struct json_iter it = { .container = container };

	it.left = json_count(container);
	if (it.left > 0)
		it.at = unsafe_yyjson_get_first(container);
	return it;
}

bool
json_next(struct json_iter *it)
{
	if (it->left == 0)
		return false;
	it->left--;
	it->value = it->at;
	if (unsafe_yyjson_is_obj(it->container)) {
		it->key = it->at;
		it->value = it->key + 1;
	}
	it->at = unsafe_yyjson_get_next(it->value);
	return true;
}

/* ---- fields ---------------------------------------------------------------- */

static int
wrong_kind(const char *path, const char *expected, jnode got, struct err *e)
{
	return err_set(e, ERR_INVALID, "%s: expected %s, got %s", path, expected,
	    json_kind(got));
}

int
json_get_str(jnode o, const char *key, const char *path, struct str fallback,
    size_t max, struct str *out, struct err *e)
{
	jnode n = json_get(o, str_of(key));

	*out = fallback;
	if (json_is_null(n))
		return OK;
	if (!json_is_string(n))
		return wrong_kind(path, "a string", n, e);
	if (json_str(n).n > max)
		return err_set(e, ERR_INVALID,
		    "%s: expected at most %zu bytes, got %zu", path, max,
		    json_str(n).n);
	*out = json_str(n);
	return OK;
}

/* An integer, or a double that is one: 3.0 comes from clients in languages
 * with one kind of number. */
static bool
whole_number(jnode n, int64_t *out)
{
	double d = json_number(n);

	if (json_is_int(n)) {
		*out = json_int(n);
		return true;
	}
	if (!json_is_number(n) || d != floor(d) || !(fabs(d) <= 0x1p53))
		return false;
	*out = (int64_t)d;
	return true;
}

static int
not_whole(const char *path, jnode got, struct err *e)
{
	if (!json_is_number(got))
		return wrong_kind(path, "an integer", got, e);
	return err_set(e, ERR_INVALID, "%s: expected an integer, got %g", path,
	    json_number(got));
}

int
json_get_int(jnode o, const char *key, const char *path, int64_t fallback,
    int64_t min, int64_t max, int64_t *out, struct err *e)
{
	jnode n = json_get(o, str_of(key));
	int64_t i;

	*out = fallback;
	if (json_is_null(n))
		return OK;
	if (!whole_number(n, &i))
		return not_whole(path, n, e);
	if (i < min && max == INT64_MAX)
		return err_set(e, ERR_INVALID,
		    "%s: expected an integer of at least %lld, got %lld", path,
		    (long long)min, (long long)i);
	if (i < min || i > max)
		return err_set(e, ERR_INVALID,
		    "%s: expected an integer from %lld to %lld, got %lld", path,
		    (long long)min, (long long)max, (long long)i);
	*out = i;
	return OK;
}

int
json_get_number(jnode o, const char *key, const char *path, double fallback,
    double min, double max, double *out, struct err *e)
{
	jnode n = json_get(o, str_of(key));
	double d;

	*out = fallback;
	if (json_is_null(n))
		return OK;
	if (!json_is_number(n))
		return wrong_kind(path, "a number", n, e);
	d = json_number(n);
	if (d < min || d > max)
		return err_set(e, ERR_INVALID,
		    "%s: expected a number from %g to %g, got %g", path, min, max, d);
	*out = d;
	return OK;
}

int
json_get_bool(jnode o, const char *key, const char *path, bool fallback,
    bool *out, struct err *e)
{
	jnode n = json_get(o, str_of(key));

	*out = fallback;
	if (json_is_null(n))
		return OK;
	if (!json_is_bool(n))
		return wrong_kind(path, "true or false", n, e);
	*out = json_bool(n);
	return OK;
}

static int
get_container(jnode n, bool fits, const char *path, const char *expected, jnode *out,
    struct err *e)
{
	*out = fits ? n : NULL;
	return fits || json_is_null(n) ? OK : wrong_kind(path, expected, n, e);
}

int
json_get_object(jnode o, const char *key, const char *path, jnode *out,
    struct err *e)
{
	jnode n = json_get(o, str_of(key));

	return get_container(n, json_is_object(n), path, "an object", out, e);
}

int
json_get_array(jnode o, const char *key, const char *path, jnode *out,
    struct err *e)
{
	jnode n = json_get(o, str_of(key));

	return get_container(n, json_is_array(n), path, "an array", out, e);
}

/* `"a", "b" or "c"` */
static void
list_words(struct buf *b, const char *const *words)
{
	for (size_t i = 0; words[i] != NULL; i++) {
		if (i > 0)
			buf_add(b, words[i + 1] == NULL ? S(" or ") : S(", "));
		buf_add_fmt(b, "\"%s\"", words[i]);
	}
}

static int
wrong_word(const char *path, const char *const *words, jnode got, struct err *e)
{
	struct buf list = BUF(300);
	int rc;

	list_words(&list, words);
	if (json_is_string(got))
		rc = err_set(e, ERR_INVALID, "%s: expected %.*s, got \"%.*s\"", path,
		    FMT(buf_str(&list)), FMT(str_sub(json_str(got), 0, 64)));
	else
		rc = err_set(e, ERR_INVALID, "%s: expected %.*s, got %s", path,
		    FMT(buf_str(&list)), json_kind(got));
	buf_release(&list);
	return rc;
}

int
json_get_enum(jnode o, const char *key, const char *path,
    const char *const *words, int fallback, int *out, struct err *e)
{
	jnode n = json_get(o, str_of(key));

	*out = fallback;
	if (json_is_null(n))
		return OK;
	for (int i = 0; json_is_string(n) && words[i] != NULL; i++) {
		if (str_eq(json_str(n), str_of(words[i]))) {
			*out = i;
			return OK;
		}
	}
	return wrong_word(path, words, n, e);
}
