/*
 * store_writer.c - the writer: order, company, refusals, and a medium that
 * fails.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store_fix.h"

#include <semaphore.h>
#include <string.h>
#include <unistd.h>

static struct store_item_put
item_new(struct fix *f, unsigned n)
{
	return (struct store_item_put){ .item = { .ns = S("n"),
	    .key = arena_fmt(&f->a, "%u", n), .value_json = S("{\"v\":1}"),
	    .created = n, .updated = n } };
}

/* Holds the writer with a put. */
static void
hold(struct fix *f, struct gate *g, struct store_item_put *put)
{
	*put = item_new(f, 999999);
	put->cmd.op = STORE_ITEM_PUT;
	gate_shut(f, g, &put->cmd);
}

/* Goal: commands come back in the order they went in, many to a commit. */
CONTRACT_OF_FILES(commands_share_commits_in_order)
{
	struct store_item_put *p = calloc(1000, sizeof *p);
	struct store_stats s;
	struct store_item_put held;
	struct gate g;

	hold(f, &g, &held);
	for (unsigned i = 0; i < 1000; i++) {
		p[i] = item_new(f, i);
		p[i].cmd.lazy = i % 3 == 0;
		fix_submit(f, &p[i], STORE_ITEM_PUT, 7);
	}
	store_stats(f->st, &s);
	CHECK_INT(s.queue_ops, 1000);
	CHECK(s.queue_bytes > 1000 * 7);
	pthread_mutex_unlock(&g.lock);
	fix_wait(f, 1000);
	for (unsigned i = 0; i < 1000; i++)
		CHECK(f->order[i] == &p[i].cmd);
	store_stats(f->st, &s);
	CHECK_INT(s.commits, 1 + (1000 + LIMIT_WRITER_BATCH - 1) / LIMIT_WRITER_BATCH);
	CHECK_INT(s.commands, 1001);
	CHECK_INT(s.queue_ops, 0);
	CHECK_INT(s.queue_bytes, 0);
	free(p);
}

/* Goal: a lazy command goes by itself in the end, and with the next one that
 * is not lazy before that. */
CONTRACT(lazy_commands)
{
	struct store_item_put a = item_new(f, 1), b = item_new(f, 2);
	struct store_stats s;
	nsec since = clock_mono();

	a.cmd.lazy = true;
	CHECK_RC(fix_do(f, &a, STORE_ITEM_PUT, 7), OK);
	CHECK(clock_mono() - since >= LIMIT_WRITER_LINGER_MS * NS_PER_MS);
	fix_submit(f, &a, STORE_ITEM_PUT, 7);
	fix_submit(f, &b, STORE_ITEM_PUT, 7);
	fix_wait(f, 3);
	CHECK(f->order[1] == &a.cmd && f->order[2] == &b.cmd);
	store_stats(f->st, &s);
	CHECK_INT(s.commits, 2);
	/* The writer sleeps longer by now, until its checkpoint. */
	for (int tries = 0; ; tries++) {
		since = clock_mono();
		CHECK_RC(fix_do(f, &a, STORE_ITEM_PUT, 7), OK);
		if (clock_mono() - since < 700 * NS_PER_MS)
			break;                       /* a busy machine adds to it, now and then */
		CHECK(tries < 10);
	}
}

/* Goal: the queue is bounded by number and by bytes, except for what must. */
CONTRACT_OF_FILES(queue_is_bounded)
{
	static char text[1 << 20];
	struct store_item_put *p = calloc(LIMIT_WRITER_OPS + 1, sizeof *p);
	struct store_item_put big[64];
	size_t n = 0;
	struct store_item_put held;
	struct gate g;

	hold(f, &g, &held);
	for (; n < LIMIT_WRITER_OPS; n++) {
		p[n] = item_new(f, 1);
		fix_submit(f, &p[n], STORE_ITEM_PUT, 7);
	}
	p[n] = item_new(f, 1);
	CHECK_RC(fix_offer(f, &p[n], STORE_ITEM_PUT, 7, false), ERR_BUSY);
	CHECK_RC(fix_offer(f, &p[n], STORE_ITEM_PUT, 7, true), OK);
	pthread_mutex_unlock(&g.lock);
	fix_wait(f, LIMIT_WRITER_OPS + 1);
	free(p);

	memset(text, ' ', sizeof text);
	memcpy(text, "{}", 2);
	hold(f, &g, &held);
	for (n = 0; n < 64; n++) {
		int rc;

		big[n] = item_new(f, 2);
		big[n].item.value_json = (struct str){ text, sizeof text };
		rc = fix_offer(f, &big[n], STORE_ITEM_PUT, 7, false);
		if (rc != OK) {
			CHECK_RC(rc, ERR_BUSY);
			break;
		}
	}
	CHECK_INT(n, 63);                    /* 64 MB, and each has a head */
	pthread_mutex_unlock(&g.lock);
	fix_wait(f, LIMIT_WRITER_OPS + 1 + n);
}

/* What c weighs where it waits. */
static size_t
weight(struct fix *f, void *c, enum store_op op)
{
	struct store_stats before, after;

	store_stats(f->st, &before);
	((struct store_cmd *)c)->arena = &f->a;
	fix_submit(f, c, op, 7);
	store_stats(f->st, &after);
	return (size_t)(after.queue_bytes - before.queue_bytes);
}

/* Goal: every text that waits counts, so that the bound on the queue is one on
 * memory. */
CONTRACT_OF_FILES(queue_weighs_every_text)
{
	static char text[100 * KB];
	const struct str t = { text, sizeof text };
	struct str m[] = { t, t };
	struct step s[] = { step_new(1, 0, 0, m, 2), step_new(2, 1, 2, m, 1) };
	struct store_run_end finish = { .run_seq = 99, .status = RUN_ERROR,
	    .error_json = t };
	struct store_record record = { .result = t };
	struct store_write write = { .body = t };
	struct store_interrupt interrupt = { .value_json = t };
	struct store_run_save step = { .run_seq = 99, .changes = { .records = &record,
	    .records_n = 1, .writes = &write, .writes_n = 1,
	    .interrupts = &interrupt, .interrupts_n = 1 } };
	struct store_run_create run = run_new(99, 99);
	struct store_stream_append frames = { .run_seq = 99, .bytes = t };
	struct store_thread_update update = { .metadata_json = t };
	struct store_item_put held;
	struct gate g;

	memset(text, ' ', sizeof text);
	memcpy(text, "{}", 2);
	s[0].snapshot = s[1].snapshot = t;
	finish.changes = changes_of(f, s, 2);
	run.run.kwargs_json = run.run.metadata_json = run.run.base_json = t;
	run.thread_config_json = t;
	hold(f, &g, &held);
	CHECK_INT(weight(f, &finish, STORE_RUN_END) / t.n, 6);
	CHECK_INT(weight(f, &step, STORE_RUN_SAVE) / t.n, 3);
	CHECK_INT(weight(f, &run, STORE_RUN_CREATE) / t.n, 4);
	CHECK_INT(weight(f, &frames, STORE_STREAM_APPEND) / t.n, 1);
	CHECK_INT(weight(f, &update, STORE_THREAD_UPDATE) / t.n, 1);
	pthread_mutex_unlock(&g.lock);
	fix_wait(f, 5);
	CHECK(finish.cmd.rc != OK && step.cmd.rc != OK && run.cmd.rc != OK);
}

/* Goal: a command that is larger than the whole queue may be gets in when it is
 * alone, not never. */
CONTRACT(queue_takes_one_command_of_any_size)
{
	const struct str m = { calloc(1, LIMIT_WRITER_BYTES), LIMIT_WRITER_BYTES };
	struct step s[] = { step_new(1, 0, 0, &m, 1) };
	struct store_run_save step = { .run_seq = 99, .changes = changes_of(f, s, 1) };

	CHECK(fix_do(f, &step, STORE_RUN_SAVE, 7) != OK);        /* no such run */
	free((char *)m.p);
}

/* Goal: what is put back to be done later takes its place again: neither more
 * than the bound gets in, nor less for ever. */
TEST(queue_counts_what_is_put_back)
{
	struct store_cmd large = { .bytes = LIMIT_WRITER_BYTES }, small = { .bytes = 1 };
	struct store_cmd *c;
	struct queue q;
	bool closing;

	queue_init(&q);
	for (int i = 0; i < 3; i++) {
		CHECK_RC(queue_put(&q, &large, false, true), OK);
		CHECK_RC(queue_put(&q, &small, false, false), ERR_BUSY);
		CHECK(queue_take_first(&q) == &large);
		queue_put_back(&q, &large);
		CHECK_RC(queue_put(&q, &small, false, false), ERR_BUSY);
		CHECK(queue_take_first(&q) == NULL);
		CHECK_INT(queue_take(&q, &c, 1, NEVER, &closing), 1);
		CHECK(c == &large);
		CHECK_RC(queue_put(&q, &small, false, false), OK);
		CHECK_INT(queue_take(&q, &c, 1, NEVER, &closing), 1);
	}
	queue_release(&q);
}

/* Goal: a batch where nothing was to write is no commit. */
CONTRACT(nothing_written_no_commit)
{
	struct store_item_delete d = { .ns = S("n"), .key = S("k") };
	struct store_thread_delete t = { .id = id_of(ID_THREAD, 1) };
	struct store_stats s;

	CHECK_RC(fix_do(f, &d, STORE_ITEM_DELETE, 7), OK);
	CHECK_RC(fix_do(f, &t, STORE_THREAD_DELETE, 7), ERR_NOTFOUND);
	store_stats(f->st, &s);
	CHECK_INT(s.commits, 0);
	CHECK_INT(s.commands, 2);
	CHECK_INT(s.failed, 1);
}

/* Goal: a command that fails after its writes leaves nothing, and those that
 * shared its transaction lose nothing. */
CONTRACT(one_fails_the_others_do_not)
{
	struct store_run_create bad = run_new(2, 1);     /* run 1 exists */
	struct store_item_put before = item_new(f, 1), after = item_new(f, 2);
	struct store_item got;
	struct store_item_put held;
	struct gate g;

	start_run(f, 7, 1, 1);
	hold(f, &g, &held);
	bad.create_thread = true;
	bad.cmd.arena = &f->a;
	fix_submit(f, &before, STORE_ITEM_PUT, 7);
	fix_submit(f, &bad, STORE_RUN_CREATE, 7);
	fix_submit(f, &after, STORE_ITEM_PUT, 7);
	pthread_mutex_unlock(&g.lock);
	fix_wait(f, 4);
	CHECK_RC(before.cmd.rc, OK);
	CHECK_RC(bad.cmd.rc, ERR_CONFLICT);
	CHECK_RC(after.cmd.rc, OK);
	CHECK_INT(count_rows(f, "thread"), 1);
	CHECK_RC(store_item_get(f->r, 7, S("n"), S("1"), 0, &f->a, &got), OK);
	CHECK_RC(store_item_get(f->r, 7, S("n"), S("2"), 0, &f->a, &got), OK);
}

/* Goal: the log does not grow without end while the writer is never idle. */
TEST(log_is_moved_past_its_limit)
{
	static char text[MB];
	struct store_item_put p;
	struct store_stats s;
	struct fix f;

	fix_open(&f, "sqlite");
	memset(text, ' ', sizeof text);
	memcpy(text, "{}", 2);
	for (unsigned i = 0; i < 40; i++) {
		p = item_new(&f, i % 4);
		p.item.value_json = (struct str){ text, sizeof text };
		CHECK_RC(fix_do(&f, &p, STORE_ITEM_PUT, 7), OK);
	}
	store_stats(f.st, &s);
	CHECK(s.file_bytes < 32 * MB);
	fix_close(&f);
}

/* ---- faults -------------------------------------------------------------- */

/* A life in commands; returns how many were acknowledged.  Each command may
 * fail; the next ones then meet what they must also bear. */
static unsigned
life(struct fix *f)
{
	struct str m[] = { S("\"a\""), S("\"b\"") };
	struct step s[] = { step_new(1, 0, 0, m, 1), step_new(2, 1, 0, m, 2) };
	struct store_assistant_create a = assistant_new(1);
	struct store_assistant_update u = { .a.id = a.a.id, .now = 1 };
	struct store_run_create r = run_new(1, 1), q = run_new(1, 2);
	struct store_item_put p = item_new(f, 1);
	struct store_run_save step = { .changes = changes_of(f, s, 1) };
	struct store_run_end e = { .changes = changes_of(f, s + 1, 1),
	    .status = RUN_SUCCESS };
	struct store_record record = { .task = id_of(ID_RUN, 50), .key = S("c") };
	struct store_run_save call = { .changes = { .records = &record,
	    .records_n = 1 } };
	struct store_stream_append block = { .bytes = S("x") };
	struct store_run_cancel cancel = { .run_id = id_of(ID_RUN, 2) };
	struct store_thread_delete t = { .id = id_of(ID_THREAD, 1) };
	struct store_assistant_delete d = { .id = a.a.id, .threads = true };
	unsigned ok = 0;

	r.create_thread = true;
	ok += fix_do(f, &a, STORE_ASSISTANT_CREATE, 7) == OK;
	ok += fix_do(f, &u, STORE_ASSISTANT_UPDATE, 7) == OK;
	ok += fix_do(f, &r, STORE_RUN_CREATE, 7) == OK;
	ok += fix_do(f, &q, STORE_RUN_CREATE, 7) == OK;
	step.run_seq = e.run_seq = call.run_seq = block.run_seq = r.run.seq;
	step.thread_seq = e.thread_seq = call.thread_seq = r.run.thread_seq;
	ok += fix_do(f, &step, STORE_RUN_SAVE, 7) == OK;
	ok += fix_do(f, &call, STORE_RUN_SAVE, 7) == OK;
	ok += fix_do(f, &block, STORE_STREAM_APPEND, 7) == OK;
	ok += fix_do(f, &cancel, STORE_RUN_CANCEL, 7) == OK;
	e.changes.checkpoints_n = step.cmd.rc == OK ? 1 : 0;
	ok += fix_do(f, &e, STORE_RUN_END, 7) == OK;
	ok += fix_do(f, &p, STORE_ITEM_PUT, 7) == OK;
	ok += fix_do(f, &t, STORE_THREAD_DELETE, 7) == OK;
	ok += fix_do(f, &d, STORE_ASSISTANT_DELETE, 7) == OK;
	return ok;
}
#define LIFE 12

CONTRACT(a_whole_life)
{
	CHECK_INT(life(f), LIFE);
	check_consistent(f);
	CHECK_INT(count_rows(f, "checkpoint"), 0);
}

/* Goal: whichever command fails, the file stays consistent and a restart
 * finds it so.  Method: the 1st command fails, then the 2nd, ... */
TEST(every_command_fails_in_turn)
{
	for (int64_t nth = 1; nth <= LIFE; nth++) {
		struct fix f;

		unlink("db");
		fix_open(&f, "memory");
		f.st->fail_at = nth;
		CHECK(life(&f) < LIFE);
		check_consistent(&f);
		CHECK(f.st->write_no >= nth);
		fix_close(&f);
	}
}

/* Goal: whichever write to the disk fails, no acknowledged command is lost
 * and the file is whole.  Method: the nth write fails, for every n. */
TEST(every_write_fails_in_turn)
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
		check_consistent(&f);
		fix_close(&f);
		CHECK(nth < 1000);
	}
}

/* Goal: a commit that does not reach the disk is not acknowledged, the writer
 * goes on with the next. */
TEST(sync_fails)
{
	struct vfs_faults x = { 0 };
	struct store_item_put p;
	struct store_item got;
	struct fix f;

	fix_open_with(&f, "sqlite", &x);
	p = item_new(&f, 1);
	x.fail_sync = x.syncs + 1;
	CHECK_RC(fix_do(&f, &p, STORE_ITEM_PUT, 7), ERR_IO);
	CHECK_RC(store_item_get(f.r, 7, S("n"), S("1"), 0, &f.a, &got), ERR_NOTFOUND);
	CHECK_RC(fix_do(&f, &p, STORE_ITEM_PUT, 7), OK);
	CHECK_RC(store_item_get(f.r, 7, S("n"), S("1"), 0, &f.a, &got), OK);
	fix_close(&f);
}

/* Goal: with a full disk every command of a batch says so, reads go on, and
 * once there is room again so do writes. */
TEST(disk_full)
{
	struct vfs_faults x = { 0 };
	struct store_item_put p[10];
	struct store_item got;
	struct store_stats s;
	struct store_item_put held;
	struct gate g;
	struct fix f;

	fix_open_with(&f, "sqlite", &x);
	p[0] = item_new(&f, 0);
	CHECK_RC(fix_do(&f, &p[0], STORE_ITEM_PUT, 7), OK);
	hold(&f, &g, &held);
	x.full = true;
	for (unsigned i = 0; i < 10; i++) {
		p[i] = item_new(&f, i + 1);
		fix_submit(&f, &p[i], STORE_ITEM_PUT, 7);
	}
	pthread_mutex_unlock(&g.lock);
	fix_wait(&f, 11);
	for (unsigned i = 0; i < 10; i++) {
		CHECK_RC(p[i].cmd.rc, ERR_BUSY);
		CHECK(str_contains(str_of(p[i].cmd.err.text), S("full")));
	}
	CHECK_RC(store_item_get(f.r, 7, S("n"), S("0"), 0, &f.a, &got), OK);
	CHECK_RC(store_item_get(f.r, 7, S("n"), S("1"), 0, &f.a, &got), ERR_NOTFOUND);
	x.full = false;
	CHECK_RC(fix_do(&f, &p[0], STORE_ITEM_PUT, 7), OK);
	store_stats(f.st, &s);
	CHECK_INT(s.failed, 11);             /* the one that held the writer, too */
	check_consistent(&f);
	fix_close(&f);
}

/* Goal: when the medium fails in the middle of a batch nothing of it stays, not
 * even what went before. */
TEST(batch_fails_as_one)
{
	struct vfs_faults x = { 0 };
	struct store_assistant_create cold = assistant_new(1);
	struct store_item_put warm;
	struct store_item got;
	struct store_item_put held;
	struct gate g;
	struct fix f;

	fix_open(&f, "sqlite");
	fix_close(&f);
	fix_open_with(&f, "sqlite", &x);
	warm = item_new(&f, 1);
	hold(&f, &g, &held);
	x.fail_read = x.reads + 1;
	fix_submit(&f, &warm, STORE_ITEM_PUT, 7);
	fix_submit(&f, &cold, STORE_ASSISTANT_CREATE, 7);
	pthread_mutex_unlock(&g.lock);
	fix_wait(&f, 2);
	CHECK_RC(warm.cmd.rc, ERR_IO);
	CHECK_RC(cold.cmd.rc, ERR_IO);
	CHECK_RC(store_item_get(f.r, 7, S("n"), S("1"), 0, &f.a, &got), ERR_NOTFOUND);
	CHECK_RC(fix_do(&f, &warm, STORE_ITEM_PUT, 7), OK);
	CHECK_RC(fix_do(&f, &cold, STORE_ASSISTANT_CREATE, 7), OK);
	fix_close(&f);
}

/* Goal: a file that cannot be read is an error of that read alone. */
TEST(read_fails)
{
	struct vfs_faults x = { 0 };
	struct store_item_put p;
	struct store_item got;
	struct fix f;

	fix_open_with(&f, "sqlite", &x);
	p = item_new(&f, 1);
	CHECK_RC(fix_do(&f, &p, STORE_ITEM_PUT, 7), OK);
	x.fail_read = x.reads + 1;
	CHECK_RC(store_item_get(f.r, 7, S("n"), S("1"), 0, &f.a, &got), ERR_IO);
	CHECK_RC(store_item_get(f.r, 7, S("n"), S("1"), 0, &f.a, &got), OK);
	fix_close(&f);
}

/* Goal: the test hook of the settings really slows a commit down. */
TEST(fsync_delay)
{
	struct store_options o = { .driver = S("sqlite"), .path = S("slow"),
	    .fsync_delay_ms = 30 };
	struct store_item_put p;
	struct fix f;
	nsec since;

	fix_open(&f, "memory");
	store_reader_close(f.r);
	store_close(f.st);
	CHECK_RC(store_open(&f.st, &o, &f.e), OK);
	CHECK_RC(store_reader_open(f.st, &f.r, &f.e), OK);
	p = item_new(&f, 1);
	since = clock_mono();
	CHECK_RC(fix_do(&f, &p, STORE_ITEM_PUT, 7), OK);
	CHECK(clock_mono() - since >= 30 * NS_PER_MS);
	fix_close(&f);
}
