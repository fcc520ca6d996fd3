/*
 * agent_test.c - the tests of an agent's file: each runs the agent by itself with
 * scripted replies and answers on a clock that jumps, and compares what came out.
 *
 *   - name: a refund is approved
 *     input: {amount: 120}
 *     replies: [...]            what models answer, in order: text or a message
 *     answers: [yes]            to the questions, in order
 *     agents: [ann, "cap:x"]    addresses that it may write to, beside who writes
 *     messages: [...]           of other agents, in order, each when it has nothing
 *                               else to do: {performative, sender, content, ...};
 *                               {replies_to: 2} answers the second that it has sent
 *     expect:
 *       values: {state: paid}   members of the state; objects may have more
 *       output: {state: paid}   the same of the output channels alone
 *       path: [check, ask, pay] nodes in the order they began; with `a/b` also
 *                               those of sub-agents
 *       events: [...]           what `emit` said: the data, or {name, data}
 *       sent: [...]             messages that it has sent
 *       waits: [...]            values of the questions that are left
 *       error: text             a part of `Name: message`
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "mail/acl.h"
#include "main/agent_solo.h"

struct trial {
	struct val test, expect;
	size_t replies, answers, messages;   /* that were used */
	bool deep;                           /* the path has sub-agents' nodes */
	struct val path, events, waits, sent;        /* seen */
	struct tasks_seen seen;
	struct buf why;                      /* lines; empty: it passed */
};

/* ---- comparing --------------------------------------------------------------------- */

/* Members that are expected are there; lists are of the same length.  Recursion is
 * bounded by VAL_DEPTH_MAX. */
static bool
fits(struct val got, struct val want)
{
	if (want.kind == VAL_OBJECT && got.kind == VAL_OBJECT) {
		for (size_t i = 0; i < val_count(want); i++)
			if (!fits(val_get(got, val_key(want, i)), val_member(want, i)))
				return false;
		return true;
	}
	if (want.kind == VAL_ARRAY && got.kind == VAL_ARRAY) {
		for (size_t i = 0; i < val_count(want); i++)
			if (!fits(val_at(got, i), val_at(want, i)))
				return false;
		return val_count(got) == val_count(want);
	}
	if (want.kind == VAL_NULL)
		return got.kind == VAL_NULL || got.kind == VAL_UNDEFINED;
	return val_equal(got, want);
}

static void
differ(struct trial *t, const char *what, struct val got, struct val want)
{
	buf_add_fmt(&t->why, "#   %s: expected ", what);
	val_add_json(&t->why, want);
	buf_lit(&t->why, "\n#   ");
	for (size_t i = 0; i < strlen(what); i++)
		buf_add_char(&t->why, ' ');
	buf_lit(&t->why, "  got      ");
	if (got.kind == VAL_UNDEFINED)
		buf_lit(&t->why, "nothing");
	else
		val_add_json(&t->why, got);
	buf_add_char(&t->why, '\n');
}

static void
compare(struct trial *t, const char *what, struct val got)
{
	struct val want = val_get(t->expect, str_of(what));

	if (want.kind != VAL_UNDEFINED && !fits(got, want))
		differ(t, what, got, want);
}

/* Each member by itself, so that the difference is small. */
static void
compare_members(struct trial *t, const char *what, struct val got)
{
	struct val want = val_get(t->expect, str_of(what));
	struct buf name = BUF(LIMIT_NAME_BYTES + 64);

	for (size_t i = 0; i < val_count(want); i++) {
		struct val one = val_get(got, val_key(want, i));

		if (fits(one, val_member(want, i)))
			continue;
		buf_clear(&name);
		buf_add_fmt(&name, "%s.%.*s", what, FMT(val_key(want, i)));
		buf_add_char(&name, '\0');
		differ(t, name.p, one, val_member(want, i));
	}
	buf_release(&name);
}

/* ---- what happens --------------------------------------------------------------------- */

/* "call/speak" of "call:id" and speak. */
static void
note_node(struct trial *t, const struct run_event *ev)
{
	struct buf b = BUF(LIMIT_CHECKPOINT_NS_BYTES + LIMIT_NAME_BYTES);
	struct str rest = ev->ns, part;

	if (task_seen(&t->seen, &ev->task->id))
		return;
	while (rest.n > 0 && str_next(&rest, '|', &part)) {
		ptrdiff_t colon = str_index(part, ':');

		buf_add(&b, colon < 0 ? part : str_sub(part, 0, (size_t)colon));
		buf_add_char(&b, '/');
	}
	buf_add(&b, ev->task->name);
	if (t->deep || ev->ns.n == 0)
		t->path = val_push_take(t->path, val_string(buf_str(&b)));
	buf_release(&b);
}

/* As the test writes it: an object with a name, or the data alone. */
static void
note_event(struct trial *t, const struct run_event *ev)
{
	struct val want = val_at(val_get(t->expect, S("events")), val_count(t->events));
	struct val v = val_ref(ev->u.custom.data);

	if (want.kind == VAL_OBJECT && val_has(want, S("name")) && val_has(want, S("data")))
		v = val_set_take(val_set_take(val_object_empty(), S("name"),
		    val_string(ev->u.custom.name)), S("data"), v);
	t->events = val_push_take(t->events, v);
}

/* One of other agents, which `sent` tells of. */
static bool
is_message(struct val data)
{
	struct val type = data.kind == VAL_OBJECT ? val_get(data, S("type")) : VAL_UNDEF;

	return type.kind == VAL_STRING && str_eq(val_str(type), S("message")) &&
	    val_has(data, S("direction"));
}

static void
told(void *ctx, const struct run_event *ev)
{
	if (ev->kind == EVENT_TASK)
		note_node(ctx, ev);
	else if (ev->kind == EVENT_CUSTOM && !is_message(ev->u.custom.data))
		note_event(ctx, ev);
}

/* ---- messages --------------------------------------------------------------------------- */

static void
sent(void *ctx, struct val message)
{
	struct trial *t = ctx;

	t->sent = val_push_take(t->sent, val_ref(message));
}

static bool
reach(void *ctx, struct str address)
{
	const struct trial *t = ctx;
	struct val agents = val_get(t->test, S("agents"));
	struct val list = val_get(t->test, S("messages"));
	bool found = false;

	for (size_t i = 0; i < val_count(agents) && !found; i++)
		found = str_eq(val_str(val_at(agents, i)), address);
	for (size_t i = 0; i < val_count(list) && !found; i++) {
		struct val who = val_get(val_at(list, i), S("sender"));

		found = who.kind == VAL_STRING && str_eq(val_str(who), address);
	}
	return found;
}

/* A member of the answer that the test does not give: from what it answers. */
static struct val
fill(struct val answer, const char *name, struct val from)
{
	if (val_has(answer, str_of(name)) || from.kind == VAL_UNDEFINED)
		return answer;
	return val_set_take(answer, str_of(name), val_ref(from));
}

static struct val
letter(void *ctx)
{
	struct trial *t = ctx;
	struct val one = val_ref(val_at(val_get(t->test, S("messages")), t->messages));
	struct val nth = val_get(one, S("replies_to")), to;

	to = nth.kind == VAL_INT ? val_at(t->sent, (size_t)nth.u.i - 1) : VAL_UNDEF;
	if (one.kind != VAL_OBJECT || (nth.kind == VAL_INT && to.kind == VAL_UNDEFINED)) {
		val_drop(one);               /* what it answers is still to come */
		return VAL_UNDEF;
	}
	t->messages++;
	if (nth.kind != VAL_INT)
		return one;
	one = val_unset_take(one, S("replies_to"));
	one = fill(one, "sender", val_get(to, S("receiver")));
	one = fill(one, "conversation_id", val_get(to, S("conversation_id")));
	one = fill(one, "protocol", val_get(to, S("protocol")));
	return fill(one, "in_reply_to", val_get(to, S("reply_with")));
}

static struct val
reply(void *ctx, const struct llm_request *q)
{
	struct trial *t = ctx;

	(void)q;
	return val_ref(val_at(val_get(t->test, S("replies")), t->replies++));
}

static bool
ask(void *ctx, struct val interrupt, struct val *answer)
{
	struct trial *t = ctx;
	struct val answers = val_get(t->test, S("answers"));

	if (interrupt.kind == VAL_UNDEFINED)
		return true;
	if (t->answers >= val_count(answers)) {
		val_drop(t->waits);          /* of before another one timed out */
		t->waits = val_array_empty();
		t->waits = val_push_take(t->waits, val_ref(val_get(interrupt, S("value"))));
		return false;
	}
	*answer = val_ref(val_at(answers, t->answers++));
	return true;
}

/* ---- one test ------------------------------------------------------------------------------ */

static bool
is_deep(struct val path)
{
	for (size_t i = 0; i < val_count(path); i++)
		if (val_at(path, i).kind == VAL_STRING &&
		    str_index(val_str(val_at(path, i)), '/') >= 0)
			return true;
	return false;
}

struct val
agent_outputs(const struct agent *a, struct val values)
{
	struct val out = val_object_empty();

	for (size_t i = 0; i < a->channels_n; i++) {
		const struct channel *c = &a->channels[i];

		if (c->output && val_has(values, c->name))
			out = val_set_take(out, c->name, val_ref(val_get(values, c->name)));
	}
	return out;
}

static bool
has(struct str text, struct str part)
{
	return text.n > 0 && memmem(text.p, text.n, part.p, part.n) != NULL;
}

static void
check_end(struct trial *t, const struct solo_result *r)
{
	struct val want = val_get(t->expect, S("error"));
	struct buf said = BUF(LIMIT_STATE_BYTES);
	struct val got = VAL_UNDEF;

	if (r->end == SOLO_ERROR) {
		buf_add_fmt(&said, "%.*s: %.*s", FMT(r->error), FMT(r->message));
		got = val_string(buf_str(&said));
	}
	if (want.kind == VAL_STRING ? !has(buf_str(&said), val_str(want)) :
	    r->end == SOLO_ERROR)
		differ(t, "error", got, want.kind == VAL_STRING ? want : VAL_NIL);
	if (r->end == SOLO_INTERRUPTED && !val_has(t->expect, S("waits")))
		differ(t, "waits", t->waits, VAL_NIL);
	val_drop(got);
	buf_release(&said);
}

static void
check_used(struct trial *t, const char *what, size_t used)
{
	size_t n = val_count(val_get(t->test, str_of(what)));

	if (used < n)
		buf_add_fmt(&t->why, "#   %s: %zu of %zu were used\n", what, used, n);
}

static void
check(struct trial *t, const struct agent *a, const struct solo_result *r)
{
	struct val output = agent_outputs(a, r->values);

	check_end(t, r);
	compare(t, "path", t->path);
	compare_members(t, "values", r->values);
	compare_members(t, "output", output);
	compare(t, "events", t->events);
	compare(t, "sent", t->sent);
	compare(t, "waits", r->end == SOLO_INTERRUPTED ? t->waits : VAL_UNDEF);
	check_used(t, "replies", t->replies);
	check_used(t, "answers", t->answers);
	check_used(t, "messages", t->messages);
	val_drop(output);
}

static int
run_one(const struct agent_file *f, const struct solo_room *room, struct trial *t,
    struct err *e)
{
	struct val input = val_get(t->test, S("input")), none = val_object_empty();
	struct solo_options o = { .agents = f->set, .agent = f->agent,
		.input = input.kind == VAL_OBJECT ? input : none,
		.config = val_get(t->test, S("config")),
		.context = val_get(t->test, S("context")), .shard = room->shard,
		.tools = room->tools, .mcp = room->mcp, .model = S("scripted:test"), .instant = true,
		.told = told, .reply = reply, .ask = ask, .reach = reach, .sent = sent,
		.letter = val_has(t->test, S("messages")) ? letter : NULL, .ctx = t };
	struct solo_result result;
	int rc;

	t->deep = is_deep(val_get(t->expect, S("path")));
	t->path = val_array_empty();
	t->events = val_array_empty();
	t->waits = val_array_empty();
	t->sent = val_array_empty();
	rc = solo_run(&o, &result, e);
	if (rc == OK)
		check(t, f->agent, &result);
	else
		buf_add_fmt(&t->why, "#   %s\n", e->text);
	solo_release(&result);
	free(t->seen.at);
	val_drop(t->path);
	val_drop(t->events);
	val_drop(t->waits);
	val_drop(t->sent);
	val_drop(none);
	return OK;
}

/* ---- what a test may say ---------------------------------------------------------------------- */

struct key { const char *name; enum val_kind kind; const char *expected; };

static const struct key test_keys[] = {
	{ "name", VAL_STRING, "a string" }, { "input", VAL_OBJECT, "a map" },
	{ "config", VAL_OBJECT, "a map" }, { "context", VAL_OBJECT, "a map" },
	{ "replies", VAL_ARRAY, "a list" }, { "answers", VAL_ARRAY, "a list" },
	{ "agents", VAL_ARRAY, "a list" }, { "messages", VAL_ARRAY, "a list" },
	{ "expect", VAL_OBJECT, "a map" }, { NULL }
};

static const struct key expect_keys[] = {
	{ "values", VAL_OBJECT, "a map" }, { "output", VAL_OBJECT, "a map" },
	{ "path", VAL_ARRAY, "a list" }, { "events", VAL_ARRAY, "a list" },
	{ "sent", VAL_ARRAY, "a list" },
	{ "waits", VAL_ARRAY, "a list" }, { "error", VAL_STRING, "a string" }, { NULL }
};

static int
check_messages(struct val list, const char *path, struct err *e)
{
	for (size_t i = 0; i < val_count(list); i++) {
		struct val act = val_get(val_at(list, i), S("performative"));

		if (act.kind != VAL_STRING || acl_act_find(val_str(act)) < 0)
			return err_set(e, ERR_INVALID, "%s.messages[%zu].performative: expected an "
			    "act, as in inform", path, i);
	}
	return OK;
}

static int
check_keys(struct val v, const struct key *keys, const char *path, struct err *e)
{
	if (v.kind != VAL_OBJECT)
		return err_set(e, ERR_INVALID, "%s: expected a map, got %s", path,
		    val_kind_name(v));
	for (size_t i = 0; i < val_count(v); i++) {
		struct str_near near = { .word = val_key(v, i) };
		const struct key *k = str_near_row(&near, keys, sizeof *keys);

		if (k == NULL)
			return err_near(e, ERR_INVALID, near.best, "'", "%s: unknown key '%.*s'",
			    path, FMT(val_key(v, i)));
		if (val_member(v, i).kind != k->kind)
			return err_set(e, ERR_INVALID, "%s.%s: expected %s, got %s", path,
			    k->name, k->expected, val_kind_name(val_member(v, i)));
	}
	return OK;
}

int
agent_tests_check(struct val tests, struct str file, struct err *e)
{
	char path[4096 + 64];
	int rc = OK;

	if (tests.kind != VAL_ARRAY)
		return err_set(e, ERR_INVALID, "%.*s: tests: expected a list of tests, got %s",
		    FMT(file), val_kind_name(tests));
	for (size_t i = 0; i < val_count(tests) && rc == OK; i++) {
		struct val expect = val_get(val_at(tests, i), S("expect"));

		snprintf(path, sizeof path, "%.*s: tests[%zu]", FMT(file), i);
		rc = check_keys(val_at(tests, i), test_keys, path, e);
		if (rc == OK)
			rc = check_messages(val_get(val_at(tests, i), S("messages")), path, e);
		if (rc == OK && expect.kind == VAL_UNDEFINED)
			rc = err_set(e, ERR_INVALID, "%s: 'expect' is missing", path);
		snprintf(path, sizeof path, "%.*s: tests[%zu].expect", FMT(file), i);
		if (rc == OK)
			rc = check_keys(expect, expect_keys, path, e);
	}
	return rc;
}

int
agent_tests_run(struct agent_tests *done, const struct agent_file *f,
    const struct solo_room *r, struct val tests, struct str file, struct err *e)
{
	int rc = agent_tests_check(tests, file, e);

	for (size_t i = 0; i < val_count(tests) && rc == OK; i++) {
		struct trial t = { .test = val_at(tests, i), .why = BUF(LIMIT_STATE_BYTES) };
		struct val name = val_get(t.test, S("name"));
		unsigned nth = done->passed + done->failed + 1;

		t.expect = val_get(t.test, S("expect"));
		rc = run_one(f, r, &t, e);
		printf("%sok %u - %.*s: %.*s\n%.*s", t.why.n > 0 ? "not " : "", nth,
		    FMT(f->agent->id), FMT(name.kind == VAL_STRING ? val_str(name) :
		    S("(no name)")), FMT(buf_str(&t.why)));
		done->passed += t.why.n == 0;
		done->failed += t.why.n > 0;
		buf_release(&t.why);
	}
	return rc;
}
