/*
 * a2a.c - POST /a2a/{assistant_id}: requests of A2A by JSON-RPC, to rows of a table.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/a2a.h"
#include "api/peer.h"

static int
extended_card(struct call *c, const struct jsonrpc *q)
{
	struct buf *b = call_out(c);

	(void)q;
	jsonrpc_add_head(b, c->request_id);
	json_add_key(b, "result");
	a2a_add_card(c, b, &c->a2a->assistant);
	buf_add_char(b, '}');
	return call_json(c, STR_NONE);
}

static const struct a2a_method methods[] = {
	{ "SendMessage", "message/send", a2a_send, false },
	{ "SendStreamingMessage", "message/stream", a2a_send, true },
	{ "GetTask", "tasks/get", a2a_get, false },
	{ "ListTasks", NULL, a2a_list, false },
	{ "CancelTask", "tasks/cancel", a2a_cancel, false },
	{ "SubscribeToTask", "tasks/resubscribe", a2a_subscribe, true },
	{ "GetExtendedAgentCard", "agent/getAuthenticatedExtendedCard", extended_card, false },
	{ "CreateTaskPushNotificationConfig", "tasks/pushNotificationConfig/set",
	  a2a_push_create, false },
	{ "GetTaskPushNotificationConfig", "tasks/pushNotificationConfig/get", a2a_push_get,
	  false },
	{ "ListTaskPushNotificationConfigs", "tasks/pushNotificationConfig/list",
	  a2a_push_list, false },
	{ "DeleteTaskPushNotificationConfig", "tasks/pushNotificationConfig/delete",
	  a2a_push_delete, false },
};

/* ---- errors ------------------------------------------------------------------------- */

int
a2a_code(int rc)
{
	return rc == ERR_INVALID || rc == ERR_SYNTAX || rc == ERR_TOOBIG ||
	    rc == ERR_CONFLICT ? JSONRPC_PARAMS : rc == ERR_NOTFOUND ? A2A_NO_TASK : 0;
}

int
a2a_fail(struct call *c, int rc)
{
	return rc >= 0 || a2a_code(rc) == 0 ? rc : jsonrpc_refuse(c, a2a_code(rc), "%s",
	    c->err.text[0] != '\0' ? c->err.text : rc_text(rc));
}

int
a2a_check_keys(struct call *c, const char *path, jnode n, const char *const *known)
{
	struct json_iter it = json_each(n);

	while (json_next(&it)) {
		size_t i = 0;

		while (known[i] != NULL && !str_eq(json_str(it.key), str_of(known[i])))
			i++;
		if (known[i] == NULL && !json_is_null(it.value))
			return err_set(&c->err, ERR_INVALID, "%s%.*s: not known here", path,
			    FMT(param_shown(json_str(it.key))));
	}
	return OK;
}

/* ---- requests ------------------------------------------------------------------------ */

/* "1", "1.0", "1.0.3" of "1.0". */
static bool
is_version(struct str s, struct str major, struct str minor)
{
	return str_eq(s, major) || str_eq(s, minor) || (str_starts(s, minor) &&
	    s.n > minor.n && s.p[minor.n] == '.');
}

/* Which version is spoken: the method says, and the header may not say another.  NULL:
 * c was refused, and is gone. */
static const struct a2a_method *
find_method(struct call *c, struct str name, bool *is_old)
{
	struct str version = http_header(c->r, S("a2a-version"));
	bool new = is_version(version, S("1"), S("1.0"));
	bool old = is_version(version, S("0.3"), S("0.3"));

	if (version.n > 0 && !new && !old) {
		jsonrpc_refuse(c, A2A_VERSION, "A2A-Version: \"%.*s\" is not supported; "
		    "1.0 and 0.3 are", FMT(param_shown(version)));
		return NULL;
	}
	for (size_t i = 0; i < COUNT(methods); i++) {
		*is_old = methods[i].old_name != NULL && str_eq(name,
		    str_of(methods[i].old_name));
		if ((*is_old && !new) || (str_eq(name, str_of(methods[i].name)) && !old))
			return &methods[i];
	}
	jsonrpc_refuse(c, JSONRPC_METHOD, "there is no method \"%.*s\"%s",
	    FMT(param_shown(name)), version.n > 0 ? " in this version" : "");
	return NULL;
}

static int
check_accept(struct call *c)
{
	static const char *const kinds[] = { "application/json", "text/event-stream", "*/*",
	    "application/*" };
	struct str accept = http_header(c->r, S("accept"));

	for (size_t i = 0; i < COUNT(kinds); i++)
		if (accept.n == 0 || str_contains_nocase(accept, str_of(kinds[i])))
			return OK;
	return err_set(&c->err, ERR_SYNTAX, "Accept: expected application/json or "
	    "text/event-stream, got \"%.*s\"", FMT(str_cut(accept, 64)));
}

static int
run_method(struct call *c, const struct jsonrpc *q)
{
	struct str tenant = json_str(json_get(q->params, S("tenant")));
	struct a2a_call *a;
	bool old = false;
	const struct a2a_method *m = find_method(c, q->method, &old);
	int rc;

	if (m == NULL)
		return OK;
	a = c->a2a = arena_new(&c->r->arena, struct a2a_call);
	if (a == NULL)
		return ERR_TOOBIG;
	*a = (struct a2a_call){ .old = old, .method = m, .history = -1 };
	if (tenant.n > 0)
		return jsonrpc_refuse(c, JSONRPC_PARAMS, "tenant: there are none here");
	rc = door_find(c, "assistant_id", c->param[0], api_a2a, &a->assistant);
	if (rc < 0)
		return rc == ERR_AGAIN ? OK : rc;
	return a2a_fail(c, m->run(c, q));
}

int
api_a2a(struct call *c)
{
	struct jsonrpc q;
	int rc = check_accept(c);

	if (rc < 0)
		return rc;
	rc = jsonrpc_read(c, &q);
	if (rc < 0)
		rc = jsonrpc_refuse(c, rc, "%s", c->err.text);
	else if (q.silent)
		call_empty(c, 202);
	else if (!peer_by_body(c, c->r->body, q.doc.root))
		rc = run_method(c, &q);
	jsonrpc_release(&q);
	return rc;
}
