/*
 * wasm_farm.c - a pool of host processes in this process, and guests that are called and
 * waited for; wasm_priv.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/wasm_priv.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"

#define HOST_NAME "cohort-wasm-hos"          /* as the kernel cuts it */

/* ---- the pool --------------------------------------------------------------------- */

int
wasm_farm_open(struct wasm_farm *f, const char *scratch, const struct wasm_pool_options *pool,
    struct err *e)
{
	struct wasm_pool_options o = *pool;
	char program[WB_PATH];
	int rc = file_beside("cohort-wasm-host", "../libexec/cohort/", program, sizeof program, e);

	if (rc == OK)
		rc = scratch_make(&f->scratch, scratch, false, e);
	if (rc == OK)
		rc = shard_new(&f->shard, 0, e);
	if (rc != OK)
		return rc;
	snprintf(f->cache, sizeof f->cache, "%s/wasm", f->scratch.root);
	o.host_program = program;
	return wasm_pool_new(&f->pool, f->shard, &o, e);
}

void
wasm_farm_close(struct wasm_farm *f)
{
	wasm_pool_free(f->pool);
	if (f->shard != NULL)
		shard_free(f->shard);
	scratch_remove(&f->scratch);
}

struct waiting { struct wasm_build build; bool done; int rc; struct wasm_code *code; struct err why; };

static void
built(struct wasm_build *b, int rc, struct wasm_code *code, const struct err *e)
{
	struct waiting *w = CONTAINER_OF(b, struct waiting, build);

	w->done = true;
	w->rc = rc;
	w->code = code;
	if (rc != OK)
		w->why = *e;
}

int
wasm_farm_build(struct wasm_farm *f, const char *text, enum wasm_compiler by, bool unmetered,
    struct wasm_code **out, struct err *e)
{
	struct buf bytes = BUF(LIMIT_WASM_MODULE_BYTES);
	struct waiting w = { .build = { .compiler = by, .unmetered = unmetered, .done = built } };
	int rc = wasm_text_read(f->cache, str_of(text), &bytes, e);

	if (rc == OK) {
		w.build.bytes = buf_str(&bytes);
		wasm_build_start(f->shard, f->cache, &w.build);
		while (!w.done)
			shard_turn(f->shard);
		rc = w.rc;
		*out = w.code;
		if (rc != OK)
			*e = w.why;
	}
	buf_release(&bytes);
	return rc;
}

/* ---- guests ------------------------------------------------------------------------- */

static void
ended(struct wasm_guest *g, int rc)
{
	g->came = clock_mono();
	g->rc = rc;
	g->busy = false;
	if (g->ready != NULL)
		g->ready(g);
}

static void
on_started(void *arg, int rc, const struct err *e)
{
	struct wasm_guest *g = arg;

	if (rc != OK)
		g->why = *e;
	ended(g, rc);
}

static void
on_done(void *arg, int32_t result, const struct wasm_cost *cost)
{
	struct wasm_guest *g = arg;

	g->result = result;
	g->cost = *cost;
	ended(g, OK);
}

static void
on_trapped(void *arg, enum wasm_trap why, struct str text, const struct wasm_cost *cost)
{
	struct wasm_guest *g = arg;

	(void)text;
	g->trap = why;
	g->cost = *cost;
	ended(g, ERR_CLOSED);
}

static void
on_saved(void *arg, int rc, struct str body)
{
	struct wasm_guest *g = arg;

	buf_clear(&g->image);
	buf_add(&g->image, body);
	ended(g, rc);
}

static void
on_ask(void *arg, const struct wasm_ask *q)
{
	struct wasm_guest *g = arg;

	(void)q;
	wasm_instance_answer(g->instance, -1, STR_NONE);
}

static void
on_log(void *arg, int level, struct str text)
{
	(void)arg, (void)level, (void)text;
}

static void
on_said(void *arg, struct str json)
{
	(void)arg, (void)json;
}

static const struct wasm_hooks hooks = { .started = on_started, .log = on_log, .send = on_said,
	.reply = on_said, .ask = on_ask, .done = on_done, .trapped = on_trapped, .saved = on_saved };

int
wasm_guest_begin(struct wasm_farm *f, struct wasm_guest *g, struct wasm_code *code,
    const struct wasm_limits *l, int64_t owner, struct str restore, struct err *e)
{
	struct wasm_instance_options o = { .owner = owner, .code = code, .limits = *l,
		.restore = restore };
	int rc;

	if (g->image.p == NULL)
		g->image = BUF(LIMIT_WASM_IMAGE_BYTES);
	g->busy = true;
	g->sent = clock_mono();
	rc = wasm_instance_new(&g->instance, f->pool, &o, &hooks, g, e);
	if (rc != OK)
		g->busy = false;
	return rc;
}

void
wasm_guest_wait(struct wasm_farm *f, struct wasm_guest *g)
{
	while (g->busy)
		shard_turn(f->shard);
}

int
wasm_guest_start(struct wasm_farm *f, struct wasm_guest *g, struct wasm_code *code,
    const struct wasm_limits *l, struct err *e)
{
	int rc = wasm_guest_begin(f, g, code, l, 1, STR_NONE, e);

	if (rc != OK)
		return rc;
	wasm_guest_wait(f, g);
	if (g->rc != OK)
		*e = g->why;
	return g->rc;
}

void
wasm_guest_send(struct wasm_guest *g, struct str message)
{
	g->sent = clock_mono();
	g->rc = wasm_instance_call(g->instance, message);
	g->busy = g->rc == OK;
}

void
wasm_guest_do(struct wasm_farm *f, struct wasm_guest *g, char what, uint32_t n)
{
	char message[] = { what, (char)n, (char)(n >> 8), (char)(n >> 16), (char)(n >> 24) };

	wasm_guest_send(g, (struct str){ message, sizeof message });
	wasm_guest_wait(f, g);
}

void
wasm_guest_save(struct wasm_farm *f, struct wasm_guest *g)
{
	g->sent = clock_mono();
	g->rc = wasm_instance_save(g->instance);
	g->busy = g->rc == OK;
	wasm_guest_wait(f, g);
}

void
wasm_guest_end(struct wasm_guest *g)
{
	wasm_instance_free(g->instance);
	g->instance = NULL;
	buf_release(&g->image);
}

/* ---- what the host processes take ------------------------------------------------------ */

static long
line_number(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at == NULL ? 0 : strtol(at + strlen(name), NULL, 10);
}

struct wasm_host_use
wasm_hosts_use(void)
{
	struct wasm_host_use u = { 0 };
	DIR *d = opendir("/proc");
	struct dirent *at;

	while (d != NULL && (at = readdir(d)) != NULL) {
		char path[300], text[4096];

		if (at->d_name[0] < '0' || at->d_name[0] > '9')
			continue;
		snprintf(path, sizeof path, "/proc/%s/status", at->d_name);
		file_head(path, text, sizeof text);
		if (strstr(text, "Name:\t" HOST_NAME) == NULL ||
		    line_number(text, "\nPPid:") != getpid())
			continue;
		u.hosts++;
		u.rss_kb += (double)line_number(text, "\nVmRSS:");
		u.tables_kb += (double)line_number(text, "\nVmPTE:");
	}
	if (d != NULL)
		closedir(d);
	return u;
}

static int
order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

double
wasm_median(double *values, size_t n)
{
	qsort(values, n, sizeof *values, order);
	return n == 0 ? 0 : n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}
