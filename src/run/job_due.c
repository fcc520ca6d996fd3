/*
 * job_due.c - delayed events of a run's charts: one timer, for the first.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/job_priv.h"

#include "base/limits.h"

static void
on_due(struct wheel_timer *w)
{
	struct job *j = CONTAINER_OF(w, struct job, due);

	j->due_at = CORE_NEVER;
	if (!j->over) {
		job_note_timer(j);
		core_fire(j->core);
	}
	job_pump(j);
}

/* The timer of the first delayed event of the run's charts. */
void
job_set_due(struct job *j)
{
	struct shard *s = j->run->rs->shard;
	msec due = j->over || j->core == NULL ? CORE_NEVER : core_due(j->core);
	msec left = due - shard_wall(s);

	if (due == j->due_at)
		return;
	shard_timer_cancel(s, &j->due);
	j->due_at = due;
	j->due.fire = on_due;
	if (due == CORE_NEVER)
		return;
	/* A clock that is set on must not be noticed late. */
	shard_timer_set(s, &j->due, left <= 0 ? 1 : left < LIMIT_CLOCK_CHECK_MS ?
	    left : LIMIT_CLOCK_CHECK_MS);
	if (left > LIMIT_RUN_SLEEP_MS)
		job_sleeps(j);
}
