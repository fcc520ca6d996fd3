/*
 * eval_run.h - an eval being run: cases by several threads, each with an agent, a
 * model and a shard of its own; or by a server.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_EVAL_RUN_H
#define MAIN_EVAL_RUN_H

#include "eval/result.h"
#include "main/agent_solo.h"
#include "main/remote.h"

/* What is run.  Texts end with NUL. */
struct eval_plan {
	const struct eval *v;
	const struct eval_cases *cases;
	const size_t *chosen;                /* places of the cases that are run */
	size_t chosen_n;
	struct str agent;                    /* a built-in one's id, a file, or an assistant */
	struct str model, script;            /* as solo_room_open */
	const char *folder;                  /* of the eval's file: where scripts run */
	struct str url, token;               /* a server; url empty: none */
	int64_t jobs;
	/* A run was added to the result, and `all` are to come; may be NULL. */
	void (*progress)(void *ctx, const struct eval_result *r, size_t all);
	void *ctx;
};

/* The agent's hash and the default model, for the head of a result, and whether all can
 * be opened. */
int  eval_plan_check(const struct eval_plan *p, struct eval_result *r, struct err *e);
/* Runs all; r has its head.  ERR_CANCELLED: SIGINT or SIGTERM came; what had been under
 * way is lost and r is partial, its threads are still there, and the process must end.
 * ERR_*: a thread could not begin. */
int  eval_run(const struct eval_plan *p, struct eval_result *r, struct err *e);

/* ---- one case (eval_case.c) --------------------------------------------------------- */

/* A thread's own. */
struct eval_place {
	const struct eval_plan *p;
	struct solo_room room;               /* of the agent, and of judges */
	struct agent_file file;              /* none with a server */
	struct remote *remote;
};
int  eval_place_open(struct eval_place *x, const struct eval_plan *p, struct err *e);
void eval_place_close(struct eval_place *x);
/* Appends the run as a line of JSON; r: for its scorers. */
void eval_place_run(struct eval_place *x, const struct eval_result *r,
    const struct eval_case *c, int64_t repeat, struct buf *line);

/* What came of a run.  why empty: it ended well. */
struct eval_answer {
	struct val state, channels;          /* channels: those that are output */
	struct eval_usage usage;
	struct err why;
};
/* On a server (eval_remote.c). */
void eval_remote_run(const struct eval_place *x, const struct eval_given *g,
    struct eval_answer *out);

/* Scores by a model and by a program (eval_ask.c). */
void eval_ask_judge(const struct eval_place *x, const struct eval_scorer *s,
    const struct eval_scope *scope, struct eval_score *out, struct eval_usage *usage);
void eval_ask_script(const struct eval_place *x, const struct eval_scorer *s,
    const struct eval_scope *scope, struct eval_score *out);

#endif
