/*
 * eval_case.c - one case of an eval: the agent is run, and what it answered is scored.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "base/clock.h"
#include "main/eval_run.h"

#define ANSWER_BYTES (64 * MB)

/* ---- a place -------------------------------------------------------------------------- */

int
eval_place_open(struct eval_place *x, const struct eval_plan *p, struct err *e)
{
	int rc;

	*x = (struct eval_place){ .p = p };
	rc = solo_room_open(&x->room, p->model, p->script, e);
	if (rc != OK)
		return rc;
	if (p->url.n > 0) {
		rc = remote_open(&x->remote, p->url, ANSWER_BYTES, e);
		if (rc == OK)
			remote_set_token(x->remote, p->token);
	} else {
		rc = eval_is_file(p->agent) ? agent_file_open(&x->file, p->agent.p, e) :
		    agent_builtin_open(&x->file, p->agent, e);
	}
	if (rc != OK)
		eval_place_close(x);
	return rc;
}

void
eval_place_close(struct eval_place *x)
{
	remote_close(x->remote);
	agent_file_close(&x->file);
	solo_room_close(&x->room);
	*x = (struct eval_place){ 0 };
}

/* ---- an agent without a server ---------------------------------------------------------- */

struct run {
	const struct eval_given *given;
	struct eval_answer *answer;
	size_t replies, answers;             /* that were used */
};

static struct val
reply(void *ctx, const struct llm_request *q)
{
	struct run *r = ctx;

	(void)q;
	return val_ref(val_at(r->given->replies, r->replies++));
}

static void
billed(void *ctx, const struct llm_usage *u)
{
	struct eval_usage *to = &((struct run *)ctx)->answer->usage;

	to->input_tokens += u->input_tokens;
	to->output_tokens += u->output_tokens;
	to->cost_nano += u->cost_nano;
}

static bool
ask(void *ctx, struct val interrupt, struct val *answer)
{
	struct run *r = ctx;
	struct buf b = BUF(LIMIT_STATE_BYTES);

	if (interrupt.kind == VAL_UNDEFINED)
		return true;                 /* a breakpoint */
	if (r->answers < val_count(r->given->answers)) {
		*answer = val_ref(val_at(r->given->answers, r->answers++));
		return true;
	}
	val_add_json(&b, val_get(interrupt, S("value")));
	err_set(&r->answer->why, ERR_INVALID, "it asks, and the case has no more answers: %.*s",
	    FMT(str_cut(buf_str(&b), 200)));
	buf_release(&b);
	return false;
}

static void
run_here(struct eval_place *x, const struct eval_given *g, struct eval_answer *out)
{
	struct run run = { .given = g, .answer = out };
	struct val input = eval_input(g->input);
	const struct solo_options o = { .agents = x->file.set, .agent = x->file.agent,
		.input = input, .shard = x->room.shard, .llm = x->room.llm,
		.model = buf_str(&x->room.model), .tools = x->room.tools, .mcp = x->room.mcp,
		.instant = true, .reply = g->replies.kind == VAL_ARRAY ? reply : NULL,
		.billed = billed, .ask = ask, .ctx = &run };
	struct solo_result result;

	if (solo_run(&o, &result, &out->why) == OK) {
		out->state = val_ref(result.values);
		out->channels = agent_outputs(x->file.agent, result.values);
		if (result.end == SOLO_ERROR)
			err_set(&out->why, ERR_IO, "%.*s: %.*s", FMT(str_cut(result.error, 100)),
			    FMT(str_cut(result.message, 380)));
		else if (result.end == SOLO_SUCCESS)
			out->why = (struct err){ 0 };
		else if (out->why.text[0] == '\0')
			err_set(&out->why, ERR_INVALID, "it waits for messages, and none come");
	}
	solo_release(&result);
	val_drop(input);
}

/* ---- scores ---------------------------------------------------------------------------------- */

static void
score(struct eval_place *x, const struct eval_scope *scope, struct eval_row *row,
    struct eval_score *to)
{
	for (size_t i = 0; i < x->p->v->scorers_n; i++) {
		const struct eval_scorer *s = &x->p->v->scorer[i];

		to[i] = (struct eval_score){ 0 };
		if (row->error.n > 0)
			;                    /* 0 */
		else if (s->kind == EVAL_JUDGE)
			eval_ask_judge(x, s, scope, &to[i], &row->judge);
		else if (s->kind == EVAL_SCRIPT)
			eval_ask_script(x, s, scope, &to[i]);
		else
			eval_score(s, scope, &to[i]);
		row->score[i].score = to[i].score;
		row->score[i].why = str_of(to[i].why);
	}
}

static struct val
usage_val(const struct eval_usage *u)
{
	struct val v = val_object_empty();

	v = val_set_take(v, S("input_tokens"), val_int(u->input_tokens));
	v = val_set_take(v, S("output_tokens"), val_int(u->output_tokens));
	return val_set_take(v, S("cost_usd"), val_double((double)u->cost_nano / 1e9));
}

static void
run_case(struct eval_place *x, const struct eval_given *g, struct eval_row *row,
    struct eval_answer *answer)
{
	nsec began = clock_mono();

	if (x->remote != NULL)
		eval_remote_run(x, g, answer);
	else
		run_here(x, g, answer);
	row->ms = (double)(clock_mono() - began) / (double)NS_PER_MS;
	row->usage = answer->usage;
	row->error = str_of(answer->why.text);
}

void
eval_place_run(struct eval_place *x, const struct eval_result *r, const struct eval_case *c,
    int64_t repeat, struct buf *line)
{
	struct eval_row row = { .id = c->id, .repeat = repeat };
	struct eval_score scores[LIMIT_EVAL_SCORERS];
	struct eval_answer answer = { 0 };
	struct eval_scope scope = { 0 };
	struct buf output = BUF(8 * (size_t)LIMIT_EVAL_OUTPUT_BYTES);
	struct eval_given given;
	struct err e = { 0 };

	if (eval_given_read(&given, c, &e) == OK)
		run_case(x, &given, &row, &answer);
	else
		row.error = str_of(e.text);
	scope.v[EVAL_INPUT] = given.input;
	scope.v[EVAL_EXPECTED] = given.expected;
	scope.v[EVAL_STATE] = answer.state;
	scope.v[EVAL_USAGE] = usage_val(&row.usage);
	if (row.error.n == 0 && eval_output(x->p->v, &scope, answer.channels, &e) != OK)
		row.error = str_of(e.text);
	if (scope.text.kind != VAL_UNDEFINED)
		val_add_json(&output, scope.text);
	row.output_json = buf_str(&output);
	score(x, &scope, &row, scores);
	eval_row_add_json(line, r, &row);
	val_drop(scope.text);
	val_drop(scope.v[EVAL_OUTPUT]);
	val_drop(scope.v[EVAL_USAGE]);
	val_drop(answer.state);
	val_drop(answer.channels);
	eval_given_release(&given);
	buf_release(&output);
}
