/*
 * run.h - guest code under way: how it is entered, left, stopped and parked.
 *
 *   outside                         on the fiber
 *   run_begin ----> job: run_in --> guest code
 *                        run_out <- (a call of the host, or its end)
 *   RUN_WAITS <---- run_wait
 *   run_again ----> (run_wait returns)
 *   RUN_DONE  <---- job returns
 *   RUN_TRAPPED <-- run_trap: from guest code, from run_in, or from a signal in guest code
 *
 * A signal's handler leaves the fiber only while guest code runs (between run_in and
 * run_out), so code of the host is never cut off in the middle.  When time is over while
 * the host works for the guest, run_in stops it.
 *
 * Time is CPU time of this thread.  A timer of RUN_TICK_NS ticks while there is work; at a
 * tick the clocks are read.  A call's start is not: it is reckoned from the last reading and
 * the wall clock, which needs no system call; it may come out too late by what the process
 * was kept waiting within a tick, never too early.  A tick adds no more than two of them: a
 * virtual machine that was halted charges that to the thread that was running.
 *
 * Threads: one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_RUN_H
#define HOST_RUN_H

#include "base/clock.h"
#include "base/rc.h"
#include "wasm/abi.h"
#include "wasm/host/fiber.h"

#define RUN_TICK_NS (1 * NS_PER_MS)
#define RUN_ROOM    (128 * KB)               /* of stack, for the host's work on it */

enum run_end { RUN_DONE, RUN_WAITS, RUN_TRAPPED };

struct run {
	struct fiber *fiber;                 /* NULL: none is under way */
	nsec cpu;                            /* so far */
	nsec cpu_max;
	size_t parked;                       /* bytes of the account, while it waits */
	enum wasm_trap why;                  /* after RUN_TRAPPED */
};

int  run_setup(uint32_t parked_max, struct err *e);  /* signals, timer, stacks */
void run_slept(void);                        /* the process was blocked: read the clocks */

/* Zeroed, but for cpu_max.  memory: of the guest, or NULL.  RUN_TRAPPED with WASM_TRAP_OTHER:
 * no stack is free. */
enum run_end run_begin(struct run *r, void (*job)(void *arg), void *arg, const uint8_t *memory);
enum run_end run_again(struct run *r, const uint8_t *memory);
void run_drop(struct run *r);                /* what waits is gone */
bool run_waits(const struct run *r);

/* On the fiber. */
void run_in(void);                           /* does not return if time is over */
void run_out(void);                          /* does not return if the stack is short */
bool run_can_wait(void);                     /* false: too many wait, or no memory to park it */
void run_wait(void);                         /* after run_can_wait */
void run_memory(const uint8_t *memory);      /* the guest has got it */
_Noreturn void run_trap(int why);

#endif
