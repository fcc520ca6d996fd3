/*
 * record.c - what a run leaves in the store: checkpoints, its stream, its end.
 *
 * A command owns what it names until it comes back: it takes the steps over
 * and holds the run.  Commands of one run are committed in the order they
 * are submitted, so a lazy one is never overtaken by the run's end.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "run/hosted_priv.h"
#include "run/job_priv.h"
#include "run/mail_priv.h"
#include "store/node.h"

#define RETRY_MS 1000                        /* an end that could not be written */

/* ---- commands ------------------------------------------------------------ */

int
run_submit(struct run *run, struct store_cmd *c)
{
	struct runs *rs = run->rs;
	int rc;

	assert(!run->stateless);
	c->owner = run->place.owner;
	run->submits++;
	rc = store_submit(rs->sh->store, rs->shard, c, true);
	if (rc == OK) {
		run_hold(run);
		runs_busy(rs, 1);
	}
	return rc;
}

void
run_returned(struct run *run)
{
	runs_busy(run->rs, -1);
	run_drop(run);
}

struct save {
	struct store_run_save c;
	struct changes changes;
	int64_t settles;                     /* events whose states it writes */
	struct run *run;
	void (*then)(struct run *run);
};

/* Without its checkpoints a run cannot go on: what follows would be built on
 * state that is not there. */
static void
changes_lost(struct run *run, const struct store_cmd *c)
{
	char id[UUID_TEXT];

	uuid_format(&run->place.run_id, id);
	log_error("run", "step_lost", "run=%.*s rc=%s reason=%s", UUID_TEXT, id,
	    rc_name(c->rc), c->err.text);
	if (run->job != NULL) {
		run->job->broken = true;
		job_look(run->job);          /* it may be asleep */
	}
}

static void
save_done(struct store_cmd *cmd)
{
	struct save *s = CONTAINER_OF(cmd, struct save, c.cmd);
	struct run *run = s->run;

	if (run_is_fenced(run, cmd))
		run_abandon(run);
	else if (cmd->rc != OK)
		changes_lost(run, cmd);
	else
		sleep_asked(run->rs, &s->c.changes);
	mail_committed(run, &s->changes, cmd->rc == OK);
	if (s->then != NULL && run->phase == PHASE_LIVE)
		s->then(run);                /* readers may get the states now */
	if (cmd->rc == OK && run->stream.log != NULL)
		event_log_settle(run->stream.log, s->settles);
	changes_release(&s->changes);
	free(s);
	run_returned(run);
}

void
record_changes(struct run *run, void (*then)(struct run *run))
{
	struct save *s;
	int rc;

	assert(!run->stateless);
	s = mem_new(struct save);
	s->c.cmd.op = STORE_RUN_SAVE;
	s->c.cmd.lazy = then == NULL;
	s->c.cmd.done = save_done;
	s->c.run_seq = run->seq;
	s->c.thread_seq = run->thread_seq;
	s->run = run;
	s->then = then;
	s->settles = run->stream.log != NULL ? event_log_last(run->stream.log) : 0;
	changes_take(&run->job->changes, &s->changes);
	changes_transcript(&s->changes, &run->job->transcript);
	s->c.cmd.rc = changes_fill(&s->changes, &s->c.changes, &s->c.cmd.err);
	if (s->c.cmd.rc != OK) {
		changes_lost(run, &s->c.cmd);
		changes_release(&s->changes);
		free(s);
		return;
	}
	rc = run_submit(run, &s->c.cmd);
	assert(rc == OK);                    /* forced */
}

struct beside {
	struct store_run_save c;
	struct changes changes;
	struct run *run;
};

static void
beside_done(struct store_cmd *cmd)
{
	struct beside *b = CONTAINER_OF(cmd, struct beside, c.cmd);
	struct run *run = b->run;

	if (run_is_fenced(run, cmd))
		run_abandon(run);
	else if (cmd->rc != OK)
		changes_lost(run, cmd);
	mail_committed(run, &b->changes, cmd->rc == OK);
	changes_release(&b->changes);
	free(b);
	run_returned(run);
}

void
record_these(struct run *run, struct changes *x)
{
	struct beside *b = mem_new(struct beside);
	int rc;

	b->run = run;
	changes_take(x, &b->changes);
	b->c.cmd.op = STORE_RUN_SAVE;
	b->c.cmd.done = beside_done;
	b->c.run_seq = run->seq;
	b->c.thread_seq = run->thread_seq;
	rc = changes_fill(&b->changes, &b->c.changes, &b->c.cmd.err);
	assert(rc == OK);                    /* a message, which is small */
	rc = run_submit(run, &b->c.cmd);
	assert(rc == OK);                    /* forced */
}

struct append {
	struct store_events_append c;
	struct buf bytes;
	bool retried, awaited;               /* awaited: the stream waits for it */
	struct run *run;
};

static void ending_tell(struct ending *n);

static void
append_done(struct store_cmd *cmd)
{
	struct append *a = CONTAINER_OF(cmd, struct append, c.cmd);
	struct run *run = a->run;
	int rc;

	(void)run_is_fenced(run, cmd);
	/* Rows are read by their numbers: one that comes late is in its place. */
	if ((cmd->rc == ERR_IO || cmd->rc == ERR_BUSY) && !a->retried) {
		a->retried = true;
		cmd->lazy = false;
		rc = run_submit(run, cmd);
		assert(rc == OK);
		run_returned(run);
		return;
	}
	if (cmd->rc != OK && cmd->rc != ERR_CANCELLED)
		log_error("run", "stream_lost", "rc=%s reason=%s", rc_name(cmd->rc),
		    cmd->err.text);
	if (run->stream.log != NULL)
		event_log_stored(run->stream.log, a->c.last);
	if (a->awaited && cmd->rc != ERR_CANCELLED)
		stream_go(&run->stream);
	buf_release(&a->bytes);
	free(a);
	if (--run->appends == 0 && run->written != NULL)
		ending_tell(run->written);
	run_returned(run);
}

/* Numbers that are used while the batch is on its way are reserved with it; behind
 * the last event of a run one for its end (subscribe.c). */
#define SEQ_AHEAD 1024

/* What was taken of the log into bytes. */
static void
append_fill(struct run *run, struct store_events_append *c, const struct buf *bytes)
{
	c->run_seq = run->seq;
	c->thread_seq = run->thread_seq;
	c->begins = !run->taped;
	c->keeps = true;
	c->next = c->last + (run->job->over ? 2 : SEQ_AHEAD);
	c->bytes = buf_str(bytes);
	run->taped = true;
}

static bool
append_next(struct run *run, bool lazy, bool awaited)
{
	struct append *a = mem_new(struct append);
	int rc;

	a->bytes = BUF(LIMIT_STATE_BYTES * 4u);
	if (!(awaited ? event_log_take_all : event_log_take)(run->stream.log, &a->bytes,
	    &a->c.first, &a->c.last)) {
		buf_release(&a->bytes);
		free(a);
		return false;
	}
	append_fill(run, &a->c, &a->bytes);
	a->c.cmd.op = STORE_EVENTS_APPEND;
	a->c.cmd.lazy = lazy;
	a->c.cmd.done = append_done;
	a->awaited = awaited;
	a->run = run;
	run->appends++;
	rc = run_submit(run, &a->c.cmd);
	assert(rc == OK);
	return true;
}

void
record_stream(struct run *run)
{
	if (run->stateless || run->stream.log == NULL)
		return;
	while (append_next(run, true, false))
		continue;
}

void
record_stream_awaited(struct run *run)
{
	while (append_next(run, false, false))
		continue;
	if (!append_next(run, false, true))
		stream_go(&run->stream);
}

static void
on_flush(struct wheel_timer *t)
{
	record_stream(CONTAINER_OF(t, struct job, flush)->run);
}

void
record_stream_later(struct run *run)
{
	struct job *j = run->job;

	size_t fresh;

	if (run->stateless || run->stream.log == NULL)
		return;
	fresh = event_log_fresh(run->stream.log);
	if (fresh >= LIMIT_STREAM_FLUSH_BYTES) {
		record_stream(run);
	} else if (fresh > 0 && !wheel_armed(&j->flush)) {
		j->flush.fire = on_flush;
		shard_timer_set(run->rs->shard, &j->flush, LIMIT_STREAM_FLUSH_MS);
	}
}

/* ---- the end ------------------------------------------------------------- */

struct ending {
	struct store_run_end c;
	struct parcel parcel;                /* when there is nothing to write */
	struct arena arena;
	struct changes changes;
	struct store_events_append events;   /* that its commit makes so */
	struct buf events_bytes;
	char *error;
	unsigned tries;
	struct wheel_timer again;
	struct run *run;
};

static void
ending_free(struct ending *n)
{
	arena_release(&n->arena);
	changes_release(&n->changes);
	buf_release(&n->events_bytes);
	free(n->error);
	free(n);
}

static void
ending_submit(struct ending *n)
{
	int rc = run_submit(n->run, &n->c.cmd);

	assert(rc == OK);                    /* forced */
}

/* The last steps are not written, so it was no success, and nothing waits.
 * Readers have seen events of those steps, so they are told. */
static void
ending_turn(struct ending *n)
{
	static const char lost[] =
	    "{\"error\":\"StorageError\",\"message\":\"the run could not be recorded\"}";

	mail_committed(n->run, &n->changes, false);
	hosted_ended(n->run->job, n->c.cmd.rc, &n->c.cmd.err);
	n->c.changes = (struct store_changes){ .usage = n->c.changes.usage,
	    .usage_n = n->c.changes.usage_n };
	if (n->c.status != RUN_SUCCESS && n->c.thread_status != THREAD_INTERRUPTED)
		return;
	n->c.status = RUN_ERROR;
	n->c.thread_status = THREAD_ERROR;
	n->c.error_json = str_of(lost);
	n->c.events = NULL;
	job_tell_lost(n->run);
	record_stream(n->run);
}

static void
on_again(struct wheel_timer *t)
{
	struct ending *n = CONTAINER_OF(t, struct ending, again);
	struct run *run = n->run;

	run->ending = NULL;
	ending_submit(n);
	run_drop(run);
}

/* Whatever could not be written, the run must not stay `running` for ever: at
 * once without its steps, then as often as it takes. */
static void
ending_retry(struct ending *n, const struct store_cmd *cmd)
{
	struct run *run = n->run;

	if (n->tries++ == 0) {
		changes_lost(run, cmd);
		ending_turn(n);
		ending_submit(n);
		return;
	}
	run_tell_unwritten(run, cmd->rc, &cmd->err);
	run_hold(run);
	run->ending = n;
	n->again.fire = on_again;
	shard_timer_set(run->rs->shard, &n->again, RETRY_MS);
}

bool
record_give_up(struct run *run)
{
	struct ending *n = run->ending;

	if (n == NULL)
		return false;
	run->ending = NULL;
	shard_timer_cancel(run->rs->shard, &n->again);
	ending_free(n);
	run_drop(run);
	return true;
}

static void
ending_tell(struct ending *n)
{
	struct store_cmd *cmd = &n->c.cmd;

	n->run->written = NULL;
	if (cmd->rc == ERR_CANCELLED)
		cmd->rc = err_set(&cmd->err, ERR_CLOSED, "another server goes on with the "
		    "run");
	/* If the node has changed meanwhile, the next run is the other node's. */
	run_ended(n->run, cmd->rc, n->c.status, n->c.error_json, cmd->rc == OK &&
	    n->c.has_next && !store_is_late(n->run->rs->sh->store, cmd) ? &n->c.next :
	    NULL, &cmd->err);
	ending_free(n);
}

/* Once the end is told, a stream is read from the store: what of it had to be
 * written again comes first. */
static void
ending_done(struct store_cmd *cmd)
{
	struct ending *n = CONTAINER_OF(cmd, struct ending, c.cmd);
	struct run *run = run_hold(n->run);
	bool again;

	(void)run_is_fenced(run, cmd);
	again = cmd->rc != OK && cmd->rc != ERR_CANCELLED && !run->rs->draining &&
	    !run->rs->lost && (n->tries == 0 || cmd->rc == ERR_IO || cmd->rc == ERR_BUSY);
	run_returned(run);
	if (cmd->rc == OK)
		sleep_asked(run->rs, &n->c.changes);
	if (!again) {
		mail_committed(run, &n->changes, cmd->rc == OK);
		hosted_ended(run->job, cmd->rc, &cmd->err);
	}
	if (again) {
		ending_retry(n, cmd);
	} else if (run->appends > 0) {
		run->written = n;
	} else {
		ending_tell(n);
	}
	run_drop(run);
}

static void
ending_open(void *ctx, struct parcel *p)
{
	struct ending *n = CONTAINER_OF(p, struct ending, parcel);
	struct run *run = run_hold(n->run);

	(void)ctx;
	run_returned(run);
	hosted_ended(run->job, OK, NULL);
	run_ended(run, OK, n->c.status, n->c.error_json, NULL, NULL);
	ending_free(n);
	run_drop(run);
}

/* What the models of a run without a thread took. */
struct bill {
	struct store_usage_add c;
	struct changes changes;
	struct run *run;
};

static void
bill_done(struct store_cmd *cmd)
{
	struct bill *b = CONTAINER_OF(cmd, struct bill, c.cmd);
	struct run *run = b->run;

	if (cmd->rc != OK)
		log_error("run", "usage_lost", "rc=%s reason=%s", rc_name(cmd->rc),
		    cmd->err.text);
	changes_release(&b->changes);
	free(b);
	run_returned(run);
}

static void
record_usage(struct run *run)
{
	struct runs *rs = run->rs;
	struct bill *b;

	if (run->job->changes.usage_n == 0)
		return;
	b = mem_new(struct bill);
	changes_take(&run->job->changes, &b->changes);
	b->c.cmd.op = STORE_USAGE_ADD;
	b->c.cmd.owner = run->place.owner;
	b->c.cmd.lazy = true;
	b->c.cmd.done = bill_done;
	b->c.usage = b->changes.usage;
	b->c.usage_n = b->changes.usage_n;
	b->c.payer = run->payer;
	b->run = run_hold(run);
	runs_busy(rs, 1);
	if (store_submit(rs->sh->store, rs->shard, &b->c.cmd, true) != OK) {
		changes_release(&b->changes);
		free(b);
		run_returned(run);
	}
}

/* Events that readers get when the end is committed, and not before. */
static void
ending_events(struct ending *n)
{
	struct run *run = n->run;

	n->events_bytes = BUF(LIMIT_STATE_BYTES * 4u);
	if (run->stream.log == NULL || !event_log_take_all(run->stream.log,
	    &n->events_bytes, &n->events.first, &n->events.last))
		return;
	append_fill(run, &n->events, &n->events_bytes);
	n->c.events = &n->events;
}

void
record_finish(struct run *run, enum run_status status, enum thread_status after,
    struct str error_json)
{
	struct ending *n = mem_new(struct ending);
	struct runs *rs = run->rs;

	assert(run->phase == PHASE_LIVE && status > RUN_RUNNING);
	record_stream(run);
	run_set_phase(run, PHASE_ENDING);
	n->run = run;
	n->arena = ARENA(THREAD_ARENA);
	n->error = mem_cstr(error_json);
	n->c.error_json = (struct str){ n->error, error_json.n };
	n->c.status = status;
	if (run->stateless) {
		record_usage(run);
		run_hold(run);
		runs_busy(rs, 1);
		n->parcel.open = ending_open;
		runs_send(rs, rs, &n->parcel);
		return;
	}
	ending_events(n);
	if (!run->job->broken) {
		struct note note = job_note(run->job);

		note_end(&note, status);
		changes_take(&run->job->changes, &n->changes);
		changes_transcript(&n->changes, &run->job->transcript);
	}
	n->c.cmd.op = STORE_RUN_END;
	n->c.cmd.arena = &n->arena;
	n->c.cmd.done = ending_done;
	n->c.run_seq = run->seq;
	n->c.thread_seq = run->thread_seq;
	n->c.thread_status = after;
	n->c.rollback = run->rollback;
	n->c.unpark = run->parked;
	n->c.cancel_reason = n->c.status == RUN_INTERRUPTED ? str_of(run->why) :
	    STR_NONE;
	n->c.now = run->ended = shard_wall(rs->shard);
	if (changes_fill(&n->changes, &n->c.changes, &n->c.cmd.err) != OK) {
		n->tries++;
		n->c.cmd.rc = ERR_TOOBIG;
		changes_lost(run, &n->c.cmd);
		ending_turn(n);
	}
	ending_submit(n);
}
