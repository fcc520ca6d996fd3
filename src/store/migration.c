/*
 * migration.c - see migration.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/migration.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "store/crypt.h"
#include "store/store_priv.h"

static int64_t
bytes_of(const char *path)
{
	struct stat s;

	return stat(path, &s) == 0 ? s.st_size : 0;
}

/* Without a log the file is all there is, and is opened without a trace.  With one, it is
 * read along, and stays. */
static int
file_open(struct db *db, const char *path, const char *layer, struct err *e)
{
	char log[DB_PATH_MAX + 8];
	int rc = crypt_check(path, layer, e);

	if (rc != OK)
		return rc;
	snprintf(log, sizeof log, "%s-wal", path);
	rc = db_open(db, path, layer, &store_sql, bytes_of(log) > 0 ? DB_READ : DB_FROZEN, e);
	if (rc == OK)
		db_log_keep(db, true);
	return rc;
}

static void
part_add(struct migration *m, const char *name, int version, int newest)
{
	assert(m->n < MIGRATION_PARTS);
	m->part[m->n++] = (struct migration_part){ name, version, newest };
	m->due |= version < newest;
	m->copies |= version > 0 && version < newest;
}

static int
guest_look(struct migration *m, struct db *db, const struct store_guest *g, struct err *e)
{
	char text[160];
	int64_t rooms = 0, version = 0;
	int rc = db_read_i64(db, "SELECT count(*) FROM sqlite_schema WHERE name = 'room'", &rooms,
	    e);

	snprintf(text, sizeof text, "SELECT coalesce((SELECT version FROM room"
	    " WHERE name = '%s'), 0)", g->name);
	if (rc == OK && rooms > 0)
		rc = db_read_i64(db, text, &version, e);
	if (rc == OK && version > g->format->sqlite.n)
		return err_set(e, ERR_INVALID, "%s was written by a newer Cohort (%s %lld; this one "
		    "knows up to %d)", db_path(db), g->name, (long long)version,
		    g->format->sqlite.n);
	if (rc == OK)
		part_add(m, g->name, (int)version, g->format->sqlite.n);
	return rc;
}

static int
parts_look(struct migration *m, struct db *db, const struct store_guest *const *guests,
    struct err *e)
{
	int version = 0, rc = db_version(db, &store_format, &version, e);

	if (rc == OK)
		part_add(m, "store", version, store_format.sqlite.n);
	for (; rc == OK && guests != NULL && *guests != NULL; guests++)
		rc = guest_look(m, db, *guests, e);
	return rc;
}

int
store_migration_look(struct migration *m, const char *path, const char *layer,
    const struct store_guest *const *guests, struct err *e)
{
	char log[DB_PATH_MAX + 8];
	struct statvfs v;
	struct stat s;
	struct db db;
	int rc;

	*m = (struct migration){ .n = 0 };
	if (strlen(path) >= DB_PATH_MAX || stat(path, &s) != 0)
		return err_set(e, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "%s: %s", path,
		    strerror(errno));
	rc = file_open(&db, path, layer, e);
	if (rc != OK)
		return rc;
	rc = parts_look(m, &db, guests, e);
	db_close(&db);
	snprintf(log, sizeof log, "%s-wal", path);
	m->bytes = m->copies ? s.st_size + bytes_of(log) : 0;
	if (statvfs(path, &v) == 0)
		m->room = (int64_t)v.f_bavail * (int64_t)v.f_frsize;
	return rc;
}
