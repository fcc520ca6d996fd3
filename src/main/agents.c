/*
 * agents.c - see agents.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/agents.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"
#include "task/kinds.h"

static bool
is_agent_file(struct str name)
{
	return name.n > 0 && name.p[0] != '.' && (str_ends(name, S(".yaml")) ||
	    str_ends(name, S(".yml")) || str_ends(name, S(".json")));
}

static int
add_text(struct agents *set, struct str text, struct str file, struct err *e)
{
	struct agent *a;
	int rc = agent_load(&a, text, file, &task_kinds, e);

	return rc == OK ? agents_add(set, a, e) : rc;
}

static void
add_file(struct agents *set, const char *folder, const char *name)
{
	struct buf text = BUF(LIMIT_AGENT_BYTES);
	char path[4096];
	struct err e;
	int rc;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	rc = file_add(path, &text, &e);
	if (rc == OK)
		rc = add_text(set, buf_str(&text), str_of(path), &e);
	if (rc != OK)
		log_error("agents", "refused", "%s", e.text);
	buf_release(&text);
}

static int
add_folder(struct agents *set, const char *folder, struct err *e)
{
	struct dirent **names;
	int n = scandir(folder, &names, NULL, alphasort);

	if (n < 0)
		return err_set(e, errno == ENOENT ? ERR_NOTFOUND : ERR_IO,
		    "agents: %s: %s", folder, strerror(errno));
	for (int i = 0; i < n; i++) {
		if (is_agent_file(str_of(names[i]->d_name)))
			add_file(set, folder, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	return OK;
}

int
agents_open(struct agents **out, struct str folder, struct err *e)
{
	struct agents *set = agents_new();
	int rc = folder.n > 0 ? add_folder(set, folder.p, e) : OK;

	if (rc == OK && agents_find(set, S("agent")) == NULL)
		rc = add_text(set, str_of(agent_builtin_text), S("agent.yaml"), e);
	if (rc == OK)
		rc = agents_link(set, e);
	if (rc != OK) {
		agents_free(set);
		set = NULL;
	}
	*out = set;
	return rc;
}
