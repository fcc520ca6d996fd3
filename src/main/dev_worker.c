/*
 * dev_worker.c - see dev_worker.h.
 *
 * The client is the project's own, if it has installed one, else the one that came with
 * cohort.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/dev_worker.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/list.h"
#include "base/mem.h"
#include "net/process.h"

#define LINE_MAX_BYTES (64 * KB)

/* One process. */
struct hand {
	struct list all;
	struct dev_worker *w;
	struct process *p;
	struct buf out, err;                 /* lines that have not ended yet */
};

struct dev_worker {
	struct dev_worker_spec spec;
	char *folder, *file, *url;
	char *client;                        /* js: the command's file; python: a folder for
	                                        PYTHONPATH, or NULL */
	char *python;
	struct list hands;
	struct hand *now;                    /* NULL: none */
	bool stopping;
};

extern char **environ;

const char *
dev_worker_name(enum code_lang lang)
{
	static const char *const names[CODE_LANGS] = { [CODE_JS] = "js", [CODE_PYTHON] = "python" };

	return names[lang];
}

const char *
dev_worker_client(const struct dev_worker *w)
{
	return w->client != NULL ? w->client : "the project's own";
}

/* ---- where the client is ------------------------------------------------------------- */

static char *
joined(struct str folder, const char *rest)
{
	struct buf b = BUF(SIZE_MAX / 2);
	char *path;

	buf_add(&b, folder);
	buf_add_char(&b, '/');
	buf_add(&b, str_of(rest));
	path = mem_cstr(buf_str(&b));
	buf_release(&b);
	return path;
}

/* In the project, or, as Node looks for packages, in a folder above it. */
static char *
find_above(const char *folder, const char *rest)
{
	struct str at = str_of(folder);

	while (at.n > 0) {
		char *path = joined(at, rest);

		if (access(path, R_OK) == 0)
			return path;
		free(path);
		while (at.n > 0 && at.p[at.n - 1] != '/')
			at.n--;
		at.n -= at.n > 0;
	}
	return NULL;
}

/* Beside an installed cohort, or one in its build folder. */
static char *
find_ours(const char *rest)
{
	static const char *const folders[] = { "../../share/cohort/", "../share/cohort/", "../" };
	char path[PATH_MAX], whole[PATH_MAX];
	struct err e;

	for (size_t i = 0; i < COUNT(folders); i++)
		if (file_beside(rest, folders[i], path, sizeof path, &e) == OK &&
		    realpath(path, whole) != NULL)
			return mem_cstr(str_of(whole));
	return NULL;
}

static int
find_js(struct dev_worker *w, struct err *e)
{
	w->client = find_above(w->folder, "node_modules/cohort-worker/bin/cohort-worker.mjs");
	if (w->client == NULL)
		w->client = find_ours("clients/js/bin/cohort-worker.mjs");
	return w->client != NULL ? OK : err_set(e, ERR_NOTFOUND, "the client of workers in "
	    "JavaScript is neither in the project's node_modules nor beside cohort: npm install "
	    "--save-dev cohort-worker");
}

/* The interpreter of the project's own environment; PYTHONPATH comes after what that has. */
static int
find_python(struct dev_worker *w)
{
	static const char *const folders[] = { ".venv/bin/python", "venv/bin/python" };
	const char *active = getenv("VIRTUAL_ENV");
	char *client = find_ours("clients/python/cohort_worker/__init__.py");

	if (active != NULL && active[0] != '\0')
		w->python = joined(str_of(active), "bin/python");
	for (size_t i = 0; i < COUNT(folders) && w->python == NULL; i++) {
		char *path = joined(str_of(w->folder), folders[i]);

		if (access(path, X_OK) == 0)
			w->python = path;
		else
			free(path);
	}
	if (w->python == NULL)
		w->python = mem_cstr(S("python3"));
	if (client != NULL)
		w->client = mem_cstr((struct str){ client, strlen(client) -
		    strlen("/cohort_worker/__init__.py") });
	free(client);
	return OK;
}

int
dev_worker_new(struct dev_worker **out, const struct dev_worker_spec *s, struct err *e)
{
	struct dev_worker *w = mem_new(struct dev_worker);
	int rc;

	w->spec = *s;
	w->folder = mem_cstr(str_of(s->folder));
	w->file = mem_cstr(str_of(s->file));
	w->url = mem_cstr(str_of(s->url));
	list_init(&w->hands);
	rc = s->lang == CODE_PYTHON ? find_python(w) : s->program ? OK : find_js(w, e);
	*out = w;
	if (rc == OK)
		return OK;
	dev_worker_free(w);
	*out = NULL;
	return rc;
}

/* ---- what it says --------------------------------------------------------------------- */

static void
print_line(const struct dev_worker *w, FILE *to, struct str line)
{
	fprintf(to, "[%s] %.*s\n", dev_worker_name(w->spec.lang), FMT(line));
	fflush(to);
}

static void
print_lines(struct hand *h, FILE *to, struct buf *rest, struct str bytes)
{
	for (size_t i = 0; i < bytes.n; i++) {
		if (bytes.p[i] != '\n' && rest->n < LINE_MAX_BYTES) {
			buf_add_char(rest, bytes.p[i]);
			continue;
		}
		print_line(h->w, to, buf_str(rest));
		buf_clear(rest);
		if (bytes.p[i] != '\n')
			buf_add_char(rest, bytes.p[i]);
	}
}

static void
on_out(void *ctx, struct str bytes)
{
	struct hand *h = ctx;

	print_lines(h, stdout, &h->out, bytes);
}

static void
on_err(void *ctx, struct str bytes)
{
	struct hand *h = ctx;

	print_lines(h, stderr, &h->err, bytes);
}

/* ---- its life -------------------------------------------------------------------------- */

static void
hand_free(struct hand *h)
{
	if (h->out.n > 0)
		print_line(h->w, stdout, buf_str(&h->out));
	if (h->err.n > 0)
		print_line(h->w, stderr, buf_str(&h->err));
	list_remove(&h->all);
	buf_release(&h->out);
	buf_release(&h->err);
	free(h);
}

static void
on_gone(void *ctx, const struct err *e)
{
	struct hand *h = ctx;
	struct dev_worker *w = h->w;
	bool fell = w->now == h;

	if (fell)
		w->now = NULL;
	hand_free(h);
	if (w->stopping && list_empty(&w->hands))
		w->spec.gone(w->spec.ctx);
	else if (fell && !w->stopping)
		w->spec.fell(w->spec.ctx, e->text);
}

static const char *const own_names[] = { "COHORT_URL=", "COHORT_DEV=", "PYTHONUNBUFFERED=",
	"PYTHONPATH=" };

/* Our own environment, with the variables above set for the worker. */
static const char **
env_make(const struct dev_worker *w, struct arena *a)
{
	const char *path = getenv("PYTHONPATH");
	const char **env;
	size_t n = 0, used = 0;

	while (environ[n] != NULL)
		n++;
	env = arena_zero(a, (n + COUNT(own_names) + 1) * sizeof *env);
	for (size_t i = 0; i < n; i++) {
		bool own = false;

		for (size_t k = 0; k < COUNT(own_names); k++)
			own = own || str_starts(str_of(environ[i]), str_of(own_names[k]));
		if (!own)
			env[used++] = environ[i];
	}
	env[used++] = arena_fmt(a, "COHORT_URL=%s%c", w->url, '\0').p;
	env[used++] = "COHORT_DEV=1";
	env[used++] = "PYTHONUNBUFFERED=1";
	if (w->spec.lang == CODE_PYTHON && w->client != NULL && path != NULL)
		env[used++] = arena_fmt(a, "PYTHONPATH=%s:%s%c", path, w->client, '\0').p;
	else if (w->spec.lang == CODE_PYTHON && w->client != NULL)
		env[used++] = arena_fmt(a, "PYTHONPATH=%s%c", w->client, '\0').p;
	else if (path != NULL)
		env[used++] = arena_fmt(a, "PYTHONPATH=%s%c", path, '\0').p;
	return env;
}

static bool
is_typed(struct str file)
{
	return str_ends(file, S("ts")) || str_ends(file, S("x"));
}

static void
argv_make(const struct dev_worker *w, const char *argv[8], struct arena *a)
{
	size_t n = 0;

	if (w->spec.lang == CODE_JS) {
		argv[n++] = "node";
		if (!w->spec.program) {
			argv[n++] = w->client;
		} else if (is_typed(str_of(w->file))) {
			argv[n++] = "--import";      /* the project's own */
			argv[n++] = "tsx";
		}
	} else {
		argv[n++] = w->python;
		argv[n++] = "-m";
		argv[n++] = "cohort_worker";
	}
	argv[n++] = w->file;
	if (w->spec.runs > 0) {
		argv[n++] = "--runs";
		argv[n++] = arena_fmt(a, "%lld%c", (long long)w->spec.runs, '\0').p;
	}
	argv[n] = NULL;
}

static void
retire(struct hand *h)
{
	process_signal(h->p, SIGTERM);
	if (h->w->now == h)
		h->w->now = NULL;
}

void
dev_worker_start(struct dev_worker *w)
{
	struct arena a = ARENA(MB);
	const char *argv[8];
	struct hand *h = mem_new(struct hand);
	struct process_options o = { .argv = argv, .cwd = w->folder };
	const struct process_hooks hooks = { on_out, on_err, on_gone, h };
	struct err e;

	if (w->now != NULL)
		retire(w->now);
	h->w = w;
	h->out = h->err = BUF(LINE_MAX_BYTES + 1);
	list_append(&w->hands, &h->all);
	argv_make(w, argv, &a);
	o.env = env_make(w, &a);
	if (process_start(&h->p, w->spec.shard, &o, &hooks, &e) == OK) {
		w->now = h;
	} else {
		hand_free(h);
		w->spec.fell(w->spec.ctx, e.text);
	}
	arena_release(&a);
}

bool
dev_worker_stop(struct dev_worker *w)
{
	bool told = w->stopping;

	w->stopping = true;
	for (struct list *l = w->hands.next; l != &w->hands && !told; l = l->next)
		retire(CONTAINER_OF(l, struct hand, all));
	return !list_empty(&w->hands);
}

void
dev_worker_kill(struct dev_worker *w)
{
	while (!list_empty(&w->hands)) {
		struct hand *h = CONTAINER_OF(w->hands.next, struct hand, all);

		process_stop(h->p, 0);
		hand_free(h);
	}
	w->now = NULL;
}

void
dev_worker_free(struct dev_worker *w)
{
	if (w == NULL)
		return;
	dev_worker_kill(w);
	free(w->folder);
	free(w->file);
	free(w->url);
	free(w->client);
	free(w->python);
	free(w);
}
