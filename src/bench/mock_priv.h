/*
 * mock_priv.h - what the files of the mock model share.
 *
 *   mock_llm.c     life, routes, reading a request
 *   mock_fault.c   faults and their selection
 *   mock_answer.c  one answer on its schedule
 *   mock_openai.c, mock_anthropic.c, mock_gemini.c, mock_embed.c    its bytes
 *   mock_user.c    a verifier of users beside it
 *
 * Threads: a mock_shard and its answers belong to one shard; only the
 * counters and the lag histogram are read by others.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_MOCK_PRIV_H
#define BENCH_MOCK_PRIV_H

#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

#include "base/hist.h"
#include "base/json.h"
#include "bench/mock_llm.h"
#include "llm/script.h"
#include "net/http.h"

#define MOCK_ANSWER_MAX (16 * MB)

struct answer;

/* Faults half-way through a stream. */
enum mock_midway { MIDWAY_NOTHING, MIDWAY_RESET, MIDWAY_STALL, MIDWAY_BREAK, MIDWAY_ERROR };

struct mock_fault {
	const char *name, *help;
	int status;                          /* answer this and nothing else */
	const char *type;                    /* the error's type, with a status */
	bool retry_after;
	enum mock_midway midway;
	bool no_end, bad_args, slow, drop, thinks;
};

/* How one API writes an answer.  Each function appends whole frames. */
struct mock_wire {
	void (*open)(struct answer *a, struct buf *out);
	void (*text)(struct answer *a, struct str token, struct buf *out);
	void (*call)(struct answer *a, size_t i, struct buf *out);
	void (*args)(struct answer *a, size_t i, struct str part, struct buf *out);
	void (*close)(struct answer *a, struct buf *out);
	void (*whole)(struct answer *a, struct buf *out);
	void (*error)(const char *type, const char *message, struct buf *out);
	void (*error_frame)(struct buf *out);
	void (*broken_frame)(struct buf *out);
	/* What the API refuses of a request; NULL: nothing, or it has no such rules. */
	const char *(*check)(jnode root);
	struct str messages, content;        /* how a request calls them */
};

extern const struct mock_wire mock_openai, mock_anthropic, mock_gemini, mock_embeddings;

/* What it thinks, if it is asked to, and its signature of a text. */
#define MOCK_THOUGHT "Let me think about it."
void mock_sign(struct str text, struct buf *out);
bool mock_is_signed(struct str text, struct str seal);

struct mock_shard {
	struct mock_llm *mock;
	struct shard *shard;
	struct answer *live, *spares;
	struct answer *ready, **ready_end;   /* due, first in, first out */
	uv_idle_t pump;                      /* runs while something is ready */
	nsec put_off;                        /* follows twice the queue's wait */
	uint64_t random, ids;
	struct buf frames;                   /* of one visit */
	struct shard_job job;                /* attach, then stop */
	bool serving, draining;
	atomic_ullong requests, prompt_tokens, tokens;
	atomic_int open_streams;
	pthread_mutex_t lock;
	struct hist lag_us;                  /* under lock */
};

struct mock_llm {
	struct mock_llm_options o;
	struct llm_script *script;
	double *rates;                       /* of each fault */
	struct http_server *server;
	struct mock_shard *shards;
	size_t shards_n;
	nsec started;
	pthread_mutex_t lock;                /* of the rest */
	pthread_cond_t changed;
	size_t waiting;                      /* shards that have not reported */
	int rc;
	struct err why;
	struct mock_tally *tallies;          /* of "mock:429x2" */
	size_t tallies_n;
};

/* mock_user.c */
void mock_user(struct mock_llm *m, struct http_req *r);

/* mock_fault.c */
int  mock_faults_parse(const char *text, double **rates, struct err *e);
const struct mock_fault *mock_fault_pick(struct mock_shard *ms, struct str role,
    struct str last);
uint64_t mock_random(struct mock_shard *ms);

/* mock_answer.c */
struct answer {
	struct mock_shard *ms;
	struct http_req *r;                  /* NULL: it has ended */
	struct answer *next, *prev, *ready_next;
	const struct mock_wire *wire;
	const struct mock_fault *fault;      /* never NULL */
	struct wheel_timer timer;
	nsec due;                            /* of the next token, or of all */
	nsec queued_at;
	msec token_ms;
	bool stream, usage, begun, queued, thinks;
	struct script_turn turn;
	struct arena filled;                 /* of it */
	struct script_call bad_call;
	struct buf prefix;                   /* of every OpenAI chunk */
	struct buf model, tool;
	uint64_t id;
	int64_t prompt_tokens;
	int64_t tokens, sent;                /* of the text; sent of any kind */
	int64_t total;                       /* of any kind */
	struct str rest;                     /* of the reply, still to be said */
	size_t call_i, args_at;              /* where in the calls */
	bool call_open, midway_done;
	bool cut;                            /* its connection is about to go */
};

/* A request, as read by the routes. */
struct ask {
	const struct mock_wire *wire;
	struct str role, last, model, tool;
	bool stream, usage, thinks;
	int64_t prompt_tokens;
};

void answer_start(struct mock_shard *ms, struct http_req *r, const struct ask *ask);
void answer_abort_all(struct mock_shard *ms);
void answer_spares_free(struct mock_shard *ms);
/* Tool calls alone have none; without calls there is text, even if it is empty. */
bool answer_has_text(const struct answer *a);

#endif
