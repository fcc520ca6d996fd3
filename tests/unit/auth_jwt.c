/*
 * auth_jwt.c - tokens: the one way in, and the many ways that are refused.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "auth/jwt.h"
#include "base/hmac.h"
#include "base/limits.h"

#include <string.h>

#define NOW     1700000000
#define SECRET  S("a-secret-of-at-least-thirty-two-bytes")
#define HS256   "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"

static struct arena arena = { .max = MB };

/* Any header and claims, rightly signed. */
static struct str
token_of(struct str header, struct str claims, struct buf *b)
{
	uint8_t mac[SHA256_SIZE];

	*b = BUF(64 * KB);
	base64url_add(b, header.p, header.n);
	buf_add_char(b, '.');
	base64url_add(b, claims.p, claims.n);
	hmac_sha256(SECRET, buf_str(b), mac);
	buf_add_char(b, '.');
	base64url_add(b, mac, sizeof mac);
	return buf_str(b);
}

static int
verify(struct str token, struct jwt_claims *c, struct err *e)
{
	struct jwt_rules r = { .secret = SECRET, .issuer = S("issuer"), .audience = S("us") };

	return jwt_verify(token, &r, NOW, &arena, c, e);
}

static void
refused(struct str token, const char *reason)
{
	struct jwt_claims c;
	struct err e;

	CHECK_RC(verify(token, &c, &e), ERR_UNAUTH);
	if (!str_starts(str_of(e.text), S("Failed to verify JWT token: ")) ||
	    !str_ends(str_of(e.text), str_of(reason)))
		test_fail(__FILE__, __LINE__, "%.*s: %s, not %s", FMT(token), e.text,
		    reason);
	CHECK(c.sub.n == 0 && c.role.n == 0);
}

/* The example of jwt.io, whose signature is known to the world. */
TEST(jwt_known_token)
{
	struct str token = S("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
	    "eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ."
	    "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c");
	struct jwt_rules r = { .secret = S("your-256-bit-secret") };
	struct jwt_claims c;

	CHECK_RC(jwt_verify(token, &r, NOW, &arena, &c, NULL), OK);
	CHECK_STR(c.sub, "1234567890");
	CHECK_INT(c.iat, 1516239022);
	CHECK_STR(c.json, "{\"sub\":\"1234567890\",\"name\":\"John Doe\",\"iat\":1516239022}");
	r.secret = S("your-256-bit-secreu");
	CHECK_RC(jwt_verify(token, &r, NOW, &arena, &c, NULL), ERR_UNAUTH);
}

TEST(jwt_signed_here_is_read_here)
{
	struct jwt_claims made = { .sub = S("ann"), .aud = S("us"), .role = S("admin"),
		.email = S("ann@example.org"), .iss = S("issuer"), .exp = NOW + 60,
		.nbf = NOW - 5, .iat = NOW - 5 }, read;
	struct buf b = BUF(8 * KB);

	jwt_sign(&b, SECRET, &made);
	CHECK(str_starts(buf_str(&b), S("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.")));
	CHECK_RC(verify(buf_str(&b), &read, NULL), OK);
	CHECK_STR(read.sub, "ann");
	CHECK_STR(read.aud, "us");
	CHECK_STR(read.role, "admin");
	CHECK_STR(read.email, "ann@example.org");
	CHECK_INT(read.exp, NOW + 60);
	CHECK_INT(read.nbf, NOW - 5);
	buf_release(&b);
}

TEST(jwt_good_claims)
{
	static const char *const good[] = {
		"{\"sub\":\"a\",\"iss\":\"issuer\",\"aud\":\"us\"}",
		"{\"sub\":\"a\",\"iss\":\"issuer\",\"aud\":[\"them\",\"us\"]}",
		"{\"sub\":\"a\",\"iss\":\"issuer\",\"aud\":\"us\",\"exp\":1700000000.5}",
		"{\"sub\":\"a\",\"iss\":\"issuer\",\"aud\":\"us\",\"exp\":1699999971}",
		"{\"sub\":\"a\",\"iss\":\"issuer\",\"aud\":\"us\",\"nbf\":1700000030}",
		"{\"sub\":\"a\",\"iss\":\"issuer\",\"aud\":\"us\",\"role\":null,\"x\":{\"y\":[1]}}",
	};

	for (size_t i = 0; i < COUNT(good); i++) {
		struct jwt_claims c;
		struct err e = { 0 };
		struct buf b;

		if (verify(token_of(S(HS256), str_of(good[i]), &b), &c, &e) != OK)
			test_fail(__FILE__, __LINE__, "%s: %s", good[i], e.text);
		CHECK_STR(c.sub, "a");
		CHECK_STR(c.aud, "us");
		buf_release(&b);
	}
}

#define WITH(claims) "{\"iss\":\"issuer\",\"aud\":\"us\"," claims "}"

TEST(jwt_bad_headers_and_claims)
{
	static const struct { const char *header, *claims, *reason; } cases[] = {
		{ "{\"alg\":\"none\"}", WITH("\"sub\":\"a\""), "unsupported algorithm" },
		{ "{\"alg\":\"None\"}", WITH("\"sub\":\"a\""), "unsupported algorithm" },
		{ "{\"alg\":\"hs256\"}", WITH("\"sub\":\"a\""), "unsupported algorithm" },
		{ "{\"alg\":\"HS512\"}", WITH("\"sub\":\"a\""), "unsupported algorithm" },
		{ "{\"alg\":\"RS256\"}", WITH("\"sub\":\"a\""), "unsupported algorithm" },
		{ "{\"alg\":\"HS256\",\"alg\":\"none\"}", WITH("\"sub\":\"a\""),
		  "unsupported algorithm" },
		{ "{\"alg\":[\"HS256\"]}", WITH("\"sub\":\"a\""), "unsupported algorithm" },
		{ "{\"alg\":\"HS256\\u0000\"}", WITH("\"sub\":\"a\""), "unsupported algorithm" },
		{ "{\"typ\":\"JWT\"}", WITH("\"sub\":\"a\""), "unsupported algorithm" },
		{ "{\"alg\":\"HS256\",\"crit\":[\"exp\"]}", WITH("\"sub\":\"a\""),
		  "unsupported extension" },
		{ "\"HS256\"", WITH("\"sub\":\"a\""), "malformed header" },
		{ "{\"alg\":\"HS256\",}", WITH("\"sub\":\"a\""), "malformed header" },
		{ "{\"alg\":\"HS256\"} x", WITH("\"sub\":\"a\""), "malformed header" },
		{ HS256, "[\"sub\",\"a\"]", "malformed claims" },
		{ HS256, "{\"sub\":\"a\"", "malformed claims" },
		{ HS256, WITH("\"sub\":1"), "malformed claims" },
		{ HS256, WITH("\"sub\":\"a\",\"role\":[\"admin\"]"), "malformed claims" },
		{ HS256, WITH("\"sub\":\"a\",\"exp\":\"1800000000\""), "malformed claims" },
		{ HS256, WITH("\"sub\":\"a\",\"exp\":null"), "malformed claims" },
		{ HS256, WITH("\"sub\":\"a\",\"exp\":0"), "malformed claims" },
		{ HS256, WITH("\"sub\":\"a\",\"exp\":-5"), "malformed claims" },
		{ HS256, WITH("\"sub\":\"a\",\"exp\":1e300"), "malformed claims" },
		{ HS256, WITH("\"sub\":\"a\",\"nbf\":true"), "malformed claims" },
		{ HS256, WITH("\"sub\":\"a\",\"exp\":1699999970"), "expired" },
		{ HS256, WITH("\"sub\":\"a\",\"exp\":1800000000,\"exp\":1"), "expired" },
		{ HS256, WITH("\"sub\":\"a\",\"nbf\":1700000031"), "not valid yet" },
		{ HS256, WITH("\"sub\":\"a\",\"iat\":1700000031"), "issued in the future" },
		{ HS256, WITH("\"role\":\"admin\""), "no usable subject" },
		{ HS256, WITH("\"sub\":\"\""), "no usable subject" },
		{ HS256, WITH("\"sub\":null"), "no usable subject" },
		{ HS256, "{\"sub\":\"a\",\"aud\":\"us\"}", "wrong issuer" },
		{ HS256, "{\"sub\":\"a\",\"aud\":\"us\",\"iss\":\"issuer2\"}", "wrong issuer" },
		{ HS256, "{\"sub\":\"a\",\"iss\":\"issuer\"}", "wrong audience" },
		{ HS256, "{\"sub\":\"a\",\"iss\":\"issuer\",\"aud\":\"them\"}", "wrong audience" },
		{ HS256, "{\"sub\":\"a\",\"iss\":\"issuer\",\"aud\":[]}", "wrong audience" },
		{ HS256, "{\"sub\":\"a\",\"iss\":\"issuer\",\"aud\":[[\"us\"],{\"us\":1}]}",
		  "wrong audience" },
		{ HS256, "{\"sub\":\"a\",\"iss\":\"issuer\",\"aud\":{\"us\":\"us\"}}",
		  "wrong audience" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf b;

		refused(token_of(str_of(cases[i].header), str_of(cases[i].claims), &b),
		    cases[i].reason);
		buf_release(&b);
	}
}

TEST(jwt_bad_shapes)
{
	static const char *const shapes[] = { "", ".", "..", "...", "a.b", "a.b.c.d",
		"%.*s.", ".%.*s", "%.*s.x", " %.*s", "%.*s\n", "%.*s=", "%.*sA" };
	struct buf token, changed = BUF(64 * KB);

	token_of(S(HS256), S(WITH("\"sub\":\"a\"")), &token);
	for (size_t i = 0; i < COUNT(shapes); i++) {
		struct str shape = str_of(shapes[i]);
		ptrdiff_t at = str_index(shape, '%');
		struct jwt_claims c;

		buf_clear(&changed);
		buf_add(&changed, str_sub(shape, 0, at < 0 ? shape.n : (size_t)at));
		if (at >= 0) {
			buf_add(&changed, buf_str(&token));
			buf_add(&changed, str_sub(shape, (size_t)at + 4, shape.n));
		}
		CHECK_RC(verify(buf_str(&changed), &c, NULL), ERR_UNAUTH);
	}
	buf_release(&token);
	buf_release(&changed);
}

/* Every byte of a good token counts, and every shorter token is refused. */
TEST(jwt_tampering_is_noticed_at_every_byte)
{
	struct jwt_claims c;
	struct buf token;
	size_t n;

	token_of(S(HS256), S(WITH("\"sub\":\"a\"")), &token);
	n = token.n;
	CHECK_RC(verify(buf_str(&token), &c, NULL), OK);
	for (size_t i = 0; i < n; i++) {
		char was = token.p[i];

		for (int bit = 0; bit < 8; bit++) {
			token.p[i] = (char)(was ^ (1 << bit));
			CHECK_RC(verify(buf_str(&token), &c, NULL), ERR_UNAUTH);
		}
		token.p[i] = was;
		CHECK_RC(verify(str_sub(buf_str(&token), 0, i), &c, NULL), ERR_UNAUTH);
	}
	buf_release(&token);
}

TEST(jwt_sizes)
{
	static char name[20000];
	struct buf claims = BUF(64 * KB), token;

	memset(name, 'x', sizeof name);
	buf_add_fmt(&claims, "{\"iss\":\"issuer\",\"aud\":\"us\",\"sub\":\"%.*s\"}",
	    LIMIT_NAME_BYTES + 1, name);
	refused(token_of(S(HS256), buf_str(&claims), &token), "no usable subject");
	buf_release(&token);
	buf_clear(&claims);
	buf_add_fmt(&claims, WITH("\"sub\":\"a\",\"x\":\"%.*s\""), 20000, name);
	refused(token_of(S(HS256), buf_str(&claims), &token), "too long");
	buf_release(&token);
	buf_release(&claims);
}

TEST(jwt_without_a_secret_nothing_passes)
{
	struct jwt_rules r = { .secret = STR_NONE };
	struct jwt_claims c = { .sub = S("a") }, read;
	struct buf b = BUF(KB);

	jwt_sign(&b, STR_NONE, &c);
	CHECK_RC(jwt_verify(buf_str(&b), &r, NOW, &arena, &read, NULL), ERR_UNAUTH);
	buf_release(&b);
}

TEST(jwt_sign_keeps_to_the_maximum)
{
	struct jwt_claims c = { .sub = S("a") };
	struct buf b = BUF(50);

	jwt_sign(&b, SECRET, &c);
	CHECK(b.failed);
	buf_release(&b);
}
