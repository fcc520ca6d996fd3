/*
 * chart_stepper.c - charts with work to be done by a caller: tasks that begin
 * and end, sessions below, delayed events, and snapshots of all of it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/limits.h"
#include "chart/stepper.h"

struct rig {
	struct chart *c;
	struct chart_stepper *st;
	struct buf trace;
	msec now;
	int reach;                   /* the answer to a target outside */
	uint64_t last;               /* serial of the last task */
};

/* +node:kind#serial{args} (begin), * before it: again; -#serial (stop),
 * ^event#serial (forward), >event@target (send), label (log), ~event (dropped),
 * =final. */
static void
begin(void *ctx, const struct stepper_task *t)
{
	struct rig *r = ctx;

	buf_add_fmt(&r->trace, " %s%.*s:%.*s#%llx", t->again ? "*" : "+", FMT(t->node),
	    FMT(t->kind), (unsigned long long)t->serial);
	if (t->args.kind == VAL_OBJECT)
		val_add_json(&r->trace, t->args);
	r->last = t->serial;
}

static void
stop(void *ctx, uint64_t serial)
{
	struct rig *r = ctx;

	buf_add_fmt(&r->trace, " -#%llx", (unsigned long long)serial);
}

static void
forward(void *ctx, uint64_t serial, struct str event, struct val data)
{
	struct rig *r = ctx;

	(void)data;
	buf_add_fmt(&r->trace, " ^%.*s#%llx", FMT(event), (unsigned long long)serial);
}

static void
told(void *ctx, const struct chart *c, struct str session, const struct effect *f)
{
	struct rig *r = ctx;

	(void)c;
	if (f->kind != EFFECT_LOG && f->kind != EFFECT_DROPPED && f->kind != EFFECT_DONE)
		return;
	buf_add_fmt(&r->trace, " %s%.*s", f->kind == EFFECT_DONE ? "=" :
	    f->kind == EFFECT_DROPPED ? "~" : "", FMT(f->name));
	if (session.n > 1)
		buf_add_fmt(&r->trace, "@%.*s", FMT(session));
	if (f->kind == EFFECT_LOG && f->data.kind != VAL_UNDEFINED)
		val_add_json(&r->trace, f->data);
}

static int
reach(void *ctx, struct str target, struct str type, bool delayed)
{
	const struct rig *r = ctx;

	(void)target, (void)type, (void)delayed;
	return r->reach;
}

static void
send_out(void *ctx, const struct effect *f)
{
	struct rig *r = ctx;

	buf_add_fmt(&r->trace, " >%.*s@%.*s", FMT(f->name), FMT(f->target));
}

static bool
knows(void *ctx, struct str kind)
{
	(void)ctx;
	return !str_eq(kind, S("fax"));
}

static const struct stepper_ops ops = { .begin = begin, .knows = knows, .stop = stop,
	.forward = forward, .told = told, .reach = reach, .send = send_out };

/* Delivers what is queued. */
static struct str
deliver(struct rig *r)
{
	while (stepper_step(r->st, r->now) == OK)
		continue;
	return buf_str(&r->trace);
}

static struct str
go_on(struct rig *r)
{
	buf_clear(&r->trace);
	return deliver(r);
}

static void
rig_load(struct rig *r, const char *text)
{
	struct err e = { 0 };

	*r = (struct rig){ .trace = BUF(1 * MB), .reach = ERR_CLOSED };
	if (chart_from_scxml(&r->c, str_of(text), NULL, &e) != OK)
		test_fail(__FILE__, __LINE__, "%s", e.text);
	r->st = stepper_new(r->c, S("s"), &ops, r);
	stepper_start(r->st, VAL_UNDEF);
}

static struct str
give(struct rig *r, const char *name)
{
	CHECK_RC(stepper_event(r->st, str_of(name), VAL_UNDEF), OK);
	return go_on(r);
}

static struct str
fire(struct rig *r)
{
	CHECK(stepper_due(r->st) != STEPPER_NEVER);
	CHECK(!stepper_fire(r->st, stepper_due(r->st) - 1));
	r->now = stepper_due(r->st);
	buf_clear(&r->trace);
	CHECK(stepper_fire(r->st, r->now));
	return deliver(r);
}

/* Saves, forgets and restores. */
static struct str
again(struct rig *r)
{
	struct buf saved = BUF(1 * MB), twice = BUF(1 * MB);
	struct err e = { 0 };

	stepper_save(r->st, &saved);
	stepper_free(r->st);
	buf_clear(&r->trace);
	if (stepper_restore(&r->st, r->c, S("s"), buf_str(&saved), &ops, r, &e) != OK)
		test_fail(__FILE__, __LINE__, "%s\n%.*s", e.text, FMT(buf_str(&saved)));
	stepper_save(r->st, &twice);
	if (!str_eq(buf_str(&saved), buf_str(&twice)))
		test_fail(__FILE__, __LINE__, "%.*s\n%.*s", FMT(buf_str(&saved)),
		    FMT(buf_str(&twice)));
	buf_release(&saved);
	buf_release(&twice);
	return buf_str(&r->trace);
}

static void
rig_free(struct rig *r)
{
	stepper_free(r->st);
	chart_free(r->c);
	buf_release(&r->trace);
}

#define WORK                                                                  \
	"<scxml><datamodel><data id='got' expr='[]'/></datamodel>"            \
	"<parallel id='p'><state id='a'><state id='a1'>"                      \
	"<invoke type='llm' id='m'><param name='q' expr='1'/></invoke>"       \
	"<transition event='answer.m'><assign location='got' expr='[_event.data]'/></transition>" \
	"<transition event='done.invoke.m' target='a2'>"                      \
	"<assign location='got' expr='concat(got, [_event.data])'/></transition>" \
	"<transition event='error.llm' target='a3'><log label='bad' expr='_event.data'/>" \
	"</transition></state><final id='a2'/><final id='a3'/></state>"       \
	"<state id='b'><state id='b1'><invoke type='tool' autoforward='true'/>" \
	"<transition event='done.invoke' cond='_event.invokeid != \"m\"' target='b2'/></state>" \
	"<final id='b2'/></state><transition event='leave' target='out'/>"    \
	"<transition event='done.state.p' target='end'/></parallel><state id='out'/>" \
	"<final id='end'><donedata><content expr='got'/></donedata></final></scxml>"

TEST(stepper_tasks_begin_and_end)
{
	struct buf out = BUF(4096);
	struct rig r;

	rig_load(&r, WORK);
	CHECK_STR(go_on(&r), " +a1:llm#1{\"q\":1} +b1:tool#2");
	CHECK_RC(stepper_task_answer(r.st, 1, val_int(4)), OK);
	CHECK_STR(go_on(&r), " ^answer.m#2");
	CHECK_RC(stepper_task_done(r.st, 1, val_int(5)), OK);
	CHECK_STR(go_on(&r), " ^done.invoke.m#2");
	CHECK_RC(stepper_task_done(r.st, 1, val_int(6)), ERR_NOTFOUND);
	CHECK(!stepper_over(r.st));
	CHECK_RC(stepper_task_done(r.st, 2, VAL_UNDEF), OK);
	CHECK_STR(go_on(&r), " =end");
	CHECK(stepper_over(r.st) && !stepper_busy(r.st));
	val_add_json(&out, stepper_output(r.st));
	CHECK_STR(buf_str(&out), "[4,5]");
	CHECK_RC(stepper_step(r.st, 0), ERR_NOTFOUND);
	CHECK_RC(stepper_task_done(r.st, 2, VAL_UNDEF), ERR_NOTFOUND);
	buf_release(&out);
	rig_free(&r);
}

/* The slots that changed since the last call. */
static struct str
changes(struct rig *r)
{
	struct session *s = stepper_session(r->st);

	buf_clear(&r->trace);
	for (unsigned i = 0; i < chart_slots(r->c); i++) {
		struct val v;

		if (!session_slot_changed(s, i) || !session_slot(s, i, &v))
			continue;
		buf_add_fmt(&r->trace, " %.*s=", FMT(chart_slot_name(r->c, i)));
		val_add_json(&r->trace, v);
	}
	session_settle(s);
	return buf_str(&r->trace);
}

/* Goal: values that the caller knows are no changes; what a task wrote is seen by
 * the event of its end; what statements assign is told. */
TEST(stepper_data_is_shared_with_the_caller)
{
	struct rig r;
	struct val params;
	struct err e;

	rig_load(&r, "<scxml><datamodel><data id='x' expr='1'/><data id='y' expr='2'/></datamodel>"
	    "<state id='a'><invoke type='t' id='m'/><transition event='done.invoke.m' cond='x == 7' "
	    "target='b'><assign location='y' expr='x + _event.data'/></transition></state>"
	    "<state id='b'/></scxml>");
	stepper_free(r.st);
	r.st = stepper_new(r.c, S("s"), &ops, &r);
	CHECK_RC(json_text_to_val(S("{\"x\":5}"), &params, &e), OK);
	stepper_start(r.st, params);
	val_drop(params);
	go_on(&r);
	CHECK_STR(changes(&r), " y=2");
	session_set_slot(stepper_session(r.st), 0, val_int(7));
	CHECK_RC(stepper_task_done(r.st, 1, val_int(1)), OK);
	again(&r);
	go_on(&r);
	CHECK(session_in(stepper_session(r.st), S("b")));
	CHECK_STR(changes(&r), " y=8");
	rig_free(&r);
}

/* Goal: what fails is an event; what is left is stopped and no longer heard,
 * though its end was queued. */
TEST(stepper_tasks_fail_and_are_stopped)
{
	struct rig r;

	rig_load(&r, WORK);
	go_on(&r);
	CHECK_RC(stepper_task_failed(r.st, 1, S("error.llm.timeout"), val_int(7)), OK);
	CHECK_STR(go_on(&r), " ^error.llm.timeout#2 bad7");
	CHECK_RC(stepper_event(r.st, S("leave"), VAL_UNDEF), OK);
	CHECK_RC(stepper_task_failed(r.st, 2, S("error.tool"), VAL_UNDEF), OK);
	CHECK_STR(go_on(&r), " ^leave#2 -#2 ~error.tool");
	rig_free(&r);
}

/* Goal: a kind that only turns out to be unknown when it is computed. */
TEST(stepper_unknown_kind_is_an_event)
{
	struct rig r;

	rig_load(&r, "<scxml><state id='a'><invoke typeexpr=\"'fax'\"/>"
	    "<transition event='error.execution' target='b'><log label='why' expr='_event.data.message'/>"
	    "</transition></state><state id='b'/></scxml>");
	CHECK_STR(go_on(&r), " why\"the type 'fax' is not known here\"");
	rig_free(&r);
}

/* ---- sessions below ------------------------------------------------------ */

/* Goal: what the invoking state says to its child on leaving arrives before
 * the child is stopped; what the child answers then does not. */
TEST(stepper_a_child_hears_the_last_words)
{
	struct rig r;

	rig_load(&r, "<scxml><state id='a'><onexit><send event='bye' target='#_k'/></onexit>"
	    "<invoke id='k'><content><scxml><state id='s'><onexit><log label='out'/>"
	    "<send event='late' target='#_parent'/></onexit>"
	    "<invoke type='tool' id='t'/>"
	    "<transition event='bye' target='u'><log label='heard'/><send event='late' target='#_parent'/>"
	    "<send event='self'/></transition></state>"
	    "<state id='u'><onexit><log label='end'/></onexit>"
	    "<transition event='*'><log label='more'/></transition></state></scxml></content></invoke>"
	    "<transition event='go' target='b'/></state>"
	    "<state id='b'><transition event='*'><log label='got'/></transition></state></scxml>");
	CHECK_STR(go_on(&r), " +s:tool#100000001");
	CHECK_STR(give(&r, "go"), " out@s.1 -#100000001 heard@s.1 end@s.1");
	rig_free(&r);
}

TEST(stepper_sessions_are_stopped_with_those_around_them)
{
	struct rig r;

	rig_load(&r, "<scxml><state id='a'><invoke id='k'><content><scxml><state id='s'>"
	    "<onexit><log label='s'/></onexit><invoke><content><scxml><state id='t'><onexit>"
	    "<log label='t'/></onexit><invoke type='tool'/></state></scxml></content></invoke>"
	    "<invoke><content><scxml><state id='never'/></scxml></content></invoke>"
	    "</state></scxml></content></invoke><transition event='go' target='b'/></state>"
	    "<state id='b'/></scxml>");
	CHECK_STR(go_on(&r), " +t:tool#200000001");
	CHECK_STR(give(&r, "go"), " s@s.1 t@s.2 -#200000001");
	stepper_cancel(r.st, 0);
	CHECK(stepper_over(r.st));
	rig_free(&r);
}

/* ---- sends --------------------------------------------------------------- */

TEST(stepper_targets_outside)
{
	static const char chart[] = "<scxml><state id='a'><onentry><send event='x' target='ann'/>"
	    "<send event='y' target='ann' delay='1s'/></onentry><transition event='error'>"
	    "<log label='no' expr='_event.name'/></transition></state></scxml>";
	struct rig r;

	rig_load(&r, chart);
	CHECK_STR(go_on(&r), " no\"error.communication\"");
	CHECK_INT(stepper_due(r.st), STEPPER_NEVER);
	rig_free(&r);
	rig_load(&r, chart);
	r.reach = OK;
	CHECK_STR(go_on(&r), " >x@ann");
	CHECK_STR(again(&r), "");
	CHECK_STR(fire(&r), " >y@ann");
	rig_free(&r);
	rig_load(&r, chart);
	r.reach = OK;
	go_on(&r);
	r.reach = ERR_CLOSED;
	CHECK_STR(fire(&r), " no\"error.communication\"");
	rig_free(&r);
}

/* ---- snapshots ----------------------------------------------------------- */

/* Goal: everything is kept: tasks, sessions below that run, that have not
 * started and that have ended, what is queued and what is delayed. */
TEST(stepper_is_saved_whole)
{
	static const char chart[] = "<scxml><datamodel><data id='o' expr='{u: undefined}'/></datamodel>"
	    "<parallel id='p'><state id='a'><onentry><send event='tick' delay='5s' id='x'/>"
	    "<send event='tock' delay='1s' target='#_k'><param name='v' expr='[undefined]'/></send>"
	    "</onentry><invoke type='llm' id='m'/><invoke id='k'><content><scxml><state id='s'>"
	    "<transition event='tock'><send event='back' target='#_parent' delay='1s'/>"
	    "<log label='tock' expr='len(_event.data.v)'/></transition>"
	    "<invoke type='tool'/><transition event='done.invoke' target='f'/></state><final id='f'/>"
	    "</scxml></content></invoke>"
	    "<transition event='done.invoke.k'><log label='ended'/></transition>"
	    "<transition event='*'><log label='got' expr='_event.name'/></transition></state></parallel>"
	    "</scxml>";
	struct rig r;

	rig_load(&r, chart);
	CHECK_RC(stepper_step(r.st, r.now), OK);
	CHECK_STR(buf_str(&r.trace), " +a:llm#1");
	CHECK_STR(again(&r), " *a:llm#1");   /* the child's start is queued */
	CHECK_STR(go_on(&r), " +s:tool#100000001");
	CHECK_STR(again(&r), " *a:llm#1 *s:tool#100000001");
	CHECK_STR(fire(&r), " tock@s.11");
	again(&r);
	CHECK_STR(fire(&r), " got\"back\"");
	CHECK_RC(stepper_task_done(r.st, r.last, VAL_UNDEF), OK);
	CHECK_RC(stepper_task_done(r.st, 1, VAL_UNDEF), OK);
	CHECK_STR(again(&r), "");            /* neither is begun again */
	CHECK_RC(stepper_step(r.st, r.now), OK);
	CHECK_STR(again(&r), "");
	CHECK_STR(go_on(&r), " got\"done.invoke.m\" ended");
	CHECK_STR(again(&r), "");
	CHECK_STR(fire(&r), " got\"tick\"");
	rig_free(&r);
}

TEST(stepper_refuses_what_does_not_fit)
{
#define SESSION "\"session\":{\"states\":[\"a\"],\"serial\":2,\"invokes\":["     \
	"{\"state\":\"a\",\"n\":0,\"serial\":2,\"id\":\"k\",\"type\":\"scxml\"}]}"
#define CHILD "\"session\":{\"states\":[\"s\"]}"
	static const struct { const char *saved; int rc; } rows[] = {
		{ "[]", ERR_INVALID },
		{ "{", ERR_SYNTAX },
		{ "{}", ERR_INVALID },
		{ "{\"session\":{}}", ERR_CONFLICT },
		{ "{" SESSION "}", ERR_CONFLICT },
		{ "{" SESSION ",\"numbers\":1,\"members\":[{\"number\":1,\"parent\":0,\"serial\":2," CHILD "}]}", OK },
		{ "{" SESSION ",\"members\":[{\"number\":1,\"parent\":0,\"serial\":2," CHILD "}]}", ERR_CONFLICT },
		{ "{" SESSION ",\"numbers\":1,\"members\":[{\"number\":0,\"parent\":0,\"serial\":2," CHILD "}]}", ERR_CONFLICT },
		{ "{" SESSION ",\"numbers\":1,\"members\":[{\"number\":1,\"parent\":0,\"serial\":2,"
		    "\"session\":{\"states\":[\"x\"]}}]}", ERR_CONFLICT },
		{ "{" SESSION ",\"queue\":[{\"to\":0,\"tie\":3,\"serial\":2,\"name\":\"done.invoke.k\"}]}", OK },
		{ "{" SESSION ",\"queue\":[{\"to\":0,\"tie\":3,\"serial\":2,\"name\":1}]}", ERR_CONFLICT },
		{ "{" SESSION ",\"queue\":[{\"to\":0,\"tie\":4,\"serial\":2,\"name\":\"e\"}]}", ERR_CONFLICT },
		{ "{" SESSION ",\"queue\":[{\"to\":0,\"tie\":3,\"serial\":2,\"start\":true}]}", ERR_CONFLICT },
		{ "{" SESSION ",\"queue\":[{\"to\":0,\"tie\":3,\"serial\":2},{\"to\":1}]}", ERR_CONFLICT },
		{ "{" SESSION ",\"queue\":[{\"to\":0,\"tie\":3,\"serial\":2}],\"timers\":[{\"due\":1}]}", ERR_CONFLICT },
		{ "{" SESSION ",\"queue\":[{\"to\":0,\"tie\":3,\"serial\":2}],\"timers\":[{\"from\":0,\"due\":1}]}", OK },
	};
	struct chart *c;
	struct err e;

	CHECK_RC(chart_from_scxml(&c, S("<scxml><state id='a'><invoke id='k'><content><scxml>"
	    "<state id='s'/></scxml></content></invoke></state></scxml>"), NULL, &e), OK);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct rig r = { .trace = BUF(4096) };
		int rc = stepper_restore(&r.st, c, S("s"), str_of(rows[i].saved), &ops, &r, &e);

		if (rc != rows[i].rc || (rc == OK) != (r.st != NULL))
			test_fail(__FILE__, __LINE__, "%s: %s", rows[i].saved, rc_name(rc));
		if (rc == OK)
			go_on(&r);
		stepper_free(r.st);
		buf_release(&r.trace);
	}
	chart_free(c);
}
