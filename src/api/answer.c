/*
 * answer.c - how a call ends: statuses, headers and the shape of errors.
 *
 * Errors are {"detail": "<words>"}, or with --plain-errors the bare words.
 * An internal error tells the client an id and the log the reason under it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/openai.h"
#include "api/session.h"
#include "api/socket.h"

#include <assert.h>

#include "base/log.h"

static const struct { int rc, status; } statuses[] = {
	{ OK, 200 },            { ERR_SYNTAX, 400 },    { ERR_UNAUTH, 401 },
	{ ERR_DENIED, 403 },    { ERR_NOTFOUND, 404 },  { ERR_METHOD, 405 },
	{ ERR_CONFLICT, 409 },  { ERR_TOOBIG, 413 },    { ERR_INVALID, 422 },
	{ ERR_LIMIT, 429 },     { ERR_HEADERS, 431 },   { ERR_IO, 500 },
	{ ERR_CLOSED, 502 },    { ERR_BUSY, 503 },      { ERR_TIMEOUT, 504 },
	{ ERR_CANCELLED, 503 }, { ERR_AGAIN, 429 },     { ERR_MEDIA, 415 },
};
#define X(name, value, text) + 1
_Static_assert(COUNT(statuses) == 1 RC_MAP(X), "every rc needs a status");
#undef X

int
api_status(int rc)
{
	for (size_t i = 0; i < COUNT(statuses); i++) {
		if (statuses[i].rc == rc)
			return statuses[i].status;
	}
	return 500;
}

void
api_call_check(const struct call *c)
{
	assert(c != NULL && c->api != NULL && c->r != NULL);
	assert(c->r->user == c && c->r->shard == c->api->shard);
}

struct buf *
call_out(struct call *c)
{
	api_call_check(c);
	buf_clear(&c->api->out);
	c->api->out.failed = false;
	return &c->api->out;
}

struct str
call_cors(struct call *c)
{
	const struct api_options *o = &c->api->shared->o;

	return cors_lines(&o->cors, &o->origin, c->r);
}

void
call_reply(struct call *c, int status, struct str content_type,
    struct str extra, struct str body)
{
	struct buf head = BUF(8 * KB);
	struct api *a = c->api;

	api_call_check(c);
	call_audit_end(c, status);
	if (extra.n == 0 && !c->repeated) {
		http_reply(c->r, status, content_type, call_cors(c), body);
		api_trim(a);
		return;
	}
	buf_add(&head, call_cors(c));
	buf_add(&head, extra);
	if (c->repeated)
		buf_lit(&head, "idempotency-replayed: true\r\n");
	assert(!head.failed);
	http_reply(c->r, status, content_type, buf_str(&head), body);
	buf_release(&head);
	api_trim(a);
}

int
call_json(struct call *c, struct str extra)
{
	const struct buf *out = &c->api->out;

	if (out->failed)
		return err_set(&c->err, ERR_TOOBIG,
		    "the answer is larger than %zu bytes", out->max);
	call_reply(c, 200, S("application/json"), extra, buf_str(out));
	return OK;
}

int
call_page(struct call *c, struct str page)
{
	call_reply(c, 200, S("text/html; charset=utf-8"),
	    S("Content-Security-Policy: default-src 'none'; style-src "
	    "'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'\r\n"
	    "X-Content-Type-Options: nosniff\r\n"), page);
	return OK;
}

int
call_object(struct call *c, const struct member *m, const void *object)
{
	if (!call_has_room(c))
		return OK;
	members_add(call_out(c), m, MEMBERS_ALL, object);
	return call_json(c, c->lines);
}

int
call_list(struct call *c, const struct member *m, const void *objects, size_t size,
    size_t n, struct str extra)
{
	struct buf *b;

	if (!call_has_room(c))
		return OK;
	b = call_out(c);
	buf_add_char(b, '[');
	for (size_t i = 0; i < n; i++)
		members_add(b, m, c->select, (const char *)objects + i * size);
	buf_add_char(b, ']');
	return call_json(c, extra);
}

void
call_empty(struct call *c, int status)
{
	call_reply(c, status, STR_NONE, STR_NONE, STR_NONE);
}

struct str
answer_add_error(struct buf *b, bool plain, struct str message)
{
	if (plain) {
		buf_add(b, message);
		return S("text/plain; charset=utf-8");
	}
	json_add_fmt(b, "{'detail':%.*s}", FMT(message));
	return S("application/json");
}

/* Header lines a status must or should bring. */
static struct str
status_lines(const struct call *c, int status)
{
	switch (status) {
	case 401:
		return arena_join(&c->r->arena, S("www-authenticate: Bearer\r\n"), S(""),
		    session_over_lines(c));
	case 405:
		return c->lines;
	case 429:
		return arena_fmt(&c->r->arena, "retry-after: %lld\r\n",
		    c->retry_s > 0 ? (long long)c->retry_s : 1LL);
	case 503:
		return S("retry-after: 1\r\n");
	default:
		return STR_NONE;
	}
}

/* What happened stays in the log; the client gets an id to ask about. */
static void
hide_internal(const struct call *c, int rc, struct err *e)
{
	struct uuid id = uuid_v7();
	char text[UUID_TEXT];

	uuid_format(&id, text);
	log_error("api", "internal-error", "id=%.*s method=%s route=%s rc=%s text=%s",
	    UUID_TEXT, text, c->route != NULL ? c->route->method : "",
	    c->route != NULL ? c->route->path : "", rc_name(rc), e->text);
	err_set(e, rc, "Internal Server Error (id %.*s)", UUID_TEXT, text);
}

/* Words for a failure that has none: what the path names is not there. */
static void
add_words(const struct call *c, int rc, struct err *e)
{
	struct str path = str_of(c->route != NULL ? c->route->path : NULL);
	char id[UUID_TEXT];

	uuid_format(&c->thread_id, id);
	if (rc != ERR_NOTFOUND)
		err_set(e, rc, "%s", rc_text(rc));
	else if (str_contains(path, S("{run_id}")))
		err_set(e, rc, "Run not found");
	else if (str_contains(path, S("{assistant_id}")))
		err_set(e, rc, "Assistant not found");
	else if (str_eq(c->r->method, S("PATCH")))
		err_set(e, rc, "Thread not found");
	else
		err_set(e, rc, "Thread with ID %.*s not found", UUID_TEXT, id);
}

struct err
call_words(struct call *c, int rc, const struct err *e)
{
	struct err shown = *e;

	assert(rc < 0);
	if (rc == ERR_DENIED)
		call_audit_denied(c, e);
	if (shown.text[0] == '\0' || str_eq(str_of(shown.text), str_of(rc_text(rc))))
		add_words(c, rc, &shown);
	if (api_status(rc) == 500)
		hide_internal(c, rc, &shown);
	return shown;
}

void
call_fail(struct call *c, int rc, const struct err *e)
{
	int status = api_status(rc);
	struct err shown;
	struct buf *out;
	struct str type;

	if (c->failed != NULL) {
		c->failed(c, rc, e);
		return;
	}
	shown = call_words(c, rc, e);
	if (socket_refuse(c, status, str_of(shown.text)))
		return;
	out = call_out(c);
	if (str_starts(c->r->path, S("/v1/"))) {
		openai_add_error(out, status, str_of(shown.text));
		type = S("application/json");
	} else {
		type = answer_add_error(out, c->api->shared->o.plain_errors,
		    str_of(shown.text));
	}
	call_reply(c, status, type, status_lines(c, status), buf_str(out));
}

void
call_finish(struct call *c, int rc)
{
	if (rc < 0)
		call_fail(c, rc, &c->err);
}
