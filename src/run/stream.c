/*
 * stream.c - see stream_priv.h.
 *
 * A watcher may leave from inside its own callback, or take another one with
 * it; the delivery's cursor makes that safe without a second list.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/stream_priv.h"

#include <assert.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "run/frame_priv.h"

static bool
holds(const struct stream *s)
{
	return s->closed || s->waits > 0;
}

static void
check(const struct stream *s)
{
	assert(holds(s) || s->held.n == 0);
	assert(s->keeps || s->full || s->log == NULL);
}

static void
entries_add(struct stream_entries *e, struct stream_entry entry)
{
	mem_grow(e->at, e->n, e->cap);
	e->at[e->n++] = entry;
}

static void
entries_drop_front(struct stream_entries *e, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sse_block_drop(e->at[i].block);
	e->n -= n;
	memmove(e->at, e->at + n, e->n * sizeof *e->at);
}

static void
entries_release(struct stream_entries *e)
{
	if (e->n > 0)
		entries_drop_front(e, e->n);
	free(e->at);
	*e = (struct stream_entries){ 0 };
}

void
stream_init(struct stream *s, unsigned modes, bool ids, bool keeps, int64_t first_id)
{
	s->modes = modes | MODE_META;
	s->ids = ids;
	s->keeps = keeps;
	s->next_id = first_id;
	s->quiet = first_id - 1;
	check(s);
}

void
stream_release(struct stream *s)
{
	assert(s->watchers == NULL);
	entries_release(&s->held);
	event_log_free(s->log);
}

bool
stream_wants(const struct stream *s, unsigned mode)
{
	unsigned some = s->keeps && holds(s) ? s->modes : s->reading;

	/* What is held is for those who come meanwhile, too. */
	return (s->modes & some & mode) != 0 && s->next_id > s->quiet;
}

int64_t
stream_id(const struct stream *s)
{
	return s->ids ? s->next_id : FRAME_NO_ID;
}

void
stream_skip(struct stream *s)
{
	s->next_id++;
}

/* ---- delivery ------------------------------------------------------------ */

static bool
reads(const struct run_watch *w, unsigned mode)
{
	return w->wants_events && ((w->modes | MODE_META) & mode) != 0;
}

/* Is the graph that the frame is about among those w reads? */
static bool
reads_graph(const struct run_watch *w, struct str event)
{
	struct str graph = frame_graph(event);
	size_t i = 0;

	while (i < w->namespaces_n && !str_eq(w->namespaces[i], graph))
		i++;
	return i < w->namespaces_n;
}

static bool
reads_frame(const struct run_watch *w, unsigned mode, const struct sse_block *b)
{
	struct str rest = { b->bytes, b->n }, event = STR_NONE;

	if (!reads(w, mode))
		return false;
	if (w->namespaces_n == 0 || mode == MODE_META)
		return true;
	str_next(&rest, '\n', &event);
	return reads_graph(w, str_sub(event, S("event: ").n, event.n));
}

/* id: of a frame that was held, which who came meanwhile may have read in the store; else
 * FRAME_NO_ID. */
static void
deliver(struct stream *s, int64_t id, unsigned mode, struct sse_block *b)
{
	struct run_watch *w = s->watchers;

	assert(s->cursor == NULL);
	while (w != NULL) {
		bool has = id != FRAME_NO_ID && w->after != INT64_MAX && id <= w->after;

		s->cursor = w->next;
		if (!has && reads_frame(w, mode, b))
			w->frames(w, b);
		w = s->cursor;
	}
}

void
stream_send(struct stream *s, unsigned mode, struct sse_block *b)
{
	struct stream_entry entry = { b, s->next_id++, mode };

	check(s);
	assert((s->modes & mode) != 0);
	if (holds(s)) {
		sse_block_charge(b);
		entries_add(&s->held, entry);
		return;
	}
	deliver(s, FRAME_NO_ID, mode, b);
	sse_block_drop(b);
}

void
stream_close(struct stream *s)
{
	s->closed = true;
	if (s->log != NULL)
		event_log_hide(s->log);
}

static void
show(struct stream *s)
{
	struct stream_entries held = s->held;

	if (holds(s))
		return;
	s->held = (struct stream_entries){ 0 };
	for (size_t i = 0; i < held.n; i++)
		deliver(s, held.at[i].id, held.at[i].mode, held.at[i].block);
	entries_release(&held);
	if (s->log != NULL)
		event_log_show(s->log);
}

void
stream_open(struct stream *s)
{
	s->closed = false;
	show(s);
}

bool
stream_wait(struct stream *s)
{
	if (s->log == NULL || s->closed)
		return false;
	s->waits++;
	event_log_hide(s->log);
	return true;
}

void
stream_go(struct stream *s)
{
	if (s->waits == 0)
		return;                      /* what was held is discarded */
	s->waits--;
	show(s);
}

void
stream_discard(struct stream *s)
{
	entries_release(&s->held);
	s->closed = false;
	s->waits = 0;
	if (s->log != NULL)
		event_log_drop(s->log);
}

/* ---- watchers ------------------------------------------------------------ */

static void
count_readers(struct stream *s)
{
	s->reading = 0;
	for (const struct run_watch *w = s->watchers; w != NULL; w = w->next)
		if (w->wants_events)
			s->reading |= w->modes | MODE_META;
}

void
stream_attach(struct stream *s, struct run_watch *w)
{
	struct run_watch **end = &s->watchers;

	w->next = NULL;
	while (*end != NULL)
		end = &(*end)->next;
	*end = w;
	count_readers(s);
}

void
stream_started(struct stream *s, const struct uuid *thread_id,
    const struct uuid *run_id)
{
	struct run_watch *w = s->watchers;

	assert(s->cursor == NULL);
	while (w != NULL) {
		s->cursor = w->next;
		if (w->started != NULL)
			w->started(w, thread_id, run_id);
		w = s->cursor;
	}
}

bool
stream_detach(struct stream *s, struct run_watch *w)
{
	struct run_watch **at = &s->watchers;

	while (*at != NULL && *at != w)
		at = &(*at)->next;
	if (*at == NULL)
		return false;
	*at = w->next;
	if (s->cursor == w)
		s->cursor = w->next;
	count_readers(s);
	return true;
}

struct run_watch *
stream_pop(struct stream *s)
{
	struct run_watch *w = s->watchers;

	if (w == NULL)
		return NULL;
	assert(s->cursor == NULL);
	s->watchers = w->next;
	w->next = NULL;
	count_readers(s);
	return w;
}

/* ---- from the store ------------------------------------------------------ */

void
stream_replay_text(struct run_watch *w, struct str text, int64_t *after)
{
	struct buf wanted = BUF(LIMIT_STATE_BYTES * 2u);
	struct str frame, event;
	struct sse_block *b;
	int64_t id;

	while (frame_next(&text, &frame, &event, &id)) {
		if (id <= *after)
			continue;
		*after = id;
		if (reads(w, frame_mode(event)) && (w->namespaces_n == 0 ||
		    frame_mode(event) == MODE_META || reads_graph(w, event)))
			buf_add(&wanted, frame);
	}
	if (wanted.n > 0) {
		b = sse_block_new(buf_str(&wanted));
		w->frames(w, b);
		sse_block_drop(b);
	}
	buf_release(&wanted);
}
