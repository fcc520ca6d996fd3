/*
 * anthropic_priv.h - the parts of Anthropic's wire.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LLM_ANTHROPIC_PRIV_H
#define LLM_ANTHROPIC_PRIV_H

#include "llm/wire_priv.h"

/* anthropic_request.c */
int anthropic_build(struct body *b, const struct llm_request *rq,
    const struct llm_target *t, struct err *e);

/* anthropic_content.c: content of stored messages as the API takes it. */

struct anthropic_blocks {
	struct body *body;
	struct buf *b;
	/* Marks of the caller's that are sent: the API takes four, and the last ones
	 * save the most. */
	size_t marks_skip;                   /* of the next ones, left out */
};

/* How many blocks of the content say cache_control. */
size_t anthropic_marks(jnode content);
/* Does the block say anything?  The API refuses texts of blanks alone. */
bool anthropic_says(jnode block);
/* A block of a user, of a system prompt or of a tool's result. */
void anthropic_add_block(struct anthropic_blocks *w, jnode block);
/* A text; mark NULL: none. */
void anthropic_add_text(struct anthropic_blocks *w, struct str text, jnode citations,
    jnode mark);
/* A block of what the model has said: text, or thinking with its signature, byte
 * for byte.  False: nothing that is sent back. */
bool anthropic_is_answer(jnode block);
/* trim: blanks at a text's end go. */
void anthropic_add_answer(struct anthropic_blocks *w, jnode block, bool trim);
/* ,"cache_control":{...} where a block ends that was written without a mark. */
void anthropic_add_mark(struct body *body);

/* anthropic_stream.c */
int anthropic_take(struct decoder *s, struct str data, struct failure *f);
int anthropic_take_whole(struct decoder *s, struct str body, struct failure *f);

#endif
