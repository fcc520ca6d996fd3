/*
 * cycle.c - cycles are refused: over `blocks` and `parent-child` together no
 * item may wait for itself.
 *
 * Does the new edge's target lead back to its item?  Three answers, cheapest
 * first.  Most edges end at once: nothing depends on the item, or the target
 * on nothing.  Next a search by statements, that gives up after a few dozen
 * edges.  Last the tracker's edges are read into memory, about 150 ns each, and
 * searched there.
 *
 * What is in memory stays, for a process that lives on: it is right as long as
 * work_tracker.edges is the number it was read at or brought up to.  Every
 * operation that changes an edge draws a new one, so another process's change
 * and a rollback both show as a number that is not ours.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdio.h>

#include "base/mem.h"
#include "work/links.h"
#include "work/graph.h"
#include "work/work_priv.h"

#define NEAR_EDGES  64                       /* looked at by statements */
#define WORDS_BYTES 300                      /* of ids in an error */
#define CYCLES_MAX   100                      /* dep_cycles shows */

struct graph {
	struct links g;
	int64_t tracker, edges;
};

bool
edge_can_cycle(int64_t type)
{
	return type == DEP_BLOCKS || type == DEP_PARENT_CHILD;
}

/* ---- in memory ------------------------------------------------------------------- */

void
graph_drop(struct work *w)
{
	if (w->graph == NULL)
		return;
	links_release(&w->graph->g);
	free(w->graph);
	w->graph = NULL;
}

static bool
graph_current(const struct work *w)
{
	return w->graph != NULL && w->graph->tracker == w->t.seq &&
	    w->graph->edges == w->t.edges;
}

void
graph_note(struct work *w, int64_t item, int64_t target, enum dep_type type,
    bool added)
{
	struct links *g;
	bool current = graph_current(w);

	if (!edge_can_cycle(type))
		return;
	work_edges_changed(w);
	if (!current)
		return;
	g = &w->graph->g;
	if (added)
		links_add(g, links_node(g, item), links_node(g, target));
	else
		links_take(g, links_node(g, item), links_node(g, target));
	w->graph->edges = w->t.edges;
	if (g->live > LIMIT_WORK_GRAPH_EDGES ||
	    g->nodes_n > 2 * (size_t)LIMIT_WORK_GRAPH_EDGES)
		graph_drop(w);
}

/* Where the file has one tracker only, all edges are its: half the time. */
static int
edges_statement(struct work *w, enum sql *what)
{
	bool other;
	int rc = work_has(w, query_of(&w->db, SQL_TRACKER_OTHER, db_i64(w->t.seq)),
	    &other);

	*what = other ? SQL_EDGES_TRACKER : SQL_EDGES_ALL;
	return rc;
}

int
graph_edges(struct work *w, struct links *g)
{
	struct query q;
	enum sql what;
	int64_t last = 0;
	uint32_t from = NIL;
	int rc = edges_statement(w, &what);

	if (rc != OK)
		return rc;
	q = what == SQL_EDGES_TRACKER ? query_of(&w->db, SQL_EDGES_TRACKER,
	    db_i64(w->t.seq)) : query_of(&w->db, (int)what);
	while ((rc = query_row(&q)) == OK && g->live < LIMIT_WORK_GRAPH_EDGES) {
		if (!edge_can_cycle(query_i64(&q, 2)))
			continue;
		if (from == NIL || query_i64(&q, 0) != last) {
			last = query_i64(&q, 0);
			from = links_node(g, last);
		}
		links_add(g, from, links_node(g, query_i64(&q, 1)));
	}
	query_end(&q);
	return rc == ERR_NOTFOUND ? OK : rc == OK ? ERR_LIMIT : work_fail_db(w, rc);
}

static int
graph_load(struct work *w)
{
	int rc;

	if (graph_current(w))
		return OK;
	graph_drop(w);
	w->graph = mem_new(struct graph);
	w->graph->tracker = w->t.seq;
	w->graph->edges = w->t.edges;
	links_init(&w->graph->g);
	rc = graph_edges(w, &w->graph->g);
	if (rc != OK)
		graph_drop(w);
	return rc;
}

/* ---- by statements ----------------------------------------------------------------- */

struct reader {
	struct work *w;
	struct links *g;
	size_t max;                          /* edges */
};

/* The edges of one node in one direction, out of the database. */
static int
reader_pull(void *ctx, uint32_t node, int side)
{
	struct reader *r = ctx;
	int rc;
	struct query q = query_of(&r->w->db,
	    side == AHEAD ? SQL_CYCLE_TARGETS : SQL_CYCLE_SOURCES,
	    db_i64(r->g->nodes[node].seq));

	while ((rc = query_row(&q)) == OK && r->g->live < r->max) {
		uint32_t other = links_node(r->g, query_i64(&q, 0));

		links_add(r->g, side == AHEAD ? node : other,
		    side == AHEAD ? other : node);
	}
	query_end(&q);
	return rc == ERR_NOTFOUND ? OK : rc == OK ? ERR_LIMIT : work_fail_db(r->w, rc);
}

/* ---- the check --------------------------------------------------------------------- */

/* As links_search with `way` made; ERR_LIMIT: not known after `max` edges. */
static int
way_read(struct work *w, int64_t from, int64_t to, size_t max, int64_t **way,
    size_t *n)
{
	struct links g;
	struct reader r = { .w = w, .g = &g, .max = max };
	struct search s = { .g = &g, .pull = reader_pull, .ctx = &r };
	uint32_t a, b;
	int rc;

	links_init(&g);
	a = links_node(&g, from);
	b = links_node(&g, to);
	rc = links_search(&s, a, b);
	if (rc == OK)
		*way = links_way(&s, n);
	links_release(&g);
	return rc;
}

static int
way_memory(struct links *g, int64_t from, int64_t to, int64_t **way, size_t *n)
{
	struct search s = { .g = g };
	uint32_t a = links_find(g, from), b = links_find(g, to);
	int rc = a == NIL || b == NIL ? ERR_NOTFOUND : links_search(&s, a, b);

	if (rc == OK)
		*way = links_way(&s, n);
	return rc;
}

/* Has `from` dependencies, and `to` dependents?  ERR_NOTFOUND: not both. */
static int
way_possible(struct work *w, int64_t from, int64_t to)
{
	struct query q = query_of(&w->db, SQL_CYCLE_POSSIBLE, db_i64(from),
	    db_i64(to));
	int rc = query_row(&q);

	query_end(&q);
	return rc == OK || rc == ERR_NOTFOUND ? rc : work_fail_db(w, rc);
}

/* Past all limits the statements go on, slowly, as far as memory allows. */
static int
way_find(struct work *w, int64_t from, int64_t to, int64_t **way, size_t *n)
{
	int rc;

	if (graph_current(w))
		return way_memory(&w->graph->g, from, to, way, n);
	rc = way_possible(w, from, to);
	if (rc == OK)
		rc = way_read(w, from, to, NEAR_EDGES, way, n);
	if (rc != ERR_LIMIT)
		return rc;
	rc = graph_load(w);
	if (rc == OK)
		return way_memory(&w->graph->g, from, to, way, n);
	if (rc == ERR_LIMIT)
		rc = way_read(w, from, to, LIMIT_WORK_GRAPH_EDGES, way, n);
	return rc != ERR_LIMIT ? rc : work_fail(w, rc, "cannot add dependency: more than "
	    "%d others would have to be looked at for a cycle",
	    LIMIT_WORK_GRAPH_EDGES);
}

static int
id_of(struct work *w, int64_t seq, struct str *out)
{
	struct query q = query_of(&w->db, SQL_HOLD_GET, db_i64(seq));
	int rc = query_row(&q);

	if (rc == OK)
		*out = query_str(&q, 3, &w->a);
	query_end(&q);
	return rc == OK ? OK : work_fail_db(w, rc);
}

/* The ids from both ends, as many as there is room for; those between are
 * only counted. */
static int
cycle_words(struct work *w, const int64_t *cycle, size_t n)
{
	struct str id, front[WORDS_BYTES / 4], back[WORDS_BYTES / 4];
	size_t fronts = 0, backs = 0, used = 0;
	char text[2 * WORDS_BYTES] = "";
	size_t at = 0;
	int rc = OK;

	while (fronts + backs < n) {
		bool ahead = fronts <= backs;

		rc = id_of(w, ahead ? cycle[fronts] : cycle[n - 1 - backs], &id);
		if (rc != OK)
			return rc;
		used += id.n + 4;
		if (fronts + backs >= 3 && used > WORDS_BYTES)
			break;
		if (ahead)
			front[fronts++] = id;
		else
			back[backs++] = id;
	}
	for (size_t i = 0; i < fronts; i++)
		at += (size_t)snprintf(text + at, sizeof text - at, "%s%.*s",
		    i == 0 ? "" : " -> ", FMT(front[i]));
	if (fronts + backs < n)
		at += (size_t)snprintf(text + at, sizeof text - at,
		    " -> (%zu more)", n - fronts - backs);
	while (backs > 0) {
		backs--;
		at += (size_t)snprintf(text + at, sizeof text - at, " -> %.*s",
		    FMT(back[backs]));
	}
	return work_fail(w, ERR_CONFLICT, "cannot add dependency: would create a cycle "
	    "(%s)", text);
}

int
cycle_check(struct work *w, int64_t item, int64_t target, enum dep_type type)
{
	int64_t *way = NULL, *cycle;
	size_t n;
	int rc;

	assert(item > 0 && target > 0);
	if (item == target)
		return work_fail(w, ERR_CONFLICT, "issue cannot depend on itself");
	if (!edge_can_cycle(type))
		return OK;
	rc = way_find(w, target, item, &way, &n);
	if (rc != OK)
		return rc == ERR_NOTFOUND ? OK : rc;
	cycle = mem_alloc((n + 1) * sizeof *cycle);
	cycle[0] = item;
	memcpy(cycle + 1, way, n * sizeof *way);
	rc = cycle_words(w, cycle, n + 1);
	free(cycle);
	free(way);
	return rc;
}

/* ---- dep_cycles: none, unless the file was made by something else --------------------- */

/* What is left when nodes that lead nowhere, and then those nothing leads to,
 * are taken off again and again: nodes in cycles and between them. */
static void
peel(const struct links *g, int side, bool *gone)
{
	uint32_t *left = mem_zero((g->nodes_n + 1) * sizeof *left);
	uint32_t *todo = mem_alloc((g->nodes_n + 1) * sizeof *todo);
	size_t n = 0;

	for (uint32_t i = 0; i < g->nodes_n; i++) {
		for (uint32_t l = g->nodes[i].first[side]; l != NIL;
		    l = g->links[l].next[side])
			left[i] += !gone[g->links[l].end[side]];
		if (!gone[i] && left[i] == 0)
			todo[n++] = i;
	}
	while (n > 0) {
		uint32_t i = todo[--n];

		gone[i] = true;
		for (uint32_t l = g->nodes[i].first[!side]; l != NIL;
		    l = g->links[l].next[!side]) {
			uint32_t other = g->links[l].end[!side];

			if (!gone[other] && --left[other] == 0)
				todo[n++] = other;
		}
	}
	free(todo);
	free(left);
}

void
graph_peel(const struct links *g, bool *gone)
{
	peel(g, AHEAD, gone);
	peel(g, BACK, gone);
}

static int
cycle_add(struct work *w, struct links *g, const int64_t *cycle, size_t n,
    bool *gone, int *cycles)
{
	struct buf *b = w->call->data;
	struct str id;
	int rc = OK;

	if ((*cycles)++ > 0)
		buf_add_char(b, ',');
	for (size_t i = 0; rc == OK && i < n; i++) {
		rc = id_of(w, cycle[i], &id);
		buf_add_char(b, i == 0 ? '[' : ',');
		json_add_str(b, id);
		gone[links_find(g, cycle[i])] = true;
	}
	buf_add_char(b, ']');
	return rc;
}

/* A cycle through node i, if it is in one, to the answer. */
static int
cycle_of(struct work *w, struct links *g, uint32_t i, bool *gone, int *cycles)
{
	struct search s = { .g = g };
	int64_t *cycle;
	size_t n;
	int rc = ERR_NOTFOUND;

	for (uint32_t l = g->nodes[i].first[AHEAD]; l != NIL && rc == ERR_NOTFOUND;
	    l = g->links[l].next[AHEAD]) {
		uint32_t to = g->links[l].end[AHEAD];

		if (to == i)
			return cycle_add(w, g, &g->nodes[i].seq, 1, gone, cycles);
		rc = links_search(&s, to, i);
	}
	if (rc != OK)
		return OK;
	cycle = links_way(&s, &n);
	rc = cycle_add(w, g, cycle, n, gone, cycles);
	free(cycle);
	return rc;
}

int
op_dep_cycles(struct work *w, struct work_call *c)
{
	struct links *g;
	bool *gone;
	int cycles = 0, rc = graph_load(w);

	if (rc != OK)
		return rc != ERR_LIMIT ? rc : work_fail(w, rc, "dep_cycles: more than %d "
		    "dependencies", LIMIT_WORK_GRAPH_EDGES);
	g = &w->graph->g;
	gone = mem_zero(g->nodes_n + 1);
	graph_peel(g, gone);
	buf_add_char(c->data, '[');
	for (uint32_t i = 0; rc == OK && i < g->nodes_n && cycles < CYCLES_MAX; i++) {
		if (!gone[i])
			rc = cycle_of(w, g, i, gone, &cycles);
	}
	buf_add_char(c->data, ']');
	free(gone);
	return rc;
}
