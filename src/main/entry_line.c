/*
 * entry_line.c - see entry_line.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/entry_line.h"

#include "base/json.h"
#include "main/pages.h"

#define SHOWN 120                            /* bytes of a value */

/* One line of it, whatever is in it. */
static void
add_value(struct buf *b, struct val v)
{
	struct buf text = BUF(64 * MB);
	struct str s;

	if (v.kind == VAL_STRING)
		json_add_escaped(&text, val_str(v));
	else
		val_add_json(&text, v);
	s = str_cut(buf_str(&text), SHOWN);
	buf_add(b, s);
	if (s.n < text.n)
		buf_lit(b, "...");
	buf_release(&text);
}

/* "usage.total" is a member of a member. */
static struct val
member(struct val entry, const char *path)
{
	struct str rest = str_of(path), name;

	while (rest.n > 0 && str_next(&rest, '.', &name))
		entry = val_get(entry, name);
	return entry;
}

static void
add(struct buf *b, const char *before, struct val entry, const char *path)
{
	struct val v = member(entry, path);

	if (v.kind == VAL_UNDEFINED)
		return;
	buf_add(b, str_of(before));
	add_value(b, v);
}

/* ---- parts that depend on more than one member -------------------------------------- */

static void
add_targets(struct buf *b, struct val e)
{
	struct val to = val_get(e, S("to"));

	for (size_t i = 0; i < val_count(to); i++) {
		buf_add(b, i == 0 ? S(" => ") : S(", "));
		add_value(b, val_at(to, i));
	}
}

/* How many messages a request has: an entry may stand for a range of the state's. */
static void
add_messages(struct buf *b, struct val e)
{
	struct val list = val_get(e, S("messages"));
	size_t n = 0, entries = val_count(list);

	for (size_t i = 0; i < entries; i++) {
		struct val m = val_at(list, i), from = val_get(m, S("from"));
		struct val to = val_get(m, S("to"));

		n += val_has(m, S("channel")) && to.kind == VAL_INT ?
		    (size_t)(to.u.i - from.u.i) : 1;
	}
	buf_add_fmt(b, " %zu message%s", n, n == 1 ? "" : "s");
	if (entries > 0)
		add(b, ", the last: ", val_at(list, entries - 1), "content");
}

static void
add_calls(struct buf *b, struct val e)
{
	struct val calls = member(e, "message.tool_calls");

	for (size_t i = 0; i < val_count(calls); i++) {
		add(b, i == 0 ? " calls " : ", ", val_at(calls, i), "name");
		add(b, " ", val_at(calls, i), "args");
	}
}

static void
add_usage(struct buf *b, struct val e)
{
	struct val usage = member(e, "message.usage_metadata");

	add(b, " (", usage, "input_tokens");
	add(b, " + ", usage, "output_tokens");
	if (usage.kind == VAL_OBJECT)
		buf_lit(b, " tokens)");
}

static void
add_outcome(struct buf *b, struct val e)
{
	buf_add(b, val_truthy(val_get(e, S("ok"))) ? S("result of ") : S("failed: "));
}

static void
add_question(struct buf *b, struct val e)
{
	buf_add(b, val_has(e, S("interrupt_id")) ? S("asks") : S("stops at a breakpoint"));
}

/* ---- kinds -------------------------------------------------------------------------- */

#define DIM    "\033[2m"
#define RED    "\033[31m"
#define GREEN  "\033[32m"
#define YELLOW "\033[33m"
#define BLUE   "\033[34m"
#define BOLD   "\033[1m"
#define PLAIN  "\033[0m"

/* A value after its words, nothing where the entry has no such member; words alone;
 * or what a function appends. */
struct part {
	const char *before, *path;
	void (*add)(struct buf *b, struct val entry);
};

static const struct {
	const char *kind, *colour;
	struct part part[8];                 /* ended by an empty one */
} kinds[] = {
	{ "run_start", BOLD, { { "run ", "run_id" }, { " of ", "graph_id" },
	    { ", attempt ", "attempt" } } },
	{ "input", "", { { "input ", "input" } } },
	{ "resumed", "", { { "command ", "command" } } },
	{ "entered", GREEN, { { "-> ", "state" } } },
	{ "exited", DIM, { { "<- ", "state" } } },
	{ "transition", GREEN, { { "", "from" }, { .add = add_targets }, { " on ", "event" } } },
	{ "event-dropped", YELLOW, { { "dropped ", "event" }, { ": ", "why" } } },
	{ "request", BLUE, { { "ask" }, { " ", "model" }, { .add = add_messages },
	    { " ", "params" } } },
	{ "answer", BLUE, { { "answer" }, { " of ", "model" }, { " ", "error" },
	    { ": ", "words" }, { ": ", "message.content" }, { .add = add_calls },
	    { .add = add_usage } } },
	{ "tool_call", "", { { "call ", "name" }, { " ", "args" } } },
	{ "tool_result", "", { { .add = add_outcome }, { "", "name" }, { ": ", "content" } } },
	{ "result", "", { { "", "of" }, { " ", "what" }, { ": ", "value" }, { ": ", "words" } } },
	{ "timer", DIM, { { "time is up" } } },
	{ "checkpoint", DIM, { { "checkpoint ", "checkpoint_id" }, { " step ", "step" },
	    { " ", "source" } } },
	{ "interrupt", YELLOW, { { .add = add_question }, { " ", "value" } } },
	{ "error", RED, { { "error ", "name" }, { " ", "event" }, { ": ", "message" } } },
	{ "message", BLUE, { { "", "direction" }, { " ", "message.performative" },
	    { " of ", "message.sender" }, { " to ", "message.receiver" },
	    { ": ", "message.content" } } },
	{ "run_end", BOLD, { { "end: ", "status" } } },
	{ "cut", RED, { { "not kept" }, { ": ", "entries" }, { ": ", "why" } } },
};

static void
add_part(struct buf *b, const struct part *p, struct val entry)
{
	if (p->add != NULL)
		p->add(b, entry);
	else if (p->path != NULL)
		add(b, p->before, entry, p->path);
	else
		buf_add(b, str_of(p->before));
}

static bool
is_part(const struct part *p)
{
	return p->before != NULL || p->add != NULL;
}

static size_t
row_of(struct val entry)
{
	size_t i = 0;

	while (i < COUNT(kinds) && !entry_is(entry, kinds[i].kind))
		i++;
	return i;
}

void
entry_add_words(struct buf *b, struct val entry)
{
	size_t row = row_of(entry);

	if (row == COUNT(kinds)) {
		add_value(b, entry);         /* of a later server */
		return;
	}
	for (const struct part *p = kinds[row].part; is_part(p); p++)
		add_part(b, p, entry);
}

static size_t
depth_of(struct val entry)
{
	struct str ns = entry_text(entry, "ns");
	size_t depth = ns.n > 0;

	for (size_t i = 0; i < ns.n; i++)
		depth += ns.p[i] == '|';
	return depth;
}

/* "12:03:04.123   node: words" */
void
entry_add_line(struct buf *b, struct val entry, bool colours)
{
	size_t row = row_of(entry), depth = depth_of(entry);
	struct str time = str_sub(entry_text(entry, "time"), 11, 12);
	struct str node = entry_text(entry, "node");

	if (colours)
		buf_lit(b, DIM);
	buf_add(b, time);
	buf_lit(b, "  ");
	for (size_t i = 0; i < depth; i++)
		buf_lit(b, "  ");
	if (node.n > 0 && !entry_is(entry, "entered") && !entry_is(entry, "exited")) {
		buf_add(b, node);
		buf_lit(b, ": ");
	}
	if (colours) {
		buf_lit(b, PLAIN);
		if (row < COUNT(kinds))
			buf_add(b, str_of(kinds[row].colour));
	}
	entry_add_words(b, entry);
	if (colours)
		buf_lit(b, PLAIN);
}
