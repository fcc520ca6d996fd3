/*
 * job_slow.c - a run that took long is a line of the log, with what it waited for: its turn,
 * models, tools, commits.  What is left is the run's own, or a person.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/log.h"
#include "run/job_priv.h"

void
runs_shared_set_slow(struct runs_shared *sh, msec ms)
{
	sh->slow_ms = ms;
}

void
busy_enter(const struct job *j, struct job_busy *b)
{
	if (j->run->rs->sh->slow_ms > 0 && b->n++ == 0)
		b->since = clock_mono();
}

void
busy_leave(const struct job *j, struct job_busy *b)
{
	if (j->run->rs->sh->slow_ms > 0 && b->n > 0 && --b->n == 0)
		b->total += clock_mono() - b->since;
}

static double
ms_of(const struct job_busy *b)
{
	return (double)(b->total + (b->n > 0 ? clock_mono() - b->since : 0)) / NS_PER_MS;
}

static void
tell_slow(const struct run *run, enum run_status status)
{
	msec limit = run->rs->sh->slow_ms, took = clock_wall_ms() -
	    uuid_v7_time(&run->place.run_id);
	const struct job *j = run->job;
	char id[UUID_TEXT], thread[UUID_TEXT];
	double live;

	if (limit == 0 || j == NULL || took < limit)
		return;
	uuid_format(&run->place.run_id, id);
	uuid_format(&run->place.thread_id, thread);
	live = (double)(clock_mono() - j->started) / NS_PER_MS;
	log_warn("run", "slow", "run=%.*s thread=%.*s status=%s ms=%lld waited_ms=%.1f "
	    "models_ms=%.1f tools_ms=%.1f commits_ms=%.1f attempt=%lld", UUID_TEXT, id, UUID_TEXT,
	    thread, run_status_names[status], (long long)took, (double)took > live ?
	    (double)took - live : 0, ms_of(&j->models), ms_of(&j->tools), ms_of(&j->commits),
	    (long long)run->attempt);
}

void
job_ended(struct run *run, enum run_status status, struct str error_json)
{
	job_trace_end(run, status, error_json);
	tell_slow(run, status);
}
