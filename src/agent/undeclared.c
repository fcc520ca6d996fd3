/*
 * undeclared.c - what a chart reads as `data.NAME` and its `context` does not have:
 * it comes with the input, and is null without.
 *
 * A name that looks like one that is declared is taken for a slip of the pen, and so
 * left to the loader to refuse.  Agents in place have channels of their own.
 *
 * SPDX-License-Identifier: MIT
 */
#include "agent/load_priv.h"
#include "chart/expr.h"

#define MARK S("data.")

static bool
is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	    c == '_';
}

static bool
is_listed(const struct load_undeclared *u, struct str name)
{
	for (size_t i = 0; i < u->n; i++)
		if (str_eq(u->at[i], name))
			return true;
	return false;
}

static bool
is_slip(struct load *l, const struct tree_node *context, struct str name)
{
	struct str_near near = { .word = name };

	for (const struct tree_node *c = context->first; c != NULL; c = c->next) {
		if (str_eq(c->key, name))
			return true;
		str_near_try(&near, load_str(l, c->key).p);
	}
	return near.best != NULL;
}

static void
look_at(struct load *l, const struct tree_node *context, struct str text,
    struct load_undeclared *u)
{
	for (size_t i = 0; i + MARK.n < text.n && u->n < COUNT(u->at); i++) {
		struct str name = str_sub(text, i + MARK.n, text.n);
		size_t n = 0;

		if (!str_starts(str_sub(text, i, text.n), MARK) ||
		    (i > 0 && (is_name_char(text.p[i - 1]) || text.p[i - 1] == '.')))
			continue;
		while (n < name.n && is_name_char(name.p[n]))
			n++;
		name.n = n;
		if (n > 0 && expr_is_name(name) && !str_starts(name, S("__")) &&
		    !is_listed(u, name) && !is_slip(l, context, name))
			u->at[u->n++] = load_str(l, name);
	}
}

/* An expression, or a text with one: other words may have a "data." too. */
static bool
is_expression(struct str text)
{
	struct expr *x = NULL;
	struct err e;
	bool is = str_contains(text, S("${")) || expr_parse(&x, text, &e) == OK;

	expr_free(x);
	return is;
}

static bool
is_other_agent(const struct tree_node *n)
{
	return n->kind == TREE_MAP && (str_eq(n->key, S("agent")) || str_eq(n->key, S("chart")) ||
	    (n->up != NULL && n->up->up == NULL && (str_eq(n->key, S("tools")) ||
	    str_eq(n->key, S("tests")))));
}

static void
look_into(struct load *l, const struct tree_node *context, const struct tree_node *n,
    struct load_undeclared *u)
{
	if (n->kind == TREE_STRING && str_contains(n->text, MARK) && is_expression(n->text))
		look_at(l, context, n->text, u);
	for (const struct tree_node *c = n->first; c != NULL; c = c->next)
		if (!is_other_agent(c))
			look_into(l, context, c, u);
}

void
load_undeclared(struct load *l, const struct tree_node *context, struct load_undeclared *u)
{
	u->n = 0;
	if (context->up != NULL)
		look_into(l, context, context->up, u);
}
