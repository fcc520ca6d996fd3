/*
 * mcp.h - a client of the Model Context Protocol (revisions 2025-11-25 down to
 * 2024-11-05): tools of servers that are processes (stdio) or addresses
 * (streamable HTTP, and the older HTTP with SSE).
 *
 * A connection is made when somebody needs it, is shared by all runs of a shard
 * whose spec is the same, and ends when it has been idle for LIMIT_MCP_IDLE_MS.
 * A server that died is started again by the next who needs it, with a pause that
 * grows; what was under way fails, for nobody knows whether it was done.
 *
 * Threads: one struct mcp a shard; used by its thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TOOLS_MCP_H
#define TOOLS_MCP_H

#include "base/rc.h"
#include "net/client.h"

struct mcp;
struct mcp_wait;

struct mcp_pair { struct str name, value; };

/* A server as a file says it; borrowed for the call. */
struct mcp_spec {
	struct str name;                     /* for errors and logs; no part of what it is */
	const struct str *command;           /* stdio: program and arguments */
	size_t command_n;                    /* 0: url */
	struct str cwd;                      /* empty: ours */
	const struct mcp_pair *env;          /* beside PATH, HOME, LANG, ... */
	size_t env_n;
	struct str url;
	bool public_only;                    /* a name that has a private address is refused */
	const struct mcp_pair *headers;
	size_t headers_n;
	const struct str *roots;             /* paths that it is told */
	size_t roots_n;
};

struct mcp_tool {
	struct str name, description, schema_json;       /* as the server has them */
	bool read_only, idempotent;          /* its hints; false if it gives none */
};
struct mcp_list { const struct mcp_tool *at; size_t n; };

struct mcp *mcp_new(struct shard *s, struct client *c);
void mcp_free(struct mcp *m);                /* ends its servers; no waits may be left */

/* The tools of a server.  done: once, later or at once; list borrowed for the call. */
typedef void mcp_listed(void *ctx, int rc, const struct mcp_list *list, const struct err *e);
struct mcp_wait *mcp_list(struct mcp *m, const struct mcp_spec *spec, mcp_listed *done, void *ctx);

/* Calls a tool.  traceparent: told in its _meta; or empty.  done, once, later or at once: rc OK: the tool answered; failed: it says that it failed; text:
 * for the model, cut at LIMIT_TOOL_RESULT_BYTES.  Else e; sent: the server may have done it. */
struct mcp_result { bool failed, sent; struct str text; };
typedef void mcp_called(void *ctx, int rc, const struct mcp_result *r, const struct err *e);
struct mcp_wait *mcp_call(struct mcp *m, const struct mcp_spec *spec, struct str tool,
    struct str args_json, msec timeout, struct str traceparent, mcp_called *done, void *ctx);
/* No callback follows; a call under way is told to the server as cancelled.  Both functions above return NULL
 * when they have called back already. */
void mcp_forget(struct mcp_wait *w);

#endif
