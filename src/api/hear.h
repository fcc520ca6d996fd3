/*
 * hear.h - what an agent says, taken from the `messages` frames of its run
 * (said.h; subgraphs on): message by message, in pieces.
 *
 * A message is an answer of a model, as it streams, or one that a node wrote.  If several
 * speak at once, one is told to its end, then the next: what they say
 * meanwhile is held.
 *
 * Text is never decoded: a piece is the span of JSON that the model's own was.
 *
 * Pure.  Thread: the caller's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef API_HEAR_H
#define API_HEAR_H

#include "api/said.h"

struct heard;

struct hearing {
	/* Something begins to be said: it has text.  id: of the message, raw. */
	void (*message)(void *ctx, struct str id);
	void (*text)(void *ctx, struct str raw);
	void *ctx;
	struct buf finish;                   /* finish_reason of the newest answer, raw */
	/* private */
	struct voices voices;
	struct heard *first, **end;
	size_t n;
};

/* Sets all but message, text and ctx; the agent is not kept. */
void hearing_init(struct hearing *h, const struct agent *a);
void hearing_release(struct hearing *h);
/* Whole frames. */
void hearing_take(struct hearing *h, struct str frames);
/* Tells what is held. */
void hearing_end(struct hearing *h);

#endif
