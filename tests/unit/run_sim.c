/*
 * run_sim.c - see run_sim.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run_sim.h"

#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "task/kinds.h"

/* ---- effects: writing ------------------------------------------------------------------------ */

/* False: the process is dead, and this is not written. */
static bool
writes_it(struct sim *s)
{
	s->effects += !s->by_batch && !s->starts;
	if (s->by_batch || s->starts ? s->effects >= s->budget : s->effects > s->budget)
		s->dead = true;
	return !s->dead;
}

static struct uuid
on_new_id(void *ctx, struct str ns, int step)
{
	struct sim *s = ctx;
	struct uuid id = { .b = { 0x1f } };

	(void)ns;
	(void)step;
	s->ids++;
	for (size_t i = 0; i < 8; i++)
		id.b[1 + i] = (uint8_t)(s->ids >> (8 * (7 - i)));
	return id;
}

/* What did not change is as the parent has it. */
static void
put_values(struct sim_checkpoint *c, const struct sim_checkpoint *parent,
    const struct channels *state)
{
	struct channel_change x;
	size_t at = 0;

	for (size_t i = 0; i < CHANNELS; i++)
		c->v[i] = parent != NULL ? val_ref(parent->v[i]) : VAL_UNDEF;
	while (channels_change(state, &at, &x)) {
		struct val old = c->v[x.index], v = VAL_UNDEF;

		if (x.value.kind == VAL_ARRAY && x.keep > 0) {
			v = val_array_empty();
			CHECK(x.keep <= val_count(old));
			for (size_t k = 0; k < val_count(x.value); k++)
				v = val_push_take(v, val_ref(val_at(k < x.keep ? old :
				    x.value, k)));
		} else {
			v = val_ref(x.value);
		}
		c->v[x.index] = v;
		val_drop(old);
	}
}

static void
on_checkpoint(void *ctx, const struct core_checkpoint *x)
{
	struct sim *s = ctx;
	const struct sim_checkpoint *parent = NULL;
	struct sim_checkpoint *c;

	if (!writes_it(s))
		return;
	mem_grow(s->checkpoints, s->checkpoints_n, s->checkpoints_cap);
	if (!uuid_is_zero(&x->parent)) {
		parent = sim_find(s, x->ns, &x->parent);
		CHECK(parent != NULL && parent->step < x->step);
	}
	c = &s->checkpoints[s->checkpoints_n++];
	*c = (struct sim_checkpoint){ .ns = sim_kept(s, x->ns), .snapshot = sim_kept(s, x->snapshot),
	    .id = x->id, .parent = x->parent, .run = s->q->run_id, .step = x->step,
	    .source = x->source, .tasks_n = x->tasks_n };
	put_values(c, parent, x->state);
	for (size_t i = 0; x->wrote != NULL && i < x->wrote->writes_n; i++)
		if (!graph_channel_is_control(x->wrote->writes[i].name))
			c->wrote = val_set_take(c->wrote.kind == VAL_UNDEFINED ?
			    val_object_empty() : c->wrote, x->wrote->writes[i].name,
			    val_ref(x->wrote->writes[i].value));
	c->tasks = arena_alloc(&s->arena, (x->tasks_n + 1) * sizeof *c->tasks);
	for (size_t i = 0; i < x->tasks_n; i++)
		c->tasks[i] = (struct sim_task){ x->tasks[i]->id,
		    sim_kept(s, x->tasks[i]->name), x->tasks[i]->node, x->tasks[i]->push,
		    x->tasks[i]->index, val_ref(x->tasks[i]->input) };
}

static void
write_add(struct sim *s, const struct core_task *t, int what, size_t idx, struct str name,
    struct val value)
{
	mem_grow(s->writes, s->writes_n, s->writes_cap);
	s->writes[s->writes_n] = (struct sim_write){ .task = t->id, .run = s->q->run_id,
	    .idx = idx, .name = sim_kept(s, name), .value = val_ref(value) };
	s->writes[s->writes_n++].what = what;
}

static void
on_writes(void *ctx, const struct core_task *t, struct val error)
{
	struct sim *s = ctx;
	bool first = !sim_has(s, &t->id, WRITTEN, 0);

	if (!writes_it(s))
		return;
	if (error.kind != VAL_UNDEFINED) {
		write_add(s, t, FAILED, s->attempt, S("__error__"), error);
		return;
	}
	for (size_t i = 0; first && i < t->writes_n; i++)
		write_add(s, t, WRITTEN, i, t->writes[i].name, t->writes[i].value);
	if (first && t->writes_n == 0)
		write_add(s, t, NOTHING, 0, STR_NONE, VAL_NIL);
}

static void
on_carry(void *ctx, const struct core_task *t, size_t n, struct str name, struct val value)
{
	struct sim *s = ctx;

	if (!writes_it(s))
		return;
	for (size_t i = 0; i < s->writes_n; i++)
		if (!s->writes[i].gone && s->writes[i].what == CARRIED &&
		    uuid_eq(&s->writes[i].task, &t->id) && s->writes[i].idx == n)
			return;
	write_add(s, t, CARRIED, n, name, value);
}

static void
on_interrupt(void *ctx, const struct core_task *t, const struct core_interrupt *i)
{
	struct sim *s = ctx;
	struct sim_interrupt *x;

	(void)t;
	if (!writes_it(s))
		return;
	for (size_t k = 0; k < s->interrupts_n; k++)
		if (!s->interrupts[k].gone && uuid_eq(&s->interrupts[k].i.id, &i->id))
			return;
	mem_grow(s->interrupts, s->interrupts_n, s->interrupts_cap);
	x = &s->interrupts[s->interrupts_n++];
	*x = (struct sim_interrupt){ .i = *i };
	x->i.ns = sim_kept(s, i->ns);
	x->i.key = sim_kept(s, i->key);
	x->i.value = val_ref(i->value);
	x->i.schema = x->i.answer = VAL_UNDEF;
}

static void
on_answer(void *ctx, const struct core_interrupt *i, struct val value)
{
	struct sim *s = ctx;

	if (!writes_it(s))
		return;
	for (size_t k = 0; k < s->interrupts_n; k++) {
		struct sim_interrupt *x = &s->interrupts[k];

		if (x->gone || !uuid_eq(&x->i.id, &i->id))
			continue;
		CHECK(x->state == ASK_WAITS);
		x->state = ASK_ANSWERED;
		x->i.answer = val_ref(value);
		return;
	}
	CHECK(!"an answer to a question that nobody asked");
}

static void
on_void_all(void *ctx)
{
	struct sim *s = ctx;

	if (writes_it(s))
		s->voids = true;
}

static void
void_moved(struct sim *s)
{
	for (size_t i = 0; s->voids && i < s->interrupts_n; i++)
		if (!s->interrupts[i].gone && s->interrupts[i].state == ASK_WAITS &&
		    !sim_still_waits(s, &s->interrupts[i].i))
			s->interrupts[i].state = ASK_VOID;
	s->voids = false;
}

static void
on_drop(void *ctx, const struct core_task *t)
{
	struct sim *s = ctx;
	char part[UUID_TEXT + 1] = ":";

	if (!writes_it(s))
		return;
	uuid_format(&t->id, part + 1);
	for (size_t i = 0; i < s->writes_n; i++)
		s->writes[i].gone |= uuid_eq(&s->writes[i].task, &t->id);
	for (size_t i = 0; i < s->interrupts_n; i++)
		s->interrupts[i].gone |= uuid_eq(&s->interrupts[i].i.task, &t->id) ||
		    str_contains(s->interrupts[i].i.ns, (struct str){ part, sizeof part });
	for (size_t i = 0; i < s->checkpoints_n; i++)
		s->checkpoints[i].gone |= str_contains(s->checkpoints[i].ns,
		    (struct str){ part, sizeof part });
}

/* ---- effects: tasks ---------------------------------------------------------------------------- */

struct play {
	struct sim *sim;
	struct core_task *t;
	uint64_t key;
	bool called, calling;
	enum child_end end;
	char error[64];
	struct task_child call;
	struct val input, added;
};

static uint64_t
key_of(const struct core_task *t)
{
	const struct core_task *up = t->scope->parent;
	uint64_t scope = up == NULL ? root_key : ((const struct play *)up->host)->key;

	return task_key(scope, t->scope->step + 1, t->node, t->push, t->index);
}

static void
on_begin(void *ctx, struct core_task *t)
{
	struct sim *s = ctx;
	struct play *p = mem_new(struct play);
	size_t records = 0;

	for (size_t i = 0; i < s->writes_n; i++)
		records += !s->writes[i].gone && s->writes[i].what == RECORDED &&
		    uuid_eq(&s->writes[i].task, &t->id);
	if (!s->dead) {
		CHECK_INT(t->records_n, records);
		CHECK(!sim_has(s, &t->id, WRITTEN, 0));  /* what is done is not done again */
	}
	p->sim = s;
	p->t = t;
	p->key = key_of(t);
	p->input = p->added = VAL_UNDEF;
	t->host = p;
	mem_grow(s->open, s->open_n, s->open_cap);
	s->open[s->open_n++] = p;
	s->begun++;
}

static struct core_task *
play_end(struct play *p)
{
	struct sim *s = p->sim;
	struct core_task *t = p->t;

	t->host = NULL;
	for (size_t i = 0; i < s->open_n; i++)
		if (s->open[i] == p) {
			memmove(&s->open[i], &s->open[i + 1],
			    (--s->open_n - i) * sizeof *s->open);
			break;
		}
	val_drop(p->input);
	val_drop(p->added);
	free(p);
	return t;
}

static void
on_stop(void *ctx, struct core_task *t)
{
	struct play *p = t->host;

	(void)ctx;
	if (p->calling)
		core_child_stop(t, &p->call);
	(void)play_end(p);
}

static void
play_fail(struct play *p, const char *name)
{
	char text[64];

	snprintf(text, sizeof text, "%s", name);
	core_task_failed(play_end(p), &(struct task_error){ .event = S("error.execution"),
	    .name = str_of(text), .message = S("as planned") });
}

static void
play_done(struct play *p, struct act *a, const struct val *answers)
{
	struct task_write w[CHANNELS + COUNT(a->write)];
	struct core_task *t = p->t;
	struct val added = val_ref(p->added);
	size_t n = 0;

	task_act_writes(a, p->key, answers, t->input);
	for (size_t i = 0; i < val_count(added); i++)
		w[n++] = (struct task_write){ .channel = (unsigned)agent_channel_find(
		    core_task_spec(t).agent, val_key(added, i)), .value = val_member(added, i) };
	for (size_t i = 0; i < a->n; i++)
		w[n++] = (struct task_write){ .channel = a->write[i].channel,
		    .value = a->write[i].value };
	core_task_done(play_end(p), w, n, VAL_NIL);
	act_release(a);
	val_drop(added);
}

/* What was done in the attempt is recorded with the questions. */
static void
play_wait(struct play *p, const struct task_interrupt *asks, size_t n)
{
	struct sim *s = p->sim;
	struct core_task *t = p->t;

	if (n > 0 && t->records_n == 0 && writes_it(s))
		write_add(s, t, RECORDED, 0, S("0/tool"), VAL_NIL);
	core_task_waits(play_end(p), asks, n);
}

/* It is done; what it spends is told in two parts. */
static void
play_pay(struct play *p, struct act *a, struct val *answers)
{
	struct sim *s = p->sim;
	int64_t tokens = (int64_t)(p->key % 1009);

	core_spent(p->t, &(struct task_cost){ .turns = 1, .tokens = tokens / 2 });
	core_spent(p->t, &(struct task_cost){ .tokens = tokens - tokens / 2 });
	mem_grow(s->paid, s->paid_n, s->paid_cap);
	s->paid[s->paid_n++] = (struct sim_paid){ p->t->id, tokens };
	play_done(p, a, answers);
}

static void
on_child_spent(struct task_child *c, const struct task_cost *cost)
{
	core_spent(CONTAINER_OF(c, struct play, call)->t, cost);
}

static void
play_finish(struct play *p)
{
	struct task_interrupt asks[ASKS];
	struct val answers[ASKS] = { VAL_UNDEF, VAL_UNDEF };
	struct act a;
	size_t n = 0;

	if (p->called && p->end != CHILD_DONE) {
		if (p->end == CHILD_WAITS)
			play_wait(p, NULL, 0);
		else
			play_fail(p, p->error);
		return;
	}
	task_act(&a, &p->sim->rules, p->key, p->sim->run);
	for (unsigned k = 0; k < a.asks; k++) {
		for (size_t i = 0; i < p->t->answers_n; i++)
			if (str_eq(p->t->answers[i].key, str_of(ask_keys[k])))
				answers[k] = p->t->answers[i].value;
		if (answers[k].kind == VAL_UNDEFINED && (n == 0 || a.together))
			asks[n++] = (struct task_interrupt){ .key = str_of(ask_keys[k]),
			    .value = val_int((int64_t)(p->key % 1000)), .schema = VAL_UNDEF };
	}
	if (n > 0)
		play_wait(p, asks, n);
	else if (a.fails)
		play_fail(p, "PlannedError");
	else
		play_pay(p, &a, answers);
}

static void
on_child(struct task_child *c, enum child_end end, struct val output, struct val added,
    const struct task_error *e)
{
	struct play *p = CONTAINER_OF(c, struct play, call);

	(void)output;
	p->calling = false;
	p->end = end;
	p->added = val_ref(added);
	if (end == CHILD_FAILED)
		snprintf(p->error, sizeof p->error, "%.*s", FMT(e->name));
	if (p->key % 2 == 0 || p->sim->ordered)
		play_finish(p);              /* else it does so later */
}

static void
play_go_on(struct play *p)
{
	const struct agent_work *work = &core_task_spec(p->t).agent->nodes[p->t->node].work;

	if (work->child == NULL || p->called) {
		play_finish(p);
		return;
	}
	p->called = p->calling = true;
	p->input = child_input(p->key);
	p->call = (struct task_child){ .key = STR_NONE, .agent = work->child,
	    .input = p->input, .done = on_child, .spent = on_child_spent, .persist = agent_bool(
	    &work->fields[AGENT_KIND_PERSIST], false) };
	core_child(p->t, &p->call);
}

static bool
on_wants(void *ctx, enum event_kind kind, bool root)
{
	const struct sim *s = ctx;

	(void)kind, (void)root;
	return s->run % 8 == 0;
}

static void
on_told(void *ctx, const struct run_event *ev)
{
	(void)ctx, (void)ev;
}

static void
on_end(void *ctx, enum core_end end, const struct core_error *e)
{
	struct sim *s = ctx;

	CHECK(!s->ended);
	if (!writes_it(s))
		return;
	s->ended = true;
	s->end = end;
	s->error[0] = '\0';
	if (e != NULL)
		snprintf(s->error, sizeof s->error, "%.*s", FMT(e->name));
}

static const struct core_effects effects = {
	.load = sim_load, .release = sim_load_release, .waiting = sim_load_waiting,
	.new_id = on_new_id, .checkpoint = on_checkpoint, .writes = on_writes,
	.carry = on_carry, .interrupt = on_interrupt, .answer = on_answer,
	.void_all = on_void_all, .drop = on_drop, .begin = on_begin, .stop = on_stop,
	.wants = on_wants, .told = on_told, .end = on_end,
};

/* ---- runs ----------------------------------------------------------------------------------------- */

static void
committed(struct sim *s)
{
	void_moved(s);
	s->effects += s->by_batch;
}

/* Checkpoints that the run has made, in the line of the head. */
static int64_t
own_steps(const struct sim *s)
{
	const struct sim_checkpoint *c = sim_find(s, STR_NONE, &sim_no_id);
	int64_t n = 0;

	while (c != NULL && uuid_eq(&c->run, &s->q->run_id)) {
		n++;
		c = uuid_is_zero(&c->parent) ? NULL :
		    sim_find(s, STR_NONE, &c->parent);
	}
	return n;
}

static struct play *
next_play(const struct sim *s)
{
	size_t ready = 0, at;

	for (size_t i = 0; i < s->open_n; i++)
		ready += !s->open[i]->calling;
	CHECK(ready > 0);                    /* or it hangs */
	at = s->ordered ? 0 : pick((unsigned)ready);
	for (size_t i = 0; ; i++) {
		const struct play *p = s->open[i];

		if (p->calling)
			continue;
		/* In order: what was begun last, by those that were begun first. */
		if (s->ordered) {
			const struct scope *deepest = s->open[s->open_n - 1]->t->scope;

			if (p->t->scope == deepest)
				return s->open[i];
		} else if (at-- == 0) {
			return s->open[i];
		}
	}
}

static void
attempt(struct sim *s, const struct core_request *q, const struct sim_plan *plan)
{
	struct core *c = core_new(s->agent, q, &effects, s);
	size_t events = 0;

	s->ended = s->dead = false;
	s->effects = 0;
	s->attempt++;
	s->starts = true;                    /* one commit, as the run's host has it */
	core_start(c);
	s->starts = false;
	committed(s);
	while (!s->ended && !s->dead) {
		if (plan->cancel > 0 && events == plan->cancel) {
			core_stop(c);
			s->ended = true;
			s->end = CORE_ERROR;
			snprintf(s->error, sizeof s->error, "cancelled");
			break;
		}
		events++;
		play_go_on(next_play(s));
		committed(s);
	}
	CHECK(s->dead || s->open_n == 0);
	core_stop(c);
	core_free(c);
	CHECK_INT(s->open_n, 0);
}

void
sim_run(struct sim *s, struct core_request *q, unsigned run, const struct sim_plan *plan)
{
	s->q = q;
	s->run = run;
	s->ordered = plan->ordered;
	q->run_id = run_uuid(run);
	q->steps_before = 0;
	for (size_t i = 0; i <= plan->crashes_n; i++) {
		s->budget = i < plan->crashes_n ? plan->crash[i] : SIZE_MAX;
		attempt(s, q, plan);
		s->died = i == 0 ? s->dead : s->died || s->dead;
		if (!s->dead)
			break;
		q->steps_before = own_steps(s);
	}
	CHECK(s->ended);
}

int
sim_edit(struct sim *s, const struct edit_update *u, size_t n, const struct uuid *at,
    unsigned run, struct err *e)
{
	struct core_request q = { .run_id = run_uuid(run), .input = VAL_UNDEF,
	    .resume = VAL_UNDEF, .config = VAL_UNDEF, .context = VAL_UNDEF };
	struct core_saved *saved = NULL;
	struct edit *x;
	int rc;

	s->q = &q;
	s->run = run;
	s->budget = SIZE_MAX;
	s->dead = false;
	CHECK_RC(sim_load(s, STR_NONE, at, &saved), OK);
	rc = edit_new(&x, s->agent, &q, STR_NONE, saved, &effects, s, e);
	if (rc == OK)
		rc = edit_step(x, u, n, e);
	edit_free(x);
	sim_load_release(s, saved);
	void_moved(s);
	s->q = NULL;
	return rc;
}

void
sim_init(struct sim *s, const struct sim_agent *spec, struct sim_rules rules)
{
	struct buf yaml = BUF(MB);
	struct err e = { 0 };

	*s = (struct sim){ .spec = spec, .rules = rules };
	s->arena = ARENA(256 * MB);
	sim_agent_yaml(&yaml, spec);
	if (agent_load(&s->agent, buf_str(&yaml), S("model.yaml"), &task_kinds, &e) != OK)
		test_fail(__FILE__, __LINE__, "%s\n%s", e.text, yaml.p);
	buf_release(&yaml);
}

void
sim_release(struct sim *s)
{
	for (size_t i = 0; i < s->checkpoints_n; i++) {
		for (size_t k = 0; k < CHANNELS; k++)
			val_drop(s->checkpoints[i].v[k]);
		val_drop(s->checkpoints[i].wrote);
		for (size_t k = 0; k < s->checkpoints[i].tasks_n; k++)
			val_drop(s->checkpoints[i].tasks[k].input);
	}
	for (size_t i = 0; i < s->writes_n; i++)
		val_drop(s->writes[i].value);
	for (size_t i = 0; i < s->interrupts_n; i++) {
		val_drop(s->interrupts[i].i.value);
		val_drop(s->interrupts[i].i.answer);
	}
	free(s->checkpoints);
	free(s->writes);
	free(s->interrupts);
	free(s->waiting);
	free(s->open);
	arena_release(&s->arena);
	agent_free(s->agent);
	free(s->paid);
}
