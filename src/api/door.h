/*
 * door.h - one run of an assistant for a client that speaks another protocol:
 * OpenAI's, MCP, A2A, AG-UI.  So that access, limits and errors stand in one place.
 *
 *   door_find     the assistant that a client names
 *   door_start    checks, and starts the run; then
 *     started     the run exists.  Here door_stream() may begin a stream of events
 *     message     the agent begins to say something; an id of it
 *     text        a piece of that message
 *     end         the last; it answers (call_reply, ...), or ends its stream
 *   or gone       the client has left: nothing follows
 *
 * Told are messages that the agent, or an agent that is one of its nodes, adds to its
 * channel `messages`.  Not told is what a model says for another channel, and what
 * agents say that are called as tools.  A node's message that was not streamed is told
 * in one piece.
 *
 * No door can ask more of a run than POST /runs can: what it fills in goes through
 * run_start, which checks it.  A client that leaves cancels its run.
 *
 * Memory: a door is freed after end or gone, and `release` frees what it holds for the
 * protocol (ctx).  The body is freed when the run starts.  Thread: the call's shard.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef API_DOOR_H
#define API_DOOR_H

#include "api/api_priv.h"
#include "state/message.h"

struct door;

struct door_events {
	void (*started)(struct door *d, void *ctx);
	void (*message)(struct door *d, void *ctx, struct str id);   /* may be NULL */
	/* raw: as inside of a JSON string, escapes and all. */
	void (*text)(struct door *d, void *ctx, struct str raw);
	/* In place of message and text: all frames of the modes that were asked for. */
	void (*frames)(struct door *d, void *ctx, struct str frames);
	/* rc < 0: it never began, or is lost, and e says why; else `end` has it.
	 * Answers the call, or if a stream was begun ends that. */
	void (*end)(struct door *d, void *ctx, int rc, const struct run_end *end,
	    const struct err *e);
	void (*release)(void *ctx);
};

/* What is asked; see run_request.  Nodes must live until door_start returns. */
struct door_ask {
	struct store_assistant assistant;    /* of door_find */
	struct uuid thread_id;               /* zero: without a thread */
	bool create_thread;                  /* it may be new */
	jnode input, command, config, context, metadata;
	const struct uuid *questions;        /* that the command answers: ERR_CONFLICT if one */
	size_t questions_n;                  /* waits no more, or another run is first */
	struct uuid checkpoint;              /* to begin from; zero: the newest */
	struct str webhook, push_json;       /* see run_request; or empty */
	bool wants_values;                   /* at the end */
	bool keeps_on;                       /* a client that leaves does not cancel it */
	unsigned modes;                      /* for `frames`; 0: those of messages */
	bool passing;                        /* its config is not the thread's next runs' */
};

/* Finds an assistant that the caller may read by its id, its graph's id or its name,
 * which must be the only one of that name.  param: the field, for errors.
 * ERR_AGAIN: `again` is called for c later, and asks once more; the handler returns OK.
 * ERR_NOTFOUND, ERR_INVALID with words in c->err. */
int  door_find(struct call *c, const char *param, struct str name,
    int (*again)(struct call *c), struct store_assistant *out);
/* The assistants that the caller may search, newest first: `then` finds them in
 * c->op.assistant_search. */
int  door_list(struct call *c, int (*then)(struct call *c));
/* The agent that runs, or goes on with the thread if a command resumes it; NULL: it is
 * gone. */
const struct agent *door_agent(struct call *c, const struct door_ask *ask);
/* Can it be talked to: has its agent a channel `messages`, which a client may write?
 * ERR_INVALID. */
int  door_takes_messages(struct call *c, const char *param,
    const struct store_assistant *a);

/* A thread of the caller, who may do this with it.  ERR_NOTFOUND, ERR_DENIED. */
int  door_find_thread(struct call *c, const struct uuid *id, enum access access,
    struct store_thread *out);
/* The same of a run, and its thread. */
int  door_find_run(struct call *c, const struct uuid *id, enum access access,
    struct store_run *run, struct store_thread *t);
/* How many questions of a thread wait for an answer.  ERR_NOTFOUND, ERR_DENIED. */
int  door_waits(struct call *c, const struct uuid *thread_id, size_t *n);

/* Asks the store for the last state that a run left: `then` finds it in c->op.history,
 * if there is one. */
int  door_ask_state(struct call *c, int64_t thread_seq, const struct uuid *run_id,
    int (*then)(struct call *c));
/* The values of a thread's state, read into doc; NULL: they are too large.  channel: of
 * this one only; NULL: of all. */
jnode door_values(struct call *c, const struct store_thread *t,
    const struct store_state *s, const struct str *channel, struct json_doc *doc);
/* Where in a conversation its newest answer begins: after the last message of a person. */
size_t door_answer_begins(jnode messages);

/* OK: the door answers c in time.  Else nothing was begun, ctx is the caller's, and
 * c->err has the words. */
int  door_start(struct call *c, const struct door_ask *ask,
    const struct door_events *on, void *ctx);
/* Watches a run that is there, of a thread that the caller may read: as if it had begun
 * now.  `started` begins the stream.  A client that leaves does not cancel it. */
void door_join(struct call *c, const struct store_thread *t, const struct store_run *run,
    const struct door_events *on, void *ctx);
/* The same as door_start, in the background: `created` answers. */
int  door_start_background(struct call *c, const struct door_ask *ask,
    void (*created)(void *ctx, int rc, const struct store_run *run, const struct err *e),
    void *ctx);

/* In an event; in end and gone too. */
struct call *door_call(struct door *d);      /* NULL once it streams */
struct shard *door_shard(struct door *d);
const struct uuid *door_thread(const struct door *d);
const struct uuid *door_run(const struct door *d);
/* For a protocol in which an answer is one text: what separates the piece that is told
 * from the message before it, raw; empty: it is of the same message. */
struct str door_joint(struct door *d);
/* finish_reason of the newest message that a model has said, raw; empty: it told none. */
struct str door_finish_reason(const struct door *d);

/* ---- asking the store first ---------------------------------------------- */

/* A handler that needs a command of the store before it goes on keeps the body with
 * door_keep before call_submit, and in `then` calls door_read_again, which calls the
 * handler again with the body read anew; door_forget when the submit has failed.
 * A command that fails forgets by itself. */
void door_keep(struct call *c, int (*again)(struct call *c));
void door_forget(struct call *c);
int  door_read_again(struct call *c);

/* ---- a stream of events -------------------------------------------------- */

void door_stream(struct door *d, struct str lines);      /* lines: more headers */
/* Whole frames. */
void door_send(struct door *d, struct str frames);
/* The parts joined, without a copy in between. */
void door_send_parts(struct door *d, const struct str *parts, size_t n);
/* The same of a buffer, which is released.  One that has failed is not sent, and the
 * stream will end with a reset. */
void door_send_buf(struct door *d, struct buf *b);
/* In `end`.  A stream that lacks an event is reset, so that no client takes it for the
 * whole. */
void door_end_stream(struct door *d);

/* ---- words --------------------------------------------------------------- */

/* The questions of a run that waits (run_end.interrupts_json), as text for people: a
 * string as it is; of an object its `prompt`, `question` or `message`, with `options`;
 * anything else as JSON. */
void door_add_questions(struct buf *b, struct str interrupts_json);
/* In `end`: tells them as the agent's last message. */
void door_tell_questions(struct door *d, struct str interrupts_json);
/* {"error", "message"} of a failed run, read. */
struct door_failure { struct str name, message; };
struct door_failure door_failure(struct arena *a, struct str error_json);

#endif
