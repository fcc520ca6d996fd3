/*
 * mail_talks.c - the table of conversations: whose message it is, deadlines, bounds.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "base/mem.h"
#include "mail/talks.h"

#include <string.h>

static const struct uuid ann = { { 1 } }, bob = { { 2 } }, eve = { { 3 } };

/* What talks_run told. */
struct told { size_t n; struct talks_due last; char conversation[64], reply_with[64]; };

static void
tell(void *ctx, const struct talks_due *d)
{
	struct told *t = ctx;

	t->n++;
	t->last = *d;
	snprintf(t->conversation, sizeof t->conversation, "%.*s", FMT(d->conversation_id));
	snprintf(t->reply_with, sizeof t->reply_with, "%.*s", FMT(d->reply_with));
}

static struct acl
message(enum acl_act act, const char *protocol, const char *conversation, msec reply_by)
{
	return (struct acl){ .act = act, .protocol = str_of(protocol),
	    .conversation_id = str_of(conversation), .reply_by = reply_by };
}

static struct talks_seen seen;
static int answer;
static struct err e;

static int
see(struct talks *ts, struct acl m, const struct uuid *from, const struct uuid *to, msec now)
{
	return talks_see(ts, 7, &m, from, to, now, &seen, &answer, &e);
}

#define REQ(act) message(act, "fipa-request", "c", 0)

TEST(talks_both_sides_of_a_request)
{
	struct talks *ts = talks_new(10, 0);
	struct talks_count n;

	CHECK_RC(see(ts, REQ(ACL_INFORM), &bob, &ann, 1), ERR_CONFLICT);
	CHECK(str_contains(str_of(e.text), S("as the first message")));
	CHECK_RC(see(ts, REQ(ACL_REQUEST), &ann, &bob, 1), OK);
	CHECK_RC(see(ts, REQ(ACL_AGREE), &ann, &bob, 1), ERR_CONFLICT);
	CHECK_RC(see(ts, REQ(ACL_AGREE), &eve, &ann, 1), ERR_CONFLICT);   /* not eve's */
	CHECK_RC(see(ts, REQ(ACL_REQUEST), &bob, &ann, 1), OK);           /* one of bob's own */
	CHECK_RC(see(ts, REQ(ACL_AGREE), &bob, &ann, 1), OK);
	CHECK_RC(see(ts, REQ(ACL_REFUSE), &ann, &bob, 1), OK);            /* of bob's */
	CHECK_RC(see(ts, REQ(ACL_INFORM), &bob, &ann, 1), OK);
	CHECK_RC(see(ts, REQ(ACL_INFORM), &bob, &ann, 1), ERR_CONFLICT);
	CHECK(str_contains(str_of(e.text), S("conversation is over")));
	CHECK_RC(see(ts, REQ(ACL_CANCEL), &ann, &bob, 1), ERR_CONFLICT);
	CHECK_RC(see(ts, REQ(ACL_REQUEST), &ann, &bob, 1), OK);           /* anew */
	CHECK_RC(see(ts, REQ(ACL_INFORM), &bob, &ann, 1), OK);
	talks_count(ts, &n);
	CHECK(n.talks == 2 && n.over == 2);
	talks_free(ts);
}

TEST(talks_only_what_is_checked)
{
	struct talks *ts = talks_new(10, 0);
	struct talks_count n;
	struct acl m = REQ(ACL_INFORM);

	CHECK_RC(see(ts, message(ACL_INFORM, "mine", "c", 0), &ann, &bob, 1), OK);
	CHECK_RC(see(ts, message(ACL_INFORM, "fipa-request", NULL, 0), &ann, &bob, 1), OK);
	CHECK_RC(see(ts, message(ACL_INFORM, NULL, "c", 0), &ann, &bob, 1), OK);
	m.delivery.durable = true;           /* the server may have forgotten the request */
	CHECK_RC(see(ts, m, &bob, &ann, 1), OK);
	talks_count(ts, &n);
	CHECK_INT(n.talks, 0);
	CHECK_RC(see(ts, REQ(ACL_REQUEST), &ann, &bob, 1), OK);
	m.act = ACL_PROPOSE;                 /* this one it knows */
	CHECK_RC(see(ts, m, &bob, &ann, 1), ERR_CONFLICT);
	CHECK_RC(talks_see(ts, 8, &m, &bob, &ann, 1, &seen, &answer, &e), OK);   /* not owner 8's */
	talks_free(ts);
}

TEST(talks_an_undone_message_was_not_seen)
{
	struct talks *ts = talks_new(10, 0);
	struct acl m = REQ(ACL_REQUEST), agree = REQ(ACL_AGREE);
	struct talks_seen first;
	struct talks_count n;

	CHECK_RC(see(ts, m, &ann, &bob, 1), OK);
	talks_undo(ts, 7, &m, &seen, 1);
	talks_count(ts, &n);
	CHECK_INT(n.talks, 0);
	CHECK_RC(see(ts, m, &ann, &bob, 1), OK);
	first = seen;
	CHECK_RC(see(ts, agree, &bob, &ann, 1), OK);
	talks_undo(ts, 7, &m, &first, 1);            /* something was said since */
	CHECK_RC(see(ts, agree, &bob, &ann, 1), ERR_CONFLICT);
	CHECK_RC(see(ts, REQ(ACL_INFORM), &bob, &ann, 1), OK);
	talks_undo(ts, 7, &agree, &seen, 1);
	CHECK_RC(see(ts, REQ(ACL_FAILURE), &bob, &ann, 1), OK);
	talks_free(ts);
}

TEST(talks_deadline_tells_the_initiator)
{
	struct talks *ts = talks_new(10, 0);
	struct told told = { 0 };
	struct talks_count n;
	struct acl m = message(ACL_REQUEST, "FIPA-Request", "c1", 500);

	m.reply_with = S("r1");
	CHECK_RC(see(ts, m, &ann, &bob, 1), OK);
	CHECK(talks_next(ts) <= 500);
	talks_run(ts, 499, tell, &told);
	CHECK_INT(told.n, 0);
	talks_run(ts, 500, tell, &told);
	CHECK_INT(told.n, 1);
	CHECK(told.last.owner == 7 && told.last.act == ACL_FAILURE && told.last.deadline == 500);
	CHECK(uuid_eq(&told.last.initiator, &ann) && uuid_eq(&told.last.participant, &bob));
	CHECK_STR(str_of(told.last.protocol), "fipa-request");
	CHECK_STR(str_of(told.conversation), "c1");
	CHECK_STR(str_of(told.reply_with), "r1");
	CHECK_RC(see(ts, message(ACL_INFORM, "fipa-request", "c1", 0), &bob, &ann, 501), ERR_CONFLICT);
	CHECK_INT(answer, -1);
	talks_run(ts, 500 + LIMIT_TALK_GRACE_MS, tell, &told);
	talks_count(ts, &n);
	CHECK(n.talks == 0 && n.bytes == 0 && told.n == 1);
	CHECK(talks_next(ts) == NEVER);
	talks_free(ts);
}

TEST(talks_late_proposals_are_rejected)
{
	struct talks *ts = talks_new(10, 0);
	struct told told = { 0 };

	CHECK_RC(see(ts, message(ACL_CFP, "fipa-contract-net", "c", 500), &ann, &bob, 1), OK);
	CHECK_RC(see(ts, message(ACL_CFP, "fipa-contract-net", "c", 500), &ann, &eve, 1), OK);
	CHECK_RC(see(ts, message(ACL_PROPOSE, "fipa-contract-net", "c", 0), &bob, &ann, 500), ERR_TIMEOUT);
	CHECK_INT(answer, ACL_REJECT_PROPOSAL);
	talks_run(ts, 500, tell, &told);
	CHECK_RC(see(ts, message(ACL_PROPOSE, "fipa-contract-net", "c", 0), &eve, &ann, 600), ERR_TIMEOUT);
	CHECK_INT(answer, ACL_REJECT_PROPOSAL);
	CHECK_INT(told.n, 0);
	talks_free(ts);
}

TEST(talks_a_silent_one_is_forgotten)
{
	struct talks *ts = talks_new(10, 0);
	struct told told = { 0 };
	struct talks_count n;

	CHECK_RC(see(ts, REQ(ACL_REQUEST), &ann, &bob, 10), OK);
	CHECK_RC(see(ts, REQ(ACL_AGREE), &bob, &ann, 20), OK);
	talks_run(ts, 10 + LIMIT_TALK_IDLE_MS, tell, &told);
	talks_count(ts, &n);
	CHECK_INT(n.talks, 1);
	talks_run(ts, 5, tell, &told);               /* a clock that was set back */
	talks_run(ts, 20 + LIMIT_TALK_IDLE_MS, tell, &told);
	talks_count(ts, &n);
	CHECK(n.talks == 0 && told.n == 0);
	talks_free(ts);
}

TEST(talks_a_full_table_drops_what_is_over)
{
	struct talks *ts = talks_new(3, 0);

	CHECK_RC(see(ts, message(ACL_REQUEST, "fipa-request", "1", 0), &ann, &bob, 1), OK);
	CHECK_RC(see(ts, message(ACL_REQUEST, "fipa-request", "2", 0), &ann, &bob, 1), OK);
	CHECK_RC(see(ts, message(ACL_REQUEST, "fipa-request", "3", 0), &ann, &bob, 1), OK);
	CHECK_RC(see(ts, message(ACL_REQUEST, "fipa-request", "4", 0), &ann, &bob, 1), ERR_LIMIT);
	CHECK(str_contains(str_of(e.text), S("3 conversations are under way")));
	CHECK_RC(see(ts, message(ACL_REFUSE, "fipa-request", "2", 0), &bob, &ann, 1), OK);
	CHECK_RC(see(ts, message(ACL_REQUEST, "fipa-request", "4", 0), &ann, &bob, 1), OK);
	CHECK_RC(see(ts, message(ACL_AGREE, "fipa-request", "2", 0), &bob, &ann, 1), ERR_CONFLICT);
	CHECK_RC(see(ts, message(ACL_AGREE, "fipa-request", "3", 0), &bob, &ann, 1), OK);
	talks_free(ts);
}

/* Bytes are counted: ids of a kilobyte fill the table before its places are taken. */
TEST(talks_bytes_are_bounded)
{
	struct talks *ts = talks_new(LIMIT_TALKS, 0);
	struct acl m = message(ACL_REQUEST, "fipa-request", NULL, 0);
	struct talks_count n;
	static char id[LIMIT_ACL_PARAM_BYTES];
	int rc = OK;

	memset(id, 'x', sizeof id);
	m.conversation_id = m.reply_with = (struct str){ id, sizeof id };
	for (size_t i = 0; rc == OK && i < LIMIT_TALKS; i++) {
		for (size_t k = 0, x = i; k < 6; k++, x /= 10)
			id[k] = (char)('0' + x % 10);
		rc = see(ts, m, &ann, &bob, 1);
	}
	CHECK_RC(rc, ERR_LIMIT);
	talks_count(ts, &n);
	CHECK(n.bytes <= LIMIT_TALKS_BYTES && n.bytes > LIMIT_TALKS_BYTES - 4096);
	CHECK(n.talks > 20000);
	talks_free(ts);
}

/* Twenty thousand conversations come and go: nothing stays. */
TEST(talks_twenty_thousand_leave_nothing)
{
	struct talks *ts = talks_new(LIMIT_TALKS, 0);
	struct told told = { 0 };
	struct talks_count n;
	size_t most = 0;

	for (int i = 0; i < 20000; i++) {
		char id[32];
		msec now = 1 + i * (msec)10;

		snprintf(id, sizeof id, "c%d", i);
		CHECK_RC(see(ts, message(ACL_REQUEST, "fipa-request", id, i % 3 == 0 ? now + 50 : 0),
		    &ann, &bob, now), OK);
		if (i % 3 != 0)
			CHECK_RC(see(ts, message(ACL_INFORM, "fipa-request", id, 0), &bob, &ann, now), OK);
		talks_run(ts, now, tell, &told);
		talks_count(ts, &n);
		most = n.talks > most ? n.talks : most;
	}
	CHECK(most <= LIMIT_TALK_GRACE_MS / 10 + 10);
	talks_run(ts, 20000 * 10 + LIMIT_TALK_GRACE_MS + 100, tell, &told);
	talks_run(ts, 20000 * 10 + 2 * LIMIT_TALK_GRACE_MS + 200, tell, &told);
	talks_count(ts, &n);
	CHECK(n.talks == 0 && n.bytes == 0);
	CHECK_INT(told.n, 6667);
	talks_free(ts);
}

/* ---- at random ------------------------------------------------------------------------- */

static uint64_t state = 88172645463325252u;

static size_t
any(size_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % n;
}

static struct acl
any_message(msec now)
{
	static const char *const protocols[] = { "fipa-request", "fipa-query", "fipa-subscribe",
	    "fipa-contract-net", "fipa-iterated-contract-net", "fipa-propose", "mine" };
	static const char *const ids[] = { "a", "b", "c", "d" }, *const tags[] = { NULL, "r", "s" };
	struct acl m = message((enum acl_act)any(ACL_ACTS), protocols[any(COUNT(protocols))],
	    ids[any(COUNT(ids))], any(4) == 0 ? now + (msec)any(50) : 0);

	m.reply_with = str_of(tags[any(COUNT(tags))]);
	m.in_reply_to = str_of(tags[any(COUNT(tags))]);
	return m;
}

/* What was undone can be said again; what was refused changed nothing; no deadline is told twice,
 * and in the end nothing is left. */
TEST(talks_at_random)
{
	struct talks *ts = talks_new(40, 0);
	struct told told = { 0 };
	struct talks_count before, after;
	size_t taken = 0, late = 0, full = 0;
	msec now = 1;

	for (int i = 0; i < 300000; i++) {
		const struct uuid *who[] = { &ann, &bob, &eve };
		size_t from = any(3), to = (from + 1 + any(2)) % 3;
		struct acl m = any_message(now);
		int rc;

		talks_count(ts, &before);
		rc = see(ts, m, who[from], who[to], now);
		talks_count(ts, &after);
		if (rc == OK && seen.number > 0 && any(3) == 0) {
			talks_undo(ts, 7, &m, &seen, now);
			CHECK_RC(see(ts, m, who[from], who[to], now), OK);
			talks_count(ts, &after);
		}
		CHECK(after.talks <= 40 && after.over <= after.talks);
		CHECK(rc == OK || (e.text[0] != '\0' && after.talks <= before.talks &&
		    after.bytes <= before.bytes));
		CHECK(rc == OK || rc == ERR_CONFLICT || rc == ERR_TIMEOUT || rc == ERR_LIMIT);
		CHECK((answer >= 0) == (rc == ERR_TIMEOUT && m.act == ACL_PROPOSE));
		taken += rc == OK && seen.number > 0;
		late += rc == ERR_TIMEOUT;
		full += rc == ERR_LIMIT;
		if (any(8) == 0) {
			now += (msec)any(200);
			talks_run(ts, now, tell, &told);
		}
	}
	CHECK(taken > 10000 && late > 20 && full > 0 && told.n > 100);
	talks_run(ts, now + LIMIT_TALK_IDLE_MS, tell, &told);
	talks_run(ts, now + 2 * (msec)LIMIT_TALK_IDLE_MS, tell, &told);
	talks_count(ts, &after);
	CHECK(after.talks == 0 && after.bytes == 0 && after.over == 0);
	talks_free(ts);
}
