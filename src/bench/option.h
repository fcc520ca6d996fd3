/*
 * option.h - the settings of a benchmark command: one row each.
 *
 * A row is a flag `--name`, an environment variable, a default and the help
 * text at once; a struct of plain values is filled from it, in the order
 * defaults, environment, command line.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_OPTION_H
#define BENCH_OPTION_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/rc.h"

enum bench_kind {
	BENCH_FLAG,                          /* bool: --name, --name=false */
	BENCH_INT,                           /* int64_t */
	BENCH_MS,                            /* msec: 250, 250ms, 10s, 2m, 1h */
	BENCH_TEXT                           /* const char *, borrowed */
};

struct bench_option {
	const char *name;                    /* without the dashes */
	const char *env;                     /* NULL: none */
	enum bench_kind kind;
	const char *fallback;                /* as it would be typed; NULL: nothing */
	const char *value;                   /* what help calls it: "FILE" */
	const char *help;
	size_t at;                           /* offset in the struct */
	int64_t min, max;                    /* INT and MS; both 0: 0..INT64_MAX */
};

struct bench_options {
	const struct bench_option *row;
	size_t n;
};

#define BENCH_OPTIONS(table) ((struct bench_options){ (table), COUNT(table) })

/* Defaults, then the environment (an empty variable counts as unset). */
int bench_options_init(struct bench_options t, void *into, struct err *e);
/* ERR_NOTFOUND: no such option (with did-you-mean).  value NULL: it had none. */
int bench_option_set(struct bench_options t, void *into, struct str name,
    const char *value, struct err *e);
/* `--name value`, `--name=value`, `--flag`; nothing else. */
int bench_options_parse(struct bench_options t, void *into, int argc,
    char *const *argv, struct err *e);
void bench_options_help(struct bench_options t, struct buf *out);
/* {"name":value,...} */
void bench_options_add_json(struct bench_options t, const void *from, struct buf *out);

bool bench_ms_parse(struct str text, msec *out);

#endif
