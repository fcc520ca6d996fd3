/*
 * auth.c - from a request's headers to one principal.
 *
 * A credential that is sent must be good: a bad token is refused, whatever else
 * was sent.  A bearer token with the prefix of our keys is taken as a key, for
 * clients that cannot send another header.
 *
 * A token that a key of the issuer has verified is cached until it expires or the keys
 * change: checking a signature takes 28 us (RS256) to 1,500 us (ES384), hashing it 1 us.
 *
 * SPDX-License-Identifier: MIT
 */
#include "auth/claims_priv.h"
#include "auth/issuer_priv.h"
#include "auth/jwt.h"
#include "auth/keys_priv.h"
#include "auth/quota_priv.h"
#include "auth/peers_priv.h"
#include "auth/session_priv.h"
#include "auth/verifier_priv.h"
#include "base/limits.h"
#include "base/mem.h"
#include "net/http.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

struct auth {
	struct auth_options o;               /* owned, NUL-ended copies */
	pthread_rwlock_t lock;               /* of keys, serial, secret and its serial */
	struct keys keys;
	unsigned serial;                     /* changes with keys */
	struct str secret;                   /* jwt_secret as it is now */
	unsigned secret_serial;              /* changes with it */
	struct issuer *issuer;               /* NULL: no JWK set */
	struct verifier *verifier;           /* NULL: no verifier */
	struct verdicts *verdicts;
	struct quotas *quotas;
	struct passes *sessions, *tickets;
	struct peers *peers;                 /* NULL: a node alone */
	struct client *clients[LIMIT_SHARDS];        /* each its shard's own */
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
	offsetof(struct auth_options, org_claim), offsetof(struct auth_options, jwks),
	offsetof(struct auth_options, remote_url), offsetof(struct auth_options, remote_key),
	offsetof(struct auth_options, cache_keys),
};

static struct str *
text_of(struct auth *a, size_t i)
{
	return (struct str *)(void *)((char *)&a->o + texts[i]);
}

int
auth_new(struct auth **out, const struct auth_options *o, struct err *e)
{
	static const struct passes_max sessions = { LIMIT_SESSIONS_OWNER, LIMIT_SESSIONS,
	    LIMIT_SESSIONS_BYTES };
	static const struct passes_max tickets = { LIMIT_TICKETS_OWNER, LIMIT_TICKETS,
	    LIMIT_SESSIONS_BYTES };
	struct auth *a = mem_new(struct auth);
	int rc = OK;

	*out = NULL;
	a->o = *o;
	for (size_t i = 0; i < COUNT(texts); i++)
		*text_of(a, i) = copy(*text_of(a, i));
	a->secret = copy(o->jwt_secret);
	pthread_rwlock_init(&a->lock, NULL);
	a->verdicts = verdicts_new(o->cache_max);
	a->quotas = quotas_new();
	a->sessions = passes_new(&sessions);
	a->tickets = passes_new(&tickets);
	if (o->keys_file.n > 0)
		rc = keys_load(&a->keys, o->keys_file, e);
	if (rc == OK && o->jwks.n > 0)
		rc = issuer_new(&a->issuer, a->o.jwks, e);
	if (rc == OK && o->remote_url.n > 0)
		a->verifier = verifier_new(&a->o, a->verdicts);
	if (rc < 0) {
		auth_free(a);
		return rc;
	}
	*out = a;
	return OK;
}

static int
reload_keys(struct auth *a, struct err *e)
{
	struct keys fresh, old;
	int rc;

	rc = keys_load(&fresh, a->o.keys_file, e);
	if (rc < 0)
		return rc;
	pthread_rwlock_wrlock(&a->lock);
	old = a->keys;
	a->keys = fresh;
	a->serial++;
	pthread_rwlock_unlock(&a->lock);
	keys_release(&old);
	return OK;
}

int
auth_reload(struct auth *a, struct err *e)
{
	int rc = a->o.keys_file.n > 0 ? reload_keys(a, e) : OK;

	return rc == OK && a->issuer != NULL ? issuer_reload(a->issuer, e) : rc;
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
auth_set_secret(struct auth *a, struct str jwt_secret)
{
	struct str old = copy(jwt_secret), fresh = old;

	assert(a->o.jwt_secret.n > 0 && jwt_secret.n > 0);
	pthread_rwlock_wrlock(&a->lock);
	if (!str_eq(a->secret, fresh)) {
		old = a->secret;
		a->secret = fresh;
		a->secret_serial++;
	}
	pthread_rwlock_unlock(&a->lock);
	forget(old);
}

void
auth_attach(struct auth *a, struct shard *s, struct client *c)
{
	a->clients[shard_id(s)] = c;
	if (a->issuer != NULL)
		issuer_attach(a->issuer, s, c);
}

void
auth_detach(struct auth *a, struct shard *s)
{
	if (a->issuer != NULL)
		issuer_detach(a->issuer, s);
	if (a->verifier != NULL)
		verifier_detach(a->verifier, s);
	a->clients[shard_id(s)] = NULL;
}

void
auth_free(struct auth *a)
{
	if (a == NULL)
		return;
	issuer_free(a->issuer);
	verifier_free(a->verifier);
	verdicts_free(a->verdicts);
	quotas_free(a->quotas);
	peers_free(a->peers);
	passes_free(a->sessions);
	passes_free(a->tickets);
	for (size_t i = 0; i < COUNT(texts); i++)
		forget(*text_of(a, i));
	forget(a->secret);
	keys_release(&a->keys);
	pthread_rwlock_destroy(&a->lock);
	free(a);
}

bool
auth_enabled(const struct auth *a)
{
	return a->o.jwt_secret.n > 0 || a->o.keys_file.n > 0 || a->issuer != NULL ||
	    a->verifier != NULL;
}

const char *
auth_tier(const struct auth *a)
{
	return a->verifier != NULL ? "integration" : auth_enabled(a) ? "local" : "none";
}

static int
no_credentials(struct err *e)
{
	return err_set(e, ERR_UNAUTH, "Could not validate credentials");
}

static bool
has_limits(const struct auth_limits *l)
{
	return l->concurrency > 0 || l->requests_per_second > 0 || l->tokens_per_day > 0;
}

/* Limits are counted by half a digest of the credentials or the user. */
static void
set_payer(struct principal *p, const uint8_t digest[SHA256_SIZE])
{
	if (has_limits(&p->limits))
		memcpy(&p->payer, digest, sizeof p->payer);
}

/* ---- keys ---------------------------------------------------------------------- */

static int
check_key(struct auth *a, const struct credentials *c, struct str key, msec now,
    struct arena *arena, struct principal *out, struct err *e)
{
	const struct key *k;
	bool bound = false;

	if (key.n > LIMIT_NAME_BYTES)
		return no_credentials(e);
	sha256(key, out->mark);
	pthread_rwlock_rdlock(&a->lock);
	k = keys_find(&a->keys, out->mark);
	if (k != NULL) {
		bound = k->bound && (c->r == NULL || c->r->cert == NULL ||
		    !hmac_equal(k->cert, c->r->cert, sizeof k->cert));
		out->subject = arena_str(arena, k->owner);
		principal_scopes(out, k->scopes, arena);
		principal_graphs(out, k->graphs, arena);
		/* The settings' limits are about users; a worker works for all of them. */
		out->limits = k->limited || principal_has(out, S(SCOPE_WORKER)) ? k->limits :
		    a->o.limits;
	}
	out->serial = a->serial;
	pthread_rwlock_unlock(&a->lock);
	if (k == NULL)
		return no_credentials(e);
	if (bound)
		return err_set(e, ERR_UNAUTH, "this key is bound to a client certificate, and the "
		    "connection shows %s", c->r != NULL && c->r->cert != NULL ? "another" : "none");
	out->user = out->subject;
	out->scheme = S("key");
	set_payer(out, out->mark);
	out->again = now + LIMIT_AUTH_KEY_LOOK_MS;
	if (arena->failed)
		return err_set(e, ERR_TOOBIG, "no room for the owner's name");
	return OK;
}

bool
auth_key_valid(struct auth *a, const uint8_t digest[SHA256_SIZE])
{
	bool valid;

	pthread_rwlock_rdlock(&a->lock);
	valid = keys_find(&a->keys, digest) != NULL;
	pthread_rwlock_unlock(&a->lock);
	return valid;
}

static int
key_again(struct auth *a, struct principal *p, msec now)
{
	int rc = OK;

	pthread_rwlock_rdlock(&a->lock);
	if (p->serial != a->serial && keys_find(&a->keys, p->mark) == NULL)
		rc = ERR_UNAUTH;
	p->serial = a->serial;
	pthread_rwlock_unlock(&a->lock);
	p->again = now + LIMIT_AUTH_KEY_LOOK_MS;
	return rc;
}

/* ---- tokens -------------------------------------------------------------------- */

static msec
expiry(const struct jwt_claims *c)
{
	if (c->exp == 0 || c->exp > NEVER / 1000 - LIMIT_JWT_SKEW_S)
		return NEVER;
	return (c->exp + LIMIT_JWT_SKEW_S) * 1000;
}

/* The principal of a user whose credentials are good. */
static int
is_user(struct auth *a, const struct verdict *v, const char *scheme, struct arena *arena,
    struct principal *out, struct err *e)
{
	struct json_doc d = { NULL, NULL };
	uint8_t digest[SHA256_SIZE];
	int rc = json_parse(&d, v->claims_json, e);

	if (rc == OK)
		rc = principal_read(out, v->user, d.root, v->claims_json, &a->o, arena, e);
	json_release(&d);
	out->scheme = str_of(scheme);
	out->expires = out->again = v->expires;
	out->limits = a->o.limits;
	if (rc == OK && has_limits(&out->limits)) {
		sha256(arena_join(arena, out->subject, S("\n"), out->user), digest);
		set_payer(out, digest);
	}
	return rc;
}

/* ERR_AGAIN: no key of the issuer is the token's; fetch its keys first. */
static int
verify_token(struct auth *a, struct str token, msec now, struct arena *arena,
    struct verdict *v, bool may_ask, struct err *e)
{
	struct jwt_rules rules = { .issuer = a->o.issuer, .audience = a->o.audience };
	struct jwt_claims claims;
	int rc;

	if (a->issuer != NULL)
		rules.jwks = issuer_keys(a->issuer, &v->serial);
	pthread_rwlock_rdlock(&a->lock);
	rules.secret = a->secret;
	v->serial += a->secret_serial;
	rc = jwt_verify(token, &rules, now / 1000, arena, &claims, e);
	pthread_rwlock_unlock(&a->lock);
	if (a->issuer != NULL)
		issuer_done(a->issuer);
	if (rc == ERR_NOTFOUND)
		rc = may_ask && issuer_may_ask(a->issuer) ? ERR_AGAIN : ERR_UNAUTH;
	else if (rc == ERR_UNAUTH && a->issuer != NULL && rules.jwks == NULL)
		rc = may_ask && issuer_may_ask(a->issuer) ? ERR_AGAIN : err_set(e, ERR_BUSY,
		    "the issuer's keys are not known yet; try again");
	v->kind = VERDICT_YES;
	v->user = claims.sub;
	v->claims_json = claims.json;
	v->expires = v->until = expiry(&claims);
	return rc;
}

static bool
was_verified(struct auth *a, const uint8_t mark[SHA256_SIZE], msec now, struct arena *arena,
    struct verdict *v)
{
	unsigned serial;

	issuer_keys(a->issuer, &serial);
	issuer_done(a->issuer);
	pthread_rwlock_rdlock(&a->lock);
	serial += a->secret_serial;          /* both only grow */
	pthread_rwlock_unlock(&a->lock);
	return verdicts_find(a->verdicts, mark, arena, v) && v->kind == VERDICT_YES &&
	    v->serial == serial && now < v->until;
}

static int
check_token(struct auth *a, struct str token, msec now, bool may_ask, struct arena *arena,
    struct principal *out, struct err *e)
{
	struct verdict v = { .serial = 0 };
	uint8_t mark[SHA256_SIZE];
	int rc = OK;

	if (a->issuer == NULL) {
		rc = verify_token(a, token, now, arena, &v, false, e);
	} else {
		sha256(token, mark);
		if (!was_verified(a, mark, now, arena, &v)) {
			rc = verify_token(a, token, now, arena, &v, may_ask, e);
			if (rc == OK)
				verdicts_tell(a->verdicts, mark, &v);
		}
	}
	return rc == OK ? is_user(a, &v, "jwt", arena, out, e) : rc;
}

/* ---- a verifier ------------------------------------------------------------------ */

static int
check_remote(struct auth *a, const struct credentials *c, msec now, struct arena *arena,
    struct principal *out, struct err *e)
{
	struct verdict v = { .kind = VERDICT_ASKING };
	int rc;

	out->shown = verifier_shown(a->verifier, c, arena);
	if (out->shown.n == 0)
		return no_credentials(e);
	sha256(out->shown, out->mark);
	if (!verdicts_find(a->verdicts, out->mark, arena, &v) && !c->asked)
		return ERR_AGAIN;
	if (!c->asked && (v.kind == VERDICT_ASKING || v.until <= now))
		return ERR_AGAIN;
	if (v.kind == VERDICT_NO || (v.kind == VERDICT_YES && v.expires <= now))
		return no_credentials(e);
	if (v.kind != VERDICT_YES)
		return err_set(e, ERR_BUSY, "credentials cannot be verified at the moment; "
		    "try again");
	rc = is_user(a, &v, "remote", arena, out, e);
	out->again = v.until < v.expires ? v.until : v.expires;
	return rc;
}

static void
ask_remote(struct auth *a, struct shard *s, struct str shown, const uint8_t mark[SHA256_SIZE])
{
	struct client *client = a->clients[shard_id(s)];

	assert(client != NULL);
	verifier_ask(a->verifier, s, client, shown, mark);
}

static int
remote_again(struct auth *a, struct principal *p, struct shard *s, msec now)
{
	struct verdict v = { .kind = VERDICT_DOWN };
	bool asks = false;

	verdicts_find(a->verdicts, p->mark, NULL, &v);
	if (v.kind == VERDICT_NO)
		return ERR_UNAUTH;
	if (v.kind == VERDICT_YES && v.until > now) {
		p->again = v.until < p->expires ? v.until : p->expires;
		return OK;
	}
	p->again = now + 1000;
	if (v.kind != VERDICT_ASKING && v.until <= now &&
	    verdicts_ask(a->verdicts, p->mark, NULL, &asks) == OK && asks)
		ask_remote(a, s, p->shown, p->mark);
	return OK;
}

/* ---- all of them ------------------------------------------------------------------- */

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
check_some(struct auth *a, const struct credentials *c, msec now, struct arena *arena,
    struct principal *out, struct err *e)
{
	struct str token = bearer_token(c->authorization);

	if (str_starts(token, S(KEY_PREFIX)))
		return check_key(a, c, token, now, arena, out, e);
	if (c->authorization.n == 0 && c->api_key.n > 0 && a->o.keys_file.n > 0)
		return check_key(a, c, c->api_key, now, arena, out, e);
	if (a->verifier != NULL)
		return check_remote(a, c, now, arena, out, e);
	if (token.n > 0 && (a->o.jwt_secret.n > 0 || a->issuer != NULL))
		return check_token(a, token, now, !c->asked, arena, out, e);
	if (c->r != NULL && str_eq(http_header(c->r, S("x-auth-scheme")), S("langsmith")))
		return err_set(e, ERR_UNAUTH, "x-auth-scheme: langsmith lets nobody in here: "
		    "Studio needs credentials as any client");
	return no_credentials(e);
}

bool
auth_shows(const struct auth *a, const struct credentials *c, struct arena *arena)
{
	return c->authorization.n > 0 || (c->api_key.n > 0 && a->o.keys_file.n > 0) ||
	    (a->verifier != NULL && verifier_shown(a->verifier, c, arena).n > 0);
}

/* The times of p, which a session bounds. */
static void
clip(struct principal *p, msec now)
{
	if (p->again > p->expires)
		p->again = p->expires;
	if (p->in_session && p->again > now + LIMIT_AUTH_KEY_LOOK_MS)
		p->again = now + LIMIT_AUTH_KEY_LOOK_MS;
}

static void
enter_session(struct principal *p, const struct credentials *c, msec now)
{
	p->in_session = true;
	memcpy(p->session, c->session, sizeof p->session);
	if (p->expires > c->until)
		p->expires = c->until;
	clip(p, now);
}

int
auth_check(struct auth *a, const struct credentials *c, msec now, struct arena *arena,
    struct principal *out, struct err *e)
{
	const struct principal nobody = { .subject = S(""), .user = S(""),
		.claims_json = S("{}"), .scheme = S("none"), .expires = NEVER,
		.again = NEVER };
	int rc;

	assert(a != NULL);
	*out = nobody;
	if (!auth_enabled(a))
		return OK;
	rc = check_some(a, c, now, arena, out, e);
	if (rc < 0)
		*out = nobody;
	else if (c->in_session)
		enter_session(out, c, now);
	return rc;
}

int
auth_ask(struct auth *a, const struct credentials *c, struct auth_wait *w, struct err *e)
{
	struct arena arena = ARENA(2 * LIMIT_HTTP_HEADER_BYTES);
	uint8_t mark[SHA256_SIZE];
	struct str shown;
	bool asks = false;
	int rc;

	if (c->lacks)
		return peers_ask(a->peers, c, w);
	if (a->verifier == NULL) {
		rc = issuer_ask(a->issuer, w);
	} else {
		shown = verifier_shown(a->verifier, c, &arena);
		sha256(shown, mark);
		rc = verdicts_ask(a->verdicts, mark, w, &asks);
		if (asks)
			ask_remote(a, w->shard, shown, mark);
	}
	arena_release(&arena);
	return rc == OK ? OK : err_set(e, rc, "too many requests wait until their "
	    "credentials are verified; try again");
}

int
auth_again(struct auth *a, struct principal *p, struct shard *s, msec now)
{
	int rc = OK;

	if (now >= p->expires || (p->in_session && !passes_has(a->sessions, p->session, now)))
		return ERR_UNAUTH;
	p->again = p->expires;
	if (str_eq(p->scheme, S("key")))
		rc = key_again(a, p, now);
	else if (str_eq(p->scheme, S("remote")))
		rc = remote_again(a, p, s, now);
	clip(p, now);
	return rc;
}

/* ---- sessions and tickets ------------------------------------------------------- */

static void
pass_make(struct passes *ps, struct pass *p, const struct credentials *c,
    const struct principal *who, msec now, struct buf *name)
{
	uint8_t bytes[SHA256_SIZE];
	size_t start = name->n;
	struct buf owner = BUF(2 * KB);

	id_random(bytes, sizeof bytes);
	base64url_add(name, bytes, sizeof bytes);
	explicit_bzero(bytes, sizeof bytes);
	sha256(str_sub(buf_str(name), start, name->n), p->mark);
	buf_add_fmt(&owner, "%.*s%c%.*s", FMT(who->subject), '\n', FMT(who->user));
	sha256(buf_str(&owner), p->owner);
	buf_release(&owner);
	p->shows = *c;
	p->shows.r = NULL;
	p->shows.asked = p->shows.peers_asked = p->shows.lacks = false;
	p->shows.shown = who->shown;
	passes_put(ps, p, now);
}

void
auth_session_make(struct auth *a, const struct credentials *c, const struct principal *p,
    msec now, struct buf *name, msec *until)
{
	struct pass s = { .until = now + LIMIT_SESSION_MS };

	if (s.until > p->expires)
		s.until = p->expires;
	*until = s.until;
	pass_make(a->sessions, &s, c, p, now, name);
}

void
auth_ticket_make(struct auth *a, const struct credentials *c, const struct principal *p,
    const struct uuid *thread, msec now, struct buf *name, msec *until)
{
	struct pass t = { .until = now + LIMIT_TICKET_MS, .thread = *thread };

	if (t.until > p->expires)
		t.until = p->expires;
	*until = t.until;
	pass_make(a->tickets, &t, c, p, now, name);
}

/* Another node may have made what is not here, or not surely. */
static bool
may_be_elsewhere(const struct auth *a, struct credentials *c, bool ticket,
    const uint8_t mark[SHA256_SIZE])
{
	if (!peers_up(a->peers) || c->peers_asked)
		return false;
	c->lacks = true;
	c->lacks_ticket = ticket;
	memcpy(c->session, mark, sizeof c->session);
	return true;
}

int
auth_session_show(struct auth *a, struct str name, msec now, struct arena *arena,
    struct credentials *c, struct err *e)
{
	uint8_t mark[SHA256_SIZE];
	const struct http_req *r = c->r;
	struct pass s = { .stale = false };
	bool found;

	sha256(name, mark);
	found = passes_find(a->sessions, mark, now, arena, &s);
	if ((!found || s.stale) && may_be_elsewhere(a, c, false, mark))
		return ERR_AGAIN;
	/* It was asked for, and who made it does not know it any more. */
	if (found && s.stale && peers_up(a->peers)) {
		passes_end(a->sessions, mark);
		found = false;
	}
	if (!found)
		return err_set(e, ERR_UNAUTH, "the session is over; sign in again");
	*c = s.shows;
	c->r = r;
	c->in_session = true;
	memcpy(c->session, mark, sizeof c->session);
	c->until = s.until;
	return OK;
}

int
auth_ticket_take(struct auth *a, struct str name, const struct uuid *thread, msec now,
    struct arena *arena, struct credentials *c, struct err *e)
{
	uint8_t mark[SHA256_SIZE];
	const struct http_req *r = c->r;
	struct pass t;
	bool taken;

	sha256(name, mark);
	taken = passes_take(a->tickets, mark, now, arena, &t);
	if (!taken && may_be_elsewhere(a, c, true, mark))
		return ERR_AGAIN;
	if (!taken || !uuid_eq(&t.thread, thread))
		return err_set(e, ERR_UNAUTH, "the ticket is not good (any more): it is taken "
		    "once, within %d s, for its thread", LIMIT_TICKET_MS / 1000);
	*c = t.shows;
	c->r = r;
	return OK;
}

void
auth_session_end(struct auth *a, struct str name)
{
	uint8_t mark[SHA256_SIZE];

	sha256(name, mark);
	passes_end(a->sessions, mark);
	peers_tell_end(a->peers, mark);
}

bool
auth_session_end_wait(struct auth *a, struct auth_wait *w)
{
	return peers_await_end(a->peers, w);
}

void
auth_owner_leaves(struct auth *a, struct str subject)
{
	struct buf owner = BUF(2 * KB);
	uint8_t mark[SHA256_SIZE];

	buf_add_fmt(&owner, "%.*s%c%.*s", FMT(subject), '\n', FMT(subject));
	sha256(buf_str(&owner), mark);
	buf_release(&owner);
	passes_end_of(a->sessions, mark);
	passes_end_of(a->tickets, mark);
}

void
auth_set_peers(struct auth *a, const struct auth_peers *p)
{
	assert(a->peers == NULL);
	a->peers = peers_new(a->sessions, a->tickets, p);
}

void
auth_peers_heard(struct auth *a, uint64_t from, struct str word, msec now)
{
	peers_heard(a->peers, from, word, now);
}

void
auth_peers_changed(struct auth *a, bool up)
{
	peers_changed(a->peers, up);
}

int
auth_enter(struct auth *a, const struct principal *p, nsec now, struct quota **place,
    int64_t *retry_s, struct err *e)
{
	*place = NULL;
	*retry_s = 0;
	if (p->limits.concurrency == 0 && p->limits.requests_per_second == 0)
		return OK;
	return quotas_enter(a->quotas, &p->payer, &p->limits, now, place, retry_s, e);
}

void
auth_enter_ask(struct auth *a, const struct principal *p, struct auth_entry *w)
{
	w->limits = p->limits;
	quotas_enter_ask(a->quotas, &p->payer, w);
}

void
auth_leave(struct auth *a, struct quota *place)
{
	if (place != NULL)
		quotas_leave(a->quotas, place);
}

void
auth_limits_watch(struct auth *a, void (*changed)(void *ctx, bool much), void *ctx)
{
	quotas_on_change(a->quotas, changed, ctx);
}

bool
auth_limits_tell(struct auth *a, bool all, struct buf *out)
{
	return quotas_tell(a->quotas, all, out);
}

void
auth_limits_hear(struct auth *a, uint64_t node, struct str told, nsec now)
{
	quotas_hear(a->quotas, node, told, now);
}

void
auth_limits_ask(struct auth *a, struct buf *out)
{
	quotas_ask(a->quotas, out);
}

void
auth_limits_answer(struct auth *a, struct str asked, struct buf *out)
{
	quotas_answer(a->quotas, asked, out);
}

void
auth_limits_answered(struct auth *a, uint64_t node, struct str answer, nsec now)
{
	quotas_answered(a->quotas, node, answer, now);
}

void
auth_limits_forget(struct auth *a, nsec now)
{
	quotas_forget(a->quotas, now);
}
