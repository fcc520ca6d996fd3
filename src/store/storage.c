/*
 * storage.c - what a thread holds, by section, and its values by channel.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "store/store_priv.h"

static int
size_read(struct query q, int column, struct store_size *add)
{
	int rc = query_row(&q);

	if (rc == OK) {
		add->rows += query_i64(&q, column);
		add->bytes += query_i64(&q, column + 1);
	}
	query_end(&q);
	return rc;
}

static int
sections_read(struct db *db, int64_t thread, struct store_storage *x)
{
	static const struct { enum sql text; enum store_section section; } parts[] = {
		{ SQL_SIZE_CHECKPOINT, STORE_OF_CHECKPOINTS },
		{ SQL_SIZE_WRITE, STORE_OF_WRITES }, { SQL_SIZE_INTERRUPT, STORE_OF_WRITES },
		{ SQL_SIZE_RECORD, STORE_OF_WRITES }, { SQL_SIZE_WAIT, STORE_OF_WRITES },
		{ SQL_SIZE_RUN, STORE_OF_RUNS }, { SQL_SIZE_STREAM, STORE_OF_RUNS },
		{ SQL_SIZE_EVENT, STORE_OF_RUNS }, { SQL_SIZE_TRANSCRIPT, STORE_OF_RUNS },
		{ SQL_SIZE_HOOK, STORE_OF_RUNS },
		{ SQL_SIZE_SAVER, STORE_OF_CHECKPOINTS },
		{ SQL_SIZE_BEFORE, STORE_OF_CHECKPOINTS },
		{ SQL_SIZE_SAVER_WRITES, STORE_OF_WRITES },
	};
	int rc = OK;

	for (size_t i = 0; rc == OK && i < COUNT(parts); i++)
		rc = size_read(query_of(db, parts[i].text, db_i64(thread)), 0,
		    &x->section[parts[i].section]);
	return rc;
}

/* ---- values ------------------------------------------------------------------ */

/* A list, and the channel that it was first seen in. */
struct named_list { int64_t list; struct str name; };
struct named_lists {
	struct named_list *at;
	size_t n, cap;
	struct channel_map map;              /* of the checkpoint that is looked at */
};

static int
by_list(const void *a, const void *b)
{
	int64_t x = ((const struct named_list *)a)->list;
	int64_t y = ((const struct named_list *)b)->list;

	return (x > y) - (x < y);
}

/* The lists of a checkpoint are mostly those of the one before. */
static bool
is_known(const struct named_lists *l, int64_t list)
{
	size_t back = l->n < LIMIT_CHANNELS ? l->n : LIMIT_CHANNELS;

	for (size_t i = 1; i <= back; i++)
		if (l->at[l->n - i].list == list)
			return true;
	return false;
}

static int
lists_note(struct named_lists *l, struct str channels, struct arena *a)
{
	int rc = channels_parse(&l->map, channels, a);

	for (size_t i = 0; rc == OK && i < l->map.n; i++) {
		const struct channel_ref *r = &l->map.at[i];

		if (!r->is_list || is_known(l, r->list))
			continue;
		if (!arena_grow(a, l->at, l->n, l->cap))
			return ERR_TOOBIG;
		l->at[l->n++] = (struct named_list){ r->list, arena_str(a, r->name) };
	}
	return rc;
}

static struct store_size *
channel_size(struct store_storage *x, size_t *cap, struct str name)
{
	size_t i = 0;

	while (i < x->channels_n && !str_eq(x->channels[i].name, name))
		i++;
	if (i == x->channels_n) {
		if (!arena_grow(x->cmd.arena, x->channels, x->channels_n, *cap))
			return NULL;
		x->channels[x->channels_n++] = (struct store_storage_channel){
		    arena_str(x->cmd.arena, name), { 0, 0 } };
	}
	return &x->channels[i].size;
}

static int
values_size(struct db *db, int64_t thread, struct store_storage *x, size_t *cap)
{
	struct query q = query_of(db, SQL_SIZE_CHANNELS, db_i64(thread));
	int rc;

	for (rc = query_row(&q); rc == OK; rc = rc == OK ? query_row(&q) : rc) {
		struct store_size *s = channel_size(x, cap, query_borrow(&q, 0));

		if (s == NULL) {
			rc = ERR_TOOBIG;
			break;
		}
		s->rows += query_i64(&q, 1);
		s->bytes += query_i64(&q, 2);
	}
	query_end(&q);
	return rc == ERR_NOTFOUND ? OK : rc;
}

/* Blobs of savers; their channels' names are not escaped. */
static int
blobs_size(struct db *db, int64_t thread, struct store_storage *x, size_t *cap)
{
	struct query q = query_of(db, SQL_SIZE_SAVER_BLOBS, db_i64(thread));
	struct buf name = BUF(8 * LIMIT_SAVER_CHANNEL_BYTES);
	int rc;

	for (rc = query_row(&q); rc == OK; rc = rc == OK ? query_row(&q) : rc) {
		struct store_size *s;

		buf_clear(&name);
		json_add_escaped(&name, query_borrow(&q, 0));
		s = channel_size(x, cap, buf_str(&name));
		if (s == NULL) {
			rc = ERR_TOOBIG;
			break;
		}
		s->rows += query_i64(&q, 1);
		s->bytes += query_i64(&q, 2);
	}
	query_end(&q);
	buf_release(&name);
	return rc == ERR_NOTFOUND ? OK : rc;
}

static int
lists_size(struct db *db, int64_t thread, struct store_storage *x, size_t *cap)
{
	struct arena *a = x->cmd.arena;
	struct named_lists l = { 0 };
	struct query q = query_of(db, SQL_PRUNE_READ, db_i64(thread));
	int rc;

	for (rc = query_row(&q); rc == OK; rc = rc == OK ? query_row(&q) : rc)
		rc = lists_note(&l, query_borrow(&q, 1), a);
	query_end(&q);
	rc = rc == ERR_NOTFOUND ? OK : rc;
	if (l.n > 1)
		qsort(l.at, l.n, sizeof *l.at, by_list);
	for (size_t i = 0; rc == OK && i < l.n; i++) {
		struct store_size *s = channel_size(x, cap, l.at[i].name);

		if (i > 0 && l.at[i].list == l.at[i - 1].list)
			continue;
		rc = s == NULL ? ERR_TOOBIG : size_read(query_of(db, SQL_SIZE_ENTRY,
		    db_i64(l.at[i].list << LIST_BITS),
		    db_i64((l.at[i].list + 1) << LIST_BITS)), 0, s);
	}
	return rc;
}

static int
by_name(const void *a, const void *b)
{
	return str_cmp(((const struct store_storage_channel *)a)->name,
	    ((const struct store_storage_channel *)b)->name);
}

static int
storage(struct store *st, struct store_cmd *c)
{
	struct store_storage *x = (struct store_storage *)c;
	struct store_thread t;
	struct db *db = slow_db(st, c);
	size_t cap = 0;
	int rc = query_one(query_of(db, SQL_THREAD_GET, db_uuid(&x->thread_id),
	    db_i64(c->owner)), &store_thread_record, &t, c->arena);

	x->channels = NULL;
	x->channels_n = 0;
	for (size_t i = 0; i < STORE_SECTIONS; i++)
		x->section[i] = (struct store_size){ 0, 0 };
	if (rc == OK)
		rc = sections_read(db, t.seq, x);
	if (rc == OK)
		rc = values_size(db, t.seq, x, &cap);
	if (rc == OK)
		rc = blobs_size(db, t.seq, x, &cap);
	if (rc == OK)
		rc = lists_size(db, t.seq, x, &cap);
	for (size_t i = 0; rc == OK && i < x->channels_n; i++) {
		x->section[STORE_OF_VALUES].rows += x->channels[i].size.rows;
		x->section[STORE_OF_VALUES].bytes += x->channels[i].size.bytes;
	}
	if (x->channels_n > 1)
		qsort(x->channels, x->channels_n, sizeof *x->channels, by_name);
	return rc;
}
const struct op store_op_storage = { .run = storage, .lane = OP_READ };
