/*
 * bench_mock.c - the mock model, spoken to over a plain socket.
 *
 * Requests are HTTP/1.0, so that an answer ends with the connection and is
 * not cut into chunks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json.h"
#include "bench/mock_llm.h"
#include "llm/script.h"

static struct mock_llm *mock;
static char answer[1 << 20];                 /* of the last request, with its head */

static void
mock_up(const char *const *args)
{
	struct mock_llm_options o = { .ttft_ms = -1 };
	struct err e;
	int argc = 0;

	CHECK_RC(flags_default(mock_llm_flags, &o, &e), OK);
	o.port = o.delay_ms = o.token_ms = 0;
	while (args != NULL && args[argc] != NULL)
		argc++;
	CHECK_RC(flags_fill(mock_llm_flags, &o, argc,
	    (char **)args, &e), OK);
	CHECK_RC(mock_llm_start(&mock, &o, &e), OK);
}

static int
dial(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(mock_llm_port(mock)) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK(connect(fd, (struct sockaddr *)&a, sizeof a) == 0);
	return fd;
}

static int
request_send(const char *method, const char *path, const char *body)
{
	char head[512];
	int fd = dial();

	snprintf(head, sizeof head, "%s %s HTTP/1.0\r\nContent-Length: %zu\r\n\r\n", method,
	    path, strlen(body));
	CHECK(send(fd, head, strlen(head), 0) == (ssize_t)strlen(head));
	CHECK(send(fd, body, strlen(body), 0) == (ssize_t)strlen(body));
	return fd;
}

/* The status, 0 when there was none; the body is in *out. */
static int
request(const char *method, const char *path, const char *body, struct str *out)
{
	int fd = request_send(method, path, body), status = 0;
	size_t n = 0;
	ssize_t got;
	char *end;

	while ((got = read(fd, answer + n, sizeof answer - 1 - n)) > 0)
		n += (size_t)got;
	close(fd);
	answer[n] = '\0';
	end = strstr(answer, "\r\n\r\n");
	*out = end == NULL ? STR_NONE : str_of(end + 4);
	if (n > 12)
		status = (int)strtol(answer + 9, NULL, 10);
	return status;
}

static int
chat(const char *text, bool stream, struct str *out)
{
	char body[1024];

	snprintf(body, sizeof body, "{\"model\":\"m\",\"stream\":%s,\"stream_options\":"
	    "{\"include_usage\":true},\"messages\":[{\"role\":\"system\",\"content\":\"s\"},"
	    "{\"role\":\"user\",\"content\":\"%s\"}],\"tools\":[{\"type\":\"function\","
	    "\"function\":{\"name\":\"lookup\"}}]}", stream ? "true" : "false", text);
	return request("POST", "/v1/chat/completions", body, out);
}

/* The keys of a value, in order: {id,choices:[{index}]}; strings are s. */
static void
add_shape(struct buf *b, jnode n)
{
	struct json_iter it = json_each(n);
	bool object = json_is_object(n), first = true;

	if (!object && !json_is_array(n)) {
		buf_add(b, json_is_null(n) ? S("null") : json_is_string(n) ? S("s") : S("n"));
		return;
	}
	buf_add_char(b, object ? '{' : '[');
	while (json_next(&it)) {
		if (!first)
			buf_add_char(b, ',');
		first = false;
		if (object) {
			buf_add(b, json_str(it.key));
			buf_add_char(b, ':');
		}
		add_shape(b, it.value);
	}
	buf_add_char(b, object ? '}' : ']');
}

/* One line a data frame; a frame that is no JSON stands as it is. */
static void
shape_of_stream(struct buf *b, struct str body)
{
	struct str line;

	while (str_next(&body, '\n', &line)) {
		struct json_doc d;

		if (!str_starts(line, S("data: ")))
			continue;
		line = str_sub(line, 6, line.n);
		if (json_parse(&d, line, NULL) == OK)
			add_shape(b, d.root);
		else
			buf_add(b, line);
		json_release(&d);
		buf_add_char(b, '\n');
	}
}

#define CHUNK(delta, finish)                                                  \
	"{id:s,created:n,model:s,system_fingerprint:s,object:s,choices:[{index:n," \
	"delta:" delta ",logprobs:null,finish_reason:" finish "}]}\n"
#define USAGE "usage:{prompt_tokens:n,completion_tokens:n,total_tokens:n,"    \
	"prompt_tokens_details:{cached_tokens:n},"                             \
	"completion_tokens_details:{reasoning_tokens:n}}"
#define USAGE_CHUNK                                                            \
	"{id:s,created:n,model:s,system_fingerprint:s,object:s,choices:[]," USAGE "}\n"

/* What was recorded from a real client's view of a model. */
TEST(mock_streams_text_as_recorded)
{
	struct buf b = BUF(65536);
	struct str body;

	mock_up((const char *[]){ "--response=Hello from mock", NULL });
	CHECK_INT(chat("hi", true, &body), 200);
	CHECK(strstr(answer, "text/event-stream") != NULL);
	shape_of_stream(&b, body);
	CHECK_STR(buf_str(&b),
	    CHUNK("{role:s,content:s}", "null") CHUNK("{content:s}", "null")
	    CHUNK("{content:s}", "null") CHUNK("{content:s}", "null")
	    CHUNK("{}", "s") USAGE_CHUNK "[DONE]\n");
	CHECK(str_contains(body, S("\"content\":\"Hello\"")));
	CHECK(str_contains(body, S("\"content\":\" from\"")));
	CHECK(str_contains(body, S("\"finish_reason\":\"stop\"")));
	CHECK(str_contains(body, S("\"completion_tokens\":3,")));
	mock_llm_stop(mock);
	buf_release(&b);
}

static const char script[] =
    "{\"rules\":[{\"match\":\"weather\",\"tool_calls\":[{\"name\":\"get_weather\","
    "\"args\":{\"city\":\"Paris\"}}]},{\"match\":{\"last\":\"Sunny\",\"role\":\"tool\"},"
    "\"reply\":\"Done.\"},{\"match\":\"teapot\",\"status\":418}],"
    "\"default\":{\"reply\":\"Hello\"}}";

static void
mock_up_script(void)
{
	FILE *f = fopen("script.json", "w");

	fputs(script, f);
	fclose(f);
	mock_up((const char *[]){ "--script=script.json", NULL });
}

TEST(mock_streams_a_tool_call_as_recorded)
{
	struct buf b = BUF(65536);
	struct str body;

	mock_up_script();
	CHECK_INT(chat("weather?", true, &body), 200);
	shape_of_stream(&b, body);
	CHECK_STR(buf_str(&b),
	    CHUNK("{role:s,content:null}", "null")
	    CHUNK("{tool_calls:[{index:n,id:s,type:s,function:{name:s,arguments:s}}]}", "null")
	    CHUNK("{tool_calls:[{index:n,function:{arguments:s}}]}", "null")
	    CHUNK("{tool_calls:[{index:n,function:{arguments:s}}]}", "null")
	    CHUNK("{tool_calls:[{index:n,function:{arguments:s}}]}", "null")
	    CHUNK("{}", "s") USAGE_CHUNK "[DONE]\n");
	CHECK(str_contains(body, S("\"finish_reason\":\"tool_calls\"")));
	mock_llm_stop(mock);
	buf_release(&b);
}

TEST(mock_answers_whole_as_recorded)
{
	struct buf b = BUF(65536);
	struct json_doc d;
	struct str body;

	mock_up_script();
	CHECK_INT(chat("hi", false, &body), 200);
	CHECK_RC(json_parse(&d, body, NULL), OK);
	add_shape(&b, d.root);
	CHECK_STR(buf_str(&b), "{id:s,created:n,model:s,system_fingerprint:s,object:s,"
	    "choices:[{index:n,message:{role:s,content:s},finish_reason:s,logprobs:null}],"
	    USAGE "}");
	json_release(&d);
	CHECK_INT(chat("weather", false, &body), 200);
	CHECK(str_contains(body, S("\"content\":null,\"tool_calls\":[{\"id\":\"call_")));
	CHECK(str_contains(body, S("\"arguments\":\"{\\\"city\\\":\\\"Paris\\\"}\"")));
	CHECK_INT(chat("a teapot", false, &body), 418);
	mock_llm_stop(mock);
	buf_release(&b);
}

TEST(mock_follows_the_conversation)
{
	struct str body;

	mock_up_script();
	CHECK_INT(request("POST", "/chat/completions", "{\"messages\":[{\"role\":\"user\","
	    "\"content\":\"weather\"},{\"role\":\"assistant\",\"content\":null},"
	    "{\"role\":\"tool\",\"content\":[{\"type\":\"text\",\"text\":\"Sunny in\"},"
	    "{\"type\":\"text\",\"text\":\" Paris\"}]}]}", &body), 200);
	CHECK(str_contains(body, S("\"content\":\"Done.\"")));
	CHECK(str_contains(body, S("\"model\":\"mock-gpt-4o\"")));
	mock_llm_stop(mock);
}

#define EVENT(name, shape) "{type:s" shape "}\n"

TEST(mock_speaks_anthropic)
{
	static const char ask[] = "{\"model\":\"claude\",\"max_tokens\":9,\"stream\":%s,"
	    "\"messages\":[{\"role\":\"user\",\"content\":[%s]}]}";
	struct buf b = BUF(65536);
	struct str body;
	char text[512];

	mock_up_script();
	snprintf(text, sizeof text, ask, "true",
	    "{\"type\":\"text\",\"text\":\"weather\"}");
	CHECK_INT(request("POST", "/v1/messages", text, &body), 200);
	CHECK(str_starts(body, S("event: message_start\ndata: {\"type\":\"message_start\"")));
	shape_of_stream(&b, body);
	CHECK_STR(buf_str(&b),
	    "{type:s,message:{id:s,type:s,role:s,model:s,content:[],stop_reason:null,"
	    "stop_sequence:null,usage:{input_tokens:n,cache_creation_input_tokens:n,"
	    "cache_read_input_tokens:n,output_tokens:n}}}\n"
	    "{type:s}\n"
	    "{type:s,index:n,content_block:{type:s,id:s,name:s,input:{}}}\n"
	    "{type:s,index:n,delta:{type:s,partial_json:s}}\n"
	    "{type:s,index:n,delta:{type:s,partial_json:s}}\n"
	    "{type:s,index:n,delta:{type:s,partial_json:s}}\n"
	    "{type:s,index:n}\n"
	    "{type:s,delta:{stop_reason:s,stop_sequence:null},usage:{output_tokens:n}}\n"
	    "{type:s}\n");
	CHECK(str_contains(body, S("\"stop_reason\":\"tool_use\"")));

	CHECK_INT(request("POST", "/v1/messages", "{\"model\":\"m\",\"max_tokens\":9,\"messages\":["
	    "{\"role\":\"user\",\"content\":\"hi\"},{\"role\":\"assistant\",\"content\":["
	    "{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{}}]},{\"role\":\"user\","
	    "\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"t\",\"content\":\"Sunny\"}]}]}",
	    &body), 200);
	CHECK(str_contains(body, S("\"content\":[{\"type\":\"text\",\"text\":\"Done.\"}],"
	    "\"stop_reason\":\"end_turn\"")));

	snprintf(text, sizeof text, ask, "true",
	    "{\"type\":\"text\",\"text\":\"mock:529\"}");
	CHECK_INT(request("POST", "/v1/messages", text, &body), 529);
	CHECK_STR(body, "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\","
	    "\"message\":\"mock 529\"}}");
	mock_llm_stop(mock);
	buf_release(&b);
}

/* What the API refuses, the mock refuses: clients are tested by it. */
TEST(mock_checks_what_anthropic_checks)
{
#define ANTHROPIC(more, messages) "{\"model\":\"m\",\"max_tokens\":9" more ",\"messages\":[" messages "]}"
#define SAYS(role, blocks) "{\"role\":\"" role "\",\"content\":[" blocks "]}"
#define T(t) "{\"type\":\"text\",\"text\":\"" t "\"}"
#define USES "{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{}}"
#define GIVES "{\"type\":\"tool_result\",\"tool_use_id\":\"t\",\"content\":\"x\"}"
	static const struct { const char *body, *words; } rows[] = {
		{ "{\"model\":\"m\",\"messages\":[" SAYS("user", T("hi")) "]}", "max_tokens" },
		{ ANTHROPIC("", SAYS("assistant", T("hi"))), "alternate" },
		{ ANTHROPIC("", SAYS("user", T("a")) "," SAYS("user", T("b"))), "alternate" },
		{ ANTHROPIC("", SAYS("user", T(" "))), "non-whitespace" },
		{ ANTHROPIC("", SAYS("user", T("a")) "," SAYS("assistant", USES) "," SAYS("user", T("b"))),
		    "without `tool_result`" },
		{ ANTHROPIC("", SAYS("user", GIVES)), "unexpected `tool_use_id`" },
		{ ANTHROPIC("", SAYS("user", T("a")) "," SAYS("assistant", "{\"type\":\"thinking\","
		    "\"thinking\":\"x\",\"signature\":\"y\"}")), "Invalid `signature`" },
		{ ANTHROPIC(",\"thinking\":{\"type\":\"enabled\"}", SAYS("user", T("a")) ","
		    SAYS("assistant", USES) "," SAYS("user", GIVES)), "Expected `thinking`" },
	};
	struct str body;

	mock_up((const char *[]){ "--delay-ms=0", NULL });
	for (size_t i = 0; i < COUNT(rows); i++) {
		CHECK_INT(request("POST", "/v1/messages", rows[i].body, &body), 400);
		if (!str_contains(body, str_of(rows[i].words)))
			test_fail(__FILE__, __LINE__, "%zu: %.*s", i, FMT(body));
	}
	mock_llm_stop(mock);
}

TEST(mock_speaks_gemini)
{
#define GEMINI "/v1beta/models/g:generateContent"
#define PARTS(role, parts) "{\"role\":\"" role "\",\"parts\":[" parts "]}"
#define CALLS(more) "{\"functionCall\":{\"name\":\"f\",\"args\":{}}" more "}"
#define RETURNS "{\"functionResponse\":{\"name\":\"f\",\"response\":{\"result\":\"x\"}}}"
	static const struct { const char *body, *words; int status; } rows[] = {
		{ "{\"contents\":[" PARTS("user", "{\"text\":\"hi\"}") "]}", "\"finishReason\":\"STOP\"", 200 },
		{ "{\"contents\":[" PARTS("user", "{\"text\":\"mock:429\"}") "]}", "\"retryDelay\":\"1s\"", 429 },
		{ "{\"contents\":[]}", "INVALID_ARGUMENT", 400 },
		{ "{\"contents\":[" PARTS("user", "{\"text\":\"a\"}") "," PARTS("model", CALLS("") "," CALLS(""))
		    "," PARTS("user", RETURNS) "]}", "number of function response parts", 400 },
		{ "{\"contents\":[" PARTS("user", "{\"text\":\"a\"}") ","
		    PARTS("model", CALLS(",\"thoughtSignature\":\"x\"")) "," PARTS("user", RETURNS) "]}",
		    "signature is not valid", 400 },
	};
	struct str body;

	mock_up((const char *[]){ "--delay-ms=0", "--response=a b", NULL });
	for (size_t i = 0; i < COUNT(rows); i++) {
		CHECK_INT(request("POST", GEMINI, rows[i].body, &body), rows[i].status);
		if (!str_contains(body, str_of(rows[i].words)))
			test_fail(__FILE__, __LINE__, "%zu: %.*s", i, FMT(body));
		CHECK_RC(json_check(body, NULL), OK);
	}
	CHECK_INT(request("POST", "/v1beta/models/g:streamGenerateContent", rows[0].body, &body), 200);
	CHECK(str_starts(body, S("data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}],")));
	CHECK_INT(request("POST", "/v1beta/models/g:other", rows[0].body, &body), 404);
	mock_llm_stop(mock);
}

TEST(mock_repeats_or_cuts_the_response)
{
	struct str body;

	mock_up((const char *[]){ "--response=one two", "--tokens=5", NULL });
	chat("hi", false, &body);
	CHECK(str_contains(body, S("\"content\":\"one two one two one\"")));
	CHECK(str_contains(body, S("\"completion_tokens\":5,")));
	mock_llm_stop(mock);
	mock_up((const char *[]){ "--tokens=2", NULL });
	chat("hi", true, &body);
	CHECK(str_contains(body, S("\"completion_tokens\":2,")));
	mock_llm_stop(mock);
}

TEST(mock_fails_with_a_status_when_asked)
{
	static const struct { const char *ask; int status; } cases[] = {
		{ "mock:400", 400 }, { "please mock:429 now", 429 }, { "mock:500", 500 },
		{ "mock:503.", 503 }, { "mock:529", 529 }, { "mock:nothing", 200 },
	};
	struct str body;

	mock_up(NULL);
	for (size_t i = 0; i < COUNT(cases); i++) {
		CHECK_INT(chat(cases[i].ask, true, &body), cases[i].status);
		CHECK_INT(strstr(answer, "Retry-After: 1") != NULL, cases[i].status == 429);
		CHECK(cases[i].status == 200 || str_starts(body, S("{\"error\":{\"message\":")));
	}
	CHECK_INT(chat("mock:drop", true, &body), 0);
	CHECK_INT(answer[0], '\0');
	mock_llm_stop(mock);
}

TEST(mock_fails_as_often_as_asked)
{
	struct str body;

	mock_up(NULL);
	CHECK_INT(chat("mock:500x2 a", false, &body), 500);
	CHECK_INT(chat("mock:500x2 b", false, &body), 500);
	CHECK_INT(chat("mock:500x2 a", true, &body), 500);
	CHECK_INT(chat("mock:500x2 a", true, &body), 200);
	CHECK_INT(chat("mock:500x2 b", true, &body), 500);
	mock_llm_stop(mock);
}

TEST(mock_breaks_a_stream_when_asked)
{
	struct str body, done = S("data: [DONE]");
	struct json_doc d;

	mock_up(NULL);
	chat("mock:reset", true, &body);
	CHECK(str_contains(body, S("\"content\":\"A\"")) && !str_contains(body, done));
	CHECK(!str_contains(body, S("\"finish_reason\":\"stop\"")));

	chat("mock:malformed", true, &body);
	CHECK(str_contains(body, S("\"del\n\n")) && str_contains(body, done));

	chat("mock:error-in-stream", true, &body);
	CHECK(str_contains(body, S("data: {\"error\":{")) && !str_contains(body, done));

	chat("mock:no-done", true, &body);
	CHECK(str_contains(body, S("\"finish_reason\":\"stop\"")) && !str_contains(body, done));

	chat("mock:bad-args", false, &body);
	CHECK(str_contains(body, S("\"name\":\"lookup\",\"arguments\":\"{\\\"city\\\":\\\"Par\"")));

	chat("mock:malformed", false, &body);
	CHECK_RC(json_parse(&d, body, NULL), ERR_SYNTAX);
	json_release(&d);
	mock_llm_stop(mock);
}

/* Half of it comes, then nothing, and stopping does not wait for it. */
TEST(mock_stalls_when_asked)
{
	int fd;
	struct pollfd p;
	size_t n = 0;

	mock_up(NULL);
	fd = request_send("POST", "/v1/chat/completions", "{\"stream\":true,\"messages\":"
	    "[{\"role\":\"user\",\"content\":\"mock:stall\"}]}");
	p = (struct pollfd){ .fd = fd, .events = POLLIN };
	while (poll(&p, 1, n == 0 ? 5000 : 50) > 0) {
		ssize_t got = read(fd, answer + n, sizeof answer - n);

		CHECK(got > 0);
		n += (size_t)got;
	}
	CHECK(n > 1000);
	mock_llm_stop(mock);
	close(fd);
}

TEST(mock_draws_faults_by_share)
{
	struct str body;
	int failed = 0;

	mock_up((const char *[]){ "--faults=429=0.3,500=0.2", "--seed=7", NULL });
	for (int i = 0; i < 100; i++)
		failed += chat("hi", false, &body) != 200;
	CHECK(failed > 30 && failed < 70);
	mock_llm_stop(mock);
}

TEST(mock_refuses_wrong_settings)
{
	static const char *const faults[] = { "429", "429=2", "nope=0.1", "429=0.6,500=0.6" };
	struct mock_llm_options o = { .ttft_ms = -1 };
	struct err e;

	CHECK_RC(flags_default(mock_llm_flags, &o, &e), OK);
	o.port = 0;
	for (size_t i = 0; i < COUNT(faults); i++) {
		o.faults = faults[i];
		CHECK_RC(mock_llm_start(&mock, &o, &e), ERR_INVALID);
		CHECK(mock == NULL);
	}
	o.faults = NULL;
	o.script = "no-such-file";
	CHECK_RC(mock_llm_start(&mock, &o, &e), ERR_NOTFOUND);
	o.script = NULL;
	o.host = "not an address";
	CHECK_RC(mock_llm_start(&mock, &o, &e), ERR_INVALID);
}

TEST(mock_says_what_it_is_and_did)
{
	struct str body;

	mock_up((const char *[]){ "--shards=2", NULL });
	CHECK_INT(request("GET", "/health", "", &body), 200);
	CHECK_STR(body, "{\"status\":\"ok\"}");
	CHECK_INT(request("GET", "/v1/models", "", &body), 200);
	CHECK(str_contains(body, S("\"id\":\"mock-gpt-4o\"")));
	for (int i = 0; i < 5; i++)
		chat("hi", i % 2 == 0, &body);
	CHECK_INT(request("POST", "/v1/chat/completions", "{\"messages\":[]}", &body), 400);
	CHECK_INT(request("POST", "/v1/chat/completions", "nonsense", &body), 400);
	CHECK_INT(request("POST", "/v1/nothing", "{}", &body), 404);
	CHECK_INT(request("GET", "/v1/messages", "", &body), 405);
	CHECK_INT(request("GET", "/stats", "", &body), 200);
	CHECK(str_starts(body, S("{\"requests\":7,\"tokens\":")));
	/* Five bodies of a few words, and what the model said to them. */
	CHECK(!str_contains(body, S("\"prompt_tokens\":0,")));
	CHECK(str_contains(body, S("\"completion_tokens\":210,")));
	CHECK(str_contains(body, S("\"open_streams\":0,\"lag\":{\"p50_ms\":")));
	CHECK(str_contains(body, S("\"shards\":2,\"delay-ms\":0,")));
	CHECK_RC(json_check(body, NULL), OK);
	mock_llm_stop(mock);
}

/* A client that leaves while its answer waits or streams costs nothing. */
TEST(mock_survives_clients_that_leave)
{
	struct str body;

	mock_up((const char *[]){ "--delay-ms=20", "--stream-delay-ms=1", NULL });
	for (int i = 0; i < 50; i++) {
		int fd = request_send("POST", "/v1/chat/completions", i % 2 == 0 ?
		    "{\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}" :
		    "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}");

		if (i % 3 == 0)
			CHECK(i % 2 == 1 || read(fd, answer, 10) > 0);
		close(fd);
	}
	CHECK_INT(chat("hi", true, &body), 200);
	CHECK(str_contains(body, S("data: [DONE]")));
	mock_llm_stop(mock);
}
