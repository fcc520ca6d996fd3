/*
 * eval_run.c - see eval_run.h.
 *
 * Each thread takes the next run, and hands back its line of JSON.  A byte in a pipe
 * tells the main thread of a line, of a thread's end or of a signal.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/eval_run.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#define LINE_BYTES_MAX (16 * (size_t)LIMIT_EVAL_OUTPUT_BYTES)

struct line { struct line *next; size_t order; struct buf text; };

struct jobs {
	const struct eval_plan *p;
	const struct eval_result *r;         /* its head, which does not change */
	size_t all;                          /* runs */
	atomic_size_t next;
	atomic_bool stop;                    /* nothing is begun any more */
	pthread_mutex_t mutex;               /* of the fields below, and of opening places */
	struct line *lines;
	int rc;                              /* of the first place that could not be opened */
	struct err e;
	int pipe[2];
};

/* ---- signals --------------------------------------------------------------------------- */

static volatile sig_atomic_t signal_pipe = -1;

static void
on_signal(int number)
{
	int saved = errno;
	ssize_t n = write(signal_pipe, "s", 1);

	(void)number;
	(void)n;
	errno = saved;
}

/* ---- a thread ----------------------------------------------------------------------------- */

static void
tell(struct jobs *j, char what)
{
	ssize_t n;

	do
		n = write(j->pipe[1], &what, 1);
	while (n < 0 && errno == EINTR);
}

static void
work(struct jobs *j, struct eval_place *x)
{
	size_t at;

	while (!atomic_load(&j->stop) && (at = atomic_fetch_add(&j->next, 1)) < j->all) {
		size_t repeat = (size_t)j->r->repeat;
		struct line *l = mem_new(struct line);

		l->order = at;
		l->text = BUF(LINE_BYTES_MAX);
		eval_place_run(x, j->r, &j->p->cases->at[j->p->chosen[at / repeat]],
		    (int64_t)(at % repeat) + 1, &l->text);
		pthread_mutex_lock(&j->mutex);
		l->next = j->lines;
		j->lines = l;
		pthread_mutex_unlock(&j->mutex);
		tell(j, 'l');
	}
}

static void *
thread_main(void *ctx)
{
	struct jobs *j = ctx;
	struct eval_place x;
	struct err e = { 0 };
	int rc;

	/* Settings and libraries are set up by one thread at a time. */
	pthread_mutex_lock(&j->mutex);
	rc = eval_place_open(&x, j->p, &e);
	if (rc != OK && j->rc == OK) {
		j->rc = rc;
		j->e = e;
	}
	pthread_mutex_unlock(&j->mutex);
	if (rc == OK) {
		work(j, &x);
		pthread_mutex_lock(&j->mutex);
		eval_place_close(&x);
		pthread_mutex_unlock(&j->mutex);
	} else {
		atomic_store(&j->stop, true);
	}
	tell(j, 'e');
	return NULL;
}

/* ---- the main thread ------------------------------------------------------------------------ */

static int
take_lines(struct jobs *j, struct eval_result *r, struct err *e)
{
	struct line *lines, *l;
	int rc = OK;

	pthread_mutex_lock(&j->mutex);
	lines = j->lines;
	j->lines = NULL;
	pthread_mutex_unlock(&j->mutex);
	while ((l = lines) != NULL) {
		lines = l->next;
		if (rc == OK)
			rc = l->text.failed ? err_set(e, ERR_TOOBIG, "a run's line is too long") :
			    eval_result_add_row(r, buf_str(&l->text), l->order, e);
		if (rc == OK && j->p->progress != NULL)
			j->p->progress(j->p->ctx, r, j->all);
		buf_release(&l->text);
		free(l);
	}
	return rc;
}

/* Until so many threads have ended.  ERR_CANCELLED: a signal. */
static int
wait_all(struct jobs *j, struct eval_result *r, size_t threads, struct err *e)
{
	char what;
	int rc = OK;

	while (threads > 0 && rc == OK) {
		ssize_t n = read(j->pipe[0], &what, 1);

		if (n < 0 && errno == EINTR)
			continue;
		rc = take_lines(j, r, e);
		if (n == 1 && what == 's')
			rc = ERR_CANCELLED;
		threads -= n == 1 && what == 'e';
	}
	return rc;
}

/* Threads take no signals. */
static size_t
start(struct jobs *j, pthread_t *threads, size_t n, struct err *e)
{
	sigset_t all, old;
	size_t at = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (at < n && pthread_create(&threads[at], NULL, thread_main, j) == 0)
		at++;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (at == 0)
		err_set(e, ERR_IO, "no thread could be made: %s", strerror(errno));
	return at;
}

int
eval_run(const struct eval_plan *p, struct eval_result *r, struct err *e)
{
	struct jobs *j = mem_new(struct jobs);       /* threads may outlive a cancelled call */
	const struct sigaction act = { .sa_handler = on_signal };
	pthread_t threads[LIMIT_EVAL_JOBS];
	struct sigaction old[2];
	size_t n;
	int rc;

	j->p = p;
	j->r = r;
	j->all = p->chosen_n * (size_t)r->repeat;
	pthread_mutex_init(&j->mutex, NULL);
	if (pipe2(j->pipe, O_CLOEXEC) != 0) {
		free(j);
		return err_set(e, ERR_IO, "pipe: %s", strerror(errno));
	}
	signal_pipe = j->pipe[1];
	sigaction(SIGINT, &act, &old[0]);
	sigaction(SIGTERM, &act, &old[1]);
	n = start(j, threads, (size_t)p->jobs < j->all ? (size_t)p->jobs : j->all, e);
	rc = n == 0 ? ERR_IO : wait_all(j, r, n, e);
	sigaction(SIGINT, &old[0], NULL);
	sigaction(SIGTERM, &old[1], NULL);
	if (rc != OK && n > 0) {
		r->partial = true;
		atomic_store(&j->stop, true);
		return rc;
	}
	for (size_t i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	if (rc == OK && j->rc != OK) {
		*e = j->e;
		rc = j->rc;
	}
	close(j->pipe[0]);
	close(j->pipe[1]);
	pthread_mutex_destroy(&j->mutex);
	free(j);
	return rc;
}

int
eval_plan_check(const struct eval_plan *p, struct eval_result *r, struct err *e)
{
	struct eval_place x;
	int rc = eval_place_open(&x, p, e);

	if (rc != OK)
		return rc;
	r->model = p->url.n > 0 ? STR_NONE : eval_result_text(r, buf_str(&x.room.model));
	if (x.file.agent != NULL)
		r->agent_hash = eval_result_text(r, (struct str){ x.file.agent->hash,
		    sizeof x.file.agent->hash });
	for (size_t i = 0; i < p->v->scorers_n && rc == OK; i++)
		if (p->v->scorer[i].kind == EVAL_JUDGE) {
			rc = llm_check(x.room.llm, p->v->scorer[i].judge.model, STR_NONE, e);
			if (rc != OK) {
				struct err why = *e;

				err_set(e, rc, "scorer %.*s: %s", FMT(p->v->scorer[i].name), why.text);
			}
		}
	eval_place_close(&x);
	return rc;
}
