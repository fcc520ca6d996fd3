/*
 * workspace.c - where the workspace is, and making one.
 *
 * issues.jsonl is in git and so is in every checkout; the database is in one.
 * So a folder .cohort/ without a database is a fresh clone's, or a linked
 * worktree's, whose agents share the tracker of the main checkout.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "work/host/workspace_priv.h"
#include "work/item.h"

#define DB_NAME "work.db"

static bool
is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool
is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* out: of DB_PATH_MAX.  False: too long. */
static bool
join(char *out, const char *dir, const char *name)
{
	return snprintf(out, DB_PATH_MAX, "%s/%s", strcmp(dir, "/") == 0 ? "" : dir,
	    name) < DB_PATH_MAX;
}

void
workspace_path(const struct workspace *h, const char *ending, char out[DB_PATH_MAX + 8])
{
	struct str base = str_of(h->db);

	if (str_ends(base, S(".db")))
		base.n -= 3;
	snprintf(out, DB_PATH_MAX + 8, "%.*s.%s", FMT(base), ending);
}

/* A second name of a file would do what a link does. */
int
workspace_open_file(const char *path, int flags)
{
	int fd = open(path, flags | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
	    0600);
	struct stat st;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink <= 1 &&
	    (st.st_uid == geteuid() || geteuid() == 0))
		return fd;
	close(fd);
	errno = EPERM;
	return -1;
}

static void
note_access(struct workspace *h)
{
	h->read_only = access(h->dir, W_OK | X_OK) != 0 ||
	    (access(h->db, F_OK) == 0 && access(h->db, W_OK) != 0);
}

/* ---- git worktrees ----------------------------------------------------------- */

/* The first line of a small file; false: there is none. */
static bool
read_line(const char *path, char *out, size_t size)
{
	size_t n = file_head(path, out, size).n;

	out[strcspn(out, "\r\n")] = '\0';
	return n > 0;
}

/* A linked worktree's .git is a file `gitdir: PATH`, and PATH/commondir leads to
 * the .git of the main checkout.  A submodule's has no commondir. */
static bool
main_checkout(const char *dir, char out[DB_PATH_MAX])
{
	char path[DB_PATH_MAX], text[DB_PATH_MAX], git[DB_PATH_MAX],
	    common[DB_PATH_MAX];
	char *real;
	bool found;

	if (!join(path, dir, ".git") || !is_file(path) ||
	    !read_line(path, text, sizeof text) ||
	    !str_starts(str_of(text), S("gitdir: ")))
		return false;
	if (!join(git, text[8] == '/' ? "/" : dir,
	    text + 8 + strspn(text + 8, "/")) || !join(path, git, "commondir") ||
	    !read_line(path, text, sizeof text))
		return false;
	if (!join(common, text[0] == '/' ? "/" : git, text + strspn(text, "/")))
		return false;
	real = realpath(common, NULL);
	found = real != NULL && str_ends(str_of(real), S("/.git")) &&
	    strlen(real) < DB_PATH_MAX;
	if (found)
		snprintf(out, DB_PATH_MAX, "%.*s", (int)strlen(real) - 5, real);
	free(real);
	return found;
}

/* ---- finding ------------------------------------------------------------------- */

static bool
look_in(struct workspace *h, const char *dir)
{
	return join(h->dir, dir, WORKSPACE_FOLDER) && is_folder(h->dir) &&
	    join(h->db, h->dir, DB_NAME);
}

/* The main checkout's folder, if that is where the tracker is. */
static bool
look_in_main(struct workspace *h, const char *dir, bool need_db)
{
	char main_dir[DB_PATH_MAX];
	struct workspace at;

	if (!main_checkout(dir, main_dir) || !look_in(&at, main_dir) ||
	    (need_db && !is_file(at.db)))
		return false;
	*h = at;
	return true;
}

static bool
cut_last(char *dir)
{
	char *slash = strrchr(dir, '/');

	if (slash == NULL || strcmp(dir, "/") == 0)
		return false;
	slash[slash == dir] = '\0';
	return true;
}

static bool
look_upwards(struct workspace *h, const char *from)
{
	char dir[DB_PATH_MAX];
	bool found = false;

	snprintf(dir, sizeof dir, "%s", from);
	do {
		if (!found && look_in(h, dir)) {
			found = true;
			if (is_file(h->db))
				return true;
		}
		/* The checkout's root: above it are other people's. */
		if (look_in_main(h, dir, found))
			return true;
		if (found) {
			char git[DB_PATH_MAX];

			if (!join(git, dir, ".git") || access(git, F_OK) == 0)
				return true;
		}
	} while (cut_last(dir));
	return found;
}

static int
find_given(struct workspace *h, struct str db, struct err *e)
{
	char path[DB_PATH_MAX];
	char *real;
	struct stat st;

	if (db.n >= sizeof path)
		return err_set(e, ERR_INVALID, "database: the path is too long");
	snprintf(path, sizeof path, "%.*s", FMT(db));
	if (stat(path, &st) != 0)
		return err_set(e, errno == ENOENT ? ERR_NOTFOUND : ERR_IO,
		    "database %s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_INVALID, "database %s: expected a file, such "
		    "as " WORKSPACE_FOLDER "/" DB_NAME, path);
	real = realpath(path, NULL);
	if (real == NULL || strlen(real) >= DB_PATH_MAX) {
		free(real);
		return err_set(e, ERR_IO, "database %s: %s", path, strerror(errno));
	}
	snprintf(h->db, sizeof h->db, "%s", real);
	snprintf(h->dir, sizeof h->dir, "%s", real);
	free(real);
	cut_last(h->dir);
	note_access(h);
	return OK;
}

int
workspace_find(struct workspace *h, const char *cwd, struct str db, struct err *e)
{
	char *real;
	bool found;

	*h = (struct workspace){ .read_only = false };
	if (db.p != NULL && db.n > 0)
		return find_given(h, db, e);
	real = realpath(cwd, NULL);
	if (real == NULL || strlen(real) >= DB_PATH_MAX) {
		free(real);
		return err_set(e, ERR_IO, "%s: %s", cwd, strerror(errno));
	}
	found = look_upwards(h, real);
	free(real);
	if (!found)
		return err_set(e, ERR_NOTFOUND, "no " WORKSPACE_FOLDER "/ here or above; "
		    "make one with 'cohort work init'");
	note_access(h);
	return OK;
}

/* ---- the prefix ------------------------------------------------------------------ */

/* Of the first item of an export: what stands before the last '-' of its id. */
static bool
prefix_of_export(const struct workspace *h, char out[LIMIT_WORK_PREFIX_BYTES + 1])
{
	char path[DB_PATH_MAX], text[LIMIT_WORK_ID_BYTES + 16];
	struct str s, id;
	ptrdiff_t end, dash;

	if (!join(path, h->dir, "issues.jsonl") ||
	    !read_line(path, text, sizeof text) ||
	    !str_starts(str_of(text), S("{\"id\":\"")))
		return false;
	s = str_sub(str_of(text), 7, sizeof text);
	end = str_index(s, '"');
	id = str_sub(s, 0, end < 0 ? 0 : (size_t)end);
	for (dash = (ptrdiff_t)id.n - 1; dash > 0 && id.p[dash] != '-'; dash--)
		;
	id.n = dash > 0 ? (size_t)dash : 0;
	if (!prefix_is_valid(id))
		return false;
	snprintf(out, LIMIT_WORK_PREFIX_BYTES + 1, "%.*s", FMT(id));
	return true;
}

/* Of the folder that holds .cohort/: its letters and digits. */
static void
prefix_of_folder(const struct workspace *h, char out[LIMIT_WORK_PREFIX_BYTES + 1])
{
	char dir[DB_PATH_MAX];
	const char *slash;
	struct str name;

	snprintf(dir, sizeof dir, "%s", h->dir);
	if (str_ends(str_of(dir), S("/" WORKSPACE_FOLDER)))
		cut_last(dir);
	slash = strrchr(dir, '/');
	name = str_of(slash == NULL ? dir : slash + 1);
	out[prefix_from(name, out, LIMIT_WORK_PREFIX_BYTES).n] = '\0';
}

void
workspace_prefix(const struct workspace *h, char out[LIMIT_WORK_PREFIX_BYTES + 1])
{
	if (!prefix_of_export(h, out))
		prefix_of_folder(h, out);
}

/* ---- making ------------------------------------------------------------------------ */

static const char ignored[] = "*\n!issues.jsonl\n";

/* It ignores itself too: only the export goes into git.  So a clone has it not,
 * and where it is there was a tracker. */
int
workspace_ignore(const struct workspace *h, struct err *e)
{
	char path[DB_PATH_MAX];
	int fd;
	ssize_t n;

	if (!join(path, h->dir, ".gitignore"))
		return err_set(e, ERR_INVALID, "%s: the path is too long", h->dir);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return errno == EEXIST ? OK :
		    err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
	n = write(fd, ignored, sizeof ignored - 1);
	if (close(fd) != 0 || n != (ssize_t)sizeof ignored - 1)
		return err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
	return OK;
}

static off_t
size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_size : -1;
}

/* What a tracker leaves behind when its file is taken away. */
static bool
had_tracker(const struct workspace *h)
{
	char path[DB_PATH_MAX + 8], text[sizeof ignored + 1];

	snprintf(path, sizeof path, "%s-wal", h->db);
	if (size_of(path) > 0)
		return true;
	if (!join(path, h->dir, ".gitignore"))
		return false;
	return str_eq(file_head(path, text, sizeof text), str_of(ignored));
}

int
workspace_check_lost(const struct workspace *h, bool blank, struct err *e)
{
	char exported[DB_PATH_MAX];
	off_t size;
	bool some;

	/* The file first has something in it, then leaves traces. */
	if ((!blank && size_of(h->db) > 0) || !had_tracker(h) ||
	    (!blank && size_of(h->db) > 0))
		return OK;
	size = size_of(h->db);
	some = join(exported, h->dir, "issues.jsonl") && size_of(exported) > 0;
	return err_set(e, ERR_IO, "%s %s, though there was a tracker here: put it "
	    "back, or %sbegin a new one with 'cohort work init'%s", h->db,
	    size < 0 ? "is gone" : size == 0 ? "is empty" : "has no tables",
	    size > 0 ? "move this away and " : "",
	    some ? ", which takes in what issues.jsonl has" : "");
}

int
workspace_make(struct workspace *h, const char *dir, struct str prefix, msec now,
    struct err *e)
{
	char *real = realpath(dir, NULL);
	struct workdb d;
	bool fits;
	int rc;

	*h = (struct workspace){ .read_only = false };
	fits = real != NULL && strlen(real) + 64 < DB_PATH_MAX &&
	    join(h->dir, real, WORKSPACE_FOLDER) && join(h->db, h->dir, DB_NAME);
	free(real);
	if (!fits)
		return err_set(e, ERR_IO, "%s: %s", dir, strerror(errno));
	if (size_of(h->db) > 0)
		return err_set(e, ERR_CONFLICT, "%s is there already", h->db);
	rc = prefix.n > 0 ? prefix_check(prefix, e) : OK;
	if (rc != OK)
		return rc;
	if (mkdir(h->dir, 0777) != 0 && errno != EEXIST)
		return err_set(e, ERR_IO, "%s: %s", h->dir, strerror(errno));
	rc = workdb_make(&d, h, prefix, now, e);
	workdb_close(&d);
	return rc;
}
