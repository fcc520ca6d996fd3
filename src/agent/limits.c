/*
 * limits.c - what an agent may spend and use: `budget` of the agent, of a state, of
 * work; `capabilities` of the agent.
 *
 * SPDX-License-Identifier: MIT
 */
#include "agent/load_priv.h"

#include <math.h>
#include <string.h>

const char *const agent_budget_names[] = { "tokens", "cost", "turns", "tool_calls", "wall",
	NULL };

#define BUDGET_USD_MAX 1e6
#define NANO           1e9

/* A whole number from 0 on: tokens, turns, tool_calls. */
static int64_t
load_count(struct load *l, const struct tree_node *n)
{
	struct agent_value v = { 0 };

	load_kind(l, n, AGENT_INT, &v);
	return agent_int(&v, 0);
}

/* In USD; to nano-USD. */
static int64_t
load_cost(struct load *l, const struct tree_node *n)
{
	struct val v = load_val(l, tree_val(n));

	if (!val_is_number(v) || !(val_number(v) >= 0) || val_number(v) > BUDGET_USD_MAX) {
		load_fail(l, n, "expected an amount in USD, from 0 to %.0f", BUDGET_USD_MAX);
		return 0;
	}
	return (int64_t)round(val_number(v) * NANO);
}

/* wall: may it have one? */
static void
load_part(struct load *l, const struct tree_node *n, bool wall, struct agent_budget *b)
{
	int kind = 0;

	while (!str_eq(n->key, str_of(agent_budget_names[kind])))
		kind++;
	if (kind == BUDGET_WALL && !wall)
		load_fail_key(l, n, NULL, "'wall' is for an agent or a state; work has "
		    "'timeout'");
	else if (kind == BUDGET_WALL)
		b->most[kind] = load_time(l, n, 1);
	else if (kind == BUDGET_COST)
		b->most[kind] = load_cost(l, n);
	else
		b->most[kind] = load_count(l, n);
}

bool
load_budget(struct load *l, const struct tree_node *n, bool wall, struct agent_budget *b)
{
	*b = (struct agent_budget){ .file = l->a->file, .line = n->at.line };
	for (size_t i = 0; i < BUDGET_KINDS; i++)
		b->most[i] = BUDGET_NONE;
	if (!load_wants(l, n, TREE_MAP, "a map, as in {tokens: 100000, cost: 0.50}"))
		return false;
	if (n->n == 0)
		load_fail(l, n, "expected at least one of tokens, cost, turns, tool_calls%s",
		    wall ? ", wall" : "");
	load_check_keys(l, n, agent_budget_names);
	for (const struct tree_node *c = n->first; c != NULL && l->rc == OK; c = c->next)
		load_part(l, c, wall, b);
	l->a->budgeted = true;
	return l->rc == OK;
}

const struct agent_budget *
load_own_budget(struct load *l, const struct tree_node *of, bool wall)
{
	const struct tree_node *n = tree_get(l->t, of, S("budget"));
	struct agent_budget *b;

	if (n == NULL || l->rc != OK)
		return NULL;
	b = load_alloc(l, 1, sizeof *b);
	return load_budget(l, n, wall, b) ? b : NULL;
}

/* ---- capabilities -------------------------------------------------------------- */

/* As http_get compares them: a name, or all below one, and a port. */
static bool
is_host(struct str s)
{
	if (str_starts(s, S("*.")))
		s = str_sub(s, 2, s.n);
	for (size_t i = 0; i < s.n; i++)
		if (memchr("/@?# *\\", s.p[i], 7) != NULL || (unsigned char)s.p[i] < ' ')
			return false;
	return s.n > 0;
}

static const struct str *
load_list(struct load *l, const struct tree_node *n, size_t *count)
{
	struct str *all;
	size_t i = 0;

	if (!load_wants(l, n, TREE_LIST, "a list of names"))
		return NULL;
	all = load_alloc(l, n->n, sizeof *all);
	for (const struct tree_node *c = n->first; c != NULL && l->rc == OK; c = c->next) {
		ptrdiff_t star;

		all[i] = load_str(l, load_string(l, c, "a name"));
		star = str_index(all[i], '*');
		if (l->rc == OK && all[i].n == 0)
			load_fail(l, c, "expected a name, or its beginning with a '*'");
		if (str_eq(n->key, S("tools")) && star >= 0 &&
		    (size_t)star + 1 < all[i].n)
			load_fail(l, c, "a '*' stands at the end, as in store_*");
		if (str_eq(n->key, S("hosts")) && l->rc == OK && !is_host(all[i]))
			load_fail(l, c, "expected a host, as in api.example.com, *.example.com "
			    "or localhost:8080, got '%.*s'", FMT(str_cut(all[i], 100)));
		i++;
	}
	*count = n->n;
	return all;
}

/* Absolute, and without parts that lead elsewhere. */
static bool
is_path(struct str s)
{
	struct str rest = s, part;

	while (str_next(&rest, '/', &part))
		if (str_eq(part, S(".")) || str_eq(part, S("..")))
			return false;
	return str_starts(s, S("/")) && memchr(s.p, 0, s.n) == NULL;
}

static const struct str *
load_paths(struct load *l, const struct tree_node *n, size_t *count)
{
	const struct str *all = load_list(l, n, count);

	if (l->rc == OK && n->n == 0)
		load_fail(l, n, "expected at least one path");
	for (const struct tree_node *c = n->first; c != NULL && l->rc == OK; c = c->next)
		if (!is_path(all[c->index]))
			load_fail(l, c, "expected an absolute path, as in /srv/data");
	return all;
}

void
load_limits(struct load *l, const struct tree_node *n)
{
	static const char *const keys[] = { "tools", "hosts", "paths", NULL };
	const struct tree_node *c = tree_get(l->t, n, S("capabilities")), *tools, *hosts, *paths;
	struct agent_limits *own;

	if (c == NULL || !load_wants(l, c, TREE_MAP, "a map, as in {tools: [search], "
	    "hosts: [api.example.com]}"))
		return;
	load_check_keys(l, c, keys);
	own = load_alloc(l, 1, sizeof *own);
	tools = tree_get(l->t, c, S("tools"));
	hosts = tree_get(l->t, c, S("hosts"));
	own->has_tools = tools != NULL;
	own->has_hosts = hosts != NULL;
	paths = tree_get(l->t, c, S("paths"));
	own->has_paths = paths != NULL;
	if (tools != NULL && l->rc == OK)
		own->tools = load_list(l, tools, &own->tools_n);
	if (hosts != NULL && l->rc == OK)
		own->hosts = load_list(l, hosts, &own->hosts_n);
	if (paths != NULL && l->rc == OK)
		own->paths = load_paths(l, paths, &own->paths_n);
	l->a->limits = own;
}

static bool
name_fits(struct str pattern, struct str name)
{
	if (!str_ends(pattern, S("*")))
		return str_eq(pattern, name);
	return str_starts(name, str_sub(pattern, 0, pattern.n - 1));
}

bool
agent_limits_tool(const struct agent_limits *of, struct str name, struct str group)
{
	if (of == NULL || !of->has_tools)
		return true;
	for (size_t i = 0; i < of->tools_n; i++)
		if (name_fits(of->tools[i], name) ||
		    (group.n > 0 && str_eq(of->tools[i], group)))
			return true;
	return false;
}

static void
check_name(struct load *l, const struct tree_node *n, struct val name)
{
	struct str server = STR_NONE, tool;

	if (name.kind != VAL_STRING || agent_mcp_find(l->a, val_str(name)) != NULL)
		return;                      /* a server: some of its tools may be */
	(void)agent_mcp_split(val_str(name), &server, &tool);
	if (!agent_limits_tool(l->a->limits, val_str(name), server))
		load_fail(l, n, "the tool '%.*s' is not among the capabilities of the agent",
		    FMT(str_cut(val_str(name), 100)));
}

/* The fields that name tools: `name` of tool, `tools` of llm. */
void
load_check_limits(struct load *l, const struct tree_node *n, const struct agent_work *w)
{
	bool tool, llm;

	if (l->rc != OK || l->a->limits == NULL)
		return;
	tool = str_eq(str_of(w->kind->name), S("tool"));
	llm = str_eq(str_of(w->kind->name), S("llm"));
	for (size_t i = 0; i < w->kind->fields_n; i++) {
		struct str field = str_of(w->kind->fields[i].name);
		struct val v = w->fields[i].constant;

		if (!(tool && str_eq(field, S("name"))) && !(llm && str_eq(field, S("tools"))))
			continue;
		check_name(l, n, v);
		for (size_t k = 0; k < val_count(v); k++)
			check_name(l, n, val_at(v, k));
	}
}
