/*
 * llm_loop.c - an llm that is more than one question: asks, runs the tools that the
 * model asks for, posts its events, tells it what was wrong, asks again.
 *
 *	max_turns   its tools are run, and it is asked again, so often at most
 *	events      are posted after the tools of the same answer.  In a chart the
 *	            conversation goes on if its state was not left and there are
 *	            turns; in a graph it ends with the events in its result
 *	output      an answer of another form is told what is wrong with it
 *
 * The conversation of the loop is kept here: `writes` of the file may put the
 * answer somewhere else, or the agent may have no channel of messages at all.
 * Turns and calls are pieces of their own, so each is in the journal.
 *
 * Events change the state before the task is done: what it has written so far goes
 * there first.  So a task that is made again after that finds its own messages in the
 * state; the record "began" tells how many were there before it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/json.h"
#include "task/llm_priv.h"

struct loop {
	struct piece p;
	struct val base, said;               /* arrays of messages */
	struct val last;                     /* result of the last turn */
	struct val events;                   /* of the last turn: posted, or to be */
	uint32_t next;                       /* even: ask; odd: tools */
	uint32_t turns, corrections;
	bool began;                          /* the record is there */
};

static struct loop *
loop_of(struct piece *p)
{
	return CONTAINER_OF(p, struct loop, p);
}

static int64_t
turns_max(const struct loop *l)
{
	return agent_int(piece_field(&l->p, LLM_MAX_TURNS), 0);
}

/* What it says is part of the loop. */
static void
part(struct loop *l, const struct task_run *run)
{
	struct piece *p = &l->p;

	piece_add(p->task, p, run, p->spec, l->next, p->view, p->names)->inner = true;
	l->next++;
}

/* Turns have the even numbers, also those after which no tool was run. */
static void
ask(struct loop *l)
{
	l->next += l->next % 2;
	part(l, &task_llm);
}

/* The messages that were there when the task began for the first time. */
static struct val
before_it(struct loop *l, struct val list, size_t n)
{
	struct val base = val_array_empty();

	for (size_t i = 0; i < n && i < val_count(list); i++)
		base = val_push_take(base, val_ref(val_at(list, i)));
	val_drop(list);
	l->began = true;
	return base;
}

static void
loop_start(struct piece *p)
{
	struct loop *l = loop_of(p);
	const struct known *k;
	struct val n;

	if (!llm_conversation(p, &l->base))
		return;
	k = record_find(p, S("began"));
	if (k != NULL && k->result_json.p != NULL) {
		n = val_json_trusted(k->result_json);
		if (n.kind == VAL_INT && n.u.i >= 0)
			l->base = before_it(l, l->base, (size_t)n.u.i);
		val_drop(n);
	}
	l->said = val_array_empty();
	ask(l);
}

static void
finish(struct loop *l)
{
	struct val last = l->last;

	l->last = VAL_UNDEF;
	if (l->events.kind != VAL_UNDEFINED)
		last = val_set_take(last, S("events"), val_ref(l->events));
	piece_done(&l->p, last);
}

static void
fail_turns(struct loop *l)
{
	piece_fail(&l->p, "error.llm.max_turns", "MaxTurnsError", "the model still asks for "
	    "tools after %lld turns", (long long)turns_max(l));
}

/* Has it no turn left? */
static bool
is_out_of_turns(const struct loop *l)
{
	return turns_max(l) > 0 && (int64_t)l->turns >= turns_max(l);
}

static void
say_all(struct loop *l, struct val list)
{
	for (size_t i = 0; i < val_count(list); i++)
		l->said = val_push_take(l->said, val_ref(val_at(list, i)));
}

/* ---- what was wrong ------------------------------------------------------------------ */

/* One more try?  False: the piece has failed. */
static bool
may_correct(struct loop *l, struct str why)
{
	if (l->corrections++ < LIMIT_LLM_CORRECTIONS)
		return true;
	piece_fail(&l->p, "error.llm.tool_validation", "ToolValidationError",
	    "the model was told %d times, and still: %.*s", LIMIT_LLM_CORRECTIONS,
	    FMT(why));
	return false;
}

/* Only the model sees it: neither it nor the wrong answer is in the state. */
static void
correct_output(struct loop *l, struct str why)
{
	struct buf b = BUF(LIMIT_TOOL_RESULT_BYTES);
	struct val text, message;
	struct err e;
	int rc;

	if (!may_correct(l, why))
		return;
	buf_add_fmt(&b, "The answer is not what was asked for: %.*s. Answer again, with JSON "
	    "alone that agrees with the JSON Schema.", FMT(why));
	text = val_string(buf_str(&b));
	rc = message_from(text, "llm.output", &message, NULL, &e);
	assert(rc == OK);
	l->said = val_push_take(l->said, message);
	val_drop(text);
	buf_release(&b);
	ask(l);
}

/* ---- events ---------------------------------------------------------------------------- */

static struct str
record_key(struct buf *b, const struct loop *l)
{
	buf_lit(b, "events/");
	buf_add_u64(b, l->turns);
	return buf_str(b);
}

static void
note_began(struct loop *l)
{
	struct buf b = BUF(32);

	if (l->began)
		return;
	l->began = true;
	buf_add_u64(&b, val_count(l->base));
	record_part(&l->p, S("began"), S("llm"), buf_str(&b));
	buf_release(&b);
}

/* The answers to the calls are as an earlier attempt has written them, if it did.
 * False: the piece or the task has ended. */
static bool
post(struct loop *l, const struct llm_events *x)
{
	struct piece *p = &l->p;
	struct buf key = BUF(64), json = BUF(LIMIT_STATE_BYTES);
	struct str part = record_key(&key, l);
	const struct known *k = record_find(p, part);
	bool again = k != NULL && k->result_json.p != NULL, posts = piece_may_post(p);
	struct val answers = again ? val_json_trusted(k->result_json) : val_ref(x->answers);

	say_all(l, answers);
	val_drop(l->events);
	l->events = val_ref(x->posted);
	if (!piece_write_messages(p, val_ref(answers), REDUCE_STORED |
	    (again ? 0 : REDUCE_NEW_IDS))) {
		posts = false;
	} else if (posts && val_count(x->posted) > 0) {
		note_began(l);
		val_add_json(&json, answers);
		piece_post(p, part, buf_str(&json), x->posted, again);
	}
	val_drop(answers);
	buf_release(&key);
	buf_release(&json);
	return p->state == PIECE_RUNS && !p->task->over;
}

/* Is there nothing more to ask?  ran: tools were. */
static bool
is_over(const struct loop *l, const struct llm_events *x, bool ran)
{
	bool posted = val_count(x->posted) > 0;

	if (posted && !piece_may_post(&l->p))
		return true;
	if (turns_max(l) == 0 && (posted || x->others > 0))
		return true;
	return !ran && !posted && (!inbox_waits(l->p.task) || is_out_of_turns(l));
}

/* After the tools of the answer, if it called any: its events, and how it goes on. */
static void
go_on(struct loop *l, bool ran)
{
	struct llm_events x;

	llm_events_read(&l->p, val_get(l->last, S("message")), &x);
	if (x.wrong > 0 && !ran)
		llm_events_refuse_others(val_get(l->last, S("message")), &x);
	if (x.n > 0 && !post(l, &x))
		;                            /* it has ended */
	else if (x.wrong > 0 && !may_correct(l, str_of(x.why)))
		;
	else if (x.wrong == 0 && is_over(l, &x, ran))
		finish(l);
	else if (x.wrong == 0 && is_out_of_turns(l))
		fail_turns(l);
	else
		ask(l);
	llm_events_release(&x);
}

/* ---- turns ------------------------------------------------------------------------------ */

static void
answered(struct loop *l, struct piece *child)
{
	struct val problem = val_get(child->result, S("problem"));
	struct llm_events x;
	size_t others;

	val_drop(l->last);
	l->last = val_ref(child->result);
	say_all(l, val_get(l->last, S("heard")));
	l->said = val_push_take(l->said, val_ref(val_get(l->last, S("message"))));
	if (problem.kind == VAL_STRING) {
		correct_output(l, val_str(problem));
		return;
	}
	l->turns++;
	llm_events_read(&l->p, val_get(l->last, S("message")), &x);
	others = x.others;
	llm_events_release(&x);
	if (others == 0 || turns_max(l) == 0)
		go_on(l, false);
	else if (is_out_of_turns(l))
		fail_turns(l);
	else
		part(l, &task_tools);
}

static void
loop_child_done(struct piece *p, struct piece *child)
{
	struct loop *l = loop_of(p);

	if (child->run == &task_llm) {
		answered(l, child);
		return;
	}
	say_all(l, child->result);
	go_on(l, true);
}

bool
llm_is_turn(const struct piece *p)
{
	return p->up != NULL && p->up->run == &llm_loop;
}

bool
llm_loop_said(const struct piece *p, struct val *base, struct val *said)
{
	const struct loop *l;

	if (!llm_is_turn(p))
		return false;
	l = loop_of(p->up);
	*base = l->base;
	*said = l->said;
	return true;
}

static void
loop_release(struct piece *p)
{
	struct loop *l = loop_of(p);

	val_drop(l->base);
	val_drop(l->said);
	val_drop(l->last);
	val_drop(l->events);
}

const struct task_run llm_loop = {
	.size = sizeof(struct loop), .traits = TASK_CONTAINER | TASK_WAITS | TASK_TALKS,
	.segment = "turn", .start = loop_start, .child_done = loop_child_done,
	.release = loop_release,
};
