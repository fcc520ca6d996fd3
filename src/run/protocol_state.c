/*
 * protocol_state.c - states and messages as the thread protocol shows them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/protocol_priv.h"

#include "base/json.h"
#include "state/message.h"

/* ---- blocks ---------------------------------------------------------------------- */

/* `key: v` unless there is no such value. */
static struct val
with(struct val object, const char *key, struct val v)
{
	return v.kind == VAL_UNDEFINED ? object :
	    val_set_take(object, str_of(key), val_ref(v));
}

static struct val
typed(const char *type)
{
	return val_set_take(val_object_empty(), S("type"), val_string(str_of(type)));
}

static struct val
block_of_text(const char *type, struct val text)
{
	return with(typed(type), type, text);
}

/* Names that providers have for what the protocol calls otherwise. */
static const struct { const char *from, *to; } renamed[] = {
	{ "mimeType", "mime_type" }, { "base64", "data" },
};

static const char *
name_of(struct str key)
{
	for (size_t i = 0; i < COUNT(renamed); i++)
		if (str_eq(key, str_of(renamed[i].from)))
			return renamed[i].to;
	return NULL;
}

/* Audio, image, video, file: {type, mime_type, data | url}. */
static struct val
media(struct val part)
{
	struct val block = val_object_empty();

	for (size_t i = 0; i < val_count(part); i++) {
		const char *name = name_of(val_key(part, i));

		block = val_set_take(block, name != NULL ? str_of(name) : val_key(part, i),
		    val_ref(val_member(part, i)));
	}
	return block;
}

/* {image_url: url | {url}} */
static struct val
image_url(struct val part)
{
	struct val from = val_get(part, S("image_url"));

	return with(typed("image"), "url", from.kind == VAL_OBJECT ?
	    val_get(from, S("url")) : from);
}

static struct val
input_audio(struct val part)
{
	struct val from = val_get(part, S("input_audio"));
	struct val format = val_get(from, S("format")), block = typed("audio");
	struct buf type = BUF(LIMIT_NAME_BYTES);

	if (format.kind == VAL_STRING) {
		buf_lit(&type, "audio/");
		buf_add(&type, val_str(format));
		block = val_set_take(block, S("mime_type"), val_string(buf_str(&type)));
	}
	buf_release(&type);
	return with(block, "data", val_get(from, S("data")));
}

static struct val
as_it_is(struct val part)
{
	return val_ref(part);
}

static struct val
non_standard(struct val part)
{
	return with(typed("non_standard"), "value", part);
}

/* By the part's type; the last row is of all others. */
static const struct {
	const char *type;
	struct val (*block)(struct val part);
} parts[] = {
	{ "text", as_it_is }, { "reasoning", as_it_is }, { "image", media },
	{ "audio", media }, { "video", media }, { "file", media },
	{ "image_url", image_url }, { "input_audio", input_audio },
	{ "tool_call", as_it_is }, { "invalid_tool_call", as_it_is },
	{ "server_tool_call", as_it_is }, { "server_tool_result", as_it_is },
	{ "non_standard", as_it_is }, { "", non_standard },
};

static struct val
block_of(struct val part)
{
	struct str type = protocol_text(val_get(part, S("type")));
	size_t i = 0;

	if (part.kind == VAL_STRING)
		return block_of_text("text", part);
	while (i < COUNT(parts) - 1 && !str_eq(type, str_of(parts[i].type)))
		i++;
	return parts[i].block(part);
}

static struct val
push_content(struct val blocks, struct val content)
{
	if (content.kind == VAL_STRING && val_str(content).n > 0)
		return val_push_take(blocks, block_of_text("text", content));
	for (size_t i = 0; content.kind == VAL_ARRAY && i < val_count(content); i++)
		blocks = val_push_take(blocks, block_of(val_at(content, i)));
	return blocks;
}

static bool
has_calls(struct val blocks)
{
	for (size_t i = 0; i < val_count(blocks); i++)
		if (str_eq(protocol_text(val_get(val_at(blocks, i), S("type"))), S("tool_call")))
			return true;
	return false;
}

static struct val
push_calls(struct val blocks, struct val calls, const char *type)
{
	for (size_t i = 0; i < val_count(calls); i++) {
		struct val call = val_at(calls, i), block = typed(type);

		block = with(block, "id", val_get(call, S("id")));
		block = with(block, "name", val_get(call, S("name")));
		block = with(block, "args", val_get(call, S("args")));
		blocks = val_push_take(blocks, with(block, "error",
		    val_get(call, S("error"))));
	}
	return blocks;
}

struct val
protocol_blocks(struct val message)
{
	struct val thought = val_get(val_get(message, S("additional_kwargs")),
	    S("reasoning_content"));
	struct val blocks = val_array_empty();

	if (thought.kind == VAL_STRING && val_str(thought).n > 0)
		blocks = val_push_take(blocks, block_of_text("reasoning", thought));
	blocks = push_content(blocks, val_get(message, S("content")));
	if (has_calls(blocks))
		return blocks;
	blocks = push_calls(blocks, val_get(message, S("tool_calls")), "tool_call");
	return push_calls(blocks, val_get(message, S("invalid_tool_calls")),
	    "invalid_tool_call");
}

/* ---- messages -------------------------------------------------------------------- */

static bool
is_empty(struct val v)
{
	return v.kind == VAL_UNDEFINED || v.kind == VAL_NULL ||
	    ((v.kind == VAL_ARRAY || v.kind == VAL_OBJECT) && val_count(v) == 0);
}

/* A model's messages name their provider; those of nodes and clients do not. */
static bool
is_of_model(struct val message)
{
	return message_type(message) == MSG_AI && val_get(val_get(message,
	    S("response_metadata")), S("model_provider")).kind == VAL_STRING;
}

static void
add_content(struct buf *b, struct val message, bool of_model)
{
	struct val content = val_get(message, S("content")), blocks;

	if (!of_model && content.kind != VAL_ARRAY) {
		val_add_json(b, content.kind == VAL_UNDEFINED ? VAL_NIL : content);
		return;
	}
	blocks = of_model ? protocol_blocks(message) : push_content(val_array_empty(),
	    content);
	val_add_json(b, blocks);
	val_drop(blocks);
}

static void
add_metadata(struct buf *b, struct val metadata)
{
	json_add_key(b, "response_metadata");
	buf_lit(b, "{\"output_version\":\"v1\"");
	for (size_t i = 0; i < val_count(metadata); i++) {
		buf_add_char(b, ',');
		json_add_str(b, val_key(metadata, i));
		buf_add_char(b, ':');
		val_add_json(b, val_member(metadata, i));
	}
	buf_add_char(b, '}');
}

static void
add_message(struct buf *b, struct val message)
{
	static const char *const rest[] = { "name", "response_metadata", "usage_metadata",
	    "tool_calls", "invalid_tool_calls", "tool_call_id", "status", "artifact" };
	bool of_model = is_of_model(message);

	json_add_fmt(b, "{'type':%s,'content':",
	    message_type_name(message_type(message)));
	add_content(b, message, of_model);
	json_add_fmt(b, ",'id':%.*s", FMT(message_id(message)));
	for (size_t i = 0; i < COUNT(rest); i++) {
		struct val v = val_get(message, str_of(rest[i]));

		if (is_empty(v))
			continue;
		if (of_model && i == 1) {
			add_metadata(b, v);
			continue;
		}
		json_add_key(b, rest[i]);
		val_add_json(b, v);
	}
	buf_add_char(b, '}');
}

/* ---- states ---------------------------------------------------------------------- */

/* Other lists of objects have members called `type` too. */
static bool
is_message(struct val v)
{
	enum message_type type = message_type(v);

	return type != MSG_NONE && type != MSG_REMOVE && message_id(v).n > 0 &&
	    val_has(v, S("content"));
}

void
protocol_add_value(struct buf *b, struct val v)
{
	if (v.kind != VAL_ARRAY || val_count(v) == 0) {
		val_add_json(b, v);
		return;
	}
	buf_add_char(b, '[');
	for (size_t i = 0; i < val_count(v); i++) {
		struct val one = val_at(v, i);

		if (i > 0)
			buf_add_char(b, ',');
		if (is_message(one))
			add_message(b, one);
		else
			val_add_json(b, one);
	}
	buf_add_char(b, ']');
}

void
protocol_add_state(struct buf *b, struct val state)
{
	if (state.kind != VAL_OBJECT) {
		protocol_add_value(b, state);
		return;
	}
	buf_add_char(b, '{');
	for (size_t i = 0; i < val_count(state); i++) {
		if (str_eq(val_key(state, i), S("__interrupt__")))
			continue;
		json_add_comma(b);
		json_add_str(b, val_key(state, i));
		buf_add_char(b, ':');
		protocol_add_value(b, val_member(state, i));
	}
	buf_add_char(b, '}');
}
