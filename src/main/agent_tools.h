/*
 * agent_tools.h - the names of tools in agent files, against those that there are.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_AGENT_TOOLS_H
#define MAIN_AGENT_TOOLS_H

#include "agent/agent.h"

/* agent_load, and the tools that the file names must be there: its own, those of the
 * program or the work tracker, or of an MCP server (which nobody asks yet). */
int agent_load_checked(struct agent **out, struct str text, struct str file, struct err *e);

#endif
