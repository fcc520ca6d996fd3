/*
 * jwks.c - see jwks.h.  The arithmetic is OpenSSL's.
 *
 * SPDX-License-Identifier: MIT
 */
#include "auth/jwks.h"
#include "base/hmac.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"

#include <assert.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

enum key_type { KEY_RSA, KEY_P256, KEY_P384, KEY_ED25519, KEY_TYPES };

static const struct {
	const char *kty, *crv;
	const char *group;                   /* OpenSSL's name of the curve */
	size_t bytes;                        /* of a coordinate */
} types[KEY_TYPES] = {
	[KEY_RSA] = { "RSA", NULL, NULL, 0 },
	[KEY_P256] = { "EC", "P-256", "prime256v1", 32 },
	[KEY_P384] = { "EC", "P-384", "secp384r1", 48 },
	[KEY_ED25519] = { "OKP", "Ed25519", NULL, 32 },
};

/* What a header may name, but HS256: that is a secret's (jwt.c). */
static const struct alg {
	const char *name;
	enum key_type type;
	const char *digest;
	bool pss;
} algs[] = {
	{ "RS256", KEY_RSA, "SHA256", false },
	{ "RS384", KEY_RSA, "SHA384", false },
	{ "RS512", KEY_RSA, "SHA512", false },
	{ "PS256", KEY_RSA, "SHA256", true },
	{ "PS384", KEY_RSA, "SHA384", true },
	{ "PS512", KEY_RSA, "SHA512", true },
	{ "ES256", KEY_P256, "SHA256", false },
	{ "ES384", KEY_P384, "SHA384", false },
	{ "EdDSA", KEY_ED25519, NULL, false },
};

struct jwk {
	char *kid;                           /* owned; NULL: it has none */
	enum key_type type;
	const struct alg *only;              /* NULL: any of its type */
	EVP_PKEY *key;
};

struct jwks {
	struct jwk *list;
	size_t n, cap;
};

static const struct alg *
alg_find(struct str name)
{
	for (size_t i = 0; i < COUNT(algs); i++)
		if (str_eq(str_of(algs[i].name), name))
			return &algs[i];
	return NULL;
}

bool
jwks_knows(struct str alg)
{
	return alg_find(alg) != NULL;
}

/* ---- making keys ----------------------------------------------------------- */

static bool
decode(jnode jwk, const char *name, struct buf *out)
{
	struct str s = json_str(json_get(jwk, str_of(name)));

	return s.n > 0 && base64url_decode(s, out);
}

static EVP_PKEY *
key_of_params(const char *type, OSSL_PARAM *params)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	if (ctx == NULL || params == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static EVP_PKEY *
rsa_of_numbers(const BIGNUM *n, const BIGNUM *e)
{
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params = NULL;
	EVP_PKEY *key;

	if (b != NULL && OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
	    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_E, e) == 1)
		params = OSSL_PARAM_BLD_to_param(b);
	key = key_of_params("RSA", params);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(b);
	return key;
}

/* With the exponent 1 every text is its own signature. */
static const char *
make_rsa(jnode jwk, EVP_PKEY **out)
{
	struct buf n = BUF(LIMIT_JWK_RSA_MAX_BITS / 8), e = BUF(8);
	BIGNUM *bn = NULL, *be = NULL;
	const char *wrong = NULL;

	if (!decode(jwk, "n", &n) || !decode(jwk, "e", &e)) {
		wrong = "n or e is missing, too long or not base64url";
	} else {
		bn = BN_bin2bn((const uint8_t *)n.p, (int)n.n, NULL);
		be = BN_bin2bn((const uint8_t *)e.p, (int)e.n, NULL);
		if (BN_num_bits(bn) < LIMIT_JWK_RSA_MIN_BITS)
			wrong = "an RSA key of fewer than 2048 bits";
		else if (!BN_is_odd(be) || BN_is_one(be) || !BN_is_odd(bn))
			wrong = "no RSA key has such an exponent or modulus";
		else if ((*out = rsa_of_numbers(bn, be)) == NULL)
			wrong = "not an RSA key";
	}
	BN_free(bn);
	BN_free(be);
	buf_release(&n);
	buf_release(&e);
	return wrong;
}

static bool
is_on_curve(EVP_PKEY *key)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	bool ok = ctx != NULL && EVP_PKEY_public_check(ctx) == 1;

	EVP_PKEY_CTX_free(ctx);
	return ok;
}

static const char *
make_ec(jnode jwk, enum key_type type, EVP_PKEY **out)
{
	size_t n = types[type].bytes;
	struct buf point = BUF(2 * n + 1);
	const char *wrong = NULL;

	buf_add_char(&point, 4);             /* uncompressed */
	if (!decode(jwk, "x", &point) || point.n != n + 1 ||
	    !decode(jwk, "y", &point) || point.n != 2 * n + 1) {
		wrong = "x or y is missing or not as long as the curve's numbers";
	} else {
		*out = key_of_params("EC", (OSSL_PARAM[]){
		    OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
		    (char *)(uintptr_t)types[type].group, 0),
		    OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY,
		    point.p, point.n), OSSL_PARAM_construct_end() });
		if (*out == NULL || !is_on_curve(*out))
			wrong = "the point is not on the curve";
	}
	buf_release(&point);
	return wrong;
}

static const char *
make_ed25519(jnode jwk, EVP_PKEY **out)
{
	struct buf x = BUF(types[KEY_ED25519].bytes);

	if (decode(jwk, "x", &x) && x.n == types[KEY_ED25519].bytes)
		*out = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL,
		    (const uint8_t *)x.p, x.n);
	buf_release(&x);
	return *out == NULL ? "x is missing or not 32 bytes" : NULL;
}

static const char *
make_key(jnode jwk, enum key_type type, EVP_PKEY **out)
{
	if (type == KEY_RSA)
		return make_rsa(jwk, out);
	if (type == KEY_ED25519)
		return make_ed25519(jwk, out);
	return make_ec(jwk, type, out);
}

/* ---- reading a set --------------------------------------------------------- */

static bool
may_verify(jnode jwk)
{
	jnode use = json_get(jwk, S("use")), ops = json_get(jwk, S("key_ops"));
	struct json_iter it = json_each(ops);

	if (use != NULL && !str_eq(json_str(use), S("sig")))
		return false;
	while (json_is_array(ops) && json_next(&it))
		if (str_eq(json_str(it.value), S("verify")))
			return true;
	return ops == NULL;
}

static enum key_type
type_of(jnode jwk)
{
	struct str kty = json_str(json_get(jwk, S("kty"))), crv = json_str(json_get(jwk, S("crv")));
	size_t i = 0;

	while (i < KEY_TYPES && (!str_eq(str_of(types[i].kty), kty) ||
	    (types[i].crv != NULL && !str_eq(str_of(types[i].crv), crv))))
		i++;
	return (enum key_type)i;
}

/* Why the key cannot be used; NULL: it is in *k. */
static const char *
read_key(jnode jwk, struct jwk *k)
{
	jnode kid = json_get(jwk, S("kid")), alg = json_get(jwk, S("alg"));

	*k = (struct jwk){ .type = type_of(jwk) };
	if (k->type == KEY_TYPES)
		return "a type of key that is not known here (kty, crv)";
	if (json_get(jwk, S("d")) != NULL)
		return "a private key, which whoever reads the set can use";
	if (!may_verify(jwk))
		return "not for signatures (use, key_ops)";
	k->only = alg != NULL ? alg_find(json_str(alg)) : NULL;
	if (alg != NULL && (k->only == NULL || k->only->type != k->type))
		return "its alg is not one of its type";
	if (kid != NULL && (!json_is_string(kid) || json_str(kid).n > LIMIT_JWK_ID_BYTES ||
	    str_index(json_str(kid), '\0') >= 0))
		return "its kid is not a text, or too long";
	if (kid != NULL)
		k->kid = mem_cstr(json_str(kid));
	return make_key(jwk, k->type, &k->key);
}

static void
release_key(struct jwk *k)
{
	free(k->kid);
	EVP_PKEY_free(k->key);
}

/* Two keys that one header could mean. */
static bool
has_twin(const struct jwks *set, const struct jwk *k)
{
	for (size_t i = 0; k->kid != NULL && i < set->n; i++)
		if (set->list[i].kid != NULL && set->list[i].type == k->type &&
		    str_eq(str_of(set->list[i].kid), str_of(k->kid)))
			return true;
	return false;
}

static int
read_keys(struct jwks *set, jnode keys, struct err *e)
{
	struct json_iter it = json_each(keys);
	const char *wrong = "there is none";
	size_t i = 0, at = 0;

	if (!json_is_array(keys))
		return err_set(e, ERR_INVALID, "no array `keys`: not a JWK set");
	if (json_count(keys) > LIMIT_JWKS_KEYS)
		return err_set(e, ERR_INVALID, "%zu keys; at most %d", json_count(keys),
		    LIMIT_JWKS_KEYS);
	for (; json_next(&it); i++) {
		struct jwk k;
		const char *w = read_key(it.value, &k);

		if (w == NULL && !has_twin(set, &k)) {
			mem_grow(set->list, set->n, set->cap);
			set->list[set->n++] = k;
			continue;
		}
		release_key(&k);
		if (w == NULL)
			return err_set(e, ERR_INVALID, "keys[%zu]: the kid of another key", i);
		wrong = w;
		at = i;
	}
	return set->n > 0 ? OK : err_set(e, ERR_INVALID, "no key that can be used; "
	    "keys[%zu]: %s", at, wrong);
}

int
jwks_read(struct jwks **out, struct str text, struct err *e)
{
	struct jwks *set = mem_new(struct jwks);
	struct json_doc d;
	int rc;

	*out = NULL;
	rc = json_parse(&d, text, e);
	if (rc == OK)
		rc = read_keys(set, json_get(d.root, S("keys")), e);
	json_release(&d);
	if (rc < 0)
		jwks_free(set);
	else
		*out = set;
	return rc;
}

void
jwks_free(struct jwks *k)
{
	if (k == NULL)
		return;
	for (size_t i = 0; i < k->n; i++)
		release_key(&k->list[i]);
	free(k->list);
	free(k);
}

size_t
jwks_count(const struct jwks *k)
{
	return k->n;
}

/* ---- verifying ------------------------------------------------------------- */

/* The DER form of r and s side by side, as OpenSSL wants it; its length, or 0. */
static size_t
ecdsa_der(struct str raw, uint8_t **der)
{
	int half = (int)(raw.n / 2), n;
	const uint8_t *p = (const uint8_t *)raw.p;
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(p, half, NULL), *s = BN_bin2bn(p + half, half, NULL);

	assert(sig != NULL && r != NULL && s != NULL);
	ECDSA_SIG_set0(sig, r, s);
	*der = NULL;
	n = i2d_ECDSA_SIG(sig, der);
	ECDSA_SIG_free(sig);
	return n > 0 ? (size_t)n : 0;
}

static bool
verify_init(EVP_MD_CTX *ctx, const struct alg *a, EVP_PKEY *key)
{
	EVP_PKEY_CTX *p;

	if (EVP_DigestVerifyInit_ex(ctx, &p, a->digest, NULL, NULL, key, NULL) != 1)
		return false;
	/* RFC 7518 section 3.5: the salt is as long as the digest. */
	return !a->pss || (EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_rsa_pss_saltlen(p, RSA_PSS_SALTLEN_DIGEST) == 1);
}

static bool
is_signed(const struct alg *a, EVP_PKEY *key, struct str text, struct str signature)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	const uint8_t *sig = (const uint8_t *)signature.p;
	uint8_t *der = NULL;
	size_t n = signature.n;
	bool ok;

	assert(ctx != NULL);
	if (types[a->type].group != NULL) {
		n = n == 2 * types[a->type].bytes ? ecdsa_der(signature, &der) : 0;
		sig = der;
	}
	ok = n > 0 && verify_init(ctx, a, key) && EVP_DigestVerify(ctx, sig, n,
	    (const uint8_t *)text.p, text.n) == 1;
	OPENSSL_free(der);
	EVP_MD_CTX_free(ctx);
	return ok;
}

static bool
is_meant(const struct jwk *k, const struct alg *a, struct str kid)
{
	if (k->type != a->type || (k->only != NULL && k->only != a))
		return false;
	return kid.p == NULL || (k->kid != NULL && str_eq(str_of(k->kid), kid));
}

int
jwks_verify(const struct jwks *set, struct str alg, struct str kid, struct str text,
    struct str signature)
{
	const struct alg *a = alg_find(alg);
	const struct jwk *k = NULL;

	assert(a != NULL);
	for (size_t i = 0; i < set->n; i++) {
		if (!is_meant(&set->list[i], a, kid))
			continue;
		if (k != NULL)
			return ERR_UNAUTH;   /* several, and no kid */
		k = &set->list[i];
	}
	if (k == NULL)
		return ERR_NOTFOUND;
	return is_signed(a, k->key, text, signature) ? OK : ERR_UNAUTH;
}
