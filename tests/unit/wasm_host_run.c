/*
 * wasm_host_run.c - how guest code is stopped and parked; C stands for the guest.
 *
 * SPDX-License-Identifier: MIT
 */
#include <limits.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness/test.h"
#include "wasm/host/memory.h"
#include "wasm/host/run.h"

static volatile unsigned long turns;

static void
setup(uint32_t parked)
{
	struct err e;

	CHECK_RC(memories_setup(2, 64 * MB, &e), OK);
	CHECK_RC(run_setup(parked, &e), OK);
}

static void
guest_endless(void *arg)
{
	(void)arg;
	run_in();
	for (;;)
		turns++;
}

static void
guest_quick(void *arg)
{
	run_in();
	++*(int *)arg;
	run_out();
}

/* Runs the guest until it was stopped within `most`: a machine that is busy (or a virtual one
 * whose host is) adds to the time that is seen, and never takes from it. */
static void
is_stopped(void (*guest)(void *), nsec limit, nsec most)
{
	struct run r;

	for (int tries = 0; ; tries++) {
		r = (struct run){ .cpu_max = limit };
		CHECK(run_begin(&r, guest, NULL, NULL) == RUN_TRAPPED);
		CHECK_INT(r.why, WASM_TRAP_TIME);
		CHECK(r.cpu >= limit);
		if (r.cpu <= most)
			break;
		CHECK(tries < 100);
	}
}

/* Goal: an endless loop gets its time, and no more than twice of it. */
TEST(wasm_run_endless_is_stopped_in_time)
{
	setup(1);
	for (nsec limit = 1 * NS_PER_MS; limit <= 16 * NS_PER_MS; limit *= 2)
		is_stopped(guest_endless, limit, 2 * limit + RUN_TICK_NS);
}

/* Goal: time that passed before a call, or between two, is none of its time. */
TEST(wasm_run_many_calls_are_not_one)
{
	nsec until = clock_thread() + 100 * NS_PER_MS;
	int calls = 0, counted = 0;

	setup(1);
	while (clock_thread() < until) {
		struct run r = { .cpu_max = 5 * NS_PER_MS };

		CHECK(run_begin(&r, guest_quick, &calls, NULL) == RUN_DONE);
		counted++;
	}
	CHECK_INT(calls, counted);
}

/* As on a virtual machine that is halted: much CPU time and not one tick. */
static void
guest_halted(void *arg)
{
	sigset_t tick;
	nsec until;

	sigemptyset(&tick);
	sigaddset(&tick, SIGALRM);
	sigprocmask(SIG_BLOCK, &tick, NULL);
	run_in();
	for (until = clock_thread() + 50 * NS_PER_MS; clock_thread() < until; )
		turns++;
	sigprocmask(SIG_UNBLOCK, &tick, NULL);
	run_out();
	run_in();
	run_out();
	++*(int *)arg;
}

/* Goal: time in which the machine stood still is none of a call's. */
TEST(wasm_run_halt_of_the_machine_is_not_its_time)
{
	struct run r = { .cpu_max = 20 * NS_PER_MS };
	int whole = 0;

	setup(1);
	CHECK(run_begin(&r, guest_halted, &whole, NULL) == RUN_DONE);
	CHECK_INT(whole, 1);
	CHECK(r.cpu < 20 * NS_PER_MS);
	is_stopped(guest_endless, 1 * NS_PER_MS, 3 * NS_PER_MS);
}

static void
guest_asks_for_ever(void *arg)
{
	(void)arg;
	for (;;) {
		run_in();
		run_out();
		turns++;
	}
}

/* Goal: a guest that is nearly always in the host's code is stopped all the same. */
TEST(wasm_run_host_calls_do_not_hide_from_the_timer)
{
	setup(1);
	is_stopped(guest_asks_for_ever, 3 * NS_PER_MS, 7 * NS_PER_MS);
}

static void
host_busy(void *arg)
{
	nsec until = clock_thread() + 20 * NS_PER_MS;

	run_in();
	run_out();
	while (clock_thread() < until)
		turns++;
	*(bool *)arg = true;                 /* the host's work is whole */
	run_in();
	run_out();
	*(bool *)arg = false;
}

/* Goal: what the host does for a guest is never cut off; the guest is, when it comes back. */
TEST(wasm_run_host_code_is_never_cut_off)
{
	struct run r = { .cpu_max = 2 * NS_PER_MS };
	bool whole = false;

	setup(1);
	CHECK(run_begin(&r, host_busy, &whole, NULL) == RUN_TRAPPED);
	CHECK_INT(r.why, WASM_TRAP_TIME);
	CHECK(whole);
}

static void
guest_reads(void *at)
{
	run_in();
	(void)*(volatile uint8_t *)at;
	run_out();
}

__attribute__((noinline)) static int
deeper(int n)
{
	volatile char frame[2000];

	frame[0] = (char)n;
	return n < INT_MAX ? deeper(n + 1) + frame[0] : 0;
}

__attribute__((no_sanitize("undefined"))) static void
guest_divides(void *arg)
{
	static volatile int zero;

	run_in();
	*(int *)arg = 7 / zero;
	run_out();
}

static void
guest_recurses(void *arg)
{
	run_in();
	deeper(0);
	run_out();
	(void)arg;
}

TEST(wasm_run_faults_end_the_call_alone)
{
	uint8_t *memory;
	int calls = 0;

	setup(1);
	memory = memory_take(1);
	for (int i = 0; i < 3; i++) {
		struct run r = { .cpu_max = NEVER };

		CHECK(run_begin(&r, guest_reads, memory + MEMORY_PAGE, memory) == RUN_TRAPPED);
		CHECK_INT(r.why, WASM_TRAP_MEMORY);
		CHECK(run_begin(&r, guest_recurses, NULL, memory) == RUN_TRAPPED);
		CHECK_INT(r.why, WASM_TRAP_DEPTH);
#if defined(__x86_64__)
		CHECK(run_begin(&r, guest_divides, &(int){ 0 }, memory) == RUN_TRAPPED);
		CHECK_INT(r.why, WASM_TRAP_OTHER);
#endif
		CHECK(run_begin(&r, guest_quick, &calls, memory) == RUN_DONE);
	}
	CHECK_INT(calls, 3);
}

/* Goal: a fault that is not the guest's ends the process. */
TEST(wasm_run_other_faults_are_not_caught)
{
	struct run r = { .cpu_max = NEVER };
	uint8_t *other, *mine;
	pid_t child;
	int status;

	setup(1);
	mine = memory_take(1);
	other = memory_take(1);
	child = fork();
	if (child == 0) {
		run_begin(&r, guest_reads, other + MEMORY_PAGE, mine);
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
}

struct waiter { int before, after; bool could; };

static void
guest_waits_once(void *arg)
{
	struct waiter *w = arg;

	run_in();
	w->before++;
	run_out();
	w->could = run_can_wait();
	if (w->could)
		run_wait();
	run_in();
	w->after++;
	run_out();
}

/* Goal: calls wait beside each other, go on in any order, and may be thrown away. */
TEST(wasm_run_parked_calls)
{
	struct run r[3] = { { .cpu_max = NEVER }, { .cpu_max = NEVER }, { .cpu_max = NEVER } };
	struct waiter w[3] = { { 0 } };
	size_t before;

	setup(2);
	before = account_used();
	CHECK(run_begin(&r[0], guest_waits_once, &w[0], NULL) == RUN_WAITS);
	CHECK(run_begin(&r[1], guest_waits_once, &w[1], NULL) == RUN_WAITS);
	CHECK(run_waits(&r[0]) && run_waits(&r[1]) && account_used() > before);
	/* All but one of the stacks wait. */
	CHECK(run_begin(&r[2], guest_waits_once, &w[2], NULL) == RUN_DONE);
	CHECK(!w[2].could && w[2].after == 1);
	CHECK(run_again(&r[0], NULL) == RUN_DONE);
	CHECK(w[0].after == 1 && w[1].after == 0);
	run_drop(&r[1]);
	CHECK(w[1].after == 0 && account_used() == before);
	CHECK(run_begin(&r[1], guest_waits_once, &w[1], NULL) == RUN_WAITS);
	CHECK(run_again(&r[1], NULL) == RUN_DONE);
	CHECK(account_used() == before);
}

static void
guest_waits_then_endless(void *arg)
{
	run_in();
	run_out();
	CHECK(run_can_wait());
	run_wait();
	guest_endless(arg);
}

/* Goal: the time that a call waits is not its own; its own is counted from before on. */
TEST(wasm_run_parked_time_is_not_counted)
{
	struct run r = { .cpu_max = 4 * NS_PER_MS };
	nsec until;

	setup(1);
	CHECK(run_begin(&r, guest_waits_then_endless, NULL, NULL) == RUN_WAITS);
	for (until = clock_thread() + 2 * NS_PER_S; clock_thread() < until; )
		turns++;
	CHECK(run_again(&r, NULL) == RUN_TRAPPED);
	CHECK(r.why == WASM_TRAP_TIME && r.cpu >= 4 * NS_PER_MS && r.cpu < NS_PER_S);
}

/* Goal: no tick at any place does harm: ticks come 10 times as often as in use, and each call
 * that ends by itself is whole. */
TEST(wasm_run_ticks_everywhere)
{
	struct itimerspec often = { .it_interval.tv_nsec = 100000, .it_value.tv_nsec = 100000 };
	struct sigevent ring = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
	int done = 0, calls = 0;
	timer_t timer;

	setup(1);
	CHECK(timer_create(CLOCK_MONOTONIC, &ring, &timer) == 0);
	CHECK(timer_settime(timer, 0, &often, NULL) == 0);
	for (int i = 0; i < 1000; i++) {
		struct run quick = { .cpu_max = 1 }, endless = { .cpu_max = 50000 };

		if (run_begin(&quick, guest_quick, &calls, NULL) == RUN_DONE)
			done++;
		CHECK(run_begin(&endless, guest_endless, NULL, NULL) == RUN_TRAPPED);
		CHECK(endless.why == WASM_TRAP_TIME);
	}
	CHECK(timer_delete(timer) == 0);
	CHECK(done <= calls);
}
