/*
 * job_tell.c - what a run tells: to its log, to the classic wire's readers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/scan.h"
#include "run/hosted_priv.h"

void
job_tell_event(struct job *j, struct run_event *ev)
{
	struct stream *s = &j->run->stream;
	/* Which messages were begun must be known after a crash, before readers have them:
	 * see job_retract. */
	bool waits = ev->kind == EVENT_DELTA && ev->u.model.delta->kind == LLM_DELTA_START &&
	    !j->run->stateless && stream_wait(s);

	ev->now = shard_wall(j->run->rs->shard);
	if (s->log != NULL)
		event_log_add(s->log, ev, s->next_id);
	classic_tell(&j->wire, ev);
	if (waits)
		record_stream_awaited(j->run);
	else
		record_stream_later(j->run);
}

bool
job_tells(const struct job *j, unsigned modes)
{
	return j->run->stream.full || (j->plan->modes & modes) != 0;
}

struct run_event
job_event(const struct job_task *t, enum event_kind kind)
{
	struct run_event ev = core_event(t->core, kind);

	ev.task = &t->shown;
	return ev;
}

void
job_tell(struct job_task *t, struct run_event *ev)
{
	job_tell_event(t->job, ev);
}

struct val
job_channels(const struct agent *a)
{
	struct val list = val_array_empty();

	for (size_t i = 0; a != NULL && i < a->channels_n; i++) {
		const struct channel *c = &a->channels[i];
		struct val one = val_push_take(val_array_empty(), val_string(c->name));

		if (c->private) {
			val_drop(one);
			continue;
		}
		if (c->initial.kind != VAL_UNDEFINED)
			one = val_push_take(one, val_copy(c->initial));
		list = val_push_take(list, one);
	}
	return list;
}

/* The input as the client gave it. */
static struct val
raw_input(const struct job *j, const struct store_run *row)
{
	struct str input = STR_NONE;

	if (j->plan != NULL && (j->plan->modes & MODE_EVENTS) != 0)
		input = scan_find(row->kwargs_json, S("input"));
	return input.n == 0 ? VAL_UNDEF : val_json_trusted(input);
}

/* Only frames of resumable runs are made again, so only those say of which modes. */
static struct val
facts(const struct job *j)
{
	struct val v = classic_facts(&j->wire);

	if (!j->run->stream.keeps)
		v = val_unset_take(v, S("modes"));
	if (j->definition.agent != NULL)
		v = val_set_take(v, S("graph"), val_string(j->definition.agent->id));
	return val_set_take(v, S("channels"), job_channels(j->definition.agent));
}

void
job_tell_begin(struct job *j, const struct store_run *row)
{
	struct run_event ev = { .kind = EVENT_METADATA };

	ev.u.metadata.attempt = j->run->attempt;
	ev.u.metadata.input = raw_input(j, row);
	if (j->run->stream.log != NULL)
		ev.u.metadata.facts = facts(j);
	job_tell_event(j, &ev);
	val_drop(ev.u.metadata.facts);
	val_drop(ev.u.metadata.input);
}

/* What went before is not told any more; where the run stands is. */
static void
keep_from_here(struct job *j)
{
	struct run *run = j->run;
	struct run_event ev = { .kind = EVENT_METADATA, .now = shard_wall(run->rs->shard) };

	tape_open(run, job_refers(j));
	ev.u.metadata.attempt = run->attempt;
	ev.u.metadata.facts = facts(j);
	event_log_add(run->stream.log, &ev, run->stream.next_id);
	val_drop(ev.u.metadata.facts);
	if (run->stream.closed)
		event_log_hide(run->stream.log);
	if (j->hosted != NULL ? hosted_stands(j, &ev) :
	    j->core != NULL && core_stands(j->core, &ev)) {
		ev.now = shard_wall(run->rs->shard);
		event_log_add(run->stream.log, &ev, run->stream.next_id);
		val_drop(ev.u.state.values);
	}
	record_stream_later(run);
}

void
job_keep_all(struct job *j)
{
	j->run->stream.full = true;
	if (j->run->stream.log == NULL && j->plan != NULL)
		keep_from_here(j);
}

/* What was said to its end and is in the journal is not said again. */
static bool
is_void(const struct job_task *t, const struct tape_message *m)
{
	return uuid_eq(&m->task.id, &t->shown.id) && !(m->whole && t->core->records_n > 0);
}

/* A task says again what it had begun to say in an attempt that is gone: first
 * that is taken back. */
void
job_retract(struct job_task *t)
{
	struct job *j = t->job;

	for (size_t i = 0; j->past != NULL && i < j->past->n; i++) {
		struct tape_message *m = &j->past->messages[i];
		struct run_event ev = job_event(t, EVENT_RETRACT);

		if (m->told || !is_void(t, m))
			continue;
		m->told = true;
		ev.u.model = m->ev.u.model;
		job_tell(t, &ev);
	}
}

/* Readers replace the one with the other: they have the same id. */
struct str
job_id_again(struct job_task *t)
{
	struct tape_past *past = t->job->past;

	for (size_t i = 0; past != NULL && i < past->n; i++) {
		struct tape_message *m = &past->messages[i];

		if (!m->again && is_void(t, m)) {
			m->again = true;
			return m->ev.u.model.id;
		}
	}
	return STR_NONE;
}

void
job_tell_error(struct job *j, struct str name, struct str message)
{
	struct run_event ev = { .kind = EVENT_ERROR };

	ev.u.error.name = name;
	ev.u.error.message = message;
	job_tell_event(j, &ev);
}

void
job_tell_lost(struct run *run)
{
	stream_discard(&run->stream);
	job_tell_error(run->job, S("StorageError"), S("the run could not be recorded"));
}
