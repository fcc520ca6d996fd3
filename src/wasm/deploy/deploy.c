/*
 * deploy.c - the registry: modules by owner and name, and their releases.
 *
 * Releases are counted.  Of the count, `inner` are the registry's own; a release with more is
 * in use by agents or tasks, and its version is kept.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wasm/deploy/deploy_priv.h"

#include <assert.h>
#include <string.h>

#include "base/log.h"

const char *const wasm_strategy_names[] = { "graceful", "immediate", "parallel", "split", NULL };

/* ---- releases -------------------------------------------------------------------- */

int
release_new(struct release **out, const struct deploy_ops *ops,
    const struct release_spec *s, struct err *e)
{
	struct release *x = mem_new(struct release);
	struct buf hex = BUF(sizeof x->hash);

	*out = x;
	x->ops = ops;
	x->inner = 1;
	atomic_init(&x->r.refs, 1);
	pthread_mutex_init(&x->lock, NULL);
	x->r.arena = ARENA(LIMIT_WASM_MODULE_BYTES + 4 * (size_t)LIMIT_WASM_POLICY_BYTES);
	x->r.owner = s->owner;
	x->r.folder = s->folder;
	x->r.number = s->number;
	x->r.created = s->created;
	x->r.name = arena_str(&x->r.arena, s->name);
	x->size = s->bytes.n > 0 ? s->bytes.n : (uint64_t)s->size;
	if (s->bytes.n > 0)
		sha256(s->bytes, x->sha);
	else
		memcpy(x->sha, s->hash.p, sizeof x->sha);
	hex_add(&hex, x->sha, sizeof x->sha);
	memcpy(x->hash, hex.p, sizeof x->hash - 1);
	buf_release(&hex);
	if (s->keep)
		x->bytes = arena_str(&x->r.arena, s->bytes);
	if (wasm_policy_copy(&x->r.policy, s->policy, &x->r.arena) == OK &&
	    arena_rc(&x->r.arena) == OK)
		return OK;
	release_let_go(x);
	*out = NULL;
	return err_set(e, ERR_TOOBIG, "the module with its policy is too large");
}

struct wasm_release *
wasm_release_hold(struct wasm_release *r)
{
	atomic_fetch_add(&r->refs, 1);
	return r;
}

void
wasm_release_drop(struct wasm_release *r)
{
	struct release *x = r == NULL ? NULL : release_of(r);

	if (x == NULL || atomic_fetch_sub(&r->refs, 1) > 1)
		return;
	x->ops->code_drop(atomic_load(&r->code));
	x->ops->code_drop(x->first);
	pthread_mutex_destroy(&x->lock);
	arena_release(&r->arena);
	free(x);
}

struct wasm_code *
wasm_release_code(struct wasm_release *r)
{
	struct wasm_code *c = atomic_load(&r->code);

	/* It stays as `first` when a better one has come. */
	return c == NULL ? NULL : release_of(r)->ops->code_hold(c);
}

struct release *
release_keep(struct release *x)
{
	x->inner++;
	wasm_release_hold(&x->r);
	return x;
}

void
release_let_go(struct release *x)
{
	if (x == NULL)
		return;
	assert(x->inner > 0);
	x->inner--;
	wasm_release_drop(&x->r);
}

bool
release_in_use(const struct release *x)
{
	return atomic_load(&x->r.refs) > x->inner;
}

/* ---- modules ----------------------------------------------------------------------- */

static int
module_cmp(const struct module *m, owner_t owner, bool folder, struct str name)
{
	if (m->owner != owner)
		return m->owner < owner ? -1 : 1;
	return m->folder != folder ? (m->folder ? 1 : -1) : str_cmp(m->name, name);
}

/* Its place, or where it would be. */
static size_t
module_place(const struct wasm_deploy *d, owner_t owner, bool folder, struct str name)
{
	size_t from = 0, to = d->n;

	while (from < to) {
		size_t at = from + (to - from) / 2;

		if (module_cmp(d->modules[at], owner, folder, name) < 0)
			from = at + 1;
		else
			to = at;
	}
	return from;
}

struct module *
module_get(struct wasm_deploy *d, owner_t owner, bool folder, struct str name)
{
	size_t at = module_place(d, owner, folder, name);

	return at < d->n && module_cmp(d->modules[at], owner, folder, name) == 0 ?
	    d->modules[at] : NULL;
}

struct module *
module_for(struct wasm_deploy *d, owner_t owner, struct str name)
{
	struct module *m = module_get(d, owner, false, name);

	return m != NULL && m->n > 0 && !m->leaves ? m : module_get(d, 0, true, name);
}

struct module *
module_make(struct wasm_deploy *d, owner_t owner, bool folder, struct str name)
{
	size_t at = module_place(d, owner, folder, name);
	struct module *m = module_get(d, owner, folder, name);

	if (m != NULL)
		return m;
	m = mem_new(struct module);
	list_init(&m->waiting);
	m->owner = owner;
	m->folder = folder;
	m->name = (struct str){ mem_cstr(name), name.n };
	mem_grow(d->modules, d->n, d->cap);
	memmove(d->modules + at + 1, d->modules + at, (d->n - at) * sizeof *d->modules);
	d->modules[at] = m;
	d->n++;
	return m;
}

void
module_remove(struct wasm_deploy *d, struct module *m)
{
	size_t at = module_place(d, m->owner, m->folder, m->name);

	assert(d->modules[at] == m && m->contest == NULL && list_empty(&m->waiting));
	memmove(d->modules + at, d->modules + at + 1, (--d->n - at) * sizeof *d->modules);
	for (size_t i = 0; i < m->n; i++)
		release_let_go(m->at[i]);
	free(m->at);
	free((char *)m->name.p);
	free(m);
}

void
module_add(struct module *m, struct release *x)
{
	assert(m->n == 0 || m->at[m->n - 1]->r.number < x->r.number);
	mem_grow(m->at, m->n, m->cap);
	m->at[m->n++] = release_keep(x);
}

struct release *
module_number(const struct module *m, int64_t number)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->at[i]->r.number == number)
			return m->at[i];
	return NULL;
}

void
module_keep_only(struct module *m, const int64_t *numbers, size_t n)
{
	size_t left = 0;

	for (size_t i = 0; i < m->n; i++) {
		struct release *x = m->at[i];
		bool stays = x == m->current;

		for (size_t j = 0; j < n; j++)
			stays = stays || numbers[j] == x->r.number;
		if (stays)
			m->at[left++] = x;
		else
			release_let_go(x);
	}
	m->n = left;
}

int
module_missing(struct wasm_deploy *d, owner_t owner, struct str name, struct err *e)
{
	struct str_near near = { .word = name };

	for (size_t i = 0; i < d->n; i++) {
		const struct module *m = d->modules[i];

		if (m->n > 0 && (m->folder || m->owner == owner))
			str_near_try(&near, m->name.p);
	}
	return err_near(e, ERR_NOTFOUND, near.best, "'", "there is no WebAssembly module '%.*s'",
	    FMT(name));
}

/* ---- life -------------------------------------------------------------------------- */

int
release_of_row(struct release **out, const struct deploy_ops *ops,
    const struct store_wasm_release *row)
{
	struct arena a = ARENA(4 * (size_t)LIMIT_WASM_POLICY_BYTES);
	struct wasm_policy policy;
	struct err e;
	int rc = row->hash.n == SHA256_SIZE ? wasm_policy_read(&policy, row->policy_json, &a, &e) :
	    err_set(&e, ERR_IO, "its hash is %zu bytes long", row->hash.n);

	if (rc == OK)
		rc = release_new(out, ops, &(struct release_spec){ .owner = row->owner,
		    .name = row->name, .hash = row->hash, .number = row->number,
		    .size = row->size, .policy = &policy, .created = row->created }, &e);
	if (rc != OK)
		log_error("wasm", "bad_row", "module=%.*s number=%lld error=%s",
		    FMT(row->name), (long long)row->number, e.text);
	arena_release(&a);
	return rc;
}

/* A row of the store, at start. */
static void
release_load(void *ctx, const struct store_wasm_release *row)
{
	struct wasm_deploy *d = ctx;
	struct release *x;
	struct module *m;

	if (release_of_row(&x, d->ops, row) != OK)
		return;
	m = module_make(d, row->owner, false, row->name);
	module_add(m, x);
	if (row->current)
		m->current = x;
	release_let_go(x);
}

int
deploy_new_with(struct wasm_deploy **out, const struct wasm_deploy_options *o,
    const struct deploy_ops *ops, struct err *e)
{
	struct wasm_deploy *d = mem_new(struct wasm_deploy);
	struct store_reader *r;
	int rc;

	assert(o->shards_n <= LIMIT_SHARDS);
	d->o = *o;
	d->ops = ops;
	pthread_mutex_init(&d->lock, NULL);
	*out = d;
	if (o->store == NULL)
		return OK;
	rc = store_reader_open(o->store, &r, e);
	if (rc == OK) {
		rc = store_wasm_each(r, release_load, d);
		if (rc != OK)
			err_set(e, rc, "the store's WebAssembly modules cannot be read");
		store_reader_close(r);
	}
	if (rc != OK) {
		wasm_deploy_free(d);
		*out = NULL;
	}
	return rc;
}

void
wasm_deploy_free(struct wasm_deploy *d)
{
	if (d == NULL)
		return;
	for (size_t i = 0; i < COUNT(d->desks); i++)
		assert(d->desks[i] == NULL);
	while (d->n > 0)
		module_remove(d, d->modules[d->n - 1]);
	folder_news_free(d->news);
	free(d->modules);
	pthread_mutex_destroy(&d->lock);
	free(d);
}
