/*
 * knowledge_lanes.c - see knowledge_lanes.h: threads that take requests from one queue.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/knowledge_lanes.h"

#include <pthread.h>
#include <time.h>

#include "base/mem.h"
#include "main/pages.h"

#define LANES      8
#define QUEUE      256
#define ASK_NS     (120 * (nsec)NS_PER_S)    /* of one: an embedding model may be slow */
#define TRIES      6
#define PAUSE_MS   100                       /* before the second; doubles */
#define PATH       "/store/items"

struct request {
	const char *method;
	char *body;
	size_t n;
};

struct lane {
	struct lanes *all;
	struct remote *r;
	pthread_t thread;
	bool runs;
};

struct lanes {
	pthread_mutex_t lock;
	pthread_cond_t some, room;           /* requests wait; there is place, or all are done */
	struct request at[QUEUE];
	size_t first, n, busy;
	bool ends;
	int rc;
	struct err err;
	struct lane lane[LANES];
};

static void
pause_ms(int64_t ms)
{
	struct timespec t = { .tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) *
	    1000000 };

	(void)nanosleep(&t, NULL);
}

static int
send_one(struct remote *r, const struct request *q, struct err *e)
{
	struct json_doc d = { 0 };
	struct str answer;
	struct err why;
	long status = 503;
	int rc = OK;

	for (int try = 0; rc == OK && try < TRIES && (status == 503 || status == 429); try++) {
		if (try > 0)
			pause_ms(PAUSE_MS << (try - 1));
		rc = remote_ask(r, q->method, S(PATH), (struct str){ q->body, q->n }, ASK_NS,
		    &status, &answer, e);
	}
	if (rc != OK || status == 200 || status == 204)
		return rc;
	(void)json_parse(&d, answer, &why);
	rc = remote_refused(r, status, d.root, "", e);
	json_release(&d);
	return rc;
}

static void *
lane_run(void *ctx)
{
	struct lane *lane = ctx;
	struct lanes *s = lane->all;

	pthread_mutex_lock(&s->lock);
	for (;;) {
		struct request q;
		struct err e = { 0 };
		int rc = OK;

		while (s->n == 0 && !s->ends)
			pthread_cond_wait(&s->some, &s->lock);
		if (s->n == 0)
			break;
		q = s->at[s->first];
		s->first = (s->first + 1) % QUEUE;
		s->n--;
		s->busy++;
		pthread_cond_broadcast(&s->room);
		if (s->rc == OK) {
			pthread_mutex_unlock(&s->lock);
			rc = send_one(lane->r, &q, &e);
			pthread_mutex_lock(&s->lock);
		}
		free(q.body);
		s->busy--;
		if (rc != OK && s->rc == OK) {
			s->rc = rc;
			s->err = e;
		}
		pthread_cond_broadcast(&s->room);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

int
lanes_open(struct lanes **out, const struct flag_line *line, struct err *e)
{
	struct lanes *s = mem_new(struct lanes);
	int rc = OK;

	*out = s;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->some, NULL);
	pthread_cond_init(&s->room, NULL);
	for (size_t i = 0; rc == OK && i < LANES; i++) {
		s->lane[i].all = s;
		rc = remote_open_line(&s->lane[i].r, line, e);
	}
	for (size_t i = 0; rc == OK && i < LANES; i++) {
		s->lane[i].runs = pthread_create(&s->lane[i].thread, NULL, lane_run,
		    &s->lane[i]) == 0;
		if (!s->lane[i].runs)
			rc = err_set(e, ERR_IO, "cannot start a thread");
	}
	if (rc != OK) {
		lanes_close(s);
		*out = NULL;
	}
	return rc;
}

void
lanes_close(struct lanes *s)
{
	if (s == NULL)
		return;
	pthread_mutex_lock(&s->lock);
	s->ends = true;
	pthread_cond_broadcast(&s->some);
	pthread_mutex_unlock(&s->lock);
	for (size_t i = 0; i < LANES; i++) {
		if (s->lane[i].runs)
			pthread_join(s->lane[i].thread, NULL);
		remote_close(s->lane[i].r);
	}
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->some);
	pthread_cond_destroy(&s->room);
	free(s);
}

void
lanes_send(struct lanes *s, const char *method, struct str body)
{
	struct request q = { .method = method, .body = mem_cstr(body), .n = body.n };

	pthread_mutex_lock(&s->lock);
	while (s->n == QUEUE)
		pthread_cond_wait(&s->room, &s->lock);
	s->at[(s->first + s->n++) % QUEUE] = q;
	pthread_cond_signal(&s->some);
	pthread_mutex_unlock(&s->lock);
}

int
lanes_wait(struct lanes *s, struct err *e)
{
	int rc;

	pthread_mutex_lock(&s->lock);
	while (s->n > 0 || s->busy > 0)
		pthread_cond_wait(&s->room, &s->lock);
	rc = s->rc;
	if (rc != OK)
		*e = s->err;
	pthread_mutex_unlock(&s->lock);
	return rc;
}
