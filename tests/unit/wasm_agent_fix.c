/*
 * wasm_agent_fix.c - see wasm_agent_fix.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wasm_agent_fix.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "wasm/guest.h"

struct guests guests;

/* ---- releases ---------------------------------------------------------------------------- */

static struct wasm_release releases[4];

struct wasm_code *
wasm_code_hold(struct wasm_code *c)
{
	return c;
}

void
wasm_code_drop(struct wasm_code *c)
{
	(void)c;
}

struct wasm_release *
wasm_release_hold(struct wasm_release *r)
{
	r->refs++;
	return r;
}

void
wasm_release_drop(struct wasm_release *r)
{
	CHECK(r->refs > 0);
	r->refs--;
}

struct wasm_code *
wasm_release_code(struct wasm_release *r)
{
	return (struct wasm_code *)(void *)r;
}

void
guests_release(int64_t number)
{
	guests.current = &releases[number];
}

void
guests_forget(int64_t number)
{
	releases[number].number = 0;
}

/* ---- the desk ---------------------------------------------------------------------------- */

int
wasm_desk_find(struct wasm_desk *k, owner_t owner, struct str name, struct wasm_release **out,
    struct err *e)
{
	(void)k;
	if (owner != 1 || !str_eq(name, S("m")))
		return err_set(e, ERR_NOTFOUND, "there is no module '%.*s'", FMT(name));
	if (guests.building)
		return err_set(e, ERR_BUSY, "it is being built");
	*out = wasm_release_hold(guests.current);
	return OK;
}

int
wasm_desk_find_number(struct wasm_desk *k, owner_t owner, struct str name, int64_t number,
    struct wasm_release **out, struct err *e)
{
	(void)k, (void)owner, (void)name;
	if (number >= (int64_t)COUNT(releases) || releases[number].number == 0)
		return err_set(e, ERR_NOTFOUND, "there is no release %lld", (long long)number);
	*out = wasm_release_hold(&releases[number]);
	return OK;
}

bool
wasm_desk_split(struct wasm_desk *k, struct wasm_release *from, struct wasm_release **to)
{
	static unsigned n;

	(void)k, (void)from;
	if (guests.other == NULL || n++ % 10 >= guests.split)
		return false;
	*to = wasm_release_hold(guests.other);
	return true;
}

void
wasm_desk_report(struct wasm_desk *k, struct wasm_release *r, bool ok, nsec took)
{
	(void)k, (void)r, (void)took;
	guests.reports++;
	guests.errors += !ok;
}

void
wasm_desk_listen(struct wasm_desk *k, struct wasm_listener *l)
{
	(void)k;
	guests.listener = l;
}

void
wasm_desk_ready(struct wasm_desk *k, const struct wasm_release *to, int rc)
{
	(void)k, (void)to;
	pthread_mutex_lock(&guests.f.lock);
	guests.ready_rc = rc;
	office_changed(&guests.f);
	pthread_mutex_unlock(&guests.f.lock);
}

struct wasm_pool *
wasm_desk_pool(struct wasm_desk *k)
{
	(void)k;
	return NULL;
}

/* ---- the pool ---------------------------------------------------------------------------- */

struct wasm_instance {
	struct wheel_timer next;             /* what it does in a later turn */
	const struct wasm_hooks *h;
	void *arg;
	const struct wasm_release *release;
	int n;
	bool started, calls, saves;
	char message[2000];
};

static void
reply(struct wasm_instance *i, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
reply(struct wasm_instance *i, const char *format, ...)
{
	char text[500];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	i->h->reply(i->arg, str_of(text));
}

static void
ends(struct wasm_instance *i, int result)
{
	static const struct wasm_cost cost;

	i->calls = false;
	i->h->done(i->arg, result, &cost);
}

static void
goes(struct wasm_instance *i, enum wasm_trap why)
{
	static const struct wasm_cost cost;

	i->calls = false;
	i->h->trapped(i->arg, why, why == WASM_TRAP_OTHER ? S("the host process ended") :
	    S("unreachable code"), &cost);
}

static void
handle(struct wasm_instance *i, struct str what)
{
	struct wasm_ask q = { .name = S("n") };
	char n[20];
	int bytes = snprintf(n, sizeof n, "%d", i->n);

	q.body = (struct str){ n, (size_t)bytes };
	if (str_eq(what, S("add"))) {
		reply(i, "{\"content\":{\"n\":%d,\"v\":%d}}", ++i->n, (int)i->release->number);
		ends(i, 0);
	} else if (str_eq(what, S("trap"))) {
		goes(i, WASM_TRAP_UNREACHABLE);
	} else if (str_eq(what, S("lose"))) {
		goes(i, WASM_TRAP_OTHER);
	} else if (str_eq(what, S("put")) || str_eq(what, S("get"))) {
		q.what = str_eq(what, S("put")) ? WASM_STORE_PUT : WASM_STORE_GET;
		i->h->ask(i->arg, &q);
	} else if (str_starts(what, S("tell "))) {
		char json[100];
		int k = snprintf(json, sizeof json, "{\"to\":\"%.*s\",\"content\":\"hi\"}",
		    FMT(str_sub(what, 5, 50)));

		i->h->send(i->arg, (struct str){ json, (size_t)k });
		ends(i, 0);
	} else if (str_starts(what, S("tool "))) {
		q = (struct wasm_ask){ WASM_TOOL_CALL, str_sub(what, 5, 50),
		    S("{\"expression\":\"1+1\"}") };
		i->h->ask(i->arg, &q);
	} else if (str_eq(what, S("wait"))) {
		pthread_mutex_lock(&guests.f.lock);
		guests.waits = i;
		office_changed(&guests.f);
		pthread_mutex_unlock(&guests.f.lock);
	} else {
		i->n += str_eq(what, S("fail"));
		ends(i, str_eq(what, S("fail")));
	}
}

static void
on_next(struct wheel_timer *t)
{
	struct wasm_instance *i = CONTAINER_OF(t, struct wasm_instance, next);
	char saved[20];
	struct val v, content;
	struct err e;
	int n;

	if (!i->started) {
		i->started = !guests.no_start;
		i->h->started(i->arg, i->started ? OK : ERR_INVALID,
		    (err_set(&e, ERR_INVALID, "start: unreachable code"), &e));
	} else if (i->saves) {
		i->saves = false;
		n = snprintf(saved, sizeof saved, "%d", i->n);
		i->h->saved(i->arg, OK, (struct str){ saved, (size_t)n });
	} else if (i->calls) {
		v = val_json_trusted(str_of(i->message));
		content = val_get(v, S("content"));
		handle(i, content.kind == VAL_STRING ? val_str(content) : STR_NONE);
		val_drop(v);
	}
}

static void
later(struct wasm_instance *i)
{
	i->next.fire = on_next;
	shard_timer_set(guests.f.desks[0].shard, &i->next, 0);
}

int
wasm_instance_new(struct wasm_instance **out, struct wasm_pool *p,
    const struct wasm_instance_options *o, const struct wasm_hooks *h, void *arg, struct err *e)
{
	struct wasm_instance *i = mem_new(struct wasm_instance);

	(void)p, (void)e;
	i->h = h;
	i->arg = arg;
	i->release = (const struct wasm_release *)(const void *)o->code;
	for (size_t k = 0; k < o->restore.n; k++)
		i->n = 10 * i->n + o->restore.p[k] - '0';
	guests.started++;
	guests.live++;
	later(i);
	*out = i;
	return OK;
}

void
wasm_instance_free(struct wasm_instance *i)
{
	if (i == NULL)
		return;
	shard_timer_cancel(guests.f.desks[0].shard, &i->next);
	if (guests.waits == i)
		guests.waits = NULL;
	guests.live--;
	free(i);
}

int
wasm_instance_call(struct wasm_instance *i, struct str message)
{
	CHECK(i->started && !i->calls && message.n < sizeof i->message);
	memcpy(i->message, message.p, message.n);
	i->message[message.n] = '\0';
	i->calls = true;
	later(i);
	return OK;
}

void
wasm_instance_answer(struct wasm_instance *i, int32_t rc, struct str body)
{
	CHECK(i->calls);
	if (body.n > 0 && rc == WASM_OK && body.p[0] >= '0' && body.p[0] <= '9')
		reply(i, "{\"content\":%.*s}", FMT(body));
	else
		reply(i, "{\"content\":{\"rc\":%d}}", rc);
	ends(i, 0);
}

int
wasm_instance_save(struct wasm_instance *i)
{
	CHECK(!i->calls);
	i->saves = true;
	later(i);
	return OK;
}

bool
wasm_instance_live(const struct wasm_instance *i)
{
	return i->started;
}

void
wasm_pool_stats(const struct wasm_pool *p, struct wasm_pool_stats *out)
{
	(void)p;
	*out = (struct wasm_pool_stats){ .calls = 1 };
}

/* ---- a desk of an office -------------------------------------------------------------------- */

static void
open_extra(struct office_desk *d)
{
	const struct wasm_agents_options o = { .shard = d->shard, .office = d->office,
		.store = d->f->st, .reader = d->reader, .tools = guests.tools };

	guests.agents = wasm_agents_new(&o);
}

static void
drain_extra(struct office_desk *d, void (*done)(void *ctx), void *ctx)
{
	(void)d;
	wasm_agents_drain(guests.agents, done, ctx);
}

static void
close_extra(struct office_desk *d)
{
	(void)d;
	wasm_agents_free(guests.agents);
	guests.agents = NULL;
}

static const struct office_extra extra = { open_extra, drain_extra, close_extra };
static struct inbox ann;

static void
ann_open(void)
{
	struct office_spec spec = { .owner = 1, .name = S("ann"), .kind = S("external") };

	CHECK_RC(office_spawn_wait(&guests.f, 0, &spec, NULL), OK);
	inbox_open(&guests.f, 0, &ann, "ann");
}

void
guest_bed_open(void)
{
	static const struct str tools[] = { S("calculate") };

	memset(&guests, 0, sizeof guests);
	memset(releases, 0, sizeof releases);
	for (size_t i = 1; i < COUNT(releases); i++)
		releases[i] = (struct wasm_release){ .owner = 1, .name = S("m"),
		    .number = (int64_t)i, .policy = { .tools = tools, .tools_n = 1 } };
	guests.ready_rc = 1;
	guests.tools = tools_new();
	guests_release(1);
	office_extra = &extra;
	office_fix_open(&guests.f, 1, NULL);
	ann_open();
}

void
guest_bed_close(void)
{
	inbox_close(&guests.f, 0, &ann);
	office_fix_close(&guests.f);
	office_extra = NULL;
	tools_free(guests.tools);
	CHECK_INT(guests.live, 0);
	for (size_t i = 0; i < COUNT(releases); i++)
		CHECK_INT(releases[i].refs, 0);
}

void
guests_restart(void)
{
	inbox_close(&guests.f, 0, &ann);
	office_fix_restart(&guests.f);
	CHECK_INT(guests.live, 0);
	ann_open();
}

/* ---- reloads ------------------------------------------------------------------------------------ */

struct reload { enum wasm_strategy how; int64_t to; bool switched; int rc; };

static void
reload(struct office_desk *d, void *arg)
{
	const struct reload *x = arg;
	const struct wasm_reload r = { .strategy = x->how, .from = guests.current,
		.to = &releases[x->to], .drain = 1000 };

	(void)d;
	if (x->switched)
		guests.listener->switched(guests.listener->ctx, &r, x->rc);
	else
		guests.listener->reload(guests.listener->ctx, &r);
	if (x->how != WASM_SPLIT && (x->how != WASM_PARALLEL || x->switched) && x->rc == OK)
		guests.current = &releases[x->to];
}

void
guests_reload(enum wasm_strategy how, int64_t to)
{
	struct reload x = { how, to, false, OK };

	guests.ready_rc = 1;
	office_do(&guests.f, 0, reload, &x);
}

void
guests_switch(int64_t to, int rc)
{
	struct reload x = { WASM_PARALLEL, to, true, rc };

	office_do(&guests.f, 0, reload, &x);
}

void
guests_split(int64_t to, unsigned of_ten)
{
	guests.other = &releases[to];
	guests.split = of_ten;
	guests_reload(WASM_SPLIT, to);
}

static void
go(struct office_desk *d, void *arg)
{
	(void)d, (void)arg;
	ends(guests.waits, 0);
}

void
guests_go(void)
{
	office_do(&guests.f, 0, go, NULL);
}

/* ---- agents -------------------------------------------------------------------------------------- */

int
guests_spawn(const char *name, bool durable, enum supervise_restart restart)
{
	struct office_spec spec = { .owner = 1, .name = str_of(name), .kind = S("wasm"),
		.graph_id = S("m"), .durable = durable, .restart = restart, .restarts_max = 3,
		.restarts_window = 60000, .backoff = 1 };

	return office_spawn_wait(&guests.f, 0, &spec, NULL);
}

const char *
guests_ask(const char *name, const char *what)
{
	static char text[300];

	(void)snprintf(text, sizeof text, "\"%s\"", what);
	ann.content[0] = '\0';
	CHECK_RC(office_say(&guests.f, 0, 1, "ann", name, ACL_REQUEST, text), OK);
	office_quiet(&guests.f);
	return ann.content;
}
