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
#include "run/subscribe_priv.h"

/* What was told before a crash may not have been written, and a reader that
 * resumes after it must miss nothing: ids of the next attempt's frames begin past all
 * that the write queue can have held.  (Numbers of events: store/recover.c.) */
#define TAPE_GAP 1000000

#define WOKEN_GAP 65536
#define READ_BYTES (1 * MB)                  /* of the store at once */
#define SEND_BYTES (64 * KB)                 /* to a reader at once */

/* Calls each(ctx) with the events of a run that are stored behind `after`, in order, until
 * it says false. */
static bool
each_behind(struct store_reader *r, owner_t owner, const struct uuid *run_id, int64_t run_seq,
    int64_t after, bool (*each)(void *ctx, const struct event_entry *e), void *ctx)
{
	int64_t last = after;
	bool more = run_seq != 0, on = true;

	while (more) {
		struct arena a = ARENA(THREAD_ARENA);
		struct str *batches;
		size_t n = 0;

		if (store_events_get(r, owner, run_seq, after, READ_BYTES, &a, &batches,
		    &n, &last) != OK)
			n = 0;
		more = n > 0 && last > after;
		for (size_t i = 0; i < n && on; i++) {
			struct event_log *l = event_log_new(0);
			struct event_cursor c = { .after = -1 };
			struct event_entry e;

			(void)event_log_load(l, run_id, batches[i]);
			event_cursor_open(l, &c);
			while (on && event_cursor_read(&c, &e))
				on = each(ctx, &e);
			event_cursor_close(&c);
			event_log_free(l);
		}
		more = more && on;
		after = last;
		arena_release(&a);
	}
	return on;
}

static bool
each_stored(struct store_reader *r, owner_t owner, const struct uuid *run_id,
    int64_t run_seq, bool (*each)(void *ctx, const struct event_entry *e), void *ctx)
{
	return each_behind(r, owner, run_id, run_seq, -1, each, ctx);
}

struct following {
	bool (*each)(void *ctx, const struct event_entry *e);
	void *ctx;
	int64_t seq;                         /* told up to here */
	int64_t last;                        /* no reader has seen a greater one */
};

/* The log may have again what is stored already.  What it hides may be stored by now, and is
 * told when it is shown. */
static bool
follow(void *ctx, const struct event_entry *e)
{
	struct following *f = ctx;

	if (e->seq <= f->seq || e->seq > f->last)
		return true;
	f->seq = e->seq;
	return f->each(f->ctx, e);
}

void
tape_each(const struct tape_source *s, bool (*each)(void *ctx, const struct event_entry *e),
    void *ctx)
{
	struct following f = { each, ctx, -1,
	    s->log == NULL ? INT64_MAX : event_log_seen(s->log) };
	struct event_cursor c;
	struct event_entry e;

	if (!each_stored(s->rs->reader, s->owner, &s->run_id, s->run_seq, follow, &f) ||
	    s->log == NULL)
		return;
	c = (struct event_cursor){ .after = f.seq };
	event_cursor_open(s->log, &c);
	while (event_cursor_read(&c, &e) && each(ctx, &e))
		continue;
	event_cursor_close(&c);
}

/* ---- a run that goes on ------------------------------------------------------- */

int64_t
tape_next(struct runs *rs, owner_t owner, const struct uuid *thread_id, int64_t thread_seq)
{
	int64_t next = 0, reserved = subscribe_reserved(rs, owner, thread_id);

	if (store_event_next(rs->reader, owner, thread_seq, &next) != OK)
		next = 0;
	return next > reserved ? next : reserved;
}

void
tape_open(struct run *run, bool refer)
{
	int64_t next = run->stateless ? 0 : tape_next(run->rs, run->place.owner,
	    &run->place.thread_id, run->thread_seq);

	/* It may have been told, when it was about to be parked, what is not written. */
	run->stream.log = event_log_new(next + (run->woken ? WOKEN_GAP : 0));
	if (!run->stateless)
		event_log_keep(run->stream.log);
	event_log_begin(run->stream.log, &run->place.run_id, refer);
}

bool
tape_exists(const struct run *run)
{
	struct store_events_size size;

	return store_events_size(run->rs->reader, run->place.owner, run->seq, INT64_MAX,
	    &size) == OK && size.last >= 0;
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
	(void)each_stored(run->rs->reader, run->place.owner, &run->place.run_id, run->seq,
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

struct val
tape_values(const struct tape_source *s, struct val channels, struct str ns,
    const struct uuid *checkpoint)
{
	struct val values = VAL_UNDEF;
	struct arena a = ARENA(LOAD_ARENA);
	struct store_state st;

	if (store_state_get(s->rs->reader, s->owner, s->thread_seq, ns, checkpoint,
	    STATE_CHANNELS, &a, &st) == OK) {
		values = val_object_empty();
		for (size_t i = 0; i < val_count(channels); i++) {
			struct val v = channel(&st, val_at(channels, i));

			if (v.kind != VAL_UNDEFINED)
				values = val_set_take(values,
				    val_str(val_at(val_at(channels, i), 0)), v);
		}
	}
	arena_release(&a);
	return values;
}

static struct val
values_at(void *ctx, struct str ns, const struct uuid *checkpoint)
{
	const struct telling *t = ctx;

	return tape_values(t->s, val_get(t->replay.facts, S("channels")), ns, checkpoint);
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

	(void)replay_event(&t->replay, e);
	if (t->replay.out.n >= SEND_BYTES && uuid_is_zero(&t->replay.after_checkpoint))
		send(t);
	return !t->left;
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
	struct telling t = { .s = s, .w = w, .gone = gone, .ctx = ctx };

	if (w->after == INT64_MAX || !w->wants_events)
		return true;
	if (!tell_frames(s, w, gone, ctx))
		return false;
	t.replay.values = values_at;
	t.replay.ctx = &t;
	t.replay.after_checkpoint = w->after_checkpoint;
	replay_start(&t.replay, &s->thread_id, &s->run_id, s->ids, w);
	tape_each(s, tell_entry, &t);
	send(&t);
	if (!t.left && replay_next_id(&t.replay) > w->after)
		w->after = replay_next_id(&t.replay) - 1;
	replay_stop(&t.replay);
	return !t.left;
}

/* ---- many readers of what another node stores --------------------------------------- */

static struct val
feed_values(void *ctx, struct str ns, const struct uuid *checkpoint)
{
	struct tape_feed *f = ctx;

	f->reads++;
	return tape_values(&f->source, val_get(f->replay.facts, S("channels")), ns, checkpoint);
}

void
tape_feed_open(struct tape_feed *f, const struct tape_source *s, unsigned modes, int64_t after)
{
	*f = (struct tape_feed){ .source = *s, .after = -1 };
	f->replay.values = feed_values;
	f->replay.ctx = f;
	replay_start(&f->replay, &s->thread_id, &s->run_id, s->ids,
	    &(struct run_watch){ .modes = modes, .after = after });
}

static void
feed_tell(struct tape_feed *f)
{
	if (replay_frames(&f->replay).n > 0)
		f->tell(f->ctx, replay_frames(&f->replay));
	buf_clear(&f->replay.out);
}

static bool
feed_entry(void *ctx, const struct event_entry *e)
{
	struct tape_feed *f = ctx;

	if (e->seq <= f->after)
		return true;
	f->after = e->seq;
	(void)replay_event(&f->replay, e);
	if (f->replay.out.n >= SEND_BYTES)
		feed_tell(f);
	return true;
}

unsigned
tape_feed_read(struct tape_feed *f, void (*tell)(void *ctx, struct str frames), void *ctx)
{
	const struct tape_source *s = &f->source;

	f->tell = tell;
	f->ctx = ctx;
	f->reads = 2;                        /* what there is, and that this was all */
	(void)each_behind(s->rs->reader, s->owner, &s->run_id, s->run_seq, f->after, feed_entry,
	    f);
	feed_tell(f);
	return f->reads;
}

void
tape_feed_close(struct tape_feed *f)
{
	replay_stop(&f->replay);
}
