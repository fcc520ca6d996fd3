/*
 * merge_driver.c - git's merge driver for .cohort/issues.jsonl, and its
 * installation.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "workcli/merge_driver.h"
#include "workcli/context.h"
#include "workcli/replace.h"
#include "workcli/git.h"
#include "work/exchange/exchange.h"

/* The base is missing if both sides created the file. */
int
cli_merge_files(const char *base, const char *ours, const char *theirs,
    const char *path, struct buf *notes, struct err *e)
{
	struct buf sides[3], out = BUF(8 * (size_t)LIMIT_WORK_MEMORY_BYTES);
	const char *names[] = { base, ours, theirs };
	struct merge_count n;
	int rc = OK;

	for (size_t i = 0; i < 3; i++)
		sides[i] = BUF(4 * (size_t)LIMIT_WORK_MEMORY_BYTES);
	for (size_t i = 0; rc == OK && i < 3; i++)
		rc = i == 0 ? cli_read_present(names[i], &sides[i], e) :
		    file_add(names[i], &sides[i], e);
	if (rc == OK)
		rc = exchange_merge(buf_str(&sides[0]), buf_str(&sides[1]),
		    buf_str(&sides[2]), &out, notes, &n, e);
	if (rc == OK)
		rc = replace_file(ours, buf_str(&out), e);
	if (rc == OK && n.clashes + n.moved > 0)
		buf_add_fmt(notes, "%s: %zu items merged; %zu conflicts, %zu new ids, "
		    "as above\n", path != NULL ? path : ours, n.items, n.clashes,
		    n.moved);
	for (size_t i = 0; i < 3; i++)
		buf_release(&sides[i]);
	buf_release(&out);
	return rc;
}

/* ---- telling git ----------------------------------------------------------- */

int
merge_driver_command(char *out, size_t size, struct err *e)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

	if (n <= 0)
		return err_set(e, ERR_IO, "/proc/self/exe: %s", strerror(errno));
	self[n] = '\0';
	if (strchr(self, '\'') != NULL || snprintf(out, size,
	    "'%s' work merge %%O %%A %%B %%P", self) >= (int)size)
		return err_set(e, ERR_INVALID, "git cannot run a program with this path: "
		    "%s", self);
	return OK;
}

/* In .git/info: a committed .gitattributes would name a driver that other
 * checkouts have not configured. */
static int
attributes_add(struct git *g, struct err *e)
{
	char path[PATH_MAX];
	struct buf b = BUF(1 * MB);
	int rc = git_path(g, "info/attributes", path, sizeof path, e);

	if (rc == OK) {
		*strrchr(path, '/') = '\0';
		mkdir(path, 0777);
		path[strlen(path)] = '/';
		rc = cli_read_present(path, &b, e);
	}
	if (rc == OK && !str_contains(buf_str(&b), S("merge=" DRIVER_NAME))) {
		if (b.n > 0 && b.p[b.n - 1] != '\n')
			buf_add_char(&b, '\n');
		buf_lit(&b, DRIVER_ATTRIBUTE "\n");
		rc = replace_file(path, buf_str(&b), e);
	}
	buf_release(&b);
	return rc;
}

int
cli_install_merge_driver(const struct workspace *workspace, struct err *e)
{
	char command[PATH_MAX + 64];
	struct git g;
	int rc;

	git_init(&g, workspace->dir);
	rc = merge_driver_command(command, sizeof command, e);
	if (rc == OK)
		rc = GIT(&g, e, "config", "merge." DRIVER_NAME ".name", DRIVER_TITLE);
	if (rc == OK)
		rc = GIT(&g, e, "config", "merge." DRIVER_NAME ".driver", command);
	if (rc == OK)
		rc = attributes_add(&g, e);
	git_release(&g);
	return rc;
}

enum driver
cli_has_merge_driver(const struct workspace *workspace)
{
	struct git g;
	struct err e;
	bool named, known;

	git_init(&g, workspace->dir);
	named = GIT(&g, &e, "check-attr", "merge", "--", "issues.jsonl") == OK &&
	    str_contains(buf_str(&g.out), S(DRIVER_NAME));
	known = GIT(&g, &e, "config", "merge." DRIVER_NAME ".driver") == OK;
	git_release(&g);
	return !named ? DRIVER_NONE : known ? DRIVER_KNOWN : DRIVER_NAMED;
}
