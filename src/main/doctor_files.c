/*
 * doctor_files.c - the files that settings name: the database, keys, certificates.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "main/doctor.h"
#include "main/options.h"
#include "main/ways.h"
#include "store/crypt.h"
#include "store/db.h"

#define NFS         0x6969
#define CIFS        0xff534d42
#define SMB2        0xfe534d42
#define TMPFS       0x01021994
#define ROOM_ERROR  (100 * (uint64_t)MB)
#define ROOM_WARN   ((uint64_t)1024 * MB)
#define CHECK_BYTES ((int64_t)1024 * (int64_t)MB)     /* a larger database is not read as a whole */

static const char *const check_text[] = { "PRAGMA quick_check(1)" };
static const struct db_sql check_sql = { check_text, COUNT(check_text), check_text };

/* ---- where the database is ---------------------------------------------------------- */

static void
look_at_disk(struct doctor *d, const char *folder)
{
	struct statvfs v;
	struct statfs f;
	uint64_t room;

	if (statvfs(folder, &v) == 0) {
		room = (uint64_t)v.f_bavail * v.f_frsize;
		doctor_find(d, room < ROOM_ERROR ? DOCTOR_ERROR : room < ROOM_WARN ? DOCTOR_WARN :
		    DOCTOR_OK, "disk", room < ROOM_WARN ? "without room writes are refused" : "",
		    room < ROOM_WARN ? "make room, or put db elsewhere" : "", "%llu MB are free in "
		    "%s", (unsigned long long)(room / 1000000), folder);
	}
	if (statfs(folder, &f) != 0)
		return;
	if (f.f_type == NFS || (uint32_t)f.f_type == CIFS || (uint32_t)f.f_type == SMB2)
		doctor_find(d, DOCTOR_ERROR, "disk", "SQLite's log and locks do not work over a "
		    "network: the database is damaged sooner or later",
		    "put db on a local disk, or use PostgreSQL (docs/cluster.md)",
		    "%s is a network file system", folder);
	else if (f.f_type == TMPFS)
		doctor_find(d, DOCTOR_WARN, "disk", "what is in it is gone with the next start of the "
		    "machine", "put db on a disk", "%s is in memory", folder);
	if (access(folder, W_OK) != 0)
		doctor_find(d, DOCTOR_ERROR, "disk", "the database and its log are written there",
		    "give it to the server's user, or run this as that user", "%s cannot be written: "
		    "%s", folder, strerror(errno));
}

static void
look_at_integrity(struct doctor *d, char *path, int64_t bytes)
{
	struct store_options o = { 0 };
	struct db db = { 0 };
	struct err e = { 0 };
	struct query q;
	struct str said;

	if (options_store(d->config, &o, &e) != OK || crypt_check(path, o.layer, &e) != OK) {
		doctor_find(d, DOCTOR_ERROR, "store", "the server does not start with it",
		    "give it the key that the file has (docs/operate.md)", "%s", e.text);
		return;
	}
	if (bytes > CHECK_BYTES) {
		doctor_find(d, DOCTOR_OK, "store", "", "", "%s has %lld MB; it is not read as a whole",
		    path, (long long)(bytes / 1000000));
		return;
	}
	if (db_open(&db, path, o.layer, &check_sql, DB_READ, &e) != OK) {
		doctor_find(d, DOCTOR_ERROR, "store", "the server does not start with it",
		    "is it a database of Cohort, and yours to read?", "%s: %s", path, e.text);
		return;
	}
	q = query_of(&db, 0);
	if (query_row(&q) == OK) {
		said = query_borrow(&q, 0);
		doctor_find(d, str_eq(said, S("ok")) ? DOCTOR_OK : DOCTOR_ERROR, "store",
		    str_eq(said, S("ok")) ? "" : "rows are lost or mixed up", str_eq(said, S("ok")) ?
		    "" : "stop the server, keep the file, restore a backup", "%s: quick_check says "
		    "%.*s", path, FMT(str_cut(said, 200)));
	} else {
		doctor_find(d, DOCTOR_ERROR, "store", "", "", "%s: %s", path, db.on->err.text);
	}
	query_end(&q);
	db_close(&db);
}

static void
look_at_database(struct doctor *d)
{
	char *path = mem_cstr(config_str(d->config, SETTING_DB)), *folder = mem_cstr(str_of(path));
	char *slash = strrchr(folder, '/');
	struct stat st;

	if (slash != NULL)
		slash[slash == folder ? 1 : 0] = '\0';
	look_at_disk(d, slash != NULL ? folder : ".");
	if (stat(path, &st) != 0) {
		doctor_find(d, errno == ENOENT ? DOCTOR_OK : DOCTOR_ERROR, "store", "", "", errno ==
		    ENOENT ? "%s is not there yet" : "%s cannot be looked at", path);
	} else {
		if ((st.st_mode & (S_IRGRP | S_IROTH)) != 0)
			doctor_find(d, DOCTOR_WARN, "store", "it has all threads and messages",
			    "chmod 600, or a folder of mode 700", "others can read %s", path);
		if (st.st_uid != geteuid() && geteuid() != 0)
			doctor_find(d, DOCTOR_WARN, "store", "only its owner's server can write it",
			    "run the server, and this, as that user", "%s is of user %u", path,
			    (unsigned)st.st_uid);
		if (access(path, R_OK) == 0)
			look_at_integrity(d, path, st.st_size);
	}
	free(path);
	free(folder);
}

/* ---- what should be secret ------------------------------------------------------------- */

static void
look_at_secret(struct doctor *d, enum setting_id id, bool secret)
{
	const char *path = d->config->at[id].text, *key = config_settings[id].key;
	struct stat st;

	if (path[0] == '\0' || strstr(path, "://") != NULL)
		return;
	if (stat(path, &st) != 0)
		doctor_find(d, DOCTOR_ERROR, "files", "the server does not start without it",
		    "correct the setting", "%s: %s: %s", key, path, strerror(errno));
	else if (access(path, R_OK) != 0)
		doctor_find(d, DOCTOR_ERROR, "files", "the server does not start without it",
		    "give it to the server's user", "%s: %s cannot be read", key, path);
	else if (secret && (st.st_mode & (S_IWGRP | S_IROTH | S_IWOTH)) != 0)
		doctor_find(d, DOCTOR_WARN, "files", "who reads it can call, who writes it can let "
		    "others call", "chmod 600", "%s: others can read or write %s", key, path);
}

static void
look_at_certificates(struct doctor *d)
{
	struct tls *t = NULL;
	struct str file;
	struct err e = { 0 };
	int64_t days;

	if (ways_tls(&t, d->config, &e) != OK) {
		doctor_find(d, DOCTOR_ERROR, "tls", "the server does not start",
		    "correct tls.cert and tls.key", "%s", e.text);
		return;
	}
	if (t == NULL)
		return;
	days = (tls_first_end(t, &file) - clock_wall() / NS_PER_S) / 86400;
	doctor_find(d, days < 0 ? DOCTOR_ERROR : days < 14 ? DOCTOR_WARN : DOCTOR_OK, "tls",
	    days < 14 ? "clients refuse a certificate that has ended" : "", days < 14 ?
	    "put a new one in its place and send the server SIGHUP" : "", "%.*s ends in %lld days",
	    FMT(file), (long long)days);
	tls_free(t);
}

static void
look_at_exposure(struct doctor *d)
{
	struct ways w;

	ways_of(&w, d->config);
	if (!config_bool(d->config, SETTING_INSECURE))
		return;
	for (size_t i = 0; i < w.n; i++)
		if (!ways_is_near(&w.at[i])) {
			doctor_find(d, DOCTOR_WARN, "auth", "everybody who reaches it may do "
			    "everything", "set api-keys or jwt.secret, and leave insecure out",
			    "insecure, and an address that others reach");
			return;
		}
}

void
doctor_files(struct doctor *d)
{
	if (!config_store_is_server(d->config) &&
	    str_eq(config_str(d->config, SETTING_STORE), S("sqlite")))
		look_at_database(d);
	look_at_secret(d, SETTING_API_KEYS, true);
	look_at_secret(d, SETTING_AUTH_JWKS, false);
	look_at_secret(d, SETTING_AUTH_POLICY, false);
	look_at_secret(d, SETTING_LLM_SCRIPT, false);
	look_at_certificates(d);
	look_at_exposure(d);
}
