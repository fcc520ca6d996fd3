/*
 * wasm_neighbours_bench.c - what endless loops in sandboxes do to agents beside them.
 *
 *   wasm-neighbours-bench HOST_PROGRAM FOLDER [idle|usual|calls] [ROUNDS] [RATE]
 *
 * 1,000 compiled agents on one shard get messages by a schedule, each timed from the moment
 * when it was due.  Windows of one second take turns: without guests at work (A), and with
 * guests of two owners that never return, started again as soon as they are stopped (B).
 * idle: every host process runs at SCHED_IDLE; usual: as in a server, where a module
 * is moved there after its third stop by time or fuel.  FOLDER: absolute path, for builds.
 *
 * calls [GUESTS]: how many calls a second pass between a shard and its two host processes when
 * all guests (1,000), which answer at once, are called all the time; how long one of one guest
 * takes; and what an instance takes of the server's memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "base/hist.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "bench/farm.h"
#include "wasm/pool.h"

#define AGENTS    1000
#define GUESTS    8
#define WINDOW_NS (1 * NS_PER_S)
#define QUEUE     65536
#define LATE_NS   NS_PER_S                   /* of the generator, behind its schedule */

/* A loop with work in it: gcc makes an empty one to one subtraction of all its fuel. */
static const char endless[] =
    "(module (memory (export \"memory\") 1)"
    " (func (export \"alloc\") (param i32) (result i32) (i32.const 1024))"
    " (func (export \"handle_message\") (param i32 i32) (result i32) (local $x i64)"
    "  (loop $l"
    "   (local.set $x (i64.xor (i64.add (i64.mul (local.get $x) (i64.const 6364136223846793005))"
    "    (i64.const 1442695040888963407)) (i64.shr_u (local.get $x) (i64.const 17))))"
    "   (i64.store (i32.const 0) (local.get $x))"
    "   (br $l))"
    "  (i32.const 0)))";

static const char quick[] =
    "(module (import \"cohort\" \"reply\" (func $r (param i32 i32) (result i32)))"
    " (memory (export \"memory\") 1)"
    " (func (export \"alloc\") (param i32) (result i32) (i32.const 1024))"
    " (func (export \"handle_message\") (param $p i32) (param $n i32) (result i32)"
    "  (call $r (local.get $p) (local.get $n))))";

struct guest { struct wasm_instance *i; int64_t owner; bool ready; nsec began; };

static struct shard *shard;
static struct wasm_pool *pool;
static struct wasm_code *code;
static struct guest guests[GUESTS];
static struct farm farm;
static struct mail_text *text;
static bool at_work;

/* From the generator's thread to the shard's. */
static nsec queue[QUEUE];
static _Atomic uint64_t put, taken;
static _Atomic bool posted, over;
static struct shard_job arrival;
static nsec due;
static struct hist *window;
static uint64_t stopped;
static int64_t rate = 10000;

static void
fail(const char *what)
{
	fprintf(stderr, "wasm-neighbours-bench: %s\n", what);
	exit(1);
}

/* ---- native agents ---- */

static enum mail_taken
take(void *agent, struct letter *l)
{
	((struct farm_agent *)agent)->taken += letter_packed(l).n > 0;
	hist_add(window, (uint64_t)(clock_mono() - due));
	return MAIL_TAKEN;
}

static const struct mail_kind kind = { "native", take, NULL };

static void
on_arrival(struct shard_job *job)
{
	uint64_t at = atomic_load(&taken);

	(void)job;
	atomic_store(&posted, false);
	for (; at < atomic_load(&put); at++) {
		due = queue[at % QUEUE];
		if (farm_send(&farm, &farm.agent[0], farm_pick(&farm), text, ACL_INFORM) != OK)
			fail("a message was refused");
		farm_run(&farm);
	}
	atomic_store(&taken, at);
}

static void
sleep_until(nsec at)
{
	struct timespec t = { .tv_sec = at / NS_PER_S, .tv_nsec = at % NS_PER_S };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) != 0)
		;
}

static void *
generate(void *arg)
{
	nsec at = clock_mono();

	(void)arg;
	prctl(PR_SET_TIMERSLACK, 1);
	while (!atomic_load(&over)) {
		uint64_t n = atomic_load(&put);

		sleep_until(at);
		if (clock_mono() - at > LATE_NS)
			fail("the generator does not keep up with the rate: what it measures is itself");
		if (n - atomic_load(&taken) >= QUEUE)
			fail("the shard does not keep up");
		queue[n % QUEUE] = at;
		atomic_store(&put, n + 1);
		if (!atomic_exchange(&posted, true))
			shard_post(shard, &arrival);
		at += NS_PER_S / rate;
	}
	return NULL;
}

/* ---- guests ---- */

static void begin(struct guest *g);

static void
work(struct guest *g)
{
	if (at_work && g->ready && wasm_instance_call(g->i, S("x")) != OK)
		fail("a call was refused");
	g->ready = g->ready && !at_work;
}

static void
on_started(void *arg, int rc, const struct err *e)
{
	struct guest *g = arg;

	if (rc != OK)
		fail(e->text);
	g->ready = true;
	work(g);
}

static void
on_trapped(void *arg, enum wasm_trap why, struct str words, const struct wasm_cost *cost)
{
	struct guest *g = arg;

	(void)cost;
	if (why != WASM_TRAP_TIME && why != WASM_TRAP_FUEL) {
		fprintf(stderr, "%.*s\n", FMT(words));
		fail("a guest was lost");
	}
	stopped++;
	wasm_instance_free(g->i);
	begin(g);
}

static void
begin(struct guest *g)
{
	static const struct wasm_hooks hooks = { .started = on_started, .trapped = on_trapped };
	const struct wasm_instance_options o = { .owner = g->owner, .code = code };
	struct err e;

	g->ready = false;
	if (wasm_instance_new(&g->i, pool, &o, &hooks, g, &e) != OK)
		fail(e.text);
}

static void
on_built(struct wasm_build *b, int rc, struct wasm_code *built, const struct err *e)
{
	(void)b;
	if (rc != OK)
		fail(e->text);
	code = built;
}

static void
build(const char *folder, const char *wat)
{
	struct buf bytes = BUF(MB);
	struct wasm_build b = { .compiler = WASM_GCC, .done = on_built };
	struct err e;

	if (wasm_text_read(folder, str_of(wat), &bytes, &e) != OK)
		fail(e.text);
	b.bytes = buf_str(&bytes);
	wasm_build_start(shard, folder, &b);
	while (code == NULL)
		shard_turn(shard);
	buf_release(&bytes);
}

/* ---- windows ---- */

struct sums { double p50, p99, p999; };

static struct sums
run_window(struct hist *h, bool with)
{
	nsec end = clock_mono() + WINDOW_NS;

	/* What was under way is over before it is timed. */
	at_work = with;
	for (int k = 0; k < GUESTS; k++)
		work(&guests[k]);
	for (nsec settled = clock_mono() + WINDOW_NS / 5; clock_mono() < settled;)
		shard_turn(shard);
	hist_clear(h);
	end += WINDOW_NS / 5;
	while (clock_mono() < end)
		shard_turn(shard);
	return (struct sums){ (double)hist_percentile(h, 50) / 1e3,
		(double)hist_percentile(h, 99) / 1e3, (double)hist_percentile(h, 99.9) / 1e3 };
}

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(double *v, size_t n)
{
	qsort(v, n, sizeof *v, by_size);
	return n % 2 == 1 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static void
run_rounds(size_t rounds)
{
	double *a = mem_zero(3 * rounds * sizeof *a), *b = mem_zero(3 * rounds * sizeof *b);
	double *ratio = mem_zero(rounds * sizeof *ratio);
	nsec cpu = clock_thread(), wall = clock_mono();

	for (size_t k = 0; k < rounds; k++) {
		bool first = k % 2 == 0;             /* A B, then B A */
		struct sums x = run_window(window, !first), y = run_window(window, first);
		struct sums without = first ? x : y, with = first ? y : x;

		a[k] = without.p50, a[rounds + k] = without.p99, a[2 * rounds + k] = without.p999;
		b[k] = with.p50, b[rounds + k] = with.p99, b[2 * rounds + k] = with.p999;
		ratio[k] = with.p99 / without.p99;
		printf("round %2zu  without p50 %6.1f p99 %7.1f p99.9 %8.1f us   with p50 %6.1f p99 %7.1f p99.9 %8.1f us\n",
		    k, without.p50, without.p99, without.p999, with.p50, with.p99, with.p999);
	}
	cpu = clock_thread() - cpu;
	wall = clock_mono() - wall;
	printf("load of the shard's thread %.1f %%, %lld messages/s, %llu calls stopped\n",
	    (double)cpu * 100 / (double)wall, (long long)rate, (unsigned long long)stopped);
	printf("median of windows: without p50 %.1f p99 %.1f p99.9 %.1f us\n", median(a, rounds),
	    median(a + rounds, rounds), median(a + 2 * rounds, rounds));
	printf("                   with    p50 %.1f p99 %.1f p99.9 %.1f us\n", median(b, rounds),
	    median(b + rounds, rounds), median(b + 2 * rounds, rounds));
	printf("p99 with / without: %.3f (of the medians), %.3f (median of the rounds)\n",
	    median(b + rounds, rounds) / median(a + rounds, rounds), median(ratio, rounds));
	free(a);
	free(b);
	free(ratio);
}

/* ---- calls ---- */

static struct guest callers[2 * LIMIT_WASM_INSTANCES];
static uint64_t answered, ready;

static void
call_quick(struct guest *g)
{
	g->began = clock_mono();
	if (wasm_instance_call(g->i, S("{\"performative\":\"request\",\"content\":1}")) != OK)
		fail("a call was refused");
}

static void
on_quick_started(void *arg, int rc, const struct err *e)
{
	(void)arg;
	if (rc != OK)
		fail(e->text);
	ready++;
}

static void
on_quick_reply(void *arg, struct str json)
{
	(void)arg;
	(void)json;
}

static void
on_quick_done(void *arg, int32_t result, const struct wasm_cost *cost)
{
	struct guest *g = arg;

	(void)result;
	(void)cost;
	answered++;
	hist_add(window, (uint64_t)(clock_mono() - g->began));
	if (!atomic_load(&over))
		call_quick(g);
}

static void
call_for(size_t n, nsec time)
{
	nsec began = clock_mono(), cpu = clock_thread(), wall;

	hist_clear(window);
	answered = 0;
	atomic_store(&over, false);
	for (size_t k = 0; k < n; k++)
		call_quick(&callers[k]);
	while (clock_mono() - began < time)
		shard_turn(shard);
	wall = clock_mono() - began;
	cpu = clock_thread() - cpu;
	printf("%5zu guests: %.0f calls/s, p50 %.1f us, p99 %.1f us; the shard's thread %.0f %%, %.0f ns a call\n",
	    n, (double)answered * 1e9 / (double)wall, (double)hist_percentile(window, 50) / 1e3,
	    (double)hist_percentile(window, 99) / 1e3, (double)cpu * 100 / (double)wall,
	    (double)cpu / (double)answered);
	atomic_store(&over, true);
	for (uint64_t before = 0; before != answered;) {
		before = answered;
		for (nsec until = clock_mono() + NS_PER_S / 5; clock_mono() < until;)
			shard_turn(shard);
	}
}

static int
measure_calls(const char *folder, size_t n)
{
	static const struct wasm_hooks hooks = { .started = on_quick_started,
		.reply = on_quick_reply, .done = on_quick_done };
	struct err e;

	size_t before;
	nsec began;

	if (n == 0 || n > COUNT(callers))
		fail("1 to 20,000 guests");
	build(folder, quick);
	before = mem_resident();
	began = clock_mono();
	for (size_t k = 0; k < n; k++) {
		const struct wasm_instance_options o = { .owner = (int64_t)k,
			.code = code, .allow = 1u << WASM_REPLY };

		if (wasm_instance_new(&callers[k].i, pool, &o, &hooks, &callers[k], &e) != OK)
			fail(e.text);
	}
	while (ready < n)
		shard_turn(shard);
	printf("%zu guests started in %.0f ms, %.0f bytes of the server each\n", n,
	    (double)(clock_mono() - began) / 1e6, (double)(mem_resident() - before) / (double)n);
	call_for(n, 3 * NS_PER_S);
	call_for(1, 2 * NS_PER_S);
	return 0;
}

int
main(int argc, char **argv)
{
	struct wasm_pool_options o = { 0 };
	pthread_t generator;
	struct err e;

	if (argc < 3)
		fail("HOST_PROGRAM FOLDER [idle|usual] [ROUNDS] [RATE]");
	o.host_program = argv[1];
	o.all_quarantine = argc <= 3 || strcmp(argv[3], "idle") == 0;
	if (argc > 5)
		rate = strtoll(argv[5], NULL, 10);
	log_threshold = LOG_ERROR;
	window = mem_new(struct hist);
	arrival.run = on_arrival;
	if (shard_new(&shard, 0, &e) != OK || wasm_pool_new(&pool, shard, &o, &e) != OK)
		fail(e.text);
	if (argc > 3 && strcmp(argv[3], "calls") == 0)
		return measure_calls(argv[2], argc > 4 ? strtoul(argv[4], NULL, 10) : AGENTS);
	build(argv[2], endless);
	farm_open(&farm, &kind, AGENTS, 1000);
	text = farm_text(200);
	for (int k = 0; k < GUESTS; k++) {
		guests[k].owner = k;
		begin(&guests[k]);
	}
	pthread_create(&generator, NULL, generate, NULL);
	run_window(window, true);
	run_window(window, false);
	run_rounds(argc > 4 ? strtoul(argv[4], NULL, 10) : 10);
	atomic_store(&over, true);
	pthread_join(generator, NULL);
	return 0;
}
