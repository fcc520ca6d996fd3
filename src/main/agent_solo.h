/*
 * agent_solo.h - agents' files run by commands, without a server: the set that a
 * file needs, a model, and what is shown of a run.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_AGENT_SOLO_H
#define MAIN_AGENT_SOLO_H

#include "agent/agent.h"
#include "run/solo.h"

/* The agent of a file, linked with those of its folder that it calls and with the
 * built-in ones.  Files beside it that are broken are left out. */
struct agent_file {
	struct agents *set;
	const struct agent *agent;
};
int  agent_file_open(struct agent_file *f, const char *path, struct err *e);
/* A built-in one.  ERR_NOTFOUND. */
int  agent_builtin_open(struct agent_file *f, struct str id, struct err *e);
void agent_file_close(struct agent_file *f);

/* A shard without a thread, and what a run needs of one. */
struct solo_room {
	struct shard *shard;
	struct client *client;
	struct llm *llm;
	struct tools *tools;
	struct mcp *mcp;
	struct llm_script *script;
	struct models *models;               /* as cohort.yaml and the environment say */
	struct buf model;                    /* the default: "provider:name" */
};
/* model: as --model; empty: the one that the environment names, else the scripted
 * one.  script: a file of scripted answers; empty: the built-in ones. */
int  solo_room_open(struct solo_room *r, struct str model, struct str script,
    struct err *e);
void solo_room_close(struct solo_room *r);

/* A task that goes on with an answer is told again; true: it was told before.
 * Zeroed: none; free(at). */
struct tasks_seen { struct uuid *at; size_t n, cap; };
bool task_seen(struct tasks_seen *s, const struct uuid *task);

/* The state's output channels, owned by the caller (agent_test.c). */
struct val agent_outputs(const struct agent *a, struct val values);

/* ---- the tests of a file (agent_test.c) -------------------------------------- */

struct agent_tests { unsigned passed, failed; };

/* ERR_INVALID with the path in the file: they are not tests. */
int  agent_tests_check(struct val tests, struct str file, struct err *e);
/* Checks and runs them, a line each. */
int  agent_tests_run(struct agent_tests *t, const struct agent_file *f,
    const struct solo_room *r, struct val tests, struct str file, struct err *e);

#endif
