/*
 * api_priv.h - one request on its way, and the helpers every handler shares.
 *
 * A struct call lives in its request's arena.  A handler reads what it needs
 * from `in` before it returns (the document is released then) and copies it
 * into the arena.  It answers once, or has the call answered once later, as by
 * call->then when its store command is back, and returns OK; or it answers
 * nothing, sets call->err and returns the code, which is the answer then.
 * After an answer the call is gone.
 *
 * Threads: everything here belongs to the call's shard, except the counters
 * of struct metrics, which /metrics reads from any.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef API_API_PRIV_H
#define API_API_PRIV_H

#include "api/api.h"
#include "api/metrics.h"
#include "api/router.h"
#include "auth/policy.h"
#include "base/fields.h"
#include "base/limits.h"
#include "base/map.h"
#include "run/update.h"
#include "store/assistant.h"
#include "store/cron.h"
#include "store/find.h"
#include "store/hook.h"
#include "store/items.h"
#include "store/mail.h"
#include "store/node.h"
#include "store/owner.h"
#include "work/host/guest.h"

struct a2a_call;
struct agent;
struct call;
struct client;
struct commander;
struct door_kept;
struct door_name;
struct erasing;
struct extracts;
struct feed;
struct mailbox;
struct member;
struct poll_call;
struct socket;
struct view;

/* Which state of a thread: id zero: the newest of the namespace. */
struct checkpoint_ref { struct uuid id; struct str ns; };

struct api_shared {
	struct api_options o;
	struct router *router;
	struct http_hooks hooks;
	struct api **at;                     /* by shard id */
	struct buf away;                     /* body of a 503: the node that has it is gone */
	struct str away_type;
};

struct api {
	struct api_shared *shared;
	struct shard *shard;
	struct runs *runs;
	struct office *office;
	struct worker_desk *desk;
	struct wasm_desk *wasm;              /* NULL: off */
	const struct wasm_agents *guests;    /* for /metrics; or NULL */
	struct relay *relay;                 /* to other nodes; or NULL */
	struct store_reader *reader;
	struct map owners;                   /* subject -> interned owner */
	struct buf out;                      /* scratch for one answer */
	struct buf scratch;                  /* for one text on its way to an arena */
	struct metrics metrics;
	struct waiting *waiting, **waiting_end;      /* for room; first in, first out */
	size_t waiting_n;
	struct wheel_timer room_timer;
	const struct http_req *resumed;      /* was the first of them */
	struct feed *feeds;                  /* all of this shard */
	struct mailbox *mailboxes;           /* that are read; all of this shard */
	struct socket *sockets;              /* all of this shard */
	bool draining;                       /* no new feeds and mailboxes */
	void (*drained)(void *ctx);          /* when the last one is gone */
	void *drained_ctx;
};

struct call {
	struct api *api;
	struct http_req *r;
	const struct route *route;
	struct str param[ROUTE_PARAMS];      /* in order of the path */
	struct uuid thread_id, run_id;       /* parsed, when the path has them */
	struct credentials shows;            /* see session.h */
	struct str ticket;                   /* of the path; STR_NONE: none */
	struct principal who;
	bool unknown;                        /* its credentials are not checked yet */
	bool peers_asked;                    /* other nodes were, for its session or ticket */
	bool keeps_thread;                   /* runs_keep_thread, until it is served */
	struct auth_wait asking;
	int64_t retry_s;                     /* of a 429; 0: 1 */
	struct grant grant;                  /* for the route's action */
	struct uuid audited;                 /* the id of its audit lines; zero: none */
	const char *audited_as;
	owner_t owner;
	struct str other;                    /* of whom an operator asks; or empty */
	struct fields *in;                   /* the body, while the handler runs */
	struct err err;                      /* why the handler failed */
	/* Of a command (command.h): tells a failure its own way; or NULL. */
	void (*failed)(struct call *c, int rc, const struct err *e);
	int (*then)(struct call *c);         /* op came back; as a handler */
	struct client *client;               /* of an answer that lasts (client.h) */
	struct a2a_call *a2a;                /* a request of A2A */
	struct injecting *injecting;         /* a message for a run */
	struct erasing *erasing;             /* an owner */
	struct export *exporting;            /* a transcript */
	struct door_name *named;             /* an assistant that was looked for by name */
	struct door_kept *kept;              /* the body, while a door asks the store */
	struct commander *commander;         /* of a request that is a command */
	struct poll_call *worker_poll;       /* of a worker */
	struct str request_id;               /* of JSON-RPC and /work/rpc, JSON */
	unsigned select;                     /* members of the objects of a list */
	struct view *view;                   /* members of states */
	struct update *update;               /* what its command writes */
	struct checkpoint_ref made;          /* by it */
	struct str seed;                     /* supersteps of a new thread that a worker
	                                        makes; or empty */
	struct seeding *seeding;             /* while it does */
	struct words { const struct str *at; size_t n; } namespaces;     /* of a stream;
	                                        n 0: all */
	struct uuid after_checkpoint;        /* a stream's replay begins behind it;
	                                        zero: at the start */
	const struct llm_usage *usage;       /* of a stored response; or NULL */
	struct str lines;                    /* header lines of the answer */
	bool with_key, repeated;             /* idempotency key: new; used before */
	struct store_once once;              /* of it; see once.h */
	int status;                          /* of an answer without a body */
	int64_t page;                        /* entries of a transcript */
	int64_t done;                        /* by commands before this one */
	bool truncated, refresh;             /* of a search of items */
	const struct extracts *extracts;     /* what a search takes from each thread; or NULL */
	union {
		struct store_cmd cmd;
		struct store_owner_intern owner_intern;
		struct store_assistant_create assistant_create;
		struct store_assistant_update assistant_update;
		struct store_assistant_delete assistant_delete;
		struct store_assistant_latest assistant_latest;
		struct store_assistant_versions assistant_versions;
		struct store_thread_create thread_create;
		struct store_thread_update thread_update;
		struct store_thread_delete thread_delete;
		struct store_thread_prune thread_prune;
		struct store_truncate truncate;
		struct store_owner_erase owner_erase;
		struct store_run_delete run_delete;
		struct store_run_push run_push;
		struct store_cron_create cron_create;
		struct store_cron_update cron_update;
		struct store_cron_delete cron_delete;
		struct store_cron_search cron_search;
		struct store_thread_search thread_search;
		struct store_assistant_search assistant_search;
		struct store_item_put item_put;
		struct store_item_delete item_delete;
		struct store_item_search item_search;
		struct store_item_refresh item_refresh;
		struct store_namespace_list namespace_list;
		struct store_history history;
		struct store_state_update state_update;
		struct store_thread_copy thread_copy;
		struct store_storage storage;
		struct store_interrupt_search interrupt_search;
		struct store_run_list run_list;
		struct store_run_active run_active;
		struct store_run_search run_search;
		struct store_usage_get usage_get;
		struct store_node_list node_list;
		struct store_transcript transcript;
		struct store_mail_list mail_list;
		struct work_cmd work;
	} op;
};

/* ---- routes (routes.c) --------------------------------------------------- */

extern const struct route routes[];
extern const size_t routes_n;
/* Is its group turned off? */
bool route_is_off(const struct api_options *o, const struct route *r);
/* The fields a route takes; of a tracker operation its arguments too, but for those in the
 * path. */
void route_add_request(struct buf *b, const struct route *r);

/* ---- answering (answer.c) ------------------------------------------------ */

/* CORS lines of an answer to the call. */
struct str call_cors(struct call *c);

/* The HTTP status of a code: the only place where one becomes the other. */
int  api_status(int rc);

/* c has not been answered: a call that is gone, or not of this shard, ends the
 * process here. */
void api_call_check(const struct call *c);

struct buf *call_out(struct call *c);        /* the cleared answer buffer */
/* Answers one object, or n of a list with c->select, where there is room. */
int  call_object(struct call *c, const struct member *m, const void *object);
int  call_list(struct call *c, const struct member *m, const void *objects,
    size_t size, size_t n, struct str extra);
void call_reply(struct call *c, int status, struct str content_type,
    struct str extra, struct str body);      /* extra: lines after the CORS ones */
int  call_json(struct call *c, struct str extra);        /* 200 with call_out;
                                                ERR_TOOBIG: not answered */
int  call_page(struct call *c, struct str page);         /* HTML without scripts */
/* X-Pagination-Total, and -Next if there is more behind `next`. */
struct str call_page_lines(struct call *c, int64_t next, int64_t total);
struct str call_next_line(struct call *c, int64_t next);     /* only X-Pagination-Next */
/* For a stream: over is called, once, when the caller's credentials have expired or been
 * revoked.  Call standing_end before the request ends. */
struct standing {
	struct wheel_timer timer;
	struct auth *auth;
	struct shard *shard;                 /* NULL: it has not begun */
	struct principal *who;
	void (*over)(struct standing *s);
	struct principal *kept;              /* a copy, which is freed; or NULL */
};
void standing_begin(struct standing *s, struct call *c, void (*over)(struct standing *s));
void standing_keep(struct standing *s);      /* the call goes, the answer lasts */
void standing_end(struct standing *s);       /* also when it has not begun, or is over */
void call_empty(struct call *c, int status);
/* The status of rc, with the words of e; without words, those of the code. */
void call_fail(struct call *c, int rc, const struct err *e);
/* These words: what the client is told of a failure, and the logs of what it is not. */
struct err call_words(struct call *c, int rc, const struct err *e);
/* What a handler returned: a code is answered with c->err. */
void call_finish(struct call *c, int rc);
/* Returns the content type. */
struct str answer_add_error(struct buf *b, bool plain, struct str message);

/* ---- room for large answers (room.c) -------------------------------------- */

/* Call it after the data is read and before the answer is encoded.  False: the
 * call waits for room or was refused; c is gone. */
bool call_has_room(struct call *c);
void room_init(struct api *a);
void room_release(struct api *a);
/* Routes and handles r, again. */
void api_handle(struct api_shared *sh, struct http_req *r);
/* Free the buffer after a large answer. */
void api_trim(struct api *a);

/* ---- who may (access.c) -------------------------------------------------- */

/* For what a handler does beyond its route's access.  ERR_DENIED: the caller may
 * not; ERR_NOTFOUND: not with an object of this metadata (STR_NONE: there is no
 * object yet, or any). */
int  call_may(struct call *c, enum access a, struct str metadata_json);
/* The same with a thread that a body names.  OK too when there is none. */
int  call_may_thread(struct call *c, enum access a, const struct uuid *id);
int  call_may_run(struct call *c, enum access a, const struct uuid *id);
/* Is an item of the store within c->grant?  ERR_DENIED: the stored item is not, or
 * value_json (empty: nothing is put) would not be. */
int  call_may_item(struct call *c, struct str ns, struct str key, struct str value_json);
/* Applies the policy's namespace and prepend to ns, labels with dots between. */
void call_namespace(struct call *c, bool search, struct str *ns);
/* The same for a prefix that namespaces must match: labels, of which `*` is any, with NULs
 * between. */
void call_namespaces(struct call *c, struct str *prefix);
/* For a stream of a thread that is not there yet: the policy's filter, which it meets when
 * its first event comes. */
struct unseen {
	struct api *api;
	owner_t owner;
	struct uuid thread_id;
	char *filter;                        /* NULL: the thread was seen, or any may be */
};
void unseen_begin(struct unseen *u, struct call *c);     /* by c->grant */
bool unseen_may(struct unseen *u);           /* there is an event: may it be seen? */
void unseen_end(struct unseen *u);
/* The stamp of a thread that a run of this call creates; or empty. */
struct str call_stamp(struct call *c);
/* For api.c: once the caller is known; before the handler; before a command. */
int  call_authorise(struct call *c);
int  call_screen(struct call *c);
void call_guard(struct call *c);
/* Writes the route's action to the audit log, if it is audited.  ERR_BUSY: that failed, so
 * the action must not be done. */
int  call_audit(struct call *c);
int  call_audit_as(struct call *c, const char *action);
/* Before the answer is sent: a slow client's request is no call when it has all of it. */
void call_audit_end(struct call *c, int status);
void call_audit_denied(struct call *c, const struct err *e);

/* ---- limits of callers (quota.c) ------------------------------------------ */

/* Once the caller is known.  ERR_LIMIT.  ERR_AGAIN: other nodes are asked; entered is called
 * in a later turn. */
int  call_enter(struct call *c, void (*entered)(struct call *c, int rc));
/* For a command of a request that has entered; counts: it is one of its own to the limit
 * of requests per second. */
int  call_enter_again(struct call *c, bool counts);
void call_leave(struct api_shared *sh, struct http_req *r);
/* What the caller may have; NULL: as much as he likes.  As long as c lives. */
const struct store_quota *call_quota(const struct call *c);
int  api_quota(struct call *c);
/* ERR_DENIED: what `what` asks for is for operators (api.c). */
int  call_operator(struct call *c, const char *what);
/* The owner's number is not his any more (api.c). */
void api_owner_forget(struct api *a, struct str subject);
int  api_owner_erase(struct call *c);

/* ---- store commands (api.c) ---------------------------------------------- */

/* Sends c->op, unless reading has failed: then that is the result.  `then` runs
 * when it is back and has not failed; NULL: the answer is 204.  ERR_BUSY: the
 * queue is full. */
int  call_submit(struct call *c, enum store_op op, int (*then)(struct call *c));
/* The same to a store that is not the server's main one, or is. */
int  call_submit_to(struct call *c, struct store *st, enum store_op op,
    int (*then)(struct call *c));
/* The same by items_submit, for STORE_ITEM_PUT and STORE_ITEM_SEARCH. */
int  call_submit_item(struct call *c, enum store_op op, int (*then)(struct call *c));

/* ---- reading (params.c, body.c, headers.c, runs.c) ----------------------- */

/* As base/fields.h reads: the first failure stays in c->in, after it nothing is
 * read, and what is absent or null leaves *out as it was.  Errors name the
 * parameter, what would be right, and what came. */

/* Of an array of at most max strings, or null. */
struct words words_read(struct call *c, const char *name, jnode array, size_t max);
/* A failure at the ith. */
void words_fail(struct call *c, const char *name, size_t i, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Which of a NULL-ended list s is; -1 and a failure when it is none of them. */
int  words_index(struct call *c, const char *name, const char *const *words,
    struct str s);

struct str param_str(struct call *c, const char *name);  /* STR_NONE: absent */
void param_bool(struct call *c, const char *name, bool *out);
void param_int(struct call *c, const char *name, int64_t min, int64_t max,
    int64_t *out);
void param_word(struct call *c, const char *name, const char *const *words, int *out);
void param_id(struct call *c, const char *name, struct uuid *out);
struct words param_list(struct call *c, const char *name);
/* As much of a wrong value as an error repeats; whole characters. */
struct str param_shown(struct str s);

/* The body as JSON, its NULs as U+FFFD (the tracker keeps them).  Release doc in any
 * case. */
int  api_text_parse(const struct call *c, struct json_doc *doc, struct err *why);

/* Copies, in the request's arena. */
void call_read_str(struct call *c, const char *key, size_t max, struct str *out);
void call_read_object(struct call *c, const char *key, size_t max, struct str *out);
struct words call_read_list(struct call *c, const char *key, size_t max);
/* n as JSON, at most max bytes; key is for the error. */
void call_read_json(struct call *c, const char *key, jnode n, size_t max,
    struct str *out);
/* A UUID; absent: a new one. */
void call_read_id(struct call *c, const char *key, struct uuid *id);
/* s as a UUID; name is for the error. */
void call_parse_id(struct call *c, const char *name, struct str s, struct uuid *id);
/* Each of list as a UUID; NULL after a failure. */
struct uuid *call_parse_ids(struct call *c, const char *name, struct words list);
bool call_read_do_nothing(struct call *c);   /* if_exists: raise, do_nothing */

/* The stream modes of these words (none: values), and the JSON array that the
 * run's kwargs show.  array: errors tell which of them. */
void call_modes(struct call *c, struct words list, bool array, unsigned *modes,
    struct buf *json);
/* The same of a body's `stream_mode`: one word, or an array of them. */
void call_read_modes(struct call *c, unsigned *modes, struct buf *json);

/* Last-Event-ID: a number, or -1 for "-1" and "-", which stand for all. */
void header_event_id(struct call *c, int64_t *id);
/* A client's word inside a quoted header value: printable ASCII, other bytes
 * become `?`. */
void header_add_text(struct buf *b, struct str s);
/* {"x-...":"..","user-agent":".."} of the headers a run may see. */
void header_add_json(struct buf *b, const struct http_req *r,
    const struct header_rules *rules);
/* The same of those that are logged. */
void header_add_logged(struct buf *b, const struct http_req *r,
    const struct header_rules *rules);
int  header_rules_check(const struct header_rules *rules, const char *setting,
    struct err *e);

/* `checkpoint` and `checkpoint_id`; of a run those of its config too.  True: there
 * is a `checkpoint`. */
bool call_read_checkpoint(struct call *c, struct checkpoint_ref *out);
void call_read_run_checkpoint(struct call *c, struct checkpoint_ref *out);
/* Checks that it is on the thread.  *root: where a run begins; zero: at the newest.
 * ERR_NOTFOUND, ERR_INVALID (no thread). */
int  call_find_checkpoint(struct call *c, const struct checkpoint_ref *ref,
    struct uuid *root);
/* command, interrupt_before, interrupt_after, strict_resume, interrupt_on; a NULL:
 * the names of nodes and channels are not known.  After `input` and `config`. */
void call_read_begin(struct call *c, const struct agent *a, struct run_request *q);

/* The body of a request that starts a run.  What is read may be of the body. */
struct run_ask {
	struct run_request q;
	bool cancel_on_gone;
};
int  call_read_run(struct call *c, struct run_ask *ask);
/* The same of one that begins later: without asking whether there is input. */
void call_read_asked(struct call *c, struct run_ask *ask);

/* `namespace`, a text or a list of segments, as runs name it: "a:id|b:id"; p NULL: none
 * is named. */
struct str call_read_namespace(struct call *c);
/* Puts `message` of the body into the conversation of c->run_id, in `namespace`.  `then`,
 * as a handler, when it is stored. */
int  call_inject(struct call *c, int (*then)(struct call *c));

/* What updates write: an object, an array of objects, or null. */
void call_check_values(struct call *c, const char *path, jnode n);
int  call_val(struct call *c, const char *path, jnode n, struct val *out);
/* `supersteps` of a thread that is to be created as c->op.thread_create.t: then
 * c->update has what they write. */
int  call_read_seed(struct call *c, struct str metadata_json);

/* ---- showing (show.c) ---------------------------------------------------- */

/* A member of an object of ours. */
struct member {
	const char *name;                    /* NULL: the end of the table */
	/* Appends it with its key, or nothing; NULL: known, and in no object. */
	void (*add)(struct buf *b, const char *key, const void *at);
	size_t at;                           /* where in the struct */
};

/* A thread as it is shown; agent: whose channels are, NULL: not known. */
struct shown_thread {
	struct store_thread_found f;
	const struct agent *agent;
	struct str extracted;                /* JSON; empty: nothing was asked for */
};

/* Of struct shown_thread, store_assistant (as it is, and a version of it), store_run,
 * store_item, store_cron. */
extern const struct member thread_members[], assistant_members[], version_members[],
    run_members[], item_members[], cron_members[];
enum { THREAD_VALUES = 6, THREAD_INTERRUPTS = 7,          /* rows, from the state */
	THREAD_EXTRACTED = 11, THREAD_TTL = 12 };         /* those that are asked for */
#define THREAD_USUAL (~(1u << THREAD_EXTRACTED | 1u << THREAD_TTL))

#define MEMBERS_ALL (~0u)

/* `extract` of a search (extract.c): sets c->extracts if there is one.  True: states are
 * needed.  Then what it takes from a thread, as `extracted`.  ERR_TOOBIG. */
bool extracts_read(struct call *c);
int  extracts_take(struct call *c, struct shown_thread *t);

/* One member by itself.  A zero id, an empty text is null; a time is RFC 3339. */
void show_id(struct buf *b, const char *key, const struct uuid *id);
void show_text(struct buf *b, const char *key, struct str text);
void show_time(struct buf *b, const char *key, msec at);
/* select: a bit for each row that is shown.  A comma first, where one is due. */
void members_add(struct buf *b, const struct member *m, unsigned select,
    const void *object);
/* The rows of these words; all when there are none. */
unsigned members_select(struct call *c, const struct member *m, struct words list);
/* ---- nouns --------------------------------------------------------------- */

/* The UUID that a UUID or a graph id names; false: it is neither. */
bool api_assistant_id(const struct api *api, struct str s, struct uuid *id);
/* By UUID or graph id.  ERR_NOTFOUND.  find: one that the caller may read;
 * ERR_DENIED. */
int  api_assistant_load(struct call *c, struct str id, struct store_assistant *out);
int  api_assistant_find(struct call *c, struct str id, struct store_assistant *out);
/* The thread of the path.  ERR_NOTFOUND. */
int  api_thread_find(struct call *c, struct store_thread *out);

/* The graph that the thread's runs are of, as its metadata says; empty: none yet. */
struct str api_thread_graph(const struct store_thread *t);
const struct agent *api_thread_agent(const struct call *c, const struct store_thread *t);

/* What view.h needs to show states of the thread, in this namespace. */
void call_open_view(struct call *c, const struct store_thread *t, struct str ns,
    struct view *v);

/* Fills c->lines with a warning for each member that looks like a misspelt
 * setting.  No failure: `configurable` and `context` belong to the client; and a
 * file's agent may read any (a NULL: not known which agent it is). */
void call_note_settings(struct call *c, const struct agent *a, jnode config,
    jnode context);

/* Checks of api_options_check: the documents of auth.openapi and assistants.config. */
int openapi_check(struct str json, struct err *e);
int assistants_check(struct str json, struct err *e);

/* Content-Location of a run, and Location with this last segment (NULL: no
 * Location), as header lines in the request's arena. */
struct str call_location(struct call *c, const struct uuid *thread_id,
    const struct uuid *run_id, const char *last);

/* ---- handlers ------------------------------------------------------------ */

typedef int handler(struct call *c);

handler api_system_page, api_system_ok, api_system_info, api_system_health,
    api_system_metrics, api_system_openapi;
handler api_session_create, api_session_get, api_session_delete, api_session_ticket;
handler api_assistant_create, api_assistant_get, api_assistant_update,
    api_assistant_delete, api_assistant_search, api_assistant_count,
    api_assistant_versions, api_assistant_latest, api_assistant_graph,
    api_assistant_drawing, api_assistant_schemas, api_assistant_subgraphs;
handler api_thread_create, api_thread_get, api_thread_update, api_thread_delete,
    api_thread_copy, api_thread_storage, api_thread_search, api_thread_count;
handler api_truncate, api_system_docs, api_console;
handler api_thread_prune, api_thread_patch_state;
handler api_state_get, api_state_at, api_state_update, api_history, api_history_get;
handler api_interrupt_list, api_usage, api_cluster, api_settings;
handler api_transcript, api_run_agent;
handler api_thread_again, api_assistant_again, api_run_again, api_cron_again;
						/* see once.c */
handler api_run_batch, api_run_cancel_many, api_run_search, api_thread_stream;
handler api_command, api_events, api_socket;          /* of the thread protocol */
handler api_run_start, api_run_list, api_run_get, api_run_join, api_run_cancel, api_run_inject,
    api_run_delete;
/* Ends the caller's runs of an assistant, those that wait too.  Then calls `then`, with
 * the first failure; what it returns is as of a handler. */
int api_runs_end(struct call *c, const struct uuid *assistant, struct str why,
    int (*then)(void *ctx, int rc), void *ctx);
handler api_cron_create, api_cron_get, api_cron_update, api_cron_delete, api_cron_search,
    api_cron_count;
handler api_work_operation, api_work_delete, api_work_claim, api_work_rpc,
    api_work_events, api_work_mcp;
struct office_shown;
/* Appends it as it is shown, behind a comma where one is due. */
void agent_add(struct buf *b, const struct office_shown *x);
handler api_agent_spawn, api_agent_get, api_agent_stop, api_agent_search,
    api_mailbox_read, api_mailbox_ack, api_message_send, api_message_list, api_message_dead_list,
    api_message_dead_retry, api_message_dead_drop, api_conversation;
handler api_agui, api_a2a, api_a2a_card, api_a2a_well_known, api_mcp;
/* MCP-Protocol-Version, if it is there.  ERR_SYNTAX. */
int  api_mcp_version(struct call *c);
handler api_openai_chat, api_openai_models, api_openai_model, api_openai_respond,
    api_openai_response, api_openai_cancel, api_openai_delete;
handler api_item_put, api_item_get, api_item_delete, api_item_search,
    api_namespace_list;

/* ---- messages (messages.c) ----------------------------------------------------- */

enum acl_form { ACL_JSON, ACL_STRING, ACL_FRAMES };
enum acl_form call_acl_form(const struct call *c);       /* by its content type */

/* ---- streams that would never end (feed.c, mailbox.c, socket.c) ---------------- */

void feeds_end(struct api *a);
void mailboxes_end(struct api *a);
void sockets_end(struct api *a);
/* One of them is gone: the last one that a drain waits for? */
void api_drained(struct api *a);

handler api_worker_register, api_worker_poll, api_worker_leave, api_worker_drain,
    api_worker_list, api_worker_get, api_worker_log, api_worker_task;

/* ---- wasm.c: modules of sandboxed agents ---------------------------------------------- */

handler api_wasm_put, api_wasm_list, api_wasm_get, api_wasm_rollback, api_wasm_delete;
void wasm_add_info(struct buf *b, const struct api *api);    /* an object, for /info */

/* ---- graphs.c: graphs of workers --------------------------------------------------- */

void graphs_add(struct buf *b, const struct api *api);   /* {"id": workers, ...} */
/* ?fail_fast: a run that would wait for a worker is refused. */
void graphs_check_served(struct call *c, const struct agent *a);
/* Another node asks: answers c when what that has changed is published here. */
int  graphs_see(struct call *c);
handler api_graph_forget;

/* ---- graph_state.c: states that workers change --------------------------------------- */

struct hosted_update_request;
/* Ends the call, with {"checkpoint": ...}.  q: but for the thread's part. */
int  graph_state_update(struct call *c, const struct store_thread *t,
    struct hosted_update_request *q);
/* A thread was created whose history c->seed is; then answers it, or takes it back. */
int  graph_state_seed(struct call *c, int (*then)(struct call *c));
/* [[{values, as_node}]] of supersteps, or of one update. */
struct str graph_state_steps(struct call *c, const struct update_step *steps, size_t n);
int  call_state_updated(struct call *c);

/* ---- the tracker (work.c) ------------------------------------------------ */

/* The project a request is about; read as above. */
struct str api_work_project(struct call *c);
/* Fills c->op.work with what every request has. */
void api_work_prepare(struct call *c);
/* As call_submit, but `then` runs in any case and looks at c->op.work.cmd. */
int  api_work_send(struct call *c, struct str operation, int (*then)(struct call *c));

/* ---- waiting for a run (watch.c) ----------------------------------------- */

/* A route's `arg`. */
enum watch_kind {
	WATCH_NONE,                          /* a run in the background */
	WATCH_WAIT, WATCH_JOIN, WATCH_STREAM, WATCH_JOIN_STREAM
};

/* Starts the run and answers through a watcher. */
int  watch_start(struct call *c, enum watch_kind kind,
    const struct run_request *q, bool cancel_on_gone);
/* Joins a run.  known: its row was seen, so the answer may begin. */
void watch_join(struct call *c, enum watch_kind kind, bool known,
    unsigned modes, int64_t after, bool cancel_on_gone);

#endif
