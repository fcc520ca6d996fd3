/*
 * pg_start.c - how a connection begins: libpq asks the system's resolver for the server's
 * name, which takes many seconds while the network is away.  So a thread does it, and who
 * needs the connection waits no longer than for an answer of the server.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/pg_priv.h"

struct pg_start {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	char *url, wait[24], name[64];
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

static void *
start_main(void *arg)
{
	struct pg_start *s = arg;
	const char *const keys[] = { "fallback_application_name", "tcp_user_timeout",
	    "keepalives_idle", "keepalives_interval", "client_encoding",
	    "target_session_attrs", "dbname", NULL };
	const char *const values[] = { s->name, s->wait, "1", "1", "UTF8", "read-write",
	    s->url, NULL };
	PGconn *c = pq.connectStartParams(keys, values, 1);
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
pg_start_begin(struct pg_start *before, const char *url, int64_t wait_ms)
{
	struct pg_start *s;
	pthread_condattr_t attr;

	if (before != NULL && !is_done(before))
		return before;
	pg_start_drop(before);
	s = mem_new(struct pg_start);
	s->url = mem_cstr(str_of(url));
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
