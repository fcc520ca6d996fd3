/*
 * llm_script.c - a model's answers as the agent's file says them: `reply`, or one
 * of `replies` by the ai messages so far.  They stream like a model's.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/json.h"
#include "llm/script.h"
#include "task/llm_priv.h"

/* ---- what is said --------------------------------------------------------------- */

/* How many ai messages the conversation has. */
static bool
turns_so_far(struct piece *p, size_t *n)
{
	struct val list;

	*n = 0;
	if (!llm_listen(llm_of(p)))
		return false;
	list = llm_of(p)->list;
	for (size_t i = 0; i < val_count(list); i++)
		*n += message_type(val_at(list, i)) == MSG_AI;
	return true;
}

/* The one whose turn it is; after the last comes the first. */
static bool
read_replies(struct piece *p, struct val *out)
{
	const struct agent_value *v = piece_field(p, LLM_REPLIES);
	size_t n;

	if (!turns_so_far(p, &n))
		return false;
	if (v->form == VALUE_LIST && v->n > 0)
		return piece_eval_value(p, &v->items[n % v->n], "replies", out);
	if (v->form == VALUE_CONST && val_count(v->constant) > 0) {
		*out = val_copy(val_at(v->constant, n % val_count(v->constant)));
		return true;
	}
	return piece_eval_value(p, v, "replies", out);
}

/* A message of type ai, not yet in the stored form. */
static struct val
as_message(struct val reply)
{
	struct val m;

	if (reply.kind == VAL_OBJECT)
		return val_has(reply, S("type")) || val_has(reply, S("role")) ?
		    val_ref(reply) : val_set_take(val_ref(reply), S("type"),
		    val_string(S("ai")));
	m = val_set_take(val_object_empty(), S("type"), val_string(S("ai")));
	return val_set_take(m, S("content"), val_ref(reply));
}

static bool
message_of(struct llm_piece *w, struct val reply, struct val *out)
{
	struct piece *p = &w->p;
	struct val m = as_message(reply), id, own = val_get(m, S("id"));
	struct str chosen;
	struct err e;
	int rc;

	if (!piece_eval_text(p, LLM_ID, &id)) {
		llm_stream_end(w, VAL_UNDEF);
		val_drop(m);
		return false;
	}
	if (id.kind != VAL_STRING && own.kind == VAL_STRING)
		id = val_ref(own);
	chosen = llm_message_id(w, id.kind == VAL_STRING ? val_str(id) : STR_NONE);
	if (chosen.n > 0)
		m = val_set_take(m, S("id"), val_string(chosen));
	rc = message_from(m, "llm.reply", out, NULL, &e);
	val_drop(id);
	val_drop(m);
	if (rc == OK && message_type(*out) != MSG_AI) {
		val_drop(*out);
		rc = err_set(&e, ERR_INVALID, "llm.reply: expected an ai message");
	}
	if (rc == OK)
		return true;
	llm_stream_end(w, VAL_UNDEF);
	piece_fail(p, "error.llm.backend", "InternalServerError", "line %u: %s",
	    p->spec->line, e.text);
	return false;
}

/* ---- how it streams --------------------------------------------------------------- */

/* Cuts the next chunk off. */
static struct str
next_chunk(const struct agent_value *chunk, struct str *rest)
{
	struct str whole = *rest, token;
	size_t n;

	if (!agent_has(chunk)) {
		*rest = STR_NONE;
		return whole;
	}
	if (agent_int(chunk, CHUNK_WORD) == CHUNK_WORD) {
		script_next_token(rest, &token);
		return token;
	}
	n = str_utf8_step(whole);
	n = n > 0 ? n : 1;
	*rest = str_sub(whole, n, whole.n);
	return str_sub(whole, 0, n);
}

static bool
tell(struct llm_piece *w, const struct llm_delta *d)
{
	struct task *t = w->p.task;

	if (!t->over)
		t->host->stream_delta(t->ctx, w->stream, d);
	return !t->over;
}

static bool
tell_text(struct llm_piece *w, struct str id, struct str rest)
{
	const struct agent_value *chunk = piece_field(&w->p, LLM_CHUNK);
	struct llm_delta d = { .kind = LLM_DELTA_TEXT, .id = id };
	struct buf raw = BUF(LIMIT_STATE_BYTES);
	bool goes_on = true;

	while (goes_on && rest.n > 0) {
		buf_clear(&raw);
		json_add_escaped(&raw, next_chunk(chunk, &rest));
		d.text_raw = buf_str(&raw);
		goes_on = tell(w, &d);
	}
	buf_release(&raw);
	return goes_on;
}

static bool
tell_call(struct llm_piece *w, struct str id, struct val call, int64_t index)
{
	struct buf name = BUF(LIMIT_STATE_BYTES), args = BUF(LIMIT_STATE_BYTES);
	struct buf text = BUF(LIMIT_STATE_BYTES), call_id = BUF(LIMIT_STATE_BYTES);
	struct llm_delta d = { .kind = LLM_DELTA_TOOL, .id = id, .index = index };
	struct val v = val_get(call, S("id"));
	bool goes_on;

	if (v.kind == VAL_STRING)
		json_add_escaped(&call_id, val_str(v));
	v = val_get(call, S("name"));
	if (v.kind == VAL_STRING)
		json_add_escaped(&name, val_str(v));
	val_add_json(&text, val_get(call, S("args")));
	json_add_escaped(&args, buf_str(&text));
	d.id_raw = buf_str(&call_id);
	d.name_raw = buf_str(&name);
	d.args_raw = buf_str(&args);
	goes_on = tell(w, &d);
	buf_release(&name);
	buf_release(&args);
	buf_release(&text);
	buf_release(&call_id);
	return goes_on;
}

static void
tell_message(struct llm_piece *w, struct val message)
{
	struct val calls = val_get(message, S("tool_calls")), text = message_text(message);
	struct str id = message_id(message);
	struct llm_delta start = { .kind = LLM_DELTA_START, .id = id };
	struct llm_delta finish = { .kind = LLM_DELTA_FINISH, .id = id,
	    .finish_raw = val_count(calls) > 0 ? S("tool_calls") : S("stop") };
	bool goes_on = tell(w, &start) && tell_text(w, id, val_str(text));

	for (size_t i = 0; goes_on && i < val_count(calls); i++)
		goes_on = tell_call(w, id, val_at(calls, i), (int64_t)i);
	if (goes_on)
		tell(w, &finish);
	val_drop(text);
}

void
llm_reply(struct llm_piece *w)
{
	struct piece *p = &w->p;
	struct val reply, message;
	bool said = agent_has(piece_field(p, LLM_REPLY)) ? piece_eval(p, LLM_REPLY, &reply) :
	    read_replies(p, &reply);

	if (!said)
		return;
	if (llm_cites(w) && !llm_listen(w)) {
		val_drop(reply);
		return;
	}
	if (!piece_may_spend(p, &(struct task_cost){ .turns = 1, .tokens = 1 })) {
		val_drop(reply);
		return;
	}
	llm_hear(w);
	llm_stream_begin(w, S("scripted:reply"));
	if (message_of(w, reply, &message)) {
		message = llm_cite(w, message);
		if (llm_wants_deltas(w))
			tell_message(w, message);
		piece_spent_message(p, message);
		llm_answered(w, message);
	}
	val_drop(reply);
}
