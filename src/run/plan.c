/*
 * plan.c - a run's kwargs, read: where it begins, what it is asked with.
 *
 * The text was written by config.c and is ours; what is in its input, config,
 * context and command is the client's, and checked here, before the run exists.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <math.h>
#include <stdio.h>

#include "base/limits.h"
#include "base/mem.h"
#include "run/config_priv.h"
#include "run/mcp_priv.h"
#include "state/message.h"
#include "work/host/guest.h"

const char *const durability_names[] = { "async", "sync", "exit", NULL };

static const char *
kind_of(struct val v)
{
	static const char *const names[] = {
		[VAL_UNDEFINED] = "nothing", [VAL_NULL] = "null",
		[VAL_BOOL] = "a boolean", [VAL_INT] = "a number",
		[VAL_DOUBLE] = "a number", [VAL_STRING] = "a string",
		[VAL_ARRAY] = "an array", [VAL_OBJECT] = "an object",
	};

	return names[v.kind];
}

static int
refuse(struct err *e, const char *path, const char *want, struct val got)
{
	return err_set(e, ERR_INVALID, "%s: expected %s, got %s", path, want,
	    kind_of(got));
}

static bool
absent(struct val v)
{
	return v.kind == VAL_UNDEFINED || v.kind == VAL_NULL;
}

/* ---- settings: looked up in configurable, then in context -------------------------- */

struct settings {
	struct val configurable, context;
	struct plan *plan;                   /* keeps the texts that are taken from it */
	struct err *e;
	const char *base;                    /* path of `configurable` */
};

#define PATH_BYTES 80

/* A text of the kwargs that outlives what they are decoded to. */
static struct str
keep_text(struct plan *p, struct val v)
{
	p->texts = val_push_take(p->texts, val_ref(v));
	return val_str(v);
}

/* *base: where it was found. */
static struct val
setting(const struct settings *s, const char *key, const char **base)
{
	struct val v = val_get(s->configurable, str_of(key));
	bool context = absent(v) && !absent(val_get(s->context, str_of(key)));

	*base = context ? "context" : s->base;
	return context ? val_get(s->context, str_of(key)) : v;
}

static const char *
path_of(char path[static PATH_BYTES], const char *base, const char *key)
{
	snprintf(path, PATH_BYTES, "%s.%s", base, key);
	return path;
}

static int
get_text(const struct settings *s, const char *key, size_t max, struct str *out)
{
	char path[PATH_BYTES];
	const char *base;
	struct val v = setting(s, key, &base);

	*out = STR_NONE;
	if (absent(v))
		return OK;
	if (v.kind != VAL_STRING)
		return refuse(s->e, path_of(path, base, key), "a string", v);
	if (val_str(v).n > max)
		return err_set(s->e, ERR_INVALID, "%s: longer than %zu bytes",
		    path_of(path, base, key), max);
	*out = keep_text(s->plan, v);
	return OK;
}

static int
get_number(const struct settings *s, const char *key, double min, double max,
    bool whole, double *out)
{
	char path[PATH_BYTES];
	const char *base;
	struct val v = setting(s, key, &base);

	if (absent(v))
		return OK;
	if (!val_is_number(v) || (whole && v.kind != VAL_INT))
		return refuse(s->e, path_of(path, base, key),
		    whole ? "an integer" : "a number", v);
	*out = val_number(v);
	if (*out < min || *out > max)
		return err_set(s->e, ERR_INVALID, "%s: expected %g to %g, got %g",
		    path_of(path, base, key), min, max, *out);
	return OK;
}

static int
read_numbers(struct plan *p, const struct settings *s, struct val config)
{
	struct settings own = { .configurable = config, .plan = p, .e = s->e,
	    .base = "config" };
	double tokens = 0, limit = LIMIT_RECURSION_DEFAULT;
	int rc;

	p->defaults.temperature = NAN;
	rc = get_number(s, "temperature", 0, 2, false, &p->defaults.temperature);
	if (rc == OK)
		rc = get_number(s, "max_tokens", 1, INT32_MAX, true, &tokens);
	if (rc == OK)
		rc = get_number(&own, "recursion_limit", 1, LIMIT_RECURSION_MAX, true,
		    &limit);
	p->defaults.max_tokens = (int64_t)tokens;
	p->q.recursion_limit = (int64_t)limit;
	return rc;
}

static int
read_project(struct plan *p, const struct settings *s)
{
	struct err why = { 0 };
	int rc = get_text(s, "work_project", LIMIT_WORK_PROJECT_BYTES,
	    &p->work_project);

	if (rc == OK && p->work_project.p != NULL)
		rc = work_project_check(p->work_project, &why);
	if (rc != OK && why.text[0] != '\0')
		err_set(s->e, rc, "config.configurable.work_%s", why.text);
	return rc;
}

/* ---- tools ------------------------------------------------------------------------------ */

static void
take_tool(struct plan *p, const struct tool *tool)
{
	for (size_t i = 0; i < p->defaults.tools_n; i++)
		if (p->tools[i] == tool)
			return;
	p->tools[p->defaults.tools_n++] = tool;
}

/* A tool, or a group of them. */
static bool
take_named(struct plan *p, const struct tools *t, struct str name)
{
	bool any = false;

	for (size_t i = 0; i < tools_count(t); i++) {
		const struct tool *tool = tools_at(t, i);

		if (!str_eq(str_of(tool->name), name) && (tool->group == NULL ||
		    !str_eq(str_of(tool->group), name)))
			continue;
		take_tool(p, tool);
		any = true;
	}
	return any;
}

static int
read_tools(struct plan *p, const struct settings *s, const struct tools *t)
{
	char path[PATH_BYTES];
	const char *base;
	struct val list = setting(s, "tools", &base);

	p->defaults.all_tools = absent(list);
	if (absent(list))
		return OK;
	path_of(path, base, "tools");
	if (list.kind != VAL_ARRAY)
		return refuse(s->e, path, "an array", list);
	if (val_count(list) > tools_count(t))
		return err_set(s->e, ERR_INVALID, "%s: there are only %zu tools", path,
		    tools_count(t));
	p->tools = mem_alloc((tools_count(t) + 1) * sizeof *p->tools);
	p->defaults.tools = p->tools;
	for (size_t i = 0; i < val_count(list); i++) {
		struct val name = val_at(list, i);

		if (name.kind != VAL_STRING || !take_named(p, t, val_str(name)))
			return err_set(s->e, ERR_INVALID, "%s[%zu]: no tool is called "
			    "\"%.*s\"", path, i, FMT(name.kind == VAL_STRING ?
			    str_sub(val_str(name), 0, 64) : STR_NONE));
	}
	return OK;
}

/* ---- input and command ---------------------------------------------------------------------- */

/* Messages get their ids now, so that whatever shows them shows the same. */
static int
read_values(struct val in, const char *path, const struct agent *a, struct val *out,
    struct err *e)
{
	char at[160];

	*out = val_ref(in);
	for (size_t i = 0; i < val_count(in); i++) {
		int channel = agent_channel_find(a, val_key(in, i));
		const struct channel *def = channel < 0 ? NULL : &a->channels[channel];
		struct val messages;
		int rc;

		if (def == NULL || def->reducer != REDUCE_MESSAGES ||
		    absent(val_member(in, i)) ||
		    reduce_is_overwrite(val_member(in, i), &messages))
			continue;
		snprintf(at, sizeof at, "%s.%.*s", path, FMT(str_sub(def->name, 0, 64)));
		rc = messages_from(val_member(in, i), at, &messages, NULL, e);
		if (rc != OK)
			return rc;
		*out = val_set_take(*out, def->name, messages);
	}
	return OK;
}

static int
read_input(struct plan *p, struct val input, const struct agent *a, struct err *e)
{
	int rc;

	if (absent(input))
		return OK;
	if (input.kind != VAL_OBJECT)
		return refuse(e, "input", "an object", input);
	rc = read_values(input, "input", a, &p->input, e);
	p->q.input = p->input;
	p->root = val_unset_take(p->root, S("input"));       /* held once is enough */
	return rc;
}

/* An object, or pairs; a channel may be written several times by pairs. */
static int
read_update(struct plan *p, struct val update, struct err *e)
{
	size_t n = val_count(update);

	if (absent(update))
		return OK;
	if (update.kind != VAL_OBJECT && update.kind != VAL_ARRAY)
		return refuse(e, "command.update", "an object or pairs", update);
	p->update = mem_alloc((n + 1) * sizeof *p->update);
	p->q.update = p->update;
	for (size_t i = 0; i < n; i++) {
		struct val pair = val_at(update, i), name = val_at(pair, 0);

		if (update.kind == VAL_OBJECT) {
			p->update[p->q.update_n++] = (struct core_name_value){
			    val_key(update, i), val_member(update, i) };
			continue;
		}
		if (val_count(pair) != 2 || name.kind != VAL_STRING)
			return err_set(e, ERR_INVALID, "command.update[%zu]: expected "
			    "[channel, value]", i);
		p->update[p->q.update_n++] = (struct core_name_value){ val_str(name),
		    val_at(pair, 1) };
	}
	return OK;
}

static int
check_node(const struct agent *a, struct str name, const char *path, size_t i,
    struct err *e)
{
	for (size_t k = 0; k < a->nodes_n; k++)
		if (str_eq(a->nodes[k].name, name) || a->graph == NULL)
			return OK;
	if (str_eq(name, S("__start__")) || str_eq(name, S("__end__")))
		return OK;
	return err_set(e, ERR_INVALID, "%s[%zu]: no node is called \"%.*s\"", path, i,
	    FMT(str_sub(name, 0, 64)));
}

static int
read_goto(struct plan *p, const struct agent *a, struct val one, size_t i, struct err *e)
{
	struct val node = one, input = VAL_UNDEF;

	if (one.kind == VAL_OBJECT) {
		node = val_get(one, S("node"));
		input = val_get(one, val_has(one, S("args")) ? S("args") : S("input"));
		if (input.kind == VAL_UNDEFINED)
			input = VAL_NIL;
	}
	if (node.kind != VAL_STRING)
		return err_set(e, ERR_INVALID, "command.goto[%zu]: expected a node's "
		    "name or {\"node\", \"input\"}", i);
	p->gotos[p->q.gotos_n++] = (struct core_goto){ val_str(node), input };
	return check_node(a, val_str(node), "command.goto", i, e);
}

static int
read_gotos(struct plan *p, const struct agent *a, struct val list, struct err *e)
{
	size_t n = list.kind == VAL_ARRAY ? val_count(list) : 1;
	int rc = OK;

	if (absent(list))
		return OK;
	p->gotos = mem_alloc((n + 1) * sizeof *p->gotos);
	p->q.gotos = p->gotos;
	for (size_t i = 0; i < n && rc == OK; i++)
		rc = read_goto(p, a, list.kind == VAL_ARRAY ? val_at(list, i) : list, i,
		    e);
	return rc;
}

static int
read_command(struct plan *p, const struct agent *a, struct val command, struct err *e)
{
	int rc;

	if (absent(command))
		return OK;
	if (command.kind != VAL_OBJECT)
		return refuse(e, "command", "an object", command);
	p->q.has_command = true;
	p->command = val_ref(command);
	if (!absent(val_get(command, S("resume"))))
		p->q.resume = val_get(command, S("resume"));
	rc = read_update(p, val_get(command, S("update")), e);
	if (rc == OK)
		rc = read_gotos(p, a, val_get(command, S("goto")), e);
	if (rc == OK && p->q.resume.kind == VAL_UNDEFINED && p->q.update_n == 0 &&
	    p->q.gotos_n == 0)
		rc = err_set(e, ERR_INVALID, "command: empty; expected resume, update "
		    "or goto");
	return rc;
}

/* Names of nodes are not checked: another agent may have them. */
static int
read_stops(struct plan *p, struct core_stops *out, struct str **names, struct val list,
    const char *path, struct err *e)
{
	if (absent(list))
		return OK;
	out->given = true;
	if (list.kind == VAL_STRING && str_eq(val_str(list), S("*"))) {
		out->all = true;
		return OK;
	}
	if (list.kind != VAL_ARRAY)
		return refuse(e, path, "\"*\" or an array of nodes", list);
	*names = mem_alloc((val_count(list) + 1) * sizeof **names);
	out->at = *names;
	for (size_t i = 0; i < val_count(list); i++) {
		struct val v = val_at(list, i);

		if (v.kind != VAL_STRING)
			return err_set(e, ERR_INVALID, "%s[%zu]: expected a node's name",
			    path, i);
		out->all = out->all || str_eq(val_str(v), S("*"));
		(*names)[out->n++] = keep_text(p, v);
	}
	return OK;
}

/* ---- all of it --------------------------------------------------------------------------------- */

static unsigned
read_modes(struct val list)
{
	unsigned modes = 0;

	for (size_t k = 0; k < val_count(list); k++)
		for (unsigned i = 0; stream_mode_names[i] != NULL; i++)
			if (val_at(list, k).kind == VAL_STRING &&
			    str_eq(val_str(val_at(list, k)), str_of(stream_mode_names[i])))
				modes |= 1u << i;
	return modes;
}

static void
read_own(struct plan *p)
{
	struct val word = val_get(p->root, S("durability"));
	struct val id = val_get(p->root, S("checkpoint_id"));

	p->resumable = val_truthy(val_get(p->root, S("resumable")));
	p->subgraphs = val_truthy(val_get(p->root, S("subgraphs")));
	p->q.strict_resume = val_truthy(val_get(p->root, S("strict_resume")));
	p->modes = read_modes(val_get(p->root, S("stream_mode")));
	for (int i = 0; durability_names[i] != NULL; i++)
		if (word.kind == VAL_STRING &&
		    str_eq(val_str(word), str_of(durability_names[i])))
			p->durability = (enum durability)i;
	p->q.exit = p->durability == DURABILITY_EXIT;
	if (id.kind == VAL_STRING)
		(void)uuid_parse(val_str(id), &p->q.checkpoint);
}

/* What a worker's graph makes of it is its own; the shapes are LangGraph's. */
static int
read_hosted(struct plan *p, struct val config, struct str kwargs, struct err *e)
{
	struct settings own = { .configurable = config, .plan = p, .e = e, .base = "config" };
	struct val command = val_get(p->root, S("command"));
	double limit = LIMIT_RECURSION_DEFAULT;
	int rc;

	rc = get_number(&own, "recursion_limit", 1, LIMIT_RECURSION_MAX, true, &limit);
	p->q.recursion_limit = (int64_t)limit;
	p->q.has_command = !absent(command);
	if (rc == OK && p->q.has_command && command.kind != VAL_OBJECT)
		rc = refuse(e, "command", "an object", command);
	if (rc == OK)
		rc = read_stops(p, &p->q.before, &p->stops[0],
		    val_get(p->root, S("interrupt_before")), "interrupt_before", e);
	if (rc == OK)
		rc = read_stops(p, &p->q.after, &p->stops[1],
		    val_get(p->root, S("interrupt_after")), "interrupt_after", e);
	return rc == OK ? plan_hosted_task(p, kwargs, e) : rc;
}

static int
read_all(struct plan *p, struct str kwargs, const struct agent *a, const struct tools *t,
    struct err *e)
{
	struct val config = val_get(p->root, S("config"));
	struct settings s = { val_get(config, S("configurable")),
		val_get(p->root, S("context")), p, e, "config.configurable" };
	int rc;

	p->q.config = p->config = val_ref(config);
	p->q.context = p->context = val_ref(s.context);
	read_own(p);
	if (a->hosted != NULL)
		return read_hosted(p, config, kwargs, e);
	rc = get_text(&s, "model_name", LIMIT_NAME_BYTES, &p->defaults.model);
	if (rc == OK)
		rc = get_text(&s, "base_url", LIMIT_HTTP_URL_BYTES,
		    &p->defaults.base_url);
	if (rc == OK)
		rc = get_text(&s, "system_prompt", LIMIT_JSON_STRING_BYTES,
		    &p->defaults.system_prompt);
	if (rc == OK)
		rc = read_project(p, &s);
	if (rc == OK)
		rc = read_numbers(p, &s, config);
	if (rc == OK)
		rc = read_tools(p, &s, t);
	p->mcp = ARENA(MCP_SPEC_BYTES);
	if (rc == OK)
		rc = mcp_config_read(&p->defaults.mcp, &p->defaults.mcp_n,
		    val_get(s.configurable, S("mcp_config")), &p->mcp, e);
	if (rc == OK)
		rc = task_review_check(val_get(s.configurable, S("interrupt_on")), e);
	if (rc == OK)
		rc = read_input(p, val_get(p->root, S("input")), a, e);
	if (rc == OK)
		rc = read_command(p, a, val_get(p->root, S("command")), e);
	if (rc == OK)
		rc = read_stops(p, &p->q.before, &p->stops[0],
		    val_get(p->root, S("interrupt_before")), "interrupt_before", e);
	if (rc == OK)
		rc = read_stops(p, &p->q.after, &p->stops[1],
		    val_get(p->root, S("interrupt_after")), "interrupt_after", e);
	return rc;
}

int
plan_read(struct plan **out, struct str kwargs_json, const struct uuid *run_id,
    const struct agent *a, const struct tools *t, struct err *e)
{
	struct plan *p = mem_new(struct plan);
	int rc = val_json(&p->root, kwargs_json, e);

	p->q.run_id = *run_id;
	p->texts = val_array_empty();
	if (rc == OK)
		rc = read_all(p, kwargs_json, a, t, e);
	/* Whoever asks for a member later has it decoded again; most runs never do. */
	val_drop(p->root);
	p->root = VAL_UNDEF;
	val_undecode(p->config);
	val_undecode(p->context);
	if (rc != OK) {
		plan_free(p);
		p = NULL;
	}
	*out = p;
	return rc;
}

void
plan_free(struct plan *p)
{
	if (p == NULL)
		return;
	val_drop(p->root);
	val_drop(p->config);
	val_drop(p->context);
	val_drop(p->command);
	val_drop(p->texts);
	val_drop(p->input);
	free(p->update);
	free(p->gotos);
	free(p->stops[0]);
	free(p->stops[1]);
	free(p->tools);
	arena_release(&p->mcp);
	buf_release(&p->task);
	free(p);
}

void
plan_add_configurable(const struct plan *p, struct buf *b)
{
	struct val o = val_get(p->q.config, S("configurable"));

	for (size_t i = 0; i < val_count(o); i++) {
		if (i > 0)
			buf_add_char(b, ',');
		json_add_str(b, val_key(o, i));
		buf_add_char(b, ':');
		val_add_json(b, val_member(o, i));
	}
}
