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
	CHECK_RC(run("<scxml><datamodel><data id='x' src='gone'/></datamodel><final/></scxml>",
	    &said, &e), ERR_NOTFOUND);
	CHECK(str_contains(str_of(e.text), S("line 1, column 19: data: cannot read 'gone'")));
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
	check_end("<scxml><state id='a'><invoke type='llm'/><transition event='error.execution' "
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
