/*
 * agent_tools.c - see agent_tools.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/agent_tools.h"

#include <assert.h>
#include <pthread.h>

#include "base/limits.h"
#include "base/mem.h"
#include "main/work_tools.h"
#include "task/kinds.h"
#include "tools/tools.h"

#define NAMES_MAX 64

static const char *names[NAMES_MAX];
static struct tools *registry;               /* for as long as the process */
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Names and groups are literals: they outlive the registry. */
static void
collect(void)
{
	struct tools *t = tools_new();
	size_t n = 0;

	work_tools_add(t);
	assert(2 * tools_count(t) < NAMES_MAX);
	for (size_t i = 0; i < tools_count(t); i++) {
		const struct tool *tool = tools_at(t, i);

		names[n++] = tool->name;
		if (tool->group != NULL)
			names[n++] = tool->group;
	}
	registry = t;
}

/* One argument as the tool's schema wants it. */
static int
check_arg(jnode properties, struct str tool, struct str key, struct val v, struct err *e)
{
	jnode schema = json_get(properties, key);
	struct str_near near = { .word = key };
	struct json_iter it = json_each(properties);
	struct buf text = BUF(LIMIT_CHART_BYTES);
	struct json_doc d = { 0 };
	char *one[64] = { NULL };
	size_t n = 0;
	int rc;

	while (schema == NULL && n < COUNT(one) && json_next(&it)) {
		one[n] = mem_cstr(json_str(it.key));
		str_near_try(&near, one[n++]);
	}
	val_add_json(&text, v);
	rc = schema == NULL ? err_near(e, ERR_INVALID, near.best, "'", "%.*s has no argument "
	    "'%.*s'", FMT(tool), FMT(str_cut(key, 100))) : json_parse(&d, buf_str(&text), e);
	if (rc == OK)
		rc = tools_check_value(schema, d.root, e);
	json_release(&d);
	buf_release(&text);
	while (n > 0)
		free(one[--n]);
	return rc;
}

static int
check_args(void *ctx, struct str place, struct str name, struct val args, struct err *e)
{
	const struct tool *tool = tools_find(registry, name);
	struct json_doc d = { 0 };
	struct err why = { 0 };
	int rc = OK;

	(void)ctx;
	if (tool == NULL)
		return err_set(e, ERR_INVALID, "%.*s'args' belong to a built-in tool, not to '%.*s'",
		    FMT(place), FMT(str_cut(name, 100)));
	rc = json_parse(&d, str_of(tool->parameters_json), &why);
	for (size_t i = 0; rc == OK && i < val_count(args); i++) {
		struct str key = val_key(args, i);

		rc = check_arg(json_get(d.root, S("properties")), name, key, val_member(args, i),
		    &why);
		if (rc != OK)
			err_set(e, rc, "%.*sargs.%.*s: %s", FMT(place), FMT(str_cut(key, 100)),
			    why.text);
	}
	json_release(&d);
	return rc;
}

int
agent_load_checked(struct agent **out, struct str text, struct str file, struct err *e)
{
	int rc = agent_load(out, text, file, &task_kinds, e);

	pthread_once(&once, collect);
	if (rc == OK)
		rc = agent_check_tools(*out, names, e);
	if (rc == OK)
		rc = agent_each_args(*out, check_args, NULL, e);
	if (rc != OK) {
		agent_free(*out);
		*out = NULL;
	}
	return rc;
}
