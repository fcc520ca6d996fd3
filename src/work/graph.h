/*
 * graph.h - edges between items, and what they hold back.
 *
 * graph.c keeps the two counters that make an item held: blockers (its own open
 * ones) and held_parents.  work_count has the number of items in each state.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORK_GRAPH_H
#define WORK_GRAPH_H

#include "work/operation.h"

/* ---- the graph (graph.c) ------------------------------------------------------ */

/* Adds the edge and what follows from it: counters, held, states, events.  The
 * caller has asked cycle_check, put the dep into the item's body and saved it.
 * ERR_CONFLICT: there is an edge between the two. */
int edge_add(struct work *w, int64_t item, int64_t target, enum dep_type type);
/* ERR_NOTFOUND. */
int edge_remove(struct work *w, int64_t item, int64_t target);
/* For an item that is being made: what an edge would add to its counters, and
 * only the edge. */
int edge_weight(struct work *w, int64_t target, enum dep_type type, int *blockers,
    int *parents);
int edge_put(struct work *w, int64_t item, int64_t target, enum dep_type type);
/* After an item became closed (or a tombstone), or the reverse. */
int graph_closed(struct work *w, int64_t item, bool closed);

/* deps.c.  {"issue_id":..,"depends_on_id":..,"type":..}; type may be NULL. */
void dep_encode(struct buf *b, struct str item, struct str target,
    const char *type);
/* deps.c.  ERR_INVALID: an epic as the child of something smaller. */
int dep_direction(struct work *w, const struct item *it,
    const struct item *target, enum dep_type type);
/* deps.c.  Its only parent is `parent` of the call's arguments, or none: changed
 * in memory; then, when it is saved, as edges and events. */
int parent_take(struct work *w, struct item *it);
int parent_note(struct work *w, const struct item *it, const struct item *was);
/* cycle.c.  Would item -> target close a cycle over blocks and parent-child?
 * ERR_CONFLICT with the path in words; also when item is target. */
int cycle_check(struct work *w, int64_t item, int64_t target, enum dep_type type);
void graph_drop(struct work *w);             /* forget what is in memory */
struct links;
/* The tracker's edges that can close cycles.  ERR_LIMIT, without words: more
 * than are kept in memory. */
int graph_edges(struct work *w, struct links *g);
/* The nodes that are in no cycle, nor between two. */
void graph_peel(const struct links *g, bool *gone);
bool edge_can_cycle(int64_t type);
/* The edge was added or removed: if its type can close a cycle, the tracker's
 * `edges` changes, and so does what is in memory. */
void graph_note(struct work *w, int64_t item, int64_t target, enum dep_type type,
    bool added);

/* ---- dependencies on what is not there (loose.c) ------------------------------------ */

/* The numbers in the first column, to the statement's end. */
int work_seqs_read(struct work *w, struct query q, struct arena *a, int64_t **list,
    size_t *n);
/* Before an item of this id with `it`'s dependencies is made: ERR_CONFLICT if
 * what waits for it would close a cycle.  targets: their numbers. */
int loose_allows(struct work *w, const struct item *it, const int64_t *targets);
/* It is made: what waited for it depends on it now. */
int loose_take(struct work *w, struct str id, int64_t seq);

#endif
