/*
 * store_once.c - keys of requests that may be repeated: written with what the request
 * made or not at all, found by it, and gone after their time; versions of assistants.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "store_fix.h"

static struct store_once
key_of(char c, msec now)
{
	struct store_once x = { .id_at = offsetof(struct store_thread_create, t.id),
	    .now = now };

	memset(x.key, c, sizeof x.key);
	memset(x.request, 'r', sizeof x.request);
	return x;
}

static int
thread_make(struct fix *f, owner_t owner, unsigned n, const struct store_once *once)
{
	struct store_thread_create c = thread_new(n);

	c.cmd.once = once;
	return fix_do(f, &c, STORE_THREAD_CREATE, owner);
}

CONTRACT(key_is_written_with_its_object)
{
	struct store_once a = key_of('a', 5), b = key_of('b', 5), found = a;
	struct uuid id = id_of(ID_THREAD, 1);

	CHECK_RC(thread_make(f, 7, 1, &a), OK);
	memset(found.request, 0, sizeof found.request);
	CHECK_RC(store_once_get(f->r, 7, &found), OK);
	CHECK(uuid_eq(&found.id, &id) &&
	    memcmp(found.request, a.request, sizeof a.request) == 0);
	CHECK_RC(store_once_get(f->r, 8, &found), ERR_NOTFOUND);
	/* the same again does nothing; of another owner it is another key */
	CHECK_RC(thread_make(f, 7, 2, &a), ERR_CONFLICT);
	CHECK_INT(count_rows(f, "thread"), 1);
	CHECK_RC(thread_make(f, 8, 3, &a), OK);
	/* what fails leaves no key */
	CHECK_RC(thread_make(f, 7, 1, &b), ERR_CONFLICT);
	CHECK_RC(store_once_get(f->r, 7, &b), ERR_NOTFOUND);
	CHECK_RC(thread_make(f, 7, 4, &b), OK);
}

/* In one batch, where nothing is committed in between. */
TEST(key_counts_once_in_a_batch)
{
	struct store_once a = key_of('a', 5);
	struct store_thread_create hold = thread_new(9), c[3];
	struct gate g;
	struct fix f;
	int ok = 0;

	fix_open(&f, "memory");
	hold.cmd.op = STORE_THREAD_CREATE;
	hold.cmd.arena = &f.a;
	gate_shut(&f, &g, &hold.cmd);
	for (unsigned i = 0; i < COUNT(c); i++) {
		c[i] = thread_new(i + 1);
		c[i].cmd.once = &a;
		fix_submit(&f, &c[i], STORE_THREAD_CREATE, 7);
	}
	pthread_mutex_unlock(&g.lock);
	fix_wait(&f, COUNT(c));
	for (size_t i = 0; i < COUNT(c); i++)
		ok += c[i].cmd.rc == OK;
	CHECK_INT(ok, 1);
	CHECK_RC(c[0].cmd.rc, OK);
	CHECK_INT(count_rows(&f, "once"), 1);
	fix_close(&f);
}

static struct store_sweep
sweep(struct fix *f, msec now)
{
	struct store_sweep x = { .now = now, .limit = INT64_MAX };

	CHECK_RC(fix_do(f, &x, STORE_ONCE_SWEEP, 0), OK);
	return x;
}

CONTRACT(keys_go_after_their_time)
{
	struct store_once a = key_of('a', 5), b = key_of('b', 1000);

	CHECK_RC(thread_make(f, 7, 1, &a), OK);
	CHECK_RC(thread_make(f, 7, 2, &b), OK);
	CHECK_INT(sweep(f, LIMIT_ONCE_MS + 5).removed, 0);
	CHECK_INT(sweep(f, LIMIT_ONCE_MS + 6).removed, 1);
	CHECK_RC(store_once_get(f->r, 7, &a), ERR_NOTFOUND);
	CHECK_RC(store_once_get(f->r, 7, &b), OK);
	CHECK_RC(thread_make(f, 7, 3, &a), OK);
	CHECK_INT(count_rows(f, "thread"), 3);
}

TEST(keys_past_their_number_go_the_oldest_first)
{
	const int max = 10000;
	char sql[400];
	int64_t removed = 0;
	struct store_sweep x;
	struct fix f;

	fix_open(&f, "memory");
	f.options.once_keys = max;
	fix_reopen(&f);
	snprintf(sql, sizeof sql, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1"
	    " FROM n WHERE i < %d) INSERT INTO once SELECT 7, CAST(printf('%%032d', i) AS"
	    " BLOB), zeroblob(32), zeroblob(16), i FROM n", max + 5000);
	change_file(&f, sql);
	do {
		x = sweep(&f, 1);
		removed += x.removed;
	} while (x.more);
	CHECK(removed > 3000 && removed <= 5000);
	change_file(&f, "CREATE TABLE oldest AS SELECT 1 FROM once WHERE created <= 3000");
	CHECK_INT(count_rows(&f, "oldest"), 0);
	f.broken = true;
	fix_close(&f);
}

/* The last one that there may be, and one more. */
TEST(versions_have_a_bound)
{
	struct store_assistant_create a = assistant_new(1);
	struct store_assistant_update u = { .a.id = a.a.id, .now = 9 };
	char sql[400];
	struct fix f;

	fix_open(&f, "memory");
	CHECK_RC(fix_do(&f, &a, STORE_ASSISTANT_CREATE, 7), OK);
	snprintf(sql, sizeof sql, "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1"
	    " FROM n WHERE i < %d) INSERT INTO assistant_version SELECT 1, i, 'agent', 'n',"
	    " NULL, '{}', '{}', '{}', i FROM n; UPDATE assistant SET latest = %d",
	    LIMIT_ASSISTANT_VERSIONS - 1, LIMIT_ASSISTANT_VERSIONS - 1);
	change_file(&f, sql);
	CHECK_RC(fix_do(&f, &u, STORE_ASSISTANT_UPDATE, 7), OK);
	CHECK_INT(u.a.version, LIMIT_ASSISTANT_VERSIONS);
	u = (struct store_assistant_update){ .a.id = a.a.id, .now = 9 };
	CHECK_RC(fix_do(&f, &u, STORE_ASSISTANT_UPDATE, 7), ERR_CONFLICT);
	CHECK(strstr(u.cmd.err.text, "versions") != NULL);
	f.broken = true;
	fix_close(&f);
}
