/*
 * bench_doc.c - results as documents: what is read, what is shown, the page's report;
 * flame graphs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <string.h>

#include "base/mem.h"
#include "bench/all_priv.h"
#include "bench/baseline.h"
#include "bench/doc_priv.h"
#include "bench/flame.h"

#define ABOUT "\"version\":\"1\",\"commit\":\"abc<&\",\"date\":\"2026-11-30T22:00:00.000Z\"," \
	"\"machine\":{\"cpu\":\"a cpu\",\"cores\":2}"
#define B1 "{\"id\":\"B1\",\"title\":\"one-way <throughput>\",\"group\":\"throughput\"," \
	"\"state\":\"measured\",\"passed\":true,\"command\":\"cohort bench x\","     \
	"\"measures\":\"m.\",\"does_not_measure\":\"n.\","                        \
	"\"metrics\":[{\"name\":\"send\",\"p50\":1,\"p99\":2,\"buckets\":[[0.5,3],[1,9],[2,1]]}]," \
	"\"series\":[{\"name\":\"rss\",\"x\":\"s\",\"y\":\"MB\",\"log\":false,"    \
	"\"points\":[[0,10],[1,10.5],[2,10.4]]}],"                              \
	"\"result\":{\"messages_per_s\":120000,\"words\":\"x\\\"y\"},"            \
	"\"spread\":{\"messages_per_s\":{\"runs\":[1,2],\"low\":100000,\"high\":140000}}," \
	"\"targets\":[{\"key\":\"messages_per_s\",\"unit\":\"/s\",\"better\":\"up\",\"value\":120000," \
	"\"ours\":5000000,\"met\":false,\"core\":\"Message Throughput\",\"grade\":\"target\"," \
	"\"core_value\":120000}],"                                            \
	"\"changes\":[{\"metric\":\"B1.messages_per_s\",\"baseline\":150000,\"current\":120000," \
	"\"change_percent\":-20.0,\"low_percent\":-25,\"high_percent\":-15,\"pairs\":12,"   \
	"\"unit\":\"/s\",\"verdict\":\"worse\"}]}"
#define B10 "{\"id\":\"B10\",\"title\":\"wasm\",\"group\":\"resources\",\"state\":\"not measured\"," \
	"\"passed\":false}"
#define B3 "{\"id\":\"B3\",\"title\":\"reply\",\"group\":\"latency\",\"state\":\"failed\",\"why\":\"no\\n\\\"|RESULT\"," \
	"\"passed\":false}"
#define SUITE "{\"schema\":2,\"suite\":\"all --quick\",\"command\":\"cohort bench all\"," ABOUT \
	",\"baseline\":{\"name\":\"main\",\"commit\":\"0\"},\"threshold\":0.1,\"results\":["  \
	B1 "," B10 "," B3 "],\"passed\":false}"
#define SINGLE "{\"schema\":1,\"workload\":\"flow\"," ABOUT ",\"result\":{\"flows_per_s\":9.5}," \
	"\"passed\":true}"

static struct doc *
read_doc(struct str text)
{
	struct doc *d = mem_new(struct doc);
	struct err e;

	CHECK_RC(doc_parse(d, text, "test", &e), OK);
	return d;
}

static struct buf
shown(struct str text, void (*add)(const struct doc *d, struct buf *out))
{
	struct doc *d = read_doc(text);
	struct buf b = BUF(4 * MB);

	add(d, &b);
	CHECK(!b.failed);
	doc_release(d);
	free(d);
	return b;
}

TEST(doc_reads_suites_and_single_workloads)
{
	struct doc *d = read_doc(S(SUITE));
	struct doc_count n;
	struct err e;

	CHECK_RC(doc_parse(d, S(SINGLE), "two", &e), OK);
	CHECK_INT(d->n, 4);
	CHECK_STR(doc_id(d->element[3]), "flow");
	CHECK_STR(json_str(doc_about(d, 0, "version")), "1");
	n = doc_count(d);
	CHECK_INT(n.measured, 2);
	CHECK_INT(n.not_measured, 1);
	CHECK_INT(n.missed, 2);
	CHECK_INT(n.worse, 1);
	CHECK_RC(doc_parse(d, S("[]"), "x", &e), ERR_INVALID);
	CHECK_RC(doc_parse(d, S("{\"schema\":2}"), "x", &e), ERR_INVALID);
	CHECK_RC(doc_parse(d, S("{\"schema\":2,\"results\":[1]}"), "x", &e), ERR_INVALID);
	CHECK_RC(doc_parse(d, S("{"), "x.json", &e), ERR_SYNTAX);
	CHECK(strstr(e.text, "x.json") != NULL);
	doc_release(d);
	free(d);
}

TEST(doc_numbers_have_commas)
{
	static const struct { double v; const char *text; } rows[] = {
		{ 0, "0" }, { 1234567, "1,234,567" }, { 999.96, "1,000.0" }, { 123.44, "123.4" },
		{ 1.239, "1.24" }, { 0.0123, "0.012" }, { 0.00123, "0.00123" }, { -1234, "-1,234" },
		{ 1000, "1,000" }, { -123456, "-123,456" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf b = BUF(KB);

		doc_add_number(&b, rows[i].v);
		if (strcmp(b.p, rows[i].text) != 0)
			test_fail(__FILE__, __LINE__, "%f is %s, not %s", rows[i].v, b.p,
			    rows[i].text);
		buf_release(&b);
	}
}

TEST(doc_a_grade_below_target_is_missed)
{
	struct doc *d = read_doc(S("{\"schema\":2,\"workload\":\"x\",\"passed\":true,\"targets\":["
	    "{\"key\":\"a\",\"core\":\"Agent Spawn Time\",\"grade\":\"acceptable\"},"
	    "{\"key\":\"b\",\"core\":\"Tasks/sec\",\"grade\":\"not graded\"}]}"));
	struct buf b = BUF(KB);

	CHECK(!doc_passed(d->element[0]));
	doc_why(d->element[0], &b);
	CHECK_STR(buf_str(&b), "Agent Spawn Time is acceptable, not at target");
	buf_release(&b);
	doc_release(d);
	free(d);
}

TEST(doc_changes_are_a_list)
{
	struct buf b = shown(S(SUITE), doc_add_changes);
	struct json_doc d = { 0 };
	struct err e;
	jnode x;

	CHECK_RC(json_parse(&d, buf_str(&b), &e), OK);
	CHECK_INT(json_count(d.root), 1);
	x = json_at(d.root, 0);
	CHECK_STR(json_str(json_get(x, S("metric"))), "B1.messages_per_s");
	CHECK(json_number(json_get(x, S("change_percent"))) < -19.9);
	json_release(&d);
	buf_release(&b);
}

TEST(doc_json_of_several_files_is_a_suite)
{
	struct doc *d = read_doc(S(SUITE)), *again = mem_new(struct doc);
	struct buf b = BUF(MB);
	struct err e;

	CHECK_RC(doc_parse(d, S(SINGLE), "two", &e), OK);
	doc_add_json(d, &b);
	CHECK_RC(doc_parse(again, buf_str(&b), "again", &e), OK);
	CHECK_INT(again->n, 4);
	doc_release(again);
	doc_release(d);
	free(again);
	free(d);
	buf_release(&b);
}

/* Tags are closed in order, and text has no bare < or &. */
static void
check_xml(struct str s)
{
	char open[32][64];
	size_t depth = 0;

	for (size_t i = 0; i < s.n; i++) {
		size_t end = i, n;

		if (s.p[i] != '<')
			continue;
		while (end < s.n && s.p[end] != '>')
			CHECK(end++ == i || s.p[end - 1] != '<');
		CHECK(end < s.n);
		if (s.p[i + 1] == '?' || s.p[end - 1] == '/')
			continue;
		n = strcspn(s.p + i + 1, " >");
		if (s.p[i + 1] == '/') {
			CHECK(depth > 0);
			depth--;
			CHECK(strncmp(open[depth], s.p + i + 2, n - 1) == 0);
			continue;
		}
		CHECK(depth < 32 && n < 64);
		snprintf(open[depth++], 64, "%.*s", (int)n, s.p + i + 1);
	}
	CHECK_INT(depth, 0);
}

TEST(doc_junit_is_xml)
{
	struct buf b = shown(S(SUITE), doc_add_junit);

	check_xml(buf_str(&b));
	CHECK(strstr(b.p, "tests=\"3\" failures=\"2\" errors=\"0\" skipped=\"1\"") != NULL);
	CHECK(strstr(b.p, "<skipped") != NULL);
	CHECK(strstr(b.p, "no\n&quot;|RESULT") != NULL);
	CHECK(strstr(b.p, "is worse by -20.0 %") != NULL);
	buf_release(&b);
}

TEST(doc_prometheus_text_has_labels)
{
	struct buf b = shown(S(SUITE), doc_add_prometheus);
	struct str rest = buf_str(&b), line;
	size_t samples = 0;

	CHECK(strstr(b.p, "cohort_bench_value{workload=\"B1\",commit=\"abc<&\",version=\"1\","
	    "metric=\"messages_per_s\"} 120000") != NULL);
	CHECK(strstr(b.p, "cohort_bench_passed{workload=\"B1\",commit=\"abc<&\",version=\"1\"} 0")
	    != NULL);
	CHECK(strstr(b.p, "B10") == NULL && strstr(b.p, "words") == NULL);
	while (str_next(&rest, '\n', &line))
		samples += line.n > 0 && line.p[0] != '#';
	CHECK_INT(samples, 3);
	buf_release(&b);
}

TEST(doc_text_and_markdown_tell_what_was_missed)
{
	struct buf text = shown(S(SUITE), doc_add_text), md = shown(S(SUITE), doc_add_markdown);

	CHECK(strstr(text.p, ">= 5,000,000 MISSED") != NULL);
	CHECK(strstr(text.p, "B10            wasm: not measured") != NULL);
	CHECK(strstr(text.p, "1 measured, 1 not measured, 2 missed or failed, 1 worse") != NULL);
	CHECK(strstr(md.p, "**worse**") != NULL && strstr(md.p, "(100,000 to 140,000)") != NULL);
	CHECK(strstr(md.p, "no \"\\|RESULT") != NULL);       /* a cell stays one */
	buf_release(&text);
	buf_release(&md);
	text = shown(S(SINGLE), doc_add_text);               /* no targets: all its figures */
	CHECK(strstr(text.p, "flows_per_s") != NULL && strstr(text.p, "9.50") != NULL);
	buf_release(&text);
}

TEST(doc_page_has_plots_and_loads_nothing)
{
	struct buf b = shown(S(SUITE), doc_add_page);

	CHECK(strstr(b.p, "<rect") != NULL && strstr(b.p, "B1: rss") != NULL);
	CHECK(strstr(b.p, "one-way &lt;throughput&gt;") != NULL);
	CHECK(strstr(b.p, " src=") == NULL && strstr(b.p, " href=") == NULL &&
	    strstr(b.p, "@import") == NULL && strstr(b.p, "url(") == NULL);
	buf_release(&b);
}

TEST(caxton_never_says_all_met_while_something_is_not_measured)
{
	struct doc *d = read_doc(S(SUITE));
	struct buf b = BUF(MB);

	caxton_add_report(d, &b);
	CHECK(!caxton_all_met(d));
	CHECK(strstr(b.p, "All performance targets met") == NULL);
	CHECK(strstr(b.p, "Date: 2026-11-30\nCommit: abc<&\nEnvironment: a cpu, 2 cores") != NULL);
	CHECK(strstr(b.p, "| Messages/sec | 150,000 msg/s | 120,000 msg/s | -20.0% |") != NULL);
	CHECK(strstr(b.p, "| Tasks/sec | - | not measured | - |") != NULL);
	CHECK(strstr(b.p, "| Memory/agent |") != NULL && strstr(b.p, "| CPU/agent |") != NULL);
	CHECK(strstr(b.p, "1 minor regressions detected") != NULL);
	CHECK(strstr(b.p, "| Message Throughput | B1 | 120,000 msg/s | target |") != NULL);
	CHECK(strstr(b.p, "- Not measured: B2, B3, B4,") != NULL);
	CHECK(strstr(b.p, "| B10 | ") != NULL && strstr(b.p, "| B27 | ") != NULL);
	doc_release(d);
	free(d);
	buf_release(&b);
}

TEST(baseline_names)
{
	static const char *const bad[] = { "", ".x", "-x", "a/b", "..", "a b", "\xc3\xa9" };

	CHECK(baseline_name("main") && baseline_name("v1.2_a-b"));
	for (size_t i = 0; i < COUNT(bad); i++)
		CHECK(!baseline_name(bad[i]));
}

TEST(rules_thresholds)
{
	static const char *const bad[] = { "", "0", "-1", "x", "10", "1000%", "nan" };
	double v;
	struct err e;

	CHECK_RC(rules_threshold("0.10", &v, &e), OK);
	CHECK(v > 0.0999 && v < 0.1001);
	CHECK_RC(rules_threshold("5%", &v, &e), OK);
	CHECK(v > 0.0499 && v < 0.0501);
	for (size_t i = 0; i < COUNT(bad); i++)
		CHECK_RC(rules_threshold(bad[i], &v, &e), ERR_INVALID);
}

TEST(flame_folds_samples)
{
	static const char *const lines[] = {
		"cohortd ", "\t  55d0 step (/b/cohortd)", "\t  55d1 run (/b/cohortd)",
		"\t  55d2 main (/b/cohortd)", "",
		"cohortd ", "\t  55d0 step+0x12 (/b/cohortd)", "\t  55d1 run+0x3 (/b/cohortd)",
		"\t  55d2 main+0x4 (/b/cohortd)", "",
		"cohortd ", "\t  7f00 [unknown] (/lib/libc.so.6)", "\t  55d2 main (/b/cohortd)", "",
		"perf ", "",
	};
	struct flame *f = flame_new();
	struct buf b = BUF(MB);

	flame_add_svg(f, "none", &b);        /* nothing was seen */
	check_xml(buf_str(&b));
	buf_clear(&b);
	for (size_t i = 0; i < COUNT(lines); i++)
		flame_line(f, str_of(lines[i]));
	CHECK_INT(flame_samples(f), 4);
	flame_add_svg(f, "a & b", &b);
	check_xml(buf_str(&b));
	CHECK(strstr(b.p, "<title>step (2 samples, 50.00 %)</title>") != NULL);
	CHECK(strstr(b.p, "<title>main (3 samples, 75.00 %)</title>") != NULL);
	CHECK(strstr(b.p, "(/lib/libc.so.6) (1 samples") != NULL);
	buf_release(&b);
	flame_free(f);
}
