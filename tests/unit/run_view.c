/*
 * run_view.c - states as clients see them, and which agent a namespace is of.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "run/child.h"
#include "run/view.h"
#include "task/kinds.h"

#define T "01a1fb74-f13c-7602-b977-7e2dba96d18e"
#define C1 "1f1e5409-bccb-6d70-8001-bb78e0bbaa82"
#define C0 "1f1e5409-ba55-6f50-8000-57652155daaf"
#define K1 "11111111-1111-4111-8111-111111111111"
#define K2 "22222222-2222-4222-8222-222222222222"
#define CHECKPOINT(id, ns) "{\"thread_id\":\"" T "\",\"checkpoint_id\":\"" id \
	"\",\"checkpoint_ns\":\"" ns "\",\"checkpoint_map\":null}"

static struct uuid
id(const char *text)
{
	struct uuid u;

	CHECK(uuid_parse(str_of(text), &u));
	return u;
}

static struct agent *
load(const char *text)
{
	struct agent *a;
	struct err e = { 0 };

	if (agent_load(&a, str_of(text), S("test.yaml"), &task_kinds, &e) != OK)
		test_fail(__FILE__, __LINE__, "%s\n%s", text, e.text);
	return a;
}

static struct agent *
steps(void)
{
	return load("id: steps\nstate:\n  messages: {reducer: messages}\n"
	    "  log: {reducer: append}\n  note: {}\n  n: {reducer: sum, default: 0}\n"
	    "  secret: {}\nprivate: [secret]\n"
	    "nodes: {a: {set: {note: '1'}}, b: {set: {note: '2'}}}\n"
	    "edges: [[START, a], [START, b]]\n");
}

static const struct str two[] = { { "{\"id\":\"a\"}", 10 }, { "{\"id\":\"b\"}", 10 } };
static struct store_channel channels[] = {
	{ .name = { "messages", 8 }, .is_list = true, .entries = two, .entries_n = 2 },
	{ .name = { "note", 4 }, .body = { "\"x\"", 3 } },
	{ .name = { "secret", 6 }, .body = { "1", 1 } },
};

/* Before a and b, with nothing done. */
static struct store_state
before(void)
{
	return (struct store_state){ .c = { .seq = 2, .parent_seq = 1, .id = id(C1),
	    .parent_id = id(C0), .step = 1, .source = SOURCE_LOOP,
	    .created = 1795219505975, .base_json = S("{\"graph_id\":\"steps\",\"thread_id\":"
	    "\"another\",\"run_id\":\"r\"}"), .tasks_json = S("[{\"id\":\"" K1
	    "\",\"name\":\"a\"},{\"id\":\"" K2 "\",\"name\":\"b\"}]") },
	    .channels = channels, .channels_n = 3 };
}

static void
check_shown(const struct view *v, const struct store_state *s, const char *expected)
{
	struct buf b = BUF(64 * KB);

	CHECK_RC(view_add_state(&b, v, s), OK);
	CHECK_STR(buf_str(&b), expected);
	buf_release(&b);
}

/* Only one member of the state's object. */
static void
check_member(const struct agent *a, const struct store_state *s, unsigned member,
    bool newest, const char *expected)
{
	struct view v = { .thread_id = id(T), .agent = a, .members = member,
	    .newest = newest };
	const struct store_write *by_task[8];
	struct store_state whole = *s;

	for (size_t i = 0; i < s->writes_n; i++)     /* all are of one task */
		by_task[i] = &s->writes[i];
	whole.by_task = by_task;
	check_shown(&v, &whole, expected);
}

/* Goal: the whole of a state, in the order and shape of the JS server. */
TEST(view_shows_a_state_whole)
{
	struct agent *a = steps();
	struct store_state s = before();
	struct view v = { .thread_id = id(T), .agent = a, .members = VIEW_ALL,
	    .newest = true };

#define TASK(id, name) "{\"id\":\"" id "\",\"name\":\"" name "\",\"error\":null,"  \
	"\"interrupts\":[],\"path\":[\"__pregel_pull\",\"" name "\"],"                 \
	"\"checkpoint\":null,\"state\":null,\"result\":null}"
	check_shown(&v, &s, "{\"values\":{\"messages\":[{\"id\":\"a\"},{\"id\":\"b\"}],"
	    "\"log\":[],\"note\":\"x\",\"n\":0},\"next\":[\"a\",\"b\"],\"tasks\":["
	    TASK(K1, "a") "," TASK(K2, "b") "],\"metadata\":{\"graph_id\":\"steps\","
	    "\"run_id\":\"r\",\"source\":\"loop\",\"step\":1,\"parents\":{},"
	    "\"thread_id\":\"" T "\"},\"created_at\":\"2026-11-21T00:05:05.975Z\","
	    "\"checkpoint\":" CHECKPOINT(C1, "") ",\"parent_checkpoint\":"
	    CHECKPOINT(C0, "") ",\"interrupts\":[]}");
	s.c.parent_seq = 0;
	check_member(a, &s, VIEW_PARENT, true, "{\"parent_checkpoint\":null}");
	s.c.ns = S("x:1");
	check_member(a, &s, VIEW_CHECKPOINT, true, "{\"checkpoint\":"
	    CHECKPOINT(C1, "x:1") "}");
	agent_free(a);
}

/* A channel that is not declared any more is not shown; without an agent all are. */
TEST(view_shows_what_is_declared)
{
	struct agent *a = load("id: t\nstate: {note: {}}\n"
	    "nodes: {a: {set: {note: '1'}}}\nedges: [[START, a]]\n");
	struct store_state s = before();

	check_member(a, &s, VIEW_VALUES, true, "{\"values\":{\"note\":\"x\"}}");
	check_member(NULL, &s, VIEW_VALUES, true, "{\"values\":{\"messages\":"
	    "[{\"id\":\"a\"},{\"id\":\"b\"}],\"note\":\"x\",\"secret\":1}}");
	agent_free(a);
}

TEST(view_shows_chosen_channels)
{
	struct str note = S("note");
	struct agent *a = steps();
	struct store_state s = before();
	struct view v = { .agent = a, .members = VIEW_VALUES, .channels = &note,
	    .channels_n = 1 };

	check_shown(&v, &s, "{\"values\":{\"note\":\"x\"}}");
	v.agent = NULL;
	check_shown(&v, &s, "{\"values\":{\"note\":\"x\"}}");
	note = S("secret");
	v.agent = a;
	check_shown(&v, &s, "{\"values\":{}}");
	agent_free(a);
}

/* Goal: at the newest checkpoint a task that ended counts and comes next no more;
 * at one that was named it does not, but has its result. */
TEST(view_counts_ended_tasks_at_the_newest)
{
	struct agent *a = steps();
	struct store_state s = before();
	struct store_write w[] = {
		{ .task = id(K1), .idx = 0, .channel = S("log"), .body = S("[\"one\"]") },
		{ .task = id(K1), .idx = 1, .channel = S("note"), .body = S("\"y\"") },
		{ .task = id(K1), .idx = 2, .channel = S("branch:to:b"), .body = S("null") },
		{ .task = id(K1), .idx = 3, .channel = S("log"), .body = S("[\"two\"]") },
	};

	s.writes = w;
	s.writes_n = COUNT(w);
	check_member(a, &s, VIEW_VALUES | VIEW_NEXT, true, "{\"values\":{\"messages\":"
	    "[{\"id\":\"a\"},{\"id\":\"b\"}],\"log\":[\"one\",\"two\"],\"note\":\"y\","
	    "\"n\":0},\"next\":[\"b\"]}");
	check_member(a, &s, VIEW_VALUES | VIEW_NEXT, false, "{\"values\":{\"messages\":"
	    "[{\"id\":\"a\"},{\"id\":\"b\"}],\"log\":[],\"note\":\"x\",\"n\":0},"
	    "\"next\":[\"a\",\"b\"]}");
	check_member(a, &s, VIEW_TASKS, false, "{\"tasks\":[{\"id\":\"" K1
	    "\",\"name\":\"a\",\"error\":null,\"interrupts\":[],\"path\":["
	    "\"__pregel_pull\",\"a\"],\"checkpoint\":null,\"state\":null,\"result\":"
	    "{\"log\":[\"one\",\"two\"],\"note\":\"y\"}}," TASK(K2, "b") "]}");
	/* One that ended without a write is done all the same. */
	w[0] = (struct store_write){ .task = id(K1), .idx = 0,
	    .channel = S("__no_writes__"), .body = S("null") };
	s.writes_n = 1;
	check_member(a, &s, VIEW_NEXT, true, "{\"next\":[\"b\"]}");
	check_member(a, &s, VIEW_TASKS, true, "{\"tasks\":[" TASK(K1, "a") ","
	    TASK(K2, "b") "]}");
	agent_free(a);
}

/* An input that no run has taken yet is not applied, whatever is stored for it. */
TEST(view_does_not_apply_an_input)
{
	struct agent *a = steps();
	struct store_state s = before();
	struct store_write w = { .task = id(K1), .idx = 0, .channel = S("note"),
	    .body = S("\"new\"") };

	s.c.source = SOURCE_INPUT;
	s.c.next = S("__start__");
	s.c.tasks_json = S("[{\"id\":\"" K1 "\",\"name\":\"__start__\"}]");
	s.writes = &w;
	s.writes_n = 1;
	check_member(a, &s, VIEW_VALUES | VIEW_NEXT, true, "{\"values\":{\"messages\":"
	    "[{\"id\":\"a\"},{\"id\":\"b\"}],\"log\":[],\"note\":\"x\",\"n\":0},"
	    "\"next\":[\"__start__\"]}");
	agent_free(a);
}

/* Goal: of a step of one task the result stands in the checkpoint after it. */
TEST(view_shows_the_result_of_a_lone_task)
{
	struct agent *a = steps();
	struct store_state s = before(), after = before();

	s.c.tasks_json = S("[{\"id\":\"" K1 "\",\"name\":\"a\"}]");
	s.child = &after;
	after.c.wrote_json = S("{\"messages\":[1,2],\"note\":true,\"secret\":true,"
	    "\"n\":{\"value\":5}}");
	check_member(a, &s, VIEW_TASKS, false, "{\"tasks\":[{\"id\":\"" K1
	    "\",\"name\":\"a\",\"error\":null,\"interrupts\":[],\"path\":["
	    "\"__pregel_pull\",\"a\"],\"checkpoint\":null,\"state\":null,\"result\":"
	    "{\"messages\":[{\"id\":\"b\"}],\"note\":\"x\",\"n\":5}}]}");
	after.c.wrote_json = S("{}");
	check_member(a, &s, VIEW_TASKS, false, "{\"tasks\":[" TASK(K1, "a") "]}");
	/* Entries that are not there: a damaged row is no crash. */
	after.c.wrote_json = S("{\"messages\":[7,9],\"gone\":true,\"n\":true}");
	check_member(a, &s, VIEW_TASKS, false, "{\"tasks\":[{\"id\":\"" K1
	    "\",\"name\":\"a\",\"error\":null,\"interrupts\":[],\"path\":["
	    "\"__pregel_pull\",\"a\"],\"checkpoint\":null,\"state\":null,\"result\":"
	    "{\"messages\":[],\"n\":null}}]}");
	agent_free(a);
}

TEST(view_shows_errors_and_paths)
{
	struct agent *a = steps();
	struct store_state s = before();
	struct store_write w = { .task = id(K1), .idx = WRITE_ERROR,
	    .channel = S("__error__"), .body = S("{\"message\":\"Boo!\",\"name\":\"E\"}") };

	s.c.tasks_json = S("[{\"id\":\"" K1 "\",\"name\":\"a\",\"path\":[\"__pregel_push\",3],"
	    "\"input\":{\"x\":1}}]");
	s.writes = &w;
	s.writes_n = 1;
	check_member(a, &s, VIEW_NEXT | VIEW_TASKS, true, "{\"next\":[\"a\"],\"tasks\":["
	    "{\"id\":\"" K1 "\",\"name\":\"a\",\"error\":\"{\\\"message\\\":\\\"Boo!\\\","
	    "\\\"name\\\":\\\"E\\\"}\",\"interrupts\":[],\"path\":[\"__pregel_push\",3],"
	    "\"checkpoint\":null,\"state\":null,\"result\":null}]}");
	agent_free(a);
}

/* Goal: a task shows what waits, its own and that of agents below it; of a past
 * state what it asked last, if nothing does.  A thread shows the same by task. */
TEST(view_shows_interrupts)
{
	struct agent *a = steps();
	struct store_state s = before();
	struct store_interrupt i[] = {
		{ .id = id(C0), .task = id(K1), .value_json = S("1"), .created = 5,
		  .state = INTERRUPT_ANSWERED },
		{ .id = id(C1), .task = id(K1), .value_json = S("{\"q\":2}"), .created = 6,
		  .schema_json = S("{\"type\":\"string\"}"), .state = INTERRUPT_WAITING },
		{ .id = id(K2), .task = id(T), .ns = S("b:" K2 "|c:" K1), .created = 7,
		  .value_json = S("3"), .state = INTERRUPT_WAITING },
	};
#define ASKED1 "{\"id\":\"1f1e5409bccb6d708001bb78e0bbaa82\",\"value\":{\"q\":2},"    \
	"\"response_schema\":{\"type\":\"string\"}}"
#define ASKED2 "{\"id\":\"22222222222242228222222222222222\",\"value\":3}"
	struct buf b = BUF(KB);

	s.interrupts = i;
	s.interrupts_n = 2;
	view_add_interrupts(&b, &s);
	CHECK_STR(buf_str(&b), "{\"" K1 "\":[" ASKED1 "],\"" K2 "\":[]}");
	s.interrupts_n = 3;
	i[2].ns = S("b:" K2);
	check_member(a, &s, VIEW_INTERRUPTS, true, "{\"interrupts\":[" ASKED1 "," ASKED2
	    "]}");
	i[1].state = i[2].state = INTERRUPT_ANSWERED;
	check_member(a, &s, VIEW_INTERRUPTS, true, "{\"interrupts\":[]}");
	check_member(a, &s, VIEW_INTERRUPTS, false, "{\"interrupts\":[" ASKED1 "," ASKED2
	    "]}");
	buf_release(&b);
	agent_free(a);
}

TEST(view_shows_that_there_is_nothing)
{
	struct view v = { .thread_id = id(T), .members = VIEW_ALL };
	struct uuid none = { { 0 } }, one = id(C1);
	struct buf b = BUF(KB);

	view_add_nothing(&b, &v, STR_NONE, &none);
	CHECK_STR(buf_str(&b), "{\"values\":{},\"next\":[],\"tasks\":[],\"created_at\":null,"
	    "\"checkpoint\":null,\"parent_checkpoint\":null,\"interrupts\":[]}");
	buf_clear(&b);
	v.members = VIEW_NEXT | VIEW_CHECKPOINT;
	view_add_nothing(&b, &v, STR_NONE, &one);
	CHECK_STR(buf_str(&b), "{\"next\":[],\"checkpoint\":" CHECKPOINT(C1, "") "}");
	buf_release(&b);
}

/* ---- namespaces ------------------------------------------------------------------- */

static struct agent *
family(void)
{
#define INNER(id) "{id: " id ", state: {x: {}}, nodes: {n: {set: {x: '1'}}}, edges: [[START, n]]}"
	return load("id: root\nstate: {x: {}}\nnodes:\n"
	    "  plain: {set: {x: '1'}}\n"
	    "  one: {agent: " INNER("first") "}\n"
	    "  kept: {agent: " INNER("second") ", persist: true}\n"
	    "  many:\n    do:\n      - set: {x: '1'}\n      - agent: " INNER("third") "\n"
	    "      - map: {over: '[1, 2]', as: e, agent: " INNER("fourth") "}\n"
	    "      - agent: " INNER("fifth") "\n"
	    "edges: [[START, plain], [START, one], [START, kept], [START, many]]\n");
}

static void
check_found(const struct agent *a, const char *ns, const char *expected)
{
	const struct agent *found = child_find(a, str_of(ns));

	CHECK_STR(found == NULL ? S("none") : found->id, expected);
}

static void
check_namespace(const struct agent *a, const char *up, const char *node,
    const char *expected)
{
	struct uuid task = id(K1);
	struct buf b = BUF(KB);

	CHECK(child_add_namespace(&b, a, str_of(up), str_of(node), &task) ==
	    (expected != NULL));
	CHECK_STR(buf_str(&b), expected != NULL ? expected : "");
	buf_release(&b);
}

/* Goal: what a task's checkpoint names is found again. */
TEST(view_namespaces_name_agents)
{
	struct agent *a = family();

	check_found(a, "", "root");
	check_found(a, "one:" K1, "first");
	check_found(a, "kept", "second");
	check_found(a, "many:" K1 "|1", "third");
	check_found(a, "many:" K1 "|2.map.7", "fourth");
	check_found(a, "many:" K1 "|3", "fifth");
	check_found(a, "many:" K1 "|0", "none");
	check_found(a, "many:" K1 "|9", "none");
	check_found(a, "plain:" K1, "none");
	check_found(a, "nope:" K1, "none");
	check_found(a, "one:" K1 "|n:" K2, "none");
	check_namespace(a, "", "plain", NULL);
	check_namespace(a, "", "one", "one:" K1);
	check_namespace(a, "up:" K2, "one", "up:" K2 "|one:" K1);
	check_namespace(a, "", "kept", "kept");
	check_namespace(a, "", "many", "many:" K1 "|1");
	agent_free(a);
}
