/*
 * talk.h - what the processes of a cluster tell each other about what they keep in memory.
 *
 * Each kind of thing has one ear here, which is called
 *   - with each message of another process (`heard`),
 *   - when messages may have been missed (`look`): when NATS is back, and from time to
 *     time while it is away.  Keepers of copies of rows read the rows then.
 *
 * Nothing said here is the only copy of anything, and nothing durable depends on it.
 *
 * Threads: ears are called on the shard of talk_new; talk_say is for any.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLUSTER_TALK_H
#define CLUSTER_TALK_H

#include "cluster/bus.h"

struct talk;

#define TALK_MAP(X) X(GRAPHS, "graphs") X(MODULES, "modules") X(LIMITS, "limits") \
	X(LIMITS_ASK, "limits-ask") X(LIMITS_ANSWER, "limits-answer") X(PASSES, "passes") X(WORKERS, "workers") X(THREADS, "threads")

enum talk_kind {
#define X(id, name) TALK_##id,
	TALK_MAP(X)
#undef X
	TALK_KINDS
};

struct talk_ear {
	/* from: of that process, until it ends; talk_say takes it. */
	void (*heard)(void *ctx, uint64_t from, struct str what);
	void (*changed)(void *ctx, bool up); /* NULL: does not care */
	void (*look)(void *ctx);             /* likewise */
	void *ctx;
};

/* On s.  bus NULL: there is no NATS, but other nodes may be there: looks only. */
struct talk *talk_new(struct bus *bus, struct shard *s);
/* When the shards have stopped and the bus was closed, before they are freed; NULL is fine. */
void talk_free(struct talk *t);
/* On s, once a kind. */
void talk_on(struct talk *t, enum talk_kind kind, const struct talk_ear *ear);

#define TALK_ALL 0
/* To all other processes, or one; as bus_send.  ERR_CLOSED too without a bus. */
int  talk_say(struct talk *t, uint64_t to, enum talk_kind kind, const struct str *pieces,
    size_t n);
bool talk_is_up(const struct talk *t);

#endif
