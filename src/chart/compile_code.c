/*
 * compile_code.c - expressions, payloads and executable content of a draft
 * into the arrays of a chart.
 *
 * SCXML's rule that a malformed expression is an error event when it runs
 * (not a malformed document) is `lax`: then the code is kept with its words.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chart/model_priv.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/json.h"
#include "base/mem.h"

/* Nested if and foreach; the interpreter recurses over them. */
#define ACTION_DEPTH 64

static const char *const action_names[] = {
	[ACTION_RAISE] = "raise", [ACTION_SEND] = "send", [ACTION_CANCEL] = "cancel",
	[ACTION_ASSIGN] = "assign", [ACTION_LOG] = "log", [ACTION_IF] = "if",
	[ACTION_FOREACH] = "foreach",
};

int
compile_fail(struct compile *k, struct spot at, const char *format, ...)
{
	char text[300];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	return draft_fail(k->e, ERR_INVALID, at, k->where, "%s%s%s",
	    k->what != NULL ? k->what : "", k->what != NULL ? ": " : "", text);
}

struct str
compile_text(struct compile *k, struct str s)
{
	return arena_str(&k->c->arena, s);
}

/* ---- expressions --------------------------------------------------------- */

static uint32_t
code_add(struct compile *k, struct expr *x, struct str bad, struct str text)
{
	struct chart *c = k->c;

	mem_grow(c->codes.at, c->codes.n, c->codes.cap);
	c->codes.at[c->codes.n] = (struct code){ x, bad,
		compile_text(k, str_trim(text)) };
	return (uint32_t)c->codes.n++;
}

/* A document for a JavaScript engine may carry functions of its own.  The one
 * that is known by its text is put in our words. */
static struct str
known_function(struct compile *k, struct str s)
{
	static const struct { struct str is, ours; } known[] = {
		{ S("(function(str, starts){if (starts === '') return true;"
		    "if (str == null || starts == null) return false;"
		    "str = String(str); starts = String(starts);"
		    "return str.length >= starts.length && "
		    "str.slice(0, starts.length) === starts;})"), S("startsWith") },
	};

	s = str_trim(s);
	for (size_t i = 0; i < COUNT(known); i++)
		if (str_starts(s, known[i].is))
			return arena_fmt(&k->c->arena, "%.*s%.*s", FMT(known[i].ours),
			    FMT(str_sub(s, known[i].is.n, SIZE_MAX)));
	return s;
}

/* `In(s1)` of the null data model in our words; others stay as they are. */
static struct str
null_predicate(struct compile *k, struct str s)
{
	struct str id = str_trim(s);

	if (!str_starts(id, S("In")) || !str_ends(id, S(")")))
		return s;
	id = str_trim(str_sub(id, 2, id.n - 3));
	if (!str_starts(id, S("(")))
		return s;
	id = str_trim(str_sub(id, 1, SIZE_MAX));
	for (size_t i = 0; i < id.n; i++)
		if (id.p[i] == '\'' || id.p[i] == '"' || id.p[i] == '(' ||
		    id.p[i] == ')' || id.p[i] == '\\')
			return s;
	return arena_fmt(&k->c->arena, "In('%.*s')", FMT(id));
}

int
compile_code(struct compile *k, const struct draft_text *t, uint32_t *out)
{
	struct str text = t->s;
	struct expr *x;
	struct err why;

	*out = 0;
	if (text.p == NULL)
		return OK;
	if (k->d->lax)
		text = known_function(k, text);
	if (k->d->null_model)
		text = null_predicate(k, text);
	if (expr_parse(&x, text, &why) == OK) {
		*out = code_add(k, x, STR_NONE, t->s);
		return OK;
	}
	if (!k->d->lax)
		return compile_fail(k, t->at, "%s", why.text);
	*out = code_add(k, NULL, compile_text(k, str_of(why.text)), t->s);
	return OK;
}

/* An expression that must be a place. */
int
compile_place(struct compile *k, const struct draft_text *t, uint32_t *out)
{
	struct str root;
	struct code *code;
	int rc = compile_code(k, t, out);

	if (rc != OK || *out == 0)
		return rc;
	code = &k->c->codes.at[*out];
	if (code->x == NULL || expr_is_location(code->x, &root))
		return OK;
	if (!k->d->lax)
		return compile_fail(k, t->at, "'%.*s' cannot be assigned to", FMT(t->s));
	expr_free(code->x);
	*code = (struct code){ NULL, S("this cannot be assigned to"), code->text };
	return OK;
}

/* `name` or `nameexpr`, not both. */
int
compile_value(struct compile *k, const struct draft_text *literal,
    const struct draft_text *expr, const char *name, struct value *out)
{
	*out = (struct value){ STR_NONE, 0 };
	if (literal->s.p != NULL && expr->s.p != NULL)
		return compile_fail(k, expr->at, "%s and %sexpr cannot both be given", name,
		    name);
	if (literal->s.p != NULL)
		out->text = compile_text(k, literal->s);
	return compile_code(k, expr, &out->code);
}

int
compile_slot(struct compile *k, struct str name)
{
	struct chart *c = k->c;
	int found = chart_slot(c, name);
	struct slot *s;

	if (found >= 0)
		return found;
	s = arena_new(&c->arena, struct slot);
	s->name = compile_text(k, name);
	s->index = (uint32_t)c->slots.n;
	mem_grow(c->slots.at, c->slots.n, c->slots.cap);
	c->slots.at[c->slots.n++] = s;
	map_put(&c->by_slot, s);
	return (int)s->index;
}

static int
slot_of(void *ctx, struct str name)
{
	return chart_slot(ctx, name);
}

/* Last of all: every name that any part of the chart declares is known. */
void
compile_bind(struct chart *c)
{
	for (size_t i = 1; i < c->codes.n; i++)
		if (c->codes.at[i].x != NULL)
			expr_bind(c->codes.at[i].x, slot_of, c);
	for (size_t i = 0; i < c->actions.n; i++) {
		struct action *a = &c->actions.at[i];

		if (a->kind == ACTION_ASSIGN && c->codes.at[a->a].x != NULL)
			a->slot = expr_root_slot(c->codes.at[a->a].x);
	}
}

/* ---- payloads ------------------------------------------------------------ */

/* Blanks at the ends gone, runs of them one space. */
static struct str
normalised(struct compile *k, struct str s)
{
	char *p = arena_alloc(&k->c->arena, s.n + 1);
	size_t n = 0;

	s = str_trim(s);
	for (size_t i = 0; p != NULL && i < s.n; i++) {
		bool blank = s.p[i] == ' ' || s.p[i] == '\t' || s.p[i] == '\n' ||
		    s.p[i] == '\r';

		if (!blank)
			p[n++] = s.p[i];
		else if (p[n - 1] != ' ')
			p[n++] = ' ';
	}
	return (struct str){ p, n };
}

/* JSON, else what the language takes for a literal ([1, 'a']), else text. */
static struct val
literal(struct compile *k, const struct draft_content *from)
{
	struct str text = str_trim(from->text.s);
	struct expr_scope nothing = { 0 };
	struct expr *x;
	struct err e;
	struct val v;

	if (from->raw)
		return val_string(text);
	if (json_text_to_val(text, &v, &e) == OK)
		return v;
	if (text.n > 0 && (text.p[0] == '[' || text.p[0] == '{') &&
	    expr_parse(&x, text, &e) == OK) {
		int rc = expr_eval(x, &nothing, &v, &e);

		expr_free(x);
		if (rc == OK)
			return v;
	}
	return val_string(normalised(k, text));
}

int
compile_content(struct compile *k, const struct draft_content *from,
    enum content_kind *kind, uint32_t *at, struct str *text)
{
	struct chart *c = k->c, *child;
	int rc = OK;

	*kind = CONTENT_NONE;
	*at = 0;
	if (!from->given)
		return OK;
	if (from->expr.s.p != NULL && (from->text.s.p != NULL || from->child != NULL))
		return compile_fail(k, from->expr.at, "expr and inline content cannot both be "
		    "given");
	if (from->expr.s.p != NULL) {
		*kind = CONTENT_CODE;
		return compile_code(k, &from->expr, at);
	}
	if (from->bad.p != NULL) {
		*kind = CONTENT_CODE;
		*at = code_add(k, NULL, compile_text(k, from->bad), STR_NONE);
		return OK;
	}
	if (text != NULL)
		*text = compile_text(k, from->text.s);
	if (from->child != NULL) {
		rc = chart_compile(&child, from->child, k->e);
		if (rc != OK)
			return rc;
		mem_grow(c->children.at, c->children.n, c->children.cap);
		*kind = CONTENT_CHILD;
		*at = (uint32_t)c->children.n;
		c->children.at[c->children.n++] = child;
		return OK;
	}
	*kind = CONTENT_CONST;
	*at = (uint32_t)c->consts.n;
	mem_grow(c->consts.at, c->consts.n, c->consts.cap);
	c->consts.at[c->consts.n++] = literal(k, from);
	return OK;
}

static int
add_param(struct compile *k, struct str name, const struct draft_text *expr, bool place,
    bool required)
{
	struct chart *c = k->c;
	struct param p = { .name = compile_text(k, name), .required = required };
	int rc = place ? compile_place(k, expr, &p.code) : compile_code(k, expr, &p.code);

	if (place)
		p.place = p.code;
	mem_grow(c->params.at, c->params.n, c->params.cap);
	c->params.at[c->params.n++] = p;
	return rc;
}

int
compile_payload(struct compile *k, const struct draft_payload *from, struct payload *out)
{
	struct str rest = from->namelist.s, name;
	int rc = OK;

	*out = (struct payload){ .params.first = (uint32_t)k->c->params.n };
	if (from->content.given && (from->params != NULL || rest.p != NULL))
		return compile_fail(k, from->content.text.at,
		    "content stands alone, without param or namelist");
	while (rc == OK && draft_word(&rest, &name)) {
		struct draft_text t = { name, from->namelist.at };

		rc = add_param(k, name, &t, true, true);
	}
	for (const struct draft_param *p = from->params; p != NULL && rc == OK; p = p->next) {
		if (p->name.s.n == 0)
			rc = compile_fail(k, p->at, "param needs a name");
		else if ((p->expr.s.p != NULL) == (p->location.s.p != NULL))
			rc = compile_fail(k, p->at, "param needs expr or location");
		else
			rc = add_param(k, p->name.s, p->expr.s.p != NULL ? &p->expr :
			    &p->location, p->expr.s.p == NULL, false);
	}
	out->params.n = (uint32_t)k->c->params.n - out->params.first;
	if (rc == OK)
		rc = compile_content(k, &from->content, &out->content, &out->at, &out->text);
	return rc;
}

/* ---- executable content -------------------------------------------------- */

/* REC 6.5.2: what finalize does stays in the data. */
static int
refuse_event(struct compile *k, const struct draft_action *from)
{
	if (k->in_finalize)
		return compile_fail(k, from->at, "does not belong in finalize, which only "
		    "brings data up to date; a transition on the event can do it");
	return compile_fail(k, from->event.at, "'%.*s' is not the name of an event: one "
	    "word without '*'", FMT(str_sub(from->event.s, 0, 60)));
}

static int
compile_raise(struct compile *k, const struct draft_action *from, struct action *to)
{
	if (from->event.s.n == 0)
		return compile_fail(k, from->at, "event is missing");
	if (k->in_finalize || !chart_is_event_name(from->event.s))
		return refuse_event(k, from);
	to->text.text = compile_text(k, from->event.s);
	return compile_code(k, &from->expr, &to->b);
}

static int
compile_delay(struct compile *k, const struct draft_action *from, struct send *s)
{
	int rc = compile_value(k, &from->delay, &from->delayexpr, "delay", &s->delay);

	if (rc != OK || from->delay.s.p == NULL)
		return rc;
	if (!delay_parse(from->delay.s, &s->delay_ms))
		return compile_fail(k, from->delay.at, "'%.*s' is not a time, as in 1.5s or 200ms",
		    FMT(from->delay.s));
	if (s->delay_ms > 0 && str_eq(from->target.s, S("#_internal")))
		return compile_fail(k, from->delay.at, "#_internal takes no delay");
	return OK;
}

static int
compile_send(struct compile *k, const struct draft_action *from, struct action *to)
{
	struct chart *c = k->c;
	struct send s = { .delay_ms = 0 };
	int rc = compile_value(k, &from->event, &from->eventexpr, "event", &s.event);

	if (rc == OK && (k->in_finalize || (from->event.s.p != NULL &&
	    !chart_is_event_name(from->event.s))))
		rc = refuse_event(k, from);
	if (rc == OK)
		rc = compile_value(k, &from->target, &from->targetexpr, "target", &s.target);
	if (rc == OK)
		rc = compile_value(k, &from->type, &from->typeexpr, "type", &s.type);
	if (rc == OK && from->id.s.p != NULL && from->idlocation.s.p != NULL)
		rc = compile_fail(k, from->at, "id and idlocation cannot both be given");
	if (rc == OK)
		s.id.text = compile_text(k, from->id.s);
	if (rc == OK)
		rc = compile_place(k, &from->idlocation, &s.idlocation);
	if (rc == OK)
		rc = compile_delay(k, from, &s);
	if (rc == OK)
		rc = compile_payload(k, &from->payload, &s.payload);
	/* Other processors may do without; the name may be one of theirs. */
	if (rc == OK && from->event.s.p == NULL && from->eventexpr.s.p == NULL &&
	    s.payload.content == CONTENT_NONE && from->type.s.p == NULL &&
	    from->typeexpr.s.p == NULL)
		rc = compile_fail(k, from->at, "event, eventexpr or content is needed");
	mem_grow(c->sends.at, c->sends.n, c->sends.cap);
	to->a = (uint32_t)c->sends.n;
	c->sends.at[c->sends.n++] = s;
	return rc;
}

static int
compile_assign(struct compile *k, const struct draft_action *from, struct action *to)
{
	struct str root;
	int rc;

	if (from->location.s.n == 0)
		return compile_fail(k, from->at, "location is missing");
	if (from->expr.s.p != NULL && from->payload.content.given)
		return compile_fail(k, from->at, "expr and inline content cannot both be given");
	rc = compile_place(k, &from->location, &to->a);
	if (rc == OK)
		rc = compile_code(k, &from->expr, &to->b);
	if (rc == OK)
		rc = compile_content(k, &from->payload.content, &to->payload.content,
		    &to->payload.at, NULL);
	if (rc == OK && to->b == 0 && to->payload.content == CONTENT_NONE && !from->declare)
		rc = compile_fail(k, from->at, "expr is missing");
	if (rc == OK && from->declare && k->c->codes.at[to->a].x != NULL) {
		(void)expr_is_location(k->c->codes.at[to->a].x, &root);
		compile_slot(k, root);
		to->declare = true;
	}
	return rc;
}

static int
compile_cancel(struct compile *k, const struct draft_action *from, struct action *to)
{
	int rc = compile_value(k, &from->id, &from->expr, "sendid", &to->text);

	if (rc == OK && from->id.s.p == NULL && from->expr.s.p == NULL)
		rc = compile_fail(k, from->at, "sendid or sendidexpr is needed");
	return rc;
}

static int
compile_log(struct compile *k, const struct draft_action *from, struct action *to)
{
	to->text.text = compile_text(k, from->label.s);
	if (from->expr.s.p != NULL && str_trim(from->expr.s).n == 0)
		return OK;
	return compile_code(k, &from->expr, &to->b);
}

static int
compile_if(struct compile *k, const struct draft_action *from, struct action *to)
{
	struct chart *c = k->c;
	size_t n = 0, at;
	int rc = OK;

	for (const struct draft_branch *b = from->branches; b != NULL; b = b->next)
		n++;
	at = c->branches.n;
	to->range = (struct range){ (uint32_t)at, (uint32_t)n };
	for (size_t i = 0; i < n; i++) {
		mem_grow(c->branches.at, c->branches.n, c->branches.cap);
		c->branches.at[c->branches.n++] = (struct branch){ 0 };
	}
	for (const struct draft_branch *b = from->branches; b != NULL && rc == OK;
	    b = b->next, at++) {
		struct branch to_branch = { 0 };

		if (b->cond.s.p == NULL && b->next != NULL)
			return compile_fail(k, b->at, "else comes last");
		rc = compile_code(k, &b->cond, &to_branch.cond);
		if (rc == OK)
			rc = compile_block(k, b->body, &to_branch.body);
		c->branches.at[at] = to_branch;
	}
	return rc;
}

static int
compile_foreach(struct compile *k, const struct draft_action *from, struct action *to)
{
	int rc;

	if (from->array.s.n == 0 || from->item.s.n == 0)
		return compile_fail(k, from->at, "array and item are needed");
	rc = compile_code(k, &from->array, &to->a);
	to->slot = to->slot2 = -1;
	if (rc == OK && expr_is_name(from->item.s))
		to->slot = compile_slot(k, from->item.s);
	else if (rc == OK && !k->d->lax)
		rc = compile_fail(k, from->item.at, "item is not a name");
	if (rc == OK && from->index.s.p != NULL && expr_is_name(from->index.s))
		to->slot2 = compile_slot(k, from->index.s);
	else if (rc == OK && from->index.s.p != NULL)
		rc = compile_fail(k, from->index.at, "index is not a name");
	if (rc == OK)
		rc = compile_block(k, from->body, &to->range);
	return rc;
}

static int
compile_action(struct compile *k, const struct draft_action *from, struct action *to)
{
	static int (*const kinds[])(struct compile *, const struct draft_action *,
	    struct action *) = {
		[ACTION_RAISE] = compile_raise, [ACTION_SEND] = compile_send,
		[ACTION_CANCEL] = compile_cancel, [ACTION_ASSIGN] = compile_assign,
		[ACTION_LOG] = compile_log, [ACTION_IF] = compile_if,
		[ACTION_FOREACH] = compile_foreach,
	};
	const char *what = k->what;
	int rc;

	*to = (struct action){ .kind = from->kind, .slot = -1, .slot2 = -1 };
	k->what = action_names[from->kind];
	rc = kinds[from->kind](k, from, to);
	k->what = what;
	return rc;
}

/* A block is a run of neighbours; what is nested in it comes after. */
int
compile_block(struct compile *k, const struct draft_action *body, struct range *out)
{
	struct chart *c = k->c;
	uint32_t at = (uint32_t)c->actions.n;
	int rc = OK;

	*out = (struct range){ at, 0 };
	if (k->depth == ACTION_DEPTH)
		return compile_fail(k, body != NULL ? body->at : (struct spot){ 0, 0 },
		    "nested deeper than %d", ACTION_DEPTH);
	for (const struct draft_action *a = body; a != NULL; a = a->next) {
		mem_grow(c->actions.at, c->actions.n, c->actions.cap);
		c->actions.at[c->actions.n++] = (struct action){ .kind = a->kind, .slot = -1 };
		out->n++;
	}
	k->depth++;
	for (const struct draft_action *a = body; a != NULL && rc == OK; a = a->next, at++) {
		struct action to;

		rc = compile_action(k, a, &to);
		c->actions.at[at] = to;
	}
	k->depth--;
	return rc;
}
