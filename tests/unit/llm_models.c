/*
 * llm_models.c - providers and aliases, who is asked next, and whose turn it is.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "llm_fix.h"

#define SECOND INT64_C(1000000000)

static struct llm_usage used;
static char used_model[80], used_alias[80];

static void
note_usage(void *ctx, int rc, const struct llm_answer *a, const char *event,
    const struct err *e)
{
	(void)event, (void)e;
	CHECK_RC(rc, OK);
	used = a->usage;
	snprintf(used_model, sizeof used_model, "%.*s", FMT(a->model));
	snprintf(used_alias, sizeof used_alias, "%.*s", FMT(a->alias));
	shard_stop(ctx);
}

/* ---- names ------------------------------------------------------------------------ */

static int
alias(struct models *m, const char *name, const char *targets, struct err *e)
{
	struct str list[LIMIT_MODEL_TARGETS + 1], rest = str_of(targets);
	struct models_alias x = { .name = str_of(name), .targets = list, .price_input = -1,
	    .price_cached = -1, .price_output = -1 };

	while (x.targets_n < COUNT(list) && str_next(&rest, ' ', &list[x.targets_n]))
		x.targets_n++;
	return models_alias(m, &x, e);
}

/* Each row: aliases as "name=target target;...", and what is wrong with them. */
TEST(models_are_linked)
{
	static const struct { const char *aliases, *words; } rows[] = {
		{ "fast=openai:a openai:b;both=fast scripted:c", NULL },
		{ "late=early;early=openai:a", NULL },
		{ "a=b;b=c;c=a", "targets: a cycle: \"a\" leads back to itself" },
		{ "gpt=gpt", "targets: a cycle: \"gpt\" leads back to itself" },
		{ "fast=openai:a;x=fats", "targets: expected provider:name or another alias, "
		  "not \"fats\"; did you mean \"fast\"?" },
		{ "x=groq:a", "model: the provider \"groq\" is not known; if it has an "
		  "OpenAI-compatible address, set it in cohort.yaml as providers: {groq: {type: "
		  "openai, base_url: URL, api_key: env:NAME}}" },
		{ "x=openai:", "model: no name; expected openai:NAME" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct models *m = models_new();
		struct str rest = str_of(rows[i].aliases), one, name, which;
		struct err e = { 0 };
		int rc = OK;

		while (rc == OK && str_next(&rest, ';', &one)) {
			char a[80], t[80];

			str_next(&one, '=', &name);
			snprintf(a, sizeof a, "%.*s", FMT(name));
			snprintf(t, sizeof t, "%.*s", FMT(one));
			rc = alias(m, a, t, &e);
		}
		if (rc == OK)
			rc = models_link(m, &which, &e);
		if (rows[i].words == NULL)
			CHECK_RC(rc, OK);
		else
			CHECK_STR(str_of(e.text), rows[i].words);
		models_free(m);
	}
}

TEST(models_are_found_by_alias_provider_and_bare_name)
{
	static const struct { const char *model, *fallback, *all; } rows[] = {
		{ "fast", "", "openai:a scripted:b " },
		{ "openai:fast", "", "openai:fast " },
		{ "", "fast", "openai:a scripted:b " },
		{ "qwen2.5:7b", "openai:x", "openai:qwen2.5:7b " },
		{ "other", "fast", "openai:other " },
		{ "other", "scripted:y", "scripted:other " },
		{ "scripted", "openai:x", "scripted: " },
	};
	struct models *m = models_new();
	struct str which;

	CHECK_RC(alias(m, "fast", "openai:a scripted:b", NULL), OK);
	CHECK_RC(models_link(m, &which, NULL), OK);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf all = BUF(KB);
		struct models_found f;

		CHECK_RC(models_resolve(m, str_of(rows[i].model), str_of(rows[i].fallback),
		    &f, NULL), OK);
		for (size_t k = 0; k < f.n; k++) {
			const struct llm_target *t = f.targets != NULL ? &f.targets[k] : &f.one;

			buf_add_fmt(&all, "%.*s:%.*s ", FMT(t->entry), FMT(t->name));
		}
		CHECK_STR(buf_str(&all), rows[i].all);
		buf_release(&all);
	}
	models_free(m);
}

TEST(models_say_how_to_declare_what_is_needed)
{
	struct models *m = models_new();
	struct str which, see = S("openai:see");
	struct models_alias eyes = { .name = S("eyes"), .targets = &see, .targets_n = 1,
	    .has_told = true, .has = LLM_HAS_VISION };
	struct err e;

	CHECK_RC(alias(m, "plain", "openai:a", NULL), OK);
	CHECK_RC(models_alias(m, &eyes, NULL), OK);
	CHECK_RC(models_link(m, &which, NULL), OK);
	CHECK_RC(models_can(m, S("plain"), STR_NONE, LLM_HAS_TOOLS, &e), OK);
	CHECK_RC(models_can(m, S("eyes"), STR_NONE, LLM_HAS_VISION, &e), OK);
	CHECK_RC(models_can(m, S("plain"), STR_NONE, LLM_HAS_VISION, &e), ERR_INVALID);
	CHECK_STR(str_of(e.text), "the model \"plain\" is not declared to have vision; if it "
	    "does: models: {plain: {targets: [...], has: [tools, vision]}} in cohort.yaml");
	CHECK_RC(models_can(m, S("eyes"), STR_NONE, LLM_HAS_TOOLS, &e), ERR_INVALID);
	CHECK_RC(models_can(m, S("openai:x"), STR_NONE, LLM_HAS_VISION, &e), ERR_INVALID);
	CHECK_STR(str_of(e.text), "the model \"openai:x\" is not declared to have vision; if "
	    "it does, give it an alias: models: {NAME: {targets: [openai:x], has: [tools, "
	    "vision]}} in cohort.yaml, and use that");
	models_free(m);
}

/* ---- the next target -------------------------------------------------------------- */

/* Providers "one" and "two" at the bed's server, and the alias "both". */
static struct models *
two_providers(struct bed *b, int64_t concurrency)
{
	static const char *const names[] = { "one", "two" };
	struct models *m = models_new();
	struct llm_options o = { .default_model = S("both"), .models = m };
	struct str which;

	for (size_t i = 0; i < COUNT(names); i++)
		CHECK_RC(models_entry(m, &(struct models_entry){ .name = str_of(names[i]),
		    .type = S("openai"), .base_url = str_of(b->server.url),
		    .api_key = i == 0 ? S(KEY) : S("other-key-1234"),
		    .concurrency = concurrency }, NULL), OK);
	CHECK_RC(alias(m, "both", "one:m1 two:m2", NULL), OK);
	CHECK_RC(models_link(m, &which, NULL), OK);
	llm_free(b->llm);
	CHECK_RC(llm_new(&b->llm, b->shard, b->client, &o, NULL), OK);
	return m;
}

/* The models that were asked, as "m1 m2 ". */
static void
asked(const struct bed *b, struct buf *out)
{
	const char *p = b->server.requests.p;

	buf_clear(out);
	while (p != NULL && (p = strstr(p, "\"model\":\"")) != NULL) {
		p += strlen("\"model\":\"");
		buf_add_fmt(out, "%.*s ", (int)strcspn(p, "\""), p);
	}
}

#define E(words, more) "{\"error\":{\"message\":\"" words "\"" more "}}"

/* Each row: what the server says to one request after the other. */
TEST(call_goes_on_with_the_next_target)
{
	static const struct {
		int status; const char *head, *body; /* of the first; status 0: the body */
		const char *second, *asked, *event, *words;
	} rows[] = {
		/* A long Retry-After is not waited for when there is another. */
		{ 429, "Retry-After: 30\r\n", E("slow " KEY, ""), HELLO, "m1 m2 ", "", "" },
		{ 529, "Retry-After: 30\r\n", E("busy", ""), HELLO, "m1 m2 ", "", "" },
		/* A short one is. */
		{ 429, "retry-after-ms: 20\r\n", E("slow", ""), HELLO, "m1 m1 ", "", "" },
		/* No money left: it will not get better by waiting. */
		{ 429, "", E("pay", ",\"code\":\"insufficient_quota\""), HELLO, "m1 m2 ", "",
		  "" },
		{ 0, "", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
		  "Connection: close\r\n\r\nnot json", HELLO,
		  "m1 m2 ", "", "" },
		/* Another model would be told the same. */
		{ 401, "", E("who", ""), HELLO, "m1 ", "error.llm.auth", "401 who" },
		{ 400, "", E("what", ""), HELLO, "m1 ", "error.llm.invalid_request",
		  "400 what" },
		{ 400, "", E("long", ",\"code\":\"context_length_exceeded\""), HELLO, "m1 ",
		  "error.llm.context_length", "400 long" },
		/* Somebody has read the beginning. */
		{ 0, "", OK_HEAD TOKENS, HELLO, "m1 ", "error.llm.transport",
		  "the model's stream was cut short" },
		/* The last one's error is the call's. */
		{ 429, "Retry-After: 30\r\n", E("slow", ""), NULL, "m1 m2 ",
		  "error.llm.auth", "two:m2, the last of 2 models: 401 [redacted] no" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bed b = { .server.replies = { rows[i].status == 0 ? rows[i].body :
		    error_reply(rows[i].status, rows[i].head, rows[i].body),
		    rows[i].second != NULL ? rows[i].second :
		    error_reply(401, "", E("other-key-1234 no", "")) } };
		struct heard h = heard_new(&b);
		struct buf order = BUF(KB);
		struct models *m;

		bed_open(&b, &(struct llm_options){ 0 });
		m = two_providers(&b, 0);
		begin(&b, &h, request("", ""));
		shard_run(b.shard);
		asked(&b, &order);
		CHECK_STR(buf_str(&order), rows[i].asked);
		CHECK_STR(str_of(h.event), rows[i].event);
		CHECK_STR(str_of(h.words), rows[i].words);
		CHECK_INT(h.done, 1);
		if (rows[i].event[0] == '\0')
			CHECK_STR(buf_str(&h.log), HELLO_LOG);
		/* Each provider has its own key. */
		CHECK(strstr(b.server.requests.p, "Bearer " KEY) != NULL);
		CHECK((strstr(b.server.requests.p, "Bearer other-key-1234") != NULL) ==
		    str_contains(buf_str(&order), S("m2")));
		buf_release(&order);
		heard_release(&h);
		bed_close(&b);
		models_free(m);
	}
}

TEST(call_names_fallbacks_of_its_own)
{
	static const struct str more[] = { S("openai:m3"), S("both") };
	struct bed b = { .server.replies = { error_reply(429, "Retry-After: 30\r\n", "{}"),
	    error_reply(429, "Retry-After: 30\r\n", "{}"), HELLO } };
	struct heard h = heard_new(&b);
	struct buf order = BUF(KB);
	struct llm_request *rq;
	struct models *m;
	struct err e;

	bed_open(&b, &(struct llm_options){ 0 });
	m = two_providers(&b, 0);
	rq = request("two:m0", "");
	rq->fallbacks = &(struct str){ "groq:x", 6 };
	rq->fallbacks_n = 1;
	CHECK(llm_start(b.llm, rq, &(struct llm_hooks){ .done = note_usage }, &e) == NULL);
	CHECK(strstr(e.text, "groq") != NULL);
	CHECK_RC(models_entry(m, &(struct models_entry){ .name = S("openai"),
	    .base_url = str_of(b.server.url) }, NULL), OK);
	rq->fallbacks = more;
	rq->fallbacks_n = COUNT(more);
	begin(&b, &h, rq);
	shard_run(b.shard);
	asked(&b, &order);
	CHECK_STR(buf_str(&order), "m0 m3 m1 ");
	CHECK_STR(buf_str(&h.log), HELLO_LOG);
	buf_release(&order);
	heard_release(&h);
	bed_close(&b);
	models_free(m);
}

/* Goal: whoever said "in 30 seconds" is left out by the next call, unless all are. */
TEST(call_leaves_out_a_target_that_asked_for_it)
{
	struct bed b = { .server.replies = { error_reply(503, "Retry-After: 30\r\n", "{}"),
	    HELLO, HELLO, HELLO } };
	struct heard h[3];
	struct buf order = BUF(KB);
	struct models *m;

	bed_open(&b, &(struct llm_options){ 0 });
	m = two_providers(&b, 0);
	for (size_t i = 0; i < COUNT(h); i++) {
		h[i] = heard_new(&b);
		begin(&b, &h[i], request(i < 2 ? "both" : "one:m1", ""));
		while (h[i].done == 0)
			shard_turn(b.shard);
		CHECK_STR(buf_str(&h[i].log), HELLO_LOG);
		heard_release(&h[i]);
	}
	asked(&b, &order);
	CHECK_STR(buf_str(&order), "m1 m2 m2 m1 ");
	buf_release(&order);
	bed_close(&b);
	models_free(m);
}

/* ---- turns ------------------------------------------------------------------------ */

/* Goal: in no minute more than the limit, and nobody waits longer than needed. */
TEST(bucket_keeps_to_its_limit)
{
	static const int64_t minute[] = { 1, 6, 60, 600, 100000 };

	for (size_t i = 0; i < COUNT(minute); i++) {
		nsec now = SECOND, at[400];
		struct bucket b;

		bucket_init(&b, minute[i]);
		for (size_t k = 0; k < COUNT(at); k++) {
			nsec wait = bucket_take(&b, 1, now);

			now += wait;         /* as a call that sleeps, and the next asks then */
			if (wait > 0)
				bucket_correct(&b, 0);
			at[k] = now;
			if (k >= (size_t)minute[i])
				CHECK(at[k] - at[k - (size_t)minute[i]] >= 59 * SECOND);
		}
		CHECK(minute[i] < 400 || now < 121 * SECOND);
	}
}

TEST(bucket_serves_those_who_wait_in_order)
{
	struct bucket b;
	nsec last = 0;

	bucket_init(&b, 60);                 /* six at once, then nearly one a second */
	for (size_t i = 0; i < 30; i++) {
		nsec wait = bucket_take(&b, 1, SECOND);

		CHECK(i < 6 ? wait == 0 : wait > last);
		last = wait;
	}
	CHECK(last > 25 * SECOND && last < 28 * SECOND);
	bucket_correct(&b, 24);              /* they are gone */
	CHECK_INT(bucket_take(&b, 1, SECOND) / SECOND, 1);
	/* More than there ever is at once goes on credit. */
	bucket_init(&b, 1000);
	CHECK_INT(bucket_take(&b, 5000, SECOND), 0);
	CHECK(bucket_take(&b, 1, SECOND) > 300 * SECOND);
}

/* Goal: shards share the slots of a lane: never more at once than there are, nobody
 * is forgotten, and each shard's calls go in order. */
#define SHARDS 4
#define CALLS  25

static struct party {
	struct lane lane;
	_Atomic int at_work, served;
	struct member {
		struct shard *shard;
		struct queue *queue;
		struct shard_job begin, step;
		struct waiter { struct list in; size_t number; struct member *of; } calls[CALLS];
		size_t next;
	} members[SHARDS];
} party;

static void
on_step(struct shard_job *job)
{
	(void)job;
	atomic_fetch_sub(&party.at_work, 1);
	atomic_fetch_add(&party.served, 1);
	lane_leave(&party.lane);
}

static void
takes_turn(struct list *in)
{
	struct waiter *w = CONTAINER_OF(in, struct waiter, in);

	CHECK(w->number == w->of->next++);
	CHECK(atomic_fetch_add(&party.at_work, 1) == 0);
	w->of->step.run = on_step;
	shard_post(w->of->shard, &w->of->step);
}

static void
on_begin(struct shard_job *job)
{
	struct member *x = CONTAINER_OF(job, struct member, begin);

	x->queue = queue_new(x->shard, &party.lane, takes_turn);
	for (size_t i = 0; i < CALLS; i++) {
		x->calls[i] = (struct waiter){ .number = i, .of = x };
		queue_wait(x->queue, &x->calls[i].in);
	}
}

TEST(lane_is_shared_by_shards)
{
	lane_init(&party.lane, 0, 1, 0, 0);
	for (size_t i = 0; i < SHARDS; i++) {
		struct member *x = &party.members[i];

		CHECK_RC(shard_new(&x->shard, (unsigned)i, NULL), OK);
		CHECK_RC(shard_start(x->shard, NULL), OK);
		x->begin.run = on_begin;
		shard_post(x->shard, &x->begin);
	}
	while (atomic_load(&party.served) < SHARDS * CALLS)
		sched_yield();
	for (size_t i = 0; i < SHARDS; i++) {
		shard_stop(party.members[i].shard);
		shard_join(party.members[i].shard);
		CHECK_INT(party.members[i].next, CALLS);
		queue_free(party.members[i].queue);
		shard_free(party.members[i].shard);
	}
	CHECK_INT(atomic_load(&party.lane.running), 0);
	CHECK_INT(atomic_load(&party.lane.standing), 0);
	CHECK_INT(atomic_load(&party.lane.waiting), 0);
	lane_release(&party.lane);
}

/* ---- usage ------------------------------------------------------------------------ */

TEST(answer_says_what_it_took_and_cost)
{
	static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	    "Connection: close\r\n\r\n{\"choices\":[{\"message\":{\"content\":\"Hello\"},"
	    "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1000,"
	    "\"completion_tokens\":200,\"total_tokens\":1200,\"prompt_tokens_details\":"
	    "{\"cached_tokens\":400},\"completion_tokens_details\":{\"reasoning_tokens\":50}}}";
	struct bed b = { .server.replies = { reply } };
	struct str which, target = S("one:m1");
	struct llm_request *rq;
	struct models *m;

	bed_open(&b, &(struct llm_options){ 0 });
	m = two_providers(&b, 0);
	/* 0.15, 0.075 and 0.60 USD a million tokens. */
	CHECK_RC(models_alias(m, &(struct models_alias){ .name = S("dear"),
	    .targets = &target, .targets_n = 1, .price_input = 150, .price_cached = 75,
	    .price_output = 600 }, NULL), OK);
	CHECK_RC(models_link(m, &which, NULL), OK);
	rq = request("dear", "");
	rq->stream = false;
	CHECK(llm_start(b.llm, rq, &(struct llm_hooks){ .done = note_usage,
	    .ctx = b.shard }, NULL) != NULL);
	shard_run(b.shard);
	CHECK_INT(used.input_tokens, 1000);
	CHECK_INT(used.cached_tokens, 400);
	CHECK_INT(used.output_tokens, 200);
	CHECK_INT(used.reasoning_tokens, 50);
	CHECK_INT(used.cost_nano, 600 * 150 + 400 * 75 + 200 * 600);
	CHECK_STR(str_of(used_model), "one:m1");
	CHECK_STR(str_of(used_alias), "dear");
	bed_close(&b);
	models_free(m);
}
