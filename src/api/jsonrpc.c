/*
 * jsonrpc.c - see jsonrpc.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/jsonrpc.h"

#include <stdarg.h>
#include <stdio.h>

void
jsonrpc_add_head(struct buf *b, struct str id)
{
	buf_lit(b, "{\"jsonrpc\":\"2.0\",\"id\":");
	buf_add(b, id.n > 0 ? id : S("null"));
}

void
jsonrpc_add_error(struct buf *b, struct str id, int code, struct str words)
{
	jsonrpc_add_head(b, id);
	json_add_fmt(b, ",'error':{'code':%d,'message':%.*s}}", code, FMT(words));
}

int
jsonrpc_refuse(struct call *c, int code, const char *format, ...)
{
	bool no_request = code == JSONRPC_PARSE || code == JSONRPC_REQUEST;
	struct buf *b = call_out(c);
	struct err e;
	va_list ap;

	va_start(ap, format);
	vsnprintf(e.text, sizeof e.text, format, ap);
	va_end(ap);
	jsonrpc_add_error(b, c->request_id, code, str_of(e.text));
	call_reply(c, no_request ? 400 : 200, S("application/json"), c->lines, buf_str(b));
	return OK;
}

static int
read_id(struct call *c, jnode id)
{
	struct buf b = BUF(LIMIT_JSONRPC_ID_BYTES);

	if (json_is_string(id) || json_is_int(id))
		json_add_node(&b, id);
	c->request_id = b.failed ? STR_NONE : arena_str(&c->r->arena, buf_str(&b));
	buf_release(&b);
	if (c->request_id.n > 0)
		return OK;
	err_set(&c->err, ERR_INVALID, "id: expected a string or an integer of at most %d "
	    "bytes", LIMIT_JSONRPC_ID_BYTES);
	return JSONRPC_REQUEST;
}

static int
read_method(struct call *c, struct jsonrpc *out)
{
	jnode root = out->doc.root, method = json_get(root, S("method"));
	jnode id = json_get(root, S("id"));

	out->params = json_get(root, S("params"));
	if (method == NULL && id != NULL && (json_get(root, S("result")) != NULL ||
	    json_get(root, S("error")) != NULL))
		out->silent = true;
	else if (!json_is_string(method))
		return err_set(&c->err, JSONRPC_REQUEST, "method: expected a string, got %s",
		    method == NULL ? "nothing" : json_kind(method));
	else if (id == NULL)
		out->silent = true;
	if (out->params != NULL && !json_is_object(out->params))
		return err_set(&c->err, JSONRPC_PARAMS, "params: expected an object, got %s",
		    json_kind(out->params));
	out->method = json_str(method);
	return OK;
}

int
jsonrpc_read(struct call *c, struct jsonrpc *out)
{
	jnode root;
	int rc;

	*out = (struct jsonrpc){ 0 };
	c->request_id = STR_NONE;
	if (c->r->body.n == 0)
		return err_set(&c->err, JSONRPC_PARSE, "expected a JSON-RPC request, got "
		    "nothing");
	if (api_text_parse(c, &out->doc, &c->err) != OK)
		return JSONRPC_PARSE;
	root = out->doc.root;
	if (json_is_array(root))
		return err_set(&c->err, JSONRPC_REQUEST, "expected one request: batches are "
		    "not accepted");
	if (!str_eq(json_str(json_get(root, S("jsonrpc"))), S("2.0")))
		return err_set(&c->err, JSONRPC_REQUEST, "expected a JSON-RPC 2.0 object, "
		    "with \"jsonrpc\": \"2.0\"");
	rc = json_get(root, S("id")) == NULL ? OK : read_id(c, json_get(root, S("id")));
	return rc == OK ? read_method(c, out) : rc;
}

void
jsonrpc_release(struct jsonrpc *q)
{
	json_release(&q->doc);
}
