/*
 * embed.c - see embed.h.
 *
 *   call: WAITING --in a request--> told, or WAITING alone
 *
 *   request: has a slot of the lane --limits a minute--> UNDER WAY --> answered
 *                                                         |    ^
 *                                              transient  v    | timer
 *                                                        SLEEPING
 *
 * Calls that come in one turn of the shard, or while no slot is free, share a request.
 * When that is refused, one text may be the cause: each of its calls is asked alone.
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
#define TOKEN_BYTES      4                   /* of text, about: for the tokens a minute */
#define FRAME_BYTES      (2 * LIMIT_NAME_BYTES + 64)     /* a body without its texts */

struct embedder {
	struct llm *llm;
	struct llm_target target;
	struct buf name, url, headers;
	size_t dims;
	struct list running, waiting;        /* requests; calls */
	size_t running_n, waiting_n;
	struct wheel_timer turn;             /* the calls of this turn are there */
	struct queue *queue;                 /* NULL until a slot is waited for */
	struct list slot;                    /* in the queue: one slot is wanted */
};

struct embed_call {
	struct list in;                      /* its embedder's, or its request's */
	struct embedder *m;
	struct embed_hooks hooks;
	size_t n;
	struct buf texts;                    /* JSON, a comma before each but the first */
	bool alone;                          /* its request was refused with others in it */
};

struct embed_request {
	struct list in;                      /* those running */
	struct embedder *m;
	struct list calls;
	size_t calls_n, n;                   /* their texts together */
	struct buf body, text;               /* the request; the answer */
	struct client_call *http;            /* NULL: none under way */
	struct wheel_timer timer;            /* its turn in the minute, or the next try */
	int64_t reserved;                    /* tokens, in the lane */
	bool has_turn;
	unsigned tries;
	int status;
};

/* ---- the end ----------------------------------------------------------------------- */

static void
call_free(struct embed_call *c)
{
	buf_release(&c->texts);
	free(c);
}

static void
request_free(struct embed_request *r)
{
	struct embedder *m = r->m;

	assert(list_empty(&r->calls));
	if (r->http != NULL)
		client_cancel(r->http);
	shard_timer_cancel(m->llm->shard, &r->timer);
	lane_correct(m->target.lane, r->reserved);
	lane_leave(m->target.lane);
	list_remove(&r->in);
	m->running_n--;
	buf_release(&r->body);
	buf_release(&r->text);
	free(r);
}

/* Takes the first off and tells it. */
static void
call_tell(struct list *calls, int rc, const float *vectors, const struct llm_usage *u,
    const struct err *e)
{
	struct embed_call *c = CONTAINER_OF(calls->next, struct embed_call, in);

	list_remove(&c->in);
	c->hooks.done(c->hooks.ctx, rc, vectors, u, e);
	call_free(c);
}

static void turn_come(struct embedder *m);
static void on_slot(struct list *slot);

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
vector_read(const struct embed_request *c, jnode row, size_t place, float *vectors,
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
	if (!isnan(v[0]))
		return err_set(e, ERR_CLOSED, "two vectors of its answer have the index %zu",
		    place);
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
answer_read(struct embed_request *c, float *vectors, int64_t *tokens, struct err *e)
{
	struct json_doc d;
	int rc = json_parse(&d, buf_str(&c->text), e);
	jnode data = json_get(d.root, S("data"));
	struct json_iter it = json_each(data);

	for (size_t i = 0; i < c->n; i++)
		vectors[i * c->m->dims] = NAN;       /* not read yet */
	if (rc != OK)
		rc = err_set(e, ERR_CLOSED, "its answer is no JSON");
	else if (!json_is_array(data) || json_count(data) != c->n)
		rc = err_set(e, ERR_CLOSED, "it was asked for %zu vectors, and answered with "
		    "%zu", c->n, json_is_array(data) ? json_count(data) : 0);
	for (size_t i = 0; rc == OK && json_next(&it); i++)
		rc = vector_read(c, it.value, i, vectors, e);
	*tokens = json_int(json_get(json_get(d.root, S("usage")), S("prompt_tokens")));
	json_release(&d);
	return rc;
}

/* Words for who put an item or searched; the key is in no answer. */
static void
request_fail(struct embed_request *r, int rc, const char *words)
{
	struct embedder *m = r->m;
	struct failure f = { 0 };
	struct err e;

	snprintf(f.e.text, sizeof f.e.text, "%s", words);
	failure_redact(&f, m->target.api_key);
	err_set(&e, rc, "the embedding model %.*s failed (store.index.embed): %s",
	    FMT(buf_str(&m->name)), f.e.text);
	while (!list_empty(&r->calls))
		call_tell(&r->calls, rc, NULL, &(struct llm_usage){ 0 }, &e);
	request_free(r);
	turn_come(m);
}

/* The calls wait again, each for a request of its own, before all others. */
static void
request_split(struct embed_request *r)
{
	struct embedder *m = r->m;

	while (!list_empty(&r->calls)) {
		struct embed_call *c = CONTAINER_OF(r->calls.prev, struct embed_call, in);

		list_remove(&c->in);
		c->alone = true;
		list_prepend(&m->waiting, &c->in);
		m->waiting_n++;
	}
	request_free(r);
	turn_come(m);
}

/* What a call had of the tokens of its request: by its texts. */
static struct llm_usage
usage_of(const struct embed_request *r, const struct embed_call *c, int64_t tokens)
{
	int64_t price = r->m->target.price_input;
	struct llm_usage u = { .input_tokens = (int64_t)((double)tokens *
	    (double)c->texts.n / (double)r->body.n) };

	if (r->calls_n == 1)
		u.input_tokens = tokens;
	if (price > 0 && __builtin_mul_overflow(u.input_tokens, price, &u.cost_nano))
		u.cost_nano = INT64_MAX;
	return u;
}

static void
answer_take(struct embed_request *r)
{
	struct embedder *m = r->m;
	float *vectors = mem_alloc(r->n * m->dims * sizeof *vectors), *at = vectors;
	int64_t tokens = 0;
	struct err e;

	if (answer_read(r, vectors, &tokens, &e) != OK) {
		request_fail(r, ERR_CLOSED, e.text);
		free(vectors);
		return;
	}
	tokens = tokens > 0 && tokens < INT32_MAX ? tokens : 0;
	if (tokens > 0)
		r->reserved -= tokens;       /* the rest is given back */
	else
		r->reserved = 0;
	while (!list_empty(&r->calls)) {
		struct embed_call *c = CONTAINER_OF(r->calls.next, struct embed_call, in);
		struct llm_usage u = usage_of(r, c, tokens);
		const float *own = at;

		at += c->n * m->dims;
		call_tell(&r->calls, OK, own, &u, NULL);
	}
	free(vectors);
	request_free(r);
	turn_come(m);
}

static void
on_head(void *ctx, const struct client_answer *a)
{
	((struct embed_request *)ctx)->status = a->status;
}

static void
on_data(void *ctx, struct str bytes)
{
	struct embed_request *r = ctx;

	if (r->status / 100 == 2 || r->text.n < ERROR_BODY_BYTES)
		buf_add(&r->text, bytes);
}

static void
on_done(void *ctx, int rc, const struct client_answer *a, const struct err *e)
{
	struct embed_request *r = ctx;
	struct llm *l = r->m->llm;
	struct failure f;
	msec pause;

	r->http = NULL;
	if (rc == OK && r->status / 100 == 2) {
		answer_take(r);
		return;
	}
	if (rc == OK)
		failure_of_status(&f, r->status, buf_str(&r->text));
	else
		failure_of_transport(&f, rc, e);
	if (!f.transient && r->calls_n > 1) {
		request_split(r);
		return;
	}
	if (!f.transient || r->tries > LIMIT_LLM_RETRIES) {
		request_fail(r, f.transient ? ERR_BUSY : ERR_CLOSED, f.e.text);
		return;
	}
	pause = failure_retry_after(a->retry_after, shard_wall(l->shard));
	if (pause < 0)
		pause = failure_backoff(r->tries - 1, (uint32_t)shard_now(l->shard));
	lane_correct(r->m->target.lane, r->reserved);
	r->reserved = 0;
	r->has_turn = false;
	shard_timer_set(l->shard, &r->timer, pause);
}

/* ---- what is sent ------------------------------------------------------------------- */

static void
request_send(struct embed_request *r)
{
	struct embedder *m = r->m;
	const struct client_request rq = {
		.method = S("POST"), .url = buf_str(&m->url),
		.headers = buf_str(&m->headers), .body = buf_str(&r->body),
		.connect_ms = LIMIT_LLM_CONNECT_MS, .silence_ms = LIMIT_EMBED_SILENCE_MS,
		.body_max = LIMIT_LLM_BODY_BYTES,
	};
	const struct client_hooks hooks = { .head = on_head, .data = on_data,
	    .done = on_done, .ctx = r };

	assert(r->http == NULL);
	buf_clear(&r->text);
	r->status = 0;
	r->tries++;
	r->http = client_start(m->llm->client, &rq, &hooks);
}

/* As soon as the limits a minute of the provider allow it. */
static void
request_try(struct embed_request *r)
{
	struct embedder *m = r->m;
	msec wait = 0;

	if (!r->has_turn) {
		r->reserved = (int64_t)r->body.n / TOKEN_BYTES;
		wait = (lane_reserve(m->target.lane, r->reserved, shard_now(m->llm->shard)) +
		    NS_PER_MS - 1) / NS_PER_MS;
	}
	r->has_turn = true;
	if (wait > LIMIT_LLM_TURN_MS)
		request_fail(r, ERR_BUSY, "the limits of its provider in cohort.yaml would let "
		    "this wait too long");
	else if (wait > 0)
		shard_timer_set(m->llm->shard, &r->timer, wait);
	else
		request_send(r);
}

static void
on_timer(struct wheel_timer *t)
{
	request_try(CONTAINER_OF(t, struct embed_request, timer));
}

/* Has a slot: of all that wait as many as fit. */
static void
request_begin(struct embedder *m)
{
	struct embed_request *r = mem_new(struct embed_request);
	bool alone = false;

	*r = (struct embed_request){ .m = m, .body = BUF(LIMIT_EMBED_BYTES + FRAME_BYTES),
	    .text = BUF(LIMIT_LLM_BODY_BYTES), .timer.fire = on_timer };
	list_init(&r->calls);
	json_add_fmt(&r->body, "{'model':%.*s,'encoding_format':'float','input':[",
	    FMT(m->target.name));
	while (m->waiting_n > 0 && !alone) {
		struct embed_call *c = CONTAINER_OF(m->waiting.next, struct embed_call, in);

		alone = c->alone;
		if (r->n > 0 && (alone || r->n + c->n > LIMIT_EMBED_TEXTS ||
		    r->body.n + c->texts.n > LIMIT_EMBED_BYTES))
			break;
		list_remove(&c->in);
		m->waiting_n--;
		if (r->n > 0)
			buf_add_char(&r->body, ',');
		buf_add(&r->body, buf_str(&c->texts));
		list_append(&r->calls, &c->in);
		r->calls_n++;
		r->n += c->n;
	}
	buf_lit(&r->body, "]}");
	assert(r->n > 0 && !r->body.failed);
	list_append(&m->running, &r->in);
	m->running_n++;
	request_try(r);
}

/* Requests for those that wait, as long as there are slots. */
static void
requests_begin(struct embedder *m)
{
	struct lane *lane = m->target.lane;

	while (m->waiting_n > 0 && m->running_n < LIMIT_EMBEDS && !list_joined(&m->slot)) {
		if (lane_enter(lane)) {
			request_begin(m);
			continue;
		}
		if (m->queue == NULL)
			m->queue = queue_new(m->llm->shard, lane, on_slot);
		queue_wait(m->queue, &m->slot);
	}
}

static void
on_slot(struct list *slot)
{
	struct embedder *m = CONTAINER_OF(slot, struct embedder, slot);

	if (m->waiting_n == 0 || m->running_n >= LIMIT_EMBEDS)
		lane_leave(m->target.lane);
	else
		request_begin(m);
	requests_begin(m);
}

static void
on_turn(struct wheel_timer *t)
{
	requests_begin(CONTAINER_OF(t, struct embedder, turn));
}

/* Not at once: more may come in this turn. */
static void
turn_come(struct embedder *m)
{
	if (m->waiting_n > 0)
		shard_timer_set(m->llm->shard, &m->turn, 0);
}

struct embed_call *
embed_start(struct embedder *m, const struct str *texts, size_t n,
    const struct embed_hooks *hooks, struct err *e)
{
	struct buf b = BUF(LIMIT_EMBED_BYTES);
	struct embed_call *c;

	assert(n > 0);
	if (m->waiting_n >= LIMIT_EMBEDS_WAITING)
		return err_set(e, ERR_BUSY, "%d calls wait for the embedding model %.*s "
		    "(store.index.embed); try again", LIMIT_EMBEDS_WAITING,
		    FMT(buf_str(&m->name))), NULL;
	for (size_t i = 0; i < n; i++)
		json_add_fmt(&b, i > 0 ? ",%.*s" : "%.*s", FMT(texts[i]));
	if (b.failed) {
		buf_release(&b);
		return err_set(e, ERR_TOOBIG, "the texts to embed have over %d bytes; name "
		    "shorter parts of the value by index, or in store.index.fields",
		    LIMIT_EMBED_BYTES), NULL;
	}
	c = mem_new(struct embed_call);
	*c = (struct embed_call){ .m = m, .hooks = *hooks, .n = n, .texts = b };
	list_append(&m->waiting, &c->in);
	m->waiting_n++;
	turn_come(m);
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
	m->turn.fire = on_turn;
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
all_free(struct list *calls)
{
	while (!list_empty(calls)) {
		struct embed_call *c = CONTAINER_OF(calls->next, struct embed_call, in);

		list_remove(&c->in);
		call_free(c);
	}
}

static void
all_tell(struct list *calls, const struct err *e)
{
	while (!list_empty(calls))
		call_tell(calls, ERR_BUSY, NULL, &(struct llm_usage){ 0 }, e);
}

void
embedder_drain(struct embedder *m)
{
	struct err e;

	if (m == NULL)
		return;
	err_set(&e, ERR_BUSY, "the server stops");
	while (!list_empty(&m->running)) {
		struct embed_request *r = CONTAINER_OF(m->running.next,
		    struct embed_request, in);

		all_tell(&r->calls, &e);
		request_free(r);
	}
	all_tell(&m->waiting, &e);
	m->waiting_n = 0;
}

void
embedder_free(struct embedder *m)
{
	if (m == NULL)
		return;
	while (!list_empty(&m->running)) {
		struct embed_request *r = CONTAINER_OF(m->running.next,
		    struct embed_request, in);

		all_free(&r->calls);
		request_free(r);
	}
	all_free(&m->waiting);
	shard_timer_cancel(m->llm->shard, &m->turn);
	if (list_joined(&m->slot))
		queue_quit(m->queue, &m->slot);
	queue_free(m->queue);
	buf_release(&m->name);
	buf_release(&m->url);
	buf_release(&m->headers);
	free(m);
}
