/*
 * client_files.c - the HTTP client's descriptors: each is taken from the
 * process's account, idle connections are given back when others ask, and a
 * call without a descriptor waits.
 *
 * libcurl closes an idle connection only to make room for a new one.  So we
 * allow it one connection in all and start a call that opens no socket: each
 * such call closes the connection that was idle for the longest.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/client_priv.h"

#include <assert.h>

#include "base/mem.h"

/* Any numeric address: nobody connects to it. */
#define CLOSER_URL "http://127.0.0.1:9/"

static curl_socket_t
open_none(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
	(void)ctx, (void)purpose, (void)a;
	return CURL_SOCKET_BAD;
}

static CURL *
closer_new(void)
{
	CURL *easy = curl_easy_init();

	assert(easy != NULL);
	curl_easy_setopt(easy, CURLOPT_URL, CLOSER_URL);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_none);
	return easy;
}

/* A call that begins while one connection is allowed would wait: all that are
 * about to begin do so before. */
static void
client_yield(void *ctx, size_t n)
{
	struct client *c = ctx;

	client_act(c, CURL_SOCKET_TIMEOUT, 0);
	if (c->closer == NULL)
		c->closer = closer_new();
	curl_multi_setopt(c->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, 1L);
	for (; n > 0 && c->sockets.idle > 0; n--) {
		curl_multi_add_handle(c->multi, c->closer);
		client_act(c, CURL_SOCKET_TIMEOUT, 0);
		curl_multi_remove_handle(c->multi, c->closer);
	}
	curl_multi_setopt(c->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, 0L);
	client_lend(c);
}

void
client_lend(struct client *c)
{
	if (files_lender_idle(c->lender) != c->sockets.idle)
		files_lender_set(c->lender, c->sockets.idle);
}

bool
client_call_open(struct client_call *call)
{
	if (!account_take(&account_files, 1)) {
		call->starved = true;
		return false;
	}
	call->opened++;
	return true;
}

void
client_call_opened(struct client_call *call)
{
	if (call->opened > 0)
		account_give(&account_files, call->opened);
	call->opened = 0;
}

/* One that waited before goes first again. */
void
client_call_wait(struct client_call *call)
{
	struct client *c = call->client;

	curl_multi_remove_handle(c->multi, call->easy);
	call->added = false;
	client_call_opened(call);
	call->starved = false;
	call->state = CALL_WAITING;
	if (c->waiting == NULL) {
		c->waiting_end = &c->waiting;
		shard_timer_set(c->shard, &c->retry, FILES_RETRY_MS);
	}
	call->queue_next = call->waited ? c->waiting : NULL;
	if (!call->waited)
		*c->waiting_end = call;
	else
		c->waiting = call;
	if (call->queue_next == NULL)
		c->waiting_end = &call->queue_next;
	call->waited = true;
	files_ask(FILES_MODELS);
}

/* One tries in any case: a connection that is idle needs no descriptor, and if
 * there is none it asks again. */
static void
retry_fired(struct wheel_timer *t)
{
	struct client *c = CONTAINER_OF(t, struct client, retry);
	size_t room = account_room(&account_files);
	struct client_call **at = &c->waiting, *call;

	room = room > 0 ? room : 1;
	while ((call = *at) != NULL) {
		if (call->state == CALL_WAITING && call->fault == OK && room == 0) {
			at = &call->queue_next;
			continue;
		}
		*at = call->queue_next;
		if (call->state == CALL_WAITING) {
			room -= call->fault == OK;
			call->state = CALL_QUEUED;
		}
		client_queue(call);
	}
	c->waiting_end = at;
	if (c->waiting != NULL)
		shard_timer_set(c->shard, &c->retry, FILES_RETRY_MS);
}

void
client_wake(struct client *c)
{
	if (c->waiting != NULL)
		shard_timer_set(c->shard, &c->retry, 1);
}

void
client_files_init(struct client *c)
{
	c->retry.fire = retry_fired;
	c->lender = files_lender_new(c->shard, FILES_MODELS, client_yield, c);
}

void
client_files_release(struct client *c)
{
	shard_timer_cancel(c->shard, &c->retry);
	files_lender_free(c->lender);
	if (c->closer != NULL)
		curl_easy_cleanup(c->closer);
}
