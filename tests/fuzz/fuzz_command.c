/*
 * fuzz_command.c - any JSON as the body of a run, of an update of a state and of a
 * thread that is seeded: it is refused with words, or what it asks for is made.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdint.h>

#include "agent/agent.h"
#include "api/api_priv.h"
#include "run/config_priv.h"
#include "run/run_priv.h"
#include "task/kinds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct runs runs;
static const struct agent *agent;
static struct shard *shard;
static struct tools *tools;

/* Every reducer, a join, an else and a send. */
static const char text[] = "id: t\n"
    "state:\n"
    "  messages: {reducer: messages}\n  log: {reducer: append}\n  n: {reducer: sum}\n"
    "  m: {reducer: merge}\n  low: {reducer: min}\n  last: {}\n  once: {ephemeral: true}\n"
    "  items: {default: [1, 2]}\n"
    "nodes:\n"
    "  a: {set: {last: '1'}}\n  b: {set: {last: '2'}}\n  c: {set: {last: '3'}}\n"
    "  each: {set: {log: '[input.i]'}}\n"
    "edges:\n"
    "  - [START, a]\n  - [START, b]\n  - [[a, b], c]\n"
    "  - {from: c, to: a, when: 'n > 3'}\n"
    "  - {from: c, to: END}\n"
    "  - {from: a, send: {to: each, over: items, as: i}}\n";

static void
prepare(void)
{
	struct agents *set = agents_new();
	struct agent *a;
	struct err e;
	int rc = agent_load(&a, str_of(text), S("t.yaml"), &task_kinds, &e);

	if (rc == OK)
		rc = agents_add(set, a, &e);
	if (rc == OK)
		rc = agents_link(set, &e);
	if (rc == OK)
		rc = shard_new(&shard, 0, &e);
	if (rc == OK)
		tools = tools_new();
	assert(rc == OK);
	(void)rc;
	runs.agents = set;
	agent = agents_find(set, S("t"));
}

static void
check_written(const struct store_changes *x)
{
	assert(x->checkpoints_n > 0);
	for (size_t i = 0; i < x->checkpoints_n; i++) {
		const struct store_checkpoint_put *p = &x->checkpoints[i];

		assert(p->tasks_json.n == 0 || json_check(p->tasks_json, NULL) == OK);
		assert(p->extra_json.n == 0 || json_check(p->extra_json, NULL) == OK);
		for (size_t k = 0; k < p->channels_n; k++)
			for (size_t j = 0; j < p->channels[k].entries_n; j++)
				assert(json_check(p->channels[k].entries[j], NULL) == OK);
	}
}

static void
refused(const struct call *c, int rc)
{
	assert(rc == OK || c->err.text[0] != '\0');
	(void)c;
	(void)rc;
}

static void
read_all(struct call *c, struct fields *in, jnode root)
{
	struct run_request q = { .input = json_get(root, S("input")),
	    .config = json_get(root, S("config")) };
	struct checkpoint_ref ref;

	fields_open(in, root, "body", &c->err);
	call_read_begin(c, agent, &q);
	refused(c, in->rc);
	c->err.text[0] = '\0';
	fields_open(in, root, "body", &c->err);
	call_read_run_checkpoint(c, &ref);
	refused(c, in->rc);
	c->err.text[0] = '\0';
	fields_open(in, root, "body", &c->err);
	if (call_read_seed(c, S("{\"graph_id\":\"t\"}")) != OK)
		refused(c, ERR_INVALID);
	if (c->update != NULL)
		check_written(update_changes(c->update));
	update_free(c->update);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str body = { (const char *)data, n };
	struct http_req r = { .arena = ARENA(16 * MB) };
	struct api_shared shared = { 0 };
	struct api api = { .shared = &shared };
	struct call c = { .r = &r, .api = &api };
	struct uuid id = { { 1 } };
	struct json_doc doc;
	struct fields in;
	struct plan *p;
	struct err e = { 0 };

	if (runs.agents == NULL)
		prepare();
	api.runs = &runs;
	api.shard = shard;
	c.in = &in;
	if (json_parse(&doc, body, &e) == OK && json_is_object(doc.root)) {
		read_all(&c, &in, doc.root);
		if (plan_read(&p, body, &id, agent, tools, &e) == OK)
			plan_free(p);
		else
			assert(e.text[0] != '\0');
	}
	json_release(&doc);
	arena_release(&r.arena);
	return 0;
}
