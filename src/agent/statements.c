/*
 * statements.c - the statements of a chart: assign, raise, send, cancel, log, if,
 * foreach; its data.  Messages to other agents: say.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "agent/states_priv.h"

#include <assert.h>

#include "base/json.h"
#include "chart/expr.h"

#define TEXT_BYTES (2 * (size_t)LIMIT_AGENT_BYTES)

struct spot
states_at(const struct tree_node *n)
{
	return (struct spot){ n->at.line, n->at.column, n };
}

struct spot
states_at_key(const struct tree_node *n)
{
	return (struct spot){ n->key_at.line, n->key_at.column, n };
}

/* ---- names and data ------------------------------------------------------------ */

/* It is a part of event names, of namespaces, and of lists of targets. */
bool
states_is_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == '.' || s.p[i] == ':' ||
		    s.p[i] == '|' || s.p[i] == '#' || s.p[i] == '*' || s.p[i] == '$')
			return false;
	return s.n > 0 && s.n <= LIMIT_NAME_BYTES;
}

/* The channels are the chart's data, by the same numbers. */
void
states_channels(struct load *l, struct draft *d, struct draft_state *root)
{
	struct draft_data **tail = &root->data;
	const struct tree_node *n = l->state != NULL ? l->state->first : NULL;

	for (size_t i = 0; i < l->a->channels_n; i++) {
		const struct channel *c = &l->a->channels[i];
		struct draft_data *x = draft_node(d, struct draft_data);
		struct buf json = BUF(2 * (size_t)LIMIT_AGENT_BYTES);

		if (x == NULL) {
			load_fail(l, l->t->root, "the chart is too large");
			return;
		}
		x->at = n != NULL ? states_at_key(n) : root->at;
		x->id = (struct draft_text){ .s = c->name, .at = x->at };
		if (c->initial.kind != VAL_UNDEFINED) {
			val_add_json(&json, c->initial);
			x->value.text.s = arena_str(&d->arena, buf_str(&json));
			x->value.given = true;
		}
		buf_release(&json);
		*tail = x;
		tail = &x->next;
		n = n != NULL ? n->next : NULL;      /* hidden ones are in no file */
	}
}

/* ---- expressions --------------------------------------------------------------- */

/* Is it an expression with names that are known here? */
static bool
is_checked(struct load *l, const struct tree_node *n, enum agent_field_kind kind)
{
	struct agent_value v = { 0 };

	l->of_session = true;
	if (l->rc == OK)
		load_kind(l, n, kind, &v);
	l->of_session = false;
	return l->rc == OK;
}

/* Recursion is bounded by LIMIT_AGENT_DEPTH. */
static void
add_source(struct buf *b, const struct tree_node *n)
{
	if (n->kind == TREE_STRING) {
		buf_add_fmt(b, "(%.*s)", FMT(n->text));
		return;
	}
	if (n->kind < TREE_LIST) {
		tree_add_json(b, n);
		return;
	}
	buf_add_char(b, n->kind == TREE_LIST ? '[' : '{');
	for (const struct tree_node *c = n->first; c != NULL; c = c->next) {
		if (c != n->first)
			buf_add_char(b, ',');
		if (n->kind == TREE_MAP) {
			json_add_str(b, c->key);
			buf_add_char(b, ':');
		}
		add_source(b, c);
	}
	buf_add_char(b, n->kind == TREE_LIST ? ']' : '}');
}

static struct draft_text
source(struct load *l, struct draft *d, const struct tree_node *n,
    enum agent_field_kind kind)
{
	struct draft_text out = { .at = states_at(n) };
	struct buf b = BUF(TEXT_BYTES);

	if (!is_checked(l, n, kind))
		return out;
	out.s = n->text;
	if (n->kind != TREE_STRING) {
		add_source(&b, n);
		out.s = arena_str(&d->arena, buf_str(&b));
		if (b.failed || b.n > LIMIT_EXPR_BYTES)
			load_fail(l, n, "more than %d bytes of expressions",
			    LIMIT_EXPR_BYTES);
	}
	buf_release(&b);
	return out;
}

struct draft_text
states_expr(struct load *l, struct draft *d, const struct tree_node *n)
{
	return source(l, d, n, AGENT_EXPR);
}

struct draft_text
states_data(struct load *l, struct draft *d, const struct tree_node *n)
{
	return source(l, d, n, AGENT_DATA);
}

struct draft_text
states_template(struct load *l, const struct tree_node *n)
{
	struct draft_text out = { .at = states_at(n), .template = true };

	if (is_checked(l, n, AGENT_TEXT))
		out.s = n->text;
	return out;
}

/* ---- the statements -------------------------------------------------------------- */

static struct draft_action *
action_new(struct load *l, struct draft *d, enum action_kind kind,
    const struct tree_node *n, struct draft_action ***tail)
{
	struct draft_action *a = draft_node(d, struct draft_action);

	if (a == NULL) {
		load_fail(l, n, "the chart is too large");
		return NULL;
	}
	a->kind = kind;
	a->at = states_at(n);
	**tail = a;
	*tail = &a->next;
	return a;
}

struct draft_text
states_plain(struct load *l, const struct tree_node *n, const char *what)
{
	struct draft_text t = { .s = load_string(l, n, what), .at = states_at(n) };

	return t;
}

/* The variable that a location is in: a channel, or the name of a foreach. */
static void
check_location(struct load *l, const struct tree_node *n)
{
	struct expr *x;
	struct str root;
	struct err why;

	if (expr_parse(&x, n->key, &why) != OK) {
		load_fail_key(l, n, NULL, "'%.*s' is not a place for data: expected a channel, as "
		    "in a, a.b or a[0]", FMT(str_cut(n->key, 100)));
		return;
	}
	if (!expr_is_location(x, &root)) {
		load_fail_key(l, n, NULL, "'%.*s' cannot be assigned to",
		    FMT(str_cut(n->key, 100)));
	} else {
		size_t i = 0;

		while (i < l->as_n && !str_eq(l->as[i].name, root))
			i++;
		if (i == l->as_n)
			(void)load_channel(l, n, root, true);
	}
	expr_free(x);
}

void
states_assign(struct load *l, struct draft *d, const struct tree_node *n,
    struct draft_action ***tail)
{
	if (!load_wants(l, n, TREE_MAP, "a map of channels"))
		return;
	for (const struct tree_node *c = n->first; c != NULL && l->rc == OK; c = c->next) {
		struct draft_action *a;

		check_location(l, c);
		a = l->rc == OK ? action_new(l, d, ACTION_ASSIGN, c, tail) : NULL;
		if (a == NULL)
			return;
		a->location = (struct draft_text){ .s = c->key, .at = states_at_key(c) };
		a->expr = states_data(l, d, c);
	}
}

static void
load_raise(struct load *l, struct draft *d, const struct tree_node *n,
    struct draft_action *a)
{
	static const char *const keys[] = { "event", "data", NULL };
	const struct tree_node *event = n, *data = NULL;

	if (n->kind == TREE_MAP) {
		load_check_keys(l, n, keys);
		event = tree_get(l->t, n, S("event"));
		data = tree_get(l->t, n, S("data"));
	}
	if (event == NULL)
		load_fail(l, n, "'event' is missing");
	if (l->rc != OK)
		return;
	a->event = states_plain(l, event, "an event's name");
	if (data != NULL)
		a->expr = states_data(l, d, data);
}

/* Milliseconds, a time as in 1.5s, or an expression. */
void
states_delay(struct load *l, struct draft *d, const struct tree_node *n,
    struct draft_action *a)
{
	int64_t ms;

	if (n->kind == TREE_STRING && delay_parse(n->text, &ms))
		a->delay = states_plain(l, n, "a time");
	else
		a->delayexpr = states_expr(l, d, n);
	if (n->kind == TREE_NUMBER && n->text.p[0] == '-')
		load_fail(l, n, "expected a time, got a number below 0");
}

static void
load_send(struct load *l, struct draft *d, const struct tree_node *n,
    struct draft_action *a)
{
	static const char *const keys[] = { "event", "data", "delay", "id", NULL };
	const struct tree_node *event = n, *part;

	if (states_is_message(l, n)) {
		states_message(l, d, n, a);
		return;
	}
	if (n->kind == TREE_MAP) {
		states_no_message(l, n);
		load_check_keys(l, n, keys);
		event = tree_get(l->t, n, S("event"));
	}
	if (event == NULL)
		load_fail(l, n, "'event' is missing");
	if (l->rc != OK)
		return;
	a->event = states_plain(l, event, "an event's name");
	if (n->kind != TREE_MAP)
		return;
	part = tree_get(l->t, n, S("data"));
	if (part != NULL) {
		a->payload.content.expr = states_data(l, d, part);
		a->payload.content.given = true;
	}
	part = tree_get(l->t, n, S("delay"));
	if (part != NULL && l->rc == OK)
		states_delay(l, d, part, a);
	part = tree_get(l->t, n, S("id"));
	if (part != NULL && l->rc == OK)
		a->id = states_plain(l, part, "the id of the send");
}

static void
load_cancel(struct load *l, struct draft *d, const struct tree_node *n,
    struct draft_action *a)
{
	(void)d;
	a->id = states_plain(l, n, "the id of a send");
}

static void
load_log(struct load *l, struct draft *d, const struct tree_node *n,
    struct draft_action *a)
{
	static const char *const keys[] = { "label", "value", NULL };
	const struct tree_node *label, *value;

	if (n->kind != TREE_MAP) {
		a->expr = states_template(l, n);
		return;
	}
	load_check_keys(l, n, keys);
	label = tree_get(l->t, n, S("label"));
	value = tree_get(l->t, n, S("value"));
	if (label != NULL && l->rc == OK)
		a->label = states_plain(l, label, "a text");
	if (value != NULL && l->rc == OK)
		a->expr = states_data(l, d, value);
}

/* {if: expr, then: [...], else: [...]}: n is the value of `if`. */
static void
load_if(struct load *l, struct draft *d, const struct tree_node *n, struct draft_action *a)
{
	const struct tree_node *parts[] = { tree_get(l->t, n->up, S("then")),
		tree_get(l->t, n->up, S("else")) };
	struct draft_branch **tail = &a->branches;
	struct draft_text cond = states_expr(l, d, n);

	if (parts[0] == NULL)
		load_fail(l, n->up, "'then' is missing");
	for (size_t i = 0; i < COUNT(parts) && parts[i] != NULL && l->rc == OK; i++) {
		struct draft_branch *b = draft_node(d, struct draft_branch);
		struct draft_action **body;

		if (b == NULL) {
			load_fail(l, n, "the chart is too large");
			return;
		}
		if (i == 0)
			b->cond = cond;
		b->at = states_at(parts[i]);
		*tail = b;
		tail = &b->next;
		body = &b->body;
		states_actions(l, d, parts[i], &body);
	}
}

/* A name of the loop.  It is data of the chart, but seen only inside. */
static struct draft_text
loop_name(struct load *l, const struct tree_node *n)
{
	struct draft_text t = { .at = states_at(n) };

	if (load_as(l, n) < 0)
		return t;
	if (n->text.p[0] == '_')
		load_fail(l, n, "names with '_' are the system's; expected another name");
	t.s = n->text;
	return t;
}

static void
load_foreach(struct load *l, struct draft *d, const struct tree_node *n,
    struct draft_action *a)
{
	static const char *const keys[] = { "over", "as", "index", "do", NULL };
	const struct tree_node *over, *as, *index, *body;
	struct draft_action **tail = &a->body;
	size_t mark = l->as_n;
	int next = l->as_next;

	if (!load_wants(l, n, TREE_MAP, "a loop, as {over, as, do}"))
		return;
	load_check_keys(l, n, keys);
	over = tree_get(l->t, n, S("over"));
	as = tree_get(l->t, n, S("as"));
	index = tree_get(l->t, n, S("index"));
	body = tree_get(l->t, n, S("do"));
	if (over == NULL || as == NULL || body == NULL)
		load_fail(l, n, "'%s' is missing", over == NULL ? "over" : as == NULL ? "as" :
		    "do");
	if (l->rc != OK)
		return;
	a->array = states_expr(l, d, over);
	if (l->rc == OK)
		a->item = loop_name(l, as);
	if (index != NULL && l->rc == OK)
		a->index = loop_name(l, index);
	if (l->rc == OK)
		states_actions(l, d, body, &tail);
	l->as_n = mark;
	l->as_next = next;
}

static const struct statement {
	const char *name;
	enum action_kind kind;
	void (*load)(struct load *, struct draft *, const struct tree_node *,
	    struct draft_action *);
} statements[] = {
	{ "assign", ACTION_ASSIGN, NULL }, { "raise", ACTION_RAISE, load_raise },
	{ "send", ACTION_SEND, load_send }, { "reply", ACTION_SEND, states_reply },
	{ "cancel", ACTION_CANCEL, load_cancel },
	{ "log", ACTION_LOG, load_log }, { "if", ACTION_IF, load_if },
	{ "foreach", ACTION_FOREACH, load_foreach },
};

static const struct statement *
statement_find(struct str key)
{
	for (size_t i = 0; i < COUNT(statements); i++)
		if (str_eq(key, str_of(statements[i].name)))
			return &statements[i];
	return NULL;
}

static void
fail_unknown(struct load *l, const struct tree_node *n)
{
	struct str_near near = { .word = n->key };

	for (size_t i = 0; i < COUNT(statements); i++)
		str_near_try(&near, statements[i].name);
	load_fail_key(l, n, near.best, "there is no statement '%.*s'",
	    FMT(str_cut(n->key, 100)));
}

static void
load_statement(struct load *l, struct draft *d, const struct tree_node *n,
    struct draft_action ***tail)
{
	const struct statement *found = NULL;
	const struct tree_node *key = NULL;
	struct draft_action *a;

	if (!load_wants(l, n, TREE_MAP, "a statement, as {assign: {x: 1}}"))
		return;
	for (const struct tree_node *c = n->first; c != NULL && l->rc == OK; c = c->next) {
		const struct statement *s = statement_find(c->key);

		if (s == NULL && !str_eq(c->key, S("then")) && !str_eq(c->key, S("else")))
			fail_unknown(l, c);
		else if (s != NULL && found != NULL)
			load_fail_key(l, c, NULL, "one statement a time, got '%s' and '%s': write "
			    "a list", found->name, s->name);
		if (s == NULL)
			continue;
		found = s;
		key = c;
	}
	if (found == NULL)
		load_fail(l, n, "expected a statement, as {assign: {x: 1}}");
	for (const struct tree_node *c = n->first; c != NULL && l->rc == OK; c = c->next)
		if (c != key && found->kind != ACTION_IF)
			load_fail_key(l, c, NULL, "'%.*s' goes with 'if'", FMT(c->key));
	if (l->rc != OK)
		return;
	if (found->kind == ACTION_ASSIGN) {
		states_assign(l, d, key, tail);
		return;
	}
	a = action_new(l, d, found->kind, key, tail);
	if (a != NULL)
		found->load(l, d, key, a);
}

void
states_actions(struct load *l, struct draft *d, const struct tree_node *n,
    struct draft_action ***tail)
{
	if (n->kind != TREE_LIST) {
		load_statement(l, d, n, tail);
		return;
	}
	for (const struct tree_node *c = n->first; c != NULL && l->rc == OK; c = c->next)
		load_statement(l, d, c, tail);
}
