/*
 * assistants.c - a graph with its settings, versioned.
 *
 * A graph's id is accepted wherever an assistant's id is: it names the graph's
 * system assistant, which is created at start.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"

#include <assert.h>

#include "agent/agent.h"
#include "base/log.h"
#include "base/mem.h"

#define VERSIONS_DEFAULT 10

/* ---- finding ------------------------------------------------------------- */

bool
api_assistant_id(const struct api *api, struct str s, struct uuid *id)
{
	if (uuid_parse(s, id))
		return true;
	if (runs_agent(api->runs, s) == NULL)
		return false;
	*id = runs_assistant_id(s);
	return true;
}

int
api_assistant_load(struct call *c, struct str s, struct store_assistant *out)
{
	struct uuid id;

	if (!api_assistant_id(c->api, s, &id))
		return ERR_NOTFOUND;
	return store_assistant_get(c->api->reader, c->owner, &id, &c->r->arena, out);
}

int
api_assistant_find(struct call *c, struct str s, struct store_assistant *out)
{
	int rc = api_assistant_load(c, s, out);

	return rc == OK ? call_may(c, ASSISTANTS_READ, out->metadata_json) : rc;
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
config_check(struct fields *config)
{
	struct fields part;
	int64_t steps = 0;

	fields_object(config, "configurable", &part);
	fields_array(config, "tags", SIZE_MAX, &part);
	fields_int(config, "recursion_limit", 1, LIMIT_RECURSION_MAX, &steps);
}

static void
config_read(struct call *c, struct str graph_id)
{
	struct fields config;

	fields_object(c->in, "config", &config);
	config_check(&config);
	call_note_settings(c, runs_agent(c->api->runs, graph_id), config.node,
	    json_get(c->in->node, S("context")));
}

static void
graph_check(struct call *c, struct str graph_id)
{
	const struct agents *set = runs_agents(c->api->runs);
	struct buf names = BUF(KB);

	for (size_t i = 0; i < agents_count(set); i++)
		buf_add_fmt(&names, "%s%.*s", i > 0 ? ", " : "",
		    FMT(agents_at(set, i)->id));
	if (agents_find(set, graph_id) == NULL)
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
	config_read(c, a->graph_id);
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

int
api_assistant_again(struct call *c)
{
	struct store_assistant a;
	int rc = store_assistant_get(c->api->reader, c->owner, &c->once.id, &c->r->arena, &a);

	return rc < 0 ? rc : call_object(c, assistant_members, &a);
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
	if (!api_assistant_id(c->api, c->param[0], &op->a.id))
		return ERR_NOTFOUND;
	assistant_read(c, &op->a);
	if (op->a.graph_id.p != NULL)
		graph_check(c, op->a.graph_id);
	return call_submit(c, STORE_ASSISTANT_UPDATE, assistant_updated);
}

/* ---- versions ------------------------------------------------------------ */

static int
versions_found(struct call *c)
{
	const struct store_assistant_versions *op = &c->op.assistant_versions;
	int64_t next = op->offset + (int64_t)op->found_n;

	c->select = MEMBERS_ALL;
	return call_list(c, version_members, op->found, sizeof *op->found, op->found_n,
	    op->more ? call_next_line(c, next) : STR_NONE);
}

int
api_assistant_versions(struct call *c)
{
	struct store_assistant_versions *op = &c->op.assistant_versions;

	*op = (struct store_assistant_versions){ .limit = VERSIONS_DEFAULT };
	call_read_object(c, "metadata", LIMIT_FILTER_BYTES, &op->metadata_json);
	fields_int(c->in, "limit", 1, LIMIT_PAGE_ROWS, &op->limit);
	fields_int(c->in, "offset", 0, INT32_MAX, &op->offset);
	if (!api_assistant_id(c->api, c->param[0], &op->id))
		return ERR_NOTFOUND;
	return call_submit(c, STORE_ASSISTANT_VERSIONS, versions_found);
}

static int
latest_set(struct call *c)
{
	return call_object(c, assistant_members, &c->op.assistant_latest.a);
}

int
api_assistant_latest(struct call *c)
{
	struct store_assistant_latest *op = &c->op.assistant_latest;

	*op = (struct store_assistant_latest){ .now = shard_wall(c->api->shard) };
	fields_int(c->in, "version", 1, INT64_MAX, &op->version);
	if (op->version == 0)
		fields_fail(c->in, "version", ERR_INVALID, "expected a number, got nothing");
	if (!api_assistant_id(c->api, c->param[0], &op->id))
		return ERR_NOTFOUND;
	return call_submit(c, STORE_ASSISTANT_LATEST, latest_set);
}

/* ---- deleting ------------------------------------------------------------ */

#define DELETE_TRIES 16

/* A request, in its arena. */
struct deletion {
	struct call *c;
	struct uuid id;
	bool threads;
	unsigned tries;
};

static int assistant_deleted(struct call *c);

static int
delete_submit(struct deletion *d)
{
	d->c->op.assistant_delete = (struct store_assistant_delete){ .id = d->id,
	    .threads = d->threads, .ctx = d };
	return call_submit(d->c, STORE_ASSISTANT_DELETE, assistant_deleted);
}

/* Other runs may have begun meanwhile: the store looks again. */
static int
runs_ended(void *ctx, int rc)
{
	struct deletion *d = ctx;

	return rc < 0 && rc != ERR_NOTFOUND ? rc : delete_submit(d);
}

static int
assistant_deleted(struct call *c)
{
	const struct store_assistant_delete *op = &c->op.assistant_delete;
	struct deletion *d = op->ctx;
	struct buf *b;

	for (size_t i = 0; i < op->gone_n; i++)
		runs_thread_deleted(c->api->runs, &op->gone[i]);
	if (op->busy && d->tries++ == DELETE_TRIES)
		return err_set(&c->err, ERR_BUSY, "runs of the assistant begin faster than "
		    "they are ended; try again");
	if (op->busy)
		return api_runs_end(c, &d->id, S("assistant deleted"), runs_ended, d);
	if (op->more)
		return delete_submit(d);
	b = call_out(c);
	buf_lit(b, "[\"");
	uuid_add(b, &d->id);
	buf_lit(b, "\"]");
	return call_json(c, STR_NONE);
}

/* Without authentication callers own the system's assistants too, so the store would delete
 * one. */
static bool
is_system(const struct api *api, const struct uuid *id)
{
	const struct agents *set = runs_agents(api->runs);

	for (size_t i = 0; i < agents_count(set); i++) {
		struct uuid own = runs_assistant_id(agents_at(set, i)->id);

		if (uuid_eq(&own, id))
			return true;
	}
	return false;
}

int
api_assistant_delete(struct call *c)
{
	struct deletion *d = arena_new(&c->r->arena, struct deletion);

	assert(d != NULL);
	d->c = c;
	param_bool(c, "delete_threads", &d->threads);
	if (c->in->rc < 0)
		return c->in->rc;
	if (!api_assistant_id(c->api, c->param[0], &d->id))
		return ERR_NOTFOUND;
	if (is_system(c->api, &d->id))
		return err_set(&c->err, ERR_DENIED, "the assistant of a graph is the "
		    "system's and cannot be deleted");
	return delete_submit(d);
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
	*out = runs_agent(c->api->runs, a.graph_id);
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
api_assistant_drawing(struct call *c)
{
	const struct agent *a;
	int rc = graph_of(c, &a);

	if (rc == OK)
		rc = agent_add_picture(call_out(c), a, &c->err);
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

/* Assistants on their way into the store. */
struct api_seeding {
	struct seed {
		struct store_assistant_create c;
		struct arena arena;          /* of its own: only the writer runs
		                                commands one after another */
		struct api_seeding *all;
	} *at;
	size_t n, left;
	struct agents *agents;               /* held: their names */
	int rc;
	struct err err;
	void (*done)(void *ctx, int rc, const struct err *e);
	void *ctx;
};

static void
seed_end(struct api_seeding *x)
{
	for (size_t i = 0; i < x->n; i++)
		arena_release(&x->at[i].arena);
	agents_free(x->agents);
	x->done(x->ctx, x->rc, &x->err);
	free(x->at);
	free(x);
}

static void
seed_came(struct store_cmd *cmd)
{
	struct seed *s = CONTAINER_OF(cmd, struct seed, c.cmd);
	struct api_seeding *x = s->all;

	if (cmd->rc < 0 && x->rc == OK)
		x->rc = err_set(&x->err, cmd->rc, "assistant of graph %.*s: %s",
		    FMT(s->c.a.graph_id), cmd->err.text);
	if (--x->left == 0)
		seed_end(x);
}

static int
defaults_check(jnode config, struct str graph, struct err *e)
{
	struct fields f, part;
	struct err why = { 0 };

	if (!json_is_object(config))
		return err_set(e, ERR_INVALID, "assistants.config.%.*s: expected an object, got "
		    "%s", FMT(str_cut(graph, 100)), json_kind(config));
	fields_open(&f, config, "", &why);
	config_check(&f);
	fields_object(&f, "context", &part);
	fields_object(&f, "metadata", &part);
	return fields_end(&f) == OK ? OK : err_set(e, ERR_INVALID, "assistants.config.%.*s.%s",
	    FMT(str_cut(graph, 100)), why.text);
}

/* {"GRAPH": {"configurable": {}, ..., "context": {}}} */
int
assistants_check(struct str json, struct err *e)
{
	struct json_doc doc = { 0 };
	struct json_iter it;
	struct err why;
	int rc = json.n == 0 ? OK : json_parse(&doc, json, &why);

	if (rc != OK)
		return err_set(e, ERR_INVALID, "assistants.config: %s", why.text);
	if (json.n > 0 && !json_is_object(doc.root))
		rc = err_set(e, ERR_INVALID, "assistants.config: expected an object of graphs, "
		    "as in {\"agent\":{\"configurable\":{}}}, got %s", json_kind(doc.root));
	it = json_each(doc.root);
	while (rc == OK && json_next(&it))
		rc = defaults_check(it.value, json_str(it.key), e);
	json_release(&doc);
	return rc;
}

/* Takes the operator's defaults: a config, with the context inside. */
static void
seed_config(struct seed *s, struct str json)
{
	struct store_assistant *a = &s->c.a;
	struct buf b = BUF(SIZE_MAX / 2);
	struct json_doc doc = { 0 };
	struct err why;
	struct json_iter it;

	if (json.n == 0 || json_parse(&doc, json, &why) != OK)
		return;
	it = json_each(json_get(doc.root, a->graph_id));
	buf_add_char(&b, '{');
	while (json_next(&it)) {
		if (str_eq(json_str(it.key), S("context")))
			continue;
		json_add_fmt(&b, ",%.*s:%p", FMT(json_str(it.key)), (void *)it.value);
	}
	buf_add_char(&b, '}');
	a->config_json = arena_str(&s->arena, buf_str(&b));
	buf_clear(&b);
	json_add_node(&b, json_get(json_get(doc.root, a->graph_id), S("context")));
	if (b.n > 0 && b.p[0] == '{')
		a->context_json = arena_str(&s->arena, buf_str(&b));
	buf_release(&b);
	json_release(&doc);
}

static void
seed_prepare(struct seed *s, const struct agent *agent, struct str config, msec now)
{
	struct str graph_id = agent->id;

	s->arena = ARENA(MB);
	s->c = (struct store_assistant_create){
		.cmd = { .op = STORE_ASSISTANT_CREATE, .arena = &s->arena,
		    .done = seed_came },
		.do_nothing = true, .system = true,
		.a = { .id = runs_assistant_id(graph_id), .graph_id = graph_id,
		    .name = graph_id, .config_json = S("{}"), .context_json = S("{}"),
		    .metadata_json = S("{\"created_by\":\"system\"}"),
		    .description = agent->description,
		    .version = 1, .created = now, .updated = now },
	};
	seed_config(s, config);
}

void
api_seed_begin(struct api_shared *sh, struct shard *s, struct agents *agents,
    const struct agents *before, msec now,
    void (*done)(void *ctx, int rc, const struct err *e), void *ctx)
{
	struct api_seeding *x = mem_new(struct api_seeding);

	x->at = mem_zero((agents_count(agents) + 1) * sizeof *x->at);
	x->agents = agents_hold(agents);
	x->done = done;
	x->ctx = ctx;
	for (size_t i = 0; i < agents_count(agents); i++) {
		const struct agent *a = agents_at(agents, i);

		if (before != NULL && agents_find(before, a->id) != NULL)
			continue;
		x->at[x->n].all = x;
		seed_prepare(&x->at[x->n++], a, sh->o.assistants, now);
	}
	x->left = x->n;
	/* Forced: each comes back, in a later turn; the last one frees x. */
	for (size_t i = 0, n = x->n; i < n; i++)
		store_submit(sh->o.store, s, &x->at[i].c.cmd, true);
	if (x->n == 0)
		seed_end(x);
}

struct seeded { bool done; int rc; struct err *e; };

static void
seeded(void *ctx, int rc, const struct err *e)
{
	struct seeded *x = ctx;

	x->done = true;
	x->rc = rc;
	if (rc < 0)
		*x->e = *e;
}

/* A folder may bring the agent later, so this is no error. */
static void
warn_unknown(const struct agents *agents, struct str json)
{
	struct json_doc doc = { 0 };
	struct err why;
	struct json_iter it;

	if (json.n == 0 || json_parse(&doc, json, &why) != OK)
		return;
	it = json_each(doc.root);
	while (json_next(&it))
		if (agents_find(agents, json_str(it.key)) == NULL)
			log_warn("api", "config_without_agent",
			    "setting=assistants.config agent=%.*s",
			    FMT(str_cut(json_str(it.key), 100)));
	json_release(&doc);
}

int
api_seed(struct api_shared *sh, struct shard *s, struct agents *agents, msec now,
    struct err *e)
{
	struct seeded x = { .e = e };

	warn_unknown(agents, sh->o.assistants);
	api_seed_begin(sh, s, agents, NULL, now, seeded, &x);
	while (!x.done)
		shard_turn(s);
	return x.rc;
}
