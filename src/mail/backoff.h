/*
 * backoff.h - the pause before another try: twice as long each time, half of it random.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIL_BACKOFF_H
#define MAIL_BACKOFF_H

#include "base/clock.h"

/* first * 2^tries, at most max; what failed together is not tried together: up to half of
 * it is left out, by `random`. */
static inline msec
backoff_pause(msec first, msec max, unsigned tries, uint64_t random)
{
	msec pause = first < max ? first : max;

	for (; tries > 0 && pause > 0 && pause < max; tries--)
		pause = pause < max / 2 ? pause * 2 : max;
	return pause - (msec)(random % (uint64_t)(pause / 2 + 1));
}

#endif
