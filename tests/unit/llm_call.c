/*
 * llm_call.c - whole calls: over a real loop and client against a server of
 * the test's own, and to the scripted provider.
 *
 * SPDX-License-Identifier: MIT
 */
#include "llm_fix.h"

#include <string.h>

#include "base/account.h"
#include "base/limits.h"

/* ---- over the network ------------------------------------------------------- */

TEST(call_streams_an_answer_and_sends_what_it_should)
{
	struct bed b = { .server.replies = { HELLO } };
	struct heard h = heard_new(&b);
	const char *sent;

	bed_open(&b, &(struct llm_options){ 0 });
	begin(&b, &h, request("", ""));
	CHECK(h.done == 0);
	shard_run(b.shard);
	CHECK_RC(h.rc, OK);
	CHECK_STR(buf_str(&h.log), HELLO_LOG);
	CHECK(str_contains(buf_str(&h.message), S("{\"content\":\"Hello\",")));
	sent = b.server.requests.p;
	CHECK(strstr(sent, "POST /v1/chat/completions HTTP/1.1\r\n") != NULL);
	CHECK(strcasestr(sent, "authorization: Bearer " KEY "\r\n") != NULL);
	CHECK(strcasestr(sent, "content-type: application/json\r\n") != NULL);
	CHECK(strstr(sent, "\"model\":\"gpt-4o\",\"stream\":true") != NULL);
	heard_release(&h);
	bed_close(&b);
}

TEST(call_without_readers_asks_for_no_stream)
{
	struct bed b = { .server.replies = { WHOLE } };
	struct heard h = heard_new(&b);
	struct llm_request *rq;

	bed_open(&b, &(struct llm_options){ 0 });
	rq = request("openai:other", "");
	rq->stream = false;
	begin(&b, &h, rq);
	shard_run(b.shard);
	CHECK_RC(h.rc, OK);
	CHECK(h.log.n == 0);
	CHECK(str_contains(buf_str(&h.message), S("{\"content\":\"Hello\",")));
	CHECK(strstr(b.server.requests.p, "{\"model\":\"other\",\"stream\":false,\"messages\"") != NULL);
	heard_release(&h);
	bed_close(&b);
}

TEST(call_gives_deltas_of_an_answer_in_one_piece)
{
	struct bed b = { .server.replies = { WHOLE } };
	struct heard h = heard_new(&b);

	bed_open(&b, &(struct llm_options){ 0 });
	begin(&b, &h, request("", ""));
	shard_run(b.shard);
	CHECK_RC(h.rc, OK);
	CHECK_STR(buf_str(&h.log), "start ;text Hello;finish ;");
	heard_release(&h);
	bed_close(&b);
}

TEST(call_tries_again_when_it_may_help)
{
	struct bed b = { .server.replies = {
	    error_reply(500, "Retry-After: 0\r\n", "{\"error\":{\"message\":\"mock boom\"}}"),
	    error_reply(429, "retry-after: Sun, 06 Nov 1994 08:49:37 GMT\r\n", ""),
	    HELLO } };
	struct heard h = heard_new(&b);

	bed_open(&b, &(struct llm_options){ 0 });
	begin(&b, &h, request("", ""));
	shard_run(b.shard);
	CHECK_RC(h.rc, OK);
	CHECK_STR(buf_str(&h.log), HELLO_LOG);
	CHECK_INT(h.done, 1);
	CHECK_INT(b.server.n, 3);
	heard_release(&h);
	bed_close(&b);
}

TEST(call_tries_again_when_a_stream_ends_before_its_first_word)
{
	struct bed b = { .server.replies = { OK_HEAD ": hello\n\n", HELLO } };
	struct heard h = heard_new(&b);

	bed_open(&b, &(struct llm_options){ 0 });
	begin(&b, &h, request("", ""));
	shard_run(b.shard);
	CHECK_RC(h.rc, OK);
	CHECK_STR(buf_str(&h.log), HELLO_LOG);
	CHECK(str_contains(str_of(strrchr(b.server.requests.p, '\x01')),
	    S("\"content\":\"hi\"")));
	heard_release(&h);
	bed_close(&b);
}

TEST(call_gives_up_after_the_last_retry)
{
	const char *slow = error_reply(429, "Retry-After: 0\r\n",
	    "{\"error\":{\"message\":\"slow down\"}}");
	struct bed b = { .server.replies = { slow, slow, slow, slow, slow, slow } };
	struct heard h = heard_new(&b);

	bed_open(&b, &(struct llm_options){ 0 });
	begin(&b, &h, request("", ""));
	shard_run(b.shard);
	CHECK_RC(h.rc, ERR_LIMIT);
	CHECK_STR(str_of(h.event), "error.llm.rate_limited");
	CHECK_STR(str_of(h.words), "429 slow down");
	CHECK_INT(b.server.n, 1 + LIMIT_LLM_RETRIES);
	heard_release(&h);
	bed_close(&b);
}

TEST(call_follows_a_redirect_at_home_only)
{
	static const struct { const char *to; int rc; size_t asked; } rows[] = {
		{ "/r/v1/chat/completions", OK, 2 },
		{ "completions/r", OK, 2 },
		{ "//elsewhere.example/v1?to=/r", ERR_IO, 1 },
		{ "https://elsewhere.example/v1/chat/completions", ERR_IO, 1 },
		{ "//elsewhere.example/v1", ERR_IO, 1 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		char more[128];
		struct bed b = { 0 };
		struct heard h = heard_new(&b);

		snprintf(more, sizeof more, "Location: %s\r\n", rows[i].to);
		b.server.replies[0] = error_reply(i <= 1 ? 307 : 308, more, "");
		b.server.replies[1] = HELLO;
		bed_open(&b, &(struct llm_options){ 0 });
		begin(&b, &h, request("", ""));
		shard_run(b.shard);
		CHECK_RC(h.rc, rows[i].rc);
		CHECK_INT(b.server.n, rows[i].asked);
		if (rows[i].rc == OK)
			CHECK(strstr(b.server.requests.p, i == 0 ?
			    "\x01POST /r/v1/chat/completions " :
			    "\x01POST /v1/chat/completions/r ") != NULL);
		else
			CHECK(strstr(h.words, rows[i].to) != NULL);
		heard_release(&h);
		bed_close(&b);
	}
}

TEST(call_leaves_out_what_is_refused_and_remembers)
{
	struct bed b = { .server.replies = {
	    error_reply(422, "", "{\"detail\":[{\"loc\":[\"body\",\"stream_options\"],\"msg\":"
		"\"Extra inputs are not permitted\"}]}"), HELLO } };
	struct heard h = heard_new(&b);

	bed_open(&b, &(struct llm_options){ 0 });
	begin(&b, &h, request("", ""));
	shard_run(b.shard);
	CHECK_RC(h.rc, OK);
	CHECK_INT(b.server.n, 2);
	CHECK_INT(quirks_known(str_of(b.server.url), S("gpt-4o")), QUIRK_STREAM_OPTIONS);
	heard_release(&h);
	bed_close(&b);
}

/* What was refused for another reason too is not held against the server. */
TEST(call_that_fails_anyway_teaches_nothing)
{
	const char *no = error_reply(422, "", "{\"detail\":[{\"loc\":[\"body\",\"stream_options\"],"
	    "\"msg\":\"Extra inputs are not permitted\"}]}");
	struct bed b = { .server.replies = { no, no, no } };
	struct heard h = heard_new(&b);

	bed_open(&b, &(struct llm_options){ 0 });
	begin(&b, &h, request("", ""));
	shard_run(b.shard);
	CHECK_RC(h.rc, ERR_INVALID);
	CHECK_STR(str_of(h.words), "422 body.stream_options: Extra inputs are not permitted");
	CHECK_INT(b.server.n, 2);
	CHECK_INT(quirks_known(str_of(b.server.url), S("gpt-4o")), 0);
	heard_release(&h);
	bed_close(&b);
}

TEST(call_to_what_speaks_no_http_is_no_mistake_of_the_request)
{
	static const char ssh[] = "SSH-2.0-OpenSSH_9.2\r\n";
	struct bed b = { .server.replies = { ssh, ssh, ssh, ssh } };
	struct heard h = heard_new(&b);

	bed_open(&b, &(struct llm_options){ 0 });
	begin(&b, &h, request("", ""));
	shard_run(b.shard);
	CHECK_RC(h.rc, ERR_CLOSED);
	CHECK_STR(str_of(h.event), "error.llm.transport");
	CHECK(strstr(h.words, "does not speak HTTP") != NULL);
	heard_release(&h);
	bed_close(&b);
}

/* A large answer is charged while it comes, and given back. */
/* libcurl takes what follows a 101 for a body. */
TEST(call_to_a_server_that_switches_protocols_fails)
{
	static const char other[] = "HTTP/1.1 101 Switching Protocols\r\n"
	    "Upgrade: other\r\nConnection: upgrade\r\n\r\nabc";
	struct bed b = { .server.replies = { other, other, other, other } };
	struct heard h = heard_new(&b);

	bed_open(&b, &(struct llm_options){ 0 });
	begin(&b, &h, request("", ""));
	shard_run(b.shard);
	CHECK_INT(h.done, 1);
	CHECK_RC(h.rc, ERR_CLOSED);
	CHECK_STR(str_of(h.event), "error.llm.transport");
	CHECK(strstr(h.words, "sent no answer, only a 101") != NULL);
	heard_release(&h);
	bed_close(&b);
}

TEST(call_with_a_large_answer_needs_room_in_the_account)
{
	static const struct { size_t capacity; bool stream; int rc; } rows[] = {
		{ 4 * MB, true, OK }, { 4 * MB, false, OK },
		{ 512 * KB, true, ERR_BUSY }, { 512 * KB, false, ERR_BUSY },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf reply = BUF(4 * MB);
		struct bed b = { 0 };
		struct heard h = heard_new(&b);
		struct llm_request *rq;

		buf_add(&reply, rows[i].stream ? S(OK_HEAD "data: {\"choices\":[{\"delta\":"
		    "{\"content\":\"") : S("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
		    "{\"choices\":[{\"message\":{\"content\":\""));
		while (reply.n < 2 * MB)
			buf_lit(&reply, "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy");
		buf_lit(&reply, "\"},\"finish_reason\":\"stop\"}]}\n\n");
		b.server.replies[0] = reply.p;
		account_set_capacity(&account_output, rows[i].capacity);
		bed_open(&b, &(struct llm_options){ 0 });
		rq = request("", "");
		rq->stream = rows[i].stream;
		begin(&b, &h, rq);
		shard_run(b.shard);
		CHECK_RC(h.rc, rows[i].rc);
		if (rows[i].rc != OK)
			CHECK(strstr(h.words, "no memory left") != NULL);
		CHECK_INT(account_used(&account_output), 0);
		account_set_capacity(&account_output, SIZE_MAX);
		heard_release(&h);
		bed_close(&b);
		buf_release(&reply);
	}
}

/* Each row: an answer that must not be asked for again. */
TEST(call_failures_are_told_once)
{
	static const struct { int status; const char *reply, *event, *words; int rc; } rows[] = {
		{ 401, "{\"error\":{\"message\":\"Incorrect API key provided: " KEY "\"}}",
		  "error.llm.auth", "401 Incorrect API key provided: [redacted]", ERR_DENIED },
		{ 400, "{\"error\":{\"message\":\"mock bad request\"}}",
		  "error.llm.invalid_request", "400 mock bad request", ERR_INVALID },
		{ 0, OK_HEAD TOKENS, "error.llm.transport",
		  "the model's stream was cut short", ERR_CLOSED },
		{ 0, OK_HEAD TOKENS "data: {\"error\":{\"message\":\"mock boom\"}}\n\n",
		  "error.llm.backend", "mock boom", ERR_IO },
		{ 0, OK_HEAD TOKENS "data: {\"oops\n\n", "error.llm.backend",
		  "the model's stream has a malformed chunk: {\"oops", ERR_IO },
		{ 0, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
		  "\r\nnot json", "error.llm.backend", NULL, ERR_IO },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bed b = { .server.replies = { rows[i].status == 0 ? rows[i].reply :
		    error_reply(rows[i].status, "", rows[i].reply) } };
		struct heard h = heard_new(&b);

		bed_open(&b, &(struct llm_options){ 0 });
		begin(&b, &h, request("", ""));
		shard_run(b.shard);
		CHECK_RC(h.rc, rows[i].rc);
		CHECK_INT(h.done, 1);
		CHECK_STR(str_of(h.event), rows[i].event);
		if (rows[i].words != NULL)
			CHECK_STR(str_of(h.words), rows[i].words);
		CHECK_INT(b.server.n, 1);
		heard_release(&h);
		bed_close(&b);
	}
}

TEST(call_key_goes_to_the_own_server_only)
{
	struct bed b = { .server.replies = { HELLO, HELLO, HELLO } };
	struct heard h = heard_new(&b);
	char other[80], same[80];
	const char *second;

	bed_open(&b, &(struct llm_options){ .allow_base_url = true });
	snprintf(same, sizeof same, "%s//", b.server.url);
	begin(&b, &h, request("", same));
	shard_run(b.shard);
	CHECK_RC(h.rc, OK);
	CHECK(strcasestr(b.server.requests.p, "authorization: bearer") != NULL);
	heard_release(&h);
	bed_close(&b);

	b = (struct bed){ .server.replies = { HELLO } };
	h = heard_new(&b);
	bed_open(&b, &(struct llm_options){ .allow_base_url = true });
	snprintf(other, sizeof other, "%s/x/", b.server.url);
	begin(&b, &h, request("", other));
	shard_run(b.shard);
	CHECK_RC(h.rc, OK);
	second = b.server.requests.p;
	CHECK(strstr(second, "POST /v1/x/chat/completions ") != NULL);
	CHECK(strcasestr(second, "authorization") == NULL && strstr(second, KEY) == NULL);
	heard_release(&h);
	bed_close(&b);
}

TEST(call_cancelled_from_its_own_delta_is_never_heard_again)
{
	for (size_t at = 1; at <= 4; at++) {
		struct bed b = { .server.replies = { HELLO } };
		struct heard h = heard_new(&b);

		h.cancel_at = at;
		bed_open(&b, &(struct llm_options){ 0 });
		begin(&b, &h, request("", ""));
		shard_run(b.shard);
		CHECK_INT(h.deltas, at);
		CHECK_INT(h.done, 0);
		heard_release(&h);
		bed_close(&b);
	}
}

/* Goal: past the cap calls wait, and go in the order they came. */
TEST(call_waits_its_turn)
{
	struct bed b = { .server.replies = { HELLO, HELLO, HELLO } };
	struct heard h[4];
	const char *names[] = { "openai:m0", "openai:m1", "openai:m2", "openai:m3" }, *at;
	int64_t waiting, ms;
	struct err e;

	bed_open(&b, &(struct llm_options){ 0 });
	CHECK_RC(models_entry(b.llm->own_models, &(struct models_entry){
	    .name = S("openai"), .concurrency = 1 }, &e), OK);
	for (size_t i = 0; i < COUNT(h); i++) {
		h[i] = heard_new(&b);
		begin(&b, &h[i], request(names[i], ""));
	}
	llm_cancel(h[1].call);               /* from the middle of the queue */
	b.live--;
	shard_run(b.shard);
	models_waits(b.llm->models, &waiting, &ms);
	CHECK_INT(waiting, 0);
	at = b.server.requests.p;
	for (size_t i = 0; i < COUNT(h); i++) {
		CHECK_INT(h[i].done, i != 1);
		if (i != 1) {
			at = strstr(at, names[i] + strlen("openai:"));
			CHECK(at != NULL);
		}
		heard_release(&h[i]);
	}
	bed_close(&b);
}

TEST(call_under_way_goes_with_its_llm)
{
	struct bed b = { .server.replies = { HELLO } };
	struct heard h = heard_new(&b);

	bed_open(&b, &(struct llm_options){ 0 });
	begin(&b, &h, request("", ""));
	begin(&b, &h, request("scripted:x", ""));
	llm_free(b.llm);
	b.llm = NULL;
	shard_at_turn_end(b.shard, &b.stop);
	shard_run(b.shard);
	CHECK_INT(h.done, 0);
	CHECK_INT(h.deltas, 0);
	heard_release(&h);
	bed_close(&b);
}

/* ---- scripted --------------------------------------------------------------- */

static const char weather[] =
    "{\"rules\":[{\"match\":\"weather\",\"tool_calls\":[{\"name\":\"get_weather\","
    "\"args\":{\"city\":\"Paris\"}}]},"
    "{\"match\":{\"role\":\"tool\",\"last\":\"Sunny\"},\"reply\":\"It is \\\"sunny\\\".\"},"
    "{\"match\":\"boom\",\"status\":500,\"reply\":\"mock boom\"},"
    "{\"match\":\"wait\",\"reply\":\"a b\",\"ttft_ms\":1,\"token_ms\":1}]}";

static void
ask_script(struct heard *h, const char *message, bool stream)
{
	struct bed b = { .live = 0 };
	struct llm_script *s;
	struct str json = str_of(message);
	struct llm_request *rq;

	*h = heard_new(&b);
	CHECK_RC(script_new(&s, str_of(weather), NULL), OK);
	bed_open(&b, &(struct llm_options){ .script = s, .default_model = S("scripted:x") });
	rq = request("", "");
	rq->messages = &json;
	rq->stream = stream;
	begin(&b, h, rq);
	CHECK(h->deltas == 0 && h->done == 0);
	shard_run(b.shard);
	CHECK_INT(h->done, 1);
	CHECK_INT(b.server.n, 0);
	bed_close(&b);
	script_free(s);
}

TEST(scripted_tool_turn_and_what_follows)
{
	struct heard h;

	ask_script(&h, "{\"content\":\"the weather?\",\"type\":\"human\"}", true);
	CHECK_RC(h.rc, OK);
	CHECK_STR(buf_str(&h.log), "start ;tool get_weather{\\\"city\\\":\\\"Paris\\\"};"
	    "finish ;usage ;");
	CHECK(str_contains(buf_str(&h.message), S("\"tool_calls\":[{\"name\":\"get_weather\","
	    "\"args\":{\"city\":\"Paris\"},\"id\":\"call_")));
	CHECK(str_contains(buf_str(&h.message), S("\"model_provider\":\"scripted\"")));
	heard_release(&h);

	ask_script(&h, "{\"content\":[{\"type\":\"text\",\"text\":\"Sunny in Paris\"}],"
	    "\"type\":\"tool\"}", true);
	CHECK_RC(h.rc, OK);
	CHECK_STR(buf_str(&h.log), "start ;text It;text  is;text  \\\"sunny\\\".;"
	    "finish ;usage ;");
	CHECK(str_contains(buf_str(&h.message), S("\"usage_metadata\":{\"input_tokens\":3,"
	    "\"output_tokens\":3,\"total_tokens\":6,")));
	CHECK(str_contains(buf_str(&h.message), S("\"id\":\"chatcmpl-")));
	heard_release(&h);
}

TEST(scripted_without_readers_is_the_same_message)
{
	struct heard h;

	ask_script(&h, "{\"content\":\"Sunny\",\"type\":\"tool\"}", false);
	CHECK_RC(h.rc, OK);
	CHECK(h.log.n == 0);
	CHECK(str_starts(buf_str(&h.message), S("{\"content\":\"It is \\\"sunny\\\".\"")));
	heard_release(&h);
}

TEST(scripted_errors_and_pauses)
{
	struct heard h;

	ask_script(&h, "{\"content\":\"boom\",\"type\":\"human\"}", true);
	CHECK_RC(h.rc, ERR_IO);
	CHECK_STR(str_of(h.event), "error.llm.backend");
	CHECK_STR(str_of(h.words), "500 mock boom");
	heard_release(&h);
	ask_script(&h, "{\"content\":\"wait\",\"type\":\"human\"}", true);
	CHECK_STR(buf_str(&h.log), "start ;text a;text  b;finish ;usage ;");
	heard_release(&h);
}

TEST(scripted_many_calls_go_forward_together)
{
	struct bed b = { .live = 0 };
	struct heard h[50];

	bed_open(&b, &(struct llm_options){ .default_model = S("scripted:x") });
	for (size_t i = 0; i < COUNT(h); i++) {
		h[i] = heard_new(&b);
		h[i].cancel_at = i % 10 == 9 ? i : 0;
		begin(&b, &h[i], request("", ""));
	}
	shard_run(b.shard);
	for (size_t i = 0; i < COUNT(h); i++) {
		bool cancelled = h[i].cancel_at != 0 && h[i].cancel_at <= 45;

		CHECK_INT(h[i].deltas, cancelled ? h[i].cancel_at : 45);
		CHECK_INT(h[i].done, !cancelled);
		heard_release(&h[i]);
	}
	bed_close(&b);
}

/* ---- names ------------------------------------------------------------------ */

TEST(model_names_are_split)
{
	static const struct { const char *def, *model, *provider, *name; } rows[] = {
		{ "openai:gpt-4o", "", "openai", "gpt-4o" },
		{ "openai:gpt-4o", "openai:llama3:8b", "openai", "llama3:8b" },
		{ "openai:gpt-4o", "gpt-5", "openai", "gpt-5" },
		{ "scripted:x", "mock-gpt-4o", "scripted", "mock-gpt-4o" },
		{ "scripted", "", "scripted", "" },
		{ "openai:gpt-4o", "scripted", "scripted", "" },
		{ "", "gpt-5", "openai", "gpt-5" },
		{ "openai:gpt-4o", "qwen2.5:7b", "openai", "qwen2.5:7b" },
		{ "mistral:7b", "", "openai", "mistral:7b" },
		{ "scripted:x", "qwen2.5:7b", "scripted", "qwen2.5:7b" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct llm_options o = { .default_model = str_of(rows[i].def) };
		struct str provider, name;
		struct llm *l;
		struct err e;

		CHECK_RC(llm_new(&l, NULL, NULL, &o, &e), OK);
		llm_model_split(l, str_of(rows[i].model), &provider, &name);
		CHECK_STR(provider, rows[i].provider);
		CHECK_STR(name, rows[i].name);
		CHECK_RC(llm_check(l, str_of(rows[i].model), STR_NONE, &e), OK);
		llm_free(l);
	}
}

TEST(model_and_base_url_are_checked)
{
	static const struct { const char *model, *url; bool allow; const char *words; } rows[] = {
		{ "groq:x", "", false, "model: the provider \"groq\" is not known; if it has "
		  "an OpenAI-compatible address, set it in cohort.yaml as providers: {groq: "
		  "{type: openai, base_url: URL, api_key: env:NAME}}" },
		{ "openai:", "", false, "model: no name; expected openai:NAME" },
		{ "openai:x", "http://other/v1", false,
		  "base_url: this server does not let a run choose its own; leave it "
		  "out, or have it started with --allow-base-url" },
		{ "openai:x", "https://api.openai.com/v1/", false, NULL },
		{ "openai:x", "http://other/v1", true, NULL },
		{ "openai:x", "ftp://other", true,
		  "base_url: expected https://HOST/PATH or http://HOST/PATH" },
		{ "openai:x", "http:///v1", true,
		  "base_url: expected https://HOST/PATH or http://HOST/PATH" },
		{ "openai:x", "http://a@b/v1", true,
		  "base_url: byte 8 may not be there (no user, no query, no blanks)" },
		{ "openai:x", "http://a/\r\nX: y", true,
		  "base_url: byte 9 may not be there (no user, no query, no blanks)" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct llm_options o = { .allow_base_url = rows[i].allow };
		struct llm *l;
		struct err e;

		CHECK_RC(llm_new(&l, NULL, NULL, &o, &e), OK);
		if (rows[i].words == NULL) {
			CHECK_RC(llm_check(l, str_of(rows[i].model), str_of(rows[i].url), &e), OK);
		} else {
			CHECK_RC(llm_check(l, str_of(rows[i].model), str_of(rows[i].url), &e),
			    ERR_INVALID);
			CHECK_STR(str_of(e.text), rows[i].words);
			CHECK(llm_start(l, request(rows[i].model, rows[i].url),
			    &(struct llm_hooks){ 0 }, &e) == NULL);
		}
		llm_free(l);
	}
}

TEST(model_settings_that_cannot_work_are_refused)
{
	static const struct llm_options rows[] = {
		{ .default_model = S("bedrock:x") },
		{ .openai_base_url = S("localhost:11434") },
		{ .openai_api_key = S("sk-\r\nX-Evil: 1") },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct llm *l;
		struct err e;

		CHECK_RC(llm_new(&l, NULL, NULL, &rows[i], &e), ERR_INVALID);
		CHECK(l == NULL);
		CHECK(strstr(e.text, "sk-") == NULL);
	}
}
