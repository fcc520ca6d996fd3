/*
 * frame_priv.h - stream events as SSE frames.  Pure.
 *
 * One event is one frame in one block, made once however many read it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_FRAME_PRIV_H
#define RUN_FRAME_PRIV_H

#include "base/id.h"
#include "base/limits.h"
#include "net/sse.h"
#include "base/json.h"

#define FRAME_NO_ID (-1)

/* All that is merged into one run's metadata: assistant, thread, config, run. */
#define RUN_METADATA_BYTES (8 * (size_t)LIMIT_METADATA_BYTES)

/* `event: name\ndata: <parts>\nid: N\n\n`; id FRAME_NO_ID leaves the line out.
 * One allocation, one reference. */
struct sse_block *frame_make(struct str name, const struct str *parts, size_t n,
    int64_t id);

/* The same of parts that begin with the frame's first line. */
struct sse_block *frame_join(const struct str *parts, size_t n, int64_t id);

/* What every metadata object of a run's messages says about where it is. */
struct frame_place {
	struct str run_members;      /* `"created_by":"system",...,"run_id":"..."` */
	struct str node;
	struct str task_ns;          /* the task's namespace: "node:task_id" */
	struct str triggers, path;   /* JSON; empty: as of a node that an edge chose */
	int step;
};

/* `"langgraph_step":1,...,"checkpoint_ns":"..."` behind the run's members. */
void frame_add_place(struct buf *b, const struct frame_place *at);
/* Metadata of a message that a model streams; with_tags as in messages-tuple. */
void frame_add_model_metadata(struct buf *b, const struct frame_place *at,
    struct str provider, struct str model, bool with_tags);
/* Metadata of a message that a node returned whole. */
void frame_add_node_metadata(struct buf *b, const struct frame_place *at);

/* Walks whole frames of encoded text: cuts the first one off *rest.  *event and
 * *id (FRAME_NO_ID if absent) tell about it; *frame is its bytes. */
bool frame_next(struct str *rest, struct str *frame, struct str *event, int64_t *id);
/* The stream mode whose frames have this event name, whatever stands behind `|`. */
unsigned frame_mode(struct str event);
/* The graph that an event's name is about: what stands behind `|`, without the
 * node's own segment in frames of messages; empty: the root. */
struct str frame_graph(struct str event);

#endif
