/*
 * send.c - a message becomes letters: who sends, to whom, whether it may, and how the
 * sender learns what became of it.
 *
 * Addresses are looked up in the directory of the process.  A client's message to one agent
 * that is at home on another shard knocks there, because its client wants to hear whether
 * there was room; everything else is carried with the letters of the turn.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "mail/host/office_priv.h"

#define SOME_TARGETS 16

struct target { struct uuid id; struct mail_ref ref; };

/* A message while office_send is at work with it. */
struct sending {
	struct office *o;
	struct uuid sender;                  /* zero: a client */
	struct mail_ref from;
	struct acl m;
	char sender_text[UUID_TEXT];
	struct target *at, first[SOME_TARGETS];
	size_t n, cap;
	bool to_itself;
};

/* ---- who and to whom ----------------------------------------------------------------- */

static void
add_target(void *ctx, const struct uuid *id, struct mail_ref ref)
{
	struct sending *x = ctx;

	if (uuid_eq(id, &x->sender)) {
		x->to_itself = true;
		return;
	}
	if (x->n == x->cap) {
		struct target *more = mem_alloc(2 * x->cap * sizeof *more);

		memcpy(more, x->at, x->n * sizeof *more);
		if (x->at != x->first)
			free(x->at);
		x->at = more;
		x->cap *= 2;
	}
	x->at[x->n++] = (struct target){ *id, ref };
}

static void
sending_begin(struct sending *x, struct office *o, const struct acl *m)
{
	x->o = o;
	x->m = *m;
	x->m.created = office_now(o);
	if (uuid_is_zero(&m->message_id))
		x->m.message_id = uuid_v7();
	x->at = x->first;
	x->cap = SOME_TARGETS;
	x->n = 0;
	x->to_itself = false;
}

static void
sending_end(struct sending *x)
{
	if (x->at != x->first)
		free(x->at);
}

/* Writes who sends it. */
static int
sign(struct sending *x, const struct office_send *s, struct err *e)
{
	struct office *o = x->o;
	const struct office_agent *a;

	x->sender = s->sender;
	x->from = MAIL_NOBODY;
	if (uuid_is_zero(&s->sender)) {
		x->m.sender = s->subject;
		return OK;
	}
	a = roster_find(o, s->owner, &s->sender);
	if (a != NULL) {
		x->from = a->ref;
		x->m.sender = office_agent_address(a);
		return OK;
	}
	uuid_format(&s->sender, x->sender_text);
	x->m.sender = (struct str){ x->sender_text, UUID_TEXT };
	if (mail_directory_id(o->all->directory, s->owner, &s->sender, &x->from) != OK)
		return err_set(e, ERR_NOTFOUND, "sender: no agent %.*s", FMT(x->m.sender));
	return OK;
}

/* The receivers of m, but the sender itself. */
static int
address(struct sending *x, owner_t owner, struct err *e)
{
	for (size_t i = 0; i < x->m.receivers_n; i++) {
		struct str to = x->m.receivers[i];
		size_t before = x->n;
		int rc;

		x->to_itself = false;
		rc = mail_directory_resolve(x->o->all->directory, owner, to, add_target, x, e);
		if (rc != OK)
			return rc;
		if (x->n == before && x->to_itself)
			return err_set(e, ERR_INVALID, "receiver.%zu: '%.*s' is the sender itself",
			    i, FMT(to));
	}
	return OK;
}

/* ---- letters --------------------------------------------------------------------------- */

static int
pack(struct sending *x, struct err *e)
{
	struct buf *b = &x->o->packed;

	buf_clear(b);
	acl_pack(&x->m, b);
	if (!b->failed)
		return OK;
	b->failed = false;
	return err_set(e, ERR_TOOBIG, "the message is larger than %d bytes", LIMIT_ACL_BYTES);
}

/* The text is shared by all letters; drop it when they are sent. */
static struct post_letter
letter_of(const struct sending *x)
{
	const struct acl_delivery *d = &x->m.delivery;
	struct post_letter l = { .from = x->from, .act = x->m.act,
		.packed = buf_str(&x->o->packed), .priority = d->priority,
		.max_retries = d->max_retries, .ttl = d->ttl };

	if (d->receipt)
		l.flags |= LETTER_RECEIPT;
	if (x->m.protocol.n > 0)
		l.flags |= LETTER_TALK;
	if (l.packed.n > LETTER_INLINE)
		l.text = mail_text_new(l.packed.p, l.packed.n);
	return l;
}

static void
send_all(struct sending *x)
{
	struct post_letter l = letter_of(x);

	for (size_t i = 0; i < x->n; i++) {
		l.to = x->at[i].ref;
		post_send_later(x->o->post, &l, x->m.created);
	}
	mail_text_drop(l.text);
	office_stir(x->o);
}

/* ---- a client's, to one agent ------------------------------------------------------------ */

/* Goes to the agent's shard and comes back. */
struct knock {
	struct parcel parcel;
	struct office *from;
	struct office_send *s;
	struct post_letter l;                /* packed lies behind, unless there is a text */
	int rc;
	char packed[];
};

static void
answer(struct office_send *s, int rc)
{
	struct err e;

	if (rc == OK) {
		s->letters = 1;
		s->done(s, OK, NULL);
		return;
	}
	s->retry_after = rc == ERR_AGAIN ? LIMIT_MAIL_RETRY_MS : 0;
	err_set(&e, rc, rc == ERR_AGAIN ? "the mailbox of the receiver is full" :
	    "the receiver has stopped");
	s->done(s, rc, &e);
}

static void
answer_open(void *here, struct parcel *p)
{
	struct knock *k = CONTAINER_OF(p, struct knock, parcel);

	answer(k->s, k->rc);
	free(k);
	office_idle(here);
}

static void
knock_open(void *here, struct parcel *p)
{
	struct knock *k = CONTAINER_OF(p, struct knock, parcel);
	struct office *o = here;

	k->rc = post_send(o->post, &k->l, office_now(o));
	office_stir(o);
	mail_text_drop(k->l.text);
	p->open = answer_open;
	office_mail(o, k->from, p);
}

static void
knock(struct sending *x, struct office_send *s, struct office *home, struct post_letter l)
{
	size_t n = l.text == NULL ? l.packed.n : 0;
	struct knock *k = mem_alloc(sizeof *k + n);

	*k = (struct knock){ .parcel.open = knock_open, .from = x->o, .s = s, .l = l };
	memcpy(k->packed, l.packed.p, n);
	k->l.packed = (struct str){ k->packed, n };
	office_busy(x->o);
	office_mail(x->o, home, &k->parcel);
}

static void
send_one(struct sending *x, struct office_send *s)
{
	struct post_letter l = letter_of(x);
	struct office *home = x->o->all->at[x->at[0].ref.shard];
	int rc;

	l.to = x->at[0].ref;
	if (home != x->o) {
		knock(x, s, home, l);
		return;
	}
	rc = post_send(x->o->post, &l, x->m.created);
	mail_text_drop(l.text);
	office_stir(x->o);
	answer(s, rc);
}

/* ---- the door ----------------------------------------------------------------------------- */

static int
prepare(struct sending *x, const struct office_send *s, struct err *e)
{
	int rc;

	if (x->o->draining)
		return err_set(e, ERR_BUSY, "the server is stopping");
	rc = sign(x, s, e);
	if (rc == OK)
		rc = address(x, s->owner, e);
	if (rc == OK)
		rc = pack(x, e);
	return rc;
}

void
office_send(struct office *o, struct office_send *s)
{
	struct sending x;
	struct err e;
	int rc;

	sending_begin(&x, o, s->m);
	rc = prepare(&x, s, &e);
	s->message_id = x.m.message_id;
	s->letters = 0;
	s->retry_after = 0;
	if (rc == OK && x.n == 1 && !s->itself) {
		send_one(&x, s);
	} else if (rc == OK) {
		send_all(&x);
		s->letters = (uint32_t)x.n;
		s->done(s, OK, NULL);
	} else {
		if (s->itself && rc == ERR_NOTFOUND)
			notice_send(o, x.from, &x.m, ACL_FAILURE, "no_agent", str_of(e.text));
		s->done(s, rc, &e);
	}
	sending_end(&x);
}

/* As if the agent itself sent it: from whom, to whom, packed. */
static int
prepare_own(struct sending *x, const struct office_agent *a, struct err *e)
{
	int rc;

	x->sender = a->spec.id;
	x->from = a->ref;
	x->m.sender = office_agent_address(a);
	rc = address(x, a->spec.owner, e);
	if (rc == OK)
		rc = pack(x, e);
	return rc;
}

int
office_agent_send(struct office_agent *a, const struct acl *m, struct err *e)
{
	struct sending x;
	int rc;

	sending_begin(&x, a->o, m);
	rc = prepare_own(&x, a, e);
	if (rc == OK)
		send_all(&x);
	else if (rc == ERR_NOTFOUND)
		notice_send(a->o, x.from, &x.m, ACL_FAILURE, "no_agent", str_of(e->text));
	sending_end(&x);
	return rc;
}

/* ---- what a run commits ------------------------------------------------------------------- */

int
office_prepare(struct office *o, const struct office_agent *from, const struct acl *m,
    struct arena *a, struct store_mail *out, struct err *e)
{
	const struct acl_delivery *d = &m->delivery;
	struct sending x;
	struct uuid *to;
	int rc;

	sending_begin(&x, o, m);
	rc = prepare_own(&x, from, e);
	if (rc == OK) {
		to = arena_alloc(a, x.n * sizeof *to);
		for (size_t i = 0; to != NULL && i < x.n; i++)
			to[i] = x.at[i].id;
		*out = (struct store_mail){ .id = x.m.message_id, .sender = x.sender, .to = to,
			.to_n = x.n, .conversation = arena_str(a, x.m.conversation_id),
			.packed = arena_str(a, buf_str(&o->packed)), .created = x.m.created,
			.expires = d->ttl > 0 ? x.m.created + d->ttl : 0 };
		rc = arena_rc(a);
	}
	sending_end(&x);
	return rc;
}

/* Who has stopped since gets a letter too, which is dead at once. */
void
office_route(struct office *o, owner_t owner, const struct store_mail *m)
{
	struct mail_directory *d = o->all->directory;
	struct acl_room room;
	struct sending x;
	struct acl acl;

	if (acl_unpack(&acl, m->packed, &room, NULL) != OK)
		return;
	sending_begin(&x, o, &acl);
	x.sender = (struct uuid){ 0 };
	x.from = MAIL_NOBODY;
	(void)mail_directory_id(d, owner, &m->sender, &x.from);
	for (size_t i = 0; i < m->to_n; i++) {
		struct mail_ref ref = MAIL_NOBODY;

		(void)mail_directory_id(d, owner, &m->to[i], &ref);
		add_target(&x, &m->to[i], ref);
	}
	buf_clear(&o->packed);
	buf_add(&o->packed, m->packed);
	send_all(&x);
	sending_end(&x);
}
