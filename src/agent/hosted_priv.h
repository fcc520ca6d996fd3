/*
 * hosted_priv.h - a hosted graph as clients see it; describe.c asks, hosted.c answers.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef AGENT_HOSTED_PRIV_H
#define AGENT_HOSTED_PRIV_H

#include "agent/agent.h"

void hosted_add_drawing(struct buf *b, const struct agent_hosted *h, bool xray);
void hosted_add_schemas(struct buf *b, const struct agent *a);
/* The input's schema with one more property, `context`, unless it has one. */
void hosted_add_tool_schema(struct buf *b, const struct agent_hosted *h);
void hosted_add_subgraphs(struct buf *b, const struct agent_hosted *h, struct str ns,
    bool recurse);

#endif
