/*
 * import_cycle.c - cycles that two clones closed together: one added x -> y, the
 * other y -> x, and each was valid by itself.
 *
 * An edge that would close a cycle waits until all others are added.  Then the
 * edges between items in cycles are taken oldest first, and an edge that closes a
 * cycle with older ones is dropped and reported.  The choice depends only on the
 * edges, so every clone drops the same ones; for the same reason updated_at does
 * not change.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "work/exchange/import_priv.h"
#include "work/graph.h"
#include "work/links.h"

#define CYCLE_BYTES 300                      /* of ids in a report */

struct edge {
	int64_t item, target;
	msec created;
	struct str at, item_id, target_id;   /* at: created, as text */
	enum dep_type type;
};

struct cycles {
	struct import *im;
	struct links all, kept;
	bool *gone;                          /* nodes of `all` in no cycle */
	struct edge *edges;
	size_t n, cap;
};

int
import_cycle_note(struct import *im, int64_t item, int64_t target)
{
	assert(im->resolve_cycles);
	im->c->err = (struct err){ 0 };
	mem_grow(im->late, im->late_n, im->late_cap);
	im->late[im->late_n++] = (struct wait){ item, target };
	return OK;
}

/* ---- what there is --------------------------------------------------------- */

static int
all_read(struct cycles *r)
{
	const struct import *im = r->im;
	int rc = graph_edges(im->w, &r->all);

	if (rc == ERR_LIMIT)
		return work_fail(im->w, rc, "more than %d dependencies, some of them "
		    "in cycles", LIMIT_WORK_GRAPH_EDGES);
	for (size_t i = 0; rc == OK && i < im->late_n; i++)
		links_add(&r->all, links_node(&r->all, im->late[i].item),
		    links_node(&r->all, im->late[i].target));
	r->gone = mem_zero(r->all.nodes_n + 1);
	graph_peel(&r->all, r->gone);
	return rc;
}

static bool
in_cycle(const struct cycles *r, int64_t seq)
{
	uint32_t node = links_find(&r->all, seq);

	return node != NIL && !r->gone[node];
}

static int
edges_of(struct cycles *r, int64_t seq)
{
	struct import *im = r->im;
	struct item it;
	int64_t target;
	int rc;

	arena_clear(&im->w->a);
	rc = item_load(im->w, seq, &it);
	for (size_t i = 0; rc == OK && i < it.deps_n; i++) {
		const struct dep *d = &it.deps[i];
		struct edge e = { .item = seq, .type = d->type };

		if (!edge_can_cycle(d->type))
			continue;
		rc = record_row(im->w, d->id, &target);
		if (rc != OK || target == 0 || !in_cycle(r, target))
			continue;
		e.target = target;
		clock_read_iso(d->created_at, &e.created);
		e.at = arena_str(&im->plan, d->created_at);
		e.item_id = arena_str(&im->plan, it.id);
		e.target_id = arena_str(&im->plan, d->id);
		mem_grow(r->edges, r->n, r->cap);
		r->edges[r->n++] = e;
	}
	return rc;
}

static int
edge_order(const void *left, const void *right)
{
	const struct edge *a = left, *b = right;
	int order;

	if (a->created != b->created)
		return a->created < b->created ? -1 : 1;
	order = str_cmp(a->at, b->at);
	if (order == 0)
		order = str_cmp(a->item_id, b->item_id);
	return order != 0 ? order : str_cmp(a->target_id, b->target_id);
}

/* ---- one edge -------------------------------------------------------------- */

static int
is_stored(struct import *im, const struct edge *e, bool *yes)
{
	int rc = query_any(query_of(&im->w->db, SQL_EDGE_GET, db_i64(e->item),
	    db_i64(e->target)));

	*yes = rc == OK;
	return rc == OK || rc == ERR_NOTFOUND ? OK : work_fail_db(im->w, rc);
}

/* item -> target -> ... -> item, by ids. */
static void
cycle_words(struct cycles *r, const struct edge *e, const int64_t *way, size_t n,
    struct buf *out)
{
	buf_add(out, e->item_id);
	for (size_t i = 0; i < n; i++) {
		const struct edge *x = r->edges;

		while (x < r->edges + r->n && x->item != way[i])
			x++;
		if (i + 1 < n && out->n > CYCLE_BYTES) {
			buf_add_fmt(out, " -> (%zu more)", n - i - 1);
			i = n - 1;
			x = e;
		}
		buf_lit(out, " -> ");
		if (x < r->edges + r->n)
			buf_add(out, x->item_id);
	}
}

static void
report(struct cycles *r, const struct edge *e, bool stored, const int64_t *way,
    size_t n)
{
	struct buf *b = &r->im->conflicts, words = BUF(64 * KB);

	if (!import_report_begin(r->im, b))
		return;
	cycle_words(r, e, way, n, &words);
	json_add_fmt(b, "{'id':%.*s,'field':'dependencies','ours':%.*s,'theirs':%.*s,"
	    "'kept':'','cycle':%.*s}", FMT(e->item_id),
	    FMT(stored ? e->target_id : S("")), FMT(stored ? S("") : e->target_id),
	    FMT(buf_str(&words)));
	buf_release(&words);
}

static struct str
dep_json(struct work *w, const struct edge *e)
{
	return arena_fmt(&w->a, "{\"depends_on_id\":\"%.*s\",\"type\":\"%s\"}",
	    FMT(e->target_id), work_dep_names[e->type]);
}

static int
edge_drop(struct cycles *r, const struct edge *e, bool stored)
{
	struct work *w = r->im->w;
	struct item it, was;
	int rc;

	arena_clear(&w->a);
	rc = item_load(w, e->item, &it);
	if (rc != OK)
		return rc;
	was = it;
	rc = item_drop_dep(w, &it, e->target_id);
	if (rc == OK)
		rc = item_save(w, &it, &was);
	if (rc == OK)
		rc = event_add(w, it.seq, it.id, EVENT_dependency_removed,
		    dep_json(w, e), STR_NONE, false);
	return rc == OK && stored ? edge_remove(w, e->item, e->target) : rc;
}

/* Called oldest first: the edge is kept unless it closes a cycle with kept ones. */
static int
edge_settle(struct cycles *r, const struct edge *e)
{
	struct search s = { .g = &r->kept };
	uint32_t from = links_node(&r->kept, e->target);
	uint32_t to = links_node(&r->kept, e->item);
	bool stored;
	int64_t *way;
	size_t n;
	int rc = is_stored(r->im, e, &stored);

	if (rc != OK)
		return rc;
	if (links_search(&s, from, to) != OK) {
		links_add(&r->kept, to, from);
		return OK;
	}
	way = links_way(&s, &n);
	report(r, e, stored, way, n);
	free(way);
	return edge_drop(r, e, stored);
}

/* Adds the edges that waited and were kept; called after the others are dropped. */
static int
late_add(struct cycles *r)
{
	bool stored;
	int rc = OK;

	for (size_t i = 0; rc == OK && i < r->n; i++) {
		const struct edge *e = &r->edges[i];
		uint32_t from = links_find(&r->kept, e->item), l;

		for (l = r->kept.nodes[from].first[AHEAD]; l != NIL; l =
		    r->kept.links[l].next[AHEAD]) {
			if (r->kept.nodes[r->kept.links[l].end[AHEAD]].seq ==
			    e->target)
				break;
		}
		if (l == NIL)
			continue;
		arena_clear(&r->im->w->a);
		rc = is_stored(r->im, e, &stored);
		if (rc == OK && !stored)
			rc = edge_add(r->im->w, e->item, e->target, e->type);
	}
	return rc;
}

int
import_cycles_resolve(struct import *im)
{
	struct cycles r = { .im = im };
	int rc;

	if (im->late_n == 0)
		return OK;
	links_init(&r.all);
	links_init(&r.kept);
	rc = all_read(&r);
	for (uint32_t i = 0; rc == OK && i < r.all.nodes_n; i++) {
		if (!r.gone[i])
			rc = edges_of(&r, r.all.nodes[i].seq);
	}
	if (r.n > 1)
		qsort(r.edges, r.n, sizeof *r.edges, edge_order);
	for (size_t i = 0; rc == OK && i < r.n; i++)
		rc = edge_settle(&r, &r.edges[i]);
	if (rc == OK)
		rc = late_add(&r);
	links_release(&r.all);
	links_release(&r.kept);
	free(r.gone);
	free(r.edges);
	return rc;
}
