/*
 * verifier.c - see verifier_priv.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "auth/verifier_priv.h"
#include "auth/claims_priv.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/client.h"
#include "net/http.h"

#include <assert.h>

struct verifier {
	const struct auth_options *o;
	struct verdicts *verdicts;
	struct list asks[LIMIT_SHARDS];      /* under way, of each shard */
};

struct ask {
	struct verifier *verifier;
	struct shard *shard;
	struct client_call *call;
	struct list in;
	struct wheel_timer deadline;
	struct buf body;
	uint8_t mark[SHA256_SIZE];
	struct str shown;                    /* owned; for the token's own end */
};

struct verifier *
verifier_new(const struct auth_options *o, struct verdicts *vs)
{
	struct verifier *r = mem_new(struct verifier);

	r->o = o;
	r->verdicts = vs;
	for (size_t i = 0; i < LIMIT_SHARDS; i++)
		list_init(&r->asks[i]);
	return r;
}

void
verifier_free(struct verifier *r)
{
	free(r);
}

static struct str
header_of(const struct credentials *c, struct str name)
{
	if (str_eq_nocase(name, S("authorization")))
		return c->authorization;
	if (str_eq_nocase(name, S("x-api-key")))
		return c->api_key;
	return c->r != NULL ? http_header(c->r, name) : STR_NONE;
}

struct str
verifier_shown(const struct verifier *r, const struct credentials *c, struct arena *arena)
{
	struct str rest = r->o->cache_keys, name, out = STR_NONE;

	if (c->shown.n > 0)
		return c->shown;
	while (str_next(&rest, ',', &name)) {
		struct str value;

		name = str_trim(name);
		value = header_of(c, name);
		if (value.n > 0)
			out = arena_fmt(arena, "%.*s%.*s: %.*s\r\n", FMT(out), FMT(name),
			    FMT(value));
	}
	return out;
}

/* ---- answers ------------------------------------------------------------------- */

static struct str
user_of(jnode claims, struct arena *arena)
{
	static const char *const names[] = { "id", "sub", "user_id", "identity" };

	for (size_t i = 0; i < COUNT(names); i++) {
		jnode n = json_get(claims, str_of(names[i]));

		if (json_is_string(n) && json_str(n).n > 0 && json_str(n).n <= LIMIT_NAME_BYTES)
			return arena_str(arena, json_str(n));
		if (json_is_int(n))
			return arena_fmt(arena, "%lld", (long long)json_int(n));
	}
	return STR_NONE;
}

/* When the credentials expire, by the verifier's answer or a token's claims, in seconds. */
static msec
end_of(jnode claims)
{
	static const char *const names[] = { "exp", "expires_at" };

	for (size_t i = 0; i < COUNT(names); i++) {
		double d = json_number(json_get(claims, str_of(names[i])));

		if (d >= 1 && d < 0x1p43)
			return (msec)d * 1000;
	}
	return NEVER;
}

static struct verdict
is_down(msec now, struct err *why, const char *words)
{
	err_set(why, ERR_BUSY, "%s", words);
	return (struct verdict){ .kind = VERDICT_DOWN, .until = now + LIMIT_AUTH_DOWN_MS };
}

struct verdict
verifier_read(int status, struct str body, const struct auth_options *o, msec now,
    struct arena *arena, struct err *why)
{
	struct verdict v = { .kind = VERDICT_YES, .until = now + o->cache_ttl };
	struct json_doc d = { NULL, NULL };

	if (status >= 400 && status < 500 && status != 408 && status != 429)
		return (struct verdict){ .kind = VERDICT_NO, .until = now + LIMIT_AUTH_NO_MS };
	if (status != 200)
		return is_down(now, why, arena_fmt(arena, "it answered %d", status).p);
	if (json_parse(&d, body, why) == OK && json_is_object(d.root)) {
		v.user = user_of(d.root, arena);
		v.claims_json = arena_str(arena, body);
		v.expires = end_of(d.root);
	}
	json_release(&d);
	if (v.user.n == 0 || arena->failed)
		return is_down(now, why, "its answer is no JSON object with id, sub, user_id "
		    "or identity");
	return v;
}

/* ---- a question ------------------------------------------------------------------ */

static void
ask_free(struct ask *x)
{
	shard_timer_cancel(x->shard, &x->deadline);
	list_remove(&x->in);
	buf_release(&x->body);
	explicit_bzero((char *)(uintptr_t)x->shown.p, x->shown.n);
	free((char *)(uintptr_t)x->shown.p);
	free(x);
}

/* The expiry in the token itself, not verified here: the verifier has accepted it. */
static msec
token_end(struct str shown)
{
	struct buf text = BUF(LIMIT_JWT_BYTES);
	struct json_doc d = { NULL, NULL };
	struct str part = STR_NONE;
	msec end = NEVER;

	if (str_next(&shown, '.', &part) && str_next(&shown, '.', &part) &&
	    base64url_decode(part, &text) && json_parse(&d, buf_str(&text), NULL) == OK)
		end = end_of(d.root);
	json_release(&d);
	buf_release(&text);
	return end;
}

static void
ask_told(struct ask *x, int status, const char *failure)
{
	struct arena arena = ARENA(4 * LIMIT_AUTH_ANSWER_BYTES);
	struct verifier *r = x->verifier;
	msec now = shard_wall(x->shard), end;
	struct err why = { 0 };
	struct verdict v;

	if (failure != NULL)
		v = is_down(now, &why, failure);
	else
		v = verifier_read(status, buf_str(&x->body), r->o, now, &arena, &why);
	if (v.kind == VERDICT_DOWN)
		log_warn("auth", "verifier_failed", "url=%.*s error=\"%s\"",
		    FMT(r->o->remote_url), why.text);
	if (v.kind == VERDICT_YES) {
		end = token_end(x->shown);
		v.expires = end < v.expires ? end : v.expires;
	}
	verdicts_tell(r->verdicts, x->mark, &v);
	arena_release(&arena);
	ask_free(x);
}

static void
on_data(void *ctx, struct str bytes)
{
	struct ask *x = ctx;

	buf_add(&x->body, bytes);            /* the client knows body_max */
}

static void
on_done(void *ctx, int rc, const struct client_answer *a, const struct err *e)
{
	struct ask *x = ctx;

	x->call = NULL;
	ask_told(x, a->status, rc < 0 ? e->text : NULL);
}

static void
on_deadline(struct wheel_timer *t)
{
	struct ask *x = CONTAINER_OF(t, struct ask, deadline);

	client_cancel(x->call);
	ask_told(x, 0, "it did not answer in time");
}

void
verifier_ask(struct verifier *r, struct shard *s, struct client *c, struct str shown,
    const uint8_t mark[SHA256_SIZE])
{
	struct ask *x = mem_new(struct ask);
	struct buf headers = BUF(2 * LIMIT_HTTP_HEADER_BYTES);

	x->verifier = r;
	x->shard = s;
	x->shown = (struct str){ mem_cstr(shown), shown.n };
	x->body = BUF(LIMIT_AUTH_ANSWER_BYTES);
	memcpy(x->mark, mark, SHA256_SIZE);
	x->deadline.fire = on_deadline;
	list_append(&r->asks[shard_id(s)], &x->in);
	buf_lit(&headers, "Accept: application/json\r\n");
	buf_add(&headers, shown);
	if (r->o->remote_key.n > 0)
		buf_add_fmt(&headers, "apikey: %.*s\r\n", FMT(r->o->remote_key));
	assert(!headers.failed);
	x->call = client_start(c, &(struct client_request){ .method = S("GET"),
	    .url = r->o->remote_url, .headers = buf_str(&headers),
	    .connect_ms = LIMIT_AUTH_ASK_MS, .silence_ms = LIMIT_AUTH_ASK_MS,
	    .body_max = LIMIT_AUTH_ANSWER_BYTES },
	    &(struct client_hooks){ .data = on_data, .done = on_done, .ctx = x });
	explicit_bzero(headers.p, headers.n);
	buf_release(&headers);
	shard_timer_set(s, &x->deadline, LIMIT_AUTH_ASK_MS);
}

void
verifier_detach(struct verifier *r, struct shard *s)
{
	struct list *l = &r->asks[shard_id(s)];

	while (!list_empty(l)) {
		struct ask *x = CONTAINER_OF(l->next, struct ask, in);

		client_cancel(x->call);
		ask_free(x);
	}
}
