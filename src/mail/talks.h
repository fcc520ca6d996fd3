/*
 * talks.h - the conversations under way, that the router checks: for each protocol, owner,
 * conversation_id, initiator and participant a struct talk.
 *
 * Only a message with a protocol that is checked and a conversation_id is looked at; all others
 * pass.  A conversation that is over stays for a grace, in which late messages are told so; a
 * message that may begin its protocol begins it anew.  One that nothing was said in for
 * LIMIT_TALK_IDLE_MS is forgotten.
 * The table is in memory: of a conversation that it does not know, a durable message passes even
 * where it cannot be the first one, for the server may have been started again since.
 *
 * Bounded by LIMIT_TALKS and LIMIT_TALKS_BYTES: when it is full, those that are over go first; then a
 * new one is refused.
 *
 * Threads: one at a time (the office of a shard, or a lock around it).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIL_TALKS_H
#define MAIL_TALKS_H

#include "mail/protocol.h"

struct talks;

struct talks *talks_new(size_t max, msec now);           /* max: LIMIT_TALKS but in tests */
void talks_free(struct talks *ts);

/* What talks_see changed, for talks_undo; number 0: nothing. */
struct talks_seen {
	uint64_t number;
	struct uuid initiator, participant;
	struct talk before;                  /* p NULL: there was none */
};

/* m goes from one agent to another; what the router itself answers (its failure, reject-proposal,
 * not-understood) is not shown here.  OK: route it.
 * ERR_CONFLICT with words: tell the sender, who may not say this now.
 * ERR_TIMEOUT with words: it came too late; it is not routed.  *answer is then the act of the reply
 * that the sender is to get in the initiator's place (reject-proposal), -1: tell the sender.
 * ERR_LIMIT: too many conversations under way. */
int  talks_see(struct talks *ts, int64_t owner, const struct acl *m, const struct uuid *from,
    const struct uuid *to, msec now, struct talks_seen *seen, int *answer, struct err *e);
/* It was not sent after all (a full mailbox): as if it had not been seen.  Nothing if something
 * was said in that conversation since. */
void talks_undo(struct talks *ts, int64_t owner, const struct acl *m,
    const struct talks_seen *seen, msec now);

/* A conversation whose deadline is over.  The initiator is to hear `act` from the router, with
 * this conversation_id and protocol, and in_reply_to reply_with.  Borrowed. */
struct talks_due {
	int64_t owner;
	struct uuid initiator, participant;
	const char *protocol;
	struct str conversation_id, reply_with;
	enum acl_act act;                    /* ACL_FAILURE */
	msec deadline;
};
/* Ends what is due; `each` must not call back into ts. */
void talks_run(struct talks *ts, msec now, void (*each)(void *ctx, const struct talks_due *d),
    void *ctx);
/* A lower bound of when talks_run has something to do; NEVER. */
msec talks_next(const struct talks *ts);

struct talks_count { size_t talks, over, bytes; };       /* talks: with those that are over */
void talks_count(const struct talks *ts, struct talks_count *out);

#endif
