/*
 * messages.h - `cohort bench messages` (B1): messages between agents of one shard, with
 * compiled handlers, as many as go.
 *
 * A case names who sends to whom, how large, and how many before the receivers run.  Each
 * starts with 10,000 messages that are there already, then goes on for --duration.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_MESSAGES_H
#define BENCH_MESSAGES_H

#include "base/clock.h"
#include "base/flags.h"

struct messages_options {
	const char *only, *thresholds, *json, *markdown;
	msec duration;                       /* of each case */
	int64_t slow;
};
extern const struct flag bench_messages_flags[];
void bench_messages_add_cases(struct buf *b);        /* for help */

/* As bench_flow. */
int bench_messages(const struct messages_options *o, int argc, char *const *argv,
    struct err *e);

#endif
