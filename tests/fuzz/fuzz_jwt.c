/*
 * fuzz_jwt.c - any bytes as a token, and as the claims of a token that is
 * rightly signed (or the fuzzer would never pass the signature).
 *
 * SPDX-License-Identifier: MIT
 */
#include "auth/jwt.h"
#include "base/hmac.h"
#include "base/limits.h"

#include <assert.h>

#define SECRET S("fuzz")

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
verify(struct str token)
{
	struct arena arena = ARENA(64 * KB);
	struct jwt_claims c;
	struct err e;
	struct jwt_rules r = { .secret = SECRET, .audience = S("us") };
	int rc = jwt_verify(token, &r, 1700000000, &arena, &c, &e);

	assert(rc == ERR_UNAUTH || (rc == OK && c.sub.n > 0));
	assert(rc != OK || (c.sub.n <= LIMIT_NAME_BYTES && str_is_utf8(c.sub)));
	arena_release(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str input = { (const char *)data, n };
	struct buf token = BUF(MB);
	uint8_t mac[SHA256_SIZE];

	verify(input);
	buf_lit(&token, "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.");
	base64url_add(&token, data, n);
	hmac_sha256(SECRET, buf_str(&token), mac);
	buf_add_char(&token, '.');
	base64url_add(&token, mac, sizeof mac);
	if (!token.failed)
		verify(buf_str(&token));
	buf_release(&token);
	return 0;
}
