/*
 * tool.c - one tool, called by the agent itself.  Its result is the tool message.
 *
 * The call is named by the task and its place, so it has the same id in every
 * attempt.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/json.h"
#include "task/task_priv.h"

struct tool_piece {
	struct piece p;
	struct task_call *call;
	struct task_use *use;                /* the same, with a policy */
	struct str name;
	char id[5 + UUID_TEXT];              /* "call_..." */
};

static struct tool_piece *
tool_of_piece(struct piece *p)
{
	return CONTAINER_OF(p, struct tool_piece, p);
}

static struct str
id_of(const struct tool_piece *w)
{
	return (struct str){ w->id, sizeof w->id };
}

static void
id_make(struct tool_piece *w)
{
	struct buf key = BUF(KEY_BYTES);
	struct uuid id;

	piece_add_key(&key, &w->p, STR_NONE);
	id = uuid_v5(&w->p.task->id, buf_str(&key));
	buf_release(&key);
	memcpy(w->id, "call_", 5);
	uuid_format(&id, w->id + 5);
}

static void
finish(struct tool_piece *w, struct val message)
{
	piece_done(&w->p, message);
}

static void
on_call(struct piece *p, void *arg, const struct call_end *end)
{
	struct tool_piece *w = arg;
	struct task *t = p->task;
	struct val message;

	w->call = NULL;
	w->use = NULL;
	if (end->waits) {
		piece_waits(p);
		return;
	}
	message = call_message(id_of(w), w->name, end->ok, end->content);
	if (end->journal)
		record_part(p, id_of(w), w->name, val_json_text(message));
	if (end->ran && t->host->tool != NULL) {
		struct val why = val_string(end->content);

		t->host->tool(t->ctx, end->ok ? TOOL_END : TOOL_ERROR, id_of(w), w->name,
		    end->ok ? message : why);
		val_drop(why);
	}
	if (end->ok) {
		finish(w, message);
		return;
	}
	val_drop(message);
	tool_fail(p, w->name, end);
}

void
tool_fail(struct piece *p, struct str name, const struct call_end *end)
{
	struct buf event = BUF(LIMIT_NAME_BYTES + 64);
	struct task_error e = { .name = S("ToolError"), .message = end->content };

	buf_lit(&event, "error.tool.");
	buf_add(&event, end->unknown ? S("unknown_outcome") : name);
	e.event = buf_str(&event);
	piece_fail_with(p, &e);
	buf_release(&event);
}

static bool
read_args(struct piece *p, struct buf *out)
{
	struct val args;

	if (!piece_eval(p, TOOL_ARGS, &args))
		return false;
	if (args.kind == VAL_UNDEFINED || args.kind == VAL_NULL)
		buf_lit(out, "{}");
	else
		val_add_json(out, args);
	val_drop(args);
	if (!out->failed)
		return true;
	piece_fail(p, "error.execution", "LimitError", "line %u: tool.args: larger than %d "
	    "bytes", p->spec->line, LIMIT_LLM_BODY_BYTES);
	return false;
}

/* The record of the call, of an attempt that did not come to the piece's end. */
static bool
repeat(struct tool_piece *w)
{
	const struct known *k = record_find(&w->p, id_of(w));
	struct val message;
	struct str status;

	if (k == NULL || k->result_json.p == NULL)
		return false;
	piece_spent_before(&w->p, &(struct task_cost){ .tool_calls = 1 });
	message = val_json_trusted(k->result_json);
	status = val_str(val_get(message, S("status")));
	if (str_eq(status, S("success"))) {
		finish(w, message);
		return true;
	}
	tool_fail(&w->p, w->name, &(struct call_end){
	    .content = val_str(val_get(message, S("content"))) });
	val_drop(message);
	return true;
}

static void
tool_start(struct piece *p)
{
	struct tool_piece *w = tool_of_piece(p);
	struct buf args = BUF(LIMIT_LLM_BODY_BYTES);
	struct call_want want = { .done = on_call, .arg = w };

	w->name = agent_name(piece_field(p, TOOL_NAME));
	id_make(w);
	if (!offer_in_limits(p, w->name)) {
		piece_fail(p, "error.execution", "NotAllowedError", "line %u: tool: the "
		    "capabilities of an agent around this one do not allow \"%.*s\"",
		    p->spec->line, FMT(w->name));
		return;
	}
	if (!repeat(w) && read_args(p, &args)) {
		want.id = id_of(w);
		want.name = w->name;
		want.args_json = buf_str(&args);
		if (use_is_wanted(p, w->name))
			w->use = use_start(p, &want);
		else
			w->call = call_start(p, &want);
	}
	buf_release(&args);
}

static void
tool_stop(struct piece *p)
{
	struct tool_piece *w = tool_of_piece(p);

	if (w->call != NULL)
		call_forget(w->call);
	if (w->use != NULL)
		use_stop(w->use);
	w->call = NULL;
	w->use = NULL;
}

static bool
tool_is_open(const struct piece *p)
{
	const struct tool_piece *w = tool_of_piece((struct piece *)p);

	return call_is_open(w->call) || use_is_open(w->use);
}

const struct task_run task_tool = {
	.size = sizeof(struct tool_piece), .traits = TASK_EFFECT | TASK_WAITS,
	.start = tool_start, .stop = tool_stop, .is_open = tool_is_open,
};
