/*
 * json.h - JSON at the border: reading on yyjson, writing by hand.
 *
 * Reading is strict RFC 8259: UTF-8, no trailing commas, no comments, one
 * value, depth <= LIMIT_JSON_DEPTH, duplicate keys: the last wins.  Errors say
 * line, column and what was wrong.  A document is read-only and owned by the
 * arena-like struct json_doc; nodes are borrowed from it.
 *
 * Bodies are checked with json_get_* helpers that report the path of the
 * field and what would be right, so every handler's errors read alike:
 *   `config.configurable.temperature: expected a number, got a string`.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/rc.h"
#include "base/val.h"

struct yyjson_doc;
struct yyjson_val;
typedef struct yyjson_val *jnode;            /* NULL means absent */

struct json_doc {
	struct yyjson_doc *doc;
	jnode root;
};

/* ERR_SYNTAX (position in e), ERR_TOOBIG (depth, a long string).  Release also
 * after errors. */
int json_parse(struct json_doc *d, struct str text, struct err *e);
void json_release(struct json_doc *d);

/* For a document that is one line of many: an error's words without "line 1, ". */
const char *json_words(const char *text);

/* Only validates (same rules), no document; for spans that are stored raw. */
int json_check(struct str text, struct err *e);

bool json_is_object(jnode n);
bool json_is_array(jnode n);
bool json_is_string(jnode n);
bool json_is_null(jnode n);                  /* null or absent */
bool json_is_bool(jnode n);
bool json_is_int(jnode n);
bool json_is_number(jnode n);
bool json_bool(jnode n);
int64_t json_int(jnode n);
double json_number(jnode n);
struct str json_str(jnode n);                /* decoded; borrowed from the doc */
const char *json_kind(jnode n);              /* "an object", "a string", ... */

jnode json_get(jnode object, struct str key);    /* NULL if absent */
size_t json_count(jnode n);
jnode json_at(jnode array, size_t i);        /* O(1) for flat, O(i) otherwise */

struct json_iter { jnode container, key, value; size_t left; void *at; };
/* Object or array, else empty; in text order, of equal keys all. */
struct json_iter json_each(jnode container);
bool json_next(struct json_iter *it);        /* sets key (objects) and value */

/* Field readers.  Absent and null give `fallback` and OK.  The wrong type or
 * range gives ERR_INVALID with "path: expected ..., got ...".  `path` is the
 * full name shown to people. */
int json_get_str(jnode o, const char *key, const char *path, struct str fallback,
    size_t max, struct str *out, struct err *e);
int json_get_int(jnode o, const char *key, const char *path, int64_t fallback,
    int64_t min, int64_t max, int64_t *out, struct err *e);
int json_get_number(jnode o, const char *key, const char *path, double fallback,
    double min, double max, double *out, struct err *e);
int json_get_bool(jnode o, const char *key, const char *path, bool fallback,
    bool *out, struct err *e);
int json_get_object(jnode o, const char *key, const char *path, jnode *out,
    struct err *e);                          /* NULL when absent */
int json_get_array(jnode o, const char *key, const char *path, jnode *out,
    struct err *e);
/* One of a NULL-ended list of words; the error lists them. */
int json_get_enum(jnode o, const char *key, const char *path,
    const char *const *words, int fallback, int *out, struct err *e);

/* Writing. */
void json_add_str(struct buf *b, struct str s);          /* quoted, escaped */
void json_add_node(struct buf *b, jnode n);              /* NULL: null */
void json_add_double(struct buf *b, double d);           /* shortest round trip */
/* A comma, unless b is empty or ends with { or [. */
static inline void
json_add_comma(struct buf *b)
{
	if (b->n > 0 && b->p[b->n - 1] != '{' && b->p[b->n - 1] != '[')
		buf_add_char(b, ',');
}

void json_add_key(struct buf *b, const char *key);       /* `"key":`, after
                                                json_add_comma */
/* The same, and a string; raw: its inside, escaped already. */
void json_add_raw(struct buf *b, const char *key, struct str raw);
/* As buf_add_fmt, but ' stands for ", and of printf's conversions there are
 *   %s  %.*s     a string: quoted and escaped
 *   %-s %-.*s    ready JSON, as it is
 *   %hhd         a bool: true or false
 *   %d %ld %lld %u %lu %llu %zu %.3f %.*f     a number
 *   %p           a jnode; NULL: null
 * A comma at the start is json_add_comma's:
 *   for (i = 0; i < n; i++)
 *           json_add_fmt(b, ",{'id':%.*s,'at':%zu}", FMT(id[i]), i); */
void json_add_fmt(struct buf *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void json_add_vfmt(struct buf *b, const char *format, va_list args);
/* A long comparison asks every few microseconds whether to go on. */
struct json_pace {
	bool (*go_on)(void *ctx);            /* NULL: always */
	void *ctx;
	size_t steps;                        /* since it asked last */
	bool stopped;                        /* the answer was no; results are void */
};
/* n more steps, of a few nanoseconds each.  False: stopped.  p NULL: true. */
bool json_pace_steps(struct json_pace *p, size_t n);

/* Containment as PostgreSQL's @>: does `have` contain `want`?  Takes up to the
 * product of their sizes; p may be NULL. */
bool json_contains(jnode have, jnode want, struct json_pace *p);
/* The same value?  Members in any order; 1 and 1.0 differ. */
bool json_equal(jnode a, jnode b);
/* Shallow merge of objects, later wins; writes the object. */
void json_add_merged(struct buf *b, jnode first, jnode second);

/* To and from engine values.  ERR_TOOBIG past depth. */
int json_to_val(jnode n, struct val *out, struct err *e);
int json_text_to_val(struct str text, struct val *out, struct err *e);

/* JSON escapes of s, without the quotes. */
void json_add_escaped(struct buf *b, struct str s);
/* Decodes the inside of a JSON string (as raw spans arrive from a model).
 * ERR_SYNTAX for bad escapes; lone surrogates become U+FFFD. */
int json_unescape(struct str raw, struct buf *out);

#endif
