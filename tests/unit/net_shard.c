/*
 * net_shard.c - jobs, timers and turns of the event loop.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "base/mem.h"
#include "net/shard.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <uv.h>

#define PRODUCERS 4
#define JOBS      20000

static struct shard *s;

static void
start(void)
{
	CHECK_RC(shard_new(&s, 3, NULL), OK);
}

/* Many threads post; each thread's jobs must run in its order, none lost. */

struct numbered {
	struct shard_job job;
	unsigned producer, number;
};

static unsigned seen[PRODUCERS], total;

static void
run_numbered(struct shard_job *job)
{
	struct numbered *n = CONTAINER_OF(job, struct numbered, job);

	CHECK(shard_is_current(s));
	CHECK_INT(n->number, seen[n->producer]);
	seen[n->producer]++;
	if (++total == PRODUCERS * JOBS)
		shard_stop(s);
}

static void *
produce(void *arg)
{
	struct numbered *list = arg;

	CHECK(!shard_is_current(s));
	for (unsigned i = 0; i < JOBS; i++)
		shard_post(s, &list[i].job);
	return NULL;
}

TEST(shard_runs_posted_jobs_in_order)
{
	struct numbered *jobs = mem_zero(PRODUCERS * JOBS * sizeof *jobs);
	pthread_t threads[PRODUCERS];

	start();
	CHECK_RC(shard_start(s, NULL), OK);
	for (unsigned p = 0; p < PRODUCERS; p++) {
		for (unsigned i = 0; i < JOBS; i++)
			jobs[p * JOBS + i] = (struct numbered){ { .run = run_numbered }, p, i };
		CHECK(pthread_create(&threads[p], NULL, produce, &jobs[p * JOBS]) == 0);
	}
	for (unsigned p = 0; p < PRODUCERS; p++)
		pthread_join(threads[p], NULL);
	shard_join(s);
	CHECK_INT(total, PRODUCERS * JOBS);
	shard_free(s);
	free(jobs);
}

/* Turns. */

static char order[64];

static void
mark(char ch)
{
	order[strlen(order)] = ch;
}

static void run_end_b(struct shard_job *job);
static struct shard_job end_a, end_b = { .run = run_end_b }, own_post;

static void
run_end_a(struct shard_job *job)
{
	(void)job;
	mark('a');
	shard_at_turn_end(s, &end_b);        /* still this turn */
}

static void
run_end_b(struct shard_job *job)
{
	(void)job;
	mark('b');
	shard_post(s, &own_post);            /* no other thread will wake us */
}

static void
run_own_post(struct shard_job *job)
{
	(void)job;
	mark('p');
	shard_stop(s);
}

static void
run_first(struct shard_job *job)
{
	(void)job;
	mark('1');
	shard_at_turn_end(s, &end_a);
	shard_at_turn_end(s, &end_a);        /* already queued: once */
	mark('2');
}

TEST(shard_ends_a_turn_after_its_jobs)
{
	struct shard_job first = { .run = run_first };

	start();
	end_a.run = run_end_a;
	own_post.run = run_own_post;
	shard_post(s, &first);
	CHECK_RC(shard_run(s), OK);
	CHECK_STR(str_of(order), "12abp");
	shard_free(s);
}

/* Goal: one turn at a time on a thread without a shard: it hears what others
 * post, and a job that the turn's last callback posts needs no other turn. */

static struct wheel_timer soon;

static void
run_marked(struct shard_job *job)
{
	(void)job;
	CHECK(shard_is_current(s));
	mark('p');
}

static void
post_own(struct wheel_timer *t)
{
	(void)t;
	mark('t');
	shard_post(s, &own_post);
}

static void *
post_from_afar(void *arg)
{
	shard_post(s, arg);
	return NULL;
}

TEST(shard_turns_one_at_a_time)
{
	struct shard_job job = { .run = run_marked };
	pthread_t thread;

	start();
	CHECK(pthread_create(&thread, NULL, post_from_afar, &job) == 0);
	while (order[0] == '\0')
		shard_turn(s);
	pthread_join(thread, NULL);
	CHECK(!shard_is_current(s));
	own_post.run = run_marked;
	soon.fire = post_own;
	shard_timer_set(s, &soon, 5);
	while (strlen(order) < 3)
		shard_turn(s);
	CHECK_STR(str_of(order), "ptp");
	shard_free(s);
}

/* A turn of very many events must not keep all they gave to send until it is
 * over: its jobs run in between as well. */

static unsigned early_runs;

static void
count_early(struct shard_job *job)
{
	(void)job;
	early_runs++;
}

TEST(shard_runs_turn_jobs_early_in_a_long_turn)
{
	struct shard_job job = { .run = count_early };
	unsigned events = 0;

	start();
	for (; early_runs < 3 && events < 10000; events++) {
		shard_at_turn_end(s, &job);
		shard_event_done(s);
	}
	CHECK_INT(early_runs, 3);
	CHECK(events > 3);                   /* a short turn keeps its batch */
	shard_free(s);
}

/* Jobs that set each other for ever must not keep the loop from polling. */

static unsigned rounds;
static struct shard_job again;

static void
run_again(struct shard_job *job)
{
	rounds++;
	shard_at_turn_end(s, job);
}

static void
stop_by_timer(struct wheel_timer *t)
{
	(void)t;
	shard_stop(s);
}

TEST(shard_timers_fire_beside_endless_turn_jobs)
{
	struct wheel_timer t = { .fire = stop_by_timer };

	start();
	again.run = run_again;
	shard_at_turn_end(s, &again);
	shard_timer_set(s, &t, 2);
	CHECK_RC(shard_run(s), OK);
	CHECK(rounds > 1);
	again.run = NULL;
	shard_free(s);
}

/* Timers. */

static nsec fired_at;

static void
note_fired(struct wheel_timer *t)
{
	(void)t;
	fired_at = clock_mono();
	shard_stop(s);
}

TEST(shard_timer_is_never_early)
{
	struct wheel_timer t = { .fire = note_fired };
	nsec set_at;

	start();
	set_at = clock_mono();
	shard_timer_set(s, &t, 5);
	CHECK_RC(shard_run(s), OK);
	CHECK(fired_at - set_at >= 5 * NS_PER_MS);
	shard_free(s);
}

static void
fail_timer(struct wheel_timer *t)
{
	(void)t;
	test_fail(__FILE__, __LINE__, "a cancelled timer fired");
}

TEST(shard_timer_can_be_cancelled)
{
	struct wheel_timer t = { .fire = fail_timer }, u = { .fire = note_fired };

	start();
	shard_timer_set(s, &t, 1);
	shard_timer_set(s, &u, 3);
	shard_timer_cancel(s, &t);
	CHECK_RC(shard_run(s), OK);
	shard_free(s);
}

/* An idle shard sleeps: with a timer far off, it wakes a handful of times. */

static void
read_usage(struct wheel_timer *t)
{
	struct rusage u;

	(void)t;
	CHECK(getrusage(RUSAGE_THREAD, &u) == 0);
	CHECK(u.ru_nvcsw < 40);
	shard_stop(s);
}

TEST(shard_sleeps_when_nothing_is_due)
{
	struct wheel_timer far = { .fire = fail_timer }, near = { .fire = read_usage };

	start();
	shard_timer_set(s, &far, 75000);
	shard_timer_set(s, &near, 100);
	CHECK_RC(shard_run(s), OK);
	shard_free(s);
}

/* Time is one number through a turn. */

static void
check_clock(struct shard_job *job)
{
	nsec now = shard_now(s);
	msec wall = clock_wall_ms();

	(void)job;
	while (clock_wall_ms() < wall + 2)
		;
	CHECK(shard_now(s) == now);
	CHECK(shard_wall(s) <= wall);        /* of the same moment */
	shard_refresh(s);
	CHECK(shard_now(s) > now);
	CHECK(shard_wall(s) > 1000);
	CHECK_INT(shard_id(s), 3);
	shard_stop(s);
}

TEST(shard_reads_the_clock_once_a_turn)
{
	struct shard_job job = { .run = check_clock };

	start();
	shard_post(s, &job);
	CHECK_RC(shard_run(s), OK);
	shard_free(s);
}

TEST(shard_stopped_before_it_runs_ends_at_once)
{
	start();
	shard_stop(s);
	CHECK_RC(shard_run(s), OK);
	shard_free(s);
}

static void
stop_now(struct shard_job *job)
{
	(void)job;
	mark('x');
	shard_stop(s);
}

static void
run_last(struct shard_job *job)
{
	(void)job;
	mark('y');
}

TEST(shard_runs_what_was_posted_before_the_stop)
{
	struct shard_job stop = { .run = stop_now }, after = { .run = run_last };

	start();
	shard_post(s, &stop);
	shard_post(s, &after);
	CHECK_RC(shard_run(s), OK);
	CHECK_STR(str_of(order), "xy");
	shard_free(s);
}
