/*
 * mcp_priv.h - tools of MCP servers: mcp_offer.c fetches their lists before a model
 * is asked, mcp_call.c calls them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TASK_MCP_PRIV_H
#define TASK_MCP_PRIV_H

#include "task/task_priv.h"
#include "tools/mcp.h"

struct llm_piece;
struct mcp_fetch;

/* ---- mcp_offer.c ------------------------------------------------------------ */

/* The server that a tool's name begins with; NULL: none.  The file's come first.
 * of_client may be NULL. */
const struct agent_mcp *mcp_server_of(const struct piece *p, struct str name,
    bool *of_client);
/* Is the tool that a model sees by this name among those that some llm of the agent
 * names?  (Whether its server has it is found out when it is called.) */
bool mcp_allows(const struct piece *p, struct str offered);

/* What a server is to be told; false: the agent's capabilities do not allow it, e
 * says why.  roots: in a. */
bool mcp_ask_init(struct task_mcp *m, const struct piece *p, const struct agent_mcp *server,
    bool of_client, struct arena *a, struct err *e);

/* A step of llm_prepare: the lists of the servers that the llm names. */
bool mcp_prepare(struct llm_piece *w);
void mcp_fetch_stop(struct llm_piece *w);
void mcp_fetch_free(struct llm_piece *w);
/* What they have, for the request. */
size_t mcp_specs_count(const struct llm_piece *w);
void mcp_specs_add(const struct llm_piece *w, struct llm_tool_spec *specs, size_t *n);

/* Why it failed, with the server's name if the words have it not. */
void mcp_add_words(struct buf *b, struct str server, struct str words);
/* The schema without its "$schema", which not every provider takes. */
struct str mcp_schema(struct str json, struct arena *a);

/* ---- mcp_call.c --------------------------------------------------------------- */

/* A call of a tool of a server: first it is looked up, then it is made.  Each tells
 * once, later or at once, unless mcp_use_free was called. */
struct mcp_use;
enum mcp_end {
	MCP_OK, MCP_SAYS_NO,                 /* the tool has answered */
	MCP_LOST,                            /* nobody did; it may have been done */
	MCP_UNDONE                           /* it was not */
};
struct mcp_use_hooks {
	/* It is there, and takes the arguments.  again: it may be called twice. */
	void (*found)(void *ctx, bool again);
	/* lost: it could not be looked up; words are for the model. */
	void (*refused)(void *ctx, bool lost, struct str words);
	void (*called)(void *ctx, enum mcp_end how, struct str text);
};
struct mcp_use *mcp_use_new(struct piece *p, struct str name, struct str args_json,
    const struct mcp_use_hooks *hooks, void *ctx);
void mcp_use_find(struct mcp_use *u);
void mcp_use_call(struct mcp_use *u);
void mcp_use_free(struct mcp_use *u);        /* NULL: nothing; leaves what is under way */

#endif
