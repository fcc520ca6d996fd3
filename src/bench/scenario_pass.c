/*
 * scenario_pass.c - a plan driven once against one server.
 *
 *   phase 1 -> ... -> phase n -> what is under way ends (at most GRACE_MS) -> over
 *
 * Arrivals of a rate have fixed times, from the rate alone: the integral of a linear
 * rate reaches k at a known moment.  A timer of the kernel, which is finer than the
 * loop's millisecond, fires at the next one.  A late loop sends all that is due at
 * once, and each is still timed from its own moment: nothing is left out when the
 * server, or the driver, is slow.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/scenario_priv.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <uv.h>

#include "base/mem.h"

#define TICK_NS  (100 * NS_PER_MS)           /* users are looked at so often */
#define GRACE_MS 30000                       /* for the last sequences, as k6 */
#define BURST    256                         /* arrivals between two looks at sockets */

struct pass_alarm {
	uv_poll_t poll;
	int fd;
};

/* ---- the schedule: pure --------------------------------------------------- */

/* With rate a + s t, a t + s t^2 / 2 = k. */
nsec
phase_arrival(const struct phase *ph, uint64_t k)
{
	double length = (double)ph->ms / 1000, n = (double)k, t;
	double slope = length > 0 ? (ph->to - ph->from) / length : 0;
	double under = ph->from * ph->from + 2 * slope * n;

	if (fabs(slope) * length < 1e-9 * (ph->from + ph->to))
		t = ph->from > 0 ? n / ph->from : INFINITY;
	else if (under < 0)
		return -1;
	else
		t = 2 * n / (ph->from + sqrt(under));        /* without cancellation */
	if (n == 0)
		t = ph->from + ph->to > 0 ? 0 : INFINITY;
	return t < length ? (nsec)(t * (double)NS_PER_S) : -1;
}

int64_t
phase_users(const struct phase *ph, msec t)
{
	if (t >= ph->ms)
		return (int64_t)ph->to;
	return (int64_t)ph->from + (int64_t)((ph->to - ph->from) * (double)t / (double)ph->ms);
}

msec
scenario_length(const struct scenario *p, bool measured)
{
	msec sum = 0;

	for (size_t i = 0; i < p->phases_n; i++)
		if (!measured || p->phases[i].measured)
			sum += p->phases[i].ms;
	return sum;
}

/* The sequence that is furthest behind its share: weights 1 and 3 give b a b b. */
const struct sequence *
pass_next_sequence(struct pass *p)
{
	int64_t sum = 0;
	size_t best = 0;

	for (size_t i = 0; i < p->plan->sequences_n; i++) {
		p->credit[i] += p->plan->sequences[i].weight;
		sum += p->plan->sequences[i].weight;
		if (p->credit[i] > p->credit[best])
			best = i;
	}
	p->credit[best] -= sum;
	return &p->plan->sequences[best];
}

/* ---- users come and go ---------------------------------------------------- */

static bool
is_spent(const struct pass *p)
{
	return p->plan->iterations > 0 && p->tally->started >= (uint64_t)p->plan->iterations;
}

bool
pass_wants(const struct pass *p, int64_t user)
{
	return !p->stopping && p->phase != NULL && !p->phase->open && user < p->target &&
	    !is_spent(p);
}

static void
finish(struct pass *p)
{
	if (p->measuring)
		load_end(p->load);
	p->measuring = false;
	p->phase = NULL;
	shard_stop(p->load->shard);
}

void
pass_ended(struct pass *p, struct user *u)
{
	msec pause = p->phase != NULL ? p->phase->pause : 0;

	/* One of which nothing could be sent would begin again without end. */
	if (!u->sent && pause == 0)
		pause = TICK_NS / NS_PER_MS;

	list_append(&p->idle, &u->idle);
	if (p->stopping && p->busy == 0)
		finish(p);
	else if (pass_wants(p, u->index) && pause > 0)
		shard_timer_set(p->load->shard, &u->pause, pause);
	else if (pass_wants(p, u->index))
		user_start(u, 0);
}

static void
arrive(struct pass *p, nsec due)
{
	/* The one that was the last to end: a server sees few connections. */
	if (!list_empty(&p->idle))
		user_start(CONTAINER_OF(p->idle.prev, struct user, idle), due);
	else
		p->tally->missed += p->measuring;
}

/* False: more are due, after a look at the sockets. */
static bool
arrivals_start(struct pass *p, nsec now)
{
	nsec due;

	for (int i = 0; i < BURST; i++) {
		due = phase_arrival(p->phase, p->arrivals);
		if (due < 0 || p->phase_began + due > now || is_spent(p))
			return true;
		p->arrivals++;
		arrive(p, p->phase_began + due);
	}
	return false;
}

static void
users_start(struct pass *p, nsec now)
{
	p->target = phase_users(p->phase, (now - p->phase_began) / NS_PER_MS);
	for (int64_t i = 0; i < p->target; i++)
		if (!p->users[i].busy && !wheel_armed(&p->users[i].pause) &&
		    pass_wants(p, i))
			user_start(&p->users[i], 0);
}

/* ---- time ----------------------------------------------------------------- */

static void
alarm_set(struct pass *p, nsec at)
{
	struct itimerspec t = { .it_value = { at / NS_PER_S, at % NS_PER_S } };
	int rc = timerfd_settime(p->alarm->fd, TFD_TIMER_ABSTIME, &t, NULL);

	assert(rc == 0);
}

static void
measure_begin(struct pass *p)
{
	p->measuring = true;
	p->measure_began = p->phase_began;
	load_begin(p->load);
	records_begin(p->records, p->side->name, p->own);
	if (p->soak != NULL)
		soak_begin(p->soak, p);
}

static void
phase_next(struct pass *p)
{
	const struct phase *end = p->plan->phases + p->plan->phases_n;

	p->phase_began += p->phase->ms * NS_PER_MS;
	p->arrivals = 0;
	p->target = 0;
	p->phase = p->phase + 1 < end ? p->phase + 1 : NULL;
}

/* What the schedule says of now; the moment it has to be asked again. */
static nsec
schedule(struct pass *p, nsec now)
{
	for (; p->phase != NULL; phase_next(p)) {
		nsec end = p->phase_began + p->phase->ms * NS_PER_MS, next = now + TICK_NS;
		nsec due;

		if (p->phase->measured && !p->measuring)
			measure_begin(p);
		if (p->phase->open && !arrivals_start(p, now < end ? now : end - 1))
			return now;
		if (now >= end)
			continue;
		if (!p->phase->open)
			users_start(p, now);
		due = p->phase->open ? phase_arrival(p->phase, p->arrivals) : -1;
		if (due >= 0 && p->phase_began + due < next)
			next = p->phase_began + due;
		return next < end ? next : end;
	}
	return now + TICK_NS;
}

static void
give_up(struct pass *p)
{
	for (size_t i = 0; i < p->users_n; i++) {
		if (p->users[i].busy && p->users[i].measured) {
			p->tally->unended++;
			p->tally->failed++;
		}
	}
	finish(p);
}

static void
tick(struct pass *p)
{
	nsec now = clock_mono(), next = schedule(p, now);

	if (p->phase == NULL || is_spent(p))
		p->stopping = true;
	if (p->stopping && p->busy == 0) {
		finish(p);
		return;
	}
	if (p->phase == NULL && now >= p->phase_began + GRACE_MS * NS_PER_MS) {
		give_up(p);
		return;
	}
	alarm_set(p, next);
}

static void
on_alarm(uv_poll_t *poll, int status, int events)
{
	struct pass *p = poll->data;
	uint64_t fired;

	(void)status, (void)events;
	if (read(p->alarm->fd, &fired, sizeof fired) > 0 && (p->phase != NULL || p->stopping))
		tick(p);
}

static void
alarm_closed(uv_handle_t *h)
{
	free(CONTAINER_OF((uv_poll_t *)h, struct pass_alarm, poll));
}

static int
alarm_open(struct pass *p, struct err *e)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);

	if (fd < 0)
		return err_set(e, ERR_IO, "timerfd: %s", strerror(errno));
	p->alarm = mem_new(struct pass_alarm);
	p->alarm->fd = fd;
	p->alarm->poll.data = p;
	uv_poll_init(shard_loop(p->load->shard), &p->alarm->poll, fd);
	uv_poll_start(&p->alarm->poll, UV_READABLE, on_alarm);
	return OK;
}

static void
alarm_close(struct pass *p)
{
	uv_poll_stop(&p->alarm->poll);
	close(p->alarm->fd);
	uv_close((uv_handle_t *)&p->alarm->poll, alarm_closed);
	p->alarm = NULL;
}

/* ---- progress ------------------------------------------------------------- */

static double
fraction(void *ctx)
{
	struct pass *p = ctx;
	double length = (double)scenario_length(p->plan, true) * (double)NS_PER_MS, part;

	if (p->plan->iterations > 0)
		part = (double)p->tally->started / (double)p->plan->iterations;
	else
		part = p->measuring ? (double)(clock_mono() - p->measure_began) / length : 0;
	return part > 1 ? 1 : part;
}

static void
words(void *ctx, struct buf *out)
{
	struct pass *p = ctx;
	const struct tally *t = p->tally;

	if (p->side->name != NULL)
		buf_add_fmt(out, "%s ", p->side->name);
	if (p->phase != NULL && p->phase->name.n > 0)
		buf_add_fmt(out, "%.*s ", FMT(p->phase->name));
	buf_add_fmt(out, "users=%lld ended=%llu failed=%llu p50=%.1fms",
	    (long long)p->busy, (unsigned long long)t->ok, (unsigned long long)t->failed,
	    report_ms(&t->flows, 50));
}

/* ---- life ----------------------------------------------------------------- */

int64_t
scenario_users(const struct scenario *p)
{
	int64_t n = 1;

	for (size_t i = 0; i < p->phases_n; i++) {
		const struct phase *ph = &p->phases[i];
		int64_t most = ph->open ? p->users_max :
		    (int64_t)(ph->from > ph->to ? ph->from : ph->to);

		n = most > n ? most : n;
	}
	return n;
}

int
pass_run(struct pass *p, struct err *e)
{
	int rc = alarm_open(p, e);

	if (rc != OK)
		return rc;
	list_init(&p->idle);
	p->load->fraction = fraction;
	p->load->words = words;
	p->load->ctx = p;
	p->credit = mem_zero((p->plan->sequences_n + 1) * sizeof *p->credit);
	p->users_n = (size_t)scenario_users(p->plan);
	p->users = mem_zero(p->users_n * sizeof *p->users);
	for (size_t i = p->users_n; i-- > 0; ) {
		user_init(&p->users[i], p, (int64_t)i);
		list_append(&p->idle, &p->users[i].idle);
	}
	p->phase_began = clock_mono();
	p->phase = p->plan->phases;
	alarm_set(p, p->phase_began);
	shard_run(p->load->shard);
	alarm_close(p);
	for (size_t i = 0; i < p->users_n; i++)
		user_release(&p->users[i]);
	if (p->soak != NULL)
		soak_end(p->soak);
	free(p->users);
	free(p->credit);
	records_end(p->records);
	p->tally->wall = p->load->ended - p->load->began;
	p->tally->server_cpu_s = p->load->after.cpu_s - p->load->before.cpu_s;
	return OK;
}
