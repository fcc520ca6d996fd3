/*
 * task_draw.c - drawings of agents: everything is in them, nothing lies on
 * anything else, and no text of a file gets out of its element.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "task/kinds.h"

static struct agent *
load(struct str text)
{
	struct agent *a;
	struct err e = { 0 };

	if (agent_load(&a, text, S("draw.yaml"), &task_kinds, &e) != OK)
		test_fail(__FILE__, __LINE__, "%.*s\n%s", FMT(text), e.text);
	return a;
}

static struct buf
drawing(struct str text, const struct str *active, size_t n)
{
	struct buf b = BUF(16 * MB);
	struct agent *a = load(text);
	struct err e = { 0 };

	CHECK_RC(agent_add_svg(&b, a, active, n, &e), OK);
	agent_free(a);
	buf_add_char(&b, '\0');
	return b;
}

static size_t
count(const char *text, const char *what)
{
	size_t n = 0;

	for (const char *p = text; (p = strstr(p, what)) != NULL; p++)
		n++;
	return n;
}

struct rect { double x, y, w, h; };

/* Two boxes lie beside each other, or one inside of the other. */
static void
check_apart(const char *svg)
{
	static struct rect at[4000];
	size_t n = 0;

	for (const char *p = svg; (p = strstr(p, "<rect class=")) != NULL; p++) {
		const char *x = strstr(p, " x=\"");

		CHECK(n < COUNT(at));
		CHECK_INT(sscanf(x, " x=\"%lf\" y=\"%lf\" width=\"%lf\" height=\"%lf\"",
		    &at[n].x, &at[n].y, &at[n].w, &at[n].h), 4);
		n++;
	}
	for (size_t i = 0; i < n; i++)
		for (size_t k = i + 1; k < n; k++) {
			const struct rect *a = &at[i], *b = &at[k];
			bool beside = a->x + a->w <= b->x || b->x + b->w <= a->x ||
			    a->y + a->h <= b->y || b->y + b->h <= a->y;
			bool inside = b->x >= a->x && b->x + b->w <= a->x + a->w &&
			    b->y >= a->y && b->y + b->h <= a->y + a->h;

			if (!beside && !inside)
				test_fail(__FILE__, __LINE__, "boxes %zu and %zu overlap:\n%s",
				    i, k, svg);
		}
}

static const char chart[] = "id: order\ninitial: pay\nstates:\n"
    "  pay: {ask: {prompt: 'Pay?'}, on: {done: [{guard: event.data.value == 'a', "
    "target: work}, out], error.execution: out}}\n"
    "  work:\n    type: parallel\n    onDone: out\n    states:\n"
    "      a: {initial: a1, states: {a1: {on: {x: a2}}, a2: {type: final}, "
    "h: {type: history, target: a1}}}\n"
    "      b: {initial: b1, states: {b1: {on: {y: {actions: {log: \"'n'\"}}, x: b2}}, "
    "b2: {type: final}}}\n  out: {type: final}\n";

/* Goal: every state and transition is in the picture, its own events by their short
 * names, and what is active is marked. */
TEST(draw_a_chart)
{
	struct str active[] = { S("a1"), S("b1") };
	struct buf b = drawing(str_of(chart), active, 2);

	CHECK_INT(count(b.p, "<rect class=\"group"), 3);
	CHECK_INT(count(b.p, "<rect class=\"b active\""), 2);
	CHECK_INT(count(b.p, "marker-end"), 3 + 1 + 3 + 1 + 3);
	CHECK(strstr(b.p, "<title>done when event.data.value == 'a'</title>") != NULL);
	CHECK(strstr(b.p, "<title>done</title>") != NULL);
	CHECK(strstr(b.p, "invokeid") == NULL);
	check_apart(b.p);
	buf_release(&b);
}

TEST(draw_refuses_an_active_state_that_is_not_there)
{
	struct str active = S("worked");
	struct buf b = BUF(MB);
	struct agent *a = load(str_of(chart));
	struct err e = { 0 };

	CHECK_RC(agent_add_svg(&b, a, &active, 1, &e), ERR_INVALID);
	CHECK(strstr(e.text, "no state \"worked\"; did you mean \"work\"") != NULL);
	buf_release(&b);
	agent_free(a);
}

/* Goal: a drawing can be put into a page as it is. */
TEST(draw_texts_stay_in_their_elements)
{
	struct buf b = drawing(S("id: x\nname: \"</title><script>alert(1)</script>\"\n"
	    "nodes:\n  'a<b>&\"c': {set: {}, description: \"<img src=x onerror=1>\"}\n"
	    "edges:\n  - [START, 'a<b>&\"c']\n"
	    "  - {from: 'a<b>&\"c', to: END, when: \"'<i>' < 'b'\"}\n"), NULL, 0);

	CHECK(strstr(b.p, "<script") == NULL && strstr(b.p, "<img") == NULL &&
	    strstr(b.p, "<i>") == NULL);
	CHECK(strstr(b.p, "&#60;script&#62;") != NULL);
	buf_release(&b);
}

/* Goal: boxes of any graph are apart, also with cycles and long edges. */
TEST(draw_random_graphs)
{
	for (unsigned seed = 1; seed <= 60; seed++) {
		struct buf t = BUF(MB);
		unsigned s = seed, nodes = 2 + seed % 14;
		struct buf b;

		buf_lit(&t, "id: r\nnodes:\n");
		for (unsigned i = 0; i < nodes; i++)
			buf_add_fmt(&t, "  node_%u: {set: {}}\n", i);
		buf_lit(&t, "edges:\n  - [START, node_0]\n");
		for (unsigned i = 0; i < 3 * nodes; i++) {
			unsigned from = i < nodes - 1 ? i : rand_r(&s) % nodes;
			unsigned to = i < nodes - 1 ? i + 1 : rand_r(&s) % nodes;

			buf_add_fmt(&t, "  - {from: node_%u, to: node_%u%s}\n", from, to,
			    i < nodes - 1 ? "" : ", when: \"'long' == 'labels of edges'\"");
		}
		b = drawing(buf_str(&t), NULL, 0);
		CHECK_INT(count(b.p, "<rect class="), nodes + 2);
		CHECK_INT(count(b.p, "marker-end"), 3 * nodes + 1);
		CHECK(strstr(b.p, "nan") == NULL && strstr(b.p, "inf") == NULL);
		check_apart(b.p);
		buf_release(&b);
		buf_release(&t);
	}
}

/* Goal: the drawing as data has states in states, and is JSON whatever names it has. */
TEST(draw_as_data)
{
	struct agent *a = load(S("id: x\ninitial: a\nstates:\n"
	    "  a:\n    type: parallel\n    states:\n"
	    "      b: {initial: d, states: {d: {on: {go: e}}, e: {type: final}}}\n"
	    "      c: {}\n"
	    "    on: {\"no\": {target: \"z'\\\"<\", guard: \"'\\\"' == 'x'\"}}\n"
	    "  \"z'\\\"<\": {type: final}\n"));
	struct buf b = BUF(1 * MB);
	struct json_doc doc;
	struct err e = { 0 };
	jnode nodes, edges, d;

	CHECK_RC(agent_add_picture(&b, a, &e), OK);
	CHECK_RC(json_parse(&doc, buf_str(&b), &e), OK);
	nodes = json_get(doc.root, S("nodes"));
	edges = json_get(doc.root, S("edges"));
	CHECK_INT(json_count(nodes), 8);         /* a b d e c z, two dots */
	CHECK_INT(json_count(edges), 4);
	d = json_at(nodes, 2);
	CHECK(str_eq(json_str(json_get(d, S("id"))), S("d")));
	CHECK_INT(json_int(json_get(d, S("parent"))), 1);
	CHECK(str_eq(json_str(json_get(json_at(nodes, 0), S("type"))), S("parallel")));
	CHECK(str_eq(json_str(json_get(json_at(nodes, 5), S("id"))), S("z'\"<")));
	for (size_t i = 0; i < json_count(edges); i++) {
		jnode x = json_at(edges, i);

		CHECK(json_str(json_get(x, S("path"))).n > 0);
		CHECK(json_int(json_get(x, S("target"))) < 8);
	}
	json_release(&doc);
	buf_release(&b);
	agent_free(a);
}
