/*
 * chunk_priv.h - a model's streamed answer as stream events.  Pure.
 *
 * messages-tuple: each delta is one `messages` frame.  Text is never decoded:
 * the model's own span goes between texts that are prepared once an answer.
 * messages: each delta shows the whole message so far.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_CHUNK_PRIV_H
#define RUN_CHUNK_PRIV_H

#include "llm/llm.h"
#include "run/frame_priv.h"

struct chunk_call;

struct chunks {
	struct str id;               /* the message's, as it is shown */
	char *provider;
	/* messages-tuple: the frame behind the content, the same in every one */
	struct buf tail;
	size_t kwargs_at;            /* in tail: the end of additional_kwargs */
	size_t metadata_at;          /* where `,{metadata}]` begins */
	/* messages: what came so far, as raw spans */
	struct buf text, reasoning;
	struct chunk_call *calls;
	size_t calls_n, calls_cap;
	struct buf usage;            /* the object; empty before it came */
	struct buf ending;           /* members of response_metadata; the same */
};

/* id must outlive c (or be empty for now). */
void chunks_init(struct chunks *c, struct str id, const struct frame_place *at,
    struct str provider, struct str model, bool tuple);
void chunks_release(struct chunks *c);

/* The `messages` frame of one delta. */
struct sse_block *chunk_tuple(struct chunks *c, const struct llm_delta *d,
    int64_t id);

/* Takes a delta in, for the accumulated form. */
void chunk_collect(struct chunks *c, const struct llm_delta *d);
/* `messages/partial` of what came so far. */
struct sse_block *chunk_partial(const struct chunks *c, int64_t id);
/* `messages/metadata` of the answer. */
struct sse_block *chunk_metadata(const struct chunks *c,
    const struct frame_place *at, struct str model, int64_t id);

#endif
