/*
 * config_show.c - the settings in effect, for people: `cohort config` and GET /settings.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/config.h"

#include <string.h>

#include "base/json.h"
#include "base/url.h"

static bool
is_address(const struct setting *s)
{
	return s->type == TYPE_URL || (s->value != NULL && strstr(s->value, "URL") != NULL);
}

void
config_add_text(struct buf *b, const struct config *c)
{
	for (size_t i = 0; i < SETTINGS; i++) {
		const struct config_value *v = &c->at[i];
		bool hidden = config_settings[i].type == TYPE_SECRET && v->text[0] != '\0';
		struct buf shown = BUF(SIZE_MAX / 2);

		if (v->named != NULL)
			buf_add(&shown, str_of(v->named));
		else if (is_address(&config_settings[i]))
			url_add_shown(&shown, str_of(v->text));
		else
			buf_add(&shown, str_of(hidden ? "(set)" : v->text));
		buf_add_fmt(b, "%-20s = %-28.*s # %s\n", config_settings[i].key,
		    FMT(buf_str(&shown)), v->origin);
		buf_release(&shown);
	}
}

static const char *const type_words[] = {
	[TYPE_TEXT] = "text", [TYPE_INT] = "integer", [TYPE_BOOL] = "boolean",
	[TYPE_WORD] = "word", [TYPE_SECRET] = "secret", [TYPE_URL] = "url"
};

static const char *const source_words[] = {
	[RANK_DEFAULT] = "default", [RANK_FILE] = "file", [RANK_LANGGRAPH] = "langgraph",
	[RANK_LANGGRAPH_ALIAS] = "langgraph", [RANK_LANGGRAPH_ENV] = "langgraph",
	[RANK_ALIAS] = "environment", [RANK_ENV] = "environment", [RANK_FLAG] = "flag"
};

static void
add_value(struct buf *b, const struct setting *s, const struct config_value *v)
{
	struct buf shown = BUF(SIZE_MAX / 2);
	struct str text = str_of(v->named != NULL ? v->named : v->text);

	if (s->type == TYPE_SECRET) {
		buf_lit(b, "null");
		return;
	}
	if (is_address(s))
		url_add_shown(&shown, text);
	else
		buf_add(&shown, text);
	json_add_str(b, buf_str(&shown));
	buf_release(&shown);
}

static void
add_setting(struct buf *b, const struct setting *s, const struct config_value *v)
{
	/* A secret is read again only where it stands elsewhere. */
	bool rereads = s->reread && (s->type != TYPE_SECRET || v->named != NULL);

	json_add_fmt(b, ",{'key':%s,'type':%s,'value':", s->key, type_words[s->type]);
	add_value(b, s, v);
	json_add_fmt(b, ",'set':%hhd,'default':%s,'origin':%s,'source':%s,'reread':%hhd,"
	    "'unit':", v->text[0] != '\0', s->fallback, v->origin, source_words[v->rank], rereads);
	if (s->unit == NULL)
		buf_lit(b, "null");
	else
		json_add_str(b, str_of(s->unit));
	json_add_fmt(b, ",'help':%s}", s->help);
}

void
config_add_json(struct buf *b, const struct config *c)
{
	buf_lit(b, "[");
	for (size_t i = 0; i < SETTINGS; i++)
		add_setting(b, &config_settings[i], &c->at[i]);
	buf_lit(b, "]");
}
