/*
 * http_room.c - what connections hold of the process's accounts, and who goes
 * when one of them is full.
 *
 * Requests being read (account_bodies): buffers are counted as they grow, a
 * step late, so that the account may be over by one step of one connection a
 * shard.  When it is full the one that asks is refused with 503, unless bodies
 * that hardly move can go instead: the idlest first, here at once and on the
 * other shards by a job, so that there is room when the client comes back.
 * "Moves" means MOVED_BYTES at a time: a byte a second does not count.  The same goes
 * for messages of WebSockets.
 *
 * Output (account_output): blocks are charged when they begin to wait (sse.c).
 * When that exceeds the account, connections are cut, the largest queue of the
 * process first: every listener publishes its largest, and all look through
 * their own for those over half of the largest of all; then again, until it
 * fits.  When answers wait for room, clients that take nothing go as well.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/http_priv.h"
#include "base/account.h"
#include "base/log.h"
#include "base/mem.h"

#include <assert.h>

#define TRIM_MS    1000                      /* after so long with little to do */
#define TRIM_BUSY  100                       /* requests in that time are much */
#define SHED_EVERY (20 * NS_PER_MS)          /* a look at all connections */
#define SHED_SHARE 8                         /* this part of it is freed */

/* Those that have not moved for so many times body_still go first, then those. */
static const unsigned still[] = { 16, 4, 1 };

/* Is there no room for the largest step of one body, or for a crowd of small
 * ones? */
static bool
is_short(void)
{
	size_t capacity = account_bodies.capacity, wanted = capacity / SHED_SHARE;

	if (wanted < LIMIT_HTTP_BODY_BYTES / 2)
		wanted = LIMIT_HTTP_BODY_BYTES / 2;
	if (wanted > capacity / 2)
		wanted = capacity / 2;
	return account_room(&account_bodies) < wanted;
}

static void
shed_bodies(struct http_listener *l)
{
	nsec now = shard_now(l->shard), unit = l->hs->limits.body_still * NS_PER_MS;
	size_t n = 0;

	if (l->shed_at != 0 && now - l->shed_at < SHED_EVERY)
		return;
	l->shed_at = now;
	for (size_t i = 0; i < COUNT(still) && is_short(); i++)
		for (struct list *c = l->conns.next; c != &l->conns && is_short(); c = c->next)
			n += http_conn_shed_body(conn_of(c), now - still[i] * unit);
	if (n > 0)
		log_warn("net", "idle_bodies_refused", "count=%zu held=%zu", n,
		    account_used(&account_bodies));
}

/* ---- output ---------------------------------------------------------------- */

size_t
http_conn_taken(const struct http_conn *c)
{
	size_t left = c->writing == 0 ? 0 : c->wire->waiting(c);

	return c->taken + c->writing - left;
}

/* More is about to wait.  Too much does already, and the client read nothing of
 * it since the last turn with more: it will not read this either. */
void
http_room_check_backlog(struct http_conn *c)
{
	size_t taken = http_conn_taken(c);
	nsec turn = shard_now(c->l->shard);

	if (turn == c->backlog_turn)
		return;              /* nothing leaves within one */
	if (c->out.bytes > LIMIT_HTTP_OUT_BYTES && c->backlog_turn != 0 &&
	    taken == c->backlog_taken)
		http_conn_fail(c);
	c->backlog_turn = turn;
	c->backlog_taken = taken;
}

/* Bytes to be freed so that an eighth has room; 0: the account is not full. */
static size_t
output_over(void)
{
	size_t used = account_used(&account_output), capacity = account_output.capacity;

	return used <= capacity ? 0 : used - (capacity - capacity / SHED_SHARE);
}

static bool
output_short(void)
{
	return account_room(&account_output) < account_output.capacity / SHED_SHARE;
}

/* Has the client taken nothing for out_still?  Counts from the first look. */
static bool
is_stuck(struct http_conn *c, nsec now)
{
	size_t taken = http_conn_taken(c);

	if (c->taken_at == 0 || taken != c->taken_seen) {
		c->taken_seen = taken;
		c->taken_at = now;
	}
	return now - c->taken_at >= c->l->hs->limits.out_still * NS_PER_MS;
}

static void
cut_stuck(struct http_listener *l)
{
	nsec now = shard_now(l->shard);

	for (struct list *i = l->conns.next; i != &l->conns; i = i->next) {
		struct http_conn *c = conn_of(i);

		if (c->out.bytes > 0 && is_stuck(c, now) && output_short())
			http_conn_cut(c, "takes nothing, and others wait");
	}
}

/* The largest queue of the process, as far as it is known. */
static size_t
largest_of_all(struct http_server *hs)
{
	size_t most = 0;

	pthread_mutex_lock(&hs->lock);
	for (struct http_listener *l = hs->listeners; l != NULL; l = l->next) {
		size_t n = atomic_load_explicit(&l->largest, memory_order_relaxed);

		most = n > most ? n : most;
	}
	pthread_mutex_unlock(&hs->lock);
	return most;
}

static void ask_all(struct http_listener *l, bool self);

static void
cut_largest(struct http_listener *l)
{
	size_t limit = largest_of_all(l->hs) / 2, left = 0, over = output_over();

	for (struct list *i = l->conns.next; i != &l->conns; i = i->next) {
		struct http_conn *c = conn_of(i);

		if (c->out.bytes > limit && over > 0) {
			http_conn_cut(c, "the largest queue, and the server is full");
			over = output_over();
		}
		left = c->out.bytes > left ? c->out.bytes : left;
	}
	atomic_store_explicit(&l->largest, left, memory_order_relaxed);
	if (over > 0 && largest_of_all(l->hs) > 0)
		ask_all(l, true);
}

void
http_room_for_output(struct http_conn *c)
{
	struct http_listener *l = c->l;

	if (c->out.bytes > atomic_load_explicit(&l->largest, memory_order_relaxed))
		atomic_store_explicit(&l->largest, c->out.bytes, memory_order_relaxed);
	if (output_over() > 0)
		ask_all(l, true);
}

void
http_want_room(struct http_req *r)
{
	struct http_server *hs;

	if (r->conn == NULL)
		return;
	hs = r->conn->l->hs;
	pthread_mutex_lock(&hs->lock);
	for (struct http_listener *l = hs->listeners; l != NULL; l = l->next)
		atomic_store_explicit(&l->wanted, true, memory_order_relaxed);
	pthread_mutex_unlock(&hs->lock);
	ask_all(r->conn->l, true);
}

/* ---- the other shards -------------------------------------------------------- */

static void
on_shed(struct shard_job *job)
{
	struct http_listener *l = CONTAINER_OF(job, struct http_listener, shed_job);

	atomic_store_explicit(&l->shed_posted, false, memory_order_release);
	if (is_short())
		shed_bodies(l);
	if (atomic_exchange_explicit(&l->wanted, false, memory_order_relaxed))
		cut_stuck(l);
	if (output_over() > 0)
		cut_largest(l);
}

/* A busy second is followed by another look, a quiet one is used. */
static void
on_trim(struct wheel_timer *t)
{
	struct http_listener *l = CONTAINER_OF(t, struct http_listener, trim);
	const struct http_hooks *hooks = &l->hs->hooks;
	bool busy = l->ended >= TRIM_BUSY;

	l->ended = 0;
	if (busy) {
		shard_timer_set(l->shard, &l->trim, TRIM_MS);
		return;
	}
	http_listener_free_pool(l);
	if (!mem_has_grown(&l->level))
		return;
	if (hooks->quiet != NULL)
		hooks->quiet(hooks->ctx, l->shard);
	mem_trim(&l->level);
}

void
http_room_listener_ended(struct http_listener *l)
{
	l->ended++;
	if (!wheel_armed(&l->trim) && !l->told)
		shard_timer_set(l->shard, &l->trim, TRIM_MS);
}

void
http_room_listener_stop(struct http_listener *l)
{
	shard_timer_cancel(l->shard, &l->trim);
}

void
http_room_listener_init(struct http_listener *l)
{
	l->trim.fire = on_trim;
	l->shed_job.run = on_shed;
	atomic_init(&l->shed_posted, false);
	atomic_init(&l->wanted, false);
	atomic_init(&l->largest, 0);
}

static void
ask_all(struct http_listener *l, bool self)
{
	struct http_server *hs = l->hs;

	pthread_mutex_lock(&hs->lock);
	for (struct http_listener *o = hs->listeners; o != NULL; o = o->next)
		if ((self || o != l) && !atomic_exchange_explicit(&o->shed_posted, true,
		    memory_order_acquire))
			shard_post(o->shard, &o->shed_job);
	pthread_mutex_unlock(&hs->lock);
}

/* ---- what one connection holds ----------------------------------------------- */

static bool
settle(size_t holds, size_t *charged)
{
	if (holds > *charged && !account_take(&account_bodies, holds - *charged))
		return false;
	if (holds < *charged)
		account_give(&account_bodies, *charged - holds);
	*charged = holds;
	return true;
}

bool
http_room_for_request(struct http_conn *c)
{
	struct request *q = c->req;
	size_t holds = request_holds(q);

	if (holds == q->charged || settle(holds, &q->charged))
		return true;
	shed_bodies(c->l);
	if (settle(holds, &q->charged))
		return true;
	ask_all(c->l, false);
	return false;
}

void
http_room_for_kept(struct http_conn *c)
{
	size_t holds = c->kept.cap > HEAD_FREE ? c->kept.cap : 0;

	if (holds != c->kept_charged && !settle(holds, &c->kept_charged))
		http_conn_fail(c);
}

void
http_room_give_kept(struct http_conn *c)
{
	buf_release(&c->kept);
	http_room_for_kept(c);
}
