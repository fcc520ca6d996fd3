/*
 * llm_cut.c - long conversations: which part of one is not sent.
 *
 *	truncate: {tokens: N, keep: K, summary: true | {model, prompt}}
 *
 * What is sent: the system messages at its beginning and the K messages after them, a
 * summary of what is left out, and as much of its end as fits N tokens.  Nothing is cut
 * between a call and its answer, and the end begins with a person's words where it can.
 * The state keeps everything.
 *
 * Tokens are a quarter of the bytes as stored, or more if the last answer's usage says
 * so.  Texts are weighed and not decoded: a turn costs a walk over the conversation.
 *
 * A summary is made once for each part that is cut off, by a model, and kept in a
 * hidden channel with the message it reaches to; the next one is made of it and what
 * followed.  Without one (the model failed) the request is sent all the same.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "base/json.h"
#include "task/llm_priv.h"

#define REQUEST_BYTES (4 * (size_t)LIMIT_STATE_BYTES)
#define INTRO "Summary of the conversation so far:\n"
#define ASK "Summarise the conversation so far for somebody who has to go on with it: " \
	"what is wanted, what was found and decided, what is open, and every name, number " \
	"and path that will be needed. Answer with the summary alone."

/* ---- what the file says -------------------------------------------------------------- */

static bool
is_count(struct val v, int64_t min)
{
	return v.kind == VAL_INT && v.u.i >= min && v.u.i <= INT32_MAX;
}

static bool
is_summary(struct val v)
{
	if (v.kind == VAL_BOOL)
		return true;
	for (size_t i = 0; v.kind == VAL_OBJECT && i < val_count(v); i++)
		if ((!str_eq(val_key(v, i), S("model")) && !str_eq(val_key(v, i), S("prompt"))) ||
		    val_member(v, i).kind != VAL_STRING)
			return false;
	return v.kind == VAL_OBJECT;
}

static int
check_option(struct str key, struct val v, struct err *e)
{
	if (str_eq(key, S("tokens")))
		return is_count(v, 1) ? OK :
		    err_set(e, ERR_INVALID, "tokens: expected a whole number from 1");
	if (str_eq(key, S("keep")))
		return is_count(v, 0) ? OK :
		    err_set(e, ERR_INVALID, "keep: expected a whole number from 0");
	if (str_eq(key, S("summary")))
		return is_summary(v) ? OK :
		    err_set(e, ERR_INVALID, "summary: expected true, false, or {model, prompt}");
	return err_set(e, ERR_INVALID, "unknown key '%.*s'; expected tokens, keep or summary",
	    FMT(str_cut(key, 100)));
}

int
llm_cut_check(struct val v, struct err *e)
{
	int rc = OK;

	for (size_t i = 0; v.kind == VAL_OBJECT && i < val_count(v) && rc == OK; i++)
		rc = check_option(val_key(v, i), val_member(v, i), e);
	if (rc == OK && (v.kind != VAL_OBJECT || !val_has(v, S("tokens"))))
		rc = err_set(e, ERR_INVALID, "expected {tokens: N}");
	return rc;
}

static struct val
option(const struct llm_piece *w, struct str name)
{
	const struct agent_value *v = piece_field(&w->p, LLM_TRUNCATE);

	return agent_has(v) ? val_get(v->constant, name) : VAL_UNDEF;
}

bool
llm_cuts(const struct llm_piece *w)
{
	return agent_has(piece_field(&w->p, LLM_TRUNCATE));
}

/* ---- weights --------------------------------------------------------------------------- */

static int64_t
weight(struct val message)
{
	struct str text = val_json_text(message);
	struct buf b = BUF(LIMIT_STATE_BYTES);
	int64_t n = (int64_t)text.n;

	if (text.p == NULL) {
		val_add_json(&b, message);
		n = (int64_t)b.n;
		buf_release(&b);
	}
	return n / 4 + 1;
}

static int64_t
weight_of(struct val list, size_t from, size_t to)
{
	int64_t sum = 0;

	for (size_t i = from; i < to; i++)
		sum += weight(val_at(list, i));
	return sum;
}

/* What the last answer's usage says of the conversation up to now; 0: nothing. */
static int64_t
used(struct val list)
{
	size_t i = val_count(list);
	struct val usage, in, out;

	while (i > 0 && message_type(val_at(list, i - 1)) != MSG_AI)
		i--;
	if (i == 0)
		return 0;
	usage = val_get(val_at(list, i - 1), S("usage_metadata"));
	if (usage.kind != VAL_OBJECT)
		return 0;
	in = val_get(usage, S("input_tokens"));
	out = val_get(usage, S("output_tokens"));
	if (in.kind != VAL_INT || out.kind != VAL_INT || in.u.i < 0 || out.u.i < 0 ||
	    in.u.i > INT32_MAX || out.u.i > INT32_MAX)
		return 0;
	return in.u.i + out.u.i + weight_of(list, i, val_count(list));
}

/* ---- where to cut ------------------------------------------------------------------------ */

static bool
is_type(struct val list, size_t i, enum message_type type)
{
	return message_type(val_at(list, i)) == type;
}

/* The first messages that stay, with the answers to their calls. */
static size_t
head_of(const struct llm_piece *w)
{
	struct val keep = option(w, S("keep"));
	size_t n = val_count(w->list), i = 0;

	while (i < n && is_type(w->list, i, MSG_SYSTEM))
		i++;
	if (keep.kind == VAL_INT)
		i += (size_t)keep.u.i;
	while (i < n && is_type(w->list, i, MSG_TOOL))
		i++;
	return i < n ? i : n;
}

/* The end that fits: from a person's words if they are in its older half, else from an
 * answer; at least the last words and what belongs to them. */
static size_t
tail_of(struct val list, size_t from, int64_t room)
{
	size_t n = val_count(list), i = n, at;

	while (i > from && (room -= weight(val_at(list, i - 1))) >= 0)
		i--;
	while (i < n && is_type(list, i, MSG_TOOL))
		i++;
	for (at = i; at < i + (n - i + 1) / 2; at++)
		if (is_type(list, at, MSG_HUMAN))
			return at;
	if (i < n)
		return i;
	while (i > from + 1 && is_type(list, i - 1, MSG_TOOL))
		i--;
	return i > from ? i - 1 : from;
}

/* ---- the summary that there is ------------------------------------------------------------- */

static struct val
kept_summary(struct llm_piece *w)
{
	const struct channels *cs = w->p.spec->summary < 0 ? NULL : piece_state(&w->p);

	return cs == NULL ? VAL_UNDEF : channels_get(cs, (size_t)w->p.spec->summary);
}

/* How many messages it stands for; 0: it is of another conversation. */
static size_t
reach(struct val list, struct val summary, size_t head)
{
	struct val id = summary.kind == VAL_OBJECT ? val_get(summary, S("to")) : VAL_UNDEF;

	for (size_t i = val_count(list); id.kind == VAL_STRING && i > head; i--)
		if (str_eq(message_id(val_at(list, i - 1)), val_str(id)))
			return i;
	return 0;
}

static void
take_summary(struct llm_piece *w, struct val summary, size_t to)
{
	val_drop(w->summary);
	w->summary = val_ref(val_get(summary, S("text")));
	w->tail = to;
}

/* ---- a new one ------------------------------------------------------------------------------- */

static struct val
intro(struct val text)
{
	struct buf b = BUF(LIMIT_STATE_BYTES);
	struct val words, m = VAL_UNDEF;
	struct err e;

	buf_lit(&b, INTRO);
	buf_add(&b, text.kind == VAL_STRING ? val_str(text) : STR_NONE);
	words = val_string(buf_str(&b));
	if (message_from(words, "llm.truncate", &m, NULL, &e) != OK)
		m = VAL_UNDEF;
	val_drop(words);
	buf_release(&b);
	return m;
}

static void
add_text(struct arena *a, struct llm_request *q, struct str *at, struct val m)
{
	struct buf b = BUF(LIMIT_STATE_BYTES);

	if (m.kind == VAL_UNDEFINED)
		return;
	val_add_json(&b, m);
	at[q->messages_n++] = arena_str(a, buf_str(&b));
	buf_release(&b);
}

/* The old summary, what is cut off since, and the question. */
static void
summary_messages(struct llm_piece *w, struct arena *a, struct llm_request *q)
{
	struct val prompt = val_get(option(w, S("summary")).kind == VAL_OBJECT ?
	    option(w, S("summary")) : VAL_NIL, S("prompt"));
	struct val words = val_string(prompt.kind == VAL_STRING ? val_str(prompt) : S(ASK));
	struct val m = VAL_UNDEF, old = VAL_UNDEF;
	struct str *at = arena_zero(a, (w->goal - w->tail + 3) * sizeof *at);
	struct err e;

	if (w->summary.kind == VAL_STRING)
		old = intro(w->summary);
	add_text(a, q, at, old);
	for (size_t i = w->from; i < w->goal; i++)
		add_text(a, q, at, val_at(w->list, i));
	if (message_from(words, "llm.truncate", &m, NULL, &e) == OK)
		add_text(a, q, at, m);
	q->messages = at;
	val_drop(words);
	val_drop(old);
	val_drop(m);
}

static void
keep_summary(struct llm_piece *w, struct val text)
{
	struct val v = val_set_take(val_object_empty(), S("to"), val_string(message_id(
	    val_at(w->list, w->goal - 1))));
	struct buf json = BUF(LIMIT_STATE_BYTES);

	v = val_set_take(v, S("text"), val_ref(text));
	val_add_json(&json, v);
	record_part(&w->p, S("summary"), S("llm"), buf_str(&json));
	buf_release(&json);
	take_summary(w, v, w->goal);
	(void)piece_write(&w->p, (unsigned)w->p.spec->summary, v, 0);
}

/* Without an answer what is cut off is left out. */
static void
on_summary(void *ctx, int rc, const struct llm_answer *a, const char *error_event,
    const struct err *e)
{
	struct llm_piece *w = ctx;
	struct task *t = w->p.task;
	struct val message = VAL_UNDEF, text = VAL_UNDEF;
	struct err why;

	(void)error_event;
	(void)e;
	w->call = NULL;
	if (!task_enter(t))
		return;
	if (rc == OK)
		piece_spent(&w->p, &a->usage, a->model);
	else
		spend_leave(&w->p);
	if (rc == OK && message_of_answer(a->message_json, S("summary"), &message, &why) == OK)
		text = message_text(message);
	if (text.kind == VAL_STRING && val_str(text).n > 0)
		keep_summary(w, text);
	else
		w->tail = w->goal;
	val_drop(text);
	val_drop(message);
	llm_prepare_next(w);
	task_leave(t);
}

/* False: it was not asked for, and the step is done. */
static bool
ask_summary(struct llm_piece *w)
{
	static const struct llm_hooks none = { 0 };
	struct llm_hooks hooks = none;
	struct task *t = w->p.task;
	struct arena a = ARENA(REQUEST_BYTES);
	struct val own = option(w, S("summary"));
	struct val model = own.kind == VAL_OBJECT ? val_get(own, S("model")) : VAL_UNDEF;
	struct llm_request q = { 0 };
	struct err e = { 0 };

	hooks.done = on_summary;
	hooks.ctx = w;
	if (llm_request_model(&w->p, &a, &q)) {
		if (model.kind == VAL_STRING)
			q.model = val_str(model);
		q.temperature = NAN;
		summary_messages(w, &a, &q);
		if (!a.failed)
			w->call = t->host->llm(t->ctx, &q, &hooks, &e);
	}
	arena_release(&a);
	return w->call != NULL;
}

/* ---- the step ---------------------------------------------------------------------------------- */

/* Of an earlier attempt in this very turn. */
static bool
again(struct llm_piece *w)
{
	const struct known *k = record_find(&w->p, S("summary"));
	struct val v;
	size_t to;

	if (k == NULL || k->result_json.p == NULL)
		return false;
	v = val_json_trusted(k->result_json);
	to = reach(w->list, v, w->head);
	if (to > 0) {
		take_summary(w, v, to);
		(void)piece_write(&w->p, (unsigned)w->p.spec->summary, val_ref(v), 0);
	}
	val_drop(v);
	return to > 0;
}

/* How much of the end there is room for; false: all of it fits.  Harder: the model has
 * refused what fitted. */
static bool
room_of(struct llm_piece *w, int64_t all, int64_t *room)
{
	int64_t limit = option(w, S("tokens")).u.i, said = used(w->list);
	int64_t most = said > all ? said : all;

	if (most <= limit && !w->harder)
		return false;
	if (w->harder)
		limit = (most < limit ? most : limit) / 2;
	if (said > all)                      /* a token is less than four bytes */
		limit = limit * all / said;
	*room = limit - weight_of(w->list, 0, w->head) -
	    (w->summary.kind == VAL_STRING ? weight(w->summary) : 0);
	return true;
}

/* One as long as a request may be: of more than that the older part is left out. */
static size_t
summary_from(const struct llm_piece *w)
{
	int64_t over = weight_of(w->list, w->tail, w->goal) -
	    2 * option(w, S("tokens")).u.i;
	size_t i = w->tail;

	for (; i < w->goal && over > 0; i++)
		over -= weight(val_at(w->list, i));
	while (i < w->goal && is_type(w->list, i, MSG_TOOL))
		i++;
	return i;
}

/* It is a turn as any other to budgets. */
static bool
may_ask(struct llm_piece *w)
{
	return piece_may_spend(&w->p, &(struct task_cost){ .turns = 1,
	    .tokens = weight_of(w->list, w->from, w->goal) });
}

bool
llm_cut(struct llm_piece *w)
{
	int64_t all, room;
	size_t to;

	w->head = w->tail = 0;
	val_drop(w->summary);
	w->summary = VAL_UNDEF;
	if (!llm_cuts(w))
		return true;
	w->head = w->tail = head_of(w);
	to = reach(w->list, kept_summary(w), w->head);
	if (to > 0)
		take_summary(w, kept_summary(w), to);
	if (w->p.spec->summary >= 0 && again(w))
		return w->p.state == PIECE_RUNS;
	all = weight_of(w->list, 0, w->head) + weight_of(w->list, w->tail,
	    val_count(w->list)) + (to > 0 ? weight(w->summary) : 0);
	if (!room_of(w, all, &room))
		return true;
	w->goal = tail_of(w->list, w->tail, room);
	if (w->goal <= w->tail)
		return true;
	w->from = summary_from(w);
	if (w->p.spec->summary >= 0 && !may_ask(w))
		return false;
	if (w->p.spec->summary >= 0 && ask_summary(w))
		return false;
	w->tail = w->goal;
	return w->p.state == PIECE_RUNS;
}

struct val
llm_cut_summary(const struct llm_piece *w)
{
	return w->summary.kind == VAL_STRING ? intro(w->summary) : VAL_UNDEF;
}
