/*
 * draft.c - making and freeing drafts, and the small texts in them; see
 * draft.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chart/draft.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"

#define DELAY_BYTES 64           /* of a time in words */

struct draft *
draft_new(void)
{
	struct draft *d = mem_new(struct draft);

	d->arena = ARENA(DRAFT_BYTES);
	return d;
}

void
draft_free(struct draft *d)
{
	/* Children hang off the root draft in one list: no recursion. */
	while (d != NULL) {
		struct draft *next = d->children != NULL ? d->children : d->next;

		if (d->children != NULL) {
			struct draft *last = d->children;

			while (last->next != NULL)
				last = last->next;
			last->next = d->next;
		}
		arena_release(&d->arena);
		free(d);
		d = next;
	}
}

struct draft_state *
draft_state_add(struct draft *d, struct draft_state *parent, enum state_kind kind,
    struct spot at)
{
	struct draft_state *s = draft_node(d, struct draft_state);

	assert((parent == NULL) == (kind == STATE_ROOT));
	if (s == NULL)
		return NULL;
	s->kind = kind;
	s->parent = parent;
	s->at = at;
	if (parent == NULL)
		d->root = s;
	else if (parent->last == NULL)
		parent->first = s;
	else
		parent->last->next = s;
	if (parent != NULL)
		parent->last = s;
	return s;
}

struct draft_state *
draft_next_state(const struct draft_state *s)
{
	if (s->first != NULL)
		return s->first;
	while (s != NULL && s->next == NULL)
		s = s->parent;
	return s != NULL ? s->next : NULL;
}

int
draft_fail(struct err *e, int rc, struct spot at, const struct draft_state *s,
    const char *format, ...)
{
	char text[300], place[48] = "", state[80] = "";
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	if (at.line > 0)
		snprintf(place, sizeof place, "line %u, column %u: ", at.line, at.column);
	if (s != NULL && s->id.s.n > 0)
		snprintf(state, sizeof state, "state '%.*s': ", FMT(str_sub(s->id.s, 0, 60)));
	return err_set(e, rc, "%s%s%s", place, state, text);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool
draft_word(struct str *rest, struct str *word)
{
	size_t n = 0;

	while (rest->n > 0 && is_blank(rest->p[0]))
		*rest = str_sub(*rest, 1, SIZE_MAX);
	while (n < rest->n && !is_blank(rest->p[n]))
		n++;
	*word = str_sub(*rest, 0, n);
	*rest = str_sub(*rest, n, SIZE_MAX);
	return n > 0;
}

bool
delay_parse(struct str text, int64_t *ms)
{
	static const struct { struct str unit; double ms; } units[] = {
		{ S("ms"), 1 }, { S("s"), 1000 }, { S("m"), 60e3 }, { S("h"), 3600e3 },
		{ S("d"), 86400e3 },
	};
	double v;

	if (text.n > DELAY_BYTES)
		return false;
	text = str_trim(text);
	for (size_t i = 0; i < COUNT(units); i++) {
		struct str number;

		if (!str_ends(text, units[i].unit))
			continue;
		number = str_sub(text, 0, text.n - units[i].unit.n);
		if (number.n == 0 || number.p[number.n - 1] < '.' ||
		    number.p[number.n - 1] > '9' || !str_to_double(number, &v))
			continue;
		if (v < 0 || v * units[i].ms > 1e15)
			return false;
		*ms = (int64_t)llround(v * units[i].ms);
		return true;
	}
	return false;
}
