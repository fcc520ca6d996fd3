/*
 * import_write.c - writes the items of an import.
 *
 * First the rows, then the edges, which become what the bodies say, and last the
 * items that were closed: by then all edges exist, so no item is reported ready
 * too early.  The counters are correct after each step.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"
#include "work/exchange/import_priv.h"
#include "work/graph.h"

static int
sources_read(struct work *w, int64_t target, int64_t **list, size_t *n)
{
	return work_seqs_read(w, query_of(&w->db, SQL_IMPORT_EDGES_TO, db_i64(target)),
	    &w->a, list, n);
}

static int
loose_drop(struct work *w, int64_t item)
{
	int rc = db_run(&w->db, SQL_LOOSE_DROP, db_i64(item));

	return rc == OK ? OK : work_fail_db(w, rc);
}

/* ---- another id ------------------------------------------------------------ */

/* An item that depends on it has its id in its body. */
static int
source_rename(struct work *w, int64_t source, struct str from, struct str to)
{
	struct item it, was;
	int rc = item_load(w, source, &it);

	if (rc != OK)
		return rc;
	was = it;
	for (size_t i = 0; i < it.deps_n; i++) {
		if (str_eq(it.deps[i].id, from))
			it.deps[i].id = to;
	}
	return item_save(w, &it, &was);
}

int
import_item_move(struct import *im, struct item *it, struct str to)
{
	struct work *w = im->w;
	struct item was = *it;
	int64_t *sources;
	size_t n;
	int rc;

	it->id = to;
	rc = item_save(w, it, &was);
	if (rc == ERR_CONFLICT)
		rc = work_fail(w, rc, "%.*s needs another id, but %.*s is in use",
		    FMT(was.id), FMT(to));
	if (rc == OK)
		rc = event_add(w, it->seq, to, EVENT_renamed, item_json(w, &was),
		    item_json(w, it), false);
	if (rc == OK)
		rc = sources_read(w, it->seq, &sources, &n);
	for (size_t i = 0; rc == OK && i < n; i++)
		rc = source_rename(w, sources[i], was.id, to);
	return import_fail_line(im, rc);
}

/* ---- rows ------------------------------------------------------------------ */

static int
comment_put(struct work *w, int64_t item, const struct comment *c)
{
	int64_t seq;

	return comment_insert(w, item, c->author, c->created_at, c->text, &seq);
}

static int
row_new(struct import *im, struct entry *x, struct record *r)
{
	struct work *w = im->w;
	struct item *it = &r->it;
	int rc;

	if (it->created_at.p == NULL && it->status != STATUS_TOMBSTONE) {
		it->created_at = it->updated_at.p != NULL ? it->updated_at :
		    work_now_text(w);
		clock_read_iso(it->created_at, &it->created);
	}
	if (it->updated_at.p == NULL && it->status != STATUS_TOMBSTONE)
		it->updated_at = it->created_at;
	record_settle(it);
	if (it->status == STATUS_TOMBSTONE)
		it->labels_n = it->deps_n = r->comments_n = 0;
	it->comments = (int64_t)r->comments_n;
	rc = item_save(w, it, NULL);
	for (size_t i = 0; rc == OK && i < r->comments_n; i++)
		rc = comment_put(w, it->seq, &r->comments[i]);
	x->seq = it->seq;
	x->written = x->added = true;
	im->created++;
	return import_fail_line(im, rc);
}

static bool
comment_in(const struct record *r, const struct comment *c)
{
	for (size_t i = 0; i < r->comments_n; i++) {
		const struct comment *x = &r->comments[i];

		if (str_eq(x->text, c->text) && str_eq(x->author, c->author) &&
		    str_eq(x->created_at, c->created_at))
			return true;
	}
	return false;
}

static int
comments_new(struct import *im, const struct record *ours, struct record *out)
{
	int rc = OK;

	out->it.comments = ours->it.comments;
	for (size_t i = 0; rc == OK && i < out->comments_n; i++) {
		if (comment_in(ours, &out->comments[i]))
			continue;
		rc = comment_put(im->w, ours->it.seq, &out->comments[i]);
		out->it.comments++;
	}
	return rc;
}

/* A lease ends if the import changed the status or the assignee. */
static void
lease_settle(struct item *it)
{
	if (it->lease_holder.p != NULL && (it->status != STATUS_IN_PROGRESS ||
	    !str_eq(it->assignee, it->lease_holder))) {
		it->lease_holder = STR_NONE;
		it->lease_until = 0;
	}
}

/* Removes the dependency on a deleted item. */
static int
source_drop(struct work *w, int64_t source, const struct item *gone)
{
	struct item it, was;
	int rc = item_load(w, source, &it);

	if (rc != OK)
		return rc;
	was = it;
	rc = item_drop_dep(w, &it, gone->id);
	if (rc == OK)
		rc = item_save(w, &it, &was);
	if (rc == OK)
		rc = event_add(w, it.seq, it.id, EVENT_imported, item_json(w, &was),
		    item_json(w, &it), false);
	return rc == OK ? edge_remove(w, source, gone->seq) : rc;
}

static int
targets_drop(struct work *w, int64_t seq)
{
	int64_t *targets;
	size_t n;
	int rc = work_seqs_read(w, query_of(&w->db, SQL_EDGES_OF, db_i64(seq)), &w->a,
	    &targets, &n);

	for (size_t i = 0; rc == OK && i < n; i++)
		rc = edge_remove(w, seq, targets[i]);
	return rc;
}

static int
row_bury(struct import *im, const struct record *ours, struct record *out)
{
	struct work *w = im->w;
	struct item *it = &out->it;
	int64_t *sources;
	size_t n;
	int rc;

	if (it->title.p == NULL)
		it->title = ours->it.title;
	if (it->created_at.p == NULL) {
		it->created_at = ours->it.created_at;
		it->created = ours->it.created;
	}
	it->lease_holder = STR_NONE;
	it->labels_n = it->deps_n = 0;
	it->comments = 0;
	rc = event_add(w, it->seq, it->id, EVENT_deleted, item_json(w, &ours->it),
	    STR_NONE, false);
	if (rc == OK)
		rc = item_save(w, it, &ours->it);
	if (rc == OK)
		rc = comments_drop(w, it->seq);
	if (rc == OK)
		rc = loose_drop(w, it->seq);
	if (rc == OK && !status_is_done(ours->it.status))
		rc = graph_closed(w, it->seq, true);
	if (rc == OK)
		rc = targets_drop(w, it->seq);
	if (rc == OK)
		rc = sources_read(w, it->seq, &sources, &n);
	for (size_t i = 0; rc == OK && i < n; i++)
		rc = source_drop(w, sources[i], it);
	im->deleted++;
	return import_fail_line(im, rc);
}

/* Writes the merged item over ours and updates what depends on its status. */
static int
row_change(struct import *im, struct entry *x, const struct record *ours,
    struct record *out)
{
	struct work *w = im->w;
	const struct item *was = &ours->it;
	struct item *it = &out->it;
	struct str old_body = item_json(w, was);
	int rc = comments_new(im, ours, out);

	lease_settle(it);
	if (rc == OK && str_eq(old_body, item_json(w, it)) &&
	    it->comments == was->comments) {
		im->unchanged++;
		return OK;
	}
	if (rc == OK)
		rc = item_save(w, it, was);
	if (rc == OK)
		rc = event_add(w, it->seq, it->id, EVENT_imported, old_body,
		    item_json(w, it), it->status == STATUS_OPEN && !item_held(it) &&
		    was->status != STATUS_OPEN && it->deps_n <= was->deps_n);
	if (rc == OK && status_is_done(it->status) != status_is_done(was->status))
		rc = graph_closed(w, it->seq, status_is_done(it->status));
	x->written = true;
	x->added = was->status == STATUS_TOMBSTONE;
	im->updated++;
	return import_fail_line(im, rc);
}

/* ---- merging --------------------------------------------------------------- */

/* Our times replace those that the line leaves out. */
static void
times_fill(struct record *theirs, const struct record *ours)
{
	if (theirs->it.created_at.p == NULL) {
		theirs->it.created_at = ours->it.created_at;
		theirs->it.created = ours->it.created;
	}
	if (theirs->it.updated_at.p == NULL)
		theirs->it.updated_at = ours->it.updated_at;
	record_settle(&theirs->it);
}

/* The base for a line: what both sides had last.  If that is unknown: our item if
 * the line has its time, since then it is an edited copy of ours; else the item as
 * it was created. */
static const struct record *
base_read(struct import *im, const struct entry *x, const struct record *ours,
    const struct record *theirs, struct json_doc *doc, struct record *room)
{
	struct str line = STR_NONE, old;
	struct err e;
	bool known;

	old = renames_get(&im->back, x->id);
	if (old.p != NULL && import_base_get(im, old, &line) != OK)
		return NULL;
	if (line.n == 0 && import_base_get(im, x->id, &line) != OK)
		return NULL;
	known = line.n > 0;
	if (!known && str_eq(ours->it.updated_at, theirs->it.updated_at))
		return ours;
	if (!known && record_text(im->w, query_of(&im->w->db, SQL_BASE_FIRST,
	    db_i64(ours->it.seq)), &line) != OK)
		return NULL;
	if (line.n == 0 || record_parse(room, doc, line, &im->w->a, &e) != OK)
		return NULL;
	rename_in_item(&room->it, &im->known, &im->w->a);
	return known || str_eq(room->it.created_at, theirs->it.created_at) ? room :
	    NULL;
}

static int
entry_merge(struct import *im, struct entry *x, bool closing)
{
	struct merge m = { &im->w->a, import_report_clash, im };
	struct json_doc doc = { 0 };
	struct record ours, theirs, out, room;
	const struct record *base;
	int rc = import_entry_open(im, x, &theirs);

	if (rc == OK)
		rc = record_load(im->w, x->seq, &ours);
	if (rc != OK)
		return rc;
	if (theirs.it.status != STATUS_TOMBSTONE)
		times_fill(&theirs, &ours);
	base = base_read(im, x, &ours, &theirs, &doc, &room);
	m.report = NULL;
	record_merge(&out, base, &ours, &theirs, &m);
	if (!closing && status_is_done(out.it.status) &&
	    !status_is_done(ours.it.status)) {
		x->closing = true;           /* merged again, and reported, later */
		json_release(&doc);
		return OK;
	}
	m.report = import_report_clash;
	record_merge(&out, base, &ours, &theirs, &m);
	if (out.it.status == STATUS_TOMBSTONE &&
	    ours.it.status != STATUS_TOMBSTONE)
		rc = row_bury(im, &ours, &out);
	else
		rc = row_change(im, x, &ours, &out);
	json_release(&doc);
	return rc;
}

/* ---- edges ----------------------------------------------------------------- */

struct edge {
	int64_t target;
	enum dep_type type;
	struct str id;
};

static int
edges_read(struct work *w, int64_t seq, struct edge *list, size_t max, size_t *n)
{
	struct query q;
	int rc;

	*n = 0;
	q = query_of(&w->db, SQL_IMPORT_EDGES, db_i64(seq));
	while ((rc = query_row(&q)) == OK && *n < max)
		list[(*n)++] = (struct edge){ query_i64(&q, 0),
			(enum dep_type)query_i64(&q, 1), query_str(&q, 2, &w->a) };
	query_end(&q);
	return rc == OK || rc == ERR_NOTFOUND ? OK : work_fail_db(w, rc);
}

/* The target does not exist: the body keeps the dependency, which becomes an edge
 * when the target is created. */
static int
dep_loose(struct import *im, const struct item *it, struct str target)
{
	int rc;

	if (im->strict)
		return work_fail(im->w, ERR_INVALID, "dependencies: %.*s depends on "
		    "%.*s, which does not exist", FMT(it->id), FMT(target));
	import_warn(im, "dependencies: %.*s depends on %.*s, which does not exist",
	    FMT(it->id), FMT(target));
	rc = db_run(&im->w->db, SQL_LOOSE_PUT, db_i64(im->w->t.seq),
	    db_str(target), db_i64(it->seq));
	return rc == OK ? OK : work_fail_db(im->w, rc);
}

static int
dep_follow(struct import *im, const struct item *it, const struct dep *d)
{
	int64_t target;
	int rc = item_seq_exact(im->w, d->id, &target);

	if (rc == ERR_NOTFOUND)
		return dep_loose(im, it, d->id);
	if (rc != OK)
		return rc;
	rc = cycle_check(im->w, it->seq, target, d->type);
	if (rc == ERR_CONFLICT && im->resolve_cycles)
		return import_cycle_note(im, it->seq, target);
	return rc == OK ? edge_add(im->w, it->seq, target, d->type) : rc;
}

/* Makes the edges of an item what its body says.  add: false for a first pass that
 * removes, true for a second that adds. */
static int
edges_follow(struct import *im, int64_t seq, bool add)
{
	struct work *w = im->w;
	struct edge *edges = arena_alloc(&w->a, LIMIT_WORK_DEPS * sizeof *edges);
	struct item it;
	size_t n;
	int rc = item_load(w, seq, &it);

	if (rc == OK && edges == NULL)
		rc = work_fail(w, ERR_TOOBIG, "too many dependencies");
	if (rc == OK)
		rc = edges_read(w, seq, edges, LIMIT_WORK_DEPS, &n);
	if (rc == OK && add)
		rc = loose_drop(w, seq);
	for (size_t i = 0; rc == OK && !add && i < n; i++) {
		bool kept = false;

		for (size_t j = 0; j < it.deps_n && !kept; j++)
			kept = str_eq(it.deps[j].id, edges[i].id) &&
			    it.deps[j].type == edges[i].type;
		if (!kept)
			rc = edge_remove(w, seq, edges[i].target);
	}
	for (size_t j = 0; rc == OK && add && j < it.deps_n; j++) {
		bool there = false;

		for (size_t i = 0; i < n && !there; i++)
			there = str_eq(it.deps[j].id, edges[i].id);
		if (!there)
			rc = dep_follow(im, &it, &it.deps[j]);
	}
	return rc;
}

/* Adds the edges of items that depended on it before it existed. */
static int
loose_join(struct import *im, struct str id)
{
	int64_t *items;
	size_t n;
	int rc = work_seqs_read(im->w, query_of(&im->w->db, SQL_LOOSE_TO,
	    db_i64(im->w->t.seq), db_str(id)), &im->plan, &items, &n);

	for (size_t i = 0; rc == OK && i < n; i++) {
		arena_clear(&im->w->a);
		rc = edges_follow(im, items[i], true);
	}
	return rc;
}

/* The event of a new item is written last, when it is known whether it is held. */
static int
created_note(struct import *im, const struct entry *x)
{
	struct work *w = im->w;
	struct item it;
	int rc = item_load(w, x->seq, &it);

	if (rc != OK || it.status == STATUS_TOMBSTONE)
		return rc;
	return event_add(w, it.seq, it.id, EVENT_imported, STR_NONE,
	    item_json(w, &it), it.status == STATUS_OPEN && !item_held(&it));
}

/* ---- the order of it all --------------------------------------------------- */

static int
entry_edges(struct import *im, struct entry *x, bool add)
{
	int rc;

	if (!x->written || x->id.p == NULL)
		return OK;
	im->line = x->line;
	arena_clear(&im->w->a);
	rc = edges_follow(im, x->seq, add);
	if (rc == OK && add && x->added)
		rc = loose_join(im, x->id);
	return import_fail_line(im, rc);
}

static int
entry_row(struct import *im, struct entry *x)
{
	struct record r;
	int rc;

	switch (x->kind) {
	case ENTRY_BLANK: return OK;
	case ENTRY_SKIP:  im->skipped++; return OK;
	case ENTRY_SAME:  im->unchanged++; return OK;
	case ENTRY_MERGE: return entry_merge(im, x, false);
	case ENTRY_NEW:
		rc = import_entry_open(im, x, &r);
		return rc == OK ? row_new(im, x, &r) : rc;
	}
	return OK;
}

static int
entry_close(struct import *im, struct entry *x)
{
	if (!x->closing)
		return OK;
	return entry_merge(im, x, true);
}

static int
edges_remove(struct import *im, struct entry *x)
{
	return entry_edges(im, x, false);
}

static int
edges_add(struct import *im, struct entry *x)
{
	return entry_edges(im, x, true);
}

static int
entry_closing_edges(struct import *im, struct entry *x)
{
	int rc = x->closing ? entry_edges(im, x, false) : OK;

	return rc == OK && x->closing ? entry_edges(im, x, true) : rc;
}

static int
entry_note(struct import *im, struct entry *x)
{
	if (x->kind != ENTRY_NEW)
		return OK;
	arena_clear(&im->w->a);
	return created_note(im, x);
}

int
import_write(struct import *im)
{
	static int (*const steps[])(struct import *im, struct entry *x) = {
		entry_row, edges_remove, edges_add, entry_close,
		entry_closing_edges, entry_note
	};
	size_t total = IMPORT_STEPS * im->n;
	int rc = OK;

	for (size_t s = 0; rc == OK && s < COUNT(steps); s++) {
		if (steps[s] == entry_note)
			rc = import_cycles_resolve(im);
		for (size_t i = 0; rc == OK && i < im->n; i++) {
			rc = work_tick(im->w, (s + 2) * im->n + i, total);
			if (rc == OK)
				rc = steps[s](im, &im->list[i]);
		}
	}
	return rc;
}
