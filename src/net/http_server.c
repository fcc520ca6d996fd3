/*
 * http_server.c - listeners, accepting and draining.
 *
 * We accept in a loop of our own: libuv's goes on inside its callback for as
 * long as there are connections and no descriptors for them.  Ours takes a
 * bounded number a turn, each against the server's cap and the account of
 * descriptors.  Without room it asks for some, stops looking at the socket, and
 * goes on when a connection of this shard closes, or at the next try.
 *
 * Threads: `lock` guards the list and sockets; the rest of a listener is its
 * shard's.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/http_priv.h"
#include "base/log.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS_MAX    64                    /* in one turn of the loop */
#define POOL_MAX       256                   /* requests kept for reuse, a shard */
#define SCRATCH_MAX    (256 * KB)
#define ERRORS_MAX     (16 * KB)

static void
check_listener(const struct http_listener *l)
{
	CHECK_MARK(l, LISTENER_MARK);
	assert((l->idle_n == 0) == list_empty(&l->idle));
	assert((l->opening_n == 0) == list_empty(&l->opening));
	assert(l->pool_n <= POOL_MAX && (l->pool_n == 0) == (l->pool == NULL));
	assert(!l->told || l->draining);
}

void
http_server_hook(struct http_server *hs, const struct http_hooks *hooks)
{
	CHECK_MARK(hs, SERVER_MARK);
	assert(hooks->handle != NULL && hooks->head != NULL &&
	    hooks->error_body != NULL);
	hs->hooks = *hooks;
}

int
http_server_open(struct http_server **out, const struct http_options *o, struct err *e)
{
	struct http_server *hs = mem_new(struct http_server);
	int rc;

	*out = NULL;
	hs->mark = SERVER_MARK;
	hs->tls = o->tls;
	hs->trust = o->trust;
	hs->proxy_protocol = o->proxy_protocol;
	if (o->hooks != NULL)
		http_server_hook(hs, o->hooks);
	hs->limits = (struct http_limits){
		.header = LIMIT_HTTP_HEADER_MS, .body = LIMIT_HTTP_BODY_MS,
		.body_slow = LIMIT_HTTP_BODY_SLOW_MS, .body_rate = LIMIT_HTTP_BODY_RATE,
		.body_still = LIMIT_HTTP_BODY_STILL_MS,
		.out_still = LIMIT_HTTP_OUT_STILL_MS,
		.handshake = LIMIT_TLS_HANDSHAKE_MS,
		.idle = LIMIT_HTTP_IDLE_MS, .idle_min = LIMIT_HTTP_IDLE_MIN_MS,
		.drain = LIMIT_HTTP_DRAIN_MS, .linger = LIMIT_HTTP_LINGER_MS,
		.heartbeat = LIMIT_SSE_HEARTBEAT_MS,
		.conns = files_clients_max(), .sse_queue = LIMIT_SSE_QUEUE_BYTES,
		.ws_ping = LIMIT_WS_PING_MS, .ws_unread = LIMIT_WS_UNREAD_BYTES,
		.ws = { .message = LIMIT_WS_MESSAGE_BYTES,
		    .frames = LIMIT_WS_MESSAGE_FRAMES, .controls = LIMIT_WS_CONTROLS },
	};
	pthread_mutex_init(&hs->lock, NULL);
	atomic_init(&hs->conns, 0);
	rc = http_listen_open(hs, o, e);
	if (rc != OK) {
		http_server_free(hs);
		return rc;
	}
	*out = hs;
	return OK;
}

int
http_server_new(struct http_server **out, struct str host, uint16_t port,
    const struct http_hooks *hooks, struct err *e)
{
	const struct http_listen at = { .host = host, .port = port };

	return http_server_open(out, &(struct http_options){ .at = &at, .at_n = 1,
	    .shards = 1, .hooks = hooks }, e);
}

uint16_t
http_server_port(const struct http_server *hs)
{
	return http_server_port_at(hs, 0);
}

uint16_t
http_server_port_at(const struct http_server *hs, size_t nth)
{
	assert(nth < hs->at_n);
	return hs->at[nth].port;
}

size_t
http_server_conns(const struct http_server *hs)
{
	return atomic_load_explicit(&hs->conns, memory_order_relaxed);
}

struct http_limits *
http_server_limits(struct http_server *hs)
{
	return &hs->limits;
}

/* The pool of requests. */

struct request *
http_listener_request(struct http_listener *l)
{
	struct request *q = l->pool;

	check_listener(l);
	l->requests++;
	if (q != NULL) {
		l->pool = q->next;
		l->pool_n--;
		return q;
	}
	q = mem_alloc(sizeof *q);
	http_request_init(q);
	q->l = l;
	return q;
}

void
http_listener_free_pool(struct http_listener *l)
{
	l->pool_n = 0;
	while (l->pool != NULL) {
		struct request *q = l->pool;

		l->pool = q->next;
		http_request_release(q);
		free(q);
	}
}

static void check_drained(struct http_listener *l);

/* A request whose job is still queued comes back by that job. */
void
http_listener_return(struct http_listener *l, struct request *q)
{
	check_listener(l);
	CHECK_MARK(q, REQUEST_MARK);
	assert(q->l == l);
	if (q->late.next != NULL) {
		q->dead = true;
		return;
	}
	assert(l->requests > 0);
	l->requests--;
	http_room_listener_ended(l);
	if (l->pool_n < POOL_MAX) {
		http_request_clear(q);
		q->next = l->pool;
		l->pool = q;
		l->pool_n++;
	} else {
		http_request_release(q);
		free(q);
	}
	if (l->draining)
		check_drained(l);
}

/* Accepting. */

/* Counts one more connection, if there may be one; else *lacks is who may give
 * a descriptor for it. */
static bool
count_one(struct http_listener *l, enum files_rank *lacks)
{
	struct http_server *hs = l->hs;

	*lacks = FILES_CLIENTS;
	if (atomic_fetch_add_explicit(&hs->conns, 1, memory_order_relaxed) <
	    hs->limits.conns) {
		if (account_take(&account_files, 1))
			return true;
		*lacks = FILES_MODELS;
	}
	atomic_fetch_sub_explicit(&hs->conns, 1, memory_order_relaxed);
	return false;
}

static void
uncount_one(struct http_listener *l)
{
	atomic_fetch_sub_explicit(&l->hs->conns, 1, memory_order_relaxed);
	account_give(&account_files, 1);
}

static void
pause_accepting(struct http_listener *l, enum files_rank lacks)
{
	files_ask(lacks);
	l->paused = true;
	for (size_t i = 0; i < l->listening; i++)
		uv_poll_stop(&l->doors[i]->poll);
	shard_timer_set(l->shard, &l->retry, FILES_RETRY_MS);
}

/* Does the error concern this connection only, so that the next accept may
 * succeed?  Other errors say that a resource of the process ran out. */
static bool
is_of_one(int error)
{
	return error != EMFILE && error != ENFILE && error != ENOMEM &&
	    error != ENOBUFS && error != EBADF && error != EINVAL;
}

/* One connection waits, or the poll would not have fired; the next turn tells
 * whether others do.  So nothing is closed for a connection that is not there. */
static void
accept_some(struct http_door *d)
{
	struct http_listener *l = d->l;

	for (int i = 0; i < ACCEPTS_MAX; i++) {
		struct sockaddr_storage peer = { 0 };
		socklen_t size = sizeof peer;
		enum files_rank lacks;
		int fd;

		if (!count_one(l, &lacks)) {
			if (i == 0)
				pause_accepting(l, lacks);
			return;
		}
		fd = accept4(d->fd, (struct sockaddr *)&peer, &size,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			if (!http_proxied_accept(d, fd, &peer))
				(d->at->tls ? http_tls_accept : http_conn_accept)(d, fd, &peer);
			continue;
		}
		uncount_one(l);
		if (errno == EAGAIN)
			return;
		log_warn("net", "accept_failed", "error=%s", uv_err_name(-errno));
		if (!is_of_one(errno)) {
			pause_accepting(l, FILES_MODELS);
			return;
		}
	}
}

static void
on_connection(uv_poll_t *poll, int status, int events)
{
	struct http_door *d = poll->data;

	(void)status, (void)events;          /* the reason comes from accept4 */
	check_listener(d->l);
	accept_some(d);
}

/* The door that it may have come by. */
static struct http_door *
door_for(struct http_listener *l, sa_family_t family)
{
	for (size_t i = 0; i < l->doors_n; i++) {
		const struct http_address *at = l->doors[i]->at;

		if (!at->tls && (at->name.any.sa_family == AF_UNIX) == (family == AF_UNIX))
			return l->doors[i];
	}
	return NULL;
}

static void
take_given(struct http_listener *l, int fd)
{
	struct sockaddr_storage peer = { 0 };
	socklen_t size = sizeof peer;
	enum files_rank lacks;
	struct http_door *d = getpeername(fd, (struct sockaddr *)&peer, &size) == 0 ?
	    door_for(l, peer.ss_family) : NULL;

	if (d == NULL || !count_one(l, &lacks))
		close(fd);                   /* it has left */
	else
		http_conn_accept(d, fd, &peer);
}

/* Each shard its part; the lock is not held while one is served. */
static void
take_all_given(struct http_listener *l)
{
	struct http_server *hs = l->hs;
	int fd = 0;

	for (size_t part = hs->given_part; part > 0 && fd >= 0; part--) {
		pthread_mutex_lock(&hs->lock);
		fd = hs->given_n > 0 ? hs->given[--hs->given_n] : -1;
		pthread_mutex_unlock(&hs->lock);
		if (fd >= 0)
			take_given(l, fd);
	}
}

static void
start_accepting(struct http_listener *l)
{
	for (size_t i = 0; i < l->listening; i++)
		uv_poll_start(&l->doors[i]->poll, UV_READABLE, on_connection);
}

static void
resume_accepting(struct http_listener *l)
{
	if (!l->paused || l->draining)
		return;
	l->paused = false;
	shard_timer_cancel(l->shard, &l->retry);
	start_accepting(l);
}

static void
on_retry(struct wheel_timer *t)
{
	resume_accepting(CONTAINER_OF(t, struct http_listener, retry));
}

/* Idle connections. */

static void
set_lent(struct http_listener *l)
{
	files_lender_set(l->lender, l->idle_n + l->opening_n);
}

void
http_listener_idle(struct http_listener *l, struct http_conn *c)
{
	check_listener(l);
	list_append(&l->idle, &c->idle);
	l->idle_n++;
	set_lent(l);
}

void
http_listener_busy(struct http_listener *l, struct http_conn *c)
{
	check_listener(l);
	list_remove(&c->idle);
	l->idle_n--;
	set_lent(l);
}

void
http_listener_opening(struct http_listener *l, struct http_conn *c)
{
	check_listener(l);
	list_append(&l->opening, &c->idle);
	l->opening_n++;
	set_lent(l);
}

void
http_listener_opened(struct http_listener *l, struct http_conn *c)
{
	check_listener(l);
	list_remove(&c->idle);
	l->opening_n--;
	set_lent(l);
}

void
http_listener_shed_opening(struct http_listener *l, const struct http_conn *c)
{
	for (struct list *i = l->opening.next; i != &l->opening; i = i->next) {
		struct http_conn *o = CONTAINER_OF(i, struct http_conn, idle);

		if (o != c && http_tls_shakes(o)) {
			http_conn_reset(o);
			return;
		}
	}
}

/* Was it idle for long enough, and has its client sent nothing? */
static bool
may_close(struct http_listener *l, const struct http_conn *c)
{
	nsec began = c->deadline - l->hs->limits.idle * NS_PER_MS;

	return shard_now(l->shard) - began >= l->hs->limits.idle_min * NS_PER_MS &&
	    c->kept.n == 0 && c->wire->silent(c);
}

/* Handshakes under way for long enough, the oldest first; how many of n are left. */
static size_t
yield_opening(struct http_listener *l, size_t n)
{
	const struct http_limits *at = &l->hs->limits;

	while (n > 0 && !list_empty(&l->opening)) {
		struct http_conn *c = CONTAINER_OF(l->opening.next, struct http_conn, idle);
		nsec began = c->deadline - at->handshake * NS_PER_MS;

		if (shard_now(l->shard) - began < at->idle_min * NS_PER_MS)
			break;
		http_conn_drop(c);
		n--;
	}
	return n;
}

/* Oldest first: after one that stays, the others were idle for less. */
static void
yield_idle(void *ctx, size_t n)
{
	struct http_listener *l = ctx;

	check_listener(l);
	n = yield_opening(l, n);
	while (n-- > 0 && !list_empty(&l->idle)) {
		struct http_conn *c = CONTAINER_OF(l->idle.next, struct http_conn, idle);

		if (!may_close(l, c))
			return;
		http_conn_drop(c);
	}
}

static void
free_listener(struct http_listener *l)
{
	check_listener(l);
	assert(list_empty(&l->conns) && l->requests == 0 && l->listening == 0);
	assert(l->lender == NULL);
	CHECK_END(l);
	for (size_t i = 0; i < l->doors_n; i++)
		free(l->doors[i]);
	free(l->doors);
	http_listener_free_pool(l);
	buf_release(&l->scratch);
	buf_release(&l->errors);
	free(l);
}

static int
open_doors(struct http_listener *l, struct err *e)
{
	for (; l->listening < l->doors_n; l->listening++) {
		struct http_door *d = l->doors[l->listening];
		int rc = uv_poll_init(shard_loop(l->shard), &d->poll, d->fd);

		if (rc != 0)
			return err_set(e, ERR_IO, "listen: %s", uv_strerror(rc));
		d->poll.data = d;
	}
	return OK;
}

static void
remember(struct http_server *hs, struct http_listener *l)
{
	pthread_mutex_lock(&hs->lock);
	l->next = hs->listeners;
	hs->listeners = l;
	pthread_mutex_unlock(&hs->lock);
}

int
http_server_attach(struct http_server *hs, struct shard *s, struct err *e)
{
	struct http_listener *l = mem_new(struct http_listener);
	int rc;

	CHECK_MARK(hs, SERVER_MARK);
	l->mark = LISTENER_MARK;
	list_init(&l->conns);
	list_init(&l->idle);
	list_init(&l->opening);
	l->hs = hs;
	l->shard = s;
	l->retry.fire = on_retry;
	http_room_listener_init(l);
	l->scratch = BUF(SCRATCH_MAX);
	l->errors = BUF(ERRORS_MAX);
	rc = http_listen_take(l, e);
	if (rc != OK) {
		free_listener(l);
		return rc;
	}
	l->lender = files_lender_new(s, FILES_CLIENTS, yield_idle, l);
	remember(hs, l);
	rc = open_doors(l, e);               /* a drain closes those that are open */
	start_accepting(l);
	if (rc == OK)
		take_all_given(l);
	return rc;
}

/* Draining. */

static void
tell_drained(struct shard_job *job)
{
	struct http_listener *l = CONTAINER_OF(job, struct http_listener, told_job);

	l->done(l->done_ctx);
}

static void
check_drained(struct http_listener *l)
{
	if (l->told || l->listening > 0 || !list_empty(&l->conns) || l->requests > 0)
		return;
	l->told = true;
	files_lender_free(l->lender);
	l->lender = NULL;
	shard_timer_cancel(l->shard, &l->drain_end);
	http_room_listener_stop(l);
	l->told_job.run = tell_drained;
	shard_at_turn_end(l->shard, &l->told_job);
}

void
http_listener_conn_closed(struct http_listener *l, struct http_conn *c)
{
	check_listener(l);
	list_remove(&c->all);
	if (c->wire->descriptor)
		uncount_one(l);
	http_room_listener_ended(l);
	resume_accepting(l);
	if (l->draining)
		check_drained(l);
}

/* Of a door of l that is not polled. */
static void
shut_door(struct http_door *d)
{
	struct http_server *hs = d->l->hs;

	pthread_mutex_lock(&hs->lock);
	close(d->fd);
	d->fd = -1;
	pthread_mutex_unlock(&hs->lock);
}

static void
on_door_closed(uv_handle_t *h)
{
	struct http_door *d = h->data;

	check_listener(d->l);
	d->l->listening--;
	shut_door(d);
	check_drained(d->l);
}

/* Its connection stays open by a duplicate when it is closed here. */
static void
give(struct http_listener *l, int fd)
{
	struct http_server *hs = l->hs;
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (copy < 0)
		return;
	pthread_mutex_lock(&hs->lock);
	mem_grow(hs->given, hs->given_n, hs->given_cap);
	hs->given[hs->given_n++] = copy;
	pthread_mutex_unlock(&hs->lock);
}

bool
http_listener_hands_over(const struct http_listener *l, const struct http_conn *c)
{
	return l->hs->hands_over && c->wire->passes && !l->hs->proxy_protocol;
}

/* Ending one connection may end others, but frees none before this turn is
 * over: the list stays good. */
static void
on_drain_end(struct wheel_timer *t)
{
	struct http_listener *l = CONTAINER_OF(t, struct http_listener, drain_end);

	for (struct list *i = l->conns.next; i != &l->conns; i = i->next) {
		struct http_conn *c = conn_of(i);

		if (http_listener_hands_over(l, c) && http_conn_is_idle(c))
			give(l, http_conn_socket(c));
		http_conn_lost(c);
	}
}

struct http_listener *
http_listener_find(struct http_server *hs, const struct shard *s)
{
	struct http_listener *l;

	pthread_mutex_lock(&hs->lock);
	for (l = hs->listeners; l != NULL && l->shard != s; l = l->next)
		;
	pthread_mutex_unlock(&hs->lock);
	return l;
}

void
http_server_drain(struct http_server *hs, struct shard *s,
    void (*done)(void *ctx), void *ctx)
{
	struct http_listener *l = http_listener_find(hs, s);

	if (l == NULL) {                     /* the start failed before */
		done(ctx);
		return;
	}
	assert(!l->draining);
	http_listen_close(hs);
	l->draining = true;
	l->done = done;
	l->done_ctx = ctx;
	shard_timer_cancel(s, &l->retry);
	for (size_t i = 0; i < l->doors_n; i++)
		if (i < l->listening)
			uv_close((uv_handle_t *)&l->doors[i]->poll, on_door_closed);
		else
			shut_door(l->doors[i]);
	for (struct list *i = l->conns.next; i != &l->conns; i = i->next)
		http_conn_drain(conn_of(i));
	l->drain_end.fire = on_drain_end;
	shard_timer_set(s, &l->drain_end, hs->limits.drain);
	if (l->listening == 0)
		check_drained(l);
}

size_t
http_server_connections(struct http_server *hs, int *fds, size_t max)
{
	size_t n = hs->given_n < max ? hs->given_n : max;

	memcpy(fds, hs->given, n * sizeof *fds);
	for (size_t i = n; i < hs->given_n; i++)
		close(hs->given[i]);
	hs->given_n = 0;
	return n;
}

void
http_server_free(struct http_server *hs)
{
	if (hs == NULL)
		return;
	CHECK_MARK(hs, SERVER_MARK);
	while (hs->listeners != NULL) {
		struct http_listener *l = hs->listeners;

		hs->listeners = l->next;
		free_listener(l);
	}
	http_listen_close(hs);
	for (size_t i = 0; i < hs->given_n; i++)
		close(hs->given[i]);
	free(hs->given);
	pthread_mutex_destroy(&hs->lock);
	CHECK_END(hs);
	free(hs);
}
