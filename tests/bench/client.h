/*
 * client.h - what the benches of the store share: somebody who waits for one command
 * at a time, and figures of how long it took.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_BENCH_CLIENT_H
#define TESTS_BENCH_CLIENT_H

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/items.h"
#include "store/store_priv.h"

#define OWNER 7

/* Somebody who waits for one command at a time. */
struct client {
	struct shard *shard;
	struct store *st;
	struct arena arena;
};

static inline _Noreturn void
die(const char *what, const char *why)
{
	fprintf(stderr, "bench: %s: %s\n", what, why);
	exit(1);
}

static inline void
client_init(struct client *k, struct store *st)
{
	struct err e;

	*k = (struct client){ .st = st, .arena = ARENA(64 * MB) };
	if (shard_new(&k->shard, 0, &e) != OK)
		die("shard", e.text);
}

static inline int
client_try(struct client *k, void *cmd, enum store_op op)
{
	struct store_cmd *c = cmd;

	arena_clear(&k->arena);
	c->op = op;
	c->owner = OWNER;
	c->arena = &k->arena;
	if (store_submit(k->st, k->shard, c, true) != OK)
		die("submit", "refused");
	while (c->under_way)
		shard_turn(k->shard);
	return c->rc;
}

/* How long it took. */
static inline nsec
client_do(struct client *k, void *cmd, enum store_op op)
{
	nsec since = clock_mono();

	if (client_try(k, cmd, op) != OK)
		die("command", ((struct store_cmd *)cmd)->err.text);
	return clock_mono() - since;
}

static inline int
by_time(const void *a, const void *b)
{
	nsec x = *(const nsec *)a, y = *(const nsec *)b;

	return (x > y) - (x < y);
}

static inline void
show(const char *what, nsec *t, int n, const char *limit)
{
	qsort(t, (size_t)n, sizeof *t, by_time);
	printf("%-36s min %8.3f   p50 %8.3f   max %8.3f ms   %s\n", what,
	    (double)t[0] / NS_PER_MS, (double)t[n / 2] / NS_PER_MS,
	    (double)t[n - 1] / NS_PER_MS, limit);
}

static inline void
show_tail(const char *what, nsec *t, size_t n)
{
	qsort(t, n, sizeof *t, by_time);
	printf("%-36s p50 %9.3f ms   p99 %9.3f ms   max %9.3f ms\n", what,
	    (double)t[n / 2] / NS_PER_MS, (double)t[n * 99 / 100] / NS_PER_MS,
	    (double)t[n - 1] / NS_PER_MS);
}

/* Returns when it is that time. */
static inline void
wait_until(nsec due)
{
	nsec left = due - clock_mono();

	if (left > 0)
		ppoll(NULL, 0, &(struct timespec){ .tv_sec = left / NS_PER_S,
		    .tv_nsec = left % NS_PER_S }, NULL);
}

#endif
