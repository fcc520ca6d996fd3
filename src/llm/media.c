/*
 * media.c - blocks of content, whichever client wrote them.
 *
 * LangChain's clients write one image in nine ways: blocks with source_type, v1's
 * url, base64 and fileId, Anthropic's source, image_url as a text or an object
 * with an address or a data: URL.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/limits.h"
#include "llm/wire_priv.h"

/* The first of these members that is a text with something in it. */
static struct str
any_of(jnode object, const char *const *keys)
{
	struct str found = STR_NONE;

	for (; *keys != NULL && found.n == 0; keys++)
		found = text_of(object, str_of(*keys));
	return found;
}

bool
media_is_private(jnode block)
{
	static const char *const types[] = {
		"reasoning", "thinking", "redacted_thinking", "tool_call",
		"tool_call_chunk", "tool_use", "invalid_tool_call", "function_call",
		"input_json_delta", NULL
	};

	for (size_t i = 0; types[i] != NULL; i++)
		if (text_is(block, S("type"), str_of(types[i])))
			return true;
	return false;
}

bool
media_is_text(jnode block)
{
	return json_is_string(json_get(block, S("text"))) &&
	    (text_is(block, S("type"), S("text")) || text_is(block, S("type"), S("text-plain")) ||
	    text_is(block, S("type"), S("input_text")) || text_is(block, S("type"), S("output_text")) ||
	    str_eq(text_of(block, S("source_type")), S("text")));
}

struct media
media_of(jnode block)
{
	static const char *const urls[] = { "url", NULL };
	static const char *const datas[] = { "data", "base64", NULL };
	static const char *const mimes[] = { "mime_type", "mimeType", "media_type", NULL };
	static const char *const ids[] = { "file_id", "fileId", NULL };
	static const char *const names[] = { "filename", "name", "title", NULL };
	jnode source = json_get(block, S("source"));
	jnode extras[] = { json_get(block, S("metadata")), json_get(block, S("extras")) };
	jnode from = json_is_object(source) ? source : block;
	struct media m = { any_of(from, urls), any_of(from, datas), any_of(from, mimes),
	    any_of(from, ids), any_of(block, names) };

	if (m.file_id.n == 0 && str_eq(text_of(block, S("source_type")), S("id")))
		m.file_id = text_of(block, S("id"));
	for (size_t i = 0; i < COUNT(extras) && m.filename.n == 0; i++)
		m.filename = any_of(extras[i], names);
	return m;
}

/* data:image/png;base64,... taken apart. */
static bool
of_data_url(struct str url, struct media *m)
{
	ptrdiff_t comma = str_index(url, ',');
	struct str head;

	if (!str_starts(url, S("data:")) || comma < 0)
		return false;
	head = str_sub(url, 5, (size_t)comma - 5);
	m->data = str_sub(url, (size_t)comma + 1, url.n);
	m->mime = str_sub(head, 0, str_index(head, ';') < 0 ? head.n :
	    (size_t)str_index(head, ';'));
	m->url = STR_NONE;
	return true;
}

struct media
media_plain(jnode block)
{
	jnode image = json_get(block, S("image_url")), file = json_get(block, S("file"));
	struct media m = media_of(json_is_object(file) ? file : block);
	struct str url = json_is_object(image) ? text_of(image, S("url")) : json_str(image);

	if (url.n > 0)
		m.url = url;
	if (m.url.n == 0)
		m.url = text_of(file, S("file_data"));
	of_data_url(m.url, &m);
	if (m.mime.n == 0 && (text_is(block, S("type"), S("image")) ||
	    text_is(block, S("type"), S("image_url"))))
		m.mime = S("image/png");
	return m;
}

void
media_add_flat(struct buf *plain, jnode block)
{
	if (json_is_string(block))
		buf_add(plain, json_str(block));
	else if (media_is_text(block))
		buf_add(plain, text_of(block, S("text")));
	else
		json_add_node(plain, block);
}
