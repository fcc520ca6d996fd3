/*
 * graph_step.c - edges, joins, deferred nodes and sends, one by one.
 *
 * A graph is written as lines, "from to" with marks: several nodes in from
 * joined by '+' wait for each other, '?' a condition, '*' all of them, '!' a
 * send; a node with '~' in front, when it is named first, is deferred.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "graph/graph.h"

enum { MANY = 16 };

struct play {
	struct graph_node node[MANY];
	size_t nodes_n;
	struct graph_edge edge[MANY];
	int from[MANY][MANY];
	size_t edges_n;
	struct graph *g;
	struct graph_state *s;
	struct buf text;                     /* of the last answer */
	const char *list;                    /* what `over` gives, JSON */
	unsigned hold;                       /* edges whose condition holds */
	struct buf writes;                   /* of graph_route, a line each */
	bool refuse;                         /* the next write */
};

static int
node_of(struct play *p, struct str name)
{
	bool defer = str_starts(name, S("~"));

	if (defer)
		name = str_sub(name, 1, name.n);
	if (str_eq(name, S("START")) || str_eq(name, S("END")))
		return name.n == 3 ? GRAPH_END : GRAPH_START;
	for (size_t i = 0; i < p->nodes_n; i++)
		if (str_eq(p->node[i].name, name))
			return (int)i;
	p->node[p->nodes_n] = (struct graph_node){ name, defer };
	return (int)p->nodes_n++;
}

static void
edge_of(struct play *p, struct str line)
{
	struct graph_edge *ed = &p->edge[p->edges_n];
	struct str from, name, to;
	int *at = p->from[p->edges_n++];

	CHECK(str_next(&line, ' ', &from) && str_next(&line, ' ', &to));
	*ed = (struct graph_edge){ .from = at, .when = str_contains(line, S("?")),
		.all = str_contains(line, S("*")), .send = str_contains(line, S("!")) };
	while (str_next(&from, '+', &name))
		at[ed->from_n++] = node_of(p, name);
	ed->to = node_of(p, to);
}

static void
play_new(struct play *p, const char *lines)
{
	struct str rest = str_of(lines), line;
	struct err e = { 0 };

	*p = (struct play){ .text = BUF(1 * MB), .writes = BUF(1 * MB), .list = "[]" };
	while (str_next(&rest, '\n', &line))
		edge_of(p, line);
	if (graph_new(&p->g, &(struct graph_spec){ p->node, p->nodes_n, p->edge, p->edges_n },
	    NULL, &e) != OK)
		test_fail(__FILE__, __LINE__, "%s", e.text);
	p->s = graph_state_new(p->g);
}

static void
play_end(struct play *p)
{
	graph_state_free(p->s);
	graph_free(p->g);
	buf_release(&p->text);
	buf_release(&p->writes);
}

static int
on_when(void *ctx, size_t edge, bool *holds, struct err *e)
{
	const struct play *p = ctx;

	*holds = (p->hold >> edge & 1) != 0;
	return p->hold == ~0u ? err_set(e, ERR_LIMIT, "when of %zu", edge) : OK;
}

static int
on_over(void *ctx, size_t edge, struct val *list, struct err *e)
{
	const struct play *p = ctx;

	(void)edge;
	return json_text_to_val(str_of(p->list), list, e);
}

static int
on_input(void *ctx, size_t edge, struct val element, struct val *input, struct err *e)
{
	(void)ctx, (void)edge;
	if (element.kind == VAL_NULL)
		return err_set(e, ERR_INVALID, "an element is null");
	if (element.kind != VAL_BOOL)
		*input = val_ref(element);
	return OK;
}

static int
on_write(void *ctx, struct str channel, struct val value)
{
	struct play *p = ctx;

	if (p->refuse)
		return ERR_IO;
	buf_add_fmt(&p->writes, "%.*s\t", FMT(channel));
	val_add_json(&p->writes, value);
	buf_add_char(&p->writes, '\n');
	return OK;
}

static int
route(struct play *p, int node, struct err *e)
{
	return graph_route(p->g, node, &(struct graph_router){ on_when, on_over, on_input,
		on_write, p }, e);
}

static int
write_one(struct play *p, struct str channel, const char *json, struct err *e)
{
	struct val v = VAL_UNDEF;
	int rc;

	CHECK_RC(json_text_to_val(str_of(json), &v, e), OK);
	rc = graph_step_write(p->s, channel, v, e);
	val_drop(v);
	return rc;
}

/* "a b c#0=1": the tasks that come next. */
static void
check_next(struct play *p, const char *want)
{
	const struct graph_task *tasks;
	size_t n = graph_next(p->s, &tasks);

	buf_clear(&p->text);
	for (size_t i = 0; i < n; i++) {
		buf_add_fmt(&p->text, "%s%.*s", i > 0 ? " " : "", FMT(tasks[i].name));
		if (!tasks[i].push)
			continue;
		buf_add_fmt(&p->text, "#%u=", tasks[i].index);
		val_add_json(&p->text, tasks[i].input);
	}
	CHECK_STR(buf_str(&p->text), want);
}

/* All tasks end, and what comes next is want. */
static void
step(struct play *p, const char *want)
{
	const struct graph_task *tasks;
	size_t n = graph_next(p->s, &tasks);
	struct str rest, line, channel;
	struct err e = { 0 };

	buf_clear(&p->writes);
	for (size_t i = 0; i < n; i++)
		CHECK_RC(route(p, tasks[i].node, &e), OK);
	graph_step_begin(p->s);
	for (rest = buf_str(&p->writes); str_next(&rest, '\n', &line) && line.n > 0; ) {
		char json[1024];

		CHECK(str_next(&line, '\t', &channel));
		snprintf(json, sizeof json, "%.*s", FMT(line));
		CHECK_RC(write_one(p, channel, json, &e), OK);
	}
	graph_step_end(p->s);
	check_next(p, want);
}

static void
start(struct play *p, const char *want)
{
	struct err e;

	graph_step_begin(p->s);
	CHECK_RC(write_one(p, S("__start__"), "null", &e), OK);
	graph_step_end(p->s);
	check_next(p, "__start__");
	step(p, want);
}

#define HOLD(...) hold_of((const unsigned[]){ __VA_ARGS__ }, \
	sizeof((const unsigned[]){ __VA_ARGS__ }) / sizeof(unsigned))
static unsigned
hold_of(const unsigned *edges, size_t n)
{
	unsigned hold = 0;

	for (size_t i = 0; i < n; i++)
		hold |= 1u << edges[i];
	return hold;
}

/* ---- edges --------------------------------------------------------------- */

TEST(graph_step_first_condition_wins_and_the_rest_is_the_else)
{
	struct play p;

	play_new(&p, "START a\na x\na b ?\na y\na c ?\nb END\nSTART END ?");
	start(&p, "a");
	step(&p, "x y");
	step(&p, "");
	p.hold = HOLD(4);
	start(&p, "a");
	step(&p, "c");
	p.hold = HOLD(2, 4);
	start(&p, "a");
	step(&p, "b");
	step(&p, "");
	p.hold = HOLD(6);
	start(&p, "");
	play_end(&p);
}

TEST(graph_step_all_follows_every_one_that_holds)
{
	struct play p;

	play_new(&p, "START a\na b ?*\na c ?*\na d ?*\na e");
	start(&p, "a");
	step(&p, "e");
	p.hold = HOLD(1, 3);
	start(&p, "a");
	step(&p, "b d");
	play_end(&p);
}

TEST(graph_step_order_is_of_code_points)
{
	struct play p;

	/* In UTF-16 U+1D4B3 is before U+FF5E. */
	play_new(&p, "START b\nSTART \xf0\x9d\x92\xb3\nSTART B\nSTART \xef\xbd\x9e\nSTART a");
	start(&p, "B a b \xef\xbd\x9e \xf0\x9d\x92\xb3");
	play_end(&p);
}

TEST(graph_step_route_stops_at_the_first_failure)
{
	struct play p;
	struct err e;

	play_new(&p, "START a\na b ?\na b !\na c");
	p.hold = ~0u;
	CHECK_RC(route(&p, node_of(&p, S("a")), &e), ERR_LIMIT);
	CHECK_STR(str_of(e.text), "when of 1");
	p.hold = 0;
	p.list = "{}";
	CHECK_RC(route(&p, node_of(&p, S("a")), &e), ERR_INVALID);
	CHECK_STR(str_of(e.text), "send from 'a' to 'b': `over` must be a list");
	p.list = "[1, null, 2]";
	CHECK_RC(route(&p, node_of(&p, S("a")), &e), ERR_INVALID);
	CHECK_STR(str_of(e.text), "an element is null");
	CHECK_STR(buf_str(&p.writes), "__pregel_tasks\t{\"node\":\"b\",\"input\":1}\n");
	p.refuse = true;
	CHECK_RC(route(&p, GRAPH_START, &e), ERR_IO);
	play_end(&p);
}

/* ---- joins and deferred nodes -------------------------------------------- */

TEST(graph_step_join_waits_over_steps_and_begins_anew)
{
	struct play p;

	play_new(&p, "START a\nSTART b\nb c\na+c j\nj a ?");
	start(&p, "a b");
	step(&p, "c");
	p.hold = HOLD(4);
	step(&p, "j");
	step(&p, "a");
	step(&p, "");                        /* c did not arrive again */
	start(&p, "a b");                    /* a a second time: counts once */
	step(&p, "c");
	step(&p, "j");
	play_end(&p);
}

TEST(graph_step_join_is_an_edge_without_condition)
{
	struct play p;

	play_new(&p, "START a\nSTART b\na+b j\na x ?");
	start(&p, "a b");
	step(&p, "j");
	p.hold = HOLD(3);
	start(&p, "a b");
	step(&p, "x");
	play_end(&p);
}

TEST(graph_step_node_reached_twice_runs_once)
{
	struct play p;
	const struct graph_task *tasks;

	play_new(&p, "START a\nSTART b\na j\nb j\na+b j\nj a ?");
	start(&p, "a b");
	step(&p, "j");
	CHECK_INT(graph_next(p.s, &tasks), 1);
	CHECK_STR(tasks[0].trigger, "branch:to:j");
	p.hold = HOLD(5);
	step(&p, "a");
	p.hold = 0;
	step(&p, "j");                       /* by the edge: the join began anew */
	step(&p, "");
	play_end(&p);
}

TEST(graph_step_deferred_node_waits_for_nodes_and_sends)
{
	struct play p;

	play_new(&p, "START a\nSTART ~z\na b\nb c !\nc d ?\na+b ~y\nd END");
	p.list = "[1,2]";
	start(&p, "a");
	step(&p, "b");
	step(&p, "c#0=1 c#1=2");
	p.hold = HOLD(4);
	step(&p, "d");
	step(&p, "y z");
	step(&p, "");
	play_end(&p);
	play_new(&p, "START a\nSTART b\nb c\na+b ~y\na+c ~y\ny END");
	start(&p, "a b");
	step(&p, "c");
	step(&p, "y");
	step(&p, "");
	play_end(&p);
}

TEST(graph_step_triggers_are_langgraphs)
{
	struct play p;
	const struct graph_task *tasks;
	struct err e;

	play_new(&p, "START b\nSTART a\nb+a j\nj k\na k !");
	p.list = "[true]";
	start(&p, "a b");
	CHECK_INT(graph_next(p.s, &tasks), 2);
	CHECK_STR(tasks[0].trigger, "branch:to:a");
	CHECK_INT(tasks[0].node, node_of(&p, S("a")));
	step(&p, "j k#0=null");
	CHECK_INT(graph_next(p.s, &tasks), 2);
	CHECK_STR(tasks[0].trigger, "join:b+a:j");
	CHECK_STR(tasks[1].trigger, "__pregel_push");
	graph_step_begin(p.s);
	CHECK_RC(write_one(&p, S("__start__"), "{}", &e), OK);
	graph_step_end(p.s);
	CHECK_INT(graph_next(p.s, &tasks), 1);
	CHECK_STR(tasks[0].trigger, "__start__");
	CHECK_INT(tasks[0].node, GRAPH_START);
	play_end(&p);
	/* Of two joins the one that is complete; of both the first. */
	play_new(&p, "START a\nSTART b\na+c j\na+b j\nb c ?\nSTART c ?");
	start(&p, "a b");
	step(&p, "j");
	CHECK_INT(graph_next(p.s, &tasks), 1);
	CHECK_STR(tasks[0].trigger, "join:a+b:j");
	p.hold = HOLD(5);
	start(&p, "c");
	p.hold = 0;
	step(&p, "j");
	CHECK_INT(graph_next(p.s, &tasks), 1);
	CHECK_STR(tasks[0].trigger, "join:a+c:j");
	play_end(&p);
}

/* ---- writes of a client -------------------------------------------------- */

TEST(graph_step_goto_comes_beside_the_tasks_that_wait)
{
	struct play p;
	struct err e;

	play_new(&p, "START a\na b !\nSTART ~z");
	p.list = "[1]";
	start(&p, "a");
	step(&p, "b#0=1");
	CHECK_RC(write_one(&p, S("__pregel_tasks"), "{\"node\":\"a\",\"input\":[2]}", &e), OK);
	CHECK_RC(write_one(&p, S("__pregel_tasks"), "{\"node\":\"z\"}", &e), OK);
	CHECK_RC(write_one(&p, S("branch:to:a"), "null", &e), OK);
	graph_step_end(p.s);
	check_next(&p, "a b#0=1 a#1=[2] z#2=null");
	step(&p, "b#0=1 b#1=1");
	step(&p, "z");
	CHECK_RC(write_one(&p, S("branch:to:a"), "null", &e), OK);
	graph_step_end(p.s);
	check_next(&p, "a z");
	play_end(&p);
}

static void
check_refused(struct play *p, const char *channel, const char *json, const char *want)
{
	struct err e = { 0 };

	CHECK_RC(write_one(p, str_of(channel), json, &e), ERR_INVALID);
	CHECK_STR(str_of(e.text), want);
}

TEST(graph_step_refuses_writes_in_words)
{
	struct play p;

	play_new(&p, "START review\nSTART b\nreview+b c");
	check_refused(&p, "branch:to:revew", "null",
	    "goto: the graph has no node 'revew'; did you mean 'review'?");
	check_refused(&p, "branch:to:__start__", "null",
	    "goto: the graph has no node '__start__'");
	check_refused(&p, "join:b+review:c", "\"b\"", "join:b+review:c: the graph has no such join");
	check_refused(&p, "join:review+b:c", "\"c\"",
	    "join:review+b:c: the value must be the name of one of its nodes");
	check_refused(&p, "join:review+b:c", "null",
	    "join:review+b:c: the value must be the name of one of its nodes");
	check_refused(&p, "__pregel_tasks", "{\"node\":\"zzzz\",\"input\":1}",
	    "send: the graph has no node 'zzzz'");
	check_refused(&p, "__pregel_tasks", "[\"b\"]",
	    "__pregel_tasks: a send is {\"node\": name, \"input\": value}");
	check_refused(&p, "messages", "[]", "'messages' is not a channel of the graph's own");
	play_end(&p);
}

TEST(graph_step_limits_sends)
{
	struct buf list = BUF(1 * MB), deep = BUF(1 * MB);
	struct play p;
	struct err e;

	play_new(&p, "START a\na b !");
	buf_add_char(&list, '[');
	for (int i = 0; i < LIMIT_GRAPH_SENDS; i++)
		buf_lit(&list, "0,");
	buf_lit(&list, "0]");
	p.list = list.p;
	CHECK_RC(route(&p, node_of(&p, S("a")), &e), ERR_LIMIT);
	CHECK_STR(str_of(e.text), "send from 'a' to 'b': `over` has 10001 elements, at most 10000");
	for (int i = 0; i < LIMIT_GRAPH_SENDS; i++)
		CHECK_RC(write_one(&p, S("__pregel_tasks"), "{\"node\":\"a\"}", &e), OK);
	CHECK_RC(write_one(&p, S("__pregel_tasks"), "{\"node\":\"a\"}", &e), ERR_LIMIT);
	CHECK_STR(str_of(e.text), "more than 10000 sends in one step");
	graph_step_begin(p.s);
	/* As deep as a snapshot can hold, and deeper. */
	for (int levels = LIMIT_JSON_DEPTH - 3; levels <= LIMIT_JSON_DEPTH - 2; levels++) {
		buf_clear(&deep);
		buf_lit(&deep, "{\"node\":\"a\",\"input\":");
		for (int i = 0; i < levels; i++)
			buf_add_char(&deep, '[');
		for (int i = 0; i < levels; i++)
			buf_add_char(&deep, ']');
		buf_add_char(&deep, '}');
		CHECK_RC(write_one(&p, S("__pregel_tasks"), deep.p, &e),
		    levels == LIMIT_JSON_DEPTH - 3 ? OK : ERR_TOOBIG);
	}
	CHECK_STR(str_of(e.text), "send to 'a': its input has 126 levels, at most 125");
	graph_step_end(p.s);
	buf_clear(&list);
	graph_state_save(p.s, &list);
	graph_state_free(p.s);
	CHECK_RC(graph_state_restore(&p.s, p.g, buf_str(&list), &e), OK);
	buf_release(&list);
	buf_release(&deep);
	play_end(&p);
}

/* ---- snapshots ----------------------------------------------------------- */

/* Restores parts (' for ") under the shape of p's graph. */
static int
restore(struct play *p, const char *parts, struct err *e)
{
	struct buf text = BUF(1 * MB);
	struct graph_state *s;
	int rc;

	graph_state_save(p->s, &text);
	buf_cut(&text, sizeof "{\"shape\":\"0123456789abcdef\"" - 1);
	for (const char *c = parts; *c != '\0'; c++)
		buf_add_char(&text, *c == '\'' ? '"' : *c);
	buf_add_char(&text, '}');
	rc = graph_state_restore(&s, p->g, buf_str(&text), e);
	CHECK((rc == OK) == (s != NULL));
	graph_state_free(s);
	buf_release(&text);
	return rc;
}

TEST(graph_step_snapshot_says_what_is_wrong_with_it)
{
	static const struct { const char *parts, *want; } rows[] = {
		{ ",'next':'a'", "not an array: 'next'" },
		{ ",'next':['x']", "no node 'x'" },
		{ ",'next':[1]", "no node" },
		{ ",'joined':['j']", "nothing has reached 'j'" },
		{ ",'joins':['join:a+b:j']", "not an object: 'joins'" },
		{ ",'joins':{'join:b+a:j':['a']}", "no join 'join:b+a:j'" },
		{ ",'joins':{'join:a+b:j':['j']}", "no node of its join 'j'" },
		{ ",'joins':{'join:a+b:j':['a','b']}", "it is complete: 'join:a+b:j'" },
		{ ",'waiting':['a'],'next':['b']", "it need not wait: 'a'" },
		{ ",'waiting':['z']", "deferred nodes wait for nothing" },
	};
	struct play p;
	struct err e;

	play_new(&p, "START a\nSTART b\na+b j\nj ~z");
	CHECK_RC(restore(&p, "", &e), OK);
	CHECK_RC(restore(&p, ",'next':['a'],'waiting':['z'],'joins':{'join:a+b:j':['a']}", &e), OK);
	CHECK_RC(restore(&p, ",'joined':['j'],'joins':{'join:a+b:j':['b','a','a']}", &e), OK);
	for (size_t i = 0; i < COUNT(rows); i++) {
		CHECK_RC(restore(&p, rows[i].parts, &e), ERR_INVALID);
		CHECK(str_starts(str_of(e.text), S("the snapshot of the graph: ")));
		CHECK_STR(str_of(e.text + sizeof "the snapshot of the graph: " - 1), rows[i].want);
	}
	CHECK_RC(restore(&p, ",'sends':[{'node':'q'}]", &e), ERR_INVALID);
	CHECK_RC(restore(&p, ",,", &e), ERR_SYNTAX);
	play_end(&p);
}

/* Goal: a graph may get other edges while an execution waits, not other nodes. */
TEST(graph_step_snapshot_is_of_one_shape)
{
	static const struct { const char *lines; int rc; } rows[] = {
		{ "START a\nSTART b\na+b j\nj END", OK },
		{ "START j\nj a ?\na+b j\na b", OK },
		{ "START a\nSTART b\na+b j\nSTART c", ERR_CONFLICT },
		{ "START a\nSTART b\nb+a j", ERR_CONFLICT },
		{ "START a\nSTART b\na+b j\na+j b", ERR_CONFLICT },
		{ "START a\nSTART ~b\na+b j", ERR_CONFLICT },
		{ "START a\nSTART b\na+b k", ERR_CONFLICT },
	};
	struct buf saved = BUF(1 * MB);
	struct play p, q;

	play_new(&p, "START a\nSTART b\na+b j");
	start(&p, "a b");
	step(&p, "j");
	graph_state_save(p.s, &saved);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct graph_state *s;
		struct err e = { 0 };

		play_new(&q, rows[i].lines);
		CHECK_RC(graph_state_restore(&s, q.g, buf_str(&saved), &e), rows[i].rc);
		if (s == NULL)
			CHECK_STR(str_of(e.text), "the snapshot does not fit the graph: its nodes "
			    "or joins have changed since");
		graph_state_free(s);
		play_end(&q);
	}
	buf_release(&saved);
	play_end(&p);
}
