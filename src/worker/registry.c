/*
 * registry.c - the sessions of workers, and the services: the names that they serve.
 *
 * SPDX-License-Identifier: MIT
 */
#include "worker/worker_priv.h"

#include <string.h>

#define SWEEP_MIN_MS 100

/* ---- names of workers and tasks --------------------------------------------------- */

#define NODE_AT    10                        /* bytes of a name that tell the node */
#define NODE_BYTES 5

struct uuid
worker_name_new(const struct workers *ws)
{
	int64_t node = atomic_load_explicit(&ws->node, memory_order_relaxed);
	struct uuid id = uuid_v4();

	for (int i = NODE_BYTES; node != 0 && i-- > 0; )
		id.b[NODE_AT + i] = (uint8_t)(node >> 8 * (NODE_BYTES - 1 - i) & 0xff);
	return id;
}

void
workers_set_node(struct workers *ws, int64_t node)
{
	atomic_store_explicit(&ws->node, node, memory_order_relaxed);
}

int64_t
worker_name_node(const struct uuid *id)
{
	int64_t node = 0;

	for (int i = 0; i < NODE_BYTES; i++)
		node = node << 8 | id->b[NODE_AT + i];
	return node;
}

/* ---- tables ------------------------------------------------------------------ */

static uint64_t
id_hash(const void *key)
{
	return uuid_hash(key);
}

static bool
session_is(const void *value, const void *key)
{
	return uuid_eq(&((const struct worker_session *)value)->id, key);
}

static const void *
session_id(const void *value)
{
	return &((const struct worker_session *)value)->id;
}

static uint64_t
service_hash(const void *key)
{
	const struct service_key *k = key;

	return str_hash_keyed(k->name) + k->kind;
}

static bool
service_is(const void *value, const void *key)
{
	const struct service_key *a = &((const struct worker_service *)value)->key, *b = key;

	return a->kind == b->kind && str_eq(a->name, b->name);
}

static const void *
service_key(const void *value)
{
	return &((const struct worker_service *)value)->key;
}

static uint64_t
lane_hash(const void *key)
{
	const struct lane_key *k = key;

	return str_hash_keyed((struct str){ (const char *)&k->owner, sizeof k->owner }) ^
	    (uint64_t)(uintptr_t)k->service >> 4 ^ (uint64_t)(uintptr_t)k->pin << 8 ^
	    (uint64_t)k->newest ^ (uint64_t)k->slot << 1;
}

static bool
lane_is(const void *value, const void *key)
{
	const struct lane_key *a = &((const struct worker_lane *)value)->key, *b = key;

	return a->service == b->service && a->owner == b->owner && a->pin == b->pin &&
	    a->newest == b->newest && a->slot == b->slot;
}

static const void *
lane_key(const void *value)
{
	return &((const struct worker_lane *)value)->key;
}

static uint64_t
serial_hash(const void *key)
{
	return *(const uint64_t *)key * UINT64_C(0x9e3779b97f4a7c15);
}

static bool
poll_is(const void *value, const void *key)
{
	return ((const struct worker_poll *)value)->serial == *(const uint64_t *)key;
}

static const void *
poll_serial(const void *value)
{
	return &((const struct worker_poll *)value)->serial;
}

static bool
offer_is(const void *value, const void *key)
{
	return uuid_eq(&((const struct worker_offer *)value)->task_id, key);
}

static const void *
offer_id(const void *value)
{
	return &((const struct worker_offer *)value)->task_id;
}

/* ---- services ------------------------------------------------------------------ */

enum service_kind
service_of(enum worker_kind k)
{
	return k == WORKER_NODE ? SERVICE_NODE : k == WORKER_TOOL ? SERVICE_TOOL :
	    SERVICE_GRAPH;
}

bool
service_is_served(const struct worker_service *sv)
{
	for (struct list *l = sv->rows.next; l != &sv->rows; l = l->next)
		if (!CONTAINER_OF(l, struct worker_row, in_service)->session->copy)
			return true;
	return false;
}

struct worker_service *
service_find(struct workers *ws, enum service_kind kind, struct str name)
{
	struct service_key key = { kind, name };

	return map_get(&ws->services, &key);
}

static void
service_free(struct workers *ws, struct worker_service *sv)
{
	assert(list_empty(&sv->rows) && list_empty(&sv->lanes) && sv->offers_n == 0);
	build_trim(sv, 0);
	attempts_release(sv);
	ws->log_n -= sv->log_cap;
	ws->bytes -= sv->json.n;
	buf_release(&sv->json);
	free((char *)(uintptr_t)sv->key.name.p);
	free(sv);
}

static bool
service_idle(const struct worker_service *sv)
{
	return list_empty(&sv->rows) && sv->offers_n == 0 && sv->reserved == 0 && !sv->claimed;
}

/* Names without a worker make room for new ones. */
static void
services_clear(struct workers *ws)
{
	struct worker_service *sv;
	size_t at = 0;

	for (sv = map_each(&ws->services, &at); sv != NULL; sv = map_each(&ws->services, &at))
		if (service_idle(sv)) {
			map_take(&ws->services, &sv->key);
			service_free(ws, sv);
		}
}

struct worker_service *
service_get(struct workers *ws, enum service_kind kind, struct str name)
{
	struct worker_service *sv = service_find(ws, kind, name);

	if (sv != NULL)
		return sv;
	if (ws->services.n >= LIMIT_WORKER_NAMES)
		services_clear(ws);
	if (ws->services.n >= LIMIT_WORKER_NAMES)
		return NULL;
	sv = mem_new(struct worker_service);
	sv->key = (struct service_key){ kind, { mem_cstr(name), name.n } };
	sv->json = BUF(LIMIT_WORKER_BYTES);
	list_init(&sv->rows);
	list_init(&sv->builds);
	list_init(&sv->lanes);
	for (size_t i = 0; i < WORKER_SLOTS; i++)
		list_init(&sv->ready[i]);
	map_put(&ws->services, sv);
	return sv;
}

/* Before those that were seen earlier, or at the same time. */
static void
build_place(struct worker_service *sv, struct worker_build *b, msec born)
{
	struct list *l = sv->builds.next;

	b->born = born;
	while (l != &sv->builds &&
	    CONTAINER_OF(l, struct worker_build, in_service)->born > born)
		l = l->next;
	list_append(l, &b->in_service);
}

struct worker_build *
build_get(struct worker_service *sv, struct str text, msec born)
{
	struct worker_build *b;

	for (struct list *l = sv->builds.next; l != &sv->builds; l = l->next) {
		b = CONTAINER_OF(l, struct worker_build, in_service);
		if (!str_eq(b->text, text))
			continue;
		if (born < b->born) {        /* another node knew it earlier */
			list_remove(&b->in_service);
			build_place(sv, b, born);
		}
		return b;
	}
	b = mem_new(struct worker_build);
	b->text = (struct str){ mem_cstr(text), text.n };
	build_place(sv, b, born);
	return b;
}

void
build_trim(struct worker_service *sv, size_t keep)
{
	size_t n = 0;

	for (struct list *l = sv->builds.next, *next; l != &sv->builds; l = next) {
		struct worker_build *b = CONTAINER_OF(l, struct worker_build, in_service);
		bool used = b->pins > 0 || n++ < keep ||
		    (keep > 0 && build_lives(b, clock_mono()));

		next = l->next;
		for (struct list *r = sv->rows.next; !used && r != &sv->rows; r = r->next)
			used = CONTAINER_OF(r, struct worker_row, in_service)->build == b;
		if (used)
			continue;
		list_remove(l);
		free((char *)(uintptr_t)b->text.p);
		free(b->away);
		free(b);
	}
}

/* ---- sessions -------------------------------------------------------------------- */

struct worker_session *
session_find(struct workers *ws, const struct uuid *id)
{
	return map_get(&ws->sessions, id);
}

void
session_hold(struct worker_session *s)
{
	CHECK_MARK(s, SESSION_MARK);
	s->refs++;
}

void
session_drop(struct worker_session *s)
{
	CHECK_MARK(s, SESSION_MARK);
	assert(s->refs > 0);
	if (--s->refs > 0)
		return;
	assert(s->gone && s->poll == NULL && s->rows == NULL && list_empty(&s->leases) &&
	    list_empty(&s->outbox) && list_empty(&s->notices));
	CHECK_END(s);
	free((char *)(uintptr_t)s->id_text.p);
	free((char *)(uintptr_t)s->name.p);
	free((char *)(uintptr_t)s->build.p);
	free((char *)(uintptr_t)s->lang.p);
	free(s);
}

void
session_seen(struct worker_session *s, nsec now)
{
	atomic_store_explicit(&s->seen, now, memory_order_relaxed);
}

/* No new tasks, and it does not count as serving. */
static void
session_uncount(struct worker_session *s)
{
	for (size_t i = 0; i < s->rows_n; i++) {
		struct worker_row *r = &s->rows[i];

		if (!s->copy) {
			assert(r->service->live > 0 && r->build->live > 0);
			r->service->live--;
			r->build->live--;
			r->service->changed = true;
		}
		for (size_t k = 0; k < WORKER_SLOTS; k++)
			list_remove(&r->ready[k]);
	}
}

/* flag: one of s. */
static void
session_set(struct worker_desk *d, struct worker_session *s, bool *flag)
{
	bool counted = session_counts(s);

	if (*flag)
		return;
	*flag = true;
	if (counted)
		session_uncount(s);
	away_changed(d->workers);
	for (size_t i = 0; counted && i < s->rows_n; i++)
		service_settle(d, s->rows[i].service);
	poll_poke(d, s);
}

void
session_quiet(struct worker_desk *d, struct worker_session *s)
{
	session_set(d, s, &s->quiet);
}

void
session_mute(struct worker_desk *d, struct worker_session *s)
{
	session_set(d, s, &s->mute);
}

void
session_unmute(struct worker_session *s)
{
	if (!s->mute)
		return;
	s->mute = false;
	for (size_t i = 0; session_is_live(s) && i < s->rows_n; i++) {
		s->rows[i].service->live++;
		s->rows[i].build->live++;
		s->rows[i].service->changed = true;
	}
}

void
session_end(struct worker_desk *d, struct worker_session *s, const char *why)
{
	struct workers *ws = d->workers;
	struct worker_row *rows = s->rows;
	size_t n = s->rows_n;

	assert(!s->gone);
	if (session_counts(s))
		session_uncount(s);
	s->gone = true;
	map_take(&ws->sessions, &s->id);
	away_drop_tasks(s);
	for (struct list *l = s->leases.next; l != &s->leases; l = l->next)
		lease_tell_lost(d, CONTAINER_OF(l, struct worker_offer, in_session), why);
	for (size_t i = 0; i < n; i++) {
		list_remove(&rows[i].in_service);
		rows[i].service->changed = rows[i].service->changed || !s->copy;
	}
	away_changed(ws);
	s->rows = NULL;
	s->rows_n = 0;
	for (size_t i = 0; i < n; i++) {
		service_settle(d, rows[i].service);
		build_trim(rows[i].service, BUILDS_KEPT);
	}
	free(rows);
	poll_poke(d, s);
	session_drop(s);
}

void
registry_sweep(struct wheel_timer *t)
{
	struct worker_desk *d = CONTAINER_OF(t, struct worker_desk, sweep);
	struct workers *ws = d->workers;
	nsec since = shard_now(d->shard) - 3 * ws->o.lease * NS_PER_MS;
	struct worker_session *s;
	size_t at = 0;

	workers_lock(ws);
	for (s = map_each(&ws->sessions, &at); s != NULL; s = map_each(&ws->sessions, &at))
		if (s->poll == NULL && atomic_load_explicit(&s->seen,
		    memory_order_relaxed) < since)
			session_end(d, s, "silent");
	workers_unlock(ws);
	shard_timer_set(d->shard, t, ws->o.lease / 2 > SWEEP_MIN_MS ? ws->o.lease / 2 :
	    SWEEP_MIN_MS);
}

/* ---- life ------------------------------------------------------------------------- */

void
workers_lock(struct workers *ws)
{
	pthread_mutex_lock(&ws->lock);
}

void
workers_unlock(struct workers *ws)
{
	pthread_mutex_unlock(&ws->lock);
}

struct workers *
workers_new(const struct workers_options *o)
{
	struct workers *ws = mem_new(struct workers);

	assert(o->shards > 0 && o->shards <= LIMIT_SHARDS && o->lease > 0);
	ws->o = *o;
	pthread_mutex_init(&ws->lock, NULL);
	ws->at = mem_zero(o->shards * sizeof *ws->at);
	map_init(&ws->sessions, id_hash, session_is, session_id);
	map_init(&ws->services, service_hash, service_is, service_key);
	map_init(&ws->lanes, lane_hash, lane_is, lane_key);
	return ws;
}

static void
session_release(struct workers *ws, struct worker_session *s)
{
	map_take(&ws->sessions, &s->id);
	for (size_t i = 0; i < s->rows_n; i++) {
		for (size_t k = 0; k < WORKER_SLOTS; k++)
			list_remove(&s->rows[i].ready[k]);
		list_remove(&s->rows[i].in_service);
	}
	free(s->rows);
	s->rows = NULL;
	s->gone = true;
	away_drop_tasks(s);
	session_drop(s);
}

void
workers_free(struct workers *ws)
{
	struct worker_session *s;
	struct worker_service *sv;
	size_t at = 0;

	if (ws == NULL)
		return;
	for (s = map_each(&ws->sessions, &at); s != NULL; s = map_each(&ws->sessions, &at))
		session_release(ws, s);
	at = 0;
	for (sv = map_each(&ws->services, &at); sv != NULL; sv = map_each(&ws->services, &at))
		service_free(ws, sv);
	assert(ws->lanes.n == 0 && ws->offers_n == 0);
	map_release(&ws->sessions);
	map_release(&ws->services);
	map_release(&ws->lanes);
	pthread_mutex_destroy(&ws->lock);
	free(ws->at);
	free(ws);
}

struct worker_desk *
worker_desk_new(struct workers *ws, struct shard *s)
{
	struct worker_desk *d = mem_new(struct worker_desk);

	assert(shard_id(s) < ws->o.shards);
	d->workers = ws;
	d->shard = s;
	courier_init(&d->courier, s);
	map_init(&d->offers, id_hash, offer_is, offer_id);
	map_init(&d->polls, serial_hash, poll_is, poll_serial);
	d->ended = mem_zero(ENDED_KEPT * sizeof *d->ended);
	d->sweep.fire = registry_sweep;
	if (shard_id(s) == 0)
		registry_sweep(&d->sweep);
	workers_lock(ws);
	assert(ws->at[shard_id(s)] == NULL);
	ws->at[shard_id(s)] = d;
	workers_unlock(ws);
	return d;
}

void
worker_desk_free(struct worker_desk *d)
{
	if (d == NULL)
		return;
	assert(d->offers.n == 0 && d->polls.n == 0);
	shard_timer_cancel(d->shard, &d->sweep);
	map_release(&d->offers);
	map_release(&d->polls);
	free(d->ended);
	free(d);
}

struct workers *
worker_desk_workers(struct worker_desk *d)
{
	return d->workers;
}

msec
workers_lease(const struct workers *ws)
{
	return ws->o.lease;
}

msec
workers_poll_wait(const struct workers *ws)
{
	return ws->o.poll;
}

/* ---- asking ------------------------------------------------------------------------ */

unsigned
workers_serving(struct workers *ws, enum worker_kind kind, struct str name)
{
	struct worker_service *sv;
	unsigned n;

	workers_lock(ws);
	sv = service_find(ws, service_of(kind), name);
	n = sv == NULL ? 0 : sv->live + service_away(sv, clock_mono(), false);
	workers_unlock(ws);
	return n;
}

unsigned
workers_attached(struct workers *ws, enum worker_kind kind, struct str name, bool anywhere)
{
	struct worker_service *sv;
	unsigned n = 0;

	workers_lock(ws);
	sv = service_find(ws, service_of(kind), name);
	if (sv != NULL) {
		n = sv->reserved;
		for (struct list *l = sv->rows.next; l != &sv->rows; l = l->next)
			n += !CONTAINER_OF(l, struct worker_row, in_service)->session->copy;
		if (anywhere)
			n += service_away(sv, clock_mono(), true);
	}
	workers_unlock(ws);
	return n;
}

void
workers_set_reserved(struct workers *ws,
    bool (*is)(void *ctx, enum worker_kind kind, struct str name), void *ctx)
{
	ws->reserved = is;
	ws->reserved_ctx = ctx;
}

void
workers_set_keys(struct workers *ws,
    bool (*valid)(void *ctx, const uint8_t key[SHA256_SIZE]), void *ctx)
{
	ws->valid = valid;
	ws->valid_ctx = ctx;
}

void
workers_on_graphs(struct workers *ws, workers_graphs *fn, void *ctx)
{
	ws->graphs = fn;
	ws->graphs_ctx = ctx;
}

void
workers_claim(struct workers *ws, struct str graph_id, struct str key)
{
	struct worker_service *sv;

	workers_lock(ws);
	sv = service_get(ws, SERVICE_GRAPH, graph_id);
	if (sv != NULL) {
		sv->claimed = sv->held = true;
		if (!hex_decode(key, sv->holder, sizeof sv->holder))
			memset(sv->holder, 0, sizeof sv->holder);
	}
	workers_unlock(ws);
}

void
workers_unclaim(struct workers *ws, struct str graph_id)
{
	struct worker_service *sv;

	workers_lock(ws);
	sv = service_find(ws, SERVICE_GRAPH, graph_id);
	if (sv != NULL) {
		sv->claimed = false;
		sv->held = service_is_served(sv);
	}
	workers_unlock(ws);
}
