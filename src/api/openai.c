/*
 * openai.c - what chat completions and responses share, and GET /v1/models.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/openai.h"

#include <stdio.h>

#include "agent/agent.h"
#include "base/scan.h"

/* ---- errors ------------------------------------------------------------------------ */

/* OpenAI's words for a status. */
static const struct { int status; const char *type, *code; } kinds[] = {
	{ 401, "invalid_request_error", "invalid_api_key" },
	{ 403, "permission_error", "permission_denied" },
	{ 404, "invalid_request_error", "not_found" },
	{ 409, "conflict_error", "conflict" },
	{ 413, "invalid_request_error", "too_large" },
	{ 429, "rate_limit_error", "rate_limit_exceeded" },
	{ 503, "server_error", "unavailable" },
};

/* "messages[0].role" of "messages[0].role: expected ..."; empty: it names no field. */
static struct str
param_of(struct str message)
{
	size_t n = 0;

	while (n < message.n && message.p[n] != ':' && message.p[n] != ' ')
		n++;
	return n > 0 && n + 1 < message.n && message.p[n] == ':' &&
	    message.p[n + 1] == ' ' ? str_sub(message, 0, n) : STR_NONE;
}

void
openai_add_error(struct buf *b, int status, struct str message)
{
	const char *type = status >= 500 ? "server_error" : "invalid_request_error";
	const char *code = NULL;
	struct str param = param_of(message);

	for (size_t i = 0; i < COUNT(kinds); i++) {
		if (kinds[i].status != status)
			continue;
		type = kinds[i].type;
		code = kinds[i].code;
	}
	if (status == 404 && str_eq(param, S("model")))
		code = "model_not_found";
	json_add_fmt(b, "{'error':{'message':%.*s,'type':%s", FMT(message), type);
	show_text(b, "param", param);
	show_text(b, "code", str_of(code));
	buf_lit(b, "}}");
}

bool
openai_failed(const struct run_end *end, struct arena *a, struct door_failure *out)
{
	if (end->error_json.n > 0) {
		*out = door_failure(a, end->error_json);
		return true;
	}
	*out = (struct door_failure){ S("cancelled"), S("the run was cancelled") };
	return end->status == RUN_INTERRUPTED && end->interrupts_json.n == 0;
}

void
openai_add_failure(struct buf *b, const struct door_failure *f)
{
	json_add_fmt(b, "{'message':%.*s,'type':'server_error','param':null,'code':%.*s}",
	    FMT(f->message), FMT(f->name));
}

void
openai_reply_failure(struct call *c, const struct door_failure *f, struct str lines)
{
	struct buf *b = call_out(c);

	buf_lit(b, "{\"error\":");
	openai_add_failure(b, f);
	buf_add_char(b, '}');
	lines = arena_fmt(&c->r->arena, "%.*sx-should-retry: false\r\n", FMT(lines));
	call_reply(c, 500, S("application/json"), lines, buf_str(b));
}

const char *
openai_finish(struct str raw)
{
	static const struct { const char *word, *finish; } words[] = {
		{ "length", "length" }, { "max_tokens", "length" },
		{ "MAX_TOKENS", "length" }, { "content_filter", "content_filter" },
		{ "refusal", "content_filter" }, { "SAFETY", "content_filter" },
	};

	for (size_t i = 0; i < COUNT(words); i++)
		if (str_eq(raw, str_of(words[i].word)))
			return words[i].finish;
	return "stop";
}

struct str
openai_lines(struct call *c, const struct uuid *thread_id, const struct uuid *run_id)
{
	struct str lines = call_location(c, thread_id, run_id, NULL);
	char id[UUID_TEXT];

	uuid_format(run_id, id);
	return arena_fmt(&c->r->arena, "%.*sx-request-id: %.*s\r\n", FMT(lines), UUID_TEXT,
	    id);
}

/* ---- messages ------------------------------------------------------------------------ */

static const char *const roles[] = { "system", "developer", "user", "assistant", "tool",
	"function", NULL };
static const char *const parts[] = { "text", "image_url", "input_audio", "file", "refusal",
	NULL };

static void
check_part(struct call *c, const char *path, jnode part)
{
	char place[120];

	if (!json_is_object(part)) {
		fields_fail(c->in, path, ERR_INVALID, "expected an object, got %s",
		    json_kind(part));
		return;
	}
	snprintf(place, sizeof place, "%s.type", path);
	if (!json_is_string(json_get(part, S("type"))))
		fields_fail(c->in, place, ERR_INVALID, "expected a string, got %s",
		    json_kind(json_get(part, S("type"))));
	else
		(void)words_index(c, place, parts, json_str(json_get(part, S("type"))));
}

static void
check_message(struct call *c, const char *path, jnode m)
{
	jnode role = json_get(m, S("role")), content = json_get(m, S("content"));
	struct json_iter it = json_each(content);
	char place[100];

	if (!json_is_object(m)) {
		fields_fail(c->in, path, ERR_INVALID, "expected an object, got %s",
		    json_kind(m));
		return;
	}
	snprintf(place, sizeof place, "%s.role", path);
	if (!json_is_string(role))
		fields_fail(c->in, place, ERR_INVALID, "expected a string, got %s",
		    role == NULL ? "nothing" : json_kind(role));
	else
		(void)words_index(c, place, roles, json_str(role));
	if (!json_is_null(json_get(m, S("audio"))))
		fields_fail(c->in, path, ERR_INVALID, "audio of an answer is not kept here");
	for (size_t i = 0; json_is_array(content) && c->in->rc == OK && json_next(&it); i++) {
		snprintf(place, sizeof place, "%s.content[%zu]", path, i);
		check_part(c, place, it.value);
	}
}

void
openai_check_messages(struct call *c, const char *path, jnode list)
{
	struct json_iter it = json_each(list);
	char place[80];

	if (!json_is_array(list) || json_count(list) == 0)
		fields_fail(c->in, path, ERR_INVALID, "expected an array of messages, got %s",
		    list == NULL ? "nothing" : json_is_array(list) ? "an empty one" :
		    json_kind(list));
	for (size_t i = 0; c->in->rc == OK && json_next(&it); i++) {
		snprintf(place, sizeof place, "%s[%zu]", path, i);
		check_message(c, place, it.value);
	}
}

bool
openai_is_role(jnode message, struct str role)
{
	return str_eq(json_str(json_get(message, S("role"))), role);
}

void
openai_add_text(struct buf *b, jnode message)
{
	jnode content = json_get(message, S("content"));
	struct json_iter it = json_each(content);

	if (json_is_string(content))
		buf_add(b, json_str(content));
	while (json_is_array(content) && json_next(&it))
		if (json_is_string(json_get(it.value, S("text"))))
			buf_add(b, json_str(json_get(it.value, S("text"))));
}

/* ---- what the client says -------------------------------------------------------------- */

/* An answer is JSON if it reads as an object or an array, as the review of a tool call
 * needs; else it is the text. */
static int
say_answer(struct call *c, jnode message, struct openai_said *out)
{
	struct buf text = BUF(LIMIT_HTTP_BODY_BYTES), b = BUF(2 * (size_t)LIMIT_HTTP_BODY_BYTES);
	struct json_doc d = { 0 };
	int rc = OK;

	if (!openai_is_role(message, S("user")))
		rc = err_set(&c->err, ERR_INVALID, "messages: the thread waits for an answer; "
		    "the last message must be a user's");
	openai_add_text(&text, message);
	if (json_parse(&d, buf_str(&text), NULL) == OK &&
	    (json_is_object(d.root) || json_is_array(d.root)))
		json_add_fmt(&b, "{'resume':%p}", (void *)d.root);
	else
		json_add_fmt(&b, "{'resume':%.*s}", FMT(buf_str(&text)));
	json_release(&d);
	if (rc == OK)
		rc = json_parse(&out->command, buf_str(&b), &c->err);
	buf_release(&text);
	buf_release(&b);
	return rc;
}

int
openai_say(struct call *c, const struct uuid *thread, bool fresh, struct str messages,
    struct openai_said *out)
{
	struct buf b = BUF(2 * (size_t)LIMIT_HTTP_BODY_BYTES);
	size_t waits = 0, n;
	jnode list;
	int rc = OK;

	*out = (struct openai_said){ 0 };
	buf_lit(&b, "{\"messages\":");
	buf_add(&b, messages);
	buf_add_char(&b, '}');
	if (!uuid_is_zero(thread) && !fresh)
		rc = door_waits(c, thread, &waits);
	if (rc == OK && b.failed)
		rc = err_set(&c->err, ERR_TOOBIG, "messages: too large");
	if (rc == OK)
		rc = json_parse(&out->input, buf_str(&b), &c->err);
	buf_release(&b);
	list = json_get(out->input.root, S("messages"));
	n = json_count(list);
	if (rc == OK && waits > 1)
		rc = err_set(&c->err, ERR_CONFLICT, "%zu questions wait on the thread; answer "
		    "each by its id, with POST /threads/{thread_id}/runs", waits);
	if (rc == OK && waits == 1)
		rc = say_answer(c, json_at(list, n - 1), out);
	if (out->command.root != NULL)
		json_release(&out->input);
	return rc;
}

void
openai_said_release(struct openai_said *s)
{
	json_release(&s->input);
	json_release(&s->command);
}

/* ---- models --------------------------------------------------------------------------- */

/* A graph's own assistant goes by the graph's id. */
static void
add_model(struct buf *b, const struct store_assistant *a)
{
	struct uuid own = runs_assistant_id(a->graph_id);

	buf_add_char(b, '{');
	if (uuid_eq(&own, &a->id))
		json_add_fmt(b, "'id':%.*s", FMT(a->graph_id));
	else
		show_id(b, "id", &a->id);
	json_add_fmt(b, ",'object':'model','created':%lld,'owned_by':'cohort','name':%.*s}",
	    (long long)(a->created / 1000), FMT(a->name));
}

static int
models_found(struct call *c)
{
	const struct store_assistant_search *op = &c->op.assistant_search;
	struct buf *b;

	if (!call_has_room(c))
		return OK;
	b = call_out(c);
	json_add_fmt(b, "{'object':'list','data':[");
	for (size_t i = 0; i < op->found_n; i++) {
		json_add_comma(b);
		add_model(b, &op->found[i]);
	}
	buf_lit(b, "]}");
	return call_json(c, STR_NONE);
}

int
api_openai_models(struct call *c)
{
	return door_list(c, models_found);
}

void
openai_read_model(struct call *c, struct str *model)
{
	fields_need_str(c->in, "model", LIMIT_NAME_BYTES,
	    "an assistant's id, its graph's id or its name", model);
}

int
api_openai_model(struct call *c)
{
	struct store_assistant a;
	int rc = door_find(c, "model", c->param[0], api_openai_model, &a);

	if (rc < 0)
		return rc == ERR_AGAIN ? OK : rc;
	add_model(call_out(c), &a);
	return call_json(c, STR_NONE);
}
