/*
 * carrier.c - see carrier.h: letters and agents of several nodes.
 *
 * The first office does it for its process, one command at a time:
 *
 *   agents    MAILER_TAKE   agents of nodes that are gone are made here, each on its shard
 *   letters   MAIL_TAKE     then the letters of those nodes go where their agents are
 *   come      MAIL_COME     then what is new for this node is read, and goes to its shards
 *
 * So a letter is never read before its agent is there.  A command that fails is tried again at
 * the next tick.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mail/host/carrier_priv.h"

#include <stdio.h>
#include <string.h>

#include "base/account.h"
#include "base/log.h"
#include "base/mem.h"
#include "mail/host/register.h"
#include "store/node.h"

#define TICK_MS     1000
#define LOOK_TICKS  2                        /* without being told, while the bus is up */
#define TAKE_TICKS  5                        /* the same, for what dead nodes have left */
#define ONCE        64                       /* commands between two ticks */
#define TAKE_AGENTS 256
#define TAKE_LETTERS 1024
#define COME_LETTERS 256
#define MAKE_TRIES  8                        /* of an agent whose thread moves */

static void step(struct carrier *c);
static void tell_joined(struct carrier *c);

/* ---- a process ------------------------------------------------------------------ */

void
offices_set_carrier(struct offices *os, const struct office_carrier *o)
{
	struct carrier *c = mem_new(struct carrier);

	c->o = *o;
	c->away = away_new();
	os->carrier = c;
}

void
carrier_free(struct carrier *c)
{
	if (c == NULL)
		return;
	away_free(c->away);
	free(c->peers);
	free(c->moves);
	free(c->acks);
	free(c);
}

/* ---- directory -------------------------------------------------------------------- */

bool
office_elsewhere(struct office *o, owner_t owner, struct str id_or_name, int64_t *node)
{
	struct away_agent x;
	struct mail_ref ref;
	struct uuid id;

	if (o->all->carrier == NULL || mail_directory_find(o->all->directory, owner, id_or_name,
	    &id, &ref) != OK || !away_find(o->all->carrier->away, ref, &x))
		return false;
	if (node != NULL)
		*node = x.node;
	return true;
}

int
office_locate(struct office *o, owner_t owner, struct str id_or_name, int64_t *node)
{
	struct mail_ref ref;
	struct uuid id;

	*node = 0;
	if (office_elsewhere(o, owner, id_or_name, node))
		return OK;
	if (mail_directory_find(o->all->directory, owner, id_or_name, &id, &ref) == OK)
		return OK;
	if (!carrier_learn(o, owner, id_or_name))
		return ERR_NOTFOUND;
	(void)office_elsewhere(o, owner, id_or_name, node);
	return OK;
}

bool
offices_have(struct offices *os, owner_t owner, const struct uuid *id)
{
	struct mail_ref ref;

	return mail_directory_id(os->directory, owner, id, &ref) == OK && !mail_is_away(ref);
}

int64_t
carrier_node(const struct office *o, struct mail_ref at)
{
	struct away_agent x;

	return away_find(o->all->carrier->away, at, &x) ? x.node : store_node(o->all->store);
}

int
carrier_admits(const struct office *o, struct mail_ref at, struct err *e)
{
	int rc = away_send(o->all->carrier->away, at);

	if (rc == OK)
		return OK;
	return err_set(e, rc, rc == ERR_AGAIN ? "the mailbox of the receiver is full" :
	    "the receiver has stopped");
}

bool
carrier_learn(struct office *o, owner_t owner, struct str id_or_name)
{
	struct carrier *c = o->all->carrier;
	struct arena arena = ARENA(LIMIT_STATE_BYTES);
	struct store_mailer m;
	struct err e;
	int rc;

	if (c == NULL || id_or_name.n == 0 || id_or_name.n > LIMIT_NAME_BYTES)
		return false;
	rc = store_mailer_get(o->reader, owner, id_or_name, &arena, &m);
	if (rc == OK) {
		/* One of ours is being made now. */
		const struct away_agent x = { .owner = owner, .id = m.id,
			.node = m.node == store_node(o->all->store) ? MAIL_UNREAD : m.node,
			.round = UINT32_MAX };
		const struct mail_entry as = { .owner = owner, .id = m.id, .name = m.name,
			.ref = away_put(c->away, &x), .state = AGENT_READY };

		(void)mail_directory_put(o->all->directory, &as, &e);
		atomic_store(x.node == MAIL_UNREAD ? &c->unread : &c->ask, true);
	}
	arena_release(&arena);
	return rc == OK;
}

/* ---- telling that there are letters -------------------------------------------------- */

void
carrier_wake(struct office *o, int64_t node)
{
	struct news *n = &o->news;

	for (size_t i = 0; i < n->wakes_n; i++)
		if (n->wakes[i] == node)
			return;
	if (n->wakes_n == COUNT(n->wakes)) {
		n->wakes[0] = 0;
		n->wakes_n = 1;
	} else {
		n->wakes[n->wakes_n++] = node;
	}
	office_stir(o);
}

void
carrier_flush(struct office *o)
{
	struct carrier *c = o->all->carrier;
	int64_t us = store_node(o->all->store);
	char text[80];
	int n;

	if (c == NULL)
		return;
	announce_flush(o);
	for (size_t i = 0; i < o->news.wakes_n && us > 0; i++) {
		if (o->news.wakes[i] == us || o->news.wakes[i] == MAIL_UNREAD) {
			carrier_look(o);
			continue;
		}
		n = snprintf(text, sizeof text, "{\"t\":\"look\",\"node\":%lld,\"shard\":0,\"n\":0}",
		    (long long)us);
		c->o.tell(c->o.ctx, o->news.wakes[i], (struct str){ text, (size_t)n });
	}
	o->news.wakes_n = 0;
}

static void
look_open(void *here, struct parcel *p)
{
	struct office *o = here;
	struct carrier *c = o->all->carrier;

	free(p);
	c->look++;
	step(c);
}

void
carrier_look(struct office *o)
{
	struct office *first = o->all->at[0];
	struct parcel *p;

	if (o == first) {
		o->all->carrier->look++;
		step(o->all->carrier);
		return;
	}
	p = mem_new(struct parcel);
	p->open = look_open;
	office_mail(o, first, p);
}

struct moving {
	struct parcel parcel;
	struct store_mail_move move;
};

static void
moving_open(void *here, struct parcel *p)
{
	struct moving *x = CONTAINER_OF(p, struct moving, parcel);
	struct carrier *c = ((struct office *)here)->all->carrier;

	mem_grow(c->moves, c->moves_n, c->moves_cap);
	c->moves[c->moves_n++] = x->move;
	c->letters = true;
	free(x);
	step(c);
}

void
carrier_move(struct office *o, int64_t number, int64_t node)
{
	struct moving *x = mem_new(struct moving);

	*x = (struct moving){ .parcel.open = moving_open, .move = { number, node } };
	office_mail(o, o->all->at[0], &x->parcel);
}

/* ---- commands ------------------------------------------------------------------------- */

struct carrier_cmd {
	union {
		struct store_cmd cmd;
		struct store_mailer_take agents;
		struct store_mail_take letters;
		struct store_mail_come come;
	};
	struct carrier *c;
	struct arena arena;
	struct store_mail_move *moves;
	uint64_t look;                       /* carrier.look when it began */
	bool (*came)(struct carrier_cmd *x); /* true: x is still needed */
};

static void
cmd_free(struct carrier_cmd *x)
{
	arena_release(&x->arena);
	free(x->moves);
	free(x);
}

/* The next one does them: a letter at the wrong node would wait there for ever. */
static void
moves_again(struct carrier *c, const struct carrier_cmd *x)
{
	for (size_t i = 0; x->moves != NULL && i < x->letters.moves_n; i++) {
		mem_grow(c->moves, c->moves_n, c->moves_cap);
		c->moves[c->moves_n++] = x->moves[i];
	}
}

static void
cmd_over(struct carrier *c)
{
	c->busy = false;
	office_idle(c->first);
	step(c);
	tell_joined(c);
}

static void
cmd_done(struct store_cmd *cmd)
{
	struct carrier_cmd *x = CONTAINER_OF(cmd, struct carrier_cmd, cmd);
	struct carrier *c = x->c;

	if (cmd->rc != OK || store_is_late(c->first->all->store, cmd)) {
		if (cmd->rc != ERR_CANCELLED && cmd->rc != ERR_BUSY && cmd->rc != OK)
			log_fails(&c->failing, "mail", "carrier", "error=%s", cmd->err.text);
		if (!store_is_late(c->first->all->store, cmd))
			moves_again(c, x);
		c->left = 0;                 /* until the next tick */
	} else {
		log_works(&c->failing, "mail", "carrier");
		if (x->came(x))
			return;
	}
	cmd_free(x);
	cmd_over(c);
}

static struct carrier_cmd *
cmd_new(struct carrier *c, enum store_op op, bool (*came)(struct carrier_cmd *x))
{
	struct carrier_cmd *x = mem_new(struct carrier_cmd);

	x->c = c;
	x->arena = (struct arena)ARENA(TAKE_AGENTS * (size_t)LIMIT_STATE_BYTES);
	x->cmd.op = op;
	x->cmd.arena = &x->arena;
	x->cmd.done = cmd_done;
	x->came = came;
	return x;
}

static void
cmd_submit(struct carrier *c, struct carrier_cmd *x)
{
	int rc;

	c->busy = true;
	c->left--;
	office_busy(c->first);
	rc = store_submit(c->first->all->store, c->first->shard, &x->cmd, false);
	if (rc == OK)
		return;
	c->left = 0;
	moves_again(c, x);
	cmd_free(x);
	cmd_over(c);
}

/* ---- agents ----------------------------------------------------------------------------- */

/* An agent on its way to the shard where it is made, and back. */
struct making {
	struct parcel parcel;
	struct carrier_cmd *x;
	const struct store_mailer *m;
	unsigned tries;
	int rc;
};

static void making_open(void *here, struct parcel *p);

static void
making_send(struct making *k)
{
	struct office *first = k->x->c->first;

	k->parcel.open = making_open;
	office_mail(first, roster_home(first, k->m), &k->parcel);
}

static void
making_back(void *here, struct parcel *p)
{
	struct making *k = CONTAINER_OF(p, struct making, parcel);
	struct carrier_cmd *x = k->x;
	struct carrier *c = x->c;

	(void)here;
	if (k->rc == ERR_CONFLICT && ++k->tries < MAKE_TRIES) {
		making_send(k);
		return;
	}
	free(k);
	if (--c->making > 0)
		return;
	cmd_free(x);
	cmd_over(c);
}

static void
making_open(void *here, struct parcel *p)
{
	struct making *k = CONTAINER_OF(p, struct making, parcel);
	struct office *o = here;

	/* Not if this process is another node since. */
	k->rc = store_is_late(o->all->store, &k->x->cmd) ? OK : roster_take(o, k->m);
	p->open = making_back;
	office_mail(o, k->x->c->first, p);
}

static bool
agents_came(struct carrier_cmd *x)
{
	struct carrier *c = x->c;
	size_t n = x->agents.mailers_n;

	if (n < (size_t)x->agents.limit) {
		c->agents = false;
		c->letters = true;
	}
	c->making = n;
	for (size_t i = 0; i < n; i++) {
		struct making *k = mem_new(struct making);

		k->x = x;
		k->m = &x->agents.mailers[i];
		(void)announce_evict(c->first, &(struct office_spec){ .owner = k->m->owner,
		    .id = k->m->id });
		making_send(k);
	}
	if (n > 0) {
		c->look++;
		c->behind = true;
		log_info("mail", "agents_taken", "n=%zu", n);
	}
	return n > 0;
}

/* ---- letters ------------------------------------------------------------------------------ */

static bool
letters_came(struct carrier_cmd *x)
{
	struct carrier *c = x->c;
	size_t n = x->letters.moved + x->letters.orphans;

	c->letters = n >= (size_t)x->letters.limit || c->moves_n > 0;
	if (n > 0 || x->letters.moves_n > 0) {
		carrier_wake(c->first, 0);
		c->look++;
	}
	return false;
}

static void
to_all(struct office *o, void (*open)(void *here, struct parcel *p))
{
	for (size_t i = 0; i < COUNT(o->all->at); i++)
		if (o->all->at[i] != NULL) {
			struct parcel *p = mem_new(struct parcel);

			p->open = open;
			office_mail(o, o->all->at[i], p);
		}
}

static void
caught_up_open(void *here, struct parcel *p)
{
	struct office *o = here;
	struct office_agent *a;
	size_t at = 0;

	free(p);
	while ((a = map_each(&o->agents, &at)) != NULL)
		a->behind = a->hidden;
}

static void
catch_up_open(void *here, struct parcel *p)
{
	struct carrier *c = ((struct office *)here)->all->carrier;

	free(p);
	c->behind = true;
	c->look++;
	step(c);
}

void
carrier_catch_up(struct office *o)
{
	struct parcel *p = mem_new(struct parcel);

	p->open = catch_up_open;
	office_mail(o, o->all->at[0], p);
}

bool
carrier_pass(struct office *o, struct mail_ref to, int64_t row)
{
	struct office_agent *a;

	if (o->all->carrier == NULL || row == 0 || system_has(o, to))
		return false;
	a = post_agent(o->post, to);
	if (a == NULL || (!a->behind && a->owed_n == 0))
		return false;
	mem_grow(a->owed, a->owed_n, a->owed_cap);
	a->owed[a->owed_n++] = row;
	carrier_move(o, row, store_node(o->all->store));
	return true;
}

void
carrier_paid(struct office_agent *a, int64_t row)
{
	for (size_t i = 0; i < a->owed_n; i++)
		if (a->owed[i] == row) {
			a->owed[i] = a->owed[--a->owed_n];
			return;
		}
}

/* A letter on its way to its shard. */
struct arrival {
	struct parcel parcel;
	struct store_letter l;
	struct mail_ref to;
	char packed[];
};

static void
arrival_open(void *here, struct parcel *p)
{
	struct arrival *x = CONTAINER_OF(p, struct arrival, parcel);

	letter_arrives(here, &x->l, x->to, DEAD_STOPPED);
	free(x);
}

/* Where it has come to is not where its agent is: does the store know better?  An agent that
 * is made here just now has its mailbox already.  While the store is away nobody knows: the
 * letter comes again. */
static bool
is_moved(struct carrier *c, const struct store_letter *l)
{
	struct office *o = c->first;
	struct arena arena = ARENA(LIMIT_STATE_BYTES);
	int64_t us = store_node(o->all->store);
	struct store_mailer m;
	char id[UUID_TEXT];
	bool moved;
	int rc;

	uuid_format(&l->to, id);
	rc = store_mailer_get(o->reader, l->owner, (struct str){ id, UUID_TEXT }, &arena, &m);
	moved = rc == OK ? m.node != us : rc != ERR_NOTFOUND;
	if (moved) {
		mem_grow(c->moves, c->moves_n, c->moves_cap);
		c->moves[c->moves_n++] = (struct store_mail_move){ l->number,
		    rc == OK ? m.node : us };
	}
	arena_release(&arena);
	return moved;
}

static void
letter_comes(struct carrier *c, const struct store_letter *l)
{
	struct office *o = c->first, *home = o;
	struct mail_ref to = letter_place(o, l);
	struct arrival *x;

	if (mail_is_away(to) || mail_ref_eq(to, MAIL_NOBODY)) {
		if (is_moved(c, l))
			return;
		to = MAIL_NOBODY;
	} else {
		home = o->all->at[to.shard];
	}
	x = mem_alloc(sizeof *x + l->packed.n);
	*x = (struct arrival){ .parcel.open = arrival_open, .l = *l, .to = to };
	memcpy(x->packed, l->packed.p, l->packed.n);
	x->l.packed.p = x->packed;
	x->l.conversation = STR_NONE;
	office_mail(o, home, &x->parcel);
}

static bool
come_came(struct carrier_cmd *x)
{
	struct carrier *c = x->c;

	for (size_t i = 0; i < x->come.letters_n; i++)
		letter_comes(c, &x->come.letters[i]);
	if (c->moves_n > 0)
		c->letters = true;
	if (x->come.letters_n == (size_t)x->come.limit)
		return false;
	c->looked = x->look;
	carrier_acks(c);
	if (c->behind && c->looked == c->look) {
		c->behind = false;
		to_all(c->first, caught_up_open);
	}
	return false;
}

/* ---- steps ----------------------------------------------------------------------------------- */

static void
take_agents(struct carrier *c)
{
	struct carrier_cmd *x = cmd_new(c, STORE_MAILER_TAKE, agents_came);

	x->agents.limit = TAKE_AGENTS;
	cmd_submit(c, x);
}

static void
take_letters(struct carrier *c)
{
	struct carrier_cmd *x = cmd_new(c, STORE_MAIL_TAKE, letters_came);

	x->letters.limit = TAKE_LETTERS;
	x->moves = c->moves;
	x->letters.moves = c->moves;
	x->letters.moves_n = c->moves_n;
	c->moves = NULL;
	c->moves_n = c->moves_cap = 0;
	cmd_submit(c, x);
}

static void
take_come(struct carrier *c)
{
	struct carrier_cmd *x = cmd_new(c, STORE_MAIL_COME, come_came);

	x->come.limit = COME_LETTERS;
	x->look = c->look;
	cmd_submit(c, x);
}

static void
tell_joined(struct carrier *c)
{
	void (*joined)(void *ctx) = c->joined;

	if (joined == NULL || c->busy || (c->left > 0 && (c->agents || c->letters)))
		return;
	c->joined = NULL;
	joined(c->joined_ctx);
}

static void
step(struct carrier *c)
{
	struct office *o = c->first;

	if (o == NULL || c->busy || c->left == 0 || o->draining ||
	    store_node(o->all->store) <= 0)
		return;
	if (c->agents)
		take_agents(c);
	else if (c->letters)
		take_letters(c);
	else if (c->look != c->looked && account_room(&account_mail) > 0)
		take_come(c);
}

void
carrier_take(struct carrier *c)
{
	c->agents = true;
	step(c);
}

/* Once a second.  What was told is looked after at once; this is for what was not. */
static void
tick(struct wheel_timer *t)
{
	struct carrier *c = CONTAINER_OF(t, struct carrier, tick);
	struct office *o = c->first;

	if (o->still || o->draining)
		return;
	c->left = ONCE;
	away_tick(c->away);
	if (++c->ticks % LOOK_TICKS == 0 || !c->up)
		c->look++;
	if (c->ticks % TAKE_TICKS == 0)
		c->agents = true;
	announce_tick(c);
	step(c);
	carrier_flush(o);
	shard_timer_set(o->shard, &c->tick, TICK_MS);
}

void
office_join(struct office *o, void (*done)(void *ctx), void *ctx)
{
	struct carrier *c = o->all->carrier;

	c->joined = done;
	c->joined_ctx = ctx;
	c->tick.fire = tick;
	c->left = ONCE;
	c->agents = true;
	c->look++;
	shard_timer_set(o->shard, &c->tick, TICK_MS);
	step(c);
}

/* ---- a lease that is lost ----------------------------------------------------------------------- */

static void
lost_open(void *here, struct parcel *p)
{
	struct office *o = here;

	free(p);
	roster_yield_all(o);
	buf_clear(&o->news.ops);
	o->news.number = 0;
	o->news.wakes_n = 0;
}

static void
rejoin_open(void *here, struct parcel *p)
{
	free(p);
	announce_all(here, 0);
}

void
office_lost(struct office *o)
{
	log_warn("mail", "agents_lost", "agents=%llu",
	    (unsigned long long)atomic_load(&o->all->agents_n));
	to_all(o, lost_open);
}

void
office_gone(struct office *o)
{
	announce_tick(o->all->carrier);      /* their entries go from the directory */
	carrier_take(o->all->carrier);
}

void
office_rejoin(struct office *o)
{
	struct carrier *c = o->all->carrier;

	to_all(o, rejoin_open);
	for (size_t i = 0; i < c->peers_n; i++)
		c->peers[i].whole = false;
	c->moves_n = 0;
	c->look++;
	carrier_take(c);
}

/* ---- what `ams` tells a sender on another node ------------------------------------------------ */

static void
noticed(void *ctx, int rc, const struct store_mail *m, const struct err *e)
{
	struct office *o = ctx;

	(void)e;
	if (rc == OK && !m->known) {
		post_left(o->post, 1);       /* it counts as sent again */
		carrier_wake(o, m->nodes[0]);
	}
	office_idle(o);
}

void
carrier_send_after(struct office *o, owner_t owner, const struct uuid *to, int64_t node,
    struct str packed)
{
	const struct store_mail mail = { .id = uuid_v7(), .to = to, .nodes = &node, .to_n = 1,
		.packed = packed, .created = office_now(o) };

	office_busy(o);
	durable_put(o->durable, owner, &mail, noticed, o);
}

void
carrier_notice(struct office *o, struct mail_ref to, const struct acl *m, struct str packed)
{
	struct away_agent x;
	struct store_mail mail;

	if (!away_find(o->all->carrier->away, to, &x))
		return;
	mail = (struct store_mail){ .id = m->message_id, .to = &x.id, .nodes = &x.node, .to_n = 1,
		.conversation = m->conversation_id, .packed = packed, .created = m->created };
	office_busy(o);
	durable_put(o->durable, x.owner, &mail, noticed, o);
}
