/*
 * protocol.c - the tables.  A pair of state and act that has no row, and is none of the rules
 * that all protocols share (protocol.h), is refused.
 *
 * Sources: FIPA00026 (request), 27 (query), 28 (request-when), 29 (contract-net), 30 (iterated
 * contract-net), 35 (subscribe), 36 (propose).
 *
 * SPDX-License-Identifier: MIT
 */
#include "mail/protocol.h"

#include <assert.h>

enum state { OVER, ASKED, AGREED, PROPOSED, ACCEPTED, CLOSED };
static const char *const state_names[] = {
	"over", "asked", "agreed", "proposed", "accepted", "closed"
};

#define ACT(name) (UINT32_C(1) << ACL_##name)
#define RESULT (ACT(INFORM) | ACT(FAILURE))

struct row {
	enum state state;
	enum protocol_side from;
	uint32_t acts;
	enum state next;
};

/* Request, query, request-when: an action, its result. */
static const struct row achieve[] = {
	{ ASKED,    FROM_PARTICIPANT, ACT(AGREE),                        AGREED },
	{ ASKED,    FROM_PARTICIPANT, ACT(REFUSE) | RESULT,              OVER },
	{ AGREED,   FROM_PARTICIPANT, RESULT,                            OVER },
	{ AGREED,   FROM_INITIATOR,   ACT(NOT_UNDERSTOOD),               OVER },
	{ 0 },
};

static const struct row subscribe[] = {
	{ ASKED,    FROM_PARTICIPANT, ACT(AGREE) | ACT(INFORM),          AGREED },
	{ ASKED,    FROM_PARTICIPANT, ACT(REFUSE) | ACT(FAILURE),        OVER },
	{ AGREED,   FROM_PARTICIPANT, ACT(INFORM),                       AGREED },
	{ AGREED,   FROM_PARTICIPANT, ACT(FAILURE),                      OVER },
	{ AGREED,   FROM_INITIATOR,   ACT(NOT_UNDERSTOOD),               OVER },
	{ 0 },
};

static const struct row contract_net[] = {
	{ ASKED,    FROM_PARTICIPANT, ACT(PROPOSE),                      PROPOSED },
	{ ASKED,    FROM_PARTICIPANT, ACT(REFUSE),                       OVER },
	{ PROPOSED, FROM_INITIATOR,   ACT(ACCEPT_PROPOSAL),              ACCEPTED },
	{ PROPOSED, FROM_INITIATOR,   ACT(REJECT_PROPOSAL) | ACT(NOT_UNDERSTOOD), OVER },
	{ ACCEPTED, FROM_PARTICIPANT, RESULT,                            OVER },
	{ CLOSED,   FROM_PARTICIPANT, ACT(REFUSE),                       OVER },
	{ 0 },
};

static const struct row iterated[] = {
	{ ASKED,    FROM_PARTICIPANT, ACT(PROPOSE),                      PROPOSED },
	{ ASKED,    FROM_PARTICIPANT, ACT(REFUSE),                       OVER },
	{ PROPOSED, FROM_INITIATOR,   ACT(CFP),                          ASKED },
	{ PROPOSED, FROM_INITIATOR,   ACT(ACCEPT_PROPOSAL),              ACCEPTED },
	{ PROPOSED, FROM_INITIATOR,   ACT(REJECT_PROPOSAL) | ACT(NOT_UNDERSTOOD), OVER },
	{ ACCEPTED, FROM_PARTICIPANT, RESULT,                            OVER },
	{ CLOSED,   FROM_PARTICIPANT, ACT(REFUSE),                       OVER },
	{ 0 },
};

static const struct row propose[] = {
	{ ASKED,    FROM_PARTICIPANT, ACT(ACCEPT_PROPOSAL) | ACT(REJECT_PROPOSAL), OVER },
	{ 0 },
};

struct protocol {
	const char *name;
	uint32_t first;                      /* acts that begin it */
	bool bids;                           /* the deadline of a cfp ends the proposals only */
	const struct row *rows;
};

static const struct protocol protocols[] = {
	{ "fipa-request", ACT(REQUEST), false, achieve },
	{ "fipa-query", ACT(QUERY_IF) | ACT(QUERY_REF), false, achieve },
	{ "fipa-request-when", ACT(REQUEST_WHEN), false, achieve },
	{ "fipa-contract-net", ACT(CFP), true, contract_net },
	{ "fipa-iterated-contract-net", ACT(CFP), true, iterated },
	{ "fipa-subscribe", ACT(SUBSCRIBE), false, subscribe },
	{ "fipa-propose", ACT(PROPOSE), false, propose },
};

static void
check_talk(const struct talk *t)
{
	assert(t->p >= protocols && t->p < protocols + COUNT(protocols));
	assert(t->state < COUNT(state_names) && t->deadline >= 0);
	assert(t->state != CLOSED || (t->p->bids && !t->cancelling));
}

const struct protocol *
protocol_find(struct str name)
{
	for (size_t i = 0; i < COUNT(protocols); i++)
		if (str_eq_nocase(name, str_of(protocols[i].name)))
			return &protocols[i];
	return NULL;
}

const char *
protocol_name(const struct protocol *p)
{
	return p->name;
}

bool
protocol_begins(const struct protocol *p, enum acl_act act)
{
	return (p->first >> act & 1) != 0;
}

static const struct row *
row_of(const struct talk *t, enum protocol_side from, enum acl_act act)
{
	for (const struct row *r = t->p->rows; r->acts != 0; r++)
		if (r->state == t->state && r->from == from && (r->acts >> act & 1) != 0)
			return r;
	return NULL;
}

bool
talk_over(const struct talk *t)
{
	check_talk(t);
	return (t->state == OVER || t->state == CLOSED) && !t->cancelling;
}

uint32_t
talk_legal(const struct talk *t, enum protocol_side from)
{
	uint32_t acts = 0;

	if (from == FROM_INITIATOR && (t->cancelling || talk_over(t)))
		return 0;
	if (t->state == OVER && !t->cancelling)
		return 0;
	for (const struct row *r = t->p->rows; r->acts != 0; r++)
		if (r->state == t->state && r->from == from)
			acts |= r->acts;
	if (from == FROM_INITIATOR)
		return acts | ACT(CANCEL);
	return acts | ACT(NOT_UNDERSTOOD) | (t->cancelling ? RESULT : 0);
}

/* ---- words ------------------------------------------------------------------------ */

static void
add_acts(struct buf *out, uint32_t acts)
{
	size_t n = out->n;

	for (int i = 0; i < ACL_ACTS; i++)
		if (acts >> i & 1)
			buf_add_fmt(out, "%s%s", out->n > n ? ", " : "", acl_act_names[i]);
}

static int
refuse(const struct protocol *p, enum acl_act act, const char *where, uint32_t legal,
    struct err *e)
{
	struct buf b = BUF(KB);
	int rc;

	add_acts(&b, legal);
	rc = err_set(e, ERR_CONFLICT, "performative: %s does not allow %s %s; expected %s", p->name,
	    acl_act_names[act], where, legal != 0 ? b.p : "another conversation_id");
	buf_release(&b);
	return rc;
}

/* ---- steps ------------------------------------------------------------------------- */

int
talk_begin(struct talk *t, const struct protocol *p, const struct acl *m, struct err *e)
{
	if (!protocol_begins(p, m->act))
		return refuse(p, m->act, "as the first message of a conversation", p->first, e);
	*t = (struct talk){ .p = p, .state = ASKED, .deadline = m->reply_by };
	return OK;
}

/* Of a text that may be empty; never 0. */
static uint32_t
tag_of(struct str s)
{
	return str_hash(s) | 1;
}

static bool
answers_cancel(const struct talk *t, const struct acl *m)
{
	return t->cancelling && (RESULT >> m->act & 1) != 0 &&
	    (t->cancel == 0 || t->cancel == tag_of(m->in_reply_to));
}

/* Past the deadline a participant may still say no. */
static bool
is_late(const struct talk *t, const struct acl *m, msec now)
{
	uint32_t no = ACT(NOT_UNDERSTOOD) | (t->p->bids ? ACT(REFUSE) : 0);

	if (t->state == CLOSED)
		return m->act == ACL_PROPOSE;
	return t->deadline > 0 && now >= t->deadline && (no >> m->act & 1) == 0;
}

static void
end(struct talk *t)
{
	t->state = OVER;
	t->cancelling = false;
	t->deadline = 0;
}

static void
cancel(struct talk *t, const struct acl *m)
{
	t->cancelling = true;
	t->cancel = m->reply_with.n > 0 ? tag_of(m->reply_with) : 0;
	if (m->reply_by > 0)
		t->deadline = m->reply_by;
}

int
talk_step(struct talk *t, const struct acl *m, enum protocol_side from, msec now,
    struct err *e)
{
	uint32_t legal = talk_legal(t, from);
	bool late = from == FROM_PARTICIPANT && is_late(t, m, now);
	const struct row *r;

	check_talk(t);
	if ((legal >> m->act & 1) == 0 && !(late && t->state == CLOSED))
		return refuse(t->p, m->act, legal == 0 && !t->cancelling ?
		    "when the conversation is over" : t->cancelling && from == FROM_INITIATOR ?
		    "after its cancel" : from == FROM_INITIATOR ? "from its initiator now" :
		    "from its participant now", legal, e);
	if (late)
		return err_set(e, ERR_TIMEOUT, "performative: the %s came after the reply_by of the "
		    "message that it answers", acl_act_names[m->act]);
	if (from == FROM_INITIATOR && m->act == ACL_CANCEL) {
		cancel(t, m);
		return OK;
	}
	if ((from == FROM_PARTICIPANT && m->act == ACL_NOT_UNDERSTOOD) || answers_cancel(t, m)) {
		end(t);
		return OK;
	}
	r = row_of(t, from, m->act);
	if (r == NULL)                       /* it would answer the cancel, but for its in_reply_to */
		return refuse(t->p, m->act, "with this in_reply_to", legal, e);
	t->state = r->next;
	if (!t->cancelling)
		t->deadline = from == FROM_INITIATOR ? m->reply_by : 0;
	return OK;
}

enum talk_due
talk_due(struct talk *t, msec now)
{
	bool closes = t->p->bids && t->state == ASKED && !t->cancelling;

	check_talk(t);
	if (t->deadline == 0 || now < t->deadline)
		return TALK_GOES_ON;
	end(t);
	if (!closes)
		return TALK_FAILED;
	t->state = CLOSED;
	return TALK_CLOSED;
}

/* ---- docs --------------------------------------------------------------------------- */

static void
add_doc_row(struct buf *out, const char *state, const char *from, uint32_t acts,
    const char *next)
{
	buf_add_fmt(out, "| %s | %s | ", state, from);
	add_acts(out, acts);
	buf_add_fmt(out, " | %s |\n", next);
}

void
protocol_add_docs(struct buf *out)
{
	static const char *const sides[] = { "initiator", "participant" };

	for (size_t i = 0; i < COUNT(protocols); i++) {
		buf_add_fmt(out, "%s**%s**\n\n| state | from | acts | then |\n|---|---|---|---|\n",
		    i > 0 ? "\n" : "", protocols[i].name);
		add_doc_row(out, "", sides[FROM_INITIATOR], protocols[i].first,
		    state_names[ASKED]);
		for (const struct row *r = protocols[i].rows; r->acts != 0; r++)
			add_doc_row(out, state_names[r->state], sides[r->from], r->acts,
			    state_names[r->next]);
	}
}
