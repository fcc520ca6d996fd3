/*
 * wheel.c - five rings of 64 slots: 1 ms, 64 ms, 4 s, 4.4 min, 4.7 h each.
 *
 * Where a timer lies follows from its due tick and `now` alone:
 *   level 0..3  the level of the highest group of six bits in which due and
 *               now differ; the slot is due's group there, always ahead of
 *               now's.  Due ticks that have come lie in now's own slot of
 *               level 0.
 *   level 4     everything whose bits above 24 differ: 1 to 63 slots ahead on
 *               a ring.  What lies beyond (12 days) waits in the farthest
 *               slot and is placed anew when that comes round.
 * So an advance touches the slots that now passes or enters, found in the
 * busy bits, whatever the time between; due timers leave, others move down.
 * Timers of one tick share a slot from then on in the order they were set.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/wheel.h"
#include "base/str.h"

#include <assert.h>
#include <stddef.h>

#define BITS 6
#define TOP  (WHEEL_LEVELS - 1)

_Static_assert(WHEEL_SLOTS == 1 << BITS, "a slot is a group of bits");

/* Timers that are about to fire are counted and in no slot. */
static void
check_wheel(const struct wheel *w)
{
	uint64_t busy = 0;

	assert(w->now >= 0);
	for (unsigned level = 0; level < WHEEL_LEVELS; level++)
		busy |= w->busy[level];
	assert(busy == 0 || w->count > 0);
}

/* ---- lists ----------------------------------------------------------------- */

static struct wheel_timer *
first_of(const struct list *head)
{
	return CONTAINER_OF(head->next, struct wheel_timer, in);
}

/* Stable: a's timers were set before b's. */
static void
merge(struct list *into, struct list *a, struct list *b)
{
	while (!list_empty(a) && !list_empty(b)) {
		struct list *from = first_of(b)->due < first_of(a)->due ? b : a;
		struct list *t = from->next;

		list_remove(t);
		list_append(into, t);
	}
	list_move(into, a);
	list_move(into, b);
}

static bool
is_sorted(const struct list *head)
{
	const struct list *t = head->next;

	for (; t != head && t->next != head; t = t->next)
		if (first_of(t)->due < first_of(t->prev)->due)
			return false;
	return true;
}

/* Bottom-up merge sort: run[i] holds 2^i timers or none.  Slots are collected
 * in order, so only a jump over coarse slots comes here unsorted. */
static void
sort_due(struct list *head)
{
	struct list run[32], merged;
	size_t i;

	if (is_sorted(head))
		return;
	list_init(&merged);
	for (i = 0; i < COUNT(run); i++)
		list_init(&run[i]);
	while (!list_empty(head)) {
		struct list *t = head->next;

		list_remove(t);
		list_append(&merged, t);
		for (i = 0; i < COUNT(run) - 1 && !list_empty(&run[i]); i++) {
			struct list later;

			list_init(&later);
			list_move(&later, &merged);
			merge(&merged, &run[i], &later);
		}
		list_move(&run[i], &merged);
	}
	for (i = 0; i < COUNT(run); i++) {
		struct list later;

		list_init(&later);
		list_move(&later, &merged);
		merge(&merged, &run[i], &later);
	}
	list_move(head, &merged);
}

/* ---- places ---------------------------------------------------------------- */

static void
place(struct wheel *w, struct wheel_timer *t)
{
	int64_t due = t->due > w->now ? t->due : w->now;
	uint64_t differ = (uint64_t)(due ^ w->now);
	unsigned level = 0, slot;

	if (differ >> (TOP * BITS) != 0) {
		int64_t here = w->now >> (TOP * BITS), there = due >> (TOP * BITS);

		if (there - here >= WHEEL_SLOTS)
			there = here + WHEEL_SLOTS - 1;
		level = TOP;
		slot = (unsigned)there & (WHEEL_SLOTS - 1);
	} else {
		if (differ != 0)
			level = (63 - (unsigned)__builtin_clzll(differ)) / BITS;
		slot = (unsigned)(due >> (level * BITS)) & (WHEEL_SLOTS - 1);
	}
	list_append(&w->slot[level][slot], &t->in);
	w->busy[level] |= UINT64_C(1) << slot;
}

/* After an unlink: clears the busy bit when head was a slot's and is empty. */
static void
slot_emptied(struct wheel *w, const struct list *head)
{
	uintptr_t offset = (uintptr_t)head - (uintptr_t)w->slot;
	size_t i;

	if (!list_empty(head) || offset >= sizeof w->slot)
		return;
	i = offset / sizeof *head;
	w->busy[i / WHEEL_SLOTS] &= ~(UINT64_C(1) << i % WHEEL_SLOTS);
}

/* The bits of level that an advance from then to now passes or enters. */
static uint64_t
touched(unsigned level, int64_t then, int64_t now)
{
	int64_t from = then >> (level * BITS), to = now >> (level * BITS);
	unsigned first = (unsigned)from & (WHEEL_SLOTS - 1);
	unsigned n;
	uint64_t mask;

	if (level > 0 && from == to)
		return 0;
	if (to - from >= WHEEL_SLOTS)
		return UINT64_MAX;
	n = (unsigned)(to - from) + 1;       /* with now's own slot on both sides */
	mask = n == WHEEL_SLOTS ? UINT64_MAX : (UINT64_C(1) << n) - 1;
	return first == 0 ? mask : mask << first | mask >> (WHEEL_SLOTS - first);
}

/* ---- the interface --------------------------------------------------------- */

void
wheel_init(struct wheel *w, int64_t now_ms)
{
	assert(now_ms >= 0);
	w->now = now_ms;
	w->count = 0;
	for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
		w->busy[level] = 0;
		for (unsigned i = 0; i < WHEEL_SLOTS; i++)
			list_init(&w->slot[level][i]);
	}
}

bool
wheel_armed(const struct wheel_timer *t)
{
	return list_joined(&t->in);
}

void
wheel_set(struct wheel *w, struct wheel_timer *t, int64_t due_ms)
{
	assert(t->fire != NULL);
	wheel_cancel(w, t);
	t->due = due_ms;
	w->count++;
	place(w, t);
}

void
wheel_cancel(struct wheel *w, struct wheel_timer *t)
{
	const struct list *before = t->in.prev;

	check_wheel(w);
	if (!list_joined(&t->in))
		return;
	assert(w->count > 0);
	list_remove(&t->in);
	w->count--;
	slot_emptied(w, before);
}

int64_t
wheel_next(const struct wheel *w)
{
	if (w->count == 0)
		return NEVER;
	for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
		int64_t here = w->now >> (level * BITS);
		unsigned at = (unsigned)here & (WHEEL_SLOTS - 1);
		uint64_t busy = w->busy[level];

		if (busy == 0)
			continue;
		if (at != 0)
			busy = busy >> at | busy << (WHEEL_SLOTS - at);
		here += __builtin_ctzll(busy);
		return level == 0 ? here : here << (level * BITS);
	}
	return w->now;                       /* due already, about to fire */
}

/* Unhooks what is due into due, moves the rest of the touched slots down. */
static void
collect(struct wheel *w, int64_t now_ms, struct list *due)
{
	int64_t then = w->now;
	struct list pending;

	list_init(&pending);
	w->now = now_ms;
	for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
		unsigned at = (unsigned)(then >> (level * BITS)) & (WHEEL_SLOTS - 1);
		uint64_t bits = w->busy[level] & touched(level, then, now_ms);

		w->busy[level] &= ~bits;
		for (; bits != 0; at = (at + 1) & (WHEEL_SLOTS - 1)) {
			uint64_t bit = UINT64_C(1) << at;

			if ((bits & bit) == 0)
				continue;
			bits &= ~bit;
			list_move(&pending, &w->slot[level][at]);
		}
	}
	while (!list_empty(&pending)) {
		struct wheel_timer *t = first_of(&pending);

		list_remove(&t->in);
		if (t->due <= now_ms)
			list_append(due, &t->in);
		else
			place(w, t);
	}
}

/* Thousands of timers may be due in one tick, each in memory that nothing has touched
 * since it was set.  The next one's surroundings, which it is part of, and the link of
 * the one after it are fetched while this one fires. */
#define LINE 64

static inline void
prefetch_behind(const struct list *due)
{
	const char *next = (const char *)due->next;

	__builtin_prefetch(due->next->next);
	__builtin_prefetch(next - LINE);
	__builtin_prefetch(next + LINE);
	__builtin_prefetch(next + 2 * LINE);
}

void
wheel_advance(struct wheel *w, int64_t now_ms)
{
	struct list due;

	check_wheel(w);
	if (now_ms < w->now)
		now_ms = w->now;             /* a clock that stepped back */
	if (w->count == 0) {
		w->now = now_ms;
		return;
	}
	list_init(&due);
	collect(w, now_ms, &due);
	sort_due(&due);
	while (!list_empty(&due)) {
		struct wheel_timer *t = first_of(&due);

		list_remove(&t->in);
		w->count--;
		prefetch_behind(&due);
		t->fire(t);
	}
}
