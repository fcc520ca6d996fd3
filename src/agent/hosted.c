/*
 * hosted.c - a graph that runs in a worker, as an agent: {"hosted": {...}}, what the
 * worker registered.
 *
 *   {"hosted": {"id": "agent", "build": "3f2a", "description": "...",
 *     "schemas": {"input", "output", "state", "config", "context"},
 *     "drawing": {"nodes": [{"id", ...}], "edges": [{"source", "target", ...}]},
 *     "xray": {"nodes", "edges"}, "subgraphs": {"a|b": {"input_schema", ...}}}}
 *
 * Schemas and drawings are JSON of the worker's own library: what clients are shown is
 * checked for its shape only.
 *
 * SPDX-License-Identifier: MIT
 */
#include "agent/hosted_priv.h"
#include "agent/load_priv.h"

#include <assert.h>

#include "base/json.h"

const char *const agent_schema_names[] = {
	"input", "output", "state", "config", "context", NULL
};

bool
load_is_hosted(struct load *l, const struct tree_node *root)
{
	return root->kind == TREE_MAP && tree_get(l->t, root, S("hosted")) != NULL;
}

/* UNDEFINED for what is absent, or null. */
static struct val
keep(struct load *l, const struct tree_node *n)
{
	return n == NULL || n->kind == TREE_NULL || l->rc != OK ? VAL_UNDEF :
	    load_val(l, tree_val(n));
}

static struct str
text(struct load *l, const struct tree_node *map, const char *key, size_t max)
{
	const struct tree_node *n = tree_get(l->t, map, str_of(key));
	struct str s = n == NULL || n->kind == TREE_NULL ? STR_NONE :
	    load_string(l, n, "a string");

	if (s.n > max)
		load_fail(l, n, "a text of %zu bytes; expected at most %zu", s.n, max);
	return load_str(l, s);
}

/* ---- schemas ------------------------------------------------------------------------ */

/* A schema is an object, or true or false. */
static void
load_schemas(struct load *l, const struct tree_node *map, const char *const *keys,
    struct val *out)
{
	for (int i = 0; i < SCHEMAS; i++)
		out[i] = VAL_UNDEF;
	if (map == NULL || map->kind == TREE_NULL || !load_wants(l, map, TREE_MAP, "a map"))
		return;
	for (int i = 0; i < SCHEMAS && l->rc == OK; i++) {
		const struct tree_node *n = tree_get(l->t, map, str_of(keys[i]));

		if (n != NULL && n->kind != TREE_NULL && n->kind != TREE_BOOL)
			(void)load_wants(l, n, TREE_MAP, "a JSON Schema");
		out[i] = keep(l, n);
	}
}

static const char *const subgraph_keys[] = {
	"input_schema", "output_schema", "state_schema", "config_schema", "context_schema",
	"graph_id", "input", "output", "state", "config", "context", NULL
};

/* LangGraph's own libraries differ in the names: "state_schema" and "state". */
static void
load_subgraphs(struct load *l, const struct tree_node *map, struct agent_hosted *h)
{
	struct agent_subgraph *list;

	if (map == NULL || map->kind == TREE_NULL ||
	    !load_wants(l, map, TREE_MAP, "a map of sub-graphs by namespace"))
		return;
	if (map->n > LIMIT_DRAWING_NODES)
		load_fail(l, map, "%zu sub-graphs; expected at most %d", map->n,
		    LIMIT_DRAWING_NODES);
	list = load_alloc(l, map->n, sizeof *list);
	h->subgraphs = list;
	for (const struct tree_node *c = map->first; c != NULL && l->rc == OK; c = c->next) {
		struct agent_subgraph *s = &list[h->subgraphs_n++];
		bool plain;

		s->ns = load_str(l, c->key);
		if (!load_wants(l, c, TREE_MAP, "a map of schemas"))
			return;
		load_check_keys(l, c, subgraph_keys);
		plain = tree_get(l->t, c, S("state")) != NULL ||
		    tree_get(l->t, c, S("input")) != NULL;
		load_schemas(l, c, plain ? agent_schema_names : subgraph_keys, s->schemas);
	}
}

/* ---- drawings ------------------------------------------------------------------------ */

static bool
is_end(struct str name)
{
	return str_eq(name, S("__start__")) || str_eq(name, S("__end__"));
}

static const struct tree_node *
list_of(struct load *l, const struct tree_node *map, const char *key, size_t max)
{
	const struct tree_node *n = tree_get(l->t, map, str_of(key));

	if (n == NULL)
		load_fail(l, map, "'%s' is missing", key);
	else if (load_wants(l, n, TREE_LIST, "a list") && n->n > max)
		load_fail(l, n, "a list of %zu; expected at most %zu", n->n, max);
	return l->rc == OK ? n : NULL;
}

/* A member that must be a string, of an item of a list. */
static struct str
word_of(struct load *l, const struct tree_node *item, const char *key)
{
	const struct tree_node *n;

	if (!load_wants(l, item, TREE_MAP, "a map"))
		return STR_NONE;
	n = tree_get(l->t, item, str_of(key));
	if (n == NULL)
		load_fail(l, item, "'%s' is missing", key);
	return l->rc == OK ? load_string(l, n, "a string") : STR_NONE;
}

static void
load_edge_of_drawing(struct load *l, const struct tree_node *c)
{
	static const char *const keys[] = { "source", "target", "conditional", "data", NULL };
	const struct tree_node *n;

	(void)word_of(l, c, "source");
	(void)word_of(l, c, "target");
	if (l->rc != OK)
		return;
	load_check_keys(l, c, keys);
	n = tree_get(l->t, c, S("conditional"));
	if (n != NULL && n->kind != TREE_NULL)
		(void)load_wants(l, n, TREE_BOOL, "true or false");
}

/* names: where the nodes' go, with room for all; or NULL. */
static struct val
load_drawing(struct load *l, const struct tree_node *root, const char *key,
    struct agent_hosted *h)
{
	static const char *const keys[] = { "nodes", "edges", NULL };
	static const char *const node_keys[] = { "id", "type", "data", "metadata", NULL };
	const struct tree_node *map = tree_get(l->t, root, str_of(key)), *nodes, *edges;
	struct str *names;

	if (map == NULL || map->kind == TREE_NULL || !load_wants(l, map, TREE_MAP, "a map"))
		return VAL_UNDEF;
	load_check_keys(l, map, keys);
	nodes = l->rc == OK ? list_of(l, map, "nodes", LIMIT_DRAWING_NODES) : NULL;
	edges = l->rc == OK ? list_of(l, map, "edges", LIMIT_DRAWING_EDGES) : NULL;
	if (l->rc != OK)
		return VAL_UNDEF;
	names = load_alloc(l, nodes->n, sizeof *names);
	h->nodes = names;
	h->nodes_n = 0;
	for (const struct tree_node *c = nodes->first; c != NULL && l->rc == OK; c = c->next) {
		struct str id = word_of(l, c, "id");

		if (l->rc == OK)
			load_check_keys(l, c, node_keys);
		if (!is_end(id))
			names[h->nodes_n++] = load_str(l, id);
	}
	for (const struct tree_node *c = edges->first; c != NULL && l->rc == OK; c = c->next)
		load_edge_of_drawing(l, c);
	return keep(l, map);
}

/* ---- all of it ------------------------------------------------------------------------ */

/* Of the drawing with sub-graphs only what is shown is of use. */
static void
load_parts(struct load *l, const struct tree_node *n, struct agent_hosted *h)
{
	const struct tree_node *schemas = tree_get(l->t, n, S("schemas"));

	if (schemas != NULL && schemas->kind == TREE_MAP)
		load_check_keys(l, schemas, agent_schema_names);
	load_schemas(l, schemas, agent_schema_names, h->schemas);
	h->xray = l->rc == OK ? load_drawing(l, n, "xray", h) : VAL_UNDEF;
	h->nodes_n = 0;
	h->drawing = l->rc == OK ? load_drawing(l, n, "drawing", h) : VAL_UNDEF;
	if (l->rc == OK)
		load_subgraphs(l, tree_get(l->t, n, S("subgraphs")), h);
	l->a->context_schema = h->schemas[SCHEMA_CONTEXT].kind == VAL_OBJECT ?
	    h->schemas[SCHEMA_CONTEXT] : VAL_UNDEF;
}

void
load_hosted(struct load *l, const struct tree_node *root)
{
	static const char *const root_keys[] = { "hosted", NULL };
	static const char *const keys[] = { "id", "build", "name", "description", "schemas",
		"drawing", "xray", "subgraphs", NULL };
	const struct tree_node *n = tree_get(l->t, root, S("hosted")), *id;
	struct agent_hosted *h = load_alloc(l, 1, sizeof *h);

	assert(n != NULL);
	load_check_keys(l, root, root_keys);
	if (l->rc != OK || !load_wants(l, n, TREE_MAP, "a map"))
		return;
	load_check_keys(l, n, keys);
	if (l->rc != OK)
		return;
	id = tree_get(l->t, n, S("id"));
	if (id == NULL)
		load_fail(l, n, "'id' is missing");
	else
		l->a->name = text(l, n, "name", LIMIT_NAME_BYTES);
	if (l->rc == OK)
		load_id(l, id, load_string(l, id, "a string"));
	if (l->rc == OK)
		h->build = text(l, n, "build", LIMIT_NAME_BYTES);
	if (l->rc == OK)
		l->a->description = text(l, n, "description", LIMIT_METADATA_BYTES);
	if (l->rc == OK)
		load_parts(l, n, h);
	l->a->slots_n = SLOT_CHANNEL;
	l->a->hosted = h;
}

/* ---- asked by others -------------------------------------------------------------------- */

bool
agent_hosted_has_node(const struct agent_hosted *h, struct str name)
{
	for (size_t i = 0; i < h->nodes_n; i++)
		if (str_eq(h->nodes[i], name))
			return true;
	return h->drawing.kind == VAL_UNDEFINED;
}

bool
agent_hosted_takes(const struct agent_hosted *h, struct str name)
{
	struct val properties = val_get(h->schemas[SCHEMA_INPUT], S("properties"));

	return properties.kind != VAL_OBJECT || val_has(properties, name);
}

/* ---- shown to clients --------------------------------------------------------------------- */

/* null: the worker did not tell. */
static void
add_schema(struct buf *b, struct str key, struct val schema)
{
	json_add_comma(b);
	json_add_str(b, key);
	buf_add_char(b, ':');
	val_add_json(b, schema.kind == VAL_UNDEFINED ? VAL_NIL : schema);
}

void
hosted_add_drawing(struct buf *b, const struct agent_hosted *h, bool xray)
{
	struct val d = xray && h->xray.kind != VAL_UNDEFINED ? h->xray : h->drawing;

	if (d.kind == VAL_UNDEFINED)
		json_add_fmt(b, "{'nodes':[],'edges':[]}");
	else
		val_add_json(b, d);
}

void
hosted_add_schemas(struct buf *b, const struct agent *a)
{
	json_add_fmt(b, "{'graph_id':%.*s", FMT(a->id));
	for (int i = 0; i < SCHEMAS; i++)
		add_schema(b, str_of(subgraph_keys[i]), a->hosted->schemas[i]);
	buf_add_char(b, '}');
}

/* With `context` among the properties. */
static void
add_properties(struct buf *b, struct val properties, struct val context)
{
	json_add_fmt(b, "'properties':{");
	for (size_t i = 0; i < val_count(properties); i++)
		add_schema(b, val_key(properties, i), val_member(properties, i));
	if (!val_has(properties, S("context")))
		add_schema(b, S("context"), context.kind == VAL_OBJECT ? context :
		    val_bool(true));
	buf_add_char(b, '}');
}

/* Clients of MCP want an object: a schema that is something else takes any. */
void
hosted_add_tool_schema(struct buf *b, const struct agent_hosted *h)
{
	struct val in = h->schemas[SCHEMA_INPUT];
	bool plain = val_get(in, S("properties")).kind == VAL_OBJECT;

	json_add_fmt(b, "{'type':'object',");
	add_properties(b, plain ? val_get(in, S("properties")) : val_object_empty(),
	    h->schemas[SCHEMA_CONTEXT]);
	for (size_t i = 0; plain && i < val_count(in); i++)
		if (!str_eq(val_key(in, i), S("type")) &&
		    !str_eq(val_key(in, i), S("properties")))
			add_schema(b, val_key(in, i), val_member(in, i));
	buf_add_char(b, '}');
}

/* The other way round from a graph's schemas, as LangGraph's own server does. */
static void
add_subgraph(struct buf *b, const struct agent_subgraph *s)
{
	static const enum agent_schema order[] = { SCHEMA_STATE, SCHEMA_INPUT, SCHEMA_OUTPUT,
		SCHEMA_CONFIG };

	json_add_comma(b);
	json_add_str(b, s->ns);
	buf_lit(b, ":{");
	for (size_t i = 0; i < COUNT(order); i++)
		add_schema(b, str_of(agent_schema_names[order[i]]), s->schemas[order[i]]);
	buf_add_char(b, '}');
}

/* Names of a namespace, without the ids of tasks. */
static void
add_names(struct buf *b, struct str ns)
{
	struct str part;

	while (ns.n > 0 && str_next(&ns, '|', &part)) {
		ptrdiff_t colon = str_index(part, ':');

		if (b->n > 0)
			buf_add_char(b, '|');
		buf_add(b, colon < 0 ? part : str_sub(part, 0, (size_t)colon));
	}
}

void
hosted_add_subgraphs(struct buf *b, const struct agent_hosted *h, struct str ns,
    bool recurse)
{
	struct buf names = BUF(LIMIT_AGENT_BYTES);
	struct str want;

	add_names(&names, ns);
	want = buf_str(&names);
	buf_add_char(b, '{');
	for (size_t i = 0; i < h->subgraphs_n; i++) {
		const struct agent_subgraph *s = &h->subgraphs[i];
		bool below = want.n == 0 || (str_starts(s->ns, want) && s->ns.n > want.n &&
		    s->ns.p[want.n] == '|');
		bool top = want.n == 0 ? str_index(s->ns, '|') < 0 : str_eq(s->ns, want);

		if (top || (below && recurse))
			add_subgraph(b, s);
	}
	buf_add_char(b, '}');
	buf_release(&names);
}
