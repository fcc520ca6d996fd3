/*
 * needs.h - can the models of agents do what their files say they need?
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_NEEDS_H
#define MAIN_NEEDS_H

#include "agent/agent.h"
#include "llm/models.h"

/* m NULL: only the words are checked.  fallback: the default model.  *bad: whose
 * file it is. */
int needs_check(const struct agents *set, const struct models *m, struct str fallback,
    const struct agent **bad, struct err *e);

#endif
