/*
 * run_sim.h - the decision core of runs in a simulator: agents made by chance, a
 * store in memory, tasks that the test plays, crashes between any two effects; and
 * a plain interpreter of what should have come of it.
 *
 *   run_spec.c  agents, and what their tasks do
 *   run_sim.c   the core's side: the store, the tasks, the loop
 *   run_ref.c   the interpreter, which shares nothing with the core but values
 *   run_model.c random threads, the same on both sides
 *
 * What a task does is decided by its *key*, a hash of its place: the calls above
 * it, the step, the node.  Both sides ask task_act().
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef UNIT_RUN_SIM_H
#define UNIT_RUN_SIM_H

#include "harness/test.h"

#include "base/arena.h"
#include "base/id.h"
#include "run/edit_priv.h"
#include "run/scope_priv.h"

/* ---- chance ------------------------------------------------------------------- */

uint64_t mix(uint64_t x);                    /* splitmix64 */
void chance_seed(uint64_t seed);
unsigned pick(unsigned n);

/* ---- agents ------------------------------------------------------------------- */

enum { NODES = 6, EDGES = 16, FROM = 3, ASKS = 2, TO_END = -1, AT_START = -2 };
enum channel_no { CH_N, CH_LOG, CH_LAST, CH_MAX, CH_MIN, CH_MERGE, CH_MESSAGES,
	CH_EPHEMERAL, CH_PRIVATE, CHANNELS };

struct sim_channel {
	const char *name, *yaml;
	enum reducer reducer;
	bool ephemeral, input, output;
};
extern const struct sim_channel sim_channels[CHANNELS];

struct sim_edge {
	int from[FROM], to;
	size_t from_n;
	int mod, rest;                       /* n % mod == rest; mod 0: none */
	bool all, send;                      /* send: over range(n % 3) as x */
};

struct sim_node {
	struct sim_agent *child;
	bool persist, defer, before, after;
};

struct sim_agent {
	struct sim_node node[NODES];
	struct sim_edge edge[EDGES];
	size_t nodes_n, edges_n;
};

/* levels: of sub-agents.  asks: do its tasks ask people? */
struct sim_agent *sim_agent_random(unsigned levels, bool stops, bool persist);
void sim_agent_free(struct sim_agent *a);
void sim_agent_yaml(struct buf *b, const struct sim_agent *a);
const char *sim_node_name(int node);

/* ---- what tasks do -------------------------------------------------------------- */

struct sim_rules {                           /* of a case */
	unsigned asks, fails;                /* one in so many; 0: none */
};

struct act_write { enum channel_no channel; struct val value; };
struct act {
	unsigned asks;
	bool together, fails;
	struct act_write write[4];
	size_t n;
};
extern uint64_t root_key;                    /* of the case */
uint64_t task_key(uint64_t scope_key, int step, int node, bool push, unsigned index);
/* run: its number; a task that fails in one run may not in the next. */
void task_act(struct act *a, const struct sim_rules *r, uint64_t key, unsigned run);
void task_act_writes(struct act *a, uint64_t key, const struct val *answers,
    struct val input);
void act_release(struct act *a);
struct val child_input(uint64_t key);        /* of the call of a task */

/* ---- the core's side --------------------------------------------------------------- */

struct sim_checkpoint {
	struct str ns, snapshot;
	struct uuid id, parent, run;
	int step;
	enum checkpoint_source source;
	struct val v[CHANNELS];
	struct sim_task { struct uuid id; struct str name; int node; bool push;
	    unsigned index; struct val input; } *tasks;
	size_t tasks_n;
	struct val wrote;                    /* by the lone task of the step before */
	bool gone;
};

struct sim_write {
	struct uuid task, run;
	enum { WRITTEN, NOTHING, FAILED, CARRIED, RECORDED } what;
	size_t idx;
	struct str name;
	struct val value;
	bool gone;
};

struct sim_interrupt {
	struct core_interrupt i;             /* its texts in the arena */
	enum { ASK_WAITS, ASK_ANSWERED, ASK_VOID } state;
	bool gone;
};

struct play;

struct sim {
	struct agent *agent;
	const struct sim_agent *spec;
	struct sim_rules rules;
	struct arena arena;
	struct sim_checkpoint *checkpoints;
	size_t checkpoints_n, checkpoints_cap;
	struct sim_write *writes;
	size_t writes_n, writes_cap;
	struct sim_interrupt *interrupts;
	size_t interrupts_n, interrupts_cap;
	struct core_interrupt *waiting;
	size_t waiting_cap;
	uint64_t ids;
	/* the run */
	const struct core_request *q;
	unsigned run;                        /* its number */
	bool starts, died, voids, ended, dead, ordered;
	enum core_end end;
	char error[64];
	struct play **open;
	size_t open_n, open_cap;
	size_t effects, budget;              /* it dies when they are used up */
	bool by_batch;                       /* effects of one event are one commit */
	size_t begun;                        /* tasks */
	struct sim_paid { struct uuid task; int64_t tokens; } *paid; /* by those that were done */
	size_t paid_n, paid_cap;
	size_t attempt;                      /* over all runs */
};

void sim_init(struct sim *s, const struct sim_agent *spec, struct sim_rules rules);
void sim_release(struct sim *s);

struct sim_plan {
	size_t crash[4], crashes_n;          /* effects that each attempt may leave */
	size_t cancel;                       /* core_stop after so many events; 0: never */
	bool ordered;                        /* the first task goes on first, to its end */
};
/* To its end; "cancelled" is an error of its own. */
void sim_run(struct sim *s, struct core_request *q, unsigned run,
    const struct sim_plan *plan);
int  sim_edit(struct sim *s, const struct edit_update *u, size_t n,
    const struct uuid *at, unsigned run, struct err *e);
struct uuid run_uuid(unsigned run);

/* The i-th of a namespace, or NULL; how many. */
const struct sim_checkpoint *sim_checkpoint_at(const struct sim *s, struct str ns,
    size_t i);
size_t sim_count(const struct sim *s, struct str ns);
struct str sim_child_ns(struct sim *s, struct str ns, const char *node,
    const struct uuid *task);                /* task NULL: it persists */
bool sim_has(const struct sim *s, const struct uuid *task, int what, unsigned run);
const struct sim_interrupt *sim_asked(const struct sim *s, const struct uuid *task,
    unsigned key);
bool sim_waits(const struct sim *s, const struct sim_interrupt *x);
extern const char *const ask_keys[ASKS];

/* Its inside: what the core asks to be read. */
extern const struct uuid sim_no_id;
struct str sim_kept(struct sim *s, struct str text);
const struct sim_checkpoint *sim_find(const struct sim *s, struct str ns,
    const struct uuid *id);
int  sim_load(void *ctx, struct str ns, const struct uuid *id, struct core_saved **out);
void sim_load_release(void *ctx, struct core_saved *saved);
bool sim_still_waits(const struct sim *s, const struct core_interrupt *i);
int  sim_load_waiting(void *ctx, const struct core_interrupt **out, size_t *n);

/* ---- the interpreter ------------------------------------------------------------------ */

struct ref;

struct ref *ref_new(const struct sim_agent *spec, struct sim_rules rules, struct sim *sim);
void ref_free(struct ref *r);
/* The same run; the outcome of a run that failed or was cancelled tells how far
 * its other tasks came.  Compares it all. */
void ref_run(struct ref *r, const struct core_request *q, int chosen, unsigned run,
    const struct sim_plan *plan);
int  ref_edit(struct ref *r, const struct edit_update *u, size_t n, int at, unsigned run);
void ref_compare(struct ref *r);
/* For the one who makes cases: of the root. */
size_t ref_checkpoints(const struct ref *r);
/* The ids of what waits, of the interrupts' rows. */
size_t ref_waiting(struct ref *r, struct uuid *ids, size_t max);
/* For the next run, of a chosen checkpoint: it answers this question of it; there
 * are several and one value. */
void ref_give(struct ref *r, size_t task, unsigned key, struct val value);
void ref_give_several(struct ref *r);
void ref_describe(struct ref *r, struct buf *b);

#endif
