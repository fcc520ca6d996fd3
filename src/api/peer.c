/*
 * peer.c - see peer.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/peer.h"

#include <assert.h>
#include <string.h>

#include "api/agui.h"
#include "api/openai.h"
#include "base/hmac.h"
#include "cluster/node.h"
#include "cluster/relay.h"
#include "mail/host/carrier.h"
#include "store/node.h"
#include "worker/worker.h"

#define SHOWN "x-cohort-shown"               /* between nodes only */

/* ---- the request, for the other node -------------------------------------------------- */

/* The path as a request line has it, with the prefix that was taken off. */
static struct str
target_of(struct call *c)
{
	static const char hex[] = "0123456789ABCDEF";
	struct str path = c->r->path;
	struct buf b = BUF(8 * (size_t)LIMIT_HTTP_URL_BYTES);

	buf_add(&b, c->api->shared->o.prefix);
	for (size_t i = 0; i < path.n; i++) {
		unsigned char ch = (unsigned char)path.p[i];

		if ((ch >= '0' && ch <= '9') || (ch >= 'A' && ch <= 'Z') ||
		    (ch >= 'a' && ch <= 'z') || str_char_in(ch, "/-._~:@!$&'()*+,;=")) {
			buf_add_char(&b, (char)ch);
		} else {
			buf_add_char(&b, '%');
			buf_add_char(&b, hex[ch >> 4]);
			buf_add_char(&b, hex[ch & 15]);
		}
	}
	if (c->r->query.n > 0)
		buf_add_fmt(&b, "?%.*s", FMT(c->r->query));
	path = arena_str(&c->r->arena, buf_str(&b));
	buf_release(&b);
	return path;
}

/* Sessions and tickets are known here only. */
static struct str
credential_lines(struct call *c)
{
	const struct credentials *s = &c->shows;
	struct str lines = STR_NONE;
	struct buf b = BUF(64 * KB);

	if (s->authorization.n > 0)
		buf_add_fmt(&b, "authorization: %.*s\r\n", FMT(s->authorization));
	if (s->api_key.n > 0)
		buf_add_fmt(&b, "x-api-key: %.*s\r\n", FMT(s->api_key));
	if (s->shown.n > 0) {
		buf_lit(&b, SHOWN ": ");
		base64url_add(&b, s->shown.p, s->shown.n);
		buf_lit(&b, "\r\n");
	}
	lines = arena_str(&c->r->arena, buf_str(&b));
	buf_release(&b);
	return lines;
}

void
peer_shows(struct call *c)
{
	struct str shown = http_header(c->r, S(SHOWN));
	struct buf b = BUF(64 * KB);

	if (c->r->through != NULL && shown.n > 0 && base64url_decode(shown, &b))
		c->shows.shown = arena_str(&c->r->arena, buf_str(&b));
	buf_release(&b);
}

/* The request for another node, without its body. */
static struct relay_ask_for
ask_for(struct call *c, int64_t node)
{
	struct api_shared *sh = c->api->shared;
	bool stands = c->shows.in_session || c->ticket.n > 0;

	return (struct relay_ask_for){ .node = node, .path = target_of(c),
	    .drops = stands ? S("cookie,authorization,x-api-key," SHOWN) : S(SHOWN),
	    .lines = stands ? credential_lines(c) : STR_NONE,
	    .error_lines = arena_fmt(&c->r->arena, "%.*sretry-after: 1\r\n", FMT(call_cors(c))),
	    .error = buf_str(&sh->away), .error_type = sh->away_type };
}

/* The other node has the credentials that the session stands for, which are good for longer
 * than it: its end is seen here. */
struct session_guard {
	struct relay_guard relay;
	struct standing standing;
};

static void
session_is_over(struct standing *s)
{
	relay_cut(&CONTAINER_OF(s, struct session_guard, standing)->relay);
}

static void
request_is_over(struct relay_guard *g)
{
	struct session_guard *x = CONTAINER_OF(g, struct session_guard, relay);

	standing_end(&x->standing);
	free(x);
}

static bool
relay_in_session(struct call *c, struct relay_ask_for *q)
{
	struct session_guard *x = mem_new(struct session_guard);

	x->relay.over = request_is_over;
	standing_begin(&x->standing, c, session_is_over);
	standing_keep(&x->standing);
	q->guard = &x->relay;
	if (relay_request(c->api->relay, c->r, q))
		return true;
	request_is_over(q->guard);
	return false;
}

/* True: it is theirs. */
static bool
send_to(struct call *c, int64_t node, struct str body)
{
	struct relay *rl = c->api->relay;
	struct relay_ask_for q;

	if (node <= 0 || node == store_node(c->api->shared->o.store) ||
	    !relay_reaches(rl, node))
		return false;
	if (peer_asks(c)) {
		if (!relay_moves(c->r, node))
			return false;
		relay_moved(rl, c->r, node);
		return true;
	}
	q = ask_for(c, node);
	q.body = body;
	return c->who.in_session ? relay_in_session(c, &q) : relay_request(rl, c->r, &q);
}

/* ---- all nodes -------------------------------------------------------------------------- */

#define NODES_MAX  64
#define SAID_BYTES ((size_t)64 * KB)         /* answers that are not read */

struct asking { void (*answered)(void *ctx, struct str body); void *ctx; size_t waits; };

/* The body of an answer that is a success. */
static void
answered_whole(void *ctx, struct str answer)
{
	struct asking *x = ctx;
	const char *end = answer.n == 0 ? NULL : memmem(answer.p, answer.n, "\r\n\r\n", 4);
	struct str body = STR_NONE;

	if (end != NULL && str_starts(answer, S("HTTP/1.1 200 ")))
		body = str_sub(answer, (size_t)(end - answer.p) + 4, answer.n);
	x->answered(x->ctx, body);
	if (--x->waits == 0)
		free(x);
}

bool
peer_asks(const struct call *c)
{
	return c->r->through != NULL;
}

size_t
peer_ask_all(struct call *c, struct str body, size_t max,
    void (*answered)(void *ctx, struct str body), void *ctx)
{
	struct relay *rl = c->api->relay;
	int64_t nodes[NODES_MAX];
	size_t n = rl == NULL || peer_asks(c) ? 0 : relay_others(rl, nodes, COUNT(nodes));
	size_t waits = 0;
	struct asking *x = mem_new(struct asking);

	*x = (struct asking){ answered, ctx, 0 };
	for (size_t i = 0; i < n; i++) {
		struct relay_ask_for q = ask_for(c, nodes[i]);

		q.body = body;
		/* Its answer is for us as it is. */
		q.drops = arena_fmt(&c->r->arena, "%.*s,accept-encoding,connection,origin,"
		    "idempotency-key", FMT(q.drops));
		x->waits += relay_ask(rl, c->r, &q, max / n, answered_whole, x);
	}
	waits = x->waits;
	if (waits == 0)
		free(x);
	return waits;
}

struct waiting_all { void (*done)(void *ctx); void *ctx; size_t left; };

static void
one_has_done(void *ctx, struct str body)
{
	struct waiting_all *x = ctx;

	(void)body;
	if (--x->left > 0)
		return;
	x->done(x->ctx);
	free(x);
}

void
peer_wait_all(struct call *c, struct str body, void (*done)(void *ctx), void *ctx)
{
	struct waiting_all *x = mem_new(struct waiting_all);

	*x = (struct waiting_all){ done, ctx, 0 };
	x->left = peer_ask_all(c, body, SAID_BYTES, one_has_done, x);
	if (x->left > 0)
		return;
	free(x);
	done(ctx);
}

/* ---- whose it is ------------------------------------------------------------------------ */

/* Where runs of it are under way.  0: nowhere, or here. */
static int64_t
node_of_runs(struct call *c, const struct uuid *thread_id, bool *here)
{
	int64_t node = 0;

	*here = runs_has_run_of(c->api->runs, thread_id);
	if (*here || store_thread_node(c->api->reader, thread_id, &node) != OK)
		return 0;
	return node;
}

/* 0: nobody's, or ours. */
static int64_t
node_of_thread(struct call *c, const struct uuid *thread_id)
{
	bool here;
	int64_t node = node_of_runs(c, thread_id, &here);

	return node > 0 || here ? node : relay_listened(c->api->relay, thread_id);
}

/* False: there is no such run in the store, and none here. */
static bool
node_of_run(struct call *c, const struct uuid *run_id, int64_t *node)
{
	struct store_run run;

	*node = 0;
	if (runs_has_run(c->api->runs, run_id))
		return true;
	if (store_run_get(c->api->reader, c->owner, run_id, &c->r->arena, &run) != OK)
		return false;
	*node = node_of_thread(c, &run.thread_id);
	return true;
}

static void
found(void *ctx, int64_t node)
{
	struct call *c = ctx;

	if (!send_to(c, node, c->r->body))
		call_finish(c, c->then(c));
}

/* A run that has no row may be another node's: all are asked. */
static bool
find_run(struct call *c, int (*here)(struct call *c))
{
	char text[UUID_TEXT];

	if (peer_asks(c))
		return false;
	uuid_format(&c->run_id, text);
	c->then = here;
	relay_find(c->api->relay, RELAY_RUN, (struct str){ text, sizeof text }, found, c);
	return true;
}

/* An agent without a row that is there since a moment ago, too. */
static bool
by_agent(struct call *c, int (*here)(struct call *c))
{
	char text[UUID_TEXT];
	struct uuid id;
	int64_t node;

	if (office_locate(c->api->office, c->owner, c->param[0], &node) == OK)
		return send_to(c, node, c->r->body);
	if (peer_asks(c) || !uuid_parse(c->param[0], &id))
		return false;
	uuid_format(&id, text);
	c->then = here;
	relay_find(c->api->relay, RELAY_AGENT, arena_fmt(&c->r->arena, "%lld/%.*s",
	    (long long)c->owner, UUID_TEXT, text), found, c);
	return true;
}

/* Streams of a thread's events, which may begin before there is a run, or a thread. */
static bool
is_listener(const struct call *c)
{
	handler *h = c->route->handle;

	return h == api_thread_stream || h == api_events || h == api_socket;
}

/* All nodes know: runs of the thread will be begun here, if no other node is to have it. */
static void
listens(void *ctx, int64_t node)
{
	struct call *c = ctx;
	struct relay *rl = c->api->relay;
	struct uuid id = c->thread_id;

	if (node == 0)
		node = node_of_thread(c, &id);
	if (!send_to(c, node, c->r->body))
		call_finish(c, c->then(c));
	relay_listens(rl, &id, false);       /* its reader counts now, if there is one */
}

void
peer_listens(struct api *a, const struct uuid *thread_id, bool more)
{
	if (a->relay != NULL)
		relay_listens(a->relay, thread_id, more);
}

/* A worker is its node's: while that lives and cannot be asked, nobody else knows it, and the
 * worker has to come again. */
static bool
by_worker(struct call *c)
{
	struct cluster *all = c->api->shared->o.cluster;
	struct uuid id;
	int64_t node;

	if (!uuid_parse(c->param[0], &id))
		return false;
	node = worker_name_node(&id);
	if (send_to(c, node, c->r->body))
		return true;
	if (node <= 0 || node == store_node(c->api->shared->o.store) || all == NULL ||
	    !cluster_alive(all, node))
		return false;
	call_finish(c, err_set(&c->err, ERR_BUSY, "the node of the worker cannot be reached"));
	return true;
}

/* keeps: it has the thread, so who has come to read it elsewhere comes here. */
static bool
by_path(struct call *c, int (*here)(struct call *c), bool keeps)
{
	int64_t node = 0, of_run;
	bool runs;

	if (c->route->access == WORKERS_SERVE || str_starts(c->r->path, S("/workers/")))
		return by_worker(c);
	if (str_starts(str_of(c->route->path), S("/agents/{agent}")))
		return by_agent(c, here);
	if (!uuid_is_zero(&c->thread_id))
		node = keeps ? node_of_runs(c, &c->thread_id, &runs) :
		    node_of_thread(c, &c->thread_id);
	if (node == 0 && !uuid_is_zero(&c->run_id)) {
		if (!node_of_run(c, &c->run_id, &of_run))
			return find_run(c, here);
		node = keeps ? 0 : of_run;
	}
	if (node != 0 || !is_listener(c))
		return send_to(c, node, c->r->body);
	c->then = here;
	relay_listen(c->api->relay, &c->thread_id, listens, c);
	return true;
}

/* Between the look at who reads the thread and the run's row a reader may come to another
 * node: that one asks here, and finds the thread. */
static bool
may_begin_run(const struct call *c)
{
	return !uuid_is_zero(&c->thread_id) && !is_listener(c) &&
	    strcmp(c->route->method, "GET") != 0;
}

bool
peer_by_path(struct call *c, int (*here)(struct call *c))
{
	struct runs *runs = c->api->runs;
	struct uuid thread_id = c->thread_id;
	bool keeps;

	if (c->api->relay == NULL)
		return false;
	keeps = may_begin_run(c) && runs_keep_thread(runs, &thread_id);
	if (!by_path(c, here, keeps)) {
		c->keeps_thread = keeps;
		return false;
	}
	if (keeps)
		runs_let_thread(runs, &thread_id);
	return true;
}

bool
peer_took(struct call *c)
{
	return (c->route->flags & ROUTE_KEEPS) && c->api->relay != NULL &&
	    send_to(c, node_of_thread(c, &c->thread_id), c->r->body);
}

/* ---- ids in bodies ---------------------------------------------------------------------- */

enum id_kind { ID_THREAD, ID_RUN, ID_AGUI, ID_TASK };

/* Where a handler's body names a thread or a run; the first that is there counts. */
static const struct {
	handler *handle;
	const char *path[3];
	const char *prefix;                  /* of the id */
	enum id_kind kind;
} named[] = {
	{ api_run_cancel_many, { "thread_id" }, "", ID_THREAD },
	{ api_session_ticket, { "thread_id" }, "", ID_THREAD },
	{ api_agui, { "threadId" }, "", ID_AGUI },
	{ api_a2a, { "params", "message", "taskId" }, "", ID_TASK },
	{ api_a2a, { "params", "message", "contextId" }, "", ID_THREAD },
	{ api_a2a, { "params", "taskId" }, "", ID_TASK },
	{ api_a2a, { "params", "id" }, "", ID_TASK },
	{ api_openai_chat, { "metadata", "thread_id" }, "", ID_THREAD },
	{ api_openai_respond, { "previous_response_id" }, "resp_", ID_RUN },
	{ api_openai_respond, { "conversation" }, "conv_", ID_THREAD },
	{ api_openai_respond, { "conversation", "id" }, "conv_", ID_THREAD },
};

static bool
read_id(struct call *c, size_t row, jnode n, struct uuid *id)
{
	struct str prefix = str_of(named[row].prefix), text;

	for (size_t i = 0; i < COUNT(named[row].path) && named[row].path[i] != NULL; i++)
		n = json_get(n, str_of(named[row].path[i]));
	text = json_str(n);
	if (text.n == 0)
		return false;
	if (named[row].kind == ID_AGUI) {
		*id = agui_thread(c, text);
		return true;
	}
	if (named[row].kind == ID_TASK)      /* thread:run (api/a2a_task.c) */
		text = text.n > UUID_TEXT && text.p[UUID_TEXT] == ':' ?
		    str_sub(text, 0, UUID_TEXT) : STR_NONE;
	return str_starts(text, prefix) && uuid_parse(str_sub(text, prefix.n, text.n), id);
}

bool
peer_by_body(struct call *c, struct str body, jnode root)
{
	int64_t node = 0;
	struct uuid id;

	if (c->api->relay == NULL)
		return false;
	/* The path of a stored response has its prefix too. */
	if (str_starts(c->param[0], S("resp_")) &&
	    uuid_parse(str_sub(c->param[0], 5, c->param[0].n), &id))
		return node_of_run(c, &id, &node) && send_to(c, node, body);
	for (size_t i = 0; i < COUNT(named); i++) {
		if (named[i].handle != c->route->handle || !read_id(c, i, root, &id))
			continue;
		if (named[i].kind != ID_RUN)
			node = node_of_thread(c, &id);
		else if (!node_of_run(c, &id, &node))
			continue;
		return send_to(c, node, body);
	}
	return false;
}
