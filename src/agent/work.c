/*
 * work.c - the work of a node, or of an item of do, repeat or map: which kind it
 * is, and its fields by the kind's table.
 *
 * Names from `as`: a result's name is seen by its own writes, by the items after
 * it and what is in them, and by the writes around them; the name of repeat and
 * map only inside.
 *
 * SPDX-License-Identifier: MIT
 */
#include "agent/load_priv.h"

#include <assert.h>

#include "base/limits.h"
#include "base/mem.h"

/* Keys beside a kind's. */
enum where { OF_BOTH, OF_ITEM, OF_NODE, OF_STATE, OF_AGENT, OF_NONE };

static const struct common_key {
	const char *name;
	enum where where;                    /* NONE: known, and not supported yet */
} common_keys[] = {
	{ "writes", OF_BOTH }, { "when", OF_ITEM }, { "as", OF_ITEM }, { "return", OF_ITEM },
	{ "defer", OF_NODE }, { "description", OF_NODE },
	{ "retry", OF_BOTH }, { "timeout", OF_BOTH }, { "after", OF_STATE },
	{ "budget", OF_BOTH }, { "capabilities", OF_AGENT },
	{ "needs", OF_NONE }, { "on", OF_STATE },
};

static const struct common_key *
common_key(struct str key)
{
	for (size_t i = 0; i < COUNT(common_keys); i++)
		if (str_eq(key, str_of(common_keys[i].name)))
			return &common_keys[i];
	return NULL;
}

bool
load_is_node_key(struct str key)
{
	const struct common_key *c = common_key(key);

	return c != NULL && c->where == OF_NODE;
}

static bool
is_named(struct str key, const char *name, const char *alias)
{
	return str_eq(key, str_of(name)) || (alias != NULL && str_eq(key, str_of(alias)));
}

const struct task_kind *
load_kind_find(const struct task_kinds *kinds, struct str key)
{
	for (size_t i = 0; i < kinds->n; i++)
		if (is_named(key, kinds->at[i]->name, kinds->at[i]->alias))
			return kinds->at[i];
	return NULL;
}

bool
load_has_kind(struct load *l, const struct tree_node *n)
{
	for (const struct tree_node *c = n->first; c != NULL; c = c->next)
		if (load_kind_find(l->kinds, c->key) != NULL)
			return true;
	return false;
}

/* The slot of a field, or -1.  beside: of those beside the kind's key. */
static int
field_find(const struct task_kind *k, struct str key, bool beside)
{
	for (size_t i = 0; i < k->fields_n; i++)
		if (is_named(key, k->fields[i].name, k->fields[i].alias) &&
		    (k->fields[i].flags & FIELD_BODY) == 0 &&
		    ((k->fields[i].flags & FIELD_BESIDE) != 0) == beside)
			return (int)i;
	return -1;
}

/* The field that the kind's value is (BODY), or may be (SHORT); or -1. */
static int
field_flagged(const struct task_kind *k, unsigned flag)
{
	for (size_t i = 0; i < k->fields_n; i++)
		if ((k->fields[i].flags & flag) != 0)
			return (int)i;
	return -1;
}

/* ---- fields ---------------------------------------------------------------------- */

struct making {
	struct load *l;
	const struct task_kind *kind;
	struct agent_work *work;
	struct agent_value *fields;
	size_t each_mark;                    /* names visible before repeat's or map's own */
};

static void
load_writes(struct load *l, const struct tree_node *n, struct agent_work *w)
{
	struct agent_write *writes;
	size_t i = 0;

	if (!load_wants(l, n, TREE_MAP, "a map of channels"))
		return;
	writes = load_alloc(l, n->n, sizeof *writes);
	for (const struct tree_node *c = n->first; c != NULL && l->rc == OK; c = c->next, i++) {
		int channel = load_channel(l, c, c->key, true);

		writes[i].channel = (unsigned)channel;
		if (channel >= 0)
			load_kind(l, c, AGENT_DATA, &writes[i].value);
	}
	w->writes = writes;
	w->writes_n = n->n;
	w->has_writes = true;
}

static void
load_items(struct load *l, const struct tree_node *n, struct agent_work *w)
{
	struct agent_work *items;
	size_t i = 0;

	if (!load_wants(l, n, TREE_LIST, "a list of work"))
		return;
	if (n->n == 0) {
		load_fail(l, n, "expected at least one piece of work");
		return;
	}
	items = load_alloc(l, n->n, sizeof *items);
	for (const struct tree_node *c = n->first; c != NULL && l->rc == OK; c = c->next)
		load_work(l, c, true, &items[i++]);
	w->items = items;
	w->items_n = n->n;
}

void
load_add_place(struct load *l, const struct tree_node *n, struct buf *b)
{
	struct buf path = BUF(8 * KB);

	buf_add_fmt(b, "%.*s:%u:%u: ", FMT(l->t->file), n->at.line, n->at.column);
	tree_add_path(&path, n);
	if (path.n > 0)
		buf_add_fmt(b, "%.*s: ", FMT(str_cut(buf_str(&path), 200)));
	buf_release(&path);
}

static void
note_link(struct load *l, struct agent_work *w, struct str place, bool as_tool)
{
	struct agent_holds *h = l->a->holds;

	if (as_tool) {
		mem_grow(h->tool_links, h->tool_links_n, h->tool_links_cap);
		h->tool_links[h->tool_links_n++] = (struct agent_link){ w, place };
	} else {
		mem_grow(h->links, h->links_n, h->links_cap);
		h->links[h->links_n++] = (struct agent_link){ w, place };
	}
}

void
load_agent_ref(struct load *l, const struct tree_node *n, struct agent_work *w,
    bool as_tool)
{
	struct buf place = BUF(8 * KB);
	struct agent_value name = { 0 };

	if (n->kind == TREE_MAP) {
		w->child = load_child(l, n);
		return;
	}
	if (n->kind != TREE_STRING) {
		load_fail(l, n, "expected an agent's name, or an agent, got %s",
		    tree_kind_name(n));
		return;
	}
	load_kind(l, n, AGENT_NAME, &name);
	w->child_name = agent_name(&name);
	load_add_place(l, n, &place);
	note_link(l, w, load_str(l, buf_str(&place)), as_tool);
	buf_release(&place);
}

static void
check_value(struct load *l, const struct tree_node *n, const struct agent_field *f,
    const struct agent_value *v)
{
	struct err e;

	if (l->rc == OK && f->check != NULL && f->check(v->constant, &e) != OK)
		load_fail(l, n, "%s", e.text);
}

static void
load_field(struct making *m, int slot, const struct tree_node *n)
{
	const struct agent_field *f = &m->kind->fields[slot];
	struct agent_value *v = &m->fields[slot];
	struct load *l = m->l;

	if ((f->flags & FIELD_LATER) != 0) {
		load_fail_key(l, n, NULL, "'%s' is not supported yet", f->name);
		return;
	}
	if ((f->flags & FIELD_LIST_LATER) != 0 && n->kind == TREE_LIST) {
		load_fail(l, n, "expected one name; those that are asked after it belong into "
		    "'fallbacks'");
		return;
	}
	switch (f->kind) {
	case AGENT_CHILD:
		load_agent_ref(l, n, m->work, false);
		break;
	case AGENT_WORKS:
		load_items(l, n, m->work);
		break;
	case AGENT_SET:
		load_writes(l, n, m->work);
		break;
	case AGENT_CHANNEL:
		v->constant = val_int(load_channel(l, n, load_string(l, n, "a channel's name"),
		    false));
		break;
	case AGENT_AS:
		m->work->each = load_as(l, n);
		m->work->each_name = load_str(l, n->text);
		break;
	default:
		/* Its own words for what it expects are better than ours. */
		if (f->kind != AGENT_PLAIN || f->check == NULL || n->kind == TREE_MAP)
			load_value(l, n, f, v);
		check_value(l, n, f, v);
		return;
	}
	v->form = VALUE_CONST;                       /* it is there */
	v->line = n->at.line;
	v->column = n->at.column;
}

/* ---- the fields that have to be there, or not ----------------------------------------- */

static bool
is_of_op(const struct agent_field *f, int op)
{
	return f->ops == 0 || (op >= 0 && (f->ops >> op & 1) != 0);
}

static size_t
given_in_group(const struct making *m, unsigned group, const char **first,
    const char **second)
{
	size_t n = 0;

	for (size_t i = 0; i < m->kind->fields_n; i++) {
		const struct agent_field *f = &m->kind->fields[i];

		if (f->group != group || !agent_has(&m->fields[i]))
			continue;
		*(n == 0 ? first : second) = f->name;
		n++;
	}
	return n;
}

/* "'over' or 'times'" */
static void
add_group(struct buf *b, const struct task_kind *k, unsigned group)
{
	for (size_t i = 0; i < k->fields_n; i++)
		if (k->fields[i].group == group)
			buf_add_fmt(b, "%s'%s'", b->n > 0 ? " or " : "", k->fields[i].name);
}

static void
check_group(struct making *m, const struct tree_node *n, const struct agent_field *f)
{
	const char *first = NULL, *second = NULL;
	size_t given = given_in_group(m, f->group, &first, &second);
	struct buf names = BUF(256);

	if (given > 1)
		load_fail(m->l, n, "either '%s' or '%s', not both", first, second);
	add_group(&names, m->kind, f->group);
	if (given == 0 && (f->flags & FIELD_REQUIRED) != 0)
		load_fail(m->l, n, "expected %.*s", FMT(buf_str(&names)));
	buf_release(&names);
}

static void
check_fields(struct making *m, const struct tree_node *n)
{
	for (size_t i = 0; i < m->kind->fields_n; i++) {
		const struct agent_field *f = &m->kind->fields[i];
		bool given = agent_has(&m->fields[i]);
		int with = f->with != NULL ? field_find(m->kind, str_of(f->with), false) : -1;

		if (f->group != 0)
			check_group(m, n, f);
		else if ((f->flags & FIELD_REQUIRED) != 0 && !given &&
		    is_of_op(f, m->work->op))
			load_fail(m->l, n, "'%s' is missing", f->name);
		if (given && with >= 0 && !agent_has(&m->fields[with]))
			load_fail(m->l, n, "'%s' goes with '%s'", f->name, f->with);
	}
	if (m->l->rc == OK && m->kind->check != NULL) {
		const char *wrong = m->kind->check(m->fields);

		if (wrong != NULL)
			load_fail(m->l, n, "%s", wrong);
	}
}

static void
fail_unknown_field(struct making *m, const struct tree_node *n)
{
	struct str_near near = { .word = n->key };

	for (size_t i = 0; i < m->kind->fields_n; i++)
		if ((m->kind->fields[i].flags & (FIELD_BODY | FIELD_BESIDE | FIELD_LATER)) == 0 &&
		    is_of_op(&m->kind->fields[i], m->work->op))
			str_near_try(&near, m->kind->fields[i].name);
	load_fail_key(m->l, n, near.best, "unknown key '%.*s'", FMT(str_cut(n->key, 100)));
}

/* The fields of a map, in the order of the table: names come before what sees
 * them. */
static void
load_fields(struct making *m, const struct tree_node *n)
{
	struct load *l = m->l;

	for (const struct tree_node *c = n->first; c != NULL && l->rc == OK; c = c->next) {
		int slot = field_find(m->kind, c->key, false);

		if (slot < 0 || !is_of_op(&m->kind->fields[slot], m->work->op))
			fail_unknown_field(m, c);
	}
	for (size_t i = 0; i < m->kind->fields_n && l->rc == OK; i++) {
		const struct agent_field *f = &m->kind->fields[i];
		const struct tree_node *c = NULL, *alias = NULL;

		if ((f->flags & (FIELD_BODY | FIELD_BESIDE)) != 0)
			continue;
		c = tree_get(l->t, n, str_of(f->name));
		if (f->alias != NULL)
			alias = tree_get(l->t, n, str_of(f->alias));
		if (c != NULL && alias != NULL)
			load_fail_key(l, alias, NULL, "either '%s' or '%s', not both", f->name,
			    f->alias);
		if (c == NULL)
			c = alias;
		if (c != NULL && l->rc == OK)
			load_field(m, (int)i, c);
	}
}

/* ---- a kind ------------------------------------------------------------------------------ */

static void
fail_operation(struct making *m, const struct tree_node *n, const char *nearest)
{
	struct buf all = BUF(KB);

	for (int i = 0; m->kind->ops[i] != NULL; i++)
		buf_add_fmt(&all, "%s%s", i == 0 ? "" : ", ", m->kind->ops[i]);
	if (nearest != NULL)
		load_fail_key(m->l, n, nearest, "unknown operation '%.*s'",
		    FMT(str_cut(n->key, 100)));
	else
		load_fail_key(m->l, n, NULL, "unknown operation '%.*s'; expected one of %.*s",
		    FMT(str_cut(n->key, 100)), FMT(buf_str(&all)));
	buf_release(&all);
}

/* `kind: {op: {...}}`; the fields of the op. */
static const struct tree_node *
load_op(struct making *m, const struct tree_node *n)
{
	struct load *l = m->l;
	struct str_near near = { 0 };
	const struct tree_node *c = n->first;

	if (!load_wants(l, n, TREE_MAP, "a map with an operation"))
		return NULL;
	if (n->n != 1) {
		load_fail(l, n, "expected one operation, got %zu", n->n);
		return NULL;
	}
	near.word = c->key;
	for (int i = 0; m->kind->ops[i] != NULL; i++) {
		if (str_eq(c->key, str_of(m->kind->ops[i])))
			m->work->op = i;
		str_near_try(&near, m->kind->ops[i]);
	}
	if (m->work->op < 0)
		fail_operation(m, c, near.best);
	load_wants(l, c, TREE_MAP, "a map");
	return c;
}

/* Is a map the short field itself, and not a map of fields? */
static bool
is_short_map(struct making *m, int slot, const struct tree_node *n)
{
	const struct agent_field *f = &m->kind->fields[slot];

	return (f->kind == AGENT_DATA || f->kind == AGENT_PLAIN) &&
	    tree_get(m->l->t, n, str_of(f->name)) == NULL;
}

/* The value of the kind's key. */
static void
load_body(struct making *m, const struct tree_node *n)
{
	int body = field_flagged(m->kind, FIELD_BODY), brief = field_flagged(m->kind, FIELD_SHORT);
	const struct tree_node *fields = n;

	if (body >= 0) {
		load_field(m, body, n);
		return;
	}
	if (m->kind->ops != NULL) {
		fields = load_op(m, n);
	} else if (brief >= 0 && (n->kind != TREE_MAP || is_short_map(m, brief, n))) {
		load_field(m, brief, n);
		return;
	} else if (!load_wants(m->l, n, TREE_MAP, "a map")) {
		return;
	}
	if (m->l->rc != OK)
		return;
	load_fields(m, fields);
	if (m->l->rc == OK)
		check_fields(m, fields);
}

/* The key of the kind; NULL: none (or a failure). */
static const struct tree_node *
find_kind(struct load *l, const struct tree_node *n, const struct task_kind **kind)
{
	const struct tree_node *found = NULL;

	*kind = NULL;
	for (const struct tree_node *c = n->first; c != NULL; c = c->next) {
		const struct task_kind *k = load_kind_find(l->kinds, c->key);

		if (k == NULL || (found != NULL && field_find(*kind, c->key, true) >= 0))
			continue;
		if (found != NULL)
			load_fail_key(l, c, NULL, "one piece of work has one kind, got '%.*s' and "
			    "'%.*s'", FMT(found->key), FMT(c->key));
		found = c;
		*kind = k;
	}
	if (found != NULL && (*kind)->of_chart && l->nodes != NULL)
		load_fail_key(l, found, NULL, "'%s' is for a state: a graph does not take its "
		    "events", (*kind)->name);
	return found;
}

static void
fail_unknown_key(struct load *l, const struct tree_node *n, const struct task_kind *kind,
    bool is_item)
{
	struct str_near near = { .word = n->key };
	const struct common_key *c = common_key(n->key);

	if (c != NULL && c->where == OF_NONE) {
		load_fail_key(l, n, NULL, "'%s' is not supported yet", c->name);
		return;
	}
	if (c != NULL && c->where == OF_AGENT) {
		load_fail_key(l, n, NULL, "'%s' is for the agent itself", c->name);
		return;
	}
	if (c != NULL) {
		load_fail_key(l, n, NULL, c->where == OF_ITEM ?
		    "'%s' is for an item of do, repeat or map" : c->where == OF_NODE ?
		    "'%s' is for a node" : "'%s' is for a state", c->name);
		return;
	}
	for (size_t i = 0; kind == NULL && i < l->kinds->n; i++)
		str_near_try(&near, l->kinds->at[i]->name);
	for (size_t i = 0; kind != NULL && i < kind->fields_n; i++)
		if ((kind->fields[i].flags & FIELD_BESIDE) != 0)
			str_near_try(&near, kind->fields[i].name);
	for (size_t i = 0; i < COUNT(common_keys); i++)
		if (common_keys[i].where == OF_BOTH ||
		    common_keys[i].where == (is_item ? OF_ITEM : OF_NODE))
			str_near_try(&near, common_keys[i].name);
	load_fail_key(l, n, near.best, "unknown key '%.*s'", FMT(str_cut(n->key, 100)));
}

/* A key of the state that the work is of. */
static bool
is_own_key(struct load *l, const struct tree_node *n)
{
	for (size_t i = 0; l->own_keys != NULL && l->own_keys[i] != NULL; i++)
		if (str_eq(n->key, str_of(l->own_keys[i])))
			return true;
	return false;
}

static void
check_keys(struct load *l, const struct tree_node *n, const struct task_kind *kind,
    const struct tree_node *kind_key, bool is_item)
{
	for (const struct tree_node *c = n->first; c != NULL && l->rc == OK; c = c->next) {
		const struct common_key *k = common_key(c->key);

		if (c == kind_key || (kind != NULL && field_find(kind, c->key, true) >= 0) ||
		    (!is_item && is_own_key(l, c)))
			continue;
		if (k != NULL && (k->where == OF_BOTH ||
		    k->where == (is_item ? OF_ITEM : OF_NODE)))
			continue;
		fail_unknown_key(l, c, kind, is_item);
	}
}

static bool
has_field(const struct agent_work *w, const char *name)
{
	int slot = field_find(w->kind, str_of(name), false);

	return slot >= 0 && agent_has(&w->fields[slot]);
}

/* Does it write what the agent has, when the file does not say what?  A conversation
 * or a question of its own needs no channel of the agent's. */
static void
check_default_writes(struct load *l, const struct tree_node *n, const struct agent_work *w)
{
	if (w->kind->writes != WRITES_MESSAGES || w->has_writes || has_field(w, "keep") ||
	    has_field(w, "prompt"))
		return;
	if (load_channel_find(l, S("messages")) < 0)
		load_fail(l, n, "it writes the channel 'messages', which the agent does not have: "
		    "add it to state, or say what is written with `writes`");
}

static void
load_beside(struct making *m, const struct tree_node *n)
{
	for (size_t i = 0; i < m->kind->fields_n && m->l->rc == OK; i++) {
		const struct tree_node *c = (m->kind->fields[i].flags & FIELD_BESIDE) == 0 ? NULL :
		    tree_get(m->l->t, n, str_of(m->kind->fields[i].name));

		if (c != NULL)
			load_field(m, (int)i, c);
	}
}

/* as, writes and return; then the names inside are hidden, its own is not. */
static void
load_end(struct making *m, const struct tree_node *n, size_t mark)
{
	struct load *l = m->l;
	const struct tree_node *as = tree_get(l->t, n, S("as"));
	const struct tree_node *writes = tree_get(l->t, n, S("writes"));
	const struct tree_node *ends = tree_get(l->t, n, S("return"));
	struct agent_value flag = { 0 };

	if (as != NULL && l->rc == OK)
		m->work->as = load_as(l, as);
	if (writes != NULL && m->work->has_writes)
		load_fail_key(l, writes, NULL, "'%s' says itself what is written", m->kind->name);
	if (writes != NULL && l->rc == OK)
		load_writes(l, writes, m->work);
	if (ends != NULL && l->rc == OK) {
		load_kind(l, ends, AGENT_BOOL, &flag);
		m->work->returns = agent_bool(&flag, false);
	}
	if (l->rc != OK)
		return;
	if (m->work->as >= 0)
		l->as[mark] = l->as[l->as_n - 1];
	l->as_n = mark + (m->work->as >= 0);
}

/* On a state with work it is the state's. */
static const struct agent_budget *
work_budget(struct load *l, const struct tree_node *n, bool is_item)
{
	const struct tree_node *b = tree_get(l->t, n, S("budget"));

	if (b == NULL || (!is_item && is_own_key(l, b)))
		return NULL;
	return load_own_budget(l, n, false);
}

void
load_work(struct load *l, const struct tree_node *n, bool is_item, struct agent_work *out)
{
	struct making m = { .l = l, .work = out };
	const struct tree_node *key, *when;
	size_t mark = l->as_n;

	*out = (struct agent_work){ .op = -1, .as = -1, .each = -1, .keep = -1,
	    .summary = -1, .line = n->at.line,
		.column = n->at.column };
	if (!load_wants(l, n, TREE_MAP, is_item ? "a piece of work" : "a node"))
		return;
	key = find_kind(l, n, &m.kind);
	if (l->rc == OK)
		check_keys(l, n, m.kind, key, is_item);
	if (key == NULL && (!is_item || (tree_get(l->t, n, S("writes")) == NULL &&
	    tree_get(l->t, n, S("return")) == NULL)))
		load_fail(l, n, "expected a kind of work, as in {llm: {}} or {set: {channel: value}}");
	if (key == NULL)
		m.kind = load_kind_find(l->kinds, S("set"));
	if (l->rc != OK)
		return;
	assert(m.kind != NULL);
	out->kind = m.kind;
	out->fields = m.fields = load_alloc(l, m.kind->fields_n, sizeof *m.fields);
	when = is_item ? tree_get(l->t, n, S("when")) : NULL;
	if (when != NULL)
		load_kind(l, when, AGENT_EXPR, &out->when);
	if (key != NULL && l->rc == OK)
		load_body(&m, key);
	out->budget = work_budget(l, n, is_item);
	load_guard(l, n, out);
	if (key != NULL && l->hidden_n > 0)
		load_hidden_find(l, key, out);
	if (key != NULL && l->rc == OK && has_field(out, "keep") && out->keep == AGENT_KEEP_NONE)
		load_fail(l, key, "'keep' goes with an agent in YAML or JSON");
	if (out->each >= 0)
		l->as_n = mark;
	load_beside(&m, n);
	load_end(&m, n, mark);
	if (l->rc == OK)
		check_default_writes(l, n, out);
	load_check_limits(l, n, out);
	load_note_tools(l, n, out);
	if (l->rc == OK)
		load_check_mcp(l, n, out);
}
