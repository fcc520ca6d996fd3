/*
 * run_ref_run.c - runs and edits of the plain interpreter.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run_ref.h"

#include <string.h>

#include "base/mem.h"

/* ---- questions ----------------------------------------------------------------------------------------------- */

typedef bool ask_fn(struct ref *r, struct scope_ref *at, struct rtask *t, unsigned k,
    void *arg);

/* Every question that waits: of the tasks that come next, and of their children's.
 * False: the function has had enough. */
static bool
each_waiting(struct ref *r, struct rns *ns, struct str name, ask_fn *fn, void *arg)
{
	struct scope_ref s = { .r = r, .ns = ns, .name = name };

	if (ns == NULL || ns->n == 0)
		return true;
	s.head_at = (int)ns->n - 1;
	s.head = ns->at[s.head_at];
	for (size_t i = 0; i < s.head->tasks_n; i++) {
		struct rtask *t = &s.head->tasks[i];

		for (unsigned k = 0; k < ASKS; k++)
			if (t->ask[k].asked && t->ask[k].answer.kind ==
			    VAL_UNDEFINED && !fn(r, &s, t, k, arg))
				return false;
		if (t->child != NULL && !each_waiting(r, t->child, sim_child_ns(r->sim, name,
		    sim_node_name(t->node), ref_id_of(&s, t)), fn, arg))
			return false;
	}
	for (int i = 0; i < NODES; i++)
		if (ns->lasting[i] != NULL && !each_waiting(r, ns->lasting[i],
		    sim_child_ns(r->sim, name, sim_node_name(i), NULL), fn, arg))
			return false;
	return true;
}

struct found { struct uuid *ids; size_t n, max; };

static bool
collect(struct ref *r, struct scope_ref *at, struct rtask *t, unsigned k, void *arg)
{
	struct found *l = arg;
	const struct uuid *id = ref_id_of(at, t);
	const struct sim_interrupt *x = id != NULL ? sim_asked(r->sim, id, k) : NULL;

	if (x == NULL)
		test_fail(__FILE__, __LINE__, "a question of \"%s\" is not there (run %u)",
		    sim_node_name(t->node), r->run);
	if (l->n < l->max)
		l->ids[l->n] = x->i.id;
	l->n++;
	return true;
}

size_t
ref_waiting(struct ref *r, struct uuid *ids, size_t max)
{
	struct found l = { ids, 0, max };

	(void)each_waiting(r, r->root, STR_NONE, collect, &l);
	return l.n < max ? l.n : max;
}

struct one { struct uuid id; struct val value; };

static bool
answer(struct ref *r, struct scope_ref *at, struct rtask *t, unsigned k, void *arg)
{
	const struct one *one = arg;

	if (!uuid_eq(&sim_asked(r->sim, ref_id_of(at, t), k)->i.id, &one->id))
		return true;
	t->ask[k].answer = val_ref(one->value);
	return false;
}

static void
hex_of(const struct uuid *id, char out[33])
{
	for (size_t i = 0; i < 16; i++)
		snprintf(out + 2 * i, 3, "%02x", id->b[i]);
}

static bool
is_waiting(const struct uuid *ids, size_t n, struct str key)
{
	char hex[33];

	for (size_t i = 0; i < n; i++) {
		hex_of(&ids[i], hex);
		if (str_eq(str_of(hex), key))
			return true;
	}
	return false;
}

static bool
take_answers(struct ref *r)
{
	struct val map = r->q->resume;
	struct uuid ids[64];
	size_t n = ref_waiting(r, ids, COUNT(ids));

	if (r->root->at[r->root->n - 1]->tasks_n == 0)
		n = 0;                       /* what a persistent agent asked was left */
	if (map.kind == VAL_UNDEFINED)
		return true;
	if (map.kind != VAL_OBJECT || val_count(map) == 0 || val_key(map, 0).n != 32) {
		struct one one = { .value = map };

		if (n > 1) {
			snprintf(r->error, sizeof r->error, "RuntimeError");
			return false;
		}
		one.id = n == 1 ? ids[0] : one.id;
		return n == 0 || !each_waiting(r, r->root, STR_NONE, answer, &one);
	}
	for (size_t i = 0; r->q->strict_resume && i < val_count(map); i++)
		if (!is_waiting(ids, n, val_key(map, i))) {
			snprintf(r->error, sizeof r->error, "UnknownInterruptError");
			return false;
		}
	for (size_t i = 0; i < n; i++) {
		struct one one = { .id = ids[i] };
		char hex[33];

		hex_of(&ids[i], hex);
		one.value = val_get(map, str_of(hex));
		if (one.value.kind != VAL_UNDEFINED)
			(void)each_waiting(r, r->root, STR_NONE, answer, &one);
	}
	return true;
}

/* ---- runs ---------------------------------------------------------------------------------------------------------- */

static void
forget_tasks(struct rcheckpoint *c)
{
	for (size_t i = 0; i < c->tasks_n; i++)
		ref_task_forget(&c->tasks[i]);
	ref_writes_drop(&c->carried, &c->carried_n);
}

static enum end
go_on(struct scope_ref *s, struct val input)
{
	enum end end = END_DONE;

	if (s->head->tasks_n > 0 && s->head->tasks[0].node == AT_START) {
		if (!s->head->tasks[0].done)
			ref_take_input(s->head, s->ns->a, s->v, input, !s->r->exit);
		if (s->head->tasks_n == 1)
			end = ref_step(s);
	}
	return end == END_DONE ? ref_scope_loop(s) : end;
}

/* Of a chosen checkpoint before its input, or with one that is stored: that. */
static struct val
input_of(const struct scope_ref *s)
{
	const struct rcheckpoint *c = s->head;

	return c->tasks_n == 1 && c->tasks[0].node == AT_START &&
	    (s->r->afresh || c->tasks[0].done) ? c->input : VAL_UNDEF;
}

static enum end
again(struct scope_ref *s)
{
	struct val input = input_of(s);

	s->stop = ref_step_of(s) + s->r->limit + 2;
	if (s->r->afresh) {
		if (s->head->source != SOURCE_UPDATE && s->head->source != SOURCE_FORK)
			ref_checkpoint(s, SOURCE_FORK);
		else
			forget_tasks(s->head);
	}
	return go_on(s, input);
}

static void
command_write(struct scope_ref *s, struct rcheckpoint *carry, const struct rwrite *w)
{
	if (w->channel < 0)
		ref_place_write(&s->place, w);
	else if (w->channel == CH_EPHEMERAL)
		s->v[CH_EPHEMERAL] = (val_drop(s->v[CH_EPHEMERAL]), val_ref(w->v));
	else
		s->v[w->channel] = ref_reduced((enum channel_no)w->channel, s->v[w->channel],
		    w->v);
	if (carry != NULL)
		ref_write_push(&carry->carried, &carry->carried_n, w->channel, w->at, w->slot,
		    val_ref(w->v));
}

static int
node_of(const struct sim_agent *a, struct str name)
{
	for (int i = 0; (size_t)i < a->nodes_n; i++)
		if (str_eq(name, str_of(sim_node_name(i))))
			return i;
	return AT_START;
}

static void
take_command(struct scope_ref *s, struct rcheckpoint *carry)
{
	const struct core_request *q = s->r->q;

	for (size_t i = 0; i < q->update_n; i++) {
		struct rwrite w = { ref_channel_of(q->update[i].name), 0, 0, q->update[i].value };

		if (w.channel >= 0)
			command_write(s, carry, &w);
	}
	for (size_t i = 0; i < q->gotos_n; i++) {
		struct rwrite w = { TO_NODE, node_of(s->ns->a, q->gotos[i].node), 0,
		    VAL_UNDEF };

		if (q->gotos[i].input.kind != VAL_UNDEFINED) {
			w.channel = TO_SEND;
			w.v = q->gotos[i].input;
		}
		command_write(s, carry, &w);
	}
	ref_place_settle(&s->place, s->ns->a);
}

static enum end
command(struct scope_ref *s)
{
	struct ref *r = s->r;

	s->stop = ref_step_of(s) + r->limit + 2;
	if (s->head == NULL && r->q->update_n == 0 && r->q->gotos_n == 0)
		return ref_fail(s, "EmptyInputError");
	if (r->q->resume.kind == VAL_UNDEFINED || s->head == NULL ||
	    (s->head->tasks_n == 0 && r->q->update_n + r->q->gotos_n > 0)) {
		struct val input = s->head != NULL ? input_of(s) : VAL_UNDEF;

		take_command(s, NULL);
		ref_checkpoint(s, SOURCE_INPUT);
		return go_on(s, input);
	}
	if (r->afresh && r->several)
		return ref_fail(s, "RuntimeError");
	if (r->afresh) {
		forget_tasks(s->head);
		for (size_t i = 0; i < r->given_n; i++)
			s->head->tasks[r->given[i].task].ask[r->given[i].key].answer =
			    val_ref(r->given[i].value);
	} else if (!take_answers(r)) {
		return END_FAILED;
	}
	take_command(s, s->head);
	return go_on(s, input_of(s));
}

/* A step that a command wrote into and that did not end. */
static void
load_carried(struct scope_ref *s)
{
	for (size_t i = 0; i < s->head->carried_n; i++)
		command_write(s, NULL, &s->head->carried[i]);
	ref_place_settle(&s->place, s->ns->a);
}

static enum end
begin(struct scope_ref *s)
{
	const struct core_request *q = s->r->q;

	if (q->has_command)
		return command(s);
	if (q->input.kind != VAL_UNDEFINED)
		return ref_begin_with(s, q->input);
	if (s->head == NULL)
		return ref_fail(s, "EmptyInputError");
	return again(s);
}

void
ref_give(struct ref *r, size_t task, unsigned key, struct val value)
{
	CHECK(r->given_n < COUNT(r->given));
	r->given[r->given_n].task = task;
	r->given[r->given_n].key = key;
	r->given[r->given_n++].value = value;
}

void
ref_give_several(struct ref *r)
{
	r->several = true;
}

void
ref_run(struct ref *r, const struct core_request *q, int chosen, unsigned run,
    const struct sim_plan *plan)
{
	static const char *const names[] = { "done", "failed", "waits", "stopped" };
	const struct sim *sim = r->sim;
	struct scope_ref s;
	enum end end, want;

	r->q = q;
	r->run = run;
	r->limit = q->recursion_limit;
	r->exit = q->exit;
	r->ordered = plan->ordered;
	r->cut = sim->end == CORE_ERROR && !q->exit;
	r->error[0] = '\0';
	ref_scope_make(&s, r, r->root, STR_NONE);
	if (chosen < 0)
		chosen = (int)r->root->n - 1;
	r->afresh = r->root->n > 0 && chosen != (int)r->root->n - 1;
	if (r->root->n > 0) {
		r->chosen = r->root->at[chosen]->serial;
		ref_scope_load(&s, r->root->at[chosen], chosen);
		if (!r->afresh)
			load_carried(&s);
	}
	end = begin(&s);
	if (s.head != NULL && s.head->tasks_n > 1 && s.head->tasks[0].node == AT_START)
		ref_task_forget(&s.head->tasks[0]);      /* beside others it is not stored */
	ref_save(&s);
	ref_scope_drop(&s);
	r->given_n = 0;
	r->several = false;
	want = sim->end == CORE_SUCCESS ? END_DONE : sim->end == CORE_INTERRUPTED ?
	    END_WAITS : strcmp(sim->error, "cancelled") == 0 ? END_STOPPED : END_FAILED;
	if (end != want && !(want == END_STOPPED && end == END_WAITS))
		ref_fail_with(r, "run %u %s (%s), and should have %s (%s)", run,
		    names[want], sim->error, names[end], r->error);
	if (want == END_FAILED && strcmp(sim->error, r->error) != 0)
		ref_fail_with(r, "run %u failed with %s, not with %s", run, sim->error,
		    r->error);
}

/* ---- edits ----------------------------------------------------------------------------------------------------------- */

/* Writes of tasks that had ended, one after the other; where they lead, if asked. */
static void
apply_ended(struct scope_ref *s, bool control)
{
	for (size_t i = 0; s->head != NULL && i < s->head->tasks_n; i++)
		for (size_t k = 0; k < s->head->tasks[i].wn; k++) {
			const struct rwrite *w = &s->head->tasks[i].w[k];

			if (s->head->tasks[i].done && (w->channel >= 0 || control))
				command_write(s, NULL, w);
		}
}

static void
update_task(struct scope_ref *s, struct rcheckpoint *c, const struct edit_update *u)
{
	struct rtask *t;

	ref_task_add(c, node_of(s->ns->a, u->as_node), false, 0, VAL_UNDEF);
	t = &c->tasks[c->tasks_n - 1];
	for (size_t i = 0; i < val_count(u->values); i++) {
		int ch = ref_channel_of(val_key(u->values, i));

		if (ch >= 0)
			ref_task_write(t, ch, val_member(u->values, i));
	}
	ref_follow_edges(s->ns->a, s->v, t);
}

static bool
update(struct scope_ref *s, const struct edit_update *u, size_t n, bool head)
{
	struct rcheckpoint *tasks = mem_new(struct rcheckpoint), *own = s->head;
	bool ok;

	if (head)
		apply_ended(s, false);
	for (size_t i = 0; i < n; i++)
		update_task(s, tasks, &u[i]);
	s->head = tasks;
	ok = ref_apply(s, true);
	s->head = own;
	if (ok)
		ref_checkpoint(s, SOURCE_UPDATE);
	ref_checkpoint_free(tasks);
	return ok;
}

static void
empty_ephemeral(struct scope_ref *s)
{
	val_drop(s->v[CH_EPHEMERAL]);
	s->v[CH_EPHEMERAL] = VAL_UNDEF;
}

static bool
edit(struct scope_ref *s, const struct edit_update *u, size_t n, bool head)
{
	if (str_eq(u->as_node, S("__copy__"))) {
		if (s->head == NULL)
			return false;
		s->parent = s->head->parent;
		ref_checkpoint(s, SOURCE_FORK);
	} else if (str_eq(u->as_node, S("__input__"))) {
		ref_place_begin(&s->place, s->ns->a, false);
		s->place.start = true;
		empty_ephemeral(s);
		ref_checkpoint(s, SOURCE_INPUT);
		ref_take_input(s->head, s->ns->a, s->v, u->values, true);
	} else if (str_eq(u->as_node, S("__end__"))) {
		ref_place_begin(&s->place, s->ns->a, false);
		empty_ephemeral(s);
		if (head)
			apply_ended(s, true);
		ref_place_settle(&s->place, s->ns->a);
		ref_checkpoint(s, SOURCE_UPDATE);
	} else if (u->as_node.p == NULL) {
		ref_checkpoint(s, SOURCE_UPDATE);
	} else {
		return update(s, u, n, head);
	}
	return true;
}

int
ref_edit(struct ref *r, const struct edit_update *u, size_t n, int at, unsigned run)
{
	struct scope_ref s;
	bool ok, head;

	r->run = run;
	r->cut = r->exit = false;
	ref_scope_make(&s, r, r->root, STR_NONE);
	head = at < 0 || at == (int)r->root->n - 1;
	if (at < 0)
		at = (int)r->root->n - 1;
	if (at >= 0) {
		ref_scope_load(&s, r->root->at[at], at);
		load_carried(&s);
	}
	s.edited = !str_eq(u->as_node, S("__input__"));
	ok = edit(&s, u, n, head);
	ref_scope_drop(&s);
	return ok ? OK : ERR_INVALID;
}
