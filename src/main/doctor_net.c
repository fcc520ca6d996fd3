/*
 * doctor_net.c - whom the server asks: models, PostgreSQL, NATS, a collector of traces.
 *
 * SPDX-License-Identifier: MIT
 */
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "main/doctor.h"
#include "main/remote.h"
#include "store/db.h"
#include "trace/trace.h"

#define ASK_NS     (10 * (nsec)NS_PER_S)
#define CONNECT_MS 5000
#define PG_LEAST   140000

/* ---- models --------------------------------------------------------------------------- */

static void
tell_model(struct doctor *d, struct str url, long status, const char *words)
{
	if (status == 0)
		doctor_find(d, DOCTOR_ERROR, "model", "runs that ask it fail", "is the address right, "
		    "and may this machine reach it? A proxy is taken from https_proxy", "%.*s: %s",
		    FMT(url), words);
	else if (status == 401 || status == 403)
		doctor_find(d, DOCTOR_ERROR, "model", "runs that ask it fail",
		    "correct openai.api-key", "%.*s refuses the key: %ld", FMT(url), status);
	else if (status >= 500)
		doctor_find(d, DOCTOR_WARN, "model", "runs that ask it are tried again, and fail "
		    "then", "look at that server", "%.*s answers %ld", FMT(url), status);
	else
		doctor_find(d, DOCTOR_OK, "model", "", "", "%.*s answers", FMT(url));
}

static void
look_at_model(struct doctor *d)
{
	struct str url = config_str(d->config, SETTING_OPENAI_BASE_URL);
	struct str key = config_str(d->config, SETTING_OPENAI_API_KEY), answer;
	struct buf bearer = BUF(64 * KB);
	struct remote *r = NULL;
	struct err e = { 0 };
	long status = 0;
	int rc;

	if (key.n == 0 && config_is_default(d->config, SETTING_OPENAI_BASE_URL))
		return;                      /* it is not used */
	rc = remote_open_bare(&r, url, MB, &e);
	buf_add_fmt(&bearer, "Bearer %.*s", FMT(key));
	if (rc == OK && key.n > 0)
		rc = remote_add_header(r, "Authorization", buf_str(&bearer), &e);
	if (rc == OK)
		rc = remote_ask(r, "GET", S("/models"), STR_NONE, ASK_NS, &status, &answer, &e);
	tell_model(d, url, rc == OK ? status : 0, e.text);
	remote_close(r);
	buf_release(&bearer);
}

/* ---- PostgreSQL ------------------------------------------------------------------------- */

static const char *const pg_text[] = { "SELECT CAST(current_setting('server_version_num') AS bigint),"
	" CAST(current_setting('max_connections') AS bigint), current_setting('fsync')" };
static const struct db_sql pg_sql = { pg_text, COUNT(pg_text), pg_text };

static void
tell_server(struct doctor *d, const struct query *q)
{
	long long version = query_i64(q, 0);

	doctor_find(d, version < PG_LEAST ? DOCTOR_ERROR : DOCTOR_OK, "postgres", version < PG_LEAST ?
	    "its statements are not known there" : "", version < PG_LEAST ?
	    "use PostgreSQL 14 or later" : "", "version %lld.%lld, %lld connections", version /
	    10000, version % 10000, (long long)query_i64(q, 1));
	if (!str_eq(query_borrow(q, 2), S("on")))
		doctor_find(d, DOCTOR_ERROR, "postgres", "what was acknowledged is lost when the "
		    "machine fails", "set fsync = on", "fsync is off");
}

static void
look_at_postgres(struct doctor *d)
{
	char *url = mem_cstr(config_str(d->config, SETTING_STORE));
	struct err e = { 0 };
	struct db db = { 0 };
	struct query q;

	if (db_open(&db, url, NULL, &pg_sql, DB_READ, &e) != OK) {
		doctor_find(d, DOCTOR_ERROR, "postgres", "the server waits cluster.wait for it, and "
		    "does not start", "is it running, and are user, password and pg_hba.conf right?",
		    "%s", e.text);
		free(url);
		return;
	}
	q = query_of(&db, 0);
	if (query_row(&q) == OK)
		tell_server(d, &q);
	query_end(&q);
	db_close(&db);
	free(url);
}

/* ---- NATS --------------------------------------------------------------------------------- */

static bool
connects(const char *host, const char *port, const char **why)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *all = NULL;
	bool yes = false;
	int rc = getaddrinfo(host, port, &hints, &all);

	*why = rc != 0 ? gai_strerror(rc) : "no connection within 5 s, or it was refused";
	for (struct addrinfo *a = all; a != NULL && !yes; a = a->ai_next) {
		int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), err = 0;
		struct pollfd p = { .fd = fd, .events = POLLOUT };
		socklen_t size = sizeof err;

		if (fd < 0)
			continue;
		(void)connect(fd, a->ai_addr, a->ai_addrlen);
		yes = poll(&p, 1, CONNECT_MS) == 1 &&
		    getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &size) == 0 && err == 0;
		close(fd);
	}
	if (all != NULL)
		freeaddrinfo(all);
	return yes;
}

/* "nats://user:password@host:4222" */
static void
look_at_nats(struct doctor *d, struct str url)
{
	char host[256], port[16];
	ptrdiff_t at;
	const char *why;

	for (at = (ptrdiff_t)url.n - 1; at >= 0 && url.p[at] != '/' && url.p[at] != '@';)
		at--;
	url = str_sub(url, (size_t)(at + 1), url.n);
	for (at = (ptrdiff_t)url.n - 1; at >= 0 && url.p[at] != ':';)
		at--;
	snprintf(host, sizeof host, "%.*s", FMT(at > 0 ? str_sub(url, 0, (size_t)at) : url));
	snprintf(port, sizeof port, "%.*s", FMT(at > 0 ? str_sub(url, (size_t)at + 1, url.n) :
	    S("4222")));
	if (connects(host, port, &why))
		doctor_find(d, DOCTOR_OK, "nats", "", "", "%s:%s takes connections", host, port);
	else
		doctor_find(d, DOCTOR_WARN, "nats", "nodes look for changes in PostgreSQL meanwhile, "
		    "and requests are not handed on", "is it running, and may this machine reach it?",
		    "%s:%s: %s", host, port, why);
}

/* ---- the collector --------------------------------------------------------------------------- */

static void
look_at_collector(struct doctor *d)
{
	struct str url = config_str(d->config, SETTING_OTEL_ENDPOINT), answer;
	struct buf lines = BUF(64 * KB);
	struct str rest, line;
	struct remote *r = NULL;
	struct err e = { 0 };
	long status = 0;
	int rc = remote_open_bare(&r, url, MB, &e);

	if (rc == OK)
		rc = tracing_add_headers(config_str(d->config, SETTING_OTEL_HEADERS), &lines, &e);
	rest = buf_str(&lines);
	while (rc == OK && rest.n > 0 && str_next(&rest, '\n', &line)) {
		ptrdiff_t colon = str_index(line, ':');
		char name[256];

		if (colon <= 0)
			continue;
		snprintf(name, sizeof name, "%.*s", FMT(str_sub(line, 0, (size_t)colon)));
		rc = remote_add_header(r, name, str_trim(str_sub(line, (size_t)colon + 1, line.n)),
		    &e);
	}
	buf_release(&lines);
	if (rc == OK)
		rc = remote_ask(r, "POST", str_ends(url, S("/v1/traces")) ? S("") : S("/v1/traces"),
		    S("{\"resourceSpans\":[]}"), ASK_NS, &status, &answer, &e);
	if (rc == OK && (status / 100 == 2 || status == 400 || status == 401 || status == 403))
		doctor_find(d, status / 100 == 2 ? DOCTOR_OK : DOCTOR_WARN, "traces", status / 100 ==
		    2 ? "" : "spans are lost", status / 100 == 2 ? "" : "correct otel.headers",
		    "%.*s answers %ld", FMT(url), status);
	else
		doctor_find(d, DOCTOR_WARN, "traces", "spans are lost; runs are not held up",
		    "is it OTLP over HTTP (port 4318), not gRPC (4317)?", "%.*s: %s", FMT(url),
		    rc != OK ? e.text : "it is no collector of OTLP over HTTP");
	remote_close(r);
}

void
doctor_net(struct doctor *d)
{
	struct str rest = config_str(d->config, SETTING_CLUSTER_NATS), one;

	look_at_model(d);
	if (config_store_is_server(d->config))
		look_at_postgres(d);
	while (rest.n > 0 && str_next(&rest, ',', &one))
		look_at_nats(d, str_trim(one));
	if (config_str(d->config, SETTING_OTEL_ENDPOINT).n > 0)
		look_at_collector(d);
}
