/*
 * states.c - the `states` of an agent: from the tree to a statechart.
 *
 * First all states get their place and name, then their parts are read, so that
 * targets can be checked where they are written.  A state with a key of a kind
 * (llm, ask, ...) is a node; the chart invokes it under the node's name, and on
 * such a state the events done, answer and error.* mean that invoke.
 *
 * What the parts mean is the chart's (chart/draft.h, docs/agents.md);
 * chart_compile checks what is left and its errors get their place here.
 *
 * SPDX-License-Identifier: MIT
 */
#include "agent/states_priv.h"

#include <assert.h>

#include "base/map.h"
#include "base/mem.h"
#include "chart/chart.h"

/* Keys of a state beside those of its work; '!': not supported yet. */
#define STATE_KEYS "initial", "type", "states", "on", "always", "after", "entry", "exit", \
	"invoke", "onDone", "onError", "history", "target", "output", "tags", "description", \
	"budget"
#define LATER_KEYS "needs!"

static const char *const state_keys[] = { STATE_KEYS, "retry", "timeout", LATER_KEYS, NULL };
static const char *const own_keys[] = { STATE_KEYS, LATER_KEYS, NULL };
static const char *const history_keys[] = { "type", "history", "target", "description", NULL };
static const char *const final_keys[] = { "type", "entry", "exit", "output", "tags",
	"description", LATER_KEYS, NULL };
static const char *const invoke_keys[] = { "id", "onDone", "onError", "autoforward",
	LATER_KEYS, NULL };

/* A state of the file. */
struct named {
	struct str name;             /* first: the key of states.by_name */
	const struct tree_node *n;
	struct draft_state *s;
	const char *work;            /* its own invoke, if it has a kind; or NULL */
	int budget;                  /* by index; -1: it has none */
};

struct states {
	struct load *l;
	struct draft *d;
	struct named *at;            /* in document order */
	size_t n, cap;
	struct map by_name;
	struct agent_node *nodes;
	size_t nodes_n, nodes_max;
	struct agent_state_budget *budgets;
	size_t budgets_n;
};

static const void *
key_of(const void *value)
{
	return value;
}

static uint64_t
hash(const void *key)
{
	return str_hash_keyed(*(const struct str *)key);
}

static bool
is(const void *value, const void *key)
{
	return str_eq(*(const struct str *)value, *(const struct str *)key);
}

static const struct tree_node *
member(const struct states *st, const struct tree_node *n, const char *key)
{
	return tree_get(st->l->t, n, str_of(key));
}

/* ---- names and places ------------------------------------------------------------ */

/* `type`, or what follows from the other keys. */
static enum state_kind
state_kind(struct states *st, const struct tree_node *n)
{
	static const char *const words[] = { "atomic", "compound", "parallel", "final",
		"history", NULL };
	static const struct agent_field field = { "type", AGENT_WORD, .words = words };
	static const enum state_kind kinds[] = { STATE_ATOMIC, STATE_COMPOUND, STATE_PARALLEL,
		STATE_FINAL, STATE_HISTORY };
	const struct tree_node *type = member(st, n, "type"), *states = member(st, n, "states");
	struct agent_value v = { 0 };
	size_t word;

	if (type == NULL)
		return states != NULL ? STATE_COMPOUND : STATE_ATOMIC;
	load_value(st->l, type, &field, &v);
	word = (size_t)agent_int(&v, 0);
	if (st->l->rc == OK && (kinds[word] == STATE_COMPOUND || kinds[word] == STATE_PARALLEL) &&
	    states == NULL)
		load_fail(st->l, n, "'states' is missing, because the type is '%s'", words[word]);
	else if (st->l->rc == OK && kinds[word] == STATE_ATOMIC && states != NULL)
		load_fail(st->l, type, "a state with states is compound or parallel");
	return kinds[word];
}

static void
check_state_keys(struct states *st, const struct tree_node *n, enum state_kind kind)
{
	if (kind == STATE_HISTORY)
		load_check_keys(st->l, n, history_keys);
	else if (kind == STATE_FINAL)
		load_check_keys(st->l, n, final_keys);
	else if (!load_has_kind(st->l, n))
		load_check_node_keys(st->l, n, state_keys);
}

static void place_states(struct states *st, const struct tree_node *n,
    struct draft_state *parent);

static void
place_state(struct states *st, const struct tree_node *n, struct draft_state *parent)
{
	struct load *l = st->l;
	struct draft_state *s;
	enum state_kind kind;

	if (!load_wants(l, n, TREE_MAP, "a state"))
		return;
	if (!states_is_name(n->key))
		load_fail_key(l, n, NULL, "'%.*s' cannot be a state's name: expected a word "
		    "without . : | # * $", FMT(str_cut(n->key, 100)));
	else if (map_get(&st->by_name, &n->key) != NULL)
		load_fail_key(l, n, NULL, "there are two states '%.*s'; names are of the whole "
		    "chart", FMT(n->key));
	kind = state_kind(st, n);
	if (l->rc == OK)
		check_state_keys(st, n, kind);
	s = l->rc == OK ? draft_state_add(st->d, parent, kind == STATE_COMPOUND ? STATE_ATOMIC :
	    kind, states_at_key(n)) : NULL;
	if (s == NULL) {
		load_fail(l, n, "the chart is too large");
		return;
	}
	s->id = (struct draft_text){ .s = n->key, .at = states_at_key(n) };
	assert(st->n < st->cap);
	st->at[st->n] = (struct named){ n->key, n, s, NULL, -1 };
	map_put(&st->by_name, &st->at[st->n++]);
	if (kind != STATE_FINAL && kind != STATE_HISTORY && member(st, n, "states") != NULL)
		place_states(st, member(st, n, "states"), s);
}

/* Recursion is bounded by LIMIT_AGENT_DEPTH. */
static void
place_states(struct states *st, const struct tree_node *n, struct draft_state *parent)
{
	if (!load_wants(st->l, n, TREE_MAP, "a map of states"))
		return;
	if (n->n == 0)
		load_fail(st->l, n, "expected at least one state");
	for (const struct tree_node *c = n->first; c != NULL && st->l->rc == OK; c = c->next)
		place_state(st, c, parent);
}

/* How many states there can be, and nodes: before they are read. */
static void
count(struct states *st, const struct tree_node *n)
{
	const struct tree_node *states = member(st, n, "states");
	const struct tree_node *invoke = member(st, n, "invoke");

	st->nodes_max++;
	if (invoke != NULL)
		st->nodes_max += invoke->kind == TREE_LIST ? invoke->n : 1;
	if (states == NULL || states->kind != TREE_MAP)
		return;
	st->cap += states->n;
	for (const struct tree_node *c = states->first; c != NULL; c = c->next)
		if (c->kind == TREE_MAP)
			count(st, c);
}

/* ---- transitions --------------------------------------------------------------------- */

static bool
is_state(struct states *st, const struct tree_node *n)
{
	struct str name = load_string(st->l, n, "a state's name");
	struct str_near near = { .word = name };

	if (st->l->rc != OK || map_get(&st->by_name, &name) != NULL)
		return st->l->rc == OK;
	for (size_t i = 0; i < st->n; i++)
		str_near_try(&near, load_str(st->l, st->at[i].name).p);
	load_fail_near(st->l, n, near.best, "there is no state '%.*s'",
	    FMT(str_cut(name, 100)));
	return false;
}

/* A state or a list of them, as words. */
static struct draft_text
targets(struct states *st, const struct tree_node *n)
{
	struct draft_text out = { .at = states_at(n) };

	if (n->kind == TREE_LIST && n->n == 0)
		load_fail(st->l, n, "expected at least one state");
	if (n->kind != TREE_LIST) {
		if (is_state(st, n))
			out.s = n->text;
		return out;
	}
	for (const struct tree_node *c = n->first; c != NULL && st->l->rc == OK; c = c->next)
		if (is_state(st, c))
			out.s = out.s.n == 0 ? c->text : arena_join(&st->d->arena, out.s,
			    S(" "), c->text);
	return out;
}

/* What an event's name means: its descriptor, and whose it must be. */
struct meaning {
	struct draft_text event;     /* absent: a transition without an event */
	struct str only;             /* a condition beside the file's; empty: none */
};

static struct draft_text
guard(struct states *st, const struct tree_node *n, const struct meaning *m)
{
	struct draft_text out = { .s = STR_NONE };

	if (n != NULL)
		out = states_expr(st->l, st->d, n);
	if (m->only.n == 0 || st->l->rc != OK)
		return out;
	out.s = n == NULL ? m->only :
	    arena_fmt(&st->d->arena, "%.*s && (%.*s)", FMT(m->only), FMT(out.s));
	return out;
}

static struct str
only_from(struct states *st, struct str invoke)
{
	return arena_fmt(&st->d->arena, "event.invokeid == '%.*s'", FMT(invoke));
}

static void
transition_parts(struct states *st, const struct tree_node *n, const struct meaning *m,
    struct draft_transition *t)
{
	static const char *const keys[] = { "guard", "target", "actions", "assign", "internal",
		"description", NULL };
	struct draft_action **tail = &t->body;
	const struct tree_node *part;
	struct agent_value flag = { 0 };
	struct load *l = st->l;

	load_check_keys(l, n, keys);
	if (l->rc != OK)
		return;
	part = member(st, n, "guard");
	t->cond = guard(st, part, m);
	if (part == NULL && m->event.s.p == NULL && member(st, n, "target") == NULL)
		load_fail(l, n, "'guard' or 'target' is missing: it would be taken for ever");
	part = member(st, n, "target");
	if (part != NULL && l->rc == OK)
		t->target = targets(st, part);
	part = member(st, n, "internal");
	if (part != NULL && l->rc == OK)
		load_kind(l, part, AGENT_BOOL, &flag);
	t->internal = agent_bool(&flag, false);
	part = member(st, n, "assign");
	if (part != NULL && l->rc == OK)
		states_assign(l, st->d, part, &tail);
	part = member(st, n, "actions");
	if (part != NULL && l->rc == OK)
		states_actions(l, st->d, part, &tail);
}

/* A target, an object, null (the event is taken and nothing happens). */
static void
transition(struct states *st, const struct tree_node *n, const struct meaning *m,
    struct draft_transition ***tail)
{
	struct draft_transition *t = draft_node(st->d, struct draft_transition);

	if (t == NULL) {
		load_fail(st->l, n, "the chart is too large");
		return;
	}
	t->at = states_at(n);
	t->event = m->event;
	if (n->kind == TREE_MAP) {
		transition_parts(st, n, m, t);
	} else if (n->kind == TREE_STRING) {
		t->target = targets(st, n);
		t->cond = guard(st, NULL, m);
	} else if (n->kind == TREE_NULL && m->event.s.p != NULL) {
		t->cond = guard(st, NULL, m);
	} else {
		load_fail(st->l, n, "expected a transition: a state's name, or {target, guard, "
		    "actions, ...}, got %s", tree_kind_name(n));
	}
	**tail = t;
	*tail = &t->next;
}

static void
transitions(struct states *st, const struct tree_node *n, const struct meaning *m,
    struct draft_transition ***tail)
{
	if (n->kind != TREE_LIST) {
		transition(st, n, m, tail);
		return;
	}
	for (const struct tree_node *c = n->first; c != NULL && st->l->rc == OK; c = c->next)
		transition(st, c, m, tail);
}

/* On a state with work, short names mean the end of it. */
static struct meaning
meaning_of(struct states *st, const struct tree_node *n, const char *work)
{
	struct meaning m = { .event = { .s = n->key, .at = states_at_key(n) } };

	if (str_index(n->key, ' ') >= 0)
		load_fail_key(st->l, n, NULL, "one event a key; several keys may have the same "
		    "transition");
	if (n->key.n == 0)
		load_fail_key(st->l, n, NULL, "expected an event's name");
	if (work == NULL)
		return m;
	if (str_eq(n->key, S("done")))
		m.event.s = arena_fmt(&st->d->arena, "done.invoke.%s", work);
	else if (str_eq(n->key, S("answer")))
		m.event.s = arena_fmt(&st->d->arena, "answer.%s", work);
	else if (str_eq(n->key, S("error")) || str_starts(n->key, S("error.")))
		m.only = only_from(st, str_of(work));
	return m;
}

static void
load_on(struct states *st, const struct tree_node *n, const char *work,
    struct draft_transition ***tail)
{
	if (!load_wants(st->l, n, TREE_MAP, "a map of events"))
		return;
	for (const struct tree_node *c = n->first; c != NULL && st->l->rc == OK; c = c->next) {
		struct meaning m = meaning_of(st, c, work);

		if (st->l->rc == OK)
			transitions(st, c, &m, tail);
	}
}

/* onDone and onError of an invoke. */
static void
load_ends(struct states *st, const struct tree_node *n, struct str id,
    struct draft_transition ***tail)
{
	const struct tree_node *done = member(st, n, "onDone"), *error = member(st, n, "onError");
	struct meaning m = { .only = STR_NONE };

	if (done != NULL && st->l->rc == OK) {
		m.event = (struct draft_text){ .at = states_at_key(done),
			.s = arena_fmt(&st->d->arena, "done.invoke.%.*s", FMT(id)) };
		transitions(st, done, &m, tail);
	}
	if (error != NULL && st->l->rc == OK) {
		m.event = (struct draft_text){ .s = S("error"), .at = states_at_key(error) };
		m.only = only_from(st, id);
		transitions(st, error, &m, tail);
	}
}

/* ---- budgets ---------------------------------------------------------------------------- */

static void
load_state_budget(struct states *st, struct named *of)
{
	const struct tree_node *n = member(st, of->n, "budget");
	struct agent_state_budget *b = &st->budgets[st->budgets_n];

	if (n == NULL || st->l->rc != OK)
		return;
	if (!load_budget(st->l, n, true, &b->budget))
		return;
	b->state = load_str(st->l, of->name);
	of->budget = (int)st->budgets_n++;
}

/* Those of a state and of the states around it. */
static void
node_budgets(struct states *st, const struct draft_state *s, struct agent_node *node)
{
	unsigned *all;

	if (st->budgets_n == 0)
		return;
	node->budgets = all = load_alloc(st->l, st->budgets_n, sizeof *all);
	for (; s != NULL; s = s->parent)
		for (size_t i = 0; i < st->n; i++)
			if (st->at[i].s == s && st->at[i].budget >= 0)
				all[node->budgets_n++] = (unsigned)st->at[i].budget;
}

/* ---- work ------------------------------------------------------------------------------- */

void
states_node(struct load *l, const struct tree_node *n, struct str name,
    const char *const *own, struct agent_node *node)
{
	l->as_n = 0;
	l->as_next = SLOT_CHANNEL + (int)l->a->channels_n;
	l->own_keys = own;
	load_work(l, n, false, &node->work);
	l->own_keys = NULL;
	if (l->rc != OK)
		return;
	node->name = load_str(l, name);
	node->label = (struct agent_value){ .form = VALUE_CONST,
		.constant = load_val(l, val_string(name)) };
	node->line = n->key_at.line;
	node->column = n->key_at.column;
}

static void
add_invoke(struct states *st, const struct tree_node *n, struct str id,
    const char *const *own, const struct draft_state *of, struct draft_invoke ***tail)
{
	struct load *l = st->l;
	struct agent_node *node = &st->nodes[st->nodes_n];
	struct draft_invoke *i = draft_node(st->d, struct draft_invoke);

	if (i == NULL) {
		load_fail(l, n, "the chart is too large");
		return;
	}
	assert(st->nodes_n < st->nodes_max);
	if (member(st, n, "defer") != NULL)
		load_fail_key(l, member(st, n, "defer"), NULL,
		    "'defer' is for a node of a graph");
	if (l->rc != OK)
		return;
	states_node(l, n, id, own, node);
	if (l->rc != OK)
		return;
	st->nodes_n++;
	node_budgets(st, of, node);
	i->at = states_at(n);
	i->type = (struct draft_text){ .s = str_of(node->work.kind->name), .at = states_at(n) };
	i->id = (struct draft_text){ .s = node->name, .at = states_at(n) };
	**tail = i;
	*tail = &i->next;
}

/* One of `invoke`: {kind: ..., id, onDone, onError}. */
static void
load_invoke(struct states *st, const struct tree_node *n, const struct named *of,
    size_t number, struct draft_invoke ***tail, struct draft_transition ***ends)
{
	struct draft_invoke **made = *tail;
	struct load *l = st->l;
	const struct tree_node *id, *forward;
	struct agent_value flag = { 0 };
	struct str name = of->name;

	if (!load_wants(l, n, TREE_MAP, "work, as {llm: {...}, onDone: ...}"))
		return;
	id = member(st, n, "id");
	if (id != NULL)
		name = load_string(l, id, "a name");
	else if (number > 1)
		name = arena_fmt(&st->d->arena, "%.*s-%zu", FMT(of->name), number);
	if (l->rc == OK && !states_is_name(name))
		load_fail(l, id, "'%.*s' cannot be an invoke's name: expected a word without "
		    ". : | # * $", FMT(str_cut(name, 100)));
	for (size_t i = 0; i < st->nodes_n && l->rc == OK; i++)
		if (str_eq(st->nodes[i].name, name))
			load_fail(l, id != NULL ? id : n, "there is an invoke '%.*s' already",
			    FMT(name));
	if (l->rc == OK)
		add_invoke(st, n, name, invoke_keys, of->s, tail);
	forward = member(st, n, "autoforward");
	if (forward != NULL && l->rc == OK)
		load_kind(l, forward, AGENT_BOOL, &flag);
	if (l->rc != OK)
		return;
	(*made)->autoforward = agent_bool(&flag, false);
	load_ends(st, n, name, ends);
}

static void
load_invokes(struct states *st, const struct tree_node *n, const struct named *of,
    struct draft_transition ***ends)
{
	struct draft_invoke **tail = &of->s->invokes;
	size_t number = 0;

	if (n->kind != TREE_LIST) {
		load_invoke(st, n, of, 1, &tail, ends);
		return;
	}
	for (const struct tree_node *c = n->first; c != NULL && st->l->rc == OK; c = c->next)
		load_invoke(st, c, of, ++number, &tail, ends);
}

/* A state with a kind's key. */
static void
load_own_work(struct states *st, struct named *of)
{
	struct draft_invoke **tail = &of->s->invokes;
	const struct tree_node *invoke = member(st, of->n, "invoke");

	if (invoke != NULL)
		load_fail_key(st->l, invoke, NULL, "a state has a kind of work or 'invoke', not "
		    "both");
	if (st->l->rc == OK)
		add_invoke(st, of->n, of->name, own_keys, of->s, &tail);
	if (st->l->rc == OK)
		of->work = st->nodes[st->nodes_n - 1].name.p;
}

/* ---- the parts of a state ------------------------------------------------------------------ */

static void
load_block(struct states *st, const struct tree_node *n, struct draft_block **out)
{
	struct draft_action **tail;

	if (n == NULL || st->l->rc != OK)
		return;
	*out = draft_node(st->d, struct draft_block);
	if (*out == NULL) {
		load_fail(st->l, n, "the chart is too large");
		return;
	}
	tail = &(*out)->body;
	states_actions(st->l, st->d, n, &tail);
}

static void
load_initial(struct states *st, const struct tree_node *n, struct draft_state *s)
{
	if (n != NULL && st->l->rc == OK)
		s->initial = targets(st, n);
}

/* onDone of a state: of its work, or of the states inside. */
static void
load_done(struct states *st, const struct named *of, struct draft_transition ***tail)
{
	const struct tree_node *done = member(st, of->n, "onDone");
	const struct tree_node *error = member(st, of->n, "onError");
	struct meaning m = { .only = STR_NONE };

	if (of->work != NULL) {
		load_ends(st, of->n, of->name, tail);
		return;
	}
	if (error != NULL)
		load_fail_key(st->l, error, NULL, "'onError' goes with work: with a kind's key, or "
		    "inside 'invoke'");
	if (done == NULL || st->l->rc != OK)
		return;
	if (of->s->first == NULL)
		load_fail_key(st->l, done, NULL, "'onDone' goes with states or with work");
	m.event = (struct draft_text){ .at = states_at_key(done),
		.s = arena_fmt(&st->d->arena, "done.state.%.*s", FMT(of->name)) };
	if (st->l->rc == OK)
		transitions(st, done, &m, tail);
}

/* Transitions by time stand before those of `on`, where '*' would take theirs. */
static void
load_times(struct states *st, const struct named *of, struct draft_transition ***tail)
{
	const struct tree_node *after = member(st, of->n, "after");
	const struct tree_node *timeout = member(st, of->n, "timeout");
	const struct tree_node *retry = member(st, of->n, "retry");
	struct meaning m = { .only = states_same_visit(st->d, of->s) };
	unsigned number = 0;

	if (of->work == NULL && retry != NULL)
		load_fail_key(st->l, retry, NULL, "'retry' goes with work");
	if (of->work == NULL && timeout != NULL && st->l->rc == OK)
		states_timeout(st->l, st->d, timeout, of->s, tail);
	if (after == NULL || !load_wants(st->l, after, TREE_MAP, "a map of times"))
		return;
	for (const struct tree_node *c = after->first; c != NULL && st->l->rc == OK;
	    c = c->next) {
		m.event = states_after(st->l, st->d, c, of->s, ++number);
		if (st->l->rc == OK)
			transitions(st, c, &m, tail);
		if (st->l->rc == OK)
			states_after_end(st->l, st->d, m.event, tail);
	}
}

/* on, always, entry, exit: of a state or of the chart (of NULL). */
static struct draft_transition **
load_common(struct states *st, const struct tree_node *n, struct draft_state *s,
    const struct named *of)
{
	struct draft_transition **tail = &s->transitions;
	const char *work = of != NULL ? of->work : NULL;
	const struct tree_node *on = member(st, n, "on"), *always = member(st, n, "always");
	const struct meaning without = { .only = STR_NONE };

	load_initial(st, member(st, n, "initial"), s);
	load_block(st, member(st, n, "entry"), &s->entry);
	load_block(st, member(st, n, "exit"), &s->exit);
	if (of != NULL && st->l->rc == OK)
		load_times(st, of, &tail);
	if (on != NULL && st->l->rc == OK)
		load_on(st, on, work, &tail);
	if (always != NULL && st->l->rc == OK)
		transitions(st, always, &without, &tail);
	return tail;
}

static void
check_texts(struct states *st, const struct tree_node *n)
{
	const struct tree_node *description = member(st, n, "description");
	const struct tree_node *tags = member(st, n, "tags");
	struct agent_value names = { 0 };

	if (description != NULL && st->l->rc == OK)
		(void)load_string(st->l, description, "a text");
	if (tags != NULL && st->l->rc == OK)
		load_kind(st->l, tags, AGENT_NAMES, &names);
}

static void
load_output(struct states *st, const struct tree_node *n, struct draft_state *s)
{
	if (n == NULL || st->l->rc != OK)
		return;
	s->donedata = draft_node(st->d, struct draft_payload);
	if (s->donedata == NULL) {
		load_fail(st->l, n, "the chart is too large");
		return;
	}
	s->donedata->content.expr = states_data(st->l, st->d, n);
	s->donedata->content.given = true;
}

/* Without a target, what the state around it starts with. */
static void
load_history(struct states *st, const struct named *of)
{
	static const char *const words[] = { "shallow", "deep", NULL };
	static const struct agent_field field = { "history", AGENT_WORD, .words = words };
	const struct tree_node *target = member(st, of->n, "target");
	const struct tree_node *depth = member(st, of->n, "history");
	const struct draft_state *first = of->s->parent->first;
	struct agent_value v = { 0 };

	if (depth != NULL)
		load_value(st->l, depth, &field, &v);
	of->s->deep = agent_int(&v, 0) == 1;
	of->s->transitions = draft_node(st->d, struct draft_transition);
	if (of->s->transitions == NULL || st->l->rc != OK)
		return;
	of->s->transitions->at = states_at(of->n);
	if (target != NULL) {
		of->s->transitions->target = targets(st, target);
		return;
	}
	while (first != NULL && first->kind == STATE_HISTORY)
		first = first->next;
	of->s->transitions->target = of->s->parent->initial.s.p != NULL ?
	    of->s->parent->initial : first != NULL ? first->id :
	    (struct draft_text){ .s = STR_NONE };
}

static void
load_state(struct states *st, struct named *of)
{
	struct draft_transition **tail;
	const struct tree_node *part;

	check_texts(st, of->n);
	if (of->s->kind == STATE_HISTORY) {
		load_history(st, of);
		return;
	}
	load_state_budget(st, of);
	if (of->s->kind != STATE_FINAL && load_has_kind(st->l, of->n))
		load_own_work(st, of);
	tail = load_common(st, of->n, of->s, of);
	if (of->s->kind == STATE_FINAL) {
		load_output(st, member(st, of->n, "output"), of->s);
		return;
	}
	part = member(st, of->n, "output");
	if (part == NULL)
		part = member(st, of->n, "target");
	if (part == NULL)
		part = member(st, of->n, "history");
	if (part != NULL)
		load_fail_key(st->l, part, NULL, "'%.*s' is for %s", FMT(part->key),
		    str_eq(part->key, S("output")) ? "a final state" : "a history");
	if (st->l->rc == OK)
		load_done(st, of, &tail);
	part = member(st, of->n, "invoke");
	if (part != NULL && st->l->rc == OK)
		load_invokes(st, part, of, &tail);
}

/* ---- the chart -------------------------------------------------------------------------------- */

/* The root of a draft is not parallel: its states are inside one that is, and the
 * chart ends when all of them have.  Names with a dot are not given in files. */
static struct draft_state *
add_regions(struct states *st, struct draft_state *root)
{
	struct draft_state *top = draft_state_add(st->d, root, STATE_PARALLEL, root->at);
	struct draft_state *end = draft_state_add(st->d, root, STATE_FINAL, root->at);
	struct draft_transition *t = draft_node(st->d, struct draft_transition);

	assert(top != NULL && end != NULL && t != NULL);     /* of an arena that is new */
	top->id = (struct draft_text){ .s = S("chart.regions"), .at = root->at };
	end->id = (struct draft_text){ .s = S("chart.end"), .at = root->at };
	t->at = root->at;
	t->event = (struct draft_text){ .s = S("done.state.chart.regions"), .at = root->at };
	t->target = end->id;
	top->transitions = t;
	return top;
}

static void
load_chart(struct states *st, const struct tree_node *n)
{
	struct draft_state *root = draft_state_add(st->d, NULL, STATE_ROOT, states_at(n));
	struct draft_state *top = root;
	enum state_kind kind = state_kind(st, n);

	assert(root != NULL);                /* of an empty arena */
	st->d->name = st->l->a->id;
	if (st->l->rc == OK && kind == STATE_PARALLEL)
		top = add_regions(st, root);
	else if (kind == STATE_FINAL || kind == STATE_HISTORY)
		load_fail(st->l, member(st, n, "type"), "expected compound or parallel for the "
		    "chart itself");
	states_channels(st->l, st->d, root);
	if (st->l->rc == OK)
		place_states(st, member(st, n, "states"), top);
	for (size_t i = 0; i < st->n && st->l->rc == OK; i++)
		load_state(st, &st->at[i]);
	if (st->l->rc == OK)
		(void)load_common(st, n, root, NULL);
	if (top != root && root->initial.s.p != NULL)
		load_fail(st->l, member(st, n, "initial"), "all states of a parallel chart are "
		    "entered: leave it out");
}

/* An error of chart_compile; its place is a node of the tree. */
static int
refuse(void *ctx, struct spot at, const char *words, struct err *e)
{
	struct load *l = ctx;
	const struct tree_node *n = at.node != NULL ? at.node : l->t->root;

	(void)e;                             /* it is l->e */
	if (at.node != NULL && at.line == n->key_at.line && at.column == n->key_at.column)
		load_fail_key(l, n, NULL, "%s", words);
	else
		load_fail(l, n, "%s", words);
	return l->rc;
}

void
load_states(struct load *l, const struct tree_node *n)
{
	struct states st = { .l = l, .d = draft_new() };

	st.d->refuse = refuse;
	st.d->refuse_ctx = l;
	map_init(&st.by_name, hash, is, key_of);
	count(&st, n);
	st.at = mem_zero((st.cap + 1) * sizeof *st.at);
	st.nodes = load_alloc(l, st.nodes_max, sizeof *st.nodes);
	st.budgets = load_alloc(l, st.cap, sizeof *st.budgets);
	load_chart(&st, n);
	l->a->nodes = st.nodes;
	l->a->nodes_n = st.nodes_n;
	st.d->visits = st.budgets_n > 0;
	l->a->state_budgets = st.budgets;
	l->a->state_budgets_n = st.budgets_n;
	if (l->rc == OK && st.d->arena.failed)
		load_fail(l, n, "the chart is too large");
	if (l->rc == OK)
		l->rc = chart_compile(&l->a->chart, st.d, NULL, l->e);
	map_release(&st.by_name);
	free(st.at);
	draft_free(st.d);
}
