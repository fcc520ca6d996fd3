/*
 * agents_flow.c - messages as fast as they go: through a pool, to and fro.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/agents_priv.h"

#include <stdlib.h>

#include "base/mem.h"


/* Hands a task out again: the same text, from the pool's owner. */
static enum mail_taken
take_result(void *agent, struct letter *l)
{
	struct farm_agent *a = agent;
	struct farm *f = a->farm;

	a->taken++;
	post_send(f->post, &(struct post_letter){ .from = a->at, .to = l->from, .act = ACL_REQUEST,
		.text = l->text, .packed = letter_packed(l) }, 1);
	return MAIL_TAKEN;
}

static const struct mail_kind answering = { "native", take_result, NULL };

int
part_pool(const struct agents_options *o, struct report *r, struct err *e)
{
	struct farm f = { .slow = o->slow };
	struct mail_text *text = farm_text((size_t)o->bytes);
	size_t workers = o->agents > 0 ? (size_t)o->agents : 10;
	uint64_t before;
	nsec since, took = 0;

	(void)e;
	farm_open(&f, &answering, workers + 1, 0);
	for (size_t i = 0; i < 1000; i++)
		farm_send(&f, &f.agent[0], &f.agent[1 + i % workers], text, ACL_REQUEST);
	post_run(f.post, (size_t)o->warmup, 1);
	before = f.agent[0].taken;
	since = clock_thread();
	for (nsec end = clock_mono() + o->duration * NS_PER_MS; clock_mono() < end;) {
		slow_mark(&f.slow);
		post_run(f.post, 100000, 1);
		slow_pay(&f.slow);
		took += farm_lap(&since);
	}
	report_value(r, (double)(f.agent[0].taken - before) / ((double)took / 1e9), 0, "tasks_per_s");
	report_value(r, (double)workers, 0, "agents");
	report_value(r, 1000, 0, "tasks_in_flight");
	farm_close(&f, r);
	mail_text_drop(text);
	return OK;
}

/* One message goes to and fro; post_run(2) is a round trip. */
int
part_request(const struct agents_options *o, struct report *r, struct err *e)
{
	struct farm f = { .slow = o->slow };
	struct mail_text *text = farm_text((size_t)o->bytes);
	uint64_t n = 0;
	nsec since, took = 0;

	(void)e;
	farm_open(&f, &answering, 2, 0);
	farm_send(&f, &f.agent[0], &f.agent[1], text, ACL_REQUEST);
	post_run(f.post, (size_t)o->warmup, 1);
	for (nsec end = clock_mono() + o->duration * NS_PER_MS / 2; clock_mono() < end;) {
		slow_mark(&f.slow);
		for (size_t i = 0; i < 100; i++) {
			nsec began = clock_mono();

			post_run(f.post, 2, 1);
			hist_add(&f.times, (uint64_t)(clock_mono() - began));
		}
		slow_pay(&f.slow);
	}
	since = clock_thread();
	for (nsec end = clock_mono() + o->duration * NS_PER_MS / 2; clock_mono() < end; n += 50000) {
		slow_mark(&f.slow);
		post_run(f.post, 100000, 1);
		slow_pay(&f.slow);
		took += farm_lap(&since);
	}
	report_metric(r, "request_reply", NULL, &f.times, 0);
	report_value(r, (double)hist_percentile(&f.times, 50) / 1e3, 3, "request_p50_us");
	report_value(r, (double)hist_percentile(&f.times, 99) / 1e3, 3, "request_p99_us");
	report_value(r, (double)hist_percentile(&f.times, 99.9) / 1e3, 3, "request_p99_9_us");
	report_value(r, (double)took / (double)n / 1e3, 4, "request_cpu_us");
	farm_close(&f, r);
	mail_text_drop(text);
	return OK;
}

/* Notes how long it takes to read the message and to send the answer. */
static enum mail_taken
take_timed(void *agent, struct letter *l)
{
	struct farm_agent *a = agent;
	struct acl_room room;
	struct acl m;
	struct err e;
	nsec began = clock_mono();
	int rc = acl_unpack(&m, letter_packed(l), &room, &e);

	assert(rc == OK);
	a->taken += m.content.n;
	post_send(a->farm->post, &(struct post_letter){ .from = a->at, .to = l->from,
		.act = ACL_INFORM, .text = l->text, .packed = letter_packed(l) }, 1);
	hist_add(&a->farm->times, (uint64_t)(clock_mono() - began));
	return MAIL_TAKEN;
}

int
part_response(const struct agents_options *o, struct report *r, struct err *e)
{
	static const struct mail_kind timed = { "native", take_timed, NULL };
	struct farm f = { .slow = o->slow };
	struct mail_text *text = farm_text((size_t)o->bytes);

	(void)e;
	farm_open(&f, &timed, 2, 0);
	farm_send(&f, &f.agent[0], &f.agent[1], text, ACL_REQUEST);
	post_run(f.post, (size_t)o->warmup, 1);
	hist_clear(&f.times);
	for (nsec end = clock_mono() + o->duration * NS_PER_MS; clock_mono() < end;) {
		slow_mark(&f.slow);
		post_run(f.post, 1000, 1);
		slow_pay(&f.slow);
	}
	report_metric(r, "agent_response", NULL, &f.times, 0);
	report_value(r, (double)hist_percentile(&f.times, 50), 0, "response_p50_ns");
	report_value(r, (double)hist_percentile(&f.times, 99), 0, "response_p99_ns");
	farm_close(&f, r);
	mail_text_drop(text);
	return OK;
}
