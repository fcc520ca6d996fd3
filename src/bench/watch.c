/*
 * watch.c - see watch.h: the loop, probes, delivery of alerts.
 *
 * One shard on the calling thread.  A probe and a reading have at most one request
 * under way each; one that has not answered by its next turn is a failure.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/watch_priv.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "net/client.h"
#include "net/process.h"

#define AT(field)     offsetof(struct watch_options, field)
#define METRICS_BYTES (4 * MB)
#define SILENCE_MS    5000
#define HOOKS_MS      10000                  /* a command or webhook may take so long */
#define HOOKS         16

extern char **environ;

const struct flag bench_watch_flags[] = {
	{ "url", "RUNTIME_URL", FLAG_TEXT, "http://127.0.0.1:2024", "URL", "the server",
	    AT(url) },
	{ "slo-p99", NULL, FLAG_MS, "100ms", "TIME", "alert when the p99 is over it",
	    AT(slo_p99) },
	{ "slo-errors", NULL, FLAG_TEXT, "1%", "SHARE", "alert when more requests fail, as in "
	    "1% or 0.01", AT(slo_errors) },
	{ "interval", NULL, FLAG_MS, "10s", "TIME", "that is judged at a time",
	    AT(interval) },
	{ "for", NULL, FLAG_INT, "1", "N", "intervals in a row before an alert",
	    AT(patience), 1, 1000 },
	{ "probe", NULL, FLAG_TEXT, "/ok", "PATH", "what is asked for and timed", AT(probe) },
	{ "probe-interval", NULL, FLAG_MS, "1s", "TIME", "between probes",
	    AT(probe_interval) },
	{ "token", "AUTH_TOKEN", FLAG_TEXT, NULL, "TOKEN", "sent with probes as a bearer",
	    AT(token) },
	{ "command", NULL, FLAG_TEXT, NULL, "CMD", "run by sh for each alert, with COHORT_ALERT "
	    "and COHORT_ALERT_JSON in its environment", AT(command) },
	{ "webhook", NULL, FLAG_TEXT, NULL, "URL", "gets each alert as JSON by POST",
	    AT(webhook) },
	{ "duration", NULL, FLAG_MS, "0", "TIME", "then end; 0: until a signal",
	    AT(duration) },
	{ "rules", NULL, FLAG_SWITCH, NULL, NULL, "print the same rules for Prometheus, and end",
	    AT(rules) },
	{ NULL }
};

struct watch;

/* A request under way. */
struct ask {
	struct watch *w;
	struct client_call *call;            /* NULL: none */
	struct buf body;
	nsec sent;
};

/* A command or webhook. */
struct hook {
	struct watch *w;
	struct process *process;             /* one of them; or both NULL: free */
	struct client_call *call;
	struct wheel_timer late;
};

struct watch {
	const struct watch_options *o;
	double slo_errors;
	struct shard *shard;
	struct client *client;
	struct wheel_timer probe_timer, interval_timer, end_timer;
	struct ask probe, metrics;
	struct hist probes;
	uint64_t failed;
	struct watch_reading before, now;
	bool has_before, has_now;
	struct watch_state state[WATCH_ALERTS];
	struct hook hook[HOOKS];
	uv_signal_t signals[2];
	uint64_t intervals, alerts;
	bool stopped;
	struct buf headers;
};

/* ---- delivery -------------------------------------------------------------------- */

static struct hook *
hook_free(struct watch *w, const char *what)
{
	for (size_t i = 0; i < HOOKS; i++)
		if (w->hook[i].process == NULL && w->hook[i].call == NULL)
			return &w->hook[i];
	fprintf(stderr, "watch: %s: %d are still under way; this alert is not passed on\n", what,
	    HOOKS);
	return NULL;
}

static void
hook_late(struct wheel_timer *t)
{
	struct hook *h = CONTAINER_OF(t, struct hook, late);

	fprintf(stderr, "watch: a %s did not end in %d s\n",
	    h->process != NULL ? "command" : "webhook", HOOKS_MS / 1000);
	if (h->process != NULL)
		process_stop(h->process, 0);
	if (h->call != NULL)
		client_cancel(h->call);
	h->process = NULL;
	h->call = NULL;
}

static void
hook_begin(struct hook *h)
{
	h->late.fire = hook_late;
	shard_timer_set(h->w->shard, &h->late, HOOKS_MS);
}

static void
command_output(void *ctx, struct str bytes)
{
	(void)ctx;
	fwrite(bytes.p, 1, bytes.n, stderr);
}

static void
command_gone(void *ctx, const struct err *e)
{
	struct hook *h = ctx;

	(void)e;
	h->process = NULL;
	shard_timer_cancel(h->w->shard, &h->late);
}

static void
command_run(struct watch *w, const char *name, struct str json)
{
	const char *const argv[] = { "sh", "-c", w->o->command, NULL };
	struct hook *h = hook_free(w, "--command");
	struct process_hooks hooks = { command_output, command_output, command_gone, h };
	struct arena a = ARENA(MB);
	const char **env;
	struct err e;
	size_t n = 0;

	if (h == NULL)
		return;
	while (environ[n] != NULL)
		n++;
	env = arena_zero(&a, (n + 3) * sizeof *env);
	memcpy(env, environ, n * sizeof *env);
	env[n] = arena_fmt(&a, "COHORT_ALERT=%s", name).p;
	env[n + 1] = arena_fmt(&a, "COHORT_ALERT_JSON=%.*s", FMT(json)).p;
	if (process_start(&h->process, w->shard, &(struct process_options){ argv, env, NULL },
	    &hooks, &e) == OK)
		hook_begin(h);
	else
		fprintf(stderr, "watch: --command: %s\n", e.text);
	arena_release(&a);
}

static void
webhook_done(void *ctx, int rc, const struct client_answer *a, const struct err *e)
{
	struct hook *h = ctx;

	h->call = NULL;
	shard_timer_cancel(h->w->shard, &h->late);
	if (rc != OK)
		fprintf(stderr, "watch: --webhook: %s\n", e->text);
	else if (a->status >= 300)
		fprintf(stderr, "watch: --webhook: answered %d\n", a->status);
}

static void
webhook_send(struct watch *w, struct str json)
{
	struct hook *h = hook_free(w, "--webhook");
	struct client_request req = { .method = S("POST"), .url = str_of(w->o->webhook),
		.headers = S("Content-Type: application/json\r\n"), .body = json };

	if (h == NULL)
		return;
	h->call = client_start(w->client, &req, &(struct client_hooks){ .done = webhook_done,
	    .ctx = h });
	hook_begin(h);
}

static void
tell(struct watch *w, enum watch_alert alert, bool recovered, const struct watch_interval *x)
{
	const char *name = recovered ? "recovered" : watch_alerts[alert];
	struct buf b = BUF(4 * KB), at = BUF(64);

	clock_add_iso(&at, clock_wall_ms());
	json_add_fmt(&b, "{'alert':%s,'of':%s,'at':%.*s,'url':%s,'p99_ms':%.3f,"
	    "'slo_p99_ms':%lld,'error_rate':%.5f,'slo_errors':%.5f,'requests':%llu,"
	    "'errors':%llu,'probes':%llu,'failed_probes':%llu}", name, watch_alerts[alert],
	    FMT(buf_str(&at)), w->o->url, x->p99_s * 1000, (long long)w->o->slo_p99,
	    x->error_rate, w->slo_errors, (unsigned long long)x->requests,
	    (unsigned long long)x->errors, (unsigned long long)x->probes,
	    (unsigned long long)x->failed);
	fprintf(stderr, "watch: ALERT %s %.*s\n", name, FMT(buf_str(&b)));
	w->alerts += !recovered;
	if (w->o->command != NULL)
		command_run(w, name, buf_str(&b));
	if (w->o->webhook != NULL)
		webhook_send(w, buf_str(&b));
	buf_release(&b);
	buf_release(&at);
}

/* ---- requests -------------------------------------------------------------------- */

static void
ask_data(void *ctx, struct str bytes)
{
	struct ask *a = ctx;

	buf_add(&a->body, bytes);
}

static void
probe_done(void *ctx, int rc, const struct client_answer *a, const struct err *e)
{
	struct ask *ask = ctx;
	struct watch *w = ask->w;

	(void)e;
	ask->call = NULL;
	if (rc == OK && a->status < 500)
		hist_add(&w->probes, (uint64_t)(clock_mono() - ask->sent));
	else
		w->failed++;
}

static void
ask_start(struct ask *a, const char *path, struct str headers,
    void (*done)(void *, int, const struct client_answer *, const struct err *))
{
	struct buf url = BUF(4 * KB);
	struct str base = str_of(a->w->o->url);

	if (str_ends(base, S("/")))
		base.n--;
	buf_add_fmt(&url, "%.*s%s", FMT(base), path);
	buf_clear(&a->body);
	a->sent = clock_mono();
	a->call = client_start(a->w->client, &(struct client_request){ .method = S("GET"),
	    .url = buf_str(&url), .headers = headers, .connect_ms = SILENCE_MS,
	    .silence_ms = SILENCE_MS, .body_max = METRICS_BYTES },
	    &(struct client_hooks){ .data = ask_data, .done = done, .ctx = a });
	buf_release(&url);
}

static void
probe_fired(struct wheel_timer *t)
{
	struct watch *w = CONTAINER_OF(t, struct watch, probe_timer);

	/* One that hangs is told by its time when it ends, or fails by SILENCE_MS. */
	if (w->probe.call == NULL)
		ask_start(&w->probe, w->o->probe, buf_str(&w->headers), probe_done);
	shard_timer_follow(w->shard, t, w->o->probe_interval);
}

/* ---- an interval ----------------------------------------------------------------- */

static void
conclude(struct watch *w)
{
	const bool seen = w->has_before && w->has_now;
	struct watch_interval x;

	watch_judge(seen ? &w->before : NULL, seen ? &w->now : NULL, &w->probes, w->failed, &x);
	w->intervals++;
	printf("watch: p99 %.2f ms, errors %.2f %%, %llu requests, %llu of %llu probes failed\n",
	    x.p99_s * 1000, x.error_rate * 100, (unsigned long long)x.requests,
	    (unsigned long long)x.failed, (unsigned long long)x.probes);
	fflush(stdout);
	for (enum watch_alert i = 0; i < WATCH_ALERTS; i++) {
		bool bad = i == ALERT_LATENCY ? x.p99_s * 1000 > (double)w->o->slo_p99 :
		    x.error_rate > w->slo_errors;
		enum watch_tell told = watch_step(&w->state[i], bad, w->o->patience);

		if (told != TELL_NOTHING)
			tell(w, i, told == TELL_RECOVERED, &x);
	}
	w->before = w->now;
	w->has_before = w->has_now;
	hist_clear(&w->probes);
	w->failed = 0;
}

static void
metrics_done(void *ctx, int rc, const struct client_answer *a, const struct err *e)
{
	struct ask *ask = ctx;
	struct watch *w = ask->w;
	struct err why = { 0 };

	ask->call = NULL;
	w->has_now = false;
	if (rc != OK)
		fprintf(stderr, "watch: /metrics: %s\n", e->text);
	else if (a->status != 200)
		fprintf(stderr, "watch: /metrics: answered %d\n", a->status);
	else if (watch_read(buf_str(&ask->body), &w->now, &why) != OK)
		fprintf(stderr, "watch: %s\n", why.text);
	else
		w->has_now = true;
	w->failed += !w->has_now;
	conclude(w);
}

static void
interval_fired(struct wheel_timer *t)
{
	struct watch *w = CONTAINER_OF(t, struct watch, interval_timer);

	if (w->metrics.call == NULL)
		ask_start(&w->metrics, "/metrics", STR_NONE, metrics_done);
	shard_timer_follow(w->shard, t, w->o->interval);
}

/* ---- life ------------------------------------------------------------------------ */

static void
end_fired(struct wheel_timer *t)
{
	shard_stop(CONTAINER_OF(t, struct watch, end_timer)->shard);
}

static void
signalled(uv_signal_t *s, int number)
{
	struct watch *w = s->data;

	(void)number;
	w->stopped = true;
	shard_stop(w->shard);
}

static int
watch_open(struct watch *w, struct err *e)
{
	static const int numbers[] = { SIGINT, SIGTERM };
	int rc = watch_share(w->o->slo_errors, &w->slo_errors, e);

	if (rc == OK && (w->o->interval < 10 || w->o->probe_interval < 10))
		rc = err_set(e, ERR_INVALID, "--interval and --probe-interval are 10 ms or more");
	if (rc == OK)
		rc = client_global_init(e);
	if (rc == OK)
		rc = shard_new(&w->shard, 0, e);
	if (rc == OK)
		rc = client_new(&w->client, w->shard, e);
	if (rc != OK)
		return rc;
	if (w->o->token != NULL)
		buf_add_fmt(&w->headers, "Authorization: Bearer %s\r\n", w->o->token);
	for (size_t i = 0; i < COUNT(numbers); i++) {
		uv_signal_init(shard_loop(w->shard), &w->signals[i]);
		w->signals[i].data = w;
		uv_signal_start(&w->signals[i], signalled, numbers[i]);
	}
	w->probe_timer.fire = probe_fired;
	w->interval_timer.fire = interval_fired;
	w->end_timer.fire = end_fired;
	shard_timer_set(w->shard, &w->probe_timer, 0);
	shard_timer_set(w->shard, &w->interval_timer, 0);
	if (w->o->duration > 0)
		shard_timer_set(w->shard, &w->end_timer, w->o->duration);
	return OK;
}

static void
watch_close(struct watch *w)
{
	if (w->shard == NULL)
		return;
	for (size_t i = 0; i < HOOKS; i++) {
		shard_timer_cancel(w->shard, &w->hook[i].late);
		if (w->hook[i].process != NULL)
			process_stop(w->hook[i].process, 0);
	}
	if (w->client != NULL) {
		shard_timer_cancel(w->shard, &w->probe_timer);
		shard_timer_cancel(w->shard, &w->interval_timer);
		shard_timer_cancel(w->shard, &w->end_timer);
		for (size_t i = 0; i < COUNT(w->signals); i++)
			uv_close((uv_handle_t *)&w->signals[i], NULL);
		client_free(w->client);
	}
	shard_free(w->shard);
	buf_release(&w->probe.body);
	buf_release(&w->metrics.body);
	buf_release(&w->headers);
}

int
bench_watch(const struct watch_options *o, struct err *e)
{
	struct watch *w = mem_new(struct watch);
	struct buf b = BUF(64 * KB);
	int rc;

	w->o = o;
	w->headers = BUF(16 * KB);
	w->probe = (struct ask){ .w = w, .body = BUF(METRICS_BYTES) };
	w->metrics = (struct ask){ .w = w, .body = BUF(METRICS_BYTES) };
	for (size_t i = 0; i < HOOKS; i++)
		w->hook[i].w = w;
	hist_clear(&w->probes);
	if (o->rules) {
		rc = watch_share(o->slo_errors, &w->slo_errors, e);
		watch_add_rules((double)o->slo_p99 / 1000, w->slo_errors, &b);
		if (rc == OK)
			fwrite(b.p, 1, b.n, stdout);
	} else {
		rc = watch_open(w, e);
		if (rc == OK) {
			shard_run(w->shard);
			printf("RESULT {\"workload\":\"watch\",\"passed\":%s,\"intervals\":%llu,"
			    "\"alerts\":%llu}\n", w->alerts == 0 ? "true" : "false",
			    (unsigned long long)w->intervals, (unsigned long long)w->alerts);
			rc = w->stopped || w->alerts == 0 ? 0 : 1;
		}
		watch_close(w);
	}
	buf_release(&b);
	free(w);
	return rc;
}
