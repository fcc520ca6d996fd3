/*
 * replay.h - frames of one run made again from its events, for a reader of the
 * classic wire that comes later.
 *
 * The encoder is the one that made the frames the first time, fed from the run's
 * first event on, so ids and texts are the same.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_REPLAY_H
#define RUN_REPLAY_H

#include "run/classic.h"
#include "run/event_log.h"
#include "run/pack.h"

struct replay {
	/* What states were that events leave out: a value that the caller owns;
	 * undefined: it is gone, and so is the event.  NULL: none are left out. */
	struct val (*values)(void *ctx, struct str ns, const struct uuid *checkpoint);
	void *ctx;
	struct uuid after_checkpoint;        /* only what follows it, if it is the
	                                        run's; zero: all */
	/* private */
	struct classic_run run;
	struct val facts;                    /* its texts */
	struct classic wire;
	bool begun;
	struct stream stream;
	struct run_watch watch;
	struct event_reader reader;
	struct buf out;
};

/* The state that *ev leaves out, in its place, and the checkpoint that has it; NULL: ev
 * has none.  task: room for ev's. */
struct val *replay_left_out(struct run_event *ev, struct event_task *task,
    const struct uuid **id);

/* For w: its modes, its namespaces and what it has read (after).  ids: frames have
 * some.  What frames say of the run stands in its first event. */
void replay_start(struct replay *p, const struct uuid *thread_id,
    const struct uuid *run_id, bool ids, const struct run_watch *w);
/* The next event of the run.  ERR_SYNTAX: it is none. */
int  replay_event(struct replay *p, const struct event_entry *e);
/* What w is to read: whole frames. */
struct str replay_frames(const struct replay *p);
int64_t replay_next_id(const struct replay *p);      /* of the run's next frame */
void replay_stop(struct replay *p);

#endif
