/*
 * package.c - see package.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/package.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hmac.h"
#include "base/limits.h"
#include "base/mem.h"
#include "main/agents.h"

struct walk {
	struct package *p;
	const char *shown;
	struct err *e;
};

/* ---- names -------------------------------------------------------------------------- */

bool
package_ignores(struct str name)
{
	return str_starts(name, S(".")) || str_ends(name, S("~")) ||
	    (name.n > 1 && str_starts(name, S("#")) && str_ends(name, S("#")));
}

bool
package_ignores_path(struct str path)
{
	struct str part;

	while (str_next(&path, '/', &part))
		if (package_ignores(part))
			return true;
	return false;
}

int
package_path_check(struct str path, struct err *e)
{
	struct str rest = path, part, shown = str_cut(path, 100);
	int depth = 0;

	if (path.n > LIMIT_PACKAGE_PATH_BYTES)
		return err_set(e, ERR_TOOBIG, "%.*s...: the path is longer than %d bytes",
		    FMT(shown), LIMIT_PACKAGE_PATH_BYTES);
	for (size_t i = 0; i < path.n; i++)
		if ((unsigned char)path.p[i] < 0x20 || path.p[i] == 0x7f || path.p[i] == '\\')
			return err_set(e, ERR_INVALID, "a name has a control character or a "
			    "backslash in it: '%.*s'", (int)i, path.p);
	if (!str_is_utf8(path) || path.n == 0 || path.p[path.n - 1] == '/')
		return err_set(e, ERR_INVALID, "'%.*s': expected a path in UTF-8",
		    path.n > 0 && str_is_utf8(path) ? (int)shown.n : 0, shown.p);
	while (str_next(&rest, '/', &part)) {
		if (part.n == 0 || str_eq(part, S(".")) || str_eq(part, S("..")))
			return err_set(e, ERR_INVALID, "'%.*s': expected a path below the "
			    "folder, without '.' and '..'", FMT(shown));
		if (++depth > LIMIT_PACKAGE_DEPTH)
			return err_set(e, ERR_TOOBIG, "'%.*s': more than %d folders deep",
			    FMT(shown), LIMIT_PACKAGE_DEPTH);
	}
	return OK;
}

/* ---- reading -------------------------------------------------------------------------- */

static void
digest(struct str text, char out[PACKAGE_HASH])
{
	uint8_t sum[SHA256_SIZE];
	struct buf b = BUF(PACKAGE_HASH);

	sha256(text, sum);
	hex_add(&b, sum, sizeof sum);
	memcpy(out, b.p, PACKAGE_HASH);
	buf_release(&b);
}

static int
add_file(struct walk *w, int fd, struct str path)
{
	struct buf text = BUF(LIMIT_PACKAGE_BYTES - w->p->bytes);
	struct package_file f = { 0 };
	struct err why;
	int rc;

	if (w->p->n == LIMIT_PACKAGE_FILES)
		return err_set(w->e, ERR_TOOBIG, "%s: more than %d files", w->shown,
		    LIMIT_PACKAGE_FILES);
	rc = file_add_fd(fd, &text, NULL, &why);
	if (rc != OK) {
		buf_release(&text);
		return rc == ERR_TOOBIG ? err_set(w->e, rc, "%s: more than %d bytes", w->shown,
		    LIMIT_PACKAGE_BYTES) : err_set(w->e, rc, "%s/%.*s: %s", w->shown, FMT(path),
		    why.text);
	}
	w->p->bytes += text.n;
	f.path = mem_cstr(path);
	digest(buf_str(&text), f.hash);
	if (str_index(path, '/') < 0 && folder_takes(path))
		f.text = text;
	else
		buf_release(&text);
	mem_grow(w->p->files, w->p->n, w->p->cap);
	w->p->files[w->p->n++] = f;
	return OK;
}

static int walk_folder(struct walk *w, int fd, struct str path);

/* path: of the entry.  Nothing of it is followed: it may be a link by now. */
static int
walk_entry(struct walk *w, int at, const char *name, struct str path)
{
	struct stat st;
	struct err why;
	int fd, rc;

	if (package_path_check(path, &why) != OK)
		return err_set(w->e, why.code, "%s: %s", w->shown, why.text);
	fd = openat(at, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && (errno == ELOOP || errno == ENXIO))
		return err_set(w->e, ERR_INVALID, "%s/%.*s: expected a file or a folder; links "
		    "and special files are refused", w->shown, FMT(path));
	if (fd < 0 || fstat(fd, &st) != 0)
		rc = err_set(w->e, ERR_IO, "%s/%.*s: %s", w->shown, FMT(path), strerror(errno));
	else if (S_ISDIR(st.st_mode))
		return walk_folder(w, fd, path);
	else if (!S_ISREG(st.st_mode))
		rc = err_set(w->e, ERR_INVALID, "%s/%.*s: expected a file or a folder; links "
		    "and special files are refused", w->shown, FMT(path));
	else
		rc = add_file(w, fd, path);
	if (fd >= 0)
		close(fd);
	return rc;
}

/* Takes fd. */
static int
walk_folder(struct walk *w, int fd, struct str path)
{
	DIR *dir = fdopendir(fd);
	const struct dirent *entry;
	int rc = OK;

	if (dir == NULL) {
		close(fd);
		return err_set(w->e, ERR_IO, "%s/%.*s: %s", w->shown, FMT(path), strerror(errno));
	}
	while (rc == OK && (entry = readdir(dir)) != NULL) {
		struct buf below = BUF(SIZE_MAX / 2);

		if (package_ignores(str_of(entry->d_name)))
			continue;
		buf_add_fmt(&below, "%.*s%s%s", FMT(path), path.n > 0 ? "/" : "", entry->d_name);
		rc = walk_entry(w, fd, entry->d_name, buf_str(&below));
		buf_release(&below);
	}
	closedir(dir);
	return rc;
}

static int
by_path(const void *a, const void *b)
{
	return strcmp(((const struct package_file *)a)->path,
	    ((const struct package_file *)b)->path);
}

int
package_read(struct package *p, int at, const char *path, const char *shown, struct err *e)
{
	struct walk w = { p, shown, e };
	struct buf lines = BUF(SIZE_MAX / 2);
	int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

	*p = (struct package){ 0 };
	if (fd < 0)
		return err_set(e, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "%s: %s", shown,
		    strerror(errno));
	rc = walk_folder(&w, fd, STR_NONE);
	if (rc == OK && p->n == 0)
		rc = err_set(e, ERR_INVALID, "%s: a package has files, and this folder has none",
		    shown);
	if (rc != OK) {
		package_release(p);
		return rc;
	}
	qsort(p->files, p->n, sizeof p->files[0], by_path);
	for (size_t i = 0; i < p->n; i++)
		buf_add_fmt(&lines, "%.*s  %s\n", PACKAGE_HASH, p->files[i].hash,
		    p->files[i].path);
	digest(buf_str(&lines), p->hash);
	buf_release(&lines);
	return OK;
}

void
package_release(struct package *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->files[i].path);
		buf_release(&p->files[i].text);
	}
	free(p->files);
	*p = (struct package){ 0 };
}

const struct package_file *
package_find(const struct package *p, struct str path)
{
	for (size_t i = 0; i < p->n; i++)
		if (str_eq(str_of(p->files[i].path), path))
			return &p->files[i];
	return NULL;
}

bool
package_has_hash(const struct package *p, const char hash[PACKAGE_HASH])
{
	return memcmp(p->hash, hash, PACKAGE_HASH) == 0;
}

/* ---- agents.lock ------------------------------------------------------------------------- */

static bool
is_hash(struct str s)
{
	if (!str_starts(s, S("sha256:")) || s.n != 7 + PACKAGE_HASH)
		return false;
	for (size_t i = 7; i < s.n; i++)
		if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f')))
			return false;
	return true;
}

static int
pin_add(struct pins *p, struct str hash, struct str name, unsigned line, const char *file,
    struct err *e)
{
	struct err why;

	if (!is_hash(hash))
		return err_set(e, ERR_SYNTAX, "%s:%u: expected 'sha256:' and 64 digits in lower "
		    "case, then the name of a folder, as `cohort agent hash` prints them", file,
		    line);
	if (str_index(name, '/') >= 0 || package_ignores(name) ||
	    package_path_check(name, &why) != OK)
		return err_set(e, ERR_SYNTAX, "%s:%u: expected the name of a folder beside this "
		    "file behind the hash", file, line);
	for (size_t i = 0; i < p->n; i++)
		if (str_eq(str_of(p->at[i].name), name))
			return err_set(e, ERR_CONFLICT, "%s:%u: '%.*s' stands in line %u already",
			    file, line, FMT(str_cut(name, 100)), p->at[i].line);
	if (p->n == LIMIT_PACKAGES)
		return err_set(e, ERR_TOOBIG, "%s:%u: more than %d packages", file, line,
		    LIMIT_PACKAGES);
	mem_grow(p->at, p->n, p->cap);
	p->at[p->n] = (struct pin){ .name = mem_cstr(name), .line = line };
	memcpy(p->at[p->n++].hash, hash.p + 7, PACKAGE_HASH);
	return OK;
}

int
pins_read(struct pins *p, struct str text, const char *file, struct err *e)
{
	struct str line;
	unsigned n = 0;
	int rc = OK;

	*p = (struct pins){ 0 };
	while (rc == OK && str_next(&text, '\n', &line)) {
		ptrdiff_t at;

		n++;
		line = str_trim(line);
		if (line.n == 0 || line.p[0] == '#')
			continue;
		at = str_index(line, ' ');
		rc = pin_add(p, at < 0 ? line : str_sub(line, 0, (size_t)at), at < 0 ? STR_NONE :
		    str_trim(str_sub(line, (size_t)at, line.n)), n, file, e);
	}
	if (rc != OK)
		pins_release(p);
	return rc;
}

void
pins_release(struct pins *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->at[i].name);
	free(p->at);
	*p = (struct pins){ 0 };
}
