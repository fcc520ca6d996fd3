/*
 * runs.c - runs on threads, and the checkpoints they leave.
 *
 *   A thread is busy exactly while one of its runs is pending or running, and
 *   at most one is running.  Whoever ends a run takes the next.
 *
 *   Checkpoints of a thread form a chain; thread.checkpoint is its newest.
 *   Only the newest's list is ever appended to, at its end.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "base/json.h"
#include "store/store_priv.h"

/* ---- create -------------------------------------------------------------- */

static int
thread_find(struct store *st, struct store_run_create *x)
{
	return query_one(query_of(&st->w, SQL_THREAD_GET,
	    db_uuid(&x->run.thread_id), db_i64(x->cmd.owner)),
	    &store_thread_record, &x->thread, x->cmd.arena);
}

/* How many runs of the thread are running, and under way at all. */
static int
runs_active(struct store *st, int64_t thread, int64_t *running, int64_t *all)
{
	struct query q = query_of(&st->w, SQL_RUN_ACTIVE, db_i64(thread));
	int rc = query_row(&q);

	if (rc == OK) {
		*running = query_i64(&q, 0);
		*all = query_i64(&q, 1);
	}
	query_end(&q);
	return rc;
}

/* The decision: RUNNING, PENDING, or no. */
static int
run_admit(struct store *st, struct store_run_create *x)
{
	int64_t running = 0, all = 0;
	int rc = OK;

	if (x->thread.seq != 0)
		rc = runs_active(st, x->thread.seq, &running, &all);
	if (rc != OK)
		return rc;
	if (all > 0 && x->run.multitask == MULTITASK_REJECT)
		return err_set(&x->cmd.err, ERR_CONFLICT,
		    "Thread is already running a task. Wait for it to finish or "
		    "choose a different multitask strategy.");
	if (all - running >= LIMIT_QUEUED_RUNS)
		return err_set(&x->cmd.err, ERR_LIMIT,
		    "Thread has %d pending runs already", LIMIT_QUEUED_RUNS);
	x->run.status = all > 0 || x->hold ? RUN_PENDING : RUN_RUNNING;
	return OK;
}

/* What every thread says after its first run; false: it says so already. */
static bool
metadata_lacks(struct str metadata, struct str graph, const char *assistant)
{
	struct json_doc d = { 0 };
	bool lacks = true;

	if (metadata.n > 2 && json_parse(&d, metadata, NULL) == OK) {
		jnode g = json_get(d.root, S("graph_id"));
		jnode a = json_get(d.root, S("assistant_id"));

		lacks = !json_is_string(g) || !str_eq(json_str(g), graph) ||
		    !json_is_string(a) ||
		    !str_eq(json_str(a), (struct str){ assistant, UUID_TEXT });
	}
	json_release(&d);
	return lacks;
}

static int
thread_metadata(struct store_run_create *x)
{
	struct buf b = BUF(4 * LIMIT_NAME_BYTES);
	char id[UUID_TEXT];
	int rc;

	uuid_format(&x->run.assistant_id, id);
	if (!metadata_lacks(x->thread.metadata_json, x->run.graph_id, id))
		return OK;
	buf_lit(&b, "{\"graph_id\":");
	json_add_str(&b, x->run.graph_id);
	buf_lit(&b, ",\"assistant_id\":\"");
	buf_add(&b, (struct str){ id, UUID_TEXT });
	buf_lit(&b, "\"}");
	rc = b.failed ? ERR_TOOBIG : records_merge(x->cmd.arena,
	    x->thread.metadata_json, arena_str(x->cmd.arena, buf_str(&b)),
	    &x->thread.metadata_json, &x->cmd.err);
	buf_release(&b);
	return rc;
}

static int
thread_insert_busy(struct store *st, struct store_run_create *x)
{
	int rc;

	x->thread.seq = store_seq_next(st, SEQ_THREAD);
	rc = db_run(&st->w, SQL_THREAD_INSERT, db_i64(x->thread.seq),
	    db_uuid(&x->thread.id), db_i64(x->cmd.owner), db_i64(THREAD_BUSY),
	    db_i64(x->thread.created), db_i64(x->thread.updated),
	    db_uuid(&x->run.assistant_id), db_json(x->thread.metadata_json),
	    db_json(x->thread.config_json));
	/* The id is there, and thread_find did not see it: another owner's. */
	if (rc == OK && db_changes(&st->w) == 0)
		rc = ERR_NOTFOUND;
	return rc;
}

static int
thread_change(struct store *st, const struct store_run_create *x,
    const struct store_thread *before)
{
	int rc = tally_move(st, x->cmd.owner, before->status, THREAD_BUSY);

	return rc != OK ? rc : facets_change(st, &(struct thread_key){
	    x->cmd.owner, before->created, before->seq }, before->metadata_json,
	    x->thread.metadata_json);
}

static int
thread_update_busy(struct store *st, struct store_run_create *x)
{
	return db_run(&st->w, SQL_THREAD_BEGIN_RUN, db_i64(THREAD_BUSY),
	    db_i64(x->thread.updated), db_uuid(&x->run.assistant_id),
	    db_json(x->thread.metadata_json), db_json(x->thread.config_json),
	    db_i64(x->thread.seq), db_i64(x->cmd.owner));
}

static int
run_insert(struct store *st, struct store_run_create *x)
{
	struct store_run *r = &x->run;
	int rc;

	r->seq = store_seq_next(st, SEQ_RUN);
	r->thread_seq = x->thread.seq;
	r->attempt = 1;
	r->error_json = STR_NONE;
	rc = db_run(&st->w, SQL_RUN_INSERT, db_i64(r->seq), db_uuid(&r->id),
	    db_i64(r->thread_seq), db_i64(r->status), db_i64(r->multitask),
	    db_i64(r->created), db_i64(r->updated), db_uuid(&r->assistant_id),
	    db_text(r->graph_id), db_json(r->kwargs_json),
	    db_json(r->metadata_json), db_json(r->base_json));
	if (rc == OK && db_changes(&st->w) == 0)
		rc = err_set(&x->cmd.err, ERR_CONFLICT, "Run already exists");
	return rc;
}

static int
run_create(struct store *st, struct store_cmd *c)
{
	struct store_run_create *x = (struct store_run_create *)c;
	struct store_thread before;
	bool fresh = false;
	int rc;

	assert(c->arena != NULL);
	assert(!uuid_is_zero(&x->run.id) && !uuid_is_zero(&x->run.assistant_id));
	rc = thread_find(st, x);
	if (rc == ERR_NOTFOUND && x->create_thread) {
		x->thread = (struct store_thread){
			.id = x->run.thread_id, .created = x->run.created,
			.metadata_json = x->thread_metadata_json.n > 0 ?
			    x->thread_metadata_json : S("{}"),
			.config_json = S("{}"),
		};
		fresh = true;
		rc = OK;
	}
	if (rc == OK)
		rc = run_admit(st, x);
	before = x->thread;
	if (rc == OK)
		rc = thread_metadata(x);
	if (rc == OK)
		rc = records_merge(c->arena, x->thread.config_json,
		    x->thread_config_json, &x->thread.config_json, &c->err);
	if (rc != OK)
		return rc;
	x->thread.status = THREAD_BUSY;
	x->thread.updated = x->run.updated;
	rc = fresh ? thread_insert_busy(st, x) : thread_update_busy(st, x);
	if (rc == OK)
		rc = fresh ? threads_index(st, c->owner, &x->thread) :
		    thread_change(st, x, &before);
	return rc == OK ? run_insert(st, x) : rc;
}
const struct op store_op_run_create = { .run = run_create,
    .texts = OP_TEXTS(OP_TEXT(run_create, run.kwargs_json),
    OP_TEXT(run_create, run.metadata_json), OP_TEXT(run_create, run.base_json),
    OP_TEXT(run_create, thread_config_json)) };

/* ---- take ---------------------------------------------------------------- */

static int
run_load(struct store *st, int64_t seq, owner_t owner, struct arena *a,
    struct store_run *out)
{
	return query_one(query_of(&st->w, SQL_RUN_AT, db_i64(seq),
	    db_i64(owner)), &store_run_record, out, a);
}

/* The thread's oldest pending run becomes RUNNING.  ERR_NOTFOUND: none. */
static int
run_take_next(struct store *st, struct store_cmd *c, int64_t thread, msec now,
    struct store_run *out)
{
	int64_t seq = 0;
	int rc = query_one_i64(query_of(&st->w, SQL_RUN_OLDEST, db_i64(thread)),
	    &seq);

	if (rc == OK) {
		assert(c->arena != NULL);
		rc = run_load(st, seq, c->owner, c->arena, out);
	}
	if (rc != OK)
		return rc;
	out->status = RUN_RUNNING;
	out->updated = now;
	return db_run(&st->w, SQL_RUN_TAKE, db_i64(now), db_i64(seq));
}

static int
run_claim(struct store *st, struct store_cmd *c)
{
	struct store_run_claim *x = (struct store_run_claim *)c;
	int64_t running = 0, all = 0;
	int rc = runs_active(st, x->thread_seq, &running, &all);

	if (rc == OK && running > 0)
		rc = ERR_NOTFOUND;
	if (rc == OK)
		rc = run_take_next(st, c, x->thread_seq, x->now, &x->run);
	return rc;
}
const struct op store_op_run_claim = { .run = run_claim };

/* ---- steps --------------------------------------------------------------- */

/* Where the thread stands while the steps of one command are written.  New
 * messages of one list are held back and become one row. */
struct place {
	struct store *st;
	int64_t run, thread, checkpoint;
	int64_t list;
	uint32_t len;
	struct str *held;
	size_t held_n;
	uint32_t held_first;
};

/* ERR_NOTFOUND: no such run for this owner.  ERR_CONFLICT: it has ended. */
static int
place_open(struct place *p, struct store *st, struct store_cmd *c, int64_t run,
    int64_t thread)
{
	struct query q;
	int64_t status = 0;
	int rc;

	*p = (struct place){ .st = st, .run = run, .thread = thread };
	q = query_of(&st->w, SQL_RUN_OPEN, db_i64(run), db_i64(thread),
	    db_i64(c->owner));
	rc = query_row(&q);
	if (rc == OK) {
		status = query_i64(&q, 0);
		p->checkpoint = query_i64(&q, 1);
		p->list = query_i64(&q, 2);
		p->len = (uint32_t)query_i64(&q, 3);
	}
	query_end(&q);
	if (rc == OK && status != RUN_RUNNING)
		rc = err_set(&c->err, ERR_CONFLICT, "the run is %s, not running",
		    run_status_names[status]);
	return rc;
}

/* What can be wrong is wrong before anything is written. */
static int
steps_check(const struct place *p, const struct store_step *steps, size_t n,
    struct err *e, size_t *messages)
{
	size_t len = p->len;

	*messages = 0;
	for (size_t i = 0; i < n; i++) {
		if (steps[i].keep > len)
			return err_set(e, ERR_INVALID,
			    "step %d keeps %u messages of %zu", steps[i].step,
			    steps[i].keep, len);
		len = steps[i].keep + steps[i].messages_n;
		if (len > LIMIT_MESSAGES)
			return err_set(e, ERR_LIMIT,
			    "over %d messages in one thread", LIMIT_MESSAGES);
		*messages += steps[i].messages_n;
	}
	return OK;
}

static int
place_flush(struct place *p)
{
	size_t n = p->held_n;

	p->held_n = 0;
	return n == 0 ? OK : messages_append(p->st, p->list, p->held_first, p->held, n);
}

/* A new list, named after the checkpoint that begins it, with a copy of what
 * stays of the old one. */
static int
place_fork(struct place *p, int64_t checkpoint, uint32_t keep)
{
	struct str *kept;
	int rc = place_flush(p);

	if (rc == OK && keep > 0)
		rc = messages_read(&p->st->w, p->list, 0, keep, &p->st->scratch, &kept);
	if (rc == OK && keep > 0)
		rc = messages_append(p->st, checkpoint, 0, kept, keep);
	p->list = checkpoint;
	p->len = keep;
	return rc;
}

static int
place_messages(struct place *p, int64_t checkpoint, const struct store_step *s)
{
	int rc = OK;

	if (s->keep < p->len || (p->list == 0 && s->messages_n > 0))
		rc = place_fork(p, checkpoint, s->keep);
	if (rc != OK || s->messages_n == 0)
		return rc;
	if (p->held_n == 0)
		p->held_first = p->len;
	memcpy(p->held + p->held_n, s->messages, s->messages_n * sizeof *p->held);
	p->held_n += s->messages_n;
	p->len += (uint32_t)s->messages_n;
	return OK;
}

static int
checkpoint_insert(const struct place *p, int64_t seq, const struct store_step *s)
{
	return db_run(&p->st->w, SQL_CHECKPOINT_INSERT, db_i64(seq),
	    db_uuid(&s->id), db_i64(p->thread), db_i64(p->checkpoint),
	    db_i64(p->run), db_i64(s->step), db_i64(s->source), db_i64(p->list),
	    db_i64(s->keep), db_i64(p->len), db_i64(s->created),
	    db_str(s->next), db_uuid(&s->task_id), db_str(s->chart));
}

static int
steps_write(struct place *p, struct store_cmd *c, const struct store_step *steps,
    size_t n)
{
	size_t messages;
	int rc = steps_check(p, steps, n, &c->err, &messages);

	if (rc != OK)
		return rc;
	p->held = arena_alloc(&p->st->scratch, (messages + 1) * sizeof *p->held);
	if (p->held == NULL)
		return ERR_TOOBIG;
	for (size_t i = 0; rc == OK && i < n; i++) {
		int64_t seq = store_seq_next(p->st, SEQ_CHECKPOINT);

		rc = place_messages(p, seq, &steps[i]);
		if (rc == OK)
			rc = checkpoint_insert(p, seq, &steps[i]);
		p->checkpoint = seq;
	}
	return rc == OK ? place_flush(p) : rc;
}

/* What the steps of one command weigh in the queue. */
static size_t
steps_bytes(const struct store_step *steps, size_t n)
{
	size_t bytes = 0;

	for (size_t i = 0; i < n; i++) {
		bytes += 128 + steps[i].chart.n;
		for (size_t j = 0; j < steps[i].messages_n; j++)
			bytes += steps[i].messages[j].n;
	}
	return bytes;
}

static size_t
run_step_bytes(const struct store_cmd *c)
{
	const struct store_run_step *r = (const void *)c;

	return steps_bytes(r->steps, r->steps_n);
}

static int
run_step(struct store *st, struct store_cmd *c)
{
	struct store_run_step *x = (struct store_run_step *)c;
	struct place p;
	int rc = place_open(&p, st, c, x->run_seq, x->thread_seq);

	if (rc == OK)
		rc = steps_write(&p, c, x->steps, x->steps_n);
	if (rc != OK || x->steps_n == 0)
		return rc;
	return db_run(&st->w, SQL_THREAD_ADVANCE, db_i64(p.checkpoint),
	    db_i64(x->thread_seq), db_i64(c->owner));
}
const struct op store_op_run_step = { .run = run_step, .bytes = run_step_bytes };

/* ---- end ----------------------------------------------------------------- */

static int
run_end(struct store *st, int64_t run, enum run_status status, struct str error,
    msec now)
{
	return db_run(&st->w, SQL_RUN_END, db_i64(status),
	    db_str(error.n == 0 ? STR_NONE : error), db_i64(now), db_i64(run));
}

static int
task_fail(const struct place *p, const struct uuid *task, struct str error)
{
	return db_run(&p->st->w, SQL_CHECKPOINT_FAIL, db_str(error),
	    db_i64(p->checkpoint), db_i64(p->thread), db_uuid(task));
}

static size_t
run_finish_bytes(const struct store_cmd *c)
{
	const struct store_run_finish *r = (const void *)c;

	return steps_bytes(r->steps, r->steps_n) + r->error_json.n +
	    r->task_error.n;
}

static int
run_finish(struct store *st, struct store_cmd *c)
{
	struct store_run_finish *x = (struct store_run_finish *)c;
	struct place p;
	int rc = place_open(&p, st, c, x->run_seq, x->thread_seq);

	assert(x->status > RUN_RUNNING);
	x->has_next = false;
	if (rc == OK)
		rc = steps_write(&p, c, x->steps, x->steps_n);
	if (rc == OK && x->task_error.n > 0)
		rc = task_fail(&p, &x->task_id, x->task_error);
	if (rc == OK)
		rc = run_end(st, x->run_seq, x->status, x->error_json, x->now);
	if (rc != OK)
		return rc;
	rc = run_take_next(st, c, x->thread_seq, x->now, &x->next);
	x->has_next = rc == OK;
	if (rc == OK || rc == ERR_NOTFOUND)
		rc = tally_move(st, c->owner, THREAD_BUSY, x->has_next ?
		    THREAD_BUSY : x->thread_status);
	if (rc != OK)
		return rc;
	return db_run(&st->w, SQL_THREAD_END_RUN,
	    db_i64(x->has_next ? THREAD_BUSY : x->thread_status),
	    db_i64(x->now), db_i64(p.checkpoint),
	    db_str(x->error_json.n == 0 ? STR_NONE : x->error_json),
	    db_i64(x->thread_seq), db_i64(c->owner));
}
const struct op store_op_run_finish = { .run = run_finish, .bytes = run_finish_bytes };

/* After a pending run has gone: is anything of the thread still under way? */
static int
thread_settle(struct store *st, struct store_cmd *c, int64_t thread, msec now)
{
	int64_t running, all;
	int rc = runs_active(st, thread, &running, &all);

	if (rc == OK && all == 0)
		rc = tally_move(st, c->owner, THREAD_BUSY, THREAD_IDLE);
	if (rc != OK || all > 0)
		return rc;
	return db_run(&st->w, SQL_THREAD_STATUS, db_i64(THREAD_IDLE),
	    db_i64(now), db_i64(thread), db_i64(c->owner));
}

static int
run_cancel(struct store *st, struct store_cmd *c)
{
	struct store_run_cancel *x = (struct store_run_cancel *)c;
	enum run_status status = RUN_PENDING;
	int64_t run = 0, thread = 0;
	struct query q = query_of(&st->w, SQL_RUN_GET, db_uuid(&x->run_id),
	    db_i64(c->owner));
	int rc = query_row(&q);

	if (rc == OK) {
		run = query_i64(&q, 3);
		thread = query_i64(&q, 4);
		status = (enum run_status)query_i64(&q, 5);
	}
	query_end(&q);
	x->was_done = rc == OK && status > RUN_RUNNING;
	if (rc != OK || x->was_done)
		return rc;
	if (status == RUN_RUNNING)
		return err_set(&c->err, ERR_CONFLICT, "the run is running");
	rc = run_end(st, run, RUN_INTERRUPTED, STR_NONE, x->now);
	return rc == OK ? thread_settle(st, c, thread, x->now) : rc;
}
const struct op store_op_run_cancel = { .run = run_cancel };
