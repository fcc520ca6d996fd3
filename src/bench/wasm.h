/*
 * wasm.h - sandboxed agents: what WebAssembly takes beside native code, what limits hold,
 * and what neighbours feel; `cohort bench wasm`.
 *
 * Guests are compiled as a server compiles them and run in host processes of a pool of this
 * process.  A part is a row of wasm.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_WASM_H
#define BENCH_WASM_H

#include "base/flags.h"
#include "bench/report.h"

struct wasm_bench_options {
	const char *part;
	int64_t rounds, agents, memory, messages;
	const char *scratch, *json, *markdown;
};

extern const struct flag bench_wasm_flags[];

void bench_wasm_add_parts(struct buf *out);  /* for help */

/* Columns of WebAssembly beside those of native agents, with a prefix for their keys.  agents
 * 0: their own number.  ERR_NOTFOUND: a program is missing. */
int wasm_scale(const char *scratch, int64_t agents, struct report *r, const char *prefix,
    struct err *e);
int wasm_instances(const char *scratch, int64_t agents, struct report *r, const char *prefix,
    struct err *e);

/* As bench_agents. */
int bench_wasm(const struct wasm_bench_options *o, int argc, char *const *argv, struct err *e);

#endif
