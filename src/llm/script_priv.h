/*
 * script_priv.h - between a script and what fills in its arguments.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LLM_SCRIPT_PRIV_H
#define LLM_SCRIPT_PRIV_H

#include "llm/script.h"

/* Are the places in these arguments well formed?  allowed: may there be any.
 * Sets *any when there is one.  ERR_INVALID. */
int script_fill_check(jnode n, bool allowed, bool *any, struct err *e);
/* Puts values of the tool result `last` into the calls' arguments; a turn that
 * cannot be filled becomes an error of status 400 that says why. */
void script_fill(struct script_turn *t, struct str last, struct arena *a);

#endif
