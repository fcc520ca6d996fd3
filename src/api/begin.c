/*
 * begin.c - where a run begins and where it stops: command, checkpoint,
 * breakpoints; each mistake is told with its place.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"

#include <stdio.h>

#include "agent/agent.h"
#include "state/message.h"

/* ---- nodes ----------------------------------------------------------------------- */

/* True: it is a node of the agent, or may be one when the run has named them. */
static bool
is_node(const struct agent *a, struct str name)
{
	return a == NULL || a->graph == NULL || agent_node_find(a, name) >= 0 ||
	    str_eq(name, S("__start__")) || str_eq(name, S("__end__"));
}

static void
node_check(struct call *c, const struct agent *a, const char *path, struct str name)
{
	struct buf names = BUF(KB);

	if (is_node(a, name))
		return;
	for (size_t i = 0; i < a->nodes_n && names.n < 200; i++)
		buf_add_fmt(&names, "%s%.*s", i > 0 ? ", " : "", FMT(a->nodes[i].name));
	fields_fail(c->in, path, ERR_INVALID, "no node is called \"%.*s\"; there are "
	    "%.*s", FMT(param_shown(name)), FMT(buf_str(&names)));
	buf_release(&names);
}

/* ---- command ----------------------------------------------------------------------- */

/* Refuses what is not one of the words. */
static void
keys_check(struct call *c, const char *path, jnode object, const char *const *words)
{
	struct json_iter it = json_each(object);

	while (c->in->rc == OK && json_next(&it)) {
		struct str_near near = { .word = param_shown(json_str(it.key)) };
		char place[160];
		bool known = false;

		for (size_t i = 0; words[i] != NULL; i++) {
			known = known || str_eq(json_str(it.key), str_of(words[i]));
			str_near_try(&near, words[i]);
		}
		snprintf(place, sizeof place, "%s.%.*s", path, FMT(near.word));
		if (!known)
			fields_fail(c->in, place, ERR_INVALID, "not known here%s%s",
			    near.best != NULL ? "; did you mean " : "",
			    near.best != NULL ? near.best : "");
	}
}

static void
goto_read(struct call *c, const struct agent *a, const char *path, jnode n)
{
	/* A Send of LangGraph's own libraries has `args` and tells its name. */
	static const char *const words[] = { "node", "input", "args", "lg_name", NULL };
	jnode node = json_is_object(n) ? json_get(n, S("node")) : n;
	char place[96];

	if (json_is_object(n))
		keys_check(c, path, n, words);
	snprintf(place, sizeof place, "%s%s", path, json_is_object(n) ? ".node" : "");
	if (json_is_object(n) && json_is_null(node))
		fields_fail(c->in, path, ERR_INVALID, "expected {\"node\", \"input\"}, got "
		    "an object without node");
	else if (!json_is_string(node))
		fields_fail(c->in, place, ERR_INVALID, json_is_object(n) ?
		    "expected a string, got %s" :
		    "expected a node's name or {\"node\", \"input\"}, got %s",
		    json_kind(node));
	else
		node_check(c, a, place, json_str(node));
}

static void
gotos_read(struct call *c, const struct agent *a, jnode n)
{
	struct json_iter it = json_each(n);
	char place[64];

	if (json_is_null(n))
		return;
	if (a != NULL && a->chart != NULL) {
		fields_fail(c->in, "command.goto", ERR_INVALID, "the agent is a chart; "
		    "its events decide what comes next");
		return;
	}
	if (!json_is_array(n)) {
		goto_read(c, a, "command.goto", n);
		return;
	}
	if (json_count(n) > LIMIT_GOTOS)
		fields_fail(c->in, "command.goto", ERR_INVALID, "expected at most %d, "
		    "got %zu", LIMIT_GOTOS, json_count(n));
	for (size_t i = 0; c->in->rc == OK && json_next(&it); i++) {
		snprintf(place, sizeof place, "command.goto[%zu]", i);
		goto_read(c, a, place, it.value);
	}
}

/* Refuses what is not a message, with its path. */
static void
value_check(struct call *c, const struct agent *a, const char *path, struct str channel,
    jnode value)
{
	int at = a == NULL ? -1 : agent_channel_find(a, channel);
	struct val in = VAL_UNDEF, messages;
	char place[160];
	struct err why;
	int rc;

	if (at < 0 || a->channels[at].reducer != REDUCE_MESSAGES || json_is_null(value))
		return;
	snprintf(place, sizeof place, "%s.%.*s", path, FMT(param_shown(channel)));
	rc = json_to_val(value, &in, &why);
	if (rc == OK && !reduce_is_overwrite(in, &messages)) {
		rc = messages_from(in, place, &messages, NULL, &why);
		if (rc == OK)
			val_drop(messages);
	}
	val_drop(in);
	if (rc != OK && c->in->rc == OK)
		c->in->rc = err_set(&c->err, rc, "%s", why.text);
}

static void
update_read(struct call *c, const struct agent *a, jnode n)
{
	struct json_iter it = json_each(n);
	char place[64];

	if (json_is_null(n))
		return;
	if (!json_is_object(n) && !json_is_array(n))
		fields_fail(c->in, "command.update", ERR_INVALID, "expected an object or "
		    "[channel, value] pairs, got %s", json_kind(n));
	for (size_t i = 0; c->in->rc == OK && json_next(&it); i++) {
		if (json_is_object(n)) {
			value_check(c, a, "command.update", json_str(it.key), it.value);
			continue;
		}
		snprintf(place, sizeof place, "command.update[%zu]", i);
		if (json_count(it.value) != 2 || !json_is_array(it.value) ||
		    !json_is_string(json_at(it.value, 0)))
			fields_fail(c->in, place, ERR_INVALID, "expected [channel, "
			    "value], got %s", json_is_array(it.value) ?
			    "another array" : json_kind(it.value));
		else
			value_check(c, a, place, json_str(json_at(it.value, 0)),
			    json_at(it.value, 1));
	}
}

/* false, 0 and "" are answers; null is none. */
static void
command_read(struct call *c, const struct agent *a, struct run_request *q)
{
	static const char *const words[] = { "resume", "update", "goto", "lg_name", NULL };
	struct fields command;
	jnode n;

	if (!fields_object(c->in, "command", &command))
		return;
	n = q->command = command.node;
	keys_check(c, "command", n, words);
	if (json_is_null(json_get(n, S("resume"))) && json_is_null(json_get(n, S("update"))) &&
	    json_is_null(json_get(n, S("goto"))))
		fields_fail(c->in, "command", ERR_INVALID, "expected some of resume, "
		    "update and goto, got none");
	if (!json_is_null(q->input))
		fields_fail(c->in, "command", ERR_INVALID, "not together with input; "
		    "leave input out, or send null");
	if (q->stateless && !json_is_null(json_get(n, S("resume"))))
		fields_fail(c->in, "command.resume", ERR_INVALID, "a run without a thread "
		    "has nothing to resume");
	update_read(c, a, json_get(n, S("update")));
	gotos_read(c, a, json_get(n, S("goto")));
}

/* ---- reviews of tool calls ----------------------------------------------------------- */

static void
decisions_check(struct call *c, const char *path, jnode n)
{
	static const char *const words[] = { "approve", "edit", "reject", "respond", NULL };
	struct json_iter it = json_each(n);
	char place[200];

	if (!json_is_array(n) || json_count(n) == 0)
		fields_fail(c->in, path, ERR_INVALID, "expected some of approve, edit, "
		    "reject and respond, got %s", json_is_array(n) ? "none" :
		    n == NULL ? "nothing" : json_kind(n));
	for (size_t i = 0; c->in->rc == OK && json_next(&it); i++) {
		snprintf(place, sizeof place, "%s[%zu]", path, i);
		if (!json_is_string(it.value))
			fields_fail(c->in, place, ERR_INVALID, "expected a string, got %s",
			    json_kind(it.value));
		else
			words_index(c, place, words, json_str(it.value));
	}
}

/* configurable.interrupt_on: {tool: true | false | {allowed_decisions: [...]}} */
static void
reviews_read(struct call *c, jnode config)
{
	static const char *const words[] = { "allowed_decisions", "description", NULL };
	jnode n = json_get(json_get(config, S("configurable")), S("interrupt_on"));
	const char *path = "config.configurable.interrupt_on";
	struct json_iter it = json_each(n);
	char place[160], inner[180];

	if (!json_is_null(n) && !json_is_object(n))
		fields_fail(c->in, path, ERR_INVALID, "expected an object by the names of "
		    "tools, got %s", json_kind(n));
	while (c->in->rc == OK && json_is_object(n) && json_next(&it)) {
		snprintf(place, sizeof place, "%s.%.*s", path,
		    FMT(param_shown(json_str(it.key))));
		if (json_is_bool(it.value) || json_is_null(it.value))
			continue;
		if (!json_is_object(it.value)) {
			fields_fail(c->in, place, ERR_INVALID, "expected true, false or "
			    "{\"allowed_decisions\": [...]}, got %s", json_kind(it.value));
			continue;
		}
		keys_check(c, place, it.value, words);
		snprintf(inner, sizeof inner, "%s.allowed_decisions", place);
		if (c->in->rc == OK)
			decisions_check(c, inner, json_get(it.value,
			    S("allowed_decisions")));
	}
}

/* ---- breakpoints -------------------------------------------------------------------- */

/* Names of nodes are not checked: they may be a sub-agent's. */
static jnode
stops_read(struct call *c, const char *name)
{
	jnode n = fields_any(c->in, name);
	struct json_iter it = json_each(n);
	char place[64];

	if (json_is_null(n) || (json_is_string(n) && str_eq(json_str(n), S("*"))))
		return json_is_null(n) ? NULL : n;
	if (!json_is_array(n))
		fields_fail(c->in, name, ERR_INVALID, "expected \"*\" or an array of "
		    "nodes, got %s", json_is_string(n) ? "another string" : json_kind(n));
	if (json_count(n) > LIMIT_GOTOS)
		fields_fail(c->in, name, ERR_INVALID, "expected at most %d, got %zu",
		    LIMIT_GOTOS, json_count(n));
	for (size_t i = 0; c->in->rc == OK && json_next(&it); i++) {
		snprintf(place, sizeof place, "%s[%zu]", name, i);
		if (!json_is_string(it.value))
			fields_fail(c->in, place, ERR_INVALID,
			    "expected a node's name, got %s", json_kind(it.value));
	}
	return json_count(n) > 0 ? n : NULL;
}

void
call_read_begin(struct call *c, const struct agent *a, struct run_request *q)
{
	fields_bool(c->in, "strict_resume", &q->strict_resume);
	q->interrupt_before = stops_read(c, "interrupt_before");
	q->interrupt_after = stops_read(c, "interrupt_after");
	command_read(c, a, q);
	if (a == NULL || a->hosted == NULL)
		reviews_read(c, q->config);
}
