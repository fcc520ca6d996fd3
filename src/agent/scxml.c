/*
 * scxml.c - an agent that is an SCXML document (chart/draft.h reads it).
 *
 * An <invoke> whose type is a kind of work becomes a node.  Its params are
 * written as the fields of the kind in a tree, as a file in YAML would have them,
 * so that one reader checks both:
 *
 *	<invoke type="ask" id="a">              invoke:
 *	  <param name="prompt" expr="'Go?'"/>     a: {ask: {prompt: "${input.prompt}"}}
 *
 * The chart evaluates the params and gives them to the task as its input; what
 * cannot be computed (a name, a schema, work inside) is a constant, and stands in
 * the tree itself.  The data of the document are the channels.
 *
 * SPDX-License-Identifier: MIT
 */
#include "agent/states_priv.h"

#include <assert.h>
#include <stdio.h>

#include "base/limits.h"
#include "chart/expr.h"

struct scxml {
	struct load *l;
	struct draft *d;
	struct tree_builder b;
};

/* ---- failures ------------------------------------------------------------------- */

static struct tree_place
place(struct spot at)
{
	return (struct tree_place){ at.line > 0 ? at.line : 1, at.line > 0 ? at.column : 1 };
}

__attribute__((format(printf, 3, 4))) static void
stop(struct scxml *x, struct spot at, const char *format, ...)
{
	struct err words;
	va_list ap;

	va_start(ap, format);
	err_vset(&words, ERR_INVALID, format, ap);
	va_end(ap);
	if (x->l->rc == OK)
		tree_stop(&x->b, ERR_INVALID, place(at), "%s", words.text);
	if (x->l->rc == OK)
		x->l->rc = x->b.rc;
}

/* An error of the chart, `line 3, column 7: words`, as one of a file. */
static void
take_error(struct load *l, int rc, const struct err *why)
{
	unsigned line = 1, column = 1;
	int skip = 0;

	if (sscanf(why->text, "line %u, column %u: %n", &line, &column, &skip) < 2 || skip == 0)
		line = column = 1;
	l->rc = err_set(l->e, rc, "%.*s:%u:%u: %s", FMT(l->t->file), line, column,
	    why->text + skip);
}

/* ---- constants ------------------------------------------------------------------ */

static int
no_slot(void *ctx, struct str name, bool of_data)
{
	(void)ctx;
	(void)name;
	(void)of_data;
	return -1;
}

/* OK, or ERR_NOTFOUND: it is not a constant; other errors are of the expression.
 * The caller drops *out. */
static int
constant_of(struct str text, struct val *out, struct err *e)
{
	struct expr_scope none = { 0 };
	struct expr *x;
	int rc = expr_parse(&x, text, e);

	*out = VAL_UNDEF;
	if (rc != OK)
		return rc;
	expr_bind_lenient(x, no_slot, NULL);
	rc = expr_is_constant(x) ? expr_eval(x, &none, out, e) :
	    err_set(e, ERR_NOTFOUND, "it is not a constant");
	expr_free(x);
	return rc;
}

static bool
param_constant(struct scxml *x, const struct draft_param *p, struct val *out)
{
	struct err why;
	int rc = p->expr.s.p == NULL ? ERR_NOTFOUND : constant_of(p->expr.s, out, &why);

	if (rc == ERR_NOTFOUND)
		stop(x, p->at, "param '%.*s': expected a constant, because it is read when the "
		    "agent is loaded; a text has quotes: \"'text'\"", FMT(p->name.s));
	else if (rc != OK)
		stop(x, p->at, "param '%.*s': %s", FMT(p->name.s), why.text);
	return rc == OK;
}

/* A value as a part of the tree.  Recursion is bounded by LIMIT_AGENT_DEPTH. */
static void
add_val(struct tree_builder *b, struct val v, struct tree_place at)
{
	static const enum tree_kind kinds[] = {
		[VAL_UNDEFINED] = TREE_NULL, [VAL_NULL] = TREE_NULL, [VAL_BOOL] = TREE_BOOL,
		[VAL_INT] = TREE_NUMBER, [VAL_DOUBLE] = TREE_NUMBER, [VAL_STRING] = TREE_STRING,
		[VAL_ARRAY] = TREE_LIST, [VAL_OBJECT] = TREE_MAP,
	};
	struct tree_node *n = tree_add(b, kinds[v.kind], at);
	struct buf number = BUF(64);

	if (n == NULL)
		return;
	if (v.kind == VAL_STRING)
		tree_set_text(b, n, val_str(v));
	if (n->kind == TREE_NUMBER) {
		val_add_json(&number, v);
		tree_set_text(b, n, buf_str(&number));
	}
	buf_release(&number);
	n->truth = v.kind == VAL_BOOL && v.u.b;
	for (size_t i = 0; i < val_count(v) && b->rc == OK; i++) {
		if (v.kind == VAL_OBJECT)
			tree_key(b, val_key(v, i), at);
		add_val(b, v.kind == VAL_OBJECT ? val_member(v, i) : val_at(v, i), at);
	}
	if (n->kind >= TREE_LIST)
		tree_close(b);
}

/* ---- params --------------------------------------------------------------------- */

/* Where a field is written: as the kind's value, in its map, beside its key. */
enum where { IS_BODY, IS_INSIDE, IS_BESIDE };

/* One <invoke>, and what it is. */
struct invoke {
	struct scxml *x;
	const struct draft_invoke *from;
	const struct draft_param *params;    /* of namelist too */
	const struct task_kind *kind;
	struct str op;                       /* of a kind with ops */
};

static const struct agent_field *
field_of(const struct task_kind *k, struct str name)
{
	for (size_t i = 0; i < k->fields_n; i++)
		if (str_eq(name, str_of(k->fields[i].name)) || (k->fields[i].alias != NULL &&
		    str_eq(name, str_of(k->fields[i].alias))))
			return &k->fields[i];
	return NULL;
}

static const struct agent_field *
flagged(const struct task_kind *k, unsigned flag)
{
	for (size_t i = 0; i < k->fields_n; i++)
		if ((k->fields[i].flags & flag) != 0)
			return &k->fields[i];
	return NULL;
}

/* What the kind does not know is refused where its neighbours are. */
static enum where
where_of(const struct task_kind *k, const struct agent_field *f, struct str name)
{
	if (f != NULL && (f->flags & FIELD_BODY) != 0)
		return IS_BODY;
	if (f != NULL)
		return (f->flags & FIELD_BESIDE) != 0 ? IS_BESIDE : IS_INSIDE;
	return str_eq(name, S("writes")) || flagged(k, FIELD_BODY) != NULL ? IS_BESIDE :
	    IS_INSIDE;
}

__attribute__((format(printf, 3, 4))) static void
add_text(struct scxml *x, struct tree_place at, const char *format, ...)
{
	struct tree_node *n = tree_add(&x->b, TREE_STRING, at);
	struct buf text = BUF(KB);
	va_list ap;

	va_start(ap, format);
	buf_add_vfmt(&text, format, ap);
	va_end(ap);
	if (n != NULL)
		tree_set_text(&x->b, n, buf_str(&text));
	buf_release(&text);
}

/* A list of texts is as long as the constant that it is given by. */
static void
add_texts(struct scxml *x, const struct draft_param *p)
{
	struct tree_place at = place(p->at);
	struct val v;

	if (!param_constant(x, p, &v))
		return;
	if (v.kind == VAL_ARRAY) {
		(void)tree_add(&x->b, TREE_LIST, at);
		for (size_t i = 0; i < val_count(v); i++)
			add_text(x, at, "${input.%.*s[%zu]}", FMT(p->name.s), i);
		tree_close(&x->b);
	} else {
		add_text(x, at, "${input.%.*s}", FMT(p->name.s));
	}
	val_drop(v);
}

static void
add_field(struct scxml *x, const struct agent_field *f, const struct draft_param *p)
{
	struct tree_place at = place(p->at);
	bool writes = f == NULL && str_eq(p->name.s, S("writes"));
	struct val v;

	tree_key(&x->b, p->name.s, at);
	if (x->b.rc != OK)
		return;
	if (f != NULL && f->kind == AGENT_TEXT) {
		add_text(x, at, "${input.%.*s}", FMT(p->name.s));
	} else if (f != NULL && f->kind == AGENT_TEXTS) {
		add_texts(x, p);
	} else if (!writes && (f == NULL || f->kind == AGENT_EXPR || f->kind == AGENT_DATA)) {
		add_text(x, at, "input.%.*s", FMT(p->name.s));
	} else if (param_constant(x, p, &v)) {
		add_val(&x->b, v, at);
		val_drop(v);
	}
}

static bool
add_fields(const struct invoke *i, enum where where)
{
	bool any = false;

	for (const struct draft_param *p = i->params; p != NULL && i->x->b.rc == OK;
	    p = p->next) {
		const struct agent_field *f = field_of(i->kind, p->name.s);

		if (where_of(i->kind, f, p->name.s) != where)
			continue;
		add_field(i->x, f, p);
		any = true;
	}
	return any;
}

/* A map of one field could be taken for that field's own value. */
static void
check_short(const struct invoke *i)
{
	const struct agent_field *f = flagged(i->kind, FIELD_SHORT);
	bool given = f == NULL || (f->flags & FIELD_REQUIRED) == 0 || f->group != 0;

	for (const struct draft_param *p = i->params; p != NULL && !given; p = p->next)
		given = field_of(i->kind, p->name.s) == f;
	if (!given)
		stop(i->x, i->from->at, "the param '%s' is missing", f->name);
}

/* {KIND: {fields}} with what stands beside. */
static void
add_work(const struct invoke *i, struct str id)
{
	struct scxml *x = i->x;
	struct tree_place at = place(i->from->at);

	tree_key(&x->b, id, at);
	(void)tree_add(&x->b, TREE_MAP, at);
	if (flagged(i->kind, FIELD_BODY) != NULL) {
		if (!add_fields(i, IS_BODY))
			stop(x, i->from->at, "the param '%s' is missing",
			    flagged(i->kind, FIELD_BODY)->name);
	} else {
		tree_key(&x->b, str_of(i->kind->name), at);
		(void)tree_add(&x->b, TREE_MAP, at);
		if (i->op.p != NULL) {
			tree_key(&x->b, i->op, at);
			(void)tree_add(&x->b, TREE_MAP, at);
		}
		(void)add_fields(i, IS_INSIDE);
		if (i->op.p != NULL)
			tree_close(&x->b);
		tree_close(&x->b);
	}
	(void)add_fields(i, IS_BESIDE);
	tree_close(&x->b);
}

/* ---- invokes -------------------------------------------------------------------- */

/* A chart inside is a session of its own: it has no channels. */
static bool
is_chart(const struct draft_invoke *i)
{
	return i->typeexpr.s.p == NULL && (i->type.s.n == 0 || chart_is_chart_type(i->type.s));
}

/* Its text is in the document: what is kept of an agent is whole. */
static void
check_chart(struct scxml *x, const struct draft_invoke *i)
{
	if (i->payload.content.child == NULL)
		stop(x, i->at, "invoke: expected a chart inside <content>; src, srcexpr and a chart "
		    "that is computed are not supported");
}

/* Types are kinds, or KIND.OPERATION. */
static bool
find_kind(struct invoke *i)
{
	const struct task_kinds *kinds = i->x->l->kinds;
	struct str type = i->from->type.s;
	ptrdiff_t dot = str_index(type, '.');
	struct str_near near = { .word = type };
	struct tree_place at = place(i->from->at);
	struct err words;

	i->kind = load_kind_find(kinds, dot > 0 ? str_sub(type, 0, (size_t)dot) : type);
	if (dot > 0)
		i->op = str_sub(type, (size_t)dot + 1, SIZE_MAX);
	if (i->kind != NULL && (i->kind->ops != NULL) != (i->op.p != NULL)) {
		stop(i->x, i->from->at, i->kind->ops == NULL ? "'%.*s': expected the type '%s', "
		    "which has no operations" : "'%.*s': expected an operation, as in '%s.%s'",
		    FMT(str_cut(type, 100)), i->kind->name,
		    i->kind->ops != NULL ? i->kind->ops[0] : "");
	} else if (i->kind == NULL && i->x->l->rc == OK) {
		for (size_t k = 0; k < kinds->n; k++)
			str_near_try(&near, kinds->at[k]->name);
		(void)err_set(&words, ERR_INVALID, "%.*s:%u:%u: invoke: '%.*s' is neither a kind "
		    "of work nor a chart", FMT(i->x->l->t->file), at.line, at.column,
		    FMT(str_cut(type, 100)));
		i->x->l->rc = i->x->b.rc = err_near(i->x->l->e, ERR_INVALID, near.best, "'", "%s",
		    words.text);
	}
	return i->x->l->rc == OK && i->x->b.rc == OK;
}

/* namelist="a b" is a param for each. */
static const struct draft_param *
params_of(struct scxml *x, const struct draft_invoke *i)
{
	const struct draft_param *first = i->payload.params;
	struct str rest = i->payload.namelist.s, word;

	while (draft_word(&rest, &word)) {
		struct draft_param *p = draft_node(x->d, struct draft_param);

		if (p == NULL)
			break;               /* the arena remembers it */
		p->at = i->at;
		p->name.s = p->location.s = word;
		p->next = (struct draft_param *)first;
		first = p;
	}
	return first;
}

/* As in YAML it is named after its state, unless it has an id. */
static struct str
name_of(struct scxml *x, const struct draft_state *s, const struct draft_invoke *i,
    size_t number)
{
	struct str name = i->id.s.p != NULL ? i->id.s : number == 1 ? s->id.s :
	    arena_fmt(&x->d->arena, "%.*s-%zu", FMT(s->id.s), number);

	if (i->id.s.p == NULL && s->id.s.n == 0)
		stop(x, i->at, "invoke: the id is missing");
	else if (!states_is_name(name))
		stop(x, i->at, "'%.*s' cannot be an invoke's name: expected a word without "
		    ". : | # * $", FMT(str_cut(name, 100)));
	return name;
}

static void
add_invoke(struct scxml *x, const struct draft_state *s, struct draft_invoke *from,
    size_t number)
{
	struct invoke i = { .x = x, .from = from };
	const struct { bool given; const char *name; } charts[] = {
		{ from->src.s.p != NULL, "src" }, { from->srcexpr.s.p != NULL, "srcexpr" },
		{ from->payload.content.given, "content" },
	};

	if (is_chart(from)) {
		check_chart(x, from);
		return;
	}
	if (from->typeexpr.s.p != NULL || from->idlocation.s.p != NULL)
		stop(x, from->at, "invoke: expected a constant type and id");
	if (x->b.rc != OK || !find_kind(&i))
		return;
	for (size_t k = 0; k < COUNT(charts); k++)
		if (charts[k].given)
			stop(x, from->at, "invoke: '%s' is for a chart; work has params",
			    charts[k].name);
	from->id = (struct draft_text){ .s = name_of(x, s, from, number), .at = from->at };
	i.params = params_of(x, from);
	check_short(&i);
	if (x->b.rc == OK)
		add_work(&i, from->id.s);
}

static void
add_invokes(struct scxml *x)
{
	tree_key(&x->b, S("invoke"), (struct tree_place){ 1, 1 });
	(void)tree_add(&x->b, TREE_MAP, (struct tree_place){ 1, 1 });
	for (struct draft_state *s = x->d->root; s != NULL; s = draft_next_state(s)) {
		size_t number = 0;

		for (struct draft_invoke *i = s->invokes; i != NULL && x->b.rc == OK; i = i->next)
			add_invoke(x, s, i, ++number);
	}
	tree_close(&x->b);
}

static void
check_inner(struct scxml *x, const struct draft_invoke *i)
{
	if (is_chart(i))
		check_chart(x, i);
	else
		stop(x, i->at, "invoke: work is for the chart of the agent, not for one inside it");
}

/* Charts inside the chart; recursion is bounded by the depth of the document. */
static void
check_children(struct scxml *x, struct draft *first)
{
	for (struct draft *d = first; d != NULL && x->b.rc == OK; d = d->next) {
		d->lax = false;
		for (struct draft_state *s = d->root; s != NULL; s = draft_next_state(s))
			for (struct draft_invoke *i = s->invokes; i != NULL; i = i->next)
				check_inner(x, i);
		check_children(x, d->children);
	}
}

/* ---- data ----------------------------------------------------------------------- */

static void
add_data(struct scxml *x)
{
	tree_key(&x->b, S("state"), (struct tree_place){ 1, 1 });
	(void)tree_add(&x->b, TREE_MAP, (struct tree_place){ 1, 1 });
	for (struct draft_state *s = x->d->root; s != NULL; s = draft_next_state(s)) {
		for (struct draft_data *d = s->data; d != NULL && x->b.rc == OK; d = d->next) {
			tree_key(&x->b, d->id.s, place(d->at));
			(void)tree_add(&x->b, TREE_NULL, place(d->at));
		}
	}
	tree_close(&x->b);
}

/* What is not a constant is computed by the chart when it starts. */
static void
load_channel_of(struct load *l, const struct tree_node *n, const struct draft_data *d,
    struct channel *c)
{
	struct val v = VAL_UNDEF;
	struct err why;

	c->name = load_str(l, d->id.s);
	c->input = c->output = true;
	c->initial = c->schema = VAL_UNDEF;
	if (d->value.expr.s.p != NULL)
		(void)constant_of(d->value.expr.s, &v, &why);
	else if (d->value.given && !d->value.raw)
		(void)val_json(&v, d->value.text.s, &why);
	if (str_eq(c->name, S("messages"))) {
		c->reducer = REDUCE_MESSAGES;
		if (!d->value.given)
			v = val_array_empty();
		if (v.kind != VAL_ARRAY)
			load_fail(l, n, "expected a constant list, because the reducer of "
			    "'messages' is 'messages'");
	}
	c->initial = load_val(l, v);
}

static void
load_channels(struct scxml *x, const struct tree_node *state)
{
	struct load *l = x->l;
	const struct tree_node *n = state->first;
	struct channel *channels;
	size_t i = 0;

	if (state->n > LIMIT_AGENT_CHANNELS) {
		load_fail(l, state, "%zu channels; expected at most %d", state->n,
		    LIMIT_AGENT_CHANNELS);
		return;
	}
	channels = load_alloc(l, state->n, sizeof *channels);
	for (struct draft_state *s = x->d->root; s != NULL; s = draft_next_state(s))
		for (struct draft_data *d = s->data; d != NULL && l->rc == OK; d = d->next) {
			load_channel_of(l, n, d, &channels[i++]);
			n = n->next;
		}
	l->state = state;
	l->a->channels = channels;
	l->a->channels_n = state->n;
	l->a->slots_n = SLOT_CHANNEL + state->n;
}

/* ---- the document --------------------------------------------------------------- */

static void
load_nodes(struct load *l, const struct tree_node *invokes)
{
	struct agent_node *nodes = load_alloc(l, invokes->n, sizeof *nodes);
	size_t i = 0;

	for (const struct tree_node *n = invokes->first; n != NULL && l->rc == OK; n = n->next)
		states_node(l, n, n->key, NULL, &nodes[i++]);
	l->a->nodes = nodes;
	l->a->nodes_n = invokes->n;
}

/* The tree: {state: {CHANNEL: null}, invoke: {ID: {KIND: {...}}}}. */
static void
load_parts(struct scxml *x, struct tree *t)
{
	struct load *l = x->l;

	(void)tree_add(&x->b, TREE_MAP, place(x->d->root->at));
	load_id(l, t->root, x->d->name.n > 0 ? x->d->name : STR_NONE);
	if (l->rc != OK)
		return;
	add_data(x);
	check_children(x, x->d->children);
	add_invokes(x);
	tree_close(&x->b);
	if (l->rc == OK)
		l->rc = x->b.rc;
	if (l->rc == OK)
		load_channels(x, tree_get(t, t->root, S("state")));
	if (l->rc == OK)
		load_nodes(l, tree_get(t, t->root, S("invoke")));
}

void
load_scxml(struct load *l, struct tree *t, struct str text)
{
	struct scxml x = { .l = l, .b = { .t = t, .e = l->e } };
	struct err why = { 0 };
	int rc = draft_from_scxml(&x.d, text, NULL, &why);

	if (rc == OK) {
		x.d->lax = false;            /* an agent is checked when it is loaded */
		load_parts(&x, t);
	}
	if (rc == OK && l->rc == OK && x.d->arena.failed)
		rc = err_set(&why, ERR_TOOBIG, "the chart is too large");
	if (rc == OK && l->rc == OK)
		rc = chart_compile(&l->a->chart, x.d, NULL, &why);
	if (rc != OK)
		take_error(l, rc, &why);
	draft_free(x.d);
}
