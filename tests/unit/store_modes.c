/*
 * store_modes.c - who on the machine may read what the store writes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store_fix.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "store/store_priv.h"

static void
check_private(void)
{
	DIR *d = opendir(".");
	struct dirent *entry;
	size_t seen = 0;

	CHECK(d != NULL);
	for (entry = readdir(d); entry != NULL; entry = readdir(d)) {
		struct stat st;

		if (strncmp(entry->d_name, "db", 2) != 0)
			continue;
		CHECK(stat(entry->d_name, &st) == 0);
		if ((st.st_mode & 0777) != 0600)
			test_fail(__FILE__, __LINE__, "%s has mode %o", entry->d_name,
			    st.st_mode & 0777u);
		seen++;
	}
	closedir(d);
	CHECK(seen > 0);
}

/* Goal: conversations are their owner's, whatever the umask: the file, what
 * SQLite keeps beside it, and the copy that a migration leaves. */
TEST(files_are_for_their_owner_only)
{
	const char *steps[16];
	const int now = store_format.sqlite.n;
	const struct db_format next = { STORE_APP, { steps, now + 1 } };
	struct store_item_put p = { .item = { .ns = S("n"), .key = S("k"),
	    .value_json = S("{}") } };
	int version;
	struct db db;
	struct fix f;

	for (int i = 0; i < now; i++)
		steps[i] = store_format.sqlite.text[i];
	steps[now] = "ALTER TABLE item ADD COLUMN later INTEGER";
	umask(022);
	fix_open(&f, "sqlite");
	CHECK_RC(fix_do(&f, &p, STORE_ITEM_PUT, 0), OK);
	check_private();
	fix_close(&f);
	CHECK_RC(db_open(&db, "db", NULL, &store_sql, DB_WRITE, &f.e), OK);
	CHECK_RC(db_version(&db, &next, &version, &f.e), OK);
	CHECK_RC(db_migrate(&db, &next, &f.e), OK);
	check_private();
	db_close(&db);
}
