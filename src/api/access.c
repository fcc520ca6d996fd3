/*
 * access.c - what the policy allows the caller: for the route's action, and for further
 * actions of a handler.
 *
 * A request that names a hidden object is handled for an owner who has no objects
 * (OWNER_NOBODY).  So it is answered exactly as one that names an object that does not
 * exist.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"

#include <assert.h>
#include <stdlib.h>

#include "auth/audit.h"
#include "auth/policy.h"
#include "base/json.h"
#include "base/mem.h"
#include "net/host.h"
#include "store/guard.h"

#define OWNER_NOBODY INT64_MAX               /* numbers are given from 1 on */

/* ---- asking ------------------------------------------------------------------------ */

static int
ask(struct call *c, enum access a, struct grant *out)
{
	struct policy *p = c->api->shared->o.policy;

	*out = (struct grant){ .filter_json = STR_NONE };
	return p == NULL ? OK :
	    policy_ask(p, a, &c->who, &c->r->arena, out, &c->err);
}

/* Without credentials a worker is let in from this machine only: it takes the tasks of all
 * owners. */
static bool
is_near(const struct http_req *r)
{
	if (str_eq(r->peer, S(HTTP_PEER_UNIX)))
		return true;
	return host_kind(host_of_peer(r->peer)) == HOST_LOOPBACK;
}

/* A worker's key opens the routes of workers and no others, which no other key opens. */
static int
check_worker(struct call *c)
{
	enum access a = c->route->access;
	bool off = !auth_enabled(c->api->shared->o.auth);

	if (a == WORKERS_SERVE && c->api->shared->o.worker_certs && c->r->cert == NULL)
		return err_set(&c->err, ERR_DENIED, "this route is for workers with a client "
		    "certificate that the server verifies (tls.client-auth: workers)");
	if (a == WORKERS_SERVE && off)
		return is_near(c->r) ? OK : err_set(&c->err, ERR_DENIED, "without "
		    "authentication workers are served from this machine only; make a key: "
		    "cohort token --api-key --sub NAME --limits scopes=worker");
	if (a == WORKERS_SERVE)
		return principal_is_worker(&c->who) ? OK : err_set(&c->err, ERR_DENIED,
		    "this route is for workers: it needs a key with scopes=worker");
	if (principal_is_worker(&c->who))
		return err_set(&c->err, ERR_DENIED, "a worker's key opens the routes of "
		    "workers only");
	if ((a == WORKERS_READ || a == WORKERS_UPDATE || a == CLUSTER_READ ||
	    a == SETTINGS_READ || a == OWNERS_ERASE) && !off &&
	    !principal_has(&c->who, S(SCOPE_ADMIN)))
		return err_set(&c->err, ERR_DENIED, "this route is for operators: it needs the "
		    "scope admin");
	return OK;
}

int
call_authorise(struct call *c)
{
	int rc;

	if (c->route->access == ACCESS_NONE)
		return OK;
	rc = check_worker(c);
	/* To a worker its key is the grant: a policy is about users. */
	return rc == OK && c->route->access != WORKERS_SERVE ?
	    ask(c, c->route->access, &c->grant) : rc;
}

int
call_may(struct call *c, enum access a, struct str metadata_json)
{
	struct grant g;
	int rc = ask(c, a, &g);

	if (rc == OK && metadata_json.n > 0 && !guard_test(g.filter_json, metadata_json))
		rc = ERR_NOTFOUND;
	return rc;
}

int
call_may_thread(struct call *c, enum access a, const struct uuid *id)
{
	struct store_thread t;
	struct grant g;
	int rc = ask(c, a, &g);

	if (rc < 0 || g.filter_json.n == 0)
		return rc;
	rc = store_thread_get(c->api->reader, c->owner, id, &c->r->arena, &t);
	return rc == OK && !guard_test(g.filter_json, t.metadata_json) ? ERR_NOTFOUND :
	    rc == ERR_NOTFOUND ? OK : rc;
}

int
call_may_run(struct call *c, enum access a, const struct uuid *id)
{
	struct store_run run;
	int rc;

	if (c->api->shared->o.policy == NULL)
		return OK;
	rc = store_run_get(c->api->reader, c->owner, id, &c->r->arena, &run);
	return rc == OK ? call_may_thread(c, a, &run.thread_id) :
	    rc == ERR_NOTFOUND ? OK : rc;
}

/* ---- objects that are hidden --------------------------------------------------------- */

/* The metadata of what a request names; empty: there is nothing, or it has none. */
typedef struct str find_metadata(struct call *c, struct str id);

static struct str
thread_metadata(struct call *c, struct str id)
{
	struct store_thread t;
	struct uuid uuid;

	return uuid_parse(id, &uuid) && store_thread_get(c->api->reader, c->owner, &uuid,
	    &c->r->arena, &t) == OK ? t.metadata_json : STR_NONE;
}

/* A run's is its thread's. */
static struct str
run_metadata(struct call *c, struct str id)
{
	struct store_run run;
	struct store_thread t;
	struct uuid uuid;

	return uuid_parse(id, &uuid) && store_run_get(c->api->reader, c->owner, &uuid,
	    &c->r->arena, &run) == OK && store_thread_get(c->api->reader, c->owner,
	    &run.thread_id, &c->r->arena, &t) == OK ? t.metadata_json : STR_NONE;
}

static struct str
assistant_metadata(struct call *c, struct str id)
{
	struct store_assistant a;

	return api_assistant_load(c, id, &a) == OK ? a.metadata_json : STR_NONE;
}

static struct str
cron_metadata(struct call *c, struct str id)
{
	struct store_cron cron;
	struct uuid uuid;

	return uuid_parse(id, &uuid) && store_cron_get(c->api->reader, c->owner, &uuid,
	    &c->r->arena, &cron) == OK ? cron.metadata_json : STR_NONE;
}

/* The object that a path's parameter names, and the action on it: `read` in a route that
 * creates an object of its kind (a copy), `used` in a route about objects of another kind
 * (a cron on a thread), the route's own action in all others. */
static const struct {
	const char *param;
	find_metadata *find;
	enum access create, read, used;
} named[] = {
	{ "{thread_id}", thread_metadata, THREADS_CREATE, THREADS_READ, THREADS_CREATE_RUN },
	{ "{run_id}", run_metadata, THREADS_CREATE, THREADS_READ, THREADS_READ },
	{ "{assistant_id}", assistant_metadata, ASSISTANTS_CREATE, ASSISTANTS_READ,
	    ASSISTANTS_READ },
	{ "{cron_id}", cron_metadata, CRONS_CREATE, CRONS_READ, CRONS_READ },
};

static int
screen_param(struct call *c, struct str part, struct str value)
{
	for (size_t i = 0; i < COUNT(named); i++) {
		struct grant g = c->grant;
		struct str metadata;
		int rc = OK;

		if (!str_eq(part, str_of(named[i].param)))
			continue;
		if (c->route->access == named[i].create)
			rc = ask(c, named[i].read, &g);
		else if (!str_eq(access_resource(c->route->access),
		    access_resource(named[i].read)))
			rc = ask(c, named[i].used, &g);
		if (rc < 0)
			return rc;
		metadata = g.filter_json.n > 0 ? named[i].find(c, value) : STR_NONE;
		if (metadata.n > 0 && !guard_test(g.filter_json, metadata))
			c->owner = OWNER_NOBODY;
	}
	return OK;
}

/* if_exists=do_nothing reads an object that exists. */
static void
screen_body(struct call *c, enum access create, enum access read, const char *field,
    find_metadata *find)
{
	struct str metadata;

	if (c->route->access != create)
		return;
	metadata = find(c, json_str(json_get(c->in->node, str_of(field))));
	if (metadata.n > 0 && call_may(c, read, metadata) < 0)
		c->owner = OWNER_NOBODY;
	c->err = (struct err){ .code = OK };
}

int
call_screen(struct call *c)
{
	struct str rest = str_of(c->route->path), part;
	size_t n = 0;
	int rc = OK;

	if (c->api->shared->o.policy == NULL || c->route->access == ACCESS_NONE)
		return OK;
	while (rc == OK && str_next(&rest, '/', &part))
		if (part.n > 0 && part.p[0] == '{')
			rc = screen_param(c, part, c->param[n++]);
	screen_body(c, THREADS_CREATE, THREADS_READ, "thread_id", thread_metadata);
	screen_body(c, ASSISTANTS_CREATE, ASSISTANTS_READ, "assistant_id",
	    assistant_metadata);
	return rc;
}

/* ---- streams that come before their thread ---------------------------------------------- */

void
unseen_begin(struct unseen *u, struct call *c)
{
	struct store_thread t;

	*u = (struct unseen){ .api = c->api, .owner = c->owner, .thread_id = c->thread_id };
	if (c->grant.filter_json.n > 0 && api_thread_find(c, &t) == ERR_NOTFOUND)
		u->filter = mem_cstr(c->grant.filter_json);
}

bool
unseen_may(struct unseen *u)
{
	struct arena arena = ARENA(LIMIT_STATE_BYTES);
	struct store_thread t;
	bool may = true;

	if (u->filter == NULL)
		return true;
	may = store_thread_get(u->api->reader, u->owner, &u->thread_id, &arena, &t) == OK &&
	    guard_test(str_of(u->filter), t.metadata_json);
	arena_release(&arena);
	unseen_end(u);
	return may;
}

void
unseen_end(struct unseen *u)
{
	free(u->filter);
	u->filter = NULL;
}

/* ---- stamps -------------------------------------------------------------------------- */

/* Is `key` stamped when the caller creates such an object?  stamp NULL: he may not create
 * one; then a key that any rule stamps counts. */
static bool
is_stamped(struct call *c, enum access create, jnode stamp, struct str key)
{
	return stamp != NULL ? json_get(stamp, key) != NULL :
	    policy_stamps(c->api->shared->o.policy, create, key);
}

/* The metadata of an update, without stamped keys: an update cannot change them. */
static struct str
without_stamps(struct call *c, enum access create, struct str metadata_json)
{
	struct json_doc d = { 0 }, stamp = { 0 };
	struct grant g;
	struct err was = c->err;
	bool makes = ask(c, create, &g) == OK;
	struct buf b = BUF(LIMIT_METADATA_BYTES);
	struct json_iter it;
	bool stamped = false;

	c->err = was;
	if (makes)
		json_parse(&stamp, g.stamp_json.n > 0 ? g.stamp_json : S("{}"), NULL);
	if (json_parse(&d, metadata_json, NULL) == OK) {
		it = json_each(d.root);
		buf_add_char(&b, '{');
		while (json_next(&it)) {
			if (is_stamped(c, create, stamp.root, json_str(it.key)))
				stamped = true;
			else
				json_add_fmt(&b, ",%.*s:%p", FMT(json_str(it.key)),
				    (void *)it.value);
		}
		buf_add_char(&b, '}');
	}
	if (stamped && !b.failed)
		metadata_json = arena_str(&c->r->arena, buf_str(&b));
	json_release(&d);
	json_release(&stamp);
	buf_release(&b);
	return metadata_json;
}

static struct str
with_stamps(struct call *c, struct str stamp_json, struct str metadata_json)
{
	struct json_doc d = { 0 }, stamp = { 0 };
	struct buf b = BUF(2 * (size_t)LIMIT_METADATA_BYTES);

	if ((metadata_json.n == 0 || json_parse(&d, metadata_json, NULL) == OK) &&
	    json_parse(&stamp, stamp_json, NULL) == OK)
		json_add_merged(&b, d.root, stamp.root);
	metadata_json = arena_str(&c->r->arena, buf_str(&b));
	json_release(&d);
	json_release(&stamp);
	buf_release(&b);
	return metadata_json;
}

/* Commands that write metadata. */
static const struct {
	enum store_op op;
	bool changes;                        /* an update; else it creates */
	enum access create;
	size_t at;
} stamped[] = {
	{ STORE_ASSISTANT_CREATE, false, ASSISTANTS_CREATE,
	    offsetof(struct store_assistant_create, a.metadata_json) },
	{ STORE_ASSISTANT_UPDATE, true, ASSISTANTS_CREATE,
	    offsetof(struct store_assistant_update, a.metadata_json) },
	{ STORE_THREAD_CREATE, false, THREADS_CREATE,
	    offsetof(struct store_thread_create, t.metadata_json) },
	{ STORE_THREAD_COPY, false, THREADS_CREATE,
	    offsetof(struct store_thread_copy, metadata_json) },
	{ STORE_THREAD_UPDATE, true, THREADS_CREATE,
	    offsetof(struct store_thread_update, metadata_json) },
	{ STORE_CRON_CREATE, false, CRONS_CREATE,
	    offsetof(struct store_cron_create, c.metadata_json) },
	{ STORE_CRON_UPDATE, true, CRONS_CREATE,
	    offsetof(struct store_cron_update, c.metadata_json) },
};

static const struct { enum store_op op; enum access access; } searches[] = {
	{ STORE_ASSISTANT_SEARCH, ASSISTANTS_SEARCH },
	{ STORE_THREAD_SEARCH, THREADS_SEARCH },
	{ STORE_INTERRUPT_SEARCH, THREADS_SEARCH },
	{ STORE_ITEM_SEARCH, STORE_SEARCH },
	{ STORE_CRON_SEARCH, CRONS_SEARCH },
};

/* A route of another action may search too: without the right to search it finds nothing. */
static struct str
search_guard(struct call *c, enum access a)
{
	struct grant g = c->grant;
	struct err was = c->err;
	int rc = c->route->access == a ? OK : ask(c, a, &g);

	c->err = was;
	return rc == OK ? g.filter_json : S("{\"$or\":[]}");
}

void
call_guard(struct call *c)
{
	struct store_cmd *cmd = &c->op.cmd;

	if (c->api->shared->o.policy == NULL)
		return;
	for (size_t i = 0; i < COUNT(searches); i++)
		if (searches[i].op == cmd->op)
			cmd->guard = search_guard(c, searches[i].access);
	for (size_t i = 0; i < COUNT(stamped); i++) {
		struct str *metadata = (struct str *)((char *)cmd + stamped[i].at);

		if (stamped[i].op != cmd->op)
			continue;
		if (stamped[i].changes && metadata->n > 0)
			*metadata = without_stamps(c, stamped[i].create, *metadata);
		if (!stamped[i].changes && c->grant.stamp_json.n > 0)
			*metadata = with_stamps(c, c->grant.stamp_json, *metadata);
	}
}

struct str
call_stamp(struct call *c)
{
	struct err was = c->err;
	struct grant g;
	int rc = ask(c, THREADS_CREATE, &g);

	c->err = was;
	return rc == OK ? g.stamp_json : c->grant.stamp_json;
}

/* ---- the store's namespaces ---------------------------------------------------------- */

static bool
is_under(struct str ns, struct str prefix)
{
	return prefix.n == 0 || (str_starts(ns, prefix) &&
	    (ns.n == prefix.n || ns.p[prefix.n] == '.'));
}

void
call_namespace(struct call *c, bool search, struct str *ns)
{
	struct str within = c->grant.within, prepend = c->grant.prepend;

	if (c->in->rc < 0)
		return;
	if (prepend.n > 0)
		*ns = ns->n == 0 ? prepend :
		    arena_join(&c->r->arena, prepend, S("."), *ns);
	if (is_under(*ns, within))
		return;
	/* A search of a wider namespace is narrowed to the allowed one. */
	if (search && is_under(within, *ns))
		*ns = within;
	else
		c->in->rc = err_set(&c->err, ERR_DENIED, "Not authorized");
}

/* Takes the next label of both and sets *label to the more specific one.  False: they
 * differ, so nothing matches both. */
static bool
narrower(struct str *asked, struct str *within, struct str *label)
{
	struct str a = STR_NONE, w = STR_NONE;
	bool has_a = asked->n > 0 && str_next(asked, '\0', &a);
	bool has_w = within->n > 0 && str_next(within, '.', &w);

	*label = has_w ? w : a;
	/* A label `*` in the policy would match any other. */
	return !has_w || (!str_eq(w, S("*")) &&
	    (!has_a || str_eq(a, S("*")) || str_eq(a, w)));
}

void
call_namespaces(struct call *c, struct str *prefix)
{
	struct str within = c->grant.prepend.n > 0 ? c->grant.prepend : c->grant.within;
	struct str asked = c->grant.prepend.n > 0 ? STR_NONE : *prefix, label;
	struct buf b = BUF(2 * (size_t)LIMIT_NAMESPACE_LABELS * (LIMIT_NAME_BYTES + 1));
	bool may = true;

	if (c->in->rc < 0 || within.n == 0)
		return;
	while (may && (asked.n > 0 || within.n > 0)) {
		may = narrower(&asked, &within, &label);
		if (b.n > 0)
			buf_add_char(&b, '\0');
		buf_add(&b, label);
	}
	if (c->grant.prepend.n > 0 && prefix->n > 0) {
		buf_add_char(&b, '\0');
		buf_add(&b, *prefix);
	}
	*prefix = arena_str(&c->r->arena, buf_str(&b));
	if (!may || b.failed)
		c->in->rc = err_set(&c->err, ERR_DENIED, "Not authorized");
	buf_release(&b);
}

int
call_may_item(struct call *c, struct str ns, struct str key, struct str value_json)
{
	struct str filter = c->grant.filter_json;
	struct store_item item;
	int rc;

	if (filter.n == 0)
		return OK;
	if (value_json.n > 0 && !guard_item(filter, ns, key, value_json))
		return err_set(&c->err, ERR_DENIED, "Not authorized");
	rc = store_item_get(c->api->reader, c->owner, ns, key,
	    shard_wall(c->api->shard), &c->r->arena, &item);
	if (rc == OK && !guard_item(filter, ns, key, item.value_json))
		return err_set(&c->err, ERR_DENIED, "Not authorized");
	return rc == ERR_NOTFOUND ? OK : rc;
}

/* ---- the audit log ------------------------------------------------------------------- */

/* Changes of what other callers share, and deletions; and whatever operators do with what
 * other owners have (c->other). */
static bool
is_audited(enum access a)
{
	static const enum access all[] = { ASSISTANTS_CREATE, ASSISTANTS_UPDATE,
	    ASSISTANTS_DELETE, THREADS_DELETE, CRONS_CREATE, CRONS_UPDATE, CRONS_DELETE,
	    SESSIONS_CREATE, SESSIONS_DELETE, WORKERS_UPDATE, WASM_PUT, WASM_DELETE,
	    ADMIN_TRUNCATE };

	for (size_t i = 0; i < COUNT(all); i++)
		if (all[i] == a)
			return true;
	return false;
}

static struct audit_line
line_of(const struct call *c, const char *action, const char *phase, int status)
{
	struct str object = c->r->path, other = STR_NONE;
	size_t at = 0;

	if ((c->route->flags & ROUTE_OWNER) != 0 && http_query(c->r, S("owner"), at, &other) &&
	    other.n > 0)
		object = arena_fmt(&c->r->arena, "%.*s?owner=%.*s", FMT(object),
		    FMT(str_cut(other, LIMIT_NAME_BYTES)));
	return (struct audit_line){ .id = c->audited, .at = shard_wall(c->r->shard),
	    .phase = phase, .who = &c->who, .action = action,
	    .method = c->r->method, .object = object, .remote = c->r->peer,
	    .status = status };
}

int
call_audit(struct call *c)
{
	return is_audited(c->route->access) || c->other.n > 0 ?
	    call_audit_as(c, access_name(c->route->access)) : OK;
}

int
call_audit_as(struct call *c, const char *action)
{
	struct audit *a = c->api->shared->o.audit;
	struct audit_line x;

	if (a == NULL)
		return OK;
	c->audited = uuid_v7();
	c->audited_as = action;
	x = line_of(c, action, "begins", 0);
	if (audit_write(a, &x) == OK)
		return OK;
	c->audited = (struct uuid){ { 0 } };
	return err_set(&c->err, ERR_BUSY, "the audit log cannot be written, so nothing was "
	    "done; try again");
}

void
call_audit_end(struct call *c, int status)
{
	struct audit_line x;

	if (uuid_is_zero(&c->audited))
		return;
	x = line_of(c, c->audited_as, "ends", status);
	audit_write(c->api->shared->o.audit, &x);
	c->audited = (struct uuid){ { 0 } };
}

void
call_audit_denied(struct call *c, const struct err *e)
{
	struct audit *a = c->api->shared->o.audit;
	struct audit_line x;

	if (a == NULL || c->route == NULL || c->route->access == ACCESS_NONE)
		return;
	x = line_of(c, access_name(c->route->access), "denied", api_status(ERR_DENIED));
	x.id = uuid_v7();
	x.error = str_of(e->text);
	audit_write(a, &x);
}
