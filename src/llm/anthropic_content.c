/*
 * anthropic_content.c - content of stored messages in the form of Anthropic's API:
 * text, image, document, thinking.  What is in that form already stays as it is.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/limits.h"
#include "llm/anthropic_priv.h"

/* ---- what the caller marked for the cache ----------------------------------- */

size_t
anthropic_marks(jnode content)
{
	struct json_iter it = json_each(content);
	size_t n = 0;

	while (json_is_array(content) && json_next(&it))
		n += json_is_object(json_get(it.value, S("cache_control")));
	return n;
}

static void
add_own_mark(struct anthropic_blocks *w, jnode mark)
{
	size_t from = w->b->n;

	if (!json_is_object(mark))
		return;
	if (w->marks_skip > 0) {
		w->marks_skip--;
		return;
	}
	json_add_key(w->b, "cache_control");
	json_add_node(w->b, mark);
	body_part(w->body, QUIRK_EXTRA, from, "");
}

void
anthropic_add_mark(struct body *body)
{
	size_t from = body->text.n;

	buf_lit(&body->text, ",\"cache_control\":{\"type\":\"ephemeral\"}");
	body_part(body, QUIRK_EXTRA, from, "");
}

/* ---- blocks ------------------------------------------------------------------ */

static bool
is_blank(struct str s)
{
	return str_trim(s).n == 0;
}

static bool
type_is(jnode block, const char *type)
{
	return text_is(block, S("type"), str_of(type));
}

bool
anthropic_says(jnode block)
{
	if (json_is_string(block))
		return !is_blank(json_str(block));
	if (media_is_text(block))
		return !is_blank(text_of(block, S("text")));
	return json_is_object(block) && !media_is_private(block);
}

void
anthropic_add_text(struct anthropic_blocks *w, struct str text, jnode citations, jnode mark)
{
	json_add_fmt(w->b, ",{'type':'text','text':%.*s", FMT(text));
	if (json_is_array(citations))
		json_add_fmt(w->b, ",'citations':%p", (void *)citations);
	add_own_mark(w, mark);
	buf_add_char(w->b, '}');
}

/* {"type":"image","source":{...}}; false: there is nothing to send it by. */
static bool
add_source(struct anthropic_blocks *w, const char *type, const struct media *m)
{
	json_add_fmt(w->b, ",{'type':%s,'source':", type);
	if (m->data.n > 0)
		json_add_fmt(w->b, "{'type':'base64','media_type':%.*s,'data':%.*s}",
		    FMT(m->mime.n > 0 ? m->mime : S("application/pdf")), FMT(m->data));
	else if (m->url.n > 0)
		json_add_fmt(w->b, "{'type':'url','url':%.*s}", FMT(m->url));
	else if (m->file_id.n > 0)
		json_add_fmt(w->b, "{'type':'file','file_id':%.*s}", FMT(m->file_id));
	else
		return false;
	if (m->filename.n > 0 && type[0] == 'd')
		json_add_fmt(w->b, ",'title':%.*s", FMT(m->filename));
	return true;
}

/* A block in the API's own form. */
static bool
is_native(jnode block)
{
	jnode source = json_get(block, S("source"));

	return json_is_object(source) && json_is_string(json_get(source, S("type")));
}

/* As it is, but for a mark too many. */
static void
add_native(struct anthropic_blocks *w, jnode block)
{
	struct json_iter it = json_each(block);

	json_add_fmt(w->b, ",{");
	while (json_next(&it)) {
		if (str_eq(json_str(it.key), S("cache_control"))) {
			add_own_mark(w, it.value);
			continue;
		}
		json_add_fmt(w->b, ",%.*s:%p", FMT(json_str(it.key)), (void *)it.value);
	}
	buf_add_char(w->b, '}');
}

void
anthropic_add_block(struct anthropic_blocks *w, jnode block)
{
	jnode mark = json_get(block, S("cache_control"));
	struct media m;
	bool image;
	size_t from = w->b->n;

	if (json_is_string(block) || media_is_text(block)) {
		anthropic_add_text(w, json_is_string(block) ? json_str(block) :
		    text_of(block, S("text")), NULL, mark);
		return;
	}
	m = media_plain(block);
	image = str_starts(m.mime, S("image/")) || type_is(block, "image") ||
	    type_is(block, "image_url");
	if (!is_native(block) && (image || type_is(block, "file") ||
	    type_is(block, "document") || type_is(block, "media")) &&
	    add_source(w, image ? "image" : "document", &m)) {
		add_own_mark(w, mark);
		buf_add_char(w->b, '}');
		return;
	}
	buf_cut(w->b, from);
	add_native(w, block);
}

/* ---- what the model has said -------------------------------------------------- */

/* Thoughts without a signature, or of another provider, are refused. */
static bool
is_thought(jnode block)
{
	return (type_is(block, "thinking") && text_of(block, S("signature")).n > 0) ||
	    (type_is(block, "redacted_thinking") && text_of(block, S("data")).n > 0);
}

bool
anthropic_is_answer(jnode block)
{
	return is_thought(block) || ((json_is_string(block) || media_is_text(block)) &&
	    anthropic_says(block));
}

static struct str
without_end(struct str s)
{
	while (s.n > 0 && str_index(S(" \t\r\n"), s.p[s.n - 1]) >= 0)
		s.n--;
	return s;
}

void
anthropic_add_answer(struct anthropic_blocks *w, jnode block, bool trim)
{
	struct str text = json_is_string(block) ? json_str(block) :
	    text_of(block, S("text"));

	if (type_is(block, "thinking"))
		json_add_fmt(w->b, ",{'type':'thinking','thinking':%.*s,'signature':%.*s}",
		    FMT(text_of(block, S("thinking"))), FMT(text_of(block, S("signature"))));
	else if (type_is(block, "redacted_thinking"))
		json_add_fmt(w->b, ",{'type':'redacted_thinking','data':%.*s}",
		    FMT(text_of(block, S("data"))));
	else
		anthropic_add_text(w, trim ? without_end(text) : text,
		    json_get(block, S("citations")), json_get(block, S("cache_control")));
}
