/*
 * relay_net.c - see relay_net.h.
 *
 * A shard listens on the subject n.NODE.sSHARD.r, which changes with the node's number.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cluster/relay_net.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/mem.h"
#include "mail/host/carrier.h"

#define SUBJECT_MAX 64

/* Of a shard. */
struct place {
	struct relay_net *net;
	struct shard *shard;
	struct relay *relay;
	struct bus_ear *ear;
	int64_t node;                        /* whose subject it listens on; 0: none */
	struct shard_job renamed;
	atomic_bool posted;
};

struct relay_net {
	struct relay_net_options o;
	struct relays *all;
	_Atomic int64_t node;
	struct place *at;
};

static struct str
subject_of(char out[SUBJECT_MAX], int64_t node, unsigned shard)
{
	int n = snprintf(out, SUBJECT_MAX, "n.%lld.s%u.r", (long long)node, shard);

	assert(n > 0 && n < SUBJECT_MAX);
	return (struct str){ out, (size_t)n };
}

/* ---- what a relay asks for ---------------------------------------------------------- */

static int
net_send(void *ctx, int64_t node, unsigned shard, const struct str *pieces, size_t n)
{
	struct relay_net *net = ctx;
	char subject[SUBJECT_MAX];

	return bus_send(net->o.bus, subject_of(subject, node, shard), STR_NONE, pieces, n);
}

static bool
net_alive(void *ctx, int64_t node)
{
	return cluster_alive(((struct relay_net *)ctx)->o.cluster, node);
}

static size_t
net_others(void *ctx, int64_t *nodes, size_t max)
{
	return cluster_others(((struct relay_net *)ctx)->o.cluster, nodes, max);
}

static bool
net_has(void *ctx, enum relay_kind kind, struct str key)
{
	const struct relay_net *net = ctx;
	size_t at = (size_t)str_index(key, '/');
	struct uuid id;
	int64_t owner;

	if (kind == RELAY_RUN)
		return uuid_parse(key, &id) && runs_shared_has_run(net->o.runs, &id);
	if (kind == RELAY_LISTEN && key.n == sizeof id.b) {
		memcpy(id.b, key.p, sizeof id.b);
		return runs_shared_has_thread(net->o.runs, &id);
	}
	return kind == RELAY_AGENT && at < key.n &&
	    str_to_i64(str_sub(key, 0, at), &owner) &&
	    uuid_parse(str_sub(key, at + 1, key.n), &id) &&
	    offices_have(net->o.offices, owner, &id);
}

static void
listened(void *ctx, const struct uuid *thread_id, bool more)
{
	relays_listen(((struct relay_net *)ctx)->all, thread_id, more);
}

static bool
elsewhere(void *ctx, const struct uuid *thread_id)
{
	struct relay_net *net = ctx;
	int64_t node = relays_listened(net->all, thread_id);

	return node > 0 && cluster_alive(net->o.cluster, node);
}

/* ---- hearing ------------------------------------------------------------------------- */

static void
heard(void *ctx, const struct bus_message *m)
{
	relay_heard(((struct place *)ctx)->relay, m->body);
}

static void
changed(void *ctx, bool up)
{
	struct place *p = ctx;

	if (p->relay != NULL)
		relay_bus_changed(p->relay, up);
}

/* Hears as the node that this process is now. */
static void
place_hear(struct place *p)
{
	int64_t node = atomic_load_explicit(&p->net->node, memory_order_acquire);
	char subject[SUBJECT_MAX];

	if (p->relay == NULL || node == p->node)
		return;
	if (p->ear != NULL)
		bus_stop(p->ear);
	p->ear = NULL;
	p->node = node;
	if (node > 0)
		p->ear = bus_listen(p->net->o.bus, p->shard,
		    subject_of(subject, node, shard_id(p->shard)), heard, p);
}

static void
on_renamed(struct shard_job *job)
{
	struct place *p = CONTAINER_OF(job, struct place, renamed);

	atomic_store_explicit(&p->posted, false, memory_order_release);
	place_hear(p);
}

void
relay_net_set_node(struct relay_net *n, int64_t node)
{
	node = node > 0 ? node : 0;
	atomic_store_explicit(&n->node, node, memory_order_release);
	relays_set_node(n->all, node);
	for (unsigned i = 0; i < n->o.shards_n; i++)
		if (!atomic_exchange_explicit(&n->at[i].posted, true, memory_order_acq_rel))
			shard_post(n->at[i].shard, &n->at[i].renamed);
}

/* ---- life ----------------------------------------------------------------------------- */

struct relay_net *
relay_net_new(const struct relay_net_options *o)
{
	struct relay_net *n = mem_new(struct relay_net);
	const struct relay_bus bus = { .send = net_send, .alive = net_alive,
	    .others = net_others, .has = net_has, .ctx = n };

	n->o = *o;
	runs_shared_on_listen(o->runs, listened, elsewhere, n);
	n->all = relays_new(&bus, o->http, o->shards_n);
	n->at = mem_zero(o->shards_n * sizeof *n->at);
	for (unsigned i = 0; i < o->shards_n; i++) {
		n->at[i].net = n;
		n->at[i].shard = o->shards[i];
		n->at[i].renamed.run = on_renamed;
	}
	return n;
}

struct relay *
relay_net_open(struct relay_net *n, struct shard *s)
{
	struct place *p = &n->at[shard_id(s)];

	assert(p->relay == NULL && p->shard == s);
	p->relay = relay_new(n->all, s);
	relay_bus_changed(p->relay, false);  /* the watch tells when it is up */
	bus_watch(n->o.bus, s, changed, p);
	place_hear(p);
	return p->relay;
}

void
relay_net_stop(struct relay_net *n, struct shard *s)
{
	struct place *p = &n->at[shard_id(s)];

	if (p->relay == NULL)
		return;
	if (p->ear != NULL)
		bus_stop(p->ear);
	p->ear = NULL;
	relay_stop(p->relay);
}

void
relay_net_free(struct relay_net *n)
{
	if (n == NULL)
		return;
	for (unsigned i = 0; i < n->o.shards_n; i++)
		relay_free(n->at[i].relay);
	relays_free(n->all);
	free(n->at);
	free(n);
}
