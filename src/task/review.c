/*
 * review.c - tool calls that a person has to see before they are made.
 *
 * The run's configurable.interrupt_on names tools: {name: true | {allowed_decisions,
 * description?}}.  One question of an ai message lists every call of it that needs a
 * decision, in the shape of LangChain's human-in-the-loop middleware:
 *
 *   {action_requests: [{name, args, description}],
 *    review_configs: [{action_name, allowed_decisions, args_schema?}]}
 *
 * and takes {decisions: [...]}, one for each request, in their order:
 *
 *   {type: "approve"} | {type: "edit", edited_action: {name, args}} |
 *   {type: "reject", message?} | {type: "respond", message}
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/json.h"
#include "task/tools_priv.h"

enum { DECIDE_APPROVE, DECIDE_EDIT, DECIDE_REJECT, DECIDE_RESPOND };
static const char *const decisions[] = {
	[DECIDE_APPROVE] = "approve", [DECIDE_EDIT] = "edit", [DECIDE_REJECT] = "reject",
	[DECIDE_RESPOND] = "respond"
};

/* ---- the setting --------------------------------------------------------------------- */

static bool
is_decision(struct val v)
{
	for (size_t i = 0; i < COUNT(decisions); i++)
		if (v.kind == VAL_STRING && str_eq(val_str(v), str_of(decisions[i])))
			return true;
	return false;
}

static int
check_rule(struct str name, struct val rule, struct err *e)
{
	static const char path[] = "config.configurable.interrupt_on";
	struct val list;

	name = str_sub(name, 0, 64);
	if (rule.kind == VAL_BOOL)
		return OK;
	if (rule.kind != VAL_OBJECT)
		return err_set(e, ERR_INVALID, "%s.%.*s: expected true, false or an object "
		    "with allowed_decisions", path, FMT(name));
	for (size_t i = 0; i < val_count(rule); i++)
		if (!str_eq(val_key(rule, i), S("allowed_decisions")) &&
		    !str_eq(val_key(rule, i), S("description")))
			return err_set(e, ERR_INVALID, "%s.%.*s.%.*s: not known; expected "
			    "allowed_decisions or description", path, FMT(name),
			    FMT(str_sub(val_key(rule, i), 0, 64)));
	list = val_get(rule, S("allowed_decisions"));
	if (list.kind != VAL_ARRAY || val_count(list) == 0)
		return err_set(e, ERR_INVALID, "%s.%.*s.allowed_decisions: expected a list of "
		    "approve, edit, reject, respond", path, FMT(name));
	for (size_t i = 0; i < val_count(list); i++)
		if (!is_decision(val_at(list, i)))
			return err_set(e, ERR_INVALID, "%s.%.*s.allowed_decisions[%zu]: expected "
			    "approve, edit, reject or respond", path, FMT(name), i);
	return OK;
}

int
task_review_check(struct val interrupt_on, struct err *e)
{
	int rc = OK;

	if (interrupt_on.kind == VAL_UNDEFINED || interrupt_on.kind == VAL_NULL)
		return OK;
	if (interrupt_on.kind != VAL_OBJECT)
		return err_set(e, ERR_INVALID, "config.configurable.interrupt_on: expected an "
		    "object of tools, as {\"NAME\": true}");
	for (size_t i = 0; i < val_count(interrupt_on) && rc == OK; i++)
		rc = check_rule(val_key(interrupt_on, i), val_member(interrupt_on, i), e);
	return rc;
}

/* ---- the question -------------------------------------------------------------------- */

/* What the file says of the tool, else the run: true or an object; UNDEF: no review.  A
 * run adds to the file, and takes nothing away. */
static struct val
rule_of(const struct piece *p, struct str name)
{
	const struct agent_policy *policy = agent_policy_of(p->task->agent, name);
	struct val params = p->task->config.kind != VAL_OBJECT ? VAL_UNDEF :
	    val_get(p->task->config, S("configurable"));
	struct val on = params.kind != VAL_OBJECT ? VAL_UNDEF :
	    val_get(params, S("interrupt_on"));
	struct val rule = on.kind != VAL_OBJECT ? VAL_UNDEF : val_get(on, name);

	if (policy != NULL && policy->approval.kind != VAL_UNDEFINED)
		return policy->approval;
	if (rule.kind == VAL_OBJECT || (rule.kind == VAL_BOOL && rule.u.b))
		return rule;
	return VAL_UNDEF;
}

static bool
needs_review(const struct tools_piece *w, size_t i)
{
	return i < w->valid &&
	    rule_of(&w->p, str_of(w->slots[i].name)).kind != VAL_UNDEFINED;
}

static struct val
allowed_of(struct val rule)
{
	struct val given = rule.kind == VAL_OBJECT ?
	    val_get(rule, S("allowed_decisions")) : VAL_UNDEF;
	struct val all;

	if (given.kind == VAL_ARRAY)
		return val_ref(given);
	all = val_array_empty();
	for (size_t i = 0; i < COUNT(decisions); i++)
		all = val_push_take(all, val_string(str_of(decisions[i])));
	return all;
}

/* As JSON.stringify(v, null, 2). */
static void
add_indented(struct buf *b, struct val v, unsigned level)
{
	bool object = v.kind == VAL_OBJECT;

	if (val_count(v) == 0) {
		val_add_json(b, v);
		return;
	}
	buf_add_char(b, object ? '{' : '[');
	for (size_t i = 0; i < val_count(v); i++) {
		buf_add_fmt(b, "%s\n%*s", i > 0 ? "," : "", (int)(level + 1) * 2, "");
		if (object)
			json_add_fmt(b, "%.*s: ", FMT(val_key(v, i)));
		add_indented(b, object ? val_member(v, i) : val_at(v, i), level + 1);
	}
	buf_add_fmt(b, "\n%*s%c", (int)level * 2, "", object ? '}' : ']');
}

static struct val
description_of(struct val rule, struct str name, struct val args)
{
	struct val given = rule.kind == VAL_OBJECT ? val_get(rule, S("description")) :
	    VAL_UNDEF;
	struct buf b = BUF(LIMIT_STATE_BYTES);
	struct val out;

	if (given.kind == VAL_STRING)
		return val_ref(given);
	buf_add_fmt(&b, "Tool execution requires approval\n\nTool: %.*s\nArgs: ", FMT(name));
	add_indented(&b, args, 0);
	out = val_string(buf_str(&b));
	buf_release(&b);
	return out;
}

/* The schema of its arguments: the rule's, else the tool's own; or UNDEF. */
static struct val
schema_of(const struct piece *p, struct val rule, struct str name)
{
	struct val given = rule.kind == VAL_OBJECT ? val_get(rule, S("args_schema")) :
	    VAL_UNDEF;
	const struct agent_tool *declared = offer_declared(p, name);
	const struct tools *all = p->task->host->tools;
	const struct tool *tool = all != NULL ? tools_find(all, name) : NULL;

	if (given.kind == VAL_OBJECT)
		return val_ref(given);
	if (declared != NULL)
		return val_copy(declared->schema);
	return tool != NULL ? val_json_trusted(tools_schema(all, tool)) : VAL_UNDEF;
}

static void
request_add(const struct tools_piece *w, const struct slot *s, struct val *requests,
    struct val *configs)
{
	struct str name = str_of(s->name);
	struct val rule = rule_of(&w->p, name), args = val_json_trusted(str_of(s->args));
	struct val schema = schema_of(&w->p, rule, name);
	struct val request = val_object_empty(), config = val_object_empty();

	request = val_set_take(request, S("name"), val_string(name));
	request = val_set_take(request, S("args"), args);
	request = val_set_take(request, S("description"), description_of(rule, name, args));
	config = val_set_take(config, S("action_name"), val_string(name));
	config = val_set_take(config, S("allowed_decisions"), allowed_of(rule));
	if (schema.kind == VAL_OBJECT)
		config = val_set_take(config, S("args_schema"), schema);
	*requests = val_push_take(*requests, request);
	*configs = val_push_take(*configs, config);
}

static struct val
question_make(const struct tools_piece *w)
{
	struct val requests = val_array_empty(), configs = val_array_empty();
	struct val question = val_object_empty();

	for (size_t i = 0; i < w->n; i++)
		if (needs_review(w, i))
			request_add(w, &w->slots[i], &requests, &configs);
	question = val_set_take(question, S("action_requests"), requests);
	return val_set_take(question, S("review_configs"), configs);
}

/* ---- is it an answer? ------------------------------------------------------------------- */

static struct val
member(struct val v, struct str key)
{
	return v.kind == VAL_OBJECT ? val_get(v, key) : VAL_UNDEF;
}

static bool
allows(struct val allowed, struct str type)
{
	for (size_t i = 0; i < val_count(allowed); i++)
		if (val_at(allowed, i).kind == VAL_STRING &&
		    str_eq(val_str(val_at(allowed, i)), type))
			return true;
	return false;
}

static size_t
decision_find(struct val d)
{
	struct val type = member(d, S("type"));
	size_t i = 0;

	while (i < COUNT(decisions) && (type.kind != VAL_STRING ||
	    !str_eq(val_str(type), str_of(decisions[i]))))
		i++;
	return i;
}

static int
check_decision(struct str tool, struct val allowed, struct val d, struct err *e)
{
	struct val type = member(d, S("type")), action = member(d, S("edited_action"));
	struct str word = type.kind == VAL_STRING ? val_str(type) : S("(none)");
	struct buf words = BUF(LIMIT_NAME_BYTES);
	size_t kind = decision_find(d);
	int rc = OK;

	val_add_json(&words, allowed);
	tool = str_cut(tool, 64);
	if (kind == COUNT(decisions) || !allows(allowed, word))
		rc = err_set(e, ERR_INVALID, "Unexpected human decision: type \"%.*s\" is not "
		    "allowed for tool \"%.*s\". Expected one of %.*s", FMT(str_cut(word, 64)),
		    FMT(tool), FMT(buf_str(&words)));
	else if (kind == DECIDE_EDIT && (member(action, S("name")).kind != VAL_STRING ||
	    member(action, S("args")).kind != VAL_OBJECT))
		rc = err_set(e, ERR_INVALID, "Invalid edited action for tool \"%.*s\": expected "
		    "{name: string, args: object}", FMT(tool));
	else if (kind == DECIDE_RESPOND && member(d, S("message")).kind != VAL_STRING)
		rc = err_set(e, ERR_INVALID, "Invalid decision for tool \"%.*s\": respond needs "
		    "a message, a string", FMT(tool));
	buf_release(&words);
	return rc;
}

int
review_answer_check(struct val question, struct val answer, struct err *e)
{
	struct val requests = member(question, S("action_requests"));
	struct val configs = member(question, S("review_configs"));
	struct val list = member(answer, S("decisions"));
	size_t n = val_count(requests);
	int rc = OK;

	if (requests.kind != VAL_ARRAY || configs.kind != VAL_ARRAY ||
	    val_count(configs) != n)
		return OK;                   /* any other question: anything goes */
	if (list.kind != VAL_ARRAY)
		return err_set(e, ERR_INVALID, "Invalid answer: expected {decisions: [...]}, "
		    "one for each action request");
	if (val_count(list) != n)
		return err_set(e, ERR_INVALID, "Number of human decisions (%zu) does not match "
		    "number of hanging tool calls (%zu).", val_count(list), n);
	for (size_t i = 0; i < n && rc == OK; i++) {
		struct val name = member(val_at(requests, i), S("name"));

		rc = check_decision(name.kind == VAL_STRING ? val_str(name) : STR_NONE,
		    member(val_at(configs, i), S("allowed_decisions")), val_at(list, i), e);
	}
	return rc;
}

/* ---- what is decided ---------------------------------------------------------------------- */

/* The call as it is to be made; the message is changed with it. */
static void
decide_edit(struct tools_piece *w, struct slot *s, struct val d)
{
	struct val action = val_get(d, S("edited_action")), calls, call;
	struct val name = val_get(action, S("name")), args = val_get(action, S("args"));
	struct buf text = BUF(LIMIT_LLM_BODY_BYTES);

	free(s->name);
	free(s->args);
	val_add_json(&text, args);
	s->name = mem_cstr(val_str(name));
	s->args = mem_cstr(buf_str(&text));
	buf_release(&text);
	if (w->edited.kind == VAL_UNDEFINED)
		w->edited = val_ref(w->message);
	calls = val_ref(val_get(w->edited, S("tool_calls")));
	call = val_set_take(val_ref(val_at(calls, s->at)), S("name"), val_ref(name));
	call = val_set_take(call, S("args"), val_ref(args));
	calls = val_set_at_take(calls, s->at, call);
	w->edited = val_set_take(w->edited, S("tool_calls"), calls);
}

static void
decide_reject(struct slot *s, struct val d)
{
	struct val message = val_get(d, S("message"));
	struct buf b = BUF(LIMIT_TOOL_RESULT_BYTES);

	if (message.kind == VAL_STRING)
		buf_add(&b, str_cut(val_str(message), LIMIT_TOOL_RESULT_BYTES));
	else
		buf_add_fmt(&b, "User rejected the tool call for `%s` with id %s", s->name,
		    s->id);
	s->decision = mem_cstr(buf_str(&b));
	s->decision_ok = false;
	buf_release(&b);
}

static void
decide_respond(struct slot *s, struct val d)
{
	s->decision = mem_cstr(str_cut(val_str(val_get(d, S("message"))),
	    LIMIT_TOOL_RESULT_BYTES));
	s->decision_ok = true;
}

static void
decide(struct tools_piece *w, struct slot *s, struct val d)
{
	size_t kind = decision_find(d);

	if (kind == DECIDE_EDIT)
		decide_edit(w, s, d);
	else if (kind == DECIDE_REJECT)
		decide_reject(s, d);
	else if (kind == DECIDE_RESPOND)
		decide_respond(s, d);
}

static bool
take_decisions(struct tools_piece *w, struct val question, struct val answer)
{
	bool *review = mem_zero((w->n + 1) * sizeof *review);
	struct err e;
	size_t at = 0;

	if (review_answer_check(question, answer, &e) != OK) {
		piece_fail(&w->p, "error.execution", "ValueError", "%s", e.text);
		free(review);
		return false;
	}
	for (size_t i = 0; i < w->n; i++)    /* an edit may change the name */
		review[i] = needs_review(w, i);
	for (size_t i = 0; i < w->n; i++)
		if (review[i])
			decide(w, &w->slots[i], val_at(val_get(answer, S("decisions")), at++));
	free(review);
	return true;
}

bool
review_passes(struct tools_piece *w)
{
	struct val answer, question;
	bool passes = false, needs = false;

	for (size_t i = 0; i < w->n; i++)
		needs = needs || needs_review(w, i);
	if (!needs)
		return true;
	question = question_make(w);
	if (piece_answer(&w->p, &answer))
		passes = take_decisions(w, question, answer);
	else
		piece_interrupt(&w->p, val_ref(question), VAL_UNDEF);
	val_drop(question);
	return passes;
}
