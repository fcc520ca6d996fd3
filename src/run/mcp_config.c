/*
 * mcp_config.c - servers that a client names: config.configurable.mcp_config.
 *
 *   {url, tools?, auth_required?}                    as Open Agent Platform sends it
 *   {mcpServers: {NAME: {url, headers?, tools?}}}    as most clients write it
 *
 * URLs only, of hosts that the setting mcp-hosts names: processes are started by
 * agent files alone, which are the operator's.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/mcp_priv.h"

#include <string.h>

#include "base/limits.h"

#define PATH "config.configurable.mcp_config"

static struct str
copy(struct arena *a, struct val v)
{
	return arena_str(a, val_str(v));
}

static bool
is_absent(struct val v)
{
	return v.kind == VAL_UNDEFINED || v.kind == VAL_NULL;
}

static int
check_keys(struct val o, struct str of, const char *const *known, struct err *e)
{
	for (size_t i = 0; i < val_count(o); i++) {
		struct str key = val_key(o, i);
		bool found = false;

		for (size_t k = 0; known[k] != NULL; k++)
			found = found || str_eq(key, str_of(known[k]));
		if (str_eq(key, S("command")) || str_eq(key, S("args")))
			return err_set(e, ERR_INVALID, PATH "%.*s.%.*s: a client cannot start "
			    "a program; agent files can", FMT(of), FMT(key));
		if (!found)
			return err_set(e, ERR_INVALID, PATH "%.*s.%.*s: not known", FMT(of),
			    FMT(str_cut(key, 64)));
	}
	return OK;
}

static int
read_tools(struct agent_mcp *m, struct val v, struct str of, struct arena *a, struct err *e)
{
	struct str *tools;

	if (is_absent(v))
		return OK;
	if (v.kind != VAL_ARRAY || val_count(v) > LIMIT_MCP_TOOLS)
		return err_set(e, ERR_INVALID, PATH "%.*s.tools: expected an array of at most %d "
		    "names", FMT(of), LIMIT_MCP_TOOLS);
	tools = arena_alloc(a, (val_count(v) + 1) * sizeof *tools);
	for (size_t i = 0; tools != NULL && i < val_count(v); i++) {
		if (val_at(v, i).kind != VAL_STRING)
			return err_set(e, ERR_INVALID, PATH "%.*s.tools[%zu]: expected a string",
			    FMT(of), i);
		tools[m->tools_n++] = copy(a, val_at(v, i));
	}
	m->tools = tools;
	m->some = true;
	return OK;
}

static int
read_headers(struct agent_mcp *m, struct val v, struct str of, struct arena *a,
    struct err *e)
{
	struct agent_pair *all;

	if (is_absent(v))
		return OK;
	if (v.kind != VAL_OBJECT || val_count(v) > LIMIT_MCP_PARTS)
		return err_set(e, ERR_INVALID, PATH "%.*s.headers: expected an object of at most "
		    "%d strings", FMT(of), LIMIT_MCP_PARTS);
	all = arena_alloc(a, (val_count(v) + 1) * sizeof *all);
	for (size_t i = 0; all != NULL && i < val_count(v); i++) {
		struct val value = val_member(v, i);

		if (value.kind != VAL_STRING || !agent_mcp_is_header(val_key(v, i)) ||
		    !agent_mcp_is_header_value(val_str(value)))
			return err_set(e, ERR_INVALID, PATH "%.*s.headers.%.*s: not a header that "
			    "may be given, or its value is not a text without control characters",
			    FMT(of), FMT(str_cut(val_key(v, i), 64)));
		all[m->headers_n++] = (struct agent_pair){ arena_str(a, val_key(v, i)),
			copy(a, value) };
	}
	m->headers = all;
	return OK;
}

static int
read_server(struct agent_mcp *m, struct val v, struct str of, struct arena *a,
    struct err *e)
{
	struct val url = val_get(v, S("url"));
	int rc;

	if (url.kind != VAL_STRING || !agent_mcp_is_url(val_str(url)))
		return err_set(e, ERR_INVALID, PATH "%.*s.url: expected an http or https URL",
		    FMT(of));
	m->url = copy(a, url);
	rc = read_headers(m, val_get(v, S("headers")), of, a, e);
	return rc == OK ? read_tools(m, val_get(v, S("tools")), of, a, e) : rc;
}

/* The path /mcp is left out in this form. */
static int
read_one(struct agent_mcp *m, struct val v, struct arena *a, struct err *e)
{
	static const char *const keys[] = { "url", "tools", "headers", "auth_required", NULL };
	struct val auth = val_get(v, S("auth_required"));
	int rc = check_keys(v, STR_NONE, keys, e);

	if (rc == OK && val_truthy(auth) && is_absent(val_get(v, S("headers"))))
		rc = err_set(e, ERR_INVALID, PATH ".auth_required: tokens are not exchanged "
		    "here; give the server's token in " PATH ".headers");
	if (rc == OK)
		rc = read_server(m, v, STR_NONE, a, e);
	m->name = S("mcp");
	if (rc != OK)
		return rc;
	while (str_ends(m->url, S("/")))
		m->url.n--;
	if (!str_ends(m->url, S("/mcp")))
		m->url = arena_join(a, m->url, STR_NONE, S("/mcp"));
	return OK;
}

/* The transport is detected; the member is accepted if it names one over HTTP. */
static int
check_transport(struct val v, struct str of, struct err *e)
{
	static const char *const names[] = { "transport", "type" };
	static const char *const http[] = { "http", "sse", "streamable_http",
		"streamable-http" };

	for (size_t i = 0; i < COUNT(names); i++) {
		struct val word = val_get(v, str_of(names[i]));
		bool ok = is_absent(word);

		for (size_t k = 0; k < COUNT(http); k++)
			ok = ok || (word.kind == VAL_STRING &&
			    str_eq(val_str(word), str_of(http[k])));
		if (!ok)
			return err_set(e, ERR_INVALID, PATH "%.*s.%s: expected http, sse or "
			    "streamable_http", FMT(of), names[i]);
	}
	return OK;
}

static int
read_many(struct agent_mcp *at, size_t *n, struct val servers, struct arena *a,
    struct err *e)
{
	static const char *const keys[] = { "url", "headers", "tools", "transport", "type",
		NULL };
	int rc = OK;

	for (size_t i = 0; i < val_count(servers) && rc == OK; i++) {
		struct str name = val_key(servers, i);
		struct str of = arena_join(a, S(".mcpServers."), STR_NONE, str_cut(name, 64));
		struct val v = val_member(servers, i);

		if (!agent_mcp_is_server_name(name))
			rc = err_set(e, ERR_INVALID, PATH "%.*s: not a server's name: expected at "
			    "most %d letters, digits, '-' and single '_', not at the end", FMT(of),
			    LIMIT_MCP_NAME_BYTES);
		else if (v.kind != VAL_OBJECT)
			rc = err_set(e, ERR_INVALID, PATH "%.*s: expected an object", FMT(of));
		if (rc == OK)
			rc = check_keys(v, of, keys, e);
		if (rc == OK)
			rc = check_transport(v, of, e);
		if (rc == OK)
			rc = read_server(&at[i], v, of, a, e);
		at[i].name = arena_str(a, name);
	}
	*n = val_count(servers);
	return rc;
}

int
mcp_config_read(const struct agent_mcp **out, size_t *n, struct val v, struct arena *a,
    struct err *e)
{
	static const char *const keys[] = { "mcpServers", NULL };
	struct val servers = val_get(v, S("mcpServers"));
	struct agent_mcp *at;
	int rc = OK;

	*n = 0;
	if (is_absent(v))
		return OK;
	if (v.kind != VAL_OBJECT)
		return err_set(e, ERR_INVALID, PATH ": expected an object with url or "
		    "mcpServers");
	if (val_count(servers) > LIMIT_AGENT_MCP)
		return err_set(e, ERR_INVALID, PATH ".mcpServers: more than %d servers",
		    LIMIT_AGENT_MCP);
	*out = at = arena_zero(a, (val_count(servers) + 1) * sizeof *at);
	if (is_absent(servers)) {
		*n = 1;
		rc = read_one(&at[0], v, a, e);
	} else if (servers.kind != VAL_OBJECT) {
		rc = err_set(e, ERR_INVALID, PATH ".mcpServers: expected an object");
	} else {
		rc = check_keys(v, STR_NONE, keys, e);
		if (rc == OK)
			rc = read_many(at, n, servers, a, e);
	}
	if (rc == OK && a->failed)
		rc = err_set(e, ERR_INVALID, PATH ": too large");
	return rc;
}

int
mcp_config_check(const struct agent_mcp *at, size_t n, struct str hosts, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (!task_host_allowed(hosts, at[i].url))
			return err_set(e, ERR_INVALID, PATH ": the server may not ask %.*s; its "
			    "setting mcp-hosts lists the hosts that clients may name",
			    FMT(str_cut(at[i].url, 200)));
	return OK;
}
