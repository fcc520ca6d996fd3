/*
 * deploy_fix.c - see deploy_fix.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "deploy_fix.h"

#include <string.h>
#include <unistd.h>

/* ---- what stands for builds and host processes ------------------------------------------- */

struct wasm_instance {
	const struct wasm_hooks *hooks;
	void *arg;
	bool traps, told;
};

struct world world;

static struct wasm_code *
code_hold(struct wasm_code *c)
{
	c->refs++;
	return c;
}

void
code_drop(struct wasm_code *c)
{
	if (c == NULL || --c->refs > 0)
		return;
	world.codes--;
	arena_release(&c->arena);
	free(c);
}

static struct wasm_code *
code_new(struct str bytes, enum wasm_compiler compiler)
{
	struct wasm_code *c = mem_new(struct wasm_code);
	struct wasm_facts *facts;

	c->refs = 1;
	c->arena = ARENA(64 * KB);
	c->path = arena_str(&c->arena, bytes);
	c->compiler = compiler;
	facts = arena_new(&c->arena, struct wasm_facts);
	facts->imports = str_starts(bytes, S("send")) ? 1u << WASM_SEND : 0;
	facts->pages = 1;
	c->facts = facts;
	world.codes++;
	return c;
}

static void
build_start(struct shard *s, const char *cache, struct wasm_build *b)
{
	(void)s;
	CHECK(strcmp(cache, "cache") == 0 && world.builds_n < COUNT(world.builds));
	world.started[b->compiler]++;
	/* It copies the bytes. */
	b->build_data = mem_cstr(b->bytes);
	world.builds[world.builds_n++] = b;
}

static void
build_out(size_t i)
{
	world.builds_n--;
	memmove(world.builds + i, world.builds + i + 1,
	    (world.builds_n - i) * sizeof world.builds[0]);
}

static void
build_stop(struct wasm_build *b)
{
	for (size_t i = 0; i < world.builds_n; i++)
		if (world.builds[i] == b) {
			free(b->build_data);
			build_out(i);
			return;
		}
	CHECK(!"a build that is under way");
}

static void
build_end(size_t i)
{
	struct wasm_build *b = world.builds[i];
	char *bytes = b->build_data;
	bool missing = b->compiler == WASM_TCC ? world.no_tcc : world.no_gcc;
	struct err e = { 0 };
	struct wasm_code *code = NULL;
	int rc = OK;

	build_out(i);
	if (missing)
		rc = err_set(&e, ERR_NOTFOUND, "there is no compiler here: apt install tcc");
	else if (b->compiler == WASM_GCC && world.gcc_full)
		rc = err_set(&e, ERR_LIMIT, "64 builds of modules wait already");
	else if (strncmp(bytes, "bad", 3) == 0)
		rc = err_set(&e, ERR_INVALID, "section 7, offset 3: bad");
	else
		code = code_new(str_of(bytes), b->compiler);
	free(bytes);
	b->done(b, rc, code, &e);
}

static int
build_cached(struct wasm_code **out, const char *cache, struct str bytes, bool any,
    struct err *e)
{
	(void)cache, (void)any;
	if (!world.cached)
		return err_set(e, ERR_NOTFOUND, "not in the cache");
	*out = code_new(bytes, WASM_GCC);
	return OK;
}

static int
pool_new(struct wasm_pool **out, struct shard *s, const struct wasm_pool_options *o,
    struct err *e)
{
	(void)s, (void)o, (void)e;
	*out = (struct wasm_pool *)&world;
	return OK;
}

static void
pool_free(struct wasm_pool *p)
{
	CHECK(p == (struct wasm_pool *)&world);
}

static void
pool_replace(struct wasm_pool *p, struct wasm_code *old, struct wasm_code *now)
{
	CHECK(p != NULL && old->compiler == WASM_TCC && now->compiler == WASM_GCC);
	world.replaced++;
}

static int
instance_new(struct wasm_instance **out, struct wasm_pool *p,
    const struct wasm_instance_options *o, const struct wasm_hooks *h, void *arg,
    struct err *e)
{
	struct wasm_instance *i = mem_new(struct wasm_instance);

	(void)p, (void)e;
	*i = (struct wasm_instance){ h, arg, str_starts(o->code->path, S("trap")), false };
	for (size_t n = 0; n < COUNT(world.starting); n++)
		if (world.starting[n] == NULL) {
			world.starting[n] = i;
			break;
		}
	world.instances++;
	*out = i;
	return OK;
}

static void
instance_free(struct wasm_instance *i)
{
	if (i == NULL)
		return;
	for (size_t n = 0; n < COUNT(world.starting); n++)
		if (world.starting[n] == i)
			world.starting[n] = NULL;
	world.instances--;
	free(i);
}

static void
instance_answer(struct wasm_instance *i, int32_t rc, struct str body)
{
	(void)i, (void)rc, (void)body;
}

static const struct deploy_ops ops = { code_hold, code_drop, build_start, build_stop,
    build_cached, pool_new, pool_free, pool_replace, instance_new, instance_answer,
    instance_free };

/* ---- a server of two shards ---------------------------------------------------------------- */

static struct fix *here;

static size_t
desk_of(const struct wasm_listener *ear)
{
	return (size_t)(ear - here->ear);
}

static void
hear(size_t i, const struct wasm_reload *r, bool switched, int rc)
{
	CHECK(here->heard_n[i] < HEARD);
	here->heard[i][here->heard_n[i]++] = (struct heard){ r->from == NULL ? 0 :
	    r->from->number, r->to->number, r->strategy, switched, rc };
}

static void
on_reload(void *ctx, const struct wasm_reload *r)
{
	size_t i = desk_of(ctx);

	hear(i, r, false, OK);
	if (r->strategy == WASM_PARALLEL && r->from != NULL && !here->mute)
		wasm_desk_ready(here->desk[i], r->to, i == 1 ? here->ready : OK);
}

static void
on_switched(void *ctx, const struct wasm_reload *r, int rc)
{
	hear(desk_of(ctx), r, true, rc);
}

static void
on_tick(struct wheel_timer *t)
{
	for (int i = 0; i < DESKS; i++)
		if (t == &here->tick[i])
			shard_timer_set(here->shard[i], t, 1);
}

static void
desks_open(struct fix *f)
{
	struct wasm_deploy_options o = { .store = f->st, .cache = "cache", .shards_n = DESKS,
	    .shared = f->shared, .changed = f->changed, .ctx = f };

	if (f->real) {
		o.cache = f->cache;
		o.pool.host_program = f->host;
		CHECK_RC(wasm_deploy_new(&f->d, &o, &f->e), OK);
	} else {
		CHECK_RC(deploy_new_with(&f->d, &o, &ops, &f->e), OK);
	}
	for (int i = 0; i < DESKS; i++) {
		CHECK_RC(wasm_desk_new(&f->desk[i], f->d, f->shard[i], f->reader[i], &f->e), OK);
		f->heard_n[i] = 0;
		if (f->deaf)
			continue;
		f->ear[i] = (struct wasm_listener){ on_reload, on_switched, &f->ear[i], NULL };
		wasm_desk_listen(f->desk[i], &f->ear[i]);
	}
}

static void
open_as_it_is(struct fix *f)
{
	struct store_options o = { .driver = S("sqlite"), .path = S("db") };

	here = f;
	CHECK_RC(store_open(&f->st, &o, &f->e), OK);
	for (int i = 0; i < DESKS; i++) {
		CHECK_RC(shard_new(&f->shard[i], (unsigned)i, &f->e), OK);
		CHECK_RC(store_reader_open(f->st, &f->reader[i], &f->e), OK);
		f->tick[i].fire = on_tick;
		shard_timer_set(f->shard[i], &f->tick[i], 1);
	}
	desks_open(f);
}

void
turn(struct fix *f)
{
	for (int i = 0; i < DESKS; i++)
		shard_turn(f->shard[i]);
	for (size_t i = 0; i < world.builds_n; i++)
		if (strncmp(world.builds[i]->build_data, "stuck", 5) != 0 &&
		    (world.builds[i]->compiler == WASM_TCC || !world.gcc_waits)) {
			build_end(i);
			break;
		}
	for (size_t i = 0; i < COUNT(world.starting); i++) {
		struct wasm_instance *x = world.starting[i];
		struct err e;

		if (x == NULL || x->told)
			continue;
		x->told = true;
		err_set(&e, ERR_INVALID, "out of fuel");
		x->hooks->started(x->arg, x->traps ? ERR_INVALID : OK, &e);
	}
}

void
turns(struct fix *f)
{
	for (int i = 0; i < 12; i++)
		turn(f);
}

void
fix_open(struct fix *f)
{
	memset(f, 0, sizeof *f);
	open_as_it_is(f);
}

void
fix_open_real(struct fix *f)
{
	char at[400];
	ssize_t n = readlink("/proc/self/exe", at, sizeof at - 1);

	memset(f, 0, sizeof *f);
	f->real = true;
	CHECK(n > 0);
	at[n] = '\0';
	*strrchr(at, '/') = '\0';
	snprintf(f->host, sizeof f->host, "%s/cohort-wasm-host", at);
	CHECK(getcwd(at, sizeof at) != NULL);
	snprintf(f->cache, sizeof f->cache, "%s/cache", at);
	open_as_it_is(f);
}

static void
on_drained(void *ctx)
{
	((struct fix *)ctx)->drained++;
}

static void
desks_close(struct fix *f)
{
	for (size_t i = 0; i < f->held_n; i++)
		wasm_release_drop(f->held[i]);
	f->held_n = f->drained = 0;
	for (int i = 0; i < DESKS; i++)
		wasm_desk_drain(f->desk[i], on_drained, f);
	UNTIL(f, f->drained == DESKS);
	for (int i = 0; i < DESKS; i++)
		wasm_desk_free(f->desk[i]);
	wasm_deploy_free(f->d);
}

static void
check_world(void)
{
	CHECK(world.builds_n == 0 && world.instances == 0);
	CHECK(world.codes == 0);
}

void
fix_join(struct fix *f, struct fix *with)
{
	memset(f, 0, sizeof *f);
	f->st = with->st;
	f->deaf = true;
	memcpy(f->shard, with->shard, sizeof f->shard);
	memcpy(f->reader, with->reader, sizeof f->reader);
	desks_open(f);
}

void
fix_leave(struct fix *f)
{
	desks_close(f);
}

void
fix_close(struct fix *f)
{
	desks_close(f);
	check_world();
	for (int i = 0; i < DESKS; i++) {
		shard_timer_cancel(f->shard[i], &f->tick[i]);
		store_reader_close(f->reader[i]);
	}
	store_close(f->st);
	for (int i = 0; i < DESKS; i++)
		shard_free(f->shard[i]);
}

void
fix_restart(struct fix *f)
{
	desks_close(f);
	check_world();
	desks_open(f);
}

/* ---- what tests do ------------------------------------------------------------------------- */

struct answer answer;

static void
answered(int rc, int64_t number, const struct err *e)
{
	CHECK(!answer.done);
	answer = (struct answer){ true, rc, number, *e };
}

void
on_put(struct wasm_put *p, int rc, int64_t number, const struct err *e)
{
	(void)p;
	answered(rc, number, e);
}

static void
on_back(void *ctx, int rc, int64_t number, const struct err *e)
{
	(void)ctx;
	answered(rc, number, e);
}

static void
on_gone(void *ctx, int rc, const struct err *e)
{
	(void)ctx;
	answered(rc, 0, e);
}

static struct wasm_put one;

void
put_begin(struct fix *f, int desk, owner_t owner, const char *name, const char *bytes,
    struct wasm_reload how)
{
	answer.done = false;
	one = (struct wasm_put){ .owner = owner, .name = str_of(name), .bytes = str_of(bytes),
	    .how = how, .done = on_put };
	wasm_desk_put(f->desk[desk], &one);
	CHECK(!answer.done);                 /* later */
}

int
put_how(struct fix *f, owner_t owner, const char *name, const char *bytes,
    struct wasm_reload how)
{
	put_begin(f, 0, owner, name, bytes, how);
	UNTIL(f, answer.done);
	return answer.rc;
}

int
put(struct fix *f, owner_t owner, const char *name, const char *bytes)
{
	return put_how(f, owner, name, bytes, (struct wasm_reload){ 0 });
}

int
back(struct fix *f, owner_t owner, const char *name, int64_t number)
{
	answer.done = false;
	wasm_desk_rollback(f->desk[1], owner, str_of(name), number, on_back, NULL);
	UNTIL(f, answer.done);
	return answer.rc;
}

int
drop(struct fix *f, owner_t owner, const char *name)
{
	answer.done = false;
	wasm_desk_delete(f->desk[0], owner, str_of(name), on_gone, NULL);
	UNTIL(f, answer.done);
	return answer.rc;
}

struct wasm_release *
find(struct fix *f, owner_t owner, const char *name, int want)
{
	struct wasm_release *r;
	int rc = wasm_desk_find(f->desk[1], owner, str_of(name), &r, &f->e);

	CHECK_RC(rc, want);
	CHECK((rc == OK) == (r != NULL));
	if (r != NULL)
		f->held[f->held_n++] = r;
	return r;
}

int64_t
current(struct fix *f, owner_t owner, const char *name)
{
	struct wasm_release *r;
	int64_t number;

	CHECK_RC(wasm_desk_find(f->desk[0], owner, str_of(name), &r, &f->e), OK);
	number = r->number;
	wasm_release_drop(r);
	return number;
}

static void
see_outcome(void *ctx, const struct wasm_shown *x)
{
	struct buf *b = ctx;

	buf_add_fmt(b, "%.*s@%lld:", FMT(x->name), (long long)x->current);
	for (size_t i = 0; i < x->versions_n; i++)
		buf_add_fmt(b, " %lld", (long long)x->versions[i].number);
	if (x->reload != NULL)
		buf_add_fmt(b, " [%s]", x->reload);
	if (x->outcome.n > 0)
		buf_add_fmt(b, " %.*s", FMT(x->outcome));
}

struct str
shown(struct fix *f, owner_t owner, const char *name)
{
	static char text[1000];
	struct buf b = BUF(sizeof text - 1);

	CHECK_RC(wasm_desk_show(f->desk[0], owner, str_of(name), see_outcome, &b, &f->e), OK);
	memcpy(text, b.p, b.n + 1);
	buf_release(&b);
	return str_of(text);
}

struct heard
last(const struct fix *f, int i)
{
	CHECK(f->heard_n[i] > 0);
	return f->heard[i][f->heard_n[i] - 1];
}
