/*
 * turn.c - the state of a turn: the current event, the internal queue, error
 * events, and limits.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chart/session_priv.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define WHY_TEXT 150             /* bytes of a guard or an error in the message */

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

static const struct effect_sink nobody = { 0 };

/* The arrays are left uninitialised: they are read up to their counts, and the
 * sets are cleared before use. */
void
turn_begin(struct session *s, struct turn *t, const struct effect_sink *sink)
{
	assert(s->turn == NULL);             /* no calls back from a sink */
	s->turn = t;
	t->sink = sink != NULL ? sink : &nobody;
	t->has_event = t->limit = t->told = t->recalls = false;
	t->moved = true;
	t->steps = t->actions = t->work = t->errors = 0;
	t->entered = t->blame = UINT32_MAX;
	t->last_error = VAL_UNDEF;
	t->queue = t->first;
	t->queue_at = t->queue_n = 0;
	t->queue_cap = QUEUE_INLINE;
	t->event_object = t->data_object = t->processors = t->name = VAL_UNDEF;
	t->enabled_n = 0;
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

static void
queue_clear(struct turn *t)
{
	while (t->queue_n > 0) {
		event_release(&t->queue[t->queue_at]);
		t->queue_at = (t->queue_at + 1) % t->queue_cap;
		t->queue_n--;
	}
}

/* The limit, the state, the guard and the last error. */
static void
add_why(const struct session *s, struct buf *b)
{
	static const struct { int n; const char *what; } bounds[] = {
		[BOUND_STEPS] = { LIMIT_CHART_STEPS, "microsteps in one macrostep" },
		[BOUND_ACTIONS] = { LIMIT_CHART_ACTIONS, "actions in one macrostep" },
		[BOUND_WORK] = { LIMIT_CHART_WORK, "steps of work in one macrostep" },
		[BOUND_QUEUE] = { LIMIT_CHART_QUEUE, "events waiting in the session" },
	};
	const struct turn *t = s->turn;
	const struct chart *c = s->c;
	const struct transition *tr = t->blame != UINT32_MAX ?
	    &c->transitions.at[t->blame] : NULL;
	uint32_t state = tr != NULL ? tr->source : t->entered;

	buf_add_fmt(b, "more than %d %s", bounds[t->bound].n, bounds[t->bound].what);
	if (state != NO_STATE)
		buf_add_fmt(b, "; state '%.*s'", FMT(c->states.at[state].id));
	if (tr != NULL && tr->cond != 0)
		buf_add_fmt(b, ", guard '%.*s'",
		    FMT(str_cut(c->codes.at[tr->cond].text, WHY_TEXT)));
	if (tr != NULL && tr->line > 0)
		buf_add_fmt(b, " (transition of line %u)", tr->line);
	if (t->last_error.kind == VAL_STRING)
		buf_add_fmt(b, "; last error: %.*s",
		    FMT(str_cut(val_str(t->last_error), WHY_TEXT)));
}

static void
note_why(struct session *s)
{
	struct buf b = BUF(LIMIT_EXPR_BYTES);

	add_why(s, &b);
	free(s->why);
	s->why = mem_cstr(buf_str(&b));
	buf_release(&b);
}

int
turn_end(struct session *s)
{
	struct turn *t = s->turn;
	bool limit = t->limit, moved = t->moved || limit;

	if (limit) {
		note_why(s);
		stop_everything(s);
	}
	queue_clear(t);
	if (t->queue != t->first)
		free(t->queue);
	if (t->has_event)
		event_release(&t->now);
	drop(t->event_object);
	drop(t->data_object);
	drop(t->processors);
	drop(t->name);
	drop(t->last_error);
	s->turn = NULL;
	if (moved)
		check_session(s);
	return limit ? ERR_LIMIT : OK;
}

void
turn_limit(struct session *s, enum bound bound)
{
	if (!s->turn->limit)
		s->turn->bound = bound;
	s->turn->limit = true;
}

bool
turn_tell_limit(struct session *s)
{
	struct turn *t = s->turn;
	struct buf b = BUF(LIMIT_EXPR_BYTES);

	if (t->told)
		return false;
	add_why(s, &b);
	if (t->bound == BOUND_QUEUE)
		queue_clear(t);
	t->told = true;
	t->limit = false;
	t->steps = LIMIT_CHART_STEPS / 10 * 9;
	t->actions = LIMIT_CHART_ACTIONS / 10 * 9;
	t->work = LIMIT_CHART_WORK / 10 * 9;
	turn_set_event(s, (struct event){
		.type = EVENT_PLATFORM, .name = S("error.execution"),
		.data = val_set_take(val_object_empty(), S("message"),
		    val_string(buf_str(&b))) });
	buf_release(&b);
	return true;
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
		turn_limit(s, BOUND_QUEUE);
		event_release(&ev);
		return;
	}
	if (ev.hold.kind == VAL_STRING)
		ev.name = val_str(ev.hold);
	if (t->queue_n == t->queue_cap)
		queue_grow(t);
	assert(t->queue_n < t->queue_cap && ev.name.n > 0);
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

	assert(t->queue_n <= t->queue_cap);
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
	struct turn *t = s->turn;
	struct event ev = { .type = EVENT_PLATFORM,
		.name = ours ? S("error.execution") : S("error.communication") };

	t->errors++;
	if (t->limit)
		return;              /* the limit is the error */
	ev.sendid = val_ref(sendid);
	if (e != NULL) {
		drop(t->last_error);
		t->last_error = val_string(str_of(e->text));
		ev.data = val_set_take(val_object_empty(), S("message"),
		    val_ref(t->last_error));
	}
	turn_raise(s, ev);
}

void
turn_effect(struct session *s, const struct effect *f)
{
	const struct effect_sink *sink = s->turn->sink;

	if (sink->effect != NULL)
		sink->effect(sink->ctx, f);
}

void
turn_path(struct session *s, enum effect_kind kind, uint32_t state)
{
	const struct effect f = { .kind = kind, .state = state };

	if (s->turn->sink->path)
		turn_effect(s, &f);
}

int
turn_reach(struct session *s, const struct effect *send)
{
	const struct effect_sink *sink = s->turn->sink;

	return sink->reach == NULL ? OK :
	    sink->reach(sink->ctx, send->target, send->type, send->delay_ms > 0);
}
