/*
 * desk.h - the side of the workers: registering, polling, calls about tasks, and what
 * operators see.  For the routes; code that offers work needs worker.h only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORKER_DESK_H
#define WORKER_DESK_H

#include "worker/worker.h"

/* ---- registering -------------------------------------------------------------- */

/* The ids a key may serve; n 0: any. */
struct worker_may { const struct str *ids; size_t n; };

/* Reads a registration: in->arena, in->key are set; texts are copied.  e names the place.
 * ERR_DENIED: an id is not in `may`. */
int  worker_intake_read(struct worker_intake *in, jnode body, struct worker_may may,
    struct err *e);
/* Ends with in->done, now or later, on d's shard: with ERR_CONFLICT and why, ERR_LIMIT,
 * or what the hook of the graphs said.  d: of this shard. */
void workers_register(struct worker_desk *d, struct worker_intake *in);
/* After in->ask, on d's shard: what the other nodes said.  It goes on, or ends. */
void workers_names_asked(struct worker_intake *in, int rc, const char *why, const struct err *e);
/* Another node registers it: is a name of it served here, or about to be, by a worker of another
 * key?  ERR_CONFLICT and why.  OK: a worker of its build is expected there. */
int  workers_names_free(struct worker_desk *d, const struct worker_intake *in, const char **why,
    struct err *e);
bool worker_intake_has_graphs(const struct worker_intake *in);
/* The body of a question: `in` without what is not needed for it. */
void worker_intake_question(const struct worker_intake *in, enum intake_asks asks, struct buf *b);
msec workers_lease(const struct workers *ws);
msec workers_poll_wait(const struct workers *ws);

/* ---- polling -------------------------------------------------------------------- */

struct worker_poll {
	int64_t free[WORKER_SLOTS];
	void (*answered)(struct worker_poll *p);     /* text has "tasks", "quiet", "cancel" */
	void *ctx;
	struct buf text;                     /* released by the caller */
	bool stopping;                       /* the server ends */

	/* private */
	struct worker_desk *desk;
	struct worker_session *session;      /* NULL: it is over */
	uint64_t serial;
	struct wheel_timer timer;
};

/* ERR_NOTFOUND: no such worker (it registers again); ERR_DENIED: it is of another key;
 * ERR_BUSY: the server is stopping.  OK: answered is called once, in this call or later,
 * unless worker_poll_leave comes first. */
int  workers_poll(struct worker_desk *d, struct worker_poll *p, const struct uuid *worker_id,
    const uint8_t key[SHA256_SIZE], struct err *e);
void worker_poll_leave(struct worker_poll *p);       /* the client is gone */

/* The worker goes: what it has is lost at once.  Errors as workers_poll. */
int  workers_leave(struct worker_desk *d, const struct uuid *worker_id,
    const uint8_t key[SHA256_SIZE], struct err *e);
/* It gets no more tasks, and is told to leave when its own are done.  ERR_NOTFOUND. */
int  workers_quiet(struct worker_desk *d, const struct uuid *worker_id, struct err *e);

/* ---- calls about tasks ----------------------------------------------------------- */

/* Refuses unknown members, and a list that is not an array; the values of the members are
 * checked by their reader.  named: a saver has `thread_id`. */
int  worker_body_check(enum worker_verb verb, jnode body, bool named, struct err *e);

/* c has verb, body, text, task_id, token, key, done; ends with c->done, now or later.
 * c->rc < 0: the body is refused, for c->err; told only to a caller with the token.  c->out is
 * released by the caller. */
void workers_call(struct worker_desk *d, struct worker_call *c);

/* ---- what operators see ------------------------------------------------------------ */

/* Appends the objects of all workers, or of one (ERR_NOTFOUND), comma between. */
void workers_add_list(struct workers *ws, nsec now, struct buf *b);
int  workers_add_one(struct workers *ws, const struct uuid *worker_id, nsec now, struct buf *b,
    struct err *e);

/* Attempts, newest first, comma between; fields that are empty match all. */
struct worker_log_query { struct str name, worker_id; struct uuid run_id; size_t limit; };
void workers_add_log(struct workers *ws, const struct worker_log_query *q, struct buf *b);

struct worker_figures {
	uint64_t live, free_run, free_node, waiting, leases, polls;     /* now */
	uint64_t offers, lost, events, calls, poll_waits, conflicts;    /* since the start */
};
void workers_figures(struct workers *ws, struct worker_figures *f);
void workers_count_events(struct workers *ws, uint64_t n);       /* any thread */

#endif
