/*
 * wasm.c - a message for a guest in a sandbox; its reply is the result.
 *
 * The guest is a new instance, so that it does the same whenever it gets the message again:
 * made again after a crash, or after its host process was lost, it runs from its start, and
 * each host call that was recorded has its recorded answer (wasm_ask.c).  What it sends leaves
 * when it is done, with what the task records next.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "base/json.h"
#include "task/wasm_priv.h"

#define TRIES 3                              /* instances that may be lost with their hosts */

static void
forget_said(struct wasm_piece *w)
{
	for (size_t i = 0; i < w->sends_n; i++)
		wasm_outgoing_release(&w->sends[i]);
	w->sends_n = w->said_bytes = 0;
	val_drop(w->reply);
	val_drop(w->reply_act);
	w->reply = w->reply_act = VAL_UNDEF;
	w->bad = (struct err){ 0 };
	w->asks = 0;
}

void
wasm_begin(struct wasm_piece *w)
{
	struct task *t = w->p.task;

	forget_said(w);
	w->under_way = true;
	t->host->wasm(t->ctx, &w->w);
}

void
wasm_abandon(struct wasm_piece *w)
{
	struct task *t = w->p.task;

	wasm_ask_leave(w);
	if (w->under_way)
		t->host->wasm_stop(t->ctx, &w->w);
	w->under_way = false;
}

/* ---- what it says ------------------------------------------------------------------- */

static bool
read_said(struct wasm_piece *w, struct str json, bool reply, struct wasm_outgoing *out)
{
	struct err e;

	w->said_bytes += json.n;
	if (w->said_bytes > LIMIT_WASM_SAID_BYTES)
		err_set(&w->bad, ERR_LIMIT, "it sent more than %d bytes in one call",
		    LIMIT_WASM_SAID_BYTES);
	else if (w->bad.text[0] == '\0' && wasm_outgoing_read(out, json, reply, &e) == OK)
		return true;
	else if (w->bad.text[0] == '\0')
		w->bad = e;
	return false;
}

static void
on_send(struct task_wasm *tw, struct str json)
{
	struct wasm_piece *w = CONTAINER_OF(tw, struct wasm_piece, w);
	struct wasm_outgoing o;

	if (!read_said(w, json, false, &o))
		return;
	mem_grow(w->sends, w->sends_n, w->sends_cap);
	w->sends[w->sends_n++] = o;
}

/* Of several the last counts. */
static void
on_reply(struct task_wasm *tw, struct str json)
{
	struct wasm_piece *w = CONTAINER_OF(tw, struct wasm_piece, w);
	struct wasm_outgoing o;

	if (!read_said(w, json, true, &o))
		return;
	val_drop(w->reply);
	val_drop(w->reply_act);
	w->reply = val_ref(val_get(o.fields, S("content")));
	w->reply_act = val_string(o.act);
	wasm_outgoing_release(&o);
}

static void
on_ask(struct task_wasm *tw, enum wasm_import what, struct str name, struct str body)
{
	struct wasm_piece *w = CONTAINER_OF(tw, struct wasm_piece, w);
	struct task *t = w->p.task;

	if (!task_enter(t))
		return;
	wasm_ask(w, what, name, body);
	task_leave(t);
}

/* ---- how it ends --------------------------------------------------------------------- */

static void
fail(struct wasm_piece *w, const char *event, const char *name, struct str words)
{
	struct piece *p = &w->p;

	piece_fail(p, event, name, "line %u: the module '%.*s': %.*s", p->spec->line,
	    FMT(w->w.module), FMT(words));
}

static bool
send_all(struct wasm_piece *w)
{
	struct task *t = w->p.task;
	size_t receivers;
	struct err e;
	int rc = OK;

	for (size_t i = 0; i < w->sends_n && rc == OK; i++) {
		const struct wasm_outgoing *o = &w->sends[i];
		struct task_mail m = { .to = o->to, .act = o->act, .fields = o->fields };

		rc = t->host->mail_send == NULL ? err_set(&e, ERR_NOTFOUND, "messages need a "
		    "server, and a run on a thread") : t->host->mail_send(t->ctx, &m,
		    &receivers, &e);
	}
	if (rc != OK)
		piece_fail(&w->p, "error.communication", "MessageError", "line %u: the module "
		    "'%.*s' sends: %s", w->p.spec->line, FMT(w->w.module), e.text);
	return rc == OK;
}

static void
fail_as_it_says(struct wasm_piece *w)
{
	struct buf words = BUF(LIMIT_TOOL_RESULT_BYTES);

	json_add_fmt(&words, "it answered ");
	buf_add(&words, val_str(w->reply_act));
	buf_lit(&words, ": ");
	if (w->reply.kind == VAL_UNDEFINED)
		buf_lit(&words, "without a reason");
	else
		call_add_content(&words, w->reply);
	fail(w, "error.wasm.failure", "WasmError", str_cut(buf_str(&words), KB));
	buf_release(&words);
}

static void
finish(struct wasm_piece *w)
{
	static const char *const failures[] = { "failure", "refuse", "not-understood" };
	struct val reply = w->reply.kind == VAL_UNDEFINED ? VAL_NIL : w->reply;

	for (size_t i = 0; i < COUNT(failures); i++)
		if (w->reply_act.kind == VAL_STRING &&
		    str_eq(val_str(w->reply_act), str_of(failures[i]))) {
			fail_as_it_says(w);
			return;
		}
	if ((!piece_writes_default(&w->p) || piece_write_named(&w->p, reply)) && send_all(w))
		piece_done(&w->p, val_ref(reply));
}

static void
returned(struct wasm_piece *w, int32_t code)
{
	char words[64];
	int n = snprintf(words, sizeof words, "handle_message returned %d", code);

	if (code != 0)
		fail(w, "error.wasm.failure", "WasmError", (struct str){ words, (size_t)n });
	else if (w->bad.text[0] != '\0')
		fail(w, "error.wasm.failure", "WasmError", str_of(w->bad.text));
	else
		finish(w);
}

static void
on_done(struct task_wasm *tw, enum task_wasm_end how, int32_t code, struct str words)
{
	struct wasm_piece *w = CONTAINER_OF(tw, struct wasm_piece, w);
	struct task *t = w->p.task;

	w->under_way = false;
	if (!task_enter(t))
		return;
	if (how != TASK_WASM_LOST || ++w->lost == TRIES)
		wasm_ask_leave(w);
	if (how == TASK_WASM_LOST && w->lost < TRIES && !wasm_asks(w))
		wasm_begin(w);
	else if (how == TASK_WASM_LOST && w->lost < TRIES)
		;                            /* the host call goes on; its answer starts the next
		                                instance */
	else if (how == TASK_WASM_LOST)
		fail(w, "error.wasm.lost", "WasmError", words);
	else if (how == TASK_WASM_TRAP)
		fail(w, "error.wasm.trap", "WasmError", words);
	else if (how == TASK_WASM_REFUSED)
		fail(w, "error.wasm.refused", "WasmError", words);
	else
		returned(w, code);
	task_leave(t);
}

/* ---- how it begins ---------------------------------------------------------------------- */

static bool
message_make(struct wasm_piece *w)
{
	struct piece *p = &w->p;
	struct val v;

	w->message = BUF(LIMIT_ACL_BYTES);
	if (!agent_has(piece_field(p, WASM_FIELD_INPUT)))
		v = val_ref(p->task->input);
	else if (!piece_eval(p, WASM_FIELD_INPUT, &v))
		return false;
	json_add_fmt(&w->message, "{'performative':'request','sender':'run','content':");
	if (v.kind == VAL_UNDEFINED)
		buf_lit(&w->message, "null");
	else
		val_add_json(&w->message, v);
	val_drop(v);
	buf_add_char(&w->message, '}');
	if (!w->message.failed)
		return true;
	piece_fail(p, "error.execution", "LimitError", "line %u: wasm.input: larger than %d bytes",
	    p->spec->line, LIMIT_ACL_CONTENT_BYTES);
	return false;
}

static void
wasm_start(struct piece *p)
{
	struct wasm_piece *w = wasm_of(p);

	w->reply = w->reply_act = w->value = VAL_UNDEF;
	w->ns = BUF(WASM_NAMESPACE_BYTES);
	if (p->task->host->wasm == NULL) {
		piece_fail(p, "error.execution", "NotFoundError", "line %u: wasm: there is no "
		    "sandbox here; `cohort serve` has one", p->spec->line);
		return;
	}
	if (!message_make(w))
		return;
	w->w = (struct task_wasm){ .module = agent_name(piece_field(p, WASM_FIELD_NAME)),
	    .message = buf_str(&w->message), .send = on_send, .reply = on_reply, .ask = on_ask,
	    .done = on_done };
	wasm_begin(w);
}

static void
wasm_leave(struct piece *p)
{
	wasm_abandon(wasm_of(p));
}

static void
wasm_release(struct piece *p)
{
	struct wasm_piece *w = wasm_of(p);

	forget_said(w);
	free(w->sends);
	buf_release(&w->message);
	wasm_ask_release(w);
}

static bool
wasm_is_open(const struct piece *p)
{
	const struct wasm_piece *w = CONTAINER_OF(p, const struct wasm_piece, p);

	return call_is_open(w->call) || use_is_open(w->use);
}

const struct task_run task_wasm = {
	.size = sizeof(struct wasm_piece), .traits = TASK_EFFECT | TASK_WAITS,
	.start = wasm_start, .stop = wasm_leave, .release = wasm_release,
	.is_open = wasm_is_open,
};
