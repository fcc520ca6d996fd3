/*
 * external.c - the kind "external"; see external.h.
 *
 * A *link* joins a reader (away: the shard of its office) and an agent (home).  Words and
 * letters travel on it as parcels, also when both are on one shard.  A letter stays where
 * it is, held: its node goes to the reader and comes back.  So the other shard reads a
 * text that nobody changes, and what a reader that has gone did not get is still here.
 *
 *   held:  [given, waits for an ack] ... [flying] ... | next: given again | then the mailbox
 *
 * SPDX-License-Identifier: MIT
 */
#include "mail/host/external.h"

#include <assert.h>

#include "base/limits.h"
#include "base/mem.h"
#include "mail/batch.h"
#include "mail/host/external_kind.h"
#include "mail/host/carrier_priv.h"

struct external {
	struct office_agent *agent;
	struct link *link;                   /* NULL: nobody reads */
	struct list held;                    /* nodes, in order */
	struct list *next;                   /* the first that the reader was not given */
};

struct link {
	_Atomic uint32_t refs;
	struct office *home, *away;
	struct uuid id;                      /* the agent's */
	/* away */
	struct external_reader *r;           /* NULL: it has heard its end */
	struct list in;                      /* links of the office */
	bool closing;
	int why;                             /* it closes: OK, ERR_BUSY */
	struct mail_batch batch;
	struct parcel *gathered, **gathered_end;     /* nodes of the batch */
	int64_t left;                        /* of the room, as seen from here */
	uint32_t came;                       /* letters, of letters_max */
	bool hurry;                          /* it is handed over at the end of this turn */
	struct shard_job turn_end;           /* the link is held while it is queued */
	struct wheel_timer due;
	/* home */
	struct external *x;                  /* NULL: it is over */
	int64_t room;                        /* bytes */
	uint32_t letters, letters_max, flying;       /* letters: so far */
};

/* A held letter. */
struct node {
	struct parcel parcel;
	struct list in;
	struct external *x;                  /* NULL: the agent has stopped */
	struct link *link;                   /* that it flies on; or NULL */
	struct letter *l;
	bool given, acked;
	bool came;                           /* to the reader */
};

/* What is said on a link. */
struct word {
	struct parcel parcel;
	struct link *link;
	int64_t bytes;
	int rc;
	struct err err;
};

/* Does it stay pending until its reader says that it has it? */
static bool
is_acked_for(const struct letter *l)
{
	return (l->flags & (LETTER_DURABLE | LETTER_CAME)) == LETTER_DURABLE;
}

static struct link *
link_hold(struct link *k)
{
	atomic_fetch_add_explicit(&k->refs, 1, memory_order_relaxed);
	return k;
}

static void
link_drop(struct link *k)
{
	if (atomic_fetch_sub_explicit(&k->refs, 1, memory_order_acq_rel) == 1)
		free(k);
}

static struct word *
word_new(struct link *k, void (*open)(void *here, struct parcel *p))
{
	struct word *w = mem_new(struct word);

	w->parcel.open = open;
	w->link = link_hold(k);
	return w;
}

static void
word_free(struct word *w)
{
	link_drop(w->link);
	free(w);
}

/* ---- letters to the reader ------------------------------------------------------------ */

static void pump(struct external *x);

static bool
has_room(const struct link *k)
{
	return k != NULL && k->room > 0 && (k->letters_max == 0 || k->letters < k->letters_max);
}

static void
node_free(struct external *x, struct node *n)
{
	if (x->next == &n->in)
		x->next = n->in.next;
	list_remove(&n->in);
	free(n);
}

static void
node_done(struct external *x, struct node *n)
{
	struct letter *l = n->l;

	node_free(x, n);
	post_done(x->agent->o->post, l);
}

/* It has come back: a letter that need not be acked is delivered, or goes back. */
static void
landed(struct external *x, struct node *n)
{
	struct letter *l = n->l;

	if (n->acked || (n->came && !is_acked_for(l))) {
		node_done(x, n);
	} else if (!is_acked_for(l)) {
		node_free(x, n);
		office_agent_return(x->agent, l);
	}
}

static void
link_lands(struct link *k)
{
	struct office *o = k->home;

	assert(k->flying > 0);
	k->flying--;
	if (k->x != NULL && k->flying == 0)
		o->stats.conns_idle++;
	link_drop(k);
}

static void
node_back(void *here, struct parcel *p)
{
	struct node *n = CONTAINER_OF(p, struct node, parcel);
	struct office *o = here;
	struct external *x = n->x;

	link_lands(n->link);
	n->link = NULL;
	if (x != NULL) {
		landed(x, n);
		pump(x);
	} else {
		post_return(o->post, n->l);
		free(n);
	}
	office_stir(o);
}

/* ---- batches, away ---------------------------------------------------------------------- */

static struct parcel *
batch_empty(struct link *k)
{
	struct parcel *first = k->gathered;

	k->gathered = NULL;
	k->gathered_end = &k->gathered;
	k->hurry = false;
	mail_batch_done(&k->batch);
	shard_timer_cancel(k->away->shard, &k->due);
	return first;
}

static void
nodes_home(struct link *k, struct parcel *p)
{
	while (p != NULL) {
		struct parcel *next = p->next;

		p->open = node_back;
		office_mail(k->away, k->home, p);
		p = next;
	}
}

static void
hand_over(struct link *k)
{
	struct external_letter *at = mem_alloc(k->batch.n * sizeof *at);
	struct parcel *first = batch_empty(k);
	size_t count = 0;

	for (struct parcel *p = first; p != NULL; p = p->next) {
		struct node *n = CONTAINER_OF(p, struct node, parcel);
		struct external_letter *x = &at[count];

		x->packed = letter_packed(n->l);
		x->durable = is_acked_for(n->l);
		n->came = acl_peek_id(x->packed, &x->message_id);
		count += n->came;
	}
	if (count > 0)
		k->r->come(k->r, at, count);
	free(at);
	nodes_home(k, first);
}

static void
batch_turn_end(struct shard_job *job)
{
	struct link *k = CONTAINER_OF(job, struct link, turn_end);

	if (k->hurry)
		hand_over(k);
	link_drop(k);
}

/* What is handed over at the end of the turn has what else comes in it. */
static void
batch_hurry(struct link *k)
{
	if (k->turn_end.next == NULL) {
		link_hold(k);
		shard_at_turn_end(k->away->shard, &k->turn_end);
	}
	k->hurry = true;
}

static void
batch_fell_due(struct wheel_timer *t)
{
	hand_over(CONTAINER_OF(t, struct link, due));
}

/* No more can come before it is handed over. */
static bool
batch_is_last(const struct link *k)
{
	return mail_batch_full(&k->batch) || k->left <= 0 ||
	    (k->letters_max > 0 && k->came == k->letters_max);
}

static void
batch_take(struct link *k, struct node *n)
{
	msec now = office_now(k->away), due;

	*k->gathered_end = &n->parcel;
	k->gathered_end = &n->parcel.next;
	n->parcel.next = NULL;
	k->left -= n->l->n;
	k->came++;
	mail_batch_take(&k->batch, n->l->created < now ? n->l->created : now);
	due = mail_batch_due(&k->batch);
	if (batch_is_last(k))
		hand_over(k);
	else if (due <= now || (n->l->expires > 0 && n->l->expires <= due))
		batch_hurry(k);
	else if (!k->hurry)
		shard_timer_set(k->away->shard, &k->due, due - now);
}

static void
node_comes(void *here, struct parcel *p)
{
	struct node *n = CONTAINER_OF(p, struct node, parcel);
	struct link *k = n->link;

	(void)here;
	n->came = false;
	if (k->r != NULL && !k->closing) {
		batch_take(k, n);
	} else {
		p->next = NULL;
		nodes_home(k, p);
	}
}

bool
external_flush(struct external_reader *r)
{
	struct link *k = r->office_data;

	if (k->batch.n == 0)
		return false;
	batch_hurry(k);
	return true;
}

/* ---- at home ---------------------------------------------------------------------------- */

static void
fly(struct external *x, struct node *n)
{
	struct link *k = x->link;
	struct office_stats *s = &k->home->stats;

	assert(has_room(k) && n->link == NULL);
	k->room -= n->l->n;
	k->letters++;
	if (k->flying++ == 0)
		s->conns_idle--;
	if (k->letters > 1)
		s->conns_reused++;
	n->link = link_hold(k);
	n->given = true;
	n->parcel.open = node_comes;
	office_mail(k->home, k->away, &n->parcel);
}

/* What was given to a reader before, and not acked, goes first. */
static void
pump(struct external *x)
{
	while (has_room(x->link) && x->next != &x->held) {
		struct node *n = CONTAINER_OF(x->next, struct node, in);

		if (n->link != NULL)
			return;              /* still on the way to the reader before */
		x->next = x->next->next;
		fly(x, n);
	}
	if (has_room(x->link))
		office_agent_wake(x->agent);
}

static enum mail_taken
take(void *self, struct letter *l)
{
	struct external *x = self;
	struct node *n;

	if (!has_room(x->link) || x->next != &x->held)
		return MAIL_BUSY;
	n = mem_new(struct node);
	n->x = x;
	n->l = l;
	list_append(&x->held, &n->in);
	x->next = &x->held;
	fly(x, n);
	return MAIL_HELD;
}

/* ---- the end of a link ------------------------------------------------------------------ */

static void
word_ended(void *here, struct parcel *p)
{
	struct word *w = CONTAINER_OF(p, struct word, parcel);
	struct link *k = w->link;
	struct external_reader *r = k->r;

	nodes_home(k, batch_empty(k));
	k->r = NULL;
	list_remove(&k->in);
	r->ended(r, k->closing ? k->why : w->rc);
	link_drop(k);
	word_free(w);
	office_idle(here);
}

/* At home. */
static void
link_end(struct link *k, int rc)
{
	struct office_stats *s = &k->home->stats;
	struct word *w = word_new(k, word_ended);

	k->x->link = NULL;
	k->x = NULL;
	s->conns_open--;
	if (k->flying == 0)
		s->conns_idle--;
	w->rc = rc;
	office_mail(k->home, k->away, &w->parcel);
	office_stir(k->home);
	link_drop(k);
}

static void
word_close(void *here, struct parcel *p)
{
	struct word *w = CONTAINER_OF(p, struct word, parcel);

	(void)here;
	if (w->link->x != NULL)
		link_end(w->link, OK);
	word_free(w);
}

static void
close_link(struct link *k, int why)
{
	struct word *w;

	if (k->closing)
		return;
	k->closing = true;
	k->why = why;
	nodes_home(k, batch_empty(k));
	w = word_new(k, word_close);
	office_mail(k->away, k->home, &w->parcel);
}

void
external_close(struct external_reader *r)
{
	close_link(r->office_data, OK);
}

void
external_drain(struct office *o)
{
	for (struct list *l = o->links.next; l != &o->links; l = l->next)
		close_link(CONTAINER_OF(l, struct link, in), ERR_BUSY);
}

/* ---- its beginning ---------------------------------------------------------------------- */

static void
word_opened(void *here, struct parcel *p)
{
	struct word *w = CONTAINER_OF(p, struct word, parcel);
	struct link *k = w->link;
	struct external_reader *r = k->r;

	if (w->rc == OK) {
		if (!k->closing)             /* else `ended` is on its way */
			r->opened(r, OK, &k->id, NULL);
	} else {
		k->r = NULL;
		list_remove(&k->in);
		if (k->closing)              /* nobody at home ends what never began */
			r->ended(r, k->why);
		else
			r->opened(r, w->rc, NULL, &w->err);
		link_drop(k);
		office_idle(here);
	}
	word_free(w);
}

static void
attach(struct external *x, struct link *k)
{
	if (x->link != NULL)
		link_end(x->link, ERR_CONFLICT);
	x->link = link_hold(k);
	k->x = x;
	x->next = x->held.next;
	k->home->stats.conns_open++;
	k->home->stats.conns_idle++;
}

static void
word_open(void *here, struct parcel *p)
{
	struct word *w = CONTAINER_OF(p, struct word, parcel);
	struct link *k = w->link;
	struct office *o = here;
	struct office_agent *a = map_get(&o->agents, &k->id);

	if (a == NULL || a->self == NULL)
		w->rc = err_set(&w->err, ERR_NOTFOUND, "the agent has stopped");
	else if (a->row->kind != &external_kind)
		w->rc = err_set(&w->err, ERR_INVALID, "an agent of kind '%s' reads its mailbox "
		    "itself", a->row->kind->name);
	w->parcel.open = word_opened;
	if (w->rc == OK)
		attach(a->self, k);
	office_mail(o, k->away, &w->parcel);
	if (w->rc == OK)
		pump(k->x);
	office_stir(o);
}

void
external_set_batch(struct offices *os, uint32_t size, msec timeout)
{
	assert(size > 0 && size <= LIMIT_MAIL_BATCH && timeout >= 0);
	os->batch_size = size;
	os->batch_timeout = timeout;
}

void
external_open(struct office *o, struct external_reader *r)
{
	struct link *k = mem_new(struct link);
	struct word *w;

	atomic_init(&k->refs, 1);
	k->away = o;
	k->home = o;
	k->r = r;
	k->room = r->room;
	k->left = r->room;
	k->letters_max = r->letters_max;
	k->batch = mail_batch(r->batch_size > 0 ? r->batch_size : o->all->batch_size,
	    r->batch_timeout == BATCH_SET ? o->all->batch_timeout : r->batch_timeout);
	k->gathered_end = &k->gathered;
	k->turn_end.run = batch_turn_end;
	k->due.fire = batch_fell_due;
	list_append(&o->links, &k->in);
	r->office_data = k;
	office_busy(o);
	w = word_new(k, word_open);
	w->rc = o->draining ? err_set(&w->err, ERR_BUSY, "the server is stopping") :
	    office_find(o, r->owner, r->agent, &k->id, &k->home, &w->err);
	if (w->rc != OK) {
		k->home = o;
		w->parcel.open = word_opened;
	}
	office_mail(o, k->home, &w->parcel);
}

static void
word_room(void *here, struct parcel *p)
{
	struct word *w = CONTAINER_OF(p, struct word, parcel);

	if (w->link->x != NULL) {
		w->link->room += w->bytes;
		pump(w->link->x);
		office_stir(here);
	}
	word_free(w);
}

void
external_room(struct external_reader *r, int64_t bytes)
{
	struct link *k = r->office_data;
	struct word *w = word_new(k, word_room);

	k->left += bytes;
	w->bytes = bytes;
	office_mail(k->away, k->home, &w->parcel);
}

/* ---- acks ------------------------------------------------------------------------------- */

struct ack {
	struct parcel parcel;
	struct office *from;
	owner_t owner;
	struct uuid agent;
	bool up_to;
	void (*done)(void *ctx, int rc, size_t n, const struct err *e);
	void *ctx;
	int rc;
	struct err err;
	size_t n, ids_n;
	struct uuid ids[];
};

static void
ack_back(void *here, struct parcel *p)
{
	struct ack *k = CONTAINER_OF(p, struct ack, parcel);

	k->done(k->ctx, k->rc, k->n, k->rc == OK ? NULL : &k->err);
	free(k);
	office_idle(here);
}

static bool
is_acked(const struct ack *k, const struct node *n)
{
	struct uuid id;

	if (!acl_peek_id(letter_packed(n->l), &id))
		return false;
	for (size_t i = 0; i < k->ids_n; i++)
		if (uuid_eq(&id, &k->ids[i]))
			return true;
	return false;
}

static void
ack_node(struct external *x, struct node *n)
{
	n->acked = true;
	if (n->link == NULL)
		node_done(x, n);
}

/* Only what was given to a reader, and the list is in the order of that. */
static size_t
ack_all(struct external *x, const struct ack *k)
{
	struct list *last = &x->held, *next;
	size_t n = 0;

	if (k->up_to) {
		for (last = x->held.next; last != &x->held; last = last->next)
			if (is_acked(k, CONTAINER_OF(last, struct node, in)))
				break;
		if (last == &x->held)
			return 0;
		last = last->next;
	}
	for (struct list *l = x->held.next; l != last; l = next) {
		struct node *at = CONTAINER_OF(l, struct node, in);

		next = l->next;
		if (!at->given || at->acked || !is_acked_for(at->l))
			continue;
		if (k->up_to || is_acked(k, at)) {
			ack_node(x, at);
			n++;
		}
	}
	return n;
}

static void
ack_open(void *here, struct parcel *p)
{
	struct ack *k = CONTAINER_OF(p, struct ack, parcel);
	struct office *o = here;
	struct office_agent *a = roster_find(o, k->owner, &k->agent);

	if (a == NULL || a->self == NULL || a->row->kind != &external_kind)
		k->rc = err_set(&k->err, ERR_NOTFOUND, "no such agent of kind 'external'");
	else
		k->n = ack_all(a->self, k);
	p->open = ack_back;
	office_mail(o, k->from, p);
	office_stir(o);
}

void
external_ack(struct office *o, owner_t owner, struct str agent, const struct uuid *ids,
    size_t ids_n, bool up_to,
    void (*done)(void *ctx, int rc, size_t n, const struct err *e), void *ctx)
{
	struct ack *k = mem_zero(sizeof *k + ids_n * sizeof *ids);
	struct office *home = o;

	k->from = o;
	k->owner = owner;
	k->up_to = up_to;
	k->done = done;
	k->ctx = ctx;
	k->ids_n = ids_n;
	for (size_t i = 0; i < ids_n; i++)
		k->ids[i] = ids[i];
	k->rc = office_find(o, owner, agent, &k->agent, &home, &k->err);
	k->parcel.open = k->rc == OK ? ack_open : ack_back;
	office_busy(o);
	office_mail(o, home, &k->parcel);
}

int
external_id(struct office *o, owner_t owner, struct str id_or_name, struct uuid *id,
    struct err *e)
{
	struct mail_ref ref;

	if (mail_directory_find(o->all->directory, owner, id_or_name, id, &ref) == OK ||
	    (carrier_learn(o, owner, id_or_name) &&
	    mail_directory_find(o->all->directory, owner, id_or_name, id, &ref) == OK))
		return OK;
	return err_set(e, ERR_NOTFOUND, "no agent '%.*s'",
	    FMT(str_sub(id_or_name, 0, LIMIT_NAME_BYTES)));
}

/* ---- the kind --------------------------------------------------------------------------- */

static int
start(void *ctx, struct office_agent *a, void **self, enum office_start how, struct err *e)
{
	struct external *x;

	(void)ctx, (void)how;
	if (office_agent_definition(a) != NULL)
		return err_set(e, ERR_INVALID, "graph_id: an agent of kind external is a client; "
		    "it has no definition");
	x = mem_new(struct external);
	x->agent = a;
	list_init(&x->held);
	x->next = &x->held;
	*self = x;
	return OK;
}

/* Letters that fly are given back when they land. */
static void
stop(void *self)
{
	struct external *x = self;

	if (x->link != NULL)
		link_end(x->link, ERR_CLOSED);
	while (!list_empty(&x->held)) {
		struct node *n = CONTAINER_OF(x->held.next, struct node, in);
		struct letter *l = n->l;

		list_remove(&n->in);
		n->x = NULL;
		if (n->link != NULL)
			continue;
		free(n);
		office_agent_return(x->agent, l);
	}
	free(x);
}

const struct office_kind external_kind = { .name = "external", .start = start, .take = take,
	.stop = stop, .durable = true };
