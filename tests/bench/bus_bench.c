/*
 * bus_bench.c - what a message between nodes costs.  With a nats-server running:
 *   bus-bench [URL]      two buses of one process, a shard each
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/clock.h"
#include "base/hist.h"
#include "base/mem.h"
#include "cluster/bus.h"

#include <dirent.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define FLOOD  1000000
#define ROUNDS 20000

static struct shard *shards[2];
static struct bus *buses[2];
static struct shard_job jobs[2];
static char body[100];

/* Each question is answered; the next leaves when the answer came. */
static struct hist latency;
static nsec asked;
static int round_trips;
static uint64_t flood;
static nsec flood_start, flood_cpu;

static int
threads(void)
{
	DIR *d = opendir("/proc/self/task");
	int n = -2;

	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static void
say(int from, struct str subject, struct str reply)
{
	struct str piece = { body, sizeof body };

	while (bus_send(buses[from], subject, reply, &piece, 1) != OK)
		;
}

static void
ask(void)
{
	asked = clock_mono();
	say(0, S("ask"), S("answer"));
}

static void
hear_question(void *ctx, const struct bus_message *m)
{
	(void)ctx;
	say(1, m->reply, STR_NONE);
}

static void
send_flood(void)
{
	flood_start = clock_mono();
	flood_cpu = clock_cpu();
	for (int i = 0; i < FLOOD; i++)
		say(0, S("flood"), STR_NONE);
}

static void
hear_answer(void *ctx, const struct bus_message *m)
{
	(void)ctx, (void)m;
	hist_add(&latency, (uint64_t)(clock_mono() - asked));
	if (++round_trips < ROUNDS) {
		ask();
		return;
	}
	printf("round trip, 100 bytes: p50 %.0f us, p99 %.0f us; CPU of both nodes %.1f us\n",
	    (double)hist_percentile(&latency, 50) / 1e3, (double)hist_percentile(&latency, 99) / 1e3,
	    (double)(clock_cpu() - flood_cpu) / 1e3 / ROUNDS);
	send_flood();
}

static void
hear_flood(void *ctx, const struct bus_message *m)
{
	nsec took, cpu;

	(void)ctx, (void)m;
	if (++flood < FLOOD)
		return;
	took = clock_mono() - flood_start;
	cpu = clock_cpu() - flood_cpu;
	printf("flood, 100 bytes: %.0f messages/s; CPU of sender and receiver %.2f us a "
	    "message\nthreads: %d, of which 3 are the main one and two shards\n",
	    (double)FLOOD * 1e9 / (double)took, (double)cpu / 1e3 / FLOOD, threads());
	shard_stop(shards[0]);
	shard_stop(shards[1]);
}

static void
changed(void *ctx, bool up)
{
	(void)ctx;
	if (!up || !bus_is_up(buses[1]))
		return;
	flood_cpu = clock_cpu();
	ask();
}

static void
begin(struct shard_job *job)
{
	if (job == &jobs[1]) {
		bus_listen(buses[1], shards[1], S("ask"), hear_question, NULL);
		bus_listen(buses[1], shards[1], S("flood"), hear_flood, NULL);
		return;
	}
	bus_listen(buses[0], shards[0], S("answer"), hear_answer, NULL);
	while (!bus_is_up(buses[1]))
		;
	bus_watch(buses[0], shards[0], changed, NULL);
}

int
main(int argc, char **argv)
{
	struct err e;

	for (unsigned i = 0; i < 2; i++) {
		struct bus_options o = { .urls = str_of(argc > 1 ? argv[1] :
		    "nats://127.0.0.1:4222"), .cluster = S("bench"), .name = S("bench") };

		if (shard_new(&shards[i], i, &e) != OK || bus_open(&buses[i], &o, &e) != OK) {
			fprintf(stderr, "bus-bench: %s\n", e.text);
			return 1;
		}
	}
	for (int i = 1; i >= 0; i--) {
		jobs[i].run = begin;
		shard_post(shards[i], &jobs[i]);
		if (shard_start(shards[i], &e) != OK)
			return 1;
	}
	shard_join(shards[0]);
	shard_join(shards[1]);
	for (int i = 0; i < 2; i++) {
		bus_close(buses[i]);
		shard_free(shards[i]);
	}
	return 0;
}
