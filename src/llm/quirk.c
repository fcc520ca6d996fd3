/*
 * quirk.c - servers that refuse a part of a request.
 *
 * The body is written with everything in it and a note of where the parts are
 * that can go.  When a server's error names one of them, the body goes out
 * again without it, and the process remembers that for the base URL and the
 * model: every shard, until it ends.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "llm/wire_priv.h"

#define SAID_BYTES (4 * KB)                  /* of an error; more is not words */

/* ---- the body ------------------------------------------------------------- */

void
body_release(struct body *b)
{
	buf_release(&b->text);
	free(b->parts);
	b->parts = NULL;
	b->parts_n = b->parts_cap = 0;
}

void
body_part(struct body *b, unsigned quirk, size_t from,
    const char *instead)
{
	mem_grow(b->parts, b->parts_n, b->parts_cap);
	b->parts[b->parts_n++] = (struct body_part){ quirk, from, b->text.n, instead };
}

unsigned
body_without(struct body *b, unsigned quirks)
{
	struct buf text = BUF(b->text.max);
	size_t at = 0, kept = 0;
	unsigned taken = 0;

	for (size_t i = 0; i < b->parts_n; i++)
		taken |= b->parts[i].quirk & quirks;
	if (taken == 0)
		return 0;
	for (size_t i = 0; i < b->parts_n; i++) {
		struct body_part p = b->parts[i];
		size_t n = p.to - p.from;

		buf_add(&text, str_sub(buf_str(&b->text), at, p.from - at));
		at = p.to;
		if ((p.quirk & quirks) != 0) {
			buf_add(&text, str_of(p.instead));
			continue;
		}
		p.from = text.n;
		buf_add(&text, str_sub(buf_str(&b->text), at - n, n));
		p.to = text.n;
		b->parts[kept++] = p;
	}
	buf_add(&text, str_sub(buf_str(&b->text), at, b->text.n));
	b->parts_n = kept;
	buf_release(&b->text);
	b->text = text;
	return taken;
}

/* ---- what an error speaks of ---------------------------------------------- */

static const char *const refusals[] = {
	"support", "permitted", "unrecognized", "unknown", "unexpected keyword", "not allowed",
	"only allowed", "extra fields", "not enabled", "requires --", "only the default",
	"not a valid", "invalid param",
	"is allowed for", "deprecated for", "only be set to 1",
};

static const struct {
	enum quirk quirk;
	const char *words;                   /* beside words of refusal */
	const char *unless;                  /* the error is about something else */
} said[] = {
	{ QUIRK_EXTRA, "extra_content", NULL },
	{ QUIRK_EXTRA, "cache_control", NULL },
	{ QUIRK_REASONING, "reasoning", NULL },
	{ QUIRK_REASONING, "thinking.type", NULL },
	{ QUIRK_REASONING, "thinking is not", NULL },
	{ QUIRK_REASONING, "thinking_config", NULL },
	{ QUIRK_STREAM_OPTIONS, "stream_options", NULL },
	{ QUIRK_STREAM_OPTIONS, "include_usage", NULL },
	{ QUIRK_MAX_TOKENS, "max_tokens", "too large" },
	{ QUIRK_MAX_TOKENS, "max_completion_tokens", "too large" },
	{ QUIRK_TEMPERATURE, "temperature", NULL },
	{ QUIRK_STREAM, "'stream' does not support", NULL },
	{ QUIRK_STREAM, "not support stream", NULL },
	{ QUIRK_STREAM, "streaming is not support", NULL },
	{ QUIRK_TOOLS, "tool", "failed to parse" },
	{ QUIRK_TOOLS, "function calling", NULL },
};

/* The error names one of our tools ("tools[0]", ["tools",0], tools.0): it is not a
 * server without tools. */
static bool
names_one_tool(const char *text)
{
	while ((text = strstr(text, "tools")) != NULL) {
		text += strlen("tools");
		text += strspn(text, "\"'[]., ");
		if (*text >= '0' && *text <= '9')
			return true;
	}
	return false;
}

unsigned
quirks_said(int status, struct str body)
{
	static const int statuses[] = { 400, 404, 405, 422, 500, 501 };
	char text[SAID_BYTES + 1];
	unsigned quirks = 0;
	bool refuses = false;

	body = str_sub(body, 0, SAID_BYTES);
	for (size_t i = 0; i < body.n; i++)
		text[i] = body.p[i] >= 'A' && body.p[i] <= 'Z' ? (char)(body.p[i] | 0x20) :
		    body.p[i] == '\0' ? ' ' : body.p[i];
	text[body.n] = '\0';
	for (size_t i = 0; i < COUNT(statuses); i++)
		for (size_t k = 0; status == statuses[i] && k < COUNT(refusals); k++)
			refuses |= strstr(text, refusals[k]) != NULL;
	for (size_t i = 0; refuses && i < COUNT(said); i++)
		if (strstr(text, said[i].words) != NULL && (said[i].unless == NULL ||
		    strstr(text, said[i].unless) == NULL))
			quirks |= said[i].quirk;
	return names_one_tool(text) ? quirks & ~(unsigned)QUIRK_TOOLS : quirks;
}

/* ---- memory --------------------------------------------------------------- */

/* A ring: past its end the oldest is forgotten, and found out again. */
static struct {
	pthread_mutex_t lock;
	struct row { uint64_t base, model; unsigned quirks; } rows[LIMIT_LLM_QUIRKS];
	size_t n, next;
} memory = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct row *
row_find(struct str base_url, struct str model)
{
	uint64_t base, name;

	if (memory.n == 0)
		return NULL;
	base = str_hash_keyed(base_url);
	name = str_hash_keyed(model);
	for (size_t i = 0; i < memory.n; i++)
		if (memory.rows[i].base == base && memory.rows[i].model == name)
			return &memory.rows[i];
	return NULL;
}

unsigned
quirks_known(struct str base_url, struct str model)
{
	const struct row *row;
	unsigned quirks;

	pthread_mutex_lock(&memory.lock);
	row = row_find(base_url, model);
	quirks = row != NULL ? row->quirks : 0;
	pthread_mutex_unlock(&memory.lock);
	return quirks;
}

static void
tell(struct str base_url, struct str model, unsigned quirks)
{
	static const struct { enum quirk quirk; const char *name; } names[] = {
		{ QUIRK_STREAM_OPTIONS, "stream_options" }, { QUIRK_TOOLS, "tools" },
		{ QUIRK_TEMPERATURE, "temperature" }, { QUIRK_MAX_TOKENS, "max_tokens" },
		{ QUIRK_REASONING, "reasoning" }, { QUIRK_EXTRA, "extra_content" },
		{ QUIRK_STREAM, "stream" },
	};

	for (size_t i = 0; i < COUNT(names); i++)
		if ((quirks & names[i].quirk) != 0)
			log_warn("llm", "part_refused", "base_url=%.*s model=%.*s part=%s "
			    "from_now_on=%s", FMT(base_url), FMT(model), names[i].name,
			    names[i].quirk == QUIRK_MAX_TOKENS ?
			    "sent by its other name" : "not sent");
}

void
quirks_learn(struct str base_url, struct str model, unsigned quirks)
{
	struct row *row;
	unsigned fresh;

	pthread_mutex_lock(&memory.lock);
	row = row_find(base_url, model);
	if (row == NULL) {
		row = &memory.rows[memory.next];
		memory.next = (memory.next + 1) % LIMIT_LLM_QUIRKS;
		memory.n += memory.n < LIMIT_LLM_QUIRKS;
		*row = (struct row){ str_hash_keyed(base_url), str_hash_keyed(model), 0 };
	}
	fresh = quirks & ~row->quirks;
	row->quirks |= quirks;
	pthread_mutex_unlock(&memory.lock);
	tell(base_url, model, fresh);
}
