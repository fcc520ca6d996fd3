/*
 * agents_rate.c - open loop: messages that are sent when they are due, each timed from
 * that moment; batches that wait; bursts.
 *
 * The content holds that moment, so each message is a text of its own: it is copied
 * once, as a message from outside is.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/agents_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "bench/judge.h"

#define STAMP     16                         /* hexadecimal digits */
#define REST_NS   (100 * (nsec)1000)         /* the generator sleeps at most so long */
#define SECONDS   (2 * 86400)
#define LAG_MAX   (20 * NS_PER_MS)           /* p99 of the generator, else it was the limit */
#define SAMPLES_MIN 30                       /* for a slope */

/* Of one second: resident memory, and the times of what was taken in it. */
struct second { double at, rss_mb; uint64_t n, sum; };

struct timed {
	struct farm farm;
	struct mail_text *form;              /* the message; its last bytes are the stamp */
	nsec began, last;                    /* last: when the newest message came */
	uint64_t sent, refused;
	struct hist lag;                     /* sent after it was due */
	struct second *seconds;
	size_t seconds_n;
};

static nsec
stamp_read(struct str packed)
{
	nsec t = 0;

	for (size_t i = 0; i < STAMP; i++) {
		char c = packed.p[packed.n - 1 - STAMP + i];

		t = t << 4 | (c <= '9' ? c - '0' : c - 'a' + 10);
	}
	return t;
}

static void
stamp_write(struct mail_text *t, nsec at)
{
	for (size_t i = 0; i < STAMP; i++)
		t->bytes[t->n - 1 - STAMP + i] =
		    (uint8_t)"0123456789abcdef"[at >> (60 - 4 * i) & 15];
}

static enum mail_taken
take_stamped(void *agent, struct letter *l)
{
	struct farm_agent *a = agent;
	struct farm *f = a->farm;
	nsec due = stamp_read(letter_packed(l)), now = clock_mono();

	a->taken++;
	f->taken++;
	hist_add(&f->times, (uint64_t)(now - f->began > due ? now - f->began - due : 0));
	return MAIL_TAKEN;
}

static const struct mail_kind stamped = { "native", take_stamped, NULL };

static void
timed_open(struct timed *x, const struct agents_options *o, size_t agents)
{
	size_t seconds = (size_t)(o->duration / 1000 + 2);

	x->form = farm_text((size_t)o->bytes > STAMP + 24 ? (size_t)o->bytes : STAMP + 24);
	x->farm.slow = o->slow;
	hist_clear(&x->lag);
	farm_open(&x->farm, &stamped, agents, 1000);
	x->seconds = mem_alloc(seconds * sizeof *x->seconds);
	memset(x->seconds, 0xff, seconds * sizeof *x->seconds);      /* it is no growth later */
	x->began = x->farm.began = clock_mono();
}

static void
timed_close(struct timed *x, struct report *r)
{
	farm_close(&x->farm, r);
	mail_text_drop(x->form);
	free(x->seconds);
}

static void
send_due(struct timed *x, nsec due)
{
	struct farm *f = &x->farm;
	struct mail_text *t = mail_text_new(x->form->bytes, x->form->n);
	nsec now = clock_mono() - x->began;

	stamp_write(t, due);
	if (farm_send(f, &f->agent[0], farm_pick(f), t, ACL_INFORM) == OK)
		x->sent++;
	else
		x->refused++;
	hist_add(&x->lag, (uint64_t)(now > due ? now - due : 0));
	mail_text_drop(t);
}

static void
rest(nsec at_most)
{
	struct timespec t = { .tv_nsec = at_most < REST_NS ? at_most : REST_NS };

	if (at_most > 0)
		nanosleep(&t, NULL);
}

/* Messages a second at a time since the start. */
typedef double rate_at(const struct agents_options *o, double s);

static double
rate_steady(const struct agents_options *o, double s)
{
	double ramp = (double)o->ramp_up / 1e3;

	return (double)o->rate * (s < ramp ? (s + 0.01) / (ramp + 0.01) : 1);
}

static double
rate_burst(const struct agents_options *o, double s)
{
	double third = (double)o->duration / 3e3;

	return (double)(s >= third && s < 2 * third ? o->burst : o->rate);
}

/* What the second that is over had. */
static void
second_note(struct timed *x, double at, const struct hist *before)
{
	struct second *s = &x->seconds[x->seconds_n++];

	*s = (struct second){ .at = at, .rss_mb = (double)mem_resident() / (double)MB,
		.n = x->farm.times.count - before->count, .sum = x->farm.times.sum - before->sum };
}

/* Sends by the schedule until `end`, in batches of what is due. */
static void
run_schedule(struct timed *x, const struct agents_options *o, rate_at *rate)
{
	nsec end = o->duration * NS_PER_MS, due = 0, second = NS_PER_S;
	struct hist *before = mem_new(struct hist);

	while (due < end) {
		nsec now = clock_mono() - x->began;

		slow_mark(&x->farm.slow);
		while (due <= now && due < end) {
			send_due(x, due);
			due += (nsec)(1e9 / rate(o, (double)due / 1e9));
		}
		farm_run(&x->farm);
		slow_pay(&x->farm.slow);
		x->last = clock_mono() - x->began;
		if (x->last >= second) {
			second_note(x, (double)second / 1e9, before);
			*before = x->farm.times;
			second += NS_PER_S;
		}
		rest(due - (clock_mono() - x->began));
	}
	farm_run(&x->farm);
	free(before);
}

/* The generator must have kept its schedule, or the figures are its own. */
static void
report_lag(struct timed *x, struct report *r)
{
	nsec lag = (nsec)hist_percentile(&x->lag, 99);

	report_value(r, (double)lag / 1e6, 3, "generator_lag_p99_ms");
	report_check(r, lag < LAG_MAX, "the generator kept its schedule: p99 of its lag %.2f ms",
	    (double)lag / 1e6);
}

static void
report_times(struct timed *x, struct report *r)
{
	const struct hist *h = &x->farm.times;

	report_metric(r, "message", NULL, h, x->refused);
	report_value(r, (double)x->sent, 0, "messages");
	report_value(r, (double)x->refused, 0, "refused");
	report_value(r, (double)x->farm.taken / (double)(x->sent + x->refused) * 100, 4,
	    "delivered_percent");
	report_lag(x, r);
}

/* Resident memory and mean time, of the first fifth against the last. */
static void
report_trend(struct timed *x, struct report *r)
{
	size_t n = x->seconds_n, fifth = n / 5;
	double *at = mem_alloc((n + 1) * sizeof *at), *mb = mem_alloc((n + 1) * sizeof *mb);
	double first = 0, last = 0, a = 0, b = 0;
	struct judge_slope s;

	for (size_t i = 0; i < n; i++) {
		at[i] = x->seconds[i].at / 3600;
		mb[i] = x->seconds[i].rss_mb;
	}
	for (size_t i = 0; i < fifth; i++) {
		first += (double)x->seconds[i].sum;
		a += (double)x->seconds[i].n;
		last += (double)x->seconds[n - 1 - i].sum;
		b += (double)x->seconds[n - 1 - i].n;
	}
	s = judge_slope(at + fifth, mb + fifth, n - fifth);
	report_value(r, s.slope, 3, "rss_slope_mb_per_hour");
	report_value(r, s.low, 3, "rss_slope_low_mb_per_hour");
	report_value(r, s.high, 3, "rss_slope_high_mb_per_hour");
	report_value(r, s.slope * 24, 2, "rss_growth_mb_per_day_extrapolated");
	report_value(r, (last / b) / (first / a) * 100 - 100, 2, "degradation_percent");
	report_check(r, s.low <= 0, "memory does not grow: %.3f MB an hour (95 %%: %.3f to %.3f)",
	    s.slope, s.low, s.high);
	free(at);
	free(mb);
}

static void
report_memory(struct timed *x, struct report *r, double *at, double *mb)
{
	for (size_t i = 0; i < x->seconds_n; i++) {
		at[i] = x->seconds[i].at;
		mb[i] = x->seconds[i].rss_mb;
	}
	report_series(r, &(struct report_series){ .name = "resident memory", .x_name = "s",
		.y_name = "MB", .x = at, .y = mb, .n = x->seconds_n });
}

int
part_rate(const struct agents_options *given, struct report *r, struct err *e)
{
	struct agents_options o = *given;
	struct timed x = { 0 };
	static double at[SECONDS], mb[SECONDS];      /* the report reads them when it is done */

	if (o.duration / 1000 + 2 > SECONDS)
		return err_set(e, ERR_INVALID, "--duration: at most 48 hours");
	if (o.rate == 0)
		o.rate = 100000;
	timed_open(&x, &o, o.agents > 0 ? (size_t)o.agents : 1000);
	run_schedule(&x, &o, rate_steady);
	report_value(r, (double)x.farm.taken / ((double)x.last / 1e9), 0, "messages_per_s");
	report_times(&x, r);
	report_value(r, (double)x.farm.n, 0, "agents");
	report_value(r, x.form->n, 0, "bytes");
	if (x.seconds_n >= SAMPLES_MIN)
		report_trend(&x, r);
	report_memory(&x, r, at, mb);
	timed_close(&x, r);
	return OK;
}

/* When the last message of the burst was taken, after its end. */
int
part_burst(const struct agents_options *given, struct report *r, struct err *e)
{
	struct agents_options o = *given;
	struct timed x = { 0 };
	double over;

	(void)e;
	if (o.rate == 0)
		o.rate = 1000;
	timed_open(&x, &o, o.agents > 0 ? (size_t)o.agents : 1000);
	run_schedule(&x, &o, rate_burst);
	over = (double)x.farm.times.max / 1e9;
	report_value(r, over, 4, "recovery_s");
	report_value(r, (double)o.burst, 0, "burst_per_s");
	report_times(&x, r);
	report_check(r, over < 1, "no message waited longer than %.3f s", over);
	timed_close(&x, r);
	return OK;
}
