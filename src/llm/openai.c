/*
 * openai.c - one attempt at an OpenAI-compatible server: POST
 * {base}/chat/completions, and what comes back.
 *
 * The server's key goes to the server's own configured address and nowhere
 * else: a run that names another base_url is sent without it.  The body is
 * kept for another attempt until the first delta was told.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/limits.h"
#include "llm/llm_priv.h"

#define ERROR_BODY_BYTES (64 * KB)           /* of an error; enough for its words */

/* ---- what is sent --------------------------------------------------------- */

int
openai_url_check(struct str url, struct err *e)
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

static int
openai_prepare(struct llm_call *c, const struct llm_request *rq,
    struct str model, struct err *e)
{
	struct openai_call *o = &c->u.openai;
	struct str own = buf_str(&c->llm->base_url);
	struct str base = rq->base_url.n > 0 ? rq->base_url : own;
	struct llm_request sent = *rq;

	while (base.n > 0 && base.p[base.n - 1] == '/')
		base.n--;
	o->with_key = str_eq(base, own) && c->llm->api_key.n > 0;
	o->url = BUF(LIMIT_HTTP_URL_BYTES);
	o->body = BUF((size_t)LIMIT_STATE_BYTES * 2);
	o->text = BUF(LIMIT_LLM_BODY_BYTES);
	buf_add(&o->url, base);
	buf_lit(&o->url, "/chat/completions");
	sent.stream = c->stream;
	return openai_request_build(&o->body, &sent, model, e);
}

/* ---- what comes back ------------------------------------------------------ */

static bool
on_delta(void *ctx, const struct llm_delta *d)
{
	return llm_call_delta(ctx, d);
}

static void
attempt_end(struct llm_call *c)
{
	struct openai_call *o = &c->u.openai;

	if (o->http != NULL)
		client_cancel(o->http);
	o->http = NULL;
	if (o->decoding)
		openai_stream_release(&o->stream);
	o->decoding = false;
	buf_release(&o->text);
}

static void
fail(struct llm_call *c, struct failure *f)
{
	attempt_end(c);
	llm_call_failed(c, f);
}

/* Some servers answer in one piece although a stream was asked for. */
static void
on_head(void *ctx, const struct client_answer *a)
{
	struct llm_call *c = ctx;
	struct openai_call *o = &c->u.openai;

	o->status = a->status;
	if (a->status / 100 != 2 || !c->stream ||
	    str_starts(a->content_type, S("application/json")))
		return;
	o->decoding = true;
	openai_stream_init(&o->stream, &c->result, on_delta, c);
}

static void
on_data(void *ctx, struct str bytes)
{
	struct llm_call *c = ctx;
	struct openai_call *o = &c->u.openai;
	struct failure f;
	int rc;

	llm_call_hold(c);
	if (o->decoding) {
		rc = openai_stream_feed(&o->stream, bytes, &f);
		if (c->told)
			buf_release(&o->body);
		if (rc != OK && rc != ERR_CANCELLED)
			fail(c, &f);
	} else if (o->status / 100 == 2 || o->text.n < ERROR_BODY_BYTES) {
		buf_add(&o->text, bytes);
	}
	llm_call_unhold(c);
}

/* A whole answer, to somebody who may have wanted deltas. */
static int
take_whole(struct llm_call *c, struct failure *f)
{
	struct openai_call *o = &c->u.openai;
	struct buf finish = BUF(LIMIT_NAME_BYTES);
	int rc = openai_answer_read(&c->result, buf_str(&o->text), &finish, f);

	if (rc == OK && c->stream)
		result_replay(&c->result, buf_str(&finish), on_delta, c);
	buf_release(&finish);
	return rc;
}

static int
take_end(struct llm_call *c, int rc, const struct client_answer *a,
    const struct err *e, struct failure *f)
{
	struct openai_call *o = &c->u.openai;

	bool whole = o->decoding && (o->stream.done || o->stream.finished);

	/* A stream that has said its end is whole, however the socket ended. */
	if (rc != OK && !whole) {
		failure_of_transport(f, rc, e);
		return rc;
	}
	if (o->decoding)
		return openai_stream_end(&o->stream, f);
	if (o->status / 100 == 2)
		return take_whole(c, f);
	failure_of_status(f, o->status, buf_str(&o->text));
	f->retry_after = retry_after_ms(a->retry_after, shard_wall(c->llm->shard));
	return ERR_IO;
}

static void
on_done(void *ctx, int rc, const struct client_answer *a, const struct err *e)
{
	struct llm_call *c = ctx;
	struct failure f;

	llm_call_hold(c);
	c->u.openai.http = NULL;
	rc = take_end(c, rc, a, e, &f);
	if (c->state == LLM_RUNNING) {       /* not cancelled in its last delta */
		attempt_end(c);
		if (rc == OK)
			llm_call_answered(c);
		else
			llm_call_failed(c, &f);
	}
	llm_call_unhold(c);
}

/* ---- the provider --------------------------------------------------------- */

static void
openai_start(struct llm_call *c)
{
	struct openai_call *o = &c->u.openai;
	struct buf headers = BUF(LIMIT_HTTP_HEADER_BYTES);
	struct client_request rq = {
		.method = S("POST"),
		.url = buf_str(&o->url),
		.body = buf_str(&o->body),
		.connect_ms = LIMIT_LLM_CONNECT_MS,
		.silence_ms = LIMIT_LLM_SILENCE_MS,
		.body_max = LIMIT_LLM_BODY_BYTES,
	};
	const struct client_hooks hooks = { .head = on_head, .data = on_data,
	    .done = on_done, .ctx = c };

	assert(o->http == NULL && !o->decoding);
	o->status = 0;
	buf_lit(&headers, "Content-Type: application/json\r\n");
	buf_add(&headers, c->stream ? S("Accept: text/event-stream\r\n") :
	    S("Accept: application/json\r\n"));
	if (o->with_key)
		buf_add_fmt(&headers, "Authorization: Bearer %.*s\r\n",
		    FMT(buf_str(&c->llm->api_key)));
	rq.headers = buf_str(&headers);
	o->http = client_start(c->llm->client, &rq, &hooks);
	buf_release(&headers);
}

/* From inside its own delta the decoder is still on the stack; release waits
 * for it. */
static void
openai_stop(struct llm_call *c)
{
	struct openai_call *o = &c->u.openai;

	if (o->http != NULL)
		client_cancel(o->http);
	o->http = NULL;
}

static void
openai_release(struct llm_call *c)
{
	attempt_end(c);
	buf_release(&c->u.openai.url);
	buf_release(&c->u.openai.body);
}

const struct provider openai_provider = {
	.name = { "openai", 6 }, .needs_name = true,
	.prepare = openai_prepare, .start = openai_start, .stop = openai_stop,
	.release = openai_release,
};
