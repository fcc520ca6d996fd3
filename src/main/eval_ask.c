/*
 * eval_ask.c - scores that others give: a model as judge, a program.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "main/eval_run.h"
#include "net/process.h"
#include "net/shard.h"

#define PROMPT_BYTES (4 * (size_t)LIMIT_EVAL_OUTPUT_BYTES)
#define SCRIPT_INPUT LIMIT_PROCESS_QUEUE_BYTES

extern char **environ;

/* ---- a model -------------------------------------------------------------------------- */

struct judged {
	const struct eval_scorer *s;
	struct eval_score *out;
	struct eval_usage *usage;
	bool done;
};

static void
on_done(void *ctx, int rc, const struct llm_answer *a, const char *event,
    const struct err *e)
{
	struct judged *j = ctx;
	struct json_doc d = { 0 };

	j->done = true;
	if (rc != OK) {
		eval_score_fail(j->out, "the judge: %s: %s", event, e->text);
		return;
	}
	j->usage->input_tokens += a->usage.input_tokens;
	j->usage->output_tokens += a->usage.output_tokens;
	j->usage->cost_nano += a->usage.cost_nano;
	(void)json_parse(&d, a->message_json, NULL);
	eval_judge_read(j->s, json_str(json_get(d.root, S("content"))), j->out);
	json_release(&d);
}

void
eval_ask_judge(const struct eval_place *x, const struct eval_scorer *s,
    const struct eval_scope *scope, struct eval_score *out, struct eval_usage *usage)
{
	struct judged j = { .s = s, .out = out, .usage = usage };
	const struct llm_hooks hooks = { .done = on_done, .ctx = &j };
	struct buf system = BUF(64 * KB), prompt = BUF(PROMPT_BYTES), schema = BUF(64 * KB);
	struct buf message = BUF(8 * PROMPT_BYTES);
	struct llm_request q = { .model = s->judge.model, .temperature = NAN, .messages_n = 1 };
	struct str one;
	struct err e = { 0 };
	int rc = eval_judge_add_prompt(s, scope, &prompt, &e);

	eval_judge_add_system(s, &system);
	eval_judge_add_schema(s, &schema);
	json_add_fmt(&message, "{'content':%.*s,'type':'human'}", FMT(buf_str(&prompt)));
	if (rc == OK && (prompt.failed || message.failed || system.failed || schema.failed))
		rc = err_set(&e, ERR_TOOBIG, "the prompt is too long");
	one = buf_str(&message);
	q.messages = &one;
	q.system_prompt = buf_str(&system);
	q.output_schema_json = buf_str(&schema);
	if (rc == OK && llm_start(x->room.llm, &q, &hooks, &e) != NULL)
		while (!j.done)
			shard_turn(x->room.shard);
	else
		eval_score_fail(out, "the judge: %s", e.text);
	buf_release(&system);
	buf_release(&prompt);
	buf_release(&schema);
	buf_release(&message);
}

/* ---- a program --------------------------------------------------------------------------- */

struct scripted {
	struct process *process;             /* NULL: it is gone */
	struct buf out, err;
	int status;
	bool late;
	char how[sizeof ((struct err *)0)->text];
	struct wheel_timer timer;
};

static void
on_out(void *ctx, struct str bytes)
{
	buf_add(&((struct scripted *)ctx)->out, bytes);
}

/* The beginning of it is enough. */
static void
on_err(void *ctx, struct str bytes)
{
	struct buf *b = &((struct scripted *)ctx)->err;

	buf_add(b, str_sub(bytes, 0, b->max - b->n));
}

static void
on_gone(void *ctx, const struct err *e)
{
	struct scripted *x = ctx;

	x->status = process_status(x->process);
	snprintf(x->how, sizeof x->how, "%s", e->text);
	x->process = NULL;
}

static void
on_late(struct wheel_timer *t)
{
	struct scripted *x = CONTAINER_OF(t, struct scripted, timer);

	x->late = true;
}

static void
read_answer(struct scripted *x, const struct eval_scorer *s, struct eval_score *out)
{
	struct str words = str_trim(buf_str(&x->err)), line = words;

	while (str_next(&words, '\n', &line))
		;                            /* the last line says most */
	if (x->late)
		eval_score_fail(out, "%s: no answer in %d s", s->script.argv[0],
		    LIMIT_EVAL_SCRIPT_MS / 1000);
	else if (x->out.failed)
		eval_score_fail(out, "%s: more than %d bytes", s->script.argv[0],
		    LIMIT_EVAL_SCRIPT_BYTES);
	else if (x->status != 0)
		eval_score_fail(out, "%s: %s: %.*s", s->script.argv[0], x->how, FMT(line));
	else
		eval_script_read(buf_str(&x->out), out);
}

void
eval_ask_script(const struct eval_place *x, const struct eval_scorer *s,
    const struct eval_scope *scope, struct eval_score *out)
{
	struct scripted y = { .out = BUF(LIMIT_EVAL_SCRIPT_BYTES), .err = BUF(4 * KB),
		.timer = { .fire = on_late } };
	const struct process_options o = { .argv = s->script.argv,
		.env = (const char *const *)environ, .cwd = x->p->folder,
		.exit_ms = LIMIT_EVAL_SCRIPT_MS };
	const struct process_hooks hooks = { on_out, on_err, on_gone, &y };
	struct buf input = BUF(SCRIPT_INPUT);
	struct err e = { 0 };

	eval_script_add_input(scope, &input);
	if (input.failed || process_start(&y.process, x->room.shard, &o, &hooks, &e) != OK) {
		eval_score_fail(out, "%s: %s", s->script.argv[0], input.failed ?
		    "what it would read is too large" : e.text);
		buf_release(&input);
		return;
	}
	(void)process_write(y.process, buf_str(&input));     /* its end is told by its output */
	process_close_input(y.process);
	shard_timer_set(x->room.shard, &y.timer, LIMIT_EVAL_SCRIPT_MS);
	while (y.process != NULL && !y.late && !y.out.failed)
		shard_turn(x->room.shard);
	shard_timer_cancel(x->room.shard, &y.timer);
	process_stop(y.process, 0);
	read_answer(&y, s, out);
	buf_release(&input);
	buf_release(&y.out);
	buf_release(&y.err);
}
