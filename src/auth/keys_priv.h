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
};

struct keys {
	struct key *list;
	size_t n, cap;
};

int  keys_load(struct keys *k, struct str path, struct err *e);
void keys_release(struct keys *k);
/* True and the owner, borrowed from k, when key is in the table. */
bool keys_find(const struct keys *k, struct str key, struct str *owner);

#endif
