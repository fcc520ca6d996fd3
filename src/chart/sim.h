/*
 * sim.h - runs a chart file by itself, on a clock of its own.
 *
 * For `cohort chart run`, the conformance tests and authors: the chart, the
 * charts that it invokes and the events between them, without a server.  The
 * clock jumps to the next delayed event; with `real` it sleeps instead.
 *
 * Only charts can be invoked: any other type is an error event.  `src` is read
 * from the file's own folder and its subfolders.
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
	FILE *log;                   /* for <log>; NULL: discarded */
	FILE *warn;                  /* for warnings; NULL: discarded */
	size_t steps;                /* events delivered at most; 0: 100,000 */
	/* The next external event, called when the chart is stable and before
	 * the clock moves; may block.  *name is borrowed until the next call,
	 * *data is owned by the caller.  ERR_NOTFOUND: no event now.  Other
	 * codes, with a message, end the run.  NULL: no external events. */
	int (*next)(void *ctx, struct str *name, struct val *data, struct err *e);
	void *ctx;
};

/* Appends the id of the top-level final that was reached.  ERR_TIMEOUT: the
 * chart waits for events that nobody sends; the message names them and the
 * active states.  ERR_LIMIT: it does not end (100,000 events, or fewer with
 * many active states, without the clock moving or an external event).  Errors
 * of loading as chart_from_scxml, after the file's name. */
int sim_run(struct str path, const struct sim_options *o, struct buf *final_id,
    struct err *e);

#endif
