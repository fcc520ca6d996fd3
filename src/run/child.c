/*
 * child.c - see child.h; the keys of work are task.h's.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/child.h"

#include "base/limits.h"
#include "task/kinds.h"

/* Work whose parts are numbered behind its name: "map/3". */
static bool
is_repeated(const struct agent_work *w)
{
	struct str kind = str_of(w->kind->name);

	return str_eq(kind, S("map")) || str_eq(kind, S("repeat"));
}

/* Of a tool of the agent a; NULL: a model has named it in its call. */
static const struct agent *
agent_of_tool(const struct agent *a, struct str name)
{
	for (size_t i = 0; i < a->tools_n; i++)
		if (a->tools[i].call != NULL && str_eq(a->tools[i].name, name))
			return a->tools[i].call->child;
	return NULL;
}

static const struct agent *
work_at(const struct agent *a, const struct agent_work *w, struct str key)
{
	struct str part, number;
	uint64_t i;

	while (key.n > 0 && str_next(&key, '.', &part)) {
		if (is_repeated(w) && str_eq(part, str_of(w->kind->name))) {
			(void)str_next(&key, '.', &number);
			continue;
		}
		if (str_eq(part, S("tool"))) {      /* ID.NAME */
			(void)str_next(&key, '.', &number);
			return agent_of_tool(a, key);
		}
		/* a later attempt at the same work; a turn of a conversation */
		if (str_eq(part, S("try")) || str_eq(part, S("turn"))) {
			(void)str_next(&key, '.', &number);
			continue;
		}
		if (!str_to_u64(part, &i) || i >= w->items_n)
			return NULL;
		w = &w->items[i];
	}
	return w->child;
}

/* A name that depends on the run is taken for any node's. */
static const struct agent_node *
node_of(const struct agent *a, struct str name)
{
	for (size_t i = 0; i < a->nodes_n; i++)
		if (str_eq(a->nodes[i].name, name))
			return &a->nodes[i];
	for (size_t i = 0; i < a->nodes_n; i++)
		if (a->nodes[i].label.form != VALUE_CONST)
			return &a->nodes[i];
	return NULL;
}

static struct str
name_of(struct str part)
{
	ptrdiff_t colon = str_index(part, ':');

	return colon < 0 ? part : str_sub(part, 0, (size_t)colon);
}

const struct agent *
child_find(const struct agent *a, struct str ns)
{
	const struct agent_work *w = NULL;   /* of the node before, */
	const struct agent *up = a;          /* which is one of this */
	struct str part;

	if (a != NULL && a->hosted != NULL)
		return a;
	while (ns.n > 0 && str_next(&ns, '|', &part)) {
		const struct agent_node *node;

		if (w != NULL && str_index(part, ':') < 0 && work_at(up, w, part) != NULL) {
			a = work_at(up, w, part);
			w = NULL;
			continue;
		}
		node = a == NULL ? NULL : node_of(a, name_of(part));
		if (node == NULL)
			return NULL;
		w = &node->work;
		up = a;
		a = work_at(a, w, STR_NONE) != NULL ? w->child : work_at(a, w, S("0"));
	}
	return a;
}

static void
add_part(struct buf *key, struct str part)
{
	if (key->n > 0)
		buf_add_char(key, '.');
	buf_add(key, part);
}

/* Depth first; bounded by LIMIT_AGENT_DEPTH. */
static const struct agent_work *
first_call(const struct agent_work *w, struct buf *key)
{
	const struct agent_work *call = w->child != NULL ? w : NULL;
	size_t n = key->n;

	if (is_repeated(w)) {
		add_part(key, str_of(w->kind->name));
		add_part(key, S("0"));
	}
	for (size_t i = 0; call == NULL && i < w->items_n; i++) {
		size_t before = key->n;

		if (before > 0)
			buf_add_char(key, '.');
		buf_add_u64(key, i);
		call = first_call(&w->items[i], key);
		if (call == NULL)
			buf_cut(key, before);
	}
	if (call == NULL)
		buf_cut(key, n);
	return call;
}

static bool
keeps_state(const struct agent_work *call)
{
	return str_eq(str_of(call->kind->name), S("agent")) &&
	    agent_bool(&call->fields[AGENT_KIND_PERSIST], false);
}

/* Has the hosted graph a sub-graph at the node?  up: with ids of tasks. */
static bool
hosted_calls(const struct agent_hosted *h, struct str up, struct str name)
{
	struct buf path = BUF(LIMIT_CHECKPOINT_NS_BYTES);
	bool found = false;
	struct str part;

	while (up.n > 0 && str_next(&up, '|', &part)) {
		buf_add(&path, name_of(part));
		buf_add_char(&path, '|');
	}
	buf_add(&path, name);
	for (size_t i = 0; i < h->subgraphs_n && !found; i++)
		found = str_eq(h->subgraphs[i].ns, buf_str(&path));
	buf_release(&path);
	return found;
}

static bool
hosted_add(struct buf *b, const struct agent_hosted *h, struct str up, struct str name,
    const struct uuid *task)
{
	if (!hosted_calls(h, up, name))
		return false;
	if (up.n > 0)
		buf_add_fmt(b, "%.*s|", FMT(up));
	buf_add_fmt(b, "%.*s:", FMT(name));
	uuid_add(b, task);
	return true;
}

bool
child_add_namespace(struct buf *b, const struct agent *a, struct str up,
    struct str name, const struct uuid *task)
{
	const struct agent_node *node = node_of(a, name);
	struct buf key = BUF(LIMIT_CHECKPOINT_NS_BYTES);
	const struct agent_work *call = NULL;

	if (a->hosted != NULL)
		return hosted_add(b, a->hosted, up, name, task);
	if (node != NULL)
		call = first_call(&node->work, &key);
	if (call != NULL) {
		buf_add(b, up);
		if (up.n > 0)
			buf_add_char(b, '|');
		buf_add(b, name);
		if (!keeps_state(call)) {
			buf_add_char(b, ':');
			uuid_add(b, task);
		}
		if (key.n > 0 && !str_eq(buf_str(&key), S("0"))) {
			buf_add_char(b, '|');
			buf_add(b, buf_str(&key));
		}
	}
	buf_release(&key);
	return call != NULL;
}
