/*
 * view.c - see view.h.
 *
 * Values are copied as the texts they are stored as; only where writes of tasks
 * that have ended count are they decoded and reduced.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/view.h"

#include <assert.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/scan.h"
#include "graph/graph.h"
#include "run/changes_priv.h"
#include "run/child.h"
#include "run/saved_priv.h"
#include "state/channels.h"

const char *const view_names[] = { "values", "next", "tasks", "metadata", "created_at",
    "checkpoint", "parent_checkpoint", "interrupts", NULL };

static bool
listed(const struct view *v, struct str name)
{
	for (size_t i = 0; i < v->channels_n; i++)
		if (str_eq(v->channels[i], name))
			return true;
	return v->channels_n == 0;
}

static void
add_key(struct buf *b, struct str name)
{
	json_add_comma(b);
	json_add_str(b, name);
	buf_add_char(b, ':');
}

/* The agent, if it declares channels; NULL: all that are stored are shown. */
static const struct agent *
declares(const struct view *v)
{
	return v->agent != NULL && v->agent->hosted == NULL ? v->agent : NULL;
}

/* ---- values --------------------------------------------------------------------- */

static void
add_channel(struct buf *b, const struct store_channel *c)
{
	if (!c->is_list) {
		buf_add(b, c->body);
		return;
	}
	buf_add_char(b, '[');
	for (size_t i = 0; i < c->entries_n; i++) {
		json_add_comma(b);
		buf_add(b, c->entries[i]);
	}
	buf_add_char(b, ']');
}

static const struct store_channel *
channel_find(const struct store_state *s, struct str name)
{
	for (size_t i = 0; i < s->channels_n; i++)
		if (str_eq(s->channels[i].name, name))
			return &s->channels[i];
	return NULL;
}

/* Which of the agent's channels; NONE: it has none of that name. */
#define NONE SIZE_MAX
static size_t
shown_channel(const struct agent *a, struct str name)
{
	int at = agent_channel_find(a, name);

	return at < 0 || a->channels[at].private ? NONE : (size_t)at;
}

static void
add_as_stored(struct buf *b, const struct view *v, const struct store_channel *c)
{
	if (!listed(v, c->name))
		return;
	json_add_comma(b);                   /* its name is escaped already */
	buf_add_fmt(b, "\"%.*s\":", FMT(c->name));
	add_channel(b, c);
}

/* In the order of the state's schema, as far as a hosted graph has told one. */
static void
add_undeclared(struct buf *b, const struct view *v, const struct store_state *s)
{
	struct val order = v->agent == NULL ? VAL_UNDEF : val_get(v->agent->hosted->
	    schemas[SCHEMA_STATE], S("properties"));

	for (size_t i = 0; i < val_count(order); i++) {
		const struct store_channel *c = channel_find(s, val_key(order, i));

		if (c != NULL)
			add_as_stored(b, v, c);
	}
	for (size_t i = 0; i < s->channels_n; i++)
		if (!val_has(order, s->channels[i].name))
			add_as_stored(b, v, &s->channels[i]);
}

static void
add_stored(struct buf *b, const struct view *v, const struct store_state *s)
{
	const struct agent *a = declares(v);

	buf_add_char(b, '{');
	if (a == NULL)
		add_undeclared(b, v, s);
	for (size_t i = 0; a != NULL && i < a->channels_n; i++) {
		const struct channel *def = &a->channels[i];
		const struct store_channel *c = channel_find(s, def->name);

		if (def->private || !listed(v, def->name) ||
		    (c == NULL && def->initial.kind == VAL_UNDEFINED))
			continue;
		add_key(b, def->name);
		if (c != NULL)
			add_channel(b, c);
		else
			val_add_json(b, def->initial);
	}
	buf_add_char(b, '}');
}

/* A run has not taken its input yet: that is not a task that ended. */
static bool
is_input(const struct store_state *s)
{
	return s->c.source == SOURCE_INPUT && str_eq(s->c.next, S("__start__"));
}

/* Not an error, and not what a command left beside. */
static bool
is_result(const struct store_write *w)
{
	return w->idx >= 0 && w->idx < CARRIED_IDX;
}

/* Of a task that has ended without an error. */
static bool
is_done(const struct store_state *s, const struct uuid *task)
{
	const struct store_write *const *own;
	size_t n = store_writes_of(s, task, &own);

	for (size_t i = 0; i < n; i++)
		if (is_result(own[i]))
			return true;
	return false;
}

static bool
any_done(const struct store_state *s)
{
	for (size_t i = 0; i < s->writes_n; i++)
		if (is_result(&s->writes[i]))
			return true;
	return false;
}

/* Writes are in order.  What does not fit any more (the file has changed since)
 * is left out. */
static struct channels *
reduced(const struct agent *a, const struct store_state *s)
{
	struct channels *cs = channels_new(a->channels, a->channels_n);
	struct err ignored;

	for (size_t i = 0; i < s->channels_n; i++) {
		int at = channels_find(cs, s->channels[i].name);

		if (at != CHANNEL_NONE)
			channels_load(cs, (size_t)at, saved_channel(&s->channels[i]));
	}
	for (size_t i = 0; i < s->writes_n; i++) {
		const struct store_write *w = &s->writes[i];
		int at = w->idx < 0 ? CHANNEL_NONE : channels_find(cs, w->channel);
		struct val value;

		if (at == CHANNEL_NONE)
			continue;
		value = val_json_trusted(w->body);
		(void)channels_put(cs, (size_t)at, value, REDUCE_STORED, &ignored);
		val_drop(value);
	}
	return cs;
}

static void
add_reduced(struct buf *b, const struct view *v, const struct store_state *s)
{
	struct channels *cs = reduced(v->agent, s);

	buf_add_char(b, '{');
	for (size_t i = 0; i < channels_count(cs); i++) {
		const struct channel *def = channels_def(cs, i);
		struct val value = channels_get(cs, i);

		if (def->private || value.kind == VAL_UNDEFINED || !listed(v, def->name))
			continue;
		add_key(b, def->name);
		val_add_json(b, value);
	}
	buf_add_char(b, '}');
	channels_free(cs);
}

struct str
view_overlay(const struct agent *a, const struct store_state *s)
{
	return a == NULL || a->hosted == NULL || s->c.snapshot.n == 0 ? STR_NONE :
	    scan_find(s->c.snapshot, S("values"));
}

/* Of a hosted graph that has told its state as a whole.  What has ended in the step that
 * comes next counts there. */
static bool
add_overlay(struct buf *b, const struct view *v, const struct store_state *s)
{
	struct str whole = view_overlay(v->agent, s), key, value;
	struct scan members = scan_of(whole);
	bool first = true;

	if (whole.n == 0 || (!v->newest && any_done(s)) || !scan_open(&members, '{'))
		return false;
	buf_add_char(b, '{');
	while (scan_member(&members, &first, &key) && scan_value(&members, &value)) {
		if (!listed(v, key))
			continue;
		json_add_comma(b);
		buf_add_fmt(b, "\"%.*s\":", FMT(key));
		buf_add(b, value);
	}
	buf_add_char(b, '}');
	return true;
}

static void
add_values(struct buf *b, const struct view *v, const struct store_state *s)
{
	if (add_overlay(b, v, s))
		return;
	if (v->newest && declares(v) != NULL && !is_input(s) && any_done(s))
		add_reduced(b, v, s);
	else
		add_stored(b, v, s);
}

void
view_add_values(struct buf *b, const struct agent *a, const struct store_state *s,
    bool newest)
{
	bool told = view_overlay(a, s).n > 0;

	add_values(b, &(struct view){ .agent = a, .newest = newest || told }, s);
}

/* ---- interrupts --------------------------------------------------------------------- */

void
view_add_interrupt(struct buf *b, const struct store_interrupt *i)
{
	static const char digits[] = "0123456789abcdef";

	json_add_fmt(b, ",'id':'");
	for (size_t k = 0; k < sizeof i->id.b; k++) {
		buf_add_char(b, digits[i->id.b[k] >> 4]);
		buf_add_char(b, digits[i->id.b[k] & 15]);
	}
	json_add_fmt(b, "','value':%-.*s", FMT(i->value_json));
	if (i->schema_json.n > 0)
		json_add_fmt(b, ",'response_schema':%-.*s", FMT(i->schema_json));
}

/* Its own, or of an agent that it called. */
static bool
belongs(const struct store_interrupt *i, const struct uuid *task)
{
	char part[1 + UUID_TEXT] = ":";

	uuid_format(task, part + 1);
	return uuid_eq(&i->task, task) ||
	    str_contains(i->ns, (struct str){ part, sizeof part });
}

/* What a task asks: that which waits; of a past state, if nothing does, what it
 * asked last. */
static void
add_task_interrupts(struct buf *b, const struct store_state *s, bool newest,
    const struct uuid *task)
{
	bool waits = false;
	msec last = 0;

	for (size_t i = 0; i < s->interrupts_n; i++) {
		const struct store_interrupt *x = &s->interrupts[i];

		if (!belongs(x, task))
			continue;
		waits = waits || x->state == INTERRUPT_WAITING;
		last = x->created > last ? x->created : last;
	}
	for (size_t i = 0; i < s->interrupts_n; i++) {
		const struct store_interrupt *x = &s->interrupts[i];

		if (!belongs(x, task) || (waits || newest ?
		    x->state != INTERRUPT_WAITING : x->created != last))
			continue;
		json_add_comma(b);
		buf_add_char(b, '{');
		view_add_interrupt(b, x);
		buf_add_char(b, '}');
	}
}

/* ---- tasks --------------------------------------------------------------------------- */

/* Calls each with what comes next; tasks_json is the run's own text. */
static void
each_task(const struct store_state *s, void (*each)(void *ctx, jnode task,
    const struct uuid *id), void *ctx)
{
	struct json_doc d = { 0 };
	struct json_iter it;
	struct uuid id;

	if (s->c.tasks_json.n == 0 || json_parse(&d, s->c.tasks_json, NULL) != OK)
		return;
	it = json_each(d.root);
	while (json_next(&it))
		if (uuid_parse(json_str(json_get(it.value, S("id"))), &id))
			each(ctx, it.value, &id);
	json_release(&d);
}

struct adding {
	struct buf *b;
	const struct view *v;
	const struct store_state *s;
	int rc;
};

static void
add_next(void *ctx, jnode task, const struct uuid *id)
{
	struct adding *x = ctx;

	if (x->v->newest && !is_input(x->s) && is_done(x->s, id))
		return;
	json_add_comma(x->b);
	json_add_node(x->b, json_get(task, S("name")));
}

static const struct store_write *
error_of(const struct store_state *s, const struct uuid *task)
{
	const struct store_write *const *own;
	size_t n = store_writes_of(s, task, &own);

	for (size_t i = 0; i < n; i++)
		if (own[i]->idx == WRITE_ERROR)
			return own[i];
	return NULL;
}

/* One channel's entries or value in the checkpoint after. */
static void
add_wrote(struct buf *b, const struct store_state *after, struct str name, jnode wrote)
{
	const struct store_channel *c = channel_find(after, name);
	size_t from = (size_t)json_int(json_at(wrote, 0));
	size_t to = (size_t)json_int(json_at(wrote, 1));

	if (json_is_object(wrote)) {
		json_add_node(b, json_get(wrote, S("value")));
	} else if (c == NULL) {
		buf_lit(b, "null");
	} else if (json_is_array(wrote) && c->is_list) {
		add_channel(b, &(struct store_channel){ .is_list = true,
		    .entries = c->entries + (from < c->entries_n ? from : c->entries_n),
		    .entries_n = from < to && to <= c->entries_n ? to - from : 0 });
	} else {
		add_channel(b, c);
	}
}

/* What the lone task of the step wrote; it stands in the checkpoint after. */
static bool
add_lone_result(struct buf *b, const struct view *v, const struct store_state *after)
{
	struct json_doc d = { 0 };
	size_t begin = b->n, n = 0;
	struct json_iter it;

	if (after == NULL || after->c.wrote_json.n == 0 ||
	    json_parse(&d, after->c.wrote_json, NULL) != OK)
		return false;
	it = json_each(d.root);
	buf_add_char(b, '{');
	while (json_next(&it)) {
		struct str name = json_str(it.key);

		if (declares(v) != NULL && shown_channel(v->agent, name) == NONE)
			continue;
		add_key(b, name);
		add_wrote(b, after, name, it.value);
		n++;
	}
	buf_add_char(b, '}');
	json_release(&d);
	if (n == 0)
		buf_cut(b, begin);
	return n > 0;
}

/* Two writes of a task to one list are one. */
static struct val
merged(const struct view *v, struct val result, struct str name, struct val value)
{
	size_t at = declares(v) == NULL ? NONE : shown_channel(v->agent, name);
	struct val old = val_get(result, name), list;

	if (at == NONE || !reducer_is_list(v->agent->channels[at].reducer) ||
	    old.kind != VAL_ARRAY || value.kind != VAL_ARRAY)
		return val_set_take(result, name, value);
	list = val_ref(old);                 /* and nobody else's: it grows in place */
	result = val_set_take(result, name, VAL_NIL);
	for (size_t i = 0; i < val_count(value); i++)
		list = val_push_take(list, val_ref(val_at(value, i)));
	val_drop(value);
	return val_set_take(result, name, list);
}

/* What its pending writes say. */
static bool
add_written_result(struct buf *b, const struct view *v, const struct store_state *s,
    const struct uuid *task)
{
	struct val result = val_object_empty();
	const struct store_write *const *own;
	size_t n = store_writes_of(s, task, &own);
	bool any;

	for (size_t i = 0; i < n; i++) {
		const struct store_write *w = own[i];

		if (!is_result(w) || (declares(v) != NULL ?
		    shown_channel(v->agent, w->channel) == NONE :
		    graph_channel_is_control(w->channel) ||
		    str_eq(w->channel, SPENT_WRITE)))
			continue;
		result = merged(v, result, w->channel, val_json_trusted(w->body));
	}
	any = val_count(result) > 0;
	if (any)
		val_add_json(b, result);
	val_drop(result);
	return any;
}

static bool
add_result(struct buf *b, const struct view *v, const struct store_state *s,
    const struct uuid *task)
{
	return is_done(s, task) ? add_written_result(b, v, s, task) :
	    error_of(s, task) == NULL && add_lone_result(b, v, s->child);
}

bool
view_add_result(struct buf *b, const struct store_state *s, const struct uuid *task)
{
	return add_result(b, &(struct view){ .agent = NULL }, s, task);
}

static int add_child_state(struct buf *b, const struct view *v, struct str up,
    struct str ns);

/* "checkpoint" or, where states of agents are asked for, "state". */
static int
add_child(struct buf *b, const struct view *v, const struct store_state *s,
    struct str node, const struct uuid *task)
{
	struct buf ns = BUF(LIMIT_CHECKPOINT_NS_BYTES);
	bool calls = v->agent != NULL && child_add_namespace(&ns, v->agent, s->c.ns, node,
	    task) && !ns.failed;
	int rc = OK;

	json_add_fmt(b, ",'checkpoint':");
	if (calls && !v->subgraphs) {
		json_add_fmt(b, "{'thread_id':'");
		uuid_add(b, &v->thread_id);
		json_add_fmt(b, "','checkpoint_ns':%.*s}", FMT(buf_str(&ns)));
	} else {
		buf_lit(b, "null");
	}
	json_add_fmt(b, ",'state':");
	if (calls && v->subgraphs)
		rc = add_child_state(b, v, s->c.ns, buf_str(&ns));
	else
		buf_lit(b, "null");
	buf_release(&ns);
	return rc;
}

static void
add_task(void *ctx, jnode task, const struct uuid *id)
{
	struct adding *x = ctx;
	struct buf *b = x->b;
	const struct store_write *error = error_of(x->s, id);
	struct str name = json_str(json_get(task, S("name")));
	jnode path = json_get(task, S("path"));

	if (x->rc != OK)
		return;
	json_add_fmt(b, ",{'id':'");
	uuid_add(b, id);
	json_add_fmt(b, "','name':%.*s,'error':", FMT(name));
	if (error == NULL)
		buf_lit(b, "null");
	else
		json_add_str(b, error->body);
	json_add_fmt(b, ",'interrupts':[");
	add_task_interrupts(b, x->s, x->v->newest, id);
	if (path == NULL)
		json_add_fmt(b, "],'path':['__pregel_pull',%.*s]", FMT(name));
	else
		json_add_fmt(b, "],'path':%p", (void *)path);
	x->rc = add_child(b, x->v, x->s, name, id);
	json_add_fmt(b, ",'result':");
	if (!add_result(b, x->v, x->s, id))
		buf_lit(b, "null");
	buf_add_char(b, '}');
}

static void
add_thread_task(void *ctx, jnode task, const struct uuid *id)
{
	struct adding *x = ctx;

	(void)task;
	json_add_comma(x->b);
	buf_add_char(x->b, '"');
	uuid_add(x->b, id);
	buf_lit(x->b, "\":[");
	add_task_interrupts(x->b, x->s, true, id);
	buf_add_char(x->b, ']');
}

void
view_add_interrupts(struct buf *b, const struct store_state *s)
{
	struct adding x = { .b = b, .s = s };

	buf_add_char(b, '{');
	each_task(s, add_thread_task, &x);
	buf_add_char(b, '}');
}

static void
add_state_interrupts(void *ctx, jnode task, const struct uuid *id)
{
	struct adding *x = ctx;

	(void)task;
	add_task_interrupts(x->b, x->s, x->v->newest, id);
}

/* ---- the rest of a state ----------------------------------------------------------------- */

/* Members of an object, but for thread_id, which is this thread's (a copy has the
 * metadata of what it was copied from). */
static void
add_members(struct buf *b, struct str object)
{
	struct scan s = scan_of(object);
	struct str key, value;
	bool first = true;

	if (object.n == 0 || !scan_open(&s, '{'))
		return;
	while (scan_member(&s, &first, &key) && scan_value(&s, &value)) {
		if (SCAN_IS(key, "thread_id"))
			continue;
		json_add_comma(b);
		buf_add_char(b, '"');
		buf_add(b, key);
		buf_lit(b, "\":");
		buf_add(b, value);
	}
}

void
view_add_metadata(struct buf *b, const struct uuid *thread_id,
    const struct store_checkpoint *c)
{
	buf_add_char(b, '{');
	add_members(b, c->base_json);
	add_members(b, c->extra_json);
	json_add_fmt(b, ",'source':%s,'step':%d", checkpoint_source_names[c->source],
	    c->step);
	if (scan_find(c->extra_json, S("parents")).n == 0)
		json_add_fmt(b, ",'parents':{}");
	json_add_fmt(b, ",'thread_id':'");
	uuid_add(b, thread_id);
	buf_lit(b, "\"}");
}

static void
add_checkpoint(struct buf *b, const struct view *v, struct str ns,
    const struct uuid *id)
{
	json_add_fmt(b, "{'thread_id':'");
	uuid_add(b, &v->thread_id);
	if (!uuid_is_zero(id)) {
		json_add_fmt(b, "','checkpoint_id':'");
		uuid_add(b, id);
	}
	json_add_fmt(b, "','checkpoint_ns':%.*s,'checkpoint_map':null}", FMT(ns));
}

/* A member of the state's object. */
static void
add_member(struct adding *x, unsigned member)
{
	const struct store_checkpoint *c = &x->s->c;
	const struct view *v = x->v;
	struct buf *b = x->b;

	switch (member) {
	case VIEW_VALUES:
		add_values(b, v, x->s);
		break;
	case VIEW_METADATA:
		view_add_metadata(b, &v->thread_id, c);
		break;
	case VIEW_CREATED:
		buf_add_char(b, '"');
		clock_add_iso(b, c->created);
		buf_add_char(b, '"');
		break;
	case VIEW_CHECKPOINT:
		add_checkpoint(b, v, c->ns, &c->id);
		break;
	case VIEW_PARENT:
		if (c->parent_seq == 0)
			buf_lit(b, "null");
		else
			add_checkpoint(b, v, c->ns, &c->parent_id);
		break;
	default:
		buf_add_char(b, '[');
		each_task(x->s, member == VIEW_NEXT ? add_next : member == VIEW_TASKS ?
		    add_task : add_state_interrupts, x);
		buf_add_char(b, ']');
	}
}

static int
add_state(struct buf *b, const struct view *v, const struct store_state *s)
{
	struct adding x = { .b = b, .v = v, .s = s };

	buf_add_char(b, '{');
	for (unsigned i = 0; view_names[i] != NULL; i++) {
		if (!(v->members & 1u << i))
			continue;
		json_add_key(b, view_names[i]);
		add_member(&x, 1u << i);
	}
	buf_add_char(b, '}');
	return x.rc;
}

int
view_add_state(struct buf *b, const struct view *v, const struct store_state *s)
{
	json_add_comma(b);
	return add_state(b, v, s);
}

void
view_add_nothing(struct buf *b, const struct view *v, struct str ns,
    const struct uuid *id)
{
	static const char *const empty[] = { "{}", "[]", "[]", NULL, "null", "null", "null",
	    "[]" };

	buf_add_char(b, '{');
	for (unsigned i = 0; view_names[i] != NULL; i++) {
		if (!(v->members & 1u << i) || empty[i] == NULL)
			continue;
		json_add_key(b, view_names[i]);
		if (1u << i == VIEW_CHECKPOINT && (ns.n > 0 || !uuid_is_zero(id)))
			add_checkpoint(b, v, ns, id);
		else
			buf_add(b, str_of(empty[i]));
	}
	buf_add_char(b, '}');
}

/* The newest state of an agent that a task calls; nesting is bounded by
 * LIMIT_AGENT_NESTING. */
static int
add_child_state(struct buf *b, const struct view *v, struct str up, struct str ns)
{
	static const struct uuid head;
	struct str part = str_sub(ns, up.n > 0 ? up.n + 1 : 0, ns.n);
	struct view inner = *v;
	struct store_state s;
	int rc;

	assert(v->reader != NULL && v->arena != NULL);
	inner.agent = child_find(v->agent, part);
	inner.members = VIEW_ALL;
	inner.channels_n = 0;
	inner.newest = true;
	rc = store_state_get(v->reader, v->owner, v->thread_seq, ns, &head, STATE_ALL,
	    v->arena, &s);
	if (rc == OK)
		return add_state(b, &inner, &s);
	if (rc == ERR_NOTFOUND)
		view_add_nothing(b, &inner, ns, &head);
	return rc == ERR_NOTFOUND ? OK : rc;
}
