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

#include "base/account.h"
#include "base/limits.h"
#include "base/mem.h"
#include "run/frame_priv.h"

static void
check(const struct stream *s)
{
	assert(s->closed || s->held.n == 0);
	assert(s->keeps || s->kept.n == 0);
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
	s->handed = first_id - 1;
	s->quiet = first_id - 1;
	check(s);
}

void
stream_release(struct stream *s)
{
	assert(s->watchers == NULL);
	entries_release(&s->held);
	entries_release(&s->kept);
}

bool
stream_wants(const struct stream *s, unsigned mode)
{
	return (s->modes & mode) != 0 && s->next_id > s->quiet &&
	    (s->keeps || (s->reading & mode) != 0);
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

static void
deliver(struct stream *s, unsigned mode, struct sse_block *b)
{
	struct run_watch *w = s->watchers;

	assert(s->cursor == NULL);
	while (w != NULL) {
		s->cursor = w->next;
		if (reads_frame(w, mode, b))
			w->frames(w, b);
		w = s->cursor;
	}
}

/* What runs keep for readers that come back is the first to go when the
 * process holds too much output; events not yet stored are kept. */
static size_t
ring_bytes(const struct stream *s, size_t drop)
{
	bool short_of = account_room(&account_output) == 0 &&
	    s->kept.at[drop].id <= s->handed;

	return short_of ? LIMIT_STREAM_FLUSH_BYTES : LIMIT_STREAM_RING_BYTES;
}

static void
keep(struct stream *s, struct stream_entry entry)
{
	size_t drop = 0;

	sse_block_charge(sse_block_ref(entry.block));
	entries_add(&s->kept, entry);
	s->kept_bytes += entry.block->n;
	s->fresh_bytes += entry.block->n;
	while (drop + 1 < s->kept.n && s->kept_bytes > ring_bytes(s, drop)) {
		s->kept_bytes -= s->kept.at[drop].block->n;
		drop++;
	}
	if (drop > 0)
		entries_drop_front(&s->kept, drop);
}

void
stream_send(struct stream *s, unsigned mode, struct sse_block *b)
{
	struct stream_entry entry = { b, s->next_id++, mode };

	check(s);
	assert((s->modes & mode) != 0);
	if (s->keeps)
		keep(s, entry);
	if (s->closed) {
		sse_block_charge(b);
		entries_add(&s->held, entry);
		return;
	}
	deliver(s, mode, b);
	sse_block_drop(b);
}

void
stream_close(struct stream *s)
{
	s->closed = true;
}

void
stream_open(struct stream *s)
{
	struct stream_entries held = s->held;

	s->held = (struct stream_entries){ 0 };
	s->closed = false;
	for (size_t i = 0; i < held.n; i++)
		deliver(s, held.at[i].mode, held.at[i].block);
	entries_release(&held);
}

void
stream_discard(struct stream *s)
{
	entries_release(&s->held);
	s->closed = false;
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
	int64_t until = s->held.n > 0 ? s->held.at[0].id : s->next_id;

	w->next = NULL;
	while (*end != NULL)
		end = &(*end)->next;
	*end = w;
	count_readers(s);
	/* w may leave while it hears what it missed: then it is not the last. */
	for (size_t i = 0; i < s->kept.n; i++) {
		struct stream_entry k = s->kept.at[i];

		if (k.id <= w->after || k.id >= until ||
		    !reads_frame(w, k.mode, k.block))
			continue;
		s->cursor = w;
		w->frames(w, k.block);
		if (s->cursor != w)
			break;
	}
	s->cursor = NULL;
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

/* ---- to and from the store ----------------------------------------------- */

bool
stream_hand_over(struct stream *s, struct buf *bytes, int64_t *first, int64_t *last)
{
	*first = -1;
	for (size_t i = 0; i < s->kept.n; i++) {
		const struct stream_entry *k = &s->kept.at[i];

		if (k->id <= s->handed)
			continue;
		if (*first < 0)
			*first = k->id;
		*last = k->id;
		buf_add(bytes, (struct str){ k->block->bytes, k->block->n });
	}
	if (*first < 0)
		return false;
	s->handed = *last;
	s->fresh_bytes = 0;
	return true;
}

void
stream_stored(struct stream *s, int64_t last)
{
	size_t n = 0;

	while (n < s->kept.n && s->kept.at[n].id <= last) {
		s->kept_bytes -= s->kept.at[n].block->n;
		n++;
	}
	if (n > 0)
		entries_drop_front(&s->kept, n);
}

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
