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
#include "unit/pg_fix.h"

enum { ONE, SQL_N };
static const char *const texts[SQL_N] = { [ONE] = "SELECT 1" };
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
	CHECK_RC(query_any(query_of(&db, ONE)), OK);     /* at the host that answered */
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
