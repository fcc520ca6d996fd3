/*
 * store.c - the store of items beyond one thread: get, put, search, delete.
 *
 * get: the item or null; search: a list of items; put, delete: null.
 *
 * SPDX-License-Identifier: MIT
 */
#include "task/task_priv.h"

#define SEARCH_DEFAULT 10                    /* as the store's HTTP interface */
#define NS_BYTES ((LIMIT_NAME_BYTES + 1) * (LIMIT_NAMESPACE_LABELS + 1))

struct store_piece {
	struct piece p;
	struct task_store s;
	struct buf ns;
	struct val key, query, value, filter;
	bool under_way;
};

static struct store_piece *
store_of(struct piece *p)
{
	return CONTAINER_OF(p, struct store_piece, p);
}

/* ---- namespaces and keys ------------------------------------------------------------ */

static bool
fail_namespace(struct piece *p, const char *words)
{
	piece_fail(p, "error.execution", "InvalidNamespaceError", "line %u: "
	    "store.namespace: %s", p->spec->line, words);
	return false;
}

static bool
add_label(struct store_piece *w, struct val v)
{
	struct str label = v.kind == VAL_STRING ? val_str(v) : STR_NONE;

	if (label.n == 0 || str_index(label, '.') >= 0)
		return fail_namespace(&w->p, "labels cannot be empty or contain periods");
	if (str_index(label, '\0') >= 0)
		return fail_namespace(&w->p, "labels cannot contain U+0000");
	if (label.n > LIMIT_NAME_BYTES)
		return fail_namespace(&w->p, "a label is too long");
	if (w->ns.n > 0)
		buf_add_char(&w->ns, '.');
	buf_add(&w->ns, label);
	return true;
}

static bool
read_namespace(struct store_piece *w)
{
	struct val ns;
	bool fits = true;

	w->ns = BUF(NS_BYTES);
	if (!piece_eval(&w->p, STORE_NAMESPACE, &ns))
		return false;
	if (ns.kind == VAL_STRING)
		fits = add_label(w, ns);
	if (val_count(ns) > LIMIT_NAMESPACE_LABELS)
		fits = fail_namespace(&w->p, "too many labels");
	for (size_t i = 0; fits && i < val_count(ns); i++)
		fits = add_label(w, val_at(ns, i));
	if (fits && w->ns.n == 0 && w->p.spec->op != STORE_OP_SEARCH)
		fits = fail_namespace(&w->p, "expected at least one label");
	val_drop(ns);
	w->s.ns = buf_str(&w->ns);
	return fits;
}

static bool
read_key(struct store_piece *w)
{
	struct str key;

	if (!piece_eval_text(&w->p, STORE_KEY, &w->key))
		return false;
	key = w->key.kind == VAL_STRING ? val_str(w->key) : STR_NONE;
	w->s.key = key;
	if (key.n > 0 && key.n <= LIMIT_NAME_BYTES && str_index(key, '\0') < 0)
		return true;
	piece_fail(&w->p, "error.execution", "ValueError", "line %u: store.key: expected "
	    "1 to %d bytes without U+0000", w->p.spec->line, LIMIT_NAME_BYTES);
	return false;
}

/* ---- forms ---------------------------------------------------------------------------- */

static bool
read_put(struct store_piece *w)
{
	if (!read_key(w) || !piece_eval(&w->p, STORE_ITEM_VALUE, &w->value))
		return false;
	w->s.value = w->value;
	if (w->value.kind == VAL_OBJECT && val_bytes(w->value) <= LIMIT_STORE_VALUE_BYTES)
		return true;
	piece_fail(&w->p, "error.execution", "ValueError", "line %u: store.value: expected "
	    "an object of at most %d bytes", w->p.spec->line, LIMIT_STORE_VALUE_BYTES);
	return false;
}

static bool
read_search(struct store_piece *w)
{
	w->s.limit = SEARCH_DEFAULT;
	if (!piece_eval_text(&w->p, STORE_QUERY, &w->query) ||
	    !piece_eval(&w->p, STORE_FILTER, &w->filter) ||
	    !piece_eval_int(&w->p, STORE_LIMIT, 1, LIMIT_PAGE_ROWS, &w->s.limit) ||
	    !piece_eval_int(&w->p, STORE_OFFSET, 0, INT32_MAX, &w->s.offset))
		return false;
	if (w->query.kind == VAL_STRING)
		w->s.query = val_str(w->query);
	if (w->filter.kind == VAL_OBJECT)
		w->s.filter = w->filter;
	return true;
}

static const struct {
	enum task_store_op op;
	bool (*read)(struct store_piece *w);
} forms[] = {
	[STORE_OP_GET] = { TASK_STORE_GET, read_key },
	[STORE_OP_PUT] = { TASK_STORE_PUT, read_put },
	[STORE_OP_SEARCH] = { TASK_STORE_SEARCH, read_search },
	[STORE_OP_DELETE] = { TASK_STORE_DELETE, read_key },
};

/* ---- the command ------------------------------------------------------------------------ */

static void
on_store(struct task_store *s, int rc, struct val result, const struct err *e)
{
	struct store_piece *w = CONTAINER_OF(s, struct store_piece, s);
	struct task *t = w->p.task;
	bool reads = s->op == TASK_STORE_GET || s->op == TASK_STORE_SEARCH;

	w->under_way = false;
	if (!task_enter(t))
		return;
	if (rc == OK)
		piece_done(&w->p, reads ? val_ref(result) : VAL_NIL);
	else
		piece_fail(&w->p, "error.communication", "StoreError", "the store: %s",
		    e != NULL && e->text[0] != '\0' ? e->text : rc_text(rc));
	task_leave(t);
}

static void
store_start(struct piece *p)
{
	struct store_piece *w = store_of(p);
	struct task *t = p->task;

	assert(p->spec->op >= 0 && (size_t)p->spec->op < COUNT(forms));
	w->s.op = forms[p->spec->op].op;
	w->s.done = on_store;
	if (t->host->store == NULL) {
		piece_fail(p, "error.communication", "StoreError", "there is no store here");
		return;
	}
	if (!read_namespace(w) || !forms[p->spec->op].read(w))
		return;
	w->under_way = true;
	t->host->store(t->ctx, &w->s);
}

static void
store_stop(struct piece *p)
{
	struct store_piece *w = store_of(p);

	if (w->under_way)
		p->task->host->store_stop(p->task->ctx, &w->s);
	w->under_way = false;
}

static void
store_release(struct piece *p)
{
	struct store_piece *w = store_of(p);

	buf_release(&w->ns);
	val_drop(w->key);
	val_drop(w->query);
	val_drop(w->value);
	val_drop(w->filter);
}

const struct task_run task_store = {
	.size = sizeof(struct store_piece), .traits = TASK_EFFECT,
	.start = store_start, .stop = store_stop, .release = store_release,
};
