/*
 * parts.c - the parts of a workload: found by name, listed for help.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/parts.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

void
bench_parts_add(const struct bench_part *parts, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n; i++)
		buf_add_fmt(out, "  %-14s %s\n", parts[i].name, parts[i].what);
}

const struct bench_part *
bench_part_find(const struct bench_part *parts, size_t n, const char *workload, const char *name,
    struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(parts[i].name, name) == 0)
			return &parts[i];
	err_set(e, ERR_INVALID, "--part: there is no \"%s\"; `cohort bench %s --help` lists them", name,
	    workload);
	return NULL;
}

struct report *
bench_part_report(const struct bench_part *p, const char *workload, int argc, char *const *argv)
{
	struct report *r = mem_new(struct report);

	r->workload = workload;
	r->measures = p->measures;
	r->not_measures = p->not_measures;
	r->loop = p->loop;
	r->argc = argc;
	r->argv = argv;
	r->started = clock_wall_ms();
	return r;
}
