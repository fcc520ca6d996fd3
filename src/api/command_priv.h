/*
 * command_priv.h - one command on its way, and the methods.
 *
 * A command has a call of its own, and a request that its call can be about.  A method
 * reads c->in, its params, and answers as command.h says, now or later; or returns a
 * failure, as a handler of api_priv.h does.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef API_COMMAND_PRIV_H
#define API_COMMAND_PRIV_H

#include "api/command.h"

struct commander {
	struct api *api;
	const struct command_events *on;     /* NULL: nobody hears the answers */
	void *ctx;
	size_t busy;
	struct http_req r;                   /* what the client's request said */
	void *kept;                          /* r's headers and texts, in one piece */
	struct principal *who;
	owner_t owner;
	struct uuid thread_id;
};

struct command_method {
	const char *name;
	struct route route;                  /* what its caller must be allowed */
	int (*run)(struct command *x);
	const char *params, *result;         /* for the documentation */
};

extern const struct command_method command_methods[];
extern const size_t command_methods_n;

struct command {
	struct call c;
	struct http_req r;
	struct commander *by;
	const struct command_method *method;
	struct str id;                       /* JSON */
	enum command_code missing;           /* what ERR_NOTFOUND means */
	int64_t position;                    /* of its thread, before it did anything */
	struct json_doc doc;                 /* the frame */
	struct fields params;
	/* of a run */
	struct buf body;                     /* of the request that does the same */
	int strategy;                        /* enum multitask */
	const struct uuid *questions;        /* that it answers */
	size_t questions_n;
	bool answers;                        /* its input is the answer to what waits */
	void (*add_result)(struct buf *b, const struct store_run *run);
};

static inline struct command *
command_of(struct call *c)
{
	return CONTAINER_OF(c, struct command, c);
}

/* Each in the file of its kind. */
typedef int command_run(struct command *x);
command_run command_run_start, command_input_respond, command_state_fork;
command_run command_input_inject;
command_run command_state_get, command_list_checkpoints;
command_run command_get_tree;
command_run command_subscribe, command_unsubscribe, command_reconnect;

/* The thread; ERR_NOTFOUND when there is none, or it had no run. */
int command_thread(struct command *x, struct store_thread *t);

#endif
