/*
 * cluster_node.c - a node and its lease, on a store in memory: joining, losing the lease
 * and joining again, who is there, leaving.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cluster/node.h"

#include "harness/test.h"

#define LEASE 400

struct fix {
	struct store *st;
	struct shard *shard;
	struct cluster *c;
	int64_t told[8];                     /* by `changed` */
	size_t told_n;
	bool left;
};

static void
changed(void *ctx, int64_t node)
{
	struct fix *f = ctx;

	CHECK(f->told_n < COUNT(f->told));
	f->told[f->told_n++] = node;
}

static void
fix_open(struct fix *f)
{
	struct store_options o = { .driver = S("memory") };
	struct err e;

	*f = (struct fix){ 0 };
	CHECK_RC(store_open(&f->st, &o, &e), OK);
	CHECK_RC(shard_new(&f->shard, 0, &e), OK);
	CHECK_RC(cluster_open(&f->c, f->st, f->shard, &(struct cluster_options){
	    .name = S("us"), .address = S("here"), .info = S("{}"), .lease = LEASE,
	    .changed = changed, .ctx = f }, &e), OK);
}

static void
fix_close(struct fix *f)
{
	cluster_close(f->c);
	store_close(f->st);
	shard_free(f->shard);
}

/* A timer of ours ends each turn, so that conditions are looked at. */
static void
on_tick(struct wheel_timer *t)
{
	(void)t;
}

static void
turn(struct fix *f)
{
	struct wheel_timer t = { .fire = on_tick };

	shard_timer_set(f->shard, &t, 5);
	shard_turn(f->shard);
	shard_timer_cancel(f->shard, &t);
}

static void
run(struct fix *f, void *cmd, enum store_op op)
{
	struct store_cmd *c = cmd;

	c->op = op;
	CHECK_RC(store_submit(f->st, f->shard, c, true), OK);
	while (c->under_way)
		shard_turn(f->shard);
	CHECK_RC(c->rc, OK);
}

/* Another node, whose lease nobody renews. */
static int64_t
other(struct fix *f, msec lease)
{
	struct store_node_join x = { .name = S("other"), .address = S("there"),
		.info = S("{}"), .lease = lease };

	run(f, &x, STORE_NODE_JOIN);
	return x.node;
}

/* Goal: the lease is renewed while the node lives, and once others have marked it the node
 * joins again under another number, which is told; commands of runs fail in between. */
TEST(node_joins_again_when_it_is_lost)
{
	struct cluster_stats s;
	struct fix f;
	int64_t first;

	fix_open(&f);
	first = cluster_node(f.c);
	CHECK(first > 0 && store_node(f.st) == first && f.told_n == 1 && f.told[0] == first);
	cluster_serve(f.c);
	do {
		turn(&f);
		cluster_stats(f.c, &s);
	} while (s.beats < 3);
	CHECK(s.node == first && s.left > 0 && s.left <= LEASE && s.lost == 0);
	run(&f, &(struct store_node_leave){ .node = first }, STORE_NODE_LEAVE);
	while (f.told_n < 3)
		turn(&f);
	CHECK(f.told[1] == NODE_NONE && f.told[2] > first);
	CHECK(cluster_node(f.c) == f.told[2] && store_node(f.st) == f.told[2]);
	cluster_stats(f.c, &s);
	CHECK(s.lost == 1 && s.joined == 2);
	fix_close(&f);
}

/* Goal: others are known while their lease holds, and are gone from the store after it. */
TEST(node_knows_the_others_until_their_lease_is_over)
{
	struct store_node_list l = { 0 };
	struct cluster_stats s;
	int64_t node, found = 0;
	struct fix f;

	fix_open(&f);
	node = other(&f, 2 * LEASE);
	cluster_serve(f.c);
	while (cluster_others(f.c, &found, 1) == 0)
		turn(&f);
	CHECK(found == node && cluster_alive(f.c, node));
	CHECK(cluster_alive(f.c, cluster_node(f.c)) && !cluster_alive(f.c, 0));
	CHECK(cluster_alive(f.c, node + 1)); /* not known yet: it may have come just now */
	while (cluster_others(f.c, &found, 1) > 0)
		turn(&f);
	CHECK(!cluster_alive(f.c, node));
	do {
		turn(&f);
		cluster_stats(f.c, &s);
	} while (s.marked == 0);
	do {
		struct arena a = ARENA(64 * KB);

		turn(&f);
		l = (struct store_node_list){ .cmd.arena = &a };
		run(&f, &l, STORE_NODE_LIST);
		arena_release(&a);
	} while (l.nodes_n > 1);
	fix_close(&f);
}

/* Goal: who is going to leave takes nothing more: others would have to take it again. */
TEST(node_that_drains_takes_nothing)
{
	struct cluster_stats s;
	int64_t found = 0;
	struct fix f;
	uint64_t beats;

	fix_open(&f);
	(void)other(&f, LEASE);
	cluster_serve(f.c);
	while (cluster_others(f.c, &found, 1) == 0)
		turn(&f);
	cluster_drain(f.c);
	while (cluster_others(f.c, &found, 1) > 0)
		turn(&f);
	cluster_stats(f.c, &s);
	beats = s.beats;
	do {                                 /* it looks as often as it beats */
		turn(&f);
		cluster_stats(f.c, &s);
	} while (s.beats < beats + 4);
	CHECK_INT(s.marked, 0);
	fix_close(&f);
}

static void
left(void *ctx)
{
	((struct fix *)ctx)->left = true;
}

/* Goal: who leaves is marked as one that left, and does not join again. */
TEST(node_leaves)
{
	struct store_node_list l = { 0 };
	struct arena a = ARENA(64 * KB);
	struct fix f;

	fix_open(&f);
	cluster_serve(f.c);
	cluster_leave(f.c, left, &f);
	while (!f.left)
		turn(&f);
	CHECK_INT(cluster_node(f.c), NODE_NONE);
	CHECK_INT(store_node(f.st), NODE_NONE);
	l.cmd.arena = &a;
	run(&f, &l, STORE_NODE_LIST);
	CHECK(l.nodes_n == 1 && l.nodes[0].state == NODE_LEFT);
	CHECK_INT(f.told_n, 1);
	arena_release(&a);
	fix_close(&f);
}
