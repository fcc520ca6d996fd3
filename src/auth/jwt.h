/*
 * jwt.h - compact JSON Web Tokens (RFC 7519): what a token must be to be believed.
 *
 * A key decides how a token is verified; the token's header only says which of the
 * keys it is.  A secret verifies HS256 and nothing else, a key of a JWK set the
 * algorithms of its own type (jwks.h).  So no public key is ever taken for a secret.
 *
 * Threads: any.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef AUTH_JWT_H
#define AUTH_JWT_H

#include "auth/auth.h"

struct jwks;

struct jwt_rules {
	struct str secret;                   /* empty: no HS256 */
	const struct jwks *jwks;             /* NULL: no other algorithm */
	struct str issuer, audience;         /* checked when set */
};

/* ERR_UNAUTH with a reason that gives nothing away; ERR_NOTFOUND, with the same
 * words: no key of the set is the one that the token names. */
int  jwt_verify(struct str token, const struct jwt_rules *r, int64_t now_s,
    struct arena *arena, struct jwt_claims *out, struct err *e);

#endif
