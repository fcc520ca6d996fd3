/*
 * llm.h - asking a model: one interface, several providers.
 *
 * A call gets the conversation as stored messages (JSON, see state/message.h)
 * and gives back one ai message in the same form.  While it runs, deltas
 * may be had: spans of the model's own bytes, never decoded twice.  Transient
 * failures (408 409 429 5xx, connection) are retried here, before the first
 * delta was handed out, honouring Retry-After; then the next target is asked
 * (models.h: an alias has several, a request may name fallbacks).  What a server says it does not
 * take (stream_options, tools, ...) is left out at once, for its next calls too.
 *
 * Providers: "openai" and "azure_openai" (chat completions), "anthropic" (Messages),
 * "google_genai" (generateContent), all over net/client; and "scripted" (in
 * process, deterministic; also the brain of `cohort mock-llm`).
 *
 * Threads: a struct llm belongs to one shard.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LLM_LLM_H
#define LLM_LLM_H

#include "base/buf.h"
#include "base/id.h"
#include "base/rc.h"
#include "net/client.h"

struct llm;
struct llm_call;
struct llm_script;
struct models;

struct llm_options {
	struct str default_model;            /* "openai:gpt-4o", an alias, "scripted:..." */
	const struct models *models;         /* NULL: the built-in ones, and OpenAI at: */
	struct str openai_base_url;          /* "https://api.openai.com/v1" */
	struct str openai_api_key;           /* may be empty (local models) */
	const struct llm_script *script;     /* for scripted; NULL: the built-in one */
	bool allow_base_url;                 /* may a run name its own base_url? The
	                                        server's key is never sent there */
};

int  llm_new(struct llm **out, struct shard *s, struct client *c,
    const struct llm_options *o, struct err *e);
void llm_free(struct llm *l);

struct llm_tool_spec { struct str name, description, parameters_json; };

struct llm_request {
	struct str model;                    /* an alias, or "openai:gpt-4o"; empty: the
	                                        default */
	const struct str *fallbacks;         /* more of them, in order: asked when the */
	size_t fallbacks_n;                  /* ones before failed for a while */
	struct str base_url;                 /* empty: the provider's own */
	struct str system_prompt;            /* empty: none */
	double temperature;                  /* NaN: not sent */
	int64_t max_tokens;                  /* 0: not sent */
	const struct str *messages;          /* stored JSON, in order */
	size_t messages_n;
	const struct llm_tool_spec *tools;
	size_t tools_n;
	struct str tool_choice;              /* empty: the model's; "any", "none", or the
	                                        name of a tool */
	struct str output_schema_json;       /* the answer's text is JSON of this schema;
	                                        empty: any text */
	bool stream;                         /* somebody reads deltas now */
	struct str key;                      /* the caller's: its place in a task */
	struct str traceparent;              /* sent as this header; empty: none */
};

/* One piece of a streamed answer.  Spans named *_raw are insides of JSON
 * strings exactly as the model sent them, escapes and all, so they can be put
 * into a frame as they are.  Valid during the callback only. */
struct llm_delta {
	enum {
		LLM_DELTA_START,             /* the first chunk: id is known */
		LLM_DELTA_TEXT,              /* text_raw */
		LLM_DELTA_REASONING,         /* text_raw */
		LLM_DELTA_TOOL,              /* index, and id_raw name_raw args_raw */
		LLM_DELTA_FINISH,            /* finish_raw, model_raw */
		LLM_DELTA_USAGE              /* usage_raw: the object as sent */
	} kind;
	struct str id;                       /* message id, plain */
	struct str text_raw;
	int64_t index;
	struct str id_raw, name_raw, args_raw;   /* p NULL when absent */
	struct str extra;                    /* extra_content of the call: JSON, or empty */
	struct str finish_raw, model_raw, usage_raw;
	/* of a worker's graph: the message this came with, as JSON; p NULL: none, or it came
	 * with the delta before */
	struct str piece;
};

struct llm_tool_call {
	struct str id, name;                 /* plain text */
	struct str args_json;                /* valid JSON object */
};

/* Tokens are 0 when not told; cached are part of input, reasoning of output. */
struct llm_usage {
	int64_t input_tokens, cached_tokens, output_tokens, reasoning_tokens;
	int64_t cost_nano;                   /* nano-USD, by the alias' price */
};

/* The whole answer; valid during the callback only. */
struct llm_answer {
	struct str id;                       /* message id */
	struct str message_json;             /* stored form, one line: content,
	    additional_kwargs, response_metadata {model_provider, usage,
	    finish_reason?, model_name?}, tool_call_chunks, tool_calls, id,
	    usage_metadata?, invalid_tool_calls, type: "ai" */
	const struct llm_tool_call *calls;   /* the valid ones, then the others, */
	size_t calls_n, invalid_n;           /* which have no args_json */
	struct llm_usage usage;
	struct str model;                    /* "openai:gpt-4o": what answered */
	struct str alias;                    /* it was asked as; empty: by its name */
};

struct llm_hooks {
	void (*delta)(void *ctx, const struct llm_delta *d);     /* stream only */
	/* The end; the call is gone.  rc: OK; else e has the words and
	 * error_event the chart event ("error.llm.rate_limited", ...). */
	void (*done)(void *ctx, int rc, const struct llm_answer *a,
	    const char *error_event, const struct err *e);
	void *ctx;
};

/* Never calls back before it returns.  The request is copied.  NULL with e
 * set: ERR_INVALID (unknown provider, bad base_url), ERR_LIMIT.  Past the
 * concurrency of a provider (LIMIT_LLM_CONCURRENCY, of the process) it waits in
 * order, up to LIMIT_LLM_WAITING calls.
 * A hook may cancel its own call and start others, but not free the llm. */
struct llm_call *llm_start(struct llm *l, const struct llm_request *req,
    const struct llm_hooks *hooks, struct err *e);
void llm_cancel(struct llm_call *call);      /* no callback follows */

/* Checks what llm_start would refuse, without starting. */
int llm_check(const struct llm *l, struct str model, struct str base_url,
    struct err *e);

/* "openai" and "gpt-4o" of "openai:gpt-4o" (or of the default); a name
 * without a provider is one of the default's provider. */
void llm_model_split(const struct llm *l, struct str model, struct str *provider,
    struct str *name);

#endif
