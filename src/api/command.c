/*
 * command.c - the life of a command, and the table of methods.
 *
 *   frame -> id, method, params -> who may -> position of the thread -> method -> answer
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/command_priv.h"

#include <assert.h>
#include <stdarg.h>

#include "base/mem.h"
#include "base/scan.h"

#define ID_MAX ((int64_t)1 << 53)            /* numbers that every client can tell apart */

static const char *const codes[] = {
#define X(name, text) text,
	COMMAND_CODE_MAP(X)
#undef X
};

/* ---- methods ------------------------------------------------------------------- */

#define THREAD "/threads/{thread_id}"

const struct command_method command_methods[] = {
	{ "run.start", { "POST", THREAD "/runs", THREADS_CREATE_RUN }, command_run_start,
	  "assistant_id*, input, config, metadata, multitask_strategy (or multitaskStrategy), "
	  "langsmith_tracer (project_name, example_id)", "run_id" },
	{ "input.respond", { "POST", THREAD "/runs", THREADS_CREATE_RUN },
	  command_input_respond, "interrupt_id* and response*, or responses* (an array of "
	  "them); namespace, update, goto, config, metadata, strict_resume", "nothing" },
	{ "input.inject", { "POST", THREAD "/runs/{run_id}/inject", THREADS_UPDATE },
	  command_input_inject, "message* (role user or system), namespace", "nothing" },
	{ "state.get", { "GET", THREAD "/state", THREADS_READ }, command_state_get,
	  "namespace, keys", "values, checkpoint (id, ns)" },
	{ "state.listCheckpoints", { "POST", THREAD "/history", THREADS_READ },
	  command_list_checkpoints, "namespace, limit, before", "checkpoints: id, timestamp, "
	  "step, metadata" },
	{ "state.fork", { "POST", THREAD "/runs", THREADS_CREATE_RUN }, command_state_fork,
	  "checkpoint_id*, input, config", "run_id, thread_id" },
	{ "agent.getTree", { "GET", THREAD "/stream", THREADS_READ }, command_get_tree,
	  "run_id", "tree: namespace, status, graph_name, children" },
	{ "subscription.subscribe", { "GET", THREAD "/stream", THREADS_READ },
	  command_subscribe, "channels*, namespaces, depth, since", "subscription_id, "
	  "replayed_events; over HTTP not_supported" },
	{ "subscription.unsubscribe", { "GET", THREAD "/stream", THREADS_READ },
	  command_unsubscribe, "subscription_id*", "nothing; over HTTP not_supported" },
	{ "subscription.reconnect", { "GET", THREAD "/stream", THREADS_READ },
	  command_reconnect, NULL, "not_supported" },
};
const size_t command_methods_n = COUNT(command_methods);

static const struct command_method *
method_find(struct str name)
{
	for (size_t i = 0; i < COUNT(command_methods); i++)
		if (str_eq(str_of(command_methods[i].name), name))
			return &command_methods[i];
	return NULL;
}

void
api_add_commands_markdown(struct buf *b)
{
	buf_lit(b, "| method | params | result | needs, as |\n|---|---|---|---|\n");
	for (size_t i = 0; i < COUNT(command_methods); i++) {
		const struct command_method *m = &command_methods[i];

		buf_add_fmt(b, "| `%s` | %s | %s | `%s`, `%s %s` |\n", m->name,
		    m->params != NULL ? m->params : "", m->result,
		    access_name(m->route.access), m->route.method, m->route.path);
	}
}

/* ---- who commands ---------------------------------------------------------------- */

/* In as little memory as they need: there are as many as sockets. */
static void
keep_request(struct commander *by, const struct http_req *r)
{
	struct http_header *headers;
	size_t size = r->method.n + r->path.n + r->peer.n +
	    (r->cert != NULL ? SHA256_SIZE : 0);
	char *to;

	for (size_t i = 0; i < r->headers_n; i++)
		size += r->headers[i].name.n + r->headers[i].value.n;
	by->kept = headers = mem_alloc(r->headers_n * sizeof *headers + size + 1);
	to = (char *)(headers + r->headers_n);
	by->r = (struct http_req){ .method = str_put(&to, r->method), .shard = r->shard,
	    .started = r->started, .headers = headers, .headers_n = r->headers_n };
	by->r.path = str_put(&to, r->path);
	by->r.peer = str_put(&to, r->peer);
	by->r.secure = r->secure;
	if (r->cert != NULL)
		by->r.cert = (const uint8_t *)str_put(&to, (struct str){ (const char *)r->cert,
		    SHA256_SIZE }).p;
	for (size_t i = 0; i < r->headers_n; i++) {
		headers[i].name = str_put(&to, r->headers[i].name);
		headers[i].value = str_put(&to, r->headers[i].value);
	}
}

struct commander *
commander_new(struct call *c, const struct command_events *on, void *ctx)
{
	struct commander *by = mem_new(struct commander);

	by->api = c->api;
	by->on = on;
	by->ctx = ctx;
	by->owner = c->owner;
	by->thread_id = c->thread_id;
	keep_request(by, c->r);
	by->who = principal_copy(&c->who, true);
	return by;
}

static void
commander_drop(struct commander *by)
{
	if (by->on != NULL || by->busy > 0)
		return;
	free(by->who);
	free(by->kept);
	free(by);
}

void
commander_free(struct commander *by)
{
	assert(by->on != NULL);
	by->on = NULL;
	commander_drop(by);
}

struct principal *
commander_who(struct commander *by)
{
	return by->who;
}

size_t
commander_busy(const struct commander *by)
{
	return by->busy;
}

/* ---- answers ----------------------------------------------------------------------- */

static void
command_free(struct command *x)
{
	struct commander *by = x->by;

	json_release(&x->doc);
	buf_release(&x->body);
	arena_release(&x->r.arena);
	free(x);
	by->busy--;
	commander_drop(by);
}

static void
answer(struct command *x, int status, struct str json)
{
	struct commander *by = x->by;

	if (by->on != NULL)
		by->on->answer(by->ctx, status, x->c.retry_s, json);
	api_trim(by->api);
	command_free(x);
}

struct call *
command_call(struct command *x)
{
	return &x->c;
}

struct buf *
command_result(struct command *x)
{
	struct buf *b = call_out(&x->c);

	json_add_fmt(b, "{'type':'success','id':%-.*s,'result':", FMT(x->id));
	return b;
}

void
command_answer(struct command *x)
{
	struct buf *b = &x->by->api->out;
	char id[UUID_TEXT];

	uuid_format(&x->by->thread_id, id);
	json_add_fmt(b, ",'meta':{'thread_id':%.*s,'applied_through_seq':%lld}}", UUID_TEXT,
	    id, (long long)x->position);
	if (b->failed)
		command_refuse(x, COMMAND_UNKNOWN_ERROR,
		    "the answer is larger than %zu bytes", b->max);
	else
		answer(x, 200, buf_str(b));
}

static void
refuse(struct command *x, int status, enum command_code code, struct str words)
{
	struct buf *b = call_out(&x->c);

	json_add_fmt(b, "{'type':'error','id':%-.*s,'error':%s,'message':%.*s}", FMT(x->id),
	    codes[code], FMT(words));
	answer(x, status, buf_str(b));
}

void
command_refuse(struct command *x, enum command_code code, const char *format, ...)
{
	struct err e;
	va_list ap;

	va_start(ap, format);
	err_vset(&e, ERR_INVALID, format, ap);
	va_end(ap);
	refuse(x, 200, code, str_of(e.text));
}

static enum command_code
code_of(const struct command *x, int rc)
{
	switch (rc) {
	case ERR_SYNTAX:
	case ERR_INVALID:
	case ERR_TOOBIG:
	case ERR_CONFLICT:
		return COMMAND_INVALID_ARGUMENT;
	case ERR_DENIED:
		return COMMAND_PERMISSION_DENIED;
	case ERR_NOTFOUND:
		return x->missing;
	default:
		return COMMAND_UNKNOWN_ERROR;
	}
}

/* Only statuses after which an HTTP client retries; any other failure is in the body. */
static int
status_of(int rc)
{
	int status = api_status(rc);

	return status == 429 || status == 503 ? status : 200;
}

/* As call_fail.  A field of the run's `command` is one of the params'. */
static void
failed(struct call *c, int rc, const struct err *e)
{
	struct command *x = command_of(c);
	struct err shown = call_words(c, rc, e);
	struct str words = str_of(shown.text);
	int status = status_of(rc);

	if (str_starts(words, S("command.")))
		words = str_sub(words, 8, words.n);
	if (status != 200 && c->retry_s == 0)
		c->retry_s = 1;
	refuse(x, status, code_of(x, rc), words);
}

/* ---- frames -------------------------------------------------------------------------- */

static int
read_id(struct command *x, jnode id)
{
	int64_t v = json_int(id);

	if (!json_is_int(id) || v < 0 || v >= ID_MAX)
		return err_set(&x->c.err, ERR_INVALID, "id: expected a whole number from 0 "
		    "to %lld, got %s", (long long)ID_MAX - 1, id == NULL ? "nothing" :
		    json_is_int(id) ? "another number" : json_kind(id));
	x->id = arena_fmt(&x->r.arena, "%lld", (long long)v);
	return OK;
}

/* A frame that is no command has no id to answer to. */
static int
read_frame(struct command *x, struct str text, struct str *name)
{
	struct err why;
	jnode root, method;
	int rc;

	if (text.n == 0)
		return err_set(&x->c.err, ERR_SYNTAX, "expected a command, {\"id\", "
		    "\"method\", \"params\"}, got nothing");
	x->r.body = text;
	rc = api_text_parse(&x->c, &x->doc, &why);
	x->r.body = STR_NONE;                /* it is the caller's */
	if (rc != OK)
		return err_set(&x->c.err, rc, "a command is JSON: %s", why.text);
	root = x->doc.root;
	method = json_get(root, S("method"));
	if (!json_is_object(root))
		return err_set(&x->c.err, ERR_INVALID, "expected a command, an object, got "
		    "%s", json_kind(root));
	if (!json_is_string(method))
		return err_set(&x->c.err, ERR_INVALID, "method: expected a string, got %s",
		    method == NULL ? "nothing" : json_kind(method));
	*name = json_str(method);
	return read_id(x, json_get(root, S("id")));
}

static void
refuse_unknown(struct command *x, struct str name)
{
	struct str_near near = { .word = param_shown(name) };

	for (size_t i = 0; i < COUNT(command_methods); i++)
		str_near_try(&near, command_methods[i].name);
	command_refuse(x, COMMAND_UNKNOWN_COMMAND, "method: no command is called \"%.*s\"%s%s",
	    FMT(near.word), near.best != NULL ? "; did you mean " : "",
	    near.best != NULL ? near.best : "");
}

/* ---- running --------------------------------------------------------------------------- */

static int
may(struct command *x)
{
	struct call *c = &x->c;
	int rc = call_authorise(c);

	if (rc == OK)
		rc = call_enter_again(c, x->by->on->subscribe != NULL);
	if (rc == OK)
		rc = call_screen(c);
	if (rc == OK && c->api->draining)
		rc = err_set(&c->err, ERR_BUSY, "the server is stopping");
	return rc;
}

static void
positioned(void *ctx, int64_t seq)
{
	struct command *x = ctx;
	struct call *c = &x->c;
	int rc;

	x->position = seq;
	rc = x->method->run(x);
	if (rc < 0)
		call_fail(c, rc, &c->err);
}

static void
begin(struct command *x)
{
	struct call *c = &x->c;
	int rc;

	c->route = &x->method->route;
	fields_open(&x->params, json_get(x->doc.root, S("params")), "params", &c->err);
	c->in = &x->params;
	rc = c->in->rc;
	if (rc == OK)
		rc = may(x);
	if (rc < 0)
		call_fail(c, rc, &c->err);
	else
		thread_position(c->api->runs, c->owner, &c->thread_id, positioned, x);
}

int
command_thread(struct command *x, struct store_thread *t)
{
	int rc = api_thread_find(&x->c, t);

	return rc < 0 || scan_find(t->metadata_json, S("assistant_id")).n > 2 ? rc :
	    err_set(&x->c.err, ERR_NOTFOUND, "no run of an assistant was ever on the thread; "
	    "begin with run.start");
}

static struct command *
command_new(struct commander *by)
{
	struct command *x = mem_new(struct command);
	char id[UUID_TEXT];

	by->busy++;
	x->by = by;
	x->id = S("null");
	x->missing = COMMAND_NO_SUCH_RUN;
	x->body = BUF(2 * (size_t)LIMIT_HTTP_BODY_BYTES);
	x->r = by->r;
	x->r.arena = ARENA(4 * (size_t)LIMIT_HTTP_BODY_BYTES);       /* as of a request */
	x->r.user = &x->c;
	x->c = (struct call){ .api = by->api, .r = &x->r, .thread_id = by->thread_id,
	    .who = *by->who, .owner = by->owner, .failed = failed };
	uuid_format(&by->thread_id, id);
	x->c.param[0] = arena_str(&x->r.arena, (struct str){ id, UUID_TEXT });
	return x;
}

void
command_take(struct commander *by, struct str text)
{
	struct command *x = command_new(by);
	struct str name = STR_NONE;

	if (read_frame(x, text, &name) != OK) {
		refuse(x, 400, COMMAND_INVALID_ARGUMENT, str_of(x->c.err.text));
		return;
	}
	x->method = method_find(name);
	if (x->method == NULL)
		refuse_unknown(x, name);
	else
		begin(x);
}

/* ---- over HTTP --------------------------------------------------------------------------- */

static void
http_answer(void *ctx, int status, int64_t retry_s, struct str json)
{
	struct call *c = ctx;
	struct str lines = retry_s == 0 ? STR_NONE : arena_fmt(&c->r->arena,
	    "retry-after: %lld\r\n", (long long)retry_s);

	commander_free(c->commander);
	call_reply(c, status, S("application/json"), lines, json);
}

int
api_command(struct call *c)
{
	static const struct command_events events = { .answer = http_answer };

	c->commander = commander_new(c, &events, c);
	command_take(c->commander, c->r->body);
	return OK;
}
