/*
 * command.h - commands of the thread protocol: a client of one thread sends frames
 * {"id", "method", "params"} and gets one answer to each.
 *
 *   struct commander *by = commander_new(c, &events, ctx);
 *   command_take(by, frame);              events.answer(ctx, ...), once for each
 *   commander_free(by);
 *
 * Each command is what one route of this API does, and its caller must be allowed
 * what that route asks for.  A command that is refused is answered with one of the
 * protocol's codes; it leaves the client and its other commands alone.
 *
 * Memory: a commander keeps a copy of what the request said, so it outlives it.
 * Commands under way go on after commander_free, and are answered to nobody.
 * Thread: the call's shard.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef API_COMMAND_H
#define API_COMMAND_H

#include "api/api_priv.h"
#include "run/subscribe.h"

struct command;                              /* one that is not answered yet */
struct commander;

/* The protocol's codes. */
#define COMMAND_CODE_MAP(X)                                                    \
	X(INVALID_ARGUMENT, "invalid_argument")                                \
	X(UNKNOWN_COMMAND, "unknown_command")                                  \
	X(UNKNOWN_ERROR, "unknown_error")                                      \
	X(NO_SUCH_RUN, "no_such_run")                                          \
	X(NO_SUCH_SUBSCRIPTION, "no_such_subscription")                        \
	X(NO_SUCH_NAMESPACE, "no_such_namespace")                              \
	X(NO_SUCH_INTERRUPT, "no_such_interrupt")                              \
	X(NO_SUCH_CHECKPOINT, "no_such_checkpoint")                            \
	X(PERMISSION_DENIED, "permission_denied")                              \
	X(NOT_SUPPORTED, "not_supported")

enum command_code {
#define X(name, text) COMMAND_##name,
	COMMAND_CODE_MAP(X)
#undef X
	COMMAND_CODES
};

struct command_events {
	/* The answer to one command, whole.  status: of HTTP; 400: the frame was no
	 * command.  retry_s: of 429 and 503; else 0.  The commander may be freed here. */
	void (*answer)(void *ctx, int status, int64_t retry_s, struct str json);
	/* subscription.subscribe: its params are right and the caller may read the
	 * thread.  Answer x with command_result, command_answer or command_refuse, now
	 * or later, before the first event.  f is good until this returns; since: -1:
	 * all that is kept.  NULL, as unsubscribe: not_supported. */
	void (*subscribe)(void *ctx, struct command *x, const struct protocol_filter *f,
	    int64_t since);
	/* subscription.unsubscribe of this id. */
	void (*unsubscribe)(void *ctx, struct command *x, struct str id);
};

/* What a reader wants, of the fields channels*, namespaces, depth and since of c->in:
 * in the request's arena.  since: -1: not given. */
int protocol_filter_read(struct call *c, struct protocol_filter *f, int64_t *since);

/* For the thread of c's path, as c's caller; c's handler runs. */
struct commander *commander_new(struct call *c, const struct command_events *on,
    void *ctx);
void commander_free(struct commander *by);
struct principal *commander_who(struct commander *by);   /* its copy */
size_t commander_busy(const struct commander *by);       /* commands under way */

/* text: one frame, borrowed.  The answer may come before this returns. */
void command_take(struct commander *by, struct str text);

/* The call whose owner, thread and grant a subscription has. */
struct call *command_call(struct command *x);

/* Success: append one JSON value, the result, then command_answer; x is gone then.
 * Nothing else may use call_out in between. */
struct buf *command_result(struct command *x);
void command_answer(struct command *x);
/* The words are for people.  x is gone. */
void command_refuse(struct command *x, enum command_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
