/*
 * office.c - see office.h: what a process and its shards have, and an office's turns.
 *
 * Whatever is sent in a turn is delivered at its end, up to DELIVER_MAX letters; what is
 * over waits for the next turn, so that connections and timers have theirs.  The figures
 * are published after that, as one: so a reader on another thread sees books that balance.
 * Nothing here runs while there is nothing to do: one timer, set to what the post says is due.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mail/host/chart_agent.h"
#include "mail/host/converse.h"
#include "mail/host/external_kind.h"
#include "mail/host/carrier_priv.h"

#include <assert.h>
#include <string.h>

#include "agent/agent.h"
#include "base/mem.h"

#define DELIVER_MAX 4096
#define BATCH_SIZE  100                      /* external_set_batch */

_Static_assert(sizeof(struct office_stats) % sizeof(uint64_t) == 0, "words");

/* ---- a process ------------------------------------------------------------------- */

struct offices *
offices_new(struct store *st, struct agents *agents)
{
	struct offices *os = mem_new(struct offices);

	os->store = st;
	os->directory = mail_directory_new();
	os->conversations = conversations_new(clock_wall_ms());
	os->agents = agents_hold(agents);
	os->batch_size = BATCH_SIZE;
	pthread_mutex_init(&os->lock, NULL);
	owned_init(os);
	return os;
}

void
offices_free(struct offices *os)
{
	if (os == NULL)
		return;
	mail_directory_free(os->directory);
	conversations_free(os->conversations);
	carrier_free(os->carrier);
	agents_free(os->agents);
	pthread_mutex_destroy(&os->lock);
	owned_release(os);
	free(os);
}

void
offices_set_agents(struct offices *os, struct agents *agents)
{
	struct agents *before;

	pthread_mutex_lock(&os->lock);
	before = os->agents;
	os->agents = agents_hold(agents);
	pthread_mutex_unlock(&os->lock);
	agents_free(before);
}

/* ---- figures --------------------------------------------------------------------- */

static void
publish(struct office *o)
{
	uint64_t words[STATS_WORDS];
	struct published *p = &o->published;
	uint64_t turn = atomic_load_explicit(&p->turn, memory_order_relaxed);

	post_books(o->post, &o->stats.books);
	memcpy(words, &o->stats, sizeof words);
	atomic_store_explicit(&p->turn, turn + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	for (size_t i = 0; i < STATS_WORDS; i++)
		atomic_store_explicit(&p->at[i], words[i], memory_order_relaxed);
	atomic_store_explicit(&p->turn, turn + 2, memory_order_release);
}

static void
read_published(const struct published *p, uint64_t words[STATS_WORDS])
{
	uint64_t before, after;

	do {
		before = atomic_load_explicit(&p->turn, memory_order_acquire);
		for (size_t i = 0; i < STATS_WORDS; i++)
			words[i] = atomic_load_explicit(&p->at[i], memory_order_relaxed);
		atomic_thread_fence(memory_order_acquire);
		after = atomic_load_explicit(&p->turn, memory_order_relaxed);
	} while (before != after || (before & 1) != 0);
}

/* A letter between two shards is `gone` here and not yet `come` there, so the sums balance
 * whatever the moments at which the offices were read. */
void
offices_stats(const struct offices *os, struct office_stats *out)
{
	uint64_t sum[STATS_WORDS] = { 0 }, words[STATS_WORDS];

	for (size_t i = 0; i < COUNT(os->at); i++) {
		if (os->at[i] == NULL)
			continue;
		read_published(&os->at[i]->published, words);
		for (size_t k = 0; k < STATS_WORDS; k++)
			sum[k] += words[k];
	}
	memcpy(out, sum, sizeof *out);
	out->talks = conversations_count(os->conversations);
}

/* ---- turns ----------------------------------------------------------------------- */

static void
set_due(struct office *o, msec now)
{
	msec due = post_due(o->post);

	if (due == o->due_at)
		return;
	o->due_at = due;
	if (due == NEVER)
		shard_timer_cancel(o->shard, &o->due);
	else
		shard_timer_set(o->shard, &o->due, due > now ? due - now : 0);
}

static void
deliver(struct shard_job *job)
{
	struct office *o = CONTAINER_OF(job, struct office, deliver);
	msec now;

	if (o->closed) {
		free(o);
		return;
	}
	if (o->still)
		return;
	now = office_now(o);
	if (post_run(o->post, DELIVER_MAX, now))
		office_stir(o);
	set_due(o, now);
	carrier_flush(o);
	publish(o);
}

void
office_stir(struct office *o)
{
	shard_at_turn_end(o->shard, &o->deliver);
}

static void
fell_due(struct wheel_timer *t)
{
	struct office *o = CONTAINER_OF(t, struct office, due);

	o->due_at = NEVER;
	office_stir(o);
}

/* ---- what the post asks for -------------------------------------------------------- */

static void
on_ready(void *ctx)
{
	office_stir(ctx);
}

/* A letter on its way to another shard: its head, and as much of its text as it has. */
struct carried {
	struct parcel parcel;
	struct letter l;
};

static void
carried_open(void *here, struct parcel *p)
{
	struct carried *c = CONTAINER_OF(p, struct carried, parcel);
	struct office *o = here;

	if ((c->l.flags & LETTER_DURABLE) != 0 && carrier_pass(o, c->l.to, c->l.row))
		post_passed(o->post);
	else
		post_come(o->post, &c->l, office_now(o));
	office_stir(o);
	mail_text_drop(c->l.text);
	free(c);
}

static void
on_carry(void *ctx, const struct letter *l)
{
	struct office *o = ctx, *to = o->all->at[l->to.shard];
	size_t used = offsetof(struct letter, small) + (l->text == NULL ? l->n : 0);
	struct carried *c = mem_alloc(offsetof(struct carried, l) + sizeof *l);

	assert(to != NULL && used <= sizeof *l);
	memcpy(&c->l, l, used);
	if (l->text != NULL)
		mail_text_hold(l->text);
	c->parcel.open = carried_open;
	office_mail(o, to, &c->parcel);
	office_stir(o);
}

static void
on_dead(void *ctx, const struct letter *l, enum mail_dead_reason why)
{
	struct office *o = ctx;

	/* One that has a row only for its way here is not kept, as among agents of one node. */
	durable_became(o->durable, l, (l->flags & LETTER_CAME) != 0 ? MAIL_DROPPED : MAIL_DEAD,
	    why);
	if ((l->flags & LETTER_RECEIPT) != 0)
		notice_letter(o, l, ACL_FAILURE, mail_dead_names[why]);
}

static void
on_expired(void *ctx, const struct letter *l)
{
	struct office *o = ctx;

	durable_became(o->durable, l, MAIL_EXPIRED, 0);
	if ((l->flags & LETTER_RECEIPT) != 0)
		notice_letter(o, l, ACL_FAILURE, "expired");
}

static void
on_delivered(void *ctx, const struct letter *l)
{
	struct office *o = ctx;

	durable_became(o->durable, l, MAIL_DELIVERED, 0);
	if ((l->flags & LETTER_RECEIPT) != 0)
		notice_letter(o, l, ACL_INFORM, "delivered");
}

static uint64_t
on_random(void *ctx)
{
	uint64_t v;

	(void)ctx;
	id_random(&v, sizeof v);
	return v;
}

static const struct post_ops post_ops = { .ready = on_ready, .carry = on_carry,
	.dead = on_dead, .expired = on_expired, .delivered = on_delivered,
	.random = on_random };

/* ---- a shard --------------------------------------------------------------------- */

static uint64_t
hash(const void *key)
{
	return uuid_hash(key);
}

static const void *
key_of(const void *value)
{
	return &((const struct office_agent *)value)->spec.id;
}

static bool
eq(const void *value, const void *key)
{
	return uuid_eq(key_of(value), key);
}

int
office_new(struct office **out, struct offices *os, struct shard *s,
    struct store_reader *reader, struct err *e)
{
	const struct post_options options = { .shard = shard_id(s),
		.mailbox_max = LIMIT_MAILBOX_LETTERS, .tries_max = LIMIT_MAIL_RETRIES,
		.retry_first = LIMIT_MAIL_RETRY_MS, .retry_max = LIMIT_MAIL_RETRY_MAX_MS };
	struct office *o;

	*out = NULL;
	if (shard_id(s) >= LIMIT_SHARDS)
		return err_set(e, ERR_LIMIT, "more than %d shards", LIMIT_SHARDS);
	o = mem_new(struct office);
	o->all = os;
	o->shard = s;
	o->reader = reader;
	o->deliver.run = deliver;
	o->due.fire = fell_due;
	o->due_at = NEVER;
	o->packed = o->content = BUF(LIMIT_ACL_BYTES);
	o->news.ops = BUF(2 * (size_t)LIMIT_CARRIER_BYTES);
	courier_init(&o->courier, s);
	list_init(&o->links);
	list_init(&o->waits);
	list_init(&o->stops);
	map_init(&o->agents, hash, eq, key_of);
	office_kind_add(o, &chart_agent_kind, NULL);
	office_kind_add(o, &external_kind, NULL);
	o->post = post_new(&options, &post_ops, o);
	o->durable = durable_new(os->store, s);
	os->at[shard_id(s)] = o;
	converse_begin(o);
	if (os->carrier != NULL && shard_id(s) == 0)
		os->carrier->first = o;
	atomic_fetch_add(&os->shards, 1);
	*out = o;
	return OK;
}

void
office_free(struct office *o)
{
	if (o == NULL)
		return;
	converse_end(o);
	over_free(o);
	if (o->all->carrier != NULL && o->all->carrier->first == o)
		shard_timer_cancel(o->shard, &o->all->carrier->tick);
	roster_free(o);
	post_free(o->post);
	durable_free(o->durable);
	map_release(&o->agents);
	buf_release(&o->packed);
	buf_release(&o->news.ops);
	buf_release(&o->content);
	o->all->at[shard_id(o->shard)] = NULL;
	/* Its job may be among those of this turn. */
	o->closed = true;
	office_stir(o);
}

void
office_kind_add(struct office *o, const struct office_kind *k, void *ctx)
{
	assert(o->kinds_n < COUNT(o->kinds));
	o->kinds[o->kinds_n++] = (struct office_row){ k, ctx };
}

struct post *
office_post(struct office *o)
{
	return o->post;
}

struct shard *
office_shard(const struct office *o)
{
	return o->shard;
}

int
office_find(struct office *o, owner_t owner, struct str id_or_name, struct uuid *id,
    struct office **home, struct err *e)
{
	struct mail_ref ref;

	if (mail_directory_find(o->all->directory, owner, id_or_name, id, &ref) != OK)
		return err_set(e, ERR_NOTFOUND, "no agent '%.*s'",
		    FMT(str_sub(id_or_name, 0, LIMIT_NAME_BYTES)));
	if (mail_is_away(ref))
		return err_set(e, ERR_BUSY, "the agent '%.*s' is on another server, which cannot "
		    "be asked", FMT(str_sub(id_or_name, 0, LIMIT_NAME_BYTES)));
	*home = o->all->at[ref.shard];
	return OK;
}

/* ---- the end ---------------------------------------------------------------------- */

void
office_busy(struct office *o)
{
	o->busy++;
}

/* When no call is under way, what became of letters is written. */
static void
drain_check(struct office *o)
{
	void (*drained)(void *ctx) = o->drained;

	if (o->busy > 0 || drained == NULL)
		return;
	o->drained = NULL;
	o->still = true;
	shard_timer_cancel(o->shard, &o->due);
	durable_drain(o->durable, drained, o->drained_ctx);
}

void
office_idle(struct office *o)
{
	assert(o->busy > 0);
	o->busy--;
	drain_check(o);
}

void
office_drain(struct office *o, void (*done)(void *ctx), void *ctx)
{
	assert(!o->draining);
	o->draining = true;
	o->drained = done;
	o->drained_ctx = ctx;
	external_drain(o);
	drain_check(o);
}
