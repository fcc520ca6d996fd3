/*
 * stepper.h - runs a chart: its session, the sessions that it invokes, and
 * what lies between events: a queue, delayed events, cancellation.
 *
 * The one host of sessions.  It has no clock: the caller says what time it is,
 * and stepper_due when something falls due.  The simulator lets its clock jump
 * there; a run sets a timer of its wheel.
 *
 * An invoke of a chart is a session here.  Any other invoke is a task of the
 * caller, who is told to begin it and says how it ended.  Nothing that the
 * caller does has an answer inside a step: ends and failures are events, in the
 * order of the calls.  So the same calls give the same states.
 *
 *	stepper_start, then again and again:
 *	    stepper_step while it gives OK          one event a call
 *	    stepper_task_done, ..._event, stepper_fire (when due)
 *	until stepper_over
 *
 * The data is the caller's, too: it gives its values as params of the start, sets
 * what a task wrote (session_set_slot) before it tells that the task is done, and
 * after a step reads what statements assigned (session_slot_changed), then
 * settles.  A step after which session_changed is false needs no checkpoint,
 * unless a task began or ended.
 *
 * Between two steps stepper_save writes everything, the queue and the delayed
 * events too; a stepper that is restored from it goes on in the same way.
 *
 * A session that is stopped (its invoking state was left) first gets the events
 * that were sent to it before; what it sends to its parent from then on is
 * dropped (SCXML 6.4).
 *
 * Times are milliseconds, of the wall or from 0, never negative.
 * Threads: one at a time.  The functions of stepper_ops must not step; they may
 * call stepper_task_...
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHART_STEPPER_H
#define CHART_STEPPER_H

#include "base/clock.h"
#include "chart/chart.h"

struct chart_stepper;

/* A task, borrowed for the call. */
struct stepper_task {
	uint64_t serial;             /* never used twice; of the top session's invokes, the
	                                invoke's own */
	struct str node;             /* its state */
	struct str kind;             /* the invoke's type */
	struct str invokeid;
	struct val args;             /* object, or UNDEFINED */
	struct str src, content;     /* may be empty */
	bool again;                  /* it was begun before stepper_save */
};

/* Functions may be NULL. */
struct stepper_ops {
	/* NULL: only charts can be invoked.  knows: the kinds; NULL: all. */
	void (*begin)(void *ctx, const struct stepper_task *t);
	bool (*knows)(void *ctx, struct str kind);
	void (*stop)(void *ctx, uint64_t serial);
	void (*forward)(void *ctx, uint64_t serial, struct str event, struct val data);
	/* LOG, DROPPED, DONE and the path, of any session: its chart and id. */
	void (*told)(void *ctx, const struct chart *c, struct str session,
	    const struct effect *f);
	bool path;                   /* the path is wanted */
	/* A chart invoked by f->src, or by f->content that was computed. */
	int  (*load)(void *ctx, const struct effect *f, struct chart **out, struct err *e);
	/* Targets that are no session of this stepper: chart.h's reach, and the
	 * send.  A delayed send is asked again when it falls due. */
	int  (*reach)(void *ctx, struct str target, struct str type, bool delayed);
	void (*send)(void *ctx, const struct effect *f);
};

/* id: the top session's _sessionid; sessions below are ID.1, ID.2, ... */
struct chart_stepper *stepper_new(const struct chart *c, struct str id,
    const struct stepper_ops *ops, void *ctx);
void stepper_free(struct chart_stepper *st); /* tells nobody; NULL: nothing */

/* Names beside the data, for the top session (session_give).  Before the
 * start, and again after stepper_restore. */
void stepper_give(struct chart_stepper *st, struct val names);

/* Queues the start.  params: as session_new. */
void stepper_start(struct chart_stepper *st, struct val params);
/* Delivers the next event of the queue.  ERR_NOTFOUND: it is empty.  ERR_LIMIT:
 * the top session is over, session_why tells. */
int  stepper_step(struct chart_stepper *st, msec now);
bool stepper_busy(const struct chart_stepper *st);   /* the queue is not empty */
/* Active states of the session that gets the next event: what a step costs. */
size_t stepper_weight(const struct chart_stepper *st);
/* Stops the top session: all states are exited.  It is over then. */
void stepper_cancel(struct chart_stepper *st, msec now);

/* When the first delayed event falls due; STEPPER_NEVER: there is none. */
#define STEPPER_NEVER INT64_MAX
msec stepper_due(const struct chart_stepper *st);
/* Queues it if it is due; false if not. */
bool stepper_fire(struct chart_stepper *st, msec now);

/* An external event for the top session.  ERR_LIMIT: LIMIT_CHART_QUEUE wait. */
int  stepper_event(struct chart_stepper *st, struct str name, struct val data);
/* From a task: it ended, it failed (name: "error.tool.http"), an answer or
 * another event came.  ERR_NOTFOUND: it was stopped or has ended; nobody is
 * told. */
int  stepper_task_done(struct chart_stepper *st, uint64_t serial, struct val result);
int  stepper_task_failed(struct chart_stepper *st, uint64_t serial, struct str name,
    struct val data);
int  stepper_task_answer(struct chart_stepper *st, uint64_t serial, struct val answer);
int  stepper_task_event(struct chart_stepper *st, uint64_t serial, struct str name,
    struct val data);

bool stepper_over(const struct chart_stepper *st);
/* The top session: its configuration, its data, and what changed (chart.h).
 * Do not give it events. */
struct session *stepper_session(struct chart_stepper *st);
struct val stepper_output(const struct chart_stepper *st);   /* of the final; borrowed */

/* Appends a snapshot (JSON); between steps, after the start; bare: without the top
 * session's data, when its slots are set again after the restore.  Restoring begins
 * the tasks that run again, from inside.  ERR_CONFLICT: as session_restore. */
void stepper_save(const struct chart_stepper *st, struct buf *out);
void stepper_save_bare(const struct chart_stepper *st, struct buf *out);
int  stepper_restore(struct chart_stepper **out, const struct chart *c, struct str id,
    struct str snapshot, const struct stepper_ops *ops, void *ctx, struct err *e);

#endif
