/*
 * subscribe_priv.h - what a shard's runs tell readers of their threads in the thread
 * protocol.
 *
 * A run that is read has a *voice*: an encoder that follows its log.  A run whose
 * thread is read when it begins has a log, of whatever modes; one that is under way
 * gets one.  A last run that has ended without one is told in short from its rows:
 * that is written down like any log, so that it has its numbers for good.
 *
 *   subscribe.c         readers, voices
 *   subscribe_replay.c  what happened before
 *   subscribe_short.c   a run in short
 *   protocol_feed.c     a log's events into an encoder
 *
 * Threads: the home shard's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_SUBSCRIBE_PRIV_H
#define RUN_SUBSCRIBE_PRIV_H

#include "run/ear_priv.h"
#include "run/protocol_priv.h"
#include "run/tape_priv.h"

/* ---- protocol_feed.c ------------------------------------------------------------ */

/* An encoder of one run, and what reads its log's events. */
struct protocol_feed {
	struct tape_source from;
	struct protocol_sink sink;
	struct protocol p;
	struct event_reader reader;
	int64_t last;                        /* number of the last event; -1: none */
};

/* sink.ctx, wants, event: the caller's. */
void protocol_feed_open(struct protocol_feed *f, const struct tape_source *from,
    const struct protocol_sink *sink);
void protocol_feed_close(struct protocol_feed *f);
void protocol_feed_event(struct protocol_feed *f, const struct event_entry *e);
/* The run has ended; error_json as its row has it. */
void protocol_feed_end(struct protocol_feed *f, enum run_status status,
    struct str error_json, msec now);
/* The number of the end of a run whose last event has this one. */
int64_t protocol_end_number(int64_t last);

/* ---- subscribe.c ---------------------------------------------------------------- */

/* A reader of the protocol; what is read of it at home does not change. */
struct protocol_reader {
	struct reader r;
	struct subscription *s;              /* away's; NULL: it has left */
	struct protocol_filter *filter;      /* one piece of memory */
};

bool subscribe_reads(const struct run *run);         /* its thread? */
/* The run lives, and has told nothing yet. */
void subscribe_begins(struct run *run);
/* Its end is committed. */
void subscribe_ended(struct run *run, enum run_status status, struct str error_json);
/* It leaves memory, or its shard stops. */
void subscribe_left(struct run *run);

/* To all readers of an ear: encoded, if anybody wants it. */
bool subscribe_wants(const struct ear *ear, const struct protocol_event *e);
void subscribe_tell(struct ear *ear, const struct protocol_event *e,
    const struct uuid *run_id, struct buf *scratch);

/* Greatest seq that a thread's readers can have heard, as thread_position tells it. */
int64_t subscribe_position(struct runs *here, owner_t owner, const struct uuid *thread_id,
    int64_t thread_seq);

/* ---- subscribe_replay.c ---------------------------------------------------------- */

/* struct reader_kind.replay */
int  subscribe_replay(struct ear *ear, struct reader *r, bool again, struct pieces *out);

/* ---- subscribe_short.c ------------------------------------------------------------- */

/* Writes the short form of a run that has ended, then tells the ear's readers. */
void subscribe_shorten(struct ear *ear, const struct uuid *run_id);
/* The number behind those that are being written so for the thread; 0: none are. */
int64_t subscribe_reserved(const struct runs *rs, owner_t owner,
    const struct uuid *thread_id);

#endif
