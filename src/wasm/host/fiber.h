/*
 * fiber.h - the stacks that guests run on.
 *
 * All are reserved at once, each 8 MB above 16 MB of guard pages: more than the
 * largest frame that a compiler without stack probes makes of a function within the limits.
 *
 * A fiber runs one job at a time, until the job returns, waits or is left.  One that is left
 * is ready for the next job: what was on it is gone.  One that was used last is taken first;
 * all others give their memory back, so the stacks hold the memory of those that wait, and
 * of one.
 *
 * Threads: one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_FIBER_H
#define HOST_FIBER_H

#include "base/rc.h"
#include "base/str.h"

#define FIBER_STACK (8 * MB)
#define FIBER_GUARD (16 * MB)

enum fiber_end { FIBER_RETURNED = 1, FIBER_WAITS, FIBER_LEFT };

struct fiber;

int  fibers_setup(uint32_t max, struct err *e);

struct fiber *fiber_take(void);              /* NULL: all are in use */
void fiber_give(struct fiber *f);            /* what waits on it is gone */
bool fiber_spare(void);                      /* is there another? */

/* From outside. */
enum fiber_end fiber_run(struct fiber *f, void (*job)(void *arg), void *arg);
enum fiber_end fiber_go_on(struct fiber *f); /* after FIBER_WAITS */
size_t fiber_used(const struct fiber *f);    /* bytes of a fiber that waits */
void fiber_trim(struct fiber *f);            /* gives back what is below them */

/* From the job. */
void fiber_wait(void);                       /* until fiber_go_on */
_Noreturn void fiber_leave(void);            /* from a signal's handler, too */
size_t fiber_room(void);                     /* bytes of stack that are left */

bool fiber_overran(uintptr_t address);       /* is it in the guard of the one that runs? */

#endif
