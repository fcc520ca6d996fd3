/*
 * expr_location.c - binds names to slots, and writes to locations.
 *
 * A location is a name and a path of keys.  The path is evaluated and checked
 * before the data is changed, so a failed assignment changes nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chart/expr_priv.h"

#include <assert.h>
#include <stdio.h>

#include "base/mem.h"

#define PATH_MAX_KEYS   64

/* ---- binding ------------------------------------------------------------- */

static int
field_of(struct str name)
{
	for (int i = 0; i < FIELD_COUNT; i++)
		if (str_eq(name, str_of(expr_field_names[i])))
			return i;
	return -1;
}

static bool
is_free_name(const struct node *n, struct str name)
{
	return n->op == X_NAME && str_eq(val_str(n->k), name);
}

static void
bind_node(struct expr *x, struct node *n, expr_slot_of *slot_of, void *ctx)
{
	if (n->op == X_NAME) {
		n->slot = slot_of(ctx, val_str(n->k), false);
		if (n->slot >= 0)
			n->op = X_SLOT;
		return;
	}
	if (n->op != X_MEMBER)
		return;
	/* Names inside it are bound already, so a name that is still free is not
	 * a variable. */
	const struct node *object = &x->nodes[n->a];
	struct str key = val_str(n->k);

	if (is_free_name(object, S("data"))) {
		n->slot = slot_of(ctx, key, true);
		if (n->slot >= 0)
			n->op = X_SLOT;
	} else if ((is_free_name(object, S("_event")) ||
	    is_free_name(object, S("event"))) && field_of(key) >= 0) {
		n->op = X_FIELD;
		n->slot = field_of(key);
	}
}

void
expr_bind(struct expr *x, expr_slot_of *slot_of, void *ctx)
{
	for (size_t i = 0; i < x->nodes_n; i++)
		bind_node(x, &x->nodes[i], slot_of, ctx);
}

/* First data.NAME, so that the `data` in it is not bound as a name of its own. */
void
expr_bind_lenient(struct expr *x, expr_slot_of *slot_of, void *ctx)
{
	x->lenient = true;
	for (size_t i = 0; i < x->nodes_n; i++) {
		struct node *n = &x->nodes[i];

		if (n->op != X_MEMBER || !is_free_name(&x->nodes[n->a], S("data")))
			continue;
		bind_node(x, n, slot_of, ctx);
		if (n->op == X_SLOT)
			x->nodes[n->a].op = X_CONST;     /* and is not evaluated */
	}
	for (size_t i = 0; i < x->nodes_n; i++)
		if (x->nodes[i].op == X_NAME || x->nodes[i].op == X_MEMBER)
			bind_node(x, &x->nodes[i], slot_of, ctx);
}

bool
expr_has_slot(const struct expr *x, int slot)
{
	for (size_t i = 0; i < x->nodes_n; i++)
		if (x->nodes[i].op == X_SLOT && x->nodes[i].slot == slot)
			return true;
	return false;
}

bool
expr_asks_states(const struct expr *x)
{
	for (size_t i = 0; i < x->nodes_n; i++)
		if (x->nodes[i].op == X_IN_STATE || x->nodes[i].op == X_VISITS)
			return true;
	return false;
}

bool
expr_is_constant(const struct expr *x)
{
	for (size_t i = 0; i < x->nodes_n; i++) {
		enum op op = (enum op)x->nodes[i].op;

		if (op == X_NAME || op == X_SLOT || op == X_FIELD)
			return false;
	}
	return !expr_asks_states(x);
}

/* ---- locations ----------------------------------------------------------- */

/* The node of the root variable; NULL: not a location. */
static const struct node *
root_of(const struct expr *x)
{
	const struct node *n = &x->nodes[x->root];

	while (n->op == X_MEMBER || n->op == X_INDEX || n->op == X_FIELD) {
		/* data.x is the variable x, bound or not. */
		if (n->op == X_MEMBER && is_free_name(&x->nodes[n->a], S("data")))
			return n;
		if (n->optional)
			return NULL;
		n = &x->nodes[n->a];
	}
	return n->op == X_NAME || n->op == X_SLOT ? n : NULL;
}

bool
expr_is_location(const struct expr *x, struct str *root)
{
	const struct node *n = root_of(x);

	if (n == NULL)
		return false;
	*root = val_str(n->k);
	return true;
}

int
expr_root_slot(const struct expr *x)
{
	const struct node *n = root_of(x);

	return n != NULL && n->op == X_SLOT ? n->slot : -1;
}

bool
expr_counts_visits(const struct expr *x)
{
	for (size_t i = 0; i < x->nodes_n; i++)
		if (x->nodes[i].op == X_VISITS)
			return true;
	return false;
}

/* One key of the path. */
struct step {
	const struct node *node;
	struct ref key;              /* a string or a whole number */
};

static struct val
child_of(struct val v, const struct step *s)
{
	if (v.kind == VAL_OBJECT)
		return val_get(v, val_str(s->key.v));
	return val_at(v, (size_t)s->key.v.u.i);
}

/* Is `s` a key of v?  last: it will be written, so the end of an array is, too. */
static int
check_step(struct eval *ev, struct val v, const struct step *s, bool last)
{
	if (v.kind == VAL_OBJECT && s->key.v.kind == VAL_STRING)
		return OK;
	if (v.kind == VAL_ARRAY && s->key.v.kind == VAL_INT) {
		int64_t i = s->key.v.u.i;

		if (i >= 0 && (size_t)i < val_count(v) + last)
			return OK;
		return eval_fail(ev, s->node, "index %lld is outside the array of %zu",
		    (long long)i, val_count(v));
	}
	if (s->key.v.kind == VAL_STRING)
		return eval_fail(ev, s->node, "cannot set '%.*s' of %s",
		    FMT(val_str(s->key.v)), val_kind_name(v));
	return eval_fail(ev, s->node, "cannot set an element of %s", val_kind_name(v));
}

static int
read_path(struct eval *ev, struct step *path, size_t *n)
{
	const struct expr *x = ev->x;
	const struct node *root = root_of(x);
	const struct node *chain[PATH_MAX_KEYS];
	size_t depth = 0;

	*n = 0;
	for (const struct node *at = &x->nodes[x->root]; at != root; at = &x->nodes[at->a]) {
		if (depth == PATH_MAX_KEYS)
			return eval_fail(ev, at, "the location is nested too deep");
		chain[depth++] = at;
	}
	while (depth-- > 0) {
		struct step *s = &path[*n];
		int rc = OK;

		s->node = chain[depth];
		s->key = (struct ref){ s->node->k, OWN_CONST };
		if (s->node->op == X_INDEX)
			rc = eval_node(ev, s->node->b, &s->key);
		if (rc != OK)
			return rc;
		/* The key may be part of the value that changes: hold a reference. */
		if (s->key.own == OWN_BORROWED)
			s->key = ref_mine(val_ref(s->key.v));
		++*n;
		if (s->key.v.kind != VAL_STRING && s->key.v.kind != VAL_INT)
			return eval_fail(ev, s->node, "cannot index with %s",
			    val_kind_name(s->key.v));
	}
	return OK;
}

/* *work: counts the elements of shared values, which are copied. */
static struct val
put(struct val v, const struct step *s, struct val member, size_t *work)
{
	const struct val was = v;

	if (v.kind == VAL_OBJECT)
		v = val_set_take(v, val_str(s->key.v), member);
	else if ((size_t)s->key.v.u.i == val_count(v))
		v = val_push_take(v, member);
	else
		v = val_set_at_take(v, (size_t)s->key.v.u.i, member);
	*work += was.u.o == v.u.o ? 1 : 1 + val_count(v) / 2;
	return v;
}

/* Writes along a checked path.  Each container drops its reference to the part
 * that changes, so that an unshared part is changed in place. */
static struct val
store(struct val data, const struct step *path, size_t n, struct val v, size_t *work)
{
	struct val held[PATH_MAX_KEYS + 1];

	held[0] = data;
	for (size_t i = 0; i + 1 < n; i++) {
		held[i + 1] = val_ref(child_of(held[i], &path[i]));
		held[i] = put(held[i], &path[i], VAL_UNDEF, work);
	}
	for (size_t i = n; i-- > 0; )
		v = put(held[i], &path[i], v, work);
	return v;
}

static int
check_path(struct eval *ev, struct val data, const struct step *path, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int rc = check_step(ev, data, &path[i], i + 1 == n);

		if (rc != OK)
			return rc;
		data = child_of(data, &path[i]);
	}
	return OK;
}

int
expr_store(const struct expr *x, const struct expr_scope *scope, struct val data,
    struct val v, struct val *out, struct err *e)
{
	struct eval ev = { .x = x, .scope = scope, .e = e };
	struct step path[PATH_MAX_KEYS];
	size_t n, work = 0;
	int rc;

	assert(root_of(x) != NULL);
	*out = data;
	rc = read_path(&ev, path, &n);
	if (rc == OK)
		rc = check_path(&ev, data, path, n);
	if (rc == OK && n == 0) {
		val_drop(data);
		*out = v;
	} else if (rc == OK) {
		/* Keeps the old value if the new one may be too large; the
		 * reference makes the write copy. */
		bool big = val_bytes(data) + val_bytes(v) > LIMIT_STATE_BYTES ||
		    n + val_depth(v) > LIMIT_JSON_DEPTH;
		struct val before = big ? val_ref(data) : VAL_UNDEF;

		*out = store(data, path, n, v, &work);
		if (big && val_check(*out, LIMIT_STATE_BYTES) != OK) {
			val_drop(*out);
			*out = val_ref(before);
			rc = err_set(e, ERR_LIMIT, "the value is nested too deep or too large");
		}
		val_drop(before);
	} else {
		val_drop(v);
	}
	for (size_t i = 0; i < n; i++)
		ref_drop(path[i].key);
	if (scope->work != NULL)
		*scope->work += ev.steps + ev.bytes / EXPR_BYTES_PER_STEP + work;
	return rc;
}
