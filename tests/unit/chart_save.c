/*
 * chart_save.c - snapshots: a session that was saved and restored between any
 * two events goes on exactly as the one that was not.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "chart/chart.h"

static void
on_effect(void *ctx, const struct effect *f)
{
	struct buf *b = ctx;

	buf_add_fmt(b, "%d(%.*s|%.*s|%.*s|%.*s|%lld|", f->kind, FMT(f->name), FMT(f->target),
	    FMT(f->sendid), FMT(f->invokeid), (long long)f->delay_ms);
	val_add_json(b, f->data);
	buf_add_fmt(b, "|%.*s|%.*s)", FMT(f->src), FMT(f->content));
}

static void
give(struct session *s, const char *event, struct buf *trace)
{
	struct effect_sink out = { .effect = on_effect, .ctx = trace };
	struct chart_event ev = { .data = VAL_UNDEF };
	struct str rest = str_of(event), name, id;
	struct err e;

	/* "name json#serial!", what comes after the name optional; `!` ends */
	(void)str_next(&rest, ' ', &name);
	ev.name = name;
	if (rest.n > 0 && str_next(&rest, '#', &id) && id.n > 0)
		CHECK_RC(json_text_to_val(id, &ev.data, &e), OK);
	ev.serial = (uint32_t)strtoul(rest.n > 0 ? rest.p : "0", NULL, 10);
	ev.tie = str_ends(rest, S("!")) ? TIE_DONE : TIE_NONE;
	CHECK_RC(session_event(s, &ev, &out), OK);
	val_drop(ev.data);
}

static const struct scene {
	const char *chart;
	const char *events[8];
} scenes[] = {
	{ "<scxml><datamodel><data id='n' expr='0'/><data id='u'/><data id='o'>{\"a\":[1,2.5]}</data>"
	  "</datamodel><state id='a'><transition event='go' cond='n &lt; 2' target='a'>"
	  "<assign location='n' expr='n + 1'/><assign location='o.a[2]' expr='_event.data'/>"
	  "<send event='x' idlocation='u' delay='1s'/></transition>"
	  "<transition event='go' target='f'/></state>"
	  "<final id='f'><donedata><content expr='{n, o, u}'/></donedata></final></scxml>",
	  { "go 1", "go {\"k\":\"v\"}", "other", "go" } },
	{ "<scxml><state id='a'><history id='h' type='deep'><transition target='b'/></history>"
	  "<state id='b'><transition event='n' target='c'/></state>"
	  "<state id='c'><state id='d'><transition event='n' target='e'/></state><state id='e'/></state>"
	  "<transition event='out' target='z'/></state>"
	  "<state id='z'><onentry><log label='z'/></onentry><transition event='back' target='h'/></state>"
	  "</scxml>", { "n", "n", "out", "back", "out", "back" } },
	{ "<scxml><parallel id='p'><state id='l'><state id='l1'><invoke type='llm' id='m'>"
	  "<param name='q' expr=\"'hi'\"/><finalize><log label='fin'/></finalize></invoke>"
	  "<transition event='done.invoke.m' target='l2'/></state><final id='l2'/></state>"
	  "<state id='r'><invoke><content><scxml><state/></scxml></content></invoke>"
	  "<state id='r1'><transition event='tick' target='r1'><log label='t'/></transition>"
	  "<transition event='stop' target='r2'/></state><final id='r2'/></state>"
	  "<transition event='done.state.p' target='f'/></parallel><final id='f'/></scxml>",
	  { "tick", "note 1#1", "done.invoke.m {\"text\":\"yo\"}#1!", "tick", "stop" } },
	{ "<scxml binding='late'><datamodel><data id='top' expr='1'/></datamodel>"
	  "<state id='a'><transition event='go' target='b'/></state>"
	  "<state id='b'><datamodel><data id='v' expr='5'/></datamodel>"
	  "<onentry><log expr='v'/></onentry><transition event='go' target='a'>"
	  "<assign location='v' expr='v + 1'/></transition></state></scxml>",
	  { "go", "go", "go", "go", "go" } },
};

/* Runs the events from `at` on, leaving the trace and the last snapshot. */
static void
play(struct session *s, const struct scene *scene, size_t at, struct buf *trace)
{
	for (size_t i = at; scene->events[i] != NULL; i++)
		give(s, scene->events[i], trace);
	session_save(s, trace);
}

static void
check_scene(const struct scene *scene, size_t cut)
{
	struct buf before = BUF(64 * KB), a = BUF(64 * KB), b = BUF(64 * KB);
	struct buf saved = BUF(64 * KB), again = BUF(64 * KB), restart = BUF(64 * KB);
	struct effect_sink out = { .effect = on_effect, .ctx = &before };
	struct effect_sink out2 = { .effect = on_effect, .ctx = &restart };
	struct session *s, *copy;
	struct chart *c;
	struct err e = { 0 };

	if (chart_from_scxml(&c, str_of(scene->chart), NULL, &e) != OK)
		test_fail(__FILE__, __LINE__, "%s", e.text);
	s = session_new(c, S("id"), VAL_UNDEF, S("parent"));
	CHECK_RC(session_start(s, &out), OK);
	for (size_t i = 0; i < cut; i++)
		give(s, scene->events[i], &before);
	session_save(s, &saved);
	if (session_restore(&copy, c, S("id"), buf_str(&saved), &out2, &e) != OK)
		test_fail(__FILE__, __LINE__, "%s\n%.*s", e.text, FMT(buf_str(&saved)));
	session_save(copy, &again);
	if (!str_eq(buf_str(&saved), buf_str(&again)))
		test_fail(__FILE__, __LINE__, "saved   %.*s\nrestored %.*s", FMT(buf_str(&saved)),
		    FMT(buf_str(&again)));
	CHECK(session_over(copy) == session_over(s));
	play(s, scene, cut, &a);
	play(copy, scene, cut, &b);
	if (!str_eq(buf_str(&a), buf_str(&b)))
		test_fail(__FILE__, __LINE__, "cut %zu:\n%.*s\n%.*s", cut, FMT(buf_str(&a)),
		    FMT(buf_str(&b)));
	session_free(s);
	session_free(copy);
	chart_free(c);
	buf_release(&before), buf_release(&a), buf_release(&b);
	buf_release(&saved), buf_release(&again), buf_release(&restart);
}

TEST(save_and_restore_at_every_macrostep)
{
	for (size_t i = 0; i < COUNT(scenes); i++)
		for (size_t cut = 0; cut == 0 || scenes[i].events[cut - 1] != NULL; cut++)
			check_scene(&scenes[i], cut);
}

/* Goal: exactly the invokes that were under way start again, as they were,
 * whatever the data says by now. */
TEST(restore_starts_what_was_under_way)
{
	struct buf saved = BUF(64 * KB), trace = BUF(64 * KB);
	struct effect_sink out = { .effect = on_effect, .ctx = &trace };
	struct session *s, *copy;
	struct chart *c;
	struct err e;

	CHECK_RC(chart_from_scxml(&c, S("<scxml><datamodel><data id='q' expr=\"'first'\"/></datamodel>"
	    "<state id='s'><invoke id='a' type='llm'><param name='p' expr='q'/></invoke>"
	    "<invoke id='b' type='llm'/><invoke id='d' type='tool'/>"
	    "<transition event='set'><assign location='q' expr=\"'second'\"/></transition>"
	    "</state></scxml>"), NULL, &e), OK);
	s = session_new(c, S("id"), VAL_UNDEF, STR_NONE);
	CHECK_RC(session_start(s, &out), OK);
	give(s, "set", &trace);
	give(s, "done.invoke.b {}#2!", &trace);
	give(s, "error.tool.gone {}#3!", &trace);
	session_save(s, &saved);
	buf_clear(&trace);
	CHECK_RC(session_restore(&copy, c, S("id"), buf_str(&saved), &out, &e), OK);
	CHECK_STR(buf_str(&trace), "2(|||a|0|{\"p\":\"first\"}||)");
	session_free(s);
	session_free(copy);
	chart_free(c);
	buf_release(&saved);
	buf_release(&trace);
}

TEST(restore_without_the_service_is_an_error_event)
{
	struct effect_sink nobody = { 0 };
	struct chart_event failed = { .name = S("error.communication"), .serial = 1,
		.tie = TIE_ERROR };
	struct buf saved = BUF(64 * KB);
	struct session *s, *copy;
	struct chart *c;
	struct err e;

	CHECK_RC(chart_from_scxml(&c, S("<scxml><state id='s'><invoke id='a'/>"
	    "<transition event='error.communication' target='f'/></state><final id='f'/></scxml>"),
	    NULL, &e), OK);
	s = session_new(c, S("id"), VAL_UNDEF, STR_NONE);
	CHECK_RC(session_start(s, &nobody), OK);
	session_save(s, &saved);
	CHECK_RC(session_restore(&copy, c, S("id"), buf_str(&saved), &nobody, &e), OK);
	CHECK_RC(session_event(copy, &failed, &nobody), OK);
	CHECK_STR(session_final(copy), "f");
	session_free(s);
	session_free(copy);
	chart_free(c);
	buf_release(&saved);
}

/* Goal: a snapshot goes with the states it was taken of.  Those without an id
 * go by their number, which another state may have by now. */
TEST(restore_refuses_other_states)
{
#define ONE(states) "<scxml><parallel>" states "</parallel></scxml>"
	static const struct { const char *chart; bool fits; } rows[] = {
		{ ONE("<state/><state id='a'/>"), true },
		{ ONE("<state><onentry><log/></onentry></state><state id='a'/>"), true },
		{ ONE("<state id='a'/><state/>"), false },
		{ ONE("<state/><state id='b'/>"), false },
		{ ONE("<state/><state/><state id='a'/>"), false },
		{ ONE("<state><invoke/></state><state id='a'/>"), false },
		{ ONE("<state><state/></state><state id='a'/>"), false },
	};
	struct effect_sink nobody = { 0 };
	struct buf saved = BUF(64 * KB);
	struct session *s;
	struct chart *c;
	struct err e;

	CHECK_RC(chart_from_scxml(&c, str_of(rows[0].chart), NULL, &e), OK);
	s = session_new(c, S("id"), VAL_UNDEF, STR_NONE);
	CHECK_RC(session_start(s, &nobody), OK);
	session_save(s, &saved);
	session_free(s);
	chart_free(c);
	for (size_t i = 0; i < COUNT(rows); i++) {
		int rc;

		CHECK_RC(chart_from_scxml(&c, str_of(rows[i].chart), NULL, &e), OK);
		rc = session_restore(&s, c, S("id"), buf_str(&saved), &nobody, &e);
		if (rc != (rows[i].fits ? OK : ERR_CONFLICT))
			test_fail(__FILE__, __LINE__, "%s: %s", rows[i].chart, rc_name(rc));
		if (rc == OK)
			session_free(s);
		else
			CHECK(str_contains(str_of(e.text), S("its states or invokes have changed")));
		chart_free(c);
	}
	buf_release(&saved);
}

/* Goal: undefined is not null afterwards, wherever it stands, and members keep
 * their order. */
TEST(restore_keeps_undefined)
{
	static const char chart[] = "<scxml><datamodel><data id='u'/><data id='n' expr='null'/>"
	    "<data id='o'/></datamodel><state id='s'><onentry><script>o = {a: u, b: [1, u, n, "
	    "{c: u}], z: n}</script></onentry>"
	    "<invoke type='llm' id='i'><param name='p' expr='[u, 1]'/></invoke>"
	    "<transition event='go'><log expr=\"keys(o)\"/>"
	    "<log expr=\"[typeof u, typeof n, typeof o.a, typeof o.b[1], typeof o.b[2], "
	    "typeof o.b[3].c, len(o.b), typeof o.z]\"/></transition></state></scxml>";
	struct buf saved = BUF(64 * KB), again = BUF(64 * KB), a = BUF(64 * KB), b = BUF(64 * KB);
	struct effect_sink out = { .effect = on_effect, .ctx = &a }, quiet = { 0 };
	struct session *s, *copy;
	struct chart *c;
	struct err e;

	CHECK_RC(chart_from_scxml(&c, str_of(chart), NULL, &e), OK);
	s = session_new(c, S("id"), VAL_UNDEF, STR_NONE);
	CHECK_RC(session_start(s, &out), OK);
	session_save(s, &saved);
	CHECK(str_contains(buf_str(&saved), S("\"data_undefined\":[[\"o\",\"a\"],[\"o\","
	    "\"b\",1],[\"o\",\"b\",3,\"c\"]]")));
	CHECK_RC(session_restore(&copy, c, S("id"), buf_str(&saved), &quiet, &e), OK);
	session_save(copy, &again);
	CHECK(str_eq(buf_str(&saved), buf_str(&again)));
	buf_clear(&a);
	give(s, "go", &a);
	give(copy, "go", &b);
	CHECK(str_eq(buf_str(&a), buf_str(&b)));
	CHECK(str_contains(buf_str(&b), S("[\"undefined\",\"null\",\"undefined\","
	    "\"undefined\",\"null\",\"undefined\",4,\"null\"]")));
	session_free(s);
	session_free(copy);
	chart_free(c);
	buf_release(&saved), buf_release(&again), buf_release(&a), buf_release(&b);
}

/* Goal: a restored invoke has the serial number it had, and the next another. */
TEST(restore_keeps_serial_numbers)
{
	struct buf saved = BUF(64 * KB), trace = BUF(64 * KB);
	struct effect_sink out = { .effect = on_effect, .ctx = &trace };
	struct session *s;
	struct chart *c;
	struct err e;

	CHECK_RC(chart_from_scxml(&c, S("<scxml><state id='s'><invoke id='a' type='llm'/>"
	    "<transition event='again' target='s'/><transition event='done.invoke.a' target='f'/>"
	    "</state><final id='f'/></scxml>"), NULL, &e), OK);
	s = session_new(c, S("id"), VAL_UNDEF, STR_NONE);
	CHECK_RC(session_start(s, &out), OK);
	give(s, "again", &trace);
	session_save(s, &saved);
	session_free(s);
	CHECK_RC(session_restore(&s, c, S("id"), buf_str(&saved), &out, &e), OK);
	give(s, "done.invoke.a {}#1!", &trace);
	CHECK(!session_over(s));             /* of the one before */
	give(s, "again", &trace);
	give(s, "done.invoke.a {}#2!", &trace);
	CHECK(!session_over(s));
	give(s, "done.invoke.a {}#3!", &trace);
	CHECK(session_over(s));
	session_free(s);
	chart_free(c);
	buf_release(&saved);
	buf_release(&trace);
}

/* Goal: whoever asks later how it ended gets the same answer. */
TEST(restore_of_a_session_that_is_over)
{
	struct buf saved = BUF(64 * KB), trace = BUF(64 * KB);
	struct effect_sink out = { on_effect, &trace };
	struct session *s, *copy;
	struct chart *c;
	struct err e;

	CHECK_RC(chart_from_scxml(&c, S("<scxml><state id='a'><transition event='go' "
	    "target='f'/></state><final id='f'/></scxml>"), NULL, &e), OK);
	s = session_new(c, S("sid"), VAL_UNDEF, STR_NONE);
	CHECK_RC(session_start(s, &out), OK);
	give(s, "go", &trace);
	session_save(s, &saved);
	buf_clear(&trace);
	CHECK_RC(session_restore(&copy, c, S("sid"), buf_str(&saved), &out, &e), OK);
	give(copy, "go", &trace);
	CHECK(session_over(copy) && trace.n == 0);
	CHECK_STR(session_final(s), "f");
	CHECK_STR(session_final(copy), "f");
	session_free(s);
	session_free(copy);
	chart_free(c);
	buf_release(&saved);
	buf_release(&trace);
}

/* Goal: an empty finalize changes what the answer names, and nothing else. */
TEST(finalize_that_is_empty_keeps_what_is_not_named)
{
	struct buf trace = BUF(64 * KB);
	struct effect_sink out = { on_effect, &trace };
	struct session *s;
	struct chart *c;
	struct err e;

	CHECK_RC(chart_from_scxml(&c, S("<scxml><datamodel><data id='x' expr='1'/>"
	    "<data id='y' expr='2'/></datamodel><state id='p'><invoke id='k' type='llm'>"
	    "<param name='x' location='x'/><param name='y' location='y'/><finalize/></invoke>"
	    "<transition event='m'><log label='now' expr='[x, y]'/></transition>"
	    "</state></scxml>"), NULL, &e), OK);
	s = session_new(c, S("sid"), VAL_UNDEF, STR_NONE);
	CHECK_RC(session_start(s, &out), OK);
	buf_clear(&trace);
	give(s, "m {\"x\":7}#1", &trace);
	CHECK(str_contains(buf_str(&trace), S("now")) &&
	    str_contains(buf_str(&trace), S("[7,2]")));
	session_free(s);
	chart_free(c);
	buf_release(&trace);
}

#define INVOKE_1 "{\"state\":\"c\",\"n\":0,\"serial\":1,\"id\":\"i\",\"type\":\"t\"}"

TEST(restore_refuses_what_does_not_fit)
{
	static const char chart[] = "<scxml><datamodel><data id='x'/></datamodel>"
	    "<state id='a'><history id='h'><transition target='b'/></history><state id='b'/>"
	    "<state id='c'><invoke/></state><state id='d'><state id='d1'/></state></state>"
	    "<parallel id='p'><state id='q'/><state id='r'/></parallel></scxml>";
	static const struct { const char *text, *want; } rows[] = {
		{ "", "" }, { "[]", "a snapshot is an object" }, { "{", "" },
		{ "{\"states\":[\"zz\"]}", "no state 'zz'" },
		{ "{\"states\":[]}", "the active states inside" },
		{ "{\"states\":[\"b\",\"c\"]}", "the active states inside 'a'" },
		{ "{\"states\":[\"a\"]}", "the active states inside 'a'" },
		{ "{\"states\":[\"q\"]}", "the active states inside 'p'" },
		{ "{\"states\":[\"b\",\"q\",\"r\"]}", "the active states inside" },
		{ "{\"states\":[\"h\"]}", "cannot be active" },
		{ "{\"states\":[\"b\"],\"data\":{\"y\":1}}", "no data 'y'" },
		{ "{\"states\":[\"b\"],\"unset\":[\"y\"]}", "no data 'y'" },
		{ "{\"states\":[\"b\"],\"history\":{\"b\":[]}}", "no history 'b'" },
		{ "{\"states\":[\"b\"],\"history\":{\"h\":[\"q\"]}}", "not in the history's state: 'q'" },
		{ "{\"states\":[\"b\"],\"history\":{\"h\":[\"d1\"]}}", "not in the history's state: 'd1'" },
		{ "{\"states\":[\"b\"],\"final\":\"zz\"}", "no state 'zz'" },
		{ "{\"states\":[\"b\"],\"invokes\":[{\"state\":\"c\",\"n\":0}]}", "no invoke in 'c'" },
		{ "{\"states\":[\"c\"],\"invokes\":[{\"state\":\"c\",\"n\":1}]}", "no invoke in 'c'" },
		{ "{\"states\":[\"c\"],\"invokes\":[{\"state\":\"c\",\"n\":0}]}", "without id or type" },
		{ "{\"states\":[\"c\"],\"invokes\":[{\"state\":\"c\",\"n\":0,\"serial\":1}]}",
		  "serial number" },
		{ "{\"states\":[\"c\"],\"serial\":1,\"invokes\":[" INVOKE_1 "," INVOKE_1 "]}",
		  "serial number" },
		{ "{\"shape\":\"0\",\"states\":[\"c\"]}", "its states or invokes have changed" },
		{ "{\"states\":[\"b\"],\"data\":{\"x\":1},\"data_undefined\":[[\"x\",0]]}",
		  "no place for 'undefined'" },
		{ "{\"states\":[\"b\"],\"data\":{\"x\":1},\"data_undefined\":[[]]}",
		  "no path to 'undefined'" },
	};
	struct effect_sink nobody = { 0 };
	struct chart *c;
	struct err e;

	CHECK_RC(chart_from_scxml(&c, str_of(chart), NULL, &e), OK);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct session *s;
		int rc = session_restore(&s, c, S("id"), str_of(rows[i].text), &nobody, &e);

		if (rc == OK || s != NULL || !str_contains(str_of(e.text), str_of(rows[i].want)))
			test_fail(__FILE__, __LINE__, "%s: %s %s", rows[i].text, rc_name(rc),
			    e.text);
	}
	chart_free(c);
}
