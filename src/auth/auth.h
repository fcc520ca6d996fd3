/*
 * auth.h - who is asking.
 *
 * Kinds of credentials:
 *   - a JSON Web Token (RFC 7519) in `Authorization: Bearer`, signed with a secret
 *     (HS256) or with a key of a JWK set, from a file or from an address (jwt.h, jwks.h);
 *   - anything that a remote verifier knows: the request's headers are shown to it, and
 *     its answer is the user;
 *   - an API key in `x-api-key` or, for clients that cannot send that, as the bearer
 *     token;
 *   - a session or a ticket: a random name for any of these, see below.
 *
 * Most credentials are checked on the shard.  For the rest auth_check returns ERR_AGAIN, and
 * auth_ask waits for an answer over HTTP: the issuer's keys, or the verifier's user.  Requests
 * with the same question share one fetch, answers are cached, and without an answer nobody is
 * let in (ERR_BUSY).
 *
 * Secrets are compared in constant time and never logged.  `now` is an argument.
 *
 * Threads: any, also during auth_reload, except where a function says otherwise.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/hmac.h"
#include "base/id.h"
#include "base/list.h"
#include "base/rc.h"
#include "net/shard.h"
#include "store/quota.h"

struct auth;
struct client;
struct http_req;

#define JWT_SECRET_BYTES 32                  /* a shorter secret can be guessed
                                                (RFC 7518 section 3.2) */

/* Limits of one caller.  An API key can have its own in the keys file; other keys and all
 * users have those of the settings.  0: no limit. */
struct auth_limits {
	int64_t concurrency;                 /* requests at once; a stream until it ends */
	int64_t requests_per_second;         /* on average; a second's worth at once */
	int64_t tokens_per_day;              /* of models, UTC; checked when a run begins */
	struct store_quota stored;           /* what the owner may have */
};

struct auth_options {
	struct str jwt_secret;               /* empty: no HS256 tokens accepted */
	struct str issuer, audience;         /* checked when set */
	struct str keys_file;                /* empty: no keys */
	struct str org_claim;                /* where a token names its organisation:
	                                        "org_id", "app_metadata.org"; empty: none */
	bool org_owns;                       /* the owner is the organisation */
	struct str jwks;                     /* a JWK set: file or https://; empty: none */
	struct str remote_url;               /* of the verifier, GET; empty: none */
	struct str remote_key;               /* sent to it as `apikey`; empty: none */
	struct str cache_keys;               /* headers that it sees, and whose values are
	                                        a credential: "authorization,x-tenant" */
	msec cache_ttl;                      /* its answer is good for so long */
	size_t cache_max;                    /* answers that are kept */
	struct auth_limits limits;           /* of users, and of keys that have none */
};

/* Reads the keys file: lines `<64 hex of sha256(key)> <owner> [name=value ...]`; #
 * comments.  The names are those of limits, with - for _, `scopes`, and of a worker's key
 * `graphs`; `cert` is the SHA-256 of the client certificate that the key works with.  Errors name file and line; a file that others can write is refused. */
int  auth_new(struct auth **out, const struct auth_options *o, struct err *e);
/* Reads the files again, and the issuer's keys: a key that is gone stops working with
 * the next request.  After an error the old keys stay.  Any thread. */
int  auth_reload(struct auth *a, struct err *e);
/* Another secret than the one of auth_new, which was not empty: tokens that the old one signed
 * are refused from the next request on.  Any thread. */
void auth_set_secret(struct auth *a, struct str jwt_secret);
void auth_free(struct auth *a);
bool auth_enabled(const struct auth *a);     /* some kind of credentials is asked for */
/* Where credentials are checked: "none", "local" (in this process) or "integration"
 * (another server is asked). */
const char *auth_tier(const struct auth *a);

/* A shard and its HTTP client, on its thread, before its first request; the first one
 * asks the issuer for all.  Detached when no request is under way on any shard. */
void auth_attach(struct auth *a, struct shard *s, struct client *c);
void auth_detach(struct auth *a, struct shard *s);

/* Who asks.  Texts are in the arena that auth_check was given. */
struct principal {
	struct str subject;                  /* the owner's name: whose everything is
	                                        that the request makes and sees */
	struct str user;                     /* the person or program: the subject,
	                                        unless that is the organisation */
	struct str org;                      /* empty: none */
	const struct str *scopes;            /* scopes_n: of the claims `scope`, `scp` */
	size_t scopes_n;                     /* and `permissions`, none twice */
	struct str name, email, role;        /* empty: not told */
	struct str claims_json;              /* an object, all that is known: "{}" at least */
	struct str scheme;                   /* "none", "jwt", "key", "remote" */
	msec expires;                        /* Unix time; NEVER: not by itself */
	msec again;                          /* when auth_again is to be asked; NEVER */
	struct auth_limits limits;
	const struct str *graphs;            /* graphs_n: what a worker may serve; none: any */
	size_t graphs_n;
	struct uuid payer;                   /* whose limits these are: of a key, or of a
	                                        user; zero: it has none */
	/* private */
	uint8_t mark[SHA256_SIZE];           /* of what was shown */
	struct str shown;                    /* to the verifier */
	unsigned serial;                     /* of the keys file */
	bool in_session;                     /* and is nobody when `session` has ended */
	uint8_t session[SHA256_SIZE];
};

bool principal_has(const struct principal *p, struct str scope);
/* In one piece, free() it; without graphs.  Not whole: what auth_again reads, other texts are
 * empty. */
struct principal *principal_copy(const struct principal *p, bool whole);

/* The scope of a key that opens the routes of workers, and no others; and of who may see and
 * drain them. */
#define SCOPE_WORKER "worker"
#define SCOPE_ADMIN  "admin"
bool principal_is_worker(const struct principal *p);
/* The digest of p's key; zeros: p has shown none. */
void principal_key(const struct principal *p, uint8_t out[SHA256_SIZE]);
/* Is this the digest of a key of the file?  Any thread. */
bool auth_key_valid(struct auth *a, const uint8_t digest[SHA256_SIZE]);

/* What a request shows. */
struct credentials {
	struct str authorization, api_key;   /* the headers' values; empty: none */
	const struct http_req *r;            /* for headers of cache_keys; NULL: it has none */
	bool asked;                          /* auth_ask is over: no ERR_AGAIN again */
	/* private, of a session or a ticket */
	struct str shown;                    /* to the verifier, in place of r's headers */
	bool in_session;
	uint8_t session[SHA256_SIZE];
	msec until;                          /* the session ends */
	bool peers_asked;                    /* other nodes were, for it */
	bool lacks, lacks_ticket;            /* they are to be asked for `session` */
};

/* Does the request itself show any, good or bad? */
bool auth_shows(const struct auth *a, const struct credentials *c, struct arena *arena);

/* OK, or ERR_UNAUTH with the words for the client ("Could not validate
 * credentials" when there are none).  With auth off: subject "".  ERR_DENIED: the token names
 * no organisation, which would be the owner.  ERR_AGAIN: auth_ask first.  ERR_BUSY: the issuer
 * or the verifier does not answer.  With a client attached, on its shard. */
int auth_check(struct auth *a, const struct credentials *c, msec now,
    struct arena *arena, struct principal *out, struct err *e);

/* Zeroed but for the first two; the caller's until done. */
struct auth_wait {
	struct shard *shard;
	void (*done)(struct auth_wait *w);
	/* private */
	struct shard_job job;
	struct auth_wait *next;
	struct list in;                      /* of those that wait for other nodes */
	struct wheel_timer timer;
	struct peers *peers;
	uint8_t mark[SHA256_SIZE];
};

/* After ERR_AGAIN, on its shard: done is called there in a later turn, after
 * LIMIT_AUTH_ASK_MS at the latest; then auth_check again, with `asked`.  ERR_BUSY, and no
 * done: too many wait. */
int  auth_ask(struct auth *a, const struct credentials *c, struct auth_wait *w,
    struct err *e);

/* For answers that last: are p's credentials still good?  OK, and p->again is the next time
 * to ask; or ERR_UNAUTH.  OK too while a verifier does not answer.  On its shard. */
int  auth_again(struct auth *a, struct principal *p, struct shard *s, msec now);

/* ---- sessions and tickets -------------------------------------------------- */

/* Names of PASS_CHARS characters, random, that stand for the credentials they were made
 * with, which are kept in memory under the name's hash.  Each use is checked as those
 * credentials are.  A session ends with them, after LIMIT_SESSION_MS, or by
 * auth_session_end; a ticket is of one thread, is taken once, and ends after
 * LIMIT_TICKET_MS.  A ticket of a session, and what it opened, ends with the session.
 * None outlives the process. */
#define PASS_CHARS 43                        /* base64url of 256 bits */

/* Appends the name and sets *until.  c and p: as auth_check had and gave them. */
void auth_session_make(struct auth *a, const struct credentials *c,
    const struct principal *p, msec now, struct buf *name, msec *until);
void auth_ticket_make(struct auth *a, const struct credentials *c,
    const struct principal *p, const struct uuid *thread, msec now, struct buf *name,
    msec *until);
/* Fills c, but for r, for auth_check; texts in the arena.  ERR_UNAUTH: there is none of
 * this name, or it is over, or the ticket is of another thread (it is over then).
 * ERR_AGAIN: another node may have made it: auth_ask first, then again with
 * c->peers_asked. */
int  auth_session_show(struct auth *a, struct str name, msec now, struct arena *arena,
    struct credentials *c, struct err *e);
int  auth_ticket_take(struct auth *a, struct str name, const struct uuid *thread,
    msec now, struct arena *arena, struct credentials *c, struct err *e);
void auth_session_end(struct auth *a, struct str name);
/* After an end, on w's shard: w->done is called when the message of it has had time to reach
 * other nodes (LIMIT_PASS_END_MS); false: there are none, or NATS is away. */
bool auth_session_end_wait(struct auth *a, struct auth_wait *w);

/* Several nodes: a session or a ticket that is not known here is asked for at the others;
 * the node that made it gives a copy of a session, and gives a ticket away.  Copies are
 * asked for again after messages may have been missed; while no node can be asked they are
 * valid.  The messages contain credentials: they are as safe as the connection to NATS. */
struct auth_peers {
	/* Any thread; to: a process, 0: all others.  False: it was not sent. */
	bool (*say)(void *ctx, uint64_t to, struct str word);
	bool (*up)(void *ctx);
	void *ctx;
};
void auth_set_peers(struct auth *a, const struct auth_peers *p);     /* before the shards run */
void auth_peers_heard(struct auth *a, uint64_t from, struct str word, msec now);
void auth_peers_changed(struct auth *a, bool up);

/* Sessions and tickets of the user of this name, who owns what he makes, end here. */
void auth_owner_leaves(struct auth *a, struct str subject);

/* ---- limits of callers ------------------------------------------------------- */

/* A place among the caller's requests, until auth_leave; *place NULL when it has no such
 * limits.  ERR_LIMIT, *retry_s and e with the limit's name.  ERR_AGAIN: only by what other
 * nodes sent some time ago is there no place: auth_enter_ask.  now: monotonic. */
struct quota;
int  auth_enter(struct auth *a, const struct principal *p, nsec now,
    struct quota **place, int64_t *retry_s, struct err *e);

/* Zeroed but for the first two; the caller's until done. */
struct auth_entry {
	struct shard *shard;
	void (*done)(struct auth_entry *w);
	int rc;                              /* for done: as of auth_enter */
	struct quota *place;
	int64_t retry_s;
	struct err err;
	/* private */
	struct shard_job job;
	struct wheel_timer timer;
	struct list in;
	struct quotas *quotas;
	struct quota *quota;
	struct auth_limits limits;
	uint64_t number;                     /* of the message that asks; 0: not sent yet */
};

/* After ERR_AGAIN, on its shard: the other nodes are asked what they have of the caller now;
 * done is called there in a later turn, after LIMIT_QUOTA_ASK_MS at the latest. */
void auth_enter_ask(struct auth *a, const struct principal *p, struct auth_entry *w);
void auth_leave(struct auth *a, struct quota *place);

/* Several nodes count together (cluster/counts.h).  changed() is called on any thread when
 * there is something to tell; much: now, otherwise within LIMIT_QUOTA_TELL_MS.  Before the
 * shards run. */
void auth_limits_watch(struct auth *a, void (*changed)(void *ctx, bool much), void *ctx);
/* Appends what has changed since, of as many callers as fit, or all that are under way;
 * true: some are.  The rest is told with the next. */
bool auth_limits_tell(struct auth *a, bool all, struct buf *out);
/* What another node has told; its last count of a caller is good for LIMIT_QUOTA_SILENT_MS. */
void auth_limits_hear(struct auth *a, uint64_t node, struct str told, nsec now);
/* Appends the message for those that wait for other nodes, if any; what a node that receives
 * it answers; and the answer of one. */
void auth_limits_ask(struct auth *a, struct buf *out);
void auth_limits_answer(struct auth *a, struct str asked, struct buf *out);
void auth_limits_answered(struct auth *a, uint64_t node, struct str answer, nsec now);
/* What other nodes have sent.  now: monotonic. */
void auth_limits_forget(struct auth *a, nsec now);

/* ---- tokens, also for `cohort token` -------------------------------------- */

struct jwt_claims {
	struct str sub, aud, role, email, iss;
	struct str scope;                    /* to be written; read from json */
	int64_t exp, nbf, iat;               /* seconds; 0: absent */
	struct str json;                     /* all of them, as they came */
};

/* Appends a signed compact token, HS256. */
void jwt_sign(struct buf *out, struct str secret, const struct jwt_claims *c);

/* A new random key "ck_..." and its line for the keys file, without newline.  words: as
 * in the file, "concurrency=2 scopes=threads:read"; ERR_INVALID. */
int  auth_key_make(struct buf *key, struct buf *line, struct str owner, struct str words,
    struct err *e);

#endif
