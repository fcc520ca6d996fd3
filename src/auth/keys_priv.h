/*
 * keys_priv.h - the table of API keys and their owners.
 *
 * Only hashes are kept, in memory as in the file, so neither gives a key away.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef AUTH_KEYS_PRIV_H
#define AUTH_KEYS_PRIV_H

#include "auth/auth.h"
#include "base/hmac.h"

#define KEY_PREFIX "ck_"

struct key {
	uint8_t hash[SHA256_SIZE];
	struct str owner;                    /* owned */
	struct str scopes;                   /* owned; words with commas between */
	struct str graphs;                   /* owned, likewise: what a worker may serve */
	struct auth_limits limits;
	bool bound;                          /* to the client certificate of this hash: */
	uint8_t cert[SHA256_SIZE];
	bool limited;                        /* it names a limit: the settings' are not its */
};

struct keys {
	struct key *list;
	size_t n, cap;
};

/* Appends a file that says who may do what.  ERR_DENIED: others can write it. */
int  auth_file_add(struct str path, struct buf *b, struct err *e);

int  keys_load(struct keys *k, struct str path, struct err *e);
void keys_release(struct keys *k);
/* The key of this hash, borrowed from k; NULL: it is not in the table. */
const struct key *keys_find(const struct keys *k, const uint8_t hash[SHA256_SIZE]);

#endif
