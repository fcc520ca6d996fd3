/*
 * scenario_text.c - texts with ${variables}, paths into answers, and events of
 * streams.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/scenario_priv.h"

#include <string.h>

#include "base/id.h"
#include "base/url.h"

#define OPEN "${"

/* ---- reading -------------------------------------------------------------- */

/* The next place of a variable: the text before it and its name.  False: there is
 * none, and before is all; ERR_SYNTAX in *rc where it does not end. */
static bool
next_place(struct str *rest, struct str *before, struct str *name, int *rc)
{
	size_t from = 0;
	ptrdiff_t end;

	while (from < rest->n && !str_starts(str_sub(*rest, from, 2), S(OPEN)))
		from++;
	*before = str_sub(*rest, 0, from);
	if (from == rest->n)
		return false;
	end = str_index(str_sub(*rest, from, rest->n), '}');
	if (end < 0) {
		*rc = ERR_SYNTAX;
		return false;
	}
	*name = str_sub(*rest, from + 2, (size_t)end - 2);
	*rest = str_sub(*rest, from + (size_t)end + 1, rest->n);
	return true;
}

static size_t
count_places(struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += str_starts(str_sub(s, i, 2), S(OPEN));
	return n;
}

/* Is the place all of a JSON string, and not a key? */
static bool
is_whole_string(struct str before, struct str rest)
{
	return str_ends(before, S("\"")) && !str_ends(before, S("\\\"")) &&
	    str_starts(rest, S("\"")) && !str_starts(rest, S("\":"));
}

int
text_parse(struct text *out, struct str s, bool json, struct arena *a,
    int (*find)(void *ctx, struct str name), void *ctx, struct err *e)
{
	struct str rest = s, before, name;
	struct piece *pieces = arena_zero(a, (2 * count_places(s) + 1) * sizeof *pieces);
	size_t n = 0;
	int rc = OK;

	*out = (struct text){ 0 };
	if (pieces == NULL)
		return err_set(e, ERR_TOOBIG, "the texts are too large");
	while (next_place(&rest, &before, &name, &rc)) {
		bool value = json && is_whole_string(before, rest);
		int slot = find(ctx, name);

		if (slot < 0)
			return err_set(e, ERR_INVALID, "there is no variable '%.*s' here",
			    FMT(str_cut(name, 100)));
		if (value) {
			before.n--;
			rest = str_sub(rest, 1, rest.n);
		}
		pieces[n++] = (struct piece){ .text = arena_str(a, before), .slot = -1 };
		pieces[n++] = (struct piece){ .slot = slot, .value = value };
	}
	if (rc != OK)
		return err_set(e, rc, "expected } after ${ in \"%.*s\"",
		    FMT(str_cut(before, 60)));
	pieces[n++] = (struct piece){ .text = arena_str(a, before), .slot = -1 };
	*out = (struct text){ pieces, n };
	return OK;
}

/* ---- writing -------------------------------------------------------------- */

/* A line end in a captured text would begin a header of its own. */
static void
add_header(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] >= 0x20 && s.p[i] != 0x7f)
			buf_add_char(out, s.p[i]);
}

static void
add_value(const struct piece *p, enum text_place place, const struct slot_value *v,
    struct buf *out)
{
	struct str s = buf_str(&v->text);

	if (place == TEXT_PATH)
		url_add_escaped(out, s);
	else if (place == TEXT_HEADER)
		add_header(out, s);
	else if (place == TEXT_JSON && p->value && !v->json)
		json_add_str(out, s);
	else if (place == TEXT_JSON && !p->value)
		json_add_escaped(out, s);
	else
		buf_add(out, s);
}

void
text_add(const struct text *t, enum text_place place, const struct slot_value *values,
    struct buf *out)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct piece *p = &t->pieces[i];

		if (p->slot < 0)
			buf_add(out, p->text);
		else
			add_value(p, place, &values[p->slot], out);
	}
}

bool
text_ready(const struct text *t, const struct slot_value *values)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->pieces[i].slot >= 0 && !values[t->pieces[i].slot].set)
			return false;
	return true;
}

/* ---- answers -------------------------------------------------------------- */

jnode
path_find(jnode root, struct str path)
{
	struct str rest = path, part;
	jnode at = root;
	int64_t i;

	while (at != NULL && rest.n > 0 && str_next(&rest, '.', &part)) {
		int64_t count = (int64_t)json_count(at);

		if (!json_is_array(at))
			at = json_get(at, part);
		else if (!str_to_i64(part, &i) || i >= count || i < -count)
			at = NULL;
		else
			at = json_at(at, (size_t)(i < 0 ? count + i : i));
	}
	return at;
}

void
stream_look(struct str answer, struct stream_seen *out)
{
	struct str rest = answer, line;
	bool data = false;

	*out = (struct stream_seen){ 0 };
	while (str_next(&rest, '\n', &line)) {
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (str_starts(line, S("event:")) &&
		    str_eq(str_trim(str_sub(line, 6, line.n)), S("error")))
			out->error = true;
		if (str_starts(line, S("data:"))) {
			out->last_data = str_trim(str_sub(line, 5, line.n));
			data = true;
		}
		if (line.n == 0) {
			out->whole += data;
			data = false;
		}
	}
	out->events = out->whole + data;
}
