/*
 * openai_chunk_priv.h - where the members of one chunk of an answer are.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LLM_OPENAI_CHUNK_PRIV_H
#define LLM_OPENAI_CHUNK_PRIV_H

#include "llm/scan_priv.h"

/* Spans of the chunk's text; p NULL when absent or null. */
struct chunk {
	struct str id, model, content, reasoning, refusal, finish;  /* insides */
	struct str blocks, tools, usage, extra, details;     /* whole values */
	struct str error;                    /* whatever stands for one */
	const char *wrong;                   /* what is of the wrong type, or NULL */
	bool has_choice;
	bool has_message;                    /* `message`, or `delta`, is there */
	bool named_reasoning;                /* `reasoning`, not `reasoning_content` */
};

/* False when the text is not one JSON value. */
bool openai_chunk_read(struct str text, struct chunk *c);

#endif
