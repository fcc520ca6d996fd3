/*
 * chart_bound.c - charts that never rest: each ends with its limit, soon, and
 * says why; and a chart is told before it is ended.
 *
 * Nothing here is timed.  A test that takes seconds is ended by the harness,
 * and each of these did, or hung for minutes, when cost grew with pairs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "chart/chart.h"

static void
on_effect(void *ctx, const struct effect *f)
{
	struct buf *b = ctx;

	if (f->kind == EFFECT_LOG)
		buf_add_fmt(b, "[%.*s]", FMT(f->name));
}

/* Starts it and gives `go`; appends what it logs and why it ended. */
static void
play(struct str text, struct buf *out)
{
	struct effect_sink sink = { on_effect, out };
	struct chart_event go = { .name = S("go"), .data = VAL_UNDEF };
	struct session *s;
	struct chart *c;
	struct err e = { 0 };

	if (chart_from_scxml(&c, text, NULL, &e) != OK)
		test_fail(__FILE__, __LINE__, "%s", e.text);
	s = session_new(c, S("sid"), VAL_UNDEF, STR_NONE);
	if (session_start(s, &sink) == OK)
		(void)session_event(s, &go, &sink);
	buf_add_fmt(out, "%.*s%.*s", FMT(session_final(s)), FMT(session_why(s)));
	CHECK(session_over(s) || session_why(s).n == 0);
	session_free(s);
	chart_free(c);
}

static void
check_play(const char *text, const char *want)
{
	struct buf out = BUF(1 * MB);

	play(str_of(text), &out);
	if (!str_eq(buf_str(&out), str_of(want)))
		test_fail(__FILE__, __LINE__, "%s\n   got  %.*s\n   want %s", text,
		    FMT(buf_str(&out)), want);
	buf_release(&out);
}

/* ---- in words ------------------------------------------------------------ */

TEST(bound_names_state_guard_and_last_error)
{
	check_play("<scxml>\n<datamodel><data id='count' expr='0'/></datamodel>\n"
	    "<state id='work'><transition cond='cuont &gt; 3' target='end'/></state>"
	    "<final id='end'/></scxml>",
	    "more than 10000 microsteps in one macrostep; state 'work', guard 'cuont > 3' "
	    "(transition of line 3); last error: column 1: 'cuont' is not declared");
	check_play("<scxml><state id='a'><transition target='b'/></state>\n"
	    "<state id='b'><transition target='a' cond='1 &lt; 2'/></state></scxml>",
	    "more than 10000 microsteps in one macrostep; state 'b', guard '1 < 2' "
	    "(transition of line 2)");
	check_play("<scxml><state id='a'><onentry><foreach item='x' array='range(90000)'>"
	    "<foreach item='y' array='[1]'/></foreach></onentry></state></scxml>",
	    "more than 100000 actions in one macrostep; state 'a'");
	check_play("<scxml><state id='a'><transition event='go'><foreach item='x' "
	    "array='range(20000)'><raise event='q'/></foreach></transition></state></scxml>",
	    "more than 10000 events waiting in the session; state 'a' (transition of line 1)");
	check_play("<scxml><datamodel><data id='v'/></datamodel><state id='a'><onentry>"
	    "<foreach item='x' array='range(20000)'><assign location='v' expr='range(40000)'/>"
	    "</foreach></onentry></state></scxml>",
	    "more than 5000000 steps of work in one macrostep; state 'a'");
}

/* Goal: error.execution first, ahead of what makes the loop; the chart may
 * deal with it, once. */
TEST(bound_is_told_to_the_chart_first)
{
	check_play("<scxml><state id='r'><transition event='error.execution' target='f'>"
	    "<log label='told'/></transition>"
	    "<state id='a'><transition target='b'/></state>"
	    "<state id='b'><transition target='a'/></state></state><final id='f'/></scxml>",
	    "[told]f");
	check_play("<scxml><state id='a'><transition event='error.execution' target='f'/>"
	    "<transition event='go'><raise event='go'/></transition></state><final id='f'/></scxml>",
	    "f");
	check_play("<scxml><state id='a'><transition event='error.execution' target='f'/>"
	    "<transition event='go'><foreach item='x' array='range(20000)'><raise event='q'/>"
	    "</foreach></transition></state><final id='f'/></scxml>", "f");
	check_play("<scxml><state id='a'><transition event='error.execution' target='f'/>"
	    "<transition event='go'><foreach item='x' array='range(300)'>"
	    "<foreach item='y' array='range(900)'><if cond='1'/></foreach></foreach>"
	    "</transition></state><final id='f'/></scxml>",
	    "f");
	/* A loop that takes the error and goes on is ended all the same. */
	check_play("<scxml><state id='r'><transition event='*'/>"
	    "<state id='a'><transition target='b'/></state>"
	    "<state id='b'><transition target='a'/></state></state></scxml>",
	    "more than 10000 microsteps in one macrostep; state 'a' (transition of line 1)");
}

/* Goal: what is in the queue when it overflows goes with it: a chart that dealt
 * with that is not overrun by the rest. */
TEST(bound_of_the_queue_empties_it)
{
	check_play("<scxml><state id='a'><transition event='error.execution' target='b'>"
	    "<log label='told'/></transition><transition event='go'><foreach item='x' "
	    "array='range(20000)'><raise event='q'/></foreach></transition></state>"
	    "<state id='b'><transition event='q' target='f'/></state><final id='f'/></scxml>",
	    "[told]");
}

/* Goal: words are cut between characters, wherever the cut comes. */
TEST(bound_words_are_cut_between_characters)
{
	static const char *const chars[] = { "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80" };

	for (size_t i = 0; i < 12; i++) {
		struct buf text = BUF(LIMIT_CHART_BYTES), out = BUF(1 * MB);

		buf_lit(&text, "<scxml><state id='a'><transition target='a' cond='1 &lt; 2 || \"");
		for (size_t k = 0; k < i % 4; k++)
			buf_add_char(&text, 'x');
		for (size_t k = 0; k < 80; k++)
			buf_add(&text, str_of(chars[i / 4]));
		buf_lit(&text, "\" == 1'/></state></scxml>");
		play(buf_str(&text), &out);
		CHECK(str_contains(buf_str(&out), S("guard '1 < 2 || \"")));
		CHECK(str_is_utf8(buf_str(&out)));
		buf_release(&text);
		buf_release(&out);
	}
}

/* ---- in time ------------------------------------------------------------- */

static void
add_regions(struct buf *b, unsigned n, const char *region)
{
	buf_lit(b, "<scxml><parallel id='p'>");
	for (unsigned i = 0; i < n; i++) {
		struct str rest = str_of(region), part;

		while (str_next(&rest, '@', &part)) {
			buf_add(b, part);
			if (rest.n > 0)
				buf_add_u64(b, i);
		}
	}
	buf_lit(b, "</parallel></scxml>");
}

/* Goal: 1,300 regions (800 where each has five states) that move for ever, in
 * six ways, end with a limit. */
TEST(bound_many_regions_that_move_for_ever)
{
	static const char *const regions[] = {
		/* by eventless transitions, by events */
		"<state id='r@'><state id='a@'><transition target='b@'/></state>"
		"<state id='b@'><transition target='a@'/></state></state>",
		"<state id='r@'><state id='a@'><onentry><raise event='e'/></onentry>"
		"<transition event='e' target='b@'/></state>"
		"<state id='b@'><transition event='e' target='a@'/></state></state>",
		/* in and out of a final state */
		"<state id='r@'><transition target='f@'/><state id='a@'/><final id='f@'/></state>",
		/* through a history, and past a default that runs each time */
		"<state id='r@'><state id='a@'><history id='h@'><transition target='x@'/></history>"
		"<transition target='b@'/><state id='x@'/></state>"
		"<state id='b@'><transition target='h@'/></state></state>",
		"<state id='r@'><history id='h@'><transition target='x@'><log/></transition>"
		"</history><state id='x@'><transition target='h@'/></state></state>",
		/* guards that fail */
		"<state id='r@'><transition cond='nobody'/><state id='a@'>"
		"<transition cond='In(&quot;a@&quot;)' target='a@'/></state></state>",
	};

	for (size_t i = 0; i < COUNT(regions); i++) {
		struct buf text = BUF(LIMIT_CHART_BYTES), out = BUF(1 * MB);

		add_regions(&text, i == 3 ? 800 : 1300, regions[i]);
		play(buf_str(&text), &out);
		if (!str_starts(buf_str(&out), S("more than ")) &&
		    !str_starts(buf_str(&out), S("[]")))
			test_fail(__FILE__, __LINE__, "%zu: %.*s", i, FMT(str_sub(buf_str(&out),
			    0, 200)));
		buf_release(&text);
		buf_release(&out);
	}
}

/* Goal: transitions of the state around many regions are asked once, and the
 * targets of one transition lead through a state around them once. */
TEST(bound_what_regions_share_is_asked_once)
{
	struct buf text = BUF(LIMIT_CHART_BYTES), out = BUF(1 * MB);

	buf_lit(&text, "<scxml><state id='top'>");
	for (int i = 0; i < 3000; i++)
		buf_lit(&text, "<transition cond='false' target='p'/>");
	buf_lit(&text, "<transition target='");
	for (int i = 0; i < 256; i++)
		buf_add_fmt(&text, "b%d ", i * 7);
	buf_lit(&text, "'/><parallel id='p'>");
	for (int i = 0; i < 1900; i++)
		buf_add_fmt(&text, "<state id='r%d'><state id='b%d'/></state>", i, i);
	buf_lit(&text, "</parallel></state></scxml>");
	CHECK(!text.failed);
	play(buf_str(&text), &out);
	CHECK(str_starts(buf_str(&out), S("more than 5000000 steps of work")));
	buf_release(&text);
	buf_release(&out);
}

/* Goal: a transition to many of a thousand regions costs about what they do, not
 * as much for each target: fifty of them are one macrostep. */
TEST(bound_many_targets_at_once)
{
	struct buf text = BUF(LIMIT_CHART_BYTES), out = BUF(1 * MB);

	buf_lit(&text, "<scxml><datamodel><data id='i' expr='0'/></datamodel><state id='top'>"
	    "<transition event='go' cond='i &lt; 50' target='");
	for (int i = 0; i < 250; i++)
		buf_add_fmt(&text, "b%d ", i * 4);
	buf_lit(&text, "'><assign location='i' expr='i + 1'/><raise event='go'/></transition>"
	    "<transition event='go' target='f'/><parallel id='p'>");
	for (int i = 0; i < 1000; i++)
		buf_add_fmt(&text, "<state id='r%d'><state id='b%d'/></state>", i, i);
	buf_lit(&text, "</parallel></state><final id='f'/></scxml>");
	CHECK(!text.failed);
	play(buf_str(&text), &out);
	CHECK_STR(buf_str(&out), "f");
	buf_release(&text);
	buf_release(&out);
}

/* Goal: blocks without content are not free either. */
TEST(bound_many_empty_blocks)
{
	struct buf text = BUF(LIMIT_CHART_BYTES), out = BUF(1 * MB);

	buf_lit(&text, "<scxml><state id='a'>");
	for (int i = 0; i < 90000; i++)
		buf_lit(&text, "<onentry/>");
	buf_lit(&text, "<transition target='a'/></state></scxml>");
	play(buf_str(&text), &out);
	CHECK(str_starts(buf_str(&out), S("more than 5000000 steps of work")));
	buf_release(&text);
	buf_release(&out);
}

/* Goal: a constant that is copied by each action counts as work. */
TEST(bound_copies_of_a_large_constant)
{
	struct buf text = BUF(LIMIT_CHART_BYTES), out = BUF(1 * MB);

	buf_lit(&text, "<scxml><datamodel><data id='x'/></datamodel><state id='a'>"
	    "<transition target='a'><assign location='x'>[0");
	for (int i = 0; i < 200000; i++)
		buf_lit(&text, ",1");
	buf_lit(&text, "]</assign></transition></state></scxml>");
	play(buf_str(&text), &out);
	CHECK(str_starts(buf_str(&out), S("more than 5000000 steps of work")));
	buf_release(&text);
	buf_release(&out);
}

/* ---- expressions over large values --------------------------------------- */

/* A text of 4 MB and its twin; 1,000 references to a list of 45,000, and as
 * many to one that differs at its end. */
#define LARGE                                                                 \
	"<scxml><datamodel><data id='x' expr=\"'a'\"/><data id='y'/>"         \
	"<data id='a' expr='range(45000)'/><data id='b' expr='range(45000)'/>" \
	"<data id='xs'/><data id='ys'/></datamodel><state id='s'><onentry><script>" \
	"x=x+x;x=x+x;x=x+x;x=x+x;x=x+x;x=x+x;x=x+x;x=x+x;x=x+x;x=x+x;x=x+x;"  \
	"x=x+x;x=x+x;x=x+x;x=x+x;x=x+x;x=x+x;x=x+x;x=x+x;x=x+x;x=x+x;x=x+x;"  \
	"y=x+'';b[44999]=1;xs=map(range(1000), i =&gt; a);ys=map(range(1000), i =&gt; b)</script></onentry>" \
	"<state id='t'><transition target='t' cond=\"%s\">%s</transition></state></state></scxml>"

/* Goal: reading, comparing and copying what is large is work, whoever does it;
 * each of these ran for minutes or hours, or took gigabytes. */
TEST(bound_expressions_over_large_values)
{
	static const struct { const char *cond, *content; } rows[] = {
		{ "split(x, '') != x", "" }, { "map(range(10000), i =&gt; len(x))", "" },
		{ "map(range(50000), i =&gt; x[4000000])", "" }, { "x == y", "" }, { "x >= y", "" },
		{ "!contains(x, slice(x, 0, 2000000) + 'b')", "" },
		{ "replace(x, 'b', '') == x", "" }, { "max(x, y) == x", "" },
		{ "xs != ys || true", "" }, { "!contains(xs, b)", "" }, { "!(b in xs)", "" },
		{ "unique(concat(xs, ys)) || true", "" },
		{ "In(x) || {a: 1}[x] || true", "" },
		{ "map(range(30000), i =&gt; '%060000d') || true", "" },
		{ "true", "<foreach item='i' array='a'><assign location='y' expr='a'/>"
		  "<assign location='a[0]' expr='[i]'/></foreach>" },
		{ "true", "<send eventexpr='x' target='#_internal'/>" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf text = BUF(LIMIT_CHART_BYTES), cond = BUF(LIMIT_CHART_BYTES);
		struct buf out = BUF(1 * MB);
		struct str rest = str_of(rows[i].cond), part;

		/* '%060000d' stands for 60,000 zeros. */
		(void)str_next(&rest, '%', &part);
		buf_add(&cond, part);
		for (int k = 0; k < 60000 && rest.n > 0; k++)
			buf_add_char(&cond, '0');
		buf_add(&cond, str_sub(rest, rest.n > 0 ? 7 : 0, SIZE_MAX));
		buf_add_fmt(&text, LARGE, cond.p, rows[i].content);
		play(buf_str(&text), &out);
		if (!str_starts(buf_str(&out), S("more than ")))
			test_fail(__FILE__, __LINE__, "%s: %.*s", rows[i].cond,
			    FMT(buf_str(&out)));
		buf_release(&text);
		buf_release(&cond);
		buf_release(&out);
	}
}
