/*
 * load.c - see load.h.
 *
 * Lag is the delay of a 10 ms timer: a driver without enough CPU measures itself
 * as well as the server, so above a limit the run does not count.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/load.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"

#define BEAT_MS        10
#define LOOK_MS        200
#define SHOW_BAR_MS    500
#define SHOW_LINE_MS   5000
#define BAR            30
#define GET_TIMEOUT_MS 10000
#define GET_BYTES      (1 * MB)
#define LAG_MAX_MS     50.0                  /* p99 */
#define CPU_MAX        0.95                  /* of one core: it has one thread */
#define LAG_OVER_MS    1000                  /* in a shorter time it is not significant */

static void
beat_fired(struct wheel_timer *t)
{
	struct load *l = CONTAINER_OF(t, struct load, beat);
	nsec now = clock_mono();

	if (l->beat_due != 0 && l->on)
		hist_add(&l->lag_us, now > l->beat_due ? (uint64_t)(now - l->beat_due) / 1000 : 0);
	l->beat_due = now + BEAT_MS * NS_PER_MS;
	shard_timer_set(l->shard, t, BEAT_MS);
}

static void
show(struct load *l)
{
	struct buf b = BUF(4 * KB);
	double f = l->fraction(l->ctx);
	int full = (int)(f * BAR);

	if (l->tty) {
		buf_add_fmt(&b, "\r%s [", l->label);
		for (int i = 0; i < BAR; i++)
			buf_add_char(&b, i < full ? '#' : ' ');
		buf_add_fmt(&b, "] %3.0f %% ", f * 100);
	} else {
		buf_add_fmt(&b, "%s %3.0f %% ", l->label, f * 100);
	}
	l->words(l->ctx, &b);
	buf_add(&b, l->tty ? S("\033[K") : S("\n"));
	fwrite(b.p, 1, b.n, stderr);
	buf_release(&b);
}

/* Samples the server's memory and shows progress. */
static void
look_fired(struct wheel_timer *t)
{
	struct load *l = CONTAINER_OF(t, struct load, look);
	struct machine_usage u;
	nsec now = shard_now(l->shard);

	if (l->o->pid > 0 && l->on && machine_usage_quick(l->o->pid, &u)) {
		if (u.rss_kb > l->peak_rss_kb)
			l->peak_rss_kb = u.rss_kb;
		if (u.threads > l->peak_threads)
			l->peak_threads = u.threads;
	}
	if (now - l->shown >= (l->tty ? SHOW_BAR_MS : SHOW_LINE_MS) * NS_PER_MS) {
		l->shown = now;
		show(l);
	}
	shard_timer_set(l->shard, t, LOOK_MS);
}

/* One request. */

struct get {
	struct shard *shard;
	struct buf *out;
	int rc, status;
};

static void
get_data(void *ctx, struct str bytes)
{
	struct get *g = ctx;

	buf_add(g->out, bytes);
}

static void
get_done(void *ctx, int rc, int status, size_t bytes_in)
{
	struct get *g = ctx;

	(void)bytes_in;
	g->rc = rc;
	g->status = status;
	shard_stop(g->shard);
}

/* One GET, alone.  ERR_CLOSED: no answer.  any: out is empty where the answer is not
 * 200, else that is ERR_CLOSED too. */
static int
load_get(const char *url, struct str path, struct str headers, bool any, struct buf *out,
    struct err *e)
{
	static const struct lean_hooks hooks = { .data = get_data, .done = get_done };
	struct get g = { .out = out };
	struct lean_target target;
	struct lean_conn *c;
	int rc = lean_resolve(str_of(url), &target, e);

	if (rc == OK)
		rc = shard_new(&g.shard, 0, e);
	if (rc != OK)
		return rc;
	c = lean_new(g.shard, &target, &hooks, &g);
	lean_send(c, S("GET"), path, headers, STR_NONE, GET_TIMEOUT_MS);
	shard_run(g.shard);
	lean_free(c);
	shard_free(g.shard);
	if (g.rc != OK)
		return err_set(e, g.rc, "%s%.*s: %s; is the server up?", url, FMT(path),
		    rc_text(g.rc));
	if (g.status != 200 && any)
		buf_clear(out);
	else if (g.status != 200)
		return err_set(e, ERR_CLOSED, "%s%.*s: answered %d", url, FMT(path), g.status);
	return out->failed ? err_set(e, ERR_TOOBIG, "%s: too long an answer", url) : OK;
}

/* The load. */

/* The mock's own count of requests, from its /stats; -1 without a mock. */
static int
mock_requests(struct load *l, int64_t *out, struct err *e)
{
	struct json_doc d = { 0 };
	int rc;

	*out = -1;
	if (l->o->mock_url == NULL)
		return OK;
	buf_clear(&l->mock_stats);
	rc = load_get(l->o->mock_url, S("/stats"), STR_NONE, false, &l->mock_stats, e);
	if (rc == OK)
		rc = json_parse(&d, buf_str(&l->mock_stats), e);
	if (rc == OK)
		rc = json_get_int(d.root, "requests", "requests", -1, 0, INT64_MAX, out, e);
	if (rc == OK && *out < 0)
		rc = err_set(e, ERR_INVALID, "%s/stats: no \"requests\"", l->o->mock_url);
	json_release(&d);
	return rc;
}

int
load_own(struct load_options *o, struct own_servers *own, int64_t delay_ms,
    int64_t token_ms, bool counted, struct err *e)
{
	int rc;

	if (!o->own_server)
		return OK;
	if (strcmp(o->url, LOAD_URL) != 0 || o->pid > 0 || o->mock_url != NULL)
		return err_set(e, ERR_INVALID, "--own-server starts the server and its model: "
		    "--url, --pid and --mock-url do not go with it");
	rc = own_servers_start(own, delay_ms, token_ms, e);
	o->url = own->server.url;
	o->pid = own->server.pid;
	o->mock_url = counted ? own->mock.url : NULL;
	return rc;
}

int
load_open(struct load *l, const char *label, const struct load_options *o,
    struct str info, struct err *e)
{
	struct machine_usage u;
	int rc = report_thresholds(NULL, o->thresholds, e);

	l->o = o;
	l->label = label;
	l->headers = BUF(16 * KB);
	l->info = BUF(GET_BYTES);
	l->mock_stats = BUF(GET_BYTES);
	if (o->token != NULL)
		buf_add_fmt(&l->headers, "Authorization: Bearer %s\r\n", o->token);
	if (rc == OK)
		rc = lean_resolve(str_of(o->url), &l->target, e);
	if (rc == OK)
		rc = load_get(o->url, info, buf_str(&l->headers), l->any_server, &l->info, e);
	if (rc == OK && json_check(buf_str(&l->info), NULL) != OK)
		buf_clear(&l->info);         /* it is a part of the report's JSON */
	if (rc == OK)
		rc = mock_requests(l, &l->mock_before, e);
	if (rc == OK && o->pid > 0 && !machine_usage(o->pid, &u))
		rc = err_set(e, ERR_NOTFOUND, "--pid: no process %lld", (long long)o->pid);
	l->tty = isatty(STDERR_FILENO);
	l->shown = clock_mono();
	hist_clear(&l->lag_us);
	l->beat.fire = beat_fired;
	l->look.fire = look_fired;
	return rc == OK ? load_again(l, e) : rc;
}

int
load_again(struct load *l, struct err *e)
{
	int rc;

	shard_free(l->shard);
	l->shard = NULL;
	rc = shard_new(&l->shard, 0, e);
	if (rc != OK)
		return rc;
	shard_timer_set(l->shard, &l->beat, BEAT_MS);
	shard_timer_set(l->shard, &l->look, LOOK_MS);
	return OK;
}

void
load_release(struct load *l)
{
	if (l->shard != NULL)
		shard_free(l->shard);
	l->shard = NULL;
	buf_release(&l->headers);
	buf_release(&l->info);
	buf_release(&l->mock_stats);
}

void
load_begin(struct load *l)
{
	if (l->o->pid > 0)
		machine_usage(l->o->pid, &l->before);
	l->on = true;
	l->beat_due = 0;
	shard_timer_set(l->shard, &l->beat, BEAT_MS);
	shard_timer_set(l->shard, &l->look, LOOK_MS);
	l->cpu -= clock_cpu();
	l->began = clock_mono();
}

void
load_end(struct load *l)
{
	l->on = false;
	l->ended = clock_mono();
	l->wall += l->ended - l->began;
	l->cpu += clock_cpu();
	if (l->o->pid > 0)
		machine_usage(l->o->pid, &l->after);
	l->server_cpu_s += l->after.cpu_s - l->before.cpu_s;
	shard_timer_cancel(l->shard, &l->beat);
	shard_timer_cancel(l->shard, &l->look);
	if (l->tty)
		fputs("\r\033[K", stderr);
}

static void
server_report(const struct load *l, struct report *r, const char *per_unit,
    uint64_t units)
{
	double cpu_ms = l->server_cpu_s * 1000;
	char key[48];

	snprintf(key, sizeof key, "server_cpu_ms_per_%s", per_unit);
	report_value(r, units > 0 ? cpu_ms / (double)units : 0, 3, key);
	report_value(r, cpu_ms, 0, "server_cpu_ms");
	report_value(r, (double)l->after.rss_kb / 1024, 1, "server_rss_mb");
	report_value(r, (double)l->after.private_dirty_kb / 1024, 1,
	    "server_private_dirty_mb");
	report_value(r, (double)(l->peak_rss_kb > l->after.rss_kb ? l->peak_rss_kb :
	    l->after.rss_kb) / 1024, 1, "server_peak_rss_mb");
	report_value(r, (double)l->peak_threads, 0, "server_peak_threads");
}

static void
mock_report(struct load *l, struct report *r, uint64_t calls)
{
	struct err e;
	int64_t after;

	if (mock_requests(l, &after, &e) != OK)
		report_check(r, false, "the mock's count: %.120s", e.text);
	else if (after >= 0)
		report_check(r, after - l->mock_before == (int64_t)calls,
		    "the mock saw %lld requests, %llu runs were asked for",
		    (long long)(after - l->mock_before), (unsigned long long)calls);
	r->mock_stats = buf_str(&l->mock_stats);
}

int
load_report(struct load *l, struct report *r, const char *per_unit, uint64_t units,
    uint64_t calls, struct err *e)
{
	double wall = (double)l->wall;
	double share = wall > 0 ? (double)l->cpu / wall : 0;
	double lag = (double)hist_percentile(&l->lag_us, 99) / 1000;

	report_value(r, wall / (double)NS_PER_S, 2, "wall_s");
	report_value(r, share, 3, "generator_cpu_share");
	report_value(r, lag, 2, "generator_lag_p99_ms");
	if (wall >= (double)(LAG_OVER_MS * NS_PER_MS))
		report_check(r, share < CPU_MAX && lag < LAG_MAX_MS,
		    "the generator was not the bottleneck (%.0f %% of a core, lag p99 "
		    "%.1f ms)", share * 100, lag);
	if (l->o->pid > 0)
		server_report(l, r, per_unit, units);
	r->server_info = buf_str(&l->info);
	mock_report(l, r, calls);
	return report_thresholds(r, l->o->thresholds, e);
}
