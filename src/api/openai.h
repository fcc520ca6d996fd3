/*
 * openai.h - between the files of OpenAI's interface: chat completions
 * (openai_chat.c), responses (openai_responses.c, openai_stored.c), models and what
 * they share (openai.c), and what becomes of each parameter (openai_params.c).
 *
 * A model is an assistant; what it answers with is what its agent says (door.h).
 * docs/openai.md tells users what is mapped to what.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef API_OPENAI_H
#define API_OPENAI_H

#include "api/door.h"

/* ---- parameters (openai_params.c) ---------------------------------------- */

enum { OPENAI_CHAT = 1, OPENAI_RESPONSES = 2 };

/* Refuses what is not known and what would change the answer in a way that the agent
 * cannot follow, each by its name. */
void openai_check(struct call *c, unsigned where);
/* `metadata`: an object of texts.  thread_id: its member of that name is taken out and
 * read as one; NULL: it is a member as others are.  The others as JSON. */
struct str openai_metadata(struct call *c, struct uuid *thread_id);
/* {"configurable": {...}} of temperature, the named limit of tokens, and instructions. */
void openai_add_config(struct call *c, struct buf *b, const char *const *max_tokens,
    const char *instructions);

/* ---- messages ------------------------------------------------------------ */

/* Refuses what is no message of a chat completion; path: of the array. */
void openai_check_messages(struct call *c, const char *path, jnode list);
/* `input` of a response, a text or messages, checked, as such an array. */
void openai_add_input(struct call *c, struct buf *b);
/* The text of a message's content. */
void openai_add_text(struct buf *b, jnode message);
/* Is its role this one? */
bool openai_is_role(jnode message, struct str role);

/* What the client says, as input of a run, or if the thread waits for an answer as
 * command.  Both documents are released by openai_said_release. */
struct openai_said { struct json_doc input, command; };
/* messages: a JSON array, of which the last is a person's if the thread is to resume.
 * thread: zero: none; fresh: it is new. */
int  openai_say(struct call *c, const struct uuid *thread, bool fresh,
    struct str messages, struct openai_said *out);
void openai_said_release(struct openai_said *s);

/* ---- answers ------------------------------------------------------------- */

/* {"error": {message, type, param, code}} */
void openai_add_error(struct buf *b, int status, struct str message);
/* Why a run that has ended did not answer; false: it did.  message: in a's memory. */
bool openai_failed(const struct run_end *end, struct arena *a, struct door_failure *out);
/* The same as an error object. */
void openai_add_failure(struct buf *b, const struct door_failure *f);
/* "stop", "length", "content_filter" for a provider's word. */
const char *openai_finish(struct str raw);
/* 500 that a client's library does not repeat: a run is not to run three times. */
void openai_reply_failure(struct call *c, const struct door_failure *f, struct str lines);
/* Lines of the answer's head: which run it is. */
struct str openai_lines(struct call *c, const struct uuid *thread_id,
    const struct uuid *run_id);

/* The assistant's name that a request must have. */
void openai_read_model(struct call *c, struct str *model);

#endif
