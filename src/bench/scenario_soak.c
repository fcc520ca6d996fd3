/*
 * scenario_soak.c - what becomes of a server's memory and speed over a long run.
 *
 * Memory is read at even times.  The first fifth is left out, when caches fill; through
 * the rest goes a line, with its interval (judge.h).
 *
 * Speed: sequences of the first fifth against those of the last.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/scenario_priv.h"

#include "base/mem.h"
#include "bench/judge.h"

#define FIFTHS       5
#define SAMPLES      400                     /* of memory, over the whole time */
#define SAMPLES_MIN  30                      /* for a slope */
#define SAMPLE_MS    100                     /* between two of them, at least */
#define DECAY_MAX    0.05
#define FULL_MS      (30 * 60000)            /* a shorter one says that it extrapolates */
#define LEAK_KB      64.0                    /* a minute: below it is the noise of an
                                                allocator's pages */

struct soak {
	struct pass *pass;
	int64_t pid;
	msec length;
	nsec began;
	struct wheel_timer look;
	msec every;
	double minute[SAMPLES], kb[SAMPLES];
	size_t samples_n;
	struct hist fifth[FIFTHS];
	uint64_t failed[FIFTHS];
};

struct soak *
soak_new(msec length)
{
	struct soak *s = mem_new(struct soak);

	s->length = length;
	s->every = length / (SAMPLES - 10) > SAMPLE_MS ? length / (SAMPLES - 10) : SAMPLE_MS;
	return s;
}

void
soak_free(struct soak *s)
{
	free(s);
}

static void
look_fired(struct wheel_timer *t)
{
	struct soak *s = CONTAINER_OF(t, struct soak, look);
	struct machine_usage u;

	if (machine_usage_quick(s->pid, &u) && s->samples_n < SAMPLES) {
		s->minute[s->samples_n] = (double)(clock_mono() - s->began) /
		    (60 * (double)NS_PER_S);
		s->kb[s->samples_n++] = (double)u.rss_kb;
	}
	shard_timer_set(s->pass->load->shard, t, s->every);
}

void
soak_begin(struct soak *s, struct pass *p)
{
	s->pass = p;
	s->pid = p->load->o->pid;
	s->began = clock_mono();
	s->look.fire = look_fired;
	shard_timer_set(p->load->shard, &s->look, 0);
}

void
soak_sequence(struct soak *s, bool ok, nsec took)
{
	msec at = (clock_mono() - s->began) / NS_PER_MS;
	size_t i = at < s->length ? (size_t)(at * FIFTHS / s->length) : FIFTHS - 1;

	if (ok)
		hist_add(&s->fifth[i], (uint64_t)took);
	else
		s->failed[i]++;
}

void
soak_end(struct soak *s)
{
	shard_timer_cancel(s->pass->load->shard, &s->look);
}

/* ---- the report ----------------------------------------------------------- */

static void
report_memory(const struct soak *s, struct report *r)
{
	const struct report_series curve = { "resident memory", "minutes", "KB", s->minute,
	    s->kb, s->samples_n, false };
	size_t from = s->samples_n / FIFTHS, n = s->samples_n - from;
	struct judge_slope x;
	double day;

	if (n < SAMPLES_MIN) {
		report_check(r, false, "memory was read %zu times: too short a run for a slope",
		    s->samples_n);
		return;
	}
	x = judge_slope(s->minute + from, s->kb + from, n);
	day = x.slope * 60 * 24 / 1024;
	report_series(r, &curve);
	report_value(r, x.slope, 2, "rss_slope_kb_per_min");
	report_value(r, x.low, 2, "rss_slope_low_kb_per_min");
	report_value(r, x.high, 2, "rss_slope_high_kb_per_min");
	report_value(r, day, 1, "rss_growth_mb_per_day");
	report_check(r, x.low <= LEAK_KB, "memory grows by %.1f KB a minute (95 %%: %.1f to "
	    "%.1f), %.1f MB a day%s", x.slope, x.low, x.high, day, s->length >= FULL_MS ? "" :
	    ", extrapolated from a shorter run");
}

void
soak_report(const struct soak *s, struct report *r)
{
	const struct hist *first = &s->fifth[0], *last = &s->fifth[FIFTHS - 1];
	double rate = first->count > 0 ? (double)last->count / (double)first->count : 0;
	double time = report_ms(first, 50) > 0 ? report_ms(last, 50) / report_ms(first, 50) : 0;

	report_memory(s, r);
	report_value(r, report_ms(first, 50), 3, "first_fifth_p50_ms");
	report_value(r, report_ms(last, 50), 3, "last_fifth_p50_ms");
	report_value(r, rate, 4, "last_over_first_rate");
	report_value(r, time, 4, "last_over_first_p50");
	report_check(r, rate > 1 - DECAY_MAX && time < 1 / (1 - DECAY_MAX), "the last fifth is "
	    "as fast as the first (%.3f of its sequences, %.3f of its p50)", rate, time);
}
