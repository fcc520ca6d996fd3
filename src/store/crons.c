/*
 * crons.c - crons, and their firings.
 *
 * A cron's row has the time of its next firing.  The transaction that creates a
 * firing's run (runs.c) moves that time on, and only if it is what it was when the
 * firing was read: so each firing has one run, whoever tries and whenever the process
 * ends.  A firing without a run is moved on the same way, with the reason.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "store/cron.h"
#include "store/store_priv.h"

static struct db_value
db_time(msec t)                              /* 0: NULL */
{
	return t == 0 ? db_null() : db_i64(t);
}

/* ---- firing ---------------------------------------------------------------------- */

int
cron_fired(struct store *st, struct store_cmd *c, const struct store_firing *f,
    struct str error_json)
{
	int rc = db_run(&st->w, SQL_CRON_FIRED, db_time(f->next),
	    db_str(error_json.n > 0 ? error_json : STR_NONE), db_uuid(&f->cron),
	    db_i64(c->owner), db_i64(f->version), db_i64(f->due));

	if (rc == OK && db_changes(&st->w) == 0)
		rc = err_set(&c->err, ERR_CONFLICT, "the cron has fired already, or has "
		    "changed");
	return rc;
}

static int
cron_miss(struct store *st, struct store_cmd *c)
{
	const struct store_cron_miss *x = (struct store_cron_miss *)c;

	return cron_fired(st, c, &x->firing, x->error_json);
}
OP_LOCK(cron_miss, lock_uuid(l, LOCK_CRON, &x->firing.cron))
const struct op store_op_cron_miss = { .run = cron_miss,
    .texts = OP_TEXTS(OP_TEXT(cron_miss, error_json)),
    .locks = cron_miss_locks };

/* ---- changes by clients ------------------------------------------------------------ */

static int
crons_room(struct store *st, struct store_cmd *c)
{
	int64_t n = 0;
	int rc = query_one_i64(query_of(&st->w, SQL_CRONS_COUNT, db_i64(c->owner)), &n);

	if (rc == OK && n >= LIMIT_CRONS)
		rc = err_set(&c->err, ERR_LIMIT, "%d crons exist already", LIMIT_CRONS);
	return rc;
}

static int
seq_of(struct query q, int column, int64_t *out)
{
	int rc = query_row(&q);

	*out = rc == OK ? query_i64(&q, column) : 0;
	query_end(&q);
	return rc;
}

/* The numbers of what it runs, and where.  thread 0: on a new one each time. */
static int
cron_place(struct store *st, owner_t owner, const struct store_cron *c,
    int64_t *assistant, int64_t *thread)
{
	int rc = seq_of(query_of(&st->w, SQL_ASSISTANT_GET, db_uuid(&c->assistant_id),
	    db_i64(owner)), 10, assistant);

	*thread = 0;
	return rc != OK || uuid_is_zero(&c->thread_id) ? rc :
	    seq_of(query_of(&st->w, SQL_THREAD_GET, db_uuid(&c->thread_id),
	    db_i64(owner)), 1, thread);
}

static struct db_value
keeps_of(const struct store_cron *c)
{
	return uuid_is_zero(&c->thread_id) ? db_i64(c->keeps) : db_null();
}

/* What it is by now, with all that is shown. */
static int
cron_load(struct store *st, struct store_cmd *cmd, int64_t seq, struct store_cron *c)
{
	return query_one(query_of(&st->w, SQL_CRON_AT, db_i64(seq), db_i64(cmd->owner)),
	    &store_cron_record, c, cmd->arena);
}

static int
cron_create(struct store *st, struct store_cmd *cmd)
{
	struct store_cron_create *x = (struct store_cron_create *)cmd;
	struct store_cron *c = &x->c;
	int64_t assistant, thread;
	int rc = crons_room(st, cmd);

	if (rc == OK)
		rc = quota_check(st, cmd, QUOTA_CRONS, 1);
	assert(!uuid_is_zero(&c->id));
	if (rc == OK)
		rc = cron_place(st, cmd->owner, c, &assistant, &thread);
	if (rc != OK)
		return rc;
	c->seq = store_seq_next(st, SEQ_CRON);
	rc = db_run(&st->w, SQL_CRON_INSERT, db_i64(c->seq), db_uuid(&c->id),
	    db_i64(cmd->owner), db_i64(assistant), thread == 0 ? db_null() : db_i64(thread),
	    db_text(c->schedule), db_str(c->zone), db_i64(c->enabled), keeps_of(c),
	    db_time(c->ends), db_time(c->next), db_i64(c->created), db_i64(c->updated),
	    db_json(c->payload_json), db_json(c->metadata_json));
	return rc == OK ? cron_load(st, cmd, c->seq, c) : rc;
}

static int
cron_update(struct store *st, struct store_cmd *cmd)
{
	struct store_cron_update *x = (struct store_cron_update *)cmd;
	struct store_cron *c = &x->c, old;
	struct str metadata = STR_NONE;
	int64_t assistant, thread;
	int rc = query_one(query_of(&st->w, SQL_CRON_GET, db_uuid(&c->id),
	    db_i64(cmd->owner)), &store_cron_record, &old, cmd->arena);

	if (rc == OK && old.version != c->version)
		rc = err_set(&cmd->err, ERR_CONFLICT, "the cron was changed at the same "
		    "time; try again");
	if (rc == OK)
		rc = cron_place(st, cmd->owner, c, &assistant, &thread);
	if (rc == OK)
		rc = records_merge(cmd->arena, old.metadata_json, c->metadata_json,
		    &metadata, &cmd->err);
	if (rc == OK)
		rc = db_run(&st->w, SQL_CRON_UPDATE, db_i64(assistant),
		    db_text(c->schedule), db_str(c->zone),
		    db_i64(c->enabled), keeps_of(c), db_time(c->ends), db_time(c->next),
		    db_i64(c->updated), db_json(c->payload_json), db_json(metadata),
		    db_str(c->error_json), db_i64(old.seq), db_i64(cmd->owner));
	return rc == OK ? cron_load(st, cmd, old.seq, c) : rc;
}

_Static_assert(offsetof(struct store_cron_create, c) ==
    offsetof(struct store_cron_update, c), "one list of texts for both");
static const size_t cron_texts[] = {
	OP_TEXT(cron_create, c.payload_json), OP_TEXT(cron_create, c.metadata_json), 0
};

/* Neither its assistant nor its thread may go meanwhile. */
static void
cron_locks(const struct store_cmd *c, struct lock_set *l)
{
	const struct store_cron *x = &((const struct store_cron_create *)c)->c;

	lock_uuid(l, LOCK_CRON, &x->id);
	lock_uuid(l, LOCK_ASSISTANT, &x->assistant_id);
	if (!uuid_is_zero(&x->thread_id))
		lock_thread(l, &x->thread_id);
	lock_quota(l, c);
}
const struct op store_op_cron_create = { .run = cron_create, .texts = cron_texts,
    .locks = cron_locks };
const struct op store_op_cron_update = { .run = cron_update, .texts = cron_texts,
    .locks = cron_locks };

static int
cron_delete(struct store *st, struct store_cmd *cmd)
{
	const struct store_cron_delete *x = (struct store_cron_delete *)cmd;
	int rc = db_run(&st->w, SQL_CRON_DELETE, db_uuid(&x->id), db_i64(cmd->owner));

	return rc == OK && db_changes(&st->w) == 0 ? ERR_NOTFOUND : rc;
}
OP_LOCK(cron_delete, lock_uuid(l, LOCK_CRON, &x->id))
const struct op store_op_cron_delete = { .run = cron_delete,
    .locks = cron_delete_locks };
