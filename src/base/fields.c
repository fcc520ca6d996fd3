/*
 * fields.c - see fields.h.
 *
 * json_get_* make the words, with the key as the path; the way to the object
 * is put in front when one failed, so nothing is built for what is right.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/fields.h"

#include <assert.h>
#include <stdio.h>

static void
check_fields(const struct fields *f)
{
	assert(f->rc <= OK && f->known_n <= FIELDS_MAX);
	assert(f->up == NULL ? f->name != NULL : f->up->rc <= OK);
	assert(f->rc == OK || f->up == NULL || f->up->rc != OK);
}

/* "rules.0."; of the root: nothing. */
static void
add_way(struct buf *b, const struct fields *f)
{
	if (f->up == NULL)
		return;
	add_way(b, f->up);
	if (f->name != NULL)
		buf_add_fmt(b, "%s.", f->name);
	else
		buf_add_fmt(b, "%zu.", f->index);
}

static void
fail_all(struct fields *f, int rc)
{
	for (; f != NULL; f = f->up)
		f->rc = rc;
}

/* e's text begins with a field of f, or with what it says of f itself. */
static void
failed(struct fields *f, bool itself, int rc)
{
	struct buf b = BUF(2 * sizeof f->e->text);

	fail_all(f, rc);
	if (f->e == NULL)
		return;
	add_way(&b, f);
	if (itself && b.n > 0) {
		buf_cut(&b, b.n - 1);
		buf_lit(&b, ": ");
	} else if (itself) {
		buf_add_fmt(&b, "%s: ", f->name);
	}
	buf_add(&b, str_of(f->e->text));
	err_set(f->e, rc, "%.*s", FMT(buf_str(&b)));
	buf_release(&b);
}

/* Is this field to be read? */
static bool
asked(struct fields *f, const char *key)
{
	check_fields(f);
	assert(f->known_n < FIELDS_MAX && key != NULL);
	f->known[f->known_n++] = key;
	return f->rc == OK;
}

static void
took(struct fields *f, int rc)
{
	if (rc != OK)
		failed(f, false, rc);
}

static void
object_check(struct fields *f)
{
	if (f->rc == OK && f->node != NULL && !json_is_object(f->node))
		fields_fail(f, NULL, ERR_INVALID, "expected an object, got %s",
		    json_kind(f->node));
}

void
fields_open(struct fields *f, jnode node, const char *name, struct err *e)
{
	assert(name != NULL);
	*f = (struct fields){ .node = node, .name = name, .e = e };
	object_check(f);
}

static void
part_of(struct fields *up, const char *name, jnode node, struct fields *out)
{
	*out = (struct fields){ .rc = up->rc, .node = node, .e = up->e, .up = up,
	    .name = name };
}

void
fields_str(struct fields *f, const char *key, size_t max, struct str *out)
{
	if (asked(f, key))
		took(f, json_get_str(f->node, key, key, *out, max, out, f->e));
}

void
fields_need_str(struct fields *f, const char *key, size_t max, const char *what,
    struct str *out)
{
	fields_str(f, key, max, out);
	if (out->n == 0)
		fields_fail(f, key, ERR_INVALID, "expected %s, got nothing", what);
}

void
fields_int(struct fields *f, const char *key, int64_t min, int64_t max, int64_t *out)
{
	if (asked(f, key))
		took(f, json_get_int(f->node, key, key, *out, min, max, out, f->e));
}

void
fields_bool(struct fields *f, const char *key, bool *out)
{
	if (asked(f, key))
		took(f, json_get_bool(f->node, key, key, *out, out, f->e));
}

void
fields_enum(struct fields *f, const char *key, const char *const *words, int *out)
{
	if (asked(f, key))
		took(f, json_get_enum(f->node, key, key, words, *out, out, f->e));
}

jnode
fields_any(struct fields *f, const char *key)
{
	return asked(f, key) ? json_get(f->node, str_of(key)) : NULL;
}

bool
fields_object(struct fields *f, const char *key, struct fields *out)
{
	jnode n = NULL;

	if (asked(f, key))
		took(f, json_get_object(f->node, key, key, &n, f->e));
	part_of(f, key, n, out);
	return n != NULL;
}

bool
fields_array(struct fields *f, const char *key, size_t max, struct fields *out)
{
	jnode n = NULL;

	if (asked(f, key))
		took(f, json_get_array(f->node, key, key, &n, f->e));
	part_of(f, key, n, out);
	out->it = json_each(n);
	if (json_count(n) > max)
		fields_fail(out, NULL, ERR_LIMIT, "expected at most %zu, got %zu", max,
		    json_count(n));
	return n != NULL && out->rc == OK;
}

void
fields_open_array(struct fields *f, jnode node, const char *name, size_t max,
    struct err *e)
{
	assert(name != NULL);
	*f = (struct fields){ .node = node, .name = name, .e = e, .it = json_each(node) };
	if (!json_is_array(node))
		fields_fail(f, NULL, ERR_INVALID, "expected an array, got %s",
		    node == NULL ? "nothing" : json_kind(node));
	else if (json_count(node) > max)
		fields_fail(f, NULL, ERR_INVALID, "expected at most %zu, got %zu", max,
		    json_count(node));
}

bool
fields_next(struct fields *array, struct fields *out)
{
	if (array->rc != OK || !json_next(&array->it))
		return false;
	part_of(array, NULL, array->it.value, out);
	out->index = array->index++;
	object_check(out);
	return out->rc == OK;
}

void
fields_fail(struct fields *f, const char *key, int rc, const char *format, ...)
{
	char words[sizeof f->e->text];
	va_list ap;

	if (f->rc != OK)
		return;
	va_start(ap, format);
	vsnprintf(words, sizeof words, format, ap);
	va_end(ap);
	err_set(f->e, rc, "%s%s%s", key != NULL ? key : "", key != NULL ? ": " : "",
	    words);
	failed(f, key == NULL, rc);
}

static bool
is_known(const struct fields *f, struct str key)
{
	for (size_t i = 0; i < f->known_n; i++)
		if (str_eq(key, str_of(f->known[i])))
			return true;
	return f->own != NULL &&
	    str_eq_nocase(str_sub(key, 0, str_of(f->own).n), str_of(f->own));
}

int
fields_end(struct fields *f)
{
	struct json_iter it = json_each(f->node);

	check_fields(f);
	while (json_is_object(f->node) && json_next(&it)) {
		struct str_near near = { .word = str_sub(json_str(it.key), 0, 64) };

		if (is_known(f, json_str(it.key)))
			continue;
		for (size_t i = 0; i < f->known_n; i++)
			str_near_try(&near, f->known[i]);
		err_near(f->e, ERR_INVALID, near.best, "\"", "%.*s: unknown key",
		    FMT(near.word));
		failed(f, false, ERR_INVALID);
		break;
	}
	return f->rc;
}
