/*
 * saved.c - see saved_priv.h.
 *
 * Entries of lists are spans of one text for each list: a long thread is read
 * without a copy or a parse of each message.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/saved_priv.h"

#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "run/view.h"
#include "run/changes_priv.h"

struct loaded {
	struct core_saved s;
	struct arena arena;                  /* its texts */
};

void
saved_free(struct core_saved *saved)
{
	struct loaded *x;

	if (saved == NULL)
		return;
	x = CONTAINER_OF(saved, struct loaded, s);
	for (size_t i = 0; i < saved->values_n; i++)
		val_drop(saved->values[i].value);
	for (size_t i = 0; i < saved->tasks_n; i++)
		for (size_t k = 0; k < saved->tasks[i].writes_n; k++)
			val_drop(saved->tasks[i].writes[k].value);
	for (size_t i = 0; i < saved->carried_n; i++)
		val_drop(saved->carried[i].value);
	val_drop(saved->input);
	for (size_t i = 0; i < saved->interrupts_n; i++) {
		val_drop(saved->interrupts[i].value);
		val_drop(saved->interrupts[i].schema);
		val_drop(saved->interrupts[i].answer);
	}
	arena_release(&x->arena);
	free(x);
}

/* ---- values ------------------------------------------------------------------------ */

static struct val
list_value(const struct store_channel *c)
{
	struct val list = val_array_empty(), source;
	struct buf text = BUF(2u * LIMIT_STATE_BYTES);
	struct str all;
	size_t at = 0;

	for (size_t i = 0; i < c->entries_n; i++)
		buf_add(&text, c->entries[i]);
	source = val_string(buf_str(&text));
	buf_release(&text);
	all = val_str(source);
	for (size_t i = 0; i < c->entries_n; i++) {
		struct str entry = str_sub(all, at, c->entries[i].n);

		at += c->entries[i].n;
		list = val_push_take(list, entry.p[0] == '{' || entry.p[0] == '[' ?
		    val_json_span(source, entry) : val_json_trusted(entry));
	}
	val_drop(source);
	return list;
}

struct val
saved_channel(const struct store_channel *c)
{
	return c->is_list ? list_value(c) : val_json_trusted(c->body);
}

static struct val
time_value(msec wall)
{
	char text[CLOCK_ISO_SIZE];

	clock_write_iso(text, wall);         /* no NUL at its end */
	return val_string((struct str){ text, sizeof text });
}

struct val
saved_item(const struct store_item *i)
{
	struct val item = val_object_empty(), ns = val_array_empty();
	struct str rest = i->ns, label;

	while (rest.n > 0) {
		const char *dot = memchr(rest.p, '.', rest.n);

		label = str_sub(rest, 0, dot != NULL ? (size_t)(dot - rest.p) : rest.n);
		ns = val_push_take(ns, val_string(label));
		rest = str_sub(rest, label.n + 1, rest.n);
	}
	item = val_set_take(item, S("namespace"), ns);
	item = val_set_take(item, S("key"), val_string(i->key));
	item = val_set_take(item, S("value"), val_json_trusted(i->value_json));
	item = val_set_take(item, S("created_at"), time_value(i->created));
	return val_set_take(item, S("updated_at"), time_value(i->updated));
}

static void
load_values(struct core_saved *s, const struct store_state *st, struct arena *a)
{
	s->values = arena_alloc(a, (st->channels_n + 1) * sizeof *s->values);
	for (size_t i = 0; s->values != NULL && i < st->channels_n; i++)
		s->values[s->values_n++] = (struct core_name_value){
		    st->channels[i].name, saved_channel(&st->channels[i]) };
}

/* ---- tasks --------------------------------------------------------------------------- */

static void
task_writes_load(struct core_saved_task *t, const struct store_state *st,
    struct arena *a)
{
	const struct store_write *const *own;
	size_t n = store_writes_of(st, &t->id, &own);

	t->writes = arena_alloc(a, (n + 1) * sizeof *t->writes);
	for (size_t i = 0; t->writes != NULL && i < n; i++) {
		const struct store_write *w = own[i];

		if (w->idx < 0 || w->idx >= CARRIED_IDX)
			continue;
		t->done = true;
		if (!str_eq(w->channel, S("__no_writes__")))
			t->writes[t->writes_n++] = (struct core_name_value){ w->channel,
			    val_json_trusted(w->body) };
	}
}

static void
carried_load(struct core_saved *s, const struct store_state *st, struct arena *a)
{
	s->carried = arena_alloc(a, (st->writes_n + 1) * sizeof *s->carried);
	for (size_t i = 0; s->carried != NULL && i < st->writes_n; i++)
		if (st->writes[i].idx >= CARRIED_IDX)
			s->carried[s->carried_n++] = (struct core_name_value){
			    st->writes[i].channel, val_json_trusted(st->writes[i].body) };
}

static int
task_records_load(const struct saved_from *l, struct core_saved_task *t, struct arena *a)
{
	struct store_record *rows;
	size_t n;
	int rc = store_records_get(l->reader, l->owner, l->thread_seq, &t->id, a,
	    &rows, &n);

	if (rc != OK)
		return rc == ERR_NOTFOUND ? OK : rc;
	t->records = arena_alloc(a, (n + 1) * sizeof *t->records);
	for (size_t i = 0; t->records != NULL && i < n; i++)
		t->records[t->records_n++] = (struct task_record){ rows[i].key,
		    rows[i].name, rows[i].result };
	return OK;
}

static int
load_tasks(const struct saved_from *l, struct core_saved *s, const struct store_state *st,
    struct arena *a)
{
	struct json_doc d = { 0 };
	int rc = OK;

	if (st->c.tasks_json.n == 0 || json_parse(&d, st->c.tasks_json, NULL) != OK)
		return OK;
	s->tasks = arena_zero(a, (json_count(d.root) + 1) * sizeof *s->tasks);
	for (struct json_iter it = json_each(d.root); json_next(&it) && rc == OK &&
	    s->tasks != NULL;) {
		struct core_saved_task *t = &s->tasks[s->tasks_n++];

		(void)uuid_parse(json_str(json_get(it.value, S("id"))), &t->id);
		t->name = arena_str(a, json_str(json_get(it.value, S("name"))));
		t->serial = (uint64_t)json_int(json_get(it.value, S("serial")));
		task_writes_load(t, st, a);
		if (l->records)
			rc = task_records_load(l, t, a);
	}
	json_release(&d);
	return rc;
}

/* ---- interrupts -------------------------------------------------------------------------- */

static struct core_interrupt
interrupt_of(const struct store_interrupt *i)
{
	return (struct core_interrupt){ .id = i->id, .ns = i->ns, .task = i->task,
	    .key = i->key, .value = val_json_trusted(i->value_json),
	    .schema = i->schema_json.n > 0 ? val_json_trusted(i->schema_json) :
	    VAL_UNDEF, .answer = i->state == INTERRUPT_ANSWERED ?
	    val_json_trusted(i->answer_json) : VAL_UNDEF,
	    .waits = i->state == INTERRUPT_WAITING };
}

static void
load_interrupts(struct core_saved *s, const struct store_interrupt *rows, size_t n,
    const struct str *ns, struct arena *a)
{
	s->interrupts = arena_alloc(a, (n + 1) * sizeof *s->interrupts);
	for (size_t i = 0; s->interrupts != NULL && i < n; i++)
		if (ns == NULL || str_eq(rows[i].ns, *ns))
			s->interrupts[s->interrupts_n++] = interrupt_of(&rows[i]);
}

/* ---- the doors ------------------------------------------------------------------------------ */

/* The nodes whose writes a checkpoint holds: the tasks of the one before, back to
 * the last step that a run made. */
static int
load_last(const struct saved_from *l, struct core_saved *s, struct str ns,
    const struct store_state *st, struct arena *a)
{
	struct store_state at = *st;
	struct json_doc d = { 0 };
	int rc = OK;

	while (rc == OK && at.c.source != SOURCE_LOOP && at.c.parent_seq != 0)
		rc = store_state_get(l->reader, l->owner, l->thread_seq, ns,
		    &at.c.parent_id, 0, a, &at);
	if (rc == OK && at.c.source == SOURCE_LOOP && at.c.parent_seq != 0)
		rc = store_state_get(l->reader, l->owner, l->thread_seq, ns,
		    &at.c.parent_id, 0, a, &at);
	else
		return rc == ERR_NOTFOUND ? OK : rc;
	if (rc != OK || json_parse(&d, at.c.tasks_json, NULL) != OK)
		return rc == ERR_NOTFOUND ? OK : rc;
	s->last = arena_alloc(a, (json_count(d.root) + 1) * sizeof *s->last);
	for (struct json_iter it = json_each(d.root); json_next(&it) && s->last != NULL;)
		s->last[s->last_n++] = arena_str(a,
		    json_str(json_get(it.value, S("name"))));
	json_release(&d);
	return OK;
}

/* The input of a checkpoint before it was applied: what START's task wrote, which
 * is pending, or stands in the checkpoint after it. */
static int
input_load(const struct saved_from *l, struct core_saved *s, struct str ns,
    struct arena *a)
{
	struct buf text = BUF(LIMIT_STATE_BYTES);
	struct store_state st;
	int rc;

	if (s->head || s->tasks_n != 1 || !str_eq(s->tasks[0].name, S("__start__")))
		return OK;
	rc = store_state_get(l->reader, l->owner, l->thread_seq, ns, &s->id, STATE_ALL, a,
	    &st);
	if (rc == OK && view_add_result(&text, &st, &s->tasks[0].id))
		s->input = val_json_trusted(buf_str(&text));
	buf_release(&text);
	return rc;
}

int
saved_load(const struct saved_from *l, struct str ns, const struct uuid *id,
    struct core_saved **out)
{
	struct loaded *x = mem_new(struct loaded);
	struct core_saved *s = &x->s;
	struct store_state st, head;
	int rc;

	*out = NULL;
	x->arena = ARENA(LOAD_ARENA);
	rc = store_state_get(l->reader, l->owner, l->thread_seq, ns, id,
	    STATE_CHANNELS | STATE_TASKS, &x->arena, &st);
	if (rc != OK) {
		arena_release(&x->arena);
		free(x);
		return rc == ERR_NOTFOUND ? OK : rc;
	}
	*s = (struct core_saved){ .id = st.c.id, .parent = st.c.parent_id,
	    .run_id = st.c.run_id, .step = st.c.step, .source = st.c.source,
	    .snapshot = st.c.snapshot, .head = uuid_is_zero(id) };
	load_values(s, &st, &x->arena);
	rc = load_tasks(l, s, &st, &x->arena);
	carried_load(s, &st, &x->arena);
	load_interrupts(s, st.interrupts, st.interrupts_n, &ns, &x->arena);
	if (rc == OK && l->last)
		rc = load_last(l, s, ns, &st, &x->arena);
	if (rc == OK && !s->head && store_state_get(l->reader, l->owner,
	    l->thread_seq, ns, &(struct uuid){ 0 }, 0, &x->arena, &head) == OK)
		s->head = uuid_eq(&head.c.id, &s->id);
	if (rc == OK)
		rc = input_load(l, s, ns, &x->arena);
	if (rc == OK)
		rc = arena_rc(&x->arena);
	if (rc != OK) {
		saved_free(s);
		return rc;
	}
	*out = s;
	return OK;
}

/* Does the task still come next in its namespace?  One that a command put beside the
 * others is known by its checkpoint alone. */
static bool
task_comes(const struct saved_from *l, struct str ns, const struct uuid *task,
    const struct uuid *checkpoint, struct arena *a)
{
	struct store_state head;
	char id[UUID_TEXT];

	uuid_format(task, id);
	return store_state_get(l->reader, l->owner, l->thread_seq, ns,
	    &(struct uuid){ 0 }, 0, a, &head) == OK &&
	    (uuid_eq(&head.c.id, checkpoint) ||
	    str_contains(head.c.tasks_json, (struct str){ id, UUID_TEXT }));
}

/* A question that was asked again at an old checkpoint does not wait: what the
 * thread goes on with is its newest.  Of "a:T|b:U" T is asked for in "" as well. */
static bool
still_waits(const struct saved_from *l, const struct store_interrupt *i, struct arena *a)
{
	static const struct uuid none;
	struct str rest = i->ns, part;
	bool yes = task_comes(l, i->ns, &i->task, &i->checkpoint, a);

	while (yes && str_next(&rest, '|', &part)) {
		struct str up = { i->ns.p, (size_t)(part.p - i->ns.p) };
		struct uuid task;

		if (part.n < UUID_TEXT || !uuid_parse(str_sub(part, part.n - UUID_TEXT,
		    UUID_TEXT), &task))
			continue;
		up.n -= up.n > 0;            /* the bar */
		yes = task_comes(l, up, &task, &none, a);
	}
	return yes;
}

int
saved_load_waiting(const struct saved_from *l, struct core_saved **out)
{
	struct loaded *x = mem_new(struct loaded);
	struct store_interrupt *rows;
	size_t n;
	int rc;

	x->arena = ARENA(LOAD_ARENA);
	rc = store_interrupts_get(l->reader, l->owner, l->thread_seq, &x->arena, &rows,
	    &n);
	if (rc == OK)
		load_interrupts(&x->s, rows, n, NULL, &x->arena);
	for (size_t i = 0; i < x->s.interrupts_n; i++)
		x->s.interrupts[i].waits = x->s.interrupts[i].waits &&
		    still_waits(l, &rows[i], &x->arena);
	*out = &x->s;
	return rc;
}
