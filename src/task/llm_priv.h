/*
 * llm_priv.h - asking a model: llm_prepare.c finds out what a request needs, llm.c
 * asks and reads the answer, llm_cite.c looks at its citations, llm_script.c is the scripted provider of agent files,
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
	struct val base;                     /* the conversation before it; UNDEF: not read */
	struct val said;                     /* in it: what a client put in, an answer
	                                        before that */
	struct val list;                     /* both: what is asked */
	size_t heard;                        /* messages of clients in said */
	/* llm_cut.c: of list, [head, tail) is not sent, but a summary if there is one */
	size_t head, tail;
	struct val summary;                  /* text; or UNDEF */
	size_t from, goal;                   /* a new one is being made of these */
	bool harder;                         /* the model has refused it as too long */
	struct mcp_fetch *mcp;               /* tools of MCP servers; NULL: none */
	struct worker_await *await;          /* tools of workers that it waits for */
};

static inline struct llm_piece *
llm_of(struct piece *p)
{
	return CONTAINER_OF(p, struct llm_piece, p);
}

/* The conversation: a new array of stored messages.  False: the piece has
 * failed. */
bool llm_conversation(struct piece *p, struct val *out);
/* Messages of clients that no turn has taken yet become a part of what was said. */
void llm_hear(struct llm_piece *w);
/* Is the piece a turn of a loop?  Then what is wrong with its answer is the loop's to
 * correct: the result has it as `problem`. */
bool llm_is_turn(const struct piece *p);

/* llm_prepare.c: everything that comes before the request, then llm_ask. */
void llm_prepare_begin(struct llm_piece *w);
void llm_prepare_next(struct llm_piece *w);  /* a step that went on later is done */

/* llm.c */
bool llm_listen(struct llm_piece *w);        /* the step that reads the conversation */
void llm_ask(struct llm_piece *w);
bool llm_request_model(struct piece *p, struct arena *a, struct llm_request *q);
void llm_stream_begin(struct llm_piece *w, struct str model);
void llm_stream_end(struct llm_piece *w, struct val message);
bool llm_wants_deltas(struct llm_piece *w);
struct str llm_message_id(struct llm_piece *w, struct str own);
/* The message (taken) is the answer: the piece is done with it. */
void llm_answered(struct llm_piece *w, struct val message);

/* llm_script.c: answers as the file says. */
void llm_reply(struct llm_piece *w);

/* llm_cite.c */
bool llm_cites(const struct llm_piece *w);
/* The message (taken) as `citations` wants it; llm_listen was before. */
struct val llm_cite(struct llm_piece *w, struct val message);

/* llm_keep.c */
int  llm_keep_check(struct val v, struct err *e);    /* of the file */

/* llm_cut.c */
int  llm_cut_check(struct val v, struct err *e);     /* of the file */
bool llm_cuts(const struct llm_piece *w);
bool llm_cut(struct llm_piece *w);           /* the step that decides what is sent */
struct val llm_cut_summary(const struct llm_piece *w);       /* as a message, or UNDEF;
                                                the caller drops it */

/* llm_events.c: a part of the tools that the model is offered, and what it calls. */
struct llm_events {
	size_t n, wrong, others;             /* calls of events, those that are answered with
	                                        an error, calls of tools */
	struct val answers;                  /* tool messages for all n */
	struct val posted;                   /* [{name, data}] */
	char *why;                           /* the first error */
};
int  llm_events_check(struct val v, struct err *e);  /* of the file */
bool llm_is_event(struct str tool);
size_t llm_events_count(const struct piece *p);      /* declared */
void llm_events_add_specs(const struct piece *p, struct arena *a,
    struct llm_tool_spec *specs, size_t *n);
void llm_events_read(const struct piece *p, struct val message, struct llm_events *out);
/* Calls of tools that are not run, because the model is asked again, are answered. */
void llm_events_refuse_others(struct val message, struct llm_events *x);
void llm_events_release(struct llm_events *x);

/* llm_loop.c: what was said in the loop that the piece is part of; UNDEF: it is
 * in none.  Both borrowed. */
bool llm_loop_said(const struct piece *p, struct val *base, struct val *said);
extern const struct task_run llm_loop;

#endif
