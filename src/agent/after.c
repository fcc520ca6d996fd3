/*
 * after.c - `after`, and `timeout` of a state without work: an event that is sent when
 * the state is entered, comes later, and is taken back when the state is left.
 *
 * The event carries how often the state has been entered: one that was on its way
 * when the state was left and entered again means the time before.
 *
 * SPDX-License-Identifier: MIT
 */
#include "agent/states_priv.h"

#include "base/clock.h"

/* Appended behind what the file says. */
static struct draft_action *
block_add(struct load *l, struct draft *d, const struct tree_node *n,
    struct draft_block **blocks, enum action_kind kind)
{
	struct draft_block *b = draft_node(d, struct draft_block);
	struct draft_action *a = draft_node(d, struct draft_action);

	if (b == NULL || a == NULL) {
		load_fail(l, n, "the chart is too large");
		return NULL;
	}
	a->kind = kind;
	a->at = states_at_key(n);
	b->body = a;
	while (*blocks != NULL)
		blocks = &(*blocks)->next;
	*blocks = b;
	return a;
}

/* "${expr}": the expression alone, at the place of the key. */
static const struct tree_node *
expression(struct draft *d, const struct tree_node *n)
{
	struct tree_node *x = draft_node(d, struct tree_node);

	if (x == NULL || !str_starts(n->key, S("${")) || !str_ends(n->key, S("}")))
		return NULL;
	*x = *n;
	x->kind = TREE_STRING;
	x->text = str_sub(n->key, 2, n->key.n - 3);
	x->at = n->key_at;
	x->at.column += 2;
	return x;
}

/* People see the time. */
static void
name_event(struct load *l, const char *key, struct str time, struct str event)
{
	struct agent_after *x = load_alloc(l, 1, sizeof *x);

	x->next = l->a->afters;
	x->event = load_str(l, event);
	x->label = arena_fmt(&l->a->arena, "%s %.*s", key, FMT(str_cut(time, 60)));
	l->a->afters = x;
}

/* The key of one of `after`: a time, or an expression of one. */
static void
set_delay(struct load *l, struct draft *d, const struct tree_node *n,
    struct draft_action *send)
{
	const struct tree_node *x = expression(d, n);
	struct tree_node key = *n;
	nsec ns;

	if (x != NULL) {
		send->delayexpr = states_expr(l, d, x);
		return;
	}
	if (!clock_parse(n->key, NS_PER_MS, &ns)) {
		load_fail_key(l, n, NULL, "'%.*s' is not a time: expected one as in 30s, 1.5s, 5m, "
		    "24h or 2d, a number of milliseconds, or ${expr}", FMT(str_cut(n->key, 100)));
		return;
	}
	key.kind = TREE_STRING;
	key.text = n->key;
	key.at = n->key_at;
	send->delay = (struct draft_text){ .at = states_at_key(n), .s = arena_fmt(&d->arena,
	    "%lldms", (long long)load_time(l, &key, 0)) };
}

/* Returns what the transition is to be taken for. */
static struct draft_text
send_add(struct load *l, struct draft *d, const struct tree_node *n,
    struct draft_state *s, unsigned number, struct draft_action **out)
{
	struct draft_action *send = block_add(l, d, n, &s->entry, ACTION_SEND);
	struct draft_action *cancel = block_add(l, d, n, &s->exit, ACTION_CANCEL);
	struct draft_text event = { .at = states_at_key(n),
		.s = arena_fmt(&d->arena, "after.%.*s.%u", FMT(s->id.s), number) };

	*out = send;
	if (send == NULL || cancel == NULL || event.s.p == NULL)
		return event;
	send->event = send->id = cancel->id = event;
	send->payload.content.given = true;
	send->payload.content.expr = (struct draft_text){ .at = event.at,
		.s = arena_fmt(&d->arena, "visits('%.*s')", FMT(s->id.s)) };
	return event;
}

struct str
states_same_visit(struct draft *d, const struct draft_state *s)
{
	return arena_fmt(&d->arena, "event.data == visits('%.*s')", FMT(s->id.s));
}

struct draft_text
states_after(struct load *l, struct draft *d, const struct tree_node *n,
    struct draft_state *s, unsigned number)
{
	struct draft_action *send;
	struct draft_text event = send_add(l, d, n, s, number, &send);

	if (send != NULL && l->rc == OK)
		set_delay(l, d, n, send);
	if (l->rc == OK)
		name_event(l, "after", n->key, event.s);
	return event;
}

void
states_after_end(struct load *l, struct draft *d, struct draft_text event,
    struct draft_transition ***tail)
{
	struct draft_transition *t = draft_node(d, struct draft_transition);

	if (t == NULL) {
		load_fail(l, l->t->root, "the chart is too large");
		return;
	}
	t->at = event.at;
	t->event = event;
	**tail = t;
	*tail = &t->next;
}

/* ---- timeout ---------------------------------------------------------------------- */

/* Does the state, or one around it, take error.timeout? */
static bool
is_taken(struct load *l, const struct tree_node *n)
{
	static const char *const names[] = { "*", "error", "error.*", "error.timeout",
		"error.timeout.*" };
	const struct tree_node *on;

	for (; n != NULL; n = n->up) {
		on = n->kind == TREE_MAP ? tree_get(l->t, n, S("on")) : NULL;
		if (on == NULL || on->kind != TREE_MAP || load_has_kind(l, n))
			continue;
		for (size_t i = 0; i < COUNT(names); i++)
			if (tree_get(l->t, on, str_of(names[i])) != NULL)
				return true;
	}
	return false;
}

void
states_timeout(struct load *l, struct draft *d, const struct tree_node *n,
    struct draft_state *s, struct draft_transition ***tail)
{
	int64_t ms = load_time(l, n, 1);
	struct draft_transition *t = draft_node(d, struct draft_transition);
	struct draft_action *raise = draft_node(d, struct draft_action), *send;

	if (l->rc == OK && !is_taken(l, n->up))
		load_fail_key(l, n, NULL, "nothing takes the error of this timeout: add on: "
		    "{error.timeout: ...} to the state or to one around it");
	if (t == NULL || raise == NULL)
		load_fail(l, n, "the chart is too large");
	if (l->rc != OK)
		return;
	t->at = raise->at = states_at_key(n);
	t->event = send_add(l, d, n, s, 0, &send);
	name_event(l, "timeout", n->text, t->event.s);
	t->cond = (struct draft_text){ .at = t->at, .s = states_same_visit(d, s) };
	t->body = raise;
	raise->kind = ACTION_RAISE;
	raise->event = (struct draft_text){ .at = t->at, .s = S("error.timeout") };
	raise->expr = (struct draft_text){ .at = t->at, .s = arena_fmt(&d->arena,
	    "{name: 'TimeoutError', message: 'state %.*s: not left in %lld ms', "
	    "state: '%.*s'}", FMT(s->id.s), (long long)ms, FMT(s->id.s)) };
	if (send != NULL)
		send->delay = (struct draft_text){ .at = t->at,
			.s = arena_fmt(&d->arena, "%lldms", (long long)ms) };
	**tail = t;
	*tail = &t->next;
	states_after_end(l, d, t->event, tail);
}
