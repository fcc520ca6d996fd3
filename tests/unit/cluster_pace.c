/*
 * cluster_pace.c - the decisions of a node by plain numbers: that two nodes never have one
 * lease, and that nothing stands still.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cluster/pace.h"

#include "base/limits.h"
#include "harness/test.h"

#define MS NS_PER_MS

/* Goal: a node counts itself as lost before the database may, whatever became of its beats:
 * what it counts on ends before `sent` + lease, where `sent` is of the last beat that may
 * have arrived. */
TEST(pace_is_lost_before_others_may_mark)
{
	for (msec lease = 1000; lease <= 60000; lease += 500) {
		struct pace p = { .lease = lease };
		nsec sent = 5 * MS, now;
		int tries = 0;

		pace_begin(&p, sent);
		CHECK(p.next == sent + lease * MS / 4);
		CHECK(p.until < sent + lease * MS && p.until > p.next);
		for (now = p.next; ; now = p.next) {
			nsec patience = pace_patience(&p, now);

			tries++;
			CHECK(now <= p.until && now + patience <= p.until);
			if (pace_beaten(&p, ERR_IO, now, now + patience) == PACE_LOST)
				break;
		}
		CHECK(now < sent + lease * MS && p.next == NEVER);
		CHECK(tries >= 2);           /* one lost answer is no lost lease */
	}
}

/* Goal: a beat that succeeded counts from when it was sent, for the database may have got it
 * at once; and one that finds the row marked is the last. */
TEST(pace_counts_from_when_the_beat_was_sent)
{
	struct pace p = { .lease = 10000 };

	pace_begin(&p, 0);
	CHECK(pace_beaten(&p, OK, 2500 * MS, 4900 * MS) == PACE_HELD);
	CHECK(p.next == 5000 * MS && p.until == 11250 * MS);
	CHECK(pace_beaten(&p, ERR_BUSY, 5000 * MS, 5100 * MS) == PACE_RETRY);
	CHECK(p.next > 5100 * MS && p.next < 6000 * MS && p.until == 11250 * MS);
	CHECK(pace_beaten(&p, ERR_NOTFOUND, 5500 * MS, 5501 * MS) == PACE_LOST);
	CHECK(p.next == NEVER);
	CHECK(pace_patience(&p, 11250 * MS) <= 0);
}

/* Goal: a node that came back spares others for less than a lease, so that one that is dead
 * is found, and for longer than the pauses of one that comes back. */
TEST(pace_spares_those_that_come_back)
{
	CHECK(pace_spares(1000, 0) < 1000 * MS);
	CHECK(pace_spares(1000, 0) > pace_rejoin() * MS);
	CHECK(!pace_is_over(NODE_LIVE, 0, false));
	CHECK(!pace_is_over(NODE_LIVE, -1, true));
	CHECK(pace_is_over(NODE_LIVE, -1, false));
	CHECK(pace_is_over(NODE_LEFT, 500, true) && pace_is_over(NODE_LOST, 500, true));
}

/* Goal: a dead node is seen in time (lease + 2 s), and not all look at once. */
TEST(pace_looks_are_spread)
{
	msec low = INT64_MAX, high = 0;

	for (uint32_t any = 0; any < 5000; any++) {
		msec ms = pace_look(10000, any);

		low = ms < low ? ms : low;
		high = ms > high ? ms : high;
	}
	CHECK(low > 0 && high - low >= LIMIT_NODE_LOOK_MS / 8 && high <= 2000);
	CHECK(pace_look(1000, UINT32_MAX) < 1000 / 2);
}

/* Goal: a node takes until nothing is left, and does not ask without a pause for what others
 * are taking. */
TEST(pace_takes_until_nothing_is_left)
{
	CHECK(pace_take_again(true, LIMIT_TAKE_THREADS, 3, 7) == 0);
	CHECK(pace_take_again(true, 1, 1, 7) == 0);
	CHECK(pace_take_again(true, 0, 1, 7) > 0);
	CHECK(pace_take_again(false, 5, 3, 7) < 0 && pace_take_again(false, 0, 3, 7) < 0);
	CHECK(pace_take_again(true, 0, 1000, 999) > 5 * pace_take_again(true, 0, 1000, 0));
}

/* Goal: a few nodes see each other at each look and at once when they are told; of many,
 * which all read a list of all, none reads it more often than rows of that list allow. */
TEST(pace_lists_less_often_the_more_nodes_there_are)
{
	CHECK(pace_list(10000, 3) == 0 && pace_told(10000, 3, UINT32_MAX) == 0);
	for (msec lease = 1000; lease <= 60000; lease += 1000) {
		msec base = lease / 4 < LIMIT_NODE_LOOK_MS ? lease / 4 : LIMIT_NODE_LOOK_MS;
		msec look = pace_look(lease, (uint32_t)(base / 4));     /* the longest */

		for (size_t nodes = 100; nodes <= 10000; nodes *= 10) {
			msec list = pace_list(lease, nodes), told = pace_told(lease, nodes, 1999);

			CHECK(list >= lease / 3 || list >= (msec)nodes * 10);
			CHECK(told >= 0 && told <= lease / 4);
			/* A row whose lease is renewed in time has at least half of it left
			 * when it is read, and is read again before that is over. */
			CHECK(list + look <= lease * 3 / 4);
		}
	}
	CHECK(pace_told(10000, 1000, 1) != pace_told(10000, 1000, 2));
}

/* Goal: a node with many runs does not read all of them each second, but where nobody can
 * tell it what is written for it. */
TEST(pace_compares_many_runs_less_often)
{
	CHECK(pace_compare(10, true, UINT32_MAX) <= LIMIT_NODE_LOOK_MS);
	CHECK(pace_compare(0, true, UINT32_MAX) == 0 && pace_compare(1000, false, 7) == 0);
	for (uint32_t any = 0; any < 10000; any += 100)
		CHECK(pace_compare(1000, true, any) >= 5000 &&
		    pace_compare(1000, true, any) <= 20000);
	CHECK(pace_compare(1000, true, 0) != pace_compare(1000, true, 2000));
}
