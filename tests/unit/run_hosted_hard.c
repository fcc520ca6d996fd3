/*
 * run_hosted_hard.c - workers that are lost at any call, and workers that say anything.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run_hosted_fix.h"

#include <string.h>

#include "base/mem.h"
#include "base/scan.h"

static const struct { enum worker_verb verb; const char *body, *words; } bad[] = {
	{ WORKER_EVENTS, "{\"events\":1}", "events: expected an array" },
	{ WORKER_EVENTS, "{\"events\":[{}]}", "events[0].n: expected an integer" },
	{ WORKER_EVENTS, "{\"events\":[{\"n\":9,\"ns\":1,\"mode\":\"values\"}]}",
	    "events[0].ns: expected an array" },
	{ WORKER_EVENTS, "{\"events\":[{\"n\":9,\"ns\":[1],\"mode\":\"values\"}]}",
	    "events[0].ns: expected an array of strings" },
	{ WORKER_EVENTS, "{\"events\":[{\"n\":9,\"ns\":[],\"mode\":\"x\"}]}",
	    "events[0].mode: \"x\" is no mode" },
	{ WORKER_EVENTS, "{\"events\":[{\"n\":9,\"ns\":[],\"mode\":\"tasks\",\"data\":{}}]}",
	    "events[0].data: expected a task" },
	{ WORKER_EVENTS, "{\"events\":[{\"n\":9,\"ns\":[],\"mode\":\"updates\","
	    "\"data\":[]}]}", "events[0].data: expected {node: update}" },
	{ WORKER_EVENTS, "{\"events\":[{\"n\":9,\"ns\":[],\"mode\":\"messages\","
	    "\"data\":[{\"type\":\"ai\"}]}]}", "a message needs the namespace of its task" },
	{ WORKER_EVENTS, "{\"events\":[{\"n\":9,\"ns\":[],\"mode\":\"checkpoints\","
	    "\"data\":{\"id\":\"x\"}}]}", "events[0].data: expected {id: a UUID" },
	{ WORKER_EVENTS, "{\"events\":[{\"n\":9,\"ns\":[],\"mode\":\"tools\","
	    "\"data\":{\"event\":\"x\"}}]}", "events[0].data.event" },
	{ WORKER_SAVER, "{}", "op: expected" },
	{ WORKER_SAVER, "{\"op\":\"x\"}", "op: expected" },
	{ WORKER_SAVER, "{\"op\":\"get\"}", "ns: expected a string" },
	{ WORKER_SAVER, "{\"op\":\"put\",\"ns\":\"\",\"id\":1}", "id: expected a string" },
	{ WORKER_SAVER, "{\"op\":\"put\",\"ns\":\"\",\"id\":\"x\",\"checkpoint\":{}}",
	    "checkpoint.type: expected a string" },
	{ WORKER_SAVER, "{\"op\":\"put\",\"ns\":\"\",\"id\":\"x\",\"checkpoint\":"
	    "{\"type\":\"pickle\",\"b64\":\"\"}}", "checkpoint.type: \"pickle\" is refused" },
	{ WORKER_SAVER, "{\"op\":\"put\",\"ns\":\"\",\"id\":\"x\",\"checkpoint\":"
	    "{\"type\":\"json\",\"b64\":\"?\"}}", "checkpoint.b64: not base64" },
	{ WORKER_SAVER, "{\"op\":\"put\",\"ns\":\"\",\"id\":\"x\",\"checkpoint\":"
	    "{\"type\":\"json\",\"text\":\"1\"},\"metadata\":{\"type\":\"json\",\"text\":"
	    "\"1\"},\"view\":{\"values\":{},\"step\":1}}", "id: expected a UUID" },
	{ WORKER_SAVER, "{\"op\":\"put\",\"ns\":\"\",\"id\":\"" C0 "\",\"checkpoint\":"
	    "{\"type\":\"json\",\"text\":\"1\"},\"metadata\":{\"type\":\"json\",\"text\":"
	    "\"1\"},\"view\":{\"values\":{}}}", "view.step: expected an integer" },
	{ WORKER_SAVER, "{\"op\":\"writes\",\"groups\":[{\"ns\":\"\",\"id\":\"x\"}]}",
	    "groups[0].task_id: expected a string" },
	{ WORKER_SAVER, "{\"op\":\"writes\",\"groups\":[{\"ns\":\"\",\"id\":\"x\","
	    "\"task_id\":\"t\",\"writes\":[{\"channel\":\"c\"}]}]}",
	    "groups[0].writes[0].idx: expected an integer" },
	{ WORKER_STORE, "{\"ops\":[{\"op\":\"x\"}]}", "op: expected" },
	{ WORKER_STORE, "{\"ops\":[{\"op\":\"get\",\"namespace\":[]}]}",
	    "ops[0].namespace: expected an array" },
	{ WORKER_STORE, "{\"ops\":[{\"op\":\"get\",\"namespace\":[\"a.b\"]}]}",
	    "ops[0].namespace: a label" },
	{ WORKER_STORE, "{\"ops\":[{\"op\":\"put\",\"namespace\":[\"a\"],\"key\":\"k\","
	    "\"value\":1}]}", "ops[0].value: expected an object or null" },
	{ WORKER_END, "{}", "status: expected" },
	{ WORKER_END, "{\"status\":\"done\"}", "status: expected" },
};

/* Goal: whatever a worker says wrongly is refused with its place, and changes nothing. */
TEST(bad_calls_of_a_worker_are_refused)
{
	struct fix f;
	struct ear x;
	struct hand h;

	begin_g(&f, &h, &x, "memory", MODE_VALUES);
	for (size_t i = 0; i < COUNT(bad); i++) {
		CHECK(hand_call(&h, bad[i].verb, bad[i].body) != OK);
		if (strstr(h.out, bad[i].words) == NULL)
			fprintf(stderr, "%zu: %s\n", i, h.out);
		CHECK(strstr(h.out, bad[i].words) != NULL);
	}
	CHECK_RC(hand_call(&h, WORKER_SAVER, "{\"op\":\"get\",\"ns\":\"\"}"), OK);
	CHECK(strstr(h.out, "\"found\":null}") != NULL);
	CHECK_RC(hand_call(&h, WORKER_STORE, "{\"ops\":[{\"op\":\"put\",\"namespace\":[\"a\",\"b\"],"
	    "\"key\":\"k\",\"value\":{\"v\":1}},{\"op\":\"get\",\"namespace\":[\"a\",\"b\"],"
	    "\"key\":\"k\"},{\"op\":\"search\",\"namespace\":[\"a\"]},{\"op\":\"namespaces\"},"
	    "{\"op\":\"put\",\"namespace\":[\"a\",\"b\"],\"key\":\"k\",\"value\":null},"
	    "{\"op\":\"get\",\"namespace\":[\"a\",\"b\"],\"key\":\"k\"}]}"), OK);
	CHECK(strstr(h.out, "\"results\":[null,{\"namespace\":[\"a\",\"b\"],\"key\":\"k\",\"value\":"
	    "{\"v\":1}") != NULL);
	CHECK(strstr(h.out, ",[[\"a\",\"b\"]],null,null]") != NULL);
	end_g(&h, &x);
	ear_free(&x);
	fix_close(&f);
}

/* Goal: an end that was acknowledged is in the store; one that could not be stored is refused. */
TEST(a_worker_s_end_is_answered_when_it_is_stored)
{
	struct fix f;
	struct ear x;
	struct hand h;

	for (int fails = 0; fails < 2; fails++) {
		/* Recovery, the run, its end. */
		fix_open_workers_failing(&f, "memory", 1, GRAPH, fails ? 3 : 0);
		hand_register(&h, &f.desks[0]);
		CHECK_RC(run_g(&x, &f, 1, MODE_VALUES), OK);
		hand_take(&h);
		CHECK_RC(hand_call(&h, WORKER_END, "{\"status\":\"success\"}"),
		    fails ? ERR_IO : OK);
		if (!fails)
			CHECK_INT(run_row(&f, &x.run_id).status, RUN_SUCCESS);
		ear_until_end(&x);
		CHECK_INT(x.status, fails ? RUN_ERROR : RUN_SUCCESS);
		CHECK_RC(hand_call(&h, WORKER_END, "{\"status\":\"success\"}"),
		    fails ? ERR_CONFLICT : OK);
		ear_free(&x);
		fix_close(&f);
	}
}

/* ---- lost at any call ------------------------------------------------------------------ */

static int calls_left;
static bool put_any;

#define CALL(x) do {                                                           \
		if (calls_left-- == 0)                                         \
			return false;                                          \
		x;                                                             \
	} while (0)

/* A worker that goes on from what its saver has; false: it is to be lost here. */
static bool
drive(struct hand *h)
{
	bool told = strstr(h->task, "\"again\":true") != NULL, done, written;

	CALL(CHECK_RC(hand_call(h, WORKER_SAVER, "{\"op\":\"get\",\"ns\":\"\"}"), OK));
	done = strstr(h->out, "\"id\":\"" C2 "\"") != NULL;
	written = strstr(h->out, TA) != NULL;
	CHECK(told == put_any);
	if (strstr(h->out, "\"id\":\"" C1 "\"") == NULL && !done) {
		CALL(put(h, C0, NULL, -1, "input", "{}"));
		put_any = true;
		CALL(put(h, C1, C0, 0, "loop", "{\"messages\":[" M_HI "]}"));
	}
	if (!done) {
		CALL(say(h, "", "checkpoints", "{\"id\":\"" C1 "\",\"parent_id\":\"" C0
		    "\",\"step\":0,\"source\":\"loop\"}"));
		CALL(say(h, "", "values", "{\"messages\":[" M_HI "]}"));
		CALL(say(h, "", "tasks", "{\"id\":\"" TA "\",\"name\":\"a\",\"input\":{},"
		    "\"triggers\":[\"branch:to:a\"],\"interrupts\":[]}"));
	}
	if (!done && !written) {
		CALL(say(h, "\"a:" TA "\"", "messages", "[{\"type\":\"AIMessageChunk\","
		    "\"content\":\"a b\",\"id\":\"m1\",\"tool_call_chunks\":[]}," META "]"));
		CALL(say(h, "", "updates", "{\"a\":{\"messages\":[" M_AI "]}}"));
		CALL(say(h, "", "tasks", "{\"id\":\"" TA "\",\"name\":\"a\",\"result\":{"
		    "\"messages\":[" M_AI "]},\"interrupts\":[],\"error\":null}"));
		CALL(write_of(h, C1, TA, ""));
	}
	if (!done)
		CALL(put(h, C2, C1, 1, "loop", "{\"messages\":[" M_HI "," M_AI "]}"));
	CALL(say(h, "", "checkpoints", "{\"id\":\"" C2 "\",\"parent_id\":\"" C1 "\",\"step\":1,"
	    "\"source\":\"loop\"}"));
	CALL(say(h, "", "values", "{\"messages\":[" M_HI "," M_AI "]}"));
	calls_left = 0;                      /* the end is the run's own */
	CHECK_RC(hand_call(h, WORKER_END, "{\"status\":\"success\"}"), OK);
	return true;
}

static void
check_history(struct fix *f, unsigned thread)
{
	struct store_history_item *items;
	struct uuid id = thread_no(thread);

	CHECK_INT(history(f, &id, &items), 3);
	CHECK_INT(items[0].messages_n, 2);
	CHECK_STR(items[0].c.next, "");
	CHECK_STR(items[1].c.next, "a");
	CHECK_INT(items[1].messages_n, 1);
	CHECK_STR(items[2].c.next, "__start__");
	CHECK_INT(thread_row(f, &id).status, THREAD_IDLE);
}

/* Goal: whichever call is the worker's last, another brings the run to the same end. */
TEST(a_worker_may_be_lost_at_any_call)
{
	struct fix f;
	struct ear x;
	struct hand h;
	bool whole = false;

	fix_open_workers(&f, "memory", 2, GRAPH);
	for (unsigned n = 0; !whole; n++) {
		CHECK_RC(run_g(&x, &f, n, ALL), OK);
		hand_register(&h, &f.desks[n % 2]);
		hand_take(&h);
		calls_left = (int)n;
		put_any = false;
		whole = drive(&h);
		if (!whole) {
			hand_change(&h);
			calls_left = INT32_MAX;
			CHECK(drive(&h));
		}
		ear_until_end(&x);
		CHECK_INT(x.status, RUN_SUCCESS);
		check_history(&f, n);
		ear_free(&x);
		hand_leave(&h);
		CHECK(n < 40);
	}
	fix_close(&f);
}

/* The same of the server. */
TEST(a_server_may_be_lost_at_any_call_of_a_worker)
{
	bool whole = false;

	for (unsigned n = 0; !whole; n++) {
		struct fix f;
		struct ear x;
		struct hand h;

		remove("db");
		remove("db-wal");
		remove("db-shm");
		fix_open_workers(&f, "sqlite", 1, GRAPH);
		CHECK_RC(run_g(&x, &f, 1, ALL), OK);
		hand_register(&h, &f.desks[0]);
		hand_take(&h);
		calls_left = (int)n;
		put_any = false;
		whole = drive(&h);
		if (!whole) {
			fix_crash(&f);
			hand_register(&h, &f.desks[0]);
			hand_take(&h);
			calls_left = INT32_MAX;
			CHECK(drive(&h));
		}
		fix_crash(&f);               /* the end is in the store */
		check_history(&f, 1);
		ear_free(&x);
		fix_close(&f);
		CHECK(n < 40);
	}
}

/* ---- anything ------------------------------------------------------------------------- */

static unsigned
dice(uint64_t *seed, unsigned sides)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(*seed >> 33) % sides;
}

/* One value of a body becomes another. */
static void
mutate(uint64_t *seed, const char *body, struct buf *out)
{
	static const char *const values[] = { "null", "1", "-1", "1e99", "\"\"", "\"x\"", "[]",
	    "{}", "[1]", "[[]]", "{\"id\":1}", "\"" TA "\"", "\"" C1 "\"", "\"" C2 "\"", "true",
	    "[{\"type\":\"ai\"}]", "\"a:" TA "\"", "[\"a:" TA "\"]", "99999999999999999999" };
	size_t n = strlen(body), at = dice(seed, (unsigned)n);
	struct str value;
	struct scan s;

	while (at < n && body[at] != ':' && body[at] != '[' && body[at] != ',')
		at++;
	at += at < n;
	s = scan_of((struct str){ body + at, n - at });
	if (!scan_value(&s, &value)) {
		buf_add(out, str_of(body));
		return;
	}
	buf_add(out, (struct str){ body, (size_t)(value.p - body) });
	buf_add(out, str_of(values[dice(seed, COUNT(values))]));
	buf_add(out, str_of(value.p + value.n));
}

static const struct { enum worker_verb verb; const char *body; } good[] = {
	{ WORKER_EVENTS, "{\"events\":[{\"n\":%d,\"ns\":[],\"mode\":\"checkpoints\",\"data\":{"
	    "\"id\":\"" C1 "\",\"parent_id\":\"" C0 "\",\"step\":0,\"source\":\"loop\"}}]}" },
	{ WORKER_EVENTS, "{\"events\":[{\"n\":%d,\"ns\":[],\"mode\":\"values\",\"data\":{"
	    "\"messages\":[" M_HI "]}}]}" },
	{ WORKER_EVENTS, "{\"events\":[{\"n\":%d,\"ns\":[],\"mode\":\"tasks\",\"data\":{\"id\":\""
	    TA "\",\"name\":\"a\",\"input\":{},\"triggers\":[\"b\"],\"interrupts\":[]}}]}" },
	{ WORKER_EVENTS, "{\"events\":[{\"n\":%d,\"ns\":[\"a:" TA "\"],\"mode\":\"messages\","
	    "\"data\":[{\"type\":\"AIMessageChunk\",\"content\":[{\"type\":\"text\",\"text\":\"a\"}],"
	    "\"id\":\"m1\",\"tool_call_chunks\":[{\"index\":0,\"id\":\"c\",\"name\":\"n\",\"args\":"
	    "\"{\"}],\"usage_metadata\":{\"input_tokens\":1}}," META "]}]}" },
	{ WORKER_EVENTS, "{\"events\":[{\"n\":%d,\"ns\":[\"a:" TA "\"],\"mode\":\"messages\","
	    "\"data\":[{\"type\":\"tool\",\"content\":\"a\",\"id\":\"m2\"}," META "]}]}" },
	{ WORKER_EVENTS, "{\"events\":[{\"n\":%d,\"ns\":[\"a:" TA "\"],\"mode\":\"tools\","
	    "\"data\":{\"event\":\"on_tool_start\",\"toolCallId\":\"c\",\"name\":\"t\","
	    "\"input\":{}}}]}" },
	{ WORKER_EVENTS, "{\"events\":[{\"n\":%d,\"ns\":[],\"mode\":\"updates\",\"data\":{\"a\":{"
	    "\"messages\":[" M_AI "]}}}]}" },
	{ WORKER_EVENTS, "{\"events\":[{\"n\":%d,\"ns\":[],\"mode\":\"tasks\",\"data\":{\"id\":\""
	    TA "\",\"name\":\"a\",\"result\":{\"messages\":[" M_AI "]},\"interrupts\":[{\"id\":"
	    "\"0123456789abcdef0123456789abcdef\",\"value\":1}],\"error\":null}}]}" },
	{ WORKER_SAVER, "{\"op\":\"put\",\"ns\":\"\",\"id\":\"" C1 "\",\"parent_id\":\"" C0 "\","
	    "\"checkpoint\":{\"type\":\"json\",\"text\":\"{}\"},\"metadata\":{\"type\":\"json\","
	    "\"b64\":\"e30=\"},\"versions\":{\"messages\":\"1\"},\"blobs\":[{\"channel\":"
	    "\"messages\",\"type\":\"json\",\"text\":\"[]\"}],\"view\":{\"values\":{\"messages\":["
	    M_HI "],\"n\":1},\"gone\":[\"x\"],\"source\":\"loop\",\"step\":0,\"parents\":{}}}" },
	{ WORKER_SAVER, "{\"op\":\"put\",\"ns\":\"\",\"id\":\"" C0 "\",\"checkpoint\":{\"type\":"
	    "\"json\",\"text\":\"{}\"},\"metadata\":{\"type\":\"json\",\"text\":\"{}\"},\"view\":{"
	    "\"values\":{},\"source\":\"input\",\"step\":-1}}" },
	{ WORKER_SAVER, "{\"op\":\"writes\",\"groups\":[{\"ns\":\"\",\"id\":\"" C1 "\",\"task_id\":\""
	    TA "\",\"task_path\":\"\",\"writes\":[{\"idx\":0,\"channel\":\"c\",\"type\":\"json\","
	    "\"text\":\"1\"}],\"interrupts\":[{\"id\":\"0123456789abcdef0123456789abcdef\","
	    "\"value\":1}]}]}" },
	{ WORKER_SAVER, "{\"op\":\"get\",\"ns\":\"\",\"id\":\"" C1 "\"}" },
	{ WORKER_SAVER, "{\"op\":\"list\",\"ns\":\"\",\"before\":\"" C1 "\",\"limit\":1,\"filter\":"
	    "{\"a\":1}}" },
	{ WORKER_STORE, "{\"ops\":[{\"op\":\"put\",\"namespace\":[\"a\"],\"key\":\"k\",\"value\":{},"
	    "\"index\":[\"a\"],\"ttl\":1},{\"op\":\"search\",\"namespace\":[\"a\"],\"filter\":{},"
	    "\"query\":\"q\",\"limit\":1,\"offset\":0},{\"op\":\"namespaces\",\"prefix\":[\"a\"],"
	    "\"max_depth\":1}]}" },
};

static void
any_call(struct hand *h, uint64_t *seed, int n)
{
	size_t i = dice(seed, COUNT(good));
	struct buf body = BUF(64 * KB), numbered = BUF(64 * KB);
	struct json_doc d;

	mutate(seed, good[i].body, &body);
	for (const char *at = body.p; *at != '\0'; at++)
		if (at[0] == '%' && at[1] == 'd' && at++ != NULL)
			buf_add_i64(&numbered, n);
		else
			buf_add_char(&numbered, *at);
	if (json_parse(&d, buf_str(&numbered), NULL) == OK) {
		if (json_is_object(d.root))
			(void)hand_call(h, good[i].verb, numbered.p);
		json_release(&d);
	}
	buf_release(&body);
	buf_release(&numbered);
}

/* Goal: nothing that a worker can say breaks more than its own run. */
TEST(no_call_of_a_worker_breaks_the_server)
{
	uint64_t seed = 1;
	struct fix f;
	struct ear x;
	struct hand h;
	int rc;

	fix_open_workers(&f, "memory", 1, GRAPH);
	hand_register(&h, &f.desks[0]);
	for (unsigned round = 0; round < 20; round++) {
		CHECK_RC(ear_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(round),
		    .input = HI, .modes = MODE_META - 1u, .graph = "g", .resumable = true }), OK);
		hand_take(&h);
		for (int n = 1; n <= 60; n++)
			any_call(&h, &seed, n);
		if (round % 3 == 0)
			hand_change(&h);
		rc = hand_call(&h, WORKER_END, round % 2 == 0 ? "{\"status\":\"success\"}" :
		    "{\"status\":\"interrupted\",\"view\":{\"checkpoint\":{\"checkpoint_ns\":\"\","
		    "\"checkpoint_id\":\"" C1 "\"},\"values\":{},\"tasks\":[{\"id\":\"" TA "\","
		    "\"name\":\"a\",\"interrupts\":[{\"id\":\"0123456789abcdef0123456789abcdef\"}]}]}}");
		ear_until_end(&x);
		CHECK(rc == OK || x.status == RUN_ERROR);
		ear_free(&x);
	}
	CHECK_RC(run_g(&x, &f, 99, MODE_VALUES), OK);
	hand_take(&h);
	calls_left = INT32_MAX;
	put_any = false;
	CHECK(drive(&h));
	ear_until_end(&x);
	check_history(&f, 99);
	ear_free(&x);
	fix_close(&f);
}
