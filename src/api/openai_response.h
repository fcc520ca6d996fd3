/*
 * openai_response.h - OpenAI's response object: of a run that is under way
 * (openai_responses.c), or of one that is kept (openai_stored.c).
 *
 * The id of a response is its run's: resp_UUID; that of a conversation its thread's:
 * conv_UUID.  What a request said that a run does not keep by itself is in the run's
 * metadata, as `openai_response`.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef API_OPENAI_RESPONSE_H
#define API_OPENAI_RESPONSE_H

#include "api/openai.h"

#define RESPONSE_KEY "openai_response"       /* in the run's metadata */

/* A message of the output.  raw: the inside of a JSON string. */
struct response_item {
	struct str id;                       /* of the message, without msg_ */
	struct str raw;
	bool done;
};

struct response {
	struct uuid run_id, thread_id;
	const char *status;                  /* "queued", "in_progress", ... */
	msec created;
	struct str model, instructions, previous;    /* previous: a response's id */
	struct str metadata_json;            /* the client's; empty: {} */
	bool background, conversation, store;
	const struct response_item *items;
	size_t items_n;
	const struct llm_usage *usage;       /* NULL: not known yet */
	struct str incomplete;               /* why; empty: it is complete */
	const struct door_failure *failure;  /* or NULL */
};

void response_add(struct buf *b, const struct response *r);
void response_add_item(struct buf *b, const struct response_item *i);
/* Metadata of the run: the client's, and what response_read needs. */
void response_add_metadata(struct buf *b, const struct response *r);
/* The same back, of a run; texts in a. */
void response_read(struct response *r, const struct store_run *run, struct arena *a);
/* Of a run that has ended; NULL: OK with `completed`. */
const char *response_status(const struct store_run *run);
/* Why it is not complete: of a provider's finish_reason; empty: it is. */
struct str response_incomplete(struct str finish_reason);
/* "resp_UUID", "conv_UUID", or the UUID alone. */
bool response_id_parse(struct str s, const char *prefix, struct uuid *id);

#endif
