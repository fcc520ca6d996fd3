/*
 * fuzz_worker.c - any JSON as the registration of a worker: what is taken is shown again as
 * JSON, found by its names, and leaves nothing behind.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "worker/desk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct workers *ws;
static struct worker_desk *desk;
static int entered;

static void
on_entered(struct worker_intake *in, int rc, const char *why, const struct err *e)
{
	(void)in, (void)why;
	entered = rc;
	assert(rc == OK || e->text[0] != '\0');
}

static void
open_once(void)
{
	struct workers_options o = WORKER_OPTIONS;
	struct shard *s;
	struct err e;

	if (ws != NULL)
		return;
	ws = workers_new(&o);
	assert(shard_new(&s, 0, &e) == OK);
	desk = worker_desk_new(ws, s);
}

/* What operators see is JSON, whatever the names are. */
static void
check_shown(const struct worker_intake *in)
{
	struct buf b = BUF(64 * MB);
	struct err e;

	assert(workers_add_one(ws, &in->worker_id, 0, &b, &e) == OK);
	assert(json_check(buf_str(&b), &e) == OK);
	buf_release(&b);
}

static void
check_found(const struct worker_intake *in)
{
	static const enum worker_kind kinds[] = { WORKER_RUN, WORKER_NODE, WORKER_NODE,
		WORKER_TOOL };
	struct arena a = ARENA(64 * MB);

	for (size_t i = 0; i < in->served_n; i++) {
		const struct worker_served *s = &in->served[i];
		struct worker_facts f;

		assert(workers_serving(ws, kinds[s->kind], s->facts.name) == 1);
		assert(workers_find(ws, kinds[s->kind], s->facts.name, &a, &f));
		assert(str_eq(f.name, s->facts.name));
		assert(str_eq(f.description, s->facts.description));
		assert(str_eq(f.schema_json, s->facts.schema_json) || s->kind < SERVED_NODE);
		assert(f.idempotent == s->facts.idempotent && f.timeout == s->facts.timeout);
	}
	arena_release(&a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct worker_intake in = { .arena = ARENA(64 * MB), .done = on_entered };
	struct json_doc doc;
	struct err e = { .text = "" };
	int rc;

	open_once();
	if (json_parse(&doc, (struct str){ (const char *)data, n }, &e) == OK) {
		rc = worker_intake_read(&in, doc.root, (struct worker_may){ NULL, 0 }, &e);
		assert(rc == OK || e.text[0] != '\0');
		if (rc == OK) {
			workers_register(desk, &in);
			assert(entered == OK);
			check_shown(&in);
			check_found(&in);
			assert(workers_leave(desk, &in.worker_id, in.key, &e) == OK);
		}
	}
	json_release(&doc);
	arena_release(&in.arena);
	return 0;
}
