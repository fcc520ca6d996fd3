/*
 * graph_priv.h - a compiled graph and a state of it, from inside.
 *
 * A node's rank is its place among all names, START's included, in the order
 * of code points, so that a walk over a set of ranks is the order of tasks.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GRAPH_GRAPH_PRIV_H
#define GRAPH_GRAPH_PRIV_H

#include "base/arena.h"
#include "base/bits.h"
#include "base/check.h"
#include "graph/graph.h"

#define START_NAME     S("__start__")
#define BRANCH_PREFIX  S("branch:to:")
#define JOIN_PREFIX    S("join:")
#define SENDS_CHANNEL  S("__pregel_tasks")
#define PUSH_TRIGGER   S("__pregel_push")

#define NOWHERE UINT32_MAX                   /* no rank: END; no join */

struct node {
	struct str name, channel;            /* NUL-ended */
	int number;                          /* in the spec, or GRAPH_START */
	bool defer;
	uint32_t edges;                      /* first of its edges: those with `when`, */
	uint32_t conditional, edges_n;       /* so many; then the others; of all */
	uint32_t join;                       /* first that leads to it; NOWHERE */
};

struct edge {
	uint32_t number;                     /* in the spec */
	uint32_t to;                         /* rank; NOWHERE: END */
	uint32_t join;                       /* NOWHERE: none */
	bool when, all, send;
};

/* Joins are in the order of the spec. */
struct join {
	struct str channel;
	uint32_t to;                         /* rank */
	uint32_t first, n;                   /* of graph.sources; bits of state.arrived */
	uint32_t next;                       /* join that leads to the same node */
};

struct graph {
	unsigned mark;
	struct arena arena;                  /* all that is below */
	uint32_t nodes_n, edges_n, joins_n, sources_n;     /* nodes_n: with START */
	struct node *nodes;                  /* by rank */
	uint32_t *ranks;                     /* by the spec's number */
	struct edge *edges;                  /* by the node that they leave */
	struct join *joins;
	struct join **by_channel;            /* sorted */
	uint32_t *sources;                   /* ranks; of each join rising */
	uint64_t *deferred;                  /* set of ranks */
	uint32_t start;                      /* START's rank */
	uint64_t shape;                      /* of what a snapshot refers to */
};

struct send {
	uint32_t node;                       /* rank */
	struct val input;
};

/*
 * Invariants between steps
 *   1. What is in next was reached, or one of its joins is complete.
 *   2. What is not deferred and was reached, or has a complete join, is in next.
 *   3. If next is empty and there are no sends, nothing was reached and no join
 *      is complete.
 */
struct graph_state {
	unsigned mark;
	const struct graph *g;
	uint64_t *next;                      /* ranks of the nodes that come next */
	uint64_t *reached;                   /* by an edge */
	uint64_t *complete;                  /* joins */
	uint64_t *arrived;                   /* sources, of all joins */
	uint32_t *counts;                    /* of them, by join */
	struct send *sends;
	size_t sends_n, sends_cap;
	struct graph_task *tasks;            /* graph_next's */
	size_t tasks_cap;
	bool open;                           /* between begin or write, and end */
	uint64_t sets[];
};

#define GRAPH_MARK       0x67726170u
#define GRAPH_STATE_MARK 0x67737461u

static inline void
check_graph(const struct graph *g)
{
	CHECK_MARK(g, GRAPH_MARK);
}

static inline void
check_state(const struct graph_state *s)
{
	CHECK_MARK(s, GRAPH_STATE_MARK);
}

/* ---- graph.c ------------------------------------------------------------- */

uint32_t rank_of_number(const struct graph *g, int node);      /* GRAPH_START too */
uint32_t rank_of_name(const struct graph *g, struct str name); /* START too; NOWHERE */
uint32_t join_of_channel(const struct graph *g, struct str channel);   /* NOWHERE */
/* The place of a rank among a join's sources; NOWHERE. */
uint32_t join_source(const struct graph *g, const struct join *j, uint32_t rank);
uint64_t graph_shape(const struct graph *g);

/* ---- state.c ------------------------------------------------------------- */

void join_arrive(struct graph_state *s, uint32_t join, uint32_t source);
/* node: a name that the graph need not have.  Refers to input once more. */
int  send_add(struct graph_state *s, struct str node, struct val input, struct err *e);
/* What comes next, from what was reached: invariants 2 and 3. */
void state_settle(struct graph_state *s);

#endif
