/*
 * build_cache.c - the folder of compiled modules (build.h).
 *
 *   HASH.tcc.so, HASH.gcc.so   objects
 *   build-XXXXXX/              of a build that is under way; older than STALE_S: was killed
 *   new-XXXXXX                 an object that is not yet whole; likewise
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "wasm/build_priv.h"

#define PATH_SIZE 512
#define STALE_S   600

static bool
path_join(char out[PATH_SIZE], const char *dir, const char *name)
{
	return (size_t)snprintf(out, PATH_SIZE, "%s/%s", dir, name) < PATH_SIZE;
}

static bool
object_path(char out[PATH_SIZE], const char *cache, const char *key, enum wasm_compiler compiler)
{
	return (size_t)snprintf(out, PATH_SIZE, "%s/%s.%s.so", cache, key,
	    wasm_compiler_names[compiler]) < PATH_SIZE;
}

/* Files of the cache are loaded as code, so only the server's user may write there. */
int
wasm_cache_open(const char *cache, struct err *e)
{
	struct stat st;

	if (cache[0] != '/')
		return err_set(e, ERR_IO, "wasm.cache: %s is not an absolute path", cache);
	if (mkdir(cache, 0700) != 0 && errno != EEXIST)
		return err_set(e, ERR_IO, "wasm.cache: %s: %s", cache, strerror(errno));
	if (lstat(cache, &st) != 0)
		return err_set(e, ERR_IO, "wasm.cache: %s: %s", cache, strerror(errno));
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) != 0)
		return err_set(e, ERR_DENIED, "wasm.cache: %s must be a folder of this user that no "
		    "other may enter (chmod 700)", cache);
	return OK;
}

bool
wasm_cache_find(const char *cache, struct wasm_unit *u, enum wasm_compiler compiler)
{
	char path[PATH_SIZE];
	struct stat st;

	if (!object_path(path, cache, u->key, compiler) || lstat(path, &st) != 0 ||
	    !S_ISREG(st.st_mode) || st.st_uid != geteuid())
		return false;
	(void)utimensat(AT_FDCWD, path, NULL, 0);
	u->code->path = arena_str(&u->code->arena, str_of(path));
	u->code->compiler = compiler;
	return u->code->path.p != NULL;
}

int
wasm_folder_new(char **out, const char *cache, struct err *e)
{
	char path[PATH_SIZE];

	if (!path_join(path, cache, "build-XXXXXX"))
		return err_set(e, ERR_IO, "wasm.cache: %s: the path is too long", cache);
	if (mkdtemp(path) == NULL)
		return err_set(e, ERR_IO, "wasm.cache: %s: %s", path, strerror(errno));
	*out = mem_cstr(str_of(path));
	return OK;
}

/* A compiler makes files and, at most, folders in its own; nothing is followed. */
static void
remove_at(int parent, const char *name, int depth)
{
	struct dirent *d;
	int fd;
	DIR *dir;

	if (unlinkat(parent, name, 0) == 0 || depth == 0)
		return;
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (dir == NULL)
		return;
	while ((d = readdir(dir)) != NULL)
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			remove_at(fd, d->d_name, depth - 1);
	closedir(dir);
	(void)unlinkat(parent, name, AT_REMOVEDIR);
}

void
wasm_folder_remove(const char *folder)
{
	remove_at(AT_FDCWD, folder, 8);
}

/* -- a new object -- */

static int
copy(int from, int to, const char *what, struct err *e)
{
	char bytes[65536];
	ssize_t n;

	while ((n = read(from, bytes, sizeof bytes)) > 0)
		if (file_write(to, (struct str){ bytes, (size_t)n }) != OK)
			return err_set(e, ERR_IO, "%s: %s", what, strerror(errno));
	return n < 0 ? err_set(e, ERR_IO, "%s: %s", what, strerror(errno)) : OK;
}

/* A copy, because another process may still have the compiler's own file open. */
static int
put_from(int from, const char *cache, const char *path, struct err *e)
{
	char temporary[PATH_SIZE];
	int to, rc;

	if (!path_join(temporary, cache, "new-XXXXXX"))
		return err_set(e, ERR_IO, "wasm.cache: %s: the path is too long", cache);
	to = mkostemp(temporary, O_CLOEXEC);
	if (to < 0)
		return err_set(e, ERR_IO, "wasm.cache: %s: %s", temporary, strerror(errno));
	rc = copy(from, to, path, e);
	if (rc == OK)
		rc = wasm_object_seal(to, e);
	if (rc == OK && fsync(to) != 0)
		rc = err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
	close(to);
	if (rc == OK && rename(temporary, path) != 0)
		rc = err_set(e, ERR_IO, "wasm.cache: %s: %s", path, strerror(errno));
	if (rc == OK)
		(void)file_sync_folder(cache, &(struct err){ 0 });
	else
		(void)unlink(temporary);
	return rc;
}

int
wasm_cache_put(const char *cache, const struct wasm_unit *u, enum wasm_compiler compiler,
    const char *folder, struct err *e)
{
	char made[PATH_SIZE], path[PATH_SIZE];
	struct stat st;
	int from, rc;

	if (!path_join(made, folder, WASM_MADE) || !object_path(path, cache, u->key, compiler))
		return err_set(e, ERR_IO, "wasm.cache: %s: the path is too long", cache);
	from = open(made, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (from < 0)
		return err_set(e, ERR_IO, "%s made no object: %s", wasm_compiler_names[compiler],
		    strerror(errno));
	if (fstat(from, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
		rc = err_set(e, ERR_IO, "%s made no object", wasm_compiler_names[compiler]);
	else
		rc = put_from(from, cache, path, e);
	close(from);
	return rc;
}

/* -- eviction -- */

struct object { char name[96]; time_t used; off_t bytes; };

static int
object_cmp(const void *a, const void *b)
{
	const struct object *x = a, *y = b;

	return x->used < y->used ? -1 : x->used > y->used;
}

static void
objects_trim(const char *cache, struct object *list, size_t n, off_t sum)
{
	char path[PATH_SIZE];

	if (n > 1)                           /* list may be NULL */
		qsort(list, n, sizeof *list, object_cmp);
	for (size_t i = 0; i < n && sum > (off_t)LIMIT_WASM_CACHE_BYTES; i++) {
		if (!path_join(path, cache, list[i].name) || wasm_code_uses(path))
			continue;
		if (unlink(path) == 0)
			sum -= list[i].bytes;
	}
}

void
wasm_cache_sweep(const char *cache)
{
	DIR *dir = opendir(cache);
	struct object *list = NULL;
	size_t n = 0, cap = 0;
	struct dirent *d;
	struct stat st;
	off_t sum = 0;
	time_t now = time(NULL);

	if (dir == NULL)
		return;
	while ((d = readdir(dir)) != NULL) {
		struct str name = str_of(d->d_name);

		if (fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		if (str_starts(name, S("build-")) || str_starts(name, S("new-"))) {
			if (st.st_mtime < now - STALE_S)
				remove_at(dirfd(dir), d->d_name, 8);
		} else if (str_ends(name, S(".so")) && name.n < sizeof list->name) {
			mem_grow(list, n, cap);
			list[n] = (struct object){ .used = st.st_mtime, .bytes = st.st_size };
			memcpy(list[n++].name, name.p, name.n + 1);
			sum += st.st_size;
		}
	}
	closedir(dir);
	objects_trim(cache, list, n, sum);
	free(list);
}
