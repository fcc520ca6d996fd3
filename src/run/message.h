/*
 * message.h - chat messages as they are stored: coercion and the reducer
 * `add_messages` (contract section 5).  Pure.
 *
 * A message is an immutable, reference counted piece of JSON text in the
 * stored form, with the few facts the engine asks for beside it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_MESSAGE_H
#define RUN_MESSAGE_H

#include "base/json.h"
#include "base/rc.h"

enum message_kind {
	MESSAGE_HUMAN, MESSAGE_AI, MESSAGE_SYSTEM, MESSAGE_TOOL, MESSAGE_FUNCTION,
	MESSAGE_REMOVE
};

struct message {
	unsigned refs;
	enum message_kind kind;
	struct str id;                       /* inside json's copy */
	struct str json;
};

struct message_list {
	struct message **at;
	size_t n, cap;
};

/* From stored JSON (ours, trusted form). */
int  message_from_stored(struct message **out, struct str json, struct err *e);
/* A model's answer (stored form) under the id it is to have. */
int  message_from_answer(struct message **out, struct str json, struct str id,
    struct err *e);
struct message *message_ref(struct message *m);
void message_drop(struct message *m);

void message_list_add(struct message_list *l, struct message *m);    /* takes m */
void message_list_release(struct message_list *l);

/* One message of a request: string, [role, content], {role|type,...}, LangChain
 * constructor form.  Gives it a v4 id when it has none.  ERR_INVALID with
 * `path: ... MESSAGE_COERCION_FAILURE`. */
int message_coerce(struct message **out, jnode n, const char *path, struct err *e);

/* `messages` of an input: one message or an array of them. */
int message_list_coerce(struct message_list *out, jnode n, const char *path,
    struct err *e);

/* add_messages: applies `right` to `l` in place.  *keep: how many entries at
 * the front of l are untouched.  ERR_INVALID: remove of an unknown id. */
int message_reduce(struct message_list *l, const struct message_list *right,
    size_t *keep, struct err *e);

#endif
