/*
 * wasm_endless.c - guests that do not end, and those who live beside them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/wasm_priv.h"

#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "bench/farm.h"

#define CPU_US      5000                     /* the usual limit of a call */
#define FUEL        10000000
#define NATIVES     1000
#define TICK_NS     NS_PER_MS
#define A_TICK      200                      /* messages: 200,000 a second */
#define SLICE_MS    500
#define SLICES_MAX  400
#define GOOD_TICKS  10                       /* a message to the good guest every so many */

/* ---- how soon it is over ------------------------------------------------------------------ */

struct stopped { double ratio[1000]; size_t n; uint64_t other; };

static int
stop_one(struct wasm_farm *f, struct wasm_code *code, const struct wasm_limits *l,
    enum wasm_trap why, struct stopped *s, struct err *e)
{
	struct wasm_guest g = { 0 };
	int rc = wasm_guest_start(f, &g, code, l, e);

	if (rc == OK) {
		wasm_guest_do(f, &g, 'l', 0);
		s->other += g.rc != ERR_CLOSED || g.trap != why;
		s->ratio[s->n++] = why == WASM_TRAP_TIME ? (double)g.cost.cpu / (l->cpu_us * 1e3) :
		    (double)g.cost.fuel / (double)l->fuel;
	}
	wasm_guest_end(&g);
	return rc;
}

static int
stops(const struct wasm_bench_options *o, struct report *r, struct err *e)
{
	const struct wasm_limits time = { .cpu_us = CPU_US, .fuel = WASM_ENDLESS_FUEL },
		fuel = { .cpu_us = 1000000, .fuel = FUEL };
	struct stopped *by_time = mem_new(struct stopped), *by_fuel = mem_new(struct stopped);
	struct wasm_farm f = { 0 };
	struct wasm_code *code = NULL;
	int rc = wasm_farm_open(&f, o->scratch, &(struct wasm_pool_options){ 0 }, e);

	if (rc == OK)
		rc = wasm_farm_build(&f, wasm_text_work, WASM_GCC, false, &code, e);
	for (int64_t i = 0; rc == OK && i < o->rounds; i++) {
		rc = stop_one(&f, code, &time, WASM_TRAP_TIME, by_time, e);
		if (rc == OK)
			rc = stop_one(&f, code, &fuel, WASM_TRAP_FUEL, by_fuel, e);
	}
	if (rc == OK) {
		double median = wasm_median(by_time->ratio, by_time->n);

		report_value(r, by_time->ratio[by_time->n - 1], 3, "stopped_x_most");
		report_value(r, median, 3, "stopped_x");
		report_value(r, median * CPU_US / 1e3, 2, "stopped_ms");
		wasm_median(by_fuel->ratio, by_fuel->n);
		report_value(r, by_fuel->ratio[by_fuel->n - 1], 6, "fuel_x_most");
		report_value(r, (double)by_time->n, 0, "rounds");
		report_check(r, by_time->other + by_fuel->other == 0, "each loop is stopped by its "
		    "limit, and by no other");
		report_check(r, by_time->ratio[by_time->n - 1] <= 2, "an endless loop is stopped "
		    "within twice its limit");
	}
	wasm_code_drop(code);
	wasm_farm_close(&f);
	free(by_time);
	free(by_fuel);
	return rc;
}

/* ---- the neighbours ------------------------------------------------------------------------ */

/* The pool has a thread of its own, as another shard of a server would; here are the native
 * agents, which sleep until their messages are due. */
struct town {
	struct wasm_farm wasm;
	struct wasm_code *code, *good_code;
	struct wasm_guest bad[2], good;
	struct shard_job begin, call;
	_Atomic bool loops;                  /* the bad ones are to be busy */
	_Atomic uint64_t stopped;            /* loops */
	_Atomic bool begun;
	struct hist good_times[2];           /* without and with the bad ones */
	struct farm natives;
	double p99[2][SLICES_MAX], busy[SLICES_MAX];
	size_t slices;
};

static const struct wasm_limits bad_limits = { .cpu_us = CPU_US, .fuel = WASM_ENDLESS_FUEL };

static void
bad_ready(struct wasm_guest *g)
{
	static const char loop[] = { 'l', 0, 0, 0, 0 };
	struct town *t = g->arg;
	struct err e;

	if (g->rc == ERR_CLOSED) {
		wasm_instance_free(g->instance);
		g->instance = NULL;
		t->stopped++;
	}
	if (!t->loops)
		return;
	if (g->instance == NULL)
		(void)wasm_guest_begin(&t->wasm, g, t->code, &bad_limits, g == &t->bad[0] ? 2 : 3,
		    STR_NONE, &e);
	else
		wasm_guest_send(g, (struct str){ (char *)(uintptr_t)loop, sizeof loop });
}

static void
run_begin_job(struct shard_job *j)
{
	struct town *t = CONTAINER_OF(j, struct town, begin);

	for (int i = 0; i < 2; i++)
		if (!t->bad[i].busy)
			bad_ready(&t->bad[i]);
}

static void
good_ready(struct wasm_guest *g)
{
	struct town *t = g->arg;

	if (g->instance != NULL && t->begun)
		hist_add(&t->good_times[t->loops], (uint64_t)(g->came - g->sent));
	t->begun = true;
}

static void
run_call_job(struct shard_job *j)
{
	struct town *t = CONTAINER_OF(j, struct town, call);

	if (!t->good.busy)
		wasm_guest_send(&t->good, S("{}"));
}

static enum mail_taken
take_timed(void *agent, struct letter *l)
{
	struct farm_agent *a = agent;
	struct farm *f = a->farm;

	(void)l;
	a->taken++;
	f->taken++;
	hist_add(&f->times, (uint64_t)(clock_mono() - f->began));
	return MAIL_TAKEN;
}

static const struct mail_kind timed = { "native", take_timed, NULL };

/* One slice; *busy: the share of this thread. */
static double
slice(struct town *t, struct mail_text *text, double *busy)
{
	nsec due = clock_mono(), cpu = clock_thread();

	hist_clear(&t->natives.times);
	for (int tick = 0; tick < SLICE_MS; tick++) {
		struct timespec at;

		due += TICK_NS;
		at = (struct timespec){ .tv_sec = due / NS_PER_S, .tv_nsec = due % NS_PER_S };
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) != 0)
			;
		t->natives.began = due;
		for (int i = 0; i < A_TICK; i++)
			farm_send(&t->natives, &t->natives.agent[0], farm_pick(&t->natives), text,
			    ACL_INFORM);
		farm_run(&t->natives);
		if (tick % GOOD_TICKS == 0)
			shard_post(t->wasm.shard, &t->call);
	}
	*busy = (double)(clock_thread() - cpu) / (double)((nsec)SLICE_MS * NS_PER_MS) * 100;
	return (double)hist_percentile(&t->natives.times, 99) / 1e3;
}

static void
compare(struct town *t, size_t slices)
{
	struct mail_text *text = farm_text(64);
	double busy;

	slice(t, text, &busy);               /* warms up */
	for (size_t i = 0; i < slices; i++)
		for (int k = 0; k < 2; k++) {
			int loops = (int)(i + (size_t)k) % 2;        /* which is first changes */

			t->loops = loops;
			if (loops)
				shard_post(t->wasm.shard, &t->begin);
			t->p99[loops][i] = slice(t, text, &busy);
			t->busy[i] = busy;
		}
	t->loops = false;
	t->slices = slices;
	mail_text_drop(text);
}

static void
town_report(struct town *t, struct report *r)
{
	double ratio[SLICES_MAX], quiet, loud;

	for (size_t i = 0; i < t->slices; i++)
		ratio[i] = t->p99[1][i] / t->p99[0][i];
	quiet = wasm_median(t->p99[0], t->slices);
	loud = wasm_median(t->p99[1], t->slices);
	report_value(r, (wasm_median(ratio, t->slices) - 1) * 100, 1, "native_p99_change_percent");
	report_value(r, quiet, 1, "native_p99_quiet_us");
	report_value(r, loud, 1, "native_p99_loops_us");
	report_value(r, wasm_median(t->busy, t->slices), 1, "native_load_percent");
	report_value(r, (double)hist_percentile(&t->good_times[0], 99) / 1e3, 1, "guest_p99_quiet_us");
	report_value(r, (double)hist_percentile(&t->good_times[1], 99) / 1e3, 1, "guest_p99_loops_us");
	report_value(r, (double)hist_percentile(&t->good_times[0], 50) / 1e3, 1, "guest_p50_quiet_us");
	report_value(r, (double)hist_percentile(&t->good_times[1], 50) / 1e3, 1, "guest_p50_loops_us");
	report_value(r, (double)t->stopped, 0, "loops_stopped");
	report_value(r, (double)t->slices, 0, "slices");
	report_check(r, t->stopped > 2, "endless loops ran and were stopped: %llu",
	    (unsigned long long)t->stopped);
}

static int
town_open(struct town *t, const struct wasm_bench_options *o, struct err *e)
{
	int rc = wasm_farm_open(&t->wasm, o->scratch, &(struct wasm_pool_options){ 0 }, e);

	t->begin.run = run_begin_job;
	t->call.run = run_call_job;
	for (int i = 0; i < 2; i++)
		t->bad[i] = (struct wasm_guest){ .ready = bad_ready, .arg = t };
	t->good = (struct wasm_guest){ .ready = good_ready, .arg = t };
	if (rc == OK)
		rc = wasm_farm_build(&t->wasm, wasm_text_work, WASM_GCC, false, &t->code, e);
	if (rc == OK)
		rc = wasm_farm_build(&t->wasm, wasm_text_small, WASM_GCC, false, &t->good_code, e);
	if (rc == OK)
		rc = wasm_guest_start(&t->wasm, &t->good, t->good_code, &bad_limits, e);
	return rc;
}

int
wasm_part_neighbours(const struct wasm_bench_options *o, struct report *r, struct err *e)
{
	struct town *t = mem_new(struct town);
	int rc = town_open(t, o, e);

	farm_open(&t->natives, &timed, NATIVES, 0);
	if (rc == OK)
		rc = shard_start(t->wasm.shard, e);
	if (rc == OK) {
		compare(t, (size_t)o->rounds);
		shard_stop(t->wasm.shard);
		shard_join(t->wasm.shard);
		town_report(t, r);
	}
	farm_close(&t->natives, r);
	for (int i = 0; i < 2; i++)
		wasm_guest_end(&t->bad[i]);
	wasm_guest_end(&t->good);
	wasm_code_drop(t->code);
	wasm_code_drop(t->good_code);
	wasm_farm_close(&t->wasm);
	free(t);
	return rc;
}

int
wasm_part_endless(const struct wasm_bench_options *o, struct report *r, struct err *e)
{
	int rc = stops(o, r, e);

	return rc == OK ? wasm_part_neighbours(o, r, e) : rc;
}
