/*
 * replay.c - see replay.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/replay.h"

#include "base/limits.h"

static void
hear(struct run_watch *w, struct sse_block *b)
{
	struct replay *p = CONTAINER_OF(w, struct replay, watch);

	buf_add(&p->out, (struct str){ b->bytes, b->n });
}

void
replay_start(struct replay *p, const struct uuid *thread_id,
    const struct uuid *run_id, bool ids, const struct run_watch *w)
{
	p->out = BUF(LIMIT_STATE_BYTES * 2u);
	p->run = (struct classic_run){ .thread_id = *thread_id, .run_id = *run_id };
	p->facts = VAL_UNDEF;
	p->begun = false;
	p->reader = (struct event_reader){ 0 };
	p->stream = (struct stream){ 0 };
	stream_init(&p->stream, 0, ids, false, 0);
	p->stream.quiet = w->after;
	p->watch = (struct run_watch){ .modes = w->modes, .namespaces = w->namespaces,
	    .namespaces_n = w->namespaces_n, .after = -1, .wants_events = true,
	    .frames = hear };
	stream_attach(&p->stream, &p->watch);
}

/* An attempt begins: what frames say of the run. */
static void
begin(struct replay *p, struct val facts)
{
	unsigned modes;

	if (!classic_facts_read(facts, &p->run, &modes))
		return;
	if (p->begun)
		classic_release(&p->wire);
	val_drop(p->facts);
	p->facts = val_ref(facts);
	p->stream.modes = modes | MODE_META;
	classic_init(&p->wire, &p->run, &p->stream, NULL);
	p->begun = true;
}

struct val *
replay_left_out(struct run_event *ev, struct event_task *task, const struct uuid **id)
{
	switch (ev->kind) {
	case EVENT_INPUT: case EVENT_VALUES:
		*id = &ev->u.state.id;
		return &ev->u.state.values;
	case EVENT_CHECKPOINT:
		*id = &ev->u.checkpoint.id;
		return &ev->u.checkpoint.values;
	case EVENT_TASK: case EVENT_TASK_RESULT:
		*id = &ev->checkpoint;
		*task = *ev->task;
		ev->task = task;
		return &task->input;
	default:
		return NULL;
	}
}

/* Is the event of a mode that shows it with the state? */
static bool
needs_state(const struct replay *p, enum event_kind kind)
{
	static const unsigned modes[EVENT_KINDS] = {
		[EVENT_INPUT] = MODE_VALUES | MODE_EVENTS,
		[EVENT_VALUES] = MODE_VALUES | MODE_EVENTS,
		[EVENT_CHECKPOINT] = MODE_CHECKPOINTS | MODE_DEBUG,
		[EVENT_TASK] = MODE_TASKS | MODE_DEBUG | MODE_EVENTS,
		[EVENT_TASK_RESULT] = MODE_EVENTS,
	};

	return p->values != NULL && (p->stream.modes & p->watch.modes & modes[kind]) != 0;
}

int
replay_event(struct replay *p, const struct event_entry *e)
{
	const struct run_event *read;
	struct event_task task;
	struct run_event ev;
	struct val found = VAL_UNDEF, *place = NULL;
	const struct uuid *id;
	bool refers;
	int rc = event_unpack(&p->reader, e->fields, &read, &refers);

	p->stream.next_id = e->id;
	if (rc != OK)
		return rc == ERR_NOTFOUND ? OK : rc;         /* its beginning is gone */
	if (read->kind == EVENT_METADATA)
		begin(p, read->u.metadata.facts);
	if (!p->begun)
		return OK;
	ev = *read;
	ev.now = e->now;
	if (refers && needs_state(p, ev.kind))
		place = replay_left_out(&ev, &task, &id);
	if (place != NULL && place->kind == VAL_UNDEFINED) {
		found = e->values.kind != VAL_UNDEFINED ? val_ref(e->values) :
		    p->values(p->ctx, ev.ns, id);
		*place = found;
		if (found.kind == VAL_UNDEFINED && ev.kind != EVENT_TASK_RESULT)
			return OK;
	}
	classic_tell(&p->wire, &ev);
	val_drop(found);
	if (ev.kind == EVENT_CHECKPOINT && !uuid_is_zero(&p->after_checkpoint) &&
	    uuid_eq(&ev.u.checkpoint.id, &p->after_checkpoint))
		buf_clear(&p->out);
	return OK;
}

struct str
replay_frames(const struct replay *p)
{
	return buf_str(&p->out);
}

int64_t
replay_next_id(const struct replay *p)
{
	return p->stream.next_id;
}

void
replay_stop(struct replay *p)
{
	stream_detach(&p->stream, &p->watch);
	if (p->begun)
		classic_release(&p->wire);
	val_drop(p->facts);
	stream_release(&p->stream);
	event_reader_release(&p->reader);
	buf_release(&p->out);
}
