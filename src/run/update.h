/*
 * update.h - a thread's state changed by a client, without a run: updateState,
 * and the supersteps that seed a new thread's history.
 *
 * update_new reads what stands and decides what is to be written; the caller
 * gives that to STATE_UPDATE or THREAD_CREATE and frees it when the command is
 * back.
 *
 * Threads: the shard's whose reader it is.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_UPDATE_H
#define RUN_UPDATE_H

#include "agent/agent.h"
#include "store/store.h"

struct update;

/* As if the node had returned the values. */
struct update_write {
	struct val values;                   /* object, array of objects, null */
	struct str as_node;                  /* p NULL: the last writer's */
	const char *path;                    /* in front of an error's words: "values", or
	                                        "supersteps[0].updates[1].values" */
	const char *node_path;               /* likewise: "as_node" */
};

/* Writes of one step. */
struct update_step { const struct update_write *at; size_t n; };

struct update_request {
	const struct agent *agent;           /* the root's */
	struct str graph_id;
	struct uuid thread_id;
	const struct store_thread *thread;   /* NULL: it is to be created */
	struct str config_json;              /* of the thread's runs; empty: none */
	struct store_reader *reader;
	owner_t owner;
	struct str ns;
	struct uuid checkpoint;              /* zero: the newest of ns */
	const struct update_step *steps;
	size_t steps_n;
	msec now;
};

/* ERR_NOTFOUND: the namespace or the checkpoint is not there.  ERR_INVALID with
 * the path, or with LangGraph's words.  ERR_TOOBIG, ERR_IO. */
int  update_new(struct update **out, const struct update_request *q, struct err *e);
void update_free(struct update *u);          /* NULL: nothing */

struct store_changes *update_changes(struct update *u);
struct uuid update_head(const struct update *u);         /* the root's before; zero: none */
struct uuid update_checkpoint(const struct update *u);   /* the newest one made */
/* The thread's status then, or -1: as it is. */
int  update_status(const struct update *u);

#endif
