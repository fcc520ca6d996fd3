/*
 * shard.h - one event-loop thread: loop, timers, mailbox.
 *
 * Everything that a shard owns is touched by its own thread only.  Others
 * post a job; it runs on the shard in the order it was posted, at most one
 * wake-up a burst.  `now` is read once a turn.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NET_SHARD_H
#define NET_SHARD_H

#include "base/rc.h"
#include "base/wheel.h"

struct uv_loop_s;
struct shard;

/* Intrusive: lives inside what is posted. */
struct shard_job {
	struct shard_job *next;
	void (*run)(struct shard_job *job);
};

/* id: 0..n-1, in names and logs.  The loop is made here and runs in
 * shard_run on the calling thread, or in a thread of its own by shard_start. */
int  shard_new(struct shard **out, unsigned id, struct err *e);
void shard_free(struct shard *s);            /* after it has stopped */
int  shard_run(struct shard *s);             /* until shard_stop */
int  shard_start(struct shard *s, struct err *e);        /* own thread */
void shard_join(struct shard *s);
void shard_stop(struct shard *s);            /* any thread; ends after this turn */
/* One turn on the calling thread, no other's turn: sleeps until something is
 * there, runs it.  For who waits for a job before the shard has a thread. */
void shard_turn(struct shard *s);

/* Any thread.  The job must stay valid until it has run.  */
void shard_post(struct shard *s, struct shard_job *job);

/* This shard's own thread only, from here on. */
struct uv_loop_s *shard_loop(struct shard *s);
unsigned shard_id(const struct shard *s);
nsec shard_now(const struct shard *s);       /* CLOCK_MONOTONIC, this turn */
msec shard_wall(const struct shard *s);      /* Unix ms, this turn */
void shard_refresh(struct shard *s);         /* after a long callback */
bool shard_is_current(const struct shard *s);

void shard_timer_set(struct shard *s, struct wheel_timer *t, msec delay_ms);
/* The same from when t last fell due, if that was a moment ago: so pauses that
 * follow each other do not add up what each was rounded.  t has fired. */
void shard_timer_follow(struct shard *s, struct wheel_timer *t, msec delay_ms);
void shard_timer_cancel(struct shard *s, struct wheel_timer *t);

/* Runs once at the end of this turn, before the loop sleeps; setting a job
 * that is already queued does nothing (job->run must be set, next NULL). */
void shard_at_turn_end(struct shard *s, struct shard_job *job);

/* Called at the end of an event's callback, when nothing else is on the stack:
 * every so many events the turn-end jobs run early. */
void shard_event_done(struct shard *s);

#endif
