/*
 * told.c - modules that other nodes of a cluster have changed: the rows of the store are
 * taken as they are.
 *
 * A version that became current elsewhere is built and started once here too, then agents
 * are told of a graceful reload, whatever its strategy was there; the first one of a module
 * is built when it is asked for.  What is deleted
 * elsewhere is no more; agents that run with it go on.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wasm/deploy/deploy_priv.h"

#include "base/log.h"

struct row {
	struct release *x;                   /* kept; of this row, perhaps not in a module yet */
	bool current;
};

struct rows {
	struct wasm_deploy *d;
	struct row *at;
	size_t n, cap;
};

static void
row_read(void *ctx, const struct store_wasm_release *from)
{
	struct rows *rows = ctx;
	struct release *x;

	if (release_of_row(&x, rows->d->ops, from) != OK)
		return;
	mem_grow(rows->at, rows->n, rows->cap);
	rows->at[rows->n++] = (struct row){ x, from->current };
}

static bool
has_row(const struct rows *rows, const struct module *m, const struct release *x)
{
	for (size_t i = 0; i < rows->n; i++) {
		const struct wasm_release *r = &rows->at[i].x->r;

		if (r->owner == m->owner && str_eq(r->name, m->name) &&
		    (x == NULL || r->number == x->r.number))
			return true;
	}
	return false;
}

/* Under the lock: is it to become current? */
static bool
row_take(struct wasm_deploy *d, struct row *row)
{
	struct wasm_release *r = &row->x->r;
	struct module *m = module_make(d, r->owner, false, r->name);
	struct release *there = module_number(m, r->number);

	/* A move of its own adds what it has put. */
	if (there == NULL && !m->busy &&
	    (m->n == 0 || m->at[m->n - 1]->r.number < r->number)) {
		module_add(m, row->x);
		there = row->x;
	}
	if (there == NULL || !row->current || m->current == there || m->busy ||
	    m->contest != NULL)
		return false;
	/* Nobody uses it yet: it is built when it is asked for. */
	if (m->current == NULL) {
		m->current = there;
		return false;
	}
	return true;
}

/* Under the lock: what has no row any more. */
static void
drop_others(struct wasm_deploy *d, const struct rows *rows)
{
	for (size_t i = d->n; i-- > 0; ) {
		struct module *m = d->modules[i];
		size_t left = 0;

		if (m->folder || m->busy || m->contest != NULL)
			continue;
		if (!has_row(rows, m, NULL))
			m->current = NULL;
		for (size_t j = 0; j < m->n; j++)
			if (m->at[j] == m->current || has_row(rows, m, m->at[j]))
				m->at[left++] = m->at[j];
			else
				release_let_go(m->at[j]);
		m->n = left;
		if (m->n == 0)
			module_remove(d, m);
	}
}

/* In later turns; the module that has begun another move by then is looked at again when
 * that has ended. */
static void
follow(struct wasm_desk *k, const struct wasm_release *r)
{
	struct move *v = move_new(k, MOVE_TOLD, r->owner, r->name);

	v->number = r->number;
	move_go(v);
}

void
wasm_desk_look(struct wasm_desk *k)
{
	struct rows rows = { .d = k->d };
	int rc;

	if (k->draining || k->reader == NULL || k->d->o.store == NULL)
		return;
	rc = store_wasm_each(k->reader, row_read, &rows);
	if (rc != OK)
		log_fails(&k->unread, "wasm", "look", "error=%s", rc_text(rc));
	else
		log_works(&k->unread, "wasm", "look");
	for (size_t i = 0; i < rows.n; i++) {
		struct row *row = &rows.at[i];
		bool follows = false;

		pthread_mutex_lock(&k->d->lock);
		if (rc == OK)
			follows = row_take(k->d, row);
		pthread_mutex_unlock(&k->d->lock);
		if (follows)
			follow(k, &row->x->r);
	}
	pthread_mutex_lock(&k->d->lock);
	if (rc == OK)
		drop_others(k->d, &rows);
	for (size_t i = 0; i < rows.n; i++)
		release_let_go(rows.at[i].x);
	pthread_mutex_unlock(&k->d->lock);
	free(rows.at);
}
