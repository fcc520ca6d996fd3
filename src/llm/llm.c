/*
 * llm.c - calls to models: which provider, whose turn, when again, how told.
 *
 * A provider is a lane with a number of calls at once; more wait in order.
 * A call that sleeps before its next attempt keeps its place, so a provider
 * that says "slower" is not asked by the next in line instead.
 *
 * A hook may cancel its own call, or start others: a call is freed when the
 * last frame that uses it has returned (holds).
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "llm/llm_priv.h"

static void
check_call(const struct llm_call *c)
{
	CHECK_MARK(c, LLM_CALL_MARK);
	CHECK_MARK(c->llm, LLM_MARK);
	assert(c->target.lane != NULL && c->target.lane->running <= c->target.lane->cap);
	assert(list_joined(&c->waits) == (c->state == LLM_WAITING));
}

/* ---- life ----------------------------------------------------------------- */

static void
copy(struct buf *to, struct str s)
{
	*to = BUF(LIMIT_HTTP_URL_BYTES);
	buf_add(to, s);
}

/* A key goes into a header line as it is. */
static int
key_check(struct str key, struct err *e)
{
	for (size_t i = 0; i < key.n; i++)
		if (key.p[i] <= ' ' || key.p[i] > '~')
			return err_set(e, ERR_INVALID,
			    "openai_api_key: a blank or a byte that is not ASCII");
	return OK;
}

static int
options_check(const struct llm *l, struct err *e)
{
	int rc = url_check(buf_str(&l->base_url), e);

	if (rc == OK)
		rc = key_check(buf_str(&l->api_key), e);
	if (rc == OK && l->default_model.n > 0)
		rc = llm_check(l, STR_NONE, STR_NONE, e);
	if (rc == OK && (l->base_url.failed || l->api_key.failed ||
	    l->default_model.failed))
		rc = err_set(e, ERR_LIMIT, "a model setting is too long");
	return rc;
}

struct str
llm_without_slash(struct str url)
{
	while (url.n > 0 && url.p[url.n - 1] == '/')
		url.n--;
	return url;
}

static void
entry_init(struct llm *l, size_t i)
{
	bool openai = providers[i] == &openai_provider;

	l->lanes[i].cap = LIMIT_LLM_CONCURRENCY;
	list_init(&l->lanes[i].waiting);
	l->entries[i] = (struct llm_target){
		.provider = providers[i],
		.lane = &l->lanes[i],
		.entry = providers[i]->name,
		.base_url = openai ? buf_str(&l->base_url) : STR_NONE,
		.api_key = openai ? buf_str(&l->api_key) : STR_NONE,
		.has = LLM_HAS_USUAL,
		.price_input = -1, .price_cached = -1, .price_output = -1,
	};
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
	copy(&l->default_model, o->default_model);
	copy(&l->base_url, o->openai_base_url.n > 0 ?
	    llm_without_slash(o->openai_base_url) : str_of(openai_provider.base_url));
	copy(&l->api_key, str_trim(o->openai_api_key));
	list_init(&l->calls);
	for (size_t i = 0; i < PROVIDERS; i++)
		entry_init(l, i);
	l->ready = scripted_ready_new(l);
	l->script = o->script;
	rc = options_check(l, e);
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
	script_free(l->own_script);
	buf_release(&l->default_model);
	buf_release(&l->base_url);
	buf_release(&l->api_key);
	CHECK_END(l);
	free(l);
}

/* ---- names ---------------------------------------------------------------- */

static const struct llm_target *
entry_of(const struct llm *l, struct str provider)
{
	for (size_t i = 0; i < PROVIDERS; i++)
		if (str_eq(l->entries[i].entry, provider) ||
		    (provider.n > 0 && str_eq(providers[i]->also, provider)))
			return &l->entries[i];
	return NULL;
}

/* LangChain's names of providers that are not here.  Any other word before a
 * colon belongs to the model's own name, as in qwen2.5:7b. */
static const char *const absent_providers[] = {
	"anthropic", "azure_ai", "azure_openai", "bedrock", "bedrock_converse",
	"cohere", "deepseek", "fireworks", "google", "google_anthropic_vertex",
	"google_genai", "google_vertexai", "groq", "huggingface", "ibm",
	"mistralai", "nvidia", "ollama", "openrouter", "perplexity", "together",
	"upstage", "xai",
};

static bool
is_absent(struct str provider)
{
	for (size_t i = 0; i < COUNT(absent_providers); i++)
		if (str_eq(str_of(absent_providers[i]), provider))
			return true;
	return false;
}

/* "openai" of "openai:gpt-4o" and of "openai". */
static struct str
first_word(struct str model)
{
	ptrdiff_t colon = str_index(model, ':');

	return colon < 0 ? model : str_sub(model, 0, (size_t)colon);
}

bool
llm_names_provider(struct str model)
{
	struct str word = first_word(model);

	for (size_t i = 0; i < PROVIDERS; i++)
		if (str_eq(providers[i]->name, word) ||
		    (word.n > 0 && str_eq(providers[i]->also, word)))
			return true;
	return word.n < model.n && is_absent(word);
}

void
llm_model_split(const struct llm *l, struct str model, struct str *provider,
    struct str *name)
{
	struct str fallback = buf_str(&l->default_model);

	if (model.n == 0)
		model = fallback;
	if (llm_names_provider(model)) {
		*provider = first_word(model);
		*name = provider->n == model.n ? STR_NONE :
		    str_sub(model, provider->n + 1, model.n);
	} else {
		*provider = llm_names_provider(fallback) ? first_word(fallback) :
		    openai_provider.name;
		*name = model;
	}
}

static int
base_url_check(const struct llm *l, struct str base_url, struct err *e)
{
	if (base_url.n == 0 ||
	    str_eq(llm_without_slash(base_url), buf_str(&l->base_url)))
		return OK;
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
	const struct llm_target *entry;
	struct str provider, name;

	CHECK_MARK(l, LLM_MARK);
	if (model.n > LIMIT_NAME_BYTES)
		return err_set(e, ERR_INVALID,
		    "model: longer than %d bytes", LIMIT_NAME_BYTES);
	llm_model_split(l, model, &provider, &name);
	entry = entry_of(l, provider);
	if (entry == NULL)
		return err_set(e, ERR_INVALID, "model: the provider \"%.*s\" is not "
		    "supported yet; expected openai:NAME, with openai.base-url set "
		    "to an OpenAI-compatible address if it has one", FMT(provider));
	if (name.n == 0 && entry->provider->needs_name)
		return err_set(e, ERR_INVALID, "model: no name; expected %.*s:NAME",
		    FMT(provider));
	return base_url_check(l, base_url, e);
}

/* ---- lanes ---------------------------------------------------------------- */

static void
run(struct llm_call *c)
{
	c->state = LLM_RUNNING;
	c->target.lane->running++;
	check_call(c);
	c->target.provider->start(c);
}

static void
lane_next(struct lane *lane)
{
	while (lane->running < lane->cap && !list_empty(&lane->waiting)) {
		struct llm_call *c = CONTAINER_OF(lane->waiting.next,
		    struct llm_call, waits);

		list_remove(&c->waits);
		run(c);
	}
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

/* Ends the call without telling its hooks, and starts the next that waits. */
static void
end(struct llm_call *c)
{
	struct lane *lane = c->target.lane;

	assert(c->state != LLM_ENDED);
	if (c->state == LLM_WAITING)
		list_remove(&c->waits);
	else
		lane->running--;
	shard_timer_cancel(c->llm->shard, &c->timer);
	c->state = LLM_ENDED;
	list_remove(&c->in);
	check_call(c);
	lane_next(lane);
}

static void
on_timer(struct wheel_timer *t)
{
	struct llm_call *c = CONTAINER_OF(t, struct llm_call, timer);

	check_call(c);
	llm_call_hold(c);
	if (c->state == LLM_SLEEPING) {
		c->state = LLM_RUNNING;
		c->target.provider->start(c);
	} else {
		assert(c->state == LLM_RUNNING && c->target.provider->wake != NULL);
		c->target.provider->wake(c);
	}
	llm_call_unhold(c);
}

/* A run's own base_url never gets the server's key. */
static void
target_choose(struct llm_call *c, const struct llm_request *rq)
{
	struct str provider, name, base = llm_without_slash(rq->base_url);
	struct llm_target *t = &c->target;
	size_t n;

	llm_model_split(c->llm, rq->model, &provider, &name);
	*t = *entry_of(c->llm, provider);
	c->texts = BUF(LIMIT_NAME_BYTES + LIMIT_HTTP_URL_BYTES);
	buf_add(&c->texts, name);
	n = c->texts.n;
	if (base.n > 0 && !str_eq(base, t->base_url)) {
		buf_add(&c->texts, base);
		t->base_url = str_sub(buf_str(&c->texts), n, c->texts.n);
		t->api_key = STR_NONE;
	}
	t->name = str_sub(buf_str(&c->texts), 0, n);
}

struct llm_call *
llm_start(struct llm *l, const struct llm_request *req,
    const struct llm_hooks *hooks, struct err *e)
{
	struct llm_call *c;

	if (llm_check(l, req->model, req->base_url, e) != OK)
		return NULL;
	c = mem_new(struct llm_call);
	assert(hooks->done != NULL);
	c->mark = LLM_CALL_MARK;
	c->llm = l;
	target_choose(c, req);
	c->hooks = *hooks;
	c->stream = req->stream && hooks->delta != NULL;
	c->timer.fire = on_timer;
	result_init(&c->result);
	if (c->target.provider->prepare(c, req, &c->target, e) != OK) {
		call_free(c);
		return NULL;
	}
	list_append(&l->calls, &c->in);
	list_append(&c->target.lane->waiting, &c->waits);
	lane_next(c->target.lane);
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

bool
llm_call_delta(struct llm_call *c, const struct llm_delta *d)
{
	check_call(c);
	assert(c->holds > 0 && c->state == LLM_RUNNING);
	if (c->stream) {
		c->told = true;
		c->hooks.delta(c->hooks.ctx, d);
	}
	return c->state == LLM_RUNNING;
}

static void
tell_failure(struct llm_call *c, struct failure *f)
{
	end(c);
	c->hooks.done(c->hooks.ctx, failure_rc(f->kind), NULL,
	    failure_event(f->kind), &f->e);
}

void
llm_call_answered(struct llm_call *c)
{
	struct buf model = BUF(2 * LIMIT_NAME_BYTES);
	struct result_built built;
	struct failure f;
	struct err e;

	check_call(c);
	assert(c->holds > 0 && c->state == LLM_RUNNING);
	if (result_build(&c->result, c->target.provider->name, &built, &e) != OK) {
		failure_set(&f, FAULT_BACKEND, false, "%s", e.text);
		tell_failure(c, &f);
	} else {
		end(c);
		buf_add_fmt(&model, "%.*s:%.*s", FMT(c->target.entry), FMT(c->target.name));
		built.answer.model = buf_str(&model);
		built.answer.alias = c->target.alias;
		c->hooks.done(c->hooks.ctx, OK, &built.answer, NULL, NULL);
	}
	result_built_release(&built);
	buf_release(&model);
}

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
	result_release(&c->result);
	log_info("llm", "retry", "attempt=%u wait_ms=%lld event=%s", c->attempt,
	    (long long)pause, failure_event(f->kind));
	shard_timer_set(c->llm->shard, &c->timer, pause);
}

void
llm_call_failed(struct llm_call *c, struct failure *f)
{
	check_call(c);
	assert(c->holds > 0 && c->state == LLM_RUNNING);
	/* A server may repeat the key in its error. */
	failure_redact(f, c->target.api_key);
	if (f->transient && !c->told && c->attempt < LIMIT_LLM_RETRIES)
		try_again(c, f);
	else
		tell_failure(c, f);
}
