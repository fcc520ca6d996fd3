/*
 * tools.c - `tools` of an agent: tools whose answer is an expression, other agents as
 * tools, and what is said of any tool by its name (its policy).
 *
 *   search:   {description, schema, reply: expr}
 *   writer:   {agent: writer, description}
 *   charge:   {worker: true, timeout: 10s}          of an external worker
 *   http_get: {timeout: 10s, retries: 2}            built in, or SERVER__TOOL
 *   knowledge_search: {args: {collection: docs}}    arguments that every call has
 *
 * SPDX-License-Identifier: MIT
 */
#include "agent/load_priv.h"

#include "base/mem.h"

static const char *const keys[] = { "description", "schema", "reply", "agent", "worker",
	"timeout", "retries", "idempotent", "approval", "args", NULL };

/* ---- how it may be used ------------------------------------------------------------ */

static void
load_retries(struct load *l, const struct tree_node *n, struct agent_policy *p)
{
	int64_t v = 0;

	if (n->kind != TREE_NUMBER || !str_to_i64(n->text, &v) || v < 0 ||
	    v > LIMIT_TOOL_RETRIES)
		load_fail(l, n, "expected how often it is called again, a whole number from 0 to "
		    "%d", LIMIT_TOOL_RETRIES);
	p->retries = (unsigned)v;
}

static void
load_decisions(struct load *l, const struct tree_node *n)
{
	static const char *const words[] = { "approve", "edit", "reject", "respond", NULL };

	if (!load_wants(l, n, TREE_LIST, "a list of approve, edit, reject, respond"))
		return;
	if (n->n == 0)
		load_fail(l, n, "expected at least one of approve, edit, reject, respond");
	for (const struct tree_node *c = n->first; c != NULL && l->rc == OK; c = c->next) {
		struct str_near near = { .word = c->text };

		if (str_near_row(&near, words, sizeof *words) == NULL)
			load_fail_near(l, c, near.best, "expected approve, edit, reject or "
			    "respond, got '%.*s'", FMT(str_cut(c->text, 100)));
	}
}

/* true, or {allowed_decisions, description}. */
static void
load_approval(struct load *l, const struct tree_node *n, struct agent_policy *p)
{
	static const char *const parts[] = { "allowed_decisions", "description", NULL };
	const struct tree_node *list, *words;
	struct agent_value yes = { 0 };

	if (n->kind != TREE_MAP) {
		load_kind(l, n, AGENT_BOOL, &yes);
		if (l->rc == OK && agent_bool(&yes, false))
			p->approval = val_bool(true);
		return;
	}
	load_check_keys(l, n, parts);
	list = tree_get(l->t, n, S("allowed_decisions"));
	words = tree_get(l->t, n, S("description"));
	if (list == NULL && l->rc == OK)
		load_fail(l, n, "'allowed_decisions' is missing");
	if (l->rc == OK)
		load_decisions(l, list);
	if (words != NULL && l->rc == OK)
		(void)load_string(l, words, "a text");
	if (l->rc == OK)
		p->approval = load_val(l, tree_val(n));
}

/* Of built-in tools: what they take is checked where these are known (main/agent_tools.c). */
static void
load_args(struct load *l, const struct tree_node *n, bool own, struct agent_policy *p)
{
	if (own) {
		load_fail_key(l, n, NULL, "'args' belong to a built-in tool, as knowledge_search");
		return;
	}
	if (!load_wants(l, n, TREE_MAP, "a map of arguments"))
		return;
	if (n->n == 0)
		load_fail(l, n, "expected at least one argument");
	else
		p->args = load_val(l, tree_val(n));
}

/* expression: its answer is one, which takes no time and has no effect.  own: the tool is the
 * file's. */
static void
load_policy(struct load *l, const struct tree_node *n, bool expression, bool own,
    struct agent_policy *p)
{
	for (const struct tree_node *c = n->first; c != NULL && l->rc == OK; c = c->next) {
		struct agent_value yes = { 0 };

		if (str_eq(c->key, S("approval"))) {
			load_approval(l, c, p);
		} else if (str_eq(c->key, S("args"))) {
			load_args(l, c, own, p);
		} else if (str_eq(c->key, S("timeout")) || str_eq(c->key, S("retries")) ||
		    str_eq(c->key, S("idempotent"))) {
			if (expression) {
				load_fail_key(l, c, NULL, "a tool with 'reply' is an expression: "
				    "of these it takes 'approval' alone");
			} else if (str_eq(c->key, S("timeout"))) {
				p->timeout_ms = load_time(l, c, 1);
			} else if (str_eq(c->key, S("retries"))) {
				load_retries(l, c, p);
			} else if (str_eq(n->key, S("http_get"))) {
				load_fail_key(l, c, NULL, "http_get may always be called twice");
			} else {
				load_kind(l, c, AGENT_BOOL, &yes);
				p->idempotent = agent_bool(&yes, false) ? AGENT_YES : AGENT_NO;
			}
		}
	}
}

static bool
says_anything(const struct agent_policy *p)
{
	return p->timeout_ms > 0 || p->retries > 0 || p->idempotent != AGENT_UNSAID ||
	    p->approval.kind != VAL_UNDEFINED || p->args.kind != VAL_UNDEFINED;
}

const struct agent_policy *
agent_policy_of(const struct agent *a, struct str name)
{
	for (size_t i = 0; i < a->tools_n; i++)
		if (str_eq(a->tools[i].name, name))
			return says_anything(&a->tools[i].policy) ? &a->tools[i].policy : NULL;
	for (size_t i = 0; i < a->policies_n; i++)
		if (str_eq(a->policies[i].name, name))
			return &a->policies[i].policy;
	return NULL;
}

/* ---- names ------------------------------------------------------------------------- */

/* The name of a tool from elsewhere, for agent_check_tools. */
static void
note_name(struct load *l, const struct tree_node *n, struct str name)
{
	struct agent_holds *h = l->a->holds;
	struct buf place = BUF(8 * KB);

	for (size_t i = 0; i < l->a->tools_n; i++)
		if (str_eq(l->a->tools[i].name, name))
			return;
	load_add_place(l, n, &place);
	mem_grow(h->names, h->names_n, h->names_cap);
	h->names[h->names_n++] = (struct agent_named){ load_str(l, name),
	    load_str(l, buf_str(&place)) };
	buf_release(&place);
}

/* ---- tools ------------------------------------------------------------------------- */

/* Names as every provider of models takes them; `__` stands between an MCP server and
 * its tool. */
static bool
is_tool_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && !(c >= '0' && c <= '9') &&
		    c != '_' && c != '-')
			return false;
	}
	return s.n > 0 && s.n <= LIMIT_MCP_TOOL_NAME_BYTES;
}

static void
load_worker(struct load *l, const struct tree_node *n, struct agent_tool *out)
{
	struct agent_value yes = { 0 };

	load_kind(l, n, AGENT_BOOL, &yes);
	if (l->rc == OK && !agent_bool(&yes, false))
		load_fail(l, n, "expected true; without it the tool is the server's own");
	else if (l->rc == OK && !is_tool_name(out->name))
		load_fail_key(l, n, NULL, "a worker's tool has a name of at most %d letters, "
		    "digits, '_' and '-'", LIMIT_MCP_TOOL_NAME_BYTES);
	out->worker = true;
}

static void
load_parts(struct load *l, const struct tree_node *n, struct agent_tool *out)
{
	const struct tree_node *description = tree_get(l->t, n, S("description"));
	const struct tree_node *schema = tree_get(l->t, n, S("schema"));
	const struct tree_node *reply = tree_get(l->t, n, S("reply"));
	const struct tree_node *agent = tree_get(l->t, n, S("agent"));
	const struct tree_node *worker = tree_get(l->t, n, S("worker"));

	if (description != NULL)
		out->description = load_str(l, load_string(l, description, "a text"));
	if (schema != NULL && load_wants(l, schema, TREE_MAP, "a JSON Schema"))
		out->schema = load_val(l, tree_val(schema));
	if (reply != NULL && agent != NULL)
		load_fail_key(l, agent, NULL, "a tool has a 'reply' or an 'agent'");
	if (worker != NULL && (reply != NULL || agent != NULL))
		load_fail_key(l, worker, NULL, "a worker's tool has no 'reply' and no 'agent'");
	if (l->rc != OK)
		return;
	if (worker != NULL) {
		load_worker(l, worker, out);
	} else if (reply != NULL) {
		load_kind(l, reply, AGENT_EXPR, &out->reply);
	} else {
		out->call = load_alloc(l, 1, sizeof *out->call);
		load_agent_ref(l, agent, out->call, true);
	}
}

/* True: it is a tool of its own; false: a policy of one that comes from elsewhere. */
static bool
load_tool(struct load *l, const struct tree_node *n, struct agent_tool *out)
{
	bool own;

	*out = (struct agent_tool){ .name = load_str(l, n->key) };
	if (!load_wants(l, n, TREE_MAP, "a tool, as {description, schema, reply}"))
		return false;
	load_check_keys(l, n, keys);
	if (n->key.n == 0)
		load_fail_key(l, n, NULL, "a tool needs a name");
	own = tree_get(l->t, n, S("reply")) != NULL || tree_get(l->t, n, S("agent")) != NULL ||
	    tree_get(l->t, n, S("worker")) != NULL;
	if (!own && (n->n == 0 || tree_get(l->t, n, S("description")) != NULL ||
	    tree_get(l->t, n, S("schema")) != NULL))
		load_fail(l, n, "'reply', 'agent' or 'worker' is missing");
	if (own && l->rc == OK)
		load_parts(l, n, out);
	if (l->rc == OK)
		load_policy(l, n, own && out->call == NULL && !out->worker, own,
		    &out->policy);
	return own;
}

void
load_tools(struct load *l, const struct tree_node *root)
{
	const struct tree_node *n = tree_get(l->t, root, S("tools"));
	struct agent_tool *tools, *policies, one;

	if (n == NULL || l->rc != OK || !load_wants(l, n, TREE_MAP, "a map of tools"))
		return;
	if (n->n > LIMIT_AGENT_TOOLS) {
		load_fail(l, n, "%zu of them; expected at most %d", n->n,
		    LIMIT_AGENT_TOOLS);
		return;
	}
	tools = load_alloc(l, n->n, sizeof *tools);
	policies = load_alloc(l, n->n, sizeof *policies);
	l->a->tools = tools;
	l->a->policies = policies;
	for (const struct tree_node *c = n->first; c != NULL && l->rc == OK; c = c->next) {
		if (load_tool(l, c, &one))
			tools[l->a->tools_n++] = one;
		else
			policies[l->a->policies_n++] = one;
	}
	for (const struct tree_node *c = n->first; c != NULL && l->rc == OK; c = c->next)
		note_name(l, c, c->key);
}

/* The fields that name tools: `name` of tool, `tools` of llm. */
void
load_note_tools(struct load *l, const struct tree_node *n, const struct agent_work *w)
{
	bool tool = str_eq(str_of(w->kind->name), S("tool"));
	bool llm = str_eq(str_of(w->kind->name), S("llm"));

	for (size_t i = 0; (tool || llm) && i < w->kind->fields_n && l->rc == OK; i++) {
		struct str field = str_of(w->kind->fields[i].name);
		struct val v = w->fields[i].constant;

		if (!(tool && str_eq(field, S("name"))) && !(llm && str_eq(field, S("tools"))))
			continue;
		if (v.kind == VAL_STRING)
			note_name(l, n, val_str(v));
		if (v.kind == VAL_ARRAY && val_count(v) > LIMIT_AGENT_TOOLS)
			load_fail(l, n, "%zu tools; expected at most %d", val_count(v),
			    LIMIT_AGENT_TOOLS);
		for (size_t k = 0; l->rc == OK && v.kind == VAL_ARRAY && k < val_count(v); k++)
			note_name(l, n, val_str(val_at(v, k)));
	}
}

/* A tool of an MCP server, whose list is not known yet. */
static bool
is_of_server(struct str name)
{
	for (size_t i = 1; i + 2 < name.n; i++)
		if (name.p[i] == '_' && name.p[i + 1] == '_')
			return true;
	return false;
}

int
agent_check_tools(const struct agent *a, const char *const *names, struct err *e)
{
	const struct agent_holds *h = a->holds;
	int rc = OK;

	for (size_t i = 0; i < h->names_n; i++) {
		struct str_near near = { .word = h->names[i].name };
		bool known = is_of_server(near.word) || agent_mcp_find(a, near.word) != NULL;

		for (const char *const *p = names; *p != NULL && !known; p++) {
			known = str_eq(near.word, str_of(*p));
			str_near_try(&near, *p);
		}
		for (size_t k = 0; k < a->tools_n; k++)
			str_near_try(&near, a->tools[k].name.p);
		if (!known)
			return err_near(e, ERR_INVALID, near.best, "'", "%.*sthere is no tool "
			    "'%.*s'%s", FMT(h->names[i].place), FMT(str_cut(near.word, 100)),
			    near.best != NULL ? "" : "; of a worker's tool the file says "
			    "tools: {NAME: {worker: true}}");
	}
	for (size_t i = 0; i < h->children_n && rc == OK; i++)
		rc = agent_check_tools(h->children[i], names, e);
	return rc;
}

/* Where the file names a tool. */
static struct str
place_of(const struct agent_holds *h, struct str name)
{
	for (size_t i = 0; i < h->names_n; i++)
		if (str_eq(h->names[i].name, name))
			return h->names[i].place;
	return STR_NONE;
}

int
agent_each_args(const struct agent *a, int (*check)(void *ctx, struct str place,
    struct str name, struct val args, struct err *e), void *ctx, struct err *e)
{
	const struct agent_holds *h = a->holds;
	int rc = OK;

	for (size_t i = 0; i < a->policies_n && rc == OK; i++)
		if (a->policies[i].policy.args.kind != VAL_UNDEFINED)
			rc = check(ctx, place_of(h, a->policies[i].name), a->policies[i].name,
			    a->policies[i].policy.args, e);
	for (size_t i = 0; i < h->children_n && rc == OK; i++)
		rc = agent_each_args(h->children[i], check, ctx, e);
	return rc;
}
