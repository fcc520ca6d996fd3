/*
 * gemini_priv.h - the parts of Gemini's wire.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LLM_GEMINI_PRIV_H
#define LLM_GEMINI_PRIV_H

#include "llm/wire_priv.h"

/* gemini_request.c */
int gemini_build(struct body *b, const struct llm_request *rq,
    const struct llm_target *t, struct err *e);

/* gemini_schema.c: a JSON Schema as the subset of it that Gemini takes.  False, and
 * nothing added: an object without members, or no schema; then none is sent. */
bool gemini_add_schema(struct buf *b, struct str schema);

/* gemini_stream.c */
int  gemini_take(struct decoder *s, struct str data, struct failure *f);
int  gemini_take_whole(struct decoder *s, struct str body, struct failure *f);
void gemini_settle(struct decoder *s);

#endif
