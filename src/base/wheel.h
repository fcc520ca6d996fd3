/*
 * wheel.h - timers: a hierarchical wheel of 1 ms ticks, intrusive nodes.
 *
 * O(1) set and cancel, no allocation.  A node belongs to at most one wheel;
 * setting an armed node moves it.  wheel_advance first unhooks everything due,
 * then fires in deadline order (ties in order of setting), so a timer that
 * re-arms itself cannot starve the loop.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_WHEEL_H
#define BASE_WHEEL_H

#include "base/clock.h"
#include "base/list.h"

#define WHEEL_LEVELS 5
#define WHEEL_SLOTS  64

struct wheel_timer {
	struct list in;                      /* a slot */
	int64_t due;                         /* ms of the wheel's own clock */
	void (*fire)(struct wheel_timer *t);
};

struct wheel {
	int64_t now;                         /* last tick that was advanced to */
	uint64_t count;
	struct list slot[WHEEL_LEVELS][WHEEL_SLOTS];
	uint64_t busy[WHEEL_LEVELS];         /* bit set: slot is not empty */
};

void wheel_init(struct wheel *w, int64_t now_ms);
void wheel_set(struct wheel *w, struct wheel_timer *t, int64_t due_ms);
void wheel_cancel(struct wheel *w, struct wheel_timer *t);   /* idle: nothing */
bool wheel_armed(const struct wheel_timer *t);
int64_t wheel_next(const struct wheel *w);   /* a lower bound of the earliest
                                                due tick; NEVER when empty */
void wheel_advance(struct wheel *w, int64_t now_ms);         /* fires what is due */

#endif
