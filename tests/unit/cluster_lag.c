/*
 * cluster_lag.c - what a node says of how late its bus is, with a real NATS server that
 * stands still.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "nats_fix.h"
#include "base/limits.h"
#include "cluster/lag.h"

#include <signal.h>

static struct shard *shard;
static struct bus *bus;
static struct bus_lag *lag;
static struct wheel_timer tick;              /* keeps the loop turning */

static void
on_tick(struct wheel_timer *t)
{
	shard_timer_set(shard, t, 5);
}

static void
begin(struct shard_job *job)
{
	(void)job;
	tick.fire = on_tick;
	shard_timer_set(shard, &tick, 5);
	bus_lag_begin(lag, shard);
}

static void
end(struct shard_job *job)
{
	(void)job;
	shard_timer_cancel(shard, &tick);
	bus_lag_end(lag);
}

#define UNTIL(condition)            \
	while (!(condition))        \
		shard_turn(shard)

TEST(lag_is_short_and_grows_while_the_server_stands_still)
{
	struct shard_job job = { .run = begin };
	struct err e = { 0 };

	nats_start(NULL);
	CHECK_RC(shard_new(&shard, 0, NULL), OK);
	CHECK_RC(bus_open(&bus, &(struct bus_options){ .urls = nats_url(),
	    .cluster = S("one"), .name = S("test") }, &e), OK);
	lag = bus_lag_new(bus);
	CHECK(bus_lag(lag) == -1);
	shard_post(shard, &job);
	UNTIL(bus_lag(lag) >= 0 && bus_lag(lag) < NS_PER_S);

	nats_kill(SIGSTOP);
	UNTIL(bus_lag(lag) > NS_PER_S);
	nats_kill(SIGCONT);
	UNTIL(bus_lag(lag) >= 0 && bus_lag(lag) < NS_PER_S);

	nats_kill(SIGKILL);
	UNTIL(bus_lag(lag) == -1);
	job.run = end;
	shard_post(shard, &job);
	shard_turn(shard);
	bus_close(bus);
	bus_lag_free(lag);
	shard_free(shard);
}
