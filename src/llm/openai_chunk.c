/*
 * openai_chunk.c - the walk over one chunk of an answer, or over a whole
 * answer: `message` stands where `delta` does.
 *
 * SPDX-License-Identifier: MIT
 */
#include "llm/openai_chunk_priv.h"

static struct chunk_more *
more(struct chunk *c)
{
	if (!c->has_more)
		c->more = (struct chunk_more){ 0 };
	c->has_more = true;
	return &c->more;
}

/* A text, or null; else it is noted as wrong. */
static struct str
read_text(struct scan *s, struct chunk *c, const char *what)
{
	struct str skipped;
	struct str raw = STR_NONE;
	char first = scan_peek(s);

	if (first == '"')
		return scan_string(s, &raw) ? raw : STR_NONE;
	if (first == 'n')
		return scan_text(s);
	if (scan_value(s, &skipped))
		c->wrong = what;
	return STR_NONE;
}

/* A value that begins so, or null; else it is noted as wrong. */
static struct str
read_value(struct scan *s, struct chunk *c, char begins, const char *what)
{
	struct str value = STR_NONE;
	char first = scan_peek(s);

	if (!scan_value(s, &value) || first == 'n')
		return STR_NONE;
	if (first != begins)
		c->wrong = what;
	return first == begins ? value : STR_NONE;
}

static void
read_content(struct scan *s, struct chunk *c)
{
	if (scan_peek(s) == '[')
		scan_value(s, &more(c)->blocks);
	else
		c->content = read_text(s, c, "content");
}

/* Is the next value of this kind?  Others are skipped. */
static bool
read_if(struct scan *s, char begins, struct str *value)
{
	char first = scan_peek(s);

	return scan_value(s, value) && first == begins;
}

/* Two names for one thing; some servers send both.  Bedrock's is an object
 * with the text in it. */
static void
read_reasoning(struct scan *s, struct chunk *c, bool named)
{
	struct str text = STR_NONE;

	if (scan_peek(s) != '{') {
		text = scan_text(s);
	} else if (scan_value(s, &text)) {
		text = scan_find(text, S("text"));
		text = text.n > 1 && text.p[0] == '"' ? str_sub(text, 1, text.n - 2) :
		    STR_NONE;
	}
	if (text.n == 0 || (named && more(c)->reasoning.n > 0))
		return;
	more(c)->reasoning = text;
	c->more.named_reasoning = named;
}

static void
read_delta(struct scan *s, struct chunk *c)
{
	struct str key, value = STR_NONE;
	bool first = true;

	c->has_message = true;
	for (scan_open(s, '{'); scan_member(s, &first, &key); ) {
		if (SCAN_IS(key, "content")) {
			read_content(s, c);
		} else if (SCAN_IS(key, "tool_calls")) {
			value = read_value(s, c, '[', "tool_calls");
			if (value.n > 0)
				more(c)->tools = value;
		} else if (SCAN_IS(key, "reasoning_content")) {
			read_reasoning(s, c, false);
		} else if (SCAN_IS(key, "reasoning")) {
			read_reasoning(s, c, true);
		} else if (SCAN_IS(key, "reasoning_details")) {
			if (read_if(s, '[', &value))
				more(c)->details = value;
		} else if (SCAN_IS(key, "extra_content")) {
			if (read_if(s, '{', &value))
				more(c)->extra = value;
		} else if (SCAN_IS(key, "refusal")) {
			value = scan_text(s);
			if (value.n > 0)
				more(c)->refusal = value;
		} else {
			scan_value(s, &value);
		}
	}
}

static void
read_error(struct scan *s, struct chunk *c)
{
	struct str value = STR_NONE;
	char first = scan_peek(s);

	if (scan_value(s, &value) && first != 'n' && first != 'f' &&
	    !str_eq(value, S("\"\"")) && !str_eq(value, S("{}")))
		more(c)->error = value;
}

/* Only one of `delta` and `message` counts: a chunk that has both says the
 * same twice. */
static void
read_choice(struct scan *s, struct chunk *c)
{
	struct str key, message = STR_NONE, value;
	bool first = true;

	c->has_choice = true;
	for (scan_open(s, '{'); scan_member(s, &first, &key); ) {
		char begins = scan_peek(s);

		if (SCAN_IS(key, "delta") && begins == '{')
			read_delta(s, c);
		else if (SCAN_IS(key, "delta"))
			read_value(s, c, '{', "choices[0].delta");
		else if (SCAN_IS(key, "finish_reason"))
			c->finish = read_text(s, c, "choices[0].finish_reason");
		else if (SCAN_IS(key, "message"))
			message = read_value(s, c, '{', "choices[0].message");
		else if (SCAN_IS(key, "error"))
			read_error(s, c);
		else if (SCAN_IS(key, "usage") && begins == '{')
			scan_value(s, &more(c)->usage);
		else
			scan_value(s, &value);
	}
	if (message.n > 0 && !c->has_message && !s->bad) {
		struct scan in = scan_of(message);

		read_delta(&in, c);
	}
}

/* Only the first choice is ours: we never ask for more. */
static void
read_choices(struct scan *s, struct chunk *c)
{
	struct str skipped;
	bool first = true, chosen = false;

	for (scan_open(s, '['); scan_element(s, &first); chosen = true) {
		if (!chosen && scan_peek(s) == '{')
			read_choice(s, c);
		else if (chosen || scan_peek(s) == 'n')
			scan_value(s, &skipped);
		else
			read_value(s, c, '{', "choices[0]");
	}
}

/* The usage of Groq's streams: {"usage":{...}} in a member of its own. */
static void
read_nested_usage(struct scan *s, struct chunk *c)
{
	struct str value = STR_NONE, usage = STR_NONE;

	if (read_if(s, '{', &value))
		usage = scan_find(value, S("usage"));
	if (usage.n > 0 && usage.p[0] == '{' && more(c)->usage.n == 0)
		more(c)->usage = usage;
}

/* Other ways to say an error than `error`: {"object":"error",...}, or words
 * where there is no answer. */
static void
read_unusual(struct scan *s, struct chunk *c, struct str key, bool *words)
{
	struct str value = STR_NONE;

	if (SCAN_IS(key, "x_groq")) {
		read_nested_usage(s, c);
		return;
	}
	if (!scan_value(s, &value) || key.n > 7)
		return;                      /* as most of them are */
	if (SCAN_IS(key, "object"))
		*words |= value.n == 7 && str_eq(value, S("\"error\""));
	else if (value.p[0] != 'n')
		*words |= SCAN_IS(key, "message") || SCAN_IS(key, "detail") ||
		    SCAN_IS(key, "errors") || SCAN_IS(key, "msg");
}

bool
openai_chunk_read(struct str text, struct chunk *c)
{
	struct scan s = scan_of(text);
	struct str key;
	bool first = true, words = false, choices = false;

	c->id = c->model = c->content = c->finish = STR_NONE;
	c->wrong = NULL;
	c->has_choice = c->has_message = c->has_more = false;
	if (scan_peek(&s) == '[') {          /* an error of Gemini is in a list */
		scan_value(&s, &more(c)->error);
		return scan_end(&s);
	}
	for (scan_open(&s, '{'); scan_member(&s, &first, &key); ) {
		if (SCAN_IS(key, "choices") && scan_peek(&s) == '[') {
			choices = true;
			read_choices(&s, c);
		} else if (SCAN_IS(key, "choices")) {
			read_value(&s, c, '[', "choices");
		} else if (SCAN_IS(key, "id")) {
			c->id = scan_text(&s);
		} else if (SCAN_IS(key, "model")) {
			c->model = scan_text(&s);
		} else if (SCAN_IS(key, "usage") && scan_peek(&s) == '{') {
			scan_value(&s, &more(c)->usage);
		} else if (SCAN_IS(key, "error")) {
			read_error(&s, c);
		} else {
			read_unusual(&s, c, key, &words);
		}
	}
	if (words && !choices && more(c)->usage.n == 0 && c->more.error.n == 0)
		c->more.error = text;
	return scan_end(&s);
}
