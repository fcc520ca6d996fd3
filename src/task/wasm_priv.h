/*
 * wasm_priv.h - what wasm.c and wasm_ask.c share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TASK_WASM_PRIV_H
#define TASK_WASM_PRIV_H

#include "task/task_priv.h"
#include "wasm/guest.h"

struct wasm_answer;

struct wasm_piece {
	struct piece p;
	struct task_wasm w;
	struct buf message;
	bool under_way;
	unsigned lost;                       /* host processes that it was in */
	/* What it says; counts when it is done. */
	struct wasm_outgoing *sends;
	size_t sends_n, sends_cap, said_bytes;
	struct val reply, reply_act;
	struct err bad;                      /* the first invalid message that it sent */
	/* The host call under way, of number `asks`. */
	unsigned asks;                       /* of this instance, from 1 */
	enum wasm_import what;
	char part[32];
	struct str name;                     /* of the key or the tool; in the arena */
	char digest[65];                     /* of what is asked */
	struct task_call *call;
	struct task_use *use;
	struct task_store store;
	struct buf ns;
	struct val value;
	bool storing;
	/* What was answered in this attempt of the task, for another instance. */
	struct wasm_answer *answers;
	size_t answers_n, answers_cap;
};

static inline struct wasm_piece *
wasm_of(struct piece *p)
{
	return CONTAINER_OF(p, struct wasm_piece, p);
}

void wasm_begin(struct wasm_piece *w);       /* a new instance */
/* A host call of the guest, answered now or later; the piece may have failed then. */
void wasm_ask(struct wasm_piece *w, enum wasm_import what, struct str name, struct str body);
static inline bool
wasm_asks(const struct wasm_piece *w)
{
	return w->call != NULL || w->use != NULL || w->storing;
}
void wasm_ask_leave(struct wasm_piece *w);           /* the one under way is not answered */
void wasm_ask_release(struct wasm_piece *w);
/* The attempt of the guest is given up, and the piece ends in some other way. */
void wasm_abandon(struct wasm_piece *w);

#endif
