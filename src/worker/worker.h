/*
 * worker.h - work for other processes, which pull it: who serves what, what waits, and who
 * holds it until when.
 *
 * An offer is a piece of work of a shard (its home).  It waits in a queue of its name until a
 * session (one worker process) that serves the name polls with a free slot; then it is leased
 * to that session under a random token, which every further request about the task must show.
 * A lease ends by worker_call END and workers_withdraw, or is lost: the worker was silent for
 * the time of a lease, left, or went on after a cancel.  A task id is of one attempt: what
 * comes late names a task that no longer exists, and is refused.
 *
 *   queued --matched--> taken --(deliver)--> leased --withdraw--> (the caller's again)
 *     ^                   |                    |
 *     +--- not sent ------+--------lost--------+--> lost(): the caller's again
 *
 * This room does not depend on runs, threads, checkpoints or HTTP: the routes pass it polls and
 * calls, callers that offer work pass it texts and hooks.
 *
 * Threads: the registry is one locked structure; an offer, its lease and its hooks belong to
 * the home shard; a poll and a call to the shard whose request they are.  Functions that take
 * `struct workers` may be called from any thread, the others on the shard of what they take.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include "base/arena.h"
#include "base/hmac.h"
#include "base/id.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/list.h"
#include "base/rc.h"
#include "net/courier.h"
#include "net/shard.h"
#include "store/store.h"

struct workers;                              /* one a process */
struct worker_desk;                          /* one a shard */
struct worker_build;
struct worker_call;
struct worker_lane;
struct worker_notice;
struct worker_service;
struct worker_session;
struct worker_task;

struct workers_options {
	unsigned shards;
	msec lease, poll;                    /* without a sign a task is lost; a poll waits */
	msec grace;                          /* from a cancel to the end of the lease */
	msec sticky;                         /* that an offer waits for the worker it prefers,
	                                        or for one of the newest build */
};

#define WORKER_OPTIONS ((struct workers_options){ .shards = 1, .lease = 20000, .poll = 25000, \
	.grace = 10000, .sticky = 1000 })

struct workers *workers_new(const struct workers_options *o);
void workers_free(struct workers *ws);       /* after every desk */
/* On the shard's thread, before its first offer or poll. */
struct worker_desk *worker_desk_new(struct workers *ws, struct shard *s);
/* Answers the polls and takes no new ones; offers stay queued. */
void worker_desk_drain(struct worker_desk *d);
void worker_desk_free(struct worker_desk *d);        /* it has no offer and no call */
struct workers *worker_desk_workers(struct worker_desk *d);

/* ---- offering work ---------------------------------------------------------- */

enum worker_kind { WORKER_RUN, WORKER_STATE_UPDATE, WORKER_NODE, WORKER_TOOL, WORKER_KINDS };
const char *worker_kind_name(enum worker_kind k);        /* "state_update" */

/* Places for tasks: of runs, and of all the others, which are short. */
enum worker_slot { WORKER_SLOT_RUN, WORKER_SLOT_NODE, WORKER_SLOTS };

/* Who took it; texts live as long as the lease. */
struct worker_who { struct str worker_id, build, name; };

struct worker_offer;

struct worker_hooks {                        /* on the home shard */
	/* A worker will get it.  False: it is kept back until workers_deliver, or it was
	 * withdrawn.  Comes again, with a new task id, if the worker went before it was sent:
	 * then no attempt was made. */
	bool (*taken)(struct worker_offer *o, const struct worker_who *w);
	/* A request that shows the token; the lease is renewed.  Answer it once, now or later,
	 * with worker_call_answer - also after the offer has ended. */
	void (*call)(struct worker_offer *o, struct worker_call *c);
	/* The token is void; the offer is the caller's again.  why: "silent", "left",
	 * "cancelled". */
	void (*lost)(struct worker_offer *o, const char *why);
};

enum worker_offer_state { WORKER_IDLE, WORKER_QUEUED, WORKER_MATCHED, WORKER_HELD,
	WORKER_LEASED };

#define WORKER_TOKEN_CHARS 32                /* 128 random bits, hex */

/* Embedded in the caller's struct, zeroed but for the public part. */
struct worker_offer {
	enum worker_kind kind;
	struct str name;                     /* graph id, node or tool; texts live until it ends */
	owner_t owner;
	struct uuid run_id, thread_id;       /* zero: none */
	struct uuid task_id;                 /* set by workers_offer; new with each attempt */
	unsigned attempt;                    /* from 1 */
	bool again;
	bool newest;                         /* only for a worker of the newest build */
	struct str build;                    /* of this one, while a worker of it lives; empty:
	                                        the newest for a while, then any */
	struct str prefer;                   /* worker_id, for a while; empty: any */
	struct str members;                  /* of the Task beside those above: `"input":..,
	                                        "config":..`, no comma at the ends */
	const struct worker_hooks *hooks;

	/* private; the home shard's */
	struct worker_desk *home;
	char token[WORKER_TOKEN_CHARS];
	msec until, began;                   /* Unix time: of the lease, of the attempt */
	struct wheel_timer lease, patience, grace;
	struct list calls;                   /* that are not answered yet */
	bool cancelled, rollback;
	struct str reason;                   /* owned */
	/* private; under the lock of the registry */
	_Atomic(enum worker_offer_state) state;
	struct list in_lane, in_session;
	struct worker_service *service;
	struct worker_lane *lane;
	struct worker_build *pin;
	struct worker_session *session;
	struct worker_task *task;            /* in the outbox of the session */
	struct worker_notice *notice;        /* of the cancel, not told yet */
	uint64_t attempt_seq;                /* in the service's log */
	nsec patient;                        /* prefers until then */
};

/* Queues it.  ERR_LIMIT: too many offers wait (nothing was queued). */
int  workers_offer(struct worker_desk *d, struct worker_offer *o, struct err *e);
/* A task that taken() kept back is sent now, and the lease begins.  Nothing happens if its
 * worker has gone meanwhile: taken() comes again. */
void workers_deliver(struct worker_offer *o);
/* Ends it in any state: the token is void, no hook follows.  how: of the log of attempts,
 * "success", "interrupted", "error", "cancelled", ...  From hooks too; idle: nothing. */
void workers_withdraw(struct worker_offer *o, const char *how);
/* The worker is notified with answers, and at once if it polls; after the grace the lease is
 * lost ("cancelled").  One that is queued is lost at once, in a later turn.  Once. */
void workers_cancel(struct worker_offer *o, bool rollback, struct str reason);

enum worker_verb { WORKER_EVENTS, WORKER_SAVER, WORKER_STORE, WORKER_END };
const char *worker_verb_name(enum worker_verb v);        /* "events" */

/* One request about a task. */
struct worker_call {
	enum worker_verb verb;
	jnode body;                          /* an object; good until it is answered */
	struct str text;                     /* the same as it came */

	/* of the request's side (desk.h) */
	struct worker_desk *from;
	struct uuid task_id;
	struct str token;                    /* as it came; good until done */
	uint8_t key[SHA256_SIZE];            /* who asks; zeros: nobody, auth is off */
	void (*done)(struct worker_call *c); /* on the shard of the request: rc, err, why, out */
	void *ctx;                           /* of done */
	int rc;
	struct err err;
	const char *why;                     /* `reason` of a failure; NULL: none */
	struct buf out;                      /* members of the answer */

	/* private */
	struct parcel parcel;                /* to the home and back */
	struct worker_desk *home;
	struct worker_offer *offer;          /* while it is leased */
	struct list in_offer;
	char shown[WORKER_TOKEN_CHARS];      /* the token, if it is the right one */
};

/* Once, on the home shard.  members: of the answer's object beside lease_until, cancel and now;
 * no comma at the ends; copied.  rc < 0: e says why; ERR_BUSY: the worker tries again. */
void worker_call_answer(struct worker_call *c, int rc, struct str members, const struct err *e);

/* ---- several nodes ------------------------------------------------------------ */

/* Names of workers and tasks that are given from now on tell the node; 0: they do not.  Any
 * thread. */
void workers_set_node(struct workers *ws, int64_t node);
/* The node that a worker_id or task_id tells; any number, if it was not given so. */
int64_t worker_name_node(const struct uuid *id);

/* ---- asking ----------------------------------------------------------------- */

/* Sessions that serve it and are not quiet, of all nodes. */
unsigned workers_serving(struct workers *ws, enum worker_kind kind, struct str name);
/* Sessions that are quiet too, and registrations under way; of this node, or of all. */
unsigned workers_attached(struct workers *ws, enum worker_kind kind, struct str name,
    bool anywhere);

/* What was last registered of a node or a tool; kept when its worker has left.  Texts in the
 * arena.  False: nobody has registered it. */
struct worker_facts {
	struct str name, description;
	struct str schema_json;              /* of its arguments or input; empty: none */
	bool idempotent;
	msec timeout;                        /* 0: none was told */
};
bool workers_find(struct workers *ws, enum worker_kind kind, struct str name,
    struct arena *arena, struct worker_facts *out);

/* Names that no worker may take: of agents and tools that are the server's own. */
void workers_set_reserved(struct workers *ws,
    bool (*is)(void *ctx, enum worker_kind kind, struct str name), void *ctx);
/* At boot: a graph that was registered earlier, by this key (worker_key_text).  Another key
 * may not take it, unless the first is not valid any more. */
void workers_claim(struct workers *ws, struct str graph_id, struct str key);
void workers_unclaim(struct workers *ws, struct str graph_id);
void workers_set_keys(struct workers *ws,
    bool (*valid)(void *ctx, const uint8_t key[SHA256_SIZE]), void *ctx);

/* ---- registering ------------------------------------------------------------- */

enum worker_served_kind { SERVED_GRAPH, SERVED_RUN, SERVED_NODE, SERVED_TOOL, SERVED_KINDS };

struct worker_served {
	enum worker_served_kind kind;
	struct worker_facts facts;           /* name: a graph's or run's id */
	struct str json;                     /* as it came: all members */
};

/* What a node asks all others when a worker registers. */
enum intake_asks {
	INTAKE_NAMES = 1,                    /* are they free? */
	INTAKE_GRAPHS                        /* answer when they are published */
};

/* A registration on its way.  Texts are in its arena. */
struct worker_intake {
	struct worker_desk *desk;            /* of the shard whose request it is */
	uint8_t key[SHA256_SIZE];            /* whose; zeros: nobody's, auth is off */
	struct str name, build, lang;
	int64_t slots[WORKER_SLOTS];
	struct worker_served *served;
	size_t served_n;
	struct arena arena;
	/* of the request's side (desk.h) */
	void (*done)(struct worker_intake *in, int rc, const char *why, const struct err *e);
	/* When the names are reserved here; NULL: no other node is asked for them. */
	void (*ask)(struct worker_intake *in);
	void *ctx;
	int64_t asked;                       /* another node's question: enum intake_asks; or 0 */
	struct uuid worker_id;               /* set when it was entered */
};

/* Appends how a key is written in claims: hex, or nothing. */
void worker_key_text(struct buf *b, const uint8_t key[SHA256_SIZE]);

/* Called on the request's shard when names are reserved and before the worker is answered:
 * publish and persist the graphs and runs (those that are new or changed), then
 * workers_graphs_done, on this shard, now or later. */
typedef void workers_graphs(void *ctx, struct worker_intake *in);
void workers_on_graphs(struct workers *ws, workers_graphs *fn, void *ctx);
void workers_graphs_done(struct worker_intake *in, int rc, const struct err *e);

#endif
