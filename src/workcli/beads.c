/*
 * beads.c - the items of a beads workspace, and its prefix.
 *
 * Reads the JSONL file beside its database; a database without one is refused.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "workcli/context.h"
#include "workcli/lines.h"

#define BEADS_FOLDER ".beads"

/* The first *.jsonl by name, as bd chooses it. */
static bool
jsonl_in(const char *dir, char *out, size_t size)
{
	DIR *d = opendir(dir);
	struct dirent *x;
	char best[NAME_MAX + 1] = "";

	if (d == NULL)
		return false;
	while ((x = readdir(d)) != NULL) {
		if (str_ends(str_of(x->d_name), S(".jsonl")) &&
		    (best[0] == '\0' || strcmp(x->d_name, best) < 0))
			snprintf(best, sizeof best, "%s", x->d_name);
	}
	closedir(d);
	return best[0] != '\0' && snprintf(out, size, "%s/%s", dir, best) < (int)size;
}

static bool
is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The nearest .beads/ from the current folder upwards. */
int
cli_beads_near(char *out, size_t size, struct err *e)
{
	char dir[PATH_MAX];

	if (getcwd(dir, sizeof dir) == NULL)
		return err_set(e, ERR_IO, "the current folder: %s", strerror(errno));
	for (;;) {
		char *slash = strrchr(dir, '/');

		if (snprintf(out, size, "%s/" BEADS_FOLDER, dir) < (int)size &&
		    is_folder(out))
			return OK;
		if (slash == NULL || dir[0] == '\0')
			break;
		*slash = '\0';
	}
	return err_set(e, ERR_NOTFOUND, "there is no " BEADS_FOLDER "/ here or above");
}

/* Its folder, the folder around it, its database, or the file itself. */
static int
beads_find(struct str from, char *out, size_t size, struct err *e)
{
	char dir[PATH_MAX], inner[PATH_MAX];
	char *slash;
	int rc = OK;

	if (from.n == 0)
		rc = cli_beads_near(dir, sizeof dir, e);
	else if (snprintf(dir, sizeof dir, "%.*s", FMT(from)) >= (int)sizeof dir)
		rc = err_set(e, ERR_TOOBIG, "the path is too long");
	if (rc != OK)
		return rc;
	if (!is_folder(dir) && str_ends(str_of(dir), S(".jsonl")))
		return snprintf(out, size, "%s", dir) < (int)size ? OK :
		    err_set(e, ERR_TOOBIG, "the path is too long");
	if (!is_folder(dir)) {
		slash = strrchr(dir, '/');
		snprintf(slash == NULL ? dir : slash, 2, "%s", slash == NULL ? "." : "");
	}
	if (snprintf(inner, sizeof inner, "%s/" BEADS_FOLDER, dir) <
	    (int)sizeof inner && is_folder(inner) && jsonl_in(inner, out, size))
		return OK;
	return jsonl_in(dir, out, size) ? OK : err_set(e, ERR_NOTFOUND, "%s: there is "
	    "no .jsonl file, and its database is not read; write one with the bd that "
	    "made it: bd export -o %s/issues.jsonl", dir, dir);
}

int
cli_import_beads(struct cli_ctx *x, struct str from, bool skip_bad,
    struct err *e)
{
	const struct cli_import_options o = { .skip_bad = skip_bad,
		.skippable = true };
	struct lines lines = { .fd = -1 };
	struct reply r = { 0 };
	char path[PATH_MAX];
	int rc = beads_find(from, path, sizeof path, e);

	if (rc == OK)
		rc = lines_open_present(&lines, path, e);
	if (rc == OK)
		rc = cli_import_file(x->client, path, &lines, &o, &r, e);
	if (rc == OK && !x->quiet)
		cli_import_report(x, &r);
	reply_release(&r);
	lines_release(&lines);
	return rc;
}

/* ---- the first use of a clone ---------------------------------------------- */

/* An empty file is not reported. */
static int
file_import(struct cli_ctx *x, struct client *c, struct reply *r, struct err *e)
{
	const struct cli_import_options options = { .resolve_cycles = true };
	struct lines lines = { .fd = -1 };
	char path[PATH_MAX];
	int rc;

	snprintf(path, sizeof path, "%.*s/issues.jsonl", PATH_MAX - 16,
	    x->workspace->dir);
	rc = lines_open_present(&lines, path, e);
	if (rc == OK && lines.n > 0)
		rc = cli_import_file(c, path, &lines, &options, r, e);
	if (rc == OK && lines.n > 0 && !x->quiet) {
		buf_add_fmt(x->notes, "The first use of this clone: %s is imported.\n",
		    path);
		cli_import_report(x, r);
	}
	lines_release(&lines);
	return rc;
}

static int
first_fill(struct cli_ctx *x, const struct workspace *first, struct reply *r,
    struct err *e)
{
	const struct client_options o = { .workspace = first, .actor = x->actor,
		.timeout = NEVER, .no_daemon = true, .progress = x->progress,
		.progress_ctx = x };
	struct client *c = NULL;
	int rc = client_open(&c, &o, e);

	if (rc == OK)
		rc = file_import(x, c, r, e);
	client_close(c);
	return rc;
}

int
cli_import_made(struct cli_ctx *x, struct err *e)
{
	struct reply r = { 0 };
	int rc = file_import(x, x->client, &r, e);

	reply_release(&r);
	return rc;
}

int
cli_import_first(struct cli_ctx *x, struct err *e)
{
	struct reply r = { 0 };
	struct workspace first;
	struct err ignored;
	int rc = workspace_first_begin(x->workspace, &first, clock_wall_ms(), e);

	if (rc == ERR_DENIED || rc == ERR_TOOBIG)
		return rc;
	if (rc == OK)
		rc = first_fill(x, &first, &r, e);
	if (rc == OK)
		rc = workspace_first_end(x->workspace, &first, true, e);
	else
		workspace_first_end(x->workspace, &first, false, &ignored);
	reply_release(&r);
	return rc;
}

/* The part before the last '-' of the first id. */
int
cli_beads_prefix(struct buf *out, struct err *e)
{
	struct lines lines = { .fd = -1 };
	struct json_doc d = { 0 };
	struct str line, id = STR_NONE;
	struct err ignored;
	char path[PATH_MAX];
	int rc = beads_find(STR_NONE, path, sizeof path, e);

	if (rc == OK)
		rc = lines_open_present(&lines, path, e);
	for (size_t i = 0; rc == OK && id.n == 0 && i < lines.n; i++) {
		json_release(&d);
		d = (struct json_doc){ .root = NULL };
		if (lines_get(&lines, i, &line, &ignored) == OK &&
		    json_parse(&d, line, &ignored) == OK)
			id = json_str(json_get(d.root, S("id")));
		while (id.n > 0 && id.p[id.n - 1] != '-')
			id.n--;
	}
	buf_add(out, str_sub(id, 0, id.n > 0 ? id.n - 1 : 0));
	json_release(&d);
	lines_release(&lines);
	return rc;
}
