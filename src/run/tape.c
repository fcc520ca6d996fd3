/*
 * tape.c - see tape_priv.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/tape_priv.h"

#include "base/limits.h"
#include "base/mem.h"
#include "run/pack.h"
#include "run/saved_priv.h"

/* What was told before a crash may not have been written, and a reader that
 * resumes after it must miss nothing, and no number may come twice: the next
 * attempt's begin past all that the write queue can have held. */
#define TAPE_GAP 1000000

#define READ_BYTES (1 * MB)                  /* of the store at once */
#define SEND_BYTES (64 * KB)                 /* to a reader at once */

/* Calls each(ctx) with the events of a run that are stored behind `after`, in
 * order, until it says false. */
static void
each_stored(struct store_reader *r, owner_t owner, const struct uuid *run_id,
    int64_t run_seq, bool (*each)(void *ctx, const struct event_entry *e), void *ctx)
{
	int64_t after = -1, last = -1;
	bool more = run_seq != 0;

	while (more) {
		struct arena a = ARENA(THREAD_ARENA);
		struct str *batches;
		size_t n = 0;

		if (store_events_get(r, owner, run_seq, after, READ_BYTES, &a, &batches,
		    &n, &last) != OK)
			n = 0;
		more = n > 0 && last > after;
		for (size_t i = 0; i < n && more; i++) {
			struct event_log *l = event_log_new(0);
			struct event_cursor c = { .after = -1 };
			struct event_entry e;

			(void)event_log_load(l, run_id, batches[i]);
			event_cursor_open(l, &c);
			while (more && event_cursor_read(&c, &e))
				more = each(ctx, &e);
			event_cursor_close(&c);
			event_log_free(l);
		}
		after = last;
		arena_release(&a);
	}
}

/* ---- a run that goes on ------------------------------------------------------- */

void
tape_open(struct run *run, bool refer)
{
	int64_t next = 0;

	if (!run->stateless && store_event_next(run->rs->reader, run->place.owner,
	    run->thread_seq, &next) != OK)
		next = 0;
	if (run->attempt > 1 && !run->woken)
		next += TAPE_GAP;
	run->stream.log = event_log_new(next);
	event_log_begin(run->stream.log, &run->place.run_id, refer);
}

static void
note(struct tape_past *p, const struct run_event *ev)
{
	struct tape_message *m;
	struct buf b = BUF(4 * (size_t)LIMIT_EVENT_NS_BYTES);
	struct str *texts[5];

	mem_grow(p->messages, p->n, p->cap);
	m = &p->messages[p->n++];
	*m = (struct tape_message){ .ev = *ev, .task = *ev->task };
	m->ev.kind = EVENT_RETRACT;
	m->ev.ns = STR_NONE;                 /* the new attempt's event says where */
	m->ev.task = NULL;
	m->ev.u.model.delta = NULL;
	m->task.path = m->task.triggers = VAL_UNDEF;
	texts[0] = &m->ev.u.model.id;
	texts[1] = &m->ev.u.model.provider;
	texts[2] = &m->ev.u.model.model;
	texts[3] = &m->task.name;
	texts[4] = &m->task.ns;
	for (size_t i = 0; i < COUNT(texts); i++)
		buf_add(&b, *texts[i]);
	m->texts = mem_cstr(buf_str(&b));
	for (size_t i = 0, at = 0; i < COUNT(texts); at += texts[i]->n, i++)
		texts[i]->p = m->texts + at;
	buf_release(&b);
}

static bool
note_event(void *ctx, const struct event_entry *e)
{
	struct tape_past *p = ctx;
	const struct run_event *ev;
	bool refers;

	if (e->id >= p->next_id)
		p->next_id = e->id + 1;
	if (event_unpack(&p->reader, e->fields, &ev, &refers) != OK)
		return true;
	if (ev->kind == EVENT_DELTA && ev->u.model.delta->kind == LLM_DELTA_START)
		note(p, ev);
	for (size_t i = 0; ev->kind == EVENT_MODEL_END && i < p->n; i++)
		p->messages[i].whole |= str_eq(p->messages[i].ev.u.model.id,
		    ev->u.model.id);
	return true;
}

struct tape_past *
tape_past_read(struct run *run)
{
	struct tape_past *p = mem_new(struct tape_past);

	p->next_id = store_stream_last(run->rs->reader, run->seq) + 1;
	each_stored(run->rs->reader, run->place.owner, &run->place.run_id, run->seq,
	    note_event, p);
	if (!run->woken)                     /* a parked run has lost nothing */
		p->next_id += TAPE_GAP;
	event_reader_release(&p->reader);
	return p;
}

void
tape_past_free(struct tape_past *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->n; i++)
		free(p->messages[i].texts);
	free(p->messages);
	free(p);
}

/* ---- readers that come later ---------------------------------------------------- */

struct telling {
	const struct tape_source *s;
	struct run_watch *w;
	bool (*gone)(const void *ctx);
	const void *ctx;
	struct replay replay;
	int64_t seq;                         /* told up to here */
	bool left;
};

static struct val
initial(struct val declared)
{
	struct val v = val_at(declared, 1);

	return v.kind == VAL_UNDEFINED ? VAL_UNDEF : val_ref(v);
}

/* A channel as the state has it, else as it was declared. */
static struct val
channel(const struct store_state *st, struct val declared)
{
	struct str name = val_str(val_at(declared, 0));

	for (size_t i = 0; i < st->channels_n; i++)
		if (str_eq(st->channels[i].name, name))
			return saved_channel(&st->channels[i]);
	return initial(declared);
}

/* The root's state after a checkpoint, as clients see it. */
static struct val
values_at(void *ctx, struct str ns, const struct uuid *checkpoint)
{
	const struct telling *t = ctx;
	struct val shown = val_get(t->replay.facts, S("channels")), values = VAL_UNDEF;
	struct arena a = ARENA(LOAD_ARENA);
	struct store_state st;

	if (store_state_get(t->s->rs->reader, t->s->owner, t->s->thread_seq, ns,
	    checkpoint, STATE_CHANNELS, &a, &st) == OK) {
		values = val_object_empty();
		for (size_t i = 0; i < val_count(shown); i++) {
			struct val v = channel(&st, val_at(shown, i));

			if (v.kind != VAL_UNDEFINED)
				values = val_set_take(values,
				    val_str(val_at(val_at(shown, i), 0)), v);
		}
	}
	arena_release(&a);
	return values;
}

static void
send(struct telling *t)
{
	struct str frames = replay_frames(&t->replay);
	struct sse_block *b;

	if (frames.n == 0 || t->left)
		return;
	b = sse_block_new(frames);
	buf_clear(&t->replay.out);
	t->w->frames(t->w, b);
	sse_block_drop(b);
	t->left = t->gone(t->ctx);
}

static bool
tell_entry(void *ctx, const struct event_entry *e)
{
	struct telling *t = ctx;

	if (e->seq <= t->seq)
		return true;
	t->seq = e->seq;
	(void)replay_event(&t->replay, e);
	if (t->replay.out.n >= SEND_BYTES && uuid_is_zero(&t->replay.after_checkpoint))
		send(t);
	return !t->left;
}

static void
tell_log(struct telling *t)
{
	struct event_cursor c = { .after = t->seq };
	struct event_entry e;

	event_cursor_open(t->s->log, &c);
	while (!t->left && event_cursor_read(&c, &e))
		(void)tell_entry(t, &e);
	event_cursor_close(&c);
}

/* Frames that an earlier version stored. */
static bool
tell_frames(const struct tape_source *s, struct run_watch *w,
    bool (*gone)(const void *ctx), const void *ctx)
{
	int64_t last = -1;
	bool more = s->run_seq != 0, left = false;

	while (more) {
		struct arena a = ARENA(THREAD_ARENA);
		struct str *blocks;
		size_t n = 0;

		if (store_stream_get(s->rs->reader, s->owner, s->run_seq, w->after,
		    READ_BYTES, &a, &blocks, &n, &last) != OK)
			n = 0;
		for (size_t i = 0; i < n && !left; i++) {
			stream_replay_text(w, blocks[i], &w->after);
			left = gone(ctx);
		}
		arena_release(&a);
		more = n > 0 && !left;
		if (more && last > w->after)
			w->after = last;
	}
	return !left;
}

bool
tape_replay(const struct tape_source *s, struct run_watch *w,
    bool (*gone)(const void *ctx), const void *ctx)
{
	struct telling t = { .s = s, .w = w, .gone = gone, .ctx = ctx, .seq = -1 };

	if (w->after == INT64_MAX || !w->wants_events)
		return true;
	if (!tell_frames(s, w, gone, ctx))
		return false;
	t.replay.values = values_at;
	t.replay.ctx = &t;
	t.replay.after_checkpoint = w->after_checkpoint;
	replay_start(&t.replay, &s->thread_id, &s->run_id, s->ids, w);
	each_stored(s->rs->reader, s->owner, &s->run_id, s->run_seq, tell_entry, &t);
	if (s->log != NULL && !t.left)
		tell_log(&t);
	send(&t);
	if (!t.left && replay_next_id(&t.replay) > w->after)
		w->after = replay_next_id(&t.replay) - 1;
	replay_stop(&t.replay);
	return !t.left;
}
