/*
 * eval_take.c - see eval_take.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/eval_take.h"

#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"
#include "main/compare.h"
#include "main/pages.h"
#include "run/transcript.h"
#include "state/message.h"

#define PATH_BYTES 400

/* ---- the run ----------------------------------------------------------------------------- */

/* Entries of one run, which are in a row. */
struct span { struct val *at; size_t n; struct str run, status; bool input; };

static struct span
span_at(struct val *at, size_t n)
{
	struct span s = { .at = at, .run = entry_text(at[0], "run_id") };

	for (; s.n < n && str_eq(entry_text(at[s.n], "run_id"), s.run); s.n++) {
		struct val x = at[s.n];

		if (entry_is(x, "input"))
			s.input = true;
		else if (entry_is(x, "run_end"))
			s.status = entry_text(x, "status");
	}
	return s;
}

/* Takes the run at `at` and those that went on with it; *run: it is one of them. */
static struct span
follow(struct val *at, size_t n, struct str wanted, bool *found, struct eval_taken *out)
{
	struct span s = span_at(at, n);

	*out = (struct eval_taken){ .at = at, .n = s.n, .first = s.run };
	*found = str_eq_nocase(s.run, wanted);
	while (str_eq(s.status, S("interrupted")) && out->n < n) {
		struct span next = span_at(at + out->n, n - out->n);

		if (next.input)
			break;
		s.status = next.status;
		s.run = next.run;
		out->n += next.n;
		*found = *found || str_eq_nocase(s.run, wanted);
	}
	out->last = s.run;
	s.n = out->n;
	return s;
}

static struct val
last_of(const struct eval_taken *t, const char *kind)
{
	for (size_t i = t->n; i > 0; i--)
		if (entry_is(t->at[i - 1], kind))
			return t->at[i - 1];
	return VAL_UNDEF;
}

static int
check_end(const struct eval_taken *t, const struct span *s, struct err *e)
{
	struct val error = last_of(t, "error"), question = last_of(t, "interrupt");
	struct buf b = BUF(LIMIT_STATE_BYTES);

	if (!s->input) {
		err_set(e, ERR_INVALID, "run %.*s had no input: it went on from a checkpoint",
		    FMT(t->first));
	} else if (str_eq(s->status, S("error"))) {
		err_set(e, ERR_INVALID, "run %.*s failed: %.*s", FMT(t->last),
		    FMT(str_cut(entry_text(error, "message"), 300)));
	} else if (str_eq(s->status, S("interrupted")) && question.kind != VAL_UNDEFINED) {
		val_add_json(&b, val_get(question, S("value")));
		err_set(e, ERR_INVALID, "run %.*s waits for an answer: %.*s", FMT(t->last),
		    FMT(str_cut(buf_str(&b), 300)));
	} else {
		err_set(e, ERR_INVALID, "run %.*s has not ended well: its status is %.*s",
		    FMT(t->last), FMT(s->status.n > 0 ? s->status : S("running")));
	}
	buf_release(&b);
	return ERR_INVALID;
}

int
eval_take_run(struct val *entries, size_t n, struct str run, struct eval_taken *out,
    struct err *e)
{
	struct eval_taken t = { 0 }, best = { 0 };
	struct span s = { 0 };
	bool found = false, ended = false;

	for (size_t i = 0; i < n && !(found && run.n > 0); i += s.n) {
		s = follow(entries + i, n - i, run, &found, &t);
		ended = s.input && str_eq(s.status, S("success"));
		if (run.n == 0 && ended)
			best = t;
	}
	if (n == 0)
		return err_set(e, ERR_NOTFOUND, "the thread has no transcript: it has no runs, it "
		    "is a copy, or the server's setting `transcript` is off");
	if (run.n > 0 && !found)
		return err_set(e, ERR_NOTFOUND, "the thread has no transcript of run %.*s",
		    FMT(str_cut(run, 100)));
	if (run.n > 0 && ended)
		best = t;
	if (best.n == 0)
		return check_end(&t, &s, e);
	*out = best;
	out->n = compare_settle(best.at, best.n);
	return OK;
}

struct str
eval_take_checkpoint(const struct eval_taken *t, bool last)
{
	struct str id = STR_NONE;

	for (size_t i = 0; i < t->n; i++)
		if (entry_is(t->at[i], "checkpoint") && entry_text(t->at[i], "ns").n == 0 &&
		    (last || id.n == 0))
			id = entry_text(t->at[i], "checkpoint_id");
	return id;
}

void
eval_take_note_config(const struct eval_taken *t, struct buf *notes)
{
	static const char *const own[] = { "user-agent", "run_id", "thread_id", "graph_id",
		"assistant_id" };
	struct val request = val_get(t->at[0], S("request"));
	struct val config = val_get(val_get(request, S("config")), S("configurable"));
	const struct val parts[] = { config, val_get(request, S("context")) };

	for (size_t p = 0; p < COUNT(parts); p++)
		for (size_t i = 0; parts[p].kind == VAL_OBJECT && i < val_count(parts[p]); i++) {
			bool is_own = str_starts(val_key(parts[p], i), S("langgraph_"));

			for (size_t k = 0; k < COUNT(own); k++)
				is_own = is_own || str_eq(val_key(parts[p], i), str_of(own[k]));
			if (!is_own)
				buf_add_fmt(notes, "the run had %s.%.*s, and a case has no place "
				    "for it\n", p == 0 ? "config.configurable" : "context",
				    FMT(val_key(parts[p], i)));
		}
}

/* ---- what cannot be taken ------------------------------------------------------------------ */

static bool
is_media(struct val part)
{
	static const char *const types[] = { "image", "image_url", "audio", "input_audio", "file",
		"video", "media", "document" };
	struct str type = part.kind == VAL_OBJECT ? entry_text(part, "type") : STR_NONE;

	for (size_t i = 0; i < COUNT(types); i++)
		if (str_eq(type, str_of(types[i])))
			return true;
	return false;
}

/* Of any depth.  path: where it is. */
static int
check_value(struct val v, struct buf *path, struct err *e)
{
	size_t before = path->n;
	int rc = OK;

	if (is_media(v) && str_ends(str_sub(buf_str(path), 0, before), S("]")))
		return err_set(e, ERR_INVALID, "%.*s: it is a part of type %.*s; a case has texts "
		    "only", FMT(buf_str(path)), FMT(str_cut(entry_text(v, "type"), 40)));
	for (size_t i = 0; (v.kind == VAL_OBJECT || v.kind == VAL_ARRAY) && rc == OK &&
	    i < val_count(v); i++) {
		struct val x = v.kind == VAL_ARRAY ? val_at(v, i) : val_member(v, i);

		if (v.kind == VAL_ARRAY)
			buf_add_fmt(path, "[%zu]", i);
		else
			buf_add_fmt(path, ".%.*s", FMT(str_cut(val_key(v, i), 80)));
		if (v.kind == VAL_OBJECT && x.kind == VAL_STRING && val_str(x).n > 0 &&
		    transcript_is_secret(val_key(v, i)))
			rc = err_set(e, ERR_INVALID, "%.*s: it looks like a secret, and a dataset "
			    "is no place for one", FMT(buf_str(path)));
		else
			rc = check_value(x, path, e);
		path->failed = false;
		buf_cut(path, before);
	}
	return rc;
}

static int
check(struct val v, const char *name, struct err *e)
{
	struct buf path = BUF(PATH_BYTES);
	int rc;

	buf_add(&path, str_of(name));
	rc = check_value(v, &path, e);
	buf_release(&path);
	return rc;
}

/* ---- the input ------------------------------------------------------------------------------- */

/* What a message says, without ids and figures. */
static struct val
slim(struct val m)
{
	static const char *const kept[] = { "type", "content", "name", "tool_calls",
		"tool_call_id", "status" };
	struct val out = val_object_empty();

	for (size_t i = 0; i < COUNT(kept); i++) {
		struct val x = val_get(m, str_of(kept[i]));

		if (x.kind != VAL_UNDEFINED && x.kind != VAL_NULL &&
		    !(x.kind == VAL_ARRAY && i == 3 && val_count(x) == 0))
			out = val_set_take(out, str_of(kept[i]), val_ref(x));
	}
	return out;
}

/* A list of both: of messages, or of any values. */
static struct val
joined(struct val before, struct val more, bool messages)
{
	struct val out = val_array_empty();

	for (size_t i = 0; i < val_count(before); i++)
		out = val_push_take(out, messages ? slim(val_at(before, i)) :
		    val_ref(val_at(before, i)));
	if (more.kind == VAL_ARRAY)
		for (size_t i = 0; i < val_count(more); i++)
			out = val_push_take(out, val_ref(val_at(more, i)));
	else if (more.kind != VAL_UNDEFINED && more.kind != VAL_NULL)
		out = val_push_take(out, val_ref(more));
	return out;
}

static const struct channel *
channel_of(const struct agent *a, struct str name)
{
	int i = a == NULL ? -1 : agent_channel_find(a, name);

	return i < 0 ? NULL : &a->channels[i];
}

/* Adds to the input what a channel of the thread held before. */
static struct val
add_before(struct val input, struct str name, struct val held, const struct agent *a,
    struct buf *notes)
{
	const struct channel *c = channel_of(a, name);
	enum reducer reducer = c != NULL ? c->reducer : str_eq(name, S("messages")) ?
	    REDUCE_MESSAGES : REDUCE_LAST;
	struct val given = val_get(input, name);

	if (held.kind == VAL_NULL || ((held.kind == VAL_ARRAY || held.kind == VAL_OBJECT) &&
	    val_count(held) == 0) || (c != NULL && c->ephemeral))
		return input;
	if (c != NULL && !c->input)
		buf_add_fmt(notes, "channel '%.*s' had a value before the run, and is no input: the "
		    "case begins without it\n", FMT(name));
	else if (held.kind == VAL_ARRAY && (reducer == REDUCE_MESSAGES || reducer == REDUCE_APPEND))
		return val_set_take(input, name, joined(held, given, reducer == REDUCE_MESSAGES));
	else if (given.kind == VAL_UNDEFINED)
		return val_set_take(input, name, val_ref(held));
	else if (reducer != REDUCE_LAST)
		buf_add_fmt(notes, "channel '%.*s' had a value before the run: the case has only "
		    "what the run was given\n", FMT(name));
	return input;
}

/* {"messages": one message of a user, in words} is these words. */
static struct val
as_text(struct val input)
{
	struct val m = val_get(input, S("messages")), content;
	struct str role;

	if (m.kind == VAL_ARRAY && val_count(m) == 1)
		m = val_at(m, 0);
	if (val_count(input) != 1)
		return val_ref(input);
	if (m.kind == VAL_STRING)
		return val_ref(m);
	role = m.kind != VAL_OBJECT ? STR_NONE : entry_text(m, val_has(m, S("role")) ? "role" :
	    "type");
	content = m.kind == VAL_OBJECT ? val_get(m, S("content")) : VAL_UNDEF;
	if (content.kind == VAL_STRING && message_type_of(role) == MSG_HUMAN &&
	    !val_has(m, S("name")))
		return val_ref(content);
	return val_ref(input);
}

int
eval_take_input(const struct eval_taken *t, struct val before, const struct agent *a,
    struct val *out, struct buf *notes, struct err *e)
{
	struct val input = VAL_UNDEF;
	int rc;

	for (size_t i = 0; i < t->n && input.kind == VAL_UNDEFINED; i++)
		if (entry_is(t->at[i], "input"))
			input = val_get(t->at[i], S("input"));
	*out = VAL_UNDEF;
	if (input.kind != VAL_OBJECT)
		return err_set(e, ERR_INVALID, "the run's input is no object of channels");
	for (size_t i = 0; i < t->n; i++)
		if (entry_is(t->at[i], "message") &&
		    str_eq(entry_text(t->at[i], "direction"), S("received")))
			return err_set(e, ERR_INVALID, "the run got messages of other agents, and "
			    "a case has none");
	input = val_ref(input);
	for (size_t i = 0; before.kind == VAL_OBJECT && i < val_count(before); i++)
		input = add_before(input, val_key(before, i), val_member(before, i), a, notes);
	rc = check(input, "input", e);
	if (rc == OK)
		*out = as_text(input);
	val_drop(input);
	return rc;
}

/* ---- answers ------------------------------------------------------------------------------------ */

struct question { struct str id; struct val answer; };       /* UNDEF: it waits */
struct questions { struct question *at; size_t n, cap, waiting; };

static struct question *
waits(const struct questions *q, struct str id)
{
	for (size_t i = 0; i < q->n; i++)
		if (q->at[i].answer.kind == VAL_UNDEFINED && (id.n == 0 ||
		    str_eq(q->at[i].id, id)))
			return &q->at[i];
	return NULL;
}

static void
answer(struct questions *q, struct question *x, struct val v)
{
	x->answer = v;
	q->waiting--;
}

/* An answer for each id, or one for the only question. */
static int
take_resume(struct questions *q, struct val resume, struct err *e)
{
	bool ids = resume.kind == VAL_OBJECT && val_count(resume) > 0;

	for (size_t i = 0; ids && i < val_count(resume); i++)
		ids = waits(q, val_key(resume, i)) != NULL;
	if (q->waiting == 0)
		return OK;                   /* a breakpoint */
	if (!ids && q->waiting > 1)
		return err_set(e, ERR_INVALID, "one answer was given to %zu questions", q->waiting);
	if (!ids)
		answer(q, waits(q, STR_NONE), resume);
	for (size_t i = 0; ids && i < val_count(resume); i++)
		answer(q, waits(q, val_key(resume, i)), val_member(resume, i));
	return OK;
}

static int
take_question(struct questions *q, struct val entry, struct err *e)
{
	struct str id = entry_text(entry, "interrupt_id");
	struct val command = val_get(entry, S("command"));

	if (entry_is(entry, "interrupt") && id.n > 0 && waits(q, id) == NULL) {
		mem_grow(q->at, q->n, q->cap);
		q->at[q->n++] = (struct question){ .id = id, .answer = VAL_UNDEF };
		q->waiting++;
	}
	if (!entry_is(entry, "resumed"))
		return OK;
	for (size_t i = 0; i < val_count(command); i++)
		if (!str_eq(val_key(command, i), S("resume")) &&
		    val_member(command, i).kind != VAL_NULL)
			return err_set(e, ERR_INVALID, "run %.*s has a command with '%.*s'; a case "
			    "has answers only", FMT(entry_text(entry, "run_id")),
			    FMT(val_key(command, i)));
	return take_resume(q, val_get(command, S("resume")), e);
}

int
eval_take_answers(const struct eval_taken *t, struct val *out, struct err *e)
{
	struct questions q = { 0 };
	struct val list = val_array_empty();
	int rc = OK;

	*out = VAL_UNDEF;
	for (size_t i = 0; i < t->n && rc == OK; i++)
		rc = take_question(&q, t->at[i], e);
	if (rc == OK && q.waiting > 0)
		rc = err_set(e, ERR_INVALID, "a question was not answered, and the run went on");
	for (size_t i = 0; i < q.n && rc == OK; i++)
		list = val_push_take(list, val_ref(q.at[i].answer));
	if (rc == OK)
		rc = check(list, "answers", e);
	if (rc == OK && q.n > 0)
		*out = val_ref(list);
	val_drop(list);
	free(q.at);
	return rc;
}

/* ---- replies ------------------------------------------------------------------------------------ */

static bool
same_call(struct val a, struct val b)
{
	return str_eq(entry_text(a, "task"), entry_text(b, "task")) &&
	    val_equal(val_get(a, S("call")), val_get(b, S("call")));
}

/* The words alone, or with the calls of tools. */
static struct val
reply_of(struct val message)
{
	struct val content = val_get(message, S("content")), list = val_array_empty(), out;
	struct val calls = val_get(message, S("tool_calls"));

	for (size_t i = 0; calls.kind == VAL_ARRAY && i < val_count(calls); i++) {
		struct val call = val_at(calls, i), x = val_object_empty();

		x = val_set_take(x, S("name"), val_ref(val_get(call, S("name"))));
		x = val_set_take(x, S("args"), val_ref(val_get(call, S("args"))));
		if (entry_text(call, "id").n > 0)
			x = val_set_take(x, S("id"), val_ref(val_get(call, S("id"))));
		list = val_push_take(list, x);
	}
	if (val_count(list) == 0) {
		val_drop(list);
		return message_text(message);
	}
	out = val_set_take(val_object_empty(), S("content"), content.kind == VAL_STRING ?
	    val_ref(content) : message_text(message));
	return val_set_take(out, S("tool_calls"), list);
}

static int
take_reply(const struct eval_taken *t, size_t at, struct val *list, size_t *errors,
    struct err *e)
{
	for (size_t i = at + 1; i < t->n; i++) {
		struct val x = t->at[i], message = val_get(x, S("message"));

		if (!entry_is(x, "answer") || !same_call(t->at[at], x))
			continue;
		*errors += message.kind == VAL_UNDEFINED;
		if (message.kind != VAL_UNDEFINED && val_has(message, S("cut")))
			return err_set(e, ERR_TOOBIG, "a reply of the model is over %d bytes, and "
			    "the transcript has only its length", LIMIT_TRANSCRIPT_PAYLOAD);
		if (message.kind == VAL_OBJECT)
			*list = val_push_take(*list, reply_of(message));
		return OK;
	}
	return OK;
}

/* In the order in which models were asked. */
int
eval_take_replies(const struct eval_taken *t, struct val *out, struct buf *notes,
    struct err *e)
{
	struct val list = val_array_empty();
	size_t errors = 0;
	int rc = OK;

	for (size_t i = 0; i < t->n && rc == OK; i++)
		if (entry_is(t->at[i], "cut"))
			rc = err_set(e, ERR_INVALID, "the transcript is not whole: entries are "
			    "missing");
		else if (entry_is(t->at[i], "request"))
			rc = take_reply(t, i, &list, &errors, e);
	if (rc == OK && errors > 0)
		buf_add_fmt(notes, "%zu call%s of a model failed, and a case has only good "
		    "replies\n", errors, errors == 1 ? "" : "s");
	*out = rc == OK ? val_ref(list) : VAL_UNDEF;
	val_drop(list);
	return rc;
}
