/*
 * llm_events.c - the events of an llm: what the model may tell its chart.
 *
 * Each is offered as a tool, event__NAME, whose arguments are the event's data.  The
 * model chooses among the declared names and nothing else: a call of any other
 * event__ name, or with data that is not of the event's schema, is answered with
 * what is wrong with it and posts nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/json.h"
#include "task/llm_priv.h"

#define PREFIX S("event__")
#define NAME_MAX_BYTES 57                    /* with the prefix 64: what providers take */
#define SHOWN 64                             /* of a name that is not an event */

bool
llm_is_event(struct str name)
{
	return str_starts(name, PREFIX);
}

/* The event's name in the tool's. */
static struct str
bare(struct str tool)
{
	return str_sub(tool, PREFIX.n, SIZE_MAX);
}

/* ---- what the file says ------------------------------------------------------------ */

/* Letters, digits, '_' and '-': a part of a tool's name. */
static bool
is_event_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && !(c >= '0' && c <= '9') &&
		    c != '_' && c != '-')
			return false;
	}
	return s.n > 0 && s.n <= NAME_MAX_BYTES;
}

static int
check_event(struct str name, struct val v, struct err *e)
{
	static const char *const taken[] = { "done", "answer", "error" };

	if (!is_event_name(name))
		return err_set(e, ERR_INVALID, "'%.*s' cannot be an event of a model: "
		    "expected letters, digits, '_' and '-', at most %d",
		    FMT(str_cut(name, 100)), NAME_MAX_BYTES);
	for (size_t i = 0; i < COUNT(taken); i++)
		if (str_eq(name, str_of(taken[i])))
			return err_set(e, ERR_INVALID, "'%s' is the work's own event; expected "
			    "another name", taken[i]);
	if (v.kind == VAL_NULL)
		return OK;
	if (v.kind != VAL_OBJECT)
		return err_set(e, ERR_INVALID, "%.*s: expected {schema, description}",
		    FMT(name));
	for (size_t i = 0; i < val_count(v); i++) {
		struct str key = val_key(v, i);
		struct val member = val_member(v, i);

		if (str_eq(key, S("schema")) ? member.kind != VAL_OBJECT :
		    str_eq(key, S("description")) ? member.kind != VAL_STRING : true)
			return err_set(e, ERR_INVALID, "%.*s.%.*s: expected 'schema', a JSON "
			    "Schema, and 'description', a text", FMT(name),
			    FMT(str_cut(key, 100)));
	}
	return OK;
}

/* Data that nobody checks must not move a chart. */
static int
check_schema(struct str name, struct val v, struct err *e)
{
	struct val schema = v.kind == VAL_OBJECT ? val_get(v, S("schema")) : VAL_UNDEF;
	struct buf text = BUF(LIMIT_CHART_BYTES);
	struct json_doc doc = { 0 };
	struct err why;
	int rc = OK;

	if (schema.kind != VAL_OBJECT)
		return OK;
	val_add_json(&text, schema);
	rc = json_parse(&doc, buf_str(&text), &why);
	if (rc == OK)
		rc = tools_check_schema(doc.root, &why);
	json_release(&doc);
	buf_release(&text);
	return rc == OK ? OK : err_set(e, ERR_INVALID, "%.*s.schema: %s", FMT(name), why.text);
}

int
llm_events_check(struct val v, struct err *e)
{
	int rc = OK;

	if (v.kind != VAL_OBJECT || val_count(v) == 0)
		return err_set(e, ERR_INVALID, "expected a map of events, as in "
		    "{paid: {schema: {...}}}");
	if (val_count(v) > LIMIT_LLM_EVENTS)
		return err_set(e, ERR_INVALID, "%zu events; expected at most %d",
		    val_count(v), LIMIT_LLM_EVENTS);
	for (size_t i = 0; i < val_count(v) && rc == OK; i++) {
		rc = check_event(val_key(v, i), val_member(v, i), e);
		if (rc == OK)
			rc = check_schema(val_key(v, i), val_member(v, i), e);
	}
	return rc;
}

/* ---- what the model is shown ---------------------------------------------------------- */

static struct val
declared(const struct piece *p)
{
	return piece_field(p, LLM_EVENTS)->constant;
}

size_t
llm_events_count(const struct piece *p)
{
	return agent_has(piece_field(p, LLM_EVENTS)) ? val_count(declared(p)) : 0;
}

void
llm_events_add_specs(const struct piece *p, struct arena *a, struct llm_tool_spec *specs,
    size_t *n)
{
	size_t count = llm_events_count(p);

	for (size_t i = 0; i < count; i++) {
		struct val v = val_member(declared(p), i), schema = VAL_UNDEF, words = VAL_UNDEF;
		struct buf text = BUF(LIMIT_CHART_BYTES);

		if (v.kind == VAL_OBJECT) {
			schema = val_get(v, S("schema"));
			words = val_get(v, S("description"));
		}
		if (schema.kind == VAL_OBJECT)
			val_add_json(&text, schema);
		else
			json_add_fmt(&text, "{'type':'object','properties':{}}");
		specs[(*n)++] = (struct llm_tool_spec){
		    arena_join(a, PREFIX, val_key(declared(p), i), STR_NONE),
		    words.kind == VAL_STRING ? val_str(words) : STR_NONE,
		    arena_str(a, buf_str(&text)) };
		buf_release(&text);
	}
}

/* ---- what the model calls --------------------------------------------------------------- */

static void
add_known(struct buf *b, const struct piece *p)
{
	for (size_t i = 0; i < llm_events_count(p); i++) {
		buf_add(b, i == 0 ? S(" There are: ") : S(", "));
		buf_add(b, PREFIX);
		buf_add(b, val_key(declared(p), i));
	}
}

/* False: b says what is wrong. */
static bool
data_fits(struct buf *b, struct val event, struct val args)
{
	struct val schema = event.kind == VAL_OBJECT ? val_get(event, S("schema")) : VAL_UNDEF;
	struct buf want = BUF(LIMIT_STATE_BYTES), got = BUF(LIMIT_STATE_BYTES);
	struct json_doc schema_doc = { 0 }, args_doc = { 0 };
	struct err e;
	int rc = OK;

	if (schema.kind == VAL_OBJECT) {
		val_add_json(&want, schema);
		val_add_json(&got, args);
		rc = json_parse(&schema_doc, buf_str(&want), &e);
		if (rc == OK)
			rc = json_parse(&args_doc, buf_str(&got), &e);
		if (rc == OK)
			rc = tools_check_value(schema_doc.root, args_doc.root, &e);
	}
	if (rc != OK)
		buf_add_fmt(b, "Error: the data of the event is not what it is declared to "
		    "be: %s. Call it again with data that is.", e.text);
	json_release(&schema_doc);
	json_release(&args_doc);
	buf_release(&want);
	buf_release(&got);
	return rc == OK;
}

/* One call; with a problem it is one of invalid_tool_calls. */
static void
read_call(const struct piece *p, struct val call, struct val problem,
    struct llm_events *out)
{
	struct val tool = val_get(call, S("name")), id = val_get(call, S("id"));
	struct val args = val_get(call, S("args")), event = VAL_UNDEF, one;
	struct buf words = BUF(LIMIT_TOOL_RESULT_BYTES);
	struct str name;
	bool fits = false;

	if (tool.kind != VAL_STRING || !llm_is_event(val_str(tool))) {
		out->others++;
		return;
	}
	name = bare(val_str(tool));
	event = val_get(declared(p), name);
	if (event.kind == VAL_UNDEFINED) {
		buf_add_fmt(&words, "Error: there is no event \"%.*s\".",
		    FMT(str_cut(name, SHOWN)));
		add_known(&words, p);
	} else if (problem.kind == VAL_STRING) {
		buf_add_fmt(&words, "Error: the event was not posted. %.*s Arguments are one "
		    "complete JSON object.", FMT(val_str(problem)));
	} else {
		fits = data_fits(&words, event, args);
	}
	out->n++;
	out->wrong += !fits;
	if (!fits && out->why == NULL)
		out->why = mem_cstr(buf_str(&words));
	out->answers = val_push_take(out->answers, call_message(id.kind == VAL_STRING ?
	    val_str(id) : STR_NONE, val_str(tool), fits, fits ? S("The event was posted.") :
	    buf_str(&words)));
	if (fits) {
		one = val_set_take(val_object_empty(), S("name"), val_string(name));
		one = val_set_take(one, S("data"), val_ref(args));
		out->posted = val_push_take(out->posted, one);
	}
	buf_release(&words);
}

void
llm_events_read(const struct piece *p, struct val message, struct llm_events *out)
{
	struct val calls = val_get(message, S("tool_calls"));
	struct val invalid = val_get(message, S("invalid_tool_calls"));

	*out = (struct llm_events){ .answers = val_array_empty(),
		.posted = val_array_empty() };
	if (llm_events_count(p) == 0) {
		out->others = val_count(calls) + val_count(invalid);
		return;
	}
	for (size_t i = 0; i < val_count(calls); i++)
		read_call(p, val_at(calls, i), VAL_UNDEF, out);
	for (size_t i = 0; i < val_count(invalid); i++) {
		struct val given = val_get(val_at(invalid, i), S("error"));
		struct val why = val_string(given.kind == VAL_STRING ? val_str(given) :
		    S("The arguments cannot be read."));

		read_call(p, val_at(invalid, i), why, out);
		val_drop(why);
	}
}

static void
refuse(struct val calls, struct llm_events *x)
{
	for (size_t i = 0; i < val_count(calls); i++) {
		struct val name = val_get(val_at(calls, i), S("name"));
		struct val id = val_get(val_at(calls, i), S("id"));

		if (name.kind == VAL_STRING && !llm_is_event(val_str(name)))
			x->answers = val_push_take(x->answers, call_message(
			    id.kind == VAL_STRING ? val_str(id) : STR_NONE, val_str(name), false,
			    S("Error: the call was not made, because another one of the same "
			    "answer was wrong.")));
	}
}

/* A call without an answer is no conversation that a provider takes. */
void
llm_events_refuse_others(struct val message, struct llm_events *x)
{
	refuse(val_get(message, S("tool_calls")), x);
	refuse(val_get(message, S("invalid_tool_calls")), x);
}

void
llm_events_release(struct llm_events *x)
{
	val_drop(x->answers);
	val_drop(x->posted);
	free(x->why);
}
