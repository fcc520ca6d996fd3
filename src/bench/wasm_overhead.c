/*
 * wasm_overhead.c - one task in C and as a guest, with and without metering; an instance; a
 * call.
 *
 * The task's time is CPU: of this thread, and what the host process says of the call.  Rounds
 * are interleaved, and ratios are medians over them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/wasm_priv.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

#define HASH_ROUNDS 100                      /* times 64 KB: some milliseconds */
#define SORTED      16384
#define ROUNDS_MAX  1000
#define CALLS       20000
#define STARTS      2000

enum { BY_GCC, BY_GCC_UNMETERED, BY_TCC, WAYS };
static const char *const ways[WAYS] = { "gcc", "unmetered", "tcc" };

struct overhead {
	struct wasm_farm farm;
	struct wasm_code *code[WAYS], *small;
	struct wasm_guest guest[WAYS];
	double ratio[WAYS][ROUNDS_MAX], native[ROUNDS_MAX];
	bool equal;
};

static const struct wasm_limits free_limits = { .cpu_us = 1000000, .fuel = WASM_ENDLESS_FUEL };

static int
overhead_open(struct overhead *x, const struct wasm_bench_options *o, struct err *e)
{
	int rc = wasm_farm_open(&x->farm, o->scratch, &(struct wasm_pool_options){ 0 }, e);

	for (int w = 0; rc == OK && w < WAYS; w++) {
		rc = wasm_farm_build(&x->farm, wasm_text_work, w == BY_TCC ? WASM_TCC : WASM_GCC,
		    w == BY_GCC_UNMETERED, &x->code[w], e);
		if (rc == OK)
			rc = wasm_guest_start(&x->farm, &x->guest[w], x->code[w], &free_limits, e);
	}
	if (rc == OK)
		rc = wasm_farm_build(&x->farm, wasm_text_small, WASM_GCC, false, &x->small, e);
	return rc;
}

static void
overhead_close(struct overhead *x)
{
	for (int w = 0; w < WAYS; w++) {
		wasm_guest_end(&x->guest[w]);
		wasm_code_drop(x->code[w]);
	}
	wasm_code_drop(x->small);
	wasm_farm_close(&x->farm);
}

/* The first round warms up and is left out. */
static void
compare(struct overhead *x, struct report *r, const char *task, char what, uint32_t n,
    uint32_t (*native)(uint32_t n), size_t rounds)
{
	char key[48];

	for (size_t i = 0; i <= rounds; i++) {
		nsec since = clock_thread();
		uint32_t result = native(n);
		double ns = (double)(clock_thread() - since);

		for (int w = 0; w < WAYS; w++) {
			struct wasm_guest *g = &x->guest[w];

			wasm_guest_do(&x->farm, g, what, n);
			x->equal = x->equal && g->rc == OK && (uint32_t)g->result == result;
			x->ratio[w][i > 0 ? i - 1 : 0] = (double)g->cost.cpu / ns;
		}
		x->native[i > 0 ? i - 1 : 0] = ns / 1e6;
	}
	snprintf(key, sizeof key, "%s_native_ms", task);
	report_value(r, wasm_median(x->native, rounds), 3, key);
	for (int w = 0; w < WAYS; w++) {
		snprintf(key, sizeof key, "%s_%s_x", task, ways[w]);
		report_value(r, wasm_median(x->ratio[w], rounds), 3, key);
		snprintf(key, sizeof key, "%s_%s_x_most", task, ways[w]);
		report_value(r, x->ratio[w][rounds - 1], 3, key);
	}
}

/* Calls that the guest answers at once: inside the host process, and there and back. */
static int
small_calls(struct overhead *x, struct report *r, struct err *e)
{
	struct wasm_guest g = { 0 };
	double inside[CALLS / 1000], there[CALLS / 1000];
	int rc = wasm_guest_start(&x->farm, &g, x->small, &free_limits, e);

	for (size_t k = 0; rc == OK && k < COUNT(inside); k++) {
		nsec cpu = 0, since = clock_mono();

		for (int i = 0; i < 1000; i++) {
			wasm_guest_send(&g, S("{}"));
			wasm_guest_wait(&x->farm, &g);
			cpu += g.cost.cpu;
		}
		inside[k] = (double)cpu / 1000;
		there[k] = (double)(clock_mono() - since) / 1000 / 1e3;
	}
	if (rc == OK) {
		report_value(r, wasm_median(inside, COUNT(inside)), 0, "call_alone_ns");
		report_value(r, wasm_median(there, COUNT(there)), 2, "round_trip_us");
	}
	wasm_guest_end(&g);
	return rc;
}

/* New instances, all asked for at once, as after a start of the server. */
static int
starts(struct overhead *x, struct report *r, struct err *e)
{
	struct wasm_guest *g = mem_zero(STARTS * sizeof *g);
	struct wasm_guest first = { 0 };
	int rc = wasm_guest_start(&x->farm, &first, x->small, &free_limits, e);
	nsec since = clock_mono();

	for (size_t i = 0; rc == OK && i < STARTS; i++)
		rc = wasm_guest_begin(&x->farm, &g[i], x->small, &free_limits, 1, STR_NONE, e);
	for (size_t i = 0; rc == OK && i < STARTS; i++)
		wasm_guest_wait(&x->farm, &g[i]);
	report_value(r, (double)(clock_mono() - since) / STARTS / 1e3, 2, "instance_us");
	wasm_guest_end(&first);
	for (size_t i = 0; i < STARTS; i++)
		wasm_guest_end(&g[i]);
	free(g);
	return rc;
}

int
wasm_part_overhead(const struct wasm_bench_options *o, struct report *r, struct err *e)
{
	struct overhead *x = mem_new(struct overhead);
	size_t rounds = (size_t)o->rounds;
	int rc = overhead_open(x, o, e);

	x->equal = true;
	if (rc == OK) {
		compare(x, r, "hash", 'h', HASH_ROUNDS, wasm_native_hash, rounds);
		compare(x, r, "sort", 's', SORTED, wasm_native_sort, rounds);
		report_value(r, (double)rounds, 0, "rounds");
		report_check(r, x->equal, "the guests' results equal those of the native code");
		rc = starts(x, r, e);
	}
	if (rc == OK)
		rc = small_calls(x, r, e);
	overhead_close(x);
	free(x);
	return rc;
}
