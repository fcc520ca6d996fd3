/*
 * ramp_step.c - one step: a process of `bench sessions` in the box, its RESULT line,
 * and why there is none.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
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
	int rc;

	if (!str_starts(line, S("RESULT {")))
		return err_set(e, ERR_INVALID, "not a RESULT line");
	rc = json_parse(&d, str_sub(line, 7, line.n), e);
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
		{ "--arm", o->arm }, { "--concurrency", arg_number(a, c) },
		{ "--turns", arg_number(a, o->turns) }, { "--ttft", arg_number(a, o->ttft) },
		{ "--tokens", arg_number(a, o->tokens) },
		{ "--token-ms", arg_number(a, o->token_ms) },
		{ "--state-kb", arg_number(a, o->state_kb) },
		{ "--jitter", o->jitter > 0 ? arg_number(a, o->jitter) : NULL },
		{ "--arrival", o->arrival }, { "--durability", o->durability },
		{ "--executor", o->executor }, { "--vt", o->vt },
		{ "--timeout", arg_number(a, o->timeout) },
		{ "--scratch", o->image == NULL ? r->scratch.root : NULL },
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

_Noreturn static void
child_main(const struct ramp *r, const char *const *args, int out, int words,
    pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(127);
	dup2(out, STDOUT_FILENO);
	dup2(words, STDERR_FILENO);
	if (r->o->image == NULL && box_enter(&r->box) != 0) {
		fprintf(stderr, "the box could not be entered: %s\n", strerror(errno));
		_exit(126);
	}
	execvp(args[0], (char *const *)args);
	fprintf(stderr, "%s: %s\n", args[0], strerror(errno));
	_exit(127);
}

/* Reads both ends until they close; false: it took too long. */
static bool
read_both(int out, int words, struct buf *said, struct buf *tail, nsec end)
{
	struct pollfd p[2] = { { out, POLLIN, 0 }, { words, POLLIN, 0 } };
	struct buf *into[2] = { said, tail };
	char part[4096];

	while (p[0].fd >= 0 || p[1].fd >= 0) {
		nsec left = end - clock_mono();

		if (left <= 0)
			return false;
		if (poll(p, 2, (int)(left / NS_PER_MS) + 1) < 0 && errno != EINTR)
			return false;
		for (int i = 0; i < 2; i++) {
			ssize_t n;

			if (p[i].fd < 0 || p[i].revents == 0)
				continue;
			n = read(p[i].fd, part, sizeof part);
			if (n > 0 && (i == 0 || !str_starts((struct str){ part, (size_t)n },
			    S("sessions: "))))
				buf_add(into[i], (struct str){ part, (size_t)n });
			else if (n == 0 || (n < 0 && errno != EINTR))
				p[i].fd = -1;
		}
	}
	return true;
}

static struct str
result_line(struct str text)
{
	struct str line, last = STR_NONE;

	while (str_next(&text, '\n', &line))
		if (str_starts(line, S("RESULT ")))
			last = line;
	return last;
}

static struct str
tail_of(struct str s)
{
	s = str_trim(s);
	return s.n > TAIL_BYTES ? str_sub(s, s.n - TAIL_BYTES, s.n) : s;
}

static void
step_judge(struct ramp_step *s, const struct buf *said, const struct buf *words,
    struct ramp_end *end)
{
	struct json_doc d = { 0 };
	struct str line = result_line(buf_str(said));
	struct err e;

	end->said = line.n > 0 && ramp_read(s, line, &e) == OK;
	end->errors = s->errors;
	end->words = tail_of(buf_str(words));
	if (end->said && json_parse(&d, str_sub(line, 7, line.n), NULL) == OK)
		end->sample = json_str(json_get(d.root, S("err_sample")));
	/* A missed threshold of its own is no collapse: it has none. */
	if (end->said && s->errors == 0)
		end->code = 0;
	s->cause = ramp_cause(end, s->why);
	json_release(&d);
	s->result = BUF(OUT_BYTES);
	buf_add(&s->result, line);
}

int
ramp_run(struct ramp *r, const struct ramp_side *side, int64_t c,
    struct ramp_step *out, struct err *e)
{
	struct arena a = ARENA(64 * KB);
	struct buf said = BUF(OUT_BYTES), words = BUF(OUT_BYTES);
	const char *args[RAMP_ARGS];
	struct ramp_end end = { .kills = box_kills(&r->box) };
	int out_ends[2], word_ends[2], status = 0;
	pid_t parent = getpid(), pid;

	*out = (struct ramp_step){ .c = c };
	ramp_args(r, side, c, args, &a);
	if (pipe2(out_ends, O_CLOEXEC) != 0 || pipe2(word_ends, O_CLOEXEC) != 0)
		return err_set(e, ERR_IO, "a pipe: %s", strerror(errno));
	pid = fork();
	if (pid == 0)
		child_main(r, args, out_ends[1], word_ends[1], parent);
	close(out_ends[1]);
	close(word_ends[1]);
	if (pid < 0)
		return err_set(e, ERR_IO, "fork: %s", strerror(errno));
	end.timed_out = !read_both(out_ends[0], word_ends[0], &said, &words, clock_mono() +
	    (r->o->timeout + GRACE_MS) * NS_PER_MS);
	if (end.timed_out)
		kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	close(out_ends[0]);
	close(word_ends[0]);
	end.kills = box_kills(&r->box) - end.kills;
	end.signal = WIFSIGNALED(status) && !end.timed_out ? WTERMSIG(status) : 0;
	end.code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
	step_judge(out, &said, &words, &end);
	buf_release(&said);
	buf_release(&words);
	arena_release(&a);
	return OK;
}
