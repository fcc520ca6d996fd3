/*
 * wasm_agent_fix.h - guests for the tests of wasm/agent without processes: a pool and a desk
 * whose guests are C here.  (They stand in for wasm/pool.h and wasm/deploy/deploy.h.)
 *
 * A guest counts.  It does what the content of its message says, a text:
 *   add      counts, and replies {"n": COUNT, "v": RELEASE}
 *   fail     counts, returns 1      trap, lose   its instance, its host process goes
 *   put, get the count, in the store under "n"; get replies with what it gets
 *   tell bob sends "hi" to him      tool NAME    calls it, and replies with the answer
 *   wait     does not end until guests_go
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef UNIT_WASM_AGENT_FIX_H
#define UNIT_WASM_AGENT_FIX_H

#include "office_fix.h"
#include "wasm/agent/agents.h"

/* One desk of an office, with a module "m" of owner 1, release 1. */
extern struct guests {
	struct office_fix f;
	struct tools *tools;
	struct wasm_agents *agents;
	struct wasm_listener *listener;
	struct wasm_release *current, *other;        /* other: of a split */
	unsigned split;                      /* of ten messages so many go to it */
	size_t started, live, reports, errors;
	bool building, no_start;
	int ready_rc;                        /* of wasm_desk_ready; 1: not said yet */
	struct wasm_instance *waits;
	uint32_t rate;
} guests;

void guest_bed_open(void);
void guest_bed_close(void);
void guests_restart(void);                   /* the server, not its store */
/* The current release is this one now. */
void guests_release(int64_t number);
void guests_forget(int64_t number);          /* it is there no more */
void guests_reload(enum wasm_strategy how, int64_t to);
void guests_switch(int64_t to, int rc);      /* the end of a parallel reload */
void guests_split(int64_t to, unsigned of_ten);
void guests_go(void);
/* An agent of module m; its id is in the result. */
int  guests_spawn(const char *name, bool durable, enum supervise_restart restart);
/* From ann to the agent; the reply's content, or "" if there is none when all is quiet. */
const char *guests_ask(const char *name, const char *what);

#endif
