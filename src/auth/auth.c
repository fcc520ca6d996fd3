/*
 * auth.c - from two request headers to one principal.
 *
 * A credential that is sent must be good: a bad token is refused, whatever else
 * was sent.  A bearer token with the prefix of our keys is taken as a key, for
 * clients that cannot send another header.
 *
 * SPDX-License-Identifier: MIT
 */
#include "auth/keys_priv.h"
#include "base/limits.h"
#include "base/mem.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

struct auth {
	struct str secret, issuer, audience; /* owned, NUL-ended copies */
	struct str keys_file;                /* empty: none */
	pthread_rwlock_t lock;               /* of keys */
	struct keys keys;
};

static struct str
copy(struct str s)
{
	return (struct str){ mem_cstr(s), s.n };
}

int
auth_new(struct auth **out, const struct auth_options *o, struct err *e)
{
	struct auth *a = mem_new(struct auth);
	int rc = OK;

	*out = NULL;
	a->secret = copy(o->jwt_secret);
	a->issuer = copy(o->issuer);
	a->audience = copy(o->audience);
	a->keys_file = copy(o->keys_file);
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

	if (a->keys_file.n == 0)
		return OK;
	rc = keys_load(&fresh, a->keys_file, e);
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
	forget(a->secret);
	forget(a->issuer);
	forget(a->audience);
	forget(a->keys_file);
	keys_release(&a->keys);
	pthread_rwlock_destroy(&a->lock);
	free(a);
}

bool
auth_enabled(const struct auth *a)
{
	return a->secret.n > 0 || a->keys_file.n > 0;
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

static int
check_bearer(struct auth *a, struct str authorization, msec now,
    struct arena *arena, struct principal *out, struct err *e)
{
	struct str token = bearer_token(authorization);
	struct jwt_claims claims;
	int rc;

	if (str_starts(token, S(KEY_PREFIX)))
		return check_key(a, token, arena, out, e);
	if (token.n == 0 || a->secret.n == 0)
		return no_credentials(e);
	rc = jwt_verify(token, a->secret, a->issuer, a->audience, now / 1000, arena,
	    &claims, e);
	if (rc < 0)
		return rc;
	out->subject = claims.sub;
	if (claims.exp > 0)
		out->expires = claims.exp > NEVER / 1000 - LIMIT_JWT_SKEW_S ? NEVER :
		    (claims.exp + LIMIT_JWT_SKEW_S) * 1000;
	out->scheme = S("jwt");
	return OK;
}

int
auth_check(struct auth *a, struct str authorization, struct str api_key,
    msec now, struct arena *arena, struct principal *out, struct err *e)
{
	assert(a != NULL);
	*out = (struct principal){ .subject = S(""), .scheme = S("none"),
		.expires = NEVER };
	if (!auth_enabled(a))
		return OK;
	if (authorization.n > 0)
		return check_bearer(a, authorization, now, arena, out, e);
	if (api_key.n > 0)
		return check_key(a, api_key, arena, out, e);
	return no_credentials(e);
}
