/*
 * chart_sim.c - charts that run by themselves: time that jumps, charts that
 * invoke charts, and what a file may reach.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "chart/sim.h"

static void
write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	CHECK(f != NULL);
	fputs(text, f);
	CHECK(fclose(f) == 0);
}

/* Runs text as main.scxml of this test's folder. */
static int
run(const char *text, struct buf *said, struct err *e)
{
	const struct sim_options o = { .steps = 2000 };

	write_file("main.scxml", text);
	buf_clear(said);
	*e = (struct err){ 0 };
	return sim_run(S("main.scxml"), &o, said, e);
}

static void
check_end(const char *text, const char *want)
{
	struct buf said = BUF(4096);
	struct err e;
	int rc = run(text, &said, &e);

	if (rc != OK || !str_eq(buf_str(&said), str_of(want)))
		test_fail(__FILE__, __LINE__, "%s\n   got %s %.*s %s", text, rc_name(rc),
		    FMT(buf_str(&said)), e.text);
	buf_release(&said);
}

#define ENDS "<final id='pass'/><final id='fail'/></scxml>"

TEST(sim_time_jumps_in_order)
{
	/* A day in no time; equal delays keep their order; cancel works. */
	check_end("<scxml><state id='s'><onentry><send event='late' delay='24h'/>"
	    "<send event='b' delay='1s'/><send event='c' delay='1s'/><send event='a' delay='10ms'/>"
	    "<send event='never' id='x' delay='2s'/><cancel sendid='x'/></onentry>"
	    "<transition event='a' target='s1'/><transition event='*' target='fail'/></state>"
	    "<state id='s1'><transition event='b' target='s2'/><transition event='*' target='fail'/></state>"
	    "<state id='s2'><transition event='c' target='s3'/><transition event='*' target='fail'/></state>"
	    "<state id='s3'><transition event='late' target='pass'/>"
	    "<transition event='*' target='fail'/></state>" ENDS, "pass");
}

TEST(sim_charts_invoke_charts)
{
	mkdir("sub", 0700);
	write_file("sub/child.scxml", "<scxml><datamodel><data id='x'/></datamodel><state id='s'>"
	    "<onentry><send event='hello' target='#_parent'><param name='x' expr='x'/></send></onentry>"
	    "<transition event='bye' target='f'/></state><final id='f'><donedata><content "
	    "expr='x + 1'/></donedata></final></scxml>");
	check_end("<scxml><state id='s'><invoke id='c' src='file:sub/child.scxml'>"
	    "<param name='x' expr='41'/></invoke>"
	    "<transition event='hello' cond='_event.data.x == 41 &amp;&amp; _event.invokeid == \"c\"'>"
	    "<send event='bye' targetexpr='_event.origin'/></transition>"
	    "<transition event='done.invoke.c' cond='_event.data == 42' target='pass'/>"
	    "<transition event='done.invoke.c' target='fail'/></state>" ENDS, "pass");
}

/* Goal: a stopped child is silent, its timers gone and its late words lost. */
TEST(sim_stopped_child_is_silent)
{
	check_end("<scxml><state id='s'><invoke><content><scxml><state><onentry>"
	    "<send event='up' target='#_parent'/><send event='timer' target='#_parent' delay='1s'/>"
	    "</onentry><onexit><send event='last' target='#_parent'/></onexit></state></scxml></content>"
	    "</invoke><transition event='up' target='t'/></state>"
	    "<state id='t'><onentry><send event='end' delay='5s'/></onentry>"
	    "<transition event='end' target='pass'/><transition event='*' target='fail'/></state>" ENDS,
	    "pass");
}

/* Goal: what a child said before it was stopped stays (SCXML 6.4), and its
 * end, which was queued too, does not; what it says while it is stopped, and
 * later, is ignored. */
TEST(sim_words_before_the_stop_stay)
{
	check_end("<scxml><state id='s'><invoke id='k'><content><scxml><final><onentry>"
	    "<send event='m0' target='#_parent'/><send event='m1' target='#_parent'/></onentry>"
	    "</final></scxml></content></invoke><transition event='m0' target='t'/></state>"
	    "<state id='t'><onentry><send event='end' delay='5s'/></onentry>"
	    "<transition event='m1' target='u'/><transition event='*' target='fail'/></state>"
	    "<state id='u'><transition event='end' target='pass'/>"
	    "<transition event='*' target='fail'/></state>" ENDS, "pass");
}

/* Goal: an invoke that ended and was started again under its id: the end of
 * the first is not the second's, which goes on and is stopped in the end. */
TEST(sim_the_second_of_an_id_is_its_own)
{
	check_end("<scxml><datamodel><data id='n' expr='0'/></datamodel><state id='p'>"
	    "<onentry><assign location='n' expr='n + 1'/></onentry>"
	    "<invoke id='k'><param name='n' expr='n'/><content><scxml><datamodel><data id='n'/>"
	    "</datamodel><state><onentry><send event='m0' target='#_parent'/>"
	    "<send event='tick' delay='1s'/></onentry><transition cond='n == 1' target='f'/>"
	    "<transition event='tick'><send event='late' target='#_parent'/></transition></state>"
	    "<final id='f'/></scxml></content></invoke>"
	    "<transition event='m0' cond='n == 1' target='p'/>"
	    "<transition event='done.invoke.k' target='fail'/>"
	    "<transition event='late' target='pass'/></state>" ENDS, "pass");
}

/* Goal: a session does not fill memory with what it sends. */
TEST(sim_waiting_events_are_bounded)
{
	check_end("<scxml><state id='s'><onentry><foreach item='x' array='range(10001)'>"
	    "<send event='e'/></foreach></onentry><transition event='error.execution' "
	    "target='t'/></state><state id='t'><onentry><foreach item='x' array='range(10001)'>"
	    "<send event='e' delay='1s'/></foreach></onentry>"
	    "<transition event='error.execution' target='pass'/></state>" ENDS, "pass");
}

/* ---- from outside -------------------------------------------------------- */

static int
next_word(void *ctx, struct str *name, struct val *data, struct err *e)
{
	struct str *rest = ctx;

	(void)e;
	*data = val_int((int64_t)rest->n);
	return str_next(rest, ' ', name) && name->n > 0 ? OK : ERR_NOTFOUND;
}

static void
check_outside(const char *text, const char *events, const char *want)
{
	struct str rest = str_of(events);
	const struct sim_options o = { .next = next_word, .ctx = &rest };
	struct buf said = BUF(4096);
	struct err e = { 0 };

	write_file("main.scxml", text);
	if (sim_run(S("main.scxml"), &o, &said, &e) != OK)
		buf_add(&said, str_of(e.text));
	CHECK_STR(buf_str(&said), want);
	buf_release(&said);
}

/* Goal: one at a time, each when the chart is stable and before time passes;
 * who waits for more says where and for what. */
TEST(sim_takes_events_from_outside)
{
	static const char chart[] = "<scxml><state id='a'><onentry><send event='late' delay='1ms'/>"
	    "</onentry><transition event='x' target='b'><send event='y'/></transition>"
	    "<transition event='late' target='late'/></state>"
	    "<parallel id='b'><state id='c'><transition event='y' target='d'/></state>"
	    "<state id='e'><transition event='q.*'/><transition event='x q.*' cond='false'/></state>"
	    "</parallel>"
	    "<state id='d'><transition event='x' cond='_event.data == 3' target='f'/>"
	    "<transition event='x' target='fail'/></state>"
	    "<final id='f'/><final id='late'/><final id='fail'/></scxml>";

	check_outside(chart, "x x 1", "f");
	check_outside(chart, "x x 12", "fail");
	check_outside(chart, "", "late");
	check_outside(chart, "z", "late");
	check_outside("<scxml><parallel id='b'><transition event='up *' target='b'/><state id='c'>"
	    "<transition event='y' target='c'/></state><state id='e'><transition event='q.*'/>"
	    "<transition event='y q.*' cond='false'/></state></parallel></scxml>", "n",
	    "the chart waits for events that nobody sends: in 'c', 'e' for 'up', '*', 'y', 'q'");
	check_outside("<scxml><state id='s'><transition cond='false' target='s'/></state></scxml>", "",
	    "the chart waits for events that nobody sends: in 's' for none");
}

TEST(sim_reaches_only_files_beside_the_chart)
{
	static const char *const names[] = { "/etc/hostname", "../main.scxml", "a/../../b",
		"file:///etc/hostname", "C:x", "a\\b", "http://x/y", "" };
	struct buf said = BUF(4096);
	struct err e;

	for (size_t i = 0; i < COUNT(names); i++) {
		char text[400];

		snprintf(text, sizeof text, "<scxml><datamodel><data id='x' src='%s'/></datamodel>"
		    "<final id='f'/></scxml>", names[i]);
		CHECK_RC(run(text, &said, &e), ERR_DENIED);
	}
	CHECK_RC(run("<scxml><script src='gone.js'/><final/></scxml>", &said, &e), ERR_NOTFOUND);
	CHECK(str_contains(str_of(e.text),
	    S("main.scxml: line 1, column 8: script: cannot read 'gone.js'")));
	CHECK_RC(sim_run(S("nowhere.scxml"), &(struct sim_options){ 0 }, &said, &e), ERR_NOTFOUND);
	buf_release(&said);
}

TEST(sim_what_does_not_end_is_ended)
{
	struct buf said = BUF(4096);
	struct err e;

	CHECK_RC(run("<scxml><state/></scxml>", &said, &e), ERR_TIMEOUT);
	CHECK_RC(run("<scxml><state><onentry><send event='e'/></onentry>"
	    "<transition event='e'><send event='e'/></transition></state></scxml>", &said, &e),
	    ERR_LIMIT);
	CHECK_RC(run("<scxml><state id='a'><transition target='b'/></state>"
	    "<state id='b'><transition target='a'/></state></scxml>", &said, &e), ERR_LIMIT);
	/* A chart that invokes itself is refused at some depth and told so. */
	CHECK_RC(run("<scxml><state><invoke src='main.scxml'/><transition event='error.execution' "
	    "target='f'/><transition event='done.invoke' target='f'/></state><final id='f'/></scxml>",
	    &said, &e), OK);
	CHECK_STR(buf_str(&said), "f");
	buf_release(&said);
}

TEST(sim_unknown_services_and_targets_are_error_events)
{
	check_end("<scxml><state id='a'><invoke typeexpr=\"'llm'\"/><transition event='error.execution' "
	    "target='b'/></state><state id='b'><onentry><send event='e' target='#_nobody'/></onentry>"
	    "<transition event='error.communication' target='c'/></state>"
	    "<state id='c'><onentry><send event='e' target='#_nobody' delay='1s'/></onentry>"
	    "<transition event='error.communication' target='d'/></state>"
	    "<state id='d'><onentry><send event='e' type='fax'/></onentry>"
	    "<transition event='error.execution' target='pass'/></state>" ENDS, "pass");
}

TEST(sim_logs)
{
	const struct sim_options o = { .log = tmpfile() };
	struct buf said = BUF(64);
	char line[100] = "";
	struct err e;

	CHECK(o.log != NULL);
	write_file("main.scxml", "<scxml><final id='f'><onentry><log label='a' expr='[1]'/></onentry>"
	    "</final></scxml>");
	CHECK_RC(sim_run(S("main.scxml"), &o, &said, &e), OK);
	rewind(o.log);
	CHECK(fgets(line, sizeof line, o.log) != NULL);
	CHECK_STR(str_of(line), "a: [1]\n");
	fclose(o.log);
	buf_release(&said);
}
