/*
 * knowledge_walk.c - see knowledge_walk.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/knowledge_walk.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define DEPTH 64                             /* folders inside each other */

/* The part of an absolute path that a name is made of. */
static struct str
below_here(const char *path)
{
	char here[PATH_MAX];
	size_t n;

	if (getcwd(here, sizeof here) == NULL)
		return str_of(path);
	n = strlen(here);
	if (strcmp(path, here) == 0)
		return STR_NONE;
	if (strcmp(here, "/") != 0 && strncmp(path, here, n) == 0 && path[n] == '/')
		return str_of(path + n + 1);
	return str_of(path);
}

void
documents_add(struct documents *d, const char *path, struct str name, enum knowledge_kind kind)
{
	mem_grow(d->at, d->n, d->cap);
	d->at[d->n++] = (struct document){ path == NULL ? NULL : mem_cstr(str_of(path)),
	    mem_cstr(name), kind };
}

static void
add_file(struct documents *d, const char *path)
{
	struct buf name = BUF(8 * PATH_MAX);
	int kind = knowledge_kind_of(str_of(path));

	if (kind < 0) {
		d->others++;
		return;
	}
	knowledge_add_name(&name, below_here(path));
	documents_add(d, path, buf_str(&name), (enum knowledge_kind)kind);
	buf_release(&name);
}

static int walk_folder(struct documents *d, const char *path, unsigned depth, struct err *e);

static int
walk_entry(struct documents *d, const char *folder, const char *entry, unsigned depth,
    struct err *e)
{
	struct buf path = BUF(PATH_MAX - 1);
	struct stat st;
	int rc = OK;

	if (entry[0] == '.')
		return OK;
	buf_add_fmt(&path, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, entry);
	if (path.failed)
		rc = err_set(e, ERR_TOOBIG, "%s: a path below it is longer than %d bytes", folder,
		    PATH_MAX - 1);
	else if (lstat(path.p, &st) == 0 && S_ISDIR(st.st_mode))
		rc = walk_folder(d, path.p, depth + 1, e);
	else if (!path.failed && lstat(path.p, &st) == 0 && S_ISREG(st.st_mode))
		add_file(d, path.p);
	buf_release(&path);
	return rc;
}

static int
walk_folder(struct documents *d, const char *path, unsigned depth, struct err *e)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	int rc = OK;

	if (dir == NULL)
		return err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
	if (depth > DEPTH)
		rc = err_set(e, ERR_TOOBIG, "%s: more than %d folders deep", path, DEPTH);
	while (rc == OK && (entry = readdir(dir)) != NULL)
		rc = walk_entry(d, path, entry->d_name, depth, e);
	closedir(dir);
	return rc;
}

int
documents_walk(struct documents *d, const char *path, struct err *e)
{
	char *real = realpath(path, NULL);
	struct buf name = BUF(8 * PATH_MAX);
	struct stat st;
	int rc = OK;

	if (real == NULL || stat(real, &st) != 0)
		rc = err_set(e, ERR_NOTFOUND, "%s: %s", path, strerror(errno));
	else if (S_ISDIR(st.st_mode))
		rc = walk_folder(d, real, 0, e);
	else if (!S_ISREG(st.st_mode) || knowledge_kind_of(str_of(real)) < 0)
		rc = err_set(e, ERR_INVALID, "%s: expected a folder, or a file that ends in .md, "
		    ".markdown, .html, .htm or .txt", path);
	else
		add_file(d, real);
	if (rc == OK) {
		knowledge_add_name(&name, below_here(real));
		mem_grow(d->roots, d->roots_n, d->roots_cap);
		d->roots[d->roots_n++] = mem_cstr(buf_str(&name));
	}
	buf_release(&name);
	free(real);
	return rc;
}

/* ---- the list ------------------------------------------------------------------------ */

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct document *)a)->name, ((const struct document *)b)->name);
}

void
documents_sort(struct documents *d)
{
	size_t n = 0;

	if (d->n > 0)
		qsort(d->at, d->n, sizeof *d->at, by_name);
	for (size_t i = 0; i < d->n; i++) {
		if (n > 0 && strcmp(d->at[n - 1].name, d->at[i].name) == 0) {
			free(d->at[i].path);
			free(d->at[i].name);
		} else {
			d->at[n++] = d->at[i];
		}
	}
	d->n = n;
}

const struct document *
documents_find(const struct documents *d, struct str name)
{
	char *text = mem_cstr(name);
	struct document key = { .name = text };
	const struct document *found = d->n == 0 ? NULL :
	    bsearch(&key, d->at, d->n, sizeof *d->at, by_name);

	free(text);
	return found;
}

bool
documents_cover(const struct documents *d, struct str name)
{
	for (size_t i = 0; i < d->roots_n; i++) {
		struct str root = str_of(d->roots[i]);

		if (str_eq(name, root) || (root.n == 0 && (name.n == 0 || name.p[0] != '/')) ||
		    (str_starts(name, root) && name.n > root.n &&
		    (name.p[root.n] == '/' || root.p[root.n - 1] == '/')))
			return true;
	}
	return false;
}

void
documents_release(struct documents *d)
{
	for (size_t i = 0; i < d->n; i++) {
		free(d->at[i].path);
		free(d->at[i].name);
	}
	for (size_t i = 0; i < d->roots_n; i++)
		free(d->roots[i]);
	free(d->roots);
	free(d->at);
}
