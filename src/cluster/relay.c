/*
 * relay.c - links and the life of a relay; see relay.h and relay_priv.h.
 *
 * The bus loses messages: when it is down, and when somebody does not keep up.  So frames
 * of a link are numbered from 1, and whoever misses one tells the sender, who begins anew
 * with another epoch; both cut what went over the link.  A frame that is lost at the end
 * shows at the next ping; one of an epoch that was left is late (bus_listen) and means nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cluster/relay_priv.h"

#include <assert.h>

#include "base/log.h"

static void
check_relay(const struct relay *rl)
{
	assert(rl != NULL && shard_is_current(rl->shard));
	assert(rl->served_n <= rl->streams.n);
}

/* ---- links ------------------------------------------------------------------------ */

static struct link *
link_of(struct list *all)
{
	return CONTAINER_OF(all, struct link, all);
}

static uint32_t
new_epoch(void)
{
	uint32_t epoch;

	do
		id_random(&epoch, sizeof epoch);
	while (epoch == 0);
	return epoch;
}

static void
link_free(struct link *l)
{
	assert(list_empty(&l->streams));
	claims_forget(l);
	list_remove(&l->all);
	free(l);
}

struct link *
link_find(struct relay *rl, int64_t node, unsigned shard)
{
	for (struct list *i = rl->links.next; i != &rl->links; i = i->next)
		if (link_of(i)->node == node && link_of(i)->shard == shard)
			return link_of(i);
	return NULL;
}

/* Those of nodes that are gone. */
static void
drop_dead_links(struct relay *rl)
{
	const struct relay_bus *bus = &rl->all->bus;

	for (struct list *i = rl->links.next, *next; i != &rl->links; i = next) {
		struct link *l = link_of(i);

		next = i->next;
		if (list_empty(&l->streams) && !l->broken && !bus->alive(bus->ctx, l->node))
			link_free(l);
	}
}

struct link *
link_get(struct relay *rl, int64_t node, unsigned shard)
{
	struct link *l = link_find(rl, node, shard);

	if (l != NULL)
		return l;
	drop_dead_links(rl);
	if (list_count(&rl->links) >= LIMIT_RELAY_LINKS)
		return NULL;
	l = mem_new(struct link);
	l->rl = rl;
	l->node = node;
	l->shard = shard;
	l->epoch = new_epoch();
	list_init(&l->streams);
	list_append(&rl->links, &l->all);
	return l;
}

/* Until it is known how many shards that node has, its first one serves. */
struct link *
link_for(struct relay *rl, int64_t node)
{
	struct link *first = link_get(rl, node, 0);

	if (first == NULL)
		return NULL;
	if (first->shards == 0) {
		link_send(first, (struct frame){ .kind = FRAME_PING,
		    .value = rl->all->shards }, NULL, 0);
		return first;
	}
	return link_get(rl, node, rl->id % first->shards);
}

static void
link_break(struct link *l)
{
	l->broken = true;
	shard_at_turn_end(l->rl->shard, &l->rl->turn);
}

void
link_send(struct link *l, struct frame f, const struct str *pieces, size_t n)
{
	const struct relay_bus *bus = &l->rl->all->bus;
	char head[FRAME_HEAD];
	struct str all[1 + 16] = { { head, sizeof head } };
	int rc;

	assert(n < COUNT(all));
	if (l->broken)
		return;
	f.node = l->rl->node;
	f.shard = l->rl->id;
	f.epoch = l->epoch;
	f.base_epoch = l->base_epoch;
	f.base_number = l->base_number;
	f.number = ++l->sent;
	frame_write(head, &f);
	for (size_t i = 0; i < n; i++)
		all[1 + i] = pieces[i];
	rc = bus->send(bus->ctx, l->node, l->shard, all, 1 + n);
	if (rc == OK)
		return;
	log_debug("cluster", "relay_not_sent", "node=%lld error=%s", (long long)l->node,
	    rc_text(rc));
	link_break(l);
}

static void
passage_cut(struct passage *s)
{
	if (s->opener)
		out_cut(s);
	else
		in_cut(s);
}

/* Cuts what goes over it.  anew: the other side does not know yet; it does the same when
 * it receives a frame of our new epoch. */
static void
link_cut(struct link *l, bool anew, const char *why)
{
	struct list cut;
	size_t n = list_count(&l->streams);

	if (n > 0)
		log_warn("cluster", "relay_cut", "node=%lld shard=%u requests=%zu reason=%s",
		    (long long)l->node, l->shard, n, why);
	list_init(&cut);
	list_move(&cut, &l->streams);
	if (anew) {
		l->told = false;
		l->epoch = new_epoch();
		l->base_epoch = l->epoch_in;
		l->base_number = l->heard;
		l->sent = 0;
		l->broken = false;
	}
	l->pinged = 0;
	atomic_fetch_add_explicit(&l->rl->lost, n, memory_order_relaxed);
	while (!list_empty(&cut))
		passage_cut(CONTAINER_OF(cut.next, struct passage, of_link));
}

/* The other side began anew, and cut what it knew of then: requests of its clients, and
 * those of ours that it had received. */
static void
link_began_anew(struct link *l, const struct frame *f)
{
	struct list cut;
	size_t n = 0;

	list_init(&cut);
	for (struct list *i = l->streams.next, *next; i != &l->streams; i = next) {
		struct passage *s = CONTAINER_OF(i, struct passage, of_link);

		next = i->next;
		if (s->opener && (f->base_epoch != l->epoch || s->number > f->base_number))
			continue;
		n++;
		list_remove(&s->of_link);
		list_append(&cut, &s->of_link);
	}
	/* One that is cut may take others with it. */
	while (!list_empty(&cut))
		passage_cut(CONTAINER_OF(cut.next, struct passage, of_link));
	if (n > 0)
		log_warn("cluster", "relay_cut", "node=%lld shard=%u requests=%zu reason=%s",
		    (long long)l->node, l->shard, n, "the other node began anew");
	atomic_fetch_add_explicit(&l->rl->lost, n, memory_order_relaxed);
	claims_forget(l);
	l->left[l->left_n++ % EPOCHS_LEFT] = l->epoch_in;
	l->epoch_in = f->epoch;
	l->heard = 0;
	l->deaf = false;
}

static void
cut_all(struct relay *rl, const char *why)
{
	for (struct list *i = rl->links.next; i != &rl->links; i = i->next)
		link_cut(link_of(i), true, why);
}

static void
cut_broken(struct shard_job *job)
{
	struct relay *rl = CONTAINER_OF(job, struct relay, turn);

	for (struct list *i = rl->links.next; i != &rl->links; i = i->next)
		if (link_of(i)->broken)
			link_cut(link_of(i), true, "a frame could not be sent");
}

/* ---- streams ------------------------------------------------------------------------ */

struct key { const struct link *link; uint64_t id; bool opener; };

static uint64_t
key_hash(const void *key)
{
	const struct key *k = key;

	return str_hash_keyed((struct str){ (const char *)&k->id, sizeof k->id }) ^
	    (uint64_t)(uintptr_t)k->link >> 4 ^ k->opener;
}

static bool
key_is(const void *value, const void *key)
{
	const struct passage *s = value;
	const struct key *k = key;

	return s->link == k->link && s->id == k->id && s->opener == k->opener;
}

static const void *
key_of(const void *value)
{
	static _Thread_local struct key k;
	const struct passage *s = value;

	k = (struct key){ .link = s->link, .id = s->id, .opener = s->opener };
	return &k;
}

void
passage_add(struct passage *s, struct link *l)
{
	struct relay *rl = l->rl;

	s->link = l;
	list_append(&l->streams, &s->of_link);
	map_put(&rl->streams, s);
	rl->served_n += !s->opener;
	atomic_store_explicit(&rl->under_way, rl->streams.n, memory_order_relaxed);
	if (!wheel_armed(&rl->beat))
		shard_timer_set(rl->shard, &rl->beat, LIMIT_RELAY_PING_MS);
}

void
passage_leave(struct passage *s)
{
	struct key k = { .link = s->link, .id = s->id, .opener = s->opener };
	struct relay *rl;

	if (s->link == NULL)
		return;
	rl = s->link->rl;
	shard_timer_cancel(rl->shard, &s->beat);
	list_remove(&s->of_link);
	list_remove(&s->pending);
	map_take(&rl->streams, &k);
	rl->served_n -= !s->opener;
	atomic_store_explicit(&rl->under_way, rl->streams.n, memory_order_relaxed);
	s->link = NULL;
}

void
passage_discard(struct passage *s)
{
	buf_release(&s->out);
	buf_release(&s->lines);
	buf_release(&s->answer);
	buf_release(&s->pend);
	free(s->peer);
	if (s->guard != NULL) {
		s->guard->passage = NULL;
		s->guard->over(s->guard);
	}
	free(s);
}

void
passage_free(struct passage *s)
{
	passage_leave(s);
	passage_discard(s);
}

void
passage_send(struct passage *s, enum frame_kind kind, unsigned arg, uint64_t value,
    struct str payload)
{
	link_send(s->link, (struct frame){ .kind = kind, .opener = s->opener, .arg = arg,
	    .id = s->id, .value = value }, &payload, payload.n > 0);
}

void
passage_owe(struct passage *s, size_t n, size_t worth)
{
	s->owed += n;
	if (s->owed == 0 || s->owed < worth)
		return;
	passage_send(s, FRAME_CREDIT, 0, s->owed, STR_NONE);
	s->owed = 0;
}

struct passage *
passage_find(const struct link *l, uint64_t id, bool opener)
{
	struct key k = { .link = l, .id = id, .opener = opener };

	return map_get(&l->rl->streams, &k);
}

static void
passage_frame(struct link *l, const struct frame *f)
{
	struct passage *s = passage_find(l, f->id, !f->opener);

	if (s == NULL)
		return;                      /* it has ended here already */
	if (s->opener)
		out_frame(s, f);
	else
		in_frame(s, f);
}

/* ---- frames ------------------------------------------------------------------------- */

void
relay_look(struct relay *rl)
{
	int64_t node = atomic_load_explicit(&rl->all->node, memory_order_acquire);

	if (node == rl->node)
		return;
	cut_all(rl, "this node has another number");
	rl->node = node;
}

static bool
is_late(const struct link *l, const struct frame *f)
{
	for (size_t i = 0; i < EPOCHS_LEFT; i++)
		if (l->left[i] == f->epoch)
			return true;
	return false;
}

/* Is it the next one of its link?  Else what the link carries is cut. */
static bool
in_order(struct link *l, const struct frame *f)
{
	if (is_late(l, f))
		return false;
	if (f->epoch != l->epoch_in)
		link_began_anew(l, f);
	if (l->deaf)
		return false;
	if (f->number == l->heard + 1) {
		l->heard = f->number;
		return true;
	}
	l->deaf = true;
	link_cut(l, false, "a frame is missing");
	link_send(l, (struct frame){ .kind = FRAME_BROKEN, .value = f->epoch, .arg = 1,
	    .id = l->heard }, NULL, 0);
	return false;
}

/* The other side missed a frame.  It has looked at none behind the one that it names: requests
 * of ours that begin there are sent again. */
static void
link_missed(struct link *l, const struct frame *f)
{
	struct list again;

	list_init(&again);
	for (struct list *i = l->streams.next, *next; f->arg != 0 && i != &l->streams; i = next) {
		struct passage *s = CONTAINER_OF(i, struct passage, of_link);

		next = i->next;
		if (!s->opener || s->number <= f->id)
			continue;
		list_remove(&s->of_link);
		list_append(&again, &s->of_link);
	}
	link_cut(l, true, "a frame was lost on its way");
	while (!list_empty(&again))
		out_again(CONTAINER_OF(again.next, struct passage, of_link));
}

static void
link_frame(struct link *l, const struct frame *f)
{
	switch (f->kind) {
	case FRAME_PING:
		l->shards = (unsigned)f->value;
		link_send(l, (struct frame){ .kind = FRAME_PONG,
		    .value = l->rl->all->shards }, NULL, 0);
		break;
	case FRAME_PONG:
		l->shards = (unsigned)f->value;
		l->pinged = 0;
		l->silent = false;
		break;
	case FRAME_BROKEN:
		if (f->value == l->epoch)
			link_missed(l, f);
		break;
	case FRAME_ASK:
		find_asked(l, f);
		break;
	case FRAME_ANSWER:
		find_answered(l->rl, f);
		break;
	case FRAME_CLAIM:
		claims_heard(l, f);
		break;
	case FRAME_OPEN:
		in_open(l, f);
		break;
	default:
		passage_frame(l, f);
		break;
	}
}

void
relay_heard(struct relay *rl, struct str frame)
{
	struct frame f;
	struct link *l;

	check_relay(rl);
	relay_look(rl);
	if (rl->stopped || rl->node == 0)
		return;
	if (!frame_read(frame, &f)) {
		log_warn("cluster", "relay_frame", "bytes=%zu error=not a frame of this "
		    "version", frame.n);
		return;
	}
	l = link_get(rl, f.node, f.shard);
	if (l != NULL && in_order(l, &f))
		link_frame(l, &f);
}

/* ---- time ---------------------------------------------------------------------------- */

/* Once a second and link with requests under way; and while its node is silent, until that
 * answers: nothing else goes there meanwhile. */
static void
beat(struct link *l)
{
	const struct relay_bus *bus = &l->rl->all->bus;
	nsec now = shard_now(l->rl->shard);

	if (list_empty(&l->streams) && l->rl->id != 0 && !l->silent) {
		l->pinged = 0;
	} else if (!bus->alive(bus->ctx, l->node)) {
		link_cut(l, true, "the node is gone");
	} else if (l->pinged == 0 || l->silent) {
		/* What was lost meanwhile left each side deaf to the other's frames, also to
		 * those that say so: each ping of a silent node can be the first it receives. */
		if (l->silent && list_empty(&l->streams))
			link_cut(l, true, "the node is silent");
		l->pinged = now;
		link_send(l, (struct frame){ .kind = FRAME_PING,
		    .value = l->rl->all->shards }, NULL, 0);
	} else if (now - l->pinged >= LIMIT_RELAY_DOWN_MS * NS_PER_MS) {
		l->silent = true;
		link_cut(l, true, "the node does not answer");
	}
}

static void
on_beat(struct wheel_timer *t)
{
	struct relay *rl = CONTAINER_OF(t, struct relay, beat);
	bool silent = false;

	relay_look(rl);
	for (struct list *i = rl->links.next; i != &rl->links; i = i->next) {
		beat(link_of(i));
		silent = silent || link_of(i)->silent;
	}
	claims_beat(rl);
	if (rl->streams.n > 0 || rl->id == 0 || silent)
		shard_timer_set(rl->shard, &rl->beat, LIMIT_RELAY_PING_MS);
}

static void
on_down(struct wheel_timer *t)
{
	cut_all(CONTAINER_OF(t, struct relay, down), "the bus is down");
}

void
relay_bus_changed(struct relay *rl, bool up)
{
	check_relay(rl);
	rl->up = up;
	if (up)
		shard_timer_cancel(rl->shard, &rl->down);
	else if (!wheel_armed(&rl->down))
		shard_timer_set(rl->shard, &rl->down, LIMIT_RELAY_DOWN_MS);
}

/* ---- life ---------------------------------------------------------------------------- */

struct relays *
relays_new(const struct relay_bus *bus, struct http_server *hs, unsigned shards)
{
	struct relays *all = mem_new(struct relays);

	assert(bus->send != NULL && bus->alive != NULL && bus->others != NULL &&
	    bus->has != NULL && shards > 0);
	all->bus = *bus;
	all->hs = hs;
	all->shards = shards;
	claims_init(&all->claims);
	return all;
}

void
relays_free(struct relays *all)
{
	if (all == NULL)
		return;
	claims_release(&all->claims);
	free(all);
}

void
relays_set_node(struct relays *all, int64_t node)
{
	atomic_store_explicit(&all->node, node, memory_order_release);
}

struct relay *
relay_new(struct relays *all, struct shard *s)
{
	struct relay *rl = mem_new(struct relay);

	assert(shard_id(s) < all->shards);
	rl->all = all;
	rl->shard = s;
	rl->id = shard_id(s);
	rl->up = true;
	list_init(&rl->links);
	list_init(&rl->finds);
	list_init(&rl->pending);
	rl->flush.run = in_flush;
	map_init(&rl->streams, key_hash, key_is, key_of);
	rl->turn.run = cut_broken;
	rl->beat.fire = on_beat;
	rl->down.fire = on_down;
	if (shard_id(s) == 0) {
		claims_open(rl);
		shard_timer_set(s, &rl->beat, LIMIT_RELAY_PING_MS);
	}
	return rl;
}

void
relay_drain(struct relay *rl)
{
	struct link *l;
	struct list *i, *next;

	check_relay(rl);
	for (struct list *at = rl->links.next; at != &rl->links; at = at->next) {
		l = link_of(at);
		for (i = l->streams.next; i != &l->streams; i = next) {
			struct passage *s = CONTAINER_OF(i, struct passage, of_link);

			next = i->next;
			if (s->opener && s->answered && s->whole == NULL) {
				passage_send(s, FRAME_ABORT, 0, 0, STR_NONE);
				out_cut(s);
			}
		}
	}
}

void
relay_stop(struct relay *rl)
{
	check_relay(rl);
	if (rl->stopped)
		return;
	rl->stopped = true;
	cut_all(rl, "this server stops");
	finds_stop(rl);
	claims_stop(rl);
	shard_timer_cancel(rl->shard, &rl->beat);
	shard_timer_cancel(rl->shard, &rl->down);
}

void
relay_free(struct relay *rl)
{
	if (rl == NULL)
		return;
	assert(rl->streams.n == 0);
	while (!list_empty(&rl->links))
		link_free(link_of(rl->links.next));
	map_release(&rl->streams);
	free(rl);
}

void
relay_stats_add(struct relay_stats *sum, const struct relay *rl)
{
	sum->sent += atomic_load_explicit(&rl->sent, memory_order_relaxed);
	sum->served += atomic_load_explicit(&rl->served, memory_order_relaxed);
	sum->lost += atomic_load_explicit(&rl->lost, memory_order_relaxed);
	sum->streams += atomic_load_explicit(&rl->under_way, memory_order_relaxed);
}
