/*
 * scxml.c - the SCXML spelling: from XML elements to a draft.
 *
 * A table says which attributes and children each element may have; a
 * function per kind copies what it says.  Elements and attributes of other
 * namespaces are skipped wherever they stand.
 *
 * Recursion is bounded by XML_DEPTH.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/limits.h"
#include "chart/xml_priv.h"

#include <string.h>

#include "base/mem.h"

#define SCXML_NS "http://www.w3.org/2005/07/scxml"
#define EXECUTABLE "raise if foreach log assign script send cancel"
#define STATES "state parallel final history"

struct import {
	struct draft *d;
	const struct chart_files *files;
	struct arena *arena;         /* of the outermost draft: texts and trees */
	struct draft_state *where;
	struct err *e;
};

static const struct element {
	const char *name, *attrs, *children;
	bool text;                   /* free content */
} elements[] = {
	{ "scxml", "initial name version datamodel binding exmode profile",
	  "state parallel final datamodel script", false },
	{ "state", "id initial", "onentry onexit transition initial datamodel invoke " STATES,
	  false },
	{ "parallel", "id", "onentry onexit transition datamodel invoke " STATES, false },
	{ "final", "id", "onentry onexit donedata", false },
	{ "history", "id type", "transition", false },
	{ "initial", "", "transition", false },
	{ "transition", "event cond target type", EXECUTABLE, false },
	{ "onentry", "", EXECUTABLE, false },
	{ "onexit", "", EXECUTABLE, false },
	{ "finalize", "", EXECUTABLE, false },
	{ "raise", "event", "", false },
	{ "if", "cond", "elseif else " EXECUTABLE, false },
	{ "elseif", "cond", "", false },
	{ "else", "", "", false },
	{ "foreach", "array item index", EXECUTABLE, false },
	{ "log", "label expr", "", false },
	{ "assign", "location expr", "", true },
	{ "script", "src", "", true },
	{ "send", "event eventexpr target targetexpr type typeexpr id idlocation delay "
	  "delayexpr namelist", "content param", false },
	{ "cancel", "sendid sendidexpr", "", false },
	{ "datamodel", "", "data", false },
	{ "data", "id src expr", "", true },
	{ "donedata", "", "content param", false },
	{ "content", "expr", "", true },
	{ "param", "name expr location", "", false },
	{ "invoke", "type typeexpr src srcexpr id idlocation namelist autoforward",
	  "param finalize content", false },
};

/* ---- helpers ------------------------------------------------------------- */

static int
fail(struct import *im, const struct xml_node *n, const char *what, struct str name)
{
	return draft_fail(im->e, ERR_INVALID, n->at, im->where, "%.*s: %s%s%.*s%s",
	    FMT(n->name), what, name.n > 0 ? " '" : "", FMT(str_sub(name, 0, 60)),
	    name.n > 0 ? "'" : "");
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

static struct draft_text
attr(const struct xml_node *n, const char *name)
{
	for (const struct xml_attr *a = n->attrs; a != NULL; a = a->next)
		if (a->ns.n == 0 && str_eq(a->name, str_of(name)))
			return (struct draft_text){ a->value, n->at };
	return (struct draft_text){ STR_NONE, n->at };
}

/* A word out of a list; absent gives the first. */
static int
attr_word(struct import *im, const struct xml_node *n, const char *name,
    const char *const *words, int *out)
{
	struct draft_text t = attr(n, name);

	*out = 0;
	if (t.s.p == NULL)
		return OK;
	for (int i = 0; words[i] != NULL; i++) {
		*out = i;
		if (str_eq(t.s, str_of(words[i])))
			return OK;
	}
	return draft_fail(im->e, ERR_INVALID, n->at, im->where,
	    "%.*s: %s must be '%s' or '%s', not '%.*s'", FMT(n->name), name, words[0],
	    words[1], FMT(str_sub(t.s, 0, 60)));
}

static int
check_children(struct import *im, const struct xml_node *n, const struct element *el)
{
	for (const struct xml_node *c = n->first; c != NULL && !el->text; c = c->next) {
		if (c->name.n == 0 && !xml_is_blank(c))
			return draft_fail(im->e, ERR_INVALID, c->at, im->where,
			    "%.*s: text does not belong here", FMT(n->name));
		if (c->name.n == 0)
			continue;
		if (is_ours(c) && !has_word(el->children, c->name))
			return draft_fail(im->e, ERR_INVALID, c->at, im->where,
			    "%.*s: element '%.*s' does not belong here", FMT(n->name),
			    FMT(str_sub(c->name, 0, 60)));
	}
	return OK;
}

/* Is everything that stands there known? */
static int
check(struct import *im, const struct xml_node *n)
{
	const struct element *el = NULL;

	for (size_t i = 0; i < COUNT(elements); i++)
		if (is(n, elements[i].name))
			el = &elements[i];
	if (el == NULL)
		return fail(im, n, "unknown element", STR_NONE);
	for (const struct xml_attr *a = n->attrs; a != NULL; a = a->next)
		if (a->ns.n == 0 && !has_word(el->attrs, a->name))
			return fail(im, n, "unknown attribute", a->name);
	return check_children(im, n, el);
}

static void *
node_zero(struct import *im, size_t size)
{
	return arena_zero(im->arena, size);
}

#define NEW(im, type) ((type *)node_zero((im), sizeof(type)))

static int
too_large(struct import *im, const struct xml_node *n)
{
	int rc = fail(im, n, "the chart is too large", STR_NONE);

	(void)rc;
	return ERR_TOOBIG;
}

/* The elements of ours inside, one after the other; NULL at the end. */
static const struct xml_node *
next_element(const struct xml_node *n)
{
	while (n != NULL && !is_ours(n))
		n = n->next;
	return n;
}

#define each_element(c, parent)                                    \
	(const struct xml_node *c = next_element((parent)->first); \
	    c != NULL; c = next_element(c->next))

/* ---- content ------------------------------------------------------------- */

static int chart(struct import *im, const struct xml_node *n);

/* What `src` names, read while the chart is loaded. */
static int
read_source(struct import *im, const struct xml_node *n, struct str src, struct str *out)
{
	struct buf b = BUF(LIMIT_CHART_BYTES);
	struct err why = { 0 };
	int rc;

	if (im->files == NULL || im->files->read == NULL)
		return draft_fail(im->e, ERR_DENIED, n->at, im->where,
		    "%.*s: src is not allowed here '%.*s'", FMT(n->name),
		    FMT(str_sub(src, 0, 60)));
	rc = im->files->read(im->files->ctx, src, &b, &why);
	if (rc == OK && b.failed)
		rc = err_set(&why, ERR_TOOBIG, "too large");
	if (rc == OK && !str_is_utf8(buf_str(&b)))
		rc = err_set(&why, ERR_INVALID, "not UTF-8");
	*out = arena_str(im->arena, buf_str(&b));
	buf_release(&b);
	if (rc == OK)
		return OK;
	return draft_fail(im->e, rc, n->at, im->where, "%.*s: cannot read '%.*s': %s",
	    FMT(n->name), FMT(str_sub(src, 0, 100)), why.text);
}

static const struct xml_node *
first_markup(const struct xml_node *n)
{
	const struct xml_node *c = n->first;

	while (c != NULL && c->name.n == 0)
		c = c->next;
	return c;
}

/* What is accepted, though the Recommendation wants it otherwise. */
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

static struct draft *
child_chart(struct import *im, const struct xml_node *n, int *rc)
{
	struct draft *d = draft_new();
	struct import child = { .d = d, .files = im->files, .arena = im->arena, .e = im->e };

	d->next = im->d->children;
	im->d->children = d;
	*rc = chart(&child, n);
	return d;
}

/* The inside of data, assign and content: text, markup kept as text, or
 * (invoke's content) a chart. */
static int
inline_content(struct import *im, const struct xml_node *n, bool charts,
    struct draft_content *out)
{
	const struct xml_node *markup = first_markup(n);
	struct buf b = BUF(4 * LIMIT_CHART_BYTES);
	int rc = OK;

	out->expr = attr(n, "expr");
	out->given = out->expr.s.p != NULL;
	out->raw = markup != NULL;
	for (const struct xml_node *c = n->first; c != NULL && markup != NULL; c = c->next)
		xml_add(&b, c);
	if (markup == NULL)
		xml_add_text(&b, n);
	if (charts && markup != NULL && is_ours(markup) && is(markup, "scxml"))
		out->child = child_chart(im, markup, &rc);
	if (markup != NULL || str_trim(buf_str(&b)).n > 0) {
		out->text = (struct draft_text){ arena_str(im->arena, buf_str(&b)), n->at };
		out->given = true;
	}
	if (rc == OK && b.failed)
		rc = too_large(im, n);
	buf_release(&b);
	return rc;
}

static int
payload(struct import *im, const struct xml_node *n, bool charts,
    struct draft_payload *out)
{
	struct draft_param **tail = &out->params;
	int rc = OK;

	out->namelist = attr(n, "namelist");
	for each_element(c, n) {
		if (is(c, "content")) {
			if (out->content.given)
				return fail(im, c, "given twice", STR_NONE);
			rc = check(im, c);
			if (rc == OK)
				rc = inline_content(im, c, charts, &out->content);
			if (rc == OK && !out->content.given) {
				out->content.given = true;
				out->content.text = (struct draft_text){ S(""), c->at };
			}
		} else if (is(c, "param")) {
			struct draft_param *p = NEW(im, struct draft_param);

			rc = p == NULL ? too_large(im, c) : check(im, c);
			if (rc != OK)
				return rc;
			*p = (struct draft_param){ NULL, attr(c, "name"), attr(c, "expr"),
				attr(c, "location"), c->at };
			*tail = p;
			tail = &p->next;
		}
		if (rc != OK)
			return rc;
	}
	return OK;
}

/* ---- executable content -------------------------------------------------- */

static int actions(struct import *im, const struct xml_node *n,
    struct draft_action **out);

static int
branch_add(struct import *im, const struct xml_node *n, struct draft_branch ***tail,
    struct draft_action ***body)
{
	struct draft_branch *b = NEW(im, struct draft_branch);

	if (b == NULL)
		return too_large(im, n);
	b->at = n->at;
	b->cond = attr(n, "cond");
	if (!is(n, "else") && b->cond.s.p == NULL)
		return fail(im, n, "cond is missing", STR_NONE);
	**tail = b;
	*tail = &b->next;
	*body = &b->body;
	return OK;
}

static int action(struct import *im, const struct xml_node *n,
    struct draft_action ***tail);

/* elseif and else stand between the actions that they part. */
static int
if_action(struct import *im, const struct xml_node *n, struct draft_action *a)
{
	struct draft_branch **tail = &a->branches;
	struct draft_action **body;
	int rc = branch_add(im, n, &tail, &body);

	a->kind = ACTION_IF;
	for each_element(c, n) {
		if (rc != OK)
			break;
		if (!is(c, "elseif") && !is(c, "else")) {
			rc = action(im, c, &body);
			continue;
		}
		rc = check(im, c);
		if (rc == OK)
			rc = branch_add(im, c, &tail, &body);
	}
	return rc;
}

static int
raise_action(struct import *im, const struct xml_node *n, struct draft_action *a)
{
	(void)im;
	a->kind = ACTION_RAISE;
	a->event = attr(n, "event");
	return OK;
}

static int
foreach_action(struct import *im, const struct xml_node *n, struct draft_action *a)
{
	a->kind = ACTION_FOREACH;
	a->array = attr(n, "array");
	a->item = attr(n, "item");
	a->index = attr(n, "index");
	return actions(im, n, &a->body);
}

static int
log_action(struct import *im, const struct xml_node *n, struct draft_action *a)
{
	(void)im;
	a->kind = ACTION_LOG;
	a->label = attr(n, "label");
	a->expr = attr(n, "expr");
	return OK;
}

static int
assign_action(struct import *im, const struct xml_node *n, struct draft_action *a)
{
	int rc = inline_content(im, n, false, &a->payload.content);

	a->kind = ACTION_ASSIGN;
	a->location = attr(n, "location");
	a->expr = attr(n, "expr");
	a->payload.content.expr = (struct draft_text){ .s = STR_NONE };
	a->payload.content.given = a->payload.content.text.s.p != NULL;
	return rc;
}

static int
send_action(struct import *im, const struct xml_node *n, struct draft_action *a)
{
	a->kind = ACTION_SEND;
	a->event = attr(n, "event");
	a->eventexpr = attr(n, "eventexpr");
	a->target = attr(n, "target");
	a->targetexpr = attr(n, "targetexpr");
	a->type = attr(n, "type");
	a->typeexpr = attr(n, "typeexpr");
	a->id = attr(n, "id");
	a->idlocation = attr(n, "idlocation");
	a->delay = attr(n, "delay");
	a->delayexpr = attr(n, "delayexpr");
	return payload(im, n, false, &a->payload);
}

static int
cancel_action(struct import *im, const struct xml_node *n, struct draft_action *a)
{
	(void)im;
	a->kind = ACTION_CANCEL;
	a->id = attr(n, "sendid");
	a->expr = attr(n, "sendidexpr");
	return OK;
}

/* A script is a list of assignments; it may come from a file. */
static int
script(struct import *im, const struct xml_node *n, struct draft_action **out)
{
	struct draft_text src = attr(n, "src");
	struct buf b = BUF(LIMIT_CHART_BYTES);
	struct spot at = n->first != NULL ? n->first->at : n->at;
	struct str text;
	int rc = OK;

	xml_add_text(&b, n);
	text = arena_str(im->arena, buf_str(&b));
	buf_release(&b);
	if (next_element(n->first) != NULL)
		return fail(im, n, "markup does not belong here", STR_NONE);
	if (src.s.p != NULL && str_trim(text).n > 0)
		return fail(im, n, "src and text cannot both be given", STR_NONE);
	if (src.s.p != NULL)
		rc = read_source(im, n, src.s, &text);
	return rc == OK ? script_parse(im->d, text, at, out, im->e) : rc;
}

static int
action(struct import *im, const struct xml_node *n, struct draft_action ***tail)
{
	static const struct {
		const char *name;
		int (*read)(struct import *, const struct xml_node *, struct draft_action *);
	} kinds[] = {
		{ "raise", raise_action }, { "if", if_action }, { "foreach", foreach_action },
		{ "log", log_action }, { "assign", assign_action }, { "send", send_action },
		{ "cancel", cancel_action },
	};
	struct draft_action *a;
	int rc = check(im, n);

	if (rc == OK && is(n, "script")) {
		rc = script(im, n, *tail);
		while (rc == OK && **tail != NULL)
			*tail = &(**tail)->next;
		return rc;
	}
	if (rc != OK)
		return rc;
	a = NEW(im, struct draft_action);
	if (a == NULL)
		return too_large(im, n);
	a->at = n->at;
	for (size_t i = 0; i < COUNT(kinds); i++)
		if (is(n, kinds[i].name))
			rc = kinds[i].read(im, n, a);
	**tail = a;
	*tail = &a->next;
	return rc;
}

static int
actions(struct import *im, const struct xml_node *n, struct draft_action **out)
{
	int rc = OK;

	for each_element(c, n) {
		rc = action(im, c, &out);
		if (rc != OK)
			break;
	}
	return rc;
}

/* ---- states -------------------------------------------------------------- */

static int
transition(struct import *im, const struct xml_node *n, struct draft_transition ***tail)
{
	static const char *const types[] = { "external", "internal", NULL };
	struct draft_transition *t = NEW(im, struct draft_transition);
	int internal = 0, rc = t == NULL ? too_large(im, n) : check(im, n);

	if (rc == OK)
		rc = attr_word(im, n, "type", types, &internal);
	if (rc != OK)
		return rc;
	t->at = n->at;
	t->event = attr(n, "event");
	t->cond = attr(n, "cond");
	t->target = attr(n, "target");
	t->internal = internal == 1;
	**tail = t;
	*tail = &t->next;
	return actions(im, n, &t->body);
}

static int
block(struct import *im, const struct xml_node *n, struct draft_block ***tail)
{
	struct draft_block *b = NEW(im, struct draft_block);
	int rc = b == NULL ? too_large(im, n) : check(im, n);

	if (rc != OK)
		return rc;
	**tail = b;
	*tail = &b->next;
	return actions(im, n, &b->body);
}

/* Only what must not be read is refused; what cannot be is an error event
 * when the data is set up (REC 5.2.2). */
static int
data_source(struct import *im, const struct xml_node *n, struct str src,
    struct draft_content *out)
{
	struct err why = { 0 };
	struct import trial = *im;
	int rc;

	trial.e = &why;
	rc = read_source(&trial, n, src, &out->text.s);
	out->given = true;
	if (rc == ERR_DENIED)
		return err_set(im->e, rc, "%s", why.text);
	if (rc != OK)
		out->bad = arena_str(im->arena, str_of(why.text));
	return OK;
}

static int
datamodel(struct import *im, const struct xml_node *n, struct draft_state *s)
{
	struct draft_data **tail = &s->data;
	int rc = check(im, n);

	if (rc == OK && s->has_data)
		rc = fail(im, n, "given twice; one datamodel holds all data of a state",
		    STR_NONE);
	s->has_data = true;
	for each_element(c, n) {
		struct draft_data *d = NEW(im, struct draft_data);
		struct draft_text src = attr(c, "src");

		if (rc == OK)
			rc = d == NULL ? too_large(im, c) : check(im, c);
		if (rc == OK)
			rc = inline_content(im, c, false, &d->value);
		if (rc == OK && src.s.p != NULL && d->value.given)
			rc = fail(im, c, "src stands alone", STR_NONE);
		if (rc == OK && src.s.p != NULL)
			rc = data_source(im, c, src.s, &d->value);
		if (rc != OK)
			break;
		d->at = c->at;
		d->id = attr(c, "id");
		*tail = d;
		tail = &d->next;
	}
	return rc;
}

static int
invoke(struct import *im, const struct xml_node *n, struct draft_invoke ***tail)
{
	static const char *const words[] = { "false", "true", NULL };
	struct draft_invoke *i = NEW(im, struct draft_invoke);
	int forward = 0, rc = i == NULL ? too_large(im, n) : check(im, n);

	if (rc == OK)
		rc = attr_word(im, n, "autoforward", words, &forward);
	if (rc != OK)
		return rc;
	i->at = n->at;
	i->type = attr(n, "type");
	i->typeexpr = attr(n, "typeexpr");
	i->src = attr(n, "src");
	i->srcexpr = attr(n, "srcexpr");
	i->id = attr(n, "id");
	i->idlocation = attr(n, "idlocation");
	i->autoforward = forward == 1;
	**tail = i;
	*tail = &i->next;
	rc = payload(im, n, true, &i->payload);
	for each_element(c, n) {
		if (rc != OK || !is(c, "finalize"))
			continue;
		if (i->has_finalize)
			return fail(im, c, "given twice", STR_NONE);
		i->has_finalize = true;
		rc = check(im, c);
		if (rc == OK)
			rc = actions(im, c, &i->finalize);
	}
	return rc;
}

static int
initial(struct import *im, const struct xml_node *n, struct draft_state *s)
{
	struct draft_transition **tail = &s->initial_transition;
	int rc = check(im, n);

	if (rc == OK && s->initial_transition != NULL)
		rc = fail(im, n, "given twice", STR_NONE);
	for each_element(c, n)
		if (rc == OK)
			rc = transition(im, c, &tail);
	if (rc == OK && (s->initial_transition == NULL ||
	    s->initial_transition->next != NULL))
		rc = fail(im, n, "one transition is needed", STR_NONE);
	return rc;
}

static int
donedata(struct import *im, const struct xml_node *n, struct draft_state *s)
{
	int rc = check(im, n);

	if (rc == OK && s->donedata != NULL)
		rc = fail(im, n, "given twice", STR_NONE);
	s->donedata = NEW(im, struct draft_payload);
	if (rc == OK && s->donedata == NULL)
		rc = too_large(im, n);
	return rc == OK ? payload(im, n, false, s->donedata) : rc;
}

static int state(struct import *im, const struct xml_node *n, struct draft_state *parent,
    enum state_kind kind);

/* Where the next one of each list goes. */
struct tails {
	struct draft_transition **transitions;
	struct draft_block **entry, **exit;
	struct draft_invoke **invokes;
};

/* One child of a state (or of scxml). */
static int
part(struct import *im, const struct xml_node *c, struct draft_state *s,
    struct tails *tails)
{
	static const struct { const char *name; enum state_kind kind; } states[] = {
		{ "state", STATE_ATOMIC }, { "parallel", STATE_PARALLEL },
		{ "final", STATE_FINAL }, { "history", STATE_HISTORY },
	};

	for (size_t i = 0; i < COUNT(states); i++)
		if (is(c, states[i].name))
			return state(im, c, s, states[i].kind);
	if (is(c, "transition"))
		return transition(im, c, &tails->transitions);
	if (is(c, "onentry"))
		return block(im, c, &tails->entry);
	if (is(c, "onexit"))
		return block(im, c, &tails->exit);
	if (is(c, "datamodel"))
		return datamodel(im, c, s);
	if (is(c, "invoke"))
		return invoke(im, c, &tails->invokes);
	if (is(c, "initial"))
		return initial(im, c, s);
	if (is(c, "donedata"))
		return donedata(im, c, s);
	if (im->d->script != NULL)
		return fail(im, c, "given twice", STR_NONE);
	return check(im, c) == OK ? script(im, c, &im->d->script) : ERR_INVALID;
}

static int
state(struct import *im, const struct xml_node *n, struct draft_state *parent,
    enum state_kind kind)
{
	static const char *const types[] = { "shallow", "deep", NULL };
	struct draft_state *s = draft_state_add(im->d, parent, kind, n->at);
	struct draft_state *outer = im->where;
	struct tails tails;
	int deep = 0, rc;

	if (s == NULL)
		return too_large(im, n);
	tails = (struct tails){ &s->transitions, &s->entry, &s->exit, &s->invokes };
	s->id = attr(n, "id");
	im->where = s;
	rc = check(im, n);
	if (rc == OK && kind == STATE_HISTORY)
		rc = attr_word(im, n, "type", types, &deep);
	s->deep = deep == 1;
	s->initial = attr(n, "initial");
	for each_element(c, n) {
		if (rc == OK)
			rc = part(im, c, s, &tails);
	}
	im->where = outer;
	return rc;
}

static int
chart(struct import *im, const struct xml_node *n)
{
	static const char *const bindings[] = { "early", "late", NULL };
	static const char *const modes[] = { "lax", "strict", NULL };
	struct draft_text model = attr(n, "datamodel"), version = attr(n, "version");
	int late, mode, rc;

	im->d->lax = true;
	if (!is(n, "scxml") || !is_ours(n))
		return fail(im, n, "the root must be scxml in " SCXML_NS, STR_NONE);
	rc = check(im, n);
	if (rc == OK)
		rc = attr_word(im, n, "binding", bindings, &late);
	if (rc == OK)
		rc = attr_word(im, n, "exmode", modes, &mode);
	if (rc == OK && version.s.p != NULL && !str_eq(version.s, S("1.0")))
		rc = fail(im, n, "version must be 1.0, not", version.s);
	if (rc == OK && model.s.n > 0 && !str_eq(model.s, S("ecmascript")) &&
	    !str_eq(model.s, S("null")) && !str_eq(model.s, S("cohort")))
		rc = fail(im, n, "the datamodel is not known:", model.s);
	if (rc != OK)
		return rc;
	if (n->ns.n == 0)
		warn(im, n, "the namespace is missing: xmlns=\"" SCXML_NS "\"");
	if (version.s.p == NULL)
		warn(im, n, "the version is missing: version=\"1.0\"");
	im->d->late = late == 1;
	im->d->null_model = str_eq(model.s, S("null"));
	im->d->name = attr(n, "name").s;
	return state(im, n, NULL, STATE_ROOT);
}

int
chart_from_scxml(struct chart **out, struct str text, const struct chart_files *files,
    struct err *e)
{
	struct draft *d = draft_new();
	struct import im = { .d = d, .files = files, .arena = &d->arena, .e = e };
	struct xml_node *root;
	int rc = xml_parse(&d->arena, text, &root, e);

	*out = NULL;
	if (rc == OK)
		rc = chart(&im, root);
	if (rc == OK && d->arena.failed)
		rc = err_set(e, ERR_TOOBIG, "the chart is too large");
	if (rc == OK)
		rc = chart_compile(out, d, e);
	draft_free(d);
	return rc;
}
