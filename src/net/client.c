/*
 * client.c - the HTTP client: calls from start to end; see client.h for what
 * it promises and client_priv.h for the states of a call.
 *
 * Spare calls keep their easy handle, so a warm start costs no allocation on
 * our side.  The silence timer is set once a call and looks at the time of the
 * last byte when it fires, so bytes cost no timer.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/client_priv.h"
#include "net/host.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

#define SPARES_MAX  512
#define STREAMS_MAX 1000L                    /* of one HTTP/2 connection; the server's
                                                own limit is lower as a rule */

static void
check_client(const struct client *c)
{
	CHECK_MARK(c, CLIENT_MARK);
	assert(c->queue_end != NULL && *c->queue_end == NULL);
	assert((c->queue == NULL) == (c->queue_end == &c->queue));
	assert(list_empty(&c->spares) == (c->spares_n == 0));
	assert(c->spares_n <= SPARES_MAX);
}

static void
turn_want(struct client *c)
{
	if (c->turn_set || c->closing)
		return;
	c->turn_set = true;
	shard_at_turn_end(c->shard, &c->turn);
}

void
client_queue(struct client_call *call)
{
	struct client *c = call->client;

	check_client(c);
	check_client_call(call);
	assert(call->state == CALL_QUEUED || call->state == CALL_DROPPED);
	call->queue_next = NULL;
	*c->queue_end = call;
	c->queue_end = &call->queue_next;
	turn_want(c);
}

/* The last, out of its list; NULL: there is none. */
static struct client_call *
call_take(struct list *calls)
{
	struct client_call *call = CONTAINER_OF(calls->prev, struct client_call, in);

	if (list_empty(calls))
		return NULL;
	list_remove(&call->in);
	return call;
}

/* Takes the call out of everything that could still name it. */
static void
call_detach(struct client_call *call)
{
	struct client *c = call->client;

	assert(!c->inside);
	shard_timer_cancel(c->shard, &call->silence);
	if (call->added)
		curl_multi_remove_handle(c->multi, call->easy);
	call->added = false;
	client_call_opened(call);
	list_remove(&call->in);
}

static void
call_recycle(struct client_call *call)
{
	struct client *c = call->client;

	check_client_call(call);
	client_call_reset(call);
	if (c->spares_n == SPARES_MAX) {
		client_call_free(call);
		return;
	}
	list_append(&c->spares, &call->in);
	c->spares_n++;
}

static void
call_finish(struct client_call *call, int rc, const struct err *e)
{
	struct client_answer a = client_call_answer(call);

	call_detach(call);
	client_wake(call->client);
	call->hooks.done(call->hooks.ctx, rc, &a, e);
	call_recycle(call);
}

/* Ends a call for the reason in its fault. */
static void
call_fail(struct client_call *call)
{
	struct err e = call->why;

	assert(call->fault != OK);
	call_finish(call, call->fault, &e);
}

static _Atomic uint64_t reused;

/* Did its request go over a connection that was there? */
static void
count_reused(const struct client_call *call)
{
	long connects = 1;

	if (curl_easy_getinfo(call->easy, CURLINFO_NUM_CONNECTS, &connects) == CURLE_OK &&
	    connects == 0)
		atomic_fetch_add_explicit(&reused, 1, memory_order_relaxed);
}

void
client_pool(struct client_pool *out)
{
	int64_t open = atomic_load_explicit(&sockets_open_now, memory_order_relaxed);
	int64_t idle = atomic_load_explicit(&sockets_idle_now, memory_order_relaxed);

	out->open = open > 0 ? (uint64_t)open : 0;
	out->idle = idle > 0 ? (uint64_t)idle : 0;
	out->reused = atomic_load_explicit(&reused, memory_order_relaxed);
}

static void
messages_read(struct client *c)
{
	CURLMsg *m;
	int left;

	for (m = curl_multi_info_read(c->multi, &left); m != NULL;
	    m = curl_multi_info_read(c->multi, &left)) {
		CURLcode code = m->data.result;
		struct client_call *call;
		struct err e = { 0 };
		int rc;

		if (m->msg != CURLMSG_DONE || m->easy_handle == c->closer)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&call);
		check_client_call(call);
		if (call->state == CALL_DROPPED)
			continue;            /* the queue takes care of it */
		rc = client_call_result(call, code, &e);
		if (rc == OK)
			count_reused(call);
		if (code == CURLE_COULDNT_CONNECT && call->starved)
			client_call_wait(call);
		else
			call_finish(call, rc, &e);
	}
}

/* Then tells who is done. */
void
client_act(struct client *c, int fd, int events)
{
	int running;

	check_client(c);
	assert(!c->inside);
	c->inside = true;
	curl_multi_socket_action(c->multi, fd, events, &running);
	c->inside = false;
	messages_read(c);
	client_lend(c);
}

static void
socket_ready(struct sockets *ss, int fd, int events)
{
	struct client *c = CONTAINER_OF(ss, struct client, sockets);
	struct shard *s = c->shard;

	client_act(c, fd, events);
	shard_event_done(s);                 /* c may be gone after it */
}

static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *unused)
{
	struct client *c = ctx;
	struct client_call *call = NULL;

	(void)unused;
	if (what != CURL_POLL_REMOVE &&
	    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&call) == CURLE_OK &&
	    call != NULL)
		call->fd = fd;
	sockets_want(&c->sockets, fd, what);
	return 0;
}

static int
on_timer(CURLM *multi, long ms, void *ctx)
{
	struct client *c = ctx;

	(void)multi;
	c->kick = ms == 0;
	if (c->kick)
		turn_want(c);
	if (ms > 0)
		shard_timer_set(c->shard, &c->timer, ms);
	else
		shard_timer_cancel(c->shard, &c->timer);
	return 0;
}

static void
timer_fired(struct wheel_timer *t)
{
	client_act(CONTAINER_OF(t, struct client, timer), CURL_SOCKET_TIMEOUT, 0);
}

static void
call_run(struct client_call *call)
{
	CURLMcode code;

	client_call_arm(call);
	call->state = CALL_RUNNING;
	code = curl_multi_add_handle(call->client->multi, call->easy);
	call->added = code == CURLM_OK;
	if (call->added)
		return;
	call->fault = err_set(&call->why, ERR_CLOSED, "%s", curl_multi_strerror(code));
	call_fail(call);
}

/* The end of a turn: starts and drops what was queued, outside of libcurl. */
static void
turn_end(struct shard_job *job)
{
	struct client *c = CONTAINER_OF(job, struct client, turn);
	struct client_call *call = c->queue, *next;

	check_client(c);
	c->turn_set = false;
	if (c->closing) {
		CHECK_END(c);
		free(c);
		return;
	}
	c->queue = NULL;
	c->queue_end = &c->queue;
	for (; call != NULL; call = next) {
		next = call->queue_next;
		if (call->state == CALL_DROPPED) {
			call_detach(call);
			call_recycle(call);
		} else if (call->fault != OK) {
			call_fail(call);
		} else {
			call_run(call);
		}
	}
	if (c->kick) {
		c->kick = false;
		client_act(c, CURL_SOCKET_TIMEOUT, 0);
	}
}

static void
silence_fired(struct wheel_timer *t)
{
	struct client_call *call = CONTAINER_OF(t, struct client_call, silence);
	struct shard *s = call->client->shard;
	msec quiet = (shard_now(s) - call->heard) / NS_PER_MS;

	check_client_call(call);
	if (quiet >= call->silence_ms && call->state == CALL_WAITING) {
		call->fault = err_set(&call->why, ERR_TIMEOUT, "no open file was free "
		    "for a connection in %lld ms", (long long)call->silence_ms);
		client_wake(call->client);
		return;
	}
	if (quiet < call->silence_ms || call->state == CALL_QUEUED) {
		msec left = call->silence_ms - quiet;

		shard_timer_set(s, t, left > 0 ? left : 1);
		return;
	}
	resolver_forget(&call->waiter);
	call->fault = err_set(&call->why, ERR_TIMEOUT, "nothing heard for %lld ms",
	    (long long)call->silence_ms);
	call_fail(call);
}

/* The addresses of the answer are those that libcurl connects to. */
static int
check_addresses(struct client_call *call, const struct resolved *a)
{
	struct str rest = str_of(a->line), address;
	bool public_only = call->public_only && !host_is_loopback(call->name);
	unsigned refuse = call->refuse | (public_only ? HOST_NOT_PUBLIC : 0);

	if (refuse == 0 || call->proxy != NULL)
		return OK;
	(void)str_next(&rest, ':', &address);        /* "+host:port:address,..." */
	(void)str_next(&rest, ':', &address);
	while (str_next(&rest, ',', &address)) {
		if (str_starts(address, S("[")))
			address = str_sub(address, 1, address.n - 2);
		if (refuse & HOST_BIT(host_kind(address)))
			return err_set(&call->why, ERR_DENIED, "%.*s has the %s address "
			    "%.*s%s", FMT(call->name), public_only ? "private" :
			    host_kind_names[host_kind(address)], FMT(address), public_only ?
			    "; the setting http-private allows it" : "");
	}
	return OK;
}

static void
name_known(struct client_call *call, const struct resolved *a)
{
	check_client_call(call);
	assert(call->state == CALL_RESOLVING);
	if (a->rc == OK) {
		call->fault = check_addresses(call, a);
		if (call->fault == OK)
			client_call_addresses(call, a);
	} else {
		call->why = a->why;
		call->fault = a->rc == ERR_LIMIT ? ERR_CLOSED : a->rc;
	}
	call->state = CALL_QUEUED;
	client_queue(call);
}

static void
name_resolved(struct resolve_waiter *w, struct resolved *a)
{
	name_known(CONTAINER_OF(w, struct client_call, waiter), a);
}

/* Finds out where the call goes; queues it unless it must wait for a name. */
static void
call_route(struct client_call *call)
{
	struct client *c = call->client;
	struct resolved *a;
	struct route r;

	call->fault = route_parse(str_of(call->url), &r, &call->why);
	if (call->fault == OK) {
		call->tls = r.tls;
		call->proxy = proxies_pick(&c->proxies, &r);
		if (call->proxy != NULL)
			r = call->proxy->route;
	}
	if (call->fault != OK || r.literal) {
		call->state = CALL_QUEUED;
		client_queue(call);
		return;
	}
	call->name = r.host;
	call->name_port = r.port;
	call->state = CALL_RESOLVING;
	a = resolver_get(c->resolver, r.host, r.port, &call->waiter);
	if (a != NULL)
		name_known(call, a);
}

struct client_call *
client_start(struct client *c, const struct client_request *req,
    const struct client_hooks *hooks)
{
	struct client_call *call;

	check_client(c);
	assert(hooks->done != NULL && req->method.n > 0 && !c->closing);
	call = call_take(&c->spares);
	if (call != NULL) {
		c->spares_n--;
	} else {
		call = client_call_new(c);
		call->silence.fire = silence_fired;
		call->waiter.done = name_resolved;
	}
	call->hooks = *hooks;
	client_call_set(call, req);
	list_append(&c->live, &call->in);
	call->heard = shard_now(c->shard);
	shard_timer_set(c->shard, &call->silence, call->silence_ms);
	call_route(call);
	return call;
}

void
client_cancel(struct client_call *call)
{
	bool queued = call->state == CALL_QUEUED || call->state == CALL_WAITING;

	check_client_call(call);
	assert(call->state != CALL_SPARE && call->state != CALL_DROPPED);
	call->hooks = (struct client_hooks){ 0 };
	resolver_forget(&call->waiter);
	shard_timer_cancel(call->client->shard, &call->silence);
	if (!queued && !call->client->inside) {
		call_detach(call);
		call_recycle(call);
		return;
	}
	call->state = CALL_DROPPED;
	if (!queued)
		client_queue(call);
}

int
client_new(struct client **out, struct shard *s, struct err *e)
{
	struct client *c = mem_new(struct client);

	*out = NULL;
	c->mark = CLIENT_MARK;
	list_init(&c->live);
	list_init(&c->spares);
	c->shard = s;
	c->queue_end = &c->queue;
	c->turn.run = turn_end;
	c->timer.fire = timer_fired;
	c->sockets = (struct sockets){ .loop = shard_loop(s), .ready = socket_ready };
	if (proxies_load(&c->proxies, e) != OK) {
		free(c);
		return ERR_INVALID;
	}
	c->multi = curl_multi_init();
	assert(c->multi != NULL);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)files_models_kept());
	curl_multi_setopt(c->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
	curl_multi_setopt(c->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, STREAMS_MAX);
	c->resolver = resolver_new(s);
	client_files_init(c);
	*out = c;
	return OK;
}

void
client_free(struct client *c)
{
	struct client_call *call;

	if (c == NULL)
		return;
	check_client(c);
	assert(!c->inside && !c->closing);
	c->closing = true;
	while (!list_empty(&c->live)) {
		call = CONTAINER_OF(c->live.next, struct client_call, in);
		resolver_forget(&call->waiter);
		call_detach(call);
		client_call_free(call);
	}
	c->queue = NULL;
	c->queue_end = &c->queue;
	for (; (call = call_take(&c->spares)) != NULL; c->spares_n--)
		client_call_free(call);
	client_files_release(c);
	curl_multi_cleanup(c->multi);
	sockets_release(&c->sockets);
	shard_timer_cancel(c->shard, &c->timer);
	resolver_free(c->resolver);
	proxies_release(&c->proxies);
	if (c->turn_set)
		return;                      /* the shard still holds our job */
	CHECK_END(c);
	free(c);
}

int
client_global_init(struct err *e)
{
	CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
	const curl_version_info_data *v;

	if (code != CURLE_OK)
		return err_set(e, ERR_IO, "libcurl: %s", curl_easy_strerror(code));
	v = curl_version_info(CURLVERSION_NOW);
	if ((v->features & CURL_VERSION_SSL) == 0)
		return err_set(e, ERR_IO, "libcurl %s was built without TLS", v->version);
	if ((v->features & CURL_VERSION_HTTP2) == 0)
		log_warn("net", "no_http2", "libcurl=%s", v->version);
	return OK;
}
