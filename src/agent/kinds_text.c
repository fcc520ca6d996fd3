/*
 * kinds_text.c - the kinds of work as a table for docs/agents.md.
 *
 * SPDX-License-Identifier: MIT
 */
#include "agent/agent.h"

/* By enum agent_field_kind: what the manual calls them. */
static const char *const kind_names[] = {
	[AGENT_NAME] = "name", [AGENT_TEXT] = "text", [AGENT_EXPR] = "expr",
	[AGENT_DATA] = "data", [AGENT_TEXTS] = "texts", [AGENT_NAMES] = "names",
	[AGENT_PLAIN] = "JSON", [AGENT_BOOL] = "true, false", [AGENT_INT] = "whole number",
	[AGENT_WORD] = "", [AGENT_CHILD] = "agent", [AGENT_WORKS] = "items",
	[AGENT_AS] = "a new name", [AGENT_SET] = "channel: data",
	[AGENT_CHANNEL] = "a channel",
};

static void
add_kind(struct buf *b, const struct agent_field *f)
{
	if (f->kind != AGENT_WORD)
		buf_add(b, str_of(kind_names[f->kind]));
	for (size_t i = 0; f->kind == AGENT_WORD && f->words[i] != NULL; i++)
		buf_add_fmt(b, "%s`%s`", i > 0 ? ", " : "", f->words[i]);
}

/* `get`, `put`: the ops that have the field. */
static void
add_ops(struct buf *b, const struct task_kind *k, const struct agent_field *f)
{
	bool first = true;

	for (size_t i = 0; k->ops != NULL && f->ops != 0 && k->ops[i] != NULL; i++) {
		if ((f->ops >> i & 1) == 0)
			continue;
		buf_add_fmt(b, "%s%s", first ? " (" : ", ", k->ops[i]);
		first = false;
	}
	if (!first)
		buf_add_char(b, ')');
}

static void
add_flags(struct buf *b, const struct agent_field *f)
{
	if ((f->flags & FIELD_SHORT) != 0)
		buf_lit(b, "; may stand alone");
	if ((f->flags & FIELD_BODY) != 0)
		buf_lit(b, "; the kind's value");
	if ((f->flags & FIELD_BESIDE) != 0)
		buf_lit(b, "; beside the kind");
	if ((f->flags & FIELD_REQUIRED) != 0 && f->group == 0)
		buf_lit(b, "; required");
}

static void
add_field(struct buf *b, const struct task_kind *k, const struct agent_field *f, bool first)
{
	if (first)
		buf_add_fmt(b, "| `%s`", k->name);
	else
		buf_lit(b, "| ");
	buf_add_fmt(b, " | `%s`", f->name);
	if (f->alias != NULL)
		buf_add_fmt(b, ", `%s`", f->alias);
	buf_lit(b, " | ");
	add_kind(b, f);
	buf_add_fmt(b, " | %s", f->help);
	add_flags(b, f);
	add_ops(b, k, f);
	buf_lit(b, " |\n");
}

void
agent_add_kinds(struct buf *b, const struct task_kinds *kinds)
{
	buf_lit(b, "| kind | field | kind of field | meaning |\n|---|---|---|---|\n");
	for (size_t i = 0; i < kinds->n; i++) {
		const struct task_kind *k = kinds->at[i];
		bool first = true;

		for (size_t f = 0; f < k->fields_n; f++) {
			if ((k->fields[f].flags & FIELD_LATER) != 0)
				continue;
			add_field(b, k, &k->fields[f], first);
			first = false;
		}
		if (first)
			buf_add_fmt(b, "| `%s` | | | %s |\n", k->name, k->help);
	}
}
