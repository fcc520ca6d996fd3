/*
 * jwt.c - see jwt.h.
 *
 * A token is checked in this order: size, shape, header, signature, claims.
 * No claim is read before the signature over the received bytes has been
 * checked.  HS256 is checked with the secret alone, every other algorithm with
 * a key of the set alone.
 *
 * Reasons name the check that failed, never a value of the token or a setting.
 *
 * SPDX-License-Identifier: MIT
 */
#include "auth/jwks.h"
#include "auth/jwt.h"
#include "base/hmac.h"
#include "base/json.h"
#include "base/limits.h"

#include <math.h>

#define HEADER "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"

/* ---- signing --------------------------------------------------------------- */

static void
add_text_claim(struct buf *b, const char *name, struct str value)
{
	if (value.n > 0)
		json_add_fmt(b, ",%s:%.*s", name, FMT(value));
}

static void
add_time_claim(struct buf *b, const char *name, int64_t value)
{
	if (value != 0)
		json_add_fmt(b, ",%s:%lld", name, (long long)value);
}

void
jwt_sign(struct buf *out, struct str secret, const struct jwt_claims *c)
{
	struct buf claims = BUF(LIMIT_JWT_BYTES);
	uint8_t mac[SHA256_SIZE];
	size_t start = out->n;

	buf_add_char(&claims, '{');
	add_text_claim(&claims, "sub", c->sub);
	add_text_claim(&claims, "aud", c->aud);
	add_text_claim(&claims, "role", c->role);
	add_text_claim(&claims, "email", c->email);
	add_text_claim(&claims, "iss", c->iss);
	add_text_claim(&claims, "scope", c->scope);
	add_time_claim(&claims, "exp", c->exp);
	add_time_claim(&claims, "nbf", c->nbf);
	add_time_claim(&claims, "iat", c->iat);
	buf_add_char(&claims, '}');
	base64url_add(out, HEADER, sizeof HEADER - 1);
	buf_add_char(out, '.');
	base64url_add(out, claims.p, claims.n);
	out->failed |= claims.failed;
	buf_release(&claims);
	if (out->failed)
		return;
	hmac_sha256(secret, str_sub(buf_str(out), start, out->n), mac);
	buf_add_char(out, '.');
	base64url_add(out, mac, sizeof mac);
}

/* ---- verifying ------------------------------------------------------------- */

static int
refuse(struct err *e, const char *reason)
{
	return err_set(e, ERR_UNAUTH, "Failed to verify JWT token: %s", reason);
}

struct parts {
	struct str header, claims, signature;
	struct str signed_bytes;             /* header.claims, as received */
};

static bool
split(struct str token, struct parts *p)
{
	struct str rest = token, extra;

	if (!str_next(&rest, '.', &p->header) || !str_next(&rest, '.', &p->claims) ||
	    !str_next(&rest, '.', &p->signature) || str_next(&rest, '.', &extra))
		return false;
	p->signed_bytes = str_sub(token, 0, p->header.n + 1 + p->claims.n);
	return p->header.n > 0 && p->claims.n > 0 && p->signature.n > 0;
}

/* Decodes a part that must be a JSON object.  Release d whatever it returns. */
static bool
open_part(struct str part, struct json_doc *d)
{
	struct buf text = BUF(LIMIT_JWT_BYTES);
	bool ok;

	*d = (struct json_doc){ NULL, NULL };
	ok = base64url_decode(part, &text) &&
	    json_parse(d, buf_str(&text), NULL) == OK && json_is_object(d->root);
	buf_release(&text);
	return ok;
}

struct header {
	struct str alg, kid;                 /* kid.p NULL: none */
};

static int
read_header(struct str part, const struct jwt_rules *r, struct arena *arena,
    struct header *out, struct err *e)
{
	struct json_doc d;
	jnode kid;
	int rc = OK;

	*out = (struct header){ STR_NONE, STR_NONE };
	if (!open_part(part, &d)) {
		json_release(&d);
		return refuse(e, "malformed header");
	}
	out->alg = arena_str(arena, json_str(json_get(d.root, S("alg"))));
	kid = json_get(d.root, S("kid"));
	if (!(str_eq(out->alg, S("HS256")) ? r->secret.n > 0 :
	    r->jwks != NULL && jwks_knows(out->alg)))
		rc = refuse(e, "unsupported algorithm");
	else if (json_get(d.root, S("crit")) != NULL)
		rc = refuse(e, "unsupported extension");
	else if (kid != NULL && (!json_is_string(kid) ||
	    json_str(kid).n > LIMIT_JWK_ID_BYTES))
		rc = refuse(e, "malformed key id");
	else if (kid != NULL)
		out->kid = arena_str(arena, json_str(kid));
	json_release(&d);
	if (rc == OK && arena->failed)
		return err_set(e, ERR_TOOBIG, "no room for the token");
	return rc;
}

static bool
check_mac(struct str text, struct str theirs, struct str secret)
{
	uint8_t ours[SHA256_SIZE];

	hmac_sha256(secret, text, ours);
	return theirs.n == sizeof ours && hmac_equal(theirs.p, ours, sizeof ours);
}

static int
check_signature(const struct parts *p, const struct header *h,
    const struct jwt_rules *r, struct err *e)
{
	struct buf theirs = BUF(LIMIT_JWT_BYTES);
	int rc = ERR_UNAUTH;

	if (!base64url_decode(p->signature, &theirs))
		rc = ERR_UNAUTH;
	else if (!str_eq(h->alg, S("HS256")))
		rc = jwks_verify(r->jwks, h->alg, h->kid, p->signed_bytes,
		    buf_str(&theirs));
	else if (check_mac(p->signed_bytes, buf_str(&theirs), r->secret))
		rc = OK;
	buf_release(&theirs);
	if (rc == ERR_NOTFOUND)
		return err_set(e, rc, "Failed to verify JWT token: unknown key");
	return rc == OK ? OK : refuse(e, "invalid signature");
}

/* ---- claims ---------------------------------------------------------------- */

/* A NumericDate: a number of seconds, whole or not; 0 when absent. */
static bool
read_time(jnode claims, struct str name, int64_t *out)
{
	jnode n = json_get(claims, name);
	double d = json_number(n);

	*out = 0;
	if (n == NULL)
		return true;
	if (!json_is_number(n) || !(d >= 1 && d <= 0x1p53))
		return false;
	*out = (int64_t)floor(d);
	return true;
}

static bool
read_text(jnode claims, struct str name, struct arena *arena, struct str *out)
{
	jnode n = json_get(claims, name);

	*out = STR_NONE;
	if (json_is_null(n))
		return true;
	if (!json_is_string(n))
		return false;
	*out = arena_str(arena, json_str(n));
	return true;
}

/* aud is one name or a list of names; ours must be among them.  *out is ours,
 * or the first when we have none. */
static bool
read_audience(jnode claims, struct str ours, struct arena *arena, struct str *out)
{
	jnode aud = json_get(claims, S("aud"));
	struct json_iter it = json_each(aud);
	struct str found = STR_NONE;
	bool match = false;

	*out = STR_NONE;
	if (json_is_string(aud)) {
		found = json_str(aud);
		match = str_eq(found, ours);
	}
	while (json_is_array(aud) && !match && json_next(&it)) {
		match = str_eq(json_str(it.value), ours);
		if (match || found.n == 0)
			found = json_str(it.value);
	}
	if (found.n > 0)
		*out = arena_str(arena, found);
	return match || ours.n == 0;
}

static int
check_times(const struct jwt_claims *c, int64_t now_s, struct err *e)
{
	if (c->exp != 0 && now_s >= c->exp + LIMIT_JWT_SKEW_S)
		return refuse(e, "expired");
	if (c->nbf > now_s + LIMIT_JWT_SKEW_S)
		return refuse(e, "not valid yet");
	if (c->iat > now_s + LIMIT_JWT_SKEW_S)
		return refuse(e, "issued in the future");
	return OK;
}

static int
check_claims(jnode claims, const struct jwt_rules *r, int64_t now_s,
    struct arena *arena, struct jwt_claims *out, struct err *e)
{
	int rc;

	if (!read_time(claims, S("exp"), &out->exp) ||
	    !read_time(claims, S("nbf"), &out->nbf) ||
	    !read_time(claims, S("iat"), &out->iat) ||
	    !read_text(claims, S("sub"), arena, &out->sub) ||
	    !read_text(claims, S("iss"), arena, &out->iss) ||
	    !read_text(claims, S("role"), arena, &out->role) ||
	    !read_text(claims, S("email"), arena, &out->email))
		return refuse(e, "malformed claims");
	rc = check_times(out, now_s, e);
	if (rc < 0)
		return rc;
	if (out->sub.n == 0 || out->sub.n > LIMIT_NAME_BYTES)
		return refuse(e, "no usable subject");
	if (r->issuer.n > 0 && !str_eq(out->iss, r->issuer))
		return refuse(e, "wrong issuer");
	if (!read_audience(claims, r->audience, arena, &out->aud))
		return refuse(e, "wrong audience");
	return OK;
}

static int
read_claims(struct str part, const struct jwt_rules *r, int64_t now_s,
    struct arena *arena, struct jwt_claims *out, struct err *e)
{
	struct buf text = BUF(LIMIT_JWT_BYTES);
	struct json_doc d = { NULL, NULL };
	int rc;

	if (!base64url_decode(part, &text) ||
	    json_parse(&d, buf_str(&text), NULL) < 0 || !json_is_object(d.root))
		rc = refuse(e, "malformed claims");
	else
		rc = check_claims(d.root, r, now_s, arena, out, e);
	out->json = arena_str(arena, buf_str(&text));
	json_release(&d);
	buf_release(&text);
	if (rc == OK && arena->failed)
		rc = err_set(e, ERR_TOOBIG, "no room for the claims");
	if (rc < 0)
		*out = (struct jwt_claims){ .exp = 0 };
	return rc;
}

int
jwt_verify(struct str token, const struct jwt_rules *r, int64_t now_s,
    struct arena *arena, struct jwt_claims *out, struct err *e)
{
	struct header h;
	struct parts p;
	int rc;

	*out = (struct jwt_claims){ .exp = 0 };
	if (r->secret.n == 0 && r->jwks == NULL)
		return refuse(e, "tokens are not accepted");
	if (token.n > LIMIT_JWT_BYTES)
		return refuse(e, "too long");
	if (!split(token, &p))
		return refuse(e, "not a token");
	rc = read_header(p.header, r, arena, &h, e);
	if (rc == OK)
		rc = check_signature(&p, &h, r, e);
	return rc == OK ? read_claims(p.claims, r, now_s, arena, out, e) : rc;
}
