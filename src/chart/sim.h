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

struct sim_options {
	bool real;                   /* sleep through delays */
	FILE *log;                   /* where <log> goes; NULL: nowhere */
	size_t steps;                /* events delivered at most; 0: 100,000 */
};

/* Appends the id of the top-level final that was reached.  ERR_TIMEOUT: the
 * chart waits for an event that nobody sends; ERR_LIMIT: it does not end;
 * errors of loading as chart_from_scxml. */
int sim_run(struct str path, const struct sim_options *o, struct buf *final_id,
    struct err *e);

#endif
