/*
 * spend.c - budgets: what pieces of work spend, and whether they may.
 *
 * What a call takes counts for its piece (its record says it again after a crash),
 * for the pieces around it that have a budget, and, through the host, for the
 * scopes around the task.  A call of a model counts from its start with an estimate,
 * so that calls side by side do not exceed a budget together; its answer takes the
 * estimate's place, and a call without one gives it back.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "task/task_priv.h"

struct spending {
	struct task_cost total;              /* with what is reserved */
	struct task_cost reserved;           /* by the piece itself */
};

/* ---- costs ---------------------------------------------------------------------- */

void
task_cost_add(struct task_cost *to, const struct task_cost *c)
{
	to->turns += c->turns;
	to->tool_calls += c->tool_calls;
	to->tokens += c->tokens;
	to->cost_nano += c->cost_nano;
}

static struct task_cost
cost_minus(const struct task_cost *a, const struct task_cost *b)
{
	return (struct task_cost){ a->turns - b->turns, a->tool_calls - b->tool_calls,
	    a->tokens - b->tokens, a->cost_nano - b->cost_nano };
}

static bool
cost_is_zero(const struct task_cost *c)
{
	return c->turns == 0 && c->tool_calls == 0 && c->tokens == 0 && c->cost_nano == 0;
}

/* ---- may it? -------------------------------------------------------------------- */

/* What a call costs is not known before; a budget that is used up allows none. */
bool
task_budget_allows(const struct agent_budget *b, const struct task_cost *used,
    const struct task_cost *about, struct task_refusal *why)
{
	const struct { enum agent_budget_kind kind; int64_t used, asked; } all[] = {
		{ BUDGET_TURNS, used->turns, about->turns },
		{ BUDGET_TOOL_CALLS, used->tool_calls, about->tool_calls },
		{ BUDGET_TOKENS, used->tokens, about->tokens },
		{ BUDGET_COST, used->cost_nano, about->turns > 0 ? 1 : 0 },
	};

	for (size_t i = 0; i < COUNT(all); i++) {
		int64_t most = b->most[all[i].kind];

		if (all[i].asked == 0 || most == BUDGET_NONE ||
		    all[i].used <= most - all[i].asked)
			continue;
		*why = (struct task_refusal){ b, all[i].kind, all[i].used, all[i].asked };
		return false;
	}
	return true;
}

/* Dollars are written with as many digits as they need. */
static void
add_amount(struct buf *b, enum agent_budget_kind kind, int64_t n)
{
	char text[40];
	size_t len;

	if (kind != BUDGET_COST) {
		buf_add_fmt(b, "%lld", (long long)n);
		return;
	}
	len = (size_t)snprintf(text, sizeof text, "%lld.%09lld", (long long)(n / 1000000000),
	    (long long)(n % 1000000000));
	while (text[len - 1] == '0' && text[len - 3] != '.')
		len--;
	buf_add(b, (struct str){ text, len });
	buf_lit(b, " USD");
}

void
task_refusal_add(struct buf *b, const struct task_refusal *why)
{
	const struct agent_budget *x = why->budget;

	buf_add_fmt(b, "the budget of %s is used up: ", agent_budget_names[why->kind]);
	if (why->kind == BUDGET_WALL) {
		buf_add_fmt(b, "%lld ms are over", (long long)x->most[BUDGET_WALL]);
	} else {
		add_amount(b, why->kind, why->used);
		buf_lit(b, " of ");
		add_amount(b, why->kind, x->most[why->kind]);
	}
	if (why->kind == BUDGET_TOKENS)
		buf_add_fmt(b, ", and the call takes about %lld", (long long)why->asked);
	buf_add_fmt(b, " (%.*s:%u)", FMT(x->file), x->line);
}

/* Parts of one work (the turns of a loop, the elements of a map) have its spec. */
static const struct agent_budget *
budget_of(const struct piece *p)
{
	return p->up != NULL && p->up->spec == p->spec ? NULL : p->spec->budget;
}

static struct spending *
spending_of(struct piece *p)
{
	if (p->spending == NULL)
		p->spending = mem_new(struct spending);
	return p->spending;
}

static bool
pieces_allow(struct piece *p, const struct task_cost *about, struct task_refusal *why)
{
	for (; p != NULL; p = p->up) {
		const struct agent_budget *b = budget_of(p);

		if (b != NULL && !task_budget_allows(b, &spending_of(p)->total, about, why))
			return false;
	}
	return true;
}

bool
spend_allowed(struct piece *p, const struct task_cost *about, struct task_refusal *why)
{
	const struct task_host *h = p->task->host;

	return pieces_allow(p, about, why) &&
	    (h->may_spend == NULL || h->may_spend(p->task->ctx, about, why));
}

static void
charge(struct piece *p, const struct task_cost *c)
{
	const struct task *t = p->task;

	if (!t->counts || cost_is_zero(c))
		return;
	task_cost_add(&spending_of(p)->total, c);
	for (struct piece *q = p->up; q != NULL; q = q->up)
		if (budget_of(q) != NULL)
			task_cost_add(&spending_of(q)->total, c);
	if (t->host->spent != NULL)
		t->host->spent(t->ctx, c);
}

bool
piece_may_spend(struct piece *p, const struct task_cost *about)
{
	struct buf event = BUF(64), words = BUF(4 * KB);
	struct task_refusal why;

	if (!p->task->counts)
		return true;
	if (spend_allowed(p, about, &why)) {
		charge(p, about);
		if (about->turns > 0)
			p->spending->reserved = *about;
		return true;
	}
	buf_add_fmt(&event, "error.budget.%s", agent_budget_names[why.kind]);
	task_refusal_add(&words, &why);
	piece_fail_with(p, &(struct task_error){ buf_str(&event), S("BudgetError"),
	    buf_str(&words) });
	buf_release(&event);
	buf_release(&words);
	return false;
}

int64_t
piece_tokens_left(struct piece *p)
{
	const struct task_host *h = p->task->host;
	int64_t left = INT64_MAX, own;

	if (!p->task->counts)
		return left;
	if (h->tokens_left != NULL)
		left = h->tokens_left(p->task->ctx);
	for (struct piece *q = p; q != NULL; q = q->up) {
		const struct agent_budget *b = budget_of(q);

		if (b == NULL || b->most[BUDGET_TOKENS] == BUDGET_NONE)
			continue;
		own = b->most[BUDGET_TOKENS] - spending_of(q)->total.tokens;
		left = own < left ? own : left;
	}
	return left > 1 ? left : 1;
}

/* ---- it did --------------------------------------------------------------------- */

/* In place of what was reserved. */
static void
settle(struct piece *p, const struct task_cost *c)
{
	struct task_cost more;

	if (!p->task->counts)
		return;
	more = cost_minus(c, &spending_of(p)->reserved);
	p->spending->reserved = (struct task_cost){ 0 };
	charge(p, &more);
}

void
piece_spent(struct piece *p, const struct llm_usage *u, struct str model)
{
	const struct task *t = p->task;

	settle(p, &(struct task_cost){ .turns = 1,
	    .tokens = u->input_tokens + u->output_tokens, .cost_nano = u->cost_nano });
	if (t->host->billed != NULL)
		t->host->billed(t->ctx, u, model);
}

static int64_t
count_of(struct val usage, struct str name)
{
	struct val v = val_get(usage, name);

	return v.kind == VAL_INT && v.u.i > 0 ? v.u.i : 0;
}

/* A scripted answer may say what it costs, in USD. */
void
piece_spent_message(struct piece *p, struct val message)
{
	struct val usage = val_get(message, S("usage_metadata")), cost;
	struct task_cost c = { .turns = 1, .tokens =
	    count_of(usage, S("input_tokens")) + count_of(usage, S("output_tokens")) };

	cost = val_get(usage, S("cost"));
	if (val_is_number(cost) && val_number(cost) > 0 && val_number(cost) < 1e6)
		c.cost_nano = (int64_t)(val_number(cost) * 1e9 + 0.5);
	settle(p, &c);
}

void
piece_spent_before(struct piece *p, const struct task_cost *c)
{
	charge(p, c);
}

void
spend_leave(struct piece *p)
{
	if (p->spending != NULL && !cost_is_zero(&p->spending->reserved))
		settle(p, &(struct task_cost){ 0 });
}

/* ---- records --------------------------------------------------------------------- */

void
spend_add_record(struct buf *b, const struct piece *p)
{
	const struct task_cost *c = p->spending != NULL ? &p->spending->total : NULL;

	if (c != NULL && !cost_is_zero(c))
		buf_add_fmt(b, ",\"spent\":[%lld,%lld,%lld,%lld]", (long long)c->turns,
		    (long long)c->tool_calls, (long long)c->tokens, (long long)c->cost_nano);
}

void
spend_read_record(struct piece *p, struct val record)
{
	struct val all = val_get(record, S("spent"));
	struct task_cost c = { 0 };
	int64_t *const at[] = { &c.turns, &c.tool_calls, &c.tokens, &c.cost_nano };

	if (all.kind == VAL_UNDEFINED)
		return;
	for (size_t i = 0; i < COUNT(at); i++)
		if (val_at(all, i).kind == VAL_INT)
			*at[i] = val_at(all, i).u.i;
	charge(p, &c);
}

/* ---- child agents ------------------------------------------------------------------ */

static struct piece *
piece_of(struct task_child *c)
{
	return &CONTAINER_OF(c, struct child_piece, child)->p;
}

bool
spend_child_may(struct task_child *c, const struct task_cost *about,
    struct task_refusal *why)
{
	return spend_allowed(piece_of(c), about, why);
}

void
spend_child(struct task_child *c, const struct task_cost *cost)
{
	charge(piece_of(c), cost);
}

int64_t
spend_child_left(struct task_child *c)
{
	return piece_tokens_left(piece_of(c));
}
