/*
 * crypt.h - database files whose pages are encrypted, with AES-256-GCM.
 *
 * A key makes a file layer, whose name db_open takes.  A process has at most CRYPT_LAYERS of
 * them, for its life.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_CRYPT_H
#define STORE_CRYPT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rc.h"
#include "base/str.h"

#define CRYPT_KEY    32
#define CRYPT_LAYERS 2
#define CRYPT_NAME   "cohort-crypt-"         /* of layers, before their number */
#define CRYPT_SPARE  28                      /* bytes of each page: nonce and tag */

/* 64 hex digits, or the same bytes in base64 with or without padding.  ERR_INVALID, with
 * words that do not have it. */
int  crypt_key_parse(struct str text, uint8_t key[CRYPT_KEY], struct err *e);
/* The layer of this key; the same name for the same key. */
const char *crypt_layer(const uint8_t key[CRYPT_KEY]);
bool crypt_is_layer(const char *name);

/* May the file be opened with this layer (NULL: without a key)?  One that is empty, or not
 * there, may.  Not while this process has the file open.  ERR_DENIED: it has another key, or
 * none, or a key is missing. */
int  crypt_check(const char *path, const char *layer, struct err *e);
int  crypt_check_fd(int fd, const char *path, const char *layer, struct err *e);

/* Makes the file one with this layer's key (NULL: without), from one with the other.  Nobody
 * else has it open.  It appears whole; the old file is gone. */
int  crypt_convert(const char *path, const char *from, const char *to, struct err *e);

/* ---- pages, for backups -------------------------------------------------------- */

struct crypt_keys;
struct crypt_keys *crypt_keys_of(const char *layer);         /* NULL: no layer of ours */
/* A page of a database as its file has it; both have CRYPT_PAGE bytes. */
#define CRYPT_PAGE 4096
void crypt_seal_page(const struct crypt_keys *k, uint32_t number, const void *page, void *out);
/* In place.  False: the key is another, or a bit of it. */
bool crypt_open_page(const struct crypt_keys *k, uint32_t number, void *page);
/* A digest of a page that says nothing to who has no key. */
void crypt_sum(const struct crypt_keys *k, struct str page, uint8_t out[32]);

#endif
