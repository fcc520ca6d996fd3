/*
 * mock_anthropic.c - an answer as Anthropic's messages API sends it: named
 * events, one content block for the text and one for each tool call.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/mock_priv.h"

static const char *
stop_reason(const struct answer *a)
{
	return a->turn.calls_n > 0 ? "tool_use" : "end_turn";
}

/* Index of the block of call i. */
static size_t
block_of(const struct answer *a, size_t i)
{
	return i + answer_has_text(a);
}

static void
block_stop(size_t index, struct buf *out)
{
	json_add_fmt(out, "event: content_block_stop\ndata: {'type':"
	    "'content_block_stop','index':%zu}\n\n", index);
}

static void
add_message_head(const struct answer *a, struct buf *out)
{
	json_add_fmt(out, "'id':'msg_mock%llu','type':'message','role':'assistant',"
	    "'model':%.*s", (unsigned long long)a->id, FMT(buf_str(&a->model)));
}

static void
anthropic_open(struct answer *a, struct buf *out)
{
	json_add_fmt(out, "event: message_start\ndata: {'type':'message_start','message':{");
	add_message_head(a, out);
	json_add_fmt(out, ",'content':[],'stop_reason':null,'stop_sequence':null,"
	    "'usage':{'input_tokens':%lld,'cache_creation_input_tokens':0,"
	    "'cache_read_input_tokens':0,'output_tokens':1}}}\n\n",
	    (long long)a->prompt_tokens);
	if (answer_has_text(a))
		json_add_fmt(out,
		    "event: content_block_start\ndata: {'type':'content_block_start',"
		    "'index':0,'content_block':{'type':'text','text':''}}\n\n");
	json_add_fmt(out, "event: ping\ndata: {'type':'ping'}\n\n");
}

#define DELTA "event: content_block_delta\ndata: {'type':'content_block_delta',"

static void
anthropic_text(struct answer *a, struct str token, struct buf *out)
{
	(void)a;
	json_add_fmt(out, DELTA "'index':0,'delta':{'type':'text_delta','text':%.*s}}\n\n",
	    FMT(token));
}

/* A call with its input, ready JSON. */
static void
add_call(const struct answer *a, size_t i, struct str input, struct buf *out)
{
	json_add_fmt(out, "{'type':'tool_use','id':'toolu_mock%llu_%zu','name':%.*s,"
	    "'input':%-.*s}", (unsigned long long)a->id, i, FMT(a->turn.calls[i].name),
	    FMT(input));
}

static void
anthropic_call(struct answer *a, size_t i, struct buf *out)
{
	size_t index = block_of(a, i);

	if (index > 0)
		block_stop(index - 1, out);
	json_add_fmt(out, "event: content_block_start\ndata: {'type':"
	    "'content_block_start','index':%zu,'content_block':", index);
	add_call(a, i, S("{}"), out);
	buf_lit(out, "}\n\n");
}

static void
anthropic_args(struct answer *a, size_t i, struct str part, struct buf *out)
{
	json_add_fmt(out, DELTA "'index':%zu,'delta':{'type':'input_json_delta',"
	    "'partial_json':%.*s}}\n\n", block_of(a, i), FMT(part));
}

static void
anthropic_close(struct answer *a, struct buf *out)
{
	size_t blocks = block_of(a, a->turn.calls_n);

	if (blocks > 0)
		block_stop(blocks - 1, out);
	json_add_fmt(out, "event: message_delta\ndata: {'type':'message_delta',"
	    "'delta':{'stop_reason':%s,'stop_sequence':null},"
	    "'usage':{'output_tokens':%lld}}\n\n", stop_reason(a), (long long)a->sent);
	if (!a->fault->no_end)
		json_add_fmt(out, "event: message_stop\ndata: {'type':'message_stop'}\n\n");
}

static void
anthropic_whole(struct answer *a, struct buf *out)
{
	a->sent = a->total;
	buf_add_char(out, '{');
	add_message_head(a, out);
	json_add_fmt(out, ",'content':[");
	if (answer_has_text(a))
		json_add_fmt(out, "{'type':'text','text':%.*s}", FMT(a->turn.reply));
	for (size_t i = 0; i < a->turn.calls_n; i++) {
		json_add_comma(out);
		add_call(a, i, a->turn.calls[i].args_json, out);
	}
	json_add_fmt(out, "],'stop_reason':%s,'stop_sequence':null,"
	    "'usage':{'input_tokens':%lld,'cache_creation_input_tokens':0,"
	    "'cache_read_input_tokens':0,'output_tokens':%lld}}", stop_reason(a),
	    (long long)a->prompt_tokens, (long long)a->sent);
}

static void
anthropic_error(const char *type, const char *message, struct buf *out)
{
	json_add_fmt(out, "{'type':'error','error':{'type':%s,'message':%s}}", type,
	    message);
}

static void
anthropic_error_frame(struct buf *out)
{
	buf_lit(out, "event: error\ndata: ");
	anthropic_error("overloaded_error", "mock error in stream", out);
	buf_lit(out, "\n\n");
}

static void
anthropic_broken_frame(struct buf *out)
{
	json_add_fmt(out, "event: content_block_delta\ndata: {'type':'content_blo\n\n");
}

const struct mock_wire mock_anthropic = {
	.open = anthropic_open, .text = anthropic_text, .call = anthropic_call,
	.args = anthropic_args, .close = anthropic_close, .whole = anthropic_whole,
	.error = anthropic_error, .error_frame = anthropic_error_frame,
	.broken_frame = anthropic_broken_frame,
};
