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
#include <uv.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/shard.h"

#define SETTLE_MS 50                         /* from the first sign of a change */

struct watch {
	struct shard *shard;
	char *folder;
	uv_fs_event_t *handle;               /* NULL: not watched */
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
	w->handle = NULL;
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

static void
start(struct watch *w)
{
	int rc;

	w->handle = mem_new(uv_fs_event_t);
	rc = uv_fs_event_init(shard_loop(w->shard), w->handle);
	w->handle->data = w;
	if (rc == 0)
		rc = uv_fs_event_start(w->handle, on_event, w->folder, 0);
	if (rc == 0) {
		uv_unref((uv_handle_t *)w->handle);
		return;
	}
	log_warn("main", "not_watched", "folder=%s error=%s reason=%s", w->folder,
	    uv_strerror(rc), "changes are seen at SIGHUP only");
	stop(w);
}

struct watch *
watch_new(struct shard *s, const char *folder, bool (*wanted)(struct str name),
    void (*changed)(void *ctx), void *ctx)
{
	struct watch *w = mem_new(struct watch);

	w->shard = s;
	w->folder = mem_cstr(str_of(folder));
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
