/*
 * note.h - what of a run's events is kept in its transcript: one function a kind of
 * entry, for the server (job_note.c) and for a run by itself (solo.c).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_NOTE_H
#define RUN_NOTE_H

#include "chart/chart.h"
#include "run/core_priv.h"
#include "run/transcript.h"

/* Where an entry goes; `to` is on. */
struct note {
	struct transcript *to;
	msec now;
	struct transcript_place at;
};

void note_run_start(const struct note *n, int64_t attempt);
/* That it has an input, a command: the row of the run has them. */
void note_given(const struct note *n, struct str kwargs_json);
/* A node of a graph begins or has ended. */
void note_node(const struct note *n, enum transcript_kind kind);
/* The path of a chart. */
void note_path(const struct note *n, const struct chart *c, const struct effect *f);
/* state: in which the task runs, at `checkpoint`; call: numbers the requests of an
 * attempt. */
void note_request(const struct note *n, const struct llm_request *q, int64_t call,
    const struct channels *state, const struct uuid *checkpoint);
void note_answer(const struct note *n, int64_t call, struct str model, struct val message);
void note_no_answer(const struct note *n, int64_t call, struct str event, struct str words);
void note_tool(const struct note *n, enum task_tool_event what, struct str call_id,
    struct str name, struct val payload);
/* What the store, the tracker or a page gave; words: why it failed. */
struct note_result {
	struct str of, what;
	int rc;
	int64_t status;                      /* of a page */
	struct str type;                     /* of its content */
	struct val value;
	struct str text, words;              /* text: instead of value */
};
void note_result(const struct note *n, const struct note_result *r);
/* One of another agent ("received"), or to so many ("sent"). */
void note_message(const struct note *n, const char *direction, struct val message,
    size_t receivers);
void note_timer(const struct note *n);
void note_checkpoint(const struct note *n, const struct core_checkpoint *c);
void note_interrupt(const struct note *n, const struct core_interrupt *i);
void note_breakpoint(const struct note *n);
void note_error(const struct note *n, struct str event, struct str name, struct str message);
void note_end(const struct note *n, enum run_status status);

#endif
