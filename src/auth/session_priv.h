/*
 * session_priv.h - passes: random names that stand for credentials.
 *
 * A session or a ticket is given out as 256 random bits.  Here it is known by the
 * SHA-256 of them, beside the credentials that it was made with; whoever shows the name
 * is judged by those credentials.
 *
 * A table is bounded three ways: the passes of one owner, of all, and the bytes of their
 * credentials.  Where one is reached the oldest pass goes, an owner's own first.  A pass
 * that is over goes when it is asked for, and at the latest LIMIT_SESSION_SWEEP_MS after
 * that, with the next one that is made.
 *
 * Threads: any.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef AUTH_SESSION_PRIV_H
#define AUTH_SESSION_PRIV_H

#include "auth/auth.h"

struct passes;

struct passes_max { size_t each, all, bytes; };

struct pass {
	uint8_t mark[SHA256_SIZE];           /* of its name */
	uint8_t owner[SHA256_SIZE];          /* of whose it is */
	struct uuid thread;                  /* of a ticket; zero: any */
	msec until;
	struct credentials shows;            /* without r and asked */
	bool foreign;                        /* another node made it, this is a copy */
	bool stale;                          /* its END may have been lost */
};

struct passes *passes_new(const struct passes_max *max);
void passes_free(struct passes *ps);         /* NULL is fine */

/* Copies p; in place of the one with its mark, if there is one. */
void passes_put(struct passes *ps, const struct pass *p, msec now);
/* False: there is none, or it is over.  Texts are copied into the arena; out->until:
 * the pass's own. */
bool passes_find(struct passes *ps, const uint8_t mark[SHA256_SIZE], msec now,
    struct arena *arena, struct pass *out);
/* The same, and ends it: of many that take one pass, one gets it. */
bool passes_take(struct passes *ps, const uint8_t mark[SHA256_SIZE], msec now,
    struct arena *arena, struct pass *out);
bool passes_has(struct passes *ps, const uint8_t mark[SHA256_SIZE], msec now);
bool passes_end(struct passes *ps, const uint8_t mark[SHA256_SIZE]);

void passes_end_of(struct passes *ps, const uint8_t owner[SHA256_SIZE]);     /* all of his */

/* All copies are stale from now on. */
void passes_doubt(struct passes *ps);

struct passes_held { size_t passes, owners, bytes; };
struct passes_held passes_held(struct passes *ps);

#endif
