/*
 * run_fix.h - what the tests of whole runs share: a store, one or two shards
 * on threads of their own, a scripted model, tools that can be held, and
 * *ears*, which watch a run and remember what they heard.
 *
 * Tests run on their own thread and wait for conditions, never for time.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef UNIT_RUN_FIX_H
#define UNIT_RUN_FIX_H

#include <pthread.h>

#include "harness/test.h"
#include "llm/script.h"
#include "mail/host/office.h"
#include "run/run_priv.h"
#include "task/kinds.h"
#include "worker/desk.h"

struct fix;

struct desk {
	struct fix *f;
	struct shard *shard;
	struct store_reader *reader;
	struct llm *llm;
	struct runs *runs;
	struct office *office;               /* NULL: no messages between agents */
	struct worker_desk *work;            /* NULL: no workers */
};

struct fix {
	struct store *st;
	struct tools *tools;
	struct llm_script *script;
	struct agents *agents;
	struct runs_shared *sh;
	struct desk desks[2];
	unsigned n;
	const char *driver, *script_text;
	const char *definition;              /* of an agent beside the built-in one, which may
	                                        send messages; NULL: none */
	struct offices *offices;
	bool hosts;                          /* workers may come; of `definition` */
	struct workers *workers;
	int64_t fail_at;
	unsigned asked;                      /* a test's own, under the lock */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct arena arena;                  /* of what the helpers return */
};

/* driver "memory", or "sqlite" (file "db"); script: its rules. */
void fix_open(struct fix *f, const char *driver, unsigned desks, const char *script);
/* The nth write fails. */
void fix_open_failing(struct fix *f, const char *driver, unsigned desks,
    const char *script, int64_t fail_at);
/* With an agent of that definition, and offices. */
void fix_open_agents(struct fix *f, const char *driver, unsigned desks, const char *definition);
/* With workers, which serve that definition. */
void fix_open_workers(struct fix *f, const char *driver, unsigned desks, const char *definition);
/* The same, and the nth write fails. */
void fix_open_workers_failing(struct fix *f, const char *driver, unsigned desks,
    const char *definition, int64_t fail_at);
/* Everything stops where it is, as in a crash; and is opened and recovered. */
void fix_crash(struct fix *f);
void fix_close(struct fix *f);

/* Waits until `is` (asked under the lock, after every fix_changed). */
void fix_until(struct fix *f, bool (*is)(void *arg), void *arg, const char *what);
void fix_changed(struct fix *f);             /* under the lock */
void desk_do(struct desk *d, void (*fn)(struct desk *d, void *arg), void *arg);

struct ask {
	struct uuid thread;
	const char *input, *config;          /* input NULL: continue */
	const char *graph;                   /* NULL: agent */
	const char *command;
	unsigned modes;
	bool stateless, keep, resumable, no_create, cancel_on_gone;
	enum multitask multitask;
	enum durability durability;
};

struct ear {
	struct run_watch w;
	struct desk *d;
	struct buf text;                     /* all frames */
	bool started, ended, left;
	struct uuid thread_id, run_id;
	int rc;
	enum run_status status;
	struct buf values, error;
	struct err e;
};

#define HI "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\",\"id\":\"h1\"}]}"
#define SAY(text) "{\"messages\":[{\"role\":\"user\",\"content\":\"" text "\"}]}"

/* NULL: remember the text; else what hears frames instead. */
extern void (*ear_frames)(struct run_watch *w, struct sse_block *b);

int  ear_start(struct ear *x, struct desk *d, struct ask a);     /* streams */
int  ear_wait_start(struct ear *x, struct desk *d, struct ask a);        /* waits */
void ear_join(struct ear *x, struct desk *d, const struct ear *of, unsigned modes,
    int64_t after);
void ear_leave(struct ear *x);
void ear_free(struct ear *x);
int  order_cancel_and_wait(struct desk *d, const struct ear *of);

void ear_until_started(struct ear *x);
void ear_until_text(struct ear *x, const char *needle);
void ear_until_end(struct ear *x);           /* and checks that rc is OK */
bool ear_until_known(struct ear *x);         /* started (true) or ended */
void ear_until_any_end(struct ear *x);
void ear_until_rc(struct ear *x, int rc);    /* the end, with this rc */

/* "metadata values messages*3 ..." of what it heard. */
struct str ear_events(struct ear *x);
struct str ear_text(struct ear *x);
/* Frame ids are first, first + 1, ... */
void ear_check_ids(struct ear *x, int64_t first);
bool ear_has(struct ear *x, const char *needle);

/* Tools: "echo" answers at once and may be repeated; "note" may not and counts;
 * "gate" may not and waits for gate_open. */
void gate_until_held(struct fix *f, size_t n);
void gate_open(struct fix *f);
size_t note_count(void);

/* The thread's history, newest first. */
size_t history(struct fix *f, const struct uuid *thread,
    struct store_history_item **items);
struct store_run run_row(struct fix *f, const struct uuid *run_id);
struct store_thread thread_row(struct fix *f, const struct uuid *thread_id);
uint64_t commits(struct fix *f);
struct uuid thread_no(unsigned n);

#endif
