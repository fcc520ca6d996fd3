/*
 * a2a_part.c - parts of messages, 1.0's and 0.3's, and the blocks of content that they
 * are here.
 *
 *   1.0   {"text"}, {"raw"|"url", "mediaType", "filename"}, {"data"}
 *   0.3   {"kind": "text"|"file"|"data", "text", "file": {"bytes"|"uri", "mimeType",
 *         "name"}, "data"}
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/a2a.h"

#include "llm/media.h"

/* ---- reading ------------------------------------------------------------------------ */

struct part { jnode text, bytes, url, mime, name, data; };

static int
wrong(struct err *e, size_t i, const char *words, jnode got)
{
	return err_set(e, ERR_INVALID, "message.parts[%zu]: expected %s, got %s", i, words,
	    got == NULL ? "nothing" : json_kind(got));
}

static int
part_read(jnode n, bool old, size_t i, struct part *p, struct err *e)
{
	jnode file = json_get(n, S("file"));
	struct str kind = json_str(json_get(n, S("kind")));

	*p = (struct part){ 0 };
	if (!json_is_object(n))
		return wrong(e, i, "an object", n);
	if (old && str_eq(kind, S("file")))
		*p = (struct part){ .bytes = json_get(file, S("bytes")),
		    .url = json_get(file, S("uri")), .mime = json_get(file, S("mimeType")),
		    .name = json_get(file, S("name")) };
	else if (old && str_eq(kind, S("text")))
		p->text = json_get(n, S("text"));
	else if (old && str_eq(kind, S("data")))
		p->data = json_get(n, S("data"));
	else if (!old)
		*p = (struct part){ json_get(n, S("text")), json_get(n, S("raw")),
		    json_get(n, S("url")), json_get(n, S("mediaType")),
		    json_get(n, S("filename")), json_get(n, S("data")) };
	if ((p->text != NULL) + (p->bytes != NULL) + (p->url != NULL) + (p->data != NULL) != 1)
		return wrong(e, i, old ? "a part of the kind text, file (bytes or uri) or data" :
		    "one of text, raw, url and data", n);
	if (p->data != NULL && !json_is_object(p->data))
		return wrong(e, i, "an object as data", p->data);
	if (p->data == NULL && !json_is_string(p->text != NULL ? p->text :
	    p->bytes != NULL ? p->bytes : p->url))
		return wrong(e, i, "a string", p->text != NULL ? p->text :
		    p->bytes != NULL ? p->bytes : p->url);
	return OK;
}

static bool
is_base64(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char ch = s.p[i];

		if (!((ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z') ||
		    (ch >= '0' && ch <= '9') || ch == '+' || ch == '/' || ch == '-' ||
		    ch == '_' || (ch == '=' && i + 2 >= s.n)))
			return false;
	}
	return s.n > 0;
}

static const char *
block_type(struct str mime)
{
	return str_starts(mime, S("image/")) ? "image" :
	    str_starts(mime, S("audio/")) ? "audio" :
	    str_starts(mime, S("video/")) ? "video" : "file";
}

static int
add_file(struct a2a_said *s, const struct part *p, size_t i, struct err *e)
{
	struct str mime = json_str(p->mime);

	if (p->bytes != NULL && !is_base64(json_str(p->bytes)))
		return wrong(e, i, "base64", p->bytes);
	if (p->url != NULL && !str_starts(json_str(p->url), S("https://")) &&
	    !str_starts(json_str(p->url), S("http://")))
		return wrong(e, i, "an http or https URL", p->url);
	s->files = true;
	json_add_fmt(&s->content, ",{'type':%s", block_type(mime));
	if (p->bytes != NULL)
		json_add_fmt(&s->content, ",'source_type':'base64','data':%p",
		    (void *)p->bytes);
	else
		json_add_fmt(&s->content, ",'source_type':'url','url':%p", (void *)p->url);
	if (mime.n > 0)
		json_add_fmt(&s->content, ",'mime_type':%.*s", FMT(mime));
	if (json_is_string(p->name) && json_str(p->name).n > 0)
		json_add_fmt(&s->content, ",'filename':%p", (void *)p->name);
	buf_add_char(&s->content, '}');
	return OK;
}

/* {"resume": [{"id", "value"}]} */
static int
read_resume(struct a2a_said *s, jnode list, struct err *e)
{
	struct json_iter it = json_each(list);

	if (!json_is_array(list) || json_count(list) == 0)
		return err_set(e, ERR_INVALID, "resume: expected an array of {id, value}");
	buf_add_char(&s->resume, '{');
	while (json_next(&it)) {
		jnode id = json_get(it.value, S("id"));

		if (!json_is_string(id) || json_get(it.value, S("value")) == NULL)
			return err_set(e, ERR_INVALID, "resume: expected an array of "
			    "{id, value}");
		json_add_fmt(&s->resume, ",%.*s:%p", FMT(json_str(id)),
		    (void *)json_get(it.value, S("value")));
	}
	buf_add_char(&s->resume, '}');
	return OK;
}

static int
add_data(struct a2a_said *s, jnode data, struct err *e)
{
	struct json_iter it = json_each(data);

	if (json_count(data) == 1 && json_get(data, S("resume")) != NULL)
		return s->resume.n > 0 ? err_set(e, ERR_INVALID, "resume: expected once") :
		    read_resume(s, json_get(data, S("resume")), e);
	s->messages |= json_get(data, S("messages")) != NULL;
	if (s->data.n == 0)
		buf_add_char(&s->data, '{');
	while (json_next(&it))
		json_add_fmt(&s->data, ",%.*s:%p", FMT(json_str(it.key)), (void *)it.value);
	return OK;
}

static int
add_part(struct a2a_said *s, const struct part *p, size_t i, struct err *e)
{
	if (p->data != NULL)
		return add_data(s, p->data, e);
	if (p->text == NULL)
		return add_file(s, p, i, e);
	if (s->text.n > 0)
		buf_add_char(&s->text, '\n');
	buf_add(&s->text, json_str(p->text));
	json_add_fmt(&s->content, ",{'type':'text','text':%p}", (void *)p->text);
	return OK;
}

/* Text alone is a string, as most agents and their models expect it. */
static void
close_content(struct a2a_said *s)
{
	if (s->content.n <= 1) {
		buf_clear(&s->content);
	} else if (s->files) {
		buf_add_char(&s->content, ']');
	} else {
		buf_clear(&s->content);
		json_add_str(&s->content, buf_str(&s->text));
	}
}

static int
check_message(jnode m, bool old, struct err *e)
{
	struct str role = json_str(json_get(m, S("role")));
	jnode parts = json_get(m, S("parts")), id = json_get(m, S("messageId"));

	if (!json_is_object(m))
		return err_set(e, ERR_INVALID, "message: expected an object, got %s",
		    m == NULL ? "nothing" : json_kind(m));
	if (!str_eq(role, old ? S("user") : S("ROLE_USER")))
		return err_set(e, ERR_INVALID, "message.role: expected \"%s\"", old ? "user" :
		    "ROLE_USER");
	if (!json_is_string(id) || json_str(id).n == 0 || json_str(id).n > LIMIT_NAME_BYTES)
		return err_set(e, ERR_INVALID, "message.messageId: expected a string of 1 to "
		    "%d bytes", LIMIT_NAME_BYTES);
	if (!json_is_array(parts) || json_count(parts) == 0)
		return err_set(e, ERR_INVALID, "message.parts: expected an array that is not "
		    "empty, got %s", parts == NULL ? "nothing" : json_is_array(parts) ?
		    "an empty one" : json_kind(parts));
	return OK;
}

int
a2a_read(jnode message, bool old, struct a2a_said *out, struct err *e)
{
	struct json_iter it = json_each(json_get(message, S("parts")));
	struct part p;
	int rc;

	*out = (struct a2a_said){ 0 };
	out->content = out->text = out->data = out->resume =
	    BUF(2 * (size_t)LIMIT_HTTP_BODY_BYTES);
	rc = check_message(message, old, e);
	buf_add_char(&out->content, '[');
	for (size_t i = 0; rc == OK && json_next(&it); i++) {
		rc = part_read(it.value, old, i, &p, e);
		if (rc == OK)
			rc = add_part(out, &p, i, e);
	}
	close_content(out);
	if (out->data.n > 0)
		buf_add_char(&out->data, '}');
	if (rc == OK && out->messages && out->content.n > 0)
		rc = err_set(e, ERR_INVALID, "message.parts: text or files, or `messages` in a "
		    "data part, not both");
	if (rc == OK && (out->content.failed || out->text.failed || out->data.failed ||
	    out->resume.failed))
		rc = err_set(e, ERR_TOOBIG, "message: too large");
	return rc;
}

void
a2a_said_release(struct a2a_said *s)
{
	buf_release(&s->content);
	buf_release(&s->text);
	buf_release(&s->data);
	buf_release(&s->resume);
}

/* ---- writing ------------------------------------------------------------------------ */

void
a2a_add_text(struct buf *b, bool old, struct str raw)
{
	json_add_fmt(b, old ? ",{'kind':'text','text':\"%-.*s\"}" : ",{'text':\"%-.*s\"}",
	    FMT(raw));
}

void
a2a_add_data(struct buf *b, bool old, struct str json)
{
	json_add_fmt(b, old ? ",{'kind':'data','data':%-.*s}" : ",{'data':%-.*s}", FMT(json));
}

void
a2a_add_words(struct buf *b, bool old, struct str text)
{
	struct buf raw = BUF(2 * (size_t)LIMIT_STATE_BYTES);

	json_add_escaped(&raw, text);
	if (text.n > 0)
		a2a_add_text(b, old, buf_str(&raw));
	b->failed |= raw.failed;
	buf_release(&raw);
}

static void
add_media(struct buf *b, bool old, jnode block)
{
	struct media m = media_plain(block);
	struct str from = m.data.n > 0 ? m.data : m.url;

	if (from.n == 0)
		return;                      /* a file that is kept elsewhere */
	json_add_fmt(b, old ? ",{'kind':'file','file':{%s:%.*s" : ",{%s:%.*s",
	    m.data.n > 0 ? (old ? "bytes" : "raw") : old ? "uri" : "url", FMT(from));
	if (m.mime.n > 0)
		json_add_fmt(b, ",%s:%.*s", old ? "mimeType" : "mediaType", FMT(m.mime));
	if (m.filename.n > 0)
		json_add_fmt(b, ",%s:%.*s", old ? "name" : "filename", FMT(m.filename));
	buf_add(b, old ? S("}}") : S("}"));
}

void
a2a_add_block(struct buf *b, bool old, jnode block)
{
	if (json_is_string(block))
		a2a_add_words(b, old, json_str(block));
	else if (media_is_text(block))
		a2a_add_words(b, old, json_str(json_get(block, S("text"))));
	else if (!media_is_private(block))
		add_media(b, old, block);
}

void
a2a_add_parts(struct buf *b, bool old, jnode content)
{
	struct json_iter it = json_each(content);

	if (json_is_string(content))
		a2a_add_words(b, old, json_str(content));
	while (json_is_array(content) && json_next(&it))
		a2a_add_block(b, old, it.value);
}
