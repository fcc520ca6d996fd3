/*
 * llm_priv.h - asking a model: llm_prepare.c finds out what a request needs, llm.c
 * asks and reads the answer, llm_script.c is the scripted provider of agent files,
 * llm_loop.c calls tools and asks again.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TASK_LLM_PRIV_H
#define TASK_LLM_PRIV_H

#include "task/task_priv.h"

struct llm_piece {
	struct piece p;
	struct llm_call *call;               /* under way */
	void *stream;
	bool streaming;                      /* stream was begun and has not ended */
	size_t step;                         /* of llm_prepare that comes next */
	struct val list;                     /* the conversation, once it was listened to */
};

static inline struct llm_piece *
llm_of(struct piece *p)
{
	return CONTAINER_OF(p, struct llm_piece, p);
}

/* The conversation: a new array of stored messages.  False: the piece has
 * failed. */
bool llm_conversation(struct piece *p, struct val *out);

/* llm_prepare.c: everything that comes before the request, then llm_ask. */
void llm_prepare_begin(struct llm_piece *w);
void llm_prepare_next(struct llm_piece *w);  /* a step that went on later is done */

/* llm.c */
bool llm_listen(struct llm_piece *w);        /* the step that reads the conversation */
void llm_ask(struct llm_piece *w);
void llm_stream_begin(struct llm_piece *w, struct str model);
void llm_stream_end(struct llm_piece *w, struct val message);
bool llm_wants_deltas(struct llm_piece *w);
struct str llm_message_id(struct llm_piece *w, struct str own);
/* The message (taken) is the answer: the piece is done with it. */
void llm_answered(struct llm_piece *w, struct val message);
/* The text of a message's content: of blocks those of text. */
struct val llm_text(struct val message);

/* llm_script.c: answers as the file says. */
void llm_reply(struct llm_piece *w);

/* llm_loop.c: what was said in the loop that the piece is part of; UNDEF: it is
 * in none.  Both borrowed. */
bool llm_loop_said(const struct piece *p, struct val *base, struct val *said);
extern const struct task_run llm_loop;

#endif
