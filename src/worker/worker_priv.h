/*
 * worker_priv.h - the registry, as the files of this room see it.
 *
 * Everything below is under ws->lock, except a desk, which is its shard's, and what says
 * otherwise.  No hook is called with the lock held.  A courier may be used with it: that
 * only queues for the end of the turn.
 *
 * Invariants
 *   1. An offer that is QUEUED is in one lane; MATCHED, HELD and LEASED it has a session and
 *      is in its list of leases, and counts in `flight` until it is in an answer.
 *   2. A row is in its service's ready list exactly if row_ready() holds.
 *   3. A service's lanes are those that have offers; the next to be served is first.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORKER_WORKER_PRIV_H
#define WORKER_WORKER_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/check.h"
#include "base/map.h"
#include "base/mem.h"
#include "worker/desk.h"

/* What names are of: nodes and runs are one kind. */
enum service_kind { SERVICE_GRAPH, SERVICE_NODE, SERVICE_TOOL };

struct service_key { enum service_kind kind; struct str name; };

/* That workers of another node have a build, as it said last. */
struct build_away {
	uint64_t from;                       /* 0: one that is about to register there */
	uint32_t live, attached;             /* sessions: not quiet, all */
	nsec until;
};

/* A build that serves a name, as long as it does or an offer is pinned to it. */
struct worker_build {
	struct list in_service;              /* newest first */
	struct str text;
	msec born;                           /* when a node has seen it first */
	unsigned live;                       /* sessions of this node that are not quiet */
	unsigned pins;                       /* offers */
	struct build_away *away;
	size_t away_n, away_cap;
};

struct attempt {
	uint64_t seq;                        /* 0: none yet */
	enum worker_kind kind;
	struct uuid task_id, run_id, thread_id;
	unsigned attempt;
	struct worker_session *session;
	msec began, ended;                   /* 0: under way */
	char how[24];
};

struct worker_service {
	struct service_key key;              /* name: owned */
	uint8_t holder[SHA256_SIZE];         /* the key that serves it, or did last */
	bool held;                           /* holder is set */
	bool claimed;                        /* registered for good: it is persisted */
	unsigned reserved;                   /* registrations under way */
	unsigned live;                       /* sessions of this node that are not quiet */
	bool changed;                        /* other nodes are to know */
	nsec wanted_until;                   /* another node has offers, and found no place */
	struct list rows;                    /* of sessions */
	struct list ready[WORKER_SLOTS];     /* those that can take a task of it */
	struct list builds, lanes;
	size_t offers_n;
	struct buf json;                     /* as it was registered last */
	enum worker_served_kind served;
	struct attempt *log;                 /* a ring */
	size_t log_cap;
	uint64_t log_seq;                    /* of the newest */
};

/* The offers of one owner for a service; those of a build apart, so that a worker of another
 * need not look at them. */
struct lane_key {
	struct worker_service *service;
	owner_t owner;
	struct worker_build *pin;            /* NULL: none */
	bool newest;
	enum worker_slot slot;
};
struct worker_lane {
	struct lane_key key;
	struct list in_service, offers;
};

/* That a session serves a name. */
struct worker_row {
	struct worker_session *session;
	struct worker_service *service;
	struct worker_build *build;
	struct list in_service;
	struct list ready[WORKER_SLOTS];
};

/* A task that waits for the next answer to a poll. */
struct worker_task {
	struct list in_session;
	struct worker_offer *offer;          /* NULL: of another node */
	struct buf text;
};

/* That a task is cancelled, for the next answer. */
struct worker_notice {
	struct list in_session;
	struct worker_offer *offer;          /* NULL: of another node */
	struct uuid task_id;
	bool rollback;
	struct str reason;                   /* owned */
};

struct worker_session {
	unsigned mark;
	unsigned refs;                       /* registry, offers, attempts of the log */
	struct uuid id;
	struct str id_text, name, build, lang;       /* owned, with the session */
	uint8_t key[SHA256_SIZE];
	int64_t slots[WORKER_SLOTS];
	msec since;
	_Atomic int64_t seen;                /* monotonic ns; without the lock too */
	bool gone, quiet, quiet_told;
	bool mute;                           /* it was silent about a task: it gets
	                                        nothing before it polls again */
	struct worker_row *rows;
	size_t rows_n, turn;                 /* turn: the row that is served next */
	struct worker_poll *poll;            /* that waits */
	int64_t free[WORKER_SLOTS];          /* as it said */
	int64_t flight[WORKER_SLOTS];        /* matched since, and not in an answer yet */
	struct list leases, outbox, notices;
	bool copy;                           /* of a worker of another node (away.c) */
	struct uuid of;                      /* a copy's: the worker, whose id it shows */
	uint64_t from;                       /* and its process */
};

struct workers {
	struct workers_options o;
	pthread_mutex_t lock;
	struct worker_desk **at;             /* by shard id */
	struct map sessions, services, lanes;
	size_t offers_n, polls_n, leases_n, bytes, log_n;
	uint64_t serials;
	workers_graphs *graphs;
	void *graphs_ctx;
	bool (*reserved)(void *ctx, enum worker_kind kind, struct str name);
	void *reserved_ctx;
	bool (*valid)(void *ctx, const uint8_t key[SHA256_SIZE]);
	void *valid_ctx;
	struct worker_away *away;            /* NULL: a node alone */
	_Atomic int64_t node;                /* in new names; 0: none */
	_Atomic uint64_t offers, lost, events, calls, poll_waits, conflicts;
};

/* An END that was answered, so that the same one again is. */
#define ENDED_KEPT 1024                      /* of one shard */
struct ended { struct uuid task_id; char token[WORKER_TOKEN_CHARS]; uint8_t body[SHA256_SIZE]; };

struct worker_desk {
	struct workers *workers;
	struct shard *shard;
	struct courier courier;
	struct map offers;                   /* by task id: matched, held and leased, and queued */
	struct map polls;                    /* by serial */
	struct ended *ended;                 /* a ring */
	size_t ended_at;
	bool draining;
	struct wheel_timer sweep;            /* of shard 0 */
};

#define SESSION_MARK 0x776b7273

void workers_lock(struct workers *ws);
void workers_unlock(struct workers *ws);

/* ---- registry.c ------------------------------------------------------------------ */

struct worker_session *session_find(struct workers *ws, const struct uuid *id);
void session_hold(struct worker_session *s);
void session_drop(struct worker_session *s);
/* It is gone: its leases are lost on their shards. */
void session_end(struct worker_desk *d, struct worker_session *s, const char *why);
void session_quiet(struct worker_desk *d, struct worker_session *s);
struct worker_service *service_find(struct workers *ws, enum service_kind kind,
    struct str name);
/* Makes it; NULL: too many names. */
struct worker_service *service_get(struct workers *ws, enum service_kind kind,
    struct str name);
enum service_kind service_of(enum worker_kind k);
/* A worker that registered at this node serves it. */
bool service_is_served(const struct worker_service *sv);
/* The build of this text; made if there is none.  born: when it was seen. */
struct worker_build *build_get(struct worker_service *sv, struct str text, msec born);
#define BUILDS_KEPT 8                        /* of a name: one that returns does not count as new */
/* Frees those that nobody needs, but for the newest. */
void build_trim(struct worker_service *sv, size_t keep);
void session_seen(struct worker_session *s, nsec now);
/* A process that hangs has a poll that waits, too: what it loses must not go to it, or wait
 * for it, before it polls again. */
void session_mute(struct worker_desk *d, struct worker_session *s);
void session_unmute(struct worker_session *s);       /* session_serve is to follow */
static inline bool
session_counts(const struct worker_session *s)
{
	return !s->quiet && !s->mute && !s->gone;
}
/* Is it counted in `live`?  A copy is its own node's. */
static inline bool
session_is_live(const struct worker_session *s)
{
	return session_counts(s) && !s->copy;
}
void registry_sweep(struct wheel_timer *t);
struct uuid worker_name_new(const struct workers *ws);

/* ---- intake.c ----------------------------------------------------------------------- */

/* With in's texts, key and places; it is in no table. */
struct worker_session *worker_session_new(struct worker_desk *d, const struct worker_intake *in,
    struct uuid name);
void session_add_row(struct worker_session *s, struct worker_service *sv);
void service_set_json(struct workers *ws, struct worker_service *sv,
    enum worker_served_kind kind, struct str json);

/* ---- away.c ------------------------------------------------------------------------- */

/* Without the lock, on any shard: o may wait; other nodes are asked. */
void away_want(const struct worker_offer *o);
void away_ready(struct workers *ws, const struct worker_session *s, nsec now);   /* it polls */
void away_left(struct workers *ws, const struct worker_session *s);
/* Tasks of other nodes that s was not told of, and cancels of such. */
void away_drop_tasks(struct worker_session *s);
/* Under the lock.  s was silent about a task: it gets nothing at any node before it polls. */
void away_mute(struct worker_desk *d, struct worker_session *s);
/* Under the lock.  The task of a copy is cancelled. */
void away_cancel(struct workers *ws, const struct worker_offer *o);
/* Under the lock.  The copy of a worker that serves this name; NULL: there is none. */
struct worker_session *away_copy(struct workers *ws, const struct uuid *worker,
    const struct service_key *key);

/* ---- away_served.c ---------------------------------------------------------------- */

/* On any shard: other nodes are told of the services that have changed. */
void away_changed(struct workers *ws);
/* Under the lock: does a worker serve it with this build, here or elsewhere? */
bool build_lives(const struct worker_build *b, nsec now);
/* Of other nodes. */
unsigned service_away(const struct worker_service *sv, nsec now, bool attached);
/* Under the lock.  A worker of this build is about to register at another node. */
void build_comes(struct worker_service *sv, struct str build, msec wall, nsec now);

/* ---- match.c ------------------------------------------------------------------------ */

enum worker_slot slot_of(enum worker_kind k);
/* The build that o waits for now; NULL: any. */
const struct worker_build *offer_build(const struct worker_offer *o,
    const struct worker_build *newest, nsec now);
struct worker_build *newest_build(const struct worker_service *sv, nsec now);
/* Queues o, at the end of its lane, or first. */
void offer_queue(struct workers *ws, struct worker_offer *o, bool first);
void offer_unqueue(struct workers *ws, struct worker_offer *o);
/* Finds a session for o, which is queued. */
void offer_match(struct worker_desk *d, struct worker_offer *o);
/* What s can take has changed: its place in the ready lists, and tasks for it. */
void session_serve(struct worker_desk *d, struct worker_session *s);
/* Sessions of a service have changed: offers that waited for others. */
void service_settle(struct worker_desk *d, struct worker_service *sv);

/* ---- lease.c -------------------------------------------------------------------------- */

/* On the home shard: a session was found for the offer of this task. */
void lease_begin(struct worker_desk *d, const struct uuid *task_id);
/* On any: tell the offer's home that its session is gone. */
void lease_tell_lost(struct worker_desk *d, struct worker_offer *o, const char *why);
/* On any: tell the offer's home of the match. */
void lease_tell_begin(struct worker_desk *d, struct worker_offer *o);
/* Under the lock.  The session's next answer has it; the reason is copied. */
struct worker_notice *notice_add(struct worker_desk *d, struct worker_session *s,
    const struct worker_notice *what, struct str reason);
void notice_free(struct worker_notice *n);
void outbox_drop(struct worker_task *t);

/* ---- poll.c ----------------------------------------------------------------------------- */

/* Something waits for the session's next answer. */
void poll_poke(struct worker_desk *d, struct worker_session *s);

/* ---- attempts.c --------------------------------------------------------------------------- */

void attempt_begin(struct workers *ws, struct worker_offer *o, msec now);
void attempt_end(struct worker_offer *o, const char *how, msec now);
void attempts_release(struct worker_service *sv);

#endif
