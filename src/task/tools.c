/*
 * tools.c - runs the calls of the last ai message, all at once.
 *
 * The calls stand in the message, so a task that comes back after a crash finds
 * them there.  An invalid call (invalid_tool_calls) is answered too, with the
 * error, so that the model can correct it.  What a person has to see first is
 * asked before any call is made (review.c).
 *
 * A call that waits for a person (an agent as a tool) lets the others end, which are
 * recorded; then the piece waits.
 *
 * Writes: the edited ai message, if there is one, and the tool messages in the
 * order of the calls.  Its result is the list of the tool messages.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/json.h"
#include "task/llm_priv.h"
#include "task/tools_priv.h"

#define WROTE_SHOWN 200                      /* of arguments that cannot be read */

static struct tools_piece *
tools_of(struct piece *p)
{
	return CONTAINER_OF(p, struct tools_piece, p);
}

/* ---- results ---------------------------------------------------------------------- */

/* A message (taken) whose content is cut to what is left for all. */
static struct val
fit(struct val message, size_t *left)
{
	struct val content = val_get(message, S("content"));
	size_t n = content.kind == VAL_STRING ? val_str(content).n : 0;
	struct buf b = BUF(LIMIT_TOOL_TURN_BYTES + KB);
	struct val shorter;

	if (n <= *left) {
		*left -= n;
		return message;
	}
	buf_add(&b, str_cut(val_str(content), *left));
	buf_add_fmt(&b, "\n[cut: %zu bytes; the results of one message may have %d together]", n,
	    LIMIT_TOOL_TURN_BYTES);
	*left = 0;
	shorter = val_string(buf_str(&b));
	buf_release(&b);
	return val_set_take(message, S("content"), shorter);
}

static void
node_done(struct tools_piece *w)
{
	struct piece *p = &w->p;
	struct val messages = val_array_empty(), results = val_array_empty();
	unsigned known = REDUCE_STORED;
	size_t left = LIMIT_TOOL_TURN_BYTES;

	if (w->edited.kind != VAL_UNDEFINED)
		messages = val_push_take(messages, val_ref(w->edited));
	else
		known |= REDUCE_NEW_IDS;
	for (size_t i = 0; i < w->n; i++) {
		w->slots[i].result = fit(w->slots[i].result, &left);
		messages = val_push_take(messages, val_ref(w->slots[i].result));
		results = val_push_take(results, w->slots[i].result);
		w->slots[i].result = VAL_UNDEF;
	}
	if (val_count(messages) == 0)
		val_drop(messages);
	else if (!piece_write_messages(p, messages, known)) {
		val_drop(results);
		return;
	}
	piece_done(p, results);
}

/* One is over; with the last one the node is. */
static void
slot_over(struct tools_piece *w)
{
	assert(w->open > 0);
	if (--w->open > 0)
		return;
	if (w->waiting > 0)
		piece_waits(&w->p);
	else
		node_done(w);
}

static void
slot_done(struct tools_piece *w, struct slot *s, struct val message)
{
	assert(s->result.kind == VAL_UNDEFINED);
	s->result = message;
	slot_over(w);
}

static void
slot_say(struct tools_piece *w, struct slot *s, bool ok, struct str content)
{
	slot_done(w, s, call_message(str_of(s->id), str_of(s->name), ok, content));
}

/* ---- running ------------------------------------------------------------------------ */

static void
on_call(struct piece *p, void *arg, const struct call_end *end)
{
	struct slot *s = arg;
	struct task *t = p->task;
	struct str id = str_of(s->id), name = str_of(s->name);
	struct val message;

	s->call = NULL;
	s->use = NULL;
	if (end->waits) {
		tools_of(p)->waiting++;
		slot_over(tools_of(p));
		return;
	}
	message = call_message(id, name, end->ok, end->content);
	if (end->journal || tools_of(p)->records)
		record_part(p, id, name, val_json_text(message));
	if (end->ran && t->host->tool != NULL) {
		struct val why = val_string(end->content);

		t->host->tool(t->ctx, end->ok ? TOOL_END : TOOL_ERROR, id, name,
		    end->ok ? message : why);
		val_drop(why);
	}
	slot_done(tools_of(p), s, message);
}

static void
slot_refuse(struct tools_piece *w, struct slot *s)
{
	struct buf b = BUF(LIMIT_TOOL_RESULT_BYTES);

	buf_add_fmt(&b, "Error: there is no tool \"%.*s\" here.",
	    FMT(str_sub(str_of(s->name), 0, 64)));
	offer_add_names(&b, &w->p);
	slot_say(w, s, false, buf_str(&b));
	buf_release(&b);
}

static void
slot_correct(struct tools_piece *w, struct slot *s)
{
	struct buf b = BUF(LIMIT_TOOL_RESULT_BYTES);
	struct str wrote = str_cut(str_of(s->args), WROTE_SHOWN);

	buf_lit(&b, "Error: the call was not made. ");
	buf_add(&b, str_of(s->problem));
	if (!str_ends(str_of(s->problem), S(".")))
		buf_add_char(&b, '.');
	buf_lit(&b, " Arguments are one complete JSON object; these were: ");
	buf_add(&b, wrote);
	if (wrote.n < strlen(s->args))
		buf_lit(&b, "...");
	slot_say(w, s, false, buf_str(&b));
	buf_release(&b);
}

static void
slot_begin(struct tools_piece *w, struct slot *s)
{
	const struct known *k = record_find(&w->p, str_of(s->id));
	struct call_want want = { .id = str_of(s->id), .name = str_of(s->name),
	    .args_json = str_of(s->args), .done = on_call, .arg = s };

	if (k != NULL && k->result_json.p != NULL) {
		piece_spent_before(&w->p, &(struct task_cost){ .tool_calls = 1 });
		slot_done(w, s, val_json_trusted(k->result_json));
	} else if (s->decision != NULL)
		slot_say(w, s, s->decision_ok, str_of(s->decision));
	else if (s->problem != NULL)
		slot_correct(w, s);
	else if (!offer_allows(&w->p, str_of(s->name)))
		slot_refuse(w, s);
	else if (use_is_wanted(&w->p, str_of(s->name)))
		s->use = use_start(&w->p, &want);
	else
		s->call = call_start(&w->p, &want);
}

/* ---- the calls ------------------------------------------------------------------------ */

static char *
text_of(struct val object, struct str key)
{
	struct val v = val_get(object, key);

	return mem_cstr(v.kind == VAL_STRING ? val_str(v) : STR_NONE);
}

/* An event of an llm is no tool's call, and one that has its answer behind the
 * message needs no other: such were events, too. */
static bool
is_open(const struct tools_piece *w, struct val call, struct val messages, size_t after)
{
	struct val name = val_get(call, S("name")), id = val_get(call, S("id"));

	if (w->p.spec->kind->run == &task_llm && llm_events_count(&w->p) > 0 &&
	    name.kind == VAL_STRING && llm_is_event(val_str(name)))
		return false;
	for (size_t i = after; i < val_count(messages); i++)
		if (message_type(val_at(messages, i)) == MSG_TOOL && val_equal(
		    val_get(val_at(messages, i), S("tool_call_id")), id))
			return false;
	return true;
}

/* problem: what is wrong with it, or UNDEF. */
static void
slot_add(struct tools_piece *w, struct val call, size_t at, struct val problem)
{
	struct slot *s = &w->slots[w->n++];
	struct buf args = BUF(LIMIT_LLM_BODY_BYTES);

	s->at = at;
	s->id = text_of(call, S("id"));
	s->name = text_of(call, S("name"));
	if (problem.kind == VAL_STRING) {
		s->args = text_of(call, S("args"));
		s->problem = mem_cstr(val_str(problem));
		return;
	}
	val_add_json(&args, val_get(call, S("args")));
	s->args = mem_cstr(buf_str(&args));
	buf_release(&args);
}

/* A client may have written the message: every call is answered, not every one made. */
static void
slot_leave_out(struct slot *s)
{
	struct buf b = BUF(KB);

	buf_add_fmt(&b, "Error: the call was not made: a message may have %d calls.",
	    LIMIT_TOOL_CALLS);
	s->decision = mem_cstr(buf_str(&b));
	buf_release(&b);
}

static void
slots_make(struct tools_piece *w)
{
	struct val base, messages, calls, invalid;
	size_t at;

	if (!llm_loop_said(&w->p, &base, &messages))
		messages = piece_messages(&w->p);
	at = val_count(messages);
	while (at > 0 && message_type(val_at(messages, at - 1)) != MSG_AI)
		at--;
	if (at == 0)
		return;
	w->message = val_ref(val_at(messages, at - 1));
	calls = val_get(w->message, S("tool_calls"));
	invalid = val_get(w->message, S("invalid_tool_calls"));
	w->slots = mem_zero((val_count(calls) + val_count(invalid) + 1) * sizeof *w->slots);
	for (size_t i = 0; i < val_count(calls); i++)
		if (is_open(w, val_at(calls, i), messages, at)) {
			slot_add(w, val_at(calls, i), i, VAL_UNDEF);
			if (w->n > LIMIT_TOOL_CALLS)
				slot_leave_out(&w->slots[w->n - 1]);
		}
	w->valid = w->n;
	for (size_t i = 0; i < w->n; i++)
		w->records = w->records || use_may_wait(&w->p, str_of(w->slots[i].name));
	for (size_t i = 0; i < val_count(invalid); i++) {
		struct val error = val_get(val_at(invalid, i), S("error"));

		if (error.kind == VAL_STRING &&
		    is_open(w, val_at(invalid, i), messages, at))
			slot_add(w, val_at(invalid, i), i, error);
	}
}

/* Calls under way come back to nobody. */
static void
tools_stop(struct piece *p)
{
	struct tools_piece *w = tools_of(p);

	for (size_t i = 0; i < w->n; i++) {
		if (w->slots[i].call != NULL)
			call_forget(w->slots[i].call);
		if (w->slots[i].use != NULL)
			use_stop(w->slots[i].use);
		w->slots[i].call = NULL;
		w->slots[i].use = NULL;
	}
}

static void
tools_start(struct piece *p)
{
	struct tools_piece *w = tools_of(p);

	slots_make(w);
	if (p->state != PIECE_RUNS || !review_passes(w))
		return;
	/* One more than there are, so that the node is not done before all of
	 * them have begun. */
	w->open = w->n + 1;
	for (size_t i = 0; i < w->n && !p->task->over && p->state == PIECE_RUNS; i++)
		slot_begin(w, &w->slots[i]);
	if (p->state != PIECE_RUNS)          /* a budget is used up */
		tools_stop(p);
	else
		slot_over(w);
}

static void
tools_release(struct piece *p)
{
	struct tools_piece *w = tools_of(p);

	for (size_t i = 0; i < w->n; i++) {
		struct slot *s = &w->slots[i];

		val_drop(s->result);
		free(s->id);
		free(s->name);
		free(s->args);
		free(s->problem);
		free(s->decision);
	}
	free(w->slots);
	val_drop(w->message);
	val_drop(w->edited);
}

static bool
tools_are_open(const struct piece *p)
{
	const struct tools_piece *w = tools_of((struct piece *)p);

	for (size_t i = 0; i < w->n; i++)
		if (call_is_open(w->slots[i].call) || use_is_open(w->slots[i].use))
			return true;
	return false;
}

const struct task_run task_tools = {
	.size = sizeof(struct tools_piece), .traits = TASK_EFFECT | TASK_WAITS | TASK_TALKS,
	.start = tools_start, .stop = tools_stop, .release = tools_release,
	.is_open = tools_are_open,
};
