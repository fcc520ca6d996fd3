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

#include "run/message.h"
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

struct plan {
	bool has_input;
	struct message_list input;
	struct str model, base_url, system_prompt;
	struct str work_project;             /* of the tracker's tools; or empty */
	double temperature;                  /* NaN: not given */
	int64_t max_tokens, recursion_limit;
	bool all_tools;                      /* but those of groups */
	const struct tool **tools;           /* when not all */
	size_t tools_n;
	unsigned modes;
	bool resumable;
	enum durability durability;
	char *text;                          /* of the strs */
};

/* ERR_INVALID with the path in the request. */
int  plan_read(struct plan **out, struct str kwargs_json, const struct tools *t,
    struct err *e);
void plan_free(struct plan *p);
/* May this run call the tool? */
bool plan_has_tool(const struct plan *p, const struct tool *tool);

#endif
