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
	struct str jwt_secret;               /* empty: no HS256 tokens accepted */
	struct str issuer, audience;         /* checked when set */
	struct str keys_file;                /* empty: no keys */
	struct str org_claim;                /* where a token names its organisation:
	                                        "org_id", "app_metadata.org"; empty: none */
	bool org_owns;                       /* the owner is the organisation */
};

/* Reads the keys file: lines `<64 hex of sha256(key)> <owner>`; # comments.
 * Errors name file and line; a file that others can write is refused. */
int  auth_new(struct auth **out, const struct auth_options *o, struct err *e);
/* Reads the keys file again: a key that is gone stops working with the next
 * request.  After an error the old keys stay.  Any thread. */
int  auth_reload(struct auth *a, struct err *e);
void auth_free(struct auth *a);
bool auth_enabled(const struct auth *a);     /* a secret or a keys file is set */

/* Who asks.  Texts are in the arena that auth_check was given. */
struct principal {
	struct str subject;                  /* the owner's name: whose everything is
	                                        that the request makes and sees */
	struct str user;                     /* the person or program: the subject,
	                                        unless that is the organisation */
	struct str org;                      /* empty: none */
	const struct str *scopes;            /* scopes_n: of the claims `scope`, `scp` */
	size_t scopes_n;                     /* and `permissions`, none twice */
	struct str name, email, role;        /* empty: not told */
	struct str claims_json;              /* an object, all that is known: "{}" at least */
	struct str scheme;                   /* "none", "jwt", "key" */
	msec expires;                        /* Unix time; NEVER: not by itself */
};

bool principal_has(const struct principal *p, struct str scope);

/* OK, or ERR_UNAUTH with the words for the client ("Could not validate
 * credentials" when there are none).  With auth off: subject "". */
int auth_check(struct auth *a, struct str authorization, struct str api_key,
    msec now, struct arena *arena, struct principal *out, struct err *e);

/* ---- tokens, also for `cohort token` -------------------------------------- */

struct jwt_claims {
	struct str sub, aud, role, email, iss;
	int64_t exp, nbf, iat;               /* seconds; 0: absent */
	struct str json;                     /* all of them, as they came */
};

/* Appends a signed compact token, HS256. */
void jwt_sign(struct buf *out, struct str secret, const struct jwt_claims *c);

/* A new random key "ck_..." and its line for the keys file, without newline. */
void auth_key_make(struct buf *key, struct buf *line, struct str owner);

#endif
