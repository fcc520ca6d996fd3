/*
 * job_note.c - what a run on the server keeps in its transcript.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/log.h"
#include "run/job_priv.h"

static struct note
note_of(struct job *j, struct transcript_place at)
{
	return (struct note){ &j->transcript, shard_wall(j->run->rs->shard), at };
}

struct note
job_note(struct job *j)
{
	return note_of(j, (struct transcript_place){ .ns = STR_NONE });
}

struct note
job_task_note(const struct job_task *t)
{
	return note_of(t->job, core_place(t->core));
}

/* An attempt that goes on with a transcript that cannot be read would write the
 * same numbers again, so it writes none. */
void
job_note_begin(struct job *j, const struct store_run *row)
{
	struct run *run = j->run;
	int64_t last = 0;
	struct note n;

	if (!run->rs->sh->transcript || run->stateless)
		return;
	if ((row->attempt > 1 || run->woken) && store_transcript_last(run->rs->reader,
	    run->place.owner, run->seq, &last) != OK) {
		log_warn("run", "transcript_unread", "run=%lld", (long long)run->seq);
		return;
	}
	transcript_open(&j->transcript, last + 1);
	if (run->woken)
		return;                      /* it goes on where it was */
	n = job_note(j);
	note_run_start(&n, row->attempt);
	if (row->attempt <= 1)
		note_given(&n, row->kwargs_json);
}

/* Charts tell their states themselves. */
void
job_note_node(const struct job_task *t, enum transcript_kind kind)
{
	struct note n;

	if (!t->job->transcript.on || t->core->serial != 0)
		return;
	n = job_task_note(t);
	note_node(&n, kind);
}

void
job_note_checkpoint(struct job *j, const struct core_checkpoint *c)
{
	struct note n = job_note(j);

	note_checkpoint(&n, c);
}

void
job_note_interrupt(struct job *j, const struct core_task *t, const struct core_interrupt *i)
{
	struct note n = note_of(j, core_place(t));

	note_interrupt(&n, i);
}

/* Told for every graph up to the root; one entry is enough. */
void
job_note_breakpoint(struct job *j, const struct run_event *ev)
{
	struct note n = job_note(j);

	if (ev->kind == EVENT_INTERRUPT && ev->ns.n == 0 &&
	    val_count(ev->u.interrupts.list) == 0)
		note_breakpoint(&n);
}

void
job_note_error(struct job *j, struct str name, struct str message)
{
	struct note n = job_note(j);

	note_error(&n, STR_NONE, name, message);
}

void
job_note_timer(struct job *j)
{
	struct note n = job_note(j);

	note_timer(&n);
}

void
job_note_path(void *ctx, struct str ns, const struct chart *c, const struct effect *f)
{
	struct note n = job_note(ctx);

	n.at.ns = ns;
	note_path(&n, c, f);
}
