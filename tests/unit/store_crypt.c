/*
 * store_crypt.c - encrypted files: nothing of what is in them can be read, a changed bit is
 * noticed, and other keys are refused before anything is touched.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store_fix.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "store/backup.h"
#include "store/crypt.h"
#include "store/sqlite_priv.h"

#define SECRET "a-word-that-nobody-else-writes"

static const struct db_sql no_sql = { .n = 0 };

static const char *
layer(unsigned n)
{
	uint8_t key[CRYPT_KEY];

	memset(key, (int)n, sizeof key);
	return crypt_layer(key);
}

static struct buf
content(const char *path)
{
	struct buf b = BUF(64 * MB);
	struct err e;

	(void)file_add(path, &b, &e);
	return b;
}

static bool
has(const char *path, const char *what)
{
	struct buf b = content(path);
	bool yes = memmem(b.p, b.n, what, strlen(what)) != NULL;

	buf_release(&b);
	return yes;
}

static struct db
filled(const char *path, const char *with)
{
	struct err e = { 0 };
	struct db db;

	CHECK_RC(db_open(&db, path, with, &no_sql, DB_WRITE, &e), OK);
	CHECK_RC(db_log_enable(&db, &e), OK);
	CHECK_RC(db_exec(&db, "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT); WITH RECURSIVE n(i) AS"
	    " (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3000)"
	    "INSERT INTO t SELECT i, '" SECRET "' || i FROM n", &e), OK);
	return db;
}

static int64_t
count(const char *path, const char *with)
{
	struct err e = { 0 };
	struct db db;
	int64_t n = -1;

	CHECK_RC(db_open(&db, path, with, &no_sql, DB_READ, &e), OK);
	if (db_read_i64(&db, "SELECT count(*) FROM t WHERE b = '" SECRET "' || a", &n, &e) != OK)
		n = -1;
	db_close(&db);
	return n;
}

/* Goal: no word is in the file or the log, and what was committed is read by others and
 * after a kill, out of the log. */
TEST(crypt_file_and_log)
{
	struct err e = { 0 };
	struct db db;
	pid_t pid = fork();
	int status;

	if (pid == 0) {                      /* leaves a log that is to be recovered */
		db = filled("t.db", layer(1));
		db_log_reach(&db, 8 * (int64_t)MB);
		_exit(db_exec(&db, "INSERT INTO t(b) VALUES ('" SECRET "3001')", &e) == OK ? 0 : 1);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(access("t.db-wal", F_OK) == 0);
	CHECK(!has("t.db", SECRET) && !has("t.db-wal", SECRET) && !has("t.db-wal", "CREATE"));
	CHECK_INT(count("t.db", layer(1)), 3001);
	CHECK(!has("t.db", SECRET) && has("t.db", "CohortE1"));
	CHECK_INT(count("t.db", layer(1)), 3001);
	CHECK_RC(db_open(&db, "t.db", layer(1), &no_sql, DB_WRITE, &e), OK);
	CHECK_RC(db_exec(&db, "DELETE FROM t WHERE a > 100; VACUUM", &e), OK);
	CHECK_RC(db_log_move(&db, true), OK);
	db_close(&db);
	CHECK_INT(count("t.db", layer(1)), 100);
	CHECK(!has("t.db", SECRET));
}

TEST(crypt_changed_bits_are_noticed)
{
	struct db db = filled("t.db", layer(1));
	struct buf b;
	struct err e;

	db_close(&db);
	b = content("t.db");
	CHECK(b.n > 20 * CRYPT_PAGE);
	for (size_t page = 0; page < b.n / CRYPT_PAGE; page += 5) {
		size_t at = page * CRYPT_PAGE + (page * 911 + 20) % CRYPT_PAGE;

		b.p[at] ^= 4;
		CHECK_RC(file_put("t.db", buf_str(&b), &e), OK);
		if (page < 2 || page % 10 == 0)
			CHECK(!crypt_open_page(crypt_keys_of(layer(1)), (uint32_t)page + 1,
			    b.p + page * CRYPT_PAGE));
		buf_release(&b);
		b = content("t.db");
		b.p[at] ^= 4;
	}
	/* A page in another's place. */
	CHECK(!crypt_open_page(crypt_keys_of(layer(1)), 7, b.p + 10 * CRYPT_PAGE));
	buf_release(&b);
}

TEST(crypt_keys_are_checked)
{
	static const char *const wrong[] = { "", "00", "zz", "0123456789abcdef0123456789abcdef",
	    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA!" };
	uint8_t key[CRYPT_KEY], same[CRYPT_KEY];
	struct err e = { 0 };
	struct db db = filled("t.db", layer(1)), plain = filled("p.db", NULL);

	db_close(&db);
	db_close(&plain);
	for (size_t i = 0; i < COUNT(wrong); i++)
		CHECK_RC(crypt_key_parse(str_of(wrong[i]), key, &e), ERR_INVALID);
	CHECK_RC(crypt_key_parse(S("fffefdfcfbfafffefdfcfbfafffefdfcfbfafffefdfcfbfafffefdfcfbfafffe"), key, &e), OK);
	CHECK_RC(crypt_key_parse(S("//79/Pv6//79/Pv6//79/Pv6//79/Pv6//79/Pv6//4="), same, &e), OK);
	CHECK(memcmp(key, same, sizeof key) == 0);
	CHECK_RC(crypt_check("t.db", layer(1), &e), OK);
	CHECK_RC(crypt_check("t.db", layer(2), &e), ERR_DENIED);
	CHECK(strstr(e.text, "another key") != NULL);
	CHECK_RC(crypt_check("t.db", NULL, &e), ERR_DENIED);
	CHECK(strstr(e.text, "set encryption.key") != NULL);
	CHECK_RC(crypt_check("p.db", layer(1), &e), ERR_DENIED);
	CHECK(strstr(e.text, "is not encrypted") != NULL);
	CHECK_RC(crypt_check("p.db", NULL, &e), OK);
	CHECK_RC(crypt_check("none.db", layer(1), &e), OK);
}

/* Goal: a file gets a key, another one, and none; and is whole each time. */
TEST(crypt_convert_there_and_back)
{
	struct err e = { 0 };
	struct db db = filled("t.db", NULL);

	CHECK_RC(db_exec(&db, "PRAGMA user_version = 7; PRAGMA application_id = 99", &e), OK);
	db_close(&db);
	CHECK_RC(crypt_convert("t.db", layer(1), layer(2), &e), ERR_DENIED);
	CHECK_RC(crypt_convert("t.db", NULL, layer(1), &e), OK);
	CHECK(!has("t.db", SECRET) && access("t.db-wal", F_OK) != 0);
	CHECK_INT(count("t.db", layer(1)), 3000);
	CHECK_RC(crypt_convert("t.db", NULL, layer(2), &e), ERR_DENIED);
	CHECK_RC(crypt_convert("t.db", layer(1), layer(2), &e), OK);
	CHECK_RC(crypt_check("t.db", layer(1), &e), ERR_DENIED);
	CHECK_INT(count("t.db", layer(2)), 3000);
	CHECK_RC(crypt_convert("t.db", layer(2), NULL, &e), OK);
	CHECK_INT(count("t.db", NULL), 3000);
	CHECK_RC(crypt_convert("none.db", NULL, layer(1), &e), ERR_NOTFOUND);
}

/* Goal: backups of an encrypted file are, and give it back. */
TEST(crypt_backups)
{
	struct err e = { 0 };
	struct db db = filled("t.db", layer(1));
	struct backup_restored r;
	struct backup_made m;
	char path[128];

	CHECK(mkdir("b", 0700) == 0);
	CHECK_RC(backup_make("t.db", layer(1), "b", false, NULL, &m, &e), OK);
	snprintf(path, sizeof path, "b/%s", m.name);
	CHECK(!has(path, SECRET));
	CHECK_RC(db_exec(&db, "UPDATE t SET b = b WHERE a = 9; INSERT INTO t(b) VALUES ('" SECRET
	    "3001')", &e), OK);
	CHECK_RC(backup_make("t.db", layer(1), "b", false, NULL, &m, &e), OK);
	CHECK(m.kind == BACKUP_INCREMENT && m.copied < 20);
	CHECK_RC(backup_restore("b", "r.db", NEVER, false, &r, &e), OK);
	CHECK_INT(count("r.db", layer(1)), 3001);
	CHECK_RC(backup_verify("b", "s.db", layer(1), NULL, NULL, &e), OK);
	CHECK_RC(backup_verify("b", "s.db", NULL, NULL, NULL, &e), ERR_DENIED);
	db_close(&db);
}

static void
count_readable(void *ctx, const struct backup_listed *b)
{
	char path[128];

	snprintf(path, sizeof path, "b/%s", b->name);
	*(int *)ctx += has(path, SECRET);
}

/* Goal: a whole store on it, with its log shipped; a wrong key leaves all as it is. */
TEST(crypt_store)
{
	struct store_thread_create x = thread_new(1);
	struct buf before, after;
	struct store_stats s;
	int readable = 0;
	struct fix f;

	CHECK(mkdir("b", 0700) == 0);
	fix_open(&f, "sqlite");
	fix_close(&f);
	CHECK_RC(crypt_convert("db", NULL, layer(1), &f.e), OK);
	before = content("db");
	CHECK_RC(store_open(&f.st, &f.options, &f.e), ERR_DENIED);
	f.options.layer = layer(2);
	CHECK_RC(store_open(&f.st, &f.options, &f.e), ERR_DENIED);
	after = content("db");
	CHECK(str_eq(buf_str(&before), buf_str(&after)));
	f.options.layer = layer(1);
	f.options.backup = (struct store_backup){ .to = S("b"), .every = 3600000,
	    .full_every = 86400000, .keep_days = 1, .log = true };
	CHECK_RC(shard_new(&f.shard, 0, &f.e), OK);
	CHECK_RC(store_open(&f.st, &f.options, &f.e), OK);
	CHECK_RC(store_reader_open(f.st, &f.r, &f.e), OK);
	f.broken = true;                     /* the rules are asked without a key */
	x.t.metadata_json = S("{\"w\":\"" SECRET "\"}");
	CHECK_RC(fix_do(&f, &x, STORE_THREAD_CREATE, 1), OK);
	do
		store_stats(f.st, &s);
	while (s.backup.made == 0);
	CHECK(!has("db", SECRET) && !has("db-wal", SECRET));
	fix_close(&f);
	CHECK_RC(backup_list("b", count_readable, &readable, &f.e), OK);
	CHECK(readable == 0 && !has("db", SECRET));
	CHECK_RC(backup_verify("b", "s.db", layer(1), NULL, NULL, &f.e), OK);
	buf_release(&before);
	buf_release(&after);
}
