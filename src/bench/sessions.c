/*
 * sessions.c - `cohort bench sessions`: options, arms, what is measured of this
 * process, and the report; see sessions.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/sessions_priv.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"

#define AT(field)      offsetof(struct sessions_options, field)
#define SHOW_NS        (5 * NS_PER_S)
#define ROOM_KB        64                    /* on disk, of a durable session */
#define PERCENT        100
#define BUSY           0.95                  /* of a core: no room is left */

const char *const session_executors[] = { "loop", "threads", NULL };
const char *const session_durabilities[] = { "async", "sync", "exit", NULL };

const struct flag bench_sessions_flags[] = {
	SESSION_FLAGS,
	{ "concurrency", NULL, FLAG_INT, "1000", "C", "sessions at once",
	    AT(concurrency), 1, LIMIT_BENCH_SESSIONS, .letter = 'c' },
	{ "shards", NULL, FLAG_INT, "2", "N", "event loops", AT(shards), 1,
	    SESSIONS_SHARDS },
	{ "agent", NULL, FLAG_TEXT, NULL, "FILE", "another agent for the chart arms, "
	    "with the same channels", AT(agent) },
	{ "burn", NULL, FLAG_INT, "0", "N", "turns of an empty loop for each delta: a "
	    "slowdown on purpose, to see that a comparison finds it", AT(burn), 0,
	    LIMIT_BENCH_BURN },
	{ "keep", NULL, FLAG_SWITCH, NULL, NULL, "leave the scratch folder", AT(keep) },
	{ "thresholds", NULL, FLAG_TEXT, NULL, "LIST",
	    "what must hold, as in latency_infl<1.15,peak_threads<9", SESSION_AT(thresholds) },
	{ NULL }
};

#define NOT_MEASURED "a model's own work, a network, other programs."

static const struct arm arms[] = {
	{ "chart-ckpt", "sc-ckpt", true, false, { NULL },
	    "the server's engine in process: a statechart from YAML, runs, an SQLite file "
	    "with synchronous FULL; each delta is encoded for one subscriber a session, "
	    "which counts it.", "HTTP, " NOT_MEASURED, sessions_chart },
	{ "chart-mem", "sc-mem", false, true, { "scratch", "keep" },
	    "the server's engine in process: a statechart from YAML, runs, the store in "
	    "memory; each delta is encoded for one subscriber a session, which counts "
	    "it.", "HTTP, disk, " NOT_MEASURED, sessions_chart },
	{ "hand", NULL, false, true, { "agent", "durability", "scratch", "keep" },
	    "a bare loop: a timer a pause, a count a delta, 1 KB more a turn.",
	    "an engine, queues, storage, " NOT_MEASURED, sessions_hand },
	{ "hand+transcript", NULL, true, true, { "agent", "durability" },
	    "a bare loop that writes every request, answer and event to one file a "
	    "loop.", "an engine, durability, " NOT_MEASURED, sessions_hand },
	{ "hand+ckpt", NULL, true, true, { "agent" },
	    "a bare loop that appends the state of every turn to a file, which one "
	    "thread syncs for all.", "an engine, an index, " NOT_MEASURED, sessions_hand },
	{ "http", NULL, true, false, { "agent", "jitter", "burn" },
	    "the whole server, a process of its own with an SQLite file: C streams over "
	    "loopback, its model the mock model's server; CPU, memory, threads and bytes "
	    "are the server's.", "a network, a model's own work.", sessions_http },
};

void
bench_sessions_add_arms(struct buf *out)
{
	for (size_t i = 0; i < COUNT(arms); i++)
		buf_add_fmt(out, "  %-16s %s\n", arms[i].name, arms[i].measures);
}

static const struct arm *
arm_find(const char *name, struct err *e)
{
	struct buf known = BUF(KB);

	for (size_t i = 0; i < COUNT(arms); i++)
		if (strcmp(arms[i].name, name) == 0 ||
		    (arms[i].alias != NULL && strcmp(arms[i].alias, name) == 0))
			return &arms[i];
	for (size_t i = 0; i < COUNT(arms); i++)
		buf_add_fmt(&known, "%s%s", i > 0 ? ", " : "", arms[i].name);
	err_set(e, ERR_INVALID, "--arm: no arm \"%s\"; there are %.*s", name,
	    FMT(buf_str(&known)));
	buf_release(&known);
	return NULL;
}

/* Times. */

nsec
sessions_nominal(const struct sessions_options *o)
{
	return (o->of.ttft + o->of.tokens * o->of.token_ms) * NS_PER_MS;
}

nsec
sessions_due(const struct sessions *s, size_t i)
{
	return s->began + (s->o->of.arrival == 0 ? 0 :
	    (nsec)i * NS_PER_S / s->o->of.arrival);
}

msec
sessions_pause(const struct sessions_options *o, msec pause, uint32_t *seed)
{
	int64_t span = pause * o->of.jitter / PERCENT;

	if (span == 0)
		return pause;
	*seed = *seed * 1664525u + 1013904223u;
	return pause - span + (int64_t)(*seed >> 8) % (2 * span + 1);
}

void
sessions_burn(const struct sessions_options *o)
{
	for (volatile int64_t i = 0; i < o->burn; i++)
		;
}

/* Counting. */

void
sessions_tallies(struct sessions *s, size_t n)
{
	s->tally_n = n;
	s->tally = mem_zero(n * sizeof *s->tally);
}

void
tally_end(struct tally *t, nsec due, int rc, const struct err *e)
{
	atomic_fetch_add_explicit(&t->ended, 1, memory_order_relaxed);
	if (rc == OK) {
		t->ok++;
		mem_grow(t->times, t->times_n, t->times_cap);
		t->times[t->times_n++] = clock_mono() - due;
		return;
	}
	t->errors++;
	if (t->sample.code == OK && e != NULL)
		t->sample = *e;
}

static uint64_t
counted(const struct sessions *s, size_t offset)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s->tally_n; i++)
		n += atomic_load_explicit((atomic_ullong *)(void *)
		    ((char *)&s->tally[i] + offset), memory_order_relaxed);
	return n;
}

static double
cpu_of(pid_t pid)
{
	struct machine_usage other;
	struct rusage u;

	if (pid != getpid())
		return machine_usage(pid, &other) ? other.cpu_s : 0;
	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	    (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

void
sessions_begin(struct sessions *s)
{
	struct machine_usage u;

	machine_usage_quick(s->pid, &u);
	s->base_rss_kb = u.rss_kb;
	s->bytes_written = -machine_bytes_written(s->pid);
	s->cpu_s = -cpu_of(s->pid);
	s->began = clock_mono();
}

void
sessions_end(struct sessions *s)
{
	s->ended = clock_mono();
	s->cpu_s += cpu_of(s->pid);
	s->bytes_written += machine_bytes_written(s->pid);
	sessions_look(s);
}

void
sessions_look(struct sessions *s)
{
	static nsec shown;
	struct machine_usage u;
	nsec now = clock_mono();

	machine_usage_quick(s->pid, &u);
	if (u.rss_kb > s->peak_rss_kb)
		s->peak_rss_kb = u.rss_kb;
	if (u.threads > s->peak_threads)
		s->peak_threads = u.threads;
	if (shown == 0)
		shown = now;
	if (now - shown < SHOW_NS || s->ended != 0)
		return;
	shown = now;
	fprintf(stderr, "sessions: %s, %llu of %lld ended, %llu turns, %lld MB, %lld "
	    "threads, %.0f s\n", s->arm->name,
	    (unsigned long long)counted(s, offsetof(struct tally, ended)),
	    (long long)s->o->concurrency,
	    (unsigned long long)counted(s, offsetof(struct tally, turns)),
	    (long long)(u.rss_kb / 1024), (long long)u.threads,
	    (double)(now - s->began) / (double)NS_PER_S);
}

/* Report. */

/* What the time did not suffice for. */
static void
count_unended(struct sessions *s)
{
	uint64_t open = (uint64_t)s->o->concurrency;

	for (size_t i = 0; i < s->tally_n; i++)
		open -= s->tally[i].ok + s->tally[i].errors;
	if (open == 0)
		return;
	s->tally[0].errors += open;
	if (s->tally[0].sample.code == OK)
		err_set(&s->tally[0].sample, ERR_TIMEOUT, "timeout: %llu sessions had not "
		    "ended after %.0f s", (unsigned long long)open,
		    (double)s->o->of.timeout / 1000);
}

struct summary {
	struct hist times;
	nsec *sorted;
	uint64_t ok, errors, deltas, turns;
	struct err sample;
	double wall_ms, p50, p99, nominal, infl, infl_p99;
	double cpu_ms_turn, kb_session, kb_marginal;
};

static int
by_time(const void *a, const void *b)
{
	nsec x = *(const nsec *)a, y = *(const nsec *)b;

	return (x > y) - (x < y);
}

/* Exact: an inflation has to be told from one that is a percent more. */
static double
percentile_ms(const nsec *sorted, size_t n, double part)
{
	return n == 0 ? 0 : (double)sorted[(size_t)((double)(n - 1) * part)] / NS_PER_MS;
}

static void
merge(const struct sessions *s, struct summary *m)
{
	size_t n = 0;

	hist_clear(&m->times);
	m->sorted = mem_zero((size_t)(s->o->concurrency + 1) * sizeof *m->sorted);
	for (size_t i = 0; i < s->tally_n; i++) {
		const struct tally *t = &s->tally[i];

		for (size_t k = 0; k < t->times_n; k++) {
			hist_add(&m->times, (uint64_t)t->times[k]);
			m->sorted[n++] = t->times[k];
		}
		m->ok += t->ok;
		m->errors += t->errors;
		m->deltas += t->deltas;
		if (m->sample.code == OK)
			m->sample = t->sample;
	}
	qsort(m->sorted, n, sizeof *m->sorted, by_time);
	m->p50 = percentile_ms(m->sorted, n, 0.5);
	m->p99 = percentile_ms(m->sorted, n, 0.99);
}

static struct summary *
summary_make(const struct sessions *s)
{
	struct summary *m = mem_new(struct summary);
	double ideal = (double)(sessions_nominal(s->o) * s->o->of.turns) / NS_PER_MS;
	double c = (double)s->o->concurrency;

	merge(s, m);
	m->turns = counted(s, offsetof(struct tally, turns));
	m->wall_ms = (double)(s->ended - s->began) / NS_PER_MS;
	m->nominal = (double)sessions_nominal(s->o) / NS_PER_MS;
	m->infl = ideal > 0 ? m->p50 / ideal : 0;
	m->infl_p99 = ideal > 0 ? m->p99 / ideal : 0;
	m->cpu_ms_turn = m->turns > 0 ? s->cpu_s * 1000 / (double)m->turns : 0;
	m->kb_session = (double)s->peak_rss_kb / c;
	m->kb_marginal = (double)(s->peak_rss_kb - s->base_rss_kb) / c;
	return m;
}

static void
add_result(const struct sessions *s, const struct summary *m, struct buf *b)
{
	json_add_fmt(b, "RESULT {'arm':%s,'C':%lld,'ok':%llu,'errors':%llu,'err_sample':%s",
	    s->arm->name, (long long)s->o->concurrency, (unsigned long long)m->ok,
	    (unsigned long long)m->errors, m->sample.text);
	json_add_fmt(b, ",'wall_ms':%.0f,'turns_total':%llu,'nominal_turn_ms':%.0f",
	    m->wall_ms, (unsigned long long)m->turns, m->nominal);
	json_add_fmt(b, ",'p50_session_ms':%.1f,'p99_session_ms':%.1f,'latency_infl':%.3f,"
	    "'latency_infl_p99':%.3f", m->p50, m->p99, m->infl, m->infl_p99);
	json_add_fmt(b, ",'cpu_sec':%.2f,'cpu_ms_per_turn':%.4f,'peak_rss_mb':%.1f,"
	    "'rss_kb_per_session':%.1f,'marginal_rss_kb':%.2f,'peak_threads':%lld",
	    s->cpu_s, m->cpu_ms_turn, (double)s->peak_rss_kb / 1024, m->kb_session,
	    m->kb_marginal, (long long)s->peak_threads);
	json_add_fmt(b, ",'deltas':%llu,'fsyncs':%llu,'bytes_written':%lld,'executor':%s,"
	    "'state_kb':%lld}\n", (unsigned long long)m->deltas,
	    (unsigned long long)s->fsyncs, (long long)s->bytes_written,
	    s->threads ? "threads" : "loop", (long long)s->o->of.state_kb);
}

static void
report_fill(const struct sessions *s, const struct summary *m, struct report *r)
{
	const struct { const char *key; double value; int digits; } values[] = {
		{ "concurrency", (double)s->o->concurrency, 0 },
		{ "ok", (double)m->ok, 0 }, { "errors", (double)m->errors, 0 },
		{ "wall_ms", m->wall_ms, 0 },
		{ "turns_total", (double)m->turns, 0 },
		{ "nominal_turn_ms", m->nominal, 0 },
		{ "latency_infl", m->infl, 3 }, { "latency_infl_p99", m->infl_p99, 3 },
		{ "cpu_sec", s->cpu_s, 2 }, { "cpu_ms_per_turn", m->cpu_ms_turn, 4 },
		{ "peak_rss_mb", (double)s->peak_rss_kb / 1024, 1 },
		{ "rss_kb_per_session", m->kb_session, 1 },
		{ "marginal_rss_kb", m->kb_marginal, 2 },
		{ "peak_threads", (double)s->peak_threads, 0 },
		{ "deltas", (double)m->deltas, 0 },
		{ "fsyncs", (double)s->fsyncs, 0 },
		{ "bytes_written", (double)s->bytes_written, 0 },
		{ "state_kb", (double)s->o->of.state_kb, 0 },
	};

	report_metric(r, "session", NULL, &m->times, m->errors);
	for (size_t i = 0; i < COUNT(values); i++)
		report_value(r, values[i].value, values[i].digits, values[i].key);
	if (s->client_share > 0) {
		report_value(r, s->client_share, 3, "client_cpu_share");
		report_value(r, s->mock_share, 3, "mock_cpu_share");
		report_check(r, s->client_share < BUSY && s->mock_share < BUSY, "neither the "
		    "client (%.0f %% of a core) nor the mock model (%.0f %%) was the bottleneck",
		    s->client_share * 100, s->mock_share * 100);
	}
	report_check(r, m->errors == 0 && (int64_t)m->ok == s->o->concurrency,
	    "%llu of %lld sessions ended without an error",
	    (unsigned long long)m->ok, (long long)s->o->concurrency);
}

static int
report_sessions(const struct sessions *s, int argc, char *const *argv, msec started,
    struct err *e)
{
	struct summary *m = summary_make(s);
	struct buf result = BUF(16 * KB);
	struct report r = { .workload = "sessions", .loop = s->o->of.arrival > 0 ?
	    "open" : "closed", .argc = argc, .argv = argv, .started = started,
	    .measures = s->arm->measures, .not_measures = s->arm->not_measures };
	int rc;

	report_fill(s, m, &r);
	if (m->sample.text[0] != '\0')
		r.error_sample = m->sample.text;
	add_result(s, m, &result);
	r.result = buf_str(&result);
	rc = report_thresholds(&r, s->o->of.thresholds, e);
	if (rc == OK)
		rc = report_finish(&r, s->o->of.json, s->o->of.markdown, e);
	buf_release(&result);
	free(m->sorted);
	free(m);
	return rc;
}

/* Life. */

/* A full disk in the middle would be told as errors of sessions. */
static int
check_room(const struct sessions *s, struct err *e)
{
	struct statvfs v;
	int64_t need = (s->o->concurrency * (ROOM_KB + s->o->of.turns *
	    (2 + s->o->of.state_kb / 4) + 2 * s->o->of.state_kb)) / 1024 + 64, have;

	if (statvfs(s->scratch.root, &v) != 0)
		return OK;                   /* what is wrong is found soon enough */
	have = (int64_t)(v.f_bavail * v.f_frsize / MB);
	if (have < need)
		return err_set(e, ERR_LIMIT, "%s: %lld MB are free, %lld MB may be needed; "
		    "choose another place with --scratch", s->scratch.root,
		    (long long)have, (long long)need);
	if (v.f_files > 0 && v.f_favail < 256)
		return err_set(e, ERR_LIMIT, "%s: %llu inodes are free, 256 are needed",
		    s->scratch.root, (unsigned long long)v.f_favail);
	return OK;
}

static int
choose_executor(struct sessions *s, struct err *e)
{
	const char *vt = s->o->of.vt, *how = s->o->of.executor;

	if (vt != NULL && strcmp(vt, "0") != 0 && strcmp(vt, "1") != 0)
		return err_set(e, ERR_INVALID, "SCALE_VT: expected 0 or 1, got \"%.40s\"", vt);
	s->threads = how != NULL ? strcmp(how, "threads") == 0 :
	    vt != NULL && strcmp(vt, "0") == 0;
	if (s->threads && !s->arm->threads)
		return err_set(e, ERR_INVALID, "--executor threads: the arm %s has loops "
		    "only; chart-mem, hand, hand+transcript and hand+ckpt have both",
		    s->arm->name);
	return OK;
}

static bool
ignores(const struct arm *a, bool threads, const char *flag)
{
	for (size_t i = 0; i < COUNT(a->ignores) && a->ignores[i] != NULL; i++)
		if (strcmp(a->ignores[i], flag) == 0)
			return true;
	/* A thread a session has no loops, and of the engine no store. */
	return threads && (strcmp(flag, "shards") == 0 || (a->run == sessions_chart &&
	    strcmp(flag, "durability") == 0));
}

bool
bench_sessions_ignores(const char *arm, const char *flag)
{
	const struct arm *a = arm_find(arm, NULL);

	return a != NULL && ignores(a, false, flag);
}

static int
refuse_ignored(const struct sessions *s, struct err *e)
{
	for (const struct flag *f = bench_sessions_flags; f->name != NULL; f++)
		if (flag_differs(f, s->o) && ignores(s->arm, s->threads, f->name))
			return err_set(e, ERR_INVALID, "--%s has no effect with --arm %s%s",
			    f->name, s->arm->name, s->threads ? " --executor threads" : "");
	return OK;
}

static int
prepare(struct sessions *s, struct err *e)
{
	int rc = report_thresholds(NULL, s->o->of.thresholds, e);

	s->arm = rc == OK ? arm_find(s->o->of.arm, e) : NULL;
	if (s->arm == NULL)
		return ERR_INVALID;
	rc = choose_executor(s, e);
	if (rc == OK)
		rc = refuse_ignored(s, e);
	machine_files_raise();
	if (rc == OK && s->arm->scratch) {
		rc = scratch_make(&s->scratch, s->o->of.scratch, s->o->keep, e);
		if (rc == OK)
			rc = check_room(s, e);
	}
	return rc;
}

int
bench_sessions(const struct sessions_options *o, int argc, char *const *argv,
    struct err *e)
{
	struct sessions *s = mem_new(struct sessions);
	msec started = clock_wall_ms();
	int rc;

	s->o = o;
	s->pid = getpid();
	rc = prepare(s, e);
	if (rc == OK)
		rc = s->arm->run(s, e);
	if (rc == OK)
		count_unended(s);
	if (rc == OK)
		rc = report_sessions(s, argc, argv, started, e);
	scratch_remove(&s->scratch);
	for (size_t i = 0; i < s->tally_n; i++)
		free(s->tally[i].times);
	free(s->tally);
	free(s);
	return rc;
}
