/*
 * quota.c - limits of callers.
 *
 * A request counts from when its caller is known until its answer is made: who has the
 * whole of it finds a place for the next one, by whatever connection.  A stream counts
 * until it ends, what its client has left until it is given up (api.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"
#include "mail/host/office.h"

#define DAY_MS ((msec)24 * 3600 * 1000)

/* Model tokens of this day; not what runs under way are still going to use. */
static int
check_tokens(struct call *c)
{
	msec now = shard_wall(c->r->shard);
	int64_t taken = 0, most = c->who.limits.tokens_per_day;
	int rc;

	if (most == 0 || c->route->access != THREADS_CREATE_RUN)
		return OK;
	rc = store_payer_tokens(c->api->reader, &c->who.payer, now / DAY_MS, &taken);
	if (rc < 0)
		return err_set(&c->err, rc, "usage look-up: %s", rc_text(rc));
	if (taken < most)
		return OK;
	c->retry_s = (DAY_MS - now % DAY_MS + 999) / 1000;
	return err_set(&c->err, ERR_LIMIT, "tokens-per-day: these credentials have taken "
	    "%lld of %lld tokens today (UTC)", (long long)taken, (long long)most);
}

const struct store_quota *
call_quota(const struct call *c)
{
	for (size_t i = 0; i < QUOTAS; i++)
		if (c->who.limits.stored.max[i] > 0)
			return &c->who.limits.stored;
	return NULL;
}

/* What an operator sees of another owner has no limits: these are of credentials. */
int
api_quota(struct call *c)
{
	const int64_t *max = c->who.limits.stored.max;
	int64_t used[QUOTAS] = { 0 }, here;
	struct buf *b;
	int rc = store_quota_used(c->api->reader, c->owner, used);

	if (rc < 0)
		return err_set(&c->err, rc, "quota look-up: %s", rc_text(rc));
	here = office_owned(c->api->office, c->owner);
	if (used[QUOTA_AGENTS] < here)       /* of one node, but with those that have no row */
		used[QUOTA_AGENTS] = here;
	b = call_out(c);
	buf_add_char(b, '{');
	for (size_t i = 0; i < QUOTAS; i++) {
		json_add_key(b, quota_names[i]);
		if (max[i] > 0 && c->other.n == 0)
			json_add_fmt(b, "{'limit':%lld,'used':%lld}", (long long)max[i],
			    (long long)used[i]);
		else
			json_add_fmt(b, "{'limit':null,'used':%lld}", (long long)used[i]);
	}
	buf_add_char(b, '}');
	return call_json(c, STR_NONE);
}

struct entering {
	struct auth_entry w;
	struct call *c;
	void (*entered)(struct call *c, int rc);
};

static void
others_answered(struct auth_entry *w)
{
	struct entering *x = CONTAINER_OF(w, struct entering, w);
	struct call *c = x->c;

	c->r->held = w->place;
	c->retry_s = w->retry_s;
	c->err = w->err;
	x->entered(c, w->rc);
}

int
call_enter(struct call *c, void (*entered)(struct call *c, int rc))
{
	struct auth *a = c->api->shared->o.auth;
	struct quota *place;
	struct entering *x;
	int rc = check_tokens(c);

	if (rc < 0 || c->r->held != NULL)
		return rc;
	rc = auth_enter(a, &c->who, shard_now(c->r->shard), &place, &c->retry_s, &c->err);
	c->r->held = place;
	if (rc != ERR_AGAIN)
		return rc;
	x = arena_new(&c->r->arena, struct entering);
	if (x == NULL)
		return err_set(&c->err, ERR_TOOBIG, "the request is too large");
	x->c = c;
	x->entered = entered;
	x->w.shard = c->r->shard;
	x->w.done = others_answered;
	auth_enter_ask(a, &c->who, &x->w);
	return ERR_AGAIN;
}

int
call_enter_again(struct call *c, bool counts)
{
	struct principal who = c->who;
	struct quota *place;
	int rc = check_tokens(c);

	if (rc < 0 || !counts)
		return rc;
	who.limits.concurrency = 0;          /* the request has its place */
	rc = auth_enter(c->api->shared->o.auth, &who, shard_now(c->api->shard), &place,
	    &c->retry_s, &c->err);
	auth_leave(c->api->shared->o.auth, place);
	return rc;
}

void
call_leave(struct api_shared *sh, struct http_req *r)
{
	struct call *c = r->user;

	auth_leave(sh->o.auth, r->held);
	r->held = NULL;
	if (c == NULL || !c->keeps_thread)
		return;
	c->keeps_thread = false;
	runs_let_thread(c->api->runs, &c->thread_id);
}
