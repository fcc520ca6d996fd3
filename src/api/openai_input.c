/*
 * openai_input.c - `input` of a response, as messages of a chat completion.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/openai.h"

#include <stdio.h>

/* Parts of an input, as those of a chat completion. */
static void
add_part(struct call *c, struct buf *b, const char *path, jnode part)
{
	static const char *const types[] = { "input_text", "output_text", "text", "refusal",
	    "input_image", "input_file", "input_audio", NULL };
	jnode type = json_get(part, S("type"));
	char place[120];
	int i;

	snprintf(place, sizeof place, "%s.type", path);
	i = words_index(c, place, types, json_str(type));
	if (i < 0)
		return;
	json_add_comma(b);
	if (i < 4)
		json_add_fmt(b, "{'type':'text','text':%.*s}", FMT(json_str(json_get(part,
		    i == 3 ? S("refusal") : S("text")))));
	else if (i == 4 && !json_is_string(json_get(part, S("image_url"))))
		fields_fail(c->in, path, ERR_INVALID, "expected an image_url; files are "
		    "not kept here");
	else if (i == 4)
		json_add_fmt(b, "{'type':'image_url','image_url':{'url':%p}}",
		    (void *)json_get(part, S("image_url")));
	else if (i == 5 && !json_is_string(json_get(part, S("file_data"))))
		fields_fail(c->in, path, ERR_INVALID, "expected file_data; files are not "
		    "kept here");
	else if (i == 5)
		json_add_fmt(b, "{'type':'file','file':{'filename':%p,'file_data':%p}}",
		    (void *)json_get(part, S("filename")),
		    (void *)json_get(part, S("file_data")));
	else
		json_add_node(b, part);
}

static void
add_message(struct call *c, struct buf *b, const char *path, jnode m)
{
	jnode type = json_get(m, S("type")), content = json_get(m, S("content"));
	struct json_iter it = json_each(content);
	char place[100];

	snprintf(place, sizeof place, "%s.type", path);
	if (!json_is_null(type) && !str_eq(json_str(type), S("message"))) {
		fields_fail(c->in, place, ERR_INVALID, "expected \"message\", got \"%.*s\": "
		    "tools belong to the agent, and items are not kept",
		    FMT(param_shown(json_str(type))));
		return;
	}
	json_add_comma(b);
	json_add_fmt(b, "{'role':%p,'content':", (void *)json_get(m, S("role")));
	if (!json_is_array(content)) {
		json_add_node(b, content);
	} else {
		buf_add_char(b, '[');
		for (size_t i = 0; c->in->rc == OK && json_next(&it); i++) {
			snprintf(place, sizeof place, "%s.content[%zu]", path, i);
			add_part(c, b, place, it.value);
		}
		buf_add_char(b, ']');
	}
	buf_add_char(b, '}');
}

void
openai_add_input(struct call *c, struct buf *b)
{
	jnode n = fields_any(c->in, "input");
	struct json_iter it = json_each(n);
	struct json_doc d = { 0 };
	struct err why = { 0 };
	char place[60];

	buf_add_char(b, '[');
	if (json_is_string(n))
		json_add_fmt(b, "{'role':'user','content':%p}", (void *)n);
	else if (!json_is_array(n))
		fields_fail(c->in, "input", ERR_INVALID, "expected a text or an array of "
		    "messages, got %s", n == NULL ? "nothing" : json_kind(n));
	for (size_t i = 0; json_is_array(n) && c->in->rc == OK && json_next(&it); i++) {
		snprintf(place, sizeof place, "input[%zu]", i);
		if (json_is_object(it.value))
			add_message(c, b, place, it.value);
		else
			fields_fail(c->in, place, ERR_INVALID, "expected an object, got %s",
			    json_kind(it.value));
	}
	buf_add_char(b, ']');
	if (c->in->rc == OK && json_parse(&d, buf_str(b), &why) != OK)
		fields_fail(c->in, "input", ERR_TOOBIG, "%s", why.text);
	if (c->in->rc == OK)
		openai_check_messages(c, "input", d.root);
	json_release(&d);
}
