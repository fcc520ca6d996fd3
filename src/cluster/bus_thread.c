/*
 * bus_thread.c - the thread of the bus: it connects, and hands over what it reads.
 *
 * libnats runs in the mode for event loops: it has no thread that reads or writes.  What
 * one read brings is one job a shard.  What the shards say in a turn is one write, at
 * the turn's end and by the shard itself, for each thread that a message passes costs
 * 12 to 15 us of wake-up; this thread writes when others are at it or the socket is
 * full.  A connection that is lost is thrown away with its subscriptions and made anew.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cluster/bus_priv.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static _Thread_local bool ours;              /* this is the bus's thread */

/* For all places: news for the watchers. */
static void
tell_all(struct bus *b, enum bus_news_kind kind)
{
	pthread_mutex_lock(&b->lock);
	atomic_store(&b->up, kind == NEWS_UP);
	for (size_t i = 0; i < LIMIT_SHARDS; i++)
		if (b->places[i] != NULL)
			bus_place_add(b->places[i], (struct bus_news){ .kind = kind });
	pthread_mutex_unlock(&b->lock);
}

static void
post_all(struct bus *b)
{
	for (size_t i = 0; i < LIMIT_SHARDS; i++) {
		struct bus_place *p;

		pthread_mutex_lock(&b->lock);
		p = b->places[i];
		pthread_mutex_unlock(&b->lock);
		if (p != NULL)
			bus_place_tell(p);
	}
}

/* Subjects. */

static void
subscribe(struct bus *b, struct bus_subject *s)
{
	natsStatus st;

	if (b->nc == NULL)
		return;
	st = nats.natsConnection_SubscribeSync(&s->sub, b->nc, s->name);
	if (st != NATS_OK)
		log_error("cluster", "nats_subscribe", "subject=%s reason=%s", s->name,
		    nats.natsStatus_GetText(st));
}

static void
unsubscribe(struct bus_subject *s)
{
	if (s->sub == NULL)
		return;
	nats.natsSubscription_Unsubscribe(s->sub);
	nats.natsSubscription_Destroy(s->sub);
	s->sub = NULL;
}

static void
admit(struct bus *b, struct bus_ear *ear)
{
	struct bus_subject *s = NULL;

	for (struct list *l = b->subjects.next; l != &b->subjects && s == NULL; l = l->next) {
		struct bus_subject *one = CONTAINER_OF(l, struct bus_subject, in);

		if (strcmp(one->name, ear->subject) == 0)
			s = one;
	}
	if (s == NULL) {
		s = mem_new(struct bus_subject);
		s->name = mem_cstr(str_of(ear->subject));
		list_init(&s->ears);
		list_append(&b->subjects, &s->in);
		subscribe(b, s);
	}
	list_append(&s->ears, &ear->in);
}

static void
subject_free(struct bus_subject *s)
{
	unsubscribe(s);
	list_remove(&s->in);
	free(s->name);
	free(s);
}

static void
dismiss(struct bus *b, struct bus_ear *ear)
{
	struct list *rest = ear->in.next;

	list_remove(&ear->in);
	if (list_empty(rest))                /* it was alone: rest is the head */
		for (struct list *l = b->subjects.next; l != &b->subjects; l = l->next) {
			struct bus_subject *s = CONTAINER_OF(l, struct bus_subject, in);

			if (&s->ears == rest) {
				subject_free(s);
				break;
			}
		}
	bus_place_add(ear->place, (struct bus_news){ .kind = NEWS_GONE, .ear = ear });
	bus_place_tell(ear->place);
}

/* Arrivals first: an ear may be stopped before it was seen here. */
static void
take_ears(struct bus *b)
{
	struct list come, go, *next;

	list_init(&come);
	list_init(&go);
	pthread_mutex_lock(&b->lock);
	list_move(&come, &b->arrivals);
	list_move(&go, &b->leavers);
	pthread_mutex_unlock(&b->lock);
	for (struct list *l = come.next; l != &come; l = next) {
		next = l->next;
		list_remove(l);
		admit(b, CONTAINER_OF(l, struct bus_ear, in));
	}
	for (struct list *l = go.next; l != &go; l = next) {
		next = l->next;
		list_remove(l);
		dismiss(b, CONTAINER_OF(l, struct bus_ear, leaving));
	}
}

static struct str
without_prefix(const struct bus *b, const char *subject)
{
	struct str s = str_of(subject);

	return s.n > b->prefix_n && memcmp(s.p, b->prefix, b->prefix_n) == 0 ?
	    str_sub(s, b->prefix_n, s.n) : s;
}

static struct bus_copy *
copy_of(const struct bus *b, const natsMsg *msg)
{
	struct str subject = without_prefix(b, nats.natsMsg_GetSubject(msg));
	struct str reply = without_prefix(b, nats.natsMsg_GetReply(msg));
	struct str body = { nats.natsMsg_GetData(msg), (size_t)nats.natsMsg_GetDataLength(msg) };
	size_t bytes = sizeof(struct bus_copy) + subject.n + reply.n + body.n;
	struct bus_copy *c = mem_alloc(bytes);
	char *at = c->text;

	atomic_init(&c->refs, 1);
	c->bytes = bytes;
	c->m.subject = str_put(&at, subject);
	c->m.reply = str_put(&at, reply);
	c->m.body = str_put(&at, body);
	return c;
}

static void
hand_over(struct bus *b, struct bus_subject *s, struct bus_copy *c)
{
	b->heard++;
	b->heard_bytes += c->m.body.n;
	for (struct list *l = s->ears.next; l != &s->ears; l = l->next) {
		struct bus_ear *ear = CONTAINER_OF(l, struct bus_ear, in);

		atomic_fetch_add(&c->refs, 1);
		if (!bus_place_add(ear->place,
		    (struct bus_news){ .kind = NEWS_HEARD, .ear = ear, .copy = c })) {
			b->dropped++;
			bus_copy_drop(c);
		}
	}
	bus_copy_drop(c);
}

static void
hand_over_all(struct bus *b)
{
	for (struct list *l = b->subjects.next; l != &b->subjects; l = l->next) {
		struct bus_subject *s = CONTAINER_OF(l, struct bus_subject, in);
		natsMsg *msg;

		while (s->sub != NULL &&
		    nats.natsSubscription_NextMsg(&msg, s->sub, 0) == NATS_OK) {
			struct bus_copy *c = copy_of(b, msg);

			nats.natsMsg_Destroy(msg);
			hand_over(b, s, c);
		}
	}
	post_all(b);
}

/* What is sent. */

static void
take_outbox(struct bus *b)
{
	struct bus_out *top, *list = NULL, *last = NULL;

	if (atomic_load_explicit(&b->outbox, memory_order_relaxed) == NULL)
		return;
	top = last = atomic_exchange_explicit(&b->outbox, NULL, memory_order_acquire);
	while (top != NULL) {
		struct bus_out *next = top->next;

		top->next = list;
		list = top;
		top = next;
	}
	*b->queue_tail = list;
	b->queue_tail = &last->next;
}

static struct bus_out *
queue_pop(struct bus *b)
{
	struct bus_out *o = b->queue;

	b->queue = o->next;
	if (b->queue == NULL)
		b->queue_tail = &b->queue;
	atomic_fetch_sub(&b->waiting, o->body + sizeof *o);
	return o;
}

static void
publish(struct bus *b, const struct bus_out *o)
{
	const char *reply = o->text + o->subject + 1;
	const char *body = o->reply > 0 ? reply + o->reply + 1 : reply;
	natsStatus st = o->reply > 0 ?
	    nats.natsConnection_PublishRequest(b->nc, o->text, reply, body, (int)o->body) :
	    nats.natsConnection_Publish(b->nc, o->text, body, (int)o->body);

	if (st == NATS_OK) {
		b->sent++;
		b->sent_bytes += o->body;
		return;
	}
	b->refused++;
	if (!nats.natsConnection_IsClosed(b->nc))
		log_error("cluster", "nats_send", "subject=%s bytes=%zu reason=%s", o->text,
		    o->body, nats.natsStatus_GetText(st));
}

/* Hands libnats so much that it is always busy and never holds all. */
static void
send_queue(struct bus *b)
{
	take_outbox(b);
	do {
		while (b->queue != NULL &&
		    nats.natsConnection_Buffered(b->nc) < LIMIT_BUS_UNSENT_BYTES) {
			struct bus_out *o = queue_pop(b);

			publish(b, o);
			free(o);
		}
		if (nats.natsConnection_Buffered(b->nc) > 0)
			nats.natsConnection_ProcessWriteEvent(b->nc);
	} while (b->queue != NULL && nats.natsConnection_Buffered(b->nc) == 0);
}

/* Neither a wait nor a call back: libnats does not connect again under its lock, and
 * writes what the socket takes. */
void
bus_send_now(struct bus *b)
{
	bool ears;

	pthread_mutex_lock(&b->lock);
	ears = !list_empty(&b->arrivals);    /* else a request's answer could be missed */
	pthread_mutex_unlock(&b->lock);
	if (ears || pthread_mutex_trylock(&b->sending) != 0) {
		bus_ring(b);
		return;
	}
	if (b->nc != NULL && !nats.natsConnection_IsClosed(b->nc))
		send_queue(b);
	if (b->queue != NULL)
		bus_ring(b);
	pthread_mutex_unlock(&b->sending);
}

static void
drop_queue(struct bus *b)
{
	take_outbox(b);
	while (b->queue != NULL) {
		free(queue_pop(b));
		b->refused++;
	}
}

/* The connection. */

/* libnats tells with the password; what is shown is behind it. */
static void
note_server(struct bus *b, bool up)
{
	char url[512] = "";
	struct str shown = STR_NONE;

	if (up && nats.natsConnection_GetConnectedUrl(b->nc, url, sizeof url) == NATS_OK) {
		const char *at = strrchr(url, '@'), *scheme = strstr(url, "://");

		shown = str_of(at != NULL ? at + 1 : scheme != NULL ? scheme + 3 : url);
	}
	pthread_mutex_lock(&b->lock);
	snprintf(b->server, sizeof b->server, "%.*s",
	    FMT(str_cut(shown, sizeof b->server - 1)));
	pthread_mutex_unlock(&b->lock);
}

static void
connected(struct bus *b)
{
	note_server(b, true);
	bus_why(b, "");
	b->connects++;
	b->told_down = false;
	b->silent = 0;
	b->next_beat = clock_mono() + LIMIT_BUS_PING_MS * NS_PER_MS;
	log_info("cluster", "nats_up", "server=%s", b->server);
	tell_all(b, NEWS_UP);
	post_all(b);
}

static void
log_lost(struct bus *b)
{
	const char *why = NULL;
	natsStatus st = nats.natsConnection_GetLastError(b->nc, &why);

	if (b->silent >= LIMIT_BUS_PINGS)
		why = "no answer to pings";
	else if (why == NULL || why[0] == '\0')
		why = nats.natsStatus_GetText(st);
	bus_why(b, why);
	if (!atomic_load(&b->closing))
		log_warn("cluster", "nats_down", "server=%s reason=%s", b->server, why);
}

static void
disconnect(struct bus *b)
{
	for (struct list *l = b->subjects.next; l != &b->subjects; l = l->next)
		unsubscribe(CONTAINER_OF(l, struct bus_subject, in));
	nats.natsConnection_Destroy(b->nc);
	b->nc = NULL;
	b->fd = -1;
	atomic_store(&b->want_write, false);
	note_server(b, false);
	drop_queue(b);
}

static void
lost(struct bus *b)
{
	log_lost(b);
	hand_over_all(b);
	tell_all(b, NEWS_DOWN);
	post_all(b);
	disconnect(b);
}

/* What libnats asks of an event loop. */

static natsStatus
on_attach(void **user, void *loop, natsConnection *nc, natsSock fd)
{
	struct bus *b = loop;

	(void)nc;
	*user = b;
	b->fd = (int)fd;
	return NATS_OK;
}

static natsStatus
on_read_wanted(void *user, bool add)
{
	(void)user;
	(void)add;                           /* we always read */
	return NATS_OK;
}

/* From libnats' timer too, which sends the pings. */
static natsStatus
on_write_wanted(void *user, bool add)
{
	struct bus *b = user;

	if (atomic_exchange(&b->want_write, add) != add && add && !ours)
		bus_ring(b);
	return NATS_OK;
}

static natsStatus
on_detach(void *user)
{
	bus_ring(user);
	return NATS_OK;
}

natsStatus
bus_thread_drives(struct bus *b)
{
	return nats.natsOptions_SetEventLoop(b->opts, b, on_attach, on_read_wanted,
	    on_write_wanted, on_detach);
}

/* Each attempt takes up to LIMIT_BUS_CONNECT_MS a server, and as long for the proof. */
static void
connect_once(struct bus *b)
{
	natsConnection *nc = NULL;
	natsStatus st = nats.natsConnection_Connect(&nc, b->opts);

	if (st == NATS_OK) {
		pthread_mutex_lock(&b->sending);
		take_ears(b);
		b->nc = nc;
		for (struct list *l = b->subjects.next; l != &b->subjects; l = l->next)
			subscribe(b, CONTAINER_OF(l, struct bus_subject, in));
		if (bus_prove(b))
			connected(b);
		else
			disconnect(b);
		pthread_mutex_unlock(&b->sending);
	} else {
		bus_why(b, nats.natsStatus_GetText(st));
	}
	if (b->nc == NULL && !b->told_down && !atomic_load(&b->closing)) {
		log_warn("cluster", "nats_unreachable", "reason=%s: tried again each %d ms",
		    b->why, LIMIT_BUS_RETRY_MS);
		b->told_down = true;
	}
}

/* A subject that the proof has not asked for: the bus is of no use, and was taken for up. */
static void
end_if_denied(struct bus *b)
{
	const char *why;

	if (!bus_denied(b, &why))
		return;
	b->not_before = clock_mono() + LIMIT_BUS_DENIED_MS * NS_PER_MS;
	nats.natsConnection_Close(b->nc);
}

static void
silence(struct bus *b)
{
	uint64_t count;

	while (read(b->bell, &count, sizeof count) > 0)
		;
}

/* Nodes that lost the same server do not come back at the same instant. */
static msec
pause_ms(void)
{
	uint16_t some;

	id_random(&some, sizeof some);
	return LIMIT_BUS_RETRY_MS + some % (LIMIT_BUS_RETRY_MS / 2);
}

/* Until the time, or the end; ears that come meanwhile are kept for later. */
static void
rest(struct bus *b, msec ms)
{
	struct pollfd p = { .fd = b->bell, .events = POLLIN };
	nsec end = clock_mono() + ms * NS_PER_MS;

	while (!atomic_load(&b->closing) && clock_mono() < end) {
		poll(&p, 1, (int)((end - clock_mono()) / NS_PER_MS) + 1);
		silence(b);
		pthread_mutex_lock(&b->sending);
		take_ears(b);
		drop_queue(b);
		pthread_mutex_unlock(&b->sending);
	}
}

/* libnats sends a ping each LIMIT_BUS_PING_MS; whatever is received shows that the
 * server lives, since its pong may be behind many messages.  A pause of this process is one beat. */
static void
feel_pulse(struct bus *b, bool heard)
{
	nsec now = clock_mono();

	if (heard)
		b->silent = 0;
	else if (now < b->next_beat)
		return;
	else if (++b->silent >= LIMIT_BUS_PINGS)
		nats.natsConnection_Close(b->nc);
	b->next_beat = now + LIMIT_BUS_PING_MS * NS_PER_MS;
}

static void
turn(struct bus *b)
{
	struct pollfd p[2] = { { .fd = b->bell, .events = POLLIN },
	    { .fd = b->fd, .events = POLLIN } };

	if (atomic_load(&b->want_write))
		p[1].events |= POLLOUT;
	if (poll(p, 2, LIMIT_BUS_PING_MS) < 0)
		return;
	if (p[0].revents != 0)
		silence(b);
	if ((p[1].revents & ~POLLOUT) != 0) {
		nats.natsConnection_ProcessReadEvent(b->nc);
		hand_over_all(b);
		end_if_denied(b);
	}
	feel_pulse(b, (p[1].revents & POLLIN) != 0);
	pthread_mutex_lock(&b->sending);
	take_ears(b);                        /* before the questions they ask */
	if (!nats.natsConnection_IsClosed(b->nc))
		send_queue(b);
	if (nats.natsConnection_IsClosed(b->nc))
		lost(b);
	pthread_mutex_unlock(&b->sending);
}

/* Sends what waits, as far as the server takes it. */
static void
finish(struct bus *b)
{
	nsec end = clock_mono() + LIMIT_BUS_CLOSE_MS * NS_PER_MS;

	if (b->nc != NULL) {
		send_queue(b);
		while (nats.natsConnection_Buffered(b->nc) > 0 && clock_mono() < end) {
			struct pollfd p = { .fd = b->fd, .events = POLLOUT };

			poll(&p, 1, 10);
			send_queue(b);
		}
		nats.natsConnection_Close(b->nc);
		lost(b);
	}
	drop_queue(b);
	take_ears(b);
	while (!list_empty(&b->subjects)) {
		struct bus_subject *s = CONTAINER_OF(b->subjects.next, struct bus_subject, in);

		while (!list_empty(&s->ears))
			list_remove(s->ears.next);
		subject_free(s);
	}
}

void *
bus_thread(void *arg)
{
	struct bus *b = arg;

	ours = true;
	pthread_setname_np(pthread_self(), "bus");
	while (!atomic_load(&b->closing)) {
		if (b->nc != NULL) {
			turn(b);
			continue;
		}
		if (clock_mono() >= b->not_before)
			connect_once(b);
		if (b->nc == NULL)
			rest(b, pause_ms());
	}
	finish(b);
	return NULL;
}
