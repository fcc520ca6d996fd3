/*
 * solo_keep.c - what a run by itself keeps in memory; see solo_priv.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "run/saved_priv.h"
#include "run/solo_priv.h"

/* ---- names and values --------------------------------------------------------- */

static struct str
own(struct str s)
{
	return s.p == NULL ? STR_NONE : (struct str){ mem_cstr(s), s.n };
}

static void
add(struct core_name_value **list, size_t *n, struct str name, struct val value)
{
	*list = mem_resize(*list, (*n + 1) * sizeof **list);
	(*list)[(*n)++] = (struct core_name_value){ own(name), val_ref(value) };
}

static void
drop(struct core_name_value **list, size_t *n)
{
	for (size_t i = 0; i < *n; i++) {
		free((char *)(*list)[i].name.p);
		val_drop((*list)[i].value);
	}
	free(*list);
	*list = NULL;
	*n = 0;
}

static void
copy(struct core_name_value **to, size_t *to_n, const struct core_name_value *list,
    size_t n)
{
	for (size_t i = 0; i < n; i++)
		add(to, to_n, list[i].name, list[i].value);
}

static void
drop_records(struct task_record **list, size_t *n)
{
	for (size_t i = 0; i < *n; i++) {
		free((char *)(*list)[i].key.p);
		free((char *)(*list)[i].name.p);
		free((char *)(*list)[i].result_json.p);
	}
	free(*list);
	*list = NULL;
	*n = 0;
}

static void
copy_records(struct task_record **to, size_t *to_n, const struct task_record *list,
    size_t n)
{
	*to = mem_resize(*to, (*to_n + n + 1) * sizeof **to);
	for (size_t i = 0; i < n; i++)
		(*to)[(*to_n)++] = (struct task_record){ own(list[i].key),
		    own(list[i].name), own(list[i].result_json) };
}

/* ---- checkpoints ------------------------------------------------------------------ */

static void
task_clear(struct kept_task *t)
{
	drop(&t->writes, &t->writes_n);
	drop_records(&t->records, &t->records_n);
	t->done = false;
}

static void
state_clear(struct kept_state *s)
{
	for (size_t i = 0; i < s->tasks_n; i++) {
		task_clear(&s->tasks[i]);
		free(s->tasks[i].name);
	}
	free(s->tasks);
	s->tasks = NULL;
	s->tasks_n = 0;
	drop(&s->values, &s->values_n);
	drop(&s->carried, &s->carried_n);
	buf_clear(&s->snapshot);
}

static struct kept_state *
state_find(const struct keep *k, struct str ns)
{
	for (size_t i = 0; i < k->states_n; i++)
		if (str_eq(str_of(k->states[i]->ns), ns))
			return k->states[i];
	return NULL;
}

void
keep_checkpoint(struct keep *k, const struct core_checkpoint *c)
{
	struct kept_state *s = state_find(k, c->ns);

	if (s == NULL) {
		mem_grow(k->states, k->states_n, k->states_cap);
		s = k->states[k->states_n++] = mem_new(struct kept_state);
		s->ns = mem_cstr(c->ns);
		s->snapshot = BUF(LIMIT_STATE_BYTES);
	}
	state_clear(s);
	s->id = c->id;
	s->parent = c->parent;
	s->step = c->step;
	s->source = c->source;
	buf_add(&s->snapshot, c->snapshot);
	for (size_t i = 0; i < channels_count(c->state); i++)
		if (channels_get(c->state, i).kind != VAL_UNDEFINED)
			add(&s->values, &s->values_n, channels_def(c->state, i)->name,
			    channels_get(c->state, i));
	s->tasks = mem_zero((c->tasks_n + 1) * sizeof *s->tasks);
	for (size_t i = 0; i < c->tasks_n; i++)
		s->tasks[s->tasks_n++] = (struct kept_task){ .id = c->tasks[i]->id,
		    .serial = c->tasks[i]->serial,
		    .name = mem_cstr(c->tasks[i]->name) };
}

/* ---- of its tasks -------------------------------------------------------------------- */

static struct kept_task *
task_find(const struct keep *k, const struct core_task *t)
{
	struct kept_state *s = state_find(k, str_of(t->scope->ns));

	for (size_t i = 0; s != NULL && i < s->tasks_n; i++)
		if (uuid_eq(&s->tasks[i].id, &t->id))
			return &s->tasks[i];
	return NULL;
}

void
keep_writes(struct keep *k, const struct core_task *t, bool failed)
{
	struct kept_task *x = task_find(k, t);

	if (x == NULL || failed)
		return;
	drop(&x->writes, &x->writes_n);
	copy(&x->writes, &x->writes_n, t->writes, t->writes_n);
	x->done = true;
}

void
keep_records(struct keep *k, const struct core_task *t, const struct task_record *r,
    size_t n)
{
	struct kept_task *x = task_find(k, t);

	if (x != NULL)
		copy_records(&x->records, &x->records_n, r, n);
}

void
keep_carry(struct keep *k, const struct core_task *t, struct str name, struct val value)
{
	struct kept_state *s = state_find(k, str_of(t->scope->ns));

	if (s != NULL)
		add(&s->carried, &s->carried_n, name, value);
}

void
keep_drop(struct keep *k, const struct core_task *t)
{
	struct kept_task *x = task_find(k, t);

	if (x != NULL)
		task_clear(x);
}

void
keep_start(struct keep *k, struct val values, const struct uuid *id, int step)
{
	struct kept_state *s = mem_new(struct kept_state);

	s->ns = mem_cstr(STR_NONE);
	s->id = *id;
	s->step = step;
	s->source = SOURCE_LOOP;
	s->snapshot = BUF(LIMIT_STATE_BYTES);
	s->values = mem_zero((val_count(values) + 1) * sizeof *s->values);
	for (size_t i = 0; i < val_count(values); i++)
		s->values[s->values_n++] = (struct core_name_value){
		    own(val_key(values, i)), val_ref(val_member(values, i)) };
	mem_grow(k->states, k->states_n, k->states_cap);
	k->states[k->states_n++] = s;
}

/* ---- questions ------------------------------------------------------------------------- */

void
keep_interrupt(struct keep *k, const struct core_interrupt *i)
{
	struct core_interrupt *x;

	for (size_t n = 0; n < k->asked_n; n++)
		if (uuid_eq(&k->asked[n].id, &i->id))
			return;
	mem_grow(k->asked, k->asked_n, k->asked_cap);
	x = &k->asked[k->asked_n++];
	*x = *i;
	x->ns = own(i->ns);
	x->key = own(i->key);
	x->value = val_ref(i->value);
	x->schema = val_ref(i->schema);
	x->answer = VAL_UNDEF;
	x->waits = true;
}

void
keep_answer(struct keep *k, const struct core_interrupt *i, struct val value)
{
	for (size_t n = 0; n < k->asked_n; n++) {
		struct core_interrupt *x = &k->asked[n];

		if (!uuid_eq(&x->id, &i->id))
			continue;
		x->answer = val_ref(value);
		x->waits = false;
	}
}

const struct core_interrupt *
keep_first_due(const struct keep *k)
{
	const struct core_interrupt *first = NULL;

	for (size_t n = 0; n < k->asked_n; n++) {
		const struct core_interrupt *x = &k->asked[n];

		if (x->waits && x->due > 0 && (first == NULL || x->due < first->due))
			first = x;
	}
	return first;
}

void
keep_void(struct keep *k)
{
	for (size_t n = 0; n < k->asked_n; n++) {
		struct core_interrupt *x = &k->asked[n];
		const struct kept_state *s = state_find(k, x->ns);

		if (s == NULL || !uuid_eq(&s->id, &x->checkpoint))
			x->waits = false;
	}
}

/* ---- read back ---------------------------------------------------------------------------- */

static void
saved_tasks(struct core_saved *out, const struct kept_state *s)
{
	out->tasks = mem_zero((s->tasks_n + 1) * sizeof *out->tasks);
	for (size_t i = 0; i < s->tasks_n; i++) {
		const struct kept_task *t = &s->tasks[i];
		struct core_saved_task *x = &out->tasks[out->tasks_n++];

		x->id = t->id;
		x->serial = t->serial;
		x->name = own(str_of(t->name));
		x->done = t->done;
		copy(&x->writes, &x->writes_n, t->writes, t->writes_n);
		copy_records(&x->records, &x->records_n, t->records, t->records_n);
	}
}

/* Their texts are the keeper's, which never lets one go. */
static void
saved_interrupts(struct core_saved *out, const struct keep *k, struct str ns)
{
	out->interrupts = mem_alloc((k->asked_n + 1) * sizeof *out->interrupts);
	for (size_t i = 0; i < k->asked_n; i++)
		if (str_eq(k->asked[i].ns, ns))
			out->interrupts[out->interrupts_n++] = k->asked[i];
}

struct core_saved *
keep_load(const struct keep *k, struct str ns)
{
	const struct kept_state *s = state_find(k, ns);
	struct core_saved *out;

	if (s == NULL)
		return NULL;
	out = mem_new(struct core_saved);
	out->id = s->id;
	out->parent = s->parent;
	out->step = s->step;
	out->source = s->source;
	out->head = true;
	out->snapshot = own(buf_str(&s->snapshot));
	copy(&out->values, &out->values_n, s->values, s->values_n);
	copy(&out->carried, &out->carried_n, s->carried, s->carried_n);
	saved_tasks(out, s);
	saved_interrupts(out, k, ns);
	return out;
}

void
keep_saved_free(struct core_saved *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->tasks_n; i++) {
		free((char *)s->tasks[i].name.p);
		drop(&s->tasks[i].writes, &s->tasks[i].writes_n);
		drop_records(&s->tasks[i].records, &s->tasks[i].records_n);
	}
	free(s->tasks);
	free(s->interrupts);
	drop(&s->values, &s->values_n);
	drop(&s->carried, &s->carried_n);
	free((char *)s->snapshot.p);
	free(s);
}

/* ---- items -------------------------------------------------------------------------------- */

static struct kept_item *
item_find(const struct keep *k, const struct task_store *s)
{
	for (size_t i = 0; i < k->items_n; i++)
		if (str_eq(str_of(k->items[i].ns), s->ns) &&
		    str_eq(str_of(k->items[i].key), s->key))
			return &k->items[i];
	return NULL;
}

static void
item_free(struct kept_item *x)
{
	free(x->ns);
	free(x->key);
	val_drop(x->value);
}

static void
item_drop(struct keep *k, struct kept_item *x)
{
	item_free(x);
	k->items_n--;
	memmove(x, x + 1, (size_t)(k->items + k->items_n - x) * sizeof *x);
}

/* The newest change is the last. */
static void
item_put(struct keep *k, const struct task_store *s, msec now)
{
	struct kept_item *x = item_find(k, s);
	msec created = x != NULL ? x->created : now;

	if (x != NULL)
		item_drop(k, x);
	mem_grow(k->items, k->items_n, k->items_cap);
	k->items[k->items_n++] = (struct kept_item){ .ns = mem_cstr(s->ns),
	    .key = mem_cstr(s->key), .value = val_ref(s->value), .created = created,
	    .updated = now };
}

/* Do labels begin with those of ns? */
static bool
is_below(struct str labels, struct str ns)
{
	return ns.n == 0 || (str_starts(labels, ns) &&
	    (labels.n == ns.n || labels.p[ns.n] == '.'));
}

static struct val
item_shown(const struct kept_item *x)
{
	struct store_item i = { .ns = str_of(x->ns), .key = str_of(x->key),
	    .created = x->created, .updated = x->updated };
	struct buf json = BUF(LIMIT_STATE_BYTES);
	struct val v;

	val_add_json(&json, x->value);
	i.value_json = buf_str(&json);
	v = saved_item(&i);
	buf_release(&json);
	return v;
}

static int
item_fits(const struct kept_item *x, const struct task_store *s, struct str filter_json,
    bool *yes, struct err *e)
{
	struct buf json = BUF(LIMIT_STATE_BYTES);
	int rc = OK;

	*yes = is_below(str_of(x->ns), s->ns);
	val_add_json(&json, x->value);
	if (*yes)
		rc = item_filter_test(filter_json, buf_str(&json), yes, e);
	buf_release(&json);
	return rc;
}

/* As a search of the server's store: the newest change first.  There is no index of
 * words or vectors, so a query finds what the filter does. */
static int
item_search(const struct keep *k, const struct task_store *s, struct val *list, struct err *e)
{
	struct buf filter = BUF(LIMIT_FILTER_BYTES);
	int64_t at = 0;
	bool yes;
	int rc;

	if (s->filter.kind == VAL_UNDEFINED)
		buf_lit(&filter, "{}");
	else
		val_add_json(&filter, s->filter);
	rc = item_filter_test(buf_str(&filter), S("{}"), &yes, e);
	for (size_t i = k->items_n; rc == OK && i-- > 0; ) {
		rc = item_fits(&k->items[i], s, buf_str(&filter), &yes, e);
		if (rc != OK || !yes)
			continue;
		if (at >= s->offset && at - s->offset < s->limit)
			*list = val_push_take(*list, item_shown(&k->items[i]));
		at++;
	}
	buf_release(&filter);
	return rc;
}

void
keep_store(struct keep *k, struct task_store *s, msec now)
{
	struct kept_item *x = item_find(k, s);
	struct val result = VAL_NIL;
	struct err e = { 0 };
	int rc = OK;

	if (s->op == TASK_STORE_GET && x != NULL)
		result = item_shown(x);
	else if (s->op == TASK_STORE_PUT)
		item_put(k, s, now);
	else if (s->op == TASK_STORE_SEARCH) {
		result = val_array_empty();
		rc = item_search(k, s, &result, &e);
	} else if (s->op == TASK_STORE_DELETE && x != NULL)
		item_drop(k, x);
	s->done(s, rc, result, &e);
	val_drop(result);
}

void
keep_release(struct keep *k)
{
	for (size_t i = 0; i < k->states_n; i++) {
		state_clear(k->states[i]);
		buf_release(&k->states[i]->snapshot);
		free(k->states[i]->ns);
		free(k->states[i]);
	}
	for (size_t i = 0; i < k->asked_n; i++) {
		free((char *)k->asked[i].ns.p);
		free((char *)k->asked[i].key.p);
		val_drop(k->asked[i].value);
		val_drop(k->asked[i].schema);
		val_drop(k->asked[i].answer);
	}
	for (size_t i = 0; i < k->items_n; i++)
		item_free(&k->items[i]);
	free(k->states);
	free(k->asked);
	free(k->items);
}
