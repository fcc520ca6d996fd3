/*
 * run.c - see run.h.
 *
 * What handlers share with the rest is volatile; they run on this thread, so the order of
 * the program is the order that they see.  The pairs that matter:
 *
 *   run_in:  in_guest = 1, then look at `over`.  A tick before the first is seen by the
 *            second; a tick after it leaves the fiber itself.
 *   tick:    reads budget once; outside of a call it is NEVER, so a tick between two
 *            calls stops neither.
 *            A tick does not interrupt a tick, so however late they come the stack of
 *            handlers holds.
 *   arming:  working = 1, then look at `ticking`; the handler stops the timer only when it
 *            sees working == 0, and clears ticking then.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>

#include "base/mem.h"
#include "wasm/host/memory.h"
#include "wasm/host/run.h"

#define ALTERNATE_STACK (64 * KB)
#define TICK_MOST       (2 * RUN_TICK_NS)    /* that one tick may add to a call's time */
#define RUN_PARKED      (16 * KB)            /* of stack, below where a call asks whether it can wait */

static volatile sig_atomic_t in_guest, over, working, ticking;
static volatile nsec budget = NEVER;         /* of the stretch under way */
static volatile nsec spent, counted_to;      /* of it; in CPU time */
static volatile uint64_t ticks;
static volatile nsec cpu_read, wall_read;    /* at the last tick */
static volatile uintptr_t memory_at;         /* of the guest; 0: none */
static struct run *now;
static timer_t timer;

static void
clocks_read(void)
{
	nsec cpu = clock_thread();

	cpu_read = cpu;
	wall_read = clock_mono();
	ticks++;
}

/* Counts the call's time up to the last reading, which was a tick ago or, with the processor
 * taken away from a virtual machine in between, any time: that is in the thread's CPU time. */
static void
spend(void)
{
	nsec more = cpu_read - counted_to;

	if (more <= 0)
		return;
	spent += clock_least(more, TICK_MOST);
	counted_to = cpu_read;
}

static void
timer_every(nsec ns)
{
	struct itimerspec t = { .it_interval.tv_nsec = ns, .it_value.tv_nsec = ns };

	if (timer_settime(timer, 0, &t, NULL) != 0)
		abort();
}

/* In a handler or on the fiber; the host's code is not under way. */
static _Noreturn void
stop(enum wasm_trap why)
{
	in_guest = 0;
	now->why = why;
	fiber_leave();
}

/* A handler that is left does not give its signal back.  The next tick may come at once; it
 * finds no guest. */
static void
ticks_unblock(void)
{
	sigset_t tick;

	sigemptyset(&tick);
	sigaddset(&tick, SIGALRM);
	sigprocmask(SIG_UNBLOCK, &tick, NULL);
}

static void
on_tick(int sig)
{
	int e = errno;

	(void)sig;
	if (!working) {
		ticking = 0;
		timer_every(0);
		errno = e;
		return;
	}
	clocks_read();
	spend();
	if (spent >= budget) {
		over = 1;
		if (in_guest) {
			in_guest = 0;
			ticks_unblock();
			stop(WASM_TRAP_TIME);
		}
	}
	errno = e;
}

/* A fault of guest code is its own; any other is this process's, which ends by it.  The
 * compilers' checks leave no division or instruction that faults; if one does, it is the
 * guest's all the same. */
static void
on_fault(int sig, siginfo_t *info, void *context)
{
	uintptr_t at = (uintptr_t)info->si_addr;

	(void)context;
	if (in_guest && info->si_code > 0) {
		if (sig != SIGSEGV)
			stop(WASM_TRAP_OTHER);
		if (memory_at != 0 && at >= memory_at && at - memory_at < MEMORY_PLACE)
			stop(WASM_TRAP_MEMORY);
		if (fiber_overran(at))
			stop(WASM_TRAP_DEPTH);
	}
	signal(sig, SIG_DFL);
	if (info->si_code <= 0)
		raise(sig);
}

static int
handlers_setup(struct err *e)
{
	struct sigaction tick = { .sa_handler = on_tick, .sa_flags = SA_ONSTACK | SA_RESTART };
	struct sigaction fault = { .sa_sigaction = on_fault, .sa_flags = SA_ONSTACK | SA_NODEFER | SA_SIGINFO };
	struct sigevent ring = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
	stack_t stack = { .ss_size = ALTERNATE_STACK };

	stack.ss_sp = mmap(NULL, ALTERNATE_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (stack.ss_sp == MAP_FAILED || sigaltstack(&stack, NULL) != 0)
		return err_set(e, ERR_IO, "no stack for signals: %m");
	sigemptyset(&tick.sa_mask);
	sigemptyset(&fault.sa_mask);
	if (sigaction(SIGALRM, &tick, NULL) != 0 || sigaction(SIGSEGV, &fault, NULL) != 0 ||
	    sigaction(SIGFPE, &fault, NULL) != 0 || sigaction(SIGILL, &fault, NULL) != 0 ||
	    timer_create(CLOCK_MONOTONIC, &ring, &timer) != 0)
		return err_set(e, ERR_IO, "no timer of guests: %m");
	return OK;
}

int
run_setup(uint32_t parked_max, struct err *e)
{
	int rc = fibers_setup(parked_max + 1, e);

	return rc == OK ? handlers_setup(e) : rc;
}

void
run_slept(void)
{
	clocks_read();
}

/* When this call began, in CPU time; also arms the timer. */
static nsec
work_begin(nsec wall)
{
	uint64_t seen;
	nsec cpu;

	working = 1;
	if (!ticking) {
		clocks_read();
		ticking = 1;
		timer_every(RUN_TICK_NS);
		return cpu_read;
	}
	do {
		seen = ticks;
		cpu = cpu_read + (wall - wall_read);
	} while (seen != ticks);
	return cpu;
}

/* One stretch on the fiber. */
static enum run_end
stretch(struct run *r, enum fiber_end (*go)(struct fiber *f, void *arg), void *arg, const uint8_t *memory)
{
	nsec wall = clock_mono(), cpu = work_begin(wall);
	uint64_t seen = ticks;
	enum fiber_end end;

	assert(now == NULL && !in_guest && r->fiber != NULL);
	now = r;
	memory_at = (uintptr_t)memory;
	over = 0;
	counted_to = cpu;                    /* first: a tick between these is of no call */
	spent = 0;
	budget = r->cpu_max == NEVER ? NEVER : r->cpu_max - r->cpu;
	end = go(r->fiber, arg);
	budget = NEVER;
	working = 0;
	assert(!in_guest);
	now = NULL;
	memory_at = 0;
	if (ticks != seen) {
		clocks_read();
		spend();
	} else {
		spent = clock_least(clock_mono() - wall, TICK_MOST);
	}
	r->cpu += spent;
	return end == FIBER_WAITS ? RUN_WAITS : end == FIBER_LEFT ? RUN_TRAPPED : RUN_DONE;
}

struct job { void (*job)(void *arg); void *arg; };

static enum fiber_end
go_first(struct fiber *f, void *arg)
{
	const struct job *j = arg;

	return fiber_run(f, j->job, j->arg);
}

static enum fiber_end
go_again(struct fiber *f, void *arg)
{
	(void)arg;
	return fiber_go_on(f);
}

static enum run_end
settle(struct run *r, enum run_end end)
{
	if (end != RUN_WAITS) {
		fiber_give(r->fiber);
		r->fiber = NULL;
	} else
		fiber_trim(r->fiber);
	return end;
}

enum run_end
run_begin(struct run *r, void (*job)(void *arg), void *arg, const uint8_t *memory)
{
	struct job j = { job, arg };

	assert(r->fiber == NULL && r->parked == 0);
	r->fiber = fiber_take();
	r->why = WASM_TRAP_OTHER;
	if (r->fiber == NULL)
		return RUN_TRAPPED;
	return settle(r, stretch(r, go_first, &j, memory));
}

enum run_end
run_again(struct run *r, const uint8_t *memory)
{
	assert(run_waits(r));
	account_give(r->parked);
	r->parked = 0;
	return settle(r, stretch(r, go_again, NULL, memory));
}

void
run_drop(struct run *r)
{
	assert(run_waits(r) && now == NULL);
	account_give(r->parked);
	r->parked = 0;
	fiber_give(r->fiber);
	r->fiber = NULL;
}

bool
run_waits(const struct run *r)
{
	return r->fiber != NULL && now != r;
}

void
run_in(void)
{
	assert(!in_guest);
	in_guest = 1;
	if (over)
		stop(WASM_TRAP_TIME);
}

void
run_out(void)
{
	assert(in_guest);
	in_guest = 0;
	if (fiber_room() < RUN_ROOM)
		stop(WASM_TRAP_DEPTH);
}

/* The last free stack is for what runs while the others wait. */
bool
run_can_wait(void)
{
	size_t bytes = FIBER_STACK - fiber_room() + RUN_PARKED;

	assert(!in_guest && now->parked == 0);
	if (!fiber_spare() || !account_take(bytes))
		return false;
	now->parked = bytes;
	return true;
}

void
run_wait(void)
{
	assert(!in_guest && now->parked > 0);
	fiber_wait();
	assert(!in_guest);
}

void
run_memory(const uint8_t *memory)
{
	assert(!in_guest);
	memory_at = (uintptr_t)memory;
}

void
run_trap(int why)
{
	in_guest = 0;
	stop(why > WASM_TRAP_NONE && why < WASM_TRAPS ? (enum wasm_trap)why : WASM_TRAP_OTHER);
}
