/*
 * scenario_records.c - a line of JSON for each second of a run:
 *
 *   {"timestamp":"...","server":"ours","requests_sent":100,"responses_received":99,
 *    "errors":0,"latencies":{"count":99,"p50_ms":1.2,...}}
 *
 * A request counts in the second it was sent in, its answer in the one it came in.
 * Of the first server the seconds are kept as curves for the report, up to CURVE.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/scenario_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define CURVE 7200                           /* seconds */

struct records {
	FILE *f;                             /* NULL: none is written */
	bool curve;                          /* of this server */
	double *at, *rate, *p99;             /* by second */
	size_t n, at_cap, rate_cap, p99_cap;
	const char *path, *server;
	struct buf line;
	nsec began;                          /* of this second; 0: not measuring */
	msec wall;
	uint64_t sent, received, errors;
	struct hist times;
	int error;                           /* errno of the first failure */
};

int
records_open(struct records **out, const char *path, struct err *e)
{
	struct records *r = mem_new(struct records);

	*out = r;
	r->path = path;
	r->line = BUF(4 * KB);
	if (path == NULL)
		return OK;
	report_make_folders(path);
	r->f = fopen(path, "we");
	return r->f != NULL ? OK : err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
}

static void
keep_second(struct records *r)
{
	if (!r->curve || r->n == CURVE)
		return;
	mem_grow(r->at, r->n, r->at_cap);
	mem_grow(r->rate, r->n, r->rate_cap);
	mem_grow(r->p99, r->n, r->p99_cap);
	r->at[r->n] = (double)r->n;
	r->rate[r->n] = (double)r->received;
	r->p99[r->n++] = report_ms(&r->times, 99);
}

static void
write_second(struct records *r)
{
	const struct hist *h = &r->times;
	struct buf *b = &r->line;

	keep_second(r);
	if (r->f == NULL)
		return;
	buf_clear(b);
	json_add_fmt(b, "{'timestamp':'");
	clock_add_iso(b, r->wall);
	buf_add_char(b, '"');
	if (r->server != NULL)
		json_add_fmt(b, ",'server':%s", r->server);
	json_add_fmt(b, ",'requests_sent':%llu,'responses_received':%llu,'errors':%llu,"
	    "'latencies':{'count':%llu,'p50_ms':%.3f,'p90_ms':%.3f,'p99_ms':%.3f,"
	    "'max_ms':%.3f}}\n", (unsigned long long)r->sent,
	    (unsigned long long)r->received, (unsigned long long)r->errors,
	    (unsigned long long)h->count, report_ms(h, 50), report_ms(h, 90),
	    report_ms(h, 99), (double)h->max / NS_PER_MS);
	if (fwrite(b->p, 1, b->n, r->f) != b->n && r->error == 0)
		r->error = errno;
}

static void
second_begin(struct records *r, nsec began, msec wall)
{
	r->began = began;
	r->wall = wall;
	r->sent = r->received = r->errors = 0;
	hist_clear(&r->times);
}

/* Seconds in which nothing happened have their lines too. */
static void
advance(struct records *r)
{
	nsec now = clock_mono();

	while (r->began != 0 && now - r->began >= NS_PER_S) {
		write_second(r);
		second_begin(r, r->began + NS_PER_S, r->wall + 1000);
	}
}

void
records_begin(struct records *r, const char *server, bool curve)
{
	r->server = server;
	r->curve = curve;
	second_begin(r, clock_mono(), clock_wall_ms());
}

void
records_sent(struct records *r)
{
	advance(r);
	r->sent++;
}

void
records_received(struct records *r, bool ok, nsec took)
{
	advance(r);
	r->received++;
	r->errors += !ok;
	hist_add(&r->times, (uint64_t)took);
}

void
records_end(struct records *r)
{
	advance(r);
	if (r->began != 0 && (r->sent > 0 || r->received > 0))
		write_second(r);
	r->began = 0;
}

void
records_report(const struct records *r, struct report *out)
{
	const struct report_series rate = { "responses", "s", "a second", r->at, r->rate, r->n,
	    false };
	const struct report_series p99 = { "p99 of each second", "s", "ms", r->at, r->p99, r->n,
	    false };

	if (r->n < 2)
		return;
	report_series(out, &rate);
	report_series(out, &p99);
}

int
records_close(struct records *r, struct err *e)
{
	int rc = OK;

	if (r == NULL || r->f == NULL)
		return OK;
	if (fclose(r->f) != 0 && r->error == 0)
		r->error = errno;
	r->f = NULL;
	if (r->error != 0)
		rc = err_set(e, ERR_IO, "%s: %s", r->path, strerror(r->error));
	return rc;
}

void
records_free(struct records *r)
{
	if (r == NULL)
		return;
	(void)records_close(r, NULL);
	buf_release(&r->line);
	free(r->at);
	free(r->rate);
	free(r->p99);
	free(r);
}
