/*
 * sim.h - runs a chart file by itself, on a clock of its own.
 *
 * For `cohort chart run`, for the conformance tests and for authors: the
 * chart, the charts that it invokes and the events between them, without a
 * server.  The clock jumps to the next delayed event, so hours pass in no
 * time; with `real` it sleeps instead.
 *
 * Services other than charts are not there: their invoke is an error event.
 * `src` is read from the file's own folder and nothing outside of it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHART_SIM_H
#define CHART_SIM_H

#include <stdio.h>

#include "base/buf.h"
#include "base/rc.h"
#include "base/val.h"

struct sim_options {
	bool real;                   /* sleep through delays */
	FILE *log;                   /* where <log> goes; NULL: nowhere */
	FILE *warn;                  /* where warnings go; NULL: nowhere */
	size_t steps;                /* events delivered at most; 0: 100,000 */
	/* The next event from outside, asked for when the chart is stable and
	 * before the clock moves; may block.  *name is borrowed until the next
	 * call, *data is the caller's.  ERR_NOTFOUND: no more for now.  Other
	 * codes with words end the run.  NULL: nobody is outside. */
	int (*next)(void *ctx, struct str *name, struct val *data, struct err *e);
	void *ctx;
};

/* Appends the id of the top-level final that was reached.  ERR_TIMEOUT: the
 * chart waits for events that nobody sends, which the words name with the
 * states; ERR_LIMIT: it does not end (as many events, or fewer by the states
 * that are active, while the clock stands still and nothing comes from outside); errors of loading as chart_from_scxml,
 * the file's name before them. */
int sim_run(struct str path, const struct sim_options *o, struct buf *final_id,
    struct err *e);

#endif
