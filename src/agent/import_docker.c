/*
 * import_docker.c - Docker Agent's YAML: several agents in a file, each with a
 * model, an instruction and toolsets; each becomes a file of ours, and calls the
 * others as tools.
 *
 * SPDX-License-Identifier: MIT
 */
#include "agent/import_priv.h"
#include "base/json.h"
#include "base/limits.h"

#define MAX_TURNS 25

static const char elsewhere[] = "it is about how another program runs the agent";
static const char screen[] = "it is for the screen of another program";
static const char asked[] = "models are asked without it";

static const struct import_key root_keys[] = {
	{ "agents", NULL }, { "models", NULL }, { "version", NULL },
	{ "providers", "write them under `providers` of cohort.yaml" },
	{ "rag", "there is no such source here" }, { "mcps", "write them in the agents" },
	{ "metadata", "it is no part of an agent" },
	{ "permissions", "say `approval` of a tool, or `capabilities`" },
	{ "commands", screen }, { "hooks", elsewhere }, { "runtime", elsewhere },
	{ "toolsets", "write them in the agents" }, { NULL, NULL }
};

static const struct import_key agent_keys[] = {
	{ "model", NULL }, { "description", NULL }, { "instruction", NULL },
	{ "toolsets", NULL }, { "sub_agents", NULL }, { "max_iterations", NULL },
	{ "structured_output", NULL }, { "fallback", NULL }, { "handoffs", NULL },
	{ "welcome_message", screen }, { "commands", screen }, { "use_commands", screen },
	{ "code_mode_tools", elsewhere }, { "add_date", "use the tool current_time" },
	{ "add_environment_info", elsewhere }, { "add_prompt_files", elsewhere },
	{ "num_history_items", "say `truncate` of the llm" },
	{ "rag", "there is no such source here" }, { "hooks", elsewhere },
	{ "add_description_parameter", asked }, { "skills", "name them in Markdown" },
	{ "readme", "it is no part of an agent" }, { "max_consecutive_tool_calls", elsewhere },
	{ "max_old_tool_call_tokens", "say `truncate` of the llm" },
	{ "cache", asked }, { NULL, NULL }
};

static const struct import_key model_keys[] = {
	{ "provider", NULL }, { "model", NULL }, { "temperature", NULL }, { "max_tokens", NULL },
	{ "title", screen }, { "top_p", asked }, { "frequency_penalty", asked },
	{ "presence_penalty", asked }, { "parallel_tool_calls", asked },
	{ "base_url", "say `base_url` of a provider in cohort.yaml" },
	{ "token_key", "say `api_key: env:NAME` of a provider in cohort.yaml" },
	{ "provider_opts", asked }, { "track_usage", "usage is always counted" },
	{ "thinking_budget", asked }, { "thinking_display", asked }, { "routing", asked },
	{ NULL, NULL }
};

static const struct import_key toolset_keys[] = {
	{ "type", NULL }, { "ref", NULL }, { "command", NULL }, { "args", NULL },
	{ "env", NULL }, { "remote", NULL }, { "tools", NULL }, { "name", NULL },
	{ "instruction", NULL }, { "config", elsewhere }, { "toon", elsewhere },
	{ "shared", elsewhere }, { "defer", elsewhere }, { "path", elsewhere },
	{ "shell", elsewhere }, { "post_edit", elsewhere }, { "api_config", elsewhere },
	{ "ignore_vcs", elsewhere }, { "timeout", "say `timeout` of the tool" },
	{ "url", NULL }, { "headers", elsewhere }, { "sandbox", elsewhere },
	{ "file_types", elsewhere }, { "working_dir", elsewhere }, { "version", elsewhere },
	{ NULL, NULL }
};

/* What a toolset is here.  tool NULL: nothing, because of why. */
static const struct { const char *type, *tool, *why; } toolsets[] = {
	{ "fetch", "http_get", NULL },
	{ "think", NULL, "models think by themselves" },
	{ "todo", NULL, "use the tools of the tracker: `work_create`, `work_ready`" },
	{ "tasks", NULL, "use the tools of the tracker: `work_create`, `work_ready`" },
	{ "memory", NULL, "use the tools store_put and store_search" },
	{ "user_prompt", NULL, "say `ask` in the agent" },
	{ "filesystem", NULL, "use an MCP server for files" },
	{ "shell", NULL, "nothing runs commands here" },
	{ "script", NULL, "nothing runs commands here" },
	{ "lsp", NULL, "nothing runs commands here" },
	{ "api", NULL, "use an MCP server" }, { "openapi", NULL, "use an MCP server" },
	{ "a2a", NULL, "write an agent that asks it" },
};

struct docker {
	struct importer *im;
	const struct tree_node *models, *agents;
};

/* ---- models ---------------------------------------------------------------------- */

/* A name under `models`, or provider/model. */
static const struct tree_node *
model_of(const struct docker *d, struct str name)
{
	return d->models == NULL ? NULL : tree_get(d->im->t, d->models, name);
}

static struct str
model_name(struct docker *d, const struct tree_node *n, struct str name)
{
	const struct tree_node *m = model_of(d, name);
	struct str provider, model;

	if (m == NULL)
		return import_model(d->im, n, name);
	provider = import_text(d->im, m, "provider");
	model = import_text(d->im, m, "model");
	return import_model(d->im, m, provider.n == 0 ? model :
	    arena_fmt(&d->im->out->arena, "%.*s/%.*s", FMT(provider), FMT(model)));
}

static void
write_model(struct docker *d, struct writer *w, const struct tree_node *agent)
{
	const struct tree_node *n = tree_get(d->im->t, agent, S("model")), *m, *part;
	const struct tree_node *fallback = tree_get(d->im->t, agent, S("fallback"));
	struct import_names more = { 0 };

	if (n == NULL || n->kind != TREE_STRING)
		return;
	write_text(w, S("model"), model_name(d, n, n->text));
	m = model_of(d, n->text);
	for (const char *const *k = (const char *const []){ "temperature", "max_tokens", NULL };
	    m != NULL && *k != NULL; k++) {
		part = tree_get(d->im->t, m, str_of(*k));
		if (part != NULL && part->kind == TREE_NUMBER)
			write_raw(w, str_of(*k), "%.*s", FMT(part->text));
	}
	part = fallback != NULL ? tree_get(d->im->t, fallback, S("models")) : NULL;
	for (const struct tree_node *c = part != NULL ? part->first : NULL; c != NULL; c = c->next)
		if (c->kind == TREE_STRING)
			import_names_add(d->im, &more, model_name(d, c, c->text));
	if (more.n > 0)
		write_names(w, S("fallbacks"), &more);
}

/* ---- tools ----------------------------------------------------------------------- */

static void
add_word(struct buf *b, struct str word)
{
	buf_add(b, b->n > 0 ? S(", ") : STR_NONE);
	json_add_str(b, word);
}

/* Of `command` and `args`, or `ref: docker:NAME`, which is a command, too. */
static bool
write_command(struct docker *d, struct writer *w, const struct tree_node *n)
{
	struct str command = import_text(d->im, n, "command"), ref = import_text(d->im, n, "ref");
	const struct tree_node *args = tree_get(d->im->t, n, S("args"));
	struct buf b = BUF(MB);

	if (command.n > 0) {
		add_word(&b, command);
	} else if (str_starts(ref, S("docker:"))) {
		buf_lit(&b, "docker, mcp, gateway, run, ");
		json_add_str(&b, arena_fmt(&d->im->out->arena, "--servers=%.*s",
		    FMT(str_sub(ref, 7, SIZE_MAX))));
	}
	for (const struct tree_node *c = args != NULL ? args->first : NULL; c != NULL; c = c->next)
		add_word(&b, c->text);
	if (b.n > 0)
		write_raw(w, S("command"), "[%s]", b.p);
	buf_release(&b);
	return command.n > 0 || ref.n > 0;
}

static struct str
server_id(struct docker *d, const struct tree_node *n, size_t number)
{
	struct str name = import_text(d->im, n, "name"), ref = import_text(d->im, n, "ref");

	if (name.n == 0 && str_starts(ref, S("docker:")))
		name = str_sub(ref, 7, SIZE_MAX);
	return name.n > 0 ? import_id(d->im, name) :
	    arena_fmt(&d->im->out->arena, "server%zu", number);
}

/* "Bearer ${TOKEN}", "$TOKEN", "${env.TOKEN}": *before is what stands in front of it. */
static bool
is_variable(struct str s, struct str *before, struct str *name)
{
	ptrdiff_t at = str_index(s, '$');

	if (at < 0)
		return false;
	*before = str_sub(s, 0, (size_t)at);
	*name = str_sub(s, (size_t)at + 1, s.n);
	if (str_starts(*name, S("{")) && str_ends(*name, S("}")))
		*name = str_sub(*name, 1, name->n - 2);
	if (str_starts(*name, S("env.")))
		*name = str_sub(*name, 4, name->n);
	for (size_t i = 0; i < name->n; i++) {
		char c = name->p[i];

		if (c != '_' && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z') &&
		    !(c >= '0' && c <= '9'))
			return false;
	}
	return name->n > 0 && (before->n == 0 || str_ends(*before, S(" ")));
}

/* Variables and headers; variables in their values become references. */
static void
write_pairs(struct docker *d, struct writer *w, struct str key, const struct tree_node *n)
{
	struct str before, name;

	if (n == NULL || n->kind != TREE_MAP || n->n == 0)
		return;
	write_open(w, key);
	for (const struct tree_node *c = n->first; c != NULL; c = c->next) {
		if (is_variable(c->text, &before, &name)) {
			write_text(w, c->key, arena_fmt(&d->im->out->arena, "%.*senv:%.*s",
			    FMT(before), FMT(name)));
			continue;
		}
		write_text(w, c->key, c->text);
		if (str_index(c->text, '$') >= 0)
			import_note(d->im, c, "a '$' in it is taken as it is: a value ends with "
			    "a variable, as env:NAME, or has none");
	}
	write_close(w);
}

static void
write_server(struct docker *d, struct writer *w, const struct tree_node *n, struct str id)
{
	const struct tree_node *remote = tree_get(d->im->t, n, S("remote"));
	const struct tree_node *part;

	write_open(w, id);
	if (remote != NULL && remote->kind == TREE_MAP) {
		write_text(w, S("url"), import_text(d->im, remote, "url"));
		write_pairs(d, w, S("headers"), tree_get(d->im->t, remote, S("headers")));
	} else if (!write_command(d, w, n)) {
		import_note(d->im, n, "it has neither 'command' nor 'remote'");
	} else {
		write_pairs(d, w, S("env"), tree_get(d->im->t, n, S("env")));
	}
	part = tree_get(d->im->t, n, S("tools"));
	if (part != NULL)
		write_node(w, S("tools"), part);
	write_close(w);
}

static void
take_toolset(struct docker *d, struct writer *mcp, const struct tree_node *n,
    struct import_names *names, size_t number)
{
	struct str type = import_text(d->im, n, "type"), id;

	import_check_keys(d->im, n, toolset_keys);
	if (str_eq(type, S("mcp"))) {
		id = server_id(d, n, number);
		import_names_add(d->im, names, id);
		write_server(d, mcp, n, id);
		return;
	}
	for (size_t i = 0; i < COUNT(toolsets); i++) {
		if (!str_eq(type, str_of(toolsets[i].type)))
			continue;
		if (toolsets[i].tool != NULL)
			import_tool(d->im, names, n, str_of(toolsets[i].tool));
		else
			import_note(d->im, n, "left out: toolset '%s': %s", toolsets[i].type,
			    toolsets[i].why);
		return;
	}
	import_note(d->im, n, "left out: toolset '%.*s' is not known", FMT(str_cut(type, 60)));
}

/* Agents that it may call, as tools. */
static void
write_calls(struct docker *d, struct writer *w, const struct tree_node *agent,
    struct import_names *names)
{
	size_t n = 0;

	for (const char *const *k = (const char *const []){ "sub_agents", "handoffs", NULL };
	    *k != NULL; k++) {
		const struct tree_node *list = tree_get(d->im->t, agent, str_of(*k));

		for (const struct tree_node *c = list != NULL ? list->first : NULL; c != NULL;
		    c = c->next) {
			const struct tree_node *to = c->kind != TREE_STRING ? NULL :
			    tree_get(d->im->t, d->agents, c->text);

			if (to == NULL) {
				import_note(d->im, c, "left out: there is no agent of that name "
				    "in the file");
				continue;
			}
			if (n++ == 0)
				write_open(w, S("tools"));
			import_names_add(d->im, names, import_id(d->im, to->key));
			write_open(w, import_id(d->im, to->key));
			write_text(w, S("agent"), import_id(d->im, to->key));
			write_text(w, S("description"), import_text(d->im, to, "description"));
			write_close(w);
		}
		if (list != NULL && str_eq(list->key, S("handoffs")))
			import_note(d->im, list, "agents to hand over to are called as tools: the "
			    "conversation comes back");
	}
	if (n > 0)
		write_close(w);
}

/* ---- an agent ---------------------------------------------------------------------- */

static void
write_llm(struct docker *d, struct writer *w, const struct tree_node *agent,
    const struct import_names *names)
{
	const struct tree_node *output = tree_get(d->im->t, agent, S("structured_output"));
	const struct tree_node *schema = output != NULL && output->kind == TREE_MAP ?
	    tree_get(d->im->t, output, S("schema")) : NULL;
	int64_t turns = import_int(d->im, agent, "max_iterations");

	write_open(w, S("llm"));
	write_model(d, w, agent);
	write_prompt(w, S("system"), str_trim(import_text(d->im, agent, "instruction")));
	if (schema != NULL && schema->kind == TREE_MAP) {
		write_open(w, S("output"));
		write_node(w, S("schema"), schema);
		write_close(w);
	}
	if (names->n > 0) {
		write_names(w, S("tools"), names);
		write_raw(w, S("max_turns"), "%lld", (long long)(turns > 0 ? turns : MAX_TURNS));
	}
	write_close(w);
}

static void
write_agent(struct docker *d, const struct tree_node *agent)
{
	const struct tree_node *list = tree_get(d->im->t, agent, S("toolsets"));
	struct buf out = BUF(16 * MB), servers = BUF(MB);
	struct writer w = { .b = &out }, mcp = { .b = &servers, .depth = 1 };
	struct import_names names = { 0 };
	size_t number = 0;

	import_check_keys(d->im, agent, agent_keys);
	for (const struct tree_node *c = list != NULL ? list->first : NULL; c != NULL; c = c->next)
		if (c->kind == TREE_MAP)
			take_toolset(d, &mcp, c, &names, ++number);
		else
			import_note(d->im, c, "left out: expected a toolset");
	write_text(&w, S("id"), import_id(d->im, agent->key));
	if (import_text(d->im, agent, "description").n > 0)
		write_text(&w, S("description"), import_text(d->im, agent, "description"));
	write_open(&w, S("state"));
	write_raw(&w, S("messages"), "{reducer: messages}");
	write_close(&w);
	if (servers.n > 0) {
		buf_lit(&out, "mcp:\n");
		buf_add(&out, buf_str(&servers));
	}
	write_calls(d, &w, agent, &names);
	write_open(&w, S("nodes"));
	write_open(&w, S("agent"));
	write_llm(d, &w, agent, &names);
	write_close(&w);
	write_close(&w);
	buf_lit(&out, "edges:\n  - [START, agent]\n");
	out.failed = out.failed || servers.failed;
	import_add(d->im, import_id(d->im, agent->key), &out);
	buf_release(&out);
	buf_release(&servers);
}

int
import_docker(struct importer *im, const struct tree_node *root, struct err *e)
{
	struct docker d = { .im = im, .agents = tree_get(im->t, root, S("agents")),
		.models = tree_get(im->t, root, S("models")) };

	import_check_keys(im, root, root_keys);
	for (const struct tree_node *n = d.models != NULL ? d.models->first : NULL; n != NULL;
	    n = n->next)
		import_check_keys(im, n, model_keys);
	for (const struct tree_node *n = d.agents->first; n != NULL; n = n->next) {
		if (n->kind != TREE_MAP)
			return tree_fail(im->t, n, e, "expected an agent, got %s",
			    tree_kind_name(n));
		write_agent(&d, n);
	}
	return OK;
}
