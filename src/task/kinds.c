/*
 * kinds.c - the table of kinds: how each is written (docs/agents.md).
 *
 * The order of a table is the order of its enum in kinds.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mail/acl.h"
#include "task/llm_priv.h"

#define REQ    FIELD_REQUIRED
#define SHORT  FIELD_SHORT
#define BODY   FIELD_BODY
#define BESIDE FIELD_BESIDE
#define LATER  FIELD_LATER

/* ---- models and tools -------------------------------------------------------------- */

static const char *const chunk_words[] = { [CHUNK_CHARACTER] = "1", [CHUNK_WORD] = "word",
	NULL };

static const char *const citation_words[] = { "strict", NULL };

/* {schema}, or a schema itself. */
static int
output_check(struct val v, struct err *e)
{
	struct val schema = val_get(v, S("schema"));

	if (v.kind != VAL_OBJECT)
		return err_set(e, ERR_INVALID, "expected {schema: {type: object, ...}}");
	if (schema.kind != VAL_UNDEFINED && (schema.kind != VAL_OBJECT || val_count(v) != 1))
		return err_set(e, ERR_INVALID, "expected 'schema' alone, a JSON Schema");
	return OK;
}

static int
needs_check(struct val v, struct err *e)
{
	static const char *const words[] = { "tools", "vision", "json_schema", "reasoning" };
	size_t n = v.kind == VAL_ARRAY ? val_count(v) : 1;

	for (size_t i = 0; i < n; i++) {
		struct val word = v.kind == VAL_ARRAY ? val_at(v, i) : v;
		size_t k = 0;

		while (k < COUNT(words) && !str_eq(val_str(word), str_of(words[k])))
			k++;
		if (k == COUNT(words))
			return err_set(e, ERR_INVALID, "expected tools, vision, json_schema or "
			    "reasoning, got '%.*s'", FMT(str_cut(val_str(word), 100)));
	}
	return OK;
}

static const struct agent_field llm_fields[] = {
	[LLM_MODEL] = { "model", AGENT_TEXT, "an alias of cohort.yaml, or provider:name; default: the "
	    "run's model", FIELD_LIST_LATER },
	[LLM_SYSTEM] = { "system", AGENT_TEXT, "the system prompt" },
	[LLM_PROMPT] = { "prompt", AGENT_TEXT, "a user message after the others" },
	[LLM_MESSAGES] = { "messages", AGENT_DATA, "the conversation; default: the channel "
	    "messages" },
	[LLM_TOOLS] = { "tools", AGENT_NAMES, "names of the tools it may call" },
	[LLM_TEMPERATURE] = { "temperature", AGENT_DATA, "a number from 0" },
	[LLM_MAX_TOKENS] = { "max_tokens", AGENT_DATA, "of the answer" },
	[LLM_MAX_TURNS] = { "max_turns", AGENT_INT, "call its tools and ask again, so often at "
	    "most" },
	[LLM_STREAM] = { "stream", AGENT_BOOL, "false: the answer is shown when it is whole" },
	[LLM_OUTPUT] = { "output", AGENT_PLAIN, "{schema}: the answer is JSON of this form",
	    .check = output_check },
	[LLM_ID] = { "id", AGENT_TEXT, "of the message" },
	[LLM_REPLY] = { "reply", AGENT_EXPR, "a scripted answer: text or a message",
	    .group = 1 },
	[LLM_REPLIES] = { "replies", AGENT_TEXTS, "scripted answers by turn of the thread",
	    .group = 1 },
	[LLM_FALLBACKS] = { "fallbacks", AGENT_NAMES, "models that are asked, in order, when "
	    "the one before fails for a while" },
	[LLM_NEEDS] = { "needs", AGENT_NAMES, "what the models must have: tools, vision, "
	    "json_schema, reasoning", .check = needs_check },
	[LLM_CHUNK] = { "chunk", AGENT_WORD, "how a scripted answer is streamed: by character "
	    "(1) or by word", .words = chunk_words },
	[LLM_EVENTS] = { "events", AGENT_PLAIN, "{NAME: {schema, description}}: what the model "
	    "may tell the chart, each as the tool `event__NAME`", .check = llm_events_check },
	[LLM_KEEP] = { "keep", AGENT_NAME, "a conversation of its own: `state`, `session`, or a "
	    "name that others share", .check = llm_keep_check },
	[LLM_TRUNCATE] = { "truncate", AGENT_PLAIN, "{tokens, keep, summary}: how much of a long "
	    "conversation is sent", .check = llm_cut_check },
	[LLM_CITATIONS] = { "citations", AGENT_WORD, "strict: an answer keeps only the marks "
	    "`[SOURCE#N]` of passages that `knowledge_search` gave in the conversation",
	    .words = citation_words },
};

static const struct agent_field tool_fields[] = {
	[TOOL_NAME] = { "name", AGENT_NAME, "which tool", REQ | SHORT },
	[TOOL_ARGS] = { "args", AGENT_DATA, "its arguments" },
};

/* ---- people, time, the store ---------------------------------------------------------- */

const char *const ask_types[] = { [ASK_TEXT] = "text", [ASK_SELECT] = "select",
	[ASK_MULTI_SELECT] = "multi_select", [ASK_CONFIRM] = "confirm",
	[ASK_NUMBER] = "number", [ASK_DATE] = "date", [ASK_FORM] = "form", NULL };

static const struct agent_field ask_fields[] = {
	[ASK_VALUE] = { "value", AGENT_DATA, "what the person is shown, exactly", REQ,
	    .group = 1 },
	[ASK_PROMPT] = { "prompt", AGENT_TEXT, "the question", REQ, .group = 1 },
	[ASK_OPTIONS] = { "options", AGENT_TEXTS, "answers to choose from", .with = "prompt" },
	[ASK_SCHEMA] = { "schema", AGENT_PLAIN, "JSON Schema of the answer" },
	[ASK_TYPE] = { "type", AGENT_WORD, "of the answer, which is checked", .with = "prompt",
	    .words = ask_types },
	[ASK_MIN] = { "min", AGENT_DATA, "smallest number", .with = "type" },
	[ASK_MAX] = { "max", AGENT_DATA, "largest number", .with = "type" },
	[ASK_DRAFT] = { "draft", AGENT_DATA, "a value to edit", .with = "prompt" },
	[ASK_ASSIGNEE] = { "assignee", AGENT_TEXT, "who is to answer" },
	[ASK_TIMEOUT] = { "timeout", AGENT_TEXT, "error.timeout after so long, as in 24h" },
};

/* A type of answer needs what it is checked by. */
static const char *
ask_check(const struct agent_value *fields)
{
	const struct agent_value *limit = &fields[ASK_TIMEOUT];
	int64_t type = agent_int(&fields[ASK_TYPE], -1);
	nsec ns = 0;
	bool range = agent_has(&fields[ASK_MIN]) || agent_has(&fields[ASK_MAX]);

	if ((type == ASK_SELECT || type == ASK_MULTI_SELECT) &&
	    !agent_has(&fields[ASK_OPTIONS]))
		return "a selection needs 'options'";
	if (type == ASK_FORM && !agent_has(&fields[ASK_SCHEMA]))
		return "a form needs a 'schema'";
	if (type >= 0 && type != ASK_SELECT && type != ASK_MULTI_SELECT &&
	    agent_has(&fields[ASK_OPTIONS]))
		return "'options' belong to type: select or multi_select";
	if (type >= 0 && type != ASK_FORM && agent_has(&fields[ASK_SCHEMA]))
		return "'schema' belongs to type: form";
	if (range && type != ASK_NUMBER)
		return "'min' and 'max' belong to type: number";
	if (limit->form == VALUE_CONST && (limit->constant.kind != VAL_STRING ||
	    !clock_parse(val_str(limit->constant), 0, &ns) || ns <= 0))
		return "'timeout': expected a time with its unit, as in 30m or 24h";
	return NULL;
}

static const struct agent_field wait_fields[] = {
	[WAIT_MS] = { "ms", AGENT_EXPR, "so many milliseconds", REQ | SHORT, .group = 1 },
	[WAIT_UNTIL] = { "until", AGENT_EXPR, "until this time (ISO 8601)", REQ, .group = 1 },
};

#define OP(op) (1u << (op))

static const char *const store_ops[] = { [STORE_OP_GET] = "get", [STORE_OP_PUT] = "put",
	[STORE_OP_SEARCH] = "search", [STORE_OP_DELETE] = "delete", NULL };

static const struct agent_field store_fields[] = {
	[STORE_NAMESPACE] = { "namespace", AGENT_TEXTS, "its labels", REQ },
	[STORE_KEY] = { "key", AGENT_TEXT, "of the item", REQ,
	    .ops = OP(STORE_OP_GET) | OP(STORE_OP_PUT) | OP(STORE_OP_DELETE) },
	[STORE_ITEM_VALUE] = { "value", AGENT_DATA, "a map", REQ, .ops = OP(STORE_OP_PUT) },
	[STORE_QUERY] = { "query", AGENT_TEXT, "words to look for",
	    .ops = OP(STORE_OP_SEARCH) },
	[STORE_FILTER] = { "filter", AGENT_DATA, "what the value contains",
	    .ops = OP(STORE_OP_SEARCH) },
	[STORE_LIMIT] = { "limit", AGENT_DATA, "items at most", .ops = OP(STORE_OP_SEARCH) },
	[STORE_OFFSET] = { "offset", AGENT_DATA, "items to skip", .ops = OP(STORE_OP_SEARCH) },
};

/* ---- agents and loops -------------------------------------------------------------------- */

static const struct agent_field agent_fields[] = {
	[AGENT_KIND_CHILD] = { "agent", AGENT_CHILD, "a name, or an agent in place", BODY },
	[AGENT_KIND_INPUT] = { "input", AGENT_DATA, "of the agent; default: the channels of "
	    "equal name", BESIDE },
	[AGENT_KIND_PERSIST] = { "persist", AGENT_BOOL, "it keeps its state between runs",
	    BESIDE },
};

static const char *const on_error_words[] = { [ON_ERROR_FAIL] = "fail",
	[ON_ERROR_COLLECT] = "collect", NULL };

static const struct agent_field map_fields[] = {
	[MAP_OVER] = { "over", AGENT_EXPR, "a list", REQ },
	[MAP_AS] = { "as", AGENT_AS, "name of the element" },
	[MAP_CHILD] = { "agent", AGENT_CHILD, "a name, or an agent in place", REQ,
	    .alias = "chart", .group = 1 },
	[MAP_DO] = { "do", AGENT_WORKS, "a sequence of work", REQ, .group = 1 },
	[MAP_INPUT] = { "input", AGENT_DATA, "of the agent; default: {NAME: element}",
	    .with = "agent" },
	[MAP_CONCURRENCY] = { "concurrency", AGENT_INT, "how many at once" },
	[MAP_COLLECT] = { "collect", AGENT_CHANNEL, "the channel that gets the results" },
	[MAP_ON_ERROR] = { "on_error", AGENT_WORD, "what one failure does: fail (the default), or "
	    "collect: its result is {error: {event, name, message}}", .words = on_error_words },
	[MAP_MIN_OK] = { "min_ok", AGENT_INT, "with fewer successes it fails",
	    .with = "on_error" },
};

static const struct agent_field repeat_fields[] = {
	[REPEAT_TIMES] = { "times", AGENT_EXPR, "how often", REQ, .group = 1 },
	[REPEAT_OVER] = { "over", AGENT_EXPR, "once for each of a list", REQ, .group = 1 },
	[REPEAT_AS] = { "as", AGENT_AS, "name of the count (from 0) or the element" },
	[REPEAT_DO] = { "do", AGENT_WORKS, "a sequence of work", REQ },
};

static const struct agent_field do_fields[] = {
	{ "do", AGENT_WORKS, "a sequence of work in one task", BODY },
};

/* ---- external workers ---------------------------------------------------------------------- */

static const struct agent_field worker_fields[] = {
	[WORKER_FIELD_NAME] = { "name", AGENT_NAME, "of a node, or of an agent, that a worker "
	    "has registered", REQ | SHORT },
	[WORKER_FIELD_INPUT] = { "input", AGENT_DATA, "beside the state; default: the task's own "
	    "input" },
	[WORKER_FIELD_IDEMPOTENT] = { "idempotent", AGENT_BOOL, "it may be done twice: when its "
	    "worker is lost it is offered again; default: as the worker says" },
};

/* ---- guests in a sandbox ------------------------------------------------------------------- */

static const struct agent_field wasm_fields[] = {
	[WASM_FIELD_NAME] = { "wasm", AGENT_NAME, "of a module that is deployed, or of a file of "
	    "the folder that has one", BODY },
	[WASM_FIELD_INPUT] = { "input", AGENT_DATA, "the content of the message that it gets; "
	    "default: the task's own input", BESIDE },
};

/* ---- the web ------------------------------------------------------------------------------- */

static const struct agent_field http_get_fields[] = {
	[HTTP_GET_URL] = { "url", AGENT_TEXT, "of a host that the server allows", REQ | SHORT },
};

/* ---- state and events ---------------------------------------------------------------------- */

static const struct agent_field set_fields[] = {
	{ "set", AGENT_SET, "channel: value", BODY },
};

static const struct agent_field emit_fields[] = {
	[EMIT_NAME] = { "name", AGENT_TEXT, "of the event" },
	[EMIT_DATA] = { "data", AGENT_DATA, "anything", REQ | SHORT },
};

static const struct agent_field fail_fields[] = {
	[FAIL_NAME] = { "name", AGENT_TEXT, "of the error's class" },
	[FAIL_MESSAGE] = { "message", AGENT_TEXT, "for people", REQ | SHORT },
};

/* ---- the tracker ------------------------------------------------------------------------------ */

static const char *const work_ops[] = {
	[WORK_OP_CREATE] = "create", [WORK_OP_UPDATE] = "update", [WORK_OP_CLOSE] = "close",
	[WORK_OP_CLAIM] = "claim", [WORK_OP_RELEASE] = "release", [WORK_OP_READY] = "ready",
	[WORK_OP_LIST] = "list", [WORK_OP_SHOW] = "show", [WORK_OP_COMMENT] = "comment", NULL,
};

#define CREATES OP(WORK_OP_CREATE)
#define UPDATES OP(WORK_OP_UPDATE)
#define FINDS   (OP(WORK_OP_READY) | OP(WORK_OP_LIST))

static const struct agent_field work_fields[] = {
	[WORK_ID] = { "id", AGENT_TEXT, "of the item", .ops = CREATES | UPDATES |
	    OP(WORK_OP_CLOSE) | OP(WORK_OP_CLAIM) | OP(WORK_OP_RELEASE) | OP(WORK_OP_SHOW) |
	    OP(WORK_OP_COMMENT) },
	[WORK_TITLE] = { "title", AGENT_TEXT, "a line", .ops = CREATES | UPDATES },
	[WORK_DESCRIPTION] = { "description", AGENT_TEXT, "what and why",
	    .ops = CREATES | UPDATES },
	[WORK_TYPE] = { "issue_type", AGENT_TEXT, "bug, feature, task, epic or chore",
	    .ops = CREATES | UPDATES | FINDS },
	[WORK_STATUS] = { "status", AGENT_TEXT, "open, in_progress, blocked, closed",
	    .ops = CREATES | UPDATES | OP(WORK_OP_LIST) },
	[WORK_PRIORITY] = { "priority", AGENT_DATA, "0 to 4",
	    .ops = CREATES | UPDATES | FINDS },
	[WORK_ASSIGNEE] = { "assignee", AGENT_TEXT, "whose it is",
	    .ops = CREATES | UPDATES | FINDS },
	[WORK_LABELS] = { "labels", AGENT_TEXTS, "labels", .ops = CREATES | FINDS },
	[WORK_PARENT] = { "parent", AGENT_TEXT, "an id", .ops = CREATES | UPDATES },
	[WORK_DEPENDENCIES] = { "dependencies", AGENT_TEXTS, "ids, or TYPE:ID",
	    .ops = CREATES },
	[WORK_NOTES] = { "append_notes", AGENT_TEXT, "more notes", .ops = UPDATES },
	[WORK_REASON] = { "reason", AGENT_TEXT, "what was done", .ops = OP(WORK_OP_CLOSE) },
	[WORK_TEXT] = { "text", AGENT_TEXT, "the comment", REQ, .ops = OP(WORK_OP_COMMENT) },
	[WORK_READY] = { "ready", AGENT_BOOL, "the first of the ready ones, instead of an id",
	    .ops = OP(WORK_OP_CLAIM) },
	[WORK_LEASE_MS] = { "lease_ms", AGENT_DATA, "how long it is claimed",
	    .ops = OP(WORK_OP_CLAIM) },
	[WORK_LIMIT] = { "limit", AGENT_DATA, "items at most", .ops = FINDS },
};

/* ---- messages ------------------------------------------------------------------------------------ */

#define PRIORITIES  4
#define RETRIES_MAX UINT8_MAX                /* as struct acl_delivery has it */

static int
range_check(struct val v, int64_t min, int64_t max, struct err *e)
{
	if (v.kind == VAL_INT && (v.u.i < min || v.u.i > max))
		return err_set(e, ERR_INVALID, "expected a whole number from %lld to %lld, got "
		    "%lld", (long long)min, (long long)max, (long long)v.u.i);
	return OK;
}

static int
priority_check(struct val v, struct err *e)
{
	return range_check(v, 0, PRIORITIES - 1, e);
}

static int
retries_check(struct val v, struct err *e)
{
	return range_check(v, 1, RETRIES_MAX, e);
}

static const struct agent_field message_fields[] = {
	[MESSAGE_TO] = { "to", AGENT_TEXTS, "addresses: an agent's id or name, `cap:NAME` (one "
	    "that can), `all:NAME` (each that can)", REQ, .check = mail_to_check },
	[MESSAGE_ACT] = { "performative", AGENT_WORD, "the act", REQ, .words = acl_act_names },
	[MESSAGE_CONTENT] = { "content", AGENT_DATA, "what it is about" },
	[MESSAGE_PROTOCOL] = { "protocol", AGENT_TEXT, "as in fipa-request" },
	[MESSAGE_CONVERSATION] = { "conversation_id", AGENT_TEXT, "that it belongs to" },
	[MESSAGE_REPLY_WITH] = { "reply_with", AGENT_TEXT, "what a reply's in_reply_to is to "
	    "be" },
	[MESSAGE_IN_REPLY_TO] = { "in_reply_to", AGENT_TEXT, "reply_with of what it answers" },
	[MESSAGE_REPLY_BY] = { "reply_by", AGENT_TEXT, "until when a reply counts: 30s from now, "
	    "or a time (ISO 8601)", .check = mail_time_check },
	[MESSAGE_LANGUAGE] = { "language", AGENT_TEXT, "of the content" },
	[MESSAGE_ENCODING] = { "encoding", AGENT_TEXT, "of the content" },
	[MESSAGE_ONTOLOGY] = { "ontology", AGENT_TEXT, "what words of the content mean" },
	[MESSAGE_REPLY_TO] = { "reply_to", AGENT_TEXT, "who gets the replies; default: this "
	    "agent" },
	[MESSAGE_PRIORITY] = { "priority", AGENT_INT, "0 (usual) to 3 (first)",
	    .check = priority_check },
	[MESSAGE_TTL] = { "ttl", AGENT_TEXT, "undelivered after so long, it expires: 10m",
	    .check = mail_time_check },
	[MESSAGE_DURABLE] = { "durable", AGENT_BOOL, "it outlives the server; messages of an "
	    "agent that does are written with its state anyway" },
	[MESSAGE_RECEIPT] = { "receipt", AGENT_BOOL, "the sender is told when it is delivered" },
	[MESSAGE_RETRIES] = { "max_retries", AGENT_INT, "tries before it is a dead letter",
	    .check = retries_check },
	[MESSAGE_WAIT] = { "wait", AGENT_BOOL, "for a reply, which is the result; `timeout` "
	    "limits it" },
};

static const struct agent_field contract_fields[] = {
	[CONTRACT_TO] = { "to", AGENT_TEXTS, "who is asked: addresses as in `message`", REQ,
	    .check = mail_to_check },
	[CONTRACT_CONTENT] = { "content", AGENT_DATA, "the task", REQ },
	[CONTRACT_DEADLINE] = { "deadline", AGENT_TEXT, "for proposals: 30s", REQ,
	    .check = mail_time_check },
	[CONTRACT_PICK] = { "pick", AGENT_EXPR, "the proposal that wins, of `result`, the list "
	    "of them, or null; default: the first that came" },
	[CONTRACT_ONTOLOGY] = { "ontology", AGENT_TEXT, "what words of the content mean" },
};

static const struct agent_field subscribe_fields[] = {
	[SUBSCRIBE_TO] = { "to", AGENT_TEXTS, "addresses as in `message`", REQ,
	    .check = mail_to_check },
	[SUBSCRIBE_CONTENT] = { "content", AGENT_DATA, "what to be told of" },
	[SUBSCRIBE_ONTOLOGY] = { "ontology", AGENT_TEXT, "what words of the content mean" },
};

/* ---- other agents ------------------------------------------------------------------------------- */

static const struct agent_field spawn_fields[] = {
	[SPAWN_AGENT] = { "agent", AGENT_TEXT, "the definition of its agent", REQ },
	[SPAWN_NAME] = { "name", AGENT_TEXT, "that it is found by", .check = peer_name_check },
	[SPAWN_CAPABILITIES] = { "capabilities", AGENT_TEXTS, "what it can do: NAME or "
	    "NAME:VERSION", .check = peer_capabilities_check },
	[SPAWN_INPUT] = { "input", AGENT_DATA, "what it begins with" },
	[SPAWN_MEMORY] = { "memory", AGENT_BOOL, "it lives in memory alone: a chart that has no "
	    "work; default: it is a run on a thread" },
};

static const struct agent_field stop_fields[] = {
	[STOP_AGENT] = { "agent", AGENT_TEXT, "its id or name", REQ,
	    .check = peer_address_check },
	[STOP_DRAIN] = { "drain", AGENT_BOOL, "what waits for it is delivered before" },
};

/* ---- the table ---------------------------------------------------------------------------------- */

#define KIND(kind)    .name = #kind, .run = &task_##kind
#define FIELDS(table) .fields = table, .fields_n = COUNT(table)

static const struct task_kind
    llm = { KIND(llm), .help = "ask a model", FIELDS(llm_fields),
	.writes = WRITES_MESSAGES },
    tools = { KIND(tools), .help = "run the calls of the last ai message",
	.writes = WRITES_MESSAGES },
    tool = { KIND(tool), .help = "run one tool", FIELDS(tool_fields) },
    ask = { KIND(ask), .help = "ask a person and wait", FIELDS(ask_fields),
	.check = ask_check },
    wait_ = { KIND(wait), .help = "wait for a time", FIELDS(wait_fields) },
    store = { KIND(store), .help = "read or write the store", FIELDS(store_fields),
	.ops = store_ops },
    agent = { KIND(agent), .alias = "chart", .help = "run another agent",
	FIELDS(agent_fields), .writes = WRITES_OUTPUT },
    map = { KIND(map), .help = "work on each element of a list, in parallel",
	FIELDS(map_fields) },
    set = { KIND(set), .help = "write channels", FIELDS(set_fields) },
    emit = { KIND(emit), .help = "send a custom stream event", FIELDS(emit_fields) },
    fail = { KIND(fail), .help = "end the run with an error", FIELDS(fail_fields) },
    do_ = { KIND(do), .help = "a sequence of work in one task", FIELDS(do_fields) },
    repeat = { KIND(repeat), .help = "a sequence of work, several times",
	FIELDS(repeat_fields) },
    worker = { KIND(worker), .help = "work of a process outside: its result is written to "
	"the channels of equal name", FIELDS(worker_fields) },
    http_get = { KIND(http_get), .help = "read a page: {status, content_type, body, json}",
	FIELDS(http_get_fields) },
    work = { KIND(work), .help = "use the work tracker", FIELDS(work_fields),
	.ops = work_ops },
    message = { KIND(message), .help = "send a message to other agents",
	FIELDS(message_fields) },
    contract_net = { KIND(contract_net), .help = "have agents propose, and award the task to "
	"one", FIELDS(contract_fields) },
    subscribe = { KIND(subscribe), .help = "hear of changes while the state is active: each is "
	"an event `message.inform`", FIELDS(subscribe_fields), .of_chart = true },
    spawn = { KIND(spawn), .help = "begin another agent, which goes on by itself: {agent_id, "
	"name}", FIELDS(spawn_fields) },
    stop = { .name = "stop", .run = &task_stop_agent, .help = "end another agent",
	FIELDS(stop_fields) },
    wasm = { KIND(wasm), .help = "have a WebAssembly module answer a message: what it replies is "
	"written to the channels of equal name", FIELDS(wasm_fields) };

static const struct task_kind *const rows[] = {
	&llm, &tools, &tool, &ask, &wait_, &store, &agent, &map, &set, &emit, &fail, &do_,
	&repeat, &worker, &http_get, &work, &message, &contract_net, &subscribe, &spawn, &stop,
	&wasm,
};

const struct task_kinds task_kinds = { rows, COUNT(rows) };
