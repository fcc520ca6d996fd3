/*
 * stream_priv.h - one run's events on their way to its readers.
 *
 * Every event is one encoded block that all readers share.  Ids are dense
 * from 0, counted also for events nobody reads.  A resumable run keeps its events
 * in a log, so that a reader can come back (tape.c makes its frames again); so does
 * one whose thread is read (subscribe.c).  Any other run keeps nothing.
 *
 * While the stream is closed (durability sync waits for a commit) frames are
 * held back, in order.
 *
 * Threads: the home shard's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_STREAM_PRIV_H
#define RUN_STREAM_PRIV_H

#include "run/event_log.h"
#include "run/run.h"

struct stream_entry {
	struct sse_block *block;
	int64_t id;
	unsigned mode;
};

struct stream_entries {
	struct stream_entry *at;
	size_t n, cap;
};

struct stream {
	unsigned modes;              /* that the run produces */
	unsigned reading;            /* that somebody reads */
	bool ids;                    /* frames carry id lines */
	bool keeps;                  /* resumable */
	bool full;                   /* all kinds of events are told: of whatever modes,
	                                somebody reads the thread's (subscribe.c) */
	struct event_log *log;       /* of a resumable one, or one that is read so, once it
	                                lives */
	bool closed;
	unsigned waits;              /* events that are being written */
	int64_t next_id;
	int64_t quiet;               /* frames up to here are not made: a replay's */
	struct run_watch *watchers;
	struct run_watch *cursor;    /* the next one in a delivery under way */
	struct stream_entries held;
};

void stream_init(struct stream *s, unsigned modes, bool ids, bool keeps,
    int64_t first_id);
void stream_release(struct stream *s);       /* there are no watchers any more */

/* Is an event of this mode worth encoding? */
bool stream_wants(const struct stream *s, unsigned mode);
/* The id of the next frame as it is written: FRAME_NO_ID without id lines. */
int64_t stream_id(const struct stream *s);
void stream_skip(struct stream *s);          /* an event nobody reads */
void stream_send(struct stream *s, unsigned mode, struct sse_block *b); /* takes b */

void stream_close(struct stream *s);
void stream_open(struct stream *s);          /* delivers what was held */
void stream_discard(struct stream *s);       /* or drops it */
/* The next event is told when it is in the store: from it on all is held until
 * stream_go.  False: nothing is kept, or the stream is closed. */
bool stream_wait(struct stream *s);
void stream_go(struct stream *s);

/* From now on w follows. */
void stream_attach(struct stream *s, struct run_watch *w);
bool stream_detach(struct stream *s, struct run_watch *w);   /* false: not here */
void stream_started(struct stream *s, const struct uuid *thread_id,
    const struct uuid *run_id);
struct run_watch *stream_pop(struct stream *s);      /* takes one watcher out */

/* Whole frames of encoded text past `after` that w reads, to w. */
void stream_replay_text(struct run_watch *w, struct str text, int64_t *after);

#endif
