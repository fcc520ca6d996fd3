/*
 * body.c - members of a request's body, copied into its arena.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"

void
call_read_str(struct call *c, const char *key, size_t max, struct str *out)
{
	struct str s = STR_NONE;

	fields_str(c->in, key, max, &s);
	if (s.p != NULL)
		*out = arena_str(&c->r->arena, s);
}

void
call_read_json(struct call *c, const char *key, jnode n, size_t max, struct str *out)
{
	struct buf *b = &c->api->scratch;

	if (json_is_null(n) || c->in->rc != OK)
		return;
	buf_clear(b);
	b->failed = false;
	json_add_node(b, n);
	*out = b->failed || b->n > max ? STR_NONE :
	    arena_str(&c->r->arena, buf_str(b));
	if (out->p == NULL && c->r->arena.failed)
		fields_fail(c->in, key, ERR_TOOBIG, "too large");
	else if (out->p == NULL)
		fields_fail(c->in, key, ERR_INVALID, "larger than %zu bytes", max);
}

void
call_read_object(struct call *c, const char *key, size_t max, struct str *out)
{
	struct fields object;

	if (fields_object(c->in, key, &object))
		call_read_json(c, key, object.node, max, out);
}

struct words
call_read_list(struct call *c, const char *key, size_t max)
{
	return words_read(c, key, fields_any(c->in, key), max);
}

bool
call_read_do_nothing(struct call *c)
{
	static const char *const words[] = { "raise", "do_nothing", NULL };
	int word = 0;

	fields_enum(c->in, "if_exists", words, &word);
	return word == 1;
}

void
call_read_id(struct call *c, const char *key, struct uuid *id)
{
	struct str s = STR_NONE;

	*id = uuid_v7();
	fields_str(c->in, key, LIMIT_NAME_BYTES, &s);
	if (s.n > 0)
		call_parse_id(c, key, s, id);
}

void
call_parse_id(struct call *c, const char *name, struct str s, struct uuid *id)
{
	if (!uuid_parse(s, id))
		fields_fail(c->in, name, ERR_INVALID, "expected a UUID, got \"%.*s\"",
		    FMT(param_shown(s)));
}

struct uuid *
call_parse_ids(struct call *c, const char *name, struct words list)
{
	struct uuid *ids = arena_alloc(&c->r->arena, (list.n + 1) * sizeof *ids);

	if (ids == NULL)
		fields_fail(c->in, name, ERR_TOOBIG, "too large");
	for (size_t i = 0; c->in->rc == OK && i < list.n; i++)
		if (!uuid_parse(list.at[i], &ids[i]))
			words_fail(c, name, i, "expected a UUID, got \"%.*s\"",
			    FMT(param_shown(list.at[i])));
	return c->in->rc == OK ? ids : NULL;
}
