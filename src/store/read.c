/*
 * read.c - the point reads of a shard.  Each is one statement, run to its end
 * here, so no read transaction outlives the call.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "store/store_priv.h"

int
store_owner_find(struct store_reader *r, struct str subject, owner_t *out)
{
	struct query q = query_of(&r->db, SQL_OWNER_FIND);
	int rc;

	bind_text(&q, subject);
	rc = query_row(&q);
	if (rc == OK)
		*out = col_i64(&q, 0);
	query_end(&q);
	return rc;
}

int
store_assistant_get(struct store_reader *r, owner_t o, const struct uuid *id,
    struct arena *a, struct store_assistant *out)
{
	struct query q = query_of(&r->db, SQL_ASSISTANT_GET);
	int rc;

	bind_uuid(&q, id);
	bind_i64(&q, o);
	rc = query_row(&q);
	if (rc == OK)
		rc = assistant_read(&q, a, out);
	query_end(&q);
	return rc;
}

int
store_thread_get(struct store_reader *r, owner_t o, const struct uuid *id,
    struct arena *a, struct store_thread *out)
{
	struct query q = query_of(&r->db, SQL_THREAD_GET);
	int rc;

	bind_uuid(&q, id);
	bind_i64(&q, o);
	rc = query_row(&q);
	if (rc == OK)
		rc = thread_read(&q, a, out);
	query_end(&q);
	return rc;
}

int
store_run_get(struct store_reader *r, owner_t o, const struct uuid *id,
    struct arena *a, struct store_run *out)
{
	struct query q = query_of(&r->db, SQL_RUN_GET);
	int rc;

	bind_uuid(&q, id);
	bind_i64(&q, o);
	rc = query_row(&q);
	if (rc == OK)
		rc = run_read(&q, a, out);
	query_end(&q);
	return rc;
}

int
store_item_get(struct store_reader *r, owner_t o, struct str ns, struct str key,
    struct arena *a, struct store_item *out)
{
	struct query q = query_of(&r->db, SQL_ITEM_GET);
	int rc;

	bind_i64(&q, o);
	bind_text(&q, ns);
	bind_text(&q, key);
	rc = query_row(&q);
	if (rc == OK) {
		*out = (struct store_item){
			.ns = arena_str(a, ns),
			.key = arena_str(a, key),
			.value_json = col_str(&q, 0, a),
			.created = col_i64(&q, 1),
			.updated = col_i64(&q, 2),
		};
		rc = arena_rc(a);
	}
	query_end(&q);
	return rc;
}

int
store_checkpoint_get(struct store_reader *r, owner_t o, int64_t thread_seq,
    int64_t seq, struct arena *a, struct store_checkpoint *out)
{
	struct query q = query_of(&r->db,
	    seq == 0 ? SQL_CHECKPOINT_LATEST : SQL_CHECKPOINT_AT);
	int rc;

	bind_i64(&q, thread_seq);
	bind_i64(&q, o);
	if (seq != 0)
		bind_i64(&q, seq);
	rc = query_row(&q);
	if (rc == OK)
		rc = checkpoint_read(&q, a, out);
	query_end(&q);
	return rc;
}

int
store_checkpoint_find(struct store_reader *r, owner_t o, int64_t thread_seq,
    const struct uuid *id, struct arena *a, struct store_checkpoint *out)
{
	struct query q = query_of(&r->db, SQL_CHECKPOINT_FIND);
	int rc;

	bind_i64(&q, thread_seq);
	bind_i64(&q, o);
	bind_uuid(&q, id);
	rc = query_row(&q);
	if (rc == OK)
		rc = checkpoint_read(&q, a, out);
	query_end(&q);
	return rc;
}

int
store_run_steps(struct store_reader *r, owner_t o, int64_t run_seq, int64_t *out)
{
	struct query q = query_of(&r->db, SQL_RUN_STEPS);
	int rc;

	bind_i64(&q, run_seq);
	bind_i64(&q, o);
	rc = query_row(&q);
	if (rc == OK)
		*out = col_i64(&q, 0);
	query_end(&q);
	return rc;
}

int
store_messages_get(struct store_reader *r, int64_t list, uint32_t from,
    uint32_t to, struct arena *a, struct str **out)
{
	return list_read(&r->db, list, from, to, a, out);
}

/* ---- streams ------------------------------------------------------------- */

static bool
run_is_owned(struct db *db, owner_t o, int64_t run_seq)
{
	struct query q = query_of(db, SQL_RUN_AT);
	bool found;

	bind_i64(&q, run_seq);
	bind_i64(&q, o);
	found = query_row(&q) == OK;
	query_end(&q);
	return found;
}

struct blocks {
	struct str *at;
	size_t n, cap, bytes;
};

/* Doubles inside the arena; the old array is garbage until the arena goes. */
static bool
blocks_room(struct blocks *l, struct arena *a)
{
	size_t cap = l->cap == 0 ? 16 : l->cap * 2;
	struct str *at;

	if (l->n < l->cap)
		return true;
	at = arena_alloc(a, cap * sizeof *at);
	if (at == NULL)
		return false;
	if (l->n > 0)
		memcpy(at, l->at, l->n * sizeof *at);
	l->at = at;
	l->cap = cap;
	return true;
}

static int
blocks_read(struct query *q, struct arena *a, size_t max_bytes, struct blocks *l,
    int64_t *last_id)
{
	int rc = OK;

	while (rc == OK) {
		rc = query_row(q);
		if (rc != OK)
			break;
		/* At least one, or the caller would never get past it. */
		if (l->n > 0 && l->bytes + col_borrow(q, 1).n > max_bytes)
			return OK;
		if (!blocks_room(l, a))
			return ERR_TOOBIG;
		l->at[l->n] = col_str(q, 1, a);
		l->bytes += l->at[l->n++].n;
		*last_id = col_i64(q, 0);
		rc = arena_rc(a);
	}
	return rc == ERR_NOTFOUND ? OK : rc;
}

int
store_stream_get(struct store_reader *r, owner_t o, int64_t run_seq,
    int64_t after, size_t max_bytes, struct arena *a, struct str **out,
    size_t *n_out, int64_t *last_id)
{
	struct query q = query_of(&r->db, SQL_STREAM_GET);
	struct blocks l = { 0 };
	int rc;

	*last_id = after;
	bind_i64(&q, run_seq);
	bind_i64(&q, o);
	bind_i64(&q, after);
	rc = blocks_read(&q, a, max_bytes, &l, last_id);
	query_end(&q);
	if (rc == OK && l.n == 0 && !run_is_owned(&r->db, o, run_seq))
		rc = ERR_NOTFOUND;
	*out = l.at;
	*n_out = l.n;
	return rc;
}

int64_t
store_stream_last(struct store_reader *r, int64_t run_seq)
{
	struct query q = query_of(&r->db, SQL_STREAM_LAST);
	int64_t last = -1;

	bind_i64(&q, run_seq);
	if (query_row(&q) == OK && col_borrow(&q, 0).p != NULL)
		last = col_i64(&q, 0);
	query_end(&q);
	return last;
}

/* ---- journal ------------------------------------------------------------- */

int
store_calls_get(struct store_reader *r, int64_t run_seq, int step,
    struct arena *a, struct store_call_row **out, size_t *n)
{
	struct query q = query_of(&r->db, SQL_CALL_LIST);
	struct store_call_row *rows = arena_alloc(a,
	    LIMIT_TOOL_CALLS * sizeof *rows);
	size_t count = 0;
	int rc = arena_rc(a);

	bind_i64(&q, run_seq);
	bind_i64(&q, step);
	while (rc == OK && count < LIMIT_TOOL_CALLS) {
		rc = query_row(&q);
		if (rc != OK)
			break;
		rows[count].call_id = col_str(&q, 0, a);
		rows[count].result = col_str(&q, 1, a);
		rows[count].done = rows[count].result.p != NULL;
		count++;
		rc = arena_rc(a);
	}
	query_end(&q);
	*out = rows;
	*n = count;
	return rc == ERR_NOTFOUND ? OK : rc;
}
