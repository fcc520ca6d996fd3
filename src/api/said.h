/*
 * said.h - frames of a run's events (run/classic.h), read: which message a frame of
 * `messages` tells of, and whether the agent says it.
 *
 * The agent says what nodes add to its channel `messages`, down through agents that are
 * nodes.  Not what a model says for another channel, nor agents that were called as tools.
 *
 * Nothing is decoded: spans are raw, as in the JSON of the frame.
 *
 * Pure.  Thread: the caller's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef API_SAID_H
#define API_SAID_H

#include "base/buf.h"

struct agent;

/* One frame of many: `event: name|ns`, `data:`.  False: there is none left. */
struct said_frame { struct str name, ns, data; };
bool said_frame(struct str *frames, struct said_frame *f);

/* The nodes whose messages are the agent's. */
struct voices {
	struct buf names;                    /* "\na\na|b\n" */
	bool all;                            /* which they are is not known */
	struct buf ns;                       /* that was asked about last, */
	bool heard;                          /* and the answer */
};

void voices_init(struct voices *v, const struct agent *a);   /* NULL: not known */
void voices_release(struct voices *v);
/* ns: of the node, as in a frame: "a:id|b:id". */
bool voices_hear(struct voices *v, struct str ns);

/* The message of a frame of `messages`: what it has, whole values but for the first
 * line's, which are the insides of strings. */
struct said {
	struct str id, type, call_id, finish;
	struct str content;                  /* a string or blocks */
	struct str reasoning;                /* a string */
	struct str chunks, calls;            /* arrays: tool calls in pieces, or whole */
	struct str status;                   /* of a tool's result, a string */
	bool whole;                          /* a node wrote it */
};
bool said_read(struct str data, struct said *s);

/* A piece of text that a model streams, which most frames are. */
bool said_delta(struct str data, struct str *id, struct str *text);
/* The text of one block of content: a string, or {type: "text", text}; else empty. */
struct str said_block(struct str raw);
/* The inside of a raw string; STR_NONE: it is none. */
struct str said_inside(struct str raw);

#endif
