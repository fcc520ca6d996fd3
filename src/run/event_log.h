/*
 * event_log.h - the events of one thread: kept once, as fields, for any number of
 * readers.  Each resumable run under way has a log of its own (tape.c), whose
 * numbers go on from those of the thread's runs before.
 *
 * Every event has a number, `seq`, of the thread: it rises and is never given
 * again; and `id`, that of the first frame the classic wire makes of it in its
 * run.  Readers are cursors: a position and the kinds they read.  Nothing waits
 * for a reader; one that is slower than the window misses events and is told so.
 *
 * The window: the run under way and those that have ended, as long as all take
 * LIMIT_LOG_BYTES together.  Past that the oldest ended run goes, whole; of a run
 * that is too long alone its beginning goes, except what a reader cannot do
 * without: that it began, the root's last state and checkpoint, interrupts, its
 * end.  What is not stored yet stays (event_log_keep).
 *
 * A state that a checkpoint holds is not among the fields.  Until that checkpoint
 * is committed the log holds the value (event_log_settle); after that a reader gets it
 * from the store.
 *
 * Threads: the shard's where the thread's runs are at home.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_EVENT_LOG_H
#define RUN_EVENT_LOG_H

#include "run/event.h"

struct event_log;

/* The next event's number.  Numbers are reserved ahead of use by the store, so
 * that none is given twice, whatever was lost in a crash. */
struct event_log *event_log_new(int64_t next_seq);
void event_log_free(struct event_log *l);    /* there are no cursors any more */

/* Events of this log are going to be stored: they stay until event_log_stored, however
 * many there are, for readers find each in the store or here. */
void event_log_keep(struct event_log *l);
/* Events up to this number are. */
void event_log_stored(struct event_log *l, int64_t seq);

/* A run begins; the one before has ended.  refer: its states are in checkpoints. */
void event_log_begin(struct event_log *l, const struct uuid *run_id, bool refer);
/* Numbers from here on; for a run that was reserved some.  Not below the next. */
void event_log_seek(struct event_log *l, int64_t next_seq);
int64_t event_log_add(struct event_log *l, const struct run_event *ev, int64_t id);
                                             /* its seq */
void event_log_end(struct event_log *l);
/* From now on events are hidden from readers and the store, until they are shown,
 * or dropped: what they say is not so.  Numbers of those are not given again. */
void event_log_hide(struct event_log *l);
void event_log_show(struct event_log *l);
void event_log_drop(struct event_log *l);
/* States of events up to this number can be read from the store. */
void event_log_settle(struct event_log *l, int64_t seq);

int64_t event_log_last(const struct event_log *l);   /* seq of the newest */
int64_t event_log_next(const struct event_log *l);   /* that of the next one */
int64_t event_log_seen(const struct event_log *l);   /* no reader has seen a greater one */
bool event_log_is_idle(const struct event_log *l);   /* no run under way, no cursor */
size_t event_log_bytes(const struct event_log *l);

/* ---- readers ----------------------------------------------------------------- */

struct event_cursor {
	int64_t after;                       /* read up to here */
	uint32_t kinds;                      /* 1 << enum event_kind; 0: all */
	/* There is more to read; once until event_cursor_read has said that there
	 * is not.  It may read, and close this cursor and others. */
	void (*ready)(struct event_cursor *c);
	bool missed;                         /* events were gone before it came */
	/* private */
	struct event_log *log;
	struct event_cursor *next;
	int64_t gone;
	bool told;
};

struct event_entry {
	int64_t seq, id;
	msec now;
	struct uuid run_id;
	struct str fields;                   /* event_unpack; good until the log changes */
	struct val values;                   /* held for an event that refers; or UNDEF */
};

/* Whoever opens one reads first: it is not told of what is there. */
void event_cursor_open(struct event_log *l, struct event_cursor *c);
void event_cursor_close(struct event_cursor *c);
bool event_cursor_read(struct event_cursor *c, struct event_entry *out);
                                             /* false: up to date */

/* ---- to and from the store ------------------------------------------------------ */

/* Events of the run under way (or just ended) that were not given out yet, as one
 * text; at most about LIMIT_LOG_BATCH_BYTES.  False: there are none. */
bool event_log_take(struct event_log *l, struct buf *out, int64_t *first,
    int64_t *last);
/* The same of all there are, also hidden ones: for a commit that makes them so. */
bool event_log_take_all(struct event_log *l, struct buf *out, int64_t *first,
    int64_t *last);
size_t event_log_fresh(const struct event_log *l);   /* bytes not given out yet */

/* Such a text of a run, read back; batches come in order, before the log gets
 * events of its own.  ERR_SYNTAX: it is none; what was whole is in. */
int event_log_load(struct event_log *l, const struct uuid *run_id, struct str batch);

#endif
