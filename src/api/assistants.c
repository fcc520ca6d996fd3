/*
 * assistants.c - a graph with its settings, versioned.
 *
 * Wherever an assistant's id is asked for, a graph's id will do: it stands
 * for the graph's system assistant, made at start.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"


#include "api/params.h"
#include "base/fields.h"
#include "base/mem.h"

/* ---- showing ------------------------------------------------------------- */

void
assistant_add_json(struct buf *b, const struct store_assistant *a, unsigned select)
{
	buf_lit(b, "{");
	if (select & SELECT_ID)
		add_uuid_key(b, "assistant_id", &a->id);
	if (select & SELECT_VERSION)
		json_add_fmt(b, ",'version':%lld", (long long)a->version);
	if (select & SELECT_CONFIG)
		add_json_key(b, "config", a->config_json);
	if (select & SELECT_CONTEXT)
		add_json_key(b, "context", a->context_json);
	if (select & SELECT_CREATED)
		add_time_key(b, "created_at", a->created);
	if (select & SELECT_UPDATED)
		add_time_key(b, "updated_at", a->updated);
	if (select & SELECT_GRAPH)
		add_text_key(b, "graph_id", a->graph_id);
	if (select & SELECT_METADATA)
		add_json_key(b, "metadata", a->metadata_json);
	if (select & SELECT_NAME)
		add_text_key(b, "name", a->name);
	if (select & SELECT_DESCRIPTION)
		add_text_key(b, "description", a->description);
	buf_lit(b, "}");
}

static int
answer_assistant(struct call *c, const struct store_assistant *a)
{
	assistant_add_json(call_out(c), a, SELECT_ALL);
	return call_json(c, c->warning);
}

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
assistant_find(struct call *c, struct str s, struct store_assistant *out)
{
	struct uuid id;

	if (!assistant_id_parse(c->api->shared, s, &id))
		return ERR_NOTFOUND;
	return store_assistant_get(c->api->reader, c->owner, &id, &c->r->arena, out);
}

int
assistant_get(struct call *c)
{
	struct store_assistant a;
	int rc;

	rc = assistant_find(c, c->param[0], &a);
	return rc < 0 ? rc : answer_assistant(c, &a);
}

/* ---- creating and changing ----------------------------------------------- */

/* What every run of it would stumble over. */
static int
check_config(struct call *c, jnode body)
{
	struct fields f, config, part;
	int64_t steps = 0;

	fields_open(&f, body, "body", &c->err);
	fields_object(&f, "config", &config);
	fields_object(&config, "configurable", &part);
	fields_array(&config, "tags", SIZE_MAX, &part);
	fields_int(&config, "recursion_limit", 1, LIMIT_RECURSION_MAX, &steps);
	return f.rc;
}

/* The members that create and update share; absent ones stay as they are. */
static int
read_assistant(struct call *c, jnode body, struct store_assistant *a)
{
	static const struct { const char *name; size_t at; } objects[] = {
		{ "config", offsetof(struct store_assistant, config_json) },
		{ "context", offsetof(struct store_assistant, context_json) },
		{ "metadata", offsetof(struct store_assistant, metadata_json) },
	};
	static const struct { const char *name; size_t at; } texts[] = {
		{ "graph_id", offsetof(struct store_assistant, graph_id) },
		{ "name", offsetof(struct store_assistant, name) },
		{ "description", offsetof(struct store_assistant, description) },
	};
	int rc = OK;

	for (size_t i = 0; rc == OK && i < COUNT(texts); i++) {
		struct str *s = (void *)((char *)a + texts[i].at), found;

		rc = json_get_str(body, texts[i].name, texts[i].name, STR_NONE,
		    LIMIT_METADATA_BYTES, &found, &c->err);
		if (rc == OK && !json_is_null(json_get(body, str_of(texts[i].name))))
			*s = arena_str(&c->r->arena, found);
	}
	for (size_t i = 0; rc == OK && i < COUNT(objects); i++) {
		struct str *s = (void *)((char *)a + objects[i].at);
		jnode n;

		rc = json_get_object(body, objects[i].name, objects[i].name, &n,
		    &c->err);
		if (rc == OK && n != NULL)
			rc = call_text(c, n, objects[i].name, *s,
			    LIMIT_METADATA_BYTES, s);
	}
	if (rc == OK)
		rc = check_config(c, body);
	if (rc == OK)
		call_note_settings(c, json_get(body, S("config")),
		    json_get(body, S("context")));
	if (rc == OK && a->name.n > LIMIT_NAME_BYTES)
		rc = err_set(&c->err, ERR_INVALID, "name: longer than %d bytes",
		    LIMIT_NAME_BYTES);
	return rc;
}

static int
check_graph(struct call *c, struct str graph_id)
{
	const struct api_shared *sh = c->api->shared;
	struct buf names = BUF(KB);
	int rc = OK;

	for (size_t i = 0; i < sh->graphs_n; i++) {
		if (str_eq(sh->graphs[i].name, graph_id))
			goto done;
		buf_add(&names, i > 0 ? S(", ") : STR_NONE);
		buf_add(&names, sh->graphs[i].name);
	}
	rc = err_set(&c->err, ERR_NOTFOUND,
	    "graph_id: Graph '%.*s' not found. Expected one of: %.*s",
	    FMT(shown(graph_id)), FMT(buf_str(&names)));
done:
	buf_release(&names);
	return rc;
}

static int
assistant_created(struct call *c)
{
	return answer_assistant(c, &c->op.assistant_create.a);
}

int
assistant_create(struct call *c)
{
	jnode body = c->in->node;
	struct store_assistant_create *op = &c->op.assistant_create;
	int if_exists = 0, rc;

	*op = (struct store_assistant_create){ .a = { .name = S("Untitled"),
	    .config_json = S("{}"), .context_json = S("{}"),
	    .metadata_json = S("{}") } };
	rc = call_new_id(c, body, "assistant_id", &op->a.id);
	if (rc == OK)
		rc = json_get_enum(body, "if_exists", "if_exists",
		    api_if_exists, 0, &if_exists, &c->err);
	if (rc == OK)
		rc = read_assistant(c, body, &op->a);
	if (rc == OK && op->a.graph_id.n == 0)
		rc = err_set(&c->err, ERR_INVALID,
		    "graph_id: expected a string, got nothing");
	if (rc == OK)
		rc = check_graph(c, op->a.graph_id);
	if (rc < 0)
		return rc;
	op->do_nothing = if_exists == 1;
	op->a.version = 1;
	op->a.created = op->a.updated = shard_wall(c->api->shard);
	return call_submit(c, STORE_ASSISTANT_CREATE, assistant_created);
}

static int
assistant_updated(struct call *c)
{
	return answer_assistant(c, &c->op.assistant_update.a);
}

int
assistant_update(struct call *c)
{
	jnode body = c->in->node;
	struct store_assistant_update *op = &c->op.assistant_update;
	int rc;

	*op = (struct store_assistant_update){ .now = shard_wall(c->api->shard) };
	if (!assistant_id_parse(c->api->shared, c->param[0], &op->a.id))
		return ERR_NOTFOUND;
	rc = read_assistant(c, body, &op->a);
	if (rc == OK && op->a.graph_id.p != NULL)
		rc = check_graph(c, op->a.graph_id);
	return rc < 0 ? rc : call_submit(c, STORE_ASSISTANT_UPDATE, assistant_updated);
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

/* Without authentication every caller owns it, so the store would delete it. */
static bool
is_system(const struct api_shared *sh, const struct uuid *id)
{
	size_t i = 0;

	while (i < sh->graphs_n && !uuid_eq(&sh->graphs[i].assistant, id))
		i++;
	return i < sh->graphs_n;
}

int
assistant_delete(struct call *c)
{
	struct store_assistant_delete *op = &c->op.assistant_delete;
	int rc;

	*op = (struct store_assistant_delete){ 0 };
	rc = param_bool(c->r, "delete_threads", false, &op->threads, &c->err);
	if (rc < 0)
		return rc;
	if (!assistant_id_parse(c->api->shared, c->param[0], &op->id))
		return ERR_NOTFOUND;
	if (is_system(c->api->shared, &op->id))
		return err_set(&c->err, ERR_DENIED, "the assistant of a graph is the "
		    "system's and stays");
	return call_submit(c, STORE_ASSISTANT_DELETE, assistant_deleted);
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
