/*
 * socket.c - one WebSocket of the thread protocol: its client's commands, and the events
 * that it subscribes to.
 *
 *   OPEN ---------------------------------------------------> LEAVING ------> (freed)
 *     client gone; or closed: credentials over (4401), thread      at the
 *     deleted (4404), too slow (1013), the server stops (1012)     turn's end
 *
 * Answers and events go out in the order in which they are told; the answer to a
 * subscription comes before its first event.
 *
 * What several subscriptions want is sent once, as it happens.  What happened before is
 * sent to each that asks for it: a client may have had it before it subscribed.
 *
 * While LIMIT_SOCKET_COMMANDS are under way no more messages are read.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/socket.h"

#include <assert.h>

#include "api/command.h"
#include "api/peer.h"
#include "api/session.h"
#include "base/mem.h"
#include "net/ws.h"

struct subscribed {
	struct subscription s;
	struct subscribed *next;
	struct socket *of;
	struct command *asked;               /* NULL: it was answered */
	struct unseen unseen;
	char id[UUID_TEXT];
	int64_t replays;                     /* events from before that are still to come */
	bool behind;                         /* no events until subscription_ready */
	bool hidden;                         /* the policy hides its thread: s is over */
};

struct socket {
	struct socket *next, *prev;          /* of its api */
	struct api *api;
	struct ws *ws;                       /* OPEN; else NULL */
	struct commander *by;
	struct uuid thread_id;
	struct standing standing;
	struct shard_job leave;
	struct subscribed *subscribed;
	unsigned subscribed_n;
	int64_t live;                        /* seq of the last event that was sent as it
	                                        happened */
};

static void
check_socket(const struct socket *k)
{
	assert(k->api != NULL && k->by != NULL);
	assert((k->prev == NULL ? k->api->sockets : k->prev->next) == k);
	assert((k->subscribed == NULL) == (k->subscribed_n == 0));
}

/* ---- leaving -------------------------------------------------------------------- */

static void
subscribed_free(struct subscribed *u)
{
	struct subscribed **at = &u->of->subscribed;

	while (*at != u)
		at = &(*at)->next;
	*at = u->next;
	u->of->subscribed_n--;
	unseen_end(&u->unseen);
	if (u->asked != NULL)
		command_refuse(u->asked, COMMAND_UNKNOWN_ERROR, "the socket is closed");
	free(u);
}

static void
subscribed_end(struct subscribed *u)
{
	if (!u->hidden)
		unsubscribe(&u->s);
	subscribed_free(u);
}

static void
leave(struct shard_job *job)
{
	struct socket *k = CONTAINER_OF(job, struct socket, leave);
	struct api *a = k->api;

	commander_free(k->by);               /* before those that are asked are refused */
	while (k->subscribed != NULL)
		subscribed_end(k->subscribed);
	peer_listens(a, &k->thread_id, false);
	if (k->prev != NULL)
		k->prev->next = k->next;
	else
		a->sockets = k->next;
	if (k->next != NULL)
		k->next->prev = k->prev;
	free(k);
	api_drained(a);
}

static void
leave_soon(struct socket *k)
{
	check_socket(k);
	assert(k->ws != NULL);
	k->ws = NULL;
	standing_end(&k->standing);
	k->leave.run = leave;
	shard_at_turn_end(k->api->shard, &k->leave);
}

static void
close_socket(struct socket *k, unsigned code, struct str reason)
{
	struct ws *ws = k->ws;

	leave_soon(k);
	ws_close(ws, code, reason);
}

static void
on_gone(void *ctx, unsigned code)
{
	(void)code;
	leave_soon(ctx);
}

static void
on_expiry(struct standing *s)
{
	close_socket(CONTAINER_OF(s, struct socket, standing), 4401,
	    S("the credentials are good no longer"));
}

void
sockets_end(struct api *a)
{
	for (struct socket *k = a->sockets; k != NULL; k = k->next)
		if (k->ws != NULL)
			close_socket(k, WS_RESTART, S("the server stops"));
}

/* ---- what the thread tells --------------------------------------------------------- */

static void
on_opened(struct subscription *s, int64_t replayed)
{
	struct subscribed *u = CONTAINER_OF(s, struct subscribed, s);
	struct command *x = u->asked;

	check_socket(u->of);
	if (u->of->ws == NULL)
		return;                      /* it leaves already */
	u->asked = NULL;
	u->replays = replayed;
	json_add_fmt(command_result(x), "{'subscription_id':%.*s,'replayed_events':%lld}",
	    UUID_TEXT, u->id, (long long)replayed);
	command_answer(x);
}

/* The queue is empty. */
static void
on_empty(void *ctx)
{
	struct socket *k = ctx;

	for (struct subscribed *u = k->subscribed; u != NULL; u = u->next) {
		if (u->behind)
			subscription_ready(&u->s);
		u->behind = false;
	}
}

/* Has the client had it, as another subscription's? */
static bool
was_sent(struct subscribed *u, const struct sse_block *b, int64_t first, int64_t last)
{
	if (u->replays > 0) {
		u->replays -= (int64_t)ws_block_frames(b);
		return false;
	}
	if (first == last && last == u->of->live)
		return true;
	u->of->live = last;
	return false;
}

static bool
on_events(struct subscription *s, struct sse_block *b, int64_t first, int64_t last)
{
	struct subscribed *u = CONTAINER_OF(s, struct subscribed, s);
	struct ws *ws = u->of->ws;

	check_socket(u->of);
	assert(!u->behind);
	if (ws == NULL)
		return true;                 /* it leaves already */
	if (!unseen_may(&u->unseen)) {
		unsubscribe(s);              /* as if there were no thread */
		u->hidden = true;
		return true;
	}
	if (!was_sent(u, b, first, last))
		ws_send_block(ws, b);
	if (ws_queued(ws) <= LIMIT_READER_QUEUE_BYTES)
		return true;
	u->behind = true;
	u->replays = 0;
	ws_when_empty(ws, on_empty);
	return false;
}

static void
on_end(struct subscription *s, int rc)
{
	struct subscribed *u = CONTAINER_OF(s, struct subscribed, s);
	struct socket *k = u->of;
	bool opened = u->asked == NULL;

	if (rc == ERR_LIMIT && !opened && k->ws != NULL) {
		command_refuse(u->asked, COMMAND_UNKNOWN_ERROR, "the thread is read %d times "
		    "already, or all are %d times; try again", LIMIT_THREAD_LISTENERS,
		    LIMIT_LISTENERS);
		u->asked = NULL;
	}
	subscribed_free(u);
	if (k->ws == NULL || (rc == ERR_LIMIT && !opened))
		return;
	if (rc == ERR_NOTFOUND)
		close_socket(k, 4404, S("the thread was deleted"));
	else if (rc == ERR_LIMIT)
		close_socket(k, WS_AGAIN, S("too slow: what was missed is not kept"));
	else
		close_socket(k, WS_RESTART, S("the server stops"));
}

/* ---- commands ------------------------------------------------------------------------ */

static void
on_subscribe(void *ctx, struct command *x, const struct protocol_filter *f, int64_t since)
{
	struct call *c = command_call(x);
	struct socket *k = ctx;
	struct subscribed *u;
	struct uuid id;

	if (k->subscribed_n == LIMIT_SOCKET_SUBSCRIPTIONS) {
		command_refuse(x, COMMAND_UNKNOWN_ERROR, "the socket has %d subscriptions, "
		    "which is the most; end one first", LIMIT_SOCKET_SUBSCRIPTIONS);
		return;
	}
	u = mem_new(struct subscribed);
	u->s = (struct subscription){ .filter = f, .since = since, .wire = PROTOCOL_SOCKET,
		.opened = on_opened, .events = on_events, .end = on_end };
	unseen_begin(&u->unseen, c);
	if (subscribe(k->api->runs, c->owner, &c->thread_id, &u->s) < 0) {
		unseen_end(&u->unseen);
		free(u);
		command_refuse(x, COMMAND_UNKNOWN_ERROR, "%d streams of threads are open "
		    "already; try again", LIMIT_LISTENERS);
		return;
	}
	id = uuid_v7();
	uuid_format(&id, u->id);
	u->of = k;
	u->asked = x;
	u->next = k->subscribed;
	k->subscribed = u;
	k->subscribed_n++;
}

static void
on_unsubscribe(void *ctx, struct command *x, struct str id)
{
	struct socket *k = ctx;
	struct subscribed *u = k->subscribed;

	while (u != NULL && (u->asked != NULL || !str_eq(id, (struct str){ u->id, UUID_TEXT })))
		u = u->next;
	if (u == NULL) {
		command_refuse(x, COMMAND_NO_SUCH_SUBSCRIPTION,
		    "subscription_id: the socket has no subscription \"%.*s\"",
		    FMT(param_shown(id)));
		return;
	}
	subscribed_end(u);
	buf_lit(command_result(x), "{}");
	command_answer(x);
}

static void
on_answer(void *ctx, int status, int64_t retry_s, struct str json)
{
	struct socket *k = ctx;

	(void)status;
	(void)retry_s;
	if (k->ws == NULL)
		return;
	ws_send_text(k->ws, json);
	/* The one that is answered is still counted. */
	ws_hold(k->ws, commander_busy(k->by) > LIMIT_SOCKET_COMMANDS);
}

static void
on_message(void *ctx, struct str text)
{
	struct socket *k = ctx;

	command_take(k->by, text);
	ws_hold(k->ws, commander_busy(k->by) >= LIMIT_SOCKET_COMMANDS);
}

/* ---- the begin ------------------------------------------------------------------------- */

static const struct command_events commands = { on_answer, on_subscribe, on_unsubscribe };
static const struct ws_events frames = { on_message, on_gone };

bool
socket_refuse(struct call *c, int status, struct str words)
{
	struct err e;

	if (c->route == NULL || !(c->route->flags & ROUTE_SOCKET) || ws_check(c->r, &e) != 0)
		return false;
	ws_close(ws_begin(c->r, session_protocol(c->r), STR_NONE, &frames, NULL),
	    4000 + (unsigned)status, words);
	return true;
}

/* It does not ask for a WebSocket, or badly. */
static int
refuse_request(struct call *c, int status)
{
	struct buf *b = call_out(c);
	struct str type = answer_add_error(b, c->api->shared->o.plain_errors,
	    str_of(c->err.text));

	call_reply(c, status, type, status == 426 ? WS_UPGRADE_LINES : STR_NONE, buf_str(b));
	return OK;
}

int
api_socket(struct call *c)
{
	int status = ws_check(c->r, &c->err);
	struct socket *k;

	if (status != 0)
		return refuse_request(c, status);
	if (c->api->draining)
		return err_set(&c->err, ERR_BUSY, "the server is stopping");
	k = mem_new(struct socket);
	k->api = c->api;
	k->by = commander_new(c, &commands, k);
	k->next = c->api->sockets;
	if (k->next != NULL)
		k->next->prev = k;
	c->api->sockets = k;
	/* Before it subscribes, too: others that come may start the run it is going to read. */
	k->thread_id = c->thread_id;
	peer_listens(c->api, &k->thread_id, true);
	standing_begin(&k->standing, c, on_expiry);
	k->standing.who = commander_who(k->by);      /* c goes */
	k->ws = ws_begin(c->r, session_protocol(c->r), STR_NONE, &frames, k);
	return OK;
}
