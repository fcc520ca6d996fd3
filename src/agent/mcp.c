/*
 * mcp.c - `mcp` of an agent: servers of the Model Context Protocol, and how their
 * tools are named.
 *
 *   mcp:
 *     files: {command: [npx, -y, PACKAGE, /data], env: {K: v}, cwd: DIR, tools: [...]}
 *     web:   {url: https://mcp.example.com/mcp, headers: {Authorization: "env:TOKEN"}}
 *
 * A model sees a tool as SERVER__TOOL.  A server's name has no "__" and does not end
 * with '_', so that such a name is read in one way only.
 *
 * References (env:NAME, file:PATH) are kept as they are written: they are resolved
 * when a server is asked, so no secret is in an agent, its hash or its text.
 *
 * SPDX-License-Identifier: MIT
 */
#include "agent/load_priv.h"

#include <assert.h>
#include <string.h>

#include "base/hmac.h"

#define NAME_OFFERED 64                      /* what every provider takes */
#define DIGITS       8                       /* of a name that is made plain */

/* ---- names --------------------------------------------------------------------- */

static bool
is_plain_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	    c == '_' || c == '-';
}

static bool
is_plain(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_plain_char(s.p[i]))
			return false;
	return s.n > 0;
}

/* Where "__" begins; -1: nowhere. */
static ptrdiff_t
split_at(struct str name)
{
	for (size_t i = 0; i + 1 < name.n; i++)
		if (name.p[i] == '_' && name.p[i + 1] == '_')
			return (ptrdiff_t)i;
	return -1;
}

/* A tool that is not plain, or too long, ends with digits of its own. */
void
agent_mcp_name(struct buf *b, struct str server, struct str tool)
{
	size_t room = NAME_OFFERED - server.n - 2;
	uint8_t sum[SHA256_SIZE];
	bool plain = is_plain(tool) && tool.n <= room;
	struct str shown = plain ? tool : str_cut(tool, room - DIGITS - 1);

	assert(server.n <= LIMIT_MCP_NAME_BYTES);
	buf_add(b, server);
	buf_lit(b, "__");
	for (size_t i = 0; i < shown.n; i++)
		buf_add_char(b, is_plain_char(shown.p[i]) ? shown.p[i] : '_');
	if (plain)
		return;
	sha256(tool, sum);
	buf_add_char(b, '_');
	for (size_t i = 0; i < DIGITS / 2; i++)
		buf_add_fmt(b, "%02x", sum[i]);
}

bool
agent_mcp_split(struct str name, struct str *server, struct str *tool)
{
	ptrdiff_t at = split_at(name);

	if (at <= 0)
		return false;
	*server = str_sub(name, 0, (size_t)at);
	*tool = str_sub(name, (size_t)at + 2, name.n);
	return tool->n > 0;
}

bool
agent_mcp_is(struct str name, struct str server, struct str offered)
{
	struct buf b = BUF(2 * NAME_OFFERED);
	struct str of, tool;
	bool yes = str_eq(name, offered);

	if (!yes && agent_mcp_split(name, &of, &tool) && str_eq(of, server)) {
		agent_mcp_name(&b, server, tool);
		yes = str_eq(buf_str(&b), offered);
	}
	buf_release(&b);
	return yes;
}

bool
agent_mcp_offers(const struct agent_mcp *m, struct str offered)
{
	struct buf b = BUF(2 * NAME_OFFERED);
	bool yes = !m->some;

	for (size_t i = 0; i < m->tools_n && !yes; i++) {
		buf_clear(&b);
		agent_mcp_name(&b, m->name, m->tools[i]);
		yes = str_eq(buf_str(&b), offered);
	}
	buf_release(&b);
	return yes;
}

bool
agent_mcp_is_server_name(struct str s)
{
	return is_plain(s) && s.n <= LIMIT_MCP_NAME_BYTES && s.p[s.n - 1] != '_' &&
	    split_at(s) < 0;
}

/* ---- values ---------------------------------------------------------------------- */

static const struct str *
load_texts(struct load *l, const struct tree_node *n, const char *what, size_t *count)
{
	struct str *all;
	size_t i = 0;

	if (!load_wants(l, n, TREE_LIST, what))
		return NULL;
	if (n->n == 0 || n->n > LIMIT_MCP_PARTS)
		load_fail(l, n, "expected 1 to %d values", LIMIT_MCP_PARTS);
	all = load_alloc(l, n->n, sizeof *all);
	for (const struct tree_node *c = n->first; c != NULL && l->rc == OK; c = c->next) {
		all[i] = load_str(l, load_string(l, c, "a text"));
		if (l->rc == OK && (all[i].n == 0 || memchr(all[i].p, 0, all[i].n) != NULL))
			load_fail(l, c, "expected a text that is not empty");
		i++;
	}
	*count = n->n;
	return all;
}

/* A reference names something. */
static void
check_reference(struct load *l, const struct tree_node *n)
{
	static const char *const kinds[] = { "env:", "file:", "credential:" };

	for (size_t i = 0; i < COUNT(kinds); i++)
		if (str_eq(n->text, str_of(kinds[i])))
			load_fail(l, n, "expected a name after '%s'", kinds[i]);
}

static bool
is_variable(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_plain_char(s.p[i]) || s.p[i] == '-')
			return false;
	return s.n > 0 && !(s.p[0] >= '0' && s.p[0] <= '9');
}

bool
agent_mcp_is_header(struct str name)
{
	static const char *const ours[] = { "host", "content-length", "transfer-encoding",
		"connection", "content-type", "accept", "mcp-session-id",
		"mcp-protocol-version", "last-event-id" };

	for (size_t i = 0; i < COUNT(ours); i++)
		if (str_eq_nocase(name, str_of(ours[i])))
			return false;
	return is_plain(name) && name.n <= LIMIT_NAME_BYTES;
}

bool
agent_mcp_is_header_value(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return true;
}

static void
load_pair(struct load *l, const struct tree_node *n, bool headers, struct agent_pair *out)
{
	out->name = load_str(l, n->key);
	out->value = load_str(l, load_string(l, n, "a text, env:NAME, file:PATH or credential:NAME"));
	if (l->rc != OK)
		return;
	check_reference(l, n);
	if (headers ? !agent_mcp_is_header(n->key) : !is_variable(n->key))
		load_fail_key(l, n, NULL, headers ? "'%.*s' is not a header that may be given" :
		    "'%.*s' is not a name of a variable: expected letters, digits and '_'",
		    FMT(str_cut(n->key, 100)));
	else if (headers ? !agent_mcp_is_header_value(out->value) :
	    memchr(out->value.p, 0, out->value.n) != NULL)
		load_fail(l, n, "expected a text without control characters");
}

static const struct agent_pair *
load_pairs(struct load *l, const struct tree_node *n, bool headers, size_t *count)
{
	struct agent_pair *all;
	size_t i = 0;

	if (!load_wants(l, n, TREE_MAP, headers ? "a map of headers" : "a map of variables"))
		return NULL;
	if (n->n > LIMIT_MCP_PARTS)
		load_fail(l, n, "expected at most %d values", LIMIT_MCP_PARTS);
	all = load_alloc(l, n->n, sizeof *all);
	for (const struct tree_node *c = n->first; c != NULL && l->rc == OK; c = c->next)
		load_pair(l, c, headers, &all[i++]);
	*count = n->n;
	return all;
}

bool
agent_mcp_is_url(struct str s)
{
	size_t scheme = str_starts(s, S("https://")) ? 8 : str_starts(s, S("http://")) ? 7 : 0;

	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= 0x20 || s.p[i] == 0x7f)
			return false;
	return scheme > 0 && s.n > scheme && s.n <= LIMIT_HTTP_URL_BYTES;
}

/* ---- a server ------------------------------------------------------------------------ */

static void
check_server(struct load *l, const struct tree_node *n)
{
	static const char *const keys[] = { "command", "env", "cwd", "url", "headers", "tools",
		NULL };
	static const struct { const char *name; bool of_url; } parts[] = {
		{ "env", false }, { "cwd", false }, { "headers", true } };
	bool command, url;

	if (!agent_mcp_is_server_name(n->key))
		load_fail_key(l, n, NULL, "'%.*s' is not a server's name: expected at most %d "
		    "letters, digits, '-' and single '_', not at the end",
		    FMT(str_cut(n->key, 100)), LIMIT_MCP_NAME_BYTES);
	if (!load_wants(l, n, TREE_MAP, "a server, as {command: [PROGRAM, ...]} or {url: URL}"))
		return;
	load_check_keys(l, n, keys);
	command = tree_get(l->t, n, S("command")) != NULL;
	url = tree_get(l->t, n, S("url")) != NULL;
	if (command == url)
		load_fail(l, n, command ? "a server has 'command' or 'url', not both" :
		    "'command' or 'url' is missing");
	for (size_t i = 0; i < COUNT(parts); i++) {
		const struct tree_node *c = tree_get(l->t, n, str_of(parts[i].name));

		if (c != NULL && parts[i].of_url != url)
			load_fail_key(l, c, NULL, "'%s' goes with '%s'", parts[i].name,
			    parts[i].of_url ? "url" : "command");
	}
}

static void
load_server(struct load *l, const struct tree_node *n, struct agent_mcp *out)
{
	const struct tree_node *c;

	check_server(l, n);
	if (l->rc != OK)
		return;
	out->name = load_str(l, n->key);
	if ((c = tree_get(l->t, n, S("command"))) != NULL)
		out->command = load_texts(l, c, "a list, as [npx, -y, PACKAGE]",
		    &out->command_n);
	if ((c = tree_get(l->t, n, S("env"))) != NULL)
		out->env = load_pairs(l, c, false, &out->env_n);
	if ((c = tree_get(l->t, n, S("headers"))) != NULL)
		out->headers = load_pairs(l, c, true, &out->headers_n);
	if ((c = tree_get(l->t, n, S("cwd"))) != NULL)
		out->cwd = load_str(l, load_string(l, c, "a folder"));
	if ((c = tree_get(l->t, n, S("url"))) != NULL) {
		out->url = load_str(l, load_string(l, c, "a URL"));
		if (l->rc == OK && !agent_mcp_is_url(out->url))
			load_fail(l, c, "expected an http or https URL, as in "
			    "https://mcp.example.com/mcp");
	}
	if ((c = tree_get(l->t, n, S("tools"))) != NULL) {
		out->tools = load_texts(l, c, "a list of the server's tools", &out->tools_n);
		out->some = true;
	}
}

void
load_mcp(struct load *l, const struct tree_node *root)
{
	const struct tree_node *n = tree_get(l->t, root, S("mcp")), *tools, *same;
	struct agent_mcp *all;

	if (n == NULL || l->rc != OK || !load_wants(l, n, TREE_MAP, "a map of MCP servers"))
		return;
	if (n->n > LIMIT_AGENT_MCP)
		load_fail(l, n, "expected at most %d servers", LIMIT_AGENT_MCP);
	all = load_alloc(l, n->n, sizeof *all);
	tools = tree_get(l->t, root, S("tools"));
	for (const struct tree_node *c = n->first; c != NULL && l->rc == OK; c = c->next) {
		load_server(l, c, &all[c->index]);
		same = tools != NULL && tools->kind == TREE_MAP ? tree_get(l->t, tools, c->key) :
		    NULL;
		if (same != NULL && l->rc == OK)
			load_fail_key(l, c, NULL, "'%.*s' is a tool of this file too",
			    FMT(c->key));
	}
	l->a->mcp = all;
	l->a->mcp_n = n->n;
}

/* ---- names in work ------------------------------------------------------------------ */

const struct agent_mcp *
agent_mcp_find(const struct agent *a, struct str server)
{
	for (size_t i = 0; i < a->mcp_n; i++)
		if (str_eq(a->mcp[i].name, server))
			return &a->mcp[i];
	return NULL;
}

static void
add_servers(struct buf *b, const struct agent *a)
{
	for (size_t i = 0; i < a->mcp_n; i++)
		buf_add_fmt(b, "%s%.*s", i > 0 ? ", " : "", FMT(a->mcp[i].name));
	if (a->mcp_n == 0)
		buf_lit(b, "none");
}

static void
check_name(struct load *l, const struct tree_node *n, struct str name, bool one)
{
	struct buf known = BUF(LIMIT_AGENT_MCP * (LIMIT_MCP_NAME_BYTES + 2)), offered = BUF(256);
	const struct agent_mcp *m;
	struct str server, tool;

	for (size_t i = 0; i < l->a->tools_n; i++)
		if (str_eq(l->a->tools[i].name, name))
			goto out;
	if (one && agent_mcp_find(l->a, name) != NULL)
		load_fail(l, n, "'%.*s' is a server; expected a tool of it, as %.*s__NAME",
		    FMT(name), FMT(name));
	if (!agent_mcp_split(name, &server, &tool) || !agent_mcp_is_server_name(server))
		goto out;
	m = agent_mcp_find(l->a, server);
	add_servers(&known, l->a);
	if (m != NULL)
		agent_mcp_name(&offered, server, tool);
	if (m == NULL)
		load_fail(l, n, "'%.*s': 'mcp' declares no server '%.*s' (declared: %.*s)",
		    FMT(str_cut(name, 100)), FMT(server), FMT(buf_str(&known)));
	else if (!agent_mcp_offers(m, buf_str(&offered)) && !agent_mcp_offers(m, name))
		load_fail(l, n, "'%.*s': 'tools' of the server '%.*s' does not list it",
		    FMT(str_cut(name, 100)), FMT(server));
out:
	buf_release(&known);
	buf_release(&offered);
}

/* Of tools from elsewhere that the file says something of. */
void
load_check_policies(struct load *l, const struct tree_node *root)
{
	const struct tree_node *n = tree_get(l->t, root, S("tools"));

	for (const struct tree_node *c = n != NULL ? n->first : NULL; c != NULL && l->rc == OK;
	    c = c->next)
		check_name(l, c, c->key, false);
}

void
load_check_mcp(struct load *l, const struct tree_node *n, const struct agent_work *w)
{
	bool tool = str_eq(str_of(w->kind->name), S("tool"));
	bool llm = str_eq(str_of(w->kind->name), S("llm"));

	for (size_t i = 0; (tool || llm) && i < w->kind->fields_n; i++) {
		struct str field = str_of(w->kind->fields[i].name);
		struct val v = w->fields[i].constant;

		if (!(tool && str_eq(field, S("name"))) && !(llm && str_eq(field, S("tools"))))
			continue;
		if (v.kind == VAL_STRING)
			check_name(l, n, val_str(v), tool);
		for (size_t k = 0; v.kind == VAL_ARRAY && k < val_count(v); k++)
			if (val_at(v, k).kind == VAL_STRING)
				check_name(l, n, val_str(val_at(v, k)), tool);
	}
}
