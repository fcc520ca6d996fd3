/*
 * hook.h - messages for servers of others, in the store: what is to be sent, and what
 * became of it (hooks.c).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_HOOK_H
#define STORE_HOOK_H

#include "store/store.h"

/* ---- commands ------------------------------------------------------------------- */

/* A message for a server of somebody else: a row until HOOK_SET says that it is over. */
struct store_hook_put {
	struct store_cmd cmd;
	int64_t thread_seq;                  /* it goes with this thread; 0: with none */
	struct uuid id;
	struct str url, headers, body;
	msec now;
};

struct store_hook_set {
	struct store_cmd cmd;
	int64_t seq, thread_seq;             /* of the row */
	bool over;                           /* the row goes; else: */
	int64_t tries;
	msec due;
};

/* Of several nodes one sends a row: it is the one whose command still finds it due at
 * `due`, and it is due again later, unless it is done with by then.  ERR_CONFLICT:
 * another has it. */
struct store_hook_take {
	struct store_cmd cmd;
	int64_t seq;
	msec due, later;
};

/* A run tells a client of A2A of its end; both empty: not any more.  ERR_CONFLICT: there
 * is no such run, or it has a webhook of another kind. */
struct store_run_push {
	struct store_cmd cmd;
	struct uuid run_id;
	struct str url, push_json;
};

/* ---- point reads ------------------------------------------------------------------ */

/* Messages for servers of others.  of_run: a webhook, whose body is made of `run` as it
 * ended and of the values at `checkpoint`. */
struct store_hook {
	int64_t seq, thread_seq;             /* thread_seq 0: none */
	owner_t owner;
	struct uuid id;
	struct str url, headers, body;
	struct str push_json;                /* of a run; or empty */
	int64_t tries;                       /* that failed */
	msec due;
	bool of_run, rolled_back;
	struct store_run run;
	msec started, ended;                 /* started 0: it did not */
	struct uuid checkpoint;              /* zero: there was none */
};
/* The scheme, host and port for which rows are there, the next one after `after` in the
 * order of their bytes.  ERR_NOTFOUND: there is none. */
int store_hook_receiver(struct store_reader *r, struct str after, struct arena *a,
    struct str *out);
/* Of a run; empty: none.  ERR_NOTFOUND: no such run. */
int store_run_push_get(struct store_reader *r, owner_t o, const struct uuid *run_id,
    struct arena *a, struct str *out);
int store_hooks_due(struct store_reader *r, struct str receiver, msec now, size_t max,
    struct arena *a, struct store_hook **out, size_t *n);
/* One of them.  ERR_NOTFOUND: it has gone. */
int store_hook_get(struct store_reader *r, int64_t seq, struct arena *a,
    struct store_hook *out);
/* When the first that is not due yet is; INT64_MAX: there is none. */
int store_hook_next(struct store_reader *r, msec now, msec *out);
/* Is there such a row, or a run under way that will leave one? */
int store_hooks_wanted(struct store_reader *r, bool *out);

#endif
