/*
 * auth.h - who is asking.
 *
 * Two kinds of credentials: an HS256 JSON Web Token (RFC 7519) in
 * `Authorization: Bearer`, and an API key in `x-api-key` or, for clients that
 * cannot send that, as the bearer token.  The algorithm is pinned: a token
 * that names another one, or none, is refused.  Secrets are compared in
 * constant time and never logged.  `now` is an argument.
 *
 * Threads: any, also beside auth_reload.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/rc.h"

struct auth;

#define JWT_SECRET_BYTES 32                  /* a shorter secret can be guessed
                                                (RFC 7518 section 3.2) */

struct auth_options {
	struct str jwt_secret;               /* empty: no tokens accepted */
	struct str issuer, audience;         /* checked when set */
	struct str keys_file;                /* empty: no keys */
};

/* Reads the keys file: lines `<64 hex of sha256(key)> <owner>`; # comments.
 * Errors name file and line; a file that others can write is refused. */
int  auth_new(struct auth **out, const struct auth_options *o, struct err *e);
/* Reads the keys file again: a key that is gone stops working with the next
 * request.  After an error the old keys stay.  Any thread. */
int  auth_reload(struct auth *a, struct err *e);
void auth_free(struct auth *a);
bool auth_enabled(const struct auth *a);     /* a secret or a keys file is set */

struct principal {
	struct str subject;                  /* the owner's name; in the arena */
	struct str scheme;                   /* "none", "jwt", "key" */
	msec expires;                        /* Unix time; NEVER: not by itself */
};

/* OK, or ERR_UNAUTH with the words for the client ("Could not validate
 * credentials" when there are none).  With auth off: subject "". */
int auth_check(struct auth *a, struct str authorization, struct str api_key,
    msec now, struct arena *arena, struct principal *out, struct err *e);

/* ---- tokens, also for `cohort token` -------------------------------------- */

struct jwt_claims {
	struct str sub, aud, role, email, iss;
	int64_t exp, nbf, iat;               /* seconds; 0: absent */
};

/* Appends a signed compact token. */
void jwt_sign(struct buf *out, struct str secret, const struct jwt_claims *c);
/* ERR_UNAUTH with a reason that gives nothing away. */
int  jwt_verify(struct str token, struct str secret, struct str issuer,
    struct str audience, int64_t now_s, struct arena *arena,
    struct jwt_claims *out, struct err *e);

/* A new random key "ck_..." and its line for the keys file, without newline. */
void auth_key_make(struct buf *key, struct buf *line, struct str owner);

#endif
