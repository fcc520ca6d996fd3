/*
 * subscribe.c - see subscribe.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/subscribe.h"

#include "base/mem.h"
#include "run/run_priv.h"

struct reader {
	struct parcel opened;
	struct runs *away;
	struct subscription *s;              /* NULL: it has left */
};

static void
opened_open(void *ctx, struct parcel *p)
{
	struct reader *r = CONTAINER_OF(p, struct reader, opened);

	(void)ctx;
	if (r->s != NULL)
		r->s->opened(r->s, 0);
}

int
subscribe(struct runs *rs, owner_t owner, const struct uuid *thread_id,
    struct subscription *s)
{
	struct reader *r = mem_new(struct reader);

	(void)owner;
	(void)thread_id;
	r->away = rs;
	r->s = s;
	r->opened.open = opened_open;
	s->link = r;
	runs_send(rs, rs, &r->opened);
	return OK;
}

void
unsubscribe(struct subscription *s)
{
	s->link->s = NULL;
}

void
subscription_ready(struct subscription *s)
{
	(void)s;
}

struct position {
	struct parcel parcel;
	void (*told)(void *ctx, int64_t seq);
	void *ctx;
};

static void
position_open(void *ctx, struct parcel *p)
{
	struct position *x = CONTAINER_OF(p, struct position, parcel);

	(void)ctx;
	x->told(x->ctx, 0);
	free(x);
}

void
thread_position(struct runs *rs, owner_t owner, const struct uuid *thread_id,
    void (*told)(void *ctx, int64_t seq), void *ctx)
{
	struct position *x = mem_new(struct position);

	(void)owner;
	(void)thread_id;
	x->told = told;
	x->ctx = ctx;
	x->parcel.open = position_open;
	runs_send(rs, rs, &x->parcel);
}
