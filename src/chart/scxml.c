/*
 * scxml.c - reads SCXML: from XML elements to a draft.
 *
 * A table says which attributes and children each element may have and where
 * an attribute's text goes; a function per kind reads the rest.  Elements and
 * attributes of other namespaces are ignored everywhere.  The first
 * error stays in the import: later steps do nothing.
 *
 * Recursion is bounded by XML_DEPTH.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/limits.h"
#include "chart/xml_priv.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define SCXML_NS "http://www.w3.org/2005/07/scxml"
#define EXECUTABLE "raise if foreach log assign script send cancel"
#define STATES "state parallel final history"
#define SHOWN 60                 /* bytes of the document in an error */

struct import {
	struct draft *d;
	const struct chart_files *files;
	struct arena *arena;         /* of the outermost draft: texts and trees */
	struct draft_state *where;
	int rc;                      /* of the first error */
	struct err *e;
};

/* ---- the table ----------------------------------------------------------- */

#define ATTRS_MAX 11
#define NOWHERE SIZE_MAX         /* an attribute that its reader reads */

#define ACTION(member)     { #member, offsetof(struct draft_action, member) }
#define INVOKE(member)     { #member, offsetof(struct draft_invoke, member) }
#define PARAM(member)      { #member, offsetof(struct draft_param, member) }
#define TRANSITION(member) { #member, offsetof(struct draft_transition, member) }
#define OTHER(name)        { #name, NOWHERE }

static const struct element {
	const char *name, *children;
	bool text;                   /* free content */
	struct {
		const char *name;
		size_t at;           /* of its draft_text in the draft's node */
	} attrs[ATTRS_MAX];
} elements[] = {
	{ "scxml", "state parallel final datamodel script", false,
	  { OTHER(initial), OTHER(name), OTHER(version), OTHER(datamodel), OTHER(binding),
	    OTHER(exmode), OTHER(profile) } },
	{ "state", "onentry onexit transition initial datamodel invoke " STATES, false,
	  { OTHER(id), OTHER(initial) } },
	{ "parallel", "onentry onexit transition datamodel invoke " STATES, false,
	  { OTHER(id) } },
	{ "final", "onentry onexit donedata", false, { OTHER(id) } },
	{ "history", "transition", false, { OTHER(id), OTHER(type) } },
	{ "initial", "transition", false, { { 0 } } },
	{ "transition", EXECUTABLE, false,
	  { TRANSITION(event), TRANSITION(cond), TRANSITION(target), OTHER(type) } },
	{ "onentry", EXECUTABLE, false, { { 0 } } },
	{ "onexit", EXECUTABLE, false, { { 0 } } },
	{ "finalize", EXECUTABLE, false, { { 0 } } },
	{ "raise", "", false, { ACTION(event) } },
	{ "if", "elseif else " EXECUTABLE, false, { OTHER(cond) } },
	{ "elseif", "", false, { OTHER(cond) } },
	{ "else", "", false, { { 0 } } },
	{ "foreach", EXECUTABLE, false, { ACTION(array), ACTION(item), ACTION(index) } },
	{ "log", "", false, { ACTION(label), ACTION(expr) } },
	{ "assign", "", true, { ACTION(location), ACTION(expr) } },
	{ "script", "", true, { OTHER(src) } },
	{ "send", "content param", false,
	  { ACTION(event), ACTION(eventexpr), ACTION(target), ACTION(targetexpr),
	    ACTION(type), ACTION(typeexpr), ACTION(id), ACTION(idlocation),
	    ACTION(delay), ACTION(delayexpr), OTHER(namelist) } },
	{ "cancel", "", false,
	  { { "sendid", offsetof(struct draft_action, id) },
	    { "sendidexpr", offsetof(struct draft_action, expr) } } },
	{ "datamodel", "data", false, { { 0 } } },
	{ "data", "", true,
	  { { "id", offsetof(struct draft_data, id) }, OTHER(src), OTHER(expr) } },
	{ "donedata", "content param", false, { { 0 } } },
	{ "content", "", true, { OTHER(expr) } },
	{ "param", "", false, { PARAM(name), PARAM(expr), PARAM(location) } },
	{ "invoke", "param finalize content", false,
	  { INVOKE(type), INVOKE(typeexpr), INVOKE(src), INVOKE(srcexpr), INVOKE(id),
	    INVOKE(idlocation), OTHER(namelist), OTHER(autoforward) } },
};

/* ---- helpers ------------------------------------------------------------- */

__attribute__((format(printf, 4, 5))) static void
fail(struct import *im, const struct xml_node *n, int rc, const char *format, ...)
{
	char text[400];
	va_list ap;

	if (im->rc != OK)
		return;
	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	im->rc = draft_fail(im->e, rc, n->at, im->where, "%.*s: %s", FMT(n->name), text);
}

/* A deviation from the Recommendation that is accepted. */
static void
warn(struct import *im, const struct xml_node *n, const char *what)
{
	struct err e;

	if (im->files == NULL || im->files->warn == NULL)
		return;
	(void)draft_fail(&e, ERR_INVALID, n->at, im->where, "warning: %.*s: %s",
	    FMT(n->name), what);
	im->files->warn(im->files->ctx, e.text);
}

static bool
has_word(const char *words, struct str word)
{
	struct str rest = str_of(words), part;

	while (str_next(&rest, ' ', &part))
		if (str_eq(part, word))
			return true;
	return false;
}

static bool
is(const struct xml_node *n, const char *name)
{
	return str_eq(n->name, str_of(name));
}

static bool
is_ours(const struct xml_node *n)
{
	return n->name.n > 0 && (n->ns.n == 0 || str_eq(n->ns, S(SCXML_NS)));
}

/* The elements of ours inside, one after the other; NULL at the end. */
static const struct xml_node *
next_element(const struct xml_node *n)
{
	while (n != NULL && !is_ours(n))
		n = n->next;
	return n;
}

#define each_element(im, c, parent)                                \
	(const struct xml_node *c = next_element((parent)->first); \
	    c != NULL && (im)->rc == OK; c = next_element(c->next))

static struct draft_text
attr(const struct xml_node *n, const char *name)
{
	for (const struct xml_attr *a = n->attrs; a != NULL; a = a->next)
		if (a->ns.n == 0 && str_eq(a->name, str_of(name)))
			return (struct draft_text){ a->value, n->at };
	return (struct draft_text){ STR_NONE, n->at };
}

/* One of two words: is it the second?  Absent is the first. */
static bool
attr_is_second(struct import *im, const struct xml_node *n, const char *name,
    const char *first, const char *second)
{
	struct str s = attr(n, name).s;
	bool is_second = str_eq(s, str_of(second));

	if (s.p != NULL && !is_second && !str_eq(s, str_of(first)))
		fail(im, n, ERR_INVALID, "%s must be '%s' or '%s', not '%.*s'", name, first,
		    second, FMT(str_sub(s, 0, SHOWN)));
	return is_second;
}

static const struct element *
element_of(const struct xml_node *n)
{
	for (size_t i = 0; i < COUNT(elements); i++)
		if (is(n, elements[i].name))
			return &elements[i];
	return NULL;
}

/* Checks the attributes and children of an element. */
static bool
check(struct import *im, const struct xml_node *n)
{
	const struct element *el = element_of(n);

	if (el == NULL) {
		fail(im, n, ERR_INVALID, "unknown element");
		return false;
	}
	for (const struct xml_attr *a = n->attrs; a != NULL; a = a->next) {
		size_t i = 0;

		while (i < ATTRS_MAX && !str_eq(a->name, str_of(el->attrs[i].name)))
			i++;
		if (a->ns.n == 0 && i == ATTRS_MAX)
			fail(im, n, ERR_INVALID, "unknown attribute '%.*s'",
			    FMT(str_sub(a->name, 0, SHOWN)));
	}
	for (const struct xml_node *c = n->first; c != NULL && !el->text; c = c->next) {
		struct xml_node at = { .name = n->name, .at = c->at };

		if (c->name.n == 0 && !xml_is_blank(c))
			fail(im, &at, ERR_INVALID, "text is not allowed here");
		if (is_ours(c) && !has_word(el->children, c->name))
			fail(im, &at, ERR_INVALID, "element '%.*s' is not allowed here",
			    FMT(str_sub(c->name, 0, SHOWN)));
	}
	return im->rc == OK;
}

/* A node of the draft with the texts of its element; NULL after an error. */
static void *
node_of(struct import *im, const struct xml_node *n, size_t size)
{
	char *node = check(im, n) ? arena_zero(im->arena, size) : NULL;
	const struct element *el = element_of(n);

	if (node == NULL) {
		fail(im, n, ERR_TOOBIG, "the chart is too large");
		return NULL;
	}
	for (size_t i = 0; i < ATTRS_MAX && el->attrs[i].name != NULL; i++)
		if (el->attrs[i].at != NOWHERE)
			*(struct draft_text *)(void *)(node + el->attrs[i].at) =
			    attr(n, el->attrs[i].name);
	return node;
}

#define NODE(im, n, type) ((type *)node_of((im), (n), sizeof(type)))

/* ---- content ------------------------------------------------------------- */

static void chart(struct import *im, const struct xml_node *n);

/* Reads the file that `src` names. */
static struct str
read_source(struct import *im, const struct xml_node *n, struct str src)
{
	struct buf b = BUF(LIMIT_CHART_BYTES);
	struct err why = { 0 };
	struct str text;
	int rc;

	if (im->files == NULL || im->files->read == NULL) {
		fail(im, n, ERR_DENIED, "src is not allowed here '%.*s'",
		    FMT(str_sub(src, 0, SHOWN)));
		return STR_NONE;
	}
	rc = im->files->read(im->files->ctx, src, &b, &why);
	if (rc == OK && b.failed)
		rc = err_set(&why, ERR_TOOBIG, "too large");
	if (rc == OK && !str_is_utf8(buf_str(&b)))
		rc = err_set(&why, ERR_INVALID, "not UTF-8");
	text = arena_str(im->arena, buf_str(&b));
	buf_release(&b);
	if (rc != OK)
		fail(im, n, rc, "cannot read '%.*s': %s", FMT(str_sub(src, 0, 100)),
		    why.text);
	return text;
}

static const struct xml_node *
first_markup(const struct xml_node *n)
{
	const struct xml_node *c = n->first;

	while (c != NULL && c->name.n == 0)
		c = c->next;
	return c;
}

static struct draft *
child_chart(struct import *im, const struct xml_node *n)
{
	struct draft *d = draft_new();
	struct import child = { .d = d, .files = im->files, .arena = im->arena, .e = im->e };

	d->next = im->d->children;
	im->d->children = d;
	chart(&child, n);
	im->rc = child.rc;
	return d;
}

/* The inside of data, assign and content: text, markup kept as text, or
 * (invoke's content) a chart. */
static void
inline_content(struct import *im, const struct xml_node *n, bool charts,
    struct draft_content *out)
{
	const struct xml_node *markup = first_markup(n);
	struct buf b = BUF(4 * LIMIT_CHART_BYTES);

	out->expr = attr(n, "expr");
	out->given = out->expr.s.p != NULL;
	out->raw = markup != NULL;
	for (const struct xml_node *c = n->first; c != NULL && markup != NULL; c = c->next)
		xml_add(&b, c);
	if (markup == NULL)
		xml_add_text(&b, n);
	if (charts && markup != NULL && is_ours(markup) && is(markup, "scxml") &&
	    im->rc == OK)
		out->child = child_chart(im, markup);
	if (markup != NULL || str_trim(buf_str(&b)).n > 0) {
		out->text = (struct draft_text){ arena_str(im->arena, buf_str(&b)), n->at };
		out->given = true;
	}
	if (b.failed)
		fail(im, n, ERR_TOOBIG, "the chart is too large");
	buf_release(&b);
}

static void
payload(struct import *im, const struct xml_node *n, bool charts,
    struct draft_payload *out)
{
	struct draft_param **tail = &out->params;

	out->namelist = attr(n, "namelist");
	for each_element(im, c, n) {
		if (is(c, "content")) {
			if (out->content.given)
				fail(im, c, ERR_INVALID, "given twice");
			check(im, c);
			inline_content(im, c, charts, &out->content);
			if (!out->content.given)
				out->content.text = (struct draft_text){ S(""), c->at };
			out->content.given = true;
		} else if (is(c, "param")) {
			struct draft_param *p = NODE(im, c, struct draft_param);

			if (p == NULL)
				return;
			p->at = c->at;
			*tail = p;
			tail = &p->next;
		}
	}
}

/* ---- executable content -------------------------------------------------- */

static void action(struct import *im, const struct xml_node *n,
    struct draft_action ***tail);

static struct draft_action *
actions(struct import *im, const struct xml_node *n)
{
	struct draft_action *first = NULL, **tail = &first;

	for each_element(im, c, n)
		action(im, c, &tail);
	return first;
}

static struct draft_branch *
branch_new(struct import *im, const struct xml_node *n)
{
	struct draft_branch *b = NODE(im, n, struct draft_branch);

	if (b == NULL)
		return NULL;
	b->at = n->at;
	b->cond = attr(n, "cond");
	if (!is(n, "else") && b->cond.s.p == NULL)
		fail(im, n, ERR_INVALID, "cond is missing");
	return b;
}

/* elseif and else separate the actions of the branches. */
static void
branches(struct import *im, const struct xml_node *n, struct draft_action *a)
{
	struct draft_branch *b = branch_new(im, n);
	struct draft_action **body = b != NULL ? &b->body : NULL;

	a->branches = b;
	for each_element(im, c, n) {
		if (!is(c, "elseif") && !is(c, "else")) {
			action(im, c, &body);
			continue;
		}
		b->next = branch_new(im, c);
		b = b->next;
		body = b != NULL ? &b->body : NULL;
	}
}

/* A script is a list of assignments; it may come from a file. */
static void
script(struct import *im, const struct xml_node *n, struct draft_action **out)
{
	struct draft_text src = attr(n, "src");
	struct buf b = BUF(LIMIT_CHART_BYTES);
	struct spot at = n->first != NULL ? n->first->at : n->at;
	struct str text;

	xml_add_text(&b, n);
	text = arena_str(im->arena, buf_str(&b));
	buf_release(&b);
	if (next_element(n->first) != NULL)
		fail(im, n, ERR_INVALID, "markup is not allowed here");
	else if (src.s.p != NULL && str_trim(text).n > 0)
		fail(im, n, ERR_INVALID, "src and text cannot both be given");
	else if (src.s.p != NULL)
		text = read_source(im, n, src.s);
	if (im->rc == OK)
		im->rc = script_parse(im->d, text, at, out, im->e);
}

static void
action(struct import *im, const struct xml_node *n, struct draft_action ***tail)
{
	static const char *const kinds[] = {
		[ACTION_RAISE] = "raise", [ACTION_SEND] = "send",
		[ACTION_CANCEL] = "cancel", [ACTION_ASSIGN] = "assign",
		[ACTION_LOG] = "log", [ACTION_IF] = "if", [ACTION_FOREACH] = "foreach",
	};
	struct draft_action *a;

	if (is(n, "script")) {
		if (check(im, n))
			script(im, n, *tail);
		while (im->rc == OK && **tail != NULL)
			*tail = &(**tail)->next;
		return;
	}
	a = NODE(im, n, struct draft_action);
	if (a == NULL)
		return;
	a->at = n->at;
	for (size_t i = 0; i < COUNT(kinds); i++)
		if (is(n, kinds[i]))
			a->kind = (enum action_kind)i;
	if (a->kind == ACTION_IF)
		branches(im, n, a);
	if (a->kind == ACTION_FOREACH)
		a->body = actions(im, n);
	if (a->kind == ACTION_SEND)
		payload(im, n, false, &a->payload);
	if (a->kind == ACTION_ASSIGN) {
		struct draft_content *c = &a->payload.content;

		inline_content(im, n, false, c);
		c->expr.s = STR_NONE;
		c->given = c->text.s.p != NULL;
	}
	**tail = a;
	*tail = &a->next;
}

/* ---- states -------------------------------------------------------------- */

static void
transition(struct import *im, const struct xml_node *n, struct draft_transition ***tail)
{
	struct draft_transition *t = NODE(im, n, struct draft_transition);

	if (t == NULL)
		return;
	t->at = n->at;
	t->internal = attr_is_second(im, n, "type", "external", "internal");
	**tail = t;
	*tail = &t->next;
	t->body = actions(im, n);
}

static void
block(struct import *im, const struct xml_node *n, struct draft_block ***tail)
{
	struct draft_block *b = NODE(im, n, struct draft_block);

	if (b == NULL)
		return;
	**tail = b;
	*tail = &b->next;
	b->body = actions(im, n);
}

/* ERR_DENIED is an error of the document; any other error of reading is an
 * error event when the data is initialised (REC 5.2.2). */
static void
data_source(struct import *im, const struct xml_node *n, struct str src,
    struct draft_content *out)
{
	struct err why = { 0 };
	struct import trial = *im;

	trial.e = &why;
	out->text.s = read_source(&trial, n, src);
	out->given = true;
	if (trial.rc == ERR_DENIED)
		im->rc = err_set(im->e, ERR_DENIED, "%s", why.text);
	else if (trial.rc != OK)
		out->bad = arena_str(im->arena, str_of(why.text));
}

static void
datamodel(struct import *im, const struct xml_node *n, struct draft_state *s)
{
	struct draft_data **tail = &s->data;

	check(im, n);
	if (s->has_data)
		fail(im, n, ERR_INVALID,
		    "given twice; one datamodel holds all data of a state");
	s->has_data = true;
	for each_element(im, c, n) {
		struct draft_data *d = NODE(im, c, struct draft_data);
		struct draft_text src = attr(c, "src");

		if (d == NULL)
			return;
		d->at = c->at;
		inline_content(im, c, false, &d->value);
		if (src.s.p != NULL && d->value.given)
			fail(im, c, ERR_INVALID, "src excludes expr and content");
		else if (src.s.p != NULL)
			data_source(im, c, src.s, &d->value);
		*tail = d;
		tail = &d->next;
	}
}

static void
invoke(struct import *im, const struct xml_node *n, struct draft_invoke ***tail)
{
	struct draft_invoke *i = NODE(im, n, struct draft_invoke);

	if (i == NULL)
		return;
	i->at = n->at;
	i->autoforward = attr_is_second(im, n, "autoforward", "false", "true");
	**tail = i;
	*tail = &i->next;
	payload(im, n, true, &i->payload);
	for each_element(im, c, n) {
		if (!is(c, "finalize"))
			continue;
		if (i->has_finalize)
			fail(im, c, ERR_INVALID, "given twice");
		i->has_finalize = true;
		if (check(im, c))
			i->finalize = actions(im, c);
	}
}

static void
initial(struct import *im, const struct xml_node *n, struct draft_state *s)
{
	struct draft_transition **tail = &s->initial_transition;

	if (check(im, n) && s->initial_transition != NULL)
		fail(im, n, ERR_INVALID, "given twice");
	for each_element(im, c, n)
		transition(im, c, &tail);
	if (s->initial_transition == NULL || s->initial_transition->next != NULL)
		fail(im, n, ERR_INVALID, "one transition is needed");
}

static void
donedata(struct import *im, const struct xml_node *n, struct draft_state *s)
{
	if (s->donedata != NULL)
		fail(im, n, ERR_INVALID, "given twice");
	s->donedata = NODE(im, n, struct draft_payload);
	if (s->donedata != NULL)
		payload(im, n, false, s->donedata);
}

static void state(struct import *im, const struct xml_node *n, struct draft_state *parent,
    enum state_kind kind);

/* The ends of the lists of a state. */
struct tails {
	struct draft_transition **transitions;
	struct draft_block **entry, **exit;
	struct draft_invoke **invokes;
};

/* One child of a state (or of scxml). */
static void
part(struct import *im, const struct xml_node *c, struct draft_state *s,
    struct tails *tails)
{
	static const struct { const char *name; enum state_kind kind; } states[] = {
		{ "state", STATE_ATOMIC }, { "parallel", STATE_PARALLEL },
		{ "final", STATE_FINAL }, { "history", STATE_HISTORY },
	};

	for (size_t i = 0; i < COUNT(states); i++)
		if (is(c, states[i].name))
			state(im, c, s, states[i].kind);
	if (is(c, "transition"))
		transition(im, c, &tails->transitions);
	if (is(c, "onentry"))
		block(im, c, &tails->entry);
	if (is(c, "onexit"))
		block(im, c, &tails->exit);
	if (is(c, "datamodel"))
		datamodel(im, c, s);
	if (is(c, "invoke"))
		invoke(im, c, &tails->invokes);
	if (is(c, "initial"))
		initial(im, c, s);
	if (is(c, "donedata"))
		donedata(im, c, s);
	if (!is(c, "script"))
		return;
	if (im->d->script != NULL)
		fail(im, c, ERR_INVALID, "given twice");
	if (check(im, c))
		script(im, c, &im->d->script);
}

static void
state(struct import *im, const struct xml_node *n, struct draft_state *parent,
    enum state_kind kind)
{
	struct draft_state *s = draft_state_add(im->d, parent, kind, n->at);
	struct draft_state *outer = im->where;
	struct tails tails;

	if (s == NULL) {
		fail(im, n, ERR_TOOBIG, "the chart is too large");
		return;
	}
	tails = (struct tails){ &s->transitions, &s->entry, &s->exit, &s->invokes };
	s->id = attr(n, "id");
	s->initial = attr(n, "initial");
	im->where = s;
	if (check(im, n) && kind == STATE_HISTORY)
		s->deep = attr_is_second(im, n, "type", "shallow", "deep");
	for each_element(im, c, n)
		part(im, c, s, &tails);
	im->where = outer;
}

static void
chart(struct import *im, const struct xml_node *n)
{
	struct str model = attr(n, "datamodel").s, version = attr(n, "version").s;

	im->d->lax = true;
	if (!is(n, "scxml") || !is_ours(n))
		fail(im, n, ERR_INVALID, "the root must be scxml in " SCXML_NS);
	check(im, n);
	im->d->late = attr_is_second(im, n, "binding", "early", "late");
	(void)attr_is_second(im, n, "exmode", "lax", "strict");
	if (version.p != NULL && !str_eq(version, S("1.0")))
		fail(im, n, ERR_INVALID, "version must be 1.0, not '%.*s'",
		    FMT(str_sub(version, 0, SHOWN)));
	if (model.n > 0 && !has_word("ecmascript null cohort", model))
		fail(im, n, ERR_INVALID, "the datamodel is not known: '%.*s'",
		    FMT(str_sub(model, 0, SHOWN)));
	if (im->rc != OK)
		return;
	if (n->ns.n == 0)
		warn(im, n, "the namespace is missing: xmlns=\"" SCXML_NS "\"");
	if (version.p == NULL)
		warn(im, n, "the version is missing: version=\"1.0\"");
	im->d->null_model = str_eq(model, S("null"));
	im->d->name = attr(n, "name").s;
	state(im, n, NULL, STATE_ROOT);
}

int
draft_from_scxml(struct draft **out, struct str text, const struct chart_files *files,
    struct err *e)
{
	struct draft *d = draft_new();
	struct import im = { .d = d, .files = files, .arena = &d->arena, .e = e };
	struct xml_node *root;

	im.rc = xml_parse(&d->arena, text, &root, e);
	if (im.rc == OK)
		chart(&im, root);
	if (im.rc == OK && d->arena.failed)
		im.rc = err_set(e, ERR_TOOBIG, "the chart is too large");
	if (im.rc != OK) {
		draft_free(d);
		d = NULL;
	}
	*out = d;
	return im.rc;
}

int
chart_from_scxml(struct chart **out, struct str text, const struct chart_files *files,
    struct err *e)
{
	struct draft *d;
	int rc = draft_from_scxml(&d, text, files, e);

	*out = NULL;
	if (rc == OK)
		rc = chart_compile(out, d, files, e);
	draft_free(d);
	return rc;
}
