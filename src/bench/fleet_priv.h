/*
 * fleet_priv.h - the inside of fleet.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_FLEET_PRIV_H
#define BENCH_FLEET_PRIV_H

#include "base/hist.h"
#include "base/limits.h"
#include "bench/fleet.h"
#include "cluster/pace.h"

#define NO_ROW    (-1)
#define SECONDS   7200                       /* of virtual time at most */
#define FAULT_AT  (10 * NS_PER_S)

struct fleet;

/* ---- events ------------------------------------------------------------------- */

enum fleet_event {
	EV_BEAT, EV_BEAT_LATE, EV_LOOK, EV_SCHEDULES, EV_REJOIN, EV_HEARD, EV_START,
	EV_SLICE, EV_TRIPS, EV_FLUSHED, EV_REPLY,              /* the database's */
	EV_FAULT, EV_CHECK
};

struct event {
	nsec at;
	uint64_t order;                      /* of those at the same time */
	enum fleet_event kind;
	int32_t who;
	uint32_t turn;                       /* it counts only if its owner's is the same */
};

void fleet_at(struct fleet *f, nsec at, enum fleet_event kind, int32_t who, uint32_t turn);
uint32_t fleet_any(struct fleet *f);
/* For the hash: something that counts. */
void fleet_note(struct fleet *f, uint64_t what);
/* A process runs the thread under that row from now on. */
void fleet_adopted(struct fleet *f, int32_t thread, int32_t row);
void fleet_restarted(struct fleet *f);       /* a node that was */

/* ---- the database ---------------------------------------------------------------- */

enum op_kind { OP_LINK, OP_JOIN, OP_LEAVE, OP_BEAT, OP_LIST, OP_WANTED, OP_SCHEDULES,
	OP_TAKE, OP_CLAIM };

/* A transaction, or a read. */
struct op {
	enum op_kind kind;
	bool live, commits, done;            /* done: its answer is on the way */
	int rc;
	int32_t node, row;                   /* who asked, under which row */
	uint32_t life, turn, beat;
	nsec sent, left, trips;              /* left: of its CPU time */
	int32_t next;                        /* in the queue, the log or the free list */
	bool spare, more, cancels_only;
	int32_t threads_n;
	int32_t threads[LIMIT_TAKE_THREADS];
	int32_t from[LIMIT_TAKE_THREADS];    /* whose they were */
};

/* A row of the table node. */
struct row {
	nsec expires;
	enum node_state state;
	bool present, runs;                  /* runs: a process works under this number */
	nsec ended;                          /* when it stopped to */
	int32_t node;
	int32_t first, threads_n, locked;    /* its threads; those of an op apart */
	int32_t shared;                      /* transactions of its writer */
};

struct pg {
	bool away;
	int64_t busy;                        /* cores */
	uint32_t epoch;                      /* changes when it goes away */
	int32_t queue_first, queue_last;     /* ops that wait for a core */
	int32_t log_first, flushing;         /* that wait for the log; that are written */
	struct op *op;
	size_t ops_n, ops_cap;
	int32_t op_free;
	struct row *row;
	size_t rows_n, rows_cap;
	int32_t *live;                       /* rows that are there, by number */
	size_t live_n, live_cap;
	int32_t *next;                       /* of each thread in its row's list */
	nsec waiting_since;                  /* NEVER: nothing waits for a core */
};

void fpg_open(struct fleet *f);
void fpg_close(struct fleet *f);
int32_t fpg_row_new(struct fleet *f, int32_t node, nsec expires);
void fpg_thread_put(struct fleet *f, int32_t row, int32_t thread);
/* To be filled and sent at once; a reply follows. */
struct op *fpg_ask(struct fleet *f, enum op_kind kind, int32_t node);
void fpg_send(struct fleet *f, struct op *op);
void fpg_event(struct fleet *f, const struct event *e);
void fpg_go_away(struct fleet *f);
void fpg_come_back(struct fleet *f);

/* ---- a node ------------------------------------------------------------------------ */

struct fleet_node {
	struct pace pace;
	bool up, cut, linked, serves;
	bool harmed;                         /* something was done to it: it may lose its lease */
	int32_t row;                         /* NO_ROW: it has no lease */
	int32_t before;
	uint32_t life;                       /* of its process */
	uint32_t beat_turn, look_turn;
	bool listing, wanting, taking, asked, told;
	nsec spares, joining;
	nsec look_at, list_next, compare_next;
	int32_t *claims;                     /* threads that it took and does not run yet */
	size_t claims_at, claims_n, claims_cap;      /* from `at` on */
	bool claiming;
};

/* It is there when the simulation begins. */
void fnode_begin(struct fleet *f, int32_t n);
void fnode_event(struct fleet *f, const struct event *e);
void fnode_reply(struct fleet *f, struct op *op);
void fnode_release(struct fleet_node *x);
void fnode_crash(struct fleet *f, int32_t n);
void fnode_restart(struct fleet *f, int32_t n);
void fnode_link_soon(struct fleet *f, int32_t n);

/* ---- all of it ----------------------------------------------------------------------- */

struct second { double statements, rows, commits, messages; nsec cpu; };

struct fleet {
	const struct fleet_options *o;
	struct fleet_result *out;
	nsec now;
	uint64_t random, order, hash;
	struct event *heap;
	size_t heap_n, heap_cap;
	struct pg pg;
	struct fleet_node *node;
	int32_t *runner;                     /* of each thread: a row */
	struct second *second;
	struct hist takeover;                /* us */
	int32_t restart;                     /* the next node to be restarted */
	int64_t restarting;
	nsec fault_over;                     /* what goes wrong has an end */
	bool over;
};

#endif
