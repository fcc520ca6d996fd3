/*
 * mcp.h - the Model Context Protocol (revisions 2024-11-05 to 2025-11-25), the
 * part that offers tools: JSON-RPC 2.0 messages in, answers out.  No transport
 * and no tracker: whoever moves the bytes runs the operation in between.
 *
 *   switch (mcp_read(&m, line, &q, &out)) {
 *   case MCP_CALL:     run q.operation with q.args; mcp_answer(q.id, ...) ...
 *   case MCP_ANSWERED: send out
 *   case MCP_SILENT:   nothing to send
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORK_HOST_MCP_H
#define WORK_HOST_MCP_H

#include "base/json.h"
#include "work/host/tool.h"

/* One client. */
struct mcp {
	bool stateless;                      /* every message may be the first */
	bool ready;                          /* initialize was answered */
	char client[128];                    /* clientInfo.name, or "" */
};

enum mcp_next { MCP_SILENT, MCP_ANSWERED, MCP_CALL };

struct mcp_call {
	const char *operation;
	struct buf args;                     /* its arguments, an object */
	struct buf id;                       /* of the request, as JSON */
};

void mcp_call_init(struct mcp_call *q);
void mcp_call_release(struct mcp_call *q);

/* One message.  Answers are appended to out, without a line end, and have none
 * inside. */
enum mcp_next mcp_read(struct mcp *m, struct str message, struct mcp_call *q,
    struct buf *out);
/* The answer to a call.  data: one JSON value; used when rc is OK. */
void mcp_answer(struct str id, int rc, struct str data, struct str words,
    struct buf *out);
/* Is this a revision of the protocol that we speak? */
bool mcp_version_known(struct str version);
/* What is offered to a client that asks for it: that, or the newest. */
struct str mcp_version_offered(struct str asked);
/* A message that could not be read at all. */
void mcp_refuse(struct str words, struct buf *out);

#endif
