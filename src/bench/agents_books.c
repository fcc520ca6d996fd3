/*
 * agents_books.c - where messages are when agents stop, are full or slow; and contract
 * nets, with the checks of the router.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/agents_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "mail/talks.h"

#define PART_MESSAGES 100000

/* ---- books --------------------------------------------------------------------------------- */

static bool
balances(const struct post *p)
{
	struct mail_books b;

	post_books(p, &b);
	return b.sent == b.delivered + b.dead + b.expired + b.pending;
}

struct trouble { struct farm farm; struct mail_text *text; bool balanced; uint64_t again; };

/* Sends to all in turn; reads the books all the while. */
static void
send_many(struct trouble *t, size_t n)
{
	struct farm *f = &t->farm;

	for (size_t i = 0; i < n; i++) {
		int rc = post_send(f->post, &(struct post_letter){ .from = f->agent[0].at,
			.to = f->agent[i % f->n].at, .act = ACL_INFORM, .text = t->text,
			.ttl = i % 7 == 0 ? 50 : 0 }, (msec)(1 + i / 100));

		t->again += rc == ERR_AGAIN;
		if (i % 64 == 0) {
			post_run(f->post, 32, (msec)(1 + i / 100));
			t->balanced = t->balanced && balances(f->post);
		}
	}
}

/* Fails every third time. */
static enum mail_taken
take_failing(void *agent, struct letter *l)
{
	struct farm_agent *a = agent;

	(void)l;
	return ++a->taken % 3 == 0 ? MAIL_FAILED : MAIL_TAKEN;
}

int
part_books(const struct agents_options *o, struct report *r, struct err *e)
{
	static const struct mail_kind failing = { "native", take_failing, NULL };
	struct trouble t = { .balanced = true, .text = farm_text((size_t)o->bytes) };
	struct farm *f = &t.farm;
	struct mail_books b;

	(void)e;
	farm_open(f, &failing, o->agents > 0 ? (size_t)o->agents : 100, 50);
	send_many(&t, PART_MESSAGES);
	for (size_t i = 0; i < f->n / 4; i++)
		post_close(f->post, f->agent[i].at);
	for (size_t i = f->n / 4; i < f->n / 2; i++)
		post_pause(f->post, f->agent[i].at);
	send_many(&t, PART_MESSAGES);
	for (size_t i = f->n / 4; i < f->n / 2; i++)
		post_wake(f->post, f->agent[i].at);
	for (msec now = 100000; post_run(f->post, 10000, now) || post_due(f->post) < NEVER; now++)
		t.balanced = t.balanced && balances(f->post);
	post_books(f->post, &b);
	report_value(r, (double)b.sent, 0, "sent");
	report_value(r, (double)b.delivered, 0, "delivered");
	report_value(r, (double)b.dead, 0, "dead");
	report_value(r, (double)b.expired, 0, "expired");
	report_value(r, (double)b.pending, 0, "pending");
	report_value(r, (double)b.retried, 0, "retried");
	report_value(r, (double)t.again, 0, "mailbox_full");
	report_check(r, t.balanced, "the books balanced whenever they were read");
	report_check(r, b.dead > 0 && b.expired > 0 && b.retried > 0 && t.again > 0,
	    "some died, expired, were tried again and found no room");
	farm_close(f, r);
	mail_text_drop(t.text);
	return OK;
}

/* ---- contract net --------------------------------------------------------------------------- */

static const char net[] = "fipa-contract-net";

/* One manager (agent 0) and its bidders, whose ids are their numbers. */
struct market {
	struct farm farm;
	struct talks *talks;
	uint32_t round, late;
	size_t proposals, refused_late;
	size_t best, awarded, informed;
	uint64_t best_price;
	msec now;
	struct acl m;
	char conversation[32];
};

static struct uuid
id_of(size_t i)
{
	struct uuid id = { { 1 } };

	memcpy(id.b + 8, &i, sizeof i);
	return id;
}

/* A bidder's price, the lowest of which is to win. */
static uint64_t
price_of(const struct market *k, size_t i)
{
	return (i * 2654435761u + k->round) % 1000003;
}

/* Through the router's check; true: it is routed. */
static bool
route(struct market *k, size_t from, size_t to, enum acl_act act, struct str content, int *answer)
{
	struct uuid a = id_of(from), b = id_of(to);
	struct buf packed = BUF(4 * KB);
	struct talks_seen seen;
	struct err e;
	int rc;

	k->m.act = act;
	k->m.content = content;
	rc = talks_see(k->talks, 1, &k->m, &a, &b, k->now, &seen, answer, &e);
	if (rc == OK) {
		acl_pack(&k->m, &packed);
		rc = post_send(k->farm.post, &(struct post_letter){ .from = k->farm.agent[from].at,
			.to = k->farm.agent[to].at, .act = act, .packed = buf_str(&packed),
			.flags = LETTER_TALK }, k->now);
		assert(rc == OK);
	}
	buf_release(&packed);
	return rc == OK;
}

static void
manager_hears(struct market *k, size_t from, const struct letter *l)
{
	if (l->act == ACL_PROPOSE) {
		k->proposals++;
		if (price_of(k, from) < k->best_price) {
			k->best_price = price_of(k, from);
			k->best = from;
		}
	} else if (l->act == ACL_INFORM) {
		k->informed += from == k->awarded;
	}
}

static enum mail_taken
take_market(void *agent, struct letter *l)
{
	struct farm_agent *a = agent;
	struct market *k = CONTAINER_OF(a->farm, struct market, farm);
	size_t i = (size_t)(a - k->farm.agent), from = l->from.place;
	int answer;

	a->taken++;
	if (i == 0)
		manager_hears(k, from - k->farm.agent[0].at.place, l);
	else if (l->act == ACL_CFP && i % 100 != 7)          /* the others bid too late */
		route(k, i, 0, ACL_PROPOSE, S("{\"price\":1}"), &answer);
	else if (l->act == ACL_ACCEPT_PROPOSAL)
		route(k, i, 0, ACL_INFORM, S("\"done\""), &answer);
	return MAIL_TAKEN;
}

static size_t
lowest(const struct market *k)
{
	size_t best = 1;

	for (size_t i = 1; i < k->farm.n; i++)
		if (i % 100 != 7 && price_of(k, i) < price_of(k, best))
			best = i;
	return best;
}

/* Of bidders that said nothing: the manager knows. */
static void
on_deadline(void *ctx, const struct talks_due *d)
{
	(void)ctx;
	(void)d;
}

/* From the calls to the result; false: the wrong one was awarded. */
static bool
round_trip(struct market *k)
{
	size_t late = 0, rejected = 0;
	int answer = -1;

	k->round++;
	k->proposals = k->informed = 0;
	k->best_price = UINT64_MAX;
	snprintf(k->conversation, sizeof k->conversation, "round-%u", k->round);
	k->m = (struct acl){ .protocol = str_of(net), .conversation_id = str_of(k->conversation),
		.reply_by = k->now + 1000 };
	for (size_t i = 1; i < k->farm.n; i++)
		route(k, 0, i, ACL_CFP, S("\"a task\""), &answer);
	while (post_run(k->farm.post, 10000, k->now))
		;
	k->now += 1001;                      /* the deadline is over */
	k->m.reply_by = 0;
	for (size_t i = 7; i < k->farm.n; i += 100, late++)
		rejected += !route(k, i, 0, ACL_PROPOSE, S("{\"price\":0}"), &answer) &&
		    answer == ACL_REJECT_PROPOSAL;
	k->awarded = k->best;
	for (size_t i = 1; i < k->farm.n; i++)
		if (i % 100 != 7)
			route(k, 0, i, i == k->best ? ACL_ACCEPT_PROPOSAL : ACL_REJECT_PROPOSAL,
			    S("\"\""), &answer);
	while (post_run(k->farm.post, 10000, k->now))
		;
	k->refused_late += rejected;
	k->now += LIMIT_TALK_GRACE_MS + 1;
	talks_run(k->talks, k->now, on_deadline, NULL);
	return k->best == lowest(k) && k->informed == 1 && rejected == late &&
	    k->proposals == k->farm.n - 1 - late;
}

static void
market(struct report *r, size_t bidders, msec duration)
{
	static const struct mail_kind kind = { "native", take_market, NULL };
	struct market *k = mem_new(struct market);
	nsec since = clock_thread(), end = clock_mono() + duration * NS_PER_MS;
	bool right = true;
	char key[48];

	k->now = 1;
	k->talks = talks_new(LIMIT_TALKS, 1);
	farm_open(&k->farm, &kind, bidders + 1, 0);
	do {
		right = round_trip(k) && right;
	} while (clock_mono() < end);
	snprintf(key, sizeof key, "net_us_%zu", bidders);
	report_value(r, (double)farm_lap(&since) / 1e3 / k->round, 1, key);
	report_check(r, right, "%zu bidders: the lowest price won in %u rounds; %zu late bids were "
	    "rejected", bidders, k->round, k->refused_late);
	farm_close(&k->farm, r);
	talks_free(k->talks);
	free(k);
}

int
part_contract_net(const struct agents_options *o, struct report *r, struct err *e)
{
	(void)e;
	for (size_t n = 1; o->agents == 0 && n <= 1000; n *= 10)
		market(r, n, o->duration / 4);
	if (o->agents > 0)
		market(r, (size_t)o->agents, o->duration);
	return OK;
}
