/*
 * hosted_wait.c - runs of graphs in workers take at most half of a shard's places: others
 * must have places while no worker comes.
 *
 * Past that a run has no job, only its struct: its row is RUNNING, clients see it as
 * pending.  First come, first served; one that is cancelled begins out of turn, to end.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/mem.h"
#include "run/hosted_priv.h"

/* Of a list; holds the run. */
struct hosted_turn {
	struct hosted_turn *next;
	struct run *run;
};

static bool
has_room(const struct runs *rs)
{
	size_t half = admit_share(rs) / 2;

	return rs->hosted < (half > 0 ? half : 1);
}

bool
hosted_waits(struct run *run, struct str graph_id)
{
	struct runs *rs = run->rs;
	const struct agent *a = runs_agent(rs, graph_id);
	struct hosted_turn *t;

	if (run->cancel || a == NULL || a->hosted == NULL ||
	    (has_room(rs) && rs->turns == NULL))
		return false;
	t = mem_new(struct hosted_turn);
	if (rs->turns == NULL)
		rs->turns_end = &rs->turns;
	*rs->turns_end = t;
	rs->turns_end = &t->next;
	t->run = run_hold(run);
	run_set_phase(run, PHASE_PENDING);
	directory_set_waits(rs->sh->directory, &run->place, true);
	if (run->placed) {
		run->placed = false;
		admit_leave(rs);
	}
	return true;
}

/* The place is taken. */
static void
begin(struct run *run)
{
	struct runs *rs = run->rs;
	struct arena a = ARENA(THREAD_ARENA);
	struct store_run row;
	int rc = store_run_get(rs->reader, run->place.owner, &run->place.run_id, &a, &row);

	if (rc == OK && row.status == RUN_RUNNING && run->phase == PHASE_PENDING) {
		run->placed = true;
		job_start(run, &row, NULL, NULL, true);
	} else {
		admit_leave(rs);             /* it has ended meanwhile */
	}
	arena_release(&a);
	run_drop(run);
}

void
hosted_next(struct runs *rs)
{
	while (rs->turns != NULL && !rs->draining && !rs->lost && has_room(rs) &&
	    admit_take(rs)) {
		struct hosted_turn *t = rs->turns;
		struct run *run = t->run;

		rs->turns = t->next;
		free(t);
		begin(run);
	}
}

bool
hosted_stops_waiting(struct run *run)
{
	struct runs *rs = run->rs;
	struct hosted_turn **at = &rs->turns, *t;

	while (*at != NULL && (*at)->run != run)
		at = &(*at)->next;
	t = *at;
	if (t == NULL)
		return false;
	*at = t->next;
	if (t->next == NULL)
		rs->turns_end = at;
	free(t);
	rs->live++;                          /* for a moment one more than there are places */
	begin(run);
	return true;
}

void
hosted_turns_clear(struct runs *rs)
{
	while (rs->turns != NULL) {
		struct hosted_turn *t = rs->turns;

		rs->turns = t->next;
		run_drop(t->run);
		free(t);
	}
}
