/*
 * mail_protocol.c - the tables of protocols against an oracle that is written apart from them.
 *
 * The oracle is a regular expression for each flow, as the specifications of FIPA draw it, over
 * letters: one for each act and sender.  A conversation is a word; a word is legal if it is the
 * beginning of one that the expression matches.  Brzozowski's derivatives decide that: the
 * derivative of a flow by what was said is what may still be said.  So the oracle has no states of
 * its own, and equal derivatives are equal futures: that is where prefixes repeat.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "base/mem.h"
#include "mail/protocol.h"

#include <string.h>

/* ---- regular expressions -------------------------------------------------------------- */

/* A letter: acts in the order of FIPA00037, the initiator's as A..V, the participant's as a..v. */
enum { INITIATOR = 'A', PARTICIPANT = 'a' };

static char
letter(int act, enum protocol_side from)
{
	return (char)((from == FROM_INITIATOR ? INITIATOR : PARTICIPANT) + act);
}

enum kind { NONE, EMPTY, LETTER, SEQ, ALT, STAR };
struct re { enum kind kind; char c; const struct re *a, *b; };

static const struct re none = { NONE }, empty = { EMPTY };
static struct arena nodes = ARENA(64 * MB);

static const struct re *
node(enum kind kind, char c, const struct re *a, const struct re *b)
{
	struct re *r = arena_new(&nodes, struct re);

	CHECK(r != NULL);
	*r = (struct re){ kind, c, a, b };
	return r;
}

static bool
same(const struct re *x, const struct re *y)
{
	return x == y || (x->kind == y->kind && x->c == y->c &&
	    (x->a == NULL || same(x->a, y->a)) && (x->b == NULL || same(x->b, y->b)));
}

static const struct re *
seq(const struct re *a, const struct re *b)
{
	if (a->kind == NONE || b->kind == NONE)
		return &none;
	return a->kind == EMPTY ? b : b->kind == EMPTY ? a : node(SEQ, 0, a, b);
}

static bool
has(const struct re *set, const struct re *x)
{
	return same(set, x) || (set->kind == ALT && (has(set->a, x) || has(set->b, x)));
}

static const struct re *
alt(const struct re *a, const struct re *b)
{
	if (a->kind == NONE || has(b, a))
		return b;
	return b->kind == NONE || has(a, b) ? a : node(ALT, 0, a, b);
}

static bool
may_end(const struct re *r)
{
	return r->kind == EMPTY || r->kind == STAR ||
	    (r->kind == SEQ && may_end(r->a) && may_end(r->b)) ||
	    (r->kind == ALT && (may_end(r->a) || may_end(r->b)));
}

static const struct re *
after(const struct re *r, char c)
{
	switch (r->kind) {
	case LETTER:
		return r->c == c ? &empty : &none;
	case ALT:
		return alt(after(r->a, c), after(r->b, c));
	case STAR:
		return seq(after(r->a, c), r);
	case SEQ:
		return may_end(r->a) ? alt(seq(after(r->a, c), r->b), after(r->b, c)) :
		    seq(after(r->a, c), r->b);
	default:
		return &none;
	}
}

/* ---- reading flows ------------------------------------------------------------------------ */

/* `I:act` and `P:act` are letters, `( | )` alternatives, `*` and `?` behind a part. */
static const struct re *read_alt(const char **s);

static const struct re *
read_act(const char **s)
{
	enum protocol_side from = **s == 'I' ? FROM_INITIATOR : FROM_PARTICIPANT;
	size_t n;
	int act;

	CHECK((**s == 'I' || **s == 'P') && (*s)[1] == ':');
	*s += 2;
	n = strcspn(*s, " ()|*?");
	act = acl_act_find((struct str){ *s, n });
	CHECK(act >= 0);
	*s += n;
	return node(LETTER, letter(act, from), NULL, NULL);
}

static const struct re *
read_part(const char **s)
{
	const struct re *r;

	if (**s == '(') {
		++*s;
		r = read_alt(s);
		CHECK(**s == ')');
		++*s;
	} else {
		r = read_act(s);
	}
	if (**s == '*')
		r = node(STAR, 0, r, NULL);
	else if (**s == '?')
		r = alt(r, &empty);
	*s += **s == '*' || **s == '?';
	return r;
}

static const struct re *
read_seq(const char **s)
{
	const struct re *r = &empty;

	for (*s += strspn(*s, " "); **s != '\0' && **s != '|' && **s != ')'; *s += strspn(*s, " "))
		r = seq(r, read_part(s));
	return r;
}

static const struct re *
read_alt(const char **s)
{
	const struct re *r = read_seq(s);

	while (**s == '|') {
		++*s;
		r = alt(r, read_seq(s));
	}
	return r;
}

/* ---- the flows ---------------------------------------------------------------------------- */

/* The figures of the specifications, with what their text adds: agree is sent where notification
 * is necessary; whoever received something may answer not-understood. */
#define ACTION(ask) ask " (P:refuse | P:not-understood | P:failure | P:inform | " \
    "P:agree (P:failure | P:inform | P:not-understood | I:not-understood))"
#define BID(end) "(P:refuse | P:not-understood | P:propose (I:reject-proposal | " \
    "I:not-understood | P:not-understood | " \
    "I:accept-proposal (P:failure | P:inform | P:not-understood)" end "))"

static const struct { const char *name, *flow; } flows[] = {
	{ "fipa-request", ACTION("I:request") },
	{ "fipa-query", ACTION("(I:query-if | I:query-ref)") },
	{ "fipa-request-when", ACTION("I:request-when") },
	{ "fipa-contract-net", "I:cfp " BID("") },
	/* A bid that is neither taken nor refused is followed by a new call. */
	{ "fipa-iterated-contract-net", "I:cfp (P:propose I:cfp)* " BID("") },
	{ "fipa-subscribe", "I:subscribe (P:refuse | P:not-understood | P:failure | "
	    "(P:agree | P:inform) P:inform* (P:failure | P:not-understood | I:not-understood))" },
	{ "fipa-propose", "I:propose (P:accept-proposal | P:reject-proposal | P:not-understood)" },
};

static const struct re *
flow_of(const char *text)
{
	const struct re *r = read_alt(&text);

	CHECK(*text == '\0');
	return r;
}

/* ---- walking both ------------------------------------------------------------------------- */

struct side { const struct re *flow; bool cancelled, over; };

static bool
is_result(int act)
{
	return act == ACL_INFORM || act == ACL_FAILURE;
}

/* The cancel meta-protocol on top of a flow: the initiator's cancel at any point of a conversation
 * that goes on; then only the participant speaks, what the flow lets it, or the answer. */
static bool
oracle(struct side *s, int act, enum protocol_side from)
{
	const struct re *next = after(s->flow, letter(act, from));

	if (s->over || (s->cancelled && from == FROM_INITIATOR))
		return false;
	if (from == FROM_INITIATOR && act == ACL_CANCEL) {
		s->cancelled = true;
		return true;
	}
	if (s->cancelled && (is_result(act) || act == ACL_NOT_UNDERSTOOD)) {
		s->over = true;
		return true;
	}
	if (next->kind == NONE)
		return false;
	s->flow = next;
	s->over = next->kind == EMPTY && (!s->cancelled || act == ACL_NOT_UNDERSTOOD);
	return true;
}

struct seen { struct side sides[4096]; size_t n; };

static bool
was_seen(struct seen *seen, const struct side *s)
{
	for (size_t i = 0; i < seen->n; i++)
		if (same(seen->sides[i].flow, s->flow) &&
		    seen->sides[i].cancelled == s->cancelled && seen->sides[i].over == s->over)
			return true;
	CHECK(seen->n < COUNT(seen->sides));
	seen->sides[seen->n++] = *s;
	return false;
}

/* Every act from both sides after this prefix, and what follows the legal ones.  A prefix whose
 * future was seen is tried itself, and not gone on with. */
static size_t
walk(struct seen *seen, const struct talk *t, const struct side *s, int depth)
{
	bool again = was_seen(seen, s);
	size_t tried = 0;

	CHECK(depth < 64);
	CHECK(talk_over(t) == s->over);
	for (int i = 0; i < 2 * ACL_ACTS; i++) {
		enum protocol_side from = i < ACL_ACTS ? FROM_INITIATOR : FROM_PARTICIPANT;
		struct acl m = { .act = (enum acl_act)(i % ACL_ACTS) };
		struct talk talk = *t, before = *t;
		struct side side = *s;
		struct err e;
		bool legal = oracle(&side, (int)m.act, from);
		int rc = talk_step(&talk, &m, from, 1, &e);

		if (rc != (legal ? OK : ERR_CONFLICT))
			test_fail(__FILE__, __LINE__, "%s: %s from %s after %d messages: %s",
			    protocol_name(t->p), acl_act_names[m.act],
			    from == FROM_INITIATOR ? "initiator" : "participant", depth,
			    legal ? e.text : "taken");
		CHECK(((talk_legal(t, from) >> m.act & 1) != 0) == legal);
		CHECK(legal || memcmp(&talk, &before, sizeof talk) == 0);
		tried++;
		if (legal && !again)
			tried += walk(seen, &talk, &side, depth + 1);
	}
	return tried;
}

TEST(protocol_tables_are_the_flows_of_fipa)
{
	size_t tried = 0;

	for (size_t i = 0; i < COUNT(flows); i++) {
		const struct protocol *p = protocol_find(str_of(flows[i].name));
		const struct re *flow = flow_of(flows[i].flow);

		CHECK(p != NULL);
		CHECK_STR(str_of(protocol_name(p)), flows[i].name);
		for (int act = 0; act < ACL_ACTS; act++) {
			const struct re *next = after(flow, letter(act, FROM_INITIATOR));
			struct acl m = { .act = (enum acl_act)act };
			struct seen *seen = mem_new(struct seen);
			struct talk t;
			struct err e;

			CHECK(protocol_begins(p, m.act) == (next->kind != NONE));
			CHECK_RC(talk_begin(&t, p, &m, &e), next->kind != NONE ? OK : ERR_CONFLICT);
			if (next->kind != NONE)
				tried += walk(seen, &t, &(struct side){ .flow = next }, 1);
			free(seen);
		}
	}
	CHECK(tried > 3000);
	arena_release(&nodes);
	CHECK(protocol_find(S("FIPA-Request")) != NULL && protocol_find(S("fipa-dutch-auction")) == NULL);
}

/* All words of up to five messages, without the shortcut of derivatives that repeat. */
static size_t
plain(const struct talk *t, const struct side *s, int left)
{
	size_t n = 1;

	for (int i = 0; left > 0 && i < 2 * ACL_ACTS; i++) {
		enum protocol_side from = i < ACL_ACTS ? FROM_INITIATOR : FROM_PARTICIPANT;
		struct acl m = { .act = (enum acl_act)(i % ACL_ACTS) };
		struct talk talk = *t;
		struct side side = *s;
		bool legal = oracle(&side, (int)m.act, from);

		CHECK((talk_step(&talk, &m, from, 1, NULL) == OK) == legal);
		if (legal)
			n += plain(&talk, &side, left - 1);
	}
	return n;
}

TEST(protocol_all_prefixes_of_six_messages)
{
	for (size_t i = 0; i < COUNT(flows); i++) {
		const struct re *flow = flow_of(flows[i].flow);

		for (int act = 0; act < ACL_ACTS; act++) {
			struct side s = { .flow = after(flow, letter(act, FROM_INITIATOR)) };
			struct acl m = { .act = (enum acl_act)act };
			struct talk t;

			if (talk_begin(&t, protocol_find(str_of(flows[i].name)), &m, NULL) == OK)
				CHECK(plain(&t, &s, 5) > 5);
		}
	}
	arena_release(&nodes);
}

/* ---- what the flows do not say --------------------------------------------------------------- */

static int
say(struct talk *t, enum acl_act act, enum protocol_side from, msec now, struct err *e)
{
	struct acl m = { .act = act };

	return talk_step(t, &m, from, now, e);
}

static struct talk
begun(const char *protocol, enum acl_act act, msec reply_by)
{
	struct acl m = { .act = act, .reply_by = reply_by };
	struct talk t;

	CHECK_RC(talk_begin(&t, protocol_find(str_of(protocol)), &m, NULL), OK);
	return t;
}

TEST(protocol_words_name_what_is_legal)
{
	struct talk t = begun("fipa-request", ACL_REQUEST, 0);
	struct acl m = { .act = ACL_AGREE };
	struct err e;

	CHECK_RC(say(&t, ACL_PROPOSE, FROM_PARTICIPANT, 1, &e), ERR_CONFLICT);
	CHECK_STR(str_of(e.text), "performative: fipa-request does not allow propose from its "
	    "participant now; expected agree, failure, inform, not-understood, refuse");
	CHECK_RC(say(&t, ACL_REQUEST, FROM_INITIATOR, 1, &e), ERR_CONFLICT);
	CHECK_STR(str_of(e.text), "performative: fipa-request does not allow request from its "
	    "initiator now; expected cancel");
	CHECK_RC(say(&t, ACL_REFUSE, FROM_PARTICIPANT, 1, &e), OK);
	CHECK_RC(say(&t, ACL_INFORM, FROM_PARTICIPANT, 1, &e), ERR_CONFLICT);
	CHECK_STR(str_of(e.text), "performative: fipa-request does not allow inform when the "
	    "conversation is over; expected another conversation_id");
	CHECK_RC(talk_begin(&t, protocol_find(S("fipa-query")), &m, &e), ERR_CONFLICT);
	CHECK_STR(str_of(e.text), "performative: fipa-query does not allow agree as the first "
	    "message of a conversation; expected query-if, query-ref");
}

/* A subscription's news crosses the cancel; only what answers the cancel ends it. */
TEST(protocol_a_cancel_with_reply_with_is_answered_by_it)
{
	struct talk t = begun("fipa-subscribe", ACL_SUBSCRIBE, 0);
	struct acl cancel = { .act = ACL_CANCEL, .reply_with = S("c1") };
	struct acl news = { .act = ACL_INFORM }, done = { .act = ACL_INFORM, .in_reply_to = S("c1") };

	CHECK_RC(say(&t, ACL_AGREE, FROM_PARTICIPANT, 1, NULL), OK);
	CHECK_RC(talk_step(&t, &cancel, FROM_INITIATOR, 1, NULL), OK);
	CHECK_RC(talk_step(&t, &news, FROM_PARTICIPANT, 1, NULL), OK);
	CHECK(!talk_over(&t));
	CHECK_RC(talk_step(&t, &cancel, FROM_INITIATOR, 1, NULL), ERR_CONFLICT);
	CHECK_RC(talk_step(&t, &done, FROM_PARTICIPANT, 1, NULL), OK);
	CHECK(talk_over(&t));
}

/* A refusal crosses the cancel: the answer is still owed, and it alone. */
TEST(protocol_an_end_that_crosses_the_cancel)
{
	struct talk t = begun("fipa-request", ACL_REQUEST, 0);
	struct acl cancel = { .act = ACL_CANCEL, .reply_with = S("c1") };
	struct acl done = { .act = ACL_FAILURE, .in_reply_to = S("c1") };
	struct err e;

	CHECK_RC(talk_step(&t, &cancel, FROM_INITIATOR, 1, NULL), OK);
	CHECK_RC(say(&t, ACL_REFUSE, FROM_PARTICIPANT, 1, NULL), OK);
	CHECK(!talk_over(&t));
	CHECK_RC(say(&t, ACL_INFORM, FROM_PARTICIPANT, 1, &e), ERR_CONFLICT);
	CHECK(str_contains(str_of(e.text), S("with this in_reply_to")));
	CHECK_RC(talk_step(&t, &done, FROM_PARTICIPANT, 1, NULL), OK);
	CHECK(talk_over(&t));
}

TEST(protocol_deadlines)
{
	struct talk t = begun("fipa-request", ACL_REQUEST, 100);

	CHECK_INT(talk_due(&t, 99), TALK_GOES_ON);
	CHECK_RC(say(&t, ACL_INFORM, FROM_PARTICIPANT, 100, NULL), ERR_TIMEOUT);
	CHECK_RC(say(&t, ACL_PROPOSE, FROM_PARTICIPANT, 100, NULL), ERR_CONFLICT);
	CHECK(!talk_over(&t));
	CHECK_INT(talk_due(&t, 100), TALK_FAILED);
	CHECK(talk_over(&t));

	t = begun("fipa-request", ACL_REQUEST, 100);       /* agree is an answer: the result may */
	CHECK_RC(say(&t, ACL_AGREE, FROM_PARTICIPANT, 99, NULL), OK);        /* take longer */
	CHECK_INT(talk_due(&t, 1000), TALK_GOES_ON);
	CHECK_RC(say(&t, ACL_INFORM, FROM_PARTICIPANT, 1000, NULL), OK);

	t = begun("fipa-request", ACL_REQUEST, 100);
	CHECK_RC(say(&t, ACL_NOT_UNDERSTOOD, FROM_PARTICIPANT, 100, NULL), OK);
	CHECK(talk_over(&t));
}

TEST(protocol_late_bids)
{
	struct talk t = begun("fipa-contract-net", ACL_CFP, 100);

	CHECK_RC(say(&t, ACL_PROPOSE, FROM_PARTICIPANT, 100, NULL), ERR_TIMEOUT);
	CHECK_INT(talk_due(&t, 100), TALK_CLOSED);
	CHECK(talk_over(&t));
	CHECK_RC(say(&t, ACL_PROPOSE, FROM_PARTICIPANT, 101, NULL), ERR_TIMEOUT);
	CHECK_RC(say(&t, ACL_INFORM, FROM_PARTICIPANT, 101, NULL), ERR_CONFLICT);
	CHECK_RC(say(&t, ACL_ACCEPT_PROPOSAL, FROM_INITIATOR, 101, NULL), ERR_CONFLICT);
	CHECK_RC(say(&t, ACL_CANCEL, FROM_INITIATOR, 101, NULL), ERR_CONFLICT);
	CHECK_RC(say(&t, ACL_REFUSE, FROM_PARTICIPANT, 101, NULL), OK);
	CHECK_RC(say(&t, ACL_PROPOSE, FROM_PARTICIPANT, 102, NULL), ERR_CONFLICT);

	t = begun("fipa-contract-net", ACL_CFP, 100);      /* one in time is not bound by it */
	CHECK_RC(say(&t, ACL_PROPOSE, FROM_PARTICIPANT, 99, NULL), OK);
	CHECK_INT(talk_due(&t, 200), TALK_GOES_ON);
	CHECK_RC(say(&t, ACL_ACCEPT_PROPOSAL, FROM_INITIATOR, 200, NULL), OK);
	CHECK_RC(say(&t, ACL_INFORM, FROM_PARTICIPANT, 300, NULL), OK);
	CHECK(talk_over(&t));
}

/* ---- a contract net of a thousand bidders ----------------------------------------------------- */

/* Each bids at a time and for a price of its own, or refuses, or is silent.  The lowest price that
 * came in time gets it; all others are rejected, whoever is late by the table. */
TEST(protocol_contract_net_of_a_thousand)
{
	enum { BIDDERS = 1000, DEADLINE = 500 };
	static struct talk talks[BIDDERS];
	size_t proposed = 0, refused = 0, late = 0, silent = 0, closed = 0, rejected = 0;
	int best = -1, price = 0, award = -1, award_price = INT32_MAX;

	for (int i = 0; i < BIDDERS; i++)
		talks[i] = begun("fipa-contract-net", ACL_CFP, DEADLINE);
	for (msec now = 1; now < 2 * DEADLINE; now++)
		for (int i = 0; i < BIDDERS; i++) {
			msec at = 1 + i * 7919 % 900;        /* 1 .. 900: some after 500 */
			int rc;

			if (now == DEADLINE && talk_due(&talks[i], now) == TALK_CLOSED)
				closed++;
			if (at != now || i % 10 == 3) {
				silent += at == now;
				continue;
			}
			if (i % 10 == 7) {
				CHECK_RC(say(&talks[i], ACL_REFUSE, FROM_PARTICIPANT, now, NULL), OK);
				refused++;
				continue;
			}
			price = (i * 31 + 17) % 1009;
			rc = say(&talks[i], ACL_PROPOSE, FROM_PARTICIPANT, now, NULL);
			CHECK_RC(rc, now < DEADLINE ? OK : ERR_TIMEOUT);
			late += rc == ERR_TIMEOUT;
			proposed += rc == OK;
			if (rc == OK && price < award_price)
				award = i, award_price = price;
		}
	CHECK_INT(proposed + refused + late + silent, BIDDERS);
	CHECK(late > 300 && proposed > 300 && closed > 300);
	for (int i = 0; i < BIDDERS; i++) {          /* the award, worked out again */
		bool in_time = 1 + i * 7919 % 900 < DEADLINE && i % 10 != 3 && i % 10 != 7;

		if (in_time && (best < 0 || (i * 31 + 17) % 1009 < (best * 31 + 17) % 1009))
			best = i;
	}
	CHECK_INT(award, best);
	for (int i = 0; i < BIDDERS; i++) {
		enum acl_act act = i == award ? ACL_ACCEPT_PROPOSAL : ACL_REJECT_PROPOSAL;

		rejected += say(&talks[i], act, FROM_INITIATOR, 600, NULL) == OK &&
		    act == ACL_REJECT_PROPOSAL;
		CHECK(talk_over(&talks[i]) == (i != award));
	}
	CHECK_INT(rejected, proposed - 1);
	CHECK_RC(say(&talks[award], ACL_INFORM, FROM_PARTICIPANT, 700, NULL), OK);
	CHECK(talk_over(&talks[award]));
}
