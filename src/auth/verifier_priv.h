/*
 * verifier_priv.h - asks a verifier over HTTP whose credentials these are, as GoTrue's
 * `GET /auth/v1/user`: the client's headers, and 200 with the user or a refusal.
 *
 *   200, an object with id, sub, user_id or identity   YES
 *   401, 403, 404 and other 4xx                        NO
 *   408, 429, 5xx, 3xx, no answer in time, no JSON     DOWN
 *
 * Threads: each question belongs to the shard that asks it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef AUTH_VERIFIER_PRIV_H
#define AUTH_VERIFIER_PRIV_H

#include "auth/verdict_priv.h"
#include "base/list.h"

struct verifier;

/* o and vs outlive it. */
struct verifier *verifier_new(const struct auth_options *o, struct verdicts *vs);
void verifier_free(struct verifier *r);

/* The header lines that the verifier is shown; empty: the request has none of them. */
struct str verifier_shown(const struct verifier *r, const struct credentials *c,
    struct arena *arena);
/* Its verdict on shown, whose hash is mark, will be told. */
void verifier_ask(struct verifier *r, struct shard *s, struct client *c, struct str shown,
    const uint8_t mark[SHA256_SIZE]);
void verifier_detach(struct verifier *r, struct shard *s);   /* drops what it asks */

/* What an answer means; for tests too.  now: Unix time.  In arena. */
struct verdict verifier_read(int status, struct str body, const struct auth_options *o,
    msec now, struct arena *arena, struct err *why);

#endif
