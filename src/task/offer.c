/*
 * offer.c - which tools a model is offered, and which of them may be called.
 *
 * A name in an llm's `tools` is a tool of the agent's file, a tool of the
 * server, or a group of them.  Without `tools` it is what the run asks for, and
 * the tools of the file.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/json.h"
#include "task/llm_priv.h"
#include "task/mcp_priv.h"
#include "task/worker_priv.h"

const struct agent_tool *
offer_declared(const struct piece *p, struct str name)
{
	const struct agent *a = p->task->agent;

	for (size_t i = 0; i < a->tools_n; i++)
		if (str_eq(a->tools[i].name, name))
			return &a->tools[i];
	return NULL;
}

bool
offer_in_limits(const struct piece *p, struct str name)
{
	const struct tools *all = p->task->host->tools;
	const struct tool *tool = all != NULL && p->task->limits != NULL ?
	    tools_find(all, name) : NULL;
	const struct agent_mcp *server = tool == NULL && p->task->limits != NULL ?
	    mcp_server_of(p, name, NULL) : NULL;
	struct str group = tool != NULL && tool->group != NULL ? str_of(tool->group) :
	    server != NULL ? server->name : STR_NONE;

	for (const struct task_limits *l = p->task->limits; l != NULL; l = l->up)
		if (!agent_limits_tool(l->own, name, group))
			return false;
	return true;
}

/* Is the tool, or its group, among the names? */
static bool
names_have(const struct agent_value *names, struct str name, const char *group)
{
	struct val list = names->constant;

	if (list.kind == VAL_STRING)
		return str_eq(val_str(list), name) ||
		    (group != NULL && str_eq(val_str(list), str_of(group)));
	for (size_t i = 0; i < val_count(list); i++) {
		struct str word = val_str(val_at(list, i));

		if (str_eq(word, name) || (group != NULL && str_eq(word, str_of(group))))
			return true;
	}
	return false;
}

/* Does the run ask for it? */
static bool
defaults_have(const struct task_defaults *d, const struct tool *tool)
{
	if (d == NULL)
		return false;
	if (d->all_tools)
		return tool->group == NULL;
	for (size_t i = 0; i < d->tools_n; i++)
		if (d->tools[i] == tool)
			return true;
	return false;
}

/* Does some llm of the work name it? */
static bool
work_names(const struct agent_work *w, struct str name, const char *group)
{
	if (w->kind->run == &task_llm && names_have(&w->fields[LLM_TOOLS], name, group))
		return true;
	for (size_t i = 0; i < w->items_n; i++)
		if (work_names(&w->items[i], name, group))
			return true;
	return false;
}

/* An llm that makes its calls itself, and says which, makes no others. */
static bool
own_llm_has(const struct piece *p, struct str name, const char *group)
{
	const struct agent_value *names = p->spec->kind->run != &task_llm ? NULL :
	    &p->spec->fields[LLM_TOOLS];

	return names == NULL || !agent_has(names) || names_have(names, name, group);
}

static bool
allows(const struct piece *p, const struct tool *tool)
{
	const struct agent *a = p->task->agent;

	if (!own_llm_has(p, str_of(tool->name), tool->group))
		return false;
	if (defaults_have(p->task->defaults, tool))
		return true;
	for (size_t i = 0; i < a->nodes_n; i++)
		if (work_names(&a->nodes[i].work, str_of(tool->name), tool->group))
			return true;
	return false;
}

bool
offer_allows(const struct piece *p, struct str name)
{
	const struct tools *all = p->task->host->tools;
	const struct tool *tool = all != NULL ? tools_find(all, name) : NULL;

	return ((offer_declared(p, name) != NULL && own_llm_has(p, name, NULL)) ||
	    (tool != NULL && allows(p, tool)) || mcp_allows(p, name)) &&
	    offer_in_limits(p, name);
}

void
offer_add_names(struct buf *b, const struct piece *p)
{
	const struct agent *a = p->task->agent;
	const struct tools *all = p->task->host->tools;
	size_t n = 0;

	for (size_t i = 0; i < a->tools_n; i++) {
		if (!offer_in_limits(p, a->tools[i].name) ||
		    !own_llm_has(p, a->tools[i].name, NULL))
			continue;
		buf_add(b, n++ == 0 ? S(" Available: ") : S(", "));
		buf_add(b, a->tools[i].name);
	}
	for (size_t i = 0; all != NULL && i < tools_count(all); i++) {
		if (!allows(p, tools_at(all, i)) ||
		    !offer_in_limits(p, str_of(tools_at(all, i)->name)))
			continue;
		buf_add(b, n++ == 0 ? S(" Available: ") : S(", "));
		buf_add(b, str_of(tools_at(all, i)->name));
	}
}

/* ---- what a model is shown ---------------------------------------------------------- */

bool
offer_names(const struct piece *p, struct str name)
{
	const struct agent_value *names = piece_field(p, LLM_TOOLS);

	return (agent_has(names) ? names_have(names, name, NULL) :
	    !agent_has(piece_field(p, LLM_OUTPUT))) && offer_in_limits(p, name);
}

static struct llm_tool_spec
declared_spec(const struct piece *p, const struct agent_tool *t, struct arena *a)
{
	struct buf schema = BUF(LIMIT_CHART_BYTES);
	struct llm_tool_spec spec = { .name = t->name, .description = t->description };

	if (spec.description.n == 0 && t->call != NULL && t->call->child != NULL)
		spec.description = t->call->child->description;
	if (t->schema.kind == VAL_OBJECT)
		val_add_json(&schema, t->schema);
	else if (t->call != NULL && t->call->child != NULL)
		use_add_schema(&schema, t->call->child);
	else
		json_add_fmt(&schema, "{'type':'object','properties':{}}");
	spec.parameters_json = arena_str(a, buf_str(&schema));
	buf_release(&schema);
	if (t->worker && t->schema.kind != VAL_OBJECT)
		worker_spec_fill(p, &spec, a);
	return spec;
}

/* A schema without the arguments that the file gives. */
static struct str
schema_without(struct str schema_json, struct val args, struct arena *a)
{
	struct val schema = val_json_trusted(schema_json), required = val_array_empty(), old;
	struct buf b = BUF(LIMIT_CHART_BYTES);
	struct str out;

	old = val_ref(val_get(schema, S("properties")));
	for (size_t i = 0; i < val_count(args); i++)
		old = val_unset_take(old, val_key(args, i));
	schema = val_set_take(schema, S("properties"), old);
	old = val_get(schema, S("required"));
	for (size_t i = 0; i < val_count(old); i++)
		if (!val_has(args, val_str(val_at(old, i))))
			required = val_push_take(required, val_ref(val_at(old, i)));
	if (val_count(required) > 0) {
		schema = val_set_take(schema, S("required"), required);
	} else {
		schema = val_unset_take(schema, S("required"));
		val_drop(required);
	}
	val_add_json(&b, schema);
	out = arena_str(a, buf_str(&b));
	val_drop(schema);
	buf_release(&b);
	return out;
}

/* A tool of the server, as the file says. */
static struct llm_tool_spec
built_in_spec(const struct piece *p, const struct tool *tool, struct arena *a)
{
	const struct agent_policy *policy = agent_policy_of(p->task->agent, str_of(tool->name));
	struct llm_tool_spec spec = { str_of(tool->name), str_of(tool->description),
		tools_schema(p->task->host->tools, tool) };

	if (policy != NULL && policy->args.kind != VAL_UNDEFINED)
		spec.parameters_json = schema_without(spec.parameters_json, policy->args, a);
	return spec;
}

struct llm_tool_spec *
offer_specs(struct piece *p, struct arena *a, size_t *n)
{
	const struct task *t = p->task;
	const struct agent_value *names = piece_field(p, LLM_TOOLS);
	const struct tools *all = t->host->tools;
	bool named = agent_has(names), plain = !agent_has(piece_field(p, LLM_OUTPUT));
	size_t max = t->agent->tools_n + (all != NULL ? tools_count(all) : 0) +
	    llm_events_count(p) + mcp_specs_count(llm_of(p));
	struct llm_tool_spec *specs = arena_zero(a, (max + 1) * sizeof *specs);

	*n = 0;
	for (size_t i = 0; i < t->agent->tools_n; i++)
		if (offer_names(p, t->agent->tools[i].name))
			specs[(*n)++] = declared_spec(p, &t->agent->tools[i], a);
	for (size_t i = 0; all != NULL && i < tools_count(all); i++) {
		const struct tool *tool = tools_at(all, i);

		if ((named ? names_have(names, str_of(tool->name), tool->group) :
		    plain && defaults_have(t->defaults, tool)) &&
		    offer_in_limits(p, str_of(tool->name)))
			specs[(*n)++] = built_in_spec(p, tool, a);
	}
	llm_events_add_specs(p, a, specs, n);
	mcp_specs_add(llm_of(p), specs, n);
	return specs;
}
