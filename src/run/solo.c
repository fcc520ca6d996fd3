/*
 * solo.c - see solo.h.
 *
 * One attempt after another over the same memory: the first with the input, those
 * that follow with the answers to what waits.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/solo.h"

#include <assert.h>

#include "base/hmac.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "net/shard.h"
#include "run/solo_priv.h"
#include "state/message.h"

/* ---- the clock ----------------------------------------------------------------- */

msec
solo_now(const struct solo *s)
{
	return s->o->instant ? s->now : shard_wall(s->o->shard);
}

static void
on_wake(struct wheel_timer *w)
{
	(void)w;                             /* the pump looks what is due */
}

/* The next timer of the clock that jumps, or what is due on the other; false:
 * there is none. */
static bool
jump(struct solo *s)
{
	struct solo_timer *x = s->timers;
	msec due = core_due(s->core);

	if (due <= solo_now(s) || (s->o->instant && due != CORE_NEVER &&
	    (x == NULL || due < x->due))) {
		s->now = due > s->now ? due : s->now;
		core_fire(s->core);
		return true;
	}
	if (due != CORE_NEVER && !s->o->instant) {
		s->wake.fire = on_wake;
		shard_timer_cancel(s->o->shard, &s->wake);
		shard_timer_set(s->o->shard, &s->wake, due - solo_now(s));
	}
	if (x == NULL)
		return false;
	s->timers = x->next;
	if (x->due > s->now)
		s->now = x->due;
	x->wheel.fire(&x->wheel);
	return true;
}

/* ---- telling --------------------------------------------------------------------- */

static void
tell(struct solo *s, struct run_event *ev)
{
	ev->now = solo_now(s);
	if (s->o->told != NULL)
		s->o->told(s->o->ctx, ev);
}

static struct transcript not_kept;           /* off */

struct note
solo_note(const struct solo *s)
{
	return (struct note){ .to = s->o->transcript != NULL ? s->o->transcript :
	    &not_kept, .now = solo_now(s) };
}

struct note
solo_task_note(const struct solo_task *t)
{
	struct note n = solo_note(t->solo);

	n.at = core_place(t->core);
	return n;
}

void
solo_tell(struct solo_task *t, struct run_event *ev)
{
	tell(t->solo, ev);
}

struct run_event
solo_event(const struct solo_task *t, enum event_kind kind)
{
	struct run_event ev = core_event(t->core, kind);

	ev.task = &t->shown;
	return ev;
}

/* ---- the core's effects ------------------------------------------------------------ */

static int
on_load(void *ctx, struct str ns, const struct uuid *id, struct core_saved **out)
{
	struct core_saved *newest = keep_load(&((struct solo *)ctx)->keep, ns);

	*out = NULL;                         /* earlier ones are not kept */
	if (newest != NULL && (uuid_is_zero(id) || uuid_eq(id, &newest->id)))
		*out = newest;
	else
		keep_saved_free(newest);
	return OK;
}

static void
on_release(void *ctx, struct core_saved *saved)
{
	(void)ctx;
	keep_saved_free(saved);
}

static int
on_waiting(void *ctx, const struct core_interrupt **out, size_t *n)
{
	struct solo *s = ctx;

	free(s->waiting);
	s->waiting = mem_alloc((s->keep.asked_n + 1) * sizeof *s->waiting);
	*n = 0;
	for (size_t i = 0; i < s->keep.asked_n; i++)
		if (s->keep.asked[i].waits)
			s->waiting[(*n)++] = s->keep.asked[i];
	*out = s->waiting;
	return OK;
}

static struct uuid
on_new_id(void *ctx, struct str ns, int step)
{
	const struct solo *s = ctx;

	return s->replay != NULL ? replay_new_id(s->replay, ns, step) :
	    uuid_v6((unsigned)step);
}

static void
on_checkpoint(void *ctx, const struct core_checkpoint *c)
{
	struct solo *s = ctx;
	struct note note = solo_note(s);
	struct val values;

	keep_checkpoint(&s->keep, c);
	note_checkpoint(&note, c);
	if (s->o->stands == NULL)
		return;
	values = channels_values(c->state);
	s->o->stands(s->o->ctx, c->ns, &c->id, values);
	val_drop(values);
}

static void
on_writes(void *ctx, const struct core_task *t, struct val error)
{
	keep_writes(&((struct solo *)ctx)->keep, t, error.kind != VAL_UNDEFINED);
}

static void
on_carry(void *ctx, const struct core_task *t, size_t n, struct str name,
    struct val value)
{
	(void)n;
	keep_carry(&((struct solo *)ctx)->keep, t, name, value);
}

static void
on_interrupt(void *ctx, const struct core_task *t, const struct core_interrupt *i)
{
	struct solo *s = ctx;
	struct note note = solo_note(s);

	note.at = core_place(t);
	note_interrupt(&note, i);
	keep_interrupt(&s->keep, i);
}

static void
on_answer(void *ctx, const struct core_interrupt *i, struct val value)
{
	struct solo *s = ctx;

	keep_answer(&s->keep, i, value);
}

static void
on_void_all(void *ctx)
{
	keep_void(&((struct solo *)ctx)->keep);
}

static void
on_drop(void *ctx, const struct core_task *t)
{
	keep_drop(&((struct solo *)ctx)->keep, t);
}

static void
on_begin(void *ctx, struct core_task *t)
{
	struct solo *s = ctx;
	struct solo_task *x = mem_new(struct solo_task);
	struct note note;

	x->solo = s;
	x->core = t;
	t->host = x;
	event_task_make(&x->shown, t);
	*s->ready_end = x;
	s->ready_end = &x->next;
	note = solo_task_note(x);
	if (t->serial == 0)                  /* charts tell their states themselves */
		note_node(&note, TRANSCRIPT_ENTERED);
}

static void
on_stop(void *ctx, struct core_task *t)
{
	struct solo_task *x = t->host;

	(void)ctx;
	t->host = NULL;
	if (x->task != NULL && !x->solo->over)
		task_quit(x->task);
	if (x->task != NULL)
		task_stop(x->task);
	solo_task_close(x);
}

static bool
on_wants(void *ctx, enum event_kind kind, bool root)
{
	const struct solo *s = ctx;

	(void)root;
	return s->o->told != NULL || (s->o->transcript != NULL &&
	    kind == EVENT_INTERRUPT);
}

static void
on_told(void *ctx, const struct run_event *ev)
{
	struct run_event own = *ev;
	struct note note = solo_note(ctx);

	if (ev->kind == EVENT_INTERRUPT && ev->ns.n == 0 &&
	    val_count(ev->u.interrupts.list) == 0)
		note_breakpoint(&note);
	tell(ctx, &own);
}

static void
on_end(void *ctx, enum core_end end, const struct core_error *e)
{
	static const enum solo_end ends[] = { [CORE_SUCCESS] = SOLO_SUCCESS,
		[CORE_ERROR] = SOLO_ERROR, [CORE_INTERRUPTED] = SOLO_INTERRUPTED };
	static const enum run_status statuses[] = { [CORE_SUCCESS] = RUN_SUCCESS,
		[CORE_ERROR] = RUN_ERROR, [CORE_INTERRUPTED] = RUN_INTERRUPTED };
	struct solo *s = ctx;
	struct solo_result *r = s->result;
	struct note note = solo_note(s);

	s->over = true;
	r->end = ends[end];
	if (e != NULL)
		note_error(&note, STR_NONE, e->name, e->message);
	note_end(&note, statuses[end]);
	if (e == NULL)
		return;
	buf_clear(&r->text);
	buf_add(&r->text, e->name);
	buf_add(&r->text, e->message);
	r->error = str_sub(buf_str(&r->text), 0, e->name.n);
	r->message = str_sub(buf_str(&r->text), e->name.n, SIZE_MAX);
}

static msec
on_clock(void *ctx)
{
	return solo_now(ctx);
}

static void
on_path(void *ctx, struct str ns, const struct chart *c, const struct effect *f)
{
	struct note note = solo_note(ctx);

	note.at.ns = ns;
	note_path(&note, c, f);
}

static int
on_mail(void *ctx, const struct run_event *at, const struct task_mail *m, struct err *e)
{
	size_t receivers;

	return solo_mail(ctx, at, m, &receivers, e);
}

static const struct core_effects effects = {
	.load = on_load, .release = on_release, .waiting = on_waiting,
	.now = on_clock, .new_id = on_new_id, .checkpoint = on_checkpoint, .writes = on_writes,
	.carry = on_carry, .interrupt = on_interrupt, .answer = on_answer,
	.void_all = on_void_all, .drop = on_drop, .begin = on_begin, .stop = on_stop,
	.wants = on_wants, .told = on_told, .path = on_path, .mail = on_mail, .end = on_end,
};

/* ---- tasks ------------------------------------------------------------------------------ */

void
solo_task_close(struct solo_task *t)
{
	struct solo *s = t->solo;
	struct solo_task **at = &s->tasks;

	t->core = NULL;
	while (*at != NULL && *at != t)
		at = &(*at)->next;
	if (*at == NULL)
		return;                      /* still in `ready` */
	*at = t->next;
	t->next = s->dead;
	s->dead = t;
}

static void
task_drop(struct solo_task *t)
{
	task_free(t->task);
	event_task_release(&t->shown);
	free(t->call_id);
	free(t);
}

static void
free_dead(struct solo *s)
{
	while (s->dead != NULL) {
		struct solo_task *t = s->dead;

		s->dead = t->next;
		task_drop(t);
	}
}

/* The next task begins, or is dropped if it was stopped before. */
static void
start_next(struct solo *s)
{
	struct solo_task *t = s->ready;
	const struct core_task *core = t->core;
	struct task_spec spec;

	s->ready = t->next;
	if (s->ready == NULL)
		s->ready_end = &s->ready;
	if (core == NULL) {
		task_drop(t);
		return;
	}
	spec = core_task_spec(core);
	spec.defaults = &s->plan->defaults;
	t->next = s->tasks;
	s->tasks = t;
	t->task = task_new(&spec, s->host, t);
	task_start(t->task);
}

/* ---- a model that the caller is ------------------------------------------------------- */

void
solo_call_free(struct solo_call *c)
{
	val_drop(c->reply);
	free(c);
}

static struct val
as_message(struct val reply)
{
	struct val m = reply.kind == VAL_OBJECT ? val_ref(reply) :
	    val_set_take(val_object_empty(), S("content"), val_ref(reply));

	return val_set_take(m, S("type"), val_string(S("ai")));
}

/* {error: "error.llm.rate_limited", message}: the model fails. */
static const char *
failure_of(struct val reply, struct err *e)
{
	static const char *const events[] = { "error.llm.backend", "error.llm.rate_limited",
		"error.llm.overloaded", "error.llm.auth", "error.llm.invalid_request",
		"error.llm.context_length", "error.llm.timeout", "error.llm.transport" };
	struct val name = reply.kind == VAL_OBJECT ? val_get(reply, S("error")) : VAL_UNDEF;
	struct val words = reply.kind == VAL_OBJECT ? val_get(reply, S("message")) : VAL_UNDEF;

	if (name.kind != VAL_STRING)
		return NULL;
	err_set(e, ERR_IO, "%.*s", FMT(words.kind == VAL_STRING ? val_str(words) :
	    S("the model has failed")));
	for (size_t i = 0; i < COUNT(events); i++)
		if (str_eq(val_str(name), str_of(events[i])))
			return events[i];
	err_set(e, ERR_INVALID, "there is no error '%.*s' of a model",
	    FMT(str_cut(val_str(name), 100)));
	return "error.llm.invalid_request";
}

static void
reply_next(struct solo *s)
{
	struct solo_call *c = s->calls;
	struct val m = as_message(c->reply), message = VAL_UNDEF;
	struct llm_answer a = { 0 };
	struct err e = { 0 };
	const char *event = failure_of(c->reply, &e);
	int rc = e.code;

	if (event != NULL)
		;                            /* it has failed */
	else if (c->reply.kind == VAL_UNDEFINED)
		rc = err_set(&e, ERR_INVALID,
		    "the model was asked once more than there are replies");
	else
		rc = message_from(m, "replies", &message, NULL, &e);
	if (event == NULL)
		event = "error.llm.invalid_request";
	s->calls = c->next;
	if (rc == OK)
		a = (struct llm_answer){ .id = message_id(message),
		    .message_json = val_json_text(message) };
	c->hooks.done(c->hooks.ctx, rc, rc == OK ? &a : NULL, rc == OK ? NULL : event, &e);
	val_drop(m);
	val_drop(message);
	solo_call_free(c);
}

/* ---- an attempt --------------------------------------------------------------------------- */

/* One thing after another until it is over. */
static void
pump(struct solo *s)
{
	while (!s->over) {
		if (s->ready != NULL)
			start_next(s);
		else if (s->replay != NULL && !replay_next(s))
			s->over = true;
		else if (s->replay == NULL && s->calls != NULL)
			reply_next(s);
		else if (s->o->letter != NULL && s->asked == 0 && solo_mail_next(s))
			;
		else if (s->replay == NULL && (s->asked > 0 || !jump(s)))
			shard_turn(s->o->shard);
		free_dead(s);
		if (s->o->noted != NULL)
			s->o->noted(s->o->ctx, s->o->transcript);
	}
}

/* What a request would be on a server; answers: by id, or UNDEF. */
static void
kwargs_add(struct buf *b, const struct solo_options *o, bool first, struct val answers)
{
	static const char *const names[] = { "config", "context" };
	struct val at[] = { o->config, o->context };

	buf_add_char(b, '{');
	if (first) {
		buf_lit(b, "\"input\":");
		val_add_json(b, o->input);
	} else {
		buf_lit(b, "\"input\":null");
	}
	for (size_t i = 0; i < COUNT(names); i++) {
		buf_add_fmt(b, ",\"%s\":", names[i]);
		val_add_json(b, at[i].kind == VAL_OBJECT ? at[i] : VAL_NIL);
	}
	if (answers.kind == VAL_OBJECT && val_count(answers) > 0) {
		buf_lit(b, ",\"command\":{\"resume\":");
		val_add_json(b, answers);
		buf_add_char(b, '}');
	}
	buf_lit(b, ",\"stream_mode\":[\"values\"],\"durability\":\"async\"}");
}

static int
plan_make(struct solo *s, bool first, struct val answers, struct err *e)
{
	struct buf b = BUF(2 * (size_t)LIMIT_STATE_BYTES);
	int rc;

	if (s->replay != NULL)
		val_add_json(&b, answers);
	else
		kwargs_add(&b, s->o, first, answers);
	rc = plan_read(&s->plan, buf_str(&b), &s->run_id, s->o->agent, s->o->tools, e);
	buf_release(&b);
	if (rc == OK && s->plan->defaults.model.n == 0)
		s->plan->defaults.model = s->o->model;
	if (rc == OK)
		s->plan->q.hears = s->o->letter != NULL || s->replay != NULL;
	return rc;
}

static void
attempt_close(struct solo *s)
{
	core_stop(s->core);
	if (s->replay != NULL)
		replay_clear(s->replay);
	while (s->ready != NULL) {
		struct solo_task *t = s->ready;

		s->ready = t->next;
		task_drop(t);
	}
	s->ready_end = &s->ready;
	free_dead(s);
	assert(s->tasks == NULL && s->calls == NULL && s->timers == NULL);
	core_free(s->core);
	plan_free(s->plan);
	s->core = NULL;
	s->plan = NULL;
}

/* answers: of a run that is made again its request.  *waits: what it waits for, owned by
 * the caller. */
static int
attempt(struct solo *s, bool first, struct val answers, struct val *waits, struct err *e)
{
	int rc;

	if (s->replay == NULL)
		s->run_id = uuid_v7();
	s->result->end = SOLO_STUCK;
	s->over = false;
	s->ready_end = &s->ready;
	*waits = VAL_UNDEF;
	rc = plan_make(s, first, answers, e);
	if (rc != OK)
		return rc;
	s->core = core_new(s->o->agent, &s->plan->q, &effects, s);
	core_start(s->core);
	pump(s);
	shard_timer_cancel(s->o->shard, &s->wake);
	*waits = core_waits(s->core);
	val_drop(s->result->values);
	s->result->values = core_state(s->core) != NULL ?
	    channels_values(core_state(s->core)) : val_object_empty();
	attempt_close(s);
	return OK;
}

/* On the clock that jumps, nobody answers before the first time limit. */
static bool
time_out(struct solo *s, struct val *answers)
{
	const struct core_interrupt *first = s->o->instant ? keep_first_due(&s->keep) : NULL;
	struct buf id = BUF(64);

	if (first == NULL)
		return false;
	s->now = first->due > s->now ? first->due : s->now;
	hex_add(&id, first->id.b, sizeof first->id.b);
	*answers = val_set_take(*answers, buf_str(&id), val_set_take(val_object_empty(),
	    S(TASK_TIMEOUT_KEY), val_bool(true)));
	buf_release(&id);
	return true;
}

/* Asks for all that waits; false: one has no answer. */
static bool
ask_all(struct solo *s, struct val waits, struct val *answers)
{
	const struct solo_options *o = s->o;
	struct val answer = VAL_UNDEF;
	bool given = o->ask != NULL;

	*answers = val_object_empty();
	if (given && val_count(waits) == 0)
		return o->ask(o->ctx, VAL_UNDEF, &answer);
	for (size_t i = 0; i < val_count(waits) && given; i++) {
		struct val one = val_at(waits, i);

		given = o->ask(o->ctx, one, &answer);
		if (given)
			*answers = val_set_take(*answers, val_str(val_get(one, S("id"))),
			    answer);
	}
	return given || (val_count(*answers) == 0 && time_out(s, answers));
}

int
solo_run(const struct solo_options *o, struct solo_result *out, struct err *e)
{
	struct task_host host = solo_host;
	struct solo s = { .o = o, .host = &host, .result = out,
		.now = clock_wall_ms(), .spawned = val_array_empty() };
	struct val answers = VAL_UNDEF, waits;
	bool first = true, again = true;
	int rc = OK;

	host.tools = o->tools;
	*out = (struct solo_result){ .values = VAL_UNDEF, .text = BUF(LIMIT_STATE_BYTES) };
	while (rc == OK && again) {
		rc = attempt(&s, first, answers, &waits, e);
		first = false;
		val_drop(answers);
		answers = VAL_UNDEF;
		again = rc == OK && out->end == SOLO_INTERRUPTED &&
		    ask_all(&s, waits, &answers);
		val_drop(waits);
	}
	val_drop(answers);
	val_drop(s.spawned);
	keep_release(&s.keep);
	free(s.waiting);
	return rc;
}

int
solo_replay(const struct solo_options *o, const struct solo_tape *tapes, size_t n,
    size_t *done, struct solo_result *out, struct err *e)
{
	const struct task_host host = replay_host(o->tools);
	struct solo s = { .o = o, .host = &host, .result = out };
	struct val waits;
	int rc = OK;

	*out = (struct solo_result){ .values = VAL_UNDEF, .text = BUF(LIMIT_STATE_BYTES) };
	if (o->start.values.kind != VAL_UNDEFINED)
		keep_start(&s.keep, o->start.values, &o->start.id, o->start.step);
	for (*done = 0; rc == OK && *done < n; ++*done) {
		s.replay = replay_new(&tapes[*done]);
		s.run_id = tapes[*done].run_id;
		rc = attempt(&s, true, tapes[*done].request, &waits, e);
		replay_free(s.replay);
		if (rc != OK)
			break;
		val_drop(waits);
		if (out->end == SOLO_STUCK)
			break;
	}
	keep_release(&s.keep);
	free(s.waiting);
	return rc;
}

void
solo_release(struct solo_result *r)
{
	val_drop(r->values);
	buf_release(&r->text);
}
