/*
 * config_priv.h - what a run is asked to do: its stored form (kwargs) and the
 * plan that is read back from it.  Pure.
 *
 * A run is always started from its kwargs, whether it starts at once, after
 * another one or after a crash; so there is one way in.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_CONFIG_PRIV_H
#define RUN_CONFIG_PRIV_H

#include "run/core_priv.h"
#include "run/run.h"

/* The texts of a run's row. */
struct run_texts {
	struct buf kwargs, metadata, base, thread_config, thread_metadata;
};

/* t: the thread as it is; NULL when it is to be created, or none. */
int  run_texts_write(struct run_texts *x, const struct run_request *q,
    const struct store_thread *t, const struct uuid *run_id, struct err *e);
void run_texts_release(struct run_texts *x);

/* Members (without braces) that every metadata object of a run's messages
 * shows: its metadata, attempt, versions and ids. */
void run_members_write(struct buf *b, struct str metadata_json, int64_t attempt,
    const struct uuid *thread_id, const struct uuid *run_id);

/* What a run does.  Everything lives as long as the plan. */
struct plan {
	struct core_request q;
	struct task_defaults defaults;
	struct str work_project;             /* of the tracker's tools; or empty */
	unsigned modes;
	bool resumable, subgraphs;
	enum durability durability;
	struct buf task;                     /* of a hosted graph: members of its Task
	                                        (docs/workers.md): input, config, ... */
	/* private */
	struct val root;                     /* the kwargs, while they are read */
	struct val config, context, command; /* of them */
	struct val texts;                    /* that the rest points into */
	struct val input;
	struct core_name_value *update;
	struct core_goto *gotos;
	struct str *stops[2];
	const struct tool **tools;
	struct arena mcp;                    /* defaults.mcp */
};
extern const char *const durability_names[];

/* ERR_INVALID with the path in the request. */
int  plan_read(struct plan **out, struct str kwargs_json, const struct uuid *run_id,
    const struct agent *a, const struct tools *t, struct err *e);
void plan_free(struct plan *p);
/* plan_hosted.c: fills p->task.  ERR_TOOBIG. */
int  plan_hosted_task(struct plan *p, struct str kwargs, struct err *e);
/* Appends the members of config.configurable, without braces. */
void plan_add_configurable(const struct plan *p, struct buf *b);

#endif
