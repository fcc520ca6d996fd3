/*
 * chart_life.c - invokes that end, are stopped and start again under the same
 * id, and states that are complete: who may still be heard, and of what.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include "base/buf.h"
#include "chart/chart.h"

struct rig {
	struct chart *c;
	struct session *s;
	struct buf trace;
};

/* +id#serial (invoke), -id#serial (uninvoke), ^event#serial (forward),
 * ~event#serial (dropped), labels of <log>, =final. */
static void
on_effect(void *ctx, const struct effect *f)
{
	static const char mark[] = { [EFFECT_INVOKE] = '+', [EFFECT_UNINVOKE] = '-',
		[EFFECT_FORWARD] = '^', [EFFECT_DROPPED] = '~', [EFFECT_LOG] = ' ',
		[EFFECT_DONE] = '=' };
	bool life = f->kind == EFFECT_INVOKE || f->kind == EFFECT_UNINVOKE;
	struct buf *b = ctx;

	if (f->kind == EFFECT_SEND || f->kind == EFFECT_CANCEL)
		return;
	buf_add_char(b, mark[f->kind]);
	buf_add(b, life ? f->invokeid : f->name);
	if (f->serial > 0)
		buf_add_fmt(b, "#%u", f->serial);
}

static void
rig_start(struct rig *r, const char *text)
{
	struct effect_sink out = { on_effect, &r->trace };
	struct err e = { 0 };

	r->trace = BUF(1 * MB);
	if (chart_from_scxml(&r->c, str_of(text), NULL, &e) != OK)
		test_fail(__FILE__, __LINE__, "%s", e.text);
	r->s = session_new(r->c, S("sid"), VAL_UNDEF, STR_NONE);
	CHECK_RC(session_start(r->s, &out), OK);
}

/* What the session says to an event of an invoke. */
static struct str
give(struct rig *r, const char *name, const char *id, uint32_t serial, enum chart_tie tie)
{
	struct effect_sink out = { on_effect, &r->trace };
	struct chart_event ev = { .name = str_of(name), .data = VAL_UNDEF,
		.invokeid = str_of(id), .serial = serial, .tie = tie };

	buf_clear(&r->trace);
	CHECK_RC(session_event(r->s, &ev, &out), OK);
	return buf_str(&r->trace);
}

static void
rig_free(struct rig *r)
{
	session_free(r->s);
	chart_free(r->c);
	buf_release(&r->trace);
}

#define AGAIN                                                                 \
	"<scxml><state id='p'><invoke id='k' type='llm' autoforward='true'>"  \
	"<finalize><log label='fin'/></finalize></invoke>"                    \
	"<transition event='again' target='p'/>"                              \
	"<transition event='leave' target='out'/>"                            \
	"<transition event='*'><log label='heard'/></transition></state>"     \
	"<state id='out'><transition event='*'><log label='out'/></transition></state></scxml>"

TEST(life_serial_numbers_are_never_used_twice)
{
	struct rig r;

	rig_start(&r, AGAIN);
	CHECK_STR(buf_str(&r.trace), "+k#1");
	CHECK_STR(give(&r, "again", "", 0, TIE_NONE), "^again#1-k#1+k#2");
	CHECK_STR(give(&r, "again", "", 0, TIE_NONE), "^again#2-k#2+k#3");
	CHECK_STR(give(&r, "x", "", 0, TIE_NONE), "^x#3 heard");
	CHECK_STR(give(&r, "leave", "", 0, TIE_NONE), "^leave#3-k#3");
	rig_free(&r);
}

/* Goal: done, answer and error of an instance that is gone are dropped and
 * told, though another lives under its id; the one that lives is heard. */
TEST(life_words_of_the_one_before_are_dropped)
{
	static const struct { const char *name; enum chart_tie tie; } rows[] = {
		{ "done.invoke.k", TIE_DONE }, { "error.llm.timeout", TIE_ERROR },
		{ "answer.k", TIE_ANSWER },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		char want[60];
		struct rig r;

		rig_start(&r, AGAIN);
		give(&r, "again", "", 0, TIE_NONE);
		snprintf(want, sizeof want, "~%s#1", rows[i].name);
		CHECK_STR(give(&r, rows[i].name, "k", 1, rows[i].tie), want);
		snprintf(want, sizeof want, rows[i].tie == TIE_ANSWER ?
		    " fin^%s#2 heard" : " fin heard", rows[i].name);
		CHECK_STR(give(&r, rows[i].name, "k", 2, rows[i].tie), want);
		/* It has ended: nothing to stop; a second end is dropped. */
		if (rows[i].tie != TIE_ANSWER) {
			snprintf(want, sizeof want, "~%s#2", rows[i].name);
			CHECK_STR(give(&r, rows[i].name, "k", 2, rows[i].tie), want);
			CHECK_STR(give(&r, "leave", "", 0, TIE_NONE), "");
		}
		rig_free(&r);
	}
}

/* Goal: what a child sent before it was stopped is heard (SCXML 6.4), without
 * a finalize that is for another; an event named like an end ends nothing. */
TEST(life_what_a_child_sent_stays)
{
	struct rig r;

	rig_start(&r, AGAIN);
	give(&r, "again", "", 0, TIE_NONE);
	CHECK_STR(give(&r, "m", "k", 1, TIE_NONE), "^m#2 heard");
	CHECK_STR(give(&r, "m", "k", 2, TIE_NONE), " fin^m#2 heard");
	CHECK_STR(give(&r, "done.invoke.k", "k", 2, TIE_NONE), " fin^done.invoke.k#2 heard");
	CHECK_STR(give(&r, "error.mine", "k", 2, TIE_NONE), " fin^error.mine#2 heard");
	CHECK_STR(give(&r, "leave", "", 0, TIE_NONE), "^leave#2-k#2");
	CHECK_STR(give(&r, "m", "k", 2, TIE_NONE), " out");
	CHECK_STR(give(&r, "done.invoke.k", "k", 2, TIE_DONE), "~done.invoke.k#2");
	rig_free(&r);
}

/* Goal: W3C test 236: an invoke whose id was made up had ended before its
 * state was left; its done comes.  Its error does not. */
TEST(life_done_of_a_made_up_id_comes_late)
{
	struct rig r;

	rig_start(&r, "<scxml><state id='p'><invoke type='llm'/><transition event='leave' "
	    "target='out'/></state><state id='out'><transition event='done.invoke'>"
	    "<log label='done'/></transition><transition event='*'><log label='other'/>"
	    "</transition></state></scxml>");
	CHECK_STR(buf_str(&r.trace), "+p.1#1");
	CHECK_STR(give(&r, "leave", "", 0, TIE_NONE), "-p.1#1");
	CHECK_STR(give(&r, "error.x", "p.1", 1, TIE_ERROR), "~error.x#1");
	CHECK_STR(give(&r, "done.invoke.p.1", "p.1", 1, TIE_DONE), " done");
	rig_free(&r);
}

/* ---- completion ---------------------------------------------------------- */

#define NESTED                                                                \
	"<scxml><parallel id='p1'><transition event='done.state.p1'><log label='p1'/></transition>" \
	"<transition event='done.state.p2'><log label='p2'/></transition>"    \
	"<transition event='done.state.p3'><log label='p3'/></transition>"    \
	"<state id='s'><state id='s1'><transition event='a' target='sf'/></state>" \
	"<final id='sf'/><transition event='back' type='internal' target='s1'/></state>"      \
	"<parallel id='p2'><parallel id='p3'><state id='t'><transition "      \
	"event='redo' type='internal' target='t1'/><state id='t1'><transition event='b' target='tf'/></state><final id='tf'/></state>" \
	"<state id='u'><final id='uf'/></state></parallel>"                   \
	"<state id='v'><state id='v1'><transition event='c' target='vf'/></state>" \
	"<final id='vf'/></state></parallel></parallel></scxml>"

/* Goal: REC 3.4: whichever region is the last, every parallel state that is
 * complete by it is done, from the inside out, and again after a return. */
TEST(life_nested_parallels_complete_in_any_order)
{
	static const struct { const char *order, *want[4]; } rows[] = {
		{ "abc", { "", " p3", " p2 p1" } }, { "acb", { "", "", " p3 p2 p1" } },
		{ "bac", { " p3", "", " p2 p1" } }, { "bca", { " p3", " p2", " p1" } },
		{ "cab", { "", "", " p3 p2 p1" } }, { "cba", { "", " p3 p2", " p1" } },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct rig r;

		rig_start(&r, NESTED);
		for (size_t k = 0; k < 3; k++) {
			char name[2] = { rows[i].order[k], '\0' };

			CHECK_STR(give(&r, name, "", 0, TIE_NONE), rows[i].want[k]);
		}
		give(&r, "back", "", 0, TIE_NONE);
		CHECK_STR(give(&r, "a", "", 0, TIE_NONE), " p1");
		give(&r, "redo", "", 0, TIE_NONE);
		CHECK_STR(give(&r, "b", "", 0, TIE_NONE), " p3 p2 p1");
		rig_free(&r);
	}
}

/* Goal: the count of complete regions is not kept in a snapshot, but made
 * again from it. */
TEST(life_completion_survives_a_snapshot)
{
	struct buf saved = BUF(64 * KB);
	struct session *copy;
	struct rig r;
	struct err e;

	rig_start(&r, NESTED);
	give(&r, "a", "", 0, TIE_NONE);
	give(&r, "b", "", 0, TIE_NONE);
	session_save(r.s, &saved);
	CHECK_RC(session_restore(&copy, r.c, S("sid"), buf_str(&saved),
	    &(struct effect_sink){ on_effect, &r.trace }, &e), OK);
	session_free(r.s);
	r.s = copy;
	CHECK_STR(give(&r, "c", "", 0, TIE_NONE), " p2 p1");
	buf_release(&saved);
	rig_free(&r);
}
