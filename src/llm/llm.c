/*
 * llm.c - calls to models: which target, whose turn, when again, how told.
 *
 *   enter --> lane.h: a slot --> attempt: the limits a minute --> provider.start
 *     ^                             ^                                  |
 *     |  move_on: the next target   |  try_again: the same target      | failed
 *     '-----------------------------'----------------------------------'
 *
 * A call that sleeps before its next attempt keeps its place, so a provider
 * that says "slower" is not asked by the next in line instead.
 *
 * A hook may cancel its own call, or start others: a call is freed when the
 * last frame that uses it has returned (holds).
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "llm/llm_priv.h"

static void
check_call(const struct llm_call *c)
{
	CHECK_MARK(c, LLM_CALL_MARK);
	CHECK_MARK(c->llm, LLM_MARK);
	assert(c->target.lane != NULL);
	assert(list_joined(&c->waits) == (c->state == LLM_WAITING));
}

/* ---- life ----------------------------------------------------------------- */

/* OpenAI as the options say; without a registry. */
static int
own_models(struct llm *l, const struct llm_options *o, struct err *e)
{
	const struct models_entry openai = { .name = openai_provider.name,
	    .base_url = o->openai_base_url, .api_key = str_trim(o->openai_api_key) };

	l->own_models = models_new();
	l->models = l->own_models;
	return models_entry(l->own_models, &openai, e);
}

struct str
llm_without_slash(struct str url)
{
	while (url.n > 0 && url.p[url.n - 1] == '/')
		url.n--;
	return url;
}

int
llm_new(struct llm **out, struct shard *s, struct client *c,
    const struct llm_options *o, struct err *e)
{
	struct llm *l = mem_new(struct llm);
	int rc;

	*out = NULL;
	l->mark = LLM_MARK;
	l->shard = s;
	l->client = c;
	l->allow_base_url = o->allow_base_url;
	l->default_model = BUF(LIMIT_NAME_BYTES);
	buf_add(&l->default_model, o->default_model);
	list_init(&l->calls);
	l->ready = scripted_ready_new(l);
	l->script = o->script;
	l->models = o->models;
	rc = l->models == NULL ? own_models(l, o, e) : OK;
	l->queues = mem_zero(models_lanes(l->models) * sizeof *l->queues);
	if (rc == OK && l->default_model.failed)
		rc = err_set(e, ERR_LIMIT, "the default model's name is too long");
	if (rc == OK && l->default_model.n > 0)
		rc = llm_check(l, STR_NONE, STR_NONE, e);
	if (rc == OK && l->script == NULL) {
		rc = script_new(&l->own_script, STR_NONE, e);
		l->script = l->own_script;
	}
	if (rc != OK) {
		llm_free(l);
		return rc;
	}
	*out = l;
	return OK;
}

void
llm_free(struct llm *l)
{
	if (l == NULL)
		return;
	CHECK_MARK(l, LLM_MARK);
	while (!list_empty(&l->calls))
		llm_cancel(CONTAINER_OF(l->calls.prev, struct llm_call, in));
	scripted_ready_free(l->ready);
	for (size_t i = 0; l->queues != NULL && i < models_lanes(l->models); i++)
		queue_free(l->queues[i]);
	free(l->queues);
	models_free(l->own_models);
	script_free(l->own_script);
	buf_release(&l->default_model);
	CHECK_END(l);
	free(l);
}

/* ---- names ---------------------------------------------------------------- */

void
llm_model_split(const struct llm *l, struct str model, struct str *provider,
    struct str *name)
{
	models_split(l->models, model, buf_str(&l->default_model), provider, name);
}

static const struct llm_target *
first_of(const struct models_found *f)
{
	return f->targets != NULL ? f->targets : &f->one;
}

static int
check(const struct llm *l, struct str model, struct str base_url,
    struct models_found *found, struct err *e)
{
	int rc = models_resolve(l->models, model, buf_str(&l->default_model), found, e);

	if (rc != OK || base_url.n == 0 ||
	    str_eq(llm_without_slash(base_url), first_of(found)->base_url))
		return rc;
	if (!l->allow_base_url)
		return err_set(e, ERR_INVALID,
		    "base_url: this server does not let a run choose its own; "
		    "leave it out, or have it started with --allow-base-url");
	return url_check(base_url, e);
}

int
llm_check(const struct llm *l, struct str model, struct str base_url,
    struct err *e)
{
	struct models_found found;

	CHECK_MARK(l, LLM_MARK);
	return check(l, model, base_url, &found, e);
}

/* ---- calls ---------------------------------------------------------------- */

void
llm_call_hold(struct llm_call *c)
{
	check_call(c);
	c->holds++;
}

static void
call_free(struct llm_call *c)
{
	c->target.provider->release(c);
	result_release(&c->result);
	llm_plan_free(c->plan);
	buf_release(&c->texts);
	CHECK_END(c);
	free(c);
}

void
llm_call_unhold(struct llm_call *c)
{
	check_call(c);
	assert(c->holds > 0);
	if (--c->holds > 0 || c->state != LLM_ENDED)
		return;
	call_free(c);
}

/* Leaves its lane, wherever it is in it, with what it has reserved and not used. */
static void
leave(struct llm_call *c)
{
	struct lane *lane = c->target.lane;

	if (c->state != LLM_RUNNING)
		lane_correct(lane, c->reserved);
	c->reserved = 0;
	if (c->state == LLM_WAITING)
		queue_quit(c->llm->queues[lane->index], &c->waits);
	else
		lane_leave(lane);
	shard_timer_cancel(c->llm->shard, &c->timer);
}

/* Ends the call without telling its hooks. */
static void
end(struct llm_call *c)
{
	assert(c->state != LLM_ENDED);
	leave(c);
	c->state = LLM_ENDED;
	list_remove(&c->in);
	check_call(c);
}

static void move_on(struct llm_call *c, struct failure *f);

#define NS_PER_MS INT64_C(1000000)

/* Has a slot: sends the request as soon as the lane's limits per minute allow it, and
 * keeps the slot while it waits, because the next call would have to wait too. */
static void
attempt(struct llm_call *c)
{
	struct lane *lane = c->target.lane;
	msec wait = 0;

	if (!c->has_turn) {
		c->reserved = c->estimate;
		wait = (lane_reserve(lane, c->reserved, shard_now(c->llm->shard)) +
		    NS_PER_MS - 1) / NS_PER_MS;
	}
	c->has_turn = wait <= LIMIT_LLM_TURN_MS;
	if (wait == 0) {
		c->state = LLM_RUNNING;
		check_call(c);
		c->target.provider->start(c);
		return;
	}
	c->state = LLM_SLEEPING;
	c->turn_ms = wait;
	if (c->has_turn)
		atomic_fetch_add(&lane->waited_ms, wait);
	shard_timer_set(c->llm->shard, &c->timer, c->has_turn ? wait : 0);
}

/* It would wait too long for its turn. */
static void
refuse_turn(struct llm_call *c)
{
	struct failure f;

	failure_set(&f, FAULT_RATE_LIMITED, false, "the limits of the provider %.*s in "
	    "cohort.yaml would let this call wait for %lld s", FMT(c->target.entry),
	    (long long)(c->turn_ms / 1000));
	c->state = LLM_RUNNING;
	move_on(c, &f);
}

static void
on_timer(struct wheel_timer *t)
{
	struct llm_call *c = CONTAINER_OF(t, struct llm_call, timer);

	check_call(c);
	llm_call_hold(c);
	if (c->state == LLM_SLEEPING) {
		if (c->turn_ms > LIMIT_LLM_TURN_MS)
			refuse_turn(c);
		else
			attempt(c);
	} else {
		assert(c->state == LLM_RUNNING && c->target.provider->wake != NULL);
		c->target.provider->wake(c);
	}
	llm_call_unhold(c);
}

/* Texts that are not the registry's.  A run's own base_url never
 * gets the server's key. */
static void
target_keep(struct llm_call *c, struct str base_url)
{
	struct llm_target *t = &c->target;
	struct str base = llm_without_slash(base_url);
	bool other = base.n > 0 && !str_eq(base, t->base_url);
	size_t n;

	buf_release(&c->texts);
	c->texts = BUF(LIMIT_NAME_BYTES + LIMIT_HTTP_URL_BYTES);
	buf_add(&c->texts, t->name);
	n = c->texts.n;
	if (other) {
		buf_add(&c->texts, base);
		t->base_url = str_sub(buf_str(&c->texts), n, c->texts.n);
		t->api_key = STR_NONE;
	}
	t->name = str_sub(buf_str(&c->texts), 0, n);
}

/* The request's target, the first of those that are not left out. */
static int
target_choose(struct llm_call *c, const struct llm_request *rq, struct err *e)
{
	struct models_found found;
	struct str base_url;
	int rc = check(c->llm, rq->model, rq->base_url, &found, e);

	if (rc != OK)
		return rc;
	c->target = *first_of(&found);
	base_url = rq->base_url;
	if (found.n + rq->fallbacks_n > 1) {
		c->plan = llm_plan_new(c->llm, rq, &found, e);
		if (c->plan == NULL)
			return e->code;
		if (llm_plan_next(c->plan, shard_now(c->llm->shard), &c->target) > 0)
			base_url = STR_NONE;
	}
	target_keep(c, base_url);
	return OK;
}

/* About what the request will take: texts at four bytes a token. */
static int64_t
tokens_of(const struct llm_request *rq)
{
	size_t n = rq->system_prompt.n;

	for (size_t i = 0; i < rq->messages_n; i++)
		n += rq->messages[i].n;
	for (size_t i = 0; i < rq->tools_n; i++)
		n += rq->tools[i].description.n + rq->tools[i].parameters_json.n;
	return (int64_t)(n / 4) + rq->max_tokens;
}

static void
on_turn(struct list *waits)
{
	struct llm_call *c = CONTAINER_OF(waits, struct llm_call, waits);
	msec waited = (shard_now(c->llm->shard) - c->waits_since) / NS_PER_MS;

	assert(c->state == LLM_WAITING);
	atomic_fetch_add(&c->target.lane->waited_ms, waited);
	attempt(c);
}

/* Into the target's lane. */
static void
enter(struct llm_call *c)
{
	struct llm *l = c->llm;
	struct lane *lane = c->target.lane;
	struct queue **q = &l->queues[lane->index];

	if ((*q == NULL || list_empty(&(*q)->calls)) && lane_enter(lane)) {
		attempt(c);
		return;
	}
	if (*q == NULL)
		*q = queue_new(l->shard, lane, on_turn);
	c->state = LLM_WAITING;
	c->waits_since = shard_now(l->shard);
	queue_wait(*q, &c->waits);
}

/* A call that stays in this process needs no room for a connection.  With a plan it
 * may go on with any provider. */
static struct llm_call *
fit(struct llm_call *c)
{
	if (c->plan != NULL || c->target.provider->wire != NULL)
		return c;
	return mem_resize(c, offsetof(struct llm_call, u) + sizeof c->u.scripted);
}

struct llm_call *
llm_start(struct llm *l, const struct llm_request *req,
    const struct llm_hooks *hooks, struct err *e)
{
	struct llm_call *c;

	c = mem_new(struct llm_call);
	c->mark = LLM_CALL_MARK;
	c->llm = l;
	c->hooks = *hooks;
	c->stream = req->stream && hooks->delta != NULL;
	c->timer.fire = on_timer;
	result_init(&c->result);
	if (target_choose(c, req, e) != OK) {
		llm_plan_free(c->plan);
		CHECK_END(c);
		free(c);
		return NULL;
	}
	c = fit(c);
	assert(hooks->done != NULL);
	if (atomic_load(&c->target.lane->waiting) >= LIMIT_LLM_WAITING) {
		err_set(e, ERR_LIMIT, "%d calls wait for a turn at %.*s already",
		    LIMIT_LLM_WAITING, FMT(c->target.entry));
		call_free(c);
		return NULL;
	}
	if (req->traceparent.n > 0 && req->traceparent.n < sizeof c->traceparent)
		memcpy(c->traceparent, req->traceparent.p, req->traceparent.n);
	c->estimate = tokens_of(req);
	if (c->target.provider->prepare(c, req, &c->target, e) != OK) {
		call_free(c);
		return NULL;
	}
	list_append(&l->calls, &c->in);
	enter(c);
	return c;
}

void
llm_cancel(struct llm_call *c)
{
	check_call(c);
	llm_call_hold(c);
	if (c->state == LLM_RUNNING)
		c->target.provider->stop(c);
	end(c);
	llm_call_unhold(c);
}

/* From the first delta on it stays with this target. */
static void
forget_others(struct llm_call *c)
{
	llm_plan_free(c->plan);
	c->plan = NULL;
}

bool
llm_call_delta(struct llm_call *c, const struct llm_delta *d)
{
	check_call(c);
	assert(c->holds > 0 && c->state == LLM_RUNNING);
	if (c->stream) {
		if (!c->told)
			forget_others(c);
		c->told = true;
		c->hooks.delta(c->hooks.ctx, d);
	}
	return c->state == LLM_RUNNING;
}

static void
tell_end(struct llm_call *c, struct failure *f)
{
	unsigned asked = c->plan != NULL ? llm_plan_asked(c->plan) : 1;
	char words[sizeof f->e.text];

	if (asked > 1) {
		snprintf(words, sizeof words, "%s", f->e.text);
		err_set(&f->e, f->e.code, "%.*s:%.*s, the last of %u models: %s",
		    FMT(c->target.entry), FMT(c->target.name), asked, words);
	}
	c->hooks.done(c->hooks.ctx, failure_rc(f->kind), NULL, failure_event(f->kind),
	    &f->e);
}

static void
tell_failure(struct llm_call *c, struct failure *f)
{
	end(c);
	tell_end(c, f);
}

/* ---- the answer ----------------------------------------------------------- */

static int64_t
priced(int64_t tokens, int64_t price)
{
	int64_t cost = 0;

	return price > 0 && __builtin_mul_overflow(tokens, price, &cost) ? INT64_MAX :
	    price > 0 ? cost : 0;
}

/* Cached tokens without a price of their own cost as others. */
static void
price(struct llm_usage *u, const struct llm_target *t)
{
	int64_t cached = u->cached_tokens < u->input_tokens ? u->cached_tokens :
	    u->input_tokens;
	int64_t parts[] = {
		priced(u->input_tokens - cached, t->price_input),
		priced(cached, t->price_cached >= 0 ? t->price_cached : t->price_input),
		priced(u->output_tokens, t->price_output),
	};

	for (size_t i = 0; i < COUNT(parts); i++)
		if (__builtin_add_overflow(u->cost_nano, parts[i], &u->cost_nano))
			u->cost_nano = INT64_MAX;
}

static void
tell_answer(struct llm_call *c, struct llm_answer *a)
{
	struct buf model = BUF(2 * LIMIT_NAME_BYTES + 1);
	const struct llm_target *t = &c->target;
	int64_t used = a->usage.input_tokens + a->usage.output_tokens;

	price(&a->usage, t);
	lane_correct(t->lane, used > 0 ? c->reserved - used : 0);
	c->reserved = 0;
	end(c);
	buf_add_fmt(&model, t->name.n > 0 ? "%.*s:%.*s" : "%.*s%.*s", FMT(t->entry),
	    FMT(t->name));
	a->model = buf_str(&model);
	a->alias = t->alias;
	c->hooks.done(c->hooks.ctx, OK, a, NULL, NULL);
	buf_release(&model);
}

void
llm_call_answered(struct llm_call *c)
{
	struct result_built built;
	struct failure f;
	struct err e;

	check_call(c);
	assert(c->holds > 0 && c->state == LLM_RUNNING);
	if (result_build(&c->result, c->target.provider->name, &built, &e) != OK) {
		failure_set(&f, FAULT_BACKEND, false, "%s", e.text);
		tell_failure(c, &f);
	} else {
		tell_answer(c, &built.answer);
	}
	result_built_release(&built);
}

/* ---- failures ------------------------------------------------------------- */

static void
try_again(struct llm_call *c, const struct failure *f)
{
	uint32_t random;
	msec pause = f->retry_after;

	id_random(&random, sizeof random);
	if (pause < 0)
		pause = failure_backoff(c->attempt, random);
	c->attempt++;
	c->state = LLM_SLEEPING;
	c->has_turn = false;
	lane_correct(c->target.lane, c->reserved);
	c->reserved = 0;
	result_release(&c->result);
	log_info("llm", "retry", "model=%.*s:%.*s attempt=%u wait_ms=%lld event=%s "
	    "reason=%s", FMT(c->target.entry), FMT(c->target.name), c->attempt,
	    (long long)pause, failure_event(f->kind), f->e.text);
	shard_timer_set(c->llm->shard, &c->timer, pause);
}

/* Another model would be told the same: it is not the server's fault.  After the first
 * delta somebody has read the beginning of this answer. */
static bool
may_move_on(const struct llm_call *c, const struct failure *f)
{
	return !c->told && !f->ours && f->kind != FAULT_AUTH &&
	    f->kind != FAULT_INVALID_REQUEST && f->kind != FAULT_CONTEXT_LENGTH &&
	    llm_plan_has_more(c->plan);
}

/* To the next target, or to the end. */
static void
move_on(struct llm_call *c, struct failure *f)
{
	struct llm_target from = c->target;
	struct buf texts = c->texts;         /* of `from` */
	struct err e = { 0 };

	lane_correct(c->target.lane, c->reserved);   /* it was not answered */
	c->reserved = 0;
	if (!may_move_on(c, f)) {
		tell_failure(c, f);
		return;
	}
	leave(c);
	c->target.provider->release(c);
	result_release(&c->result);
	memset(&c->u, 0, sizeof c->u);
	c->texts = (struct buf){ 0 };
	llm_plan_next(c->plan, shard_now(c->llm->shard), &c->target);
	target_keep(c, STR_NONE);
	log_warn("llm", "fallback", "model=%.*s:%.*s next=%.*s:%.*s event=%s reason=%s",
	    FMT(from.entry), FMT(from.name), FMT(c->target.entry), FMT(c->target.name),
	    failure_event(f->kind), f->e.text);
	buf_release(&texts);
	c->attempt = 0;
	c->has_turn = false;
	c->turn_ms = 0;
	if (c->target.provider->prepare(c, llm_plan_request(c->plan), &c->target, &e) == OK) {
		enter(c);
		return;
	}
	c->state = LLM_ENDED;
	list_remove(&c->in);
	failure_set(f, FAULT_INVALID_REQUEST, false, "%s", e.text);
	tell_end(c, f);
}

void
llm_call_failed(struct llm_call *c, struct failure *f)
{
	bool slow = f->retry_after > LIMIT_LLM_HERE_MS;

	check_call(c);
	assert(c->holds > 0 && c->state == LLM_RUNNING);
	/* A server may repeat the key in its error. */
	failure_redact(f, c->target.api_key);
	if (f->retry_after > 0 && (f->kind == FAULT_RATE_LIMITED ||
	    f->kind == FAULT_OVERLOADED))
		circuit_open(&c->target, shard_now(c->llm->shard) +
		    f->retry_after * NS_PER_MS);
	if (f->transient && !c->told && c->attempt < LIMIT_LLM_RETRIES &&
	    !(slow && may_move_on(c, f)))
		try_again(c, f);
	else
		move_on(c, f);
}
