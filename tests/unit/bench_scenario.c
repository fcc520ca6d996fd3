/*
 * bench_scenario.c - files of scenarios, the times of arrivals, texts with
 * variables.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <math.h>
#include <string.h>

#include "bench/scenario_priv.h"

#define PHASES "phases: [{rate: 1, for: 1s}]\n"
#define STEP   "sequences: [{name: s, steps: [{name: a, request: {path: /x}}]}]\n"

static int
no_variable(void *ctx, struct str name)
{
	(void)ctx;
	return str_eq(name, S("x")) ? 0 : str_eq(name, S("n")) ? 1 : -1;
}

TEST(scenario_texts_put_variables_where_they_belong)
{
	static const struct { const char *text; enum text_place place; const char *want; } rows[] = {
		{ "plain", TEXT_PLAIN, "plain" }, { "", TEXT_PATH, "" },
		{ "/a/${x}?n=${n}", TEXT_PATH, "/a/a%22%2F%0Ab?n=7" },
		{ "{\"a\":\"${x}\",\"b\":\"-${x}-\"}", TEXT_JSON,
		    "{\"a\":\"a\\\"/\\nb\",\"b\":\"-a\\\"/\\nb-\"}" },
		{ "{\"a\":\"${n}\",\"b\":\"n${n}\"}", TEXT_JSON, "{\"a\":7,\"b\":\"n7\"}" },
		{ "{\"${x}\":\"\\\"${n}\\\"\"}", TEXT_JSON,
		    "{\"a\\\"/\\nb\":\"\\\"7\\\"\"}" },
		{ "A: ${x}", TEXT_HEADER, "A: a\"/b" },
		{ "$x {} $", TEXT_PLAIN, "$x {} $" },
	};
	struct slot_value values[2] = { { BUF(KB), false, true }, { BUF(KB), true, true } };

	buf_lit(&values[0].text, "a\"/\nb");
	buf_lit(&values[1].text, "7");
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena a = ARENA(MB);
		struct buf out = BUF(KB);
		struct text t;

		CHECK_RC(text_parse(&t, str_of(rows[i].text), rows[i].place == TEXT_JSON, &a,
		    no_variable, NULL, NULL), OK);
		CHECK(text_ready(&t, values));
		text_add(&t, rows[i].place, values, &out);
		CHECK_STR(buf_str(&out), rows[i].want);
		buf_release(&out);
		arena_release(&a);
	}
	buf_release(&values[0].text);
	buf_release(&values[1].text);
}

TEST(scenario_texts_that_are_wrong)
{
	struct arena a = ARENA(MB);
	struct text t;

	CHECK_RC(text_parse(&t, S("${x"), false, &a, no_variable, NULL, NULL), ERR_SYNTAX);
	CHECK_RC(text_parse(&t, S("${y}"), false, &a, no_variable, NULL, NULL), ERR_INVALID);
	CHECK_RC(text_parse(&t, S("${}"), false, &a, no_variable, NULL, NULL), ERR_INVALID);
	arena_release(&a);
}

TEST(scenario_paths_find_values)
{
	static const struct { const char *path, *want; } rows[] = {
		{ "a.b", "1" }, { "l.0", "\"x\"" }, { "l.-1.c", "true" },
		{ "a.x", NULL }, { "l.2", NULL }, { "l.-3", NULL }, { "a.b.c", NULL },
		{ "l.x", NULL },
	};
	struct json_doc d;

	CHECK_RC(json_parse(&d, S("{\"a\":{\"b\":1},\"l\":[\"x\",{\"c\":true}]}"), NULL), OK);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf out = BUF(KB);
		jnode n = path_find(d.root, str_of(rows[i].path));

		CHECK((n == NULL) == (rows[i].want == NULL));
		if (n != NULL) {
			json_add_node(&out, n);
			CHECK_STR(buf_str(&out), rows[i].want);
		}
		buf_release(&out);
	}
	json_release(&d);
}

TEST(scenario_streams_are_counted)
{
	struct stream_seen s;

	stream_look(S("event: a\r\ndata: 1\r\n\r\n: beat\n\ndata: {\"x\":2}\n\n"), &s);
	CHECK_INT(s.events, 2);
	CHECK_STR(s.last_data, "{\"x\":2}");
	CHECK(!s.error);
	stream_look(S("event: error\ndata: no"), &s);
	CHECK_INT(s.events, 1);
	CHECK(s.error);
}

/* As many as the integral of the rate says, evenly spaced where it is constant. */
TEST(scenario_arrivals_come_when_the_rate_says)
{
	static const struct { double from, to; msec ms; uint64_t n; } rows[] = {
		{ 10, 10, 1000, 10 }, { 0, 100, 2000, 100 }, { 100, 0, 2000, 100 },
		{ 5, 15, 1000, 10 }, { 0, 0, 1000, 0 }, { 1000000, 1000000, 10, 10000 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct phase ph = { .open = true, .from = rows[i].from, .to = rows[i].to,
		    .ms = rows[i].ms };
		nsec last = -1, at;
		uint64_t k = 0;

		for (; (at = phase_arrival(&ph, k)) >= 0; k++) {
			CHECK(at > last && at < ph.ms * NS_PER_MS);
			if (rows[i].from == rows[i].to && k > 0)
				CHECK(fabs((double)(at - last) * rows[i].from - 1e9) < 3e6);
			last = at;
		}
		/* The one at the very end may fall to either side. */
		CHECK(k == rows[i].n || k == rows[i].n + 1);
	}
}

TEST(scenario_sequences_get_their_shares_in_turns)
{
	struct sequence all[2] = { { .weight = 1 }, { .weight = 3 } };
	struct scenario plan = { .sequences = all, .sequences_n = 2 };
	int64_t credit[2] = { 0 };
	struct pass p = { .plan = &plan, .credit = credit };
	char order[9] = "";

	for (size_t i = 0; i < 8; i++)
		order[i] = pass_next_sequence(&p) == &all[0] ? 'a' : 'b';
	CHECK_STR(str_of(order), "babbbabb");
}

/* ---- files ---------------------------------------------------------------- */

TEST(scenario_reads_a_file)
{
	static const char text[] =
	    "name: all\n"
	    "variables: {word: hi, list: [1, 2]}\n"
	    "timeout: 5s\nconnections: fresh\nmax_users: 7\n"
	    "phases:\n"
	    "  - {users: 2, for: 1s, measure: false}\n"
	    "  - {name: up, rate: 60/min, to: 10/s, for: 2s}\n"
	    "sequences:\n"
	    "  - name: one\n    weight: 3\n    steps:\n"
	    "      - {name: make, request: {path: /t, body: {a: '${list}'}}, capture: {id: t.0.id}, expect: [200, 201]}\n"
	    "      - {name: see, stream: {path: '/t/${id}', headers: {X-A: '${word}'}}, contains: end}\n"
	    "      - {pause: 5ms}\n"
	    "      - {message: {to: a, content: '${word}'}}\n"
	    "  - {name: two, steps: [{flow: create_thread}, {flow: get_state}]}\n"
	    "thresholds: ['make.p99<5', 'http_req_failed<0.1']\n";
	struct scenario p;
	struct err e;

	CHECK_RC(scenario_read(&p, str_of(text), S("a.yaml"), &e), OK);
	CHECK_INT(p.phases_n, 2);
	CHECK(p.phases[1].open && p.phases[1].from == 1 && p.phases[1].to == 10);
	CHECK_INT(scenario_length(&p, true), 2000);
	CHECK_INT(scenario_users(&p), 7);
	CHECK_INT(p.sequences[0].n, 4);
	CHECK_INT(p.sequences[0].steps[0].statuses_n, 2);
	CHECK_STR(p.sequences[0].steps[0].method, "POST");
	CHECK_STR(p.sequences[0].steps[1].method, "GET");
	CHECK(p.rows[p.sequences[0].steps[1].row].first_name != NULL);
	CHECK_STR(p.rows[p.sequences[0].steps[3].row].name, "message_3");
	CHECK_STR(p.rows[p.sequences[1].steps[1].row].name, "get_state");
	CHECK_STR(str_of(p.thresholds), "make.p99<5,http_req_failed<0.1");
	CHECK(p.fresh && p.timeout == 5000);
	scenario_release(&p);
}

TEST(scenario_refuses_what_is_wrong_with_its_place)
{
	static const struct { const char *text, *words; } rows[] = {
		{ "", "expected a map, got nothing" },
		{ "[]", "a.yaml:1:1: expected a scenario, got a list" },
		{ PHASES STEP, "'name' is missing" },
		{ "name: a\nphase: 1\n", ":2:1: unknown key 'phase'; did you mean 'phases'?" },
		{ "name: a b\n" PHASES STEP, ":1:7: name: expected a name" },
		{ "name: a\nphases: []\n" STEP, ":2:9: phases: expected 1 to 64, got 0" },
		{ "name: a\nphases: [{for: 1s}]\n" STEP,
		    "phases[0]: a phase needs 'rate' or 'users'" },
		{ "name: a\nphases: [{rate: 1, users: 2, for: 1s}]\n" STEP, "not both" },
		{ "name: a\nphases: [{rate: 1/d, for: 1s}]\n" STEP, "phases[0].rate: expected a rate" },
		{ "name: a\nphases: [{rate: 1, for: 1 s}]\n" STEP, "phases[0].for: expected a time" },
		{ "name: a\nphases: [{rate: 1}]\n" STEP, "'for' is missing" },
		{ "name: a\nphases: [{rate: 1, for: 1s, pause: 1s}]\n" STEP, "a rate has none" },
		{ "name: a\nphases: [{rate: 1, for: 1s, measure: false}]\n" STEP,
		    "no phase is measured" },
		{ "name: a\nmax_users: 5\nphases: [{users: 1, for: 1s}]\n" STEP,
		    ":2:1: 'max_users' goes with a rate" },
		{ "name: a\n" PHASES "sequences: [{name: s, steps: [{name: a}]}]\n",
		    "a step has one of" },
		{ "name: a\n" PHASES "sequences: [{name: s, steps: [{flow: run_wait}]}]\n",
		    "'run_wait' needs create_assistant before it" },
		{ "name: a\n" PHASES "sequences: [{name: s, steps: [{flow: run_wit}]}]\n",
		    "did you mean 'run_wait'?" },
		{ "name: a\n" PHASES "sequences: [{name: s, steps: [{pause: 1s}]}]\n",
		    "no step sends anything" },
		{ "name: a\n" PHASES "sequences: [{name: s, steps: [{request: {path: x}}]}]\n",
		    "begins with /" },
		{ "name: a\n" PHASES "sequences: [{name: s, steps: [{request: {path: '/ x'}}]}]\n",
		    "no blanks" },
		{ "name: a\n" PHASES "sequences: [{name: s, steps: [{request: {path: '/${id}'}}]}]\n",
		    "request.path: there is no variable 'id' here" },
		{ "name: a\n" PHASES "sequences: [{name: s, steps: [{pause: 1s, expect: 200}]}]\n",
		    "'expect' does not go with 'pause'" },
		{ "name: a\n" PHASES "sequences: [{name: s, steps: [{request: {path: /}, events: 2}]}]\n",
		    "'events' does not go with 'request'" },
		{ "name: a\n" PHASES "sequences: [{name: s, steps: [{request: {path: /, headers: {Host: a}}}]}]\n",
		    "'Host' is not a header that may be given" },
		{ "name: a\nvariables: {user: 1}\n" PHASES STEP, "variable of every scenario" },
		{ "name: a\n" PHASES STEP "thresholds: [a]\n", "thresholds[0]: expected name<number" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct scenario p;
		struct err e = { 0 };
		int rc = scenario_read(&p, str_of(rows[i].text), S("a.yaml"), &e);

		CHECK(rc < 0);
		if (strstr(e.text, rows[i].words) == NULL)
			CHECK_STR(str_of(e.text), rows[i].words);
		scenario_release(&p);
	}
}

/* What one sequence has captured is nothing to another. */
TEST(scenario_captures_are_of_their_sequence)
{
	static const char text[] = "name: a\n" PHASES "sequences:\n"
	    "  - {name: s, steps: [{request: {path: /}, capture: {id: id}}, {request: {path: '/${id}'}}]}\n"
	    "  - {name: t, steps: [{request: {path: '/${id}'}}]}\n";
	struct scenario p;
	struct err e;

	CHECK_RC(scenario_read(&p, str_of(text), S("a.yaml"), &e), ERR_INVALID);
	CHECK(strstr(e.text, "sequences[1].steps[0].request.path: there is no variable") != NULL);
	scenario_release(&p);
}
