/*
 * cluster.c - GET /cluster: which nodes there are, and what joins them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"
#include "cluster/bus.h"
#include "cluster/lag.h"
#include "cluster/node.h"

static const char *const state_words[] = { [NODE_LIVE] = "live", [NODE_LEFT] = "left",
	[NODE_LOST] = "lost" };

/* A lease that is over and that nobody has marked yet is late. */
static const char *
state_of(const struct store_node_row *n)
{
	return n->state == NODE_LIVE && n->left < 0 ? "late" : state_words[n->state];
}

static void
add_node(struct buf *b, const struct store_node_row *n, int64_t here)
{
	char started[CLOCK_ISO_SIZE];

	clock_write_iso(started, n->started);
	json_add_fmt(b, "{'node':%lld,'name':%.*s,'address':%.*s,'state':%s,'here':%hhd,"
	    "'started_at':%.*s,'lease_left_ms':%lld,'threads':%lld", (long long)n->node,
	    FMT(n->name), FMT(n->address), state_of(n), n->node == here, CLOCK_ISO_SIZE, started,
	    (long long)n->left, (long long)n->threads);
	buf_lit(b, ",\"info\":");
	buf_add(b, n->info.n > 0 ? n->info : S("{}"));
	buf_add_char(b, '}');
}

static void
add_bus(struct buf *b, const struct api_options *o)
{
	struct bus_stats s = { 0 };
	nsec lag;

	if (o->bus == NULL) {
		buf_lit(b, "null");
		return;
	}
	lag = o->lag == NULL ? -1 : bus_lag(o->lag);
	bus_stats(o->bus, &s);
	json_add_fmt(b, "{'up':%hhd,'server':%s,'reason':%s,'sent':%llu,'received':%llu,'refused':%llu,"
	    "'dropped':%llu,'connects':%llu,'waiting_bytes':%llu,'lag_ms':", s.up, s.server, s.why,
	    (unsigned long long)s.sent, (unsigned long long)s.heard,
	    (unsigned long long)s.refused, (unsigned long long)s.dropped,
	    (unsigned long long)s.connects, (unsigned long long)s.waiting_bytes);
	if (lag < 0)
		buf_lit(b, "null}");
	else
		buf_add_fmt(b, "%.3f}", (double)lag / NS_PER_MS);
}

static int
cluster_found(struct call *c)
{
	const struct api_options *o = &c->api->shared->o;
	const struct store_node_list *op = &c->op.node_list;
	struct cluster_stats s = { 0 };
	struct buf *b = call_out(c);

	cluster_stats(o->cluster, &s);
	json_add_fmt(b, "{'alone':false,'store':%s,'node':%lld,'lease_ms':%lld,'nodes':[",
	    store_driver(o->store), (long long)s.node, (long long)s.lease);
	for (size_t i = 0; i < op->nodes_n; i++) {
		if (i > 0)
			buf_add_char(b, ',');
		add_node(b, &op->nodes[i], s.node);
	}
	json_add_fmt(b, "],'lost':%llu,'took_threads':%llu,'bus':", (unsigned long long)s.lost,
	    (unsigned long long)s.took_threads);
	add_bus(b, o);
	buf_add_char(b, '}');
	return call_json(c, STR_NONE);
}

int
api_cluster(struct call *c)
{
	const struct api_options *o = &c->api->shared->o;

	if (o->cluster != NULL) {
		c->op.node_list = (struct store_node_list){ .counts = true };
		return call_submit(c, STORE_NODE_LIST, cluster_found);
	}
	json_add_fmt(call_out(c), "{'alone':true,'store':%s,'nodes':[],'bus':null}",
	    store_driver(o->store));
	return call_json(c, STR_NONE);
}
