/*
 * claims_priv.h - from claims to a principal.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef AUTH_CLAIMS_PRIV_H
#define AUTH_CLAIMS_PRIV_H

#include "auth/auth.h"
#include "base/json.h"

/* The claim at a path: a name as a whole (it may have dots), or names joined by dots. */
jnode claim_at(jnode claims, struct str path);

/* Scopes of words with commas between. */
void principal_scopes(struct principal *out, struct str words, struct arena *arena);
void principal_graphs(struct principal *out, struct str words, struct arena *arena);

/* Fills what the claims tell of a user, all but scheme and expires.  ERR_DENIED: the
 * organisation owns, and the claims name none.  ERR_TOOBIG: no room. */
int  principal_read(struct principal *out, struct str user, jnode claims,
    struct str json, const struct auth_options *o, struct arena *arena, struct err *e);

#endif
