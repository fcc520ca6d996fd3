/*
 * wasm_folder.c - see wasm_folder.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/wasm_folder.h"

#include <stdlib.h>
#include <string.h>

#include "agent/wasm.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "main/agents.h"
#include "main/wasm_local.h"

#define PATH_BYTES (16 * KB)

struct guest_file {
	char *id;                            /* of the agent, and so of the module */
	struct buf source;                   /* as it was read last */
	struct buf module;                   /* the same, as a module; empty: never was one */
	char *said;                          /* what was wrong, when it was logged last */
	bool there;                          /* in the set that is read just now */
};

struct guest_files {
	struct wasm_deploy *deploy;
	const char *cache;
	const struct folder *folder;
	struct guest_file *at;
	size_t n, cap;
};

struct guest_files *
guest_files_new(struct wasm_deploy *d, const char *cache, const struct folder *f)
{
	struct guest_files *g = mem_new(struct guest_files);

	g->deploy = d;
	g->cache = cache;
	g->folder = f;
	return g;
}

static void
file_drop(struct guest_file *f)
{
	free(f->id);
	free(f->said);
	buf_release(&f->source);
	buf_release(&f->module);
}

void
guest_files_free(struct guest_files *g)
{
	if (g == NULL)
		return;
	for (size_t i = 0; i < g->n; i++)
		file_drop(&g->at[i]);
	free(g->at);
	free(g);
}

bool
guest_files_takes(struct str name)
{
	return name.n > 0 && name.p[0] != '.' &&
	    (str_ends(name, S(".wasm")) || str_ends(name, S(".wat")));
}

/* ---- reading -------------------------------------------------------------------- */

/* Beside the agent's file; with a NUL behind it. */
static void
path_add(struct buf *path, const struct agent *a)
{
	size_t n = a->file.n;

	while (n > 0 && a->file.p[n - 1] != '/')
		n--;
	buf_add_fmt(path, "%.*s%.*s", (int)n, a->file.p, FMT(a->wasm->module));
	buf_add_char(path, '\0');
}

/* An error in the module, reported at the place in the file that names it. */
static int
at_module(const struct agent *a, struct err *e, int rc, const struct err *why)
{
	return err_set(e, rc, "%.*s:%u:%u: wasm.module: %s", FMT(a->file), a->wasm->line,
	    a->wasm->column, why->text);
}

static int
file_read(struct guest_files *g, struct guest_file *f, const struct agent *a, struct err *e)
{
	struct buf path = BUF(PATH_BYTES), source = BUF(LIMIT_WASM_MODULE_BYTES);
	struct buf module = BUF(LIMIT_WASM_MODULE_BYTES);
	struct err why;
	int rc;

	path_add(&path, a);
	rc = path.failed ? err_set(&why, ERR_TOOBIG, "its path is too long") :
	    file_add(path.p, &source, &why);
	if (rc == OK && folder_vouch(g->folder, str_of(path.p), buf_str(&source), &why) != OK) {
		buf_release(&path);
		buf_release(&source);
		return at_module(a, e, why.code, &why);
	}
	buf_release(&path);
	if (rc == OK && str_eq(buf_str(&source), buf_str(&f->source)) && f->source.n > 0) {
		buf_release(&source);
		return f->module.n > 0 || f->said == NULL ? OK : ERR_AGAIN;
	}
	if (rc == OK && source.n > 0 && wasm_is_text(buf_str(&source)))
		rc = g->cache == NULL ? err_set(&why, ERR_NOTFOUND, "a .wat file is compiled in "
		    "the folder wasm.cache, which does not exist") :
		    wasm_text_read(g->cache, buf_str(&source), &module, &why);
	else if (rc == OK)
		buf_add(&module, buf_str(&source));
	if (rc == OK && module.n == 0)
		rc = err_set(&why, ERR_INVALID, "the file is empty");
	buf_release(&f->source);
	f->source = source;
	if (rc != OK) {
		buf_release(&module);
		return at_module(a, e, rc, &why);
	}
	buf_release(&f->module);
	f->module = module;
	return OK;
}

static struct guest_file *
file_at(struct guest_files *g, struct str id)
{
	for (size_t i = 0; i < g->n; i++)
		if (str_eq(str_of(g->at[i].id), id))
			return &g->at[i];
	mem_grow(g->at, g->n, g->cap);
	g->at[g->n] = (struct guest_file){ .id = mem_cstr(id),
	    .source = BUF(LIMIT_WASM_MODULE_BYTES), .module = BUF(LIMIT_WASM_MODULE_BYTES) };
	return &g->at[g->n++];
}

static void
say(struct guest_file *f, int rc, const struct err *e)
{
	if (rc == ERR_AGAIN)                 /* as it was, and that was said */
		return;
	if (rc != OK && (f->said == NULL || strcmp(f->said, e->text) != 0))
		log_error("wasm", "refused", "error=%s", e->text);
	free(f->said);
	f->said = rc != OK ? mem_cstr(str_of(e->text)) : NULL;
}

static struct wasm_policy
policy_of(const struct agent_wasm *w)
{
	return (struct wasm_policy){ .allow = w->allow, .tools = w->tools,
	    .tools_n = w->tools_n, .limits = w->limits, .rate = w->rate };
}

/* Those whose agent is gone. */
static void
files_forget(struct guest_files *g)
{
	size_t n = 0;

	for (size_t i = 0; i < g->n; i++)
		if (g->at[i].there)
			g->at[n++] = g->at[i];
		else
			file_drop(&g->at[i]);
	g->n = n;
}

void
guest_files_read(struct guest_files *g, const struct agents *set)
{
	struct wasm_folder_module *all = mem_zero((agents_count(set) + 1) * sizeof *all);
	size_t n = 0;

	for (size_t i = 0; i < g->n; i++)
		g->at[i].there = false;
	for (size_t i = 0; i < agents_count(set); i++) {
		const struct agent *a = agents_at(set, i);
		struct guest_file *f;
		struct err e;

		if (a->wasm == NULL)
			continue;
		f = file_at(g, a->id);
		f->there = true;
		say(f, file_read(g, f, a, &e), &e);
		if (f->module.n > 0)
			all[n++] = (struct wasm_folder_module){ .name = a->id,
			    .bytes = buf_str(&f->module), .policy = policy_of(a->wasm) };
	}
	files_forget(g);
	wasm_deploy_folder(g->deploy, all, n);
	free(all);
}

/* ---- checking ----------------------------------------------------------------------- */

int
guest_files_check(const struct agent *a, struct err *e)
{
	struct buf path = BUF(PATH_BYTES), module = BUF(LIMIT_WASM_MODULE_BYTES);
	struct arena arena = ARENA(4 * (size_t)LIMIT_WASM_MODULE_BYTES);
	struct wasm_module *m;
	struct wasm_policy policy;
	struct err why;
	int rc;

	if (a->wasm == NULL)
		return OK;
	path_add(&path, a);
	rc = path.failed ? err_set(&why, ERR_TOOBIG, "its path is too long") :
	    wasm_local_read(&module, str_of(path.p), &why);
	if (rc == OK)
		rc = wasm_module_read(&m, buf_str(&module), false, &arena, &why);
	if (rc == OK) {
		policy = policy_of(a->wasm);
		rc = wasm_policy_fits(&policy, wasm_module_facts(m), &why);
	}
	buf_release(&path);
	buf_release(&module);
	arena_release(&arena);
	return rc == OK ? rc : at_module(a, e, rc, &why);
}
