/*
 * mail.c - see mail.h.
 *
 *   all.mail     to the offices of all nodes
 *   n.7.mail     to those of node 7
 *
 * SPDX-License-Identifier: MIT
 */
#include "cluster/mail.h"

#include <stdio.h>

#include "base/mem.h"
#include "cluster/bus.h"
#include "cluster/node.h"

#define SUBJECT 40

struct mail_carrier {
	struct bus *bus;
	struct cluster *cluster;
	struct office *first;                /* NULL: not begun, or ended */
	struct bus_ear *all, *own;
};

static struct str
subject_of(char text[SUBJECT], int64_t node)
{
	int n = node == 0 ? snprintf(text, SUBJECT, "all.mail") :
	    snprintf(text, SUBJECT, "n.%lld.mail", (long long)node);

	return (struct str){ text, (size_t)n };
}

/* What is lost is asked for: announcements are numbered. */
static void
tell(void *ctx, int64_t node, struct str bytes)
{
	struct mail_carrier *m = ctx;
	char subject[SUBJECT];

	if (m->bus != NULL)
		(void)bus_send(m->bus, subject_of(subject, node), STR_NONE, &bytes, 1);
}

static bool
alive(void *ctx, int64_t node)
{
	const struct mail_carrier *m = ctx;

	return cluster_alive(m->cluster, node);
}

struct mail_carrier *
mail_carrier_new(struct offices *os, struct bus *bus, struct cluster *c)
{
	struct mail_carrier *m = mem_new(struct mail_carrier);

	m->bus = bus;
	m->cluster = c;
	offices_set_carrier(os, &(struct office_carrier){ tell, alive, m });
	return m;
}

void
mail_carrier_free(struct mail_carrier *m)
{
	free(m);
}

static void
heard(void *ctx, const struct bus_message *b)
{
	const struct mail_carrier *m = ctx;

	if (m->first != NULL)
		office_heard(m->first, b->body);
}

static void
changed(void *ctx, bool up)
{
	const struct mail_carrier *m = ctx;

	if (m->first != NULL)
		office_bus(m->first, up);
}

static void
listen_own(struct mail_carrier *m, int64_t node)
{
	char subject[SUBJECT];

	if (m->own != NULL)
		bus_stop(m->own);
	m->own = node > 0 ? bus_listen(m->bus, office_shard(m->first), subject_of(subject, node),
	    heard, m) : NULL;
}

void
mail_carrier_begin(struct mail_carrier *m, struct office *first)
{
	char subject[SUBJECT];

	m->first = first;
	if (m->bus == NULL)
		return;
	m->all = bus_listen(m->bus, office_shard(first), subject_of(subject, 0), heard, m);
	listen_own(m, cluster_node(m->cluster));
	bus_watch(m->bus, office_shard(first), changed, m);
}

void
mail_carrier_end(struct mail_carrier *m)
{
	if (m->all != NULL)
		bus_stop(m->all);
	if (m->own != NULL)
		bus_stop(m->own);
	m->all = m->own = NULL;
	m->first = NULL;
}

void
mail_carrier_changed(struct mail_carrier *m, int64_t node)
{
	if (m->first == NULL)
		return;
	if (node <= 0) {
		office_lost(m->first);
		return;
	}
	if (m->bus != NULL)
		listen_own(m, node);
	office_rejoin(m->first);
}

void
mail_carrier_gone(struct mail_carrier *m)
{
	if (m->first != NULL)
		office_gone(m->first);
}
