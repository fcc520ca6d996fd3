/*
 * load.c - from a tree to an agent: its root, channels and nodes.
 *
 * Channels come first, then the names of the nodes, then what uses them; the
 * order in the file does not matter.
 *
 * SPDX-License-Identifier: MIT
 */
#include "agent/load_priv.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "graph/graph.h"

/* ---- failures ------------------------------------------------------------------ */

static void
fail(struct load *l, const struct tree_node *n, bool on_key, const char *near,
    const char *format, va_list ap)
{
	if (l->rc == OK)
		l->rc = tree_vfail(l->t, n, on_key, near, l->e, format, ap);
}

void
load_fail(struct load *l, const struct tree_node *n, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fail(l, n, false, NULL, format, ap);
	va_end(ap);
}

void
load_fail_near(struct load *l, const struct tree_node *n, const char *near,
    const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fail(l, n, false, near, format, ap);
	va_end(ap);
}

void
load_fail_key(struct load *l, const struct tree_node *n, const char *near,
    const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fail(l, n, n->up != NULL && n->up->kind == TREE_MAP, near, format, ap);
	va_end(ap);
}

bool
load_wants(struct load *l, const struct tree_node *n, enum tree_kind kind, const char *what)
{
	if (n->kind != kind)
		load_fail(l, n, "expected %s, got %s", what, tree_kind_name(n));
	return l->rc == OK;
}

struct str
load_string(struct load *l, const struct tree_node *n, const char *what)
{
	return load_wants(l, n, TREE_STRING, what) ? n->text : STR_NONE;
}

/* ---- memory ---------------------------------------------------------------------- */

/* The limits of a tree bound what is asked for here. */
void *
load_alloc(struct load *l, size_t n, size_t size)
{
	void *p = arena_zero(&l->a->arena, n * size + 1);

	assert(p != NULL);
	return p;
}

struct str
load_str(struct load *l, struct str s)
{
	return arena_str(&l->a->arena, s);
}

struct val
load_val(struct load *l, struct val v)
{
	struct agent_holds *h = l->a->holds;

	if (v.kind < VAL_STRING)
		return v;
	mem_grow(h->vals, h->vals_n, h->vals_cap);
	h->vals[h->vals_n++] = v;
	return v;
}

/* ---- look-up ---------------------------------------------------------------------- */

int
agent_channel_find(const struct agent *a, struct str name)
{
	for (size_t i = 0; i < a->channels_n; i++)
		if (str_eq(a->channels[i].name, name))
			return (int)i;
	return -1;
}

int
agent_node_find(const struct agent *a, struct str name)
{
	for (size_t i = 0; i < a->nodes_n; i++)
		if (str_eq(a->nodes[i].name, name))
			return (int)i;
	return -1;
}

/* By the tree: the lists may be long, and the names many. */
int
load_channel_find(const struct load *l, struct str name)
{
	const struct tree_node *n = l->state != NULL ? tree_get(l->t, l->state, name) : NULL;

	if (n != NULL)
		return (int)n->index;
	for (size_t i = 0; i < l->undeclared_n; i++)
		if (str_eq(l->a->channels[l->state->n + i].name, name))
			return (int)(l->state->n + i);
	return -1;
}

int
load_channel(struct load *l, const struct tree_node *n, struct str name, bool is_key)
{
	struct str_near near = { .word = name };
	int found = load_channel_find(l, name);

	if (found >= 0)
		return found;
	for (size_t i = 0; i < l->a->channels_n; i++)
		str_near_try(&near, l->a->channels[i].name.p);
	(is_key ? load_fail_key : load_fail_near)(l, n, near.best,
	    "there is no channel '%.*s'", FMT(str_cut(name, 100)));
	return -1;
}

int
load_node_ref(struct load *l, const struct tree_node *n, bool or_end)
{
	struct str name = load_string(l, n, "a node's name");
	struct str_near near = { .word = name };
	const struct tree_node *found = l->rc == OK && l->nodes != NULL ?
	    tree_get(l->t, l->nodes, name) : NULL;

	if (found != NULL)
		return (int)found->index;
	if (l->rc == OK && l->nodes == NULL && agent_node_find(l->a, name) >= 0)
		return agent_node_find(l->a, name);
	if (l->rc != OK)
		return -1;
	for (size_t i = 0; i < l->a->nodes_n; i++)
		str_near_try(&near, l->a->nodes[i].name.p);
	if (or_end) {
		str_near_try(&near, "START");
		str_near_try(&near, "END");
	}
	load_fail_near(l, n, near.best, "there is no node '%.*s'", FMT(str_cut(name, 100)));
	return -1;
}

/* ---- maps with known keys ------------------------------------------------------------ */

static void
check_keys(struct load *l, const struct tree_node *n, const char *const *known, bool kinds)
{
	for (const struct tree_node *c = n->first; c != NULL && l->rc == OK; c = c->next) {
		struct str_near near = { .word = c->key };
		bool found = false;

		for (size_t i = 0; known[i] != NULL; i++) {
			struct str name = str_of(known[i]);
			bool later = str_ends(name, S("!"));

			if (later)
				name.n--;
			else
				str_near_try(&near, known[i]);
			if (!str_eq(c->key, name))
				continue;
			found = true;
			if (later)
				load_fail_key(l, c, NULL, "'%.*s' is not supported yet", FMT(name));
		}
		for (size_t i = 0; kinds && i < l->kinds->n; i++)
			str_near_try(&near, l->kinds->at[i]->name);
		if (!found)
			load_fail_key(l, c, near.best, "unknown key '%.*s'",
			    FMT(str_cut(c->key, 100)));
	}
}

void
load_check_keys(struct load *l, const struct tree_node *n, const char *const *known)
{
	check_keys(l, n, known, false);
}

void
load_check_node_keys(struct load *l, const struct tree_node *n, const char *const *known)
{
	check_keys(l, n, known, true);
}

static const struct tree_node *
member(struct load *l, const struct tree_node *n, const char *key)
{
	return tree_get(l->t, n, str_of(key));
}

/* An optional text of the root, without templates. */
static struct str
plain_text(struct load *l, const struct tree_node *n, const char *key)
{
	const struct tree_node *c = member(l, n, key);

	return c != NULL ? load_str(l, load_string(l, c, "a text")) : STR_NONE;
}

static struct val
schema(struct load *l, const struct tree_node *n, const char *key)
{
	const struct tree_node *c = member(l, n, key);

	if (c == NULL || !load_wants(l, c, TREE_MAP, "a JSON Schema"))
		return VAL_UNDEF;
	return load_val(l, tree_val(c));
}

/* ---- channels ------------------------------------------------------------------------ */

/* A list is empty before the first write, unless the file has another default.
 * part: NULL if it has none. */
static void
load_default(struct load *l, const struct tree_node *part, struct channel *c)
{
	struct agent_value v = { 0 };

	if (part != NULL) {
		l->names = NAMES_NONE;
		load_kind(l, part, AGENT_DATA, &v);
		l->names = NAMES_ALL;
		c->initial = v.constant;
	} else if (c->reducer == REDUCE_MESSAGES || c->reducer == REDUCE_APPEND) {
		c->initial = load_val(l, val_array_empty());
	}
}

/* brief: in `context` the value is the default. */
static void
load_state_channel(struct load *l, const struct tree_node *n, bool brief,
    struct channel *c)
{
	static const char *const keys[] = { "reducer", "default", "ephemeral", "schema", NULL };
	static const struct agent_field reducer = { "reducer", AGENT_WORD,
		.words = reducer_names };
	const struct tree_node *part;
	struct agent_value v = { 0 };

	c->initial = c->schema = VAL_UNDEF;
	c->name = load_str(l, n->key);
	if (n->key.n == 0 || str_starts(n->key, S("__")) || graph_channel_is_control(n->key))
		load_fail_key(l, n, NULL, "'%.*s' cannot be a channel: expected a name without "
		    "':' that does not begin with '__'", FMT(str_cut(n->key, 100)));
	if (brief && l->rc == OK)
		load_default(l, n, c);
	if (brief || !load_wants(l, n, TREE_MAP, "a channel, as {} or {reducer: append}"))
		return;
	load_check_keys(l, n, keys);
	part = member(l, n, "reducer");
	if (part != NULL)
		load_value(l, part, &reducer, &v);
	c->reducer = (enum reducer)agent_int(&v, REDUCE_LAST);
	v = (struct agent_value){ 0 };
	part = member(l, n, "ephemeral");
	if (part != NULL && l->rc == OK)
		load_kind(l, part, AGENT_BOOL, &v);
	c->ephemeral = agent_bool(&v, false);
	if (l->rc == OK)
		load_default(l, member(l, n, "default"), c);
	if (l->rc == OK)
		c->schema = schema(l, n, "schema");
}

/* Does a default fit its reducer? */
static void
check_default(struct load *l, const struct tree_node *n, const struct channel *c)
{
	static const struct { enum reducer reducer; unsigned kinds; const char *what; } fit[] = {
		{ REDUCE_MESSAGES, 1u << VAL_ARRAY, "a list" },
		{ REDUCE_APPEND, 1u << VAL_ARRAY, "a list" },
		{ REDUCE_MERGE, 1u << VAL_OBJECT, "a map" },
		{ REDUCE_SUM, 1u << VAL_INT | 1u << VAL_DOUBLE, "a number" },
	};
	const struct tree_node *part = member(l, n, "default");

	for (size_t i = 0; i < COUNT(fit) && part != NULL; i++)
		if (fit[i].reducer == c->reducer && (fit[i].kinds >> c->initial.kind & 1) == 0)
			load_fail(l, part, "expected %s, because the reducer is '%s'", fit[i].what,
			    reducer_names[c->reducer]);
}

static void
load_state(struct load *l, const struct tree_node *n, bool brief)
{
	struct load_undeclared more = { .n = 0 };
	struct channel *channels;
	size_t i = 0;

	if (!load_wants(l, n, TREE_MAP, "a map of channels"))
		return;
	if (n->n > LIMIT_AGENT_CHANNELS) {
		load_fail(l, n, "%zu channels; expected at most %d", n->n, LIMIT_AGENT_CHANNELS);
		return;
	}
	if (brief)
		load_undeclared(l, n, &more);
	channels = load_alloc(l, n->n + more.n, sizeof *channels);
	l->state = n;
	for (const struct tree_node *c = n->first; c != NULL && l->rc == OK; c = c->next, i++) {
		load_state_channel(l, c, brief, &channels[i]);
		if (l->rc == OK && !brief)
			check_default(l, c, &channels[i]);
	}
	for (size_t k = 0; k < more.n && l->rc == OK; k++)
		channels[n->n + k] = (struct channel){ .name = more.at[k],
		    .initial = VAL_NIL, .schema = VAL_UNDEF };
	l->a->channels = channels;
	l->a->channels_n = n->n + more.n;
	l->undeclared_n = more.n;
}

/* Lists of channels: each channel of the list is marked. */
static void
mark_channels(struct load *l, const struct tree_node *n, bool *marks)
{
	if (n == NULL || !load_wants(l, n, TREE_LIST, "a list of channels"))
		return;
	for (const struct tree_node *c = n->first; c != NULL && l->rc == OK; c = c->next) {
		struct str name = load_string(l, c, "a channel's name");
		int i = l->rc == OK ? load_channel(l, c, name, false) : -1;

		if (i >= 0 && marks[i])
			load_fail(l, c, "the channel '%.*s' is named twice", FMT(name));
		if (i >= 0)
			marks[i] = true;
	}
}

/* Without a list every channel that is not private is an input, an output. */
static void
load_borders(struct load *l, const struct tree_node *n)
{
	struct channel *channels = (struct channel *)l->a->channels;
	const struct tree_node *lists[] = { member(l, n, "input"), member(l, n, "output"),
		member(l, n, "private") };
	size_t count = l->a->channels_n;
	bool *marks[COUNT(lists)];

	for (size_t i = 0; i < COUNT(lists); i++) {
		marks[i] = load_alloc(l, count, sizeof(bool));
		mark_channels(l, lists[i], marks[i]);
	}
	for (size_t i = 0; i < count; i++) {
		if (l->rc == OK && marks[1][i] && marks[2][i])
			load_fail(l, lists[1], "the channel '%.*s' is private: take it out of "
			    "one of the lists", FMT(channels[i].name));
		channels[i].private = marks[2][i];
		channels[i].input = lists[0] != NULL ? marks[0][i] : !marks[2][i];
		channels[i].output = lists[1] != NULL ? marks[1][i] : !marks[2][i];
	}
}

/* ---- nodes ---------------------------------------------------------------------------- */

/* Names first: edges and lists of nodes use them. */
static void
load_names(struct load *l, const struct tree_node *n)
{
	struct agent_node *nodes;
	size_t i = 0;

	l->nodes = n;
	if (!load_wants(l, n, TREE_MAP, "a map of nodes"))
		return;
	if (n->n == 0) {
		load_fail(l, n, "expected at least one node");
		return;
	}
	nodes = load_alloc(l, n->n, sizeof *nodes);
	l->names = NAMES_RUN;
	for (const struct tree_node *c = n->first; c != NULL && l->rc == OK; c = c->next, i++) {
		const struct tree_node key = { .kind = TREE_STRING, .text = c->key, .at = c->key_at,
			.up = c->up, .key = c->key, .key_at = c->key_at };

		nodes[i].name = load_str(l, c->key);
		nodes[i].line = c->key_at.line;
		nodes[i].column = c->key_at.column;
		if (str_eq(c->key, S("START")) || str_eq(c->key, S("END")))
			load_fail_key(l, c, NULL, "'%.*s' is reserved; expected another name",
			    FMT(c->key));
		else
			load_kind(l, &key, AGENT_TEXT, &nodes[i].label);
	}
	l->names = NAMES_ALL;
	l->a->nodes = nodes;
	l->a->nodes_n = n->n;
}

static void
load_node(struct load *l, const struct tree_node *n, struct agent_node *out)
{
	const struct tree_node *defer, *description;
	struct agent_value flag = { 0 };

	l->as_n = 0;
	l->as_next = SLOT_CHANNEL + (int)l->a->channels_n;
	load_work(l, n, false, &out->work);
	if (l->rc != OK)
		return;
	defer = member(l, n, "defer");
	description = member(l, n, "description");
	if (defer != NULL)
		load_kind(l, defer, AGENT_BOOL, &flag);
	out->defer = agent_bool(&flag, false);
	if (description != NULL && l->rc == OK)
		out->description = load_str(l, load_string(l, description, "a text"));
}

static void
load_nodes(struct load *l, const struct tree_node *n)
{
	struct agent_node *nodes = (struct agent_node *)l->a->nodes;
	size_t i = 0;

	for (const struct tree_node *c = n->first; c != NULL && l->rc == OK; c = c->next)
		load_node(l, c, &nodes[i++]);
}

static void
load_stops(struct load *l, const struct tree_node *n, struct agent_stops *out)
{
	unsigned *nodes;
	bool *named;
	size_t i = 0;

	if (n == NULL || l->rc != OK)
		return;
	if (n->kind == TREE_STRING && str_eq(n->text, S("*"))) {
		out->all = true;
		return;
	}
	if (!load_wants(l, n, TREE_LIST, "a list of nodes or \"*\""))
		return;
	nodes = load_alloc(l, n->n, sizeof *nodes);
	named = load_alloc(l, l->a->nodes_n, sizeof *named);
	for (const struct tree_node *c = n->first; c != NULL && l->rc == OK; c = c->next) {
		int found = load_node_ref(l, c, false);

		if (found < 0)
			return;
		if (named[found])
			load_fail(l, c, "the node '%.*s' is named twice", FMT(c->text));
		named[found] = true;
		nodes[i++] = (unsigned)found;
	}
	out->nodes = nodes;
	out->n = n->n;
}

/* ---- the root ----------------------------------------------------------------------------- */

static const char *const root_keys[] = {
	"id", "name", "description", "state", "input", "output", "private", "context_schema",
	"interrupt_before", "interrupt_after", "tools", "nodes", "edges",
	"states", "context", "initial", "type", "on", "entry", "exit", "always", "tests",
	"budget", "capabilities", "mcp", "needs!", "retry", "timeout", "after", NULL,
};

/* Letters, digits, '.', '-' and '_': it is a part of paths and of URLs. */
static bool
is_id(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && !(c >= '0' && c <= '9') &&
		    c != '.' && c != '-' && c != '_')
			return false;
	}
	return s.n > 0 && s.n <= LIMIT_NAME_BYTES;
}

/* The name of a file without folder and ending. */
static struct str
stem(struct str file)
{
	ptrdiff_t at;

	while ((at = str_index(file, '/')) >= 0)
		file = str_sub(file, (size_t)at + 1, SIZE_MAX);
	at = str_index(file, '.');
	return at > 0 ? str_sub(file, 0, (size_t)at) : file;
}

void
load_id(struct load *l, const struct tree_node *n, struct str id)
{
	l->a->id = load_str(l, id.p != NULL ? id : stem(l->a->file));
	if (l->rc == OK && !is_id(l->a->id))
		load_fail(l, n, "'%.*s' is not an id: expected letters, digits, "
		    "'.', '-' and '_'", FMT(str_cut(l->a->id, 100)));
	if (l->a->name.n == 0)
		l->a->name = l->a->id;
}

static void
load_names_of_agent(struct load *l, const struct tree_node *n)
{
	const struct tree_node *id = member(l, n, "id");
	struct str given = plain_text(l, n, "id");

	l->a->name = plain_text(l, n, "name");
	l->a->description = plain_text(l, n, "description");
	if (id != NULL || l->nesting == 0)
		load_id(l, id != NULL ? id : n, given);
}

/* The keys that only a chart has, and those that only a graph has. */
static void
check_shape(struct load *l, const struct tree_node *n)
{
	static const char *const graph[] = { "nodes", "edges" };
	static const char *const chart[] = { "context", "initial", "type", "on", "entry",
		"exit", "always" };
	static const char *const inner[] = { "retry", "timeout", "after" };
	bool states = member(l, n, "states") != NULL;
	const struct tree_node *c;

	for (size_t i = 0; i < COUNT(graph); i++) {
		c = member(l, n, graph[i]);
		if (states && c != NULL)
			load_fail_key(l, c, NULL, "an agent has 'states', or 'nodes' and 'edges'");
	}
	for (size_t i = 0; i < COUNT(chart); i++) {
		c = member(l, n, chart[i]);
		if (!states && c != NULL)
			load_fail_key(l, c, NULL, "'%s' goes with 'states'", chart[i]);
	}
	for (size_t i = 0; i < COUNT(inner); i++) {
		c = member(l, n, inner[i]);
		if (c != NULL)
			load_fail_key(l, c, NULL, "'%s' is for a %s, not for the agent itself",
			    inner[i], str_eq(str_of(inner[i]), S("after")) ? "state" :
			    "piece of work");
	}
	if (member(l, n, "state") != NULL && member(l, n, "context") != NULL)
		load_fail_key(l, member(l, n, "context"), NULL, "either 'state' or 'context', "
		    "not both");
	if (!states && member(l, n, "nodes") == NULL)
		load_fail(l, n, "'nodes' is missing");
	else if (!states && member(l, n, "edges") == NULL)
		load_fail(l, n, "'edges' is missing");
}

/* Nodes and edges, or states. */
static void
load_steps(struct load *l, const struct tree_node *n)
{
	const struct tree_node *nodes = member(l, n, "nodes");

	if (nodes != NULL)
		load_names(l, nodes);
	load_mcp(l, n);
	if (l->rc == OK)
		load_tools(l, n);
	load_check_policies(l, n);
	if (l->rc == OK && nodes == NULL)
		load_states(l, n);
	load_stops(l, member(l, n, "interrupt_before"), &l->a->before);
	load_stops(l, member(l, n, "interrupt_after"), &l->a->after);
	if (l->rc == OK && nodes != NULL)
		load_nodes(l, nodes);
	if (l->rc == OK && nodes != NULL)
		load_edges(l, member(l, n, "edges"));
}

void
load_root(struct load *l, const struct tree_node *n)
{
	const struct tree_node *state, *context;

	if (!load_wants(l, n, TREE_MAP, "an agent"))
		return;
	load_check_keys(l, n, root_keys);
	if (l->rc == OK)
		check_shape(l, n);
	if (l->rc != OK)
		return;
	state = member(l, n, "state");
	context = member(l, n, "context");
	load_names_of_agent(l, n);
	if ((state != NULL || context != NULL) && l->rc == OK)
		load_state(l, state != NULL ? state : context, context != NULL);
	if (l->rc == OK)
		load_borders(l, n);
	if (l->rc == OK)
		load_hidden(l, n);
	l->a->slots_n = SLOT_CHANNEL + l->a->channels_n;
	if (l->rc == OK)
		l->a->context_schema = schema(l, n, "context_schema");
	if (l->rc == OK)
		l->a->budget = load_own_budget(l, n, true);
	if (l->rc == OK)
		load_limits(l, n);
	if (l->rc == OK)
		load_steps(l, n);
}
