/*
 * bench_flow.c - the agent flow against a server that is right, and against
 * ones that are wrong in one thing: fast and wrong must not pass.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "bench/scenario_priv.h"
#include "bench/streams.h"
#include "net/http.h"

#define ID     "01a1fb74-f13c-7602-b977-7e2dba96d18e"
#define AI     "{\"type\":\"ai\",\"content\":\"one two three\"}"
#define HUMAN  "{\"type\":\"human\",\"content\":\"hi\"}"
#define PIECE(text) "event: messages\ndata: [{\"content\":\"" text "\",\"type\":\"ai\"},{}]\n\n"

/* One route of the fake server; the first that fits answers. */
struct route_row {
	const char *method, *path_end;
	int status;
	const char *answer;
};

static const struct route_row right[] = {
	{ "GET", "/info", 200, "{\"name\":\"fake\",\"version\":\"9.9\"}" },
	{ "GET", "/stats", 200, "{\"requests\":0}" },
	{ "POST", "/runs/wait", 200, "\n{\"messages\":[" HUMAN "," AI "]}" },
	{ "POST", "/runs/stream", 200, "event: metadata\ndata: {\"run_id\":\"x\"}\n\n"
	    PIECE("one") ": heartbeat\r\n\r\n" PIECE(" two") PIECE(" three") },
	{ "GET", "/state", 200, "{\"next\":[],\"values\":{\"messages\":[" HUMAN "," AI ","
	    HUMAN "," AI "]}}" },
	{ "PUT", "/store/items", 204, "" },
	{ "GET", "/store/items", 200, "{\"key\":\"item-1\",\"value\":{\"round\":1}}" },
	{ "POST", "/store/items/search", 200,
	    "{\"items\":[{\"key\":\"item-1\",\"value\":{\"round\":1}}]}" },
	{ "DELETE", "", 204, "" },
	{ "POST", "/assistants", 200, "{\"assistant_id\":\"" ID "\"}" },
	{ "POST", "/threads", 200, "{\"thread_id\":\"" ID "\"}" },
};

static struct {
	struct route_row wrong;              /* tried first */
	struct shard *shard;
	struct http_server *server;
	pthread_mutex_t lock;
	pthread_cond_t ready;
	bool up;
	int requests;
	bool prefix, by_query;               /* how the store was asked */
	char url[64];
} fake;

static bool
fits(const struct route_row *row, const struct http_req *r)
{
	return row->method != NULL && str_eq(r->method, str_of(row->method)) &&
	    str_ends(r->path, str_of(row->path_end));
}

static void
on_request(void *ctx, struct http_req *r)
{
	const struct route_row *row = &fake.wrong;

	(void)ctx;
	fake.requests++;
	if (str_eq(r->path, S("/store/items/search")))
		fake.prefix = str_contains(r->body, S("\"namespace_prefix\""));
	if (str_eq(r->method, S("DELETE")) && str_eq(r->path, S("/store/items")))
		fake.by_query = r->body.n == 0 && str_contains(r->query, S("namespace="));
	if (!fits(row, r))
		for (row = right; row < right + COUNT(right) - 1 && !fits(row, r); row++)
			;
	http_reply(r, row->status, S("application/json"), STR_NONE, str_of(row->answer));
}

static size_t
on_head(void *ctx, struct http_req *r)
{
	(void)ctx, (void)r;
	return 1 * MB;
}

static void
on_error(void *ctx, int status, struct str message, struct buf *out, struct str *type)
{
	(void)ctx, (void)status, (void)type;
	buf_add(out, message);
}

static void
attach(struct shard_job *job)
{
	(void)job;
	CHECK_RC(http_server_attach(fake.server, fake.shard, NULL), OK);
	pthread_mutex_lock(&fake.lock);
	fake.up = true;
	pthread_cond_signal(&fake.ready);
	pthread_mutex_unlock(&fake.lock);
}

static void
fake_up(const struct route_row *wrong)
{
	static const struct http_hooks hooks = { .head = on_head, .handle = on_request,
	    .error_body = on_error };
	static struct shard_job job = { .run = attach };
	struct err e;

	if (wrong != NULL)
		fake.wrong = *wrong;
	pthread_mutex_init(&fake.lock, NULL);
	pthread_cond_init(&fake.ready, NULL);
	CHECK_RC(http_server_new(&fake.server, S("127.0.0.1"), 0, &hooks, &e), OK);
	CHECK_RC(shard_new(&fake.shard, 9, &e), OK);
	CHECK_RC(shard_start(fake.shard, &e), OK);
	shard_post(fake.shard, &job);
	pthread_mutex_lock(&fake.lock);
	while (!fake.up)
		pthread_cond_wait(&fake.ready, &fake.lock);
	pthread_mutex_unlock(&fake.lock);
	snprintf(fake.url, sizeof fake.url, "http://127.0.0.1:%u",
	    http_server_port(fake.server));
}

static void
drained(void *ctx)
{
	(void)ctx;
	shard_stop(fake.shard);
}

static void
drain(struct shard_job *job)
{
	(void)job;
	http_server_drain(fake.server, fake.shard, drained, NULL);
}

static void
fake_down(void)
{
	static struct shard_job job = { .run = drain };

	shard_post(fake.shard, &job);
	shard_join(fake.shard);
	shard_free(fake.shard);
	http_server_free(fake.server);
}

static int
flow(struct flow_options *o)
{
	struct err e = { 0 };
	int rc;

	o->load.url = fake.url;
	o->response = "one two three";
	rc = bench_flow(o, 1, (char *[]){ (char *)"flow" }, &e);
	printf("%d %s\n", rc, e.text);
	return rc;
}

static int
smoke(void)
{
	struct flow_options o = { 0 };

	CHECK_RC(flags_default(bench_flow_flags, &o, NULL), OK);
	o.smoke = true;
	return flow(&o);
}

TEST(flow_passes_on_a_right_server)
{
	fake_up(NULL);
	CHECK_INT(smoke(), 0);
	CHECK_INT(fake.requests, 13);        /* twelve, and /info */
	/* The store is asked as the original k6 script asks. */
	CHECK(fake.by_query && !fake.prefix);
	fake_down();
}

TEST(flow_asks_the_store_as_the_sdks_do_when_told)
{
	struct flow_options o = { 0 };

	fake_up(NULL);
	CHECK_RC(flags_default(bench_flow_flags, &o, NULL), OK);
	o.smoke = o.sdk_store = true;
	CHECK_INT(flow(&o), 0);
	CHECK(!fake.by_query && fake.prefix);
	fake_down();
}

/* Each of these is quick, and must fail the flow. */
static const struct route_row wrongs[] = {
	{ "POST", "/assistants", 200, "{}" },
	{ "POST", "/threads", 200, "{\"thread_id\":\"1\"}" },
	{ "POST", "/threads", 500, "{\"thread_id\":\"" ID "\"}" },
	{ "POST", "/runs/wait", 200, "{\"messages\":[" HUMAN "]}" },
	{ "POST", "/runs/wait", 200, "{\"__error__\":{\"error\":\"x\",\"message\":\"y\"}}" },
	{ "POST", "/runs/wait", 200, "{\"messages\":[" HUMAN "," HUMAN "]}" },
	{ "POST", "/runs/wait", 200, "not json" },
	{ "POST", "/runs/stream", 200, PIECE("one") PIECE(" three") },
	{ "POST", "/runs/stream", 200, PIECE("one two three")
	    "event: error\ndata: {\"error\":\"x\"}\n\n" },
	{ "POST", "/runs/stream", 200, "" },
	{ "GET", "/state", 200, "{\"next\":[],\"values\":{\"messages\":[" HUMAN "," AI "]}}" },
	{ "GET", "/state", 200, "{\"next\":[\"agent\"],\"values\":{\"messages\":[" HUMAN ","
	    AI "," HUMAN "," AI "]}}" },
	{ "PUT", "/store/items", 404, "" },
	{ "GET", "/store/items", 200, "null" },
	{ "POST", "/store/items/search", 200, "{\"items\":[]}" },
	{ "DELETE", "/store/items", 405, "" },
	{ "DELETE", "/threads/" ID, 404, "" },
};

TEST(flow_fails_on_a_wrong_server)
{
	fake_up(NULL);
	for (size_t i = 0; i < COUNT(wrongs); i++) {
		fake.wrong = wrongs[i];
		if (smoke() != 1)
			test_fail(__FILE__, __LINE__, "%s %s passed", wrongs[i].method,
			    wrongs[i].answer);
	}
	fake_down();
}

TEST(flow_compares_the_count_of_the_mock)
{
	struct flow_options o = { 0 };

	fake_up(NULL);
	CHECK_RC(flags_default(bench_flow_flags, &o, NULL), OK);
	o.smoke = true;
	o.load.mock_url = fake.url;               /* which always says 0 */
	CHECK_INT(flow(&o), 1);
	fake_down();
}

static size_t
file_lines(const char *path, const char *with)
{
	char line[8192];
	FILE *f = fopen(path, "r");
	size_t n = 0;

	CHECK(f != NULL);
	while (fgets(line, sizeof line, f) != NULL)
		n += strstr(line, with) != NULL;
	fclose(f);
	return n;
}

TEST(flow_writes_its_files)
{
	struct flow_options o = { 0 };

	fake_up(NULL);
	CHECK_RC(flags_default(bench_flow_flags, &o, NULL), OK);
	o.smoke = true;
	o.out = "json";
	o.load.json = "out/deep/result.json";
	o.load.markdown = "result.md";
	CHECK_INT(flow(&o), 0);
	CHECK_INT(file_lines("results/fake-v9.9-mock-1vu.json", "\"metric\":\"http_reqs\","
	    "\"type\":\"Point\""), 12);
	CHECK_INT(file_lines("results/fake-v9.9-mock-1vu.json", "\"operation\":\"run_wait\","
	    "\"status\":\"200\""), 3);
	CHECK_INT(file_lines("results/fake-v9.9-mock-1vu.json", "\"agent_flow_duration\","
	    "\"type\":\"Point\""), 1);
	CHECK_INT(file_lines("results/fake-v9.9-mock-1vu.json", "\"data_received\","
	    "\"type\":\"Point\""), 1);
	CHECK_INT(file_lines("out/deep/result.json", "\"server_info\":{\"name\":\"fake\""), 1);
	CHECK_INT(file_lines("out/deep/result.json", "\"passed\":true}"), 1);
	CHECK_INT(file_lines("result.md", "| store_search | 1 | 0 |"), 1);
	fake_down();
}

TEST(flow_refuses_what_it_cannot_do)
{
	static const struct { const char *stages, *thresholds, *url; int rc; } cases[] = {
		{ "10s", "", NULL, ERR_INVALID }, { "x:5", "", NULL, ERR_INVALID },
		{ "10s:99999", "", NULL, ERR_INVALID },
		{ "10s:5", "flow=5", NULL, ERR_INVALID },
		{ "10s:5", "", "https://127.0.0.1/", ERR_INVALID },
		{ "10s:5", "", "http://127.0.0.1:1/", ERR_CLOSED },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct flow_options o = { 0 };
		struct err e;

		CHECK_RC(flags_default(bench_flow_flags, &o, NULL), OK);
		o.stages = cases[i].stages;
		o.load.thresholds = cases[i].thresholds;
		o.load.url = cases[i].url != NULL ? cases[i].url : "http://127.0.0.1:1";
		CHECK_RC(bench_flow(&o, 0, NULL, &e), cases[i].rc);
	}
}

/* As k6's ramping executor: one user at first, then straight lines. */
TEST(flow_users_follow_the_stages)
{
	static const struct { msec at; int64_t users; } want[] = {
		{ 0, 1 }, { 9999, 1 }, { 10000, 1 }, { 20000, 2 }, { 29999, 2 },
		{ 30000, 3 }, { 45000, 4 }, { 60000, 5 }, { 79999, 4 }, { 80000, 3 },
		{ 90000, 1 }, { 99999, 1 },
	};
	struct phase s[FLOW_STAGES_MAX];
	size_t n;

	CHECK_RC(flow_stages_parse("10s:1,20s:3,30s:5,20s:3,10s:1", s, &n, NULL), OK);
	CHECK_INT(n, 5);
	for (size_t i = 0; i < COUNT(want); i++) {
		msec at = want[i].at;
		size_t k = 0;

		while (k + 1 < n && at >= s[k].ms)
			at -= s[k++].ms;
		CHECK_INT(phase_users(&s[k], at), want[i].users);
	}
}

TEST(point_is_what_k6_writes)
{
	struct buf b = BUF(4096);

	point_add(&b, "http_req_duration", 1700000000123, 1.25, "run_wait", 200);
	CHECK_STR(buf_str(&b), "{\"metric\":\"http_req_duration\",\"type\":\"Point\","
	    "\"data\":{\"time\":\"2023-11-14T22:13:20.123Z\",\"value\":1.25,\"tags\":"
	    "{\"operation\":\"run_wait\",\"status\":\"200\"}}}\n");
	buf_release(&b);
}

TEST(thresholds_read_values_and_percentiles)
{
	static const struct { const char *text; bool passed; } cases[] = {
		{ "rate<0.05", true }, { "rate>0.05", false }, { "op.p95<96.5", true },
		{ "op.p95<94", false }, { "op.p50>49", true }, { "op.max<101", true },
		{ "op.avg<51, rate<1", true }, { "nothing<1", false }, { "op.p95<1e9", true },
		{ "empty.p95<5", false }, { "op.sum<5", false },
	};
	struct hist h = { 0 }, empty = { 0 };
	struct err e;

	for (uint64_t ms = 1; ms <= 100; ms++)
		hist_add(&h, ms * (uint64_t)NS_PER_MS);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct report r = { .workload = "t" };

		report_metric(&r, "http_req_duration", "op", &h, 0);
		report_metric(&r, "http_req_duration", "empty", &empty, 0);
		report_value(&r, 0.01, 2, "rate");
		CHECK_RC(report_thresholds(&r, cases[i].text, &e), OK);
		if (report_passed(&r) != cases[i].passed)
			test_fail(__FILE__, __LINE__, "%s: %s", cases[i].text,
			    r.check[0].text);
	}
	CHECK_RC(report_thresholds(NULL, "a<b", &e), ERR_INVALID);
	CHECK_RC(report_thresholds(NULL, "a=5", &e), ERR_INVALID);
}

TEST(report_is_json_and_ends_with_a_result)
{
	static char *argv[] = { "flow", "--token", "secret1", "--token=secret2", "--vus=1" };
	struct report r = { .workload = "t", .measures = "a \"b\"", .not_measures = "c",
	    .loop = "open", .error_sample = "x\ny", .argc = COUNT(argv), .argv = argv };
	struct hist h = { 0 };
	struct json_doc d;
	struct buf b = BUF(65536);

	hist_add(&h, 1500000);
	report_metric(&r, "m", NULL, &h, 2);
	report_value(&r, 2.5, 1, "things_per_s");
	report_check(&r, false, "%d < 5", 7);
	report_add_json(&r, &b);
	CHECK_RC(json_parse(&d, buf_str(&b), NULL), OK);
	CHECK_INT(json_int(json_get(d.root, S("schema"))), REPORT_SCHEMA);
	CHECK(json_is_object(json_get(d.root, S("machine"))));
	CHECK_INT(json_int(json_get(json_get(d.root, S("machine")), S("cores"))) > 0, 1);
	CHECK(json_str(json_get(json_get(d.root, S("machine")), S("os"))).n > 3);
	CHECK_STR(json_str(json_get(d.root, S("command"))),
	    "flow --token *** --token=*** --vus=1");
	json_release(&d);
	buf_clear(&b);
	report_add_result(&r, &b);
	CHECK(str_starts(buf_str(&b), S("RESULT {\"workload\":\"t\",\"passed\":false,"
	    "\"things_per_s\":2.5,\"m_p50_ms\":1.5")));
	CHECK_RC(json_parse(&d, str_sub(buf_str(&b), 7, b.n), NULL), OK);
	json_release(&d);
	buf_release(&b);
}

static int
streams(int64_t tokens)
{
	struct streams_options o = { 0 };
	struct err e = { 0 };

	CHECK_RC(flags_default(bench_streams_flags, &o, &e), OK);
	o.load.url = fake.url;
	o.concurrency = 20;
	o.rounds = 2;
	o.tokens = tokens;
	return bench_streams(&o, 0, NULL, &e);
}

TEST(streams_want_every_word)
{
	fake_up(NULL);
	CHECK_INT(streams(3), 0);
	CHECK_INT(fake.requests, 41);
	CHECK_INT(streams(4), 1);
	fake.wrong = (struct route_row){ "POST", "/runs/stream", 200,
	    PIECE("one \\\"two") PIECE(" three") "event: error\ndata: {}\n\n" };
	CHECK_INT(streams(3), 1);
	fake_down();
}

/* Goal: without --tokens one run alone tells how many words there are. */
TEST(streams_learn_the_words_from_one_run_alone)
{
	fake_up(NULL);
	CHECK_INT(streams(0), 0);
	CHECK_INT(fake.requests, 42);        /* /info, the one, two rounds of 20 */
	fake.wrong = (struct route_row){ "POST", "/runs/stream", 200,
	    "event: error\ndata: {}\n\n" };
	CHECK_INT(streams(0), ERR_CLOSED);
	CHECK_INT(fake.requests, 44);
	fake_down();
}
