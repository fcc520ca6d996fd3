/*
 * flame.c - see flame.h.
 *
 * A sample of `perf script` is a line that begins at the margin (its process), lines
 * of frames, innermost first, and an empty line.  Samples become a tree of frames
 * whose width is their share.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/flame.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "bench/plot.h"
#include "bench/report.h"

#define FRAMES     128                       /* of a sample; the outermost are cut */
#define NAME       96
#define NODES      200000
#define WIDTH      1200.0
#define ROW        17
#define WIDTH_MIN  0.4                       /* pixels; a narrower frame is not drawn */
#define SVG_BYTES  (32 * MB)
#define RATE       "499"                     /* samples a second; not in step with ticks */

struct node {
	char name[NAME];
	uint64_t samples;
	uint32_t first, next;                /* child, brother; 0: none */
};

struct flame {
	struct node *node;                   /* [0]: all */
	size_t n, cap;
	char process[NAME];
	char frame[FRAMES][NAME];
	size_t frames_n, depth;
};

struct flame *
flame_new(void)
{
	struct flame *f = mem_new(struct flame);

	mem_grow(f->node, f->n, f->cap);
	f->node[f->n++] = (struct node){ .name = "all" };
	return f;
}

void
flame_free(struct flame *f)
{
	free(f->node);
	free(f);
}

uint64_t
flame_samples(const struct flame *f)
{
	return f->node[0].samples;
}

/* The child of that name; 0: there is no room for it. */
static uint32_t
child_of(struct flame *f, uint32_t parent, const char *name)
{
	uint32_t i = f->node[parent].first;

	while (i != 0 && strcmp(f->node[i].name, name) != 0)
		i = f->node[i].next;
	if (i != 0 || f->n >= NODES)
		return i;
	mem_grow(f->node, f->n, f->cap);
	i = (uint32_t)f->n++;
	f->node[i] = (struct node){ .next = f->node[parent].first };
	snprintf(f->node[i].name, NAME, "%s", name);
	f->node[parent].first = i;
	return i;
}

static void
sample_end(struct flame *f)
{
	uint32_t at = 0;

	if (f->process[0] == '\0')
		return;
	f->node[0].samples++;
	at = child_of(f, 0, f->process);
	for (size_t i = f->frames_n; at != 0; i--) {
		f->node[at].samples++;
		if (i == 0)
			break;
		at = child_of(f, at, f->frame[i - 1]);
	}
	if (f->frames_n + 2 > f->depth)
		f->depth = f->frames_n + 2;
	f->process[0] = '\0';
	f->frames_n = 0;
}

/* "  55d0c1 runs_step+0x12 (/path/cohortd)": the name. */
static void
frame_add(struct flame *f, struct str line)
{
	struct str s = str_trim(line), rest;
	ptrdiff_t blank = str_index(s, ' '), plus, paren;

	if (blank < 0 || f->frames_n == FRAMES)
		return;
	rest = str_sub(s, (size_t)blank + 1, s.n);
	plus = str_index(rest, '+');
	paren = str_index(rest, ' ');
	if (str_starts(rest, S("[unknown]")) && paren > 0)
		rest = str_sub(rest, (size_t)paren + 1, rest.n);     /* its file */
	else if (plus > 0)
		rest.n = (size_t)plus;
	else if (paren > 0)
		rest.n = (size_t)paren;
	snprintf(f->frame[f->frames_n++], NAME, "%.*s", FMT(str_cut(rest, NAME - 1)));
}

void
flame_line(struct flame *f, struct str line)
{
	ptrdiff_t blank = str_index(line, ' ');

	if (str_trim(line).n == 0)
		sample_end(f);
	else if (line.p[0] == ' ' || line.p[0] == '\t')
		frame_add(f, line);
	else
		snprintf(f->process, NAME, "%.*s", FMT(str_cut(str_sub(line, 0,
		    blank > 0 ? (size_t)blank : line.n), NAME - 1)));
}

/* ---- the picture ----------------------------------------------------------------- */

static void
add_frame(const struct flame *f, uint32_t i, double x, size_t level, struct buf *out)
{
	const struct node *n = &f->node[i];
	double all = (double)f->node[0].samples, wide = WIDTH * (double)n->samples / all;
	double y = (double)(f->depth - level) * ROW;
	size_t letters = (size_t)(wide / 7);
	uint32_t hash = str_hash(str_of(n->name));

	if (wide < WIDTH_MIN)
		return;
	buf_add_fmt(out, "<g><title>");
	page_add_text(out, str_of(n->name));
	buf_add_fmt(out, " (%llu samples, %.2f %%)</title><rect x=\"%.1f\" y=\"%.1f\" "
	    "width=\"%.1f\" height=\"%d\" fill=\"hsl(%u,70%%,%u%%)\" stroke=\"#fff\" "
	    "stroke-width=\".4\"/>", (unsigned long long)n->samples,
	    100 * (double)n->samples / all, x, y, wide, ROW - 1, 5 + hash % 45,
	    60 + hash / 64 % 15);
	if (letters >= 3) {
		buf_add_fmt(out, "<text x=\"%.1f\" y=\"%.1f\">", x + 3, y + 12);
		page_add_text(out, str_cut(str_of(n->name), letters - 1));
		buf_lit(out, "</text>");
	}
	buf_lit(out, "</g>\n");
	for (uint32_t k = n->first; k != 0; k = f->node[k].next) {
		add_frame(f, k, x, level + 1, out);
		x += WIDTH * (double)f->node[k].samples / all;
	}
}

void
flame_add_svg(const struct flame *f, const char *title, struct buf *out)
{
	double height = (double)(f->depth + 2) * ROW + 30;

	buf_add_fmt(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 -24 %.0f %.0f\" "
	    "font-family=\"monospace\" font-size=\"11\"><text x=\"4\" y=\"-8\" "
	    "font-size=\"14\">", WIDTH, height);
	page_add_text(out, str_of(title));
	buf_add_fmt(out, ", %llu samples</text>\n", (unsigned long long)flame_samples(f));
	if (flame_samples(f) > 0)
		add_frame(f, 0, 0, 0, out);
	buf_lit(out, "</svg>\n");
}

/* ---- perf ------------------------------------------------------------------------ */

static pid_t
start(const char *const *argv, int out, const char *log)
{
	pid_t pid = fork();

	if (pid == 0) {
		int fd = open(log, O_CREAT | O_WRONLY | O_APPEND, 0600);
		int null = open("/dev/null", O_RDWR);

		dup2(null, STDIN_FILENO);
		dup2(out >= 0 ? out : null, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
		execvp(argv[0], (char *const *)argv);
		fprintf(stderr, "exec: %s\n", strerror(errno));
		_exit(127);
	}
	return pid;
}

static int
explain(const char *log, int status, struct err *e)
{
	char text[2048];
	struct str said = str_trim(file_head(log, text, sizeof text));

	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return err_set(e, ERR_NOTFOUND, "--flamegraph needs perf(1), which is not "
		    "there (Debian: apt install linux-perf)");
	return err_set(e, ERR_IO, "--flamegraph: perf recorded nothing; it may need "
	    "`sysctl kernel.perf_event_paranoid=2` or less: %.*s", FMT(str_cut(said, 300)));
}

/* What `perf script` says of a recording goes into f. */
static int
fold(struct flame *f, const char *data, const char *log, struct err *e)
{
	const char *const argv[] = { "perf", "script", "-i", data, "-F", "comm,ip,sym,dso", NULL };
	int ends[2], status = 0;
	char *line = NULL;
	size_t size = 0;
	ssize_t n;
	FILE *in;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return err_set(e, ERR_IO, "a pipe: %s", strerror(errno));
	pid = start(argv, ends[1], log);
	close(ends[1]);
	in = fdopen(ends[0], "r");
	assert(in != NULL);
	while ((n = getline(&line, &size, in)) > 0)
		flame_line(f, (struct str){ line, (size_t)n });
	flame_line(f, STR_NONE);
	free(line);
	fclose(in);
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0)
		return explain(log, status, e);
	return OK;
}

/* The value of --pid in a command line; NULL. */
static const char *
server_of(const char *const *args)
{
	for (; *args != NULL; args++) {
		if (strncmp(*args, "--pid=", 6) == 0)
			return *args + 6;
		if (strcmp(*args, "--pid") == 0)
			return args[1];
	}
	return NULL;
}

static int
record(struct campaign *c, const struct bout *b, const char *data, const char *of_server,
    const char *log, struct err *e)
{
	const char *server = server_of(b->args[0]);
	const char *beside[] = { "perf", "record", "-q", "-F", RATE, "-g", "-o", of_server, "-p",
		server, NULL };
	const char *argv[MEASURE_ARGS + 16] = { "perf", "record", "-q", "-F", RATE, "-g", "-o",
		data, "--", c->side[0].path };
	size_t n = 10;
	int status = 0;
	pid_t pid, other = server != NULL ? start(beside, -1, log) : 0;

	for (const char *const *a = b->args[0]; *a != NULL; a++)
		argv[n++] = *a;
	argv[n] = NULL;
	fprintf(stderr, "%s: once more under perf\n", b->id);
	pid = start(argv, -1, log);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return err_set(e, ERR_IO, "perf: %s", strerror(errno));
	if (other > 0) {
		kill(other, SIGINT);
		waitpid(other, NULL, 0);
	}
	/* The workload's own exit code is perf's: a missed target still has a profile. */
	return access(data, R_OK) == 0 ? OK : explain(log, status, e);
}

/* "flame.svg" of one workload; of many "flame-B1.svg". */
static void
file_name(const struct campaign *c, const struct bout *b, char out[WB_PATH])
{
	struct str s = str_of(c->flamegraph);

	if (str_ends(s, S(".svg")))
		s.n -= 4;
	if (c->bouts_n > 1)
		snprintf(out, WB_PATH, "%.*s-%s.svg", FMT(s), b->id);
	else
		snprintf(out, WB_PATH, "%s", c->flamegraph);
}

int
flame_record(struct campaign *c, const struct bout *b, struct err *e)
{
	char data[WB_PATH + 16], of_server[WB_PATH + 16], log[WB_PATH + 16], path[WB_PATH];
	struct flame *f = flame_new();
	struct buf svg = BUF(SVG_BYTES);
	int rc;

	snprintf(data, sizeof data, "%s/perf.data", c->scratch.root);
	snprintf(of_server, sizeof of_server, "%s/server.data", c->scratch.root);
	snprintf(log, sizeof log, "%s/perf.log", c->scratch.root);
	rc = record(c, b, data, of_server, log, e);
	if (rc == OK)
		rc = fold(f, data, log, e);
	if (rc == OK && access(of_server, R_OK) == 0)
		rc = fold(f, of_server, log, e);
	if (rc == OK) {
		file_name(c, b, path);
		flame_add_svg(f, b->id, &svg);
		report_make_folders(path);
		rc = file_put(path, buf_str(&svg), e);
	}
	buf_release(&svg);
	unlink(data);
	unlink(of_server);
	unlink(log);
	flame_free(f);
	return rc;
}
