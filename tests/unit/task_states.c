/*
 * task_states.c - agents that are statecharts: what is written in YAML goes the
 * way of the same chart in SCXML, and what is wrong is refused with its place.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "chart/stepper.h"
#include "task/kinds.h"

/* ---- running ----------------------------------------------------------------- */

struct rig {
	struct buf trace;
	uint64_t last;               /* serial of the last task */
};

/* +node:kind, -, state+ and state-, label=log, ?event, =final{output}. */
static void
begin(void *ctx, const struct stepper_task *t)
{
	struct rig *r = ctx;

	buf_add_fmt(&r->trace, " +%.*s:%.*s", FMT(t->invokeid), FMT(t->kind));
	r->last = t->serial;
}

static void
stop(void *ctx, uint64_t serial)
{
	struct rig *r = ctx;

	(void)serial;
	buf_lit(&r->trace, " -");
}

static void
told(void *ctx, const struct chart *c, struct str session, const struct effect *f)
{
	struct rig *r = ctx;
	struct buf *b = &r->trace;

	(void)session;
	if (f->kind == EFFECT_ENTERED || f->kind == EFFECT_EXITED)
		buf_add_fmt(b, " %.*s%c", FMT(chart_state_id(c, f->state)),
		    f->kind == EFFECT_ENTERED ? '+' : '-');
	if (f->kind == EFFECT_LOG) {
		buf_add_fmt(b, " %.*s=", FMT(f->name));
		val_add_json(b, f->data);
	}
	if (f->kind == EFFECT_UNTAKEN)
		buf_add_fmt(b, " ?%.*s", FMT(f->name));
	if (f->kind == EFFECT_DONE) {
		buf_add_fmt(b, " =%.*s", FMT(f->name));
		val_add_json(b, f->data);
	}
}

static const struct stepper_ops ops = { .begin = begin, .stop = stop, .told = told,
	.path = true };

static void
settle(struct rig *r, struct chart_stepper *st, msec *now)
{
	while (stepper_step(st, *now) == OK)
		continue;
	(void)r;
}

/* Events: "name", "name=json", "@" (the clock goes to what is due), "done=json",
 * "fail=NAME" (the last task). */
static void
give(struct rig *r, struct chart_stepper *st, struct str what, msec *now)
{
	ptrdiff_t eq = str_index(what, '=');
	struct str name = eq < 0 ? what : str_sub(what, 0, (size_t)eq);
	struct str rest = eq < 0 ? STR_NONE : str_sub(what, (size_t)eq + 1, SIZE_MAX);
	struct val data = VAL_UNDEF;
	struct err e;

	buf_lit(&r->trace, " |");
	if (str_eq(name, S("fail"))) {
		CHECK_RC(stepper_task_failed(st, r->last, rest, VAL_UNDEF), OK);
	} else if (str_eq(what, S("@"))) {
		*now = stepper_due(st);
		CHECK(stepper_fire(st, *now));
	} else {
		if (rest.n > 0)
			CHECK_RC(json_text_to_val(rest, &data, &e), OK);
		if (str_eq(name, S("task")))
			CHECK_RC(stepper_task_done(st, r->last, data), OK);
		else if (str_eq(name, S("reply")))
			CHECK_RC(stepper_task_answer(st, r->last, data), OK);
		else
			CHECK_RC(stepper_event(st, name, data), OK);
		val_drop(data);
	}
	settle(r, st, now);
}

static void
run(const struct chart *c, const char *events, struct rig *r)
{
	struct chart_stepper *st = stepper_new(c, S("s"), &ops, r);
	struct str rest = str_of(events), event;
	msec now = 0;

	r->trace = BUF(1 * MB);
	stepper_start(st, VAL_UNDEF);
	settle(r, st, &now);
	while (str_next(&rest, ' ', &event) && event.n > 0)
		give(r, st, event, &now);
	stepper_free(st);
}

static struct agent *
load(const char *text)
{
	struct agent *a;
	struct err e = { 0 };

	if (agent_load(&a, str_of(text), S("test.yaml"), &task_kinds, &e) != OK)
		test_fail(__FILE__, __LINE__, "%s\n%s", text, e.text);
	CHECK(a->chart != NULL && a->graph == NULL);
	return a;
}

static void
check_run(const char *yaml, const char *events, const char *want)
{
	struct agent *a = load(yaml);
	struct rig r;

	run(a->chart, events, &r);
	if (!str_eq(buf_str(&r.trace), str_of(want)))
		test_fail(__FILE__, __LINE__, "%s\n   got  %.*s\n   want %s", yaml,
		    FMT(buf_str(&r.trace)), want);
	buf_release(&r.trace);
	agent_free(a);
}

/* ---- the same in both spellings ----------------------------------------------- */

static const struct pair { const char *yaml, *scxml, *events; } pairs[] = {
	/* transitions, guards, data, statements */
	{ "id: x\n"
	  "context: {n: 0, list: [], o: {a: [1, {b: 2}], s: \"'text'\"}}\n"
	  "initial: a\n"
	  "states:\n"
	  "  a:\n"
	  "    entry: {log: \"at ${n}\"}\n"
	  "    exit: [{log: {label: out, value: {n: n, o: o}}}]\n"
	  "    on:\n"
	  "      go:\n"
	  "        - {guard: n < 2, target: a, assign: {n: n + 1, \"list\": \"concat(list, [event.data])\"}}\n"
	  "        - b\n"
	  "      stay: {internal: true, assign: {\"o.a[0]\": event.data.v}}\n"
	  "      nothing: null\n"
	  "  b:\n"
	  "    entry:\n"
	  "      - if: len(list) == 2\n"
	  "        then: {log: {label: two}}\n"
	  "        else: {log: {label: other}}\n"
	  "      - foreach: {over: list, as: x, index: i, do: [{log: {value: [x, i]}}, {raise: {event: e}}]}\n"
	  "    on: {e: {guard: visits('a') == 3, target: end}}\n"
	  "  end: {type: final, output: {n: n, list: list, k: [1, null, true]}}\n",
	  "<scxml name='x' initial='a'><datamodel><data id='n' expr='0'/><data id='list'>[]</data>"
	  "<data id='o' expr=\"{a: [1, {b: 2}], s: 'text'}\"/></datamodel>"
	  "<state id='a'><onentry><log expr='`at ${n}`'/></onentry>"
	  "<onexit><log label='out' expr='{n: n, o: o}'/></onexit>"
	  "<transition event='go' cond='n &lt; 2' target='a'><assign location='n' expr='n + 1'/>"
	  "<assign location='list' expr='concat(list, [_event.data])'/></transition>"
	  "<transition event='go' target='b'/>"
	  "<transition event='stay' type='internal'><assign location='o.a[0]' expr='_event.data.v'/></transition>"
	  "<transition event='nothing'/></state>"
	  "<state id='b'><onentry><if cond='len(list) == 2'><log label='two'/><else/><log label='other'/></if>"
	  "<foreach item='x' index='i' array='list'><log expr='[x, i]'/><raise event='e'/></foreach></onentry>"
	  "<transition event='e' cond='visits(\"a\") == 3' target='end'/></state>"
	  "<final id='end'><donedata><content expr='{n: n, list: list, k: [1, null, true]}'/></donedata>"
	  "</final></scxml>",
	  "go=1 stay={\"v\":9} nothing none go=2 go=3" },
	/* nested, parallel, history, done events, internal */
	{ "id: x\n"
	  "states:\n"
	  "  a:\n"
	  "    initial: a2\n"
	  "    states:\n"
	  "      a1: {on: {n: a2}}\n"
	  "      a2: {on: {n: a3}}\n"
	  "      a3: {type: final}\n"
	  "      h: {type: history}\n"
	  "      d: {type: history, history: deep, target: a1}\n"
	  "    on: {out: z, in: {target: a1, internal: true}}\n"
	  "    onDone: p\n"
	  "  z: {on: {back: h, deep: d}}\n"
	  "  p:\n"
	  "    type: parallel\n"
	  "    states:\n"
	  "      l: {states: {l1: {on: {n: l2}}, l2: {type: final}}}\n"
	  "      r: {initial: r2, states: {r1: {}, r2: {always: {guard: In('l2'), target: r3}}, r3: {type: final}}}\n"
	  "    on: {both: {target: [l2, r1]}}\n"
	  "    onDone: {target: f, actions: {log: {label: done}}}\n"
	  "  f: {type: final}\n",
	  "<scxml name='x'><state id='a' initial='a2'><state id='a1'><transition event='n' target='a2'/></state>"
	  "<state id='a2'><transition event='n' target='a3'/></state><final id='a3'/>"
	  "<history id='h'><transition target='a2'/></history>"
	  "<history id='d' type='deep'><transition target='a1'/></history>"
	  "<transition event='out' target='z'/><transition event='in' type='internal' target='a1'/>"
	  "<transition event='done.state.a' target='p'/></state>"
	  "<state id='z'><transition event='back' target='h'/><transition event='deep' target='d'/></state>"
	  "<parallel id='p'><state id='l'><state id='l1'><transition event='n' target='l2'/></state><final id='l2'/></state>"
	  "<state id='r' initial='r2'><state id='r1'/><state id='r2'><transition cond=\"In('l2')\" target='r3'/></state>"
	  "<final id='r3'/></state><transition event='both' target='l2 r1'/>"
	  "<transition event='done.state.p' target='f'><log label='done'/></transition></parallel>"
	  "<final id='f'/></scxml>",
	  "out deep in out back n n both x n" },
	{ "id: x\n"
	  "states:\n"
	  "  a: {states: {b: {}, h: {type: history}}, on: {out: z}}\n"
	  "  z: {on: {back: h}}\n",
	  "<scxml name='x'><state id='a'><state id='b'/><history id='h'><transition target='b'/></history>"
	  "<transition event='out' target='z'/></state><state id='z'><transition event='back' target='h'/>"
	  "</state></scxml>",
	  "out back" },
	/* sends to itself */
	{ "id: x\n"
	  "context: {t: 5}\n"
	  "states:\n"
	  "  a:\n"
	  "    entry:\n"
	  "      - send: {event: late, delay: 2s, data: {v: t}}\n"
	  "      - send: {event: soon, delay: 10}\n"
	  "      - send: {event: never, delay: t * 2, id: k}\n"
	  "      - send: now\n"
	  "      - cancel: k\n"
	  "    on: {\"*\": {actions: {log: {label: got, value: \"[event.name, event.data]\"}}}}\n",
	  "<scxml name='x'><datamodel><data id='t' expr='5'/></datamodel><state id='a'><onentry>"
	  "<send event='late' delay='2s'><content expr='{v: t}'/></send><send event='soon' delay='10ms'/>"
	  "<send event='never' delayexpr='t * 2' id='k'/><send event='now'/><cancel sendid='k'/></onentry>"
	  "<transition event='*'><log label='got' expr='[_event.name, _event.data ?? null]'/></transition>"
	  "</state></scxml>",
	  "@ @" },
};

TEST(states_are_what_scxml_says)
{
	for (size_t i = 0; i < COUNT(pairs); i++) {
		struct agent *a = load(pairs[i].yaml);
		struct chart *c;
		struct rig x, y;
		struct err e = { 0 };

		if (chart_from_scxml(&c, str_of(pairs[i].scxml), NULL, &e) != OK)
			test_fail(__FILE__, __LINE__, "%s", e.text);
		run(a->chart, pairs[i].events, &x);
		run(c, pairs[i].events, &y);
		if (!str_eq(buf_str(&x.trace), buf_str(&y.trace)))
			test_fail(__FILE__, __LINE__, "%s\n   yaml  %.*s\n   scxml %.*s",
			    pairs[i].yaml, FMT(buf_str(&x.trace)), FMT(buf_str(&y.trace)));
		CHECK(x.trace.n > 10);
		buf_release(&x.trace);
		buf_release(&y.trace);
		chart_free(c);
		agent_free(a);
	}
}

/* Tests of the W3C's suite, by number. */
#define ENDS                                                                  \
	"  pass: {type: final, entry: {log: {label: Outcome, value: \"'pass'\"}}}\n" \
	"  fail: {type: final, entry: {log: {label: Outcome, value: \"'fail'\"}}}\n"

static const struct { const char *number, *yaml; } w3c[] = {
	{ "144", "initial: s0\nstates:\n"
	  "  s0: {entry: [{raise: foo}, {raise: bar}], on: {foo: s1, \"*\": fail}}\n"
	  "  s1: {on: {bar: pass, \"*\": fail}}\n" ENDS },
	{ "372", "context: {Var1: 1}\ninitial: s0\nstates:\n"
	  "  s0:\n    initial: s0final\n    entry: {send: {event: timeout, delay: 1s}}\n"
	  "    on: {done.state.s0: {guard: Var1 == 2, target: pass}, \"*\": fail}\n"
	  "    states:\n      s0final: {type: final, entry: {assign: {Var1: 2}}, exit: {assign: {Var1: 3}}}\n"
	  ENDS },
	{ "404", "initial: s0\nstates:\n"
	  "  s0:\n    initial: s01p\n    states:\n"
	  "      s01p:\n        type: parallel\n        exit: {raise: event3}\n"
	  "        always: {target: s02, actions: {raise: event4}}\n"
	  "        states:\n          s01p1: {exit: {raise: event2}}\n          s01p2: {exit: {raise: event1}}\n"
	  "      s02: {on: {event1: s03, \"*\": fail}}\n"
	  "      s03: {on: {event2: s04, \"*\": fail}}\n"
	  "      s04: {on: {event3: s05, \"*\": fail}}\n"
	  "      s05: {on: {event4: pass, \"*\": fail}}\n" ENDS },
	{ "506", "context: {Var1: 0, Var2: 0, Var3: 0}\ninitial: s1\nstates:\n"
	  "  s1: {entry: [{raise: foo}, {raise: bar}], always: s2}\n"
	  "  s2:\n    initial: s21\n    exit: {assign: {Var1: Var1 + 1}}\n"
	  "    on:\n      foo: {internal: true, target: s2, assign: {Var3: Var3 + 1}}\n"
	  "      bar: [{guard: Var3 == 1, target: s3}, fail]\n"
	  "    states: {s21: {exit: {assign: {Var2: Var2 + 1}}}}\n"
	  "  s3: {always: [{guard: Var1 == 2, target: s4}, fail]}\n"
	  "  s4: {always: [{guard: Var2 == 2, target: pass}, fail]}\n" ENDS },
};

/* The original; false: there are no files (SCXML_W3C). */
static bool
run_w3c(const char *number, struct rig *r)
{
	const char *folder = getenv("SCXML_W3C");
	struct buf text = BUF(LIMIT_CHART_BYTES);
	char path[512];
	struct chart *c;
	struct err e = { 0 };

	if (folder == NULL)
		return false;
	snprintf(path, sizeof path, "%s/ecma/test%s.scxml", folder, number);
	CHECK_RC(file_add(path, &text, &e), OK);
	CHECK_RC(chart_from_scxml(&c, buf_str(&text), NULL, &e), OK);
	run(c, "", r);
	chart_free(c);
	buf_release(&text);
	return true;
}

TEST(states_pass_what_scxml_passes)
{
	for (size_t i = 0; i < COUNT(w3c); i++) {
		struct agent *a = load(w3c[i].yaml);
		struct rig x, y;

		run(a->chart, "", &x);
		if (!str_ends(buf_str(&x.trace), S(" =passnull")))
			test_fail(__FILE__, __LINE__, "%s: %s", w3c[i].number, x.trace.p);
		if (run_w3c(w3c[i].number, &y)) {
			CHECK_STR(buf_str(&x.trace), y.trace.p);
			buf_release(&y.trace);
		}
		buf_release(&x.trace);
		agent_free(a);
	}
}

/* ---- work ------------------------------------------------------------------------- */

#define RESEARCH                                                              \
	"id: researcher\n"                                                    \
	"context: {goal: \"'g'\", items: [], results: [], tries: 0}\n"        \
	"initial: plan\n"                                                     \
	"states:\n"                                                           \
	"  plan:\n"                                                           \
	"    llm: {model: fast, prompt: \"Split: ${data.goal}\", output: {schema: {type: array}}}\n" \
	"    writes: {}\n"                                                    \
	"    on: {done: {target: work, assign: {items: event.data.output}}}\n" \
	"  work:\n"                                                           \
	"    map: {over: data.items, as: q, do: [{set: {results: q}}]}\n"     \
	"    onDone: review\n"                                                \
	"  review:\n"                                                         \
	"    ask: {prompt: \"Publish?\", options: [yes, edit]}\n"             \
	"    on:\n"                                                           \
	"      answer: {actions: {log: {label: seen}}}\n"                     \
	"      done: [{guard: event.data.value == 'yes', target: out}, "      \
	"{guard: data.tries < 3, target: plan, assign: {tries: data.tries + 1}}]\n" \
	"      error.*: out\n"                                                \
	"  out: {type: final, output: {answers: data.items, tries: tries}}\n"

TEST(states_with_work_are_nodes)
{
	struct agent *a = load(RESEARCH);

	CHECK_INT(a->nodes_n, 3);
	CHECK_INT(agent_node_find(a, S("review")), 2);
	CHECK_STR(chart_name(a->chart), "researcher");
	CHECK_STR(str_of(a->nodes[1].work.kind->name), "map");
	CHECK_INT(a->channels_n, 4);
	CHECK_INT(chart_slots(a->chart), 4);
	CHECK_STR(chart_slot_name(a->chart, 3), "tries");
	agent_free(a);
	check_run(RESEARCH, "task={\"output\":[1]} task reply=1 task={\"value\":\"edit\"} "
	    "task={\"output\":[2]} task task={\"value\":\"yes\"}",
	    " plan+ +plan:llm | plan- work+ +work:map | work- review+ +review:ask"
	    " | seen=null | review- plan+ +plan:llm | plan- work+ +work:map"
	    " | work- review+ +review:ask | review- out+ out- =out{\"answers\":[2],\"tries\":1}");
	check_run(RESEARCH, "task={\"output\":[]} fail=error.task error",
	    " plan+ +plan:llm | plan- work+ +work:map | ?error.task"
	    " | ?error");
	check_run(RESEARCH, "task task error.other fail=error.ask.gone",
	    " plan+ +plan:llm | plan- work+ +work:map | work- review+ +review:ask"
	    " | ?error.other | review- out+ out- =out{\"answers\":null,\"tries\":0}");
}

/* Goal: several tasks of one state, each with its own ends. */
TEST(states_with_several_invokes)
{
	static const char chart[] =
	    "id: x\n"
	    "states:\n"
	    "  a:\n"
	    "    invoke:\n"
	    "      - {wait: 5, onDone: {actions: {log: {label: one}}}}\n"
	    "      - {tool: search, id: second, writes: {}, onError: b}\n"
	    "    on: {done.invoke.a: {actions: {log: {label: not twice}}}}\n"
	    "  b: {invoke: {emit: {data: 1}}}\n";
	struct agent *a = load(chart);

	CHECK_INT(a->nodes_n, 3);
	CHECK_STR(a->nodes[0].name, "a");
	CHECK_STR(a->nodes[1].name, "second");
	CHECK_STR(a->nodes[2].name, "b");
	agent_free(a);
	check_run(chart, "error done.invoke.a fail=error.tool",
	    " a+ +a:wait +second:tool | ?error | not twice=null | - a- b+ +b:emit");
}

/* ---- the chart itself ------------------------------------------------------------- */

TEST(states_of_the_chart_itself)
{
	check_run("id: x\n"
	    "context: {n: 0}\n"
	    "type: parallel\n"
	    "entry: {log: {label: in}}\n"
	    "exit: {log: {label: out}}\n"
	    "on: {up: {assign: {n: n + 1}}, \"*\": {actions: {log: {label: other, value: event.name}}}}\n"
	    "always: {guard: n > 1, assign: {n: 0}, actions: {log: {label: wrapped}}}\n"
	    "states:\n"
	    "  l: {on: {x: {actions: {log: {label: l}}}}}\n"
	    "  r: {}\n", "up x up y",
	    " in=null chart.regions+ l+ r+ | | l=null other=\"x\" | wrapped=null | other=\"y\"");
	check_run("id: x\n"
	    "type: parallel\n"
	    "exit: {log: {label: out}}\n"
	    "states:\n"
	    "  l: {states: {a: {on: {e: b}}, b: {type: final}}}\n"
	    "  r: {states: {c: {on: {f: d}}, d: {type: final}}}\n", "e f",
	    " chart.regions+ l+ a+ r+ c+ | a- b+ ?done.state.l | c- d+ ?done.state.r d- r- b- l- "
	    "chart.regions- chart.end+ chart.end- out=null =chart.endnull");
	check_run("{\"id\":\"x\",\"states\":{\"a\":{},\"b\":{\"type\":\"final\"}},"
	    "\"on\":{\"end\":\"b\"},\"exit\":{\"log\":\"bye\"}}", "end",
	    " a+ | a- b+ b- =\"bye\" =bnull");
}

/* Goal: names that the run gives, and what is missing is null. */
TEST(states_see_the_run)
{
	check_run("id: x\n"
	    "context: {o: {}}\n"
	    "states:\n"
	    "  a: {on: {e: {actions: {log: {label: v, value: [o.a.b, config.x, context.y, input,"
	    " event.data.z, visits('a')]}}}}}\n", "e",
	    " a+ | v=[null,null,null,null,null,1]");
}

/* ---- as files and drawings ----------------------------------------------------------- */

/* Goal: the order of states and transitions is a part of the definition. */
TEST(states_keep_their_order_in_json)
{
	struct agent *a = load("id: x\nstates: {b: {on: {y: b, x: {assign: {}}}}, a: {}}\n");
	struct agent *again = load(a->json.p);

	CHECK_STR(a->json, "{\"id\":\"x\",\"states\":{\"b\":{\"on\":{\"y\":\"b\",\"x\":{\"assign\":{}}}},"
	    "\"a\":{}}}");
	CHECK_STR(again->json, a->json.p);
	CHECK_STR(chart_state_id(again->chart, 1), "b");
	agent_free(a);
	agent_free(again);
}

TEST(states_are_drawn)
{
	struct agent *a = load("id: x\n"
	    "on: {stop: end}\n"
	    "states:\n"
	    "  p:\n"
	    "    type: parallel\n"
	    "    states:\n"
	    "      l: {states: {l1: {wait: 5, on: {done: l2}}, l2: {type: final}}}\n"
	    "      r: {on: {e: {guard: In('l2')}}}\n"
	    "    onDone: end\n"
	    "  end: {type: final}\n");
	struct buf b = BUF(64 * KB);

	agent_add_outline(&b, a);
	CHECK(str_contains(buf_str(&b), S("states\n"
	    "  stop -> end\n"
	    "  p, parallel\n"
	    "      done.state.p -> end\n"
	    "    l, compound\n"
	    "      l1: wait\n"
	    "          done -> l2\n"
	    "      l2, final\n"
	    "    r\n"
	    "        e when In('l2')\n"
	    "  end, final\n")));
	buf_clear(&b);
	agent_add_dot(&b, a);
	CHECK_STR(buf_str(&b), "digraph \"x\" {\n"
	    "  compound=true;\n"
	    "  node [shape=box, style=rounded];\n"
	    "  start [label=\"any\", shape=plaintext];\n"
	    "  subgraph cluster1 {\n  s1 [shape=point, style=invis];\n  label=\"p\";\n"
	    "  subgraph cluster2 {\n  s2 [shape=point, style=invis];\n  label=\"l\";\n"
	    "  s3 [label=\"l1\\nwait\"];\n"
	    "  s4 [peripheries=2, label=\"l2\"];\n"
	    "  }\n"
	    "  s5 [label=\"r\"];\n"
	    "  }\n"
	    "  s6 [peripheries=2, label=\"end\"];\n"
	    "  start -> s6 [label=\"stop\"];\n"
	    "  s1 -> s6 [label=\"done.state.p\", ltail=cluster1];\n"
	    "  s3 -> s4 [label=\"done\"];\n"
	    "  s5 -> s5 [label=\"e when In('l2')\"];\n"
	    "}\n");
	buf_clear(&b);
	agent_add_mermaid(&b, a);
	CHECK_STR(buf_str(&b), "stateDiagram-v2\n"
	    "  state \"p\" as s1 {\n"
	    "  state \"l\" as s2 {\n"
	    "  state \"l1\" as s3\n"
	    "  state \"l2\" as s4\n"
	    "  }\n"
	    "  state \"r\" as s5\n"
	    "  }\n"
	    "  state \"end\" as s6\n"
	    "  s1 --> s6 : done.state.p\n"
	    "  s3 --> s4 : done\n"
	    "  s5 --> s5 : e when In('l2')\n");
	buf_release(&b);
	agent_free(a);
}

/* Goal: an outline has what is said beside work, and times instead of hidden events. */
TEST(states_show_their_terms)
{
	struct agent *a = load(
	    "id: x\n"
	    "state: {messages: {reducer: messages}, n: {}}\n"
	    "budget: {tokens: 9}\n"
	    "states:\n"
	    "  a:\n"
	    "    llm: {keep: state, truncate: {tokens: 50}, events: {e: {}}}\n"
	    "    retry: {on: [error.llm.*], max: 3, delay: 1s}\n"
	    "    timeout: 30s\n"
	    "    budget: {turns: 2}\n"
	    "    after: {5s: [{guard: n > 1, target: b}, b]}\n"
	    "  b:\n"
	    "    timeout: 1m\n"
	    "    on: {error.timeout: c}\n"
	    "  c: {type: final}\n");
	struct buf b = BUF(64 * KB);

	agent_add_outline(&b, a);
	CHECK(str_contains(buf_str(&b), S("\nbudget tokens 9\n")));
	CHECK(str_contains(buf_str(&b), S("states\n"
	    "  a: llm, events e, keep state, truncate {\"tokens\":50}, timeout 30000ms, "
	    "retry 3 on error.llm.* after 1000ms, budget turns 2\n"
	    "      after 5s when n > 1 -> b\n"
	    "      after 5s -> b\n"
	    "  b\n"
	    "      timeout 1m\n"
	    "      error.timeout -> c\n"
	    "  c, final\n")));
	CHECK(!str_contains(buf_str(&b), S("visits(")));
	buf_clear(&b);
	agent_add_dot(&b, a);
	CHECK(str_contains(buf_str(&b), S("[label=\"after 5s when n > 1\"]")));
	CHECK(!str_contains(buf_str(&b), S("after.a")));
	buf_release(&b);
	agent_free(a);
}

/* Goal: the schema names what charts have; it is JSON without unknown names. */
TEST(states_are_in_the_schema)
{
	static const char *const definitions[] = { "states", "state", "on", "transition",
		"transition1", "actions", "action", "invoke", "names", "expr" };
	struct buf b = BUF(1 * MB);
	struct json_doc doc;
	struct err e;

	agent_add_schema(&b, &task_kinds);
	CHECK_RC(json_parse(&doc, buf_str(&b), &e), OK);
	for (size_t i = 0; i < COUNT(definitions); i++)
		CHECK(json_is_object(json_get(json_get(doc.root, S("$defs")),
		    str_of(definitions[i]))));
	json_release(&doc);
	buf_release(&b);
}

/* ---- what is refused -------------------------------------------------------------- */

#define A "id: x\ncontext: {n: 0}\nstates:\n  a: "

static const struct row { const char *text, *want; } rows[] = {
	{ "id: x\nstates: {}\n", ":2:9: states: expected at least one state" },
	{ "id: x\nstates: []\n", ":2:9: states: expected a map of states, got a list" },
	{ "id: x\nstates: {a: {}}\nnodes: {}\n",
	    ":3:1: an agent has 'states', or 'nodes' and 'edges'" },
	{ "id: x\nnodes: {}\nedges: []\ninitial: a\n", ":4:1: 'initial' goes with 'states'" },
	{ "id: x\nstate: {}\ncontext: {}\nstates: {a: {}}\n",
	    ":3:1: either 'state' or 'context', not both" },
	{ "id: x\ncontext: {a: n}\nstates: {a: {}}\n",
	    ":2:14: context.a: 'n' is neither a channel nor a name that is known here; a text "
	    "in an expression has quotes: \"'n'\"" },
	{ "id: x\nstates: {a: 1}\n", ":2:13: states.a: expected a state, got a number" },
	{ "id: x\nstates: {a.b: {}}\n", ":2:10: states: 'a.b' cannot be a state's name: "
	    "expected a word without . : | # * $" },
	{ "id: x\nstates: {a: {states: {a: {}}}}\n",
	    ":2:23: states.a.states: there are two states 'a'; names are of the whole chart" },
	{ "id: x\ninitial: b\nstates: {a: {}}\n", ":2:10: initial: there is no state 'b'; did you mean 'a'?" },
	{ "id: x\ninitial: stat\nstates: {start: {}}\n",
	    ":2:10: initial: there is no state 'stat'; did you mean 'start'?" },
	{ "id: x\ntype: final\nstates: {a: {}}\n",
	    ":2:7: type: expected compound or parallel for the chart itself" },
	{ "id: x\ntype: parallel\ninitial: a\nstates: {a: {}}\n",
	    ":3:10: initial: all states of a parallel chart are entered: leave it out" },
	{ A "{type: paralel}\n", ":4:13: states.a.type: expected atomic, compound, parallel, final "
	    "or history, got 'paralel'; did you mean 'parallel'?" },
	{ A "{type: parallel}\n",
	    ":4:6: states.a: 'states' is missing, because the type is 'parallel'" },
	{ A "{type: atomic, states: {b: {}}}\n",
	    ":4:13: states.a.type: a state with states is compound or parallel" },
	{ A "{type: parallel, states: {b: {type: final}}}\n",
	    ":4:32: states.a.states: a parallel state has no final child" },
	{ A "{type: final, on: {e: a}}\n", ":4:20: states.a: unknown key 'on'" },
	{ A "{}\n  b: {type: history}\n", ":5:3: states: a history must be inside a state" },
	{ A "{entri: []}\n", ":4:7: states.a: unknown key 'entri'; did you mean 'entry'?" },
	{ A "{lllm: {}}\n", ":4:7: states.a: unknown key 'lllm'; did you mean 'llm'?" },
	{ A "{after: {1s: b}}\n", ":4:19: states.a.after.1s: there is no state 'b'; did you mean 'a'?" },
	{ A "{wait: 1, timeout: 3 s}\n", ":4:25: states.a.timeout: expected a time, as in 30s, 1.5s, "
	    "5m, 24h or 2d, or a number of milliseconds, got 3 s" },
	{ A "{timeout: 3s}\n", ":4:7: states.a: nothing takes the error of this timeout: add on: "
	    "{error.timeout: ...} to the state or to one around it" },
	{ A "{retry: {}}\n", ":4:7: states.a: 'retry' goes with work" },
	{ A "{after: {soon: a}}\n", ":4:15: states.a.after: 'soon' is not a time: expected one as in "
	    "30s, 1.5s, 5m, 24h or 2d, a number of milliseconds, or ${expr}" },
	{ A "{after: {\"${m}\": a}}\n", ":4:17: states.a.after.${m}: 'm' is neither a channel nor a "
	    "name that is known here; did you mean 'n'?" },
	{ A "{type: final, after: {1s: a}}\n", ":4:20: states.a: unknown key 'after'" },
	{ "id: x\nafter: {1s: a}\nstates: {a: {}}\n",
	    ":2:1: 'after' is for a state, not for the agent itself" },
	{ A "{wait: 1, defer: true}\n", ":4:16: states.a: 'defer' is for a node of a graph" },
	{ A "{wait: 1, set: {n: 1}}\n",
	    ":4:16: states.a: one piece of work has one kind, got 'wait' and 'set'" },
	{ A "{wait: 1, invoke: {wait: 2}}\n",
	    ":4:16: states.a: a state has a kind of work or 'invoke', not both" },
	{ A "{invoke: {wait: 1, on: {}}}\n", ":4:25: states.a.invoke: 'on' is for a state" },
	{ A "{invoke: {id: b}}\n", ":4:15: states.a.invoke: expected a kind of work, as in "
	    "{llm: {}} or {set: {channel: value}}" },
	{ A "{invoke: [{wait: 1, id: b}, {wait: 1, id: b}]}\n",
	    ":4:48: states.a.invoke[1].id: there is an invoke 'b' already" },
	{ A "{tools: {}}\n", ":4:6: states.a: it writes the channel 'messages', which the agent "
	    "does not have: add it to state, or say what is written with `writes`" },
	{ A "{output: 1}\n", ":4:7: states.a: 'output' is for a final state" },
	{ A "{history: deep}\n", ":4:7: states.a: 'history' is for a history" },
	{ A "{onDone: a}\n", ":4:7: states.a: 'onDone' goes with states or with work" },
	{ A "{onError: a}\n", ":4:7: states.a: 'onError' goes with work: with a kind's key, or "
	    "inside 'invoke'" },
	{ A "{initial: a}\n", ":4:3: states: initial needs a state with children" },
	{ A "{initial: b, states: {c: {}}}\n  b: {}\n",
	    ":4:3: states: 'b' is not inside the state" },
	{ A "{on: [a]}\n", ":4:11: states.a.on: expected a map of events, got a list" },
	{ A "{on: {e: b}}\n", ":4:15: states.a.on.e: there is no state 'b'; did you mean 'a'?" },
	{ A "{on: {e f: a}}\n", ":4:12: states.a.on: one event a key; several keys may have the "
	    "same transition" },
	{ A "{on: {a.*.b: a}}\n", ":4:12: states.a.on: 'a.*.b' matches nothing: '*' is allowed "
	    "alone or last, as in 'a.*'" },
	{ A "{on: {e: 5}}\n", ":4:15: states.a.on.e: expected a transition: a state's name, or "
	    "{target, guard, actions, ...}, got a number" },
	{ A "{on: {e: {targt: a}}}\n", ":4:16: states.a.on.e: unknown key 'targt'; did you mean "
	    "'target'?" },
	{ A "{on: {e: {cond: n}}}\n", ":4:16: states.a.on.e: unknown key 'cond'" },
	{ A "{on: {e: [{guard: n <, target: a}]}}\n",
	    ":4:24: states.a.on.e[0].guard: column 4: expected a value, got the end" },
	{ A "{on: {e: {guard: m > 1}}}\n", ":4:23: states.a.on.e.guard: 'm' is neither a channel "
	    "nor a name that is known here; did you mean 'n'?" },
	{ A "{on: {e: {target: []}}}\n",
	    ":4:24: states.a.on.e.target: expected at least one state" },
	{ A "{on: {e: {target: [a, a]}}}\n",
	    ":4:24: states.a.on.e.target: targets 'a' and 'a' cannot be active together" },
	{ A "{always: {actions: {log: x}}}\n", ":4:15: states.a.always: 'guard' or 'target' is "
	    "missing: it would be taken for ever" },
	{ A "{always: null}\n", ":4:15: states.a.always: expected a transition: a state's name, or "
	    "{target, guard, actions, ...}, got null" },
	{ A "{entry: go}\n", ":4:14: states.a.entry: expected a statement, as {assign: {x: 1}}, "
	    "got a string" },
	{ A "{entry: {asign: {n: 1}}}\n", ":4:15: states.a.entry: there is no statement 'asign'; "
	    "did you mean 'assign'?" },
	{ A "{entry: {log: x, raise: e}}\n", ":4:23: states.a.entry: one statement a time, got "
	    "'log' and 'raise': write a list" },
	{ A "{entry: {log: x, else: []}}\n", ":4:23: states.a.entry: 'else' goes with 'if'" },
	{ A "{entry: {if: n}}\n", ":4:14: states.a.entry: 'then' is missing" },
	{ A "{entry: {assign: {m: 1}}}\n", ":4:24: states.a.entry.assign: there is no channel 'm'; "
	    "did you mean 'n'?" },
	{ A "{entry: {assign: {n + 1: 1}}}\n",
	    ":4:24: states.a.entry.assign: 'n + 1' cannot be assigned to" },
	{ A "{entry: {assign: {n: {x: [k]}}}}\n", ":4:32: states.a.entry.assign.n.x[0]: 'k' is "
	    "neither a channel nor a name that is known here; did you mean 'n'?" },
	{ A "{entry: {raise: a b}}\n", ":4:22: states.a.entry.raise: 'a b' is not the name of an "
	    "event: one word without '*'" },
	{ A "{entry: {raise: {data: 1}}}\n", ":4:22: states.a.entry.raise: 'event' is missing" },
	{ A "{entry: {send: {event: e, to: b}}}\n",
	    ":4:32: states.a.entry.send: 'to' is of a message to another agent, which has no 'event'" },
	{ A "{entry: {send: {event: e, delay: 5 x}}}\n", ":4:39: states.a.entry.send.delay: "
	    "column 3: expected the end, got 'x'" },
	{ A "{entry: {send: {event: e, delay: -5}}}\n",
	    ":4:39: states.a.entry.send.delay: expected a time, got a number below 0" },
	{ A "{entry: {log: \"${m}\"}}\n", ":4:20: states.a.entry.log: 'm' is neither a channel nor "
	    "a name that is known here; did you mean 'n'?" },
	{ A "{entry: {foreach: {over: n, as: n, do: []}}}\n",
	    ":4:38: states.a.entry.foreach.as: 'n' is a channel; expected another name" },
	{ A "{entry: {foreach: {over: n, as: i}}}\n",
	    ":4:24: states.a.entry.foreach: 'do' is missing" },
	{ A "{entry: [{foreach: {over: n, as: i, do: []}}, {log: \"${i}\"}]}\n",
	    ":4:58: states.a.entry[1].log: 'i' is neither a channel nor a name that is known here; "
	    "did you mean 'n'?" },
	{ "id: x\nstate: {a-b: {}}\nstates: {a: {}}\n",
	    ":2:9: state: data: 'a-b' is not a name" },
};

TEST(states_errors_have_their_place)
{
	unsigned bad = 0;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf want = BUF(4096);
		struct agent *a;
		struct err e = { 0 };
		int rc = agent_load(&a, str_of(rows[i].text), S("f.yaml"), &task_kinds, &e);

		buf_add_fmt(&want, "f.yaml%s", rows[i].want);
		if (rc == OK || !str_eq(str_of(e.text), buf_str(&want))) {
			printf("%s   got  %s %s\n   want %s\n", rows[i].text, rc_name(rc), e.text,
			    want.p);
			bad++;
		}
		agent_free(a);
		buf_release(&want);
	}
	CHECK_INT(bad, 0);
}

/* ---- time ------------------------------------------------------------------- */

/* Goal: a clock is of one visit: it starts at each entry, stops when the state is
 * left, and '*' does not take what it brings. */
TEST(after_is_of_one_visit)
{
	static const char ring[] =
	    "id: x\ncontext: {n: 0, ms: 50}\ninitial: a\nstates:\n"
	    "  a:\n"
	    "    entry: {assign: {n: n + 1}}\n"
	    "    after:\n"
	    "      1s: {target: b, guard: n > 1}\n"
	    "      2s: c\n"
	    "    on: {again: a, '*': d}\n"
	    "  b: {after: {\"${ms}\": d}}\n"
	    "  c: {}\n"
	    "  d: {type: final}\n";

	check_run(ring, "@ @", " a+ | | a- c+");             /* the first guard is false */
	check_run(ring, "again @ @", " a+ | a- a+ | a- b+ | b- d+ d- =dnull");
	check_run(ring, "other", " a+ | a- d+ d- =dnull");
}

/* Goal: an event that was on its way when the state was left is not the next
 * visit's.  Both are due at the same time; the first to come leaves and enters. */
TEST(after_does_not_come_late)
{
	check_run("id: x\ncontext: {n: 0}\ninitial: a\nstates:\n"
	    "  a:\n"
	    "    after:\n"
	    "      10: [{target: a, guard: n == 0, assign: {n: 1}}, b]\n"
	    "      10ms: c\n"
	    "  b: {}\n  c: {}\n",
	    "@ @", " a+ | a- a+ | a- b+");
}

TEST(timeout_of_a_state_raises_its_error)
{
	check_run("id: x\ninitial: p\nstates:\n"
	    "  p:\n"
	    "    timeout: 1m\n"
	    "    initial: l\n"
	    "    states: {l: {on: {go: r}}, r: {}}\n"
	    "    on: {error.timeout: {target: z, actions: {log: \"${event.data.state}\"}}, away: q}\n"
	    "  q: {on: {home: p}}\n"
	    "  z: {type: final}\n", "go away home @",
	    " p+ l+ | l- r+ | r- p- q+ | q- p+ l+ | l- p- =\"p\" z+ z- =znull");
}
