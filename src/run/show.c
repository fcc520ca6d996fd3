/*
 * show.c - values of the core as they are told: state, updates, what a child
 * gives its parent, interrupts.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "base/limits.h"
#include "run/scope_priv.h"
#include "state/message.h"

struct val
core_join(struct val list, struct val more)
{
	for (size_t i = 0; i < val_count(more); i++)
		list = core_join_take(list, val_ref(val_at(more, i)));
	return list;
}

struct val
core_join_take(struct val list, struct val item)
{
	return val_push_take(list.kind == VAL_UNDEFINED ? val_array_empty() : list,
	    item);
}

/* The list of messages that a write of such a channel brings, borrowed; UNDEF: it
 * is another channel. */
struct val
core_messages_of(const struct channel *def, struct val write)
{
	struct val inner;

	if (def->reducer != REDUCE_MESSAGES)
		return VAL_UNDEF;
	return reduce_is_overwrite(write, &inner) ? inner : write;
}

struct val
core_add_messages(const struct scope *s, struct val all, const struct core_name_value *w)
{
	int at = channels_find(s->state, w->name);
	struct val list;

	if (at == CHANNEL_NONE)
		return all;
	list = core_messages_of(channels_def(s->state, (size_t)at), w->value);
	for (size_t i = 0; i < val_count(list); i++)
		if (message_type(val_at(list, i)) != MSG_REMOVE)
			all = val_push_take(all, val_ref(val_at(list, i)));
	return all;
}

/* Two writes of a task to one channel are shown as one. */
static struct val
merge_shown(const struct channel *def, struct val update, struct val value)
{
	struct str name = def->name;
	struct val old = val_get(update, name);

	if (!reducer_is_list(def->reducer) || old.kind != VAL_ARRAY ||
	    value.kind != VAL_ARRAY)
		return val_set_take(update, name, val_ref(value));
	old = val_ref(old);                  /* and nobody else's: it grows in place */
	update = val_set_take(update, name, VAL_NIL);
	for (size_t i = 0; i < val_count(value); i++)
		old = val_push_take(old, val_ref(val_at(value, i)));
	return val_set_take(update, name, old);
}

void
core_set_update(struct core_task *t)
{
	const struct channels *cs = t->scope->state;
	struct val update = VAL_UNDEF;

	for (size_t i = 0; i < t->writes_n; i++) {
		int at = channels_find(cs, t->writes[i].name);

		if (at == CHANNEL_NONE || channels_def(cs, (size_t)at)->private)
			continue;
		if (update.kind == VAL_UNDEFINED)
			update = val_object_empty();
		update = merge_shown(channels_def(cs, (size_t)at), update,
		    t->writes[i].value);
	}
	val_drop(t->update);
	t->update = update.kind == VAL_UNDEFINED ? VAL_NIL : update;
}

/* ---- what a child gives ---------------------------------------------------------- */

/* The entries of a list behind those that it began with.  A message that was given
 * without an id is counted, not compared. */
static struct val
tail_of(const struct channel *def, struct val now, struct val before)
{
	struct val tail = val_array_empty();
	bool messages = def->reducer == REDUCE_MESSAGES;
	size_t same = 0, n = val_count(now);

	while (same < n && same < val_count(before) &&
	    (val_equal(val_at(now, same), val_at(before, same)) ||
	    (messages && message_id(val_at(before, same)).n == 0)))
		same++;
	for (size_t i = same; i < n; i++)
		tail = val_push_take(tail, val_ref(val_at(now, i)));
	return tail;
}

static struct val
growth_of(struct val now, struct val before)
{
	double old = val_is_number(before) ? val_number(before) : 0;

	return val_is_number(now) ? val_double(val_number(now) - old) : val_ref(now);
}

static struct val
values_of(const struct agent *a, const struct core_saved *saved)
{
	struct channels *cs = channels_new(a->channels, a->channels_n);
	struct val values;

	for (size_t i = 0; i < saved->values_n; i++) {
		int at = agent_channel_find(a, saved->values[i].name);

		if (at >= 0)
			channels_load(cs, (size_t)at, val_ref(saved->values[i].value));
	}
	values = channels_values(cs);
	channels_free(cs);
	return values;
}

/* What the input made of the state before it (NULL: of the defaults), without a
 * step.  Messages as they were given, which may have no ids. */
static struct val
values_with_input(const struct agent *a, const struct core_saved *base, struct val input)
{
	static const struct core_saved none;
	struct val values = values_of(a, base != NULL ? base : &none);
	struct err e;

	for (size_t i = 0; i < val_count(input); i++) {
		struct str name = val_key(input, i);
		int at = agent_channel_find(a, name);
		enum reducer r = at >= 0 ? a->channels[at].reducer : REDUCE_LAST;
		struct val old;

		if (at < 0 || !a->channels[at].input)
			continue;
		old = val_ref(val_get(values, name));
		(void)reduce(r == REDUCE_MESSAGES ? REDUCE_APPEND : r, name, &old,
		    val_member(input, i), 0, NULL, &e);
		values = val_set_take(values, name, old);
	}
	return values;
}

/* Of a child that goes on from what was saved: the checkpoint after its input, or
 * what can be told without it (durability exit). */
struct val
core_find_before(const struct scope *s)
{
	const struct core *c = s->core;
	struct core_saved *at = NULL, *later = NULL;
	struct uuid id = s->stored;
	struct val before = VAL_UNDEF;

	while (before.kind == VAL_UNDEFINED && !uuid_is_zero(&id) &&
	    c->fx->load(c->ctx, str_of(s->ns), &id, &at) == OK && at != NULL) {
		if (memcmp(at->id.b, s->up->head.b, sizeof at->id.b) < 0)
			before = values_with_input(s->agent, at, s->call->input);
		else if (at->source == SOURCE_INPUT && later != NULL)
			before = values_of(s->agent, later);
		c->fx->release(c->ctx, later);
		later = at;
		id = at->parent;
		at = NULL;
	}
	c->fx->release(c->ctx, later);
	return before.kind != VAL_UNDEFINED ? before :
	    values_with_input(s->agent, NULL, s->call->input);
}

void
core_output(const struct scope *s, struct val *output, struct val *added)
{
	*output = val_object_empty();
	*added = val_object_empty();
	for (size_t i = 0; i < channels_count(s->state); i++) {
		const struct channel *def = channels_def(s->state, i);
		struct val now = channels_get(s->state, i), more;
		struct val before = val_get(s->before, def->name);

		if (!def->output || now.kind == VAL_UNDEFINED)
			continue;
		if (reducer_is_list(def->reducer))
			more = tail_of(def, now, before);
		else if (def->reducer == REDUCE_SUM)
			more = growth_of(now, before);
		else
			more = val_ref(now);
		*output = val_set_take(*output, def->name, val_ref(now));
		*added = val_set_take(*added, def->name, more);
	}
}

/* ---- interrupts --------------------------------------------------------------------- */

/* 32 hex digits, stable for the task's own namespace and the call's place in it. */
struct uuid
core_interrupt_id(const struct core_task *t, struct str key)
{
	struct buf b = BUF(LIMIT_CHECKPOINT_NS_BYTES + LIMIT_NAME_BYTES);
	struct uuid id;

	buf_add(&b, t->ns);
	buf_add_char(&b, '\0');
	buf_add(&b, key);
	id = uuid_v5(&t->id, buf_str(&b));
	buf_release(&b);
	return id;
}

struct val
core_show_interrupt(const struct core_interrupt *i)
{
	static const char digits[] = "0123456789abcdef";
	struct val shown = val_object_empty();
	char id[32];

	for (size_t k = 0; k < 16; k++) {
		id[2 * k] = digits[i->id.b[k] >> 4];
		id[2 * k + 1] = digits[i->id.b[k] & 15];
	}
	shown = val_set_take(shown, S("id"), val_string((struct str){ id, 32 }));
	shown = val_set_take(shown, S("value"), val_ref(i->value));
	if (i->schema.kind != VAL_UNDEFINED)
		shown = val_set_take(shown, S("response_schema"), val_ref(i->schema));
	return shown;
}

/* ---- what a task's host asks ------------------------------------------------------------------- */

struct task_spec
core_task_spec(const struct core_task *t)
{
	const struct scope *s = t->scope;

	return (struct task_spec){ .agent = s->agent,
	    .work = &s->agent->nodes[t->node].work, .state = s->state,
	    .input = t->input, .config = s->core->q->config,
	    .context = s->core->q->context, .id = t->id,
	    .limits = s->limits.own != NULL || s->limits.up != NULL ? &s->limits : NULL,
	    .counts = s->budget != NULL, .records = t->records,
	    .records_n = t->records_n, .answers = t->answers,
	    .answers_n = t->answers_n };
}

const struct channels *
core_task_state(const struct core_task *t)
{
	return t->scope->state;
}

bool
core_task_is_agent(const struct core_task *t)
{
	const struct agent *a = t->scope->agent;
	const struct agent_work *w = a->graph != NULL ? &a->nodes[t->node].work : NULL;

	return w != NULL && w->kind->writes == WRITES_OUTPUT && !w->has_writes;
}

struct run_event
core_event(const struct core_task *t, enum event_kind kind)
{
	struct run_event ev = scope_event(t->scope, kind);

	ev.step++;
	return ev;
}
