/*
 * sources.c - see sources.h.
 *
 * Each folder has a watch (watch.h).  Whatever it tells, all files are looked at again:
 * their number is bounded, and a folder that has come or gone is found by that.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/sources.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "main/watch.h"
#include "net/shard.h"

#define REST_MS   100                        /* without a sign of a change */
#define DEPTH_MAX 24

struct source { char *path; int64_t time, size; };
struct place { char *path; struct watch *watch; };

/* What there is, in order of paths. */
struct scan {
	struct source *files;
	size_t files_n, files_cap;
	struct place *places;
	size_t places_n, places_cap;
	bool cut;
};

struct sources {
	struct shard *shard;
	char *folder;
	struct scan now;
	struct wheel_timer rest;
	bool warned;
	void (*changed)(void *ctx, struct str path);
	void *ctx;
};

/* ---- what matters ----------------------------------------------------------------- */

static bool
is_source(struct str name)
{
	static const char *const endings[] = { ".ts", ".tsx", ".mts", ".cts", ".js", ".jsx",
		".mjs", ".cjs", ".py" };
	static const char *const names[] = { "langgraph.json", "package.json", "tsconfig.json",
		".env", "pyproject.toml", "requirements.txt" };

	for (size_t i = 0; i < COUNT(names); i++)
		if (str_eq(name, str_of(names[i])))
			return true;
	for (size_t i = 0; i < COUNT(endings); i++)
		if (str_ends(name, str_of(endings[i])) && name.p[0] != '.')
			return true;
	return false;
}

static bool
is_inside(struct str name)
{
	static const char *const others[] = { "node_modules", "dist", "build", "coverage",
		"__pycache__", "venv", "site-packages" };

	for (size_t i = 0; i < COUNT(others); i++)
		if (str_eq(name, str_of(others[i])))
			return false;
	return name.n > 0 && name.p[0] != '.';
}

/* A name without a dot may be a folder. */
static bool
may_matter(struct str name)
{
	return is_source(name) || (str_index(name, '.') < 0 && is_inside(name));
}

/* ---- looking ---------------------------------------------------------------------- */

static void
scan_release(struct scan *x)
{
	for (size_t i = 0; i < x->files_n; i++)
		free(x->files[i].path);
	for (size_t i = 0; i < x->places_n; i++) {
		watch_free(x->places[i].watch);
		free(x->places[i].path);
	}
	free(x->files);
	free(x->places);
	*x = (struct scan){ 0 };
}

static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void scan_folder(struct scan *x, const char *path, unsigned depth);

static void
scan_entry(struct scan *x, const char *folder, const char *name, unsigned depth)
{
	struct buf path = BUF(SIZE_MAX / 2);
	struct stat st;

	buf_add_fmt(&path, "%s/%s%c", folder, name, '\0');
	if (lstat(path.p, &st) == 0 && S_ISDIR(st.st_mode) && is_inside(str_of(name))) {
		scan_folder(x, path.p, depth + 1);
	} else if (is_source(str_of(name)) && stat(path.p, &st) == 0 && S_ISREG(st.st_mode)) {
		if (x->files_n == LIMIT_DEV_FILES) {
			x->cut = true;
		} else {
			mem_grow(x->files, x->files_n, x->files_cap);
			x->files[x->files_n++] = (struct source){ mem_cstr(str_of(path.p)),
				(int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec,
				(int64_t)st.st_size };
		}
	}
	buf_release(&path);
}

static void
scan_folder(struct scan *x, const char *path, unsigned depth)
{
	struct dirent **names = NULL;
	int n;

	if (depth > DEPTH_MAX || x->places_n == LIMIT_DEV_FOLDERS) {
		x->cut = true;
		return;
	}
	mem_grow(x->places, x->places_n, x->places_cap);
	x->places[x->places_n++] = (struct place){ mem_cstr(str_of(path)), NULL };
	n = scandir(path, &names, NULL, by_name);
	for (int i = 0; i < n; i++) {
		if (strcmp(names[i]->d_name, ".") != 0 && strcmp(names[i]->d_name, "..") != 0)
			scan_entry(x, path, names[i]->d_name, depth);
		free(names[i]);
	}
	free(names);
}

/* A file that is in one and not in the other, or differs; NULL: none.  The order of both is
 * that of the walk, which is the same for the same names. */
static const char *
difference(const struct scan *a, const struct scan *b)
{
	size_t n = a->files_n < b->files_n ? a->files_n : b->files_n;

	for (size_t i = 0; i < n; i++) {
		const struct source *x = &a->files[i], *y = &b->files[i];

		if (strcmp(x->path, y->path) != 0)
			return a->files_n > b->files_n ? x->path : y->path;
		if (x->time != y->time || x->size != y->size)
			return y->path;
	}
	return a->files_n > n ? a->files[n].path : b->files_n > n ? b->files[n].path : NULL;
}

/* ---- changes ---------------------------------------------------------------------- */

static void
on_sign(void *ctx)
{
	struct sources *w = ctx;

	shard_timer_cancel(w->shard, &w->rest);
	shard_timer_set(w->shard, &w->rest, REST_MS);
}

/* Those of before keep their watches. */
static void
watch_places(struct sources *w, struct scan *before, struct scan *x)
{
	size_t k = 0;

	for (size_t i = 0; i < x->places_n; i++) {
		struct place *p = &x->places[i];

		for (size_t m = k; m < before->places_n && p->watch == NULL; m++)
			if (strcmp(before->places[m].path, p->path) == 0) {
				p->watch = before->places[m].watch;
				before->places[m].watch = NULL;
				k = m + 1;
			}
		if (p->watch == NULL)
			p->watch = watch_new(w->shard, p->path, may_matter, on_sign, w);
	}
}

static void
look(struct sources *w)
{
	struct scan before = w->now;

	w->now = (struct scan){ 0 };
	scan_folder(&w->now, w->folder, 0);
	watch_places(w, &before, &w->now);
	if (w->now.cut && !w->warned)
		log_warn("main", "not_all_watched", "folder=%s files=%zu folders=%zu", w->folder,
		    w->now.files_n, w->now.places_n);
	w->warned = w->warned || w->now.cut;
	for (size_t i = 0; i < before.places_n; i++) {
		watch_free(before.places[i].watch);
		before.places[i].watch = NULL;
	}
	if (before.places_n > 0) {
		const char *path = difference(&before, &w->now);

		if (path != NULL)
			w->changed(w->ctx, str_of(path + strlen(w->folder) + 1));
	}
	scan_release(&before);
}

static void
on_rest(struct wheel_timer *t)
{
	look(CONTAINER_OF(t, struct sources, rest));
}

struct sources *
sources_new(struct shard *s, const char *folder, void (*changed)(void *ctx, struct str path),
    void *ctx)
{
	struct sources *w = mem_new(struct sources);

	w->shard = s;
	w->folder = mem_cstr(str_of(folder));
	w->changed = changed;
	w->ctx = ctx;
	w->rest.fire = on_rest;
	look(w);
	return w;
}

void
sources_free(struct sources *w)
{
	if (w == NULL)
		return;
	shard_timer_cancel(w->shard, &w->rest);
	scan_release(&w->now);
	free(w->folder);
	free(w);
}
