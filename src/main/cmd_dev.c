/*
 * cmd_dev.c - `cohort dev`: the server and the workers of a project's code, for the one who
 * writes it.  A change of its files starts the workers again; what runs ends in the old ones.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "main/cmd.h"
#include "main/dev_worker.h"
#include "main/serve.h"
#include "main/sources.h"
#include "net/process.h"

#define FOLDER ".cohort"                     /* of the project: what the server keeps */

extern char **environ;

const struct flag cmd_dev_flags[] = {
	{ "config", .kind = FLAG_TEXT, .value = "FILE", .letter = 'c',
	    .help = "the project's langgraph.json; default: the one in this folder" },
	{ "no-browser", .help = "do not open the console" },
	{ "no-reload", .help = "do not look at changes of files; end when a worker does" },
	{ "n-jobs-per-worker", .kind = FLAG_INT, .value = "N", .min = 1, .max = LIMIT_WORKER_SLOTS,
	    .help = "runs at once, of one worker" },
	{ NULL }
};

struct dev {
	struct config config;
	struct node *node;
	char *folder, *file;                 /* of the project: whole paths */
	bool program;                        /* file is a worker, of this language */
	enum code_lang lang;
	struct dev_worker *workers[CODE_LANGS];
	struct sources *sources;
	struct process *browser;
	struct wheel_timer late;             /* since it was asked to end */
	bool reload, browse, ending, failed;
	int64_t runs;
};

/* ---- its end ------------------------------------------------------------------------- */

static bool
any_lives(struct dev *d, bool (*each)(struct dev_worker *w))
{
	bool lives = false;

	for (int i = 0; i < CODE_LANGS; i++)
		if (d->workers[i] != NULL && each(d->workers[i]))
			lives = true;
	return lives;
}

static void
leave(struct dev *d)
{
	if (d->ending)
		return;
	d->ending = true;
	process_stop(d->browser, 0);
	d->browser = NULL;
	sources_free(d->sources);
	d->sources = NULL;
}

static void
kill_all(struct dev *d)
{
	for (int i = 0; i < CODE_LANGS; i++)
		if (d->workers[i] != NULL)
			dev_worker_kill(d->workers[i]);
}

static void
on_late(struct wheel_timer *t)
{
	struct dev *d = CONTAINER_OF(t, struct dev, late);

	fprintf(stderr, "cohort dev: the workers did not end within %d ms, and are killed\n",
	    LIMIT_DEV_STOP_MS);
	kill_all(d);
	node_drain(d->node);
}

/* The workers end first: they tell the server what became of their tasks. */
static bool
on_stopping(void *ctx)
{
	struct dev *d = ctx;

	leave(d);
	if (!any_lives(d, dev_worker_stop))
		return false;
	d->late.fire = on_late;
	shard_timer_set(node_shard(d->node), &d->late, LIMIT_DEV_STOP_MS);
	return true;
}

static void
on_cut(void *ctx)
{
	kill_all(ctx);
}

/* Of all languages, when the last is gone. */
static void
on_gone(void *ctx)
{
	struct dev *d = ctx;

	if (any_lives(d, dev_worker_stop))
		return;
	shard_timer_cancel(node_shard(d->node), &d->late);
	node_drain(d->node);
}

static void
on_fell(void *ctx, const char *how)
{
	struct dev *d = ctx;

	fprintf(stderr, "cohort dev: a worker has ended: %s; %s\n", how, d->reload ?
	    "it is started again when a file changes" : "with --no-reload it is not started "
	    "again");
	if (d->reload || d->ending)
		return;
	d->failed = true;
	if (!on_stopping(d))
		node_drain(d->node);
}

/* ---- changes --------------------------------------------------------------------------- */

static void
start_all(struct dev *d)
{
	for (int i = 0; i < CODE_LANGS; i++)
		if (d->workers[i] != NULL && !d->ending)      /* one may not start */
			dev_worker_start(d->workers[i]);
}

static void
on_changed(void *ctx, struct str path)
{
	struct dev *d = ctx;
	bool settings = str_eq(path, S("langgraph.json")) || str_eq(path, S(".env"));

	printf("%.*s has changed: the worker is restarted%s\n", FMT(path), settings ?
	    "; restart cohort dev for the server's own settings" : "");
	fflush(stdout);
	start_all(d);
}

/* ---- its begin --------------------------------------------------------------------------- */

static void
on_browser_said(void *ctx, struct str bytes)
{
	(void)ctx;
	(void)bytes;
}

static void
on_browser_gone(void *ctx, const struct err *e)
{
	struct dev *d = ctx;

	(void)e;
	d->browser = NULL;
}

/* Without a display or xdg-open the user has the address that was printed. */
static void
browse(struct dev *d, const char *url)
{
	const char *const argv[] = { "xdg-open", url, NULL };
	const struct process_options o = { .argv = argv, .env = (const char *const *)environ };
	const struct process_hooks hooks = { on_browser_said, on_browser_said, on_browser_gone,
		d };
	struct err e;

	if (getenv("DISPLAY") != NULL || getenv("WAYLAND_DISPLAY") != NULL)
		(void)process_start(&d->browser, node_shard(d->node), &o, &hooks, &e);
}

static bool
has_worker(const struct dev *d, enum code_lang lang)
{
	return d->program ? lang == d->lang : langgraph_has_code(&d->config.langgraph, lang);
}

static int
make_workers(struct dev *d, const char *url, struct err *e)
{
	int rc = OK;

	for (int i = 0; i < CODE_LANGS && rc == OK; i++) {
		const struct dev_worker_spec spec = { .shard = node_shard(d->node),
			.lang = (enum code_lang)i, .folder = d->folder, .file = d->file,
			.url = url, .program = d->program, .runs = d->runs, .fell = on_fell,
			.gone = on_gone, .ctx = d };

		if (!has_worker(d, (enum code_lang)i))
			continue;
		rc = dev_worker_new(&d->workers[i], &spec, e);
		if (rc == OK)
			printf("  worker       %s, by %s\n", dev_worker_name((enum code_lang)i),
			    dev_worker_client(d->workers[i]));
	}
	return rc;
}

static void
print_addresses(const struct dev *d, const char *url)
{
	printf("  project      %s\n  API          %s/docs\n  console      %s/ui\n", d->folder, url,
	    url);
	if (!d->program && d->config.langgraph.code_n == 0)
		printf("  worker       none: no graph of %s is code\n", d->file);
}

static void
on_listening(void *ctx, struct node *node)
{
	struct dev *d = ctx;
	struct buf url = BUF(KB), page = BUF(KB);
	struct err e;

	d->node = node;
	serve_add_url(&url, &d->config, node);
	buf_add_char(&url, '\0');
	buf_add_fmt(&page, "%s/ui%c", url.p, '\0');
	print_addresses(d, url.p);
	if (make_workers(d, url.p, &e) != OK) {
		fprintf(stderr, "cohort dev: %s\n", e.text);
		d->failed = true;
		node_drain(node);
	} else {
		fflush(stdout);
		start_all(d);
		if (d->reload && !d->ending)
			d->sources = sources_new(node_shard(node), d->folder, on_changed, d);
		if (d->browse && !d->ending)
			browse(d, page.p);
	}
	buf_release(&url);
	buf_release(&page);
}

/* ---- the project ---------------------------------------------------------------------------- */

/* The folder of what the server keeps; git is not to take it. */
static int
keep_in_project(struct dev *d, struct err *e)
{
	struct config *c = &d->config;
	struct buf b = BUF(PATH_MAX + 64);
	int rc = OK;

	if (!config_is_default(c, SETTING_DB) || !config_is_default(c, SETTING_STORE))
		return OK;
	buf_add_fmt(&b, "%s/" FOLDER "%c", d->folder, '\0');
	if (mkdir(b.p, 0700) < 0 && errno != EEXIST)
		rc = err_set(e, ERR_IO, "%s: %s", b.p, strerror(errno));
	buf_clear(&b);
	buf_add_fmt(&b, "%s/" FOLDER "/.gitignore%c", d->folder, '\0');
	if (rc == OK && access(b.p, F_OK) != 0)
		rc = file_put(b.p, S("*\n"), e);
	buf_clear(&b);
	buf_add_fmt(&b, "%s/" FOLDER "/cohort.db", d->folder);
	if (rc == OK)
		rc = config_set(c, SETTING_DB, buf_str(&b), RANK_FILE, "cohort dev", e);
	buf_release(&b);
	return rc;
}

static int
find_project(struct dev *d, const char *given, struct err *e)
{
	char path[PATH_MAX], *slash;

	if (realpath(given, path) == NULL)
		return err_set(e, ERR_NOTFOUND, "%s: %s; expected the langgraph.json of a project, or "
		    "a worker's program: cohort dev [langgraph.json | worker.py | worker.js]", given,
		    strerror(errno));
	d->program = code_lang_of(str_of(path), &d->lang);
	if (d->program && d->lang == CODE_JS && d->runs > 0)
		return err_set(e, ERR_INVALID, "--n-jobs-per-worker: a program in JavaScript says it "
		    "itself: serve(graphs, {slots: {run: %lld}})", (long long)d->runs);
	d->file = mem_cstr(str_of(path));
	slash = strrchr(path, '/');
	d->folder = mem_cstr((struct str){ path, slash == path ? 1 : (size_t)(slash - path) });
	return OK;
}

/* Settings of the server go on to it as flags. */
static int
load(struct dev *d, const struct flag_line *l, struct err *e)
{
	char **argv = mem_zero((l->given_n + 2) * sizeof *argv);
	int n = 0, rc;

	for (size_t i = 0; i < l->given_n; i++) {
		const struct flag_given *g = &l->given[i];
		struct buf b = BUF(SIZE_MAX / 2);

		if (g->flag >= cmd_dev_flags && g->flag < cmd_dev_flags + COUNT(cmd_dev_flags))
			continue;
		buf_add_fmt(&b, "--%s=%.*s", g->flag->name, FMT(g->value));
		argv[n++] = mem_cstr(buf_str(&b));
		buf_release(&b);
	}
	if (!d->program)
		argv[n++] = mem_cstr(str_of(d->file));
	rc = config_load(&d->config, n, argv, environ, e);
	for (int i = 0; i < n; i++)
		free(argv[i]);
	free(argv);
	return rc;
}

static int
prepare(struct dev *d, const struct flag_line *l, struct err *e)
{
	struct str given = l->operands_n > 0 ? l->operand[0] : line_has(l, "config") ?
	    line_text(l, "config") : S("langgraph.json");
	struct str runs = line_text(l, "n-jobs-per-worker");
	char *path = mem_cstr(given);
	int rc;

	d->reload = !line_has(l, "no-reload");
	d->browse = !line_has(l, "no-browser");
	rc = runs.p != NULL && (!str_to_i64(runs, &d->runs) || d->runs < 1 ||
	    d->runs > LIMIT_WORKER_SLOTS) ? err_set(e, ERR_INVALID, "--n-jobs-per-worker: expected "
	    "a whole number from 1 to %d, got \"%.*s\"", LIMIT_WORKER_SLOTS, FMT(runs)) : OK;
	if (rc == OK)
		rc = find_project(d, path, e);
	free(path);
	if (rc == OK)
		rc = load(d, l, e);
	return rc == OK ? keep_in_project(d, e) : rc;
}

static void
dev_release(struct dev *d)
{
	for (int i = 0; i < CODE_LANGS; i++)
		dev_worker_free(d->workers[i]);
	config_release(&d->config);
	free(d->folder);
	free(d->file);
}

int
cmd_dev(const struct flag_command *cmd, int argc, char **argv)
{
	struct dev d = { 0 };
	const struct serve_with with = { .listening = on_listening, .stopping = on_stopping,
		.cut = on_cut, .ctx = &d };
	struct arena a = ARENA(LINE_BYTES);
	struct flag_line l;
	struct err e = { 0 };
	int code, rc;

	setenv("UV_THREADPOOL_SIZE", "2", 0);
	rc = line_parse(&l, cmd, argc, argv, &a, &e);
	if (rc == OK)
		rc = prepare(&d, &l, &e);
	code = rc == OK ? serve_run(cmd, &d.config, &with) : command_usage_error(cmd->name, &e);
	dev_release(&d);
	arena_release(&a);
	return d.failed ? 1 : code;
}
