/*
 * office_fix.h - what the tests of the office share: a few shards with threads of their
 * own and an office each, one set of agents, and calls that wait for their answer.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef UNIT_OFFICE_FIX_H
#define UNIT_OFFICE_FIX_H

#include <pthread.h>

#include "harness/test.h"
#include "mail/host/external.h"
#include "mail/host/office.h"
#include "net/shard.h"

#define DESKS_MAX 4

struct office_desk {
	struct office_fix *f;
	unsigned id;
	struct shard *shard;
	struct store_reader *reader;
	struct office *office;
};

struct office_fix {
	unsigned n;
	struct store *st;
	struct agents *agents;
	struct offices *all;
	struct office_desk desks[DESKS_MAX];
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* The last answer. */
	int rc;
	struct err e;
	struct uuid id;
	uint32_t letters;
	struct uuid message_id;
};

/* What a test has on each desk beside the office, on its shard: made before agents are recovered,
 * drained and freed after the office. */
struct office_extra {
	void (*open)(struct office_desk *d);
	void (*drain)(struct office_desk *d, void (*done)(void *ctx), void *ctx);
	void (*close)(struct office_desk *d);
};
extern const struct office_extra *office_extra;      /* NULL: nothing */

/* texts: definitions (SCXML or YAML), NULL-ended; each one's id is in it. */
void office_fix_open(struct office_fix *f, unsigned desks, const char *const *texts);
void office_fix_close(struct office_fix *f);
/* The server stops and starts: new offices on the same store. */
void office_fix_restart(struct office_fix *f);

/* Runs on the desk's shard and waits until it has. */
void office_do(struct office_fix *f, unsigned desk, void (*run)(struct office_desk *d, void *arg),
    void *arg);
/* Waits, with f->lock held while it is asked; whoever changes something says so. */
void office_until(struct office_fix *f, bool (*is)(void *arg), void *arg);
void office_changed(struct office_fix *f);
/* Until the books say that nothing is pending; checks that they balance each time. */
void office_quiet(struct office_fix *f);
struct office_stats office_stats_of(struct office_fix *f);

/* Each waits for its answer and returns it. */
int  office_spawn_wait(struct office_fix *f, unsigned desk, const struct office_spec *s,
    struct uuid *id);
int  office_stop_wait(struct office_fix *f, unsigned desk, owner_t owner, const char *name,
    bool drain, msec deadline);
/* From the agent of that name, or from a client (NULL). */
int  office_send_wait(struct office_fix *f, unsigned desk, owner_t owner, const char *from,
    const struct acl *m);
int  office_dead_wait(struct office_fix *f, unsigned desk, owner_t owner, const struct uuid *id,
    bool drop, size_t *letters);
/* to, act, content: the usual rest. */
int  office_say(struct office_fix *f, unsigned desk, owner_t owner, const char *from,
    const char *to, enum acl_act act, const char *content);
/* The state of an agent, -1: it is gone; its shown figures to *out (texts are gone). */
int  office_state(struct office_fix *f, unsigned desk, owner_t owner, const char *name,
    struct office_shown *out);

/* ---- a client's mailbox ------------------------------------------------------------ */

struct inbox {
	struct external_reader r;
	struct office_fix *f;
	size_t n, opened, acked;
	int rc, ended;
	bool ack_done;
	enum acl_act act;
	struct uuid last;                    /* message_id */
	char content[200], sender[200];
	char all[200];                       /* contents, one after another */
};

/* Reads the agent's mailbox from a desk, until it is closed there or ended. */
void inbox_close(struct office_fix *f, unsigned desk, struct inbox *x);
void inbox_open(struct office_fix *f, unsigned desk, struct inbox *x, const char *agent);
bool inbox_ended(void *inbox);
bool inbox_has_one(void *inbox);
/* The agent "ann" of owner 1, read at desk 0. */
void spawn_ann(struct office_fix *f, struct inbox *in);

/* ---- definitions ------------------------------------------------------------------- */

extern const char *const office_texts[];     /* of the tests; echo, manager, ... */
struct office_spec chart(const char *name);  /* of owner 1, an echo */
struct office_spec agent_of(const char *name, const char *graph);

#endif
