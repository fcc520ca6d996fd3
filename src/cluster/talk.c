/*
 * talk.c - see talk.h.
 *
 * Subjects are talk.all.KIND and talk.TAG.KIND, where TAG is a random number of the
 * process; each message begins with the TAG of its sender.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cluster/talk.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/id.h"
#include "base/limits.h"
#include "base/mem.h"

#define TALK_MARK 0x74616c6bu

static const char *const names[TALK_KINDS] = {
#define X(id, name) [TALK_##id] = name,
	TALK_MAP(X)
#undef X
};

struct talk {
	unsigned mark;
	struct bus *bus;
	struct shard *shard;
	uint64_t tag;
	bool up;                             /* as ears have been told */
	struct talk_ear ears[TALK_KINDS];
	struct wheel_timer timer;            /* of the next look, while the bus is down */
};

static void
look_all(struct talk *t)
{
	for (int i = 0; i < TALK_KINDS; i++)
		if (t->ears[i].look != NULL)
			t->ears[i].look(t->ears[i].ctx);
}

/* Not all nodes at the same instant. */
static void
look_later(struct talk *t)
{
	uint16_t some;

	id_random(&some, sizeof some);
	shard_timer_set(t->shard, &t->timer, LIMIT_TALK_LOOK_MS +
	    some % (LIMIT_TALK_LOOK_MS / 2));
}

static void
on_timer(struct wheel_timer *timer)
{
	struct talk *t = CONTAINER_OF(timer, struct talk, timer);

	look_all(t);
	look_later(t);
}

static void
on_bus(void *ctx, bool up)
{
	struct talk *t = ctx;

	CHECK_MARK(t, TALK_MARK);
	t->up = up;
	for (int i = 0; i < TALK_KINDS; i++)
		if (t->ears[i].changed != NULL)
			t->ears[i].changed(t->ears[i].ctx, up);
	if (up) {
		shard_timer_cancel(t->shard, &t->timer);
		look_all(t);
	} else {
		look_later(t);
	}
}

static void
on_message(void *ctx, const struct bus_message *m)
{
	struct talk *t = ctx;
	struct str kind = m->subject;
	uint64_t from;

	CHECK_MARK(t, TALK_MARK);
	while (str_index(kind, '.') >= 0)
		kind = str_sub(kind, (size_t)str_index(kind, '.') + 1, kind.n);
	if (m->body.n < sizeof from)
		return;
	memcpy(&from, m->body.p, sizeof from);
	if (from == t->tag)
		return;
	for (int i = 0; i < TALK_KINDS; i++)
		if (t->ears[i].heard != NULL && str_eq(kind, str_of(names[i])))
			t->ears[i].heard(t->ears[i].ctx, from,
			    str_sub(m->body, sizeof from, m->body.n));
}

struct talk *
talk_new(struct bus *bus, struct shard *s)
{
	struct talk *t = mem_new(struct talk);
	char subject[64];

	t->mark = TALK_MARK;
	t->bus = bus;
	t->shard = s;
	t->timer.fire = on_timer;
	while (t->tag == TALK_ALL)
		id_random(&t->tag, sizeof t->tag);
	look_later(t);
	if (bus == NULL)
		return t;
	snprintf(subject, sizeof subject, "talk.%016llx.*", (unsigned long long)t->tag);
	bus_listen(bus, s, S("talk.all.*"), on_message, t);
	bus_listen(bus, s, str_of(subject), on_message, t);
	bus_watch(bus, s, on_bus, t);
	return t;
}

void
talk_free(struct talk *t)
{
	if (t == NULL)
		return;
	CHECK_MARK(t, TALK_MARK);
	shard_timer_cancel(t->shard, &t->timer);
	CHECK_END(t);
	free(t);
}

void
talk_on(struct talk *t, enum talk_kind kind, const struct talk_ear *ear)
{
	CHECK_MARK(t, TALK_MARK);
	assert(shard_is_current(t->shard) && t->ears[kind].ctx == NULL);
	t->ears[kind] = *ear;
	if (ear->changed != NULL && t->up)           /* else on_bus is still to come */
		ear->changed(ear->ctx, true);
}

#define PIECES_MAX 8

int
talk_say(struct talk *t, uint64_t to, enum talk_kind kind, const struct str *pieces, size_t n)
{
	struct str all[1 + PIECES_MAX] = { { (const char *)&t->tag, sizeof t->tag } };
	char subject[64];

	CHECK_MARK(t, TALK_MARK);
	assert(n <= PIECES_MAX);
	if (t->bus == NULL)
		return ERR_CLOSED;
	if (to == TALK_ALL)
		snprintf(subject, sizeof subject, "talk.all.%s", names[kind]);
	else
		snprintf(subject, sizeof subject, "talk.%016llx.%s", (unsigned long long)to,
		    names[kind]);
	for (size_t i = 0; i < n; i++)
		all[1 + i] = pieces[i];
	return bus_send(t->bus, str_of(subject), STR_NONE, all, 1 + n);
}

bool
talk_is_up(const struct talk *t)
{
	return t->bus != NULL && bus_is_up(t->bus);
}
