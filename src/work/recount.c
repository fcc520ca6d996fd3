/*
 * recount.c - everything that is kept beside the items' bodies, once more from
 * the bodies: columns, labels, edges, who is held, how many there are.
 *
 * The bodies are what is true, for they are what is shown and exported.  What
 * differs is mended as it is found, so that later parts count on it; without
 * `fix` a savepoint then takes it all back.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "work/graph.h"
#include "work/row.h"
#include "work/work_priv.h"

struct node {
	int64_t seq, state;                  /* state: stored */
	int64_t stored_blockers, stored_parents;
	int64_t blockers, parents;           /* counted */
	enum status status;
	struct str id;
	bool held;
};

struct recount {
	struct work *w;
	struct node *nodes;                  /* by seq */
	size_t n;
	struct arena all;                    /* nodes; w->a is one item's */
	int64_t lead;
	struct buf shown;
	int64_t found;
};

/* ---- what differs --------------------------------------------------------------------------- */

/* `what` of `id`; the values are JSON. */
static void
differs(struct recount *r, struct str id, const char *what, struct str stored,
    struct str counted)
{
	struct str words = arena_fmt(&r->w->a, "%.*s%s%s", FMT(id), id.n > 0 ? " " : "",
	    what);

	if (r->found++ < LIMIT_WORK_DIFFERENCES)
		json_add_fmt(&r->shown, ",{'what':%.*s,'stored':%-.*s,'counted':%-.*s}",
		    FMT(words), FMT(stored), FMT(counted));
}

static bool
check_int(struct recount *r, struct str id, const char *what, int64_t stored,
    int64_t counted)
{
	struct arena *a = &r->w->a;

	if (stored == counted)
		return true;
	differs(r, id, what, arena_fmt(a, "%lld", (long long)stored),
	    arena_fmt(a, "%lld", (long long)counted));
	return false;
}

static struct str
quoted(struct recount *r, struct str s)
{
	struct buf b = BUF(LIMIT_WORK_TEXT_BYTES);

	if (s.p == NULL)
		return S("null");
	json_add_str(&b, s);
	return work_text_keep(r->w, &b);
}

static bool
check_text(struct recount *r, struct str id, const char *what, struct str stored,
    struct str counted)
{
	if (str_eq(stored, counted))
		return true;
	differs(r, id, what, quoted(r, stored), quoted(r, counted));
	return false;
}

/* ---- one item: its columns ------------------------------------------------------------------- */

/* The row under q (of RECOUNT_ITEM) against the item read from its body. */
static bool
columns_agree(struct recount *r, const struct query *q, struct item *it)
{
	struct str id = it->id;
	int64_t lease = it->lease_holder.p == NULL ? 0 : it->lease_until;
	bool same = check_text(r, id, "id", query_borrow(q, 0), id);

	if (!clock_read_iso(it->created_at, &it->created))
		it->created = query_i64(q, 3);
	it->comments = query_i64(q, 9);
	same &= check_int(r, id, "status", query_i64(q, 1) / 2, (int64_t)it->status);
	same &= check_int(r, id, "priority", query_i64(q, 2), it->priority);
	same &= check_int(r, id, "created", query_i64(q, 3), it->created);
	same &= check_int(r, id, "type", query_i64(q, 4), (int64_t)it->type);
	same &= check_text(r, id, "assignee", query_borrow(q, 5), it->assignee);
	same &= check_int(r, id, "comments", query_i64(q, 6), it->comments);
	same &= check_int(r, id, "lease", query_i64(q, 7), lease);
	return same;
}

static int
columns_check(struct recount *r, struct item *it, bool *agree)
{
	struct query q = query_of(&r->w->db, SQL_RECOUNT_ITEM, db_i64(it->seq));
	int rc = query_row(&q);

	if (rc == OK)
		*agree = columns_agree(r, &q, it);
	query_end(&q);
	return rc == OK ? OK : work_fail_db(r->w, rc);
}

/* ---- one item: its edges -------------------------------------------------- */

struct row {
	int64_t target;
	enum dep_type type;
	struct str id;
	bool wanted;
};

static int
rows_read(struct recount *r, int64_t item, struct row **rows, size_t *n)
{
	struct work *w = r->w;
	struct query q;
	size_t cap = 0;
	int rc;

	*n = 0;
	*rows = NULL;
	q = query_of(&w->db, SQL_RECOUNT_EDGES, db_i64(item));
	while ((rc = query_row(&q)) == OK) {
		if (!arena_grow(&w->a, *rows, *n, cap))
			break;
		(*rows)[(*n)++] = (struct row){ query_i64(&q, 0),
			(enum dep_type)query_i64(&q, 1), query_str(&q, 2, &w->a), false };
	}
	query_end(&q);
	if (rc == OK)
		return work_fail(w, ERR_TOOBIG, "too many dependencies");
	return rc == ERR_NOTFOUND ? OK : work_fail_db(w, rc);
}

static int
edge_take(struct work *w, int64_t item, int64_t target)
{
	work_edges_changed(w);
	return work_exec(w, SQL_EDGE_TAKE, db_i64(item), db_i64(target));
}

/* A body may name what is not there if an import left it so. */
static int
loose_check(struct recount *r, const struct item *it, struct str target, bool *yes)
{
	return work_has(r->w, query_of(&r->w->db, SQL_LOOSE_HAS,
	    db_i64(r->w->t.seq), db_str(target), db_i64(it->seq)), yes);
}

/* Of a row's type, which may be any number. */
static const char *
dep_name(enum dep_type type)
{
	return (unsigned)type < DEP_TYPES ? work_dep_names[type] : "unknown";
}

/* One dependency of the body; *keep: not when its target is not there. */
static int
dep_check(struct recount *r, const struct item *it, const struct dep *dep,
    struct row *rows, size_t n, bool *keep)
{
	const char *what = arena_fmt(&r->w->a, "dependency on %.*s",
	    FMT(dep->id)).p;
	struct str name = str_of(work_dep_names[dep->type]);
	int64_t target = 0;
	int rc;

	*keep = true;
	for (size_t i = 0; i < n; i++) {
		if (rows[i].id.p == NULL || !str_eq(rows[i].id, dep->id))
			continue;
		rows[i].wanted = true;
		if (check_text(r, it->id, what,
		    str_of(dep_name(rows[i].type)), name))
			return OK;
		rc = edge_take(r->w, it->seq, rows[i].target);
		return rc == OK ? edge_put(r->w, it->seq, rows[i].target,
		    dep->type) : rc;
	}
	rc = item_seq_exact(r->w, dep->id, &target);
	if (rc == ERR_NOTFOUND) {
		rc = loose_check(r, it, dep->id, keep);
		if (rc != OK || *keep)
			return rc;
		differs(r, it->id, what, quoted(r, name), S("\"no such issue\""));
		return OK;
	}
	if (rc != OK)
		return rc;
	differs(r, it->id, what, S("null"), quoted(r, name));
	return edge_put(r->w, it->seq, target, dep->type);
}

static int
edges_check(struct recount *r, struct item *it)
{
	struct row *rows = NULL;
	size_t n = 0, kept = 0;
	int rc = rows_read(r, it->seq, &rows, &n);

	for (size_t i = 0; rc == OK && i < it->deps_n; i++) {
		bool keep;

		rc = dep_check(r, it, &it->deps[i], rows, n, &keep);
		if (keep)
			it->deps[kept++] = it->deps[i];
	}
	if (rc == OK)
		it->deps_n = kept;
	for (size_t i = 0; rc == OK && i < n; i++) {
		if (rows[i].wanted)
			continue;
		differs(r, it->id, arena_fmt(&r->w->a, "dependency on %.*s",
		    FMT(rows[i].id)).p, quoted(r, str_of(
		    dep_name(rows[i].type))), S("null"));
		rc = edge_take(r->w, it->seq, rows[i].target);
	}
	return rc;
}

/* ---- one item: its labels ------------------------------------------------- */

static int
label_run(struct work *w, enum sql what, struct str label, int64_t item, bool *there)
{
	return work_has(w, query_of(&w->db, what, db_i64(w->t.seq), db_str(label),
	    db_i64(item)), there);
}

static int
labels_check(struct recount *r, const struct item *it)
{
	int rc = OK;

	for (size_t i = 0; rc == OK && i < it->labels_n; i++) {
		struct str label = it->labels[i];

		bool there;

		rc = label_run(r->w, SQL_LABEL_HAS, label, it->seq, &there);
		if (rc == OK && !there) {
			differs(r, it->id, "label", S("null"), quoted(r, label));
			rc = label_run(r->w, SQL_LABEL_PUT, label, it->seq, &there);
		}
	}
	return rc;
}

/* The other way round: rows that no body has.  The statement sorts, so that
 * what it gives is not what is being changed. */
static int
label_rows_check(struct recount *r)
{
	struct work *w = r->w;
	struct item it = { 0 };
	bool there;
	int rc;
	struct query q = query_of(&w->db, SQL_RECOUNT_LABELS, db_i64(w->t.seq));

	while ((rc = query_row(&q)) == OK) {
		struct str label;

		if (it.seq != query_i64(&q, 0)) {
			arena_clear(&w->a);
			if (item_load(w, query_i64(&q, 0), &it) != OK) {
				it.seq = 0;  /* damaged, and said so already */
				continue;
			}
		}
		label = query_str(&q, 1, &w->a);
		if (work_label_in(it.labels, it.labels_n, label))
			continue;
		differs(r, it.id, "label", quoted(r, label), S("null"));
		rc = label_run(w, SQL_LABEL_TAKE, label, it.seq, &there);
		if (rc != OK)
			break;
	}
	return work_rows_end(w, &q, rc);
}

/* ---- every item ----------------------------------------------------------- */

static int
item_check(struct recount *r, struct node *n)
{
	struct work *w = r->w;
	struct item it;
	size_t deps;
	bool agree = true;
	int rc = item_load(w, n->seq, &it);

	if (rc != OK && db_broken(&w->db))
		return rc;
	if (rc != OK) {
		differs(r, n->id, "body", S("\"unreadable\""), S("null"));
		return OK;
	}
	deps = it.deps_n;
	rc = columns_check(r, &it, &agree);
	if (rc == OK)
		rc = edges_check(r, &it);
	if (rc == OK && (!agree || deps != it.deps_n))
		rc = item_save(w, &it, &it);
	if (rc == OK)
		rc = labels_check(r, &it);
	n->status = it.status;
	r->lead += item_lead(&it);
	return rc;
}

static int
items_check(struct recount *r)
{
	int rc = OK;

	for (size_t i = 0; rc == OK && i < r->n; i++) {
		arena_clear(&r->w->a);
		rc = work_tick(r->w, i, r->n);
		if (rc == OK)
			rc = item_check(r, &r->nodes[i]);
	}
	return rc;
}

static int
node_order(const void *a, const void *b)
{
	const struct node *x = a, *y = b;

	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static struct node *
node_find(struct recount *r, int64_t seq)
{
	struct node key = { .seq = seq };

	return bsearch(&key, r->nodes, r->n, sizeof key, node_order);
}

/* Their numbers; what they hold is read by nodes_hold. */
static int
nodes_read(struct recount *r)
{
	struct work *w = r->w;
	size_t cap = 0;
	int rc;
	struct query q = query_of(&w->db, SQL_ITEMS_ALL, db_i64(w->t.seq));

	while ((rc = query_row(&q)) == OK) {
		if (!arena_grow(&r->all, r->nodes, r->n, cap))
			break;
		r->nodes[r->n++] = (struct node){ .seq = query_i64(&q, 0),
			.id = query_str(&q, 1, &r->all) };
	}
	query_end(&q);
	if (rc == OK || r->all.failed)
		return work_fail(w, ERR_LIMIT, "recount: too many items");
	if (r->n > 0)
		qsort(r->nodes, r->n, sizeof *r->nodes, node_order);
	return rc == ERR_NOTFOUND ? OK : work_fail_db(w, rc);
}

/* ---- who is held ---------------------------------------------------------- */

/* What is stored, and the status that the first part has put right. */
static int
nodes_hold(struct recount *r)
{
	int rc = OK;

	for (size_t i = 0; rc == OK && i < r->n; i++) {
		struct node *n = &r->nodes[i];
		struct query q = query_of(&r->w->db, SQL_HOLD_GET,
		    db_i64(n->seq));

		rc = query_row(&q);
		if (rc == OK) {
			n->state = query_i64(&q, 0);
			n->stored_blockers = query_i64(&q, 1);
			n->stored_parents = query_i64(&q, 2);
			n->status = (enum status)(n->state / 2);
		}
		query_end(&q);
	}
	return rc == OK ? OK : work_fail_db(r->w, rc);
}

static int
blockers_count(struct recount *r, struct node *n)
{
	int rc;
	struct query q = query_of(&r->w->db, SQL_EDGES_OF, db_i64(n->seq));

	while ((rc = query_row(&q)) == OK) {
		const struct node *target = node_find(r, query_i64(&q, 0));

		n->blockers += query_i64(&q, 1) == DEP_BLOCKS && target != NULL &&
		    target->status < STATUS_CLOSED;
	}
	return work_rows_end(r->w, &q, rc);
}

/* A held item's children: each has one held parent more; those that were free
 * until now join the queue. */
static int
children_hold(struct recount *r, const struct node *parent, struct node **queue,
    size_t *n)
{
	int rc;
	struct query q = query_of(&r->w->db, SQL_EDGES_TO, db_i64(parent->seq),
	    db_i64(DEP_PARENT_CHILD));

	while ((rc = query_row(&q)) == OK) {
		struct node *child = node_find(r, query_i64(&q, 0));

		if (child == NULL)
			continue;
		child->parents++;
		if (!child->held)
			queue[(*n)++] = child;
		child->held = true;
	}
	return work_rows_end(r->w, &q, rc);
}

static int
held_count(struct recount *r)
{
	struct node **queue = arena_alloc(&r->all, (r->n + 1) * sizeof *queue);
	size_t n = 0;
	int rc = OK;

	if (queue == NULL)
		return work_fail(r->w, ERR_LIMIT, "recount: too many items");
	for (size_t i = 0; rc == OK && i < r->n; i++) {
		rc = blockers_count(r, &r->nodes[i]);
		r->nodes[i].held = r->nodes[i].blockers > 0;
		if (r->nodes[i].held)
			queue[n++] = &r->nodes[i];
	}
	for (size_t i = 0; rc == OK && i < n; i++)
		rc = children_hold(r, queue[i], queue, &n);
	return rc;
}

static int
holds_check(struct recount *r)
{
	int rc = OK;

	for (size_t i = 0; rc == OK && i < r->n; i++) {
		struct node *n = &r->nodes[i];
		int64_t state = 2 * (int64_t)n->status + n->held;
		bool same;

		arena_clear(&r->w->a);
		same = check_int(r, n->id, "blockers", n->stored_blockers,
		    n->blockers);
		same &= check_int(r, n->id, "held_parents", n->stored_parents,
		    n->parents);
		same &= check_int(r, n->id, "state", n->state, state);
		n->state = state;
		if (same)
			continue;
		rc = work_exec(r->w, SQL_HOLD_SET, db_i64(state),
		    db_i64(n->blockers), db_i64(n->parents), db_i64(n->seq));
	}
	return rc;
}

/* ---- how many ------------------------------------------------------------- */

static int
counts_stored(struct work *w, int64_t *counts)
{
	int rc;
	struct query q = query_of(&w->db, SQL_COUNTS, db_i64(w->t.seq));

	while ((rc = query_row(&q)) == OK) {
		if (query_i64(&q, 0) >= 0 && query_i64(&q, 0) < STATES)
			counts[query_i64(&q, 0)] = query_i64(&q, 1);
	}
	return work_rows_end(w, &q, rc);
}

/* What differs goes where each operation leaves its changes of the counts. */
static int
counts_check(struct recount *r)
{
	struct work *w = r->w;
	int64_t stored[STATES] = { 0 }, counted[STATES] = { 0 };
	int rc = counts_stored(w, stored);

	for (size_t i = 0; i < r->n; i++)
		counted[r->nodes[i].state]++;
	for (int s = 0; s < STATES; s++) {
		const char *what = arena_fmt(&w->a, "%s%s issues",
		    s / 2 == STATUS_TOMBSTONE ? "deleted" :
		    work_status_names[s / 2], s % 2 != 0 ? " held" : "").p;

		check_int(r, S(""), what, stored[s], counted[s]);
		w->t.counts[s] = counted[s] - stored[s];
	}
	check_int(r, S(""), "lead_ms", w->t.lead_ms, r->lead);
	w->t.lead_change = r->lead - w->t.lead_ms;
	return rc;
}

static int
recount_all(struct recount *r)
{
	int rc = nodes_read(r);

	if (rc == OK)
		rc = items_check(r);
	if (rc == OK)
		rc = label_rows_check(r);
	if (rc == OK)
		rc = nodes_hold(r);
	if (rc == OK)
		rc = held_count(r);
	if (rc == OK)
		rc = holds_check(r);
	return rc == OK ? counts_check(r) : rc;
}

/* ---- the operation -------------------------------------------------------- */

/* Nor is there anything to be saved at the end. */
static void
forget(struct work *w)
{
	memset(w->t.counts, 0, sizeof w->t.counts);
	w->t.lead_change = 0;
	w->t.edges_changed = false;
}

int
op_recount(struct work *w, struct work_call *c)
{
	struct recount r = { .w = w, .all = ARENA(LIMIT_WORK_MEMORY_BYTES),
		.shown = BUF(LIMIT_WORK_MEMORY_BYTES) };
	struct arena mine = w->a;
	bool fix = arg_bool(c, "fix");
	int rc = work_savepoint_begin(w);

	if (rc != OK)
		return rc;
	w->a = ARENA(LIMIT_WORK_MEMORY_BYTES);
	rc = recount_all(&r);
	arena_release(&w->a);
	w->a = mine;
	if (!fix)
		forget(w);
	graph_drop(w);
	rc = work_savepoint_end(w, rc, fix);
	json_add_fmt(c->data, "{'ok':%hhd,'differences':[%-.*s],'total':%lld,'fixed':%hhd}",
	    r.found == 0, FMT(buf_str(&r.shown)), (long long)r.found,
	    fix && r.found > 0);
	buf_release(&r.shown);
	arena_release(&r.all);
	return rc;
}
