/*
 * mcp_result.c - what a tool of an MCP server gives, as text for a model: texts as
 * they are, of other content what it is.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tools/mcp_priv.h"

static void
add_resource(struct buf *b, jnode r)
{
	struct str text = json_str(json_get(r, S("text")));

	if (json_is_string(json_get(r, S("text"))))
		buf_add(b, text);
	else
		buf_add_fmt(b, "[%.*s, %.*s, %zu bytes of base64]",
		    FMT(json_str(json_get(r, S("uri")))),
		    FMT(json_str(json_get(r, S("mimeType")))),
		    json_str(json_get(r, S("blob"))).n);
}

static void
add_content(struct buf *b, jnode c)
{
	struct str type = json_str(json_get(c, S("type")));

	if (str_eq(type, S("text")))
		buf_add(b, json_str(json_get(c, S("text"))));
	else if (str_eq(type, S("resource")))
		add_resource(b, json_get(c, S("resource")));
	else if (str_eq(type, S("resource_link")))
		buf_add_fmt(b, "%.*s: %.*s", FMT(json_str(json_get(c, S("name")))),
		    FMT(json_str(json_get(c, S("uri")))));
	else
		buf_add_fmt(b, "[%.*s, %.*s, %zu bytes of base64]", FMT(type),
		    FMT(json_str(json_get(c, S("mimeType")))),
		    json_str(json_get(c, S("data"))).n);
}

void
mcp_result_add(struct buf *b, jnode result, bool *failed)
{
	jnode error = json_get(result, S("isError")), structured;
	struct json_iter it = json_each(json_get(result, S("content")));
	size_t n = 0;

	*failed = json_is_bool(error) && json_bool(error);
	while (json_next(&it)) {
		if (n++ > 0)
			buf_add_char(b, '\n');
		add_content(b, it.value);
	}
	structured = json_get(result, S("structuredContent"));
	if (n == 0 && structured != NULL)
		json_add_node(b, structured);
	if (b->n > LIMIT_TOOL_RESULT_BYTES) {
		struct str kept = str_cut(buf_str(b), LIMIT_TOOL_RESULT_BYTES);

		buf_cut(b, kept.n);
		buf_lit(b, "\n[cut here: the result is longer]");
	}
}
