/*
 * subscribe.h - readers of a thread in the thread protocol (docs/protocol.md).
 *
 * A reader gets all runs of a thread, one after the other: what is kept of those
 * before (the window: every event of unfinished runs, the last finished run, and
 * earlier ones while all of them take LIMIT_LOG_BYTES), then what happens, without
 * a gap or a repeat.
 *
 * `seq` numbers the events of a thread: it rises, is the same for every reader and
 * after a restart, and is never given twice.  It has gaps.  The event_id is
 * `<ms>-<seq>`, or `synth:<run id>:<seq>` of the root's lifecycle.
 *
 * The thread need not exist.  A reader gets runs of threads with this id that are
 * its owner's, whenever they come to be; another owner's are as none.
 *
 * Blocks are encoded once and shared by all readers of a wire form.
 *
 * Threads: the reader's own shard, for calls and callbacks.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_SUBSCRIBE_H
#define RUN_SUBSCRIBE_H

#include "run/run.h"

/* ---- what a reader wants ------------------------------------------------------ */

enum protocol_channel {
	CHANNEL_VALUES = 1, CHANNEL_UPDATES = 2, CHANNEL_MESSAGES = 4, CHANNEL_TOOLS = 8,
	CHANNEL_LIFECYCLE = 16, CHANNEL_INPUT = 32, CHANNEL_CHECKPOINTS = 64,
	CHANNEL_TASKS = 128, CHANNEL_CUSTOM = 256
};
extern const char *const protocol_channel_names[];   /* by bit; NULL-ended */

/* A namespace by its segments, from the root. */
struct protocol_prefix {
	const struct str *at;
	size_t n;                            /* 0: the root */
};

struct protocol_filter {
	unsigned channels;                   /* of enum protocol_channel */
	const struct str *customs;           /* `name` of channels `custom:name`; what */
	size_t customs_n;                    /* CHANNEL_CUSTOM has anyway is not needed */
	const struct protocol_prefix *namespaces;    /* below any of these */
	size_t namespaces_n;                 /* 0: all */
	int64_t depth;                       /* so many segments below the prefix at most; < 0: any */
};

/* Does an event pass?  channel: one bit; custom: the name of a custom event, or
 * empty; ns: as runs name it, "a:id|b:id".  A segment of a prefix without `:` is
 * equal to an event's whatever id stands behind its `:`. */
bool protocol_matches(const struct protocol_filter *f, unsigned channel, struct str custom,
    struct str ns);

/* The seq in an event_id (a Last-Event-ID header); -1: it is none of ours. */
int64_t protocol_seq(struct str event_id);

/* ---- readers ------------------------------------------------------------------ */

enum protocol_wire {
	PROTOCOL_SSE,                        /* `event: method\ndata: {...}\nid: event_id\n\n` */
	PROTOCOL_SOCKET,                     /* WebSocket text frames, with their headers */
	PROTOCOL_WIRES
};

struct reader;

/* Embedded in the caller's own struct. */
struct subscription {
	/* The caller's, before subscribe. */
	const struct protocol_filter *filter;        /* copied */
	int64_t since;                       /* only events with a greater seq; -1: all
	                                        that is kept; as is a seq that is
	                                        beyond the thread's last */
	enum protocol_wire wire;
	/* Each may unsubscribe. */

	/* Once, the first of all: so many events come now that happened before. */
	void (*opened)(struct subscription *s, int64_t replayed);
	/* Whole events in order, encoded; first and last: seq of those in b, which are
	 * the same in a block that is not a replay's.  Take a reference to keep b.
	 * False: b is taken, and no more is, until subscription_ready: what happens
	 * meanwhile comes then, from the log. */
	bool (*events)(struct subscription *s, struct sse_block *b, int64_t first,
	    int64_t last);
	/* The last call.  ERR_NOTFOUND: the thread is deleted; ERR_LIMIT: it has too
	 * many readers (then `opened` was not called), or this one was so slow that what
	 * it missed is not kept; ERR_CLOSED: the server stops.  A client is to come
	 * back after ERR_CLOSED, and after ERR_LIMIT behind `opened`: the connection is
	 * cut, not ended. */
	void (*end)(struct subscription *s, int rc);
	/* private */
	struct reader *link;
};

/* Callbacks follow, never from inside.  ERR_LIMIT: the process has too many readers;
 * then nothing is called. */
int  subscribe(struct runs *rs, owner_t owner, const struct uuid *thread_id,
    struct subscription *s);
/* The client has left, or does not want it any more.  No callback follows. */
void unsubscribe(struct subscription *s);
/* What was queued is gone: events may come again. */
void subscription_ready(struct subscription *s);

/* told(ctx, seq), on this shard and later: the seq of the last event that a reader
 * can have heard, or a number between it and the next; 0: there is none. */
void thread_position(struct runs *rs, owner_t owner, const struct uuid *thread_id,
    void (*told)(void *ctx, int64_t seq), void *ctx);

#endif
