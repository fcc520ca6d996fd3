/*
 * store_interrupt.c - the contract of what waits for a person, and of runs that
 * take the place of others.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store_fix.h"

#include <string.h>

#define T1 "11111111-1111-4111-8111-111111111111"
#define T2 "22222222-2222-4222-8222-222222222222"
#define TASK(id) "[{\"id\":\"" id "\",\"name\":\"n\"}]"

static struct uuid
uuid_of(const char *text)
{
	struct uuid id = { { 0 } };

	CHECK(uuid_parse(str_of(text), &id));
	return id;
}

static struct store_checkpoint_put
checkpoint(unsigned n, const char *ns, const char *tasks)
{
	return (struct store_checkpoint_put){ .id = id_of(ID_CHECKPOINT, n),
	    .ns = str_of(ns), .step = (int)n, .source = SOURCE_LOOP,
	    .created = 4000 + n, .tasks_json = str_of(tasks) };
}

static struct store_interrupt
ask(unsigned n, const char *ns, const char *task)
{
	return (struct store_interrupt){ .id = id_of(9, n), .ns = str_of(ns),
	    .task = uuid_of(task), .key = S("0"), .value_json = S("\"sure?\""),
	    .created = 7000 + n };
}

/* The run ends with what waits. */
static int
end_asking(struct fix *f, owner_t owner, const struct store_run *run,
    struct store_changes changes)
{
	struct store_run_end c = { .run_seq = run->seq, .thread_seq = run->thread_seq,
	    .changes = changes, .status = RUN_INTERRUPTED,
	    .thread_status = THREAD_INTERRUPTED, .now = 9000 };

	return fix_do(f, &c, STORE_RUN_END, owner);
}

/* Thread n of an owner waits with interrupt n. */
static struct store_run
waiting(struct fix *f, owner_t owner, unsigned n)
{
	struct store_run run = start_run(f, owner, n, n);
	struct store_checkpoint_put p = checkpoint(n, "", TASK(T1));
	struct store_interrupt i = ask(n, "", T1);

	CHECK_RC(end_asking(f, owner, &run, (struct store_changes){ .checkpoints = &p,
	    .checkpoints_n = 1, .interrupts = &i, .interrupts_n = 1 }), OK);
	return run;
}

static size_t
waits(struct fix *f, int64_t thread)
{
	struct store_interrupt *got;
	size_t n;

	CHECK_RC(store_interrupts_get(f->r, 7, thread, &f->a, &got, &n), OK);
	return n;
}

/* Goal: all of an owner that wait are found by one read, newest first. */
CONTRACT(interrupt_search)
{
	struct store_interrupt_search x = { .limit = 2 };
	struct store_run run;
	struct uuid id = id_of(9, 3);
	struct store_thread_delete d = { .id = id_of(ID_THREAD, 3) };

	waiting(f, 7, 1);
	waiting(f, 8, 2);
	run = waiting(f, 7, 3);
	waiting(f, 7, 4);
	CHECK_RC(fix_do(f, &x, STORE_INTERRUPT_SEARCH, 7), OK);
	CHECK_INT(x.found_n, 2);
	CHECK(uuid_eq(&x.found[1].id, &id));
	CHECK(uuid_eq(&x.found[1].thread_id, &run.thread_id));
	CHECK(uuid_eq(&x.found[1].run_id, &run.id));
	CHECK_STR(x.found[1].value_json, "\"sure?\"");
	CHECK_INT(x.found[1].schema_json.n, 0);
	x.offset = 2;
	CHECK_RC(fix_do(f, &x, STORE_INTERRUPT_SEARCH, 7), OK);
	CHECK_INT(x.found_n, 1);
	CHECK_RC(fix_do(f, &d, STORE_THREAD_DELETE, 7), OK);
	x.offset = 0;
	x.limit = 10;
	CHECK_RC(fix_do(f, &x, STORE_INTERRUPT_SEARCH, 7), OK);
	CHECK_INT(x.found_n, 2);
}

/* Goal: a run that answers a question is created while that waits, and no longer. */
CONTRACT(interrupt_is_answered_once)
{
	struct store_run run = waiting(f, 7, 1);
	struct store_answer yes = { id_of(9, 1), S("\"yes\"") };
	struct uuid asked[2] = { id_of(9, 1), id_of(9, 2) };
	struct store_run_create a = run_new(1, 11), b = run_new(1, 12), c = run_new(1, 13);
	struct store_run_save save = { .changes = { .answers = &yes, .answers_n = 1 } };
	struct store_state s;

	a.questions = b.questions = c.questions = asked;
	a.questions_n = b.questions_n = 1;
	c.questions_n = 2;
	a.cmd.arena = b.cmd.arena = c.cmd.arena = &f->a;
	CHECK_RC(fix_do(f, &c, STORE_RUN_CREATE, 7), ERR_CONFLICT);
	CHECK_RC(fix_do(f, &a, STORE_RUN_CREATE, 7), OK);
	save.run_seq = a.run.seq;
	save.thread_seq = run.thread_seq;
	CHECK_RC(fix_do(f, &save, STORE_RUN_SAVE, 7), OK);
	CHECK_RC(fix_do(f, &b, STORE_RUN_CREATE, 7), ERR_CONFLICT);
	CHECK_INT(count_rows(f, "run"), 2);
	CHECK_RC(store_state_get(f->r, 7, run.thread_seq, S(""), &(struct uuid){ { 0 } },
	    STATE_ALL, &f->a, &s), OK);
	CHECK_INT(s.interrupts_n, 1);
	CHECK_INT(s.interrupts[0].state, INTERRUPT_ANSWERED);
	CHECK_STR(s.interrupts[0].answer_json, "\"yes\"");
}

/* Goal: stored once: the task that runs again asks the same. */
CONTRACT(interrupt_is_stored_once)
{
	struct store_run run = start_run(f, 7, 1, 1);
	struct store_checkpoint_put p = checkpoint(1, "", TASK(T1));
	struct store_interrupt i[] = { ask(1, "", T1), ask(1, "", T1), ask(2, "", T1) };
	struct store_interrupt *got;
	size_t n;

	i[1].value_json = S("\"other\"");
	CHECK_RC(end_asking(f, 7, &run, (struct store_changes){ .checkpoints = &p,
	    .checkpoints_n = 1, .interrupts = i, .interrupts_n = 3 }), OK);
	CHECK_RC(store_interrupts_get(f->r, 7, run.thread_seq, &f->a, &got, &n), OK);
	CHECK_INT(n, 2);
	CHECK_STR(got[0].value_json, "\"sure?\"");
	CHECK(uuid_eq(&got[0].checkpoint, &p.id));
	CHECK_RC(store_interrupts_get(f->r, 8, run.thread_seq, &f->a, &got, &n),
	    ERR_NOTFOUND);
}

/* Goal: an interrupt in a child is shown at its parent's task, and is void once
 * either has moved on. */
CONTRACT(interrupt_void)
{
	struct store_run run = start_run(f, 7, 1, 1);
	struct store_checkpoint_put p[] = { checkpoint(1, "", TASK(T1)),
	    checkpoint(2, "n:" T1, TASK(T2)), checkpoint(3, "", TASK(T1)),
	    checkpoint(4, "", TASK(T2)) };
	struct store_interrupt i = ask(1, "n:" T1, T2);
	struct store_changes c = { .checkpoints = p, .checkpoints_n = 2,
	    .interrupts = &i, .interrupts_n = 1, .void_moved = true };
	struct store_run_save save = { .run_seq = run.seq,
	    .thread_seq = run.thread_seq, .changes = c };
	struct store_state s;

	CHECK_RC(fix_do(f, &save, STORE_RUN_SAVE, 7), OK);
	CHECK_INT(waits(f, run.thread_seq), 1);
	CHECK_RC(store_state_get(f->r, 7, run.thread_seq, S(""), &(struct uuid){ { 0 } },
	    STATE_ALL, &f->a, &s), OK);
	CHECK_INT(s.interrupts_n, 1);
	CHECK_STR(s.interrupts[0].ns, "n:" T1);
	/* The task goes on over a checkpoint. */
	save.changes = (struct store_changes){ .checkpoints = p + 2,
	    .checkpoints_n = 1, .void_moved = true };
	CHECK_RC(fix_do(f, &save, STORE_RUN_SAVE, 7), OK);
	CHECK_INT(waits(f, run.thread_seq), 1);
	save.changes.checkpoints = p + 3;
	CHECK_RC(fix_do(f, &save, STORE_RUN_SAVE, 7), OK);
	CHECK_INT(waits(f, run.thread_seq), 0);
}

/* Goal: a task that begins anew loses what it asked and the state below it. */
CONTRACT(task_dropped)
{
	struct store_run run = start_run(f, 7, 1, 1);
	struct store_checkpoint_put p[] = { checkpoint(1, "", TASK(T1)),
	    checkpoint(2, "n:" T1, TASK(T2)), checkpoint(3, "n:" T1 "|1", TASK(T2)),
	    checkpoint(4, "keeps", "[]") };
	struct store_interrupt i = ask(1, "n:" T1, T2);
	struct uuid task = uuid_of(T1);
	struct store_run_save save = { .run_seq = run.seq, .thread_seq = run.thread_seq,
	    .changes = { .checkpoints = p, .checkpoints_n = 4, .interrupts = &i,
		.interrupts_n = 1 } };

	CHECK_RC(fix_do(f, &save, STORE_RUN_SAVE, 7), OK);
	save.changes = (struct store_changes){ .drop_tasks = &task, .drop_tasks_n = 1 };
	CHECK_RC(fix_do(f, &save, STORE_RUN_SAVE, 7), OK);
	CHECK_INT(count_rows(f, "checkpoint"), 2);
	CHECK_INT(count_rows(f, "interrupt"), 0);
}

/* Goal: how many wait on one thread is bounded. */
CONTRACT(interrupts_have_a_limit)
{
	struct store_run run = start_run(f, 7, 1, 1);
	struct store_interrupt *i = calloc(LIMIT_INTERRUPTS + 1, sizeof *i);
	struct store_run_save save = { .run_seq = run.seq, .thread_seq = run.thread_seq,
	    .changes = { .interrupts = i, .interrupts_n = LIMIT_INTERRUPTS + 1 } };

	for (unsigned k = 0; k <= LIMIT_INTERRUPTS; k++)
		i[k] = ask(k + 1, "", T1);
	CHECK_RC(fix_do(f, &save, STORE_RUN_SAVE, 7), ERR_LIMIT);
	save.changes.interrupts_n--;
	CHECK_RC(fix_do(f, &save, STORE_RUN_SAVE, 7), OK);
	free(i);
}

/* ---- runs that take the place of others ------------------------------------- */

static int
run_status_of(struct fix *f, unsigned n)
{
	struct uuid id = id_of(ID_RUN, n);
	struct store_run r;
	int rc = store_run_get(f->r, 7, &id, &f->a, &r);

	return rc == OK ? (int)r.status : -1;
}

/* Goal: interrupt ends those that wait and names the one that runs. */
CONTRACT(multitask_interrupt)
{
	struct store_run first = start_run(f, 7, 1, 1);
	struct store_run_create second = run_new(1, 2), third = run_new(1, 3);
	struct store_run_end end = { .run_seq = first.seq,
	    .thread_seq = first.thread_seq, .status = RUN_INTERRUPTED, .now = 8 };

	CHECK_RC(fix_do(f, &second, STORE_RUN_CREATE, 7), OK);
	third.run.multitask = MULTITASK_INTERRUPT;
	CHECK_RC(fix_do(f, &third, STORE_RUN_CREATE, 7), OK);
	CHECK_INT(third.run.status, RUN_PENDING);
	CHECK(third.has_busy && uuid_eq(&third.busy_run_id, &first.id));
	CHECK_INT(third.busy_run_seq, first.seq);
	CHECK_INT(third.ended_n, 1);
	CHECK(uuid_eq(&third.ended[0], &second.run.id));
	CHECK_INT(run_status_of(f, 2), RUN_INTERRUPTED);
	CHECK_RC(fix_do(f, &end, STORE_RUN_END, 7), OK);
	CHECK(end.has_next && uuid_eq(&end.next.id, &third.run.id));
	CHECK_INT(end.next.multitask, MULTITASK_INTERRUPT);
}

/* Goal: rollback leaves no trace of the runs before, nor of what they wrote. */
CONTRACT(multitask_rollback)
{
	struct store_run first = start_run(f, 7, 1, 1), run;
	struct store_run_create second = run_new(1, 3), third = run_new(1, 4);
	struct store_checkpoint_put p[] = { checkpoint(1, "", TASK(T1)),
	    checkpoint(2, "", TASK(T2)), checkpoint(3, "n:" T2, "[]"),
	    checkpoint(4, "", "[]") };
	struct store_channel_change x = { .name = S("x"), .kind = STORE_VALUE,
	    .type = S("json"), .body = S("1") };
	struct store_write w = { uuid_of(T2), 0, S(""), S("x"), S("json"), S("2") };
	struct store_interrupt i = ask(1, "", T2);
	struct store_run_save save = { .changes = { .checkpoints = p + 1,
	    .checkpoints_n = 3, .writes = &w, .writes_n = 1, .interrupts = &i,
	    .interrupts_n = 1 } };
	struct store_run_end end = { .status = RUN_INTERRUPTED, .rollback = true,
	    .now = 8 };
	struct store_state s;

	CHECK_RC(end_asking(f, 7, &first, (struct store_changes){ .checkpoints = p,
	    .checkpoints_n = 1 }), OK);
	run = start_run(f, 7, 1, 2);
	for (size_t k = 1; k < 4; k++) {
		p[k].channels = &x;
		p[k].channels_n = 1;
	}
	save.run_seq = end.run_seq = run.seq;
	save.thread_seq = end.thread_seq = run.thread_seq;
	CHECK_RC(fix_do(f, &save, STORE_RUN_SAVE, 7), OK);
	CHECK_RC(fix_do(f, &second, STORE_RUN_CREATE, 7), OK);
	third.run.multitask = MULTITASK_ROLLBACK;
	CHECK_RC(fix_do(f, &third, STORE_RUN_CREATE, 7), OK);
	CHECK_INT(run_status_of(f, 3), -1);
	CHECK_RC(fix_do(f, &end, STORE_RUN_END, 7), OK);
	CHECK(end.has_next);
	CHECK_INT(run_status_of(f, 2), -1);
	CHECK_INT(run_status_of(f, 1), RUN_INTERRUPTED);
	CHECK_RC(store_state_get(f->r, 7, run.thread_seq, S(""), &(struct uuid){ { 0 } },
	    STATE_ALL, &f->a, &s), OK);
	CHECK(uuid_eq(&s.c.id, &p[0].id));
	CHECK_INT(count_rows(f, "checkpoint"), 1);
	CHECK_INT(count_rows(f, "channel") + count_rows(f, "task_write") +
	    count_rows(f, "interrupt"), 0);
}

static void
pending(void *ctx, owner_t owner, int64_t thread_seq, const struct uuid *thread_id)
{
	(void)owner, (void)thread_seq, (void)thread_id;
	++*(unsigned *)ctx;
}

/* Goal: a restart does not run what was to be displaced. */
TEST(displaced_runs_after_a_crash)
{
	struct fix f;
	struct store_run_create third = run_new(1, 3), fourth = run_new(2, 4);
	unsigned n = 0;

	fix_open(&f, "sqlite");
	start_run(&f, 7, 1, 1);
	third.run.multitask = MULTITASK_INTERRUPT;
	CHECK_RC(fix_do(&f, &third, STORE_RUN_CREATE, 7), OK);
	start_run(&f, 7, 2, 2);
	fourth.run.multitask = MULTITASK_ROLLBACK;
	CHECK_RC(fix_do(&f, &fourth, STORE_RUN_CREATE, 7), OK);
	fix_reopen(&f);
	CHECK_RC(store_recover(f.st, f.shard, 9000, pending, &n, &f.e), OK);
	CHECK_INT(n, 2);
	CHECK_INT(run_status_of(&f, 1), RUN_INTERRUPTED);
	CHECK_INT(run_status_of(&f, 3), RUN_PENDING);
	CHECK_INT(run_status_of(&f, 2), -1);
	CHECK_INT(run_status_of(&f, 4), RUN_PENDING);
	fix_close(&f);
}
