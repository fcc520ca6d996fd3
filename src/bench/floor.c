/*
 * floor.c - see floor.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/floor.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "bench/rate.h"
#include "bench/report.h"
#include "bench/scratch.h"

#define AT(field)    offsetof(struct floor_options, field)
#define RING         1024                    /* entries */
#define RING_BATCH   256
#define COPY_BYTES   1024
#define COPY_AREA    (16 * MB)
#define WAKEUPS      2000
#define COMMITS      50

static const char *const parts[] = { "queue", "memcpy", "wakeup", "commit" };

const struct flag bench_floor_flags[] = {
	{ "only", NULL, FLAG_TEXT, NULL, "LIST", "of queue, memcpy, wakeup, commit", AT(only) },
	{ "duration", NULL, FLAG_MS, "500ms", "TIME", "of each rate", AT(duration) },
	SLOW_FLAG(AT(slow)),
	{ "scratch", NULL, FLAG_TEXT, NULL, "PATH", "where to make the scratch folder "
	    "(default $TMPDIR or /tmp)", AT(scratch) },
	{ "thresholds", NULL, FLAG_TEXT, NULL, "LIST", "what must hold, as in wakeup_us<50",
	    AT(thresholds) },
	{ "json", NULL, FLAG_TEXT, NULL, "FILE", "the result", AT(json) },
	{ "markdown", NULL, FLAG_TEXT, NULL, "FILE", "the result", AT(markdown) },
	{ NULL }
};

struct bench_floor {
	const struct floor_options *o;
	bool on[COUNT(parts)];
	struct report report;
	struct scratch scratch;
	struct hist wakeup, commit;
	uint64_t sink;                       /* so that nothing is optimised away */
};

/* ---- rates ----------------------------------------------------------------------- */

struct ring {
	uint64_t head, tail;
	struct { uint64_t word[8]; } entry[RING];
};

/* One batch through the ring. */
static size_t
queue_batch(struct bench_floor *f, void *area)
{
	struct ring *r = area;
	uint64_t sum = f->sink;

	for (size_t i = 0; i < RING_BATCH; i++) {
		uint64_t *w = r->entry[r->head++ % RING].word;

		for (size_t k = 0; k < 8; k++)
			w[k] = sum + k;
		sum = sum * 6364136223846793005u + 1442695040888963407u;
	}
	while (r->tail < r->head) {
		const uint64_t *w = r->entry[r->tail++ % RING].word;

		for (size_t k = 0; k < 8; k++)
			sum = (sum ^ w[k]) * 1099511628211u;
	}
	f->sink = sum;
	return RING_BATCH;
}

static size_t
memcpy_batch(struct bench_floor *f, void *area)
{
	char *a = area, to[COPY_BYTES];

	for (size_t i = 0; i < RING_BATCH; i++) {
		f->sink = f->sink * 6364136223846793005u + 1442695040888963407u;
		memcpy(to, a + (f->sink >> 20) % (COPY_AREA - COPY_BYTES), COPY_BYTES);
		f->sink += (unsigned char)to[f->sink % COPY_BYTES];
	}
	return RING_BATCH * COPY_BYTES;
}

static double
rate_of(struct bench_floor *f, size_t (*batch)(struct bench_floor *f, void *area), void *area)
{
	nsec end = clock_mono() + f->o->duration * NS_PER_MS;
	struct rate r;
	double out;

	rate_init(&r, f->o->slow);
	while (rate_add(&r, (double)batch(f, area)) < end)
		;
	out = rate_median(&r);
	rate_release(&r);
	return out;
}

static int
queue(struct bench_floor *f, struct err *e)
{
	struct ring *r = mem_new(struct ring);

	(void)e;
	report_value(&f->report, rate_of(f, queue_batch, r), 0, "queue_per_s");
	free(r);
	return OK;
}

static int
copies(struct bench_floor *f, struct err *e)
{
	char *area = mem_alloc(COPY_AREA);

	(void)e;
	memset(area, 1, COPY_AREA);
	report_value(&f->report, rate_of(f, memcpy_batch, area) / 1e9, 3, "memcpy_gb_s");
	free(area);
	return OK;
}

/* ---- times ----------------------------------------------------------------------- */

static void *
echo(void *arg)
{
	const int *end = arg;
	char c;

	while (read(end[0], &c, 1) == 1)
		if (write(end[3], &c, 1) != 1)
			break;
	return NULL;
}

static int
wakeups(struct bench_floor *f, struct err *e)
{
	int end[4];                          /* to the other thread, and back */
	pthread_t other;
	char c = 'x';

	if (pipe(end) != 0 || pipe(end + 2) != 0 || pthread_create(&other, NULL, echo, end) != 0)
		return err_set(e, ERR_IO, "pipes and a thread: %s", strerror(errno));
	for (size_t i = 0; i < WAKEUPS; i++) {
		nsec began = clock_mono();

		if (write(end[1], &c, 1) != 1 || read(end[2], &c, 1) != 1)
			break;
		hist_add(&f->wakeup, (uint64_t)(clock_mono() - began));
	}
	close(end[1]);
	pthread_join(other, NULL);
	close(end[0]);
	close(end[2]);
	close(end[3]);
	report_metric(&f->report, "wakeup", NULL, &f->wakeup, 0);
	report_value(&f->report, (double)hist_percentile(&f->wakeup, 50) / 1000, 2, "wakeup_us");
	return OK;
}

static int
commits(struct bench_floor *f, struct err *e)
{
	int rc = scratch_make(&f->scratch, f->o->scratch, false, e);

	if (rc == OK)
		rc = scratch_commits(&f->scratch, COMMITS, &f->commit, e);
	if (rc == OK) {
		report_metric(&f->report, "commit", NULL, &f->commit, 0);
		report_value(&f->report, (double)hist_percentile(&f->commit, 50) / 1000, 1,
		    "commit_us");
	}
	scratch_remove(&f->scratch);
	return rc;
}

/* ---- life ------------------------------------------------------------------------ */

static int
choose(struct bench_floor *f, struct err *e)
{
	struct str rest = str_of(f->o->only), part;

	for (size_t i = 0; i < COUNT(parts); i++)
		f->on[i] = rest.n == 0;
	while (rest.n > 0 && str_next(&rest, ',', &part)) {
		size_t i = 0;

		part = str_trim(part);
		while (i < COUNT(parts) && !str_eq(part, str_of(parts[i])))
			i++;
		if (i == COUNT(parts))
			return err_set(e, ERR_INVALID, "--only: \"%.*s\" is none of queue, memcpy, "
			    "wakeup, commit", FMT(part));
		f->on[i] = true;
	}
	if (f->o->duration < 10)
		return err_set(e, ERR_INVALID, "--duration: 10 ms or more");
	return OK;
}

int
bench_floor(const struct floor_options *o, int argc, char *const *argv, struct err *e)
{
	static int (*const runs[])(struct bench_floor *f, struct err *e) = {
		queue, copies, wakeups, commits
	};
	struct bench_floor *f = mem_new(struct bench_floor);
	int rc;

	f->o = o;
	f->report = (struct report){ .workload = "floor", .loop = "closed", .argc = argc,
		.argv = argv, .started = clock_wall_ms(),
		.measures = "what this machine gives one thread, two threads and a disk.",
		.not_measures = "anything of the engine." };
	hist_clear(&f->wakeup);
	hist_clear(&f->commit);
	rc = choose(f, e);
	for (size_t i = 0; i < COUNT(runs) && rc == OK; i++)
		if (f->on[i])
			rc = runs[i](f, e);
	if (rc == OK)
		rc = report_thresholds(&f->report, o->thresholds, e);
	if (rc == OK)
		rc = report_finish(&f->report, o->json, o->markdown, e);
	free(f);
	return rc;
}
