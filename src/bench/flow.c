/*
 * flow.c - virtual users.
 *
 *   idle -> request 1 -> ... -> request 12 -> pause -> idle or request 1
 *
 * A failed request fails its flow; the flow continues with the requests whose
 * ids exist, so that everything it has made is deleted.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/flow_priv.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

static void vu_next(struct vu *v);

bool
flow_wants(const struct flow *f, int64_t index)
{
	return !f->stopping && index < f->target_vus &&
	    (f->o->iterations == 0 || f->started < (uint64_t)f->o->iterations);
}

static void
flow_error(struct flow *f, const char *what, const struct err *e)
{
	if (f->sample.code == OK)
		err_set(&f->sample, e->code, "%s: %s", what, e->text);
}

static void
points_of_request(struct vu *v, nsec took, int status, bool ok)
{
	struct flow *f = v->f;
	const char *name = flow_ops[v->op].name;
	msec wall = shard_wall(f->load.shard);

	if (f->points == NULL || !v->measured)
		return;
	points_add(f->points, "http_reqs", wall, 1, name, status);
	points_add(f->points, "http_req_duration", wall, (double)took / NS_PER_MS, name,
	    status);
	points_add(f->points, "http_req_failed", wall, ok ? 0 : 1, name, status);
}

static void
points_of_flow(struct vu *v, nsec took)
{
	struct flow *f = v->f;
	msec wall = shard_wall(f->load.shard);

	if (f->points == NULL || !v->measured)
		return;
	points_add(f->points, "iterations", wall, 1, NULL, 0);
	points_add(f->points, "data_received", wall, (double)v->bytes_in, NULL, 0);
	points_add(f->points, "data_sent", wall, (double)v->bytes_out, NULL, 0);
	points_add(f->points, "vus", wall, (double)f->busy, NULL, 0);
	points_add(f->points, "agent_flow_duration", wall, (double)took / NS_PER_MS, NULL, 0);
	points_add(f->points, "agent_flow_success_rate", wall, v->flow_ok ? 1 : 0, NULL, 0);
}

static void
flow_finished(struct vu *v)
{
	struct flow *f = v->f;
	nsec took = clock_mono() - v->flow_began;

	points_of_flow(v, took);
	if (v->measured) {
		f->bytes_in += v->bytes_in;
		f->bytes_out += v->bytes_out;
	}
	if (!v->measured) {
		f->flows_warm++;
	} else if (v->flow_ok) {
		f->flows_ok++;
		hist_add(&f->flows, (uint64_t)took);
	} else {
		f->flows_failed++;
	}
}

static bool
has_ids(const struct vu *v, unsigned needs)
{
	return ((needs & NEEDS_ASSISTANT) == 0 || v->assistant[0] != '\0') &&
	    ((needs & NEEDS_THREAD) == 0 || v->thread[0] != '\0');
}

static void
request_send(struct vu *v)
{
	const struct flow_op *op = &flow_ops[v->op];
	struct flow *f = v->f;

	buf_clear(&v->path);
	buf_clear(&v->body);
	buf_clear(&v->answer);
	op->build(v, &v->path, &v->body);
	assert(!v->path.failed && !v->body.failed);
	v->first_words = 0;
	f->model_calls += op->model;
	v->sent = clock_mono();
	lean_send(v->conn, op->method, buf_str(&v->path), buf_str(&f->load.headers),
	    buf_str(&v->body), f->o->load.timeout);
}

/* Sends the next request whose ids exist, or ends the flow. */
static void
vu_next(struct vu *v)
{
	for (; v->op < FLOW_OPS; v->op++) {
		if (has_ids(v, flow_ops[v->op].needs)) {
			request_send(v);
			return;
		}
	}
	flow_finished(v);
	v->busy = false;
	v->f->busy--;
	if (v->f->o->pause > 0)
		shard_timer_set(v->f->load.shard, &v->pause, v->f->o->pause);
	else if (flow_wants(v->f, v->index))
		vu_start(v);
}

void
vu_start(struct vu *v)
{
	struct flow *f = v->f;

	assert(!v->busy);
	f->started += f->measuring;          /* a warm-up does not count */
	f->busy++;
	v->busy = v->flow_ok = true;
	v->measured = f->measuring;
	v->round++;
	v->op = 0;
	v->bytes_in = v->bytes_out = 0;
	v->assistant[0] = v->thread[0] = '\0';
	v->flow_began = clock_mono();
	vu_next(v);
}

static void
pause_over(struct wheel_timer *t)
{
	struct vu *v = CONTAINER_OF(t, struct vu, pause);

	if (!v->busy && flow_wants(v->f, v->index))
		vu_start(v);
}

/* OK, or the error in the answer. */
static int
answer_check(struct vu *v, int rc, int status, struct err *e)
{
	const struct flow_op *op = &flow_ops[v->op];
	struct str answer = buf_str(&v->answer);

	if (rc != OK)
		return err_set(e, rc, "%s", rc_text(rc));
	if (status != op->status && status != op->or_status)
		return err_set(e, ERR_INVALID, "answered %d: %.*s", status,
		    FMT(str_sub(answer, 0, 200)));
	if (v->answer.failed)
		return err_set(e, ERR_TOOBIG, "the answer is too long");
	return op->check == NULL ? OK : op->check(v, answer, e);
}

static void
on_data(void *ctx, struct str bytes)
{
	struct vu *v = ctx;

	buf_add(&v->answer, bytes);
	if (flow_ops[v->op].stream && v->first_words == 0 &&
	    str_contains(buf_str(&v->answer), S("event: messages")))
		v->first_words = clock_mono();
}

static void
on_done(void *ctx, int rc, int status, size_t bytes_in)
{
	struct vu *v = ctx;
	struct flow *f = v->f;
	nsec took = clock_mono() - v->sent;
	struct err e = { 0 };
	bool ok = answer_check(v, rc, status, &e) == OK;

	v->bytes_in += bytes_in;
	v->bytes_out += lean_bytes_out(v->conn);
	points_of_request(v, took, status, ok);
	if (!ok) {
		v->flow_ok = false;
		flow_error(f, flow_ops[v->op].name, &e);
	}
	if (v->measured) {
		hist_add(&f->op[v->op].times, (uint64_t)took);
		hist_add(&f->all.times, (uint64_t)took);
		f->op[v->op].errors += !ok;
		f->all.errors += !ok;
		if (v->first_words != 0)
			hist_add(&f->first_words, (uint64_t)(v->first_words - v->sent));
	}
	v->op++;
	vu_next(v);
}

void
vu_init(struct vu *v, struct flow *f, int64_t index)
{
	static const struct lean_hooks hooks = { .data = on_data, .done = on_done };

	*v = (struct vu){ .f = f, .index = index };
	v->conn = lean_new(f->load.shard, &f->load.target, &hooks, v);
	v->path = BUF(4 * KB);
	v->body = BUF(64 * KB);
	v->answer = BUF(FLOW_ANSWER_MAX);
	v->pause.fire = pause_over;
}

void
vu_release(struct vu *v)
{
	shard_timer_cancel(v->f->load.shard, &v->pause);
	lean_free(v->conn);
	buf_release(&v->path);
	buf_release(&v->body);
	buf_release(&v->answer);
}
