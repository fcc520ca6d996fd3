/*
 * auth_jwks.c - tokens signed with public keys: what is believed, and the known
 * attacks that are not.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "auth/jwks.h"
#include "auth/jwt.h"
#include "base/hmac.h"
#include "base/limits.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#define NOW    1700000000
#define SECRET S("a-secret-of-at-least-thirty-two-bytes")
#define CLAIMS S("{\"sub\":\"ann\"}")

static struct arena arena = { .max = 4 * MB };

/* ---- keys that issuers have -------------------------------------------------- */

static void
add_number(struct buf *b, EVP_PKEY *key, const char *param, size_t bytes)
{
	BIGNUM *n = NULL;
	uint8_t raw[1024];

	CHECK(EVP_PKEY_get_bn_param(key, param, &n) == 1);
	if (bytes == 0)
		bytes = (size_t)BN_num_bytes(n);
	CHECK(BN_bn2binpad(n, raw, (int)bytes) == (int)bytes);
	base64url_add(b, raw, bytes);
	BN_free(n);
}

/* The key as a JWK; more: further members, each with a comma behind it. */
static void
add_jwk(struct buf *b, EVP_PKEY *key, const char *more)
{
	uint8_t raw[32];
	size_t n = sizeof raw;

	buf_add_fmt(b, "%s{%s", b->n > 0 && b->p[b->n - 1] == '}' ? "," : "", more);
	if (EVP_PKEY_is_a(key, "RSA")) {
		buf_lit(b, "\"kty\":\"RSA\",\"n\":\"");
		add_number(b, key, OSSL_PKEY_PARAM_RSA_N, 0);
		buf_lit(b, "\",\"e\":\"");
		add_number(b, key, OSSL_PKEY_PARAM_RSA_E, 0);
	} else if (EVP_PKEY_is_a(key, "EC")) {
		n = EVP_PKEY_get_bits(key) == 256 ? 32 : 48;
		buf_add_fmt(b, "\"kty\":\"EC\",\"crv\":\"%s\",\"x\":\"", n == 32 ? "P-256" : "P-384");
		add_number(b, key, OSSL_PKEY_PARAM_EC_PUB_X, n);
		buf_lit(b, "\",\"y\":\"");
		add_number(b, key, OSSL_PKEY_PARAM_EC_PUB_Y, n);
	} else {
		CHECK(EVP_PKEY_get_raw_public_key(key, raw, &n) == 1);
		buf_lit(b, "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"");
		base64url_add(b, raw, n);
	}
	buf_lit(b, "\"}");
}

static void
add_ecdsa(struct buf *b, const uint8_t *der, size_t n, int half)
{
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)n);
	uint8_t raw[96];

	BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, half);
	BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + half, half);
	base64url_add(b, raw, 2 * (size_t)half);
	ECDSA_SIG_free(sig);
}

/* A token with this header, signed as alg says. */
static struct str
sign(EVP_PKEY *key, const char *alg, struct str header, struct str claims)
{
	struct buf b = BUF(64 * KB);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	const char *digest = EVP_PKEY_is_a(key, "ED25519") ? NULL :
	    alg[2] == '2' ? "SHA256" : alg[2] == '3' ? "SHA384" : "SHA512";
	uint8_t raw[1024];
	size_t n = sizeof raw;
	EVP_PKEY_CTX *p;
	struct str out;

	base64url_add(&b, header.p, header.n);
	buf_add_char(&b, '.');
	base64url_add(&b, claims.p, claims.n);
	CHECK(EVP_DigestSignInit_ex(ctx, &p, digest, NULL, NULL, key, NULL) == 1);
	if (alg[0] == 'P') {
		EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING);
		EVP_PKEY_CTX_set_rsa_pss_saltlen(p, RSA_PSS_SALTLEN_DIGEST);
	}
	CHECK(EVP_DigestSign(ctx, raw, &n, (const uint8_t *)b.p, b.n) == 1);
	EVP_MD_CTX_free(ctx);
	buf_add_char(&b, '.');
	if (EVP_PKEY_is_a(key, "EC"))
		add_ecdsa(&b, raw, n, EVP_PKEY_get_bits(key) == 256 ? 32 : 48);
	else
		base64url_add(&b, raw, n);
	out = arena_str(&arena, buf_str(&b));
	buf_release(&b);
	return out;
}

static struct jwks *
read_set(struct buf *keys)
{
	struct buf text = BUF(MB);
	struct jwks *set;
	struct err e = { 0 };

	buf_add_fmt(&text, "{\"keys\":[%.*s]}", FMT(buf_str(keys)));
	if (jwks_read(&set, buf_str(&text), &e) < 0)
		test_fail(__FILE__, __LINE__, "%s", e.text);
	buf_release(&text);
	return set;
}

static int
verify(const struct jwks *set, struct str token, struct err *e)
{
	struct jwt_rules r = { .secret = SECRET, .jwks = set };
	struct jwt_claims c;

	return jwt_verify(token, &r, NOW, &arena, &c, e);
}

static void
refused(const struct jwks *set, struct str token, int code, const char *reason)
{
	struct err e = { 0 };

	CHECK_RC(verify(set, token, &e), code);
	if (!str_ends(str_of(e.text), str_of(reason)))
		test_fail(__FILE__, __LINE__, "%s, not %s", e.text, reason);
}

struct issuer { EVP_PKEY *rsa, *p256, *p384, *ed; struct jwks *set; };

static struct issuer
make_issuer(void)
{
	struct issuer i = { EVP_RSA_gen(2048), EVP_EC_gen("P-256"), EVP_EC_gen("P-384"),
		EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), NULL };
	struct buf keys = BUF(MB);

	add_jwk(&keys, i.rsa, "\"kid\":\"r\",\"use\":\"sig\",");
	add_jwk(&keys, i.p256, "\"kid\":\"e\",\"alg\":\"ES256\",\"key_ops\":[\"verify\"],");
	add_jwk(&keys, i.p384, "\"kid\":\"e3\",");
	add_jwk(&keys, i.ed, "\"kid\":\"d\",");
	i.set = read_set(&keys);
	CHECK_INT(jwks_count(i.set), 4);
	buf_release(&keys);
	return i;
}

static void
free_issuer(struct issuer *i)
{
	EVP_PKEY_free(i->rsa);
	EVP_PKEY_free(i->p256);
	EVP_PKEY_free(i->p384);
	EVP_PKEY_free(i->ed);
	jwks_free(i->set);
}

/* ---- what is believed ---------------------------------------------------------- */

/* Goal: each algorithm of the table verifies, with its kid and without, and no
 * single changed byte of a token does. */
TEST(jwks_each_algorithm)
{
	struct issuer i = make_issuer();
	const struct { const char *alg, *kid; EVP_PKEY *key; } rows[] = {
		{ "RS256", "r", i.rsa }, { "RS384", "r", i.rsa }, { "RS512", "r", i.rsa },
		{ "PS256", "r", i.rsa }, { "PS384", "r", i.rsa }, { "PS512", "r", i.rsa },
		{ "ES256", "e", i.p256 }, { "ES384", "e3", i.p384 }, { "EdDSA", "d", i.ed },
	};

	for (size_t n = 0; n < COUNT(rows); n++) {
		struct str with = arena_fmt(&arena, "{\"alg\":\"%s\",\"kid\":\"%s\"}",
		    rows[n].alg, rows[n].kid);
		struct str without = arena_fmt(&arena, "{\"alg\":\"%s\"}", rows[n].alg);
		struct str token = sign(rows[n].key, rows[n].alg, with, CLAIMS);
		struct err e = { 0 };

		if (verify(i.set, token, &e) != OK)
			test_fail(__FILE__, __LINE__, "%s: %s", rows[n].alg, e.text);
		CHECK_RC(verify(i.set, sign(rows[n].key, rows[n].alg, without, CLAIMS), &e), OK);
		for (size_t at = 0; at < token.n; at += 7) {
			char *p = (char *)(uintptr_t)token.p + at, was = *p;

			*p = (char)(was ^ 4);
			CHECK(verify(i.set, token, &e) < 0);
			*p = was;
		}
	}
	free_issuer(&i);
}

/* ---- attacks ------------------------------------------------------------------- */

/* CVE-2015-9235, CVE-2024-37568 and, for one with a blank before it, CVE-2023-48223: the
 * public key, in any of its forms, as the secret of an HMAC. */
TEST(jwks_a_public_key_is_no_secret)
{
	struct issuer i = make_issuer();
	struct buf jwk = BUF(8 * KB), unsigned_ = BUF(8 * KB), token = BUF(16 * KB);
	BIO *bio = BIO_new(BIO_s_mem());
	struct str secrets[4];
	char *pem;

	add_jwk(&jwk, i.rsa, "");
	PEM_write_bio_PUBKEY(bio, i.rsa);
	secrets[0].n = (size_t)BIO_get_mem_data(bio, &pem);
	secrets[0].p = pem;
	secrets[1] = str_trim(secrets[0]);
	secrets[2] = buf_str(&jwk);
	secrets[3] = arena_fmt(&arena, " \n%.*s", FMT(secrets[0]));
	for (int kid = 0; kid < 2; kid++) {
		struct str header = kid ? S("{\"alg\":\"HS256\",\"kid\":\"r\"}") : S("{\"alg\":\"HS256\"}");

		buf_clear(&unsigned_);
		base64url_add(&unsigned_, header.p, header.n);
		buf_add_char(&unsigned_, '.');
		base64url_add(&unsigned_, CLAIMS.p, CLAIMS.n);
		for (size_t s = 0; s < COUNT(secrets); s++) {
			struct jwt_rules no_secret = { .jwks = i.set };
			struct jwt_claims c;
			uint8_t mac[SHA256_SIZE];

			hmac_sha256(secrets[s], buf_str(&unsigned_), mac);
			buf_clear(&token);
			buf_add_fmt(&token, "%s.", unsigned_.p);
			base64url_add(&token, mac, sizeof mac);
			refused(i.set, buf_str(&token), ERR_UNAUTH, "invalid signature");
			CHECK_RC(jwt_verify(buf_str(&token), &no_secret, NOW, &arena, &c, NULL), ERR_UNAUTH);
		}
	}
	BIO_free(bio);
	buf_release(&jwk);
	buf_release(&unsigned_);
	buf_release(&token);
	free_issuer(&i);
}

/* CVE-2022-21449: a signature of zeros is one for every text, where nobody looks. */
TEST(jwks_signatures_of_nothing)
{
	struct issuer i = make_issuer();
	struct str good = sign(i.p256, "ES256", S("{\"alg\":\"ES256\"}"), CLAIMS);
	struct str head = str_sub(good, 0, good.n - 86);
	uint8_t zeros[132] = { 0 };
	struct buf b = BUF(8 * KB);

	/* A signature with bytes behind it is another one. */
	buf_add_fmt(&b, "%.*sAA", FMT(good));
	CHECK(verify(i.set, good, NULL) == OK && verify(i.set, buf_str(&b), NULL) == ERR_UNAUTH);
	/* An encrypted token of five parts (CVE-2023-50967: its header says how dear it is). */
	buf_clear(&b);
	buf_add_fmt(&b, "%.*s.a.a", FMT(good));
	refused(i.set, buf_str(&b), ERR_UNAUTH, "not a token");
	for (size_t n = 0; n <= sizeof zeros; n++) {
		buf_clear(&b);
		buf_add(&b, head);
		base64url_add(&b, zeros, n);
		CHECK(verify(i.set, buf_str(&b), NULL) == ERR_UNAUTH);
	}
	buf_release(&b);
	free_issuer(&i);
}

TEST(jwks_headers_that_are_refused)
{
	static char kid[5000];
	struct issuer i = make_issuer();
	const struct { const char *header; EVP_PKEY *key; int rc; const char *reason; } rows[] = {
		/* CVE-2015-2951 and many after it: none, in any spelling. */
		{ "{\"alg\":\"none\"}", i.rsa, ERR_UNAUTH, "unsupported algorithm" },
		{ "{\"alg\":\"nOnE\",\"kid\":\"r\"}", i.rsa, ERR_UNAUTH, "unsupported algorithm" },
		{ "{\"alg\":\"\"}", i.rsa, ERR_UNAUTH, "unsupported algorithm" },
		{ "{\"alg\":\"rs256\"}", i.rsa, ERR_UNAUTH, "unsupported algorithm" },
		{ "{\"alg\":\"HS512\"}", i.rsa, ERR_UNAUTH, "unsupported algorithm" },
		{ "{\"alg\":\"RS256\",\"crit\":[\"b64\"],\"b64\":false}", i.rsa, ERR_UNAUTH,
		  "unsupported extension" },
		/* CVE-2018-0114: the token brings its own key. */
		{ "{\"alg\":\"RS256\",\"kid\":\"x\",\"jwk\":{\"kty\":\"RSA\"}}", i.rsa, ERR_NOTFOUND,
		  "unknown key" },
		{ "{\"alg\":\"RS256\",\"kid\":\"x\",\"jku\":\"http://evil\",\"x5c\":[\"MII\"]}", i.rsa,
		  ERR_NOTFOUND, "unknown key" },
		/* A key of another type, or of another algorithm, than it was made for. */
		{ "{\"alg\":\"ES256\",\"kid\":\"r\"}", i.rsa, ERR_NOTFOUND, "unknown key" },
		{ "{\"alg\":\"RS256\",\"kid\":\"e\"}", i.p256, ERR_NOTFOUND, "unknown key" },
		{ "{\"alg\":\"ES384\",\"kid\":\"e\"}", i.p256, ERR_NOTFOUND, "unknown key" },
		{ "{\"alg\":\"ES256\",\"kid\":\"e3\"}", i.p384, ERR_NOTFOUND, "unknown key" },
		{ "{\"alg\":\"PS256\",\"kid\":\"r\"}", i.rsa, ERR_UNAUTH, "invalid signature" },
		/* kid as a path, a query, a list, a number, too long. */
		{ "{\"alg\":\"RS256\",\"kid\":\"../../../dev/null\"}", i.rsa, ERR_NOTFOUND, "unknown key" },
		{ "{\"alg\":\"RS256\",\"kid\":\"r' UNION SELECT 'x\"}", i.rsa, ERR_NOTFOUND, "unknown key" },
		{ "{\"alg\":\"RS256\",\"kid\":\"r\\u0000\"}", i.rsa, ERR_NOTFOUND, "unknown key" },
		{ "{\"alg\":\"RS256\",\"kid\":\"\"}", i.rsa, ERR_NOTFOUND, "unknown key" },
		{ "{\"alg\":\"RS256\",\"kid\":[\"r\"]}", i.rsa, ERR_UNAUTH, "malformed key id" },
		{ "{\"alg\":\"RS256\",\"kid\":null}", i.rsa, ERR_UNAUTH, "malformed key id" },
		{ kid, i.rsa, ERR_UNAUTH, "malformed key id" },
	};

	snprintf(kid, sizeof kid, "{\"alg\":\"RS256\",\"kid\":\"%0*d\"}", LIMIT_JWK_ID_BYTES + 1, 0);
	for (size_t n = 0; n < COUNT(rows); n++) {
		const char *alg = EVP_PKEY_is_a(rows[n].key, "RSA") ? "RS256" :
		    EVP_PKEY_get_bits(rows[n].key) == 256 ? "ES256" : "ES384";

		refused(i.set, sign(rows[n].key, alg, str_of(rows[n].header), CLAIMS), rows[n].rc,
		    rows[n].reason);
	}
	free_issuer(&i);
}

/* ---- sets ---------------------------------------------------------------------- */

static void
is_bad_set(struct str text, int code, const char *words)
{
	struct jwks *set;
	struct err e = { 0 };

	CHECK_RC(jwks_read(&set, text, &e), code);
	CHECK(set == NULL);
	if (!str_contains(str_of(e.text), str_of(words)))
		test_fail(__FILE__, __LINE__, "%s, not %s", e.text, words);
}

TEST(jwks_sets_that_are_refused)
{
	static const struct { const char *text; int rc; const char *words; } rows[] = {
		{ "", ERR_SYNTAX, "" },
		{ "<html>", ERR_SYNTAX, "" },
		{ "[]", ERR_INVALID, "no array `keys`" },
		{ "{\"keys\":{}}", ERR_INVALID, "no array `keys`" },
		{ "{\"keys\":[]}", ERR_INVALID, "there is none" },
		{ "{\"keys\":[7]}", ERR_INVALID, "keys[0]: a type of key" },
		{ "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}", ERR_INVALID, "a type of key" },
		{ "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"secp256k1\"}]}", ERR_INVALID, "a type of key" },
		{ "{\"keys\":[{\"kty\":\"RSA\",\"use\":\"enc\"}]}", ERR_INVALID, "not for signatures" },
		{ "{\"keys\":[{\"kty\":\"RSA\",\"key_ops\":[\"sign\"]}]}", ERR_INVALID, "not for signatures" },
		{ "{\"keys\":[{\"kty\":\"RSA\",\"key_ops\":\"verify\"}]}", ERR_INVALID, "not for signatures" },
		{ "{\"keys\":[{\"kty\":\"RSA\",\"alg\":\"HS256\"}]}", ERR_INVALID, "its alg" },
		{ "{\"keys\":[{\"kty\":\"RSA\",\"alg\":\"ES256\"}]}", ERR_INVALID, "its alg" },
		{ "{\"keys\":[{\"kty\":\"RSA\",\"kid\":5}]}", ERR_INVALID, "its kid" },
		{ "{\"keys\":[{\"kty\":\"RSA\",\"d\":\"AQAB\"}]}", ERR_INVALID, "a private key" },
		{ "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"!\",\"e\":\"AQAB\"}]}", ERR_INVALID, "base64url" },
		{ "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}", ERR_INVALID, "fewer than 2048" },
		{ "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAA\",\"y\":\"AAAA\"}]}",
		  ERR_INVALID, "x or y" },
		{ "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}]}", ERR_INVALID, "32 bytes" },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		is_bad_set(str_of(rows[i].text), rows[i].rc, rows[i].words);
}

/* Goal: numbers that are no key of their type: a short modulus, exponents with which a
 * signature can be made up, a point beside the curve. */
TEST(jwks_weak_keys)
{
	struct buf b = BUF(64 * KB), point = BUF(KB);
	EVP_PKEY *small = EVP_RSA_gen(1024), *rsa = EVP_RSA_gen(2048);
	uint8_t raw[64];

	buf_lit(&b, "{\"keys\":[");
	add_jwk(&b, small, "");
	buf_lit(&b, "]}");
	is_bad_set(buf_str(&b), ERR_INVALID, "fewer than 2048");
	for (int e = 0; e <= 2; e++) {
		uint8_t exponent = (uint8_t)e;

		buf_clear(&b);
		buf_lit(&b, "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"");
		add_number(&b, rsa, OSSL_PKEY_PARAM_RSA_N, 0);
		buf_lit(&b, "\",\"e\":\"");
		base64url_add(&b, &exponent, 1);
		buf_lit(&b, "\"}]}");
		is_bad_set(buf_str(&b), ERR_INVALID, "exponent");
	}
	memset(raw, 1, sizeof raw);
	base64url_add(&point, raw, 32);
	buf_clear(&b);
	buf_add_fmt(&b, "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%s\",\"y\":\"%s\"}]}",
	    point.p, point.p);
	is_bad_set(buf_str(&b), ERR_INVALID, "not on the curve");
	EVP_PKEY_free(small);
	EVP_PKEY_free(rsa);
	buf_release(&b);
	buf_release(&point);
}

/* Goal: a kid means one key; keys that cannot be used do not spoil the others. */
TEST(jwks_of_several_keys)
{
	struct buf keys = BUF(MB), text = BUF(MB);
	EVP_PKEY *one = EVP_EC_gen("P-256"), *two = EVP_EC_gen("P-256");
	struct jwks *set;

	add_jwk(&keys, one, "\"kid\":\"a\",");
	buf_lit(&keys, ",{\"kty\":\"oct\",\"k\":\"AAAA\"},{\"kty\":\"new\"}");
	add_jwk(&keys, two, "\"kid\":\"b\",");
	set = read_set(&keys);
	CHECK_INT(jwks_count(set), 2);
	CHECK_RC(verify(set, sign(two, "ES256", S("{\"alg\":\"ES256\",\"kid\":\"b\"}"), CLAIMS), NULL), OK);
	refused(set, sign(two, "ES256", S("{\"alg\":\"ES256\",\"kid\":\"a\"}"), CLAIMS), ERR_UNAUTH,
	    "invalid signature");
	refused(set, sign(two, "ES256", S("{\"alg\":\"ES256\"}"), CLAIMS), ERR_UNAUTH, "invalid signature");
	jwks_free(set);
	add_jwk(&keys, two, "\"kid\":\"a\",");
	buf_add_fmt(&text, "{\"keys\":[%.*s]}", FMT(buf_str(&keys)));
	is_bad_set(buf_str(&text), ERR_INVALID, "keys[4]: the kid of another key");
	EVP_PKEY_free(one);
	EVP_PKEY_free(two);
	buf_release(&keys);
	buf_release(&text);
}
