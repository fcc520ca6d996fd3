/*
 * lag.c - see lag.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cluster/lag.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/id.h"
#include "base/limits.h"
#include "base/mem.h"

struct bus_lag {
	struct bus *bus;
	struct shard *shard;                 /* NULL: not begun, or ended */
	struct bus_ear *ear;
	struct wheel_timer timer;
	char subject[32];                    /* of this process alone */
	_Atomic nsec took;                   /* the last one; -1: none yet */
	_Atomic nsec sent;                   /* that is under way; 0: none is */
};

struct bus_lag *
bus_lag_new(struct bus *b)
{
	struct bus_lag *l = mem_new(struct bus_lag);
	uint64_t random;

	l->bus = b;
	atomic_init(&l->took, -1);
	id_random(&random, sizeof random);
	snprintf(l->subject, sizeof l->subject, "lag.%016llx", (unsigned long long)random);
	return l;
}

/* The body is the time when it was sent: one of before an outage is not taken for the
 * last one. */
static void
came_back(void *ctx, const struct bus_message *m)
{
	struct bus_lag *l = ctx;
	nsec sent;

	if (m->body.n != sizeof sent)
		return;
	memcpy(&sent, m->body.p, sizeof sent);
	if (sent == 0 || sent != atomic_load(&l->sent))
		return;
	atomic_store(&l->took, clock_mono() - sent);
	atomic_store(&l->sent, 0);
}

static void
ask(struct wheel_timer *t)
{
	struct bus_lag *l = CONTAINER_OF(t, struct bus_lag, timer);
	nsec now = clock_mono();
	const struct str body = { (const char *)&now, sizeof now };

	/* One that is lost is given up; until then it says how late the bus is. */
	if (atomic_load(&l->sent) == 0 ||
	    now - atomic_load(&l->sent) > LIMIT_BUS_LAG_LOST_MS * (nsec)NS_PER_MS) {
		atomic_store(&l->sent, now);
		if (bus_send(l->bus, str_of(l->subject), STR_NONE, &body, 1) != OK)
			atomic_store(&l->sent, 0);
	}
	shard_timer_set(l->shard, &l->timer, LIMIT_BUS_LAG_MS);
}

void
bus_lag_begin(struct bus_lag *l, struct shard *s)
{
	assert(l->shard == NULL && shard_is_current(s));
	l->shard = s;
	l->ear = bus_listen(l->bus, s, str_of(l->subject), came_back, l);
	l->timer.fire = ask;
	ask(&l->timer);
}

void
bus_lag_end(struct bus_lag *l)
{
	if (l->shard == NULL)
		return;
	shard_timer_cancel(l->shard, &l->timer);
	bus_stop(l->ear);
	l->shard = NULL;
}

void
bus_lag_free(struct bus_lag *l)
{
	assert(l == NULL || l->shard == NULL);
	free(l);
}

nsec
bus_lag(const struct bus_lag *l)
{
	nsec sent = atomic_load(&l->sent), took = atomic_load(&l->took);
	nsec waits = sent == 0 ? 0 : clock_mono() - sent;

	if (!bus_is_up(l->bus) || took < 0)
		return -1;
	return waits > took ? waits : took;
}
