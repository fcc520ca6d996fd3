/*
 * hand.c - the guest of the tests of agents: it does what the content of its message says.
 *
 *	{"do": "add"}                 counts, and replies {"count", "version"}
 *	{"do": "fail"}                returns 1
 *	{"do": "fail-first"}          counts as `add`, but returns 1 until its store has a value,
 *	                              which it writes
 *	{"do": "trap"}, "spin"        unreachable code; a loop without end
 *	{"do": "put", "value": V}     writes V into its store, replies {"rc"}
 *	{"do": "get"}                 replies {"value": V}, or {"rc"}
 *	{"do": "up"}                  adds 1 to the number in its store, replies {"value"}
 *	{"do": "tool", "name": T, "args": {...}}      replies {"rc", "text"}
 *	{"do": "tell", "to": A}       sends {"count"} to A, replies nothing
 *	{"do": "tell-and-fail", "to": A}      the same, and returns 1
 *	{"do": "grow"}                takes 1 MB more, replies {"pages"}
 *
 * -DVERSION=N; -DBAD: every message fails.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cohort_guest.h"
#include "cohort_json.h"

#ifndef VERSION
#define VERSION 1
#endif

#define ROOM 70000

static char message[ROOM], answer[ROOM + 200], out[ROOM];
static int64_t count;
static volatile int64_t sink;

void *
alloc(uint32_t n)
{
	return n <= sizeof message ? message : 0;
}

static int32_t
say(struct json_out *o)
{
	json_text(o, "}}");
	return cohort_reply(o->p, o->n);
}

static int32_t
reply_count(struct json_out *o)
{
	json_text(o, "{\"content\":{\"count\":");
	json_number(o, count);
	json_text(o, ",\"version\":");
	json_number(o, VERSION);
	return say(o);
}

static int32_t
reply_number(struct json_out *o, const char *name, int64_t n)
{
	json_text(o, "{\"content\":{\"");
	json_text(o, name);
	json_text(o, "\":");
	json_number(o, n);
	return say(o);
}

static int32_t
get(struct json_out *o)
{
	int32_t n = cohort_store_get("value", 5, out, sizeof out);

	if (n < 0)
		return reply_number(o, "rc", n);
	json_text(o, "{\"content\":{\"value\":");
	json_value(o, (struct json){ out, (uint32_t)n });
	return say(o);
}

static int32_t
up(struct json_out *o)
{
	int32_t n = cohort_store_get("value", 5, out, sizeof out);
	int64_t value = 1 + (n < 0 ? 0 : json_int((struct json){ out, (uint32_t)n }, 0));
	struct json_out text = { out, sizeof out, 0 };

	json_number(&text, value);
	if (cohort_store_put("value", 5, text.p, text.n) < 0)
		return 1;
	return reply_number(o, "value", value);
}

static int32_t
tool(struct json_out *o, struct json content)
{
	struct json name = json_get(content, "name"), args = json_get(content, "args");
	int32_t n = cohort_tool_call(name.p + 1, name.n - 2, args.p, args.n, out, sizeof out);

	json_text(o, "{\"content\":{\"rc\":");
	json_number(o, n < 0 ? n : 0);
	json_text(o, ",\"text\":");
	json_quoted(o, out, n < 0 ? 0 : (uint32_t)n);
	return say(o);
}

static int32_t
tell(struct json_out *o, struct json to)
{
	json_text(o, "{\"to\":");
	json_value(o, to);
	json_text(o, ",\"content\":{\"count\":");
	json_number(o, count);
	json_text(o, "}}");
	return cohort_send(o->p, o->n);
}

int32_t
handle_message(const char *text, uint32_t n)
{
	struct json content = json_get(json_of(text, n), "content");
	struct json what = json_get(content, "do");
	struct json_out o = { answer, sizeof answer, 0 };

#ifdef BAD
	return 7;
#endif
	count += json_is(what, "add");
	if (json_is(what, "add"))
		return reply_count(&o);
	if (json_is(what, "fail-first")) {
		count++;
		if (cohort_store_get("value", 5, out, sizeof out) < 0)
			return cohort_store_put("value", 5, "1", 1) + 1;
		return reply_count(&o);
	}
	if (json_is(what, "fail"))
		return 1;
	if (json_is(what, "trap"))
		__builtin_trap();
	while (json_is(what, "spin"))
		sink++;
	if (json_is(what, "put")) {
		struct json v = json_get(content, "value");

		return reply_number(&o, "rc", cohort_store_put("value", 5, v.p, v.n));
	}
	if (json_is(what, "get"))
		return get(&o);
	if (json_is(what, "up"))
		return up(&o);
	if (json_is(what, "tool"))
		return tool(&o, content);
	if (json_is(what, "tell"))
		return tell(&o, json_get(content, "to"));
	if (json_is(what, "tell-and-fail"))
		return tell(&o, json_get(content, "to")) + 1;
	if (json_is(what, "grow"))
		return reply_number(&o, "pages", __builtin_wasm_memory_grow(0, 16));
	return 2;
}
