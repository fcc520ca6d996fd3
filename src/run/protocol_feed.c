/*
 * protocol_feed.c - a log's events into an encoder of the thread protocol.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/subscribe_priv.h"

#include "base/json.h"

void
protocol_feed_open(struct protocol_feed *f, const struct tape_source *from,
    const struct protocol_sink *sink)
{
	*f = (struct protocol_feed){ .from = *from, .sink = *sink, .last = -1 };
	protocol_init(&f->p, &f->sink);
}

void
protocol_feed_close(struct protocol_feed *f)
{
	protocol_release(&f->p);
	event_reader_release(&f->reader);
}

/* The state that an event leaves out; UNDEF: it is gone, or nobody wants it. */
static struct val
find_state(const struct protocol_feed *f, const struct run_event *ev,
    const struct event_entry *e, const struct uuid *id)
{
	if (!protocol_needs_state(&f->p, ev, e->seq))
		return VAL_UNDEF;
	if (e->values.kind != VAL_UNDEFINED)
		return val_ref(e->values);
	return tape_values(&f->from, val_get(f->p.facts, S("channels")), ev->ns, id);
}

void
protocol_feed_event(struct protocol_feed *f, const struct event_entry *e)
{
	const struct run_event *read;
	struct event_task task;
	struct run_event ev;
	struct val found = VAL_UNDEF, *place;
	const struct uuid *id;
	bool refers;

	f->last = e->seq;
	if (event_unpack(&f->reader, e->fields, &read, &refers) != OK)
		return;                      /* of a later version, or its beginning is gone */
	ev = *read;
	ev.now = e->now;
	place = refers ? replay_left_out(&ev, &task, &id) : NULL;
	if (place != NULL && place->kind == VAL_UNDEFINED)
		*place = found = find_state(f, &ev, e, id);
	protocol_tell(&f->p, &ev, e->seq);
	val_drop(found);
}

int64_t
protocol_end_number(int64_t last)
{
	return last + 1;
}

void
protocol_feed_end(struct protocol_feed *f, enum run_status status, struct str error_json,
    msec now)
{
	struct json_doc d = { 0 };
	struct str message = STR_NONE;

	if (error_json.n > 0 && json_parse(&d, error_json, NULL) == OK)
		message = json_str(json_get(d.root, S("message")));
	protocol_end(&f->p, status, message, protocol_end_number(f->last), now);
	json_release(&d);
}
