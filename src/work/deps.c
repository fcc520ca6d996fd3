/*
 * deps.c - dependencies between items: added, taken away, shown as a tree.
 *
 * An edge is stored twice, as a row of work_edge and in its item's body; this
 * file writes both.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdio.h>

#include "base/mem.h"
#include "work/links.h"
#include "work/graph.h"
#include "work/row.h"
#include "work/work_priv.h"

/* ---- add and remove ------------------------------------------------------------------ */

static int
target_find(struct work *w, struct str id, struct item *out)
{
	static const char issue[] = "issue ";
	struct err *e = &w->call->err;
	int rc = item_find(w, id, out);

	if (rc == ERR_NOTFOUND && str_starts(str_of(e->text), str_of(issue))) {
		struct err found = *e;

		work_fail(w, rc, "dependency target %s", found.text + sizeof issue - 1);
	}
	return rc;
}

static int
ends_find(struct work *w, struct item *from, struct item *to)
{
	int rc = item_find(w, arg_text(w->call, "from_id"), from);

	return rc == OK ? target_find(w, arg_text(w->call, "to_id"), to) : rc;
}

/* Index in it->deps, or deps_n. */
static size_t
dep_index(const struct item *it, struct str target)
{
	size_t i = 0;

	while (i < it->deps_n && !str_eq(it->deps[i].id, target))
		i++;
	return i;
}

int
dep_direction(struct work *w, const struct item *it, const struct item *target,
    enum dep_type type)
{
	if (type != DEP_PARENT_CHILD || it->type != TYPE_EPIC ||
	    target->type == TYPE_EPIC)
		return OK;
	return work_fail(w, ERR_INVALID, "invalid parent-child dependency: parent (%.*s) "
	    "cannot depend on child (%.*s). Use: dep add %.*s %.*s --type "
	    "parent-child", FMT(it->id), FMT(target->id), FMT(target->id),
	    FMT(it->id));
}

static int
dep_check(struct work *w, const struct item *it, const struct item *target,
    enum dep_type type)
{
	size_t i = dep_index(it, target->id);
	int rc;

	if (i < it->deps_n && it->deps[i].type == type)
		return work_fail(w, ERR_CONFLICT, "%.*s depends on %.*s already (%s)",
		    FMT(it->id), FMT(target->id), work_dep_names[type]);
	if (i < it->deps_n)
		return work_fail(w, ERR_CONFLICT, "%.*s depends on %.*s already, as %s: "
		    "remove that dependency first", FMT(it->id), FMT(target->id),
		    work_dep_names[it->deps[i].type]);
	if (it->deps_n >= LIMIT_WORK_DEPS)
		return work_fail(w, ERR_LIMIT, "%.*s: at most %d dependencies",
		    FMT(it->id), LIMIT_WORK_DEPS);
	rc = dep_direction(w, it, target, type);
	return rc == OK ? cycle_check(w, it->seq, target->seq, type) : rc;
}

void
dep_encode(struct buf *b, struct str item, struct str target, const char *type)
{
	json_add_fmt(b, "{'issue_id':%.*s,'depends_on_id':%.*s", FMT(item),
	    FMT(target));
	if (type != NULL)
		json_add_fmt(b, ",'type':%s", type);
	buf_add_char(b, '}');
}

static int
dep_event(struct work *w, const struct item *it, struct str target,
    enum event_kind kind, enum dep_type type)
{
	struct buf *b = &w->scratch;

	buf_clear(b);
	dep_encode(b, it->id, target, work_dep_names[type]);
	return event_add(w, it->seq, it->id, kind,
	    kind == EVENT_dependency_removed ? buf_str(b) : STR_NONE,
	    kind == EVENT_dependency_added ? buf_str(b) : STR_NONE, false);
}

/* The item without or with the edge in its body; and the audit. */
static int
dep_save(struct work *w, struct item *it, const struct item *was,
    struct str target, enum event_kind kind, enum dep_type type)
{
	int rc;

	item_touch(w, it);
	rc = item_save(w, it, was);
	return rc == OK ? dep_event(w, it, target, kind, type) : rc;
}

static int
dep_append(struct work *w, struct item *it, struct str target, enum dep_type type)
{
	struct dep *deps = arena_alloc(&w->a, (it->deps_n + 1) * sizeof *deps);

	if (deps == NULL)
		return work_fail(w, ERR_TOOBIG, "%.*s has too many dependencies",
		    FMT(it->id));
	if (it->deps_n > 0)
		memcpy(deps, it->deps, it->deps_n * sizeof *deps);
	deps[it->deps_n++] = (struct dep){ target, type, work_now_text(w),
		w->call->actor };
	it->deps = deps;
	return OK;
}

int
op_dep_add(struct work *w, struct work_call *c)
{
	enum dep_type type = (enum dep_type)arg_word(c, "dep_type",
	    work_dep_names, DEP_BLOCKS);
	struct item it, was, target;
	int rc = ends_find(w, &it, &target);

	if (rc == OK)
		rc = dep_check(w, &it, &target, type);
	if (rc != OK)
		return rc;
	was = it;
	rc = dep_append(w, &it, target.id, type);
	if (rc == OK)
		rc = dep_save(w, &it, &was, target.id, EVENT_dependency_added, type);
	if (rc == OK)
		rc = edge_add(w, it.seq, target.seq, type);
	if (rc == OK)
		dep_encode(c->data, it.id, target.id, work_dep_names[type]);
	return rc;
}

int
op_dep_remove(struct work *w, struct work_call *c)
{
	struct item it, was, target;
	enum dep_type type;
	size_t i;
	int wanted = arg_word(c, "dep_type", work_dep_names, -1);
	int rc = ends_find(w, &it, &target);

	if (rc != OK)
		return rc;
	was = it;
	i = dep_index(&it, target.id);
	if (i == it.deps_n)
		return work_fail(w, ERR_NOTFOUND, "dependency from %.*s to %.*s does not "
		    "exist", FMT(it.id), FMT(target.id));
	type = it.deps[i].type;
	if (wanted >= 0 && wanted != (int)type)
		return work_fail(w, ERR_CONFLICT, "%.*s depends on %.*s as %s, not as %s",
		    FMT(it.id), FMT(target.id), work_dep_names[type],
		    work_dep_names[wanted]);
	it.deps_n--;
	memmove(&it.deps[i], &it.deps[i + 1], (it.deps_n - i) * sizeof *it.deps);
	rc = dep_save(w, &it, &was, target.id, EVENT_dependency_removed, type);
	if (rc == OK)
		rc = edge_remove(w, it.seq, target.seq);
	if (rc == OK)
		dep_encode(c->data, it.id, target.id, NULL);
	return rc;
}

/* ---- another parent ----------------------------------------------------------------------- */

int
parent_take(struct work *w, struct item *it)
{
	struct str id = arg_text(w->call, "parent");
	struct item parent = { 0 };
	size_t i = 0;
	int rc = id.n > 0 ? target_find(w, id, &parent) : OK;

	while (rc == OK && i < it->deps_n) {
		if (it->deps[i].type == DEP_PARENT_CHILD &&
		    !str_eq(it->deps[i].id, parent.id))
			rc = item_drop_dep(w, it, it->deps[i].id);
		else
			i++;
	}
	i = dep_index(it, parent.id);
	if (rc != OK || id.n == 0 ||
	    (i < it->deps_n && it->deps[i].type == DEP_PARENT_CHILD))
		return rc;
	rc = dep_check(w, it, &parent, DEP_PARENT_CHILD);
	return rc == OK ? dep_append(w, it, parent.id, DEP_PARENT_CHILD) : rc;
}

/* The edges that `to` has and `from` has not are added, or (the reverse) removed. */
static int
parents_move(struct work *w, const struct item *from, const struct item *to,
    enum event_kind kind)
{
	bool add = kind == EVENT_dependency_added;
	int rc = OK;

	for (size_t i = 0; rc == OK && i < to->deps_n; i++) {
		struct str id = to->deps[i].id;
		int64_t target;

		if (to->deps[i].type != DEP_PARENT_CHILD ||
		    dep_index(from, id) < from->deps_n)
			continue;
		rc = item_seq_exact(w, id, &target);
		if (rc == ERR_NOTFOUND) {
			rc = OK;             /* a dependency on what is not there */
			continue;
		}
		if (rc == OK)
			rc = dep_event(w, to, id, kind, DEP_PARENT_CHILD);
		if (rc == OK)
			rc = add ? edge_add(w, to->seq, target, DEP_PARENT_CHILD) :
			    edge_remove(w, to->seq, target);
	}
	return rc;
}

int
parent_note(struct work *w, const struct item *it, const struct item *was)
{
	int rc = parents_move(w, it, was, EVENT_dependency_removed);

	assert(it->seq == was->seq);
	return rc == OK ? parents_move(w, was, it, EVENT_dependency_added) : rc;
}

/* ---- the tree ----------------------------------------------------------------------------- */

/* A row that is shown elsewhere in the tree, and belongs under this one too. */
struct again {
	int64_t seq;
	struct again *next;
};

struct row {
	uint32_t parent;                     /* NIL: the root */
	int depth;
	int64_t type;                        /* of the edge from its parent */
	bool truncated;
	struct again *again, *again_last;
	struct str id;                       /* once it is written */
};

struct branch {                              /* still to be walked */
	int64_t seq, type;
	uint32_t parent;
	int depth;
};

struct tree {
	struct work *w;
	enum sql edges;
	int max_depth;
	struct links seen;                   /* node i is row i */
	struct row *rows;
	size_t rows_cap;
	struct branch *todo;                 /* a stack */
	size_t todo_n, todo_cap;
};

/* Puts the ends of a row's edges on the stack, the first on top; at the last
 * level only notes that there are some. */
static int
tree_branches(struct tree *t, uint32_t row, int64_t seq)
{
	bool last = t->rows[row].depth == t->max_depth;
	size_t from = t->todo_n;
	int rc;
	struct query q = query_of(&t->w->db, (int)t->edges, db_i64(seq));

	while ((rc = query_row(&q)) == OK && !last &&
	    t->todo_n < 4 * LIMIT_WORK_ROWS) {
		mem_grow(t->todo, t->todo_n, t->todo_cap);
		t->todo[t->todo_n++] = (struct branch){ query_i64(&q, 0),
			query_i64(&q, 1), row, t->rows[row].depth + 1 };
	}
	t->rows[row].truncated = rc == OK;
	rc = work_rows_end(t->w, &q, rc);
	if (t->rows[row].truncated && !last)
		return work_fail(t->w, ERR_LIMIT, "the tree is too large; give a smaller "
		    "max_depth");
	for (size_t to = t->todo_n; to > from + 1; from++) {
		struct branch swap = t->todo[from];

		t->todo[from] = t->todo[--to];
		t->todo[to] = swap;
	}
	return rc;
}

static int
again_note(struct tree *t, struct row *under, int64_t seq)
{
	struct again *a = arena_new(&t->w->a, struct again);

	if (a == NULL)
		return work_fail(t->w, ERR_TOOBIG, "the tree is too large");
	a->seq = seq;
	if (under->again == NULL)
		under->again = a;
	else
		under->again_last->next = a;
	under->again_last = a;
	return OK;
}

static int
tree_visit(struct tree *t, const struct branch *b)
{
	uint32_t i = links_find(&t->seen, b->seq);

	if (i != NIL)
		return again_note(t, &t->rows[b->parent], b->seq);
	if (t->seen.nodes_n == LIMIT_WORK_ROWS)
		return work_fail(t->w, ERR_LIMIT, "the tree has more than %d items; give "
		    "a smaller max_depth", LIMIT_WORK_ROWS);
	i = links_node(&t->seen, b->seq);
	mem_grow(t->rows, i, t->rows_cap);
	t->rows[i] = (struct row){ .parent = b->parent, .depth = b->depth,
		.type = b->type };
	return tree_branches(t, i, b->seq);
}

/* The stored body without its dependencies and its closing brace. */
static int
row_item_add(struct tree *t, struct row *r, int64_t seq, struct buf *b)
{
	struct str body, key, value;
	size_t at = 0;
	struct query q = query_of(&t->w->db, SQL_ITEM_BODY, db_i64(seq));
	int rc = query_row(&q);

	if (rc == OK) {
		body = query_borrow(&q, 0);
		r->id = query_str(&q, 1, &t->w->a);
		buf_add_char(b, '{');
		while (body_next(body, &at, &key, &value)) {
			if (!str_eq(key, S("dependencies")))
				body_member_add(b, key, value);
		}
	}
	query_end(&q);
	return rc == OK ? OK : work_fail_db(t->w, rc);
}

static int
again_add(struct tree *t, const struct again *a, struct buf *b)
{
	int rc = OK;

	if (a == NULL)
		return OK;
	json_add_fmt(b, ",'repeated':[");
	for (; rc == OK && a != NULL; a = a->next) {
		struct query q = query_of(&t->w->db, SQL_HOLD_GET,
		    db_i64(a->seq));

		rc = query_row(&q);
		if (rc == OK)
			json_add_fmt(b, ",%.*s", FMT(query_borrow(&q, 3)));
		query_end(&q);
	}
	buf_add_char(b, ']');
	return rc == OK ? OK : work_fail_db(t->w, rc);
}

static int
row_add(struct tree *t, uint32_t i, struct buf *b)
{
	struct row *r = &t->rows[i];
	int rc = row_item_add(t, r, t->seen.nodes[i].seq, b);

	if (rc != OK)
		return rc;
	json_add_fmt(b, ",'depth':%lld,'truncated':%hhd,'parent':",
	    (long long)r->depth, r->truncated);
	if (r->parent == NIL)
		buf_lit(b, "null,\"type\":null");
	else {
		json_add_fmt(b, "%.*s,'type':%s", FMT(t->rows[r->parent].id),
		    work_dep_names[r->type]);
	}
	rc = again_add(t, r->again, b);
	buf_add_char(b, '}');
	return rc;
}

int
op_dep_tree(struct work *w, struct work_call *c)
{
	struct tree t = { .w = w, .max_depth = (int)arg_int(c, "max_depth", 50),
		.edges = arg_bool(c, "reverse") ? SQL_SHOW_SOURCES :
		    SQL_SHOW_TARGETS };
	struct branch b = { .parent = NIL };
	int rc = item_seq(w, arg_text(c, "id"), &b.seq);

	if (rc != OK)
		return rc;
	links_init(&t.seen);
	rc = tree_visit(&t, &b);
	while (rc == OK && t.todo_n > 0) {
		b = t.todo[--t.todo_n];
		rc = tree_visit(&t, &b);
	}
	buf_add_char(c->data, '[');
	for (uint32_t i = 0; rc == OK && i < t.seen.nodes_n && !c->data->failed; i++) {
		json_add_comma(c->data);
		rc = row_add(&t, i, c->data);
	}
	buf_add_char(c->data, ']');
	links_release(&t.seen);
	free(t.rows);
	free(t.todo);
	return rc;
}
