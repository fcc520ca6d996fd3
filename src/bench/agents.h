/*
 * agents.h - agents inside this process, and what passes between them; `cohort bench agents`.
 *
 * One shard's post office with compiled handlers: what the product's own delivery takes,
 * without sockets, storage or a model.  A part is a row of agents.c, each an item of
 * the page's list.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_AGENTS_H
#define BENCH_AGENTS_H

#include "base/clock.h"
#include "base/flags.h"
#include "bench/slow.h"

struct agents_options {
	const char *part;                    /* from agents to slow: not of every part */
	int64_t agents, bytes, rate, burst, warmup;
	msec duration, ramp_up;
	struct slow slow;
	const char *json, *markdown;
};

extern const struct flag bench_agents_flags[];

void bench_agents_add_parts(struct buf *out);      /* for help */

/* argv: the command line, for the report.  0: passed; 1: a check failed or the generator
 * was the bottleneck; below 0: an error. */
int bench_agents(const struct agents_options *o, int argc, char *const *argv, struct err *e);

#endif
