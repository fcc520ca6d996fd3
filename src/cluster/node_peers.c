/*
 * node_peers.c - the other nodes, as the store lists them, and their messages on the
 * bus that there is something to look at.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cluster/node_priv.h"

#include <stdio.h>

#include "base/json.h"
#include "base/mem.h"

int64_t
cluster_node(const struct cluster *c)
{
	return atomic_load(&c->node);
}

static bool
is_live(const struct store_node_row *rows, size_t n, int64_t node)
{
	for (size_t i = 0; i < n; i++)
		if (rows[i].node == node)
			return rows[i].state == NODE_LIVE;
	return false;
}

bool
peers_set(struct cluster *c, const struct store_node_row *rows, size_t n)
{
	nsec now = clock_mono();
	int64_t us = cluster_node(c);
	bool gone = false;

	pthread_mutex_lock(&c->lock);
	for (size_t i = 0; i < c->peers_n; i++)
		gone = gone || !is_live(rows, n, c->peers[i].node);
	c->peers_n = 0;
	for (size_t i = 0; i < n; i++) {
		if (rows[i].node > c->newest)
			c->newest = rows[i].node;
		if (rows[i].node == us || rows[i].state != NODE_LIVE)
			continue;
		mem_grow(c->peers, c->peers_n, c->peers_cap);
		c->peers[c->peers_n++] = (struct peer){ rows[i].node,
		    now + rows[i].left * NS_PER_MS };
	}
	pthread_mutex_unlock(&c->lock);
	return gone;
}

void
peers_forget(struct cluster *c)
{
	pthread_mutex_lock(&c->lock);
	c->peers_n = 0;
	pthread_mutex_unlock(&c->lock);
}

/* One that is newer than the list lives. */
bool
cluster_alive(struct cluster *c, int64_t node)
{
	nsec now = clock_mono();
	bool alive = node > 0 && node == cluster_node(c);

	pthread_mutex_lock(&c->lock);
	alive = alive || node > c->newest;
	for (size_t i = 0; i < c->peers_n && !alive; i++)
		alive = c->peers[i].node == node && c->peers[i].until > now;
	pthread_mutex_unlock(&c->lock);
	return alive;
}

size_t
cluster_others(struct cluster *c, int64_t *nodes, size_t max)
{
	nsec now = clock_mono();
	size_t n = 0;

	pthread_mutex_lock(&c->lock);
	for (size_t i = 0; i < c->peers_n && n < max; i++)
		if (c->peers[i].until > now)
			nodes[n++] = c->peers[i].node;
	pthread_mutex_unlock(&c->lock);
	return n;
}

/* ---- the bus ------------------------------------------------------------------------ */

void
peers_tell(struct cluster *c, int64_t n)
{
	char text[24];
	struct str body = { text, 0 };

	if (c->bus == NULL)
		return;
	body.n = (size_t)snprintf(text, sizeof text, "%lld", (long long)n);
	(void)bus_send(c->bus, S(NODE_SUBJECT), STR_NONE, &body, 1);     /* each looks by time, too */
}

static void
heard(void *ctx, const struct bus_message *m)
{
	struct cluster *c = ctx;
	int64_t n = 0;

	for (size_t i = 0; i < m->body.n && i < 18; i++)
		if (m->body.p[i] >= '0' && m->body.p[i] <= '9')
			n = n * 10 + (m->body.p[i] - '0');
	if (n == 0)
		take_look_told(c);
	else if (n == cluster_node(c))
		take_look_ours(c);
}

static void
bus_changed(void *ctx, bool up)
{
	struct cluster *c = ctx;

	if (!up)
		return;
	take_look_soon(c);                   /* messages of that time were lost */
	peers_tell(c, 0);                    /* and was not told: that this one is there */
}

void
peers_listen(struct cluster *c)
{
	if (c->bus == NULL)
		return;
	c->ear = bus_listen(c->bus, c->home, S(NODE_SUBJECT), heard, c);
	bus_watch(c->bus, c->home, bus_changed, c);
}

void
cluster_set_bus(struct cluster *c, struct bus *b)
{
	c->bus = b;
}

void
cluster_wake_node(struct cluster *c, int64_t node)
{
	peers_tell(c, node);
}
