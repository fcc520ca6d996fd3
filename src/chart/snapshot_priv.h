/*
 * snapshot_priv.h - values in snapshots, for snapshot.c and stepper_save.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHART_SNAPSHOT_PRIV_H
#define CHART_SNAPSHOT_PRIV_H

#include "base/json.h"
#include "chart/session_priv.h"

/* The first error stays; later steps do nothing. */
struct reading {
	struct session *s;           /* NULL: of a stepper */
	const struct chart *c;
	int rc;
	struct err *e;
};

/* ERR_CONFLICT: `the snapshot does not fit the chart: WHAT 'NAME'`. */
void snapshot_misfit(struct reading *r, const char *what, struct str name);

/* `,"KEY":value`, nothing for undefined.  Undefined inside is kept: see
 * snapshot.c. */
void snapshot_add_val(struct buf *b, const char *key, struct val v);
struct val snapshot_read_val(struct reading *r, jnode o, const char *key);
/* A number that increases from 0. */
uint32_t snapshot_read_count(struct reading *r, jnode o, struct str key);

/* session_restore of a parsed snapshot. */
int session_restore_node(struct session **out, const struct chart *c, struct str id,
    jnode snapshot, const struct effect_sink *sink, struct err *e);

#endif
