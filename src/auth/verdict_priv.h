/*
 * verdict_priv.h - what is known of credentials that somebody else judges, or that are
 * dear to judge: a bounded table from a hash to an answer, for all shards.
 *
 *   (absent) --ask--> ASKING --tell--> YES, NO, DOWN --until has passed--> ASKING ...
 *
 * An entry that is ASKING stays; of the others the longest unused goes when there are too
 * many.  YES has room of its own, so that no flood of bad tokens drives good ones out.
 *
 * Threads: any.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef AUTH_VERDICT_PRIV_H
#define AUTH_VERDICT_PRIV_H

#include "auth/auth.h"

struct verdicts;

enum verdict_kind { VERDICT_ASKING, VERDICT_YES, VERDICT_NO, VERDICT_DOWN };

struct verdict {
	enum verdict_kind kind;
	msec until;                          /* it is good for so long */
	msec expires;                        /* of a YES: the credentials themselves */
	unsigned serial;                     /* of what it was judged with */
	struct str user, claims_json;        /* of a YES */
};

struct verdicts *verdicts_new(size_t max);
void verdicts_free(struct verdicts *vs);

/* False: nothing is known.  Texts are copied into arena; NULL: only the rest is. */
bool verdicts_find(struct verdicts *vs, const uint8_t mark[SHA256_SIZE],
    struct arena *arena, struct verdict *out);
/* Makes the entry ASKING; true: the caller is the one who asks.  w, if not NULL, is told
 * when it is not ASKING any more.  ERR_BUSY: too many questions, or too many wait. */
int  verdicts_ask(struct verdicts *vs, const uint8_t mark[SHA256_SIZE],
    struct auth_wait *w, bool *asks);
void verdicts_tell(struct verdicts *vs, const uint8_t mark[SHA256_SIZE],
    const struct verdict *v);

/* The waiters of a list, each on its shard. */
void waits_tell(struct auth_wait *list);

#endif
