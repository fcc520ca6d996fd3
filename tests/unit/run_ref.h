/*
 * run_ref.h - the inside of the plain interpreter (run_sim.h).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef UNIT_RUN_REF_H
#define UNIT_RUN_REF_H

#include "run_sim.h"

/* ---- what is kept --------------------------------------------------------------- */

enum { TO_NODE = -1, TO_JOIN = -2, TO_SEND = -3 };   /* control writes */
struct rwrite { int channel; int at, slot; struct val v; };

struct rsend { int node; struct val input; };
struct place {                               /* where the graph stands */
	bool start, next[NODES], reached[NODES], arrived[EDGES][FROM];
	struct rsend *sends;
	size_t sends_n;
};

struct rns;
struct rtask {
	int node;
	bool push;
	unsigned index;
	struct val input;
	bool done;
	struct rwrite *w;
	size_t wn;
	struct { bool asked; struct val answer; } ask[ASKS];
	struct rns *child;
};

struct rcheckpoint {
	int step, parent;                    /* parent: index, -1 none */
	enum checkpoint_source source;
	unsigned run;
	struct val v[CHANNELS];
	struct place place;
	struct rtask *tasks;
	size_t tasks_n;
	struct rwrite *carried;
	size_t carried_n;
	struct val input;                    /* that START took */
	unsigned serial;                     /* over all namespaces */
};

struct rns {
	const struct sim_agent *a;
	struct rcheckpoint **at;
	size_t n;
	struct rns *lasting[NODES];          /* of children that persist */
};

struct ref {
	const struct sim_agent *spec;
	struct sim_rules rules;
	struct sim *sim;
	struct rns *root;
	unsigned run;
	bool cut, exit, ordered;             /* of the run */
	bool afresh;
	int64_t limit;
	const struct core_request *q;
	char error[64];
	struct { size_t task; unsigned key; struct val value; } given[16];
	size_t given_n;
	bool several;
	unsigned serial, chosen;             /* serials: the newest; of the chosen one */
};

enum end { END_DONE, END_FAILED, END_WAITS, END_STOPPED };

struct scope_ref {
	struct ref *r;
	struct rns *ns;
	struct str name;                     /* of the namespace, in the store */
	uint64_t key;
	bool child, has_begun;
	struct val begun[CHANNELS];          /* a call's state after its input */
	struct val v[CHANNELS];
	struct place place;
	struct rcheckpoint *head;            /* NULL: nothing yet */
	int head_at;                         /* its index; -1: not saved */
	int parent;                          /* the next one's */
	struct rcheckpoint *spare;           /* one that is not kept, until the next */
	int64_t stop;
	bool changed, refused, edited;       /* edited: its first step is 0 */
};

void ref_writes_drop(struct rwrite **w, size_t *n);
void ref_write_push(struct rwrite **w, size_t *n, int channel, int at, int slot,
    struct val v);
void ref_task_forget(struct rtask *t);
void ref_checkpoint_free(struct rcheckpoint *c);
struct val ref_reduced(enum channel_no c, struct val old, struct val w);
void ref_defaults(struct val *v);
void ref_values_drop(struct val *v);
int ref_channel_of(struct str name);
void ref_place_begin(struct place *p, const struct sim_agent *a, bool instead);
void ref_place_write(struct place *p, const struct rwrite *w);
void ref_place_settle(struct place *p, const struct sim_agent *a);
void ref_follow_edges(const struct sim_agent *a, const struct val *state,
    struct rtask *t);
int ref_step_of(const struct scope_ref *s);
void ref_task_add(struct rcheckpoint *c, int node, bool push, unsigned index,
    struct val input);
void ref_save(struct scope_ref *s);
void ref_checkpoint(struct scope_ref *s, enum checkpoint_source source);
void ref_scope_load(struct scope_ref *s, struct rcheckpoint *c, int at);
void ref_scope_make(struct scope_ref *s, struct ref *r, struct rns *ns,
    struct str name);
void ref_scope_drop(struct scope_ref *s);
const struct uuid *ref_id_of(const struct scope_ref *s, const struct rtask *t);
void ref_task_write(struct rtask *t, int channel, struct val v);
enum end ref_scope_loop(struct scope_ref *s);
enum end ref_fail(struct scope_ref *s, const char *name);
bool ref_apply(struct scope_ref *s, bool instead);
enum end ref_step(struct scope_ref *s);
void ref_take_input(struct rcheckpoint *c, const struct sim_agent *a,
    const struct val *state, struct val input, bool keep);
enum end ref_begin_with(struct scope_ref *s, struct val input);
void ref_sends_drop(struct place *p);
void ref_send_push(struct place *p, int node, struct val input);
struct place ref_place_copy(const struct place *from);
struct rns *ref_rns_new(const struct sim_agent *a);
struct val ref_overwritten(struct val w);
_Noreturn void ref_fail_with(struct ref *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
