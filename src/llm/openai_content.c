/*
 * openai_content.c - content of stored messages in the provider's form.
 *
 * A chat completion takes text, image_url, input_audio and file.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/json.h"
#include "base/limits.h"
#include "llm/wire_priv.h"

/* ---- as one text ---------------------------------------------------------- */

void
openai_add_flat(struct buf *b, jnode content, struct str joint)
{
	struct json_iter it = json_each(content);
	bool first = true;

	buf_add_char(b, '"');
	if (json_is_string(content))
		json_add_escaped(b, json_str(content));
	while (json_is_array(content) && json_next(&it)) {
		struct buf block = BUF(LIMIT_STATE_BYTES);

		if (media_is_private(it.value))
			continue;
		if (!first)
			json_add_escaped(b, joint);
		first = false;
		media_add_flat(&block, it.value);
		json_add_escaped(b, buf_str(&block));
		b->failed |= block.failed;
		buf_release(&block);
	}
	buf_add_char(b, '"');
}

bool
openai_flat_empty(jnode content)
{
	struct json_iter it = json_each(content);
	bool empty = !json_is_string(content) || json_str(content).n == 0;

	while (empty && json_is_array(content) && json_next(&it))
		empty = media_is_private(it.value) || (media_is_text(it.value) &&
		    text_of(it.value, S("text")).n == 0) ||
		    (json_is_string(it.value) && json_str(it.value).n == 0);
	return empty;
}

/* ---- as blocks ------------------------------------------------------------ */

static void
add_data_url(struct buf *b, const struct media *m, const char *mime)
{
	buf_lit(b, "\"data:");
	json_add_escaped(b, m->mime.n > 0 ? m->mime : str_of(mime));
	buf_lit(b, ";base64,");
	json_add_escaped(b, m->data);
	buf_add_char(b, '"');
}

static bool
add_image(struct buf *b, const struct media *m)
{
	if (m->url.n == 0 && m->data.n == 0)
		return false;
	json_add_fmt(b, "{'type':'image_url','image_url':{'url':");
	if (m->data.n > 0)
		add_data_url(b, m, "image/png");
	else
		json_add_str(b, m->url);
	buf_lit(b, "}}");
	return true;
}

static bool
add_audio(struct buf *b, const struct media *m)
{
	static const struct { struct str mime, format; } formats[] = {
		{ S("audio/mpeg"), S("mp3") }, { S("audio/mp3"), S("mp3") },
		{ S("audio/x-wav"), S("wav") }, { S("audio/wave"), S("wav") },
		{ S("audio/x-m4a"), S("m4a") }, { S("audio/mp4"), S("m4a") },
	};
	ptrdiff_t slash = str_index(m->mime, '/');
	struct str format = slash < 0 ? S("wav") :
	    str_sub(m->mime, (size_t)slash + 1, m->mime.n);

	if (m->data.n == 0)
		return false;
	for (size_t i = 0; i < COUNT(formats); i++)
		if (str_eq_nocase(m->mime, formats[i].mime))
			format = formats[i].format;
	json_add_fmt(b, "{'type':'input_audio','input_audio':{'data':%.*s,"
	    "'format':%.*s}}", FMT(m->data), FMT(format));
	return true;
}

static bool
add_file(struct buf *b, const struct media *m)
{
	if (m->data.n == 0 && m->file_id.n == 0)
		return false;
	json_add_fmt(b, "{'type':'file','file':{");
	if (m->data.n > 0) {
		json_add_fmt(b, "'filename':%.*s,'file_data':",
		    FMT(m->filename.n > 0 ? m->filename : S("file")));
		add_data_url(b, m, "application/octet-stream");
	} else {
		json_add_fmt(b, "'file_id':%.*s", FMT(m->file_id));
	}
	buf_lit(b, "}}");
	return true;
}

/* Its type says what it is. */
static bool
add_any(struct buf *b, const struct media *m)
{
	if (str_starts(m->mime, S("image/")))
		return add_image(b, m);
	if (str_starts(m->mime, S("audio/")))
		return add_audio(b, m);
	return add_file(b, m);
}

static void
add_text(struct buf *b, struct str text)
{
	json_add_fmt(b, "{'type':'text','text':%.*s}", FMT(text));
}

/* The provider's own form of a file or an image, as it is. */
static bool
is_native(jnode block)
{
	return json_is_object(json_get(block, S("file"))) ||
	    json_is_object(json_get(block, S("image_url")));
}

static void
add_block(struct buf *b, jnode block)
{
	static const struct {
		struct str type;
		bool (*add)(struct buf *b, const struct media *m);
	} kinds[] = {
		{ S("image"), add_image }, { S("audio"), add_audio },
		{ S("file"), add_any }, { S("document"), add_file },
		{ S("media"), add_any },
	};
	struct media m;

	if (json_is_string(block) || media_is_text(block)) {
		add_text(b, json_is_string(block) ? json_str(block) :
		    text_of(block, S("text")));
		return;
	}
	m = media_of(block);
	if (text_is(block, S("type"), S("image_url")) && json_is_string(json_get(block, S("image_url")))) {
		m.url = text_of(block, S("image_url"));
		add_image(b, &m);
		return;
	}
	for (size_t i = 0; i < COUNT(kinds) && !is_native(block); i++) {
		if (!text_is(block, S("type"), kinds[i].type))
			continue;
		if (kinds[i].add(b, &m))
			return;
		/* There is no form for it; its address is better than nothing. */
		if (m.url.n > 0) {
			add_text(b, m.url);
			return;
		}
	}
	json_add_node(b, block);
}

void
openai_add_blocks(struct buf *b, jnode content)
{
	struct json_iter it = json_each(content);
	bool first = true;

	if (!json_is_array(content) || json_count(content) == 0) {
		openai_add_flat(b, content, STR_NONE);
		return;
	}
	while (json_next(&it)) {
		buf_add_char(b, first ? '[' : ',');
		first = false;
		add_block(b, it.value);
	}
	buf_add_char(b, ']');
}
