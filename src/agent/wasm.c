/*
 * wasm.c - an agent whose file says `wasm: {module, allow, tools, limits}`; see wasm.h.
 *
 * The rest of the agent is made of a text as any other file has it, with the agent's id in
 * place.
 *
 * SPDX-License-Identifier: MIT
 */
#include "agent/wasm.h"

#include <assert.h>

#include "agent/load_priv.h"
#include "base/mem.h"

static const char steps[] =
    "id: %.*s\n"
    "state: {messages: {reducer: messages}}\n"
    "nodes:\n"
    "  guest:\n"
    "    wasm: %.*s\n"
    "    input: \"get(last(messages), 'content')\"\n"
    "    writes: {messages: [{type: \"'ai'\", content: \"string(result)\"}]}\n"
    "edges: [[START, guest], [guest, END]]\n";

bool
load_is_wasm(struct load *l, const struct tree_node *root)
{
	return root->kind == TREE_MAP && tree_get(l->t, root, S("wasm")) != NULL;
}

/* Errors of wasm/limits.h begin with a name, which the path has already. */
static const char *
without_name(const struct err *e)
{
	const char *colon = strchr(e->text, ':');

	return colon != NULL && colon[1] == ' ' ? colon + 2 : e->text;
}

/* ---- what it may do ------------------------------------------------------------------ */

static void
load_module(struct load *l, const struct tree_node *map, struct agent_wasm *w)
{
	const struct tree_node *n = tree_get(l->t, map, S("module"));
	struct str path, rest, part;

	if (n == NULL) {
		load_fail(l, map, "'module' is missing: expected a file, as in counter.wasm");
		return;
	}
	path = rest = load_string(l, n, "a file, as counter.wasm");
	if (l->rc != OK)
		return;
	while (str_next(&rest, '/', &part))
		if (part.n == 0 || str_eq(part, S(".."))) {
			load_fail(l, n, "'%.*s': expected a path in the folder of this file, "
			    "without '..' and not from the root", FMT(str_cut(path, 100)));
			return;
		}
	if (!str_ends(path, S(".wasm")) && !str_ends(path, S(".wat")))
		load_fail(l, n, "'%.*s': expected a file that ends with .wasm or .wat",
		    FMT(str_cut(path, 100)));
	w->module = load_str(l, path);
	w->line = n->at.line;
	w->column = n->at.column;
}

static void
load_allow(struct load *l, const struct tree_node *map, struct agent_wasm *w)
{
	const struct tree_node *n = tree_get(l->t, map, S("allow"));
	struct err why;

	w->allow = n == NULL ? WASM_ALLOW_USUAL : 0;
	if (n == NULL || !load_wants(l, n, TREE_LIST, "a list of host calls, as [log, reply]"))
		return;
	for (const struct tree_node *c = n->first; c != NULL && l->rc == OK; c = c->next) {
		struct str name = load_string(l, c, "a host call");

		if (l->rc == OK && wasm_allow_read(&w->allow, name, &why) != OK)
			load_fail(l, c, "%s", without_name(&why));
	}
}

static void
load_guest_tools(struct load *l, const struct tree_node *map, struct agent_wasm *w)
{
	const struct tree_node *n = tree_get(l->t, map, S("tools"));
	struct agent_holds *h = l->a->holds;
	struct str *tools;

	if (n == NULL || !load_wants(l, n, TREE_LIST, "a list of tools"))
		return;
	if (n->n > LIMIT_WASM_TOOLS)
		load_fail(l, n, "%zu tools; expected at most %d", n->n, LIMIT_WASM_TOOLS);
	else if (n->n > 0 && !(w->allow >> WASM_TOOL_CALL & 1))
		load_fail(l, n, "tools need 'tool_call' in allow");
	tools = load_alloc(l, n->n, sizeof *tools);
	w->tools = tools;
	for (const struct tree_node *c = n->first; c != NULL && l->rc == OK; c = c->next) {
		struct buf place = BUF(64 * KB);

		tools[w->tools_n++] = load_str(l, load_string(l, c, "a tool's name"));
		load_add_place(l, c, &place);
		mem_grow(h->names, h->names_n, h->names_cap);
		h->names[h->names_n++] = (struct agent_named){ tools[w->tools_n - 1],
		    load_str(l, buf_str(&place)) };
		buf_release(&place);
	}
}

static void
load_guest_limits(struct load *l, const struct tree_node *map, struct agent_wasm *w)
{
	const struct tree_node *n = tree_get(l->t, map, S("limits"));
	struct err why;

	if (n == NULL || !load_wants(l, n, TREE_MAP, "a map of limits"))
		return;
	load_check_keys(l, n, wasm_limit_names);
	for (const struct tree_node *c = n->first; c != NULL && l->rc == OK; c = c->next) {
		if (c->kind != TREE_STRING && c->kind != TREE_NUMBER)
			load_fail(l, c, "expected a number, or one with its unit, got %s",
			    tree_kind_name(c));
		else if (wasm_limit_set(&w->limits, &w->rate, c->key, c->text, &why) != OK)
			load_fail(l, c, "%s", without_name(&why));
	}
}

static void
load_policy(struct load *l, const struct tree_node *n)
{
	static const char *const keys[] = { "module", "allow", "tools", "limits", NULL };
	struct agent_wasm *w = load_alloc(l, 1, sizeof *w);

	l->a->wasm = w;
	if (!load_wants(l, n, TREE_MAP, "a map, as {module: counter.wasm}"))
		return;
	load_check_keys(l, n, keys);
	if (l->rc == OK)
		load_module(l, n, w);
	if (l->rc == OK)
		load_allow(l, n, w);
	if (l->rc == OK)
		load_guest_tools(l, n, w);
	if (l->rc == OK)
		load_guest_limits(l, n, w);
}

/* ---- what it is as an agent -------------------------------------------------------------- */

static struct str
own_text(struct load *l, const struct tree_node *root, const char *key)
{
	const struct tree_node *n = tree_get(l->t, root, str_of(key));

	return n == NULL ? STR_NONE : load_str(l, load_string(l, n, "a text"));
}

/* Steps that the file does not write: a graph of one node.  at: the node's place. */
static void
load_steps_of_guest(struct load *l, struct tree_place at)
{
	const struct tree *file = l->t;
	struct buf text = BUF(4 * KB);
	struct agent_node *node;
	struct tree t;

	buf_add_fmt(&text, steps, FMT(l->a->id), FMT(l->a->id));
	l->rc = tree_read_yaml(&t, buf_str(&text), file->file, l->e);
	l->t = &t;
	if (l->rc == OK)
		load_root(l, t.root);
	l->t = file;
	tree_release(&t);
	buf_release(&text);
	if (l->rc != OK)
		return;
	node = (struct agent_node *)l->a->nodes;
	node->line = node->work.line = at.line;
	node->column = node->work.column = at.column;
}

void
load_wasm(struct load *l, const struct tree_node *root)
{
	static const char *const keys[] = { "id", "name", "description", "wasm", "tests", NULL };
	const struct tree_node *n = tree_get(l->t, root, S("wasm"));
	const struct tree_node *id = tree_get(l->t, root, S("id"));
	struct str name, description;

	load_check_keys(l, root, keys);
	if (l->rc == OK)
		load_id(l, id != NULL ? id : root, own_text(l, root, "id"));
	if (l->rc == OK && l->a->id.n > LIMIT_WASM_NAME_BYTES)
		load_fail(l, id != NULL ? id : root, "an id of %zu bytes; expected at most %d, "
		    "because the module has it", l->a->id.n, LIMIT_WASM_NAME_BYTES);
	name = own_text(l, root, "name");
	description = own_text(l, root, "description");
	if (l->rc == OK)
		load_policy(l, n);
	if (l->rc == OK)
		load_steps_of_guest(l, n->key_at);
	l->a->name = name.n > 0 ? name : l->a->id;
	l->a->description = description;
}
