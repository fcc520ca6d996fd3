/*
 * scenario_records.c - a line of JSON for each second of a run:
 *
 *   {"timestamp":"...","server":"ours","requests_sent":100,"responses_received":99,
 *    "errors":0,"latencies":{"count":99,"p50_ms":1.2,...}}
 *
 * A request counts in the second it was sent in, its answer in the one it came in.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/scenario_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

struct records {
	FILE *f;
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
	struct records *r;
	FILE *f;

	*out = NULL;
	report_make_folders(path);
	f = fopen(path, "we");
	if (f == NULL)
		return err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
	r = mem_new(struct records);
	r->f = f;
	r->path = path;
	r->line = BUF(4 * KB);
	*out = r;
	return OK;
}

static void
write_second(struct records *r)
{
	const struct hist *h = &r->times;
	struct buf *b = &r->line;

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
records_begin(struct records *r, const char *server)
{
	r->server = server;
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

int
records_close(struct records *r, struct err *e)
{
	int error;

	if (r == NULL)
		return OK;
	if (fclose(r->f) != 0 && r->error == 0)
		r->error = errno;
	error = r->error;
	if (error != 0)
		err_set(e, ERR_IO, "%s: %s", r->path, strerror(error));
	buf_release(&r->line);
	free(r);
	return error != 0 ? ERR_IO : OK;
}
