/*
 * embed.c - see embed.h.
 *
 *   WAITING --place free--> UNDER WAY --answer, failure--> told
 *                            |     ^
 *                  transient v     | timer
 *                           SLEEPING
 *
 * Both UNDER WAY and SLEEPING take a place.
 *
 * SPDX-License-Identifier: MIT
 */
#include "llm/embed.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "llm/wire_priv.h"

#define ERROR_BODY_BYTES (64 * KB)

struct embedder {
	struct llm *llm;
	struct llm_target target;
	struct buf name, url, headers;
	size_t dims;
	struct list running, waiting;
	size_t running_n, waiting_n;
};

struct embed_call {
	struct list in;                      /* running or waiting */
	struct embedder *m;
	struct embed_hooks hooks;
	size_t n;
	struct buf body, text;               /* the request; the answer */
	struct client_call *http;            /* NULL: none under way */
	struct wheel_timer timer;            /* the next try */
	unsigned tries;
	int status;
};

/* ---- the end of a call ----------------------------------------------------------- */

static void
call_free(struct embed_call *c)
{
	if (c->http != NULL)
		client_cancel(c->http);
	shard_timer_cancel(c->m->llm->shard, &c->timer);
	buf_release(&c->body);
	buf_release(&c->text);
	free(c);
}

static void call_send(struct embed_call *c);

static void
next_begin(struct embedder *m)
{
	struct embed_call *c;

	if (m->waiting_n == 0 || m->running_n >= LIMIT_EMBEDS)
		return;
	c = CONTAINER_OF(m->waiting.next, struct embed_call, in);
	list_remove(&c->in);
	m->waiting_n--;
	list_append(&m->running, &c->in);
	m->running_n++;
	call_send(c);
}

static void
call_end(struct embed_call *c, int rc, const float *vectors, const struct err *e)
{
	struct embedder *m = c->m;

	list_remove(&c->in);
	m->running_n--;
	c->hooks.done(c->hooks.ctx, rc, vectors, e);
	call_free(c);
	next_begin(m);
}

/* ---- what comes back -------------------------------------------------------------- */

static void
make_unit(float *v, size_t n)
{
	double sum = 0;
	float scale;

	for (size_t i = 0; i < n; i++)
		sum += (double)v[i] * (double)v[i];
	scale = sum > 0 ? (float)(1 / sqrt(sum)) : 0;
	for (size_t i = 0; i < n; i++)
		v[i] *= scale;
}

static int
vector_read(const struct embed_call *c, jnode row, size_t place, float *vectors,
    struct err *e)
{
	jnode list = json_get(row, S("embedding")), index = json_get(row, S("index"));
	struct json_iter it = json_each(list);
	float *v;

	if (json_is_int(index) && json_int(index) >= 0 && json_int(index) < (int64_t)c->n)
		place = (size_t)json_int(index);
	if (!json_is_array(list))
		return err_set(e, ERR_CLOSED, "its answer has no data[].embedding");
	if (json_count(list) != c->m->dims)
		return err_set(e, ERR_CLOSED, "its vectors have %zu dims, and "
		    "store.index.dims is %zu", json_count(list), c->m->dims);
	v = vectors + place * c->m->dims;
	for (size_t i = 0; json_next(&it); i++) {
		v[i] = (float)json_number(it.value);
		if (!json_is_number(it.value) || !isfinite(v[i]))
			return err_set(e, ERR_CLOSED, "a vector of its answer has %s in it",
			    json_is_number(it.value) ? "a number beyond float32" :
			    json_kind(it.value));
	}
	make_unit(v, c->m->dims);
	return OK;
}

static int
answer_read(struct embed_call *c, float *vectors, struct err *e)
{
	struct json_doc d;
	int rc = json_parse(&d, buf_str(&c->text), e);
	jnode data = json_get(d.root, S("data"));
	struct json_iter it = json_each(data);

	if (rc != OK)
		rc = err_set(e, ERR_CLOSED, "its answer is no JSON");
	else if (!json_is_array(data) || json_count(data) != c->n)
		rc = err_set(e, ERR_CLOSED, "it was asked for %zu vectors, and answered with "
		    "%zu", c->n, json_is_array(data) ? json_count(data) : 0);
	for (size_t i = 0; rc == OK && json_next(&it); i++)
		rc = vector_read(c, it.value, i, vectors, e);
	json_release(&d);
	return rc;
}

/* Words for who put an item or searched; the key is in no answer. */
static void
call_fail(struct embed_call *c, int rc, const char *words)
{
	struct embedder *m = c->m;
	struct failure f = { 0 };
	struct err e;

	snprintf(f.e.text, sizeof f.e.text, "%s", words);
	failure_redact(&f, m->target.api_key);
	err_set(&e, rc, "the embedding model %.*s failed: %s", FMT(buf_str(&m->name)),
	    f.e.text);
	call_end(c, rc, NULL, &e);
}

static void
answer_take(struct embed_call *c)
{
	float *vectors = mem_alloc(c->n * c->m->dims * sizeof *vectors);
	struct err e;

	if (answer_read(c, vectors, &e) == OK)
		call_end(c, OK, vectors, NULL);
	else
		call_fail(c, ERR_CLOSED, e.text);
	free(vectors);
}

static void
on_head(void *ctx, const struct client_answer *a)
{
	((struct embed_call *)ctx)->status = a->status;
}

static void
on_data(void *ctx, struct str bytes)
{
	struct embed_call *c = ctx;

	if (c->status / 100 == 2 || c->text.n < ERROR_BODY_BYTES)
		buf_add(&c->text, bytes);
}

static void
on_done(void *ctx, int rc, const struct client_answer *a, const struct err *e)
{
	struct embed_call *c = ctx;
	struct llm *l = c->m->llm;
	struct failure f;
	msec pause;

	c->http = NULL;
	if (rc == OK && c->status / 100 == 2) {
		answer_take(c);
		return;
	}
	if (rc == OK)
		failure_of_status(&f, c->status, buf_str(&c->text));
	else
		failure_of_transport(&f, rc, e);
	if (!f.transient || c->tries > LIMIT_LLM_RETRIES) {
		call_fail(c, f.transient ? ERR_BUSY : ERR_CLOSED, f.e.text);
		return;
	}
	pause = failure_retry_after(a->retry_after, shard_wall(l->shard));
	if (pause < 0)
		pause = failure_backoff(c->tries - 1, (uint32_t)shard_now(l->shard));
	shard_timer_set(l->shard, &c->timer, pause);
}

/* ---- what is sent ------------------------------------------------------------------- */

static void
call_send(struct embed_call *c)
{
	struct embedder *m = c->m;
	const struct client_request rq = {
		.method = S("POST"), .url = buf_str(&m->url),
		.headers = buf_str(&m->headers), .body = buf_str(&c->body),
		.connect_ms = LIMIT_LLM_CONNECT_MS, .silence_ms = LIMIT_EMBED_SILENCE_MS,
		.body_max = LIMIT_LLM_BODY_BYTES,
	};
	const struct client_hooks hooks = { .head = on_head, .data = on_data,
	    .done = on_done, .ctx = c };

	assert(c->http == NULL);
	buf_clear(&c->text);
	c->status = 0;
	c->tries++;
	c->http = client_start(m->llm->client, &rq, &hooks);
}

static void
on_timer(struct wheel_timer *t)
{
	call_send(CONTAINER_OF(t, struct embed_call, timer));
}

struct embed_call *
embed_start(struct embedder *m, const struct str *texts, size_t n,
    const struct embed_hooks *hooks, struct err *e)
{
	struct buf body = BUF(LIMIT_EMBED_BYTES);
	struct embed_call *c;

	assert(n > 0);
	if (m->waiting_n >= LIMIT_EMBEDS_WAITING)
		return err_set(e, ERR_BUSY, "%d texts wait for the embedding model; try again",
		    LIMIT_EMBEDS_WAITING), NULL;
	json_add_fmt(&body, "{'model':%.*s,'encoding_format':'float','input':[",
	    FMT(m->target.name));
	for (size_t i = 0; i < n; i++)
		json_add_fmt(&body, ",%.*s", FMT(texts[i]));
	buf_lit(&body, "]}");
	if (body.failed) {
		buf_release(&body);
		return err_set(e, ERR_TOOBIG, "the texts to embed have over %d bytes; name "
		    "shorter parts of the value by index", LIMIT_EMBED_BYTES), NULL;
	}
	c = mem_new(struct embed_call);
	*c = (struct embed_call){ .m = m, .hooks = *hooks, .n = n, .body = body,
	    .text = BUF(LIMIT_LLM_BODY_BYTES), .timer.fire = on_timer };
	list_append(&m->waiting, &c->in);
	m->waiting_n++;
	next_begin(m);
	return c;
}

/* ---- life ------------------------------------------------------------------------------ */

static void
embedder_address(struct embedder *m)
{
	const struct llm_target *t = &m->target;

	buf_add(&m->url, t->base_url);
	buf_lit(&m->url, "/embeddings");
	buf_lit(&m->headers, "Content-Type: application/json\r\nAccept: application/json\r\n");
	t->provider->wire->add_headers(&m->headers, t);
}

int
embedder_new(struct embedder **out, struct llm *l, struct str model, int64_t dims,
    struct err *e)
{
	struct embedder *m = mem_new(struct embedder);
	struct models_found found;
	int rc;

	*out = NULL;
	m->llm = l;
	m->dims = (size_t)dims;
	m->name = BUF(LIMIT_NAME_BYTES);
	m->url = BUF(LIMIT_HTTP_URL_BYTES);
	m->headers = BUF(LIMIT_HTTP_HEADER_BYTES);
	list_init(&m->running);
	list_init(&m->waiting);
	buf_add(&m->name, model);
	rc = models_resolve(l->models, buf_str(&m->name), buf_str(&l->default_model), &found,
	    e);
	if (rc == OK) {
		m->target = found.targets != NULL ? found.targets[0] : found.one;
		if (m->target.provider != &openai_provider)
			rc = err_set(e, ERR_INVALID, "\"%.*s\" is no model of a provider with "
			    "OpenAI's interface", FMT(model));
	}
	if (rc != OK) {
		embedder_free(m);
		return rc;
	}
	embedder_address(m);
	*out = m;
	return OK;
}

static void
list_free(struct list *calls)
{
	while (!list_empty(calls)) {
		struct embed_call *c = CONTAINER_OF(calls->next, struct embed_call, in);

		list_remove(&c->in);
		call_free(c);
	}
}

void
embedder_drain(struct embedder *m)
{
	struct err e;

	if (m == NULL)
		return;
	err_set(&e, ERR_BUSY, "the server stops");
	while (m->waiting_n > 0 || m->running_n > 0) {
		next_begin(m);
		call_end(CONTAINER_OF(m->running.next, struct embed_call, in),
		    ERR_BUSY, NULL, &e);
	}
}

void
embedder_free(struct embedder *m)
{
	if (m == NULL)
		return;
	list_free(&m->running);
	list_free(&m->waiting);
	buf_release(&m->name);
	buf_release(&m->url);
	buf_release(&m->headers);
	free(m);
}
