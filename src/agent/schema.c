/*
 * schema.c - JSON Schema (draft 2020-12) of agent files, from the tables: what an
 * editor needs to complete and to mark keys.  It says no more than the loader
 * checks; expressions are strings to it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "agent/load_priv.h"

#include "base/json.h"

#define REF(name) "{\"$ref\":\"#/$defs/" name "\"}"

/* By enum agent_field_kind. */
static const char *const kind_schemas[] = {
	[AGENT_NAME] = "{\"type\":\"string\",\"minLength\":1}",
	[AGENT_TEXT] = "{\"type\":\"string\"}",
	[AGENT_EXPR] = REF("expr"),
	[AGENT_DATA] = "{}",
	[AGENT_TEXTS] = "{\"anyOf\":[{\"type\":\"string\"},"
	    "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}]}",
	[AGENT_NAMES] = "{\"anyOf\":[{\"type\":\"string\"},"
	    "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}]}",
	[AGENT_PLAIN] = "{\"type\":\"object\"}",
	[AGENT_BOOL] = "{\"type\":\"boolean\"}",
	[AGENT_INT] = "{\"type\":\"integer\",\"minimum\":0}",
	[AGENT_CHILD] = "{\"anyOf\":[{\"type\":\"string\"}," REF("agent") "]}",
	[AGENT_WORKS] = "{\"type\":\"array\",\"minItems\":1,\"items\":" REF("item") "}",
	[AGENT_AS] = "{\"type\":\"string\",\"minLength\":1}",
	[AGENT_SET] = "{\"type\":\"object\"}",
	[AGENT_CHANNEL] = "{\"type\":\"string\",\"minLength\":1}",
};

/* Plain JSON whose inside is checked by the field itself. */
static const struct {
	const char *field, *schema;
} plain_schemas[] = {
	{ "output", "{\"type\":\"object\",\"additionalProperties\":false,\"required\":"
	  "[\"schema\"],\"properties\":{\"schema\":{\"type\":\"object\"}}}" },
	{ "events", "{\"type\":\"object\",\"minProperties\":1,\"additionalProperties\":{"
	  "\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
	  "\"schema\":{\"type\":\"object\"},\"description\":{\"type\":\"string\"}}}}" },
	{ "truncate", "{\"type\":\"object\",\"additionalProperties\":false,\"required\":"
	  "[\"tokens\"],\"properties\":{\"tokens\":{\"type\":\"integer\",\"minimum\":1},"
	  "\"keep\":{\"type\":\"integer\",\"minimum\":0},\"summary\":{\"anyOf\":["
	  "{\"type\":\"boolean\"},{\"type\":\"object\",\"additionalProperties\":false,"
	  "\"properties\":{\"model\":{\"type\":\"string\"},\"prompt\":{\"type\":"
	  "\"string\"}}}]}}}" },
};

static const char *
schema_of(const struct agent_field *f)
{
	for (size_t i = 0; f->kind == AGENT_PLAIN && i < COUNT(plain_schemas); i++)
		if (str_eq(str_of(f->name), str_of(plain_schemas[i].field)))
			return plain_schemas[i].schema;
	return kind_schemas[f->kind];
}

static void
add_words(struct buf *b, const char *const *words)
{
	int64_t number;

	buf_lit(b, "{\"enum\":[");
	for (; *words != NULL; words++) {
		json_add_fmt(b, ",%s", *words);
		/* A word of digits may stand without quotes. */
		if (str_to_i64(str_of(*words), &number))
			json_add_fmt(b, ",%lld", (long long)number);
	}
	buf_lit(b, "]}");
}

/* The schema of a field with its help: members are added to the object. */
static void
add_field(struct buf *b, const struct agent_field *f)
{
	struct buf plain = BUF(4 * KB);

	if (f->kind == AGENT_WORD && str_eq(str_of(f->name), S("performative")))
		buf_lit(&plain, REF("performative"));        /* of several kinds */
	else if (f->kind == AGENT_WORD)
		add_words(&plain, f->words);
	else
		buf_add(&plain, str_of(schema_of(f)));
	buf_add(b, str_sub(buf_str(&plain), 0, plain.n - 1));
	if (f->help[0] != '\0')
		json_add_fmt(b, ",'description':%s", f->help);
	buf_add_char(b, '}');
	buf_release(&plain);
}

static bool
is_field(const struct agent_field *f, int op)
{
	return (f->flags & (FIELD_BODY | FIELD_BESIDE | FIELD_LATER)) == 0 &&
	    (op < 0 || f->ops == 0 || (f->ops >> op & 1) != 0);
}

/* The map of a kind's fields, or of one of its ops. */
static void
add_fields(struct buf *b, const struct task_kind *k, int op)
{
	buf_lit(b, "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{");
	for (size_t i = 0; i < k->fields_n; i++) {
		if (!is_field(&k->fields[i], op))
			continue;
		json_add_fmt(b, ",%s:", k->fields[i].name);
		add_field(b, &k->fields[i]);
		if (k->fields[i].alias == NULL)
			continue;
		json_add_fmt(b, ",%s:", k->fields[i].alias);
		add_field(b, &k->fields[i]);
	}
	buf_lit(b, "},\"required\":[");
	for (size_t i = 0; i < k->fields_n; i++)
		if (is_field(&k->fields[i], op) && k->fields[i].group == 0 &&
		    (k->fields[i].flags & FIELD_REQUIRED) != 0)
			json_add_fmt(b, ",%s", k->fields[i].name);
	buf_lit(b, "]}");
}

#define SEND_KEYS "\"delay\":{\"type\":[\"number\",\"string\"]},\"id\":{\"type\":\"string\"}"

static void
add_acts(struct buf *b, const struct task_kind *k)
{
	for (size_t i = 0; i < k->fields_n; i++)
		if (str_eq(str_of(k->fields[i].name), S("performative")))
			add_words(b, k->fields[i].words);
}

/* The statements `send` to another agent and `reply`: fields of the kind `message`. */
static void
add_say(struct buf *b, const struct task_kind *k, bool reply)
{
	buf_lit(b, "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{" SEND_KEYS);
	if (reply)
		buf_lit(b, ",\"message\":" REF("expr"));
	for (size_t i = 0; i < k->fields_n; i++)
		if (load_say_has(&k->fields[i], reply)) {
			json_add_fmt(b, ",%s:", k->fields[i].name);
			add_field(b, &k->fields[i]);
		}
	buf_lit(b, "},\"required\":[");
	for (size_t i = 0; i < k->fields_n; i++)
		if (load_say_has(&k->fields[i], reply) &&
		    (k->fields[i].flags & FIELD_REQUIRED) != 0)
			json_add_fmt(b, ",%s", k->fields[i].name);
	buf_lit(b, "]}");
}

static const struct agent_field *
flagged(const struct task_kind *k, unsigned flag)
{
	for (size_t i = 0; i < k->fields_n; i++)
		if ((k->fields[i].flags & flag) != 0)
			return &k->fields[i];
	return NULL;
}

static void
add_ops(struct buf *b, const struct task_kind *k)
{
	buf_lit(b, "{\"type\":\"object\",\"additionalProperties\":false,\"minProperties\":1,"
	    "\"maxProperties\":1,\"properties\":{");
	for (int op = 0; k->ops[op] != NULL; op++) {
		json_add_fmt(b, ",%s:", k->ops[op]);
		add_fields(b, k, op);
	}
	buf_lit(b, "}}");
}

/* What stands at the kind's key. */
static void
add_body(struct buf *b, const struct task_kind *k)
{
	const struct agent_field *body = flagged(k, FIELD_BODY), *brief = flagged(k, FIELD_SHORT);

	if (body != NULL) {
		add_field(b, body);
	} else if (k->ops != NULL) {
		add_ops(b, k);
	} else if (brief != NULL && brief->kind == AGENT_DATA) {
		buf_lit(b, "{}");
	} else if (brief != NULL) {
		buf_lit(b, "{\"anyOf\":[");
		add_field(b, brief);
		buf_add_char(b, ',');
		add_fields(b, k, -1);
		buf_lit(b, "]}");
	} else {
		add_fields(b, k, -1);
	}
}

/* All kinds' keys of a node or an item; how many kinds it has is the loader's. */
static void
add_work(struct buf *b, const struct task_kinds *kinds, const char *more)
{
	buf_lit(b, "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{");
	buf_add(b, str_of(more));
	for (size_t i = 0; i < kinds->n; i++) {
		const struct task_kind *k = kinds->at[i];

		json_add_fmt(b, ",%s:", k->name);
		add_body(b, k);
		if (k->alias != NULL) {
			json_add_fmt(b, ",%s:", k->alias);
			add_body(b, k);
		}
		for (size_t f = 0; f < k->fields_n; f++)
			if ((k->fields[f].flags & FIELD_BESIDE) != 0) {
				json_add_fmt(b, ",%s:", k->fields[f].name);
				add_field(b, &k->fields[f]);
			}
	}
	buf_lit(b, "}}");
}

#define NODE_NAMES "{\"anyOf\":[{\"const\":\"*\"},{\"type\":\"array\",\"items\":" \
	"{\"type\":\"string\"}}]}"
#define NUMBER "{\"type\":\"integer\",\"minimum\":0}"
#define BUDGET_PARTS "\"tokens\":" NUMBER ",\"cost\":{\"type\":\"number\",\"minimum\":0}," \
	"\"turns\":" NUMBER ",\"tool_calls\":" NUMBER
#define BUDGET_OF(more) "\"budget\":{\"type\":\"object\",\"minProperties\":1," \
	"\"additionalProperties\":false,\"properties\":{" BUDGET_PARTS more "}}"
#define BUDGET BUDGET_OF(",\"wall\":{\"type\":\"string\"}")
#define WORK_BUDGET BUDGET_OF("")
#define CHANNEL_NAMES "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}"

/* Beside every kind. */
#define GUARD "\"retry\":" REF("retry") ",\"timeout\":" REF("time") ","

static const char guard_text[] =
    ",\"time\":{\"anyOf\":[{\"type\":\"number\",\"minimum\":0},{\"type\":\"string\",\"pattern\":"
    "\"^([0-9.]+(ms|s|m|h|d))+$\"}],\"description\":\"30s, 1.5h, 2d, or milliseconds\"},"
    "\"retry\":{\"anyOf\":[{\"type\":\"integer\",\"minimum\":1},{\"type\":\"object\","
    "\"additionalProperties\":false,\"properties\":{\"on\":" REF("names") ","
    "\"max\":{\"type\":\"integer\",\"minimum\":1},\"delay\":" REF("time") ","
    "\"factor\":{\"type\":\"number\",\"minimum\":1},\"jitter\":{\"type\":\"number\","
    "\"minimum\":0,\"maximum\":1},\"max_delay\":" REF("time") "}}]}";

#define TEXT_MAP "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"string\"}}"
#define MCP "\"mcp\":{\"type\":\"object\",\"additionalProperties\":{\"type\":\"object\"," \
	"\"additionalProperties\":false,\"oneOf\":[{\"required\":[\"command\"]}," \
	"{\"required\":[\"url\"]}],\"properties\":{\"command\":" CHANNEL_NAMES "," \
	"\"env\":" TEXT_MAP ",\"cwd\":{\"type\":\"string\"},\"url\":{\"type\":\"string\"}," \
	"\"headers\":" TEXT_MAP ",\"tools\":" CHANNEL_NAMES "}}}"

#define LIMIT_WORDS "{\"type\":[\"number\",\"string\"]}"
#define WASM "\"wasm\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":" \
	"[\"module\"],\"properties\":{\"module\":{\"type\":\"string\",\"pattern\":" \
	"\"[.]wa(sm|t)$\"},\"allow\":{\"type\":\"array\",\"items\":{\"enum\":[\"log\"," \
	"\"now_ms\",\"send\",\"reply\",\"store_get\",\"store_put\",\"tool_call\",\"all\"," \
	"\"none\"]}},\"tools\":" CHANNEL_NAMES ",\"limits\":{\"type\":\"object\"," \
	"\"additionalProperties\":false,\"properties\":{\"memory\":" LIMIT_WORDS \
	",\"fuel\":" LIMIT_WORDS ",\"cpu\":" LIMIT_WORDS ",\"depth\":" LIMIT_WORDS \
	",\"message\":" LIMIT_WORDS ",\"rate\":" LIMIT_WORDS "}}}}"

static const char agent_head[] =
    "{\"type\":\"object\",\"additionalProperties\":false,"
    "\"anyOf\":[{\"required\":[\"nodes\",\"edges\"]},{\"required\":[\"states\"]},"
    "{\"required\":[\"wasm\"]}],\"properties\":{" WASM ",\"id\":{\"type\":\"string\",\"pattern\":\"^[A-Za-z0-9._-]+$\"},"
    "\"name\":{\"type\":\"string\"},\"description\":{\"type\":\"string\"},"
    "\"state\":{\"type\":\"object\",\"additionalProperties\":" REF("channel") "},"
    BUDGET ",\"capabilities\":{\"type\":\"object\",\"additionalProperties\":false,"
    "\"properties\":{\"tools\":" CHANNEL_NAMES ",\"hosts\":" CHANNEL_NAMES
    ",\"paths\":" CHANNEL_NAMES "}}," MCP ","
    "\"input\":" CHANNEL_NAMES ",\"output\":" CHANNEL_NAMES ",\"private\":" CHANNEL_NAMES ","
    "\"context_schema\":{\"type\":\"object\"},\"interrupt_before\":" NODE_NAMES ","
    "\"interrupt_after\":" NODE_NAMES ",\"tools\":{\"type\":\"object\","
    "\"additionalProperties\":{\"type\":\"object\",\"additionalProperties\":false,"
    "\"minProperties\":1,\"properties\":{\"description\":{\"type\":\"string\"},"
    "\"schema\":{\"type\":\"object\"},\"reply\":" REF("expr") ",\"agent\":{\"type\":"
    "[\"string\",\"object\"]},\"worker\":{\"const\":true},\"timeout\":" REF("time") ",\"retries\":{\"type\":\"integer\","
    "\"minimum\":0},\"args\":{\"type\":\"object\",\"minProperties\":1},\"idempotent\":{\"type\":\"boolean\"},\"approval\":{\"anyOf\":["
    "{\"type\":\"boolean\"},{\"type\":\"object\",\"additionalProperties\":false,\"required\":"
    "[\"allowed_decisions\"],\"properties\":{\"allowed_decisions\":{\"type\":\"array\","
    "\"minItems\":1,\"items\":{\"enum\":[\"approve\",\"edit\",\"reject\",\"respond\"]}},"
    "\"description\":{\"type\":\"string\"}}}]}}}},"
    "\"nodes\":{\"type\":\"object\",\"minProperties\":1,\"additionalProperties\":"
    REF("node") "},\"edges\":{\"type\":\"array\",\"items\":" REF("edge") "},"
    "\"context\":{\"type\":\"object\"},\"states\":" REF("states") ",\"initial\":" REF("names") ","
    "\"type\":{\"enum\":[\"compound\",\"parallel\"]},\"on\":" REF("on") ","
    "\"always\":" REF("transition") ",\"entry\":" REF("actions") ",\"exit\":" REF("actions") "}}";

/* Definitions of charts. */
static const char chart_text[] =
    ",\"names\":{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"array\",\"items\":"
    "{\"type\":\"string\"},\"minItems\":1}]},\"states\":{\"type\":\"object\","
    "\"minProperties\":1,\"additionalProperties\":" REF("state") "},"
    "\"on\":{\"type\":\"object\",\"additionalProperties\":" REF("transition") "},"
    "\"transition\":{\"anyOf\":[" REF("transition1") ",{\"type\":\"array\",\"items\":"
    REF("transition1") "}]},\"transition1\":{\"anyOf\":[{\"type\":\"string\"},"
    "{\"type\":\"null\"},{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
    "\"guard\":" REF("expr") ",\"target\":" REF("names") ",\"actions\":" REF("actions") ","
    "\"assign\":{\"type\":\"object\"},\"internal\":{\"type\":\"boolean\"},"
    "\"description\":{\"type\":\"string\"}}}]},"
    "\"actions\":{\"anyOf\":[" REF("action") ",{\"type\":\"array\",\"items\":" REF("action") "}]},"
    "\"action\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
    "\"assign\":{\"type\":\"object\"},"
    "\"raise\":{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"object\","
    "\"additionalProperties\":false,\"required\":[\"event\"],\"properties\":{"
    "\"event\":{\"type\":\"string\"},\"data\":{}}}]},"
    "\"send\":{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"object\","
    "\"additionalProperties\":false,\"required\":[\"event\"],\"properties\":{"
    "\"event\":{\"type\":\"string\"},\"data\":{}," SEND_KEYS "}}," REF("send") "]},"
    "\"reply\":" REF("reply") ",\"cancel\":{\"type\":\"string\"},"
    "\"log\":{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"object\","
    "\"additionalProperties\":false,\"properties\":{\"label\":{\"type\":\"string\"},"
    "\"value\":{}}}]},\"if\":" REF("expr") ","
    "\"then\":" REF("actions") ",\"else\":" REF("actions") ",\"foreach\":{\"type\":\"object\","
    "\"additionalProperties\":false,\"required\":[\"over\",\"as\",\"do\"],\"properties\":{"
    "\"over\":" REF("expr") ",\"as\":{\"type\":\"string\"},\"index\":{\"type\":\"string\"},"
    "\"do\":" REF("actions") "}}}}";

static const char state_text[] =
    "\"initial\":" REF("names") ",\"type\":{\"enum\":[\"atomic\",\"compound\",\"parallel\","
    "\"final\",\"history\"]},\"states\":" REF("states") ",\"on\":" REF("on") ","
    "\"always\":" REF("transition") ",\"after\":" REF("on") ",\"entry\":" REF("actions") ","
    "\"exit\":" REF("actions") "," GUARD
    "\"invoke\":{\"anyOf\":[" REF("invoke") ",{\"type\":\"array\",\"items\":" REF("invoke") "}]},"
    "\"onDone\":" REF("transition") ",\"onError\":" REF("transition") ","
    "\"history\":{\"enum\":[\"shallow\",\"deep\"]},\"target\":" REF("names") ",\"output\":{},"
    "\"tags\":" REF("names") ",\"description\":{\"type\":\"string\"},"
    "\"writes\":{\"type\":\"object\"}," BUDGET;

static const char edge_text[] =
    "{\"anyOf\":[{\"type\":\"array\",\"minItems\":2,\"maxItems\":2},{\"type\":\"object\","
    "\"additionalProperties\":false,\"required\":[\"from\"],\"properties\":{"
    "\"from\":{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"array\",\"items\":"
    "{\"type\":\"string\"},\"minItems\":1}]},\"to\":{\"type\":\"string\"},"
    "\"when\":" REF("expr") ",\"all\":{\"type\":\"boolean\"},\"send\":{\"type\":\"object\","
    "\"additionalProperties\":false,\"required\":[\"over\",\"to\"],\"properties\":{"
    "\"over\":" REF("expr") ",\"as\":{\"type\":\"string\"},\"to\":{\"type\":\"string\"},"
    "\"input\":{}}}}}]}";

void
agent_add_schema(struct buf *b, const struct task_kinds *kinds)
{
	const struct task_kind *message = load_kind_find(kinds, S("message"));

	buf_lit(b, "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\","
	    "\"title\":\"An agent\",\"$ref\":\"#/$defs/agent\",\"$defs\":{\"agent\":");
	buf_add(b, str_of(agent_head));
	buf_lit(b, ",\"expr\":{\"type\":[\"string\",\"number\",\"boolean\",\"null\"],"
	    "\"description\":\"an expression\"},\"channel\":{\"type\":\"object\","
	    "\"additionalProperties\":false,\"properties\":{\"reducer\":");
	add_words(b, reducer_names);
	buf_lit(b, ",\"default\":{},\"ephemeral\":{\"type\":\"boolean\"},"
	    "\"schema\":{\"type\":\"object\"}}},\"edge\":");
	buf_add(b, str_of(edge_text));
	buf_lit(b, ",\"node\":");
	add_work(b, kinds, GUARD "\"writes\":{\"type\":\"object\"},\"defer\":{\"type\":\"boolean\"},"
	    "\"description\":{\"type\":\"string\"}," WORK_BUDGET);
	buf_lit(b, ",\"item\":");
	add_work(b, kinds, GUARD "\"writes\":{\"type\":\"object\"},\"when\":" REF("expr")
	    ",\"as\":{\"type\":\"string\"},\"return\":{\"type\":\"boolean\"}," WORK_BUDGET);
	buf_add(b, str_of(chart_text));
	buf_add(b, str_of(guard_text));
	buf_lit(b, ",\"performative\":");
	add_acts(b, message);
	buf_lit(b, ",\"send\":");
	add_say(b, message, false);
	buf_lit(b, ",\"reply\":");
	add_say(b, message, true);
	buf_lit(b, ",\"state\":");
	add_work(b, kinds, state_text);
	buf_lit(b, ",\"invoke\":");
	add_work(b, kinds, GUARD "\"id\":{\"type\":\"string\"},\"onDone\":" REF("transition")
	    ",\"onError\":" REF("transition") ",\"autoforward\":{\"type\":\"boolean\"},"
	    "\"writes\":{\"type\":\"object\"}," WORK_BUDGET);
	buf_lit(b, "}}\n");
}
