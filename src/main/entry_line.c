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

static void
add(struct buf *b, const char *before, struct val entry, const char *name)
{
	struct val v = val_get(entry, str_of(name));

	if (v.kind == VAL_UNDEFINED)
		return;
	buf_add(b, str_of(before));
	add_value(b, v);
}

/* ---- kinds ------------------------------------------------------------------------- */

static void
add_start(struct buf *b, struct val e)
{
	add(b, "run ", e, "run_id");
	add(b, " of ", e, "graph_id");
	add(b, ", attempt ", e, "attempt");
}

static void
add_input(struct buf *b, struct val e)
{
	add(b, "input ", e, "input");
}

static void
add_resumed(struct buf *b, struct val e)
{
	add(b, "command ", e, "command");
}

static void
add_entered(struct buf *b, struct val e)
{
	add(b, "-> ", e, "state");
}

static void
add_exited(struct buf *b, struct val e)
{
	add(b, "<- ", e, "state");
}

static void
add_transition(struct buf *b, struct val e)
{
	struct val to = val_get(e, S("to"));

	add(b, "", e, "from");
	for (size_t i = 0; i < val_count(to); i++) {
		buf_add(b, i == 0 ? S(" => ") : S(", "));
		add_value(b, val_at(to, i));
	}
	add(b, " on ", e, "event");
}

static void
add_dropped(struct buf *b, struct val e)
{
	add(b, "dropped ", e, "event");
	add(b, ": ", e, "why");
}

static size_t
count_messages(struct val list)
{
	size_t n = 0;

	for (size_t i = 0; i < val_count(list); i++) {
		struct val m = val_at(list, i), from = val_get(m, S("from"));
		struct val to = val_get(m, S("to"));

		n += val_has(m, S("channel")) && to.kind == VAL_INT ?
		    (size_t)(to.u.i - from.u.i) : 1;
	}
	return n;
}

static void
add_request(struct buf *b, struct val e)
{
	struct val list = val_get(e, S("messages"));
	size_t n = count_messages(list);
	struct val last = val_at(list, val_count(list) - 1);

	buf_lit(b, "ask");
	add(b, " ", e, "model");
	buf_add_fmt(b, " %zu message%s", n, n == 1 ? "" : "s");
	add(b, ", the last: ", last, "content");
	add(b, " ", e, "params");
}

static void
add_answer(struct buf *b, struct val e)
{
	struct val m = val_get(e, S("message")), calls = val_get(m, S("tool_calls"));
	struct val usage = val_get(m, S("usage_metadata"));

	buf_lit(b, "answer");
	add(b, " of ", e, "model");
	add(b, " ", e, "error");
	add(b, ": ", e, "words");
	add(b, ": ", m, "content");
	for (size_t i = 0; i < val_count(calls); i++) {
		add(b, i == 0 ? " calls " : ", ", val_at(calls, i), "name");
		add(b, " ", val_at(calls, i), "args");
	}
	add(b, " (", usage, "input_tokens");
	add(b, " + ", usage, "output_tokens");
	if (usage.kind == VAL_OBJECT)
		buf_lit(b, " tokens)");
}

static void
add_call(struct buf *b, struct val e)
{
	add(b, "call ", e, "name");
	add(b, " ", e, "args");
}

static void
add_tool_result(struct buf *b, struct val e)
{
	add(b, val_truthy(val_get(e, S("ok"))) ? "result of " : "failed: ", e, "name");
	add(b, ": ", e, "content");
}

static void
add_result(struct buf *b, struct val e)
{
	add(b, "", e, "of");
	add(b, " ", e, "what");
	add(b, ": ", e, "value");
	add(b, ": ", e, "words");
}

static void
add_timer(struct buf *b, struct val e)
{
	(void)e;
	buf_lit(b, "time is up");
}

static void
add_checkpoint(struct buf *b, struct val e)
{
	add(b, "checkpoint ", e, "checkpoint_id");
	add(b, " step ", e, "step");
	add(b, " ", e, "source");
}

static void
add_interrupt(struct buf *b, struct val e)
{
	buf_add(b, val_has(e, S("interrupt_id")) ? S("asks") : S("stops at a breakpoint"));
	add(b, " ", e, "value");
}

static void
add_error(struct buf *b, struct val e)
{
	add(b, "error ", e, "name");
	add(b, " ", e, "event");
	add(b, ": ", e, "message");
}

static void
add_end(struct buf *b, struct val e)
{
	add(b, "end: ", e, "status");
}

static void
add_cut(struct buf *b, struct val e)
{
	buf_lit(b, "not kept");
	add(b, ": ", e, "entries");
	add(b, ": ", e, "why");
}

#define DIM    "\033[2m"
#define RED    "\033[31m"
#define GREEN  "\033[32m"
#define YELLOW "\033[33m"
#define BLUE   "\033[34m"
#define BOLD   "\033[1m"
#define PLAIN  "\033[0m"

static const struct {
	const char *kind, *colour;
	void (*add)(struct buf *b, struct val e);
} kinds[] = {
	{ "run_start", BOLD, add_start }, { "input", "", add_input },
	{ "resumed", "", add_resumed }, { "entered", GREEN, add_entered },
	{ "exited", DIM, add_exited }, { "transition", GREEN, add_transition },
	{ "event-dropped", YELLOW, add_dropped }, { "request", BLUE, add_request },
	{ "answer", BLUE, add_answer }, { "tool_call", "", add_call },
	{ "tool_result", "", add_tool_result }, { "result", "", add_result },
	{ "timer", DIM, add_timer }, { "checkpoint", DIM, add_checkpoint },
	{ "interrupt", YELLOW, add_interrupt }, { "error", RED, add_error },
	{ "run_end", BOLD, add_end }, { "cut", RED, add_cut },
};

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

	if (row < COUNT(kinds))
		kinds[row].add(b, entry);
	else
		add_value(b, entry);         /* of a later server */
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
