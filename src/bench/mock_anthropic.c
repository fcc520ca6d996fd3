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
	return i + answer_has_text(a) + a->thinks;
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

#define DELTA "event: content_block_delta\ndata: {'type':'content_block_delta',"

/* A whole block, signed. */
static void
add_thinking(struct buf *out)
{
	json_add_fmt(out, "event: content_block_start\ndata: {'type':'content_block_start',"
	    "'index':0,'content_block':{'type':'thinking','thinking':'','signature':''}}\n\n"
	    DELTA "'index':0,'delta':{'type':'thinking_delta','thinking':%s}}\n\n"
	    DELTA "'index':0,'delta':{'type':'signature_delta','signature':'", MOCK_THOUGHT);
	mock_sign(S(MOCK_THOUGHT), out);
	buf_lit(out, "\"}}\n\n");
	block_stop(0, out);
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
	if (a->thinks)
		add_thinking(out);
	if (answer_has_text(a))
		json_add_fmt(out,
		    "event: content_block_start\ndata: {'type':'content_block_start',"
		    "'index':%d,'content_block':{'type':'text','text':''}}\n\n", a->thinks);
	json_add_fmt(out, "event: ping\ndata: {'type':'ping'}\n\n");
}

static void
anthropic_text(struct answer *a, struct str token, struct buf *out)
{
	json_add_fmt(out, DELTA "'index':%d,'delta':{'type':'text_delta','text':%.*s}}\n\n",
	    a->thinks, FMT(token));
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

	if (i > 0 || answer_has_text(a))
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

	if (blocks > (size_t)a->thinks)
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
	if (a->thinks) {
		json_add_fmt(out, "{'type':'thinking','thinking':%s,'signature':'", MOCK_THOUGHT);
		mock_sign(S(MOCK_THOUGHT), out);
		buf_lit(out, "\"}");
	}
	if (answer_has_text(a))
		json_add_fmt(out, ",{'type':'text','text':%.*s}", FMT(a->turn.reply));
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

/* ---- what the API checks -------------------------------------------------------- */

void
mock_sign(struct str text, struct buf *out)
{
	uint64_t h = UINT64_C(14695981039346656037);     /* FNV-1a: alike in every process */

	for (size_t i = 0; i < text.n; i++)
		h = (h ^ (unsigned char)text.p[i]) * UINT64_C(1099511628211);
	buf_add_fmt(out, "mock-%016llx", (unsigned long long)h);
}

bool
mock_is_signed(struct str text, struct str seal)
{
	struct buf want = BUF(64);
	bool yes;

	mock_sign(text, &want);
	yes = str_eq(buf_str(&want), seal);
	buf_release(&want);
	return yes;
}

static bool
type_is(jnode block, const char *type)
{
	return str_eq(json_str(json_get(block, S("type"))), str_of(type));
}

static const char *
check_block(jnode block)
{
	if (type_is(block, "thinking") && !mock_is_signed(json_str(json_get(block,
	    S("thinking"))), json_str(json_get(block, S("signature")))))
		return "Invalid `signature` in `thinking` block";
	if (type_is(block, "text") && str_trim(json_str(json_get(block, S("text")))).n == 0)
		return "text content blocks must contain non-whitespace text";
	return NULL;
}

/* Blocks of this type, or all. */
static size_t
blocks_of(jnode message, const char *type)
{
	struct json_iter it = json_each(json_get(message, S("content")));
	size_t n = 0;

	while (json_next(&it))
		n += type_is(it.value, type);
	return n;
}

static const char *
check_message(jnode message, jnode before)
{
	jnode content = json_get(message, S("content"));
	struct json_iter it = json_each(content);
	const char *wrong = NULL;
	size_t calls = before != NULL ? blocks_of(before, "tool_use") : 0;

	while (json_is_array(content) && wrong == NULL && json_next(&it))
		wrong = check_block(it.value);
	for (size_t i = 0; wrong == NULL && i < calls; i++)
		if (!type_is(json_at(content, i), "tool_result"))
			wrong = "`tool_use` ids were found without `tool_result` blocks "
			    "immediately after";
	if (wrong == NULL && blocks_of(message, "tool_result") != calls)
		wrong = "unexpected `tool_use_id` found in `tool_result` blocks";
	if (wrong == NULL && str_eq(json_str(json_get(message, S("role"))),
	    before == NULL ? S("assistant") : json_str(json_get(before, S("role")))))
		wrong = "messages: roles must alternate, and begin with the user's";
	return wrong;
}

/* Thinking goes through a loop of tools from its start, or not at all. */
static const char *
check_thinking(jnode root, jnode last)
{
	bool thinks = json_is_object(json_get(root, S("thinking")));

	if (thinks && last != NULL && blocks_of(last, "tool_use") > 0 &&
	    !type_is(json_at(json_get(last, S("content")), 0), "thinking"))
		return "Expected `thinking` or `redacted_thinking`, but found `tool_use`";
	if (thinks && json_get(root, S("temperature")) != NULL)
		return "`temperature` may only be set to 1 when thinking is enabled";
	return NULL;
}

static const char *
anthropic_check(jnode root)
{
	struct json_iter it = json_each(json_get(root, S("messages")));
	const char *wrong = NULL;
	jnode before = NULL, said = NULL;

	if (!json_is_int(json_get(root, S("max_tokens"))))
		return "max_tokens: Field required";
	for (; wrong == NULL && json_next(&it); before = it.value) {
		wrong = check_message(it.value, before);
		if (str_eq(json_str(json_get(it.value, S("role"))), S("assistant")))
			said = it.value;
	}
	if (wrong == NULL && blocks_of(before, "tool_use") > 0)
		wrong = "`tool_use` ids were found without `tool_result` blocks";
	return wrong == NULL && blocks_of(before, "tool_result") > 0 ?
	    check_thinking(root, said) : wrong;
}

const struct mock_wire mock_anthropic = {
	.open = anthropic_open, .text = anthropic_text, .call = anthropic_call,
	.args = anthropic_args, .close = anthropic_close, .whole = anthropic_whole,
	.error = anthropic_error, .error_frame = anthropic_error_frame,
	.broken_frame = anthropic_broken_frame, .check = anthropic_check,
	.messages = { "messages", 8 }, .content = { "content", 7 },
};
