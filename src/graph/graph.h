/*
 * graph.h - graphs of nodes and edges: which tasks come next, pure.
 *
 * Pregel's steps, as LangGraph has them.  All tasks of a step run; the edges
 * of a node are followed when its task ends (graph_route) and become control
 * writes, which are stored beside its other writes; after the last task of the
 * step the control writes of all are applied and tell the tasks that come next:
 *
 *   graph_step_begin(s);                 the tasks of this step are over
 *   for each task, in the order of graph_next:
 *           for each control write: graph_step_write(s, channel, value, e);
 *   graph_step_end(s);
 *   n = graph_next(s, &tasks);           none: the graph has ended
 *
 * The graph knows no expressions: conditions, lists and inputs of sends are
 * asked for by the edge's number.
 *
 * Edges of a node.  Without any `when`, all are followed.  Edges with `when`
 * are tried in order; the first that holds is followed, with `all: true` every
 * one that holds.  The edges without `when` are then the else: followed if no
 * other was.  A join is an edge without `when` of each of its nodes.
 *
 * A node that is reached more than once runs once.  A join starts its node in
 * the step after the one in which the last of its nodes arrived; arrivals are
 * kept over steps, count once, and are forgotten when the node starts.  A node
 * with `defer` starts when nothing else is left, neither node nor send.  A send
 * starts its node at once, also a deferred one.
 *
 * Control writes, by channel:
 *   "branch:to:NODE"    null; NODE is reached
 *   "join:A+B:NODE"     "A"; A has arrived at the join
 *   "__pregel_tasks"    {"node": NODE, "input": any}; a send
 *   "__start__"         any; the input has come, START is a task
 *
 * Threads: a graph is immutable and may be shared; a state belongs to one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GRAPH_GRAPH_H
#define GRAPH_GRAPH_H

#include "base/buf.h"
#include "base/rc.h"
#include "base/val.h"

struct graph;                                /* compiled */
struct graph_state;                          /* where one execution stands */

/* ---- graphs -------------------------------------------------------------- */

/* A node's number is its place in the spec. */
enum { GRAPH_END = -1, GRAPH_START = -2, GRAPH_NONE = -3 };

struct graph_node {
	struct str name;                     /* UTF-8 without '|' and ':', not "__..." */
	bool defer;
};

struct graph_edge {
	const int *from;                     /* nodes, or GRAPH_START */
	size_t from_n;                       /* > 1: a join, of different nodes */
	int to;                              /* a node, or GRAPH_END (not of a send) */
	bool when;                           /* has a condition */
	bool all;                            /* `all: true`, with `when`: on all such
	                                        edges of a node or on none */
	bool send;                           /* one task for each element of a list */
};

struct graph_spec {
	const struct graph_node *nodes;
	size_t nodes_n;
	const struct graph_edge *edges;
	size_t edges_n;
};

/* What an error of graph_new is about, so that the caller can name its line. */
enum graph_part { GRAPH_WHOLE, GRAPH_NODE, GRAPH_EDGE };
struct graph_place {
	enum graph_part part;
	size_t index;                        /* of the spec's nodes or edges */
};

/* Copies what it keeps.  Refuses what breaks the rules above, a graph without
 * an edge from START to a node and a node that nothing reaches.  ERR_INVALID,
 * ERR_LIMIT (nodes, edges).  where: written on failure; may be NULL. */
int  graph_new(struct graph **out, const struct graph_spec *s,
    struct graph_place *where, struct err *e);
void graph_free(struct graph *g);            /* when no state uses it; NULL is fine */

size_t graph_nodes(const struct graph *g);
struct str graph_node_name(const struct graph *g, int node);   /* "__start__" too */
int  graph_find(const struct graph *g, struct str name);       /* or GRAPH_NONE */

/* Is it one of the graph's own channels?  Agents must not declare such names. */
bool graph_channel_is_control(struct str channel);

/* ---- the edges of a node ------------------------------------------------- */

/* Asked while the edges of one node are followed; edge is its place in the
 * spec.  The first that is not OK ends graph_route, with its code and error. */
struct graph_router {
	int (*when)(void *ctx, size_t edge, bool *holds, struct err *e);
	/* list: an array; graph_route drops it. */
	int (*over)(void *ctx, size_t edge, struct val *list, struct err *e);
	/* The input of the task for one element (borrowed); graph_route drops it. */
	int (*input)(void *ctx, size_t edge, struct val element, struct val *input,
	    struct err *e);
	/* A control write of the node's task; both are borrowed, channel for as
	 * long as the graph lives. */
	int (*write)(void *ctx, struct str channel, struct val value);
	void *ctx;
};

/* Follows the edges of a node whose task has ended; GRAPH_START: the input's.
 * ERR_INVALID: `over` gave no array.  ERR_LIMIT: too many sends of one edge.
 * After a failure the writes that were made are void. */
int  graph_route(const struct graph *g, int node, const struct graph_router *r,
    struct err *e);

/* ---- steps --------------------------------------------------------------- */

struct graph_state *graph_state_new(const struct graph *g);    /* nothing comes next */
void graph_state_free(struct graph_state *s);                  /* NULL is fine */

/* The tasks that come next are over, or dropped (new input): joins that started
 * one begin anew. */
void graph_step_begin(struct graph_state *s);
/* The same for a step that is not theirs (an update of the state): joins that are
 * complete stay so, and their nodes come next again. */
void graph_step_drop(struct graph_state *s);
/* A control write.  Without graph_step_begin before (a client's goto), what it
 * reaches comes beside the tasks that are waiting; its sends after theirs.
 * Deferred nodes and joins do not start before graph_step_end.
 * ERR_INVALID: no such channel or node, or a value of another form.
 * ERR_LIMIT: too many sends.  ERR_TOOBIG: an input that is nested too deep. */
int  graph_step_write(struct graph_state *s, struct str channel, struct val value,
    struct err *e);
void graph_step_end(struct graph_state *s);

struct graph_task {
	int node;                            /* GRAPH_START: of the input */
	bool push;                           /* path ["__pregel_push", index], else
	                                        ["__pregel_pull", name] */
	unsigned index;                      /* of a send, among those of the step */
	struct str name;                     /* the node's; lives as long as the graph */
	struct str trigger;                  /* the channel, as LangGraph shows one:
	                                        "branch:to:a", "join:a+b:c", "__start__",
	                                        "__pregel_push"; likewise */
	struct val input;                    /* of a send; otherwise undefined; borrowed */
};

/* The tasks that come next, between steps: nodes by name (code points), then
 * sends by index.  Borrowed until the state changes or is asked again. */
size_t graph_next(struct graph_state *s, const struct graph_task **out);

/* ---- snapshots ----------------------------------------------------------- */

/* JSON, between steps:
 *   {"shape":"1f..","next":["a"],"joins":{"join:a+b:c":["a"]},
 *    "sends":[{"node":"d","input":1}]}
 * Empty members are left out; snapshot.c describes all of them. */
void graph_state_save(const struct graph_state *s, struct buf *out);

/* ERR_CONFLICT: of a graph with other nodes or joins; its edges may differ.
 * ERR_SYNTAX, ERR_INVALID, ERR_TOOBIG, ERR_LIMIT: no snapshot. */
int  graph_state_restore(struct graph_state **out, const struct graph *g,
    struct str text, struct err *e);

#endif
