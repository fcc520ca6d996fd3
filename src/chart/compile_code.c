/*
 * compile_code.c - expressions, payloads and executable content of a draft
 * into the arrays of a chart.
 *
 * In SCXML a malformed expression is an error event at run time, not an error
 * of the document: `lax` keeps such code with its message.
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

void
compile_fail(struct compile *k, struct spot at, const char *format, ...)
{
	char text[300];
	va_list ap;

	if (k->rc != OK)
		return;
	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	if (k->d->refuse != NULL) {
		k->rc = k->d->refuse(k->d->refuse_ctx, at, text, k->e);
		return;
	}
	k->rc = draft_fail(k->e, ERR_INVALID, at, k->where, "%s%s%s",
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
	*vector_add(k->c->codes) = (struct code){ x, bad, compile_text(k, str_trim(text)) };
	return (uint32_t)k->c->codes.n - 1;
}

/* A document for a JavaScript engine may contain functions.  The one that is
 * known by its text is replaced by ours. */
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

/* Quotes the id in `In(s1)` of the null data model. */
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

static uint32_t
code_at(struct compile *k, struct spot at, uint32_t code)
{
	while (k->spots_n <= code) {
		mem_grow(k->spots, k->spots_n, k->spots_cap);
		k->spots[k->spots_n++] = (struct spot){ 0 };
	}
	k->spots[code] = at;
	return code;
}

uint32_t
compile_code(struct compile *k, const struct draft_text *t)
{
	struct str text = t->s;
	struct expr *x;
	struct err why;

	if (text.p == NULL)
		return 0;
	if (k->d->lax)
		text = known_function(k, text);
	if (k->d->null_model)
		text = null_predicate(k, text);
	if ((t->template ? expr_parse_template : expr_parse)(&x, text, &why) == OK)
		return code_at(k, t->at, code_add(k, x, STR_NONE, t->s));
	if (!k->d->lax)
		compile_fail(k, t->at, "%s", why.text);
	return code_add(k, NULL, compile_text(k, str_of(why.text)), t->s);
}

/* An expression that must be a location. */
uint32_t
compile_location(struct compile *k, const struct draft_text *t)
{
	uint32_t at = compile_code(k, t);
	struct code *code = &k->c->codes.at[at];
	struct str root;

	if (code->x == NULL || expr_is_location(code->x, &root))
		return at;
	if (!k->d->lax)
		compile_fail(k, t->at, "'%.*s' cannot be assigned to", FMT(t->s));
	expr_free(code->x);
	*code = (struct code){ NULL, S("this cannot be assigned to"), code->text };
	return at;
}

/* `name` or `nameexpr`, not both. */
struct value
compile_value(struct compile *k, const struct draft_text *literal,
    const struct draft_text *expr, const char *name)
{
	struct value v = { .text = STR_NONE };

	if (literal->s.p != NULL && expr->s.p != NULL)
		compile_fail(k, expr->at, "%s and %sexpr cannot both be given", name, name);
	if (literal->s.p != NULL)
		v.text = compile_text(k, literal->s);
	v.code = compile_code(k, expr);
	return v;
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
	*vector_add(c->slots) = s;
	map_put(&c->by_slot, s);
	return (int)s->index;
}

/* Names of the host, and of the session. */
static bool
is_given(struct str name)
{
	static const char *const names[] = { "data", "input", "result", "config", "context",
		"params", "event", "_event", "_sessionid", "_name", "_ioprocessors", "_x" };

	for (size_t i = 0; i < COUNT(names); i++)
		if (str_eq(name, str_of(names[i])))
			return true;
	return false;
}

struct binding {
	const struct chart *c;
	struct str unknown;          /* the first; p NULL: none */
};

static int
slot_of(void *ctx, struct str name, bool of_data)
{
	struct binding *b = ctx;
	int slot = chart_slot(b->c, name);

	if (slot < 0 && b->unknown.p == NULL && (of_data || !is_given(name)))
		b->unknown = name;
	return slot;
}

/* The last pass, when all declared names are known.  In SCXML one that is not is
 * an error event. */
void
compile_bind(struct compile *k)
{
	struct chart *c = k->c;
	void (*bind)(struct expr *, expr_slot_of *, void *) =
	    c->lenient ? expr_bind_lenient : expr_bind;

	for (size_t i = 1; i < c->codes.n; i++) {
		struct binding b = { .c = c };

		if (c->codes.at[i].x == NULL)
			continue;
		bind(c->codes.at[i].x, slot_of, &b);
		if (c->lenient && b.unknown.p != NULL)
			compile_fail(k, i < k->spots_n ? k->spots[i] : (struct spot){ 0 },
			    "'%.*s' is not declared", FMT(str_sub(b.unknown, 0, 60)));
		c->visits = c->visits || expr_counts_visits(c->codes.at[i].x);
	}
	for (size_t i = 0; i < c->actions.n; i++) {
		struct action *a = &c->actions.at[i];

		if (a->kind == ACTION_ASSIGN && c->codes.at[a->a].x != NULL)
			a->slot = expr_root_slot(c->codes.at[a->a].x);
	}
}

/* ---- payloads ------------------------------------------------------------ */

/* Without white space at the ends, each run inside as one space. */
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

/* JSON, else a literal of the language ([1, 'a']), else text. */
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

struct content
compile_content(struct compile *k, const struct draft_content *from)
{
	struct chart *c = k->c, *child = NULL;
	struct content out = { .kind = CONTENT_NONE };

	if (!from->given)
		return out;
	if (from->expr.s.p != NULL && (from->text.s.p != NULL || from->child != NULL))
		compile_fail(k, from->expr.at, "expr and inline content cannot both be given");
	if (from->expr.s.p != NULL) {
		out.kind = CONTENT_CODE;
		out.at = compile_code(k, &from->expr);
	} else if (from->bad.p != NULL) {
		out.kind = CONTENT_CODE;
		out.at = code_add(k, NULL, compile_text(k, from->bad), STR_NONE);
	} else if (from->child != NULL) {
		if (k->rc == OK)
			k->rc = chart_compile(&child, from->child, k->files, k->e);
		out.kind = CONTENT_CHILD;
		out.at = (uint32_t)c->children.n;
		*vector_add(c->children) = child;
	} else {
		out.kind = CONTENT_CONST;
		out.at = (uint32_t)c->consts.n;
		*vector_add(c->consts) = literal(k, from);
	}
	if (out.kind != CONTENT_CODE)
		out.text = compile_text(k, from->text.s);
	return out;
}

static void
add_param(struct compile *k, struct str name, const struct draft_text *expr, bool location,
    bool required)
{
	struct param p = { .name = compile_text(k, name), .required = required,
		.code = location ? compile_location(k, expr) : compile_code(k, expr) };

	p.location = location ? p.code : 0;
	*vector_add(k->c->params) = p;
}

/* Only an invoke has both content and params. */
struct payload
compile_payload(struct compile *k, const struct draft_payload *from, bool both)
{
	struct str rest = from->namelist.s, name;
	struct payload out = { .params.first = (uint32_t)k->c->params.n };

	if (!both && from->content.given && (from->params != NULL || rest.p != NULL))
		compile_fail(k, from->content.text.at,
		    "content excludes param and namelist");
	while (draft_word(&rest, &name)) {
		struct draft_text t = { name, from->namelist.at };

		add_param(k, name, &t, true, true);
	}
	for (const struct draft_param *p = from->params; p != NULL; p = p->next) {
		bool location = p->expr.s.p == NULL;

		if (p->name.s.n == 0)
			compile_fail(k, p->at, "param needs a name");
		else if (location == (p->location.s.p == NULL))
			compile_fail(k, p->at, "param needs expr or location");
		add_param(k, p->name.s, location ? &p->location : &p->expr, location, false);
	}
	out.params.n = (uint32_t)k->c->params.n - out.params.first;
	out.content = compile_content(k, &from->content);
	return out;
}

/* ---- executable content -------------------------------------------------- */

/* REC 6.5.2: finalize must not raise or send events. */
static void
check_event(struct compile *k, const struct draft_action *from)
{
	if (k->in_finalize)
		compile_fail(k, from->at, "does not belong in finalize, which only updates "
		    "data; a transition on the event can do it");
	else if (from->event.s.p != NULL && !chart_is_event_name(from->event.s))
		compile_fail(k, from->event.at, "'%.*s' is not the name of an event: one "
		    "word without '*'", FMT(str_sub(from->event.s, 0, 60)));
}

static void
compile_raise(struct compile *k, const struct draft_action *from, struct action *to)
{
	if (from->event.s.n == 0)
		compile_fail(k, from->at, "event is missing");
	check_event(k, from);
	to->text.text = compile_text(k, from->event.s);
	to->b = compile_code(k, &from->expr);
}

static void
compile_delay(struct compile *k, const struct draft_action *from, struct send *s)
{
	s->delay = compile_value(k, &from->delay, &from->delayexpr, "delay");
	if (from->delay.s.p != NULL && !delay_parse(from->delay.s, &s->delay_ms))
		compile_fail(k, from->delay.at, "'%.*s' is not a time, as in 1.5s or 200ms",
		    FMT(from->delay.s));
	if (s->delay_ms > 0 && str_eq(from->target.s, S("#_internal")))
		compile_fail(k, from->delay.at, "#_internal takes no delay");
}

static void
compile_send(struct compile *k, const struct draft_action *from, struct action *to)
{
	struct send s = { .event = compile_value(k, &from->event, &from->eventexpr, "event") };

	check_event(k, from);
	s.target = compile_value(k, &from->target, &from->targetexpr, "target");
	s.type = compile_value(k, &from->type, &from->typeexpr, "type");
	if (from->id.s.p != NULL && from->idlocation.s.p != NULL)
		compile_fail(k, from->at, "id and idlocation cannot both be given");
	s.id.text = compile_text(k, from->id.s);
	s.idlocation = compile_location(k, &from->idlocation);
	compile_delay(k, from, &s);
	s.payload = compile_payload(k, &from->payload, false);
	/* Other event processors may not need an event name. */
	if (from->event.s.p == NULL && from->eventexpr.s.p == NULL &&
	    s.payload.content.kind == CONTENT_NONE && from->type.s.p == NULL &&
	    from->typeexpr.s.p == NULL)
		compile_fail(k, from->at, "event, eventexpr or content is needed");
	to->a = (uint32_t)k->c->sends.n;
	*vector_add(k->c->sends) = s;
}

static void
compile_assign(struct compile *k, const struct draft_action *from, struct action *to)
{
	struct str root;

	if (from->location.s.n == 0)
		compile_fail(k, from->at, "location is missing");
	if (from->expr.s.p != NULL && from->payload.content.given)
		compile_fail(k, from->at, "expr and inline content cannot both be given");
	to->a = compile_location(k, &from->location);
	to->b = compile_code(k, &from->expr);
	to->content = compile_content(k, &from->payload.content);
	if (to->b == 0 && to->content.kind == CONTENT_NONE && !from->declare)
		compile_fail(k, from->at, "expr is missing");
	if (k->rc == OK && from->declare && k->c->codes.at[to->a].x != NULL) {
		(void)expr_is_location(k->c->codes.at[to->a].x, &root);
		compile_slot(k, root);
		to->declare = true;
	}
}

static void
compile_cancel(struct compile *k, const struct draft_action *from, struct action *to)
{
	to->text = compile_value(k, &from->id, &from->expr, "sendid");
	if (from->id.s.p == NULL && from->expr.s.p == NULL)
		compile_fail(k, from->at, "sendid or sendidexpr is needed");
}

static void
compile_log(struct compile *k, const struct draft_action *from, struct action *to)
{
	to->text.text = compile_text(k, from->label.s);
	if (str_trim(from->expr.s).n > 0)
		to->b = compile_code(k, &from->expr);
}

static void
compile_if(struct compile *k, const struct draft_action *from, struct action *to)
{
	struct chart *c = k->c;
	uint32_t at = (uint32_t)c->branches.n;

	to->range.first = at;
	for (const struct draft_branch *b = from->branches; b != NULL; b = b->next) {
		*vector_add(c->branches) = (struct branch){ 0 };
		to->range.n++;
	}
	for (const struct draft_branch *b = from->branches; b != NULL; b = b->next, at++) {
		uint32_t cond = compile_code(k, &b->cond);
		struct range body;

		if (b->cond.s.p == NULL && b->next != NULL)
			compile_fail(k, b->at, "else comes last");
		body = compile_block(k, b->body);
		c->branches.at[at] = (struct branch){ cond, body };
	}
}

static void
compile_foreach(struct compile *k, const struct draft_action *from, struct action *to)
{
	if (from->array.s.n == 0 || from->item.s.n == 0)
		compile_fail(k, from->at, "array and item are needed");
	to->a = compile_code(k, &from->array);
	if (expr_is_name(from->item.s))
		to->slot = compile_slot(k, from->item.s);
	else if (!k->d->lax)
		compile_fail(k, from->item.at, "item is not a name");
	if (expr_is_name(from->index.s))
		to->slot2 = compile_slot(k, from->index.s);
	else if (from->index.s.p != NULL)
		compile_fail(k, from->index.at, "index is not a name");
	to->range = compile_block(k, from->body);
}

static const struct {
	const char *name;
	void (*compile)(struct compile *, const struct draft_action *, struct action *);
} actions[] = {
	[ACTION_RAISE] = { "raise", compile_raise },
	[ACTION_SEND] = { "send", compile_send },
	[ACTION_CANCEL] = { "cancel", compile_cancel },
	[ACTION_ASSIGN] = { "assign", compile_assign },
	[ACTION_LOG] = { "log", compile_log },
	[ACTION_IF] = { "if", compile_if },
	[ACTION_FOREACH] = { "foreach", compile_foreach },
};

/* The actions of a block are consecutive; nested blocks follow. */
struct range
compile_block(struct compile *k, const struct draft_action *body)
{
	struct chart *c = k->c;
	uint32_t at = (uint32_t)c->actions.n;
	struct range out = { at, 0 };
	const char *what = k->what;

	if (k->depth == ACTION_DEPTH)
		compile_fail(k, body != NULL ? body->at : (struct spot){ 0, 0 },
		    "nested deeper than %d", ACTION_DEPTH);
	if (k->rc != OK)
		return out;
	for (const struct draft_action *a = body; a != NULL; a = a->next) {
		*vector_add(c->actions) = (struct action){ .kind = a->kind };
		out.n++;
	}
	k->depth++;
	for (const struct draft_action *a = body; a != NULL && k->rc == OK; a = a->next) {
		struct action to = { .kind = a->kind, .slot = -1, .slot2 = -1 };

		k->what = actions[a->kind].name;
		actions[a->kind].compile(k, a, &to);
		c->actions.at[at++] = to;
	}
	k->what = what;
	k->depth--;
	return out;
}
