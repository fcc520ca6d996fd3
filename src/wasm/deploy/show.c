/*
 * show.c - modules and their releases, for clients.
 *
 * What is shown lies in the desk's arena, and the releases are kept, until the next call.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wasm/deploy/deploy_priv.h"

static const char *const state_names[] = {
	[RELEASE_STORED] = "stored", [RELEASE_BUILDING] = "building",
	[RELEASE_READY] = "ready", [RELEASE_FAILED] = "failed",
};

void
desk_show_clear(struct wasm_desk *k)
{
	pthread_mutex_lock(&k->d->lock);
	for (size_t i = 0; i < k->shown_n; i++)
		release_let_go(k->shown_kept[i]);
	pthread_mutex_unlock(&k->d->lock);
	k->shown_n = 0;
	arena_clear(&k->shown);
}

/* Under the lock. */
static void
version_show(struct wasm_desk *k, struct release *x, struct wasm_shown_version *out)
{
	struct wasm_code *code = atomic_load(&x->r.code);

	mem_grow(k->shown_kept, k->shown_n, k->shown_cap);
	k->shown_kept[k->shown_n++] = release_keep(x);
	*out = (struct wasm_shown_version){ .number = x->r.number, .created = x->r.created,
	    .hash = x->hash, .bytes = x->size, .policy = x->r.policy,
	    .state = state_names[x->state] };
	if (code != NULL) {                  /* it lives as long as the release */
		out->facts = code->facts;
		out->compiler = wasm_compiler_names[code->compiler];
	}
	if (x->state == RELEASE_FAILED)
		out->error = arena_str(&k->shown, str_of(x->why.text));
	pthread_mutex_lock(&x->lock);
	out->calls = x->calls;
	out->errors = x->errors;
	out->p99 = (nsec)hist_percentile(&x->took, 99);
	pthread_mutex_unlock(&x->lock);
}

/* Under the lock.  False: no memory. */
static bool
module_show(struct wasm_desk *k, const struct module *m, struct wasm_shown *out)
{
	*out = (struct wasm_shown){ .name = arena_str(&k->shown, m->name),
	    .folder = m->folder, .current = m->current == NULL ? 0 : m->current->r.number,
	    .versions = arena_alloc(&k->shown, (m->n + 1) * sizeof *out->versions),
	    .reload = m->contest == NULL ? NULL : contest_name(m->contest),
	    .outcome = arena_str(&k->shown, str_of(m->outcome.text)) };
	if (out->versions == NULL)
		return false;
	for (size_t i = 0; i < m->n; i++)
		version_show(k, m->at[i], &out->versions[out->versions_n++]);
	return true;
}

static int
by_name(const void *a, const void *b)
{
	const struct wasm_shown *x = a, *y = b;

	return str_cmp(x->name, y->name);
}

/* Those of the owner, and those of the folder that none of his hides; name p NULL: all. */
static size_t
shown_collect(struct wasm_desk *k, owner_t owner, struct str name, struct wasm_shown **out)
{
	struct wasm_deploy *d = k->d;
	size_t n = 0, cap = 0;

	desk_show_clear(k);
	*out = NULL;
	pthread_mutex_lock(&d->lock);
	for (size_t i = 0; i < d->n; i++) {
		const struct module *m = d->modules[i];

		if (m->n == 0 || m != module_for(d, owner, m->name) ||
		    (name.p != NULL && !str_eq(name, m->name)))
			continue;
		if (!arena_grow(&k->shown, *out, n, cap) || !module_show(k, m, &(*out)[n]))
			break;
		n++;
	}
	pthread_mutex_unlock(&d->lock);
	return n;
}

void
wasm_desk_list(struct wasm_desk *k, owner_t owner,
    void (*each)(void *ctx, const struct wasm_shown *x), void *ctx)
{
	struct wasm_shown *at;
	size_t n = shown_collect(k, owner, STR_NONE, &at);

	if (n > 1)
		qsort(at, n, sizeof *at, by_name);
	for (size_t i = 0; i < n; i++)
		each(ctx, &at[i]);
}

int
wasm_desk_show(struct wasm_desk *k, owner_t owner, struct str name,
    void (*shown)(void *ctx, const struct wasm_shown *x), void *ctx, struct err *e)
{
	struct wasm_shown *at;
	int rc = OK;

	if (name.n == 0 || shown_collect(k, owner, name, &at) == 0) {
		pthread_mutex_lock(&k->d->lock);
		rc = module_missing(k->d, owner, name, e);
		pthread_mutex_unlock(&k->d->lock);
	} else {
		shown(ctx, at);
	}
	return rc;
}
