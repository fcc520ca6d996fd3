/*
 * mcp_offer.c - tools of MCP servers, for a model: which servers it needs, their
 * lists, and which of the tools it is offered.
 *
 * The lists are asked for before each question to a model; a server that tells when
 * its list changes is asked over the wire only then.  A server that cannot be
 * reached, or has not the tool that the file names, fails the llm: error.tool.SERVER.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/json.h"
#include "task/llm_priv.h"
#include "task/mcp_priv.h"

#define FETCH_BYTES ((size_t)LIMIT_MCP_MESSAGE_BYTES * 2)

struct fetch_one {
	struct task_mcp m;
	struct mcp_fetch *f;
	bool under_way;
	struct llm_tool_spec *tools;         /* those that are offered */
	size_t n;
};

struct mcp_fetch {
	struct llm_piece *w;
	struct arena a;
	struct fetch_one *at;
	size_t n, open;
	bool starting;
};

/* ---- which servers ---------------------------------------------------------------- */

static size_t
servers_n(const struct piece *p)
{
	const struct task_defaults *d = p->task->defaults;

	return p->task->agent->mcp_n + (d != NULL ? d->mcp_n : 0);
}

static const struct agent_mcp *
server_at(const struct piece *p, size_t i, bool *of_client)
{
	const struct agent *a = p->task->agent;

	*of_client = i >= a->mcp_n;
	return *of_client ? &p->task->defaults->mcp[i - a->mcp_n] : &a->mcp[i];
}

const struct agent_mcp *
mcp_server_of(const struct piece *p, struct str name, bool *of_client)
{
	struct str server, tool;
	bool client;

	if (servers_n(p) == 0 || !agent_mcp_split(name, &server, &tool))
		return NULL;
	for (size_t i = 0; i < servers_n(p); i++) {
		const struct agent_mcp *m = server_at(p, i, &client);

		if (!str_eq(m->name, server))
			continue;
		if (of_client != NULL)
			*of_client = client;
		return m;
	}
	return NULL;
}

/* ---- which tools -------------------------------------------------------------------- */

/* What an llm says of a server's tools. */
enum wants { WANTS_NONE, WANTS_SOME, WANTS_ALL };

static enum wants
word_wants(struct str word, struct str server)
{
	struct str of, tool;

	if (str_eq(word, server))
		return WANTS_ALL;
	return agent_mcp_split(word, &of, &tool) && str_eq(of, server) ? WANTS_SOME :
	    WANTS_NONE;
}

static enum wants
names_want(const struct agent_value *names, struct str server)
{
	struct val list = names->constant;
	enum wants most = WANTS_NONE;

	if (list.kind == VAL_STRING)
		return word_wants(val_str(list), server);
	for (size_t i = 0; i < val_count(list); i++) {
		enum wants w = word_wants(val_str(val_at(list, i)), server);

		most = w > most ? w : most;
	}
	return most;
}

/* Servers of the client are for those who take the run's tools. */
static enum wants
llm_wants(const struct agent_work *w, struct str server, bool of_client)
{
	const struct agent_value *names = &w->fields[LLM_TOOLS];

	if (agent_has(names))
		return of_client ? WANTS_NONE : names_want(names, server);
	return agent_has(&w->fields[LLM_OUTPUT]) ? WANTS_NONE : WANTS_ALL;
}

static bool
names_have(const struct agent_value *names, struct str server, struct str offered)
{
	struct val list = names->constant;

	if (list.kind == VAL_STRING)
		return str_eq(val_str(list), server) ||
		    agent_mcp_is(val_str(list), server, offered);
	for (size_t i = 0; i < val_count(list); i++) {
		struct str word = val_str(val_at(list, i));

		if (str_eq(word, server) || agent_mcp_is(word, server, offered))
			return true;
	}
	return false;
}

static bool
llm_takes(const struct agent_work *w, const struct agent_mcp *server, bool of_client,
    struct str offered)
{
	enum wants wants = llm_wants(w, server->name, of_client);

	return agent_mcp_offers(server, offered) && (wants == WANTS_ALL ||
	    (wants == WANTS_SOME && names_have(&w->fields[LLM_TOOLS], server->name, offered)));
}

static bool
work_takes(const struct agent_work *w, const struct agent_mcp *server, bool of_client,
    struct str offered)
{
	if (w->kind->run == &task_llm && llm_takes(w, server, of_client, offered))
		return true;
	for (size_t i = 0; i < w->items_n; i++)
		if (work_takes(&w->items[i], server, of_client, offered))
			return true;
	return false;
}

bool
mcp_allows(const struct piece *p, struct str offered)
{
	const struct agent *a = p->task->agent;
	const struct agent_mcp *server;
	bool of_client;

	server = mcp_server_of(p, offered, &of_client);
	if (server == NULL)
		return false;
	if (p->spec->kind->run == &task_llm)         /* a turn of it asked */
		return llm_takes(p->spec, server, of_client, offered);
	for (size_t i = 0; i < a->nodes_n; i++)
		if (work_takes(&a->nodes[i].work, server, of_client, offered))
			return true;
	return false;
}

/* ---- what a server is told ------------------------------------------------------------- */

static bool
is_inside(struct str path, struct str of)
{
	while (of.n > 1 && str_ends(of, S("/")))
		of.n--;
	return str_starts(path, of) && (path.n == of.n || of.n == 1 || path.p[of.n] == '/');
}

/* Inside one of those of every agent around it? */
static bool
path_in_limits(const struct task_limits *l, struct str path)
{
	for (; l != NULL; l = l->up) {
		bool yes = l->own == NULL || !l->own->has_paths;

		for (size_t i = 0; !yes && i < l->own->paths_n; i++)
			yes = is_inside(path, l->own->paths[i]);
		if (!yes)
			return false;
	}
	return true;
}

/* The paths of the innermost agent that has some, as far as those around it go. */
static bool
find_roots(struct task_mcp *m, const struct task_limits *l, struct arena *a)
{
	struct str *roots;

	while (l != NULL && (l->own == NULL || !l->own->has_paths))
		l = l->up;
	if (l == NULL)
		return true;
	roots = arena_alloc(a, l->own->paths_n * sizeof *roots);
	for (size_t i = 0; roots != NULL && i < l->own->paths_n; i++)
		if (path_in_limits(l->up, l->own->paths[i]))
			roots[m->roots_n++] = l->own->paths[i];
	m->roots = roots;
	return m->roots_n > 0;
}

bool
mcp_ask_init(struct task_mcp *m, const struct piece *p, const struct agent_mcp *server,
    bool of_client, struct arena *a, struct err *e)
{
	const struct task *t = p->task;
	struct str authority = STR_NONE;

	*m = (struct task_mcp){ .server = server, .of_client = of_client };
	if (t->host->mcp_list == NULL)
		err_set(e, ERR_INVALID, "there are no MCP servers here");
	else if (server->url.n > 0 && t->limits != NULL &&
	    (!http_get_authority(server->url, &authority) ||
	    !http_get_in_limits(t, authority)))
		err_set(e, ERR_INVALID, "the agent's capabilities do not allow its host");
	else if (!find_roots(m, t->limits, a))
		err_set(e, ERR_INVALID, "the capabilities of the agent and those around it "
		    "have no path in common");
	else
		return true;
	return false;
}

/* ---- lists ----------------------------------------------------------------------------- */

struct str
mcp_schema(struct str json, struct arena *a)
{
	struct json_doc doc = { 0 };
	struct buf b = BUF(LIMIT_MCP_MESSAGE_BYTES);
	struct str out = S("{\"type\":\"object\",\"properties\":{}}");
	struct err e;

	if (json_parse(&doc, json, &e) == OK && json_is_object(doc.root)) {
		struct json_iter it = json_each(doc.root);

		buf_add_char(&b, '{');
		while (json_next(&it))
			if (!str_eq(json_str(it.key), S("$schema"))) {
				json_add_fmt(&b, ",%.*s:", FMT(json_str(it.key)));
				json_add_node(&b, it.value);
			}
		buf_add_char(&b, '}');
		out = arena_str(a, buf_str(&b));
	}
	json_release(&doc);
	buf_release(&b);
	return out;
}

void
mcp_fetch_stop(struct llm_piece *w)
{
	struct task *t = w->p.task;

	for (size_t i = 0; w->mcp != NULL && i < w->mcp->n; i++) {
		struct fetch_one *one = &w->mcp->at[i];

		if (one->under_way)
			t->host->mcp_stop(t->ctx, &one->m);
		one->under_way = false;
	}
}

void
mcp_fetch_free(struct llm_piece *w)
{
	if (w->mcp == NULL)
		return;
	arena_release(&w->mcp->a);
	free(w->mcp);
	w->mcp = NULL;
}

void
mcp_add_words(struct buf *b, struct str server, struct str words)
{
	if (!str_starts(words, S("the MCP server ")))
		buf_add_fmt(b, "the MCP server %.*s: ", FMT(server));
	buf_add(b, words);
}

static void
fail(struct mcp_fetch *f, struct str server, const char *words)
{
	struct buf event = BUF(LIMIT_MCP_NAME_BYTES + 64), b = BUF(LIMIT_TOOL_RESULT_BYTES);
	struct task_error e = { .name = S("ToolError") };

	buf_lit(&event, "error.tool.");
	buf_add(&event, server);
	mcp_add_words(&b, server, str_of(words));
	e.event = buf_str(&event);
	e.message = buf_str(&b);
	mcp_fetch_stop(f->w);
	piece_fail_with(&f->w->p, &e);
	buf_release(&event);
	buf_release(&b);
}

static bool
is_new(const struct fetch_one *one, struct str name)
{
	for (size_t i = 0; i < one->n; i++)
		if (str_eq(one->tools[i].name, name))
			return false;
	return true;
}

static void
take(struct fetch_one *one, const struct mcp_list *list)
{
	struct mcp_fetch *f = one->f;
	struct piece *p = &f->w->p;

	one->tools = arena_zero(&f->a, (list->n + 1) * sizeof *one->tools);
	for (size_t i = 0; one->tools != NULL && i < list->n; i++) {
		const struct mcp_tool *tool = &list->at[i];
		struct buf name = BUF(256);

		agent_mcp_name(&name, one->m.server->name, tool->name);
		if (llm_takes(p->spec, one->m.server, one->m.of_client, buf_str(&name)) &&
		    offer_declared(p, buf_str(&name)) == NULL &&
		    offer_in_limits(p, buf_str(&name)) && is_new(one, buf_str(&name)))
			one->tools[one->n++] = (struct llm_tool_spec){
			    arena_str(&f->a, buf_str(&name)),
			    arena_str(&f->a, tool->description),
			    mcp_schema(tool->schema_json, &f->a) };
		buf_release(&name);
	}
}

static bool
list_has(const struct mcp_list *list, const struct agent_mcp *server, struct str word)
{
	struct buf name = BUF(256);
	bool found = false;

	for (size_t i = 0; i < list->n && !found; i++) {
		buf_clear(&name);
		agent_mcp_name(&name, server->name, list->at[i].name);
		found = str_eq(list->at[i].name, word) ||
		    agent_mcp_is(word, server->name, buf_str(&name));
	}
	buf_release(&name);
	return found;
}

/* A tool that the file names, and the server has not: a mistake of the file, or of
 * the server; never silent. */
static bool
has_named(struct fetch_one *one, const struct mcp_list *list)
{
	const struct agent_mcp *server = one->m.server;
	struct val names = piece_field(&one->f->w->p, LLM_TOOLS)->constant;
	struct str missing = STR_NONE;
	struct buf words = BUF(1024);

	for (size_t i = 0; i < server->tools_n && !one->m.of_client; i++)
		if (!list_has(list, server, server->tools[i]))
			missing = server->tools[i];
	for (size_t i = 0; names.kind == VAL_ARRAY && i < val_count(names); i++) {
		struct str word = val_str(val_at(names, i));

		if (word_wants(word, server->name) == WANTS_SOME &&
		    offer_declared(&one->f->w->p, word) == NULL &&
		    !list_has(list, server, word))
			missing = word;
	}
	if (missing.n == 0)
		return true;
	buf_add_fmt(&words, "it has no tool '%.*s'; it has:", FMT(str_cut(missing, 100)));
	for (size_t i = 0; i < list->n && words.n < 800; i++)
		buf_add_fmt(&words, "%s %.*s", i > 0 ? "," : "",
		    FMT(str_cut(list->at[i].name, 100)));
	buf_add(&words, list->n == 0 ? S(" none") : STR_NONE);
	buf_add_char(&words, 0);
	fail(one->f, server->name, words.p);
	buf_release(&words);
	return false;
}

static void
on_listed(struct task_mcp *m, int rc, const struct mcp_list *list, const struct err *e)
{
	struct fetch_one *one = CONTAINER_OF(m, struct fetch_one, m);
	struct mcp_fetch *f = one->f;
	struct task *t = f->w->p.task;

	one->under_way = false;
	if (!task_enter(t))
		return;
	f->open--;
	if (f->w->p.state != PIECE_RUNS)
		;
	else if (rc != OK)
		fail(f, m->server->name, e->text);
	else if (has_named(one, list)) {
		take(one, list);
		if (f->a.failed)
			fail(f, m->server->name, "its tools take too much memory");
		else if (f->open == 0 && !f->starting)
			llm_prepare_next(f->w);
	}
	task_leave(t);
}

static void
ask(struct mcp_fetch *f, const struct agent_mcp *server, bool of_client)
{
	struct task *t = f->w->p.task;
	struct fetch_one *one = &f->at[f->n++];
	struct err e;

	if (!mcp_ask_init(&one->m, &f->w->p, server, of_client, &f->a, &e)) {
		fail(f, server->name, e.text);
		return;
	}
	one->f = f;
	one->m.listed = on_listed;
	one->under_way = true;
	f->open++;
	t->host->mcp_list(t->ctx, &one->m);
}

bool
mcp_prepare(struct llm_piece *w)
{
	struct piece *p = &w->p;
	size_t n = servers_n(p);
	struct mcp_fetch *f;
	bool of_client;

	if (n == 0 || p->task->host->mcp_taped)
		return true;
	mcp_fetch_free(w);                   /* of a question that was asked before */
	w->mcp = f = mem_new(struct mcp_fetch);
	f->w = w;
	f->a = ARENA(FETCH_BYTES);
	f->at = arena_zero(&f->a, n * sizeof *f->at);
	f->starting = true;
	for (size_t i = 0; i < n && p->state == PIECE_RUNS && !p->task->over; i++) {
		const struct agent_mcp *server = server_at(p, i, &of_client);

		if (llm_wants(p->spec, server->name, of_client) != WANTS_NONE)
			ask(f, server, of_client);
	}
	f->starting = false;
	return f->open == 0 && p->state == PIECE_RUNS;
}

size_t
mcp_specs_count(const struct llm_piece *w)
{
	size_t n = 0;

	for (size_t i = 0; w->mcp != NULL && i < w->mcp->n; i++)
		n += w->mcp->at[i].n;
	return n;
}

void
mcp_specs_add(const struct llm_piece *w, struct llm_tool_spec *specs, size_t *n)
{
	for (size_t i = 0; w->mcp != NULL && i < w->mcp->n; i++)
		for (size_t k = 0; k < w->mcp->at[i].n; k++)
			specs[(*n)++] = w->mcp->at[i].tools[k];
}
