/*
 * assistants.c - a graph with its settings, versioned.
 *
 * A graph's id is accepted wherever an assistant's id is: it names the graph's
 * system assistant, which is created at start.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"

#include "agent/agent.h"
#include "base/mem.h"

/* ---- finding ------------------------------------------------------------- */

/* The UUID that a UUID or a graph id names. */
static bool
assistant_id_parse(const struct api_shared *sh, struct str s, struct uuid *id)
{
	if (uuid_parse(s, id))
		return true;
	for (size_t i = 0; i < sh->graphs_n; i++) {
		if (str_eq(sh->graphs[i].name, s)) {
			*id = sh->graphs[i].assistant;
			return true;
		}
	}
	return false;
}

int
api_assistant_find(struct call *c, struct str s, struct store_assistant *out)
{
	struct uuid id;

	if (!assistant_id_parse(c->api->shared, s, &id))
		return ERR_NOTFOUND;
	return store_assistant_get(c->api->reader, c->owner, &id, &c->r->arena, out);
}

int
api_assistant_get(struct call *c)
{
	struct store_assistant a;
	int rc = api_assistant_find(c, c->param[0], &a);

	return rc < 0 ? rc : call_object(c, assistant_members, &a);
}

/* ---- creating and changing ----------------------------------------------- */

/* Refuses what would fail every run of it. */
static void
config_check(struct call *c)
{
	struct fields config, part;
	int64_t steps = 0;

	fields_object(c->in, "config", &config);
	fields_object(&config, "configurable", &part);
	fields_array(&config, "tags", SIZE_MAX, &part);
	fields_int(&config, "recursion_limit", 1, LIMIT_RECURSION_MAX, &steps);
	call_note_settings(c, config.node, json_get(c->in->node, S("context")));
}

static void
graph_check(struct call *c, struct str graph_id)
{
	const struct api_shared *sh = c->api->shared;
	struct buf names = BUF(KB);
	size_t i = 0;

	for (; i < sh->graphs_n && !str_eq(sh->graphs[i].name, graph_id); i++)
		buf_add_fmt(&names, "%s%.*s", i > 0 ? ", " : "", FMT(sh->graphs[i].name));
	if (i == sh->graphs_n)
		fields_fail(c->in, "graph_id", ERR_NOTFOUND,
		    "Graph '%.*s' not found. Expected one of: %.*s",
		    FMT(param_shown(graph_id)), FMT(buf_str(&names)));
	buf_release(&names);
}

/* The members that create and update share; absent ones stay as they are. */
static void
assistant_read(struct call *c, struct store_assistant *a)
{
	call_read_str(c, "graph_id", LIMIT_METADATA_BYTES, &a->graph_id);
	call_read_str(c, "name", LIMIT_NAME_BYTES, &a->name);
	call_read_str(c, "description", LIMIT_METADATA_BYTES, &a->description);
	call_read_object(c, "config", LIMIT_METADATA_BYTES, &a->config_json);
	call_read_object(c, "context", LIMIT_METADATA_BYTES, &a->context_json);
	call_read_object(c, "metadata", LIMIT_METADATA_BYTES, &a->metadata_json);
	config_check(c);
}

static int
assistant_created(struct call *c)
{
	return call_object(c, assistant_members, &c->op.assistant_create.a);
}

int
api_assistant_create(struct call *c)
{
	struct store_assistant_create *op = &c->op.assistant_create;
	msec now = shard_wall(c->api->shard);

	*op = (struct store_assistant_create){ .a = { .name = S("Untitled"),
	    .config_json = S("{}"), .context_json = S("{}"),
	    .metadata_json = S("{}"), .version = 1, .created = now, .updated = now } };
	call_read_id(c, "assistant_id", &op->a.id);
	op->do_nothing = call_read_do_nothing(c);
	assistant_read(c, &op->a);
	if (op->a.graph_id.n == 0)
		fields_fail(c->in, "graph_id", ERR_INVALID,
		    "expected a string, got nothing");
	graph_check(c, op->a.graph_id);
	return call_submit(c, STORE_ASSISTANT_CREATE, assistant_created);
}

static int
assistant_updated(struct call *c)
{
	return call_object(c, assistant_members, &c->op.assistant_update.a);
}

int
api_assistant_update(struct call *c)
{
	struct store_assistant_update *op = &c->op.assistant_update;

	*op = (struct store_assistant_update){ .now = shard_wall(c->api->shard) };
	if (!assistant_id_parse(c->api->shared, c->param[0], &op->a.id))
		return ERR_NOTFOUND;
	assistant_read(c, &op->a);
	if (op->a.graph_id.p != NULL)
		graph_check(c, op->a.graph_id);
	return call_submit(c, STORE_ASSISTANT_UPDATE, assistant_updated);
}

/* ---- deleting ------------------------------------------------------------ */

static int
assistant_deleted(struct call *c)
{
	struct buf *b = call_out(c);

	buf_lit(b, "[\"");
	uuid_add(b, &c->op.assistant_delete.id);
	buf_lit(b, "\"]");
	return call_json(c, STR_NONE);
}

/* Without authentication every caller owns it: the store would delete it. */
static bool
is_system(const struct api_shared *sh, const struct uuid *id)
{
	size_t i = 0;

	while (i < sh->graphs_n && !uuid_eq(&sh->graphs[i].assistant, id))
		i++;
	return i < sh->graphs_n;
}

int
api_assistant_delete(struct call *c)
{
	struct store_assistant_delete *op = &c->op.assistant_delete;

	*op = (struct store_assistant_delete){ 0 };
	param_bool(c, "delete_threads", &op->threads);
	if (c->in->rc < 0)
		return c->in->rc;
	if (!assistant_id_parse(c->api->shared, c->param[0], &op->id))
		return ERR_NOTFOUND;
	if (is_system(c->api->shared, &op->id))
		return err_set(&c->err, ERR_DENIED, "the assistant of a graph is the "
		    "system's and cannot be deleted");
	return call_submit(c, STORE_ASSISTANT_DELETE, assistant_deleted);
}

/* ---- what its graph is ---------------------------------------------------- */

static int
graph_of(struct call *c, const struct agent **out)
{
	struct store_assistant a;
	int rc = c->in->rc;

	if (rc == OK)
		rc = api_assistant_find(c, c->param[0], &a);
	if (rc < 0)
		return rc;
	*out = graph_agent(c->api->shared->o.runs, a.graph_id);
	return *out != NULL ? OK : err_set(&c->err, ERR_NOTFOUND,
	    "Graph '%.*s' not found", FMT(param_shown(a.graph_id)));
}

/* How many levels of sub-agents are drawn: none, all, or so many. */
static unsigned
xray_read(struct call *c)
{
	struct str s = param_str(c, "xray");
	int64_t levels = 0;

	if (str_eq_nocase(s, S("true")))
		return LIMIT_AGENT_NESTING;
	if (s.n == 0 || str_eq_nocase(s, S("false")))
		return 0;
	if (!str_to_i64(s, &levels) || levels < 0)
		fields_fail(c->in, "xray", ERR_INVALID, "expected true, false or a number "
		    "of levels, got \"%.*s\"", FMT(param_shown(s)));
	return levels > LIMIT_AGENT_NESTING ? LIMIT_AGENT_NESTING : (unsigned)levels;
}

int
api_assistant_graph(struct call *c)
{
	unsigned levels = xray_read(c);
	const struct agent *a;
	int rc = graph_of(c, &a);

	if (rc == OK)
		rc = agent_add_drawing(call_out(c), a, levels, &c->err);
	return rc < 0 ? rc : call_json(c, STR_NONE);
}

int
api_assistant_schemas(struct call *c)
{
	const struct agent *a;
	int rc = graph_of(c, &a);

	if (rc < 0)
		return rc;
	agent_add_schemas(call_out(c), a);
	return call_json(c, STR_NONE);
}

int
api_assistant_subgraphs(struct call *c)
{
	const struct agent *a;
	bool recurse = false;
	int rc;

	param_bool(c, "recurse", &recurse);
	rc = graph_of(c, &a);
	if (rc == OK)
		rc = agent_add_subgraphs(call_out(c), a, c->param[1], recurse, &c->err);
	return rc < 0 ? rc : call_json(c, STR_NONE);
}

/* ---- the system's own ---------------------------------------------------- */

static void
seed_prepare(struct store_assistant_create *op, const struct graph_id *g,
    struct arena *arena, msec now)
{
	*op = (struct store_assistant_create){
		.cmd = { .op = STORE_ASSISTANT_CREATE, .arena = arena },
		.do_nothing = true, .system = true,
		.a = { .id = g->assistant, .graph_id = g->name, .name = g->name,
		    .config_json = S("{}"), .context_json = S("{}"),
		    .metadata_json = S("{\"created_by\":\"system\"}"),
		    .version = 1, .created = now, .updated = now },
	};
}

int
api_seed(struct api_shared *sh, struct shard *s, msec now, struct err *e)
{
	struct store_assistant_create *ops;
	/* Commands may run together only on the writer: one arena each. */
	struct arena *arenas;
	int rc = OK;

	ops = mem_zero((sh->graphs_n + 1) * sizeof *ops);
	arenas = mem_zero((sh->graphs_n + 1) * sizeof *arenas);
	for (size_t i = 0; i < sh->graphs_n; i++) {
		arenas[i] = ARENA(64 * KB);
		seed_prepare(&ops[i], &sh->graphs[i], &arenas[i], now);
		store_submit(sh->o.store, s, &ops[i].cmd, true);
	}
	for (size_t i = 0; i < sh->graphs_n; i++) {
		while (ops[i].cmd.under_way)
			shard_turn(s);
		if (rc == OK && ops[i].cmd.rc < 0)
			rc = err_set(e, ops[i].cmd.rc, "assistant of graph %.*s: %s",
			    FMT(sh->graphs[i].name), ops[i].cmd.err.text);
		arena_release(&arenas[i]);
	}
	free(arenas);
	free(ops);
	return rc;
}
