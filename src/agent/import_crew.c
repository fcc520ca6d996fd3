/*
 * import_crew.c - a crew: agents.yaml says who, tasks.yaml what is done, in order.
 * Each task becomes a node that asks a model as its agent; `{name}` in a text
 * becomes a channel.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "agent/import_priv.h"
#include "base/limits.h"

static const char code[] = "it names code";
static const char crews[] = "models are asked without it";

static const struct import_key agent_keys[] = {
	{ "role", NULL }, { "goal", NULL }, { "backstory", NULL }, { "llm", NULL },
	{ "tools", NULL }, { "max_iter", NULL }, { "verbose", crews },
	{ "allow_delegation", "say `tools: {NAME: {agent: ...}}`" }, { "max_rpm",
	    "say `requests_per_minute` of a provider in cohort.yaml" },
	{ "max_execution_time", "say `timeout` of the node" },
	{ "max_retry_limit", "say `retry` of the node" }, { "memory", "say `store`" },
	{ "cache", crews }, { "function_calling_llm", crews }, { "step_callback", code },
	{ "system_template", crews }, { "prompt_template", crews },
	{ "response_template", crews }, { "allow_code_execution", "nothing runs code here" },
	{ "code_execution_mode", "nothing runs code here" },
	{ "respect_context_window", "say `truncate` of the llm" }, { "multimodal", crews },
	{ "inject_date", "use the tool current_time" }, { "date_format", crews },
	{ "reasoning", crews }, { "max_reasoning_attempts", crews }, { "embedder", crews },
	{ "knowledge_sources", code }, { "use_system_prompt", crews }, { NULL, NULL }
};

static const struct import_key task_keys[] = {
	{ "description", NULL }, { "expected_output", NULL }, { "agent", NULL },
	{ "context", NULL }, { "human_input", NULL }, { "name", NULL }, { "tools", NULL },
	{ "async_execution", NULL }, { "output_file", "a run writes no files; read the channel" },
	{ "create_directory", "a run writes no files" },
	{ "output_json", code }, { "output_pydantic", code }, { "callback", code },
	{ "guardrail", code }, { "guardrail_max_retries", code }, { "guardrails", code },
	{ "markdown", "say so in the description" }, { "config", crews },
	{ "converter_cls", code }, { "response_model", code }, { "allow_crewai_trigger_context", crews },
	{ NULL, NULL }
};

struct crew {
	struct importer *im;
	const struct tree *agents, *tasks;
	struct import_names inputs;          /* placeholders */
	const struct tree_node *before;      /* the task before */
};

static void
both(struct crew *c, const struct tree *t)
{
	c->im->t = t;                        /* whose places notes name */
}

/* "{topic}" is the channel topic; what else is in braces stays. */
static struct str
template_of(struct crew *c, struct str s)
{
	struct buf b = BUF(MB);
	struct str out;

	for (size_t i = 0; i < s.n; i++) {
		size_t n = 0;

		while (s.p[i] == '{' && i + 1 + n < s.n && (((s.p[i + 1 + n] | 0x20) >= 'a' &&
		    (s.p[i + 1 + n] | 0x20) <= 'z') || s.p[i + 1 + n] == '_' ||
		    (n > 0 && s.p[i + 1 + n] >= '0' && s.p[i + 1 + n] <= '9')))
			n++;
		if (n > 0 && i + 1 + n < s.n && s.p[i + 1 + n] == '}') {
			struct str name = str_sub(s, i + 1, n);

			import_names_add(c->im, &c->inputs, name);
			buf_add_fmt(&b, "${data.%.*s}", FMT(name));
			i += n + 1;
		} else if (s.p[i] == '$' && i + 1 < s.n && s.p[i + 1] == '{') {
			buf_lit(&b, "${'$'}");
		} else {
			buf_add_char(&b, s.p[i]);
		}
	}
	c->im->out->arena.failed = c->im->out->arena.failed || b.failed;
	out = arena_str(&c->im->out->arena, str_trim(buf_str(&b)));
	buf_release(&b);
	return out;
}

static struct str
channel_of(struct crew *c, struct str task)
{
	struct str id = import_id(c->im, task);
	char *p = arena_alloc(&c->im->out->arena, id.n + 1);

	for (size_t i = 0; p != NULL && i < id.n; i++)
		p[i] = id.p[i] == '-' ? '_' : id.p[i];
	return p == NULL ? id : (struct str){ p, id.n };
}

static struct str
system_of(struct crew *c, const struct tree_node *agent)
{
	struct str out;

	both(c, c->agents);
	out = arena_fmt(&c->im->out->arena, "You are %.*s. %.*s\nYour goal: %.*s",
	    FMT(template_of(c, import_text(c->im, agent, "role"))),
	    FMT(template_of(c, import_text(c->im, agent, "backstory"))),
	    FMT(template_of(c, import_text(c->im, agent, "goal"))));
	both(c, c->tasks);
	return out;
}

/* What the task is to know of others: those it names, else the one before. */
static void
add_context(struct crew *c, struct buf *b, const struct tree_node *task)
{
	const struct tree_node *list = tree_get(c->tasks, task, S("context"));

	for (const struct tree_node *n = list != NULL ? list->first : NULL; n != NULL;
	    n = n->next)
		if (n->kind == TREE_STRING && tree_get(c->tasks, c->tasks->root, n->text) != NULL)
			buf_add_fmt(b, "\n\n%.*s:\n${data.%.*s}", FMT(n->text),
			    FMT(channel_of(c, n->text)));
		else
			import_note(c->im, n, "left out: there is no task of that name");
	if (list == NULL && c->before != NULL)
		buf_add_fmt(b, "\n\n%.*s:\n${data.%.*s}", FMT(c->before->key),
		    FMT(channel_of(c, c->before->key)));
}

static void
add_tools(struct crew *c, struct import_names *names, const struct tree *t,
    const struct tree_node *of)
{
	const struct tree_node *tools = of != NULL ? tree_get(t, of, S("tools")) : NULL;

	both(c, t);
	for (const struct tree_node *n = tools != NULL ? tools->first : NULL; n != NULL;
	    n = n->next)
		if (n->kind == TREE_STRING)
			import_tool(c->im, names, n, n->text);
}

static void
write_task(struct crew *c, struct writer *w, const struct tree_node *task)
{
	struct str who = import_text(c->im, task, "agent");
	const struct tree_node *agent = who.n > 0 && c->agents->root != NULL ?
	    tree_get(c->agents, c->agents->root, who) : NULL;
	const struct tree_node *model = agent != NULL ?
	    tree_get(c->agents, agent, S("llm")) : NULL;
	const struct tree_node *person = tree_get(c->tasks, task, S("human_input"));
	struct str output = import_text(c->im, task, "expected_output");
	struct import_names tools = { 0 };
	int64_t turns = 0;
	struct buf prompt = BUF(MB);

	if (agent == NULL)
		import_note(c->im, task, "it has no agent of agents.yaml: asked without a system "
		    "prompt");
	buf_add(&prompt, template_of(c, import_text(c->im, task, "description")));
	if (output.n > 0)
		buf_add_fmt(&prompt, "\n\nExpected output: %.*s", FMT(template_of(c, output)));
	add_context(c, &prompt, task);
	add_tools(c, &tools, c->tasks, task);
	add_tools(c, &tools, c->agents, agent);
	both(c, c->tasks);
	write_open(w, channel_of(c, task->key));
	write_open(w, S("llm"));
	both(c, c->agents);
	if (agent != NULL)
		turns = import_int(c->im, agent, "max_iter");
	if (model != NULL && model->kind == TREE_STRING)
		write_text(w, S("model"), import_model(c->im, model, model->text));
	if (agent != NULL)
		write_text(w, S("system"), system_of(c, agent));
	write_text(w, S("prompt"), buf_str(&prompt));
	write_raw(w, S("messages"), "[]");
	if (tools.n > 0) {
		write_names(w, S("tools"), &tools);
		write_raw(w, S("max_turns"), "%lld", (long long)(turns > 0 ? turns : 25));
	}
	write_close(w);
	both(c, c->tasks);
	write_raw(w, S("writes"), "{%.*s: result.text}", FMT(channel_of(c, task->key)));
	write_close(w);
	if (person != NULL && person->kind == TREE_BOOL && person->truth) {
		write_open(w, arena_fmt(&c->im->out->arena, "%.*s_review",
		    FMT(channel_of(c, task->key))));
		write_raw(w, S("ask"), "{prompt: \"Is this as you want it? Write it anew, or "
		    "leave it empty.\\n\\n${data.%.*s}\"}", FMT(channel_of(c, task->key)));
		write_raw(w, S("writes"), "{%.*s: \"result.value == '' ? data.%.*s : "
		    "result.value\"}", FMT(channel_of(c, task->key)),
		    FMT(channel_of(c, task->key)));
		write_close(w);
	}
	c->im->out->arena.failed = c->im->out->arena.failed || prompt.failed;
	buf_release(&prompt);
}

static void
write_edges(struct crew *c, struct buf *out)
{
	struct str last = S("START");

	buf_lit(out, "edges:\n");
	for (const struct tree_node *n = c->tasks->root->first; n != NULL; n = n->next) {
		const struct tree_node *person = tree_get(c->tasks, n, S("human_input"));
		struct str at = channel_of(c, n->key);

		buf_add_fmt(out, "  - [%.*s, %.*s]\n", FMT(last), FMT(at));
		last = at;
		if (person == NULL || person->kind != TREE_BOOL || !person->truth)
			continue;
		last = arena_fmt(&c->im->out->arena, "%.*s_review", FMT(at));
		buf_add_fmt(out, "  - [%.*s, %.*s]\n", FMT(at), FMT(last));
	}
}

static void
write_crew(struct crew *c)
{
	struct buf out = BUF(16 * MB), nodes = BUF(16 * MB);
	struct writer w = { .b = &nodes, .depth = 1 };

	for (const struct tree_node *n = c->tasks->root->first; n != NULL; n = n->next) {
		const struct tree_node *async = tree_get(c->tasks, n, S("async_execution"));

		both(c, c->tasks);
		import_check_keys(c->im, n, task_keys);
		if (async != NULL && async->kind == TREE_BOOL && async->truth)
			import_note(c->im, async, "left out: tasks follow each other; change the "
			    "edges");
		write_task(c, &w, n);
		c->before = n;
	}
	both(c, c->agents);
	for (const struct tree_node *n = c->agents->root != NULL ? c->agents->root->first : NULL;
	    n != NULL; n = n->next)
		import_check_keys(c->im, n, agent_keys);
	buf_lit(&out, "id: crew\nstate:\n");
	for (size_t i = 0; i < c->inputs.n; i++)
		buf_add_fmt(&out, "  %.*s: {}\n", FMT(c->inputs.at[i]));
	for (const struct tree_node *n = c->tasks->root->first; n != NULL; n = n->next)
		buf_add_fmt(&out, "  %.*s: {}\n", FMT(channel_of(c, n->key)));
	buf_lit(&out, "nodes:\n");
	buf_add(&out, buf_str(&nodes));
	write_edges(c, &out);
	out.failed = out.failed || nodes.failed;
	import_add(c->im, S("crew"), &out);
	buf_release(&out);
	buf_release(&nodes);
}

/* The file beside it: tasks.yaml of agents.yaml, and the other way round. */
int
import_crew(struct importer *im, const struct tree_node *root, struct str file,
    struct err *e)
{
	const struct tree *given = im->t;
	bool tasks = tree_get(given, root->first, S("expected_output")) != NULL ||
	    tree_get(given, root->first, S("description")) != NULL;
	struct str name = tasks ? S("agents.yaml") : S("tasks.yaml"), path;
	const char *slash = memrchr(file.p, '/', file.n);
	struct buf text = BUF(LIMIT_AGENT_BYTES);
	struct tree other = { 0 };
	struct crew c = { .im = im, .agents = tasks ? &other : given,
		.tasks = tasks ? given : &other };
	int rc = im->around->read == NULL ? ERR_NOTFOUND :
	    im->around->read(im->around->ctx, name, &text);

	path = arena_fmt(&im->out->arena, "%.*s%.*s", slash == NULL ? 0 :
	    (int)(slash + 1 - file.p), file.p, FMT(name));
	if (rc != OK)
		rc = err_set(e, ERR_INVALID, "%.*s: its other half, %.*s, is not beside it",
		    FMT(file), FMT(name));
	if (rc == OK)
		rc = tree_read_loose(&other, buf_str(&text), path, e);
	if (rc == OK && (other.root->kind != TREE_MAP || other.root->n == 0))
		rc = err_set(e, ERR_INVALID, "%.*s: expected a map of %s", FMT(path),
		    tasks ? "agents" : "tasks");
	for (const struct tree_node *n = rc == OK ? c.tasks->root->first : NULL; n != NULL;
	    n = n->next)
		if (n->kind != TREE_MAP && rc == OK)
			rc = tree_fail(c.tasks, n, e, "expected a task, got %s", tree_kind_name(n));
	if (rc == OK)
		write_crew(&c);
	im->t = given;
	tree_release(&other);
	buf_release(&text);
	return rc;
}
