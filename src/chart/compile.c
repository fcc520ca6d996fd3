/*
 * compile.c - a draft becomes a chart: numbers, targets, domains, and every
 * rule about structure.  The interpreter relies on these rules.
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

static size_t
count_states(struct compile *k)
{
	size_t n = 0;

	for (struct draft_state *s = k->d->root; s != NULL && k->rc == OK; s = draft_next_state(s)) {
		unsigned depth = 0;

		for (const struct draft_state *p = s->parent; p != NULL; p = p->parent)
			depth++;
		k->where = s;
		s->index = (uint32_t)n++;
		if (depth > LIMIT_CHART_DEPTH)
			compile_fail(k, s->at, "nested deeper than %d", LIMIT_CHART_DEPTH);
		if (n > LIMIT_CHART_STATES)
			compile_fail(k, s->at, "more than %d states", LIMIT_CHART_STATES);
	}
	return n;
}

/* The id of a state without one: "_N", with more underscores if it is taken. */
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

static void
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
		to->kind = STATE_ATOMIC;     /* so that it is in the configuration */
	if (to->kind == STATE_PARALLEL)
		to->number = k->c->parallels++;
	if (!to->named)
		return;
	if (!is_id(from->id.s))
		compile_fail(k, from->id.at, "'%.*s' cannot be an id",
		    FMT(str_sub(from->id.s, 0, 60)));
	if (chart_find(k->c, from->id.s) != NO_STATE)
		compile_fail(k, from->id.at, "the id is used twice");
	to->id = compile_text(k, from->id.s);
	map_put(&k->c->by_id, to);
}

static void
collect_data(struct compile *k, const struct draft_state *s)
{
	for (const struct draft_data *d = s->data; d != NULL && k->rc == OK; d = d->next) {
		if (!expr_is_name(d->id.s))
			compile_fail(k, d->at, "data: '%.*s' is not a name",
			    FMT(str_sub(d->id.s, 0, 60)));
		else if (d->id.s.p[0] == '_')
			compile_fail(k, d->at, "data: names with '_' are the system's");
		else if (chart_slot(k->c, d->id.s) >= 0)
			compile_fail(k, d->at, "data: '%.*s' is declared twice",
			    FMT(d->id.s));
		compile_slot(k, d->id.s);
	}
}

/* Assigns the number, the id and the done event of every state. */
static void
number(struct compile *k)
{
	struct chart *c = k->c;
	size_t n = count_states(k);

	if (k->rc != OK)
		return;
	c->states.at = mem_zero(n * sizeof *c->states.at);
	c->states.n = c->states.cap = n;
	c->words = (uint32_t)(n + 63) / 64;
	for (struct draft_state *s = k->d->root; s != NULL && k->rc == OK; s = draft_next_state(s)) {
		number_state(k, s);
		collect_data(k, s);
	}
	for (uint32_t i = (uint32_t)n; i-- > 1 && k->rc == OK; ) {
		struct state *s = &c->states.at[i], *p = &c->states.at[s->parent];

		if (s->last > p->last)
			p->last = s->last;
	}
	for (uint32_t i = 0; i < n && k->rc == OK; i++) {
		struct state *s = &c->states.at[i];

		if (!s->named) {
			s->id = i == 0 ? c->name : make_id(k, i);
			if (i > 0)
				map_put(&c->by_id, s);
		}
		s->done = arena_fmt(&c->arena, "done.state.%.*s", FMT(s->id));
	}
}

/* ---- transitions --------------------------------------------------------- */

static struct range
compile_targets(struct compile *k, const struct draft_text *t)
{
	struct str rest = t->s, word;
	struct range out = { (uint32_t)k->c->ids.n, 0 };

	while (draft_word(&rest, &word)) {
		uint32_t target = chart_find(k->c, word);

		if (target == NO_STATE)
			compile_fail(k, t->at, "unknown target '%.*s'",
			    FMT(str_sub(word, 0, 60)));
		if (out.n == TARGETS_MAX)
			compile_fail(k, t->at, "more than %d targets", TARGETS_MAX);
		if (k->rc != OK)
			return out;
		*vector_add(k->c->ids) = target;
		out.n++;
	}
	if (t->s.p != NULL && out.n == 0)
		compile_fail(k, t->at, "the target is empty");
	return out;
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
	uint32_t id, where;          /* where: the state that it enters; for a history,
	                                which enters states inside it, the parent */
};

static int
by_place(const void *a, const void *b)
{
	const struct target *x = a, *y = b;

	return (x->where > y->where) - (x->where < y->where);
}

/* Targets must be in different regions, so that they can be active together.
 * In document order the common ancestor of two neighbours is at least as deep
 * as that of any pair around them, so comparing neighbours is enough. */
static void
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
			compile_fail(k, at,
			    "targets '%.*s' and '%.*s' cannot be active together",
			    FMT(c->states.at[list[i - 1].id].id),
			    FMT(c->states.at[list[i].id].id));
	}
}

static void
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
			compile_fail(k, t->at, "'%.*s' matches nothing: '*' is "
			    "allowed alone or last, as in 'a.*'", FMT(str_sub(whole, 0, 60)));
		*vector_add(c->descriptors) = compile_text(k, word);
		out->events.n++;
	}
	if (!out->eventless && !out->any && out->events.n == 0)
		compile_fail(k, t->at, "the event is empty");
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
	if (at != 0 && (!t->internal || c->states.at[at].kind != STATE_COMPOUND))
		at = c->states.at[at].parent;
	for (; at != 0; at = c->states.at[at].parent) {
		for (i = 0; i < t->targets.n && is_descendant(c, ids[i], at); i++)
			continue;
		if (i == t->targets.n && c->states.at[at].kind == STATE_COMPOUND)
			return at;
	}
	return 0;
}

static uint32_t
transition_add(struct compile *k, const struct draft_transition *from, uint32_t source)
{
	struct chart *c = k->c;
	struct transition t = { .source = source, .internal = from->internal,
		.line = from->at.line };

	compile_events(k, &from->event, &t);
	t.cond = compile_code(k, &from->cond);
	t.targets = compile_targets(k, &from->target);
	check_targets(k, from->target.at, t.targets);
	t.body = compile_block(k, from->body);
	t.domain = source == NO_STATE ? DOMAIN_NONE : domain_of(c, &t);
	*vector_add(c->transitions) = t;
	return (uint32_t)c->transitions.n - 1;
}

static void
compile_transitions(struct compile *k, const struct draft_state *from, struct state *to)
{
	k->what = "transition";
	to->cost = 1;
	to->transitions.first = (uint32_t)k->c->transitions.n;
	for (const struct draft_transition *t = from->transitions; t != NULL && k->rc == OK;
	    t = t->next) {
		const struct transition *made;
		uint32_t at;

		if (t->event.s.p == NULL && t->cond.s.p == NULL && t->target.s.p == NULL)
			compile_fail(k, t->at, "event, cond or target is needed");
		at = transition_add(k, t, from->index);
		made = &k->c->transitions.at[at];
		to->transitions.n++;
		to->cost += 1 + made->events.n;
		k->c->eventless = k->c->eventless || made->eventless;
	}
	k->what = NULL;
}

/* ---- initial states and histories ---------------------------------------- */

/* A transition without event or condition, to one or more states inside. */
static uint32_t
compile_default(struct compile *k, const struct draft_transition *t,
    const struct draft_state *from, uint32_t around)
{
	bool history = from->kind == STATE_HISTORY;
	struct range targets;
	uint32_t at;

	k->what = history ? "history" : "initial";
	if (t->event.s.p != NULL || t->cond.s.p != NULL)
		compile_fail(k, t->at, "its transition has no event and no cond");
	if (t->target.s.p == NULL)
		compile_fail(k, t->at, "its transition needs a target");
	at = transition_add(k, t, NO_STATE);
	targets = k->c->transitions.at[at].targets;
	for (uint32_t i = targets.first; i < targets.first + targets.n; i++) {
		uint32_t id = k->c->ids.at[i];
		const struct state *target = &k->c->states.at[id];

		if (!is_descendant(k->c, id, around))
			compile_fail(k, t->at, "'%.*s' is not inside the state", FMT(target->id));
		if (history && target->kind == STATE_HISTORY)
			compile_fail(k, t->at, "a history cannot lead to a history");
	}
	k->what = NULL;
	return at;
}

static void
compile_history(struct compile *k, const struct draft_state *from, struct state *to)
{
	if (from->first != NULL || from->entry != NULL || from->exit != NULL ||
	    from->invokes != NULL || from->data != NULL)
		compile_fail(k, from->at, "a history has a transition and nothing else");
	if (to->parent == NO_STATE || to->parent == 0)
		compile_fail(k, from->at, "a history must be inside a state");
	if (from->transitions == NULL || from->transitions->next != NULL)
		compile_fail(k, from->at, "a history needs one transition");
	to->number = k->c->histories++;
	if (k->rc == OK)
		to->initial = compile_default(k, from->transitions, from, to->parent);
}

/* The default entry of a compound state: as given, or its first child. */
static void
compile_initial(struct compile *k, const struct draft_state *from, struct state *to)
{
	struct draft_transition made = { .at = from->at, .target = from->initial };
	const struct draft_transition *t = from->initial_transition;
	const struct draft_state *child = from->first;
	uint32_t index = (uint32_t)k->c->ids.n;

	if (to->kind != STATE_COMPOUND && to->kind != STATE_ROOT) {
		if (t != NULL || from->initial.s.p != NULL)
			compile_fail(k, from->at, "initial needs a state with children");
		return;
	}
	if (t != NULL && from->initial.s.p != NULL)
		compile_fail(k, from->initial.at, "initial is given twice");
	if (t != NULL || from->initial.s.p != NULL) {
		to->initial = compile_default(k, t != NULL ? t : &made, from, from->index);
		return;
	}
	while (child != NULL && !is_real(child))
		child = child->next;
	if (child == NULL) {
		compile_fail(k, from->at, "the chart has no states");
		return;
	}
	made.target = (struct draft_text){ STR_NONE, from->at };
	to->initial = transition_add(k, &made, NO_STATE);
	*vector_add(k->c->ids) = child->index;
	k->c->transitions.at[to->initial].targets = (struct range){ index, 1 };
}

/* ---- the rest of a state ------------------------------------------------- */

static struct range
compile_blocks(struct compile *k, const struct draft_block *from)
{
	struct range out = { (uint32_t)k->c->blocks.n, 0 };

	for (const struct draft_block *b = from; b != NULL; b = b->next, out.n++) {
		struct range block = compile_block(k, b->body);

		*vector_add(k->c->blocks) = block;
	}
	return out;
}

static void
check_type(struct compile *k, const struct draft_invoke *from)
{
	struct str type = from->type.s.n > 0 ? from->type.s : S(SCXML_TYPE);

	if (from->typeexpr.s.p != NULL || k->files == NULL || k->files->knows == NULL ||
	    k->files->knows(k->files->ctx, type))
		return;
	compile_fail(k, from->type.at, "the type '%.*s' is not known here",
	    FMT(str_sub(type, 0, 60)));
}

static void
compile_invoke(struct compile *k, const struct draft_invoke *from, uint32_t state)
{
	bool src = from->src.s.p != NULL || from->srcexpr.s.p != NULL;
	struct invoke i = { .state = state, .autoforward = from->autoforward,
		.has_finalize = from->has_finalize };

	check_type(k, from);
	i.type = compile_value(k, &from->type, &from->typeexpr, "type");
	i.src = compile_value(k, &from->src, &from->srcexpr, "src");
	if (from->payload.content.given && src)
		compile_fail(k, from->at, "src and content cannot both be given");
	if (from->id.s.p != NULL && from->idlocation.s.p != NULL)
		compile_fail(k, from->at, "id and idlocation cannot both be given");
	if (from->payload.namelist.s.p != NULL && from->payload.params != NULL)
		compile_fail(k, from->at, "namelist and param cannot both be given; a param "
		    "with location does what namelist does");
	i.id.text = compile_text(k, from->id.s);
	i.idlocation = compile_location(k, &from->idlocation);
	i.payload = compile_payload(k, &from->payload, true);
	k->in_finalize = true;
	i.finalize = compile_block(k, from->finalize);
	k->in_finalize = false;
	*vector_add(k->c->invokes) = i;
}

/* The parts that each kind allows. */
static void
check_kind(struct compile *k, const struct draft_state *from)
{
	bool final = from->kind == STATE_FINAL;

	if (final && (from->first != NULL || from->transitions != NULL ||
	    from->invokes != NULL || from->data != NULL))
		compile_fail(k, from->at, "a final state has no children, transitions, "
		    "invokes or data");
	if (!final && from->donedata != NULL)
		compile_fail(k, from->at, "donedata belongs to a final state");
	if (from->kind == STATE_ROOT && from->invokes != NULL)
		compile_fail(k, from->at, "the chart itself has no invokes; a state has");
	for (const struct draft_state *s = from->first; s != NULL; s = s->next)
		if (from->kind == STATE_PARALLEL && s->kind == STATE_FINAL)
			compile_fail(k, s->at, "a parallel state has no final child");
}

static void
compile_state(struct compile *k, const struct draft_state *from)
{
	struct chart *c = k->c;
	struct state *to = &c->states.at[from->index];

	k->where = from;
	k->what = NULL;
	if (from->kind == STATE_HISTORY) {
		compile_history(k, from, to);
		return;
	}
	check_kind(k, from);
	compile_transitions(k, from, to);
	compile_initial(k, from, to);
	to->entry = compile_blocks(k, from->entry);
	to->exit = compile_blocks(k, from->exit);
	k->what = "invoke";
	to->invokes.first = (uint32_t)c->invokes.n;
	for (const struct draft_invoke *i = from->invokes; i != NULL; i = i->next) {
		compile_invoke(k, i, from->index);
		to->invokes.n++;
	}
	k->what = "data";
	to->data.first = (uint32_t)c->data.n;
	for (const struct draft_data *d = from->data; d != NULL; d = d->next) {
		*vector_add(c->data) = (struct datum){ chart_slot(c, d->id.s),
			from->index == 0, compile_content(k, &d->value) };
		to->data.n++;
	}
	k->what = "donedata";
	to->has_donedata = from->donedata != NULL;
	if (to->has_donedata)
		to->donedata = compile_payload(k, from->donedata, false);
	k->what = NULL;
}

static int
by_text(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* Ids of invokes must be unique, because they are targets of sends. */
static void
check_invokes(struct compile *k)
{
	const struct chart *c = k->c;
	struct str *ids;
	size_t n = 0;

	if (c->invokes.n > LIMIT_CHART_STATES)
		compile_fail(k, k->d->root->at, "more than %d invokes", LIMIT_CHART_STATES);
	ids = mem_zero((c->invokes.n + 1) * sizeof *ids);
	for (size_t i = 0; i < c->invokes.n; i++)
		if (c->invokes.at[i].id.text.n > 0)
			ids[n++] = c->invokes.at[i].id.text;
	qsort(ids, n, sizeof *ids, by_text);
	for (size_t i = 1; i < n; i++)
		if (str_eq(ids[i - 1], ids[i]))
			compile_fail(k, k->d->root->at,
			    "invoke: the id '%.*s' is used twice", FMT(ids[i]));
	free(ids);
}

/* Lists the histories of each state in c->nested. */
static void
gather_histories(struct chart *c)
{
	for (uint32_t i = 0; i < c->states.n && c->histories > 0; i++) {
		struct state *s = &c->states.at[i];

		s->histories.first = (uint32_t)c->nested.n;
		for (uint32_t k = i + 1; k <= s->last; k = c->states.at[k].last + 1) {
			if (c->states.at[k].kind != STATE_HISTORY)
				continue;
			*vector_add(c->nested) = k;
			s->histories.n++;
		}
	}
}

/* The key of both maps is the struct str at the start of a value. */
static const void *
map_key(const void *value)
{
	return value;
}

static uint64_t
map_hash(const void *key)
{
	return str_hash_keyed(*(const struct str *)key);
}

static bool
map_is(const void *value, const void *key)
{
	return str_eq(*(const struct str *)value, *(const struct str *)key);
}

int
chart_compile(struct chart **out, struct draft *d, const struct chart_files *files,
    struct err *e)
{
	struct chart *c = mem_new(struct chart);
	struct compile k = { .c = c, .d = d, .files = files, .e = e };

	*out = NULL;
	assert(d->root != NULL && d->root->kind == STATE_ROOT);
	c->arena = ARENA(2 * DRAFT_BYTES);
	map_init(&c->by_id, map_hash, map_is, map_key);
	map_init(&c->by_slot, map_hash, map_is, map_key);
	*vector_add(c->codes) = (struct code){ 0 };
	c->name = compile_text(&k, d->name);
	c->late = d->late;
	c->lenient = !d->lax;
	c->visits = d->visits;
	number(&k);
	for (struct draft_state *s = d->root; s != NULL && k.rc == OK; s = draft_next_state(s))
		compile_state(&k, s);
	k.where = NULL;
	k.what = "script";
	if (k.rc == OK)
		c->script = compile_block(&k, d->script);
	k.what = NULL;
	if (k.rc == OK)
		check_invokes(&k);
	if (c->arena.failed)
		k.rc = err_set(e, ERR_TOOBIG, "the chart is too large");
	if (k.rc == OK)
		compile_bind(&k);
	free(k.spots);
	if (k.rc != OK) {
		chart_free(c);
		return k.rc;
	}
	gather_histories(c);
	c->shape = chart_shape(c);
	*out = c;
	return OK;
}
