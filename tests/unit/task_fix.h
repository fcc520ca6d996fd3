/*
 * task_fix.h - what the tests of tasks share: a *bed*, the host of one task at a
 * time, with a clock of its own, a model, a store, tools and a journal.
 *
 * Whatever the task asks of the world is an *event* that waits until the test
 * lets it happen (bed_step), in the order it was asked for, or in any other.  A
 * crash throws the task away and all that was not committed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef UNIT_TASK_FIX_H
#define UNIT_TASK_FIX_H

#include "harness/test.h"
#include "task/task_priv.h"

enum bed_end { BED_RUNS, BED_DONE, BED_FAILED, BED_WAITS };

struct event;

struct bed_record { char *key, *name, *json; };      /* json NULL: started */
struct bed_item { char *key, *json; };
struct bed_answer { char *key; struct val value; };

struct bed {
	struct agent *agent;
	struct channels *state;
	struct tools *tools;
	struct task_host host;
	struct task_defaults defaults;
	const struct task_limits *limits;    /* or NULL */
	bool counts;                         /* a budget wants to know what is spent */
	struct task *task;
	struct val config, input;
	struct uuid id;
	msec now;
	bool deltas;                         /* somebody reads them */
	bool no_journal;
	/* events that wait */
	struct event **events;
	size_t events_n, events_cap;
	size_t happened;                     /* in all attempts */
	/* what outlives an attempt */
	struct bed_record *journal;
	size_t journal_n, journal_cap;
	struct bed_item *items;
	size_t items_n, items_cap;
	struct bed_answer *answers;
	size_t answers_n, answers_cap;
	/* how the attempt ended */
	enum bed_end end;
	struct buf text;                     /* "done RESULT [[channel, value], ...]",
	                                        "failed NAME EVENT MESSAGE", "waits KEY
	                                        VALUE ..." */
	struct buf told;                     /* emit, tool, stream: a line each */
	size_t asked;                        /* times a model was asked */
	size_t notes;                        /* calls of the tool note that were made */
	/* The model: appends a message without its id to out; false: it fails. */
	bool (*model)(struct bed *b, const struct llm_request *q, struct buf *out);
	struct buf request;                  /* the last one: model|system|messages|tools */
	enum child_end child_end;            /* of children */
	const char *http_hosts, *page, *page_type;
	uint64_t seed;
};

/* echo repeats its arguments; note must not run twice, and counts; broken fails;
 * hidden is of the group secret. */
#define BED_TOOLS 4
extern const struct tool bed_tools[BED_TOOLS];
extern struct bed *bed_noted;                /* who counts */
/* The model that repeats the last message. */
bool bed_parrot(struct bed *b, const struct llm_request *q, struct buf *out);

/* agent: YAML or JSON. */
void bed_open(struct bed *b, const char *agent);
void bed_close(struct bed *b);
void bed_set(struct bed *b, const char *channel, const char *json);
void bed_config(struct bed *b, const char *json);

void bed_start(struct bed *b, const char *node);     /* an attempt */
bool bed_step(struct bed *b);                /* the first event; false: none waits */
bool bed_step_at(struct bed *b, size_t i);
void bed_run(struct bed *b, const char *node);       /* to the attempt's end */
void bed_crash(struct bed *b, size_t lost);  /* the last so many records are lost */
void bed_answer(struct bed *b, const char *key, const char *json);

/* b->text with UUIDs as '*'. */
struct str bed_text(struct bed *b);
bool bed_told(struct bed *b, const char *needle);
/* A whole attempt of this agent's node `n`; the text must be this. */
void check_work(const char *agent, const char *text);
uint32_t bed_random(struct bed *b, uint32_t below);

#endif
