/*
 * guest.h - what a guest says, as JSON: a message to others, or the reply to one; and the
 * results of its host calls.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WASM_GUEST_H
#define WASM_GUEST_H

#include "base/limits.h"
#include "base/val.h"

/* As include/cohort_guest.h has them. */
enum wasm_result {
	WASM_OK = 0, WASM_ENOENT = -1, WASM_EDENIED = -2, WASM_EINVAL = -3, WASM_ETOOBIG = -4,
	WASM_EAGAIN = -5, WASM_EFAIL = -6
};

struct wasm_outgoing {
	struct str to;                       /* addresses with blanks between; a reply: empty */
	struct str act;                      /* "inform" where none is given */
	struct val fields;                   /* an object of the other members */
	struct val act_value;                /* what act is borrowed from; UNDEF */
	char *to_text;
};

/* {"to": "NAME" or [...], "performative": "...", ...}; a reply has no `to`.  Whether the other
 * members are those of a message is not looked at.  ERR_INVALID with words. */
int  wasm_outgoing_read(struct wasm_outgoing *out, struct str json, bool reply, struct err *e);
void wasm_outgoing_release(struct wasm_outgoing *o);     /* also of one that is all zero */

/* Appends the namespace of the store for an agent or a module of this name: names may have
 * periods, labels not. */
#define WASM_NAMESPACE_BYTES (3 * LIMIT_NAME_BYTES + 8)
void wasm_namespace_add(struct buf *b, struct str name);

/* A line of the server's log; level as cohort_guest.h has it (an error of a guest is a warning
 * of the server); of: the module or the agent. */
void wasm_log(int level, struct str of, struct str text);

#endif
