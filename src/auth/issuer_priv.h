/*
 * issuer_priv.h - the token issuer's keys: a JWK set from a file or an address.
 *
 * From an address they are fetched at start, whenever they are as old as the answer's
 * Cache-Control max-age says (within bounds), and when a token names a key that is not
 * there; then at most once in LIMIT_JWKS_PAUSE_MS, one fetch at a time.  After a failure
 * the old keys stay.  Without any no token can be checked: ERR_BUSY.
 *
 * Threads: any; fetches belong to the first shard that is attached.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef AUTH_ISSUER_PRIV_H
#define AUTH_ISSUER_PRIV_H

#include "auth/jwks.h"
#include "auth/verdict_priv.h"

struct issuer;

/* source outlives it.  A file is read now; its errors name it. */
int  issuer_new(struct issuer **out, struct str source, struct err *e);
void issuer_free(struct issuer *i);
/* Reads the file again; or has the address asked again. */
int  issuer_reload(struct issuer *i, struct err *e);
void issuer_attach(struct issuer *i, struct shard *s, struct client *c);
void issuer_detach(struct issuer *i, struct shard *s);

/* The keys, until issuer_done; NULL: there are none yet.  *serial changes with them. */
const struct jwks *issuer_keys(struct issuer *i, unsigned *serial);
void issuer_done(struct issuer *i);
/* May it be asked for a key that is not there? */
bool issuer_may_ask(struct issuer *i);
int  issuer_ask(struct issuer *i, struct auth_wait *w);  /* ERR_BUSY: too many wait */

/* How long keys are kept, of max-age in seconds (-1: none), within bounds. */
msec issuer_keep_ms(int64_t max_age);

#endif
