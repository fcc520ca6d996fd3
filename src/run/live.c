/*
 * live.c - see live_priv.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/live_priv.h"

#include <assert.h>
#include <stdio.h>

#include "base/mem.h"

#define LIMIT_TEXT "Recursion limit of %lld reached without hitting a stop " \
	"condition. You can increase the limit by setting the " \
	"\"recursion_limit\" config key."

static void
check(const struct live *lv)
{
	assert(lv->fx != NULL && lv->chart != NULL);
	assert(!lv->running || (lv->session != NULL && !lv->over));
}

void
live_init(struct live *lv, const struct live_effects *fx, void *ctx,
    const struct chart *chart, int64_t limit)
{
	*lv = (struct live){ .fx = fx, .ctx = ctx, .chart = chart, .limit = limit };
	check(lv);
}

void
live_release(struct live *lv)
{
	if (lv->session != NULL)
		session_free(lv->session);
	message_list_release(&lv->list);
	free(lv->invokeid);
	*lv = (struct live){ 0 };
}

struct str
live_node(const struct live *lv)
{
	return lv->asked || lv->running ? chart_state_id(lv->chart, lv->state) :
	    STR_NONE;
}

bool
live_has_id(const struct live *lv, struct str id)
{
	for (size_t i = lv->list.n; i > 0; i--)
		if (str_eq(lv->list.at[i - 1]->id, id))
			return true;
	return false;
}

/* ---- what the chart asks for --------------------------------------------- */

/* One node runs at a time, and only nodes of known kinds: the built-in charts
 * have no others. */
static void
on_invoke(struct live *lv, const struct effect *f)
{
	enum node_kind kind = node_kind_of(f->type);

	assert(kind != NODE_UNKNOWN && !lv->asked && !lv->running);
	lv->asked = true;
	lv->kind = kind;
	lv->state = f->state;
	free(lv->invokeid);
	lv->invokeid = mem_cstr(f->invokeid);
	lv->serial = f->serial;
}

static void
on_effect(void *ctx, const struct effect *f)
{
	struct live *lv = ctx;

	if (f->kind == EFFECT_INVOKE)
		on_invoke(lv, f);
	if (f->kind == EFFECT_UNINVOKE && f->serial == lv->serial)
		lv->running = lv->asked = false;
}

/* A run can reach nobody yet. */
static int
on_reach(void *ctx, struct str target, struct str type, bool delayed)
{
	(void)ctx, (void)target, (void)type, (void)delayed;
	return ERR_NOTFOUND;
}

static struct effect_sink
sink(struct live *lv)
{
	return (struct effect_sink){ .effect = on_effect, .ctx = lv, .reach = on_reach };
}

/* ---- steps --------------------------------------------------------------- */

static void
finish(struct live *lv, const struct live_error *error)
{
	lv->over = true;
	lv->running = false;
	lv->fx->end(lv->ctx, error);
}

static void
fail(struct live *lv, struct str name, const char *message, bool of_node)
{
	struct live_error error = { name, str_of(message), of_node };

	finish(lv, &error);
}

static void
fail_limit(struct live *lv)
{
	char text[700];

	snprintf(text, sizeof text, "the chart did not reach a stable configuration: %.*s",
	    FMT(session_why(lv->session)));
	fail(lv, S("GraphError"), text, true);
}

static void
checkpoint(struct live *lv, enum checkpoint_source source, struct str next,
    size_t keep)
{
	struct live_checkpoint c = { .step = ++lv->step, .source = source,
	    .next = next, .keep = keep };

	c.id = uuid_v6((unsigned)c.step);
	if (next.n > 0)
		c.task_id = uuid_v5(&c.id, next);
	c.with_chart = next.n > 0 && source == SOURCE_LOOP;
	lv->task_id = c.task_id;
	lv->fx->checkpoint(lv->ctx, &c);
}

static void
fail_waits(struct live *lv)
{
	struct buf b = BUF(16 * KB);

	buf_lit(&b, "the chart waits for an event that cannot come: ");
	session_add_waits(lv->session, &b);
	fail(lv, S("GraphError"), b.p, false);
	buf_release(&b);
}

/* After the checkpoint is decided and shown: the next node, or the end.  As in
 * LangGraph the limit is looked at before each superstep, and the last one, in
 * which nothing is left to do, is one: a graph of one node needs 2. */
static void
go_on(struct live *lv)
{
	char text[256];

	if (lv->steps >= lv->limit + lv->free) {
		snprintf(text, sizeof text, LIMIT_TEXT, (long long)lv->limit);
		fail(lv, S("GraphRecursionError"), text, false);
	} else if (!lv->asked && session_over(lv->session)) {
		finish(lv, NULL);
	} else if (!lv->asked) {
		fail_waits(lv);
	} else {
		lv->steps++;
		lv->asked = false;
		lv->running = true;
		lv->fx->invoke(lv->ctx, lv->kind);
	}
}

/* Gives the session the event of the node's invoke. */
static int
tell_chart(struct live *lv, struct str name, struct val data, enum chart_tie tie)
{
	struct effect_sink out = sink(lv);
	struct chart_event ev = { .name = name, .data = data,
	    .invokeid = str_of(lv->invokeid), .serial = lv->serial,
	    .tie = tie };

	lv->running = false;
	lv->asked = false;
	return session_event(lv->session, &ev, &out);
}

static struct str
next_node(const struct live *lv)
{
	return lv->asked ? chart_state_id(lv->chart, lv->state) : STR_NONE;
}

void
live_start(struct live *lv, const struct message_list *input, struct str id,
    int last_step)
{
	static const struct message_list none;
	struct effect_sink out = sink(lv);
	size_t keep;
	struct err e;

	check(lv);
	lv->step = last_step;
	checkpoint(lv, SOURCE_INPUT, S("__start__"), lv->list.n);
	if (message_reduce(&lv->list, input != NULL ? input : &none, &keep, &e) != OK) {
		fail(lv, S("InvalidUpdateError"), e.text, true);
		return;
	}
	lv->written = true;
	lv->session = session_new(lv->chart, id, VAL_UNDEF, STR_NONE);
	if (session_start(lv->session, &out) != OK) {
		fail_limit(lv);
		return;
	}
	checkpoint(lv, SOURCE_LOOP, next_node(lv), keep);
	lv->fx->wrote(lv->ctx, STR_NONE, NULL, keep);
	go_on(lv);
}

void
live_resume(struct live *lv, struct str id, struct str snapshot, int step,
    const struct uuid *task_id)
{
	struct effect_sink out = sink(lv);
	struct err e;

	check(lv);
	lv->step = step;
	lv->task_id = *task_id;
	lv->written = true;
	if (session_restore(&lv->session, lv->chart, id, snapshot, &out, &e) != OK) {
		fail(lv, S("GraphError"), e.text, false);
		return;
	}
	go_on(lv);
}

void
live_save(const struct live *lv, struct buf *out)
{
	session_save(lv->session, out);
}

void
live_done(struct live *lv, const struct message_list *writes, struct val data)
{
	char name[300];
	struct str node = live_node(lv);
	size_t keep;
	struct err e;
	int rc;

	check(lv);
	assert(lv->running);
	rc = message_reduce(&lv->list, writes, &keep, &e);
	if (rc != OK) {
		val_drop(data);
		fail(lv, S("InvalidUpdateError"), e.text, true);
		return;
	}
	snprintf(name, sizeof name, "done.invoke.%.256s", lv->invokeid);
	rc = tell_chart(lv, str_of(name), data, TIE_DONE);
	val_drop(data);
	if (rc != OK) {
		fail_limit(lv);
		return;
	}
	checkpoint(lv, SOURCE_LOOP, next_node(lv), keep);
	lv->fx->wrote(lv->ctx, node, writes, keep);
	go_on(lv);
}

void
live_failed(struct live *lv, struct str event, const struct live_error *error)
{
	struct val data = val_object_empty();
	int rc;

	check(lv);
	assert(lv->running);
	data = val_set_take(data, S("message"), val_string(error->message));
	rc = tell_chart(lv, event, data, TIE_ERROR);
	val_drop(data);
	if (rc != OK || (!lv->asked && !session_over(lv->session))) {
		/* The chart does not handle it.  To the session the node is over;
		 * whoever goes on from the checkpoint before asks it again. */
		finish(lv, error);
		return;
	}
	checkpoint(lv, SOURCE_LOOP, next_node(lv), lv->list.n);
	go_on(lv);
}

void
live_stop(struct live *lv)
{
	check(lv);
	lv->over = true;
	lv->running = false;
}
