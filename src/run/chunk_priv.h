/*
 * chunk_priv.h - a model's streamed answer as stream events.  Pure.
 *
 * messages-tuple: each delta is one `messages` frame.  Text is never decoded:
 * the model's own span goes between texts that are prepared once an answer.
 * events: the same message inside an `on_chat_model_stream`.
 * messages: each delta shows the whole message so far.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_CHUNK_PRIV_H
#define RUN_CHUNK_PRIV_H

#include "llm/llm.h"
#include "run/frame_priv.h"

/* Where one answer streams. */
struct chunk_spec {
	struct str id;               /* the message's, as it is shown; must outlive
	                                the chunks */
	struct frame_place at;
	struct str provider, model;
	struct str ns;               /* behind `|` in the events' names; empty: none */
	unsigned modes;              /* MODE_MESSAGES_TUPLE, MODE_EVENTS: are there to
	                                be frames of? */
	struct str call;             /* MODE_EVENTS: the id of the call */
	struct val metadata;         /* of a worker's answer: what frames say in place of
	                                `at`; then they show its pieces as they came */
};

/* A frame that differs in the message alone: `open message close`. */
struct chunk_form {
	struct buf open;             /* with `{"content":"` at the end */
	struct buf rest;             /* of an empty message, then `close` */
	size_t kwargs_at;            /* in rest: the end of additional_kwargs */
	size_t close_at;
};

struct chunk_call;

struct chunks {
	struct str id;
	char *provider;
	struct buf ns;               /* `|ns` of the events' names, or empty */
	struct chunk_form tuple, events;
	struct val metadata;         /* UNDEF: of our own model */
	/* messages: what came so far, as raw spans */
	struct buf text, reasoning;
	struct chunk_call *calls;
	size_t calls_n, calls_cap;
	struct buf usage;            /* the object; empty before it came */
	struct buf ending;           /* members of response_metadata; the same */
};

void chunks_init(struct chunks *c, const struct chunk_spec *s);
void chunks_release(struct chunks *c);

/* The frame of one delta in a form of c. */
struct sse_block *chunk_frame(struct chunks *c, const struct chunk_form *f,
    const struct llm_delta *d, int64_t id);

/* Adds a delta to the accumulated form. */
void chunk_collect(struct chunks *c, const struct llm_delta *d);
/* `messages/partial` of what came so far. */
struct sse_block *chunk_partial(const struct chunks *c, int64_t id);
/* `messages/metadata` of the answer. */
struct sse_block *chunk_metadata(const struct chunks *c,
    const struct frame_place *at, struct str model, int64_t id);

/* The class that the reference's `events` name a provider's model by. */
struct str chunk_model_class(struct str provider);

#endif
