/*
 * enter.c - entering and leaving states (SCXML appendix D: exitStates,
 * enterStates, addDescendantStatesToEnter, addAncestorStatesToEnter).
 *
 * Recursion follows the tree of states, or a history to states of its parent;
 * a history never leads to a history, so the depth is at most twice
 * LIMIT_CHART_DEPTH.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chart/session_priv.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

/* ---- domains ------------------------------------------------------------- */

/* Calls fn for every effective target: a history is replaced by the states that
 * it recorded, or by its default. */
static void
each_target(struct session *s, struct range targets,
    void (*fn)(struct session *s, uint32_t state, void *ctx), void *ctx)
{
	const struct chart *c = s->c;
	uint32_t n = (uint32_t)c->states.n;

	for (uint32_t i = 0; i < targets.n; i++) {
		uint32_t id = c->ids.at[targets.first + i];
		const struct state *st = &c->states.at[id];
		const uint64_t *kept;

		s->turn->work++;
		if (st->kind != STATE_HISTORY) {
			fn(s, id, ctx);
			continue;
		}
		kept = s->history[st->number];
		if (kept == NULL) {
			struct range def = c->transitions.at[st->initial].targets;

			for (uint32_t k = 0; k < def.n; k++)
				fn(s, c->ids.at[def.first + k], ctx);
			continue;
		}
		for each_bit(k, kept, 0, n) {
			s->turn->work++;
			fn(s, k, ctx);
		}
	}
}

static void
narrow(struct session *s, uint32_t state, void *ctx)
{
	const struct chart *c = s->c;
	uint32_t *domain = ctx;

	while (*domain != 0 && (!is_descendant(c, state, *domain) ||
	    c->states.at[*domain].kind != STATE_COMPOUND))
		*domain = c->states.at[*domain].parent;
}

/* getTransitionDomain: the state whose descendants are exited and entered. */
uint32_t
transition_domain(struct session *s, const struct transition *t)
{
	const struct chart *c = s->c;
	uint32_t domain = t->source;

	if (t->domain != DOMAIN_DYNAMIC)
		return t->domain;
	if (domain != 0 && (!t->internal || c->states.at[domain].kind != STATE_COMPOUND))
		domain = c->states.at[domain].parent;
	each_target(s, t->targets, narrow, &domain);
	return domain;
}

/* ---- exiting ------------------------------------------------------------- */

static void
record_set(struct session *s, uint32_t parent, bool deep, uint64_t *kept)
{
	const struct chart *c = s->c;
	uint32_t end = c->states.at[parent].last + 1;

	memset(kept, 0, c->words * sizeof *kept);
	for each_bit(i, s->conf, parent + 1, end) {
		const struct state *st = &c->states.at[i];

		s->turn->work++;
		if (deep ? is_atomic(st) : st->parent == parent)
			bit_set(kept, i);
	}
}

/* All shallow histories of a state record the same set, and so do all deep ones. */
static void
record_histories(struct session *s, uint32_t parent)
{
	const struct chart *c = s->c;
	struct range r = c->states.at[parent].histories;
	size_t size = c->words * sizeof(uint64_t);
	const uint64_t *first[2] = { NULL, NULL };

	s->turn->work += r.n;
	for (uint32_t i = r.first; i < r.first + r.n; i++) {
		const struct state *h = &c->states.at[c->nested.at[i]];
		uint64_t **kept = &s->history[h->number];

		if (*kept == NULL)
			*kept = mem_alloc(size);
		if (first[h->deep] != NULL)
			memcpy(*kept, first[h->deep], size);
		else
			record_set(s, parent, h->deep, *kept);
		first[h->deep] = *kept;
	}
}

/* Counts the regions of a parallel state that are in a final state: appendix D's
 * isInFinalState in O(1).  After a final was entered: calls done for each
 * parallel state that it completes, the innermost first. */
static void
count_final(struct session *s, uint32_t final,
    void (*done)(struct session *s, uint32_t parallel))
{
	const struct chart *c = s->c;
	uint32_t at = c->states.at[c->states.at[final].parent].parent;

	for (; c->states.at[at].kind == STATE_PARALLEL; at = c->states.at[at].parent) {
		uint32_t *finals = &s->finals[c->states.at[at].number];

		assert(*finals < c->states.at[at].regions);
		if (++*finals != c->states.at[at].regions)
			return;
		if (done != NULL)
			done(s, at);
	}
}

static void
uncount_final(struct session *s, uint32_t final)
{
	const struct chart *c = s->c;
	uint32_t at = c->states.at[c->states.at[final].parent].parent;

	for (; c->states.at[at].kind == STATE_PARALLEL; at = c->states.at[at].parent) {
		uint32_t *finals = &s->finals[c->states.at[at].number];

		assert(*finals > 0);
		if ((*finals)-- != c->states.at[at].regions)
			return;
	}
}

void
final_restored(struct session *s, uint32_t final)
{
	if (s->c->states.at[final].parent != 0)
		count_final(s, final, NULL);
}

static void
run_blocks(struct session *s, struct range blocks)
{
	s->turn->work += blocks.n;
	for (uint32_t i = 0; i < blocks.n && !s->turn->limit; i++)
		(void)action_run(s, s->c->blocks.at[blocks.first + i]);
}

/* Exits the states of turn->exit in reverse document order. */
void
states_exit(struct session *s)
{
	const struct chart *c = s->c;
	uint64_t *set = s->turn->exit;
	uint32_t n = (uint32_t)c->states.n;

	for each_bit(i, set, 1, n)
		if (c->states.at[i].histories.n > 0)
			record_histories(s, i);
	for (uint32_t i = bit_last(set, 1, n); i != NO_STATE; i = bit_last(set, 1, i)) {
		const struct state *st = &c->states.at[i];

		s->turn->work++;
		bit_clear(s->turn->invoke, i);
		run_blocks(s, st->exit);
		if (st->invokes.n > 0)
			invoke_stop(s, i);
		if (st->kind == STATE_FINAL)
			uncount_final(s, i);
		bit_clear(s->conf, i);
		turn_path(s, EFFECT_EXITED, i);
	}
}

/* A top-level final returns its data. */
static void
tell_done(struct session *s)
{
	const struct state *st = &s->c->states.at[s->final];
	struct effect f = { .kind = EFFECT_DONE, .name = st->id, .state = s->final };
	struct err e;

	if (st->has_donedata)
		(void)data_payload(s, &st->donedata, &f.data, &e);
	turn_effect(s, &f);
	val_drop(f.data);
}

/* exitInterpreter: exits all states, then the chart itself. */
void
states_exit_all(struct session *s)
{
	const struct chart *c = s->c;
	uint32_t n = (uint32_t)c->states.n;

	for (uint32_t i = bit_last(s->conf, 1, n); i != NO_STATE;
	    i = bit_last(s->conf, 1, i)) {
		const struct state *st = &c->states.at[i];

		run_blocks(s, st->exit);
		if (st->invokes.n > 0)
			invoke_stop(s, i);
		bit_clear(s->conf, i);
		turn_path(s, EFFECT_EXITED, i);
	}
	run_blocks(s, c->states.at[0].exit);
	if (s->final != NO_STATE && !s->turn->limit)
		tell_done(s);
	s->over = true;
}

/* ---- entering ------------------------------------------------------------ */

static void add_descendants(struct session *s, uint32_t state);

static void
add_children(struct session *s, uint32_t parallel)
{
	const struct chart *c = s->c;
	const uint64_t *enter = s->turn->enter;

	for (uint32_t k = parallel + 1; k <= c->states.at[parallel].last;
	    k = c->states.at[k].last + 1) {
		uint32_t end = c->states.at[k].last + 1;

		s->turn->work++;
		if (c->states.at[k].kind != STATE_HISTORY && bit_next(enter, k + 1, end) == end)
			add_descendants(s, k);
	}
}

/* The states between `state` and `under`, and the other regions of parallel
 * ones.  Stops at an ancestor that an earlier target has added. */
static void
add_ancestors(struct session *s, uint32_t state, uint32_t under)
{
	const struct chart *c = s->c;

	for (uint32_t a = c->states.at[state].parent; a != under && a != 0;
	    a = c->states.at[a].parent) {
		if (c->parallels > 0) {
			if (bit_get(s->turn->climbed, a))
				return;
			bit_set(s->turn->climbed, a);
		}
		s->turn->work++;
		bit_set(s->turn->enter, a);
		if (c->states.at[a].kind == STATE_PARALLEL)
			add_children(s, a);
	}
}

static void
one_descendants(struct session *s, uint32_t state, void *ctx)
{
	(void)ctx;
	add_descendants(s, state);
}

static void
one_ancestors(struct session *s, uint32_t state, void *ctx)
{
	add_ancestors(s, state, *(uint32_t *)ctx);
}

static void
add_targets(struct session *s, struct range targets, uint32_t under)
{
	each_target(s, targets, one_descendants, NULL);
	each_target(s, targets, one_ancestors, &under);
}

/* A history that has not recorded anything runs its default content. */
static void
note_histories(struct session *s, struct range targets)
{
	const struct chart *c = s->c;
	struct turn *t = s->turn;

	for (uint32_t i = 0; i < targets.n; i++) {
		uint32_t id = c->ids.at[targets.first + i];
		const struct state *st = &c->states.at[id];

		if (st->kind != STATE_HISTORY || s->history[st->number] != NULL)
			continue;
		bit_set(t->recalled, id);
		t->recalls = true;
	}
}

static void
add_descendants(struct session *s, uint32_t state)
{
	const struct chart *c = s->c;
	const struct state *st = &c->states.at[state];
	struct range initial;

	s->turn->work++;
	bit_set(s->turn->enter, state);
	if (st->kind == STATE_COMPOUND) {
		bit_set(s->turn->by_default, state);
		initial = c->transitions.at[st->initial].targets;
		note_histories(s, initial);
		add_targets(s, initial, state);
	} else if (st->kind == STATE_PARALLEL) {
		add_children(s, state);
	}
}

static void
raise_done(struct session *s, uint32_t state, struct val data)
{
	turn_raise(s, (struct event){ .type = EVENT_PLATFORM,
		.name = s->c->states.at[state].done, .data = data });
}

static void
parallel_done(struct session *s, uint32_t parallel)
{
	raise_done(s, parallel, VAL_UNDEF);
}

/* REC 3.4: a parallel state is done when all its regions are, at any depth of
 * nested parallel states; the pseudo-code checks only the grandparent. */
static void
entered_final(struct session *s, uint32_t state)
{
	const struct chart *c = s->c;
	const struct state *st = &c->states.at[state];
	struct val data = VAL_UNDEF;
	struct err e;
	int rc = OK;

	if (st->parent == 0) {
		s->final = state;
		return;
	}
	if (st->has_donedata)
		rc = data_payload(s, &st->donedata, &data, &e);
	if (rc != OK)
		turn_error(s, rc, VAL_UNDEF, &e);
	raise_done(s, st->parent, data);
	count_final(s, state, parallel_done);
}

/* Runs the default content of the histories of `state` that were targets. */
static void
run_recalled(struct session *s, uint32_t state)
{
	const struct chart *c = s->c;
	const uint64_t *set = s->turn->recalled;
	uint32_t end = c->states.at[state].last + 1;

	for each_bit(i, set, state + 1, end) {
		const struct state *h = &c->states.at[i];

		s->turn->work++;
		if (h->parent == state)
			(void)action_run(s, c->transitions.at[h->initial].body);
	}
}

static void
enter_one(struct session *s, uint32_t state)
{
	const struct chart *c = s->c;
	const struct state *st = &c->states.at[state];
	struct turn *t = s->turn;

	assert(st->kind != STATE_HISTORY && (st->parent == 0 || bit_get(s->conf, st->parent)));
	bit_set(s->conf, state);
	if (c->visits)
		s->visits[state]++;
	turn_path(s, EFFECT_ENTERED, state);
	t->entered = state;
	t->work++;
	if (st->invokes.n > 0)
		bit_set(t->invoke, state);
	if (c->late && !bit_get(s->entered, state)) {
		bit_set(s->entered, state);
		data_init(s, st->data, false);
	}
	run_blocks(s, st->entry);
	if (bit_get(t->by_default, state))
		(void)action_run(s, c->transitions.at[st->initial].body);
	if (t->recalls && st->histories.n > 0)
		run_recalled(s, state);
	if (st->kind == STATE_FINAL)
		entered_final(s, state);
}

static void
enter_set(struct session *s)
{
	const uint64_t *set = s->turn->enter;
	uint32_t n = (uint32_t)s->c->states.n;

	for each_bit(i, set, 1, n)
		if (!bit_get(s->conf, i))
			enter_one(s, i);
}

static void
clear_sets(struct session *s)
{
	struct turn *t = s->turn;
	size_t size = s->c->words * sizeof t->enter[0];

	memset(t->enter, 0, size);
	memset(t->by_default, 0, size);
	if (s->c->parallels > 0)
		memset(t->climbed, 0, size);
	if (s->c->histories > 0)
		memset(t->recalled, 0, size);
	t->recalls = false;
}

/* Enters the targets of the enabled transitions.  Their domains are those of
 * before the exits, which may have recorded a history that is a target. */
void
states_enter(struct session *s)
{
	struct turn *t = s->turn;

	clear_sets(s);
	for (size_t i = 0; i < t->enabled_n; i++) {
		const struct transition *tr = &s->c->transitions.at[t->enabled[i]];

		if (tr->targets.n == 0)
			continue;
		note_histories(s, tr->targets);
		add_targets(s, tr->targets, t->domains[i]);
	}
	enter_set(s);
}

void
states_enter_initial(struct session *s)
{
	const struct chart *c = s->c;
	struct range initial = c->transitions.at[c->states.at[0].initial].targets;

	run_blocks(s, c->states.at[0].entry);
	clear_sets(s);
	note_histories(s, initial);
	add_targets(s, initial, 0);
	enter_set(s);
}
