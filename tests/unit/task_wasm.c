/*
 * task_wasm.c - guests in a task: what they ask is answered through the task, and is not done
 * twice when they run again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "task_fix.h"

#include <string.h>

#include "wasm/abi.h"
#include "wasm/guest.h"

#define HEAD "id: t\nstate: {a: {}, b: {}}\n"
#define NODE(more) HEAD "nodes: {n: {wasm: sum, input: {k: \"1\"}" more "}}\n" \
	"edges: [[START, n], [n, END]]\n"

/* One guest; the test is its code. */
static struct fake {
	struct task_wasm *w;                 /* under way */
	size_t begun, stops, answers;
	int32_t rc;                          /* of the last answer */
	struct buf body, message;
} fake;

static void
on_wasm(void *ctx, struct task_wasm *w)
{
	(void)ctx;
	CHECK(fake.w == NULL);
	fake.w = w;
	fake.begun++;
	buf_clear(&fake.message);
	buf_add(&fake.message, w->message);
}

static void
on_answer(void *ctx, struct task_wasm *w, int32_t rc, struct str body)
{
	(void)ctx;
	CHECK(w == fake.w);
	fake.answers++;
	fake.rc = rc;
	buf_clear(&fake.body);
	buf_add(&fake.body, body);
}

static void
on_stop(void *ctx, struct task_wasm *w)
{
	(void)ctx;
	CHECK(w == fake.w);
	fake.w = NULL;
	fake.stops++;
}

static struct { size_t n; struct buf text; int rc; } mail;

static int
on_mail(void *ctx, const struct task_mail *m, size_t *receivers, struct err *e)
{
	(void)ctx;
	if (mail.rc != OK)
		return err_set(e, mail.rc, "nobody is called bob");
	*receivers = 1;
	mail.n++;
	buf_add_fmt(&mail.text, "%.*s>%.*s ", FMT(m->act), FMT(m->to));
	val_add_json(&mail.text, m->fields);
	return OK;
}

static void
open_for(struct bed *b, const char *agent)
{
	bed_open(b, agent);
	fake = (struct fake){ .body = BUF(MB), .message = BUF(MB) };
	mail.n = 0;
	mail.rc = OK;
	mail.text = BUF(KB);
	b->host.wasm = on_wasm;
	b->host.wasm_answer = on_answer;
	b->host.wasm_stop = on_stop;
	b->host.mail_send = on_mail;
	bed_noted = b;
}

static void
close_for(struct bed *b)
{
	bed_close(b);
	CHECK(fake.w == NULL);
	buf_release(&fake.body);
	buf_release(&fake.message);
	buf_release(&mail.text);
}

static void
ask(struct bed *b, enum wasm_import what, const char *name, const char *body)
{
	size_t before = fake.answers;

	fake.w->ask(fake.w, what, str_of(name), str_of(body));
	while (fake.answers == before && fake.w != NULL && bed_step(b))
		;
}

static void
end(struct bed *b, enum task_wasm_end how, int32_t code, const char *words)
{
	struct task_wasm *w = fake.w;

	fake.w = NULL;
	w->done(w, how, code, str_of(words));
	while (fake.w == NULL && bed_step(b))
		;
}

static void
reply(const char *json)
{
	fake.w->reply(fake.w, str_of(json));
}

/* ---- one message -------------------------------------------------------------------------- */

TEST(wasm_node_gets_its_input_and_writes_what_it_replies)
{
	struct bed b;

	open_for(&b, NODE(""));
	bed_start(&b, "n");
	CHECK_STR(fake.w->module, "sum");
	CHECK_STR(buf_str(&fake.message), "{\"performative\":\"request\",\"sender\":\"run\","
	    "\"content\":{\"k\":1}}");
	fake.w->send(fake.w, S("{\"to\":\"bob\",\"content\":2}"));
	CHECK_INT(mail.n, 0);                /* it leaves when the guest is done */
	reply("{\"content\":{\"b\":[1],\"other\":2}}");
	end(&b, TASK_WASM_DONE, 0, "");
	CHECK_STR(bed_text(&b), "done {\"b\":[1],\"other\":2} [[\"b\",[1]]]");
	CHECK_STR(buf_str(&mail.text), "inform>bob {\"content\":2}");
	close_for(&b);
}

TEST(wasm_node_ends_as_its_guest_does)
{
	static const struct { enum task_wasm_end how; int32_t code; const char *words, *reply,
		*text; } rows[] = {
		{ TASK_WASM_DONE, 0, "", NULL, "done null []" },
		{ TASK_WASM_DONE, 3, "", NULL, "failed WasmError error.wasm.failure line 3: the "
		    "module 'sum': handle_message returned 3" },
		{ TASK_WASM_DONE, 0, "", "{\"performative\":\"refuse\",\"content\":\"no\"}",
		    "failed WasmError error.wasm.failure line 3: the module 'sum': it answered "
		    "refuse: no" },
		{ TASK_WASM_DONE, 0, "", "[1]", "failed WasmError error.wasm.failure line 3: the "
		    "module 'sum': expected an object, as in {\"content\": 1}, got an array" },
		{ TASK_WASM_TRAP, WASM_TRAP_FUEL, "out of fuel", NULL, "failed WasmError "
		    "error.wasm.trap line 3: the module 'sum': out of fuel" },
		{ TASK_WASM_REFUSED, 0, "there is no module 'sum'", NULL, "failed WasmError "
		    "error.wasm.refused line 3: the module 'sum': there is no module 'sum'" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bed b;

		open_for(&b, NODE(""));
		bed_start(&b, "n");
		if (rows[i].reply != NULL)
			reply(rows[i].reply);
		end(&b, rows[i].how, rows[i].code, rows[i].words);
		CHECK_STR(bed_text(&b), rows[i].text);
		close_for(&b);
	}
}

/* Goal: a message to nobody is a failure of the node, as of the kind `message`. */
TEST(wasm_node_that_writes_to_nobody)
{
	struct bed b;

	open_for(&b, NODE(""));
	bed_start(&b, "n");
	mail.rc = ERR_NOTFOUND;
	fake.w->send(fake.w, S("{\"to\":\"bob\"}"));
	end(&b, TASK_WASM_DONE, 0, "");
	CHECK_STR(bed_text(&b), "failed MessageError error.communication line 3: the module 'sum' "
	    "sends: nobody is called bob");
	close_for(&b);
}

TEST(wasm_node_without_a_sandbox)
{
	struct bed b;

	open_for(&b, NODE(""));
	b.host.wasm = NULL;
	bed_run(&b, "n");
	CHECK_STR(bed_text(&b), "failed NotFoundError error.execution line 3: wasm: there is no "
	    "sandbox here; `cohort serve` has one");
	close_for(&b);
}

/* ---- what it asks ----------------------------------------------------------------------------- */

TEST(wasm_node_uses_the_store)
{
	struct bed b;

	open_for(&b, NODE(""));
	bed_start(&b, "n");
	ask(&b, WASM_STORE_GET, "count", "");
	CHECK_INT(fake.rc, WASM_ENOENT);
	ask(&b, WASM_STORE_PUT, "count", "5");
	CHECK_INT(fake.rc, WASM_OK);
	CHECK_INT(b.items_n, 1);
	CHECK_STR(str_of(b.items[0].key), "wasm.sum/count");
	CHECK_STR(str_of(b.items[0].json), "{\"value\":5}");
	ask(&b, WASM_STORE_GET, "count", "");
	CHECK_INT(fake.rc, WASM_OK);
	CHECK_STR(buf_str(&fake.body), "5");
	ask(&b, WASM_STORE_PUT, "count", "5,");
	CHECK_INT(fake.rc, WASM_EINVAL);
	ask(&b, WASM_STORE_GET, "", "");
	CHECK_INT(fake.rc, WASM_EINVAL);
	end(&b, TASK_WASM_DONE, 0, "");
	CHECK_INT(b.end, BED_DONE);
	close_for(&b);
}

TEST(wasm_node_calls_tools)
{
	struct bed b;

	open_for(&b, NODE(""));
	bed_start(&b, "n");
	ask(&b, WASM_TOOL_CALL, "echo", "{\"x\":1}");
	CHECK_INT(fake.rc, WASM_OK);
	CHECK(str_contains(buf_str(&fake.body), S("{\"x\":1}")));
	CHECK(bed_told(&b, "tool start tool/1 echo"));
	CHECK(bed_told(&b, "tool end tool/1 echo"));
	ask(&b, WASM_TOOL_CALL, "broken", "");
	CHECK_INT(fake.rc, WASM_EFAIL);
	ask(&b, WASM_TOOL_CALL, "nobody", "{}");
	CHECK_INT(fake.rc, WASM_EFAIL);
	CHECK_STR(buf_str(&fake.body), "There is no such tool.");
	ask(&b, WASM_TOOL_CALL, "echo", "[1]");
	CHECK_INT(fake.rc, WASM_EINVAL);
	end(&b, TASK_WASM_DONE, 0, "");
	close_for(&b);
}

TEST(wasm_node_keeps_to_the_capabilities_of_its_agent)
{
	struct task_limits allowed = { 0 };
	struct bed b;

	open_for(&b, NODE("") "capabilities: {tools: [echo]}\n");
	b.limits = &allowed;
	allowed.own = b.agent->limits;
	bed_start(&b, "n");
	ask(&b, WASM_TOOL_CALL, "note", "{}");
	CHECK_INT(fake.rc, WASM_EDENIED);
	CHECK_INT(b.notes, 0);
	end(&b, TASK_WASM_DONE, 0, "");
	close_for(&b);
}

static bool
may_spend(void *ctx, const struct task_cost *about, struct task_refusal *why)
{
	static const struct agent_budget budget = { .file = { "t.yaml", 6 }, .line = 1 };

	*why = (struct task_refusal){ &budget, BUDGET_TOOL_CALLS, 1, about->tool_calls };
	return ((struct bed *)ctx)->notes == 0;
}

TEST(wasm_node_stops_when_its_budget_is_used_up)
{
	struct bed b;

	open_for(&b, NODE(""));
	b.counts = true;
	b.host.may_spend = may_spend;
	bed_start(&b, "n");
	ask(&b, WASM_TOOL_CALL, "note", "{}");
	CHECK_INT(fake.rc, WASM_OK);
	ask(&b, WASM_TOOL_CALL, "note", "{}");
	CHECK_INT(b.end, BED_FAILED);
	CHECK_INT(b.notes, 1);
	CHECK_INT(fake.stops, 1);
	close_for(&b);
}

/* ---- again ---------------------------------------------------------------------------------------- */

/* The guest: reads a count, notes, writes the count + 1. */
static void
count_up(struct bed *b, size_t steps)
{
	static const char *const values[] = { "1", "2", "3" };

	if (steps > 0)
		ask(b, WASM_STORE_GET, "count", "");
	if (steps > 1)
		ask(b, WASM_TOOL_CALL, "note", "{\"n\":1}");
	if (steps > 2)
		ask(b, WASM_STORE_PUT, "count", fake.rc == WASM_OK && b->items_n > 0 ? values[1] :
		    values[0]);
	if (steps > 3)
		end(b, TASK_WASM_DONE, 0, "");
}

/* Goal: wherever the server is killed, the tool is called once and the count is 1. */
TEST(wasm_node_that_runs_again_repeats_nothing)
{
	for (size_t steps = 0; steps < 4; steps++) {
		struct bed b;

		open_for(&b, NODE(""));
		bed_start(&b, "n");
		count_up(&b, steps);
		bed_crash(&b, 0);
		fake.w = NULL;
		bed_start(&b, "n");
		CHECK_INT(fake.begun, 2);
		ask(&b, WASM_STORE_GET, "count", "");
		CHECK_INT(fake.rc, WASM_ENOENT);
		ask(&b, WASM_TOOL_CALL, "note", "{\"n\":1}");
		CHECK_INT(fake.rc, WASM_OK);
		ask(&b, WASM_STORE_PUT, "count", "1");
		CHECK_INT(fake.rc, WASM_OK);
		end(&b, TASK_WASM_DONE, 0, "");
		CHECK_INT(b.end, BED_DONE);
		CHECK_INT(b.notes, 1);
		CHECK_STR(str_of(b.items[0].json), "{\"value\":1}");
		close_for(&b);
	}
}

/* Goal: a call that was under way when the server stopped is not made again. */
TEST(wasm_node_is_told_that_an_outcome_is_unknown)
{
	struct bed b;

	open_for(&b, NODE(""));
	bed_start(&b, "n");
	fake.w->ask(fake.w, WASM_TOOL_CALL, S("note"), S("{}"));
	CHECK(bed_step(&b));                 /* its start is recorded */
	bed_crash(&b, 0);
	fake.w = NULL;
	bed_start(&b, "n");
	ask(&b, WASM_TOOL_CALL, "note", "{}");
	CHECK_INT(fake.rc, WASM_EFAIL);
	CHECK(str_contains(buf_str(&fake.body), S("unknown_outcome")));
	CHECK_INT(b.notes, 0);
	end(&b, TASK_WASM_DONE, 0, "");
	close_for(&b);
}

TEST(wasm_node_that_asks_something_else_when_it_runs_again_fails)
{
	struct bed b;

	open_for(&b, NODE(""));
	bed_start(&b, "n");
	ask(&b, WASM_TOOL_CALL, "note", "{\"n\":1}");
	bed_crash(&b, 0);
	fake.w = NULL;
	bed_start(&b, "n");
	ask(&b, WASM_TOOL_CALL, "note", "{\"n\":2}");
	CHECK_INT(b.end, BED_FAILED);
	CHECK(str_contains(bed_text(&b), S("its host call tool/1 differs from the "
	    "recorded one")));
	CHECK_INT(b.notes, 1);
	close_for(&b);
}

/* Goal: a host process that is lost costs nothing: not even a call that is under way then. */
TEST(wasm_node_moves_to_another_host)
{
	struct bed b;

	open_for(&b, NODE(""));
	bed_start(&b, "n");
	ask(&b, WASM_STORE_GET, "count", "");
	fake.w->send(fake.w, S("{\"to\":\"bob\"}"));
	fake.w->ask(fake.w, WASM_TOOL_CALL, S("note"), S("{}"));
	end(&b, TASK_WASM_LOST, 0, "the host process ended");
	CHECK_INT(fake.begun, 2);            /* when the tool had answered */
	CHECK_INT(b.notes, 1);
	ask(&b, WASM_STORE_GET, "count", "");
	CHECK_INT(fake.rc, WASM_ENOENT);
	fake.w->send(fake.w, S("{\"to\":\"bob\"}"));
	ask(&b, WASM_TOOL_CALL, "note", "{}");
	CHECK_INT(fake.rc, WASM_OK);
	CHECK_INT(b.notes, 1);
	end(&b, TASK_WASM_LOST, 0, "the host process ended");
	CHECK_INT(fake.begun, 3);
	end(&b, TASK_WASM_LOST, 0, "the host process ended");
	CHECK_STR(bed_text(&b), "failed WasmError error.wasm.lost line 3: the module 'sum': the host "
	    "process ended");
	CHECK_INT(mail.n, 0);
	close_for(&b);
}
