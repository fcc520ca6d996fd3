/*
 * pack.h - events as fields: how a log keeps them, in memory and on disk.
 *
 * An event becomes some bytes: its kind, then the fields of that kind in the
 * order of one table (pack.c), numbers as variable-length integers, texts with
 * their lengths, values as JSON.  A delta is little more than its text: its task
 * and its model are in the MODEL_START of its stream.  The time of an
 * event is not among its fields, it is the log's.
 *
 * A form of a later version adds kinds, or fields at the end of a kind; what is
 * unknown is refused as a whole.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_PACK_H
#define RUN_PACK_H

#include "run/event.h"

/* `refer`: the values of INPUT, VALUES, CHECKPOINT and what a task was given are
 * left out where a checkpoint of the root holds them: they are as large as the state, and
 * who reads the event can look them up. */
void event_pack(struct buf *b, const struct run_event *ev, bool refer);

/* Reads the events of one log in order, because a delta needs the start of its
 * stream. */
struct event_stream;

struct event_reader {
	struct event_stream *streams;        /* under way */
	size_t streams_n, streams_cap;
	struct event_task task, *next;       /* of the event at hand */
	size_t next_n;
	struct run_event ev;
	struct llm_delta delta;
};

/* *ev is good until the next call; its texts lie in `fields`.  refers: values that
 * were left out are those of the event's checkpoint.  ERR_SYNTAX: no event, or one
 * of a later version.  ERR_NOTFOUND: a delta whose stream began before what was
 * read. */
int event_unpack(struct event_reader *r, struct str fields,
    const struct run_event **ev, bool *refers);
void event_reader_release(struct event_reader *r);

/* A number as it stands among fields. */
void event_put_number(struct buf *b, int64_t value);
/* Cuts one off *rest; false: there is none. */
bool event_get_number(struct str *rest, int64_t *value);

#endif
