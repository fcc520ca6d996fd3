/*
 * classic_priv.h - between the files of the classic wire: classic.c (most
 * modes), answer.c (a model's answers), trace.c (mode events).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_CLASSIC_PRIV_H
#define RUN_CLASSIC_PRIV_H

#include "base/json.h"
#include "run/classic.h"
#include "run/frame_priv.h"

/* Modes that tell of graphs below the root without `subgraphs` too. */
#define CLASSIC_DEEP (MODE_EVENTS | MODE_LIFECYCLE | MODE_META)

/* Is a frame of this mode to be made of ev now?  It counts even if nobody reads
 * it. */
bool classic_wanted(struct classic *c, unsigned mode, const struct run_event *ev);
/* Data of a frame, then the frame; data is released.  ns: shown behind `|`. */
struct buf classic_data(void);
void classic_send(struct classic *c, unsigned mode, const char *name,
    struct str ns, struct buf *data);

void classic_add_id(struct buf *b, const char *key, const struct uuid *id);
void classic_add_val(struct buf *b, const char *key, struct val v); /* UNDEF: nothing */
/* A task as mode tasks shows it when it begins, and when it has ended; members: of the
 * run's metadata; add writes what it was given and what it gave. */
void classic_add_task(struct buf *b, struct str members, const struct event_task *t,
    void (*add)(struct buf *b, struct val v));
void classic_add_task_result(struct buf *b, struct str members, const struct event_task *t,
    void (*add)(struct buf *b, struct val v));
void classic_add_tool_payload(struct buf *b, const struct event_tool *t);

/* Where ev's task is, as metadata objects say it. */
struct classic_place {
	struct frame_place at;
	struct buf triggers, path;
};
void classic_place_open(struct classic_place *p, const struct classic *c,
    const struct run_event *ev);
void classic_place_close(struct classic_place *p);

/* ---- answer.c -------------------------------------------------------------- */

void classic_delta(struct classic *c, const struct run_event *ev);
void classic_model_end(struct classic *c, const struct run_event *ev);
void classic_retract(struct classic *c, const struct run_event *ev);
void classic_answers_release(struct classic *c);

/* ---- trace.c: mode events --------------------------------------------------- */

void classic_graph_start(struct classic *c, const struct run_event *ev,
    struct val input);
void classic_graph_shows(struct classic *c, const struct run_event *ev);
void classic_graph_end(struct classic *c, const struct run_event *ev);
void classic_node_start(struct classic *c, const struct run_event *ev);
void classic_node_end(struct classic *c, const struct run_event *ev);
void classic_model_start(struct classic *c, const struct run_event *ev);
void classic_model_answers(struct classic *c, const struct run_event *ev);
void classic_tool_event(struct classic *c, const struct run_event *ev,
    const char *event);
void classic_graphs_release(struct classic *c);

#endif
