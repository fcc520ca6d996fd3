/*
 * mock_llm.h - a mock of a model server: answers at once, on a schedule, or with
 * faults; `cohort mock-llm`.
 *
 *   POST /v1/chat/completions, /chat/completions    OpenAI, streamed or not
 *   POST /v1/messages                               Anthropic, streamed or not
 *   POST /v1beta/models/NAME:generateContent        Gemini; :streamGenerateContent
 *   GET  /v1/models  /stats  /health
 *
 * The text comes from a script (llm/script.h) or from --response, the timing
 * from the options.  The last user message of a request can name a fault, e.g.
 * "mock:429"; --faults applies faults to a share of all requests.
 *
 * Threads: as many shards as asked for, each with its own listener; the mock
 * owns them.  mock_llm_start and mock_llm_stop on the caller's thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_MOCK_LLM_H
#define BENCH_MOCK_LLM_H

#include "base/clock.h"
#include "base/flags.h"

struct mock_llm_options {
	const char *host;
	int64_t port;                        /* 0: any */
	int64_t shards;
	msec delay_ms;                       /* before a whole answer */
	msec ttft_ms;                        /* before the first token; -1: delay_ms, which
	                                        is the default */
	msec token_ms;                       /* between tokens */
	msec jitter_ms;                      /* each token up to so much later */
	msec slow_ms;                        /* what "mock:slow-start" waits */
	int64_t tokens;                      /* in an answer; 0: all of the response */
	const char *response;
	const char *model;
	int64_t dims;                        /* of an embedding */
	const char *script;                  /* a file; NULL: --response */
	const char *faults;                  /* "429=0.1,reset=0.01"; NULL: none */
	int64_t seed;                        /* of jitter and faults */
};

extern const struct flag mock_llm_flags[];

/* The faults a request can ask for, one a line. */
void mock_llm_faults_help(struct buf *out);

struct mock_llm;

int  mock_llm_start(struct mock_llm **out, const struct mock_llm_options *o,
    struct err *e);
uint16_t mock_llm_port(const struct mock_llm *m);
void mock_llm_stop(struct mock_llm *m);      /* waits for open answers a moment */

/* Prints its address and serves until SIGINT or SIGTERM.  The exit code, or an
 * error. */
int mock_llm_run(const struct mock_llm_options *o, struct err *e);

#endif
