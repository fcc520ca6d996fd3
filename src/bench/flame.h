/*
 * flame.h - a flame graph of a workload, recorded with perf(1), folded and drawn
 * here.
 *
 * The workload runs once more with its children under `perf record`; a server named
 * by --pid is recorded beside it.  Of what runs elsewhere nothing is seen.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_FLAME_H
#define BENCH_FLAME_H

#include "bench/measure.h"

/* Of side 0.  ERR_NOTFOUND: there is no perf; ERR_IO: it said why not. */
int flame_record(struct campaign *c, const struct bout *b, struct err *e);

/* ---- pure: for tests ------------------------------------------------------------ */

struct flame;

struct flame *flame_new(void);
void flame_free(struct flame *f);
/* A line of `perf script`. */
void flame_line(struct flame *f, struct str line);
/* The samples it has. */
uint64_t flame_samples(const struct flame *f);
void flame_add_svg(const struct flame *f, const char *title, struct buf *out);

#endif
