/*
 * api.c - the life of the api, and the steps of a request:
 *
 *   head    route, host and origin, credentials and policy, ids of the path
 *   body    limits of the caller, owner, JSON, unsupported fields, hidden objects,
 *           audit, idempotency key, handler
 *
 * What the head is enough to refuse is refused before the body is read.
 *
 * Two steps may wait and continue in a later turn of the shard: creating an owner that
 * is seen for the first time, and asking the issuer or the verifier about credentials
 * (auth_ask).
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"

#include <assert.h>
#include <string.h>

#include "api/absent.h"
#include "api/door.h"
#include "api/once.h"
#include "api/peer.h"
#include "api/session.h"
#include "api/trace.h"
#include "base/log.h"
#include "base/mem.h"
#include "run/hosted_update.h"
#include "run/items.h"

#define BODY_DEFAULT  (64 * KB)              /* of routes that read none */
#define BODY_KEPT     (4 * KB)               /* while the answer is waited for */
#define OWNERS_CACHED 4096
#define SCRATCH_KEPT  (256 * KB)

/* ---- owners -------------------------------------------------------------- */

struct owner {
	struct str subject;
	owner_t id;
	char text[];
};

static uint64_t
subject_hash(const void *key)
{
	return str_hash_keyed(*(const struct str *)key);
}

static const void *
owner_subject(const void *value)
{
	return &((const struct owner *)value)->subject;
}

static bool
owner_is(const void *value, const void *key)
{
	return str_eq(((const struct owner *)value)->subject,
	    *(const struct str *)key);
}

static void
owners_clear(struct map *owners)
{
	size_t at = 0;
	void *o;

	for (o = map_each(owners, &at); o != NULL; o = map_each(owners, &at))
		free(o);
	map_release(owners);
	map_init(owners, subject_hash, owner_is, owner_subject);
}

static void
owner_remember(struct api *a, struct str subject, owner_t id)
{
	struct owner *o;

	/* Subjects come from outside: clear the cache rather than let it grow. */
	if (a->owners.n >= OWNERS_CACHED)
		owners_clear(&a->owners);
	if (map_get(&a->owners, &subject) != NULL)
		return;
	o = mem_zero(sizeof *o + subject.n);
	if (subject.n > 0)
		memcpy(o->text, subject.p, subject.n);
	o->subject = (struct str){ o->text, subject.n };
	o->id = id;
	map_put(&a->owners, o);
}

void
api_owner_forget(struct api *a, struct str subject)
{
	free(map_take(&a->owners, &subject));
}

/* ---- handling ------------------------------------------------------------ */

/* Replaces \u0000 by \ufffd. */
static void
add_without_nul(struct buf *out, struct str body)
{
	static const struct str nul = { "\\u0000", 6 };
	size_t from = 0;

	for (size_t i = 0; i + nul.n <= body.n; i++) {
		if (body.p[i] != '\\')
			continue;
		if (str_starts(str_sub(body, i, body.n), nul)) {
			buf_add(out, str_sub(body, from, i));
			buf_lit(out, "\\ufffd");
			from = i + nul.n;
		}
		i++;                         /* what is escaped begins nothing */
	}
	buf_add(out, str_sub(body, from, body.n));
}

int
api_text_parse(const struct call *c, struct json_doc *doc, struct err *why)
{
	bool work = c->route != NULL && (c->route->access == WORK_READ ||
	    c->route->access == WORK_UPDATE);
	struct str body = c->r->body;
	struct buf clean = BUF(SIZE_MAX / 2);
	int rc;

	if (work || memmem(body.p, body.n, "\\u0000", 6) == NULL)
		return json_parse(doc, body, why);
	add_without_nul(&clean, body);
	rc = json_parse(doc, buf_str(&clean), why);
	buf_release(&clean);
	return rc;
}

static int
body_parse(const struct call *c, struct json_doc *doc, struct err *e)
{
	struct err why;
	int rc;

	if (!(c->route->flags & ROUTE_BODY) ||
	    (c->r->body.n == 0 && (c->route->flags & ROUTE_BODY_OPTIONAL)) ||
	    ((c->route->flags & ROUTE_ACL) && call_acl_form(c) != ACL_JSON))
		return OK;
	if (c->r->body.n == 0)
		return err_set(e, ERR_INVALID, "body: expected an object, got nothing");
	rc = api_text_parse(c, doc, &why);
	return rc == OK ? OK : err_set(e, rc, "%s%s", rc == ERR_SYNTAX ?
	    "Malformed JSON in request body: " : "", why.text);
}

/* The body is read and released here. */
static int
call_do(struct call *c)
{
	struct json_doc doc = { 0 };
	struct buf body = BUF(0);
	struct fields in;
	int rc;

	/* A run may take hours; its input is read before it starts. */
	if (c->r->body.n > BODY_KEPT && (c->route->flags & ROUTE_BODY) &&
	    !(c->route->flags & (ROUTE_READS | ROUTE_KEEPS)))
		body = http_take_body(c->r);
	rc = body_parse(c, &doc, &c->err);
	if (rc == OK && (c->route->flags & ROUTE_ARRAY))
		fields_open_array(&in, doc.root, "body", LIMIT_BATCH_RUNS, &c->err);
	else
		fields_open(&in, doc.root, "body", &c->err);
	c->in = &in;
	if (rc == OK && peer_by_body(c, body.n > 0 ? buf_str(&body) : c->r->body, doc.root)) {
		json_release(&doc);
		buf_release(&body);
		return OK;
	}
	if (rc == OK) {
		absent_check(c, c->route->places);
		rc = in.rc;
	}
	if (rc == OK)
		rc = call_screen(c);
	if (rc == OK)
		rc = call_audit(c);
	if (rc == OK)
		rc = once_handle(c);
	json_release(&doc);
	buf_release(&body);
	return rc;
}

/* The last steps.  A run that it begins has its thread by then; one of a command begins in a
 * later turn, so the thread is kept until that is answered (call_leave). */
static int
call_serve(struct call *c)
{
	struct runs *runs = c->api->runs;
	struct uuid thread_id = c->thread_id;
	bool lets = c->keeps_thread && !(c->route->flags & ROUTE_COMMANDS);
	int rc;

	c->keeps_thread = c->keeps_thread && !lets;
	rc = call_do(c);
	if (lets)
		runs_let_thread(runs, &thread_id);
	return rc;
}

static int
call_begin(struct call *c)
{
	return peer_by_path(c, call_serve) ? OK : call_serve(c);
}

static int
owner_interned(struct call *c)
{
	c->owner = c->op.owner_intern.id;
	owner_remember(c->api, c->who.subject, c->owner);
	return call_begin(c);
}

int
call_operator(struct call *c, const char *what)
{
	return !auth_enabled(c->api->shared->o.auth) || principal_has(&c->who, S(SCOPE_ADMIN)) ?
	    OK : err_set(&c->err, ERR_DENIED, "%s: what others have is for operators: it needs "
	    "the scope admin", what);
}

/* An operator asks for what another owner has.  Nobody is made an owner by that. */
static int
other_owner(struct call *c)
{
	struct str subject = str_cut(param_str(c, "owner"), LIMIT_NAME_BYTES);
	int rc = call_operator(c, "owner");

	c->other = subject;
	if (rc != OK)
		return rc;
	rc = store_owner_find(c->api->reader, subject, &c->owner);
	if (rc == ERR_NOTFOUND && c->route->access == OWNERS_ERASE)
		rc = store_owner_leaving(c->api->reader, subject, &c->owner);
	if (rc == ERR_NOTFOUND)
		return err_set(&c->err, rc, "there is no owner \"%.*s\"", FMT(str_cut(subject, 100)));
	return rc < 0 ? err_set(&c->err, rc, "owner look-up: %s", rc_text(rc)) : call_begin(c);
}

/* Finds the owner's number: in the cache, on disk, or by making one. */
static int
call_owner(struct call *c)
{
	struct str subject = c->who.subject;
	const struct owner *o;
	int rc;

	if ((c->route->flags & ROUTE_OWNER) != 0 && param_str(c, "owner").p != NULL)
		return other_owner(c);
	o = map_get(&c->api->owners, &subject);
	if (o != NULL) {
		c->owner = o->id;
		return call_begin(c);
	}
	rc = store_owner_find(c->api->reader, subject, &c->owner);
	if (rc == ERR_NOTFOUND) {
		c->op.owner_intern = (struct store_owner_intern){ .subject = subject };
		return call_submit(c, STORE_OWNER_INTERN, owner_interned);
	}
	if (rc < 0)
		return err_set(&c->err, rc, "owner look-up: %s", rc_text(rc));
	owner_remember(c->api, subject, c->owner);
	return call_begin(c);
}

/* {thread_id} and {run_id} are always UUIDs; others are the handler's. */
static int
parse_ids(struct call *c)
{
	static const struct { struct str name; size_t at; } ids[] = {
		{ { "{thread_id}", 11 }, offsetof(struct call, thread_id) },
		{ { "{run_id}", 8 }, offsetof(struct call, run_id) },
	};
	struct str rest = str_of(c->route->path), part;
	size_t n = 0;

	while (str_next(&rest, '/', &part)) {
		if (part.n == 0 || part.p[0] != '{')
			continue;
		for (size_t i = 0; i < COUNT(ids); i++) {
			if (!str_eq(part, ids[i].name))
				continue;
			if (!uuid_parse(c->param[n], (void *)((char *)c + ids[i].at)))
				return err_set(&c->err, ERR_INVALID,
				    "%.*s: expected a UUID, got \"%.*s\"",
				    (int)part.n - 2, part.p + 1,
				    FMT(param_shown(c->param[n])));
		}
		n++;
	}
	return OK;
}

/* Credentials and policy.  ERR_AGAIN: auth_ask first. */
static int
call_identify(struct call *c, bool asked)
{
	int rc;

	c->shows.asked = asked;
	rc = auth_check(c->api->shared->o.auth, &c->shows, shard_wall(c->r->shard),
	    &c->r->arena, &c->who, &c->err);
	return rc == OK ? call_authorise(c) : rc;
}

/* c->unknown: the credentials cannot be checked here; handle() asks, once the body is
 * read. */
static int
call_authenticate(struct call *c)
{
	int rc = OK;

	if (!(c->route->flags & ROUTE_OPEN)) {
		rc = call_shows(c);
		if (rc == OK)
			rc = call_identify(c, false);
	}
	c->unknown = rc == ERR_AGAIN;
	return rc == OK || c->unknown ? parse_ids(c) : rc;
}

static int
no_route(struct call *c, int rc)
{
	const char *absent = absent_route_name(c->r->method, c->r->path);
	struct buf allow = BUF(256);

	if (c->err.text[0] != '\0')
		return rc;
	if (absent != NULL)
		return err_set(&c->err, ERR_NOTFOUND, "%s is not supported yet", absent);
	if (rc == ERR_NOTFOUND)
		return err_set(&c->err, rc, "404 Not Found");
	router_allow(c->api->shared->router, c->r->path, &allow);
	c->lines = arena_fmt(&c->r->arena, "allow: %.*s\r\n", FMT(buf_str(&allow)));
	err_set(&c->err, rc, "method %.*s is not allowed here; allow: %.*s",
	    FMT(c->r->method), FMT(buf_str(&allow)));
	buf_release(&allow);
	return rc;
}

/* The route of the call; ERR_NOTFOUND too if its group is turned off. */
static int
find_route(struct api_shared *sh, struct call *c)
{
	enum route_group group;
	int rc;

	/* One that waited for room comes again (room.c), with its path as it was left. */
	if (c->r->tag == NULL && !mount_strip(sh->o.prefix, &c->r->path))
		return err_set(&c->err, ERR_NOTFOUND, "404 Not Found: the paths of this "
		    "server begin with %.*s", FMT(sh->o.prefix));
	rc = router_find(sh->router, c->r->method, c->r->path, &c->route, c->param);
	if (sh->o.groups_off == 0)
		return rc;
	group = route_group(c->r->path);
	if (!(sh->o.groups_off >> group & 1))
		return rc;
	c->route = NULL;
	return err_set(&c->err, ERR_NOTFOUND, "404 Not Found: http.disable-%s turns these "
	    "routes off", route_group_names[group]);
}

/* How large a body may be; 0 when the call was answered. */
static size_t
head(void *ctx, struct http_req *r)
{
	struct api_shared *sh = ctx;
	struct call *c = arena_new(&r->arena, struct call);
	const struct route *route;
	int found, rc;

	assert(c != NULL && shard_id(r->shard) < sh->o.shards);
	c->api = sh->at[shard_id(r->shard)];
	c->r = r;
	r->user = c;
	c->ticket = ticket_cut(r);
	found = find_route(sh, c);
	r->tag = route = c->route;
	rc = origin_check(&sh->o.origin, http_header(r, S("host")), http_header(r,
	    S("origin")), route != NULL && (route->flags & ROUTE_ORIGIN), &c->err);
	if (rc == OK && str_eq(r->method, S("OPTIONS"))) {
		call_reply(c, 204, STR_NONE, cors_preflight(&sh->o.cors, r), STR_NONE);
		return 0;
	}
	if (rc == OK)
		rc = found < 0 ? no_route(c, found) : call_authenticate(c);
	call_finish(c, rc);
	if (rc < 0)
		return 0;
	return route->body_max > 0 ? route->body_max : BODY_DEFAULT;
}

static void
call_entered(struct call *c, int rc)
{
	if (rc == OK)
		rc = c->who.subject.n > 0 ? call_owner(c) : call_begin(c);
	call_finish(c, rc);
}

/* The caller is known and the body is there. */
static void
call_proceed(struct call *c)
{
	/* One of another node's client has its place there. */
	int rc = c->r->through != NULL ? OK : call_enter(c, call_entered);

	if (rc != ERR_AGAIN)
		call_entered(c, rc);
}

static int call_ask(struct call *c);

/* The credentials were checked: rc.  The issuer or the verifier is asked once. */
static void
call_checked(struct call *c, int rc)
{
	if (rc == ERR_AGAIN && !c->shows.asked)
		call_finish(c, call_ask(c));
	else if (rc == OK)
		call_proceed(c);
	else
		call_finish(c, rc);
}

static void
call_asked(struct auth_wait *w)
{
	struct call *c = CONTAINER_OF(w, struct call, asking);

	call_checked(c, call_identify(c, true));
}

/* Other nodes were asked for the session or the ticket. */
static void
call_was_shown(struct auth_wait *w)
{
	struct call *c = CONTAINER_OF(w, struct call, asking);
	int rc;

	c->peers_asked = true;
	rc = call_shows(c);
	call_checked(c, rc == OK ? call_identify(c, false) : rc);
}

static int
call_ask(struct call *c)
{
	c->asking = (struct auth_wait){ .shard = c->r->shard,
	    .done = c->shows.lacks ? call_was_shown : call_asked };
	return auth_ask(c->api->shared->o.auth, &c->shows, &c->asking, &c->err);
}

static void
handle(void *ctx, struct http_req *r)
{
	struct call *c = r->user;

	request_read(ctx, r);
	call_checked(c, c->unknown ? ERR_AGAIN : OK);
}

void
api_handle(struct api_shared *sh, struct http_req *r)
{
	if (head(sh, r) > 0)
		handle(sh, r);
}

/* ---- store commands ------------------------------------------------------ */

static void
command_done(struct store_cmd *cmd)
{
	struct call *c = CONTAINER_OF(cmd, struct call, op.cmd);

	api_call_check(c);
	assert(!cmd->under_way && c->in == NULL);
	request_stores(c->api->shared, c->r, false);
	update_free(c->update);
	c->update = NULL;
	if (cmd->rc < 0)
		door_forget(c);
	if (cmd->rc < 0)
		call_fail(c, cmd->rc, &cmd->err);
	else if (c->then == NULL)
		call_empty(c, 204);
	else
		call_finish(c, c->then(c));
}

/* True: c->op can be sent. */
static bool
command_ready(struct call *c, enum store_op op, int (*then)(struct call *c))
{
	api_call_check(c);
	assert(c->update == NULL || c->in == NULL || c->in->rc == OK);
	if (c->in != NULL && c->in->rc < 0)
		return false;
	c->in = NULL;
	c->op.cmd.op = op;
	c->op.cmd.owner = c->owner;
	c->op.cmd.arena = &c->r->arena;
	c->op.cmd.done = command_done;
	c->op.cmd.once = c->with_key ? &c->once : NULL;
	c->op.cmd.quota = call_quota(c);
	call_guard(c);
	c->then = then;
	return true;
}

static int
command_sent(struct call *c, int rc)
{
	if (rc == OK) {
		request_stores(c->api->shared, c->r, true);
		return OK;
	}
	update_free(c->update);
	c->update = NULL;
	if (c->op.cmd.err.text[0] == '\0')
		return err_set(&c->err, rc, "the store is busy; try again");
	c->err = c->op.cmd.err;
	return rc;
}

int
call_submit_to(struct call *c, struct store *st, enum store_op op,
    int (*then)(struct call *c))
{
	return command_ready(c, op, then) ? command_sent(c, store_submit(st, c->api->shard,
	    &c->op.cmd, false)) : c->in->rc;
}

int
call_submit(struct call *c, enum store_op op, int (*then)(struct call *c))
{
	return call_submit_to(c, c->api->shared->o.store, op, then);
}

int
call_submit_item(struct call *c, enum store_op op, int (*then)(struct call *c))
{
	return command_ready(c, op, then) ? command_sent(c, items_submit(c->api->runs,
	    &c->op.cmd)) : c->in->rc;
}

/* ---- the server's hooks -------------------------------------------------- */

static void
error_body(void *ctx, int status, struct str message, struct buf *out,
    struct str *content_type)
{
	const struct api_shared *sh = ctx;

	(void)status;
	*content_type = answer_add_error(out, sh->o.plain_errors, message);
}

static void
trim(struct buf *b)
{
	if (b->cap > SCRATCH_KEPT)
		buf_release(b);
}

void
api_trim(struct api *a)
{
	trim(&a->out);
	trim(&a->scratch);
}

static void
log_request(const struct api_shared *sh, const struct http_req *r, int status, nsec took,
    size_t bytes_out)
{
	enum log_level level = sh->o.access_log ? LOG_INFO : LOG_DEBUG;
	struct buf headers = BUF(4 * (size_t)LIMIT_HTTP_HEADER_BYTES);

	if (sh->o.logged.includes.n == 0) {
		log_at(level, "api", "request",
		    "method=%.*s path=%.*s status=%d ms=%.3f bytes=%zu peer=%.*s",
		    FMT(r->method), FMT(r->path), status, (double)took / NS_PER_MS,
		    bytes_out, FMT(r->peer));
		return;
	}
	header_add_logged(&headers, r, &sh->o.logged);
	log_at(level, "api", "request",
	    "method=%.*s path=%.*s status=%d ms=%.3f bytes=%zu peer=%.*s headers=%.*s",
	    FMT(r->method), FMT(r->path), status, (double)took / NS_PER_MS,
	    bytes_out, FMT(r->peer), FMT(buf_str(&headers)));
	buf_release(&headers);
}

static void
ending(void *ctx, struct http_req *r)
{
	call_leave(ctx, r);
}

static void
answered(void *ctx, struct http_req *r, int status, size_t bytes_out)
{
	struct api_shared *sh = ctx;
	struct api *a = sh->at[shard_id(r->shard)];
	const struct route *tag = r->tag;
	size_t route = METRICS_ROUTES - 1;
	nsec took = clock_mono() - r->started;       /* the loop's is of the turn */

	call_leave(sh, r);
	if (tag != NULL)
		route = (size_t)(tag - routes);
	if (r->through != NULL)
		return;              /* the node of its client counts and logs it */
	metrics_count(&a->metrics, route, status, took, bytes_out);
	request_trace(a, r, status, took);
	request_tell_slow(sh, r, status, took, bytes_out);
	log_request(sh, r, status, took, bytes_out);
	api_trim(a);
}

static void
quiet(void *ctx, struct shard *s)
{
	struct api *a = ((struct api_shared *)ctx)->at[shard_id(s)];

	if (a == NULL)
		return;
	buf_release(&a->out);
	buf_release(&a->scratch);
	store_reader_trim(a->reader);
}

/* ---- life ---------------------------------------------------------------- */

int
api_options_check(const struct api_options *o, struct err *e)
{
	int rc = origin_rules_check(&o->origin, e);

	if (rc == OK)
		rc = cors_rules_check(&o->cors, &o->origin, e);
	if (rc == OK)
		rc = mount_check(o->prefix, e);
	if (rc == OK)
		rc = header_rules_check(&o->configurable, "http.configurable-headers", e);
	if (rc == OK)
		rc = header_rules_check(&o->logged, "http.logging-headers", e);
	if (rc == OK)
		rc = openapi_check(o->openapi, e);
	return rc == OK ? assistants_check(o->assistants, e) : rc;
}

struct api_shared *
api_shared_new(const struct api_options *o)
{
	struct api_shared *sh = mem_new(struct api_shared);

	assert(routes_n < METRICS_ROUTES && o->shards > 0);
	sh->o = *o;
	sh->router = router_new(routes, routes_n);
	sh->at = mem_zero(o->shards * sizeof *sh->at);
	sh->hooks = (struct http_hooks){
		.head = head, .handle = handle,
		.error_body = error_body, .ends = ending, .done = answered, .quiet = quiet,
		.ctx = sh,
		.error_lines = S(API_CORS),
	};
	sh->away = BUF(4 * KB);
	sh->away_type = answer_add_error(&sh->away, o->plain_errors, S("the server that has "
	    "this thread or run cannot be reached; try again"));
	return sh;
}

void
api_shared_free(struct api_shared *sh)
{
	if (sh == NULL)
		return;
	router_free(sh->router);
	buf_release(&sh->away);
	free(sh->at);
	free(sh);
}

void
api_set_relay(struct api *a, struct relay *rl)
{
	a->relay = rl;
}

void
api_count_guests(struct api *a, const struct wasm_agents *guests)
{
	a->guests = guests;
}

struct api *
api_new(struct api_shared *sh, struct shard *s, struct runs *rs, struct office *office,
    struct worker_desk *desk, struct wasm_desk *wasm, struct store_reader *reader)
{
	struct api *a = mem_new(struct api);

	assert(shard_id(s) < sh->o.shards && sh->at[shard_id(s)] == NULL);
	a->shared = sh;
	a->shard = s;
	a->runs = rs;
	a->office = office;
	a->desk = desk;
	a->wasm = wasm;
	a->reader = reader;
	a->out = BUF(2 * (size_t)LIMIT_STATE_BYTES);
	a->scratch = BUF(a->out.max);            /* the two are swapped at times */
	map_init(&a->owners, subject_hash, owner_is, owner_subject);
	room_init(a);
	sh->at[shard_id(s)] = a;
	return a;
}

void
api_drained(struct api *a)
{
	void (*drained)(void *ctx) = a->drained;

	if (drained == NULL || a->feeds != NULL || a->mailboxes != NULL ||
	    a->sockets != NULL)
		return;
	a->drained = NULL;
	drained(a->drained_ctx);
}

void
api_drain(struct api *a, void (*done)(void *ctx), void *ctx)
{
	a->draining = true;
	feeds_end(a);
	mailboxes_end(a);
	sockets_end(a);
	hosted_updates_stop(a->runs);
	a->drained = done;
	a->drained_ctx = ctx;
	api_drained(a);
}

void
api_free(struct api *a)
{
	if (a == NULL)
		return;
	a->shared->at[shard_id(a->shard)] = NULL;
	room_release(a);
	owners_clear(&a->owners);
	map_release(&a->owners);
	buf_release(&a->out);
	buf_release(&a->scratch);
	free(a);
}

const struct http_hooks *
api_hooks(struct api_shared *sh)
{
	return &sh->hooks;
}
