/*
 * bench_fleet.c - the decisions of cluster/pace.h among many nodes, by simulation: whatever
 * is lost, each thread is run again, by one process, in time.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/fleet.h"

#include "harness/test.h"

#define NODES   40
#define THREADS 4000
#define LEASE   1000

static struct fleet_options
options(enum fleet_scenario s, uint64_t seed)
{
	return (struct fleet_options){ .scenario = s, .nodes = NODES, .threads = THREADS,
	    .kill = NODES / 10, .lease = LEASE, .cores = 16, .connections = 9,
	    .flush = NS_PER_MS, .trip = NS_PER_MS / 5, .seed = seed };
}

/* Goal: no thread is lost and none is run twice, whatever happens, with many seeds; nodes that
 * nothing happened to keep their leases. */
TEST(fleet_runs_each_thread_once_whatever_is_lost)
{
	for (enum fleet_scenario s = 0; s < FLEET_SCENARIOS; s++) {
		for (uint64_t seed = 1; seed <= test_rounds(10); seed++) {
			struct fleet_options o = options(s, seed);
			struct fleet_result r;

			fleet_run(&o, &r);
			CHECK(r.twice == 0);
			CHECK(r.stuck == 0 && r.settled >= 0);
			CHECK(r.lost == 0);
		}
	}
}

/* Goal: what a lost node had is run again within its lease and two seconds; only that moves,
 * and each thread of it once. */
TEST(fleet_takes_over_in_time)
{
	static const struct { enum fleet_scenario s; int nodes; } rows[] = {
		{ FLEET_ONE, 1 }, { FLEET_TENTH, NODES / 10 }, { FLEET_CUT, NODES / 10 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		for (uint64_t seed = 1; seed <= test_rounds(10); seed++) {
			struct fleet_options o = options(rows[i].s, seed);
			struct fleet_result r;

			fleet_run(&o, &r);
			CHECK(r.moved == rows[i].nodes * THREADS / NODES);
			CHECK(r.takeover_max <= LEASE / 1000.0 + 2);
			CHECK(r.takeover_max > 0);
		}
	}
}

/* Goal: a node that has many threads is taken over by all others at once, not by a
 * transaction a look. */
TEST(fleet_takes_until_nothing_is_left)
{
	struct fleet_options o = options(FLEET_ONE, 1);
	struct fleet_result r;

	o.nodes = 4;
	o.lease = 10000;
	fleet_run(&o, &r);
	CHECK(r.moved == THREADS / 4 && r.counted == r.moved);
	CHECK(r.takeover_max <= 12);
}

/* Goal: a node that leaves is taken over at once, and that is no attempt of its runs. */
TEST(fleet_takes_over_at_once_from_a_node_that_leaves)
{
	for (uint64_t seed = 1; seed <= 3; seed++) {
		struct fleet_options o = options(FLEET_ROLLING, seed);
		struct fleet_result r;

		o.lease = 10000;
		fleet_run(&o, &r);
		CHECK(r.joined == NODES && r.counted == 0);
		CHECK(r.takeover_max < 5);
	}
}

/* Goal: after an outage of the database all nodes come back, and take back what was theirs;
 * nobody's attempts are counted against another that is only late. */
TEST(fleet_comes_back_after_an_outage_of_the_database)
{
	for (uint64_t seed = 1; seed <= 10; seed++) {
		struct fleet_options o = options(FLEET_AWAY, seed);
		struct fleet_result r;

		fleet_run(&o, &r);
		CHECK(r.joined == NODES);
		CHECK(r.moved >= THREADS && r.counted == 0);
		CHECK(r.settled < 2 * LEASE / 1000.0 + 2);
	}
}

/* Goal: a seed is a whole history. */
TEST(fleet_is_the_same_for_a_seed)
{
	struct fleet_options o = options(FLEET_TENTH, 7), other = options(FLEET_TENTH, 8);
	struct fleet_result a, b, c;

	fleet_run(&o, &a);
	fleet_run(&o, &b);
	fleet_run(&other, &c);
	CHECK(a.hash == b.hash && a.events == b.events && a.takeover_max == b.takeover_max);
	CHECK(a.hash != c.hash);
}

/* Goal: a database of one core is busy for longer than one of sixteen, and what it gets to do
 * is the same. */
TEST(fleet_waits_for_a_small_database)
{
	struct fleet_options o = options(FLEET_TENTH, 3);
	struct fleet_result big, small;

	fleet_run(&o, &big);
	o.cores = 1;
	fleet_run(&o, &small);
	CHECK(small.saturated > big.saturated);
	CHECK(small.takeover_max >= big.takeover_max);
	CHECK(small.stuck == 0 && small.twice == 0 && small.moved == big.moved);
}
