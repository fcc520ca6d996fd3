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

#include "base/account.h"
#include "base/mem.h"
#include "mail/host/converse.h"
#include "mail/host/carrier_priv.h"
#include "mail/host/send_priv.h"
#include "store/node.h"

/* ---- who and to whom ----------------------------------------------------------------- */

void
sending_target(void *ctx, const struct uuid *id, struct mail_ref ref)
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

void
sending_begin(struct sending *x, struct office *o, const struct acl *m)
{
	x->o = o;
	x->sender = (struct uuid){ 0 };
	x->from = MAIL_NOBODY;
	x->m = *m;
	x->m.created = office_now(o);
	if (uuid_is_zero(&m->message_id))
		x->m.message_id = uuid_v7();
	x->at = x->first;
	x->cap = SOME_TARGETS;
	x->n = 0;
	x->to_itself = false;
	x->row = 0;
	x->seen = NULL;
	x->name = BUF(LIMIT_ACL_PARAM_BYTES);
}

void
sending_end(struct sending *x)
{
	if (x->at != x->first)
		free(x->at);
	free(x->seen);
	buf_release(&x->name);
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
	/* At home on another shard it has the same address. */
	mail_directory_name(o->all->directory, s->owner, &s->sender, &x->name);
	if (x->name.n > 0)
		x->m.sender = buf_str(&x->name);
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
		struct target own;
		int rc;

		if (system_find(x->o, to, x->from, &own)) {
			sending_target(x, &own.id, own.ref);
			continue;
		}
		x->to_itself = false;
		rc = mail_directory_resolve(x->o->all->directory, owner, to, sending_target, x, e);
		if (rc == ERR_NOTFOUND && carrier_learn(x->o, owner, to))
			rc = mail_directory_resolve(x->o->all->directory, owner, to, sending_target,
			    x, e);
		if (rc != OK)
			return rc;
		if (x->n == before && x->to_itself)
			return err_set(e, ERR_INVALID, "receiver.%zu: '%.*s' is the sender itself",
			    i, FMT(to));
	}
	return OK;
}

/* A late answer is answered in the initiator's place: `late` is true, and nothing is sent. */
static int
check_talk(struct sending *x, owner_t owner, bool *late, struct err *e)
{
	int answer, rc = converse(x->o, owner, &x->m, &x->sender, x->at, x->n, &x->seen,
	    &answer, e);

	*late = rc == ERR_TIMEOUT && answer >= 0 && !mail_ref_eq(x->from, MAIL_NOBODY);
	if (*late)
		notice_send(x->o, x->from, &x->m, (enum acl_act)answer, "late", str_of(e->text));
	return rc;
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
struct post_letter
sending_letter(const struct sending *x)
{
	const struct acl_delivery *d = &x->m.delivery;
	struct post_letter l = { .from = x->from, .act = x->m.act,
		.packed = buf_str(&x->o->packed), .priority = d->priority,
		.max_retries = d->max_retries, .ttl = d->ttl };

	if (d->receipt)
		l.flags |= LETTER_RECEIPT;
	if (x->row > 0)
		l.flags |= LETTER_DURABLE;
	if (x->m.protocol.n > 0)
		l.flags |= LETTER_TALK;
	if (l.packed.n > LETTER_INLINE)
		l.text = mail_text_new(l.packed.p, l.packed.n);
	return l;
}

/* A letter of x; l is the same for all, but to whom and its row. */
static void
go_one(struct sending *x, struct post_letter *l, struct mail_ref to, int64_t row)
{
	l->to = to;
	l->row = row;
	if (carrier_pass(x->o, to, row))
		post_left(x->o->post, 1);
	else
		post_send_later(x->o->post, l, x->m.created);
}

void
sending_go(struct sending *x)
{
	struct post_letter l = sending_letter(x);

	for (size_t i = 0; i < x->n; i++)
		go_one(x, &l, x->at[i].ref, x->row > 0 ? x->row + (int64_t)i : 0);
	mail_text_drop(l.text);
	office_stir(x->o);
}

/* ---- durable ------------------------------------------------------------------------------ */

static bool
is_away(const struct sending *x)
{
	for (size_t i = 0; i < x->n; i++)
		if (mail_is_away(x->at[i].ref))
			return true;
	return false;
}

/* NULL: all are here. */
static const int64_t *
nodes_of(const struct sending *x, struct arena *a)
{
	int64_t us = store_node(x->o->all->store), *nodes;

	if (!is_away(x))
		return NULL;
	nodes = arena_alloc(a, x->n * sizeof *nodes);
	for (size_t i = 0; nodes != NULL && i < x->n; i++)
		nodes[i] = mail_is_away(x->at[i].ref) ? carrier_node(x->o, x->at[i].ref) : us;
	return nodes;
}

/* What the store keeps of it; texts are borrowed from x, ids lie in the arena. */
static struct store_mail
mail_of(const struct sending *x, struct arena *a)
{
	const struct acl_delivery *d = &x->m.delivery;
	struct uuid *to = arena_alloc(a, x->n * sizeof *to);

	for (size_t i = 0; to != NULL && i < x->n; i++)
		to[i] = x->at[i].id;
	return (struct store_mail){ .id = x->m.message_id, .sender = x->sender, .to = to,
		.to_n = x->n, .nodes = nodes_of(x, a), .conversation = x->m.conversation_id,
		.packed = buf_str(&x->o->packed), .created = x->m.created,
		.expires = d->ttl > 0 ? x->m.created + d->ttl : 0 };
}

struct keeping { struct office *o; owner_t owner; struct office_send *s; };

static void
kept_read(void *ctx)
{
	struct keeping *k = ctx;
	struct office *o = k->o;

	k->s->done(k->s, OK, NULL);
	free(k);
	office_idle(o);
}

/* Of another node's receivers. */
static int64_t
node_of_first(const struct office *o, const struct store_mail *m)
{
	int64_t us = store_node(o->all->store);

	for (size_t i = 0; i < m->to_n; i++)
		if (m->nodes[i] != us)
			return m->nodes[i];
	return 0;
}

static void
kept(void *ctx, int rc, const struct store_mail *m, const struct err *e)
{
	struct keeping *k = ctx;
	struct office *o = k->o;

	if (rc == OK && !m->known)
		office_route(o, k->owner, m);
	if (k->s != NULL && rc == OK && m->nodes != NULL && !m->known) {
		carrier_await(o, node_of_first(o, m), kept_read, k);
		return;
	}
	if (k->s != NULL) {
		if (rc != OK)
			k->s->letters = 0;
		k->s->done(k->s, rc, rc == OK ? NULL : e);
	}
	free(k);
	office_idle(o);
}

/* s NULL: a chart sends, and is not told. */
static void
keep(struct sending *x, owner_t owner, struct office_send *s)
{
	struct arena a = ARENA(x->n * (sizeof(struct uuid) + sizeof(int64_t)) + KB);
	struct store_mail m = mail_of(x, &a);
	struct keeping *k = mem_new(struct keeping);

	k->o = x->o;
	k->owner = owner;
	k->s = s;
	office_busy(x->o);
	durable_put(x->o->durable, owner, &m, kept, k);
	arena_release(&a);
}

/* Of a message that is not durable, those of other nodes are rows all the same: first, then
 * x has the others. */
static void
keep_away(struct sending *x, owner_t owner, struct office_send *s)
{
	struct target *at = x->at, *all = mem_alloc(x->n * sizeof *all);
	size_t away = 0, here = 0, n = x->n;

	memcpy(all, at, n * sizeof *all);
	for (size_t i = 0; i < n; i++)
		if (mail_is_away(all[i].ref))
			at[away++] = all[i];
	x->n = away;
	keep(x, owner, s);
	for (size_t i = 0; i < n; i++)
		if (!mail_is_away(all[i].ref))
			at[here++] = all[i];
	x->n = here;
	free(all);
}

/* What is written before it is on its way, and what is not.  True: the answer comes later. */
static bool
send_out(struct sending *x, owner_t owner, struct office_send *s)
{
	bool away = is_away(x);

	if (x->m.delivery.durable) {
		keep(x, owner, s);
		return true;
	}
	if (away)
		keep_away(x, owner, s);
	sending_go(x);
	return away;
}

/* ---- a client's, to one agent ------------------------------------------------------------ */

/* Is answered where the agent is at home: the mailbox may be full.  Comes back when it was on
 * another shard. */
struct knock {
	struct parcel parcel;
	struct office *from;
	struct office_send *s;
	owner_t owner;
	struct post_letter l;                /* packed lies behind, unless there is a text */
	struct store_mail mail;              /* a durable one; to_n 0: it is none */
	struct uuid to;
	struct talks_seen *seen;
	int rc;
	struct err err;
	char packed[];
};

static struct str
knock_text(const struct knock *k)
{
	return k->l.text != NULL ? (struct str){ (const char *)k->l.text->bytes, k->l.text->n } :
	    k->l.packed;
}

static void
knock_back(void *here, struct parcel *p)
{
	struct knock *k = CONTAINER_OF(p, struct knock, parcel);
	struct office_send *s = k->s;
	struct acl_room room;
	struct acl m;

	if (k->rc != OK && k->seen != NULL && acl_unpack(&m, knock_text(k), &room, NULL) == OK)
		converse_undo(here, k->owner, &m, k->seen, 1);
	s->letters = k->rc == OK;
	s->retry_after = k->rc == ERR_AGAIN ? LIMIT_MAIL_RETRY_MS : 0;
	s->done(s, k->rc, k->rc == OK ? NULL : &k->err);
	mail_text_drop(k->l.text);
	free(k->seen);
	free(k);
	office_idle(here);
}

static void
knock_answer(struct office *here, struct knock *k, int rc, const char *words)
{
	k->rc = rc;
	if (rc != OK)
		err_set(&k->err, rc, "%s", words);
	k->parcel.open = knock_back;
	if (k->from == here)
		knock_back(here, &k->parcel);
	else
		office_mail(here, k->from, &k->parcel);
}

static void
knock_kept(void *ctx, int rc, const struct store_mail *m, const struct err *e)
{
	struct knock *k = ctx;
	struct office *home = k->from->all->at[k->l.to.shard];

	if (rc == OK && !m->known)
		office_route(home, k->owner, m);
	knock_answer(home, k, rc, rc == OK ? "" : e->text);
	office_idle(home);
}

static void
knock_open(void *here, struct parcel *p)
{
	struct knock *k = CONTAINER_OF(p, struct knock, parcel);
	struct office *o = here;
	int rc = OK;

	if (k->mail.to_n == 0)
		rc = post_send(o->post, &k->l, office_now(o));
	else if (post_agent(o->post, k->l.to) == NULL)
		rc = ERR_NOTFOUND;
	else if (roster_is_full(o, k->l.to))
		rc = ERR_AGAIN;
	if (rc == OK && k->mail.to_n > 0) {
		office_busy(o);
		durable_put(o->durable, k->owner, &k->mail, knock_kept, k);
		return;
	}
	office_stir(o);
	knock_answer(o, k, rc, rc == ERR_AGAIN ? "the mailbox of the receiver is full" :
	    "the receiver has stopped");
}

/* A durable one is kept by the agent's shard. */
static void
knock_mail(struct knock *k, struct sending *x)
{
	struct arena a = ARENA(KB);
	struct acl_room room;
	struct acl m;

	k->mail = mail_of(x, &a);            /* which is here: it has no nodes */
	k->mail.to = &k->to;
	k->mail.packed = knock_text(k);
	if (acl_unpack(&m, k->mail.packed, &room, NULL) == OK)
		k->mail.conversation = m.conversation_id;
	arena_release(&a);
}

static void
send_one(struct sending *x, struct office_send *s)
{
	struct post_letter l = sending_letter(x);
	struct office *home = x->o->all->at[x->at[0].ref.shard];
	size_t n = l.text == NULL ? l.packed.n : 0;
	struct knock *k = mem_alloc(sizeof *k + n);

	l.to = x->at[0].ref;
	*k = (struct knock){ .parcel.open = knock_open, .from = x->o, .s = s, .owner = s->owner,
		.l = l, .to = x->at[0].id, .seen = x->seen };
	memcpy(k->packed, l.packed.p, n);
	k->l.packed = (struct str){ k->packed, n };
	if (x->m.delivery.durable)
		knock_mail(k, x);
	x->seen = NULL;
	office_busy(x->o);
	if (home == x->o)
		knock_open(home, &k->parcel);
	else
		office_mail(x->o, home, &k->parcel);
}

/* ---- the door ----------------------------------------------------------------------------- */

static int
prepare(struct sending *x, const struct office_send *s, bool *late, struct err *e)
{
	int rc;

	*late = false;

	if (x->o->draining)
		return err_set(e, ERR_BUSY, "the server is stopping");
	rc = sign(x, s, e);
	if (rc == OK)
		rc = address(x, s->owner, e);
	if (rc == OK)
		rc = pack(x, e);
	if (rc == OK)
		rc = check_talk(x, s->owner, late, e);
	return rc;
}

/* A client is told to come again when all mailboxes together hold what they may. */
static int
check_room(const struct office_send *s, bool *late, struct err *e)
{
	*late = false;
	if (s->itself || account_room(&account_mail) > 0)
		return OK;
	return err_set(e, ERR_AGAIN, "as many messages wait as the server can hold");
}

/* A client's to one agent of another node. */
static int
check_away(const struct sending *x, const struct office_send *s, struct err *e)
{
	if (s->itself || x->n != 1 || !mail_is_away(x->at[0].ref))
		return OK;
	return carrier_admits(x->o, x->at[0].ref, e);
}

void
office_send(struct office *o, struct office_send *s)
{
	struct sending x;
	struct err e;
	bool late;
	int rc;

	sending_begin(&x, o, s->m);
	rc = check_room(s, &late, &e);
	if (rc == OK)
		rc = prepare(&x, s, &late, &e);
	s->message_id = x.m.message_id;
	s->letters = 0;
	if (rc == OK) {
		rc = check_away(&x, s, &e);
		if (rc != OK)
			converse_undo(o, s->owner, &x.m, x.seen, 1);
	}
	s->retry_after = rc == ERR_AGAIN ? LIMIT_MAIL_RETRY_MS : 0;
	if (rc == OK && x.n == 1 && !s->itself && !is_away(&x)) {
		send_one(&x, s);
	} else if (rc == OK) {
		s->letters = (uint32_t)x.n;
		if (!send_out(&x, s->owner, s))
			s->done(s, OK, NULL);
	} else if (late) {
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
	bool late;
	int rc;

	x->sender = a->spec.id;
	x->from = a->ref;
	x->m.sender = office_agent_address(a);
	rc = address(x, a->spec.owner, e);
	if (rc == OK)
		rc = pack(x, e);
	if (rc == OK)
		rc = check_talk(x, a->spec.owner, &late, e);
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
		(void)send_out(&x, a->spec.owner, NULL);
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
	struct sending x;
	int rc;

	sending_begin(&x, o, m);
	rc = prepare_own(&x, from, e);
	if (rc == OK) {
		*out = mail_of(&x, a);
		out->packed = arena_str(a, out->packed);
		out->conversation = arena_str(a, out->conversation);
		rc = arena_rc(a);
	}
	sending_end(&x);
	return rc;
}

/* The ith letter of a message that is written.  One that was written for another node, or
 * whose agent has gone since, is read by whoever has the agent now. */
static void
route_one(struct sending *x, struct post_letter *l, owner_t owner, const struct store_mail *m,
    size_t i)
{
	struct office *o = x->o;
	int64_t us = store_node(o->all->store), row = m->first > 0 ? m->first + (int64_t)i : 0;
	bool ours = m->nodes == NULL || m->nodes[i] == us;
	struct target to = { .id = m->to[i], .ref = MAIL_NOBODY };

	if (ours && !system_by_id(o, &m->to[i], x->from, &to))
		(void)mail_directory_id(o->all->directory, owner, &to.id, &to.ref);
	if (!ours) {
		post_left(o->post, 1);
		carrier_wake(o, m->nodes[i]);
	} else if (row > 0 && o->all->carrier != NULL &&
	    (mail_is_away(to.ref) || mail_ref_eq(to.ref, MAIL_NOBODY))) {
		post_left(o->post, 1);
		carrier_move(o, row, us);
	} else {
		go_one(x, l, to.ref, row);
	}
}

/* Who has stopped since gets a letter too, which is dead at once. */
void
office_route(struct office *o, owner_t owner, const struct store_mail *m)
{
	struct post_letter l;
	struct acl_room room;
	struct sending x;
	struct acl acl;

	if (acl_unpack(&acl, m->packed, &room, NULL) != OK)
		return;
	sending_begin(&x, o, &acl);
	(void)mail_directory_id(o->all->directory, owner, &m->sender, &x.from);
	buf_clear(&o->packed);
	buf_add(&o->packed, m->packed);
	x.row = m->first;
	l = sending_letter(&x);
	for (size_t i = 0; i < m->to_n; i++)
		route_one(&x, &l, owner, m, i);
	mail_text_drop(l.text);
	office_stir(o);
	sending_end(&x);
}

void
office_post_mail(struct office *o, owner_t owner, const struct store_mail *m)
{
	struct keeping *k;

	if (m->nodes == NULL) {
		office_route(o, owner, m);
		return;
	}
	k = mem_new(struct keeping);
	k->o = o;
	k->owner = owner;
	office_busy(o);
	durable_put(o->durable, owner, m, kept, k);
}
