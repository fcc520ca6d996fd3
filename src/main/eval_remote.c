/*
 * eval_remote.c - a case of an eval on a server: a thread, a run that is waited for, the
 * state it leaves; then the thread is deleted.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>

#include "main/eval_run.h"
#include "main/pages.h"

#define RUN_TIMEOUT (600 * NS_PER_S)

/* {"__error__": {"error", "message"}} of a run that failed. */
static void
note_error(struct val answer, struct eval_answer *out)
{
	struct val error = answer.kind == VAL_OBJECT ? val_get(answer, S("__error__")) : VAL_UNDEF;

	if (error.kind == VAL_OBJECT)
		err_set(&out->why, ERR_IO, "%.*s: %.*s",
		    FMT(str_cut(entry_text(error, "error"), 100)),
		    FMT(str_cut(entry_text(error, "message"), 380)));
}

/* How many answers were given; the first question that has none is the failure. */
static bool
next_answer(struct val answer, const struct eval_given *g, size_t *used, struct buf *body,
    struct eval_answer *out)
{
	struct val waits = answer.kind == VAL_OBJECT ? val_get(answer, S("__interrupt__")) :
	    VAL_UNDEF;
	struct buf b = BUF(LIMIT_STATE_BYTES);

	if (val_count(waits) == 0)
		return false;
	buf_clear(body);
	buf_lit(body, "{\"resume\":{");
	for (size_t i = 0; i < val_count(waits); i++) {
		if (*used == val_count(g->answers)) {
			val_add_json(&b, val_get(val_at(waits, i), S("value")));
			err_set(&out->why, ERR_INVALID, "it asks, and the case has no more "
			    "answers: %.*s", FMT(str_cut(buf_str(&b), 200)));
			buf_release(&b);
			return false;
		}
		json_add_fmt(body, ",%.*s:", FMT(entry_text(val_at(waits, i), "id")));
		val_add_json(body, val_at(g->answers, (*used)++));
	}
	buf_lit(body, "}}");
	return true;
}

static int
run_once(const struct eval_place *x, struct str thread, struct str input, struct str command,
    struct val *answer, struct err *e)
{
	struct buf path = BUF(LIMIT_HTTP_URL_BYTES), body = BUF(2 * (size_t)LIMIT_EVAL_CASE_BYTES);
	int rc;

	remote_add_path(x->remote, &path, "/threads/", thread, "/runs/wait");
	json_add_fmt(&body, "{'assistant_id':%.*s", FMT(x->p->agent));
	if (command.n > 0)
		json_add_fmt(&body, ",'command':%-.*s}", FMT(command));
	else
		json_add_fmt(&body, ",'input':%-.*s}", FMT(input));
	rc = remote_value_in(x->remote, "POST", buf_str(&path), buf_str(&body), RUN_TIMEOUT, answer,
	    e);
	buf_release(&path);
	buf_release(&body);
	return rc;
}

/* Of the AI messages of the state. */
static void
add_usage(struct val state, struct eval_usage *u)
{
	struct val messages = state.kind == VAL_OBJECT ? val_get(state, S("messages")) : VAL_UNDEF;

	for (size_t i = 0; messages.kind == VAL_ARRAY && i < val_count(messages); i++) {
		struct val m = val_at(messages, i);
		struct val usage = m.kind == VAL_OBJECT ? val_get(m, S("usage_metadata")) :
		    VAL_UNDEF;
		struct val in, out;

		if (usage.kind != VAL_OBJECT)
			continue;
		in = val_get(usage, S("input_tokens"));
		out = val_get(usage, S("output_tokens"));
		u->input_tokens += in.kind == VAL_INT ? in.u.i : 0;
		u->output_tokens += out.kind == VAL_INT ? out.u.i : 0;
	}
}

static int
run_thread(const struct eval_place *x, struct str thread, const struct eval_given *g,
    struct eval_answer *out, struct err *e)
{
	struct buf input = BUF(2 * (size_t)LIMIT_EVAL_CASE_BYTES), command = input;
	struct val in = eval_input(g->input), answer = VAL_UNDEF;
	size_t used = 0;
	bool again = true;
	int rc = OK;

	val_add_json(&input, in);
	while (rc == OK && again) {
		val_drop(answer);
		answer = VAL_UNDEF;
		rc = run_once(x, thread, buf_str(&input), buf_str(&command), &answer, e);
		again = rc == OK && next_answer(answer, g, &used, &command, out);
	}
	if (rc == OK) {
		note_error(answer, out);
		out->state = val_ref(answer);
		out->channels = val_ref(answer);
		add_usage(answer, &out->usage);
	}
	val_drop(answer);
	val_drop(in);
	buf_release(&input);
	buf_release(&command);
	return rc;
}

void
eval_remote_run(const struct eval_place *x, const struct eval_given *g,
    struct eval_answer *out)
{
	struct buf path = BUF(LIMIT_HTTP_URL_BYTES);
	struct val thread = VAL_UNDEF;
	struct err e = { 0 }, ignored;
	struct str id;
	long status;
	struct str said;
	int rc = remote_value(x->remote, "POST", S("/threads"), S("{\"metadata\":"
	    "{\"made_by\":\"cohort eval\"}}"), &thread, &e);

	if (rc == OK) {
		id = entry_text(thread, "thread_id");
		rc = run_thread(x, id, g, out, &e);
		remote_add_path(x->remote, &path, "/threads/", id, "");
		(void)remote_ask(x->remote, "DELETE", buf_str(&path), STR_NONE, 60 * NS_PER_S,
		    &status, &said, &ignored);
	}
	if (rc != OK)
		out->why = e;
	val_drop(thread);
	buf_release(&path);
}
