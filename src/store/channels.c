/*
 * channels.c - the texts in which a checkpoint names its channels and its tasks.
 *
 *   {"messages":[12,40],"count":7}
 *
 * is a list (number 12, 40 entries) and a value (of version 7, which is the seq
 * of the checkpoint that wrote it).
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/scan.h"
#include "store/store_priv.h"

/* ---- channels -------------------------------------------------------------- */

static bool
list_parse(struct str text, struct channel_ref *r)
{
	ptrdiff_t comma = str_index(text, ',');
	int64_t len;

	if (text.n < 5 || comma < 0 || !str_ends(text, S("]")))
		return false;
	if (!str_to_i64(str_sub(text, 1, (size_t)comma - 1), &r->list) ||
	    !str_to_i64(str_sub(text, (size_t)comma + 1,
	    text.n - (size_t)comma - 2), &len))
		return false;
	r->is_list = true;
	r->len = (uint32_t)len;
	return r->list > 0 && len >= 0 && len <= LIMIT_MESSAGES;
}

static bool
ref_parse(struct str name, struct str text, struct channel_ref *r)
{
	*r = (struct channel_ref){ .name = name, .version = text };
	if (str_starts(text, S("[")))
		return list_parse(text, r);
	return str_to_i64(text, &r->value) && r->value > 0;
}

int
channels_parse(struct channel_map *out, struct str text, struct arena *a)
{
	struct scan s = scan_of(text);
	struct str name, value;
	bool first = true;

	out->n = 0;
	if (text.n == 0)
		return OK;
	scan_open(&s, '{');
	while (scan_member(&s, &first, &name)) {
		if (!arena_grow(a, out->at, out->n, out->cap))
			return ERR_TOOBIG;
		if (!scan_value(&s, &value) ||
		    !ref_parse(name, value, &out->at[out->n++]))
			return ERR_IO;
	}
	return scan_end(&s) ? OK : ERR_IO;
}

void
channels_add_json(struct buf *b, const struct channel_map *c)
{
	buf_add_char(b, '{');
	for (size_t i = 0; i < c->n; i++) {
		const struct channel_ref *r = &c->at[i];

		buf_add(b, i > 0 ? S(",\"") : S("\""));
		buf_add(b, r->name);
		buf_lit(b, "\":");
		if (!r->is_list) {
			buf_add_i64(b, r->value);
			continue;
		}
		buf_add_char(b, '[');
		buf_add_i64(b, r->list);
		buf_add_char(b, ',');
		buf_add_u64(b, r->len);
		buf_add_char(b, ']');
	}
	buf_add_char(b, '}');
}

struct channel_ref *
channels_ref(const struct channel_map *c, struct str name)
{
	for (size_t i = 0; i < c->n; i++)
		if (str_eq(c->at[i].name, name))
			return &c->at[i];
	return NULL;
}

/* ---- tasks ----------------------------------------------------------------- */

static bool
task_parse(struct scan *s, struct task_ref *t)
{
	struct str key, text;
	bool first = true, has_id = false;

	*t = (struct task_ref){ .name = S("") };
	scan_open(s, '{');
	while (scan_member(s, &first, &key)) {
		if (SCAN_IS(key, "id"))
			has_id = scan_string(s, &text) && uuid_parse(text, &t->id);
		else if (SCAN_IS(key, "name"))
			scan_string(s, &t->name);
		else
			scan_value(s, &text);
	}
	return has_id;
}

int
tasks_parse(struct str json, struct arena *a, struct task_ref **out, size_t *n)
{
	struct scan s = scan_of(json);
	struct task_ref *at = NULL;
	size_t cap = 0;
	bool first = true, good = true;

	*n = 0;
	*out = NULL;
	if (json.n <= 2)                     /* [] */
		return OK;
	scan_open(&s, '[');
	while (good && scan_element(&s, &first)) {
		if (*n >= LIMIT_TASKS || !arena_grow(a, at, *n, cap))
			return ERR_TOOBIG;
		good = task_parse(&s, &at[(*n)++]);
	}
	*out = at;
	return good && scan_end(&s) ? OK : ERR_INVALID;
}
