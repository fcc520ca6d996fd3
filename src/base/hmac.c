/*
 * hmac.c - OpenSSL behind three calls, and base64.
 *
 * The digest is fetched once a process: the one-shot calls of OpenSSL 3 look
 * it up by name each time, which costs more than hashing a token.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/hmac.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>

#define BLOCK_BYTES 64                       /* of SHA-256 */

static EVP_MD *sha256_md;

static void
fetch_digest(void)
{
	sha256_md = EVP_MD_fetch(NULL, "SHA256", NULL);
	assert(sha256_md != NULL);
}

/* SHA-256 of a followed by b. */
static void
digest_two(struct str a, struct str b, uint8_t out[SHA256_SIZE])
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int ok;

	pthread_once(&once, fetch_digest);
	assert(ctx != NULL);
	ok = EVP_DigestInit_ex2(ctx, sha256_md, NULL) == 1 &&
	    EVP_DigestUpdate(ctx, a.p, a.n) == 1 &&
	    EVP_DigestUpdate(ctx, b.p, b.n) == 1 &&
	    EVP_DigestFinal_ex(ctx, out, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	assert(ok);                          /* the digest has no way to fail */
}

void
sha256(struct str data, uint8_t out[SHA256_SIZE])
{
	digest_two(data, STR_NONE, out);
}

void
hash_thread_end(void)
{
	OPENSSL_thread_stop();
}

/* RFC 2104: H(key ^ opad, H(key ^ ipad, data)). */
void
hmac_sha256(struct str key, struct str data, uint8_t out[SHA256_SIZE])
{
	uint8_t inner[BLOCK_BYTES] = { 0 }, outer[BLOCK_BYTES], hash[SHA256_SIZE];

	if (key.n > BLOCK_BYTES)
		sha256(key, inner);
	else if (key.n > 0)
		memcpy(inner, key.p, key.n);
	for (size_t i = 0; i < BLOCK_BYTES; i++) {
		outer[i] = inner[i] ^ 0x5c;
		inner[i] ^= 0x36;
	}
	digest_two((struct str){ (char *)inner, BLOCK_BYTES }, data, hash);
	digest_two((struct str){ (char *)outer, BLOCK_BYTES },
	    (struct str){ (char *)hash, sizeof hash }, out);
	OPENSSL_cleanse(inner, sizeof inner);
	OPENSSL_cleanse(outer, sizeof outer);
}

bool
hmac_equal(const void *a, const void *b, size_t n)
{
	return CRYPTO_memcmp(a, b, n) == 0;
}

/* ---- base64url ------------------------------------------------------------- */

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void
base64url_add(struct buf *b, const void *data, size_t n)
{
	const uint8_t *p = data;
	size_t size = n / 3 * 4 + (n % 3 == 0 ? 0 : n % 3 + 1);
	char *to = buf_room(b, size);

	if (to == NULL)
		return;
	for (; n >= 3; n -= 3, p += 3) {
		uint32_t v = (uint32_t)(p[0] << 16 | p[1] << 8 | p[2]);

		*to++ = alphabet[v >> 18];
		*to++ = alphabet[v >> 12 & 63];
		*to++ = alphabet[v >> 6 & 63];
		*to++ = alphabet[v & 63];
	}
	if (n > 0) {
		uint32_t v = (uint32_t)(p[0] << 16 | (n > 1 ? p[1] << 8 : 0));

		*to++ = alphabet[v >> 18];
		*to++ = alphabet[v >> 12 & 63];
		if (n > 1)
			*to++ = alphabet[v >> 6 & 63];
	}
	buf_added(b, size);
}

static int
sextet(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool
base64url_decode(struct str s, struct buf *out)
{
	size_t size = s.n / 4 * 3 + (s.n % 4 == 0 ? 0 : s.n % 4 - 1), made = 0;
	uint32_t v = 0;
	unsigned bits = 0;
	char *to;

	if (s.n % 4 == 1)
		return false;
	to = buf_room(out, size);
	if (to == NULL)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		int six = sextet(s.p[i]);

		if (six < 0)
			return false;
		v = v << 6 | (uint32_t)six;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			to[made++] = (char)(v >> bits);
			v &= (1u << bits) - 1;
		}
	}
	if (v != 0)
		return false;                /* two texts for the same bytes */
	assert(made == size);
	buf_added(out, made);
	return true;
}
