/*
 * watch.c - see watch.h.
 *
 * The handle is memory of its own: libuv needs it until its close is through,
 * which is after watch_free.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/watch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <uv.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/shard.h"

#define SETTLE_MS 50                         /* from the first sign of a change */

struct watch {
	struct shard *shard;
	char *folder;
	uv_fs_event_t *handle;               /* NULL: not watched */
	uv_fs_event_t *link;                 /* of the folder of the link; NULL: it is none */
	struct wheel_timer settle;
	bool waits;                          /* settle is set */
	bool (*wanted)(struct str name);
	void (*changed)(void *ctx);
	void *ctx;
};

static void
on_closed(uv_handle_t *handle)
{
	free(handle);
}

static void
stop(struct watch *w)
{
	if (w->handle != NULL)
		uv_close((uv_handle_t *)w->handle, on_closed);
	if (w->link != NULL)
		uv_close((uv_handle_t *)w->link, on_closed);
	w->handle = w->link = NULL;
}

static void
on_settled(struct wheel_timer *t)
{
	struct watch *w = CONTAINER_OF(t, struct watch, settle);

	w->waits = false;
	w->changed(w->ctx);
}

static void
notice(struct watch *w)
{
	if (!w->waits)
		shard_timer_set(w->shard, &w->settle, SETTLE_MS);
	w->waits = true;
}

static void
on_event(uv_fs_event_t *handle, const char *name, int events, int status)
{
	struct watch *w = handle->data;

	(void)events;
	/* Without a name, or if it is the folder's own, anything may have changed. */
	if (status < 0 || name == NULL || w->wanted(str_of(name)))
		notice(w);
}

/* Where the name of the folder begins in its path. */
static const char *
name_of(const struct watch *w)
{
	const char *slash = strrchr(w->folder, '/');

	return slash != NULL ? slash + 1 : w->folder;
}

static void
on_link(uv_fs_event_t *handle, const char *name, int events, int status)
{
	struct watch *w = handle->data;

	(void)events;
	if (status < 0 || name == NULL || strcmp(name, name_of(w)) == 0)
		watch_again(w);
}

static uv_fs_event_t *
watch_path(struct watch *w, const char *path, uv_fs_event_cb told)
{
	uv_fs_event_t *handle = mem_new(uv_fs_event_t);
	int rc = uv_fs_event_init(shard_loop(w->shard), handle);

	handle->data = w;
	if (rc == 0)
		rc = uv_fs_event_start(handle, told, path, 0);
	if (rc == 0) {
		uv_unref((uv_handle_t *)handle);
		return handle;
	}
	log_warn("main", "not_watched", "folder=%s error=%s reason=%s", path,
	    uv_strerror(rc), "changes are seen at SIGHUP only");
	uv_close((uv_handle_t *)handle, on_closed);
	return NULL;
}

/* The link first: what it leads to from here on is told. */
static void
start(struct watch *w)
{
	struct stat st;

	if (lstat(w->folder, &st) == 0 && S_ISLNK(st.st_mode)) {
		char *above = mem_cstr(name_of(w) - w->folder > 1 ? (struct str){ w->folder,
		    (size_t)(name_of(w) - w->folder) - 1 } : w->folder[0] == '/' ? S("/") : S("."));

		w->link = watch_path(w, above, on_link);
		free(above);
	}
	w->handle = watch_path(w, w->folder, on_event);
}

struct watch *
watch_new(struct shard *s, const char *folder, bool (*wanted)(struct str name),
    void (*changed)(void *ctx), void *ctx)
{
	struct watch *w = mem_new(struct watch);
	struct str path = str_of(folder);

	while (path.n > 1 && path.p[path.n - 1] == '/')
		path.n--;
	w->shard = s;
	w->folder = mem_cstr(path);
	w->settle.fire = on_settled;
	w->wanted = wanted;
	w->changed = changed;
	w->ctx = ctx;
	start(w);
	return w;
}

void
watch_free(struct watch *w)
{
	if (w == NULL)
		return;
	stop(w);
	if (w->waits)
		shard_timer_cancel(w->shard, &w->settle);
	free(w->folder);
	free(w);
}

void
watch_again(struct watch *w)
{
	stop(w);
	start(w);
	notice(w);
}
