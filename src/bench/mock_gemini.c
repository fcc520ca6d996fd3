/*
 * mock_gemini.c - an answer as Gemini's generateContent sends it, and what that API
 * checks of a request: as many results as there were calls, and signatures of calls
 * that are unchanged.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "bench/mock_priv.h"

#define NOT_CHECKED "skip_thought_signature_validator"

/* ---- answers ------------------------------------------------------------------- */

static void
chunk_begin(const struct answer *a, struct buf *out)
{
	(void)a;
	json_add_fmt(out, "data: {'candidates':[{'content':{'parts':[");
}

static void
add_usage(const struct answer *a, struct buf *out)
{
	json_add_fmt(out, "'usageMetadata':{'promptTokenCount':%lld,"
	    "'candidatesTokenCount':%lld,'totalTokenCount':%lld,'thoughtsTokenCount':%d,"
	    "'cachedContentTokenCount':0}", (long long)a->prompt_tokens,
	    (long long)a->sent, (long long)(a->prompt_tokens + a->sent) + (a->thinks ? 4 : 0),
	    a->thinks ? 4 : 0);
}

static void
chunk_end(const struct answer *a, const char *finish, struct buf *out)
{
	buf_lit(out, "],\"role\":\"model\"}");
	if (finish != NULL)
		json_add_fmt(out, ",'finishReason':%s", finish);
	json_add_fmt(out, ",'index':0}],");
	add_usage(a, out);
	json_add_fmt(out, ",'modelVersion':%.*s,'responseId':'mock%llu'}",
	    FMT(buf_str(&a->model)), (unsigned long long)a->id);
}

static void
add_thought(struct buf *out)
{
	json_add_fmt(out, ",{'text':%s,'thought':true}", MOCK_THOUGHT);
}

static void
gemini_open(struct answer *a, struct buf *out)
{
	if (!a->thinks)
		return;
	chunk_begin(a, out);
	add_thought(out);
	chunk_end(a, NULL, out);
	buf_lit(out, "\n\n");
}

static void
gemini_text(struct answer *a, struct str token, struct buf *out)
{
	chunk_begin(a, out);
	json_add_fmt(out, "{'text':%.*s}", FMT(token));
	chunk_end(a, NULL, out);
	buf_lit(out, "\n\n");
}

/* The first of several calls is signed. */
static void
add_call(const struct answer *a, size_t i, struct buf *out)
{
	const struct script_call *c = &a->turn.calls[i];

	json_add_fmt(out, ",{'functionCall':{'id':'fc-mock%llu-%zu','name':%.*s,'args':",
	    (unsigned long long)a->id, i, FMT(c->name));
	if (json_check(c->args_json, NULL) == OK)
		buf_add(out, c->args_json);
	else
		buf_lit(out, "{\"cut");
	buf_add_char(out, '}');
	if (i == 0 && a->thinks) {
		json_add_fmt(out, ",'thoughtSignature':'");
		mock_sign(c->name, out);
		buf_add_char(out, '"');
	}
	buf_add_char(out, '}');
}

static void
gemini_call(struct answer *a, size_t i, struct buf *out)
{
	chunk_begin(a, out);
	add_call(a, i, out);
	chunk_end(a, NULL, out);
	buf_lit(out, "\n\n");
}

/* Calls come whole. */
static void
gemini_args(struct answer *a, size_t i, struct str part, struct buf *out)
{
	(void)a, (void)i, (void)part, (void)out;
}

static void
gemini_close(struct answer *a, struct buf *out)
{
	if (a->fault->no_end)
		return;
	chunk_begin(a, out);
	buf_lit(out, "{\"text\":\"\"}");
	chunk_end(a, "STOP", out);
	buf_lit(out, "\n\n");
}

static void
gemini_whole(struct answer *a, struct buf *out)
{
	a->sent = a->total;
	json_add_fmt(out, "{'candidates':[{'content':{'parts':[");
	if (a->thinks)
		add_thought(out);
	if (answer_has_text(a))
		json_add_fmt(out, ",{'text':%.*s}", FMT(a->turn.reply));
	for (size_t i = 0; i < a->turn.calls_n; i++)
		add_call(a, i, out);
	chunk_end(a, "STOP", out);
}

static void
gemini_error(const char *type, const char *message, struct buf *out)
{
	static const struct { const char *type, *status; int code; } rows[] = {
		{ "invalid_request_error", "INVALID_ARGUMENT", 400 },
		{ "authentication_error", "UNAUTHENTICATED", 401 },
		{ "rate_limit_error", "RESOURCE_EXHAUSTED", 429 },
		{ "server_error", "INTERNAL", 500 },
		{ "service_unavailable", "UNAVAILABLE", 503 },
		{ "overloaded_error", "UNAVAILABLE", 503 },
	};
	size_t i = 0;

	while (i + 1 < COUNT(rows) && strcmp(rows[i].type, type) != 0)
		i++;
	json_add_fmt(out, "{'error':{'code':%d,'message':%s,'status':%s", rows[i].code,
	    message, rows[i].status);
	if (rows[i].code == 429)
		json_add_fmt(out, ",'details':[{'@type':"
		    "'type.googleapis.com/google.rpc.RetryInfo','retryDelay':'1s'}]");
	buf_lit(out, "}}");
}

static void
gemini_error_frame(struct buf *out)
{
	buf_lit(out, "data: ");
	gemini_error("service_unavailable", "mock error in stream", out);
	buf_lit(out, "\n\n");
}

static void
gemini_broken_frame(struct buf *out)
{
	json_add_fmt(out, "data: {'candidates':[{'content':{'par\n\n");
}

/* ---- what the API checks -------------------------------------------------------- */

static size_t
count_parts(jnode content, struct str key)
{
	struct json_iter it = json_each(json_get(content, S("parts")));
	size_t n = 0;

	while (json_next(&it))
		n += json_get(it.value, key) != NULL;
	return n;
}

static const char *
check_signatures(jnode content)
{
	struct json_iter it = json_each(json_get(content, S("parts")));

	while (json_next(&it)) {
		struct str name = json_str(json_get(json_get(it.value, S("functionCall")),
		    S("name")));
		struct str seal = json_str(json_get(it.value, S("thoughtSignature")));

		if (name.n > 0 && seal.n > 0 && !str_eq(seal, S(NOT_CHECKED)) &&
		    !mock_is_signed(name, seal))
			return "Thought signature is not valid.";
	}
	return NULL;
}

static const char *
gemini_check(jnode root)
{
	struct json_iter it = json_each(json_get(root, S("contents")));
	size_t calls = 0;
	const char *wrong = NULL;

	while (wrong == NULL && json_next(&it)) {
		size_t results = count_parts(it.value, S("functionResponse"));

		if (results != calls)
			wrong = "Please ensure that the number of function response parts "
			    "is equal to the number of function call parts of the function "
			    "call turn.";
		else if (results > 0 && results != json_count(json_get(it.value, S("parts"))))
			wrong = "Function responses stand alone in their turn.";
		else
			wrong = check_signatures(it.value);
		calls = count_parts(it.value, S("functionCall"));
	}
	return wrong == NULL && calls > 0 ? "A call was not answered." : wrong;
}

const struct mock_wire mock_gemini = {
	.open = gemini_open, .text = gemini_text, .call = gemini_call,
	.args = gemini_args, .close = gemini_close, .whole = gemini_whole,
	.error = gemini_error, .error_frame = gemini_error_frame,
	.broken_frame = gemini_broken_frame, .check = gemini_check,
	.messages = { "contents", 8 }, .content = { "parts", 5 },
};
