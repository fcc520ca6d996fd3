/*
 * embed.h - asking a model for embeddings: texts in, vectors out.
 *
 * Any server with OpenAI's interface: POST BASE_URL/embeddings, address and key as the
 * provider of the model has them (models.h).  Calls that come together share a request,
 * and are told apart again: what is wrong with one's text fails that one only.  A request
 * takes a place in the provider's lane, and obeys its limits a minute, as calls to chat
 * models do; transient failures are tried again as theirs.  Past LIMIT_EMBEDS_WAITING a
 * call is refused.
 *
 * Threads: a struct embedder belongs to the shard of its llm.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LLM_EMBED_H
#define LLM_EMBED_H

#include "llm/llm.h"

struct embedder;
struct embed_call;

/* model: "openai:text-embedding-3-small", or of any entry whose type is openai.  dims:
 * numbers that its vectors have.  The llm outlives it.  ERR_INVALID. */
int  embedder_new(struct embedder **out, struct llm *l, struct str model, int64_t dims,
    struct err *e);
/* Cancels what is under way, silently.  NULL is fine. */
void embedder_free(struct embedder *m);
/* The same, but tells each: ERR_BUSY. */
void embedder_drain(struct embedder *m);

struct embed_hooks {
	/* The end; the call is gone.  OK: n vectors of dims float32 each, of length 1 (or
	 * all 0), in the order of the texts; good during the callback.  ERR_BUSY: it may
	 * work later.  ERR_CLOSED: the model failed, or what it said is no answer.  u: its
	 * part of what the request took; zero if nobody told.  It may start other calls,
	 * but not free the embedder. */
	void (*done)(void *ctx, int rc, const float *vectors, const struct llm_usage *u,
	    const struct err *e);
	void *ctx;
};

/* Never calls back before it returns.  Texts are copied.  NULL, with e set: ERR_BUSY
 * (too many wait), ERR_TOOBIG (LIMIT_EMBED_BYTES). */
struct embed_call *embed_start(struct embedder *m, const struct str *texts, size_t n,
    const struct embed_hooks *hooks, struct err *e);

#endif
