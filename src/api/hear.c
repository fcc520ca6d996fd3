/*
 * hear.c - see hear.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/hear.h"

#include <stdlib.h>

#include "agent/agent.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/scan.h"

#define VOICES_BYTES (64 * KB)

/* A message that is told, or waits for its turn. */
struct heard {
	struct heard *next;
	struct buf held;
	bool told;                           /* it was begun */
	bool done;
	size_t id_n;
	char id[];
};

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
add_voices(struct hearing *h, const struct agent *a, struct str path)
{
	/* In a chart the actions decide which work becomes a message. */
	h->all = h->all || a->chart != NULL;
	for (size_t i = 0; i < a->nodes_n && !h->all; i++) {
		const struct agent_node *node = &a->nodes[i];
		const struct agent *child = agent_work_child(&node->work);
		struct buf below = BUF(VOICES_BYTES);

		if (node->label.form != VALUE_NONE && node->label.form != VALUE_CONST)
			h->all = true;
		if (!writes_messages(a, &node->work))
			continue;
		buf_add(&below, path);
		buf_add(&below, node->name);
		buf_add(&h->voices, buf_str(&below));
		buf_add_char(&h->voices, '\n');
		buf_add_char(&below, '|');
		if (child != NULL)
			add_voices(h, child, buf_str(&below));
		h->all = h->all || below.failed || h->voices.failed;
		buf_release(&below);
	}
}

void
hearing_init(struct hearing *h, const struct agent *a)
{
	h->voices = BUF(VOICES_BYTES);
	h->ns = BUF(LIMIT_EVENT_NS_BYTES);
	h->finish = BUF(KB);
	h->all = a == NULL;
	h->heard = false;
	h->first = NULL;
	h->end = &h->first;
	h->n = 0;
	buf_add_char(&h->voices, '\n');
	if (a != NULL)
		add_voices(h, a, STR_NONE);
}

/* "a:id|b:id" as "\na|b\n". */
static bool
is_voice(const struct hearing *h, struct str ns)
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
	yes = str_contains(buf_str(&h->voices), buf_str(&name));
	buf_release(&name);
	return yes;
}

/* Frames of one answer come one after the other, so the last decision mostly holds. */
static bool
is_heard(struct hearing *h, struct str ns)
{
	if (h->all)
		return true;
	if (h->ns.n == 0 || !str_eq(ns, buf_str(&h->ns))) {
		buf_clear(&h->ns);
		buf_add(&h->ns, ns);
		h->heard = is_voice(h, ns);
	}
	return h->heard;
}

/* ---- one after the other ------------------------------------------------------------- */

static void
say(struct hearing *h, struct heard *m, struct str raw)
{
	if (raw.n == 0)
		return;
	if (!m->told)
		h->message(h->ctx, (struct str){ m->id, m->id_n });
	m->told = true;
	h->text(h->ctx, raw);
}

static void
drop_first(struct hearing *h)
{
	struct heard *m = h->first;

	h->first = m->next;
	if (h->first == NULL)
		h->end = &h->first;
	h->n--;
	buf_release(&m->held);
	free(m);
}

/* Drops messages that are over; the first of the others is told from now on. */
static void
pass_on(struct hearing *h)
{
	while (h->first != NULL && h->first->done) {
		drop_first(h);
		if (h->first != NULL) {
			say(h, h->first, buf_str(&h->first->held));
			buf_release(&h->first->held);
		}
	}
}

static struct heard *
find(const struct hearing *h, struct str id)
{
	struct heard *m = h->first;

	while (m != NULL && !str_eq((struct str){ m->id, m->id_n }, id))
		m = m->next;
	return m;
}

static struct heard *
add(struct hearing *h, struct str id)
{
	struct heard *m = mem_zero(sizeof *m + id.n);

	if (id.n > 0)
		memcpy(m->id, id.p, id.n);
	m->id_n = id.n;
	m->held = BUF(LIMIT_STATE_BYTES);
	*h->end = m;
	h->end = &m->next;
	h->n++;
	if (h->n > LIMIT_DOOR_VOICES) {
		h->first->done = true;
		pass_on(h);
	}
	return m;
}

static void
piece(struct hearing *h, struct str id, struct str raw, bool done)
{
	struct heard *m = find(h, id);

	if (m == NULL && raw.n > 0)
		m = add(h, id);
	if (m == NULL)
		return;
	if (m == h->first)
		say(h, m, raw);
	else
		buf_add(&m->held, raw);
	m->done = m->done || done;
	pass_on(h);
}

void
hearing_end(struct hearing *h)
{
	while (h->first != NULL) {
		h->first->done = true;
		pass_on(h);
	}
}

void
hearing_release(struct hearing *h)
{
	while (h->first != NULL)
		drop_first(h);
	buf_release(&h->voices);
	buf_release(&h->ns);
	buf_release(&h->finish);
}

/* ---- reading frames --------------------------------------------------------------- */

#define CONTENT "[{\"content\":"
#define DELTA ",\"tool_call_chunks\":[],\"additional_kwargs\":{},\"id\":\""

/* A piece of text that a model streams: run/chunk.c writes it so. */
static bool
take_delta(struct hearing *h, struct str data)
{
	struct scan s;
	struct str raw, rest, id;

	if (!str_starts(data, S(CONTENT)))
		return false;
	s = scan_of(str_sub(data, sizeof CONTENT - 1, data.n));
	if (scan_peek(&s) != '"' || !scan_string(&s, &raw) || raw.n == 0)
		return false;
	rest = (struct str){ s.p, (size_t)(s.end - s.p) };
	if (!str_starts(rest, S(DELTA)))
		return false;
	rest = str_sub(rest, sizeof DELTA - 1, rest.n);
	if (!str_next(&rest, '"', &id) || rest.n == 0)
		return false;
	piece(h, id, raw, false);
	return true;
}

/* What one message has of interest; raw.  whole: a node wrote it. */
struct parts { struct str content, id, type, finish; bool whole; };

static bool
read_parts(struct str data, struct parts *p)
{
	struct scan s = scan_of(data);
	bool first = true, inner = true;
	struct str key, raw;

	*p = (struct parts){ 0 };
	if (!scan_open(&s, '[') || !scan_element(&s, &first) || scan_peek(&s) != '{')
		return false;
	for (scan_open(&s, '{'); scan_member(&s, &inner, &key); ) {
		if (SCAN_IS(key, "id"))
			p->id = scan_text(&s);
		else if (SCAN_IS(key, "type"))
			p->type = scan_text(&s);
		else if (!scan_value(&s, &raw))
			return false;
		else if (SCAN_IS(key, "content"))
			p->content = raw;
		else if (SCAN_IS(key, "response_metadata"))
			p->finish = scan_find(raw, S("finish_reason"));
	}
	p->whole = !s.bad && str_starts((struct str){ s.p, (size_t)(s.end - s.p) },
	    S(",{\"tags\":[\"graph:step:"));
	return !s.bad;
}

/* The text of one block: a string, or {type: "text", text}. */
static struct str
block_text(struct str raw)
{
	if (raw.n >= 2 && raw.p[0] == '"')
		return str_sub(raw, 1, raw.n - 2);
	if (raw.n == 0 || raw.p[0] != '{' ||
	    !str_eq(scan_find(raw, S("type")), S("\"text\"")))
		return STR_NONE;
	raw = scan_find(raw, S("text"));
	return raw.n >= 2 && raw.p[0] == '"' ? str_sub(raw, 1, raw.n - 2) : STR_NONE;
}

static void
take_content(struct hearing *h, const struct parts *p)
{
	struct scan s = scan_of(p->content);
	bool first = true;
	struct str raw;

	if (scan_peek(&s) != '[') {
		piece(h, p->id, block_text(p->content), false);
		return;
	}
	for (scan_open(&s, '['); scan_element(&s, &first) && scan_value(&s, &raw); )
		piece(h, p->id, block_text(raw), false);
}

/* A message that is over, or begins, or is told whole. */
static void
take_message(struct hearing *h, struct str data)
{
	struct parts p;

	if (!read_parts(data, &p) || !str_eq(p.type, S("ai")))
		return;
	if (p.finish.n > 2) {
		buf_clear(&h->finish);
		buf_add(&h->finish, str_sub(p.finish, 1, p.finish.n - 2));
	}
	take_content(h, &p);
	piece(h, p.id, STR_NONE, p.whole || p.finish.n > 2);
}

void
hearing_take(struct hearing *h, struct str frames)
{
	bool heard = false;
	struct str line;

	while (str_next(&frames, '\n', &line)) {
		if (str_starts(line, S("event: "))) {
			struct str ns = str_sub(line, S("event: ").n, line.n), name;

			heard = str_next(&ns, '|', &name) && str_eq(name, S("messages")) &&
			    is_heard(h, ns);
		} else if (heard && str_starts(line, S("data: "))) {
			struct str data = str_sub(line, S("data: ").n, line.n);

			if (!take_delta(h, data))
				take_message(h, data);
		}
	}
}
