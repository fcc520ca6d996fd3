/*
 * pg_session.c - how a connection to PostgreSQL begins: which host, whose settings.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "store/pg_priv.h"
#include "store/store_priv.h"
#include "unit/pg_proxy.h"

enum { ONE, SETTING, WHO, PUT, SQL_N };
static const char *const texts[SQL_N] = {
	[ONE] = "SELECT 1",
	[SETTING] = "SELECT current_setting(?)",
	[WHO] = "SELECT current_user",
	[PUT] = "INSERT INTO t(k) VALUES (?)",
};
static const struct db_sql sql = { texts, SQL_N, NULL };

/* ---- hosts ---------------------------------------------------------------------- */

/* A host that takes connections and says nothing, as one that stands still. */
struct mute {
	char dir[64];
	int fd;
};

static void
mute_start(struct mute *m)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	snprintf(m->dir, sizeof m->dir, "/tmp/cohort-mute-XXXXXX");
	CHECK(mkdtemp(m->dir) != NULL);
	snprintf(at.sun_path, sizeof at.sun_path, "%s/.s.PGSQL.5432", m->dir);
	m->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(bind(m->fd, (struct sockaddr *)&at, sizeof at) == 0);
	CHECK(listen(m->fd, 64) == 0);
}

static void
mute_end(struct mute *m)
{
	char path[128];

	close(m->fd);
	snprintf(path, sizeof path, "%s/.s.PGSQL.5432", m->dir);
	unlink(path);
	rmdir(m->dir);
}

/* url with these hosts before its own. */
static void
with_hosts(char out[PG_URL_MAX], const char *url, const char *hosts)
{
	const char *at = strstr(url, "host=");
	int n;

	CHECK(at != NULL);
	at += strlen("host=");
	n = snprintf(out, PG_URL_MAX, "%.*s%s,%s", (int)(at - url), url, hosts, at);
	CHECK(n < PG_URL_MAX);
}

static unsigned
pg_turn(const struct db *db)
{
	return ((const struct pg *)db->on->h)->turn;
}

/* Goal: a host that says nothing, as the machine of a primary that has lost its power,
 * does not keep us from the one behind it, at the start and later. */
TEST(pg_a_host_that_says_nothing_is_passed_over)
{
	struct mute m;
	struct db db, next;
	struct err e;
	char url[PG_URL_MAX], hosts[PG_URL_MAX], mutes[160];
	nsec since;
	int rc;

	pg_fresh(url);
	mute_start(&m);
	snprintf(mutes, sizeof mutes, "%s,%s", m.dir, m.dir);
	with_hosts(hosts, url, mutes);
	db_server_lease(1000);
	if (db_open(&db, hosts, NULL, &sql, DB_READ, &e) != OK)
		test_fail(__FILE__, __LINE__, "%s", e.text);
	CHECK_INT(pg_turn(&db), 2);
	CHECK_RC(db_open(&next, hosts, NULL, &sql, DB_READ, &e), OK);
	CHECK_INT(pg_turn(&next), 2);        /* it waits for none */
	db_close(&next);
	snprintf(hosts, sizeof hosts, "SELECT pg_terminate_backend(%d)",
	    ((struct pg *)db.on->h)->pid);
	pg_do(url, hosts);
	since = clock_mono();
	do                                   /* a statement waits for 100 ms, the next goes on */
		rc = query_any(query_of(&db, ONE));
	while (rc == ERR_BUSY && clock_mono() - since < 60 * NS_PER_S);
	CHECK_RC(rc, OK);                    /* at the host that answered */
	CHECK_INT(pg_turn(&db), 2);
	db_close(&db);
	db_server_lease(0);
	mute_end(&m);
}

/* Goal: a start waits for an answer of each host. */
TEST(pg_hosts_are_counted)
{
	struct err e;

	CHECK_RC(pg_lib_load(&e), OK);
	CHECK_INT(pg_start_hosts("postgresql://u@a:1,b:2,c/d"), 3);
	CHECK_INT(pg_start_hosts("host=a,b port=5432"), 2);
	CHECK_INT(pg_start_hosts("hostaddr=10.0.0.1,10.0.0.2 dbname=d"), 2);
	CHECK_INT(pg_start_hosts("postgresql://u@/d?host=/tmp"), 1);
	CHECK_INT(pg_start_hosts("postgresql:///d"), 1);
}

/* ---- settings ------------------------------------------------------------------- */

/* A role whose sessions are another's, as of a login that a vault makes for a while, with
 * settings of its own.  url: with it. */
static void
login_make(char url[PG_URL_MAX])
{
	char rest[PG_URL_MAX], *at = strstr(url, "cohort@");

	CHECK(at != NULL);
	pg_do(url, "CREATE TABLE t(k bigint); CREATE ROLE crew; CREATE ROLE login LOGIN IN ROLE crew;"
	    "DO $$ BEGIN EXECUTE format('GRANT ALL ON SCHEMA %I TO crew', current_schema()); END $$;"
	    "GRANT ALL ON t TO crew;"
	    "ALTER ROLE login SET role = 'crew'; ALTER ROLE login SET timezone = 'Asia/Kolkata';"
	    "ALTER ROLE login SET DateStyle = 'Postgres, DMY';"
	    "ALTER ROLE login SET standard_conforming_strings = off;"
	    "ALTER ROLE login SET idle_session_timeout = 500;"
	    "ALTER ROLE login SET enable_nestloop = off; ALTER ROLE login SET enable_indexscan = off;"
	    "ALTER ROLE login SET gin_fuzzy_search_limit = 1");
	snprintf(rest, sizeof rest, "%s", at + strlen("cohort@"));
	snprintf(at, PG_URL_MAX - (size_t)(at - url), "login@%s", rest);
}

static bool
is_set(struct db *db, const char *name, const char *value)
{
	struct query q = query_of(db, SETTING, db_text(str_of(name)));
	bool same = query_row(&q) == OK && str_eq(query_borrow(&q, 0), str_of(value));

	query_end(&q);
	return same;
}

/* Goal: what a text means and how long a connection lives are not of the role or the
 * database, and who logs in as another one still ends its lost connection, whose COMMIT
 * may be under way. */
TEST(pg_a_session_is_not_what_its_role_sets)
{
	struct pg_proxy x;
	struct db db;
	struct err e;
	struct query q;
	char url[PG_URL_MAX], proxy[PG_URL_MAX], look[96];

	pg_fresh(url);
	snprintf(proxy, sizeof proxy, "%s", url);
	login_make(proxy);
	pg_proxy_start(&x, url);
	snprintf(proxy, sizeof proxy, "postgresql://login@%s", strchr(x.url, '@') + 1);
	CHECK_RC(db_open(&db, proxy, NULL, &sql, DB_WRITE, &e), OK);
	q = query_of(&db, WHO);
	CHECK_RC(query_row(&q), OK);
	CHECK(str_eq(query_borrow(&q, 0), S("crew")));
	query_end(&q);
	CHECK(is_set(&db, "standard_conforming_strings", "on"));
	CHECK(is_set(&db, "idle_session_timeout", "0"));
	CHECK(is_set(&db, "enable_nestloop", "on") && is_set(&db, "enable_indexscan", "on"));
	CHECK(is_set(&db, "gin_fuzzy_search_limit", "0"));

	snprintf(look, sizeof look, "SELECT count(*) FROM pg_stat_activity WHERE pid = %d",
	    ((struct pg *)db.on->h)->pid);
	CHECK_INT(pg_number_of(url, look), 1);
	CHECK_RC(db_begin(&db, DB_WRITE), OK);
	CHECK_RC(db_run(&db, PUT, db_i64(1)), OK);
	atomic_store(&x.cut, PG_CUT_HOLD);
	CHECK_RC(db_commit(&db), ERR_BUSY);
	CHECK_RC(db_revive(&db, clock_mono() + LIMIT_PG_WAIT_MS * NS_PER_MS), OK);
	CHECK_INT(pg_number_of(url, look), 0);
	db_close(&db);
	pg_proxy_end(&x);
	pg_do(url, "DROP OWNED BY crew; DROP OWNED BY login; DROP ROLE login; DROP ROLE crew");
}

/* Goal: a database whose encoding has not all characters is refused at the start, and not
 * with each text that has one of them. */
TEST(pg_a_database_of_another_encoding_is_refused)
{
	struct db db;
	struct err e;
	char url[PG_URL_MAX], latin[PG_URL_MAX], *at;

	pg_fresh(url);
	pg_do(url, "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'");
	at = strstr(url, "/cohort?");
	snprintf(latin, sizeof latin, "%.*s/latin?%.300s", (int)(at - url), url, at + 8);
	CHECK_RC(db_open(&db, latin, NULL, &sql, DB_WRITE, &e), OK);
	CHECK_RC(pg_migrate(&db, &e), ERR_INVALID);
	CHECK(strstr(e.text, "encoding is not UTF8") != NULL);
	db_close(&db);
	pg_do(url, "DROP DATABASE latin WITH (FORCE)");
}
