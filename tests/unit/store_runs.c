/*
 * store_runs.c - the contract of runs, checkpoints and message lists.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store_fix.h"

#include <string.h>
#include <unistd.h>

static enum thread_status
status_of(struct fix *f, owner_t owner, unsigned thread)
{
	struct uuid id = id_of(ID_THREAD, thread);
	struct store_thread t;

	CHECK_RC(store_thread_get(f->r, owner, &id, &f->a, &t), OK);
	return t.status;
}

static struct store_run
run_of(struct fix *f, owner_t owner, unsigned run)
{
	struct uuid id = id_of(ID_RUN, run);
	struct store_run r;

	CHECK_RC(store_run_get(f->r, owner, &id, &f->a, &r), OK);
	return r;
}

/* Goal: the thread carries its graph and assistant after the first run, and
 * the run's config; what it had stays. */
CONTRACT(run_create_marks_the_thread)
{
	struct store_thread_create t = thread_new(1);
	struct store_run_create c = run_new(1, 1);
	struct store_run r;

	t.t.metadata_json = S("{\"mine\":1}");
	t.t.config_json = S("{\"x\":1,\"y\":1}");
	CHECK_RC(fix_do(f, &c, STORE_RUN_CREATE, 7), ERR_NOTFOUND);
	CHECK_RC(fix_do(f, &t, STORE_THREAD_CREATE, 7), OK);
	CHECK_RC(fix_do(f, &c, STORE_RUN_CREATE, 8), ERR_NOTFOUND);
	c.thread_config_json = S("{\"y\":2}");
	CHECK_RC(fix_do(f, &c, STORE_RUN_CREATE, 7), OK);
	CHECK_INT(c.run.status, RUN_RUNNING);
	CHECK_INT(c.run.attempt, 1);
	CHECK_INT(c.run.thread_seq, t.t.seq);
	CHECK_INT(c.thread.status, THREAD_BUSY);
	CHECK_STR(c.thread.metadata_json, "{\"mine\":1,\"graph_id\":\"agent\","
	    "\"assistant_id\":\"00000000-0000-7000-8001-000000000001\"}");
	CHECK_STR(c.thread.config_json, "{\"x\":1,\"y\":2}");
	CHECK_INT(status_of(f, 7, 1), THREAD_BUSY);
	r = run_of(f, 7, 1);
	CHECK_INT(r.seq, c.run.seq);
	CHECK_STR(r.kwargs_json, "{\"input\":1}");
	CHECK_STR(r.metadata_json, "{\"m\":1}");
	CHECK(uuid_eq(&r.thread_id, &t.t.id));
	CHECK(uuid_eq(&r.assistant_id, &c.run.assistant_id));
	CHECK_RC(store_run_get(f->r, 8, &r.id, &f->a, &r), ERR_NOTFOUND);
}

/* Goal: if_not_exists makes the thread, but never over another owner's. */
CONTRACT(run_create_creates_the_thread)
{
	struct store_run_create a = run_new(1, 1), b = run_new(1, 2);
	struct store_stats stats;

	a.create_thread = b.create_thread = true;
	CHECK_RC(fix_do(f, &a, STORE_RUN_CREATE, 7), OK);
	CHECK_INT(a.thread.created, 3001);
	CHECK_RC(fix_do(f, &b, STORE_RUN_CREATE, 8), ERR_NOTFOUND);
	CHECK_INT(count_rows(f, "run"), 1);
	CHECK_INT(count_rows(f, "thread"), 1);
	store_stats(f->st, &stats);
	CHECK_INT(stats.commits, 1);         /* a refusal costs no commit */
}

/* Goal: a run id that exists is refused and the thread made for it is gone. */
CONTRACT(run_create_twice)
{
	struct store_run_create again = run_new(2, 1);

	start_run(f, 7, 1, 1);
	again.create_thread = true;
	CHECK_RC(fix_do(f, &again, STORE_RUN_CREATE, 7), ERR_CONFLICT);
	CHECK_INT(count_rows(f, "thread"), 1);
}

/* Goal: first come first served on one thread; reject says no. */
CONTRACT(run_queue)
{
	struct store_run first = start_run(f, 7, 1, 1);
	struct store_run_create second = run_new(1, 2), third = run_new(1, 3);
	struct store_run_create rejected = run_new(1, 4);
	struct store_run_end end = { .run_seq = first.seq,
	    .thread_seq = first.thread_seq, .status = RUN_ERROR,
	    .thread_status = THREAD_ERROR, .error_json = S("{\"error\":\"E\"}"),
	    .now = 77 };
	struct store_thread t;

	CHECK_RC(fix_do(f, &second, STORE_RUN_CREATE, 7), OK);
	CHECK_INT(second.run.status, RUN_PENDING);
	CHECK_RC(fix_do(f, &third, STORE_RUN_CREATE, 7), OK);
	rejected.run.multitask = MULTITASK_REJECT;
	CHECK_RC(fix_do(f, &rejected, STORE_RUN_CREATE, 7), ERR_CONFLICT);
	CHECK_RC(fix_do(f, &end, STORE_RUN_END, 8), ERR_NOTFOUND);
	CHECK_RC(fix_do(f, &end, STORE_RUN_END, 7), OK);
	CHECK(end.has_next);
	CHECK(uuid_eq(&end.next.id, &second.run.id));
	CHECK_INT(end.next.status, RUN_RUNNING);
	CHECK_STR(end.next.kwargs_json, "{\"input\":1}");
	CHECK_INT(run_of(f, 7, 1).status, RUN_ERROR);
	CHECK_STR(run_of(f, 7, 1).error_json, "{\"error\":\"E\"}");
	CHECK_INT(run_of(f, 7, 2).status, RUN_RUNNING);
	CHECK_RC(store_thread_get(f->r, 7, &first.thread_id, &f->a, &t), OK);
	CHECK_INT(t.status, THREAD_BUSY);
	CHECK_STR(t.error_json, "{\"error\":\"E\"}");
	CHECK_RC(fix_do(f, &end, STORE_RUN_END, 7), ERR_CONFLICT);
	end.run_seq = second.run.seq;
	end.status = RUN_SUCCESS, end.thread_status = THREAD_INTERRUPTED;
	end.error_json = STR_NONE;
	CHECK_RC(fix_do(f, &end, STORE_RUN_END, 7), OK);
	end.run_seq = third.run.seq;
	CHECK_RC(fix_do(f, &end, STORE_RUN_END, 7), OK);
	CHECK(!end.has_next);
	CHECK_RC(store_thread_get(f->r, 7, &first.thread_id, &f->a, &t), OK);
	CHECK_INT(t.status, THREAD_INTERRUPTED);
	CHECK_INT(t.error_json.n, 0);
	CHECK_INT(t.updated, 77);
}

/* Goal: over the cap of live runs a run waits, and is taken later. */
CONTRACT(run_hold_and_claim)
{
	struct store_run_create held = run_new(1, 1), behind = run_new(1, 2);
	struct store_run_claim claim = { .now = 50 };

	held.create_thread = held.hold = true;
	CHECK_RC(fix_do(f, &held, STORE_RUN_CREATE, 7), OK);
	CHECK_INT(held.run.status, RUN_PENDING);
	CHECK_RC(fix_do(f, &behind, STORE_RUN_CREATE, 7), OK);
	CHECK_INT(behind.run.status, RUN_PENDING);
	claim.thread_seq = held.run.thread_seq;
	CHECK_RC(fix_do(f, &claim, STORE_RUN_CLAIM, 8), ERR_NOTFOUND);
	CHECK_RC(fix_do(f, &claim, STORE_RUN_CLAIM, 7), OK);
	CHECK(uuid_eq(&claim.run.id, &held.run.id));
	CHECK_INT(claim.run.status, RUN_RUNNING);
	CHECK_RC(fix_do(f, &claim, STORE_RUN_CLAIM, 7), ERR_NOTFOUND);
	CHECK_INT(run_of(f, 7, 1).updated, 50);
}

CONTRACT(run_queue_has_a_limit)
{
	struct store_run_create last = run_new(1, 5000);
	struct store_run_create *c = calloc(LIMIT_QUEUED_RUNS, sizeof *c);

	start_run(f, 7, 1, 1);
	for (unsigned i = 0; i < LIMIT_QUEUED_RUNS; i++) {
		c[i] = run_new(1, i + 2);
		c[i].cmd.arena = &f->a;      /* one at a time uses it: the writer */
		fix_submit(f, &c[i], STORE_RUN_CREATE, 7);
	}
	fix_wait(f, 1 + LIMIT_QUEUED_RUNS);
	for (unsigned i = 0; i < LIMIT_QUEUED_RUNS; i++)
		CHECK_RC(c[i].cmd.rc, OK);
	CHECK_RC(fix_do(f, &last, STORE_RUN_CREATE, 7), ERR_LIMIT);
	free(c);
}

/* Goal: of 64 creates at once exactly one runs, the rest wait in order; with
 * reject exactly one is let in. */
CONTRACT(run_create_races)
{
	struct store_run_create c[64], r[64];
	struct store_thread_create t = thread_new(1), u = thread_new(2);
	unsigned running = 0, in = 0;

	CHECK_RC(fix_do(f, &t, STORE_THREAD_CREATE, 7), OK);
	CHECK_RC(fix_do(f, &u, STORE_THREAD_CREATE, 7), OK);
	for (unsigned i = 0; i < 64; i++) {
		c[i] = run_new(1, i + 1);
		r[i] = run_new(2, i + 101);
		r[i].run.multitask = MULTITASK_REJECT;
		c[i].cmd.arena = r[i].cmd.arena = &f->a;
	}
	for (unsigned i = 0; i < 64; i++) {
		fix_submit(f, &c[i], STORE_RUN_CREATE, 7);
		fix_submit(f, &r[i], STORE_RUN_CREATE, 7);
	}
	fix_wait(f, 2 + 128);
	for (unsigned i = 0; i < 64; i++) {
		CHECK_RC(c[i].cmd.rc, OK);
		running += c[i].run.status == RUN_RUNNING;
		in += r[i].cmd.rc == OK;
		CHECK(r[i].cmd.rc == OK || r[i].cmd.rc == ERR_CONFLICT);
	}
	CHECK_INT(running, 1);
	CHECK_INT(c[0].run.status, RUN_RUNNING);
	CHECK_INT(in, 1);
}

CONTRACT(run_cancel)
{
	struct store_run first = start_run(f, 7, 1, 1);
	struct store_run_create second = run_new(1, 2), held = run_new(2, 3);
	struct store_run_cancel c = { .run_id = id_of(ID_RUN, 2), .now = 60 };

	CHECK_RC(fix_do(f, &second, STORE_RUN_CREATE, 7), OK);
	CHECK_RC(fix_do(f, &c, STORE_RUN_CANCEL, 8), ERR_NOTFOUND);
	CHECK_RC(fix_do(f, &c, STORE_RUN_CANCEL, 7), OK);
	CHECK(!c.was_done);
	CHECK_INT(run_of(f, 7, 2).status, RUN_INTERRUPTED);
	CHECK_INT(status_of(f, 7, 1), THREAD_BUSY);
	CHECK_RC(fix_do(f, &c, STORE_RUN_CANCEL, 7), OK);
	CHECK(c.was_done);
	c.run_id = first.id;
	CHECK_RC(fix_do(f, &c, STORE_RUN_CANCEL, 7), ERR_CONFLICT);
	/* The last one under way leaves an idle thread. */
	held.create_thread = held.hold = true;
	CHECK_RC(fix_do(f, &held, STORE_RUN_CREATE, 7), OK);
	c.run_id = held.run.id;
	CHECK_RC(fix_do(f, &c, STORE_RUN_CANCEL, 7), OK);
	CHECK_INT(status_of(f, 7, 2), THREAD_IDLE);
}

/* Goal: checkpoints chain, show their run, and are found three ways. */
CONTRACT(checkpoints)
{
	struct store_run run = start_run(f, 7, 1, 1);
	struct str m[] = { S("{\"id\":1}"), S("{\"id\":2}") };
	struct step s[] = {
		step_new(1, -1, 0, NULL, 0), step_new(2, 0, 0, m, 1),
		step_new(3, 1, 1, m + 1, 1)
	};
	struct store_run_save step = save_of(f, &run, s, 2);
	struct store_checkpoint c, d;
	struct str *got;

	s[2].next = STR_NONE;
	CHECK_RC(store_checkpoint_get(f->r, 7, run.thread_seq, 0, &f->a, &c),
	    ERR_NOTFOUND);
	CHECK_RC(fix_do(f, &step, STORE_RUN_SAVE, 8), ERR_NOTFOUND);
	CHECK_RC(fix_do(f, &step, STORE_RUN_SAVE, 7), OK);
	CHECK_RC(store_checkpoint_get(f->r, 7, run.thread_seq, 0, &f->a, &c), OK);
	CHECK(uuid_eq(&c.id, &s[1].id));
	CHECK_RC(finish_run(f, 7, &run, s + 2, 1), OK);
	CHECK_RC(store_checkpoint_get(f->r, 7, run.thread_seq, 0, &f->a, &c), OK);
	CHECK(uuid_eq(&c.id, &s[2].id));
	CHECK(uuid_eq(&c.parent_id, &s[1].id));
	CHECK(uuid_eq(&c.run_id, &run.id));
	CHECK_INT(c.step, 1);
	CHECK_INT(c.source, SOURCE_LOOP);
	CHECK_INT(c.next.n, 0);
	CHECK_INT(c.task_error.n, 0);
	CHECK_STR(c.base_json, "{\"run\":\"base\",\"n\":{\"a\":1,\"b\":2}}");
	CHECK_STR(c.snapshot, "{\"c\":1}");
	CHECK_INT(c.len, 2);
	CHECK_INT(c.created, 4003);
	CHECK_RC(store_messages_get(f->r, c.list, 0, c.len, &f->a, &got), OK);
	CHECK_STR(got[0], "{\"id\":1}");
	CHECK_STR(got[1], "{\"id\":2}");
	CHECK_RC(store_checkpoint_get(f->r, 7, run.thread_seq, c.parent_seq, &f->a,
	    &d), OK);
	CHECK(uuid_eq(&d.id, &s[1].id));
	CHECK_STR(d.next, "agent");
	CHECK_INT(d.list, c.list);
	CHECK_INT(d.len, 1);
	CHECK_RC(store_checkpoint_find(f->r, 7, run.thread_seq, &s[0].id, &f->a, &d),
	    OK);
	CHECK_INT(d.list, 0);
	CHECK_INT(d.parent_seq, 0);
	CHECK(uuid_is_zero(&d.parent_id));
	CHECK_RC(store_checkpoint_find(f->r, 8, run.thread_seq, &s[0].id, &f->a, &d),
	    ERR_NOTFOUND);
	CHECK_RC(store_checkpoint_get(f->r, 8, run.thread_seq, 0, &f->a, &d),
	    ERR_NOTFOUND);
	CHECK_RC(store_checkpoint_get(f->r, 8, run.thread_seq, c.seq, &f->a, &d),
	    ERR_NOTFOUND);
}

/* Goal: a run that goes on after a crash knows how far it was. */
CONTRACT(steps_of_a_run)
{
	struct store_run first = start_run(f, 7, 1, 1), second;
	struct step s[] = {
		step_new(1, -1, 0, NULL, 0), step_new(2, 0, 0, NULL, 0),
		step_new(3, 1, 0, NULL, 0), step_new(4, 2, 0, NULL, 0)
	};
	int64_t n = -1;

	CHECK_RC(finish_run(f, 7, &first, s, 3), OK);
	CHECK_RC(store_run_steps(f->r, 7, first.seq, &n), OK);
	CHECK_INT(n, 3);
	CHECK_RC(store_run_steps(f->r, 8, first.seq, &n), OK);
	CHECK_INT(n, 0);
	/* Without input: there was no checkpoint before its first node. */
	second = start_run(f, 7, 1, 2);
	CHECK_RC(store_run_steps(f->r, 7, second.seq, &n), OK);
	CHECK_INT(n, 0);
	CHECK_RC(finish_run(f, 7, &second, s + 3, 1), OK);
	CHECK_RC(store_run_steps(f->r, 7, second.seq, &n), OK);
	CHECK_INT(n, 1);
}

/* Goal: an append shares the list, a replacement starts another and leaves
 * the older states as they were; several appends of one command are one row. */
CONTRACT(lists_fork)
{
	struct store_run run = start_run(f, 7, 1, 1);
	struct str m[] = { S("0"), S("1"), S("2"), S("3"), S("4"), S("5") };
	struct step s[] = {
		step_new(1, 0, 0, m, 2), step_new(2, 1, 2, m + 2, 1),
		step_new(3, 2, 1, m + 4, 2),     /* 0 4 5 */
		step_new(4, 3, 3, NULL, 0),      /* unchanged */
		step_new(5, 4, 0, NULL, 0),      /* all removed */
		step_new(6, 5, 0, m + 3, 1),
	};
	static const char *const want[] = { "01", "012", "045", "045", "", "3" };
	struct store_checkpoint c[COUNT(s)];
	struct str *got;

	CHECK_RC(finish_run(f, 7, &run, s, COUNT(s)), OK);
	for (size_t i = 0; i < COUNT(s); i++) {
		CHECK_RC(store_checkpoint_find(f->r, 7, run.thread_seq, &s[i].id,
		    &f->a, &c[i]), OK);
		CHECK_INT(c[i].len, strlen(want[i]));
		CHECK_RC(store_messages_get(f->r, c[i].list, 0, c[i].len, &f->a,
		    &got), OK);
		for (size_t j = 0; j < c[i].len; j++)
			CHECK_INT(got[j].p[0], want[i][j]);
	}
	CHECK_INT(c[0].list, c[1].list);
	CHECK(c[2].list != c[1].list);
	CHECK_INT(c[3].list, c[2].list);
	/* 012 | 45, based on its 0 | 3 */
	CHECK_INT(count_rows(f, "entry"), 3);
	CHECK_RC(store_messages_get(f->r, c[1].list, 1, 3, &f->a, &got), OK);
	CHECK_STR(got[0], "1");
	CHECK_STR(got[1], "2");
	CHECK_RC(store_messages_get(f->r, c[1].list, 0, 4, &f->a, &got), ERR_IO);
}

/* Goal: the next run goes on where the last one ended; a run that replaces
 * what an earlier command wrote leaves that alone. */
CONTRACT(lists_grow_over_runs)
{
	struct str m[] = { S("\"a\""), S("\"b\""), S("\"c\"") };
	struct step one = step_new(1, 0, 0, m, 1);
	struct step two = step_new(2, 1, 1, m + 1, 1);
	struct step three = step_new(3, 2, 1, m + 2, 1);
	struct store_run run = start_run(f, 7, 1, 1);
	struct store_checkpoint c;
	struct str *got;

	CHECK_RC(finish_run(f, 7, &run, &one, 1), OK);
	run = start_run(f, 7, 1, 2);
	CHECK_RC(finish_run(f, 7, &run, &two, 1), OK);
	CHECK_INT(count_rows(f, "entry"), 2);
	run = start_run(f, 7, 1, 3);
	CHECK_RC(finish_run(f, 7, &run, &three, 1), OK);
	CHECK_RC(store_checkpoint_get(f->r, 7, run.thread_seq, 0, &f->a, &c), OK);
	CHECK_RC(store_messages_get(f->r, c.list, 0, 2, &f->a, &got), OK);
	CHECK_STR(got[0], "\"a\"");
	CHECK_STR(got[1], "\"c\"");
	CHECK_RC(store_checkpoint_get(f->r, 7, run.thread_seq, c.parent_seq, &f->a,
	    &c), OK);
	CHECK_RC(store_messages_get(f->r, c.list, 0, 2, &f->a, &got), OK);
	CHECK_STR(got[1], "\"b\"");
}

/* Goal: what is missing or wrong in a list is an error, and never somebody else's
 * bytes. */
TEST(lists_that_are_damaged)
{
	static const char *const damage[] = {
		"UPDATE entry SET body = CAST(x'ffffff7f' || substr(body, 5) AS BLOB)",
		"UPDATE entry SET body = x'0100'",
		"DELETE FROM entry WHERE key = (SELECT min(key) + 1 FROM entry)",
		"DELETE FROM entry WHERE key = (SELECT min(key) FROM entry)",
	};
	struct str m[] = { S("\"a\""), S("\"b\""), S("\"c\"") };
	struct store_checkpoint c;
	struct store_run run;
	struct str *got;

	for (size_t i = 0; i < COUNT(damage); i++) {
		struct fix f;

		fix_open(&f, "sqlite");
		for (unsigned k = 0; k < 3; k++) {
			struct step s = step_new(k + 1, (int)k, k, m + k, 1);

			run = start_run(&f, 7, 1, k + 1);
			CHECK_RC(finish_run(&f, 7, &run, &s, 1), OK);
		}
		CHECK_RC(store_checkpoint_get(f.r, 7, run.thread_seq, 0, &f.a, &c), OK);
		CHECK_RC(store_messages_get(f.r, c.list, 0, 3, &f.a, &got), OK);
		f.broken = true;
		change_file(&f, damage[i]);
		CHECK_RC(store_messages_get(f.r, c.list, 0, 3, &f.a, &got), ERR_IO);
		fix_close(&f);
		unlink("db");
	}
}

/* Goal: a step that cannot be is refused before anything is written. */
CONTRACT(steps_are_checked_first)
{
	struct store_run run = start_run(f, 7, 1, 1);
	struct str m = S("1");
	struct step s[3] = { step_new(1, 0, 0, &m, 1), step_new(2, 1, 5, &m, 1) };

	CHECK_RC(finish_run(f, 7, &run, s, 2), ERR_INVALID);
	CHECK_INT(count_rows(f, "checkpoint"), 0);
	CHECK_INT(run_of(f, 7, 1).status, RUN_RUNNING);
	s[1] = step_new(2, 1, 2, &m, 1);     /* one more than there are */
	CHECK_RC(finish_run(f, 7, &run, s, 2), ERR_INVALID);
	s[1] = step_new(2, 1, 0, &m, 1);
	s[2] = step_new(3, 2, 2, &m, 1);     /* as many as there were before */
	CHECK_RC(finish_run(f, 7, &run, s, 3), ERR_INVALID);
	s[1] = step_new(1, 1, 1, &m, 1);     /* the same id twice */
	CHECK_RC(finish_run(f, 7, &run, s, 2), ERR_CONFLICT);
	CHECK_INT(count_rows(f, "checkpoint"), 0);
	CHECK_INT(count_rows(f, "entry"), 0);
	s[1] = step_new(2, 1, 1, &m, 1);
	CHECK_RC(finish_run(f, 7, &run, s, 2), OK);
}

/* Goal: encoded blocks come back in order, after an id, bounded by bytes. */
CONTRACT(streams)
{
	struct store_run run = start_run(f, 7, 1, 1);
	struct store_stream_append s = { .run_seq = run.seq };
	struct str *got;
	size_t n;
	int64_t last;

	CHECK_INT(store_stream_last(f->r, run.seq), -1);
	s.first_id = 0, s.last_id = 4, s.bytes = S("aaaa");
	CHECK_RC(fix_do(f, &s, STORE_STREAM_APPEND, 8), ERR_NOTFOUND);
	CHECK_RC(fix_do(f, &s, STORE_STREAM_APPEND, 7), OK);
	CHECK_RC(fix_do(f, &s, STORE_STREAM_APPEND, 7), ERR_CONFLICT);
	s.first_id = 5, s.last_id = 5, s.bytes = S("bbbb");
	CHECK_RC(fix_do(f, &s, STORE_STREAM_APPEND, 7), OK);
	CHECK_INT(store_stream_last(f->r, run.seq), 5);
	CHECK_RC(store_stream_get(f->r, 7, run.seq, -1, 100, &f->a, &got, &n, &last),
	    OK);
	CHECK_INT(n, 2);
	CHECK_STR(got[1], "bbbb");
	CHECK_INT(last, 5);
	/* One block always, however small the page. */
	CHECK_RC(store_stream_get(f->r, 7, run.seq, -1, 1, &f->a, &got, &n, &last),
	    OK);
	CHECK_INT(n, 1);
	CHECK_INT(last, 4);
	CHECK_RC(store_stream_get(f->r, 7, run.seq, 3, 4, &f->a, &got, &n, &last), OK);
	CHECK_INT(n, 1);
	CHECK_STR(got[0], "aaaa");
	CHECK_RC(store_stream_get(f->r, 7, run.seq, 5, 100, &f->a, &got, &n, &last),
	    OK);
	CHECK_INT(n, 0);
	CHECK_INT(last, 5);
	CHECK_RC(store_stream_get(f->r, 8, run.seq, -1, 100, &f->a, &got, &n, &last),
	    ERR_NOTFOUND);
}

static void
append_events(struct fix *f, const struct store_run *run, int64_t first, int64_t last,
    bool begins, bool keeps, const char *bytes)
{
	struct store_events_append x = { .run_seq = run->seq,
	    .thread_seq = run->thread_seq, .begins = begins, .keeps = keeps,
	    .first = first, .last = last, .next = last + 1, .bytes = str_of(bytes) };

	CHECK_RC(fix_do(f, &x, STORE_EVENTS_APPEND, 7), OK);
}

static void
finish(struct fix *f, const struct store_run *run)
{
	CHECK_RC(finish_run(f, 7, run, NULL, 0), OK);
}

static size_t
events_of(struct fix *f, const struct store_run *run)
{
	struct str *got;
	size_t n;
	int64_t last;

	CHECK_RC(store_events_get(f->r, 7, run->seq, -1, 100, &f->a, &got, &n, &last), OK);
	return n;
}

/* Goal: events that the end makes so are written with it, and only by the owner; a run
 * that is taken back has none. */
CONTRACT(events_of_the_end)
{
	struct store_events_size size;
	struct str *got;
	size_t n;
	int64_t last, next = 0;

	for (unsigned i = 0; i < 3; i++) {
		struct store_run run = start_run(f, 7, 1 + i, 1 + i);
		struct store_events_append ev = { .run_seq = run.seq,
		    .thread_seq = run.thread_seq, .begins = true, .keeps = true,
		    .first = 4, .last = 6, .next = 8, .bytes = S("eeee") };
		struct store_run_end c = { .run_seq = run.seq, .thread_seq = run.thread_seq,
		    .status = RUN_INTERRUPTED, .thread_status = THREAD_IDLE, .now = 9000,
		    .events = &ev, .rollback = i == 1 };
		owner_t owner = i == 2 ? 8 : 7;

		CHECK_RC(fix_do(f, &c, STORE_RUN_END, owner), i == 2 ? ERR_NOTFOUND : OK);
		CHECK_RC(store_event_next(f->r, 7, run.thread_seq, &next), OK);
		CHECK_INT(next, i == 0 ? 8 : 0);
		if (i == 1)
			continue;
		CHECK_RC(store_events_get(f->r, 7, run.seq, -1, 100, &f->a, &got, &n, &last),
		    OK);
		CHECK_INT(n, i == 0);
		CHECK_RC(store_events_size(f->r, 7, run.seq, 5, &size), OK);
		CHECK_INT(size.bytes, i == 0 ? 4 : 0);
		CHECK_INT(size.first, i == 0 ? 4 : -1);
		CHECK_INT(size.last, i == 0 ? 6 : -1);
		CHECK_RC(store_events_size(f->r, 7, run.seq, 6, &size), OK);
		CHECK_INT(size.bytes, 0);
		CHECK_RC(store_events_size(f->r, 8, run.seq, -1, &size), OK);
		CHECK_INT(size.last, -1);
	}
}

/* Goal: a thread keeps the events of its last run and of those that are kept, and
 * gives no number twice, whatever goes. */
CONTRACT(events)
{
	struct store_run kept = start_run(f, 7, 1, 1), plain, last_run;
	struct store_events_append alien = { .run_seq = kept.seq,
	    .thread_seq = kept.thread_seq, .next = 1, .bytes = S("x") };
	struct store_run_delete drop = { .thread_id = kept.thread_id };
	struct str *got;
	size_t n;
	int64_t last, next = -1;

	CHECK_RC(store_event_next(f->r, 7, kept.thread_seq, &next), OK);
	CHECK_INT(next, 0);
	CHECK_RC(fix_do(f, &alien, STORE_EVENTS_APPEND, 8), ERR_NOTFOUND);
	append_events(f, &kept, 0, 9, true, true, "aaaa");
	append_events(f, &kept, 10, 12, false, true, "bbbb");
	finish(f, &kept);
	CHECK_RC(store_events_get(f->r, 7, kept.seq, -1, 100, &f->a, &got, &n, &last), OK);
	CHECK_INT(n, 2);
	CHECK_STR(got[1], "bbbb");
	CHECK_INT(last, 12);
	CHECK_RC(store_events_get(f->r, 8, kept.seq, -1, 100, &f->a, &got, &n, &last),
	    ERR_NOTFOUND);
	plain = start_run(f, 7, 1, 2);
	append_events(f, &plain, 13, 20, true, false, "cccc");
	finish(f, &plain);
	CHECK_INT(events_of(f, &kept), 2);
	CHECK_INT(events_of(f, &plain), 1);
	last_run = start_run(f, 7, 1, 3);
	append_events(f, &last_run, 21, 30, true, false, "dddd");
	finish(f, &last_run);
	CHECK_INT(events_of(f, &kept), 2);
	CHECK_INT(events_of(f, &plain), 0);
	CHECK_INT(events_of(f, &last_run), 1);
	drop.run_id = last_run.id;
	CHECK_RC(fix_do(f, &drop, STORE_RUN_DELETE, 7), OK);
	CHECK_RC(store_event_next(f->r, 7, kept.thread_seq, &next), OK);
	CHECK_INT(next, 31);
}
