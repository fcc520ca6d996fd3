/*
 * pending.c - operations that are not there yet.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work/work_priv.h"

#define PENDING(name) int op_##name(struct work *w, struct work_call *c)       \
	{ (void)c; return fail(w, ERR_METHOD, #name " is not there yet"); }
PENDING(export)
PENDING(import)
