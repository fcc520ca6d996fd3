/*
 * agents.h - the agents a server has: the built-in ones and those of a folder.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_AGENTS_H
#define MAIN_AGENTS_H

#include "agent/agent.h"

/* Every *.yaml, *.yml and *.json file of the folder (empty: none), and the
 * built-in `agent` unless a file has that id.  A file that is broken is logged and left out.  ERR_NOTFOUND,
 * ERR_IO: the folder; ERR_INVALID: agents that cannot be linked. */
int agents_open(struct agents **out, struct str folder, struct err *e);

#endif
