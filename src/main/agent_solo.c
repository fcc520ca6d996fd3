/*
 * agent_solo.c - see agent_solo.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/agent_solo.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "llm/script.h"
#include "main/agent_tools.h"
#include "main/agents.h"
#include "main/config.h"
#include "main/models.h"
#include "net/shard.h"
#include "task/kinds.h"
#include "tools/mcp.h"

#define SCRIPT_MAX (16 * MB)

extern char **environ;

/* ---- a file and those beside it ------------------------------------------------- */

static int
load(struct agent **out, const char *path, struct err *e)
{
	struct buf text = BUF(LIMIT_AGENT_BYTES);
	int rc = file_add(path, &text, e);

	*out = NULL;
	if (rc == OK)
		rc = agent_load_checked(out, buf_str(&text), str_of(path), e);
	buf_release(&text);
	return rc;
}

/* Those of the folder, but for the file itself and what is no agent. */
static void
add_beside(struct agents *set, const char *path)
{
	const char *slash = strrchr(path, '/');
	struct str folder = slash == NULL ? S(".") :
	    (struct str){ path, (size_t)(slash - path) };
	struct dirent **names;
	char other[4096];
	int n;

	snprintf(other, sizeof other, "%.*s/", FMT(folder));
	n = scandir(other, &names, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		const char *name = names[i]->d_name;
		struct agent *a;
		struct err e;

		snprintf(other, sizeof other, "%.*s/%s", FMT(folder), name);
		if (folder_takes(str_of(name)) &&
		    strcmp(name, slash == NULL ? path : slash + 1) != 0 &&
		    load(&a, other, &e) == OK)
			(void)agents_add(set, a, &e);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
}

static void
add_builtin(struct agents *set)
{
	const struct agent_builtin *b;
	struct agent *a;
	struct err e;

	for (size_t i = 0; (b = agent_builtin_at(i)) != NULL; i++)
		if (agents_find(set, str_of(b->id)) == NULL && agent_load(&a, str_of(b->text),
		    str_of(b->file), &task_kinds, &e) == OK)
			(void)agents_add(set, a, &e);
}

/* First by itself: the folder is read only if the agent calls others, and its
 * other files may call what is not there. */
int
agent_file_open(struct agent_file *f, const char *path, struct err *e)
{
	struct agents *alone = agents_new(), *all = agents_new();
	struct agent *a = NULL, *again = NULL;
	struct err other;
	int rc = load(&a, path, e);

	*f = (struct agent_file){ 0 };
	if (rc == OK)
		rc = agents_add(alone, a, e);
	if (rc != OK) {
		agents_free(alone);
		agents_free(all);
		return rc;
	}
	add_builtin(alone);
	rc = agents_link(alone, e);
	if (rc != OK && load(&again, path, &other) == OK &&
	    agents_add(all, again, &other) == OK) {
		add_beside(all, path);
		add_builtin(all);
		rc = agents_link(all, e);
	}
	f->set = again != NULL ? all : alone;
	f->agent = again != NULL ? again : a;
	agents_free(again != NULL ? alone : all);
	if (rc != OK)
		agent_file_close(f);
	return rc;
}

int
agent_builtin_open(struct agent_file *f, struct str id, struct err *e)
{
	struct str_near near = { .word = id };
	const struct agent_builtin *b;
	int rc;

	*f = (struct agent_file){ .set = agents_new() };
	add_builtin(f->set);
	rc = agents_link(f->set, e);
	f->agent = rc == OK ? agents_find(f->set, id) : NULL;
	if (f->agent != NULL)
		return OK;
	for (size_t i = 0; (b = agent_builtin_at(i)) != NULL; i++)
		str_near_try(&near, b->id);
	agent_file_close(f);
	return rc != OK ? rc : err_near(e, ERR_NOTFOUND, near.best, "'",
	    "there is no built-in agent '%.*s'; a file's name ends in .yaml, .yml, .json or "
	    ".scxml", FMT(str_cut(id, 100)));
}

void
agent_file_close(struct agent_file *f)
{
	agents_free(f->set);
	*f = (struct agent_file){ 0 };
}

/* ---- a place to run -------------------------------------------------------------- */

static int
read_script(struct solo_room *r, struct str path, struct err *e)
{
	struct buf text = BUF(SCRIPT_MAX);
	int rc = OK;

	if (path.n > 0)
		rc = file_add(path.p, &text, e);
	else
		buf_add(&text, str_of(script_first_steps));
	if (rc == OK)
		rc = script_new(&r->script, buf_str(&text), e);
	buf_release(&text);
	return rc;
}

int
solo_room_open(struct solo_room *r, struct str model, struct str script, struct err *e)
{
	struct llm_options o = { 0 };
	struct config c;
	int rc;

	*r = (struct solo_room){ .tools = tools_new() };
	rc = config_read(&c, 0, NULL, environ, e);
	if (rc == OK && model.n > 0)
		rc = config_set(&c, SETTING_MODEL, model, RANK_FLAG, "--model", e);
	if (rc == OK)
		rc = config_take_secret(&c, SETTING_OPENAI_API_KEY, environ, e);
	if (rc == OK)
		rc = models_of_config(&r->models, &c, environ, e);
	if (rc == OK)
		models_default(&r->model, r->models, &c);
	config_release(&c);
	if (rc == OK)
		rc = read_script(r, script, e);
	o.models = r->models;
	o.default_model = buf_str(&r->model);
	o.script = r->script;
	if (rc == OK)
		rc = client_global_init(e);
	if (rc == OK)
		rc = shard_new(&r->shard, 0, e);
	if (rc == OK)
		rc = client_new(&r->client, r->shard, e);
	if (rc == OK)
		r->mcp = mcp_new(r->shard, r->client);
	if (rc == OK)
		rc = llm_new(&r->llm, r->shard, r->client, &o, e);
	if (rc == OK)
		rc = llm_check(r->llm, buf_str(&r->model), STR_NONE, e);
	if (rc != OK)
		solo_room_close(r);
	return rc;
}

void
solo_room_close(struct solo_room *r)
{
	llm_free(r->llm);
	mcp_free(r->mcp);
	client_free(r->client);
	shard_free(r->shard);
	tools_free(r->tools);
	script_free(r->script);
	models_free(r->models);
	buf_release(&r->model);
	*r = (struct solo_room){ 0 };
}

bool
task_seen(struct tasks_seen *s, const struct uuid *task)
{
	for (size_t i = s->n; i > 0; i--)
		if (uuid_eq(&s->at[i - 1], task))
			return true;
	mem_grow(s->at, s->n, s->cap);
	s->at[s->n++] = *task;
	return false;
}
