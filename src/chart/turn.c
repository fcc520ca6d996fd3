/*
 * turn.c - the short life of a turn: the current event, the internal queue,
 * errors as events, and what happens when a bound is hit.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chart/session_priv.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

uint32_t
bit_next(const uint64_t *set, uint32_t from, uint32_t end)
{
	while (from < end) {
		uint64_t word = set[from / 64] >> (from % 64);

		if (word != 0) {
			from += (uint32_t)__builtin_ctzll(word);
			return from < end ? from : end;
		}
		from = (from / 64 + 1) * 64;
	}
	return end;
}

uint32_t
bit_last(const uint64_t *set, uint32_t from, uint32_t end)
{
	while (end > from) {
		uint64_t word = set[(end - 1) / 64] << (63 - (end - 1) % 64);

		if (word != 0) {
			end -= (uint32_t)__builtin_clzll(word);
			return end > from ? end - 1 : NO_STATE;
		}
		end = (end - 1) / 64 * 64;
	}
	return NO_STATE;
}

static void
event_release(struct event *ev)
{
	drop(ev->hold);
	drop(ev->data);
	drop(ev->sendid);
}

/* Only what is read is written: the arrays are used up to their counts and
 * the sets are cleared where they are filled. */
void
turn_begin(struct session *s, struct turn *t, const struct effect_sink *sink)
{
	assert(s->turn == NULL);             /* no calls back from a sink */
	s->turn = t;
	t->sink = sink;
	t->has_event = t->limit = false;
	t->steps = t->actions = t->work = 0;
	t->queue = t->first;
	t->queue_at = t->queue_n = 0;
	t->queue_cap = QUEUE_INLINE;
	t->event_object = t->data_object = t->processors = t->name = VAL_UNDEF;
	t->enabled_n = t->histories_n = 0;
	memset(t->invoke, 0, s->c->words * sizeof t->invoke[0]);
	data_scope(s);
}

static void
stop_everything(struct session *s)
{
	const struct chart *c = s->c;

	for (uint32_t i = 1; i < c->states.n; i++)
		if (bit_get(s->conf, i))
			invoke_stop(s, i);
	memset(s->conf, 0, c->words * sizeof s->conf[0]);
	s->final = NO_STATE;
	s->over = true;
}

int
turn_end(struct session *s)
{
	struct turn *t = s->turn;
	bool limit = t->limit;

	if (limit)
		stop_everything(s);
	while (t->queue_n > 0) {
		event_release(&t->queue[t->queue_at]);
		t->queue_at = (t->queue_at + 1) % t->queue_cap;
		t->queue_n--;
	}
	if (t->queue != t->first)
		free(t->queue);
	if (t->has_event)
		event_release(&t->now);
	drop(t->event_object);
	drop(t->data_object);
	drop(t->processors);
	drop(t->name);
	s->turn = NULL;
	return limit ? ERR_LIMIT : OK;
}

void
turn_limit(struct session *s)
{
	s->turn->limit = true;
}

static void
queue_grow(struct turn *t)
{
	size_t cap = t->queue_cap * 2;
	struct event *queue = mem_alloc(cap * sizeof *queue);

	for (size_t i = 0; i < t->queue_n; i++)
		queue[i] = t->queue[(t->queue_at + i) % t->queue_cap];
	if (t->queue != t->first)
		free(t->queue);
	t->queue = queue;
	t->queue_at = 0;
	t->queue_cap = cap;
}

void
turn_raise(struct session *s, struct event ev)
{
	struct turn *t = s->turn;

	if (t->queue_n >= LIMIT_CHART_QUEUE || t->limit) {
		turn_limit(s);
		event_release(&ev);
		return;
	}
	if (ev.hold.kind == VAL_STRING)
		ev.name = val_str(ev.hold);
	if (t->queue_n == t->queue_cap)
		queue_grow(t);
	t->queue[(t->queue_at + t->queue_n) % t->queue_cap] = ev;
	t->queue_n++;
}

void
turn_set_event(struct session *s, struct event ev)
{
	struct turn *t = s->turn;

	if (t->has_event)
		event_release(&t->now);
	drop(t->event_object);
	t->event_object = VAL_UNDEF;
	t->now = ev;
	t->has_event = true;
}

bool
turn_next(struct session *s)
{
	struct turn *t = s->turn;
	struct event ev;

	if (t->queue_n == 0)
		return false;
	ev = t->queue[t->queue_at];
	t->queue_at = (t->queue_at + 1) % t->queue_cap;
	t->queue_n--;
	turn_set_event(s, ev);
	return true;
}

void
turn_error(struct session *s, int rc, struct val sendid, const struct err *e)
{
	bool ours = rc == ERR_INVALID || rc == ERR_LIMIT || rc == ERR_SYNTAX;
	struct event ev = { .type = EVENT_PLATFORM, .hold = VAL_UNDEF, .data = VAL_UNDEF,
		.name = ours ? S("error.execution") : S("error.communication"),
		.sendid = val_ref(sendid) };

	if (e != NULL)
		ev.data = val_set_take(val_object_empty(), S("message"),
		    val_string(str_of(e->text)));
	turn_raise(s, ev);
}

int
turn_effect(struct session *s, const struct effect *f)
{
	const struct effect_sink *sink = s->turn->sink;

	return sink != NULL && sink->effect != NULL ? sink->effect(sink->ctx, f) : OK;
}
