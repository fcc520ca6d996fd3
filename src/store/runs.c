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
	struct query q = query_of(&st->w, SQL_THREAD_GET);
	int rc;

	bind_uuid(&q, &x->run.thread_id);
	bind_i64(&q, x->cmd.owner);
	rc = query_row(&q);
	if (rc == OK)
		rc = thread_read(&q, x->cmd.arena, &x->thread);
	query_end(&q);
	return rc;
}

/* How many runs of the thread are running, and under way at all. */
static int
runs_active(struct store *st, int64_t thread, int64_t *running, int64_t *all)
{
	struct query q = query_of(&st->w, SQL_RUN_ACTIVE);
	int rc;

	bind_i64(&q, thread);
	rc = query_row(&q);
	if (rc == OK) {
		*running = col_i64(&q, 0);
		*all = col_i64(&q, 1);
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
	rc = b.failed ? ERR_TOOBIG : object_merge(x->cmd.arena,
	    x->thread.metadata_json, arena_str(x->cmd.arena, buf_str(&b)),
	    &x->thread.metadata_json, &x->cmd.err);
	buf_release(&b);
	return rc;
}

static int
thread_insert_busy(struct store *st, struct store_run_create *x)
{
	struct query q = query_of(&st->w, SQL_THREAD_INSERT);
	int rc;

	x->thread.seq = seq_next(st, SEQ_THREAD);
	bind_i64(&q, x->thread.seq);
	bind_uuid(&q, &x->thread.id);
	bind_i64(&q, x->cmd.owner);
	bind_i64(&q, THREAD_BUSY);
	bind_i64(&q, x->thread.created);
	bind_i64(&q, x->thread.updated);
	bind_uuid(&q, &x->run.assistant_id);
	bind_json(&q, x->thread.metadata_json);
	bind_json(&q, x->thread.config_json);
	rc = query_run(&q);
	/* The id is there, and thread_find did not see it: another owner's. */
	if (rc == OK && sqlite3_changes64(st->w.h) == 0)
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
	struct query q = query_of(&st->w, SQL_THREAD_BEGIN_RUN);

	bind_i64(&q, THREAD_BUSY);
	bind_i64(&q, x->thread.updated);
	bind_uuid(&q, &x->run.assistant_id);
	bind_json(&q, x->thread.metadata_json);
	bind_json(&q, x->thread.config_json);
	bind_i64(&q, x->thread.seq);
	bind_i64(&q, x->cmd.owner);
	return query_run(&q);
}

static int
run_insert(struct store *st, struct store_run_create *x)
{
	struct query q = query_of(&st->w, SQL_RUN_INSERT);
	struct store_run *r = &x->run;
	int rc;

	r->seq = seq_next(st, SEQ_RUN);
	r->thread_seq = x->thread.seq;
	r->attempt = 1;
	r->error_json = STR_NONE;
	bind_i64(&q, r->seq);
	bind_uuid(&q, &r->id);
	bind_i64(&q, r->thread_seq);
	bind_i64(&q, r->status);
	bind_i64(&q, r->multitask);
	bind_i64(&q, r->created);
	bind_i64(&q, r->updated);
	bind_uuid(&q, &r->assistant_id);
	bind_text(&q, r->graph_id);
	bind_json(&q, r->kwargs_json);
	bind_json(&q, r->metadata_json);
	bind_json(&q, r->base_json);
	rc = query_run(&q);
	if (rc == OK && sqlite3_changes64(st->w.h) == 0)
		rc = err_set(&x->cmd.err, ERR_CONFLICT, "Run already exists");
	return rc;
}

int
op_run_create(struct store *st, struct store_cmd *c)
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
		rc = object_merge(c->arena, x->thread.config_json,
		    x->thread_config_json, &x->thread.config_json, &c->err);
	if (rc != OK)
		return rc;
	x->thread.status = THREAD_BUSY;
	x->thread.updated = x->run.updated;
	rc = fresh ? thread_insert_busy(st, x) : thread_update_busy(st, x);
	if (rc == OK)
		rc = fresh ? thread_enter(st, c->owner, &x->thread) :
		    thread_change(st, x, &before);
	return rc == OK ? run_insert(st, x) : rc;
}

/* ---- take ---------------------------------------------------------------- */

static int
run_load(struct store *st, int64_t seq, owner_t owner, struct arena *a,
    struct store_run *out)
{
	struct query q = query_of(&st->w, SQL_RUN_AT);
	int rc;

	bind_i64(&q, seq);
	bind_i64(&q, owner);
	rc = query_row(&q);
	if (rc == OK)
		rc = run_read(&q, a, out);
	query_end(&q);
	return rc;
}

/* The thread's oldest pending run becomes RUNNING.  ERR_NOTFOUND: none. */
static int
run_take_next(struct store *st, struct store_cmd *c, int64_t thread, msec now,
    struct store_run *out)
{
	struct query q = query_of(&st->w, SQL_RUN_OLDEST);
	int64_t seq = 0;
	int rc;

	bind_i64(&q, thread);
	rc = query_row(&q);
	if (rc == OK)
		seq = col_i64(&q, 0);
	query_end(&q);
	if (rc == OK) {
		assert(c->arena != NULL);
		rc = run_load(st, seq, c->owner, c->arena, out);
	}
	if (rc != OK)
		return rc;
	out->status = RUN_RUNNING;
	out->updated = now;
	q = query_of(&st->w, SQL_RUN_TAKE);
	bind_i64(&q, now);
	bind_i64(&q, seq);
	return query_run(&q);
}

int
op_run_claim(struct store *st, struct store_cmd *c)
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
	struct query q = query_of(&st->w, SQL_RUN_OPEN);
	int64_t status = 0;
	int rc;

	*p = (struct place){ .st = st, .run = run, .thread = thread };
	bind_i64(&q, run);
	bind_i64(&q, thread);
	bind_i64(&q, c->owner);
	rc = query_row(&q);
	if (rc == OK) {
		status = col_i64(&q, 0);
		p->checkpoint = col_i64(&q, 1);
		p->list = col_i64(&q, 2);
		p->len = (uint32_t)col_i64(&q, 3);
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
	return n == 0 ? OK : list_append(p->st, p->list, p->held_first, p->held, n);
}

/* A new list, named after the checkpoint that begins it, with a copy of what
 * stays of the old one. */
static int
place_fork(struct place *p, int64_t checkpoint, uint32_t keep)
{
	struct str *kept;
	int rc = place_flush(p);

	if (rc == OK && keep > 0)
		rc = list_read(&p->st->w, p->list, 0, keep, &p->st->scratch, &kept);
	if (rc == OK && keep > 0)
		rc = list_append(p->st, checkpoint, 0, kept, keep);
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
	struct query q = query_of(&p->st->w, SQL_CHECKPOINT_INSERT);

	bind_i64(&q, seq);
	bind_uuid(&q, &s->id);
	bind_i64(&q, p->thread);
	bind_i64(&q, p->checkpoint);
	bind_i64(&q, p->run);
	bind_i64(&q, s->step);
	bind_i64(&q, s->source);
	bind_i64(&q, p->list);
	bind_i64(&q, s->keep);
	bind_i64(&q, p->len);
	bind_i64(&q, s->created);
	bind_str(&q, s->next);
	bind_uuid(&q, &s->task_id);
	bind_str(&q, s->chart);
	return query_run(&q);
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
		int64_t seq = seq_next(p->st, SEQ_CHECKPOINT);

		rc = place_messages(p, seq, &steps[i]);
		if (rc == OK)
			rc = checkpoint_insert(p, seq, &steps[i]);
		p->checkpoint = seq;
	}
	return rc == OK ? place_flush(p) : rc;
}

int
op_run_step(struct store *st, struct store_cmd *c)
{
	struct store_run_step *x = (struct store_run_step *)c;
	struct place p;
	struct query q;
	int rc = place_open(&p, st, c, x->run_seq, x->thread_seq);

	if (rc == OK)
		rc = steps_write(&p, c, x->steps, x->steps_n);
	if (rc != OK || x->steps_n == 0)
		return rc;
	q = query_of(&st->w, SQL_THREAD_ADVANCE);
	bind_i64(&q, p.checkpoint);
	bind_i64(&q, x->thread_seq);
	bind_i64(&q, c->owner);
	return query_run(&q);
}

/* ---- end ----------------------------------------------------------------- */

static int
run_end(struct store *st, int64_t run, enum run_status status, struct str error,
    msec now)
{
	struct query q = query_of(&st->w, SQL_RUN_END);

	bind_i64(&q, status);
	bind_str(&q, error.n == 0 ? STR_NONE : error);
	bind_i64(&q, now);
	bind_i64(&q, run);
	return query_run(&q);
}

static int
task_fail(const struct place *p, const struct uuid *task, struct str error)
{
	struct query q = query_of(&p->st->w, SQL_CHECKPOINT_FAIL);

	bind_str(&q, error);
	bind_i64(&q, p->checkpoint);
	bind_i64(&q, p->thread);
	bind_uuid(&q, task);
	return query_run(&q);
}

int
op_run_finish(struct store *st, struct store_cmd *c)
{
	struct store_run_finish *x = (struct store_run_finish *)c;
	struct place p;
	struct query q;
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
	q = query_of(&st->w, SQL_THREAD_END_RUN);
	bind_i64(&q, x->has_next ? THREAD_BUSY : x->thread_status);
	bind_i64(&q, x->now);
	bind_i64(&q, p.checkpoint);
	bind_str(&q, x->error_json.n == 0 ? STR_NONE : x->error_json);
	bind_i64(&q, x->thread_seq);
	bind_i64(&q, c->owner);
	return query_run(&q);
}

/* After a pending run has gone: is anything of the thread still under way? */
static int
thread_settle(struct store *st, struct store_cmd *c, int64_t thread, msec now)
{
	int64_t running, all;
	struct query q;
	int rc = runs_active(st, thread, &running, &all);

	if (rc == OK && all == 0)
		rc = tally_move(st, c->owner, THREAD_BUSY, THREAD_IDLE);
	if (rc != OK || all > 0)
		return rc;
	q = query_of(&st->w, SQL_THREAD_STATUS);
	bind_i64(&q, THREAD_IDLE);
	bind_i64(&q, now);
	bind_i64(&q, thread);
	bind_i64(&q, c->owner);
	return query_run(&q);
}

int
op_run_cancel(struct store *st, struct store_cmd *c)
{
	struct store_run_cancel *x = (struct store_run_cancel *)c;
	struct query q = query_of(&st->w, SQL_RUN_GET);
	enum run_status status = RUN_PENDING;
	int64_t run = 0, thread = 0;
	int rc;

	bind_uuid(&q, &x->run_id);
	bind_i64(&q, c->owner);
	rc = query_row(&q);
	if (rc == OK) {
		run = col_i64(&q, 3);
		thread = col_i64(&q, 4);
		status = (enum run_status)col_i64(&q, 5);
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
