/*
 * store_two.c - two stores on one database of PostgreSQL, as two servers have them: they
 * work on the same threads, items and schedules at the same time.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "store/cron.h"
#include "store/hook.h"
#include "store/mail.h"
#include "store/node.h"
#include "store/pg_begin_priv.h"
#include "store_fix.h"
#include "unit/pg_fix.h"

#define OWNER   7
#define THREADS 4
#define ROUNDS  6
#define EACH    24                           /* commands of a server in a round */

/* The same database once more. */
static void
open_beside(struct fix *g, const struct fix *f)
{
	memset(g, 0, sizeof *g);
	CHECK_RC(shard_new(&g->shard, 1, &g->e), OK);
	g->a = ARENA(64 * MB);
	memcpy(g->url, f->url, sizeof g->url);
	g->options = f->options;
	g->options.path = str_of(g->url);
	g->broken = true;                    /* checked by the other */
	if (store_open(&g->st, &g->options, &g->e) != OK)
		test_fail(__FILE__, __LINE__, "open: %s", g->e.text);
	CHECK_RC(store_reader_open(g->st, &g->r, &g->e), OK);
}

static void
check_ok(const struct store_cmd *c)
{
	if (c->rc != OK)
		test_fail(__FILE__, __LINE__, "%s: %s", rc_name(c->rc), c->err.text);
}

/* ---- runs ------------------------------------------------------------------------ */

/* Both make runs on the same new threads, in opposite orders. */
static void
runs_make(struct fix *f, struct fix *g)
{
	static struct store_run_create x[2 * ROUNDS * EACH];
	struct fix *both[] = { f, g };
	unsigned n = 0;

	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned first = n;

		for (unsigned i = 0; i < 2 * EACH; i++, n++) {
			unsigned thread = i % 2 == 0 ? i / 2 : EACH - i / 2;

			x[n] = run_new(1 + thread % THREADS, n);
			x[n].create_thread = true;
			x[n].cmd.arena = &both[i % 2]->a;
			fix_submit(both[i % 2], &x[n], STORE_RUN_CREATE, OWNER);
		}
		fix_wait(f, (round + 1) * EACH);
		fix_wait(g, (round + 1) * EACH);
		for (unsigned i = first; i < n; i++)
			check_ok(&x[i].cmd);
	}
	CHECK_INT(count_rows(f, "run"), 2 * ROUNDS * EACH);
	CHECK_INT(count_rows(f, "run WHERE status = 1"), THREADS);
	CHECK_INT(count_rows(f, "thread"), THREADS);
}

/* The running one of a thread. */
static bool
run_running(struct fix *f, unsigned thread, struct store_run_name *out)
{
	struct uuid id = id_of(ID_THREAD, thread);
	struct store_run_name *at;
	struct store_thread t;
	size_t n;

	CHECK_RC(store_thread_get(f->r, OWNER, &id, &f->a, &t), OK);
	CHECK_RC(store_runs_newest(f->r, OWNER, t.seq, 2 * ROUNDS * EACH, &f->a, &at, &n), OK);
	for (size_t i = 0; i < n; i++) {
		if (at[i].status != RUN_RUNNING)
			continue;
		*out = at[i];
		return true;
	}
	return false;
}

/* Each thread's runs end one after the other, now at one server, now at the other; while
 * both try to take the next by themselves. */
static void
runs_end(struct fix *f, struct fix *g)
{
	struct fix *both[] = { f, g };
	size_t ended = 0;

	for (unsigned thread = 1; thread <= THREADS; thread++) {
		struct uuid id = id_of(ID_THREAD, thread);
		struct store_run_name run;
		struct store_thread t;

		CHECK_RC(store_thread_get(f->r, OWNER, &id, &f->a, &t), OK);
		for (unsigned i = 0; run_running(f, thread, &run); i++, ended++) {
			struct store_run_claim claim = { .thread_seq = t.seq, .now = 5000 };
			struct store_run r = { .seq = run.seq, .thread_seq = t.seq };
			struct fix *other = both[(i + 1) % 2];
			size_t back = other->back;

			claim.cmd.arena = &other->a;
			fix_submit(other, &claim, STORE_RUN_CLAIM, OWNER);
			CHECK_RC(finish_run(both[i % 2], OWNER, &r, NULL, 0), OK);
			fix_wait(other, back + 1);
			CHECK(claim.cmd.rc == ERR_NOTFOUND);
		}
	}
	CHECK_INT(ended, 2 * ROUNDS * EACH);
	CHECK_INT(count_rows(f, "run WHERE status = 2"), 2 * ROUNDS * EACH);
}

/* ---- items ----------------------------------------------------------------------- */

/* Every put has a number of its own, and one of each key is left. */
static void
items_put(struct fix *f, struct fix *g)
{
	static struct store_item_put x[2 * EACH];
	struct fix *both[] = { f, g };
	size_t back[] = { f->back, g->back };

	for (unsigned i = 0; i < 2 * EACH; i++) {
		x[i] = (struct store_item_put){ .item = { .ns = S("n"),
		    .key = arena_fmt(&f->a, "%u", i % 2 == 0 ? i / 2 % 5 : 4 - i / 2 % 5),
		    .value_json = S("{\"text\":\"two servers\"}"), .created = 1, .updated = i } };
		fix_submit(both[i % 2], &x[i], STORE_ITEM_PUT, OWNER);
	}
	fix_wait(f, back[0] + EACH);
	fix_wait(g, back[1] + EACH);
	for (unsigned i = 0; i < 2 * EACH; i++)
		check_ok(&x[i].cmd);
	CHECK_INT(count_rows(f, "item"), 5);
	CHECK_INT(count_rows(f, "word"), 5);
	CHECK_INT(count_rows(f, "item_total WHERE items = 5 AND seq = 48"), 1);
	CHECK_INT(count_rows(f, "namespace WHERE items = 5"), 1);
}

/* ---- schedules ------------------------------------------------------------------- */

/* Both fire it at once, many times: each firing has one run. */
static void
crons_fire(struct fix *f, struct fix *g)
{
	struct store_assistant_create a = assistant_new(1);
	struct store_cron_create c = { .c = { .id = id_of(9, 1),
	    .assistant_id = id_of(ID_ASSISTANT, 1), .schedule = S("0 * * * *"), .enabled = 1,
	    .next = 1, .payload_json = S("{}"), .metadata_json = S("{}") } };
	int64_t before = count_rows(f, "run");
	struct fix *both[] = { f, g };

	CHECK_RC(fix_do(f, &a, STORE_ASSISTANT_CREATE, OWNER), OK);
	CHECK_RC(fix_do(f, &c, STORE_CRON_CREATE, OWNER), OK);
	for (unsigned i = 0; i < EACH; i++) {
		struct store_run_create x[2];
		size_t back[] = { f->back, g->back };

		for (unsigned k = 0; k < 2; k++) {
			x[k] = run_new(1000 + 2 * i + k, 1000 + 2 * i + k);
			x[k].create_thread = true;
			x[k].cmd.arena = &both[k]->a;
			x[k].firing = (struct store_firing){ .cron = c.c.id,
			    .version = c.c.version, .due = 1 + i, .next = 2 + i };
			fix_submit(both[k], &x[k], STORE_RUN_CREATE, OWNER);
		}
		fix_wait(f, back[0] + 1);
		fix_wait(g, back[1] + 1);
		CHECK((x[0].cmd.rc == OK) + (x[1].cmd.rc == OK) == 1);
		CHECK(x[x[0].cmd.rc == OK].cmd.rc == ERR_CONFLICT);
	}
	CHECK_INT(count_rows(f, "run") - before, EACH);
}

/* Goal: nothing is lost, nothing is there twice, and nobody is told of a deadlock. */
CONTRACT_OF_SERVERS(two_stores_on_one_database)
{
	struct fix g;

	open_beside(&g, f);
	runs_make(f, &g);
	check_consistent(f);
	runs_end(f, &g);
	items_put(f, &g);
	crons_fire(f, &g);
	fix_close(&g);
}

/* ---- what falls due ---------------------------------------------------------------- */

#define DUE  24                              /* of each kind */
#define TASK "11111111-1111-4111-8111-111111111111"

static void
joins(struct fix *f, const char *name)
{
	struct store_node_join x = { .name = str_of(name), .address = S("here"),
	    .info = S("{}"), .lease = 60000 };

	CHECK_RC(fix_do(f, &x, STORE_NODE_JOIN, 0), OK);
	store_set_node(f->st, x.node);
}

/* Both have the same commands, in opposite orders, and each is done by one of them: the
 * other's has `loses`. */
static void
check_one_each(struct fix *f, struct fix *g, struct store_cmd *x[2][DUE], enum store_op op,
    int loses)
{
	struct fix *both[] = { f, g };
	size_t back[] = { f->back, g->back };

	for (unsigned i = 0; i < DUE; i++)
		for (unsigned k = 0; k < 2; k++) {
			struct store_cmd *c = x[k][k == 0 ? i : DUE - 1 - i];

			c->arena = &both[k]->a;
			fix_submit(both[k], c, op, OWNER);
		}
	fix_wait(f, back[0] + DUE);
	fix_wait(g, back[1] + DUE);
	for (unsigned i = 0; i < DUE; i++) {
		bool first = x[0][i]->rc == OK;

		CHECK_RC(x[!first][i]->rc, OK);
		CHECK_RC(x[first][i]->rc, loses);
	}
}

/* Parked runs, and those that are held until a time. */
static void
runs_fall_due(struct fix *f, struct fix *g, bool parked)
{
	struct store_run_claim x[2][DUE];
	struct store_cmd *at[2][DUE];

	for (unsigned i = 0; i < DUE; i++) {
		unsigned n = parked ? 100 + i : 200 + i;
		struct store_run_create c = run_new(n, n);
		struct store_run_save s = { .park = PARK_SET, .due = 500 };

		c.create_thread = true;
		c.run.held = parked ? 0 : 500;
		CHECK_RC(fix_do(f, &c, STORE_RUN_CREATE, OWNER), OK);
		s.run_seq = c.run.seq;
		s.thread_seq = c.run.thread_seq;
		if (parked)
			CHECK_RC(fix_do(f, &s, STORE_RUN_SAVE, OWNER), OK);
		for (unsigned k = 0; k < 2; k++) {
			x[k][i] = (struct store_run_claim){ .now = 500,
			    .thread_seq = c.run.thread_seq, .wake = parked };
			at[k][i] = &x[k][i].cmd;
		}
	}
	check_one_each(f, g, at, STORE_RUN_CLAIM, ERR_NOTFOUND);
	for (unsigned i = 0; i < DUE; i++) {
		const struct store_run_claim *won = &x[x[0][i].cmd.rc != OK][i];

		CHECK(won->taken && won->woken == parked);
		CHECK_INT(won->run.attempt, 1);
	}
}

/* Questions that nobody has answered in time. */
static void
questions_fall_due(struct fix *f, struct fix *g)
{
	struct store_run_create x[2][DUE];
	struct store_cmd *at[2][DUE];
	struct uuid task;

	CHECK(uuid_parse(S(TASK), &task));
	for (unsigned i = 0; i < DUE; i++) {
		unsigned n = 400 + i;
		struct store_run run = start_run(f, OWNER, n, n);
		struct store_checkpoint_put p = { .id = id_of(ID_CHECKPOINT, n), .step = 1,
		    .source = SOURCE_LOOP, .created = 400,
		    .tasks_json = S("[{\"id\":\"" TASK "\",\"name\":\"n\"}]") };
		struct store_interrupt ask = { .id = id_of(31, i), .task = task, .key = S("0"),
		    .value_json = S("1"), .created = 400, .due = 500 };
		struct store_run_end end = { .run_seq = run.seq, .thread_seq = run.thread_seq,
		    .changes = { .checkpoints = &p, .checkpoints_n = 1, .interrupts = &ask,
		    .interrupts_n = 1 }, .status = RUN_INTERRUPTED,
		    .thread_status = THREAD_INTERRUPTED, .now = 450 };

		CHECK_RC(fix_do(f, &end, STORE_RUN_END, OWNER), OK);
		for (unsigned k = 0; k < 2; k++) {
			x[k][i] = run_new(n, 500 + 100 * k + i);
			x[k][i].run.multitask = MULTITASK_REJECT;
			x[k][i].times_out = ask.id;
			x[k][i].asked_again = 9000;
			at[k][i] = &x[k][i].cmd;
		}
	}
	check_one_each(f, g, at, STORE_RUN_CREATE, ERR_CONFLICT);
}

/* Messages that are to be sent, now and again. */
static void
hooks_fall_due(struct fix *f, struct fix *g)
{
	struct store_hook_take x[2][DUE];
	struct store_cmd *at[2][DUE];
	struct store_hook *due[2];
	size_t n[2];

	for (unsigned i = 0; i < DUE; i++) {
		struct store_hook_put c = { .id = id_of(30, i), .url = S("http://127.0.0.1:9/"),
		    .body = S("{}"), .now = 500 };

		CHECK_RC(fix_do(f, &c, STORE_HOOK_PUT, OWNER), OK);
	}
	CHECK_RC(store_hooks_due(f->r, S("http://127.0.0.1:9"), 600, DUE, &f->a, &due[0], &n[0]), OK);
	CHECK_RC(store_hooks_due(g->r, S("http://127.0.0.1:9"), 600, DUE, &g->a, &due[1], &n[1]), OK);
	CHECK_INT(n[0], DUE);
	CHECK_INT(n[1], DUE);
	for (unsigned k = 0; k < 2; k++)
		for (unsigned i = 0; i < DUE; i++) {
			x[k][i] = (struct store_hook_take){ .seq = due[k][i].seq,
			    .due = due[k][i].due, .later = 9000 };
			at[k][i] = &x[k][i].cmd;
		}
	check_one_each(f, g, at, STORE_HOOK_TAKE, ERR_CONFLICT);
}

/* Threads whose time is over: the sweeps of both remove each once. */
static void
threads_fall_due(struct fix *f, struct fix *g)
{
	struct store_sweep x[2] = { { .now = 500, .limit = DUE }, { .now = 500, .limit = DUE } };
	struct fix *both[] = { f, g };
	size_t back[2];

	for (unsigned i = 0; i < DUE; i++) {
		struct store_thread_create c = thread_new(300 + i);

		c.t.created = c.t.updated = 100;
		c.t.ttl.ms = 50;
		CHECK_RC(fix_do(f, &c, STORE_THREAD_CREATE, OWNER), OK);
	}
	for (unsigned k = 0; k < 2; k++) {
		back[k] = both[k]->back;
		x[k].cmd.arena = &both[k]->a;
		fix_submit(both[k], &x[k], STORE_THREAD_SWEEP, 0);
	}
	for (unsigned k = 0; k < 2; k++)
		fix_wait(both[k], back[k] + 1);
	check_ok(&x[0].cmd);
	check_ok(&x[1].cmd);
	CHECK_INT(x[0].removed + x[1].removed, DUE);
	CHECK_INT((int64_t)(x[0].gone_n + x[1].gone_n), DUE);
}

/* Goal: of two servers that look at the same time one does what is due. */
CONTRACT_OF_SERVERS(two_stores_do_what_is_due_once)
{
	struct fix g;

	open_beside(&g, f);
	joins(f, "a");
	joins(&g, "b");
	runs_fall_due(f, &g, true);
	runs_fall_due(f, &g, false);
	questions_fall_due(f, &g);
	hooks_fall_due(f, &g);
	threads_fall_due(f, &g);
	fix_close(&g);
}

/* ---- a lease that is lost on the way ------------------------------------------------- */

static const char *const hold_text[] = { "UPDATE run SET attempt = attempt" };
static const struct db_sql hold_sql = { .text = hold_text, .n = 1 };

/* Goal: what a group writes is of the node whose lease it holds, also when that is lost in
 * the middle of it: the threads that it took would be nobody's, and wait for ever. */
CONTRACT_OF_SERVERS(a_take_over_is_that_of_one_node)
{
	struct store_node_join lost = { .name = S("lost"), .address = S("there"),
	    .info = S("{}"), .lease = 60000 };
	struct store_node_take x = { .limit = 10, .now = 99, .cmd = { .arena = &f->a } };
	struct uuid id = id_of(ID_THREAD, 1);
	int64_t us, node = 0;
	size_t back;
	struct db db;

	CHECK_RC(fix_do(f, &lost, STORE_NODE_JOIN, 0), OK);
	store_set_node(f->st, lost.node);
	(void)start_run(f, OWNER, 1, 1);
	joins(f, "us");
	us = store_node(f->st);
	CHECK_RC(fix_do(f, &(struct store_node_leave){ .node = lost.node }, STORE_NODE_LEAVE, 0),
	    OK);
	CHECK_RC(db_open(&db, f->url, NULL, &hold_sql, DB_WRITE, &f->e), OK);
	CHECK_RC(db_begin(&db, DB_WRITE), OK);
	CHECK_RC(db_run(&db, 0), OK);
	CHECK_INT(db_changes(&db), 1);
	back = f->back;
	fix_submit(f, &x, STORE_NODE_TAKE, 0);
	while (pg_number_of(f->url, "SELECT count(*) FROM pg_stat_activity"
	    " WHERE wait_event_type = 'Lock'") == 0)
		;
	store_set_node(f->st, NODE_NONE);
	db_rollback(&db);
	fix_wait(f, back + 1);
	CHECK_RC(x.cmd.rc, OK);
	CHECK_RC(store_thread_node(f->r, &id, &node), OK);
	CHECK_INT(node, us);
	db_close(&db);
}

/* ---- numbers --------------------------------------------------------------------- */

#define RECEIVERS (PG_BLOCK_MANY + 1)        /* two blocks */

static int
mail_to_many(struct fix *f, unsigned id, size_t receivers)
{
	static struct uuid to[RECEIVERS];
	struct store_mail m = { .id = id_of(20, id), .to = to, .to_n = receivers,
	    .sender = id_of(21, 1), .packed = S("packed"), .created = 1 };
	struct store_mail_put x = { .mails = &m, .mails_n = 1 };

	for (unsigned i = 0; i < receivers; i++)
		to[i] = id_of(22, i);
	return fix_do(f, &x, STORE_MAIL_PUT, OWNER);
}

/* Goal: where other nodes always take numbers in between, a command that needs more than
 * one block fails, and writes nothing under a number that is another's. */
CONTRACT_OF_SERVERS(numbers_that_never_follow_each_other)
{
	CHECK_RC(mail_to_many(f, 1, 1), OK);
	change_file(f, "ALTER SEQUENCE seq_mail INCREMENT 1025");
	CHECK_RC(mail_to_many(f, 2, RECEIVERS), ERR_BUSY);
	CHECK_INT(count_rows(f, "mail"), 1);
	CHECK_INT(count_rows(f, "letter"), 1);
	change_file(f, "ALTER SEQUENCE seq_mail INCREMENT 1024");
	CHECK_RC(mail_to_many(f, 2, RECEIVERS), OK);
	CHECK_INT(count_rows(f, "letter"), RECEIVERS + 1);
	check_consistent(f);
}
