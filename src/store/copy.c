/*
 * copy.c - a thread with the history of another.
 *
 * Rows are copied, entries of lists are not: each list of the source becomes the
 * base of one of the copy's.  Checkpoints keep their ids and get numbers of their
 * own; what their runs add to their metadata moves into `extra`, for the copy has
 * no runs.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "store/store_priv.h"

struct old {                                 /* a checkpoint of the source */
	int64_t seq, parent;
	struct str channels, extra;
};
struct shared {                              /* a list of the source */
	int64_t old, fresh;
	uint32_t len;
};

struct copying {
	struct store *st;
	struct store_thread_copy *x;
	int64_t from, until;
	int64_t first;                       /* number of the first checkpoint */
	struct old *old;                     /* in the order of their numbers */
	size_t n, cap;
	struct shared *lists;
	size_t lists_n, lists_cap;
};

static struct shared *
list_find(struct copying *k, int64_t list)
{
	for (size_t i = k->lists_n; i > 0; i--)
		if (k->lists[i - 1].old == list)
			return &k->lists[i - 1];
	return NULL;
}

static int
lists_note(struct copying *k, const struct channel_map *c)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct channel_ref *r = &c->at[i];
		struct shared *s = r->is_list ? list_find(k, r->list) : NULL;

		if (!r->is_list)
			continue;
		if (s == NULL) {
			if (!arena_grow(&k->st->scratch, k->lists, k->lists_n,
			    k->lists_cap))
				return ERR_TOOBIG;
			s = &k->lists[k->lists_n++];
			*s = (struct shared){ .old = r->list };
		}
		s->len = r->len > s->len ? r->len : s->len;
	}
	return OK;
}

/* Of checkpoints of one run the texts are mostly the same. */
static int
old_read(struct copying *k, const struct query *q, int64_t *run, struct str *base)
{
	struct arena *a = &k->st->scratch;
	struct channel_map c = { 0 };
	struct old *o;
	int rc;

	if (!arena_grow(a, k->old, k->n, k->cap))
		return ERR_TOOBIG;
	o = &k->old[k->n++];
	*o = (struct old){ .seq = query_i64(q, 0), .parent = query_i64(q, 1),
	    .channels = query_str(q, 2, a), .extra = query_str(q, 5, a) };
	if (query_i64(q, 3) != *run) {
		*run = query_i64(q, 3);
		*base = query_str(q, 4, a);
	}
	if (o->extra.n == 0 || base->n == 0)
		o->extra = o->extra.n == 0 ? *base : o->extra;
	else if (records_merge(a, *base, o->extra, &o->extra, NULL) != OK)
		return ERR_IO;
	rc = channels_parse(&c, o->channels, a);
	return rc == OK ? lists_note(k, &c) : rc;
}

static int
source_read(struct copying *k)
{
	struct query q = query_of(&k->st->w, SQL_CHECKPOINTS_OF, db_i64(k->from));
	struct str base = STR_NONE;
	int64_t run = 0;
	int rc = query_row(&q);

	for (; rc == OK && query_i64(&q, 0) <= k->until; rc = rc == OK ? query_row(&q) : rc)
		rc = old_read(k, &q, &run, &base);
	query_end(&q);
	return rc == ERR_NOTFOUND ? arena_rc(&k->st->scratch) : rc;
}

static int
lists_share(struct copying *k)
{
	int rc = OK;

	for (size_t i = 0; rc == OK && i < k->lists_n; i++) {
		struct shared *s = &k->lists[i];

		rc = s->len == 0 ? lists_begin_empty(k->st, k->x->t.seq, &s->fresh) :
		    lists_begin(k->st, k->x->t.seq, s->old, s->len, &s->fresh);
	}
	return rc;
}

/* The copy's number of a checkpoint; 0 of none. */
static int64_t
number_of(const struct copying *k, int64_t seq)
{
	size_t low = 0, high = k->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (k->old[mid].seq < seq)
			low = mid + 1;
		else
			high = mid;
	}
	return low < k->n && k->old[low].seq == seq ? k->first + (int64_t)low : 0;
}

static int
checkpoint_copy(struct copying *k, const struct old *o)
{
	struct channel_map c = { 0 };
	struct buf *map = &k->st->map;
	int rc = channels_parse(&c, o->channels, &k->st->scratch);

	for (size_t i = 0; rc == OK && i < c.n; i++)
		if (c.at[i].is_list)
			c.at[i].list = list_find(k, c.at[i].list)->fresh;
	buf_clear(map);
	channels_add_json(map, &c);
	return rc != OK ? rc : db_run(&k->st->w, SQL_CHECKPOINT_COPY, db_i64(o->seq),
	    db_i64(number_of(k, o->seq)), db_i64(k->x->t.seq),
	    db_i64(number_of(k, o->parent)), db_str(buf_str(map)), db_str(o->extra));
}

static int
rows_copy(struct copying *k)
{
	static const enum sql parts[] = { SQL_CHANNEL_COPY, SQL_WRITE_COPY,
	    SQL_RECORD_COPY, SQL_INTERRUPT_COPY };
	int rc = OK;

	k->first = store_seq_take(k->st, SEQ_CHECKPOINT, (int64_t)k->n);
	for (size_t i = 0; rc == OK && i < k->n; i++)
		rc = checkpoint_copy(k, &k->old[i]);
	/* Of a step that begins anew nothing is done. */
	for (size_t i = 0; rc == OK && i < (k->until < INT64_MAX ? 1 : COUNT(parts)); i++)
		rc = db_run(&k->st->w, parts[i], db_i64(k->from), db_i64(k->x->t.seq));
	return rc == OK ? saver_copy(&k->st->w, k->from, k->x->t.seq, &k->x->until) : rc;
}

/* x->t is the source, and becomes the copy. */
static int
thread_insert(struct copying *k)
{
	struct store_thread_copy *x = k->x;
	struct store_thread *t = &x->t;
	struct uuid assistant;
	int rc = records_merge(x->cmd.arena, t->metadata_json, x->metadata_json,
	    &t->metadata_json, &x->cmd.err);

	if (rc != OK)
		return rc;
	assistant = records_assistant(t->metadata_json);
	t->id = x->id;
	t->seq = store_seq_next(k->st, SEQ_THREAD);
	t->status = t->status == THREAD_BUSY ? THREAD_IDLE : t->status;
	t->created = t->updated = x->now;
	t->ttl = k->st->thread_ttl;
	t->expires = t->ttl.ms == 0 ? 0 : x->now + t->ttl.ms;
	rc = db_run(&k->st->w, SQL_THREAD_COPY, db_i64(t->seq), db_uuid(&t->id),
	    db_i64(x->cmd.owner), db_i64(t->status), db_i64(t->created),
	    db_i64(t->updated), db_uuid(&assistant), db_json(t->metadata_json),
	    db_json(t->config_json), db_str(t->error_json), db_i64(t->state_updated),
	    db_i64(t->ttl.ms), db_i64(t->ttl.strategy), db_i64(t->expires));
	if (rc == OK && db_changes(&k->st->w) == 0)
		rc = err_set(&x->cmd.err, ERR_CONFLICT, "Thread already exists");
	return rc == OK ? threads_index(k->st, x->cmd.owner, t) : rc;
}

/* The number of the checkpoint that is to be the newest. */
static int
find_until(struct copying *k)
{
	struct store_thread_copy *x = k->x;
	struct query q;
	int rc;

	k->until = INT64_MAX;
	if (uuid_is_zero(&x->until))
		return OK;
	q = query_of(&k->st->w, SQL_PLACE_FIND, db_i64(k->from), db_text(S("")),
	    db_uuid(&x->until));
	rc = query_row(&q);
	if (rc == OK)
		k->until = x->t.checkpoint = query_i64(&q, 0);
	query_end(&q);
	x->t.error_json = STR_NONE;
	x->t.status = THREAD_IDLE;
	return rc == ERR_NOTFOUND ? err_set(&x->cmd.err, rc,
	    "checkpoint_id: the thread has no such checkpoint") : rc;
}

static int
thread_copy(struct store *st, struct store_cmd *c)
{
	struct store_thread_copy *x = (struct store_thread_copy *)c;
	struct copying k = { .st = st, .x = x };
	int rc = query_one(query_of(&st->w, SQL_THREAD_GET, db_uuid(&x->from),
	    db_i64(c->owner)), &store_thread_record, &x->t, c->arena);

	assert(!uuid_is_zero(&x->id));
	k.from = x->t.seq;
	if (rc == OK)
		rc = quota_check(st, c, QUOTA_THREADS, 1);
	if (rc == OK)
		rc = find_until(&k);
	if (rc == OK)
		rc = thread_insert(&k);
	if (rc == OK)
		rc = source_read(&k);
	if (rc == OK)
		rc = lists_share(&k);
	if (rc == OK)
		rc = rows_copy(&k);
	if (rc != OK)
		return rc;
	x->t.checkpoint = number_of(&k, x->t.checkpoint);
	return db_run(&st->w, SQL_THREAD_ADVANCE, db_i64(x->t.checkpoint), db_i64(0),
	    db_i64(x->t.seq), db_i64(c->owner));
}
OP_LOCK(thread_copy, lock_thread(l, &x->from), lock_thread_new(l, &x->id),
    lock_quota(l, &x->cmd))
const struct op store_op_thread_copy = { .run = thread_copy,
    .texts = OP_TEXTS(OP_TEXT(thread_copy, metadata_json)),
    .locks = thread_copy_locks, .numbers = true };
