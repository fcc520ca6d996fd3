/*
 * mcp_http.c - an MCP server at an address: streamable HTTP, each message a POST
 * whose answer is JSON or a stream of events; and the older transport, where a GET
 * stream names the address for messages and brings the answers.
 *
 * A stream that breaks before its answer is taken up again with Last-Event-ID where
 * its events had ids.  A server that has forgotten the session (404) is opened anew.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tools/mcp_priv.h"

#include <assert.h>

#include "base/log.h"
#include "net/sse_read.h"

#define BODY_MAX   ((size_t)LIMIT_MCP_MESSAGE_BYTES)
#define STREAM_MAX ((size_t)1 << 40)     /* bytes of a stream: its events are bounded */
#define RESUMES    5             /* of one stream, without an event between */
#define GOODBYE_MS 5000
#define RETRY_MS   1000          /* before a broken stream is taken up */

struct http_link;

/* One exchange: a POST, or the GET of a stream. */
struct exchange {
	struct http_link *link;
	struct list in;
	struct mcp_wait *w;                  /* whose answer it brings; NULL: nobody's */
	struct client_call *call;            /* NULL: it pauses */
	struct sse_read events;
	struct buf body;
	int status;
	bool is_get, is_stream;
	bool dead;                           /* freed when its hook returns */
	bool busy;                           /* inside of a hook */
	unsigned resumes;
	struct wheel_timer again;
};

struct http_link {
	struct mcp_session *s;
	struct list exchanges;
	struct buf session_id;
	struct buf post_url;                 /* of the older transport; empty: the new one */
	struct buf waiting;                  /* its first message, until post_url is known */
	struct mcp_wait *waiting_for;        /* whose it is; NULL: it was sent */
	bool older;
};

/* ---- exchanges ------------------------------------------------------------------- */

static void
exchange_free(struct exchange *x)
{
	shard_timer_cancel(x->link->s->m->shard, &x->again);
	if (x->call != NULL)
		client_cancel(x->call);
	if (x->w != NULL)
		x->w->post = NULL;
	x->call = NULL;
	x->w = NULL;
	list_remove(&x->in);
	if (x->busy) {
		x->dead = true;
		return;
	}
	sse_read_release(&x->events);
	buf_release(&x->body);
	free(x);
}

/* After a hook. */
static void
exchange_left(struct exchange *x)
{
	x->busy = false;
	if (!x->dead)
		return;
	sse_read_release(&x->events);
	buf_release(&x->body);
	free(x);
}

static void post(struct http_link *l, struct str message, struct mcp_wait *w);
static void get(struct http_link *l, struct str last_id, struct mcp_wait *w,
    unsigned resumes);

/* "https://h/mcp" and "/messages?id=1": where the older transport takes messages.
 * Of the same host only. */
static void
set_endpoint(struct http_link *l, struct str data)
{
	struct str url = l->s->spec.url;
	size_t from = str_starts(url, S("https://")) ? 8 : 7;
	ptrdiff_t slash = str_index(str_sub(url, from, url.n), '/');
	struct str origin = str_sub(url, 0, slash < 0 ? url.n : from + (size_t)slash);
	struct err e;

	buf_clear(&l->post_url);
	if (str_starts(data, S("/"))) {
		buf_add(&l->post_url, origin);
		buf_add(&l->post_url, data);
	} else if (str_starts(data, origin) && (data.n == origin.n ||
	    data.p[origin.n] == '/' || data.p[origin.n] == '?')) {
		buf_add(&l->post_url, data);
	} else {
		err_set(&e, ERR_INVALID, "its endpoint is of another host");
		mcp_session_ended(l->s, &e);
		return;
	}
	if (l->waiting_for != NULL) {
		struct buf message = l->waiting;
		struct mcp_wait *w = l->waiting_for;

		l->waiting = BUF(BODY_MAX);
		l->waiting_for = NULL;
		w->held = false;
		post(l, buf_str(&message), w);
		buf_release(&message);
	}
}

static bool
on_event(void *ctx, struct str type, struct str data, struct str id)
{
	struct exchange *x = ctx;
	struct http_link *l = x->link;

	(void)id;
	x->resumes = 0;
	if (str_eq(type, S("endpoint")) && l->older)
		set_endpoint(l, data);
	else if (str_eq(type, S("message")) && str_trim(data).n > 0)
		mcp_session_message(l->s, data);
	return !x->dead;
}

static void
on_head(void *ctx, const struct client_answer *a)
{
	struct exchange *x = ctx;
	struct http_link *l = x->link;

	x->status = a->status;
	x->is_stream = str_starts(a->content_type, S("text/event-stream"));
	if (a->mcp_session.n > 0 && l->session_id.n == 0)
		buf_add(&l->session_id, a->mcp_session);
}

static void
on_data(void *ctx, struct str bytes)
{
	struct exchange *x = ctx;
	struct mcp_session *s = x->link->s;
	struct err e;

	if (x->status < 200 || x->status > 299 || !x->is_stream) {
		buf_add(&x->body, str_cut(bytes, BODY_MAX - x->body.n));
		return;
	}
	mcp_session_hold(s);
	x->busy = true;
	if (!sse_read_feed(&x->events, bytes) && !x->dead) {
		err_set(&e, ERR_TOOBIG, "it sent a message of more than %d bytes",
		    LIMIT_MCP_MESSAGE_BYTES);
		mcp_session_ended(s, &e);
	}
	exchange_left(x);
	mcp_session_unhold(s);
}

/* The server does not know streamable HTTP: the older transport is tried. */
static bool
fall_back(struct exchange *x)
{
	struct http_link *l = x->link;
	struct mcp_wait *w = x->w;

	if (l->older || w == NULL || w->ask != MCP_INITIALIZE ||
	    (x->status != 404 && x->status != 405 && x->status != 400))
		return false;
	l->older = true;
	l->waiting_for = w;
	w->held = true;
	buf_clear(&l->waiting);
	buf_add_fmt(&l->waiting, "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"method\":\"initialize\","
	    "\"params\":%.*s}", (long long)w->id, FMT(buf_str(&w->params)));
	get(l, STR_NONE, NULL, 0);
	return true;
}

static const char *
status_words(int status)
{
	return status == 401 ? "; it wants a token: set the header Authorization" :
	    status == 403 ? "; the token is not enough" :
	    status == 404 ? "; is the address right?" : "";
}

/* An exchange that ended with an error of HTTP. */
static void
on_status(struct exchange *x)
{
	struct http_link *l = x->link;
	struct mcp_wait *w = x->w;
	struct err e;

	err_set(&e, x->status == 401 || x->status == 403 ? ERR_DENIED : ERR_CLOSED,
	    "the MCP server %.*s: HTTP status %d%s", FMT(l->s->spec.name), x->status,
	    status_words(x->status));
	if (x->status == 404 && l->session_id.n > 0) {
		err_set(&e, ERR_CLOSED, "it has forgotten the session");
		mcp_session_ended(l->s, &e);
	} else if (w != NULL && w->ask == MCP_INITIALIZE) {
		mcp_session_ended(l->s, &e);
	} else if (w != NULL) {
		x->w = NULL;
		w->post = NULL;
		mcp_wait_failed(w, e.code, &e);
	} else if (x->is_get && l->older) {
		mcp_session_ended(l->s, &e);
	}
}

static void
on_again(struct wheel_timer *t)
{
	struct exchange *x = CONTAINER_OF(t, struct exchange, again);
	struct http_link *l = x->link;
	struct buf id = BUF(64 * KB);
	struct mcp_wait *w = x->w;
	unsigned resumes = x->resumes;

	buf_add(&id, buf_str(&x->events.id));
	exchange_free(x);
	get(l, buf_str(&id), w, resumes + 1);
	buf_release(&id);
}

/* A stream that ended before its answer: is it taken up again? */
static bool
resume(struct exchange *x)
{
	struct http_link *l = x->link;
	msec pause = x->events.retry_ms >= 0 ? x->events.retry_ms : RETRY_MS;
	bool wanted = x->w != NULL ? x->events.id.n > 0 :
	    x->is_get && !l->older && l->s->tells_lists;

	if (!x->is_stream || !wanted || x->resumes >= RESUMES || l->s->state != MCP_READY)
		return false;
	x->again.fire = on_again;
	shard_timer_set(l->s->m->shard, &x->again, pause > 60000 ? 60000 : pause);
	return true;
}

static void
on_end(struct exchange *x, int rc, const struct err *why)
{
	struct http_link *l = x->link;
	struct mcp_wait *w;
	struct err e;

	if (rc == OK && x->status >= 200 && x->status <= 299 && !x->is_stream &&
	    x->body.n > 0)
		mcp_session_message(l->s, buf_str(&x->body));
	if (x->dead)
		return;
	w = x->w;
	if (x->status >= 300 || (x->status > 0 && x->status < 200)) {
		if (!fall_back(x))
			on_status(x);
	} else if (x->is_get && l->older) {
		err_set(&e, ERR_CLOSED, "its stream ended: %s", rc == OK ? "closed" : why->text);
		mcp_session_ended(l->s, &e);
	} else if (resume(x)) {
		return;
	} else if (w != NULL && !l->older) {
		err_set(&e, rc == OK ? ERR_CLOSED : rc, "the MCP server %.*s: %s",
		    FMT(l->s->spec.name), rc == OK ? "it ended its answer without a result" :
		    why->text);
		x->w = NULL;
		w->post = NULL;
		if (w->ask == MCP_INITIALIZE || x->status == 0)
			mcp_session_ended(l->s, &e);
		else
			mcp_wait_failed(w, e.code, &e);
	}
	if (!x->dead)
		exchange_free(x);
}

static void
on_done(void *ctx, int rc, const struct client_answer *a, const struct err *e)
{
	struct exchange *x = ctx;
	struct mcp_session *s = x->link->s;

	(void)a;
	x->call = NULL;
	mcp_session_hold(s);
	x->busy = true;
	on_end(x, rc, e);
	exchange_left(x);
	mcp_session_unhold(s);
}

static void
add_headers(struct buf *b, const struct http_link *l)
{
	const struct mcp_session *s = l->s;

	if (s->version != NULL)
		buf_add_fmt(b, "MCP-Protocol-Version: %s\r\n", s->version);
	if (l->session_id.n > 0)
		buf_add_fmt(b, "Mcp-Session-Id: %.*s\r\n", FMT(buf_str(&l->session_id)));
	for (size_t i = 0; i < s->spec.headers_n; i++)
		buf_add_fmt(b, "%.*s: %.*s\r\n", FMT(s->spec.headers[i].name),
		    FMT(s->spec.headers[i].value));
}

static struct exchange *
start(struct http_link *l, struct str url, bool is_get, struct str body, struct str last_id,
    struct mcp_wait *w)
{
	struct mcp_session *s = l->s;
	struct exchange *x = mem_new(struct exchange);
	struct client_hooks hooks = { on_head, on_data, on_done, x };
	struct buf headers = BUF(256 * KB);

	x->link = l;
	x->w = w;
	x->is_get = is_get;
	x->body = BUF(BODY_MAX);
	sse_read_init(&x->events, BODY_MAX, on_event, x);
	buf_add(&x->events.id, last_id);
	list_append(&l->exchanges, &x->in);
	if (w != NULL)
		w->post = x;
	if (!is_get)
		buf_lit(&headers, "Content-Type: application/json\r\n");
	buf_add(&headers, is_get ? S("Accept: text/event-stream\r\n") :
	    S("Accept: application/json, text/event-stream\r\n"));
	add_headers(&headers, l);
	if (last_id.n > 0)
		buf_add_fmt(&headers, "Last-Event-ID: %.*s\r\n", FMT(last_id));
	x->call = client_start(s->m->client, &(struct client_request){
	    .method = is_get ? S("GET") : S("POST"), .url = url, .headers = buf_str(&headers),
	    .body = body, .silence_ms = LIMIT_MCP_CALL_MAX_MS,
	    .public_only = s->spec.public_only,
	    .body_max = STREAM_MAX }, &hooks);
	buf_release(&headers);
	return x;
}

static void
post(struct http_link *l, struct str message, struct mcp_wait *w)
{
	/* The older transport answers in its stream. */
	(void)start(l, l->older ? buf_str(&l->post_url) : l->s->spec.url, false, message,
	    STR_NONE, w);
}

static void
get(struct http_link *l, struct str last_id, struct mcp_wait *w, unsigned resumes)
{
	start(l, l->s->spec.url, true, STR_NONE, last_id, w)->resumes = resumes;
}

/* ---- the link ----------------------------------------------------------------------- */

static bool
is_header(struct str s, bool name)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f ||
		    (name && (s.p[i] == ' ' || s.p[i] == ':')))
			return false;
	return s.n > 0 || !name;
}

static int
http_open(struct mcp_session *s, struct err *e)
{
	struct http_link *l;

	if (!str_starts(s->spec.url, S("http://")) && !str_starts(s->spec.url, S("https://")))
		return err_set(e, ERR_INVALID, "its address has to begin with http:// or "
		    "https://");
	for (size_t i = 0; i < s->spec.headers_n; i++)
		if (!is_header(s->spec.headers[i].name, true) ||
		    !is_header(s->spec.headers[i].value, false))
			return err_set(e, ERR_INVALID, "its header '%.*s' is not one: a blank "
			    "in the name, or a control character",
			    FMT(str_cut(s->spec.headers[i].name, 60)));
	l = mem_new(struct http_link);
	l->s = s;
	l->session_id = BUF(4 * KB);
	l->post_url = BUF(16 * KB);
	l->waiting = BUF(BODY_MAX);
	list_init(&l->exchanges);
	s->link = l;
	return OK;
}

static int
http_send(struct mcp_session *s, struct str message, struct mcp_wait *w)
{
	struct http_link *l = s->link;

	if (l->older && l->post_url.n == 0)
		return ERR_CLOSED;                   /* it asks before it says where answers go */
	post(l, message, w);
	return OK;
}

static void
http_forget(struct mcp_session *s, struct mcp_wait *w)
{
	struct exchange *x = w->post;

	(void)s;
	w->post = NULL;
	if (x == NULL)
		return;
	x->w = NULL;
	exchange_free(x);
}

/* Lists that change are told in a stream of their own. */
static void
http_ready(struct mcp_session *s)
{
	struct http_link *l = s->link;

	if (!l->older && s->tells_lists)
		get(l, STR_NONE, NULL, 0);
}

static void
goodbye_done(void *ctx, int rc, const struct client_answer *a, const struct err *e)
{
	(void)ctx, (void)rc, (void)a, (void)e;
}

/* The session is over; nobody waits for the answer. */
static void
say_goodbye(struct http_link *l)
{
	static const struct client_hooks hooks = { .done = goodbye_done };
	struct buf headers = BUF(256 * KB);

	add_headers(&headers, l);
	if (l->session_id.n > 0)
		(void)client_start(l->s->m->client, &(struct client_request){
		    .method = S("DELETE"), .url = l->s->spec.url,
		    .public_only = l->s->spec.public_only,
		    .headers = buf_str(&headers), .silence_ms = GOODBYE_MS }, &hooks);
	buf_release(&headers);
}

static void
http_close(struct mcp_session *s, bool at_once)
{
	struct http_link *l = s->link;

	if (!at_once)
		say_goodbye(l);
	s->link = NULL;
	while (!list_empty(&l->exchanges))
		exchange_free(CONTAINER_OF(l->exchanges.next, struct exchange, in));
	buf_release(&l->session_id);
	buf_release(&l->post_url);
	buf_release(&l->waiting);
	free(l);
}

const struct mcp_link_kind mcp_http = {
	.open = http_open, .send = http_send, .forget = http_forget, .ready = http_ready,
	.close = http_close,
};
