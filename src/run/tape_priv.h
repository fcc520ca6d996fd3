/*
 * tape_priv.h - a resumable run's events on their way: into its log, from there to
 * the store, and again to readers that come later.
 *
 * Threads: the home shard's; replays of what is stored, any shard's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_TAPE_PRIV_H
#define RUN_TAPE_PRIV_H

#include "run/replay.h"
#include "run/run_priv.h"

/* What earlier attempts of a run have told. */
struct tape_past {
	int64_t next_id;                     /* past all frames they can have told */
	struct event_reader reader;
	struct tape_message {
		struct run_event ev;         /* RETRACT; its texts are below */
		struct event_task task;
		char *texts;
		bool whole, told, again;     /* again: its id is in use again */
	} *messages;
	size_t n, cap;
};

bool tape_exists(const struct run *run);     /* in the store */
/* Reads it; of an attempt that is not the first. */
struct tape_past *tape_past_read(struct run *run);
void tape_past_free(struct tape_past *p);    /* or NULL */

/* The number that a thread's next event has. */
int64_t tape_next(struct runs *rs, owner_t owner, const struct uuid *thread_id,
    int64_t thread_seq);
/* The run's log; refer: its states are in checkpoints. */
void tape_open(struct run *run, bool refer);

/* Whose events are told again; log: of a run that is here, or NULL. */
struct tape_source {
	struct runs *rs;
	owner_t owner;
	int64_t run_seq, thread_seq;         /* 0: not in the store */
	struct uuid thread_id, run_id;
	bool ids;
	struct event_log *log;
};

/* Its events in order: those that are stored, then those of its log, until each says
 * false. */
void tape_each(const struct tape_source *s, bool (*each)(void *ctx,
    const struct event_entry *e), void *ctx);
/* A state after a checkpoint as clients see it, the caller's; channels: as METADATA has
 * them.  Undefined: it is gone. */
struct val tape_values(const struct tape_source *s, struct val channels, struct str ns,
    const struct uuid *checkpoint);

/* To w all it has not read (w->after, which moves).  gone(ctx): has it left?
 * False: it has. */
bool tape_replay(const struct tape_source *s, struct run_watch *w,
    bool (*gone)(const void *ctx), const void *ctx);

/* Frames of some modes of what is stored, as it grows, for any number of readers.  Those up
 * to `after` are not made. */
struct tape_feed {
	/* private */
	struct tape_source source;
	struct replay replay;
	int64_t after;                       /* the last event that was read */
	unsigned reads;
	void (*tell)(void *ctx, struct str frames);
	void *ctx;
};
/* The feed stays where it is. */
void tape_feed_open(struct tape_feed *f, const struct tape_source *s, unsigned modes,
    int64_t after);
/* What is new, whole frames; returns how often the store was asked. */
unsigned tape_feed_read(struct tape_feed *f, void (*tell)(void *ctx, struct str frames),
    void *ctx);
void tape_feed_close(struct tape_feed *f);

#endif
