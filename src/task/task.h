/*
 * task.h - the work of one node, done once.
 *
 * A task takes a node's work tree (agent.h: struct agent_work) and does it: a
 * leaf (llm, tool, ask, ...) or a sequence, loop or map of such.  It sees the
 * state as it was when the step began plus its own writes, and the world only
 * through struct task_host, which the run implements (and the simulator, and
 * tests, with a clock of their own).
 *
 * An attempt ends in one of three ways, told once through the host: done,
 * failed, or waiting (nothing in it can go on before a person answers).  After a
 * wait or a crash the task is made again from its records and answers: what is
 * recorded is not done again, an answered question returns its answer, and the
 * rest goes on.
 *
 * A *key* names a place in a task, the same in every attempt: "0/2" is the third
 * item of the first, "1/map/17" an element, "repeat/3/0" the first item of the
 * fourth turn; the node's own work has the key "".  A tool call of the last ai
 * message is named by its id: "call_7", "1/call_7".  Interrupts, records and
 * children are found by key.
 *
 * Threads: the shard's.  Callbacks come from inside task_start or later, never
 * from task_new, task_stop or task_free; each of these may be called from inside
 * a callback.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TASK_TASK_H
#define TASK_TASK_H

#include "agent/agent.h"
#include "base/id.h"
#include "llm/llm.h"
#include "state/channels.h"
#include "tools/tools.h"
#include "wasm/module.h"

struct task;

/* Why work failed: the event a chart catches ("error.tool.http"), the class name
 * that clients see ("ToolError"), words. */
struct task_error { struct str event, name, message; };

/* The same of a worker. */
struct task_worker_error {
	struct str name, message;
	bool final;                          /* it would fail again */
};

/* What an earlier attempt left. */
struct task_record {                         /* result p NULL: started, not done */
	struct str key, name, result_json;
};
struct task_answer {                         /* of the interrupt under this key */
	struct str key;
	struct val value;
};

/* What calls of models and tools take, or may take. */
struct task_cost { int64_t turns, tool_calls, tokens, cost_nano; };

/* Which budget has not enough left, and of what. */
struct task_refusal {
	const struct agent_budget *budget;
	enum agent_budget_kind kind;
	int64_t used, asked;
};

struct task_interrupt {
	struct str key;
	struct val value, schema;            /* schema UNDEF: none */
	msec due;                            /* it is answered by a timeout then; 0:
	                                        never */
	struct str assignee;                 /* who is to answer; or empty */
};
struct task_write {
	unsigned channel;
	unsigned known;                      /* reducer.h: REDUCE_STORED, ... */
	struct val value;
	struct val shown;                    /* what `updates` shows instead: the whole
	                                        output of a child; UNDEF: the value */
};

/* One call of a child agent.  The host fills in nothing; it calls done once,
 * unless child_stop was called. */
enum child_end { CHILD_DONE, CHILD_FAILED, CHILD_WAITS };
struct task_child {
	struct str key;
	const struct agent *agent;
	struct val input;                    /* object of channels; borrowed */
	bool persist;
	/* output: DONE: object of the output channels, whole; added: what it added
	 * (the tail of messages and append channels, the growth of sums) as the
	 * parent's reducers are to get it.  Both borrowed. */
	void (*done)(struct task_child *c, enum child_end end, struct val output,
	    struct val added, const struct task_error *e);
	/* What the child spends counts for its caller too; as the functions of
	 * struct task_host.  Not before child was called, nor after its end. */
	bool (*may_spend)(struct task_child *c, const struct task_cost *about,
	    struct task_refusal *why);
	void (*spent)(struct task_child *c, const struct task_cost *cost);
	int64_t (*tokens_left)(struct task_child *c);
	void *host_data;
};

enum task_store_op {
	TASK_STORE_GET, TASK_STORE_PUT, TASK_STORE_SEARCH, TASK_STORE_DELETE
};
struct task_store {
	enum task_store_op op;
	struct str ns, key;                  /* ns: labels joined by '.' as store.h has them */
	struct val value, filter;            /* PUT; SEARCH: an object, or UNDEF */
	struct str query;
	int64_t limit, offset;
	/* result: the item {namespace, key, value, created_at, updated_at} or null;
	 * a list of them; borrowed */
	void (*done)(struct task_store *s, int rc, struct val result, const struct err *e);
	void *host_data;
};

/* GET of a URL, whose host is allowed; redirects are not followed.  The body is at
 * most LIMIT_HTTP_GET_BYTES, else ERR_TOOBIG. */
struct task_http_answer {
	int status;
	struct str content_type, body;
};
struct task_http {
	struct str url;                      /* lives until done or http_stop */
	/* rc OK: an answer, of any status; else e; all borrowed */
	void (*done)(struct task_http *h, int rc, const struct task_http_answer *a,
	    const struct err *e);
	void *host_data;
};

/* Asks a server of the Model Context Protocol: for its tools, or to call one. */
struct mcp_list;
struct mcp_result;
struct task_mcp {
	const struct agent_mcp *server;      /* outlives it */
	bool of_client;                      /* a client named it, not a file */
	const struct str *roots;             /* what it is told; good for the call */
	size_t roots_n;
	struct str tool, args_json;          /* of a call; good for the call */
	msec timeout;                        /* 0: the usual one */
	/* One of the two, once, later or at once, unless mcp_stop was called; as
	 * tools/mcp.h says. */
	void (*listed)(struct task_mcp *m, int rc, const struct mcp_list *list,
	    const struct err *e);
	void (*called)(struct task_mcp *m, int rc, const struct mcp_result *r,
	    const struct err *e);
	void *host_data;
};

/* A message to other agents (mail/acl.h), all borrowed. */
struct task_mail {
	struct str to;                       /* addresses, with blanks between */
	struct str act;
	struct val fields;                   /* an object: content, protocol, conversation_id,
	                                        ... as the kind `message` has them; what is
	                                        null is not given */
};

/* Another agent, of the run's owner, is spawned or stopped. */
enum task_peer_op { TASK_PEER_SPAWN, TASK_PEER_STOP };
struct task_peer {
	enum task_peer_op op;
	/* all texts live until done or peer_forget */
	struct str agent;                    /* SPAWN: its definition; STOP: its id or name */
	struct uuid id;                      /* the rest but the last two: SPAWN; if there is or
	                                        was one of that id, it is the one */
	struct str name, input_json;         /* or empty */
	const struct str *capabilities;
	size_t capabilities_n;
	bool memory;                         /* it is no run on a thread */
	bool drain;                          /* STOP: after what waits for it is delivered */
	bool again;                          /* STOP: that it is gone is well */
	/* ERR_NOTFOUND, ERR_CONFLICT and others: e has words */
	void (*done)(struct task_peer *x, int rc, const struct err *e);
	void *host_data;
};

/* Work that an external worker does: a tool, or a node of a chart or a graph.  It may be
 * offered again after done. */
struct task_worker_facts {                   /* as a worker has registered it */
	struct str description, schema_json; /* schema: empty: none */
	bool idempotent;                     /* it may be done twice */
	msec timeout;                        /* 0: none */
};
enum task_worker_end {
	TASK_WORKER_DONE,                    /* output */
	TASK_WORKER_FAILED,                  /* the worker says so: e */
	TASK_WORKER_LOST,                    /* it is gone: e; it may have been done if it
	                                        was begun */
	TASK_WORKER_REFUSED                  /* it was not offered: e */
};
struct task_worker {
	bool tool;
	/* both live until the last done, or worker_stop */
	struct str name;
	struct str members;                  /* of the task's object: `"args":{}`, no comma at
	                                        the ends */
	unsigned attempt;                    /* from 1 */
	/* A worker takes it, and begins when worker_go is called; not from inside. */
	void (*taken)(struct task_worker *w, const struct task_worker_facts *facts);
	/* What it says while it works.  False: nobody takes events of that mode. */
	bool (*event)(struct task_worker *w, struct str mode, struct val data);
	/* Once, later, unless worker_stop was called; output and e are borrowed. */
	void (*done)(struct task_worker *w, enum task_worker_end how, struct val output,
	    const struct task_worker_error *e);
	void *host_data;
};

/* One message for a guest in a sandbox, which is a new instance of a module.  It may be
 * given to another one after done. */
enum task_wasm_end {
	TASK_WASM_DONE,                      /* code: what handle_message returned */
	TASK_WASM_TRAP,                      /* it was stopped: code of enum wasm_trap; words */
	TASK_WASM_LOST,                      /* its host process is gone: words */
	TASK_WASM_REFUSED                    /* it was not begun: words */
};
struct task_wasm {
	struct str module, message;          /* both live until done, or wasm_stop */
	/* What it says while it works, JSON. */
	void (*send)(struct task_wasm *w, struct str json);
	void (*reply)(struct task_wasm *w, struct str json);
	/* It waits for wasm_answer, which may be called from inside.  what: store_get,
	 * store_put, or tool_call of a tool that its release allows; name: the key or the
	 * tool; body: the value or the arguments; all good until the hook returns. */
	void (*ask)(struct task_wasm *w, enum wasm_import what, struct str name,
	    struct str body);
	/* Once, later, unless wasm_stop was called. */
	void (*done)(struct task_wasm *w, enum task_wasm_end how, int32_t code,
	    struct str words);
	void *host_data;
};

struct task_timer {
	void (*fire)(struct task_timer *t);
	void *host_data;
};

/* An event of a model for the chart. */
struct task_event { struct str name; struct val data; };

enum task_tool_event { TOOL_START, TOOL_END, TOOL_ERROR };

struct task_host {
	/* the end of the attempt; result is borrowed */
	void (*done)(void *ctx, struct val result);
	void (*failed)(void *ctx, const struct task_error *e);
	void (*waits)(void *ctx);
	/* what is told */
	void (*emit)(void *ctx, struct str name, struct val data);
	void (*tool)(void *ctx, enum task_tool_event ev, struct str call_id, struct str name,
	    struct val payload);             /* input, output (the tool message), or
	                                        the error: a string */
	/* a model's answer as it streams; every answer has a stream, deltas or not.
	 * message_id: the id that its message is to have: the model's own, or a new
	 * one if that is unfit (empty, not plain, or in the thread already); the same
	 * whenever it is asked for one stream.  stream_end: message UNDEF when it
	 * failed or was stopped. */
	bool (*wants_deltas)(void *ctx);
	void *(*stream_begin)(void *ctx, struct str model);
	void (*stream_delta)(void *ctx, void *stream, const struct llm_delta *d);
	struct str (*message_id)(void *ctx, void *stream, struct str own);
	void (*stream_end)(void *ctx, void *stream, struct val message);
	/* the world; a NULL function: not available here (an error event) */
	struct llm_call *(*llm)(void *ctx, const struct llm_request *q,
	    const struct llm_hooks *h, struct err *e);
	void (*llm_stop)(void *ctx, struct llm_call *c);
	void (*tools_call)(void *ctx, struct str name, struct str args_json, struct str once,
	    tool_done *done, void *arg);     /* exactly once, possibly at once */
	const struct tools *tools;           /* NULL: none */
	/* an operation of the work tracker, as the run's actor; once is empty for one
	 * that only reads */
	void (*work)(void *ctx, struct str operation, struct str args_json, struct str once,
	    tool_done *done, void *arg);
	void (*store)(void *ctx, struct task_store *s);          /* done exactly once,
	                                        possibly at once, unless store_stop */
	void (*store_stop)(void *ctx, struct task_store *s);
	void (*http)(void *ctx, struct task_http *h);            /* done exactly once,
	                                        later, unless http_stop */
	void (*http_stop)(void *ctx, struct task_http *h);
	struct str (*http_hosts)(void *ctx); /* with http: whom it may ask, "a.example,
	                                        *.b.example:8080" */
	void (*mcp_list)(void *ctx, struct task_mcp *m);
	void (*mcp_call)(void *ctx, struct task_mcp *m);
	void (*mcp_stop)(void *ctx, struct task_mcp *m);         /* one under way */
	bool mcp_taped;                      /* what such tools answered is on a tape, which
	                                        tools_call reads; servers are not asked */
	/* Sends a message: it leaves with what the task records next, or not at all.
	 * *receivers: how many get it.  ERR_NOTFOUND: there is no such agent (words name
	 * near matches); ERR_INVALID: it is no message.  NULL: nobody can be written to. */
	int  (*mail_send)(void *ctx, const struct task_mail *m, size_t *receivers,
	    struct err *e);
	void (*peer)(void *ctx, struct task_peer *x);            /* done exactly once,
	                                        possibly at once, unless peer_forget */
	void (*peer_forget)(void *ctx, struct task_peer *x);     /* it goes on untold */
	/* External workers; worker NULL: none can be. */
	void (*worker)(void *ctx, struct task_worker *w);
	void (*worker_go)(void *ctx, struct task_worker *w);     /* of one that is taken */
	void (*worker_stop)(void *ctx, struct task_worker *w);   /* one under way */
	/* Does somebody serve it now? */
	bool (*worker_there)(void *ctx, const struct task_worker *w);
	/* What a worker has said of a tool; kept when it has left.  Texts in a.  False:
	 * nobody has. */
	bool (*worker_tool)(void *ctx, struct str name, struct arena *a,
	    struct task_worker_facts *out);
	/* Guests in a sandbox; wasm NULL: none can be. */
	void (*wasm)(void *ctx, struct task_wasm *w);
	void (*wasm_answer)(void *ctx, struct task_wasm *w, int32_t rc, struct str body);
	void (*wasm_stop)(void *ctx, struct task_wasm *w);       /* one under way */
	void (*timer_set)(void *ctx, struct task_timer *t, int64_t ms);
	void (*timer_stop)(void *ctx, struct task_timer *t);
	msec (*now)(void *ctx);              /* wall */
	void (*child)(void *ctx, struct task_child *c);          /* done possibly at once */
	void (*child_stop)(void *ctx, struct task_child *c);
	const struct agent *(*agent)(void *ctx, struct str name);        /* registry; NULL: none */
	/* Budgets.  May the task spend this too?  NULL: it may. */
	bool (*may_spend)(void *ctx, const struct task_cost *about,
	    struct task_refusal *why);
	/* It spends this (negative: it did not after all).  NULL: nobody counts. */
	void (*spent)(void *ctx, const struct task_cost *c);
	/* What a call may take at most: INT64_MAX without a budget of tokens. */
	int64_t (*tokens_left)(void *ctx);
	/* A model has answered: what it is billed for.  NULL: nobody bills. */
	void (*billed)(void *ctx, const struct llm_usage *u, struct str model);
	/* Events for the chart that the task is work of, in order; what it wrote so far is
	 * in the state before they are.  key and json: a record that is committed with what
	 * they do.  The task may be stopped from inside.  again: an earlier attempt has
	 * posted them; what it wrote then is in the state.  NULL: there is no chart. */
	void (*post)(void *ctx, struct str key, struct str json,
	    const struct task_event *ev, size_t n, bool again);
	/* the journal: started is committed before `then`, which is called once, even
	 * after task_stop; a result is written lazily.  NULL: there is no journal. */
	void (*record_start)(void *ctx, struct str key, struct str name,
	    void (*then)(void *arg, int rc), void *arg);
	void (*record_done)(void *ctx, struct str key, struct str name, struct str result_json);
};

/* What a model is asked with where the file says nothing. */
struct task_defaults {
	struct str model, base_url, system_prompt;
	double temperature;                  /* NaN: not given */
	int64_t max_tokens;                  /* 0: not given */
	bool all_tools;                      /* but those of groups */
	const struct tool *const *tools;     /* when not all */
	size_t tools_n;
	const struct agent_mcp *mcp;         /* servers that the client names */
	size_t mcp_n;
};

/* What the task's agent may use, and those around it: all of them must allow it. */
struct task_limits {
	const struct agent_limits *own;      /* NULL: everything */
	const struct task_limits *up;        /* NULL: the root's */
};

struct task_spec {
	const struct agent *agent;
	const struct agent_work *work;
	const struct channels *state;        /* cloned */
	struct val input;                    /* private input of a send; UNDEF: none */
	struct val config, context;          /* the run's; `params` is config.configurable */
	struct val event;                    /* of a chart's invoke; UNDEF */
	struct uuid id;                      /* for `once` keys */
	const struct task_limits *limits;    /* outlive the task; NULL: everything */
	bool counts;                         /* some budget wants to know what it spends */
	const struct task_record *records;   /* copied */
	size_t records_n;
	const struct task_answer *answers;   /* copied */
	size_t answers_n;
	const struct task_defaults *defaults;        /* outlives the task; NULL: none */
};

struct task *task_new(const struct task_spec *s, const struct task_host *h, void *ctx);
void task_start(struct task *t);
void task_stop(struct task *t);              /* no callback follows */
void task_free(struct task *t);              /* NULL: nothing; stops it */

/* Something for a task under way; key gets the record's that keeps it, under the same
 * name; empty: nothing need be kept.  ERR_CONFLICT: there is nothing in it that takes it;
 * ERR_LIMIT: too many wait.
 *   "inject": a message in the stored form, which the next turn of a conversation takes
 *   "message": one of another agent (an object, mail/acl.h), if it answers what the task
 *              has sent; it is looked at in task_hear */
int task_event(struct task *t, struct str name, struct val data, struct buf *key);
void task_hear(struct task *t);              /* the attempt may end inside */
bool task_hears(const struct task *t);       /* does it wait for messages of others? */
/* It is to be stopped because nobody wants it any more (not to be made again later):
 * what it has begun with other agents is cancelled. */
void task_quit(struct task *t);
/* Such a message of a task that has ended; gives its number. */
size_t task_give(struct task *t, struct val message);
/* Those that no turn has taken; borrowed. */
const struct val *task_untaken(const struct task *t, size_t *n);

/* After done (or waits): what it wrote, in order; borrowed. */
const struct task_write *task_writes(const struct task *t, size_t *n);
/* After waits: the questions that have no answer; a child's are not among them. */
const struct task_interrupt *task_interrupts(const struct task *t, size_t *n);
/* May this be the answer to a question (an interrupt's value)?  ERR_INVALID with words:
 * a review of tool calls takes a decision for each; a question with a type of answer
 * takes that.  Asked before an answer is taken, so that a wrong one uses nothing up. */
int task_answer_check(struct val question, struct val answer, struct err *e);
/* The answer that is given when nobody has answered in time: no client may give it. */
#define TASK_TIMEOUT_KEY "__timeout__"

/* All it waits for are times that are in its records: it may be stopped, kept by
 * them and by task_records, and made again at *until, the first of them.
 * TASK_NEVER: only for children, whose tasks may say more. */
#define TASK_NEVER INT64_MAX
bool task_sleeps(const struct task *t, msec *until);

/* What to keep when it waits: results of what was done in this attempt and not
 * given to record_done. */
const struct task_record *task_records(const struct task *t, size_t *n);

/* Is there enough left, after what was used? */
bool task_budget_allows(const struct agent_budget *b, const struct task_cost *used,
    const struct task_cost *about, struct task_refusal *why);
/* Why it was refused, in words: error.budget.KIND. */
void task_refusal_add(struct buf *b, const struct task_refusal *why);
void task_cost_add(struct task_cost *to, const struct task_cost *c);

/* May an URL be asked, by a list as "a.example,*.b.example:8080"? */
bool task_host_allowed(struct str list, struct str url);

/* Is this a configurable.interrupt_on?  ERR_INVALID with the path. */
int task_review_check(struct val interrupt_on, struct err *e);

#endif
