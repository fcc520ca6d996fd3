/*
 * namespaces.c - the namespaces of an owner's store items.
 *
 * A row of `namespace` is one that has items.  Its path is the labels with NUL between
 * them, which no label has; so paths lie in the order of their labels, and those that
 * begin alike lie together.  Once a name was cut to max_depth labels and told, all others
 * that would be cut to it are passed over by one look into the index: listing the first
 * level costs the same with ten namespaces below it and with a million.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "store/store_priv.h"

struct lister {
	struct db *db;
	struct store_namespace_list *x;
	struct str base;                     /* the prefix up to its first wildcard */
	struct buf from;                     /* where the next look begins */
	int64_t skip;
	bool is_quick;                       /* a short read, so far */
	uint64_t looked;
};

/* ---- paths ------------------------------------------------------------------------- */

static size_t
labels_of(struct str path)
{
	size_t n = 1;

	for (size_t i = 0; i < path.n; i++)
		n += path.p[i] == '\0';
	return n;
}

/* The first n labels. */
static struct str
labels_cut(struct str path, size_t n)
{
	for (size_t i = 0; i < path.n; i++)
		if (path.p[i] == '\0' && --n == 0)
			return str_sub(path, 0, i);
	return path;
}

/* A label of want matches itself, `*` any. */
static bool
labels_match(struct str have, struct str want)
{
	struct str a, b;

	while (str_next(&want, '\0', &b))
		if (!str_next(&have, '\0', &a) || (!str_eq(b, S("*")) && !str_eq(a, b)))
			return false;
	return true;
}

static bool
matches(const struct store_namespace_list *x, struct str path)
{
	size_t n = labels_of(path), behind = labels_of(x->suffix);
	struct str tail = path;

	if (x->prefix.n > 0 && !labels_match(path, x->prefix))
		return false;
	if (x->suffix.n == 0)
		return true;
	if (behind > n)
		return false;
	if (behind < n)
		tail = str_sub(path, labels_cut(path, n - behind).n + 1, path.n);
	return labels_match(tail, x->suffix);
}

/* What every path that matches the prefix begins with. */
static struct str
prefix_base(struct str prefix)
{
	struct str rest = prefix, label;
	size_t n = 0;

	while (str_next(&rest, '\0', &label) && !str_eq(label, S("*")))
		n = (size_t)(label.p - prefix.p) + label.n;
	return str_sub(prefix, 0, n);
}

/* ---- listing ------------------------------------------------------------------------ */

/* Some item is there still, where all have an end. */
static int
is_alive(struct lister *l, struct str path)
{
	struct buf ns = BUF(path.n + 1);
	int rc;

	buf_add(&ns, path);
	for (size_t i = 0; i < ns.n; i++)
		if (ns.p[i] == '\0')
			ns.p[i] = '.';
	rc = query_any(query_of(l->db, SQL_NAMESPACE_ALIVE, db_i64(l->x->cmd.owner),
	    db_text(buf_str(&ns)), db_i64(l->x->now)));
	buf_release(&ns);
	return rc;
}

/* Tells a path, or its beginning; *cut: others would be cut to the same. */
static int
path_tell(struct lister *l, struct str path, bool *cut)
{
	struct store_namespace_list *x = l->x;
	struct str told = path;

	if (x->max_depth > 0)
		told = labels_cut(path, (size_t)x->max_depth);
	*cut = x->max_depth > 0 && labels_of(told) == (size_t)x->max_depth;
	if (*cut) {
		buf_clear(&l->from);
		buf_add(&l->from, told);
		buf_add_char(&l->from, '\1');
	}
	if (l->skip > 0) {
		l->skip--;
		return OK;
	}
	x->paths[x->paths_n++] = arena_str(x->cmd.arena, told);
	return arena_rc(x->cmd.arena);
}

/* One row: a path, and whether all its items have an end.  ERR_NOTFOUND: past the
 * last one that can match. */
static int
path_look(struct lister *l, const struct query *q, bool *cut)
{
	struct str path = query_borrow(q, 0);
	int rc = OK;

	*cut = false;
	if (++l->looked > READ_SHORT_ROWS && l->is_quick)
		return ERR_AGAIN;
	if (l->looked % 16 == 0 && db_clock(l->db->on) > l->db->on->deadline)
		return ERR_TIMEOUT;
	if (!str_starts(path, l->base))
		return ERR_NOTFOUND;
	if (!matches(l->x, path))
		return OK;
	if (query_i64(q, 1) != 0)
		rc = is_alive(l, path);
	return rc == OK ? path_tell(l, path, cut) : rc == ERR_NOTFOUND ? OK : rc;
}

static int
paths_walk(struct lister *l)
{
	int rc = OK;

	buf_add(&l->from, l->base);
	while (rc == OK) {
		struct query q = query_of(l->db, SQL_NAMESPACE_FROM,
		    db_i64(l->x->cmd.owner), db_blob(buf_str(&l->from)));
		bool cut = false;

		while (rc == OK && !cut && (int64_t)l->x->paths_n < l->x->limit) {
			rc = query_row(&q);
			if (rc == OK)
				rc = path_look(l, &q, &cut);
		}
		query_end(&q);
		if (!cut)
			break;
	}
	return rc == ERR_NOTFOUND ? OK : rc;
}

static int
namespace_list(struct store *st, struct store_cmd *c)
{
	struct store_namespace_list *x = (struct store_namespace_list *)c;
	struct lister l = { .db = slow_db(st, c), .x = x, .base = prefix_base(x->prefix),
	    .from = BUF(LIMIT_NAMESPACE_BYTES + 2), .skip = x->offset,
	    .is_quick = slow_db(st, c) == &st->quick };
	int rc;

	assert(x->limit > 0 && x->limit <= LIMIT_PAGE_ROWS && x->offset >= 0);
	x->paths_n = 0;
	x->paths = arena_alloc(c->arena, (size_t)x->limit * sizeof *x->paths);
	rc = arena_rc(c->arena);
	if (rc == OK)
		rc = paths_walk(&l);
	buf_release(&l.from);
	x->truncated = rc == ERR_TIMEOUT;
	return x->truncated ? OK : rc;
}
const struct op store_op_namespace_list = { .run = namespace_list, .lane = OP_READ_SHORT };
