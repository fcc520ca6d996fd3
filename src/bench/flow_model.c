/*
 * flow_model.c - what a real model took of a flow's time, and what it cost.
 *
 * Two more requests of each flow, which every server may refuse: the transcript of the
 * thread says when a model was asked and when it had answered; the counts of tokens say
 * what it cost.  What is left of the two runs' time is the server's own.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "bench/flow_priv.h"

static void
build_times(const struct flow_life *v, struct buf *path, struct buf *body)
{
	(void)body;
	buf_add_fmt(path, "/threads/%s/transcript?limit=1000", v->thread);
}

static void
build_usage(const struct flow_life *v, struct buf *path, struct buf *body)
{
	(void)body;
	buf_add_fmt(path, "/usage?thread_id=%s", v->thread);
}

/* What one thread's entries say. */
struct told {
	msec asked;                          /* 0: nobody waits for an answer */
	msec took;
	uint64_t answers;
	int64_t last_tokens;                 /* of the last answer */
};

static void
entry_read(struct told *t, jnode entry)
{
	struct str kind = json_str(json_get(entry, S("kind")));
	jnode usage = json_get(json_get(entry, S("message")), S("usage_metadata"));
	msec at;

	if (!clock_read_iso(json_str(json_get(entry, S("time"))), &at))
		return;
	if (str_eq(kind, S("request"))) {
		t->asked = at;
	} else if (str_eq(kind, S("answer")) && t->asked != 0) {
		t->took += at - t->asked;
		t->asked = 0;
		t->answers++;
		t->last_tokens = json_int(json_get(usage, S("output_tokens")));
	}
}

/* A server without transcripts says 404: nothing is known then. */
static int
check_times(struct flow_life *v, struct str answer, struct err *e)
{
	struct flow_account *a = v->setup->account;
	struct told t = { 0 };
	struct json_doc d;
	nsec model;

	(void)e;
	if (json_parse(&d, answer, NULL) == OK && json_is_array(d.root))
		for (struct json_iter it = json_each(d.root); json_next(&it); )
			entry_read(&t, it.value);
	json_release(&d);
	if (!v->counted)
		return OK;
	if (t.answers < 2) {
		a->untold++;
		return OK;
	}
	/* Two runs: one waited for, one streamed. */
	model = t.took * NS_PER_MS;
	a->runs += 2;
	hist_add(&a->model, (uint64_t)model / 2);
	hist_add(&a->server, (uint64_t)(v->runs_took > model ? v->runs_took - model : 0) / 2);
	a->streamed += t.last_tokens;
	a->stream_s += (double)v->stream_took / NS_PER_S;
	return OK;
}

static int
check_usage(struct flow_life *v, struct str answer, struct err *e)
{
	struct flow_account *a = v->setup->account;
	struct json_doc d;
	jnode total, cost;

	(void)e;
	if (json_parse(&d, answer, NULL) == OK && v->counted) {
		total = json_get(d.root, S("total"));
		cost = json_get(total, S("cost"));
		a->tokens_in += json_int(json_get(total, S("input_tokens")));
		a->tokens_out += json_int(json_get(total, S("output_tokens")));
		a->cost += json_is_number(cost) ? json_number(cost) : 0;
	}
	json_release(&d);
	return OK;
}

const struct flow_op flow_op_times = { "read_transcript", { "GET", 3 }, build_times,
    check_times, 200, 404, NEEDS_THREAD | NEEDS_ACCOUNT };
const struct flow_op flow_op_usage = { "read_usage", { "GET", 3 }, build_usage, check_usage,
    200, 404, NEEDS_THREAD | NEEDS_ACCOUNT };
