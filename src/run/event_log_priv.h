/*
 * event_log_priv.h - inside a log: event_log.c (window, cursors) and event_batch.c (to and from the
 * store).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_EVENT_LOG_PRIV_H
#define RUN_EVENT_LOG_PRIV_H

#include "base/list.h"
#include "run/event_log.h"
#include "run/pack.h"

#define SEGMENT_BYTES (16 * KB)
#define PACKED_KEPT   (4 * KB)               /* of the buffer that packs */

/* One event, relative to the first of its segment. */
struct slot {
	int32_t seq, id, now;
	uint32_t at;                         /* of its fields */
};

struct segment {
	struct list link;
	struct uuid run_id;
	int64_t seq, id;                     /* of the first event */
	msec now;
	struct slot *slots;
	size_t n, cap;
	struct buf bytes;
};

struct held {
	int64_t seq;
	struct val values;
};

struct event_log {
	struct list segments;
	size_t bytes;
	int64_t next_seq;
	int64_t handed;                      /* events up to here were given out */
	int64_t stored;                      /* and are in the store; INT64_MAX: they are
	                                        not going to be */
	bool open;                           /* a run is under way */
	bool refer;
	struct buf packed;
	struct held *held;                   /* by seq */
	size_t held_n, held_cap;
	struct event_cursor *cursors;
	struct event_cursor *waking;           /* the next one to be told */
	int64_t hidden;                      /* from here on; INT64_MAX: none */
	int64_t gone;                        /* events up to here may be gone */
};

/* ---- event_log.c ----------------------------------------------------------------------- */

struct segment *event_log_newest(const struct event_log *l);     /* NULL: there is none */
struct segment *segment_new(const struct uuid *run_id);
bool segment_has_room(const struct segment *s, int64_t seq, int64_t id, msec now);
void segment_add(struct event_log *l, struct segment *s, const struct event_entry *v);
struct event_entry segment_entry(const struct segment *s, size_t i);

#endif
