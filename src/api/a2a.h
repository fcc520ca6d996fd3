/*
 * a2a.h - between the files of the A2A protocol, 1.0 and 0.3 side by side: requests
 * (a2a.c), messages that begin or go on with a task (a2a_send.c), tasks that are kept
 * (a2a_task.c), what is written of both (a2a_show.c), parts of messages (a2a_part.c),
 * push notifications (a2a_push.c), cards (a2a_card.c).
 *
 * An agent is an assistant, a context a thread, a task a run: `<thread>:<run>`.  A task
 * that asks goes on as another run of the thread, whose metadata names the first:
 * A2A_TASK.  docs/a2a.md tells users what is mapped to what.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef API_A2A_H
#define API_A2A_H

#include "api/door.h"
#include "api/jsonrpc.h"

#define A2A_TASK "a2a_task"                  /* in the run's metadata */

enum {
	A2A_NO_TASK = -32001, A2A_NOT_CANCELABLE = -32002, A2A_UNSUPPORTED = -32004,
	A2A_CONTENT_TYPE = -32005, A2A_VERSION = -32009
};

/* Of a request, in its arena. */
struct a2a_call {
	bool old;                            /* it speaks 0.3 */
	const struct a2a_method *method;
	struct store_assistant assistant;
	struct store_thread thread;          /* of the task */
	struct uuid first;                   /* the task's first run */
	struct store_run run;                /* its newest */
	int64_t history;                     /* newest messages that are shown; -1: all */
	int status;                          /* of a list: enum a2a_state; -1: any */
	int64_t offset, limit;
	struct str config;                   /* of push notifications: its id; or empty */
	int (*next)(struct call *c);         /* the task was found */
};

struct a2a_shown;

struct a2a_method {
	const char *name, *old_name;         /* old_name NULL: 1.0 alone has it */
	int (*run)(struct call *c, const struct jsonrpc *q);     /* q is of this turn */
	bool stream;
};

/* The error that rc is to a client; 0: it is one of HTTP. */
int  a2a_code(int rc);
/* Answers what a handler returned: an error of JSON-RPC, else rc is left to HTTP. */
int  a2a_fail(struct call *c, int rc);

/* ---- tasks (a2a_task.c) -------------------------------------------------------- */

/* Finds the task of this id, which is of the assistant and which the caller may use so;
 * then calls `then`, with a2a->run its newest run.  Answers if there is none. */
int  a2a_find_task(struct call *c, struct str id, enum access access,
    int (*then)(struct call *c));
int  a2a_get(struct call *c, const struct jsonrpc *q);
int  a2a_cancel(struct call *c, const struct jsonrpc *q);
int  a2a_list(struct call *c, const struct jsonrpc *q);
/* Does it wait for a person? */
bool a2a_waits(const struct store_run *run);
bool a2a_under_way(const struct store_run *run);

/* What is shown of the task of c, without its values. */
struct a2a_shown a2a_shown_of(struct call *c);
/* The questions of a run that waits, as text; in a's memory. */
struct str a2a_questions(struct arena *a, struct str interrupts);

/* The first run of the task that a run is of. */
struct uuid a2a_first_of(const struct store_run *run);
/* Refuses members that are not in the NULL-ended list.  ERR_INVALID. */
int  a2a_check_keys(struct call *c, const char *path, jnode n, const char *const *known);

/* ---- push notifications (a2a_push.c) ---------------------------------------------- */

int  a2a_push_create(struct call *c, const struct jsonrpc *q);
int  a2a_push_get(struct call *c, const struct jsonrpc *q);
int  a2a_push_list(struct call *c, const struct jsonrpc *q);
int  a2a_push_delete(struct call *c, const struct jsonrpc *q);
/* A configuration as it is stored, and its URL, checked; in the request's arena. */
int  a2a_read_push(struct call *c, jnode n, struct str *url, struct str *push_json);
/* The body of a notification, as members without braces. */
void a2a_add_push(struct buf *b, const struct store_hook *h);

/* ---- messages (a2a_send.c) ------------------------------------------------------ */

int  a2a_send(struct call *c, const struct jsonrpc *q);
int  a2a_subscribe(struct call *c, const struct jsonrpc *q);

/* ---- cards (a2a_card.c) ------------------------------------------------------------ */

void a2a_add_card(struct call *c, struct buf *b, const struct store_assistant *a);

/* ---- parts (a2a_part.c): pure ------------------------------------------------------- */

/* What a message brings. */
struct a2a_said {
	struct buf content;                  /* of a message of a person, JSON; empty: none */
	struct buf text;                     /* of its text parts, joined by line ends */
	struct buf data;                     /* members of data parts: {...}; empty: none */
	struct buf resume;                   /* {id: value}; empty: none */
	bool files, messages;                /* data has `messages` */
};

/* Reads a Message.  ERR_INVALID, ERR_TOOBIG.  Release out in any case. */
int  a2a_read(jnode message, bool old, struct a2a_said *out, struct err *e);
void a2a_said_release(struct a2a_said *s);

/* Parts of a stored message's content, each with a comma where one is due. */
void a2a_add_parts(struct buf *b, bool old, jnode content);
void a2a_add_block(struct buf *b, bool old, jnode block);
void a2a_add_words(struct buf *b, bool old, struct str text);
void a2a_add_text(struct buf *b, bool old, struct str raw);
void a2a_add_data(struct buf *b, bool old, struct str json);

/* ---- showing (a2a_show.c): pure ------------------------------------------------------- */

enum a2a_state {
	A2A_SUBMITTED, A2A_WORKING, A2A_INPUT, A2A_COMPLETED, A2A_FAILED, A2A_CANCELED,
	A2A_STATES
};
/* Of a word of either version; -1: none. */
int  a2a_state_of(struct str word);
enum a2a_state a2a_state_of_run(const struct store_run *run);
enum a2a_state a2a_state_of_end(const struct run_end *end);

/* A task, or a piece of news of one. */
struct a2a_shown {
	bool old;
	struct uuid thread, first;           /* its id is of these */
	struct uuid run;                     /* the newest */
	enum a2a_state state;
	msec at;
	struct str words;                    /* beside the state, for people; or empty */
	struct str interrupts;               /* [{id, value}]; or empty */
	jnode values;                        /* of the state; NULL: no artifacts */
	int64_t history;
};
void a2a_add_task(struct buf *b, const struct a2a_shown *t);
void a2a_add_status(struct buf *b, const struct a2a_shown *t, bool final);
/* An artifact update; parts: ready, with commas between. */
void a2a_add_chunk(struct buf *b, const struct a2a_shown *t, struct str parts, bool append,
    bool last);
/* The parts that are not text of what the agent said last. */
void a2a_add_files(struct buf *b, bool old, jnode values);

#endif
