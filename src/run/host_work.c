/*
 * host_work.c - the work tracker, for tasks: operations as the run's actor.
 *
 * An operation that changes something has a `once` key: made again after a crash,
 * it gets the answer of the first.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "run/job_priv.h"
#include "work/host/guest.h"
#include "work/host/tool.h"

/* It keeps its run until it comes back, whatever became of the task. */
struct operation {
	struct work_cmd cmd;
	struct arena arena;
	struct run *run;
	struct uuid task;                    /* whose transcript entry it is, */
	char *ns, *node, *what;              /* and where that is */
	tool_done *done;
	void *arg;
};

/* The task may be gone; its run may be, too. */
static void
note_answer_of(const struct operation *o, const struct tool_result *r)
{
	struct note note;

	if (o->run->job == NULL)
		return;
	note = job_note(o->run->job);
	note.at = (struct transcript_place){ str_of(o->ns), str_of(o->node), o->task };
	note_result(&note, &(struct note_result){ .of = S("work"), .what = str_of(o->what),
	    .rc = r->ok ? OK : ERR_CONFLICT, .text = r->content });
}


static void
answer(struct operation *o)
{
	struct tool_result r = { .ok = o->cmd.cmd.rc == OK, .content = o->cmd.data };
	const char *words = work_tool_words(o->cmd.cmd.rc, &o->cmd.cmd.err);

	if (!r.ok && words == NULL)
		log_warn("run", "work_failed", "rc=%s error=%s", rc_name(o->cmd.cmd.rc),
		    o->cmd.cmd.err.text);
	if (!r.ok)
		r.content = words != NULL ? str_of(words) : S("The tracker failed.");
	note_answer_of(o, &r);
	o->done(o->arg, &r);
}

static void
came(struct store_cmd *cmd)
{
	struct operation *o = CONTAINER_OF(cmd, struct operation, cmd.cmd);
	struct run *run = o->run;

	answer(o);
	arena_release(&o->arena);
	free(o->ns);
	free(o->node);
	free(o->what);
	free(o);
	run_returned(run);
}

void
host_work(void *ctx, struct str operation, struct str args_json, struct str once,
    tool_done *done, void *arg)
{
	struct job_task *t = ctx;
	struct job *j = t->job;
	struct runs *rs = j->run->rs;
	struct operation *o = mem_new(struct operation);
	struct arena *a = &o->arena;
	struct str project = j->plan->work_project;
	int rc;

	o->arena = ARENA((size_t)LIMIT_WORK_MEMORY_BYTES);
	o->done = done;
	o->arg = arg;
	o->task = t->core->id;
	o->ns = mem_cstr(core_place(t->core).ns);
	o->node = mem_cstr(t->core->name);
	o->what = mem_cstr(operation);
	o->run = run_hold(j->run);
	runs_busy(rs, 1);
	o->cmd = (struct work_cmd){
		.cmd = { .owner = j->run->place.owner, .arena = a, .done = came },
		.project = project.n > 0 ? arena_str(a, project) : S(WORK_PROJECT),
		.operation = arena_str(a, operation), .args_json = arena_str(a, args_json),
		.actor = arena_str(a, str_of(j->actor)), .once = arena_str(a, once),
		.now = shard_wall(rs->shard),
	};
	rc = arena_rc(a);
	if (rc == OK)
		rc = work_submit(rs->sh->store, rs->shard, &o->cmd);
	if (rc == OK)
		return;
	o->cmd.cmd.rc = rc;
	came(&o->cmd.cmd);
}
