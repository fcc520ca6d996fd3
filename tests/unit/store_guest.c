/*
 * store_guest.c - a room above with tables in the store's file: its version,
 * its commands among the others', and what becomes of them when a batch fails.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store_fix.h"

#include <semaphore.h>
#include <string.h>

#include "base/mem.h"

/* ---- a toy: numbers in a table --------------------------------------------- */

enum { TOY_SAVE, TOY_BACK, TOY_END, TOY_PUT, TOY_SUM, TOY_ENDLESS, TOYS };

static const char *const toy_text[TOYS] = {
	[TOY_SAVE] = "SAVEPOINT toy",
	[TOY_BACK] = "ROLLBACK TO toy",
	[TOY_END] = "RELEASE toy",
	[TOY_PUT] = "INSERT INTO toy(n) VALUES (?)",
	[TOY_SUM] = "SELECT coalesce(sum(n), 0) FROM toy",
	[TOY_ENDLESS] = ("WITH RECURSIVE x(i) AS (SELECT 1 UNION ALL SELECT i + 1"
	    " FROM x) SELECT count(*) FROM x"),
};
static const struct db_sql toy_sql = { toy_text, TOYS };
static const char *const toy_steps[] = {
	"CREATE TABLE toy(n INTEGER NOT NULL) STRICT",
	"INSERT INTO toy(n) VALUES (1000)",
};
static const struct db_format toy_format = { 0, { toy_steps, 2 } };
static const struct db_format toy_older = { 0, { toy_steps, 1 } };

struct toy_cmd {
	struct store_cmd cmd;
	int64_t n;
	int fail;                            /* with this, after the write */
	bool leaves;                         /* and does not take it back */
	bool endless;
	int64_t sum;                         /* out */
	int runs;                            /* counted, never reset */
};

static int toys_open;

static void *
toy_open(const struct db *on)
{
	struct db *db = mem_new(struct db);

	toys_open++;
	db_share(db, on, &toy_sql);
	return db;
}

static void
toy_close(void *state)
{
	toys_open--;
	db_close(state);
	free(state);
}

static void
toy_do(struct db *db, int what)
{
	CHECK_RC(db_run(db, what), OK);
}

static int
toy_read(struct db *db, int what, int64_t *out)
{
	return query_one_i64(query_of(db, what), out);
}

static int
toy_run(void *state, struct store_cmd *c)
{
	struct toy_cmd *t = (struct toy_cmd *)c;
	struct db *db = state;

	t->runs++;
	t->sum = 0;
	if (c->op == STORE_GUEST_READ)
		return toy_read(db, t->endless ? TOY_ENDLESS : TOY_SUM, &t->sum);
	toy_do(db, TOY_SAVE);
	CHECK_RC(db_run(db, TOY_PUT, db_i64(t->n)), OK);
	CHECK_RC(toy_read(db, TOY_SUM, &t->sum), OK);
	c->undone = t->fail != OK && t->fail != ERR_IO && !t->leaves;
	if (c->undone)
		toy_do(db, TOY_BACK);
	toy_do(db, TOY_END);
	return t->fail == OK ? OK : err_set(&c->err, t->fail, "as was asked");
}

static size_t
toy_bytes(const struct store_cmd *c)
{
	(void)c;
	return 100;
}

static const struct store_guest toy = {
	.name = "toy", .format = &toy_format,
	.open = toy_open, .close = toy_close, .run = toy_run, .bytes = toy_bytes,
};

/* ---- helpers --------------------------------------------------------------- */

static const struct store_guest *guests[3];

/* The store once more, now with a guest. */
static void
move_in(struct fix *f, const struct store_guest *g, int64_t fail_at)
{
	guests[0] = g;
	f->options.guests = guests;
	f->options.fail_at = fail_at;
	fix_reopen(f);
}

static int
toy_ask(struct fix *f, struct toy_cmd *t, enum store_op op)
{
	t->cmd.guest = guests[0];
	return fix_do(f, t, op, 0);
}

static void
toy_submit(struct fix *f, struct toy_cmd *t)
{
	t->cmd.guest = guests[0];
	fix_submit(f, t, STORE_GUEST_WRITE, 0);
}

static int64_t
sum(struct fix *f)
{
	struct toy_cmd t = { 0 };

	CHECK_RC(toy_ask(f, &t, STORE_GUEST_READ), OK);
	return t.sum;
}

static struct store_item_put
item_new(unsigned n)
{
	return (struct store_item_put){ .item = { .ns = S("n"), .key = S("k"),
	    .value_json = S("{\"v\":1}"), .created = n, .updated = n } };
}

/* Holds the writer with a command of the guest's that adds nothing. */
static void
hold(struct fix *f, struct gate *g, struct toy_cmd *c)
{
	*c = (struct toy_cmd){ .cmd = { .op = STORE_GUEST_WRITE,
	    .guest = guests[0] } };
	gate_shut(f, g, &c->cmd);
}

/* ---- tests ----------------------------------------------------------------- */

/* Goal: its tables are made once, its version is noted, and a file of a newer
 * guest is refused. */
TEST(guest_has_a_version)
{
	struct store_guest older = toy;
	struct fix f;

	older.format = &toy_older;
	fix_open(&f, "sqlite");
	move_in(&f, &older, 0);
	CHECK_INT(sum(&f), 0);
	CHECK_INT(count_rows(&f, "room WHERE name = 'toy' AND version = 1"), 1);
	move_in(&f, &toy, 0);
	CHECK_INT(sum(&f), 1000);
	CHECK_INT(count_rows(&f, "room WHERE name = 'toy' AND version = 2"), 1);
	move_in(&f, &toy, 0);
	CHECK_INT(sum(&f), 1000);
	CHECK_INT(toys_open, 2);
	store_reader_close(f.r);
	store_close(f.st);
	CHECK_INT(toys_open, 0);
	guests[0] = &older;
	CHECK_RC(store_open(&f.st, &f.options, &f.e), ERR_INVALID);
	CHECK(strstr(f.e.text, "newer") != NULL);
	guests[0] = NULL;
	CHECK_RC(store_open(&f.st, &f.options, &f.e), OK);
	CHECK_RC(store_reader_open(f.st, &f.r, &f.e), OK);
	CHECK(store_guest(f.st, "toy") == NULL);
	fix_close(&f);
}

/* Goal: its commands share a commit with the store's own, on both drivers. */
CONTRACT(guest_shares_commits)
{
	struct store_item_put put = item_new(1);
	struct toy_cmd a = { .n = 1 }, b = { .n = 2 };
	struct store_stats before, after;
	struct toy_cmd held;
	struct gate g;

	move_in(f, &toy, 0);
	hold(f, &g, &held);
	store_stats(f->st, &before);
	toy_submit(f, &a);
	fix_submit(f, &put, STORE_ITEM_PUT, 7);
	toy_submit(f, &b);
	store_stats(f->st, &after);
	CHECK(after.queue_bytes >= 200);
	pthread_mutex_unlock(&g.lock);
	fix_wait(f, 3);
	store_stats(f->st, &after);
	CHECK_INT(after.commits - before.commits, 2);        /* the gate's own is one */
	CHECK_RC(a.cmd.rc, OK);
	CHECK_INT(a.sum, 1001);
	CHECK_INT(b.sum, 1003);
	CHECK_INT(sum(f), 1003);
}

/* Goal: a command that fails and undoes its writes costs nobody a second run. */
CONTRACT(guest_failure_is_its_own)
{
	struct toy_cmd a = { .n = 1 }, b = { .n = 2, .fail = ERR_CONFLICT }, c = { .n = 4 };
	struct toy_cmd held;
	struct gate g;

	move_in(f, &toy, 0);
	hold(f, &g, &held);
	toy_submit(f, &a);
	toy_submit(f, &b);
	toy_submit(f, &c);
	pthread_mutex_unlock(&g.lock);
	fix_wait(f, 3);
	CHECK_RC(a.cmd.rc, OK);
	CHECK_RC(b.cmd.rc, ERR_CONFLICT);
	CHECK_STR(str_of(b.cmd.err.text), "as was asked");
	CHECK_RC(c.cmd.rc, OK);
	CHECK_INT(a.runs + b.runs + c.runs, 3);
	CHECK_INT(sum(f), 1005);
}

/* Goal: one that fails and leaves its writes is left out. */
CONTRACT(guest_leaves_nothing_when_it_fails)
{
	struct toy_cmd a = { .n = 1 }, c = { .n = 4 };
	struct toy_cmd b = { .n = 2, .fail = ERR_CONFLICT, .leaves = true };
	struct toy_cmd held;
	struct gate g;

	move_in(f, &toy, 0);
	hold(f, &g, &held);
	toy_submit(f, &a);
	toy_submit(f, &b);
	toy_submit(f, &c);
	pthread_mutex_unlock(&g.lock);
	fix_wait(f, 3);
	CHECK(a.cmd.rc == OK && b.cmd.rc == ERR_CONFLICT && c.cmd.rc == OK);
	CHECK(a.runs == 2 && b.runs == 1 && c.runs == 1);
	CHECK_INT(sum(f), 1005);
}

/* Goal: when another command dooms the batch the guest's run again, and their
 * results are of the second time. */
CONTRACT(guest_runs_again)
{
	struct store_item_put put = item_new(1);
	struct toy_cmd a = { .n = 1 }, b = { .n = 2 };
	struct toy_cmd held;
	struct gate g;

	move_in(f, &toy, 3);                 /* the gate, a, put */
	hold(f, &g, &held);
	toy_submit(f, &a);
	fix_submit(f, &put, STORE_ITEM_PUT, 7);
	toy_submit(f, &b);
	pthread_mutex_unlock(&g.lock);
	fix_wait(f, 3);
	CHECK_RC(put.cmd.rc, ERR_IO);
	CHECK_RC(a.cmd.rc, OK);
	CHECK_RC(b.cmd.rc, OK);
	CHECK_INT(a.runs, 2);
	CHECK_INT(b.runs, 1);
	CHECK_INT(a.sum, 1001);
	CHECK_INT(b.sum, 1003);
	CHECK_INT(sum(f), 1003);
}

/* Goal: a guest's own command that is doomed leaves nothing. */
CONTRACT(guest_can_be_doomed)
{
	struct toy_cmd a = { .n = 1 }, b = { .n = 2 };

	move_in(f, &toy, 1);
	CHECK_RC(toy_ask(f, &a, STORE_GUEST_WRITE), ERR_IO);
	CHECK_RC(toy_ask(f, &b, STORE_GUEST_WRITE), OK);
	CHECK_INT(sum(f), 1002);
}

/* Goal: a medium that fails under the guest fails the batch, and only it. */
CONTRACT(guest_tells_of_the_medium)
{
	struct store_item_put put = item_new(1);
	struct toy_cmd a = { .n = 1 }, b = { .n = 2, .fail = ERR_IO };
	struct toy_cmd held;
	struct gate g;

	move_in(f, &toy, 0);
	hold(f, &g, &held);
	toy_submit(f, &a);
	fix_submit(f, &put, STORE_ITEM_PUT, 7);
	toy_submit(f, &b);
	pthread_mutex_unlock(&g.lock);
	fix_wait(f, 3);
	CHECK_RC(a.cmd.rc, ERR_IO);
	CHECK_RC(put.cmd.rc, ERR_IO);
	CHECK_RC(b.cmd.rc, ERR_IO);
	CHECK_INT(sum(f), 1000);
	b.fail = OK;
	CHECK_RC(toy_ask(f, &b, STORE_GUEST_WRITE), OK);
	CHECK_INT(sum(f), 1002);
}

/* Goal: its reads have the deadline of all slow reads. */
TEST(guest_reads_have_a_deadline)
{
	struct toy_cmd a = { .endless = true };
	struct fix f;

	fix_open(&f, "sqlite");
	f.options.scan_ms = 200;
	move_in(&f, &toy, 0);
	CHECK_RC(toy_ask(&f, &a, STORE_GUEST_READ), ERR_TIMEOUT);
	CHECK_INT(sum(&f), 1000);
	fix_close(&f);
}

/* ---- two of them ------------------------------------------------------------ */

static const char *const twin_text[TOYS] = {
	[TOY_SAVE] = "SAVEPOINT toy",
	[TOY_END] = "RELEASE toy",
	[TOY_PUT] = "INSERT INTO twin(n) VALUES (?)",
	[TOY_SUM] = "SELECT coalesce(sum(n), 0) FROM twin",
};
static const struct db_sql twin_sql = { twin_text, TOYS };
static const char *const twin_steps[] = {
	"CREATE TABLE twin(n INTEGER NOT NULL) STRICT",
};
static const struct db_format twin_format = { 0, { twin_steps, 1 } };

static void *
twin_open(const struct db *on)
{
	struct db *db = mem_new(struct db);

	toys_open++;
	db_share(db, on, &twin_sql);
	return db;
}

static const struct store_guest twin = {
	.name = "twin", .format = &twin_format,
	.open = twin_open, .close = toy_close, .run = toy_run, .bytes = toy_bytes,
};

/* Goal: a command reaches its own guest, among those of another. */
CONTRACT(guests_two)
{
	struct toy_cmd a = { .n = 3 }, b = { .n = 40, .cmd.guest = &twin };
	struct toy_cmd read = { .cmd.guest = &twin };

	guests[1] = &twin;
	move_in(f, &toy, 0);
	CHECK_INT(toys_open, 4);
	CHECK(store_guest(f->st, "twin") == &twin && store_guest(f->st, "toy") == &toy);
	CHECK_RC(toy_ask(f, &a, STORE_GUEST_WRITE), OK);
	CHECK_RC(fix_do(f, &b, STORE_GUEST_WRITE, 0), OK);
	CHECK_INT(sum(f), 1003);
	CHECK_RC(fix_do(f, &read, STORE_GUEST_READ, 0), OK);
	CHECK_INT(read.sum, 40);
}
