/*
 * protocol_priv.h - the thread protocol's encoder: the events of one run as events
 * of the protocol.  Pure.
 *
 * An encoder is fed from the run's first event on.  What it makes depends on those
 * events alone, not on who reads: so an event has the same number and the same bytes
 * for every reader, live and later.
 *
 * An event of the run with number n may become several: they are numbered
 * protocol_first(n), and so on.  One that nobody wants is counted, not made.
 *
 *   protocol.c          states, tasks, tools, interrupts, the run's life
 *   protocol_message.c  messages, whole and as models say them
 *   protocol_state.c    states and messages as the protocol shows them
 *   protocol_wire.c     an event's bytes
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_PROTOCOL_PRIV_H
#define RUN_PROTOCOL_PRIV_H

#include "base/limits.h"
#include "net/sse.h"
#include "run/event.h"
#include "run/protocol.h"
#include "run/subscribe.h"

/* Number of the first event that the run's event `number` becomes: > 0. */
static inline int64_t
protocol_first(int64_t number)
{
	return (number + 1) * LIMIT_PROTOCOL_SEQS;
}

/* A text; of any other value none. */
static inline struct str
protocol_text(struct val v)
{
	return v.kind == VAL_STRING ? val_str(v) : STR_NONE;
}

/* How pieces of one block of a message are joined for a slow reader. */
enum protocol_join {
	JOIN_NONE,
	JOIN_APPEND,                         /* data[1] is added to those before */
	JOIN_LATEST                          /* it replaces those before */
};

struct protocol_event {
	enum protocol_channel channel;
	const char *method;
	struct str custom;                   /* the name of a custom event, or empty */
	struct str ns, node;                 /* node: empty: none */
	bool life;                           /* of the run: its id is in the event_id */
	int64_t seq;
	msec now;
	enum protocol_join join;
	uint64_t block;                      /* of JOIN_...: of the run */
	struct str data[3];                  /* params.data, JSON in pieces */
};

/* Who is told; both are called in order of seq. */
struct protocol_sink {
	/* Does anybody read such an event?  Asked before its data is made. */
	bool (*wants)(void *ctx, const struct protocol_event *e);
	void (*event)(void *ctx, const struct protocol_event *e);
	void *ctx;
};

struct protocol_message;

struct protocol {
	const struct protocol_sink *sink;
	struct val facts;                    /* of METADATA */
	bool begun;                          /* `running` was told */
	struct protocol_message *messages;   /* that models are saying; a list */
	uint64_t blocks;                     /* of messages, so far */
	struct buf told, asked;              /* ids of messages and interrupts, each
	                                        behind a line end */
	struct uuid checkpoint;              /* told last */
	struct val unknown, pending;         /* of answers that were refused: ids */
	char *reason;                        /* why the run failed; NULL: it did not */
	struct buf data;                     /* of the event under way */
	/* of the run's event at hand */
	int64_t number;
	msec now;
	unsigned place;
};

void protocol_init(struct protocol *p, const struct protocol_sink *sink);
void protocol_release(struct protocol *p);

/* The next event of the run; its values are in their places. */
void protocol_tell(struct protocol *p, const struct run_event *ev, int64_t number);
/* The run has ended.  error: why, of a failed run whose events do not tell; or empty. */
void protocol_end(struct protocol *p, enum run_status status, struct str error,
    int64_t number, msec now);
/* Must the caller look up the state before it tells this event?  Only if the sink wants
 * it. */
bool protocol_needs_state(const struct protocol *p, const struct run_event *ev,
    int64_t number);

/* ---- between the files ----------------------------------------------------------- */

/* The event gets its number; false: nobody wants it. */
bool protocol_open(struct protocol *p, struct protocol_event *e);
struct protocol_event protocol_event(enum protocol_channel channel, const char *method,
    const struct run_event *ev);
/* Empty; its text is the data of protocol_send. */
struct buf *protocol_data(struct protocol *p);
void protocol_send(struct protocol *p, struct protocol_event *e);
/* Notes id in the list; false: it is there. */
bool protocol_note(struct buf *list, struct str id);
void protocol_forget(struct buf *list, struct str id);

/* protocol_message.c */
void protocol_delta(struct protocol *p, const struct run_event *ev);
void protocol_model_end(struct protocol *p, const struct run_event *ev);
void protocol_retract(struct protocol *p, const struct run_event *ev);
void protocol_whole(struct protocol *p, const struct run_event *ev);
/* A new attempt numbers models' answers anew. */
void protocol_messages_forget(struct protocol *p);
void protocol_messages_release(struct protocol *p);

/* protocol_state.c */
/* A message's content as blocks of the protocol: reasoning, text and others, calls of
 * tools.  An array; the caller's. */
struct val protocol_blocks(struct val message);
/* A value; if it is a list, messages in it as the protocol shows them. */
void protocol_add_value(struct buf *b, struct val v);

/* protocol_wire.c */
/* The event's bytes; run_id: of its run.  scratch: of the caller, emptied. */
struct sse_block *protocol_block(enum protocol_wire wire, const struct protocol_event *e,
    const struct uuid *run_id, struct buf *scratch);

#endif
