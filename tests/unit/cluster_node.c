/*
 * cluster_node.c - a node and its lease, on a store in memory: joining, losing the lease
 * and joining again, who is there, leaving.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cluster/node.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/agent.h"
#include "harness/test.h"
#include "run/run.h"
#include "tools/tools.h"

#define LEASE 400

struct fix {
	struct store *st;
	struct shard *shard;
	struct cluster *c;
	int64_t told[8];                     /* by `changed` */
	size_t told_n;
	unsigned gone;                       /* calls of it */
	bool left;
	struct shard_job slow;               /* its run set: a lost lease posts it */
	unsigned slow_n;
};

static void
changed(void *ctx, int64_t node)
{
	struct fix *f = ctx;

	CHECK(f->told_n < COUNT(f->told));
	f->told[f->told_n++] = node;
	if (node == NODE_NONE && f->slow.run != NULL)
		shard_post(f->shard, &f->slow);
}

static void
gone(void *ctx)
{
	((struct fix *)ctx)->gone++;
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
	    .changed = changed, .gone = gone, .ctx = f }, &e), OK);
}

static void
fix_close(struct fix *f)
{
	cluster_stop(f->c);
	store_close(f->st);
	shard_free(f->shard);
	cluster_free(f->c);
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

/* Goal: that another node has left is told as soon as it is known, and not when its lease is
 * over: what it had besides threads is taken, too. */
TEST(node_is_told_that_another_has_left)
{
	int64_t node, found = 0;
	struct cluster_stats s;
	struct fix f;

	fix_open(&f);
	node = other(&f, 100 * LEASE);
	cluster_serve(f.c);
	while (cluster_others(f.c, &found, 1) == 0)
		turn(&f);
	CHECK_INT(f.gone, 0);
	run(&f, &(struct store_node_leave){ .node = node }, STORE_NODE_LEAVE);
	while (f.gone == 0)
		turn(&f);
	cluster_stats(f.c, &s);
	CHECK(s.lost == 0 && cluster_others(f.c, &found, 1) == 0);
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

/* A process of ours stops this one for longer than its lease. */
static void
stand_still(void)
{
	pid_t us = getpid(), child = fork();

	if (child == 0) {
		nsec end = clock_mono() + 2 * LEASE * NS_PER_MS;

		kill(us, SIGSTOP);
		while (clock_mono() < end)
			poll(NULL, 0, 10);
		kill(us, SIGCONT);
		_exit(0);
	}
	CHECK(child > 0);
	CHECK(waitpid(child, NULL, 0) == child);
}

/* Goal: a process that stood still knows that its lease is over before anybody has told its
 * shards, and joins again. */
TEST(node_that_stood_still_holds_nothing)
{
	struct cluster_stats s;
	struct fix f;

	fix_open(&f);
	cluster_serve(f.c);
	CHECK(cluster_holds(f.c));
	stand_still();
	CHECK(!cluster_holds(f.c) && store_node(f.st) == NODE_NONE);
	while (f.told_n < 3)
		turn(&f);
	CHECK(f.told[1] == NODE_NONE && f.told[2] > 0 && cluster_holds(f.c));
	cluster_stats(f.c, &s);
	CHECK_INT(s.lost, 1);
	fix_close(&f);
}

/* The second time it stands behind the join, and before its answer. */
static void
slow(struct shard_job *job)
{
	struct fix *f = CONTAINER_OF(job, struct fix, slow);
	nsec end = clock_mono() + LEASE * NS_PER_MS;

	if (f->slow_n++ == 0)
		shard_post(f->shard, job);
	else
		while (clock_mono() < end)
			poll(NULL, 0, 10);
}

/* Goal: a join whose answer comes later than its lease would last is no loss: the node renews it
 * first. */
TEST(node_that_joins_slowly_is_a_node)
{
	struct cluster_stats s;
	struct fix f;

	fix_open(&f);
	f.slow.run = slow;
	run(&f, &(struct store_node_leave){ .node = f.told[0] }, STORE_NODE_LEAVE);
	while (f.told_n < 3)
		turn(&f);
	do {
		turn(&f);
		cluster_stats(f.c, &s);
	} while (s.beats < 4);
	CHECK_INT(f.slow_n, 2);
	CHECK(s.lost == 1 && s.joined == 2 && f.told_n == 3);
	fix_close(&f);
}

/* A shard, ours or one beside it that takes a turn when it is let. */
struct beside {
	struct tools *tools;
	struct agents *agents;
	struct runs_shared *sh;
	struct shard *shard;
	struct store_reader *reader;
	struct runs *rs;
	struct shard_job mark;
	unsigned marks;
};

static void
runs_open(struct beside *b, struct fix *f, struct shard *s)
{
	struct err e;

	*b = (struct beside){ .tools = tools_new(), .agents = agents_new(), .shard = s };
	b->sh = runs_shared_new(f->st, b->tools, b->agents, true);
	CHECK_RC(store_reader_open(f->st, &b->reader, &e), OK);
	CHECK_RC(runs_new(&b->rs, b->sh, b->shard, b->reader, NULL, &e), OK);
	cluster_attach(f->c, b->rs);
}

static void
beside_open(struct beside *b, struct fix *f)
{
	struct shard *s;
	struct err e;

	CHECK_RC(shard_new(&s, 1, &e), OK);
	runs_open(b, f, s);
}

static void
runs_close(struct beside *b)
{
	runs_free(b->rs);
	store_reader_close(b->reader);
	runs_shared_free(b->sh);
	agents_free(b->agents);
	tools_free(b->tools);
}

static void
beside_close(struct beside *b)
{
	struct shard *s = b->shard;

	runs_close(b);
	shard_free(s);
}

static void
marked(struct shard_job *job)
{
	CONTAINER_OF(job, struct beside, mark)->marks++;
}

/* Until the node is another one, or none; our own shard only. */
static void
until_told(struct fix *f, size_t n)
{
	while (f->told_n < n)
		turn(f);
}

/* Goal: a lease that is lost again while a shard has not heard yet of the one before costs
 * that shard none of what others have posted to it. */
TEST(node_is_lost_again_before_a_shard_has_resumed)
{
	struct beside b;
	struct fix f;

	fix_open(&f);
	beside_open(&b, &f);
	cluster_serve(f.c);
	run(&f, &(struct store_node_leave){ .node = f.told[0] }, STORE_NODE_LEAVE);
	until_told(&f, 2);
	shard_turn(b.shard);                 /* it abandons what it has */
	b.mark.run = marked;
	shard_post(b.shard, &b.mark);
	until_told(&f, 3);                   /* it is to resume */
	run(&f, &(struct store_node_leave){ .node = f.told[2] }, STORE_NODE_LEAVE);
	until_told(&f, 4);                   /* and to abandon again */
	shard_turn(b.shard);
	CHECK_INT(b.marks, 1);
	until_told(&f, 5);
	CHECK(f.told[4] > f.told[2] && cluster_node(f.c) == f.told[4]);
	shard_turn(b.shard);
	beside_close(&b);
	fix_close(&f);
}

enum { MISSED = 200 };

static struct uuid
id(unsigned char kind, unsigned n)
{
	return (struct uuid){ { kind, (unsigned char)(n >> 8), (unsigned char)n } };
}

/* How many runs of the node are as they were when they began. */
static size_t
still_running(struct fix *f)
{
	struct arena a = ARENA(MB);
	struct store_node_wanted w = { .cmd.arena = &a };
	size_t n = 0;

	run(f, &w, STORE_NODE_WANTED);
	for (size_t i = 0; i < w.runs_n; i++)
		n += w.runs[i].running;
	arena_release(&a);
	return n;
}

/* Goal: however many runs are the node's, by the store, and in nobody's memory, it goes on
 * with all of them. */
TEST(node_takes_anew_all_that_it_misses)
{
	struct arena a = ARENA(MB);
	struct beside b;
	struct fix f;

	fix_open(&f);
	runs_open(&b, &f, f.shard);
	for (unsigned i = 1; i <= MISSED; i++)
		run(&f, &(struct store_run_create){ .cmd.owner = 1,
		    .cmd.arena = &a, .create_thread = true,
		    .run = { .id = id(1, i), .thread_id = id(2, i), .assistant_id = id(3, 1),
		    .graph_id = S("none"),
		    .kwargs_json = S("{}"), .metadata_json = S("{}"), .base_json = S("{}"),
		    .created = 1, .updated = 1 } }, STORE_RUN_CREATE);
	arena_release(&a);
	CHECK_INT(still_running(&f), MISSED);
	cluster_serve(f.c);
	while (still_running(&f) > 0)
		turn(&f);
	for (unsigned i = 1; i <= MISSED; i++)
		for (struct uuid run_id = id(1, i); runs_has_run(b.rs, &run_id); )
			turn(&f);         /* it is in memory until its end was told */
	runs_close(&b);
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
