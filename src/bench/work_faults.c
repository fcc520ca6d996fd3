/*
 * work_faults.c - what must hold when something goes wrong or all want the
 * same: B10 kills the daemon under load, B11 lets many claim few.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/work_priv.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/id.h"
#include "base/mem.h"

#define KILL_AGENTS    8
#define KILL_DEPTH     16
#define KILLS_A_PLACE  10                    /* then a fresh workspace */
#define KILL_MIN_ACKS  5
#define KILL_MAX_ACKS  600
#define CHECK_AGENTS   4
#define CHECK_DEPTH    32
#define CLAIM_AGENTS   64
#define CLAIM_BATCH    200

/* B10. */

struct killing {
	struct trial *t;
	struct place *p;
	struct meter *m;
	struct told told;                    /* acknowledged, of this workspace */
	size_t kill_at;                      /* so many in told */
	int64_t number;
	bool killed;
};

static bool
killing_next(void *ctx, const struct agent *a, struct ask *q)
{
	struct killing *k = ctx;

	q->operation = "create";
	q->number = k->number++;
	buf_add_fmt(q->args, "\"title\":\"item %lld of agent %zu\",\"labels\":[\"l\"]",
	    (long long)q->number, a->index);
	return true;
}

static int
killing_answer(void *ctx, const struct agent *a, const struct answer *r, struct err *e)
{
	struct killing *k = ctx;
	struct json_doc d = { 0 };
	int rc = answer_parse(r, &d, e);

	if (rc == OK && !r->success) {
		answer_words(r, e);
		rc = e->code;
	}
	if (rc == OK) {
		hist_add(&k->m->times, (uint64_t)r->took);
		rc = told_add(&k->told, answer_id(json_get(d.root, S("data"))), r->number,
		    a->index, e);
	}
	json_release(&d);
	if (k->told.n >= k->kill_at && !k->killed) {
		k->killed = true;
		kill(k->p->daemon, SIGKILL);
	}
	/* It had answered, and had been asked, a window at most. */
	if (rc == OK && k->told.n > k->kill_at + 2 * KILL_AGENTS * WB_DEPTH_MAX)
		rc = err_set(e, ERR_CONFLICT, "something answers after the daemon was killed");
	return rc;
}

/* Each acknowledged item is there with its title, and its audit says once that
 * it was created. */
struct looking {
	struct killing *k;
	size_t at;                           /* the next of told */
	uint64_t missing, wrong_audit;
};

static bool
looking_next(void *ctx, const struct agent *a, struct ask *q)
{
	struct looking *l = ctx;
	size_t i = l->at / 2;

	(void)a;
	if (i == l->k->told.n)
		return false;
	q->tag = (int)(l->at++ % 2);
	q->operation = q->tag == 0 ? "show" : "history";
	q->number = (int64_t)i;
	buf_add_fmt(q->args, "\"id\":\"%s\"", l->k->told.row[i].id);
	return true;
}

static bool
title_is(jnode item, const struct told_id *row)
{
	char title[64];

	if (json_is_array(item))
		item = json_at(item, 0);
	snprintf(title, sizeof title, "item %lld of agent %zu", (long long)row->number,
	    row->agent);
	return str_eq(json_str(json_get(item, S("title"))), str_of(title));
}

static size_t
created_events(jnode events, const char *id)
{
	struct json_iter it = json_each(events);
	size_t n = 0;

	while (json_next(&it))
		n += str_eq(json_str(json_get(it.value, S("kind"))), S("created")) &&
		    str_eq(json_str(json_get(it.value, S("issue_id"))), str_of(id));
	return n;
}

static int
looking_answer(void *ctx, const struct agent *a, const struct answer *r, struct err *e)
{
	struct looking *l = ctx;
	const struct told_id *row = &l->k->told.row[r->number];
	struct json_doc d = { 0 };
	int rc = answer_parse(r, &d, e);
	jnode data = rc == OK ? json_get(d.root, S("data")) : NULL;

	(void)a;
	if (rc == OK && r->tag == 0)
		l->missing += !r->success || !title_is(data, row);
	if (rc == OK && r->tag == 1)
		l->wrong_audit += !r->success || created_events(data, row->id) != 1;
	json_release(&d);
	return rc;
}

static int
look_again(struct killing *k, size_t from, struct looking *l, struct err *e)
{
	struct crowd c = { .place = k->p, .n = CHECK_AGENTS, .depth = CHECK_DEPTH,
		.next = looking_next, .answer = looking_answer, .ctx = l };

	l->k = k;
	l->at = from * 2;
	return crowd_run(&c, e);
}

static int
recount_ok(struct place *p, bool *ok, struct err *e)
{
	struct json_doc d = { 0 };
	struct agent a;
	int rc = agent_open(&a, p, 0, e);

	if (rc == OK)
		rc = agent_call(&a, "recount", &d, e, "%s", "");
	if (rc == OK)
		*ok = json_bool(json_get(json_get(d.root, S("data")), S("ok")));
	json_release(&d);
	agent_close(&a);
	return rc;
}

struct tally {
	struct looking seen;
	uint64_t kills, bad_recounts, acked;
	struct meter *restart;
};

/* One kill, one restart, one look at what was acknowledged since the last. */
static int
kill_once(struct killing *k, struct tally *sum, struct err *e)
{
	struct crowd c = { .place = k->p, .n = KILL_AGENTS, .depth = KILL_DEPTH,
		.next = killing_next, .answer = killing_answer, .ctx = k, .dies = true };
	size_t from = k->told.n;
	uint32_t dice;
	bool ok = false;
	nsec took = 0;
	int rc;

	id_random(&dice, sizeof dice);
	k->kill_at = from + KILL_MIN_ACKS + dice % (KILL_MAX_ACKS - KILL_MIN_ACKS);
	k->killed = false;
	rc = crowd_run(&c, e);
	place_kill(k->p);
	if (rc == OK)
		rc = place_start(k->p, &took, e);
	if (rc == OK)
		rc = look_again(k, from, &sum->seen, e);
	if (rc == OK)
		rc = recount_ok(k->p, &ok, e);
	if (rc != OK)
		return rc;
	hist_add(&sum->restart->times, (uint64_t)took);
	sum->kills++;
	sum->bad_recounts += !ok;
	sum->acked += k->told.n - from;
	return OK;
}

static int
kills_in_place(struct trial *t, struct tally *sum, struct meter *m, int64_t kills,
    struct err *e)
{
	struct killing k = { .t = t, .m = m };
	struct place p;
	size_t twice;
	int rc = place_new(&p, &t->scratch, t->tool, true, e);

	k.p = &p;
	for (int64_t i = 0; i < kills && rc == OK; i++) {
		rc = kill_once(&k, sum, e);
		trial_progress(t, (double)sum->kills / (double)t->o->kills, "kills");
	}
	if (rc == OK)
		rc = look_again(&k, 0, &sum->seen, e);
	twice = told_twice(&k.told);
	if (rc == OK && twice > 0)
		rc = err_set(e, ERR_CONFLICT, "%zu ids were given twice", twice);
	rc = place_close(&p, rc, e);
	told_release(&k.told);
	return rc;
}

int
load_b10(struct trial *t, struct err *e)
{
	struct meter *m = trial_meter(t, "b10_create");
	struct tally sum = { .restart = trial_meter(t, "b10_restart_to_answer") };
	int rc = OK;

	for (int64_t left = t->o->kills; left > 0 && rc == OK; left -= KILLS_A_PLACE)
		rc = kills_in_place(t, &sum, m, left < KILLS_A_PLACE ? left : KILLS_A_PLACE, e);
	trial_value(t, (double)sum.kills, 0, "b10_kills");
	trial_value(t, (double)sum.acked, 0, "b10_acknowledged");
	trial_check(t, rc == OK && sum.acked > 0 && sum.seen.missing == 0,
	    "%llu kills: of %llu acknowledged creates %llu are missing",
	    (unsigned long long)sum.kills, (unsigned long long)sum.acked,
	    (unsigned long long)sum.seen.missing);
	trial_check(t, rc == OK && sum.seen.wrong_audit == 0 && sum.bad_recounts == 0,
	    "%llu whose audit does not say once that they were created; %llu recounts "
	    "differ", (unsigned long long)sum.seen.wrong_audit,
	    (unsigned long long)sum.bad_recounts);
	return rc;
}

/* B11. */

struct claiming {
	struct trial *t;
	struct meter *m;
	struct told told;
	bool spent[CLAIM_AGENTS];            /* was told that there is none */
};

static bool
claim_next(void *ctx, const struct agent *a, struct ask *q)
{
	struct claiming *c = ctx;

	if (c->spent[a->index])
		return false;
	q->operation = "claim";
	buf_lit(q->args, "\"ready\":true");
	return true;
}

static int
claim_answer(void *ctx, const struct agent *a, const struct answer *r, struct err *e)
{
	struct claiming *c = ctx;
	struct json_doc d = { 0 };
	jnode data;
	int rc = answer_parse(r, &d, e);

	if (rc != OK)
		return rc;
	data = json_get(d.root, S("data"));
	hist_add(&c->m->times, (uint64_t)r->took);
	if (!r->success) {
		struct err why;

		answer_words(r, &why);
		trial_error(c->t, c->m, &why);
		c->spent[a->index] = true;
	} else if (json_is_null(data)) {
		c->spent[a->index] = true;
	} else {
		rc = told_add(&c->told, answer_id(data), 0, a->index, e);
	}
	json_release(&d);
	return rc;
}

static int
claim_fill(struct place *p, int64_t n, struct err *e)
{
	struct buf b = BUF(MB);
	struct agent a;
	int rc = agent_open(&a, p, 0, e);

	for (int64_t from = 0; from < n && rc == OK; from += CLAIM_BATCH) {
		buf_clear(&b);
		for (int64_t i = from; i < n && i < from + CLAIM_BATCH; i++)
			buf_add_fmt(&b, "%s{\"operation\":\"create\",\"args\":{\"title\":"
			    "\"work %lld\",\"priority\":%lld}}", i > from ? "," : "",
			    (long long)i, (long long)(i % 5));
		rc = agent_call(&a, "batch", NULL, e, "\"operations\":[%s]", b.p);
	}
	agent_close(&a);
	buf_release(&b);
	return rc;
}

/* Items of `told`, sorted, whose stored owner is not the agent that was told it has them. */
static int
owners_wrong(struct place *p, const struct told *told, size_t *wrong, struct err *e)
{
	struct json_doc d = { 0 };
	struct json_iter it;
	struct agent a;
	size_t right = 0;
	int rc = agent_open(&a, p, 0, e);

	if (rc == OK)
		rc = agent_call(&a, "list", &d, e, "\"status\":\"in_progress\"");
	it = json_each(json_get(d.root, S("data")));
	while (rc == OK && json_next(&it)) {
		const struct told_id *row = told_find(told, answer_id(it.value));
		char actor[32];

		if (row == NULL)
			continue;
		snprintf(actor, sizeof actor, "agent-%zu", row->agent);
		right += str_eq(json_str(json_get(it.value, S("assignee"))), str_of(actor)) &&
		    str_eq(json_str(json_get(json_get(it.value, S("lease")), S("holder"))),
		    str_of(actor));
	}
	*wrong = told->n - right;
	json_release(&d);
	agent_close(&a);
	return rc;
}

int
load_b11(struct trial *t, struct err *e)
{
	struct claiming k = { .t = t, .m = trial_meter(t, "b11_claim") };
	struct crowd c = { .n = CLAIM_AGENTS, .depth = 1, .next = claim_next,
		.answer = claim_answer, .ctx = &k };
	int64_t items = t->o->claims;
	size_t wrong = 0, twice = 0;
	struct place p;
	int rc = place_new(&p, &t->scratch, t->tool, true, e);

	c.place = &p;
	if (rc == OK)
		rc = claim_fill(&p, items, e);
	if (rc == OK)
		rc = crowd_run(&c, e);
	twice = told_twice(&k.told);
	if (rc == OK)
		rc = owners_wrong(&p, &k.told, &wrong, e);
	if (rc == OK) {
		trial_value(t, (double)k.told.n * 1e9 / (double)(c.ended - c.began), 0,
		    "b11_claims_per_s");
		trial_check(t, k.m->errors == 0 && k.told.n == (size_t)items && twice == 0 &&
		    wrong == 0, "%d agents, %lld items: %zu claims, %zu items with two "
		    "owners, %zu stored otherwise", CLAIM_AGENTS, (long long)items,
		    k.told.n, twice, wrong);
		rc = verify_counts(t, &p, items, e);
	}
	rc = place_close(&p, rc, e);
	told_release(&k.told);
	return rc;
}
