/*
 * mail_bench.c - what a message between agents of one shard takes.
 *
 *   mail-bench [PART [AGENTS]]
 *
 * PART: one-way (to agents at random, a few bytes), ttl (the same with a time to live),
 * fan-out (one sends 1 KB to all, shared), ping-pong (a request and its reply), spawn (open
 * and close; memory), directory (put, by id, by capability, remove).  Without a PART: all of
 * them, with 1 .. 1,000,000 agents.  Prints the best and the median of 11 rounds:
 * on a busy machine the best is nearer to what the program takes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hist.h"
#include "base/mem.h"
#include "mail/directory.h"

#define ROUNDS 11
#define BATCH  256                           /* sends of one turn of the loop */

/* An agent with a compiled handler: counts, and answers if it has a partner. */
struct counter {
	_Alignas(64) uint64_t taken;
	struct mail_ref at, partner;
	struct post *post;
};

struct bench {
	struct post *post;
	struct counter *agents;
	size_t n;
	uint64_t random;
};

static enum mail_taken
take_count(void *a, struct letter *l)
{
	struct counter *c = a;

	c->taken += letter_packed(l).n > 0;
	return MAIL_TAKEN;
}

static enum mail_taken
take_answer(void *a, struct letter *l)
{
	struct counter *c = a;

	c->taken++;
	post_send(c->post, &(struct post_letter){ .from = c->at, .to = l->from,
		.act = ACL_INFORM, .packed = letter_packed(l) }, l->created);
	return MAIL_TAKEN;
}

static const struct mail_kind counting = { .name = "native", .take = take_count };
static const struct mail_kind answering = { .name = "native", .take = take_answer };

static void
on_ready(void *ctx)
{
	(void)ctx;
}

static uint64_t
on_random(void *ctx)
{
	return (uintptr_t)ctx;
}

static void
bench_open(struct bench *b, const struct mail_kind *kind, size_t n)
{
	static const struct post_options options = { .mailbox_max = 1000000, .tries_max = 3,
		.retry_first = 100, .retry_max = 1000 };
	static const struct post_ops ops = { .ready = on_ready, .random = on_random };

	*b = (struct bench){ .n = n, .random = 1 };
	b->post = post_new(&options, &ops, b);
	b->agents = aligned_alloc(64, n * sizeof *b->agents);
	for (size_t i = 0; i < n; i++) {
		struct counter *c = &b->agents[i];

		*c = (struct counter){ .post = b->post };
		c->at = post_open(b->post, kind, c, 0);
	}
}

static void
bench_close(struct bench *b)
{
	post_check(b->post);
	post_free(b->post);
	free(b->agents);
}

static size_t
pick(struct bench *b)
{
	b->random ^= b->random << 13;
	b->random ^= b->random >> 7;
	b->random ^= b->random << 17;
	return (size_t)((b->random >> 32) * b->n >> 32);
}

static void
run_all(struct bench *b)
{
	while (post_run(b->post, 10000, 1))
		;
}

/* Bytes that malloc has given out. */
static size_t
mem_in_use(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

/* ---- parts: each does about `letters` and says how many ------------------------- */

static uint64_t
to_random(struct bench *b, uint64_t letters, msec ttl)
{
	for (uint64_t sent = 0; sent < letters; sent += BATCH) {
		for (size_t i = 0; i < BATCH; i++)
			if (post_send(b->post, &(struct post_letter){ .to = b->agents[pick(b)].at,
			    .act = ACL_INFORM, .packed = S("(inform :content 42)"), .ttl = ttl },
			    1) != OK)
				abort();
		run_all(b);
	}
	return letters / BATCH * BATCH;
}

static uint64_t
one_way(struct bench *b, uint64_t letters)
{
	return to_random(b, letters, 0);
}

static uint64_t
with_ttl(struct bench *b, uint64_t letters)
{
	return to_random(b, letters, 30000);
}

static uint64_t
fan_out(struct bench *b, uint64_t letters)
{
	char bytes[1024];
	uint64_t sent = 0;

	memset(bytes, 'x', sizeof bytes);
	while (sent < letters) {
		struct mail_text *t = mail_text_new(bytes, sizeof bytes);

		for (size_t i = 0; i < b->n; i++)
			if (post_send(b->post, &(struct post_letter){ .to = b->agents[i].at,
			    .act = ACL_INFORM, .text = t }, 1) != OK)
				abort();
		mail_text_drop(t);
		sent += b->n;
		run_all(b);
	}
	return sent;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
measure(const char *name, uint64_t (*part)(struct bench *b, uint64_t letters), size_t agents)
{
	double ns[ROUNDS];
	struct bench b;
	size_t before, after;

	bench_open(&b, &counting, agents);
	part(&b, 2000000);
	before = mem_in_use();
	for (size_t i = 0; i < ROUNDS; i++) {
		nsec began = clock_thread();
		uint64_t n = part(&b, 1000000);

		ns[i] = (double)(clock_thread() - began) / (double)n;
	}
	after = mem_in_use();
	qsort(ns, ROUNDS, sizeof ns[0], by_value);
	printf("%-9s %8zu agents: best %6.2f M/s (%5.1f ns), median %6.2f M/s; %zd bytes allocated\n",
	    name, agents, 1e3 / ns[0], ns[0], 1e3 / ns[ROUNDS / 2], (ssize_t)(after - before));
	bench_close(&b);
}

static void
ping_pong(void)
{
	struct hist h;
	struct bench b;
	nsec began;

	bench_open(&b, &answering, 2);
	hist_clear(&h);
	post_send(b.post, &(struct post_letter){ .from = b.agents[0].at, .to = b.agents[1].at,
		.act = ACL_REQUEST, .packed = S("(request)") }, 1);
	for (int i = 0; i < 1000000; i++) {
		nsec t = clock_mono();

		post_run(b.post, 2, 1);
		hist_add(&h, (uint64_t)(clock_mono() - t));
	}
	began = clock_thread();
	post_run(b.post, 2000000, 1);
	printf("ping-pong a round trip: %.1f ns; with a clock around each p50 %llu ns, p99 %llu ns\n",
	    (double)(clock_thread() - began) / 1e6, (unsigned long long)hist_percentile(&h, 50),
	    (unsigned long long)hist_percentile(&h, 99));
	bench_close(&b);
}

static void
spawn(size_t n)
{
	struct bench b;
	struct mail_ref *at = mem_alloc(n * sizeof *at);
	size_t before;
	nsec began, open, close;

	bench_open(&b, &counting, 1);
	before = mem_resident();
	memset(at, 0xff, n * sizeof *at);
	before = mem_resident();
	began = clock_thread();
	for (size_t i = 0; i < n; i++)
		at[i] = post_open(b.post, &counting, b.agents, 0);
	open = clock_thread() - began;
	printf("spawn     %8zu agents: open %.1f ns, %.1f bytes each;", n, (double)open / (double)n,
	    (double)(mem_resident() - before) / (double)n);
	began = clock_thread();
	for (size_t i = 0; i < n; i++)
		post_close(b.post, at[i]);
	close = clock_thread() - began;
	printf(" close %.1f ns, %.1f bytes stay\n", (double)close / (double)n,
	    ((double)mem_resident() - (double)before) / (double)n);
	bench_close(&b);
	free(at);
}

static void
each_nothing(void *ctx, const struct uuid *id, struct mail_ref ref)
{
	(void)id;
	*(uint64_t *)ctx += ref.uses;
}

/* Nanoseconds since *began, of each of n; *began is now. */
static double
lap(nsec *began, size_t n)
{
	nsec now = clock_thread(), took = now - *began;

	*began = now;
	return (double)took / (double)n;
}

static void
directory(size_t n)
{
	static const struct str capability = { "sum", 3 };
	struct mail_directory *d = mail_directory_new();
	struct uuid *ids = mem_alloc(n * sizeof *ids);
	double put, find, one, removed;
	uint64_t sum = 0;
	size_t before;
	struct err e;
	nsec began;

	for (size_t i = 0; i < n; i++)
		ids[i] = uuid_v7();
	before = mem_in_use();
	began = clock_thread();
	for (size_t i = 0; i < n; i++)
		if (mail_directory_put(d, &(struct mail_entry){ .id = ids[i], .ref = { .uses = 1 },
		    .state = AGENT_READY, .capabilities = &capability,
		    .capabilities_n = i < 10000 }, &e) != OK)
			abort();
	put = lap(&began, n);
	before = mem_in_use() - before;
	for (size_t i = 0; i < n; i++) {
		struct mail_ref ref;

		if (mail_directory_id(d, 0, &ids[i * 7919 % n], &ref) != OK)
			abort();
		sum += ref.uses;
	}
	find = lap(&began, n);
	for (size_t i = 0; i < 100000; i++)
		if (mail_directory_resolve(d, 0, S("cap:sum"), each_nothing, &sum, &e) != OK)
			abort();
	one = lap(&began, 100000);
	for (size_t i = 0; i < n; i++)
		mail_directory_remove(d, 0, &ids[i]);
	removed = lap(&began, n);
	if (sum != n + 100000)
		abort();
	printf("directory %8zu agents: put %.1f ns, by id %.1f ns, by capability %.1f ns, "
	    "remove %.1f ns; %.1f bytes each\n", n, put, find, one, removed,
	    (double)before / (double)n);
	mail_directory_free(d);
	free(ids);
}

static const struct { const char *name; uint64_t (*part)(struct bench *b, uint64_t letters); } parts[] = {
	{ "one-way", one_way }, { "ttl", with_ttl }, { "fan-out", fan_out },
};

int
main(int argc, char **argv)
{
	static const size_t sizes[] = { 1, 10, 100, 1000, 10000, 100000, 1000000 };
	const char *only = argc > 1 ? argv[1] : NULL;
	uint64_t agents = 0;

	if (argc > 2 && (!str_to_u64(str_of(argv[2]), &agents) || agents == 0)) {
		fprintf(stderr, "usage: mail-bench [one-way|ttl|fan-out|ping-pong|spawn|directory [AGENTS]]\n");
		return 2;
	}
	for (size_t i = 0; i < COUNT(parts); i++)
		for (size_t k = 0; k < COUNT(sizes); k++)
			if ((only == NULL || strcmp(only, parts[i].name) == 0) &&
			    (agents == 0 || agents == sizes[k]))
				measure(parts[i].name, parts[i].part, sizes[k]);
	if (only == NULL || strcmp(only, "ping-pong") == 0)
		ping_pong();
	for (size_t k = 1; k < COUNT(sizes); k++) {
		if (agents != 0 && agents != sizes[k])
			continue;
		if ((only == NULL || strcmp(only, "spawn") == 0) && sizes[k] >= 1000)
			spawn(sizes[k]);
		if (only == NULL || strcmp(only, "directory") == 0)
			directory(sizes[k]);
	}
	return 0;
}
