/*
 * task_priv.h - what the files of this room share.
 *
 * Who does what
 *   task.c     the door; the queue      piece.c     a piece's life: start, end
 *   view.c     state, names, evaluation record.c    keys, records, answers
 *   call.c     one tool call            offer.c     the tools a model may call
 *   use.c      a call with a policy  worker_use.c one of an external worker
 *   spend.c    budgets of work
 *   inbox.c    what clients put in   mail.c      messages of other agents
 *   kinds.c    the table of kinds       one file a kind: what it does
 *
 * A *piece* is one work of the tree under way: a leaf (llm, wait, ...), or a
 * container (do, map, repeat) whose children are pieces.
 *
 *           queue           start             done, fail
 *   READY --------> RUNS ------------> ENDED ------------> told to the container
 *                     \                  ^
 *                      \ interrupt       | (a failure elsewhere: freed)
 *                       `--> WAITS ------'
 *
 * Starting and telling go through one queue of the task, so a long sequence of
 * pieces that end at once does not nest.  The attempt ends when the root has
 * ended, a failure was not caught, or the queue is empty and no leaf runs: then
 * it waits.  A long sequence that ends at once makes a pause now and then, for the
 * others of the shard.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TASK_TASK_PRIV_H
#define TASK_TASK_PRIV_H

#include "base/arena.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/list.h"
#include "base/map.h"
#include "state/message.h"
#include "task/kinds.h"
#include "task/task.h"

struct piece;

/* ---- what a kind does ------------------------------------------------------ */

enum task_traits {
	TASK_CONTAINER = 1,  /* its children run, not it */
	TASK_EFFECT = 2,     /* inside a container its end goes to the journal at once */
	TASK_PURE = 4,       /* done again it gives the same: never recorded */
	TASK_WAITS = 8,      /* may wait for a person */
	TASK_TALKS = 16      /* a part of a conversation: it hears what clients put in */
};

struct task_run {
	size_t size;                         /* of its struct, which begins with a
	                                        struct piece; 0: that alone */
	unsigned traits;
	const char *segment;                 /* in a child's key: "map"; NULL: the index
	                                        alone */
	/* Another one for this work; NULL: this. */
	const struct task_run *(*choose)(const struct agent_work *w);
	/* Ends with piece_done, piece_fail or piece_interrupt, now or later. */
	void (*start)(struct piece *p);
	/* Does a call run in it that must not be made twice?  NULL: none ever does. */
	bool (*is_open)(const struct piece *p);
	/* Containers: a child is done; it is freed afterwards. */
	void (*child_done)(struct piece *p, struct piece *child);
	/* Something in a child has failed.  True: this ends there, and the child is
	 * stopped (piece_stop).  NULL: it fails what is around. */
	bool (*child_failed)(struct piece *p, struct piece *child,
	    const struct task_error *e);
	/* Leaves the world: no callback follows.  Called at most once, of a piece that
	 * runs.  NULL: nothing to leave. */
	void (*stop)(struct piece *p);
	void (*release)(struct piece *p);    /* its memory; NULL: none of its own */
	/* Of a piece that begins with a struct mailing and runs: a message of its
	 * conversation.  again: an earlier attempt has heard it.  NULL: not a mailing. */
	void (*heard)(struct piece *p, struct val message, bool again);
	/* Of one that runs and is not to go on: says so to others.  NULL: nothing. */
	void (*quit)(struct piece *p);
	/* Of one that runs: all it waits for is a time that is in the journal, the
	 * first is *until (TASK_NEVER: it waits for what is inside of it).  NULL: a
	 * leaf does not; a container waits for its children. */
	bool (*sleeps)(const struct piece *p, msec *until);
};

extern const struct task_run task_llm, task_tools, task_tool, task_ask, task_wait,
    task_store, task_set, task_emit, task_fail, task_agent, task_map, task_do,
    task_repeat, task_work, task_worker, task_http_get, task_guard, task_message, task_contract_net,
    task_subscribe, task_spawn, task_stop_agent, task_wasm;

/* ---- state and names ------------------------------------------------------- */

/* A strand's writes, in order, and the state as they make it.  One of the task,
 * and one of every element of a map. */
struct view {
	struct view *up;                     /* NULL: the task's */
	struct channels *state;              /* NULL: as up's */
	size_t applied;                      /* writes that are in state */
	struct task_write *writes;
	size_t n, cap;
};

/* A value that expressions further inside see.  Lies with the container. */
struct name {
	const struct name *up;
	int slot;
	struct val value;                    /* borrowed, or the container's */
};

/* ---- pieces ------------------------------------------------------------------ */

#define PIECE_MARK 0x70696563u
#define TASK_MARK  0x7461736bu

enum piece_state { PIECE_READY, PIECE_RUNS, PIECE_WAITS, PIECE_DONE, PIECE_FAILED };

/* A failure that is kept: its texts are its own. */
struct fault { char *event, *name, *message; };

struct piece {
	unsigned mark;
	uint8_t state;
	bool inner;                          /* a part of its container's work: `writes`,
	                                        `as` and the like are the container's */
	bool recorded;                       /* made again from its record */
	bool returns;                        /* ends the sequences around it */
	bool cheap;                          /* to do again: not worth a journal entry */
	uint32_t index;                      /* in the container */
	uint32_t wrote;                      /* view->n when it began */
	struct list all;                     /* the task's pieces */
	struct list queue;                   /* READY, DONE, FAILED */
	const struct task_run *run;
	const struct agent_work *spec;
	struct task *task;
	struct piece *up;                    /* the container; NULL: the root */
	struct view *view;
	const struct name *names;            /* what it sees, innermost first */
	uint32_t inside;                     /* pieces whose `up` it is */
	struct val result;                   /* DONE */
	struct spending *spending;           /* what it took; NULL: nothing yet */
	struct fault *fault;                 /* FAILED */
};

struct known {                               /* a record of an earlier attempt */
	struct str key, name, result_json;
};

struct task {
	/* what every delta of a model looks at: one line of memory */
	unsigned mark;
	unsigned depth;                      /* calls into the task on the stack */
	const struct task_host *host;
	void *ctx;
	struct list queue;                   /* pieces to be started, or told of */
	bool started, over, gone;            /* gone: freed when depth is 0 */
	bool paused;
	const struct agent *agent;
	const struct agent_work *work;
	const struct task_defaults *defaults;
	struct uuid id;
	struct val input, config, context, event;
	struct view view;
	/* pieces */
	struct list all;
	struct piece *root;
	size_t running;                      /* leaves that run */
	size_t begun;                        /* pieces so far */
	struct task_timer pause;             /* others have their turn until it fires */
	bool may_wait;                       /* some piece has TASK_WAITS, or sleeps */
	const struct task_limits *limits;
	bool counts;                         /* a budget wants to know what it spends */
	/* evaluation: one scope, filled for whoever evaluates */
	struct val *slots;
	const struct piece *filled;          /* for whom; NULL: for nobody */
	size_t filled_n;                     /* its view->n then */
	size_t steps;                        /* of all evaluations */
	/* records and answers */
	struct arena arena;
	struct map known;                    /* struct known by key */
	struct task_answer *answers;
	size_t answers_n;
	struct task_record *kept;
	size_t kept_n, kept_cap;
	struct task_interrupt *interrupts;
	size_t interrupts_n, interrupts_cap;
	int messages;                        /* channel, or CHANNEL_NONE */
	/* messages of other agents that no piece has looked at yet */
	struct { struct piece *p; struct val message; } *mails;
	size_t mails_n, mails_cap;
	/* messages of clients for the conversation: the first `heard` are in it */
	struct val *inbox;
	size_t inbox_n, inbox_cap, heard;
};

static inline void
check_piece(const struct piece *p)
{
	CHECK_MARK(p, PIECE_MARK);
	CHECK_MARK(p->task, TASK_MARK);
}

/* Every callback from the world stands between these two; enter is false when
 * the attempt is over: then the piece must not be touched. */
bool task_enter(struct task *t);
void task_leave(struct task *t);

/* What does the work. */
static inline const struct task_run *
run_of(const struct agent_work *w)
{
	const struct task_run *run = w->kind->run;

	return run->choose != NULL ? run->choose(w) : run;
}

/* What it begins with: the guard around it, if it has one. */
static inline const struct task_run *
run_around(const struct agent_work *w)
{
	return w->guard != NULL ? &task_guard : run_of(w);
}

/* A child of a container (up NULL: the root), started when the queue comes to
 * it. */
struct piece *piece_add(struct task *t, struct piece *up, const struct task_run *run,
    const struct agent_work *spec, uint32_t index, struct view *view,
    const struct name *names);
/* Ends and frees it with all that is inside of it; its questions are dropped. */
void piece_stop(struct piece *p);
struct piece *piece_inside(const struct piece *p);   /* the first child that is there */
/* Is a call under way in it that must not be made twice? */
bool piece_calls_open(const struct piece *p);
/* Is it the task's own work, and not a part of it? */
bool piece_is_whole(const struct piece *p);
void piece_free(struct piece *p);            /* one that has no children */
void fault_free(struct fault *f);            /* NULL: nothing */

/* How a piece ends.  After any of these it does nothing more. */
void piece_done(struct piece *p, struct val result);     /* taken */
void piece_fail(struct piece *p, const char *event, const char *name,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
void piece_fail_with(struct piece *p, const struct task_error *e);
/* Asks a person, under the piece's key; both taken.  What it returns may be filled
 * in further; NULL: nobody is asked. */
struct task_interrupt *piece_interrupt(struct piece *p, struct val value,
    struct val schema);
/* Waits for somebody inside (a child agent). */
void piece_waits(struct piece *p);

/* The answer to its interrupt, borrowed; false: none yet. */
bool piece_answer(const struct piece *p, struct val *out);

/* ---- view.c ------------------------------------------------------------------- */

/* A write; v is taken.  False: it does not fit, and the piece has failed. */
bool piece_write(struct piece *p, unsigned channel, struct val v, unsigned known);
/* Does the kind's own write count, or has the file its own? */
static inline bool
piece_writes_default(const struct piece *p)
{
	return !p->spec->has_writes;
}
/* The default write of a kind that makes messages (taken); nothing when the file
 * says what is written. */
bool piece_write_messages(struct piece *p, struct val messages, unsigned known);
/* Evaluates `writes` of the file with this result. */
bool piece_write_file(struct piece *p, struct val result);
/* The default write of a kind whose result comes from outside: its members that are named as
 * channels. */
bool piece_write_named(struct piece *p, struct val result);

/* The state as the piece sees it; NULL: the piece has failed. */
const struct channels *piece_state(struct piece *p);
/* The channel `messages` as it sees it: borrowed, an array or UNDEF. */
struct val piece_messages(struct piece *p);

/* A field by its slot. */
static inline const struct agent_value *
piece_field(const struct piece *p, unsigned field)
{
	assert(field < p->spec->kind->fields_n);
	return &p->spec->fields[field];
}

/* The value of a field: *out is the caller's, VAL_UNDEF when the file does not
 * have it.  False: the piece has failed. */
bool piece_eval(struct piece *p, unsigned field, struct val *out);
/* The same of any value; what: for errors. */
bool piece_eval_value(struct piece *p, const struct agent_value *v, const char *what,
    struct val *out);
bool piece_eval_text(struct piece *p, unsigned field, struct val *out);  /* a string,
                                                or UNDEF */
bool piece_eval_bool(struct piece *p, const struct agent_value *v, const char *what,
    bool *out);
/* A whole number of min..max; absent: *out stays. */
bool piece_eval_int(struct piece *p, unsigned field, int64_t min, int64_t max,
    int64_t *out);
/* A value in which `input` is something else (a scripted tool's arguments). */
int  piece_eval_input(struct piece *p, const struct agent_value *v, struct val input,
    struct val *out, struct err *e);

void view_release(struct view *v);
/* Moves the writes of `from` to the end of `to`. */
void view_join(struct view *to, struct view *from);

/* ---- record.c ------------------------------------------------------------------ */

#define KEY_BYTES ((size_t)LIMIT_LLM_BODY_BYTES)     /* it may end with a call's id */

/* Appends the key of the piece, or of something of it (part: "call_7"). */
void piece_add_key(struct buf *b, const struct piece *p, struct str part);

void records_init(struct task *t, const struct task_spec *s);
void records_release(struct task *t);
/* What earlier attempts know of it; NULL: nothing. */
const struct known *record_find(const struct piece *p, struct str part);
/* Is it done already?  Then its result and writes are made again from the record
 * and the piece has ended. */
bool record_repeat(struct piece *p);
/* A leaf of a container is done: to the journal, or kept for when it waits. */
void record_piece(struct piece *p);
/* A part of it is done: to the journal. */
void record_part(struct piece *p, struct str part, struct str name, struct str json);
const char *piece_kind(const struct piece *p);

/* ---- spend.c: budgets ------------------------------------------------------------- */

/* Before a model or a tool is called: is there enough in the budgets around it?  It
 * counts from now on.  False: the piece has failed with error.budget.KIND. */
bool piece_may_spend(struct piece *p, const struct task_cost *about);
/* The model has answered: what it took, in place of the estimate; and it is billed. */
void piece_spent(struct piece *p, const struct llm_usage *u, struct str model);
/* The same of a scripted answer, which nobody is billed for. */
void piece_spent_message(struct piece *p, struct val message);
/* What a call may take at most; INT64_MAX: there is no budget of tokens. */
int64_t piece_tokens_left(struct piece *p);
/* An earlier attempt has spent this. */
void piece_spent_before(struct piece *p, const struct task_cost *c);
/* Its record: appends ,"spent":[...] if anything was; and reads it. */
void spend_add_record(struct buf *b, const struct piece *p);
void spend_read_record(struct piece *p, struct val record);
/* It ends: an estimate that no answer came for is given back. */
void spend_leave(struct piece *p);
/* Is there enough in the budgets around it? */
bool spend_allowed(struct piece *p, const struct task_cost *about, struct task_refusal *why);
/* Of child agents (struct task_child). */
bool spend_child_may(struct task_child *c, const struct task_cost *about,
    struct task_refusal *why);
void spend_child(struct task_child *c, const struct task_cost *cost);
int64_t spend_child_left(struct task_child *c);
/* ---- inbox.c -------------------------------------------------------------------- */

void inbox_init(struct task *t);             /* from the records */
void inbox_release(struct task *t);
bool inbox_waits(const struct task *t);

/* ---- mail.c: a conversation with other agents ------------------------------------ */

struct mailing {
	struct piece p;
	char *id;                            /* conversation_id, and reply_with of what it
	                                        sends */
	size_t heard;                        /* messages so far */
	size_t receivers;                    /* of what it began with */
	bool keeps;                          /* what it hears is kept for another attempt */
};

static inline struct mailing *
mailing_of(struct piece *p)
{
	return CONTAINER_OF(p, struct mailing, p);
}

int  task_mail_event(struct task *t, struct val message, struct buf *key);
void task_mail_release(struct task *t);
/* Its id: one of its own, the same in every attempt. */
void mailing_init(struct mailing *d);
void mailing_release(struct piece *p);
/* Sends; false: the piece has failed with error.communication.  fields: taken. */
bool mailing_send(struct mailing *d, struct str to, const char *act, struct val fields,
    size_t *receivers);
/* The same without a failure: nobody waits for it. */
void mailing_tell(struct mailing *d, struct str to, const char *act, struct val fields);
/* Its first message, once in all attempts: to, act, fields as above; due: kept with it. */
bool mailing_begin(struct mailing *d, struct str to, const char *act, struct val fields,
    msec *due);
/* What earlier attempts have heard is heard again; it may have ended then. */
void mailing_repeat(struct mailing *d);
/* Fields of an answer to a message of the conversation. */
struct val mailing_answer(const struct mailing *d, struct val message);
/* The address that it goes to; borrowed. */
struct str mailing_sender(struct val message);
bool mailing_is(struct val message, const char *act);
bool mailing_is_of_server(struct val message);       /* what became of one of ours */
/* A refusal or a failure of the other side ends the piece. */
void mailing_fail(struct mailing *d, struct val message);
/* `to`: addresses with blanks between, in b; false: the piece has failed. */
bool mail_to(struct piece *p, unsigned field, struct buf *b);
/* A field's value, if the file has it, as a member of fields. */
bool mail_field(struct piece *p, unsigned field, struct val *fields);
/* A time from now, or a moment, in Unix milliseconds.  kinds.c checks what is constant. */
bool mail_time(struct str text, msec now, msec *out);
int  mail_to_check(struct val v, struct err *e);
/* Of the names that kinds of peer.c are given. */
int  peer_name_check(struct val v, struct err *e);
int  peer_address_check(struct val v, struct err *e);
int  peer_capabilities_check(struct val v, struct err *e);
int  mail_time_check(struct val v, struct err *e);

/* ---- events for the chart (record.c) ------------------------------------------- */

/* Can the piece post any? */
bool piece_may_post(const struct piece *p);
/* Posts them under the key of a part of it; json: its record.  The task may be over
 * then. */
void piece_post(struct piece *p, struct str part, struct str json, struct val events,
    bool again);

/* ---- call.c: one tool call -------------------------------------------------------- */

struct task_call;

/* How it ended; good in the callback. */
struct call_end {
	bool ok;
	struct str content;
	bool unknown;                        /* it was under way when the server stopped */
	bool ran, journal;                   /* it was made; its start was recorded */
	bool waits;                          /* for a person: it goes on in another attempt */
	bool again;                          /* it may be made twice */
	bool undone;                         /* it failed, and certainly did nothing */
	bool refused;                        /* it would fail again: of no use twice */
};

struct call_want {
	struct str id;                       /* of the call: its part of the key */
	struct str name, args_json;
	bool tracker;                        /* name is an operation of the tracker */
	enum agent_said idempotent;          /* as the file says */
	void (*done)(struct piece *p, void *arg, const struct call_end *end);
	void *arg;
};

/* Journals it where needed and runs it; done is called once, possibly at once,
 * unless call_forget was called, or a budget did not allow it: the piece has failed
 * then. */
struct task_call *call_start(struct piece *p, const struct call_want *w);
/* The arguments with those of the file's `tools`, which go before; free() them. */
char *call_bound_args(const struct piece *p, struct str name, struct str args_json);
void call_forget(struct task_call *c);       /* not after done */
bool call_is_open(const struct task_call *c);        /* started, and not to be repeated */
bool call_may_repeat(const struct task_call *c);
/* The budgets have one more; false: the piece has failed. */
bool call_is_paid(struct piece *p, struct str id);

/* worker_use.c: one piece of work of an external worker: offered until somebody takes it,
 * begun when the caller wants, and offered again when its worker is lost, if it may be done
 * twice.  Hooks are called in the task (task_enter), and may free the use. */
struct worker_use;
enum worker_how {
	WORKER_OK,                           /* output */
	WORKER_SAYS_NO,                      /* it was done, and failed: e */
	WORKER_GONE,                         /* nobody says; it may have been done: e */
	WORKER_UNDONE                        /* nobody took it: e */
};
struct worker_use_hooks {
	/* Somebody takes it.  again: the worker says that it may be done twice. */
	void (*found)(void *ctx, bool again);
	bool (*event)(void *ctx, struct str mode, struct val data);      /* or NULL */
	void (*called)(void *ctx, enum worker_how how, struct val output,
	    const struct task_worker_error *e);
};
/* members (struct task_worker): copied. */
struct worker_use *worker_use_new(struct piece *p, bool tool, struct str name,
    struct str members, const struct worker_use_hooks *hooks, void *ctx);
void worker_use_find(struct worker_use *u);
void worker_use_call(struct worker_use *u, bool again);      /* after found; not from inside */
void worker_use_free(struct worker_use *u);  /* NULL: nothing; leaves what is under way */
bool worker_use_waits(const struct worker_use *u);   /* nobody has it */
bool worker_use_is_there(const struct worker_use *u);        /* somebody could take it */
/* "key": the same in every attempt, and of nothing else. */
void worker_use_add_key(struct buf *b, const struct piece *p, struct str part);

/* use.c: the same of a call that the file says more of, or that needs the task. */
struct task_use;
bool use_is_wanted(const struct piece *p, struct str name);
bool use_may_wait(const struct piece *p, struct str name);   /* for a person */
struct task_use *use_start(struct piece *p, const struct call_want *w);
void use_stop(struct task_use *u);           /* not after done */
bool use_is_open(const struct task_use *u);
/* use_agent.c: the schema of an agent as a tool, when the file has none. */
void use_add_schema(struct buf *b, const struct agent *a);

/* The piece fails as a tool does: error.tool.NAME. */
void tool_fail(struct piece *p, struct str name, const struct call_end *end);
/* The tool message of an answer, in the stored form. */
struct val call_message(struct str id, struct str name, bool ok, struct str content);
/* The text of a value, as content: a string as it is, else JSON. */
void call_add_content(struct buf *b, struct val v);

/* ---- offer.c: which tools ----------------------------------------------------------- */

/* A tool of the agent's file, or of one around it; NULL: none. */
const struct agent_tool *offer_declared(const struct piece *p, struct str name);
/* Is a tool of the file among those that the llm offers? */
bool offer_names(const struct piece *p, struct str name);
/* May the tools node call it? */
bool offer_allows(const struct piece *p, struct str name);
/* Do the capabilities of the agent, and of those around it, allow it? */
bool offer_in_limits(const struct piece *p, struct str name);
/* "Available: a, b", or nothing. */
void offer_add_names(struct buf *b, const struct piece *p);
/* What an llm piece offers; the texts live as long as the agent and the tools,
 * or in a. */
struct llm_tool_spec *offer_specs(struct piece *p, struct arena *a, size_t *n);

/* review.c: of a review of tool calls; others pass. */
int review_answer_check(struct val question, struct val answer, struct err *e);
/* answer.c: is it the one that says that nobody answered in time? */
bool answer_is_timeout(struct val answer);
extern const char *const ask_types[];

/* ---- shared by kinds ------------------------------------------------------------------ */

/* Starts a child agent (agent.c).  otherwise: its input when the file says none
 * (taken); UNDEF: the channels of equal name. */
struct child_piece {
	struct piece p;
	struct task_child child;
	char *key;
	struct val input;
	bool under_way;
};
void child_begin(struct child_piece *c, const struct agent *agent, struct str name,
    const struct agent_value *input, struct val otherwise, bool persist);
void child_leave(struct piece *p);
void child_release(struct piece *p);
bool child_sleeps(const struct piece *p, msec *until);   /* its tasks say until when */

/* "name", or "name:port" where the port is not the scheme's own, of an URL that
 * http_get takes (http_get.c). */
bool http_get_authority(struct str url, struct str *out);
/* May it be read?  ERR_INVALID, ERR_FORBIDDEN with words. */
int http_get_check(const struct task *t, struct str url, struct err *e);
/* Do the capabilities of the agents around it allow that host? */
bool http_get_in_limits(const struct task *t, struct str authority);

/* A sequence (do.c): an inner one runs its container's items. */
struct piece *sequence_add(struct piece *up, uint32_t index, struct view *view,
    const struct name *names);

#endif
