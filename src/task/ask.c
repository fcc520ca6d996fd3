/*
 * ask.c - asks a person.  Its result is {value: the answer}.
 *
 * With `value` the question is exactly that value; else an object of `prompt` and
 * what belongs to it.  A question with a time limit keeps its end in the journal,
 * so that it does not move; the host answers it then, by an answer that no client
 * may give, and the piece fails with error.timeout.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "task/task_priv.h"

#define LONGEST_MS (LIMIT_WAIT_DAYS * INT64_C(86400000))

static bool
question_add(struct piece *p, struct val *question, unsigned field, const char *name)
{
	struct val v;

	if (!piece_eval(p, field, &v))
		return false;
	if (v.kind != VAL_UNDEFINED)
		*question = val_set_take(*question, str_of(name), v);
	return true;
}

static bool
type_add(const struct piece *p, struct val *question)
{
	int64_t type = agent_int(piece_field(p, ASK_TYPE), -1);

	if (type >= 0)
		*question = val_set_take(*question, S("type"),
		    val_string(str_of(ask_types[type])));
	return true;
}

static bool
question_make(struct piece *p, struct val *out)
{
	if (agent_has(piece_field(p, ASK_VALUE)))
		return piece_eval(p, ASK_VALUE, out);
	*out = val_object_empty();
	if (question_add(p, out, ASK_PROMPT, "prompt") && type_add(p, out) &&
	    question_add(p, out, ASK_OPTIONS, "options") &&
	    question_add(p, out, ASK_SCHEMA, "schema") &&
	    question_add(p, out, ASK_MIN, "min") && question_add(p, out, ASK_MAX, "max") &&
	    question_add(p, out, ASK_DRAFT, "draft"))
		return true;
	val_drop(*out);
	return false;
}

/* ---- the time limit ---------------------------------------------------------------- */

static bool
read_timeout(struct piece *p, msec *ms)
{
	struct val v;
	nsec ns = 0;
	bool fits;

	*ms = 0;
	if (!piece_eval_text(p, ASK_TIMEOUT, &v))
		return false;
	if (v.kind == VAL_UNDEFINED)
		return true;
	fits = clock_parse(val_str(v), 0, &ns) && ns > 0 && ns / NS_PER_MS <= LONGEST_MS;
	val_drop(v);
	*ms = ns / NS_PER_MS + (ns % NS_PER_MS > 0);
	if (!fits)
		piece_fail(p, "error.execution", "ExpressionError", "line %u: ask.timeout: "
		    "expected a time of up to a year, as in 30m or 24h", p->spec->line);
	return fits;
}

/* When it is over, as an earlier attempt has told; or from now on. */
static bool
read_due(struct piece *p, msec *due)
{
	const struct known *k = record_find(p, S("due"));
	char text[24];
	msec ms;
	int n;

	*due = 0;
	if (k != NULL && str_to_i64(k->result_json, due))
		return true;
	if (!read_timeout(p, &ms) || ms == 0)
		return ms == 0 && p->state == PIECE_RUNS;
	*due = p->task->host->now(p->task->ctx) + ms;
	n = snprintf(text, sizeof text, "%lld", (long long)*due);
	record_part(p, S("due"), S("ask"), (struct str){ text, (size_t)n });
	return true;
}

/* ---- asking --------------------------------------------------------------------------- */

/* What the question says of who is to answer, and until when. */
static bool
add_terms(struct piece *p, struct val *question, msec due, struct val *assignee)
{
	char iso[CLOCK_ISO_SIZE];
	bool own = agent_has(piece_field(p, ASK_PROMPT));

	if (!piece_eval_text(p, ASK_ASSIGNEE, assignee))
		return false;
	if (assignee->kind == VAL_STRING && val_str(*assignee).n > LIMIT_NAME_BYTES) {
		piece_fail(p, "error.execution", "ValueError", "line %u: ask.assignee: expected at "
		    "most %d bytes, got %zu", p->spec->line, LIMIT_NAME_BYTES,
		    val_str(*assignee).n);
		val_drop(*assignee);
		return false;
	}
	if (assignee->kind != VAL_UNDEFINED && own)
		*question = val_set_take(*question, S("assignee"), val_ref(*assignee));
	if (due > 0 && own) {
		clock_write_iso(iso, due);
		*question = val_set_take(*question, S("due"), val_string((struct str){
		    iso, sizeof iso }));
	}
	return true;
}

static void
ask(struct piece *p, struct val question, struct val schema)
{
	struct task_interrupt *i;
	struct val assignee = VAL_UNDEF;
	msec due;

	if (!read_due(p, &due) || !add_terms(p, &question, due, &assignee)) {
		val_drop(question);
		val_drop(schema);
		return;
	}
	i = piece_interrupt(p, question, schema);
	if (i != NULL) {
		i->due = due;
		if (assignee.kind == VAL_STRING)
			i->assignee = arena_str(&p->task->arena, val_str(assignee));
	}
	val_drop(assignee);
}

static void
ask_start(struct piece *p)
{
	struct val answer, question, schema;

	if (piece_answer(p, &answer)) {
		if (answer_is_timeout(answer))
			piece_fail(p, "error.timeout", "TimeoutError", "line %u: nobody "
			    "answered in time", p->spec->line);
		else
			piece_done(p, val_set_take(val_object_empty(), S("value"),
			    val_ref(answer)));
		return;
	}
	if (!question_make(p, &question))
		return;
	if (!piece_eval(p, ASK_SCHEMA, &schema)) {
		val_drop(question);
		return;
	}
	ask(p, question, schema);
}

const struct task_run task_ask = { .traits = TASK_WAITS | TASK_PURE, .start = ask_start };
