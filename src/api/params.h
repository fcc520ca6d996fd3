/*
 * params.h - query parameters and the words of a run's request.
 *
 * Arrays come as SDKs send them: repeated (`a=x&a=y`), JSON-encoded
 * (`a=["x","y"]`), or as one bare word.  Booleans are 1/0, true/false and
 * yes/no in any case.  An empty value counts as absent.  Errors name the
 * parameter and what would be right.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef API_PARAMS_H
#define API_PARAMS_H

#include "net/http.h"
#include "base/json.h"

struct buf;

/* As much of a wrong value as an error repeats; whole characters. */
struct str shown(struct str s);

/* An absent parameter gives fallback. */
int param_bool(struct http_req *r, const char *name, bool fallback, bool *out,
    struct err *e);
int param_int(struct http_req *r, const char *name, int64_t fallback,
    int64_t min, int64_t max, int64_t *out, struct err *e);
struct str param_str(struct http_req *r, const char *name);  /* STR_NONE: absent */

/* The values of an array parameter, in the request's arena; NULL and n 0 when
 * it is absent. */
int param_list(struct http_req *r, const char *name, struct str **out,
    size_t *n, struct err *e);

/* Index of s in a NULL-ended list of words, -1 when it is none of them. */
int word_index(const char *const *words, struct str s);
/* `name: expected one of a, b or c, got "s"`; ERR_INVALID. */
int word_error(struct err *e, const char *name, const char *const *words,
    struct str s);

bool parse_bool(struct str s, bool *out);

/* A set of stream modes: one word or several; none gives values.  Appends
 * the JSON array that the run's kwargs show. */
int modes_parse(const struct str *words, size_t n, unsigned *modes,
    struct buf *json, struct err *e);
/* The same from a body's `stream_mode`: absent, a string or an array. */
int modes_parse_json(jnode n, unsigned *modes, struct buf *json, struct err *e);

/* The header's number, -1 for "-1" and "-": all; `absent` without the header.
 * ERR_SYNTAX when the value is not a number. */
int last_event_id(const struct http_req *r, int64_t absent, int64_t *id,
    struct err *e);

/* A client's word inside a quoted header value: printable ASCII, other bytes
 * become `?`. */
void header_add_text(struct buf *b, struct str s);

/* {"x-...":"..","user-agent":".."} of the headers a run may see. */
void headers_add_json(struct buf *b, const struct http_req *r);

#endif
