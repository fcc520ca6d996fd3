/*
 * letters.c - letters that the store has: those that wait after a start, those that come from
 * other nodes, dead ones that are to be delivered again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"
#include "mail/host/carrier_priv.h"
#include "mail/host/send_priv.h"

/* ---- after a start ------------------------------------------------------------------------- */

static void
take_text(struct sending *x, const struct store_letter *s)
{
	if (s->expires > 0)
		x->m.delivery.ttl = s->expires > x->m.created ? s->expires - x->m.created : 1;
	buf_clear(&x->o->packed);
	buf_add(&x->o->packed, s->packed);
	x->row = s->number;
}

/* A letter of the store goes into its mailbox, wherever that is; into none: it is dead. */
static void
send_stored(struct office *o, const struct store_letter *s, struct mail_ref to)
{
	struct acl_room room;
	struct sending x;
	struct acl m;

	if (acl_unpack(&m, s->packed, &room, NULL) != OK)
		return;
	sending_begin(&x, o, &m);
	(void)mail_directory_id(o->all->directory, s->owner, &s->sender, &x.from);
	sending_target(&x, &s->to, to);
	take_text(&x, s);
	sending_go(&x);
	sending_end(&x);
}

/* The conversation is known here from now on, as if it was said here. */
static void
overhear(struct sending *x, const struct store_letter *s)
{
	int answer;

	(void)converse(x->o, s->owner, &x->m, &s->sender, x->at, 1, &x->seen, &answer, NULL);
}

void
letter_arrives(struct office *o, const struct store_letter *s, struct mail_ref to,
    enum mail_dead_reason why)
{
	struct post_letter l;
	struct acl_room room;
	struct sending x;
	struct acl m;

	if (acl_unpack(&m, s->packed, &room, NULL) != OK)
		return;
	sending_begin(&x, o, &m);
	(void)mail_directory_id(o->all->directory, s->owner, &s->sender, &x.from);
	sending_target(&x, &s->to, to);
	overhear(&x, s);
	take_text(&x, s);
	l = sending_letter(&x);
	l.to = to;
	l.row = s->number;
	if (!m.delivery.durable)
		l.flags |= LETTER_CAME;
	if (!system_has(o, to) && post_agent(o->post, to) != NULL)
		carrier_paid(post_agent(o->post, to), s->number);
	post_arrive(o->post, &l, why, x.m.created);
	mail_text_drop(l.text);
	office_stir(o);
	sending_end(&x);
}

struct mail_ref
letter_place(struct office *o, const struct store_letter *s)
{
	struct mail_directory *d = o->all->directory;
	struct mail_ref from = MAIL_NOBODY;
	struct target to = { .ref = MAIL_NOBODY };

	(void)mail_directory_id(d, s->owner, &s->sender, &from);
	if (!system_by_id(o, &s->to, from, &to))
		(void)mail_directory_id(d, s->owner, &s->to, &to.ref);
	return to.ref;
}

int
letters_count(struct office *o, struct err *e)
{
	int64_t last = 0;
	int rc = shard_id(o->shard) == 0 ? store_letters_last(o->reader, &last) : OK;

	if (rc != OK)
		return err_set(e, rc, "the letters that wait cannot be read");
	if (shard_id(o->shard) == 0)
		atomic_store_explicit(&o->all->stored, last, memory_order_relaxed);
	return OK;
}

/* Letters for agents that are at home here, and on the first shard those for nobody.  Those that
 * were sent since the start have been posted: agents of other shards may be at work. */
static void
resume(void *ctx, const struct store_letter *s)
{
	struct office *o = ctx;
	struct mail_ref to = letter_place(o, s);

	if (to.shard == shard_id(o->shard) &&
	    s->number <= atomic_load_explicit(&o->all->stored, memory_order_relaxed))
		send_stored(o, s, to);
}

int
office_resume(struct office *o, struct err *e)
{
	int rc = store_letters_each(o->reader, resume, o);

	return rc == OK ? OK : err_set(e, rc, "the letters that wait cannot be read");
}

/* ---- dead letters --------------------------------------------------------------------------- */

struct reviving {
	struct office *o;
	owner_t owner;
	void (*done)(void *ctx, int rc, size_t letters, const struct err *e);
	void *ctx;
};

/* A dead letter waits again; where it died its books are other shards' than this one's, so it
 * counts as sent again. */
static void
revived(void *ctx, int rc, const struct store_letter *letters, size_t n, const struct err *e)
{
	struct reviving *r = ctx;
	struct office *o = r->o;

	/* Each node looks: one of them has the agent. */
	if (o->all->carrier != NULL) {
		carrier_wake(o, 0);
		carrier_look(o);
	}
	for (size_t i = 0; o->all->carrier == NULL && letters != NULL && i < n; i++)
		send_stored(o, &letters[i], letter_place(o, &letters[i]));
	r->done(r->ctx, rc, n, e);
	free(r);
	office_idle(o);
}

void
office_dead(struct office *o, owner_t owner, const struct uuid *message_id, bool drop,
    void (*done)(void *ctx, int rc, size_t letters, const struct err *e), void *ctx)
{
	struct reviving *r = mem_new(struct reviving);

	*r = (struct reviving){ o, owner, done, ctx };
	office_busy(o);
	durable_dead(o->durable, owner, message_id, drop, revived, r);
}
