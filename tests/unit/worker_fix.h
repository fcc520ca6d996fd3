/*
 * worker_fix.h - workers and offers by hand, on one shard whose turns the test takes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef UNIT_WORKER_FIX_H
#define UNIT_WORKER_FIX_H

#include "harness/test.h"
#include "worker/desk.h"

/* One offer, and what its hooks saw. */
struct job {
	struct worker_offer offer;
	int taken, calls, lost;
	bool hold;                           /* taken() keeps it back */
	const char *why;                     /* of the last loss */
	struct str worker;                   /* that took it */
	char id[UUID_TEXT];                  /* when it was taken */
	char token[WORKER_TOKEN_CHARS];
	bool end;                            /* a call of END withdraws it */
};

/* A poll, and its answer. */
struct asked {
	struct worker_poll poll;
	bool answered;
	struct json_doc doc;                 /* of the answer */
};

struct place {
	struct workers *ws;
	struct shard *shard;
	struct worker_desk *desk;
	struct wheel_timer tick;             /* so that a turn comes every millisecond */
};

void place_open(struct place *p, const struct workers_options *o);
void place_close(struct place *p);

/* Registers one that serves what `what` says, as in "'graphs':[{'id':'g'}]", with ' for ". */
int  place_register(struct place *p, const char *what, const char *build, uint8_t key,
    struct uuid *id, const char **why, struct err *e);
struct uuid worker_new(struct place *p, const char *what, const char *build);

void job_offer(struct place *p, struct job *j, const char *name, owner_t owner);
void ask(struct place *p, struct asked *a, const struct uuid *id, int64_t run, int64_t node);
void ask_key(struct place *p, struct asked *a, const struct uuid *id, int64_t run, int64_t node,
    uint8_t key, int rc);
/* Turns until it is answered; then how many tasks it has. */
size_t answer_tasks(struct place *p, struct asked *a);
jnode answer_task(struct asked *a, size_t i);
void asked_end(struct asked *a);
void place_wait(struct place *p, msec ms);      /* turns for so long */
/* Turns until the condition. */
#define TURNS_UNTIL(p, condition) do { while (!(condition)) shard_turn((p)->shard); } while (0)

/* A call with this task id and token; its code, *why its reason. */
int  call_about(struct place *p, enum worker_verb verb, struct str id, struct str token,
    uint8_t key, const char *body, const char **why, struct buf *answer);

extern const struct worker_hooks job_hooks;

#endif
