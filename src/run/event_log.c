/*
 * event_log.c - see event_log.h.
 *
 * Events lie in segments, oldest first; a segment is of one run and is dropped as
 * a whole.  Inside of it an event is a slot of 16 bytes, numbers relative to the
 * segment's first event, and its fields.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/event_log.h"

#include <assert.h>
#include <string.h>

#include "base/limits.h"
#include "base/list.h"
#include "base/mem.h"
#include "run/event_log_priv.h"

static void
check(const struct event_log *l)
{
	assert(l->handed < l->next_seq);
	assert(!l->open || !list_empty(&l->segments));
	assert(l->held_n == 0 || l->held[l->held_n - 1].seq < l->next_seq);
}

/* ---- segments ------------------------------------------------------------------ */

static struct segment *
first_of(const struct event_log *l)
{
	return list_empty(&l->segments) ? NULL :
	    CONTAINER_OF(l->segments.next, struct segment, link);
}

struct segment *
event_log_newest(const struct event_log *l)
{
	return list_empty(&l->segments) ? NULL :
	    CONTAINER_OF(l->segments.prev, struct segment, link);
}

static struct segment *
after(const struct event_log *l, const struct segment *s)
{
	return s->link.next == &l->segments ? NULL :
	    CONTAINER_OF(s->link.next, struct segment, link);
}

struct segment *
segment_new(const struct uuid *run_id)
{
	struct segment *s = mem_new(struct segment);

	s->run_id = *run_id;
	s->bytes = BUF(UINT32_MAX / 2);
	return s;
}

static size_t
size_of(const struct segment *s)
{
	return s->bytes.n + s->n * sizeof *s->slots;
}

static void
segment_drop(struct event_log *l, struct segment *s)
{
	l->bytes -= size_of(s);
	list_remove(&s->link);
	buf_release(&s->bytes);
	free(s->slots);
	free(s);
}

static bool
fits(int64_t from, int64_t to)
{
	return to - from <= INT32_MAX && to - from >= INT32_MIN;
}

/* Is there room for an event with these numbers? */
bool
segment_has_room(const struct segment *s, int64_t seq, int64_t id, msec now)
{
	return s->n == 0 || (s->bytes.n < SEGMENT_BYTES && fits(s->seq, seq) &&
	    fits(s->id, id) && fits(s->now, now));
}

void
segment_add(struct event_log *l, struct segment *s, const struct event_entry *v)
{
	if (s->n == 0) {
		s->seq = v->seq;
		s->id = v->id;
		s->now = v->now;
	}
	mem_grow(s->slots, s->n, s->cap);
	s->slots[s->n++] = (struct slot){ (int32_t)(v->seq - s->seq),
	    (int32_t)(v->id - s->id), (int32_t)(v->now - s->now), (uint32_t)s->bytes.n };
	buf_add(&s->bytes, v->fields);
	l->bytes += sizeof *s->slots + v->fields.n;
}

struct event_entry
segment_entry(const struct segment *s, size_t i)
{
	const struct slot *at = &s->slots[i];
	size_t end = i + 1 < s->n ? s->slots[i + 1].at : s->bytes.n;

	return (struct event_entry){ .seq = s->seq + at->seq, .id = s->id + at->id,
	    .now = s->now + at->now, .run_id = s->run_id,
	    .fields = str_sub(buf_str(&s->bytes), at->at, end - at->at) };
}

/* The first event of s behind `seq`; s->n: there is none. */
static size_t
index_after(const struct segment *s, int64_t seq)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (s->seq + s->slots[mid].seq <= seq)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* ---- the window ------------------------------------------------------------------ */

/* What a reader of a run that is too long cannot do without; *latest: only the
 * last of its kind counts. */
static bool
is_needed(const struct run_event *ev, bool *latest)
{
	*latest = false;
	switch (ev->kind) {
	case EVENT_METADATA: case EVENT_INTERRUPT: case EVENT_ANSWERED: case EVENT_REFUSED:
	case EVENT_ERROR:
		return true;
	case EVENT_LIFECYCLE:
		return ev->ns.n == 0;
	case EVENT_INPUT: case EVENT_VALUES: case EVENT_CHECKPOINT:
		*latest = true;
		return ev->ns.n == 0;
	default:
		return false;
	}
}

/* What is needed of segments: of some kinds only the latest. */
struct digest {
	struct needed {
		struct event_entry v;           /* its fields lie in texts, at */
		size_t at;
		int kind;                    /* of which the latest counts; -1 */
	} *list;
	size_t n, cap;
	struct buf texts;
};

static void
digest_add(struct digest *d, const struct event_entry *v, int kind)
{
	size_t i = 0;

	while (i < d->n && (kind < 0 || d->list[i].kind != kind))
		i++;
	if (i < d->n) {
		d->n--;
		memmove(d->list + i, d->list + i + 1, (d->n - i) * sizeof *d->list);
	}
	mem_grow(d->list, d->n, d->cap);
	d->list[d->n++] = (struct needed){ *v, d->texts.n, kind };
	buf_add(&d->texts, v->fields);
}

static void
digest_read(struct digest *d, const struct segment *s)
{
	struct event_reader r = { 0 };
	const struct run_event *ev;
	bool refers, latest;

	for (size_t i = 0; i < s->n; i++) {
		struct event_entry v = segment_entry(s, i);

		if (event_unpack(&r, v.fields, &ev, &refers) != OK ||
		    !is_needed(ev, &latest))
			continue;
		digest_add(d, &v, !latest ? -1 : ev->kind == EVENT_CHECKPOINT ?
		    EVENT_CHECKPOINT : EVENT_VALUES);
	}
	event_reader_release(&r);
}

/* The two oldest segments, of one run, become one with what is needed of them. */
static void
shorten(struct event_log *l, struct segment *s, struct segment *next)
{
	struct digest d = { .texts = BUF(UINT32_MAX / 2) };
	struct segment *to = segment_new(&s->run_id);

	digest_read(&d, s);
	digest_read(&d, next);
	for (size_t i = 0; i < d.n; i++) {
		d.list[i].v.fields = str_sub(buf_str(&d.texts), d.list[i].at,
		    d.list[i].v.fields.n);
		segment_add(l, to, &d.list[i].v);
	}
	l->gone = segment_entry(next, next->n - 1).seq;
	list_append(&next->link, &to->link);         /* in front of it */
	segment_drop(l, s);
	segment_drop(l, next);
	buf_release(&d.texts);
	free(d.list);
}

static void
drop_run(struct event_log *l, struct uuid run_id)
{
	while (uuid_eq(&first_of(l)->run_id, &run_id)) {
		struct segment *s = first_of(l);

		if (s->n > 0)
			l->gone = segment_entry(s, s->n - 1).seq;
		segment_drop(l, s);
	}
}

static bool
is_stored(const struct event_log *l, const struct segment *s)
{
	return s->n == 0 || segment_entry(s, s->n - 1).seq <= l->stored;
}

static void
trim(struct event_log *l)
{
	while (l->bytes > LIMIT_LOG_BYTES) {
		struct segment *s = first_of(l), *last = event_log_newest(l), *next = after(l, s);

		if (!uuid_eq(&s->run_id, &last->run_id))
			drop_run(l, s->run_id);
		else if (next != NULL && next != last && is_stored(l, next))
			shorten(l, s, next);
		else
			return;              /* one segment and what is needed; or a reader
			                        would find the others nowhere */
	}
}

/* ---- runs and events --------------------------------------------------------------- */

struct event_log *
event_log_new(int64_t next_seq)
{
	struct event_log *l = mem_new(struct event_log);

	list_init(&l->segments);
	l->next_seq = next_seq;
	l->handed = next_seq - 1;
	l->stored = INT64_MAX;
	l->gone = -1;
	l->hidden = INT64_MAX;
	check(l);
	return l;
}

void
event_log_free(struct event_log *l)
{
	if (l == NULL)
		return;
	assert(l->cursors == NULL);
	event_log_settle(l, INT64_MAX);
	while (!list_empty(&l->segments))
		segment_drop(l, first_of(l));
	free(l->held);
	buf_release(&l->packed);
	free(l);
}

void
event_log_keep(struct event_log *l)
{
	l->stored = l->handed;
}

void
event_log_stored(struct event_log *l, int64_t seq)
{
	if (seq > l->stored)
		l->stored = seq;
	trim(l);
}

void
event_log_begin(struct event_log *l, const struct uuid *run_id, bool refer)
{
	assert(!l->open);
	l->open = true;
	l->refer = refer;
	l->handed = l->next_seq - 1;
	list_append(&l->segments, &segment_new(run_id)->link);
	check(l);
}

void
event_log_seek(struct event_log *l, int64_t next_seq)
{
	assert(next_seq >= l->next_seq);
	if (l->handed == l->next_seq - 1)
		l->handed = next_seq - 1;
	l->next_seq = next_seq;
}

static void
hold(struct event_log *l, int64_t seq, struct val values)
{
	mem_grow(l->held, l->held_n, l->held_cap);
	l->held[l->held_n++] = (struct held){ seq, val_ref(values) };
}

void
event_log_settle(struct event_log *l, int64_t seq)
{
	size_t n = 0;

	while (n < l->held_n && l->held[n].seq <= seq)
		val_drop(l->held[n++].values);
	l->held_n -= n;
	if (n > 0)
		memmove(l->held, l->held + n, l->held_n * sizeof *l->held);
}

static void
wake(struct event_log *l)
{
	struct event_cursor *c = l->cursors;

	assert(l->waking == NULL);
	while (c != NULL) {
		l->waking = c->next;
		if (!c->told) {
			c->told = true;
			c->ready(c);
		}
		c = l->waking;
	}
	l->waking = NULL;
}

static void
hold_values(struct event_log *l, const struct run_event *ev, int64_t seq)
{
	bool state = ev->kind == EVENT_INPUT || ev->kind == EVENT_VALUES;

	if (!l->refer)
		return;
	if (state && !uuid_is_zero(&ev->u.state.id))
		hold(l, seq, ev->u.state.values);
	else if (ev->kind == EVENT_CHECKPOINT && !uuid_is_zero(&ev->u.checkpoint.id))
		hold(l, seq, ev->u.checkpoint.values);
	else if (ev->kind == EVENT_TASK && !uuid_is_zero(&ev->checkpoint) &&
	    !ev->task->own_input)
		hold(l, seq, ev->task->input);
}

int64_t
event_log_add(struct event_log *l, const struct run_event *ev, int64_t id)
{
	struct event_entry v = { .seq = l->next_seq, .id = id, .now = ev->now };
	struct segment *s = event_log_newest(l);

	check(l);
	assert(l->open);
	if (l->packed.max == 0)
		l->packed = BUF(3 * (size_t)LIMIT_STATE_BYTES);
	buf_clear(&l->packed);
	event_pack(&l->packed, ev, l->refer);
	l->next_seq++;
	if (l->packed.failed) {              /* it is larger than any may be */
		buf_release(&l->packed);
		return v.seq;
	}
	if (!segment_has_room(s, v.seq, id, v.now)) {
		list_append(&l->segments, &segment_new(&s->run_id)->link);
		s = event_log_newest(l);
	}
	v.fields = buf_str(&l->packed);
	segment_add(l, s, &v);
	if (l->packed.cap > PACKED_KEPT)
		buf_release(&l->packed);
	hold_values(l, ev, v.seq);
	trim(l);
	if (l->hidden == INT64_MAX)
		wake(l);
	return v.seq;
}

void
event_log_hide(struct event_log *l)
{
	if (l->hidden == INT64_MAX)
		l->hidden = l->next_seq;
}

void
event_log_show(struct event_log *l)
{
	bool some = l->hidden < l->next_seq;

	l->hidden = INT64_MAX;
	if (some)
		wake(l);
}

static void
segment_cut(struct event_log *l, struct segment *s, size_t n)
{
	size_t before = size_of(s);

	if (n == s->n)
		return;
	buf_cut(&s->bytes, s->slots[n].at);
	s->n = n;
	l->bytes -= before - size_of(s);
}

/* Is the segment before s of the same run? */
static bool
goes_on(const struct event_log *l, const struct segment *s)
{
	return s->link.prev != &l->segments && uuid_eq(&s->run_id,
	    &CONTAINER_OF(s->link.prev, struct segment, link)->run_id);
}

void
event_log_drop(struct event_log *l)
{
	int64_t from = l->hidden;
	struct segment *s;

	l->hidden = INT64_MAX;
	while (l->held_n > 0 && l->held[l->held_n - 1].seq >= from)
		val_drop(l->held[--l->held_n].values);
	for (s = event_log_newest(l); s != NULL; s = event_log_newest(l)) {
		segment_cut(l, s, index_after(s, from - 1));
		if (s->n > 0 || !goes_on(l, s))
			break;
		segment_drop(l, s);
	}
}

void
event_log_end(struct event_log *l)
{
	assert(l->open);
	l->open = false;
	buf_release(&l->packed);
}

int64_t
event_log_last(const struct event_log *l)
{
	struct segment *s = event_log_newest(l);

	return s == NULL || s->n == 0 ? l->next_seq - 1 : segment_entry(s, s->n - 1).seq;
}

int64_t
event_log_next(const struct event_log *l)
{
	return l->next_seq;
}

int64_t
event_log_seen(const struct event_log *l)
{
	return (l->hidden < l->next_seq ? l->hidden : l->next_seq) - 1;
}

bool
event_log_is_idle(const struct event_log *l)
{
	return !l->open && l->cursors == NULL;
}

size_t
event_log_bytes(const struct event_log *l)
{
	return l->bytes;
}

/* ---- cursors ------------------------------------------------------------------------- */

void
event_cursor_open(struct event_log *l, struct event_cursor *c)
{
	struct event_cursor **end = &l->cursors;

	while (*end != NULL)
		end = &(*end)->next;
	*end = c;
	c->log = l;
	c->next = NULL;
	c->missed = false;
	c->gone = l->gone;
	c->told = true;                      /* whoever opens it reads */
}

void
event_cursor_close(struct event_cursor *c)
{
	struct event_cursor **at = &c->log->cursors;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	if (c->log->waking == c)
		c->log->waking = c->next;
	c->log = NULL;
}

/* Most cursors stand near the end. */
static struct segment *
segment_after(const struct event_log *l, int64_t seq)
{
	struct segment *s = event_log_newest(l);

	while (s != NULL && s->link.prev != &l->segments && (s->n == 0 || s->seq > seq + 1))
		s = CONTAINER_OF(s->link.prev, struct segment, link);
	return s;
}

static struct val
held(const struct event_log *l, int64_t seq)
{
	for (size_t i = 0; i < l->held_n; i++)
		if (l->held[i].seq == seq)
			return l->held[i].values;
	return VAL_UNDEF;
}

bool
event_cursor_read(struct event_cursor *c, struct event_entry *out)
{
	struct event_log *l = c->log;

	c->missed |= l->gone > c->gone && c->after < l->gone;
	c->gone = l->gone;
	for (struct segment *s = segment_after(l, c->after); s != NULL; s = after(l, s)) {
		for (size_t i = index_after(s, c->after); i < s->n; i++) {
			*out = segment_entry(s, i);
			if (out->seq >= l->hidden) {
				c->told = false;
				return false;
			}
			c->after = out->seq;
			if (c->kinds != 0 &&
			    (c->kinds >> (unsigned char)out->fields.p[0] & 1) == 0)
				continue;
			out->values = held(l, out->seq);
			return true;
		}
	}
	c->told = false;
	return false;
}
