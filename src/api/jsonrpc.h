/*
 * jsonrpc.h - JSON-RPC 2.0 over HTTP, as MCP (mcp.c) and A2A (a2a.c) speak it.
 *
 * A body that is no request is answered with 400 and an error object; what a method
 * refuses, with 200 and one.
 *
 * Thread: the call's shard.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef API_JSONRPC_H
#define API_JSONRPC_H

#include "api/api_priv.h"

enum {
	JSONRPC_PARSE = -32700, JSONRPC_REQUEST = -32600, JSONRPC_METHOD = -32601,
	JSONRPC_PARAMS = -32602, JSONRPC_INTERNAL = -32603
};

/* One request.  Its nodes are good until jsonrpc_release. */
struct jsonrpc {
	struct json_doc doc;
	struct str method;
	jnode params;                        /* an object, or NULL */
	bool silent;                         /* a notification, or an answer: 202 */
};

/* Reads the body; c->request_id is its id, as JSON in the request's arena.  OK, or an
 * error's code with words in c->err.  Release out in any case. */
int  jsonrpc_read(struct call *c, struct jsonrpc *out);
void jsonrpc_release(struct jsonrpc *q);

/* `{"jsonrpc":"2.0","id":...` and what follows, without the last brace. */
void jsonrpc_add_head(struct buf *b, struct str id);
void jsonrpc_add_error(struct buf *b, struct str id, int code, struct str words);
/* Answers c->request_id with an error, with its status.  Always OK, for a handler to
 * return: c is gone. */
int  jsonrpc_refuse(struct call *c, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
