/*
 * openai_chunk_priv.h - where the members of one chunk of an answer are.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LLM_OPENAI_CHUNK_PRIV_H
#define LLM_OPENAI_CHUNK_PRIV_H

#include "base/scan.h"

/* Spans of the chunk's text; p NULL when absent or null.  Most chunks have a
 * content and nothing else, so the rest is cleared only when it is needed. */
struct chunk_more {
	struct str reasoning, refusal;                       /* insides */
	struct str blocks, tools, usage, extra, details;     /* whole values */
	struct str error;                    /* whatever stands for one */
	bool named_reasoning;                /* `reasoning`, not `reasoning_content` */
};

struct chunk {
	struct str id, model, content, finish;               /* insides */
	const char *wrong;                   /* what is of the wrong type, or NULL */
	bool has_choice;
	bool has_message;                    /* `message`, or `delta`, is there */
	bool has_more;
	struct chunk_more more;              /* has_more */
};

/* False when the text is not one JSON value. */
bool openai_chunk_read(struct str text, struct chunk *c);

#endif
