/*
 * pool_group.c - a group: which modules it uses, and which of its processes has them.
 *
 * A process loads its modules when it starts, and then no more.  So a module that is new
 * waits a moment for others (DELAY_MS), then all that the group uses is loaded into a new
 * process, the next generation.  Modules that arrive while one starts wait for the one after.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wasm/pool_priv.h"

#include <assert.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

#define DELAY_MS    1
#define RENEW_MS    200                      /* for better objects only */
#define RETRY_MS    100                      /* then twice as long each time */
#define FAILURES    3                        /* then waiting instances fail */

static _Atomic unsigned open_groups;         /* of all shards */

static void on_soon(struct wheel_timer *t);

void
group_init(struct group *g, struct wasm_pool *p, bool idle_class)
{
	g->pool = p;
	g->idle_class = idle_class;
	g->soon.fire = on_soon;
	list_init(&g->hosts);
	list_init(&g->waiting);
}

bool
group_open(struct group *g)
{
	struct wasm_pool *p = g->pool;

	if (g->counted || g == &p->groups[QUARANTINE])
		return true;
	if (atomic_fetch_add(&open_groups, 1) >= p->options.hosts_max && g != &p->groups[0]) {
		atomic_fetch_sub(&open_groups, 1);
		return false;
	}
	g->counted = true;
	return true;
}

static void
group_close(struct group *g)
{
	if (g->counted)
		atomic_fetch_sub(&open_groups, 1);
	g->counted = false;
}

void
group_close_empty(struct group *g)
{
	if (list_empty(&g->hosts) && g->instances == 0)
		group_close(g);
}

/* Units. */

struct unit *
group_unit(struct group *g, struct wasm_code *code)
{
	struct unit *u;

	for (size_t k = 0; k < g->units_n; k++)
		if (g->units[k]->code == code)
			return g->units[k];
	u = mem_new(struct unit);
	u->code = wasm_code_hold(code);
	u->at = NOWHERE;
	mem_grow(g->units, g->units_n, g->units_cap);
	return g->units[g->units_n++] = u;
}

static void
drop_unit(struct group *g, size_t k)
{
	struct unit *u = g->units[k];

	assert(u->users == 0);
	wasm_code_drop(u->code);
	free(u);
	g->units[k] = g->units[--g->units_n];
}

/* Where each is in the current process. */
static void
place_units(struct group *g)
{
	struct host *h = g->current;

	for (size_t k = 0; k < g->units_n; k++) {
		struct unit *u = g->units[k];

		u->at = NOWHERE;
		for (size_t n = 0; h != NULL && n < h->objects_n && u->at == NOWHERE; n++)
			if (h->objects[n] == u->code)
				u->at = (uint32_t)n;
	}
}

static bool
chosen(struct wasm_code *const *out, size_t n, const struct wasm_code *code)
{
	for (size_t k = 0; k < n; k++)
		if (out[k] == code)
			return true;
	return false;
}

/* The objects of the next process; drops units that nobody has used for long. */
static size_t
choose_objects(struct group *g, struct wasm_code **out)
{
	nsec now = shard_now(g->pool->shard);
	size_t n = 0;

	for (size_t k = 0; k < g->units_n;) {
		struct unit *u = g->units[k];

		if (u->users == 0 && (g->units_n > LIMIT_WASM_OBJECTS ||
		    now - u->used > LIMIT_WASM_IDLE_MS * NS_PER_MS)) {
			drop_unit(g, k);
			continue;
		}
		if (!u->bad && n < LIMIT_WASM_OBJECTS && !chosen(out, n, u->code))
			out[n++] = u->code;
		k++;
	}
	return n;
}

/* Instances. */

void
group_send_start(struct wasm_instance *i, struct host *h, uint32_t number)
{
	const struct wasm_start_frame start = { .object = i->unit->at, .allow = i->allow,
		.pages_max = i->limits.pages, .depth_max = i->limits.depth,
		.fuel = i->limits.fuel, .cpu_us = i->limits.cpu_us,
		.host_calls_max = i->limits.host_calls, .restore = i->image.n > 0,
		.message_max = i->limits.message_bytes };
	const struct str body = { (const char *)&start, sizeof start };
	struct wasm_frame f = { .type = WASM_RESTORE_FRAME, .agent = number };

	for (size_t at = 0; at < i->image.n; at += PART_BYTES) {
		struct str part = str_sub(buf_str(&i->image), at, PART_BYTES);

		f.a = at + part.n == i->image.n;
		(void)host_send(h, &f, &part, 1, true);
	}
	f.type = WASM_START_FRAME;
	f.a = 0;
	(void)host_send(h, &f, &body, 1, true);
	buf_release(&i->image);
}

/* False: it waits on. */
static bool
start(struct wasm_instance *i)
{
	struct group *g = i->group;
	struct host *h = g->current;

	if (h == NULL || i->unit->at == NOWHERE || !host_has_room(h))
		return false;
	i->number = host_number(h, i);
	if (i->number == NOWHERE)
		return false;
	list_remove(&i->in);
	TALLY(g->pool->waiting, -1);
	i->host = h;
	instance_become(i, STARTS);
	group_send_start(i, h, i->number);
	return true;
}

static bool
needs_process(const struct wasm_instance *i)
{
	return i->group->current == NULL || i->unit->at == NOWHERE;
}

static void
want(struct group *g, msec delay)
{
	if (g->coming != NULL || wheel_armed(&g->soon) || g->pool->stops)
		return;
	if (g->failures > 0)
		delay = RETRY_MS << (g->failures < 6 ? g->failures : 6);
	shard_timer_set(g->pool->shard, &g->soon, delay);
}

void
group_add(struct group *g, struct wasm_instance *i)
{
	list_append(&g->waiting, &i->in);
	g->empty_since = 0;
	i->unit->bad = false;
	if (!start(i) && needs_process(i))
		want(g, DELAY_MS);
}

/* Fails waiting instances that the current process cannot serve. */
static void
give_up_waiting(struct group *g, const struct unit *only, const struct err *why)
{
	struct loss *loss = loss_new(why);

	for (struct list *l = g->waiting.next, *next; l != &g->waiting; l = next) {
		struct wasm_instance *i = CONTAINER_OF(l, struct wasm_instance, in);

		next = l->next;
		if (only != NULL ? i->unit == only : needs_process(i))
			instance_lose(i, loss);
	}
	loss_drop(loss);
}

void
group_work(struct group *g)
{
	bool needs = false;

	for (struct list *l = g->waiting.next, *next; l != &g->waiting; l = next) {
		struct wasm_instance *i = CONTAINER_OF(l, struct wasm_instance, in);

		next = l->next;
		if (needs_process(i))
			needs = true;
		else if (!start(i))
			break;
	}
	if (needs)
		want(g, DELAY_MS);
	else if (g->renew && g->current != NULL)
		want(g, RENEW_MS);
	move_all(g);
}

/* Processes. */

static void
on_soon(struct wheel_timer *t)
{
	struct group *g = CONTAINER_OF(t, struct group, soon);
	struct wasm_code **objects;
	struct err e;
	size_t n;

	assert(g->coming == NULL);
	if (list_count(&g->hosts) >= WASM_GENERATIONS) {
		if (g->stuck_since == 0)
			g->stuck_since = shard_now(g->pool->shard);
		return;
	}
	g->stuck_since = 0;
	if (list_empty(&g->waiting) && !g->renew)
		return;
	objects = mem_alloc((LIMIT_WASM_OBJECTS + 1) * sizeof *objects);
	n = choose_objects(g, objects);
	if (n > 0 && host_new(&g->coming, g, objects, n, &e) != OK) {
		g->failures++;
		g->why = e;
		log_error("wasm", "host", "shard=%u error=%s", shard_id(g->pool->shard), e.text);
		if (g->failures >= FAILURES)
			give_up_waiting(g, NULL, &e);
		group_work(g);
	}
	free(objects);
}

void
group_ready(struct host *h)
{
	struct group *g = h->group;
	struct err e;

	assert(g->coming == h);
	g->coming = NULL;
	g->current = h;
	g->failures = 0;
	g->renew = false;
	place_units(g);
	if (h->objects_n >= LIMIT_WASM_OBJECTS) {
		err_set(&e, ERR_LIMIT, "more than %d modules are in use in one host process",
		    LIMIT_WASM_OBJECTS);
		give_up_waiting(g, NULL, &e);
	}
	for (size_t k = 0; k < g->units_n; k++)
		if (g->units[k]->users > 0 && g->units[k]->at == NOWHERE && !g->units[k]->bad &&
		    h->objects_n < LIMIT_WASM_OBJECTS)
			g->renew = true;
	group_work(g);
}

/* A process that never was ready. */
static void
note_failure(struct host *h)
{
	struct group *g = h->group;
	struct unit *bad = NULL;

	g->coming = NULL;
	g->why = h->why;
	if (h->bad_object < h->objects_n)
		bad = group_unit(g, h->objects[h->bad_object]);
	if (bad != NULL) {
		bad->bad = true;
		give_up_waiting(g, bad, &h->why);
		return;
	}
	if (++g->failures >= FAILURES)
		give_up_waiting(g, NULL, &h->why);
}

void
group_gone(struct host *h)
{
	struct group *g = h->group;

	if (g->coming == h)
		note_failure(h);
	if (g->current == h) {
		g->current = NULL;
		place_units(g);
	}
	if (g->pool->stops)
		return;
	group_close_empty(g);
	group_work(g);
}

void
group_replace(struct group *g, struct wasm_code *old, struct wasm_code *now)
{
	for (size_t k = 0; k < g->units_n; k++) {
		struct unit *u = g->units[k];

		if (u->code != old || old == now)
			continue;
		u->code = wasm_code_hold(now);
		wasm_code_drop(old);
		u->at = NOWHERE;
		g->renew = g->renew || u->users > 0;
	}
	if (g->renew)
		group_work(g);
}

void
group_release(struct group *g)
{
	struct err e;

	shard_timer_cancel(g->pool->shard, &g->soon);
	err_set(&e, ERR_CLOSED, "the server stops");
	while (!list_empty(&g->hosts))
		host_end(CONTAINER_OF(g->hosts.next, struct host, in), &e);
	group_close(g);
}

void
group_free_units(struct group *g)
{
	while (g->units_n > 0)
		drop_unit(g, g->units_n - 1);
	free(g->units);
}

/* Periodic: a module that waits for a generation, a process that nobody uses. */
void
group_look(struct group *g)
{
	nsec now = shard_now(g->pool->shard);
	struct host *oldest;
	struct err e;

	for (struct list *l = g->hosts.next, *next; l != &g->hosts; l = next) {
		next = l->next;
		host_look(CONTAINER_OF(l, struct host, in));
	}
	oldest = CONTAINER_OF(g->hosts.next, struct host, in);
	if (g->stuck_since != 0 && list_count(&g->hosts) >= WASM_GENERATIONS && oldest != g->current &&
	    now - g->stuck_since > LIMIT_WASM_STUCK_MS * NS_PER_MS) {
		g->stuck_since = 0;
		err_set(&e, ERR_BUSY, "the host process of an old generation still had calls under "
		    "way after %d ms, and a new module needed its place", LIMIT_WASM_STUCK_MS);
		host_end(oldest, &e);
	}
	if (g->instances > 0 || g->current == NULL) {
		g->empty_since = 0;
	} else if (g->empty_since == 0) {
		g->empty_since = now;
	} else if (now - g->empty_since > LIMIT_WASM_IDLE_MS * NS_PER_MS) {
		host_quit(g->current);
		g->current = NULL;
		place_units(g);
	}
}
