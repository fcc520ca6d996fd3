/*
 * work_tools.h - the tracker's tools in the registry of the built-in agent.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_WORK_TOOLS_H
#define MAIN_WORK_TOOLS_H

#include "tools/tools.h"

/* Adds them, as the group "work". */
void work_tools_add(struct tools *t);

#endif
