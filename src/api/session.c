/*
 * session.c - see session.h; and the routes below /session.
 *
 * POST /session makes a new session each time: no name that a request brought is ever
 * taken over, and the session that it brought ends (fixation).  It needs credentials in
 * its headers, which no foreign page's form can send, and comes from a page of this
 * server's own or from no page (login CSRF).  A session does not make another, which
 * would outlive LIMIT_SESSION_MS.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/session.h"

#include "api/peer.h"

#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "net/host.h"

#define COOKIE "cohort-session"
#define HOST_COOKIE "__Host-" COOKIE
#define TICKET_PROTOCOL "cohort.ticket."
#define NO_STORE "cache-control: no-store\r\n"

/* ---- what a request has ------------------------------------------------------- */

static bool
is_safe(const struct http_req *r)
{
	return (str_eq(r->method, S("GET")) || str_eq(r->method, S("HEAD")) ||
	    str_eq(r->method, S("OPTIONS"))) && http_header(r, S("upgrade")).n == 0;
}

/* Is the server reached by a name that only this machine has? */
static bool
is_local(const struct http_req *r)
{
	return host_is_loopback(origin_host(http_header(r, S("host"))));
}

/* The value of the session's cookie; *n: how many there are. */
static struct str
cookie_of(const struct http_req *r, size_t *n)
{
	struct str name = is_local(r) ? S(COOKIE) : S(HOST_COOKIE), value = STR_NONE;

	*n = 0;
	for (size_t i = 0; i < r->headers_n; i++) {
		struct str rest = r->headers[i].value, pair, key;

		if (!str_eq_nocase(r->headers[i].name, S("cookie")))
			continue;
		while (str_next(&rest, ';', &pair)) {
			pair = str_trim(pair);
			if (!str_next(&pair, '=', &key) || !str_eq(key, name))
				continue;
			value = pair;
			++*n;
		}
	}
	return value;
}

/* The next of the subprotocols that r offers, in one header or several. */
static bool
protocol_next(const struct http_req *r, size_t *at, struct str *rest, struct str *out)
{
	while (rest->n == 0 || !str_next(rest, ',', out)) {
		while (*at < r->headers_n && !str_eq_nocase(r->headers[*at].name,
		    S("sec-websocket-protocol")))
			++*at;
		if (*at == r->headers_n)
			return false;
		*rest = r->headers[(*at)++].value;
	}
	*out = str_trim(*out);
	return true;
}

static bool
is_ticket(struct str protocol)
{
	return str_starts(protocol, S(TICKET_PROTOCOL));
}

static struct str
ticket_offered(const struct http_req *r)
{
	struct str rest = STR_NONE, p;
	size_t at = 0;

	while (protocol_next(r, &at, &rest, &p))
		if (is_ticket(p))
			return str_sub(p, sizeof TICKET_PROTOCOL - 1, p.n);
	return STR_NONE;
}

struct str
session_protocol(const struct http_req *r)
{
	struct str rest = STR_NONE, p, ticket = STR_NONE;
	size_t at = 0;

	while (protocol_next(r, &at, &rest, &p)) {
		if (!is_ticket(p))
			return p;
		if (ticket.n == 0)
			ticket = p;
	}
	return ticket;
}

struct str
ticket_cut(struct http_req *r)
{
	static const struct str stem = { "/stream/events/", 15 };
	struct str path = r->path;
	const char *at = path.n > 0 ? memmem(path.p, path.n, stem.p, stem.n) : NULL;
	size_t n = at == NULL ? path.n : (size_t)(at - path.p) + stem.n;

	if (n == path.n)
		return STR_NONE;
	r->path = str_sub(path, 0, n - 1);
	return str_sub(path, n, path.n);
}

bool
session_is_in(const struct http_header *h)
{
	if (str_eq_nocase(h->name, S("cookie")))
		return str_contains(h->value, S(COOKIE "="));
	return str_eq_nocase(h->name, S("sec-websocket-protocol")) &&
	    str_contains(h->value, S(TICKET_PROTOCOL));
}

/* ---- credentials of a request ----------------------------------------------------- */

static int
take_ticket(struct call *c, struct str ticket)
{
	struct uuid thread;

	if (!(c->route->flags & ROUTE_SOCKET) || http_header(c->r, S("upgrade")).n == 0)
		return err_set(&c->err, ERR_UNAUTH, "a ticket is for a WebSocket at "
		    "/threads/{thread_id}/stream/events");
	if (!uuid_parse(c->param[0], &thread))
		return OK;                   /* parse_ids has the words for it */
	return auth_ticket_take(c->api->shared->o.auth, ticket, &thread,
	    shard_wall(c->r->shard), &c->r->arena, &c->shows, &c->err);
}

static int
own_page_check(struct call *c, bool safe)
{
	return origin_own_check(http_header(c->r, S("host")), http_header(c->r,
	    S("origin")), http_header(c->r, S("sec-fetch-site")), safe, &c->err);
}

static int
media_check(struct call *c)
{
	struct str type = http_header(c->r, S("content-type")), rest = type, word;
	struct str length = http_header(c->r, S("content-length"));
	bool body = http_header(c->r, S("transfer-encoding")).n > 0 ||
	    (length.n > 0 && !str_eq(length, S("0")));

	if (type.n == 0 && !body)
		return OK;
	if (str_next(&rest, ';', &word) && str_eq_nocase(str_trim(word),
	    S("application/json")))
		return OK;
	return err_set(&c->err, ERR_MEDIA, "Content-Type: a request with a session's cookie "
	    "has application/json, not \"%.*s\"", FMT(param_shown(type)));
}

static int
take_cookie(struct call *c, struct str value, size_t n)
{
	bool safe = is_safe(c->r);
	int rc;

	if (n > 1)
		return err_set(&c->err, ERR_UNAUTH, "Cookie: several of a session; send one");
	rc = own_page_check(c, safe);
	if (rc == OK && !safe)
		rc = media_check(c);
	return rc < 0 ? rc : auth_session_show(c->api->shared->o.auth, value,
	    shard_wall(c->r->shard), &c->r->arena, &c->shows, &c->err);
}

int
call_shows(struct call *c)
{
	struct auth *a = c->api->shared->o.auth;
	struct str value;
	size_t cookies;

	c->shows = (struct credentials){ .r = c->r, .peers_asked = c->peers_asked,
		.authorization = http_header(c->r, S("authorization")),
		.api_key = http_header(c->r, S("x-api-key")) };
	peer_shows(c);
	if (!auth_enabled(a) || auth_shows(a, &c->shows, &c->r->arena))
		return OK;
	if (c->ticket.n == 0)
		c->ticket = ticket_offered(c->r);
	if (c->ticket.n > 0)
		return take_ticket(c, c->ticket);
	value = cookie_of(c->r, &cookies);
	return cookies > 0 ? take_cookie(c, value, cookies) : OK;
}

/* ---- the cookie --------------------------------------------------------------------- */

/* life_s 0: takes it away. */
static struct str
cookie_line(const struct call *c, struct str value, long long life_s)
{
	bool local = is_local(c->r);

	return arena_fmt(&c->r->arena, "set-cookie: %s=%.*s; Path=/; Max-Age=%lld; HttpOnly; "
	    "SameSite=Strict%s\r\n", local ? COOKIE : HOST_COOKIE, FMT(value), life_s,
	    local ? "" : "; Secure");
}

struct str
session_over_lines(const struct call *c)
{
	bool own = c->shows.authorization.n > 0 || c->shows.api_key.n > 0 || c->ticket.n > 0;
	size_t n;

	cookie_of(c->r, &n);
	return n > 0 && (c->shows.in_session || !own) ? cookie_line(c, STR_NONE, 0) :
	    STR_NONE;
}

/* ---- routes --------------------------------------------------------------------------- */

static void
add_text(struct buf *b, const char *key, struct str s)
{
	if (s.n > 0)
		json_add_fmt(b, ",%s:%.*s", key, FMT(s));
	else
		json_add_fmt(b, ",%s:null", key);
}

/* Who it is, without what he showed. */
static int
show(struct call *c, struct str lines)
{
	const struct principal *p = &c->who;
	struct buf *b = call_out(c);

	json_add_fmt(b, "{'auth':%hhd,'session':%hhd,'credentials':%.*s",
	    auth_enabled(c->api->shared->o.auth), p->in_session, FMT(p->scheme));
	add_text(b, "user", p->user);
	add_text(b, "owner", p->subject);
	add_text(b, "organization", p->org);
	add_text(b, "name", p->name);
	add_text(b, "email", p->email);
	add_text(b, "role", p->role);
	json_add_fmt(b, ",'scopes':[");
	for (size_t i = 0; i < p->scopes_n; i++)
		json_add_fmt(b, ",%.*s", FMT(p->scopes[i]));
	buf_add_char(b, ']');
	if (p->expires == NEVER)
		json_add_fmt(b, ",'expires_at':null");
	else
		show_time(b, "expires_at", p->expires);
	buf_add_char(b, '}');
	return call_json(c, arena_join(&c->r->arena, S(NO_STORE), S(""), lines));
}

int
api_session_get(struct call *c)
{
	return show(c, STR_NONE);
}

/* At other nodes too, as far as can be known. */
static void
old_has_ended(struct auth_wait *w)
{
	struct call *c = CONTAINER_OF(w, struct call, asking);
	struct str line = c->lines;

	c->lines = STR_NONE;
	call_finish(c, show(c, line));
}

int
api_session_create(struct call *c)
{
	struct auth *a = c->api->shared->o.auth;
	msec now = shard_wall(c->r->shard), until;
	struct buf name = BUF(2 * PASS_CHARS);
	struct str old, line;
	size_t olds;
	int rc = fields_end(c->in);

	if (rc == OK)
		rc = own_page_check(c, true);
	if (rc == OK && c->who.in_session)
		rc = err_set(&c->err, ERR_DENIED, "a session is made with a token or an API "
		    "key, not with another session");
	if (rc != OK || !auth_enabled(a))
		return rc == OK ? show(c, STR_NONE) : rc;
	old = cookie_of(c->r, &olds);
	if (olds == 1)
		auth_session_end(a, old);
	auth_session_make(a, &c->shows, &c->who, now, &name, &until);
	c->who.in_session = true;
	c->who.expires = until;
	line = cookie_line(c, buf_str(&name), (until - now + 999) / 1000);
	buf_release(&name);
	c->lines = line;
	c->asking = (struct auth_wait){ .shard = c->r->shard, .done = old_has_ended };
	return olds == 1 && auth_session_end_wait(a, &c->asking) ? OK : show(c, line);
}

static void
confirm_end(struct call *c)
{
	size_t n;

	cookie_of(c->r, &n);
	call_reply(c, 204, STR_NONE, arena_join(&c->r->arena, S(NO_STORE), S(""), n > 0 ?
	    cookie_line(c, STR_NONE, 0) : STR_NONE), STR_NONE);
}

static void
end_was_heard(struct auth_wait *w)
{
	confirm_end(CONTAINER_OF(w, struct call, asking));
}

int
api_session_delete(struct call *c)
{
	struct auth *a = c->api->shared->o.auth;
	struct str value;
	size_t n;
	int rc;

	value = cookie_of(c->r, &n);
	rc = n > 0 ? own_page_check(c, false) : OK;
	if (rc != OK)
		return rc;
	if (n == 1)
		auth_session_end(a, value);
	c->asking = (struct auth_wait){ .shard = c->r->shard, .done = end_was_heard };
	if (n != 1 || !auth_session_end_wait(a, &c->asking))
		confirm_end(c);
	return OK;
}

int
api_session_ticket(struct call *c)
{
	struct buf name = BUF(2 * PASS_CHARS), *b;
	struct str thread = STR_NONE;
	struct uuid id = { { 0 } };
	msec until = 0;
	int rc;

	fields_str(c->in, "thread_id", LIMIT_NAME_BYTES, &thread);
	call_parse_id(c, "thread_id", thread, &id);
	rc = fields_end(c->in);
	if (rc == OK)
		rc = call_may_thread(c, THREADS_READ, &id);
	if (rc == OK)
		rc = call_audit_as(c, "sessions:ticket");
	if (rc != OK)
		return rc;
	auth_ticket_make(c->api->shared->o.auth, &c->shows, &c->who, &id,
	    shard_wall(c->r->shard), &name, &until);
	b = call_out(c);
	json_add_fmt(b, "{'ticket':%.*s", FMT(buf_str(&name)));
	show_time(b, "expires_at", until);
	buf_add_char(b, '}');
	buf_release(&name);
	return call_json(c, S(NO_STORE));
}
