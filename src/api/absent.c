/*
 * absent.c - the endpoints of the LangGraph API that are not here yet.
 *
 * They answer 404 and their name, so that a client learns what is missing and
 * does not try again (SDKs repeat a 501 for 19 s).  Whoever builds one takes
 * its row out of this table; a unit test holds the two tables apart.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/fields.h"

#define ASSISTANT "/assistants/{assistant_id}"
#define THREAD "/threads/{thread_id}"

const struct absent absents[] = {
	{ "GET", ASSISTANT "/graph", "assistants graph" },
	{ "GET", ASSISTANT "/schemas", "assistants schemas" },
	{ "GET", ASSISTANT "/subgraphs", "assistants subgraphs" },
	{ "GET", ASSISTANT "/subgraphs/{namespace}", "assistants subgraphs" },
	{ "POST", ASSISTANT "/versions", "assistants versions" },
	{ "POST", ASSISTANT "/latest", "assistants latest" },
	{ "POST", "/threads/prune", "threads prune" },
	{ "POST", THREAD "/copy", "threads copy" },
	{ "GET", THREAD "/state/{checkpoint_id}", "threads state of a checkpoint" },
	{ "POST", THREAD "/state/checkpoint", "threads state of a checkpoint" },
	{ "POST", THREAD "/state", "threads state update" },
	{ "PATCH", THREAD "/state", "threads state patch" },
	{ "GET", THREAD "/storage", "threads storage" },
	{ "GET", THREAD "/stream", "threads stream" },
	{ "POST", THREAD "/commands", "threads commands (protocol v2)" },
	{ "POST", THREAD "/stream/events", "threads stream events (protocol v2)" },
	{ "GET", THREAD "/stream/events", "threads stream events (protocol v2)" },
	{ "POST", "/runs/batch", "runs batch" },
	{ "POST", "/runs/cancel", "runs cancel of many" },
	{ "POST", "/runs/crons", "crons create" },
	{ "POST", THREAD "/runs/crons", "crons create" },
	{ "POST", "/runs/crons/search", "crons search" },
	{ "POST", "/runs/crons/count", "crons count" },
	{ "GET", "/runs/crons/{cron_id}", "crons get" },
	{ "PATCH", "/runs/crons/{cron_id}", "crons update" },
	{ "DELETE", "/runs/crons/{cron_id}", "crons delete" },
	{ "POST", "/store/namespaces", "store namespaces" },
	{ "GET", "/docs", "docs page" },
	{ "POST", "/internal/truncate", "internal truncate" },
	{ "GET", "/ui/{assistant_id}", "ui" },
	{ "POST", "/ui/{assistant_id}", "ui" },
	{ "POST", "/a2a/{assistant_id}", "a2a" },
	{ "GET", "/a2a/{assistant_id}/.well-known/agent-card.json", "a2a agent card" },
	{ "GET", "/.well-known/agent-card.json", "a2a agent card" },
};
const size_t absents_n = COUNT(absents);

static bool
path_matches(struct str pattern, struct str path)
{
	struct str want, have;
	bool more = str_next(&path, '/', &have);

	while (str_next(&pattern, '/', &want)) {
		bool param = want.n > 0 && want.p[0] == '{';

		if (!more || (param ? have.n == 0 : !str_eq(want, have)))
			return false;
		more = str_next(&path, '/', &have);
	}
	return !more;
}

const char *
absent_name(struct str method, struct str path)
{
	for (size_t i = 0; i < absents_n; i++) {
		if (str_eq(str_of(absents[i].method), method) &&
		    path_matches(str_of(absents[i].path), path))
			return absents[i].name;
	}
	return NULL;
}

void
absent_add_markdown(struct buf *b)
{
	buf_lit(b, "| endpoint | answers 404 |\n|---|---|\n");
	for (size_t i = 0; i < absents_n; i++)
		buf_add_fmt(b, "| `%s %s` | `%s is not supported yet` |\n",
		    absents[i].method, absents[i].path, absents[i].name);
}
