/*
 * run_update.c - states changed by clients: seeds, updates, forks; as the store
 * has them afterwards.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run_fix.h"

#include <string.h>

#include "agent/agent.h"
#include "base/json.h"
#include "run/update.h"
#include "run/view.h"

struct change {
	struct fix *f;
	const struct agent *a;
	struct uuid thread;
	/* what a client sends: values, node; n of them in one step, or (steps) one
	 * step each */
	const char *const (*updates)[2];
	size_t n;
	bool steps;
	struct uuid checkpoint;
	struct store_thread *t;              /* NULL: the thread is made */
	struct update *u;
	struct uuid made;
	union {
		struct store_cmd cmd;
		struct store_state_update update;
		struct store_thread_create create;
	} op;
	bool done;
	int rc;
	struct err e;
};

static void
change_end(struct change *c, int rc)
{
	pthread_mutex_lock(&c->f->lock);
	c->rc = rc;
	c->done = true;
	fix_changed(c->f);
	pthread_mutex_unlock(&c->f->lock);
}

static void
change_back(struct store_cmd *cmd)
{
	struct change *c = CONTAINER_OF(cmd, struct change, op.cmd);

	c->e = cmd->err;
	update_free(c->u);
	change_end(c, cmd->rc);
}

static bool
change_is_done(void *arg)
{
	return ((struct change *)arg)->done;
}

static int
change_make(struct change *c, struct desk *d, struct update_write *w,
    struct update_step *steps)
{
	struct update_request q = { .agent = c->a, .graph_id = S("t"),
	    .thread_id = c->thread, .thread = c->t, .reader = d->reader,
	    .checkpoint = c->checkpoint, .steps = steps,
	    .steps_n = c->steps ? c->n : 1, .now = 5000 };

	for (size_t i = 0; i < c->n; i++) {
		w[i] = (struct update_write){ .as_node = str_of(c->updates[i][1]),
		    .path = "values", .node_path = "as_node" };
		CHECK_RC(json_text_to_val(str_of(c->updates[i][0]), &w[i].values, &c->e), OK);
		steps[i] = (struct update_step){ &w[i], 1 };
	}
	if (!c->steps)
		steps[0].n = c->n;
	return update_new(&c->u, &q, &c->e);
}

static void
change_do(struct desk *d, void *arg)
{
	struct change *c = arg;
	struct update_write w[8];
	struct update_step steps[8];
	int rc = change_make(c, d, w, steps);

	for (size_t i = 0; i < c->n; i++)
		val_drop(w[i].values);
	if (rc != OK) {
		change_end(c, rc);
		return;
	}
	c->made = update_checkpoint(c->u);
	if (c->t != NULL)
		c->op.update = (struct store_state_update){ .thread_id = c->thread,
		    .head = update_head(c->u), .changes = *update_changes(c->u),
		    .status = update_status(c->u), .now = 5000 };
	else
		c->op.create = (struct store_thread_create){ .t = { .id = c->thread,
		    .metadata_json = S("{}"), .config_json = S("{}"), .created = 5000,
		    .updated = 5000 }, .changes = update_changes(c->u) };
	c->op.cmd.op = c->t != NULL ? STORE_STATE_UPDATE : STORE_THREAD_CREATE;
	c->op.cmd.arena = &c->f->arena;
	c->op.cmd.done = change_back;
	CHECK_RC(store_submit(c->f->st, d->shard, &c->op.cmd, true), OK);
}

static int
change(struct change *c)
{
	desk_do(&c->f->desks[0], change_do, c);
	fix_until(c->f, change_is_done, c, "a change");
	return c->rc;
}

#define THREAD 1

/* n updates as one step of the thread; words of what refuses them. */
static int
update_at(struct fix *f, const struct agent *a, const struct uuid *checkpoint,
    const char *const (*updates)[2], size_t n, struct uuid *made, struct err *e)
{
	struct uuid thread = thread_no(THREAD);
	struct store_thread t = thread_row(f, &thread);
	struct change c = { .f = f, .a = a, .thread = thread, .updates = updates,
	    .n = n, .t = &t };
	int rc;

	if (checkpoint != NULL)
		c.checkpoint = *checkpoint;
	rc = change(&c);
	if (made != NULL)
		*made = c.made;
	*e = c.e;
	return rc;
}

static void
update(struct fix *f, const struct agent *a, const char *values, const char *node)
{
	const char *const one[1][2] = { { values, node } };
	struct err e = { 0 };

	if (update_at(f, a, NULL, one, 1, NULL, &e) != OK)
		test_fail(__FILE__, __LINE__, "%s as %s: %s", values, node, e.text);
}

static void
refused(struct fix *f, const struct agent *a, const char *values, const char *node,
    const char *words)
{
	const char *const one[1][2] = { { values, node } };
	struct err e = { 0 };

	CHECK(update_at(f, a, NULL, one, 1, NULL, &e) < 0);
	CHECK_STR(str_of(e.text), words);
}

static void
seed(struct fix *f, const struct agent *a, const char *const (*updates)[2], size_t n)
{
	struct change c = { .f = f, .a = a, .thread = thread_no(THREAD),
	    .updates = updates, .n = n, .steps = true };

	if (change(&c) != OK)
		test_fail(__FILE__, __LINE__, "%s", c.e.text);
}

/* ---- what stands ------------------------------------------------------------------ */

struct look {
	const struct agent *a;
	struct store_thread t;
	struct uuid id;
	struct arena *arena;
	struct buf b;
};

static void
look_do(struct desk *d, void *arg)
{
	struct look *l = arg;
	struct store_state s;
	struct view v = { .thread_id = l->t.id, .agent = l->a, .newest =
	    uuid_is_zero(&l->id), .members = VIEW_VALUES | VIEW_NEXT };

	CHECK_RC(store_state_get(d->reader, 0, l->t.seq, STR_NONE, &l->id, STATE_ALL,
	    l->arena, &s), OK);
	CHECK_RC(view_add_state(&l->b, &v, &s), OK);
	buf_add_fmt(&l->b, " %s %d", checkpoint_source_names[s.c.source], s.c.step);
}

static void
check_state(struct fix *f, const struct agent *a, const struct uuid *id,
    const char *expected)
{
	struct uuid thread = thread_no(THREAD);
	struct look l = { .a = a, .t = thread_row(f, &thread), .arena = &f->arena,
	    .b = BUF(64 * KB) };

	if (id != NULL)
		l.id = *id;
	desk_do(&f->desks[0], look_do, &l);
	CHECK_STR(buf_str(&l.b), expected);
	buf_release(&l.b);
}

static struct agent *
line(void)
{
	struct agent *a;
	struct err e = { 0 };

	CHECK_RC(agent_load(&a, S("id: t\nstate:\n  messages: {reducer: messages}\n"
	    "  log: {reducer: append}\n  n: {}\n"
	    "nodes: {a: {set: {n: '1'}}, b: {set: {n: '2'}}, c: {set: {n: '3'}}}\n"
	    "edges: [[START, a], {from: a, to: c, when: 'n == 7'}, [a, b], [b, c]]\n"),
	    S("t.yaml"), &task_kinds, &e), OK);
	return a;
}

/* ---- tests -------------------------------------------------------------------------- */

/* Goal: supersteps leave the history that runs would have left. */
TEST(update_seeds_a_thread)
{
	static const char *const steps[][2] = {
		{ "{\"log\":[\"in\"]}", "__input__" }, { "{\"n\":1}", "__start__" },
		{ "{\"log\":[\"a\"]}", "a" },
	};
	struct uuid thread = thread_no(THREAD);
	struct store_history_item *h;
	struct agent *a = line();
	struct fix f;

	fix_open(&f, "memory", 1, "");
	seed(&f, a, steps, 3);
	check_state(&f, a, NULL, "{\"values\":{\"messages\":[],\"log\":[\"a\"],\"n\":1},"
	    "\"next\":[\"b\"]} update 1");
	CHECK_INT(history(&f, &thread, &h), 3);
	CHECK(h[2].c.source == SOURCE_INPUT && h[2].c.step == -1);
	CHECK_STR(h[0].c.extra_json, "{\"graph_id\":\"t\"}");
	fix_close(&f);
	agent_free(a);
}

/* Goal: reducers, the edges of the node, the last writer. */
TEST(update_is_a_step_of_its_node)
{
	static const char *const steps[][2] = { { "{\"n\":1}", "__start__" } };
	struct uuid thread = thread_no(THREAD);
	struct agent *a = line();
	struct fix f;

	fix_open(&f, "memory", 1, "");
	seed(&f, a, steps, 1);
	update(&f, a, "{\"log\":[\"x\"],\"strange\":1}", "a");
	check_state(&f, a, NULL, "{\"values\":{\"messages\":[],\"log\":[\"x\"],\"n\":1},"
	    "\"next\":[\"b\"]} update 1");
	update(&f, a, "{\"n\":7}", "a");
	check_state(&f, a, NULL, "{\"values\":{\"messages\":[],\"log\":[\"x\"],\"n\":7},"
	    "\"next\":[\"c\"]} update 2");
	update(&f, a, "[{\"log\":[\"y\"]},{\"log\":[\"z\"]}]", "b");
	check_state(&f, a, NULL, "{\"values\":{\"messages\":[],\"log\":[\"x\",\"y\",\"z\"],"
	    "\"n\":7},\"next\":[\"c\"]} update 3");
	update(&f, a, "{\"messages\":{\"role\":\"user\",\"content\":\"hi\",\"id\":\"m\"}}", "c");
	check_state(&f, a, NULL, "{\"values\":{\"messages\":[{\"content\":\"hi\",\"id\":\"m\","
	    "\"additional_kwargs\":{},\"response_metadata\":{},\"type\":\"human\"}],"
	    "\"log\":[\"x\",\"y\",\"z\"],\"n\":7},\"next\":[]} update 4");
	CHECK_INT(thread_row(&f, &thread).status, THREAD_IDLE);
	fix_close(&f);
	agent_free(a);
}

/* Goal: from a checkpoint that was chosen a new branch begins; the old one stays. */
TEST(update_forks)
{
	static const char *const steps[][2] = { { "{\"n\":1}", "__start__" },
	    { "{\"n\":2}", "a" } };
	static const char *const one[1][2] = { { "{\"n\":7}", "a" } };
	struct uuid thread = thread_no(THREAD), made, unknown = thread_no(9);
	struct store_history_item *h;
	struct err e = { 0 };
	struct agent *a = line();
	struct fix f;

	fix_open(&f, "memory", 1, "");
	seed(&f, a, steps, 2);
	CHECK_INT(history(&f, &thread, &h), 2);
	CHECK_RC(update_at(&f, a, &h[1].c.id, one, 1, &made, &e), OK);
	check_state(&f, a, NULL, "{\"values\":{\"messages\":[],\"log\":[],\"n\":7},"
	    "\"next\":[\"c\"]} update 1");
	check_state(&f, a, &made, "{\"values\":{\"messages\":[],\"log\":[],\"n\":7},"
	    "\"next\":[\"c\"]} update 1");
	check_state(&f, a, &h[0].c.id, "{\"values\":{\"messages\":[],\"log\":[],\"n\":2},"
	    "\"next\":[\"b\"]} update 1");
	CHECK_INT(history(&f, &thread, &h), 3);
	CHECK(uuid_eq(&h[0].c.parent_id, &h[2].c.id));
	CHECK_RC(update_at(&f, a, &unknown, one, 1, NULL, &e), ERR_NOTFOUND);
	CHECK_STR(str_of(e.text), "checkpoint_id: the thread has no checkpoint "
	    "33333333-3333-4333-8333-333333333309");
	fix_close(&f);
	agent_free(a);
}

TEST(update_refuses_with_place_and_words)
{
	static const char *const steps[][2] = { { "{\"n\":1}", "__start__" } };
	static const char *const several[2][2] = { { "{\"n\":1}", "a" }, { "{\"n\":2}", "b" } };
	struct err e = { 0 };
	struct agent *a = line();
	struct fix f;

	fix_open(&f, "memory", 1, "");
	seed(&f, a, steps, 1);
	refused(&f, a, "{\"n\":1}", "nope",
	    "as_node: no node is called \"nope\"; there are a, b, c");
	refused(&f, a, "{\"messages\":[{\"type\":\"remove\",\"id\":\"zzz\"}]}", "a",
	    "Attempting to delete a message with an ID that doesn't exist ('zzz')");
	CHECK(update_at(&f, a, NULL, several, 2, NULL, &e) < 0);
	CHECK(strstr(e.text, "LastValue can only receive one value per step") != NULL);
	check_state(&f, a, NULL, "{\"values\":{\"messages\":[],\"log\":[],\"n\":1},"
	    "\"next\":[\"a\"]} update 0");
	fix_close(&f);
	agent_free(a);
}

/* null as END drops what comes next, null alone copies the state. */
TEST(update_without_values)
{
	static const char *const steps[][2] = { { "{\"n\":1}", "__start__" } };
	struct agent *a = line();
	struct fix f;

	fix_open(&f, "memory", 1, "");
	seed(&f, a, steps, 1);
	update(&f, a, "null", NULL);
	check_state(&f, a, NULL, "{\"values\":{\"messages\":[],\"log\":[],\"n\":1},"
	    "\"next\":[\"a\"]} update 1");
	update(&f, a, "null", "__copy__");
	check_state(&f, a, NULL, "{\"values\":{\"messages\":[],\"log\":[],\"n\":1},"
	    "\"next\":[\"a\"]} fork 2");
	update(&f, a, "null", "__end__");
	check_state(&f, a, NULL, "{\"values\":{\"messages\":[],\"log\":[],\"n\":1},"
	    "\"next\":[]} update 3");
	fix_close(&f);
	agent_free(a);
}
