/*
 * fields.h - reads the fields of a JSON object; the first failure stays.
 *
 *   struct str name = S("none");
 *   struct fields f, size;
 *
 *   fields_open(&f, node, "request", e);
 *   fields_str(&f, "name", LIMIT_NAME_BYTES, &name);
 *   fields_object(&f, "size", &size);
 *   fields_int(&size, "width", 1, 100, &width);
 *   return fields_end(&f);
 *
 * After a failure every call does nothing, so the code is a list of fields
 * and the result is looked at once.  A field that is absent or null leaves
 * *out as it was: that is the default.  What fails in a part fails in all it
 * is a part of; e then says where: "size.width: expected an integer, got a
 * string".  A struct fields stays where it is while parts of it are read.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_FIELDS_H
#define BASE_FIELDS_H

#include "base/json.h"

#define FIELDS_MAX 32                        /* that one object is asked for */

struct fields {
	int rc;
	jnode node;                          /* NULL: absent, so all of it is */
	struct err *e;
	struct fields *up;                   /* NULL: the root */
	const char *name;                    /* in up; the root's, for people */
	size_t index;                        /* in up, an array */
	struct json_iter it;                 /* an array's */
	const char *known[FIELDS_MAX];       /* asked for */
	size_t known_n;
	const char *own;                     /* keys that begin so, in any case, are the caller's
	                                        to read; NULL: there are none */
};

/* What is no object is a failure, with the name in front.  e may be NULL. */
void fields_open(struct fields *f, jnode node, const char *name, struct err *e);

void fields_str(struct fields *f, const char *key, size_t max, struct str *out);
/* One that has to be there: of nothing and of "", says that it expected `what`. */
void fields_need_str(struct fields *f, const char *key, size_t max, const char *what,
    struct str *out);
void fields_int(struct fields *f, const char *key, int64_t min, int64_t max,
    int64_t *out);
void fields_bool(struct fields *f, const char *key, bool *out);
void fields_enum(struct fields *f, const char *key, const char *const *words,
    int *out);
jnode fields_any(struct fields *f, const char *key);     /* of any kind, or NULL */

/* An object as fields of its own; true if it is there. */
bool fields_object(struct fields *f, const char *key, struct fields *out);
/* An array of at most max, true as above; then its objects one by one, while
 * nothing failed. */
bool fields_array(struct fields *f, const char *key, size_t max, struct fields *out);
bool fields_next(struct fields *array, struct fields *out);
/* An array that is no field: as fields_open; then fields_next.  What is no array, or
 * has more than max, is a failure. */
void fields_open_array(struct fields *f, jnode node, const char *name, size_t max,
    struct err *e);

/* A failure of the caller's finding; key NULL: of the object itself. */
void fields_fail(struct fields *f, const char *key, int rc, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Refuses keys that were not asked for, before all other failures: a misspelt
 * key is mostly why another is missing.  Returns rc. */
int fields_end(struct fields *f);

#endif
