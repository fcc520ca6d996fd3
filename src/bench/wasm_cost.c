/*
 * wasm_cost.c - what instances take: by their number, at the limit of their memory, and as
 * checkpoints.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/wasm_priv.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"

#define CALLS      100000                    /* of one step of the scale */
#define IN_FLIGHT  64
#define MESSAGES   1000
#define SAVES      200
#define PAGES_A_MB 16

static const struct wasm_limits usual = { .cpu_us = 1000000 };

/* ---- by number of instances --------------------------------------------------------------- */

struct scale {
	struct wasm_farm farm;
	struct wasm_guest *guest;
	size_t n, next, sent, came, failed;
	struct wasm_host_use empty;
	struct wasm_code *code;
	struct wasm_guest stays;
};

static void
scale_ready(struct wasm_guest *g)
{
	struct scale *x = g->arg;

	x->came++;
	x->failed += g->rc != OK;
}

static int
scale_start(struct scale *x, struct err *e)
{
	int rc = OK;

	x->came = x->failed = 0;
	for (size_t i = 0; rc == OK && i < x->n; i++) {
		x->guest[i] = (struct wasm_guest){ .ready = scale_ready, .arg = x };
		rc = wasm_guest_begin(&x->farm, &x->guest[i], x->code, &usual, 1, STR_NONE, e);
	}
	while (rc == OK && x->came < x->n)
		shard_turn(x->farm.shard);
	return rc == OK && x->failed > 0 ? err_set(e, ERR_IO, "%zu of %zu instances did not start: %s",
	    x->failed, x->n, x->guest[0].why.text) : rc;
}

/* Messages to all in turn, at most IN_FLIGHT on the way. */
static void
scale_calls(struct scale *x, size_t calls)
{
	size_t most = x->n < IN_FLIGHT ? x->n : IN_FLIGHT;

	x->sent = x->came = x->failed = 0;
	while (x->came < calls) {
		while (x->sent < calls && x->sent - x->came < most) {
			struct wasm_guest *g = &x->guest[x->next];

			if (g->busy)
				break;
			wasm_guest_send(g, S("{\"content\":\"work\"}"));
			if (!g->busy)
				break;
			x->next = (x->next + 1) % x->n;
			x->sent++;
		}
		shard_turn(x->farm.shard);
	}
}

static void
value(struct report *r, double v, int digits, const char *prefix, const char *name)
{
	char key[48];

	snprintf(key, sizeof key, "%s%s", prefix, name);
	report_value(r, v, digits, key);
}

static void
value_of(struct report *r, double v, int digits, const char *prefix, const char *name, size_t n)
{
	char key[48];

	snprintf(key, sizeof key, "%s%s_%zu", prefix, name, n);
	report_value(r, v, digits, key);
}

static int
scale_one(struct scale *x, size_t n, bool last, struct report *r, const char *prefix, struct err *e)
{
	struct wasm_host_use use;
	nsec since = clock_mono();
	double spawn, rate, kb, tables;
	int rc;

	x->n = n;
	x->next = 0;
	rc = scale_start(x, e);
	spawn = (double)(clock_mono() - since) / (double)n / 1e3;
	if (rc != OK)
		return rc;
	scale_calls(x, n);
	use = wasm_hosts_use();
	report_check(r, x->failed == 0, "each of %zu instances answers a message", n);
	since = clock_mono();
	scale_calls(x, CALLS);
	rate = CALLS / ((double)(clock_mono() - since) / NS_PER_S);
	kb = (use.rss_kb - x->empty.rss_kb) / (double)n;
	tables = (use.tables_kb - x->empty.tables_kb) / (double)n;
	value_of(r, spawn, 2, prefix, "spawn_us", n);
	value_of(r, kb, 2, prefix, "instance_kb", n);
	value_of(r, tables, 2, prefix, "page_tables_kb", n);
	value_of(r, rate, 0, prefix, "messages_per_s", n);
	if (last) {
		value(r, spawn, 2, prefix, "spawn_us");
		value(r, kb, 2, prefix, "instance_kb");
		value(r, tables, 2, prefix, "page_tables_kb");
		value(r, rate, 0, prefix, "messages_per_s");
	}
	for (size_t i = 0; i < n; i++)
		wasm_guest_end(&x->guest[i]);
	return OK;
}

/* A host process that lives, with one instance that stays, and room for most others. */
static int
scale_open(struct scale *x, const char *scratch, size_t most, struct err *e)
{
	int rc = wasm_farm_open(&x->farm, scratch, &(struct wasm_pool_options){ 0 }, e);

	x->guest = mem_zero(most * sizeof *x->guest);
	if (rc == OK)
		rc = wasm_farm_build(&x->farm, wasm_text_small, WASM_GCC, false, &x->code, e);
	if (rc == OK)
		rc = wasm_guest_start(&x->farm, &x->stays, x->code, &usual, e);
	x->empty = wasm_hosts_use();
	return rc;
}

static void
scale_close(struct scale *x)
{
	wasm_guest_end(&x->stays);
	wasm_code_drop(x->code);
	wasm_farm_close(&x->farm);
	free(x->guest);
}

int
wasm_scale(const char *scratch, int64_t agents, struct report *r, const char *prefix, struct err *e)
{
	size_t most = agents > 0 && agents < LIMIT_WASM_INSTANCES ? (size_t)agents :
	    LIMIT_WASM_INSTANCES - 1;
	struct scale x = { 0 };
	int rc = scale_open(&x, scratch, most, e);

	for (size_t n = 1; rc == OK && n < most; n *= 10)
		rc = scale_one(&x, n, false, r, prefix, e);
	if (rc == OK)
		rc = scale_one(&x, most, true, r, prefix, e);
	scale_close(&x);
	return rc;
}

int
wasm_part_scale(const struct wasm_bench_options *o, struct report *r, struct err *e)
{
	return wasm_scale(o->scratch, o->agents, r, "", e);
}

/* ---- at the limit of memory ------------------------------------------------------------------ */

static int
memory_one(struct wasm_farm *f, struct wasm_code *code, uint32_t mb, struct report *r, struct err *e)
{
	struct wasm_limits l = { .pages = mb * PAGES_A_MB, .cpu_us = 1000000,
		.fuel = WASM_ENDLESS_FUEL };
	struct wasm_guest g = { 0 };
	int rc = wasm_guest_start(f, &g, code, &l, e);

	if (rc == OK) {
		wasm_guest_do(f, &g, 'g', 0);
		value_of(r, g.result, 0, "", "pages", mb);
		report_check(r, g.rc == OK && g.result == (int32_t)l.pages, "with %u MB a guest gets "
		    "%u pages of 64 KB: it got %d", mb, l.pages, g.result);
		wasm_guest_do(f, &g, 'f', 0);
		value_of(r, (double)g.cost.cpu / 1e6 / mb, 3, "", "first_fill_ms_per_mb", mb);
		report_check(r, g.rc == OK, "all of %u MB can be written", mb);
		wasm_guest_do(f, &g, 'f', 0);
		value_of(r, mb / 1024.0 / ((double)g.cost.cpu / NS_PER_S), 2, "", "fill_gb_per_s", mb);
		wasm_guest_do(f, &g, 'g', 0);
		report_check(r, g.rc == OK && g.result == (int32_t)l.pages, "with %u MB full, growth "
		    "is denied and the guest goes on", mb);
	}
	wasm_guest_end(&g);
	return rc;
}

int
wasm_part_memory(const struct wasm_bench_options *o, struct report *r, struct err *e)
{
	static const uint32_t caps[] = { 1, 10, 100, 1000 };
	struct wasm_pool_options pool = { .memory_max = (size_t)1100 * MB };
	struct wasm_farm f = { 0 };
	struct wasm_code *code = NULL;
	int rc = wasm_farm_open(&f, o->scratch, &pool, e);

	if (rc == OK)
		rc = wasm_farm_build(&f, wasm_text_work, WASM_GCC, false, &code, e);
	for (size_t i = 0; rc == OK && i < COUNT(caps); i++)
		if (o->memory == 0 || caps[i] <= (uint32_t)o->memory)
			rc = memory_one(&f, code, caps[i], r, e);
	wasm_code_drop(code);
	wasm_farm_close(&f);
	return rc;
}

/* ---- memory and checkpoints --------------------------------------------------------------------- */

static double
save_times(struct wasm_farm *f, struct wasm_guest *g)
{
	double us[SAVES];

	for (size_t i = 0; i < SAVES; i++) {
		wasm_guest_save(f, g);
		us[i] = (double)(g->came - g->sent) / 1e3;
	}
	return wasm_median(us, SAVES);
}

/* From the checkpoint of g: the same bytes again, and the same answer. */
static int
restore(struct scale *x, struct wasm_guest *g, struct report *r, const char *prefix, struct err *e)
{
	struct wasm_guest again = { 0 };
	double us[SAVES];

	for (size_t i = 0; i < SAVES; i++) {
		int rc;

		wasm_guest_end(&again);
		again = (struct wasm_guest){ 0 };
		rc = wasm_guest_begin(&x->farm, &again, x->code, &usual, 1, buf_str(&g->image), e);
		if (rc != OK)
			return rc;
		wasm_guest_wait(&x->farm, &again);
		us[i] = (double)(again.came - again.sent) / 1e3;
	}
	value(r, wasm_median(us, SAVES), 1, prefix, "restore_us");
	wasm_guest_save(&x->farm, &again);
	report_check(r, again.rc == OK && str_eq(buf_str(&g->image), buf_str(&again.image)),
	    "the restored instance equals the one that was saved, byte for byte");
	wasm_guest_do(&x->farm, g, 'x', 1);
	wasm_guest_do(&x->farm, &again, 'x', 1);
	report_check(r, again.rc == OK && again.result == g->result,
	    "both give the same answer to the next message");
	wasm_guest_end(&again);
	return OK;
}

int
wasm_instances(const char *scratch, int64_t agents, struct report *r, const char *prefix,
    struct err *e)
{
	struct scale x = { .n = agents > 0 && agents < LIMIT_WASM_INSTANCES ? (size_t)agents : 1000 };
	struct wasm_host_use made, used;
	int rc = scale_open(&x, scratch, x.n, e);

	if (rc == OK)
		rc = scale_start(&x, e);
	if (rc == OK) {
		made = wasm_hosts_use();
		scale_calls(&x, x.n * MESSAGES);
		used = wasm_hosts_use();
		value(r, (made.rss_kb - x.empty.rss_kb) / (double)x.n, 2, prefix, "created_kb");
		value(r, (used.rss_kb - x.empty.rss_kb) / (double)x.n, 2, prefix, "after_messages_kb");
		value(r, (used.tables_kb - x.empty.tables_kb) / (double)x.n, 2, prefix,
		    "page_tables_kb");
		value(r, save_times(&x.farm, &x.guest[0]), 1, prefix, "save_us");
		value(r, (double)x.guest[0].image.n, 0, prefix, "checkpoint_bytes");
		rc = restore(&x, &x.guest[0], r, prefix, e);
	}
	for (size_t i = 0; i < x.n; i++)
		wasm_guest_end(&x.guest[i]);
	scale_close(&x);
	return rc;
}

int
wasm_part_checkpoint(const struct wasm_bench_options *o, struct report *r, struct err *e)
{
	return wasm_instances(o->scratch, o->agents, r, "", e);
}
