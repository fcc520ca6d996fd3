/*
 * store_saver_life.c - rows of savers go, stay and are copied with the checkpoints that
 * they stand beside; what faults leave of them; files of before.
 *
 * SPDX-License-Identifier: MIT
 */
#include <unistd.h>

#include "saver_fix.h"

static int64_t
rows(struct fix *f, int64_t thread)
{
	static const char *const tables[] = { "saver_checkpoint", "saver_blob",
	    "saver_write" };
	int64_t n = 0;

	for (size_t i = 0; i < COUNT(tables); i++)
		n += count_rows(f, arena_fmt(&f->a, "%s WHERE thread = %lld", tables[i],
		    (long long)thread).p);
	return n;
}

/* Run `run` of thread 1 puts checkpoints from..to of a namespace, each with a write; the
 * first has the channels a and b, each then changes a. */
static struct store_run
go(struct fix *f, unsigned run, const char *ns, unsigned from, unsigned to)
{
	struct store_run r = start_run(f, 7, 1, run);

	for (unsigned n = from; n <= to; n++) {
		const char *a = arena_fmt(&f->a, "%u", n).p;
		const char *versions = arena_fmt(&f->a, "{\"a\":%u,\"b\":1}", n).p;
		struct store_saver_put p = sput(f, ns, n, n - 1, versions, n > 1 ?
		    BLOBS("a", a) : BLOBS("a", a, "b", "first"));
		struct store_saver_write w = swrite(f, ns, n, "t", 0, "a", a);

		CHECK_RC(ssave(f, 7, &r, &p, &w, 1), OK);
	}
	return r;
}

static void
end(struct fix *f, const struct store_run *run, bool rollback)
{
	struct store_run_end e = { .run_seq = run->seq, .thread_seq = run->thread_seq,
	    .status = RUN_SUCCESS, .rollback = rollback, .now = 9000 };

	CHECK_RC(fix_do(f, &e, STORE_RUN_END, 7), OK);
}

/* ---- a run ------------------------------------------------------------------------ */

/* Goal: a run that is taken back leaves nothing of what it put, nor of what it wrote to
 * a checkpoint before it; what was there before is as it was. */
CONTRACT(saver_rollback)
{
	struct store_run run = go(f, 1, "", 1, 2);
	struct store_saver_write w = swrite(f, "", 2, "null", WRITE_RESUME, "r", "1");
	struct store_saver_put loose = sput(f, "", 9, 4, "{\"a\":9}", BLOBS("a", "9"));
	struct store_saver_found x;
	int64_t before;

	end(f, &run, false);
	before = rows(f, run.thread_seq);
	run = start_run(f, 7, 1, 2);
	CHECK_RC(ssave(f, 7, &run, NULL, &w, 1), OK);
	for (unsigned n = 3; n <= 4; n++) {
		struct store_saver_put p = sput(f, "", n, n - 1, "{\"a\":7,\"b\":1}",
		    BLOBS("a", "x"));
		struct store_saver_put q = sput(f, "n:1", n, n == 3 ? 0 : 3, "{\"a\":1}",
		    BLOBS("a", "y"));

		CHECK_RC(ssave(f, 7, &run, &p, &w, 0), OK);
		CHECK_RC(ssave(f, 7, &run, &q, &w, 0), OK);
	}
	/* A put that stands beside no checkpoint. */
	CHECK_RC(fix_do(f, &(struct store_run_save){ .run_seq = run.seq, .thread_seq =
	    run.thread_seq, .changes = { .saver_puts = &loose, .saver_puts_n = 1 } },
	    STORE_RUN_SAVE, 7), OK);
	CHECK(rows(f, run.thread_seq) > before);
	end(f, &run, true);
	CHECK_INT(rows(f, run.thread_seq), before);
	x = sget(f, 7, run.thread_seq, "", 0);
	CHECK(str_eq(x.id, sid(f, 2)));
	CHECK_STR(svalues(f, &x), "a=2,b=first");
	CHECK_INT(x.writes_n, 1);
}

#define TASK "11111111-0000-4000-8000-000000000001"

/* A question of TASK at the root's head. */
static void
ask(struct fix *f, const struct store_run *run, unsigned id)
{
	struct store_interrupt i = { .id = id_of(ID_RUN, id), .ns = S(""), .key = S("0"),
	    .value_json = S("1"), .created = id };
	struct store_checkpoint_tasks t = { .ns = S(""), .tasks_json =
	    arena_fmt(&f->a, "[{\"id\":\"" TASK "\",\"name\":\"n%u\"}]", id),
	    .snapshot = arena_fmt(&f->a, "{\"s\":%u}", id) };
	struct store_run_save save = { .run_seq = run->seq, .thread_seq = run->thread_seq,
	    .changes = { .interrupts = &i, .interrupts_n = 1, .checkpoint_tasks = &t,
	    .checkpoint_tasks_n = 1 } };

	CHECK(uuid_parse(S(TASK), &i.task));
	CHECK_RC(fix_do(f, &save, STORE_RUN_SAVE, 7), OK);
}

static void
reply(struct fix *f, const struct store_run *run, unsigned id, const char *resume)
{
	struct store_answer a = { id_of(ID_RUN, id), S("1") };
	struct store_saver_write w = swrite(f, "", 2, TASK, WRITE_RESUME, "r", resume);
	struct store_write seen = { .task = id_of(ID_RUN, id), .channel = S("log"),
	    .type = S("json"), .body = S("1") };
	struct store_run_save save = { .run_seq = run->seq, .thread_seq = run->thread_seq,
	    .changes = { .answers = &a, .answers_n = 1, .saver_writes = &w,
	    .saver_writes_n = 1, .writes = &seen, .writes_n = 1 } };

	CHECK_RC(fix_do(f, &save, STORE_RUN_SAVE, 7), OK);
}

/* Goal: an answer that is taken back: its question waits again, the one that came after
 * it is not there, the task has the answers that were before and shows what it showed. */
CONTRACT(saver_rollback_of_an_answer)
{
	struct store_run run = go(f, 1, "", 1, 2);
	struct store_interrupt *out;
	struct store_saver_found x;
	struct store_checkpoint c;
	struct store_thread t;
	size_t n;

	ask(f, &run, 50);
	end(f, &run, false);
	run = start_run(f, 7, 1, 2);
	reply(f, &run, 50, "[1]");
	ask(f, &run, 51);
	end(f, &run, false);
	run = start_run(f, 7, 1, 3);
	reply(f, &run, 51, "[1,2]");
	ask(f, &run, 52);
	end(f, &run, true);
	CHECK_RC(store_interrupts_get(f->r, 7, run.thread_seq, &f->a, &out, &n), OK);
	CHECK_INT(n, 1);
	CHECK(uuid_eq(&out[0].id, &(struct uuid[]){ id_of(ID_RUN, 51) }[0]));
	CHECK(out[0].state == INTERRUPT_WAITING && out[0].answer_json.n == 0);
	x = sget(f, 7, run.thread_seq, "", 0);
	CHECK_INT(x.writes_n, 2);            /* that of go(), too */
	CHECK_STR(x.writes[0].value.body, "[1]");
	CHECK_RC(store_checkpoint_get(f->r, 7, run.thread_seq, 0, &f->a, &c), OK);
	CHECK_STR(c.next, "n51");
	CHECK_INT(count_rows(f, "task_write"), 1);
	CHECK_STR(c.snapshot, "{\"s\":51}");
	CHECK_RC(store_thread_get(f->r, 7, &run.thread_id, &f->a, &t), OK);
	CHECK_INT(t.status, THREAD_INTERRUPTED);
	CHECK_RC(fix_do(f, &(struct store_run_delete){ .thread_id = run.thread_id,
	    .run_id = id_of(ID_RUN, 2) }, STORE_RUN_DELETE, 7), OK);
	CHECK_RC(store_checkpoint_get(f->r, 7, run.thread_seq, 0, &f->a, &c), OK);
	CHECK_STR(c.next, "n50");
	CHECK_INT(sget(f, 7, run.thread_seq, "", 0).writes_n, 1);
	CHECK_INT(count_rows(f, "checkpoint_before") + count_rows(f, "task_write"), 0);
	CHECK_RC(store_interrupts_get(f->r, 7, run.thread_seq, &f->a, &out, &n), OK);
	CHECK(n == 1 && uuid_eq(&out[0].id, &(struct uuid[]){ id_of(ID_RUN, 50) }[0]));
}

/* Goal: what a later run went on from stays when the run before is deleted, with what
 * that wrote, and is no longer its. */
CONTRACT(saver_of_a_run_that_others_follow)
{
	struct store_run run = go(f, 1, "", 1, 2), next;
	struct store_run_delete d = { .thread_id = id_of(ID_THREAD, 1),
	    .run_id = id_of(ID_RUN, 1) };
	int64_t before;

	end(f, &run, false);
	next = go(f, 2, "", 3, 3);
	end(f, &next, false);
	before = rows(f, run.thread_seq);
	CHECK_RC(fix_do(f, &d, STORE_RUN_DELETE, 7), OK);
	CHECK_INT(rows(f, run.thread_seq), before);
	CHECK_INT(count_rows(f, arena_fmt(&f->a, "saver_checkpoint WHERE run = %lld",
	    (long long)run.seq).p), 0);
	CHECK_INT(count_rows(f, arena_fmt(&f->a, "saver_write WHERE run = %lld",
	    (long long)run.seq).p), 0);
	d.run_id = id_of(ID_RUN, 2);
	CHECK_RC(fix_do(f, &d, STORE_RUN_DELETE, 7), OK);
	CHECK(str_eq(sget(f, 7, run.thread_seq, "", 0).id, sid(f, 2)));
}

/* ---- a thread ---------------------------------------------------------------------- */

static struct store_thread_prune
prune(struct fix *f, const struct uuid *id)
{
	struct store_thread_prune x = { .strategy = TTL_KEEP_LATEST, .ids = id, .n = 1 };

	CHECK_RC(fix_do(f, &x, STORE_THREAD_PRUNE, 7), OK);
	return x;
}

/* Goal: pruned, a thread has the newest checkpoint of the root and of a subgraph that
 * keeps its state, with the values that these name, whoever wrote them. */
CONTRACT(saver_prune)
{
	struct store_run run = go(f, 1, "", 1, 4);
	struct uuid id = id_of(ID_THREAD, 1);
	struct store_saver_found x;
	struct store_saver_put early = sput(f, "", 0, 0, "{}", BLOBS());

	end(f, &run, false);
	run = go(f, 2, "memory", 1, 3);
	end(f, &run, false);
	run = go(f, 3, "n:11111111-0000-4000-8000-000000000001", 1, 2);
	end(f, &run, false);
	run = go(f, 4, "n:11111111-0000-4000-8000-000000000001|1", 1, 2);
	early = sput(f, "", 99, 4, "{}", BLOBS());   /* beside no checkpoint */
	CHECK_RC(fix_do(f, &(struct store_run_save){ .run_seq = run.seq, .thread_seq =
	    run.thread_seq, .changes = { .saver_puts = &early, .saver_puts_n = 1 } },
	    STORE_RUN_SAVE, 7), OK);
	end(f, &run, false);
	CHECK_INT(prune(f, &id).pruned_n, 1);
	CHECK_INT(rows(f, run.thread_seq), 2 * (1 + 2 + 1));
	x = sget(f, 7, run.thread_seq, "", 0);
	CHECK(str_eq(x.id, sid(f, 4)) && x.writes_n == 1);
	CHECK_STR(svalues(f, &x), "a=4,b=first");
	x = sget(f, 7, run.thread_seq, "memory", 0);
	CHECK_STR(svalues(f, &x), "a=3,b=first");
	CHECK_INT(prune(f, &id).pruned_n, 1);
	CHECK_INT(rows(f, run.thread_seq), 8);
}

/* Goal: what belongs to a task that comes next stays, in all its calls of a subgraph. */
CONTRACT(saver_prune_keeps_tasks)
{
	static const char task[] = "n:11111111-0000-4000-8000-000000000001";
	struct store_checkpoint_tasks t = { .ns = S(""), .tasks_json = S("[{\"id\":"
	    "\"11111111-0000-4000-8000-000000000001\",\"name\":\"n\"}]") };
	struct uuid id = id_of(ID_THREAD, 1);
	struct store_run run = go(f, 1, "", 1, 2);
	struct store_run_save save = { .run_seq = run.seq, .thread_seq = run.thread_seq,
	    .changes = { .checkpoint_tasks = &t, .checkpoint_tasks_n = 1 } };

	CHECK_RC(fix_do(f, &save, STORE_RUN_SAVE, 7), OK);
	end(f, &run, false);
	run = go(f, 2, task, 1, 2);
	end(f, &run, false);
	run = go(f, 3, arena_fmt(&f->a, "%s|1", task).p, 1, 2);
	end(f, &run, false);
	CHECK_INT(prune(f, &id).pruned_n, 1);
	CHECK_INT(rows(f, run.thread_seq), 3 * 4);
	CHECK_STR(sget(f, 7, run.thread_seq, task, 0).writes[0].value.body, "2");
}

/* Goal: a thread with many rows is pruned in several passes, and is whole after each. */
CONTRACT(saver_prune_in_passes)
{
	struct store_run run = go(f, 1, "", 1, 600);
	struct uuid id = id_of(ID_THREAD, 1);
	struct store_saver_found x;
	int passes = 0;

	end(f, &run, false);
	while (prune(f, &id).pruned_n == 0) {
		check_consistent(f);
		x = sget(f, 7, run.thread_seq, "", 0);
		CHECK_STR(svalues(f, &x), "a=600,b=first");
		CHECK(++passes < 30);
	}
	CHECK(passes > 3);
	CHECK_INT(rows(f, run.thread_seq), 1 + 2 + 1);
}

/* Goal: a copy has all that the source has, or up to a checkpoint and nothing that its
 * step did; both go on apart, and either may go. */
CONTRACT(saver_copy)
{
	struct store_run run = go(f, 1, "", 1, 4);
	struct store_thread_copy all = { .from = id_of(ID_THREAD, 1),
	    .id = id_of(ID_THREAD, 2), .now = 6000 }, some = all;
	struct store_thread_delete d = { .id = id_of(ID_THREAD, 1) };
	struct store_saver_found x;
	struct uuid old = id_of(ID_THREAD, 1);

	end(f, &run, false);
	CHECK_RC(fix_do(f, &all, STORE_THREAD_COPY, 7), OK);
	some.id = id_of(ID_THREAD, 3);
	some.until = id_of(ID_CHECKPOINT, 3);
	CHECK_RC(fix_do(f, &some, STORE_THREAD_COPY, 7), OK);
	CHECK_INT(rows(f, all.t.seq), rows(f, run.thread_seq));
	CHECK_INT(rows(f, some.t.seq), rows(f, run.thread_seq) - 2 - 2);
	x = sget(f, 7, some.t.seq, "", 0);
	CHECK(str_eq(x.id, sid(f, 3)) && x.writes_n == 0);
	CHECK_STR(svalues(f, &x), "a=3,b=first");
	CHECK_INT(sget(f, 7, some.t.seq, "", 2).writes_n, 1);
	/* What a pruned thread has of checkpoints that are no more is copied too. */
	CHECK_INT(prune(f, &old).pruned_n, 1);
	some.from = old;
	some.id = id_of(ID_THREAD, 4);
	some.until = id_of(ID_CHECKPOINT, 4);
	CHECK_RC(fix_do(f, &some, STORE_THREAD_COPY, 7), OK);
	x = sget(f, 7, some.t.seq, "", 0);
	CHECK_STR(svalues(f, &x), "a=4,b=first");
	CHECK_RC(fix_do(f, &d, STORE_THREAD_DELETE, 7), OK);
	CHECK_INT(rows(f, run.thread_seq), 0);
	x = sget(f, 7, all.t.seq, "", 0);
	CHECK_STR(svalues(f, &x), "a=4,b=first");
	CHECK_INT(x.writes_n, 1);
}

/* Goal: a thread with many rows is erased in pieces, across a restart too. */
TEST(saver_is_erased_in_pieces)
{
	struct store_thread_delete d = { .id = id_of(ID_THREAD, 1) };
	struct store_run run;
	struct fix f;

	fix_open(&f, "sqlite");
	run = go(&f, 1, "", 1, 700);
	end(&f, &run, false);
	CHECK_RC(fix_do(&f, &d, STORE_THREAD_DELETE, 7), OK);
	fix_reopen(&f);
	while (count_rows(&f, "thread") > 0)
		CHECK_RC(store_check(f.st, &f.e), OK);
	CHECK_INT(rows(&f, run.thread_seq), 0);
	fix_close(&f);
}

/* Goal: nothing is left when all that an owner has goes. */
CONTRACT(saver_truncate)
{
	struct store_run run = go(f, 1, "", 1, 3);
	struct store_truncate t = { .what = TRUNCATE_THREADS };

	end(f, &run, false);
	CHECK_RC(fix_do(f, &t, STORE_TRUNCATE, 8), OK);
	CHECK(rows(f, run.thread_seq) > 0);
	CHECK_RC(fix_do(f, &t, STORE_TRUNCATE, 7), OK);
	CHECK_INT(rows(f, run.thread_seq), 0);
}

/* Goal: the report of a thread counts rows of savers, their values by channel. */
CONTRACT(saver_storage)
{
	struct store_run run = go(f, 1, "", 1, 3);
	struct store_storage s = { .thread_id = id_of(ID_THREAD, 1) };

	CHECK_RC(fix_do(f, &s, STORE_STORAGE, 7), OK);
	CHECK_INT(s.section[STORE_OF_CHECKPOINTS].rows, 6);
	CHECK_INT(s.section[STORE_OF_WRITES].rows, 3);
	CHECK(s.section[STORE_OF_CHECKPOINTS].bytes > 3 * 100);
	CHECK_INT(s.channels_n, 2);
	CHECK_STR(s.channels[0].name, "a");
	CHECK_INT(s.channels[0].size.rows, 3);
	CHECK_STR(s.channels[1].name, "b");
	CHECK(s.channels[1].size.bytes > 5);
	end(f, &run, false);
}

/* ---- beside them -------------------------------------------------------------------- */

/* Goal: what comes next at a checkpoint may be told after it, with the snapshot or
 * without; one that is not there is passed over. */
CONTRACT(saver_checkpoint_tasks)
{
	struct store_run run = go(f, 1, "", 1, 2);
	struct store_checkpoint_tasks t[] = {
		{ .ns = S(""), .tasks_json = S("[{\"id\":\"11111111-0000-4000-8000-"
		    "000000000001\",\"name\":\"n\"}]"), .snapshot = S("{\"s\":1}") },
		{ .checkpoint = id_of(ID_CHECKPOINT, 77), .tasks_json = S("[]") },
		{ .ns = S("nowhere"), .tasks_json = S("[]") },
	};
	struct store_run_save save = { .run_seq = run.seq, .thread_seq = run.thread_seq,
	    .changes = { .checkpoint_tasks = t, .checkpoint_tasks_n = COUNT(t) } };
	struct store_checkpoint c;
	struct uuid one = id_of(ID_CHECKPOINT, 1);

	CHECK_RC(fix_do(f, &save, STORE_RUN_SAVE, 7), OK);
	CHECK_RC(store_checkpoint_get(f->r, 7, run.thread_seq, 0, &f->a, &c), OK);
	CHECK_STR(c.next, "n");
	CHECK_STR(c.snapshot, "{\"s\":1}");
	t[0].tasks_json = STR_NONE;
	t[0].snapshot = STR_NONE;
	CHECK_RC(fix_do(f, &save, STORE_RUN_SAVE, 7), OK);
	CHECK_RC(store_checkpoint_get(f->r, 7, run.thread_seq, 0, &f->a, &c), OK);
	CHECK(c.next.n == 0);
	CHECK_STR(c.snapshot, "{\"s\":1}");
	t[0].snapshot = S("");
	t[0].checkpoint = id_of(ID_CHECKPOINT, 2);
	CHECK_RC(fix_do(f, &save, STORE_RUN_SAVE, 7), OK);
	CHECK_RC(store_checkpoint_get(f->r, 7, run.thread_seq, 0, &f->a, &c), OK);
	CHECK_INT(c.snapshot.n, 0);
	CHECK_RC(store_checkpoint_find(f->r, 7, run.thread_seq, &one, &f->a, &c), OK);
	CHECK(c.next.n == 0);
	end(f, &run, false);
}

/* Goal: a put that comes again, as after an answer that was lost, changes nothing; one
 * without a parent has nothing of what is there. */
CONTRACT(saver_put_again)
{
	struct store_run run = go(f, 1, "", 1, 2);
	struct store_saver_put p = sput(f, "", 2, 1, "{\"a\":2,\"b\":1}", BLOBS("a", "2"));
	struct store_channel_change list = { .name = S("messages"), .kind = STORE_LIST,
	    .entries = &p.id, .entries_n = 1 };
	struct store_checkpoint_put c = { .id = id_of(ID_CHECKPOINT, 3), .created = 5,
	    .channels = &list, .channels_n = 1 };
	struct store_run_save save = { .run_seq = run.seq, .thread_seq = run.thread_seq,
	    .changes = { .checkpoints = &c, .checkpoints_n = 1 } };
	int64_t before = rows(f, run.thread_seq);
	struct store_checkpoint out;

	CHECK_RC(ssave(f, 7, &run, &p, NULL, 0), OK);
	CHECK_INT(rows(f, run.thread_seq), before);
	CHECK_INT(count_rows(f, "checkpoint"), 2);
	CHECK_RC(fix_do(f, &save, STORE_RUN_SAVE, 7), OK);
	c.id = id_of(ID_CHECKPOINT, 4);
	c.alone = true;
	CHECK_RC(fix_do(f, &save, STORE_RUN_SAVE, 7), OK);
	CHECK_RC(store_checkpoint_get(f->r, 7, run.thread_seq, 0, &f->a, &out), OK);
	CHECK(uuid_eq(&out.id, &c.id) && out.parent_seq == 0);
	CHECK_INT(out.len, 1);
	end(f, &run, false);
}

/* Goal: a question that is asked anew under its id waits again, with the new words and
 * without the answer; one that is not asked so stays as it is. */
CONTRACT(saver_question_anew)
{
	struct store_run run = go(f, 1, "", 1, 1);
	struct store_interrupt i = { .id = id_of(ID_RUN, 50), .ns = S(""),
	    .task = id_of(ID_RUN, 51), .key = S("0"), .value_json = S("\"first\""),
	    .created = 1 }, *out;
	struct store_answer answer = { i.id, S("\"yes\"") };
	struct store_run_save save = { .run_seq = run.seq, .thread_seq = run.thread_seq,
	    .changes = { .interrupts = &i, .interrupts_n = 1 } };
	struct store_run_save reply = { .run_seq = run.seq, .thread_seq = run.thread_seq,
	    .changes = { .answers = &answer, .answers_n = 1 } };
	size_t n;

	CHECK_RC(fix_do(f, &save, STORE_RUN_SAVE, 7), OK);
	CHECK_RC(fix_do(f, &reply, STORE_RUN_SAVE, 7), OK);
	i.value_json = S("\"second\"");
	CHECK_RC(fix_do(f, &save, STORE_RUN_SAVE, 7), OK);
	CHECK_RC(fix_do(f, &reply, STORE_RUN_SAVE, 7), ERR_CONFLICT);
	i.anew = true;
	CHECK_RC(fix_do(f, &save, STORE_RUN_SAVE, 7), OK);
	CHECK_RC(store_interrupts_get(f->r, 7, run.thread_seq, &f->a, &out, &n), OK);
	CHECK_INT(n, 1);
	CHECK_INT(out[0].state, INTERRUPT_WAITING);
	CHECK_STR(out[0].value_json, "\"second\"");
	CHECK_INT(out[0].answer_json.n, 0);
	CHECK_RC(fix_do(f, &reply, STORE_RUN_SAVE, 7), OK);
	end(f, &run, false);
}

/* Goal: threads that tests name are an owner's: puts and writes make them, a list without
 * a thread spans them and names them, and they go. */
CONTRACT(saver_named_threads)
{
	struct store_saver_put p = sput(f, "", 1, 0, "{\"a\":1}", BLOBS("a", "1"));
	struct store_saver_write w = swrite(f, "c", 1, "t", 0, "a", "1");
	struct store_saver_text x = { .thread = S("one\"\xc3\xa4"), .puts = &p, .puts_n = 1,
	    .now = 5 }, y = { .thread = S("__proto__"), .writes = &w, .writes_n = 1 };
	struct store_saver_list all = { .any_ns = true, .limit = -1 };
	struct store_thread t;
	struct uuid id = store_saver_thread(7, x.thread);
	struct store_run run = go(f, 1, "", 1, 1);

	end(f, &run, false);
	CHECK_RC(fix_do(f, &x, STORE_SAVER_TEXT, 7), OK);
	CHECK_RC(fix_do(f, &x, STORE_SAVER_TEXT, 7), OK);
	CHECK_RC(fix_do(f, &y, STORE_SAVER_TEXT, 7), OK);
	y.puts = &p;
	y.puts_n = 1;
	CHECK_RC(fix_do(f, &y, STORE_SAVER_TEXT, 7), OK);
	CHECK_RC(fix_do(f, &x, STORE_SAVER_TEXT, 8), OK);
	CHECK_RC(store_thread_get(f->r, 7, &id, &f->a, &t), OK);
	CHECK_INT(sget(f, 7, t.seq, "", 1).blobs_n, 1);
	CHECK_RC(store_thread_get(f->r, 8, &id, &f->a, &t), ERR_NOTFOUND);
	CHECK_RC(fix_do(f, &all, STORE_SAVER_LIST, 7), OK);
	CHECK_INT(all.found_n, 2);
	CHECK_STR(all.found[0].thread, "one\"\xc3\xa4");
	CHECK_STR(all.found[1].thread, "__proto__");
	CHECK_RC(fix_do(f, &all, STORE_SAVER_LIST, 8), OK);
	CHECK_INT(all.found_n, 1);
	CHECK_RC(fix_do(f, &all, STORE_SAVER_LIST, 9), OK);
	CHECK_INT(all.found_n, 0);
	x.drop = true;
	CHECK_RC(fix_do(f, &x, STORE_SAVER_TEXT, 7), OK);
	CHECK_RC(fix_do(f, &x, STORE_SAVER_TEXT, 7), OK);
	CHECK_RC(fix_do(f, &all, STORE_SAVER_LIST, 7), OK);
	CHECK_INT(all.found_n, 1);
	CHECK_RC(fix_do(f, &all, STORE_SAVER_LIST, 8), OK);
	CHECK_INT(all.found_n, 1);
	x.thread = STR_NONE;
	CHECK_RC(fix_do(f, &x, STORE_SAVER_TEXT, 7), ERR_INVALID);
}

/* Goal: registered graphs are there after a restart, each once. */
TEST(hosted_graphs)
{
	struct store_hosted_put a = { .h = { S("a"), S("k1"), S("{\"v\":1}"), S("\x01\x00"),
	    1 } }, b = { .h = { S("b"), S(""), S("{}"), S("h"), 2 } };
	struct store_hosted_delete d = { .graph_id = S("b") };
	struct store_hosted *all;
	size_t n;
	struct fix f;

	fix_open(&f, "sqlite");
	CHECK_RC(fix_do(&f, &b, STORE_HOSTED_PUT, 0), OK);
	CHECK_RC(fix_do(&f, &a, STORE_HOSTED_PUT, 0), OK);
	a.h.body = S("{\"v\":2}");
	a.h.key = S("k2");
	CHECK_RC(fix_do(&f, &a, STORE_HOSTED_PUT, 0), OK);
	fix_reopen(&f);
	CHECK_RC(store_hosted_all(f.r, &f.a, &all, &n), OK);
	CHECK_INT(n, 2);
	CHECK_STR(all[0].graph_id, "a");
	CHECK_STR(all[0].key, "k2");
	CHECK_STR(all[0].body, "{\"v\":2}");
	CHECK(str_eq(all[0].hash, a.h.hash));
	CHECK_INT(all[1].updated, 2);
	CHECK_RC(fix_do(&f, &d, STORE_HOSTED_DELETE, 0), OK);
	CHECK_RC(fix_do(&f, &d, STORE_HOSTED_DELETE, 0), ERR_NOTFOUND);
	CHECK_RC(store_hosted_all(f.r, &f.a, &all, &n), OK);
	CHECK_INT(n, 1);
	fix_close(&f);
}

/* ---- faults ------------------------------------------------------------------------- */

enum { LIFE = 11 };                          /* commands of a life */

/* One that fails is looked over: what follows may fail with it. */
static int
life(struct fix *f)
{
	struct store_run_create c = run_new(1, 1);
	struct store_saver_put p[3] = { sput(f, "", 1, 0, "{\"a\":1}", BLOBS("a", "1")),
	    sput(f, "", 2, 1, "{\"a\":1,\"b\":1}", BLOBS("b", "2")),
	    sput(f, "", 3, 2, "{\"a\":1,\"b\":2}", BLOBS("b", "3")) };
	struct store_saver_write w = swrite(f, "", 2, "t", 0, "b", "1");
	struct store_run_end end_run = { .status = RUN_SUCCESS, .now = 9 };
	struct store_thread_copy copy = { .from = id_of(ID_THREAD, 1),
	    .id = id_of(ID_THREAD, 2), .now = 6 };
	struct uuid id = copy.id;
	struct store_thread_prune keep = { .strategy = TTL_KEEP_LATEST, .ids = &id, .n = 1 };
	struct store_run_delete undo = { .thread_id = copy.from, .run_id = id_of(ID_RUN, 1) };
	struct store_thread_delete d1 = { .id = copy.from }, d2 = { .id = copy.id };
	struct store_saver_text text = { .thread = S("x"), .puts = p, .puts_n = 1 };
	int done;

	c.create_thread = true;
	done = fix_do(f, &c, STORE_RUN_CREATE, 7) == OK;
	for (int i = 0; i < 3; i++)
		done += ssave(f, 7, &c.run, &p[i], &w, i == 2) == OK;
	end_run.run_seq = c.run.seq;
	end_run.thread_seq = c.run.thread_seq;
	done += fix_do(f, &end_run, STORE_RUN_END, 7) == OK;
	done += fix_do(f, &copy, STORE_THREAD_COPY, 7) == OK;
	done += fix_do(f, &keep, STORE_THREAD_PRUNE, 7) == OK;
	done += fix_do(f, &undo, STORE_RUN_DELETE, 7) == OK;
	done += fix_do(f, &text, STORE_SAVER_TEXT, 7) == OK;
	done += fix_do(f, &d1, STORE_THREAD_DELETE, 7) == OK;
	done += fix_do(f, &d2, STORE_THREAD_DELETE, 7) == OK;
	return done;
}

/* Goal: whichever command fails, the rows are consistent. */
TEST(saver_commands_fail_in_turn)
{
	for (int64_t nth = 1; nth <= LIFE + 1; nth++) {
		struct fix f;

		fix_open(&f, "memory");
		f.st->fail_at = nth;
		CHECK((life(&f) == LIFE) == (nth > LIFE));
		check_consistent(&f);
		fix_close(&f);
	}
}

/* Goal: whichever write to the disk fails, after a restart the file is whole.  Method: the
 * nth write fails, for every n. */
TEST(saver_writes_fail_in_turn)
{
	bool done = false;

	for (int64_t nth = 1; !done; nth++) {
		struct vfs_faults x = { 0 };
		struct fix f;

		unlink("db");
		fix_open_with(&f, "sqlite", &x);
		x.fail_write = x.writes + nth;
		done = life(&f) == LIFE;
		x.fail_write = 0;
		store_reader_close(f.r);
		store_close(f.st);
		CHECK_RC(store_open(&f.st, &f.options, &f.e), OK);
		CHECK_RC(store_reader_open(f.st, &f.r, &f.e), OK);
		fix_close(&f);
		CHECK(nth < 1000);
	}
}

/* Goal: what was acknowledged is there after a restart: a put and its writes whole. */
TEST(saver_survives)
{
	struct store_saver_found x;
	struct store_run run;
	struct fix f;

	fix_open(&f, "sqlite");
	run = go(&f, 1, "", 1, 3);
	fix_reopen(&f);
	x = sget(&f, 7, run.thread_seq, "", 0);
	CHECK_STR(svalues(&f, &x), "a=3,b=first");
	CHECK_INT(x.writes_n, 1);
	fix_close(&f);
}

static void
pending(void *ctx, owner_t owner, int64_t thread_seq, const struct uuid *thread)
{
	(void)owner, (void)thread_seq, (void)thread;
	++*(int *)ctx;
}

/* Goal: a run whose graph is in a worker is taken up after every restart of the server,
 * one of our own is given up. */
TEST(hosted_runs_are_not_given_up)
{
	for (int hosted = 0; hosted < 2; hosted++) {
		struct store_run_create c = run_new(1, 1);
		struct fix f;
		int waits = 0;

		unlink("db");
		fix_open(&f, "sqlite");
		c.create_thread = true;
		c.run.agent_hash = S("0123456789abcdef0123456789abcdef");
		c.agent = (struct store_agent){ c.run.agent_hash, S("agent"),
		    hosted ? S("[[\"agent\",{\"hosted\":{\"id\":\"agent\"}}]]") :
		    S("[[\"agent\",{\"x\":1}]]") };
		CHECK_RC(fix_do(&f, &c, STORE_RUN_CREATE, 7), OK);
		for (int i = 0; i < 2 * LIMIT_RUN_ATTEMPTS; i++) {
			struct store_run_claim take = { .thread_seq = c.run.thread_seq };

			fix_reopen(&f);
			CHECK_RC(store_recover(f.st, f.shard, 1, pending, &waits, &f.e), OK);
			fix_do(&f, &take, STORE_RUN_CLAIM, 7);
		}
		CHECK_INT(waits, hosted ? 2 * LIMIT_RUN_ATTEMPTS : LIMIT_RUN_ATTEMPTS - 1);
		fix_close(&f);
	}
}

/* ---- a file of before ------------------------------------------------------------------ */

/* Goal: a file of version 8 goes on, keeps what it had, and takes rows of savers. */
TEST(saver_in_a_file_of_version_8)
{
	static const char back[] = STORE_BACK_TO_10 "DROP TABLE saver_checkpoint; DROP TABLE saver_blob;"
	    " DROP TABLE saver_write; DROP TABLE hosted; DROP TABLE checkpoint_before;"
	    " DROP TABLE wasm_bytes; DROP TABLE wasm_release; DROP TABLE wasm_image;"
	    " ALTER TABLE interrupt DROP COLUMN asked; ALTER TABLE task_write DROP COLUMN run;"
	    " PRAGMA user_version = 8";
	struct store_run run;
	struct db db;
	struct fix f;
	int64_t before;

	CHECK_RC(db_open(&db, "db", NULL, &store_sql, DB_WRITE, &f.e), OK);
	CHECK_RC(db_exec(&db, store_v6, &f.e), OK);
	CHECK_RC(db_exec(&db, "PRAGMA application_id = 1131374706; PRAGMA user_version = 6",
	    &f.e), OK);
	CHECK_RC(store_migrate(&db, &f.e), OK);
	CHECK_RC(db_exec(&db, back, &f.e), OK);
	CHECK_RC(db_read_i64(&db, "SELECT count(*) FROM checkpoint", &before, &f.e), OK);
	db_close(&db);
	fix_open(&f, "sqlite");
	CHECK(access("db.bak-v8", F_OK) == 0);
	CHECK_INT(count_rows(&f, "checkpoint"), before);
	run = go(&f, 60, "", 1, 2);
	CHECK(str_eq(sget(&f, 7, run.thread_seq, "", 0).id, sid(&f, 2)));
	fix_close(&f);
}
