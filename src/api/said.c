/*
 * said.c - see said.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/said.h"

#include "agent/agent.h"
#include "base/limits.h"
#include "base/scan.h"

#define VOICES_BYTES (64 * KB)

/* ---- whose messages they are ------------------------------------------------------- */

static bool
writes_messages(const struct agent *a, const struct agent_work *w)
{
	int to = agent_channel_find(a, S("messages"));
	const struct agent *child = agent_work_child(w);
	bool yes = !w->has_writes && (w->kind->writes == WRITES_MESSAGES ||
	    (w->kind->writes == WRITES_OUTPUT && child != NULL &&
	    agent_channel_find(child, S("messages")) >= 0));

	for (size_t i = 0; i < w->writes_n && !yes; i++)
		yes = to >= 0 && w->writes[i].channel == (unsigned)to;
	for (size_t i = 0; i < w->items_n && !yes; i++)
		yes = writes_messages(a, &w->items[i]);
	return yes;
}

/* Names of nodes and of those below them; path: "a|b|" of the node that calls a. */
static void
add_voices(struct voices *v, const struct agent *a, struct str path)
{
	/* In a chart the actions decide which work becomes a message, in a hosted graph its
	 * code. */
	v->all = v->all || a->chart != NULL || a->hosted != NULL;
	for (size_t i = 0; i < a->nodes_n && !v->all; i++) {
		const struct agent_node *node = &a->nodes[i];
		const struct agent *child = agent_work_child(&node->work);
		struct buf below = BUF(VOICES_BYTES);

		if (node->label.form != VALUE_NONE && node->label.form != VALUE_CONST)
			v->all = true;
		if (!writes_messages(a, &node->work))
			continue;
		buf_add(&below, path);
		buf_add(&below, node->name);
		buf_add(&v->names, buf_str(&below));
		buf_add_char(&v->names, '\n');
		buf_add_char(&below, '|');
		if (child != NULL)
			add_voices(v, child, buf_str(&below));
		v->all = v->all || below.failed || v->names.failed;
		buf_release(&below);
	}
}

void
voices_init(struct voices *v, const struct agent *a)
{
	*v = (struct voices){ .names = BUF(VOICES_BYTES), .ns = BUF(LIMIT_EVENT_NS_BYTES),
	    .all = a == NULL };
	buf_add_char(&v->names, '\n');
	if (a != NULL)
		add_voices(v, a, STR_NONE);
}

void
voices_release(struct voices *v)
{
	buf_release(&v->names);
	buf_release(&v->ns);
}

/* "a:id|b:id" as "\na|b\n". */
static bool
is_voice(const struct voices *v, struct str ns)
{
	struct buf name = BUF(LIMIT_EVENT_NS_BYTES + 2);
	struct str part;
	bool yes;

	buf_add_char(&name, '\n');
	while (str_next(&ns, '|', &part)) {
		size_t n = part.n;

		while (n > 0 && part.p[n - 1] != ':')
			n--;
		if (name.n > 1)
			buf_add_char(&name, '|');
		buf_add(&name, n > 0 ? str_sub(part, 0, n - 1) : part);
	}
	buf_add_char(&name, '\n');
	yes = str_contains(buf_str(&v->names), buf_str(&name));
	buf_release(&name);
	return yes;
}

/* Frames of one answer come one after the other, so the last decision mostly holds. */
bool
voices_hear(struct voices *v, struct str ns)
{
	if (v->all)
		return true;
	if (v->ns.n == 0 || !str_eq(ns, buf_str(&v->ns))) {
		buf_clear(&v->ns);
		buf_add(&v->ns, ns);
		v->heard = is_voice(v, ns);
	}
	return v->heard;
}

/* ---- frames ------------------------------------------------------------------------- */

bool
said_frame(struct str *frames, struct said_frame *f)
{
	struct str line;

	f->name = STR_NONE;
	while (str_next(frames, '\n', &line)) {
		if (str_starts(line, S("event: "))) {
			f->ns = str_sub(line, S("event: ").n, line.n);
			str_next(&f->ns, '|', &f->name);
		} else if (f->name.n > 0 && str_starts(line, S("data: "))) {
			f->data = str_sub(line, S("data: ").n, line.n);
			return true;
		}
	}
	return false;
}

/* ---- messages --------------------------------------------------------------------- */

#define CONTENT "[{\"content\":"
#define DELTA ",\"tool_call_chunks\":[],\"additional_kwargs\":{},\"id\":\""

/* run/chunk.c writes it so. */
bool
said_delta(struct str data, struct str *id, struct str *text)
{
	struct scan s;
	struct str rest;

	if (!str_starts(data, S(CONTENT)))
		return false;
	s = scan_of(str_sub(data, sizeof CONTENT - 1, data.n));
	if (scan_peek(&s) != '"' || !scan_string(&s, text) || text->n == 0)
		return false;
	rest = (struct str){ s.p, (size_t)(s.end - s.p) };
	if (!str_starts(rest, S(DELTA)))
		return false;
	rest = str_sub(rest, sizeof DELTA - 1, rest.n);
	return str_next(&rest, '"', id) && rest.n > 0;
}

bool
said_read(struct str data, struct said *p)
{
	struct scan s = scan_of(data);
	bool first = true, inner = true;
	struct str key, raw;

	*p = (struct said){ .whole = false };
	if (!scan_open(&s, '[') || !scan_element(&s, &first) || scan_peek(&s) != '{')
		return false;
	for (scan_open(&s, '{'); scan_member(&s, &inner, &key); ) {
		if (SCAN_IS(key, "id"))
			p->id = scan_text(&s);
		else if (SCAN_IS(key, "type"))
			p->type = scan_text(&s);
		else if (SCAN_IS(key, "tool_call_id"))
			p->call_id = scan_text(&s);
		else if (!scan_value(&s, &raw))
			return false;
		else if (SCAN_IS(key, "content"))
			p->content = raw;
		else if (SCAN_IS(key, "response_metadata"))
			p->finish = said_inside(scan_find(raw, S("finish_reason")));
		else if (SCAN_IS(key, "additional_kwargs"))
			p->reasoning = scan_find(raw, S("reasoning_content"));
		else if (SCAN_IS(key, "tool_call_chunks"))
			p->chunks = raw;
		else if (SCAN_IS(key, "tool_calls"))
			p->calls = raw;
		else if (SCAN_IS(key, "status"))
			p->status = raw;
	}
	p->whole = !s.bad && str_starts((struct str){ s.p, (size_t)(s.end - s.p) },
	    S(",{\"tags\":[\"graph:step:"));
	return !s.bad;
}

struct str
said_inside(struct str raw)
{
	return raw.n >= 2 && raw.p[0] == '"' ? str_sub(raw, 1, raw.n - 2) : STR_NONE;
}

struct str
said_block(struct str raw)
{
	if (raw.n == 0 || raw.p[0] != '{')
		return said_inside(raw);
	return str_eq(scan_find(raw, S("type")), S("\"text\"")) ?
	    said_inside(scan_find(raw, S("text"))) : STR_NONE;
}
