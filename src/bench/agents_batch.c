/*
 * agents_batch.c - batches on their way to a client: large ones cost few system calls,
 * small ones little delay.
 *
 * Messages come at a rate, are framed (acl.h), and leave over a socket pair when their batch
 * (mail/batch.h) is full or old.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/agents_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "mail/batch.h"

#define SIZE_MAX_BATCH 1000
#define REST_NS        (50 * (nsec)1000)

struct line {
	int fd[2];
	struct mail_batch batch;
	struct buf out;
	nsec due[SIZE_MAX_BATCH];            /* of what waits, the oldest first */
	struct hist delay;
	uint64_t sent, batches;
};

/* All that waits, in one write; the other end reads it. */
static void
flush(struct line *x)
{
	static char in[64 * KB];
	nsec now;

	for (size_t at = 0; at < x->out.n;) {
		size_t part = x->out.n - at < sizeof in ? x->out.n - at : sizeof in;
		ssize_t put = write(x->fd[0], x->out.p + at, part), got = 0;

		assert(put > 0);
		while (got < put) {
			ssize_t k = read(x->fd[1], in, sizeof in);

			assert(k > 0);
			got += k;
		}
		at += (size_t)put;
	}
	now = clock_mono();
	for (size_t i = 0; i < x->batch.n; i++)
		hist_add(&x->delay, (uint64_t)(now - x->due[i]));
	x->sent += x->batch.n;
	x->batches++;
	mail_batch_done(&x->batch);
	buf_clear(&x->out);
}

static void
run(struct line *x, const struct acl *m, double rate, nsec length)
{
	nsec began = clock_mono(), due = began;

	while (due < began + length) {
		nsec now = clock_mono();

		while (due <= now && due < began + length) {
			acl_add_frame(m, &x->out);
			x->due[x->batch.n] = due;
			mail_batch_take(&x->batch, due / NS_PER_MS);
			due += (nsec)(1e9 / rate);
			if (mail_batch_full(&x->batch))
				flush(x);
		}
		now = clock_mono();
		if (mail_batch_due(&x->batch) <= now / NS_PER_MS)
			flush(x);
		if (due > now)
			nanosleep(&(struct timespec){ .tv_nsec = due - now < REST_NS ? due - now :
			    REST_NS }, NULL);
	}
	if (x->batch.n > 0)
		flush(x);
}

static void
cell_value(struct report *r, const char *name, const struct line *x, double value, int digits)
{
	char key[48];

	snprintf(key, sizeof key, "%s_%u_%lldms", name, x->batch.size,
	    (long long)x->batch.timeout);
	report_value(r, value, digits, key);
}

static int
cell(const struct agents_options *o, struct report *r, uint32_t size, msec timeout, struct err *e)
{
	static const struct str to = { "client", 6 };
	struct acl m = { .act = ACL_INFORM, .receivers = &to, .receivers_n = 1,
		.content = S("{\"n\":1}") };
	struct line *x = mem_new(struct line);
	double rate = o->rate > 0 ? (double)o->rate : 50000;
	nsec since = clock_thread();
	int rc = socketpair(AF_UNIX, SOCK_STREAM, 0, x->fd);

	if (rc != 0) {
		free(x);
		return err_set(e, ERR_IO, "no socket pair");
	}
	x->batch = mail_batch(size, timeout);
	x->out = BUF(4 * MB);
	hist_clear(&x->delay);
	run(x, &m, rate, o->duration * NS_PER_MS / 12);
	cell_value(r, "delay_p50_ms", x, (double)hist_percentile(&x->delay, 50) / 1e6, 3);
	cell_value(r, "delay_p99_ms", x, (double)hist_percentile(&x->delay, 99) / 1e6, 3);
	cell_value(r, "cpu_us", x, (double)farm_lap(&since) / 1e3 / (double)x->sent, 3);
	cell_value(r, "per_batch", x, (double)x->sent / (double)x->batches, 1);
	if (size == SIZE_MAX_BATCH && timeout == 10)
		report_value(r, (double)hist_percentile(&x->delay, 50) / 1e6, 3, "batch_delay_p50_ms");
	buf_release(&x->out);
	close(x->fd[0]);
	close(x->fd[1]);
	free(x);
	return OK;
}

int
part_batches(const struct agents_options *o, struct report *r, struct err *e)
{
	static const msec timeouts[] = { 1, 10, 100 };
	int rc = OK;

	for (uint32_t size = 1; size <= SIZE_MAX_BATCH && rc == OK; size *= 10)
		for (size_t i = 0; i < COUNT(timeouts) && rc == OK; i++)
			rc = cell(o, r, size, timeouts[i], e);
	return rc;
}
