/*
 * relay_claim.c - which threads are listened to, on all nodes.
 *
 * A client may read the events of a thread before there is a run, or a thread at all, and
 * start a run by a request that another node gets.  So each node tells the others what is
 * listened to there, and they send requests about those threads to it.
 *
 * Told between the shards 0 of two nodes, as changes; a link that begins anew, so that one
 * may have been lost, begins with all of it.
 *
 * Threads: `lock` guards the tables.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cluster/relay_priv.h"

#include <assert.h>
#include <string.h>

#define NODES_MAX   64
#define TOLD_AT_ONCE 1024                    /* threads in a frame */

struct own { struct uuid thread_id; size_t n; };
struct other { struct uuid thread_id; int64_t node; };

_Static_assert(sizeof(struct uuid) == 16, "threads are told as they are in memory");

static uint64_t
thread_hash(const void *key)
{
	return uuid_hash(key);
}

static const void *
own_thread(const void *value)
{
	return &((const struct own *)value)->thread_id;
}

static bool
own_is(const void *value, const void *key)
{
	return uuid_eq(own_thread(value), key);
}

static const void *
other_thread(const void *value)
{
	return &((const struct other *)value)->thread_id;
}

static bool
other_is(const void *value, const void *key)
{
	return uuid_eq(other_thread(value), key);
}

/* ---- what is listened to here --------------------------------------------------------- */

static void
note_changed(struct claims *c, const struct uuid *thread_id)
{
	mem_grow(c->changed, c->changed_n, c->changed_cap);
	c->changed[c->changed_n++] = *thread_id;
	if (c->posted || c->shard == NULL)
		return;
	c->posted = true;
	shard_post(c->shard, &c->job);
}

void
relays_listen(struct relays *all, const struct uuid *thread_id, bool more)
{
	struct claims *c = &all->claims;
	struct own *x;

	pthread_mutex_lock(&c->lock);
	x = map_get(&c->own, thread_id);
	if (x == NULL) {
		assert(more);
		x = mem_new(struct own);
		x->thread_id = *thread_id;
		map_put(&c->own, x);
		note_changed(c, thread_id);
	}
	x->n += more ? 1 : (size_t)-1;
	if (x->n == 0) {
		map_take(&c->own, thread_id);
		note_changed(c, thread_id);
		free(x);
	}
	pthread_mutex_unlock(&c->lock);
}

static void
tell(struct link *l, bool more, const struct uuid *threads, size_t n)
{
	for (size_t at = 0; at < n; at += TOLD_AT_ONCE) {
		size_t some = n - at < TOLD_AT_ONCE ? n - at : TOLD_AT_ONCE;
		struct str payload = { (const char *)(threads + at), some * sizeof *threads };

		link_send(l, (struct frame){ .kind = FRAME_CLAIM, .arg = more }, &payload, 1);
	}
}

/* Those that are listened to, or all of ours (from NULL); free() them. */
static struct uuid *
pick(struct claims *c, const struct uuid *from, size_t from_n, bool listened, size_t *n)
{
	struct uuid *all;
	struct own *x;
	size_t at = 0;

	*n = 0;
	pthread_mutex_lock(&c->lock);
	all = mem_alloc(((from == NULL ? c->own.n : from_n) + 1) * sizeof *all);
	if (from == NULL)
		for (x = map_each(&c->own, &at); x != NULL; x = map_each(&c->own, &at))
			all[(*n)++] = x->thread_id;
	for (size_t i = 0; i < from_n; i++)
		if ((map_get(&c->own, &from[i]) != NULL) == listened)
			all[(*n)++] = from[i];
	pthread_mutex_unlock(&c->lock);
	return all;
}

static void
tell_all(struct claims *c, struct link *l)
{
	size_t n;
	struct uuid *all = pick(c, NULL, 0, true, &n);

	l->told = true;
	tell(l, true, all, n);
	free(all);
}

/* The state of each now, not its changes one by one. */
static void
tell_changes(struct claims *c, struct link *l, const struct uuid *changed, size_t n)
{
	for (int more = 0; more < 2; more++) {
		size_t some;
		struct uuid *picked = pick(c, changed, n, more, &some);

		tell(l, more, picked, some);
		free(picked);
	}
}

static void
tell_nodes(struct relay *rl, const struct uuid *changed, size_t n)
{
	const struct relay_bus *bus = &rl->all->bus;
	int64_t nodes[NODES_MAX];
	size_t nodes_n;

	relay_look(rl);
	if (rl->stopped || !rl->up || rl->node == 0)
		return;
	nodes_n = bus->others(bus->ctx, nodes, COUNT(nodes));
	for (size_t i = 0; i < nodes_n; i++) {
		struct link *l = link_get(rl, nodes[i], 0);

		if (l == NULL || l->broken || (l->silent && !l->told))
			continue;            /* all, once it answers */
		if (!l->told)
			tell_all(&rl->all->claims, l);
		else if (n > 0)
			tell_changes(&rl->all->claims, l, changed, n);
	}
}

void
claims_beat(struct relay *rl)
{
	if (rl->id == 0)
		tell_nodes(rl, NULL, 0);
}

static void
on_changed(struct shard_job *job)
{
	struct claims *c = CONTAINER_OF(job, struct claims, job);
	struct uuid *changed;
	size_t n;

	pthread_mutex_lock(&c->lock);
	c->posted = false;
	changed = c->changed;
	n = c->changed_n;
	c->changed = NULL;
	c->changed_n = c->changed_cap = 0;
	pthread_mutex_unlock(&c->lock);
	if (c->relay != NULL)
		tell_nodes(c->relay, changed, n);
	free(changed);
}

/* ---- and elsewhere ------------------------------------------------------------------------ */

static void
other_set(struct claims *c, const struct uuid *thread_id, int64_t node, bool more)
{
	struct other *x = map_get(&c->others, thread_id);

	if (!more) {
		if (x == NULL || x->node != node)
			return;
		map_take(&c->others, thread_id);
		free(x);
		return;
	}
	if (x == NULL) {
		if (c->others.n >= LIMIT_RELAY_LISTENED)
			return;
		x = mem_new(struct other);
		x->thread_id = *thread_id;
		map_put(&c->others, x);
	} else if (x->node != 0 && x->node < node) {
		return;                      /* of two, all nodes choose the same */
	}
	x->node = node;
}

void
claims_heard(struct link *l, const struct frame *f)
{
	struct claims *c = &l->rl->all->claims;
	struct uuid id;

	if (l->shard != 0)
		return;
	pthread_mutex_lock(&c->lock);
	for (size_t at = 0; at + sizeof id <= f->payload.n; at += sizeof id) {
		memcpy(&id, f->payload.p + at, sizeof id);
		other_set(c, &id, l->node, f->arg != 0);
	}
	pthread_mutex_unlock(&c->lock);
}

void
claims_told(struct link *l, struct str key)
{
	struct claims *c = &l->rl->all->claims;
	struct uuid id;

	if (key.n != sizeof id)
		return;
	memcpy(&id, key.p, sizeof id);
	pthread_mutex_lock(&c->lock);
	other_set(c, &id, l->node, true);
	pthread_mutex_unlock(&c->lock);
}

void
relay_listens(struct relay *rl, const struct uuid *thread_id, bool more)
{
	relays_listen(rl->all, thread_id, more);
}

void
relay_listen(struct relay *rl, const struct uuid *thread_id,
    void (*done)(void *ctx, int64_t node), void *ctx)
{
	relays_listen(rl->all, thread_id, true);
	relay_find(rl, RELAY_LISTEN, (struct str){ (const char *)thread_id->b,
	    sizeof thread_id->b }, done, ctx);
}

void
claims_forget(struct link *l)
{
	struct claims *c = &l->rl->all->claims;
	struct other *x;
	size_t at = 0;

	if (l->shard != 0 || l->rl->id != 0)
		return;
	pthread_mutex_lock(&c->lock);
	for (x = map_each(&c->others, &at); x != NULL; x = map_each(&c->others, &at))
		if (x->node == l->node) {
			map_take(&c->others, &x->thread_id);
			free(x);
		}
	pthread_mutex_unlock(&c->lock);
}

int64_t
relays_listened(struct relays *all, const struct uuid *thread_id)
{
	struct claims *c = &all->claims;
	int64_t self = atomic_load_explicit(&all->node, memory_order_acquire), node = 0;
	const struct other *x;

	pthread_mutex_lock(&c->lock);
	x = map_get(&c->others, thread_id);
	if (x != NULL && (x->node < self || map_get(&c->own, thread_id) == NULL))
		node = x->node;
	pthread_mutex_unlock(&c->lock);
	return node;
}

int64_t
relay_listened(struct relay *rl, const struct uuid *thread_id)
{
	return relays_listened(rl->all, thread_id);
}

/* ---- life ---------------------------------------------------------------------------------- */

void
claims_init(struct claims *c)
{
	pthread_mutex_init(&c->lock, NULL);
	map_init(&c->own, thread_hash, own_is, own_thread);
	map_init(&c->others, thread_hash, other_is, other_thread);
	c->job.run = on_changed;
}

void
claims_open(struct relay *rl)
{
	struct claims *c = &rl->all->claims;

	pthread_mutex_lock(&c->lock);
	c->shard = rl->shard;
	c->relay = rl;
	pthread_mutex_unlock(&c->lock);
}

void
claims_stop(struct relay *rl)
{
	struct claims *c = &rl->all->claims;

	if (rl->id != 0)
		return;
	pthread_mutex_lock(&c->lock);
	c->shard = NULL;
	c->relay = NULL;
	pthread_mutex_unlock(&c->lock);
}

static void
free_values(struct map *m)
{
	size_t at = 0;

	for (void *x = map_each(m, &at); x != NULL; x = map_each(m, &at))
		free(x);
	map_release(m);
}

void
claims_release(struct claims *c)
{
	free_values(&c->own);
	free_values(&c->others);
	free(c->changed);
	pthread_mutex_destroy(&c->lock);
}
