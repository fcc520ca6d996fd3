/*
 * host_post.c - of struct task_host: events of a model for the chart that its task is
 * work of.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/job_priv.h"

/* The record goes with the checkpoint of what the events do. */
void
host_post(void *ctx, struct str key, struct str json, const struct task_event *ev, size_t n,
    bool again)
{
	struct job_task *t = ctx;
	struct job *j = t->job;
	const struct task_write *w;
	size_t writes;

	if (t->core == NULL || j->broken)
		return;
	w = task_writes(t->task, &writes);
	if (!again)
		host_tell_messages(t, w, writes);
	if (!again && !j->run->stateless)
		changes_record(&j->changes, &t->core->id, key, S("events"), json);
	core_task_post(t->core, w, writes, ev, n, again);
	job_pump(j);
}
