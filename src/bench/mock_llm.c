/*
 * mock_llm.c - the mock model's life, its routes, and reading a request.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/mock_priv.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fields.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "net/files.h"

#define SHARDS_MAX 64
#define SCRIPT_MAX (16 * MB)
#define AT(field)  offsetof(struct mock_llm_options, field)

const struct flag mock_llm_flags[] = {
	{ "host", "MOCK_LLM_HOST", FLAG_TEXT, "127.0.0.1", "ADDRESS",
	    "where to listen", AT(host) },
	{ "port", "MOCK_LLM_PORT", FLAG_INT, "11434", "PORT",
	    "0 takes any free one", AT(port), 0, 65535 },
	{ "shards", "MOCK_LLM_SHARDS", FLAG_INT, "1", "N", "event loops",
	    AT(shards), 1, SHARDS_MAX },
	{ "delay-ms", "MOCK_LLM_DELAY_MS", FLAG_MS, "10", "MS",
	    "before a whole answer, and before the first token", AT(delay_ms) },
	{ "ttft-ms", "MOCK_LLM_TTFT_MS", FLAG_MS, NULL, "MS",
	    "before the first token, when it differs from --delay-ms", AT(ttft_ms) },
	{ "stream-delay-ms", "MOCK_LLM_STREAM_DELAY_MS", FLAG_MS, "5", "MS",
	    "from one token to the next", AT(token_ms) },
	{ "jitter-ms", "MOCK_LLM_JITTER_MS", FLAG_MS, "0", "MS",
	    "each token comes up to so much later", AT(jitter_ms) },
	{ "slow-ms", "MOCK_LLM_SLOW_MS", FLAG_MS, "1000", "MS",
	    "what mock:slow-start waits", AT(slow_ms) },
	{ "tokens", "MOCK_LLM_TOKENS", FLAG_INT, "0", "N",
	    "cut or repeat the response to N tokens; 0 leaves it", AT(tokens),
	    0, 100000 },
	{ "response", "MOCK_LLM_RESPONSE", FLAG_TEXT, script_sentence, "TEXT",
	    "what it says without a script", AT(response) },
	{ "model", "MOCK_LLM_MODEL", FLAG_TEXT, "mock-gpt-4o", "NAME",
	    "the model it lists, and is when a request names none", AT(model) },
	{ "dims", "MOCK_LLM_DIMS", FLAG_INT, "384", "N",
	    "of its embeddings, where a request names none", AT(dims), 1, LIMIT_VECTOR_DIMS },
	{ "script", "MOCK_LLM_SCRIPT", FLAG_TEXT, NULL, "FILE",
	    "answers by what was asked (JSON)", AT(script) },
	{ "faults", "MOCK_LLM_FAULTS", FLAG_TEXT, NULL, "LIST",
	    "a share of requests that go wrong, as in 429=0.1,reset=0.01", AT(faults) },
	{ "seed", "MOCK_LLM_SEED", FLAG_INT, "1", "N", "of faults and jitter",
	    AT(seed), 1, INT64_MAX },
	{ NULL }
};

/* Requests. */

static struct mock_shard *
shard_of(struct mock_llm *m, const struct http_req *r)
{
	return &m->shards[shard_id(r->shard)];
}

static void
reply_json(struct http_req *r, int status, const struct buf *b)
{
	http_reply(r, status, S("application/json"), STR_NONE, buf_str(b));
}

static void
reply_error(struct http_req *r, const struct mock_wire *w, int status, const char *text)
{
	struct buf b = BUF(4 * KB), plain = BUF(1 * KB);

	json_add_escaped(&plain, str_of(text));
	w->error("invalid_request_error", plain.n > 0 ? plain.p : "", &b);
	reply_json(r, status, &b);
	buf_release(&plain);
	buf_release(&b);
}

/* The text of a message's content: a string, or blocks with text. */
static struct str
content_text(struct arena *a, jnode content)
{
	struct json_iter it;
	struct str all = STR_NONE;

	if (json_is_string(content))
		return json_str(content);
	for (it = json_each(content); json_is_array(content) && json_next(&it);) {
		jnode text = json_get(it.value, S("text"));
		struct str part = json_is_string(text) ? json_str(text) : STR_NONE;

		if (json_is_null(text) && !json_is_null(json_get(it.value, S("content"))))
			part = content_text(a, json_get(it.value, S("content")));
		if (json_get(it.value, S("functionResponse")) != NULL)
			part = json_str(json_get(json_get(json_get(it.value,
			    S("functionResponse")), S("response")), S("result")));
		all = all.n == 0 ? part : arena_fmt(a, "%.*s%.*s", FMT(all), FMT(part));
	}
	return all;
}

/* In Anthropic's and Gemini's forms a tool's result is a block of a user's message. */
static struct str
message_role(jnode message, jnode content)
{
	jnode first = json_is_array(content) ? json_at(content, 0) : NULL;
	struct str type = json_str(json_get(first, S("type")));

	if (str_eq(type, S("tool_result")) || json_get(first, S("functionResponse")) != NULL)
		return S("tool");
	return json_str(json_get(message, S("role")));
}

static struct str
first_tool(jnode root)
{
	jnode tool = json_at(json_get(root, S("tools")), 0);
	jnode function = json_get(tool, S("function"));
	jnode declared = json_at(json_get(tool, S("functionDeclarations")), 0);
	jnode name = json_get(function != NULL ? function :
	    declared != NULL ? declared : tool, S("name"));

	return json_is_string(name) ? json_str(name) : S("get_weather");
}

static int
ask_read(struct ask *k, struct http_req *r, jnode root, const char *model, struct err *e)
{
	const struct mock_wire *wire = k->wire;
	struct fields f, messages, options;
	jnode last, content;

	fields_open(&f, root, "body", e);
	fields_array(&f, wire->messages.p, SIZE_MAX, &messages);
	if (json_count(messages.node) == 0)
		fields_fail(&messages, NULL, ERR_INVALID, "expected at least one");
	if (k->model.n == 0)
		k->model = str_of(model);
	fields_str(&f, "model", LIMIT_NAME_BYTES, &k->model);
	fields_bool(&f, "stream", &k->stream);
	fields_object(&f, "stream_options", &options);
	fields_bool(&options, "include_usage", &k->usage);
	if (f.rc != OK)
		return f.rc;
	last = json_at(messages.node, json_count(messages.node) - 1);
	content = json_get(last, wire->content);
	k->role = message_role(last, content);
	k->last = content_text(&r->arena, content);
	k->thinks = json_is_object(json_get(root, S("thinking"))) ||
	    json_is_object(json_get(json_get(root, S("generationConfig")),
	    S("thinkingConfig")));
	k->tool = first_tool(root);
	k->prompt_tokens = 1 + (int64_t)(r->body.n / 4);     /* an estimate */
	return OK;
}

/* Of embeddings: a text, or an array of them.  The last one may ask for a fault. */
static int
input_read(struct ask *k, struct http_req *r, jnode root, const char *model, struct err *e)
{
	jnode input = json_get(root, S("input"));
	jnode last = json_is_array(input) && json_count(input) > 0 ?
	    json_at(input, json_count(input) - 1) : input;
	struct fields f;

	fields_open(&f, root, "body", e);
	if (!json_is_string(last))
		fields_fail(&f, "input", ERR_INVALID,
		    "expected a string, or an array of strings");
	k->model = str_of(model);
	fields_str(&f, "model", LIMIT_NAME_BYTES, &k->model);
	k->role = S("user");
	k->last = json_is_string(last) ? json_str(last) : STR_NONE;
	k->prompt_tokens = 1 + (int64_t)(r->body.n / 4);
	return f.rc;
}

static void
ask_handle(struct mock_llm *m, struct http_req *r, struct ask k)
{
	struct mock_shard *ms = shard_of(m, r);
	const struct mock_wire *wire = k.wire;
	const char *wrong = NULL;
	struct json_doc doc;
	struct err e;
	int rc;

	if (ms->draining) {
		reply_error(r, wire, 503, "stopping");
		return;
	}
	atomic_fetch_add_explicit(&ms->requests, 1, memory_order_relaxed);
	rc = json_parse(&doc, r->body, &e);
	if (rc == OK)
		rc = wire == &mock_embeddings ? input_read(&k, r, doc.root, m->o.model, &e) :
		    ask_read(&k, r, doc.root, m->o.model, &e);
	if (rc == OK && wire->check != NULL)
		wrong = wire->check(doc.root);
	if (wrong != NULL)
		rc = err_set(&e, ERR_INVALID, "%s", wrong);
	atomic_fetch_add_explicit(&ms->prompt_tokens,
	    (unsigned long long)k.prompt_tokens, memory_order_relaxed);
	if (rc == OK)
		answer_start(ms, r, &k);
	else
		reply_error(r, wire, 400, e.text);
	json_release(&doc);
}

static void
handle_chat(struct mock_llm *m, struct http_req *r)
{
	ask_handle(m, r, (struct ask){ .wire = &mock_openai });
}

static void
handle_embeddings(struct mock_llm *m, struct http_req *r)
{
	ask_handle(m, r, (struct ask){ .wire = &mock_embeddings });
}

static void
handle_messages(struct mock_llm *m, struct http_req *r)
{
	ask_handle(m, r, (struct ask){ .wire = &mock_anthropic });
}

/* /v1beta/models/NAME:generateContent.  False: another path. */
static bool
handle_gemini(struct mock_llm *m, struct http_req *r)
{
	static const struct str front = S("/v1beta/models/");
	struct ask k = { .wire = &mock_gemini, .usage = true };
	struct str rest = str_sub(r->path, front.n, r->path.n);
	ptrdiff_t colon = str_index(rest, ':');
	struct str method;

	if (!str_starts(r->path, front) || colon < 0 || !str_eq(r->method, S("POST")))
		return false;
	k.model = str_sub(rest, 0, (size_t)colon);
	method = str_sub(rest, (size_t)colon + 1, rest.n);
	k.stream = str_eq(method, S("streamGenerateContent"));
	if (!k.stream && !str_eq(method, S("generateContent")))
		return false;
	ask_handle(m, r, k);
	return true;
}

static void
handle_models(struct mock_llm *m, struct http_req *r)
{
	struct buf b = BUF(4 * KB);

	json_add_fmt(&b, "{'object':'list','data':[{'id':%s,'object':'model',"
	    "'created':1700000000,'owned_by':'mock'}]}", m->o.model);
	reply_json(r, 200, &b);
	buf_release(&b);
}

static void
handle_stats(struct mock_llm *m, struct http_req *r)
{
	struct hist *lag = mem_new(struct hist), *one = mem_new(struct hist);
	struct buf b = BUF(256 * KB);
	unsigned long long requests = 0, prompt = 0, tokens = 0;
	int open = 0;

	for (size_t i = 0; i < m->shards_n; i++) {
		struct mock_shard *ms = &m->shards[i];

		requests += atomic_load(&ms->requests);
		prompt += atomic_load(&ms->prompt_tokens);
		tokens += atomic_load(&ms->tokens);
		open += atomic_load(&ms->open_streams);
		pthread_mutex_lock(&ms->lock);
		*one = ms->lag_us;
		pthread_mutex_unlock(&ms->lock);
		hist_merge(lag, one);
	}
	json_add_fmt(&b, "{'requests':%llu,'tokens':%llu,'prompt_tokens':%llu,"
	    "'completion_tokens':%llu,'uptime_s':%.3f,'open_streams':%d,"
	    "'lag':{'p50_ms':%.3f,'p99_ms':%.3f,'max_ms':%.3f},'settings':", requests,
	    tokens, prompt, tokens,
	    (double)(shard_now(r->shard) - m->started) / (double)NS_PER_S, open,
	    (double)hist_percentile(lag, 50) / 1e3,
	    (double)hist_percentile(lag, 99) / 1e3, (double)lag->max / 1e3);
	flags_add_json(mock_llm_flags, &m->o, &b);
	buf_add_char(&b, '}');
	reply_json(r, 200, &b);
	buf_release(&b);
	free(one);
	free(lag);
}

static void
handle_health(struct mock_llm *m, struct http_req *r)
{
	(void)m;
	http_reply(r, 200, S("application/json"), STR_NONE, S("{\"status\":\"ok\"}"));
}

static const struct {
	const char *method, *path;
	void (*handle)(struct mock_llm *m, struct http_req *r);
} routes[] = {
	{ "GET",  "/auth/v1/user",        mock_user },
	{ "POST", "/v1/chat/completions", handle_chat },
	{ "POST", "/chat/completions",    handle_chat },
	{ "POST", "/v1/embeddings",       handle_embeddings },
	{ "POST", "/v1/messages",         handle_messages },
	{ "GET",  "/v1/models",           handle_models },
	{ "GET",  "/stats",               handle_stats },
	{ "GET",  "/health",              handle_health },
};

static void
on_request(void *ctx, struct http_req *r)
{
	bool path_known = handle_gemini(ctx, r);

	if (path_known)
		return;
	for (size_t i = 0; i < COUNT(routes); i++) {
		if (!str_eq(r->path, str_of(routes[i].path)))
			continue;
		path_known = true;
		if (str_eq(r->method, str_of(routes[i].method)) ||
		    (r->head_only && strcmp(routes[i].method, "GET") == 0)) {
			routes[i].handle(ctx, r);
			return;
		}
	}
	reply_error(r, &mock_openai, path_known ? 405 : 404,
	    path_known ? "method not allowed" : "no such route");
}

static size_t
on_head(void *ctx, struct http_req *r)
{
	(void)ctx, (void)r;
	return LIMIT_HTTP_BODY_BYTES;
}

static void
on_error_body(void *ctx, int status, struct str message, struct buf *out,
    struct str *content_type)
{
	(void)ctx, (void)status;
	json_add_fmt(out, "{'error':{'message':%.*s,'type':'invalid_request_error',"
	    "'param':null,'code':null}}", FMT(message));
	*content_type = S("application/json");
}

/* Life. */

/* A shard has finished its job, or failed. */
static void
report(struct mock_shard *ms, int rc, const struct err *e)
{
	struct mock_llm *m = ms->mock;

	pthread_mutex_lock(&m->lock);
	if (rc != OK) {
		m->rc = rc;
		m->why = *e;
	}
	m->waiting--;
	pthread_cond_signal(&m->changed);
	pthread_mutex_unlock(&m->lock);
}

static void
shard_begin(struct shard_job *job)
{
	struct mock_shard *ms = CONTAINER_OF(job, struct mock_shard, job);
	struct err e = { 0 };
	int rc;

	rc = http_server_attach(ms->mock->server, ms->shard, &e);
	if (rc == OK)
		uv_idle_init(shard_loop(ms->shard), &ms->pump);
	ms->serving = rc == OK;
	report(ms, rc, &e);
}

static void
pump_closed(uv_handle_t *h)
{
	report(CONTAINER_OF(h, struct mock_shard, pump), OK, NULL);
}

static void
shard_drained(void *ctx)
{
	struct mock_shard *ms = ctx;

	uv_close((uv_handle_t *)&ms->pump, pump_closed);
}

static void
shard_end(struct shard_job *job)
{
	struct mock_shard *ms = CONTAINER_OF(job, struct mock_shard, job);

	if (!ms->serving) {
		report(ms, OK, NULL);
		return;
	}
	ms->draining = true;
	answer_abort_all(ms);
	http_server_drain(ms->mock->server, ms->shard, shard_drained, ms);
}

/* Posts fn to every shard and waits until each has reported. */
static int
shards_do(struct mock_llm *m, void (*fn)(struct shard_job *), struct err *e)
{
	int rc;

	pthread_mutex_lock(&m->lock);
	m->rc = OK;
	m->waiting = m->shards_n;
	for (size_t i = 0; i < m->shards_n; i++) {
		m->shards[i].job.run = fn;
		shard_post(m->shards[i].shard, &m->shards[i].job);
	}
	while (m->waiting > 0)
		pthread_cond_wait(&m->changed, &m->lock);
	rc = m->rc;
	if (rc != OK && e != NULL)
		*e = m->why;
	pthread_mutex_unlock(&m->lock);
	return rc;
}

static int
shard_make(struct mock_llm *m, size_t i, struct err *e)
{
	struct mock_shard *ms = &m->shards[i];
	int rc;

	ms->mock = m;
	ms->random = (uint64_t)m->o.seed * UINT64_C(0x9e3779b97f4a7c15) + i;
	ms->random += ms->random == 0;
	ms->ready_end = &ms->ready;
	ms->frames = BUF(MOCK_ANSWER_MAX);
	pthread_mutex_init(&ms->lock, NULL);
	rc = shard_new(&ms->shard, (unsigned)i, e);
	if (rc == OK)
		rc = shard_start(ms->shard, e);
	return rc;
}

/* The default response, cut or repeated to --tokens, as a script. */
static void
script_from_response(const struct mock_llm_options *o, struct buf *out)
{
	struct buf words = BUF(SCRIPT_MAX);
	struct str rest = str_of(o->response), token;
	int64_t n = 0;

	while (o->tokens > 0 && n < o->tokens && rest.n > 0) {
		if (!script_next_token(&rest, &token)) {
			rest = str_of(o->response);
			continue;
		}
		if (n > 0 && token.p[0] != ' ')
			buf_add_char(&words, ' ');
		buf_add(&words, token);
		n++;
		if (rest.n == 0)
			rest = str_of(o->response);
	}
	json_add_fmt(out, "{'default':{'reply':");
	json_add_str(out, o->tokens > 0 ? buf_str(&words) : str_of(o->response));
	buf_lit(out, "}}");
	buf_release(&words);
}

static int
script_load(struct mock_llm *m, struct err *e)
{
	struct buf text = BUF(SCRIPT_MAX);
	int rc = OK;

	if (m->o.script != NULL)
		rc = file_add(m->o.script, &text, e);
	else
		script_from_response(&m->o, &text);
	if (rc == OK)
		rc = script_new(&m->script, buf_str(&text), e);
	buf_release(&text);
	return rc;
}

static void
mock_free(struct mock_llm *m)
{
	for (size_t i = 0; i < m->shards_n; i++) {
		struct mock_shard *ms = &m->shards[i];

		if (ms->shard == NULL)
			continue;
		shard_stop(ms->shard);
		shard_join(ms->shard);
		shard_free(ms->shard);
		answer_spares_free(ms);
		buf_release(&ms->frames);
		pthread_mutex_destroy(&ms->lock);
	}
	if (m->server != NULL)
		http_server_free(m->server);
	script_free(m->script);
	free(m->shards);
	free(m->rates);
	free(m->tallies);
	pthread_mutex_destroy(&m->lock);
	pthread_cond_destroy(&m->changed);
	free(m);
}

int
mock_llm_start(struct mock_llm **out, const struct mock_llm_options *o, struct err *e)
{
	struct mock_llm *m = mem_new(struct mock_llm);
	struct http_hooks hooks = { .head = on_head, .handle = on_request,
	    .error_body = on_error_body, .ctx = m };
	size_t made = 0;
	int rc;

	*out = NULL;
	m->o = *o;
	m->started = clock_mono();
	m->shards_n = (size_t)o->shards;
	m->shards = mem_zero(m->shards_n * sizeof *m->shards);
	pthread_mutex_init(&m->lock, NULL);
	pthread_cond_init(&m->changed, NULL);
	rc = mock_faults_parse(o->faults, &m->rates, e);
	if (rc == OK)
		rc = script_load(m, e);
	if (rc == OK)
		rc = http_server_new(&m->server, str_of(o->host), (uint16_t)o->port,
		    &hooks, e);
	for (; rc == OK && made < m->shards_n; made++)
		rc = shard_make(m, made, e);
	if (rc == OK) {
		rc = shards_do(m, shard_begin, e);
		if (rc != OK)
			shards_do(m, shard_end, NULL);
	}
	if (rc != OK) {
		mock_free(m);
		return rc;
	}
	*out = m;
	return OK;
}

uint16_t
mock_llm_port(const struct mock_llm *m)
{
	return http_server_port(m->server);
}

void
mock_llm_stop(struct mock_llm *m)
{
	if (m == NULL)
		return;
	shards_do(m, shard_end, NULL);
	mock_free(m);
}

int
mock_llm_run(const struct mock_llm_options *o, struct err *e)
{
	struct mock_llm_options with = *o;
	struct files_plan files;
	struct mock_llm *m;
	sigset_t set;
	int sig, rc;

	rc = files_plan_make(&files, (unsigned)o->shards, 0, e);
	if (rc != OK)
		return rc;
	with.shards = files.shards;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	rc = mock_llm_start(&m, &with, e);
	if (rc != OK)
		return rc;
	printf("mock-llm listens on http://%s:%u\n", o->host, mock_llm_port(m));
	fflush(stdout);
	sigwait(&set, &sig);
	mock_llm_stop(m);
	return 0;
}
