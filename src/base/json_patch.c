/*
 * json_patch.c - see json_patch.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/json_patch.h"

#include <assert.h>

/* Where the comparison is: a JSON Pointer (RFC 6901), as inside of a JSON string. */
struct patch { struct buf *b; struct buf at; };

static void compare(struct patch *p, jnode before, jnode after);

static void
add_token(struct patch *p, struct str key)
{
	struct buf plain = BUF(SIZE_MAX / 2);

	for (size_t i = 0; i < key.n; i++) {
		if (key.p[i] == '~')
			buf_lit(&plain, "~0");
		else if (key.p[i] == '/')
			buf_lit(&plain, "~1");
		else
			buf_add_char(&plain, key.p[i]);
	}
	buf_add_char(&p->at, '/');
	json_add_escaped(&p->at, buf_str(&plain));
	p->at.failed |= plain.failed;
	buf_release(&plain);
}

/* value NULL: none. */
static void
add_operation(struct patch *p, const char *op, jnode value)
{
	if (p->b->n > 0 && p->b->p[p->b->n - 1] == '}')
		buf_add_char(p->b, ',');
	buf_add_fmt(p->b, "{\"op\":\"%s\",\"path\":\"", op);
	buf_add(p->b, buf_str(&p->at));
	buf_add_char(p->b, '"');
	if (value != NULL) {
		buf_lit(p->b, ",\"value\":");
		json_add_node(p->b, value);
	}
	buf_add_char(p->b, '}');
}

/* One member or element; before or after NULL: it is not there. */
static void
compare_part(struct patch *p, struct str token, jnode before, jnode after)
{
	size_t n = p->at.n;

	add_token(p, token);
	if (after == NULL)
		add_operation(p, "remove", NULL);
	else if (before == NULL)
		add_operation(p, "add", after);
	else
		compare(p, before, after);
	buf_cut(&p->at, n);
}

static void
compare_objects(struct patch *p, jnode before, jnode after)
{
	struct json_iter it = json_each(before);

	while (json_next(&it))
		compare_part(p, json_str(it.key), it.value,
		    json_get(after, json_str(it.key)));
	it = json_each(after);
	while (json_next(&it))
		if (json_get(before, json_str(it.key)) == NULL)
			compare_part(p, json_str(it.key), NULL, it.value);
}

static struct str
index_text(char text[24], size_t i)
{
	struct str s = { text + 24, 0 };

	do {
		s.p--;
		s.n++;
		text[24 - s.n] = (char)('0' + i % 10);
		i /= 10;
	} while (i > 0);
	return s;
}

/* False: they differ before the end of the shorter one, and in length. */
static bool
is_longer(jnode before, jnode after)
{
	struct json_iter a = json_each(before), b = json_each(after);

	if (json_count(before) == json_count(after))
		return true;
	while (json_next(&a) && json_next(&b))
		if (!json_equal(a.value, b.value))
			return false;
	return true;
}

static void
compare_arrays(struct patch *p, jnode before, jnode after)
{
	struct json_iter a = json_each(before), b = json_each(after);
	size_t have = json_count(before), want = json_count(after);
	char text[24];

	if (!is_longer(before, after)) {
		add_operation(p, "replace", after);
		return;
	}
	for (size_t i = 0; i < have && i < want && json_next(&a) && json_next(&b); i++)
		compare_part(p, index_text(text, i), a.value, b.value);
	/* From the end: an index is of the array as it is by then. */
	for (size_t i = have; i > want; i--)
		compare_part(p, index_text(text, i - 1), before, NULL);
	for (size_t i = have; i < want && json_next(&b); i++)
		compare_part(p, index_text(text, i), NULL, b.value);
}

static void
compare(struct patch *p, jnode before, jnode after)
{
	bool narrow = json_count(before) <= JSON_PATCH_WIDE &&
	    json_count(after) <= JSON_PATCH_WIDE;

	if (json_equal(before, after))
		return;
	if (narrow && json_is_object(before) && json_is_object(after))
		compare_objects(p, before, after);
	else if (narrow && json_is_array(before) && json_is_array(after))
		compare_arrays(p, before, after);
	else
		add_operation(p, "replace", after);
}

void
json_add_patch(struct buf *b, jnode before, jnode after)
{
	struct patch p = { .b = b, .at = BUF(SIZE_MAX / 2) };

	assert(before != NULL && after != NULL);
	compare(&p, before, after);
	b->failed |= p.at.failed;
	buf_release(&p.at);
}
