/*
 * sessions_hand.c - the floors: the same turns without an engine, on the event
 * loops and timers that the engine uses, or with a thread a session.
 *
 * hand             a timer a pause, a count a delta, 1 KB more state a turn
 * hand+transcript  and each request, answer and event appended to a file
 * hand+ckpt        and what a turn has changed appended to one file for all, which a
 *                  thread of its own syncs; sync: the next turn waits for it, else
 *                  only the end does
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "bench/sessions_priv.h"
#include "net/shard.h"

#define STARTS_TURN  1024
#define LOOK_MS      50
#define FILE_BYTES   (64 * KB)               /* of a transcript, before it is written */
#define PENDING_MAX  SIZE_MAX / 4
#define STACK_BYTES  (128 * KB)

struct floor;

struct hand {
	struct wheel_timer timer;
	struct bench_loop *loop;
	struct hand *next;                   /* waits for a commit, or is released */
	struct buf state;
	uint32_t number, seed;
	uint16_t turn, token;
};

struct bench_loop {
	struct floor *f;
	unsigned id;
	struct shard *shard;
	bool started;
	struct tally *tally;
	struct hand *hands;
	size_t n, next, open;
	struct shard_job job;
	struct wheel_timer arrival;
	struct buf transcript;
	int fd;                              /* of it; -1: none */
	struct shard_job released_job;
	struct hand *released;               /* under f->lock */
	bool over;                           /* under f->lock */
};

struct floor {
	struct sessions *s;
	struct bench_loop loop[SESSIONS_SHARDS];
	unsigned n;
	void (*delta)(struct hand *x, struct str token);
	bool transcript, commits, waits;     /* waits: for each turn's commit */
	pthread_mutex_t lock;
	pthread_cond_t changed, written, synced;
	struct buf pending;                  /* to be written */
	struct hand *pending_hands;
	uint64_t asked, done;                /* commits, in order; for threads */
	bool stop;
	int fd;
	pthread_t writer;
	bool writer_runs;
	struct err failed;
};

static void
count_delta(struct hand *x, struct str token)
{
	(void)token;
	sessions_burn(x->loop->f->s->o);
	x->loop->tally->deltas++;
}

/* Files. */

static void
transcript_flush(struct bench_loop *l)
{
	if (l->fd >= 0 && file_write(l->fd, buf_str(&l->transcript)) != OK)
		err_set(&l->tally->sample, ERR_IO, "the transcript: %s", strerror(errno));
	buf_clear(&l->transcript);
}

static void
transcript_add(struct hand *x)
{
	struct bench_loop *l = x->loop;
	struct buf *b = &l->transcript;

	json_add_fmt(b, "{'session':%u,'turn':%d,'request':{'model':'scripted:turn',"
	    "'prompt':'Turn %d.'},'answer':'", x->number, x->turn, x->turn + 1);
	for (int64_t i = 0; i < l->f->s->o->of.tokens; i++)
		buf_add(b, i > 0 ? S(" word") : S("word"));
	buf_lit(b, "\",\"event\":\"continue\",\"entered\":\"decide\"}\n");
	if (b->n >= FILE_BYTES)
		transcript_flush(l);
}

/* One for all: writes and syncs what has come, then releases those that wait. */
static void
release_hands(struct floor *f, struct hand *list)
{
	while (list != NULL) {
		struct hand *x = list;
		struct bench_loop *l = x->loop;
		bool first;

		list = x->next;
		pthread_mutex_lock(&f->lock);
		first = l->released == NULL;
		x->next = l->released;
		l->released = x;
		pthread_mutex_unlock(&f->lock);
		if (first)
			shard_post(l->shard, &l->released_job);
	}
}

static void *
writer_main(void *arg)
{
	struct floor *f = arg;
	struct buf own = BUF(PENDING_MAX);

	pthread_mutex_lock(&f->lock);
	while (!f->stop || f->pending.n > 0) {
		struct buf take = f->pending;
		struct hand *hands = f->pending_hands;
		uint64_t upto = f->asked;
		bool fine;

		if (take.n == 0) {
			pthread_cond_wait(&f->written, &f->lock);
			continue;
		}
		f->pending = own;
		f->pending_hands = NULL;
		pthread_mutex_unlock(&f->lock);
		fine = file_write(f->fd, buf_str(&take)) == OK && fdatasync(f->fd) == 0;
		f->s->fsyncs++;
		own = take;
		buf_clear(&own);
		release_hands(f, hands);
		pthread_mutex_lock(&f->lock);
		if (!fine && f->failed.code == OK)
			err_set(&f->failed, ERR_IO, "the file of turns: %s", strerror(errno));
		f->done = upto;
		pthread_cond_broadcast(&f->synced);
	}
	pthread_mutex_unlock(&f->lock);
	buf_release(&own);
	return NULL;
}

/* x NULL: nobody waits on a loop.  Returns the number to wait for. */
static uint64_t
commit_ask(struct floor *f, const struct hand *of, struct hand *x)
{
	struct str last = str_sub(buf_str(&of->state), of->state.n - STATE_STEP,
	    of->state.n);
	uint64_t number;

	pthread_mutex_lock(&f->lock);
	json_add_fmt(&f->pending, "{'session':%u,'n':%d,'added':%.*s}\n", of->number,
	    of->turn, FMT(last));
	if (x != NULL) {
		x->next = f->pending_hands;
		f->pending_hands = x;
	}
	number = ++f->asked;
	pthread_cond_signal(&f->written);
	pthread_mutex_unlock(&f->lock);
	return number;
}

/* A session's step, whoever waits between two. */

static void
state_begin(struct hand *x)
{
	const struct sessions_options *o = x->loop->f->s->o;

	x->state = BUF(PENDING_MAX);
	x->seed = x->number * 2654435761u + 1;
	for (int64_t i = 0; i < o->of.state_kb * 1024; i++)
		buf_add_char(&x->state, 's');
}

/* The event at the end of a turn. */
static void
state_step(struct hand *x)
{
	char more[STATE_STEP];

	memset(more, 'a', sizeof more);
	buf_add(&x->state, (struct str){ more, sizeof more });
	x->turn++;
	x->token = 0;
	if (x->loop->f->transcript)
		transcript_add(x);
}

static void
hand_over(struct hand *x)
{
	struct floor *f = x->loop->f;
	struct bench_loop *l = x->loop;

	tally_end(l->tally, sessions_due(f->s, x->number), f->failed.code, &f->failed);
	buf_release(&x->state);
	if (--l->open > 0)
		return;
	transcript_flush(l);
	pthread_mutex_lock(&f->lock);
	l->over = true;
	pthread_cond_signal(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

/* On loops. */

static void
pause_set(struct hand *x, msec pause)
{
	shard_timer_set(x->loop->shard, &x->timer,
	    sessions_pause(x->loop->f->s->o, pause, &x->seed));
}

/* Behind the one that has just fired. */
static void
pause_follow(struct hand *x, msec pause)
{
	shard_timer_follow(x->loop->shard, &x->timer,
	    sessions_pause(x->loop->f->s->o, pause, &x->seed));
}

static void
turn_next(struct hand *x)
{
	if (x->turn == x->loop->f->s->o->of.turns)
		hand_over(x);
	else
		pause_set(x, x->loop->f->s->o->of.ttft);
}

static void
turn_end(struct hand *x)
{
	struct floor *f = x->loop->f;
	bool last = x->turn + 1 == f->s->o->of.turns;

	state_step(x);
	atomic_fetch_add_explicit(&x->loop->tally->turns, 1, memory_order_relaxed);
	if (f->commits && (f->waits || last)) {
		commit_ask(f, x, x);
		return;
	}
	if (f->commits && strcmp(f->s->o->of.durability, "exit") != 0)
		commit_ask(f, x, NULL);
	turn_next(x);
}

static void
hand_fired(struct wheel_timer *t)
{
	struct hand *x = CONTAINER_OF(t, struct hand, timer);
	const struct sessions_options *o = x->loop->f->s->o;

	if (x->token == o->of.tokens) {
		turn_end(x);
		return;
	}
	x->token++;
	x->loop->f->delta(x, S(" word"));
	pause_follow(x, o->of.token_ms);
}

static void
loop_released(struct shard_job *job)
{
	struct bench_loop *l = CONTAINER_OF(job, struct bench_loop, released_job);
	struct hand *list;

	pthread_mutex_lock(&l->f->lock);
	list = l->released;
	l->released = NULL;
	pthread_mutex_unlock(&l->f->lock);
	while (list != NULL) {
		struct hand *x = list;

		list = x->next;
		turn_next(x);
	}
}

static void
loop_start(struct shard_job *job)
{
	struct bench_loop *l = CONTAINER_OF(job, struct bench_loop, job);
	const struct sessions *s = l->f->s;
	nsec now = clock_mono();

	for (size_t begun = 0; l->next < l->n; begun++) {
		struct hand *x = &l->hands[l->next];
		nsec due;

		x->loop = l;
		x->number = (uint32_t)(l->next * l->f->n + l->id);
		due = sessions_due(s, x->number);
		if (due > now) {
			shard_timer_set(l->shard, &l->arrival, (due - now) / NS_PER_MS + 1);
			return;
		}
		if (begun == STARTS_TURN) {
			shard_post(l->shard, &l->job);
			return;
		}
		l->next++;
		x->timer.fire = hand_fired;
		state_begin(x);
		turn_next(x);
	}
}

static void
loop_arrival(struct wheel_timer *t)
{
	loop_start(&CONTAINER_OF(t, struct bench_loop, arrival)->job);
}

/* With threads: the same, asleep. */

static void
sleep_until(nsec at)
{
	struct timespec t = { .tv_sec = at / NS_PER_S, .tv_nsec = at % NS_PER_S };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

static void
sleep_pause(struct hand *x, msec pause)
{
	sleep_until(clock_mono() + NS_PER_MS * sessions_pause(x->loop->f->s->o, pause,
	    &x->seed));
}

static void
commit_wait(struct floor *f, uint64_t number)
{
	pthread_mutex_lock(&f->lock);
	while (f->done < number)
		pthread_cond_wait(&f->synced, &f->lock);
	pthread_mutex_unlock(&f->lock);
}

/* Its tally is its own, so that nothing is shared but the file. */
static void *
thread_main(void *arg)
{
	struct hand *x = arg;
	struct floor *f = x->loop->f;
	const struct sessions_options *o = f->s->o;
	uint64_t number = 0;

	sleep_until(sessions_due(f->s, x->number));
	while (x->turn < o->of.turns) {
		sleep_pause(x, o->of.ttft);
		for (; x->token < o->of.tokens; x->token++) {
			f->delta(x, S(" word"));
			sleep_pause(x, o->of.token_ms);
		}
		state_step(x);
		atomic_fetch_add_explicit(&x->loop->tally->turns, 1, memory_order_relaxed);
		if (f->commits && (x->turn == o->of.turns || strcmp(o->of.durability, "exit") != 0))
			number = commit_ask(f, x, NULL);
		if (f->commits && (f->waits || x->turn == o->of.turns))
			commit_wait(f, number);
	}
	hand_over(x);
	return NULL;
}

/* Life. */

static int
files_open(struct floor *f, struct err *e)
{
	char path[WB_PATH + 32];

	for (unsigned i = 0; i < f->n; i++)
		f->loop[i].fd = -1;
	f->fd = -1;
	for (unsigned i = 0; f->transcript && i < f->n; i++) {
		snprintf(path, sizeof path, "%s/transcript-%u", f->s->scratch.root, i);
		f->loop[i].fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
		if (f->loop[i].fd < 0)
			return err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
	}
	if (!f->commits)
		return OK;
	snprintf(path, sizeof path, "%s/turns", f->s->scratch.root);
	f->fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (f->fd < 0)
		return err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
	f->writer_runs = pthread_create(&f->writer, NULL, writer_main, f) == 0;
	return f->writer_runs ? OK : err_set(e, ERR_LIMIT, "no thread for the writer");
}

static int
loop_open(struct floor *f, unsigned i, struct err *e)
{
	struct bench_loop *l = &f->loop[i];
	size_t c = (size_t)f->s->o->concurrency;

	l->f = f;
	l->id = i;
	l->tally = &f->s->tally[i];
	l->n = l->open = c / f->n + (i < c % f->n);
	l->over = l->n == 0;
	l->hands = mem_zero((l->n + 1) * sizeof *l->hands);
	l->transcript = BUF(PENDING_MAX);
	l->job.run = loop_start;
	l->arrival.fire = loop_arrival;
	l->released_job.run = loop_released;
	return f->s->threads ? OK : shard_new(&l->shard, i, e);
}

static void
floor_wait(struct floor *f, nsec end)
{
	struct timespec t;
	bool over = false;

	pthread_mutex_lock(&f->lock);
	while (!over && clock_mono() < end) {
		clock_gettime(CLOCK_REALTIME, &t);
		t.tv_nsec += LOOK_MS * NS_PER_MS;
		t.tv_sec += t.tv_nsec / NS_PER_S;
		t.tv_nsec %= NS_PER_S;
		pthread_cond_timedwait(&f->changed, &f->lock, &t);
		over = true;
		for (unsigned i = 0; i < f->n; i++)
			over = over && f->loop[i].over;
		pthread_mutex_unlock(&f->lock);
		sessions_look(f->s);
		pthread_mutex_lock(&f->lock);
	}
	pthread_mutex_unlock(&f->lock);
}

static int
drive_loops(struct floor *f, struct err *e)
{
	int rc = OK;

	for (unsigned i = 0; i < f->n && rc == OK; i++) {
		rc = shard_start(f->loop[i].shard, e);
		f->loop[i].started = rc == OK;
	}
	if (rc == OK) {
		sessions_begin(f->s);
		for (unsigned i = 0; i < f->n; i++)
			if (f->loop[i].n > 0)
				shard_post(f->loop[i].shard, &f->loop[i].job);
		floor_wait(f, f->s->began + f->s->o->of.timeout * NS_PER_MS);
		sessions_end(f->s);
	}
	for (unsigned i = 0; i < f->n; i++) {
		if (f->loop[i].started) {
			shard_stop(f->loop[i].shard);
			shard_join(f->loop[i].shard);
		}
		shard_free(f->loop[i].shard);
	}
	return rc;
}

/* A loop of one session each: so nothing of a loop is shared by two threads. */
static int
drive_threads(struct floor *f, struct err *e)
{
	size_t c = (size_t)f->s->o->concurrency, made = 0;
	pthread_t *threads = mem_zero(c * sizeof *threads);
	struct bench_loop *loops = mem_zero(c * sizeof *loops);
	struct hand *hands = mem_zero(c * sizeof *hands);
	pthread_attr_t attr;
	int rc = 0;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	sessions_begin(f->s);
	for (; made < c && rc == 0; made++) {
		struct bench_loop *l = &loops[made];

		*l = (struct bench_loop){ .f = f, .tally = &f->s->tally[made], .fd = -1,
		    .open = 1, .transcript = BUF(PENDING_MAX) };
		if (f->transcript)
			l->fd = f->loop[0].fd;
		hands[made] = (struct hand){ .loop = l, .number = (uint32_t)made };
		state_begin(&hands[made]);
		rc = pthread_create(&threads[made], &attr, thread_main, &hands[made]);
		if (made % 256 == 0)
			sessions_look(f->s);
	}
	made -= rc != 0;
	sessions_look(f->s);
	for (size_t i = 0; i < made; i++) {
		if (i % 64 == 0)
			sessions_look(f->s);
		pthread_join(threads[i], NULL);
		buf_release(&loops[i].transcript);
	}
	sessions_end(f->s);
	if (rc != 0) {
		f->s->tally[0].errors += c - made;
		err_set(&f->s->tally[0].sample, ERR_LIMIT, "threads: the %zuth could not be "
		    "made: %s", made + 1, strerror(rc));
	}
	(void)e;
	free(threads);
	free(loops);
	free(hands);
	return OK;
}

int
sessions_hand(struct sessions *s, struct err *e)
{
	struct floor *f = mem_new(struct floor);
	int rc;

	f->s = s;
	f->n = s->threads ? 1 : (unsigned)s->o->shards;
	f->delta = count_delta;
	f->transcript = strcmp(s->arm->name, "hand+transcript") == 0;
	f->commits = strcmp(s->arm->name, "hand+ckpt") == 0;
	f->waits = strcmp(s->o->of.durability, "sync") == 0;
	f->pending = BUF(PENDING_MAX);
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->changed, NULL);
	pthread_cond_init(&f->written, NULL);
	pthread_cond_init(&f->synced, NULL);
	sessions_tallies(s, s->threads ? (size_t)s->o->concurrency : f->n);
	rc = files_open(f, e);
	for (unsigned i = 0; i < f->n && rc == OK; i++)
		rc = loop_open(f, i, e);
	if (rc == OK)
		rc = s->threads ? drive_threads(f, e) : drive_loops(f, e);
	pthread_mutex_lock(&f->lock);
	f->stop = true;
	pthread_cond_signal(&f->written);
	pthread_mutex_unlock(&f->lock);
	if (f->writer_runs)
		pthread_join(f->writer, NULL);
	for (unsigned i = 0; i < f->n; i++) {
		free(f->loop[i].hands);
		buf_release(&f->loop[i].transcript);
		if (f->loop[i].fd >= 0)
			close(f->loop[i].fd);
	}
	if (f->fd >= 0)
		close(f->fd);
	buf_release(&f->pending);
	free(f);
	return rc;
}
