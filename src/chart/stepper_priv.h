/*
 * stepper_priv.h - the members and the queue of a stepper, for stepper.c and
 * stepper_save.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHART_STEPPER_PRIV_H
#define CHART_STEPPER_PRIV_H

#include "base/json.h"
#include "chart/session_priv.h"
#include "chart/stepper.h"

/* A session and its place.  The top one is number 0. */
struct member {
	struct member *next, *parent;
	struct chart_stepper *st;
	struct session *s;
	struct chart *chart;         /* owned; NULL: a part of another */
	struct val id, invokeid, origin;     /* strings; invokeid may be undefined */
	uint32_t number;
	uint32_t serial;             /* of its invoke in the parent */
	unsigned nesting;
	size_t waiting, delayed;     /* its queued events, its timers */
	bool started;
	size_t cancelled;            /* when (1, 2, ...) it was stopped; that happens at the
	                                end of this step, and until then its sends to
	                                the parent are dropped.  0: it was not */
};

#define DELIVERY_VALS 7

/* A start, an event, or a delayed event. */
struct delivery {
	struct delivery *next;
	struct member *to;           /* of a timer NULL: resolved when it is due */
	struct member *from;         /* of a timer: its sender */
	bool start;
	enum chart_tie tie;
	uint32_t serial;
	msec due;
	union {
		struct {
			struct val name, data, sendid, invokeid, target, type, origin;
		};
		struct val vals[DELIVERY_VALS];   /* the same, by delivery_names */
	};
};

extern const char *const delivery_names[DELIVERY_VALS];

struct chart_stepper {
	const struct stepper_ops *ops;
	void *ctx;
	struct member *members, *top;
	size_t members_n;
	uint32_t numbers;            /* of the last member */
	struct delivery *queue, **tail;    /* in order */
	struct delivery *timers;          /* by due, then first in, first out */
	msec now;
	size_t cancels;              /* counts up: see member */
	struct val output;
	/* While restoring: the snapshot. */
	jnode saved;
	struct err *e;
	int rc;
	bool lost;                   /* a session could not be restored */
};

/* invoke NULL: the top member, which has no session yet. */
struct member *member_new(struct chart_stepper *st, struct member *parent,
    const struct chart *chart, const struct effect *invoke, uint32_t number);
/* Without a session of the top member. */
struct chart_stepper *stepper_make(const struct chart *c, struct str id,
    const struct stepper_ops *ops, void *ctx);
struct member *member_numbered(const struct chart_stepper *st, uint32_t number);
struct effect_sink member_sink(struct member *m);
struct delivery *delivery_new(struct member *to, struct str name, struct val data);
void delivery_free(struct delivery *j);
void delivery_post(struct chart_stepper *st, struct delivery *j);
void delivery_delay(struct chart_stepper *st, struct delivery *j);     /* until j->due */

/* The chart of an invoke: *own is to be freed, or NULL. */
int stepper_chart(struct member *m, const struct effect *f, const struct chart **chart,
    struct chart **own, struct err *e);
/* The invoke could not be started, or its session was ended: an error event. */
void stepper_invoke_failed(struct member *m, struct str invokeid, uint32_t serial,
    int rc, struct str text);
void stepper_begin(struct member *m, const struct effect *f, bool again);
/* While restoring: an invoke that was running. */
void stepper_invoke_again(struct member *m, const struct effect *f);

#endif
