/*
 * verdict_priv.h - a cache of answers about credentials, for all shards: those that a
 * verifier has to be asked about, and signatures that are expensive to check.  A bounded
 * table from a hash of the credentials to the answer.
 *
 *   (absent) --ask--> ASKING --tell--> YES, NO, DOWN --until has passed--> ASKING ...
 *
 * An entry that is ASKING stays; of the others the least recently used is evicted when there
 * are too many.  YES is counted by itself, so that bad tokens cannot evict good ones.
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
