/*
 * tools.h - what a model may call: a registry of named tools.
 *
 * A tool has a name, a description and a JSON Schema for its arguments, and a
 * function that starts it and calls back once with text for the model.
 * Arguments are checked against the schema first; a wrong one becomes an
 * error text for the model, not a failed run.
 *
 * Built in: current_time, store_put, store_search; calculate, http_get, run_agent and
 * knowledge_search for agents that name them.  The store's tools act with the run's owner and nothing else.
 * http_get and run_agent need a task, which makes their calls itself (task/use.c).
 * Rooms above add theirs, alone or as a group that a run asks for by one name.
 *
 * Threads: the registry is immutable after start; a call belongs to its shard.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TOOLS_TOOLS_H
#define TOOLS_TOOLS_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/rc.h"
#include "store/store.h"

struct tools;
struct tool_call;

/* What a tool may reach: filled by the caller for each call. */
struct tool_env {
	struct store *store;
	struct store_reader *reader;
	struct shard *shard;
	owner_t owner;
	msec now;                            /* wall */
	struct str actor;                    /* who acts: one name a thread */
	struct str project;                  /* whose work; empty: the default */
	/* The same when this call is made again after a crash, and of no other
	 * call: for tools that keep their answer under a key. */
	struct str once;
	/* Takes commands about store items, as store_submit; NULL: that itself. */
	int (*submit)(void *ctx, struct store_cmd *c);
	void *submit_ctx;
	bool refresh;                        /* reading an item begins its ttl anew */
};

struct tool_result {
	bool ok;
	struct str content;                  /* for the model; borrowed in `done` */
};

typedef void tool_done(void *ctx, const struct tool_result *r);

/* Static: the registry keeps the pointer. */
struct tool {
	const char *name, *description;
	const char *parameters_json;         /* JSON Schema, an object; see args.c */
	bool idempotent;                     /* may be run again after a crash */
	/* Starts.  OK: the call is answered once by tool_reply or tool_refuse,
	 * from inside or later on the same shard.  Else it was not answered and
	 * never will be; the code's words go to the model. */
	int (*start)(struct tool_call *c);
	/* Not NULL: only for runs that ask for it, by its name or the group's. */
	const char *group;
};

struct tools *tools_new(void);               /* with the built-in ones */
void tools_free(struct tools *t);
void tools_add(struct tools *t, const struct tool *tool);    /* start-up only; a
                                                bad schema or a name taken is a bug */
const struct tool *tools_find(const struct tools *t, struct str name);
/* The tool's schema as a model is shown it: the part of JSON Schema that every
 * provider takes.  Arguments are checked against the tool's own. */
struct str tools_schema(const struct tools *t, const struct tool *tool);
size_t tools_count(const struct tools *t);
const struct tool *tools_at(const struct tools *t, size_t i);

/* Does a value agree with a JSON Schema?  ERR_INVALID says where it does not.  One
 * with keywords that we do not check (see args.c) agrees with everything. */
int tools_check_value(jnode schema, jnode value, struct err *e);

/* Has it only keywords that are checked?  ERR_INVALID. */
int tools_check_schema(jnode schema, struct err *e);

/* The arguments of a call, which agree with the tool's schema; the caller releases out,
 * of a failure too.  The error is for the model. */
int tools_read_args(const struct tools *t, const struct tool *tool, struct str args_json,
    struct json_doc *out, struct err *e);

/* Always calls done exactly once, possibly before it returns; an unknown
 * tool or wrong arguments give ok false with a text that helps the model. */
void tools_call(const struct tools *t, struct str name, struct str args_json,
    const struct tool_env *env, tool_done *done, void *ctx);

/* ---- for those who write tools --------------------------------------------- */

/* An object that agrees with the schema.  Good until the call is answered, as
 * is everything in the arena. */
const struct tool *tool_of(const struct tool_call *c);
jnode tool_args(const struct tool_call *c);
const struct tool_env *tool_env(const struct tool_call *c);
struct arena *tool_arena(struct tool_call *c);

/* The answer; the call is gone.  Cut at LIMIT_TOOL_RESULT_BYTES, with a note. */
void tool_reply(struct tool_call *c, struct str content);
/* It could not be done; the words tell the model why, and what would help. */
void tool_refuse(struct tool_call *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
