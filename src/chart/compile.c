/*
 * compile.c - a draft becomes a chart: numbers, targets, domains, and every
 * rule about structure.  What is accepted here the interpreter may trust.
 *
 * Passes: number the states and collect names; resolve and compile each
 * state; check what needs all of them (initial states, histories, domains);
 * bind the expressions.
 *
 * Recursion over states is bounded by LIMIT_CHART_DEPTH, checked first.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chart/model_priv.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

#define TARGETS_MAX 256          /* of one transition: regions entered at once */

/* ---- numbering ----------------------------------------------------------- */

static bool
is_real(const struct draft_state *s)
{
	return s->kind != STATE_HISTORY;
}

/* Next in document order; NULL at the end. */
static struct draft_state *
next_state(const struct draft_state *s)
{
	if (s->first != NULL)
		return s->first;
	while (s != NULL && s->next == NULL)
		s = s->parent;
	return s != NULL ? s->next : NULL;
}

static int
count_states(struct compile *k, size_t *n)
{
	*n = 0;
	for (struct draft_state *s = k->d->root; s != NULL; s = next_state(s)) {
		unsigned depth = 0;

		for (const struct draft_state *p = s->parent; p != NULL; p = p->parent)
			depth++;
		k->where = s;
		if (depth > LIMIT_CHART_DEPTH)
			return compile_fail(k, s->at, "nested deeper than %d", LIMIT_CHART_DEPTH);
		s->index = (uint32_t)(*n)++;
		if (*n > LIMIT_CHART_STATES)
			return compile_fail(k, s->at, "more than %d states", LIMIT_CHART_STATES);
	}
	return OK;
}

/* The id of a state that has none: "_N", or longer if someone took that. */
static struct str
make_id(struct compile *k, uint32_t index)
{
	struct str id = arena_fmt(&k->c->arena, "_%u", index);

	while (chart_find(k->c, id) != NO_STATE)
		id = arena_fmt(&k->c->arena, "_%.*s", FMT(id));
	return id;
}

static bool
is_id(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ')
			return false;
	return s.n > 0 && s.n <= LIMIT_NAME_BYTES;
}

static int
number_state(struct compile *k, struct draft_state *from)
{
	struct state *to = &k->c->states.at[from->index];
	size_t children = 0;

	k->where = from;
	*to = (struct state){ .kind = from->kind, .deep = from->deep,
		.parent = from->parent != NULL ? from->parent->index : NO_STATE,
		.last = from->index, .initial = NO_STATE, .named = from->id.s.p != NULL };
	to->depth = from->parent != NULL ? k->c->states.at[to->parent].depth + 1 : 0;
	for (const struct draft_state *s = from->first; s != NULL; s = s->next)
		children += is_real(s);
	to->regions = (uint32_t)children;
	if (from->kind == STATE_ATOMIC && children > 0)
		to->kind = STATE_COMPOUND;
	if (from->kind == STATE_PARALLEL && children == 0)
		to->kind = STATE_ATOMIC;     /* so that it counts as active */
	if (to->kind == STATE_PARALLEL)
		to->number = k->c->parallels++;
	if (!to->named)
		return OK;
	if (!is_id(from->id.s))
		return compile_fail(k, from->id.at, "'%.*s' cannot be an id",
		    FMT(str_sub(from->id.s, 0, 60)));
	if (chart_find(k->c, from->id.s) != NO_STATE)
		return compile_fail(k, from->id.at, "the id is used twice");
	to->id = compile_text(k, from->id.s);
	map_put(&k->c->by_id, to);
	return OK;
}

static int
collect_data(struct compile *k, const struct draft_state *s)
{
	for (const struct draft_data *d = s->data; d != NULL; d = d->next) {
		if (!expr_is_name(d->id.s))
			return compile_fail(k, d->at, "data: '%.*s' is not a name",
			    FMT(str_sub(d->id.s, 0, 60)));
		if (d->id.s.p[0] == '_')
			return compile_fail(k, d->at, "data: names with '_' are the system's");
		if (chart_slot(k->c, d->id.s) >= 0)
			return compile_fail(k, d->at, "data: '%.*s' is declared twice",
			    FMT(d->id.s));
		compile_slot(k, d->id.s);
	}
	return OK;
}

static int
number(struct compile *k)
{
	struct chart *c = k->c;
	size_t n;
	int rc = count_states(k, &n);

	if (rc != OK)
		return rc;
	c->states.at = mem_zero(n * sizeof *c->states.at);
	c->states.n = c->states.cap = n;
	c->words = (uint32_t)(n + 63) / 64;
	for (struct draft_state *s = k->d->root; s != NULL && rc == OK; s = next_state(s)) {
		rc = number_state(k, s);
		if (rc == OK)
			rc = collect_data(k, s);
	}
	for (uint32_t i = (uint32_t)n; i-- > 1 && rc == OK; ) {
		struct state *s = &c->states.at[i], *p = &c->states.at[s->parent];

		if (s->last > p->last)
			p->last = s->last;
	}
	for (uint32_t i = 0; i < n && rc == OK; i++) {
		struct state *s = &c->states.at[i];

		if (!s->named) {
			s->id = i == 0 ? c->name : make_id(k, i);
			if (i > 0)
				map_put(&c->by_id, s);
		}
		s->done = arena_fmt(&c->arena, "done.state.%.*s", FMT(s->id));
	}
	return rc;
}

/* ---- transitions --------------------------------------------------------- */

static void
add_id(struct chart *c, uint32_t id)
{
	mem_grow(c->ids.at, c->ids.n, c->ids.cap);
	c->ids.at[c->ids.n++] = id;
}

static int
compile_targets(struct compile *k, const struct draft_text *t, struct range *out)
{
	struct str rest = t->s, word;

	*out = (struct range){ (uint32_t)k->c->ids.n, 0 };
	while (draft_word(&rest, &word)) {
		uint32_t target = chart_find(k->c, word);

		if (target == NO_STATE)
			return compile_fail(k, t->at, "unknown target '%.*s'",
			    FMT(str_sub(word, 0, 60)));
		if (out->n == TARGETS_MAX)
			return compile_fail(k, t->at, "more than %d targets", TARGETS_MAX);
		add_id(k->c, target);
		out->n++;
	}
	if (t->s.p != NULL && out->n == 0)
		return compile_fail(k, t->at, "the target is empty");
	return OK;
}

/* The nearest state that holds both. */
static uint32_t
common_ancestor(const struct chart *c, uint32_t a, uint32_t b)
{
	while (a != b && !is_descendant(c, b, a))
		a = c->states.at[a].parent;
	return a;
}

struct target {
	uint32_t id, where;          /* where: what it stands for, for a history all
	                                that is inside its parent */
};

static int
by_place(const void *a, const void *b)
{
	const struct target *x = a, *y = b;

	return (x->where > y->where) - (x->where < y->where);
}

/* Targets must be able to be active together: in different regions.  In
 * document order two neighbours meet at least as deep as any two around them,
 * so neighbours are all there is to compare. */
static int
check_targets(struct compile *k, struct spot at, struct range targets)
{
	const struct chart *c = k->c;
	struct target list[TARGETS_MAX];

	for (uint32_t i = 0; i < targets.n; i++) {
		uint32_t id = c->ids.at[targets.first + i];
		const struct state *s = &c->states.at[id];

		list[i] = (struct target){ id, s->kind == STATE_HISTORY ? s->parent : id };
	}
	qsort(list, targets.n, sizeof list[0], by_place);
	for (uint32_t i = 1; i < targets.n; i++) {
		uint32_t over = common_ancestor(c, list[i - 1].where, list[i].where);

		if (c->states.at[over].kind != STATE_PARALLEL || over == list[i - 1].where)
			return compile_fail(k, at,
			    "targets '%.*s' and '%.*s' cannot be active together",
			    FMT(c->states.at[list[i - 1].id].id),
			    FMT(c->states.at[list[i].id].id));
	}
	return OK;
}

static int
compile_events(struct compile *k, const struct draft_text *t, struct transition *out)
{
	struct chart *c = k->c;
	struct str rest = t->s, word;

	out->events = (struct range){ (uint32_t)c->descriptors.n, 0 };
	out->eventless = t->s.p == NULL;
	while (draft_word(&rest, &word)) {
		struct str whole = word;

		if (str_eq(word, S("*")) || str_eq(word, S(".*"))) {
			out->any = true;
			continue;
		}
		if (str_ends(word, S(".*")))
			word.n -= 2;
		else if (str_ends(word, S(".")))
			word.n--;
		if (!chart_is_event_name(word))
			return compile_fail(k, t->at, "'%.*s' matches nothing: '*' stands "
			    "alone or last, as in 'a.*'", FMT(str_sub(whole, 0, 60)));
		mem_grow(c->descriptors.at, c->descriptors.n, c->descriptors.cap);
		c->descriptors.at[c->descriptors.n++] = compile_text(k, word);
		out->events.n++;
	}
	if (!out->eventless && !out->any && out->events.n == 0)
		return compile_fail(k, t->at, "the event is empty");
	return OK;
}

/* The smallest compound state around the source that holds the targets. */
static uint32_t
domain_of(const struct chart *c, const struct transition *t)
{
	const uint32_t *ids;
	uint32_t at = t->source, i;

	if (t->targets.n == 0)
		return DOMAIN_NONE;
	ids = c->ids.at + t->targets.first;
	for (i = 0; i < t->targets.n; i++)
		if (c->states.at[ids[i]].kind == STATE_HISTORY)
			return DOMAIN_DYNAMIC;
	if (!t->internal || c->states.at[at].kind != STATE_COMPOUND)
		at = c->states.at[at].parent;
	for (; at != 0; at = c->states.at[at].parent) {
		for (i = 0; i < t->targets.n && is_descendant(c, ids[i], at); i++)
			continue;
		if (i == t->targets.n && c->states.at[at].kind == STATE_COMPOUND)
			return at;
	}
	return 0;
}

static int
transition_add(struct compile *k, const struct draft_transition *from, uint32_t source,
    uint32_t *out)
{
	struct chart *c = k->c;
	struct transition t = { .source = source, .internal = from->internal,
		.line = from->at.line };
	int rc = compile_events(k, &from->event, &t);

	if (rc == OK)
		rc = compile_code(k, &from->cond, &t.cond);
	if (rc == OK)
		rc = compile_targets(k, &from->target, &t.targets);
	if (rc == OK)
		rc = check_targets(k, from->target.at, t.targets);
	if (rc == OK)
		rc = compile_block(k, from->body, &t.body);
	t.domain = source == NO_STATE ? DOMAIN_NONE : domain_of(c, &t);
	mem_grow(c->transitions.at, c->transitions.n, c->transitions.cap);
	*out = (uint32_t)c->transitions.n;
	c->transitions.at[c->transitions.n++] = t;
	return rc;
}

static int
compile_transitions(struct compile *k, const struct draft_state *from, struct state *to)
{
	uint32_t at;
	int rc = OK;

	k->what = "transition";
	to->transitions.first = (uint32_t)k->c->transitions.n;
	for (const struct draft_transition *t = from->transitions; t != NULL && rc == OK;
	    t = t->next) {
		if (t->event.s.p == NULL && t->cond.s.p == NULL && t->target.s.p == NULL)
			rc = compile_fail(k, t->at, "event, cond or target is needed");
		else
			rc = transition_add(k, t, from->index, &at);
		to->transitions.n++;
	}
	to->cost = 1;
	for (uint32_t i = 0; i < to->transitions.n && rc == OK; i++) {
		const struct transition *t =
		    &k->c->transitions.at[to->transitions.first + i];

		to->cost += 1 + t->events.n;
		k->c->eventless = k->c->eventless || t->eventless;
	}
	k->what = NULL;
	return rc;
}

/* ---- initial states and histories ---------------------------------------- */

/* A transition without event or condition, to one or more states inside. */
static int
compile_default(struct compile *k, const struct draft_transition *t,
    const struct draft_state *from, uint32_t around, const char *what, uint32_t *out)
{
	const struct transition *made;
	int rc;

	k->what = what;
	if (t->event.s.p != NULL || t->cond.s.p != NULL)
		return compile_fail(k, t->at, "its transition has no event and no cond");
	if (t->target.s.p == NULL)
		return compile_fail(k, t->at, "its transition needs a target");
	rc = transition_add(k, t, NO_STATE, out);
	if (rc != OK)
		return rc;
	made = &k->c->transitions.at[*out];
	for (uint32_t i = 0; i < made->targets.n; i++) {
		uint32_t id = k->c->ids.at[made->targets.first + i];
		const struct state *target = &k->c->states.at[id];

		if (!is_descendant(k->c, id, around))
			return compile_fail(k, t->at, "'%.*s' is not inside", FMT(target->id));
		if (from->kind != STATE_HISTORY)
			continue;
		if (target->kind == STATE_HISTORY)
			return compile_fail(k, t->at, "a history cannot lead to a history");
	}
	k->what = NULL;
	return OK;
}

static int
compile_history(struct compile *k, const struct draft_state *from, struct state *to)
{
	if (from->first != NULL || from->entry != NULL || from->exit != NULL ||
	    from->invokes != NULL || from->data != NULL)
		return compile_fail(k, from->at, "a history has a transition and nothing else");
	if (to->parent == NO_STATE || to->parent == 0)
		return compile_fail(k, from->at, "a history belongs into a state");
	if (from->transitions == NULL || from->transitions->next != NULL)
		return compile_fail(k, from->at, "a history needs one transition");
	to->number = k->c->histories++;
	return compile_default(k, from->transitions, from, to->parent, "history",
	    &to->initial);
}

/* The default entry of a compound state: given, or its first child. */
static int
compile_initial(struct compile *k, const struct draft_state *from, struct state *to)
{
	struct draft_transition made = { .at = from->at, .target = from->initial };
	const struct draft_transition *t = from->initial_transition;
	const struct draft_state *child = from->first;
	uint32_t index = (uint32_t)k->c->ids.n;
	int rc;

	if (to->kind != STATE_COMPOUND && to->kind != STATE_ROOT) {
		if (t != NULL || from->initial.s.p != NULL)
			return compile_fail(k, from->at, "initial belongs to a state with children");
		return OK;
	}
	if (t != NULL && from->initial.s.p != NULL)
		return compile_fail(k, from->initial.at, "initial is given twice");
	if (t != NULL || from->initial.s.p != NULL)
		return compile_default(k, t != NULL ? t : &made, from, from->index, "initial",
		    &to->initial);
	while (child != NULL && !is_real(child))
		child = child->next;
	if (child == NULL)
		return compile_fail(k, from->at, "the chart has no states");
	made.target = (struct draft_text){ STR_NONE, from->at };
	rc = transition_add(k, &made, NO_STATE, &to->initial);
	add_id(k->c, child->index);
	k->c->transitions.at[to->initial].targets = (struct range){ index, 1 };
	return rc;
}

/* ---- the rest of a state ------------------------------------------------- */

static int
compile_blocks(struct compile *k, const struct draft_block *from, struct range *out)
{
	struct chart *c = k->c;
	struct range block;
	size_t n = 0, at = c->blocks.n;
	int rc = OK;

	for (const struct draft_block *b = from; b != NULL && rc == OK; b = b->next, n++) {
		rc = compile_block(k, b->body, &block);
		mem_grow(c->blocks.at, c->blocks.n, c->blocks.cap);
		c->blocks.at[c->blocks.n++] = block;
	}
	*out = (struct range){ (uint32_t)at, (uint32_t)n };
	return rc;
}

static int
compile_invoke(struct compile *k, const struct draft_invoke *from, uint32_t state)
{
	struct chart *c = k->c;
	struct invoke i = { .state = state, .autoforward = from->autoforward,
		.has_finalize = from->has_finalize };
	int rc = compile_value(k, &from->type, &from->typeexpr, "type", &i.type);

	if (rc == OK)
		rc = compile_value(k, &from->src, &from->srcexpr, "src", &i.src);
	if (rc == OK && from->payload.content.given &&
	    (from->src.s.p != NULL || from->srcexpr.s.p != NULL))
		rc = compile_fail(k, from->at, "src and content cannot both be given");
	if (rc == OK && from->id.s.p != NULL && from->idlocation.s.p != NULL)
		rc = compile_fail(k, from->at, "id and idlocation cannot both be given");
	if (rc == OK && from->payload.namelist.s.p != NULL && from->payload.params != NULL)
		rc = compile_fail(k, from->at, "namelist and param cannot both be given; a "
		    "param with location does what namelist does");
	if (rc == OK)
		i.id.text = compile_text(k, from->id.s);
	if (rc == OK)
		rc = compile_place(k, &from->idlocation, &i.idlocation);
	/* Unlike send, invoke may have both params and content. */
	struct draft_payload params = from->payload;
	params.content = (struct draft_content){ .given = false };
	if (rc == OK)
		rc = compile_payload(k, &params, &i.payload);
	if (rc == OK)
		rc = compile_content(k, &from->payload.content, &i.payload.content,
		    &i.payload.at, &i.payload.text);
	k->in_finalize = true;
	if (rc == OK)
		rc = compile_block(k, from->finalize, &i.finalize);
	k->in_finalize = false;
	mem_grow(c->invokes.at, c->invokes.n, c->invokes.cap);
	c->invokes.at[c->invokes.n++] = i;
	return rc;
}

static int
compile_data(struct compile *k, const struct draft_data *from, uint32_t state)
{
	struct chart *c = k->c;
	struct datum d = { .slot = chart_slot(c, from->id.s), .top = state == 0 };
	int rc = compile_content(k, &from->value, &d.kind, &d.at, NULL);

	mem_grow(c->data.at, c->data.n, c->data.cap);
	c->data.at[c->data.n++] = d;
	return rc;
}

/* What each kind may hold. */
static int
check_kind(struct compile *k, const struct draft_state *from)
{
	bool final = from->kind == STATE_FINAL;

	if (final && (from->first != NULL || from->transitions != NULL ||
	    from->invokes != NULL || from->data != NULL))
		return compile_fail(k, from->at, "a final state has no children, transitions, "
		    "invokes or data");
	if (!final && from->donedata != NULL)
		return compile_fail(k, from->at, "donedata belongs to a final state");
	if (from->kind == STATE_ROOT && (from->transitions != NULL || from->entry != NULL ||
	    from->exit != NULL || from->invokes != NULL))
		return compile_fail(k, from->at, "the chart itself has states, data and script");
	if (from->kind != STATE_PARALLEL)
		return OK;
	for (const struct draft_state *s = from->first; s != NULL; s = s->next)
		if (s->kind == STATE_FINAL)
			return compile_fail(k, s->at, "a parallel state has no final child");
	return OK;
}

static int
compile_state(struct compile *k, const struct draft_state *from)
{
	struct chart *c = k->c;
	struct state *to = &c->states.at[from->index];
	int rc;

	k->where = from;
	k->what = NULL;
	if (from->kind == STATE_HISTORY)
		return compile_history(k, from, to);
	rc = check_kind(k, from);
	if (rc == OK)
		rc = compile_transitions(k, from, to);
	if (rc == OK)
		rc = compile_initial(k, from, to);
	if (rc == OK)
		rc = compile_blocks(k, from->entry, &to->entry);
	if (rc == OK)
		rc = compile_blocks(k, from->exit, &to->exit);
	k->what = "invoke";
	to->invokes.first = (uint32_t)c->invokes.n;
	for (const struct draft_invoke *i = from->invokes; i != NULL && rc == OK; i = i->next) {
		rc = compile_invoke(k, i, from->index);
		to->invokes.n++;
	}
	k->what = "data";
	to->data.first = (uint32_t)c->data.n;
	for (const struct draft_data *d = from->data; d != NULL && rc == OK; d = d->next) {
		rc = compile_data(k, d, from->index);
		to->data.n++;
	}
	k->what = "donedata";
	if (rc == OK && from->donedata != NULL) {
		to->has_donedata = true;
		rc = compile_payload(k, from->donedata, &to->donedata);
	}
	k->what = NULL;
	return rc;
}

static int
by_text(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* Ids of invokes must be unique, or sends to them could not be told apart. */
static int
check_invokes(struct compile *k)
{
	const struct chart *c = k->c;
	struct str *ids;
	size_t n = 0;
	int rc = OK;

	if (c->invokes.n > LIMIT_CHART_STATES)
		return compile_fail(k, k->d->root->at, "more than %d invokes",
		    LIMIT_CHART_STATES);
	ids = mem_zero((c->invokes.n + 1) * sizeof *ids);
	for (size_t i = 0; i < c->invokes.n; i++)
		if (c->invokes.at[i].id.text.n > 0)
			ids[n++] = c->invokes.at[i].id.text;
	qsort(ids, n, sizeof *ids, by_text);
	for (size_t i = 1; i < n && rc == OK; i++)
		if (str_eq(ids[i - 1], ids[i]))
			rc = compile_fail(k, k->d->root->at,
			    "invoke: the id '%.*s' is used twice", FMT(ids[i]));
	free(ids);
	return rc;
}

/* The histories of each state, side by side. */
static void
gather_histories(struct chart *c)
{
	for (uint32_t i = 0; i < c->states.n && c->histories > 0; i++) {
		struct state *s = &c->states.at[i];

		s->histories.first = (uint32_t)c->nested.n;
		for (uint32_t k = i + 1; k <= s->last; k = c->states.at[k].last + 1) {
			if (c->states.at[k].kind != STATE_HISTORY)
				continue;
			mem_grow(c->nested.at, c->nested.n, c->nested.cap);
			c->nested.at[c->nested.n++] = k;
			s->histories.n++;
		}
	}
}

static const void *
state_key(const void *value)
{
	return &((const struct state *)value)->id;
}

static const void *
slot_key(const void *value)
{
	return &((const struct slot *)value)->name;
}

static uint64_t
hash_str(const void *key)
{
	return str_hash_keyed(*(const struct str *)key);
}

static bool
state_is(const void *value, const void *key)
{
	return str_eq(((const struct state *)value)->id, *(const struct str *)key);
}

static bool
slot_is(const void *value, const void *key)
{
	return str_eq(((const struct slot *)value)->name, *(const struct str *)key);
}

int
chart_compile(struct chart **out, struct draft *d, struct err *e)
{
	struct chart *c = mem_new(struct chart);
	struct compile k = { .c = c, .d = d, .e = e };
	int rc;

	*out = NULL;
	assert(d->root != NULL && d->root->kind == STATE_ROOT);
	c->arena = ARENA(2 * DRAFT_BYTES);
	map_init(&c->by_id, hash_str, state_is, state_key);
	map_init(&c->by_slot, hash_str, slot_is, slot_key);
	mem_grow(c->codes.at, c->codes.n, c->codes.cap);
	c->codes.at[c->codes.n++] = (struct code){ 0 };
	c->name = compile_text(&k, d->name);
	c->late = d->late;
	rc = number(&k);
	for (struct draft_state *s = d->root; s != NULL && rc == OK; s = next_state(s))
		rc = compile_state(&k, s);
	k.where = NULL;
	k.what = "script";
	if (rc == OK)
		rc = compile_block(&k, d->script, &c->script);
	k.what = NULL;
	if (rc == OK)
		rc = check_invokes(&k);
	if (c->arena.failed)
		rc = err_set(e, ERR_TOOBIG, "the chart is too large");
	if (rc != OK) {
		chart_free(c);
		return rc;
	}
	gather_histories(c);
	c->shape = chart_shape(c);
	compile_bind(c);
	*out = c;
	return OK;
}
