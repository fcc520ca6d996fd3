/*
 * llm_priv.h - what the files of this room share.
 *
 * A call goes through llm.c (queue, retries, telling the caller); a provider
 * makes one attempt at a time and reports by call_delta, call_answered and
 * call_failed.  What an attempt has heard so far is a struct llm_result.
 *
 *             slot free            answered, failed, cancelled
 *   WAITING ------------> RUNNING -----------------------------> ENDED
 *      |                   |   ^                                   ^
 *      |         transient |   | timer                             |
 *      |                   v   |            cancelled              |
 *      |                 SLEEPING -------------------------------->+
 *      +---------------------------------------------------------->+
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LLM_LLM_PRIV_H
#define LLM_LLM_PRIV_H

#include "base/arena.h"
#include "llm/llm.h"
#include "llm/script.h"

/* ---- failure.c: what went wrong, as an event and as words ----------------- */

enum llm_fault {
	FAULT_BACKEND, FAULT_RATE_LIMITED, FAULT_OVERLOADED, FAULT_AUTH,
	FAULT_INVALID_REQUEST, FAULT_CONTEXT_LENGTH, FAULT_TIMEOUT, FAULT_TRANSPORT,
	FAULTS
};

struct failure {
	enum llm_fault kind;
	bool transient;                      /* the same request may work later */
	msec retry_after;                    /* -1: not told */
	struct err e;
};

int failure_rc(enum llm_fault kind);
const char *failure_event(enum llm_fault kind);

/* Fills f; the words may be cut. */
void failure_set(struct failure *f, enum llm_fault kind, bool transient,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
/* An answer with an error status; body is whatever came with it. */
void failure_of_status(struct failure *f, int status, struct str body);
/* The value of "error" inside a stream or a 200 answer, as JSON. */
void failure_of_object(struct failure *f, struct str error_json);
/* The transport's own result, rc != OK. */
void failure_of_transport(struct failure *f, int rc, const struct err *e);
/* Replaces every occurrence of secret in the words. */
void failure_redact(struct failure *f, struct str secret);
/* At most max bytes, whole characters only. */
struct str words_cut(struct str s, size_t max);

/* Milliseconds of a Retry-After value (seconds or an HTTP date), capped;
 * -1 when it says nothing. */
msec retry_after_ms(struct str value, msec wall);
/* Pause before the next attempt; attempt 0 follows the first failure and
 * random is any number. */
msec retry_backoff_ms(unsigned attempt, uint32_t random);

/* ---- result.c: the answer as it grows ------------------------------------- */

/* Bufs named *_raw hold insides of JSON strings, escapes and all. */
struct result_call {
	int64_t index;                       /* ours: no two alike */
	int64_t wire;                        /* the model's */
	struct buf id_raw, name_raw, args_raw;
};

struct llm_result {
	struct buf id;                       /* plain */
	struct buf content_raw, reasoning_raw, refusal_raw;
	struct buf usage;                    /* JSON object, one line; or empty */
	struct result_call *calls;
	size_t calls_n, calls_cap;
};

void result_init(struct llm_result *r);
void result_release(struct llm_result *r);
/* The call a fragment belongs to; a new one when its index is new, or its id
 * is not that of the call known by this index.  NULL: LIMIT_TOOL_CALLS. */
struct result_call *result_call_for(struct llm_result *r, int64_t wire,
    struct str id_raw);
/* Gives the message an id of its own if the model told none. */
void result_need_id(struct llm_result *r);
/* ERR_TOOBIG when some part hit its maximum. */
int  result_check(const struct llm_result *r);

/* The finished answer; what `answer` points to lives in `json` and `arena`. */
struct result_built {
	struct buf json;
	struct arena arena;
	struct llm_answer answer;
};

int  result_build(const struct llm_result *r, struct str provider,
    struct result_built *out, struct err *e);
void result_built_release(struct result_built *b);

/* Says the whole result as deltas, for an answer that came in one piece. */
void result_replay(const struct llm_result *r, struct str finish_raw,
    bool (*emit)(void *ctx, const struct llm_delta *d), void *ctx);

/* Valid JSON without the blanks between tokens: always one line. */
void result_add_minified(struct buf *b, struct str json);

/* ---- openai_request.c, openai_answer.c, openai_stream.c ------------------- */

/* Appends the body of POST /chat/completions. */
int openai_request_build(struct buf *b, const struct llm_request *rq,
    struct str model, struct err *e);

/* Reads a whole answer into r.  OK, or f is set. */
int openai_answer_read(struct llm_result *r, struct str body,
    struct buf *finish_raw, struct failure *f);

struct openai_stream {
	struct llm_result *result;
	bool (*emit)(void *ctx, const struct llm_delta *d);  /* false: stop */
	void *ctx;
	struct buf line;                     /* the start of a line not yet whole */
	struct buf finish_raw;
	bool begun;                          /* START was told */
	bool finished;                       /* a finish_reason came */
	bool done;                           /* [DONE] came */
	bool usage_told, bom_checked, stopped;
};

void openai_stream_init(struct openai_stream *s, struct llm_result *r,
    bool (*emit)(void *ctx, const struct llm_delta *d), void *ctx);
void openai_stream_release(struct openai_stream *s);
/* OK; ERR_CANCELLED when emit said stop; else f is set.  After anything but
 * OK it must not be fed again. */
int openai_stream_feed(struct openai_stream *s, struct str bytes,
    struct failure *f);
/* No more bytes will come: was it whole? */
int openai_stream_end(struct openai_stream *s, struct failure *f);

/* ---- calls and providers -------------------------------------------------- */

enum llm_state { LLM_WAITING, LLM_RUNNING, LLM_SLEEPING, LLM_ENDED };

struct openai_call {
	struct buf url, body;
	bool with_key;
	struct client_call *http;            /* NULL: none under way */
	int status;
	bool decoding;                       /* the body is a stream of events */
	struct openai_stream stream;
	struct buf text;                     /* the body, when it is not */
};

struct scripted_call {
	struct script_turn turn;             /* borrowed from the script and */
	struct arena filled;
	struct str rest;                     /* of the reply */
	size_t calls_told;
	int64_t prompt_words;
	bool begun;
	bool ready;                          /* on the ready list */
	struct llm_call *ready_prev, *ready_next;
};

struct lane;
struct scripted_ready;

struct llm_call {
	struct llm *llm;
	struct lane *lane;
	struct llm_hooks hooks;
	enum llm_state state;
	bool stream;
	bool told;                           /* a delta went out: no retry any more */
	unsigned attempt;                    /* failed ones so far */
	unsigned holds;                      /* frames on the stack that use it */
	struct llm_call *prev, *next;        /* all calls of the llm */
	struct llm_call *wait_prev, *wait_next;
	struct wheel_timer timer;            /* the next attempt; a scripted token */
	struct llm_result result;
	union {
		struct openai_call openai;
		struct scripted_call scripted;
	} u;
};

struct provider {
	struct str name;
	bool needs_name;                     /* "openai:" alone is not a model */
	/* Copies what the call needs of the request. */
	int (*prepare)(struct llm_call *c, const struct llm_request *rq,
	    struct str model, struct err *e);
	void (*start)(struct llm_call *c);   /* one attempt; tells nothing yet */
	void (*stop)(struct llm_call *c);    /* ends it; tells nothing more */
	void (*release)(struct llm_call *c);
	void (*wake)(struct llm_call *c);    /* its own timer; NULL: sets none */
};

/* One provider's share of a struct llm. */
struct lane {
	const struct provider *provider;
	size_t running, cap;
	struct llm_call *first, *last;       /* waiting, in order */
};

#define LANES 2

struct llm {
	struct shard *shard;
	struct client *client;
	struct buf default_model, base_url, api_key;
	const struct llm_script *script;
	struct llm_script *own_script;       /* when none was given */
	bool allow_base_url;
	struct lane lanes[LANES];
	struct llm_call *calls;
	struct scripted_ready *ready;
};

extern const struct provider openai_provider, scripted_provider;

/* For providers.  Whoever is called from outside (a timer, the client) holds
 * the call as long as it uses it. */
void llm_call_hold(struct llm_call *c);
void llm_call_unhold(struct llm_call *c);    /* may free it */
/* False when the caller has cancelled it from inside. */
bool llm_call_delta(struct llm_call *c, const struct llm_delta *d);
/* The attempt is over; a transient failure before the first delta starts
 * another one later. */
void llm_call_answered(struct llm_call *c);
void llm_call_failed(struct llm_call *c, struct failure *f);

/* scripted.c */
struct scripted_ready *scripted_ready_new(struct llm *l);
void scripted_ready_free(struct scripted_ready *r);
/* openai.c: is this a URL we would send a request to? */
int openai_url_check(struct str url, struct err *e);

#endif
