/*
 * mcp.c - see mcp.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work/host/mcp.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/limits.h"

enum {
	RPC_PARSE = -32700, RPC_REQUEST = -32600, RPC_METHOD = -32601,
	RPC_PARAMS = -32602
};

/* The newest first: it is offered to a client that asks for an unknown one. */
static const char *const versions[] = {
	"2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"
};

/* ---- answers ------------------------------------------------------------------ */

static void
add_head(struct buf *out, struct str id)
{
	buf_lit(out, "{\"jsonrpc\":\"2.0\",\"id\":");
	buf_add(out, id.n > 0 ? id : S("null"));
}

static void
add_error(struct buf *out, struct str id, int code, struct str words)
{
	add_head(out, id);
	json_add_fmt(out, ",'error':{'code':%d,'message':%.*s}}", code, FMT(words));
}

void
mcp_refuse(struct str words, struct buf *out)
{
	add_error(out, STR_NONE, RPC_PARSE, words);
}

static void
add_content(struct buf *out, struct str text)
{
	json_add_fmt(out, ",'result':{'content':[{'type':'text','text':%.*s}]",
	    FMT(text));
}

void
mcp_answer(struct str id, int rc, struct str data, struct str words,
    struct buf *out)
{
	size_t from = out->n;
	bool object = data.n > 0 && data.p[0] == '{';

	add_head(out, id);
	if (rc != OK) {
		add_content(out, words);
		buf_lit(out, ",\"isError\":true}}");
	} else {
		add_content(out, data);
		/* Structured content is an object. */
		buf_add(out, object ? S(",\"structuredContent\":") :
		    S(",\"structuredContent\":{\"result\":"));
		buf_add(out, data);
		buf_add(out, object ? S("}}") : S("}}}"));
	}
	if (out->failed) {
		out->failed = false;
		buf_cut(out, from);
		add_head(out, id);
		add_content(out, S("The answer is too large; ask for less."));
		buf_lit(out, ",\"isError\":true}}");
	}
}

bool
mcp_version_known(struct str version)
{
	for (size_t i = 0; i < COUNT(versions); i++)
		if (str_eq(version, str_of(versions[i])))
			return true;
	return false;
}

struct str
mcp_version_offered(struct str asked)
{
	return mcp_version_known(asked) ? asked : str_of(versions[0]);
}

/* ---- requests ------------------------------------------------------------------- */

struct request {
	struct mcp *m;
	struct str id;                       /* JSON */
	jnode params;                        /* an object, or NULL */
	struct mcp_call *call;
	struct buf *out;
};

static enum mcp_next __attribute__((format(printf, 3, 4)))
refuse(struct request *r, int code, const char *format, ...)
{
	char words[256];
	va_list ap;

	va_start(ap, format);
	vsnprintf(words, sizeof words, format, ap);
	va_end(ap);
	add_error(r->out, r->id, code, str_of(words));
	return MCP_ANSWERED;
}

static enum mcp_next
do_initialize(struct request *r)
{
	struct str asked = json_str(json_get(r->params, S("protocolVersion")));
	jnode info = json_get(r->params, S("clientInfo"));
	struct str name = json_str(json_get(info, S("name")));

	if (asked.n == 0)
		return refuse(r, RPC_PARAMS,
		    "protocolVersion: expected a string");
	if (name.n > 0 && name.n < sizeof r->m->client && str_is_utf8(name))
		snprintf(r->m->client, sizeof r->m->client, "%.*s", FMT(name));
	r->m->ready = true;
	add_head(r->out, r->id);
	buf_add_fmt(r->out, ",\"result\":{\"protocolVersion\":\"%.*s\","
	    "\"capabilities\":{\"tools\":{}},\"serverInfo\":{\"name\":\"cohort\","
	    "\"title\":\"Cohort work tracker\",\"version\":\"" COHORT_VERSION "\"},"
	    "\"instructions\":\"A to-do list with dependencies that agents share. "
	    "Claim an item before you work on it (work_claim), close it when it is "
	    "done (work_close), and create items for what you find on the way "
	    "(work_create).\"}}", FMT(mcp_version_offered(asked)));
	return MCP_ANSWERED;
}

static enum mcp_next
do_ping(struct request *r)
{
	add_head(r->out, r->id);
	buf_lit(r->out, ",\"result\":{}}");
	return MCP_ANSWERED;
}

static enum mcp_next
do_list(struct request *r)
{
	jnode cursor = json_get(r->params, S("cursor"));

	if (!json_is_null(cursor))
		return refuse(r, RPC_PARAMS, "cursor: there is one page only");
	add_head(r->out, r->id);
	buf_lit(r->out, ",\"result\":{\"tools\":[");
	for (size_t i = 0; i < WORK_TOOLS; i++) {
		const struct work_tool *t = &work_tools[i];

		json_add_fmt(r->out, ",{'name':%s,'description':%s,'inputSchema':",
		    t->name, t->description);
		work_tool_add_schema(r->out, t);
		json_add_fmt(r->out, ",'annotations':{'readOnlyHint':%hhd,"
		    "'destructiveHint':false,'openWorldHint':false}}", t->reads);
	}
	buf_lit(r->out, "]}}");
	return MCP_ANSWERED;
}

static enum mcp_next
do_call(struct request *r)
{
	jnode name = json_get(r->params, S("name"));
	jnode args = json_get(r->params, S("arguments"));
	const struct work_tool *t = work_tool_find(json_str(name));

	if (!json_is_string(name))
		return refuse(r, RPC_PARAMS, "name: expected a string");
	if (t == NULL)
		return refuse(r, RPC_PARAMS, "there is no tool \"%.*s\"",
		    FMT(str_sub(json_str(name), 0, 64)));
	if (args != NULL && !json_is_object(args))
		return refuse(r, RPC_PARAMS, "arguments: expected an object, got %s",
		    json_kind(args));
	r->call->operation = work_tool_args(t, args, &r->call->args);
	buf_add(&r->call->id, r->id);
	if (r->call->args.failed)
		return refuse(r, RPC_PARAMS, "arguments: too large");
	return MCP_CALL;
}

static const struct {
	struct str name;
	enum mcp_next (*run)(struct request *r);
	bool early;                          /* also before initialize */
} methods[] = {
	{ S("initialize"), do_initialize, true },
	{ S("ping"), do_ping, true },
	{ S("tools/list"), do_list, false },
	{ S("tools/call"), do_call, false },
};

static enum mcp_next
run(struct request *r, struct str method)
{
	for (size_t i = 0; i < COUNT(methods); i++) {
		if (!str_eq(methods[i].name, method))
			continue;
		if (!methods[i].early && !r->m->ready && !r->m->stateless)
			return refuse(r, RPC_REQUEST, "%.*s before initialize",
			    FMT(method));
		return methods[i].run(r);
	}
	return refuse(r, RPC_METHOD, "there is no method \"%.*s\"",
	    FMT(str_sub(method, 0, 64)));
}

/* ---- messages -------------------------------------------------------------------- */

/* A string or an integer, as JSON. */
static int
read_id(jnode id, struct buf *out)
{
	if (!json_is_string(id) && !json_is_int(id))
		return ERR_INVALID;
	json_add_node(out, id);
	return out->failed ? ERR_TOOBIG : OK;
}

static enum mcp_next
read_message(struct request *r, jnode root, struct buf *id)
{
	jnode method = json_get(root, S("method")), params = json_get(root, S("params"));
	jnode asked = json_get(root, S("id"));
	bool ours = str_eq(json_str(json_get(root, S("jsonrpc"))), S("2.0"));

	if (!json_is_object(root) || !ours)
		return refuse(r, RPC_REQUEST,
		    "expected one JSON-RPC 2.0 object");
	if (asked != NULL && read_id(asked, id) != OK)
		return refuse(r, RPC_REQUEST,
		    "id: expected a string or an integer");
	r->id = buf_str(id);
	if (method == NULL && asked != NULL && (json_get(root, S("result")) != NULL ||
	    json_get(root, S("error")) != NULL))
		return MCP_SILENT;           /* an answer; we ask nothing */
	if (!json_is_string(method))
		return refuse(r, RPC_REQUEST, "method: expected a string");
	if (asked == NULL)
		return MCP_SILENT;           /* a notification */
	if (params != NULL && !json_is_object(params))
		return refuse(r, RPC_PARAMS, "params: expected an object, got %s",
		    json_kind(params));
	r->params = params;
	return run(r, json_str(method));
}

enum mcp_next
mcp_read(struct mcp *m, struct str message, struct mcp_call *q, struct buf *out)
{
	struct request r = { .m = m, .call = q, .out = out };
	struct buf id = BUF(LIMIT_NAME_BYTES * 8);
	struct json_doc d = { 0 };
	struct err e = { 0 };
	enum mcp_next next = MCP_ANSWERED;

	buf_clear(&q->args);
	buf_clear(&q->id);
	q->args.failed = q->id.failed = false;
	if (json_parse(&d, message, &e) != OK)
		mcp_refuse(str_of(e.text), out);
	else
		next = read_message(&r, d.root, &id);
	json_release(&d);
	buf_release(&id);
	return next;
}

void
mcp_call_init(struct mcp_call *q)
{
	*q = (struct mcp_call){ .args = BUF(LIMIT_HTTP_BODY_BYTES),
	    .id = BUF(LIMIT_NAME_BYTES * 8) };
}

void
mcp_call_release(struct mcp_call *q)
{
	buf_release(&q->args);
	buf_release(&q->id);
}
