/*
 * command_priv.h - one command on its way, and the methods.
 *
 * A command has a call of its own, and a request that its call can be about: the one
 * of the client's that it came with.  A method reads c->in, its params, and answers
 * as command.h says, now or later; or returns a failure, as a handler of api_priv.h
 * does.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef API_COMMAND_PRIV_H
#define API_COMMAND_PRIV_H

#include "api/command.h"

struct command_method {
	const char *name;
	struct route route;                  /* what its caller must be allowed */
	int (*run)(struct command *x);
	enum command_code missing;           /* what ERR_NOTFOUND means */
	enum command_code conflict;          /* what ERR_CONFLICT means */
	const char *params, *result;         /* for the documentation */
};

extern const struct command_method command_methods[];
extern const size_t command_methods_n;

struct command {
	struct call c;                       /* first: what helpers take */
	struct http_req r;
	struct commander *by;
	const struct command_method *method;
	struct str id;                       /* JSON */
	int64_t position;                    /* applied_through_seq */
	struct json_doc doc;                 /* the frame */
	struct fields params;
	struct buf body;                     /* of the request that does the same */
};

static inline struct command *
command_of(struct call *c)
{
	return CONTAINER_OF(c, struct command, c);
}

/* Each in the file of its kind. */
int command_run_start(struct command *x);

#endif
