/*
 * assistants.c - owners, assistants and their versions.
 *
 * The assistant row says who and which version; the content is in the version
 * rows, one for every version that ever was.  A system assistant belongs to
 * owner 0 and is shown to everyone; only owner 0 may change it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "store/store_priv.h"

static int
owner_intern(struct store *st, struct store_cmd *c)
{
	struct store_owner_intern *x = (struct store_owner_intern *)c;
	int rc = query_one_i64(query_of(&st->w, SQL_OWNER_FIND,
	    db_text(x->subject)), &x->id);

	if (rc != ERR_NOTFOUND)
		return rc;
	x->id = store_seq_next(st, SEQ_OWNER);
	rc = db_run(&st->w, SQL_OWNER_INSERT, db_i64(x->id), db_text(x->subject));
	if (rc == OK && db_changes(&st->w) == 0)     /* another node was first */
		rc = query_one_i64(query_of(&st->w, SQL_OWNER_FIND,
		    db_text(x->subject)), &x->id);
	return rc;
}

static void
owner_intern_locks(const struct store_cmd *c, struct lock_set *l)
{
	(void)c, (void)l;                    /* the statement waits for another's row */
}
const struct op store_op_owner_intern = { .run = owner_intern,
    .locks = owner_intern_locks };

_Static_assert(offsetof(struct store_assistant_create, a) ==
    offsetof(struct store_assistant_update, a), "one list of texts for both");
static const size_t assistant_texts[] = {
	OP_TEXT(assistant_create, a.name), OP_TEXT(assistant_create, a.description),
	OP_TEXT(assistant_create, a.config_json),
	OP_TEXT(assistant_create, a.context_json),
	OP_TEXT(assistant_create, a.metadata_json), 0
};

static int
version_insert(struct store *st, int64_t assistant, const struct store_assistant *a,
    int64_t version, msec created)
{
	return db_run(&st->w, SQL_VERSION_INSERT, db_i64(assistant),
	    db_i64(version), db_text(a->graph_id), db_text(a->name),
	    db_str(a->description), db_json(a->config_json),
	    db_json(a->context_json), db_json(a->metadata_json),
	    db_i64(created));
}

static int
assistant_existing(struct store *st, struct store_assistant_create *x)
{
	struct query q = query_of(&st->w, SQL_ASSISTANT_GET, db_uuid(&x->a.id),
	    db_i64(x->cmd.owner));
	int rc = !x->do_nothing ? ERR_NOTFOUND :
	    query_one(q, &store_assistant_record, &x->a, x->cmd.arena);

	if (rc == ERR_NOTFOUND)              /* or somebody else's */
		rc = err_set(&x->cmd.err, ERR_CONFLICT, "Assistant already exists");
	return rc;
}

static int
assistant_create(struct store *st, struct store_cmd *c)
{
	struct store_assistant_create *x = (struct store_assistant_create *)c;
	int64_t seq = store_seq_next(st, SEQ_ASSISTANT);
	int rc;

	assert(!x->system || c->owner == 0);
	assert(!uuid_is_zero(&x->a.id));
	rc = db_run(&st->w, SQL_ASSISTANT_INSERT, db_i64(seq),
	    db_uuid(&x->a.id), db_i64(c->owner), db_i64(x->system),
	    db_i64(x->a.created), db_i64(x->a.updated));
	if (rc != OK)
		return rc;
	if (db_changes(&st->w) == 0)
		return assistant_existing(st, x);
	x->a.version = 1;
	return version_insert(st, seq, &x->a, 1, x->a.created);
}
OP_LOCK(assistant_create, lock_uuid(l, LOCK_ASSISTANT, &x->a.id))
const struct op store_op_assistant_create = { .run = assistant_create,
    .texts = assistant_texts, .locks = assistant_create_locks };

static void
field_keep(struct str *field, struct str old)
{
	if (field->p == NULL)
		*field = old;
}

/* x->a becomes the new version: what was not given stays as it was. */
static int
assistant_merge(struct store_assistant_update *x, const struct store_assistant *old)
{
	struct store_assistant *a = &x->a;

	field_keep(&a->graph_id, old->graph_id);
	field_keep(&a->name, old->name);
	field_keep(&a->description, old->description);
	field_keep(&a->config_json, old->config_json);
	field_keep(&a->context_json, old->context_json);
	a->created = old->created;
	a->updated = x->now;
	return records_merge(x->cmd.arena, old->metadata_json, a->metadata_json,
	    &a->metadata_json, &x->cmd.err);
}

static int
versions_have_room(struct store *st, struct store_cmd *c, int64_t assistant)
{
	int64_t n = 0;
	int rc = query_one_i64(query_of(&st->w, SQL_VERSIONS_COUNT, db_i64(assistant)),
	    &n);

	return rc != OK || n < LIMIT_ASSISTANT_VERSIONS ? rc :
	    err_set(&c->err, ERR_CONFLICT, "the assistant has %d versions, the most "
	    "there can be; create another", LIMIT_ASSISTANT_VERSIONS);
}

static int
assistant_update(struct store *st, struct store_cmd *c)
{
	struct store_assistant_update *x = (struct store_assistant_update *)c;
	struct store_assistant old;
	int64_t seq = 0, version = 0;
	struct query q = query_of(&st->w, SQL_ASSISTANT_OWN, db_uuid(&x->a.id),
	    db_i64(c->owner));
	int rc = query_row(&q);

	if (rc == OK) {
		rc = query_read(&q, &store_assistant_record, &old, c->arena);
		seq = query_i64(&q, 10);
		version = query_i64(&q, 12) + 1;
	}
	query_end(&q);
	if (rc == OK)
		rc = versions_have_room(st, c, seq);
	if (rc == OK)
		rc = assistant_merge(x, &old);
	if (rc == OK)
		rc = version_insert(st, seq, &x->a, version, x->now);
	if (rc != OK)
		return rc;
	x->a.version = version;
	return db_run(&st->w, SQL_ASSISTANT_UPDATE, db_i64(version),
	    db_i64(version), db_i64(x->now), db_i64(seq), db_i64(c->owner));
}
OP_LOCK(assistant_update, lock_uuid(l, LOCK_ASSISTANT, &x->a.id))
const struct op store_op_assistant_update = { .run = assistant_update,
    .texts = assistant_texts, .locks = assistant_update_locks };

/* ---- deleting ------------------------------------------------------------- */

#define DELETE_THREADS 100                   /* of one command */

/* ERR_CONFLICT while one of the assistant's threads has a run under way. */
static int
threads_idle(struct store *st, struct store_assistant_delete *x)
{
	char id[UUID_TEXT];
	struct uuid busy;
	struct query q = query_of(&st->w, SQL_THREADS_BUSY_OF, db_uuid(&x->id),
	    db_i64(x->cmd.owner));
	int rc = query_row(&q);

	busy = rc == OK ? query_uuid(&q, 0) : (struct uuid){ { 0 } };
	query_end(&q);
	if (rc != OK)
		return rc == ERR_NOTFOUND ? OK : rc;
	uuid_format(&busy, id);
	return err_set(&x->cmd.err, ERR_CONFLICT, "Thread %.*s has a run under way",
	    UUID_TEXT, id);
}

/* ERR_NOTFOUND: the assistant has no thread (any more). */
static int
thread_drop_next(struct store *st, struct store_assistant_delete *x, int64_t *budget)
{
	struct store_thread t;
	int rc = query_one(query_of(&st->w, SQL_THREAD_NEXT_OF, db_uuid(&x->id),
	    db_i64(x->cmd.owner)), &store_thread_record, &t, &st->scratch);

	if (rc == OK)
		rc = threads_hold_idle(st, &x->cmd, t.seq);
	if (rc == OK)
		rc = threads_drop(st, x->cmd.owner, &t, budget);
	if (rc == OK)
		x->gone[x->gone_n++] = t.id;
	arena_clear(&st->scratch);
	return rc;
}

static int
threads_go(struct store *st, struct store_assistant_delete *x)
{
	int64_t budget = ERASE_NOW;
	int rc = threads_idle(st, x);

	x->gone = arena_alloc(x->cmd.arena, DELETE_THREADS * sizeof *x->gone);
	if (rc == OK && x->gone == NULL)
		rc = ERR_TOOBIG;
	while (rc == OK && x->gone_n < DELETE_THREADS)
		rc = thread_drop_next(st, x, &budget);
	x->more = rc == OK || rc == ERR_AGAIN;
	return rc == ERR_NOTFOUND || rc == ERR_AGAIN ? OK : rc;
}

int
assistants_drop(struct store *st, int64_t seq, owner_t owner)
{
	int64_t budget = ERASE_NOW;
	int rc = erase_assistant(&st->w, seq, &budget);

	if (rc != ERR_AGAIN)
		return rc;
	st->dead = true;
	return db_run(&st->w, SQL_ASSISTANT_BURY, db_i64(seq), db_i64(owner));
}

static int
assistant_delete(struct store *st, struct store_cmd *c)
{
	struct store_assistant_delete *x = (struct store_assistant_delete *)c;
	int64_t seq = 0;
	struct query q = query_of(&st->w, SQL_ASSISTANT_OWN, db_uuid(&x->id),
	    db_i64(c->owner));
	int rc = query_row(&q);

	x->busy = x->more = false;
	x->gone_n = 0;
	if (rc == OK)
		seq = query_i64(&q, 10);
	query_end(&q);
	if (rc != OK)
		return rc;
	rc = query_any(query_of(&st->w, SQL_RUN_ACTIVE_OF, db_uuid(&x->id),
	    db_i64(c->owner)));
	x->busy = rc == OK;
	if (rc != ERR_NOTFOUND)
		return rc;
	rc = x->threads ? threads_go(st, x) : OK;
	return rc != OK || x->more ? rc : assistants_drop(st, seq, c->owner);
}
OP_LOCK(assistant_delete, lock_uuid(l, LOCK_ASSISTANT, &x->id))
const struct op store_op_assistant_delete = { .run = assistant_delete,
    .locks = assistant_delete_locks };
