/*
 * chart_path.c - what a session tells of its way, what it counts, and what it
 * says has changed; the questions that it asks its host; transitions and
 * content of the chart itself.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "chart/draft.h"

struct rig {
	struct chart *c;
	struct session *s;
	struct buf trace;
	bool path;
};

/* source:event>target,... (taken), +state, -state, ?event (untaken), =final,
 * labels of <log>. */
static void
on_effect(void *ctx, const struct effect *f)
{
	struct rig *r = ctx;
	struct buf *b = &r->trace;
	struct str state = chart_state_id(r->c, f->state);

	if (b->n > 0)
		buf_add_char(b, ' ');
	switch (f->kind) {
	case EFFECT_TAKEN:
		buf_add_fmt(b, "%.*s:%.*s", FMT(state), FMT(f->name));
		for (size_t i = 0; i < f->targets_n; i++)
			buf_add_fmt(b, "%c%.*s", i == 0 ? '>' : ',',
			    FMT(chart_state_id(r->c, f->targets[i])));
		break;
	case EFFECT_ENTERED: case EFFECT_EXITED:
		buf_add_fmt(b, "%c%.*s", f->kind == EFFECT_ENTERED ? '+' : '-', FMT(state));
		break;
	case EFFECT_UNTAKEN:
		buf_add_fmt(b, "?%.*s", FMT(f->name));
		break;
	default:
		buf_add_fmt(b, "%s%.*s", f->kind == EFFECT_DONE ? "=" : "", FMT(f->name));
		val_add_json(b, f->data);
	}
}

static void
rig_begin(struct rig *r)
{
	struct effect_sink out = { .effect = on_effect, .ctx = r, .path = r->path };

	r->trace = BUF(1 * MB);
	r->s = session_new(r->c, S("sid"), VAL_UNDEF, STR_NONE);
	CHECK_RC(session_start(r->s, &out), OK);
}

static void
rig_start(struct rig *r, const char *text, bool path)
{
	struct err e = { 0 };

	*r = (struct rig){ .path = path };
	if (chart_from_scxml(&r->c, str_of(text), NULL, &e) != OK)
		test_fail(__FILE__, __LINE__, "%s", e.text);
	rig_begin(r);
}

static struct str
give(struct rig *r, const char *name)
{
	struct effect_sink out = { .effect = on_effect, .ctx = r, .path = r->path };
	struct chart_event ev = { .name = str_of(name) };

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

#define WAY                                                                   \
	"<scxml><state id='a'><onexit><log label='bye'/></onexit>"            \
	"<transition event='go' target='p'/></state>"                         \
	"<parallel id='p'><onentry><log label='hi'/></onentry>"               \
	"<state id='l'><state id='l1'><transition event='x' target='l2'/>"    \
	"</state><state id='l2'><transition event='end' target='f'/></state>" \
	"</state><state id='r'><transition event='x'><raise event='y'/>"      \
	"</transition></state></parallel><final id='f'/></scxml>"

TEST(path_is_told_in_the_order_of_the_algorithm)
{
	struct rig r;

	rig_start(&r, WAY, true);
	CHECK_STR(buf_str(&r.trace), "+a");
	CHECK_STR(give(&r, "go"), "a:go>p byenull -a +p hinull +l +l1 +r");
	CHECK_STR(give(&r, "x"), "l1:x>l2 r:x -l1 +l2 ?y");
	CHECK_STR(give(&r, "none"), "?none");
	CHECK_STR(give(&r, "end"), "l2:end>f -r -l2 -l -p +f -f =fnull");
	rig_free(&r);
}

/* Goal: a transition to a history that its own exits record: it enters what was
 * left, up to where it was left. */
TEST(path_to_a_history_that_is_recorded_on_the_way)
{
	struct rig r;

	rig_start(&r, "<scxml><state id='o'><parallel id='p'><state id='a'>"
	    "<transition event='go' type='internal' target='h'/><state id='b'/></state>"
	    "<history id='h' type='deep'><transition target='a'/></history></parallel></state>"
	    "</scxml>", true);
	CHECK_STR(give(&r, "go"), "a:go>h -b -a -p +p +a +b");
	CHECK_STR(give(&r, "go"), "a:go>h -b +b");
	rig_free(&r);
}

TEST(path_is_silent_unless_asked_for)
{
	struct rig r;

	rig_start(&r, WAY, false);
	CHECK_STR(buf_str(&r.trace), "");
	CHECK_STR(give(&r, "go"), "byenull hinull");
	CHECK_STR(give(&r, "none"), "");
	rig_free(&r);
}

/* Goal: entries are counted, over a snapshot too, and a state that was never
 * entered, or does not exist, has none. */
TEST(path_visits_are_counted_and_kept)
{
	struct rig r;
	struct buf saved = BUF(4096);
	struct err e;

	rig_start(&r, "<scxml><state id='a'><transition event='go' cond=\"visits('a') &lt; 3\" target='a'/>"
	    "<transition event='go' target='b'/></state><state id='b'><onentry>"
	    "<log label='n' expr=\"[visits('a'), visits('b'), visits('c'), visits('none')]\"/>"
	    "</onentry></state><state id='c'/></scxml>", false);
	give(&r, "go");
	session_save(r.s, &saved);
	session_free(r.s);
	CHECK_RC(session_restore(&r.s, r.c, S("sid"), buf_str(&saved),
	    &(struct effect_sink){ 0 }, &e), OK);
	CHECK_STR(give(&r, "go"), "");
	CHECK_STR(give(&r, "go"), "n[3,1,0,0]");
	buf_release(&saved);
	rig_free(&r);
}

/* Slots and states that have changed, by name. */
static struct str
changes(struct rig *r)
{
	struct buf *b = &r->trace;

	buf_clear(b);
	for (unsigned i = 0; i < chart_slots(r->c); i++) {
		struct val v;

		if (!session_slot_changed(r->s, i))
			continue;
		CHECK(session_slot(r->s, i, &v));
		buf_add_fmt(b, " %.*s=", FMT(chart_slot_name(r->c, i)));
		val_add_json(b, v);
	}
	for (unsigned i = 1; i < chart_states(r->c); i++)
		if (session_state_changed(r->s, i))
			buf_add_fmt(b, " %c%.*s", session_in(r->s, chart_state_id(r->c, i)) ?
			    '+' : '-', FMT(chart_state_id(r->c, i)));
	CHECK(session_changed(r->s) == (b->n > 0));
	session_settle(r->s);
	CHECK(!session_changed(r->s));
	return buf_str(b);
}

TEST(path_changes_since_it_was_settled)
{
	struct rig r;

	rig_start(&r, "<scxml><datamodel><data id='x' expr='1'/><data id='o' expr='{a: [1]}'/></datamodel>"
	    "<state id='a'><state id='a1'><transition event='in' target='a2'/></state><state id='a2'/>"
	    "<transition event='set'><assign location='o.a[1]' expr='2'/></transition>"
	    "<transition event='each'><foreach item='x' array='[7]'><log/></foreach></transition>"
	    "<transition event='again' target='a'/>"
	    "<transition event='bad'><assign location='o.a.b' expr='2'/></transition>"
	    "<transition event='b' target='b'/></state><state id='b'/></scxml>", false);
	CHECK_STR(changes(&r), " x=1 o={\"a\":[1]} +a +a1");
	give(&r, "set");
	CHECK_STR(changes(&r), " o={\"a\":[1,2]}");
	give(&r, "each");
	CHECK_STR(changes(&r), " x=7");
	give(&r, "in");
	CHECK_STR(changes(&r), " -a1 +a2");
	give(&r, "none");
	CHECK_STR(changes(&r), "");
	give(&r, "again");
	CHECK_STR(changes(&r), " +a1 -a2");
	give(&r, "again");
	CHECK_STR(changes(&r), "");
	session_set_slot(r.s, 0, val_int(9));
	give(&r, "b");
	CHECK_STR(changes(&r), " x=9 -a -a1 +b");
	rig_free(&r);
}

/* ---- the host ------------------------------------------------------------ */

/* Writes the questions down and says no to `closed`. */
static int
on_reach(void *ctx, struct str target, struct str type, bool delayed)
{
	struct rig *r = ctx;

	buf_add_fmt(&r->trace, "[%.*s|%.*s%s]", FMT(target), FMT(type), delayed ? "|later" : "");
	return str_eq(target, S("closed")) ? ERR_CLOSED : OK;
}

/* Goal: the host is asked before it is told, and told only of what it can do. */
TEST(path_the_host_is_asked_before_a_send)
{
	struct rig r = { 0 };
	const struct effect_sink out = { .effect = on_effect, .ctx = &r, .reach = on_reach };
	struct err e;

	CHECK_RC(chart_from_scxml(&r.c, S("<scxml><state id='a'><onentry><send event='e' target='t'/>"
	    "<send event='i' target='#_internal'/><send event='l' target='t' type='x' delay='1s'/>"
	    "<send event='n' target='closed'/></onentry></state></scxml>"), NULL, &e), OK);
	r.trace = BUF(4096);
	r.s = session_new(r.c, S("sid"), VAL_UNDEF, STR_NONE);
	CHECK_RC(session_start(r.s, &out), OK);
	CHECK_STR(buf_str(&r.trace), "[t|] enull[t|x|later] lnull[closed|]");
	rig_free(&r);
}

static bool
knows(void *ctx, struct str type)
{
	return str_eq(type, str_of(ctx));
}

TEST(path_unknown_invokes_are_refused_at_load)
{
	static char llm[] = "llm";
	const struct chart_files files = { .knows = knows, .ctx = llm };
	static const struct { const char *attrs, *error; } rows[] = {
		{ "type='llm'", NULL },
		{ "typeexpr='x'", NULL },
		{ "type='fax'", "line 1, column 24: state 's': invoke: the type 'fax' is not known here" },
		{ "", "line 1, column 24: state 's': invoke: the type 'http://www.w3.org/TR/scxml/' "
		    "is not known here" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		char text[200];
		struct chart *c;
		struct err e = { 0 };
		int rc;

		snprintf(text, sizeof text, "<scxml><state id='s'>\t\t<invoke %s/></state></scxml>",
		    rows[i].attrs);
		rc = chart_from_scxml(&c, str_of(text), &files, &e);
		CHECK_RC(rc, rows[i].error == NULL ? OK : ERR_INVALID);
		CHECK_STR(str_of(e.text), rows[i].error != NULL ? rows[i].error : "");
		chart_free(c);
	}
}

TEST(path_names_of_the_host)
{
	struct rig r;
	struct val names;
	struct err e;

	rig_start(&r, "<scxml><state id='s'><transition event='go'>"
	    "<log expr='[config.tone, params.x]'/></transition></state></scxml>", false);
	CHECK_RC(json_text_to_val(S("{\"config\":{\"tone\":\"dry\"},\"params\":{\"x\":1}}"), &names, &e), OK);
	session_give(r.s, names);
	val_drop(names);
	CHECK_STR(give(&r, "go"), "[\"dry\",1]");
	rig_free(&r);
}

/* ---- the chart itself ---------------------------------------------------- */

static struct draft_text
text(const char *s)
{
	return (struct draft_text){ s != NULL ? str_of(s) : STR_NONE, { 1, 1 } };
}

static struct draft_block *
log_block(struct draft *d, const char *label)
{
	struct draft_block *b = draft_node(d, struct draft_block);

	b->body = draft_node(d, struct draft_action);
	b->body->kind = ACTION_LOG;
	b->body->label = text(label);
	return b;
}

static void
on(struct draft *d, struct draft_state *s, const char *event, const char *target,
    const char *cond)
{
	struct draft_transition *t = draft_node(d, struct draft_transition), **at;

	*t = (struct draft_transition){ .at = { 1, 1 }, .event = text(event),
		.target = text(target), .cond = text(cond) };
	at = &s->transitions;
	while (*at != NULL)
		at = &(*at)->next;
	*at = t;
}

/* Goal: the chart itself may have transitions, which every state falls back
 * to, and content that runs before the first state and after the last. */
TEST(path_the_chart_itself_has_transitions)
{
	struct draft *d = draft_new();
	struct spot at = { 1, 1 };
	struct draft_state *root = draft_state_add(d, NULL, STATE_ROOT, at);
	struct draft_state *a = draft_state_add(d, root, STATE_ATOMIC, at);
	struct draft_state *p = draft_state_add(d, root, STATE_PARALLEL, at);
	struct draft_state *l = draft_state_add(d, p, STATE_ATOMIC, at);
	struct draft_state *m = draft_state_add(d, p, STATE_ATOMIC, at);
	struct draft_state *f = draft_state_add(d, root, STATE_FINAL, at);
	struct rig r = { .path = true };
	struct err e = { 0 };

	a->id = text("a");
	p->id = text("p");
	l->id = text("l");
	m->id = text("m");
	f->id = text("f");
	root->entry = log_block(d, "in");
	root->exit = log_block(d, "out");
	on(d, root, "reset", "a", NULL);
	on(d, root, "x", NULL, NULL);
	on(d, root, NULL, "f", "visits('a') > 1");
	on(d, a, "go", "p", NULL);
	on(d, l, "x", "l", NULL);
	CHECK_RC(chart_compile(&r.c, d, NULL, &e), OK);
	draft_free(d);
	rig_begin(&r);
	CHECK_STR(buf_str(&r.trace), "innull +a");
	CHECK_STR(give(&r, "go"), "a:go>p -a +p +l +m");
	/* One region has its own transition; the other falls back. */
	CHECK_STR(give(&r, "x"), "l:x>l :x -m -l -p +p +l +m");
	CHECK_STR(give(&r, "none"), "?none");
	buf_clear(&r.trace);
	session_add_waits(r.s, &r.trace);
	CHECK_STR(buf_str(&r.trace), "in 'l', 'm' for 'reset', 'x'");
	CHECK_STR(give(&r, "reset"), ":reset>a -m -l -p +a :>f -a +f -f outnull =fnull");
	rig_free(&r);
}
