/*
 * id_v5.c - UUID version 5: names to ids by SHA-1 (RFC 9562, section 5.5).
 *
 * On its own, because it is all of id.h that needs libcrypto: a program that
 * makes no v5 does not load it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/id.h"

#include <assert.h>
#include <openssl/evp.h>
#include <string.h>

struct uuid
uuid_v5(const struct uuid *ns, struct str name)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char digest[EVP_MAX_MD_SIZE];
	struct uuid u;
	int ok;

	assert(ctx != NULL);
	ok = EVP_DigestInit_ex(ctx, EVP_sha1(), NULL) == 1 &&
	    EVP_DigestUpdate(ctx, ns->b, sizeof ns->b) == 1 &&
	    EVP_DigestUpdate(ctx, name.p, name.n) == 1 &&
	    EVP_DigestFinal_ex(ctx, digest, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	assert(ok);                          /* SHA-1 has no way to fail */
	memcpy(u.b, digest, sizeof u.b);
	u.b[6] = (uint8_t)((u.b[6] & 0x0f) | 5 << 4);
	u.b[8] = (uint8_t)((u.b[8] & 0x3f) | 0x80);
	return u;
}
