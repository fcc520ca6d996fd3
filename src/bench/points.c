/*
 * points.c - see points.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/points.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/mem.h"

#define FLUSH_BYTES (256 * KB)

struct points {
	FILE *f;
	struct buf b;
	int error;                           /* errno of the first failure */
	const char *path;
};

static const struct { const char *name, *type, *contains; } metrics[] = {
	{ "http_reqs", "counter", "default" },
	{ "http_req_duration", "trend", "time" },
	{ "http_req_failed", "rate", "default" },
	{ "data_received", "counter", "data" },
	{ "data_sent", "counter", "data" },
	{ "iterations", "counter", "default" },
	{ "iteration_duration", "trend", "time" },
	{ "iteration_success_rate", "rate", "default" },
	{ "vus", "gauge", "default" },
	{ "agent_flow_duration", "trend", "time" },
	{ "agent_flow_success_rate", "rate", "default" },
};

static void
flush(struct points *p)
{
	if (p->b.n > 0 && fwrite(p->b.p, 1, p->b.n, p->f) != p->b.n && p->error == 0)
		p->error = errno;
	buf_clear(&p->b);
}

int
points_open(struct points **out, const char *path, struct err *e)
{
	struct points *p = mem_new(struct points);

	*out = NULL;
	p->path = path;
	p->b = BUF(2 * FLUSH_BYTES);
	p->f = fopen(path, "w");
	if (p->f == NULL) {
		free(p);
		return err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
	}
	for (size_t i = 0; i < COUNT(metrics); i++)
		json_add_fmt(&p->b, "{'type':'Metric','data':{'name':%s,'type':%s,"
		    "'contains':%s,'thresholds':[],'submetrics':null},'metric':%s}\n",
		    metrics[i].name, metrics[i].type, metrics[i].contains,
		    metrics[i].name);
	*out = p;
	return OK;
}

void
point_add(struct buf *out, const char *metric, msec wall, double value,
    const char *operation, int status)
{
	json_add_fmt(out, "{'metric':%s,'type':'Point','data':{'time':'", metric);
	clock_add_iso(out, wall);
	json_add_fmt(out, "','value':");
	json_add_double(out, value);
	if (operation != NULL)
		json_add_fmt(out, ",'tags':{'operation':%s,'status':'%d'}}}\n", operation,
		    status);
	else
		json_add_fmt(out, ",'tags':{}}}\n");
}

void
points_add(struct points *p, const char *metric, msec wall, double value,
    const char *operation, int status)
{
	point_add(&p->b, metric, wall, value, operation, status);
	if (p->b.n >= FLUSH_BYTES)
		flush(p);
}

int
points_close(struct points *p, struct err *e)
{
	int error;

	if (p == NULL)
		return OK;
	flush(p);
	if (fclose(p->f) != 0 && p->error == 0)
		p->error = errno;
	error = p->error;
	buf_release(&p->b);
	if (error != 0)
		err_set(e, ERR_IO, "%s: %s", p->path, strerror(error));
	free(p);
	return error != 0 ? ERR_IO : OK;
}
