/*
 * protocol.h - the interaction protocols of FIPA as tables, and one conversation.
 * Pure: takes messages and the time, says whether they are legal.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIL_PROTOCOL_H
#define MAIL_PROTOCOL_H

#include "mail/acl.h"

/* fipa-request, -query, -request-when, -contract-net, -iterated-contract-net, -subscribe,
 * -propose; NULL: not one that is checked (any other text is passed unchecked). */
struct protocol;
const struct protocol *protocol_find(struct str name);
const char *protocol_name(const struct protocol *p);

enum protocol_side { FROM_INITIATOR, FROM_PARTICIPANT };

/* One conversation between an initiator and one participant (a contract net with a thousand
 * bidders is a thousand of these, with one conversation_id). */
struct talk { const struct protocol *p; uint8_t state; bool cancelling; msec deadline; };

/* The first message.  ERR_INVALID with words: the protocol does not begin with it. */
int  talk_begin(struct talk *t, const struct protocol *p, const struct acl *m, struct err *e);
/* A further one.  OK; ERR_CONFLICT with words, which name what would be legal; ERR_TIMEOUT:
 * it came after reply_by (a late proposal: the router answers reject-proposal). */
int  talk_step(struct talk *t, const struct acl *m, enum protocol_side from, msec now,
    struct err *e);
bool talk_over(const struct talk *t);
/* What happens at the deadline: true: the conversation ends (the initiator hears `failure`,
 * or, in a contract net, that no more proposals come). */
bool talk_due(struct talk *t, msec now);
/* Which acts are legal now from a side, as bits 1 << act. */
uint32_t talk_legal(const struct talk *t, enum protocol_side from);

#endif
