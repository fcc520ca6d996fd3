/*
 * budget.c - counters of what a namespace spends: the whole of it, and each state of a
 * chart that has a budget.
 *
 * What a task spends is counted with the task while it lives, and is added to the
 * counters when it ends, whatever its end.  So a checkpoint's snapshot holds what
 * ended before it; a task that goes on after a crash tells again, from its records,
 * what it had spent, and a task of a step that had ended has it among its pending
 * writes.  Nothing is counted twice or lost.  A child's costs count for the task that
 * called it, too: live, and again when the child goes on from its own snapshot.
 *
 * Time (wall) runs from the scope's start or the state's entry, also while the server
 * is down; not while the run has ended with a question.
 *
 * In a snapshot: "spent":[COUNTER, of state 0, ...], a counter being [turns, tool calls,
 * tokens, cost, ms, of time, visits].
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/scan.h"
#include "chart/stepper.h"
#include "run/scope_priv.h"

struct counter {
	struct task_cost spent;
	msec used;                           /* until since */
	msec since;
	int64_t visits;                      /* of the state, when it was entered */
	bool fired;                          /* its time was over, and that was told */
};

struct budget {
	struct counter whole;
	struct counter *states;              /* as agent->state_budgets */
	bool walls;
};

static msec
now_of(const struct scope *s)
{
	return s->core->fx->now != NULL ? s->core->fx->now(s->core->ctx) : 0;
}

/* ---- life -------------------------------------------------------------------------- */

static bool
has_wall(const struct agent *a)
{
	bool yes = a->budget != NULL && a->budget->most[BUDGET_WALL] != BUDGET_NONE;

	for (size_t i = 0; i < a->state_budgets_n; i++)
		yes = yes || a->state_budgets[i].budget.most[BUDGET_WALL] != BUDGET_NONE;
	return yes;
}

void
budget_open(struct scope *s)
{
	if (s->budget != NULL || (!s->agent->budgeted &&
	    (s->up == NULL || s->up->budget == NULL)))
		return;
	s->budget = mem_new(struct budget);
	s->budget->states = mem_zero((s->agent->state_budgets_n + 1) *
	    sizeof *s->budget->states);
	s->budget->walls = has_wall(s->agent);
	s->core->walls += s->budget->walls;
}

void
budget_close(struct scope *s)
{
	if (s->budget == NULL)
		return;
	s->core->walls -= s->budget->walls;
	free(s->budget->states);
	free(s->budget);
	s->budget = NULL;
}

void
budget_begin(struct scope *s)
{
	struct budget *b = s->budget;

	if (b == NULL)
		return;
	b->whole = (struct counter){ .since = now_of(s) };
	for (size_t i = 0; i < s->agent->state_budgets_n; i++)
		b->states[i] = (struct counter){ 0 };
}

void
budget_entries(struct scope *s)
{
	struct budget *b = s->budget;

	for (size_t i = 0; b != NULL && i < s->agent->state_budgets_n; i++) {
		int64_t visits = session_visits(stepper_session(s->chart),
		    s->agent->state_budgets[i].state);

		if (visits != b->states[i].visits)
			b->states[i] = (struct counter){ .visits = visits,
			    .since = now_of(s) };
	}
}

/* ---- what tasks spend --------------------------------------------------------------- */

static const struct agent_node *
node_of(const struct core_task *t)
{
	return t->node < 0 ? NULL : &t->scope->agent->nodes[t->node];
}

void
budget_task_ends(struct core_task *t)
{
	struct budget *b = t->scope->budget;
	const struct agent_node *node = node_of(t);

	if (b == NULL)
		return;
	task_cost_add(&b->whole.spent, &t->spent);
	for (size_t i = 0; node != NULL && i < node->budgets_n; i++)
		task_cost_add(&b->states[node->budgets[i]].spent, &t->spent);
	t->spent = (struct task_cost){ 0 };
}

static bool
is_in(const struct core_task *t, unsigned state)
{
	const struct agent_node *node = node_of(t);

	for (size_t i = 0; node != NULL && i < node->budgets_n; i++)
		if (node->budgets[i] == state)
			return true;
	return false;
}

/* With what the tasks under way have spent.  state -1: all. */
static struct task_cost
used_of(const struct scope *s, int state)
{
	struct task_cost sum = state < 0 ? s->budget->whole.spent :
	    s->budget->states[state].spent;

	for (size_t i = 0; i < s->tasks_n; i++)
		if (state < 0 || is_in(s->tasks[i], (unsigned)state))
			task_cost_add(&sum, &s->tasks[i]->spent);
	return sum;
}

/* The budget of a scope (-1) or of one of its states; NULL: none. */
static const struct agent_budget *
budget_at(const struct scope *s, int state)
{
	return state < 0 ? s->agent->budget : &s->agent->state_budgets[state].budget;
}

bool
core_may_spend(struct core_task *t, const struct task_cost *about,
    struct task_refusal *why)
{
	struct scope *s = t->scope;
	const struct agent_node *node = node_of(t);
	struct task_cost used;

	if (s->budget == NULL)
		return true;
	for (size_t i = 0; node != NULL && i < node->budgets_n; i++) {
		used = used_of(s, (int)node->budgets[i]);
		if (!task_budget_allows(budget_at(s, (int)node->budgets[i]), &used, about,
		    why))
			return false;
	}
	used = used_of(s, -1);
	if (budget_at(s, -1) != NULL && !task_budget_allows(budget_at(s, -1), &used, about,
	    why))
		return false;
	return s->up == NULL || s->call == NULL || s->call->may_spend == NULL ||
	    s->call->may_spend(s->call, about, why);
}

void
core_spent(struct core_task *t, const struct task_cost *c)
{
	struct scope *s = t->scope;

	if (s->budget == NULL)
		return;
	task_cost_add(&t->spent, c);
	if (s->up != NULL && s->call != NULL && s->call->spent != NULL)
		s->call->spent(s->call, c);
}

static int64_t
left_of(const struct scope *s, int state)
{
	const struct agent_budget *b = budget_at(s, state);

	if (b == NULL || b->most[BUDGET_TOKENS] == BUDGET_NONE)
		return INT64_MAX;
	return b->most[BUDGET_TOKENS] - used_of(s, state).tokens;
}

int64_t
core_tokens_left(struct core_task *t)
{
	struct scope *s = t->scope;
	const struct agent_node *node = node_of(t);
	int64_t left = INT64_MAX, part;

	if (s->budget == NULL)
		return left;
	left = left_of(s, -1);
	for (size_t i = 0; node != NULL && i < node->budgets_n; i++) {
		part = left_of(s, (int)node->budgets[i]);
		left = part < left ? part : left;
	}
	if (s->up != NULL && s->call != NULL && s->call->tokens_left != NULL) {
		part = s->call->tokens_left(s->call);
		left = part < left ? part : left;
	}
	return left;
}

/* ---- what is kept ------------------------------------------------------------------- */

static bool
is_zero(const struct task_cost *c)
{
	return c->turns == 0 && c->tool_calls == 0 && c->tokens == 0 && c->cost_nano == 0;
}

void
budget_add_write(struct core_task *t)
{
	const int64_t all[] = { t->spent.turns, t->spent.tool_calls, t->spent.tokens,
		t->spent.cost_nano };
	struct val list = val_array_empty();

	if (is_zero(&t->spent)) {
		val_drop(list);
		return;
	}
	for (size_t i = 0; i < COUNT(all); i++)
		list = val_push_take(list, val_int(all[i]));
	core_add_write(t, SPENT_WRITE, list);
}

static int64_t
number_at(struct val list, size_t i)
{
	struct val v = val_at(list, i);

	return v.kind == VAL_INT ? v.u.i : 0;
}

static struct task_cost
cost_of(struct val list)
{
	return (struct task_cost){ number_at(list, 0), number_at(list, 1),
	    number_at(list, 2), number_at(list, 3) };
}

bool
budget_take_write(struct core_task *t, const struct core_name_value *w)
{
	struct task_cost c;

	if (!str_eq(w->name, SPENT_WRITE))
		return false;
	c = cost_of(w->value);
	core_spent(t, &c);
	return true;
}

void
budget_tell_up(struct scope *s)
{
	if (s->budget != NULL && s->call != NULL && s->call->spent != NULL &&
	    !is_zero(&s->budget->whole.spent))
		s->call->spent(s->call, &s->budget->whole.spent);
}

static void
add_counter(struct buf *b, const struct counter *c, msec now)
{
	buf_add_fmt(b, "[%lld,%lld,%lld,%lld,%lld,%lld,%lld,%d]", (long long)c->spent.turns,
	    (long long)c->spent.tool_calls, (long long)c->spent.tokens,
	    (long long)c->spent.cost_nano, (long long)(c->used + (now - c->since)),
	    (long long)now, (long long)c->visits, c->fired);
}

/* In place of the brace that ends the object. */
void
budget_save(const struct scope *s, struct buf *snapshot)
{
	msec now;

	if (s->budget == NULL || snapshot->n < 2 || snapshot->failed)
		return;
	now = now_of(s);
	buf_cut(snapshot, snapshot->n - 1);
	buf_lit(snapshot, ",\"spent\":[");
	add_counter(snapshot, &s->budget->whole, now);
	for (size_t i = 0; i < s->agent->state_budgets_n; i++) {
		buf_add_char(snapshot, ',');
		add_counter(snapshot, &s->budget->states[i], now);
	}
	buf_lit(snapshot, "]}");
}

/* own: of this run, which was cut off: time went on. */
static void
read_counter(struct counter *c, struct val list, bool own, msec now)
{
	*c = (struct counter){ .spent = cost_of(list), .used = number_at(list, 4),
	    .since = own ? number_at(list, 5) : now, .visits = number_at(list, 6),
	    .fired = number_at(list, 7) != 0 };
}

void
budget_restore(struct scope *s, const struct core_saved *saved)
{
	struct budget *b = s->budget;
	struct str text;
	struct val all;
	bool own = uuid_eq(&saved->run_id, &s->core->q->run_id);

	if (b == NULL)
		return;
	b->whole.since = now_of(s);
	text = scan_find(saved->snapshot, S("spent"));
	if (text.n == 0)
		return;
	all = val_json_trusted(text);
	read_counter(&b->whole, val_at(all, 0), own, now_of(s));
	for (size_t i = 0; i < s->agent->state_budgets_n && i + 1 < val_count(all); i++)
		read_counter(&b->states[i], val_at(all, i + 1), own, now_of(s));
	val_drop(all);
}

/* ---- time --------------------------------------------------------------------------- */

static bool
is_active(const struct scope *s, int state)
{
	return state < 0 || (s->started && session_in(stepper_session(s->chart),
	    s->agent->state_budgets[state].state));
}

static msec
due_of(const struct scope *s, int state)
{
	const struct agent_budget *b = budget_at(s, state);
	const struct counter *c = state < 0 ? &s->budget->whole : &s->budget->states[state];

	if (b == NULL || b->most[BUDGET_WALL] == BUDGET_NONE || c->fired ||
	    !is_active(s, state))
		return CORE_NEVER;
	return c->since + b->most[BUDGET_WALL] - c->used;
}

/* Of the innermost of those that are due first. */
static msec
first_due(const struct scope *s, int *state)
{
	msec due = due_of(s, -1);

	*state = -1;
	for (size_t i = 0; i < s->agent->state_budgets_n; i++) {
		msec at = due_of(s, (int)i);

		if (at == CORE_NEVER || at > due)
			continue;
		due = at;
		*state = (int)i;
	}
	return due;
}

msec
budget_due(const struct scope *s)
{
	int state;

	return s->budget == NULL || !s->budget->walls ? CORE_NEVER : first_due(s, &state);
}

void
budget_note_event(struct scope *s, struct str event)
{
	s->event[0] = '\0';
	if (str_starts(event, S("error.budget.")) && event.n < sizeof s->event) {
		memcpy(s->event, event.p, event.n);
		s->event[event.n] = '\0';
	}
}

void
budget_fire(struct scope *s)
{
	struct buf words = BUF(4 * KB);
	int state;

	(void)first_due(s, &state);
	(state < 0 ? &s->budget->whole : &s->budget->states[state])->fired = true;
	task_refusal_add(&words, &(struct task_refusal){ .budget = budget_at(s, state),
	    .kind = BUDGET_WALL });
	if (s->chart != NULL) {
		chart_wall(s, state < 0 ? 0 : (unsigned)state, state < 0, buf_str(&words));
	} else {
		budget_note_event(s, S("error.budget.wall"));
		scope_fail(s, S("BudgetError"), buf_str(&words), NULL);
	}
	buf_release(&words);
}
