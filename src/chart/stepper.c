/*
 * stepper.c - see stepper.h.
 *
 * Effects only queue deliveries, so a session is never reentered.  A delivery holds
 * pointers to members; before a member is freed, the deliveries to it and its
 * timers are.  Events that it has sent stay queued.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chart/stepper_priv.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

const char *const delivery_names[DELIVERY_VALS] = {
	"name", "data", "sendid", "invokeid", "target", "type", "origin" };

/* ---- deliveries ------------------------------------------------------------  */

void
delivery_free(struct delivery *j)
{
	for (size_t i = 0; i < DELIVERY_VALS; i++)
		val_drop(j->vals[i]);
	free(j);
}

struct delivery *
delivery_new(struct member *to, struct str name, struct val data)
{
	struct delivery *j = mem_new(struct delivery);

	j->to = to;
	j->name = val_of_text(name);
	j->data = val_ref(data);
	return j;
}

void
delivery_post(struct chart_stepper *st, struct delivery *j)
{
	j->next = NULL;
	j->to->waiting++;
	*st->tail = j;
	st->tail = &j->next;
}

void
delivery_delay(struct chart_stepper *st, struct delivery *j)
{
	struct delivery **at = &st->timers;

	j->from->delayed++;
	while (*at != NULL && (*at)->due <= j->due)
		at = &(*at)->next;
	j->next = *at;
	*at = j;
}

/* Cuts one out of the queue. */
static struct delivery *
delivery_take(struct chart_stepper *st, struct delivery **at)
{
	struct delivery *j = *at;

	*at = j->next;
	if (*at == NULL)
		st->tail = at;
	j->to->waiting--;
	return j;
}

/* The queued events for m; NULL: all. */
static void
drop_deliveries(struct chart_stepper *st, const struct member *m)
{
	struct delivery **at = &st->queue;

	while (*at != NULL && (m == NULL || m->waiting > 0)) {
		if (m == NULL || (*at)->to == m)
			delivery_free(delivery_take(st, at));
		else
			at = &(*at)->next;
	}
}

/* The timers of m (NULL: all); with a sendid, those with it. */
static void
drop_timers(struct chart_stepper *st, const struct member *m, struct str sendid)
{
	struct delivery **at = &st->timers;

	while (*at != NULL && (m == NULL || m->delayed > 0)) {
		struct delivery *j = *at;

		if ((m != NULL && j->from != m) ||
		    (sendid.n > 0 && !str_eq(val_text(j->sendid), sendid))) {
			at = &j->next;
			continue;
		}
		*at = j->next;
		j->from->delayed--;
		delivery_free(j);
	}
}

/* ---- members ------------------------------------------------------------- */

struct member *
member_new(struct chart_stepper *st, struct member *parent, const struct chart *chart,
    const struct effect *invoke, uint32_t number)
{
	struct member *m = mem_new(struct member);
	struct buf b = BUF(2 * LIMIT_NAME_BYTES);
	struct member **at = &st->members;

	assert((parent == NULL) == (invoke == NULL));
	m->st = st;
	m->parent = parent;
	m->number = number;
	if (invoke != NULL) {
		m->serial = invoke->serial;
		m->nesting = parent->nesting + 1;
		m->invokeid = val_of_text(invoke->invokeid);
		buf_add_fmt(&b, "%.*s.%u", FMT(val_str(st->top->id)), number);
		m->id = val_string(buf_str(&b));
		m->origin = session_location(val_str(m->id));
		m->s = session_new(chart, val_str(m->id), invoke->data, invoke->invokeid);
	}
	buf_release(&b);
	while (*at != NULL && (*at)->number < number)
		at = &(*at)->next;
	m->next = *at;
	*at = m;
	st->members_n++;
	return m;
}

static void
member_free(struct member *m)
{
	session_free(m->s);
	chart_free(m->chart);
	val_drop(m->id);
	val_drop(m->origin);
	val_drop(m->invokeid);
	free(m);
}

/* The session is over. */
static void
member_end(struct member *m)
{
	struct chart_stepper *st = m->st;
	struct member **at = &st->members;

	drop_deliveries(st, m);
	drop_timers(st, m, STR_NONE);
	while (*at != m)
		at = &(*at)->next;
	*at = m->next;
	st->members_n--;
	for (struct member *k = st->members; k != NULL; k = k->next) {
		if (k->parent != m)
			continue;
		assert(k->cancelled > 0);    /* its invokes are stopped */
		k->parent = NULL;
	}
	member_free(m);
}

struct member *
member_numbered(const struct chart_stepper *st, uint32_t number)
{
	for (struct member *k = st->members; k != NULL; k = k->next)
		if (k->number == number)
			return k;
	return NULL;
}

static struct member *
child_of(const struct member *m, uint32_t serial)
{
	for (struct member *k = m->st->members; k != NULL; k = k->next)
		if (k->parent == m && k->serial == serial)
			return k;
	return NULL;
}

/* ---- targets ------------------------------------------------------------- */

static bool
is_processor(struct str type)
{
	return type.n == 0 || str_eq(type, S("scxml")) || str_eq(type, S(SCXML_PROCESSOR));
}

/* A session that is being stopped cannot be reached any more. */
static struct member *
named(const struct member *from, struct str name, bool session)
{
	for (struct member *k = from->st->members; k != NULL; k = k->next)
		if (k->cancelled == 0 && (session ? str_eq(val_str(k->id), name) :
		    k->parent == from && str_eq(val_text(k->invokeid), name)))
			return k;
	return NULL;
}

/* OK with *to NULL: it is to be dropped.  ERR_INVALID: not a session's target;
 * ERR_CLOSED: no such session. */
static int
resolve(struct member *from, struct str target, struct str type, struct member **to)
{
	struct str session = S("#_scxml_");

	*to = NULL;
	if (!is_processor(type))
		return ERR_INVALID;
	if (target.n == 0)
		*to = from;
	else if (str_eq(target, S("#_parent")) && from->cancelled > 0)
		return OK;
	else if (str_eq(target, S("#_parent")))
		*to = from->parent;
	else if (str_starts(target, session))
		*to = named(from, str_sub(target, session.n, SIZE_MAX), true);
	else if (str_starts(target, S("#_")))
		*to = named(from, str_sub(target, 2, SIZE_MAX), false);
	else
		return ERR_INVALID;
	if (*to != NULL && from->cancelled > 0 && *to == from->parent)
		*to = NULL;
	else if (*to == NULL)
		return ERR_CLOSED;
	return OK;
}

static int
on_reach(void *ctx, struct str target, struct str type, bool delayed)
{
	struct member *m = ctx, *to;
	const struct stepper_ops *ops = m->st->ops;
	int rc = resolve(m, target, type, &to);

	if (rc == ERR_INVALID && ops->reach != NULL)
		rc = ops->reach(m->st->ctx, target, type, delayed);
	if (rc == ERR_INVALID || (rc != OK && !delayed))
		return rc;
	if (delayed)
		return m->delayed >= LIMIT_CHART_QUEUE ? ERR_LIMIT : OK;
	return to != NULL && to->waiting >= LIMIT_CHART_QUEUE ? ERR_LIMIT : OK;
}

/* Where an event comes from, and if it comes to the parent, from which invoke. */
static void
stamp(struct delivery *j, const struct member *from)
{
	j->origin = val_ref(from->origin);
	if (j->to != from->parent)
		return;
	j->invokeid = val_ref(from->invokeid);
	j->serial = from->serial;
}

static void
on_send(struct member *m, const struct effect *f)
{
	struct chart_stepper *st = m->st;
	struct member *to;
	struct delivery *j;
	int rc = resolve(m, f->target, f->type, &to);

	if (f->delay_ms == 0 && to == NULL) {
		if (rc == ERR_INVALID && st->ops->send != NULL)
			st->ops->send(st->ctx, f);
		return;
	}
	j = delivery_new(f->delay_ms > 0 ? NULL : to, f->name, f->data);
	j->sendid = val_of_text(f->sendid);
	if (f->delay_ms == 0) {
		stamp(j, m);
		delivery_post(st, j);
		return;
	}
	j->from = m;
	j->target = val_of_text(f->target);
	j->type = val_of_text(f->type);
	j->due = f->delay_ms < STEPPER_NEVER - st->now ? st->now + f->delay_ms :
	    STEPPER_NEVER - 1;
	delivery_delay(st, j);
}

/* ---- invokes ------------------------------------------------------------- */

static uint64_t
task_serial(const struct member *m, uint32_t serial)
{
	return (uint64_t)m->number << 32 | serial;
}

void
stepper_invoke_failed(struct member *m, struct str invokeid, uint32_t serial, int rc,
    struct str text)
{
	struct val data = val_set_take(val_object_empty(), S("message"), val_string(text));
	struct delivery *j = delivery_new(m, rc == ERR_INVALID || rc == ERR_LIMIT ?
	    S("error.execution") : S("error.communication"), data);

	val_drop(data);
	j->invokeid = val_of_text(invokeid);
	j->serial = serial;
	j->tie = TIE_ERROR;
	delivery_post(m->st, j);
}

int
stepper_chart(struct member *m, const struct effect *f, const struct chart **chart,
    struct chart **own, struct err *e)
{
	const struct chart_stepper *st = m->st;
	int rc = OK;

	*own = NULL;
	*chart = f->child;
	if (st->members_n >= LIMIT_CHART_SESSIONS)
		return err_set(e, ERR_LIMIT, "more than %d sessions", LIMIT_CHART_SESSIONS);
	if (m->nesting >= LIMIT_CHART_NESTING)
		return err_set(e, ERR_LIMIT, "charts invoke charts deeper than %d",
		    LIMIT_CHART_NESTING);
	if (*chart != NULL)
		return OK;
	if (st->ops->load == NULL)
		return err_set(e, ERR_INVALID, "a chart must be given in place here");
	rc = st->ops->load(st->ctx, f, own, e);
	*chart = *own;
	return rc;
}

void
stepper_begin(struct member *m, const struct effect *f, bool again)
{
	const struct chart_stepper *st = m->st;
	struct stepper_task t = { .serial = task_serial(m, f->serial),
		.node = chart_state_id(m->s->c, f->state), .kind = f->type,
		.invokeid = f->invokeid, .args = f->data, .src = f->src,
		.content = f->content, .again = again };
	struct err e;

	if (st->ops->begin != NULL && (st->ops->knows == NULL ||
	    st->ops->knows(st->ctx, f->type))) {
		st->ops->begin(st->ctx, &t);
		return;
	}
	err_set(&e, ERR_INVALID, "the type '%.*s' is not known here",
	    FMT(str_sub(f->type, 0, 60)));
	stepper_invoke_failed(m, f->invokeid, f->serial, ERR_INVALID, str_of(e.text));
}

static void
on_invoke(struct member *m, const struct effect *f)
{
	struct chart_stepper *st = m->st;
	const struct chart *chart;
	struct member *child;
	struct chart *own;
	struct delivery *j;
	struct err e;
	int rc;

	if (!chart_is_chart_type(f->type)) {
		stepper_begin(m, f, false);
		return;
	}
	rc = stepper_chart(m, f, &chart, &own, &e);
	if (rc != OK) {
		stepper_invoke_failed(m, f->invokeid, f->serial, rc, str_of(e.text));
		return;
	}
	child = member_new(st, m, chart, f, ++st->numbers);
	child->chart = own;
	j = delivery_new(child, STR_NONE, VAL_UNDEF);
	j->start = true;
	delivery_post(st, j);
}

static void
on_uninvoke(struct member *m, const struct effect *f)
{
	struct chart_stepper *st = m->st;
	struct member *child;

	if (!chart_is_chart_type(f->type)) {
		if (st->ops->stop != NULL)
			st->ops->stop(st->ctx, task_serial(m, f->serial));
		return;
	}
	child = child_of(m, f->serial);      /* NULL: it has ended */
	if (child != NULL)
		child->cancelled = ++st->cancels;
}

static void
on_forward(struct member *m, const struct effect *f)
{
	struct chart_stepper *st = m->st;
	struct member *child = child_of(m, f->serial);

	if (child != NULL && child->waiting < LIMIT_CHART_QUEUE)
		delivery_post(st, delivery_new(child, f->name, f->data));
	else if (child == NULL && st->ops->forward != NULL)
		st->ops->forward(st->ctx, task_serial(m, f->serial), f->name, f->data);
}

/* ---- effects ------------------------------------------------------------- */

static void
on_done(struct member *m, const struct effect *f)
{
	struct chart_stepper *st = m->st;
	struct buf name = BUF(2 * LIMIT_NAME_BYTES);
	struct delivery *j;

	if (m == st->top) {
		val_drop(st->output);
		st->output = val_ref(f->data);
	}
	if (m->parent == NULL || m->cancelled > 0)
		return;
	buf_lit(&name, "done.invoke.");
	buf_add(&name, val_text(m->invokeid));
	j = delivery_new(m->parent, buf_str(&name), f->data);
	j->invokeid = val_ref(m->invokeid);
	j->serial = m->serial;
	j->tie = TIE_DONE;
	delivery_post(st, j);
	buf_release(&name);
}

static void
on_effect(void *ctx, const struct effect *f)
{
	struct member *m = ctx;
	struct chart_stepper *st = m->st;

	switch (f->kind) {
	case EFFECT_SEND:
		on_send(m, f);
		return;
	case EFFECT_CANCEL:
		if (f->sendid.n > 0)
			drop_timers(st, m, f->sendid);
		return;
	case EFFECT_INVOKE:
		(st->saved != NULL ? stepper_invoke_again : on_invoke)(m, f);
		return;
	case EFFECT_UNINVOKE:
		on_uninvoke(m, f);
		return;
	case EFFECT_FORWARD:
		on_forward(m, f);
		return;
	case EFFECT_DONE:
		on_done(m, f);
		break;
	default:
		break;
	}
	if (st->ops->told != NULL)
		st->ops->told(st->ctx, m->s->c, val_str(m->id), f);
}

struct effect_sink
member_sink(struct member *m)
{
	return (struct effect_sink){ .effect = on_effect, .ctx = m, .reach = on_reach,
		.path = m->st->ops->path };
}

/* ---- steps --------------------------------------------------------------- */

static int
delivery_run(struct delivery *j)
{
	struct member *m = j->to;
	struct effect_sink sink = member_sink(m);
	struct chart_event ev = { .name = val_text(j->name), .data = j->data,
		.sendid = val_text(j->sendid), .invokeid = val_text(j->invokeid),
		.origin = val_text(j->origin), .serial = j->serial, .tie = j->tie };

	if (j->start) {
		m->started = true;
		return session_start(m->s, &sink);
	}
	ev.origintype = ev.origin.n > 0 ? S(SCXML_PROCESSOR) : STR_NONE;
	return session_event(m->s, &ev, &sink);
}

static struct member *
next_cancelled(const struct chart_stepper *st)
{
	struct member *first = NULL;

	for (struct member *m = st->members; m != NULL; m = m->next)
		if (m->cancelled > 0 && (first == NULL || m->cancelled < first->cancelled))
			first = m;
	return first;
}

/* It gets what was sent to it before; what it sends to itself by then is lost. */
static void
member_cancel(struct member *m)
{
	struct chart_stepper *st = m->st;
	struct effect_sink sink = member_sink(m);
	struct delivery **at = &st->queue;

	for (size_t left = m->started ? m->waiting : 0; left > 0; left--) {
		struct delivery *j;

		while ((*at)->to != m)
			at = &(*at)->next;
		j = delivery_take(st, at);
		(void)delivery_run(j);
		delivery_free(j);
	}
	session_cancel(m->s, &sink);
	member_end(m);
}

/* Frees sessions that are over or stopped. */
static void
clean_up(struct chart_stepper *st, struct member *m, int rc)
{
	struct member *cancelled;

	if (m != st->top && m->cancelled == 0 && session_over(m->s)) {
		if (rc != OK)
			stepper_invoke_failed(m->parent, val_text(m->invokeid),
			    m->serial, rc, session_why(m->s));
		member_end(m);
	}
	while (st->cancels > 0 && (cancelled = next_cancelled(st)) != NULL)
		member_cancel(cancelled);
	st->cancels = 0;
	if (!session_over(st->top->s))
		return;
	drop_deliveries(st, NULL);
	drop_timers(st, NULL, STR_NONE);
}

int
stepper_step(struct chart_stepper *st, msec now)
{
	struct member *m;
	struct delivery *j;
	bool top;
	int rc;

	if (st->queue == NULL)
		return ERR_NOTFOUND;
	st->now = now;
	j = delivery_take(st, &st->queue);
	m = j->to;
	rc = delivery_run(j);
	delivery_free(j);
	top = m == st->top;
	clean_up(st, m, rc);
	return top ? rc : OK;
}

void
stepper_cancel(struct chart_stepper *st, msec now)
{
	struct effect_sink sink = member_sink(st->top);

	st->now = now;
	session_cancel(st->top->s, &sink);
	clean_up(st, st->top, OK);
}

/* ---- the queue ----------------------------------------------------------- */

bool
stepper_busy(const struct chart_stepper *st)
{
	return st->queue != NULL;
}

size_t
stepper_weight(const struct chart_stepper *st)
{
	return st->queue != NULL ? session_configuration(st->queue->to->s, NULL, 0) : 0;
}

msec
stepper_due(const struct chart_stepper *st)
{
	return st->timers != NULL ? st->timers->due : STEPPER_NEVER;
}

/* A send to somebody else that is due; false: it cannot be delivered. */
static bool
fire_outside(struct chart_stepper *st, const struct delivery *j)
{
	struct effect f = { .kind = EFFECT_SEND, .name = val_text(j->name), .data = j->data,
		.target = val_text(j->target), .type = val_text(j->type),
		.sendid = val_text(j->sendid) };

	if (st->ops->reach == NULL || st->ops->send == NULL ||
	    st->ops->reach(st->ctx, f.target, f.type, false) != OK)
		return false;
	st->ops->send(st->ctx, &f);
	return true;
}

bool
stepper_fire(struct chart_stepper *st, msec now)
{
	struct delivery *j = st->timers;
	int rc;

	if (j == NULL || j->due > now)
		return false;
	st->now = now;
	st->timers = j->next;
	j->from->delayed--;
	rc = resolve(j->from, val_text(j->target), val_text(j->type), &j->to);
	if (rc == ERR_INVALID && fire_outside(st, j)) {
		delivery_free(j);
		return true;
	}
	if (rc == OK) {
		stamp(j, j->from);
	} else {
		val_drop(j->name);
		val_drop(j->data);
		j->name = val_string(S("error.communication"));
		j->data = VAL_UNDEF;
		j->to = j->from;
	}
	val_drop(j->target);
	val_drop(j->type);
	j->target = j->type = VAL_UNDEF;
	j->from = NULL;
	delivery_post(st, j);
	return true;
}

int
stepper_event(struct chart_stepper *st, struct str name, struct val data)
{
	if (st->top->waiting >= LIMIT_CHART_QUEUE)
		return ERR_LIMIT;
	if (!session_over(st->top->s))
		delivery_post(st, delivery_new(st->top, name, data));
	return OK;
}

/* Queues an event of a task; its id is appended to a name that ends with a dot. */
static int
post_of_task(struct chart_stepper *st, uint64_t serial, struct str name, struct val data,
    enum chart_tie tie)
{
	struct member *m = member_numbered(st, (uint32_t)(serial >> 32));
	const struct active *a = m != NULL ? session_active(m->s, (uint32_t)serial) : NULL;
	struct buf b = BUF(2 * LIMIT_NAME_BYTES);
	struct delivery *j;

	if (a == NULL || a->ended)
		return ERR_NOTFOUND;
	buf_add(&b, name);
	if (str_ends(name, S(".")))
		buf_add(&b, val_str(a->id));
	j = delivery_new(m, buf_str(&b), data);
	j->invokeid = val_ref(a->id);
	j->serial = (uint32_t)serial;
	j->tie = tie;
	delivery_post(st, j);
	buf_release(&b);
	return OK;
}

int
stepper_task_done(struct chart_stepper *st, uint64_t serial, struct val result)
{
	return post_of_task(st, serial, S("done.invoke."), result, TIE_DONE);
}

int
stepper_task_failed(struct chart_stepper *st, uint64_t serial, struct str name,
    struct val data)
{
	return post_of_task(st, serial, name, data, TIE_ERROR);
}

int
stepper_task_answer(struct chart_stepper *st, uint64_t serial, struct val answer)
{
	return post_of_task(st, serial, S("answer."), answer, TIE_ANSWER);
}

int
stepper_task_event(struct chart_stepper *st, uint64_t serial, struct str name,
    struct val data)
{
	return post_of_task(st, serial, name, data, TIE_NONE);
}

/* ---- life ---------------------------------------------------------------- */

struct chart_stepper *
stepper_make(const struct chart *c, struct str id, const struct stepper_ops *ops, void *ctx)
{
	struct chart_stepper *st = mem_new(struct chart_stepper);

	st->ops = ops;
	st->ctx = ctx;
	st->tail = &st->queue;
	st->top = member_new(st, NULL, c, NULL, 0);
	st->top->id = val_string(id);
	st->top->origin = session_location(id);
	return st;
}

struct chart_stepper *
stepper_new(const struct chart *c, struct str id, const struct stepper_ops *ops, void *ctx)
{
	struct chart_stepper *st = stepper_make(c, id, ops, ctx);

	st->top->s = session_new(c, id, VAL_UNDEF, STR_NONE);
	return st;
}

void
stepper_free(struct chart_stepper *st)
{
	if (st == NULL)
		return;
	drop_deliveries(st, NULL);
	drop_timers(st, NULL, STR_NONE);
	while (st->members != NULL) {
		struct member *m = st->members;

		st->members = m->next;
		member_free(m);
	}
	val_drop(st->output);
	free(st);
}

void
stepper_give(struct chart_stepper *st, struct val names)
{
	session_give(st->top->s, names);
}

void
stepper_start(struct chart_stepper *st, struct val params)
{
	struct delivery *j = delivery_new(st->top, STR_NONE, VAL_UNDEF);

	st->top->s->params = val_ref(params);
	j->start = true;
	delivery_post(st, j);
}

bool
stepper_over(const struct chart_stepper *st)
{
	return session_over(st->top->s);
}

struct session *
stepper_session(struct chart_stepper *st)
{
	return st->top->s;
}

struct val
stepper_output(const struct chart_stepper *st)
{
	return st->output;
}
