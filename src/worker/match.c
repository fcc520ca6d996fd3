/*
 * match.c - which offer goes to which session.
 *
 * Offers wait per service and, within it, per owner; owners take turns, so that one who has
 * queued thousands does not keep the others waiting.  Within an owner's lane (there is one
 * for each kind of place, so that no poll walks offers it has no place for) they are first
 * in, first out, except those that wait for a particular build or worker.
 *
 * Which session may have an offer:
 *   pinned to a build     one of that build, while one lives; then any
 *   newest                one of the newest build that lives
 *   otherwise             for a while one of the newest build, then any
 * and among those, for the same while, the worker that it prefers, if it is one of them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "worker/worker_priv.h"

enum worker_slot
slot_of(enum worker_kind k)
{
	return k == WORKER_RUN ? WORKER_SLOT_RUN : WORKER_SLOT_NODE;
}

/* ---- who may have it ------------------------------------------------------------- */

struct worker_build *
newest_build(const struct worker_service *sv, nsec now)
{
	for (struct list *l = sv->builds.next; l != &sv->builds; l = l->next) {
		struct worker_build *b = CONTAINER_OF(l, struct worker_build, in_service);

		if (build_lives(b, now))
			return b;
	}
	return NULL;
}

/* The row of the worker that o prefers; NULL: it is not there. */
static const struct worker_row *
preferred_row(struct workers *ws, const struct worker_offer *o)
{
	struct worker_session *s;
	struct uuid id;

	if (!uuid_parse(o->prefer, &id))
		return NULL;
	s = session_find(ws, &id);
	if (s == NULL)
		s = away_copy(ws, &id, &o->service->key);
	if (s == NULL || !session_counts(s))
		return NULL;
	for (size_t i = 0; i < s->rows_n; i++)
		if (s->rows[i].service == o->service)
			return &s->rows[i];
	return NULL;
}

const struct worker_build *
offer_build(const struct worker_offer *o, const struct worker_build *newest, nsec now)
{
	if (o->pin != NULL && build_lives(o->pin, now))
		return o->pin;
	return o->newest || now < o->patient ? newest : NULL;
}

static bool
may_have(struct workers *ws, const struct worker_offer *o, const struct worker_row *r,
    const struct worker_build *newest, nsec now)
{
	const struct worker_build *build = offer_build(o, newest, now);
	const struct worker_row *preferred;

	if (build != NULL && r->build != build)
		return false;
	if (now >= o->patient || o->prefer.n == 0)
		return true;
	preferred = preferred_row(ws, o);
	return preferred == NULL || preferred == r ||
	    (build != NULL && preferred->build != build);
}

/* ---- queues ------------------------------------------------------------------------ */

void
offer_queue(struct workers *ws, struct worker_offer *o, bool first)
{
	struct lane_key key = { o->service, o->owner, o->pin, o->newest,
	    slot_of(o->kind) };
	struct worker_lane *lane = map_get(&ws->lanes, &key);

	assert(o->state != WORKER_QUEUED);
	if (lane == NULL) {
		lane = mem_new(struct worker_lane);
		lane->key = key;
		list_init(&lane->offers);
		list_append(&o->service->lanes, &lane->in_service);
		map_put(&ws->lanes, lane);
	}
	(first ? list_prepend : list_append)(&lane->offers, &o->in_lane);
	o->lane = lane;
	o->state = WORKER_QUEUED;
	o->service->offers_n++;
	ws->offers_n++;
}

void
offer_unqueue(struct workers *ws, struct worker_offer *o)
{
	struct worker_lane *lane = o->lane;

	assert(o->state == WORKER_QUEUED && o->service->offers_n > 0);
	list_remove(&o->in_lane);
	o->lane = NULL;
	o->service->offers_n--;
	ws->offers_n--;
	list_remove(&lane->in_service);
	if (!list_empty(&lane->offers)) {
		list_append(&lane->key.service->lanes, &lane->in_service);
		return;
	}
	map_take(&ws->lanes, &lane->key);
	free(lane);
}

/* May the row have no offer of the lane? */
static bool
is_barred(const struct lane_key *k, const struct worker_row *r,
    const struct worker_build *newest, nsec now)
{
	const struct worker_build *build = k->pin != NULL && build_lives(k->pin, now) ? k->pin :
	    k->newest ? newest : NULL;

	return build != NULL && build != r->build;
}

/* The next offer for this row, owners in turn; NULL: none. */
static struct worker_offer *
next_offer(struct workers *ws, const struct worker_row *r, enum worker_slot slot, nsec now)
{
	const struct worker_service *sv = r->service;
	const struct worker_build *newest = newest_build(sv, now);

	for (struct list *l = sv->lanes.next; l != &sv->lanes; l = l->next) {
		struct worker_lane *lane = CONTAINER_OF(l, struct worker_lane, in_service);

		if (lane->key.slot != slot || is_barred(&lane->key, r, newest, now))
			continue;
		for (struct list *k = lane->offers.next; k != &lane->offers; k = k->next) {
			struct worker_offer *o = CONTAINER_OF(k, struct worker_offer, in_lane);

			if (may_have(ws, o, r, newest, now))
				return o;
		}
	}
	return NULL;
}

/* ---- matching ------------------------------------------------------------------------ */

static bool
row_ready(const struct worker_row *r, enum worker_slot slot)
{
	const struct worker_session *s = r->session;

	return s->poll != NULL && session_counts(s) && s->flight[slot] < s->free[slot];
}

/* The rows of s are in the ready lists or not. */
static void
session_ready(struct worker_session *s)
{
	for (size_t i = 0; i < s->rows_n; i++) {
		struct worker_row *r = &s->rows[i];

		for (unsigned k = 0; k < WORKER_SLOTS; k++) {
			bool ready = row_ready(r, k), is = list_joined(&r->ready[k]);

			if (ready && !is)
				list_append(&r->service->ready[k], &r->ready[k]);
			else if (!ready && is)
				list_remove(&r->ready[k]);
		}
	}
}

static void
match(struct worker_desk *d, struct worker_offer *o, struct worker_row *r)
{
	struct worker_session *s = r->session;
	enum worker_slot slot = slot_of(o->kind);

	assert(o->session == NULL && row_ready(r, slot));
	offer_unqueue(d->workers, o);
	o->state = WORKER_MATCHED;
	o->session = s;
	session_hold(s);
	list_append(&s->leases, &o->in_session);
	s->flight[slot]++;
	lease_tell_begin(d, o);
}

void
offer_match(struct worker_desk *d, struct worker_offer *o)
{
	enum worker_slot slot = slot_of(o->kind);
	struct list *ready = &o->service->ready[slot];
	nsec now = shard_now(d->shard);
	const struct worker_build *newest = newest_build(o->service, now);

	for (struct list *l = ready->next; l != ready; l = l->next) {
		struct worker_row *r = CONTAINER_OF(l - slot, struct worker_row, ready[0]);

		if (!may_have(d->workers, o, r, newest, now))
			continue;
		/* The next one goes to another worker. */
		list_remove(l);
		list_append(ready, l);
		match(d, o, r);
		session_ready(r->session);
		return;
	}
}

void
session_serve(struct worker_desk *d, struct worker_session *s)
{
	nsec now = shard_now(d->shard);
	size_t idle = 0;                     /* rows in a row that had nothing */

	while (idle < s->rows_n) {
		struct worker_row *r = &s->rows[s->turn++ % s->rows_n];
		bool found = false;

		for (unsigned k = 0; k < WORKER_SLOTS; k++) {
			struct worker_offer *o = row_ready(r, k) ?
			    next_offer(d->workers, r, k, now) : NULL;

			if (o != NULL)
				match(d, o, r);
			found = found || o != NULL;
		}
		idle = found ? 0 : idle + 1;
	}
	session_ready(s);
}

void
service_settle(struct worker_desk *d, struct worker_service *sv)
{
	for (unsigned k = 0; sv->offers_n > 0 && k < WORKER_SLOTS; k++) {
		struct list *l = sv->ready[k].next;

		while (l != &sv->ready[k]) {
			struct worker_row *r = CONTAINER_OF(l - k, struct worker_row, ready[0]);
			struct worker_offer *o = next_offer(d->workers, r, k,
			    shard_now(d->shard));

			l = l->next;
			if (o == NULL)
				continue;
			match(d, o, r);
			session_ready(r->session);
			l = sv->ready[k].next;
		}
	}
}
