/*
 * eval_compare.c - results: written, read, compared, shown.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <math.h>

#include "eval/result.h"

/* Of n cases; the first `wrong` of them score 0 by the first of two scorers. */
static void
make(struct eval_result *r, size_t n, size_t wrong)
{
	struct buf line = BUF(16 * KB);
	struct eval v;
	struct err e = { 0 };

	CHECK_RC(eval_read(&v, S("eval: e\nagent: agent\ndataset: d\nthreshold: 0.9\n"
	    "scorers: [{name: right, exact: true}, {name: other, exact: true}]\n"), S("e.yaml"), &e), OK);
	eval_result_init(r, &v);
	r->cases = (int64_t)n;
	r->started = S("2026-12-03T00:00:00.000Z");
	r->dataset_hash = S("h");
	for (size_t i = 0; i < n; i++) {
		char id[32];
		struct eval_row row = { .repeat = 1, .output_json = S("{\"a\":[1]}"),
			.usage = { 10, 5, 1500 }, .ms = 2 };

		snprintf(id, sizeof id, "case %zu", i);
		row.id = str_of(id);
		row.score[0].score = i < wrong ? 0 : 1;
		row.score[0].why = i < wrong ? S("it is \x1b[31m\"no\"|<b>") : STR_NONE;
		row.score[1].score = 1;
		buf_clear(&line);
		eval_row_add_json(&line, r, &row);
		CHECK_RC(eval_result_add_row(r, buf_str(&line), n - i, &e), OK);
	}
	buf_release(&line);
	eval_release(&v);
}

static enum eval_verdict
verdict(size_t n, size_t wrong_a, size_t wrong_b)
{
	struct eval_result a, b;
	struct eval_comparison c;
	struct err e = { 0 };
	enum eval_verdict v;

	make(&a, n, wrong_a);
	make(&b, n, wrong_b);
	CHECK_RC(eval_compare(&a, &b, 0.02, &c, &e), OK);
	CHECK_INT(c.scorers_n, 2);
	CHECK_INT(c.scorer[1].verdict, EVAL_SAME);
	v = c.scorer[0].verdict;
	CHECK(eval_is_worse(&c) == (v == EVAL_WORSE));
	eval_comparison_release(&c);
	eval_result_release(&a);
	eval_result_release(&b);
	return v;
}

TEST(eval_compare_of_equals_is_same)
{
	for (size_t n = 1; n <= 41; n += 8)
		for (size_t wrong = 0; wrong <= n; wrong += 5)
			CHECK_INT(verdict(n, wrong, wrong), EVAL_SAME);
}

TEST(eval_compare_finds_a_regression)
{
	CHECK_INT(verdict(40, 0, 10), EVAL_WORSE);
	CHECK_INT(verdict(40, 0, 8), EVAL_WORSE);
	CHECK_INT(verdict(40, 10, 0), EVAL_BETTER);
	CHECK_INT(verdict(400, 0, 12), EVAL_WORSE);
}

TEST(eval_compare_of_few_cases_has_no_verdict)
{
	CHECK_INT(verdict(5, 0, 5), EVAL_UNCLEAR);
	CHECK_INT(verdict(40, 0, 1), EVAL_UNCLEAR);
	CHECK_INT(verdict(40, 0, 4), EVAL_UNCLEAR);  /* chance: one in 8 */
	CHECK_INT(verdict(1, 0, 1), EVAL_UNCLEAR);
}

/* The interval is what counts, not only whether it excludes 0. */
TEST(eval_compare_within_the_margin_is_same)
{
	CHECK_INT(verdict(2000, 0, 8), EVAL_SAME);
}

TEST(eval_compare_pairs_by_id_and_lists_what_turned)
{
	struct eval_result a, b;
	struct eval_comparison c;
	struct err e = { 0 };

	make(&a, 10, 0);
	make(&b, 8, 2);
	CHECK_RC(eval_compare(&a, &b, 0.02, &c, &e), OK);
	CHECK_INT(c.pairs, 8);
	CHECK_INT(c.only_a, 2);
	CHECK_INT(c.only_b, 0);
	CHECK_INT(c.turned_n, 2);
	CHECK_STR(c.turned[0].id, "case 0");
	CHECK(c.turned[0].worse && c.turned[0].a == 1 && c.turned[0].b == 0);
	CHECK(fabs(c.tokens.a - 15) < 1e-9 && c.tokens.verdict == EVAL_SAME);
	CHECK(fabs(c.ms.median - 1) < 1e-9);
	eval_comparison_release(&c);
	b.row[0].id = b.row[1].id = S("x");
	b.rows_n = 1;
	CHECK_RC(eval_compare(&a, &b, 0.02, &c, &e), ERR_INVALID);
	eval_comparison_release(&c);
	b.scorers_n = 0;
	CHECK_RC(eval_compare(&a, &b, 0.02, &c, &e), ERR_INVALID);
	eval_comparison_release(&c);
	eval_result_release(&a);
	eval_result_release(&b);
}

TEST(eval_result_is_read_as_it_was_written)
{
	struct eval_result r, again;
	struct eval_summary s;
	struct buf b = BUF(MB), second = BUF(MB);
	struct err e = { 0 };

	make(&r, 12, 3);
	eval_result_add_json(&b, &r);
	CHECK_STR(r.row[0].id, "case 11");   /* by their order */
	if (eval_result_read(&again, buf_str(&b), S("r.json"), &e) != OK)
		test_fail(__FILE__, __LINE__, "%s", e.text);
	CHECK_INT(again.rows_n, 12);
	CHECK(again.threshold == 0.9 && again.row[0].usage.cost_nano == 1500);
	eval_result_add_json(&second, &again);
	CHECK(str_eq(buf_str(&b), buf_str(&second)));
	eval_summarize(&again, &s);
	CHECK(fabs(s.scorer[0].mean - 0.75) < 1e-9 && s.scorer[0].passed == 9);
	CHECK(eval_below(&again, &s, 0) && !eval_below(&again, &s, 1));
	eval_result_release(&r);
	eval_result_release(&again);
	buf_release(&b);
	buf_release(&second);
}

TEST(eval_result_refuses_other_documents)
{
	static const struct { const char *text, *words; } bad[] = {
		{ "{}", "r.json: schema: missing: this is no result of an eval" },
		{ "{\"schema\":9}", "r.json: schema: " },
		{ "{\"schema\":1,\"scorers\":[{\"name\":\"a\",\"kind\":\"exact\",\"pass\":1}],\"runs\":[{\"id\":\"a\",\"ms\":1,\"scores\":{}}]}",
		    "r.json: runs.0: scores: a.score: expected a number from 0 to 1" },
		{ "{\"schema\":1,\"scorers\":[],\"runs\":3}", "r.json: runs: expected a list" },
	};

	for (size_t i = 0; i < COUNT(bad); i++) {
		struct eval_result r;
		struct err e = { 0 };

		CHECK(eval_result_read(&r, str_of(bad[i].text), S("r.json"), &e) != OK);
		if (!str_starts(str_of(e.text), str_of(bad[i].words)))
			CHECK_STR(str_of(e.text), bad[i].words);
		eval_result_release(&r);
	}
}

/* Nothing of a case moves the cursor or leaves its cell. */
TEST(eval_report_shows_hostile_texts_as_text)
{
	struct eval_result r;
	struct buf b = BUF(MB);

	make(&r, 4, 1);
	eval_add_report(&b, &r, EVAL_MARKDOWN, false);
	CHECK(!str_contains(buf_str(&b), S("\x1b")) && !str_contains(buf_str(&b), S("<b>")));
	CHECK(str_contains(buf_str(&b), S("| case 0 | right | 0 | it is  [31m\"no\"  b> |\n")));
	buf_clear(&b);
	eval_add_report(&b, &r, EVAL_TEXT, true);
	CHECK(!str_contains(buf_str(&b), S("\x1b")) && str_contains(buf_str(&b), S("case 3")));
	eval_result_release(&r);
	buf_release(&b);
}
