/*
 * chart_step.c - the step function where the W3C suite does not look: what a
 * session tells its host, in which order, and what stops it.
 *
 * A chart writes its trace with <log label>; effects are written as
 * >event@target (send), !id (cancel), +id (invoke), -id (uninvoke), ^event@id
 * (forward), ~event (dropped), =final.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/limits.h"
#include "chart/chart.h"

struct rig {
	struct chart *c;
	struct session *s;
	struct buf trace;
	int answer;                  /* to sends */
};

static void
on_effect(void *ctx, const struct effect *f)
{
	static const char mark[] = { [EFFECT_SEND] = '>', [EFFECT_CANCEL] = '!',
		[EFFECT_INVOKE] = '+', [EFFECT_UNINVOKE] = '-', [EFFECT_FORWARD] = '^',
		[EFFECT_DROPPED] = '~', [EFFECT_LOG] = '\0', [EFFECT_DONE] = '=' };
	struct rig *r = ctx;
	struct buf *b = &r->trace;

	if (b->n > 0)
		buf_add_char(b, ' ');
	if (mark[f->kind] != '\0')
		buf_add_char(b, mark[f->kind]);
	buf_add(b, f->kind == EFFECT_CANCEL ? f->sendid :
	    f->kind == EFFECT_INVOKE || f->kind == EFFECT_UNINVOKE ? f->invokeid : f->name);
	if (f->target.n > 0)
		buf_add_fmt(b, "@%.*s", FMT(f->target));
	if (f->delay_ms > 0)
		buf_add_fmt(b, "~%lld", (long long)f->delay_ms);
	if (f->kind == EFFECT_FORWARD)
		buf_add_fmt(b, "@%.*s", FMT(f->invokeid));
	if (f->data.kind != VAL_UNDEFINED)
		val_add_json(b, f->data);
}

static int
on_reach(void *ctx, struct str target, struct str type, bool delayed)
{
	struct rig *r = ctx;

	(void)target, (void)type, (void)delayed;
	return r->answer;
}

static struct effect_sink
sink(struct rig *r)
{
	return (struct effect_sink){ .effect = on_effect, .ctx = r, .reach = on_reach };
}

static void
rig_load(struct rig *r, const char *text)
{
	struct err e = { 0 };

	*r = (struct rig){ .trace = BUF(1 * MB) };
	if (chart_from_scxml(&r->c, str_of(text), NULL, &e) != OK)
		test_fail(__FILE__, __LINE__, "%s", e.text);
	r->s = session_new(r->c, S("sid"), VAL_UNDEF, STR_NONE);
}

static int
rig_start(struct rig *r, const char *text)
{
	struct effect_sink out;

	rig_load(r, text);
	out = sink(r);
	return session_start(r->s, &out);
}

static int
rig_event(struct rig *r, const char *name, const char *json)
{
	struct chart_event ev = { .name = str_of(name), .data = VAL_UNDEF };
	struct effect_sink out = sink(r);
	struct err e;
	int rc;

	if (json != NULL)
		CHECK_RC(json_text_to_val(str_of(json), &ev.data, &e), OK);
	buf_clear(&r->trace);
	rc = session_event(r->s, &ev, &out);
	val_drop(ev.data);
	return rc;
}

static void
rig_free(struct rig *r)
{
	session_free(r->s);
	chart_free(r->c);
	buf_release(&r->trace);
}

#define LOGS(id) "<onentry><log label='+" id "'/></onentry><onexit><log label='-" id "'/></onexit>"

/* The active atomic states, parted by blanks. */
static struct str
where(struct rig *r, struct buf *b)
{
	unsigned at[64];
	size_t n = session_configuration(r->s, at, COUNT(at));

	buf_clear(b);
	for (size_t i = 0; i < n; i++)
		buf_add_fmt(b, "%s%.*s", i > 0 ? " " : "", FMT(chart_state_id(r->c, at[i])));
	return buf_str(b);
}

static void
check_where(struct rig *r, const char *want)
{
	struct buf b = BUF(4096);

	CHECK_STR(where(r, &b), want);
	buf_release(&b);
}

/* ---- order and conflicts ------------------------------------------------- */

TEST(step_leaves_inside_out_and_enters_outside_in)
{
	struct rig r;

	CHECK_RC(rig_start(&r, "<scxml><state id='a'>" LOGS("a") "<state id='b'>" LOGS("b")
	    "<transition event='e' target='d'><log label='t'/></transition></state></state>"
	    "<state id='c'>" LOGS("c") "<state id='d'>" LOGS("d") "</state></state></scxml>"), OK);
	CHECK_STR(buf_str(&r.trace), "+a +b");
	CHECK_RC(rig_event(&r, "e", NULL), OK);
	CHECK_STR(buf_str(&r.trace), "-b -a t +c +d");
	rig_free(&r);
}

TEST(step_internal_transition_keeps_its_state)
{
	struct rig r;

	CHECK_RC(rig_start(&r, "<scxml><state id='a'>" LOGS("a")
	    "<transition event='in' type='internal' target='c'/>"
	    "<transition event='out' target='c'/>"
	    "<state id='b'>" LOGS("b") "</state><state id='c'>" LOGS("c") "</state>"
	    "</state></scxml>"), OK);
	CHECK_RC(rig_event(&r, "in", NULL), OK);
	CHECK_STR(buf_str(&r.trace), "-b +c");
	CHECK_RC(rig_event(&r, "out", NULL), OK);
	CHECK_STR(buf_str(&r.trace), "-c -a +a +c");
	rig_free(&r);
}

#define REGIONS                                                              \
	"<scxml><parallel id='p'>"                                           \
	"<transition event='all' target='out'/>"                             \
	"<state id='l'><state id='l1'><transition event='e' target='l2'/>"   \
	"<transition event='x' target='out'/></state>"                       \
	"<state id='l2'/></state>"                                           \
	"<state id='r'><state id='r1'><transition event='e' target='r2'/>"   \
	"<transition event='x' target='r2'/></state>"                        \
	"<state id='r2'/></state>"                                           \
	"</parallel><state id='out'/></scxml>"

/* Goal: a transition from deeper inside wins over the one around it, but not if
 * what it leaves was taken by another region before: appendix D drops it whole. */
TEST(step_a_deeper_source_gives_way_to_an_earlier_region)
{
	struct rig r;

	CHECK_RC(rig_start(&r, "<scxml><parallel id='p'><state id='a'><state id='a1'>"
	    "<transition event='e' target='a2'/></state><state id='a2'/></state>"
	    "<state id='b'><state id='b1'>"
	    "<transition event='e' type='internal' target='b2'/><parallel id='q'>"
	    "<state id='q1'/><state id='q2'><transition event='e' target='out'/></state>"
	    "</parallel></state><state id='b2'/></state></parallel><state id='out'/></scxml>"), OK);
	check_where(&r, "a1 q1 q2");
	CHECK_RC(rig_event(&r, "e", NULL), OK);
	check_where(&r, "a2 b2");
	rig_free(&r);
}

#define SHALLOW(id) "<history id='" id "'><transition target='b'/></history>"
#define DEEP(id) "<history id='" id "' type='deep'><transition target='b'/></history>"

/* Goal: shallow and deep histories of one state are each their own. */
TEST(step_histories_of_both_kinds_side_by_side)
{
	static const char *const orders[] = {
		SHALLOW("h") DEEP("x") DEEP("d"), DEEP("x") SHALLOW("y") DEEP("d") SHALLOW("h"),
		DEEP("d") SHALLOW("h"),
	};

	for (size_t i = 0; i < COUNT(orders); i++) {
		char text[1024];
		struct rig r;

		snprintf(text, sizeof text, "<scxml initial='a2'><state id='s'>%s"
		    "<transition event='leave' target='out'/><state id='a'><state id='a1'/>"
		    "<state id='a2'/></state><state id='b'/></state><state id='out'>"
		    "<transition event='shallow' target='h'/><transition event='deep' "
		    "target='d'/></state></scxml>", orders[i]);
		CHECK_RC(rig_start(&r, text), OK);
		check_where(&r, "a2");
		rig_event(&r, "leave", NULL);
		rig_event(&r, "deep", NULL);
		check_where(&r, "a2");
		rig_event(&r, "leave", NULL);
		rig_event(&r, "shallow", NULL);
		check_where(&r, "a1");
		rig_free(&r);
	}
}

/* Goal: internal events come in the order they were raised, however many wait. */
TEST(step_internal_events_keep_their_order)
{
	struct buf want = BUF(4 * KB);
	struct rig r;

	CHECK_RC(rig_start(&r, "<scxml><datamodel><data id='n' expr='0'/></datamodel>"
	    "<state id='s'><transition event='go'><foreach item='x' array='range(3)'>"
	    "<send event='q' target='#_internal'><param name='n' expr='n'/></send>"
	    "<assign location='n' expr='n + 1'/></foreach></transition>"
	    "<transition event='q'><log label='' expr='_event.data.n'/>"
	    "<foreach item='x' array='range(n &lt; 100 ? 2 : 0)'>"
	    "<send event='q' target='#_internal'><param name='n' expr='n'/></send>"
	    "<assign location='n' expr='n + 1'/></foreach></transition></state></scxml>"), OK);
	CHECK_RC(rig_event(&r, "go", NULL), OK);
	for (int i = 0; i < 101; i++)
		buf_add_fmt(&want, "%s%d", i > 0 ? " " : "", i);
	CHECK_STR(buf_str(&r.trace), want.p);
	buf_release(&want);
	rig_free(&r);
}

TEST(step_regions_move_together_and_the_first_wins_a_conflict)
{
	struct rig r;

	CHECK_RC(rig_start(&r, REGIONS), OK);
	check_where(&r, "l1 r1");
	CHECK_RC(rig_event(&r, "e", NULL), OK);
	check_where(&r, "l2 r2");
	CHECK_RC(rig_event(&r, "all", NULL), OK);
	check_where(&r, "out");
	rig_free(&r);
	CHECK_RC(rig_start(&r, REGIONS), OK);
	CHECK_RC(rig_event(&r, "x", NULL), OK);
	check_where(&r, "out");              /* l1 comes first in the document */
	rig_free(&r);
}

/* Goal: a transition of an inner state wins over one of an outer state that
 * another region chose first. */
TEST(step_deeper_source_preempts)
{
	struct rig r;

	CHECK_RC(rig_start(&r, "<scxml><state id='top'>"
	    "<transition event='e' target='out'/>"
	    "<parallel id='p'><state id='l'><state id='l1'/></state>"
	    "<state id='r'><state id='r1'><transition event='e' target='r2'/></state>"
	    "<state id='r2'/></state></parallel></state><state id='out'/></scxml>"), OK);
	CHECK_RC(rig_event(&r, "e", NULL), OK);
	check_where(&r, "l1 r2");
	rig_free(&r);
}

TEST(step_event_names_match_by_whole_tokens)
{
	static const struct { const char *descriptor, *event; bool match; } rows[] = {
		{ "a", "a", true }, { "a", "a.b", true }, { "a", "ab", false },
		{ "a.*", "a.b.c", true }, { "a.*", "a", true }, { "a.", "a.b", true },
		{ "a.b", "a", false }, { "x a", "a", true }, { "*", "anything", true },
		{ "a.b", "a.bc", false }, { ".*", "q", true }, { "a\n  b", "b", true },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		char text[300];
		struct rig r;

		snprintf(text, sizeof text, "<scxml><state id='s'><transition event='%s' "
		    "target='t'/></state><state id='t'/></scxml>", rows[i].descriptor);
		CHECK_RC(rig_start(&r, text), OK);
		CHECK_RC(rig_event(&r, rows[i].event, NULL), OK);
		if (session_in(r.s, S("t")) != rows[i].match)
			test_fail(__FILE__, __LINE__, "%s and %s", rows[i].descriptor,
			    rows[i].event);
		rig_free(&r);
	}
}

/* ---- history ------------------------------------------------------------- */

#define HISTORY(type)                                                        \
	"<scxml initial='a'><state id='a'>"                                  \
	"<history id='h' type='" type "'><transition target='b'>"            \
	"<log label='default'/></transition></history>"                      \
	"<transition event='leave' target='out'/>"                           \
	"<transition event='within' target='h'/>"                            \
	"<state id='b'><transition event='go' target='c'/></state>"          \
	"<state id='c'><state id='c1'><transition event='go' target='c2'/></state>" \
	"<state id='c2'/></state></state>"                                   \
	"<state id='out'><transition event='back' target='h'/></state></scxml>"

TEST(step_history_shallow_and_deep)
{
	struct rig r;

	CHECK_RC(rig_start(&r, HISTORY("shallow")), OK);
	CHECK_RC(rig_event(&r, "go", NULL), OK);
	CHECK_RC(rig_event(&r, "go", NULL), OK);
	check_where(&r, "c2");
	CHECK_RC(rig_event(&r, "leave", NULL), OK);
	CHECK_RC(rig_event(&r, "back", NULL), OK);
	check_where(&r, "c1");
	rig_free(&r);

	CHECK_RC(rig_start(&r, HISTORY("deep")), OK);
	CHECK_RC(rig_event(&r, "go", NULL), OK);
	CHECK_RC(rig_event(&r, "go", NULL), OK);
	CHECK_RC(rig_event(&r, "leave", NULL), OK);
	CHECK_RC(rig_event(&r, "back", NULL), OK);
	check_where(&r, "c2");
	CHECK_RC(rig_event(&r, "within", NULL), OK);
	check_where(&r, "c2");
	rig_free(&r);
}

TEST(step_history_default_runs_its_content_once)
{
	struct rig r;

	CHECK_RC(rig_start(&r, HISTORY("shallow")), OK);
	CHECK_RC(rig_event(&r, "within", NULL), OK);
	CHECK_STR(buf_str(&r.trace), "");    /* recorded on the way out of a */
	rig_free(&r);
	CHECK_RC(rig_start(&r, "<scxml initial='o'><state id='o'><transition event='e' target='h'/>"
	    "</state><state id='a'>" LOGS("a") "<history id='h'><transition target='b'>"
	    "<log label='default'/></transition></history><state id='b'>" LOGS("b")
	    "</state></state></scxml>"), OK);
	CHECK_RC(rig_event(&r, "e", NULL), OK);
	CHECK_STR(buf_str(&r.trace), "+a default +b");
	rig_free(&r);
}

/* Goal: a history inside its own parent widens or narrows the domain by what
 * it recorded, so only what must be left is left. */
TEST(step_history_domain_follows_what_was_recorded)
{
	struct rig r;

	CHECK_RC(rig_start(&r, "<scxml initial='p'><state id='p'>" LOGS("p")
	    "<history id='h' type='deep'><transition target='y'/></history>"
	    "<state id='a'>" LOGS("a") "<state id='x'><transition event='back' target='h'/>"
	    "</state><state id='y'><transition event='leave' target='o'/></state>"
	    "<transition event='y' target='y'/></state></state>"
	    "<state id='o'><transition event='in' target='x'/></state></scxml>"), OK);
	CHECK_RC(rig_event(&r, "y", NULL), OK);
	CHECK_RC(rig_event(&r, "leave", NULL), OK);
	CHECK_RC(rig_event(&r, "in", NULL), OK);
	CHECK_RC(rig_event(&r, "back", NULL), OK);
	CHECK_STR(buf_str(&r.trace), "");    /* x to y inside a: neither a nor p left */
	check_where(&r, "y");
	rig_free(&r);
}

/* ---- done, data, errors -------------------------------------------------- */

TEST(step_done_data_and_parallel_completion)
{
	struct rig r;

	CHECK_RC(rig_start(&r, "<scxml><parallel id='p'>"
	    "<transition event='done.state.p' target='end'/>"
	    "<transition event='done.state.l'><log label='l' expr='_event.data'/></transition>"
	    "<state id='l'><state id='l1'><transition event='l' target='lf'/></state>"
	    "<final id='lf'><donedata><param name='v' expr='1 + 1'/></donedata></final></state>"
	    "<state id='r'><state id='r1'><transition event='r' target='rf'/></state>"
	    "<final id='rf'/></state></parallel>"
	    "<final id='end'><donedata><content>{\"ok\":true}</content></donedata></final>"
	    "</scxml>"), OK);
	CHECK_RC(rig_event(&r, "l", NULL), OK);
	CHECK_STR(buf_str(&r.trace), "l{\"v\":2}");
	CHECK(!session_over(r.s));
	CHECK_RC(rig_event(&r, "r", NULL), OK);
	CHECK_STR(buf_str(&r.trace), "=end{\"ok\":true}");
	rig_free(&r);
}

TEST(step_error_events_carry_words)
{
	struct rig r;

	CHECK_RC(rig_start(&r, "<scxml><datamodel><data id='x' expr='1'/></datamodel><state>"
	    "<onentry><assign location='x.y' expr='2'/><log label='never'/></onentry>"
	    "<onentry><log label='next block' expr='x'/></onentry>"
	    "<transition event='error.execution'><log label='e' expr='_event.data.message'/>"
	    "</transition></state></scxml>"), OK);
	CHECK_STR(buf_str(&r.trace),
	    "next block1 e\"column 3: cannot set 'y' of a number\"");
	rig_free(&r);
}

TEST(step_system_variables_cannot_be_set)
{
	static const char *const names[] = { "_event", "_sessionid", "_name", "_ioprocessors",
		"_x", "_event.data", "nobody", "data.nobody", "params" };

	for (size_t i = 0; i < COUNT(names); i++) {
		char text[400];
		struct rig r;

		snprintf(text, sizeof text, "<scxml><state><onentry><assign location='%s' "
		    "expr='1'/></onentry><transition event='error.execution' target='f'/></state>"
		    "<final id='f'/></scxml>", names[i]);
		CHECK_RC(rig_start(&r, text), OK);
		if (!session_over(r.s))
			test_fail(__FILE__, __LINE__, "%s was set", names[i]);
		rig_free(&r);
	}
}

TEST(step_params_override_top_level_data_only)
{
	struct effect_sink nobody = { 0 };
	struct val params, data;
	struct buf b = BUF(4096);
	struct session *s;
	struct chart *c;
	struct err e;

	CHECK_RC(chart_from_scxml(&c, S("<scxml><datamodel><data id='x' expr='1'/><data id='y' "
	    "expr='x + 1'/></datamodel><state><datamodel><data id='z' expr='3'/></datamodel>"
	    "<onentry><assign location='y' expr='[y, params.q, data.x]'/></onentry></state></scxml>"),
	    NULL, &e), OK);
	CHECK_RC(json_text_to_val(S("{\"x\":10,\"z\":30,\"q\":5}"), &params, &e), OK);
	s = session_new(c, S("i"), params, STR_NONE);
	val_drop(params);
	CHECK_RC(session_start(s, &nobody), OK);
	data = session_data(s);
	val_add_json(&b, data);
	CHECK_STR(buf_str(&b), "{\"x\":10,\"y\":[11,5,10],\"z\":3}");
	val_drop(data);
	buf_release(&b);
	session_free(s);
	chart_free(c);
}

/* ---- effects ------------------------------------------------------------- */

TEST(step_effects_in_order)
{
	struct rig r;

	CHECK_RC(rig_start(&r, "<scxml><datamodel><data id='x'/></datamodel>"
	    "<state id='s'><onentry><send event='a' target='#_parent'><param name='k' expr='1'/>"
	    "</send><send event='b' delay='1.5s' id='t1'/><send eventexpr=\"'c'\" delayexpr='250'/>"
	    "<cancel sendid='t1'/><send event='i' target='#_internal'/></onentry>"
	    "<invoke type='llm' id='m' autoforward='true'><param name='p' expr=\"'q'\"/></invoke>"
	    "<invoke idlocation='x'/>"
	    "<transition event='i'><log label='i'/></transition>"
	    "<transition event='go' target='f'/></state><final id='f'/></scxml>"), OK);
	CHECK_STR(buf_str(&r.trace), ">a@#_parent{\"k\":1} >b~1500 >c~250 !t1 i +m{\"p\":\"q\"} +s.1");
	CHECK_RC(rig_event(&r, "other", "5"), OK);
	CHECK_STR(buf_str(&r.trace), "^other@m5");
	CHECK_RC(rig_event(&r, "go", NULL), OK);
	CHECK_STR(buf_str(&r.trace), "^go@m -m -s.1 =f");
	CHECK(session_over(r.s));
	CHECK_STR(session_final(r.s), "f");
	CHECK_RC(rig_event(&r, "go", NULL), OK);
	CHECK_STR(buf_str(&r.trace), "");
	rig_free(&r);
}

/* Goal: what the host refuses comes back as the right error, with the id. */
TEST(step_refused_sends_are_error_events)
{
	static const struct { int answer; const char *want; } rows[] = {
		{ ERR_INVALID, "\"error.execution\" \"s1\" +i" },
		{ ERR_CLOSED, "\"error.communication\" \"s1\" +i" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct effect_sink out;
		struct buf plain = BUF(4096);
		struct rig r;

		rig_load(&r, "<scxml><state id='s'><onentry><send event='a' id='s1' target='x'/>"
		    "<log label='never'/></onentry><invoke id='i'/>"
		    "<transition event='error'><log expr='_event.name'/>"
		    "<log expr='_event.sendid ?? null'/></transition></state></scxml>");
		r.answer = rows[i].answer;
		out = sink(&r);
		CHECK_RC(session_start(r.s, &out), OK);
		CHECK_STR(buf_str(&r.trace), rows[i].want);
		buf_release(&plain);
		rig_free(&r);
	}
}

/* Goal: an invoke of a state that is left within the macrostep never starts,
 * and one that has ended is not stopped. */
TEST(step_invokes_start_at_the_end_and_stop_once)
{
	struct chart_event done = { .name = S("done.invoke.b"), .invokeid = S("b"),
		.data = VAL_UNDEF, .serial = 1, .tie = TIE_DONE };
	struct effect_sink out;
	struct rig r;

	CHECK_RC(rig_start(&r, "<scxml><state id='s'><invoke id='a'/><transition target='t'/></state>"
	    "<state id='t'><invoke id='b'><finalize><log label='fin'/></finalize></invoke>"
	    "<transition event='go' target='u'/></state><state id='u'/></scxml>"), OK);
	CHECK_STR(buf_str(&r.trace), "+b");
	out = sink(&r);
	buf_clear(&r.trace);
	CHECK_RC(session_event(r.s, &done, &out), OK);
	CHECK_STR(buf_str(&r.trace), "fin");
	CHECK_RC(rig_event(&r, "go", NULL), OK);
	CHECK_STR(buf_str(&r.trace), "");
	rig_free(&r);
}

TEST(step_cancel_leaves_everything_without_a_final)
{
	struct effect_sink out;
	struct rig r;

	CHECK_RC(rig_start(&r, "<scxml><state id='a'>" LOGS("a") "<invoke id='i'/><state id='b'>"
	    LOGS("b") "</state></state></scxml>"), OK);
	out = sink(&r);
	buf_clear(&r.trace);
	session_cancel(r.s, &out);
	CHECK_STR(buf_str(&r.trace), "-b -a -i");
	CHECK(session_over(r.s) && session_final(r.s).n == 0);
	rig_free(&r);
}

/* ---- bounds -------------------------------------------------------------- */

TEST(step_endless_charts_end_with_a_limit)
{
	static const char *const charts[] = {
		"<scxml><state id='s'><invoke id='i'/><transition event='go' target='a'/></state>"
		"<state id='a'><transition target='b'/></state>"
		"<state id='b'><transition target='a'/></state></scxml>",
		"<scxml><state id='s'><invoke id='i'/><transition event='go'><raise event='go'/>"
		"</transition></state></scxml>",
		"<scxml><state id='s'><invoke id='i'/><transition event='go'>"
		"<foreach item='x' array='range(300)'><foreach item='y' array='range(300)'>"
		"<foreach item='z' array='range(300)'/></foreach></foreach></transition></state></scxml>",
		"<scxml><state id='s'><invoke id='i'/><transition event='go'>"
		"<foreach item='x' array='range(20000)'><raise event='q'/></foreach>"
		"</transition></state></scxml>",
		"<scxml><datamodel><data id='v'/></datamodel><state id='s'><invoke id='i'/>"
		"<transition event='go'><foreach item='x' array='range(20000)'>"
		"<assign location='v' expr='range(40000)'/></foreach></transition></state></scxml>",
	};

	for (size_t i = 0; i < COUNT(charts); i++) {
		struct rig r;

		CHECK_RC(rig_start(&r, charts[i]), OK);
		CHECK_RC(rig_event(&r, "go", NULL), ERR_LIMIT);
		CHECK(session_over(r.s) && session_final(r.s).n == 0);
		CHECK_STR(buf_str(&r.trace), "-i");  /* what runs is stopped */
		CHECK_RC(rig_event(&r, "go", NULL), OK);
		rig_free(&r);
	}
}

/* Goal: data cannot be nested without end, event by event. */
TEST(step_data_that_nests_itself_is_an_error)
{
	struct rig r;

	CHECK_RC(rig_start(&r, "<scxml><datamodel><data id='x' expr='1'/><data id='n' expr='0'/>"
	    "</datamodel><state><transition event='go'><assign location='x' expr='[x]'/>"
	    "<assign location='n' expr='n + 1'/></transition>"
	    "<transition event='error.execution' target='f'/></state><final id='f'/></scxml>"), OK);
	for (int i = 0; i < LIMIT_JSON_DEPTH; i++)
		CHECK_RC(rig_event(&r, "go", NULL), OK);
	CHECK(!session_over(r.s));
	CHECK_RC(rig_event(&r, "go", NULL), OK);
	CHECK(session_over(r.s));
	rig_free(&r);
}

/* The budget of a live session: 2 KB with a little data. */
TEST(step_session_is_small)
{
	struct rig r;

	CHECK_RC(rig_start(&r, "<scxml><datamodel><data id='tries' expr='0'/>"
	    "<data id='goal' expr=\"'write a poem about the sea'\"/><data id='items'>[1,2,3]</data>"
	    "</datamodel><state id='a'><invoke id='m' type='llm'><param name='p' expr='goal'/>"
	    "</invoke><transition event='go' target='b'/></state><state id='b'/></scxml>"), OK);
	if (session_bytes(r.s) > 1024)
		test_fail(__FILE__, __LINE__, "%zu bytes", session_bytes(r.s));
	rig_free(&r);
}
