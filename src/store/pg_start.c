/*
 * pg_start.c - how a connection begins: libpq asks the system's resolver for the server's
 * name, which takes many seconds while the network is away.  So a thread does it, and who
 * needs the connection waits no longer than for an answer of the server.
 *
 * Of several hosts libpq takes the next when one refuses, but not when one says nothing, as
 * a machine without power does: its own limit is for callers who wait in it.  So each
 * attempt begins with another host than one that came to nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/pg_priv.h"

struct pg_start {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	char *url, wait[24], name[64];
	unsigned turn;
	PGconn *c;
	bool done, dropped;
};

static void
start_free(struct pg_start *s)
{
	if (s->c != NULL)
		pq.finish(s->c);
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->lock);
	free(s->url);
	free(s);
}

/* What lists the hosts, their addresses and their ports. */
static const char *const lists[] = { "host", "hostaddr", "port" };

static const char *
list_of(const PQconninfoOption *o, const char *key)
{
	while (o->keyword != NULL && strcmp(o->keyword, key) != 0)
		o++;
	return o->keyword == NULL ? NULL : o->val;
}

static unsigned
list_length(const char *list)
{
	unsigned n = 1;

	for (; list != NULL && *list != '\0'; list++)
		n += *list == ',';
	return n;
}

unsigned
pg_start_hosts(const char *url)
{
	PQconninfoOption *o = pq.conninfoParse(url, NULL);
	unsigned n = 1;

	for (size_t i = 0; o != NULL && i < COUNT(lists); i++) {
		unsigned these = list_length(list_of(o, lists[i]));

		n = these > n ? these : n;
	}
	pq.conninfoFree(o);
	return n;
}

/* a,b,c from its second on: b,c,a.  NULL: there is none. */
static char *
list_from(const char *list, unsigned turn)
{
	const char *at = list;
	size_t size;
	char *out;

	if (list == NULL)
		return NULL;
	for (unsigned i = turn % list_length(list); i > 0; i--)
		at = strchr(at, ',') + 1;
	size = strlen(list) + 2;
	out = mem_zero(size);
	if (at == list)
		snprintf(out, size, "%s", list);
	else
		snprintf(out, size, "%s,%.*s", at, (int)(at - list) - 1, list);
	return out;
}

/* What the server says beside, a connection's first words too, is not for stderr, where
 * libpq writes it. */
static void
no_notice(void *arg, const char *text)
{
	(void)arg, (void)text;
}

static PGconn *
connect_start(const struct pg_start *s)
{
	const char *keys[] = { "fallback_application_name", "tcp_user_timeout",
	    "keepalives_idle", "keepalives_interval", "client_encoding",
	    "target_session_attrs", "dbname", lists[0], lists[1], lists[2], NULL };
	const char *values[] = { s->name, s->wait, "1", "1", "UTF8", "read-write", s->url,
	    NULL, NULL, NULL, NULL };
	char *own[COUNT(lists)] = { NULL };
	PQconninfoOption *o = pq.conninfoParse(s->url, NULL);
	PGconn *c;

	/* What stands behind the URL counts before it; what is NULL does not count. */
	for (size_t i = 0; o != NULL && i < COUNT(lists); i++)
		values[7 + i] = own[i] = list_from(list_of(o, lists[i]), s->turn);
	c = pq.connectStartParams(keys, values, 1);
	if (c != NULL)
		pq.setNoticeProcessor(c, no_notice, NULL);
	pq.conninfoFree(o);
	for (size_t i = 0; i < COUNT(lists); i++)
		free(own[i]);
	return c;
}

static void *
start_main(void *arg)
{
	struct pg_start *s = arg;
	PGconn *c = connect_start(s);
	bool dropped;

	pthread_mutex_lock(&s->lock);
	s->c = c;
	s->done = true;
	dropped = s->dropped;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	if (dropped)
		start_free(s);
	return NULL;
}

static bool
is_done(struct pg_start *s)
{
	bool done;

	pthread_mutex_lock(&s->lock);
	done = s->done;
	pthread_mutex_unlock(&s->lock);
	return done;
}

struct pg_start *
pg_start_begin(struct pg_start *before, const char *url, unsigned turn, int64_t wait_ms)
{
	struct pg_start *s;
	pthread_condattr_t attr;

	if (before != NULL && !is_done(before))
		return before;
	pg_start_drop(before);
	s = mem_new(struct pg_start);
	s->url = mem_cstr(str_of(url));
	s->turn = turn;
	snprintf(s->wait, sizeof s->wait, "%lld", (long long)wait_ms);
	snprintf(s->name, sizeof s->name, "cohort %d", (int)getpid());
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->wake, &attr);
	pthread_condattr_destroy(&attr);
	if (pthread_create(&s->thread, NULL, start_main, s) == 0)
		return s;
	start_free(s);
	return NULL;
}

PGconn *
pg_start_take(struct pg_start *s, nsec until)
{
	struct timespec t = { until / NS_PER_S, until % NS_PER_S };
	PGconn *c;

	pthread_mutex_lock(&s->lock);
	while (!s->done && clock_mono() < until)
		pthread_cond_timedwait(&s->wake, &s->lock, &t);
	c = s->c;
	s->c = NULL;
	pthread_mutex_unlock(&s->lock);
	return c;
}

void
pg_start_drop(struct pg_start *s)
{
	pthread_t thread;
	bool done;

	if (s == NULL)
		return;
	pthread_mutex_lock(&s->lock);
	done = s->done;
	s->dropped = true;
	thread = s->thread;
	pthread_mutex_unlock(&s->lock);
	if (!done) {
		pthread_detach(thread);      /* it frees s */
		return;
	}
	pthread_join(thread, NULL);
	start_free(s);
}
