/*
 * scenario_user.c - users.
 *
 *   idle -> request 1 -> ... -> request n -> (pause ->) idle or request 1
 *
 * A failed request fails its sequence, which continues with the steps whose ids and
 * captured values are there, so that what it has made is deleted.
 *
 * The first request of an arrival is timed from the moment it was due; all others
 * from when they are sent.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/scenario_priv.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

static void user_next(struct user *u);

static const struct step *
step_of(const struct user *u)
{
	return &u->sequence->steps[u->at];
}

static struct row *
row_of(struct user *u)
{
	return &u->pass->tally->rows[step_of(u)->row];
}

/* ---- points --------------------------------------------------------------- */

static void
points_of_request(struct user *u, nsec took, int status, bool ok)
{
	struct points *points = u->pass->points;
	const char *name = u->pass->plan->rows[step_of(u)->row].name.p;
	msec wall = shard_wall(u->pass->load->shard);

	if (points == NULL || !u->measured)
		return;
	points_add(points, "http_reqs", wall, 1, name, status);
	points_add(points, "http_req_duration", wall, (double)took / NS_PER_MS, name, status);
	points_add(points, "http_req_failed", wall, ok ? 0 : 1, name, status);
}

static void
points_of_sequence(struct user *u, nsec took)
{
	struct points *points = u->pass->points;
	msec wall = shard_wall(u->pass->load->shard);
	const struct { const char *name; double value; } samples[] = {
		{ "iterations", 1 }, { "data_received", (double)u->bytes_in },
		{ "data_sent", (double)u->bytes_out }, { "vus", (double)u->pass->busy },
		{ u->pass->plan->took_point, (double)took / NS_PER_MS },
		{ u->pass->plan->ok_point, u->ok ? 1 : 0 },
	};

	for (size_t i = 0; i < COUNT(samples) && points != NULL && u->measured; i++)
		points_add(points, samples[i].name, wall, samples[i].value, NULL, 0);
}

/* ---- counting ------------------------------------------------------------- */

static void
count_status(struct tally *t, int status)
{
	size_t i = 0;

	while (i < t->statuses_n && t->statuses[i].status != status)
		i++;
	if (i == STATUSES_MAX)
		return;
	if (i == t->statuses_n)
		t->statuses[t->statuses_n++].status = status;
	t->statuses[i].n++;
}

static void
count_error(struct user *u, int status, const struct err *e)
{
	struct tally *t = u->pass->tally;

	u->ok = false;
	if (t->sample.code == OK)
		err_set(&t->sample, e->code, "%.*s: %s", FMT(step_of(u)->name), e->text);
	if (!u->measured)
		return;
	row_of(u)->errors++;
	t->request_errors++;
	count_status(t, status);
}

static void
count_request(struct user *u, nsec now, bool ok)
{
	struct tally *t = u->pass->tally;
	struct row *row = row_of(u);

	if (u->measured)
		records_received(u->pass->records, ok, now - u->due);
	if (!u->measured)
		return;
	hist_add(&row->times, (uint64_t)(now - u->due));
	hist_add(&t->requests, (uint64_t)(now - u->due));
	if (u->first == 0)
		return;
	hist_add(&row->first, (uint64_t)(u->first - u->due));
	row->events += u->events;
	row->streaming += now - u->first;
	t->deltas += u->life.deltas;
}

static void
sequence_finished(struct user *u)
{
	struct pass *p = u->pass;
	struct tally *t = p->tally;
	nsec took = clock_mono() - u->began;

	points_of_sequence(u, took);
	if (!u->measured) {
		t->warm++;
	} else {
		t->bytes_in += u->bytes_in;
		t->bytes_out += u->bytes_out;
		t->ok += u->ok;
		t->failed += !u->ok;
		if (u->ok) {
			hist_add(&t->flows, (uint64_t)took);
			hist_add(&t->sequences[u->sequence - p->plan->sequences],
			    (uint64_t)took);
		}
		if (p->soak != NULL)
			soak_sequence(p->soak, u->ok, took);
	}
	u->busy = false;
	p->busy--;
	pass_ended(p, u);
}

/* ---- requests ------------------------------------------------------------- */

static bool
step_can(const struct user *u, const struct step *st)
{
	if (st->op != NULL)
		return flow_can(&u->life, st->op);
	return text_ready(&st->path, u->slots) && text_ready(&st->headers, u->slots) &&
	    text_ready(&st->body, u->slots);
}

/* When it is sent and, for an arrival, how late that is. */
static void
time_request(struct user *u)
{
	struct pass *p = u->pass;
	nsec now = clock_mono();

	u->first = 0;
	u->events = 0;
	u->status = 0;
	u->life.deltas = 0;
	if (u->due == 0)
		u->due = now;
	else if (u->measured)
		hist_add(&p->tally->lag, (uint64_t)(now - u->due));
	if (u->measured)
		records_sent(p->records);
}

/* False: it is too long, and was not sent. */
static bool
request_send(struct user *u)
{
	const struct step *st = step_of(u);
	struct pass *p = u->pass;
	struct err e;

	buf_clear(&u->path);
	buf_clear(&u->body);
	buf_clear(&u->answer);
	buf_clear(&u->headers);
	buf_add(&u->headers, buf_str(&p->load->headers));
	st->kind->build(u, st);
	if (p->plan->fresh)
		buf_lit(&u->headers, "Connection: close\r\n");
	time_request(u);
	if (u->path.failed || u->body.failed || u->headers.failed) {
		err_set(&e, ERR_TOOBIG, "the request is too long");
		count_error(u, 0, &e);
		return false;
	}
	u->sent = true;
	p->tally->model_calls += st->op != NULL && st->op->model;
	lean_send(u->conn, st->method, buf_str(&u->path), buf_str(&u->headers),
	    buf_str(&u->body), p->plan->timeout);
	return true;
}

/* Sends the next request that can be made, or ends the sequence. */
static void
user_next(struct user *u)
{
	for (; u->at < u->sequence->n; u->at++) {
		const struct step *st = step_of(u);

		if (st->kind->build == NULL) {
			shard_timer_set(u->pass->load->shard, &u->pause, st->pause);
			return;
		}
		if (step_can(u, st) && request_send(u))
			return;
		u->due = 0;
	}
	sequence_finished(u);
}

/* ---- a sequence begins ---------------------------------------------------- */

static void
slot_set(struct slot_value *v, struct str text, bool json)
{
	buf_clear(&v->text);
	buf_add(&v->text, text);
	v->json = json;
	v->set = true;
}

static void
slots_begin(struct user *u)
{
	const struct scenario *plan = u->pass->plan;
	struct uuid id = uuid_v7();
	char text[UUID_TEXT];
	uint32_t random;
	struct buf number = BUF(32);

	for (size_t i = plan->constants_n; i < plan->variables_n; i++)
		u->slots[i].set = false;     /* captured in the sequence before */
	id_random(&random, sizeof random);
	uuid_format(&id, text);
	slot_set(&u->slots[SLOT_UUID], (struct str){ text, UUID_TEXT }, false);
	buf_add_u64(&number, (uint64_t)u->round);
	slot_set(&u->slots[SLOT_ITERATION], buf_str(&number), true);
	buf_clear(&number);
	buf_add_u64(&number, random);
	slot_set(&u->slots[SLOT_RANDOM], buf_str(&number), true);
	buf_release(&number);
}

void
user_start(struct user *u, nsec due)
{
	struct pass *p = u->pass;

	assert(!u->busy);
	list_remove(&u->idle);
	p->tally->started += p->measuring;   /* a warm-up does not count */
	p->busy++;
	u->busy = u->ok = true;
	u->sent = false;
	u->measured = p->measuring;
	u->round++;
	u->life.round = u->round;
	u->life.assistant[0] = u->life.thread[0] = '\0';
	u->life.runs_took = 0;
	u->life.counted = u->measured;
	u->sequence = pass_next_sequence(p);
	u->at = 0;
	u->bytes_in = u->bytes_out = 0;
	u->due = due;
	u->began = due != 0 ? due : clock_mono();
	slots_begin(u);
	user_next(u);
}

/* ---- answers -------------------------------------------------------------- */

static bool
is_right(const struct step *st, int status)
{
	if (st->op != NULL)
		return status == st->op->status || status == st->op->or_status;
	for (size_t i = 0; i < st->statuses_n; i++)
		if (status == st->statuses[i])
			return true;
	return st->statuses_n == 0 && status >= 200 && status < 300;
}

/* OK, or the error in the answer. */
static int
answer_check(struct user *u, int rc, int status, struct err *e)
{
	const struct step *st = step_of(u);
	struct str answer = buf_str(&u->answer);

	if (rc != OK)
		return err_set(e, rc, "%s", rc_text(rc));
	if (!is_right(st, status))
		return err_set(e, ERR_INVALID, "answered %d: %.*s", status,
		    FMT(str_cut(answer, 200)));
	if (u->answer.failed)
		return err_set(e, ERR_TOOBIG, "the answer is longer than %d bytes",
		    LIMIT_SCENARIO_ANSWER_BYTES);
	return st->kind->check(u, st, answer, e);
}

static void
on_head(void *ctx, int status)
{
	((struct user *)ctx)->status = status;
}

/* Leaves a stream of which enough has come; not here, inside the parser. */
static void
look_enough(struct user *u, const struct step *st)
{
	struct stream_seen seen;

	if (st->events_max == 0 || u->enough || !is_right(st, u->status))
		return;
	stream_look(buf_str(&u->answer), &seen);
	u->enough = seen.whole >= (uint64_t)st->events_max;
	if (u->enough)
		shard_timer_set(u->pass->load->shard, &u->pause, 0);
}

static void
on_data(void *ctx, struct str bytes)
{
	struct user *u = ctx;
	const struct step *st = step_of(u);

	buf_add(&u->answer, bytes);
	look_enough(u, st);
	if (st->first_mark != NULL && u->first == 0 &&
	    str_contains(buf_str(&u->answer), str_of(st->first_mark)))
		u->first = clock_mono();
}

/* What the runs on the flow's thread took: see flow_model.c. */
static void
life_times(struct user *u, nsec now)
{
	const struct flow_op *op = step_of(u)->op;

	if (op == NULL || !op->model || (op->needs & NEEDS_THREAD) == 0)
		return;
	u->life.runs_took += now - u->due;
	if (op->stream)
		u->life.stream_took = u->first != 0 ? now - u->first : 0;
}

static void
request_ended(struct user *u, int rc, int status, size_t bytes_in)
{
	nsec now = clock_mono();
	struct err e = { 0 };
	bool ok;

	life_times(u, now);
	ok = answer_check(u, rc, status, &e) == OK;
	u->bytes_in += bytes_in;
	u->bytes_out += lean_bytes_out(u->conn);
	points_of_request(u, now - u->due, status, ok);
	if (!ok)
		count_error(u, status, &e);
	count_request(u, now, ok);
	if (u->pass->plan->fresh)
		lean_close(u->conn);
	u->at++;
	u->due = 0;
	user_next(u);
}

static void
on_done(void *ctx, int rc, int status, size_t bytes_in)
{
	struct user *u = ctx;

	if (u->enough)                       /* it ended by itself just now */
		shard_timer_cancel(u->pass->load->shard, &u->pause);
	u->enough = false;
	request_ended(u, rc, status, bytes_in);
}

static void
leave_stream(struct user *u)
{
	u->enough = false;
	lean_leave(u->conn);
	request_ended(u, OK, u->status, u->answer.n);
}

/* Enough of a stream; a pause inside a sequence, or after one. */
static void
timer_fired(struct wheel_timer *t)
{
	struct user *u = CONTAINER_OF(t, struct user, pause);

	if (u->enough) {
		leave_stream(u);
	} else if (u->busy) {
		u->at++;
		u->due = 0;
		user_next(u);
	} else if (pass_wants(u->pass, u->index)) {
		user_start(u, 0);
	}
}

/* ---- life ----------------------------------------------------------------- */

void
user_init(struct user *u, struct pass *p, int64_t index)
{
	static const struct lean_hooks hooks = { .head = on_head, .data = on_data,
	    .done = on_done };
	const struct scenario *plan = p->plan;
	char number[24];

	*u = (struct user){ .pass = p, .index = index };
	u->conn = lean_new(p->load->shard, &p->load->target, &hooks, u);
	u->life = (struct flow_life){ .setup = p->setup, .user = index };
	u->path = BUF(LIMIT_HTTP_URL_BYTES);
	u->body = BUF(LIMIT_HTTP_BODY_BYTES - LIMIT_HTTP_URL_BYTES);
	u->headers = BUF(LIMIT_HTTP_HEADER_BYTES);
	u->answer = BUF(LIMIT_SCENARIO_ANSWER_BYTES);
	u->pause.fire = timer_fired;
	u->slots = mem_zero((plan->variables_n + 1) * sizeof *u->slots);
	for (size_t i = 0; i < plan->variables_n; i++)
		u->slots[i].text = BUF(LIMIT_SCENARIO_ANSWER_BYTES);
	for (size_t i = SLOTS_BUILT_IN; i < plan->constants_n; i++)
		slot_set(&u->slots[i], plan->variables[i].text, plan->variables[i].json);
	snprintf(number, sizeof number, "%lld", (long long)index);
	slot_set(&u->slots[SLOT_USER], str_of(number), true);
	slot_set(&u->slots[SLOT_RUN], str_of(p->setup->run), false);
	slot_set(&u->slots[SLOT_GRAPH], str_of(p->setup->graph), false);
}

void
user_release(struct user *u)
{
	u->pass->tally->resent += lean_resent(u->conn);
	shard_timer_cancel(u->pass->load->shard, &u->pause);
	list_remove(&u->idle);
	lean_free(u->conn);
	for (size_t i = 0; i < u->pass->plan->variables_n; i++)
		buf_release(&u->slots[i].text);
	free(u->slots);
	buf_release(&u->path);
	buf_release(&u->body);
	buf_release(&u->headers);
	buf_release(&u->answer);
}
