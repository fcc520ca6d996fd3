/*
 * value.c - fields: a tree's values by the kinds of docs/agents.md, "What a
 * string is".  What needs no names is evaluated here, once.
 *
 * SPDX-License-Identifier: MIT
 */
#include "agent/load_priv.h"

#include <assert.h>

#include "base/limits.h"
#include "base/mem.h"
#include "chart/expr.h"

const char *const load_reserved[] = {
	[SLOT_DATA] = "data", [SLOT_INPUT] = "input", [SLOT_RESULT] = "result",
	[SLOT_CONFIG] = "config", [SLOT_CONTEXT] = "context", [SLOT_PARAMS] = "params",
	[SLOT_EVENT] = "event", NULL,
};

/* ---- names --------------------------------------------------------------------- */

/* Finds slots for expr_bind; keeps the first name that has none. */
struct binding {
	struct load *l;
	struct str unknown;
	bool of_data, found_unknown;
	struct str forbidden;
};

static bool
is_allowed(const struct load *l, int slot)
{
	if (l->names == NAMES_RUN)
		return slot == SLOT_CONFIG || slot == SLOT_CONTEXT || slot == SLOT_PARAMS;
	return l->names == NAMES_ALL;
}

static int
slot_of_name(const struct load *l, struct str name)
{
	int channel;

	for (int i = 0; load_reserved[i] != NULL; i++)
		if (str_eq(name, str_of(load_reserved[i])))
			return i;
	channel = load_channel_find(l, name);
	if (channel >= 0)
		return SLOT_CHANNEL + channel;
	for (size_t i = 0; i < l->as_n; i++)
		if (str_eq(l->as[i].name, name))
			return l->as[i].slot;
	return -1;
}

static int
slot_of(void *ctx, struct str name, bool of_data)
{
	struct binding *b = ctx;
	int slot = of_data ? load_channel_find(b->l, name) : slot_of_name(b->l, name);

	if (of_data && slot >= 0)
		slot += SLOT_CHANNEL;
	if (slot < 0 && !b->found_unknown) {
		b->unknown = name;
		b->of_data = of_data;
		b->found_unknown = true;
	}
	if (slot >= 0 && !is_allowed(b->l, slot) && b->forbidden.n == 0)
		b->forbidden = name;
	return slot;
}

/* A name's NUL-ended copy, for str_near. */
static const char *
cstr(struct load *l, struct str s)
{
	return load_str(l, s).p;
}

static void
fail_unknown(struct load *l, const struct tree_node *n, const struct binding *b)
{
	struct str_near near = { .word = b->unknown };

	for (size_t i = 0; i < l->a->channels_n; i++)
		str_near_try(&near, cstr(l, l->a->channels[i].name));
	if (b->of_data) {
		load_fail_near(l, n, near.best, "there is no channel '%.*s'", FMT(b->unknown));
		return;
	}
	for (size_t i = 0; i < l->as_n; i++)
		str_near_try(&near, cstr(l, l->as[i].name));
	for (size_t i = 0; load_reserved[i] != NULL; i++)
		str_near_try(&near, load_reserved[i]);
	if (near.best == NULL && str_eq(str_trim(n->text), b->unknown))
		load_fail(l, n, "'%.*s' is neither a channel nor a name that is known here; a text "
		    "in an expression has quotes: \"'%.*s'\"", FMT(b->unknown), FMT(b->unknown));
	load_fail_near(l, n, near.best, "'%.*s' is neither a channel nor a name that is known "
	    "here", FMT(b->unknown));
}

static void
bind(struct load *l, const struct tree_node *n, struct expr *x)
{
	struct binding b = { .l = l };

	expr_bind_lenient(x, slot_of, &b);
	if (b.found_unknown)
		fail_unknown(l, n, &b);
	else if (b.forbidden.n > 0 && l->names == NAMES_RUN)
		load_fail(l, n, "'%.*s' is not known when a run starts; expected config, "
		    "context or params", FMT(b.forbidden));
	else if (!l->of_session && expr_asks_states(x))
		load_fail(l, n, "In() and visits() are for the guards and actions of a chart");
	else if (b.forbidden.n > 0)
		load_fail(l, n, "expected a constant, got an expression with the name '%.*s'",
		    FMT(b.forbidden));
}

int
load_as(struct load *l, const struct tree_node *n)
{
	struct str name = load_string(l, n, "a name");

	if (l->rc != OK)
		return -1;
	if (!expr_is_name(name)) {
		load_fail(l, n, "'%.*s' is not a name: expected letters, digits and _",
		    FMT(str_cut(name, 100)));
		return -1;
	}
	if (slot_of_name(l, name) >= 0) {
		load_fail(l, n, load_channel_find(l, name) >= 0 ?
		    "'%.*s' is a channel; expected another name" :
		    "'%.*s' is known here already; expected another name", FMT(name));
		return -1;
	}
	if (l->as_n == LIMIT_AGENT_NAMES ||
	    l->as_next >= SLOT_CHANNEL + (int)l->a->channels_n + LIMIT_AGENT_NAMES) {
		load_fail(l, n, "more than %d names", LIMIT_AGENT_NAMES);
		return -1;
	}
	l->as[l->as_n++] = (struct as_name){ load_str(l, name), l->as_next++ };
	if ((size_t)l->as_next > l->a->slots_n)
		l->a->slots_n = (size_t)l->as_next;
	return l->as_next - 1;
}

/* ---- expressions ----------------------------------------------------------------- */

static void
set_constant(struct load *l, struct val v, struct agent_value *out)
{
	out->form = VALUE_CONST;
	out->constant = load_val(l, v);
}

/* Takes x. */
static void
take_expr(struct load *l, const struct tree_node *n, struct expr *x,
    struct agent_value *out)
{
	struct agent_holds *h = l->a->holds;
	struct expr_scope none = { 0 };
	struct err why;
	struct val v;

	bind(l, n, x);
	if (l->rc == OK && expr_is_constant(x)) {
		if (expr_eval(x, &none, &v, &why) == OK)
			set_constant(l, v, out);
		else
			load_fail(l, n, "%s", why.text);
		expr_free(x);
		return;
	}
	mem_grow(h->exprs, h->exprs_n, h->exprs_cap);
	h->exprs[h->exprs_n++] = x;
	out->form = VALUE_EXPR;
	out->x = x;
	out->source = load_str(l, n->text);
	out->reads_data = expr_has_slot(x, SLOT_DATA);
}

static void
compile(struct load *l, const struct tree_node *n, bool template, struct agent_value *out)
{
	struct expr *x;
	struct err why;

	if (l->rc != OK)
		return;
	if ((template ? expr_parse_template : expr_parse)(&x, n->text, &why) != OK) {
		load_fail(l, n, "%s", why.text);
		return;
	}
	out->text = template;
	take_expr(l, n, x, out);
}

static void
load_text(struct load *l, const struct tree_node *n, struct agent_value *out)
{
	if (load_wants(l, n, TREE_STRING, "a text"))
		compile(l, n, true, out);
}

static void
load_expr(struct load *l, const struct tree_node *n, struct agent_value *out)
{
	if (n->kind == TREE_STRING)
		compile(l, n, false, out);
	else if (n->kind < TREE_LIST)
		set_constant(l, tree_val(n), out);
	else
		load_fail(l, n, "expected an expression, got %s", tree_kind_name(n));
}

/* ---- data ---------------------------------------------------------------------- */

/* Containers whose parts are constants are constants. */
static void
fold(struct load *l, struct agent_value *v)
{
	struct val whole = v->form == VALUE_LIST ? val_array_empty() : val_object_empty();
	enum agent_value_form form = v->form;

	for (size_t i = 0; i < v->n; i++) {
		struct val part = val_copy(v->items[i].constant);

		if (form == VALUE_LIST)
			whole = val_push_take(whole, part);
		else
			whole = val_set_take(whole, v->keys[i], part);
	}
	set_constant(l, whole, v);
}

static void
load_data(struct load *l, const struct tree_node *n, struct agent_value *out)
{
	struct agent_value *items;
	struct str *keys;
	bool constant = true;
	size_t i = 0;

	if (n->kind < TREE_LIST) {
		load_expr(l, n, out);
		return;
	}
	items = load_alloc(l, n->n, sizeof *items);
	keys = load_alloc(l, n->n, sizeof *keys);
	for (const struct tree_node *c = n->first; c != NULL && l->rc == OK; c = c->next, i++) {
		load_kind(l, c, AGENT_DATA, &items[i]);
		keys[i] = load_str(l, c->key);
		constant = constant && items[i].form == VALUE_CONST;
		out->reads_data = out->reads_data || items[i].reads_data;
	}
	out->form = n->kind == TREE_LIST ? VALUE_LIST : VALUE_OBJECT;
	out->items = items;
	out->keys = keys;
	out->n = n->n;
	if (l->rc == OK && constant)
		fold(l, out);
}

/* ---- the rest ---------------------------------------------------------------------- */

static void
load_name(struct load *l, const struct tree_node *n, struct agent_value *out)
{
	struct str s = load_string(l, n, "a name");

	if (l->rc != OK)
		return;
	if (s.n == 0 || s.n > LIMIT_NAME_BYTES)
		load_fail(l, n, "expected a name of 1 to %d bytes", LIMIT_NAME_BYTES);
	else if (str_contains(s, S("${")))
		load_fail(l, n, "a name cannot have ${} in it here");
	set_constant(l, val_string(s), out);
}

/* Each element as one part; a single one stands for a list of it. */
static void
load_each(struct load *l, const struct tree_node *n, enum agent_field_kind kind,
    struct agent_value *out)
{
	const struct tree_node *c = n->kind == TREE_LIST ? n->first : n;
	size_t count = n->kind == TREE_LIST ? n->n : 1;
	struct agent_value *items = load_alloc(l, count, sizeof *items);
	bool constant = true;

	for (size_t i = 0; i < count && l->rc == OK; i++, c = c->next) {
		load_kind(l, c, kind, &items[i]);
		constant = constant && items[i].form == VALUE_CONST;
		out->reads_data = out->reads_data || items[i].reads_data;
	}
	out->form = VALUE_LIST;
	out->items = items;
	out->n = count;
	if (l->rc == OK && constant)
		fold(l, out);
}

static void
load_bool(struct load *l, const struct tree_node *n, struct agent_value *out)
{
	if (load_wants(l, n, TREE_BOOL, "true or false"))
		set_constant(l, val_bool(n->truth), out);
}

static void
load_int(struct load *l, const struct tree_node *n, struct agent_value *out)
{
	struct val v = tree_val(n);

	if (v.kind != VAL_INT || v.u.i < 0)
		load_fail(l, n, "expected a whole number from 0, got %.*s",
		    FMT(n->kind == TREE_NUMBER ? str_cut(n->text, 40) :
		    str_of(tree_kind_name(n))));
	val_drop(v);
	set_constant(l, v.kind == VAL_INT ? v : VAL_NIL, out);
}

static void
load_word(struct load *l, const struct tree_node *n, const struct agent_field *f,
    struct agent_value *out)
{
	struct buf list = BUF(256);
	struct str_near near = { .word = n->text };

	for (int i = 0; f->words[i] != NULL; i++) {
		if (n->kind >= TREE_NUMBER && n->kind <= TREE_STRING &&
		    str_eq(n->text, str_of(f->words[i]))) {
			set_constant(l, val_int(i), out);
			buf_release(&list);
			return;
		}
		str_near_try(&near, f->words[i]);
		buf_add_fmt(&list, "%s%s", i == 0 ? "" : f->words[i + 1] != NULL ? ", " : " or ",
		    f->words[i]);
	}
	if (n->kind == TREE_STRING)
		load_fail_near(l, n, near.best, "expected %.*s, got '%.*s'", FMT(buf_str(&list)),
		    FMT(str_cut(n->text, 100)));
	else
		load_fail(l, n, "expected %.*s, got %s", FMT(buf_str(&list)), tree_kind_name(n));
	buf_release(&list);
}

static void
load_plain(struct load *l, const struct tree_node *n, struct agent_value *out)
{
	if (load_wants(l, n, TREE_MAP, "a JSON Schema"))
		set_constant(l, tree_val(n), out);
}

void
load_kind(struct load *l, const struct tree_node *n, enum agent_field_kind kind,
    struct agent_value *out)
{
	out->line = n->at.line;
	out->column = n->at.column;
	switch (kind) {
	case AGENT_NAME:
		load_name(l, n, out);
		break;
	case AGENT_TEXT:
		load_text(l, n, out);
		break;
	case AGENT_EXPR:
		load_expr(l, n, out);
		break;
	case AGENT_DATA:
		load_data(l, n, out);
		break;
	case AGENT_TEXTS:
		load_each(l, n, AGENT_TEXT, out);
		break;
	case AGENT_NAMES:
		load_each(l, n, AGENT_NAME, out);
		break;
	case AGENT_PLAIN:
		load_plain(l, n, out);
		break;
	case AGENT_BOOL:
		load_bool(l, n, out);
		break;
	case AGENT_INT:
		load_int(l, n, out);
		break;
	default:
		assert(!"a kind with a function of its own");
	}
}

void
load_value(struct load *l, const struct tree_node *n, const struct agent_field *f,
    struct agent_value *out)
{
	if (l->rc != OK)
		return;
	if (f->kind != AGENT_WORD) {
		load_kind(l, n, f->kind, out);
		return;
	}
	out->line = n->at.line;
	out->column = n->at.column;
	load_word(l, n, f, out);
}
