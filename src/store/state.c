/*
 * state.c - reading states: a checkpoint with its channels and tasks.
 *
 * States of one page mostly share their lists and values, so what several need
 * is read once: a list as far as the longest state needs it, a value by its
 * version.  Of lists that share a beginning the entries are read once too.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "store/store_priv.h"

/* ---- a checkpoint ---------------------------------------------------------- */

static int
task_error_read(struct db *db, int64_t thread, struct arena *a,
    struct store_checkpoint *c)
{
	struct query q = query_of(db, SQL_WRITE_AT, db_i64(thread),
	    db_uuid(&c->task_id), db_i64(WRITE_ERROR));
	int rc = query_row(&q);

	if (rc == OK)
		c->task_error = query_str(&q, 0, a);
	query_end(&q);
	return rc == ERR_NOTFOUND ? OK : rc;
}

/* What the run room before steppers reads. */
static int
checkpoint_derive(struct db *db, int64_t thread, struct arena *a,
    struct store_checkpoint *c)
{
	const struct channel_ref *r;
	struct channel_map channels = { 0 };
	struct task_ref *tasks;
	size_t n;
	int rc = channels_parse(&channels, c->channels_json, a);

	c->next = c->task_error = STR_NONE;
	c->task_id = (struct uuid){ { 0 } };
	r = channels_ref(&channels, S("messages"));
	c->list = rc == OK && r != NULL ? r->list : 0;
	c->len = rc == OK && r != NULL ? r->len : 0;
	if (rc == OK)
		rc = tasks_parse(c->tasks_json, a, &tasks, &n);
	if (rc != OK || n == 0)
		return rc == ERR_INVALID ? ERR_IO : rc;
	c->next = tasks[0].name;
	c->task_id = tasks[0].id;
	return task_error_read(db, thread, a, c);
}

int
checkpoint_read(struct db *db, const struct query *q, int64_t thread,
    struct arena *a, struct store_checkpoint *out)
{
	int rc;

	memset(out, 0, sizeof *out);
	rc = query_read(q, &store_checkpoint_record, out, a);
	return rc == OK ? checkpoint_derive(db, thread, a, out) : rc;
}

/* ---- channels of several states -------------------------------------------- */

struct loaded {                              /* a list, as far as it is needed */
	int64_t list, base;
	uint32_t base_len, len;
	struct str *entries;
};

struct value {
	struct value_key {
		struct str name;
		int64_t version;
	} key;
	struct str type, body;
};

struct fill {
	struct db *db;
	int64_t thread;
	struct arena *a;
	struct channel_map *channels;           /* by state */
	struct loaded *lists;
	size_t lists_n, lists_cap;
	struct map values;                   /* struct value by its key */
	bool shares;                         /* there are several states */
};

static uint64_t
value_hash(const void *key)
{
	const struct value_key *k = key;

	return str_hash_keyed(k->name) ^ (uint64_t)k->version * 0x9e3779b97f4a7c15u;
}

static const void *
value_key(const void *value)
{
	return &((const struct value *)value)->key;
}

static bool
value_is(const void *value, const void *key)
{
	const struct value_key *a = value_key(value), *b = key;

	return a->version == b->version && str_eq(a->name, b->name);
}

static struct loaded *
list_of(struct fill *f, int64_t list)
{
	for (size_t i = f->lists_n; i > 0; i--)
		if (f->lists[i - 1].list == list)
			return &f->lists[i - 1];
	return NULL;
}

static int
list_want(struct fill *f, int64_t list, uint32_t len)
{
	struct loaded *l = list_of(f, list);

	if (len == 0)
		return OK;
	if (l == NULL) {
		if (!arena_grow(f->a, f->lists, f->lists_n, f->lists_cap))
			return ERR_TOOBIG;
		l = &f->lists[f->lists_n++];
		*l = (struct loaded){ .list = list };
	}
	l->len = l->len > len ? l->len : len;
	return OK;
}

/* Bases have smaller numbers than what is based on them, so in descending order
 * every list is known as far as it is needed when its base is asked for. */
static int
by_number(const void *a, const void *b)
{
	const struct loaded *x = a, *y = b;

	return x->list < y->list ? -1 : x->list > y->list;
}

static int
bases_want(struct fill *f)
{
	int64_t below = INT64_MAX;
	int rc = OK;

	while (rc == OK) {
		struct loaded *l = NULL;
		uint32_t len;

		for (size_t i = 0; i < f->lists_n; i++)
			if (f->lists[i].list < below &&
			    (l == NULL || f->lists[i].list > l->list))
				l = &f->lists[i];
		if (l == NULL)
			break;
		below = l->list;
		rc = lists_base(f->db, l->list, &l->base, &l->base_len);
		len = l->base_len < l->len ? l->base_len : l->len;
		if (rc == OK && l->base >= l->list)
			rc = ERR_IO;                 /* damaged */
		if (rc == OK && l->base != 0)
			rc = list_want(f, l->base, len);
	}
	return rc;
}

static int
list_load(struct fill *f, struct loaded *l)
{
	const struct loaded *base = l->base == 0 ? NULL : list_of(f, l->base);
	uint32_t from = base == NULL ? 0 : l->base_len < l->len ? l->base_len : l->len;

	l->entries = arena_alloc(f->a, (l->len + 1) * sizeof *l->entries);
	if (l->entries == NULL)
		return ERR_TOOBIG;
	if (from > 0)
		memcpy(l->entries, base->entries, from * sizeof *l->entries);
	return lists_read_into(f->db, l->list, from, l->len, f->a, l->entries + from);
}

/* A single one needs no look at its base: that shows when it is read. */
static int
lists_load(struct fill *f)
{
	int rc = f->lists_n > 1 ? bases_want(f) : OK;

	if (f->lists_n > 1)
		qsort(f->lists, f->lists_n, sizeof *f->lists, by_number);
	for (size_t i = 0; rc == OK && i < f->lists_n; i++)
		rc = list_load(f, &f->lists[i]);
	return rc;
}

static int
value_read(struct fill *f, const struct store_state *s, const struct value_key *k,
    struct value **out)
{
	struct value *v = arena_new(f->a, struct value);
	struct query q;
	int rc;

	*out = v;
	if (v == NULL)
		return ERR_TOOBIG;
	v->key = *k;
	q = query_of(f->db, SQL_CHANNEL_GET, db_i64(f->thread), db_text(s->c.ns),
	    db_str(k->name), db_i64(k->version));
	rc = query_row(&q);
	if (rc == OK) {
		v->type = query_str(&q, 0, f->a);
		v->body = query_str(&q, 1, f->a);
	}
	query_end(&q);
	return rc == ERR_NOTFOUND ? ERR_IO : rc;     /* the checkpoint names it */
}

static int
value_fill(struct fill *f, const struct store_state *s, const struct channel_ref *r,
    struct store_channel *out)
{
	const struct value_key k = { r->name, r->value };
	struct value *v = f->shares ? map_get(&f->values, &k) : NULL;
	int rc = OK;

	if (v == NULL) {
		rc = value_read(f, s, &k, &v);
		if (rc == OK && f->shares)
			map_put(&f->values, v);
	}
	if (rc == OK) {
		out->type = v->type;
		out->body = v->body;
	}
	return rc == OK ? arena_rc(f->a) : rc;
}

static int
channels_fill(struct fill *f, struct store_state *s, const struct channel_map *c)
{
	int rc = OK;

	s->channels = arena_zero(f->a, (c->n + 1) * sizeof *s->channels);
	if (s->channels == NULL)
		return ERR_TOOBIG;
	s->channels_n = c->n;
	for (size_t i = 0; rc == OK && i < c->n; i++) {
		const struct channel_ref *r = &c->at[i];
		struct store_channel *out = &s->channels[i];

		out->name = r->name;
		out->version = r->version;
		out->is_list = r->is_list;
		if (!r->is_list) {
			rc = value_fill(f, s, r, out);
		} else if (r->len > 0) {
			out->entries = list_of(f, r->list)->entries;
			out->entries_n = r->len;
		}
	}
	return rc;
}

/* The lists that all states need, then each state. */
static int
channels_load(struct fill *f, struct store_state *const *states, size_t n)
{
	int rc = OK;

	f->channels = arena_zero(f->a, (n + 1) * sizeof *f->channels);
	if (f->channels == NULL)
		return ERR_TOOBIG;
	for (size_t i = 0; rc == OK && i < n; i++) {
		struct channel_map *c = &f->channels[i];

		rc = channels_parse(c, states[i]->c.channels_json, f->a);
		for (size_t j = 0; rc == OK && j < c->n; j++)
			if (c->at[j].is_list)
				rc = list_want(f, c->at[j].list, c->at[j].len);
	}
	if (rc == OK)
		rc = lists_load(f);
	for (size_t i = 0; rc == OK && i < n; i++)
		rc = channels_fill(f, states[i], &f->channels[i]);
	return rc;
}

const struct store_channel *
state_channel(const struct store_state *s, struct str name)
{
	for (size_t i = 0; i < s->channels_n; i++)
		if (str_eq(s->channels[i].name, name))
			return &s->channels[i];
	return NULL;
}

/* ---- tasks ------------------------------------------------------------------ */

static int
by_path(const void *a, const void *b)
{
	const struct store_write *x = a, *y = b;
	int order = str_cmp(x->path, y->path);

	if (order == 0)
		order = memcmp(x->task.b, y->task.b, sizeof x->task.b);
	return order != 0 ? order : (x->idx > y->idx) - (x->idx < y->idx);
}

#define C(member) DB_COLUMN(struct store_write, member)
static const struct db_column write_columns[] = {
	C(task), C(idx), C(path), C(channel), C(type), C(body),
};
#undef C
static const struct db_record write_record = DB_RECORD(write_columns);

static int
writes_load(const struct fill *f, struct store_state *s, const struct uuid *task,
    size_t *cap)
{
	struct query q = query_of(f->db, SQL_WRITES_OF, db_i64(f->thread),
	    db_uuid(task));
	int rc = OK;

	while (rc == OK) {
		rc = query_row(&q);
		if (rc == OK && !arena_grow(f->a, s->writes, s->writes_n, *cap))
			rc = ERR_TOOBIG;
		if (rc == OK)
			rc = query_read(&q, &write_record, &s->writes[s->writes_n++], f->a);
	}
	query_end(&q);
	return rc == ERR_NOTFOUND ? OK : rc;
}

static int
by_task(const void *a, const void *b)
{
	const struct store_write *x = *(const struct store_write *const *)a;
	const struct store_write *y = *(const struct store_write *const *)b;
	int order = memcmp(x->task.b, y->task.b, sizeof x->task.b);

	return order != 0 ? order : (x > y) - (x < y);
}

static int
writes_sort(const struct fill *f, struct store_state *s)
{
	s->by_task = arena_alloc(f->a, (s->writes_n + 1) * sizeof *s->by_task);
	if (s->by_task == NULL)
		return ERR_TOOBIG;
	if (s->writes_n > 1)
		qsort(s->writes, s->writes_n, sizeof *s->writes, by_path);
	for (size_t i = 0; i < s->writes_n; i++)
		s->by_task[i] = &s->writes[i];
	if (s->writes_n > 1)
		qsort(s->by_task, s->writes_n, sizeof *s->by_task, by_task);
	return OK;
}

size_t
store_writes_of(const struct store_state *s, const struct uuid *task,
    const struct store_write *const **out)
{
	size_t low = 0, high = s->by_task == NULL ? 0 : s->writes_n, n = 0;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (memcmp(s->by_task[mid]->task.b, task->b, sizeof task->b) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	*out = s->by_task == NULL ? NULL : s->by_task + low;
	while (s->by_task != NULL && low + n < s->writes_n &&
	    uuid_eq(&(*out)[n]->task, task))
		n++;
	return n;
}

/* Those that wait below one of the tasks; what is void goes. */
static void
interrupts_sift(struct store_state *s, const struct task_ref *tasks, size_t n,
    size_t own)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->interrupts_n; i++) {
		const struct store_interrupt *x = &s->interrupts[i];
		bool keep = i < own && x->state != INTERRUPT_VOID;

		for (size_t j = 0; i >= own && !keep && j < n; j++) {
			char part[UUID_TEXT + 1] = ":";

			uuid_format(&tasks[j].id, part + 1);
			keep = str_contains(x->ns, (struct str){ part, sizeof part });
		}
		if (keep)
			s->interrupts[kept++] = *x;
	}
	s->interrupts_n = kept;
}

static int
tasks_fill(const struct fill *f, struct store_state *s)
{
	struct task_ref *tasks;
	struct query q;
	size_t n, cap = 0, asked = 0, own;
	int rc = tasks_parse(s->c.tasks_json, f->a, &tasks, &n);

	if (rc != OK || n == 0)
		return rc == ERR_INVALID ? ERR_IO : rc;
	for (size_t i = 0; rc == OK && i < n; i++) {
		rc = writes_load(f, s, &tasks[i].id, &cap);
		q = query_of(f->db, SQL_INTERRUPTS_OF_TASK, db_i64(f->thread),
		    db_uuid(&tasks[i].id));
		if (rc == OK)
			rc = interrupts_load(&q, f->a, SIZE_MAX, &s->interrupts,
			    &s->interrupts_n, &asked);
	}
	own = s->interrupts_n;
	q = query_of(f->db, SQL_INTERRUPTS_OF, db_i64(f->thread));
	if (rc == OK)
		rc = interrupts_load(&q, f->a, SIZE_MAX, &s->interrupts,
		    &s->interrupts_n, &asked);
	if (rc != OK)
		return rc;
	interrupts_sift(s, tasks, n, own);
	return writes_sort(f, s);
}

int
states_fill(struct db *db, int64_t thread, struct store_state *const *states,
    size_t n, unsigned what, struct arena *a)
{
	struct fill f = { .db = db, .thread = thread, .a = a, .shares = n > 1 };
	int rc = OK;

	map_init(&f.values, value_hash, value_is, value_key);
	if (what & STATE_CHANNELS)
		rc = channels_load(&f, states, n);
	for (size_t i = 0; rc == OK && i < n && (what & STATE_TASKS); i++)
		rc = tasks_fill(&f, states[i]);
	map_release(&f.values);
	return rc;
}

/* ---- the one after ---------------------------------------------------------- */

int
state_child(struct db *db, owner_t owner, int64_t thread, const struct store_state *s,
    struct arena *a, struct store_state **out)
{
	int64_t seq = 0;
	struct query q;
	int rc = query_one_i64(query_of(db, SQL_CHECKPOINT_CHILD, db_i64(thread),
	    db_text(s->c.ns), db_uuid(&s->c.id), db_i64(s->c.seq)), &seq);

	*out = NULL;
	if (rc != OK)
		return rc == ERR_NOTFOUND ? OK : rc;
	*out = arena_new(a, struct store_state);
	if (*out == NULL)
		return ERR_TOOBIG;
	q = query_of(db, SQL_CHECKPOINT_AT, db_i64(thread), db_i64(owner), db_i64(seq));
	rc = query_row(&q);
	if (rc == OK)
		rc = checkpoint_read(db, &q, thread, a, &(*out)->c);
	query_end(&q);
	return rc;
}

/* ---- point reads ------------------------------------------------------------ */

static struct query
state_query(struct db *db, owner_t o, int64_t thread, struct str ns,
    const struct uuid *id, unsigned what)
{
	if (!uuid_is_zero(id))
		return query_of(db, what & STATE_BEFORE ? SQL_CHECKPOINT_BEFORE :
		    SQL_CHECKPOINT_FIND, db_i64(thread), db_i64(o), db_text(ns),
		    db_uuid(id));
	return ns.n == 0 ? query_of(db, SQL_CHECKPOINT_LATEST, db_i64(thread),
	    db_i64(o)) : query_of(db, SQL_CHECKPOINT_HEAD, db_i64(thread), db_i64(o),
	    db_text(ns));
}

int
store_state_get(struct store_reader *r, owner_t o, int64_t thread_seq, struct str ns,
    const struct uuid *id, unsigned what, struct arena *a, struct store_state *out)
{
	struct db *db = reader_db(r);
	struct store_state *states[2] = { out, NULL };
	struct query q = state_query(db, o, thread_seq, ns, id, what);
	int rc = query_row(&q);

	memset(out, 0, sizeof *out);
	if (rc == OK)
		rc = checkpoint_read(db, &q, thread_seq, a, &out->c);
	query_end(&q);
	if (rc == OK && (what & STATE_CHILD))
		rc = state_child(db, o, thread_seq, out, a, &states[1]);
	if (rc == OK)
		rc = states_fill(db, thread_seq, states, states[1] != NULL ? 2 : 1,
		    what & STATE_CHANNELS, a);
	if (rc == OK)
		rc = states_fill(db, thread_seq, states, 1, what & STATE_TASKS, a);
	out->child = states[1];
	return rc;
}

int
store_namespaces_get(struct store_reader *r, owner_t o, int64_t thread_seq,
    struct str below, struct arena *a, struct str **out, size_t *n)
{
	struct str at = arena_join(a, below, below.n > 0 ? S("|") : S(""), S(""));
	struct str prefix = at;
	size_t cap = 0;
	int rc = arena_rc(a);

	*out = NULL;
	*n = 0;
	while (rc == OK && *n < LIMIT_NAMESPACES) {
		struct query q = query_of(reader_db(r), SQL_NAMESPACE_NEXT,
		    db_i64(thread_seq), db_i64(o), db_text(at));

		rc = query_row(&q);
		if (rc == OK)
			at = query_str(&q, 0, a);
		query_end(&q);
		if (rc == OK && !str_starts(at, prefix))
			break;
		if (rc == OK && !arena_grow(a, *out, *n, cap))
			rc = ERR_TOOBIG;
		if (rc == OK)
			(*out)[(*n)++] = at;
	}
	return rc == ERR_NOTFOUND ? OK : rc;
}

int
store_interrupts_get(struct store_reader *r, owner_t o, int64_t thread_seq,
    struct arena *a, struct store_interrupt **out, size_t *n)
{
	struct query q;
	size_t cap = 0;
	int rc = query_any(query_of(reader_db(r), SQL_THREAD_AT, db_i64(thread_seq),
	    db_i64(o)));

	*out = NULL;
	*n = 0;
	if (rc != OK)
		return rc;
	q = query_of(reader_db(r), SQL_INTERRUPTS_OF, db_i64(thread_seq));
	rc = interrupts_load(&q, a, SIZE_MAX, out, n, &cap);
	if (rc != OK)
		return rc;
	q = query_of(reader_db(r), SQL_INTERRUPTS_GIVEN, db_i64(thread_seq));
	return interrupts_load(&q, a, SIZE_MAX, out, n, &cap);
}

#define C(member) DB_COLUMN(struct store_record, member)
static const struct db_column record_columns[] = {
	C(task), C(key), C(name), C(result),
};
#undef C
static const struct db_record record_record = DB_RECORD(record_columns);

int
store_records_get(struct store_reader *r, owner_t o, int64_t thread_seq,
    const struct uuid *task, struct arena *a, struct store_record **out, size_t *n)
{
	struct query q;
	int rc = query_any(query_of(reader_db(r), SQL_THREAD_AT, db_i64(thread_seq),
	    db_i64(o)));

	*out = NULL;
	*n = 0;
	if (rc != OK)
		return rc;
	q = query_of(reader_db(r), SQL_RECORDS_OF, db_i64(thread_seq), db_uuid(task));
	*out = query_all(&q, &record_record, sizeof **out, a, n, &rc);
	return rc;
}

int
store_agent_get(struct store_reader *r, struct str hash, struct arena *a,
    struct store_agent *out)
{
	struct query q = query_of(reader_db(r), SQL_AGENT_GET, db_blob(hash));
	int rc = query_row(&q);

	if (rc == OK)
		*out = (struct store_agent){ arena_str(a, hash), query_str(&q, 0, a),
		    query_str(&q, 1, a) };
	query_end(&q);
	return rc == OK ? arena_rc(a) : rc;
}
