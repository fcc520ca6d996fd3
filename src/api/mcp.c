/*
 * mcp.c - POST /mcp: assistants as tools of the Model Context Protocol, over streamable
 * HTTP without sessions.
 *
 * A tool is an assistant that the caller may read; a call of it is a run without a
 * thread (door.h), with the arguments as its input.  Each message is a request by
 * itself, so there is nothing to GET or DELETE.
 *
 *   tools/call   answered as JSON; with a progressToken as a stream: notifications of
 *                progress, then the result
 *
 * With a project it is the tracker, which has its own route now (work_mcp.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/door.h"

#include <stdatomic.h>

#include "agent/agent.h"
#include "api/jsonrpc.h"
#include "base/log.h"
#include "base/mem.h"
#include "work/host/mcp.h"

#define PAGE       LIMIT_MCP_TOOLS_PAGE
#define NAME_BYTES LIMIT_MCP_TOOL_NAME_BYTES

/* ---- tools ---------------------------------------------------------------------- */

/* Letters, digits, `_` and `-`; a run of others becomes one `_`. */
static struct str
name_clean(struct arena *a, struct str name)
{
	struct buf b = BUF(NAME_BYTES);
	struct str out;

	for (size_t i = 0; i < name.n && b.n < NAME_BYTES; i++) {
		char ch = name.p[i];
		bool fine = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
		    (ch >= '0' && ch <= '9') || ch == '_' || ch == '-';

		if (fine)
			buf_add_char(&b, ch);
		else if (b.n == 0 || b.p[b.n - 1] != '_')
			buf_add_char(&b, '_');
	}
	out = arena_str(a, b.n == 0 ? S("_") : buf_str(&b));
	buf_release(&b);
	return out;
}

struct mcp_tool {
	const struct store_assistant *a;
	struct str name;
	bool own;                            /* its graph's own assistant */
};

/* Among tools of one name the graph's own assistant comes first, then the oldest. */
static int
by_name(const void *pa, const void *pb)
{
	const struct mcp_tool *a = pa, *b = pb;
	int order = str_cmp(a->name, b->name);

	if (order != 0)
		return order;
	if (a->own != b->own)
		return a->own ? -1 : 1;
	if (a->a->created != b->a->created)
		return a->a->created < b->a->created ? -1 : 1;
	return memcmp(a->a->id.b, b->a->id.b, sizeof a->a->id.b);
}

/* The name of any other assistant ends with its id. */
static struct str
name_with_id(struct arena *a, const struct mcp_tool *t)
{
	char id[UUID_TEXT];

	uuid_format(&t->a->id, id);
	return arena_fmt(a, "%.*s_%.*s", FMT(str_sub(t->name, 0, NAME_BYTES - UUID_TEXT - 1)),
	    UUID_TEXT, id);
}

/* The assistants that were found and that the caller may read, by name; NULL: too many. */
static struct mcp_tool *
tools_of(struct call *c, size_t *n)
{
	const struct store_assistant_search *op = &c->op.assistant_search;
	struct arena *a = &c->r->arena;
	struct mcp_tool *at = arena_zero(a, (op->found_n + 1) * sizeof *at);
	struct str before = STR_NONE;

	*n = 0;
	for (size_t i = 0; at != NULL && i < op->found_n; i++) {
		const struct store_assistant *found = &op->found[i];
		struct uuid own = runs_assistant_id(found->graph_id);

		if (runs_agent(c->api->runs, found->graph_id) == NULL ||
		    call_may(c, ASSISTANTS_READ, found->metadata_json) != OK)
			continue;
		at[*n].own = uuid_eq(&own, &found->id);
		at[*n].name = name_clean(a, at[*n].own ? found->graph_id : found->name);
		at[(*n)++].a = found;
	}
	c->err = (struct err){ 0 };
	if (*n > 0)
		qsort(at, *n, sizeof *at, by_name);
	for (size_t i = 0; i < *n; i++) {
		struct str name = at[i].name;

		if (i > 0 && str_eq(name, before))
			at[i].name = name_with_id(a, &at[i]);
		before = name;
	}
	return a->failed ? NULL : at;
}

/* ---- tools/list ------------------------------------------------------------------ */

static void
add_tool(struct call *c, struct buf *b, const struct mcp_tool *t)
{
	json_add_fmt(b, ",{'name':%.*s,'title':%.*s", FMT(t->name), FMT(t->a->name));
	if (t->a->description.n > 0)
		json_add_fmt(b, ",'description':%.*s", FMT(t->a->description));
	else
		json_add_fmt(b, ",'description':\"Runs the assistant %-.*s once.\"",
		    FMT(t->name));
	json_add_key(b, "inputSchema");
	agent_add_tool_schema(b, runs_agent(c->api->runs, t->a->graph_id));
	buf_add_char(b, '}');
}

static int
listed(struct call *c)
{
	size_t n, from = (size_t)c->page;
	struct mcp_tool *tools;
	struct buf *b;

	if (!call_has_room(c))
		return OK;
	tools = tools_of(c, &n);
	if (tools == NULL)
		return err_set(&c->err, ERR_TOOBIG, "there are too many assistants");
	b = call_out(c);
	jsonrpc_add_head(b, c->request_id);
	json_add_fmt(b, ",'result':{'tools':[");
	for (size_t i = from; i < n && i < from + PAGE; i++)
		add_tool(c, b, &tools[i]);
	buf_add_char(b, ']');
	if (from + PAGE < n)
		json_add_fmt(b, ",'nextCursor':\"%zu\"", from + PAGE);
	buf_lit(b, "}}");
	return call_json(c, STR_NONE);
}

static int
do_list(struct call *c, const struct jsonrpc *q)
{
	jnode cursor = json_get(q->params, S("cursor"));
	struct str text = json_str(cursor);
	int64_t from = 0;

	if (cursor != NULL && (!str_to_i64(text, &from) || from < 0 || from % PAGE != 0 ||
	    from > LIMIT_PAGE_ROWS))
		return jsonrpc_refuse(c, JSONRPC_PARAMS, "cursor: expected the nextCursor of "
		    "an answer to tools/list");
	c->page = from;
	return door_list(c, listed);
}

/* ---- tools/call: what the run tells ------------------------------------------------- */

struct tool_run {
	bool streams;
	struct buf id, token;                /* JSON */
	struct buf text;                     /* raw */
	int64_t progress;
	msec told;                           /* when, the last time */
};

static void
tool_free(void *ctx)
{
	struct tool_run *x = ctx;

	buf_release(&x->id);
	buf_release(&x->token);
	buf_release(&x->text);
	free(x);
}

static void
send_message(struct door *d, struct buf *b)
{
	const struct str parts[] = { S("event: message\ndata: "), buf_str(b), S("\n\n") };

	door_send_parts(d, parts, COUNT(parts));
}

/* Progress counts up; its total is not known. */
static void
send_progress(struct door *d, struct tool_run *x)
{
	struct buf b = BUF(4 * KB);

	x->told = shard_wall(door_shard(d));
	json_add_fmt(&b, "{'jsonrpc':'2.0','method':'notifications/progress','params':{"
	    "'progressToken':%-.*s,'progress':%lld}}", FMT(buf_str(&x->token)),
	    (long long)++x->progress);
	send_message(d, &b);
	buf_release(&b);
}

static void
tool_started(struct door *d, void *ctx)
{
	struct tool_run *x = ctx;

	if (!x->streams)
		return;
	door_stream(d, STR_NONE);
	send_progress(d, x);
}

static void
tool_message(struct door *d, void *ctx, struct str id)
{
	struct tool_run *x = ctx;

	(void)id;
	if (x->streams)
		send_progress(d, x);
}

static void
tool_text(struct door *d, void *ctx, struct str raw)
{
	struct tool_run *x = ctx;

	buf_add(&x->text, door_joint(d));
	buf_add(&x->text, raw);
	if (x->streams && shard_wall(door_shard(d)) >= x->told + 1000)
		send_progress(d, x);
}

/* text: raw.  values: JSON, or empty. */
static void
add_result(struct buf *b, struct str id, struct str text, struct str values, bool error)
{
	jsonrpc_add_head(b, id);
	json_add_fmt(b, ",'result':{'content':[{'type':'text','text':\"%-.*s\"}],"
	    "'isError':%hhd", FMT(text), error);
	if (values.n > 0 && values.p[0] == '{')
		json_add_fmt(b, ",'structuredContent':%-.*s", FMT(values));
	buf_lit(b, "}}");
}

static void
add_words(struct buf *b, struct str id, struct str words)
{
	struct buf raw = BUF(2 * (size_t)LIMIT_STATE_BYTES);

	json_add_escaped(&raw, words);
	add_result(b, id, buf_str(&raw), STR_NONE, true);
	buf_release(&raw);
}

/* A tool's run has no thread, so its questions cannot be answered. */
static void
add_questions(struct buf *b, struct str id, struct str interrupts)
{
	struct buf text = BUF(LIMIT_STATE_BYTES);

	door_add_questions(&text, interrupts);
	buf_lit(&text, "\n\n(The assistant waits for an answer, which a tool cannot get: "
	    "run it on a thread.)");
	add_words(b, id, buf_str(&text));
	buf_release(&text);
}

static void
add_ended(struct buf *b, struct tool_run *x, const struct run_end *end)
{
	struct arena a = ARENA(LIMIT_STATE_BYTES);
	struct door_failure f = { S("cancelled"), S("the run was cancelled") };
	struct buf raw = BUF(2 * (size_t)LIMIT_STATE_BYTES);

	if (end->error_json.n > 0)
		f = door_failure(&a, end->error_json);
	if (end->interrupts_json.n > 0 && end->status == RUN_INTERRUPTED) {
		add_questions(b, buf_str(&x->id), end->interrupts_json);
	} else if (end->status != RUN_SUCCESS) {
		add_words(b, buf_str(&x->id), arena_fmt(&a, "%.*s: %.*s", FMT(f.name),
		    FMT(f.message)));
	} else {
		/* An agent without messages answers with its values. */
		if (x->text.n == 0)
			json_add_escaped(&raw, end->values_json);
		add_result(b, buf_str(&x->id), buf_str(x->text.n > 0 ? &x->text : &raw),
		    end->values_json, false);
		b->failed |= x->text.failed | raw.failed;
	}
	buf_release(&raw);
	arena_release(&a);
}

/* A wrong argument is a result with isError, so that the model reads why. */
static void
tool_end(struct door *d, void *ctx, int rc, const struct run_end *end, const struct err *e)
{
	struct call *c = door_call(d);
	struct tool_run *x = ctx;
	struct buf b = BUF(2 * (size_t)LIMIT_STATE_BYTES);

	if (rc < 0 && rc != ERR_INVALID && c != NULL) {
		call_fail(c, rc, e);
		return;
	}
	if (rc < 0)
		add_words(&b, buf_str(&x->id), str_of(e->text));
	else
		add_ended(&b, x, end);
	if (b.failed) {
		buf_release(&b);
		b = BUF(4 * KB);
		add_words(&b, buf_str(&x->id), S("The answer is too large."));
	}
	if (c != NULL) {
		call_reply(c, 200, S("application/json"), STR_NONE, buf_str(&b));
	} else {
		send_message(d, &b);
		door_end_stream(d);
	}
	buf_release(&b);
}

/* ---- tools/call: what is asked ------------------------------------------------------- */

/* A run ignores unknown members of its input, but a model should learn that it misspelt
 * an argument. */
static int
check_argument(struct call *c, const struct agent *agent, struct str name)
{
	int at = agent_channel_find(agent, name);
	struct buf known = BUF(KB);
	int rc = OK;

	if (agent->hosted != NULL)
		return OK;                   /* the graph's own code decides */
	for (size_t i = 0; i < agent->channels_n; i++)
		if (agent->channels[i].input && !agent->channels[i].private)
			buf_add_fmt(&known, "%.*s, ", FMT(agent->channels[i].name));
	if (at < 0 || !agent->channels[at].input || agent->channels[at].private)
		rc = err_set(&c->err, ERR_INVALID, "%.*s: there is no such argument; expected "
		    "some of %.*scontext", FMT(param_shown(name)), FMT(buf_str(&known)));
	buf_release(&known);
	return rc;
}

/* The input is the arguments without `context`, which is the run's context unless the
 * agent has a channel of that name. */
static int
read_arguments(struct call *c, jnode args, const struct agent *agent,
    struct json_doc *input, struct door_ask *ask)
{
	struct json_iter it = json_each(args);
	struct buf b = BUF(2 * (size_t)LIMIT_HTTP_BODY_BYTES);
	bool apart = agent->hosted != NULL ? !val_has(val_get(agent->hosted->
	    schemas[SCHEMA_INPUT], S("properties")), S("context")) :
	    agent_channel_find(agent, S("context")) < 0;
	int rc = OK;

	buf_add_char(&b, '{');
	while (rc == OK && json_next(&it)) {
		if (apart && str_eq(json_str(it.key), S("context"))) {
			ask->context = it.value;
			continue;
		}
		rc = check_argument(c, agent, json_str(it.key));
		json_add_fmt(&b, ",%.*s:%p", FMT(json_str(it.key)), (void *)it.value);
	}
	buf_add_char(&b, '}');
	if (rc == OK)
		rc = b.failed ? ERR_TOOBIG : json_parse(input, buf_str(&b), &c->err);
	buf_release(&b);
	ask->input = input->root;
	if (rc == OK && ask->context != NULL && !json_is_object(ask->context))
		rc = err_set(&c->err, ERR_INVALID, "context: expected an object, got %s",
		    json_kind(ask->context));
	return rc;
}

static struct tool_run *
tool_new(struct call *c, jnode token)
{
	struct tool_run *x = mem_new(struct tool_run);

	x->id = x->token = BUF(LIMIT_JSONRPC_ID_BYTES);
	x->text = BUF(LIMIT_STATE_BYTES);
	buf_add(&x->id, c->request_id);
	x->streams = json_is_string(token) || json_is_int(token);
	json_add_node(&x->token, token);
	return x;
}

static int
tool_start(struct call *c, const struct jsonrpc *q, const struct store_assistant *a)
{
	static const struct door_events events = { .started = tool_started,
	    .message = tool_message, .text = tool_text, .end = tool_end,
	    .release = tool_free };
	struct tool_run *x = tool_new(c, json_get(json_get(q->params, S("_meta")),
	    S("progressToken")));
	struct door_ask ask = { .assistant = *a, .wants_values = true };
	const struct agent *agent = runs_agent(c->api->runs, a->graph_id);
	struct json_doc input = { 0 };
	int rc = OK;

	if (x->token.failed)
		rc = err_set(&c->err, ERR_INVALID, "_meta.progressToken: too long");
	if (rc == OK)
		rc = read_arguments(c, json_get(q->params, S("arguments")), agent, &input,
		    &ask);
	if (rc == OK)
		rc = door_start(c, &ask, &events, x);
	if (rc == ERR_INVALID) {
		add_words(call_out(c), c->request_id, str_of(c->err.text));
		rc = call_json(c, STR_NONE);
		tool_free(x);
		x = NULL;
	}
	if (rc != OK && x != NULL)
		tool_free(x);
	json_release(&input);
	return rc;
}

static int
no_tool(struct call *c, struct str name)
{
	return jsonrpc_refuse(c, JSONRPC_PARAMS, "there is no tool \"%.*s\"",
	    FMT(param_shown(name)));
}

/* The assistants were looked up; the body is read again. */
static int
called(struct call *c)
{
	struct mcp_tool *tools;
	struct jsonrpc q;
	struct str name;
	size_t n, i;
	int rc;

	tools = tools_of(c, &n);
	if (tools == NULL)
		return err_set(&c->err, ERR_TOOBIG, "there are too many assistants");
	rc = jsonrpc_read(c, &q);
	name = json_str(json_get(q.params, S("name")));
	for (i = 0; i < n && !str_eq(tools[i].name, name); i++)
		;
	if (rc == OK)
		rc = i < n ? tool_start(c, &q, tools[i].a) : no_tool(c, name);
	jsonrpc_release(&q);
	return rc;
}

static int
do_call(struct call *c, const struct jsonrpc *q)
{
	jnode name = json_get(q->params, S("name")), args = json_get(q->params,
	    S("arguments"));
	struct store_assistant own;

	if (!json_is_string(name) || (args != NULL && !json_is_object(args)))
		return jsonrpc_refuse(c, JSONRPC_PARAMS, json_is_string(name) ?
		    "arguments: expected an object" : "name: expected a string");
	if (runs_agent(c->api->runs, json_str(name)) == NULL)
		return door_list(c, called);
	/* A graph's own assistant goes by the graph's id. */
	if (api_assistant_find(c, json_str(name), &own) != OK)
		return no_tool(c, json_str(name));
	return tool_start(c, q, &own);
}

/* ---- other methods ------------------------------------------------------------------ */

static int
answer(struct call *c, struct str result)
{
	struct buf *b = call_out(c);

	jsonrpc_add_head(b, c->request_id);
	json_add_fmt(b, ",'result':%-.*s}", FMT(result));
	return call_json(c, STR_NONE);
}

static int
do_initialize(struct call *c, const struct jsonrpc *q)
{
	struct str asked = json_str(json_get(q->params, S("protocolVersion")));

	if (asked.n == 0)
		return jsonrpc_refuse(c, JSONRPC_PARAMS, "protocolVersion: expected a string");
	return answer(c, arena_fmt(&c->r->arena, "{\"protocolVersion\":\"%.*s\","
	    "\"capabilities\":{\"tools\":{}},\"serverInfo\":{\"name\":\"cohort\","
	    "\"title\":\"Cohort\",\"version\":\"" COHORT_VERSION "\"},"
	    "\"instructions\":\"Each tool runs an assistant once, without a memory of the "
	    "calls before.\"}", FMT(mcp_version_offered(asked))));
}

static int
do_ping(struct call *c, const struct jsonrpc *q)
{
	(void)q;
	return answer(c, S("{}"));
}

static int
do_prompts(struct call *c, const struct jsonrpc *q)
{
	(void)q;
	return answer(c, S("{\"prompts\":[]}"));
}

static int
do_resources(struct call *c, const struct jsonrpc *q)
{
	(void)q;
	return answer(c, S("{\"resources\":[]}"));
}

static const struct {
	struct str name;
	int (*run)(struct call *c, const struct jsonrpc *q);
} methods[] = {
	{ S("initialize"), do_initialize },
	{ S("ping"), do_ping },
	{ S("tools/list"), do_list },
	{ S("tools/call"), do_call },
	{ S("prompts/list"), do_prompts },
	{ S("resources/list"), do_resources },
};

static int
run_method(struct call *c, const struct jsonrpc *q)
{
	for (size_t i = 0; i < COUNT(methods); i++)
		if (str_eq(methods[i].name, q->method))
			return methods[i].run(c, q);
	return jsonrpc_refuse(c, JSONRPC_METHOD, "there is no method \"%.*s\"",
	    FMT(param_shown(q->method)));
}

/* ---- requests ------------------------------------------------------------------------ */

static int
check_head(struct call *c)
{
	struct str accept = http_header(c->r, S("accept"));

	if (!str_contains_nocase(accept, S("application/json")) ||
	    !str_contains_nocase(accept, S("text/event-stream")))
		return err_set(&c->err, ERR_SYNTAX, "Accept: expected application/json and "
		    "text/event-stream, got \"%.*s\"", FMT(str_cut(accept, 64)));
	return api_mcp_version(c);
}

/* Until the next release. */
static int
tracker(struct call *c)
{
	static atomic_bool told;

	if (!atomic_exchange(&told, true))
		log_warn("api", "deprecated", "route=/mcp?project= use=/work/mcp");
	c->lines = S("deprecation: true\r\nlink: </work/mcp>; rel=\"successor-version\"\r\n");
	return api_work_mcp(c);
}

int
api_mcp(struct call *c)
{
	struct jsonrpc q;
	int rc;

	if (param_str(c, "project").p != NULL || http_header(c->r, S("x-project")).n > 0)
		return tracker(c);
	rc = check_head(c);
	if (rc < 0)
		return rc;
	rc = jsonrpc_read(c, &q);
	if (rc < 0)
		rc = jsonrpc_refuse(c, rc, "%s", c->err.text);
	else if (q.silent)
		call_empty(c, 202);
	else
		rc = run_method(c, &q);
	jsonrpc_release(&q);
	return rc;
}
