/*
 * event_batch.c - a log's events on their way to the store and back: some of one run in
 * one text, each with its number, first frame's id and time as differences to the
 * event before, then its fields.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/limits.h"
#include "run/event_log_priv.h"

/* Where the segment begins from which events are to be given out; NULL: none. */
static struct segment *
unhanded(const struct event_log *l, const struct segment *newest)
{
	struct segment *s = NULL;

	for (struct list *at = l->segments.prev; at != &l->segments; at = at->prev) {
		struct segment *one = CONTAINER_OF(at, struct segment, link);

		if (!uuid_eq(&one->run_id, &newest->run_id))
			break;
		if (one->n > 0 && segment_entry(one, one->n - 1).seq > l->handed)
			s = one;
	}
	return s;
}

static void
put(struct buf *out, const struct event_entry *v, struct event_entry *before)
{
	event_put_number(out, v->seq - before->seq);
	event_put_number(out, v->id - before->id);
	event_put_number(out, v->now - before->now);
	event_put_number(out, (int64_t)v->fields.n);
	buf_add(out, v->fields);
	*before = *v;
}

static bool
take(struct event_log *l, struct buf *out, int64_t *first, int64_t *last, bool all)
{
	const struct segment *newest = event_log_newest(l);
	struct segment *s = newest == NULL ? NULL : unhanded(l, newest);
	struct event_entry before = { 0 };
	size_t from = out->n;

	*first = -1;
	while (s != NULL) {
		for (size_t i = 0; i < s->n; i++) {
			struct event_entry v = segment_entry(s, i);

			if (v.seq <= l->handed)
				continue;
			if (v.seq >= l->hidden && !all)
				return *first >= 0;
			if (!all && *first >= 0 && out->n - from + v.fields.n > LIMIT_LOG_BATCH_BYTES)
				return true;
			if (*first < 0)
				*first = v.seq;
			*last = l->handed = v.seq;
			put(out, &v, &before);
		}
		s = s == newest ? NULL : CONTAINER_OF(s->link.next, struct segment, link);
	}
	return *first >= 0;
}

bool
event_log_take(struct event_log *l, struct buf *out, int64_t *first, int64_t *last)
{
	return take(l, out, first, last, false);
}

bool
event_log_take_all(struct event_log *l, struct buf *out, int64_t *first, int64_t *last)
{
	return take(l, out, first, last, true);
}

size_t
event_log_fresh(const struct event_log *l)
{
	const struct segment *newest = event_log_newest(l);
	const struct segment *s = newest == NULL ? NULL : unhanded(l, newest);
	size_t n = 0;

	while (s != NULL) {
		n += s->bytes.n;
		s = s == newest ? NULL : CONTAINER_OF(s->link.next, struct segment, link);
	}
	return n;
}

static bool
get(struct str *rest, struct event_entry *v)
{
	int64_t seq, id, now, n;

	if (!event_get_number(rest, &seq) || !event_get_number(rest, &id) ||
	    !event_get_number(rest, &now) || !event_get_number(rest, &n) || n < 1 ||
	    (uint64_t)n > rest->n || __builtin_add_overflow(v->seq, seq, &v->seq) ||
	    __builtin_add_overflow(v->id, id, &v->id) ||
	    __builtin_add_overflow(v->now, now, &v->now) || v->seq < 0)
		return false;
	v->fields = str_sub(*rest, 0, (size_t)n);
	*rest = str_sub(*rest, (size_t)n, rest->n);
	return true;
}

int
event_log_load(struct event_log *l, const struct uuid *run_id, struct str batch)
{
	struct segment *s = event_log_newest(l);
	struct event_entry v = { 0 };

	assert(!l->open);
	if (s == NULL || !uuid_eq(&s->run_id, run_id)) {
		s = segment_new(run_id);
		list_append(&l->segments, &s->link);
	}
	while (batch.n > 0) {
		if (!get(&batch, &v) || v.seq <= event_log_last(l))
			return ERR_SYNTAX;
		if (!segment_has_room(s, v.seq, v.id, v.now)) {
			s = segment_new(run_id);
			list_append(&l->segments, &s->link);
		}
		segment_add(l, s, &v);
		if (v.seq >= l->next_seq)
			l->next_seq = v.seq + 1;
		l->handed = l->next_seq - 1;
	}
	return OK;
}
