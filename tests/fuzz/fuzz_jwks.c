/*
 * fuzz_jwks.c - any bytes as a JWK set, as the members of its only key, and as what a
 * verifier answers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "auth/jwks.h"
#include "auth/verifier_priv.h"
#include "base/limits.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
read_set(struct str text)
{
	struct jwks *set;
	struct err e;
	int rc = jwks_read(&set, text, &e);

	assert((rc == OK) == (set != NULL));
	if (set == NULL)
		return;
	assert(jwks_count(set) > 0 && jwks_count(set) <= LIMIT_JWKS_KEYS);
	assert(jwks_verify(set, S("RS256"), STR_NONE, text, text) < 0);
	assert(jwks_verify(set, S("ES256"), S("k"), text, str_sub(text, 0, 64)) < 0);
	jwks_free(set);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct auth_options o = { .cache_ttl = 1000 };
	struct str input = { (const char *)data, n };
	struct arena arena = ARENA(MB);
	struct buf b = BUF(MB);
	struct err why;
	struct verdict v;

	read_set(input);
	buf_add_fmt(&b, "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",%.*s}]}", FMT(input));
	read_set(buf_str(&b));
	v = verifier_read(200, input, &o, 5000, &arena, &why);
	assert(v.kind == VERDICT_YES ? v.user.n > 0 && v.until == 6000 : v.kind == VERDICT_DOWN);
	buf_release(&b);
	arena_release(&arena);
	return 0;
}
