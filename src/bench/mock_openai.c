/*
 * mock_openai.c - an answer as OpenAI's chat completions send it, key for key
 * as recorded: a chunk with the role, one a token, the finish reason, the
 * usage when it was asked for, [DONE].
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/mock_priv.h"

static struct str
finish_reason(const struct answer *a)
{
	return a->turn.calls_n > 0 ? S("tool_calls") : S("stop");
}

static void
add_usage(const struct answer *a, struct buf *out)
{
	json_add_fmt(out, "'usage':{'prompt_tokens':%lld,'completion_tokens':%lld,"
	    "'total_tokens':%lld,'prompt_tokens_details':{'cached_tokens':0},"
	    "'completion_tokens_details':{'reasoning_tokens':0}}",
	    (long long)a->prompt_tokens, (long long)a->sent,
	    (long long)(a->prompt_tokens + a->sent));
}

static void
add_head(const struct answer *a, const char *object, struct buf *out)
{
	json_add_fmt(out, "'id':'chatcmpl-mock%llu','created':%lld,'model':%.*s,"
	    "'system_fingerprint':'fp_mock','object':%s", (unsigned long long)a->id,
	    (long long)(shard_wall(a->ms->shard) / 1000), FMT(buf_str(&a->model)),
	    object);
}

static void
chunk_begin(struct answer *a, struct buf *out)
{
	if (a->prefix.n == 0) {
		buf_lit(&a->prefix, "data: {");
		add_head(a, "chat.completion.chunk", &a->prefix);
		buf_lit(&a->prefix, ",\"choices\":[");
	}
	buf_add(out, buf_str(&a->prefix));
}

#define DELTA "{'index':0,'delta':"
#define DELTA_END ",'logprobs':null,'finish_reason':null}]}\n\n"

static void
openai_open(struct answer *a, struct buf *out)
{
	chunk_begin(a, out);
	json_add_fmt(out, DELTA "{'role':'assistant','content':%-s}" DELTA_END,
	    answer_has_text(a) ? "\"\"" : "null");
}

static void
openai_text(struct answer *a, struct str token, struct buf *out)
{
	chunk_begin(a, out);
	json_add_fmt(out, DELTA "{'content':%.*s}" DELTA_END, FMT(token));
}

/* A call with its first, or all, arguments. */
static void
add_call(const struct answer *a, size_t i, struct str args, struct buf *out)
{
	json_add_fmt(out, "'id':'call_mock%llu_%zu','type':'function',"
	    "'function':{'name':%.*s,'arguments':%.*s}}", (unsigned long long)a->id, i,
	    FMT(a->turn.calls[i].name), FMT(args));
}

static void
openai_call(struct answer *a, size_t i, struct buf *out)
{
	chunk_begin(a, out);
	json_add_fmt(out, DELTA "{'tool_calls':[{'index':%zu,", i);
	add_call(a, i, S(""), out);
	json_add_fmt(out, "]}" DELTA_END);
}

static void
openai_args(struct answer *a, size_t i, struct str part, struct buf *out)
{
	chunk_begin(a, out);
	json_add_fmt(out, DELTA "{'tool_calls':[{'index':%zu,'function':"
	    "{'arguments':%.*s}}]}" DELTA_END, i, FMT(part));
}

static void
openai_close(struct answer *a, struct buf *out)
{
	chunk_begin(a, out);
	json_add_fmt(out, DELTA "{},'logprobs':null,'finish_reason':%.*s}]}\n\n",
	    FMT(finish_reason(a)));
	if (a->usage) {
		chunk_begin(a, out);
		buf_lit(out, "],");
		add_usage(a, out);
		buf_lit(out, "}\n\n");
	}
	if (!a->fault->no_end)
		buf_lit(out, "data: [DONE]\n\n");
}

static void
openai_whole(struct answer *a, struct buf *out)
{
	a->sent = a->total;
	buf_add_char(out, '{');
	add_head(a, "chat.completion", out);
	json_add_fmt(out, ",'choices':[{'index':0,'message':{'role':'assistant',"
	    "'content':");
	if (answer_has_text(a))
		json_add_str(out, a->turn.reply);
	else
		buf_lit(out, "null");
	if (a->turn.calls_n > 0)
		json_add_fmt(out, ",'tool_calls':[");
	for (size_t i = 0; i < a->turn.calls_n; i++) {
		json_add_fmt(out, ",{");
		add_call(a, i, a->turn.calls[i].args_json, out);
	}
	json_add_fmt(out, "%-s},'finish_reason':%.*s,'logprobs':null}],",
	    a->turn.calls_n > 0 ? "]" : "", FMT(finish_reason(a)));
	add_usage(a, out);
	buf_add_char(out, '}');
}

static void
openai_error(const char *type, const char *message, struct buf *out)
{
	json_add_fmt(out, "{'error':{'message':%s,'type':%s,'param':null,'code':%s}}",
	    message, type, type);
}

static void
openai_error_frame(struct buf *out)
{
	buf_lit(out, "data: ");
	openai_error("server_error", "mock error in stream", out);
	buf_lit(out, "\n\n");
}

static void
openai_broken_frame(struct buf *out)
{
	json_add_fmt(out, "data: {'id':'chatcmpl-mock','choices':[{'index':0,'del\n\n");
}

const struct mock_wire mock_openai = {
	.open = openai_open, .text = openai_text, .call = openai_call,
	.args = openai_args, .close = openai_close, .whole = openai_whole,
	.error = openai_error, .error_frame = openai_error_frame,
	.broken_frame = openai_broken_frame,
	.messages = { "messages", 8 }, .content = { "content", 7 },
};
