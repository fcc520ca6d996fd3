/*
 * store_sweep.c - threads that end by themselves.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store_fix.h"

#include <string.h>

static struct store_thread_create
lasting(unsigned n, msec ttl)
{
	struct store_thread_create c = thread_new(n);

	c.t.created = c.t.updated = 100;
	c.t.ttl.ms = ttl;
	return c;
}

static void
make(struct fix *f, owner_t owner, unsigned n, msec ttl)
{
	struct store_thread_create c = lasting(n, ttl);

	CHECK_RC(fix_do(f, &c, STORE_THREAD_CREATE, owner), OK);
	CHECK_INT(c.t.expires, ttl == 0 ? 0 : 100 + ttl);
}

static struct store_sweep
sweep(struct fix *f, msec now, int64_t limit)
{
	struct store_sweep x = { .now = now, .limit = limit };

	CHECK_RC(fix_do(f, &x, STORE_THREAD_SWEEP, 0), OK);
	return x;
}

static bool
there(struct fix *f, owner_t owner, unsigned n)
{
	struct uuid id = id_of(ID_THREAD, n);
	struct store_thread t;

	return store_thread_get(f->r, owner, &id, &f->a, &t) == OK;
}

/* Goal: what is over goes, of every owner, the oldest first and as many as were asked
 * for; what is not over or has no ttl stays. */
CONTRACT(threads_go_when_their_time_is_over)
{
	struct store_sweep x;

	make(f, 7, 1, 50);
	make(f, 8, 2, 40);
	make(f, 7, 3, 60);
	make(f, 7, 4, 0);
	x = sweep(f, 139, 10);
	CHECK(x.removed == 0 && !x.more && x.gone_n == 0);
	x = sweep(f, 150, 1);
	CHECK(x.removed == 1 && x.more && !there(f, 8, 2) && there(f, 7, 1));
	CHECK(x.gone_n == 1 && uuid_eq(&x.gone[0], &(struct uuid[]){ id_of(ID_THREAD, 2) }[0]));
	x = sweep(f, 150, 10);
	CHECK(x.removed == 1 && !x.more && !there(f, 7, 1) && there(f, 7, 3));
	x = sweep(f, 1000, 10);
	CHECK(x.removed == 1 && !there(f, 7, 3) && there(f, 7, 4));
}

/* Goal: a thread with a run under way does not go, however late it is; when the run
 * has ended it does. */
CONTRACT(busy_threads_stay)
{
	struct store_run run;

	make(f, 7, 1, 50);
	run = start_run(f, 7, 1, 1);
	CHECK_INT(sweep(f, 1000, 10).removed, 0);
	CHECK(there(f, 7, 1));
	CHECK_RC(finish_run(f, 7, &run, NULL, 0), OK);
	CHECK_INT(sweep(f, 1000, 10).removed, 1);
	CHECK(!there(f, 7, 1));
}

/* ---- only the newest state ----------------------------------------------------- */

#define T1 "11111111-1111-4111-8111-111111111111"
#define T2 "22222222-2222-4222-8222-222222222222"
#define T3 "33333333-3333-4333-8333-333333333333"
#define TASK(id) "[{\"id\":\"" id "\",\"name\":\"n\"}]"

static struct uuid
uuid_of(const char *text)
{
	struct uuid id = { { 0 } };

	CHECK(uuid_parse(str_of(text), &id));
	return id;
}

static const struct str letters[] = { { "\"a\"", 3 }, { "\"b\"", 3 }, { "\"c\"", 3 },
    { "\"d\"", 3 } };

/* Thread n: four checkpoints of the root, a branch among them, a past sub-agent's and one
 * that waits with its question. */
static struct store_run
long_thread(struct fix *f, unsigned n)
{
	struct store_run run = start_run(f, 7, n, n);
	struct store_channel_change c[8];
	struct store_checkpoint_put p[6];
	struct store_interrupt ask = { .id = id_of(9, n), .ns = S("n:" T2),
	    .task = uuid_of(T3), .key = S("0"), .value_json = S("\"sure?\""), .created = 1 };
	struct store_write w[] = { { .task = uuid_of(T1), .channel = S("x"),
	    .type = S("json"), .body = S("1") }, { .task = uuid_of(T2), .channel = S("x"),
	    .type = S("json"), .body = S("2") } };
	struct store_run_end end = { .run_seq = run.seq, .thread_seq = run.thread_seq,
	    .status = RUN_INTERRUPTED, .thread_status = THREAD_INTERRUPTED, .now = 9000 };

	for (unsigned i = 0; i < COUNT(p); i++)
		p[i] = (struct store_checkpoint_put){ .id = id_of(ID_CHECKPOINT, 10 * n + i),
		    .step = (int)i, .source = SOURCE_LOOP, .created = 4000 + i,
		    .channels = &c[i], .channels_n = 1 };
	c[0] = (struct store_channel_change){ .name = S("m"), .kind = STORE_LIST,
	    .entries = letters, .entries_n = 2 };
	c[1] = (struct store_channel_change){ .name = S("x"), .kind = STORE_VALUE,
	    .type = S("json"), .body = S("{\"old\":1}") };
	c[2] = (struct store_channel_change){ .name = S("m"), .kind = STORE_LIST,
	    .keep = 1, .entries = letters + 2, .entries_n = 1 };
	c[3] = (struct store_channel_change){ .name = S("x"), .kind = STORE_VALUE,
	    .type = S("json"), .body = S("{\"new\":[1,2]}") };
	c[4] = c[5] = (struct store_channel_change){ .name = S("y"), .kind = STORE_VALUE,
	    .type = S("json"), .body = S("7") };
	p[1].tasks_json = S(TASK(T1));
	p[3].tasks_json = S(TASK(T2));
	p[4].ns = S("n:" T1);
	p[5].ns = S("n:" T2);
	p[5].tasks_json = S(TASK(T3));
	end.changes = (struct store_changes){ .checkpoints = p, .checkpoints_n = COUNT(p),
	    .writes = w, .writes_n = 2, .interrupts = &ask, .interrupts_n = 1 };
	CHECK_RC(fix_do(f, &end, STORE_RUN_END, 7), OK);
	return run;
}

static size_t
states(struct fix *f, const struct store_run *run, const char *ns)
{
	struct store_history h = { .thread_seq = run->thread_seq, .ns = str_of(ns),
	    .whole = true, .limit = 10 };

	CHECK_RC(fix_do(f, &h, STORE_HISTORY, 7), OK);
	return h.states_n;
}

/* The newest state is as it was, alone, and what waits can be answered. */
static void
check_kept(struct fix *f, const struct store_run *run)
{
	static const struct uuid newest;
	struct store_interrupt *asks;
	struct store_state s;
	size_t n = 0;

	CHECK_INT(states(f, run, ""), 1);
	CHECK_INT(states(f, run, "n:" T1), 0);
	CHECK_INT(states(f, run, "n:" T2), 1);
	CHECK_RC(store_state_get(f->r, 7, run->thread_seq, S(""), &newest, STATE_ALL, &f->a,
	    &s), OK);
	CHECK(s.channels_n == 2 && s.channels[0].entries_n == 2 && s.writes_n == 1);
	CHECK_STR(s.channels[0].entries[0], "\"a\"");
	CHECK_STR(s.channels[0].entries[1], "\"c\"");
	CHECK_STR(s.channels[1].body, "{\"new\":[1,2]}");
	CHECK(uuid_is_zero(&s.c.parent_id) && s.c.parent_seq == 0);
	CHECK_RC(store_interrupts_get(f->r, 7, run->thread_seq, &f->a, &asks, &n), OK);
	CHECK(n == 1 && !uuid_is_zero(&asks[0].checkpoint));
	check_consistent(f);
}

static struct store_thread_prune
prune(struct fix *f, owner_t owner, enum thread_ttl how, const struct uuid *ids, size_t n)
{
	struct store_thread_prune x = { .strategy = how, .ids = ids, .n = n };

	CHECK_RC(fix_do(f, &x, STORE_THREAD_PRUNE, owner), OK);
	return x;
}

/* Goal: pruned to its newest state a thread has that, its pending work and its question;
 * again changes nothing; a later run goes on. */
CONTRACT(threads_keep_their_newest_state)
{
	struct store_run run = long_thread(f, 1), next;
	struct uuid ids[] = { id_of(ID_THREAD, 1), id_of(ID_THREAD, 5) };
	struct store_thread_prune x = prune(f, 8, TTL_KEEP_LATEST, ids, 2);

	CHECK(x.next == 2 && x.pruned_n == 0);          /* another owner's */
	CHECK_INT(states(f, &run, ""), 4);
	x = prune(f, 7, TTL_KEEP_LATEST, ids, 2);
	CHECK(x.next == 2 && x.pruned_n == 1);
	check_kept(f, &run);
	CHECK_INT(prune(f, 7, TTL_KEEP_LATEST, ids, 2).pruned_n, 1);
	check_kept(f, &run);
	next = start_run(f, 7, 1, 2);
	CHECK_INT(prune(f, 7, TTL_DELETE, ids, 1).pruned_n, 0);  /* it is busy */
	CHECK_RC(finish_run(f, 7, &next, NULL, 0), OK);
	CHECK_INT(prune(f, 7, TTL_DELETE, ids, 1).pruned_n, 1);
	CHECK(!there(f, 7, 1));
	check_consistent(f);
}

/* Goal: a pass that cannot do it all leaves a whole thread; the rest comes with the next. */
CONTRACT(threads_are_pruned_in_passes)
{
	struct store_run run = start_run(f, 7, 1, 1);
	struct uuid id = id_of(ID_THREAD, 1);
	struct store_thread_prune x;
	int passes = 0;

	for (unsigned n = 1; n <= 2 * PRUNE_ROWS; n += 250) {
		static struct step s[250];
		struct store_run_save save;

		for (unsigned i = 0; i < COUNT(s); i++)
			s[i] = step_new(n + i, (int)(n + i), 2 * (n + i - 1), letters, 2);
		save = save_of(f, &run, s, COUNT(s));
		CHECK_RC(fix_do(f, &save, STORE_RUN_SAVE, 7), OK);
	}
	CHECK_RC(finish_run(f, 7, &run, NULL, 0), OK);
	do {
		x = prune(f, 7, TTL_KEEP_LATEST, &id, 1);
		check_consistent(f);
	} while (++passes < 10 && x.next < 1);
	CHECK(passes == 2 && x.pruned_n == 1);
	CHECK_INT(states(f, &run, ""), 1);
}

static msec
expires(struct fix *f, unsigned n)
{
	struct uuid id = id_of(ID_THREAD, n);
	struct store_thread t;

	CHECK_RC(store_thread_get(f->r, 7, &id, &f->a, &t), OK);
	return t.expires;
}

/* Goal: a thread that keeps its newest state stays; its time begins anew with the end of
 * the next run, and not before. */
CONTRACT(threads_that_keep_their_state_expire_again)
{
	struct store_run run = long_thread(f, 1), next;
	struct store_thread_update u = { .id = id_of(ID_THREAD, 1), .now = 9000,
	    .ttl = { 50, TTL_KEEP_LATEST } };

	CHECK_RC(fix_do(f, &u, STORE_THREAD_UPDATE, 7), OK);
	CHECK(u.t.expires == 9050 && u.t.ttl.ms == 50);
	CHECK_INT(sweep(f, 9049, 10).removed, 0);
	CHECK_INT(sweep(f, 9050, 10).gone_n, 0);
	check_kept(f, &run);
	CHECK_INT(expires(f, 1), 0);
	CHECK_INT(sweep(f, 99999, 10).removed, 0);
	next = start_run(f, 7, 1, 2);
	CHECK_RC(finish_run(f, 7, &next, NULL, 0), OK);
	CHECK_INT(expires(f, 1), 9050);
}

/* Goal: threads that are made in any way get the store's ttl. */
TEST(threads_without_a_ttl_get_the_default)
{
	struct store_thread_create given = lasting(2, 9);
	struct fix f;

	fix_open(&f, "memory");
	f.st->thread_ttl = (struct store_ttl){ 1000, TTL_KEEP_LATEST };
	CHECK_RC(fix_do(&f, &(struct store_thread_create[]){ lasting(1, 0) }[0],
	    STORE_THREAD_CREATE, 7), OK);
	CHECK_INT(expires(&f, 1), 1100);
	CHECK_RC(fix_do(&f, &given, STORE_THREAD_CREATE, 7), OK);
	CHECK(given.t.ttl.ms == 9 && given.t.ttl.strategy == TTL_DELETE);
	(void)start_run(&f, 7, 3, 3);
	CHECK(expires(&f, 3) > 1000);
	f.st->thread_ttl.ms = 0;
	make(&f, 7, 4, 0);
	fix_close(&f);
}

/* Goal: threads of version 7 live until they are deleted, and are found in the new orders;
 * one without a state has the time that it was made. */
TEST(threads_of_version_7)
{
	const struct db_format old = fix_format(7);
	struct store_thread_search x = { .status = -1, .page = { .limit = 1,
	    .sort = STORE_SORT_STATE_UPDATED } };
	struct db db;
	struct fix f;

	CHECK_RC(db_open(&db, "db", NULL, &store_sql, DB_WRITE, &f.e), OK);
	CHECK_RC(db_exec(&db, store_v6, &f.e), OK);
	CHECK_RC(db_exec(&db, "PRAGMA application_id = 1131374706; PRAGMA user_version = 6;"
	    " UPDATE thread SET state_updated = 0 WHERE seq = 1; UPDATE thread SET updated ="
	    " updated + 9000 WHERE seq = 1", &f.e), OK);
	CHECK_RC(db_migrate(&db, &old, &f.e), OK);
	db_close(&db);
	fix_open(&f, "sqlite");
	CHECK_INT(sweep(&f, INT64_MAX, 10).removed, 0);
	CHECK_RC(fix_do(&f, &x, STORE_THREAD_SEARCH, 0), OK);
	CHECK(x.found_n == 1 && x.found[0].t.seq != 1 && x.total == 3);
	x.page = (struct store_page){ .limit = 1, .sort = STORE_SORT_UPDATED };
	CHECK_RC(fix_do(&f, &x, STORE_THREAD_SEARCH, 0), OK);
	CHECK(x.found_n == 1 && x.found[0].t.seq == 1);
	CHECK_INT(x.found[0].t.state_updated, x.found[0].t.created);
	CHECK(x.found[0].t.ttl.ms == 0 && x.found[0].t.expires == 0);
	fix_close(&f);
}
