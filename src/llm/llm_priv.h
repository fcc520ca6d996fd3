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
#include "base/check.h"
#include "base/json.h"
#include "base/list.h"
#include "base/scan.h"
#include "llm/lane.h"
#include "llm/llm.h"
#include "llm/models.h"
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
	bool ours;                           /* another model would not help */
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
/* What stands for an error inside a stream or a 200 answer: JSON, or words. */
void failure_of_object(struct failure *f, struct str error);
/* The transport's own result, rc != OK. */
void failure_of_transport(struct failure *f, int rc, const struct err *e);
/* Replaces every occurrence of secret in the words. */
void failure_redact(struct failure *f, struct str secret);

/* Milliseconds of a Retry-After value (seconds or an HTTP date), capped;
 * -1 when it says nothing. */
msec failure_retry_after(struct str value, msec wall);
/* The same of a retry-after-ms value. */
msec failure_retry_after_exact(struct str value);
/* Pause before the next attempt; attempt 0 follows the first failure and
 * random is any number. */
msec failure_backoff(unsigned attempt, uint32_t random);

/* ---- result.c: the answer as it grows ------------------------------------- */

/* Bufs named *_raw hold insides of JSON strings, escapes and all. */
struct result_call {
	int64_t index;                       /* ours: no two alike */
	int64_t wire;                        /* the model's; -1: it told none */
	struct buf id_raw;                   /* the model's, or ours for want of one */
	struct buf wire_id_raw;              /* the model's, where id_raw is ours */
	struct buf name_raw, args_raw;
	struct buf extra;                    /* extra_content: JSON, or empty */
	struct json_edge edge;               /* of the arguments */
	uint64_t chunk;                      /* the last one that spoke of it */
	bool output;                         /* not a call: its arguments are the text */
};

/* A stretch of the answer that is kept apart, because it is signed: it begins at
 * `from` in content_raw, or in reasoning_raw, and goes on to the next one of its
 * kind.  Of a sealed thought there is nothing but the seal. */
struct result_block {
	enum { BLOCK_TEXT, BLOCK_THOUGHT, BLOCK_REDACTED } kind;
	size_t from;
	struct buf seal_raw;
	struct buf notes;                    /* citations of a text: JSON, with commas */
};

struct llm_result {
	struct buf id;                       /* plain */
	struct buf content_raw, reasoning_raw, refusal_raw;
	struct buf finish_raw, model_raw;
	struct buf usage;                    /* JSON object, one line; or empty */
	struct buf extra;                    /* extra_content of the message */
	struct buf details;                  /* elements of reasoning_details */
	bool named_reasoning;                /* not `reasoning_content`, on the wire */
	struct result_call *calls;
	size_t calls_n, calls_cap;
	struct result_block *blocks;         /* in order; none: there is one text */
	size_t blocks_n, blocks_cap;
};

void result_init(struct llm_result *r);
void result_release(struct llm_result *r);

/* One piece of a tool call, as the model sent it. */
struct result_fragment {
	int64_t wire;                        /* index; -1: none */
	struct str id_raw, name_raw;         /* empty: none */
	uint64_t chunk;                      /* pieces of one array have one number */
	bool alone;                          /* not a piece: a whole call */
};

/* The call a fragment belongs to.  A fragment with a name after complete
 * arguments starts one; without a name it continues one; an id that changes
 * does not start one.  NULL: LIMIT_TOOL_CALLS. */
struct result_call *result_call_for(struct llm_result *r,
    const struct result_fragment *f);
/* Takes in what the fragment says; *id_raw and *name_raw become what is new
 * of them (STR_NONE: nothing). */
void result_call_add(struct llm_result *r, struct result_call *c,
    struct str *id_raw, struct str *name_raw, struct str args_raw);
/* A new block; NULL: LIMIT_LLM_BLOCKS. */
struct result_block *result_block_add(struct llm_result *r, int kind);
/* The last block if it is of this kind, else a new one. */
struct result_block *result_block_at(struct llm_result *r, int kind);
/* Appends an id of ours. */
void result_add_id(struct buf *b, const char *prefix);
/* Gives the message an id of its own if the model told none. */
void result_need_id(struct llm_result *r);
/* ERR_TOOBIG when some part hit its maximum. */
int  result_check(const struct llm_result *r);

/* ---- result_build.c: the message it becomes -------------------------------- */

/* The finished answer; what `answer` points to lives in `json` and `arena`. */
struct result_built {
	struct buf json;
	struct arena arena;
	struct llm_answer answer;
};

int  result_build(const struct llm_result *r, struct str provider,
    struct result_built *out, struct err *e);
void result_built_release(struct result_built *b);

/* Bytes that it holds. */
size_t result_held(const struct llm_result *r);

/* Valid JSON without the blanks between tokens: always one line. */
void result_add_minified(struct buf *b, struct str json);

/* ---- a provider over HTTP (wire_priv.h) ----------------------------------- */

/* The body of a request, and where in it the parts are that can go. */
struct body {
	struct buf text;
	struct body_part {
		unsigned quirk;
		size_t from, to;
		const char *instead;         /* "": nothing */
	} *parts;                            /* in order */
	size_t parts_n, parts_cap;
};

/* An answer as it arrives. */
struct decoder {
	const struct wire *wire;
	struct llm_result *result;
	bool (*emit)(void *ctx, const struct llm_delta *d);  /* false: stop */
	void *ctx;
	struct buf line;                     /* the start of a line not yet whole */
	struct buf event;                    /* data of an event not yet whole */
	struct buf mended;                   /* a text that was not UTF-8 */
	struct buf like;                     /* the last event that had a text and */
	size_t like_at;                      /* nothing else, without it; where it was */
	struct llm_delta text;               /* all but the text */
	struct str alone;                    /* that text, while its event is read */
	uint64_t chunk;                      /* number of the event at hand */
	/* Anthropic: arguments that came with the start of a call, and its block.
	 * Gemini: the last usage. */
	struct buf input;
	int64_t input_of;
	struct decoder_tokens { int64_t input, cache_written, cache_read, output; } tokens;
	bool by_tool;                        /* the answer is asked for as a call */
	char eol;                            /* '\n', '\r'; 0: none was seen */
	bool alone_thought, like_thought;
	bool begun;                          /* START was told */
	bool finished;                       /* a reason to finish came */
	bool done;                           /* nothing more will come */
	bool error;                          /* the event at hand is called so */
	bool whole;                          /* an answer in one piece */
	bool usage_told, bom_checked, stopped;
};

/* ---- calls and providers -------------------------------------------------- */

enum llm_state { LLM_WAITING, LLM_RUNNING, LLM_SLEEPING, LLM_ENDED };

struct http_call {
	struct buf url;
	struct body body;
	unsigned quirks;                     /* found out by this call */
	unsigned redirects;
	struct client_call *http;            /* NULL: none under way */
	int status;
	/* What the body of an answer is; told by its first bytes, because the
	 * servers' word for it cannot be trusted. */
	enum { BODY_UNKNOWN, BODY_TEXT, BODY_EVENTS } kind;
	bool events_said;                    /* that word */
	bool by_tool;                        /* see struct decoder */
	struct decoder stream;                /* BODY_EVENTS */
	bool ending;                         /* [DONE] was seen, the timer is set */
	struct buf text;                     /* the body, when it is not */
	size_t charged;                      /* to account_output */
};

struct scripted_call {
	struct script_turn turn;             /* borrowed from the script and */
	struct arena filled;
	struct str rest;                     /* of the reply */
	size_t calls_told;
	int64_t prompt_words;
	uint32_t random;                     /* of its jitter */
	bool begun;
	struct list ready;                   /* among those of its llm */
};

/* Where a call goes.  Borrowed texts: of the llm, or of the call (name, and the
 * base_url of a run, which gets no key). */
struct llm_target {
	const struct provider *provider;
	struct lane *lane;                   /* of its provider entry */
	struct str entry;                    /* that entry's name: "openai", "azure-eu" */
	struct str alias;                    /* empty: asked by name */
	struct str name;                     /* the model's, for the wire */
	struct str base_url;                 /* without a slash at its end */
	struct str api_key, api_version;     /* empty: none */
	unsigned has;
	/* Nano-USD a token (USD a million tokens, times 1000); -1: not told. */
	int64_t price_input, price_cached, price_output;
};

struct llm_plan;
struct scripted_ready;

#define LLM_MARK      0x6c6c6d20u
#define LLM_CALL_MARK 0x6c6c6d63u

struct llm_call {
	unsigned mark;
	struct llm *llm;
	struct llm_target target;            /* of the attempt at hand */
	struct buf texts;                    /* of the target: its name, a run's base_url */
	struct llm_plan *plan;                   /* where else it may go; NULL: nowhere */
	int64_t estimate, reserved;          /* tokens; reserved in the target's lane */
	bool has_turn;                       /* by the lane's limits a minute */
	msec turn_ms;                        /* that it waits for it */
	nsec waits_since;
	char traceparent[56];                /* NUL-ended; "": none */
	struct llm_hooks hooks;
	enum llm_state state;
	bool stream;
	bool told;                           /* a delta went out: no retry any more */
	unsigned attempt;                    /* failed ones so far */
	unsigned holds;                      /* frames on the stack that use it */
	struct list in;                      /* all calls of the llm */
	struct list waits;                   /* in a queue for its lane */
	struct wheel_timer timer;            /* the next attempt; a scripted token */
	struct llm_result result;
	union {
		struct http_call http;
		struct scripted_call scripted;
	} u;
};

struct wire;

struct provider {
	struct str name;                     /* of its entry; model_provider of messages */
	struct str also;                     /* another word for it; empty: none */
	const char *base_url;                /* without a setting; NULL: it has none */
	const char *key_env[2];              /* variables with the key, the first wins */
	const struct wire *wire;             /* NULL: it is not asked over HTTP */
	bool needs_name;                     /* "openai:" alone is not a model */
	/* Copies what the call needs of the request, for this target, which is
	 * c->target.  Called again (after release, with c->u all zero) when the call
	 * goes on with another target. */
	int (*prepare)(struct llm_call *c, const struct llm_request *rq,
	    const struct llm_target *t, struct err *e);
	void (*start)(struct llm_call *c);   /* one attempt; tells nothing yet */
	void (*stop)(struct llm_call *c);    /* ends it; tells nothing more */
	void (*release)(struct llm_call *c);
	void (*wake)(struct llm_call *c);    /* its own timer; NULL: sets none */
};

#define PROVIDERS 5

/* models.c: the table of providers.  A new one is a row there. */
extern const struct provider *const providers[PROVIDERS];

struct llm {
	unsigned mark;
	struct shard *shard;
	struct client *client;
	struct buf default_model;
	const struct models *models;
	struct models *own_models;           /* when none were given */
	const struct llm_script *script;
	struct llm_script *own_script;       /* when none was given */
	bool allow_base_url;
	struct queue **queues;               /* of each lane; NULL until a call waits */
	struct list calls;
	struct scripted_ready *ready;
	uint32_t asked;                      /* calls of scripted */
};

extern const struct provider openai_provider, azure_provider, anthropic_provider,
    gemini_provider, scripted_provider;

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

/* models.c: who is meant.  Empty: `fallback`.  A bare name is a model of the
 * fallback's provider. */
struct models_found {
	const struct llm_target *targets;    /* n of them; NULL: one, its name borrowed */
	size_t n;
	struct llm_target one;
};

int models_resolve(const struct models *m, struct str model, struct str fallback,
    struct models_found *out, struct err *e);
void models_split(const struct models *m, struct str model, struct str fallback,
    struct str *provider, struct str *name);
size_t models_lanes(const struct models *m);

/* plan.c: the other targets of a call, and the request for them. */
struct llm_plan *llm_plan_new(const struct llm *l, const struct llm_request *rq,
    const struct models_found *first, struct err *e);
void llm_plan_free(struct llm_plan *p);              /* NULL is fine */
/* The next target that was not asked yet, one that is not left out at the moment
 * before one that is.  Its number, or -1: there is none. */
int  llm_plan_next(struct llm_plan *p, nsec now, struct llm_target *out);
bool llm_plan_has_more(const struct llm_plan *p);    /* NULL: no */
unsigned llm_plan_asked(const struct llm_plan *p);
const struct llm_request *llm_plan_request(const struct llm_plan *p);

/* circuit.c: targets that asked not to be asked for a while; of the process. */
void circuit_open(const struct llm_target *t, nsec until);
bool circuit_is_open(const struct llm_target *t, nsec now);

struct str llm_without_slash(struct str url);            /* at its end */

/* scripted.c */
struct scripted_ready *scripted_ready_new(struct llm *l);
void scripted_ready_free(struct scripted_ready *r);
/* attempt.c: is this a URL we would send a request to? */
int url_check(struct str url, struct err *e);

#endif
