/*
 * shard.c - a libuv loop, one wheel, one mailbox.
 *
 * A turn is: events of one poll, closing callbacks, due timers, then the
 * prepare callback below, which empties the mailbox and runs the turn-end
 * jobs before the loop sleeps.  It is started first, and libuv runs prepare
 * callbacks last-started-first, so it sees what other rooms' prepare
 * callbacks did.
 *
 * The mailbox is a stack that producers push with one compare-and-swap and
 * the shard takes whole and turns around: order is kept, and only the push
 * onto an empty stack has to wake the loop, so a burst costs one write.  The
 * shard's own posts never wake: it empties the mailbox before it sleeps.
 *
 * The wake-up is an eventfd of our own, not a uv_async: libuv 1.44 receives one
 * by spinning until its sender has left uv_async_send, and the sender, which
 * just made us runnable, is often not running.  That burnt 50 us a spin.
 *
 * One uv_timer stands for the whole wheel.  It is armed to the wheel's next
 * tick and stopped when the wheel is empty: an idle shard does not wake.
 *
 * After a pause (the process was stopped, the machine slept, a job took long)
 * timers are due that bytes would have put off, and those bytes may wait in
 * the sockets.  libuv would run the timers first; so a timer that is late lets
 * the loop poll once before the wheel turns.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/shard.h"
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <uv.h>

/* Turn-end jobs may set more of them; past this many rounds the loop polls
 * once, so that a chain that never ends cannot starve the sockets. */
#define ROUNDS_MAX 32

/* libuv takes up to 48 times 1,024 events a turn.  What thousands of models
 * said in one turn would all be in memory before the first byte of it left. */
#define EVENTS_MAX 32

#define LATE_MS 50                           /* a loop that is busy is not as late */

/* Clocks of this turn, read when first asked for: both, so that a timer for a time of day is
 * not early by what the turn took until then. */
struct clocks {
	nsec now;
	msec wall;
	bool known;
};

enum lateness { ON_TIME, LATE, LATE_POLLED };

#define SHARD_MARK 0x73686172u

struct shard {
	unsigned mark;
	uv_loop_t loop;
	uv_timer_t timer;
	uv_prepare_t prepare;
	uv_poll_t bell;                      /* of bell_fd */
	int bell_fd;
	struct wheel wheel;
	int64_t armed;                       /* tick of the uv_timer, or NEVER */
	enum lateness late;
	struct clocks *clocks;               /* &own_clocks: getters are const */
	struct clocks own_clocks;
	struct shard_job *turn, **turn_end;  /* jobs for the end of this turn */
	unsigned id, events;                 /* events: since jobs last ran */
	bool started;
	pthread_t thread;
	char apart[64];                      /* other threads write what follows */
	_Atomic(struct shard_job *) inbox;
	atomic_bool stopping;
};

static _Thread_local struct shard *current;

/* Ends a list of turn-end jobs; so `next == NULL` means "not queued". */
static struct shard_job last;

/* True at every door of the shard's own thread. */
static void
check_shard(const struct shard *s)
{
	CHECK_MARK(s, SHARD_MARK);
	assert(current == s || current == NULL);     /* no other shard's */
	assert(*s->turn_end == &last && (s->turn == &last) == (s->turn_end == &s->turn));
	assert(s->late <= LATE_POLLED && s->events < EVENTS_MAX);
}

bool
shard_is_current(const struct shard *s)
{
	return current == s;
}

struct uv_loop_s *
shard_loop(struct shard *s)
{
	return &s->loop;
}

unsigned
shard_id(const struct shard *s)
{
	return s->id;
}

static const struct clocks *
clocks_of(const struct shard *s)
{
	struct clocks *c = s->clocks;

	if (!c->known)
		*c = (struct clocks){ clock_mono(), clock_wall_ms(), true };
	return c;
}

nsec
shard_now(const struct shard *s)
{
	return clocks_of(s)->now;
}

msec
shard_wall(const struct shard *s)
{
	return clocks_of(s)->wall;
}

void
shard_refresh(struct shard *s)
{
	s->clocks->known = false;
	uv_update_time(&s->loop);
}

/* Any thread, and signal handlers.  Fails only when the count is at its top:
 * then it is ringing. */
static void
ring(struct shard *s)
{
	const uint64_t one = 1;
	ssize_t n = write(s->bell_fd, &one, sizeof one);

	assert(n == (ssize_t)sizeof one || errno == EAGAIN);
}

/* Timers. */

void
shard_timer_set(struct shard *s, struct wheel_timer *t, msec delay_ms)
{
	int64_t now_ms = (shard_now(s) + NS_PER_MS - 1) / NS_PER_MS;

	check_shard(s);
	assert(delay_ms >= 0);
	wheel_set(&s->wheel, t, now_ms + delay_ms);
}

/* More than rounding: the loop was late, and a pause begins when it was asked for. */
#define LATE_TICKS 2

void
shard_timer_follow(struct shard *s, struct wheel_timer *t, msec delay_ms)
{
	int64_t now_ms = (shard_now(s) + NS_PER_MS - 1) / NS_PER_MS;

	check_shard(s);
	assert(delay_ms >= 0 && !wheel_armed(t));
	wheel_set(&s->wheel, t, (now_ms - t->due > LATE_TICKS ? now_ms : t->due) +
	    delay_ms);
}

void
shard_timer_cancel(struct shard *s, struct wheel_timer *t)
{
	check_shard(s);
	wheel_cancel(&s->wheel, t);
}

/* Tick of the next thing to do. */
static int64_t
next_tick(struct shard *s)
{
	int64_t next = wheel_next(&s->wheel);
	nsec due = log_due();

	if (due != NEVER && due / NS_PER_MS < next)
		next = due / NS_PER_MS + 1;
	return next;
}

static void
turn_wheel(struct shard *s)
{
	wheel_advance(&s->wheel, shard_now(s) / NS_PER_MS);
	log_flush(shard_now(s));
}

static void
on_timer(uv_timer_t *timer)
{
	struct shard *s = timer->data;
	int64_t due = s->armed;

	s->armed = NEVER;
	shard_refresh(s);
	if (shard_now(s) / NS_PER_MS - due > LATE_MS)
		s->late = LATE;
	else
		turn_wheel(s);
}

/* Before the loop polls: once so that the poll does not wait, then, when it has
 * heard what there was, for the timers. */
static void
catch_up(struct shard *s)
{
	if (s->late == LATE) {
		s->late = LATE_POLLED;
		ring(s);
	} else if (s->late == LATE_POLLED) {
		s->late = ON_TIME;
		shard_refresh(s);
		turn_wheel(s);
	}
}

static void
arm(struct shard *s)
{
	int64_t next = next_tick(s), wait;

	if (s->late != ON_TIME)
		return;

	if (next == s->armed)
		return;
	s->armed = next;
	if (next == NEVER) {
		uv_timer_stop(&s->timer);
		return;
	}
	uv_update_time(&s->loop);
	wait = next - clock_mono() / NS_PER_MS;
	uv_timer_start(&s->timer, on_timer, wait > 0 ? (uint64_t)wait : 0, 0);
}

/* Jobs. */

void
shard_post(struct shard *s, struct shard_job *job)
{
	struct shard_job *top = atomic_load_explicit(&s->inbox, memory_order_relaxed);

	CHECK_MARK(s, SHARD_MARK);
	assert(job->run != NULL);
	do
		job->next = top;
	while (!atomic_compare_exchange_weak_explicit(&s->inbox, &top, job,
	    memory_order_release, memory_order_relaxed));
	if (top == NULL && current != s)
		ring(s);
}

/* Runs what was posted so far; false when there was nothing. */
static bool
drain_inbox(struct shard *s)
{
	struct shard_job *top, *list = NULL;

	if (atomic_load_explicit(&s->inbox, memory_order_relaxed) == NULL)
		return false;
	top = atomic_exchange_explicit(&s->inbox, NULL, memory_order_acquire);
	while (top != NULL) {
		struct shard_job *next = top->next;

		top->next = list;
		list = top;
		top = next;
	}
	while (list != NULL) {
		struct shard_job *job = list;

		list = job->next;
		job->next = NULL;
		job->run(job);
	}
	return true;
}

void
shard_at_turn_end(struct shard *s, struct shard_job *job)
{
	check_shard(s);
	assert(job->run != NULL);
	if (job->next != NULL)
		return;
	job->next = &last;
	*s->turn_end = job;
	s->turn_end = &job->next;
}

static bool
run_turn_jobs(struct shard *s)
{
	struct shard_job *list = s->turn;

	if (list == &last)
		return false;
	s->turn = &last;
	s->turn_end = &s->turn;
	while (list != &last) {
		struct shard_job *job = list;

		list = job->next;
		job->next = NULL;
		job->run(job);
	}
	return true;
}

void
shard_event_done(struct shard *s)
{
	check_shard(s);
	if (++s->events < EVENTS_MAX)
		return;
	s->events = 0;
	run_turn_jobs(s);
	s->clocks->known = false;
}

static bool
end_turn(struct shard *s)
{
	check_shard(s);
	s->events = 0;
	for (int i = 0; i < ROUNDS_MAX; i++) {
		bool posted = drain_inbox(s), ended = run_turn_jobs(s);

		if (!posted && !ended)
			return true;
	}
	return false;
}

static void
on_prepare(uv_prepare_t *prepare)
{
	struct shard *s = prepare->data;

	catch_up(s);
	if (!end_turn(s))
		ring(s);
	arm(s);
	s->clocks->known = false;
}

/* Silenced before the mailbox is taken: what comes in between rings again.  A
 * read that fails leaves it ringing, and we come again. */
static void
on_bell(uv_poll_t *bell, int status, int events)
{
	struct shard *s = bell->data;
	uint64_t count;

	assert(status == 0);
	(void)events;
	if (read(s->bell_fd, &count, sizeof count) < 0 && errno != EAGAIN)
		log_warn("net", "bell", "shard=%u reason=%s", s->id, strerror(errno));
	drain_inbox(s);
	if (atomic_load_explicit(&s->stopping, memory_order_acquire))
		uv_stop(&s->loop);
}

/* Life. */

static int
bell_open(struct shard *s)
{
	int rc;

	s->bell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->bell_fd < 0)
		return uv_translate_sys_error(errno);
	rc = uv_poll_init(&s->loop, &s->bell, s->bell_fd);
	if (rc == 0)
		rc = uv_poll_start(&s->bell, UV_READABLE, on_bell);
	if (rc < 0)
		close(s->bell_fd);
	return rc;
}

int
shard_new(struct shard **out, unsigned id, struct err *e)
{
	struct shard *s = mem_zero(sizeof *s);
	int rc = uv_loop_init(&s->loop);

	*out = NULL;
	if (rc == 0) {
		rc = bell_open(s);
		if (rc < 0)
			uv_loop_close(&s->loop);
	}
	if (rc < 0) {
		free(s);
		return err_set(e, ERR_IO, "event loop: %s", uv_strerror(rc));
	}
	/* A peer that closes is an error code here, never a signal. */
	signal(SIGPIPE, SIG_IGN);
	s->mark = SHARD_MARK;
	uv_timer_init(&s->loop, &s->timer);
	uv_prepare_init(&s->loop, &s->prepare);
	uv_prepare_start(&s->prepare, on_prepare);
	s->timer.data = s->prepare.data = s->bell.data = s;
	s->id = id;
	s->armed = NEVER;
	s->clocks = &s->own_clocks;
	s->turn = &last;
	s->turn_end = &s->turn;
	atomic_init(&s->inbox, NULL);
	atomic_init(&s->stopping, false);
	wheel_init(&s->wheel, clock_mono() / NS_PER_MS);
	*out = s;
	return OK;
}

/* A handle still open here would be waited for in vain. */
static void
check_closing(uv_handle_t *h, void *ctx)
{
	(void)ctx;
	/* A child that was killed closes its handle when it has exited. */
	assert(uv_is_closing(h) || h->type == UV_PROCESS);
}

void
shard_free(struct shard *s)
{
	int rc;

	if (s == NULL)
		return;
	check_shard(s);
	assert(!s->started);
	uv_close((uv_handle_t *)&s->timer, NULL);
	uv_close((uv_handle_t *)&s->prepare, NULL);
	uv_close((uv_handle_t *)&s->bell, NULL);
	uv_run(&s->loop, UV_RUN_NOWAIT);     /* closing may close more */
	uv_walk(&s->loop, check_closing, NULL);
	uv_run(&s->loop, UV_RUN_DEFAULT);    /* look-ups under way end here */
	rc = uv_loop_close(&s->loop);
	assert(rc == 0);
	(void)rc;
	close(s->bell_fd);
	CHECK_END(s);
	free(s);
}

int
shard_run(struct shard *s)
{
	assert(current == NULL);
	current = s;
	while (!atomic_load_explicit(&s->stopping, memory_order_acquire))
		uv_run(&s->loop, UV_RUN_DEFAULT);
	/* What was posted before the stop still runs. */
	end_turn(s);
	current = NULL;
	return OK;
}

void
shard_turn(struct shard *s)
{
	assert(current == NULL && !s->started);
	current = s;
	uv_run(&s->loop, UV_RUN_ONCE);
	/* A job of the last callback's may be what the caller waits for. */
	if (!end_turn(s))
		ring(s);
	current = NULL;
}

static void *
thread_main(void *arg)
{
	shard_run(arg);
	return NULL;
}

/* The thread takes no signals: they belong to the main thread. */
int
shard_start(struct shard *s, struct err *e)
{
	sigset_t all, old;
	char name[16];
	int rc;

	assert(!s->started);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&s->thread, NULL, thread_main, s);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc != 0)
		return err_set(e, ERR_IO, "thread of shard %u: %s", s->id, strerror(rc));
	snprintf(name, sizeof name, "shard-%u", s->id);
	pthread_setname_np(s->thread, name);
	s->started = true;
	return OK;
}

void
shard_join(struct shard *s)
{
	if (!s->started)
		return;
	pthread_join(s->thread, NULL);
	s->started = false;
}

void
shard_stop(struct shard *s)
{
	atomic_store_explicit(&s->stopping, true, memory_order_release);
	ring(s);
}
