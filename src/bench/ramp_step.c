/*
 * ramp_step.c - one step: a process of `bench sessions` in the box, its RESULT line,
 * and why there is none.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "bench/subject.h"
#include "bench/ramp_priv.h"

#define OUT_BYTES  (1 * MB)
#define TAIL_BYTES 400
#define GRACE_MS   30000                     /* beyond --timeout, for its own report */

const char *const collapse_names[] = {
	"none", "oom", "threads", "open files", "timeout", "errors", "exit code"
};

/* ---- why ------------------------------------------------------------------------ */

static bool
speaks_of(struct str text, const char *const *marks)
{
	for (; *marks != NULL; marks++)
		if (text.n > 0 && memmem(text.p, text.n, *marks, strlen(*marks)) != NULL)
			return true;
	return false;
}

enum collapse
ramp_cause(const struct ramp_end *end, char why[200])
{
	static const char *const memory[] = { "out of memory", "Cannot allocate memory",
		"mmap failed", NULL };
	static const char *const threads[] = { "threads: ", "Resource temporarily "
		"unavailable", NULL };
	static const char *const files[] = { "open files", "Too many open files", NULL };
	static const char *const late[] = { "timeout: ", NULL };
	struct str text = end->sample.n > 0 ? end->sample : end->words;
	bool killed = end->signal == SIGKILL || end->code == 128 + SIGKILL;
	enum collapse cause = COLLAPSE_NONE;

	snprintf(why, 200, "%.*s", FMT(str_cut(text, 199)));
	if (end->timed_out)
		cause = COLLAPSE_TIMEOUT;
	else if (end->kills > 0 || killed || speaks_of(end->words, memory))
		cause = COLLAPSE_OOM;
	else if (speaks_of(text, threads))
		cause = COLLAPSE_THREADS;
	else if (speaks_of(text, files))
		cause = COLLAPSE_FILES;
	else if (speaks_of(end->sample, late))
		cause = COLLAPSE_TIMEOUT;
	else if (end->errors > 0)
		cause = COLLAPSE_ERRORS;
	else if (end->signal != 0 || end->code != 0 || !end->said)
		cause = COLLAPSE_EXIT;
	if (cause == COLLAPSE_OOM && text.n == 0)
		snprintf(why, 200, "killed for want of memory");
	if (cause == COLLAPSE_EXIT && text.n == 0)
		snprintf(why, 200, end->signal != 0 ? "signal %d" : "exit code %d",
		    end->signal != 0 ? end->signal : end->code);
	if (cause == COLLAPSE_NONE)
		why[0] = '\0';
	return cause;
}

/* ---- what it said --------------------------------------------------------------- */

static double
number(jnode root, const char *key)
{
	jnode v = json_get(root, str_of(key));

	return json_is_number(v) ? json_number(v) : 0;
}

int
ramp_read(struct ramp_step *s, struct str line, struct err *e)
{
	struct json_doc d = { 0 };
	int rc = json_parse(&d, line, e);

	if (rc == OK && json_is_null(json_get(d.root, S("latency_infl"))))
		rc = err_set(e, ERR_INVALID, "not the RESULT line of bench sessions");
	if (rc == OK) {
		s->ok = (int64_t)number(d.root, "ok");
		s->errors = (int64_t)number(d.root, "errors");
		s->threads = (int64_t)number(d.root, "peak_threads");
		s->deltas = (int64_t)number(d.root, "deltas");
		s->fsyncs = (int64_t)number(d.root, "fsyncs");
		s->infl = number(d.root, "latency_infl");
		s->infl_p99 = number(d.root, "latency_infl_p99");
		s->p50_ms = number(d.root, "p50_session_ms");
		s->p99_ms = number(d.root, "p99_session_ms");
		s->wall_ms = number(d.root, "wall_ms");
		s->cpu_s = number(d.root, "cpu_sec");
		s->cpu_ms_turn = number(d.root, "cpu_ms_per_turn");
		s->rss_mb = number(d.root, "peak_rss_mb");
		s->rss_kb = number(d.root, "rss_kb_per_session");
		s->marginal_kb = number(d.root, "marginal_rss_kb");
		s->written = number(d.root, "bytes_written");
	}
	json_release(&d);
	return rc;
}

/* ---- the process ------------------------------------------------------------------ */

static const char *
arg_number(struct arena *a, int64_t v)
{
	return arena_fmt(a, "%lld", (long long)v).p;
}

void
ramp_args(const struct ramp *r, const struct ramp_side *side, int64_t c,
    const char *out[RAMP_ARGS], struct arena *a)
{
	const struct ramp_options *o = r->o;
	const struct { const char *flag, *value; } flags[] = {
		{ "--arm", o->of.arm }, { "--concurrency", arg_number(a, c) },
		{ "--turns", arg_number(a, o->of.turns) }, { "--ttft", arg_number(a, o->of.ttft) },
		{ "--tokens", arg_number(a, o->of.tokens) },
		{ "--token-ms", arg_number(a, o->of.token_ms) },
		{ "--state-kb", arg_number(a, o->of.state_kb) },
		{ "--jitter", o->of.jitter > 0 ? arg_number(a, o->of.jitter) : NULL },
		{ "--arrival", o->of.arrival > 0 ? arg_number(a, o->of.arrival) : NULL }, { "--durability", o->of.durability },
		{ "--executor", o->of.executor }, { "--vt", o->of.vt },
		{ "--timeout", arg_number(a, o->of.timeout) },
		{ "--scratch", o->image == NULL && !bench_sessions_ignores(o->of.arm, "scratch") ?
		    r->scratch.root : NULL },
	};
	size_t n = 0;

	if (o->image != NULL) {
		out[n++] = o->docker;
		out[n++] = "run";
		out[n++] = "--rm";
		out[n++] = arena_fmt(a, "--cpus=%g", r->cpus).p;
		out[n++] = arena_fmt(a, "--memory=%llu",
		    (unsigned long long)r->memory).p;
		out[n++] = arena_fmt(a, "--memory-swap=%llu",
		    (unsigned long long)r->memory).p;
		out[n++] = "--ulimit=nofile=1048576:1048576";
		out[n++] = o->image;
	} else {
		out[n++] = side->path;
	}
	out[n++] = "bench";
	out[n++] = "sessions";
	for (size_t i = 0; i < COUNT(flags); i++) {
		if (flags[i].value == NULL)
			continue;
		out[n++] = flags[i].flag;
		out[n++] = flags[i].value;
	}
	out[n] = NULL;
}

static int
enter_box(void *ctx)
{
	const struct ramp *r = ctx;

	if (r->o->image != NULL || box_enter(&r->box) == 0)
		return 0;
	fprintf(stderr, "the box could not be entered: %s\n", strerror(errno));
	return 1;
}

static struct str
tail_of(struct str s)
{
	s = str_trim(s);
	return s.n > TAIL_BYTES ? str_sub(s, s.n - TAIL_BYTES, s.n) : s;
}

static void
step_judge(struct ramp_step *s, const struct subject *c, struct ramp_end *end)
{
	struct json_doc d = { 0 };
	struct str line = subject_result(c);
	struct err e;

	end->said = line.n > 0 && ramp_read(s, line, &e) == OK;
	end->errors = s->errors;
	end->words = tail_of(buf_str(&c->words));
	if (end->said && json_parse(&d, line, NULL) == OK)
		end->sample = json_str(json_get(d.root, S("err_sample")));
	/* A missed threshold of its own is no collapse: it has none. */
	if (end->said && s->errors == 0)
		end->code = 0;
	s->cause = ramp_cause(end, s->why);
	json_release(&d);
	s->result = BUF(OUT_BYTES);
	if (line.n > 0)
		buf_add_fmt(&s->result, "RESULT %.*s", FMT(line));
}

int
ramp_run(struct ramp *r, const struct ramp_side *side, int64_t c,
    struct ramp_step *out, struct err *e)
{
	struct arena a = ARENA(64 * KB);
	const char *args[RAMP_ARGS];
	struct subject child = { .argv = args, .timeout = r->o->of.timeout + GRACE_MS,
		.skip = "sessions: ", .enter = enter_box, .ctx = r };
	struct ramp_end end = { .kills = box_kills(&r->box) };
	int rc;

	*out = (struct ramp_step){ .c = c };
	ramp_args(r, side, c, args, &a);
	rc = subject_run(&child, e);
	if (rc == OK) {
		end.timed_out = child.timed_out;
		end.kills = box_kills(&r->box) - end.kills;
		end.signal = child.signal;
		end.code = child.code;
		step_judge(out, &child, &end);
	}
	subject_release(&child);
	arena_release(&a);
	return rc;
}
