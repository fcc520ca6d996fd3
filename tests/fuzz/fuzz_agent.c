/*
 * fuzz_agent.c - a file of an agent, YAML or JSON: refused with a place, or
 * compiled, linked, drawn and evaluated, never worse.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "chart/stepper.h"
#include "graph/graph.h"
#include "task/kinds.h"

static void
evaluate(const struct agent_value *v, const struct agent_scope *s)
{
	struct err e;
	struct val out;
	bool yes;

	(void)agent_eval(v, s, &out, &e);
	val_drop(out);
	(void)agent_eval_bool(v, s, &yes, &e);
}

static void
walk(const struct agent_work *w, const struct agent_scope *s)
{
	evaluate(&w->when, s);
	for (size_t i = 0; i < w->kind->fields_n; i++)
		evaluate(&w->fields[i], s);
	for (size_t i = 0; i < w->writes_n; i++)
		evaluate(&w->writes[i].value, s);
	for (size_t i = 0; i < w->items_n; i++)
		walk(&w->items[i], s);
}

static void
begin(void *ctx, const struct stepper_task *t)
{
	*(uint64_t *)ctx = t->serial;
}

/* A few events; what is saved is restored. */
static void
play(const struct chart *c)
{
	static const char *const events[] = { "go", "e", "done", "n", "out", "back" };
	static const struct stepper_ops ops = { .begin = begin, .path = true };
	struct chart_stepper *st, *copy;
	struct buf saved = BUF(64 * MB);
	uint64_t task = 0;
	struct err e;

	st = stepper_new(c, S("s"), &ops, &task);
	stepper_start(st, VAL_UNDEF);
	for (size_t i = 0; i < 3 * COUNT(events); i++) {
		(void)stepper_step(st, 0);
		(void)stepper_event(st, str_of(events[i % COUNT(events)]), VAL_NIL);
		if (i % 3 == 0)
			(void)stepper_task_done(st, task, VAL_NIL);
		if (i % 3 == 1)
			(void)stepper_fire(st, STEPPER_NEVER - 1);
	}
	stepper_save(st, &saved);
	if (!saved.failed) {
		int rc = stepper_restore(&copy, c, S("s"), buf_str(&saved), &ops, &task, &e);

		assert(rc == OK);
		stepper_free(copy);
	}
	stepper_free(st);
	buf_release(&saved);
}

static void
use(const struct agent *a)
{
	struct buf out = BUF(64 * MB);
	struct val *slots = mem_zero(a->slots_n * sizeof *slots);
	struct agent_scope s = { .agent = a, .slots = slots };
	struct graph *g;
	struct err e;
	bool mine;

	for (size_t i = SLOT_CHANNEL; i < a->slots_n; i += 2)
		slots[i] = val_array_empty();
	for (size_t i = 0; i < a->nodes_n; i++)
		walk(&a->nodes[i].work, &s);
	for (size_t i = 0; i < a->edges_n; i++) {
		evaluate(&a->edges[i].when, &s);
		evaluate(&a->edges[i].over, &s);
		evaluate(&a->edges[i].input, &s);
	}
	if (a->chart != NULL)
		play(a->chart);
	else if (agent_graph(a, &s, &g, &mine, &e) == OK && mine)
		graph_free(g);
	agent_add_outline(&out, a);
	agent_add_dot(&out, a);
	agent_add_mermaid(&out, a);
	(void)agent_add_html(&out, a, NULL, 0, &e);
	assert(!out.failed && json_check(a->json, &e) == OK);
	for (size_t i = 0; i < a->slots_n; i++)
		val_drop(slots[i]);
	free(slots);
	buf_release(&out);
}

/* What is kept of it is read again, and is the same. */
static void
keep(struct agents *set, const struct agent *a)
{
	struct buf text = BUF(16 * MB);
	struct agents *again;
	struct err e = { 0 };
	int rc;

	agents_add_text(&text, set, a);
	rc = agents_read(&again, buf_str(&text), &task_kinds, &e);
	assert(rc == OK);
	assert(str_eq(agents_hash(again, agents_find(again, a->id)), agents_hash(set, a)));
	agents_free(again);
	buf_release(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str text = { (const char *)data, n };
	struct agents *set = agents_new();
	struct agent *a, *again;
	struct err e = { 0 };

	if (agent_load(&a, text, S("fuzz"), &task_kinds, &e) == OK) {
		use(a);
		/* What was read is read again from its JSON, and is the same. */
		int rc = agent_load(&again, a->json, S("fuzz"), &task_kinds, &e);
		assert(rc == OK && str_eq(a->json, again->json));
		agent_free(again);
		if (agents_add(set, a, &e) == OK && agents_link(set, &e) == OK)
			keep(set, a);
	} else {
		assert(str_starts(str_of(e.text), S("fuzz:")));
		agents_free(set);
		set = NULL;
		if (agents_read(&set, text, &task_kinds, &e) == OK)
			keep(set, agents_at(set, 0));
	}
	agents_free(set);
	return 0;
}
