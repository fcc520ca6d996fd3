/*
 * wait.c - waits for a time: so many milliseconds, or until a moment.
 *
 * A longer wait keeps its end in the journal, so that it does not begin anew
 * after a crash; one under a second is not worth an entry.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "task/task_priv.h"

#define KEPT_MS    1000                      /* shorter ones begin anew */
#define LONGEST_MS (LIMIT_WAIT_DAYS * INT64_C(86400000))

struct wait {
	struct piece p;
	struct task_timer timer;
	msec due;
};

static struct wait *
wait_of(struct piece *p)
{
	return CONTAINER_OF(p, struct wait, p);
}

static void
wait_on(struct wait *w)
{
	struct task *t = w->p.task;
	msec left = w->due - t->host->now(t->ctx);

	if (left <= 0)
		piece_done(&w->p, VAL_NIL);
	else
		t->host->timer_set(t->ctx, &w->timer, left < LIMIT_CLOCK_CHECK_MS ?
		    left : LIMIT_CLOCK_CHECK_MS);
}

static void
on_fire(struct task_timer *timer)
{
	struct wait *w = CONTAINER_OF(timer, struct wait, timer);
	struct task *t = w->p.task;

	if (!task_enter(t))
		return;
	wait_on(w);
	task_leave(t);
}

static bool
fail_wait(struct piece *p, const char *what, const char *words)
{
	piece_fail(p, "error.execution", "ExpressionError", "line %u: wait.%s: %s",
	    p->spec->line, what, words);
	return false;
}

static bool
read_ms(struct piece *p, msec now, msec *due)
{
	struct val v;
	double ms;

	if (!piece_eval(p, WAIT_MS, &v))
		return false;
	ms = val_number(v);
	val_drop(v);
	if (!(ms >= 0 && ms <= (double)LONGEST_MS))
		return fail_wait(p, "ms", "expected milliseconds, a number from 0 to a year");
	*due = now + (msec)ms + (ms > (double)(msec)ms);
	return true;
}

static bool
read_until(struct piece *p, msec now, msec *due)
{
	struct val v;
	bool fits;

	if (!piece_eval(p, WAIT_UNTIL, &v))
		return false;
	if (v.kind == VAL_STRING) {
		fits = clock_read_iso(val_str(v), due);
	} else {
		fits = val_is_number(v) && val_number(v) >= 0 && val_number(v) < 1e15;
		*due = fits ? (msec)val_number(v) : 0;
	}
	val_drop(v);
	if (!fits || *due - now > LONGEST_MS)
		return fail_wait(p, "until", "expected a time of the year to come: "
		    "2026-11-21T00:15:07Z, or milliseconds since 1970");
	return true;
}

/* When it ends, as an earlier attempt has told. */
static bool
known_due(struct piece *p, msec *due)
{
	const struct known *k = record_find(p, S("due"));

	return k != NULL && str_to_i64(k->result_json, due);
}

static void
keep_due(struct piece *p, msec due)
{
	char text[24];
	int n = snprintf(text, sizeof text, "%lld", (long long)due);

	record_part(p, S("due"), S("wait"), (struct str){ text, (size_t)n });
}

static void
wait_start(struct piece *p)
{
	struct wait *w = wait_of(p);
	struct task *t = p->task;
	msec now = t->host->now(t->ctx);
	bool until = agent_has(piece_field(p, WAIT_UNTIL));

	w->timer.fire = on_fire;
	if (!known_due(p, &w->due)) {
		if (!(until ? read_until : read_ms)(p, now, &w->due))
			return;
		p->cheap = w->due - now < KEPT_MS;
		if (!p->cheap)
			keep_due(p, w->due);
	}
	wait_on(w);
}

static void
wait_stop(struct piece *p)
{
	p->task->host->timer_stop(p->task->ctx, &wait_of(p)->timer);
}

static bool
wait_sleeps(const struct piece *p, msec *until)
{
	*until = CONTAINER_OF(p, const struct wait, p)->due;
	return !p->cheap;
}

const struct task_run task_wait = {
	.size = sizeof(struct wait), .traits = TASK_EFFECT,
	.start = wait_start, .stop = wait_stop, .sleeps = wait_sleeps,
};
