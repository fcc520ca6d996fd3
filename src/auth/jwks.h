/*
 * jwks.h - a JWK set (RFC 7517): public keys, and whether a signature is theirs.
 *
 * Each key verifies the algorithms of its own type: a table in jwks.c, RS256, PS256,
 * ES256, ES384 and EdDSA among them.  A key that names its `alg` verifies that one
 * alone.  Symmetric keys, keys for encryption, RSA keys that are too small or whose
 * exponent is 1, and points that are not on their curve are left out; certificates
 * (x5c) and addresses (x5u, jku) are not looked at.
 *
 * Immutable once read; any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef AUTH_JWKS_H
#define AUTH_JWKS_H

#include "base/rc.h"
#include "base/str.h"

struct jwks;

/* ERR_SYNTAX: no JSON; ERR_INVALID: no `keys`, too many keys, two with one kid, or
 * none that can be used, and then why the last one was left out. */
int  jwks_read(struct jwks **out, struct str text, struct err *e);
void jwks_free(struct jwks *k);
size_t jwks_count(const struct jwks *k);     /* usable keys */

/* Is alg one that a key of some set could have? */
bool jwks_knows(struct str alg);
/* OK: signature, as it is in a token, is of text by the key kid, or, with kid.p NULL, by
 * the one key of that algorithm.  ERR_NOTFOUND: there is no such key.  ERR_UNAUTH: it is
 * not, or there are several keys and no kid. */
int  jwks_verify(const struct jwks *k, struct str alg, struct str kid,
    struct str text, struct str signature);

#endif
