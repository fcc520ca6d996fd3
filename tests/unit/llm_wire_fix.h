/*
 * llm_wire_fix.h - what the tests of wires share: a body built of stored messages,
 * a stream decoded in pieces, what it told and the message it became.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef UNIT_LLM_WIRE_FIX_H
#define UNIT_LLM_WIRE_FIX_H

#include "llm/wire_priv.h"

struct built_from {
	const struct provider *provider;
	const char *model;                   /* NULL: "m" */
	unsigned has;                        /* 0: LLM_HAS_USUAL */
	const char *messages[8];
	const char *system, *tool_schema;    /* NULL: none */
	const char *choice, *schema;
	int64_t max_tokens;
	bool stream;
};

/* The body, or the error's words.  b is released by the caller. */
struct str wire_built(const struct built_from *from, struct body *b);

struct told {
	int rc;
	struct failure failure;
	struct buf log, message;
};

/* step 0: an answer in one piece. */
struct told wire_told(const struct provider *p, struct str bytes, size_t step, bool by_tool);
void told_release(struct told *t);
/* Whatever the pieces, the same is told. */
void wire_check_alike(const struct provider *p, const char *stream);

#endif
