/*
 * guard.c - `retry` and `timeout` around any kind of work.
 *
 *             starts                fails, may be retried
 *   (start) ---------> ATTEMPT ---------------------------> PAUSE
 *                       |  ^                                  |
 *        done, failed,  |  '----------------------------------'
 *        out of tries   v                 its end
 *                     (end)
 *
 * An attempt is a piece of its own with writes of its own, which count when it is
 * done and are dropped when it fails.  The first has the key of the guard, so a file
 * that gets a `retry` finds its old records; later ones are "try/N".
 *
 * A failure that is retried is in the journal with the end of its pause, so that a
 * restart neither counts anew nor waits anew; and so is the end of a timeout that is
 * not short.  The time in which a person is waited for does not count: with the
 * answer the timeout begins anew.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>

#include "base/json.h"
#include "base/log.h"
#include "task/task_priv.h"

#define KEPT_MS  1000                        /* shorter timeouts begin anew */
#define TIMER_MS INT64_C(3600000)            /* longest timer; then another */

struct guard {
	struct piece p;
	struct view view;                    /* of the attempt */
	struct task_timer timer;             /* of the pause, or of the timeout */
	msec due;
	uint32_t attempt;                    /* from 0 */
	bool pauses, timed;
};

static struct guard *
guard_of(struct piece *p)
{
	return CONTAINER_OF(p, struct guard, p);
}

/* ---- which failures ------------------------------------------------------------- */

/* Doing these again is no use, or not safe: only their own name may ask for it. */
static const char *const never[] = {
	"error.llm.auth", "error.llm.invalid_request", "error.llm.context_length",
	"error.tool.unknown_outcome", "error.budget",
};

/* What is retried when the file does not say. */
static const char *const usual[] = {
	"error.llm", "error.tool", "error.worker", "error.communication", "error.timeout",
};

/* As SCXML matches events: whole words, from the first. */
static bool
is_prefix(struct str descriptor, struct str event)
{
	if (str_ends(descriptor, S(".*")))
		descriptor.n -= 2;
	return str_eq(descriptor, S("*")) || str_eq(descriptor, event) ||
	    (str_starts(event, descriptor) && event.p[descriptor.n] == '.');
}

static bool
is_retried(const struct agent_guard *g, struct str event)
{
	bool listed = false, barred = false;

	for (size_t i = 0; i < g->on_n; i++) {
		if (str_eq(g->on[i], event))
			return true;
		listed = listed || is_prefix(g->on[i], event);
	}
	for (size_t i = 0; i < COUNT(usual) && g->on_n == 0; i++)
		listed = listed || is_prefix(str_of(usual[i]), event);
	for (size_t i = 0; i < COUNT(never); i++)
		barred = barred || is_prefix(str_of(never[i]), event);
	return listed && !barred;
}

/* A number from -1 to 1, the same whenever the task is made again. */
static double
spread(const struct piece *p, uint32_t attempt)
{
	struct buf key = BUF(KEY_BYTES);
	struct uuid drawn;
	char part[24];
	int n = snprintf(part, sizeof part, "jitter/%u", attempt);

	piece_add_key(&key, p, (struct str){ part, (size_t)n });
	drawn = uuid_v5(&p->task->id, buf_str(&key));
	buf_release(&key);
	return ((drawn.b[0] << 8 | drawn.b[1]) / 32767.5) - 1;
}

/* Bounded before it is a whole number: factor^attempt may be infinite. */
static msec
pause_ms(const struct piece *p, uint32_t attempt)
{
	const struct agent_guard *g = p->spec->guard;
	double longest = (double)g->max_delay_ms;
	double ms = fmin((double)g->delay_ms * pow(g->factor, attempt), longest);

	if (g->delay_ms == 0)
		return 0;
	ms = fmin(ms * (1 + g->jitter * spread(p, attempt)), longest);
	return (msec)llround(fmax(ms, 0));
}

/* ---- time --------------------------------------------------------------------------- */

static msec
now_of(const struct piece *p)
{
	return p->task->host->now(p->task->ctx);
}

static void
timer_leave(struct guard *g)
{
	struct task *t = g->p.task;

	if (g->pauses || g->timed)
		t->host->timer_stop(t->ctx, &g->timer);
	if (g->pauses)
		t->running--;
	g->pauses = g->timed = false;
}

static void
timer_on(struct guard *g)
{
	struct task *t = g->p.task;
	msec left = g->due - now_of(&g->p);

	left = left > 0 ? left : 1;
	t->host->timer_set(t->ctx, &g->timer, left < TIMER_MS ? left : TIMER_MS);
}

static void attempt_begin(struct guard *g);
static void failed(struct guard *g, struct piece *child, const struct task_error *e);

static void
time_is_up(struct guard *g)
{
	char text[96];
	int n = snprintf(text, sizeof text, "line %u: not done in %lld ms",
	    g->p.spec->line, (long long)g->p.spec->guard->timeout_ms);
	struct task_error e = { S("error.timeout"), S("TimeoutError"),
		{ text, (size_t)n } };

	struct piece *child = piece_inside(&g->p);

	if (child->state != PIECE_DONE)      /* it is only not told yet */
		failed(g, child, &e);
}

static void
on_fire(struct task_timer *timer)
{
	struct guard *g = CONTAINER_OF(timer, struct guard, timer);
	struct task *t = g->p.task;

	if (!task_enter(t))
		return;
	if (g->due > now_of(&g->p)) {
		timer_on(g);
	} else if (g->timed) {
		g->timed = false;
		time_is_up(g);
	} else {
		g->pauses = false;
		t->running--;
		attempt_begin(g);
	}
	task_leave(t);
}

/* ---- what is kept ------------------------------------------------------------------- */

static struct str
part_of(char buf[32], const char *what, uint32_t attempt)
{
	int n = snprintf(buf, 32, "%s/%u", what, attempt);

	return (struct str){ buf, (size_t)n };
}

/* The end of a timeout, or of a pause; false: nothing is known. */
static bool
known_due(struct guard *g, const char *what, msec *due)
{
	char buf[32];
	const struct known *k = record_find(&g->p, part_of(buf, what, g->attempt));
	struct val v;
	bool known = k != NULL && k->result_json.p != NULL && str_eq(k->name, str_of(what));

	if (!known)
		return false;
	v = val_json_trusted(k->result_json);
	known = val_get(v, S("due")).kind == VAL_INT;
	if (known)
		*due = val_get(v, S("due")).u.i;
	val_drop(v);
	return known;
}

static void
keep_due(struct guard *g, const char *what, const struct task_error *e)
{
	struct buf b = BUF(LIMIT_TOOL_RESULT_BYTES + 4 * KB);
	char buf[32];

	json_add_fmt(&b, "{'due':%lld", (long long)g->due);
	if (e != NULL)
		json_add_fmt(&b, ",'event':%.*s,'name':%.*s,'message':%.*s", FMT(e->event),
		    FMT(e->name), FMT(str_cut(e->message, KB)));
	buf_add_char(&b, '}');
	record_part(&g->p, part_of(buf, what, g->attempt), str_of(what), buf_str(&b));
	buf_release(&b);
}

/* ---- attempts ------------------------------------------------------------------------ */

static void
timeout_begin(struct guard *g)
{
	const struct piece *p = &g->p;
	msec ms = p->spec->guard->timeout_ms;
	bool answered = p->task->answers_n > 0;

	if (ms == 0)
		return;
	if (answered || ms < KEPT_MS || !known_due(g, "timeout", &g->due)) {
		g->due = now_of(p) + ms;
		if (ms >= KEPT_MS && !answered)
			keep_due(g, "timeout", NULL);
	}
	g->timed = true;
	timer_on(g);
}

static void
attempt_begin(struct guard *g)
{
	struct piece *p = &g->p;

	timeout_begin(g);
	g->view.up = p->view;
	piece_add(p->task, p, run_of(p->spec), p->spec, g->attempt, &g->view, p->names);
}

static void
pause_begin(struct guard *g)
{
	if (g->due <= now_of(&g->p)) {
		attempt_begin(g);
		return;
	}
	g->pauses = true;
	g->p.task->running++;                /* it goes on without anybody */
	timer_on(g);
}

static void
guard_start(struct piece *p)
{
	struct guard *g = guard_of(p);

	g->timer.fire = on_fire;
	p->inner = true;                     /* `writes` and the like are the attempt's */
	while (g->attempt < p->spec->guard->max && known_due(g, "retry", &g->due))
		g->attempt++;
	pause_begin(g);
}

/* A call that cannot be taken back is not made again only because it is slow. */
static bool
may_retry(const struct guard *g, const struct task_error *e, bool open)
{
	const struct agent_guard *rules = g->p.spec->guard;

	if (!rules->retries || g->attempt >= rules->max || !is_retried(rules, e->event))
		return false;
	for (size_t i = 0; open && i < rules->on_n; i++)
		if (str_eq(rules->on[i], e->event))
			return true;
	return !open;
}

static void
failed(struct guard *g, struct piece *child, const struct task_error *e)
{
	struct piece *p = &g->p;
	bool open = piece_calls_open(child);

	timer_leave(g);
	piece_stop(child);
	view_release(&g->view);
	if (!may_retry(g, e, open)) {
		piece_fail_with(p, e);
		return;
	}
	g->due = now_of(p) + pause_ms(p, g->attempt);
	keep_due(g, "retry", e);
	log_info("task", "retry", "kind=%s line=%u attempt=%u error=%.*s pause_ms=%lld",
	    piece_kind(p), p->spec->line, g->attempt + 1, FMT(e->event),
	    (long long)(g->due - now_of(p)));
	g->attempt++;
	pause_begin(g);
}

static bool
guard_child_failed(struct piece *p, struct piece *child, const struct task_error *e)
{
	failed(guard_of(p), child, e);
	return true;
}

static void
guard_child_done(struct piece *p, struct piece *child)
{
	struct guard *g = guard_of(p);

	timer_leave(g);
	view_join(p->view, &g->view);
	p->returns = child->returns;
	piece_done(p, val_ref(child->result));
}

static void
guard_stop(struct piece *p)
{
	timer_leave(guard_of(p));
}

static void
guard_release(struct piece *p)
{
	view_release(&guard_of(p)->view);
}

/* A timeout that begins anew with each attempt is not in the journal. */
static bool
guard_sleeps(const struct piece *p, msec *until)
{
	const struct guard *g = CONTAINER_OF(p, const struct guard, p);

	if (g->pauses || g->timed)
		*until = g->due;
	return !g->timed || (p->spec->guard->timeout_ms >= KEPT_MS &&
	    p->task->answers_n == 0);
}

const struct task_run task_guard = {
	.size = sizeof(struct guard), .traits = TASK_CONTAINER, .segment = "try",
	.start = guard_start, .child_done = guard_child_done,
	.child_failed = guard_child_failed, .stop = guard_stop, .release = guard_release,
	.sleeps = guard_sleeps,
};
