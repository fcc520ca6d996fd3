/*
 * batch.h - when letters that are gathered for one reader are handed over together.  Pure:
 * told the time, holds no letters and no timer.
 *
 * A batch is due when `size` letters are in it, or when the oldest of them is `timeout` old,
 * whichever comes first.  With a timeout of 0 each letter is due at once, so a batch is what
 * came in one turn of the loop.
 *
 *     mail_batch_take(&b, l->created) ... mail_batch_due(&b) <= now: mail_batch_done(&b)
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIL_BATCH_H
#define MAIL_BATCH_H

#include <stdbool.h>
#include <stdint.h>
#include "base/clock.h"

struct mail_batch {
	uint32_t size;                       /* letters, at least 1 */
	msec timeout;                        /* 0 and more */
	uint32_t n;                          /* letters in it */
	msec oldest;                         /* of them; good while n > 0 */
};

struct mail_batch mail_batch(uint32_t size, msec timeout);
/* One letter more, which has waited since then. */
void mail_batch_take(struct mail_batch *b, msec since);
bool mail_batch_full(const struct mail_batch *b);
/* The moment from which it is due; NEVER: it is empty. */
msec mail_batch_due(const struct mail_batch *b);
/* It was handed over, or given up: it is empty again. */
void mail_batch_done(struct mail_batch *b);

#endif
