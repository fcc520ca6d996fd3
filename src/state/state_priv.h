/*
 * state_priv.h - what reducer.c and messages.c share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STATE_STATE_PRIV_H
#define STATE_STATE_PRIV_H

#include "state/reducer.h"

/* add_messages; as reduce(), for a write that is not an overwrite.  A value that
 * is VAL_UNDEF is an empty list. */
int reduce_messages(struct str name, struct val *value, struct val write,
    unsigned known, size_t *keep, struct err *e);

#endif
