/*
 * task_fix_tools.c - the bed's tools, and its model.
 *
 * SPDX-License-Identifier: MIT
 */
#include "task_fix.h"

#include "base/json.h"

/* ---- the model ------------------------------------------------------------------- */

/* Repeats the last message. */
bool
bed_parrot(struct bed *b, const struct llm_request *q, struct buf *out)
{
	struct val m = q->messages_n == 0 ? VAL_UNDEF :
	    val_json_trusted(q->messages[q->messages_n - 1]);
	struct buf text = BUF(MB);

	(void)b;
	buf_lit(&text, "re ");
	if (m.kind == VAL_OBJECT)
		call_add_content(&text, val_get(m, S("content")));
	json_add_fmt(out, "{'content':%.*s,'additional_kwargs':{},'response_metadata':{},"
	    "'tool_calls':[],'id':'m1','usage_metadata':{'total_tokens':3},"
	    "'invalid_tool_calls':[],'type':'ai'}", FMT(buf_str(&text)));
	buf_release(&text);
	val_drop(m);
	return true;
}

/* ---- tools ------------------------------------------------------------------------ */

struct bed *bed_noted;

static int
echo_start(struct tool_call *c)
{
	struct buf b = BUF(MB);

	json_add_node(&b, tool_args(c));
	tool_reply(c, buf_str(&b));
	buf_release(&b);
	return OK;
}

static int
note_start(struct tool_call *c)
{
	bed_noted->notes++;
	tool_reply(c, S("noted"));
	return OK;
}

static int
broken_start(struct tool_call *c)
{
	tool_refuse(c, "it is broken");
	return OK;
}

#define ANYTHING "{\"type\":\"object\",\"properties\":{\"x\":{}},\"additionalProperties\":true}"

const struct tool bed_tools[BED_TOOLS] = {
	{ .name = "echo", .description = "Repeats.", .parameters_json = ANYTHING,
	  .idempotent = true, .start = echo_start },
	{ .name = "note", .description = "Counts.", .parameters_json = ANYTHING,
	  .start = note_start },
	{ .name = "broken", .description = "Fails.", .parameters_json = ANYTHING,
	  .idempotent = true, .start = broken_start },
	{ .name = "hidden", .description = "Of a group.", .parameters_json = ANYTHING,
	  .idempotent = true, .start = echo_start, .group = "secret" },
};
