/*
 * bus.c - see bus.h: options, life, and what any thread may call.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cluster/bus_priv.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void
check_bus(const struct bus *b)
{
	CHECK_MARK(b, BUS_MARK);
}

/* Any thread; EAGAIN: it is ringing. */
void
bus_ring(struct bus *b)
{
	const uint64_t one = 1;
	ssize_t n = write(b->bell, &one, sizeof one);

	assert(n == (ssize_t)sizeof one || errno == EAGAIN);
	(void)n;
}

/* Options. */

static int
check_cluster(struct str cluster, struct err *e)
{
	if (cluster.n == 0 || cluster.n > 64)
		return err_set(e, ERR_INVALID, "the name of a cluster has 1 to 64 bytes, "
		    "not %zu", cluster.n);
	for (size_t i = 0; i < cluster.n; i++) {
		char c = cluster.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || c == '-' || c == '_'))
			return err_set(e, ERR_INVALID, "the name of a cluster, \"%.*s\", may "
			    "have letters, digits, - and _ only", FMT(cluster));
	}
	return OK;
}

/* One option that is a name of a file or another text. */
static int
set_text(natsOptions *opts, natsStatus (*set)(natsOptions *, const char *),
    struct str value, const char *what, struct err *e)
{
	char *text;
	natsStatus st;

	if (value.n == 0)
		return OK;
	text = mem_cstr(value);
	st = set(opts, text);
	free(text);
	return bus_failed(st, what, value, e);
}

static int
set_files(natsOptions *opts, const struct bus_options *o, struct err *e)
{
	char *first, *second;
	int rc = OK;

	if ((o->cert.n > 0) != (o->key.n > 0))
		return err_set(e, ERR_INVALID, "a certificate for NATS needs its key, and a "
		    "key its certificate");
	if (o->cert.n > 0) {
		first = mem_cstr(o->cert);
		second = mem_cstr(o->key);
		rc = bus_failed(nats.natsOptions_LoadCertificatesChain(opts, first, second),
		    "certificate and key", o->cert, e);
		free(first);
		free(second);
	}
	if (rc == OK)
		rc = set_text(opts, nats.natsOptions_LoadCATrustedCertificates, o->ca,
		    "certificates of the authority", e);
	if (rc == OK && o->creds.n > 0) {
		first = mem_cstr(o->creds);
		rc = bus_failed(nats.natsOptions_SetUserCredentialsFromFiles(opts, first, NULL),
		    "credentials", o->creds, e);
		free(first);
	}
	return rc;
}

/* libnats neither reads, nor writes, nor connects again by itself: our thread does, so
 * there is one way for the first connection and for later ones, and no message is kept
 * over an outage. */
static int
set_ways(struct bus *b, bool tls, struct err *e)
{
	natsOptions *o = b->opts;
	natsStatus st = bus_thread_drives(b);

	if (st == NATS_OK)
		st = nats.natsOptions_SetAllowReconnect(o, false);
	if (st == NATS_OK)
		st = nats.natsOptions_SetTimeout(o, LIMIT_BUS_CONNECT_MS);
	if (st == NATS_OK)
		st = nats.natsOptions_SetPingInterval(o, LIMIT_BUS_PING_MS);
	if (st == NATS_OK)
		st = nats.natsOptions_SetMaxPingsOut(o, INT_MAX);       /* feel_pulse */
	if (st == NATS_OK)
		st = nats.natsOptions_SetIOBufSize(o, 65536);
	if (st == NATS_OK && tls)
		st = nats.natsOptions_SetSecure(o, true);
	return bus_failed(st, "options", STR_NONE, e);
}

static int
set_options(struct bus *b, const struct bus_options *o, struct err *e)
{
	bool tls = false;
	int rc = bus_failed(nats.natsOptions_Create(&b->opts), "options", STR_NONE, e);

	if (rc == OK)
		rc = bus_set_servers(b->opts, o->urls, &tls, e);
	if (rc == OK)
		rc = set_text(b->opts, nats.natsOptions_SetName, o->name, "name", e);
	if (rc == OK)
		rc = set_ways(b, tls, e);
	return rc == OK ? set_files(b->opts, o, e) : rc;
}

/* Life. */

static int
start(struct bus *b, struct err *e)
{
	sigset_t all, old;
	int rc;

	b->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (b->bell < 0)
		return err_set(e, ERR_IO, "eventfd: %s", strerror(errno));
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&b->thread, NULL, bus_thread, b);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc == 0)
		return OK;
	close(b->bell);
	return err_set(e, ERR_IO, "thread of NATS: %s", strerror(rc));
}

static void
release(struct bus *b)
{
	struct list *next;

	for (struct list *l = b->ears.next; l != &b->ears; l = next) {
		struct bus_ear *ear = CONTAINER_OF(l, struct bus_ear, all);

		next = l->next;
		free(ear->subject);
		free(ear);
	}
	for (size_t i = 0; i < LIMIT_SHARDS; i++)
		bus_place_free(b->places[i]);
	if (b->opts != NULL)
		nats.natsOptions_Destroy(b->opts);
	pthread_mutex_destroy(&b->lock);
	pthread_mutex_destroy(&b->sending);
	free(b->prefix);
	CHECK_END(b);
	free(b);
}

int
bus_open(struct bus **out, const struct bus_options *o, struct err *e)
{
	struct bus *b;
	int rc;

	*out = NULL;
	rc = check_cluster(o->cluster, e);
	if (rc == OK)
		rc = nats_lib_load(e);
	if (rc != OK)
		return rc;
	b = mem_new(struct bus);
	b->mark = BUS_MARK;
	b->fd = -1;
	b->queue_tail = &b->queue;
	b->prefix_n = o->cluster.n + 1;
	b->prefix = mem_alloc(b->prefix_n + 1);
	memcpy(b->prefix, o->cluster.p, o->cluster.n);
	memcpy(b->prefix + o->cluster.n, ".", 2);
	list_init(&b->arrivals);
	list_init(&b->leavers);
	list_init(&b->ears);
	list_init(&b->subjects);
	pthread_mutex_init(&b->lock, NULL);
	pthread_mutex_init(&b->sending, NULL);
	rc = set_options(b, o, e);
	if (rc == OK)
		rc = start(b, e);
	if (rc != OK) {
		release(b);
		return rc;
	}
	*out = b;
	return OK;
}

void
bus_close(struct bus *b)
{
	if (b == NULL)
		return;
	check_bus(b);
	atomic_store(&b->closing, true);
	bus_ring(b);
	pthread_join(b->thread, NULL);
	close(b->bell);
	release(b);
}

bool
bus_is_up(const struct bus *b)
{
	return atomic_load(&b->up);
}

/* Ears and watchers. */

static _Thread_local struct bus_place *mine;         /* this shard's, of its last bus */

static struct bus_place *
place_of(struct bus *b, struct shard *s)
{
	struct bus_place **p = &b->places[shard_id(s)];

	assert(shard_is_current(s));
	pthread_mutex_lock(&b->lock);
	if (*p == NULL)
		*p = bus_place_new(b, s, atomic_load(&b->up));
	pthread_mutex_unlock(&b->lock);
	assert((*p)->shard == s);
	mine = *p;
	return *p;
}

void
bus_watch(struct bus *b, struct shard *s, void (*changed)(void *ctx, bool up), void *ctx)
{
	struct bus_watcher *w = mem_new(struct bus_watcher);

	check_bus(b);
	w->changed = changed;
	w->ctx = ctx;
	bus_place_watch(place_of(b, s), w);
}

struct bus_ear *
bus_listen(struct bus *b, struct shard *s, struct str subject,
    void (*heard)(void *ctx, const struct bus_message *m), void *ctx)
{
	struct bus_ear *ear = mem_new(struct bus_ear);

	check_bus(b);
	assert(subject.n > 0 && subject.n <= LIMIT_BUS_SUBJECT_BYTES);
	ear->bus = b;
	ear->place = place_of(b, s);
	ear->subject = mem_alloc(b->prefix_n + subject.n + 1);
	memcpy(ear->subject, b->prefix, b->prefix_n);
	memcpy(ear->subject + b->prefix_n, subject.p, subject.n);
	ear->subject[b->prefix_n + subject.n] = '\0';
	ear->heard = heard;
	ear->ctx = ctx;
	pthread_mutex_lock(&b->lock);
	list_append(&b->ears, &ear->all);
	list_append(&b->arrivals, &ear->in);
	pthread_mutex_unlock(&b->lock);
	bus_ring(b);
	return ear;
}

void
bus_stop(struct bus_ear *ear)
{
	struct bus *b = ear->bus;

	assert(shard_is_current(ear->place->shard) && !ear->stopped);
	ear->stopped = true;
	pthread_mutex_lock(&b->lock);
	list_append(&b->leavers, &ear->leaving);
	pthread_mutex_unlock(&b->lock);
	bus_ring(b);
}

/* Sending. */

static bool
is_subject(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
			return false;
	return s.n <= LIMIT_BUS_SUBJECT_BYTES;
}

static char *
put_subject(char *to, const struct bus *b, struct str s)
{
	if (s.n == 0)
		return to;
	memcpy(to, b->prefix, b->prefix_n);
	memcpy(to + b->prefix_n, s.p, s.n);
	to[b->prefix_n + s.n] = '\0';
	return to + b->prefix_n + s.n + 1;
}

static struct bus_out *
out_new(const struct bus *b, struct str subject, struct str reply,
    const struct str *pieces, size_t n, size_t body)
{
	struct bus_out *o = mem_alloc(sizeof *o + 2 * (b->prefix_n + 1) + subject.n +
	    reply.n + body);
	char *at = put_subject(o->text, b, subject);

	o->subject = b->prefix_n + subject.n;
	o->reply = reply.n > 0 ? b->prefix_n + reply.n : 0;
	o->body = body;
	at = put_subject(at, b, reply);
	for (size_t i = 0; i < n; i++)
		str_put(&at, pieces[i]);
	return o;
}

int
bus_send(struct bus *b, struct str subject, struct str reply, const struct str *pieces,
    size_t n)
{
	struct bus_out *o, *top;
	size_t body = 0;

	check_bus(b);
	for (size_t i = 0; i < n; i++)
		body += pieces[i].n;
	if (body > LIMIT_BUS_MESSAGE_BYTES)
		return ERR_TOOBIG;
	if (subject.n == 0 || !is_subject(subject) || !is_subject(reply))
		return ERR_INVALID;
	if (!atomic_load(&b->up) || atomic_load(&b->waiting) + body > LIMIT_BUS_WAITING_BYTES) {
		atomic_fetch_add_explicit(&b->refused, 1, memory_order_relaxed);
		return atomic_load(&b->up) ? ERR_BUSY : ERR_CLOSED;
	}
	o = out_new(b, subject, reply, pieces, n, body);
	atomic_fetch_add(&b->waiting, body + sizeof *o);
	top = atomic_load_explicit(&b->outbox, memory_order_relaxed);
	do
		o->next = top;
	while (!atomic_compare_exchange_weak_explicit(&b->outbox, &top, o,
	    memory_order_release, memory_order_relaxed));
	/* Who puts in the first sees to it that all leave. */
	if (top == NULL && mine != NULL && mine->bus == b && shard_is_current(mine->shard))
		shard_at_turn_end(mine->shard, &mine->turn_end);
	else if (top == NULL)
		bus_ring(b);
	return OK;
}

void
bus_stats(struct bus *b, struct bus_stats *out)
{
	check_bus(b);
	*out = (struct bus_stats){ .up = atomic_load(&b->up), .sent = b->sent,
	    .sent_bytes = b->sent_bytes, .heard = b->heard, .heard_bytes = b->heard_bytes,
	    .dropped = b->dropped, .refused = b->refused, .connects = b->connects,
	    .waiting_bytes = b->waiting };
	pthread_mutex_lock(&b->lock);
	memcpy(out->server, b->server, sizeof out->server);
	memcpy(out->why, b->why, sizeof out->why);
	pthread_mutex_unlock(&b->lock);
}
