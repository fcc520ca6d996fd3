/*
 * supervise.h - does an agent that ended live again, and when?  Pure: told the time and
 * random bits, holds no timer.
 *
 * A *window* begins with the first restart after the last window is over; at most `max`
 * restarts are in one.  The pause before a restart doubles from one to the next, and is
 * short again after the agent has lived for a window.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIL_SUPERVISE_H
#define MAIL_SUPERVISE_H

#include <stdbool.h>
#include "base/clock.h"

enum supervise_restart { RESTART_NEVER, RESTART_ON_FAILURE, RESTART_ALWAYS };
extern const char *const supervise_restart_names[];
#define SUPERVISE_OVER (-1)                  /* it stays ended */

struct supervise_rule {
	enum supervise_restart when;
	uint32_t max;                        /* restarts in a window */
	msec window;                         /* 0: it never ends */
	msec backoff;                        /* the first pause; 0: none at all */
};

struct supervisor {
	struct supervise_rule rule;
	uint32_t count;                      /* restarts in this window */
	uint32_t row;                        /* restarts after short lives */
	msec since;                          /* the window's begin */
	msec began;                          /* the last life's */
};

void supervise_begin(struct supervisor *s, const struct supervise_rule *rule);
/* It ended.  The pause in ms before it is to be started again, or SUPERVISE_OVER. */
msec supervise_ended(struct supervisor *s, bool failed, uint64_t random, msec now);

#endif
