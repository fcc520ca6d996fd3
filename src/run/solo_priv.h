/*
 * solo_priv.h - the inside of a run by itself.
 *
 *   solo.c        the run: what is asked, its tasks, its clock, its end
 *   solo_host.c   what a task may reach
 *   solo_replay.c the world of a run that is made again
 *   solo_mail.c   messages of other agents, as the caller scripts them
 *   solo_keep.c   what a store would keep: checkpoints, writes, questions, items
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_SOLO_PRIV_H
#define RUN_SOLO_PRIV_H

#include "base/arena.h"
#include "base/wheel.h"
#include "run/config_priv.h"
#include "run/note.h"
#include "run/scope_priv.h"
#include "run/solo.h"
#include "task/task.h"

/* ---- what is kept (solo_keep.c) ---------------------------------------------- */

/* The newest checkpoint of a namespace, and what its tasks have left. */
struct kept_task {
	struct uuid id;
	uint64_t serial;                     /* of a chart's invoke */
	char *name;
	bool done;
	struct core_name_value *writes; size_t writes_n;
	struct task_record *records; size_t records_n;
};
struct kept_state {
	char *ns;
	struct uuid id, parent;
	int step;
	enum checkpoint_source source;
	struct buf snapshot;
	struct core_name_value *values; size_t values_n;
	struct core_name_value *carried; size_t carried_n;
	struct kept_task *tasks; size_t tasks_n;
};
struct kept_item { char *ns, *key; struct val value; msec created, updated; };

struct keep {
	struct kept_state **states; size_t states_n, states_cap;
	struct core_interrupt *asked; size_t asked_n, asked_cap;      /* texts owned */
	struct kept_item *items; size_t items_n, items_cap;
};

void keep_release(struct keep *k);
void keep_checkpoint(struct keep *k, const struct core_checkpoint *c);
void keep_writes(struct keep *k, const struct core_task *t, bool failed);
void keep_records(struct keep *k, const struct core_task *t, const struct task_record *r,
    size_t n);
void keep_carry(struct keep *k, const struct core_task *t, struct str name,
    struct val value);
void keep_drop(struct keep *k, const struct core_task *t);
void keep_interrupt(struct keep *k, const struct core_interrupt *i);
void keep_answer(struct keep *k, const struct core_interrupt *i, struct val value);
/* The question that waits and times out first; NULL: none has a time limit. */
const struct core_interrupt *keep_first_due(const struct keep *k);
void keep_void(struct keep *k);              /* questions of what is no head any more */
/* A copy, to be freed; NULL: there is none. */
struct core_saved *keep_load(const struct keep *k, struct str ns);
void keep_saved_free(struct core_saved *s);
/* The root's state before the first run. */
void keep_start(struct keep *k, struct val values, const struct uuid *id, int step);
/* The items of a store; done is called at once. */
void keep_store(struct keep *k, struct task_store *s, msec now);

/* ---- the run (solo.c) ----------------------------------------------------------- */

struct solo_task {
	struct solo *solo;
	struct core_task *core;              /* NULL once it has ended */
	struct task *task;
	struct event_task shown;
	char *call_id;                       /* of the tool call that was told last */
	struct solo_task *next;
};

/* A call of a model that the caller answers, or a timer of the clock that jumps. */
struct solo_call {
	struct llm_hooks hooks;
	struct val reply;
	struct solo_call *next;
};
struct solo_timer {
	struct wheel_timer wheel;            /* of the real clock */
	struct solo *solo;
	struct task_timer *t;
	msec due;
	struct solo_timer *next;
};

struct solo {
	const struct solo_options *o;
	const struct task_host *host;
	struct replay *replay;               /* NULL: the world is there */
	struct plan *plan;
	struct core *core;
	struct keep keep;
	struct uuid run_id;
	struct core_interrupt *waiting;      /* as the core asked for them */
	struct solo_task *tasks, *ready, **ready_end, *dead;
	struct solo_call *calls;             /* to be answered, in order */
	struct solo_timer *timers;           /* of the clock that jumps, by time */
	struct wheel_timer wake;             /* when a chart's event falls due */
	msec now;                            /* instant: wall */
	unsigned asked;                      /* answers of models under way */
	uint32_t streams;
	struct val spawned;                  /* agents: lists of their addresses */
	bool over;
	struct solo_result *result;
};

extern const struct task_host solo_host;
void solo_tell(struct solo_task *t, struct run_event *ev);
struct run_event solo_event(const struct solo_task *t, enum event_kind kind);
void solo_task_close(struct solo_task *t);
msec solo_now(const struct solo *s);
struct note solo_note(const struct solo *s);         /* to a transcript that may be off */
struct note solo_task_note(const struct solo_task *t);

/* ---- MCP servers (solo_mcp.c) ---------------------------------------------------- */

void solo_mcp_list(void *ctx, struct task_mcp *m);
void solo_mcp_call(void *ctx, struct task_mcp *m);
void solo_mcp_stop(void *ctx, struct task_mcp *m);

/* ---- messages (solo_mail.c) ------------------------------------------------------ */

int  solo_mail(struct solo *s, const struct run_event *at, const struct task_mail *m,
    size_t *receivers, struct err *e);
int  solo_mail_send(void *ctx, const struct task_mail *m, size_t *receivers, struct err *e);
/* Of struct task_host: agents are noted, and answer nothing. */
void solo_peer(void *ctx, struct task_peer *p);
void solo_peer_forget(void *ctx, struct task_peer *p);
void solo_hear(struct solo *s, struct val message);  /* one comes */
/* Gives the next message, or sees that none will come (s->over); false: it is not
 * what the run waits for. */
bool solo_mail_next(struct solo *s);

/* ---- made again (solo_replay.c) -------------------------------------------------- */

struct replay *replay_new(const struct solo_tape *tape);
void replay_free(struct replay *r);
void replay_clear(struct replay *r);         /* what nobody waits for any more */
struct uuid replay_new_id(struct replay *r, struct str ns, int step);
/* Gives what comes next in the record; false: nothing is left that is waited for. */
bool replay_next(struct solo *s);
/* How many got the next message that it sends. */
size_t replay_sent(struct solo *s);
struct task_host replay_host(const struct tools *tools);
void solo_call_free(struct solo_call *c);

#endif
