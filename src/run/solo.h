/*
 * solo.h - an agent run by itself: no server, no database, one thread.  For the
 * terminal (`cohort agent run`) and for the tests of agents' files.
 *
 * It is the same core and the same kinds of work; what they keep is in memory,
 * and what they ask of the world is answered here or by the caller.  A run that
 * waits for a person asks the caller and goes on, as a thread does that is resumed.
 *
 * Threads: the shard's, which has no other work.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_SOLO_H
#define RUN_SOLO_H

#include "agent/agent.h"
#include "llm/llm.h"
#include "run/event.h"
#include "tools/tools.h"

enum solo_end {
	SOLO_SUCCESS,
	SOLO_ERROR,
	SOLO_INTERRUPTED,                    /* a question that was not answered */
	SOLO_LISTENS,                        /* it waits for messages, and none come */
	SOLO_STUCK                           /* made again: the record has no more */
};

/* What the world gave to a run, as its transcript has it. */
struct solo_tape {
	struct val request;                  /* what was asked: input, config, command, ... */
	struct uuid run_id;
	const struct val *entries;           /* in order, as JSON */
	size_t n;
};

struct transcript;

struct solo_options {
	struct agents *agents;               /* linked; agent is one of them */
	const struct agent *agent;
	struct val input;                    /* an object; checked as a client's */
	struct val config, context;          /* objects; UNDEF: none */
	struct shard *shard;
	struct llm *llm;                     /* NULL: only what the file scripts */
	struct str model;                    /* where neither file nor config names one */
	const struct tools *tools;
	struct mcp *mcp;                     /* NULL: no MCP servers */
	bool instant;                        /* the clock jumps to what is due next */
	/* Each event, in order; may be NULL. */
	void (*told)(void *ctx, const struct run_event *ev);
	/* A model's answer instead of llm's: text or a message, owned by the taker.
	 * UNDEF: there is none, and the call fails.  May be NULL. */
	struct val (*reply)(void *ctx, const struct llm_request *q);
	/* A model of llm's has answered: what it is billed for; may be NULL. */
	void (*billed)(void *ctx, const struct llm_usage *u);
	/* What waits: {id, value}; UNDEF: a breakpoint.  True: *answer (owned by the
	 * taker; of a breakpoint nothing) is given. */
	bool (*ask)(void *ctx, struct val interrupt, struct val *answer);
	/* Messages of other agents.  Is there one at an address?  NULL: nobody can be
	 * written to. */
	bool (*reach)(void *ctx, struct str address);
	/* One was sent: an object as mail/acl.h has it. */
	void (*sent)(void *ctx, struct val message);
	/* The next that comes when it has nothing else to do, owned by the taker; UNDEF:
	 * there is none.  NULL: none ever come. */
	struct val (*letter)(void *ctx);
	void *ctx;
	/* A transcript is kept here; NULL: none.  What it has is taken by `noted`. */
	struct transcript *transcript;
	void (*noted)(void *ctx, struct transcript *t);
	/* Each checkpoint with its values; may be NULL. */
	void (*stands)(void *ctx, struct str ns, const struct uuid *id, struct val values);
	/* For solo_replay: the state before the first run; values UNDEF: none. */
	struct { struct val values; struct uuid id; int step; } start;
};

struct solo_result {
	enum solo_end end;
	struct val values;                   /* the state as clients see it; the caller drops it */
	struct str error, message;           /* of ERROR; in text */
	struct buf text;                     /* the caller releases it */
};

/* ERR_INVALID: what is asked is wrong, with its path. */
int  solo_run(const struct solo_options *o, struct solo_result *out, struct err *e);
void solo_release(struct solo_result *r);
/* Makes runs of one thread again, one after the other: each gets what its record has,
 * on a clock of the record.  Of o: agents, agent, shard, tools, transcript, noted, stands,
 * start.  `out` is the last one's; *done: runs that came to an end. */
int  solo_replay(const struct solo_options *o, const struct solo_tape *tapes, size_t n,
    size_t *done, struct solo_result *out, struct err *e);

#endif
