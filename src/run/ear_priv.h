/*
 * ear_priv.h - readers of threads, on all shards: how what a thread's home tells
 * reaches them.  Two kinds use it: the classic stream of a thread (listen.c) and the
 * thread protocol (subscribe.c).
 *
 * A thread that is read is pinned: it has one home for as long.  There an *ear*
 * receives for all readers of the thread that have the same owner; on each shard with
 * readers a *branch* of it hands on what comes.  An event is one parcel per shard,
 * however many read it there, and one block per wire.
 *
 * Threads: a reader belongs to its own shard, an ear to the thread's home.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_EAR_PRIV_H
#define RUN_EAR_PRIV_H

#include "run/run_priv.h"
#include "run/subscribe.h"

enum { WIRE_CLASSIC = PROTOCOL_WIRES, EAR_WIRES };

#define EAR_CHANNELS 9                       /* bits that any kind has */

/* What a block is about, for readers to choose. */
struct heard {
	unsigned channel;                    /* one bit; of the classic kind: any of them */
	struct str custom, ns;               /* as protocol_matches takes them */
	int64_t first, last;                 /* seq in it */
};

struct branch;
struct reader;
struct ear;
struct pieces;
struct piece;
struct tap;
struct voice;

struct reader_kind {
	/* At home: adds to `out` (pieces_add) the events before the first that the ear
	 * tells r.  again: r was behind, and `after` is the last it got.
	 * ERR_LIMIT: what it missed is not kept any more. */
	int  (*replay)(struct ear *ear, struct reader *r, bool again, struct pieces *out);
	/* At home: the set of channels that the ear's readers want has changed. */
	void (*changed)(struct ear *ear);
	/* Away. */
	bool (*matches)(const struct reader *r, const struct heard *h);
	void (*opened)(struct reader *r, int64_t replayed);
	bool (*block)(struct reader *r, struct sse_block *b, int64_t first, int64_t last);
	void (*end)(struct reader *r, int rc);       /* then it is freed */
	void (*free)(struct reader *r);
};

/* Embedded in the kind's own struct; what is below `private` is ear.c's. */
struct reader {
	const struct reader_kind *kind;
	unsigned wire, channels;             /* all it may want */
	owner_t owner;
	struct uuid thread_id;
	int64_t after;                       /* seq up to which it has heard */
	/* private */
	struct parcel arrive, again, leave, refused, parted;
	struct runs *away, *home;
	struct branch *at;                   /* home's; NULL: it is in no ear */
	struct branch *branch;               /* away's; NULL: it has not joined */
	struct reader *next;                 /* away's: of the branch */
	bool left;                           /* away's: no callback any more */
	bool live, full, asking;             /* away's */
	int rc;                              /* of `refuse` */
	struct branch *dropped;              /* it was the last of this one; or NULL */
};

/* What a replay says: blocks in order. */
struct pieces {
	struct piece *first, **end;
	int64_t events;
	size_t bytes;
	bool more;                           /* there is more: ask again */
};
void pieces_add(struct pieces *p, struct sse_block *b, int64_t first, int64_t last,
    int64_t events);                         /* takes b */
void pieces_move(struct pieces *to, struct pieces *from);    /* to the end of `to` */
void pieces_drop(struct pieces *p);

struct ear_key {
	struct uuid thread_id;
	owner_t owner;
	bool any;                            /* of any owner; the thread exists */
};

struct ear {
	struct ear_key key;
	struct runs *rs;
	int64_t thread_seq;                  /* 0: the thread does not exist (yet) */
	size_t readers;
	unsigned wants[EAR_WIRES][EAR_CHANNELS];     /* so many readers */
	struct branch *branches;
	struct tap *taps;                    /* listen.c: on live runs */
	struct voice *voices;                /* subscribe.c: the same */
};

/* ERR_LIMIT: there are too many readers; r is the caller's still. */
int  reader_open(struct runs *rs, struct reader *r);
/* No callback follows, but kind->free. */
void reader_close(struct reader *r);
/* After kind->block said false. */
void reader_ready(struct reader *r);

/* The ear of a thread's owner that is here; NULL: nobody reads. */
struct ear *ear_find(const struct runs *here, owner_t owner, const struct uuid *thread_id);
/* Calls each(ctx, run) with the live runs of a thread that are the owner's. */
void ear_each_live(struct runs *here, owner_t owner, const struct uuid *thread_id,
    void (*each)(void *ctx, struct run *run), void *ctx);
bool ear_wants(const struct ear *ear, unsigned wire, unsigned channel);
/* blocks: by wire, NULL where nobody wants it; takes the references. */
void ear_tell(struct ear *ear, const struct heard *h, struct sse_block *blocks[EAR_WIRES]);

void ear_init(struct runs *rs);
void ear_release(struct runs *rs);           /* nobody reads any more */
/* The thread is gone. */
void ear_gone(struct runs *here, const struct uuid *thread_id);
/* The shard drains: ends all readers. */
void ear_drain(struct runs *rs);

/* listen.c, subscribe.c: an ear goes. */
void listen_close(struct ear *ear);
void subscribe_close(struct ear *ear);

#endif
