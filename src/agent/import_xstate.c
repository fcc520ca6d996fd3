/*
 * import_xstate.c - a machine of XState (4 and 5) as JSON.  Its names are ours; what
 * it calls by name is code that is not in the file:
 *
 *   guard    becomes a channel of that name, false until it is set
 *   invoke   becomes a scripted tool of that name, which answers null
 *   action   is left out, but assign and raise of plain values
 *
 * Names of states are of their parent there and of the whole chart here: one that is
 * there twice gets the names around it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "agent/import_priv.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"

static const char code[] = "it is about code";
static const struct import_key root_keys[] = {
	{ "id", NULL }, { "initial", NULL }, { "context", NULL }, { "states", NULL },
	{ "on", NULL }, { "always", NULL }, { "after", NULL }, { "entry", NULL },
	{ "exit", NULL }, { "type", NULL }, { "description", NULL }, { "invoke", NULL },
	{ "onDone", NULL }, { "tags", "a chart has none" }, { "output", "a final state has it" },
	{ "version", "it is no part of an agent" }, { "key", "the id is used" },
	{ "meta", "it is no part of an agent" }, { "schemas", code }, { "tsTypes", code },
	{ "types", code }, { "strict", code }, { "preserveActionOrder", code },
	{ "predictableActionArguments", code }, { "delimiter", code }, { "history", NULL },
	{ NULL, NULL }
};
static const struct import_key state_keys[] = {
	{ "id", NULL }, { "initial", NULL }, { "states", NULL }, { "on", NULL },
	{ "always", NULL }, { "after", NULL }, { "entry", NULL }, { "exit", NULL },
	{ "type", NULL }, { "description", NULL }, { "invoke", NULL }, { "onDone", NULL },
	{ "tags", NULL }, { "output", NULL }, { "history", NULL }, { "target", NULL },
	{ "data", "say `output`" }, { "key", "the name is used" },
	{ "meta", "it is no part of an agent" }, { "order", "it is no part of an agent" },
	{ "activities", code }, { NULL, NULL }
};
static const struct import_key transition_keys[] = {
	{ "target", NULL }, { "guard", NULL }, { "cond", NULL }, { "actions", NULL },
	{ "internal", NULL }, { "reenter", NULL }, { "description", NULL }, { "delay", NULL },
	{ "meta", "it is no part of an agent" }, { "in", "say `In('state')` in the guard" },
	{ "order", "it is no part of an agent" }, { NULL, NULL }
};
static const struct import_key invoke_keys[] = {
	{ "src", NULL }, { "id", NULL }, { "input", NULL }, { "data", NULL },
	{ "onDone", NULL }, { "onError", NULL }, { "onSnapshot", code }, { "meta", code },
	{ "autoForward", code }, { "systemId", code }, { "type", "it is a tool here" },
	{ NULL, NULL }
};

struct machine_state { const struct tree_node *n; struct str name; };

struct machine {
	struct importer *im;
	struct machine_state *states;
	size_t n, cap;
	struct import_names guards, tools;
};

static const struct tree_node *
member(const struct machine *m, const struct tree_node *n, const char *key)
{
	return n->kind == TREE_MAP ? tree_get(m->im->t, n, str_of(key)) : NULL;
}

/* The state around a state; NULL: it is the machine. */
static const struct tree_node *
parent_of(const struct tree_node *state)
{
	return state->up == NULL ? NULL : state->up->up;
}

/* ---- names ------------------------------------------------------------------------- */

static struct str
word(struct machine *m, struct str s)
{
	char *p = arena_alloc(&m->im->out->arena, s.n + 1);

	for (size_t i = 0; p != NULL && i < s.n; i++)
		p[i] = (s.p[i] >= '0' && s.p[i] <= '9') || ((s.p[i] | 0x20) >= 'a' &&
		    (s.p[i] | 0x20) <= 'z') ? s.p[i] : '_';
	return p == NULL || s.n == 0 ? S("unnamed") : (struct str){ p, s.n };
}

/* Recursion is bounded by LIMIT_AGENT_DEPTH. */
static void
collect(struct machine *m, const struct tree_node *n)
{
	const struct tree_node *states = member(m, n, "states");

	if (states == NULL || states->kind != TREE_MAP)
		return;
	for (const struct tree_node *c = states->first; c != NULL; c = c->next) {
		if (!arena_grow(&m->im->out->arena, m->states, m->n, m->cap))
			return;
		m->states[m->n++] = (struct machine_state){ c, word(m, c->key) };
		collect(m, c);
	}
}

static bool
is_twice(const struct machine *m, size_t at)
{
	for (size_t i = 0; i < m->n; i++)
		if (i != at && str_eq(m->states[i].name, m->states[at].name))
			return true;
	return false;
}

static void
set_names(struct machine *m)
{
	struct str *full = arena_zero(&m->im->out->arena, (m->n + 1) * sizeof *full);

	for (size_t i = 0; full != NULL && i < m->n; i++) {
		const struct tree_node *up = m->states[i].n;

		full[i] = m->states[i].name;
		while (is_twice(m, i) && (up = parent_of(up)) != NULL && up->key.n > 0)
			full[i] = arena_fmt(&m->im->out->arena, "%.*s_%.*s",
			    FMT(word(m, up->key)), FMT(full[i]));
	}
	for (size_t i = 0; full != NULL && i < m->n; i++)
		m->states[i].name = full[i];
}

static struct str
name_of(const struct machine *m, const struct tree_node *state)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->states[i].n == state)
			return m->states[i].name;
	return STR_NONE;
}

/* "a.b" below a state; NULL: there is none. */
static const struct tree_node *
below(const struct machine *m, const struct tree_node *from, struct str path)
{
	struct str part;

	while (from != NULL && str_next(&path, '.', &part)) {
		const struct tree_node *states = member(m, from, "states");

		from = states == NULL || states->kind != TREE_MAP ? NULL :
		    tree_get(m->im->t, states, part);
	}
	return from;
}

/* "#id.child" */
static const struct tree_node *
by_id(const struct machine *m, struct str target)
{
	struct str root = import_text(m->im, m->im->t->root, "id"), id;

	for (size_t i = 0; i < m->n; i++) {
		id = import_text(m->im, m->states[i].n, "id");
		if (id.n > 0 && str_starts(target, id) && (target.n == id.n ||
		    target.p[id.n] == '.'))
			return target.n == id.n ? m->states[i].n :
			    below(m, m->states[i].n, str_sub(target, id.n + 1, SIZE_MAX));
	}
	if (str_starts(target, root) && target.n > root.n + 1)
		return below(m, m->im->t->root, str_sub(target, root.n + 1, SIZE_MAX));
	return below(m, m->im->t->root, target);
}

/* As written in a transition of `state`; inside: in its initial or history. */
static struct str
target_name(struct machine *m, const struct tree_node *state, const struct tree_node *n,
    bool inside)
{
	const struct tree_node *at = NULL, *up = parent_of(state);

	if (n->kind != TREE_STRING)
		at = NULL;
	else if (str_starts(n->text, S("#")))
		at = by_id(m, str_sub(n->text, 1, SIZE_MAX));
	else if (str_starts(n->text, S(".")))
		at = below(m, state, str_sub(n->text, 1, SIZE_MAX));
	else
		at = below(m, inside || up == NULL ? state : up, n->text);
	if (at == NULL)
		import_note(m->im, n, "left out: there is no such state");
	return at == NULL ? STR_NONE : name_of(m, at);
}

/* ---- values ------------------------------------------------------------------------ */

/* Plain JSON as our data, where a string is an expression. */
static void
add_data(struct buf *b, const struct tree_node *n)
{
	struct buf text = BUF(MB);
	struct val v;

	if (n->kind == TREE_LIST || n->kind == TREE_MAP) {
		buf_add_char(b, n->kind == TREE_LIST ? '[' : '{');
		for (const struct tree_node *c = n->first; c != NULL; c = c->next) {
			if (c != n->first)
				buf_lit(b, ", ");
			if (n->kind == TREE_MAP) {
				json_add_str(b, c->key);
				buf_lit(b, ": ");
			}
			add_data(b, c);
		}
		buf_add_char(b, n->kind == TREE_LIST ? ']' : '}');
	} else if (n->kind == TREE_STRING) {
		json_add_str(&text, n->text);
		json_add_str(b, buf_str(&text));
	} else {
		v = tree_val(n);
		val_add_json(b, v);
		val_drop(v);
	}
	b->failed = b->failed || text.failed;
	buf_release(&text);
}

/* "name" or {type: "name"}. */
static struct str
type_of(const struct machine *m, const struct tree_node *n)
{
	return n->kind == TREE_STRING ? n->text : n->kind == TREE_MAP ?
	    import_text(m->im, n, "type") : STR_NONE;
}

/* ---- actions ----------------------------------------------------------------------- */

static bool
add_assign(struct machine *m, struct buf *b, const struct tree_node *n)
{
	const struct tree_node *what = member(m, n, "assignment");

	if (what == NULL)
		what = member(m, n, "params");
	if (what != NULL && what->kind == TREE_MAP && member(m, what, "assignment") != NULL)
		what = member(m, what, "assignment");
	if (what == NULL || what->kind != TREE_MAP)
		return false;
	buf_lit(b, "{assign: ");
	add_data(b, what);
	buf_lit(b, "}");
	return true;
}

static bool
add_raise(struct machine *m, struct buf *b, const struct tree_node *n)
{
	const struct tree_node *event = member(m, n, "event");
	const struct tree_node *params = member(m, n, "params");

	if (event == NULL && params != NULL)
		event = member(m, params, "event");
	if (event == NULL || type_of(m, event).n == 0)
		return false;
	buf_lit(b, "{raise: ");
	json_add_str(b, type_of(m, event));
	buf_lit(b, "}");
	return true;
}

static void
add_action(struct machine *m, struct buf *b, const struct tree_node *n)
{
	struct str type = type_of(m, n);
	size_t before = b->n;
	bool done = false;

	buf_add(b, b->n > 0 ? S(", ") : STR_NONE);
	if (str_starts(type, S("xstate.")))
		type = str_sub(type, 7, SIZE_MAX);
	if (n->kind == TREE_MAP && str_eq(type, S("assign")))
		done = add_assign(m, b, n);
	else if (n->kind == TREE_MAP && str_eq(type, S("raise")))
		done = add_raise(m, b, n);
	if (done)
		return;
	buf_cut(b, before);
	import_note(m->im, n, "left out: the action '%.*s' is code", FMT(str_cut(type, 60)));
}

/* ", actions: [...]"; nothing if none can be kept. */
static void
add_actions(struct machine *m, struct buf *b, const char *before, const struct tree_node *n)
{
	struct buf list = BUF(MB);

	if (n == NULL)
		return;
	if (n->kind == TREE_LIST)
		for (const struct tree_node *c = n->first; c != NULL; c = c->next)
			add_action(m, &list, c);
	else if (n->kind != TREE_NULL)
		add_action(m, &list, n);
	if (list.n > 0)
		buf_add_fmt(b, "%s[%.*s]", before, FMT(buf_str(&list)));
	b->failed = b->failed || list.failed;
	buf_release(&list);
}

/* ---- transitions ------------------------------------------------------------------- */

static void
add_guard(struct machine *m, struct buf *b, const struct tree_node *n)
{
	struct str name;

	if (n == NULL)
		return;
	name = type_of(m, n);
	if (name.n == 0) {
		import_note(m->im, n, "left out: the guard is code");
		return;
	}
	name = word(m, name);
	if (n->kind == TREE_MAP && n->n > 1)
		import_note(m->im, n, "the guard's parameters are left out");
	import_note(m->im, n, "the guard is code: it became the channel '%.*s', false until it "
	    "is set", FMT(name));
	import_names_add(m->im, &m->guards, name);
	buf_add_fmt(b, ", guard: data.%.*s", FMT(name));
}

static void
add_target(struct machine *m, struct buf *b, const struct tree_node *state,
    const struct tree_node *n)
{
	struct buf names = BUF(MB);

	for (const struct tree_node *c = n == NULL ? NULL : n->kind == TREE_LIST ? n->first : n;
	    c != NULL; c = n->kind == TREE_LIST ? c->next : NULL) {
		struct str name = c->kind == TREE_NULL ? STR_NONE :
		    target_name(m, state, c, false);

		if (name.n == 0)
			continue;
		buf_add(&names, names.n > 0 ? S(", ") : STR_NONE);
		buf_add(&names, name);
	}
	if (names.n > 0)
		buf_add_fmt(b, ", target: [%.*s]", FMT(buf_str(&names)));
	buf_release(&names);
}

static void
add_transition(struct machine *m, struct buf *b, const struct tree_node *state,
    const struct tree_node *n)
{
	struct buf parts = BUF(MB);
	const struct tree_node *inner;

	if (n->kind != TREE_MAP) {
		add_target(m, &parts, state, n);
	} else {
		import_check_keys(m->im, n, transition_keys);
		inner = member(m, n, "internal");
		add_guard(m, &parts, member(m, n, "guard") != NULL ? member(m, n, "guard") :
		    member(m, n, "cond"));
		add_target(m, &parts, state, member(m, n, "target"));
		add_actions(m, &parts, ", actions: ", member(m, n, "actions"));
		if (inner == NULL && member(m, n, "reenter") != NULL)
			buf_add_fmt(&parts, ", internal: %s",
			    member(m, n, "reenter")->truth ? "false" : "true");
		else if (inner != NULL)
			buf_add_fmt(&parts, ", internal: %s", inner->truth ? "true" : "false");
	}
	buf_add_fmt(b, "{%.*s}", FMT(str_sub(buf_str(&parts), 2, SIZE_MAX)));
	b->failed = b->failed || parts.failed;
	buf_release(&parts);
}

static void
write_transitions(struct machine *m, struct writer *w, struct str key,
    const struct tree_node *state, const struct tree_node *n)
{
	struct buf b = BUF(MB);

	if (n == NULL)
		return;
	if (n->kind != TREE_LIST)
		add_transition(m, &b, state, n);
	for (const struct tree_node *c = n->kind == TREE_LIST ? n->first : NULL; c != NULL;
	    c = c->next) {
		buf_add(&b, b.n > 0 ? S(", ") : STR_NONE);
		add_transition(m, &b, state, c);
	}
	write_raw(w, key, "[%.*s]", FMT(buf_str(&b)));
	w->b->failed = w->b->failed || b.failed;
	buf_release(&b);
}

/* "done.invoke.x" of 4, "xstate.done.actor.x" of 5. */
static struct str
event_name(struct machine *m, struct str event)
{
	static const struct { const char *theirs, *ours; } names[] = {
		{ "xstate.done.actor.", "done.invoke." }, { "xstate.done.state.", "done.state." },
		{ "xstate.error.actor.", "error." }, { "error.platform.", "error." },
	};

	for (size_t i = 0; i < COUNT(names); i++)
		if (str_starts(event, str_of(names[i].theirs)))
			return i >= 2 ? S("error") : arena_fmt(&m->im->out->arena, "%s%.*s",
			    names[i].ours, FMT(str_sub(event, strlen(names[i].theirs), SIZE_MAX)));
	return event;
}

static void
write_events(struct machine *m, struct writer *w, const struct tree_node *state)
{
	const struct tree_node *on = member(m, state, "on");
	const struct tree_node *always = member(m, state, "always");

	if (on != NULL && on->kind == TREE_MAP && on->n > 0) {
		write_open(w, S("on"));
		for (const struct tree_node *c = on->first; c != NULL; c = c->next)
			if (c->key.n == 0)
				always = always == NULL ? c : always;
			else
				write_transitions(m, w, event_name(m, c->key), state, c);
		write_close(w);
	} else if (on != NULL && on->kind != TREE_MAP) {
		import_note(m->im, on, "left out: expected a map of events");
	}
	write_transitions(m, w, S("always"), state, always);
}

/* Is there one with this delay before it? */
static bool
is_second(struct machine *m, const struct tree_node *list, const struct tree_node *c,
    struct str delay)
{
	for (const struct tree_node *x = list->first; x != c; x = x->next) {
		const struct tree_node *other = member(m, x, "delay");

		if (other != NULL && str_eq(other->text, delay))
			return true;
	}
	return false;
}

/* A map by delay; of XState 4 also a list, each with its `delay`. */
static void
write_after(struct machine *m, struct writer *w, const struct tree_node *state)
{
	const struct tree_node *after = member(m, state, "after");
	bool open = false, list = after != NULL && after->kind == TREE_LIST;
	uint64_t ms;

	if (after == NULL || (after->kind != TREE_MAP && !list))
		return;
	for (const struct tree_node *c = after->first; c != NULL; c = c->next) {
		const struct tree_node *delay = list ? member(m, c, "delay") : NULL;
		struct str time = list ? (delay != NULL ? delay->text : STR_NONE) : c->key;

		if (!str_to_u64(time, &ms)) {
			import_note(m->im, c, "left out: the delay '%.*s' is code: write a time, "
			    "as 30s", FMT(str_cut(time, 60)));
			continue;
		}
		if (list && is_second(m, after, c, time)) {
			import_note(m->im, c, "left out: another transition has this delay");
			continue;
		}
		if (!open)
			write_open(w, S("after"));
		open = true;
		write_transitions(m, w, arena_fmt(&m->im->out->arena, "%llums",
		    (unsigned long long)ms), state, c);
	}
	if (open)
		write_close(w);
}

/* ---- invokes ----------------------------------------------------------------------- */

static void
write_invoke(struct machine *m, struct writer *w, const struct tree_node *state,
    const struct tree_node *n, size_t number)
{
	const struct tree_node *src = member(m, n, "src"), *input = member(m, n, "input");
	struct str id = import_text(m->im, n, "id"), tool;
	struct buf args = BUF(MB);

	if (n->kind != TREE_MAP || src == NULL || type_of(m, src).n == 0) {
		import_note(m->im, n, "left out: it names nothing that is invoked");
		return;
	}
	import_check_keys(m->im, n, invoke_keys);
	tool = word(m, type_of(m, src));
	import_note(m->im, src, "what is invoked is code: it became the scripted tool '%.*s', "
	    "which answers null", FMT(tool));
	import_names_add(m->im, &m->tools, tool);
	buf_add_fmt(w->b, "%*s- id: %.*s%zu\n", (int)(2 * w->depth), "",
	    FMT(id.n > 0 ? word(m, id) : arena_fmt(&m->im->out->arena, "%.*s_work",
	    FMT(name_of(m, state)))), number);
	w->depth++;
	if (input == NULL)
		input = member(m, n, "data");
	if (input != NULL && input->kind == TREE_MAP)
		add_data(&args, input);
	else
		buf_lit(&args, "{}");
	write_raw(w, S("tool"), "{name: %.*s, args: %.*s}", FMT(tool), FMT(buf_str(&args)));
	write_transitions(m, w, S("onDone"), state, member(m, n, "onDone"));
	write_transitions(m, w, S("onError"), state, member(m, n, "onError"));
	w->depth--;
	buf_release(&args);
}

static void
write_invokes(struct machine *m, struct writer *w, const struct tree_node *state)
{
	const struct tree_node *n = member(m, state, "invoke");
	size_t number = 1;

	if (n == NULL || (n->kind == TREE_LIST && n->n == 0))
		return;
	write_open(w, S("invoke"));
	if (n->kind != TREE_LIST)
		write_invoke(m, w, state, n, number);
	for (const struct tree_node *c = n->kind == TREE_LIST ? n->first : NULL; c != NULL;
	    c = c->next)
		write_invoke(m, w, state, c, number++);
	write_close(w);
}

/* ---- states ------------------------------------------------------------------------ */

static void
write_blocks(struct machine *m, struct writer *w, const struct tree_node *state)
{
	for (const char *const *k = (const char *const []){ "entry", "exit", NULL }; *k != NULL;
	    k++) {
		struct buf b = BUF(MB);

		add_actions(m, &b, "", member(m, state, *k));
		if (b.n > 0)
			write_raw(w, str_of(*k), "%.*s", FMT(buf_str(&b)));
		buf_release(&b);
	}
}

static void
write_history(struct machine *m, struct writer *w, const struct tree_node *state)
{
	const struct tree_node *deep = member(m, state, "history");
	const struct tree_node *to = member(m, state, "target");
	const struct tree_node *up = parent_of(state);
	struct str name = STR_NONE;

	write_raw(w, S("type"), "history");
	if (deep != NULL && deep->kind == TREE_STRING)
		write_raw(w, S("history"), "%s", str_eq(deep->text, S("deep")) ? "deep" :
		    "shallow");
	if (to == NULL && up != NULL)
		to = member(m, up, "initial");       /* where it leads by default there */
	if (to != NULL)
		name = target_name(m, state, to, false);
	if (name.n > 0)
		write_raw(w, S("target"), "%.*s", FMT(name));
}

/* Recursion is bounded by LIMIT_AGENT_DEPTH. */
static void
write_state(struct machine *m, struct writer *w, const struct tree_node *state, bool root)
{
	struct str type = import_text(m->im, state, "type");
	const struct tree_node *states = member(m, state, "states"), *part;
	struct str initial = STR_NONE;

	import_check_keys(m->im, state, root ? root_keys : state_keys);
	if (str_eq(type, S("history"))) {
		write_history(m, w, state);
		return;
	}
	if (!root && import_text(m->im, state, "description").n > 0)
		write_text(w, S("description"), import_text(m->im, state, "description"));
	if (!root && (str_eq(type, S("parallel")) || str_eq(type, S("final"))))
		write_raw(w, S("type"), "%.*s", FMT(type));
	part = member(m, state, "initial");
	if (part != NULL && part->kind == TREE_MAP)
		part = member(m, part, "target");
	if (part != NULL && !str_eq(type, S("parallel")))
		initial = target_name(m, state, part, true);
	if (initial.n > 0)
		write_raw(w, S("initial"), "%.*s", FMT(initial));
	part = member(m, state, "tags");
	if (!root && part != NULL && part->kind == TREE_LIST)
		write_node(w, S("tags"), part);
	write_blocks(m, w, state);
	write_invokes(m, w, state);
	write_events(m, w, state);
	write_after(m, w, state);
	if (states != NULL)
		write_transitions(m, w, S("onDone"), state, member(m, state, "onDone"));
	part = member(m, state, "output");
	if (!root && part != NULL && str_eq(type, S("final"))) {
		struct buf b = BUF(MB);

		add_data(&b, part);
		write_raw(w, S("output"), "%.*s", FMT(buf_str(&b)));
		buf_release(&b);
	}
	if (states == NULL || states->kind != TREE_MAP)
		return;
	write_open(w, S("states"));
	for (const struct tree_node *c = states->first; c != NULL; c = c->next) {
		write_open(w, name_of(m, c));
		write_state(m, w, c, false);
		if (w->b->n > 2 && w->b->p[w->b->n - 2] == ':') {    /* nothing in it */
			buf_cut(w->b, w->b->n - 1);
			buf_lit(w->b, " {}\n");
		}
		write_close(w);
	}
	write_close(w);
}

static void
write_context(struct machine *m, struct writer *w)
{
	const struct tree_node *context = member(m, m->im->t->root, "context");
	bool some = context != NULL && context->kind == TREE_MAP && context->n > 0;

	if (!some && m->guards.n == 0)
		return;
	write_open(w, S("context"));
	for (const struct tree_node *c = some ? context->first : NULL; c != NULL; c = c->next) {
		struct buf b = BUF(MB);

		add_data(&b, c);
		write_raw(w, c->key, "%.*s", FMT(buf_str(&b)));
		buf_release(&b);
	}
	for (size_t i = 0; i < m->guards.n; i++)
		if (!some || tree_get(m->im->t, context, m->guards.at[i]) == NULL)
			write_raw(w, m->guards.at[i], "false");
	write_close(w);
}

static void
write_tools(struct machine *m, struct writer *w)
{
	if (m->tools.n == 0)
		return;
	write_open(w, S("tools"));
	for (size_t i = 0; i < m->tools.n; i++)
		write_raw(w, m->tools.at[i], "{reply: \"null\"}");
	write_close(w);
}

int
import_xstate(struct importer *im, const struct tree_node *root, struct err *e)
{
	struct machine m = { .im = im };
	struct str id = import_text(im, root, "id");
	struct buf out = BUF(16 * MB), states = BUF(16 * MB);
	struct writer w = { .b = &states };
	int rc = OK;

	collect(&m, root);
	if (m.n == 0)
		rc = tree_fail(im->t, root, e, "expected at least one state");
	if (rc == OK && str_eq(import_text(im, root, "type"), S("parallel")))
		rc = tree_fail(im->t, root, e, "a machine whose regions are its states: put them "
		    "into one state of type parallel");
	if (rc == OK) {
		set_names(&m);
		write_state(&m, &w, root, true);
		w.b = &out;
		id = import_id(im, id.n > 0 ? id : S("machine"));
		write_text(&w, S("id"), id);
		if (import_text(im, root, "description").n > 0)
			write_text(&w, S("description"), import_text(im, root, "description"));
		write_context(&m, &w);
		write_tools(&m, &w);
		buf_add(&out, buf_str(&states));
		out.failed = out.failed || states.failed;
		import_add(im, id, &out);
	}
	buf_release(&out);
	buf_release(&states);
	return rc;
}
