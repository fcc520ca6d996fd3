/*
 * agui_resume.c - questions of a run as AG-UI's interrupts, and their answers.
 *
 * A review of tool calls (task/review.c) takes {decisions}.  One of a single call takes
 * AG-UI's own form too: {approved, editedArgs, message}; or {result} in place of the call,
 * which makes a tool of it that the frontend runs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/agui.h"

#include <stdio.h>

/* How many calls a question reviews; 0: it is no review. */
static size_t
review_size(jnode value)
{
	jnode requests = json_get(value, S("action_requests"));
	jnode configs = json_get(value, S("review_configs"));

	return json_is_array(requests) && json_is_array(configs) &&
	    json_count(requests) == json_count(configs) ? json_count(requests) : 0;
}

static jnode
review_part(jnode value, const char *list, size_t i)
{
	return json_at(json_get(value, str_of(list)), i);
}

/* ---- as interrupts ---------------------------------------------------------------------- */

/* The id of the newest call of this name and these arguments. */
static struct str
call_id(jnode values, jnode request)
{
	struct json_iter messages = json_each(json_get(values, S("messages"))), calls;
	struct str id = STR_NONE, name = json_str(json_get(request, S("name")));

	while (json_next(&messages)) {
		calls = json_each(json_get(messages.value, S("tool_calls")));
		while (json_next(&calls))
			if (str_eq(json_str(json_get(calls.value, S("name"))), name) &&
			    json_equal(json_get(calls.value, S("args")), json_get(request,
			    S("args"))))
				id = json_str(json_get(calls.value, S("id")));
	}
	return id;
}

static bool
may_decide(jnode value, size_t i, struct str decision)
{
	struct json_iter it = json_each(json_get(review_part(value, "review_configs", i),
	    S("allowed_decisions")));

	while (json_next(&it))
		if (str_eq(json_str(it.value), decision))
			return true;
	return false;
}

static void
add_one_schema(struct buf *b, jnode value)
{
	bool respond = may_decide(value, 0, S("respond")), decide =
	    may_decide(value, 0, S("approve")) || may_decide(value, 0, S("reject"));

	json_add_fmt(b, ",'responseSchema':{'type':'object','properties':{");
	if (decide)
		json_add_fmt(b, ",'approved':{'type':'boolean'}");
	if (may_decide(value, 0, S("edit")))
		json_add_fmt(b, ",'editedArgs':{'type':'object','description':"
		    "'Full replacement of the tool args. Not merged.'}");
	if (may_decide(value, 0, S("reject")))
		json_add_fmt(b, ",'message':{'type':'string'}");
	if (respond)
		json_add_fmt(b, ",'result':{'description':'What the call gives. It is not "
		    "made.'}");
	buf_add_char(b, '}');
	if (respond != decide)
		json_add_fmt(b, ",'required':[%s]", respond ? "result" : "approved");
	buf_add_char(b, '}');
}

static void
add_many_schema(struct buf *b, size_t n)
{
	json_add_fmt(b, ",'responseSchema':{'type':'object','properties':{'decisions':{"
	    "'type':'array','minItems':%zu,'maxItems':%zu,'items':{'type':'object',"
	    "'properties':{'type':{'enum':['approve','edit','reject','respond']}},"
	    "'required':['type']}}},'required':['decisions']}", n, n);
}

static void
add_review(struct buf *b, jnode value, size_t n, jnode values)
{
	struct str id = n == 1 ? call_id(values, review_part(value, "action_requests", 0)) :
	    STR_NONE;
	struct buf words = BUF(LIMIT_STATE_BYTES);

	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_lit(&words, "\n\n");
		buf_add(&words, json_str(json_get(review_part(value, "action_requests", i),
		    S("description"))));
	}
	if (id.n > 0)
		json_add_fmt(b, ",'reason':'tool_call','toolCallId':%.*s", FMT(id));
	else
		json_add_fmt(b, ",'reason':'cohort:review'");
	json_add_fmt(b, ",'message':%.*s", FMT(buf_str(&words)));
	if (n == 1)
		add_one_schema(b, value);
	else
		add_many_schema(b, n);
	b->failed |= words.failed;
	buf_release(&words);
}

/* Schemas of answers by the question's `type` (task/answer.c); `options`: how many are
 * chosen of. */
static const struct { const char *type, *reason, *schema; enum { ONE = 1, SOME } options; }
    answers[] = {
	{ "text", "input_required", "{\"type\":\"string\"}", 0 },
	{ "confirm", "confirmation", "{\"type\":\"boolean\"}", 0 },
	{ "number", "input_required", "{\"type\":\"number\"}", 0 },
	{ "date", "input_required", "{\"type\":\"string\",\"format\":\"date\"}", 0 },
	{ "select", "input_required", NULL, ONE },
	{ "multi_select", "input_required", NULL, SOME },
};

static void
add_answer_schema(struct buf *b, size_t i, jnode value)
{
	void *options = (void *)json_get(value, S("options"));

	if (answers[i].options == ONE)
		json_add_fmt(b, ",'responseSchema':{'enum':%p}", options);
	else if (answers[i].options == SOME)
		json_add_fmt(b, ",'responseSchema':{'type':'array','uniqueItems':true,"
		    "'items':{'enum':%p}}", options);
	else
		json_add_fmt(b, ",'responseSchema':%-s", answers[i].schema);
}

static void
add_kind(struct buf *b, jnode question)
{
	jnode schema = json_get(question, S("response_schema"));
	jnode value = json_get(question, S("value"));
	struct str type = json_str(json_get(value, S("type")));

	if (json_is_object(schema)) {
		json_add_fmt(b, ",'reason':'input_required','responseSchema':%p",
		    (void *)schema);
		return;
	}
	for (size_t i = 0; i < COUNT(answers); i++)
		if (str_eq(type, str_of(answers[i].type))) {
			json_add_fmt(b, ",'reason':%s", answers[i].reason);
			add_answer_schema(b, i, value);
			return;
		}
	json_add_fmt(b, ",'reason':'cohort:question'");
}

static void
add_question(struct buf *b, jnode question)
{
	struct buf list = BUF(LIMIT_STATE_BYTES), words = BUF(LIMIT_STATE_BYTES);

	json_add_fmt(&list, "[%p]", (void *)question);
	door_add_questions(&words, buf_str(&list));
	add_kind(b, question);
	json_add_fmt(b, ",'message':%.*s", FMT(buf_str(&words)));
	b->failed |= list.failed || words.failed;
	buf_release(&list);
	buf_release(&words);
}

void
agui_add_interrupts(struct buf *b, struct str interrupts_json, jnode values)
{
	struct json_doc d = { 0 };
	struct json_iter it;

	if (json_parse(&d, interrupts_json, NULL) != OK)
		b->failed = true;
	it = json_each(d.root);
	while (json_next(&it)) {
		jnode value = json_get(it.value, S("value"));
		size_t n = review_size(value);

		json_add_fmt(b, ",{'id':%p", (void *)json_get(it.value, S("id")));
		if (n > 0)
			add_review(b, value, n, values);
		else
			add_question(b, it.value);
		json_add_fmt(b, ",'metadata':{'cohort':{'value':%p}}}", (void *)value);
	}
	json_release(&d);
}

void
agui_add_breakpoint(struct buf *b)
{
	json_add_fmt(b, "{'id':'" AGUI_BREAKPOINT "','reason':'cohort:breakpoint',"
	    "'message':'The run stops here, as its agent says. Resume it to go on.'}");
}

/* ---- answers ------------------------------------------------------------------------------- */

static bool
is_approval(jnode payload)
{
	return json_is_bool(json_get(payload, S("approved"))) ||
	    json_get(payload, S("result")) != NULL;
}

/* Which of its members an approval has; the others are a failure. */
enum { HAS_APPROVED = 1, HAS_EDITED = 2, HAS_MESSAGE = 4, HAS_RESULT = 8 };

static unsigned
approval_members(struct call *c, const char *path, jnode payload)
{
	static const char *const names[] = { "approved", "editedArgs", "message", "result" };
	struct json_iter it = json_each(payload);
	unsigned has = 0;

	while (c->in->rc == OK && json_next(&it)) {
		unsigned bit = 0;

		for (size_t i = 0; i < COUNT(names); i++)
			if (str_eq(json_str(it.key), str_of(names[i])))
				bit = 1u << i;
		if (bit == 0)
			fields_fail(c->in, path, ERR_INVALID, "unknown key \"%.*s\"; expected "
			    "approved, editedArgs, message, result, or decisions",
			    FMT(param_shown(json_str(it.key))));
		has |= bit;
	}
	return has;
}

/* A result that is no text is told as JSON. */
static void
add_result(struct buf *b, jnode result)
{
	struct buf text = BUF(LIMIT_HTTP_BODY_BYTES);

	if (json_is_string(result))
		buf_add(&text, json_str(result));
	else
		json_add_node(&text, result);
	json_add_fmt(b, "{'decisions':[{'type':'respond','message':%.*s}]}",
	    FMT(buf_str(&text)));
	b->failed |= text.failed;
	buf_release(&text);
}

/* {approved, editedArgs, message}, or {result}, as the decision on one call. */
static void
add_approval(struct call *c, struct buf *b, const char *path, jnode value, jnode payload)
{
	bool approved = json_bool(json_get(payload, S("approved")));
	unsigned has = approval_members(c, path, payload);
	jnode name = json_get(review_part(value, "action_requests", 0), S("name"));

	if (has == HAS_RESULT)
		add_result(b, json_get(payload, S("result")));
	else if (has & HAS_RESULT)
		fields_fail(c->in, path, ERR_INVALID, "a result stands alone");
	else if (!approved && (has & HAS_EDITED))
		fields_fail(c->in, path, ERR_INVALID, "editedArgs are for a call that is "
		    "approved");
	else if (has & HAS_EDITED)
		json_add_fmt(b, "{'decisions':[{'type':'edit','edited_action':{'name':%p,"
		    "'args':%p}}]}", (void *)name, (void *)json_get(payload,
		    S("editedArgs")));
	else if (approved)
		json_add_fmt(b, "{'decisions':[{'type':'approve'}]}");
	else if (has & HAS_MESSAGE)
		json_add_fmt(b, "{'decisions':[{'type':'reject','message':%p}]}",
		    (void *)json_get(payload, S("message")));
	else
		json_add_fmt(b, "{'decisions':[{'type':'reject'}]}");
}

static void
add_rejections(struct buf *b, size_t n)
{
	json_add_fmt(b, "{'decisions':[");
	for (size_t i = 0; i < n; i++)
		json_add_fmt(b, ",{'type':'reject'}");
	json_add_fmt(b, "]}");
}

static void
add_answer(struct call *c, struct buf *b, const char *path, jnode value, bool cancelled,
    jnode payload)
{
	size_t n = review_size(value);

	if (cancelled && n > 0)
		add_rejections(b, n);
	else if (cancelled)
		json_add_fmt(b, "{'status':'cancelled'}");
	else if (json_is_null(payload))
		fields_fail(c->in, path, ERR_INVALID, "expected the answer, got %s",
		    payload == NULL ? "nothing" : "null");
	else if (n == 1 && is_approval(payload))
		add_approval(c, b, path, value, payload);
	else
		json_add_node(b, payload);
}

/* As clients see it. */
static struct str
id_text(const struct store_interrupt *i, char text[2 * sizeof i->id.b])
{
	struct buf b = BUF(64);

	hex_add(&b, i->id.b, sizeof i->id.b);
	memcpy(text, b.p, 2 * sizeof i->id.b);
	buf_release(&b);
	return (struct str){ text, 2 * sizeof i->id.b };
}

/* Which question an entry answers; NULL and a failure: none, or one that has an entry. */
static const struct store_interrupt *
answered(struct call *c, struct agui_in *x, const char *path, struct str id)
{
	char text[2 * sizeof x->open->id.b];

	for (size_t i = 0; i < x->open_n; i++) {
		if (!str_eq(id_text(&x->open[i], text), id))
			continue;
		if (x->answered[i])
			fields_fail(c->in, path, ERR_INVALID, "the question is answered twice");
		x->answered[i] = true;
		return c->in->rc == OK ? &x->open[i] : NULL;
	}
	fields_fail(c->in, path, ERR_INVALID, "no question with the id \"%.*s\" waits on the "
	    "thread", FMT(param_shown(id)));
	return NULL;
}

/* One entry, as a member of the answer. */
static void
read_entry(struct call *c, struct agui_in *x, size_t i, struct fields *f, struct buf *b)
{
	static const char *const words[] = { "resolved", "cancelled", NULL };
	const struct store_interrupt *at;
	struct json_doc value = { 0 };
	struct str id = STR_NONE;
	char path[60];
	int status = -1;
	jnode payload;

	fields_str(f, "interruptId", LIMIT_NAME_BYTES, &id);
	fields_enum(f, "status", words, &status);
	payload = fields_any(f, "payload");
	if (!json_is_null(fields_any(f, "metadata")))
		fields_fail(f, "metadata", ERR_INVALID, "not kept; leave it out");
	if (status < 0)
		fields_fail(f, "status", ERR_INVALID, "expected resolved or cancelled, got "
		    "nothing");
	if (fields_end(f) != OK)
		return;
	snprintf(path, sizeof path, "resume.%zu.interruptId", i);
	at = answered(c, x, path, id);
	if (at == NULL || json_parse(&value, at->value_json, &c->err) != OK)
		return;
	snprintf(path, sizeof path, "resume.%zu.payload", i);
	json_add_comma(b);
	json_add_str(b, id);
	buf_add_char(b, ':');
	add_answer(c, b, path, value.root, status == 1, payload);
	json_release(&value);
}

/* A breakpoint is passed by going on. */
static void
read_breakpoint(struct call *c, const struct agui_in *x, jnode list)
{
	jnode entry = json_at(list, 0);

	if (!x->stopped || json_count(list) != 1 ||
	    !str_eq(json_str(json_get(entry, S("interruptId"))), S(AGUI_BREAKPOINT)))
		fields_fail(c->in, "resume", ERR_INVALID, "no question waits on the thread");
	else if (!str_eq(json_str(json_get(entry, S("status"))), S("resolved")))
		fields_fail(c->in, "resume.0.status", ERR_INVALID, "a breakpoint can only be "
		    "resolved");
	else if (!json_is_null(json_get(entry, S("payload"))))
		fields_fail(c->in, "resume.0.payload", ERR_INVALID, "a breakpoint takes no "
		    "answer; leave it out");
}

static int
refuse_unanswered(struct call *c, const struct agui_in *x)
{
	char text[2 * sizeof x->open->id.b];

	return err_set(&c->err, ERR_CONFLICT, "%zu question%s wait%s on the thread, as \"%.*s\": "
	    "answer with `resume`", x->open_n, x->open_n == 1 ? "" : "s", x->open_n == 1 ? "s" :
	    "", FMT(id_text(&x->open[0], text)));
}

bool
agui_read_resume(struct call *c, struct agui_in *x, struct buf *b)
{
	jnode list = json_get(c->in->node, S("resume"));
	struct fields entries, f;
	size_t n = 0;

	if (!fields_array(c->in, "resume", LIMIT_PAGE_ROWS, &entries)) {
		if (c->in->rc == OK && x->open_n > 0)
			c->in->rc = refuse_unanswered(c, x);
		return false;
	}
	if (x->open_n == 0) {
		read_breakpoint(c, x, list);
		return true;
	}
	buf_add_char(b, '{');
	while (fields_next(&entries, &f))
		read_entry(c, x, n++, &f, b);
	buf_add_char(b, '}');
	if (c->in->rc == OK && n != x->open_n)
		fields_fail(c->in, "resume", ERR_INVALID, "expected an entry for each of the %zu "
		    "questions that wait on the thread, got %zu", x->open_n, n);
	return true;
}
