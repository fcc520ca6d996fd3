/*
 * sandbox.c - see sandbox.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/sandbox.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "main/wasm_local.h"
#include "run/items.h"

/* The same from the root. */
static char *
absolute(struct str path)
{
	struct buf b = BUF(2 * PATH_MAX);
	char here[PATH_MAX];
	char *out;

	if (path.p[0] != '/' && getcwd(here, sizeof here) != NULL)
		buf_add_fmt(&b, "%s/", here);
	buf_add(&b, path);
	out = mem_cstr(buf_str(&b));
	buf_release(&b);
	return out;
}

/* wasm.cache; by itself the folder wasm beside the database, or that of the user's commands
 * where there is no database.  NULL: there is none. */
static char *
cache_of(const struct config *c)
{
	struct str given = config_str(c, SETTING_WASM_CACHE), db = config_str(c,
	    config_store_is_server(c) ? SETTING_WORK_PATH : SETTING_DB);
	struct buf b = BUF(2 * PATH_MAX);
	char path[PATH_MAX];
	size_t n = db.n;
	struct err e;

	if (given.n > 0)
		return absolute(given);
	if (str_eq(config_str(c, SETTING_STORE), S("memory")))
		return wasm_local_cache_user(path, sizeof path, &e) == OK ?
		    mem_cstr(str_of(path)) : NULL;
	while (n > 0 && db.p[n - 1] != '/')
		n--;
	buf_add_fmt(&b, "%.*swasm", (int)n, db.p);
	snprintf(path, sizeof path, "%.*s", FMT(buf_str(&b)));
	buf_release(&b);
	return absolute(str_of(path));
}

int
sandbox_open(struct sandbox *b, const struct config *c, struct store *store,
    unsigned shards, const struct folder *folder, struct err *e)
{
	struct wasm_deploy_options o = { .store = store, .shards_n = shards,
	    .shared = config_store_is_server(c), .changed = b->changed, .ctx = b->ctx };
	struct err why;
	int rc;

	if (!config_bool(c, SETTING_WASM_ENABLED))
		return OK;
	if (wasm_local_host(b->host, sizeof b->host, &why) < 0)
		log_warn("main", "no_wasm_host", "error=%s", why.text);
	b->cache = cache_of(c);
	o.cache = b->cache;
	o.pool.host_program = b->host;
	o.pool.hosts_max = (unsigned)config_int(c, SETTING_WASM_HOSTS);
	o.pool.memory_max = (size_t)config_int(c, SETTING_WASM_MEMORY) * MB;
	rc = wasm_deploy_new(&b->deploy, &o, e);
	if (rc == OK) {
		b->files = guest_files_new(b->deploy, b->cache, folder);
		guest_files_read(b->files, folder_agents(folder));
	}
	return rc;
}

void
sandbox_read(void *b, const struct agents *set)
{
	struct guest_files *files = ((struct sandbox *)b)->files;

	if (files != NULL)
		guest_files_read(files, set);
}

void
sandbox_close(struct sandbox *b)
{
	guest_files_free(b->files);
	wasm_deploy_free(b->deploy);
	free(b->cache);
	b->files = NULL;
	b->deploy = NULL;
	b->cache = NULL;
}

/* ---- of a shard ----------------------------------------------------------------- */

/* What guests write to the store is indexed as what others do. */
static int
submit_item(void *ctx, struct store_cmd *cmd)
{
	return items_submit(ctx, cmd);
}

int
sandbox_shard_open(struct sandbox_shard *g, struct sandbox *b,
    const struct sandbox_needs *n, struct err *e)
{
	int rc;

	if (b->deploy == NULL)
		return OK;
	rc = wasm_desk_new(&g->desk, b->deploy, n->shard, n->reader, e);
	if (rc < 0)
		return rc;
	runs_allow_wasm(n->runs, g->desk);
	g->agents = wasm_agents_new(&(struct wasm_agents_options){ .shard = n->shard,
	    .office = n->office, .desk = g->desk, .store = n->store, .reader = n->reader,
	    .tools = n->tools, .submit = submit_item, .submit_ctx = n->runs });
	return OK;
}

struct drain { struct wasm_desk *desk; void (*done)(void *ctx); void *ctx; };

static void
agents_drained(void *ctx)
{
	struct drain *d = ctx, was = *d;

	free(d);
	wasm_desk_drain(was.desk, was.done, was.ctx);
}

void
sandbox_shard_drain(struct sandbox_shard *g, void (*done)(void *ctx), void *ctx)
{
	struct drain *d;

	if (g->desk == NULL) {
		done(ctx);
		return;
	}
	d = mem_new(struct drain);
	*d = (struct drain){ g->desk, done, ctx };
	wasm_agents_drain(g->agents, agents_drained, d);
}

void
sandbox_shard_free(struct sandbox_shard *g)
{
	wasm_agents_free(g->agents);
	wasm_desk_free(g->desk);
	*g = (struct sandbox_shard){ 0 };
}
