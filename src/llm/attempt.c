/*
 * attempt.c - one attempt at a provider over HTTP: the request, and what comes
 * back.  What is sent where, and what the answer says, is its struct wire's.
 *
 * A key goes to the address that was configured with it and nowhere else: a run
 * that names another base_url is sent without one.  The body is kept for another
 * attempt until the first delta was told.
 *
 * One attempt may be several requests: a redirect (307, 308) to the same
 * origin is followed, and a server that refuses a part of the body is asked
 * again without it (quirk.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/account.h"
#include "base/limits.h"
#include "llm/wire_priv.h"

#define ERROR_BODY_BYTES (64 * KB)           /* of an error; enough for its words */
#define CHARGE_BYTES     (64 * KB)           /* taken from the account at a time */

/* ---- what is sent --------------------------------------------------------- */

int
url_check(struct str url, struct err *e)
{
	static const struct str schemes[] = { S("https://"), S("http://") };
	struct str host = STR_NONE;

	for (size_t i = 0; i < COUNT(schemes); i++)
		if (str_eq_nocase(str_sub(url, 0, schemes[i].n), schemes[i]))
			host = str_sub(url, schemes[i].n, url.n);
	if (host.n == 0 || host.p[0] == '/' || host.p[0] == ':')
		return err_set(e, ERR_INVALID,
		    "base_url: expected https://HOST/PATH or http://HOST/PATH");
	if (url.n > LIMIT_HTTP_URL_BYTES / 2)
		return err_set(e, ERR_INVALID, "base_url: longer than %d bytes",
		    LIMIT_HTTP_URL_BYTES / 2);
	for (size_t i = 0; i < host.n; i++)
		if (host.p[i] <= ' ' || host.p[i] > '~' ||
		    str_index(S("@?#\\\"<>"), host.p[i]) >= 0)
			return err_set(e, ERR_INVALID,
			    "base_url: byte %zu may not be there (no user, no "
			    "query, no blanks)", url.n - host.n + i);
	return OK;
}

/* ---- for wires ---------------------------------------------------------------- */

bool
wire_output_by_tool(const struct llm_request *rq, const struct llm_target *t)
{
	bool mode = (t->has & LLM_HAS_JSON_SCHEMA) != 0 &&
	    !(t->provider->wire->schema_excludes_tools && rq->tools_n > 0);

	return rq->output_schema_json.n > 0 && !mode;
}

struct llm_tool_spec
wire_output_tool(const struct llm_request *rq)
{
	return (struct llm_tool_spec){ S(OUTPUT_TOOL),
	    S("Gives the final answer. Call it once, when the answer is complete."),
	    rq->output_schema_json };
}

struct str
wire_tool_choice(const struct llm_request *rq, const struct llm_target *t)
{
	if (!wire_output_by_tool(rq, t))
		return rq->tool_choice;
	return rq->tools_n == 0 ? S(OUTPUT_TOOL) : S("any");
}

void
wire_add_segment(struct buf *url, struct str name)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < name.n; i++) {
		unsigned char c = (unsigned char)name.p[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '~';

		if (!plain)
			buf_add_char(url, '%');
		buf_add_char(url, plain ? (char)c : hex[c >> 4]);
		if (!plain)
			buf_add_char(url, hex[c & 15]);
	}
}

/* ---- what is sent, and where ---------------------------------------------------- */

int
attempt_build(struct body *b, const struct llm_request *rq, const struct llm_target *t,
    struct err *e)
{
	int rc = t->provider->wire->build(b, rq, t, e);

	if (rc == OK && b->text.failed)
		return err_set(e, ERR_LIMIT, "the conversation is too large to send");
	return rc;
}

int
attempt_prepare(struct llm_call *c, const struct llm_request *rq,
    const struct llm_target *t, struct err *e)
{
	struct http_call *o = &c->u.http;
	struct llm_request sent = *rq;
	int rc;

	o->url = BUF(LIMIT_HTTP_URL_BYTES);
	o->body.text = BUF((size_t)LIMIT_STATE_BYTES * 2);
	o->text = BUF(LIMIT_LLM_BODY_BYTES);
	o->by_tool = wire_output_by_tool(rq, t);
	sent.stream = c->stream;
	buf_add(&o->url, t->base_url);
	t->provider->wire->add_path(&o->url, t, sent.stream);
	rc = attempt_build(&o->body, &sent, t, e);
	if (rc == OK && o->url.failed)
		rc = err_set(e, ERR_INVALID, "model: its name makes an address of more than "
		    "%d bytes", LIMIT_HTTP_URL_BYTES);
	if (rc == OK)
		body_without(&o->body, quirks_known(t->base_url, t->name));
	return rc;
}

/* ---- what comes back ------------------------------------------------------ */

static bool
on_delta(void *ctx, const struct llm_delta *d)
{
	return llm_call_delta(ctx, d);
}

static void
decoder_open(struct llm_call *c, struct decoder *s)
{
	decoder_init(s, c->target.provider->wire, &c->result, on_delta, c);
	s->by_tool = c->u.http.by_tool;
}

static void
attempt_end(struct llm_call *c)
{
	struct http_call *o = &c->u.http;

	if (o->http != NULL)
		client_cancel(o->http);
	o->http = NULL;
	if (o->kind == BODY_EVENTS)
		decoder_release(&o->stream);
	o->kind = BODY_UNKNOWN;
	o->ending = false;
	buf_release(&o->text);
	account_give(&account_output, o->charged);
	o->charged = 0;
}

static void
fail(struct llm_call *c, struct failure *f)
{
	attempt_end(c);
	llm_call_failed(c, f);
}

static void
on_head(void *ctx, const struct client_answer *a)
{
	struct llm_call *c = ctx;

	assert(c->u.http.http != NULL && c->u.http.kind == BODY_UNKNOWN);
	c->u.http.status = a->status;
	c->u.http.events_said = c->stream && (a->content_type.n == 0 ||
	    str_starts(a->content_type, S("text/event-stream")));
}

/* What a call holds past its free share is charged to the process's account:
 * one line of 16 MiB is no harm, thousands are. */
static int
charge(struct llm_call *c, struct failure *f)
{
	struct http_call *o = &c->u.http;
	size_t held = o->text.n + result_held(&c->result), more;

	if (o->kind == BODY_EVENTS)
		held += o->stream.line.n + o->stream.event.n;
	if (held <= LIMIT_LLM_FREE_BYTES + o->charged)
		return OK;
	more = held - LIMIT_LLM_FREE_BYTES - o->charged + CHARGE_BYTES;
	if (account_take(&account_output, more)) {
		o->charged += more;
		return OK;
	}
	failure_set(f, FAULT_OVERLOADED, false, "the model's answer is over %zu bytes and "
	    "this server has no memory left for it: unsent output and models' answers "
	    "together may take %zu bytes", held, account_used(&account_output) +
	    account_room(&account_output));
	f->ours = true;
	return ERR_LIMIT;
}

/* A stream begins with a field or a comment, an answer in one piece like JSON
 * (or it is a web page); for anything else the server's word is taken.
 * BODY_UNKNOWN: these are too few bytes to tell. */
static int
kind_of(struct str begun, bool events_said)
{
	static const struct str fields[] = {
		S(":"), S("data:"), S("event:"), S("id:"), S("retry:"), S("\xef\xbb\xbf")
	};

	begun = str_trim(begun);
	if (str_starts(begun, fields[COUNT(fields) - 1]))
		begun = str_trim(str_sub(begun, 3, begun.n));
	for (size_t i = 0; i < COUNT(fields); i++) {
		if (str_starts(begun, fields[i]))
			return BODY_EVENTS;
		if (str_starts(fields[i], begun))
			return BODY_UNKNOWN;
	}
	return events_said && str_index(S("{[<"), begun.p[0]) < 0 ? BODY_EVENTS :
	    BODY_TEXT;
}

static int
first_bytes(struct llm_call *c, struct str bytes, struct failure *f)
{
	struct http_call *o = &c->u.http;

	if (o->text.n > 0) {
		buf_add(&o->text, bytes);
		bytes = buf_str(&o->text);
	}
	o->kind = kind_of(bytes, o->events_said);
	if (o->kind != BODY_EVENTS) {
		if (o->text.n == 0)
			buf_add(&o->text, bytes);
		return OK;
	}
	decoder_open(c, &o->stream);
	return decoder_feed(&o->stream, bytes, f);
}

static int
take_bytes(struct llm_call *c, struct str bytes, struct failure *f)
{
	struct http_call *o = &c->u.http;

	if (o->status / 100 != 2) {
		if (o->text.n < ERROR_BODY_BYTES)
			buf_add(&o->text, bytes);
		return OK;
	}
	if (o->kind == BODY_EVENTS)
		return decoder_feed(&o->stream, bytes, f);
	if (o->kind == BODY_UNKNOWN)
		return first_bytes(c, bytes, f);
	buf_add(&o->text, bytes);
	return OK;
}

/* An answer has its own end.  The connection gets a moment to end as well, so that it
 * can be used again; longer after a finish_reason alone, for the usage may
 * follow it. */
static void
end_soon(struct llm_call *c)
{
	struct http_call *o = &c->u.http;

	if (o->stream.done && !o->ending)
		shard_timer_set(c->llm->shard, &c->timer, LIMIT_LLM_DONE_MS);
	else if (o->stream.finished && !o->stream.done)
		shard_timer_set(c->llm->shard, &c->timer, LIMIT_LLM_FINISH_MS);
	o->ending = o->stream.done;
}

static void
on_data(void *ctx, struct str bytes)
{
	struct llm_call *c = ctx;
	struct http_call *o = &c->u.http;
	struct failure f;
	int rc;

	assert(o->http != NULL && o->status > 0);
	llm_call_hold(c);
	rc = take_bytes(c, bytes, &f);
	if (rc == OK)
		rc = charge(c, &f);
	if (c->told && o->body.text.cap > 0)
		body_release(&o->body);
	if (rc != OK && rc != ERR_CANCELLED)
		fail(c, &f);
	else if (rc == OK && o->kind == BODY_EVENTS)
		end_soon(c);
	llm_call_unhold(c);
}

/* ---- the end of a request ------------------------------------------------- */

/* A whole answer, to somebody who may have wanted deltas. */
static int
take_whole(struct llm_call *c, struct failure *f)
{
	struct decoder s;
	int rc;

	decoder_open(c, &s);
	rc = decoder_whole(&s, buf_str(&c->u.http.text), f);
	decoder_release(&s);
	return rc;
}

static void
take_refusal(struct llm_call *c, const struct client_answer *a, struct failure *f)
{
	struct http_call *o = &c->u.http;
	msec wall = shard_wall(c->llm->shard);
	struct str to = str_cut(a->location, 200);
	msec pause;

	failure_of_status(f, o->status, buf_str(&o->text));
	pause = failure_retry_after_exact(a->retry_after_ms);
	if (pause < 0)
		pause = failure_retry_after(a->retry_after, wall);
	if (pause >= 0)
		f->retry_after = pause;
	if (o->status / 100 == 3 && a->location.n > 0)
		failure_set(f, FAULT_BACKEND, false, "%d the model's server redirects to "
		    "%.*s, which is not followed: it is another origin, or the request "
		    "would change; set the base URL to the right place", o->status,
		    FMT(to));
}

/* rc: how the connection ended.  What has said its own end is whole, however
 * the socket ended. */
static int
take_end(struct llm_call *c, int rc, const struct client_answer *a,
    const struct err *e, struct failure *f)
{
	struct http_call *o = &c->u.http;

	if (o->kind == BODY_EVENTS && (rc == OK || o->stream.done || o->stream.finished))
		return decoder_end(&o->stream, f);
	if (o->status >= 300 && (rc == OK || o->text.n > 0)) {
		take_refusal(c, a, f);
		return ERR_IO;
	}
	if (rc == OK && str_trim(buf_str(&o->text)).n == 0) {
		failure_set(f, FAULT_TRANSPORT, true, c->stream ?
		    "the model's stream ended before it began" :
		    "the model's answer is empty");
		return ERR_CLOSED;
	}
	if (o->kind != BODY_EVENTS && o->status / 100 == 2 && (rc == OK || (rc == ERR_CLOSED &&
	    json_check(str_trim(buf_str(&o->text)), NULL) == OK)))
		return take_whole(c, f);
	failure_of_transport(f, rc, e);
	return rc;
}

/* scheme://host:port of a URL. */
static struct str
origin_of(struct str url)
{
	ptrdiff_t colon = str_index(url, ':');
	size_t n = colon < 0 ? 0 : (size_t)colon + 3;

	while (n < url.n && url.p[n] != '/')
		n++;
	return str_sub(url, 0, n);
}

/* Follows a redirect that keeps the method and the origin: the key is sent
 * again. */
static bool
follow(struct llm_call *c, const struct client_answer *a)
{
	struct http_call *o = &c->u.http;
	struct str to = a->location, origin = origin_of(buf_str(&o->url));
	struct buf url = BUF(LIMIT_HTTP_URL_BYTES);
	bool absolute = str_starts(to, S("//")) || str_contains(to, S("://"));
	size_t n = origin.n;

	if ((o->status != 307 && o->status != 308) || to.n == 0 ||
	    o->redirects == LIMIT_LLM_REDIRECTS ||
	    (absolute && !str_eq(origin_of(to), origin)))
		return false;
	/* From the root, or from where we are. */
	for (size_t i = n; to.p[0] != '/' && i < o->url.n; i++)
		n = o->url.p[i] == '/' ? i + 1 : n;
	if (!absolute)
		buf_add(&url, str_sub(buf_str(&o->url), 0, n));
	buf_add(&url, to);
	o->redirects++;
	buf_release(&o->url);
	o->url = url;
	return !url.failed;
}

/* The first thing the error may be about that can be left out. */
static bool
leave_out(struct llm_call *c)
{
	struct http_call *o = &c->u.http;
	unsigned said = quirks_said(o->status, buf_str(&o->text));

	for (unsigned quirk = 1; quirk <= said; quirk <<= 1) {
		if ((said & quirk) == 0 || body_without(&o->body, quirk) == 0)
			continue;
		o->quirks |= quirk;
		return true;
	}
	return false;
}

/* The request is over, and so is the attempt unless another request follows. */
static void
request_end(struct llm_call *c, int rc, const struct client_answer *a,
    const struct err *e)
{
	struct http_call *o = &c->u.http;
	struct failure f;

	shard_timer_cancel(c->llm->shard, &c->timer);
	if (o->status >= 300 && (follow(c, a) || leave_out(c))) {
		attempt_end(c);
		attempt_start(c);
		return;
	}
	rc = take_end(c, rc, a, e, &f);
	if (c->state != LLM_RUNNING)
		return;                      /* cancelled in its last delta */
	attempt_end(c);
	if (rc != OK) {
		llm_call_failed(c, &f);
		return;
	}
	if (o->quirks != 0)
		quirks_learn(c->target.base_url, c->target.name, o->quirks);
	llm_call_answered(c);
}

static void
on_done(void *ctx, int rc, const struct client_answer *a, const struct err *e)
{
	struct llm_call *c = ctx;

	llm_call_hold(c);
	assert(c->u.http.http != NULL);
	c->u.http.http = NULL;
	request_end(c, rc, a, e);
	llm_call_unhold(c);
}

/* The answer has ended, and the connection did not. */
void
attempt_wake(struct llm_call *c)
{
	const struct client_answer a = { .status = c->u.http.status };

	assert(c->u.http.kind == BODY_EVENTS);
	assert(c->u.http.stream.done || c->u.http.stream.finished);
	request_end(c, OK, &a, NULL);
}

/* ---- the provider --------------------------------------------------------- */

void
attempt_start(struct llm_call *c)
{
	struct http_call *o = &c->u.http;
	struct buf headers = BUF(LIMIT_HTTP_HEADER_BYTES);
	struct client_request rq = {
		.method = S("POST"),
		.url = buf_str(&o->url),
		.body = buf_str(&o->body.text),
		.connect_ms = LIMIT_LLM_CONNECT_MS,
		.silence_ms = LIMIT_LLM_SILENCE_MS,
		.body_max = LIMIT_LLM_BODY_BYTES,
	};
	const struct client_hooks hooks = { .head = on_head, .data = on_data,
	    .done = on_done, .ctx = c };

	assert(o->http == NULL && o->kind == BODY_UNKNOWN);
	o->status = 0;
	buf_lit(&headers, "Content-Type: application/json\r\n");
	/* A proxy that compresses a stream holds it up. */
	buf_add(&headers, c->stream ?
	    S("Accept: text/event-stream\r\nAccept-Encoding: identity\r\n") :
	    S("Accept: application/json\r\n"));
	c->target.provider->wire->add_headers(&headers, &c->target);
	if (c->traceparent[0] != '\0')
		buf_add_fmt(&headers, "traceparent: %s\r\n", c->traceparent);
	rq.headers = buf_str(&headers);
	o->http = client_start(c->llm->client, &rq, &hooks);
	buf_release(&headers);
}

/* From inside its own delta the decoder is still on the stack; release waits
 * for it. */
void
attempt_stop(struct llm_call *c)
{
	struct http_call *o = &c->u.http;

	if (o->http != NULL)
		client_cancel(o->http);
	o->http = NULL;
}

void
attempt_release(struct llm_call *c)
{
	attempt_end(c);
	buf_release(&c->u.http.url);
	body_release(&c->u.http.body);
}
