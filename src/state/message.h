/*
 * message.h - chat messages as values in their stored form:
 * coercion of what clients and tools send, type and id.
 *
 * A stored message is an object with `id` and `type` (human, ai, system, tool,
 * function; remove in a write), usually lazy: its text was written once, by
 * coercion, and is what the database and the clients get.  A message that this
 * program writes as text is one by val_json_trusted.
 *
 * Pure.  Threads: as val.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STATE_MESSAGE_H
#define STATE_MESSAGE_H

#include "base/rc.h"
#include "base/val.h"

enum message_type {
	MSG_NONE,                            /* no message */
	MSG_HUMAN, MSG_AI, MSG_SYSTEM, MSG_TOOL, MSG_FUNCTION, MSG_REMOVE
};

#define MESSAGE_REMOVE_ALL "__remove_all__"  /* the id of a remove that starts over */

/* "human", "ai", ...; "" for MSG_NONE. */
const char *message_type_name(enum message_type type);
/* Of a role or type word: "user", "assistant", "HumanMessage", ...; else MSG_NONE. */
enum message_type message_type_of(struct str word);

/* Of a stored message, without decoding it.  Borrowed from m; STR_NONE or
 * MSG_NONE when m is none. */
enum message_type message_type(struct val m);
struct str message_id(struct val m);
/* What it says: its content, or the texts of the content's blocks; owned by the caller. */
struct val message_text(struct val m);

/* One message in any accepted form: a string, [role, content], {role|type, ...},
 * LangChain's constructor form {lc, type: "constructor", id, kwargs}.  *out is
 * lazy and has an id: its own or a new v4, then *minted (may be NULL) is true.
 * ERR_INVALID with `path...: what is wrong (MESSAGE_COERCION_FAILURE)`, ERR_TOOBIG. */
int message_from(struct val in, const char *path, struct val *out, bool *minted,
    struct err *e);

/* One message or an array of them; *out is an array.  *minted: all ids are new. */
int messages_from(struct val in, const char *path, struct val *out, bool *minted,
    struct err *e);

/* A model's answer (text in the stored form, as the llm room writes it) under
 * the id that it is to have.  ERR_INVALID: not a stored message; ERR_TOOBIG. */
int message_of_answer(struct str json, struct str id, struct val *out, struct err *e);

/* A new id for an answer that has none of its own: "run-" and a v7; free() it. */
char *message_new_id(void);

#endif
