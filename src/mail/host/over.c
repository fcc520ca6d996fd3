/*
 * over.c - agents whose run has ended at another node.
 *
 * A run that is parked belongs to no node: whoever is asked to cancel it takes it up and ends
 * it, and its agent may be elsewhere.  So the end is announced (announce.c), and the node that
 * has the agent looks at the store.  An announcement may be lost: when the bus is back all
 * agents look.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"
#include "mail/host/carrier_priv.h"
#include "mail/host/roster_priv.h"

#define LOOKS     64                         /* a turn: each reads a row */
#define PAUSE_MS  10

struct over {
	struct parcel parcel;
	owner_t owner;
	struct uuid id;
};

struct sweep {
	struct office *o;
	struct uuid *ids;
	size_t n, cap, at;
	struct wheel_timer timer;
};

static void
look(struct office_agent *a)
{
	if (a != NULL && a->self != NULL && a->row->kind->look != NULL)
		a->row->kind->look(a->self);
}

/* ---- one ------------------------------------------------------------------------------- */

void
office_over(struct office *o, owner_t owner, const struct uuid *id)
{
	char text[UUID_TEXT];

	if (o->all->carrier == NULL)
		return;
	uuid_format(id, text);
	buf_add_fmt(&o->news.ops, "%s{\"over\":\"%.*s\",\"owner\":%lld}",
	    o->news.ops.n > 0 ? "," : "", UUID_TEXT, text, (long long)owner);
	announce_noted(o);
}

static void
over_open(void *here, struct parcel *p)
{
	struct over *x = CONTAINER_OF(p, struct over, parcel);

	look(roster_find(here, x->owner, &x->id));
	free(x);
}

void
over_heard(struct carrier *c, owner_t owner, const struct uuid *id)
{
	struct office *o = c->first;
	struct over *x;
	struct mail_ref ref;

	if (mail_directory_id(o->all->directory, owner, id, &ref) != OK)
		return;
	if (mail_is_away(ref)) {
		over_deleted(o, owner, id);
		return;
	}
	x = mem_new(struct over);
	*x = (struct over){ .parcel.open = over_open, .owner = owner, .id = *id };
	office_mail(o, o->all->at[ref.shard], &x->parcel);
}

/* ---- those that were to be made here ------------------------------------------------------ */

void
over_deleted(struct office *o, owner_t owner, const struct uuid *id)
{
	struct carrier *c = o->all->carrier;
	struct away_agent x;

	if (c != NULL && away_by_id(c->away, id, &x) && x.node == MAIL_UNREAD)
		announce_drop(c, owner, id);
}

void
over_unread(struct carrier *c)
{
	struct away_agent *all;
	size_t n;

	if (!atomic_exchange(&c->unread, false))
		return;
	all = away_stale(c->away, MAIL_UNREAD, -1, 0, &n);
	for (size_t i = 0; i < n; i++) {
		struct arena arena = ARENA(LIMIT_STATE_BYTES);
		struct store_mailer m;
		char text[UUID_TEXT];

		uuid_format(&all[i].id, text);
		if (store_mailer_get(c->first->reader, all[i].owner,
		    (struct str){ text, UUID_TEXT }, &arena, &m) == ERR_NOTFOUND)
			over_deleted(c->first, all[i].owner, &all[i].id);
		else
			atomic_store(&c->unread, true);
		arena_release(&arena);
	}
	free(all);
}

/* ---- all --------------------------------------------------------------------------------- */

void
over_free(struct office *o)
{
	struct sweep *s = o->sweep;

	if (s == NULL)
		return;
	o->sweep = NULL;
	shard_timer_cancel(o->shard, &s->timer);
	free(s->ids);
	free(s);
}

static void
sweep_on(struct wheel_timer *t)
{
	struct sweep *s = CONTAINER_OF(t, struct sweep, timer);
	struct office *o = s->o;

	for (size_t i = 0; i < LOOKS && s->at < s->n; i++)
		look(map_get(&o->agents, &s->ids[s->at++]));
	if (s->at < s->n && !o->still)
		shard_timer_set(o->shard, t, PAUSE_MS);
	else
		over_free(o);
}

void
over_look(struct office *o)
{
	const struct office_agent *a;
	struct sweep *s;
	size_t at = 0;

	over_free(o);
	s = mem_new(struct sweep);
	*s = (struct sweep){ .o = o, .timer.fire = sweep_on };
	while ((a = map_each(&o->agents, &at)) != NULL)
		if (a->row->kind->look != NULL) {
			mem_grow(s->ids, s->n, s->cap);
			s->ids[s->n++] = a->spec.id;
		}
	o->sweep = s;
	shard_timer_set(o->shard, &s->timer, 0);
}
