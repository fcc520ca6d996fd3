/*
 * job.c - see job_priv.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/job_priv.h"

#include <assert.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/scan.h"
#include "run/frame_priv.h"
#include "run/hosted_priv.h"
#include "run/listen_priv.h"
#include "run/mail_priv.h"
#include "run/subscribe_priv.h"

/* ---- the end ---------------------------------------------------------------------- */

#define LOGGED_BYTES 512                     /* of an error's name, and of its text */

/* The log line of a failed run. */
static void
log_failed(const struct job *j, struct str name, struct str message)
{
	const struct run *run = j->run;
	char id[UUID_TEXT], thread[UUID_TEXT], assistant[UUID_TEXT];
	struct str provider = STR_NONE, model = STR_NONE;

	uuid_format(&run->place.run_id, id);
	uuid_format(&run->place.thread_id, thread);
	uuid_format(&j->assistant_id, assistant);
	if (j->plan != NULL)
		llm_model_split(run->rs->llm, j->plan->defaults.model, &provider, &model);
	log_info("run", "failed", "run=%.*s thread=%.*s assistant=%.*s "
	    "model=%.*s:%.*s error=%.*s message=%.*s ms=%.1f", UUID_TEXT, id,
	    UUID_TEXT, thread, UUID_TEXT, assistant, FMT(provider), FMT(model),
	    FMT(str_cut(name, LOGGED_BYTES)), FMT(str_cut(message, LOGGED_BYTES)),
	    (double)(shard_now(run->rs->shard) - j->started) / NS_PER_MS);
}

void
job_end_failed(struct job *j, struct str name, struct str message)
{
	struct buf text = BUF(LIMIT_STATE_BYTES);

	j->over = true;
	job_note_error(j, name, message);
	buf_lit(&text, "{\"error\":");
	json_add_str(&text, name);
	buf_lit(&text, ",\"message\":");
	json_add_str(&text, message);
	buf_add_char(&text, '}');
	log_failed(j, name, message);
	job_tell_error(j, name, message);
	record_finish(j->run, RUN_ERROR, THREAD_ERROR, buf_str(&text));
	buf_release(&text);
}

/* Whatever steps it. */
static void
stop_steps(struct job *j)
{
	if (j->core != NULL)
		core_stop(j->core);
	hosted_stop(j);
}

/* What is under way is stopped, and the run ends so. */
static void
fail(struct job *j, struct str name, const char *message)
{
	stop_steps(j);
	job_end_failed(j, name, str_of(message));
}

void
job_fail_broken(struct job *j)
{
	stream_discard(&j->run->stream);
	fail(j, S("StorageError"), "a checkpoint could not be written");
}

static void
on_end(void *ctx, enum core_end end, const struct core_error *error)
{
	struct job *j = ctx;

	if (j->unread) {                     /* until it is abandoned */
		j->over = true;
		return;
	}
	if (error != NULL) {
		job_end_failed(j, error->name, error->message);
		return;
	}
	if (j->broken) {
		job_fail_broken(j);
		return;
	}
	j->over = true;
	if (end == CORE_INTERRUPTED)
		record_finish(j->run, RUN_INTERRUPTED, THREAD_INTERRUPTED, STR_NONE);
	else
		record_finish(j->run, RUN_SUCCESS, THREAD_IDLE, STR_NONE);
}

/* Of the root; the caller's. */
static struct val
waits_of(const struct job *j)
{
	return j->hosted != NULL ? val_ref(hosted_asked(j)) : j->core != NULL ?
	    core_waits(j->core) : VAL_UNDEF;
}

/* With what waits, as Python's server answers. */
bool
job_values(const struct job *j, struct buf *out)
{
	const struct channels *state = j->core != NULL ? core_state(j->core) : NULL;
	struct val waits;

	if (j->broken || (j->hosted != NULL ? !hosted_values(j, out) : state == NULL))
		return false;
	waits = waits_of(j);
	if (state != NULL)
		channels_values_add_json(out, state);
	if (val_count(waits) > 0 && out->n > 0) {
		out->n--;                    /* the brace */
		buf_add(out, out->p[out->n - 1] == '{' ? S("\"__interrupt__\":") :
		    S(",\"__interrupt__\":"));
		val_add_json(out, waits);
		buf_add_char(out, '}');
	}
	val_drop(waits);
	return true;
}

void
job_outcome(const struct job *j, struct buf *waits, struct llm_usage *usage)
{
	struct val list;

	*usage = j->usage;
	if (j->broken)
		return;
	list = waits_of(j);
	if (val_count(list) > 0)
		val_add_json(waits, list);
	val_drop(list);
}

/* ---- the core's effects: storage ------------------------------------------------------ */

static struct saved_from
load_of(const struct job *j)
{
	return (struct saved_from){ .reader = j->run->rs->reader,
	    .owner = j->run->place.owner, .thread_seq = j->run->thread_seq,
	    .records = true };
}

static int
on_load(void *ctx, struct str ns, const struct uuid *id, struct core_saved **out)
{
	struct job *j = ctx;
	struct saved_from l = load_of(j);
	int rc;

	*out = NULL;
	if (j->run->stateless || !j->has_checkpoints)
		return OK;
	rc = saved_load(&l, ns, id, out);
	j->unread |= run_is_unread(j->run, rc);
	return rc;
}

static void
on_release(void *ctx, struct core_saved *saved)
{
	(void)ctx;
	saved_free(saved);
}

static int
on_waiting(void *ctx, const struct core_interrupt **out, size_t *n)
{
	struct job *j = ctx;
	struct saved_from l = load_of(j);
	int rc = OK;

	*out = NULL;
	*n = 0;
	if (j->run->stateless || !j->has_checkpoints)
		return OK;
	if (j->waiting == NULL)
		rc = saved_load_waiting(&l, &j->waiting);
	if (rc != OK) {
		j->unread |= run_is_unread(j->run, rc);
		saved_free(j->waiting);
		j->waiting = NULL;
	}
	if (rc == OK) {
		*out = j->waiting->interrupts;
		*n = j->waiting->interrupts_n;
	}
	return rc;
}

static msec
on_now(void *ctx)
{
	const struct job *j = ctx;

	return shard_wall(j->run->rs->shard);
}

static struct uuid
on_new_id(void *ctx, struct str ns, int step)
{
	(void)ctx;
	(void)ns;
	return uuid_v6((unsigned)step);
}

static void
on_checkpoint(void *ctx, const struct core_checkpoint *x)
{
	struct job *j = ctx;

	job_trace_checkpoint(j, x);
	if (j->run->stateless)
		return;
	changes_checkpoint(&j->changes, x, shard_wall(j->run->rs->shard));
	job_note_checkpoint(j, x);
	if (j->plan->durability == DURABILITY_SYNC)
		stream_close(&j->run->stream);
}

static void
on_writes(void *ctx, const struct core_task *t, struct val error)
{
	struct job *j = ctx;

	if (!j->run->stateless)
		changes_writes(&j->changes, t, error);
}

static void
on_carry(void *ctx, const struct core_task *t, size_t n, struct str name,
    struct val value)
{
	struct job *j = ctx;

	changes_carry(&j->changes, t, n, name, value);
}

static void
on_interrupt(void *ctx, const struct core_task *t, const struct core_interrupt *i)
{
	struct job *j = ctx;

	job_note_interrupt(j, t, i);
	if (!j->run->stateless)
		changes_interrupt(&j->changes, i, &i->checkpoint,
		    shard_wall(j->run->rs->shard));
}

static void
on_answer(void *ctx, const struct core_interrupt *i, struct val value)
{
	struct job *j = ctx;

	changes_answer(&j->changes, &i->id, value);
}

static void
on_void_all(void *ctx)
{
	struct job *j = ctx;

	j->changes.void_moved = !j->run->stateless;
}

static void
on_drop(void *ctx, const struct core_task *t)
{
	struct job *j = ctx;

	changes_drop(&j->changes, &t->id);
}

/* ---- the core's effects: tasks and events ------------------------------------------------ */

static void
on_begin(void *ctx, struct core_task *t)
{
	struct job *j = ctx;
	struct job_task *x = mem_new(struct job_task);

	x->job = j;
	x->core = t;
	t->host = x;
	event_task_make(&x->shown, t);
	inject_hand_on(x);
	*j->ready_end = x;
	j->ready_end = &x->next;
	if (!t->told)
		job_note_node(x, TRANSCRIPT_ENTERED);
}

static void
on_stop(void *ctx, struct core_task *t)
{
	struct job_task *x = t->host;

	(void)ctx;
	t->host = NULL;
	if (x->task != NULL && !x->job->over && !x->job->broken)
		task_quit(x->task);
	if (x->task != NULL)
		task_stop(x->task);
	if (!x->job->over && !x->job->broken)
		inject_leave(x);
	task_trace_end(x, S("cancelled"), STR_NONE);
	job_task_close(x);
}

/* Does any mode of the run show such events?  What is asked for and not read is
 * counted, so it must be told. */
static bool
on_wants(void *ctx, enum event_kind kind, bool root)
{
	static const unsigned modes[EVENT_KINDS] = {
		[EVENT_TASK] = MODE_TASKS | MODE_DEBUG | MODE_EVENTS,
		[EVENT_CHECKPOINT] = MODE_CHECKPOINTS | MODE_DEBUG,
		[EVENT_INPUT] = MODE_VALUES | MODE_EVENTS,
		[EVENT_VALUES] = MODE_VALUES | MODE_EVENTS,
		[EVENT_TASK_RESULT] = MODE_UPDATES | MODE_TASKS | MODE_DEBUG |
		    MODE_EVENTS,
		[EVENT_COMPLETE] = MODE_MESSAGES, [EVENT_MODEL_START] = MODE_EVENTS,
		[EVENT_INTERRUPT] = ~0u, [EVENT_LIFECYCLE] = MODE_LIFECYCLE | MODE_EVENTS,
	};
	static const bool all[EVENT_KINDS] = {
		[EVENT_TASK] = true, [EVENT_CHECKPOINT] = true, [EVENT_INPUT] = true,
		[EVENT_VALUES] = true, [EVENT_TASK_RESULT] = true, [EVENT_LIFECYCLE] = true,
	};
	/* Readers that come later may begin behind any checkpoint, with its state. */
	static const bool kept[EVENT_KINDS] = {
		[EVENT_CHECKPOINT] = true, [EVENT_INPUT] = true, [EVENT_VALUES] = true,
	};
	const struct job *j = ctx;
	const struct stream *s = &j->run->stream;

	if ((s->full && all[kind]) || (s->log != NULL && root && kept[kind]))
		return true;
	if (!root && !j->plan->subgraphs && kind != EVENT_INTERRUPT)
		return (j->plan->modes & modes[kind] & (MODE_EVENTS | MODE_LIFECYCLE)) != 0;
	return (j->plan->modes & modes[kind]) != 0 || kind == EVENT_INTERRUPT;
}

bool
job_wants(const struct job *j, enum event_kind kind, bool root)
{
	return on_wants((void *)j, kind, root);
}

/* What waits for a person is told when it is written down. */
static void
on_told(void *ctx, const struct run_event *ev)
{
	struct job *j = ctx;
	struct run_event own = *ev;

	job_note_breakpoint(j, ev);
	if (ev->kind == EVENT_INTERRUPT && !j->run->stateless)
		stream_close(&j->run->stream);
	job_tell_event(j, &own);
}

static const struct core_effects effects = {
	.load = on_load, .release = on_release, .waiting = on_waiting,
	.now = on_now, .new_id = on_new_id, .checkpoint = on_checkpoint, .writes = on_writes,
	.carry = on_carry,
	.interrupt = on_interrupt, .answer = on_answer, .void_all = on_void_all,
	.drop = on_drop, .begin = on_begin, .stop = on_stop, .wants = on_wants,
	.told = on_told, .path = job_note_path, .mail = job_mail, .end = on_end,
};

/* ---- the pump -------------------------------------------------------------------------------- */

void
job_task_close(struct job_task *t)
{
	struct job *j = t->job;
	struct job_task **at = &j->tasks;

	t->core = NULL;
	while (*at != NULL && *at != t)
		at = &(*at)->next;
	if (*at == NULL)
		return;                      /* still in `ready`: the pump drops it */
	*at = t->next;
	t->next = j->dead;
	j->dead = t;
}

static void
job_task_free(struct job_task *t)
{
	task_free(t->task);
	job_answer_free(t);
	task_trace_release(t);
	event_task_release(&t->shown);
	val_drop(t->inbox);
	for (size_t i = 0; i < t->streamed_n; i++)
		free(t->streamed[i]);
	free(t->streamed);
	free(t);
}

static void
free_dead(struct job *j)
{
	while (j->dead != NULL) {
		struct job_task *t = j->dead;

		j->dead = t->next;
		job_task_free(t);
	}
}

static void
start_task(struct job_task *t)
{
	struct job *j = t->job;
	struct task_spec s = core_task_spec(t->core);

	s.defaults = &j->plan->defaults;
	t->next = j->tasks;
	j->tasks = t;
	t->task = task_new(&s, j->run->stateless ?
	    &j->run->rs->sh->host_stateless : &j->run->rs->sh->host, t);
	inject_give(t);
	task_trace_begin(t);
	task_start(t->task);
}

static void
on_committed(struct run *run)
{
	struct job *j = run->job;

	j->holding = false;
	busy_leave(j, &j->commits);
	if (!j->broken)
		stream_open(&run->stream);
	job_pump(j);
}

/* What was decided goes to the store before what follows begins. */
static void
hand_over(struct job *j)
{
	bool sync = j->plan->durability == DURABILITY_SYNC;

	if (j->run->stateless || j->plan->durability == DURABILITY_EXIT ||
	    changes_empty(&j->changes))
		return;
	j->holding = sync;
	if (sync)
		busy_enter(j, &j->commits);
	record_changes(j->run, sync ? on_committed : NULL);
}

/* A process that stood still for longer than its lease goes on with what has come meanwhile,
 * before it is told: another node is at work on the run by then. */
static bool
may_begin(const struct run *run)
{
	const struct runs_shared *sh = run->rs->sh;

	return run->stateless || sh->lease_holds == NULL || sh->lease_holds(sh->lease_ctx);
}

void
job_pump(struct job *j)
{
	struct run *run = j->run;

	if (j->pumping)
		return;
	j->pumping = true;
	run_hold(run);
	while (!j->over) {
		struct job_task *t = j->ready;

		if (j->broken) {
			job_fail_broken(j);
			break;
		}
		hand_over(j);
		if (j->holding || t == NULL || !may_begin(run))
			break;
		j->ready = t->next;
		if (j->ready == NULL)
			j->ready_end = &j->ready;
		if (t->core != NULL)
			start_task(t);
		else
			job_task_free(t);
	}
	free_dead(j);
	job_set_due(j);
	j->pumping = false;
	inject_look(run);
	mail_look(run);
	job_look(j);
	run_drop(run);
}

void
job_pump_of(struct run *run)
{
	if (run->job != NULL)
		job_pump(run->job);
}

void
job_pump_drop(struct run *held)
{
	job_pump_of(held);
	run_drop(held);
}

/* ---- start and stop --------------------------------------------------------------------------- */

/* A graph in a worker may show states that are not its checkpoints' channels. */
bool
job_refers(const struct job *j)
{
	return !j->run->stateless && j->plan->durability != DURABILITY_EXIT &&
	    j->definition.agent->hosted == NULL;
}

static void
stream_begin(struct job *j, unsigned modes, bool resumable)
{
	struct run *run = j->run;
	bool again = run->attempt > 1 || run->woken;

	run->stream.full = run->stream.full || (again && !run->stateless &&
	    !resumable && tape_exists(run));
	if ((resumable || run->stream.full) && !run->stateless && again)
		j->past = tape_past_read(run);
	stream_init(&run->stream, modes, !run->stateless || resumable, resumable,
	    j->past != NULL ? j->past->next_id : 0);
	if (resumable || run->stream.full)
		tape_open(run, job_refers(j));
}

/* One name a thread, the same for all its runs and attempts. */
static void
name_actor(struct job *j, struct str graph_id)
{
	struct buf b = BUF(LIMIT_NAME_BYTES + 64);

	buf_lit(&b, "agent/");
	buf_add(&b, graph_id);
	buf_lit(&b, "/");
	uuid_add(&b, &j->run->place.thread_id);
	j->actor = mem_cstr(buf_str(&b));
	buf_release(&b);
}

static void
wire_begin(struct job *j, const struct store_run *row)
{
	static const struct uuid none;
	struct run *run = j->run;
	struct classic_run x = { .thread_id = run->stateless ? none :
	    run->place.thread_id, .run_id = run->place.run_id };
	const struct plan *p = j->plan;

	j->members = j->task_members = j->configurable = BUF(RUN_METADATA_BYTES);
	run->stream.full = p != NULL && subscribe_reads(run);
	if (p != NULL) {
		run_members_write(&j->members, row->metadata_json, run->attempt,
		    &run->place.thread_id, &run->place.run_id);
		if (job_tells(j, MODE_TASKS | MODE_DEBUG | MODE_CHECKPOINTS | MODE_EVENTS))
			run_members_write(&j->task_members, row->metadata_json,
			    run->attempt, &none, &run->place.run_id);
		if (p->resumable || (p->modes & (MODE_CHECKPOINTS | MODE_DEBUG)) != 0)
			plan_add_configurable(p, &j->configurable);
		x.recursion_limit = p->q.recursion_limit;
		x.subgraphs = p->subgraphs;
	}
	buf_fit(&j->members);
	x.members = buf_str(&j->members);
	x.task_members = buf_str(&j->task_members);
	x.configurable = buf_str(&j->configurable);
	stream_begin(j, p != NULL ? p->modes : 0, p != NULL && p->resumable);
	classic_init(&j->wire, &x, &run->stream, &run->rs->stats.events);
}

static struct job *
job_new(struct run *run, const struct store_run *row)
{
	struct job *j = mem_new(struct job);

	j->run = run;
	j->started = shard_now(run->rs->shard);
	j->assistant_id = row->assistant_id;
	j->ready_end = &j->ready;
	j->due_at = CORE_NEVER;
	changes_init(&j->changes);
	j->told = BUF(LIMIT_STATE_BYTES);
	name_actor(j, row->graph_id);
	return j;
}

/* What the run goes by, and is asked; both may be there already. */
static int
job_read(struct job *j, const struct store_run *row, struct plan *plan,
    const struct definition *d, struct err *e)
{
	struct runs *rs = j->run->rs;
	int rc = OK;

	if (d != NULL)
		j->definition = definition_hold(d);
	else
		rc = definition_of_hash(&j->definition, rs, row->graph_id,
		    row->agent_hash, e);
	if (rc == OK && plan == NULL)
		rc = plan_read(&plan, row->kwargs_json, &j->run->place.run_id,
		    j->definition.agent, rs->sh->tools, e);
	j->plan = plan;
	return rc;
}

void
job_start(struct run *run, const struct store_run *row, struct plan *plan,
    const struct definition *d, bool has_checkpoints)
{
	struct err e = { 0 };
	struct job *j;
	int rc;

	assert(run->job == NULL);
	j = run->job = job_new(run, row);
	run_set_phase(run, PHASE_LIVE);
	listen_begins(run);
	run->attempt = row->attempt;
	j->has_checkpoints = has_checkpoints;
	rc = job_read(j, row, plan, d, &e);
	plan = j->plan;
	if (rc == OK && (row->attempt > 1 || run->woken) && !run->stateless && store_run_steps(
	    run->rs->reader, run->place.owner, run->seq, &plan->q.steps_before) != OK)
		plan->q.steps_before = 0;
	if (rc == OK) {
		plan->q.woken = run->woken;
		plan->q.hears = mail_is_possible(run);
	}
	job_trace_begin(j, row->kwargs_json);
	job_note_begin(j, row);
	wire_begin(j, row);
	subscribe_begins(run);
	if (!run->woken || run->stream.log == NULL)
		job_tell_begin(j, row);          /* else the log has it already */
	if (rc != OK) {
		fail(j, S("ValueError"), e.text);
	} else if (run->cancel) {
		j->over = true;
		record_finish(run, RUN_INTERRUPTED, THREAD_IDLE, STR_NONE);
	} else if (j->definition.agent->hosted != NULL) {
		hosted_start(j, row);
	} else {
		j->core = core_new(j->definition.agent, &plan->q, &effects, j);
		mail_begin(run, j->definition.agent);
		j->pumping = true;           /* the core first, then its tasks */
		core_start(j->core);
		j->pumping = false;
		job_pump(j);
	}
}

/* A run that is cancelled leaves what its model had said. */
void
job_cancel(struct run *run)
{
	struct job *j = run->job;
	struct job_task *t = j->tasks;
	struct core_task *core = t != NULL && !run->rollback && !run->stateless &&
	    !j->broken && core_keeps(t->core) ? t->core : NULL;
	struct val partial;

	j->over = true;
	stop_steps(j);
	if (core != NULL) {
		partial = job_partial(t);
		if (partial.kind != VAL_UNDEFINED)
			core_keep_stopped(core, partial);
		val_drop(partial);
	}
	if (!j->pumping)
		free_dead(j);
}

void
job_stop(struct run *run)
{
	struct job *j = run->job;

	j->over = true;
	j->trace.leaves = true;
	stop_steps(j);
	if (!j->pumping)
		free_dead(j);
}

void
job_free(struct job *j)
{
	if (j == NULL)
		return;
	j->trace.leaves = true;
	stop_steps(j);
	shard_timer_cancel(j->run->rs->shard, &j->flush);
	shard_timer_cancel(j->run->rs->shard, &j->due);
	shard_timer_cancel(j->run->rs->shard, &j->park);
	while (j->ready != NULL) {
		struct job_task *t = j->ready;

		j->ready = t->next;
		job_task_free(t);
	}
	free_dead(j);
	assert(j->tasks == NULL);
	core_free(j->core);
	hosted_release(j);
	classic_release(&j->wire);
	tape_past_free(j->past);
	job_trace_release(j);
	buf_release(&j->told);
	inject_release(j);
	mail_committed(j->run, &j->changes, false);
	changes_release(&j->changes);
	transcript_release(&j->transcript);
	saved_free(j->waiting);
	buf_release(&j->members);
	buf_release(&j->task_members);
	buf_release(&j->configurable);
	plan_free(j->plan);
	definition_drop(&j->definition);
	free(j->actor);
	free(j);
}
