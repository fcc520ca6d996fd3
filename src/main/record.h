/*
 * record.h - what a server has of a thread's past: the states of its checkpoints, and the
 * definition that a run went by.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_RECORD_H
#define MAIN_RECORD_H

#include "main/agent_solo.h"
#include "main/pages.h"

/* Owned by the caller.  ERR_NOTFOUND: the server does not have it any more. */
int  record_state(struct remote *r, struct str thread, struct str ns, struct str checkpoint,
    struct val *out, struct err *e);
/* The state that this checkpoint of the root followed; UNDEF: there was none. */
int  record_state_before(struct remote *r, struct str thread, struct str checkpoint,
    struct val *out, struct err *e);
int  record_definition(struct remote *r, struct str thread, struct str run,
    struct agent_file *f, struct err *e);

#endif
