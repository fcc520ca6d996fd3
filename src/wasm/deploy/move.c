/*
 * move.c - a release on its way to be current; and the end of a module.
 *
 *   PUT      check - build - first start - the store takes it ------.
 *   FOLDER   check - build - first start ----------------------------+- current, or a contest
 *   BACK     (build) - first start - the store makes it current -----+
 *   TOLD     (build) - first start ----------------------------------'
 *   DELETE   the store lets it go - it is no more
 *
 * A step that fails ends the move: what was current stays so.  The first start is a trial:
 * its instance is freed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wasm/deploy/deploy_priv.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

#include "base/log.h"

static void move_begin(struct shard_job *job);

/* ---- life -------------------------------------------------------------------------- */

struct move *
move_new(struct wasm_desk *k, enum move_kind kind, owner_t owner, struct str name)
{
	struct move *v = mem_new(struct move);

	v->k = k;
	v->kind = kind;
	v->owner = owner;
	v->arena = ARENA(64 * KB);
	v->policy = BUF(4 * (size_t)LIMIT_WASM_POLICY_BYTES);
	v->name = arena_str(&v->arena, str_cut(name, 4 * LIMIT_WASM_NAME_BYTES));
	return v;
}

static void
move_answer(struct move *v, int rc, int64_t number, const struct err *e)
{
	if (v->asked != NULL)
		v->asked->done(v->asked, rc, number, e);
	else if (v->done != NULL)
		v->done(v->ctx, rc, number, e);
	else if (v->deleted != NULL)
		v->deleted(v->ctx, rc, e);
}

/* Under the lock: those that waited begin again, each at its desk. */
static void
waiting_go(struct module *m)
{
	while (!list_empty(&m->waiting)) {
		struct move *v = CONTAINER_OF(m->waiting.next, struct move, waits);

		list_remove(&v->waits);
		v->job.run = move_begin;
		desk_post(v->k, &v->job);
	}
}

/* The last thing of it. */
static void
move_end(struct move *v, int rc, int64_t number, const struct err *e)
{
	struct wasm_desk *k = v->k;

	pthread_mutex_lock(&k->d->lock);
	if (v->m != NULL) {
		v->m->busy = v->m->follows = false;
		waiting_go(v->m);
		if (v->m->n == 0 || (v->m->folder && v->m->leaves))
			module_remove(k->d, v->m);
		else
			v->m->leaves = false;
	}
	if (v->kind == MOVE_PUT && v->x != NULL)
		v->x->bytes = STR_NONE;      /* they were the client's */
	release_let_go(v->x);
	pthread_mutex_unlock(&k->d->lock);
	list_remove(&v->in);
	move_answer(v, rc, number, e);
	/* After a TOLD nothing is to be said. */
	if (v->kind != MOVE_FOLDER && v->kind != MOVE_TOLD && k->d->o.changed != NULL)
		k->d->o.changed(k->d->o.ctx);
	arena_release(&v->arena);
	buf_release(&v->policy);
	if (v->kind == MOVE_FOLDER)
		folder_next(k);
	free(v);
}

/* What was current stays so. */
static void
move_fail(struct move *v, int rc, const struct err *e)
{
	struct err why = *e;

	if (why.text[0] == '\0')
		err_set(&why, rc, "%s", rc_text(rc));
	if (v->kind == MOVE_FOLDER || v->kind == MOVE_TOLD)
		log_error("wasm", "not_loaded", "module=%.*s error=%s", FMT(v->name),
		    why.text);
	pthread_mutex_lock(&v->k->d->lock);
	if (v->m != NULL && v->m->current != NULL && v->kind != MOVE_DELETE)
		err_set(&v->m->outcome, rc, "rolled_back: %s", why.text);
	if (v->kind == MOVE_FOLDER && v->x->state != RELEASE_FAILED) {
		v->x->state = RELEASE_FAILED;
		v->x->why = why;
		v->x->why.code = ERR_INVALID;
	}
	/* Listeners know that it is being built; tell them that the build failed. */
	if (v->kind == MOVE_FOLDER && v->m != NULL && v->m->current == NULL)
		desks_tell(v->k->d, &(struct wasm_reload){ .to = &v->x->r }, NULL);
	pthread_mutex_unlock(&v->k->d->lock);
	move_end(v, rc, 0, &why);
}

/* Not while the store has a command of it: that comes back. */
void
move_cancel(struct move *v)
{
	struct err e;
	bool begins;

	if (v->commands)
		return;
	pthread_mutex_lock(&v->k->d->lock);
	list_remove(&v->waits);
	begins = v->job.run != NULL;
	pthread_mutex_unlock(&v->k->d->lock);
	if (begins) {                        /* it has not begun; its job sees it */
		list_remove(&v->in);
		return;
	}
	if (v->building != NULL)
		building_stop(v->building);
	v->k->d->ops->instance_free(v->trial);
	v->building = NULL;
	v->trial = NULL;
	err_set(&e, ERR_BUSY, "the server stops");
	move_fail(v, ERR_BUSY, &e);
}

/* ---- the end of the way, under the lock ------------------------------------------------- */

/* Under the lock: do the current release and x run side by side first? */
static bool
is_contested(const struct move *v)
{
	return v->m->current != NULL &&
	    (v->how.strategy == WASM_PARALLEL || v->how.strategy == WASM_SPLIT);
}

/* x is in m's list. */
static void
make_current(struct move *v)
{
	struct module *m = v->m;
	struct wasm_reload how = v->how;

	if (is_contested(v)) {
		contest_begin(v->k, m, v->x, &how);
		return;
	}
	if (how.strategy != WASM_IMMEDIATE)
		how.strategy = WASM_GRACEFUL;
	how.from = m->current == NULL || m->current == v->x ? NULL : &m->current->r;
	how.to = &v->x->r;
	m->current = v->x;
	if (how.from != NULL)
		err_set(&m->outcome, OK, v->kind == MOVE_BACK ? "rolled_back: version %lld after "
		    "%lld, asked for" : "promoted: version %lld after %lld",
		    (long long)how.to->number, (long long)how.from->number);
	log_info("wasm", "current", "module=%.*s version=%lld strategy=%s", FMT(m->name),
	    (long long)how.to->number, wasm_strategy_names[how.strategy]);
	desks_tell(v->k->d, &how, NULL);
}

/* ---- the store ----------------------------------------------------------------------- */

/* It is committed. */
static void
move_done(struct move *v)
{
	struct module *m = v->m;

	pthread_mutex_lock(&v->k->d->lock);
	switch (v->kind) {
	case MOVE_PUT:
		v->x->r.number = v->u.put.x.number;
		module_add(m, v->x);
		make_current(v);
		module_keep_only(m, v->u.put.kept, v->u.put.kept_n);
		break;
	case MOVE_FOLDER:
	case MOVE_BACK:
	case MOVE_TOLD:
		make_current(v);
		break;
	case MOVE_DELETE:
		m->current = NULL;
		module_keep_only(m, NULL, 0);
		log_info("wasm", "deleted", "module=%.*s", FMT(v->name));
	}
	pthread_mutex_unlock(&v->k->d->lock);
	move_end(v, OK, v->x == NULL ? 0 : v->x->r.number, &(struct err){ 0 });
}

static void
stored(struct store_cmd *c)
{
	struct move *v = CONTAINER_OF(c, struct move, u.cmd);
	struct wasm_desk *k = v->k;

	v->commands = false;
	k->commands--;
	if (c->rc == OK)
		move_done(v);
	else
		move_fail(v, c->rc, &c->err);
	desk_settle(k);
}

static void
move_command(struct move *v, enum store_op op)
{
	struct wasm_desk *k = v->k;
	struct err e;
	int rc;

	v->u.cmd.op = op;
	v->u.cmd.owner = v->owner;
	v->u.cmd.arena = &v->arena;
	v->u.cmd.done = stored;
	rc = store_submit(k->d->o.store, k->s, &v->u.cmd, false);
	if (rc == OK) {
		v->commands = true;
		k->commands++;
		return;
	}
	err_set(&e, rc, "the store is busy: try again in a moment");
	move_fail(v, rc, &e);
}

/* Versions that agents use are not trimmed. */
static void
put_store(struct move *v)
{
	struct wasm_desk *k = v->k;
	int64_t *used;
	size_t n = 0;
	bool contested;

	pthread_mutex_lock(&k->d->lock);
	used = arena_alloc(&v->arena, (v->m->n + 1) * sizeof *used);
	assert(used != NULL);
	for (size_t i = 0; i < v->m->n; i++)
		if (release_in_use(v->m->at[i]))
			used[n++] = v->m->at[i]->r.number;
	contested = is_contested(v);
	pthread_mutex_unlock(&k->d->lock);
	wasm_policy_write(&v->policy, &v->x->r.policy);
	v->u.put = (struct store_wasm_put){ .bytes = v->asked->bytes, .used = used, .used_n = n,
	    .x = { .name = v->name, .hash = { (const char *)v->x->sha, sizeof v->x->sha },
	    .policy_json = buf_str(&v->policy), .created = v->x->r.created,
	    .current = !contested } };
	move_command(v, STORE_WASM_PUT);
}

static void
move_commit(struct move *v)
{
	switch (v->kind) {
	case MOVE_PUT:
		put_store(v);
		return;
	case MOVE_BACK:
		v->u.current = (struct store_wasm_current){ .name = v->name,
		    .number = v->x->r.number };
		move_command(v, STORE_WASM_CURRENT);
		return;
	case MOVE_DELETE:
		v->u.gone = (struct store_wasm_delete){ .name = v->name };
		move_command(v, STORE_WASM_DELETE);
		return;
	case MOVE_FOLDER:
	case MOVE_TOLD:
		move_done(v);
	}
}

/* ---- the first start --------------------------------------------------------------------- */

static void
tried(void *arg, int rc, const struct err *e)
{
	struct move *v = arg;
	struct err why;

	v->k->d->ops->instance_free(v->trial);
	v->trial = NULL;
	if (rc == OK) {
		move_commit(v);
		return;
	}
	err_set(&why, rc, "module '%.*s' cannot be started: %s", FMT(v->name),
	    e != NULL && e->text[0] != '\0' ? e->text : rc_text(rc));
	move_fail(v, rc, &why);
}

static void
trial_log(void *arg, int level, struct str text)
{
	const struct move *v = arg;

	log_debug("wasm", "first_start", "module=%.*s level=%d text=%.*s", FMT(v->name), level,
	    FMT(str_cut(text, 512)));
}

static void
trial_says(void *arg, struct str json)
{
	(void)arg, (void)json;               /* a trial's output is dropped */
}

/* A start function that asks gets nothing. */
static void
trial_asks(void *arg, const struct wasm_ask *q)
{
	const struct move *v = arg;

	(void)q;
	v->k->d->ops->instance_answer(v->trial, ERR_DENIED, STR_NONE);
}

static void
trial_done(void *arg, int32_t result, const struct wasm_cost *cost)
{
	(void)arg, (void)result, (void)cost; /* it is given no message */
}

static void
trial_trapped(void *arg, enum wasm_trap why, struct str text, const struct wasm_cost *cost)
{
	struct err e;

	(void)why, (void)cost;
	err_set(&e, ERR_INVALID, "%.*s", FMT(text));
	tried(arg, ERR_INVALID, &e);
}

static void
trial_saved(void *arg, int rc, struct str body)
{
	(void)arg, (void)rc, (void)body;
}

static const struct wasm_hooks trial_hooks = { .started = tried, .log = trial_log,
	.send = trial_says, .reply = trial_says, .ask = trial_asks, .done = trial_done,
	.trapped = trial_trapped, .saved = trial_saved };

static void
move_built(void *ctx, int rc, const struct err *e)
{
	struct move *v = ctx;
	struct wasm_desk *k = v->k;
	struct wasm_code *code;
	struct err why = *e;

	v->building = NULL;
	code = rc == OK ? wasm_release_code(&v->x->r) : NULL;
	if (rc == OK)
		rc = wasm_policy_fits(&v->x->r.policy, code->facts, &why);
	if (rc == OK)
		rc = k->d->ops->instance_new(&v->trial, k->pool,
		    &(struct wasm_instance_options){ .owner = v->owner, .code = code,
		    .limits = v->x->r.policy.limits, .allow = v->x->r.policy.allow },
		    &trial_hooks, v, &why);
	k->d->ops->code_drop(code);
	if (rc != OK) {
		v->trial = NULL;
		move_fail(v, rc, &why);
	}
}

/* ---- the beginning -------------------------------------------------------------------------- */

static int
name_check(struct str name, struct err *e)
{
	bool good = name.n > 0 && name.n <= LIMIT_WASM_NAME_BYTES && name.p[0] != '.';

	for (size_t i = 0; good && i < name.n; i++)
		good = isalnum((unsigned char)name.p[i]) || str_char_in(name.p[i], "_.-");
	return good ? OK : err_set(e, ERR_INVALID, "name: expected 1 to %d letters, digits, "
	    "'_', '-' and '.', got '%.*s'", LIMIT_WASM_NAME_BYTES,
	    FMT(str_cut(name, LIMIT_WASM_NAME_BYTES)));
}

static int
how_check(const struct wasm_reload *h, struct err *e)
{
	if (h->strategy == WASM_SPLIT && (h->percent < 1 || h->percent > 99))
		return err_set(e, ERR_INVALID, "percent: expected 1 to 99, got %u", h->percent);
	if (h->drain < 0 || h->drain > LIMIT_WASM_DRAIN_MAX_MS)
		return err_set(e, ERR_INVALID, "drain: expected at most %d ms, got %lld",
		    LIMIT_WASM_DRAIN_MAX_MS, (long long)h->drain);
	if (h->wait < 0 || h->wait > LIMIT_WASM_SPLIT_MAX_MS)
		return err_set(e, ERR_INVALID, "wait: expected at most %d ms, got %lld",
		    LIMIT_WASM_SPLIT_MAX_MS, (long long)h->wait);
	if (h->calls < 0 || !(h->error_percent >= 0 && h->error_percent <= 100) ||
	    !(h->p99_factor >= 0))
		return err_set(e, ERR_INVALID, "calls, error_percent, p99_factor: expected "
		    "numbers from 0, error_percent up to 100");
	return OK;
}

static int
put_check(struct move *v, struct err *e)
{
	const struct wasm_put *p = v->asked;
	int rc = name_check(p->name, e);

	if (rc == OK)
		rc = desk_pool_check(v->k, e);
	if (rc == OK && p->bytes.n == 0)
		rc = err_set(e, ERR_INVALID, "the module is empty");
	if (rc == OK && p->bytes.n > LIMIT_WASM_MODULE_BYTES)
		rc = err_set(e, ERR_TOOBIG, "the module has %zu bytes; %d is the limit",
		    p->bytes.n, LIMIT_WASM_MODULE_BYTES);
	if (rc == OK)
		rc = wasm_policy_fits(&p->policy, NULL, e);
	if (rc == OK)
		rc = how_check(&p->how, e);
	if (rc == OK && v->k->d->o.store == NULL)
		rc = err_set(e, ERR_INVALID, "this server has no store for modules");
	if (rc == OK)
		rc = release_new(&v->x, v->k->d->ops, &(struct release_spec){
		    .owner = v->owner, .name = p->name, .bytes = p->bytes,
		    .policy = &p->policy, .created = shard_wall(v->k->s) }, e);
	if (rc == OK)
		v->x->bytes = p->bytes;      /* until the store has them */
	return rc;
}

static int
folder_check(struct move *v, struct err *e)
{
	int rc = name_check(v->name, e);

	if (rc == OK)
		rc = desk_pool_check(v->k, e);
	return rc == OK ? wasm_policy_fits(&v->x->r.policy, NULL, e) : rc;
}

/* Under the lock: the module is this move's from now on. */
static int
module_take(struct move *v, struct module *m, struct err *e)
{
	if (m->busy)
		return err_set(e, ERR_CONFLICT, "another change of module '%.*s' is under way: "
		    "try again in a moment", FMT(v->name));
	if (m->contest != NULL && v->kind != MOVE_BACK)
		return err_set(e, ERR_CONFLICT, "a %s reload of module '%.*s' is under way: wait "
		    "for its end, or roll it back", contest_name(m->contest), FMT(v->name));
	m->busy = true;
	m->follows = v->kind == MOVE_TOLD;
	m->leaves = v->kind == MOVE_DELETE;
	v->m = m;
	return OK;
}

/* Under the lock. */
static int
back_find(struct move *v, struct module *m, struct err *e)
{
	struct release *x = v->number > 0 ? module_number(m, v->number) : NULL;

	for (size_t i = 0; v->number == 0 && i < m->n && m->at[i] != m->current; i++)
		x = m->at[i];
	if (x == NULL && v->number > 0)
		return err_set(e, ERR_NOTFOUND, "module '%.*s' has no version %lld",
		    FMT(v->name), (long long)v->number);
	if (x == NULL)
		return err_set(e, ERR_CONFLICT, "module '%.*s' has no version before the "
		    "current one", FMT(v->name));
	v->x = release_keep(x);
	return OK;
}

static int
delete_check(struct move *v, const struct module *m, struct err *e)
{
	for (size_t i = 0; i < m->n; i++)
		if (release_in_use(m->at[i]))
			return err_set(e, ERR_CONFLICT, "version %lld of module '%.*s' is used "
			    "by agents: delete them first", (long long)m->at[i]->r.number,
			    FMT(v->name));
	return OK;
}

/* Under the lock: of one that is there. */
static int
old_take(struct move *v, bool *over, struct err *e)
{
	struct module *m = module_get(v->k->d, v->owner, false, v->name);
	int rc = v->kind != MOVE_DELETE ? desk_pool_check(v->k, e) : OK;

	if (rc != OK)
		return rc;
	if ((m == NULL || m->n == 0) && module_get(v->k->d, 0, true, v->name) != NULL)
		return err_set(e, ERR_CONFLICT, "module '%.*s' is of the folder of agents: change "
		    "it there", FMT(v->name));
	if (m == NULL || m->n == 0)
		return err_set(e, ERR_NOTFOUND, "there is no WebAssembly module '%.*s'",
		    FMT(v->name));
	if (v->kind == MOVE_BACK && m->contest != NULL && !m->busy) {
		v->number = m->current->r.number;
		*over = contest_stop(m->contest, "asked for");
		return *over ? OK : err_set(e, ERR_CONFLICT, "a reload of module '%.*s' is "
		    "ending: try again in a moment", FMT(v->name));
	}
	rc = v->kind == MOVE_DELETE ? delete_check(v, m, e) : back_find(v, m, e);
	return rc == OK ? module_take(v, m, e) : rc;
}

/* Under the lock. */
static int
folder_module_take(struct move *v, struct err *e)
{
	struct module *m = module_get(v->k->d, 0, true, v->name);

	if (m == NULL || module_number(m, v->x->r.number) != v->x)
		return err_set(e, ERR_NOTFOUND, "its file is gone, or has changed again");
	return module_take(v, m, e);
}

/* A client may have changed the module at another node before he asks here: what he asks
 * for is done to what is in the rows by now. */
static bool
move_looks(struct move *v)
{
	struct wasm_desk *k = v->k;

	if (!k->d->o.shared || v->looked || v->kind == MOVE_FOLDER || v->kind == MOVE_TOLD)
		return false;
	v->looked = true;
	wasm_desk_look(k);                   /* its moves are before this one, then */
	move_go(v);
	return true;
}

static bool
move_waits(struct move *v)
{
	struct wasm_deploy *d = v->k->d;
	struct module *m;
	bool waits;

	if (v->kind == MOVE_FOLDER || v->kind == MOVE_TOLD)
		return false;
	pthread_mutex_lock(&d->lock);
	m = module_get(d, v->owner, false, v->name);
	waits = m != NULL && m->busy && m->follows;
	if (waits)
		list_append(&m->waiting, &v->waits);
	pthread_mutex_unlock(&d->lock);
	return waits;
}

static void
move_begin(struct shard_job *job)
{
	struct move *v = CONTAINER_OF(job, struct move, job);
	struct wasm_desk *k = v->k;
	struct err e = { 0 };
	bool over = false;
	int rc = OK;

	job->run = NULL;
	if (!k->draining && (move_looks(v) || move_waits(v))) {
		desk_job_over(k);
		return;
	}
	if (k->draining) {
		rc = err_set(&e, ERR_BUSY, "the server stops");
	} else {
		if (v->kind == MOVE_PUT)
			rc = put_check(v, &e);
		else if (v->kind == MOVE_FOLDER)
			rc = folder_check(v, &e);
		pthread_mutex_lock(&k->d->lock);
		if (rc == OK && v->kind == MOVE_PUT)
			rc = module_take(v, module_make(k->d, v->owner, false, v->name), &e);
		else if (rc == OK && v->kind == MOVE_FOLDER)
			rc = folder_module_take(v, &e);
		else if (rc == OK)
			rc = old_take(v, &over, &e);
		pthread_mutex_unlock(&k->d->lock);
	}
	if (over)
		move_end(v, OK, v->number, &e);
	else if (rc != OK)
		move_fail(v, rc, &e);
	else if (v->kind == MOVE_DELETE)
		move_commit(v);
	else
		v->building = build_begin(k, v->x, move_built, v);
	desk_job_over(k);
}

void
move_go(struct move *v)
{
	struct wasm_desk *k = v->k;

	list_remove(&v->in);
	list_append(&k->moves, &v->in);
	v->job.run = move_begin;
	pthread_mutex_lock(&k->d->lock);
	desk_post(k, &v->job);
	pthread_mutex_unlock(&k->d->lock);
}

/* ---- for clients -------------------------------------------------------------------------- */

void
wasm_desk_put(struct wasm_desk *k, struct wasm_put *p)
{
	struct move *v = move_new(k, MOVE_PUT, p->owner, p->name);

	v->asked = p;
	v->how = p->how;
	move_go(v);
}

void
wasm_desk_rollback(struct wasm_desk *k, owner_t owner, struct str name, int64_t number,
    void (*done)(void *ctx, int rc, int64_t number, const struct err *e), void *ctx)
{
	struct move *v = move_new(k, MOVE_BACK, owner, name);

	v->number = number;
	v->done = done;
	v->ctx = ctx;
	move_go(v);
}

void
wasm_desk_delete(struct wasm_desk *k, owner_t owner, struct str name,
    void (*done)(void *ctx, int rc, const struct err *e), void *ctx)
{
	struct move *v = move_new(k, MOVE_DELETE, owner, name);

	v->deleted = done;
	v->ctx = ctx;
	move_go(v);
}
