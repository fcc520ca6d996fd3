/*
 * reload.c - see reload.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/reload.h"

#include <assert.h>
#include <stdlib.h>
#include <uv.h>

#include "base/mem.h"
#include "main/package.h"
#include "main/wasm_folder.h"
#include "main/watch.h"
#include "net/shard.h"

struct reload {
	uv_work_t work;
	struct shard *shard;
	struct folder *folder;
	struct watch *watch;
	struct agents *before;               /* held, while it is read */
	bool reading;
	bool again;                          /* something has changed meanwhile */
	bool gone;                           /* freed as soon as it has been read */
	bool fresh;                          /* there is another set */
	void (*changed)(void *ctx, struct agents *set, struct agents *before);
	void *ctx;
	void (*beside)(void *beside_ctx, const struct agents *set);
	void *beside_ctx;
};

/* A folder that a container mounts is changed by a link in it, `..data`. */
static bool
may_matter(struct str name)
{
	return folder_takes(name) || guest_files_takes(name) || str_starts(name, S("..")) ||
	    str_eq(name, S(PACKAGE_LOCK));
}

static void
read_folder(uv_work_t *work)
{
	struct reload *r = CONTAINER_OF(work, struct reload, work);

	r->fresh = folder_read(r->folder);
	r->beside(r->beside_ctx, folder_agents(r->folder));
}

static void begin(void *ctx);

static void
was_read(uv_work_t *work, int status)
{
	struct reload *r = CONTAINER_OF(work, struct reload, work);

	r->reading = false;
	if (!r->gone && status == 0 && r->fresh)
		r->changed(r->ctx, folder_agents(r->folder), r->before);
	agents_free(r->before);
	if (r->gone)
		free(r);
	else if (r->again)
		begin(r);
}

static void
begin(void *ctx)
{
	struct reload *r = ctx;
	int rc;

	r->again = r->reading;
	if (r->reading)
		return;
	r->reading = true;
	r->before = agents_hold(folder_agents(r->folder));
	rc = uv_queue_work(shard_loop(r->shard), &r->work, read_folder, was_read);
	assert(rc == 0);
	(void)rc;
}

struct reload *
reload_new(struct shard *s, struct folder *f,
    void (*changed)(void *ctx, struct agents *set, struct agents *before), void *ctx,
    void (*beside)(void *beside_ctx, const struct agents *set), void *beside_ctx)
{
	struct reload *r = mem_new(struct reload);

	r->shard = s;
	r->folder = f;
	r->changed = changed;
	r->beside = beside;
	r->beside_ctx = beside_ctx;
	r->ctx = ctx;
	r->watch = watch_new(s, folder_path(f), may_matter, begin, r);
	return r;
}

void
reload_now(struct reload *r)
{
	watch_again(r->watch);
}

void
reload_free(struct reload *r)
{
	if (r == NULL)
		return;
	watch_free(r->watch);
	r->watch = NULL;
	r->gone = true;
	if (!r->reading)
		free(r);
}
