/*
 * show.c - agents as they are shown: from any shard, of any shard.
 *
 * Whoever is at home elsewhere is copied there and shown here.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "base/mem.h"
#include "mail/host/office_priv.h"

struct copy {
	struct copy *next;
	struct office_shown shown;           /* its texts behind this */
};

static void
fill(const struct office_agent *a, struct office_shown *out)
{
	const struct post *p = a->o->post;

	*out = (struct office_shown){ .spec = a->spec, .state = (enum mail_state)a->state,
		.restarts = a->restarts, .created = a->created, .updated = a->updated,
		.error = a->error };
	out->waiting = (uint32_t)post_waiting(p, a->ref);
	(void)post_books_of(p, a->ref, &out->books);
}

static struct copy *
copy_of(const struct office_agent *a)
{
	struct office_shown x;
	size_t texts = spec_bytes(&a->spec);
	struct copy *c;

	fill(a, &x);
	c = mem_alloc(sizeof *c + texts + x.error.n);
	c->next = NULL;
	c->shown = x;
	spec_keep(&c->shown.spec, c + 1);
	c->shown.error.p = (char *)(c + 1) + texts;
	if (x.error.n > 0)
		memcpy((char *)(c + 1) + texts, x.error.p, x.error.n);
	return c;
}

/* ---- one ------------------------------------------------------------------------- */

struct look {
	struct parcel parcel;
	struct office *from;
	owner_t owner;
	struct uuid id;
	struct copy *found;                  /* NULL: it is gone */
	void (*shown)(void *ctx, int rc, const struct office_shown *x, const struct err *e);
	void *ctx;
};

static void
look_back(void *here, struct parcel *p)
{
	struct look *l = CONTAINER_OF(p, struct look, parcel);
	struct err e;

	if (l->found != NULL) {
		l->shown(l->ctx, OK, &l->found->shown, NULL);
	} else {
		err_set(&e, ERR_NOTFOUND, "the agent has stopped");
		l->shown(l->ctx, ERR_NOTFOUND, NULL, &e);
	}
	free(l->found);
	free(l);
	office_idle(here);
}

static void
look_open(void *here, struct parcel *p)
{
	struct look *l = CONTAINER_OF(p, struct look, parcel);
	const struct office_agent *a = roster_find(here, l->owner, &l->id);

	l->found = a != NULL ? copy_of(a) : NULL;
	p->open = look_back;
	office_mail(here, l->from, p);
}

void
office_show(struct office *o, owner_t owner, struct str id_or_name,
    void (*shown)(void *ctx, int rc, const struct office_shown *x, const struct err *e), void *ctx)
{
	struct office_shown x;
	struct office *home;
	struct look *l;
	struct uuid id;
	struct err e;
	int rc = office_find(o, owner, id_or_name, &id, &home, &e);

	if (rc != OK) {
		shown(ctx, rc, NULL, &e);
		return;
	}
	if (home == o) {
		fill(roster_find(o, owner, &id), &x);
		shown(ctx, OK, &x, NULL);
		return;
	}
	l = mem_new(struct look);
	l->parcel.open = look_open;
	l->from = o;
	l->owner = owner;
	l->id = id;
	l->shown = shown;
	l->ctx = ctx;
	office_busy(o);
	office_mail(o, home, &l->parcel);
}

/* ---- all ------------------------------------------------------------------------- */

/* Visits the shards one after another. */
struct listing {
	struct parcel parcel;
	struct office *from;
	size_t shard;                        /* the next one */
	owner_t owner;
	struct copy *first, **tail;
	void (*each)(void *ctx, const struct office_shown *x);
	void (*end)(void *ctx);
	void *ctx;
};

static void
listing_back(void *here, struct parcel *p)
{
	struct listing *l = CONTAINER_OF(p, struct listing, parcel);

	while (l->first != NULL) {
		struct copy *c = l->first;

		l->first = c->next;
		l->each(l->ctx, &c->shown);
		free(c);
	}
	l->end(l->ctx);
	free(l);
	office_idle(here);
}

static void listing_open(void *here, struct parcel *p);

static void
travel(struct listing *l, struct office *here)
{
	struct offices *os = here->all;

	while (l->shard < COUNT(os->at) && os->at[l->shard] == NULL)
		l->shard++;
	if (l->shard == COUNT(os->at)) {
		l->parcel.open = listing_back;
		office_mail(here, l->from, &l->parcel);
		return;
	}
	l->parcel.open = listing_open;
	office_mail(here, os->at[l->shard++], &l->parcel);
}

static void
listing_open(void *here, struct parcel *p)
{
	struct listing *l = CONTAINER_OF(p, struct listing, parcel);
	const struct office *o = here;
	const struct office_agent *a;
	size_t at = 0;

	while ((a = map_each(&o->agents, &at)) != NULL)
		if (a->spec.owner == l->owner) {
			*l->tail = copy_of(a);
			l->tail = &(*l->tail)->next;
		}
	travel(l, here);
}

void
office_list(struct office *o, owner_t owner, void (*each)(void *ctx, const struct office_shown *x),
    void (*end)(void *ctx), void *ctx)
{
	struct listing *l = mem_new(struct listing);

	l->from = o;
	l->owner = owner;
	l->tail = &l->first;
	l->each = each;
	l->end = end;
	l->ctx = ctx;
	office_busy(o);
	travel(l, o);
}
