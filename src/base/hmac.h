/*
 * hmac.h - SHA-256, HMAC-SHA-256 (RFC 2104), base64url (RFC 4648 section 5)
 * and comparison in constant time.  On OpenSSL; never our own arithmetic.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_HMAC_H
#define BASE_HMAC_H

#include "base/buf.h"

#define SHA256_SIZE 32

void sha256(struct str data, uint8_t out[SHA256_SIZE]);
/* This thread ends, or rests: gives back what libcrypto keeps for it. */
void hash_thread_end(void);
void hmac_sha256(struct str key, struct str data, uint8_t out[SHA256_SIZE]);
bool hmac_equal(const void *a, const void *b, size_t n);    /* constant time */

void base64url_add(struct buf *b, const void *data, size_t n);   /* no padding */
/* Strict: no padding, no other characters, no stray low bits. */
bool base64url_decode(struct str s, struct buf *out);
void hex_add(struct buf *b, const void *data, size_t n);
bool hex_decode(struct str s, void *out, size_t n);          /* exactly n bytes */

#endif
