/*
 * auth.c - from two request headers to one principal.
 *
 * A credential that is sent must be good: a bad token is refused, whatever else
 * was sent.  A bearer token with the prefix of our keys is taken as a key, for
 * clients that cannot send another header.
 *
 * SPDX-License-Identifier: MIT
 */
#include "auth/claims_priv.h"
#include "auth/jwt.h"
#include "auth/keys_priv.h"
#include "base/limits.h"
#include "base/mem.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

struct auth {
	struct auth_options o;               /* owned, NUL-ended copies */
	pthread_rwlock_t lock;               /* of keys */
	struct keys keys;
};

static struct str
copy(struct str s)
{
	return (struct str){ mem_cstr(s), s.n };
}

/* The texts among the options. */
static const size_t texts[] = {
	offsetof(struct auth_options, jwt_secret), offsetof(struct auth_options, issuer),
	offsetof(struct auth_options, audience), offsetof(struct auth_options, keys_file),
	offsetof(struct auth_options, org_claim),
};

static struct str *
text_of(struct auth *a, size_t i)
{
	return (struct str *)(void *)((char *)&a->o + texts[i]);
}

int
auth_new(struct auth **out, const struct auth_options *o, struct err *e)
{
	struct auth *a = mem_new(struct auth);
	int rc = OK;

	*out = NULL;
	a->o = *o;
	for (size_t i = 0; i < COUNT(texts); i++)
		*text_of(a, i) = copy(*text_of(a, i));
	pthread_rwlock_init(&a->lock, NULL);
	if (o->keys_file.n > 0)
		rc = keys_load(&a->keys, o->keys_file, e);
	if (rc < 0) {
		auth_free(a);
		return rc;
	}
	*out = a;
	return OK;
}

int
auth_reload(struct auth *a, struct err *e)
{
	struct keys fresh, old;
	int rc;

	if (a->o.keys_file.n == 0)
		return OK;
	rc = keys_load(&fresh, a->o.keys_file, e);
	if (rc < 0)
		return rc;
	pthread_rwlock_wrlock(&a->lock);
	old = a->keys;
	a->keys = fresh;
	pthread_rwlock_unlock(&a->lock);
	keys_release(&old);
	return OK;
}

static void
forget(struct str s)
{
	char *p = (char *)(uintptr_t)s.p;    /* copy() made it, it is ours */

	if (p != NULL)
		explicit_bzero(p, s.n);
	free(p);
}

void
auth_free(struct auth *a)
{
	if (a == NULL)
		return;
	for (size_t i = 0; i < COUNT(texts); i++)
		forget(*text_of(a, i));
	keys_release(&a->keys);
	pthread_rwlock_destroy(&a->lock);
	free(a);
}

bool
auth_enabled(const struct auth *a)
{
	return a->o.jwt_secret.n > 0 || a->o.keys_file.n > 0;
}

static int
no_credentials(struct err *e)
{
	return err_set(e, ERR_UNAUTH, "Could not validate credentials");
}

static int
check_key(struct auth *a, struct str key, struct arena *arena,
    struct principal *out, struct err *e)
{
	struct str owner;
	bool found;

	if (key.n > LIMIT_NAME_BYTES)
		return no_credentials(e);
	pthread_rwlock_rdlock(&a->lock);
	found = keys_find(&a->keys, key, &owner);
	if (found)
		out->subject = arena_str(arena, owner);
	pthread_rwlock_unlock(&a->lock);
	if (!found)
		return no_credentials(e);
	out->user = out->subject;
	out->scheme = S("key");
	if (arena->failed)
		return err_set(e, ERR_TOOBIG, "no room for the owner's name");
	return OK;
}

/* The token of `Bearer token`, empty for any other scheme. */
static struct str
bearer_token(struct str authorization)
{
	struct str s = str_trim(authorization);

	if (!str_eq_nocase(str_sub(s, 0, 7), S("Bearer ")))
		return STR_NONE;
	return str_trim(str_sub(s, 7, s.n));
}

static msec
expiry(const struct jwt_claims *c)
{
	if (c->exp == 0 || c->exp > NEVER / 1000 - LIMIT_JWT_SKEW_S)
		return NEVER;
	return (c->exp + LIMIT_JWT_SKEW_S) * 1000;
}

static int
check_token(struct auth *a, struct str token, msec now, struct arena *arena,
    struct principal *out, struct err *e)
{
	struct jwt_rules rules = { .secret = a->o.jwt_secret, .issuer = a->o.issuer,
		.audience = a->o.audience };
	struct json_doc d = { NULL, NULL };
	struct jwt_claims claims;
	int rc = jwt_verify(token, &rules, now / 1000, arena, &claims, e);

	if (rc < 0)
		return rc;
	rc = json_parse(&d, claims.json, e);
	if (rc == OK)
		rc = principal_read(out, claims.sub, d.root, claims.json, &a->o, arena, e);
	json_release(&d);
	out->expires = expiry(&claims);
	out->scheme = S("jwt");
	return rc;
}

static int
check_bearer(struct auth *a, struct str authorization, msec now,
    struct arena *arena, struct principal *out, struct err *e)
{
	struct str token = bearer_token(authorization);

	if (str_starts(token, S(KEY_PREFIX)))
		return check_key(a, token, arena, out, e);
	if (token.n == 0 || a->o.jwt_secret.n == 0)
		return no_credentials(e);
	return check_token(a, token, now, arena, out, e);
}

int
auth_check(struct auth *a, struct str authorization, struct str api_key,
    msec now, struct arena *arena, struct principal *out, struct err *e)
{
	const struct principal nobody = { .subject = S(""), .user = S(""),
		.claims_json = S("{}"), .scheme = S("none"), .expires = NEVER };
	int rc;

	assert(a != NULL);
	*out = nobody;
	if (!auth_enabled(a))
		return OK;
	if (authorization.n > 0)
		rc = check_bearer(a, authorization, now, arena, out, e);
	else if (api_key.n > 0)
		rc = check_key(a, api_key, arena, out, e);
	else
		rc = no_credentials(e);
	if (rc < 0)
		*out = nobody;
	return rc;
}
