/*
 * say.c - statements that send a message to other agents: `send: {to, performative,
 * ...}` and `reply`.
 *
 * Their fields are those of the kind of work `message` (task/kinds.c), so both mean the
 * same.  The statement becomes a send of the type "fipa": target `to`, event the
 * performative, and a param for each other field.
 *
 * SPDX-License-Identifier: MIT
 */
#include "agent/states_priv.h"

#include "base/json.h"

/* What a reply has from the message that it answers. */
static const char *const of_answered[] = { "to", "protocol", "conversation_id", "in_reply_to",
	NULL };
static const char *const of_task[] = { "wait", NULL };

static bool
is_among(const char *const *names, struct str name)
{
	for (size_t i = 0; names[i] != NULL; i++)
		if (str_eq(str_of(names[i]), name))
			return true;
	return false;
}

bool
load_say_has(const struct agent_field *f, bool reply)
{
	struct str name = str_of(f->name);

	return !is_among(of_task, name) && !(reply && is_among(of_answered, name));
}

static const struct task_kind *
kind_of(const struct load *l)
{
	return load_kind_find(l->kinds, S("message"));
}

static const struct agent_field *
field_of(const struct task_kind *k, struct str key, bool reply)
{
	for (size_t i = 0; i < k->fields_n; i++)
		if (str_eq(key, str_of(k->fields[i].name)) &&
		    load_say_has(&k->fields[i], reply))
			return &k->fields[i];
	return NULL;
}

bool
states_is_message(struct load *l, const struct tree_node *n)
{
	const struct task_kind *k = kind_of(l);

	if (n->kind != TREE_MAP || k == NULL || tree_get(l->t, n, S("event")) != NULL)
		return false;
	for (const struct tree_node *c = n->first; c != NULL; c = c->next)
		if (field_of(k, c->key, false) != NULL)
			return true;
	return false;
}

void
states_no_message(struct load *l, const struct tree_node *n)
{
	const struct task_kind *k = kind_of(l);

	for (const struct tree_node *c = n->first; c != NULL && k != NULL; c = c->next)
		if (field_of(k, c->key, false) != NULL)
			load_fail_key(l, c, NULL, "'%.*s' is of a message to another agent, which "
			    "has no 'event'", FMT(c->key));
}

/* ---- the fields ------------------------------------------------------------------ */

/* Keys of the statement itself, beside those of the message. */
static const char *const send_keys[] = { "delay", "id", NULL };
static const char *const reply_keys[] = { "delay", "id", "message", NULL };

static void
fail_unknown(struct load *l, const struct tree_node *n, const struct task_kind *k, bool reply)
{
	const char *const *own = reply ? reply_keys : send_keys;
	struct str_near near = { .word = n->key };

	for (size_t i = 0; i < k->fields_n; i++)
		if (load_say_has(&k->fields[i], reply))
			str_near_try(&near, k->fields[i].name);
	for (size_t i = 0; own[i] != NULL; i++)
		str_near_try(&near, own[i]);
	if (reply && is_among(of_answered, n->key))
		load_fail_key(l, n, NULL, "'%.*s' of a reply is that of the message it answers; "
		    "leave it out, or use 'send'", FMT(n->key));
	load_fail_key(l, n, near.best, "unknown key '%.*s'", FMT(str_cut(n->key, 100)));
}

/* Is it right, wherever it is written?  As for work, but with a chart's names. */
static bool
is_checked(struct load *l, const struct tree_node *n, const struct agent_field *f)
{
	struct agent_value v = { 0 };
	struct err e;

	if (l->rc != OK)
		return false;
	l->of_session = true;
	load_value(l, n, f, &v);
	l->of_session = false;
	if (l->rc == OK && f->check != NULL && f->check(v.constant, &e) != OK)
		load_fail(l, n, "%s", e.text);
	return l->rc == OK;
}

static void
add_param(struct load *l, struct draft *d, struct draft_action *a, struct str name,
    struct draft_text expr)
{
	struct draft_param *p = draft_node(d, struct draft_param);

	if (p == NULL) {
		load_fail(l, l->t->root, "the chart is too large");
		return;
	}
	p->name = (struct draft_text){ .s = name, .at = expr.at };
	p->expr = expr;
	p->at = expr.at;
	p->next = a->payload.params;
	a->payload.params = p;
}

/* A list of addresses is sent as words, which addresses are. */
static struct draft_text
addresses(struct draft *d, const struct tree_node *n)
{
	struct draft_text out = { .at = states_at(n), .template = true };

	if (n->kind != TREE_LIST) {
		out.s = n->text;
		return out;
	}
	for (const struct tree_node *c = n->first; c != NULL; c = c->next)
		out.s = out.s.n == 0 ? c->text : arena_join(&d->arena, out.s, S(" "), c->text);
	return out;
}

static void
load_field(struct load *l, struct draft *d, const struct tree_node *n,
    const struct agent_field *f, struct draft_action *a)
{
	struct draft_text expr = { .s = n->text, .at = states_at(n),
		.template = f->kind == AGENT_TEXT };

	if (!is_checked(l, n, f))
		return;
	if (f->kind == AGENT_TEXTS) {
		a->targetexpr = addresses(d, n);
		return;
	}
	if (f->kind == AGENT_WORD) {
		a->event = states_plain(l, n, "an act");
		return;
	}
	if (f->kind == AGENT_DATA)
		expr = states_data(l, d, n);
	else if (f->kind == AGENT_BOOL)
		expr.s = n->truth ? S("true") : S("false");
	add_param(l, d, a, str_of(f->name), expr);
}

static void
load_own(struct load *l, struct draft *d, const struct tree_node *n, struct draft_action *a)
{
	if (str_eq(n->key, S("delay")))
		states_delay(l, d, n, a);
	else if (str_eq(n->key, S("id")))
		a->id = states_plain(l, n, "the id of the send");
}

static void
load_message(struct load *l, struct draft *d, const struct tree_node *n,
    struct draft_action *a, bool reply)
{
	const char *const *own = reply ? reply_keys : send_keys;
	const struct task_kind *k = kind_of(l);

	a->type = (struct draft_text){ .s = S(AGENT_SEND_TYPE), .at = states_at(n) };
	for (const struct tree_node *c = n->first; c != NULL && l->rc == OK; c = c->next) {
		const struct agent_field *f = field_of(k, c->key, reply);

		if (f != NULL)
			load_field(l, d, c, f, a);
		else if (is_among(own, c->key))
			load_own(l, d, c, a);
		else
			fail_unknown(l, c, k, reply);
	}
	for (size_t i = 0; i < k->fields_n && l->rc == OK; i++)
		if ((k->fields[i].flags & FIELD_REQUIRED) != 0 &&
		    load_say_has(&k->fields[i], reply) &&
		    tree_get(l->t, n, str_of(k->fields[i].name)) == NULL)
			load_fail(l, n, "'%s' is missing", k->fields[i].name);
}

void
states_message(struct load *l, struct draft *d, const struct tree_node *n,
    struct draft_action *a)
{
	load_message(l, d, n, a, false);
}

/* ---- reply ------------------------------------------------------------------------ */

/* As FIPA wants it: to its reply_to, else to its sender, in the same conversation. */
void
states_reply(struct load *l, struct draft *d, const struct tree_node *n,
    struct draft_action *a)
{
	static const struct { const char *name, *member; } copied[] = {
		{ "protocol", "protocol" }, { "conversation_id", "conversation_id" },
		{ "in_reply_to", "reply_with" },
	};
	const struct tree_node *answered;
	struct draft_text expr = { .at = states_at(n) };
	struct str of = S("event.data");

	if (kind_of(l) == NULL || !load_wants(l, n, TREE_MAP, "a reply, as {performative: "
	    "inform, content: ...}"))
		return;
	answered = tree_get(l->t, n, S("message"));
	load_message(l, d, n, a, true);
	if (answered != NULL && l->rc == OK)
		of = arena_fmt(&d->arena, "(%.*s)", FMT(states_expr(l, d, answered).s));
	for (size_t i = 0; i < COUNT(copied) && l->rc == OK; i++) {
		expr.s = arena_fmt(&d->arena, "%.*s.%s", FMT(of), copied[i].member);
		add_param(l, d, a, str_of(copied[i].name), expr);
	}
	a->targetexpr = (struct draft_text){ .at = states_at(n), .s = arena_fmt(&d->arena,
	    "%.*s.reply_to ?? %.*s.sender", FMT(of), FMT(of)) };
}
