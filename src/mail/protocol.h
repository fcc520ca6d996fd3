/*
 * protocol.h - the interaction protocols of FIPA as tables, and one conversation.
 * Pure: takes messages and the time, says whether they are legal.
 *
 * Every protocol has the rules that FIPA gives all of them beside its own rows:
 *   - the participant may say not-understood at any point, which ends it; the initiator may where
 *     it was the participant that spoke last;
 *   - the initiator may cancel at any point, once; the participant answers with inform (it is
 *     done) or failure, which end it.  What the participant said before it heard of the cancel
 *     stays legal.  If the cancel had a reply_with, only what has it as in_reply_to answers it;
 *   - `agree` may be left out where the answer itself comes at once.
 * A deadline is the reply_by of what the initiator said last: the participant answers before it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIL_PROTOCOL_H
#define MAIL_PROTOCOL_H

#include "mail/acl.h"

/* fipa-request, -query, -request-when, -contract-net, -iterated-contract-net, -subscribe,
 * -propose; NULL: not one that is checked (any other text is passed unchecked). */
struct protocol;
const struct protocol *protocol_find(struct str name);   /* any case */
const char *protocol_name(const struct protocol *p);
/* One table of Markdown for each, for docs/messages.md. */
void protocol_add_docs(struct buf *out);

enum protocol_side { FROM_INITIATOR, FROM_PARTICIPANT };

/* One conversation between an initiator and one participant (a contract net with a thousand
 * bidders is a thousand of these, with one conversation_id).  A plain value: a copy undoes. */
struct talk {
	const struct protocol *p;
	uint8_t state;
	bool cancelling;                     /* the participant owes an answer to a cancel */
	uint32_t cancel;                     /* hash of that one's reply_with; 0: it had none */
	msec deadline;                       /* 0: none */
};

/* May this act begin it?  talk_begin: ERR_CONFLICT with words if not. */
bool protocol_begins(const struct protocol *p, enum acl_act act);
int  talk_begin(struct talk *t, const struct protocol *p, const struct acl *m, struct err *e);
/* A further one.  OK; ERR_CONFLICT with words, which name what would be legal; ERR_TIMEOUT with
 * words: the participant's, after the deadline (a late proposal: the router answers
 * reject-proposal).  Only OK changes t. */
int  talk_step(struct talk *t, const struct acl *m, enum protocol_side from, msec now,
    struct err *e);
bool talk_over(const struct talk *t);
/* What the deadline does.  TALK_FAILED: the conversation is over, and the initiator is to hear
 * `failure`.  TALK_CLOSED: no more proposals are taken in a contract net; late ones are
 * ERR_TIMEOUT from now on.  TALK_GOES_ON: the deadline is not over, or there is none. */
enum talk_due { TALK_GOES_ON, TALK_FAILED, TALK_CLOSED };
enum talk_due talk_due(struct talk *t, msec now);
/* Which acts are legal now from a side, as bits 1 << act. */
uint32_t talk_legal(const struct talk *t, enum protocol_side from);

#endif
