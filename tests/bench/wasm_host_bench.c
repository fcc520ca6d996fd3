/*
 * wasm_host_bench.c - what an instance of a sandboxed agent takes in its host process.
 *
 *   wasm-host-bench OBJECT [INSTANCES]
 *
 * OBJECT: of a guest, compiled by cohort wasm build or by gcc.  Prints the time and memory
 * of an instance, new and recycled, the time of a call that the guest answers at once, of an
 * image, in CPU time, and how an endless loop is stopped (where the message "loop" makes one).
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "wasm/host/guest.h"
#include "wasm/host/memory.h"

#define CALLS 1000000

static void
ignore_log(void *arg, int level, struct str text)
{
	(void)arg, (void)level, (void)text;
}

static void
ignore(void *arg, struct str text)
{
	(void)arg, (void)text;
}

static void
ignore_ask(void *arg, enum wasm_import what, struct str name, struct str body)
{
	(void)arg, (void)what, (void)name, (void)body;
}

static void
fail(const char *text)
{
	fprintf(stderr, "wasm-host-bench: %s\n", text);
	exit(1);
}

/* KB of a line of /proc/self/status. */
static long
status_kb(const char *name)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[256];
	long kb = 0;

	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		if (strncmp(line, name, strlen(name)) == 0)
			kb = strtol(line + strlen(name) + 1, NULL, 10);
	if (f != NULL)
		fclose(f);
	return kb;
}

static double
make(struct guest **all, size_t n, struct object *o, const struct guest_limits *l)
{
	nsec began = clock_thread();

	for (size_t i = 0; i < n; i++) {
		all[i] = guest_new(o, l, NULL);
		if (guest_start(all[i]) != GUEST_DONE)
			fail("an instance did not start");
	}
	return (double)(clock_thread() - began) / (double)n / 1000;
}

static void
instances(struct object *o, const struct guest_limits *l, size_t n)
{
	struct guest **all = mem_zero(n * sizeof(struct guest *));
	long rss = status_kb("VmRSS:"), tables = status_kb("VmPTE:");
	double first = make(all, n, o, l), again;
	nsec began;

	rss = status_kb("VmRSS:") - rss;
	tables = status_kb("VmPTE:") - tables;
	began = clock_thread();
	for (size_t i = 0; i < n; i++)
		guest_free(all[i]);
	printf("instances          %zu\n", n);
	printf("  started          %.2f us each\n", first);
	printf("  memory           %.2f KB each, page tables %.2f KB\n", (double)rss / (double)n, (double)tables / (double)n);
	printf("  freed            %.2f us each\n", (double)(clock_thread() - began) / (double)n / 1000);
	again = make(all, n, o, l);
	printf("  recycled         %.2f us each\n", again);
	for (size_t i = 0; i < n; i++)
		guest_free(all[i]);
	free(all);
}

static void
calls(struct object *o, const struct guest_limits *l)
{
	struct guest *g = guest_new(o, l, NULL);
	struct str message = S("{}");
	nsec began, best = NEVER;

	if (guest_start(g) != GUEST_DONE)
		fail("the instance did not start");
	for (int round = 0; round < 5; round++) {
		began = clock_thread();
		for (int i = 0; i < CALLS / 5; i++)
			if (guest_call(g, message) != GUEST_DONE)
				fail("a call was stopped");
		if (clock_thread() - began < best)
			best = clock_thread() - began;
	}
	printf("call               %.1f ns (best of 5 x %d)\n", (double)best / (CALLS / 5), CALLS / 5);
	guest_free(g);
}

static void
images(struct object *o, const struct guest_limits *l)
{
	struct guest *g = guest_new(o, l, NULL);
	struct buf image = BUF(LIMIT_WASM_IMAGE_BYTES);
	nsec began;
	struct err e;

	if (guest_start(g) != GUEST_DONE || guest_call(g, S("{}")) != GUEST_DONE || guest_save(g, &image, &e) != OK)
		fail("no image");
	began = clock_thread();
	for (int i = 0; i < 1000; i++) {
		buf_clear(&image);
		if (guest_save(g, &image, &e) != OK)
			fail(e.text);
	}
	printf("saved              %.2f us, %zu bytes\n", (double)(clock_thread() - began) / 1e6, image.n);
	guest_free(g);
	began = clock_thread();
	for (int i = 0; i < 1000; i++) {
		g = guest_new(o, l, NULL);
		if (guest_restore(g, buf_str(&image), &e) != OK)
			fail(e.text);
		guest_free(g);
	}
	printf("restored and freed %.2f us\n", (double)(clock_thread() - began) / 1e6);
	buf_release(&image);
}

static void
endless(struct object *o, struct guest_limits l)
{
	nsec most = 0;

	l.cpu = LIMIT_WASM_CPU_US * INT64_C(1000);
	l.fuel = INT64_MAX;
	for (int i = 0; i < 20; i++) {
		struct guest *g = guest_new(o, &l, NULL);
		struct guest_cost cost;

		if (guest_start(g) != GUEST_DONE || guest_call(g, S("loop")) != GUEST_TRAPPED) {
			guest_free(g);
			return;
		}
		guest_cost(g, &cost);
		if (cost.cpu > most)
			most = cost.cpu;
		guest_free(g);
	}
	printf("endless loop       stopped after %.2f ms of %.2f (most of 20)\n", (double)most / 1e6, (double)l.cpu / 1e6);
}

int
main(int argc, char **argv)
{
	static const struct guest_host hooks = { ignore_log, ignore, ignore, ignore_ask };
	static const char hash[] = "0000000000000000000000000000000000000000000000000000000000000000";
	struct guest_limits l = {
		.allow = UINT32_MAX, .pages = LIMIT_WASM_PAGES, .depth = LIMIT_WASM_DEPTH, .host_calls = LIMIT_WASM_HOST_CALLS,
		.message_bytes = LIMIT_WASM_MESSAGE_BYTES, .fuel = LIMIT_WASM_FUEL, .cpu = LIMIT_WASM_CPU_MAX_US * INT64_C(1000),
	};
	size_t n = argc > 2 ? strtoul(argv[2], NULL, 10) : LIMIT_WASM_INSTANCES;
	static struct object o;
	struct err e;

	if (argc < 2 || n == 0)
		fail("wasm-host-bench OBJECT [INSTANCES]");
	if (memories_setup((uint32_t)n + 2, (size_t)64 << 30, &e) != OK || run_setup(LIMIT_WASM_PARKED, &e) != OK ||
	    object_load(&o, argv[1], hash, &e) != OK)
		fail(e.text);
	guests_setup(&hooks);
	instances(&o, &l, n);
	calls(&o, &l);
	images(&o, &l);
	endless(&o, l);
	return 0;
}
