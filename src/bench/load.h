/*
 * load.h - what every load driver needs around its requests: a shard on the
 * calling thread, the driver's own CPU share and lag, the server's use of the
 * machine, progress, and single requests before and after.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "base/hist.h"
#include "bench/machine.h"
#include "bench/report.h"
#include "bench/lean.h"

struct load {
	struct shard *shard;
	const char *label;
	/* For progress: how far (0..1), and a few words.  */
	double (*fraction)(void *ctx);
	void (*words)(void *ctx, struct buf *out);
	void *ctx;
	int64_t pid;                         /* the server's; 0: not told */

	nsec began, ended, cpu_began, cpu_ended;     /* of the measured part */
	struct machine_usage before, after;
	int64_t peak_rss_kb, peak_threads;
	struct hist lag_us;
	struct wheel_timer beat, look;
	nsec beat_due, shown;
	bool tty;
};

int  load_new(struct load *l, const char *label, int64_t pid, struct err *e);
void load_begin(struct load *l);             /* what is measured starts now */
void load_end(struct load *l);
void load_free(struct load *l);

/* Wall time, the driver's CPU and lag, the server's CPU and memory; per_unit
 * names what the server's CPU is divided by ("flow"), units of them.  Fails
 * the report when the driver was the bottleneck. */
void load_report(const struct load *l, struct report *r, const char *per_unit,
    uint64_t units);

/* One GET, alone.  ERR_CLOSED: no answer, or not 200. */
int load_get(const char *url, struct str path, struct str headers, struct buf *out,
    struct err *e);

/* The mock's own count of requests, from its /stats. */
int load_mock_requests(const char *url, int64_t *out, struct err *e);

#endif
