/*
 * recover.h - `cohort bench recover`: a server with durable messages that wait is killed and
 * started again.  Are they all there, once and in order, and how soon?
 *
 *   recovery_s   from the start of the process until /metrics counts all of them as pending
 *   ok_s         from the start until /ok answers
 *   lost, twice, out_of_order     of the messages that were acknowledged, when all
 *                mailboxes are read and acked
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_RECOVER_H
#define BENCH_RECOVER_H

#include "base/flags.h"

struct recover_options {
	const char *scratch, *thresholds, *json, *markdown;
	int64_t messages, agents;
};
extern const struct flag bench_recover_flags[];

/* As bench_flow. */
int bench_recover(const struct recover_options *o, int argc, char *const *argv, struct err *e);

#endif
