/*
 * agui_tell.h - a run's events as AG-UI's, which docs/agui.md lists.
 *
 * Takes frames of the modes AGUI_MODES (run/classic.h, subgraphs on) and appends
 * AG-UI's to `out`, each `data: {...}` with a blank line behind it.  It keeps what is
 * open, so that everything that began is ended, once, whatever the run does:
 *
 *   a message    text, reasoning and tool calls, until its finish_reason, or whole
 *   a step       by its graph and node, while one task of it is under way
 *   a subagent   from its start to its end
 *
 * and the state as it was told last, to tell what changed.
 *
 * Pure.  Thread: the caller's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef API_AGUI_TELL_H
#define API_AGUI_TELL_H

#include "api/said.h"
#include "base/list.h"
#include "run/run.h"

#define AGUI_MODES (MODE_MESSAGES_TUPLE | MODE_VALUES | MODE_TASKS | MODE_CUSTOM |    \
	MODE_LIFECYCLE)

struct agui_tell {
	struct buf out;                      /* the caller's to send and to clear */
	bool breakpoint;                     /* the run stops, and asks nothing */
	/* private */
	bool agents_told;
	struct voices voices;
	struct list messages, steps, agents;         /* that are open; the oldest first */
	size_t messages_n;
	struct buf state;                    /* told last: an object; empty: none was */
};

/* agents: the client knows of subagents; one that does not fails at their events. */
void agui_tell_init(struct agui_tell *t, const struct agent *a, bool agents);
void agui_tell_release(struct agui_tell *t);
/* Whole frames. */
void agui_tell_take(struct agui_tell *t, struct str frames);
/* The values that a run left: ends what is open, then the state and the conversation. */
void agui_tell_end(struct agui_tell *t, struct str values_json);

/* ---- for whoever adds events himself (agui.c) ----------------------------------- */

/* `data: {"type":"NAME"`, then members by json_add_fmt, then the end. */
void agui_event(struct buf *b, const char *type);
void agui_event_end(struct buf *b);

/* ---- messages (agui_shown.c) ------------------------------------------------------ */

#define AGUI_CONTEXT "agui-context"          /* the id of the message with the context */
#define AGUI_REASONING "reasoning-"          /* before a message's id: its reasoning's */

/* The messages of a thread, as AG-UI's, without brackets. */
void agui_add_messages(struct buf *b, jnode messages);

#endif
